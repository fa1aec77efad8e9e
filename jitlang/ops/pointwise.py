"""Pointwise rows: arithmetic, rounding, exponentials, trigonometry, and ternary arithmetic.

Comparisons, logic and bits stand in `compare.py`, activations in `activation.py`, casts and copies
in `convert.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import dtypes
from ..dtypes import Category
from ..ir.opdef import OPS, OpDef, Result
from ..ir.types import Type
from .rows import kernel_of, op, pointwise
from .traits import infer_pointwise

FLOATING = Result.FLOATING

_BOTH_BOOL_SUB = {
    Category.BOOL: RuntimeError(
        "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or"
        " `logical_xor()` operator instead."
    )
}
_NO_BOOL_SUB = (
    "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to"
    " invert a mask,"
    " use the `~` or `logical_not()` operator instead."
)
_NO_BOOL_NEG = {
    Category.BOOL: RuntimeError(
        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to"
        " invert a mask, use the `~` or `logical_not()` operator instead."
    )
}


def not_implemented(name: str, *categories: Category) -> Mapping[Category, Exception]:
    """Rejections worded as torch's for kernels that a dtype does not have."""
    return {
        c: NotImplementedError(f"\"{name}\" not implemented for '{_SPELLED[c]}'")
        for c in categories
    }


_SPELLED = {
    Category.BOOL: "Bool", Category.INTEGRAL: "Long", Category.FLOATING: "Float",
    Category.COMPLEX: "ComplexFloat",
}  # fmt: skip


def is_floating(m: Any, x: Any) -> bool:
    """Whether an operand is real floating: the few bodies that differ for integers ask."""
    return bool(m.dtype_of(x).category is Category.FLOATING)


# Arithmetic ---------------------------------------------------------------------------------------

for _spelled in ("Tensor", "Scalar"):
    pointwise(
        f"aten::add.{_spelled}(Tensor self, {_spelled} other, *, Scalar alpha=1) -> Tensor",
        lambda m, x, y, alpha: x + y * alpha,
        grad=lambda m, g, r, x, y, alpha: (g, g * alpha),
        ufunc="add",
        wide_scalars=True,
    )
    pointwise(
        f"aten::sub.{_spelled}(Tensor self, {_spelled} other, *, Scalar alpha=1) -> Tensor",
        lambda m, x, y, alpha: x - y * alpha,
        grad=lambda m, g, r, x, y, alpha: (g, -g * alpha),
        ufunc="subtract",
        rejects=_BOTH_BOOL_SUB,
        no_bool_operand=_NO_BOOL_SUB,
        wide_scalars=True,
    )
    pointwise(
        f"aten::rsub.{_spelled}(Tensor self, {_spelled} other, Scalar alpha=1) -> Tensor",
        lambda m, x, y, alpha: y - x * alpha,
        grad=lambda m, g, r, x, y, alpha: (-g * alpha, g),
        rejects=_BOTH_BOOL_SUB,
        no_bool_operand=_NO_BOOL_SUB,
        wide_scalars=True,
        inplace=False,
        factors=("alpha",),
        method=None,
    )
    pointwise(
        f"aten::mul.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
        lambda m, x, y: x * y,
        grad=lambda m, g, r, x, y: (g * y, g * x),
        ufunc="multiply",
        wide_scalars=True,
    )
    pointwise(
        f"aten::div.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
        lambda m, x, y: x / y,
        grad=lambda m, g, r, x, y: (g / y, -g * r / y),
        result=FLOATING,
        ufunc="divide",
        wide_scalars=True,
    )


def _floor_divide(m: Any, x: Any, y: Any) -> Any:
    """Rounded down as Python rounds it: from the remainder, so that 1 // 0.1 is 9."""
    if not is_floating(m, x):
        return m.floor_divide(x, y)
    rest = m.fmod(x, y)
    quotient = (x - rest) / y
    quotient = m.select(m.ne(rest, 0) & m.ne(y < 0, rest < 0), quotient - 1, quotient)
    floored = m.floor(quotient)
    floored = m.select(quotient - floored > 0.5, floored + 1, floored)
    # Zero takes the sign of the true quotient.
    floored = m.select(m.ne(quotient, 0), floored, (x / y) * 0)
    return m.select(m.eq(y, 0), x / y, floored)


def _remainder(m: Any, x: Any, y: Any) -> Any:
    """The remainder with the sign of the divisor."""
    if not is_floating(m, x):
        return m.remainder(x, y)
    rest = m.fmod(x, y)
    return m.select(m.ne(rest, 0) & m.ne(y < 0, rest < 0), rest + y, rest)


def _truncated_quotient(m: Any, x: Any, y: Any) -> Any:
    if is_floating(m, x):
        return m.trunc(x / y)
    return m.floor_divide(x - m.truncated_remainder(x, y), y)


