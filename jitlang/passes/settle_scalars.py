"""Lets arithmetic on scalars of NumPy be rows that kernels know.

    graph(%x : Array[float32, 1], %i : int):      graph(%x : Array[float32, 1], %i : int):
      %m : Array = jit::array_item(%x, %i)          %m : Array = jit::element(%x, %i)
      %2 : int = prim::Constant[value=2]()          %2 : int = prim::Constant[value=2]()
      %y : Array = jit::array_mul(%m, %2)     =>    %y : Array = aten::mul(%m, %2)
      return (%y)                                   return (%y)

A scalar of NumPy's is a value without dimensions. The interpreter is quickest with Python's own
operators, so the front end leaves these to NumPy; native code computes them as it does arrays, in
the dtype that NumPy would (NEP 50). An element that is read is a value, not a view of the array. An
index that is a scalar becomes a number, and what is stored gets the dtype of the array. Operators
that write to an array become the rows that do, and give the array itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import CHOICES, LOOP, Graph, Node, Value
from ..ir.opdef import OPS
from ..ir.types import TensorType, Type
from ..ops.numpy_types import rank_of
from .functionalize_writes import keeps_type

_PREFIX = "jit::array_"
_SUBSCRIPTS = {
    "jit::array_item": 1,
    "jit::array_store": 1,
    "jit::numpy_index": 2,
    "jit::numpy_store": 3,
}
"""Subscripts of NumPy's, and where their indices begin."""
_INDEX = "jit::dynamic_index"
_NUMBER_OF = {
    "jit::truth": "Bool", "jit::dynamic_float": "Float", "jit::dynamic_int": "Int", _INDEX: "Int",
    "jit::dynamic_bool": "Bool",
}  # fmt: skip
_DTYPES = (dtypes.float32, dtypes.float64, dtypes.int64, dtypes.int32, dtypes.int16, dtypes.int8,
    dtypes.uint8)  # fmt: skip
_NUMBERS: Mapping[Type, type] = {ty.INT: int, ty.FLOAT: float}
_UNARY = {"neg": "aten::neg", "abs": "aten::abs"}
_COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")
_BINARY = {
    **{name: f"aten::{name}" for name in ("add", "sub", "mul", "div", "pow", *_COMPARE)},
    **{name: f"aten::__{name}__" for name in ("and", "or", "xor")},
    "floor_divide": "jit::numpy_floor_divide", "remainder": "jit::numpy_remainder",
}  # fmt: skip
_WRITTEN = ("add", "sub", "mul", "div")
_SWAPPED = {
    "add": "aten::add", "mul": "aten::mul", "sub": "aten::rsub", "eq": "aten::eq", "ne": "aten::ne",
    "lt": "aten::gt", "le": "aten::ge", "gt": "aten::lt", "ge": "aten::le",
}  # fmt: skip
"""What a number on the left means with the operands exchanged."""


def settle_scalars(graph: Graph) -> bool:
    """Replace operators on scalars of known dtypes; returns whether there were any."""
    builder, changed = Builder(graph), False
    for node in list(graph.walk()):
        lower = _lowering_of(node)
        if lower is None:
            continue
        builder.span = node.span
        with builder.at(node):
            if node.kind in _SUBSCRIPTS:
                changed |= _settle_operands(builder, node)
            made = lower(builder, node)
        if made is not None:
            node.output.replace_all_uses_with(made)
            node.destroy()
            changed = True
    return changed


def _lowering_of(node: Node) -> Callable[[Builder, Node], Value | None] | None:
    """What makes the same of a node by rows that kernels know, where they are."""
    if node.kind in _SUBSCRIPTS:
        return _element
    if node.kind in _NUMBER_OF:
        return _number
    if node.kind == "jit::dynamic_builtin":
        return _extreme
    return _arithmetic if node.kind.startswith(_PREFIX) else None


# Elements -----------------------------------------------------------------------------------------


def _settle_operands(builder: Builder, node: Node) -> bool:
    """Let indices be numbers, and what is stored of the dtype of the array."""
    changed = False
    for place in range(_SUBSCRIPTS[node.kind], len(node.inputs)):
        value = node.inputs[place]
        dtype = _operand(value)
        is_index = not node.kind.endswith("_store") or place < len(node.inputs) - 1
        if is_index and isinstance(dtype, DType) and dtype.category is Category.INTEGRAL:
            node.replace_input(place, builder.op("aten::Int", value))
            changed = True
    written = {"jit::array_store": len(node.inputs) - 1, "jit::numpy_store": 1}.get(node.kind)
    target = node.inputs[0].type
    if written is not None and isinstance(target, TensorType) and target.dtype is not None:
        cast = _stored(builder, node.inputs[written], target.dtype)
        changed |= cast is not node.inputs[written]
        node.replace_input(written, cast)
    return changed


def _stored(builder: Builder, value: Value, target: DType) -> Value:
    """What is stored, cast where every value of its dtype has one in the other. Of scalars beyond
    its range NumPy stores the last bits in uint8; of others it stores the number, or raises.
    """
    source = value.type.dtype if isinstance(value.type, TensorType) else None
    rank = rank_of(value.type)
    if source is None or source is target or source.category > target.category:
        return value
    if target.is_complex or rank is None:
        return value
    may_wrap = rank > 0 or target is dtypes.uint8 or source.category is not Category.INTEGRAL
    if not may_wrap and dtypes.numpy_result_type(source, target) is not target:
        return builder.op("aten::Int", value) if target.is_signed else value
    return builder.op("aten::to", value, builder.constant(target))


