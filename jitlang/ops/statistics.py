"""Rows of statistics and norms: var, std, vector norms, median, distance.

Variance is computed in two passes (mean, then squared deviations) and divided by `n - correction`,
which gives NaN where that is not positive and there is nothing to divide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.opdef import OPS
from ..ir.types import TensorType, Type
from .creation import dtype_of, keyword_dtype
from .reduce import Dims, axes_of, pair_rule, reduction_rule
from .rows import kernel_of, op
from .rules import compute_dtype, tensor_at, wrap_dim

# Variance -----------------------------------------------------------------------------------------


def _variance(xp: Any, a: Any, dim: Dims, correction: float, keepdim: bool) -> tuple[Any, Any]:
    """Variance and mean, in the compute dtype."""
    if dtypes.from_numpy(a.dtype).category < Category.FLOATING:
        raise RuntimeError("std and var only support floating point and complex dtypes")
    axes = axes_of(a, dim)
    x = a.astype(compute_dtype(a.dtype), copy=False)
    count = math.prod(a.shape[axis] for axis in axes)
    with xp.errstate(invalid="ignore", divide="ignore"):
        mean = xp.sum(x, axis=axes, keepdims=True) / x.dtype.type(count)
        apart = x - mean
        squares = (apart * apart.conj()).real if x.dtype.kind == "c" else apart * apart
        total = xp.sum(squares, axis=axes, keepdims=keepdim)
        variance = total / total.dtype.type(max(count - correction, 0))
    return variance, mean if keepdim else mean.squeeze(axes)


def _moments(root: bool, with_mean: bool) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: Dims, correction: float, keepdim: bool) -> Any:
        variance, mean = _variance(xp, a, dim, correction, keepdim)
        spread = xp.sqrt(variance) if root else variance
        kind = a.dtype if a.dtype.kind != "c" else spread.dtype
        spread = spread.astype(kind, copy=False)
        return (spread, mean.astype(a.dtype, copy=False)) if with_mean else spread

    return impl


def _real(own: DType | None) -> DType | None:
    return None if own is None else dtypes.to_real(own)


def _with_mean(dim: int | None, keep: int | None) -> Any:
    one = reduction_rule(dim, keep, None, _real)
    two = reduction_rule(dim, keep)
    return lambda types, constants: (one(types, constants), two(types, constants))


for _name, _root in (("var", False), ("std", True)):
    for _suffix, _mean in (("", False), ("_mean", True)):
        _impl = _moments(_root, _mean)
        _returns = "(Tensor, Tensor)" if _mean else "Tensor"
        _rule: Any = (
            _with_mean if _mean else lambda dim, keep: reduction_rule(dim, keep, None, _real)
        )
        op(
            f"aten::{_name}{_suffix}(Tensor self, bool unbiased=True) -> {_returns}",
            impl=lambda xp, a, unbiased, impl=_impl: impl(xp, a, None, int(unbiased), False),
            infer=_rule(None, None),
            method=None if _mean else "",
        )
        op(
            f"aten::{_name}{_suffix}.dim(Tensor self, int[1]? dim, bool unbiased=True, bool "
            f"keepdim=False) -> {_returns}",
            impl=lambda xp, a, dim, unbiased, keep, impl=_impl: impl(
                xp, a, dim, int(unbiased), keep
            ),
            infer=_rule(1, 3),
            method=None if _mean else "",
        )
        op(
            f"aten::{_name}{_suffix}.correction(Tensor self, int[1]? dim=None, *, Scalar? "
            f"correction=None, bool keepdim=False) -> {_returns}",
            impl=lambda xp, a, dim, correction, keep, impl=_impl: impl(
                xp, a, dim, 1 if correction is None else correction, keep
            ),
            infer=_rule(1, 3),
            method=None if _mean else "",
        )


# Norms --------------------------------------------------------------------------------------------


def vector_norm(xp: Any, a: Any, order: Any, dim: Dims, keepdim: bool, dtype: Any = None) -> Any:
    """The `order`-norm over dimensions, in the real dtype of the operand.

    Raises:
        RuntimeError: the operand is not floating, or the norm of nothing is not defined.
    """
    own = dtypes.from_numpy(a.dtype)
    if own.category < Category.FLOATING:
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{own.graph_name}"
        )
    wanted = dtypes.from_numpy(dtype_of(dtype, own))
    if wanted.category < Category.FLOATING:
        raise RuntimeError(
            "norm(): the desired output dtype should be either floating point or complex. Got "
            f"{wanted.graph_name} instead."
        )
    if dtype is not None and wanted.is_complex != own.is_complex:
        raise RuntimeError(
            "linalg.vector_norm: dtype should be complex for complex inputs and real for real "
            f"inputs, but got {wanted.graph_name}"
        )
    if dtypes.promote_types(wanted, own) is not wanted:
        raise RuntimeError(
            f"linalg.vector_norm: the dtype of the input ({own.graph_name}) should be convertible "
            f"without narrowing to the specified dtype ({wanted.graph_name})"
        )
    kind = dtypes.to_real(wanted).numpy
    axes = axes_of(a, dim)
    size = xp.abs(a).astype(compute_dtype(kind), copy=False)
    if (math.isinf(order) or order < 0) and any(a.shape[axis] == 0 for axis in axes):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {order} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    if math.isinf(order):
        pick = xp.max if order > 0 else xp.min
        return pick(size, axis=axes, keepdims=keepdim).astype(kind, copy=False)
    return _finite_norm(xp, size, order, axes, keepdim).astype(kind, copy=False)


def _finite_norm(xp: Any, size: Any, order: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
    if order == 0:
        return xp.sum(size != 0, axis=axes, keepdims=keepdim, dtype=size.dtype)
    if order == 1:
        return xp.sum(size, axis=axes, keepdims=keepdim)
    if order == 2:
        return xp.sqrt(xp.sum(size * size, axis=axes, keepdims=keepdim))
    exponent = size.dtype.type(order)
    with xp.errstate(divide="ignore"):
        return xp.sum(size**exponent, axis=axes, keepdims=keepdim) ** (1 / exponent)


def _norm_type(dim: int | None, keep: int | None, dtype: int | None = None) -> Any:
    rule = reduction_rule(dim, keep, None, _real)

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        found = rule(types, constants)
        if dtype is None or not isinstance(found, TensorType):
            return found  # type: ignore[return-value]  # a reduction has one result
        return found.refined(dtype=_real(keyword_dtype(constants[dtype], tensor_at(types).dtype)))

    return infer


op(
    "aten::norm.Scalar(Tensor self, Scalar p=2) -> Tensor",
    impl=lambda xp, a, p: vector_norm(xp, a, p, None, False),
    infer=_norm_type(None, None),
)
op(
    "aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor",
    impl=lambda xp, a, p, dim, keep: vector_norm(xp, a, 2 if p is None else p, dim, keep),
    infer=_norm_type(2, 3),
)
op(
    "aten::norm.ScalarOpt_dim_dtype(Tensor self, Scalar? p, int[1] dim, bool keepdim, *, "
    "ScalarType dtype) -> Tensor",
    impl=lambda xp, a, p, dim, keep, dtype: vector_norm(
        xp, a, 2 if p is None else p, dim, keep, dtype
    ),
    infer=_norm_type(2, 3, 4),
)
op(
    "aten::norm.ScalarOpt_dtype(Tensor self, Scalar? p, *, ScalarType dtype) -> Tensor",
    impl=lambda xp, a, p, dtype: vector_norm(xp, a, 2 if p is None else p, None, False, dtype),
    infer=_norm_type(None, None, 2),
)
op(
    "aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, "
    "*, ScalarType? dtype=None) -> Tensor",
    impl=vector_norm,
    infer=_norm_type(2, 3, 4),
    method=None,
)


def _difference(xp: Any, a: Any, b: Any) -> Any:
    row = OPS.find("aten::sub.Tensor")
    assert row is not None
    return kernel_of(row, xp)(a, b, 1)


op(
    "aten::dist(Tensor self, Tensor other, Scalar p=2) -> Tensor",
    impl=lambda xp, a, b, p: vector_norm(xp, _difference(xp, a, b), p, None, False),
)


# Order statistics ---------------------------------------------------------------------------------


def _median(xp: Any, a: Any) -> Any:
    """The lower of two middle values; NaN if there is one or nothing."""
    if a.size == 0:
        if a.dtype.kind in "iub":
            raise RuntimeError("median() of an empty tensor of integers")
        return xp.full((), float("nan"), a.dtype)
    flat = a.reshape((-1,)).astype(compute_dtype(a.dtype), copy=False)
    if flat.dtype.kind == "f" and xp.isnan(flat).any():
        return xp.full((), float("nan"), a.dtype)
    middle = (flat.size - 1) // 2
    return xp.partition(flat, middle)[middle].astype(a.dtype)


def _median_dim(xp: Any, a: Any, dim: int, keepdim: bool) -> Any:
    axis = wrap_dim(dim, a.ndim)
    if a.ndim == 0:
        return a.copy(), xp.zeros((), "int64")
    if a.shape[axis] == 0:
        raise IndexError(f"median(): Expected reduction dim {axis} to have non-zero size.")
    wide = a.astype(compute_dtype(a.dtype), copy=False)
    order = xp.argsort(wide, axis=axis, kind="stable")
    middle = (a.shape[axis] - 1) // 2
    found = xp.take(order, xp.asarray([middle]), axis)
    if wide.dtype.kind == "f":
        nans = xp.isnan(wide)
        first = xp.expand_dims(xp.argmax(nans, axis=axis), axis)
        found = xp.where(nans.any(axis=axis, keepdims=True), first, found)
    values = xp.take_along_axis(a, found, axis)
    return (values, found) if keepdim else (values.squeeze(axis), found.squeeze(axis))


op("aten::median(Tensor self) -> Tensor", impl=_median, infer=reduction_rule(None, None))
op(
    "aten::median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    impl=_median_dim,
    infer=pair_rule(1, 2),
)