def _fmod(m: Any, x: Any, y: Any) -> Any:
    return m.fmod(x, y) if is_floating(m, x) else m.truncated_remainder(x, y)


for _spelled in ("Tensor", "Scalar"):
    # torch.floor_divide has no `.Tensor` in its overload's name.
    _dot = "" if _spelled == "Tensor" else ".Scalar"
    pointwise(
        f"aten::floor_divide{_dot}(Tensor self, {_spelled} other) -> Tensor",
        _floor_divide,
        rejects=not_implemented("div_floor_cpu", Category.BOOL, Category.COMPLEX),
    )
    pointwise(
        f"aten::remainder.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
        _remainder,
        grad=lambda m, g, r, x, y: (g, -g * m.floor(x / y)),
        rejects=not_implemented("remainder_cpu", Category.BOOL, Category.COMPLEX),
    )
    pointwise(
        f"aten::fmod.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
        _fmod,
        grad=lambda m, g, r, x, y: (g, -g * m.trunc(x / y)),
        rejects=not_implemented("fmod_cpu", Category.BOOL, Category.COMPLEX),
    )
    pointwise(
        f"jit::div_trunc.{_spelled}(Tensor self, {_spelled} other) -> Tensor",
        _truncated_quotient,
        rejects=not_implemented("div_trunc_cpu", Category.BOOL, Category.COMPLEX),
        function=None,
        method=None,
    )
pointwise(
    "aten::remainder.Scalar_Tensor(Scalar self, Tensor other) -> Tensor",
    _remainder,
    rejects=not_implemented("remainder_cpu", Category.BOOL, Category.COMPLEX),
    inplace=False,
)

_ROUNDING = {None: "aten::div", "trunc": "jit::div_trunc", "floor": "aten::floor_divide"}


def _rounding_row(mode: str | None, spelled: str) -> OpDef:
    if mode not in _ROUNDING:
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode}'"
        )
    overload = "" if mode == "floor" and spelled == "Tensor" else f".{spelled}"
    row = OPS.find(f"{_ROUNDING[mode]}{overload}")
    assert row is not None
    return row


def _add_rounded_division(spelled: str) -> None:
    """`div` with a rounding mode is one of three rows, by a string that is mostly constant."""

    def divide(xp: Any, x: Any, y: Any, rounding_mode: str | None) -> Any:
        return kernel_of(_rounding_row(rounding_mode, spelled), xp)(x, y)

    def divide_into(xp: Any, x: Any, y: Any, rounding_mode: str | None) -> Any:
        row = _rounding_row(rounding_mode, spelled)
        base, dot, overload = row.full_name.partition(".")
        written = OPS.find(f"{base}_{dot}{overload}")
        assert written is not None
        return kernel_of(written, xp)(x, y)

    def infer(types: Any, constants: Any) -> Type:
        known = constants[2] in _ROUNDING
        row = _rounding_row(constants[2] if known else None, spelled)
        ruled = infer_pointwise(row, types[:2], constants[:2])
        return ruled if known else ruled.refined(dtype=None)

    op(
        f"aten::div.{spelled}_mode(Tensor self, {spelled} other, *, str? rounding_mode) -> Tensor",
        impl=divide,
        infer=infer,
    )
    op(
        f"aten::div_.{spelled}_mode(Tensor(a!) self, {spelled} other, *, str? rounding_mode) ->"
        " Tensor(a!)",
        impl=divide_into,
        infer=lambda types, constants: types[0],
    )


_add_rounded_division("Tensor")
_add_rounded_division("Scalar")

pointwise(
    "aten::neg(Tensor self) -> Tensor",
    lambda m, x: -x,
    grad=lambda m, g, r, x: (-g,),
    ufunc="negative",
    rejects=_NO_BOOL_NEG,
)
pointwise(
    "aten::positive(Tensor self) -> Tensor",
    lambda m, x: x,
    inplace=False,
    rejects={Category.BOOL: RuntimeError("The `+` operator, on a bool tensor is not supported.")},
)
pointwise(
    "aten::abs(Tensor self) -> Tensor",
    lambda m, x: abs(x),
    grad=lambda m, g, r, x: (g * m.sign(x),),
    ufunc="absolute",
    rejects=not_implemented("abs_cpu", Category.BOOL),
    real=True,
)
pointwise(
    "aten::sign(Tensor self) -> Tensor",
    lambda m, x: m.sign(x),
    rejects=not_implemented("sign_cpu", Category.COMPLEX),
)
pointwise(
    "aten::square(Tensor self) -> Tensor",
    lambda m, x: x * x,
    grad=lambda m, g, r, x: (g * x * 2,),
    ufunc="square",
    promote_with=(int,),  # it is x ** 2
)
pointwise(
    "aten::reciprocal(Tensor self) -> Tensor",
    lambda m, x: 1 / x,
    grad=lambda m, g, r, x: (-g * r * r,),
    result=FLOATING,
    ufunc="reciprocal",
)
pointwise(
    "aten::sqrt(Tensor self) -> Tensor",
    lambda m, x: m.sqrt(x),
    grad=lambda m, g, r, x: (g / (r * 2),),
    result=FLOATING,
    ufunc="sqrt",
)
pointwise(
    "aten::rsqrt(Tensor self) -> Tensor",
    lambda m, x: 1 / m.sqrt(x),
    grad=lambda m, g, r, x: (g * r * r * r * -0.5,),
    result=FLOATING,
)

