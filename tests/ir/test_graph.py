"""Mutations of the graph keep uses, places and links as the verifier wants them."""

import random

import pytest

from jitlang.ir import types as ty
from jitlang.ir.graph import Graph, Node, Use, Value, create_node, tensor_data
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify


def sample() -> Graph:
    return parse_graph(
        """
graph(%x : int, %c : bool):
  %a : int = custom::f(%x, %x)
  %b : int = prim::If(%c)
    block0():
      %d : int = custom::g(%a)
      -> (%d)
    block1():
      -> (%x)
  %e : int = custom::h(%a, %b, %x)
  return (%e)
"""
    )


def named(graph: Graph) -> dict[str, Value]:
    found = {value.name: value for value in graph.inputs}
    for node in graph.walk():
        found.update((value.name, value) for value in node.outputs)
    return found


def test_inputs_are_inserted_removed_and_replaced():
    graph = sample()
    values = named(graph)
    node = values["e"].node
    node.insert_input(1, values["x"])
    node.insert_input(0, values["x"])
    verify(graph)
    assert [v.name for v in node.inputs] == ["x", "a", "x", "b", "x"]
    node.remove_input(2)
    node.remove_input(0)
    assert node.replace_input(1, values["a"]) is values["b"]
    verify(graph)
    assert [v.name for v in node.inputs] == ["a", "a", "x"]
    node.remove_all_inputs()
    verify(graph)
    assert values["b"].uses == {}


def test_random_mutations_of_inputs_keep_uses():
    choose = random.Random(7)
    graph = sample()
    values = named(graph)
    node, pool = values["e"].node, [values["x"], values["a"], values["b"]]
    for _ in range(300):
        action = choose.randrange(4)
        count = len(node.inputs)
        if action == 0 or not count:
            node.insert_input(choose.randint(0, count), choose.choice(pool))
        elif action == 1:
            node.add_input(choose.choice(pool))
        elif action == 2:
            node.remove_input(choose.randrange(count))
        else:
            node.replace_input(choose.randrange(count), choose.choice(pool))
        verify(graph)


def test_outputs_are_inserted_and_removed():
    graph = sample()
    node = named(graph)["a"].node
    node.insert_output(0, ty.STR, "first")
    assert [(v.name, v.offset) for v in node.outputs] == [("first", 0), ("a", 1)]
    verify(graph)
    with pytest.raises(ValueError, match="still used"):
        node.remove_output(1)
    node.remove_output(0)
    assert node.output.offset == 0
    verify(graph)


def test_all_uses_are_replaced():
    graph = sample()
    values = named(graph)
    values["a"].replace_all_uses_with(values["x"])
    assert values["a"].uses == {}
    values["a"].node.destroy()
    verify(graph)
    assert "custom::f" not in str(graph)


def test_nodes_in_use_are_not_destroyed():
    with pytest.raises(ValueError, match="still used"):
        named(sample())["a"].node.destroy()


def test_destroying_a_node_releases_what_its_blocks_read():
    graph = sample()
    values = named(graph)
    values["b"].replace_all_uses_with(values["x"])
    values["b"].node.destroy()
    verify(graph)
    assert [use.node.kind for use in values["a"].uses] == ["custom::h"]


def test_nodes_move():
    graph = sample()
    values = named(graph)
    values["a"].node.move_before(values["d"].node)
    assert [node.kind for node in graph.nodes] == ["prim::If", "custom::h"]
    values["a"].node.move_before(next(graph.nodes))
    verify(graph)
    with pytest.raises(ValueError, match="already in a block"):
        values["a"].node.insert_before(graph.return_node)


def test_order_across_blocks():
    values = named(sample())
    assert values["a"].node.is_before(values["d"].node)
    assert values["d"].node.is_before(values["e"].node)
    assert not values["e"].node.is_before(values["d"].node)
    assert not values["a"].node.is_before(values["a"].node)
    with pytest.raises(ValueError, match="different graphs"):
        values["a"].node.is_before(named(sample())["a"].node)


def test_iteration_survives_removal():
    graph = Graph()
    for index in range(6):
        graph.block.append(create_node(f"custom::n{index}"))
    for node in graph.nodes:
        if node.kind[-1] in "024":
            node.destroy()
    assert [node.kind for node in graph.nodes] == ["custom::n1", "custom::n3", "custom::n5"]
    for node in graph.block.reversed_nodes:
        node.destroy()
    assert graph.block.is_empty


def test_new_blocks_belong_to_the_graph():
    graph = Graph()
    node = Node("custom::outer")
    inner = Node("custom::inner")
    block = node.add_block()
    block.append(inner)
    innermost = inner.add_block()
    graph.block.append(node)
    assert block.graph is innermost.graph is graph
    assert list(graph.blocks()) == [graph.block, block, innermost]
    assert block.encloses(inner)
    assert not innermost.encloses(inner)
    assert list(inner.ancestry()) == [inner, node]


def test_copies_share_nothing_but_constants():
    graph = sample()
    copy = graph.copy()
    assert str(copy) == str(graph)
    assert not set(graph.walk()) & set(copy.walk())
    verify(copy)


def test_searches():
    graph = sample()
    assert [node.kind for node in graph.find("custom::g", "custom::h")] == [
        "custom::g",
        "custom::h",
    ]
    (use,) = named(graph)["e"].uses
    assert use == Use(graph.return_node, 0)
    assert hash(use) == hash(Use(graph.return_node, 0))
    assert tensor_data("text") is None
