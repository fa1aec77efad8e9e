"""Rows of losses, made of other rows.

`reduction` is 0 for none, 1 for the mean, 2 for the sum. What a loss says of one element is written
once per loss; `_reduced` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..ir.types import TENSOR, TensorType, Type, without_none
from .composite import Calls
from .reduce import not_supported
from .rows import op
from .rules import tensor_at
from .traits import broadcast_sizes

_NONE, _MEAN, _SUM = 0, 1, 2


def _reduced(call: Calls, loss: Any, reduction: int) -> Any:
    if reduction not in (_NONE, _MEAN, _SUM):
        raise RuntimeError(f"{reduction} is not a valid value for reduction")
    if reduction == _MEAN:
        return call("aten::mean", loss)
    return call("aten::sum", loss) if reduction == _SUM else loss


def _is_tensor(type_: Type) -> bool:
    return isinstance(without_none(type_), TensorType)


def _further_dtypes(types: Sequence[Type]) -> set[Any]:
    """The dtypes of weights, None among them where one is not known."""
    return {getattr(without_none(t), "dtype", None) for t in types if _is_tensor(t)}


def _loss_rule(tensors: int, reduction: int) -> Any:
    """The rule of a loss over the first `tensors` arguments, `reduction` at that place."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        given = [tensor_at(types, at) for at in range(tensors)]
        found = {t.dtype for t in given} | _further_dtypes(types[tensors:])
        dtype = found.pop() if len(found) == 1 else None
        if dtype is not None and not dtype.is_floating_point:
            dtype = None
        how = constants[reduction]
        if how in (_MEAN, _SUM):
            return TensorType(dtype, (), None, None, given[0].device)
        is_alone = all(not _is_tensor(t) for t in types[tensors:])
        known = how == _NONE and is_alone
        sizes = broadcast_sizes([t.sizes for t in given]) if known else None
        return TensorType(dtype, sizes, None, None, given[0].device)

    return infer


_LOSS: dict[str, Any] = {"method": None}


def _loss(schema: str, elements: Callable[..., Any], tensors: int = 2, reduction: int = 2) -> None:
    """A row whose loss per element is `elements(call, *arguments without the reduction)`."""

    def impl(xp: Any, *args: Any) -> Any:
        call = Calls(xp)
        rest = (*args[:reduction], *args[reduction + 1 :])
        return _reduced(call, elements(call, *rest), args[reduction])

    op(schema, impl=impl, infer=_loss_rule(tensors, reduction), **_LOSS)


# Distances ----------------------------------------------------------------------------------------


def _apart(call: Calls, a: Any, b: Any) -> Any:
    return call.abs(call.sub(a, b))


def _squared_error(call: Calls, a: Any, b: Any) -> Any:
    return call.square(call.sub(a, b))


def _huber(call: Calls, a: Any, b: Any, delta: float) -> Any:
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    apart = _apart(call, a, b)
    near = call("aten::mul.Scalar", call.square(apart), 0.5)
    far = call("aten::mul.Scalar", call("aten::sub.Scalar", apart, 0.5 * delta), delta)
    return call("aten::where.self", call("aten::le.Scalar", apart, delta), near, far)


def _smooth(call: Calls, a: Any, b: Any, beta: float) -> Any:
    if not beta >= 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    apart = _apart(call, a, b)
    if beta == 0:
        return apart
    near = call("aten::mul.Scalar", call.square(apart), 0.5 / beta)
    far = call("aten::sub.Scalar", apart, 0.5 * beta)
    return call("aten::where.self", call("aten::lt.Scalar", apart, beta), near, far)


_loss("aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", _squared_error)
_loss("aten::l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", _apart)
_loss(
    "aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor",
    _smooth,
)
_loss(
    "aten::huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor",
    _huber,
)


# Probabilities ------------------------------------------------------------------------------------


def _divergence(call: Calls, a: Any, target: Any, log_target: bool) -> Any:
    if not all(dtypes.from_numpy(t.dtype).is_floating_point for t in (a, target)):
        raise RuntimeError("kl_div: only floating point inputs are supported.")
    if log_target:
        return call.mul(call.exp(target), call.sub(target, a))
    return call.sub(call.xlogy(target, target), call.mul(target, a))


