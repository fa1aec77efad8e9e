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
from typing import Any

from ..dtypes import DType
from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Block, Graph, Node, ObjectRef, Value
from .alias import AliasAnalysis, Places
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
    while _Merger(graph).block(graph.block, {}):
        changed = True
    return changed


Available = dict[Hashable, Node]
"""Nodes that have run on every path to here, and have not been invalidated by a write."""


class _Merger:
    def __init__(self, graph: Graph) -> None:
        self.analysis = AliasAnalysis(graph)

    def block(self, block: Block, available: Available) -> bool:
        changed = False
        for node in block.nodes:
            if node.blocks:
                changed |= self.nested(node, available)
            key = self.key(node)
            earlier = available.get(key) if key is not None else None
            if earlier is not None and self.may_merge(earlier, node):
                for old, new in zip(node.outputs, earlier.outputs, strict=True):
                    old.replace_all_uses_with(new)
                node.destroy()
                changed = True
                continue
            self.forget(available, self.analysis.writes(node))
            if key is not None:
                available[key] = node
        return changed

    def nested(self, node: Node, available: Available) -> bool:
        """The blocks see what is available here; in a loop, only what the loop does not write."""
        inside = dict(available)
        if node.kind == LOOP:
            self.forget(inside, self.analysis.writes(node))
        changed = False
        for block in node.blocks:
            changed |= self.block(block, dict(inside))
        return changed

    def forget(self, available: Available, written: Places) -> None:
        """Drop what has read memory that is written."""
        if not written:
            return
        stale = [key for key, node in available.items() if self.analysis.reads(node) & written]
        for key in stale:
            del available[key]

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
        places = self.analysis.places(later)
        if not places or later.node.kind == CONSTANT:
            return True
        if later.node.op is None:
            return not isinstance(later.type, ty.TupleType) or not _is_told_apart(later)
        if not ty.is_tensor(later.type):
            return False
        if self.analysis.is_written(earlier) or self.analysis.is_written(later):
            return False
        # A view has no memory of its own: what is seen of it is its base's.
        is_view = later.node.op.schema.returns[later.offset].alias is not None
        return not _is_told_apart(later) and (is_view or not self.analysis.escapes(later))


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
