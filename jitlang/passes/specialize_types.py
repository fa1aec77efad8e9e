"""Specialise types: what is known of the inputs, carried through every row's type rule.

    graph(%x : Tensor, %y : Tensor):              graph(%x : Float(2, 3), %y : Float(3)):
      %1 : int = prim::Constant[value=1]()          %1 : int = prim::Constant[value=1]()
      %2 : Tensor = aten::add(%x, %y, %1)           %2 : Float(2, 3) = aten::add(%x, %y, %1)
      return (%2)                                   return (%2)

Only facts that a rule proves are added; a type never gets wider than it was. A loop starts from its
entry types and widens what a pass over its body contradicts, until nothing changes. Elements of
lists that can be written to stay unrefined.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import types as ty
from ..ir.graph import IF, LOOP, Block, Graph, Node, Value
from ..ir.matching import Match, match_schema, result_types
from ..ir.opdef import NOT_CONSTANT
from ..ir.types import Type

MAX_ROUNDS = 16


def specialize_types(graph: Graph, input_types: Sequence[Type]) -> bool:
    """Give the graph's inputs these types and refine everything that follows from them.

    Args:
        graph: changed in place.
        input_types: one type per input, each a subtype of the input's own.
    """
    changed = False
    for value, type_ in zip(graph.inputs, input_types, strict=True):
        changed |= _set(value, type_)
    return _specialize_block(graph.block) or changed


def _specialize_block(block: Block) -> bool:
    changed = False
    for node in block.nodes:
        changed |= _specialize_node(node)
    return changed


def _specialize_node(node: Node) -> bool:
    if node.kind == LOOP:
        return _specialize_loop(node)
    changed = False
    for block in node.blocks:
        changed |= _specialize_block(block)
    for value, type_ in zip(node.outputs, _output_types(node), strict=True):
        changed |= _set(value, type_)
    return changed


def _output_types(node: Node) -> Sequence[Type]:
    """What the node's outputs are known to be."""
    stated = [v.type for v in node.outputs]
    if node.kind == IF:
        then, otherwise = node.blocks
        return [_join(a, b) for a, b in zip(then.outputs, otherwise.outputs, strict=True)]
    if node.kind == "prim::TupleConstruct":
        (made,) = stated
        return [made.with_children([v.type for v in node.inputs])]
    if node.kind == "prim::TupleUnpack":
        return node.inputs[0].type.children
    if node.kind == "prim::ListUnpack" and isinstance(node.inputs[0].type, ty.SequenceType):
        return [node.inputs[0].type.element] * len(stated)
    if node.op is None:
        return stated
    return _ruled(node) or stated


def _ruled(node: Node) -> Sequence[Type] | None:
    """The output types by the row's rule, or None where the inputs do not match its schema."""
    assert node.op is not None
    types = [v.type for v in node.inputs]
    match = match_schema(node.op, types, {})
    if not isinstance(match, Match):
        return None
    constants = [v.constant() if v.is_constant else NOT_CONSTANT for v in node.inputs]
    ruled = result_types(node.op, match.bindings, types, constants)
    return ruled if len(ruled) == len(node.outputs) else None


def _join(a: Value, b: Value) -> Type:
    """The type of either; an uninitialised value is never read."""
    if a.node.kind == "prim::Uninitialized":
        return b.type
    if b.node.kind == "prim::Uninitialized":
        return a.type
    return ty.unify(a.type, b.type) or ty.union((a.type, b.type))


def _specialize_loop(node: Node) -> bool:
    (body,) = node.blocks
    carried = body.inputs[1:]
    stated = [v.type for v in carried]
    assumed = [_narrower(s, v.type) for s, v in zip(stated, node.inputs[2:], strict=True)]
    for _ in range(MAX_ROUNDS):
        for value, type_ in zip(carried, assumed, strict=True):
            value.type = type_
        _specialize_block(body)
        ends = body.outputs[1:]
        wider = [
            assumed_type
            if ty.is_subtype(end.type, assumed_type)
            else _wider(assumed_type, end, first)
            for assumed_type, end, first in zip(assumed, ends, stated, strict=True)
        ]
        if wider == assumed:
            break
        assumed = wider
        _forget(body, assumed)
    else:
        for value, type_ in zip(carried, stated, strict=True):
            value.type = type_
        _forget(body, stated)
        _specialize_block(body)
        assumed = stated
    changed = any(a is not s for a, s in zip(assumed, stated, strict=True))
    for value, type_ in zip(node.outputs, assumed, strict=True):
        changed |= _set(value, type_)
    return changed


def _wider(assumed: Type, end: Value, stated: Type) -> Type:
    return ty.unify(assumed, end.type) or stated


def _forget(body: Block, types: Sequence[Type]) -> None:
    """Take back what earlier rounds concluded from types that turned out too narrow."""
    for value, type_ in zip(body.inputs[1:], types, strict=True):
        value.type = type_
    for node in body.walk():
        for value in node.outputs:
            value.type = ty.unshaped(value.type)
        for block in node.blocks:
            for value in block.inputs:
                value.type = ty.unshaped(value.type)


def _set(value: Value, type_: Type) -> bool:
    narrower = _narrower(value.type, type_)
    if narrower is value.type:
        return False
    value.type = narrower
    return True


def _narrower(stated: Type, found: Type) -> Type:
    """The found type where it says more than the stated one and does not contradict it."""
    if isinstance(stated, ty.ListType | ty.DictType):
        return stated
    return found if ty.is_subtype(found, stated) else stated
