"""Medians of medians, and ratios with intervals.

A variant is timed in several processes, many rounds in each. Its time is the median over the
processes of the medians over their rounds. A ratio's 95% interval comes from drawing processes, and
whole rounds within each, again and again (the bootstrap): rounds are drawn for all variants at
once, since what slows one of them in a round slows the others too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000

Samples = Mapping[str, Sequence[Sequence[float]]]
"""Seconds: of each variant, in each process, in each round."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one variant over all processes."""

    median: float
    quartiles: tuple[float, float]


@dataclass(frozen=True)
class Target:
    """`subject` shall take at most `limit` times as long as the quickest of `baselines`.

    Without a limit the ratio is only told.
    """

    subject: str
    baselines: tuple[str, ...]
    limit: float | None = None


@dataclass(frozen=True)
class Ratio:
    """How many times as long as the baseline, with its 95% interval."""

    subject: str
    baseline: str
    limit: float | None
    ratio: float
    interval: tuple[float, float]

    @property
    def met(self) -> bool | None:
        """Whether the target is met with certainty enough; None where nothing is asked."""
        return None if self.limit is None else self.interval[1] <= self.limit


def timing_of(processes: Sequence[Sequence[float]]) -> Timing:
    """Median of medians, and the quartiles of all rounds."""
    low, high = np.percentile(np.concatenate(processes), (25, 75)).tolist()
    return Timing(float(np.median([np.median(rounds) for rounds in processes])), (low, high))


def ratio_of(samples: Samples, target: Target, seed: int = 0) -> Ratio | None:
    """The ratio to the quickest baseline that was measured, or None without any.

    The interval takes the quickest baseline of each resample, so that chance in choosing it counts.
    """
    baselines = [name for name in target.baselines if name in samples]
    if target.subject not in samples or not baselines:
        return None
    medians = {name: timing_of(samples[name]).median for name in (target.subject, *baselines)}
    quickest = min(baselines, key=medians.__getitem__)
    drawn = _resampled([samples[name] for name in (target.subject, *baselines)], seed)
    low, high = np.percentile(drawn[0] / drawn[1:].min(axis=0), (2.5, 97.5)).tolist()
    ratio = medians[target.subject] / medians[quickest]
    return Ratio(target.subject, quickest, target.limit, ratio, (low, high))


def _resampled(variants: Sequence[Sequence[Sequence[float]]], seed: int) -> np.ndarray:
    """Medians of medians of each variant (first axis) in each resample (second axis)."""
    rng = np.random.default_rng(seed)
    of_processes = np.stack([_medians(rounds, rng) for rounds in zip(*variants, strict=True)])
    processes = of_processes.shape[0]
    drawn = rng.integers(processes, size=(RESAMPLES, processes))
    chosen = of_processes[drawn, :, np.arange(RESAMPLES)[:, None]]
    return np.median(chosen, axis=1).T


def _medians(rounds: Sequence[Sequence[float]], rng: np.random.Generator) -> np.ndarray:
    """Medians within one process: variants by resamples."""
    taken = np.array(rounds)
    drawn = rng.integers(taken.shape[1], size=(RESAMPLES, taken.shape[1]))
    return np.median(taken[:, drawn], axis=2)
