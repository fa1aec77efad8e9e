"""Pointwise rows beyond the everyday ones: parts and signs of numbers, guarded logarithms, and the
other names under which torch offers rows."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..dtypes import Category
from ..ir.opdef import Result
from .pointwise import is_floating, not_implemented
from .rows import alias, inplace, op, pointwise
from .rules import same_type

FLOATING = Result.FLOATING
INF = float("inf")

pointwise(
    "aten::frac(Tensor self) -> Tensor",
    lambda m, x: x - m.trunc(x),
    grad=lambda m, g, r, x: (g * 1,),
    rejects=not_implemented("frac", Category.BOOL, Category.INTEGRAL, Category.COMPLEX),
)


def _copysign(m: Any, x: Any, y: Any) -> Any:
    is_negative = m.bits(y) < 0
    return m.select(is_negative, -abs(x), abs(x))


for _spelled in ("Tensor", "Scalar"):
    pointwise(
        f"aten::copysign.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
        _copysign,
        result=FLOATING,
        ufunc="copysign",
        rejects=not_implemented("copysign_cpu", Category.COMPLEX),
    )


def _heaviside(m: Any, x: Any, values: Any) -> Any:
    one, zero = m.constant(1, x), m.constant(0, x)
    result = m.select(m.eq(x, 0), values, m.select(x > 0, one, zero))
    return m.select(m.ne(x, x), zero, result)


pointwise(
    "aten::heaviside(Tensor self, Tensor values) -> Tensor",
    _heaviside,
    same_dtype=True,
    rejects={
        Category.COMPLEX: RuntimeError("heaviside is not yet implemented for complex tensors.")
    },
)


def _xlogy(m: Any, x: Any, y: Any) -> Any:
    product = m.select(m.eq(x, 0), m.constant(0, x), x * m.log(y))
    return m.select(m.isnan(y), y, product)


def _xlog1py(m: Any, x: Any, y: Any) -> Any:
    product = m.select(m.eq(x, 0), m.constant(0, x), x * m.log1p(y))
    return m.select(m.isnan(y), y, product)


pointwise(
    "aten::xlogy.Tensor(Tensor self, Tensor other) -> Tensor",
    _xlogy,
    grad=lambda m, g, r, x, y: (g * m.log(y), g * x / y),
    result=FLOATING,
    rejects=not_implemented("xlogy_cpu", Category.COMPLEX),
)
pointwise(
    "aten::xlogy.Scalar_Other(Tensor self, Scalar other) -> Tensor",
    _xlogy,
    result=FLOATING,
    rejects=not_implemented("xlogy_cpu", Category.COMPLEX),
)
pointwise(
    "aten::xlogy.Scalar_Self(Scalar self, Tensor other) -> Tensor",
    _xlogy,
    result=FLOATING,
    inplace=False,
    method=None,
    rejects=not_implemented("xlogy_cpu", Category.COMPLEX),
)
for _overload, _arguments in (
    ("", "Tensor self, Tensor other"),
    (".other_scalar", "Tensor self, Scalar other"),
    (".self_scalar", "Scalar self, Tensor other"),
):
    pointwise(
        f"aten::special_xlogy{_overload}({_arguments}) -> Tensor",
        _xlogy,
        result=FLOATING,
        inplace=False,
        method=None,
        rejects=not_implemented("xlogy_cpu", Category.COMPLEX),
    )
pointwise(
    "aten::special_xlog1py(Tensor self, Tensor other) -> Tensor",
    _xlog1py,
    result=FLOATING,
    inplace=False,
    function=None,
    method=None,
    rejects=not_implemented("xlog1py_cpu", Category.COMPLEX),
)


def _logaddexp(m: Any, x: Any, y: Any) -> Any:
    if m.dtype_of(x).is_complex:
        larger, smaller = m.maximum(x, y), m.minimum(x, y)
        return larger + m.log(1 + m.exp(smaller - larger))
    larger = m.maximum(x, y)
    # Equal infinities would give inf - inf.
    return m.select(m.eq(abs(x), INF) & m.eq(x, y), x, larger + m.log1p(m.exp(-abs(x - y))))


pointwise(
    "aten::logaddexp(Tensor self, Tensor other) -> Tensor",
    _logaddexp,
    grad=lambda m, g, r, x, y: (g * m.exp(x - r), g * m.exp(y - r)),
    inplace=False,
    rejects=not_implemented("logaddexp_cpu", Category.BOOL, Category.INTEGRAL),
)


def _logaddexp2(m: Any, x: Any, y: Any) -> Any:
    """By way of the natural logarithm, scaled by log 2."""
    scale = 0.6931471805599453
    larger = m.maximum(x, y)
    apart = m.log1p(m.exp2(-abs(x - y))) / scale
    return m.select(m.eq(abs(x), INF) & m.eq(x, y), x, larger + apart)


pointwise(
    "aten::logaddexp2(Tensor self, Tensor other) -> Tensor",
    _logaddexp2,
    grad=lambda m, g, r, x, y: (g * m.exp2(x - r), g * m.exp2(y - r)),
    inplace=False,
    rejects=not_implemented("logaddexp2_cpu", Category.BOOL, Category.INTEGRAL, Category.COMPLEX),
)


def _logit(m: Any, x: Any, eps: float | None) -> Any:
    if eps is not None:
        x = m.select(x < eps, eps, m.select(x > 1 - eps, 1 - eps, x))
    return m.log(x / (1 - x))


pointwise(
    "aten::logit(Tensor self, float? eps=None) -> Tensor",
    _logit,
    result=FLOATING,
    rejects=not_implemented("logit_cpu", Category.COMPLEX),
)


def _nan_to_num(
    xp: Any, x: Any, nan: float | None, posinf: float | None, neginf: float | None
) -> Any:
    """Not a body: what infinity becomes depends on the dtype before half types widen."""
    if dtypes.from_numpy(x.dtype).category < Category.FLOATING:
        return x.copy()
    if x.dtype == dtypes.bfloat16.numpy:
        highest = 3.3895313892515355e38
        posinf = highest if posinf is None else posinf
        neginf = -highest if neginf is None else neginf
        widened = x.astype("float32")
        return xp.nan_to_num(widened, nan=nan or 0.0, posinf=posinf, neginf=neginf).astype(x.dtype)
    return xp.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf)


inplace(
    op(
        "aten::nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None)"
        " -> Tensor",
        impl=_nan_to_num,
        infer=same_type,
    ),
)
for _name, _limit in (("isposinf", INF), ("isneginf", -INF)):
    pointwise(
        f"aten::{_name}(Tensor self) -> Tensor",
        lambda m, x, limit=_limit: m.eq(x, limit) if is_floating(m, x) else m.ne(x, x),
        result=Result.BOOL,
        inplace=False,
        rejects={Category.COMPLEX: RuntimeError(f"{_name} does not support complex inputs.")},
    )


def _complex_sign(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        size = abs(x)
        return xp.where(size == 0, 0, x / xp.where(size == 0, 1, size)).astype(x.dtype)
    if x.dtype.kind == "b":
        return x
    return ((x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)).astype(x.dtype)


pointwise("aten::sgn(Tensor self) -> Tensor", lambda m, x: m.sign(x), impl=_complex_sign)

ALIASES = {
    "absolute": "abs", "negative": "neg", "subtract": "sub", "multiply": "mul", "divide": "div",
    "true_divide": "div", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le",
    "not_equal": "ne", "clip": "clamp", "fix": "trunc", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "special_expit": "sigmoid", "special_erf": "erf", "special_erfc": "erfc",
    "special_exp2": "exp2", "special_expm1": "expm1", "special_log1p": "log1p",
    "special_logit": "logit",
}  # fmt: skip
for _new, _old in ALIASES.items():
    alias(f"aten::{_new}", f"aten::{_old}")
