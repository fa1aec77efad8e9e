"""Loops over the elements of NumPy arrays, as one writes them for a compiler of loops: a table of
integers (the edit distance of two sequences), and a grid of floats that is relaxed in place.
"""

from __future__ import annotations

import numpy as np

import jitlang as jl
from benchmarks.harness import Variant, Workload
from benchmarks.peers import never_slower, numba_variants
from benchmarks.pool import Pool

LENGTH = 200
SIDE = 100


def edit_distance(a: np.ndarray, b: np.ndarray, table: np.ndarray) -> np.ndarray:
    n, m = len(a), len(b)
    for i in range(n + 1):
        table[i, 0] = i
    for j in range(m + 1):
        table[0, j] = j
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + cost
            )
    return table


def relaxed(grid: np.ndarray) -> np.ndarray:
    for i in range(1, grid.shape[0] - 1):
        for j in range(1, grid.shape[1] - 1):
            around = grid[i - 1, j] + grid[i + 1, j] + grid[i, j - 1] + grid[i, j + 1]
            grid[i, j] = 0.25 * around
    return grid


def sequences(pool: Pool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b = pool.rng.integers(0, 4, (2, LENGTH))
    return a, b, np.zeros((LENGTH + 1, LENGTH + 1), np.int64)


def edits() -> Workload:
    return Workload(
        name=f"Edit distance of {LENGTH} and {LENGTH} numbers",
        variants={
            "python": Variant(edit_distance),
            **numba_variants(edit_distance),
            "jitlang": Variant(jl.script(edit_distance)),
        },
        inputs=sequences,
        targets=[never_slower("jitlang", "python")],
    )


def relaxation() -> Workload:
    return Workload(
        name=f"Relaxation of {SIDE} x {SIDE} numbers in place",
        variants={
            "python": Variant(relaxed),
            **numba_variants(relaxed),
            "jitlang": Variant(jl.script(relaxed)),
        },
        inputs=lambda pool: (pool.rng.normal(size=(SIDE, SIDE)),),
        targets=[never_slower("jitlang", "python")],
    )
