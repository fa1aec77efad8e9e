"""Normalisations, as functions of `torch.nn.functional`."""

from __future__ import annotations

from ..tensor import Tensor
from . import operators


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of [N, C, ...] brought to mean 0 and variance 1, by the statistics of the batch
    while training, which moves the running ones, else by those.

    Raises:
        ValueError: there is one value per channel only while training, or eps is negative.
    """
    if training:
        values = 1
        for d, size in enumerate(input.size()):
            values = values if d == 1 else values * size
        if values == 1:
            raise ValueError(f"batch_norm needs several values per channel, found {input.size()}")
    if eps < 0.0 or (training and eps == 0.0):
        raise ValueError(f"batch_norm needs a positive eps, found {eps}")
    return operators.batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps, False
    )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample of [N, C, ...] brought to mean 0 and variance 1.

    Raises:
        ValueError: a channel has one value only.
    """
    if use_input_stats:
        values = 1
        for size in input.size()[2:]:
            values *= size
        if values == 1:
            raise ValueError(f"instance_norm needs several values to a channel: {input.size()}")
    return operators.instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, False
    )


def layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """The last dimensions, of this shape, brought to mean 0 and variance 1 together."""
    return operators.layer_norm(input, normalized_shape, weight, bias, eps, False)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Groups of channels of [N, C, ...] brought to mean 0 and variance 1."""
    return operators.group_norm(input, num_groups, weight, bias, eps, False)


def rms_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """The last dimensions, of this shape, divided by their root mean square."""
    return operators.rms_norm(input, normalized_shape, weight, eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha m)^beta, where m is the mean of x^2 over `size` channels of [N, C, ...] around
    (Krizhevsky et al., 2012).

    Raises:
        ValueError: the input has no channels.
    """
    if input.dim() < 3:
        raise ValueError(f"local_response_norm needs three dimensions or more: {input.size()}")
    if input.numel() == 0:
        return input
    before, after = size // 2, (size - 1) // 2
    flat = (input * input).reshape(input.size(0), input.size(1), -1)
    padded = operators.pad(flat, [0, 0, before, after])
    total = padded.unfold(1, size, 1).mean(-1).reshape(input.size())
    return input / (total * alpha + k) ** beta


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """x over its p-norm along a dimension, or over eps where that is larger."""
    norm = input.norm(p, dim, keepdim=True).clamp_min(eps)
    found = input / norm
    return found if out is None else out.copy_(found)
