"""What is measured: rows, what they should give, and what is promised of them.

A reference is an expression in an algebra of wider numbers: the C library's functions in a
generated loop (`meter.py`), or mpmath at 60 digits (`precise.py`). It is written apart from the
rows' own bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

BEST, COMPOSITE, OTHER = 1.5, 8.0, 4.0
"""Bounds in ULP; in float64 the best functions have 2."""


@dataclass(frozen=True)
class Measured:
    """A row under measurement.

    Attributes:
        row: its full name.
        reference: what it should give, in an algebra of wider numbers.
        bound: ULP in float32; `bound_64` in float64.
        options: arguments that are neither tensors nor at their defaults.
        reason: why its bound is its own, where it is.
    """

    row: str
    reference: Callable[..., Any]
    bound: float = OTHER
    arity: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    bound_64: float = 0.0
    reason: str = ""

    @property
    def label(self) -> str:
        """A name of its own in the table."""
        name = self.row.removeprefix("aten::").partition(".")[0]
        given = "".join(f" {value}" for value in self.options.values())
        return name + given

    def promised(self, is_wide: bool) -> float:
        """The bound in a dtype, float64 or float32."""
        if not is_wide:
            return self.bound
        return self.bound_64 or (2.0 if self.bound == BEST else self.bound)


def _named(name: str, bound: float = OTHER, arity: int = 1, row: str = "") -> Measured:
    return Measured(
        row or f"aten::{name}", lambda m, *x: getattr(m, name)(*x), bound=bound, arity=arity
    )


def _sigmoid(m: Any, x: Any) -> Any:
    return 1 / (1 + m.exp(-x))


def _log_sigmoid(m: Any, x: Any) -> Any:
    return m.select(x < 0, x - m.log1p(m.exp(x)), 0 - m.log1p(m.exp(-x)))


def _gelu(m: Any, x: Any) -> Any:
    return x * m.erfc(-x * m.sqrt(m.number(0.5))) * 0.5


def _gelu_tanh(m: Any, x: Any) -> Any:
    return x * _sigmoid(m, (x + x * x * x * 0.044715) * m.sqrt(8 / m.pi))


def _elu(m: Any, x: Any) -> Any:
    return m.select(x > 0, x, m.expm1(x))


def _selu(m: Any, x: Any) -> Any:
    return m.select(x > 0, x, m.expm1(x) * 1.6732632423543772) * 1.0507009873554805


def _softplus(m: Any, x: Any) -> Any:
    return m.select(x > 20, x, m.log1p(m.exp(x)))


def _mish(m: Any, x: Any) -> Any:
    return x * m.tanh(m.log1p(m.exp(x)))


def _xlogy(m: Any, x: Any, y: Any) -> Any:
    return m.select(m.eq(x, 0.0), m.select(m.eq(y, y), 0.0, y), x * m.log(y))


def _xlog1py(m: Any, x: Any, y: Any) -> Any:
    return m.select(m.eq(x, 0.0), m.select(m.eq(y, y), 0.0, y), x * m.log1p(y))


ROWS = (
    *(_named(name, BEST) for name in ("exp", "log", "tanh", "sin", "cos")),
    Measured("aten::sigmoid", _sigmoid, BEST),
    *(
        _named(name)
        for name in (
            "exp2", "expm1", "log2", "log10", "log1p", "tan", "asin", "acos", "atan", "sinh",
            "cosh", "asinh", "acosh", "atanh", "erf", "erfc",
        )
    ),
    _named("pow", arity=2, row="aten::pow.Tensor_Tensor"),
    _named("pow", arity=2, row="jit::numpy_pow.Tensor"),
    _named("atan2", arity=2),
    _named("hypot", arity=2),
    Measured("aten::rsqrt", lambda m, x: 1 / m.sqrt(x), OTHER),
    Measured("aten::silu", lambda m, x: x * _sigmoid(m, x), COMPOSITE),
    Measured("aten::gelu", _gelu, COMPOSITE),
    Measured(
        "aten::gelu",
        _gelu_tanh,
        256.0,
        options={"approximate": "tanh"},
        bound_64=4096.0,
        reason="the argument of the sigmoid is rounded to the dtype before it, as the formula is"
        " usually computed; exp magnifies that by the argument's size. From -2 on: below 8 ULP",
    ),
    Measured("aten::elu", _elu, COMPOSITE),
    Measured("aten::celu", _elu, COMPOSITE),
    Measured("aten::selu", _selu, COMPOSITE),
    Measured("aten::softplus", _softplus, COMPOSITE),
    Measured("aten::log_sigmoid", _log_sigmoid, COMPOSITE),
    Measured("aten::mish", _mish, COMPOSITE),
    Measured("aten::xlogy.Tensor", _xlogy, COMPOSITE, arity=2),
    Measured("aten::special_xlog1py", _xlog1py, COMPOSITE, arity=2),
)  # fmt: skip

UNBOUNDED = ("sinc", "logit", "logaddexp")
"""Rows that no bound in ULP fits: they have zeros, or come near them, which the rounding of an
argument on the way moves.
"""
