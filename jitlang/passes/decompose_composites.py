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

from typing import Any

from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import Graph, Node, ObjectRef, Value
from ..ir.types import TensorType
from ..ops.composite import GraphReading, UnknownFact

LIST = "prim::ListConstruct"


def decompose_composites(graph: Graph) -> bool:
    """Replace composite rows by their parts, those made of composites too."""
    changed = False
    pending = [node for node in graph.walk() if _is_composite(node)]
    while pending:
        node = pending.pop()
        parts = _parts_of(node)
        if parts is None:
            continue
        pending += _insert(parts, node)
        changed = True
    return changed


def _is_composite(node: Node) -> bool:
    return node.op is not None and node.op.composite is not None


def _parts_of(node: Node) -> Graph | None:
    """A graph of the row's parts, over the inputs of the node; None where it stays as it is."""
    assert node.op is not None and node.op.composite is not None
    parts = Graph("", node.graph.integers)
    inner = [parts.add_input(value.type, value.name) for value in node.inputs]
    builder = Builder(parts)
    builder.span = node.span
    try:
        arguments = [_argument(outer, own) for outer, own in zip(node.inputs, inner, strict=True)]
        found = node.op.composite(GraphReading(builder), *arguments)
    except (UnknownFact, RuntimeError, ValueError, IndexError):
        return None
    if found in inner or not _takes_type(found, node.output.type):
        return None
    parts.add_output(found)
    return parts


def _argument(outer: Value, inner: Value) -> Any:
    """What a body gets for an input: the inner value of a tensor, else a Python value.

    Raises:
        UnknownFact: it is neither a tensor nor known.
    """
    type_ = outer.type
    if isinstance(type_, TensorType):
        if ty.is_array(type_):
            raise UnknownFact
        return inner
    if outer.node.kind == LIST:
        return [_argument(item, item) for item in outer.node.inputs]
    if type_ is ty.NONE:
        return None
    if not outer.is_constant or isinstance(outer.constant(), ObjectRef):
        raise UnknownFact
    return outer.constant()


def _takes_type(found: Value, stated: ty.Type) -> bool:
    """Whether a result is known to be what the node's was; what more was known of that is kept."""
    if ty.is_subtype(stated, found.type):
        found.type = stated
    return ty.is_subtype(found.type, stated)


def _insert(parts: Graph, node: Node) -> list[Node]:
    """Put parts in the place of a node; returns the composites among them."""
    mapping: dict[Value, Value] = dict(zip(parts.inputs, node.inputs, strict=True))
    before = node.previous
    parts.block.clone_nodes_into(node.block, node, mapping)
    composites = []
    made = before.next
    while made is not node:
        for inner in made.walk():
            inner.callstack = node.callstack
            composites += [inner] if _is_composite(inner) else []
        made = made.next
    (found,) = (mapping[value] for value in parts.outputs)
    found.name = found.name or node.output.name
    node.output.replace_all_uses_with(found)
    node.destroy()
    return composites
