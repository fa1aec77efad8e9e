"""What an executor learns of its calls: their layouts, which way they went, and why native code
refused them.

Counters are for reading and for deciding when to compile. Threads count without a lock, so a count
may fall behind by a few where calls race.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..ir.graph import IF, Node
from .layout import Layout, shapes_in, without_sizes

MAX_REASONS = 32
"""Reasons for misses that are told apart; later ones are counted together."""
OTHER = "other arguments"
MAX_ALIKE = 128
"""Layouts that are looked at to see which sizes differ."""


class Profile:
    """The calls of one signature.

    Attributes:
        names: the arguments.
        layouts: how often each layout of arguments was seen.
        misses: how often native code refused, by reason.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.layouts: dict[tuple[Layout, ...], int] = {}
        self.misses: Counter[str] = Counter()
        self._since: Counter[tuple[Layout, ...]] = Counter()

    def saw(self, layouts: tuple[Layout, ...]) -> int:
        """Count a call; returns how many there were of its layout since `compiled`."""
        self.layouts[layouts] = self.layouts.get(layouts, 0) + 1
        self._since[layouts] += 1
        return self._since[layouts]

    def since(self, layouts: tuple[Layout, ...]) -> int:
        """How many calls of a layout there were since `compiled`."""
        return self._since[layouts]

    def compiled(self, layouts: tuple[Layout, ...]) -> None:
        """Start again to count the calls of a layout, for which there is native code now."""
        del self._since[layouts]

    def shapes_like(self, layouts: tuple[Layout, ...]) -> list[tuple[tuple[int, ...], ...]]:
        """The shapes in the latest layouts that differ from these in sizes and strides only; theirs
        last.
        """
        form, latest = tuple(map(without_sizes, layouts)), list(self.layouts)[-MAX_ALIKE:]
        alike = [k for k in latest if k != layouts and tuple(map(without_sizes, k)) == form]
        return [*map(shapes_in, alike), shapes_in(layouts)]

    def missed(self, reason: str) -> None:
        """Count a refusal."""
        known = reason in self.misses or len(self.misses) < MAX_REASONS
        self.misses[reason if known else OTHER] += 1

    def seen(self) -> dict[str, int]:
        """How often which arguments were seen, for reading."""
        return {
            ", ".join(f"{name}: {part}" for name, part in zip(self.names, key, strict=True)): count
            for key, count in self.layouts.items()
        }


class FlowCounts:
    """How often branches were taken and loops went round, while the interpreter was watched.

    Attributes:
        counts: for each node how often it was reached, then how often its first block ran.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.counts: list[int] = []

    def add(self, node: Node) -> int:
        """Counters for a node; where they begin in `counts`."""
        self.nodes.append(node)
        self.counts += (0, 0)
        return len(self.counts) - 2

    def lines(self) -> list[str]:
        """The counts of what was reached, for reading."""
        pairs = zip(self.nodes, self.counts[::2], self.counts[1::2], strict=True)
        return [_flow_line(node, reached, ran) for node, reached, ran in pairs if reached]


def _flow_line(node: Node, reached: int, ran: int) -> str:
    place = f" at {node.span}" if node.span is not None else ""
    if node.kind == IF:
        return f"branch{place}: taken {ran} of {reached} times"
    return f"loop{place}: {ran} trips in {reached} runs"
