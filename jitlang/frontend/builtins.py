"""Python's builtins: functions that the front end expands, conversions, and forms that need syntax.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ErrorKind, did_you_mean
from ..ir import types as ty
from ..ir.graph import Value
from ..ir.opdef import OpDef
from ..ir.types import Type
from ..ops.numpy_types import rank_of
from . import hints, surface
from .comprehensions import any_of_generator
from .conditions import isinstance_test, truth_condition
from .emitter import Emitter
from .flow import is_open
from .iterables import (
    enumerate_iterable,
    iterable_of,
    range_iterable,
    reversed_iterable,
    zip_iterable,
)
from .numpy_agreed import agreed_function
from .operator_calls import apply_rows
from .operators import rows_named
from .sugar import (
    Arguments,
    ClassName,
    Constant,
    Function,
    Iterable,
    Keywords,
    Operator,
    Parts,
    Plain,
    PythonCallable,
    SliceBounds,
    Special,
    Sugar,
)

Expansion = Callable[[Emitter, Arguments], Sugar]


@dataclass
class SyntaxForm(Special):
    """A builtin whose meaning depends on how its arguments are written."""

    expand_syntax: Callable[[Emitter, ast.Call, Type | None], Sugar | None] | None = None


def call_syntax(
    e: Emitter, callee: Sugar, node: ast.Call, expected: Type | None
) -> Sugar | None:
    """The meaning of a call that depends on its syntax, or None for an ordinary call."""
    if isinstance(callee, SyntaxForm) and callee.expand_syntax is not None:
        return callee.expand_syntax(e, node, expected)
    return None


def _take(
    e: Emitter, args: Arguments, label: str, least: int, most: int, keywords: tuple[str, ...] = ()
) -> list[Sugar]:
    """The positional arguments of a builtin.

    Raises:
        CompileError: too few or too many (ARITY), or a keyword it does not take (UNKNOWN_KEYWORD).
    """
    for name in args.keywords:
        if name not in keywords:
            raise e.error(
                ErrorKind.UNKNOWN_KEYWORD,
                f"'{label}' does not take the keyword '{name}' here",
                args.keyword_nodes.get(name),
                expected=" or ".join(f"'{k}'" for k in keywords) or "no keywords",
                hint=did_you_mean(name, keywords),
            )
    if not least <= len(args.positional) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        plural = "" if expected == "1" else "s"
        raise e.error(
            ErrorKind.ARITY,
            f"'{label}' takes {expected} argument{plural}, and gets {len(args.positional)}",
        )
    return args.positional


# Functions ----------------------------------------------------------------------------------------


def _len(e: Emitter, args: Arguments) -> Sugar:
    (meaning,) = _take(e, args, "len", 1, 1)
    if isinstance(meaning, Iterable):
        return Plain(meaning.length(e))
    if isinstance(meaning, Keywords):
        return Plain(e.builder.constant(len(meaning.items)))
    parts = meaning.elements(e)
    if parts is not None:
        return Plain(e.builder.constant(len(parts)))
    value = meaning.value(e)
    if surface.is_numpy(value.type) and rank_of(value.type):
        return Plain(e.builder.op("aten::size", value, e.builder.constant(0)))
    if value.type is ty.ANY or surface.is_numpy(value.type):
        return Plain(e.builder.op("jit::dynamic_len", value))
    return apply_rows(e, "len", rows_named("len"), [meaning.value(e)], {})


def _print(e: Emitter, args: Arguments) -> Sugar:
    values = [meaning.value(e) for meaning in args.positional]
    if not args.keywords:
        e.builder.call("prim::Print", values)
        return Plain(e.builder.constant(None))
    _take(e, args, "print", 0, len(values), ("sep", "end"))
    texts = [e.builder.op("aten::str", v) for v in values]
    ends = {"sep": " ", "end": "\n"}
    sep, end = (
        args.keywords[name].value(e) if name in args.keywords else e.builder.constant(default)
        for name, default in ends.items()
    )
    line = e.builder.op("aten::join", sep, e.builder.list(texts, ty.STR))
    e.builder.call("jit::print", [line, end])
    return Plain(e.builder.constant(None))


def _range(e: Emitter, args: Arguments) -> Sugar:
    values = [_as_int(e, meaning, "range") for meaning in _take(e, args, "range", 1, 3)]
    zero, one = e.builder.constant(0), e.builder.constant(1)
    if len(values) == 1:
        return range_iterable(e, zero, values[0], one)
    return range_iterable(e, values[0], values[1], values[2] if len(values) == 3 else one)


def _slice(e: Emitter, args: Arguments) -> Sugar:
    values = [meaning.value(e) for meaning in _take(e, args, "slice", 1, 3)]
    bounds = [None if v.type is ty.NONE else v for v in values]
    if len(bounds) == 1:
        return SliceBounds(None, bounds[0], None)
    return SliceBounds(bounds[0], bounds[1], bounds[2] if len(bounds) == 3 else None)


def _as_int(e: Emitter, meaning: Sugar, label: str) -> Value:
    value = meaning.value(e)
    if value.type is ty.BOOL:
        return e.builder.folded(int, "aten::Int", value)
    is_array = surface.is_numpy(value.type)
    if value.type is ty.ANY or (is_array and not surface.is_integer(value.type)):
        return e.builder.op("jit::dynamic_index", value)
    if isinstance(value.type, ty.TensorType):
        return e.builder.op("aten::IntImplicit", value)
    if value.type is not ty.INT:
        raise e.error(
            ErrorKind.ARGUMENT_TYPE,
            f"'{label}' takes integers",
            found=ty.annotation(value.type),
            expected="int",
            hint=hints.for_conversion(value.type, ty.INT),
        )
    return value


def _enumerate(e: Emitter, args: Arguments) -> Sugar:
    taken = _take(e, args, "enumerate", 1, 2, ("start",))
    start = taken[1] if len(taken) > 1 else args.keywords.get("start", Constant(0))
    return enumerate_iterable(e, taken[0], _as_int(e, start, "enumerate"))


def _zip(e: Emitter, args: Arguments) -> Sugar:
    return zip_iterable(e, _take(e, args, "zip", 1, 99))


def _reversed(e: Emitter, args: Arguments) -> Sugar:
    return reversed_iterable(e, _take(e, args, "reversed", 1, 1)[0])


def dynamic(name: str, expansion: Expansion) -> Expansion:
    """A builtin which, over values of unknown type and over arrays, is what Python decides when it
    runs.
    """

    def expand(e: Emitter, args: Arguments) -> Sugar:
        if not any(_is_dynamic(meaning) for meaning in args.positional):
            return expansion(e, args)
        names = e.builder.constant(",".join(args.keywords))
        values = [m.value(e) for m in (*args.positional, *args.keywords.values())]
        absolute = _absolute_array(e, name, values)
        if absolute is not None:
            return Plain(absolute)
        row = "jit::dynamic_builtin"
        return Plain(e.builder.op(row, e.builder.constant(name), names, *values))

    return expand


def _absolute_array(e: Emitter, name: str, values: Sequence[Value]) -> Value | None:
    """`abs(x)` of an array of which enough is known for a row of torch's; else None."""
    if name != "abs" or len(values) != 1:
        return None
    return agreed_function(e, "abs", values, {})


