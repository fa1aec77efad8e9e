"""Rows over values of which nothing is known at compile time, as a call back into Python gives.

Python itself decides what these do when they run. `jit::checked_cast` brings such a value under a
type again.
"""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from ..ir import types as ty
from ..ir.opdef import Effect
from ..ir.types import Type
from .rows import op, scalar

_BINARY = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "remainder": "%", "pow": "**",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
_UNARY = {"neg": "-", "pos": "+", "bitwise_not": "~"}

for _name, _symbol in _BINARY.items():
    scalar(
        f"jit::dynamic_{_name}(Any a, Any b) -> Any", f"a {_symbol} b", effect=Effect.IO,
    )  # fmt: skip
for _name, _symbol in _UNARY.items():
    scalar(f"jit::dynamic_{_name}(Any a) -> Any", f"{_symbol}a", effect=Effect.IO)
scalar("jit::dynamic_getitem(Any a, Any key) -> Any", "a[key]", effect=Effect.IO)
scalar("jit::dynamic_getattr(Any a, str name) -> Any", "getattr(a, name)", effect=Effect.IO)
scalar("jit::dynamic_list(Any a) -> Any[]", "list(a)", effect=Effect.IO)
for _name in ("int", "float", "complex"):
    scalar(
        f"jit::dynamic_{_name}(Any a) -> {_name}", f"{_name}(a)", checked=_name == "int",
        effect=Effect.IO,
    )  # fmt: skip
scalar("jit::dynamic_complex.parts(Any a, Any b) -> complex", "complex(a, b)", effect=Effect.IO)
scalar("jit::dynamic_len(Any a) -> int", "len(a)", effect=Effect.IO)
# A range takes its bounds as `operator.index` does, which no builtin is.
scalar("jit::dynamic_index(Any a) -> int", "range(a).stop", checked=True, effect=Effect.IO)
scalar("jit::truth(Any a) -> bool", "bool(a)", effect=Effect.IO)


def _call(xp: Any, function: Any, *values: Any) -> Any:
    return function(*values)


op(
    "jit::dynamic_call(Any function, ...) -> Any",
    impl=_call,
    effect=Effect.IO,
    function=None,
    method=None,
)


def _named(keywords: str, values: Sequence[Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Split the arguments of a call; the last ones go by these names."""
    names = keywords.split(",") if keywords else []
    at = len(values) - len(names)
    return values[:at], dict(zip(names, values[at:], strict=True))


def _call_keywords(xp: Any, function: Any, keywords: str, *values: Any) -> Any:
    positional, named = _named(keywords, values)
    return function(*positional, **named)


op(
    "jit::dynamic_call_keywords(Any function, str keywords, ...) -> Any",
    impl=_call_keywords,
    effect=Effect.IO,
    function=None,
    method=None,
)


def _builtin(xp: Any, name: str, keywords: str, *values: Any) -> Any:
    positional, named = _named(keywords, values)
    return getattr(builtins, name)(*positional, **named)


_BUILTIN_RESULTS: Mapping[str, Type] = {
    "any": ty.BOOL, "all": ty.BOOL, "chr": ty.STR, "ord": ty.INT, "hex": ty.STR, "oct": ty.STR,
    "bin": ty.STR,
    "hash": ty.INT, "repr": ty.STR, "ascii": ty.STR,
}  # fmt: skip


def _builtin_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """What a builtin gives; over arrays alone mostly arrays."""
    name, values = constants[0], types[2:]
    if name in _BUILTIN_RESULTS:
        return _BUILTIN_RESULTS[name]
    if name == "sorted":
        element = values[0] if ty.is_array(values[0]) else ty.ANY
        return ty.ListType(ty.unshaped(element))
    known = all(ty.is_array(t) for t in values)
    parts = {part for t in values for part in ty.alternatives(t)}
    if name in ("min", "max") and len(values) > 1 and not constants[1]:
        if all(t == values[0] and isinstance(t, ty.TensorType) and t.sizes == () for t in values):
            return values[0]
        arrays = [part for part in parts if ty.is_array(part)]
        if arrays and parts <= {*arrays, ty.INT, ty.FLOAT}:
            return ty.union([ty.ARRAY, *(part for part in parts if part not in arrays)])
    if name == "round":
        if known and len(values) == 1:
            return ty.INT
        return ty.ARRAY if ty.is_array(values[0]) else ty.ANY
    if name == "sum":
        return ty.union([ty.INT, ty.ARRAY]) if known else ty.ANY
    if name == "divmod":
        return ty.TupleType((ty.ARRAY, ty.ARRAY)) if known else ty.ANY
    return ty.ARRAY if known and not constants[1] else ty.ANY


op(
    "jit::dynamic_builtin(str name, str keywords, ...) -> Any", impl=_builtin, infer=_builtin_type,
    effect=Effect.IO, function=None, method=None,
)  # fmt: skip


def _raise(xp: Any, cls: type[BaseException], *values: Any) -> None:
    raise cls(*values)


op("jit::raise(Function cls, ...) -> ()", impl=_raise, effect=Effect.IO, function=None, method=None)


# Python's builtins over containers ----------------------------------------------------------------


def _sequence_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.SequenceType(types[0].children[0])


scalar("jit::tuple.t(t[] l) -> t[]", "tuple(l)", infer=_sequence_type)
op(
    "jit::print(str text, str end) -> ()",
    impl=lambda xp, text, end: print(text, end=end),
    effect=Effect.IO,
    function=None,
    method=None,
)


scalar("jit::sum_undecided(t[] self) -> Scalar", "sum(self)", checked=True)


def _sum_tensors(xp: Any, values: Sequence[Any], start: Any = None) -> Any:
    if not values and start is None:
        raise TypeError("sum() of no tensors has no type; give it a start tensor")
    return functools.reduce(operator.add, values, 0 if start is None else start)


op(
    "jit::sum.Tensor(Tensor[] self, Tensor(a)? start=None) -> Tensor(a)", impl=_sum_tensors,
    function=None, method=None,
)  # fmt: skip
