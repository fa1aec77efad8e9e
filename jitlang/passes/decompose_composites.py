"""Puts the parts of composite rows in their place, so that they fuse with what is around them.

    graph(%x : Float(2, 3), %y : Float(2, 3)):       graph(%x : Float(2, 3), %y : Float(2, 3)):
      %one : int = prim::Constant[value=1]()           %2 : Float(2, 3) = aten::sub(%x, %y, ...)
      %l : Float() = aten::mse_loss(%x, %y, %one) =>   %3 : Float(2, 3) = aten::square(%2)
      return (%l)                                      %4 : Float() = aten::mean(%3, ...)
                                                       return (%4)

The parts are what the row's body says (`ops/composite.py`), which may ask for dtypes and sizes and
for the values of all that is no tensor. A row stays where the answer is not known, and where the
body refuses the arguments: its kernel says why when it runs. Raw arrays stay as well; parts know
one semantics only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import Graph, Node, ObjectRef, Value
from ..ir.types import TensorType
from ..ops.composite import GraphReading, UnknownFact
from .alias import AliasAnalysis

LIST = "prim::ListConstruct"


def decompose_composites(graph: Graph) -> bool:
    """Replace composite rows by their parts, those made of composites too."""
    changed = False
    analysis = AliasAnalysis(graph)
    pending = [node for node in graph.walk() if _is_composite(node)]
    while pending:
        node = pending.pop()
        parts = _parts_of(node, analysis)
        if parts is None:
            continue
        pending += _insert(parts, node)
        changed = True
    return changed


def _is_composite(node: Node) -> bool:
    return node.op is not None and node.op.composite is not None


@dataclass
class _Parts:
    """A graph of a row's parts; `outer` are the values that stand for its inputs."""

    graph: Graph
    analysis: AliasAnalysis
    outer: list[Value] = field(default_factory=list)

    def argument(self, value: Value) -> Any:
        """What a body gets for an input of the row: an input of this graph for a tensor, also in a
        list that stays as it was made, else a Python value.

        Raises:
            UnknownFact: it is neither a tensor nor known.
        """
        type_ = value.type
        if isinstance(type_, TensorType):
            if ty.is_array(type_):
                raise UnknownFact
            self.outer.append(value)
            return self.graph.add_input(type_, value.name)
        if value.node.kind == LIST and not self.analysis.is_changed_list(value):
            return [self.argument(item) for item in value.node.inputs]
        if type_ is ty.NONE:
            return None
        if not value.is_constant or isinstance(value.constant(), ObjectRef):
            raise UnknownFact
        return value.constant()


def _parts_of(node: Node, analysis: AliasAnalysis) -> _Parts | None:
    """The row's parts; None where it stays as it is."""
    assert node.op is not None and node.op.composite is not None
    parts = _Parts(Graph("", node.graph.integers), analysis)
    builder = Builder(parts.graph)
    builder.span = node.span
    try:
        arguments = [parts.argument(value) for value in node.inputs]
        found = node.op.composite(GraphReading(builder), *arguments)
    except (UnknownFact, RuntimeError, ValueError, IndexError):
        return None
    results = found if isinstance(found, list | tuple) else [found]
    for result, output in zip(results, node.outputs, strict=True):
        if result in parts.graph.inputs or not _takes_type(result, output.type):
            return None
        parts.graph.add_output(result)
    return parts


def _takes_type(found: Value, stated: ty.Type) -> bool:
    """Whether a result is known to be what the node's was; what more was known of that is kept."""
    if ty.is_subtype(stated, found.type):
        found.type = stated
    return ty.is_subtype(found.type, stated)


def _insert(parts: _Parts, node: Node) -> list[Node]:
    """Put parts in the place of a node; returns the composites among them."""
    mapping: dict[Value, Value] = dict(zip(parts.graph.inputs, parts.outer, strict=True))
    before = node.previous
    parts.graph.block.clone_nodes_into(node.block, node, mapping)
    composites = []
    made = before.next
    while made is not node:
        for inner in made.walk():
            inner.callstack = node.callstack
            composites += [inner] if _is_composite(inner) else []
        made = made.next
    for value, output in zip(parts.graph.outputs, node.outputs, strict=True):
        found = mapping[value]
        found.name = found.name or output.name
        output.replace_all_uses_with(found)
    node.destroy()
    return composites
