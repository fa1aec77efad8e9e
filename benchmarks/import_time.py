"""The time of `import jitlang` in a fresh interpreter, beside that of `import numpy` alone.

Children take turns; the interpreter's own start is not counted. The target is a time, not a ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import in_words, machine, summary

LIMIT_SECONDS = 0.3
ROUNDS = 15
MODULES = ("numpy", "jitlang")

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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all samples to PATH")
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    options = parser.parse_args(arguments)
    rounds = ROUNDS // 3 if options.quick else ROUNDS
    samples: dict[str, list[float]] = {module: [] for module in MODULES}
    with tempfile.TemporaryDirectory() as bytecode:
        for round_number in range(-1, rounds):
            for module in MODULES:
                seconds = import_seconds(module, bytecode)
                if round_number >= 0:
                    samples[module].append(seconds)
    timings = {module: summary(taken) for module, taken in samples.items()}
    print(f"import, {rounds} rounds")
    for module, timing in timings.items():
        low, high = map(in_words, timing.quartiles)
        print(f"  {module:<28}{in_words(timing.median):>10}   middle half {low} to {high}")
    met = timings["jitlang"].median <= LIMIT_SECONDS
    print(f"  target {LIMIT_SECONDS:g} s: {'met' if met else 'missed'}\n")
    if options.json is not None:
        text = json.dumps({"machine": machine(), "seconds": samples, "met": met}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
