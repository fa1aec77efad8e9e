"""Rows that read or write at computed places, in groups.

    y = aten::gather(x, 1, i)      y[a, b] = x[a, i[a, b]]
    y = aten::scatter(x, 1, i, s)  y = x, then y[a, i[a, b]] = s[a, b]

`_along`, `_slices`, `_subscript` and their kin say how a row addresses an array: a `Reach`, the
array at its first element along the indexed dimensions, seen through views that spread it over the
shape of the indices, and the indices themselves. Reading a reach is a `Gathered` value, which fuses
with its readers, and with what computes the indices. Writing one is a `Scattered` value: a kernel
writes what is written onto, the next one writes through the indices, one element after the other,
as the reference kernels do.

An index out of range is found by the kernel, which then reads or writes the first element instead.
The group's reference kernels raise the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from .. import dtypes
from ..dtypes import Category
from ..ops.arrays import KEY_WIDTHS
from .composites import apply_row
from .plan import Unsupported
from .tensors import (
    Dropped,
    Gathered,
    Joined,
    Reach,
    Scattered,
    Shape,
    Source,
    Step,
    Stored,
    Tensor,
    broadcast_shape,
)

Lowering = Any
SELECT, NARROW, UNSQUEEZE = "aten::select.int", "aten::narrow", "aten::unsqueeze"


# What an index is ---------------------------------------------------------------------------------


def _array(lowering: Lowering, tensor: Tensor) -> Tensor:
    """The value in an array."""
    if isinstance(tensor, Source | Stored):
        return tensor
    found: Tensor = lowering.views.stored(tensor)
    return found


def _index(lowering: Lowering, index: Any) -> Tensor:
    """An index tensor as int64.

    Raises:
        Unsupported: it does not have integers.
    """
    if not isinstance(index, Tensor) or index.dtype.category is not Category.INTEGRAL:
        raise Unsupported("an index that has no integers")
    if isinstance(index, Dropped | Joined) or index.is_row:
        index = lowering.views.stored(index)
    found: Tensor = lowering.converted(index, dtypes.int64)
    return found


def _dim(tensor: Tensor, dim: Any) -> int:
    """A dimension counted from the front."""
    rank = max(len(tensor.shape), 1)
    if not isinstance(dim, int) or not -rank <= dim < rank:
        raise Unsupported("an index along a dimension that does not exist")
    return dim % rank


def _vector(lowering: Lowering, tensor: Tensor) -> Tensor:
    """A 0-dim value as one of one element."""
    return tensor if tensor.shape else lowering.views.view(tensor, Step(UNSQUEEZE, (0,)))


def _first(lowering: Lowering, array: Tensor, dims: Sequence[int]) -> Tensor:
    """An array at its first element along some dimensions, which go."""
    for dim in reversed(dims):
        if array.shape[dim] == 0:
            raise Unsupported("an index into a dimension without elements")
        array = lowering.views.view(array, Step(SELECT, (dim, 0)))
    return array


def _reach(
    lowering: Lowering,
    array: Tensor,
    dims: Sequence[int],
    base: Tensor,
    indices: Sequence[Tensor],
    shape: Shape,
    wraps: bool,
) -> Reach:
    """The reach of indices that broadcast to a shape, as `base` does."""
    views = lowering.views
    base = views.expand(base, shape)
    spread = len(base.steps) - len(array.steps)  # type: ignore[attr-defined]
    wide = tuple(views.expand(index, shape) for index in indices)
    return Reach(base, spread, (*dims,), wide, wraps)


# How rows address ---------------------------------------------------------------------------------


def _along(lowering: Lowering, array: Tensor, dim: int, index: Any) -> Reach:
    """`x[a][index[a][b][c]][c]`: an index for each element, along one dimension."""
    at = _dim(array, dim)
    array, places = _vector(lowering, array), _vector(lowering, _index(lowering, index))
    rank = len(array.shape)
    if len(places.shape) != rank:
        raise Unsupported("an index of another rank")
    base = array
    for d, size in enumerate(places.shape):
        if d == at:
            continue
        if size > array.shape[d]:
            raise Unsupported("an index larger than what it goes into")
        if size < array.shape[d]:
            base = lowering.views.view(base, Step(NARROW, (d, 0, size)))
    base = lowering.views.view(_first(lowering, base, [at]), Step(UNSQUEEZE, (at,)))
    return _reach(lowering, array, [at], base, [places], places.shape, False)


def _slices(lowering: Lowering, array: Tensor, dim: int, index: Any, wraps: bool) -> Reach:
    """`x[:, index]`: a vector of whole slices."""
    at = _dim(array, dim)
    array, places = _vector(lowering, array), _vector(lowering, _index(lowering, index))
    if len(places.shape) != 1:
        raise Unsupported("an index that is no vector")
    base = lowering.views.view(_first(lowering, array, [at]), Step(UNSQUEEZE, (at,)))
    for _ in array.shape[at + 1 :]:
        places = lowering.views.view(places, Step(UNSQUEEZE, (-1,)))
    shape = (*array.shape[:at], places.shape[0], *array.shape[at + 1 :])
    return _reach(lowering, array, [at], base, [places], shape, wraps)


def _block_place(dims: Sequence[int]) -> int:
    """Before which dimension those of the indices stand: where they stand, or in front where they
    do not stand side by side.
    """
    return dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0


def _subscript(
    lowering: Lowering, array: Tensor, indices: Sequence[Any], *, in_front: bool = False
) -> Reach:
    """`x[i, :, j]`: the indices broadcast. Their dimensions come first with `in_front`."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    if not dims or dims[-1] >= len(array.shape):
        raise Unsupported("no index, or too many")
    places = [_index(lowering, indices[d]) for d in dims]
    block = broadcast_shape([index.shape for index in places])
    at = 0 if in_front else _block_place(dims)
    base = _first(lowering, array, dims)
    kept = base.shape
    for _ in block:
        base = lowering.views.view(base, Step(UNSQUEEZE, (at,)))
    wide: list[Tensor] = []
    for index in places:
        for _ in kept[at:]:
            index = lowering.views.view(index, Step(UNSQUEEZE, (-1,)))
        wide.append(index)
    return _reach(lowering, array, dims, base, wide, (*kept[:at], *block, *kept[at:]), True)


