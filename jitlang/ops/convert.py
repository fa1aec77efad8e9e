"""Rows that convert, copy and fill whole tensors: to, type_as, clone, fill_, zero_.

`to` returns its argument where nothing changes, as torch does; the schema says so with an alias
mark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import arrays, dtypes
from ..dtypes import DType
from ..ir.types import TensorType, Type
from .creation import as_dtype, dtype_of, keyword_dtype
from .index import refuse_overlap
from .rows import op
from .rules import made, same_type, tensor_at, written_type
from .shape import copy_like


def _moved(xp: Any, a: Any, device: Any) -> Any:
    if device is None or str(device) == arrays.device_of(a):
        return a
    if str(device) == "cpu":
        return a.get()
    return arrays.namespace_of_device(str(device)).asarray(a)


def converted(xp: Any, a: Any, dtype: Any, device: Any, copy: bool) -> Any:
    """The array in another dtype or place; itself where nothing changes, unless `copy`."""
    moved = _moved(xp, a, device)
    kind = a.dtype if dtype is None else dtype_of(dtype, dtypes.float32)
    if moved.dtype == kind:
        return copy_like(xp, moved, kind) if copy and moved is a else moved
    is_real_part = a.dtype.kind == "c" and kind.kind not in "cb"
    return copy_like(xp, moved.real if is_real_part else moved, kind)


def _to_dtype(
    xp: Any, a: Any, dtype: Any, non_blocking: bool, copy: bool, memory_format: Any
) -> Any:
    return converted(xp, a, dtype, None, copy)


def _to_device(
    xp: Any, a: Any, device: Any, dtype: Any, non_blocking: bool, copy: bool, memory_format: Any
) -> Any:
    return converted(xp, a, dtype, device, copy)


def _to_other(
    xp: Any, a: Any, other: Any, non_blocking: bool, copy: bool, memory_format: Any
) -> Any:
    return converted(xp, a, dtypes.from_numpy(other.dtype), arrays.device_of(other), copy)


def _to_prim_device(
    xp: Any, a: Any, device: Any, dtype: Any, non_blocking: bool, copy: bool
) -> Any:
    return converted(xp, a, dtype, device, copy)


def _to_prim_dtype(xp: Any, a: Any, dtype: Any, non_blocking: bool, copy: bool) -> Any:
    return converted(xp, a, dtype, None, copy)


def _dtype_rule(at: int, device_at: int | None = None) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        first = tensor_at(types)
        given = None if device_at is None else constants[device_at]
        device = first.device if given is None else None
        dtype = keyword_dtype(constants[at], first.dtype)
        return TensorType(dtype, first.sizes, None, None, device, first.surface)

    return infer


def _other_rule(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first, other = tensor_at(types), tensor_at(types, 1)
    return TensorType(other.dtype, first.sizes, None, None, other.device, first.surface)


_TAIL = "bool non_blocking=False, bool copy=False"
op(
    f"aten::to.device(Tensor(a) self, Device device, ScalarType dtype, {_TAIL}, MemoryFormat? "
    "memory_format=None) -> Tensor(a)",
    impl=_to_device,
    infer=_dtype_rule(2, 1),
    function=None,
)
op(
    f"aten::to.dtype(Tensor(a) self, ScalarType dtype, {_TAIL}, MemoryFormat? memory_format=None) "
    "-> Tensor(a)",
    impl=_to_dtype,
    infer=_dtype_rule(1),
    grad=lambda m, g, r, a, *how: (m.type_as(g, a),),
    function=None,
)
op(
    f"aten::to.other(Tensor(a) self, Tensor other, {_TAIL}, MemoryFormat? memory_format=None) -> "
    "Tensor(a)",
    impl=_to_other,
    infer=_other_rule,
    function=None,
)
op(
    "aten::to.dtype_layout(Tensor(a) self, *, ScalarType? dtype=None, Layout? layout=None, Device? "
    f"device=None, bool? pin_memory=None, {_TAIL}, MemoryFormat? memory_format=None) -> Tensor(a)",
    impl=lambda xp, a, dtype, layout, device, pin, non_blocking, copy, memory_format: converted(
        xp, a, dtype, device, copy
    ),
    infer=_dtype_rule(1, 3),
    function=None,
)
op(
    f"aten::to.prim_Device(Tensor(a) self, Device? device, int? dtype=None, {_TAIL}) -> "
    "Tensor(b|a)",
    impl=_to_prim_device,
    infer=_dtype_rule(2, 1),
    function=None,
)
op(
    f"aten::to.prim_dtype(Tensor(a) self, int? dtype=None, {_TAIL}) -> Tensor(b|a)",
    impl=_to_prim_dtype,
    infer=_dtype_rule(1),
    function=None,
)
op(
    "aten::type_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    impl=lambda xp, a, b: converted(xp, a, dtypes.from_numpy(b.dtype), None, False),
    infer=_other_rule,
    function=None,
)
op(
    "aten::as_tensor(Tensor(a) data, *, ScalarType? dtype=None, Device? device=None) -> "
    "Tensor(b|a)",
    impl=lambda xp, a, dtype, device: converted(xp, a, dtype, device, False),
    infer=_dtype_rule(1, 2),
    method=None,
)


# Torch spells these as methods of Tensor and lowers them to `to`; here they are rows of their own.
CAST_METHODS: Mapping[str, DType] = {
    "bool": dtypes.bool_, "byte": dtypes.uint8, "char": dtypes.int8, "bfloat16": dtypes.bfloat16,
    **dtypes.ALIASES,
}  # fmt: skip
"""`x.float()` and kin, and the dtypes that the names say."""

for _name, _dtype in CAST_METHODS.items():

    def _cast(xp: Any, a: Any, dtype: DType = _dtype) -> Any:
        return converted(xp, a, dtype, None, False)

    def _cast_type(types: Sequence[Type], constants: Sequence[Any], dtype: DType = _dtype) -> Type:
        return made(tensor_at(types), tensor_at(types).sizes, dtype)

    op(
        f"jit::{_name}(Tensor(a) self) -> Tensor(a)", impl=_cast, infer=_cast_type, function=None
    )
op(
    "jit::cpu(Tensor(a) self) -> Tensor(a)",
    impl=lambda xp, a: _moved(xp, a, "cpu"),
    infer=same_type,
    function=None,
)
op(
    "jit::cuda(Tensor(a) self) -> Tensor(a)",
    impl=lambda xp, a: _moved(xp, a, "cuda:0"),
    function=None,
)


def _clone(xp: Any, a: Any, memory_format: int | None) -> Any:
    """A copy in the order of the source's strides, as torch's `preserve_format`."""
    return copy_like(xp, a, a.dtype) if memory_format in (None, 1) else a.copy("C")


def _fill(xp: Any, a: Any, value: Any) -> Any:
    refuse_overlap(a)
    a[...] = as_dtype(value, a.dtype)
    return a


def _fill_tensor(xp: Any, a: Any, value: Any) -> Any:
    if value.ndim:
        raise RuntimeError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} "
            "dimensions."
        )
    refuse_overlap(a)
    a[...] = value
    return a


def _zero(xp: Any, a: Any) -> Any:
    a[...] = 0
    return a


op(
    "aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor",
    impl=_clone,
    infer=same_type,
    grad=lambda m, g, r, a, memory_format: (g,),
)
op(
    "aten::fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)",
    impl=_fill,
    infer=written_type,
)
op(
    "aten::fill_.Tensor(Tensor(a!) self, Tensor value) -> Tensor(a!)",
    impl=_fill_tensor,
    infer=written_type,
)
op("aten::zero_(Tensor(a!) self) -> Tensor(a!)", impl=_zero, infer=written_type)
op(
    "aten::result_type.Tensor(Tensor tensor, Tensor other) -> ScalarType",
    impl=lambda xp, a, b: dtypes.result_type(
        [dtypes.from_numpy(v.dtype) for v in (a, b) if v.ndim],
        [dtypes.from_numpy(v.dtype) for v in (a, b) if not v.ndim],
    ),
    method=None,
)
op(
    "aten::result_type.Scalar(Tensor tensor, Scalar other) -> ScalarType",
    impl=lambda xp, a, b: dtypes.with_number(dtypes.from_numpy(a.dtype), a.ndim, type(b)),
    method=None,
)
