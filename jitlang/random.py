"""The state that random functions draw from, with the names of `torch.random`.

The default generator starts from a seed that the operating system gives. Draws are a function of
seed and offset alone, the same in every tier (Philox, Salmon et al., 2011).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .ops.generator import Generator, default_generator
from .tensor import Tensor


def manual_seed(seed: int) -> Generator:
    """Start the default generator anew from a seed; negative ones count from 2**64.

    Scripts may call it too.
    """
    return default_generator.manual_seed(seed)


manual_seed.__jitlang_operator__ = "aten::manual_seed"  # type: ignore[attr-defined]


def seed() -> int:
    """Start the default generator anew from a seed of the operating system, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was last given."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator: uint8, [16]."""
    return Tensor(np.array(default_generator.get_state(), np.uint64).view(np.uint8))


def set_rng_state(new_state: Tensor) -> None:
    """Continue from a state that `get_rng_state` gave.

    Raises:
        RuntimeError: it is no such state.
    """
    held = np.ascontiguousarray(np.asarray(new_state))
    if held.dtype != np.uint8 or held.shape != (16,):
        raise RuntimeError(
            "new_state must be what get_rng_state gave, uint8 of 16 elements, found"
            f" {held.dtype} of shape {list(held.shape)}"
        )
    first, second = held.view(np.uint64).tolist()
    default_generator.set_state((first, second))


@contextmanager
def fork_rng(enabled: bool = True) -> Iterator[None]:
    """Have the state of the default generator back after a `with` block."""
    before = default_generator.get_state()
    try:
        yield
    finally:
        if enabled:
            default_generator.set_state(before)


__all__ = [
    "Generator", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed",
    "seed", "set_rng_state",
]  # fmt: skip
