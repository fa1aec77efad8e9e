"""Rows of distances and similarities between vectors, and the losses made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..dtypes import Category
from ..ir.types import Type
from .composite import Reading
from .loss import MEAN, loss_row, reduced
from .reduce import not_supported
from .rows import composite, op, reading_of
from .rules import made, tensor_at, wide
from .traits import broadcast_sizes

# All pairs ----------------------------------------------------------------------------------------


def _norms(xp: Any, apart: Any, p: float) -> Any:
    """The p-norms of the last dimension; of nothing they are zero."""
    if not apart.shape[-1]:
        return xp.zeros(apart.shape[:-1], apart.dtype)
    return reading_of(xp).linalg_vector_norm(apart, p, [-1])


def _check_pairs(name: str, p: float, *tensors: Any) -> None:
    for a in tensors:
        if dtypes.from_numpy(a.dtype).category is not Category.FLOATING:
            raise RuntimeError(
                f"{name} only supports floating-point dtypes, got {dtypes.from_numpy(a.dtype)}"
            )
    if not p >= 0:
        raise RuntimeError(f"{name} only supports non-negative p values")


def _cdist(xp: Any, a: Any, b: Any, p: float, compute_mode: int | None) -> Any:
    """The distances of all rows of one batch of matrices to all rows of another.

    They are sums of differences: how they are computed does not depend on `compute_mode`.
    """
    _check_pairs("cdist", p, a, b)
    if a.ndim < 2 or b.ndim < 2:
        raise RuntimeError(
            f"cdist only supports at least 2D tensors, X1 got: {a.ndim}D, X2 got: {b.ndim}D"
        )
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {a.shape[-1]} X2: {b.shape[-1]}"
        )
    if compute_mode not in (None, 0, 1, 2):
        raise RuntimeError(f"possible modes: 0, 1, 2, but was: {compute_mode}")
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected X1 and X2 of one dtype, but got {a.dtype} and {b.dtype}")
    x, y = wide(a), wide(b)
    return _norms(xp, x[..., :, None, :] - y[..., None, :, :], p).astype(a.dtype, copy=False)


def _pdist(xp: Any, a: Any, p: float) -> Any:
    """The distances of all pairs of rows, each pair once."""
    if a.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {a.ndim}D")
    _check_pairs("pdist", p, a)
    first, second = xp.triu_indices(len(a), 1)
    x = wide(a)
    return _norms(xp, x[first] - x[second], p).astype(a.dtype, copy=False)


def _dtype_only(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return made(tensor_at(types), None)


op(
    "aten::cdist(Tensor x1, Tensor x2, float p=2., int? compute_mode=None) -> Tensor",
    impl=_cdist,
    infer=_dtype_only,
    method=None,
)
op("aten::pdist(Tensor self, float p=2.) -> Tensor", impl=_pdist, infer=_dtype_only, method=None)


# One to one ---------------------------------------------------------------------------------------


def _distance(m: Reading, a: Any, b: Any, p: float, eps: float, keepdim: bool = False) -> Any:
    """The p-norms of a - b + eps over the last dimension."""
    last = max(m.rank(a), m.rank(b)) - 1
    return m.norm(m.add(m.sub(a, b), eps), p, [last], keepdim)


def _similarity(m: Reading, a: Any, b: Any, dim: int, eps: float) -> Any:
    """The cosine of the angle: the product of what is left without the lengths."""
    kind = dtypes.promote_types(m.dtype(a), m.dtype(b))
    if not kind.is_floating_point:
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {kind.graph_name}"
        )
    if not eps >= 0:
        raise RuntimeError(f"eps must be non-negative, got: {eps}")
    shape = broadcast_sizes((m.shape(a), m.shape(b)))
    if shape is None or None in shape:
        raise RuntimeError(f"sizes {[*m.shape(a)]} and {[*m.shape(b)]} cannot be broadcast")
    x, y = (v if m.dtype(v).is_floating_point else m.cast(v, kind) for v in (a, b))
    x, y = (v if m.shape(v) == shape else m.broadcast_to(v, [*shape]) for v in (x, y))
    x, y = (m.div(v, m.clamp_min(m.linalg_vector_norm(v, 2, [dim], True), eps)) for v in (x, y))
    return m.sum(m.mul(x, y), [dim])


composite(
    "aten::pairwise_distance(Tensor x1, Tensor x2, float p=2., float eps=9.9999999999999995e-07, "
    "bool keepdim=False) -> Tensor",
    _distance,
    method=None,
)
composite(
    "aten::cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
    _similarity,
    method=None,
)


# Losses -------------------------------------------------------------------------------------------

_TINY = 1e-12


def _cosine_embedding(m: Reading, a: Any, b: Any, target: Any, margin: float) -> Any:
    """1 - cos where the target is 1, what of cos is above the margin where it is -1."""
    dim = m.rank(target)
    if dim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if m.rank(a) != dim + 1:
        raise RuntimeError(
            f"{dim}D target tensor expects {dim + 1}D input tensors, but found inputs of "
            f"{m.rank(a)} and {m.rank(b)} dimensions"
        )
    lengths = [m.add(m.sum(m.mul(v, v), [dim]), _TINY) for v in (a, b)]
    cosine = m.div(m.sum(m.mul(a, b), [dim]), m.sqrt(m.mul(*lengths)))
    zero = m.zeros_like(cosine)
    same = m.where(m.eq(target, 1), m.rsub(cosine, 1), zero)
    return m.add(same, m.where(m.eq(target, -1), m.clamp_min(m.sub(cosine, margin), 0), zero))


def _triplet(
    m: Reading, anchor: Any, positive: Any, negative: Any, margin: float, p: float, eps: float,
    swap: bool,
) -> Any:  # fmt: skip
    """By how much the negative is not further away than the positive and the margin."""
    ranks = [m.rank(v) for v in (anchor, positive, negative)]
    if len(set(ranks)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {ranks[0]}D, positive {ranks[1]}D, and negative "
            f"{ranks[2]}D inputs"
        )
    near, far = (_distance(m, anchor, v, p, eps) for v in (positive, negative))
    if swap:
        far = m.min(far, _distance(m, positive, negative, p, eps))
    return m.clamp_min(m.sub(m.add(near, margin), far), 0)


def _hinge(m: Reading, a: Any, target: Any, margin: float) -> Any:
    zero = m.zeros_like(a)
    wrong = m.where(m.ne(target, 1), m.clamp_min(m.rsub(a, margin), 0), zero)
    return m.add(wrong, m.where(m.ne(target, -1), a, zero))


def _poisson(m: Reading, a: Any, target: Any, log_input: bool, full: bool, eps: float) -> Any:
    """Minus the log-likelihood, without the factorial unless `full` adds Stirling's formula."""
    if log_input:
        loss = m.sub(m.exp(a), m.mul(target, a))
    else:
        loss = m.sub(a, m.mul(target, m.log(m.add(a, eps))))
    if not full:
        return loss
    half = m.mul(m.log(m.mul(target, 2 * math.pi)), 0.5)
    stirling = m.add(m.sub(m.mul(target, m.log(target)), target), half)
    return m.add(loss, m.cast(m.masked_fill(stirling, m.le(target, 1), 0), m.dtype(loss)))


