"""Rows of whole layers of Transformers, which traces of `torch.nn.Transformer` contain: composites.

Inputs are (batch, steps, features). A mask is boolean and says what must not be looked at: by
`mask_type` 0 it is (steps, steps), by 1 (batch, steps), by 2 (batch, heads, steps, steps).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..ir.types import Type
from .composite import Reading, equal_parts
from .rows import composite
from .rules import made, same_type, tensor_at, unknown_sizes

_STEPS, _KEYS, _WHOLE = 0, 1, 2


def _by_head(m: Reading, x: Any, heads: int) -> Any:
    """(batch, steps, features) as (batch, heads, steps, features of a head)."""
    batch, steps, features = m.shape(x)
    return m.transpose(m.reshape(x, [batch, steps, heads, features // heads]), 1, 2)


def _thirds(m: Reading, parameter: Any) -> list[Any]:
    return equal_parts(m, parameter, 3, 0)


def _projected(
    m: Reading, parts: Sequence[Any], weight: Any, bias: Any, heads: int
) -> Sequence[Any]:
    """Queries, keys and values, by head; at once where they are made of one tensor."""
    query, key, value = parts
    if query is key and key is value:
        made = equal_parts(m, m.linear(query, weight, bias), 3)
    else:
        each = zip(parts, _thirds(m, weight), _thirds(m, bias), strict=True)
        made = [m.linear(part, w, b) for part, w, b in each]
    return [_by_head(m, x, heads) for x in made]


def _check(m: Reading, parts: Sequence[Any], embed_dim: int, heads: int, weight: Any) -> None:
    for part in parts:
        if m.rank(part) != 3:
            raise RuntimeError(f"expected 3-D `query`, `key` and `value`, got {m.rank(part)}-D")
        if m.size(part, 2) != embed_dim:
            raise RuntimeError(
                f"passed in embed_dim {embed_dim} didn't match last dim of query, key or value: "
                f"{m.size(part, 2)}"
            )
        if not m.dtype(part).is_floating_point:
            raise RuntimeError(f"expected floating inputs, got {m.dtype(part)}")
    if heads <= 0 or embed_dim % heads:
        raise RuntimeError(f"`embed_dim` {embed_dim} must divide evenly by `num_heads` {heads}")
    if m.rank(weight) != 2 or m.size(weight, 0) != 3 * embed_dim:
        raise RuntimeError(
            f"expected `qkv_weight` first dim to be 3x embed_dim, got {[*m.shape(weight)]}"
        )


def _hidden(m: Reading, scores: Any, mask: Any, mask_type: int | None) -> Any:
    """Scores of what the mask covers, brought to minus infinity."""
    if m.dtype(mask) is not dtypes.bool_:
        raise RuntimeError(f"Mask should be a boolean tensor, but it is {m.dtype(mask)}")
    rank = {_STEPS: 2, _KEYS: 2, _WHOLE: 4}.get(-1 if mask_type is None else mask_type)
    if rank is None or m.rank(mask) != rank:
        raise RuntimeError(
            f"a mask of type {mask_type} with {m.rank(mask)} dimensions: 0 is a matrix over steps, "
            "1 one over batch and steps, 2 has batch, heads and steps"
        )
    if mask_type == _KEYS:
        mask = m.unsqueeze(m.unsqueeze(mask, 1), 2)
    return m.masked_fill(scores, mask, -math.inf)


def _attended(
    m: Reading, query: Any, key: Any, value: Any, embed_dim: int, heads: int, weight: Any,
    bias: Any, mask: Any, mask_type: int | None,
) -> tuple[Any, Any]:  # fmt: skip
    """What the heads make of the values, side by side, and the weights by head."""
    parts = (query, key, value)
    _check(m, parts, embed_dim, heads, weight)
    q, k, v = _projected(m, parts, weight, bias, heads)
    scores = m.matmul(m.mul(q, 1 / math.sqrt(embed_dim // heads)), m.transpose(k, 2, 3))
    if mask is not None:
        scores = _hidden(m, scores, mask, mask_type)
    weights = m.softmax(scores, -1)
    if mask is not None:  # of what may look at nothing there is nothing
        weights = m.where(m.all(m.isneginf(scores), -1, True), 0, weights)
    together = m.transpose(m.matmul(weights, v), 1, 2)
    batch, steps, *_ = m.shape(together)
    return m.reshape(together, [batch, steps, embed_dim]), weights


def _multi_head_attention(
    m: Reading, query: Any, key: Any, value: Any, embed_dim: int, heads: int, weight: Any,
    bias: Any, proj_weight: Any, proj_bias: Any, mask: Any, need_weights: bool, average: bool,
    mask_type: int | None,
) -> tuple[Any, Any]:  # fmt: skip
    """Attention over all heads, projected, and its weights; nothing where they are not needed."""
    together, weights = _attended(
        m, query, key, value, embed_dim, heads, weight, bias, mask, mask_type
    )
    if not need_weights:
        weights = m.zeros([0])
    elif average:
        weights = m.mean(weights, [1])
    return m.linear(together, proj_weight, proj_bias), weights


def _encoder_layer(
    m: Reading, source: Any, embed_dim: int, heads: int, weight: Any, bias: Any, proj_weight: Any,
    proj_bias: Any, use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Any,
    norm_bias_1: Any, norm_weight_2: Any, norm_bias_2: Any, weight_1: Any, bias_1: Any,
    weight_2: Any, bias_2: Any, mask: Any, mask_type: int | None,
) -> Any:  # fmt: skip
    """Attention and two linear layers, each around a residual: norms come first or last."""

    def first_norm(x: Any) -> Any:
        return m.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)

    def second_norm(x: Any) -> Any:
        return m.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)

    x = first_norm(source) if norm_first else source
    together, _ = _attended(m, x, x, x, embed_dim, heads, weight, bias, mask, mask_type)
    x = m.add(m.linear(together, proj_weight, proj_bias), source)
    x = x if norm_first else first_norm(x)
    inner = m.linear(second_norm(x) if norm_first else x, weight_1, bias_1)
    inner = m.gelu(inner) if use_gelu else m.relu(inner)
    x = m.add(m.linear(inner, weight_2, bias_2), x)
    return x if norm_first else second_norm(x)


def _attention_type(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    query = tensor_at(types)
    return made(query, unknown_sizes(3)), made(query, None)


_PROJECTIONS = "Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias"
composite(
    "aten::_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int "
    f"num_head, {_PROJECTIONS}, Tensor? mask=None, bool need_weights=True, bool "
    "average_attn_weights=True, int? mask_type=None) -> (Tensor, Tensor)",
    _multi_head_attention,
    infer=_attention_type,
    method=None,
)
composite(
    f"aten::_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, {_PROJECTIONS}"
    ", bool use_gelu, bool norm_first, float eps, Tensor norm_weight_1, Tensor norm_bias_1, Tensor "
    "norm_weight_2, Tensor norm_bias_2, Tensor ffn_weight_1, Tensor ffn_bias_1, Tensor "
    "ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int? mask_type=None) -> Tensor",
    _encoder_layer,
    infer=same_type,
    method=None,
)
