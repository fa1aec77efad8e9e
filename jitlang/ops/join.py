"""Rows that cut tensors into pieces and put tensors together: chunk, split, unbind, cat, stack,
repeat, roll.

Pieces are views. `cat` and `stack` promote their dtypes as torch does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

from .. import dtypes
from ..ir import types as ty
from ..ir.types import TensorType, Type
from .rows import op
from .rules import (
    HIDDEN,
    Sizes,
    list_rule,
    made,
    replaced,
    result_dtype,
    same_rank,
    sizes_rule,
    static_dim,
    unknown_sizes,
    wrap_dim,
)

# Cutting ------------------------------------------------------------------------------------------


def _along(dim: int) -> tuple[slice, ...]:
    return (slice(None),) * dim


def _pieces(a: Any, dim: int, bounds: Sequence[tuple[int, int]]) -> list[Any]:
    if dim == 0:
        return [a[start:stop] for start, stop in bounds]
    before = _along(dim)
    return [a[(*before, slice(start, stop))] for start, stop in bounds]


def _even(length: int, step: int) -> list[tuple[int, int]]:
    """Bounds of pieces of `step` elements, the last one shorter; one empty piece of nothing."""
    return [(start, min(start + step, length)) for start in range(0, length, step)] or [(0, 0)]


@lru_cache(256)
def _even_keys(dim: int, length: int, step: int) -> tuple[tuple[slice, ...], ...]:
    """Subscripts of the pieces; the same few are asked for in every pass of a loop."""
    return tuple((*_along(dim), slice(*bounds)) for bounds in _even(length, step))


def _chunk(xp: Any, a: Any, chunks: int, dim: int) -> list[Any]:
    if a.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    at = wrap_dim(dim, a.ndim)
    length = a.shape[at]
    if length == 0:
        return [a[...] for _ in range(chunks)]
    return [a[key] for key in _even_keys(at, length, -(-length // chunks))]


def _split(xp: Any, a: Any, split_size: int, dim: int) -> list[Any]:
    if a.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    at = wrap_dim(dim, a.ndim)
    if split_size < 0:
        raise RuntimeError(
            f"split expects split_size be non-negative, but got split_size={split_size}"
        )
    length = a.shape[at]
    if split_size == 0 and length != 0:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {length}"
        )
    return [a[key] for key in _even_keys(at, length, split_size or 1)]


def _split_sizes(xp: Any, a: Any, split_sizes: Sequence[int], dim: int) -> list[Any]:
    if a.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    at = wrap_dim(dim, a.ndim)
    bounds = []
    start = 0
    for size in split_sizes:
        if size < 0:
            raise RuntimeError(
                "split_with_sizes expects split_sizes have only non-negative entries, but got "
                f"split_sizes={[*split_sizes]}"
            )
        bounds.append((start, start + size))
        start += size
    if start != a.shape[at]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {a.shape[at]} (input "
            f"tensor's size at dimension {at}), but got split_sizes={[*split_sizes]}"
        )
    return _pieces(a, at, bounds)


def _tensor_split(xp: Any, a: Any, sections: int | Sequence[int], dim: int) -> list[Any]:
    if a.ndim == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    at = wrap_dim(dim, a.ndim)
    length = a.shape[at]
    if not isinstance(sections, int):
        return _pieces(a, at, _between(sections, length))
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    small, longer = divmod(length, sections)
    ends = [small * i + min(i, longer) for i in range(sections + 1)]
    return _pieces(a, at, [*pairwise(ends)])


def _between(indices: Sequence[int], length: int) -> list[tuple[int, int]]:
    bounds = [slice(i, None).indices(length)[0] for i in indices]
    starts, stops = [0, *bounds], [*bounds, length]
    return [(start, max(start, stop)) for start, stop in zip(starts, stops, strict=True)]


def _tensor_split_by_tensor(xp: Any, a: Any, sections: Any, dim: int) -> list[Any]:
    if sections.ndim > 1 or sections.dtype != dtypes.int64.numpy:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
            "one-dimensional tensor of dtype long"
        )
    return _tensor_split(xp, a, sections.tolist(), dim)


def _unbind(xp: Any, a: Any, dim: int) -> list[Any]:
    if a.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    at = wrap_dim(dim, a.ndim)
    if at:
        a = xp.moveaxis(a, at, 0)
    # An index alone would copy out the scalars of a vector.
    return [*a] if a.ndim > 1 else [a[i, ...] for i in range(a.shape[0])]


def _cut_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    at = static_dim(tensor.rank, constants[2])
    if tensor.sizes is None or at is None or not tensor.sizes:
        return unknown_sizes(tensor.rank)
    length, parts = tensor.sizes[at], constants[1]
    whole = isinstance(length, int) and isinstance(parts, int) and parts > 0 and length % parts == 0
    return replaced(tensor.sizes, at, length // parts if whole and length else None)


def _split_to(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    at = static_dim(tensor.rank, constants[2])
    if tensor.sizes is None or at is None or not tensor.sizes:
        return unknown_sizes(tensor.rank)
    length, size = tensor.sizes[at], constants[1]
    whole = isinstance(length, int) and isinstance(size, int) and size > 0 and length % size == 0
    return replaced(tensor.sizes, at, size if whole and length else None)


def _unbound_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    at = static_dim(tensor.rank, constants[1])
    if tensor.sizes is None or at is None or not tensor.sizes:
        return None if not tensor.rank else (None,) * (tensor.rank - 1)
    return (*tensor.sizes[:at], *tensor.sizes[at + 1 :])


op(
    "aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]",
    impl=_chunk,
    infer=list_rule(_cut_sizes),
)
op(
    "aten::unsafe_chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]",
    impl=_chunk,
    infer=list_rule(_cut_sizes),
)
op(
    "aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
    impl=_split,
    infer=list_rule(_split_to),
)
op(
    "aten::unsafe_split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
    impl=_split,
    infer=list_rule(_split_to),
)
op(
    "aten::split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]",
    impl=_split_sizes,
    infer=list_rule(same_rank),
)
op(
    "aten::split(Tensor(a -> *) self, int[] split_sizes, int dim=0) -> Tensor(a)[]",
    impl=_split_sizes,
    infer=list_rule(same_rank),
)
op(
    "aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]",
    impl=_split_sizes,
    infer=list_rule(same_rank),
)
op(
    "aten::unsafe_split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> "
    "Tensor(a)[]",
    impl=_split_sizes,
    infer=list_rule(same_rank),
)
op(
    "aten::tensor_split.sections(Tensor(a -> *) self, SymInt sections, int dim=0) -> Tensor(a)[]",
    impl=_tensor_split,
    infer=list_rule(same_rank),
)
op(
    "aten::tensor_split.indices(Tensor(a -> *) self, SymInt[] indices, int dim=0) -> Tensor(a)[]",
    impl=_tensor_split,
    infer=list_rule(same_rank),
)
op(
    "aten::tensor_split.tensor_indices_or_sections(Tensor(a -> *) self, Tensor "
    "tensor_indices_or_sections, int dim=0) -> Tensor(a)[]",
    impl=_tensor_split_by_tensor,
    infer=list_rule(same_rank),
)
op(
    "aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]",
    impl=_unbind,
    infer=list_rule(_unbound_sizes),
)


def _narrow(xp: Any, a: Any, dim: int, start: Any, length: int) -> Any:
    if a.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    at = wrap_dim(dim, a.ndim)
    if not isinstance(start, int) and (start.ndim or start.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    begin = int(start)
    size = a.shape[at]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -size <= begin <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [-{size}, {size}], but got {begin})"
        )
    begin += size if begin < 0 else 0
    if begin + length > size:
        raise RuntimeError(f"start ({begin}) + length ({length}) exceeds dimension size ({size}).")
    return a[(*_along(at), slice(begin, begin + length))]


def _narrowed_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    at = static_dim(tensor.rank, constants[1])
    if tensor.sizes is None or at is None or not tensor.sizes:
        return unknown_sizes(tensor.rank)
    length = constants[3]
    return replaced(tensor.sizes, at, length if isinstance(length, int) else None)


def _end_of(start: int, length: int) -> int | None:
    """Where a slice ends; None for the end of a dimension, from which `start` is counted."""
    return None if start < 0 and start + length == 0 else start + length


op(
    "aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)",
    impl=_narrow,
    infer=sizes_rule(_narrowed_sizes),
    grad=lambda m, g, r, a, dim, start, length: (
        m.slice_scatter(m.zeros_like(a), g, dim, start, _end_of(start, length)),
    ),
)
op(
    "aten::narrow.Tensor(Tensor(a) self, int dim, Tensor start, SymInt length) -> Tensor(a)",
    impl=_narrow,
    infer=sizes_rule(_narrowed_sizes),
)
for _name, _dims in (("hsplit", (0, 1)), ("vsplit", (0, 0)), ("dsplit", (2, 2))):

    def _split_along(
        xp: Any,
        a: Any,
        sections: int | Sequence[int],
        name: str = _name,
        dims: tuple[int, int] = _dims,
    ) -> list[Any]:
        least = {"hsplit": 1, "vsplit": 2, "dsplit": 3}[name]
        if a.ndim < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension, but got a "
                f"tensor with {a.ndim} dimensions!"
            )
        at = dims[0] if a.ndim == 1 else dims[1]
        if isinstance(sections, int) and (sections < 1 or a.shape[at] % sections):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {at}, but the size of the "
                f"dimension {a.shape[at]} is not divisible by the split_size {sections}!"
            )
        return _tensor_split(xp, a, sections, at)

    op(f"aten::{_name}.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]", impl=_split_along)
    op(f"aten::{_name}.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]", impl=_split_along)


# Joining ------------------------------------------------------------------------------------------


def _cat(xp: Any, tensors: Sequence[Any], dim: int) -> Any:
    if len(tensors) > 0 and len({a.dtype for a in tensors}) == 1:
        try:
            return xp.concatenate(tensors, dim)
        except ValueError:
            pass
    return _careful_cat(xp, tensors, dim)


def _careful_cat(xp: Any, tensors: Sequence[Any], dim: int) -> Any:
    if len(tensors) == 0:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for position, a in enumerate(tensors):
        if a.ndim == 0:
            raise RuntimeError(
                f"zero-dimensional tensor (at position {position}) cannot be concatenated"
            )
    dtype = result_dtype(tensors)
    # Torch skips empty vectors whatever the rank of the others.
    kept = [(i, a) for i, a in enumerate(tensors) if a.shape != (0,)]
    if not kept:
        return xp.empty(0, dtype)
    first = kept[0][1]
    at = wrap_dim(dim, first.ndim)
    for position, a in kept[1:]:
        if a.ndim != first.ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {a.ndim}"
            )
        for d in range(a.ndim):
            if d != at and a.shape[d] != first.shape[d]:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {at}. Expected size "
                    f"{first.shape[d]} but got size {a.shape[d]} for tensor number {position} in "
                    "the list."
                )
    return xp.concatenate([a.astype(dtype, copy=False) for _, a in kept], at)


def _stack(xp: Any, tensors: Sequence[Any], dim: int) -> Any:
    if len(tensors) == 0:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]
    at = wrap_dim(dim, first.ndim + 1)
    alike = len({(a.shape, a.dtype) for a in tensors}) == 1
    if alike and at == 0 and first.ndim:
        return xp.concatenate(tensors, 0).reshape((len(tensors), *first.shape))
    if alike:
        return xp.stack(tensors, at)
    for position, a in enumerate(tensors):
        if a.shape != first.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {[*first.shape]} at entry 0 "
                f"and {[*a.shape]} at entry {position}"
            )
    dtype = result_dtype(tensors)
    return xp.stack([a.astype(dtype, copy=False) for a in tensors], at)


def joined_element(types: Sequence[Type]) -> TensorType:
    """The type that all tensors of a list argument share."""
    listed = types[0]
    if isinstance(listed, ty.TupleType) and listed.elements:
        element: Type | None = reduce(_shared, listed.elements)
    else:
        element = listed.element if isinstance(listed, ty.ListType) else ty.TENSOR
    return element if isinstance(element, TensorType) else ty.TENSOR


def _shared(a: Type, b: Type) -> Type:
    return ty.unify(a, b) or ty.TENSOR


def _cat_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """Only the size along `dim` differs; an element type of a list covers all its elements.

    A tuple stands for a list of known length.
    """
    element = joined_element(types)
    at = static_dim(element.rank, constants[1])
    if element.sizes is None or at is None:
        return made(element, None)
    if isinstance(types[0], ty.TupleType):
        sizes = [t.sizes[at] for t in types[0].elements if isinstance(t, TensorType) and t.sizes]
        known = [size for size in sizes if size is not None]
        return made(
            element, replaced(element.sizes, at, sum(known) if len(known) == len(sizes) else None)
        )
    if len(element.sizes) < 2:
        # Of vectors some may be the empty ones that torch skips.
        return made(element, None if element.rank != 1 else (None,))
    return made(element, replaced(element.sizes, at, None))


def _stack_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    element = joined_element(types)
    if element.sizes is None:
        return made(element, None)
    at = static_dim(len(element.sizes) + 1, constants[1])
    if at is None:
        return made(element, (None,) * (len(element.sizes) + 1))
    count = len(types[0].elements) if isinstance(types[0], ty.TupleType) else None
    return made(element, (*element.sizes[:at], count, *element.sizes[at:]))


for _name in ("cat", "concat", "concatenate"):
    op(
        f"aten::{_name}(Tensor[] tensors, int dim=0) -> Tensor",
        impl=_cat,
        infer=_cat_type,
        method=None,
    )
op(
    "aten::stack(Tensor[] tensors, int dim=0) -> Tensor",
    impl=_stack,
    infer=_stack_type,
    method=None,
)
for _name, _rank, _dim in (("hstack", 1, 1), ("vstack", 2, 0), ("dstack", 3, 2)):

    def _join_along(xp: Any, tensors: Sequence[Any], rank: int = _rank, dim: int = _dim) -> Any:
        raised = [getattr(xp, f"atleast_{rank}d")(a) for a in tensors]
        return _cat(xp, raised, 0 if raised and raised[0].ndim == 1 else dim)

    op(f"aten::{_name}(Tensor[] tensors) -> Tensor", impl=_join_along, method=None)


# What passes make of lists that are only stacked -------------------------------------------------


def _buffer_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    size, dtype = constants
    sizes = tuple(size) if isinstance(size, list | tuple) else None
    return TensorType(dtype if isinstance(dtype, dtypes.DType) else None, sizes)


def _store_item(xp: Any, buffer: Any, dim: int, index: int, item: Any) -> None:
    buffer[(*_along(wrap_dim(dim, buffer.ndim)), index)] = item


op(
    "jit::buffer(int[] size, ScalarType dtype) -> Tensor",
    impl=lambda xp, size, dtype: xp.empty(tuple(size), dtype.numpy),
    infer=_buffer_type,
    doc="A tensor whose elements are all stored before any is read.",
    **HIDDEN,
)
op(
    "jit::store_item(Tensor(a!) buffer, int dim, int index, Tensor item) -> ()",
    impl=_store_item,
    doc="Copy `item` into `buffer.select(dim, index)`.",
    **HIDDEN,
)
