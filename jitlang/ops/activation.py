"""Pointwise rows: activation functions."""

from __future__ import annotations

from typing import Any

from ..dtypes import Category
from .pointwise import not_implemented
from .rows import pointwise

_SQRT_HALF = 0.7071067811865476
_SQRT_8_OVER_PI = 1.5957691216057308
_INV_SQRT_2PI = 0.3989422804014327


def _floats_only(name: str) -> Any:
    # silu alone takes complex numbers.
    refused = (Category.BOOL, Category.INTEGRAL, Category.COMPLEX)
    return not_implemented(f"{name}_cpu", *refused[: 2 if name == "silu" else 3])


_NO_CLAMP = {
    Category.COMPLEX: NotImplementedError("clamp is not supported for complex types"),
}

pointwise(
    "aten::relu(Tensor self) -> Tensor",
    lambda m, x: m.maximum(x, 0),
    grad=lambda m, g, r, x: (m.select(r > 0, g, g * 0),),
    rejects={
        Category.BOOL: RuntimeError("Boolean inputs not supported for relu"),
        **_NO_CLAMP,
    },
)
pointwise(
    "aten::relu6(Tensor self) -> Tensor",
    lambda m, x: m.minimum(m.maximum(x, 0), 6),
    grad=lambda m, g, r, x: (m.select((x > 0) & (x < 6), g, g * 0),),
    rejects={Category.BOOL: RuntimeError("Boolean inputs not supported for relu6"), **_NO_CLAMP},
    method=None,
)
pointwise(
    "aten::silu(Tensor self) -> Tensor",
    lambda m, x: m.gated(x, x),
    grad=lambda m, g, r, x: (g * (s := m.sigmoid(x)) * (1 + x * (1 - s)),),
    rejects=_floats_only("silu"),
    method=None,
)


def _gelu_tanh_inner(x: Any) -> Any:
    """2 sqrt(2 / pi) (x + 0.044715 x^3)."""
    return x * (x * x * (0.044715 * _SQRT_8_OVER_PI) + _SQRT_8_OVER_PI)


def _gelu(m: Any, x: Any, approximate: str) -> Any:
    """Gaussian error linear units, "Gaussian Error Linear Units (GELUs)", Hendrycks and Gimpel,
    2016.

    (1 + tanh(u)) / 2 is sigmoid(2 u), which stays accurate for negative x, where the sum cancels.
    """
    if approximate == "tanh":
        return m.gated(x, _gelu_tanh_inner(x))
    if approximate != "none":
        raise RuntimeError("approximate argument must be either none or tanh.")
    return m.gelu(x)


