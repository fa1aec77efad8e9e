"""Moves out of loops what is the same in every trip.

    graph(%x : Float(2, 4), %w : Float(4, 4)):         graph(%x : Float(2, 4), %w : Float(4, 4)):
      %r : Float(2, 4) = prim::Loop(%5, %go, %x)         %t : Float(4, 4) = aten::t(%w)
        block0(%i : int, %h : Float(2, 4)):        =>    %r : Float(2, 4) = prim::Loop(%5, %go, %x)
          %t : Float(4, 4) = aten::t(%w)                   block0(%i : int, %h : Float(2, 4)):
          %p : Float(2, 4) = aten::mm(%h, %t)                %p : Float(2, 4) = aten::mm(%h, %t)
          -> (%go, %p)                                       -> (%go, %p)
      return (%r)                                        return (%r)

A node moves if it only computes results from what is computed before the loop, nothing that it
reads is written in the loop, and nobody can tell one result from a new one in each trip. What may
raise moves only if the first trip is certain, and comes before anything else in the body that
raises or is seen from outside; what costs more than a few instructions, only if the first trip is
certain. So no program does more than it did, and errors stay where they were among the effects.
"""

from __future__ import annotations

from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Graph, Node, Value
from ..ir.types import TensorType
from .alias import AliasAnalysis
from .effects import HARMLESS, is_protected, is_pure, may_raise, must_run
from .eliminate_common_subexpressions import may_stand_for_many
from .loops import is_from_outside, runs_once_at_least
from .ranges import Ranges, find_ranges

LISTS_OF_NUMBERS = (ty.ListType(ty.INT), ty.ListType(ty.FLOAT), ty.ListType(ty.BOOL))


def hoist_invariants(graph: Graph) -> bool:
    """Move what does not change from trip to trip out of loops, from inner ones first."""
    loops = graph.find(LOOP)
    if not loops:
        return False
    analysis, ranges = AliasAnalysis(graph), find_ranges(graph)
    changed = False
    for loop in reversed(loops):
        changed |= _hoist(loop, analysis, ranges)
    return changed


def _hoist(loop: Node, analysis: AliasAnalysis, ranges: Ranges) -> bool:
    written = analysis.writes(loop)
    is_certain, is_first = runs_once_at_least(loop), True
    changed = False
    for node in loop.blocks[0].nodes:
        may_fail = not _cannot_raise(node, ranges)
        is_in_place = is_certain and is_first if may_fail else is_certain or _is_cheap(node)
        is_same = _is_invariant(node, loop, analysis) and not analysis.reads(node) & written
        if is_in_place and is_same:
            node.move_before(loop)
            changed = True
        else:
            is_first = is_first and not _is_seen(node, may_fail, analysis)
    return changed


def _is_invariant(node: Node, loop: Node, analysis: AliasAnalysis) -> bool:
    """Whether a node computes the same in every trip, as far as anybody can tell."""
    if node.kind != CONSTANT and not (is_pure(node) and node.outputs):
        return False
    is_outside = all(is_from_outside(value, loop) for value in node.inputs)
    return is_outside and all(_may_be_shared(value, analysis) for value in node.outputs)


def _is_seen(node: Node, may_fail: bool, analysis: AliasAnalysis) -> bool:
    """Whether a node may raise or do what is seen from outside, so that errors must not pass it."""
    if node.blocks:
        return any(must_run(inner) or _writes_visibly(inner, analysis) for inner in node.walk())
    return may_fail or must_run(node) or _writes_visibly(node, analysis)


def _writes_visibly(node: Node, analysis: AliasAnalysis) -> bool:
    """Whether what a node writes can be seen after an error: from outside, or by a handler."""
    written = analysis.writes(node)
    return analysis.is_visible(written) or (bool(written) and is_protected(node.block))


def _cannot_raise(node: Node, ranges: Ranges) -> bool:
    """Whether a node surely gives a result. Tensor rows do where all shapes are known: then their
    rules have found them to fit."""
    if node.op is None:
        return node.kind in HARMLESS
    if node.op.python is not None:
        is_unchecked = not node.op.checked_integer or node.graph.integers == "wrapping"
        return not may_raise(node.op) and (is_unchecked or ranges.fits(node))
    return all(_is_shaped(value) for value in (*node.inputs, *node.outputs))


def _is_shaped(value: Value) -> bool:
    if not isinstance(value.type, TensorType):
        return not any(map(ty.is_tensor, ty.walk(value.type)))
    sizes = value.type.sizes
    return value.type.dtype is not None and sizes is not None and None not in sizes


def _is_cheap(node: Node) -> bool:
    """Whether a node takes a few instructions, so that it does not matter if it runs in vain."""
    is_scalar = all(value.type in (ty.INT, ty.FLOAT, ty.BOOL) for value in node.outputs)
    return node.op is None or (node.op.python is not None and is_scalar)


def _may_be_shared(value: Value, analysis: AliasAnalysis) -> bool:
    """Whether nobody can tell one object from a new one in each trip."""
    if value.type in LISTS_OF_NUMBERS:
        readers = [use.node for use in value.uses]
        return not analysis.may_change(value) and all(map(_is_row_of_tensors, readers))
    if isinstance(value.type, ty.ListType | ty.DictType):
        return False
    return may_stand_for_many(value, analysis)


def _is_row_of_tensors(node: Node) -> bool:
    """Whether a row makes a tensor, so that it keeps no list that it is given."""
    return node.op is not None and any(ty.is_tensor(r.type) for r in node.op.schema.returns)
