"""The first fifty calls: how long they take, and after how long a function has its final speed.

`again` is a second process, which finds compiled objects on the disk. With the background executor,
calls go on for longer, and are compared with those of the interpreter alone in the same process:
for the LSTM and for a function of some 50 microseconds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jitlang as jl
from benchmarks.costs.children import answer, ask
from benchmarks.costs.libraries import MODULES, prepared
from benchmarks.facts import Fact
from benchmarks.installed import is_installed
from jitlang import Tensor

MODULE = "benchmarks.costs.warm_up"
FIRST_CALLS = 50
SERVED_CALLS = 3000
CLOSE_TO_FINAL = 1.5
FINAL_LIMIT_SECONDS, FINAL_AGAIN_LIMIT_SECONDS = 1.0, 0.1
INTERPRETER_LIMIT, EXTRA_SECONDS = 3.0, 0.01
LIBRARIES = ("jitlang", "TorchScript", "jax.jit")


def facts(quick: bool) -> list[Fact]:
    """Slowest call, seconds to final speed; and percentiles while compiling in the background."""
    found = []
    for library in LIBRARIES:
        if is_installed(MODULES[library]):
            found += _first_calls(library)
    return [*found, *_background("LSTM"), *_background("short function")]


def _first_calls(library: str) -> list[Fact]:
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        found = _facts_of(library, _ask_first(library, cache), FINAL_LIMIT_SECONDS)
        if library == "jitlang":
            again = _ask_first(library, cache)
            found += _facts_of("jitlang again", again, FINAL_AGAIN_LIMIT_SECONDS)
    return found


def _ask_first(library: str, cache: Path) -> Sequence[float]:
    seconds: Sequence[float] = ask(MODULE, "first", library, cache=cache)["seconds"]
    return seconds


def _facts_of(whose: str, seconds: Sequence[float], limit: float) -> list[Fact]:
    title = f"LSTM loop, first {FIRST_CALLS} calls"
    asked = limit if whose.startswith("jitlang") else None
    return [
        Fact(f"{title}: the first", whose, seconds[0]),
        Fact(f"{title}: the slowest", whose, max(seconds)),
        Fact(f"{title}: the last", whose, seconds[-1]),
        Fact(f"{title}: until final speed", whose, until_final_speed(seconds), limit=asked),
    ]


def until_final_speed(seconds: Sequence[float]) -> float:
    """Seconds from the first call to the end of the last one that was slower than it would be."""
    final = float(np.median(seconds[-len(seconds) // 5 :]))
    slow = [i for i, each in enumerate(seconds) if each > CLOSE_TO_FINAL * final]
    return float(sum(seconds[: slow[-1] + 1])) if slow else 0.0


def _background(what: str) -> list[Fact]:
    variables = {"JITLANG_EXECUTOR": "background"}
    with tempfile.TemporaryDirectory() as cache:
        told = ask(MODULE, "background", what, cache=Path(cache), variables=variables)
    alone = float(np.median(told["interpreter"]))
    served = told["background"]
    title = f"{what}, compiled in the background"
    limit = INTERPRETER_LIMIT * alone
    return [
        Fact(f"{title}: median of the interpreter alone", "jitlang", alone),
        Fact(f"{title}: p99", "jitlang", float(np.percentile(served, 99)), limit=limit),
        Fact(f"{title}: the slowest", "jitlang", max(served), limit=limit + EXTRA_SECONDS),
        Fact(f"{title}: the last", "jitlang", float(np.median(served[-100:]))),
    ]


def short_function(x: Tensor) -> Tensor:
    for _ in range(8):
        x = (x * 0.5 + 0.25).tanh() - x.sigmoid()
    return x


def call_times(function: Callable[..., Any], given: Sequence[Any], calls: int) -> list[float]:
    """Seconds of each of so many calls."""
    found = []
    for _ in range(calls):
        start = time.perf_counter()
        function(*given)
        found.append(time.perf_counter() - start)
    return found


def in_background(what: str) -> None:
    """The child: the interpreter alone, then a fresh function while it is compiled."""
    decorate, function, given = prepared("jitlang", "loop")
    if what != "LSTM":
        function, given = short_function, (jl.ones(100),)
    with jl.config.override(native=False):
        alone = call_times(decorate(function), given, SERVED_CALLS // 10)
    answer(interpreter=alone, background=call_times(decorate(function), given, SERVED_CALLS))


def main(mode: str, subject: str) -> None:
    if mode == "background":
        in_background(subject)
        return
    decorate, function, given = prepared(subject, "loop")
    answer(seconds=call_times(decorate(function), given, FIRST_CALLS))


if __name__ == "__main__":
    main(*sys.argv[1:])
