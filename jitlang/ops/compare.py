"""Pointwise rows: comparisons, logic, bits, tests of floats, and selection by a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Category
from ..ir.opdef import Result
from .pointwise import is_floating, not_implemented
from .rows import op, pointwise
from .traits import broadcast_result

BOOL = Result.BOOL
_NO_COMPLEX_ORDER = not_implemented("compare_cpu", Category.COMPLEX)

for _name, _ufunc, _compare in (
    ("eq", "equal", lambda m, x, y: m.eq(x, y)),
    ("ne", "not_equal", lambda m, x, y: m.ne(x, y)),
    ("lt", "less", lambda m, x, y: x < y),
    ("le", "less_equal", lambda m, x, y: x <= y),
    ("gt", "greater", lambda m, x, y: x > y),
    ("ge", "greater_equal", lambda m, x, y: x >= y),
):
    for _spelled in ("Tensor", "Scalar"):
        pointwise(
            f"aten::{_name}.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
            _compare,
            result=BOOL,
            ufunc=_ufunc,
            rejects={} if _name in ("eq", "ne") else _NO_COMPLEX_ORDER,
        )

# Logic --------------------------------------------------------------------------------------------

for _name, _logic in (
    ("logical_and", lambda m, x, y: m.ne(x, 0) & m.ne(y, 0)),
    ("logical_or", lambda m, x, y: m.ne(x, 0) | m.ne(y, 0)),
    ("logical_xor", lambda m, x, y: m.ne(x, 0) ^ m.ne(y, 0)),
):
    pointwise(
        f"aten::{_name}(Tensor self, Tensor other) -> Tensor", _logic, result=BOOL, ufunc=_name
    )
pointwise(
    "aten::logical_not(Tensor self) -> Tensor",
    lambda m, x: m.eq(x, 0),
    result=BOOL,
    ufunc="logical_not",
)

# Bits ---------------------------------------------------------------------------------------------


def _add_bits(name: str, python: str, body: Any, ufunc: str) -> None:
    rejects = not_implemented(f"bitwise_{name}_cpu", Category.FLOATING, Category.COMPLEX)
    for spelled in ("Tensor", "Scalar"):
        pointwise(
            f"aten::bitwise_{name}.{spelled}(Tensor self, {spelled} other) -> Tensor",
            body,
            ufunc=ufunc,
            rejects=rejects,
        )
        # In-place forms are `__iand__`, which the derived name cannot spell.
        pointwise(
            f"aten::__{python}__.{spelled}(Tensor self, {spelled} other) -> Tensor",
            body,
            ufunc=ufunc,
            rejects=rejects,
            inplace=f"__i{python}__.{spelled}",
            function=f"__{python}__",
        )
    pointwise(
        f"aten::bitwise_{name}.Scalar_Tensor(Scalar self, Tensor other) -> Tensor",
        body,
        rejects=rejects,
        inplace=False,
    )


_add_bits("and", "and", lambda m, x, y: x & y, "bitwise_and")
_add_bits("or", "or", lambda m, x, y: x | y, "bitwise_or")
_add_bits("xor", "xor", lambda m, x, y: x ^ y, "bitwise_xor")
_add_bits("left_shift", "lshift", lambda m, x, y: x << y, "left_shift")
_add_bits("right_shift", "rshift", lambda m, x, y: x >> y, "right_shift")
pointwise(
    "aten::bitwise_not(Tensor self) -> Tensor",
    lambda m, x: ~x,
    ufunc="invert",
    rejects=not_implemented("bitwise_not_cpu", Category.FLOATING, Category.COMPLEX),
)

# Tests --------------------------------------------------------------------------------------------


def _never(m: Any, x: Any) -> Any:
    return m.ne(x, x)


pointwise("aten::isnan(Tensor self) -> Tensor", _never, result=BOOL, ufunc="isnan", inplace=False)
pointwise(
    "aten::isinf(Tensor self) -> Tensor",
    lambda m, x: m.eq(abs(x), float("inf")) if is_floating(m, x) else _never(m, x),
    impl=lambda xp, x: xp.isinf(x),
    ufunc="isinf",
    result=BOOL,
    inplace=False,
)
pointwise(
    "aten::isfinite(Tensor self) -> Tensor",
    lambda m, x: abs(x) < float("inf") if is_floating(m, x) else m.eq(x, x),
    impl=lambda xp, x: xp.isfinite(x),
    ufunc="isfinite",
    result=BOOL,
    inplace=False,
)
pointwise(
    "aten::signbit(Tensor self) -> Tensor",
    lambda m, x: m.bits(x) < 0 if is_floating(m, x) else x < 0,
    result=BOOL,
    inplace=False,
    rejects=not_implemented("signbit_cpu", Category.COMPLEX),
)

# Selection ----------------------------------------------------------------------------------------


def _select(m: Any, condition: Any, x: Any, y: Any) -> Any:
    return m.select(condition, x, y)


def _select_grad(m: Any, g: Any, r: Any, condition: Any, x: Any, y: Any) -> Any:
    return m.select(condition, g, g * 0), m.select(condition, g * 0, g)


for _overload, _x, _y in (
    ("self", "Tensor self", "Tensor other"),
    ("ScalarOther", "Tensor self", "Scalar other"),
    ("ScalarSelf", "Scalar self", "Tensor other"),
    ("Scalar", "Scalar self", "Scalar other"),
):
    pointwise(
        f"aten::where.{_overload}(Tensor condition, {_x}, {_y}) -> Tensor",
        _select,
        grad=_select_grad,
        inplace=False,
    )

pointwise(
    "aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor",
    lambda m, x, mask, value: m.select(mask, value, x),
    grad=lambda m, g, r, x, mask, value: (m.select(mask, g * 0, g), m.select(mask, g, g * 0)),
    result=Result.FIRST,
)
pointwise(
    "aten::masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor",
    lambda m, x, mask, value: m.select(mask, value, x),
    grad=lambda m, g, r, x, mask, value: (m.select(mask, g * 0, g), m.select(mask, g, g * 0)),
    zero_dim=("value",),
    result=Result.FIRST,
)


def _isclose(xp: Any, x: Any, y: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    if x.dtype != y.dtype:
        raise RuntimeError(f"{x.dtype.name} did not match {y.dtype.name}")
    wide = [
        v.astype(np.float32) if v.dtype.itemsize == 2 and v.dtype.kind not in "iu" else v
        for v in (x, y)
    ]
    return xp.isclose(*wide, rtol, atol, equal_nan)


op(
    "aten::isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool"
    " equal_nan=False) -> Tensor",
    impl=_isclose,
    infer=broadcast_result,
)
op(
    "aten::allclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool"
    " equal_nan=False) -> bool",
    impl=lambda xp, *args: bool(_isclose(xp, *args).all()),
)
op(
    "aten::equal(Tensor self, Tensor other) -> bool",
    impl=lambda xp, x, y: x.shape == y.shape and bool((x == y).all()),
)
