"""Rows for Python's `math` over scalars: Python's results and Python's errors (ValueError,
OverflowError).

Names that torch has are `aten::` rows with torch's overloads; the rest are `jit::` rows. Functions
of the module that return ints are checked. Complex overloads are `cmath`'s.
"""

from __future__ import annotations

import cmath
from typing import Any

from .rows import op, scalar
from .rules import HIDDEN


def _cmath(function: Any) -> Any:
    return lambda xp, *args: function(*args)


_UNARY = (
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cos",
    "cosh",
    "degrees",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "fabs",
    "gamma",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "radians",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
)
_COMPLEX = (
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cos",
    "cosh",
    "exp",
    "log",
    "log10",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
)

for _name in _UNARY:
    for _kind in ("int", "float"):
        scalar(f"aten::{_name}.{_kind}({_kind} a) -> float", f"math.{_name}(a)")
    if _name in _COMPLEX:
        op(
            f"aten::{_name}.complex(complex a) -> complex",
            impl=_cmath(getattr(cmath, _name)),
            **HIDDEN,
        )
    scalar(
        f"aten::{_name}.Scalar(Scalar a) -> Scalar",
        f"math.{_name}(a)",
    )

for _name in ("cbrt", "exp2", "log2", "ulp"):
    scalar(f"jit::{_name}(float a) -> float", f"math.{_name}(a)")

for _name, _function in (
    ("atan2", "atan2"),
    ("copysign", "copysign"),
    ("fmod", "fmod"),
    ("mathremainder", "remainder"),
):
    for _a, _b in (("int", "int"), ("float", "float"), ("int", "float"), ("float", "int")):
        _overload = _a if _a == _b else f"{_a}_{_b}"
        scalar(f"aten::{_name}.{_overload}({_a} a, {_b} b) -> float", f"math.{_function}(a, b)")
scalar("aten::atan2.Scalar_Scalar(Scalar a, Scalar b) -> float", "math.atan2(a, b)")
scalar("aten::copysign(Scalar a, Scalar b) -> float", "math.copysign(a, b)")
scalar("aten::fmod(Scalar a, Scalar b) -> float", "math.fmod(a, b)")
scalar("aten::mathremainder(Scalar a, Scalar b) -> float", "math.remainder(a, b)")

for _a, _b in (("int", "int"), ("float", "float"), ("int", "float"), ("float", "int")):
    scalar(f"aten::log.{_a}_{_b}({_a} a, {_b} b) -> float", "math.log(a, b)")
for _a, _b in (
    ("complex", "complex"),
    ("int", "complex"),
    ("complex", "int"),
    ("float", "complex"),
    ("complex", "float"),
):
    op(
        f"aten::log.{_a}_{_b}({_a} a, {_b} b) -> complex",
        impl=_cmath(cmath.log),
        **HIDDEN,
    )
scalar("aten::log.Scalar_Scalar(Scalar a, Scalar b) -> float", "math.log(a, b)")

scalar("jit::math_pow(float x, float y) -> float", "math.pow(x, y)")
scalar("jit::hypot.float(float x, float y) -> float", "math.hypot(x, y)")
scalar("jit::hypot.three(float x, float y, float z) -> float", "math.hypot(x, y, z)")
scalar("jit::nextafter(float x, float y) -> float", "math.nextafter(x, y)")
scalar("jit::dist(float[] p, float[] q) -> float", "math.dist(p, q)")
scalar(
    "jit::isclose(float a, float b, *, float rel_tol=1e-09, float abs_tol=0.) -> bool",
    "math.isclose(a, b, rel_tol=rel_tol, abs_tol=abs_tol)",
)

for _name in ("ceil", "floor"):
    scalar(f"aten::{_name}.int(int a) -> int", "a")
    scalar(f"aten::{_name}.float(float a) -> int", f"math.{_name}(a)", checked=True)
    scalar(f"aten::{_name}.Scalar(Scalar a) -> Scalar", f"math.{_name}(a)", checked=True)
scalar("jit::trunc.int(int a) -> int", "a")
scalar("jit::trunc.float(float a) -> int", "math.trunc(a)", checked=True)

for _name in ("isfinite", "isinf", "isnan"):
    scalar(f"aten::{_name}.float(float a) -> bool", f"math.{_name}(a)")
    op(
        f"aten::{_name}.complex(complex a) -> bool",
        impl=_cmath(getattr(cmath, _name)),
        **HIDDEN,
    )

# 21! and larger leave 64 bits: no need to compute the exact number to know.
scalar("aten::factorial.int(int a) -> int", "math.factorial(a if a < 21 else 21)", checked=True)
scalar("aten::gcd.int(int a, int b) -> int", "math.gcd(a, b)", checked=True)
scalar("jit::lcm(int a, int b) -> int", "math.lcm(a, b)", checked=True)
scalar("jit::isqrt(int a) -> int", "math.isqrt(a)")
scalar("jit::comb(int n, int k) -> int", "math.comb(n, k)", checked=True)
scalar("jit::perm(int n, int k) -> int", "math.perm(n, k)", checked=True)
scalar("jit::perm.all(int n) -> int", "math.factorial(n if n < 21 else 21)", checked=True)
scalar("aten::frexp(float a) -> (float, int)", "math.frexp(a)")
scalar("aten::modf(float a) -> (float, float)", "math.modf(a)")
scalar("aten::ldexp(float x, int i) -> float", "math.ldexp(x, i)")

scalar(
    "jit::prod.int(int[] self, *, int start=1) -> int", "math.prod(self, start=start)", checked=True
)
scalar("jit::prod.float(float[] self, *, float start=1.) -> float", "math.prod(self, start=start)")
scalar("jit::fsum(float[] self) -> float", "math.fsum(self)")

for _name, _result in (("polar", "complex"),):
    for _a, _b in (("int", "int"), ("float", "float"), ("int", "float"), ("float", "int")):
        _overload = _a if _a == _b else f"{_a}_{_b}"
        op(
            f"aten::{_name}.{_overload}({_a} a, {_b} b) -> {_result}",
            impl=_cmath(cmath.rect),
            **HIDDEN,
        )
for _kind in ("int", "float", "complex"):
    op(f"aten::angle.{_kind}({_kind} a) -> float", impl=_cmath(cmath.phase), **HIDDEN)
