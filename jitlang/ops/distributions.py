"""Rows of random numbers by inversion: one uniform number, or one normal one, per element.

Computed with jitlang's own functions, so that a seed gives the same numbers everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category
from ..ir.opdef import Effect
from ..ir.types import Type
from .algebra import NumpyAlgebra
from .generator import Generator, uniform
from .kernels import write
from .normal import standard_normal
from .reduce import not_supported
from .rows import op
from .rules import made, retyped, same_type, tensor_at, written_type


def _check_continuous(name: str, a: Any) -> None:
    if dtypes.from_numpy(a.dtype).category is not Category.FLOATING:
        raise RuntimeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {dtypes.from_numpy(a.dtype).graph_name}"
        )


def _single(xp: Any) -> Any:
    return NumpyAlgebra(xp, dtypes.float32)


def _geometric_into(xp: Any, a: Any, p: float, generator: Generator | None) -> Any:
    """How many trials of probability p the first success takes: ceil(log(u) / log(1 - p))."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if a.dtype.kind in "bc":
        raise not_supported("geometric_cpu", a)
    above = np.float32(1) - uniform(xp, a.shape, generator)
    trials = xp.ceil(_single(xp).log(above) * np.float32(1 / math.log1p(-p)))
    return write(a, xp.maximum(trials, np.float32(1)).astype(a.dtype))


def _cauchy_into(xp: Any, a: Any, median: float, sigma: float, generator: Generator | None) -> Any:
    """median + sigma tan(pi (u - 1/2))."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    _check_continuous("Cauchy", a)
    apart = uniform(xp, a.shape, generator) - np.float32(0.5)
    turned = _single(xp).tan(apart * np.float32(math.pi))
    return write(a, (turned * np.float32(sigma) + np.float32(median)).astype(a.dtype))


def _log_normal_into(xp: Any, a: Any, mean: float, std: float, generator: Generator | None) -> Any:
    """exp of a normal number."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if dtypes.from_numpy(a.dtype).category is not Category.FLOATING:
        raise not_supported("log_normal_cpu", a)
    drawn = standard_normal(xp, a.shape, generator, False)
    raised = _single(xp).exp(drawn * np.float32(std) + np.float32(mean))
    return write(a, raised.astype(a.dtype))


_GENERATOR = "*, Generator? generator=None"
for _signature, _impl in (
    ("geometric_(Tensor(a!) self, float p", _geometric_into),
    ("cauchy_(Tensor(a!) self, float median=0., float sigma=1.", _cauchy_into),
    ("log_normal_(Tensor(a!) self, float mean=1., float std=2.", _log_normal_into),
):
    op(
        f"aten::{_signature}, {_GENERATOR}) -> Tensor(a!)",
        impl=_impl,
        infer=written_type,
        effect=Effect.RANDOM,
        function=None,
    )


# Random slopes and masks --------------------------------------------------------------------------


def _leaky(xp: Any, a: Any, lower: float, upper: float, training: bool, generator: Any) -> Any:
    """x above zero; below it times a slope drawn between the bounds, or their mean at rest."""
    if not lower <= upper:
        raise RuntimeError(
            f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}"
        )
    if dtypes.from_numpy(a.dtype).category is not Category.FLOATING:
        raise not_supported("rrelu_cpu", a)
    wide = np.dtype("float32" if a.dtype.itemsize == 2 else a.dtype).type
    slopes = wide((lower + upper) / 2)
    if training:
        slopes = uniform(xp, a.shape, generator).astype(wide) * wide(upper - lower) + wide(lower)
    return xp.where(a > 0, a, a * slopes).astype(a.dtype, copy=False)


_RRELU = (
    "Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, Generator? "
    "generator=None"
)


def _leaky_into(xp: Any, a: Any, *rest: Any) -> Any:
    return write(a, _leaky(xp, a, *rest))


op(
    f"aten::rrelu(Tensor self, {_RRELU}) -> Tensor",
    impl=_leaky,
    infer=same_type,
    effect=Effect.RANDOM,
    method=None,
)
op(
    f"aten::rrelu_(Tensor(a!) self, {_RRELU}) -> Tensor(a!)",
    impl=_leaky_into,
    infer=written_type,
    effect=Effect.RANDOM,
    method=None,
)


def _native_dropout(xp: Any, a: Any, p: float, train: bool | None) -> tuple[Any, Any]:
    """What is kept of a tensor, scaled up, and the mask of it."""
    if train is False or not a.size:
        return a.copy(), xp.ones(a.shape, bool)
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    if a.dtype.kind in "iub":
        raise RuntimeError("result type Float can't be cast to the desired output type Long")
    kept = uniform(xp, a.shape, None) >= np.float32(p)
    wide = np.dtype("float32" if a.dtype.itemsize == 2 else a.dtype)
    scale = wide.type(0 if p == 1 else 1 / (1 - p))
    return (a * (kept.astype(wide) * scale)).astype(a.dtype, copy=False), kept


def _with_mask(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    a = tensor_at(types)
    return made(a, a.sizes), retyped(a, dtypes.bool_)


op(
    "aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
    impl=_native_dropout,
    infer=_with_mask,
    effect=Effect.RANDOM,
    method=None,
)
