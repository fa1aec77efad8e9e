"""Rows computed element by element by the array library itself: divisors, neighbours, exponents.

They have no body in the algebra, since they work on bits or loop until they are done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.types import TensorType, Type
from .kernels import write
from .reduce import not_supported
from .rows import inplace, op, reading_of
from .rules import made, result_dtype, tensor_at, wide, written_type
from .strides import broadcast_shape
from .traits import broadcast_sizes

# Two tensors --------------------------------------------------------------------------------------


def _promoted_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a, b = tensor_at(types), tensor_at(types, 1)
    dtype = a.dtype if a.dtype is b.dtype else None
    return TensorType(dtype, broadcast_sizes((a.sizes, b.sizes)), None, None, a.device, a.surface)


def _promoted(xp: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Both in the promoted dtype; their shapes must broadcast."""
    broadcast_shape(xp, (a, b))
    dtype = result_dtype((a, b))
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


def _of_integers(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, b: Any) -> Any:
        x, y = _promoted(xp, a, b)
        if dtypes.from_numpy(x.dtype).category is not Category.INTEGRAL:
            raise not_supported(f"{name}_cpu", x)
        return xp.asarray(getattr(xp, name)(x, y))

    return impl


def _nextafter(xp: Any, a: Any, b: Any) -> Any:
    """The next number after `a` towards `b`."""
    x, y = _promoted(xp, a, b)
    if not dtypes.from_numpy(x.dtype).is_floating_point:
        raise not_supported("nextafter_cpu", x)
    return xp.asarray(xp.nextafter(x, y))


for _name, _impl in (
    ("gcd", _of_integers("gcd")),
    ("lcm", _of_integers("lcm")),
    ("nextafter", _nextafter),
):
    inplace(
        op(f"aten::{_name}(Tensor self, Tensor other) -> Tensor", impl=_impl, infer=_promoted_type)
    )


def _scaled_by_power(xp: Any, x: Any, exponent: Any) -> Any:
    """x times two to the exponent, as a product."""
    m = reading_of(xp)
    return m.mul(x, m.pow(2.0, exponent))


op("aten::ldexp.Tensor(Tensor self, Tensor other) -> Tensor", impl=_scaled_by_power)
op(
    "aten::ldexp_(Tensor(a!) self, Tensor other) -> Tensor(a!)",
    impl=lambda xp, a, exponent: write(a, _scaled_by_power(xp, a, exponent)),
    infer=written_type,
)


# Powers in float64 --------------------------------------------------------------------------------


def _wide_operand(xp: Any, value: Any, kind: DType) -> Any:
    if hasattr(value, "ndim"):
        return value.astype(kind.numpy)
    return complex(value) if kind.is_complex else float(value)


def _float_power(xp: Any, base: Any, exponent: Any) -> Any:
    """Powers computed in float64, or complex128 where an operand is complex."""
    kinds = [
        dtypes.from_numpy(v.dtype).is_complex if hasattr(v, "ndim") else isinstance(v, complex)
        for v in (base, exponent)
    ]
    kind = dtypes.complex128 if any(kinds) else dtypes.float64
    return reading_of(xp).pow(*(_wide_operand(xp, v, kind) for v in (base, exponent)))


def _float_power_into(xp: Any, a: Any, exponent: Any) -> Any:
    found = _float_power(xp, a, exponent)
    if found.dtype != a.dtype:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {dtypes.from_numpy(a.dtype).graph_name} but "
            f"the operation's result requires dtype {dtypes.from_numpy(found.dtype).graph_name}"
        )
    return write(a, found)


for _overload, _arguments in (
    ("Tensor_Tensor", "Tensor self, Tensor exponent"),
    ("Scalar", "Scalar self, Tensor exponent"),
    ("Tensor_Scalar", "Tensor self, Scalar exponent"),
):
    op(f"aten::float_power.{_overload}({_arguments}) -> Tensor", impl=_float_power)
for _overload, _exponent in (("Tensor", "Tensor"), ("Scalar", "Scalar")):
    op(
        f"aten::float_power_.{_overload}(Tensor(a!) self, {_exponent} exponent) -> Tensor(a!)",
        impl=_float_power_into,
        infer=written_type,
    )


# Parts --------------------------------------------------------------------------------------------


def _frexp(xp: Any, a: Any) -> Any:
    """Mantissas from 1/2 to 1 and exponents of two."""
    if not dtypes.from_numpy(a.dtype).is_floating_point:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = xp.frexp(wide(a))
    return xp.asarray(mantissa).astype(a.dtype), xp.asarray(exponent).astype("int32")


op(
    "aten::frexp.Tensor(Tensor self) -> (Tensor mantissa, Tensor exponent)",
    impl=_frexp,
    infer=lambda types, constants: (
        made(tensor_at(types), tensor_at(types).sizes),
        made(tensor_at(types), tensor_at(types).sizes, dtypes.int32),
    ),
)