loss_row(
    "aten::cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int "
    "reduction=1) -> Tensor",
    _cosine_embedding,
    tensors=3,
    reduction=4,
    elementwise=False,
)
loss_row(
    "aten::triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1., "
    "float p=2., float eps=9.9999999999999995e-07, bool swap=False, int reduction=1) -> Tensor",
    _triplet,
    tensors=3,
    reduction=7,
    elementwise=False,
)
loss_row(
    "aten::hinge_embedding_loss(Tensor self, Tensor target, float margin=1., int reduction=1) -> "
    "Tensor",
    _hinge,
    reduction=3,
)
loss_row(
    "aten::poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int "
    "reduction) -> Tensor",
    _poisson,
    reduction=5,
)


# Margins of classes -------------------------------------------------------------------------------


def _check_classes(name: str, a: Any, target: Any, shape: Sequence[int]) -> None:
    if a.ndim not in (1, 2) or not a.shape[-1]:
        raise RuntimeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{[*a.shape]}"
        )
    if not dtypes.from_numpy(a.dtype).is_floating_point:
        raise not_supported(name, a)
    if target.dtype != "int64":
        raise RuntimeError(f"{name}: expected scalar type Long but found {target.dtype}")
    if target.shape != tuple(shape) and target.size != math.prod(shape):
        raise RuntimeError(
            f"{name}: inconsistent target size, expected {[*shape]} but got {[*target.shape]}"
        )