def _is_dynamic(meaning: Sugar) -> bool:
    if not isinstance(meaning, Plain):
        return False
    type_ = meaning.plain.type
    holds_arrays = isinstance(type_, ty.ListType | ty.SequenceType) and surface.is_numpy(
        type_.element
    )
    return type_ is ty.ANY or surface.is_numpy(type_) or holds_arrays


def _rows(name: str, least: int, most: int, keywords: tuple[str, ...] = ()) -> Expansion:
    """A builtin that is a row over its arguments."""

    def expand(e: Emitter, args: Arguments) -> Sugar:
        taken = _take(e, args, name, least, most, keywords)
        values = [meaning.value(e) for meaning in taken]
        given = {key: meaning.value(e) for key, meaning in args.keywords.items()}
        return apply_rows(e, name, rows_named(name), values, given)

    return expand


def _extreme(name: str) -> Expansion:
    """`min` and `max` of several numbers, or of the elements of one iterable."""

    def expand(e: Emitter, args: Arguments) -> Sugar:
        taken = _take(e, args, name, 1, 99, ("default",))
        if len(taken) == 1:
            values = [e.as_list(taken[0])]
            given = {key: meaning.value(e) for key, meaning in args.keywords.items()}
            return apply_rows(e, name, rows_named(name), values, given)
        result = taken[0].value(e)
        for meaning in taken[1:]:
            pair = [result, meaning.value(e)]
            rows = [row for row in _scalar_rows(name) if row.overload not in _WIDENING]
            result = apply_rows(e, name, rows, pair, {}).value(e)
        return Plain(result)

    return expand


