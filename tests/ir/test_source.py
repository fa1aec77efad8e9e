"""Graphs as source: every construct, and the order of evaluation."""

import ast
import textwrap
from pathlib import Path

import numpy as np
import pytest

import jitlang.ops  # noqa: F401  # rows, whose defaults and keyword-only arguments the text shows
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph, ObjectRef
from jitlang.ir.parser import parse_graph
from jitlang.ir.schema import parse_schema
from jitlang.ir.source import Source, to_source

DUMPS = sorted((Path(__file__).parent.parent / "data" / "torch_graphs").glob("*.ir"))


def source(text: str) -> Source:
    return to_source(parse_graph(textwrap.dedent(text)), "f")


def body(text: str) -> list[str]:
    return source(text).text.split(":\n", 1)[1].splitlines()


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_dumps_of_torch_become_python(dump: Path):
    graph = parse_graph(dump.read_text(encoding="utf-8"))
    if len(graph.outputs) != 1:
        pytest.skip("not a function")
    text = to_source(graph, "f").text
    if "^" not in text:
        ast.parse(text)


def test_only_the_documented_syntax_occurs():
    allowed = {
        "Module", "FunctionDef", "arguments", "arg", "Assign", "Return", "If", "While", "For",
        "Expr",
        "Pass", "Name", "Attribute", "Call", "Subscript", "Slice", "Constant", "List", "Tuple",
        "Dict",
        "UnaryOp", "USub", "keyword", "Load", "Store",
    }  # fmt: skip
    seen: set[str] = set()
    for dump in DUMPS:
        graph = parse_graph(dump.read_text(encoding="utf-8"))
        if len(graph.outputs) != 1 or "^" in (text := to_source(graph, "f").text):
            continue
        seen |= {type(node).__name__ for node in ast.walk(ast.parse(text))}
    assert seen <= allowed


# Order of evaluation ------------------------------------------------------------------------------


def test_values_read_once_are_written_where_they_are_read():
    assert body("""
        graph(%x : Tensor, %y : Tensor):
          %1 : Tensor = aten::exp(%x)
          %2 : Tensor = aten::neg(%y)
          %3 : Tensor = aten::mul(%1, %2)
          return (%3)
    """) == ["  return torch.mul(torch.exp(x), torch.neg(y))"]


def test_the_order_of_nodes_is_kept():
    assert body("""
        graph(%x : Tensor, %y : Tensor):
          %1 : Tensor = aten::neg(%y)
          %2 : Tensor = aten::exp(%x)
          %3 : Tensor = aten::mul(%2, %1)
          return (%3)
    """) == ["  _0 = torch.neg(y)", "  return torch.mul(torch.exp(x), _0)"]


def test_no_read_passes_a_write():
    assert body("""
        graph(%x : Tensor):
          %1 : Tensor = aten::exp(%x)
          %2 : Tensor = aten::neg_(%x)
          %3 : Tensor = aten::mul(%1, %x)
          return (%3)
    """) == ["  _0 = torch.exp(x)", "  _1 = torch.neg_(x)", "  return torch.mul(_0, x)"]


def test_long_expressions_get_variables_and_all_that_runs_before_them():
    long = "a_name_that_takes_a_whole_line_by_itself"
    assert body(f"""
        graph(%x : Tensor, %{long} : Tensor):
          %1 : Tensor = aten::exp_(%x)
          %2 : Tensor = aten::neg(%{long})
          %3 : Tensor = aten::exp(%2)
          %4 : Tensor = aten::mul(%1, %3)
          return (%4)
    """) == [
        "  _0 = torch.exp_(x)",
        f"  _1 = torch.neg({long})",
        "  return torch.mul(_0, torch.exp(_1))",
    ]


def test_long_chains_do_not_exhaust_the_stack():
    lines = ["graph(%x : Tensor):", "  %0 : Tensor = aten::neg(%x)"]
    lines += [f"  %{i} : Tensor = aten::neg(%{i - 1})" for i in range(1, 3000)]
    text = source("\n".join([*lines, "  return (%2999)"])).text
    assert text.count("torch.neg") == 3000
    ast.parse(text)


