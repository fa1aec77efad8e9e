"""Fused kernels by themselves: microseconds per call, on one thread and on all, beside NumPy.

    python -m benchmarks.kernels

Calls go through the native launcher, as compiled functions call their groups. Medians of
interleaved rounds; the machine's noise is what the spread of a second run shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from jitlang import ops
from jitlang.codegen.fused import FusedKernel
from jitlang.codegen.threads import set_thread_count, thread_count
from jitlang.ir.parser import parse_graph

ROUNDS = 15
GELU = (
    '%a : str = prim::Constant[value="tanh"]()\n  %y : Tensor = aten::gelu(%x, %a)',
    lambda x: x * 0.5 * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))),
)
SOFTMAX = (
    "%d : int = prim::Constant[value=-1]()\n  %n : NoneType = prim::Constant()\n"
    "  %y : Tensor = aten::softmax(%x, %d, %n)",
    lambda x: (e := np.exp(x - x.max(-1, keepdims=True))) / e.sum(-1, keepdims=True),
)
TANH = (
    "%t : Tensor = aten::tanh(%x)\n  %two : int = prim::Constant[value=2]()\n"
    "  %one : int = prim::Constant[value=1]()\n  %m : Tensor = aten::mul(%t, %two)\n"
    "  %y : Tensor = aten::add(%m, %one, %one)",
    lambda x: np.tanh(x) * 2 + 1,
)
EXP = ("%y : Tensor = aten::exp(%x)", np.exp)
SIN = ("%y : Tensor = aten::sin(%x)", np.sin)
COPY = ("%y : Tensor = aten::positive(%x)", np.copy)
WORKLOADS = {
    "tanh(x)*2+1, 4": (*TANH, (4,)),
    "gelu 1e3": (*GELU, (1000,)),
    "gelu 1e5": (*GELU, (100_000,)),
    "gelu 1e7": (*GELU, (10_000_000,)),
    "exp 1e5": (*EXP, (100_000,)),
    "sin 1e5": (*SIN, (100_000,)),
    "copy 1e7": (*COPY, (10_000_000,)),
    "softmax 1000x1000": (*SOFTMAX, (1000, 1000)),
    "softmax 128x128": (*SOFTMAX, (128, 128)),
}


def microseconds(function: Callable[[Any], Any], x: Any) -> float:
    """One sample: as many calls as take about a millisecond."""
    calls = max(1, 200_000 // max(x.size, 100))
    start = time.perf_counter()
    for _ in range(calls):
        function(x)
    return (time.perf_counter() - start) / calls * 1e6


def kernel(body: str, x: Any) -> Callable[[Any], Any]:
    """The native call of a group, compiled for arrays like `x`."""
    fused = FusedKernel(parse_graph(f"graph(%x : Tensor):\n  {body}\n  return (%y)\n"))
    for _ in range(2):
        fused.native(x)
    return fused.native


def on_threads(count: int, function: Callable[[Any], Any], x: Any) -> float:
    """One sample with so many threads."""
    set_thread_count(count)
    return microseconds(function, x)


def main() -> None:
    assert ops
    counts = sorted({1, thread_count()})
    names = [*(f"{n} thread{'s' if n > 1 else ''}" for n in counts), "numpy"]
    print(f"{'microseconds':<20}" + "".join(f"{name:>14}" for name in names))
    rng = np.random.default_rng(0)
    for name, (body, numpy, shape) in WORKLOADS.items():
        x = rng.normal(0, 3, shape).astype(np.float32)
        set_thread_count(counts[-1])
        ours = kernel(body, x)
        rounds = [
            [*(on_threads(n, ours, x) for n in counts), microseconds(numpy, x)]
            for _ in range(ROUNDS)
        ]
        print(f"{name:<20}" + "".join(f"{t:>14.2f}" for t in np.median(rounds, 0)))


if __name__ == "__main__":
    main()
