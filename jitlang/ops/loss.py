"""Rows of losses, made of other rows.

`reduction` is 0 for none, 1 for the mean, 2 for the sum. What a loss says of one element is written
once per loss; `reduced` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir.types import TENSOR, TensorType, Type, without_none
from .composite import Reading
from .reduce import lacks_kernel
from .rows import composite
from .rules import tensor_at
from .traits import broadcast_sizes

_NONE, MEAN, _SUM = 0, 1, 2


def reduced(m: Reading, loss: Any, reduction: int) -> Any:
    """The losses, their mean or their sum.

    Raises:
        RuntimeError: there is no such reduction.
    """
    if reduction not in (_NONE, MEAN, _SUM):
        raise RuntimeError(f"{reduction} is not a valid value for reduction")
    if reduction == MEAN:
        return m.mean(loss)
    return m.sum(loss) if reduction == _SUM else loss


def _is_tensor(type_: Type) -> bool:
    return isinstance(without_none(type_), TensorType)


def _further_dtypes(types: Sequence[Type]) -> set[Any]:
    """The dtypes of weights, None among them where one is not known."""
    return {getattr(without_none(t), "dtype", None) for t in types if _is_tensor(t)}


def _loss_rule(tensors: int, reduction: int, elementwise: bool) -> Any:
    """The rule of a loss over the first `tensors` arguments, `reduction` at that place."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        given = [tensor_at(types, at) for at in range(tensors)]
        found = {t.dtype for t in given} | _further_dtypes(types[tensors:])
        dtype = found.pop() if len(found) == 1 else None
        if dtype is not None and not dtype.is_floating_point:
            dtype = None
        how = constants[reduction]
        if how in (MEAN, _SUM):
            return TensorType(dtype, (), None, None, given[0].device)
        is_alone = all(not _is_tensor(t) for t in types[tensors:])
        known = how == _NONE and is_alone and elementwise
        sizes = broadcast_sizes([t.sizes for t in given]) if known else None
        return TensorType(dtype, sizes, None, None, given[0].device)

    return infer


_LOSS: dict[str, Any] = {"method": None}


def loss_row(
    schema: str,
    elements: Callable[..., Any],
    tensors: int = 2,
    reduction: int = 2,
    elementwise: bool = True,
) -> None:
    """A row whose losses are `elements(m, *arguments without the reduction)`.

    Args:
        schema: the row's schema.
        elements: gives the losses, before they are reduced.
        tensors: how many arguments from the first on are tensors.
        reduction: where the reduction stands.
        elementwise: there is a loss for each element of the tensors, broadcast together.
    """

    def body(m: Reading, *args: Any) -> Any:
        rest = (*args[:reduction], *args[reduction + 1 :])
        return reduced(m, elements(m, *rest), args[reduction])

    composite(schema, body, infer=_loss_rule(tensors, reduction, elementwise), **_LOSS)


def _refuse_cast(dtype: DType) -> None:
    """Raises RuntimeError: a loss in floating point is no value of this dtype."""
    raise RuntimeError(
        f"result type Float can't be cast to the desired output type {dtype.graph_name}"
    )


# Distances ----------------------------------------------------------------------------------------


def _apart(m: Reading, a: Any, b: Any) -> Any:
    return m.abs(m.sub(a, b))


def _huber(m: Reading, a: Any, b: Any, delta: float) -> Any:
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    apart = _apart(m, a, b)
    near = m.mul(m.square(apart), 0.5)
    far = m.mul(m.sub(apart, 0.5 * delta), delta)
    return m.where(m.le(apart, delta), near, far)


def _smooth(m: Reading, a: Any, b: Any, beta: float) -> Any:
    if not beta >= 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    apart = _apart(m, a, b)
    if beta == 0:
        return apart
    near = m.mul(m.square(apart), 0.5 / beta)
    far = m.sub(apart, 0.5 * beta)
    return m.where(m.lt(apart, beta), near, far)


loss_row(
    "aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
    lambda m, a, b: m.square(m.sub(a, b)),
)
loss_row("aten::l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", _apart)
loss_row(
    "aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor",
    _smooth,
)
loss_row(
    "aten::huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor",
    _huber,
)


# Probabilities ------------------------------------------------------------------------------------


def _divergence(m: Reading, a: Any, target: Any, log_target: bool) -> Any:
    if not all(m.dtype(t).is_floating_point for t in (a, target)):
        raise RuntimeError("kl_div: only floating point inputs are supported.")
    if log_target:
        return m.mul(m.exp(target), m.sub(target, a))
    return m.sub(m.xlogy(target, target), m.mul(target, a))


