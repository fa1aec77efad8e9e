"""What passes ask about loops: how often they run, and what is the same in every trip."""

from __future__ import annotations

from ..ir.graph import LOOP, Node, Value


def certain_trips(node: Node) -> int | None:
    """How often a loop runs its body, where that is certain: nothing ends it early."""
    if node.kind != LOOP:
        return None
    trips, go, again = node.inputs[0], node.inputs[1], node.blocks[0].outputs[0]
    if go.constant() is not True or again.constant() is not True or not trips.is_constant:
        return None
    return max(int(trips.constant()), 0)


def runs_once_at_least(node: Node) -> bool:
    """Whether the first trip of a loop is certain."""
    trips, go = node.inputs[:2]
    return go.constant() is True and trips.is_constant and bool(trips.constant() >= 1)


def is_from_outside(value: Value, loop: Node) -> bool:
    """Whether a value is computed before a loop, and so the same in every trip."""
    (body,) = loop.blocks
    return not body.encloses(value.node)