def _cross_entropy_of_bits(call: Calls, a: Any, target: Any, weight: Any) -> Any:
    if a.shape != target.shape:
        raise RuntimeError(
            f"Using a target size ({[*target.shape]}) that is different to the input size "
            f"({[*a.shape]}) is deprecated. Please ensure they have the same size."
        )
    if target.dtype != a.dtype:
        raise RuntimeError(
            f"Found dtype {dtypes.from_numpy(target.dtype).graph_name} but expected "
            f"{dtypes.from_numpy(a.dtype).graph_name}"
        )
    if not ((a >= 0) & (a <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")
    one_less = call("aten::rsub.Scalar", a, 1)
    # Logarithms are cut at -100, so that a certain mistake costs a finite loss.
    yes = call("aten::clamp_min", call.log(a), -100)
    no = call("aten::clamp_min", call.log1p(call.neg(a)), -100) if one_less.size else one_less
    loss = call.sub(call.mul(call("aten::sub.Scalar", target, 1), no), call.mul(target, yes))
    return loss if weight is None else call.mul(loss, weight)


def _cross_entropy_of_logits(call: Calls, a: Any, target: Any, weight: Any, positive: Any) -> Any:
    """(1 - target) x - (1 + (positive - 1) target) log_sigmoid(x)."""
    if not dtypes.from_numpy(target.dtype).is_floating_point:
        raise RuntimeError(
            "result type Float can't be cast to the desired output type "
            f"{dtypes.from_numpy(target.dtype).graph_name}"
        )
    certain = call("aten::log_sigmoid", a)
    if positive is not None:
        raised = call.mul(call("aten::sub.Scalar", positive, 1), target)
        certain = call.mul(call("aten::add.Scalar", raised, 1), certain)
    loss = call.sub(call.mul(call("aten::rsub.Scalar", target, 1), a), certain)
    return loss if weight is None else call.mul(loss, weight)


def _soft_margin(call: Calls, a: Any, target: Any) -> Any:
    if dtypes.from_numpy(a.dtype).category < dtypes.Category.FLOATING:
        raise RuntimeError(
            "result type Float can't be cast to the desired output type "
            f"{dtypes.from_numpy(a.dtype).graph_name}"
        )
    loss = call.log1p(call.exp(call.neg(call.mul(a, target))))
    if loss.shape != a.shape:
        raise RuntimeError(
            f"output with shape {[*a.shape]} doesn't match the broadcast shape {[*loss.shape]}"
        )
    return loss


_loss(
    "aten::kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor",
    _divergence,
)
_loss(
    "aten::binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) "
    "-> Tensor",
    _cross_entropy_of_bits,
    reduction=3,
)
_loss(
    "aten::binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, "
    "Tensor? pos_weight=None, int reduction=1) -> Tensor",
    _cross_entropy_of_logits,
    reduction=4,
)
_loss(
    "aten::soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
    _soft_margin,
)
_loss(
    "aten::margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int "
    "reduction=1) -> Tensor",
    lambda call, a, b, target, margin: call(
        "aten::clamp_min",
        call("aten::add.Scalar", call.mul(call.neg(target), call.sub(a, b)), margin),
        0,
    ),
    tensors=3,
    reduction=4,
)


# Classes ------------------------------------------------------------------------------------------


def _picked(xp: Any, a: Any, target: Any, weight: Any, ignored: int) -> tuple[Any, Any]:
    """Minus the log-probability of each target, weighted, and the weights; 0 where ignored.

    `a` has its classes in dimension 1 (in 0 of a vector).
    """
    classes = 1 if a.ndim > 1 else 0
    if not dtypes.from_numpy(a.dtype).is_floating_point:
        raise not_supported("nll_loss_out_frame", a)
    if target.dtype not in (dtypes.int64.numpy, dtypes.uint8.numpy):
        raise RuntimeError(
            f"expected scalar type Long but found {dtypes.from_numpy(target.dtype).graph_name}"
        )
    expected = (*a.shape[:classes], *a.shape[classes + 1 :])
    if not a.ndim:
        raise RuntimeError("input tensor should be 1D or 2D")
    if a.ndim == 1 and target.shape == (1,):
        target = target.reshape(())
    if target.shape != expected:
        raise RuntimeError(f"Expected target size {[*expected]}, got {[*target.shape]}")
    known = target != ignored
    index = xp.where(known, target, 0)
    outside = index[(index < 0) | (index >= a.shape[classes])]
    if outside.size:
        raise IndexError(f"Target {outside.reshape((-1,))[0]} is out of bounds.")
    if weight is not None and weight.shape != (a.shape[classes],):
        raise RuntimeError(
            "weight tensor should be defined either for all "
            f"{a.shape[classes]} classes or no classes but got weight tensor of shape: "
            f"{[*weight.shape]}"
        )
    chosen = xp.take_along_axis(a, xp.expand_dims(index, classes), classes).squeeze(classes)
    one = a.dtype.type(1)
    weights = xp.where(known, one if weight is None else weight[index], a.dtype.type(0))
    return xp.where(known, a.dtype.type(0) - chosen * weights, a.dtype.type(0)), weights


def _negative_log_likelihood(
    xp: Any, a: Any, target: Any, weight: Any, reduction: int, ignored: int
) -> Any:
    losses, weights = _picked(xp, a, target, weight, ignored)
    call = Calls(xp)
    if reduction == _MEAN:
        return call.div(call("aten::sum", losses), call("aten::sum", weights))
    return _reduced(call, losses, reduction)


def _cross_entropy(
    xp: Any, a: Any, target: Any, weight: Any, reduction: int, ignored: int, smoothing: float
) -> Any:
    call = Calls(xp)
    classes = 1 if a.ndim > 1 else 0
    if not 0 <= smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {smoothing}")
    if not dtypes.from_numpy(a.dtype).is_floating_point:
        raise not_supported("log_softmax_lastdim_kernel_impl", a)
    certain = call("aten::log_softmax.int", a, classes)
    if target.shape == a.shape and target.dtype.kind != "i":
        return _soft_targets(call, certain, target, weight, reduction, smoothing, classes)
    plain = _negative_log_likelihood(xp, certain, target, weight, reduction, ignored)
    if not smoothing:
        return plain
    spread = certain if weight is None else certain * _along(weight, classes, a.ndim)
    known = target != ignored
    losses = xp.where(known, -spread.sum(classes), a.dtype.type(0))
    even = _reduced(call, losses, _SUM if reduction == _MEAN else reduction)
    if reduction == _MEAN:
        weights = _picked(xp, certain, target, weight, ignored)[1]
        even = even / (known.sum() if weight is None else weights.sum())
    share = smoothing / a.shape[classes]
    return ((1 - smoothing) * plain + share * even).astype(a.dtype)


def _along(weight: Any, axis: int, rank: int) -> Any:
    return weight.reshape((-1,) + (1,) * (rank - 1 - axis))


def _soft_targets(
    call: Calls, certain: Any, target: Any, weight: Any, reduction: int, smoothing: float, at: int
) -> Any:
    """Targets that are probabilities of the classes."""
    if smoothing:
        even = smoothing / certain.shape[at]
        target = (target * (1 - smoothing) + even).astype(target.dtype, copy=False)
    if weight is not None:
        certain = certain * _along(weight, at, certain.ndim)
    losses = call("aten::sum.dim_IntList", call.neg(call.mul(certain, target)), [at])
    if reduction != _MEAN:
        return _reduced(call, losses, reduction)
    count = certain.size // certain.shape[at]
    return call("aten::div.Scalar", call("aten::sum", losses), count)


def _picked_rule(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first = tensor_at(types)
    sizes = () if constants[3] in (_MEAN, _SUM) else None
    dtypes_given = {first.dtype} | _further_dtypes(types[1:3])
    plain = dtypes_given - {dtypes.int64, dtypes.uint8}
    dtype = first.dtype if plain == {first.dtype} and types[1] is not TENSOR else None
    return TensorType(dtype, sizes, None, None, first.device)


def _of_rank(*ranks: int) -> Any:
    def impl(xp: Any, a: Any, *rest: Any) -> Any:
        if ranks and a.ndim not in ranks:
            raise RuntimeError(
                f"input tensor should have {' or '.join(map(str, ranks))} dimensions"
            )
        return _negative_log_likelihood(xp, a, *rest)

    return impl


for _name, _ranks in (("nll_loss", (1, 2)), ("nll_loss2d", (4,)), ("nll_loss_nd", ())):
    op(
        f"aten::{_name}(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
        "ignore_index=-100) -> Tensor",
        impl=_of_rank(*_ranks),
        infer=_picked_rule,
        **_LOSS,
    )
op(
    "aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, "
    "SymInt ignore_index=-100, float label_smoothing=0.) -> Tensor",
    impl=_cross_entropy,
    infer=_picked_rule,
    **_LOSS,
)
