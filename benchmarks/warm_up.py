"""The first seconds of a function: what calls take while it is compiled.

    python -m benchmarks.warm_up

Each line is a process of its own with an empty folder of compiled objects, but for the last ones,
which find it filled. `interpreter` never compiles; `background` compiles on a thread while the
interpreter serves; `blocking` compiles in the call. Microseconds per call: median, 99th percentile,
maximum; `fast after` is when half of 20 calls in a row first took no more than 1.1 times the median
of the last calls.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import jitlang as jl
from jitlang import Tensor

SECONDS = 4.0
RUN = 20


@jl.script
def lstm(
    xs: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    for step in xs.unbind(0):
        gates = step @ w_ih + h @ w_hh + b
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    return h, c


@jl.script
def chain(x: Tensor) -> Tensor:
    return ((x.tanh() * 2 + 1).sigmoid() * x).exp() - x


def arguments(name: str) -> tuple[Any, ...]:
    """A fresh set of arguments."""
    rng = np.random.default_rng()

    def normal(*shape: int) -> Tensor:
        return Tensor(rng.normal(0, 0.1, shape).astype(np.float32))

    if name == "chain":
        return (normal(10_000),)
    features, hidden, steps, batch = 128, 256, 64, 32
    return (
        normal(steps, batch, features), normal(batch, hidden), normal(batch, hidden),
        normal(features, 4 * hidden), normal(hidden, 4 * hidden), normal(4 * hidden),
    )  # fmt: skip


FUNCTIONS: dict[str, Callable[..., Any]] = {"chain": chain, "lstm": lstm}
MODES = ("interpreter", "background", "blocking")


def measure(name: str) -> dict[str, float]:
    """Call a function for some seconds."""
    function, given = FUNCTIONS[name], arguments(name)
    took: list[float] = []
    ends: list[float] = []
    start = time.perf_counter()
    while not ends or ends[-1] < SECONDS:
        begin = time.perf_counter()
        function(*given)
        end = time.perf_counter()
        took.append((end - begin) * 1e6)
        ends.append(end - start)
    final = statistics.median(took[-max(RUN, len(took) // 10) :])
    windows = (
        ends[n + RUN - 1]
        for n in range(len(took) - RUN)
        if statistics.median(took[n : n + RUN]) <= 1.1 * final
    )
    return {
        "first": took[0],
        "p50": float(np.percentile(took, 50)),
        "p99": float(np.percentile(took, 99)),
        "max": max(took),
        "final": final,
        "fast after": next(windows, SECONDS),
        "calls": len(took),
    }


def in_child(name: str, mode: str, folder: str) -> dict[str, float]:
    """The same in a new process."""
    environment = {**os.environ, "JITLANG_CACHE_DIR": folder}
    environment["JITLANG_EXECUTOR"] = "background" if mode == "background" else "blocking"
    command = [sys.executable, "-m", "benchmarks.warm_up", name, mode]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    head = ("first", "p50", "p99", "max", "final", "fast after", "calls")
    print(f"{'':28}" + "".join(f"{each:>12}" for each in head))
    for name in FUNCTIONS:
        with tempfile.TemporaryDirectory() as folder:
            for mode in (*MODES, "blocking again"):
                kept = "again" in mode
                with tempfile.TemporaryDirectory() as empty:
                    filled = folder if mode.startswith("blocking") else empty
                    found = in_child(name, mode, filled)
                label = f"{name}, {mode.replace('again', '(disk cache)') if kept else mode}"
                print(f"{label:28}" + "".join(f"{found[each]:12.4g}" for each in head), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        if sys.argv[2] == "interpreter":
            jl.config.set(native=False)
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
