"""Rows of normalisation, made of other rows: batch_norm, layer_norm and kin.

All compute in float32 for the half types and in the input's dtype else, and give the input's dtype.
The variance is the mean of squares of what is left without the mean (two passes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir.types import Type
from .composite import Reading
from .reduce import lacks_kernel
from .rows import composite
from .rules import made, retyped, same_type, tensor_at
from .traits import execution_dtype


def _check_floating(name: str, dtype: DType) -> None:
    if dtype.category is not dtypes.Category.FLOATING:
        raise lacks_kernel(name, dtype)


def _check_dtypes(m: Reading, a: Any, *parameters: Any) -> None:
    """Parameters have the input's dtype, or all float32 beside a half type.

    Raises:
        RuntimeError: one has another.
    """
    own = m.dtype(a)
    given = [m.dtype(parameter) for parameter in parameters if parameter is not None]
    for dtype in given:
        if dtype not in (own, execution_dtype(own)) or dtype is not given[0]:
            raise RuntimeError(
                f"expected scalar type {own.graph_name} but found {dtype.graph_name}"
            )


def _wide(m: Reading, a: Any) -> Any:
    """The tensor in the dtype that is computed in."""
    return m.cast(a, execution_dtype(m.dtype(a)))


def _mean_and_variance(m: Reading, x: Any, dims: Sequence[int]) -> tuple[Any, Any]:
    if not dims:  # each element by itself; to reduce over no dimension would mean all of them
        return x, m.sub(x, x)
    mean = m.mean(x, dims, True)
    return mean, m.mean(m.square(m.sub(x, mean)), dims, True)


def _normalized(
    m: Reading, x: Any, mean: Any, variance: Any, eps: float, weight: Any = None
) -> Any:
    """(x - mean) (weight / root of the variance); a weight here is one for many elements."""
    scale = m.rsqrt(m.add(variance, eps))
    return m.mul(m.sub(x, mean), _scaled(m, scale, weight, None))


def _scaled(m: Reading, x: Any, weight: Any, bias: Any) -> Any:
    """x * weight + bias."""
    if weight is not None:
        x = m.mul(x, m.cast(weight, m.dtype(x)))
    return x if bias is None else m.add(x, m.cast(bias, m.dtype(x)))


def _check_tail(m: Reading, a: Any, shape: Sequence[int], *parameters: Any) -> Sequence[int]:
    """The last dimensions of `a`, which has `shape` there.

    Raises:
        RuntimeError: it has not, or a parameter has another shape.
    """
    if not shape:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional")
    dims = [*range(-min(len(shape), m.rank(a)), 0)]
    if tuple(m.size(a, dim) for dim in dims) != tuple(shape):
        raise RuntimeError(
            f"Given normalized_shape={[*shape]}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{[*m.shape(a)]}"
        )
    for parameter in parameters:
        if parameter is not None and m.shape(parameter) != tuple(shape):
            raise RuntimeError(
                f"Expected weight to be of same shape as normalized_shape, but got weight of shape "
                f"{[*m.shape(parameter)]} and normalized_shape = {[*shape]}"
            )
    return dims


def _layer_norm(
    m: Reading, a: Any, shape: Sequence[int], weight: Any, bias: Any, eps: float, cudnn: bool
) -> Any:
    dims = _check_tail(m, a, shape, weight, bias)
    _check_dtypes(m, a, weight, bias)
    _check_floating("LayerNormKernelImpl", m.dtype(a))
    x = _wide(m, a)
    normalized = _normalized(m, x, *_mean_and_variance(m, x, dims), eps)
    return m.cast(_scaled(m, normalized, weight, bias), m.dtype(a))


def _native_layer_norm(
    m: Reading, a: Any, shape: Sequence[int], weight: Any, bias: Any, eps: float
) -> tuple[Any, Any, Any]:
    """What `layer_norm` gives, and the means and inverse deviations that it took."""
    dims = _check_tail(m, a, shape, weight, bias)
    found = _layer_norm(m, a, shape, weight, bias, eps, True)
    mean, variance = _mean_and_variance(m, _wide(m, a), dims)
    given = next((p for p in (weight, bias) if p is not None), a)
    moments = (mean, m.rsqrt(m.add(variance, eps)))
    return found, *(m.cast(each, m.dtype(given)) for each in moments)


def _rms_norm(m: Reading, a: Any, shape: Sequence[int], weight: Any, eps: float | None) -> Any:
    dims = _check_tail(m, a, shape, weight)
    _check_floating("rms_norm", m.dtype(a))
    x = _wide(m, a)
    if eps is None:
        eps = dtypes.finfo(m.dtype(x)).eps
    squares = m.mean(m.square(x), dims, True)
    found = m.mul(x, m.rsqrt(m.add(squares, eps)))
    return m.cast(_scaled(m, found, weight, None), m.dtype(a))


def _check_channels(m: Reading, a: Any, *parameters: Any) -> None:
    if m.rank(a) < 2:
        raise RuntimeError(f"Expected at least two dimensions, but got {m.rank(a)}")
    for parameter in parameters:
        if parameter is not None and m.shape(parameter) != (m.size(a, 1),):
            raise RuntimeError(
                f"weight should contain {m.size(a, 1)} elements not {math.prod(m.shape(parameter))}"
            )


def _by_channel(m: Reading, parameter: Any, rank: int) -> Any:
    """A parameter of shape (C) as one of shape (C, 1 ...) for an input of `rank` dimensions."""
    if parameter is not None:
        for _ in range(rank - 2):
            parameter = m.unsqueeze(parameter, -1)
    return parameter


def _normalized_by_channel(
    m: Reading,
    a: Any,
    parameters: tuple[Any, Any, Any, Any],
    dims: Sequence[int],
    own: bool,
    momentum: float,
    eps: float,
) -> Any:
    """Normalise over `dims` by what is measured here (`own`) or by the running statistics.

    Where statistics are measured the running ones move towards them.
    """
    *_, running_mean, running_var = parameters
    weight, bias, *running = (_by_channel(m, each, m.rank(a)) for each in parameters)
    x = _wide(m, a)
    if not own:
        mean, variance = (m.cast(each, m.dtype(x)) for each in running)
    elif 0 in m.shape(a):
        return m.clone(a)
    else:
        mean, variance = _mean_and_variance(m, x, dims)
        count = math.prod(m.size(a, dim) for dim in dims)
        if running_mean is not None:
            others = [dim for dim in range(m.rank(a)) if dim != 1]
            unbiased = m.mul(variance, count / max(count - 1, 1))
            _move(m, running_mean, m.mean(mean, others), momentum)
            _move(m, running_var, m.mean(unbiased, others), momentum)
    normalized = _normalized(m, x, mean, variance, eps, weight)
    return m.cast(_scaled(m, normalized, None, bias), m.dtype(a))


def _move(m: Reading, running: Any, measured: Any, momentum: float) -> None:
    """Move a running statistic of shape (C) towards a measured one."""
    m.copy_(running, m.add(m.mul(running, 1 - momentum), m.mul(measured, momentum)))


def _check_pair(mean: Any, variance: Any, own: bool, otherwise: str) -> None:
    if not own and (mean is None or variance is None):
        raise RuntimeError(f"Expected running_mean and running_var to be defined when {otherwise}")
    if (mean is None) != (variance is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")


def _batch_norm(
    m: Reading, a: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool,
    momentum: float, eps: float, cudnn: bool,
) -> Any:  # fmt: skip
    _check_pair(running_mean, running_var, training, "not training")
    _check_channels(m, a, weight, bias, running_mean, running_var)
    _check_dtypes(m, a, weight, bias)
    _check_dtypes(m, a, running_mean, running_var)
    _check_floating("batch_norm", m.dtype(a))
    parameters = (weight, bias, running_mean, running_var)
    dims = [0, *range(2, m.rank(a))]
    return _normalized_by_channel(m, a, parameters, dims, training, momentum, eps)


def _instance_norm(
    m: Reading, a: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any,
    use_input_stats: bool, momentum: float, eps: float, cudnn: bool,
) -> Any:  # fmt: skip
    _check_pair(running_mean, running_var, use_input_stats, "use_input_stats is false")
    _check_channels(m, a, weight, bias, running_mean, running_var)
    _check_dtypes(m, a, weight, bias)
    _check_floating("instance_norm", m.dtype(a))
    parameters = (weight, bias, running_mean, running_var)
    dims = [*range(2, m.rank(a))]
    return _normalized_by_channel(m, a, parameters, dims, use_input_stats, momentum, eps)


def _group_norm(
    m: Reading, a: Any, groups: int, weight: Any, bias: Any, eps: float, cudnn: bool
) -> Any:
    _check_channels(m, a, weight, bias)
    _check_dtypes(m, a, weight, bias)
    _check_floating("GroupNormKernelImpl", m.dtype(a))
    items, channels, *rest = m.shape(a)
    if groups <= 0 or channels % groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {[*m.shape(a)]} and num_groups={groups}"
        )
    share = channels // groups
    x = _wide(m, m.reshape(a, [items, groups, share, math.prod(rest)]))
    weight, bias = (p if p is None else m.reshape(p, [groups, share, 1]) for p in (weight, bias))
    normalized = _normalized(m, x, *_mean_and_variance(m, x, [2, 3]), eps, weight)
    found = m.cast(_scaled(m, normalized, None, bias), m.dtype(a))
    return m.reshape(found, m.shape(a))


def _weight_norm(m: Reading, v: Any, g: Any, dim: int) -> Any:
    """v scaled so that its norm over all dimensions but `dim` is g."""
    x = _wide(m, v)
    others = [each for each in range(m.rank(v)) if dim == -1 or each != dim % m.rank(v)]
    squares = m.square(x)
    norm = m.sqrt(m.sum(squares, others, True) if others else squares)
    return m.cast(m.mul(x, m.div(m.cast(g, m.dtype(x)), norm)), m.dtype(v))


def _with_moments(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    a = tensor_at(types)
    moments = made(retyped(a, None), None)
    return made(a, a.sizes), moments, moments


_NAMED: dict[str, Any] = {"infer": same_type, "method": None}
_STATISTICS = "Tensor? weight, Tensor? bias, Tensor(a!)? running_mean, Tensor(b!)? running_var"
composite(
    "aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? "
    "bias=None, float eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor",
    _layer_norm,
    **_NAMED,
)
composite(
    "aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? "
    "bias, float eps) -> (Tensor, Tensor, Tensor)",
    _native_layer_norm,
    infer=_with_moments,
    method=None,
)
composite(
    "aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) "
    "-> Tensor",
    _rms_norm,
    **_NAMED,
)
composite(
    f"aten::batch_norm(Tensor input, {_STATISTICS}, bool training, float momentum, float eps, bool "
    "cudnn_enabled) -> Tensor",
    _batch_norm,
    **_NAMED,
)
composite(
    f"aten::instance_norm(Tensor input, {_STATISTICS}, bool use_input_stats, float momentum, float "
    "eps, bool cudnn_enabled) -> Tensor",
    _instance_norm,
    **_NAMED,
)
composite(
    "aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float "
    "eps=1.0000000000000001e-05, bool cudnn_enabled=True) -> Tensor",
    _group_norm,
    **_NAMED,
)
composite(
    "aten::_weight_norm(Tensor v, Tensor g, int dim=0) -> Tensor",
    _weight_norm,
    infer=lambda types, constants: made(tensor_at(types), None),
    method=None,
)