def _multi_margin(
    xp: Any, a: Any, target: Any, p: float, margin: float, weight: Any, reduction: int
) -> Any:
    """How far other classes come within the margin of the right one, to the power p, per class."""
    name = "multi_margin_loss"
    _check_classes(name, a, target, a.shape[:-1])
    if p not in (1, 2):
        raise RuntimeError("only p == 1 and p == 2 supported")
    classes = a.shape[-1]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"inconsistent weight size, expected {classes} but got {[*weight.shape]}"
        )
    right = target.reshape((-1, 1))
    if right.size and not ((right >= 0) & (right < classes)).all():
        raise RuntimeError("target out of range")
    x = wide(a).reshape((-1, classes))
    apart = xp.maximum(x.dtype.type(margin) - xp.take_along_axis(x, right, 1) + x, x.dtype.type(0))
    apart = apart * apart if p == 2 else apart
    if weight is not None:
        apart = apart * weight[right].astype(x.dtype)
    apart[xp.arange(len(x))[:, None], right] = 0
    losses = (apart.sum(1) / x.dtype.type(classes)).astype(a.dtype)
    return reduced(reading_of(xp), losses.reshape(target.shape), reduction)


def _multilabel_margin(xp: Any, a: Any, target: Any, reduction: int) -> Any:
    """How far other classes come within 1 of the right ones, which a row lists up to a -1."""
    name = "multilabel_margin_loss"
    _check_classes(name, a, target, a.shape)
    classes = a.shape[-1]
    x, listed = wide(a).reshape((-1, classes)), target.reshape((-1, classes))
    if listed.size and not ((listed >= -1) & (listed < classes)).all():
        raise RuntimeError(f"{name}: target out of range")
    losses = xp.zeros(len(x), x.dtype)
    for row in range(len(x)):
        ends = xp.flatnonzero(listed[row] < 0)
        right = listed[row][: ends[0] if len(ends) else classes]
        others = xp.delete(x[row], right)
        apart = x.dtype.type(1) - x[row][right][:, None] + others[None, :]
        losses[row] = xp.maximum(apart, x.dtype.type(0)).sum() / x.dtype.type(classes)
    losses = losses.astype(a.dtype).reshape(a.shape[:-1])
    return reduced(reading_of(xp), losses, reduction)


def _reduced_type(at: int) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        return made(tensor_at(types), () if constants[at] in (1, 2) else None)

    return infer


op(
    "aten::multi_margin_loss(Tensor self, Tensor target, Scalar p=1, Scalar margin=1, Tensor? "
    "weight=None, int reduction=1) -> Tensor",
    impl=_multi_margin,
    infer=_reduced_type(5),
    method=None,
)
op(
    "aten::multilabel_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
    impl=_multilabel_margin,
    infer=_reduced_type(2),
    method=None,
)


# Alignments ---------------------------------------------------------------------------------------


def _alignment(xp: Any, certain: Any, labels: Any, blank: int) -> Any:
    """Minus the log-probability of one sequence of labels, over all ways to align it.

    Graves et al., "Connectionist Temporal Classification", 2006, equations 6 to 8, in logarithms.

    Args:
        xp: the array namespace.
        certain: log-probabilities (T, classes).
        labels: the sequence, without blanks.
        blank: the label that stands for none.
    """
    never = certain.dtype.type(-math.inf)
    steps = xp.full(2 * len(labels) + 1, blank, "int64")
    steps[1::2] = labels
    skips = xp.zeros(len(steps), bool)
    skips[2:] = (steps[2:] != blank) & (steps[2:] != steps[:-2])
    paths = xp.full(len(steps), never)
    if not len(certain):
        return certain.dtype.type(0 if not len(labels) else math.inf)
    paths[:2] = certain[0, steps[:2]]
    for row in certain[1:]:
        one, two = xp.roll(paths, 1), xp.roll(paths, 2)
        one[:1], two[:2] = never, never
        both = xp.logaddexp(paths, one)
        paths = xp.where(skips, xp.logaddexp(both, two), both) + row[steps]
    return -xp.logaddexp.reduce(paths[-2:]) if len(labels) else -paths[-1]


