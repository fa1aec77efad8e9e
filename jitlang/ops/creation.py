"""Rows that make tensors from nothing, from numbers and lists, and from tensors: zeros, arange,
tensor, to, clone.

A floating result without a dtype takes the default dtype; ints give int64 and bools bool where
torch infers. `dtype` arrives as a `DType`, or as torch's number for one where a schema has it as
default.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import arrays, dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.opdef import NOT_CONSTANT
from ..ir.types import TensorType, Type
from .rows import op
from .rules import Sizes, tensor_at
from .shape import empty_like

_KEYWORDS = (
    "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
)
_LIKE_KEYWORDS = f"{_KEYWORDS}, MemoryFormat? memory_format=None"


def dtype_of(given: DType | int | None, otherwise: DType) -> Any:
    """The NumPy dtype that a `dtype` argument names."""
    if given is None:
        return otherwise.numpy
    return given.numpy if isinstance(given, DType) else dtypes.from_code(given).numpy


def place(xp: Any, device: Any) -> Any:
    """The array namespace of a `device` argument."""
    return xp if device is None else arrays.namespace_of_device(str(device))


def check_sizes(name: str, size: Sequence[int]) -> None:
    """Refuse negative sizes.

    Raises:
        RuntimeError: a size is negative.
    """
    if min(size, default=0) < 0:
        raise RuntimeError(f"{name}: Dimension size must be non-negative.")


# From sizes ---------------------------------------------------------------------------------------


def _filled(name: str) -> Any:
    def impl(xp: Any, size: Any, dtype: Any, layout: Any, device: Any, *rest: Any) -> Any:
        check_sizes(name, size)
        return getattr(place(xp, device), name)(
            tuple(size), dtype_of(dtype, dtypes.default_dtype())
        )

    return impl


def _filled_new(name: str) -> Any:
    def impl(xp: Any, a: Any, size: Any, dtype: Any, layout: Any, device: Any, *rest: Any) -> Any:
        check_sizes(f"new_{name}", size)
        return getattr(place(xp, device), name)(
            tuple(size), dtype_of(dtype, dtypes.from_numpy(a.dtype))
        )

    return impl


def _filled_like(name: str) -> Any:
    def impl(xp: Any, a: Any, dtype: Any, layout: Any, device: Any, *rest: Any) -> Any:
        kind = dtype_of(dtype, dtypes.from_numpy(a.dtype))
        if device is not None and str(device) != arrays.device_of(a):
            return getattr(place(xp, device), name)(a.shape, kind)
        made = empty_like(xp, a, kind)
        if name != "empty":
            made.fill(name == "ones")
        return made

    return impl


def _full(xp: Any, size: Any, value: Any, dtype: Any, layout: Any, device: Any, *rest: Any) -> Any:
    check_sizes("full", size)
    kind = dtype_of(dtype, dtypes.from_scalar_type(type(value)))
    return place(xp, device).full(tuple(size), as_dtype(value, kind), kind)


def _new_full(
    xp: Any, a: Any, size: Any, value: Any, dtype: Any, layout: Any, device: Any, *rest: Any
) -> Any:
    check_sizes("new_full", size)
    kind = dtype_of(dtype, dtypes.from_numpy(a.dtype))
    return place(xp, device).full(tuple(size), as_dtype(value, kind), kind)


def _full_like(xp: Any, a: Any, value: Any, dtype: Any, *rest: Any) -> Any:
    kind = dtype_of(dtype, dtypes.from_numpy(a.dtype))
    made = empty_like(xp, a, kind)
    made.fill(as_dtype(value, kind))
    return made


def as_dtype(value: Any, kind: Any) -> Any:
    """A Python number for an array of a dtype, cut as C does.

    Raises:
        RuntimeError: it does not fit the dtype.
    """
    if kind.kind in "iu":
        low, high = _BOUNDS[kind.name]
        real = value.real if isinstance(value, complex) else value
        number = int(real) if math.isfinite(real) else None
        # An unsigned type takes the ints of its signed twin: -1 is 255.
        low_is_zero = low == 0 and isinstance(real, float)
        if number is None or not (low if low < 0 or low_is_zero else -high) <= number <= high:
            raise RuntimeError(f"value cannot be converted to type {kind.name} without overflow")
        return number if number >= low else number + high + 1
    if isinstance(value, complex) and kind.kind != "c":
        return value.real
    return value


_BOUNDS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 255),
}


def sizes_of(size: Any) -> Sizes | None:
    """Sizes from a constant argument."""
    return tuple(size) if isinstance(size, list | tuple) else None


def keyword_dtype(given: Any, otherwise: DType | None) -> DType | None:
    """What a type rule may say about a dtype argument: nothing unless it is a constant."""
    if isinstance(given, DType):
        return given
    if isinstance(given, int):
        return next((d for d in dtypes.ALL if d.code == given), None)
    return otherwise if given is None else None


def _device_name(given: Any) -> str | None:
    return None if given is NOT_CONSTANT or given is None else str(given)


def creation_rule(size: int, dtype: int, default: DType | None = None) -> Any:
    """The rule of a row with sizes at argument `size` and the dtype at `dtype`.

    The default dtype is read when the row runs, so a type rule may not state it.
    """

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        return TensorType(
            keyword_dtype(constants[dtype], default),
            sizes_of(constants[size]),
            None,
            None,
            _device_name(constants[dtype + 2]),
        )

    return infer


def like_rule(dtype: int, size: int | None = None) -> Any:
    """The rule of a row that follows its first tensor, with its own sizes where `size` is given."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        first = tensor_at(types)
        sizes = first.sizes if size is None else sizes_of(constants[size])
        # An argument that says nothing here and now leaves the tensor's own dtype in doubt.
        kind = keyword_dtype(constants[dtype], first.dtype)
        device = (
            first.device if constants[dtype + 2] is None else _device_name(constants[dtype + 2])
        )
        return TensorType(kind, sizes, None, None, device, first.surface)

    return infer


