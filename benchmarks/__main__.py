"""`python -m benchmarks`: jitlang against every library that is installed.

    python -m benchmarks                     # everything, and docs/performance.md
    python -m benchmarks --quick             # one process, little time, no torch.compile
    python -m benchmarks --only lstm gelu    # names that contain one of these

How is told in `benchmarks.harness`, what in `benchmarks.workloads` and `benchmarks.costs`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import document
from benchmarks.costs import COSTS
from benchmarks.facts import Fact, print_facts
from benchmarks.harness import machine, report
from benchmarks.installed import versions
from benchmarks.pool import last_level_cache_bytes
from benchmarks.processes import Outcome, Plan, run_plan
from benchmarks.stolen import share_since, ticks
from benchmarks.workloads import WORKLOADS

PROCESSES = 5
SINGLE_THREAD_PROCESSES = 1
QUICK_SHARE = 0.2
RESULTS = Path("build/benchmarks.json")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--quick", action="store_true", help="one process and a fifth of the time")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART", help="parts of names")
    parser.add_argument("--threads", type=int, nargs="+", help="numbers of threads, one after the"
                        " other; the first is compared with the targets")  # fmt: skip
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH")
    parser.add_argument("--list", action="store_true", help="the names of all measurements")
    parser.add_argument(
        "--document",
        action=argparse.BooleanOptionalAction,
        help="write docs/performance.md; what a run of everything does",
    )
    return parser.parse_args()


def chosen(names: Sequence[str], parts: Sequence[str]) -> list[str]:
    return [name for name in names if any(part in name for part in parts)]


def plans(given: argparse.Namespace) -> list[Plan]:
    """A plan for each number of threads: thorough for the first, less so for others."""
    names = chosen(list(WORKLOADS), given.only)
    threads = given.threads or sorted({len(os.sched_getaffinity(0)), 1}, reverse=True)
    if given.quick:
        return [Plan(names, threads[0], 1, QUICK_SHARE, slow=False)]
    first = Plan(names, threads[0], given.processes, 1.0, slow=True)
    others = [n for n in names if not n.startswith("scaling")]
    fewer = min(SINGLE_THREAD_PROCESSES, given.processes)
    return [first, *(Plan(others, count, fewer, 0.5, slow=False) for count in threads[1:])]


def described() -> dict[str, Any]:
    """The machine and everybody's versions."""
    return {**machine(), "cache_bytes": last_level_cache_bytes(), "versions": versions()}


def print_outcome(outcome: Outcome) -> None:
    title = f"{outcome.title or outcome.name} ({outcome.threads} threads)"
    report(title, outcome.timings, outcome.ratios)
    for name, reason in outcome.failures.items():
        print(f"  {name} failed: {reason}\n")


def main() -> int:
    given = options()
    if given.list:
        print("\n".join([*WORKLOADS, *COSTS]))
        return 0
    about, before = described(), ticks()
    print(", ".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    by_threads: dict[int, list[Outcome]] = {}
    for plan in plans(given):
        by_threads[plan.threads] = list(run_plan(plan).values()) if plan.workloads else []
        for outcome in by_threads[plan.threads]:
            print_outcome(outcome)
    facts: list[Fact] = []
    for name in chosen(list(COSTS), given.only):
        found = COSTS[name](given.quick)
        print_facts(found)
        facts += found
    about["stolen"] = share_since(before)
    write_results(given, about, by_threads, facts)
    failed = [o for outcomes in by_threads.values() for o in outcomes if ours_failed(o)]
    for outcome in failed:
        print(f"jitlang failed: {outcome.name}: {outcome.failures}", file=sys.stderr)
    return int(bool(failed))


def ours_failed(outcome: Outcome) -> bool:
    """Whether a variant of jitlang's raised, gave a wrong result or took the process down."""
    return any(name == "all" or name.startswith("jitlang") for name in outcome.failures)


def write_results(
    given: argparse.Namespace,
    about: dict[str, Any],
    by_threads: dict[int, list[Outcome]],
    facts: list[Fact],
) -> None:
    given.json.parent.mkdir(parents=True, exist_ok=True)
    workloads = [outcome.as_dict() for outcomes in by_threads.values() for outcome in outcomes]
    numbers = [{**vars(fact), "met": fact.met} for fact in facts]
    results = {"machine": about, "workloads": workloads, "facts": numbers}
    given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"all samples: {given.json}")
    is_whole = given.only == [""] and not given.quick
    if not (is_whole if given.document is None else given.document):
        return
    document.write_page(document.section(by_threads, facts, about))
    document.draw_chart(next(iter(by_threads.values())), document.CHART)
    print(f"written: {document.PAGE}, {document.CHART}")


if __name__ == "__main__":
    sys.exit(main())
