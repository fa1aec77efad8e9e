"""Ten thousand calls with random sizes: how much slower than with one size, and how many compiles.

Two functions take turns: one gets a random size, the other always the middle one, both with numbers
that are new.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import jitlang as jl
from benchmarks.costs.children import answer, ask, compiled_objects
from benchmarks.facts import Fact
from benchmarks.models import gelu
from jitlang import Tensor

CALLS, QUICK_CALLS = 10_000, 2_000
SLOW_DOWN, COMPILES = 1.3, 20
WIDTH, HIDDEN = 64, 128


def softmax(x: Tensor) -> Tensor:
    return x.softmax(-1)


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    return x + bias


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return jl.linear(x, weight, bias)


@dataclass(frozen=True)
class Case:
    """A function, and what it is called with besides a tensor that has up to `largest` rows.

    Attributes:
        title: what is done, to fill in with the largest size.
        rest: the sizes of a row.
        weights: the shapes of the other arguments.
    """

    title: str
    function: Callable[..., Any]
    largest: int
    rest: tuple[int, ...] = ()
    weights: tuple[tuple[int, ...], ...] = ()


CASES = {
    "gelu": Case("GELU with 1 to {:,} numbers", gelu, 2_000),
    "softmax": Case("softmax over 1 to {:,} rows", softmax, 200, (WIDTH,)),
    "bias": Case("a bias added to 1 to {:,} rows", add_bias, 200, (WIDTH,), ((WIDTH,),)),
    "linear": Case(
        "a linear layer over 1 to {:,} rows", linear, 200, (WIDTH,), ((HIDDEN, WIDTH), (HIDDEN,))
    ),
}


def facts(quick: bool) -> list[Fact]:
    """For each case medians, their ratio, the slowest call, and how many modules were compiled for
    all calls.
    """
    calls = QUICK_CALLS if quick else CALLS
    return [fact for name in CASES for fact in _facts(name, calls)]


def _facts(name: str, calls: int) -> list[Fact]:
    with tempfile.TemporaryDirectory() as folder:
        told = ask("benchmarks.costs.random_sizes", name, str(calls), cache=Path(folder))
        compiled = compiled_objects(Path(folder))
    title = f"{calls:,} calls of {CASES[name].title.format(CASES[name].largest)}"
    slow_down = told["random"] / told["static"]
    return [
        Fact(f"{title}: median", "jitlang", told["random"]),
        Fact(f"{title}: median, by that of one size", "jitlang", slow_down, "x", SLOW_DOWN),
        Fact(f"{title}: slowest", "jitlang", told["slowest"]),
        Fact(f"{title}: modules compiled", "jitlang", compiled, "", COMPILES),
    ]


def main(name: str, calls: str) -> None:
    case, rng = CASES[name], np.random.default_rng(0)

    def made(*shape: int) -> Tensor:
        return jl.from_numpy(rng.standard_normal(shape, np.float32))

    varying, static = jl.script(case.function), jl.script(case.function)
    weights = [made(*shape) for shape in case.weights]

    def timed(function: Callable[..., Any], size: int) -> float:
        x = made(size, *case.rest)
        start = time.perf_counter()
        function(x, *weights)
        return time.perf_counter() - start

    taken = []
    for _ in range(int(calls)):
        size = int(rng.integers(1, case.largest))
        taken.append((timed(varying, size), timed(static, case.largest // 2)))
    of_varying, of_static = zip(*taken, strict=True)
    answer(
        random=float(np.median(of_varying)),
        static=float(np.median(of_static)),
        slowest=max(of_varying),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
