"""How benchmarks measure.

- Variants take turns within one process, in a new random order each round, so that a busy or
  throttled machine slows all of them alike; only ratios within one run are worth comparing.
- A turn is one call, or so many that they take a millisecond or two; each call has inputs of its
  own, passed as arguments, from a pool larger than the last-level cache (`benchmarks.pool`).
- Before a turn comes a call that is not timed, since the turn before may have been somebody else's
  and left the instruction cache and sleeping threads behind.
- A turn begins when the threads of the turn before, which spin for a while, have gone to sleep.
- Converting inputs and outputs is not timed. The last output of a turn is compared with that of the
  first variant for the same inputs. Memory for outputs that the caller owns is filled with NaN.
- A ratio is one of medians, with a 95% interval (`benchmarks.statistics`). It meets its target only
  if the upper end of the interval does.

`measure` is one process. `python -m benchmarks` starts several and brings them together.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pool import Pool
from benchmarks.statistics import Ratio, Target, Timing, ratio_of, timing_of

WARM_UP_TURNS = 4
TURN_SECONDS = 0.002
MAX_CALLS = 200
MIN_ROUNDS = 5
MAX_ROUNDS = 300
PAUSE_SECONDS = 0.002
MAX_PAUSES = 150
TASKS = Path("/proc/self/task")
SLOW_CHECK_SECONDS = 0.005
"""Outputs that take longer than this to check are checked in every `CHECK_EVERY`th round only."""
CHECK_EVERY = 8
COMPARED = 100_000
"""Elements of a large array that are compared."""
MAX_REASON = 240
"""Characters kept of an exception's text."""

Arguments = tuple[Any, ...]


def unchanged(value: Any) -> Any:
    """The default conversion: none."""
    return value


@dataclass(frozen=True)
class Variant:
    """One way to compute a workload.

    Attributes:
        prepare: turns the workload's arguments into this variant's; not timed.
        result: turns its output into arrays or numbers (or tuples of them); not timed.
        keywords: the names under which the arguments are passed; none: by position.
        is_yardstick: does something else, that a target compares with: it is no peer, and its
            output is of no interest.
        scale: what its seconds are multiplied by.
        starts_slowly: compiling it takes many seconds; quick runs leave it out.
    """

    function: Callable[..., Any]
    prepare: Callable[[Arguments], Arguments] = unchanged
    result: Callable[[Any], Any] = unchanged
    keywords: tuple[str, ...] = ()
    is_yardstick: bool = False
    scale: float = 1.0
    starts_slowly: bool = False


