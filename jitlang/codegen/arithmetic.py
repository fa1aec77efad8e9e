"""Which nodes are arithmetic on numbers that machine code does by itself."""

from __future__ import annotations

from llvmlite import ir as ll

from ..ir.graph import CONSTANT, Node
from .scalar import SCALAR_TYPES, NotLowered, Reading, can_read, read_row

MAX_SPECULATED = 8
"""Operations of a branch that are computed whichever way it goes."""
_DIVISIONS = frozenset(("aten::floordiv", "aten::remainder"))
_CHEAP = _DIVISIONS | frozenset(
    f"aten::{name}"
    for name in ("add", "sub", "mul", "neg", "eq", "ne", "lt", "le", "gt", "ge", "__not__")
)


def reads_as_machine_code(node: Node) -> bool:
    """Whether the row's template can be read for these types."""
    if node.op is None or len(node.outputs) != 1:
        return False
    types = [v.type for v in node.inputs]
    if not can_read(node.op, types, node.output.type):
        return False
    module = ll.Module()
    kinds = [SCALAR_TYPES[t] for t in types]
    function = ll.Function(module, ll.FunctionType(ll.VoidType(), kinds), "trial")
    names = [a.name for a in node.op.schema.arguments]
    arguments = dict(zip(names, function.args, strict=True))
    builder = ll.IRBuilder(function.append_basic_block())

    def declare(name: str, type_: ll.FunctionType) -> ll.Function:
        return module.globals.get(name) or ll.Function(module, type_, name)

    try:
        read_row(Reading(builder, arguments, True, declare), node.op, node.output.type)
    except NotLowered:
        return False
    return True


def is_short_arithmetic(node: Node) -> bool:
    """Whether both blocks of a branch are a few cheap operations on numbers."""
    inside = [each for block in node.blocks for each in block.nodes if each.kind != CONSTANT]
    results = [value for block in node.blocks for value in block.outputs]
    if not node.outputs or len(inside) > MAX_SPECULATED:
        return False
    are_numbers = all(value.type in SCALAR_TYPES for value in (*results, *node.outputs))
    are_same = all(
        value.type is target.type
        for block in node.blocks
        for value, target in zip(block.outputs, node.outputs, strict=True)
    )
    return are_numbers and are_same and all(map(_is_cheap, inside))


def _is_cheap(node: Node) -> bool:
    """Arithmetic of one or two instructions: divisions only by powers of two."""
    if node.kind in _DIVISIONS:
        divisor = node.inputs[1].constant()
        if type(divisor) is not int or divisor <= 0 or divisor & (divisor - 1):
            return False
    return node.kind in _CHEAP and reads_as_machine_code(node)
