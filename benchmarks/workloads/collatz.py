"""Collatz sequences: a loop over integers, and nothing else.

Functions from source check that integers fit 64 bits; graphs of archives let them wrap, as numba
does. Both are measured.
"""

from __future__ import annotations

from typing import Any

import jitlang as jl
from benchmarks import peers
from benchmarks.harness import Variant, Workload
from benchmarks.peers import numba_variants
from benchmarks.statistics import Target
from jitlang.interp.executor import Executor

FIRST_LIMIT = 3000


def longest_collatz(limit: int) -> int:
    longest = 0
    for start in range(1, limit):
        n, steps = start, 0
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            steps += 1
        longest = max(longest, steps)
    return longest


def wrapping() -> Variant:
    """The function's graph as an archive would have it."""
    graph = jl.script(longest_collatz).optimized_graph.copy()
    graph.integers = "wrapping"
    executor = Executor(graph)

    def call(limit: int) -> Any:
        return executor.run((limit,), jl.config.current())

    return Variant(call)


def workload() -> Workload:
    scripts = {}
    if peers.torch is not None:
        scripts["TorchScript"] = Variant(peers.torch.jit.script(longest_collatz))
    numba = numba_variants(longest_collatz)
    return Workload(
        name=f"Collatz to {FIRST_LIMIT}",
        variants={
            "python": Variant(longest_collatz),
            **scripts,
            **numba,
            "jitlang wrapping": wrapping(),
            "jitlang": Variant(jl.script(longest_collatz)),
        },
        inputs=lambda pool: (FIRST_LIMIT + int(pool.rng.integers(10)),),
        targets=[
            Target("jitlang wrapping", tuple(numba), 1.1),
            Target("jitlang", tuple(numba), 1.4),
        ],
    )
