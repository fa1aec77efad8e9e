"""What type rules and kernels of the array families share: dimensions, dtypes, known facts.

A type rule never raises and never states what it does not know: a bad dimension is the kernel's to
report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.opdef import NOT_CONSTANT, TypeRule
from ..ir.types import TensorType, Type

Sizes = tuple[int | None, ...]
HIDDEN: dict[str, Any] = {"function": None, "method": None}
"""Rows that Python does not see under their own name."""


def wrap_dim(dim: int, rank: int) -> int:
    """The dimension counted from the front; a 0-dim array counts as having one.

    Raises:
        IndexError: there is no such dimension; with torch's message.
    """
    bound = rank or 1
    if -bound <= dim < bound:
        return dim if dim >= 0 else dim + bound
    raise IndexError(
        f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got "
        f"{dim})"
    )


def wrap_dims(dims: Iterable[int], rank: int) -> tuple[int, ...]:
    """Several dimensions counted from the front.

    Raises:
        IndexError: one is out of range.
        RuntimeError: one is named twice.
    """
    wrapped = tuple(wrap_dim(dim, rank) for dim in dims)
    for position, dim in enumerate(wrapped):
        if dim in wrapped[:position]:
            raise RuntimeError(f"dim {dim} appears multiple times in the list of dims")
    return wrapped


def result_dtype(arrays: Sequence[Any]) -> Any:
    """Torch's promotion of arrays, as a NumPy dtype."""
    dimensioned = [dtypes.from_numpy(a.dtype) for a in arrays if a.ndim]
    zero_dim = [dtypes.from_numpy(a.dtype) for a in arrays if not a.ndim]
    return dtypes.result_type(dimensioned, zero_dim).numpy


def compute_dtype(dtype: Any) -> Any:
    """The dtype in which sums of a NumPy dtype accumulate: float32 for the half types."""
    return _FLOAT32 if dtype in (_FLOAT16, _BFLOAT16) else dtype


_FLOAT16, _BFLOAT16, _FLOAT32 = dtypes.float16.numpy, dtypes.bfloat16.numpy, dtypes.float32.numpy


def wide(a: Any) -> Any:
    """The array in a dtype whose comparisons NumPy gets right: half types as float32, exactly."""
    return a.astype(compute_dtype(a.dtype), copy=False)


# For type rules -----------------------------------------------------------------------------------


def tensor_at(types: Sequence[Type], index: int = 0) -> TensorType:
    """The type of a tensor argument; a bare `Tensor` for anything else."""
    found = types[index] if index < len(types) else None
    return found if isinstance(found, TensorType) else ty.TENSOR


def known(constants: Sequence[Any], index: int) -> Any:
    """The value of an argument, or NOT_CONSTANT."""
    return constants[index] if index < len(constants) else NOT_CONSTANT


def static_dim(rank: int | None, dim: Any) -> int | None:
    """The dimension counted from the front where rank and dimension are known and agree."""
    if rank is None or not isinstance(dim, int):
        return None
    bound = rank or 1
    return (dim if dim >= 0 else dim + bound) if -bound <= dim < bound else None


def static_dims(rank: int | None, dims: Any) -> tuple[int, ...] | None:
    """Several dimensions counted from the front, or None where something is not known."""
    if not isinstance(dims, list | tuple):
        return None
    found = tuple(static_dim(rank, dim) for dim in dims)
    kept = tuple(dim for dim in found if dim is not None)
    return kept if len(kept) == len(found) and len(set(kept)) == len(kept) else None


def made(like: TensorType, sizes: Sizes | None, dtype: DType | None = None) -> TensorType:
    """A tensor on the device of `like` (and of its dtype unless given) with these sizes."""
    return TensorType(dtype or like.dtype, sizes, None, None, like.device, like.surface)


def retyped(like: TensorType, dtype: DType | None) -> TensorType:
    """A tensor of the sizes of `like`, of this dtype or of none that is known."""
    return TensorType(dtype, like.sizes, None, None, like.device, like.surface)


def sizes_rule(rule: Callable[[TensorType, Sequence[Any]], Sizes | None]) -> TypeRule:
    """A type rule that keeps the first tensor's dtype and device and asks `rule` for the sizes."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        first = tensor_at(types)
        return made(first, rule(first, constants))

    return infer


def list_rule(rule: Callable[[TensorType, Sequence[Any]], Sizes | None]) -> TypeRule:
    """The same for a row that returns a list of tensors."""
    one = sizes_rule(rule)

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        element = one(types, constants)
        assert isinstance(element, Type)
        return ty.SequenceType(element)

    return infer


def same_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type rule of a row whose result is like its first tensor, contiguity aside."""
    first = tensor_at(types)
    return made(first, first.sizes)


def written_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type rule of a row that returns its written first argument."""
    return types[0]


def unknown_sizes(rank: int | None) -> Sizes | None:
    """Sizes of which only the number is known."""
    return None if rank is None else (None,) * rank


def replaced(sizes: Sizes, dim: int, size: int | None) -> Sizes:
    """Sizes with one replaced."""
    return (*sizes[:dim], size, *sizes[dim + 1 :])


def dropped(sizes: Sizes, dims: Iterable[int], keep: bool) -> Sizes:
    """Sizes after a reduction over `dims`."""
    over = set(dims)
    if keep:
        return tuple(1 if i in over else size for i, size in enumerate(sizes))
    return tuple(size for i, size in enumerate(sizes) if i not in over)


def same_rank(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    """Sizes of which only the number stays what it was."""
    return unknown_sizes(tensor.rank)


def like_second(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type rule of a row whose result has the second tensor's sizes."""
    return made(tensor_at(types), tensor_at(types, 1).sizes)