for _name in ("zeros", "ones"):
    op(
        f"aten::{_name}(SymInt[] size, *, {_KEYWORDS}) -> Tensor",
        impl=_filled(_name),
        infer=creation_rule(0, 1),
        method=None,
    )
op(
    f"aten::empty.memory_format(SymInt[] size, *, {_LIKE_KEYWORDS}) -> Tensor",
    impl=_filled("empty"),
    infer=creation_rule(0, 1),
    method=None,
)
for _name in ("zeros", "ones", "empty"):
    op(
        f"aten::{_name}_like(Tensor self, *, {_LIKE_KEYWORDS}) -> Tensor",
        impl=_filled_like(_name),
        infer=like_rule(1),
        method=None,
    )
    op(
        f"aten::new_{_name}(Tensor self, SymInt[] size, *, {_KEYWORDS}) -> Tensor",
        impl=_filled_new(_name),
        infer=like_rule(2, 1),
        function=None,
    )


_EXACT: dict[Type, DType] = {ty.INT: dtypes.int64, ty.BOOL: dtypes.bool_}


def _fill_kind(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    exact = _EXACT.get(types[1])
    return TensorType(keyword_dtype(constants[2], exact), sizes_of(constants[0]))


op(
    f"aten::full(SymInt[] size, Scalar fill_value, *, {_KEYWORDS}) -> Tensor",
    impl=_full,
    infer=_fill_kind,
    method=None,
)
op(
    f"aten::full_like(Tensor self, Scalar fill_value, *, {_LIKE_KEYWORDS}) -> Tensor",
    impl=_full_like,
    infer=like_rule(2),
    method=None,
)
op(
    f"aten::new_full(Tensor self, SymInt[] size, Scalar fill_value, *, {_KEYWORDS}) -> Tensor",
    impl=_new_full,
    infer=like_rule(3, 1),
    function=None,
)


# Ranges -------------------------------------------------------------------------------------------


def arange(xp: Any, start: Any, end: Any, step: Any, dtype: Any, device: Any = None) -> Any:
    """Values from `start` to before `end`; of ints unless a float is given, else of the default
    dtype.

    Raises:
        RuntimeError: the step is zero or leads away from the end, or a bound is not finite.
    """
    floats = any(isinstance(v, float) for v in (start, end, step))
    kind = dtype_of(dtype, dtypes.default_dtype() if floats else dtypes.int64)
    if floats and kind == "int64" and all(map(math.isfinite, (start, end, step))):
        start, end, step = int(start), int(end), int(step)
        floats = False
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if floats and not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end < start) if step > 0 else (end > start):
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    where = place(xp, device)
    if not floats:
        return where.arange(int(start), int(end), int(step)).astype(kind, copy=False)
    count = math.ceil((end - start) / step)
    return (start + step * where.arange(count, dtype="float64")).astype(kind)


