"""Which values may share memory, and who reads and writes it."""

import pytest

from jitlang.ir.graph import Graph, Node, Value
from jitlang.ir.parser import parse_graph
from jitlang.passes.alias import AliasAnalysis
from jitlang.passes.effects import is_pure, must_run


class Subject:
    """A graph with its analysis; values by name."""

    def __init__(self, text: str) -> None:
        self.graph: Graph = parse_graph(text)
        self.analysis = AliasAnalysis(self.graph)
        self.values: dict[str, Value] = {}
        for block in self.graph.blocks():
            self.values |= {value.name: value for value in block.inputs}
        for node in self.graph.walk():
            self.values |= {value.name: value for value in node.outputs}

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def alias(self, a: str, b: str) -> bool:
        return self.analysis.may_alias(self[a], self[b])

    def share(self, a: str, b: str) -> bool:
        return self.analysis.may_share(self[a], self[b])

    def node(self, kind: str) -> Node:
        (only,) = self.graph.find(kind)
        return only


def test_views_alias_and_results_do_not() -> None:
    subject = Subject("""
    graph(%x : Tensor):
      %z : int = prim::Constant[value=0]()
      %v : Tensor = aten::unsqueeze(%x, %z)
      %w : Tensor = aten::unsqueeze(%v, %z)
      %e : Tensor = aten::exp(%x)
      %f : Tensor = aten::exp(%x)
      return (%e)
    """)
    assert subject.alias("x", "w")
    assert not subject.alias("x", "e")
    assert not subject.alias("e", "f")
    assert subject.analysis.escapes(subject["e"])
    assert not subject.analysis.escapes(subject["f"])


def test_parameters_may_be_one_object_but_not_of_different_kinds() -> None:
    subject = Subject("""
    graph(%x : Tensor, %y : Tensor, %l : int[], %n : int):
      return (%n)
    """)
    assert subject.alias("x", "y")
    assert not subject.alias("x", "l")
    assert not subject.alias("n", "x")


def test_what_goes_into_a_list_comes_out() -> None:
    subject = Subject("""
    graph(%x : Tensor, %i : int):
      %a : Tensor = aten::exp(%x)
      %b : Tensor = aten::exp(%x)
      %l : Tensor[] = prim::ListConstruct()
      %m : Tensor[] = aten::append(%l, %a)
      %c : Tensor[] = aten::copy(%l)
      %e : Tensor = aten::__getitem__(%c, %i)
      return (%i)
    """)
    assert subject.alias("l", "m")
    assert not subject.alias("l", "c")
    assert subject.share("l", "c")
    assert subject.alias("a", "e")
    assert not subject.alias("b", "e")


def test_dicts_and_their_lists_of_values() -> None:
    subject = Subject("""
    graph(%x : Tensor, %k : str, %i : int):
      %a : Tensor = aten::exp(%x)
      %d : Dict(str, Tensor) = prim::DictConstruct(%k, %a)
      %v : Tensor[] = aten::values(%d)
      %e : Tensor = aten::__getitem__(%v, %i)
      %b : Tensor = aten::exp(%x)
      return (%i)
    """)
    assert subject.alias("a", "e")
    assert not subject.alias("b", "e")


def test_tuples_pass_memory_on() -> None:
    subject = Subject("""
    graph(%x : Tensor, %n : int):
      %a : Tensor = aten::exp(%x)
      %t : (Tensor, int) = prim::TupleConstruct(%a, %n)
      %b : Tensor, %m : int = prim::TupleUnpack(%t)
      return (%m)
    """)
    assert subject.alias("a", "b")
    assert subject.share("t", "a")
    assert not subject.alias("t", "a")


def test_joins() -> None:
    subject = Subject("""
    graph(%x : Tensor, %c : bool, %n : int):
      %a : Tensor = aten::exp(%x)
      %b : Tensor = aten::exp(%x)
      %o : Tensor = aten::exp(%x)
      %j : Tensor = prim::If(%c)
        block0():
          -> (%a)
        block1():
          -> (%b)
      %r : Tensor = prim::Loop(%n, %c, %j)
        block0(%i : int, %p : Tensor):
          %q : Tensor = aten::exp(%p)
          -> (%c, %q)
      return (%n)
    """)
    assert subject.alias("a", "j")
    assert subject.alias("r", "p")
    assert subject.alias("r", "q")
    assert subject.alias("a", "r")
    assert not subject.alias("o", "r")


def test_unknown_calls_share_everything_they_see() -> None:
    subject = Subject("""
    graph(%x : Tensor):
      %a : Tensor = aten::exp(%x)
      %b : Tensor = aten::exp(%x)
      %r : Tensor = ^f()(%a)
      return (%r)
    """)
    assert subject.alias("a", "r")
    assert subject.alias("x", "r")
    assert not subject.alias("b", "r")
    call = next(n for n in subject.graph.walk() if n.kind == "prim::PythonOp")
    assert subject.analysis.writes(call) & subject.analysis.places(subject["a"])
    assert not subject.analysis.writes(call) & subject.analysis.places(subject["b"])


def test_writers_between() -> None:
    subject = Subject("""
    graph(%x : Tensor, %n : int, %c : bool):
      %a : Tensor = aten::exp(%x)
      %b : Tensor = aten::exp(%x)
       = prim::Loop(%n, %c)
        block0(%i : int):
          %d : int = aten::dim(%a)
          %w : Tensor = aten::exp_(%b)
          %v : Tensor = aten::tanh_(%a)
          -> (%c)
      return (%n)
    """)
    analysis, a = subject.analysis, subject["a"]
    start, inside = a.node, subject.node("aten::dim")
    assert analysis.has_writers_between([a], start, inside)  # on the second trip
    assert not analysis.has_writers_between([a], start, subject.node("prim::Loop"))
    assert analysis.has_writers_between([a], start, subject.graph.return_node)
    assert not analysis.has_writers_between([a], inside, subject.node("aten::exp_"))


@pytest.mark.parametrize(
    ("line", "pure", "stays"),
    [
        ("%r : int = aten::add(%n, %n)", True, True),
        ("%r : bool = aten::lt(%n, %n)", True, False),
        ("%r : int = aten::floordiv(%n, %n)", True, True),
        ("%r : Tensor = aten::exp(%x)", True, False),
        ("%r : Tensor = aten::exp_(%x)", False, False),
        ("%r : int[] = aten::append(%l, %n)", False, False),
        ("%r : int = aten::__getitem__(%l, %n)", True, True),
        ("%r : int = aten::len(%l)", True, False),
        (" = prim::Print(%n)", False, True),
        ("%r : int = ^f()(%n)", False, True),
        ("%r : int[] = prim::ListConstruct(%n)", True, False),
    ],
)
def test_effects(line: str, pure: bool, stays: bool) -> None:
    graph = parse_graph(f"graph(%x : Tensor, %n : int, %l : int[]):\n  {line}\n  return (%n)")
    (node,) = graph.nodes
    assert (is_pure(node), must_run(node)) == (pure, stays)


def test_wrapping_additions_cannot_fail() -> None:
    graph = parse_graph("graph(%n : int):\n  %r : int = aten::add(%n, %n)\n  return (%n)")
    graph.integers = "wrapping"
    assert not any(map(must_run, graph.nodes))
