"""Rows of the NumPy surface that torch has no row for: result dtypes at run time, shapes as plain tuples.

The front end casts operands explicitly and then uses torch's rows; where a dtype is not known at compile time, the
target of the cast is computed by these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.types import Type
from .rows import op


def _operand(value: Any) -> DType | type:
    return dtypes.from_numpy(value.dtype) if hasattr(value, "dtype") else type(value)


def _result_type(xp: Any, a: Any, b: Any, division: bool) -> DType:
    found = dtypes.numpy_result_type(_operand(a), _operand(b))
    return dtypes.float64 if division and found.category < Category.FLOATING else found


def numpy_float_type(dtype: DType) -> DType:
    """The dtype in which NumPy computes a floating function of `dtype`."""
    if dtype.category >= Category.FLOATING:
        return dtype
    small = {dtypes.bool_: dtypes.float16, dtypes.int8: dtypes.float16, dtypes.uint8: dtypes.float16}
    return small.get(dtype, dtypes.float32 if dtype is dtypes.int16 else dtypes.float64)


op(
    "jit::numpy_result_type(Any a, Any b, bool division=False) -> ScalarType", impl=_result_type,
    function=None, method=None,
)  # fmt: skip
op(
    "jit::numpy_float_type(Tensor self) -> ScalarType",
    impl=lambda xp, x: numpy_float_type(dtypes.from_numpy(x.dtype)), function=None, method=None,
)  # fmt: skip


def _shape_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.SIZE


op(
    "jit::shape(Tensor self) -> int[]", impl=lambda xp, x: x.shape, infer=_shape_type,
    function=None, method=None,
)  # fmt: skip


def _split_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    element = types[0]
    assert isinstance(element, ty.TensorType)
    return ty.ListType(ty.TensorType(element.dtype, surface=element.surface))


op(
    "jit::numpy_split(Tensor(a -> *) self, int sections, int dim=0) -> Tensor(a)[]",
    impl=lambda xp, x, sections, dim: xp.split(x, sections, dim), infer=_split_type,
    function=None, method=None,
)  # fmt: skip
op(
    "jit::numpy_split.at(Tensor(a -> *) self, int[] sections, int dim=0) -> Tensor(a)[]",
    impl=lambda xp, x, sections, dim: xp.split(x, sections, dim), infer=_split_type,
    function=None, method=None,
)  # fmt: skip


# Index tensors behind an Ellipsis -------------------------------------------------------------------


def _key(x: Any, indices: Sequence[Any]) -> tuple[Any, ...]:
    return (..., *(slice(None) if index is None else index for index in indices))


def _index_last(xp: Any, x: Any, indices: Sequence[Any]) -> Any:
    return np.copy(x[_key(x, indices)]) if xp is np else x[_key(x, indices)].copy()


def _put_last(xp: Any, x: Any, indices: Sequence[Any], values: Any) -> Any:
    x[_key(x, indices)] = values
    return x


def _index_last_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    self = types[0]
    assert isinstance(self, ty.TensorType)
    return ty.TensorType(self.dtype, surface=self.surface)


op(
    "jit::index_last(Tensor self, Tensor?[] indices) -> Tensor", impl=_index_last,
    infer=_index_last_type, function=None, method=None,
)  # fmt: skip
op(
    "jit::index_put_last_(Tensor(a!) self, Tensor?[] indices, Tensor values) -> Tensor(a!)",
    impl=_put_last, function=None, method=None,
)  # fmt: skip