def _arange(xp: Any, end: Any, dtype: Any, layout: Any, device: Any, pin: Any) -> Any:
    return arange(xp, 0, end, 1, dtype, device)


def _arange_from(
    xp: Any, start: Any, end: Any, dtype: Any, layout: Any, device: Any, pin: Any
) -> Any:
    return arange(xp, start, end, 1, dtype, device)


def _arange_step(
    xp: Any, start: Any, end: Any, step: Any, dtype: Any, layout: Any, device: Any, pin: Any
) -> Any:
    return arange(xp, start, end, step, dtype, device)


def _range_size(bounds: Sequence[int]) -> int | None:
    """How many numbers there are, if any; other bounds may be refused."""
    is_step = len(bounds) < 3 or bounds[2] != 0
    return (len(range(*bounds)) or None) if is_step else None


def _range_type(bounds: int) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        ints = all(t is ty.INT or t is ty.BOOL for t in types[:bounds])
        dtype = keyword_dtype(constants[bounds], dtypes.int64 if ints else None)
        known = all(type(constant) is int for constant in constants[:bounds])
        return TensorType(dtype, (_range_size(constants[:bounds]) if known else None,))

    return infer


def _linspace(
    xp: Any, start: Any, end: Any, steps: int, dtype: Any, layout: Any, device: Any, pin: Any
) -> Any:
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    is_complex = isinstance(start, complex) or isinstance(end, complex)
    kind = dtype_of(dtype, dtypes.default_complex() if is_complex else dtypes.default_dtype())
    where = place(xp, device)
    if steps < 2:
        return where.full((steps,), start, kind)
    # Counted from both ends, so that the last value is `end` exactly.
    wide = "complex128" if kind.kind == "c" else "float64"
    index = where.arange(steps, dtype=wide)
    step = (end - start) / (steps - 1)
    lower = where.arange(steps) < steps // 2
    return where.where(lower, start + step * index, end - step * (steps - 1 - index)).astype(kind)


def _eye(xp: Any, n: int, m: int, dtype: Any, layout: Any, device: Any, pin: Any) -> Any:
    for name, size in (("n", n), ("m", m)):
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return place(xp, device).eye(n, m, dtype=dtype_of(dtype, dtypes.default_dtype()))


op(
    f"aten::arange(Scalar end, *, {_KEYWORDS}) -> Tensor",
    impl=_arange,
    infer=_range_type(1),
    method=None,
)
op(
    f"aten::arange.start(Scalar start, Scalar end, *, {_KEYWORDS}) -> Tensor",
    impl=_arange_from,
    infer=_range_type(2),
    method=None,
)
op(
    f"aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, {_KEYWORDS}) -> Tensor",
    impl=_arange_step,
    infer=_range_type(3),
    method=None,
)
op(
    f"aten::linspace(Scalar start, Scalar end, int steps, *, {_KEYWORDS}) -> Tensor",
    impl=_linspace,
    infer=lambda types, constants: TensorType(keyword_dtype(constants[3], None), (None,)),
    method=None,
)
op(
    f"aten::eye(SymInt n, *, {_KEYWORDS}) -> Tensor",
    impl=lambda xp, n, *rest: _eye(xp, n, n, *rest),
    method=None,
    infer=lambda types, constants: TensorType(keyword_dtype(constants[1], None), (None, None)),
)
op(
    f"aten::eye.m(SymInt n, SymInt m, *, {_KEYWORDS}) -> Tensor",
    impl=_eye,
    method=None,
    infer=lambda types, constants: TensorType(keyword_dtype(constants[2], None), (None, None)),
)


# From Python values -------------------------------------------------------------------------------


def _plain(data: Any) -> Any:
    """The data with tensors replaced by their arrays."""
    if isinstance(data, list | tuple):
        return [_plain(element) for element in data]
    return getattr(data, "_array", data)