# Powers -------------------------------------------------------------------------------------------


def _power(m: Any, x: Any, y: Any) -> Any:
    if m.dtype_of(x).category >= Category.FLOATING:
        return m.pow(x, y)
    return m.integer_power(x, y)


def _checked_power(xp: Any, x: Any, y: Any) -> Any:
    """Integers to a negative number: torch refuses where it can see the exponent."""
    if x.dtype.kind in "iu" and y < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    if x.dtype.kind == "b":
        return x | ~y
    return xp.power(x, y)


pointwise(
    "aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor",
    _power,
    rejects=not_implemented("pow", Category.BOOL),
    grad=lambda m, g, r, x, y: (
        g * m.select(m.eq(y, 0), x * 0, y * m.pow(x, y - 1)),
        g * m.select(m.eq(x, 0) & (y >= 0), r * 0, r * m.log(x)),
    ),
    inplace="Tensor",
)
pointwise(
    "aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor",
    _power,
    impl=_checked_power,
    strict_scalars=True,
    grad=lambda m, g, r, x, y: (g * y * m.pow(x, y - 1), None),
    inplace="Scalar",
)
pointwise(
    "aten::pow.Scalar(Scalar self, Tensor exponent) -> Tensor",
    _power,
    grad=lambda m, g, r, x, y: (None, g * r * m.log(x)),
    inplace=False,
)

# Exponentials and trigonometry --------------------------------------------------------------------

for _name, _body, _grad, _ufunc in (
    ("exp", lambda m, x: m.exp(x), lambda m, g, r, x: (g * r,), "exp"),
    ("exp2", lambda m, x: m.exp2(x), lambda m, g, r, x: (g * r * 0.6931471805599453,), "exp2"),
    ("expm1", lambda m, x: m.expm1(x), lambda m, g, r, x: (g * (r + 1),), "expm1"),
    ("log", lambda m, x: m.log(x), lambda m, g, r, x: (g / x,), "log"),
    ("log2", lambda m, x: m.log2(x), lambda m, g, r, x: (g / (x * 0.6931471805599453),), "log2"),
    ("log10", lambda m, x: m.log10(x), lambda m, g, r, x: (g / (x * 2.302585092994046),), "log10"),
    ("log1p", lambda m, x: m.log1p(x), lambda m, g, r, x: (g / (x + 1),), "log1p"),
    ("sin", lambda m, x: m.sin(x), lambda m, g, r, x: (g * m.cos(x),), "sin"),
    ("cos", lambda m, x: m.cos(x), lambda m, g, r, x: (-g * m.sin(x),), "cos"),
    ("tanh", lambda m, x: m.tanh(x), lambda m, g, r, x: (g * (1 - r * r),), "tanh"),
    ("sigmoid", lambda m, x: m.sigmoid(x), lambda m, g, r, x: (g * (r * (1 - r)),), ""),
):
    pointwise(
        f"aten::{_name}(Tensor self) -> Tensor", _body, grad=_grad, result=FLOATING, ufunc=_ufunc
    )
pointwise(
    "aten::erf(Tensor self) -> Tensor",
    lambda m, x: m.erf(x),
    grad=lambda m, g, r, x: (g * m.exp(-(x * x)) * 1.1283791670955126,),
    result=FLOATING,
    rejects=not_implemented("erf_vml_cpu", Category.COMPLEX),
)
pointwise(
    "aten::erfc(Tensor self) -> Tensor",
    lambda m, x: m.erfc(x),
    grad=lambda m, g, r, x: (g * m.exp(-(x * x)) * -1.1283791670955126,),
    result=FLOATING,
    rejects=not_implemented("erfc_vml_cpu", Category.COMPLEX),
)

# Rounding -----------------------------------------------------------------------------------------


def _add_rounding(name: str, primitive: str) -> None:
    def body(m: Any, x: Any) -> Any:
        return getattr(m, primitive)(x) if is_floating(m, x) else x

    pointwise(
        f"aten::{name}(Tensor self) -> Tensor",
        body,
        grad=lambda m, g, r, x: (g * 0,),
        ufunc=primitive,
        rejects=not_implemented(f"{name}_vml_cpu", Category.BOOL, Category.COMPLEX),
    )