# Names and signatures -----------------------------------------------------------------------------


def test_names_are_kept_and_made_unique():
    assert body("""
        graph(%x.1 : Tensor):
          %x.3 : Tensor = aten::neg(%x.1)
          %x.7 : Tensor = aten::neg(%x.3)
          %range : Tensor = aten::neg(%x.7)
          %a.b.1 : Tensor = aten::neg(%range)
          %4 : (Tensor, Tensor) = prim::TupleConstruct(%a.b.1, %a.b.1)
          return (%4)
    """) == [
        "  x0 = torch.neg(x)",
        "  x1 = torch.neg(x0)",
        "  range0 = torch.neg(x1)",
        "  a_b = torch.neg(range0)",
        "  return (a_b, a_b)",
    ]


def test_a_schema_gives_names_defaults_and_keywords():
    graph = parse_graph("graph(%0 : int, %1 : float?, %2 : str):\n  return (%2)")
    schema = parse_schema('f(int count, float? scale=None, *, str mode="a") -> str')
    assert to_source(graph, "f", schema).text == (
        "def f(count: int,\n    scale: Optional[float]=None,\n    *,\n"
        '    mode: str="a") -> str:\n  return mode\n'
    )


def test_types_and_functions_are_put_on_record():
    made = source("""
        graph(%p : NamedTuple[__torch__.Point](x : float, y : float), %c : Enum<__torch__.Color>):
          %0 : int = prim::Constant[value=0]()
          %f : Function = prim::Constant[name="helpers.<locals>.scaled"]()
          %1 : float = prim::TupleIndex(%p, %0)
          %2 : float = prim::CallFunction(%f, %1)
          %3 : NamedTuple[__torch__.Point](x : float, y : float) = prim::TupleConstruct(%2, %2)
          return (%3)
    """)
    assert made.text == (
        "def f(p: __torch__.Point,\n    c: __torch__.Color) -> __torch__.Point:\n"
        "  _0 = __torch__.helpers._locals_.scaled(p.x)\n"
        "  return __torch__.Point(_0, _0)\n"
    )
    assert made.functions == {
        "__torch__.helpers._locals_.scaled": ObjectRef("helpers.<locals>.scaled")
    }
    assert {name: type(t) for name, t in made.types.items()} == {
        "__torch__.Point": ty.TupleType,
        "__torch__.Color": ty.EnumType,
    }


def test_functions_of_one_name_are_told_apart():
    graph = Graph()
    build = Builder(graph)
    x = graph.add_input(ty.INT, "x")
    for function in (len, abs):
        callee = build.constant(ObjectRef("helper", function), ty.FUNCTION)
        x = build.value("prim::CallFunction", [callee, x], ty.INT)
    graph.add_output(x)
    made = to_source(graph, "f")
    assert made.text.endswith("return __torch__.helper0(__torch__.helper(x))\n")
    assert [ref.value for ref in made.functions.values()] == [len, abs]


# Expressions --------------------------------------------------------------------------------------


def test_literals():
    assert body(r"""
        graph():
          %a : float = prim::Constant[value=0.10000000000000001]()
          %b : float = prim::Constant[value=20000000000000000]()
          %c : float = prim::Constant[value=-inf]()
          %d : complex = prim::Constant[value=0.-2.j]()
          %e : str = prim::Constant[value="it\'s \"é\"\n\033"]()
          %f : bool = prim::Constant[value=1]()
          %g : NoneType = prim::Constant()
          %h : dtype = prim::Constant[value=torch.float32]()
          %i : Device = prim::Constant[value="cuda:1"]()
          %j : int = prim::Constant[value=-3]()
          %k : int[] = prim::Constant[value=[1]]()
          %l : (int) = prim::Constant[value=(1,)]()
          %m : Dict(str, int[]) = prim::Constant[value={"a": [1]}]()
          %z : (float, float, float, complex, str, bool, NoneType, dtype, Device, int, int[], (int),
                Dict(str, int[])) = prim::TupleConstruct(%a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k,
                                                         %l, %m)
          return (%z)
    """) == [
        '  return (0.1, 2e+16, -inf, complex(0.0, -2.0), "it\'s \\"é\\"\\n\\u001b", True, None, '
        'torch.float32, torch.device("cuda:1"), -3, [1], (1,), '
        'annotate(Dict[str, List[int]], {"a": [1]}))'
    ]


