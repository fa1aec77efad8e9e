"""Activations, as functions of `torch.nn.functional`."""

from __future__ import annotations

import warnings

from ..dtypes import DType
from ..tensor import Tensor
from . import operators


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return operators.relu_(input) if inplace else operators.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return operators.relu6_(input) if inplace else operators.relu6(input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha (exp(x) - 1)."""
    return operators.elu_(input, alpha) if inplace else operators.elu(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU with the scales that keep mean and variance (Klambauer et al., 2017)."""
    return operators.selu_(input) if inplace else operators.selu(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)."""
    return operators.celu_(input, alpha) if inplace else operators.celu(input, alpha)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope x."""
    if inplace:
        return operators.leaky_relu_(input, negative_slope)
    return operators.leaky_relu(input, negative_slope)


def rrelu(
    input: Tensor,
    lower: float = 0.125,
    upper: float = 0.3333333333333333,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Leaky ReLU with slopes drawn from [lower, upper] while training, else their mean."""
    if inplace:
        return operators.rrelu_(input, lower, upper, training)
    return operators.rrelu(input, lower, upper, training)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x cut off at both ends.

    Raises:
        ValueError: `min_val` is above `max_val`.
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if inplace:
        return operators.hardtanh_(input, min_val, max_val)
    return operators.hardtanh(input, min_val, max_val)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x relu6(x + 3) / 6."""
    return operators.hardswish_(input) if inplace else operators.hardswish(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6."""
    return operators.hardsigmoid_(input) if inplace else operators.hardsigmoid(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x)."""
    return operators.silu_(input) if inplace else operators.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x))."""
    return operators.mish_(input) if inplace else operators.mish(input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where above the threshold, else `value`."""
    if inplace:
        return operators.threshold_(input, threshold, value)
    return operators.threshold(input, threshold, value)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along a dimension times the sigmoid of the second."""
    return operators.glu(input, dim)


def softsign(input: Tensor) -> Tensor:
    """x / (|x| + 1)."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """exp(x) over its sum along a dimension."""
    return operators.softmax(input, _softmax_dim("softmax", input, dim), dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """The softmax of -x."""
    return operators.softmax(-input, _softmax_dim("softmin", input, dim), dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """The logarithm of the softmax."""
    return operators.log_softmax(input, _softmax_dim("log_softmax", input, dim), dtype)


def _softmax_dim(name: str, input: Tensor, dim: int | None) -> int:
    """The dimension asked for, or the one that old programs mean without naming it."""
    if dim is not None:
        return dim
    warnings.warn(f"{name} without dim is deprecated: name the dimension, dim=...", stacklevel=3)
    rank = input.dim()
    return 0 if rank == 0 or rank == 1 or rank == 3 else 1


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Samples of the Gumbel-softmax distribution (Jang et al., 2017); with `hard`, one-hot ones."""
    noise = -operators.empty_like(logits).exponential_().log()
    soft = operators.softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = operators.argmax(soft, dim, True)
    picked = operators.zeros_like(logits).scatter_(dim, index, 1.0)
    return picked - soft.detach() + soft
