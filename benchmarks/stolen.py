"""Processor time that the host of a virtual machine gave to others, while programs here waited."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

COUNTERS = Path("/proc/stat")
_STOLEN, _FIRST_GUEST = 7, 8  # of the numbers of the first line; guest time counts as user's too


class Ticks(NamedTuple):
    """Time of all processors since the system began, in a unit of its own."""

    stolen: int
    total: int


def ticks() -> Ticks | None:
    """What the system has counted so far, or None where it does not tell."""
    try:
        numbers = [int(word) for word in COUNTERS.read_text().splitlines()[0].split()[1:]]
    except OSError:
        return None
    return Ticks(numbers[_STOLEN], sum(numbers[:_FIRST_GUEST]))


def share_since(before: Ticks | None) -> float | None:
    """The share of the processors' time that was stolen since then."""
    now = ticks()
    if before is None or now is None or now.total <= before.total:
        return None
    return (now.stolen - before.stolen) / (now.total - before.total)
