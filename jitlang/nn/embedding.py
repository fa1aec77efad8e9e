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
        _shorten(weight, input.reshape(-1), max_norm, norm_type)
    return operators.embedding(weight, input, padding, scale_grad_by_freq, sparse)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of `weight` [V, D] in each bag of numbers: a row of a
    matrix, or of a vector what lies between two `offsets`. `max_norm` is as in `embedding`.

    Raises:
        ValueError: the mode is unknown, or shapes do not go together.
        NotImplementedError: numbers are weighted for another mode than 'sum'.
    """
    if weight.dim() != 2:
        raise ValueError(f"weight must be a matrix, found {weight.size()}")
    if per_sample_weights is not None and per_sample_weights.size() != input.size():
        raise ValueError(f"per_sample_weights must have the shape of the input, {input.size()}")
    code = -1
    for number, name in enumerate(["sum", "mean", "max"]):
        code = number if mode == name else code
    if code < 0:
        raise ValueError(f"mode must be 'sum', 'mean' or 'max', found '{mode}'")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError("mode 'max' takes neither scale_grad_by_freq nor sparse")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(f"per_sample_weights goes with mode 'sum', not '{mode}'")
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError("offsets goes with a vector of numbers; the rows of a matrix are bags")
        rows, columns = input.size(0), input.size(1)
        offsets = operators.arange(0, rows * columns, columns, dtype=input.dtype)
        include_last_offset = False
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    if input.dim() != 1:
        raise ValueError(f"input must be a vector or a matrix of numbers, found {input.size()}")
    if offsets is None or offsets.dim() != 1:
        raise ValueError("a vector of numbers needs a vector of offsets")
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    bags = operators.embedding_bag(
        weight,
        input,
        offsets,
        scale_grad_by_freq,
        code,
        sparse,
        per_sample_weights,
        include_last_offset,
        padding_idx,
    )
    return bags[0]


def _shorten(weight: Tensor, numbers: Tensor, max_norm: float, norm_type: float) -> None:
    """Bring the rows with these numbers down to a norm, in place."""
    shortened = weight.detach().index_select(0, numbers).renorm(norm_type, 0, max_norm)
    weight.detach().index_copy_(0, numbers, shortened)