def _element(builder: Builder, node: Node) -> Value | None:
    """The element that a subscript of numbers gives."""
    if node.kind.endswith("_store") or rank_of(node.output.type) != 0:
        return None
    first = _SUBSCRIPTS[node.kind]
    array, indices = node.inputs[0], node.inputs[first:]
    if rank_of(array.type) != len(indices) or any(index.type is not ty.INT for index in indices):
        return None
    if node.kind == "jit::numpy_index" and "e" in node.inputs[1].constant():
        return None  # an array without dimensions
    return builder.op("jit::element", array, *indices)


def _number(builder: Builder, node: Node) -> Value | None:
    """A scalar as a number of Python's."""
    (value,) = node.inputs
    dtype = _operand(value)
    if not isinstance(dtype, DType) or dtype.is_complex or dtype.itemsize == 2:
        return None
    wanted = _NUMBER_OF[node.kind]
    if node.kind == _INDEX and dtype.category is not Category.INTEGRAL:
        return None
    if wanted == "Int" and dtype.is_floating_point:
        value = builder.op("aten::Float", value)
    return builder.op(f"aten::{wanted}", value)


def _extreme(builder: Builder, node: Node) -> Value | None:
    """`min` and `max` of scalars of one dtype, compared as Python does: the first of equal ones."""
    name, keywords, *values = node.inputs
    compare = {"min": "aten::lt", "max": "aten::gt"}.get(name.constant())
    found = {_operand(value) for value in values}
    if compare is None or keywords.constant() or len(values) < 2 or len(found) != 1:
        return None
    if not isinstance(found.pop(), DType):
        return None
    first, *rest = values
    for value in rest:
        first = builder.op("aten::where", builder.op(compare, value, first), value, first)
    return first


# Arithmetic ---------------------------------------------------------------------------------------


def _arithmetic(builder: Builder, node: Node) -> Value | None:
    """The same by a row of torch's, or None where that is not known to be the same."""
    name = node.kind.removeprefix(_PREFIX)
    if name.startswith("i") and rank_of(node.inputs[0].type):
        return _write(builder, node, name[1:])
    if name.startswith("i") and is_value(node.inputs[0]):
        name = name[1:]
    operands = [_operand(value) for value in node.inputs]
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands) or not any(isinstance(operand, DType) for operand in known):
        return None
    target = dtypes.numpy_result_type(*known)
    if name == "div" and not target.is_floating_point:
        target = dtypes.float64
    if target not in _DTYPES or not _fit(node.inputs, target):
        return None
    if name in _UNARY:
        return builder.op(_UNARY[name], *node.inputs)
    if name == "pow" and node.inputs[1].constant() == 2:
        return builder.op("aten::square", _cast(builder, node.inputs[0], target))
    if name not in _BINARY or (name == "pow" and not target.is_floating_point):
        return None
    left, right = (_cast(builder, value, target) for value in node.inputs)
    if ty.is_array(left.type):
        return builder.op(_BINARY[name], left, right)
    if name in _SWAPPED:
        return builder.op(_SWAPPED[name], right, left)
    made = builder.op("aten::scalar_tensor", left, dtype=builder.constant(target))
    made.type = TensorType(target, (), surface=ty.Surface.NUMPY)
    return builder.op(_BINARY[name], made, right)


def _write(builder: Builder, node: Node, name: str) -> Value | None:
    """The array that an operator writes, written by torch's row where that keeps what it is."""
    array, other = node.inputs
    overload = "Tensor" if isinstance(other.type, TensorType) else "Scalar"
    row = OPS.find(f"aten::{name}.{overload}") if name in _WRITTEN else None
    if row is None:
        return None
    if isinstance(other.type, TensorType) and not _computes_in(array.type, other.type):
        return None
    alpha = [builder.constant(1)] if name in ("add", "sub") else []
    if not keeps_type(node, row, [array, other, *alpha]):
        return None
    builder.call(f"aten::{name}_", [array, other])
    return array


def _computes_in(array: Type, other: TensorType) -> bool:
    """Whether NumPy computes in the dtype of an array; torch does with all without dimensions."""
    dtype = array.dtype if isinstance(array, TensorType) else None
    if dtype is None or other.dtype is None:
        return False
    return dtypes.numpy_result_type(dtype, other.dtype) is dtype


def _fit(operands: Sequence[Value], target: DType) -> bool:
    """Whether numbers are numbers of a dtype for sure: for others NumPy raises."""
    if target.is_floating_point or target is dtypes.int64:
        return True
    numbers = [value for value in operands if value.type in _NUMBERS]
    limits = dtypes.iinfo(target)
    return all(v.is_constant and limits.min <= v.constant() <= limits.max for v in numbers)


def is_value(value: Value, assumed: frozenset[Value] = frozenset()) -> bool:
    """Whether an array without dimensions is a scalar of NumPy's for sure, which nobody writes."""
    node = value.node
    if value in assumed:
        return True
    if node.kind in CHOICES:
        return all(is_value(block.outputs[value.offset], assumed) for block in node.blocks)
    if node.kind == LOOP:
        value = node.blocks[0].inputs[value.offset + 1]
        return is_value(value, assumed)
    owner = node.block.owner
    if node is node.block.param_node:
        if owner is None or owner.kind != LOOP:
            return False
        ends = (owner.inputs[value.offset + 1], node.block.outputs[value.offset])
        return all(is_value(end, assumed | {value}) for end in ends)
    if not isinstance(value.type, TensorType):
        return value.type in _NUMBERS
    if node.op is not None and node.kind.startswith(f"{_PREFIX}i") and node.op.schema.is_mutable:
        return is_value(node.inputs[0], assumed)
    is_made = node.op is not None and not any(r.alias for r in node.op.schema.returns)
    return is_made and not rank_of(value.type)


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
