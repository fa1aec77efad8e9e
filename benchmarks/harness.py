"""How benchmarks measure.

- Variants take turns within one process, in a new random order each round, so that a busy or
  throttled machine slows all of them alike; only ratios within one run are worth comparing.
- Every round has fresh random inputs, passed as arguments, from a pool larger than a core's caches.
- Converting inputs and outputs is not timed. Every output is compared with the first variant's.
- A ratio is one of medians, with a 95% interval from resampling whole rounds. It meets its target
  only if the upper end of the interval does.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

POOL_BYTES = 64 * 2**20
POOL_LIMIT = 4096
WARM_UP_CALLS = 5
RESAMPLES = 2000

Arguments = tuple[Any, ...]


def unchanged(value: Any) -> Any:
    """The default conversion: none."""
    return value


@dataclass(frozen=True)
class Variant:
    """One way to compute a workload.

    `prepare` turns the workload's arguments into this variant's, `result` its output into arrays or
    numbers (or tuples of them); neither is timed.
    """

    function: Callable[..., Any]
    prepare: Callable[[Arguments], Arguments] = unchanged
    result: Callable[[Any], Any] = unchanged


@dataclass(frozen=True)
class Target:
    """`subject` shall take at most `limit` times as long as `baseline`."""

    subject: str
    baseline: str
    limit: float


@dataclass(frozen=True)
class Workload:
    """The same computation done by several variants, and what is asked of them."""

    name: str
    variants: Mapping[str, Variant]
    inputs: Callable[[np.random.Generator], Arguments]
    targets: Sequence[Target]
    rounds: int
    tolerance: float = 0.0


@dataclass(frozen=True)
class Timing:
    """Seconds of one variant over all rounds."""

    median: float
    quartiles: tuple[float, float]
    samples: list[float] = field(repr=False)


@dataclass(frozen=True)
class Ratio:
    """How many times as long as the baseline, with its 95% interval."""

    subject: str
    baseline: str
    limit: float
    ratio: float
    interval: tuple[float, float]

    @property
    def met(self) -> bool:
        """Whether the target is met with certainty enough."""
        return self.interval[1] <= self.limit


def size_of(value: Any) -> int:
    """Bytes of all arrays in nested tuples."""
    if isinstance(value, tuple):
        return sum(size_of(item) for item in value)
    return value.nbytes if isinstance(value, np.ndarray) else 0


def input_pool(workload: Workload, rng: np.random.Generator) -> list[Arguments]:
    """Enough inputs to overflow the caches, as far as their number stays reasonable."""
    first = workload.inputs(rng)
    count = min(POOL_BYTES // max(size_of(first), 1) + 1, POOL_LIMIT)
    return [first, *(workload.inputs(rng) for _ in range(count - 1))]


def assert_equal(actual: Any, expected: Any, tolerance: float) -> None:
    """Compare nested tuples of arrays and numbers.

    Raises:
        AssertionError: two leaves differ by more than `tolerance`, relative and absolute.
    """
    if isinstance(expected, tuple):
        for mine, theirs in zip(actual, expected, strict=True):
            assert_equal(mine, theirs, tolerance)
        return
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def timed(function: Callable[..., Any], arguments: Arguments) -> tuple[float, Any]:
    """Seconds of one call, and its result."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def measure(workload: Workload, seed: int = 0) -> dict[str, Timing]:
    """Time all variants, interleaved.

    Raises:
        AssertionError: two variants disagree about a result.
    """
    rng = np.random.default_rng(seed)
    pool = input_pool(workload, rng)
    names = list(workload.variants)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(-WARM_UP_CALLS, workload.rounds):
        arguments = pool[round_number % len(pool)]
        results = {}
        for name in rng.permutation(names):
            variant = workload.variants[name]
            own = variant.prepare(arguments)
            gc.collect(0)
            gc.disable()
            seconds, result = timed(variant.function, own)
            gc.enable()
            results[name] = variant.result(result)
            if round_number >= 0:
                samples[name].append(seconds)
        for name in names[1:]:
            assert_equal(results[name], results[names[0]], workload.tolerance)
    return {name: summary(taken) for name, taken in samples.items()}


def summary(samples: list[float]) -> Timing:
    """Median and quartiles."""
    low, middle, high = np.percentile(samples, (25, 50, 75)).tolist()
    return Timing(middle, (low, high), samples)


def ratio_of(timings: Mapping[str, Timing], target: Target, seed: int = 0) -> Ratio:
    """The ratio of medians and its interval by the bootstrap over rounds."""
    pair = np.array([timings[target.subject].samples, timings[target.baseline].samples])
    rng = np.random.default_rng(seed)
    rounds = rng.integers(pair.shape[1], size=(RESAMPLES, pair.shape[1]))
    subject, baseline = np.median(pair[:, rounds], axis=2)
    low, high = np.percentile(subject / baseline, (2.5, 97.5)).tolist()
    ratio = timings[target.subject].median / timings[target.baseline].median
    return Ratio(target.subject, target.baseline, target.limit, ratio, (low, high))


def in_words(seconds: float) -> str:
    """Four significant digits in a unit that suits them."""
    for unit, scale in (("us", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * scale:
            return f"{seconds / scale:.4g} {unit}"
    return f"{seconds:.4g} s"


def report(workload: Workload, timings: Mapping[str, Timing], ratios: Sequence[Ratio]) -> None:
    """Print one workload's table."""
    print(f"{workload.name}, {workload.rounds} rounds")
    for name, timing in timings.items():
        low, high = map(in_words, timing.quartiles)
        print(f"  {name:<28}{in_words(timing.median):>10}   middle half {low} to {high}")
    for ratio in ratios:
        low, high = ratio.interval
        print(
            f"  {ratio.subject} / {ratio.baseline}: {ratio.ratio:.2f} [{low:.2f}, {high:.2f}],"
            f" target {ratio.limit:g}: {'met' if ratio.met else 'missed'}"
        )
    print(flush=True)


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def run(workloads: Sequence[Workload], arguments: Sequence[str] | None = None) -> None:
    """The command line of a benchmark: measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all samples to PATH")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    options = parser.parse_args(arguments)
    results = []
    for workload in workloads:
        if options.quick:
            rounds = max(5, workload.rounds // 10)
            workload = replace(workload, rounds=rounds)
        timings = measure(workload)
        ratios = [ratio_of(timings, target) for target in workload.targets]
        report(workload, timings, ratios)
        results.append(
            {
                "workload": workload.name,
                "timings": {name: asdict(timing) for name, timing in timings.items()},
                "ratios": [{**asdict(ratio), "met": ratio.met} for ratio in ratios],
            }
        )
    if options.json is not None:
        text = json.dumps({"machine": machine(), "results": results}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
