"""The generated function: its text, control flow, integers, errors with the script's stack,
nesting.
"""

import gc
import linecache
import sys
import traceback
import weakref
from types import ModuleType

import numpy as np
import pytest

from jitlang import config
from jitlang.errors import SCRIPT_STACK_TITLE, ScriptError, SourceSpan
from jitlang.interp.machine import assemble
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph, ObjectRef
from jitlang.ir.opdef import OPS
from jitlang.ir.parser import parse_graph
from jitlang.ops.rows import op
from jitlang.tensor import Tensor, box

ADD_UP = """
graph(%n : int):
  %go : bool = prim::Constant[value=1]()
  %zero : int = prim::Constant[value=0]()
  %r : int = prim::Loop(%n, %go, %zero)
    block0(%i : int, %total : int):
      %s : int = aten::add(%total, %i)
      -> (%go, %s)
  return (%r)
"""


def run(text: str, *args: object) -> object:
    return assemble(parse_graph(text))(*args)


def test_scalar_loop_is_what_one_would_write() -> None:
    assert assemble(parse_graph(ADD_UP)).source.splitlines()[1:4] == [
        "    r1 = 0",
        "    for r0 in range(r0):",
        "        r1 = r1 + r0",
    ]


@pytest.mark.parametrize("n", [-1, 0, 1, 10])
def test_counted_loop(n: int) -> None:
    assert run(ADD_UP, n) == sum(range(n))


def test_while_loop_and_condition() -> None:
    text = """
    graph(%n : int):
      %many : int = prim::Constant[value=9223372036854775807]()
      %one : int = prim::Constant[value=1]()
      %zero : int = prim::Constant[value=0]()
      %c : bool = aten::gt(%n, %zero)
      %r : int, %steps : int = prim::Loop(%many, %c, %n, %zero)
        block0(%i : int, %m : int, %k : int):
          %l : int = aten::sub(%m, %one)
          %j : int = aten::add(%k, %one)
          %d : bool = aten::gt(%l, %zero)
          -> (%d, %l, %j)
      %t : (int, int) = prim::TupleConstruct(%r, %steps)
      return (%t)
    """
    assert run(text, 5) == (0, 5)
    assert run(text, 0) == (0, 0)
    assert "while" in assemble(parse_graph(text)).source


def test_counted_loop_with_a_condition() -> None:
    text = """
    graph(%n : int, %c : bool):
      %three : int = prim::Constant[value=3]()
      %zero : int = prim::Constant[value=0]()
      %r : int = prim::Loop(%n, %c, %zero)
        block0(%i : int, %m : int):
          %l : int = aten::add(%m, %i)
          %d : bool = aten::lt(%i, %three)
          -> (%d, %l)
      return (%r)
    """
    assert [run(text, n, True) for n in (0, 2, 4, 9)] == [0, 1, 6, 6]
    assert run(text, 9, False) == 0


def test_carried_values_that_change_places() -> None:
    text = """
    graph(%n : int, %a : int, %b : int):
      %go : bool = prim::Constant[value=1]()
      %x : int, %y : int = prim::Loop(%n, %go, %a, %b)
        block0(%i : int, %p : int, %q : int):
          -> (%go, %q, %p)
      %t : (int, int) = prim::TupleConstruct(%x, %y)
      return (%t)
    """
    assert run(text, 3, 1, 2) == (2, 1)


def test_one_initial_value_for_two_carried_ones() -> None:
    text = """
    graph(%n : int, %a : int):
      %go : bool = prim::Constant[value=1]()
      %x : int, %y : int = prim::Loop(%n, %go, %a, %a)
        block0(%i : int, %p : int, %q : int):
          %r : int = aten::add(%p, %q)
          -> (%go, %r, %p)
      %t : (int, int) = prim::TupleConstruct(%x, %y)
      return (%t)
    """
    assert run(text, 3, 1) == (5, 3)


def test_checked_integers_name_the_line() -> None:
    text = ADD_UP.replace("aten::add(%total, %i)", "aten::add(%total, %i) # model.py:7:4")
    text = text.replace("prim::Constant[value=0]", "prim::Constant[value=9223372036854775806]")
    with pytest.raises(OverflowError, match=r"add at model.py:7:4"):
        run(text, 9)
    assert run(text, 2) == 2**63 - 1


def test_wrapping_integers() -> None:
    graph = parse_graph(ADD_UP.replace("value=0]", "value=9223372036854775807]"))
    graph.integers = "wrapping"
    assert assemble(graph)(2) == -(2**63)


def test_errors_keep_their_class_and_get_the_stack() -> None:
    graph = parse_graph("""
    graph(%a : int, %b : int):
      %q : int = aten::floordiv(%a, %b) # inner.py:3:11
      return (%q)
    """)
    (node,) = graph.find("aten::floordiv")
    node.callstack = (SourceSpan("outer.py", 9, 4, 9, 8, "outer"),)
    with pytest.raises(ZeroDivisionError) as caught:
        assemble(graph)(1, 0)
    (note,) = caught.value.__notes__
    assert note.startswith(SCRIPT_STACK_TITLE)
    assert note.index("outer.py") < note.index("inner.py")


