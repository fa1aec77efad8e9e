"""The dialect of `.code`, production by production, and what is said about broken text."""

from __future__ import annotations

import gc
import linecache
import math
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import jitlang
from jitlang import Tensor, dtypes
from jitlang.arrays import Device
from jitlang.errors import CompileError, ErrorKind
from jitlang.frontend.dialect import compile_text
from jitlang.frontend.function import CompiledFunction
from jitlang.interp.machine import assemble
from jitlang.ir import types as ty
from jitlang.ir.graph import ObjectRef
from jitlang.ir.schema import NO_DEFAULT
from jitlang.ir.source import to_source
from jitlang.ir.verifier import verify
from jitlang.values import type_of


def compiled(text: str, **parts: Any) -> CompiledFunction:
    found = compile_text(textwrap.dedent(text), **parts)
    verify(found.graph)
    return found


def function(text: str, **parts: Any) -> Callable[..., Any]:
    return assemble(compiled(text, **parts).graph)


def rows(text: str, **parts: Any) -> list[str]:
    graph = compiled(text, **parts).graph
    return [node.op.full_name for node in graph.walk() if node.op is not None]


def tensor(*values: float) -> Tensor:
    return jitlang.tensor(list(values))


# Functions --------------------------------------------------------------------------------------


def test_parameters_have_types_defaults_and_keywords():
    found = compiled("""
        def f(x: Tensor, n: int=3, *, names: List[str]=annotate(List[str], []),
            y: float=-inf) -> int:
          return n
    """)
    assert found.name == "f"
    arguments = found.schema.arguments
    assert [a.type for a in arguments] == [ty.TENSOR, ty.INT, ty.ListType(ty.STR), ty.FLOAT]
    assert [a.default for a in arguments] == [NO_DEFAULT, 3, [], -math.inf]
    assert [a.kwarg_only for a in arguments] == [False, False, True, True]
    assert list(found.specs) == ["x", "n", "names", "y"]


@pytest.mark.parametrize(
    ("type_", "literal", "value"),
    [
        ("int", "-9223372036854775808", -(2**63)),
        ("float", "nan", math.nan),
        ("complex", "complex(1.5, -inf)", complex(1.5, -math.inf)),
        ("str", r'"a\"b\né"', 'a"b\né'),
        ("Optional[int]", "None", None),
        ("bool", "True", True),
        ("dtype", "torch.float16", dtypes.float16),
        ("Device", 'torch.device("cpu")', Device("cpu")),
        ("Tuple[int, Tuple[str, ...]]", '(1, ("a",))', (1, ("a",))),
        ("Dict[str, List[int]]", '{"a": [1, 2]}', {"a": [1, 2]}),
    ],
)
def test_literals(type_: str, literal: str, value: Any):
    text = f"def f(p: {type_}={literal}) -> {type_}:\n  return {literal}"
    found = compiled(text)
    assert repr(found.schema.arguments[0].default) == repr(value)
    assert repr(assemble(found.graph)(None)) == repr(value)
    source = to_source(found.graph, "f", found.schema)
    again = compile_text(source.text)
    assert to_source(again.graph, "f", again.schema).text == source.text


def test_constants_are_values_of_their_types():
    weight = np.ones(2, dtype=np.float32)
    table = {"a": 1}
    text = """
        def f(x: Tensor, w: Tensor=CONSTANTS.c0) -> Tuple[Tensor, int]:
          return (torch.add(x, CONSTANTS.c0), CONSTANTS.c1["a"])
    """
    constants = (tensor(1, 1), ObjectRef("dict", table))
    result, count = function(text, constants=constants)(tensor(1, 2), constants[0])
    assert result.tolist() == [2, 3]
    assert count == 1
    text = "def f() -> {}:\n  return CONSTANTS.c0"
    by_value = compiled(text.format("Array"), constants=[weight])
    assert ty.unshaped(by_value.return_type) is ty.ARRAY
    stated = compiled(text.format("Tensor"), constants=[weight], constant_types=[ty.TENSOR])
    assert stated.return_type is ty.TENSOR