def test_tensors_and_objects_are_constants():
    graph = Graph()
    build = Builder(graph)
    array, thing = np.zeros(3), object()
    tensor = build.constant(array, ty.TENSOR)
    other = build.constant(ObjectRef("thing", thing), ty.ANY)
    again = build.constant(array, ty.TENSOR)
    graph.add_output(build.tuple([tensor, other, again]))
    made = to_source(graph, "f")
    assert made.text.endswith("return (CONSTANTS.c0, CONSTANTS.c1, CONSTANTS.c0)\n")
    assert made.constants[0] is array
    assert made.constants[1].value is thing


def test_displays_are_annotated_where_their_elements_do_not_tell():
    assert body("""
        graph(%x : Tensor, %n : int):
          %none : NoneType = prim::Constant()
          %a.1 : int[] = prim::ListConstruct()
          %b.1 : int[] = prim::ListConstruct(%n, %n)
          %c.1 : Tensor?[] = prim::ListConstruct(%none, %x)
          %d.1 : Dict(str, int) = prim::DictConstruct()
          %e.1 : Dict(int, Tensor) = prim::DictConstruct(%n, %x)
          %f.1 : (Tensor?, int) = prim::TupleConstruct(%x, %n)
          %g.1 : () = prim::TupleConstruct()
          %h : (int) = prim::TupleConstruct(%n)
          return (%h)
    """) == [
        "  a = annotate(List[int], [])",
        "  b = [n, n]",
        "  c = annotate(List[Optional[Tensor]], [None, x])",
        "  d = annotate(Dict[str, int], {})",
        "  e = {n: x}",
        "  f = annotate(Tuple[Optional[Tensor], int], (x, n))",
        "  g = ()",
        "  return (n,)",
    ]


def test_items_casts_and_tests():
    assert body("""
        graph(%xs : int[], %t : (int, str), %v : Any, %o : int?):
          %0 : int = prim::Constant[value=0]()
          %a : int = aten::__getitem__(%xs, %0)
          %b : int = prim::TupleIndex(%t, %0)
          %c : (int) = prim::TupleSlice[beg=0, end=1](%t)
          %d : bool = prim::isinstance[types=[int]](%v)
          %e : bool = prim::isinstance[types=[int, float]](%v)
          %g : int = prim::unchecked_cast(%o)
          %h : int = prim::Uninitialized()
          %i : str = prim::Constant[value="x"]()
          %j : int = aten::Int(%i)
           = prim::Print(%i, %j)
          %k : int = ^helper[]()(%i)
          %p : int, %q : int = prim::ListUnpack(%xs)
          %r : int = prim::TupleUnpack(%c)
          return (%r)
    """) == [
        "  a = xs[0]",
        "  b = t[0]",
        "  c = t[0:1]",
        "  d = isinstance(v, int)",
        "  e = isinstance(v, (int, float))",
        "  g = unchecked_cast(int, o)",
        "  h = uninitialized(int)",
        '  j = int("x")',
        '  print("x", j)',
        '  k = ^helper("x")',
        "  p, q, = xs",
        "  r, = c",
        "  return r",
    ]