def _ctc(
    xp: Any, certain: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int,
    reduction: int, zero_infinity: bool,
) -> Any:  # fmt: skip
    """The losses of a batch (T, N, classes), or of one sequence (T, classes)."""
    if certain.dtype not in ("float32", "float64"):
        raise not_supported("ctc_loss_cpu", certain)
    if certain.ndim not in (2, 3) or targets.dtype not in ("int64", "int32"):
        raise RuntimeError("ctc_loss: expected log_probs of 2 or 3 dimensions and integer targets")
    batch = certain if certain.ndim == 3 else certain[:, None]
    if not 0 <= blank < batch.shape[2]:
        raise RuntimeError("blank must be in label range")
    long = [int(n) for n in xp.asarray(input_lengths).reshape((-1,))]
    wanted = [int(n) for n in xp.asarray(target_lengths).reshape((-1,))]
    if not len(long) == len(wanted) == batch.shape[1]:
        raise RuntimeError("input_lengths and target_lengths must be of size batch_size")
    losses = [
        _alignment(xp, batch[: long[at], at], row, blank)
        for at, row in enumerate(_label_rows(batch, targets, long, wanted))
    ]
    found = xp.asarray(losses, certain.dtype)
    if zero_infinity:
        found = xp.where(xp.isinf(found), certain.dtype.type(0), found)
    m = reading_of(xp)
    if reduction == MEAN:
        counts = xp.maximum(xp.asarray(wanted), 1).astype(certain.dtype)
        return m.mean(found / counts)
    return reduced(m, found if certain.ndim == 3 else found.reshape(()), reduction)


def _label_rows(batch: Any, targets: Any, long: Sequence[int], wanted: Sequence[int]) -> list[Any]:
    """The labels of each sequence: rows of a matrix, or one after the other.

    Raises:
        RuntimeError: lengths do not fit, or a label is none of the classes.
    """
    if any(not 0 <= n <= batch.shape[0] for n in long):
        raise RuntimeError(
            f"Expected input_lengths to have value at most {batch.shape[0]}, but got {[*long]}"
        )
    longest = targets.shape[1] if targets.ndim == 2 else targets.size
    fits = all(0 <= n <= longest for n in wanted) and targets.ndim in (1, 2)
    if not fits or (targets.ndim == 2 and targets.shape[0] != batch.shape[1]):
        raise RuntimeError(
            f"Expected targets to hold {[*wanted]} labels, but they have sizes {[*targets.shape]}"
        )
    if targets.ndim == 1 and sum(wanted) != targets.size:
        raise RuntimeError(f"Expected {sum(wanted)} labels in all, but targets hold {targets.size}")
    starts = [sum(wanted[:at]) for at in range(len(wanted))]
    rows = [
        targets[at, :n] if targets.ndim == 2 else targets[start : start + n]
        for at, (start, n) in enumerate(zip(starts, wanted, strict=True))
    ]
    if any(((row < 0) | (row >= batch.shape[2])).any() for row in rows):
        raise IndexError("a target is out of the range of classes")
    return rows


for _overload, _lengths in (("IntList", "int[]"), ("Tensor", "Tensor")):
    op(
        f"aten::ctc_loss.{_overload}(Tensor log_probs, Tensor targets, {_lengths} input_lengths, "
        f"{_lengths} target_lengths, int blank=0, int reduction=1, bool zero_infinity=False) -> "
        "Tensor",
        impl=_ctc,
        infer=_reduced_type(5),
        method=None,
    )
