"""Computes equal expressions once.

    graph(%x : Tensor):                                  graph(%x : Tensor):
      %a : Tensor = aten::exp(%x)                          %a : Tensor = aten::exp(%x)
      %b : Tensor = aten::exp(%x)                 =>       %c : Tensor = aten::mul(%a, %a)
      %c : Tensor = aten::mul(%a, %b)                      return (%c)
      return (%c)

Two nodes are equal if they have one kind, row, attributes and output types, and equal inputs;
constants are equal if their values are. The later one goes if the earlier one runs whenever it
does, both are pure, nothing that they read is written in between, and nobody can tell that two
objects have become one: a mutable result must not be written, and must not be seen from outside
as an object of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..dtypes import DType
from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Block, Graph, Node, ObjectRef, Value
from .alias import AliasAnalysis, Place, Places
from .effects import is_pure

MERGED_WITHOUT_ROW = (
    "prim::TupleConstruct",
    "prim::TupleIndex",
    "prim::TupleUnpack",
    "prim::TupleSlice",
    "prim::isinstance",
)


def eliminate_common_subexpressions(graph: Graph) -> bool:
    """Replace nodes that repeat an earlier one."""
    changed = False
    while _Merger(graph).block(graph.block):
        changed = True
    return changed


@dataclass(frozen=True, slots=True)
class _Entry:
    """A node that has run on every path to here, when it ran, and what it read."""

    node: Node
    time: int
    reads: Places


class _Merger:
    """One walk over a graph. A write makes stale, by its time, what read the same memory before."""

    def __init__(self, graph: Graph) -> None:
        self.analysis = AliasAnalysis(graph)
        self.available: dict[Hashable, _Entry] = {}
        self.time = 0
        self.written_at: dict[Place, int] = {}

    def block(self, block: Block) -> bool:
        """Merge in a block; what it makes available ends with it."""
        changed = False
        shadowed: list[tuple[Hashable, _Entry | None]] = []
        for node in block.nodes:
            self.time += 1
            changed |= self.nested(node)
            key = self.key(node)
            if key is None:
                self.write(node)
                continue
            entry = self.available.get(key)
            if entry is not None and self.is_fresh(entry) and self.may_merge(entry.node, node):
                for old, new in zip(node.outputs, entry.node.outputs, strict=True):
                    old.replace_all_uses_with(new)
                node.destroy()
                changed = True
                continue
            shadowed.append((key, entry))
            self.available[key] = _Entry(node, self.time, self.analysis.reads(node))
        for key, entry in reversed(shadowed):
            if entry is None:
                del self.available[key]
            else:
                self.available[key] = entry
        return changed

    def nested(self, node: Node) -> bool:
        """Merge in a node's blocks; a loop's writes come before what its body reads."""
        if node.kind == LOOP:
            self.write(node)
        changed = False
        for block in node.blocks:
            changed |= self.block(block)
        return changed

    def write(self, node: Node) -> None:
        """Note what a node writes."""
        for place in self.analysis.writes(node):
            self.written_at[place] = self.time

    def is_fresh(self, entry: _Entry) -> bool:
        """Whether nothing that an entry read has been written since."""
        return all(self.written_at.get(place, 0) <= entry.time for place in entry.reads)

    def key(self, node: Node) -> Hashable | None:
        """What equal nodes have in common, or None for nodes that are never merged."""
        if node.kind == CONSTANT:
            value = _frozen(node.attributes.get("value"))
            return None if value is None else (CONSTANT, node.output.type, value)
        if (node.op is None and node.kind not in MERGED_WITHOUT_ROW) or not is_pure(node):
            return None
        attributes = [(name, _frozen(node.attributes[name])) for name in sorted(node.attributes)]
        if any(value is None for _, value in attributes):
            return None
        types = tuple(value.type for value in node.outputs)
        return node.kind, node.op, tuple(node.inputs), tuple(attributes), types

    def may_merge(self, earlier: Node, later: Node) -> bool:
        """Whether nobody can tell the results of the two apart."""
        return all(self._is_same(a, b) for a, b in zip(earlier.outputs, later.outputs, strict=True))

    def _is_same(self, earlier: Value, later: Value) -> bool:
        if not may_stand_for_many(later, self.analysis):
            return False
        is_tensor = ty.is_tensor(later.type) and later.node.op is not None
        return not (is_tensor and self.analysis.is_written(earlier))


def may_stand_for_many(value: Value, analysis: AliasAnalysis) -> bool:
    """Whether nobody can tell the result of one run of a pure node from those of several."""
    if not analysis.places(value) or value.node.kind == CONSTANT:
        return True
    if value.node.op is None:
        return not isinstance(value.type, ty.TupleType) or not _is_told_apart(value)
    if not ty.is_tensor(value.type) or analysis.is_written(value):
        return False
    # A view has no memory of its own: what is seen of it is its base's.
    is_view = value.node.op.schema.returns[value.offset].alias is not None
    return not _is_told_apart(value) and (is_view or not analysis.escapes(value))


def _is_told_apart(value: Value) -> bool:
    """Whether anybody looks at the object itself, and not only at what is in it."""
    return any(not _reads_contents(use.node, use.index) for use in value.uses)


def _reads_contents(node: Node, index: int) -> bool:
    """Whether a row takes this input as an array, so that the object does not matter."""
    if node.kind in ("prim::TupleUnpack", "prim::TupleIndex", "prim::TupleSlice"):
        return True
    if node.op is None or index >= len(node.op.schema.arguments):
        return False
    argument = node.op.schema.arguments[index]
    return any(map(ty.is_tensor, ty.walk(argument.type)))


def _frozen(value: Any) -> Hashable | None:
    """A hashable stand-in that is equal for equal attributes only; None where there is none.

    0.0 and -0.0, 1 and True, and nan and itself are told apart or together as their bits are.
    """
    if isinstance(value, float):
        return "float", struct.pack("d", value)
    if isinstance(value, complex):
        return "complex", _frozen(value.real), _frozen(value.imag)
    if isinstance(value, bool | int | str | DType | ty.Type) or value is None:
        return type(value).__name__, value
    if isinstance(value, tuple | list):
        parts = tuple(map(_frozen, value))
        return None if None in parts else (type(value).__name__, parts)
    if isinstance(value, ObjectRef) and value.value is not None:
        return "object", id(value.value)
    return None
