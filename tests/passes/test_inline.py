"""Inlining: names, call stacks, nesting, and calls that stay."""

import pytest

from jitlang import config
from jitlang.errors import SourceSpan
from jitlang.interp.machine import assemble
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph, ObjectRef
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify
from jitlang.passes.inline import inline_calls
from jitlang.passes.manager import run_passes


class Callee:
    """Something with a graph, as a scripted function is."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, *args: object) -> object:
        return assemble(self.graph)(*args)


DIVIDE = """
graph(%a : int, %b : int):
  %q.1 : int = aten::floordiv(%a, %b) # inner.py:3:11
  return (%q.1)
"""


def caller(callee: object, calls: int = 1) -> Graph:
    graph = Graph("caller")
    build = Builder(graph)
    value, other = graph.add_input(ty.INT, "a"), graph.add_input(ty.INT, "q.1")
    for number in range(calls):
        build.span = SourceSpan("outer.py", 10 + number, 4, function="caller")
        reference = build.constant(ObjectRef("divide", callee), ty.FUNCTION)
        value = build.value("prim::CallFunction", [reference, value, other], ty.INT)
    graph.add_output(value)
    return graph


def test_call_is_replaced_by_the_callee() -> None:
    graph = caller(Callee(parse_graph(DIVIDE)), calls=2)
    assert inline_calls(graph)
    verify(graph)
    assert [node.kind for node in graph.walk()] == ["aten::floordiv"] * 2
    names = [node.output.name for node in graph.walk()]
    assert names == ["q.2", "q.3"]
    assert assemble(graph)(100, 5) == 4
    assert not inline_calls(graph)


def test_callee_is_not_changed() -> None:
    callee = Callee(parse_graph(DIVIDE))
    before = str(callee.graph)
    inline_calls(caller(callee))
    assert str(callee.graph) == before


def test_errors_show_the_calls_that_were_inlined() -> None:
    middle = caller(Callee(parse_graph(DIVIDE)))
    graph = caller(Callee(middle))
    inline_calls(graph)
    (node,) = graph.find("aten::floordiv")
    assert [span.filename for span in node.callstack] == ["outer.py", "outer.py"]
    with pytest.raises(ZeroDivisionError) as inlined:
        assemble(graph)(1, 0)
    with pytest.raises(ZeroDivisionError) as called:
        assemble(caller(Callee(middle)))(1, 0)
    assert inlined.value.__notes__ == called.value.__notes__
    assert inlined.value.__notes__[0].count("outer.py") == 2


def test_callee_without_a_graph_stays_a_call() -> None:
    graph = caller(lambda a, b: a - b)
    assert not inline_calls(graph)
    assert assemble(graph)(7, 2) == 5


def test_integers_of_another_kind_stay_a_call() -> None:
    callee = parse_graph(DIVIDE)
    callee.integers = "wrapping"
    assert not inline_calls(caller(Callee(callee)))


def test_inlining_stops_at_the_limit() -> None:
    graph = caller(Callee(parse_graph(DIVIDE)), calls=3)
    with config.override(max_inline_nodes=7):
        inline_calls(graph)
    assert 0 < len(graph.find("prim::CallFunction")) < 3


def test_blocks_are_inlined_too() -> None:
    callee = Callee(
        parse_graph("""
    graph(%a : int, %n : int):
      %go : bool = prim::Constant[value=1]()
      %r : int = prim::Loop(%n, %go, %a)
        block0(%i : int, %a.1 : int):
          %s : int = aten::add(%a.1, %i)
          -> (%go, %s)
      return (%r)
    """)
    )
    graph = caller(callee, calls=2)
    inline_calls(graph)
    verify(graph)
    assert assemble(graph)(0, 4) == 12
    names = [v.name for block in graph.blocks() for v in block.inputs]
    assert len(set(names)) == len(names)


def test_tuples_passed_between_functions_vanish() -> None:
    callee = Callee(
        parse_graph("""
    graph(%a : int, %b : int):
      %t : (int, int) = prim::TupleConstruct(%b, %a)
      return (%t)
    """)
    )
    graph = Graph()
    build = Builder(graph)
    inputs = [graph.add_input(ty.INT), graph.add_input(ty.INT)]
    reference = build.constant(ObjectRef("swap", callee), ty.FUNCTION)
    pair = build.value("prim::CallFunction", [reference, *inputs], ty.tuple_of(ty.INT, ty.INT))
    one, other = build.node("prim::TupleUnpack", [pair], [ty.INT, ty.INT]).outputs
    graph.add_output(build.op("aten::sub", one, other))
    run_passes(graph, ["optimize"])
    assert [node.kind for node in graph.walk()] == ["aten::sub"]
    assert assemble(graph)(1, 5) == 4