def _shape_of(data: Any) -> tuple[int, ...]:
    """The shape of nested lists.

    Raises:
        ValueError: two lists of one depth differ in length.
        TypeError: lists and numbers stand side by side.
    """
    if not isinstance(data, list | tuple):
        return tuple(getattr(data, "shape", ()))
    if not data:
        return (0,)
    inner = _shape_of(data[0])
    for element in data[1:]:
        other = _shape_of(element)
        if len(other) != len(inner):
            raise TypeError("not a sequence")
        for depth, (wanted, found) in enumerate(zip(inner, other, strict=True)):
            if wanted != found:
                raise ValueError(
                    f"expected sequence of length {wanted} at dim {depth + 1} (got {found})"
                )
    return (len(data), *inner)


def _leaves(data: Any) -> Any:
    if isinstance(data, list | tuple):
        for element in data:
            yield from _leaves(element)
    else:
        yield data


def _inferred(data: Any) -> DType:
    """bool, int64, the default float or complex: the highest kind among the values."""
    found: DType | None = None
    for leaf in _leaves(data):
        own = (
            dtypes.from_numpy(leaf.dtype)
            if hasattr(leaf, "dtype")
            else dtypes.from_scalar_type(type(leaf))
        )
        if found is None or own.category > found.category:
            found = own
        elif own.category == found.category:
            found = dtypes.promote_types(own, found)
    return found or dtypes.default_dtype()


def tensor_from(xp: Any, data: Any, dtype: Any, device: Any = None) -> Any:
    """An array of nested lists of numbers, as `torch.tensor` makes it.

    Raises:
        ValueError: lists of one depth differ in length, or an int does not fit 64 bits.
        TypeError: an element is not a number.
    """
    plain = _plain(data)
    kind = dtype_of(dtype, _inferred(plain))
    shape = _shape_of(plain)
    where = place(xp, device)
    if kind.kind in "iu":
        values = [as_dtype(v, kind) if not hasattr(v, "dtype") else v for v in _leaves(plain)]
        return where.array(values, dtype=kind).reshape(shape)
    if kind.kind not in "bc" and _inferred(plain).is_complex:
        return where.array(plain, dtype="complex128").real.astype(kind).reshape(shape)
    return where.array(plain, dtype=kind).reshape(shape)


def _tensor(xp: Any, data: Any, dtype: Any, device: Any, requires_grad: bool = False) -> Any:
    made = tensor_from(xp, data, dtype, device)
    if requires_grad and dtypes.from_numpy(made.dtype).category < dtypes.Category.FLOATING:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return made


def _data_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    rank = 0
    element = types[0]
    while isinstance(element, ty.ListType):
        rank, element = rank + 1, element.element
    exact = _EXACT.get(element)
    if rank:
        exact = None  # an empty list of ints is a floating tensor
    known = element in (ty.INT, ty.BOOL, ty.FLOAT, ty.COMPLEX)
    dtype = keyword_dtype(constants[1], exact)
    # A nested list that is empty ends the shape early.
    return TensorType(dtype, (None,) * rank if known and rank < 2 else None)


for _kind in ("bool", "float", "int", "complex"):
    op(
        f"aten::tensor.{_kind}({_kind} t, *, ScalarType? dtype=None, Device? device=None, bool "
        "requires_grad=False) -> Tensor",
        impl=_tensor,
        infer=_data_type,
        method=None,
    )
    op(
        f"aten::as_tensor.{_kind}({_kind} t, *, ScalarType? dtype=None, Device? device=None) -> "
        "Tensor",
        impl=_tensor,
        infer=_data_type,
        method=None,
    )
op(
    "aten::tensor(t[] data, *, ScalarType? dtype=None, Device? device=None, bool "
    "requires_grad=False) -> Tensor",
    impl=_tensor,
    infer=_data_type,
    method=None,
)
op(
    "aten::as_tensor.list(t[] data, *, ScalarType? dtype=None, Device? device=None) -> Tensor",
    impl=_tensor,
    infer=_data_type,
    method=None,
)
op(
    f"aten::scalar_tensor(Scalar s, *, {_KEYWORDS}) -> Tensor",
    method=None,
    impl=lambda xp, s, dtype, layout, device, pin: place(xp, device).array(
        s, dtype_of(dtype, dtypes.default_dtype())
    ),
    infer=lambda types, constants: TensorType(keyword_dtype(constants[1], None), ()),
)
