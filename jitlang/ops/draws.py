"""Random rows in two parts, so that kernels can hold them: a reservation and a pure draw.

`jit::reserve(like)` advances the default generator by a draw of as many elements as the tensors
have when they are broadcast, and returns the state before it: seed and offset, as signed 64-bit
numbers. The rows `jit::..._at` make the numbers of that draw. Together they give what the rows of
`random.py` give, and leave the generator as those do. Tensors that do not broadcast advance
nothing: whatever computes with them raises. `jit::reserve_like` is for draws of the dtype of a
tensor, where that is not known before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.opdef import Effect
from .creation import dtype_of, like_rule
from .generator import Generator, default_generator
from .random import bernoulli_by, drawn_normal, drawn_uniform, dropped
from .rows import op
from .rules import HIDDEN, same_type


def count_drawn(shapes: Sequence[Sequence[int]]) -> int:
    """How many numbers are drawn for tensors of these shapes, broadcast; 0 if they cannot be."""
    try:
        return math.prod(np.broadcast_shapes(*map(tuple, shapes)))
    except ValueError:
        return 0


def count_drawn_like(dtype: DType, count: int, *, is_normal: bool) -> int:
    """How many numbers `rand_like` and `randn_like` draw for `count` elements of a dtype: integers
    are refused, complex normals are pairs.
    """
    if dtype.category < Category.FLOATING:
        return 0
    return count * (2 if is_normal and dtype.is_complex else 1)


def _reserve(xp: Any, like: Sequence[Any]) -> tuple[int, int]:
    return _drawn(count_drawn([a.shape for a in like]))


def _reserve_like(xp: Any, like: Any, is_normal: bool) -> tuple[int, int]:
    dtype = dtypes.from_numpy(like.dtype)
    return _drawn(count_drawn_like(dtype, like.size, is_normal=is_normal))


def _drawn(count: int) -> tuple[int, int]:
    seed, offset = default_generator.reserve(count)
    return _signed(seed), _signed(offset)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


op("jit::reserve(Tensor[] like) -> (int, int)", impl=_reserve, effect=Effect.RANDOM, **HIDDEN)
op(
    "jit::reserve_like(Tensor like, bool is_normal) -> (int, int)",
    impl=_reserve_like,
    effect=Effect.RANDOM,
    **HIDDEN,
)


def _at(draw: Callable[..., Any]) -> Callable[..., Any]:
    """A draw from the state that the last two arguments tell."""

    def impl(xp: Any, a: Any, *rest: Any) -> Any:
        *options, seed, offset = rest
        generator = Generator().set_state((seed % 2**64, offset % 2**64))
        return draw(xp, a, *options, generator)

    return impl


def _like(draw: Callable[..., Any]) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dtype: Any, generator: Generator) -> Any:
        return draw(xp, a.shape, dtype_of(dtype, dtypes.from_numpy(a.dtype)), generator)

    return impl


_STATE = "int seed, int offset"
op(
    f"jit::dropout_at(Tensor self, float p, {_STATE}) -> Tensor",
    impl=_at(lambda xp, a, p, generator: dropped(xp, a, p, a.shape, generator)),
    infer=same_type,
    **HIDDEN,
)
op(
    f"jit::bernoulli_at(Tensor self, float p, {_STATE}) -> Tensor",
    impl=_at(bernoulli_by),
    infer=same_type,
    **HIDDEN,
)
op(
    f"jit::rand_at(Tensor self, ScalarType? dtype, {_STATE}) -> Tensor",
    impl=_at(_like(drawn_uniform)),
    infer=like_rule(1),
    **HIDDEN,
)
op(
    f"jit::randn_at(Tensor self, ScalarType? dtype, {_STATE}) -> Tensor",
    impl=_at(_like(drawn_normal)),
    infer=like_rule(1),
    **HIDDEN,
)
