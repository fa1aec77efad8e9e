"""What running a node does beyond its results and its writes to memory.

Part of the one analysis (`alias.py` knows about memory): whether a node may be dropped, merged
with an equal one, or run at compile time is decided here and nowhere else.

An error is an effect: a program that divides by zero must still do so when nobody reads the
quotient. So a scalar or container row whose expression can raise stays. Array kernels are taken
not to raise (their errors are about shapes and dtypes): a tensor that nobody reads is not
computed. But in the body of a `prim::Try` an error decides where the graph goes on, so there they
run too.
"""

from __future__ import annotations

import ast
from functools import cache

from ..ir import types as ty
from ..ir.graph import CHOICES, CONSTANT, LOOP, TRY, UNINITIALIZED, Block, Graph, Node
from ..ir.opdef import Effect, OpDef
from .alias import CASTS, CONSTRUCTS, IS_INSTANCE, TUPLE_SLICE

UNLIMITED_TRIPS = 2**62
"""A trip count from which on a loop is a `while` loop, which may never end."""

HARMLESS = frozenset({
    *CONSTRUCTS, *CASTS, IS_INSTANCE, TUPLE_SLICE, CONSTANT, UNINITIALIZED, "prim::TupleUnpack",
    "prim::TupleIndex",
})  # fmt: skip
"""Nodes without a row that do nothing but give results."""

_RAISING = (
    ast.Subscript, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.LShift, ast.RShift, ast.Call,
    ast.JoinedStr,
)  # fmt: skip
_SAFE_CALLS = frozenset({
    "len", "abs", "bool", "str", "repr", "type", "isinstance", "append", "copy", "clear", "reverse",
    "extend", "keys", "values", "items", "get", "lower", "upper", "strip", "startswith", "endswith",
    "all", "any", "sum",
})  # fmt: skip
"""Builtins and methods that do not raise on arguments of their schemas' types."""


def must_run(node: Node) -> bool:
    """Whether the node must run even if nobody reads its results; its writes are not considered."""
    if node.kind in HARMLESS or node.kind in CHOICES:
        return False
    if node.kind == LOOP:
        return bool(node.inputs[0].constant(0) >= UNLIMITED_TRIPS)
    if node.op is None:
        return True
    if node.op.effect in (Effect.IO, Effect.RAISES):
        return True
    if may_raise(node.op) or (node.op.checked_integer and node.graph.integers == "checked"):
        return True
    return node.op.python is None and is_protected(node.block)


def is_protected(block: Block) -> bool:
    """Whether the graph itself may handle an error in the block: it is in the body of a `Try`.

    What has happened before the error can be seen from the handlers then.
    """
    owner = block.owner
    if owner is None:
        return False
    return (owner.kind == TRY and owner.blocks[0] is block) or is_protected(owner.block)


def is_pure(node: Node) -> bool:
    """Whether the node only computes results from its inputs: no effect, no write, no draw.

    It may still raise. Nodes with blocks count as impure.
    """
    if node.op is None:
        return node.kind in HARMLESS
    return node.op.effect is Effect.NONE and not node.op.schema.is_mutable


def reshapes(graph: Graph) -> bool:
    """Whether a row of the graph gives a tensor another shape in place.

    What is found out about sizes holds for tensors that keep theirs, so nothing may be made of it
    in such a graph.
    """
    return any(node.op is not None and node.op.reshapes for node in graph.walk())


@cache
def may_raise(op: OpDef) -> bool:
    """Whether the expression of a scalar or container row can raise; False for array kernels."""
    if op.python is None:
        return not any(map(ty.is_tensor, _types(op)))
    for part in ast.walk(ast.parse(op.python, mode="eval")):
        if isinstance(part, ast.Call) and _called(part) in _SAFE_CALLS:
            continue
        if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Slice):
            continue
        if isinstance(part, _RAISING):
            return True
    return False


def _types(op: OpDef) -> list[ty.Type]:
    declared = (*op.schema.arguments, *op.schema.returns)
    return [part for argument in declared for part in ty.walk(argument.type)]


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
