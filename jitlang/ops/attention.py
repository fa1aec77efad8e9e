"""Rows of embeddings and attention, and activations with parameters of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..ir.opdef import Effect
from ..ir.types import Type
from .composite import Reading
from .index import row_major
from .reduce import lacks_kernel
from .rows import composite, op
from .rules import made, same_type, tensor_at, unknown_sizes, wrap_dim
from .traits import execution_dtype

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
    return row_major(weight[indices])


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

# Attention ----------------------------------------------------------------------------------------


def _check_attention(m: Reading, query: Any, key: Any, value: Any) -> None:
    """Raises RuntimeError where dtypes or shapes do not fit."""
    for name, part in (("query", query), ("key", key), ("value", value)):
        if m.rank(part) < 2:
            raise RuntimeError(
                f"scaled_dot_product_attention: Expected {name} to be at least 2 dimensional"
            )
        if m.dtype(part) is not m.dtype(query):
            raise RuntimeError(
                "Expected query, key, and value to have the same dtype, but got query.dtype: "
                f"{m.dtype(query)} {name}.dtype: {m.dtype(part)}"
            )
    if not m.dtype(query).is_floating_point:
        raise lacks_kernel("scaled_dot_product_attention", m.dtype(query))
    if m.size(query, -1) != m.size(key, -1) or m.size(key, -2) != m.size(value, -2):
        raise RuntimeError(
            f"attention does not fit: query {[*m.shape(query)]}, key {[*m.shape(key)]}, value "
            f"{[*m.shape(value)]}"
        )


def _attention(
    m: Reading, query: Any, key: Any, value: Any, mask: Any, dropout: float, causal: bool,
    scale: float | None, grouped: bool,
) -> Any:  # fmt: skip
    """softmax(query key^T scale + mask) value: "Attention Is All You Need", Vaswani et al., 2017.

    Raises:
        RuntimeError: dtypes or shapes do not fit, or a mask is given where `causal` is.
    """
    if mask is not None and causal:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    _check_attention(m, query, key, value)
    wide = execution_dtype(m.dtype(query))
    q, k, v = (m.cast(part, wide) for part in (query, key, value))
    if grouped:
        k, v = _for_each_query(m, q, k), _for_each_query(m, q, v)
    scale = 1 / math.sqrt(max(m.size(q, -1), 1)) if scale is None else scale
    scores = m.matmul(m.mul(q, scale), m.transpose(k, -1, -2))
    if causal:
        mask = _lower_triangle(m, m.size(scores, -2), m.size(scores, -1))
    if mask is not None:
        scores = _masked(m, scores, mask)
    weights = m.softmax(scores, -1)
    # Rows in which nothing may be looked at give zeros.
    weights = m.where(m.all(m.isneginf(scores), -1, True), 0, weights)
    if dropout:
        weights = m.dropout(weights, dropout, True)
    return m.cast(m.matmul(weights, v), m.dtype(query))


def _for_each_query(m: Reading, query: Any, part: Any) -> Any:
    """Heads of keys or values, which are the third dimension from the end, once for each query."""
    if min(m.rank(query), m.rank(part)) < 3:
        raise IndexError("grouped heads are the third dimension from the end")
    return m.repeat_interleave(part, m.size(query, -3) // max(m.size(part, -3), 1), -3)


def _lower_triangle(m: Reading, rows: int, columns: int) -> Any:
    return m.ge(m.unsqueeze(m.arange(rows), 1), m.arange(columns))


def _masked(m: Reading, scores: Any, mask: Any) -> Any:
    if m.dtype(mask) is dtypes.bool_:
        return m.where(mask, scores, -math.inf)
    return m.add(scores, m.cast(mask, m.dtype(scores)))


composite(
    "aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? "
    "attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool "
    "enable_gqa=False) -> Tensor",
    _attention,
    infer=lambda types, constants: made(tensor_at(types), None),
    effect=Effect.RANDOM,
    method=None,
)

# Activations --------------------------------------------------------------------------------------


def _prelu(m: Reading, a: Any, weight: Any) -> Any:
    """x where x > 0, else weight x, with a weight for all or for each channel."""
    if m.dtype(weight) is not m.dtype(a):
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {m.dtype(a)} and {m.dtype(weight)}"
        )
    if m.rank(weight) > 1:
        raise RuntimeError(
            "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
            f"{m.rank(weight)}"
        )
    weight = _by_channel(m, a, weight)
    return m.where(m.gt(a, 0), a, m.mul(weight, a))


def _by_channel(m: Reading, a: Any, weight: Any) -> Any:
    """The weights of `prelu` as they broadcast."""
    count = math.prod(m.shape(weight))
    if count == 1:
        return m.reshape(weight, [])
    if not m.rank(a):
        raise RuntimeError("Not allow zero-dim input tensor.")
    channels = m.size(a, 1) if m.rank(a) > 1 else 1
    if count != channels:
        raise RuntimeError(
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{count} and channel size = {channels}."
        )
    for _ in range(m.rank(a) - 2):
        weight = m.unsqueeze(weight, -1)
    return weight


def _rank_kept(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return made(tensor_at(types), unknown_sizes(tensor_at(types).rank))


def _glu(m: Reading, a: Any, dim: int) -> Any:
    """The first half of a dimension, gated by the sigmoid of the second."""
    if not m.rank(a):
        raise RuntimeError("glu does not support 0-dimensional tensors")
    axis = wrap_dim(dim, m.rank(a))
    size = m.size(a, axis)
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {axis} is size {size}")
    if not m.dtype(a).is_floating_point:
        raise lacks_kernel("glu_cpu", m.dtype(a))
    half = size // 2
    return m.mul(m.narrow(a, axis, 0, half), m.sigmoid(m.narrow(a, axis, half, half)))


composite("aten::prelu(Tensor self, Tensor weight) -> Tensor", _prelu, infer=same_type)
composite("aten::glu(Tensor self, int dim=-1) -> Tensor", _glu, infer=_rank_kept, method=None)
