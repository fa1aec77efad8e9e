"""Rows of complex numbers: their parts, conjugates, and how they are made of real ones.

Torch marks a conjugate and computes it later; here it is computed, so it shares no memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.types import TensorType, Type
from .rows import inplace, op
from .rules import made, retyped, same_type, tensor_at
from .strides import broadcast_shape
from .traits import broadcast_sizes


def _real_of(dtype: DType | None) -> DType | None:
    return None if dtype is None else dtypes.to_real(dtype)


def _of_real_dtype(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = tensor_at(types)
    return retyped(a, _real_of(a.dtype))


# Parts --------------------------------------------------------------------------------------------


def _real(xp: Any, a: Any) -> Any:
    return a.real if a.dtype.kind == "c" else a


def _imag(xp: Any, a: Any) -> Any:
    if a.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return a.imag


def _as_real(xp: Any, a: Any) -> Any:
    """A view whose last dimension holds the real and the imaginary part."""
    if a.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    if not a.ndim:
        return a.reshape((1,)).view(a.real.dtype)
    return a[..., None].view(a.real.dtype)


def _as_complex(xp: Any, a: Any) -> Any:
    """The view back: pairs of floats in the last dimension are complex numbers."""
    if a.dtype not in ("float32", "float64"):
        raise RuntimeError(
            "view_as_complex is only supported for floating point tensors, but got a tensor of "
            f"scalar type: {dtypes.from_numpy(a.dtype).graph_name}"
        )
    if not a.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if a.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    width = a.itemsize
    if a.strides[-1] != width:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(stride % (2 * width) for stride in a.strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    return a.view(np.result_type(a.dtype, np.complex64))[..., 0]


def _pair_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = tensor_at(types)
    return made(a, None if a.sizes is None else (*a.sizes, 2), _real_of(a.dtype))


def _joined_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = tensor_at(types)
    dtype = _complex_of(a.dtype)
    sizes = None if a.sizes is None else a.sizes[:-1]
    return TensorType(dtype, sizes, None, None, a.device, a.surface)


def _complex_of(dtype: DType | None) -> DType | None:
    known = {dtypes.float32: dtypes.complex64, dtypes.float64: dtypes.complex128}
    return None if dtype is None else known.get(dtype)


op("aten::real(Tensor(a) self) -> Tensor(a)", impl=_real, infer=_of_real_dtype, method=None)
op("aten::imag(Tensor(a) self) -> Tensor(a)", impl=_imag, infer=_of_real_dtype, method=None)
op(
    "aten::view_as_real(Tensor(a) self) -> Tensor(a)",
    impl=_as_real,
    infer=_pair_type,
    method=None,
)
op(
    "aten::view_as_complex(Tensor(a) self) -> Tensor(a)",
    impl=_as_complex,
    infer=_joined_type,
    method=None,
)


# Conjugates ---------------------------------------------------------------------------------------


def _conjugate(xp: Any, a: Any) -> Any:
    return xp.conj(a) if a.dtype.kind == "c" else a


def _conjugated_copy(xp: Any, a: Any) -> Any:
    return xp.conj(a) if a.dtype.kind == "c" else a.copy()


op("aten::conj(Tensor(a) self) -> Tensor(a)", impl=_conjugate, infer=same_type)
op("aten::resolve_conj(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a, infer=same_type)
op("aten::resolve_neg(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a, infer=same_type)
op("aten::is_conj(Tensor self) -> bool", impl=lambda xp, a: False)
op("aten::is_neg(Tensor self) -> bool", impl=lambda xp, a: False)
inplace(
    op("aten::conj_physical(Tensor self) -> Tensor", impl=_conjugated_copy, infer=same_type),
)
op(
    "aten::isreal(Tensor self) -> Tensor",
    impl=lambda xp, a: xp.asarray(xp.isreal(a)),
    infer=lambda types, constants: retyped(tensor_at(types), dtypes.bool_),
)


# Made of two --------------------------------------------------------------------------------------


def _complex(xp: Any, real: Any, imaginary: Any) -> Any:
    _check_parts("complex", real, imaginary)
    shape = broadcast_shape(xp, (real, imaginary))
    found = xp.empty(shape, np.result_type(real.dtype, np.complex64))
    found.real, found.imag = real, imaginary
    return found


def _polar(xp: Any, size: Any, angle: Any) -> Any:
    _check_parts("polar", size, angle)
    return _complex(xp, size * xp.cos(angle), size * xp.sin(angle))


def _check_parts(name: str, a: Any, b: Any) -> None:
    for part in (a, b):
        if part.dtype not in ("float32", "float64"):
            raise RuntimeError(
                f"Expected both inputs to be Half, Float or Double tensors but got "
                f"{dtypes.from_numpy(a.dtype).graph_name} and "
                f"{dtypes.from_numpy(b.dtype).graph_name}"
            )
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {dtypes.from_numpy(a.dtype).graph_name} but got "
            f"scalar type {dtypes.from_numpy(b.dtype).graph_name} for second argument of {name}"
        )


def _made_complex(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a, b = tensor_at(types), tensor_at(types, 1)
    sizes = broadcast_sizes((a.sizes, b.sizes))
    return TensorType(_complex_of(a.dtype), sizes, None, None, a.device, a.surface)


op(
    "aten::complex(Tensor real, Tensor imag) -> Tensor",
    impl=_complex,
    infer=_made_complex,
    method=None,
)
op("aten::polar(Tensor abs, Tensor angle) -> Tensor", impl=_polar, infer=_made_complex, method=None)


def _angle(xp: Any, a: Any) -> Any:
    """The angle in the complex plane: 0 or pi for real numbers, NaN for NaN."""
    dtype = dtypes.from_numpy(a.dtype)
    if dtype.is_complex:
        return xp.asarray(xp.arctan2(a.imag, a.real))
    if dtype.category is Category.BOOL or dtype.category is Category.INTEGRAL:
        kind = dtypes.default_dtype().numpy
        return xp.where(a < 0, kind.type(math.pi), kind.type(0))
    wide = a.dtype.type
    found = xp.where(a < 0, wide(math.pi), wide(0))
    return xp.where(xp.isnan(a), a, found)


def _angle_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = tensor_at(types)
    dtype = None if a.dtype is None else dtypes.to_real(dtypes.floating(a.dtype))
    return retyped(a, dtype)


op("aten::angle(Tensor self) -> Tensor", impl=_angle, infer=_angle_type)


def _only(a: Any) -> Any:
    if a.size != 1:
        amount = "no values" if a.size == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {amount} is ambiguous")
    return a.reshape(())


op(
    "aten::is_nonzero(Tensor self) -> bool",
    impl=lambda xp, a: bool(_only(a) != 0),
)
