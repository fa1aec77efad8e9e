"""Single numbers that are no ratio of medians: costs of starting, compiling, remembering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.harness import in_words


@dataclass(frozen=True)
class Fact:
    """One number, and what is asked of it.

    Attributes:
        what: the thing that was measured.
        whose: jitlang, or a peer.
        unit: "s" for seconds, "MB" or "" for a count; "x" for a ratio.
        limit: the largest number that meets the target; None where nothing is asked.
    """

    what: str
    whose: str
    value: float
    unit: str = "s"
    limit: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where nothing is asked."""
        return None if self.limit is None else self.value <= self.limit

    def in_words(self, value: float) -> str:
        """A number in the fact's unit."""
        if self.unit == "s":
            return in_words(value)
        return f"{value:.4g} {self.unit}".strip()

    def __str__(self) -> str:
        text = f"{self.whose:<28}{self.in_words(self.value):>10}"
        if self.limit is None:
            return text
        verdict = "met" if self.met else "missed"
        return f"{text}, target {self.in_words(self.limit)}: {verdict}"


def print_facts(facts: Sequence[Fact]) -> None:
    """One to a line, grouped by what was measured."""
    for what in dict.fromkeys(fact.what for fact in facts):
        print(what)
        for fact in facts:
            if fact.what == what:
                print(f"  {fact}")
    print(flush=True)
