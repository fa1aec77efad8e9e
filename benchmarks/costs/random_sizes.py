"""Ten thousand calls with random sizes: how much slower than with one size, and how many compiles.

Two functions take turns: one gets a random size, the other always the middle one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import jitlang as jl
from benchmarks.costs.children import answer, ask, compiled_objects
from benchmarks.facts import Fact
from benchmarks.models import gelu

CALLS, QUICK_CALLS = 10_000, 2_000
LARGEST = 2_000
SLOW_DOWN, COMPILES = 1.3, 20


def facts(quick: bool) -> list[Fact]:
    """Medians, their ratio, the slowest call, and how many modules were compiled for all calls."""
    calls = QUICK_CALLS if quick else CALLS
    with tempfile.TemporaryDirectory() as folder:
        told = ask("benchmarks.costs.random_sizes", str(calls), cache=Path(folder))
        compiled = compiled_objects(Path(folder))
    title = f"{calls:,} calls of GELU with 1 to {LARGEST:,} numbers"
    slow_down = told["random"] / told["static"]
    return [
        Fact(f"{title}: median", "jitlang", told["random"]),
        Fact(f"{title}: median, by that of one size", "jitlang", slow_down, "x", SLOW_DOWN),
        Fact(f"{title}: slowest", "jitlang", told["slowest"]),
        Fact(f"{title}: modules compiled", "jitlang", compiled, "", COMPILES),
    ]


def main(calls: str) -> None:
    rng = np.random.default_rng(0)
    varying, static = jl.script(gelu), jl.script(gelu)
    middle = jl.from_numpy(rng.standard_normal(LARGEST // 2, np.float32))
    taken = []
    for _ in range(int(calls)):
        numbers = rng.standard_normal(int(rng.integers(1, LARGEST)), np.float32)
        x = jl.from_numpy(numbers)
        start = time.perf_counter()
        varying(x)
        between = time.perf_counter()
        static(middle)
        taken.append((between - start, time.perf_counter() - between))
    of_varying, of_static = zip(*taken, strict=True)
    answer(
        random=float(np.median(of_varying)),
        static=float(np.median(of_static)),
        slowest=max(of_varying),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
