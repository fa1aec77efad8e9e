"""From a decorator to the first result, for one LSTM cell and for a loop of them, with the memory
that this takes.

Importing the library is not counted.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.costs.children import Answer, answer, ask, peak_megabytes
from benchmarks.costs.libraries import MODULES, prepared
from benchmarks.facts import Fact
from benchmarks.installed import is_installed

LIMIT_SECONDS = 0.06
REPEATS = 5
SLOW = "torch.compile"
CASES = [(library, what) for what in ("cell", "loop") for library in MODULES]
MISSING = ("jax.jit", "cell")
"""Users of JAX write no cell apart from the loop."""


def facts(quick: bool) -> list[Fact]:
    """Seconds to the first result and megabytes, of the cell and of the loop."""
    found = []
    for library, what in CASES:
        is_left_out = (library, what) == MISSING or (quick and library == SLOW)
        if is_left_out or not is_installed(MODULES[library]):
            continue
        answers = [_ask(library, what) for _ in range(1 if library == SLOW else REPEATS)]
        seconds = float(np.median([each["seconds"] for each in answers]))
        megabytes = float(np.median([each["megabytes"] for each in answers]))
        limit = LIMIT_SECONDS if (library, what) == ("jitlang", "cell") else None
        title = f"LSTM {what}, decorator to first result"
        found.append(Fact(title, library, seconds, limit=limit))
        found.append(Fact(f"{title}, memory added", library, megabytes, "MB"))
    return found


def _ask(library: str, what: str) -> Answer:
    with tempfile.TemporaryDirectory() as cache:
        return ask("benchmarks.costs.first_result", library, what, cache=Path(cache))


def main(library: str, what: str) -> None:
    decorate, function, given = prepared(library, what)
    before, start = peak_megabytes(), time.perf_counter()
    decorate(function)(*given)
    seconds = time.perf_counter() - start
    answer(seconds=seconds, megabytes=peak_megabytes() - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