def _cross_entropy_of_bits(m: Reading, a: Any, target: Any, weight: Any) -> Any:
    if m.shape(a) != m.shape(target):
        raise RuntimeError(
            f"Using a target size ({[*m.shape(target)]}) that is different to the input size "
            f"({[*m.shape(a)]}) is deprecated. Please ensure they have the same size."
        )
    if m.dtype(target) is not m.dtype(a):
        raise RuntimeError(
            f"Found dtype {m.dtype(target).graph_name} but expected {m.dtype(a).graph_name}"
        )
    inside = m.logical_and(m.ge(a, 0), m.le(a, 1))
    m.require(inside, RuntimeError, "all elements of input should be between 0 and 1")
    # Logarithms are cut at -100, so that a certain mistake costs a finite loss.
    yes = m.clamp_min(m.log(a), -100)
    no = m.clamp_min(m.log1p(m.neg(a)), -100)
    loss = m.sub(m.mul(m.sub(target, 1), no), m.mul(target, yes))
    return loss if weight is None else m.mul(loss, weight)


def _cross_entropy_of_logits(m: Reading, a: Any, target: Any, weight: Any, positive: Any) -> Any:
    """(1 - target) x - (1 + (positive - 1) target) log_sigmoid(x)."""
    if not m.dtype(target).is_floating_point:
        _refuse_cast(m.dtype(target))
    certain = m.log_sigmoid(a)
    if positive is not None:
        certain = m.mul(m.add(m.mul(m.sub(positive, 1), target), 1), certain)
    loss = m.sub(m.mul(m.rsub(target, 1), a), certain)
    return loss if weight is None else m.mul(loss, weight)


def _soft_margin(m: Reading, a: Any, target: Any) -> Any:
    if m.dtype(a).category < dtypes.Category.FLOATING:
        _refuse_cast(m.dtype(a))
    loss = m.log1p(m.exp(m.neg(m.mul(a, target))))
    if m.shape(loss) != m.shape(a):
        raise RuntimeError(
            f"output with shape {[*m.shape(a)]} doesn't match the broadcast shape "
            f"{[*m.shape(loss)]}"
        )
    return loss


loss_row(
    "aten::kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor",
    _divergence,
)
loss_row(
    "aten::binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) "
    "-> Tensor",
    _cross_entropy_of_bits,
    reduction=3,
)
loss_row(
    "aten::binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, "
    "Tensor? pos_weight=None, int reduction=1) -> Tensor",
    _cross_entropy_of_logits,
    reduction=4,
)
loss_row(
    "aten::soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
    _soft_margin,
)
loss_row(
    "aten::margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int "
    "reduction=1) -> Tensor",
    lambda m, a, b, target, margin: m.clamp_min(
        m.add(m.mul(m.neg(target), m.sub(a, b)), margin), 0
    ),
    tensors=3,
    reduction=4,
)


# Classes ------------------------------------------------------------------------------------------


def _classes_of(m: Reading, a: Any) -> int:
    """The dimension of the classes."""
    return 1 if m.rank(a) > 1 else 0


def _check_classes(m: Reading, a: Any, target: Any, weight: Any) -> None:
    """Raises RuntimeError where dtypes or shapes do not fit."""
    if not m.dtype(a).is_floating_point:
        raise lacks_kernel("nll_loss_out_frame", m.dtype(a))
    if m.dtype(target) not in (dtypes.int64, dtypes.uint8):
        raise RuntimeError(f"expected scalar type Long but found {m.dtype(target).graph_name}")
    if not m.rank(a):
        raise RuntimeError("input tensor should be 1D or 2D")
    shape, at = m.shape(a), _classes_of(m, a)
    expected = (*shape[:at], *shape[at + 1 :])
    if m.shape(target) != expected:
        raise RuntimeError(f"Expected target size {[*expected]}, got {[*m.shape(target)]}")
    if weight is not None and m.shape(weight) != (shape[at],):
        raise RuntimeError(
            f"weight tensor should be defined either for all {shape[at]} classes or no classes "
            f"but got weight tensor of shape: {[*m.shape(weight)]}"
        )


def _targets(m: Reading, a: Any, target: Any, weight: Any, ignored: int) -> tuple[Any, Any]:
    """Which targets count, and the class of each; 0 for those that do not.

    Raises:
        IndexError: there is no such class.
        RuntimeError: dtypes or shapes do not fit.
    """
    if m.rank(a) == 1 and m.shape(target) == (1,):
        target = m.squeeze(target, 0)
    _check_classes(m, a, target, weight)
    count = m.size(a, _classes_of(m, a))
    known = m.ne(target, ignored)
    classes = m.cast(m.where(known, target, 0), dtypes.int64)
    m.require(
        m.logical_and(m.ge(classes, 0), m.lt(classes, count)),
        IndexError,
        "Target {} is out of bounds.",
        lambda: _outside(m, classes, count),
    )
    return known, classes


