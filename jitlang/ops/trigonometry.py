"""Pointwise rows: trigonometric and hyperbolic functions and their inverses, and lengths."""

from __future__ import annotations

from typing import Any

from ..dtypes import Category
from ..ir.opdef import Result
from .pointwise import not_implemented
from .rows import pointwise

FLOATING = Result.FLOATING

for _name, _body, _grad, _ufunc in (
    ("tan", lambda m, x: m.tan(x), lambda m, g, r, x: (g * (1 + r * r),), "tan"),
    ("asin", lambda m, x: m.asin(x), lambda m, g, r, x: (g / m.sqrt(1 - x * x),), "arcsin"),
    ("acos", lambda m, x: m.acos(x), lambda m, g, r, x: (-g / m.sqrt(1 - x * x),), "arccos"),
    ("atan", lambda m, x: m.atan(x), lambda m, g, r, x: (g / (1 + x * x),), "arctan"),
    ("sinh", lambda m, x: m.sinh(x), lambda m, g, r, x: (g * m.cosh(x),), "sinh"),
    ("cosh", lambda m, x: m.cosh(x), lambda m, g, r, x: (g * m.sinh(x),), "cosh"),
    ("asinh", lambda m, x: m.asinh(x), lambda m, g, r, x: (g / m.sqrt(x * x + 1),), "arcsinh"),
    ("acosh", lambda m, x: m.acosh(x), lambda m, g, r, x: (g / m.sqrt(x * x - 1),), "arccosh"),
    ("atanh", lambda m, x: m.atanh(x), lambda m, g, r, x: (g / (1 - x * x),), "arctanh"),
):
    pointwise(
        f"aten::{_name}(Tensor self) -> Tensor", _body, grad=_grad, result=FLOATING, ufunc=_ufunc
    )


def _atan2_grad(m: Any, g: Any, r: Any, y: Any, x: Any) -> Any:
    square = x * x + y * y
    return g * x / square, -g * y / square


pointwise(
    "aten::atan2(Tensor self, Tensor other) -> Tensor",
    lambda m, y, x: m.atan2(y, x),
    grad=_atan2_grad,
    result=FLOATING,
    ufunc="arctan2",
    rejects=not_implemented("atan2_cpu", Category.COMPLEX),
)
pointwise(
    "aten::hypot(Tensor self, Tensor other) -> Tensor",
    lambda m, x, y: m.hypot(x, y),
    grad=lambda m, g, r, x, y: (g * x / r, g * y / r),
    ufunc="hypot",
    rejects=not_implemented("hypot_cpu", Category.BOOL, Category.INTEGRAL, Category.COMPLEX),
)


def _sinc(m: Any, x: Any) -> Any:
    angle = x * 3.141592653589793
    return m.select(m.eq(x, 0), m.constant(1, x), m.sin(angle) / angle)


pointwise("aten::sinc(Tensor self) -> Tensor", _sinc, result=FLOATING)
for _name, _factor in (("deg2rad", 0.017453292519943295), ("rad2deg", 57.29577951308232)):
    pointwise(
        f"aten::{_name}(Tensor self) -> Tensor",
        lambda m, x, factor=_factor: x * factor,
        grad=lambda m, g, r, x, factor=_factor: (g * factor,),
        result=FLOATING,
        rejects={Category.COMPLEX: RuntimeError(f"{_name} is not supported for complex tensors.")},
    )
