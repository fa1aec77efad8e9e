"""Parts a write to a tensor into a new value and a copy of it.

    graph(%x : Float(4), %y : Float(4)):               graph(%x : Float(4), %y : Float(4)):
      %1 : int = prim::Constant[value=1]()               %1 : int = prim::Constant[value=1]()
      %b : Float(4) = aten::add_(%x, %y, %1)      =>     %v : Float(4) = aten::add(%x, %y, %1)
      return (%b)                                        %no : bool = prim::Constant[value=0]()
                                                         %b : Float(4) = aten::copy_(%x, %v, %no)
                                                         return (%x)

For whoever can compute values and copy them. The row must give the dtype and the sizes of what is
written, by known types; other writes stay, and so do those that nobody can see (`functionalize`
makes new values of them). What is copied is cloned where it may lie in the memory that is written,
another argument of the graph excepted: that arguments share memory is for others to exclude.
"""

from __future__ import annotations

import math

from ..ir import types as ty
from ..ir.graph import CONSTANT, Graph, Node, Value, create_node
from ..ir.opdef import OPS
from ..ir.types import TensorType, Type
from ..ops.rows import base_of
from .functionalize_writes import keeps_type

COPY = "aten::copy_"
_COPIED = {
    COPY: 1,
    "jit::store_item": 3,
    "jit::numpy_store": 1,
    "jit::array_store": 2,
    "jit::array_store.two": 3,
}
"""Rows that copy a tensor into their first argument, and its place among their arguments."""


def spell_out_writes(graph: Graph) -> bool:
    """Replace in-place rows by rows that compute, and copies; returns whether there were any."""
    changed = False
    for node in list(graph.walk()):
        if node.op is None or not node.op.schema.is_mutable:
            continue
        if node.op.full_name in _COPIED:
            changed |= _separate(node, _COPIED[node.op.full_name])
        elif _knows(node.inputs[0].type):
            changed |= _spell_out(node)
    return changed


def _knows(type_: Type) -> bool:
    if not isinstance(type_, TensorType) or type_.dtype is None:
        return False
    return type_.sizes is not None


def _spell_out(node: Node) -> bool:
    value = _pointwise(node) or _draw(node)
    if value is None:
        return False
    target = node.inputs[0]
    no = _constant(node, False)
    copy = create_node(COPY, [target, value, no], [target.type], op=OPS.find(COPY),
        span=node.span)  # fmt: skip
    copy.callstack = node.callstack
    copy.insert_before(node)
    for output in node.outputs:
        output.replace_all_uses_with(target)
    node.destroy()
    return True


def _pointwise(node: Node) -> Value | None:
    """What an in-place pointwise row writes."""
    row = base_of(node.op) if node.op is not None else None
    if row is None or not keeps_type(node, row):
        return None
    return _computed(node, row.full_name, node.inputs)


# Draws --------------------------------------------------------------------------------------------


def _draw(node: Node) -> Value | None:
    """What an in-place draw from the default generator writes, in float32 and float64."""
    target, *rest = node.inputs
    if not isinstance(target.type, TensorType) or target.type.dtype is None:
        return None
    dtype, numbers = target.type.dtype, [value.constant() for value in rest]
    is_known = all(value.is_constant for value in rest) and numbers[-1:] == [None]
    if not is_known or not dtype.is_floating_point or dtype.itemsize < 4:
        return None
    name = node.op.full_name if node.op is not None else ""
    if name == "aten::bernoulli_.float" and 0 <= numbers[0] <= 1:
        return _computed(node, "aten::bernoulli.p", [target, *rest])
    if name == "aten::uniform_" and -math.inf < numbers[0] <= numbers[1] < math.inf:
        return _scaled(node, "aten::rand_like", numbers[1] - numbers[0], numbers[0])
    if name == "aten::normal_" and numbers[1] >= 0:
        return _scaled(node, "aten::randn_like", numbers[1], numbers[0])
    return None


def _scaled(node: Node, draw: str, scale: float, shift: float) -> Value:
    none = _constant(node, None)
    drawn = _computed(node, draw, [node.inputs[0], *[none] * 5])
    product = _computed(node, "aten::mul.Scalar", [drawn, _constant(node, scale)])
    one = _constant(node, 1)
    return _computed(node, "aten::add.Scalar", [product, _constant(node, shift), one])


# Copies -------------------------------------------------------------------------------------------


def _separate(copy: Node, place: int) -> bool:
    """Copy what may lie in the memory that is written from memory of its own."""
    target, source = copy.inputs[0], copy.inputs[place]
    if not isinstance(source.type, TensorType):
        return False
    written, read = owner_of(target), owner_of(source)
    inputs = copy.graph.block.param_node
    is_beside = read.node is inputs and (written.node is inputs or _is_fresh(written))
    if _is_fresh(read) or is_same_view(target, source) or (is_beside and written is not read):
        return False
    if written.node.kind == "jit::buffer":  # nobody but its items' stores knows it
        return False
    clone = _computed(copy, "aten::clone", [source, _constant(copy, None)], source.type)
    copy.replace_input(place, clone)
    return True


def owner_of(value: Value) -> Value:
    """The tensor whose memory a view shows."""
    while (
        value.node.op is not None and value.node.op.schema.returns[value.offset].alias is not None
    ):
        value = value.node.inputs[0]
    return value


def _is_fresh(value: Value) -> bool:
    return value.node.op is not None


def is_same_view(a: Value, b: Value) -> bool:
    """Whether two values are one tensor, or the same view of one."""
    if a is b:
        return True
    made, other = a.node, b.node
    if made.op is None or made.op is not other.op or len(made.inputs) != len(other.inputs):
        return False
    pairs = list(zip(made.inputs, other.inputs, strict=True))
    return made.op.schema.returns[0].alias is not None and all(x is y for x, y in pairs)


def _computed(node: Node, name: str, inputs: list[Value], type_: Type | None = None) -> Value:
    """A row's result, in front of a node, of the type of what the node writes."""
    op = OPS.find(name)
    assert op is not None
    made = create_node(op.name, inputs, [type_ or node.inputs[0].type], op=op, span=node.span)
    made.callstack = node.callstack
    return made.insert_before(node).output


def _constant(node: Node, value: object) -> Value:
    attributes = {} if value is None else {"value": value}
    types = {bool: ty.BOOL, int: ty.INT, float: ty.FLOAT, type(None): ty.NONE}
    made = create_node(CONSTANT, (), [types[type(value)]], attributes=attributes, span=node.span)
    return made.insert_before(node).output
