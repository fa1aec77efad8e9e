"""Rows that repeat and turn tensors: repeat, tile, flip, roll, rot90, meshgrid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir import types as ty
from ..ir.types import TensorType, Type
from .join import joined_element
from .reduce import not_supported
from .rows import op
from .rules import (
    Sizes,
    made,
    same_rank,
    same_type,
    sizes_rule,
    wrap_dim,
    wrap_dims,
)

# Repeating and moving -----------------------------------------------------------------------------


def _repeat(xp: Any, a: Any, repeats: Sequence[int]) -> Any:
    if len(repeats) < a.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    shape = (*(1,) * (len(repeats) - a.ndim), *a.shape)
    sizes = [n * r for n, r in zip(shape, repeats, strict=True)]
    for size, repeat in zip(sizes, repeats, strict=True):
        if repeat < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {min(size, repeat)}: {sizes}"
            )
    return xp.tile(a, tuple(repeats))


def _repeated_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    repeats = constants[1]
    if (
        not isinstance(repeats, list | tuple)
        or tensor.sizes is None
        or len(repeats) < len(tensor.sizes)
    ):
        return None
    sizes = (*(1,) * (len(repeats) - len(tensor.sizes)), *tensor.sizes)
    return tuple(None if n is None else n * r for n, r in zip(sizes, repeats, strict=True))


def _tile(xp: Any, a: Any, dims: Sequence[int]) -> Any:
    return _repeat(xp, a, (*(1,) * (a.ndim - len(dims)), *dims))


def _repeat_interleave(
    xp: Any, a: Any, repeats: Any, dim: int | None, output_size: int | None
) -> Any:
    if dim is None:
        a, at = a.reshape((-1,)), 0
    else:
        at = wrap_dim(dim, a.ndim)
    if not isinstance(repeats, int):
        if repeats.dtype.kind not in "iu":
            raise not_supported("repeat_interleave_cpu", repeats)
        if repeats.ndim > 1 or (repeats.size not in (1, a.shape[at])):
            raise RuntimeError("repeats must have the same size as input along dim")
        if repeats.size and repeats.min() < 0:
            raise RuntimeError("repeats can not be negative")
        repeats = repeats.reshape((-1,)) if repeats.size != 1 else int(repeats.reshape(())[()])
    elif repeats < 0:
        raise RuntimeError("repeats can not be negative")
    made = xp.repeat(a, repeats, at)
    if output_size is not None and made.shape[at] != output_size:
        raise RuntimeError(
            f"repeat_interleave: Invalid output_size, expected {made.shape[at]} but got "
            f"{output_size}"
        )
    return made


def _flip(xp: Any, a: Any, dims: Sequence[int]) -> Any:
    axes = wrap_dims(dims, a.ndim)
    return xp.flip(a, axes).copy() if a.ndim else a.copy()


def _flip_along(dim: int) -> Any:
    def impl(xp: Any, a: Any) -> Any:
        if a.ndim <= dim:
            raise RuntimeError(f"Input must be >= {dim + 1}-d.")
        return _flip(xp, a, (dim,))

    return impl


def _roll(xp: Any, a: Any, shifts: Sequence[int], dims: Sequence[int]) -> Any:
    if not dims and len(shifts) == 1:
        return xp.roll(a.reshape((-1,)), shifts[0]).reshape(a.shape)
    if len(shifts) != len(dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    axes = tuple(wrap_dim(dim, a.ndim) for dim in dims)
    return xp.roll(a, tuple(shifts), axes) if a.size else a.copy()


def _rot90(xp: Any, a: Any, k: int, dims: Sequence[int]) -> Any:
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if a.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {a.ndim}")
    return xp.rot90(a, k, wrap_dims(dims, a.ndim)).copy()


def _meshgrid(xp: Any, tensors: Sequence[Any], indexing: str = "ij") -> list[Any]:
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    if any(a.ndim > 1 for a in tensors):
        shapes = ", ".join(str([*a.shape]) for a in tensors)
        raise RuntimeError(
            f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {shapes}"
        )
    if any(a.dtype != tensors[0].dtype for a in tensors):
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    flat = [a.reshape((-1,)) for a in tensors]
    return [*xp.meshgrid(*flat, indexing=indexing, copy=True)]


op(
    "aten::repeat(Tensor self, SymInt[] repeats) -> Tensor",
    impl=_repeat,
    infer=sizes_rule(_repeated_sizes),
    function=None,
)
op("aten::tile(Tensor self, SymInt[] dims) -> Tensor", impl=_tile)
op(
    "aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? "
    "output_size=None) -> Tensor",
    impl=_repeat_interleave,
)
op(
    "aten::repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, SymInt? "
    "output_size=None) -> Tensor",
    impl=_repeat_interleave,
)
op(
    "aten::flip(Tensor self, int[] dims) -> Tensor",
    impl=_flip,
    infer=same_type,
    grad=lambda m, g, r, a, dims: (m.flip(g, dims),),
)
op("aten::fliplr(Tensor self) -> Tensor", impl=_flip_along(1), infer=same_type)
op("aten::flipud(Tensor self) -> Tensor", impl=_flip_along(0), infer=same_type)
op(
    "aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor",
    impl=_roll,
    infer=same_type,
)
op(
    "aten::rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor",
    impl=_rot90,
    infer=sizes_rule(same_rank),
)


def _grid_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.ListType(made(joined_element(types), None))


op("aten::meshgrid(Tensor[] tensors) -> Tensor[]", impl=_meshgrid, infer=_grid_type, method=None)
op(
    "aten::meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[]",
    impl=_meshgrid,
    infer=_grid_type,
    method=None,
)