def test_the_result_has_the_type_that_the_signature_states():
    found = compiled("def f(n: int) -> Optional[int]:\n  return n")
    assert found.return_type is ty.optional(ty.INT)
    assert found.schema.returns[0].type is ty.optional(ty.INT)


def test_integers_are_checked_or_wrap():
    text = "def f(n: int) -> int:\n  return torch.add(n, 1)"
    with pytest.raises(OverflowError):
        function(text)(2**63 - 1)
    assert function(text, integers="wrapping")(2**63 - 1) == -(2**63)


# Statements -------------------------------------------------------------------------------------


def test_assignments_are_simultaneous():
    text = """
        def f(a: int, b: int) -> Tuple[int, int]:
          a0, b0 = b, a
          return (a0, b0)
    """
    assert function(text)(1, 2) == (2, 1)


def test_tuples_and_lists_unpack():
    text = """
        def f(t: Tuple[int, str], xs: List[int]) -> Tuple[str, int]:
          _0, name, = t
          only, = xs
          return (name, torch.add(_0, only))
    """
    assert function(text)((1, "a"), [2]) == ("a", 3)
    with pytest.raises(ValueError, match="unpack"):
        function(text)((1, "a"), [2, 3])


def test_branches_join_and_loops_carry():
    text = """
        def f(xs: List[int], limit: int) -> Tuple[int, Optional[int]]:
          total = 0
          last = annotate(Optional[int], None)
          for i in range(torch.len(xs)):
            if torch.gt(xs[i], limit):
              total0, last0 = torch.add(total, xs[i]), annotate(Optional[int], xs[i])
            else:
              pass
              total0, last0 = total, last
            total, last = total0, last0
          _0 = torch.gt(total, 10)
          while _0:
            total1 = torch.sub(total, 10)
            _0, total = torch.gt(total1, 10), total1
          return (total, last)
    """
    assert function(text)([5, 30, 1], 2) == (5, 30)
    assert function(text)([], 2) == (0, None)


def test_the_variable_that_a_while_tests_is_not_carried():
    graph = compiled("""
        def f(n: int) -> int:
          n0 = n
          _0 = torch.lt(n, 10)
          while _0:
            n1 = torch.mul(n0, 2)
            _0, n0 = torch.lt(n1, 10), n1
          return n0
    """).graph
    (loop,) = graph.find("prim::Loop")
    assert [value.name for value in loop.outputs] == ["n0"]


def test_both_arms_may_give_a_name_the_same_value():
    text = """
        def f(flag: bool, n: int) -> int:
          if flag:
            m = n
          else:
            m = n
          return m
    """
    assert function(text)(True, 3) == 3


# Expressions ------------------------------------------------------------------------------------


def test_subscripts_read_lists_dicts_strings_and_tuples():
    text = """
        def f(xs: List[int], table: Dict[str, int], t: Tuple[int, str, float], i: int
            ) -> Tuple[int, int, str, str, Tuple[str, float]]:
          return (xs[-1], table["a"], "abc"[i], t[1], t[1:3])
    """
    assert function(text)([1, 2], {"a": 3}, (1, "b", 0.5), 2) == (2, 3, "c", "b", ("b", 0.5))


class Point(NamedTuple):
    x: int
    y: Tensor


def test_named_tuples_have_fields_and_constructors():
    point = type_of(Point(1, tensor(1)))
    text = """
        def f(p: __torch__.shapes.Point) -> __torch__.shapes.Point:
          return __torch__.shapes.Point(torch.add(p.x, 1), p.y)
    """
    made = function(text, types={"__torch__.shapes.Point": point})(Point(1, tensor(2)))
    assert type(made) is Point
    assert made.x == 2


