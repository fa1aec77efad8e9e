"""Rows of dropout that draw once per channel, or keep the mean and variance of `selu`.

Like `dropout` they give back their argument where nothing is dropped, which the alias marks say and
torch's schemas do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.opdef import Effect
from .generator import uniform
from .kernels import write
from .random import dropped, is_dropping
from .rows import op
from .rules import same_type, written_type

_LIMIT = -1.0507009873554805 * 1.6732632423543772
"""What `selu` is far below zero: Klambauer et al., "Self-Normalizing Neural Networks", 2017."""


def _alpha_dropped(xp: Any, a: Any, p: float, shape: Sequence[int]) -> Any:
    """Elements kept with probability 1 - p, the others at the limit of `selu`; then scaled and
    moved so that a mean of 0 and a variance of 1 stay (section 3 there)."""
    if p == 1:
        return a * a.dtype.type(0)
    if a.dtype.kind in "iub":
        raise RuntimeError("result type Float can't be cast to the desired output type Long")
    kept = uniform(xp, shape, None) >= np.float32(p)
    wide = np.dtype("float32" if a.dtype.itemsize == 2 else a.dtype)
    scale = 1 / math.sqrt((1 - p) * (1 + p * _LIMIT * _LIMIT))
    moved = xp.where(kept, wide.type(0), wide.type(_LIMIT * scale)) - wide.type(p * _LIMIT * scale)
    return (a * (kept.astype(wide) * wide.type(scale)) + moved).astype(a.dtype, copy=False)


def _channels(a: Any, p: float) -> tuple[int, ...]:
    """The shape of one draw per channel.

    Raises:
        RuntimeError: there are no channels.
    """
    if a.ndim < 2 and p < 1:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return (*a.shape[:2], *(1,) * (a.ndim - 2))


def _feature_dropout(xp: Any, a: Any, p: float, train: bool) -> Any:
    return dropped(xp, a, p, _channels(a, p)) if is_dropping(p, train) else a


def _alpha_dropout(xp: Any, a: Any, p: float, train: bool) -> Any:
    return _alpha_dropped(xp, a, p, a.shape) if is_dropping(p, train) else a


def _feature_alpha_dropout(xp: Any, a: Any, p: float, train: bool) -> Any:
    return _alpha_dropped(xp, a, p, _channels(a, p)) if is_dropping(p, train) else a


def _into(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The in-place form of a kernel that may give back what it was given."""

    def impl(xp: Any, a: Any, p: float, train: bool) -> Any:
        made = kernel(xp, a, p, train)
        return a if made is a else write(a, made)

    return impl


for _name, _impl in (
    ("feature_dropout", _feature_dropout),
    ("alpha_dropout", _alpha_dropout),
    ("feature_alpha_dropout", _feature_alpha_dropout),
):
    op(
        f"aten::{_name}(Tensor(a) input, float p, bool train) -> Tensor(a)",
        impl=_impl,
        infer=same_type,
        effect=Effect.RANDOM,
        method=None,
    )
    op(
        f"aten::{_name}_(Tensor(a!) self, float p, bool train) -> Tensor(a!)",
        impl=_into(_impl),
        infer=written_type,
        effect=Effect.RANDOM,
        method=None,
    )