# Torch's overloads for an int and a float give a float; Python gives the operand itself.
_WIDENING = ("int_float", "float_int")


def _scalar_rows(name: str) -> list[OpDef]:
    """The rows of a name that take no tensor."""
    return [
        row
        for row in rows_named(name)
        if not any(isinstance(a.type, ty.TensorType) for a in row.schema.arguments)
    ]


def _sum(e: Emitter, args: Arguments) -> Sugar:
    taken = _take(e, args, "sum", 1, 2, ("start",))
    items = e.as_list(taken[0])
    if is_open(items.type) and len(taken) == 1 and not args.keywords:
        # Nothing has decided what the list holds. If nothing will, it stays empty.
        return Plain(e.builder.op("jit::sum_undecided", items))
    start = taken[1] if len(taken) > 1 else args.keywords.get("start")
    values = [items] if start is None else [items, start.value(e)]
    rows = rows_named("sum")
    return apply_rows(e, "sum", [r for r in rows if _takes_list(r)], values, {})


def _takes_list(row: OpDef) -> bool:
    return isinstance(row.schema.arguments[0].type, ty.ListType)


def _quantifier(name: str, stop_on: bool) -> SyntaxForm:
    """`any` and `all`: over a generator they stop where the answer is known."""

    def expand_syntax(e: Emitter, node: ast.Call, expected: Type | None) -> Sugar | None:
        if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp) and not node.keywords:
            with e.at(node.args[0]):
                return Plain(any_of_generator(e, node.args[0], stop_on=stop_on))
        return None

    def expand(e: Emitter, args: Arguments) -> Sugar:
        (meaning,) = _take(e, args, name, 1, 1)
        rows = [row for row in rows_named(name) if _takes_list(row)]
        return apply_rows(e, name, rows, [e.as_list(meaning)], {})

    return SyntaxForm(name, dynamic(name, expand), expand_syntax)


def _sorted(e: Emitter, args: Arguments) -> Sugar:
    (meaning,) = _take(e, args, "sorted", 1, 1, ("reverse",))
    given = {key: value.value(e) for key, value in args.keywords.items()}
    return apply_rows(e, "sorted", rows_named("sorted"), [e.as_list(meaning)], given)


def _isinstance(e: Emitter, node: ast.Call, expected: Type | None) -> Sugar | None:
    if len(node.args) != 2 or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
        return None
    return Plain(isinstance_test(e, node.args[0], node.args[1]).as_value(e))


def _arity_only(label: str) -> Expansion:
    def expand(e: Emitter, args: Arguments) -> Sugar:
        raise e.error(ErrorKind.ARITY, f"'{label}' takes two positional arguments")

    return expand


def _name_argument(e: Emitter, meaning: Sugar, label: str) -> str:
    name = meaning.value(e).constant()
    if not isinstance(name, str):
        raise e.error(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            f"the name given to '{label}' must be known at compile time",
            hint="write the attribute out, or use a dict",
        )
    return name


def _hasattr(e: Emitter, args: Arguments) -> Sugar:
    owner, name = _take(e, args, "hasattr", 2, 2)
    return Plain(e.builder.constant(owner.has_attribute(e, _name_argument(e, name, "hasattr"))))


def _getattr(e: Emitter, args: Arguments) -> Sugar:
    owner, name, *default = _take(e, args, "getattr", 2, 3)
    text = _name_argument(e, name, "getattr")
    if default and not owner.has_attribute(e, text):
        return default[0]
    return owner.attribute(e, text)


