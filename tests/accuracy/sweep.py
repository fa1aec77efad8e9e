"""Measures rows on all float32 numbers; stops and goes on where it stopped.

Every result is screened against NumPy's float64 functions. What comes near the worst found so far
is measured against the C library's, and the worst 1,000 of those against mpmath.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .kernels import digest, kernel
from .meter import FLOAT32, FLOAT64, Format, compared, meter
from .points import CHUNKS, blocks, chunk, drawn, pairs
from .precise import NumpyReference, precise_error
from .references import Measured

WORST, RECORDED = 1000, 16
PAIRS, DOUBLES = 1 << 24, 10_000_000
Found = list[tuple[float, tuple[int, ...]]]
"""Errors in ULP with the bit patterns of the arguments."""


def folder() -> Path:
    """Where unfinished sweeps are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    made = Path(base).expanduser() / "jitlang-accuracy"
    made.mkdir(parents=True, exist_ok=True)
    return made


class Sweep:
    """One row over all float32 numbers, chunk by chunk."""

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self.digest = digest(measured, FLOAT32.dtype)
        self.path = folder() / f"{measured.label.replace(' ', '_')}.json"
        self.kernel = kernel(measured)
        self.errors = meter(measured.reference, 1, FLOAT32)
        self.worst: Found = []
        self.done = 0
        self.lock = threading.Lock()
        self._resume()

    def _resume(self) -> None:
        if not self.path.exists():
            return
        state = json.loads(self.path.read_text())
        if state["digest"] == self.digest:
            self.done = state["done"]
            self.worst = [(error, tuple(bits)) for error, bits in state["worst"]]

    def save(self) -> None:
        """Keep what is done so far."""
        state = {"digest": self.digest, "done": self.done, "worst": self.worst}
        text = json.dumps(state)
        partial = self.path.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(self.path)

    def run(self, until: int, threads: int) -> None:
        """Measure chunks up to that number."""
        with ThreadPoolExecutor(threads) as pool:
            while self.done < until:
                group = range(self.done, min(self.done + 2 * threads, until))
                for found in pool.map(self.measure, group):
                    self.worst = merged(self.worst, found)
                self.done = group[-1] + 1
                self.save()

    def measure(self, number: int) -> Found:
        """The worst of one chunk, and of what was found before."""
        worst, reference = self.worst, NumpyReference()
        with np.errstate(all="ignore"):
            for x in blocks(chunk(number)):
                got = self.kernel(x)
                wanted = self.measured.reference(reference, x.astype(np.float64))
                least = worst[-1][0] if len(worst) == WORST else 0.51
                suspects = suspicious(got, wanted, least - 0.01)
                if suspects.size:
                    worst = merged(worst, self.confirmed(x[suspects], got[suspects]))
        return worst

    def confirmed(self, x: Any, got: Any) -> Found:
        """The errors of some results against the C library's functions."""
        errors = self.errors([x], got)
        order = np.argsort(-errors, kind="stable")[:WORST]
        return [(float(errors[n]), (int(x.view(np.uint32)[n]),)) for n in order]


def suspicious(got: Any, wanted: Any, least: float) -> Any:
    """The places where results are off by that much, half an ULP at least."""
    rounded = wanted.astype(np.float32)
    (places,) = np.nonzero(got.view(np.int32) != rounded.view(np.int32))
    got, wanted = got[places], wanted[places]
    is_number = ~(np.isnan(got) & np.isnan(wanted))
    places, got, wanted = places[is_number], got[is_number], wanted[is_number]
    return places[compared(got, wanted, FLOAT32) > least]


def merged(a: Found, b: Found) -> Found:
    """The worst of two lists, worst first."""
    return sorted({*a, *b}, reverse=True)[:WORST]


def recorded(measured: Measured, worst: Found, format: Format, count: int) -> dict[str, Any]:
    """A row of the table: the worst by mpmath, and where."""
    dtype = np.float32 if format is FLOAT32 else np.float64
    run = kernel(measured)
    bits = np.array([place for _, place in worst], f"u{np.dtype(dtype).itemsize}")
    operands = [np.ascontiguousarray(column).view(dtype) for column in bits.T]
    got = run(*operands)
    rows = zip(worst, zip(*(o.tolist() for o in operands), strict=True), got.tolist(), strict=True)
    precise = [
        (error if np.isinf(error) else precise_error(measured.reference, given, value, format),
         place)
        for (error, place), given, value in rows
    ]  # fmt: skip
    precise.sort(reverse=True)
    return {
        "digest": digest(measured, format.dtype),
        "max": round(precise[0][0], 4),
        "count": count,
        "worst": [[f"{b:#x}" for b in place] for _, place in precise[:RECORDED]],
    }


def sampled(measured: Measured, format: Format, count: int) -> dict[str, Any]:
    """The same for numbers or pairs at random, all of them against the C library."""
    dtype = np.float32 if format is FLOAT32 else np.float64
    draw = drawn if measured.arity == 1 else pairs
    run, errors = kernel(measured), meter(measured.reference, measured.arity, format)
    worst: Found = []
    size = 1 << 20
    for seed, start in enumerate(range(0, count, size)):
        given = draw(measured.label, dtype, min(size, count - start), seed)
        operands = [given] if measured.arity == 1 else given
        with np.errstate(all="ignore"):
            found = errors(operands, run(*operands))
        order = np.argpartition(-found, WORST)[:WORST] if found.size > WORST else range(found.size)
        views = [o.view(f"u{o.itemsize}") for o in operands]
        worst = merged(worst, [(float(found[n]), tuple(int(v[n]) for v in views)) for n in order])
    return recorded(measured, worst, format, count)


def measure(
    measured: Measured, until: int, threads: int, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Both formats of a row."""
    start = time.monotonic()
    if measured.arity == 1:
        sweep = Sweep(measured)
        sweep.run(until, threads)
        single = recorded(measured, sweep.worst, FLOAT32, sweep.done * ((1 << 32) // CHUNKS))
    else:
        single = sampled(measured, FLOAT32, PAIRS)
    double = sampled(measured, FLOAT64, DOUBLES)
    seconds = time.monotonic() - start
    say(f"{measured.label}: {single['max']} and {double['max']} ULP, {seconds:.0f} s")
    return {"float32": single, "float64": double}


__all__: Sequence[str] = ("Sweep", "measure", "recorded", "sampled")
