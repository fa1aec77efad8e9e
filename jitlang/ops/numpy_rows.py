"""Pointwise rows that mean what NumPy means, where torch means something else.

The front end casts operands to NumPy's result dtype first (NEP 50; `bool // bool` is int8) and
then calls these on the array surface:

- `jit::numpy_floor_divide`, `jit::numpy_remainder`: integers divided by zero give 0; torch raises.
- `jit::numpy_pow`: integers to a negative power raise ValueError; torch truncates.
- `jit::numpy_sign`: NaN stays NaN; torch gives 0.
- `jit::numpy_lt` and kin, `jit::numpy_maximum`, `jit::numpy_minimum`: complex numbers have an
  order, lexicographic.
- `jit::numpy_where`: an array even of scalars, of which other rows make scalars; torch has none.
"""

from __future__ import annotations

from typing import Any

from ..dtypes import Category
from ..ir.opdef import Result
from .pointwise import is_floating
from .rows import pointwise


def _nonzero_divisor(m: Any, y: Any) -> Any:
    return m.select(m.eq(y, 0), m.constant(1, y), y)


def _floor_divide(m: Any, x: Any, y: Any) -> Any:
    if is_floating(m, x):
        return _float_floor_divide(m, x, y)
    return m.select(m.eq(y, 0), m.constant(0, x), m.floor_divide(x, _nonzero_divisor(m, y)))


def _float_floor_divide(m: Any, x: Any, y: Any) -> Any:
    """Python's `//` on floats, from the remainder."""
    rest = m.fmod(x, y)
    quotient = (x - rest) / y
    quotient = m.select(m.ne(rest, 0) & m.ne(y < 0, rest < 0), quotient - 1, quotient)
    floored = m.floor(quotient)
    floored = m.select(quotient - floored > 0.5, floored + 1, floored)
    floored = m.select(m.ne(quotient, 0), floored, (x / y) * 0)
    return m.select(m.eq(y, 0), x / y, floored)


def _remainder(m: Any, x: Any, y: Any) -> Any:
    if not is_floating(m, x):
        return m.select(m.eq(y, 0), m.constant(0, x), m.remainder(x, _nonzero_divisor(m, y)))
    rest = m.fmod(x, y)
    zero = y * 0  # a remainder of zero has the sign of the divisor
    moved = m.select(m.ne(y < 0, rest < 0), rest + y, rest)
    finite_zero = m.select(
        m.eq(zero, 0), zero, m.select(y < 0, -m.constant(0, y), m.constant(0, y))
    )
    return m.select(m.eq(rest, 0), finite_zero, moved)


def _power(m: Any, x: Any, y: Any) -> Any:
    return m.pow(x, y) if is_floating(m, x) else m.natural_power(x, y)


def _sign(m: Any, x: Any) -> Any:
    return m.select(m.isnan(x), x, m.sign(x)) if is_floating(m, x) else m.sign(x)


_NO_FLOOR = {Category.COMPLEX: TypeError("complex numbers have no floor division")}

for _spelled in ("Tensor", "Scalar"):
    for _name, _body, _ufunc in (
        ("floor_divide", _floor_divide, "floor_divide"),
        ("remainder", _remainder, "remainder"),
        ("pow", _power, "power"),
    ):
        pointwise(
            f"jit::numpy_{_name}.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
            _body,
            ufunc=_ufunc,
            rejects={} if _name == "pow" else _NO_FLOOR,
            strict_scalars=True,
            inplace=False,
            function=None,
            method=None,
        )
pointwise(
    "jit::numpy_sign(Tensor self) -> Tensor",
    _sign,
    ufunc="sign",
    inplace=False,
    function=None,
    method=None,
)

for _name, _ufunc, _compare in (
    ("lt", "less", lambda m, x, y: x < y),
    ("le", "less_equal", lambda m, x, y: x <= y),
    ("gt", "greater", lambda m, x, y: x > y),
    ("ge", "greater_equal", lambda m, x, y: x >= y),
):
    pointwise(
        f"jit::numpy_{_name}(Tensor self, Tensor other) -> Tensor",
        _compare,
        ufunc=_ufunc,
        result=Result.BOOL,
        inplace=False,
        function=None,
        method=None,
    )
for _name, _choose in (
    ("maximum", lambda m, x, y: m.maximum(x, y)),
    ("minimum", lambda m, x, y: m.minimum(x, y)),
):
    pointwise(
        f"jit::numpy_{_name}(Tensor self, Tensor other) -> Tensor",
        _choose,
        ufunc=_name,
        inplace=False,
        function=None,
        method=None,
    )
pointwise(
    "jit::numpy_where(Tensor condition, Tensor self, Tensor other) -> Tensor",
    lambda m, condition, x, y: m.select(condition, x, y),
    inplace=False,
    function=None,
    method=None,
)