def test_annotate_tells_what_an_expression_does_not():
    found = compiled("""
        def f(n: int) -> Tuple[List[Optional[int]], Dict[str, float], Union[int, str]]:
          _0 = annotate(List[Optional[int]], [n, None])
          _1 = annotate(Dict[str, float], {})
          _2 = annotate(Union[int, str], n)
          return (_0, _1, _2)
    """)
    assert ty.annotation(found.return_type) == (
        "Tuple[List[Optional[int]], Dict[str, float], Union[int, str]]"
    )
    assert assemble(found.graph)(1) == ([1, None], {}, 1)


def test_annotate_tells_the_surface_of_a_new_tensor():
    text = "def f(n: int) -> {0}:\n  return annotate({0}, torch.zeros([n]))"
    assert type(function(text.format("Array"))(2)) is np.ndarray
    assert type(function(text.format("Tensor"))(2)) is Tensor


def test_casts():
    text = """
        def f(n: Optional[int], a: Any) -> Tuple[int, str, int]:
          _0 = unchecked_cast(int, n)
          _1 = checked_cast(str, a)
          if torch.__is__(n, None):
            _2 = uninitialized(int)
          else:
            _2 = _0
          return (_0, _1, _2)
    """
    assert function(text)(1, "a") == (1, "a", 1)
    with pytest.raises(TypeError):
        function(text)(1, 2)


def test_type_tests_refine_nothing():
    text = """
        def f(v: Union[int, str, None]) -> Tuple[bool, bool, Union[int, str, None]]:
          _0 = isinstance(v, int)
          if isinstance(v, (str, None)):
            _1 = True
          else:
            _1 = False
          return (_0, _1, v)
    """
    run = function(text)
    assert [run(v) for v in (1, "a", None)] == [
        (True, False, 1),
        (False, True, "a"),
        (False, True, None),
    ]


def test_dict_displays_run_from_left_to_right():
    text = """
        def f(xs: List[int]) -> Dict[int, int]:
          return {torch.pop(xs): torch.pop(xs), torch.pop(xs): torch.pop(xs)}
    """
    assert function(text)([4, 3, 2, 1]) == {1: 2, 3: 4}


# Callees ----------------------------------------------------------------------------------------


def test_types_choose_among_the_rows_of_a_name():
    text = "def f(a: {0}, b: {1}) -> {0}:\n  return torch.add(a, b)"
    assert rows(text.format("int", "int")) == ["aten::add.int"]
    assert rows(text.format("str", "str")) == ["aten::add.str"]
    assert rows(text.format("Tensor", "Tensor")) == ["aten::add.Tensor"]
    assert rows(text.format("Tensor", "float")) == ["aten::add.Scalar"]


def test_other_namespaces_and_pinned_rows():
    assert rows("def f(n: int) -> int:\n  return ops.jit.pow(n, 2)") == ["jit::pow.int"]
    text = "def f(x: Tensor) -> Tensor:\n  return ops.aten.add.Scalar(x, 1)"
    assert rows(text) == ["aten::add.Scalar"]


def test_the_row_without_an_overload_is_the_default_one():
    text = "def f(x: Tensor) -> Tensor:\n  return ops.aten.neg.default(x)"
    assert rows(text) == ["aten::neg"]


def test_operators_called_like_keywords_have_an_underscore_behind():
    text = """
        def f(n: int) -> int:
          ops.jit.raise_(__torch__.builtins.KeyError, n)
          return n
    """
    functions = {"__torch__.builtins.KeyError": ObjectRef("builtins.KeyError", KeyError)}
    with pytest.raises(KeyError, match="3"):
        function(text, functions=functions)(3)


def test_keyword_arguments_and_defaults():
    text = "def f(n: int) -> Tensor:\n  return torch.zeros([n], dtype=torch.int64)"
    assert function(text)(2).dtype is jitlang.int64


def test_conversions_and_print(capsys: pytest.CaptureFixture[str]):
    text = """
        def f(x: Tensor) -> Tuple[int, float, bool, str]:
          print("x", 1)
          return (int(x), float(x), bool(x), str(2))
    """
    assert function(text)(tensor(2)) == (2, 2.0, True, "2")
    assert capsys.readouterr().out == "x 1\n"