def _broadcast_along(lowering: Lowering, array: Tensor, dim: int, index: Any) -> Reach:
    """As `_along`, but what has size 1 in another dimension is broadcast, and negative indices
    count from the end.
    """
    at, places = _dim(array, dim), _index(lowering, index)
    if not array.shape or len(places.shape) != len(array.shape):
        raise Unsupported("an index of another rank")
    base = lowering.views.view(_first(lowering, array, [at]), Step(UNSQUEEZE, (at,)))
    shape = broadcast_shape([base.shape, places.shape])
    return _reach(lowering, array, [at], base, [places], shape, True)


def _flat(lowering: Lowering, array: Tensor, index: Any) -> Reach:
    """`x.reshape(-1)[index]`: an index for each dimension, of which only the first can be too large
    or too small.
    """
    places, sizes = _index(lowering, index), array.shape
    if len(sizes) < 2:
        return _subscript(lowering, _vector(lowering, array), [places])
    from_end = apply_row(lowering, "aten::add.Scalar", places, prod(sizes))
    is_negative = apply_row(lowering, "aten::lt.Scalar", places, 0)
    rest = apply_row(lowering, "aten::where.self", is_negative, from_end, places)
    along: list[Tensor] = []
    for size in reversed(sizes[1:]):
        along.insert(0, apply_row(lowering, "aten::remainder.Scalar", rest, size))
        rest = apply_row(lowering, "aten::floor_divide.Scalar", rest, size)
    reach = _subscript(lowering, array, [rest, *along])
    reach.wraps = False
    return reach


