"""Turns writes that nobody else can see into new values.

    graph(%x : Float(4), %y : Float(4)):               graph(%x : Float(4), %y : Float(4)):
      %a : Float(4) = aten::exp(%x)                      %a : Float(4) = aten::exp(%x)
      %b : Float(4) = aten::add_(%a, %y, %1)      =>     %b : Float(4) = aten::add(%a, %y, %1)
      %c : Float(4) = aten::tanh(%a)                     %c : Float(4) = aten::tanh(%b)
      return (%c)                                        return (%c)

The tensor that is written must be made in the same block, with memory of its own, and until the write
everybody who reads it must only look at its elements: no view of it is left, and it is in no
container. Whoever reads it later reads the new value. The row that the write stands for must give the
dtype and shape that the tensor has, by known types: a write converts and broadcasts where the row does
not. A tensor that is made before a loop and written in it (`total += x`) is carried by the loop, if
nobody in the loop keeps it; but not where a trip may write a few places only (`scatter_`), and a new
tensor would copy all others.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence

from ..ir.graph import LOOP, Graph, Node, Value, create_node
from ..ir.matching import conversion, result_types
from ..ir.opdef import NOT_CONSTANT, OpDef
from ..ir.types import TensorType, Type
from ..ops.rows import base_of, pure_form


def functionalize_writes(graph: Graph) -> bool:
    """Replace in-place rows on fresh tensors by the rows that give new ones."""
    changed = False
    for loop in graph.find(LOOP):
        changed |= _carry_written(loop)
    for node in list(graph.walk()):
        row = pure_form(node.op) if node.op is not None else None
        if row is not None and _is_private(node.inputs[0], node) and keeps_type(node, row):
            _replace(node, row)
            changed = True
    return changed


def _carry_written(loop: Node) -> bool:
    """Let a loop carry the fresh tensors that its body writes, and give new ones."""
    (body,) = loop.blocks
    written: dict[Value, list[Node]] = {}
    for node in body.nodes:
        if node.op is not None and base_of(node.op) is not None:
            written.setdefault(node.inputs[0], []).append(node)
    changed = False
    for value, writes in written.items():
        if _may_be_carried(value, writes, loop):
            _carry(value, writes, loop)
            changed = True
    return changed


def _may_be_carried(value: Value, writes: list[Node], loop: Node) -> bool:
    """Whether only the writes in a loop's body change a tensor, and only later readers keep it."""
    if value.node.block is not loop.block or not _is_fresh(value):
        return False
    if any(write.outputs[0].uses or not _is_read_once(write, value) for write in writes):
        return False
    if not all(keeps_type(write, _pure_form(write)) for write in writes):
        return False
    earlier = [use for use in value.uses if not loop.is_before(use.node) and use.node not in writes]
    return all(_only_looks(use.node, use.index) for use in earlier)


def _carry(value: Value, writes: list[Node], loop: Node) -> None:
    """Hand a tensor from trip to trip; each write makes a new one."""
    (body,) = loop.blocks
    uses = list(value.uses)
    loop.add_input(value)
    inside = body.add_input(value.type, value.name)
    after = loop.add_output(value.type, value.name)
    body.add_output(inside)
    for use in uses:
        if body.encloses(use.node):
            use.node.replace_input(use.index, inside)
        elif loop.is_before(use.node):
            use.node.replace_input(use.index, after)
    for write in writes:
        _replace(write, _pure_form(write))


def _pure_form(write: Node) -> OpDef:
    """The row that gives as a new tensor what an in-place pointwise row writes."""
    row = base_of(write.op) if write.op is not None else None
    assert row is not None
    return row


def _is_fresh(value: Value) -> bool:
    """Whether a row has made the tensor, with memory of its own."""
    made = value.node
    if made.op is None or not made.op.schema.returns:
        return False
    returned = made.op.schema.returns[value.offset]
    return returned.alias is None and isinstance(returned.type, TensorType)


def _is_private(value: Value, write: Node) -> bool:
    """Whether nobody but later readers can see what is written to a tensor."""
    if value.node.block is not write.block or not _is_fresh(value):
        return False
    others = (use for use in value.uses if use.node is not write)
    earlier = [use for use in others if not write.is_before(use.node)]
    return all(_only_looks(use.node, use.index) for use in earlier) and _is_read_once(write, value)


def _is_read_once(write: Node, value: Value) -> bool:
    """Whether the write reads the tensor in one place only, the one that it writes to."""
    return sum(given is value for given in write.inputs) == 1


def _only_looks(node: Node, index: int) -> bool:
    """Whether a row reads the elements of a tensor and keeps nothing of it."""
    if node.op is None or index >= len(node.op.schema.arguments):
        return False
    argument = node.op.schema.arguments[index]
    return isinstance(argument.type, TensorType) and argument.alias is None


def keeps_type(node: Node, row: OpDef, inputs: Sequence[Value] = ()) -> bool:
    """Whether the row, for the inputs of a write or for others, gives a tensor of the dtype and
    sizes of the one that is written. Sizes that are left open stand for the same ones.
    """
    written = node.inputs[0].type
    if not isinstance(written, TensorType) or written.dtype is None or written.sizes is None:
        return False
    found = _result_type(row, inputs or node.inputs)
    return (
        isinstance(found, TensorType)
        and (found.dtype, found.sizes) == (written.dtype, written.sizes)
        and found.surface is written.surface
    )


def _result_type(row: OpDef, inputs: Sequence[Value]) -> Type | None:
    """What the row gives for these inputs."""
    types = [value.type for value in inputs]
    bindings: dict[str, Type] = {}
    for argument, type_ in zip(row.schema.arguments, types, strict=True):
        if conversion(argument, type_, bindings, implicit=True) is None:
            return None
    constants = [v.constant() if v.is_constant else NOT_CONSTANT for v in inputs]
    (found,) = result_types(row, bindings, types, constants)
    return found


def _replace(node: Node, row: OpDef) -> None:
    """Compute a new value, and let everybody who comes later read it."""
    value = node.inputs[0]
    made = create_node(row.name, node.inputs, [value.type], op=row, span=node.span)
    made.callstack = node.callstack
    result = made.insert_before(node).output
    result.name = value.name
    for use in list(value.uses):
        if node.is_before(use.node):
            use.node.replace_input(use.index, result)
    for output in node.outputs:
        output.replace_all_uses_with(result)
    node.destroy()