def test_calls_of_functions():
    callee = compiled("def twice(n: int) -> int:\n  return torch.mul(n, 2)")
    functions = {"__torch__.tools.twice": ObjectRef("twice", callee)}
    text = "def f(n: int) -> int:\n  return __torch__.tools.twice(__torch__.tools.twice(n))"
    assert function(text, functions=functions)(3) == 12


# Types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        *(simple.python_name for simple in ty.SIMPLE),
        "Tensor", "Array", "List[int]", "Dict[str, List[Tensor]]", "Optional[Array]", "Tuple[()]",
        "Tuple[int]", "Tuple[int, Tuple[str, float]]", "Tuple[int, ...]", "Union[int, str]",
        "Union[int, None, str]", "Future[Tensor]",
    ],
)  # fmt: skip
def test_types_are_read_as_they_are_written(spelling: str):
    found = compile_text(f"def f(v: {spelling}) -> None:\n  return None").graph.inputs[0].type
    assert ty.annotation(found) == spelling


# Places -----------------------------------------------------------------------------------------


def test_places_point_into_the_text_as_long_as_it_lives():
    found = compiled("def f(xs: List[int]) -> int:\n  return xs[3]")
    filename = found.source.filename
    assert linecache.getlines(filename)[1] == "  return xs[3]"
    with pytest.raises(IndexError) as caught:
        assemble(found.graph)([])
    assert f'File "{filename}", line 2, in f' in caught.value.__notes__[0]
    assert "xs[3]" in caught.value.__notes__[0]
    del found, caught
    gc.collect()
    assert filename not in linecache.cache


# Broken text ------------------------------------------------------------------------------------


def body(*lines: str) -> str:
    shown = [*lines, "return n"]
    return "\n".join(["def f(n: int, x: Tensor) -> int:", *(f"  {line}" for line in shown)])


BROKEN = [
    ("def f(:", ErrorKind.SYNTAX, 1, "invalid syntax"),
    ("", ErrorKind.SYNTAX, 1, "one function"),
    ("x = 1", ErrorKind.SYNTAX, 1, "Assign"),
    (body("_0 = ^callee(n)"), ErrorKind.SYNTAX, 2, "call back into Python"),
    ("def f(n) -> int:\n  return 1", ErrorKind.SYNTAX, 1, "'n' has no type"),
    ("def f(n: int=g()) -> int:\n  return n", ErrorKind.SYNTAX, 1, "g()"),
    ("def f(n: Tensr) -> int:\n  return 1", ErrorKind.UNDEFINED_NAME, 1, "'Tensor'"),
    ("def f(n: List[int, int]) -> int:\n  return 1", ErrorKind.UNSUPPORTED_ANNOTATION, 1, "List"),
    ("def f(n: int | None) -> int:\n  return 1", ErrorKind.UNSUPPORTED_ANNOTATION, 1, "no type"),
    ("def f(n: str) -> int:\n  return n", ErrorKind.ASSIGNED_TYPE, 2, "annotated"),
    (body("_0 = torch.ad(x, x)"), ErrorKind.UNDEFINED_ATTRIBUTE, 2, "'add'"),
    (body("_0 = ops.jjit.pow(n, n)"), ErrorKind.UNDEFINED_ATTRIBUTE, 2, "'jit'"),
    (body("_0 = ops.jit.pwo(n, n)"), ErrorKind.UNDEFINED_ATTRIBUTE, 2, "'pow'"),
    (body("_0 = ops.aten.add.Tensr(x, x)"), ErrorKind.UNDEFINED_ATTRIBUTE, 2, "'Tensor'"),
    (body("_0 = CONSTANTS.c0"), ErrorKind.UNDEFINED_ATTRIBUTE, 2, "'c0'"),
    (body("_0 = __torch__.gone(n)"), ErrorKind.UNDEFINED_ATTRIBUTE, 2, "'gone'"),
    (body('_0 = torch.add(n, "a")'), ErrorKind.NO_OVERLOAD, 2, "torch.add"),
    (body("_0 = ops.aten.add.str(n, n)"), ErrorKind.NO_OVERLOAD, 2, "ops.aten.add.str"),
    (body("_0 = len(x)"), ErrorKind.UNDEFINED_NAME, 2, "'len'"),
    (body("_0 = missing"), ErrorKind.UNDEFINED_NAME, 2, "'missing'"),
    (body("_0 = annotate(int)"), ErrorKind.ARITY, 2, "a type and a value"),
    (body("_0 = annotate(str, n)"), ErrorKind.ASSIGNED_TYPE, 2, "str"),
    (body("_0 = uninitialized(int, 1)"), ErrorKind.ARITY, 2, "a type"),
    (body("_0 = isinstance(n)"), ErrorKind.ARITY, 2, "its types"),
    (body("_0 = isinstance(n, 3)"), ErrorKind.UNSUPPORTED_ANNOTATION, 2, "no type"),
    (body("_0 = unchecked_cast(Gone, n)"), ErrorKind.UNDEFINED_NAME, 2, "'Gone'"),
    (body("_0 = complex(n, 1.0)"), ErrorKind.ARGUMENT_TYPE, 2, "torch.Complex"),
    (body("_0 = [torch]"), ErrorKind.UNSUPPORTED_VALUE, 2, "'torch'"),
    (body("import os"), ErrorKind.UNSUPPORTED_STATEMENT, 2, "import"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "line", "part"), BROKEN)