def _picked(m: Reading, a: Any, targets: tuple[Any, Any], weight: Any) -> tuple[Any, Any]:
    """Minus the log-probability of each target, weighted, and the weights; 0 where ignored.

    `a` has its classes in dimension 1 (in 0 of a vector).
    """
    known, classes = targets
    at = _classes_of(m, a)
    chosen = m.squeeze(m.gather(a, at, m.unsqueeze(classes, at)), at)
    if weight is None:
        return m.where(known, m.rsub(chosen, 0), 0), m.cast(known, m.dtype(a))
    weights = m.where(known, m.take(weight, classes), 0)
    return m.where(known, m.rsub(m.mul(chosen, weights), 0), 0), weights


def _outside(m: Reading, index: Any, count: int) -> Any:
    """The least of the indices that are negative or, if none is, the greatest."""
    least = m.min(index)
    return m.where(m.lt(least, 0), least, m.max(index))


def _negative_log_likelihood(
    m: Reading, a: Any, target: Any, weight: Any, reduction: int, ignored: int
) -> Any:
    return _average(m, *_picked(m, a, _targets(m, a, target, weight, ignored), weight), reduction)


def _average(m: Reading, losses: Any, weights: Any, reduction: int) -> Any:
    """The mean counts each loss by its weight."""
    if reduction == MEAN:
        return m.div(m.sum(losses), m.sum(weights))
    return reduced(m, losses, reduction)


def _cross_entropy(
    m: Reading, a: Any, target: Any, weight: Any, reduction: int, ignored: int, smoothing: float
) -> Any:
    at = _classes_of(m, a)
    if not 0 <= smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {smoothing}")
    if not m.dtype(a).is_floating_point:
        raise lacks_kernel("log_softmax_lastdim_kernel_impl", m.dtype(a))
    if m.shape(target) == m.shape(a):
        if not m.dtype(target).is_floating_point:
            raise RuntimeError(
                f"targets of the input's shape are probabilities, not {m.dtype(target).name}"
            )
        certain = m.log_softmax(a, at)
        return _soft_targets(m, certain, target, weight, reduction, smoothing)
    # Targets are checked before anything is computed, so that all of that can be one kernel.
    targets = _targets(m, a, target, weight, ignored)
    certain = m.log_softmax(a, at)
    losses, weights = _picked(m, certain, targets, weight)
    plain = _average(m, losses, weights, reduction)
    if not smoothing:
        return plain
    total = m.neg(m.sum(_weighted(m, certain, weight), [at]))
    even = _average(m, m.where(targets[0], total, 0), weights, reduction)
    return m.add(m.mul(plain, 1 - smoothing), m.mul(even, smoothing / m.size(a, at)))


def _weighted(m: Reading, certain: Any, weight: Any) -> Any:
    """Times the weights of the classes, if there are any."""
    if weight is None:
        return certain
    for _ in range(m.rank(certain) - 1 - _classes_of(m, certain)):
        weight = m.unsqueeze(weight, -1)
    return m.mul(certain, weight)


def _soft_targets(
    m: Reading, certain: Any, target: Any, weight: Any, reduction: int, smoothing: float
) -> Any:
    """Targets that are probabilities of the classes."""
    at = _classes_of(m, certain)
    if smoothing:
        target = m.add(m.mul(target, 1 - smoothing), smoothing / m.size(certain, at))
    losses = m.sum(m.neg(m.mul(_weighted(m, certain, weight), target)), [at])
    if reduction != MEAN:
        return reduced(m, losses, reduction)
    count = 1
    for dim, size in enumerate(m.shape(certain)):
        count *= 1 if dim == at else size
    return m.div(m.sum(losses), count)


def _picked_rule(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first, target = tensor_at(types), tensor_at(types, 1)
    has_classes = target.dtype in (dtypes.int64, dtypes.uint8)
    is_one_per_item = has_classes and first.rank is not None and first.rank > 1
    each = target.sizes if is_one_per_item and constants[3] == _NONE else None
    sizes = () if constants[3] in (MEAN, _SUM) else each
    dtypes_given = {first.dtype} | _further_dtypes(types[1:3])
    plain = dtypes_given - {dtypes.int64, dtypes.uint8}
    dtype = first.dtype if plain == {first.dtype} and types[1] is not TENSOR else None
    return TensorType(dtype, sizes, None, None, first.device)


def _of_rank(*ranks: int) -> Any:
    def body(m: Reading, a: Any, *rest: Any) -> Any:
        if ranks and m.rank(a) not in ranks:
            raise RuntimeError(
                f"input tensor should have {' or '.join(map(str, ranks))} dimensions"
            )
        return _negative_log_likelihood(m, a, *rest)

    return body


for _name, _ranks in (("nll_loss", (1, 2)), ("nll_loss2d", (4,)), ("nll_loss_nd", ())):
    composite(
        f"aten::{_name}(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
        "ignore_index=-100) -> Tensor",
        _of_rank(*_ranks),
        infer=_picked_rule,
        **_LOSS,
    )
composite(
    "aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, "
    "SymInt ignore_index=-100, float label_smoothing=0.) -> Tensor",
    _cross_entropy,
    infer=_picked_rule,
    **_LOSS,
)
