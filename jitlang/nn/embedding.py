"""Lookup in tables, as functions of `torch.nn.functional`."""

from __future__ import annotations

from ..tensor import Tensor
from . import operators


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` [V, D] by their numbers. With `max_norm`, rows that are looked up and have a
    larger norm are shortened in place first.

    Raises:
        AssertionError: there is no row `padding_idx`.
    """
    padding = -1
    if padding_idx is not None:
        rows = weight.size(0)
        assert -rows <= padding_idx < rows, f"padding_idx must be one of {rows} rows"
        padding = padding_idx if padding_idx >= 0 else padding_idx + rows
    if max_norm is not None:
        numbers = input.reshape(-1)
        shortened = weight.detach().index_select(0, numbers).renorm(norm_type, 0, max_norm)
        weight.detach().index_copy_(0, numbers, shortened)
    return operators.embedding(weight, input, padding, scale_grad_by_freq, sparse)
