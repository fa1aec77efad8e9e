"""Newton's iteration until it has converged: how often the loop runs depends on the data.

Cube roots, of a tensor of numbers at once and of one number at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import jitlang as torch
from benchmarks import peers
from benchmarks.harness import Variant, Workload, close
from benchmarks.peers import (
    jax,
    jax_variants,
    jitlang_variants,
    never_slower,
    numba_variants,
    torch_variants,
)
from benchmarks.pool import Pool
from benchmarks.statistics import Target
from jitlang import Tensor

SIZE = 10_000


def cube_roots(a: Tensor, epsilon: float) -> Tensor:
    x = a
    error = 1.0
    while error > epsilon:
        step = (x - a / (x * x)) / 3.0
        x = x - step
        error = float(step.abs().max())
    return x


def cube_roots_of_array(a: np.ndarray, epsilon: float) -> np.ndarray:
    x = a
    error = 1.0
    while error > epsilon:
        step = (x - a / (x * x)) / np.float32(3)
        x = x - step
        error = np.abs(step).max()
    return x


def cube_roots_jax(a, epsilon):  # noqa: ANN001, ANN201
    def is_rough(state):  # noqa: ANN001, ANN202
        return state[1] > epsilon

    def improved(state):  # noqa: ANN001, ANN202
        x, _ = state
        step = (x - a / (x * x)) / 3.0
        return x - step, jax.numpy.abs(step).max()

    return jax.lax.while_loop(is_rough, improved, (a, jax.numpy.float32(1)))[0]


def sum_of_cube_roots(first: float, count: int, epsilon: float) -> float:
    total = 0.0
    for i in range(count):
        a = first + i
        x = a
        step = 1.0
        while abs(step) > epsilon:
            step = (x - a / (x * x)) / 3.0
            x = x - step
        total += x
    return total


def positive(pool: Pool) -> tuple[Any, ...]:
    return np.abs(pool.normal(SIZE)) * 100 + 1, 1e-3


def on_tensors() -> Workload:
    variants = {
        "numpy": Variant(cube_roots_of_array),
        **torch_variants(cube_roots),
        **jax_variants(cube_roots_jax),
        **numba_variants(cube_roots_of_array),
        **jitlang_variants(cube_roots),
    }
    return Workload(
        name=f"Newton's cube roots of {SIZE:,} numbers, until converged",
        variants=variants,
        inputs=positive,
        targets=[
            Target("jitlang", peers.names(variants)),
            never_slower("jitlang", "undecorated"),
        ],
        check=close(1e-4),
    )


def on_numbers() -> Workload:
    scripts = {}
    if peers.torch is not None:
        scripts["TorchScript"] = Variant(peers.torch.jit.script(sum_of_cube_roots))
    variants = {
        "python": Variant(sum_of_cube_roots),
        **scripts,
        **numba_variants(sum_of_cube_roots),
        "jitlang": Variant(torch.script(sum_of_cube_roots)),
    }
    return Workload(
        name="Newton's cube roots one by one, 1,000 of them",
        variants=variants,
        inputs=lambda pool: (float(pool.rng.uniform(1, 1000)), 1000, 1e-9),
        targets=[
            Target("jitlang", peers.names(variants)),
            never_slower("jitlang", "python"),
        ],
        check=close(1e-9),
        seconds=1.0,
    )