def test_broken_text(text: str, kind: ErrorKind, line: int, part: str):
    with pytest.raises(CompileError) as caught:
        compile_text(text)
    assert caught.value.kind is kind
    assert part in str(caught.value)
    assert caught.value.span is not None
    assert caught.value.span.line == line


def test_arguments_of_functions_are_checked():
    callee = compiled("def g(n: int) -> int:\n  return n")
    functions = {"__torch__.g": ObjectRef("g", callee), "__torch__.e": ObjectRef("e", KeyError)}
    for call, kind in (
        ("__torch__.g()", ErrorKind.ARITY),
        ('__torch__.g("a")', ErrorKind.ARGUMENT_TYPE),
        ("__torch__.g(n=1)", ErrorKind.UNKNOWN_KEYWORD),
        ("__torch__.e(1)", ErrorKind.NOT_CALLABLE),
        ("__torch__(1)", ErrorKind.NOT_CALLABLE),
    ):
        with pytest.raises(CompileError) as caught:
            compile_text(f"def f() -> int:\n  return {call}", functions=functions)
        assert caught.value.kind is kind, call


# The front end, where reading back found it wrong -----------------------------------------------


def test_the_least_integer_is_a_literal():
    @jitlang.script
    def least() -> int:
        return -9223372036854775808

    assert least() == -(2**63)


def test_dict_displays_evaluate_pair_by_pair():
    @jitlang.script
    def pairs(xs: list[int]) -> dict[int, int]:
        return {xs.pop(): xs.pop(), xs.pop(): xs.pop()}

    assert pairs([4, 3, 2, 1]) == {1: 2, 3: 4}


def test_a_name_assigned_alike_on_both_branches_is_assigned():
    @jitlang.script
    def alike(flag: bool, n: int) -> int:
        if flag:
            m = n
        else:
            m = n
        return m

    assert alike(False, 2) == 2


def test_a_declared_dict_holds_what_it_declares():
    @jitlang.script
    def declared(n):
        table: dict[str, int] = {"a": "b"}
        return table

    with pytest.raises(CompileError) as caught:
        declared(1)
    assert caught.value.kind is ErrorKind.ELEMENT_TYPE


def rest(*values):
    return values


def test_a_list_spread_into_variadic_parameters_is_a_tuple():
    @jitlang.script
    def spread(xs: list[int]):
        return rest(0, *xs)

    assert spread([1, 2]) == (0, 1, 2)


CPU = Device("cpu")


def test_a_device_is_a_constant():
    @jitlang.script
    def device():
        return CPU

    verify(device.graph)
    assert device() == CPU