def _callable(e: Emitter, args: Arguments) -> Sugar:
    (meaning,) = _take(e, args, "callable", 1, 1)
    known = isinstance(meaning, Function | Operator | Special | PythonCallable | ClassName)
    return Plain(e.builder.constant(known))


def _warn(e: Emitter, args: Arguments) -> Sugar:
    message = args.positional[0].value(e)
    e.builder.call("aten::warn", [message])
    return Plain(e.builder.constant(None))


# Conversions --------------------------------------------------------------------------------------


def _bool(e: Emitter, args: Arguments) -> Sugar:
    taken = _take(e, args, "bool", 0, 1)
    if not taken:
        return Plain(e.builder.constant(False))
    if isinstance(taken[0], Parts):
        return Plain(e.builder.constant(bool(taken[0].parts)))
    test = truth_condition(e, taken[0].value(e), ast.Constant(None))
    return Plain(test.as_value(e))


def _number(label: str, row: str, zero: Any) -> Expansion:
    def expand(e: Emitter, args: Arguments) -> Sugar:
        most, keywords = (2 if label in ("int", "complex") else 1), ("base",) * (label == "int")
        taken = _take(e, args, label, 0, most, keywords)
        if not taken:
            return Plain(e.builder.constant(zero))
        value = taken[0].value(e)
        base = taken[1] if len(taken) > 1 else args.keywords.get("base")
        if label == "int" and base is not None:
            return Plain(e.builder.op("jit::int_base", value, base.value(e)))
        values = [value, *(meaning.value(e) for meaning in taken[1:])]
        if any(v.type is ty.ANY or surface.is_numpy(v.type) for v in values):
            return Plain(e.builder.op(f"jit::dynamic_{label}", *values))
        return apply_rows(e, label, rows_named(row), values, {})

    return expand


def _str(e: Emitter, args: Arguments) -> Sugar:
    taken = _take(e, args, "str", 0, 1)
    if not taken:
        return Plain(e.builder.constant(""))
    return Plain(e.builder.op("aten::str", taken[0].value(e)))


def _list(e: Emitter, args: Arguments) -> Sugar:
    taken = _take(e, args, "list", 0, 1)
    if not taken:
        return Plain(e.list_display([]))
    meaning = taken[0]
    if isinstance(meaning, Plain) and isinstance(meaning.plain.type, ty.ListType):
        return Plain(e.builder.op("aten::list", meaning.plain))
    return Plain(e.as_list(meaning))


def _tuple(e: Emitter, args: Arguments) -> Sugar:
    taken = _take(e, args, "tuple", 0, 1)
    if not taken:
        return Parts(())
    parts = taken[0].elements(e)
    if parts is not None:
        return Parts(parts)
    return Plain(e.builder.op("jit::tuple", e.as_list(taken[0])))


def _dict(e: Emitter, args: Arguments) -> Sugar:
    taken = _take(e, args, "dict", 0, 1, tuple(args.keywords))
    extra = Keywords(args.keywords) if args.keywords else None
    if not taken:
        return Plain(extra.value(e) if extra is not None else e.dict_display([], []))
    meaning = taken[0]
    if isinstance(meaning, Plain) and isinstance(meaning.plain.type, ty.DictType):
        made = e.builder.op("aten::copy", meaning.plain)
    elif isinstance(meaning, Keywords):
        made = meaning.value(e)
    else:
        made = e.builder.op("aten::dict", e.as_list(meaning))
    if extra is not None:
        e.builder.call("aten::update", [made, extra.value(e)])
    return Plain(made)


def as_list(e: Emitter, meaning: Sugar) -> Value:
    """The elements of anything iterable as a list; a list value is returned as it is."""
    if isinstance(meaning, Plain) and isinstance(meaning.plain.type, ty.ListType):
        return meaning.plain
    if isinstance(meaning, Plain) and meaning.plain.type is ty.ANY:
        return e.builder.op("jit::dynamic_list", meaning.plain)  # an iterator is walked only once
    source = iterable_of(e, meaning)
    if not isinstance(source, Iterable):
        return e.list_display([part.value(e) for part in source])
    if isinstance(meaning, Plain | Constant):
        value = meaning.value(e)
        if isinstance(value.type, ty.DictType):
            return e.builder.op("aten::keys", value)
        if value.type is ty.STR or isinstance(value.type, ty.SequenceType):
            return e.builder.op("aten::list", value)
        if surface.is_numpy(value.type):
            return e.builder.op("jit::array_list", value)
    return e.collect(source)


