"""Which pass over a row computes what, and what is kept between passes."""

from __future__ import annotations

from dataclasses import dataclass

from ..fuser.plan import Convert, Load, LoopPlan, Reduce, operands_of


def scratch_bytes(plan: LoopPlan, length: int, lanes: int, is_across: bool = False) -> int:
    """How much memory one call needs beside its arrays, for rows of `length` elements; with vectors
    across rows, for as many rows as there are lanes.
    """
    kept = len({n for phase in Schedule(plan).phases for n in phase.kept})
    return kept * 8 * row_unit(length, lanes, is_across)


def row_unit(length: int, lanes: int, is_across: bool) -> int:
    """Elements of scratch memory for each value that is kept."""
    return length * lanes if is_across else length + 2 * lanes


@dataclass(slots=True)
class Phase:
    """One pass over a row: the elements it computes, and what becomes of them."""

    needed: list[int]
    reductions: list[int]
    outputs: list[int]
    kept: list[int]  # stored in scratch memory for later passes
    read: list[int]  # read from scratch memory


class Schedule:
    """Which pass over a row computes what. Values that later passes need again are kept, unless
    they are loads or conversions of loads, which are cheap to repeat.
    """

    def __init__(self, plan: LoopPlan) -> None:
        self.plan = plan
        self.last = max(plan.phases, default=0)
        self.phases: list[Phase] = []
        self.kept: dict[int, int] = {}
        wanted: dict[int, list[int]] = {}
        for number in range(self.last, -1, -1):
            self.phases.insert(0, self._phase(number, wanted))

    def _phase(self, number: int, wanted: dict[int, list[int]]) -> Phase:
        plan = self.plan
        reductions = [
            n
            for n, s in enumerate(plan.statements)
            if isinstance(s, Reduce) and plan.phases[n] == number + 1
        ]
        outputs = [
            n
            for n, output in enumerate(plan.outputs)
            if not output.is_row and plan.phases[output.value.index] == number
        ]
        kept = wanted.get(number, [])
        work = [operand for n in reductions for operand in operands_of(plan.statements[n])]
        work += [plan.outputs[n].value.index for n in outputs] + kept
        work += [index.index for n in outputs for index in plan.outputs[n].indices]
        needed: set[int] = set()
        read: set[int] = set()
        while work:
            value = work.pop()
            if plan.is_row[value] or value in needed or value in read:
                continue
            if plan.phases[value] < number and not self._is_cheap(value):
                read.add(value)
                earlier = wanted.setdefault(plan.phases[value], [])
                if value not in earlier:
                    earlier.append(value)
                    self.kept[value] = len(self.kept)
                continue
            needed.add(value)
            work += operands_of(plan.statements[value])
        return Phase(sorted(needed), reductions, outputs, kept, sorted(read))

    def _is_cheap(self, value: int) -> bool:
        statement = self.plan.statements[value]
        if isinstance(statement, Convert):
            return self._is_cheap(statement.value.index)
        return isinstance(statement, Load)