def test_defaults_are_left_out_and_keywords_written():
    assert body("""
        graph(%x : Tensor, %n : int):
          %none : NoneType = prim::Constant()
          %1 : int = prim::Constant[value=1]()
          %a.1 : Tensor = aten::add(%x, %x, %1)
          %b.1 : Tensor = aten::add(%x, %x, %n)
          %c.1 : Tensor = aten::slice(%x, %1, %n, %none, %1)
          return (%c.1)
    """) == [
        "  a = torch.add(x, x)",
        "  b = torch.add(x, x, alpha=n)",
        "  return torch.slice(x, 1, n)",
    ]


def test_operators_without_rows_show_all_they_have():
    assert body("""
        graph(%x : Tensor):
          %a : Tensor = custom::made[times=2, kinds=[int, Tensor]](%x)
          return (%a)
    """) == ["  return ops.custom.made(x, times=2, kinds=[int, Tensor])"]


# Control flow -------------------------------------------------------------------------------------


def test_branches():
    assert body("""
        graph(%c : bool, %x : int):
          %none : NoneType = prim::Constant()
          %y : int?, %z : int? = prim::If(%c)
            block0():
              -> (%none, %none)
            block1():
              %n : int = aten::neg(%x)
              -> (%n, %none)
           = prim::If(%c)
            block0():
              -> ()
            block1():
               = prim::Print(%y)
              -> ()
          return (%z)
    """) == [
        "  if c:",
        "    y, z = None, annotate(Optional[int], None)",
        "  else:",
        "    y, z = torch.neg(x), annotate(Optional[int], None)",
        "  if c:",
        "    pass",
        "  else:",
        "    print(y)",
        "  return z",
    ]


def test_for():
    assert body("""
        graph(%n : int, %x : int):
          %true : bool = prim::Constant[value=1]()
          %none : NoneType = prim::Constant()
          %y : int, %z : int? = prim::Loop(%n, %true, %x, %none)
            block0(%i : int, %a : int, %b : int?):
              %s : int = aten::add(%a, %i)
              -> (%true, %s, %a)
          return (%y)
    """) == [
        "  y = x",
        "  z = annotate(Optional[int], None)",
        "  for i in range(n):",
        "    y, z = torch.add(y, i), annotate(Optional[int], y)",
        "  return y",
    ]


def test_an_empty_loop():
    assert body("""
        graph(%n : int):
          %true : bool = prim::Constant[value=1]()
           = prim::Loop(%n, %true)
            block0(%i : int):
              -> (%true)
          return (%n)
    """) == ["  for i in range(n):", "    pass", "  return n"]


def test_while():
    assert body("""
        graph(%x : int):
          %limit : int = prim::Constant[value=9223372036854775807]()
          %0 : int = prim::Constant[value=0]()
          %1 : bool = aten::gt(%x, %0)
          %y : int = prim::Loop(%limit, %1, %x)
            block0(%i : int, %a : int):
              %b : int = aten::neg(%a)
              %c : bool = aten::gt(%b, %0)
              -> (%c, %b)
          return (%y)
    """) == [
        "  y = x",
        "  _0 = torch.gt(x, 0)",
        "  while _0:",
        "    b = torch.neg(y)",
        "    _0, y = torch.gt(b, 0), b",
        "  return y",
    ]


def test_a_loop_with_a_limit_and_a_condition_counts():
    assert body("""
        graph(%xs : int[], %c : bool):
          %n : int = aten::len(%xs)
          %y : int = prim::Loop(%n, %c, %n)
            block0(%i : int, %a : int):
              %b : int = aten::__getitem__(%xs, %i)
              %d : bool = aten::gt(%b, %a)
              -> (%d, %b)
          return (%y)
    """) == [
        "  n = torch.len(xs)",
        "  y = n",
        "  i = 0",
        "  _0 = torch.__and__(c, torch.lt(0, n))",
        "  while _0:",
        "    b = xs[i]",
        "    d = torch.gt(b, y)",
        "    _1 = torch.add(i, 1)",
        "    _0, y, i = torch.__and__(d, torch.lt(_1, n)), b, _1",
        "  return y",
    ]
