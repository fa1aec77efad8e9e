"""Dropout, as functions of `torch.nn.functional`."""

from __future__ import annotations

from ..tensor import Tensor
from . import operators


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """While training, zeros with probability p, and the rest divided by 1 - p.

    Raises:
        ValueError: p is no probability.
    """
    _check_probability(p)
    return (
        operators.dropout_(input, p, training) if inplace else operators.dropout(input, p, training)
    )


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps the mean and variance of SELU's outputs (Klambauer et al., 2017).

    Raises:
        ValueError: p is no probability.
    """
    _check_probability(p)
    if inplace:
        return operators.alpha_dropout_(input, p, training)
    return operators.alpha_dropout(input, p, training)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Alpha dropout of whole channels.

    Raises:
        ValueError: p is no probability.
    """
    _check_probability(p)
    if inplace:
        return operators.feature_alpha_dropout_(input, p, training)
    return operators.feature_alpha_dropout(input, p, training)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of [N, C, L] or [C, L].

    Raises:
        ValueError: p is no probability.
        RuntimeError: the input has another rank.
    """
    return _feature_dropout("dropout1d", input, p, training, inplace, 2)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of [N, C, H, W]; a tensor of rank 3 is [N, C, L].

    Raises:
        ValueError: p is no probability.
    """
    _check_probability(p)
    if inplace:
        return operators.feature_dropout_(input, p, training)
    return operators.feature_dropout(input, p, training)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of [N, C, D, H, W] or [C, D, H, W].

    Raises:
        ValueError: p is no probability.
    """
    return _feature_dropout("dropout3d", input, p, training, inplace, 4)


def _feature_dropout(
    name: str, input: Tensor, p: float, training: bool, inplace: bool, unbatched: int
) -> Tensor:
    """Of tensors of rank `unbatched`, or of one more with a batch."""
    _check_probability(p)
    rank = input.dim()
    if name == "dropout1d" and rank != 2 and rank != 3:
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {rank}D input.")
    batched = input.unsqueeze(0) if rank == unbatched else input
    if inplace:
        operators.feature_dropout_(batched, p, training)
        return input
    found = operators.feature_dropout(batched, p, training)
    return found.squeeze(0) if rank == unbatched else found


def _check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