CONVERSIONS: Mapping[type, Expansion] = {
    bool: _bool,
    int: _number("int", "Int", 0),
    float: _number("float", "Float", 0.0),
    complex: _number("complex", "Complex", 0j),
    str: _str,
    list: _list,
    tuple: _tuple,
    dict: _dict,
    range: _range,
    slice: _slice,
    enumerate: _enumerate,
    zip: _zip,
    reversed: _reversed,
}

SPECIALS: Mapping[Any, Special] = {
    builtins.len: Special("len", _len),
    builtins.print: Special("print", _print),
    builtins.abs: Special("abs", dynamic("abs", _rows("abs", 1, 1))),
    builtins.round: Special("round", dynamic("round", _rows("round", 1, 2, ("ndigits",)))),
    builtins.divmod: Special("divmod", dynamic("divmod", _rows("divmod", 2, 2))),
    builtins.pow: Special("pow", dynamic("pow", _rows("pow", 2, 3))),
    builtins.chr: Special("chr", dynamic("chr", _rows("chr", 1, 1))),
    builtins.ord: Special("ord", dynamic("ord", _rows("ord", 1, 1))),
    builtins.hex: Special("hex", dynamic("hex", _rows("hex", 1, 1))),
    builtins.oct: Special("oct", dynamic("oct", _rows("oct", 1, 1))),
    builtins.bin: Special("bin", dynamic("bin", _rows("bin", 1, 1))),
    builtins.hash: Special("hash", dynamic("hash", _rows("hash", 1, 1))),
    builtins.repr: Special("repr", dynamic("repr", _rows("repr", 1, 1))),
    builtins.ascii: Special("ascii", dynamic("ascii", _rows("ascii", 1, 1))),
    builtins.min: Special("min", dynamic("min", _extreme("min"))),
    builtins.max: Special("max", dynamic("max", _extreme("max"))),
    builtins.sum: Special("sum", dynamic("sum", _sum)),
    builtins.any: _quantifier("any", stop_on=True),
    builtins.all: _quantifier("all", stop_on=False),
    builtins.sorted: Special("sorted", dynamic("sorted", _sorted)),
    builtins.isinstance: SyntaxForm("isinstance", _arity_only("isinstance"), _isinstance),
    builtins.hasattr: Special("hasattr", _hasattr),
    builtins.getattr: Special("getattr", _getattr),
    builtins.callable: Special("callable", _callable),
    warnings.warn: Special("warnings.warn", _warn),
}


def _scalar(e: Emitter, value: Value) -> Value:
    """A one-element tensor as the float that `math` takes it for."""
    if value.type is ty.ANY or surface.is_numpy(value.type):
        return e.builder.op("jit::dynamic_float", value)
    return e.builder.op("aten::Float", value) if isinstance(value.type, ty.TensorType) else value


def math_meaning(module: str, name: str) -> Sugar | None:
    """A function of `math` or `cmath`, over scalars only; None where there is no row for it."""
    renamed = {("math", "pow"): "math_pow", ("math", "remainder"): "mathremainder"}
    rows = _scalar_rows(renamed.get((module, name), name))
    is_complex = [any(a.type is ty.COMPLEX for a in row.schema.arguments) for row in rows]
    wanted = module == "cmath"
    chosen = [row for row, c in zip(rows, is_complex, strict=True) if c is wanted]
    if not chosen:
        return None

    def expand(e: Emitter, args: Arguments) -> Sugar:
        takes_lists = name in ("fsum", "prod", "dist")
        values = [
            e.as_list(meaning) if takes_lists else _scalar(e, meaning.value(e))
            for meaning in args.positional
        ]
        given = {key: meaning.value(e) for key, meaning in args.keywords.items()}
        return apply_rows(e, f"{module}.{name}", chosen, values, given)

    return Special(f"{module}.{name}", expand)
