"""References read by NumPy in float64, for all numbers, and by mpmath, for the worst of them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import mpmath
import numpy as np

from jitlang.codegen.assembler import Assembler, Lane, integer
from jitlang.codegen.llvm import compile_module

from .meter import FUNCTIONS, Format, LibmAlgebra

DIGITS = 60
_NUMPY = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "pow": "power",
}  # fmt: skip


class NumpyReference:
    """NumPy's float64 functions, which are not the C library's; it has no error function."""

    pi = np.pi

    def number(self, value: float) -> float:
        return value

    def select(self, condition: Any, x: Any, y: Any) -> Any:
        return np.where(condition, x, y)


def _numpy_function(name: str) -> Callable[..., Any]:
    if name in ("erf", "erfc"):
        return lambda self, x: _library_loop(name)(x)
    function = getattr(np, _NUMPY.get(name, name))
    return lambda self, *x: function(*x)


for _name in FUNCTIONS:
    setattr(NumpyReference, _name, _numpy_function(_name))


@cache
def _library_loop(name: str) -> Callable[[Any], Any]:
    """A function of the C library over an array of float64."""
    a = Assembler()
    m = LibmAlgebra(a, "double")
    with a.loop(integer(0), Lane("%count", "i64")) as index:
        given = a.load(a.offset(Lane("%x", "ptr"), index, "double"), "double")
        a.store(m.called(name, [given]), a.offset(Lane("%y", "ptr"), index, "double"))
    a.write("ret void")
    text = a.function("define void @each(ptr %x, ptr %y, i64 %count)")
    library = compile_module(text, ["each"], m.imports, is_kernel=True)
    function = library.function("each", None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)

    def apply(x: Any) -> Any:
        x = np.ascontiguousarray(x)
        made = np.empty_like(x)
        function(x.ctypes.data, made.ctypes.data, x.size)
        return made

    return apply


class PreciseReference:
    """mpmath's functions, at 60 digits."""

    @property
    def pi(self) -> Any:
        return +mpmath.pi

    def number(self, value: float) -> Any:
        return mpmath.mpf(value)

    def select(self, condition: Any, x: Any, y: Any) -> Any:
        return x if condition else y

    def eq(self, x: Any, y: Any) -> Any:
        return x == y

    def exp2(self, x: Any) -> Any:
        return mpmath.mpf(2) ** x

    def log2(self, x: Any) -> Any:
        return mpmath.log(x, 2)

    def pow(self, x: Any, y: Any) -> Any:
        return mpmath.re(mpmath.power(x, y))


for _name in FUNCTIONS:
    if not hasattr(PreciseReference, _name):
        setattr(
            PreciseReference,
            _name,
            lambda self, *x, name=_name: getattr(mpmath, name)(*x),
        )


def precise_error(
    reference: Callable[..., Any], operands: Sequence[float], got: float, format: Format
) -> float:
    """|got - wanted| over the last place of `wanted`, for a finite wanted number."""
    with mpmath.workdps(DIGITS):
        wanted = reference(PreciseReference(), *map(mpmath.mpf, operands))
        if not wanted:
            return 0.0 if got == 0 else float("inf")
        exponent = mpmath.frexp(wanted)[1] - 1
        exponent = min(max(exponent, format.min_exponent), format.max_exponent)
        top = mpmath.mpf(2) ** (format.max_exponent + 1)
        value = mpmath.sign(got) * top if np.isinf(got) else mpmath.mpf(got)
        limited = min(max(wanted, -top), top)
        place = mpmath.mpf(2) ** (exponent - format.fraction_bits)
        return float(abs(value - limited) / place)