def _gelu_grad(m: Any, g: Any, r: Any, x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        s = m.sigmoid(_gelu_tanh_inner(x))
        slope = (1 + x * x * (3 * 0.044715)) * _SQRT_8_OVER_PI
        return (g * (s + x * s * (1 - s) * slope),)
    cdf = m.erfc(x * -_SQRT_HALF) * 0.5
    return (g * (cdf + x * m.exp(x * x * -0.5) * _INV_SQRT_2PI),)


pointwise(
    'aten::gelu(Tensor self, *, str approximate="none") -> Tensor',
    _gelu,
    grad=_gelu_grad,
    rejects=_floats_only("GeluKernelImpl"),
    method=None,
)
pointwise(
    "aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor",
    lambda m, x, slope: m.select(x > 0, x, x * slope),
    grad=lambda m, g, r, x, slope: (m.select(x > 0, g, g * slope),),
    rejects=_floats_only("leaky_relu"),
    factors=("negative_slope",),
    method=None,
)
pointwise(
    "aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
    lambda m, x, alpha, scale, inner: m.select(
        x < 0, m.expm1(x * inner) * (alpha * scale), x * scale
    ),
    rejects=_floats_only("elu"),
    factors=("alpha", "scale", "input_scale"),
    method=None,
)
pointwise(
    "aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor",
    lambda m, x, low, high: m.minimum(m.maximum(x, low), high),
    grad=lambda m, g, r, x, low, high: (m.select((x > low) & (x < high), g, g * 0),),
    rejects={Category.BOOL: RuntimeError("Bool inputs not supported for hardtanh"), **_NO_CLAMP},
    strict_scalars=True,
    factors=("min_val", "max_val"),
    method=None,
)
pointwise(
    "aten::hardsigmoid(Tensor self) -> Tensor",
    lambda m, x: m.minimum(m.maximum(x + 3, 0), 6) / 6,
    grad=lambda m, g, r, x: (m.select((x > -3) & (x < 3), g / 6, g * 0),),
    rejects=_floats_only("hardsigmoid"),
    method=None,
)
pointwise(
    "aten::hardswish(Tensor self) -> Tensor",
    lambda m, x: x * m.minimum(m.maximum(x + 3, 0), 6) / 6,
    rejects=_floats_only("hardswish"),
    method=None,
)
pointwise(
    "aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor",
    lambda m, x, beta, threshold: m.select(
        x * beta > threshold, x, m.log1p(m.exp(x * beta)) / beta
    ),
    grad=lambda m, g, r, x, beta, threshold: (
        m.select(x * beta > threshold, g, g * m.sigmoid(x * beta)),
    ),
    rejects=_floats_only("softplus"),
    inplace=False,
    factors=("beta", "threshold"),
    method=None,
)  # fmt: skip
pointwise(
    "aten::log_sigmoid(Tensor self) -> Tensor",
    lambda m, x: m.minimum(x, 0) - m.log1p(m.exp(-abs(x))),
    grad=lambda m, g, r, x: (g * m.sigmoid(-x),),
    rejects=_floats_only("log_sigmoid"),
    inplace=False,
    function="logsigmoid",
    method=None,
)


def _mish(m: Any, x: Any) -> Any:
    """x tanh(log(1 + e)) = x e (e + 2) / (e (e + 2) + 2) with e = exp(x), as the square of
    exp(x / 2): the last product alone may be subnormal.
    """
    half = m.exp(x * 0.5)
    raised = half * half
    far = raised + 2
    return m.select(x > 20, x, (x * half * (far / (raised * far + 2))) * half)


pointwise(
    "aten::mish(Tensor self) -> Tensor",
    _mish,
    rejects=_floats_only("mish"),
    method=None,
)

for _name, _schema, _body, _factors in (
    (
        "threshold",
        "Scalar threshold, Scalar value",
        lambda m, x, threshold, value: m.select(x <= threshold, value, x),
        ("threshold", "value"),
    ),
    (
        "hardshrink",
        "Scalar lambd=0.5",
        lambda m, x, bound: m.select((x >= -bound) & (x <= bound), m.constant(0, x), x),
        ("lambd",),
    ),
    (
        "softshrink",
        "Scalar lambd=0.5",
        lambda m, x, bound: m.select(x > bound, x - bound, m.select(x < -bound, x + bound, x * 0)),
        ("lambd",),
    ),
    (
        "celu",
        "Scalar alpha=1.0",
        lambda m, x, alpha: m.select(x > 0, x, m.expm1(x / alpha) * alpha),
        ("alpha",),
    ),
):
    pointwise(
        f"aten::{_name}(Tensor self, {_schema}) -> Tensor",
        _body,
        rejects=_floats_only(_name)
        if _name != "threshold"
        else not_implemented("threshold_cpu", Category.BOOL, Category.COMPLEX),
        factors=_factors,
        inplace=_name in ("threshold", "celu"),
        method="hardshrink" if _name == "hardshrink" else None,
    )
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
pointwise(
    "aten::selu(Tensor self) -> Tensor",
    lambda m, x: m.select(x > 0, x * _SELU_SCALE, m.expm1(x) * (_SELU_ALPHA * _SELU_SCALE)),
    rejects=_floats_only("selu"),
    method=None,
)
