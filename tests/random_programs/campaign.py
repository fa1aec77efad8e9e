"""Campaigns: programs against the compiler as it is, and against planted miscompiles.

    python -m tests.random_programs.campaign agree 0 5000
    python -m tests.random_programs.campaign plants 2000

Seeds are printed, so that `python -m tests.random_programs.campaign show 17` gives a program
again, and its divergence, reduced, where it has one.
"""

import argparse
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jitlang as jl
from jitlang.codegen.host import HostEmitter
from jitlang.interp.machine import assemble
from jitlang.ir.graph import Graph
from jitlang.ir.printer import print_graph
from jitlang.passes.manager import run_passes

from .generator import random_source
from .planted import PLANTS, Plant, PlantedValue, Stage
from .tiers import Divergence, Rejected, find_divergence, load, native, quiet, report, run

WRAPPING_EVERY = 4
"""Every so manieth program runs with wrapping integers too."""


def check(seed: int) -> Divergence | None:
    """Run the program of a seed in every tier.

    Raises:
        Rejected: the front end refuses it.
    """
    source = random_source(seed)
    return find_divergence(source, str(seed), wrapping=seed % WRAPPING_EVERY == 0)


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


class Subject:
    """The program of one seed, compiled rightly, on which plants are tried.

    A plant shows if the stage that makes the mistake gives something else than it does without the
    plant, and what it gives then does not do what plain Python does. Only that stage and those
    after it run again.
    """

    def __init__(self, seed: int) -> None:
        self.label = str(seed)
        self.loaded = load(random_source(seed), self.label)
        cases = self.loaded.cases.values()
        self.expected = [run(self.loaded.reference, case()) for case in cases]
        self.front = self._compile()
        self.optimized = self._optimize()
        self.normal = {stage: self._text(stage) for stage in Stage}

    def shows(self, plant: Plant | PlantedValue) -> bool:
        """Whether the program goes wrong with the plant, and right without."""
        with plant.planted():
            is_wrong = self._goes_wrong(plant.stage)
        return is_wrong and not self._does_wrong(plant.stage)

    def _goes_wrong(self, stage: Stage) -> bool:
        try:
            return self._text(stage) != self.normal[stage] and self._does_wrong(stage)
        except Exception:
            return True

    def _does_wrong(self, stage: Stage) -> bool:
        function = self._function(stage)
        cases = self.loaded.cases.values()
        return any(run(function, c()) != e for c, e in zip(cases, self.expected, strict=True))

    def _compile(self) -> Graph:
        with quiet():
            scripted: Any = jl.script(self.loaded.program)
            first = next(iter(self.loaded.cases.values()))
            run(scripted, first())
            return scripted.graph

    def _optimize(self) -> Graph:
        graph = self.front.copy()
        run_passes(graph, ["optimize"])
        return graph

    def _text(self, stage: Stage) -> str:
        """What a stage makes of the program."""
        if stage is Stage.FRONT:
            return print_graph(self._compile())
        if stage is Stage.PASSES:
            return print_graph(self._optimize())
        if stage is Stage.INTERPRETER:
            return assemble(self.optimized).source
        return HostEmitter(self.optimized, lambda node: _no_callback).emit()

    def _function(self, stage: Stage) -> Callable[..., Any]:
        if stage is Stage.FRONT:
            return assemble(self._compile())
        if stage is Stage.PASSES:
            return assemble(self._optimize())
        return assemble(self.optimized) if stage is Stage.INTERPRETER else native(self.optimized)


def _no_callback(*args: Any) -> Any:
    raise AssertionError("only the text is wanted")


def find_plant(plant: Plant | PlantedValue, seeds: Iterable[int]) -> int | None:
    """The first seed whose program shows a planted mistake."""
    return next(
        (seed for seed in seeds if (s := subject_of(seed)) is not None and s.shows(plant)), None
    )


def subject_of(seed: int) -> Subject | None:
    """The program of a seed, or None where the front end refuses it."""
    try:
        return Subject(seed)
    except (Rejected, jl.CompileError):
        return None


class _Search:
    """Looks for several plants in a process of its own: a mistake that crashes it is found, too."""

    def __init__(self, plants: Sequence[Plant | PlantedValue], first: int, limit: int) -> None:
        context = multiprocessing.get_context("fork")
        self.plants, self.first, self.limit = plants, first, limit
        self.seed, self.plant = context.Value("q", first), context.Value("q", -1)
        self.found = context.Array("q", [-1] * len(plants))

    def run(self) -> dict[str, int]:
        """The plants that were found, each with the first seed that shows it."""
        while True:
            process = multiprocessing.get_context("fork").Process(target=self._look)
            process.start()
            process.join()
            if process.exitcode == 0:
                break
            if self.plant.value >= 0:
                self.found[self.plant.value] = self.seed.value
                print(
                    f"{self.plants[self.plant.value].name:<55} seed {self.seed.value} (crash)",
                    flush=True,
                )
            else:
                self.seed.value += 1
        pairs = zip(self.plants, self.found, strict=True)
        return {plant.name: seed for plant, seed in pairs if seed >= 0}

    def _look(self) -> None:
        while self.seed.value < self.limit and -1 in list(self.found):
            self.plant.value = -1
            subject = subject_of(self.seed.value)
            for number in range(len(self.plants) if subject is not None else 0):
                if self.found[number] >= 0:
                    continue
                self.plant.value = number
                if subject is not None and subject.shows(self.plants[number]):
                    self.found[number] = self.seed.value
                    print(f"{self.plants[number].name:<55} seed {self.seed.value}", flush=True)
            self.seed.value += 1


def find_plants(
    plants: Sequence[Plant | PlantedValue], limit: int, first: int = 0
) -> dict[str, int]:
    """The plants that programs `first` to `limit` find, each with its first seed."""
    return _Search(plants, first, limit).run()


# Command line -------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    agree = commands.add_parser("agree")
    agree.add_argument("first", type=int)
    agree.add_argument("last", type=int)
    plants = commands.add_parser("plants")
    plants.add_argument("limit", type=int)
    plants.add_argument("--first", type=int, default=0)
    plants.add_argument("--only", default="", help="part of the names of the plants to look for")
    plants.add_argument("--offset", type=int, default=0, help="the first plant to look for")
    plants.add_argument("--step", type=int, default=1, help="look for every so manieth plant")
    show = commands.add_parser("show")
    show.add_argument("seed", type=int)
    given = parser.parse_args()
    if given.command == "agree":
        print(agreement(range(given.first, given.last)))
    elif given.command == "plants":
        chosen = [plant for plant in PLANTS if given.only in plant.name][given.offset :: given.step]
        found = find_plants(chosen, given.limit, given.first)
        survivors = [plant.name for plant in chosen if plant.name not in found]
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
