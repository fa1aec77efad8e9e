"""Lets arithmetic on scalars of NumPy be rows that kernels know.

    graph(%x : Array[float32, 1]):                graph(%x : Array[float32, 1]):
      %m : Array = aten::amax(%x, ...)              %m : Array = aten::amax(%x, ...)
      %2 : int = prim::Constant[value=2]()          %2 : int = prim::Constant[value=2]()
      %y : Array = jit::array_mul(%m, %2)     =>    %y : Array = aten::mul(%m, %2)
      return (%y)                                   return (%y)

A scalar of NumPy's is a value without dimensions. The interpreter is quickest with Python's own
operators, so the front end leaves these to NumPy; native code computes them as it does arrays, in
the dtype that NumPy would (NEP 50). Results must be floats, or what floats are compared for.
"""

from __future__ import annotations

from collections.abc import Mapping

from .. import dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import Graph, Node, Value
from ..ir.types import TensorType, Type
from ..ops.numpy_types import rank_of

_PREFIX, _TRUTH = "jit::array_", "jit::truth"
_FLOATS = (dtypes.float32, dtypes.float64)
_NUMBERS: Mapping[Type, type] = {ty.INT: int, ty.FLOAT: float}
_UNARY = {"neg": "aten::neg", "abs": "aten::abs"}
_COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")
_BINARY = {name: f"aten::{name}" for name in ("add", "sub", "mul", "div", *_COMPARE)}
_SWAPPED = {
    "add": "aten::add", "mul": "aten::mul", "sub": "aten::rsub", "eq": "aten::eq", "ne": "aten::ne",
    "lt": "aten::gt", "le": "aten::ge", "gt": "aten::lt", "ge": "aten::le",
}  # fmt: skip
"""What a number on the left means with the operands exchanged."""


def settle_scalars(graph: Graph) -> bool:
    """Replace operators on scalars of known dtypes; returns whether there were any."""
    builder, changed = Builder(graph), False
    for node in list(graph.walk()):
        if node.kind != _TRUTH and not node.kind.startswith(_PREFIX):
            continue
        builder.span = node.span
        with builder.at(node):
            made = _lowered(builder, node)
        if made is not None:
            node.output.replace_all_uses_with(made)
            node.destroy()
            changed = True
    return changed


def _lowered(builder: Builder, node: Node) -> Value | None:
    """The same by a row of torch's, or None where that is not known to be the same."""
    name = node.kind.removeprefix(_PREFIX)
    operands = [_operand(value) for value in node.inputs]
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands) or not any(isinstance(operand, DType) for operand in known):
        return None
    if node.kind == _TRUTH:
        return builder.op("aten::Bool", *node.inputs)
    target = dtypes.numpy_result_type(*known)
    if name == "div" and not target.is_floating_point:
        target = dtypes.float64
    if target not in _FLOATS:
        return None
    if name in _UNARY:
        return builder.op(_UNARY[name], *node.inputs)
    if name not in _BINARY:
        return None
    left, right = (_cast(builder, value, target) for value in node.inputs)
    if ty.is_array(left.type):
        return builder.op(_BINARY[name], left, right)
    if name in _SWAPPED:
        return builder.op(_SWAPPED[name], right, left)
    made = builder.op("aten::scalar_tensor", left, dtype=builder.constant(target))
    made.type = TensorType(target, (), surface=ty.Surface.NUMPY)
    return builder.op(_BINARY[name], made, right)


def _operand(value: Value) -> DType | type | None:
    """The dtype of a scalar of NumPy's, the class of a number, None for anything else."""
    type_ = value.type
    if not isinstance(type_, TensorType):
        return _NUMBERS.get(type_)
    is_scalar = ty.is_array(type_) and rank_of(type_) == 0
    return type_.dtype if is_scalar else None


def _cast(builder: Builder, value: Value, target: DType) -> Value:
    if not isinstance(value.type, TensorType) or value.type.dtype is target:
        return value
    return builder.op("aten::to", value, builder.constant(target))
