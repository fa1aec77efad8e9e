"""Rows that scan along a dimension: cumsum, cumprod, cummax, cummin, diff."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..ir.types import Type
from .creation import keyword_dtype
from .kernels import write
from .reduce import summed, summed_dtype
from .rows import op
from .rules import (
    compute_dtype,
    made,
    result_dtype,
    retyped,
    tensor_at,
    wide,
    wrap_dim,
    written_type,
)

# Running sums -------------------------------------------------------------------------------------


def _running(function: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: int, dtype: Any) -> Any:
        kind = summed_dtype(a, dtype)
        axis = wrap_dim(dim, a.ndim)
        if a.ndim == 0:
            return a.astype(kind)
        wide = compute_dtype(kind)
        return getattr(xp, function)(a, axis=axis, dtype=wide).astype(kind, copy=False)

    return impl


def _running_into(function: str) -> Callable[..., Any]:
    """The in-place form, which computes in the tensor's own dtype."""
    running = _running(function)

    def impl(xp: Any, a: Any, dim: int, dtype: Any) -> Any:
        own = dtypes.from_numpy(a.dtype)
        if dtype is not None and dtype is not own:
            raise RuntimeError(
                f"Bad in-place call: input tensor dtype {own.graph_name} and output tensor dtype "
                f"{dtype.graph_name} should match"
            )
        return write(a, running(xp, a, dim, own))

    return impl


def _running_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first = tensor_at(types)
    return retyped(first, keyword_dtype(constants[2], summed(first.dtype)))


def _running_extremum(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: int) -> Any:
        axis = wrap_dim(dim, a.ndim)
        if a.ndim == 0:
            return a.copy(), xp.zeros((), "int64")
        values = getattr(xp, name).accumulate(wide(a), axis=axis)
        places = xp.arange(a.shape[axis]).reshape((-1,) + (1,) * (a.ndim - 1 - axis))
        # The position is that of the last element which equals the extremum so far, or of the last
        # NaN.
        given = wide(a)
        fresh = (given == values) | (given != given)
        if a.shape[axis]:
            head = (slice(None),) * axis + (slice(0, 1),)
            fresh[head] = True
        indices = xp.maximum.accumulate(xp.where(fresh, places, 0), axis=axis)
        return values.astype(a.dtype, copy=False), indices

    return impl


def _running_pair(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    first = tensor_at(types)
    return made(first, first.sizes), retyped(first, dtypes.int64)


def _cumsum_grad(m: Any, g: Any, r: Any, a: Any, dim: Any, dtype: Any) -> tuple[Any, ...]:
    return (m.flip(m.cumsum(m.flip(g, [dim]), dim), [dim]),)


for _name, _grad in (("cumsum", _cumsum_grad), ("cumprod", None)):
    op(
        f"aten::{_name}(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
        impl=_running(_name),
        infer=_running_type,
        grad=_grad,
    )
    op(
        f"aten::{_name}_(Tensor(a!) self, int dim, *, ScalarType? dtype=None) -> Tensor(a!)",
        impl=_running_into(_name),
        infer=written_type,
    )
for _name, _function in (("cummax", "maximum"), ("cummin", "minimum")):
    op(
        f"aten::{_name}(Tensor self, int dim) -> (Tensor values, Tensor indices)",
        impl=_running_extremum(_function),
        infer=_running_pair,
    )


# Differences --------------------------------------------------------------------------------------


def _fits_along(axis: int, part: Any, a: Any) -> bool:
    """Whether two arrays agree in all sizes but one."""
    return part.ndim == a.ndim and all(
        mine == own or at == axis
        for at, (mine, own) in enumerate(zip(part.shape, a.shape, strict=True))
    )


def _diff(xp: Any, a: Any, n: int, dim: int, prepend: Any, append: Any) -> Any:
    if a.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    axis = wrap_dim(dim, a.ndim)
    joined = [part for part in (prepend, a, append) if part is not None]
    if n == 0:
        return a.copy()
    if any(not _fits_along(axis, part, a) for part in joined):
        raise RuntimeError(
            "diff expects the shape of tensor to prepend or append to match that of input except "
            "along the differencing dimension"
        )
    dtype = result_dtype(joined)
    whole = xp.concatenate([part.astype(dtype, copy=False) for part in joined], axis)
    return xp.diff(whole, n, axis)


op(
    "aten::diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> "
    "Tensor",
    impl=_diff,
)
