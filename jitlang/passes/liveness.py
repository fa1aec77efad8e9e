"""Where each value is needed for the last time.

A value dies *at* the simple node that reads it last (or that defines it, where nobody reads it).
Around blocks there are more places, so that every path through the graph releases every value
exactly once:

- *on entry* to an `If` or a loop: an input that its blocks do not read and nobody reads later;
- *at the start* of a block: a value that dies in the other branch, or a parameter nobody reads;
- *at the end* of a block: a result that nobody reads in another way afterwards;
- *at* a loop, after its last trip: a value from outside that the body reads and nobody reads later;
- *at* a `Try`, after its body or the handler: the same, for an error may come before the last read.

Constants and `prim::Uninitialized` never die: they are no variables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..ir.graph import CONSTANT, IF, LOOP, TRY, UNINITIALIZED, Block, Graph, Node, Value

Live = dict[Value, None]
"""An ordered set: what is found must not depend on addresses."""


IMMEDIATE = (CONSTANT, UNINITIALIZED)
"""Kinds whose outputs are known without running anything."""


@dataclass
class Liveness:
    """The values that die at each place."""

    at: dict[Node, list[Value]] = field(default_factory=dict)
    on_entry: dict[Node, list[Value]] = field(default_factory=dict)
    at_start: dict[Block, list[Value]] = field(default_factory=dict)
    at_end: dict[Block, list[Value]] = field(default_factory=dict)


def find_last_uses(graph: Graph) -> Liveness:
    """Where every value of a graph dies."""
    found = Liveness()
    live: Live = {}
    _walk(graph.block, live, found)
    found.at_start[graph.block] = [v for v in graph.inputs if v not in live]
    return found


def captures(node: Node) -> list[Value]:
    """The values from outside that the node's blocks read, each once; constants are left out."""
    inside = set(node.walk())
    seen: Live = {}
    for block in blocks_inside(node):
        inside |= {block.param_node}
        for reader in (*block.nodes, block.return_node):
            seen.update(dict.fromkeys(_variables(reader.inputs)))
    return [value for value in seen if value.node not in inside]


def blocks_inside(node: Node) -> list[Block]:
    """The node's blocks and those nested in them."""
    return [block for inner in node.walk() for block in inner.blocks]


def _variables(values: Iterable[Value]) -> list[Value]:
    return [value for value in values if value.node.kind not in IMMEDIATE]


def _walk(block: Block, live: Live, found: Liveness) -> None:
    """Go through a block backwards; `live` is what is needed after it, then before it."""
    found.at_end[block] = _last_reads(block.outputs, live)
    for node in block.reversed_nodes:
        if node.kind == IF:
            _leave_branches(node, live, found)
        elif node.kind == LOOP:
            _leave_loop(node, live, found)
        elif node.kind == TRY:
            _leave_try(node, live, found)
        elif node.kind not in IMMEDIATE:
            found.at[node] = _defined(node, live) + _last_reads(node.inputs, live)


def _defined(node: Node, live: Live) -> list[Value]:
    """The node's outputs that nobody reads; none is live before the node."""
    dead = [value for value in node.outputs if value not in live]
    for value in node.outputs:
        live.pop(value, None)
    return dead


def _last_reads(values: Iterable[Value], live: Live) -> list[Value]:
    """Those values that nobody needs later; they become live."""
    last = list(dict.fromkeys(v for v in _variables(values) if v not in live))
    live.update(dict.fromkeys(last))
    return last


def _leave_branches(node: Node, live: Live, found: Liveness) -> None:
    found.at[node] = _defined(node, live)
    needed = []
    for block in node.blocks:
        inside = dict(live)
        _walk(block, inside, found)
        needed.append(inside)
    for inside in needed:
        live.update(inside)
    for block, inside in zip(node.blocks, needed, strict=True):
        found.at_start[block] = [v for v in live if v not in inside]
    found.on_entry[node] = _last_reads(node.inputs, live)


def _leave_loop(node: Node, live: Live, found: Liveness) -> None:
    (body,) = node.blocks
    dead = _defined(node, live)
    found.at[node] = dead + _last_reads(captures(node), live)
    inside = dict(live)
    _walk(body, inside, found)
    found.at_start[body] = [v for v in body.inputs if v not in inside]
    found.on_entry[node] = _last_reads(node.inputs, live)


def _leave_try(node: Node, live: Live, found: Liveness) -> None:
    dead = _defined(node, live)
    found.at[node] = dead + _last_reads(captures(node), live)
    for block in node.blocks:
        inside = dict(live)
        _walk(block, inside, found)
        found.at_start[block] = [v for v in block.inputs if v not in inside]