def test_traceback_shows_the_generated_line() -> None:
    routine = assemble(
        parse_graph("""
    graph(%a : int[], %i : int):
      %q : int = aten::__getitem__(%a, %i)
      return (%q)
    """)
    )
    with pytest.raises(IndexError) as caught:
        routine([1], 5)
    assert "r0[r1]" in "".join(traceback.format_exception(caught.value))


def test_source_is_forgotten_with_the_routine() -> None:
    routine = assemble(parse_graph(ADD_UP))
    filename = routine.filename
    assert linecache.getline(filename, 1).startswith("def run")
    del routine
    gc.collect()
    assert not linecache.getline(filename, 1)


@pytest.mark.parametrize(
    ("name", "error"),
    [("ValueError", ValueError), ("builtins.KeyError", KeyError), ("Mine", ScriptError)],
)
def test_raise(name: str, error: type[Exception]) -> None:
    text = f"""
    graph(%c : bool, %m : str):
      %one : int = prim::Constant[value=1]()
      %r : int = prim::If(%c)
        block0():
          %cls : str = prim::Constant[value="{name}"]()
           = prim::RaiseException(%m, %cls)
          %u : int = prim::Uninitialized()
          -> (%u)
        block1():
          -> (%one)
      return (%r)
    """
    assert run(text, False, "no") == 1
    with pytest.raises(error, match="no"):
        run(text, True, "no")


def test_raise_of_a_class_of_the_users_own() -> None:
    class Mine(Exception):
        pass

    graph = parse_graph("""
    graph(%m : str):
      %n : NoneType = prim::Constant()
       = prim::RaiseException(%m, %n)
      return (%n)
    """)
    (node,) = graph.find("prim::RaiseException")
    node.attributes["cls"] = ObjectRef("Mine", Mine)
    with pytest.raises(Mine, match="what"):
        assemble(graph)("what")


def nested(depth: int, kind: str) -> Graph:
    """`depth` blocks inside one another, each adding 1."""
    graph = Graph("nested")
    build = Builder(graph)
    condition = graph.add_input(ty.BOOL)
    start = graph.add_input(ty.INT)
    one = build.constant(1)
    go = build.constant(True)

    def level(count: int, value: object) -> object:
        value = build.op("aten::add", value, one)
        if not count:
            return value
        if kind == "prim::Loop":
            node = build.node(kind, [one, go, value], [ty.INT])
            body = node.add_block()
            body.add_input(ty.INT)
            inner = body.add_input(ty.INT)
            with build.at(body):
                result = level(count - 1, inner)
            body.add_output(go)
            body.add_output(result)
            return node.output
        node = build.node(kind, [condition], [ty.INT])
        with build.at(node.add_block()) as block:
            block.add_output(level(count - 1, value))
        node.add_block().add_output(value)
        return node.output

    graph.add_output(level(depth, start))
    return graph


@pytest.mark.parametrize("kind", ["prim::If", "prim::Loop"])
def test_blocks_nested_deeper_than_python_allows(kind: str) -> None:
    routine = assemble(nested(130, kind))
    assert routine(True, 0) == 131
    assert "region_" in routine.source


@pytest.mark.parametrize("kind", ["prim::If", "prim::Loop"])
def test_outlined_regions_keep_the_line_of_an_error(kind: str) -> None:
    graph = nested(5, kind)
    last = graph.find("aten::add")[-1]
    last.span = SourceSpan("deep.py", 77, 0)
    with config.override(max_nesting=1):
        routine = assemble(graph)
    with pytest.raises(OverflowError) as caught:
        routine(True, 2**63 - 6)
    assert "deep.py" in caught.value.__notes__[0]


def test_values_are_released_at_their_last_use() -> None:
    made: list[weakref.ref[np.ndarray]] = []
    alive: list[bool] = []

    def make() -> Tensor:
        array = np.zeros(3)
        made.append(weakref.ref(array))
        return box(array)

    def look() -> int:
        alive.append(made[0]() is not None)
        return 0

    graph = Graph()
    build = Builder(graph)
    tensor = build.value("prim::PythonOp", [], ty.TENSOR, name="make", callee=ObjectRef("m", make))
    build.value("prim::PythonOp", [], ty.INT, name="look", callee=ObjectRef("l", look))
    rank = build.op("aten::dim", tensor)
    build.value("prim::PythonOp", [], ty.INT, name="look", callee=ObjectRef("l", look))
    graph.add_output(rank)
    assert assemble(graph)() == 1
    assert alive == [True, False]


