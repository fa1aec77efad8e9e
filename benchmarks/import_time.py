"""The time of `import jitlang` in a fresh interpreter, beside that of other libraries.

Children take turns; the interpreter's own start is not counted. The target is a time, not a ratio.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks.facts import Fact, print_facts
from benchmarks.installed import is_installed

LIMIT_SECONDS = 0.3
ROUNDS = 15
QUICK_ROUNDS = 5
MODULES = ("numpy", "jitlang", "numba", "jax", "torch")

CHILD = """
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def import_seconds(module: str, bytecode: str) -> float:
    """Seconds of the import alone, with bytecode kept under `bytecode`."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", CHILD.format(module=module)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


def samples(rounds: int) -> dict[str, list[float]]:
    """Seconds of each module's import, children taking turns."""
    found: dict[str, list[float]] = {name: [] for name in MODULES if is_installed(name)}
    with tempfile.TemporaryDirectory() as bytecode:
        for round_number in range(-1, rounds):
            for module, taken in found.items():
                seconds = import_seconds(module, bytecode)
                if round_number >= 0:
                    taken.append(seconds)
    return found


def facts(quick: bool) -> list[Fact]:
    """The median of each module."""
    limits = {"jitlang": LIMIT_SECONDS}
    found = samples(QUICK_ROUNDS if quick else ROUNDS)
    return [
        Fact("import", module, float(np.median(taken)), limit=limits.get(module))
        for module, taken in found.items()
    ]


if __name__ == "__main__":
    print_facts(facts(quick="--quick" in sys.argv))