# Rows that read -----------------------------------------------------------------------------------


def _read(reach: Reach) -> Tensor:
    shape = reach.base.shape
    return Gathered(shape, reach.base.dtype, reach, shape)


def _gather(lowering: Lowering, x: Tensor, dim: int, index: Tensor, sparse: bool) -> Tensor:
    made = _read(_along(lowering, _array(lowering, x), dim, index))
    return made if index.shape else _element(lowering, made)


def _element(lowering: Lowering, vector: Tensor) -> Tensor:
    """The one element of a vector, without dimensions."""
    made: Tensor = lowering.views.view(vector, Step(SELECT, (0, 0)))
    return made


def _index_select(lowering: Lowering, x: Tensor, dim: int, index: Tensor) -> Tensor:
    if not x.shape and index.shape not in ((), (1,)):
        raise Unsupported("several indices into a 0-dim tensor")
    made = _read(_slices(lowering, _array(lowering, x), dim, index, False))
    return made if x.shape else _element(lowering, made)


def _embedding(
    lowering: Lowering, weight: Tensor, index: Tensor, padding: int, scale: bool, sparse: bool
) -> Tensor:
    if len(weight.shape) != 2 or index.dtype not in (dtypes.int32, dtypes.int64):
        raise Unsupported("an embedding of another rank or index")
    reach = _subscript(lowering, _array(lowering, weight), [index])
    reach.wraps = False
    return _read(reach)


def _indexed(lowering: Lowering, x: Tensor, indices: Any) -> Tensor:
    return _read(_subscript(lowering, _array(lowering, x), _list(indices)))


def _indexed_last(lowering: Lowering, x: Tensor, indices: Any) -> Tensor:
    """`x[..., i]`: the indices are of the last dimensions."""
    return _indexed(lowering, x, [None] * (len(x.shape) - len(indices)) + list(_list(indices)))


def _take(lowering: Lowering, x: Tensor, index: Tensor) -> Tensor:
    if index.dtype is not dtypes.int64 or 0 in x.shape:
        raise Unsupported("another index, or nothing to take from")
    return _read(_flat(lowering, _array(lowering, x), index))


def _take_along_dim(lowering: Lowering, x: Tensor, index: Tensor, dim: int | None) -> Tensor:
    if dim is not None:
        return _read(_broadcast_along(lowering, _array(lowering, x), dim, index))
    if len(index.shape) != 1:
        raise Unsupported("indices that have to be flattened")
    return _take(lowering, x, index)


def _array_item(lowering: Lowering, x: Tensor, *indices: Any) -> Tensor:
    """`x[i]` and `x[i, j]` of NumPy's."""
    return _numpy_read(lowering, x, indices)


def _numpy_read(lowering: Lowering, x: Tensor, indices: Sequence[Any]) -> Tensor:
    """What NumPy picks. In memory the dimensions of the indices come first, wherever they stand."""
    if any(isinstance(index, Tensor) and not index.shape for index in indices):
        raise Unsupported("an index without dimensions, which gives a view")
    reach = _subscript(lowering, _array(lowering, x), indices, in_front=True)
    made = _read(reach)
    dims = [d for d, index in enumerate(indices) if index is not None]
    at, rank = _block_place(dims), len(made.shape)
    block = list(range(rank - len(x.shape) + len(dims)))
    kept = list(range(len(block), rank))
    if not at:
        return made
    order = (*kept[:at], *block, *kept[at:])
    found: Tensor = lowering.views.view(made, Step("aten::permute", (order,)))
    return found


