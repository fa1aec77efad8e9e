"""Every value dies exactly once on every path."""

from hypothesis import HealthCheck, given, settings

from jitlang.interp.linearize import Opcode, linearize
from jitlang.ir.graph import IF, LOOP, Block, Graph, Value
from jitlang.ir.parser import parse_graph
from jitlang.passes.liveness import IMMEDIATE, Liveness, captures, find_last_uses
from passes.pass_graphs import writing_graphs


def test_places() -> None:
    graph = parse_graph("""
    graph(%x : Tensor, %y : Tensor, %unused : int, %c : bool, %n : int):
      %go : bool = prim::Constant[value=1]()
      %a : Tensor = aten::exp(%x)
      %r : Tensor = prim::If(%c)
        block0():
          %s : Tensor = aten::exp(%a)
          -> (%s)
        block1():
          -> (%y)
      %l : Tensor = prim::Loop(%n, %go, %r)
        block0(%i : int, %p : Tensor):
          %t : Tensor = aten::mul(%p, %x)
          -> (%go, %t)
      return (%l)
    """)
    live = find_last_uses(graph)
    names = lambda values: [value.name for value in values]  # noqa: E731
    (branch,) = graph.find(IF)
    (loop,) = graph.find(LOOP)
    assert names(live.at_start[graph.block]) == ["unused"]
    assert names(live.on_entry[branch]) == ["c"]
    assert names(live.at_start[branch.blocks[0]]) == ["y"]
    assert names(live.at_start[branch.blocks[1]]) == ["a"]
    assert names(live.at_end[branch.blocks[1]]) == ["y"]
    assert names(live.on_entry[loop]) == ["n", "r"]
    assert names(live.at[loop]) == ["x"]
    assert names(live.at_start[loop.blocks[0]]) == ["i"]
    assert names(captures(loop)) == ["x"]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(writing_graphs())
def test_every_value_dies_once_on_every_path(graph: Graph) -> None:
    live = find_last_uses(graph)
    alive = set(graph.inputs) - set(live.at_start[graph.block])
    assert not walk(graph.block, alive, live)


def walk(block: Block, alive: set[Value], live: Liveness) -> set[Value]:
    """Follow a block; returns what is alive after it."""

    def kill(values: list[Value]) -> None:
        assert len(set(values)) == len(values)
        assert set(values) <= alive
        alive.difference_update(values)

    for node in block.nodes:
        if node.kind in IMMEDIATE:
            continue
        assert {v for v in node.inputs if v.node.kind not in IMMEDIATE} <= alive
        ends = []
        if node.blocks:
            kill(live.on_entry[node])
        for inner in node.blocks:
            inside = (alive | set(inner.inputs)) - set(live.at_start[inner])
            ends.append(walk(inner, inside, live))
        if node.kind == IF:
            assert ends[0] == ends[1]
        if node.kind == LOOP:
            assert ends[0] == alive
        if ends:
            alive = ends[0]
        alive |= set(node.outputs)
        kill(live.at[node])
    assert {v for v in block.outputs if v.node.kind not in IMMEDIATE} <= alive
    kill(live.at_end[block])
    return alive


def test_loops_and_branches_close() -> None:
    graph = parse_graph("""
    graph(%c : bool):
      %many : int = prim::Constant[value=9223372036854775807]()
       = prim::Loop(%many, %c)
        block0(%i : int):
           = prim::If(%c)
            block0():
              -> ()
            block1():
              -> ()
          -> (%c)
      %n : NoneType = prim::Constant()
      return (%n)
    """)
    opcodes = [instruction.opcode for instruction in linearize(graph).instructions]
    assert opcodes == [
        Opcode.MOVE, Opcode.WHILE, Opcode.IF, Opcode.ELSE, Opcode.END, Opcode.MOVE, Opcode.END,
        Opcode.RETURN,
    ]  # fmt: skip
