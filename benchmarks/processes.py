"""Workloads in processes of their own, each with so many threads; what they found, together.

A child writes one line of JSON for each workload, so that what it measured outlives a crash; after
a crash another child goes on with the workload after the one that died.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.statistics import Ratio, Target, Timing, ratio_of, timing_of

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "JITLANG_NUM_THREADS",
)
CACHE_FOLDER = "benchmark-cache"
"""Below the environment: compiling a loop of 64 steps takes torch.compile half a minute."""


@dataclass(frozen=True)
class Plan:
    """What to measure, and how thoroughly.

    Attributes:
        share: of the time that a workload asks for.
        slow: whether to measure peers that take long to start.
    """

    workloads: Sequence[str]
    threads: int
    processes: int
    share: float
    slow: bool


@dataclass
class Outcome:
    """What all processes found out about one workload.

    Attributes:
        title: what the workload is, in words.
        samples: seconds per call: of each variant, in each process, in each round.
        failures: who failed, and how.
    """

    name: str
    threads: int
    title: str = ""
    samples: dict[str, list[list[float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)

    def add(self, line: dict[str, Any]) -> None:
        """Take in what one process found."""
        self.title = line["title"]
        self.targets = [
            Target(**{**t, "baselines": tuple(t["baselines"])}) for t in line["targets"]
        ]
        self.failures.update(line["failures"])
        for name, taken in line["samples"].items():
            self.samples.setdefault(name, []).append(taken)

    def drop_incomplete(self) -> None:
        """A variant that failed in one process is not compared at all."""
        for name in self.failures:
            self.samples.pop(name, None)

    @property
    def timings(self) -> dict[str, Timing]:
        """Of each variant, over all processes."""
        return {name: timing_of(taken) for name, taken in self.samples.items()}

    @property
    def ratios(self) -> list[Ratio]:
        """Those that the targets are about, as far as subject and a baseline were measured."""
        found = [ratio_of(self.samples, target) for target in self.targets]
        return [ratio for ratio in found if ratio is not None]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "workload": self.name,
            "title": self.title,
            "threads": self.threads,
            "samples": self.samples,
            "failures": self.failures,
            "timings": {name: asdict(timing) for name, timing in self.timings.items()},
            "ratios": [{**asdict(ratio), "met": ratio.met} for ratio in self.ratios],
        }


def run_plan(plan: Plan) -> dict[str, Outcome]:
    """Run all processes, one after the other, and gather what they say."""
    outcomes = {name: Outcome(name, plan.threads) for name in plan.workloads}
    for seed in range(plan.processes):
        print(f"process {seed + 1} of {plan.processes}, {plan.threads} threads", file=sys.stderr)
        _run_process(plan, seed, outcomes)
    for outcome in outcomes.values():
        outcome.drop_incomplete()
    return outcomes


def _run_process(plan: Plan, seed: int, outcomes: dict[str, Outcome]) -> None:
    left = list(plan.workloads)
    while left:
        done = _run_child(plan, seed, left, outcomes)
        left = left[done:]
        if left:
            outcomes[left[0]].failures["all"] = "the process died"
            left = left[1:]


def _run_child(
    plan: Plan, seed: int, workloads: Sequence[str], outcomes: dict[str, Outcome]
) -> int:
    """How many workloads a child got through."""
    arguments = [str(seed), str(plan.share), str(int(plan.slow)), *workloads]
    command = [sys.executable, "-m", "benchmarks.child", *arguments]
    processors = sorted(os.sched_getaffinity(0))[: plan.threads]
    done = 0
    with subprocess.Popen(
        command,
        env=environment(plan.threads),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=functools.partial(os.sched_setaffinity, 0, processors),
    ) as child:
        assert child.stdout is not None
        for text in child.stdout:
            if not text.startswith("{"):
                continue
            line = json.loads(text)
            outcomes[line["workload"]].add(line)
            done += 1
            print(f"  {line['workload']}", file=sys.stderr)
    return done


def environment(threads: int) -> dict[str, str]:
    """Variables that give everybody the same number of threads, and torch.compile a cache."""
    cache = str(Path(sys.prefix, CACHE_FOLDER))
    limits = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**os.environ, **limits, "TORCHINDUCTOR_CACHE_DIR": cache}
