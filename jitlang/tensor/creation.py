"""Making tensors from Python data and from other libraries' arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arrays, dtypes
from ..arrays import Device
from ..dtypes import DType
from .core import Tensor, box
from .dlpack import take_over


def tensor(
    data: Any,
    *,
    dtype: DType | None = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`.

    Args:
        data: a number, nested sequences of numbers, an array or a tensor.
        dtype: the element type; by default inferred as torch infers it (floats are the default
            dtype).
        device: where it lives; by default where `data` lives.
        requires_grad: whether gradients are wanted.

    Raises:
        ValueError: sequences of unequal length.
        TypeError: an element is not a number.
    """
    array = _to_array(data, dtype)
    if arrays.is_array(data) or isinstance(data, Tensor):
        array = array.copy()
    made = box(_on_device(array, device))
    return made.requires_grad_(True) if requires_grad else made


def as_tensor(data: Any, dtype: DType | None = None, device: str | Device | None = None) -> Tensor:
    """A tensor over `data`, without a copy where it has the dtype and device already.

    Args:
        data: a tensor or array of any shape, a number, or nested sequences of numbers.
        dtype: the element type; by default that of `data`, for Python data as torch infers it.
        device: where it lives; by default where `data` lives.

    Raises:
        ValueError: sequences of unequal length.
        TypeError: an element is not a number, or the array's dtype is not one of tensors.
    """
    if isinstance(data, Tensor) and dtype in (None, data.dtype) and device is None:
        return data
    return box(_on_device(_to_array(data, dtype), device))


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor of the array's shape and dtype that shares its memory.

    Raises:
        TypeError: not an array, or of a dtype that tensors do not have.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    dtypes.from_numpy(array.dtype)
    return box(array)


def from_dlpack(source: Any) -> Tensor:
    """A tensor of the same shape and dtype that shares the memory of an object with `__dlpack__`.

    Raises:
        AttributeError: the object does not have `__dlpack__`.
        BufferError: NumPy cannot take its memory over (another device, an unknown dtype).
    """
    return box(source._array if isinstance(source, Tensor) else take_over(source))


def _to_array(data: Any, dtype: DType | None) -> Any:
    target = None if dtype is None else dtype.numpy
    if isinstance(data, Tensor):
        data = data._array
    if arrays.is_array_like(data):
        dtypes.from_numpy(data.dtype)
        array = data if arrays.is_array(data) else np.asarray(data)
        return array if target is None else array.astype(target, copy=False)
    plain = _plain(data)
    inferred = inferred_dtype(plain) if dtype is None else dtype
    _check_even(plain, _leading_sizes(plain), 0)
    try:
        return np.array(plain, dtype=inferred.numpy)
    except OverflowError:
        raise ValueError(f"an element does not fit in {inferred.name}") from None


def _plain(data: Any) -> Any:
    """Nested lists of Python numbers; tensors and NumPy scalars inside give their items."""
    if isinstance(data, list | tuple):
        return [_plain(element) for element in data]
    if isinstance(data, Tensor) or arrays.is_array_like(data):
        return data.tolist()
    if isinstance(data, bool | int | float | complex):
        return data
    if hasattr(data, "__array__"):
        return np.asarray(data).tolist()
    if data is None:
        raise RuntimeError("Could not infer dtype of NoneType")
    raise TypeError(f"new(): invalid data type '{type(data).__name__}'")


def inferred_dtype(data: Any) -> DType:
    """The dtype torch gives nested lists of Python numbers."""
    kinds: set[type] = set()
    _collect_kinds(data, kinds)
    for kind in (complex, float, int, bool):
        if kind in kinds:
            return dtypes.from_scalar_type(kind)
    return dtypes.default_dtype()


def _collect_kinds(data: Any, kinds: set[type]) -> None:
    if not isinstance(data, list):
        kinds.add(type(data))
        return
    for element in data:
        _collect_kinds(element, kinds)


def _leading_sizes(data: Any) -> list[int]:
    """The shape that the first element of each level has."""
    sizes: list[int] = []
    while isinstance(data, list):
        sizes.append(len(data))
        if not data:
            break
        data = data[0]
    return sizes


def _check_even(data: Any, sizes: list[int], depth: int) -> None:
    """Raises what torch raises where nested sequences do not form a box."""
    if depth == len(sizes):
        if isinstance(data, list):
            raise TypeError("'list' object cannot be interpreted as a number")
        return
    if not isinstance(data, list):
        raise TypeError("not a sequence")
    if len(data) != sizes[depth]:
        raise ValueError(
            f"expected sequence of length {sizes[depth]} at dim {depth} (got {len(data)})"
        )
    for element in data:
        _check_even(element, sizes, depth + 1)


def _on_device(array: Any, device: str | Device | None) -> Any:
    if device is None or str(device) == arrays.device_of(array):
        return array
    target = arrays.namespace_of_device(str(device))
    return (
        array.get() if target is np and not isinstance(array, np.ndarray) else target.asarray(array)
    )


# Scripts call the rows.
tensor.__jitlang_operator__ = "aten::tensor"  # type: ignore[attr-defined]
as_tensor.__jitlang_operator__ = "aten::as_tensor"  # type: ignore[attr-defined]