for _name, _primitive in (
    ("floor", "floor"),
    ("ceil", "ceil"),
    ("trunc", "trunc"),
    ("round", "rint"),
):
    _add_rounding(_name, _primitive)


def _round_decimals(m: Any, x: Any, decimals: int) -> Any:
    if not is_floating(m, x) or decimals == 0:
        return m.rint(x) if is_floating(m, x) else x
    scale = 10.0 ** abs(decimals)
    return m.rint(x * scale) / scale if decimals > 0 else m.rint(x / scale) * scale


pointwise(
    "aten::round.decimals(Tensor self, *, int decimals) -> Tensor",
    _round_decimals,
    rejects=not_implemented("round_cpu", Category.BOOL, Category.INTEGRAL, Category.COMPLEX),
)

# Three operands -----------------------------------------------------------------------------------


def _lerp(m: Any, x: Any, y: Any, weight: Any) -> Any:
    """Written from the nearer end, as torch does: exact at both ends."""
    near = x + weight * (y - x)
    far = y - (y - x) * (1 - weight)
    return m.select(abs(weight) < 0.5, near, far)


pointwise(
    "aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor",
    _lerp,
    grad=lambda m, g, r, x, y, w: (g * (1 - w), g * w),
    rejects=not_implemented("lerp_kernel_scalar", Category.BOOL, Category.INTEGRAL),
    factors=("weight",),
    same_dtype=True,
)
pointwise(
    "aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor",
    _lerp,
    grad=lambda m, g, r, x, y, w: (g * (1 - w), g * w, g * (y - x)),
    rejects=not_implemented("lerp_kernel_tensor", Category.BOOL, Category.INTEGRAL),
    same_dtype=True,
)
pointwise(
    "aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    lambda m, x, a, b, value: x + a * b * value,
    grad=lambda m, g, r, x, a, b, value: (g, g * b * value, g * a * value),
    rejects=not_implemented("addcmul_cpu_out", Category.BOOL),
)
pointwise(
    "aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    lambda m, x, a, b, value: x + a / b * value,
    grad=lambda m, g, r, x, a, b, value: (
        g, g * value / b, -g * value * a / (b * b),
    ),
    rejects={
        c: RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future release addcdiv"
            " will perform a true division of tensor1 and tensor2."
        )
        for c in (Category.BOOL, Category.INTEGRAL)
    },
)  # fmt: skip

# Limits -------------------------------------------------------------------------------------------


def _clamp(m: Any, x: Any, low: Any, high: Any) -> Any:
    if low is None and high is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if low is not None:
        x = m.maximum(x, low)
    return x if high is None else m.minimum(x, high)


_NO_CLAMP = not_implemented("clamp_cpu", Category.BOOL, Category.COMPLEX)
_NO_COMPLEX_CLAMP = not_implemented("clamp_cpu", Category.COMPLEX)
pointwise(
    "aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor",
    _clamp,
    rejects=_NO_CLAMP,
)
pointwise(
    "aten::clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor",
    _clamp,
    rejects=_NO_COMPLEX_CLAMP,
)
for _suffix, _declared in (("", "Scalar"), (".Tensor", "Tensor")):
    pointwise(
        f"aten::clamp_min{_suffix}(Tensor self, {_declared} min) -> Tensor",
        lambda m, x, low: m.maximum(x, low),
        grad=lambda m, g, r, x, low: (m.select(x >= low, g, g * 0), m.select(x >= low, g * 0, g)),
        rejects=_NO_COMPLEX_CLAMP if _suffix else _NO_CLAMP,
    )
    pointwise(
        f"aten::clamp_max{_suffix}(Tensor self, {_declared} max) -> Tensor",
        lambda m, x, high: m.minimum(x, high),
        grad=lambda m, g, r, x, high: (
            m.select(x <= high, g, g * 0),
            m.select(x <= high, g * 0, g),
        ),
        rejects=_NO_COMPLEX_CLAMP if _suffix else _NO_CLAMP,
    )
for _name, _choose in (
    ("maximum", lambda m, x, y: m.maximum(x, y)),
    ("minimum", lambda m, x, y: m.minimum(x, y)),
    ("fmax", lambda m, x, y: m.select(m.isnan(x), y, m.select(m.isnan(y), x, m.maximum(x, y)))),
    ("fmin", lambda m, x, y: m.select(m.isnan(x), y, m.select(m.isnan(y), x, m.minimum(x, y)))),
):
    pointwise(
        f"aten::{_name}(Tensor self, Tensor other) -> Tensor",
        _choose,
        ufunc=_name,
        inplace=False,
        rejects=not_implemented(f"{_name}_cpu", Category.COMPLEX),
    )

__all__ = ["dtypes", "is_floating", "not_implemented"]
