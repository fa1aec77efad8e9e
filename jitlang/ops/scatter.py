"""Rows that write along indices of one dimension: scatter, scatter_add, index_add, index_fill,
index_copy.

The in-place row does the work; the other one does it on a copy. Where an index is named twice,
`add` sums in row-major order of the index, and everything else keeps the last of the values in that
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .creation import as_dtype
from .index import along, check_bounds, gather_index, refuse_overlap, row_major
from .rows import op, writes_as
from .rules import same_type, wrap_dim, written_type

Writer = Callable[..., Any]


def _both(name: str, signature: str, write: Writer, overload: str = "") -> None:
    """The row `name_` with a kernel that writes, and the row `name` that writes into a copy."""
    suffix = f".{overload}" if overload else ""

    def on_copy(xp: Any, a: Any, *args: Any) -> Any:
        return write(xp, xp.array(a), *args)

    pure = op(
        f"aten::{name}{suffix}(Tensor self, {signature}) -> Tensor", impl=on_copy, infer=same_type
    )
    written = op(
        f"aten::{name}_{suffix}(Tensor(a!) self, {signature}) -> Tensor(a!)",
        impl=write,
        infer=written_type,
        function=None,
    )
    writes_as(written, pure)


def _target(xp: Any, name: str, a: Any, dim: int, index: Any) -> tuple[Any, Any]:
    """The written array and the NumPy index of its elements; a 0-dim array becomes a vector."""
    refuse_overlap(a)
    at = wrap_dim(dim, a.ndim)
    if index.size == 0:
        return a.reshape((-1,)), slice(0, 0)
    at = gather_index(xp, name, a, dim, index, "self")
    if a.ndim == 0 or index.ndim == 0:
        return a.reshape((-1,)), (row_major(index.reshape((-1,))),)
    return a, along(xp, at, index)


def _source(name: str, a: Any, index: Any, source: Any) -> Any:
    if source.dtype != a.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    if index.size == 0:
        return source.reshape((-1,))[:0]
    if max(source.ndim, 1) != max(index.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    if index.size > source.size:
        raise RuntimeError(
            f"Expected index {[*index.shape]} to be no larger size than src {[*source.shape]}"
        )
    if source.ndim == 0 or index.ndim == 0:
        return source.reshape((-1,))[: index.size]
    for d in range(index.ndim):
        if index.shape[d] > source.shape[d]:
            raise RuntimeError(
                f"Expected index {[*index.shape]} to be no larger than src {[*source.shape]}"
            )
    return source[tuple(slice(0, n) for n in index.shape)]


def _combine(xp: Any, target: Any, key: Any, values: Any, reduce: str) -> None:
    if reduce == "add":
        xp.add.at(target, key, values)
    elif reduce == "multiply":
        xp.multiply.at(target, key, values)
    else:
        raise RuntimeError("reduce argument must be either add or multiply.")


def _scatter(xp: Any, a: Any, dim: int, index: Any, source: Any, reduce: str | None = None) -> Any:
    target, key = _target(xp, "scatter", a, dim, index)
    values = _source("scatter", a, index, source)
    if reduce is not None:
        _combine(xp, target, key, values, reduce)
    else:
        target[key] = values
    return a


def _scatter_value(
    xp: Any, a: Any, dim: int, index: Any, value: Any, reduce: str | None = None
) -> Any:
    target, key = _target(xp, "scatter", a, dim, index)
    number = as_dtype(value, a.dtype)
    if reduce is not None:
        _combine(xp, target, key, a.dtype.type(number), reduce)
    else:
        target[key] = number
    return a


def _scatter_add(xp: Any, a: Any, dim: int, index: Any, source: Any) -> Any:
    target, key = _target(xp, "scatter_add", a, dim, index)
    xp.add.at(target, key, _source("scatter_add", a, index, source))
    return a


_both("scatter", "int dim, Tensor index, Tensor src", _scatter, "src")
_both("scatter", "int dim, Tensor index, Scalar value", _scatter_value, "value")
_both("scatter", "int dim, Tensor index, Tensor src, *, str reduce", _scatter, "reduce")
_both(
    "scatter", "int dim, Tensor index, Scalar value, *, str reduce", _scatter_value, "value_reduce"
)
_both("scatter_add", "int dim, Tensor index, Tensor src", _scatter_add)


# Reductions into places ---------------------------------------------------------------------------

_INTO: dict[str, str] = {
    "sum": "add", "prod": "multiply", "mean": "add", "amax": "maximum", "amin": "minimum",
}  # fmt: skip
_NEUTRAL: dict[str, float] = {
    "sum": 0, "prod": 1, "mean": 0, "amax": -math.inf, "amin": math.inf,
}  # fmt: skip


def _neutral(how: str, dtype: Any) -> Any:
    """What changes nothing in a reduction: of integers their bounds stand for the infinities."""
    value = _NEUTRAL[how]
    if not math.isinf(value) or dtype.kind not in "iub":
        return dtype.type(value)
    if dtype.kind == "b":
        return value > 0
    bounds = np.iinfo(dtype)
    return bounds.max if value > 0 else bounds.min


def _reduce_into(xp: Any, target: Any, key: Any, values: Any, how: str, include_self: bool) -> None:
    """Reduce values into the places that the key names, by themselves or with what is there.

    A mean is a sum divided by how many were added; of integers it is rounded down.

    Raises:
        RuntimeError: there is no such reduction.
    """
    if how not in _INTO:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {how}."
        )
    if not include_self:
        target[key] = _neutral(how, target.dtype)
    getattr(xp, _INTO[how]).at(target, key, values)
    if how != "mean":
        return
    counts = xp.full(target.shape, 1 if include_self else 0, "int64")
    xp.add.at(counts, key, 1)
    whole = xp.maximum(counts, 1)
    target[...] = target // whole if target.dtype.kind in "iu" else target / whole


def _scatter_reduce(
    xp: Any, a: Any, dim: int, index: Any, source: Any, how: str, include_self: bool
) -> Any:
    target, key = _target(xp, "scatter", a, dim, index)
    values = _source("scatter", a, index, source)
    _reduce_into(xp, target, key, values, how, include_self)
    return a


_both(
    "scatter_reduce",
    "int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True",
    _scatter_reduce,
    "two",
)


# Whole slices -------------------------------------------------------------------------------------


def _slices(
    xp: Any, name: str, a: Any, dim: int, index: Any, *, negative: bool = False
) -> tuple[Any, Any]:
    """The written array and the index of whole slices along `dim`."""
    refuse_overlap(a)
    at = wrap_dim(dim, a.ndim)
    if index.ndim > 1:
        error = RuntimeError if name == "index_fill" else IndexError
        raise error(f"{name}_(): Index is supposed to be a vector")
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"{name}_(): Expected dtype int32/int64 for index")
    target = a if a.ndim else a.reshape((1,))
    flat = row_major(index.reshape((-1,)))
    size = target.shape[at]
    check_bounds(xp, flat, at, size, lowest=-size if negative else 0)
    return target, (*(slice(None),) * at, flat)


def _index_add(xp: Any, a: Any, dim: int, index: Any, source: Any, alpha: Any) -> Any:
    target, key = _slices(xp, "index_add", a, dim, index)
    if source.dtype != a.dtype:
        raise RuntimeError("index_add_(): self and source must have the same scalar type")
    if a.ndim and not source.ndim:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {[*a.shape]} source.shape = []"
        )
    values = source if alpha == 1 else source * a.dtype.type(alpha)
    _fit(xp, target, key, values)
    xp.add.at(target, key, values)
    return a


def _index_copy(xp: Any, a: Any, dim: int, index: Any, source: Any) -> Any:
    target, key = _slices(xp, "index_copy", a, dim, index)
    if source.dtype != a.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{a.dtype} and (source) {source.dtype}"
        )
    if not source.ndim and index.size != 1:
        raise IndexError(
            "index_copy_(): When source is scalar, index should have one element (got "
            f"{index.size})"
        )
    _fit(xp, target, key, source)
    target[key] = source
    return a


def _fit(xp: Any, target: Any, key: Any, source: Any) -> None:
    wanted = target[key].shape
    if source.shape != wanted and source.ndim:
        raise RuntimeError(
            f"the source has shape {[*source.shape]}, but the indexed slices have shape {[*wanted]}"
        )


def _index_fill(xp: Any, a: Any, dim: int, index: Any, value: Any) -> Any:
    if hasattr(value, "dtype") and value.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    target, key = _slices(xp, "index_fill", a, dim, index, negative=True)
    target[key] = value if hasattr(value, "dtype") else as_dtype(value, a.dtype)
    return a


_both("index_add", "int dim, Tensor index, Tensor source, *, Scalar alpha=1", _index_add)
_both("index_copy", "int dim, Tensor index, Tensor source", _index_copy)
_both("index_fill", "int dim, Tensor index, Scalar value", _index_fill, "int_Scalar")
_both("index_fill", "int dim, Tensor index, Tensor value", _index_fill, "int_Tensor")


def _index_reduce(
    xp: Any, a: Any, dim: int, index: Any, source: Any, how: str, include_self: bool
) -> Any:
    target, key = _slices(xp, "index_reduce", a, dim, index)
    if source.dtype != a.dtype:
        raise RuntimeError("index_reduce_(): self and source expected to have the same dtype")
    if how == "sum":
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got sum."
        )
    values = source if source.ndim else source.reshape((1,))
    _fit(xp, target, key, values)
    _reduce_into(xp, target, key, values, how, include_self)
    return a


def _put(xp: Any, a: Any, index: Any, source: Any, accumulate: bool) -> Any:
    """Write values to places counted over the whole tensor in row-major order."""
    refuse_overlap(a)
    if index.dtype != "int64":
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {index.dtype}")
    if source.dtype != a.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{a.dtype} and source.dtype = {source.dtype}"
        )
    if index.size != source.size:
        raise RuntimeError(
            f"put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.size}, index.numel() = {index.size}"
        )
    flat = index.reshape((-1,))
    if flat.size and (flat.min() < -a.size or flat.max() >= a.size):
        raise IndexError(f"put_(): an index is out of range for a tensor of {a.size} elements")
    key = xp.unravel_index(flat % max(a.size, 1), a.shape) if a.ndim else ()
    values = source.reshape((-1,))
    if accumulate:
        xp.add.at(a, key, values if a.ndim else values.sum(dtype=a.dtype))
    elif values.size:
        a[key] = values if a.ndim else values[-1]
    return a


_both(
    "index_reduce",
    "int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True",
    _index_reduce,
)
_both("put", "Tensor index, Tensor source, bool accumulate=False", _put)
