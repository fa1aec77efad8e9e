"""Rows of normalisation, made of other rows: batch_norm, layer_norm and kin.

All compute in float32 for the half types and in the input's dtype else, and give the input's dtype.
The variance is the mean of squares of what is left without the mean (two passes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from .reduce import not_supported
from .rows import op
from .rules import compute_dtype, made, same_type, tensor_at


def _check_floating(name: str, a: Any) -> None:
    if dtypes.from_numpy(a.dtype).category is not dtypes.Category.FLOATING:
        raise not_supported(name, a)


def _check_dtypes(a: Any, *parameters: Any) -> None:
    """Parameters have the input's dtype, or all float32 beside a half type.

    Raises:
        RuntimeError: one has another.
    """
    given = [parameter for parameter in parameters if parameter is not None]
    for parameter in given:
        fits = parameter.dtype in (a.dtype, compute_dtype(a.dtype))
        if not fits or parameter.dtype != given[0].dtype:
            raise RuntimeError(
                f"expected scalar type {dtypes.from_numpy(a.dtype).graph_name} but found "
                f"{dtypes.from_numpy(parameter.dtype).graph_name}"
            )


def _mean_and_variance(xp: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    mean = x.mean(axes, keepdims=True, dtype=x.dtype)
    apart = x - mean
    return mean, (apart * apart).mean(axes, keepdims=True, dtype=x.dtype)


def _scaled(x: Any, weight: Any, bias: Any, shape: tuple[int, ...]) -> Any:
    """x * weight + bias, with these reshaped to broadcast."""
    if weight is not None:
        x = x * weight.reshape(shape).astype(x.dtype, copy=False)
    return x if bias is None else x + bias.reshape(shape).astype(x.dtype, copy=False)


def _normalized(xp: Any, x: Any, mean: Any, variance: Any, eps: float) -> Any:
    return (x - mean) / xp.sqrt(variance + x.dtype.type(eps))


def _check_tail(name: str, a: Any, shape: Sequence[int], *parameters: Any) -> None:
    """Raises RuntimeError where `a` does not end in `shape`, or a parameter has another shape."""
    if not shape:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional")
    if a.shape[max(a.ndim - len(shape), 0) :] != tuple(shape):
        raise RuntimeError(
            f"Given normalized_shape={[*shape]}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{[*a.shape]}"
        )
    for parameter in parameters:
        if parameter is not None and parameter.shape != tuple(shape):
            raise RuntimeError(
                f"Expected weight to be of same shape as normalized_shape, but got weight of shape "
                f"{[*parameter.shape]} and normalized_shape = {[*shape]}"
            )


def _layer_norm(
    xp: Any, a: Any, shape: Sequence[int], weight: Any, bias: Any, eps: float, cudnn: bool
) -> Any:
    _check_tail("layer_norm", a, shape, weight, bias)
    _check_dtypes(a, weight, bias)
    _check_floating("LayerNormKernelImpl", a)
    if not a.size:
        return a.copy()
    x = a.astype(compute_dtype(a.dtype), copy=False)
    mean, variance = _mean_and_variance(xp, x, tuple(range(a.ndim - len(shape), a.ndim)))
    found = _scaled(_normalized(xp, x, mean, variance, eps), weight, bias, tuple(shape))
    return found.astype(a.dtype, copy=False)


def _rms_norm(xp: Any, a: Any, shape: Sequence[int], weight: Any, eps: float | None) -> Any:
    _check_tail("rms_norm", a, shape, weight)
    _check_floating("rms_norm", a)
    x = a.astype(compute_dtype(a.dtype), copy=False)
    if eps is None:
        eps = float(xp.finfo(x.dtype).eps)
    axes = tuple(range(a.ndim - len(shape), a.ndim))
    with xp.errstate(invalid="ignore"):
        squares = (x * x).sum(axes, keepdims=True) / x.dtype.type(math.prod(shape))
    found = x / xp.sqrt(squares + x.dtype.type(eps))
    return _scaled(found, weight, None, tuple(shape)).astype(a.dtype, copy=False)


def _check_channels(a: Any, *parameters: Any) -> None:
    if a.ndim < 2:
        raise RuntimeError(f"Expected at least two dimensions, but got {a.ndim}")
    for parameter in parameters:
        if parameter is not None and parameter.shape != (a.shape[1],):
            raise RuntimeError(f"weight should contain {a.shape[1]} elements not {parameter.size}")


def _by_channel(
    xp: Any,
    a: Any,
    parameters: tuple[Any, Any, Any, Any],
    axes: tuple[int, ...],
    own: bool,
    momentum: float,
    eps: float,
) -> Any:
    """Normalise over `axes` by what is measured here (`own`) or by the running statistics.

    Where statistics are measured the running ones move towards them.
    """
    weight, bias, running_mean, running_var = parameters
    shape = (1, -1, *(1,) * (a.ndim - 2))
    x = a.astype(compute_dtype(a.dtype), copy=False)
    if not own:
        mean, variance = (p.reshape(shape).astype(x.dtype) for p in (running_mean, running_var))
    elif a.size:
        mean, variance = _mean_and_variance(xp, x, axes)
        count = math.prod(a.shape[axis] for axis in axes)
        _move(running_mean, mean, momentum)
        _move(running_var, variance * (count / max(count - 1, 1)), momentum)
    else:
        return a.copy()
    found = _scaled(_normalized(xp, x, mean, variance, eps), weight, bias, shape)
    return found.astype(a.dtype, copy=False)


def _move(running: Any, measured: Any, momentum: float) -> None:
    """Move a running statistic of shape (C) towards a measured one of shape (N or 1, C, 1 ...)."""
    if running is None:
        return
    flat = measured.reshape((measured.shape[0], -1)).mean(0)
    running[...] = (1 - momentum) * running + momentum * flat


def _batch_norm(
    xp: Any, a: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool,
    momentum: float, eps: float, cudnn: bool,
) -> Any:  # fmt: skip
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when not training")
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    _check_channels(a, weight, bias, running_mean, running_var)
    _check_dtypes(a, weight, bias)
    _check_dtypes(a, running_mean, running_var)
    _check_floating("batch_norm", a)
    axes = (0, *range(2, a.ndim))
    parameters = (weight, bias, running_mean, running_var)
    return _by_channel(xp, a, parameters, axes, training, momentum, eps)


def _instance_norm(
    xp: Any, a: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any,
    use_input_stats: bool, momentum: float, eps: float, cudnn: bool,
) -> Any:  # fmt: skip
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    _check_channels(a, weight, bias, running_mean, running_var)
    _check_dtypes(a, weight, bias)
    _check_floating("instance_norm", a)
    parameters = (weight, bias, running_mean, running_var)
    axes = tuple(range(2, a.ndim))
    return _by_channel(xp, a, parameters, axes, use_input_stats, momentum, eps)


def _group_norm(
    xp: Any, a: Any, groups: int, weight: Any, bias: Any, eps: float, cudnn: bool
) -> Any:
    _check_channels(a, weight, bias)
    _check_dtypes(a, weight, bias)
    _check_floating("GroupNormKernelImpl", a)
    if groups <= 0 or a.shape[1] % groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {[*a.shape]} and num_groups={groups}"
        )
    if not a.size:
        return a.copy()
    x = a.astype(compute_dtype(a.dtype), copy=False)
    grouped = x.reshape((a.shape[0], groups, -1))
    mean, variance = _mean_and_variance(xp, grouped, (2,))
    found = _normalized(xp, grouped, mean, variance, eps).reshape(a.shape)
    shape = (1, -1, *(1,) * (a.ndim - 2))
    return _scaled(found, weight, bias, shape).astype(a.dtype, copy=False)


def _weight_norm(xp: Any, v: Any, g: Any, dim: int) -> Any:
    """v scaled so that its norm over all dimensions but `dim` is g."""
    axes = tuple(axis for axis in range(v.ndim) if axis != dim % v.ndim) if dim != -1 else None
    x = v.astype(compute_dtype(v.dtype), copy=False)
    norm = xp.sqrt((x * x).sum(axes, keepdims=True))
    return (x * (g.astype(x.dtype) / norm)).astype(v.dtype, copy=False)


_NAMED: dict[str, Any] = {"infer": same_type, "method": None}
_STATISTICS = "Tensor? weight, Tensor? bias, Tensor(a!)? running_mean, Tensor(b!)? running_var"
op(
    "aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? "
    "bias=None, float eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor",
    impl=_layer_norm,
    **_NAMED,
)
op(
    "aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) "
    "-> Tensor",
    impl=_rms_norm,
    **_NAMED,
)
op(
    f"aten::batch_norm(Tensor input, {_STATISTICS}, bool training, float momentum, float eps, bool "
    "cudnn_enabled) -> Tensor",
    impl=_batch_norm,
    **_NAMED,
)
op(
    f"aten::instance_norm(Tensor input, {_STATISTICS}, bool use_input_stats, float momentum, float "
    "eps, bool cudnn_enabled) -> Tensor",
    impl=_instance_norm,
    **_NAMED,
)
op(
    "aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float "
    "eps=1.0000000000000001e-05, bool cudnn_enabled=True) -> Tensor",
    impl=_group_norm,
    **_NAMED,
)
op(
    "aten::_weight_norm(Tensor v, Tensor g, int dim=0) -> Tensor",
    impl=_weight_norm,
    infer=lambda types, constants: made(tensor_at(types), None),
    method=None,
)
