"""Rows of order and of triangles: sort, argsort, topk, kthvalue, searchsorted, unique, bincount,
tril, triu, diag.

NaN is the largest value, as in torch. Every sort is stable, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..ir.types import Type
from .creation import dtype_of
from .rows import inplace, op
from .rules import (
    compute_dtype,
    made,
    replaced,
    retyped,
    same_type,
    static_dim,
    tensor_at,
    unknown_sizes,
    wrap_dim,
)

# Sorting ------------------------------------------------------------------------------------------


def order_of(xp: Any, a: Any, axis: int, descending: bool) -> Any:
    """The stable order of a tensor along a dimension, as int64."""
    wide = a.astype(compute_dtype(a.dtype), copy=False)
    if not descending:
        return xp.argsort(wide, axis=axis, kind="stable").astype("int64", copy=False)
    # Equal elements must stay in order: sort from the far end, then turn both around.
    backwards = xp.argsort(xp.flip(wide, axis), axis=axis, kind="stable")
    return (a.shape[axis] - 1 - xp.flip(backwards, axis)).astype("int64", copy=False)


def _sort(xp: Any, a: Any, dim: int, descending: bool) -> Any:
    axis = wrap_dim(dim, a.ndim)
    if a.dtype.kind == "c":
        raise RuntimeError("Sort does not support complex dtypes on CPU")
    if a.ndim == 0:
        return a.copy(), xp.zeros((), "int64")
    order = order_of(xp, a, axis, descending)
    return xp.take_along_axis(a, order, axis), order


def _topk(xp: Any, a: Any, k: int, dim: int, largest: bool, sorted: bool) -> Any:
    axis = wrap_dim(dim, a.ndim)
    if a.dtype.kind in "bc":
        kind = "bool" if a.dtype.kind == "b" else "complex"
        raise RuntimeError(f"topk does not support {kind} dtypes on CPU")
    size = a.shape[axis] if a.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError("selected index k out of range")
    if a.ndim == 0:
        return a.copy(), xp.zeros((), "int64")
    first = (*(slice(None),) * axis, slice(0, k))
    order = order_of(xp, a, axis, largest)[first].copy()
    return xp.take_along_axis(a, order, axis), order


def _kthvalue(xp: Any, a: Any, k: int, dim: int, keepdim: bool) -> Any:
    axis = wrap_dim(dim, a.ndim)
    size = a.shape[axis] if a.ndim else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}")
    if a.ndim == 0:
        return a.copy(), xp.zeros((), "int64")
    place = (*(slice(None),) * axis, slice(k - 1, k))
    order = order_of(xp, a, axis, False)[place]
    values = xp.take_along_axis(a, order, axis)
    return (values, order) if keepdim else (values.squeeze(axis), order.squeeze(axis))


def _pair_like(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    first = tensor_at(types)
    return made(first, first.sizes), retyped(first, dtypes.int64)


def _topk_type(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    first = tensor_at(types)
    axis = static_dim(first.rank, constants[2])
    sizes = unknown_sizes(first.rank)
    if first.sizes and axis is not None:
        sizes = replaced(first.sizes, axis, constants[1] if isinstance(constants[1], int) else None)
    return made(first, sizes), made(first, sizes, dtypes.int64)


def _index_like(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return retyped(tensor_at(types), dtypes.int64)


op(
    "aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)",
    impl=_sort,
    infer=_pair_like,
)
op(
    "aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> "
    "(Tensor values, Tensor indices)",
    impl=lambda xp, a, stable, dim, descending: _sort(xp, a, dim, descending),
    infer=_pair_like,
)
op(
    "aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor",
    impl=lambda xp, a, dim, descending: _sort(xp, a, dim, descending)[1],
    infer=_index_like,
)
op(
    "aten::argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> "
    "Tensor",
    impl=lambda xp, a, stable, dim, descending: _sort(xp, a, dim, descending)[1],
    infer=_index_like,
)
op(
    "aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> "
    "(Tensor values, Tensor indices)",
    impl=_topk,
    infer=_topk_type,
)
op(
    "aten::kthvalue(Tensor self, SymInt k, int dim=-1, bool keepdim=False) -> (Tensor values, "
    "Tensor indices)",
    impl=_kthvalue,
)


# Searching and counting ---------------------------------------------------------------------------


def _searchsorted(
    xp: Any, sequence: Any, values: Any, out_int32: bool, right: bool, side: str | None, sorter: Any
) -> Any:
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if right and side == "left":
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    if sorter is not None and sorter.dtype != "int64":
        raise RuntimeError(
            "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype "
            f"{dtypes.from_numpy(sorter.dtype).graph_name}"
        )
    where = "right" if right or side == "right" else "left"
    kind = "int32" if out_int32 else "int64"
    if sequence.ndim == 1:
        if sorter is not None:
            sequence = sequence[sorter]
        return xp.searchsorted(sequence, values, where).astype(kind)
    if not hasattr(values, "shape") or sequence.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match"
        )
    if sorter is not None:
        sequence = xp.take_along_axis(sequence, sorter, -1)
    if not sequence.size or not values.size:
        return xp.zeros(values.shape, kind)
    rows = sequence.reshape((-1, sequence.shape[-1]))
    wanted = values.reshape((-1, values.shape[-1]))
    found = [xp.searchsorted(row, want, where) for row, want in zip(rows, wanted, strict=True)]
    return xp.stack(found).reshape(values.shape).astype(kind)


def _bincount(xp: Any, a: Any, weights: Any, minlength: int) -> Any:
    if a.ndim != 1 or a.dtype.kind not in "iu" or (a.size and a.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    counted = xp.bincount(a, weights, minlength)
    return counted if weights is None or weights.dtype == "float32" else counted.astype("float64")


_UNIQUE = "bool sorted=True, bool return_inverse=False, bool return_counts=False"


def _unique(xp: Any, a: Any, sorted: bool, return_inverse: bool, return_counts: bool) -> Any:
    values, inverse, counts = xp.unique(a, return_inverse=True, return_counts=True, equal_nan=False)
    nothing = xp.empty(0, "int64")
    return (
        values,
        inverse.reshape(a.shape).astype("int64") if return_inverse else nothing,
        counts.astype("int64") if return_counts else nothing,
    )


_SEARCH_TAIL = "*, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None"
op(
    f"aten::searchsorted.Tensor(Tensor sorted_sequence, Tensor self, {_SEARCH_TAIL}) -> Tensor",
    impl=_searchsorted,
    method=None,
)
op(
    f"aten::searchsorted.Scalar(Tensor sorted_sequence, Scalar self, {_SEARCH_TAIL}) -> Tensor",
    impl=_searchsorted,
    method=None,
)
op(
    "aten::bincount(Tensor self, Tensor? weights=None, SymInt minlength=0) -> Tensor",
    impl=_bincount,
)
op(
    f"aten::_unique2(Tensor self, {_UNIQUE}) -> (Tensor, Tensor, Tensor)",
    impl=_unique,
    function=None,
    method=None,
)


# Triangles and diagonals --------------------------------------------------------------------------


def _triangle(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, diagonal: int) -> Any:
        if a.ndim < 2:
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
        return getattr(xp, name)(a, diagonal)

    return impl


for _name in ("tril", "triu"):
    inplace(
        op(
            f"aten::{_name}(Tensor self, SymInt diagonal=0) -> Tensor",
            impl=_triangle(_name),
            infer=same_type,
        )
    )


def _triangle_indices(name: str) -> Callable[..., Any]:
    def impl(xp: Any, row: int, col: int, offset: int, dtype: Any, *rest: Any) -> Any:
        for kind, length in (("row", row), ("col", col)):
            if length < 0:
                raise RuntimeError(f"{kind} must be non-negative, got {length}")
        both = getattr(xp, f"{name}_indices")(row, offset, col)
        return xp.stack(both).astype(dtype_of(dtype, dtypes.int64))

    return impl


for _name in ("tril", "triu"):
    op(
        f"aten::{_name}_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? "
        "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
        impl=_triangle_indices(_name),
        method=None,
    )


def _diag(xp: Any, a: Any, diagonal: int) -> Any:
    if a.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {a.ndim}D")
    return xp.diag(a, diagonal).copy()


op("aten::diag(Tensor self, int diagonal=0) -> Tensor", impl=_diag)


def _one_hot(xp: Any, a: Any, classes: int) -> Any:
    if a.dtype != dtypes.int64.numpy:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, found {a.dtype}"
        )
    if a.size == 0 and classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if a.size and a.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    count = classes if classes != -1 else int(a.max()) + 1
    if a.size and a.max() >= count:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return (a[..., None] == xp.arange(count)).astype("int64")


op(
    "aten::one_hot(Tensor self, int num_classes=-1) -> Tensor",
    impl=_one_hot,
    method=None,
    infer=lambda types, constants: made(
        tensor_at(types),
        unknown_sizes(
            None if tensor_at(types).rank is None else len(tensor_at(types).sizes or ()) + 1
        ),
        dtypes.int64,
    ),
)