def test_function_call() -> None:
    graph = Graph()
    build = Builder(graph)
    value = graph.add_input(ty.INT)
    callee = build.constant(ObjectRef("twice", lambda x: 2 * x), ty.FUNCTION)
    graph.add_output(build.value("prim::CallFunction", [callee, value], ty.INT))
    assert assemble(graph)(4) == 8


def test_unknown_operator_is_named() -> None:
    with pytest.raises(NotImplementedError, match="custom::thing"):
        run("graph(%x : int):\n  %y : int = custom::thing(%x)\n  return (%y)", 1)


@pytest.mark.parametrize(
    "value", [-0.0, 0.0, float("inf"), float("nan"), -7, 1e308, "a'\n", 2 + 3j]
)
def test_constants_arrive_as_they_are(value: object) -> None:
    graph = Graph()
    build = Builder(graph)
    graph.add_output(build.constant(value))
    result = assemble(graph)()
    assert type(result) is type(value)
    assert repr(result) == repr(value)


def test_negative_constants_in_expressions() -> None:
    graph = Graph()
    build = Builder(graph)
    graph.add_output(build.op("aten::neg", build.constant(-7)))
    assert assemble(graph)() == 7


def test_isinstance() -> None:
    text = """
    graph(%x : Any):
      %r : bool = prim::isinstance[types=[int, str]](%x)
      return (%r)
    """
    assert [run(text, x) for x in (1, "a", 2.0, None)] == [True, True, False, False]


def test_checked_cast() -> None:
    text = """
    graph(%x : Any):
      %r : float = jit::checked_cast(%x)
      return (%r)
    """
    assert run(text, 2.5) == 2.5
    assert type(run(text, 2)) is float
    with pytest.raises(TypeError, match="expected float, found str"):
        run(text, "a")


def test_call_of_a_graph() -> None:
    class Compiled:
        graph = parse_graph(ADD_UP)

    graph = Graph()
    build = Builder(graph)
    value = graph.add_input(ty.INT)
    callee = build.constant(ObjectRef("add_up", Compiled()), ty.FUNCTION)
    graph.add_output(build.value("prim::CallFunction", [callee, value], ty.INT))
    assert assemble(graph)(5) == 10


@pytest.mark.parametrize(
    ("a", "b", "fits"),
    [
        (2**63 - 1, 0, True), (2**63 - 1, 1, False), (-(2**63), 0, True), (-(2**63), -1, False),
        (2**62, 2**62, False), (-(2**62), -(2**62), True),
    ],
)  # fmt: skip
def test_bounds_of_checked_integers(a: int, b: int, fits: bool) -> None:
    text = "graph(%a : int, %b : int):\n  %c : int = aten::add(%a, %b)\n  return (%c)"
    if fits:
        assert run(text, a, b) == a + b
        return
    with pytest.raises(OverflowError):
        run(text, a, b)


def test_expressions_stand_in_the_line_of_their_only_reader() -> None:
    text = """
    graph(%a : int, %b : int, %l : int[]):
      %zero : int = prim::Constant[value=0]()
      %r : int = aten::remainder(%a, %b) # first.py:1:0
      %c : bool = aten::eq(%r, %zero) # second.py:2:0
      %x : int = prim::If(%c)
        block0():
          %s : int[] = aten::add(%l, %l)
          %n : int = aten::len(%s)
          -> (%n)
        block1():
          -> (%zero)
      return (%x)
    """
    routine = assemble(parse_graph(text))
    assert "if (r0 % r1) == 0:" in routine.source or "if ((r0 % r1) == 0):" in routine.source
    assert routine(4, 2, [1]) == 2
    with pytest.raises(ZeroDivisionError) as caught:
        routine(1, 0, [1])
    assert "first.py" in caught.value.__notes__[0]


def test_only_one_part_of_a_line_may_fail() -> None:
    text = """
    graph(%l : int[], %i : int, %b : int):
      %r : int = aten::__getitem__(%l, %i) # first.py:1:0
      %c : int = aten::remainder(%r, %b) # second.py:2:0
      return (%c)
    """
    for args, file in ((([1], 5, 1), "first.py"), (([1], 0, 0), "second.py")):
        with pytest.raises((IndexError, ZeroDivisionError)) as caught:
            run(text, *args)
        assert file in caught.value.__notes__[0]


def test_kernels_are_bound_again_for_arrays_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class DeviceArray:
        """As much of a CuPy array as a tensor looks at."""

        base = None
        dtype = np.dtype("float32")

    cupy = ModuleType("cupy")
    cupy.ndarray = DeviceArray
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    row = op("test::home(Tensor x) -> str", impl=lambda xp, x: xp.__name__, method=None)
    try:
        routine = assemble(parse_graph("""
        graph(%x : Tensor):
          %s : str = test::home(%x)
          return (%s)
        """))
        assert [routine(box(a)) for a in (np.zeros(1), DeviceArray(), np.zeros(1))] == [
            "numpy", "cupy", "numpy",
        ]  # fmt: skip
    finally:
        OPS.remove(row)
