"""Rows of bags: embeddings that are looked up and reduced, bag by bag."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import dtypes
from ..ir.types import Type
from .reduce import not_supported
from .rows import op
from .rules import made, retyped, tensor_at, unknown_sizes, wide

_SUM, _MEAN, _MAX = 0, 1, 2


def _check(weight: Any, indices: Any, offsets: Any, mode: int, shares: Any) -> None:
    if weight.ndim != 2 or indices.ndim != 1 or offsets.ndim != 1:
        raise RuntimeError(
            "embedding_bag: expected a weight matrix and vectors of indices and offsets, but got "
            f"{weight.ndim}, {indices.ndim} and {offsets.ndim} dimensions"
        )
    for name, a in (("indices", indices), ("offsets", offsets)):
        if a.dtype not in ("int64", "int32") or a.dtype != indices.dtype:
            raise RuntimeError(f"embedding_bag: expected {name} of int64 or int32, got {a.dtype}")
    if not dtypes.from_numpy(weight.dtype).is_floating_point:
        raise not_supported("embedding_bag", weight)
    if mode not in (_SUM, _MEAN, _MAX):
        raise RuntimeError(f"embedding_bag: there is no mode {mode}: 0 is sum, 1 mean, 2 max")
    if shares is not None and (mode != _SUM or shares.shape != indices.shape):
        raise RuntimeError("embedding_bag: per_sample_weights are for mode sum, one for each index")
    if shares is not None and shares.dtype != weight.dtype:
        raise RuntimeError("embedding_bag: expected weight and per_sample_weights of one dtype")


def _ends(indices: Any, offsets: Any, include_last: bool) -> list[int]:
    """Where the bags begin, and where the last one ends.

    Raises:
        RuntimeError: they do not begin at zero, go back, or pass the last index.
    """
    starts = [int(at) for at in offsets]
    ends = starts if include_last else [*starts, len(indices)]
    if not ends or (starts and starts[0] != 0):
        raise RuntimeError("embedding_bag: offsets[0] has to be 0: the first bag begins there")
    if ends[-1] > len(indices) or any(b < a for a, b in pairwise(ends)):
        raise RuntimeError(
            f"embedding_bag: offsets must ascend up to the number of indices, {len(indices)}"
        )
    return ends


def _embedding_bag(
    xp: Any, weight: Any, indices: Any, offsets: Any, scale: bool, mode: int, sparse: bool,
    shares: Any, include_last: bool, padding: int | None = None,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """The sum, mean or maximum of each bag; of which bag each index is, how many indices each bag
    has, and which of them the maxima are. Indices that equal `padding` do not count."""
    _check(weight, indices, offsets, mode, shares)
    ends = _ends(indices, offsets, include_last)
    if indices.size and (indices.min() < 0 or indices.max() >= len(weight)):
        raise RuntimeError("embedding_bag: Expected idx >= 0 && idx < num_embeddings")
    rows, width = wide(weight), weight.shape[1]
    count = len(ends) - 1
    found = xp.zeros((count, width), rows.dtype)
    sizes, largest = xp.zeros(count, "int64"), xp.zeros((count, width), "int64")
    for bag in range(count):
        chosen = indices[ends[bag] : ends[bag + 1]]
        counts = np.ones(len(chosen), bool) if padding is None else chosen != padding
        chosen = chosen[counts]
        sizes[bag] = len(chosen)
        if not len(chosen):
            continue
        taken = rows[chosen]
        if shares is not None:
            taken = taken * wide(shares[ends[bag] : ends[bag + 1]])[counts][:, None]
        if mode == _MAX:
            found[bag], largest[bag] = taken.max(0), chosen[taken.argmax(0)]
        else:
            total = taken.sum(0, dtype=rows.dtype)
            found[bag] = total / rows.dtype.type(len(chosen)) if mode == _MEAN else total
    bags = xp.repeat(xp.arange(count), np.diff(ends))
    return found.astype(weight.dtype), bags, sizes, largest if mode == _MAX else sizes.copy()


def _bag_type(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    weight = tensor_at(types)
    numbers = made(retyped(weight, dtypes.int64), None)
    return made(weight, unknown_sizes(2)), numbers, numbers, numbers


_RESULTS = "(Tensor, Tensor, Tensor, Tensor)"
op(
    "aten::embedding_bag(Tensor weight, Tensor indices, Tensor offsets, bool "
    "scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, "
    f"bool include_last_offset=False) -> {_RESULTS}",
    impl=_embedding_bag,
    infer=_bag_type,
    method=None,
)
op(
    "aten::embedding_bag.padding_idx(Tensor weight, Tensor indices, Tensor offsets, bool "
    "scale_grad_by_freq, int mode, bool sparse, Tensor? per_sample_weights, bool "
    f"include_last_offset, int? padding_idx) -> {_RESULTS}",
    impl=_embedding_bag,
    infer=_bag_type,
    method=None,
)