def close(tolerance: float) -> Callable[[Any, Any], None]:
    """A check that raises AssertionError where results differ by more, relative and absolute."""
    return functools.partial(assert_close, tolerance=tolerance)


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    """Compare nested tuples of arrays and numbers; of large arrays a part.

    Raises:
        AssertionError: two leaves differ by more than `tolerance`, relative and absolute, or a
            number was never written.
    """
    if isinstance(expected, tuple):
        for mine, theirs in zip(actual, expected, strict=True):
            assert_close(mine, theirs, tolerance)
        return
    mine, theirs = np.asarray(actual), np.asarray(expected)
    assert mine.shape == theirs.shape, f"shape {mine.shape} instead of {theirs.shape}"
    assert not np.isnan(mine.sum()), "there are NaNs"
    part = slice(None, None, 1 + mine.size // COMPARED)
    np.testing.assert_allclose(
        mine.reshape(-1)[part], theirs.reshape(-1)[part], rtol=tolerance, atol=tolerance
    )


def assert_equal(actual: Any, expected: Any) -> None:
    """The default check.

    Raises:
        AssertionError: two leaves differ.
    """
    assert_close(actual, expected, 0.0)


@dataclass(frozen=True)
class Workload:
    """The same computation done by several variants, and what is asked of them.

    The first variant is the reference.

    Attributes:
        seconds: how long one process measures.
        check: raises AssertionError where a variant's result is not that of the reference.
    """

    name: str
    variants: Mapping[str, Variant]
    inputs: Callable[[Pool], Arguments]
    targets: Sequence[Target] = ()
    seconds: float = 2.0
    check: Callable[[Any, Any], None] = assert_equal


@dataclass
class Measured:
    """What one process found out: seconds per call of each round, and who failed and how."""

    samples: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@functools.cache
def timing_loop(arity: int, keywords: tuple[str, ...]) -> Callable[..., tuple[float, Any]]:
    """A loop that calls a function for each tuple of a list, written as a user writes the call."""
    names = [f"a{i}" for i in range(arity)]
    labels = [f"{keyword}=" for keyword in keywords] or [""] * arity
    call = ", ".join(label + name for label, name in zip(labels, names, strict=True))
    targets = "".join(f"{name}, " for name in names) or "_ "
    source = (
        "def loop(function, batch, clock):\n"
        "    result = None\n"
        "    start = clock()\n"
        f"    for {targets}in batch:\n"
        f"        result = function({call})\n"
        "    return clock() - start, result\n"
    )
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    loop: Callable[..., tuple[float, Any]] = namespace["loop"]
    return loop


def timed(variant: Variant, batch: Sequence[Arguments]) -> tuple[float, Any]:
    """Seconds of calling a variant with each of the prepared arguments, and the last result."""
    loop = timing_loop(len(batch[0]), variant.keywords)
    gc.collect(0)
    gc.disable()
    try:
        return loop(variant.function, batch, time.perf_counter)
    finally:
        gc.enable()


def rest() -> None:
    """Sleep until all other threads do: those of NumPy's BLAS spin for 100 ms after their work."""
    for _ in range(MAX_PAUSES):
        time.sleep(PAUSE_SECONDS)
        if not others_run():
            return


def others_run() -> bool:
    """Whether another thread of this process is running, as far as the system tells."""
    own = str(threading.get_native_id())
    for task in TASKS.glob("[0-9]*"):
        try:
            state = (task / "stat").read_text().rpartition(") ")[2]
        except OSError:  # it has ended
            continue
        if task.name != own and state.startswith("R"):
            return True
    return False


class Process:
    """One process's measurement of one workload."""

    def __init__(self, workload: Workload, pool: Pool) -> None:
        self.workload, self.pool = workload, pool
        self.reference = next(iter(workload.variants))
        self.found = Measured()
        self.calls = 1
        self.check_every = 1

    def measure(self, seconds: float) -> Measured:
        """Time all variants in turn for about so long."""
        for name in self.workload.variants:
            self._warm_up(name)
        samples: dict[str, list[float]] = {name: [] for name in self.workload.variants}
        start, rounds = time.perf_counter(), 0
        while rounds < MIN_ROUNDS or (
            rounds < MAX_ROUNDS and time.perf_counter() - start < seconds
        ):
            for name in self.pool.rng.permutation(self._left()):
                samples[name].append(self._try_turn(name, rounds % self.check_every == 0))
            rounds += 1
        self.found.samples = {name: samples[name] for name in self._left()}
        return self.found

    def _left(self) -> list[str]:
        return [name for name in self.workload.variants if name not in self.found.failures]

    def _warm_up(self, name: str) -> None:
        """First calls; those of the reference tell how many calls make a turn."""
        taken = []
        while len(taken) < WARM_UP_TURNS and name not in self.found.failures:
            taken.append(self._try_turn(name, check=len(taken) == WARM_UP_TURNS - 1))
        if name == self.reference:
            self.calls = max(1, min(int(TURN_SECONDS / min(taken)), MAX_CALLS))

    def _try_turn(self, name: str, check: bool) -> float:
        """Seconds per call; a variant that fails is noted and has no more turns."""
        try:
            return self._turn(name, check)
        except Exception as error:
            if name == self.reference:
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.found.failures[name] = reason[:MAX_REASON]
            return float("nan")

    def _turn(self, name: str, check: bool) -> float:
        """Seconds per call."""
        variant = self.workload.variants[name]
        batch = [self.workload.inputs(self.pool) for _ in range(1 + self.calls)]
        primer, *prepared = [variant.prepare(arguments) for arguments in batch]
        rest()
        timed(variant, [primer])
        seconds, result = timed(variant, prepared)
        if check and not variant.is_yardstick:
            self._check(name, variant.result(result), batch[-1])
        return seconds * variant.scale / self.calls

    def _check(self, name: str, result: Any, arguments: Arguments) -> None:
        start = time.perf_counter()
        first = self.workload.variants[self.reference]
        expected = first.result(timed(first, [first.prepare(arguments)])[1])
        self.workload.check(result, expected)
        if time.perf_counter() - start > SLOW_CHECK_SECONDS:
            self.check_every = CHECK_EVERY


def measure(workload: Workload, pool: Pool, seconds: float) -> Measured:
    """Time all variants, interleaved, in this process.

    A variant that raises, or whose result differs from the reference's, is left out and named in
    `failures`.
    """
    return Process(workload, pool).measure(seconds)


def in_words(seconds: float) -> str:
    """Four significant digits in a unit that suits them."""
    for unit, scale in (("us", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * scale:
            return f"{seconds / scale:.4g} {unit}"
    return f"{seconds:.4g} s"


def report(name: str, timings: Mapping[str, Timing], ratios: Sequence[Ratio]) -> None:
    """Print one workload's table."""
    print(name)
    for variant, timing in timings.items():
        low, high = map(in_words, timing.quartiles)
        print(f"  {variant:<28}{in_words(timing.median):>10}   middle half {low} to {high}")
    for ratio in ratios:
        print(f"  {verdict(ratio)}")
    print(flush=True)


def verdict(ratio: Ratio) -> str:
    """A ratio and what was asked, in a line."""
    low, high = ratio.interval
    text = f"{ratio.subject} / {ratio.baseline}: {ratio.ratio:.2f} [{low:.2f}, {high:.2f}]"
    if ratio.limit is None:
        return text
    return f"{text}, target {ratio.limit:.3g}: {'met' if ratio.met else 'missed'}"


def processor() -> str:
    """The processor's name, as the system knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def run(workloads: Sequence[Workload], arguments: Sequence[str] | None = None) -> None:
    """The command line of a single benchmark: measure in this process, print, write JSON where
    asked.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all samples to PATH")
    parser.add_argument("--quick", action="store_true", help="a fifth of the time")
    options = parser.parse_args(arguments)
    results = []
    for workload in workloads:
        found = measure(workload, Pool(0), workload.seconds / (5 if options.quick else 1))
        samples = {name: [taken] for name, taken in found.samples.items()}
        timings = {name: timing_of(taken) for name, taken in samples.items()}
        ratios = [r for t in workload.targets if (r := ratio_of(samples, t)) is not None]
        report(workload.name, timings, ratios)
        for name, failure in found.failures.items():
            print(f"  {name}: {failure}\n")
        results.append(
            {
                "workload": workload.name,
                "samples": found.samples,
                "failures": found.failures,
                "timings": {name: asdict(timing) for name, timing in timings.items()},
                "ratios": [{**asdict(ratio), "met": ratio.met} for ratio in ratios],
            }
        )
    if options.json is not None:
        text = json.dumps({"machine": machine(), "results": results}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
