"""Alpha dropout, written out: random numbers inside pointwise work.

Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017. Dropped numbers become SATURATED
= -scale * alpha of SELU; slope and shift keep mean and variance. Everybody draws numbers of his
own, so what is compared is which values an output may have, and the share of dropped ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import jitlang as torch
from benchmarks import peers
from benchmarks.harness import Variant, Workload
from benchmarks.peers import (
    jax,
    jax_variants,
    jitlang_variants,
    never_slower,
    numba,
    numba_variants,
    torch_variants,
)
from benchmarks.statistics import Target
from jitlang import Tensor

SIZE = 1_000_000
DROPPED = 0.1
SATURATED = -1.7580993408473766
TOLERANCE = 1e-5
GENERATOR = np.random.default_rng(0)


def slope_and_shift(p: float) -> tuple[float, float]:
    slope = ((1 - p) * (1 + p * 1.7580993408473766**2)) ** -0.5
    return slope, slope * p * 1.7580993408473766


def alpha_dropout(x: Tensor, p: float) -> Tensor:
    slope, shift = slope_and_shift(p)
    keep = torch.rand_like(x) >= p
    return torch.where(keep, x, -1.7580993408473766) * slope + shift


def alpha_dropout_of_array(x: np.ndarray, p: float) -> np.ndarray:
    slope, shift = slope_and_shift(p)
    keep = GENERATOR.random(x.shape, np.float32) >= p
    return np.where(keep, x, np.float32(SATURATED)) * slope + shift


def alpha_dropout_loop(x: np.ndarray, p: float) -> np.ndarray:
    slope = np.float32(((1 - p) * (1 + p * SATURATED**2)) ** -0.5)
    shift = np.float32(-slope * p * SATURATED)
    out = np.empty_like(x)
    for i in numba.prange(x.size):
        v = x[i] if np.random.random() >= p else np.float32(SATURATED)
        out[i] = v * slope + shift
    return out


def alpha_dropout_jax(x, p, seed):  # noqa: ANN001, ANN201
    slope = ((1 - p) * (1 + p * SATURATED**2)) ** -0.5
    keep = jax.random.uniform(jax.random.key(seed), x.shape) >= p
    return jax.numpy.where(keep, x, SATURATED) * slope - slope * p * SATURATED


def with_input(variant: Variant) -> Variant:
    """The variant with a result that tells what was put in, too: the check needs both."""
    kept: list[Any] = []

    def prepare(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        kept[:] = arguments
        return variant.prepare(arguments)

    return Variant(
        variant.function,
        prepare,
        lambda value: (variant.result(value), kept[0]),
        starts_slowly=variant.starts_slowly,
    )


def assert_dropped(actual: tuple[Any, Any], expected: Any) -> None:
    """Each number is the input's or the saturated one, and a tenth is the latter.

    Raises:
        AssertionError: one is neither, or the share is far from a tenth.
    """
    result, x = actual
    slope, shift = slope_and_shift(DROPPED)
    kept = np.isclose(result, x * slope + shift, rtol=TOLERANCE, atol=TOLERANCE)
    dropped = np.isclose(result, SATURATED * slope + shift, rtol=TOLERANCE, atol=TOLERANCE)
    assert (kept | dropped).all(), "a number is neither kept nor dropped"
    share = 1 - kept.mean()
    assert abs(share - DROPPED) < 0.01, f"{share:.3f} of the numbers were dropped"


def in_jax() -> dict[str, Variant]:
    """JAX wants a fresh seed for each call."""
    seeds = iter(range(2**31))
    found = {}
    for name, variant in jax_variants(alpha_dropout_jax, donated=(0,)).items():

        def prepare(arguments: Any, variant: Variant = variant) -> Any:
            return (*variant.prepare(arguments), next(seeds))

        found[name] = Variant(variant.function, prepare, variant.result)
    return found


def alpha_dropout_workload() -> Workload:
    variants = {
        "numpy": Variant(alpha_dropout_of_array),
        **torch_variants(alpha_dropout),
        **in_jax(),
        **numba_variants(alpha_dropout_loop, parallel=alpha_dropout_loop),
        **jitlang_variants(alpha_dropout),
    }
    return Workload(
        name=f"alpha dropout, {SIZE:,} numbers",
        variants={name: with_input(variant) for name, variant in variants.items()},
        inputs=lambda pool: (pool.normal(SIZE), DROPPED),
        targets=[
            Target("jitlang", peers.names(variants)),
            never_slower("jitlang", "undecorated"),
        ],
        check=assert_dropped,
    )
