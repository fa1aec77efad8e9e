"""Compiling functions of a thousand and ten thousand pointwise operators: time and memory."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jitlang as jl
from benchmarks.costs.children import answer, ask, peak_megabytes
from benchmarks.facts import Fact

LIMITS = {1_000: (6.0, None), 10_000: (60.0, 1024.0)}
"""Seconds and megabytes asked of so many operators."""
STATEMENT = "    x = x * {factor} + y\n    y = (x - y).abs()\n"
OPERATORS_PER_STATEMENT = 4


def facts(quick: bool) -> list[Fact]:
    """Seconds from decorating to being compiled, and megabytes at the most, of each size."""
    found = []
    for size, (seconds, megabytes) in LIMITS.items():
        if quick and size > min(LIMITS):
            continue
        with tempfile.TemporaryDirectory() as cache:
            told = ask("benchmarks.costs.large_functions", str(size), cache=Path(cache))
        title = f"a function of {size:,} pointwise operators"
        found.append(Fact(f"{title}: compiled", "jitlang", told["seconds"], limit=seconds))
        found.append(Fact(f"{title}: peak memory", "jitlang", told["megabytes"], "MB", megabytes))
    return found


def source(operators: int) -> str:
    """A function of two tensors."""
    statements = (
        STATEMENT.format(factor=0.5 + i / operators)
        for i in range(operators // OPERATORS_PER_STATEMENT)
    )
    lines = ["from jitlang import Tensor", "def large(x: Tensor, y: Tensor) -> Tensor:"]
    return "\n".join([*lines, *statements, "    return x + y"]) + "\n"


def function_of(operators: int, folder: Path) -> Any:
    path = folder / "large.py"
    path.write_text(source(operators), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("large", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.large


def main(operators: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        function = function_of(int(operators), Path(folder))
        x, y = jl.ones(100), jl.zeros(100)
        start = time.perf_counter()
        scripted = jl.script(function)
        scripted.compile(x, y)
        scripted(x, y)
        answer(seconds=time.perf_counter() - start, megabytes=peak_megabytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
