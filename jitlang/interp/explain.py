"""What became of a signature, for reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..fuser.partition import FUSION_GROUP, SUBGRAPH
from ..ir.graph import CONSTANT, Graph, Node
from .callback import CallBack
from .generic import Form

if TYPE_CHECKING:
    from .executor import Phase


MAX_SEEN = 8
"""Layouts that an explanation shows."""


@dataclass(frozen=True)
class VersionExplanation:
    """A static version: native code for arguments of one layout.

    Attributes:
        arguments: the layout of each argument, by name.
        guards: what is tested at entry.
        groups: the operators of each fusion group.
        callbacks: what native code runs in Python.
        nodes: how many nodes of the graph are machine code.
        calls: how many calls it served.
    """

    arguments: Mapping[str, str]
    guards: Sequence[str]
    groups: Sequence[Sequence[str]]
    callbacks: Sequence[CallBack]
    nodes: int
    calls: int

    def lines(self) -> list[str]:
        """The explanation as lines of text."""
        lines = [f"static version: {self.calls} calls"]
        lines += [f"  {name}: {layout}" for name, layout in self.arguments.items()]
        lines += [f"  guard: {guard}" for guard in self.guards]
        lines += [f"  fused: {', '.join(group)}" for group in self.groups]
        lines.append(f"  native: {self.nodes} nodes, in Python: {len(self.callbacks)}")
        lines += [f"  called back in Python: {each}" for each in self.callbacks]
        return lines


@dataclass(frozen=True)
class Explanation:
    """What became of a signature.

    Attributes:
        phase: the current phase.
        calls: calls so far.
        interpreted: how many of them the interpreter served.
        seen: how often which layouts of arguments were seen before native code took them.
        flow: how often branches were taken and loops went round while the interpreter ran.
        versions: the static versions, most recently used first.
        form: how the form for all layouts runs, or None where it was not needed yet.
        generic_calls: how many calls that form served.
        reason: why that form is not native, or empty.
        groups: the operators of each fusion group of that form.
        callbacks: what that form runs in Python from native code.
        bailouts: how often its kernels left a call to the reference kernels, by reason.
        not_specialized: why there is no static version, or empty.
        not_for_any_size: why there is none that takes other sizes, or empty.
        misses: how often the static versions refused, by reason.
        failures: what went wrong while compiling.
    """

    phase: Phase
    calls: int
    interpreted: int
    seen: Mapping[str, int]
    flow: Sequence[str]
    versions: Sequence[VersionExplanation]
    form: Form | None
    generic_calls: int
    reason: str
    groups: Sequence[Sequence[str]]
    callbacks: Sequence[CallBack]
    bailouts: Mapping[str, int]
    not_specialized: str
    not_for_any_size: str
    misses: Mapping[str, int]
    failures: Sequence[str]

    def __str__(self) -> str:
        lines = [f"phase: {self.phase.value} after {self.calls} calls"]
        lines += [f"seen {n} times: {what}" for what, n in islice(self.seen.items(), MAX_SEEN)]
        if len(self.seen) > MAX_SEEN:
            lines.append(f"seen: {len(self.seen) - MAX_SEEN} other layouts")
        lines += self.flow
        if self.not_specialized:
            lines.append(f"not specialized: {self.not_specialized}")
        if self.not_for_any_size:
            lines.append(f"one function for other sizes: none, {self.not_for_any_size}")
        for version in self.versions:
            lines += version.lines()
        if self.form is not None:
            lines.append(f"all layouts: {self.form.value}, {self.generic_calls} calls")
        if self.reason:
            lines.append(f"not native: {self.reason}")
        lines += [f"fused: {', '.join(group)}" for group in self.groups]
        lines += [f"called back in Python: {each}" for each in self.callbacks]
        lines += [f"not by a kernel {count} times: {why}" for why, count in self.bailouts.items()]
        lines += [f"missed {count} times: {reason}" for reason, count in self.misses.items()]
        lines += [f"failed: {failure}" for failure in self.failures]
        return "\n".join(lines)


def groups_of(graph: Graph) -> list[list[str]]:
    """The operators that each fusion group of a graph computes."""
    return [_operators_of(node) for node in graph.find(FUSION_GROUP)]


_STRUCTURE = (CONSTANT, "prim::ListConstruct", "prim::ListUnpack")


def _operators_of(group: Node) -> list[str]:
    return [node.kind for node in group.attributes[SUBGRAPH].walk() if node.kind not in _STRUCTURE]


def node_count(graph: Graph) -> int:
    """How many nodes a graph has that compute something."""
    return sum(node.kind not in _STRUCTURE for node in graph.walk())
