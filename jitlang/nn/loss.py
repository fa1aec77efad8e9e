"""Losses, as functions of `torch.nn.functional`.

`reduction` says what becomes of the losses of single elements: 'none', 'mean' or 'sum';
`size_average` and `reduce` are what it has replaced. All raise ValueError for another word.
"""

from __future__ import annotations

import math

from ..tensor import Tensor
from . import operators
from .reduction import reduction_code


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|x - y|."""
    code = reduction_code(reduction, size_average, reduce)
    if weight is not None:
        return _weighted(operators.l1_loss(input, target, 0), weight, code)
    return operators.l1_loss(input, target, code)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(x - y)^2."""
    code = reduction_code(reduction, size_average, reduce)
    if weight is not None:
        return _weighted(operators.mse_loss(input, target, 0), weight, code)
    return operators.mse_loss(input, target, code)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """(x - y)^2 / 2 where |x - y| is below delta, else delta (|x - y| - delta / 2)."""
    code = reduction_code(reduction)
    if weight is not None:
        scaled = _scaled(operators.huber_loss(input, target, 0, delta), weight)
        return scaled if code == 0 else scaled.mean() if code == 1 else scaled.sum()
    return operators.huber_loss(input, target, code, delta)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """(x - y)^2 / (2 beta) where |x - y| is below beta, else |x - y| - beta / 2."""
    code = reduction_code(reduction, size_average, reduce)
    if beta == 0.0:
        return operators.l1_loss(input, target, code)
    return operators.smooth_l1_loss(input, target, code, beta)


def _weighted(losses: Tensor, weight: Tensor, code: int) -> Tensor:
    """Losses of single elements, weighted; their mean is over the weights."""
    scaled = _scaled(losses, weight)
    if code == 0:
        return scaled
    return scaled.sum() / weight.sum() if code == 1 else scaled.sum()


def _scaled(losses: Tensor, weight: Tensor) -> Tensor:
    if weight.shape != losses.shape:
        raise ValueError(f"weight must have the shape of the input, found {weight.shape}")
    return losses * weight


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-y x))."""
    code = reduction_code(reduction, size_average, reduce)
    return operators.soft_margin_loss(input, target, code)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where y is 1, max(0, margin - x) where it is -1."""
    code = reduction_code(reduction, size_average, reduce)
    return operators.hinge_embedding_loss(input, target, margin, code)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -y (x1 - x2) + margin)."""
    code = reduction_code(reduction, size_average, reduce)
    return operators.margin_ranking_loss(input1, input2, target, margin, code)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where it is -1."""
    code = reduction_code(reduction, size_average, reduce)
    return operators.cosine_embedding_loss(input1, input2, target, margin, code)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm of the difference.

    Raises:
        ValueError: the margin is not positive.
    """
    code = reduction_code(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be positive, found {margin}")
    return operators.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, code)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum over classes i other than y of max(0, margin - x[y] + x[i])^p / C.

    Raises:
        ValueError: p is neither 1 nor 2.
    """
    code = reduction_code(reduction, size_average, reduce)
    if p != 1 and p != 2:
        raise ValueError(f"p must be 1 or 2, found {p}")
    return operators.multi_margin_loss(input, target, p, margin, weight, code)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum over classes i that are no target, and targets j, of max(0, 1 - x[j] + x[i]) / C."""
    code = reduction_code(reduction, size_average, reduce)
    return operators.multilabel_margin_loss(input, target, code)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of the binary cross entropy of sigmoid(x)."""
    code = reduction_code(reduction, size_average, reduce)
    losses = -(target * operators.logsigmoid(input) + (1 - target) * operators.logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    losses = losses.sum(-1) / input.size(-1)
    if code == 0:
        return losses
    return losses.mean() if code == 1 else losses.sum()


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(y log(x) + (1 - y) log(1 - x)) of probabilities x.

    Raises:
        ValueError: target and input differ in shape.
    """
    code = reduction_code(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(f"target must have the shape of the input, {input.shape}: {target.shape}")
    if weight is not None:
        weight = weight.expand_as(target)
    return operators.binary_cross_entropy(input, target, weight, code)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The binary cross entropy of sigmoid(x), without its overflow.

    Raises:
        ValueError: target and input differ in shape.
    """
    code = reduction_code(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(f"target must have the shape of the input, {input.shape}: {target.shape}")
    return operators.binary_cross_entropy_with_logits(input, target, weight, pos_weight, code)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-x[y] of log probabilities x [N, C, ...] and classes y [N, ...]."""
    code = reduction_code(reduction, size_average, reduce)
    return operators.nll_loss_nd(input, target, weight, code, ignore_index)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The negative log likelihood of the softmax of x [N, C, ...]; targets are classes [N, ...] or
    probabilities [N, C, ...].
    """
    code = reduction_code(reduction, size_average, reduce)
    return operators.cross_entropy_loss(input, target, weight, code, ignore_index, label_smoothing)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """y (log(y) - x) of log probabilities x; reduction 'batchmean' is the sum over the batch's
    size.
    """
    is_batch_mean = reduction == "batchmean" and size_average is None and reduce is None
    code = 2 if is_batch_mean else reduction_code(reduction, size_average, reduce)
    found = operators.kl_div(input, target, code, log_target=log_target)
    return found / input.size(0) if is_batch_mean and input.dim() > 0 else found


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - y x, or x - y log(x + eps) where x is no logarithm; `full` adds Stirling's term."""
    code = reduction_code(reduction, size_average, reduce)
    return operators.poisson_nll_loss(input, target, log_input, full, eps, code)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log(max(var, eps)) + (x - y)^2 / max(var, eps)) / 2; `full` adds log(2 pi) / 2.

    Raises:
        ValueError: a variance is negative.
    """
    code = reduction_code(reduction)
    if isinstance(var, float):
        variance = operators.full_like(input, var)
    else:
        is_one_short = var.dim() == input.dim() - 1
        variance = var.unsqueeze(-1) if is_one_short else var
    if bool(operators.any(operators.lt(variance, 0))):
        raise ValueError("var must not be negative")
    variance = variance.clamp_min(eps)
    losses = 0.5 * (variance.log() + operators.square(input - target) / variance)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    if code == 0:
        return losses
    return losses.mean() if code == 1 else losses.sum()


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Connectionist temporal classification (Graves et al., 2006)."""
    code = reduction_code(reduction)
    return operators.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, code, zero_infinity
    )
