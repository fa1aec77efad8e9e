"""Campaigns: programs against the compiler as it is, and against planted miscompiles.

    python -m tests.random_programs.campaign agree 0 5000
    python -m tests.random_programs.campaign plants 2000 --jobs 2

Seeds are printed, so that `python -m tests.random_programs.campaign show 17` gives a program again, and its
divergence, reduced, where it has one.
"""

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection

from .generator import random_source
from .planted import PLANTS, Plant, PlantedValue
from .tiers import Divergence, Rejected, find_divergence, report

WRAPPING_EVERY = 4
"""Every so manieth program runs with wrapping integers too."""


def check(seed: int, tiers: Collection[str] = ()) -> Divergence | None:
    """Run the program of a seed in every tier, or in some only.

    Raises:
        Rejected: the front end refuses it.
    """
    source = random_source(seed)
    wrapping = not tiers and seed % WRAPPING_EVERY == 0
    return find_divergence(source, str(seed), wrapping=wrapping, tiers=tiers)


@dataclass
class Agreement:
    """What became of some programs."""

    agreed: int = 0
    rejected: dict[int, str] = field(default_factory=dict)
    diverged: dict[int, Divergence] = field(default_factory=dict)

    @property
    def rejection_rate(self) -> float:
        total = self.agreed + len(self.rejected) + len(self.diverged)
        return len(self.rejected) / max(total, 1)

    def __str__(self) -> str:
        reasons = Counter(text.splitlines()[0] for text in self.rejected.values())
        lines = [
            f"{self.agreed} agree, {len(self.rejected)} rejected ({self.rejection_rate:.1%}),"
            f" {len(self.diverged)} diverge: {sorted(self.diverged)}",
            *(f"  {count} x {reason}" for reason, count in reasons.most_common(8)),
            *(f"seed {seed}: {found}" for seed, found in self.diverged.items()),
        ]
        return "\n".join(lines)


def agreement(seeds: Iterable[int]) -> Agreement:
    """Run programs on the compiler as it is."""
    found = Agreement()
    for seed in seeds:
        try:
            divergence = check(seed)
        except Rejected as error:
            found.rejected[seed] = str(error)
            continue
        if divergence is None:
            found.agreed += 1
        else:
            found.diverged[seed] = divergence
    return found


# Plants -------------------------------------------------------------------------------------------


def find_plant(
    plant: Plant | PlantedValue,
    seeds: Iterable[int],
    started: Callable[[int], None] = lambda seed: None,
) -> int | None:
    """The first seed whose program shows a planted mistake: fine without it, not with it."""
    for seed in seeds:
        started(seed)
        with plant.planted():
            shows = _fails(seed, plant.tiers)
        if shows and not _fails(seed, plant.tiers):
            return seed
    return None


def _fails(seed: int, tiers: Collection[str]) -> bool:
    try:
        return check(seed, tiers) is not None
    except Rejected:
        return True


class _Search:
    """`find_plant` in a process of its own: a mistake that crashes it is found, too."""

    def __init__(self, plant: Plant | PlantedValue, limit: int) -> None:
        context = multiprocessing.get_context("fork")
        self.plant, self.limit = plant, limit
        self.start = time.perf_counter()
        self.current = context.Value("q", -1)
        self.answer = context.Value("q", -1)
        self.process = context.Process(target=self._run)
        self.process.start()

    def _run(self) -> None:
        seed = find_plant(self.plant, range(self.limit), self._started)
        self.answer.value = -1 if seed is None else seed

    def _started(self, seed: int) -> None:
        self.current.value = seed

    def result(self) -> int | None:
        if self.process.exitcode != 0:
            return int(self.current.value)
        return int(self.answer.value) if self.answer.value >= 0 else None


def find_plants(
    plants: Sequence[Plant | PlantedValue], limit: int, jobs: int
) -> Iterator[tuple[str, int | None, float]]:
    """Each plant's name, the seed that found it within `limit` programs or None, and its seconds."""
    waiting = list(reversed(plants))
    running: list[_Search] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(_Search(waiting.pop(), limit))
        connection.wait([search.process.sentinel for search in running])
        for search in [s for s in running if s.process.exitcode is not None]:
            running.remove(search)
            yield search.plant.name, search.result(), time.perf_counter() - search.start


# Command line -------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    agree = commands.add_parser("agree")
    agree.add_argument("first", type=int)
    agree.add_argument("last", type=int)
    plants = commands.add_parser("plants")
    plants.add_argument("limit", type=int)
    plants.add_argument("--jobs", type=int, default=1)
    plants.add_argument("--only", default="")
    show = commands.add_parser("show")
    show.add_argument("seed", type=int)
    given = parser.parse_args()
    if given.command == "agree":
        print(agreement(range(given.first, given.last)))
    elif given.command == "plants":
        chosen = [plant for plant in PLANTS if given.only in plant.name]
        survivors = []
        for name, seed, seconds in find_plants(chosen, given.limit, given.jobs):
            found = f"seed {seed}" if seed is not None else "SURVIVES"
            print(f"{name:<55} {found:>12} {seconds:>7.1f} s", flush=True)
            survivors += [name] * (seed is None)
        print(f"{len(chosen) - len(survivors)} of {len(chosen)} found; survivors: {survivors}")
    else:
        _show(given.seed)


def _show(seed: int) -> None:
    source = random_source(seed)
    print(source)
    try:
        found = check(seed)
    except Rejected as error:
        print(error)
        return
    print("all tiers agree" if found is None else report(source, str(seed), found))


if __name__ == "__main__":
    main()