def _numpy_index(lowering: Lowering, x: Tensor, key: str, *values: Any) -> Tensor:
    """A subscript of NumPy's with slices and index arrays: the slices first, as a view."""
    letters, rest = key.strip("()"), list(values)
    basic: list[Any] = []
    indices: list[Any] = []
    for letter in letters:
        part = [rest.pop(0) for _ in range(KEY_WIDTHS[letter])]
        if letter == "i":
            indices += part
            part = [None] * KEY_WIDTHS["s"]
        elif letter == "e":
            used = letters.count("i") + letters.count("s")
            indices += [None] * (len(x.shape) - used)
        else:
            indices.append(None)
        basic += part
    plain = f"({letters.replace('i', 's')})"
    return _numpy_read(lowering, lowering.view("jit::numpy_index", x, [plain, *basic]), indices)


def _list(indices: Any) -> Sequence[Any]:
    if not isinstance(indices, list) or any(_is_mask(index) for index in indices):
        raise Unsupported("masks, whose number of elements only a run knows")
    return indices


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype in (dtypes.bool_, dtypes.uint8)


GATHERS: dict[str, Callable[..., Tensor]] = {
    "aten::gather": _gather,
    "aten::index_select": _index_select,
    "aten::embedding": _embedding,
    "aten::take": _take,
    "aten::take_along_dim": _take_along_dim,
    "aten::index.Tensor": _indexed,
    "aten::index.Tensor_hacked_twin": _indexed,
    "jit::index_last": _indexed_last,
    "jit::array_item": _array_item,
    "jit::array_item.two": _array_item,
    "jit::numpy_index": _numpy_index,
}
"""Rows that read at computed places."""


# Rows that write ----------------------------------------------------------------------------------


def _target(x: Tensor) -> Source:
    """The array that a value written onto `x` will be in."""
    return Source(x.shape, x.dtype, 0, "target")


def _write(
    lowering: Lowering, onto: Tensor, reach: Reach, value: Tensor, combine: str = ""
) -> Tensor:
    """`value`, broadcast, at the places of a reach. A row value without its dimensions is stored
    first: it has no place for each element.
    """
    if isinstance(value, Dropped | Joined) or value.is_row:
        value = lowering.views.stored(value)
    if isinstance(onto, Dropped):
        onto = lowering.views.stored(onto)
    if len(value.shape) > len(reach.base.shape):
        raise Unsupported("a value of more dimensions than the places that it goes to")
    if broadcast_shape([value.shape, reach.base.shape]) != reach.base.shape:
        raise Unsupported("a value larger than the places that it goes to")
    value = lowering.views.expand(value, reach.base.shape)
    return Scattered(onto.shape, onto.dtype, onto, value, reach, combine)


def _same_dtype(x: Tensor, source: Any) -> None:
    if not isinstance(source, Tensor) or source.dtype is not x.dtype:
        raise Unsupported("a source of another dtype")


def _number(lowering: Lowering, x: Tensor, index: Tensor, value: Any) -> Tensor:
    """A number as a value of the dtype of `x` for each index. It is computed beside the index,
    which the compiler finds to have no part in it.
    """
    itself = apply_row(lowering, "aten::eq.Tensor", index, index)
    beside = lowering.converted(index, x.dtype)
    return apply_row(lowering, "aten::masked_fill.Scalar", beside, itself, value)


_COMBINE = {"add": "sum", "multiply": "prod"}


def _scatter(
    lowering: Lowering, x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: Any = None
) -> Tensor:
    _same_dtype(x, source)
    reach = _along(lowering, _target(x), dim, index)
    source = _vector(lowering, source)
    shape = reach.base.shape
    if len(source.shape) != len(shape) or any(
        n > size for n, size in zip(shape, source.shape, strict=True)
    ):
        raise Unsupported("a source smaller than the index")
    for d, size in enumerate(shape):
        if size < source.shape[d]:
            source = lowering.views.view(source, Step(NARROW, (d, 0, size)))
    return _write(lowering, x, reach, source, _combine(reduce))


def _combine(reduce: Any) -> str:
    found = "" if reduce is None else _COMBINE.get(reduce)
    if found is None:
        raise Unsupported(f"a scatter that reduces by {reduce}")
    return found


