"""Rows over values of which nothing is known at compile time: what a call back into Python returned.

Python itself decides what these do when they run. `jit::checked_cast` brings such a value under a type again.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

from ..ir import types as ty
from ..ir.opdef import Effect
from ..ir.types import Type
from .rows import op, scalar

_BINARY = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "remainder": "%", "pow": "**",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
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



def _raise(xp: Any, cls: type[BaseException], *values: Any) -> None:
    raise cls(*values)


op("jit::raise(Function cls, ...) -> ()", impl=_raise, effect=Effect.IO, function=None, method=None)


# Python's builtins over containers ------------------------------------------------------------------


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


def _sum_tensors(xp: Any, values: Sequence[Any], start: Any = None) -> Any:
    if not values and start is None:
        raise TypeError("sum() of no tensors has no type; give it a start tensor")
    return functools.reduce(operator.add, values, 0 if start is None else start)


op(
    "jit::sum.Tensor(Tensor[] self, Tensor? start=None) -> Tensor", impl=_sum_tensors,
    function=None, method=None,
)  # fmt: skip
