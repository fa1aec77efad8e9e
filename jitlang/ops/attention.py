"""Rows of embeddings, padding and attention, and activations with parameters of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..ir.opdef import Effect
from ..ir.types import Type
from .composite import Calls
from .creation import as_dtype
from .reduce import not_supported
from .rows import op
from .rules import compute_dtype, made, same_type, tensor_at, unknown_sizes, wrap_dim

# Embeddings ---------------------------------------------------------------------------------------


def _embedding(xp: Any, weight: Any, indices: Any, padding: int, scale: bool, sparse: bool) -> Any:
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices.dtype not in ("int64", "int32"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {dtypes.from_numpy(indices.dtype).graph_name} instead"
        )
    if indices.size and (indices.min() < 0 or indices.max() >= weight.shape[0]):
        raise IndexError("index out of range in self")
    return weight[indices]


def _embedding_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    weight, indices = tensor_at(types), tensor_at(types, 1)
    if weight.sizes is None or len(weight.sizes) != 2 or indices.sizes is None:
        return made(weight, None)
    return made(weight, (*indices.sizes, weight.sizes[1]))


op(
    "aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool "
    "scale_grad_by_freq=False, bool sparse=False) -> Tensor",
    impl=_embedding,
    infer=_embedding_type,
    method=None,
)

# Padding ------------------------------------------------------------------------------------------

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _widths(a: Any, pad: Sequence[int]) -> list[tuple[int, int]]:
    """What to add at both ends of each dimension; `pad` counts from the last one."""
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * a.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {a.ndim}"
        )
    pairs = [(pad[at], pad[at + 1]) for at in range(0, len(pad), 2)]
    return [(0, 0)] * (a.ndim - len(pairs)) + pairs[::-1]


def _constant_pad(xp: Any, a: Any, pad: Sequence[int], value: Any) -> Any:
    widths = _widths(a, pad)
    sizes = [n + low + high for n, (low, high) in zip(a.shape, widths, strict=True)]
    if min(sizes, default=0) < 0:
        raise RuntimeError(f"The padding {[*pad]} leads to a negative output size")
    padded = xp.full(sizes, as_dtype(value, a.dtype), a.dtype)
    inner = [slice(max(w[0], 0), n - max(w[1], 0)) for n, w in zip(sizes, widths, strict=True)]
    outer = [slice(max(-w[0], 0), n - max(-w[1], 0)) for n, w in zip(a.shape, widths, strict=True)]
    padded[tuple(inner)] = a[tuple(outer)]
    return padded


def _pad(xp: Any, a: Any, pad: Sequence[int], mode: str, value: float | None) -> Any:
    if mode == "constant":
        return _constant_pad(xp, a, pad, 0 if value is None else value)
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if a.ndim * 2 - len(pad) not in (2, 4) or len(pad) not in (2, 4, 6):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        )
    widths = _widths(a, pad)
    for n, width in zip(a.shape, widths, strict=True):
        longest = {"reflect": n - 1, "circular": n}.get(mode, max(*width, 0))
        if max(width) > longest:
            raise RuntimeError(
                f"Padding size should be less than the corresponding input dimension, but got: "
                f"padding {[*pad]} of input {[*a.shape]}"
            )
    if any(min(width) < 0 for width in widths):
        inner = [min(p, 0) for p in pad]
        a, widths = _constant_pad(xp, a, inner, 0), _widths(a, [max(p, 0) for p in pad])
    return xp.pad(a, widths, _MODES[mode])


def _padded_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first = tensor_at(types)
    return made(first, unknown_sizes(first.rank))


op(
    'aten::pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor',
    impl=_pad,
    infer=_padded_type,
    method=None,
)
op(
    "aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
    impl=_constant_pad,
    infer=_padded_type,
    method=None,
)

# Attention ----------------------------------------------------------------------------------------


def _attention(
    xp: Any, query: Any, key: Any, value: Any, mask: Any, dropout: float, causal: bool,
    scale: float | None, grouped: bool,
) -> Any:  # fmt: skip
    """softmax(query key^T scale + mask) value: "Attention Is All You Need", Vaswani et al., 2017.

    Raises:
        RuntimeError: dtypes or shapes do not fit, or a mask is given where `causal` is.
    """
    for name, part in (("query", query), ("key", key), ("value", value)):
        if part.ndim < 2:
            raise RuntimeError(
                f"scaled_dot_product_attention: Expected {name} to be at least 2 dimensional"
            )
        if part.dtype != query.dtype:
            raise RuntimeError(
                "Expected query, key, and value to have the same dtype, but got query.dtype: "
                f"{dtypes.from_numpy(query.dtype)} {name}.dtype: {dtypes.from_numpy(part.dtype)}"
            )
    if not dtypes.from_numpy(query.dtype).is_floating_point:
        raise not_supported("scaled_dot_product_attention", query)
    if mask is not None and causal:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    wide = np.dtype(compute_dtype(query.dtype))
    q, k, v = (part.astype(wide, copy=False) for part in (query, key, value))
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise RuntimeError(
            f"attention does not fit: query {[*query.shape]}, key {[*key.shape]}, value "
            f"{[*value.shape]}"
        )
    if grouped:
        if min(q.ndim, k.ndim, v.ndim) < 3:
            raise IndexError("grouped heads are the third dimension from the end")
        k, v = (xp.repeat(part, q.shape[-3] // max(part.shape[-3], 1), -3) for part in (k, v))
    scale = 1 / math.sqrt(max(q.shape[-1], 1)) if scale is None else scale
    scores = xp.matmul(q * wide.type(scale), k.swapaxes(-1, -2))
    if causal:
        mask = xp.tri(scores.shape[-2], scores.shape[-1], dtype=bool)
    if mask is not None:
        scores = _masked(xp, scores, mask)
    call = Calls(xp)
    weights = call("aten::softmax.int", scores, -1) if scores.size else scores
    # Rows in which nothing may be looked at give zeros.
    weights = xp.where(xp.isneginf(scores).all(-1, keepdims=True), wide.type(0), weights)
    if dropout:
        weights = call("aten::dropout", weights, dropout, True)
    return xp.matmul(weights, v).astype(query.dtype, copy=False)


def _masked(xp: Any, scores: Any, mask: Any) -> Any:
    if mask.dtype.kind == "b":
        return xp.where(mask, scores, scores.dtype.type(-math.inf))
    return scores + mask.astype(scores.dtype, copy=False)


op(
    "aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? "
    "attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool "
    "enable_gqa=False) -> Tensor",
    impl=_attention,
    infer=lambda types, constants: made(tensor_at(types), None),
    effect=Effect.RANDOM,
    method=None,
)

# Activations --------------------------------------------------------------------------------------


def _prelu(xp: Any, a: Any, weight: Any) -> Any:
    """x where x > 0, else weight x, with a weight for all or for each channel."""
    if weight.dtype != a.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {dtypes.from_numpy(a.dtype)} and "
            f"{dtypes.from_numpy(weight.dtype)}"
        )
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if weight.size != 1:
        if not a.ndim:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = a.shape[1] if a.ndim > 1 else 1
        if weight.shape != (channels,):
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.size} and channel size = {channels}."
            )
        weight = weight.reshape((-1,) + (1,) * (a.ndim - 2)) if a.ndim > 1 else weight
    else:
        weight = weight.reshape(())
    return xp.where(a > 0, a, weight * a)


def _glu(xp: Any, a: Any, dim: int) -> Any:
    """The first half of a dimension, gated by the sigmoid of the second."""
    if not a.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    axis = wrap_dim(dim, a.ndim)
    if a.shape[axis] % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {axis} is size {a.shape[axis]}"
        )
    if not dtypes.from_numpy(a.dtype).is_floating_point:
        raise not_supported("glu_cpu", a)
    first, gate = xp.split(a, 2, axis)
    call = Calls(xp)
    return call.mul(first, call("aten::sigmoid", gate))


op("aten::prelu(Tensor self, Tensor weight) -> Tensor", impl=_prelu, infer=same_type)
op("aten::glu(Tensor self, int dim=-1) -> Tensor", impl=_glu, infer=_padded_type, method=None)