def _scatter_value(
    lowering: Lowering, x: Tensor, dim: int, index: Tensor, value: Any, reduce: Any = None
) -> Tensor:
    reach = _along(lowering, _target(x), dim, index)
    number = _number(lowering, x, reach.indices[0], value)
    return _write(lowering, x, reach, number, _combine(reduce))


def _scatter_add(lowering: Lowering, x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    return _scatter(lowering, x, dim, index, source, "add")


def _into_slices(
    lowering: Lowering, x: Tensor, dim: int, index: Tensor, source: Tensor, combine: str = ""
) -> Tensor:
    _same_dtype(x, source)
    reach = _slices(lowering, _target(x), dim, index, False)
    if source.shape not in (reach.base.shape, ()) or (x.shape and not source.shape):
        raise Unsupported("a source of another shape than the slices")
    return _write(lowering, x, reach, source, combine)


def _index_add(
    lowering: Lowering, x: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Any
) -> Tensor:
    if alpha != 1:
        if isinstance(alpha, float) > x.dtype.is_floating_point or x.dtype is dtypes.bool_:
            raise Unsupported("a factor of another kind")
        _same_dtype(x, source)
        source = apply_row(lowering, "aten::mul.Scalar", source, alpha)
    return _into_slices(lowering, x, dim, index, source, "sum")


def _index_fill(lowering: Lowering, x: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    reach = _slices(lowering, _target(x), dim, index, True)
    if not isinstance(value, Tensor):
        value = _number(lowering, x, reach.indices[0], value)
    elif value.shape:
        raise Unsupported("a value with dimensions")
    return _write(lowering, x, reach, lowering.converted(value, x.dtype))


def _index_put(
    lowering: Lowering, x: Tensor, indices: Any, values: Tensor, accumulate: bool
) -> Tensor:
    value = lowering.converted(values, x.dtype)
    if isinstance(indices, list) and len(indices) == 1 and _is_mask(indices[0]):
        return _masked(lowering, x, indices[0], value, accumulate)
    reach = _subscript(lowering, _target(x), _list(indices))
    return _write(lowering, x, reach, value, "sum" if accumulate else "")


def _masked(
    lowering: Lowering, x: Tensor, mask: Tensor, value: Tensor, accumulate: bool
) -> Tensor:
    """`x[mask] = value` where each place gets the same."""
    rest = x.shape[len(mask.shape) :]
    if mask.shape != x.shape[: len(mask.shape)] or len(value.shape) > len(rest):
        raise Unsupported("a mask of another shape, or a value for each of its places")
    if broadcast_shape([value.shape, rest]) != rest:
        raise Unsupported("a value larger than the places that it goes to")
    chosen = lowering.converted(mask, dtypes.bool_)
    for _ in rest:
        chosen = lowering.views.view(chosen, Step(UNSQUEEZE, (-1,)))
    new = apply_row(lowering, "aten::add.Tensor", x, value) if accumulate else value
    return apply_row(lowering, "aten::where.self", chosen, new, x)


SCATTERS: dict[str, Callable[..., Tensor]] = {
    "aten::scatter.src": _scatter,
    "aten::scatter.reduce": _scatter,
    "aten::scatter.value": _scatter_value,
    "aten::scatter.value_reduce": _scatter_value,
    "aten::scatter_add": _scatter_add,
    "aten::index_add": _index_add,
    "aten::index_copy": _into_slices,
    "aten::index_fill.int_Scalar": _index_fill,
    "aten::index_fill.int_Tensor": _index_fill,
    "aten::index_put": _index_put,
    "aten::index_put.hacked_twin": _index_put,
}
"""Rows that write at computed places, onto a copy."""
REACHING = {**GATHERS, **SCATTERS}
SUBSCRIPTS = frozenset(("jit::array_item", "jit::array_item.two", "jit::numpy_index"))
"""Rows of these that stand for other things too, where they have no index arrays."""
