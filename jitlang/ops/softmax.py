"""Rows of softmax, log_softmax and logsumexp: shifted by the maximum, so that nothing overflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..dtypes import Category
from ..ir.types import Type
from .creation import dtype_of, keyword_dtype
from .reduce import axes_of, not_supported, reduction_rule
from .rows import op
from .rules import (
    compute_dtype,
    retyped,
    tensor_at,
    wrap_dim,
)


def _prepared(name: str, a: Any, dim: int, dtype: Any) -> tuple[Any, int, Any]:
    """The operand in its compute dtype, the dimension, and the result dtype."""
    kind = dtype_of(dtype, dtypes.from_numpy(a.dtype))
    axis = wrap_dim(dim, a.ndim)
    if dtypes.from_numpy(kind).category < Category.FLOATING:
        raise not_supported(name, a)
    return a.astype(compute_dtype(kind), copy=False), axis, kind


def _softmax(xp: Any, a: Any, dim: int, dtype: Any) -> Any:
    x, axis, kind = _prepared("softmax_lastdim_kernel_impl", a, dim, dtype)
    if x.size == 0 or x.ndim == 0:
        return (x - x + 1).astype(kind)
    raised = x - x.max(axis, keepdims=True)
    xp.exp(raised, raised)
    raised /= raised.sum(axis, keepdims=True)
    return raised.astype(kind, copy=False)


def _log_softmax(xp: Any, a: Any, dim: int, dtype: Any) -> Any:
    x, axis, kind = _prepared("log_softmax_lastdim_kernel_impl", a, dim, dtype)
    if x.size == 0 or x.ndim == 0:
        return (x - x).astype(kind)
    shifted = x - x.max(axis, keepdims=True)
    shifted -= xp.log(xp.exp(shifted).sum(axis, keepdims=True))
    return shifted.astype(kind, copy=False)


def _logsumexp(xp: Any, a: Any, dim: Sequence[int], keepdim: bool) -> Any:
    kind = dtypes.floating(dtypes.from_numpy(a.dtype)).numpy
    x = a.astype(compute_dtype(kind), copy=False)
    axes = axes_of(x, dim)
    if x.size == 0:
        return xp.full(xp.sum(x, axis=axes, keepdims=keepdim).shape, -float("inf"), kind)
    with xp.errstate(invalid="ignore", divide="ignore", under="ignore"):
        top = xp.max(x.real, axis=axes, keepdims=True)
        top = xp.where(xp.isinf(top), x.dtype.type(0), top)
        found = xp.log(xp.sum(xp.exp(x - top), axis=axes, keepdims=True)) + top
    return (found if keepdim else found.squeeze(axes)).astype(kind, copy=False)


def _soft_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first = tensor_at(types)
    return retyped(first, keyword_dtype(constants[2], first.dtype))


def _softmax_grad(m: Any, g: Any, r: Any, a: Any, dim: Any, dtype: Any) -> tuple[Any, ...]:
    weighted = g * r
    return (weighted - r * m.sum(weighted, [dim], True),)


def _log_softmax_grad(m: Any, g: Any, r: Any, a: Any, dim: Any, dtype: Any) -> tuple[Any, ...]:
    return (g - m.exp(r) * m.sum(g, [dim], True),)


for _name, _impl, _grad in (
    ("softmax", _softmax, _softmax_grad),
    ("log_softmax", _log_softmax, _log_softmax_grad),
):
    op(
        f"aten::{_name}.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
        impl=_impl,
        infer=_soft_type,
        grad=_grad,
    )
    op(
        f"aten::_{_name}(Tensor self, int dim, bool half_to_float) -> Tensor",
        impl=lambda xp, a, dim, half, impl=_impl: impl(
            xp, a, dim, dtypes.float32 if half else None
        ),
        function=None,
        method=None,
    )
op(
    "aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor",
    impl=_logsumexp,
    infer=reduction_rule(
        1, 2, None, lambda own: own if own and own.category >= Category.FLOATING else None
    ),
)
