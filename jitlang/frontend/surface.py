"""The two surfaces: torch's names and promotion, NumPy's names and promotion.

A value of the array surface is an array, one of NumPy's scalars, or (after a loop that turns a
number into an array) a union of a number and an array. What NumPy does to it is the reference,
exceptions included. There are two ways to get there, and `ops/arrays.py` says more of both:

- Where dtypes are known and a row of torch's agrees with NumPy, operands are cast explicitly
  (NEP 50) and the row is used: elementwise arithmetic of float32, float64, complex numbers and
  plain integers, reductions and products of floats. These can be fused.
- Everything else runs NumPy itself: `jit::array_add` and kin for operators, `jit::numpy...` for
  the rest. So do numbers beside integer arrays that may not hold them, bools, half floats, and
  scalars taken from arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.graph import Value
from ..ir.opdef import OPS
from ..ir.types import Type
from ..ops.numpy_types import rank_of

if TYPE_CHECKING:
    from .emitter import Emitter

NUMBERS = (ty.BOOL, ty.INT, ty.FLOAT, ty.COMPLEX, ty.NUMBER)
_SEQUENCES = (ty.ListType, ty.TupleType, ty.SequenceType)
RENAMED_KEYWORDS = {"axis": "dim", "keepdims": "keepdim"}
REAL_FLOATS = (dtypes.float32, dtypes.float64)
_FLOATS = (*REAL_FLOATS, dtypes.complex64, dtypes.complex128)


def is_numpy(type_: Type) -> bool:
    """Whether values of this type are arrays, or numbers that may be arrays."""
    if isinstance(type_, ty.UnionType):
        parts = ty.alternatives(type_)
        return any(map(ty.is_array, parts)) and all(ty.is_array(p) or p in NUMBERS for p in parts)
    return ty.is_array(type_)


def takes_numpy(lhs: Type, rhs: Type) -> bool:
    """Whether NumPy decides what an operator on these types means."""
    if not (is_numpy(lhs) or is_numpy(rhs)):
        return False
    return all(
        is_numpy(t)
        or t in (*NUMBERS, ty.ANY)
        or (isinstance(t, _SEQUENCES) and _is_nested_number(t))
        for t in (lhs, rhs)
    )


def _is_nested_number(type_: Type) -> bool:
    return all(is_numpy(t) or t in NUMBERS or isinstance(t, _SEQUENCES) for t in ty.walk(type_))


def joined(a: Type, b: Type) -> Type | None:
    """What a variable is that is a number on one path and an array on another, else None."""
    parts = [*ty.alternatives(a), *ty.alternatives(b)]
    if not any(map(ty.is_array, parts)) or not all(ty.is_array(p) or p in NUMBERS for p in parts):
        return None
    return ty.union(map(ty.unshaped, parts))


# Operators ----------------------------------------------------------------------------------------


def binary(e: Emitter, name: str, lhs: Value, rhs: Value, *, in_place: bool = False) -> Value:
    """`lhs op rhs` or a comparison, as NumPy computes it; `name` is that of torch's row."""
    bare = {"floordiv": "floor_divide"}.get(name, name.strip("_"))
    if in_place and is_numpy(lhs.type):
        return e.builder.op(f"jit::array_i{bare}", lhs, rhs)
    agreed = _agreed(e, bare, lhs, rhs)
    if agreed is None:
        return e.builder.op(f"jit::array_{bare}", lhs, rhs)
    row, operands = agreed
    (output,) = e.builder.call(row, operands, {}, OPS.overloads(row))
    return output


_OWN_ROWS = {
    "floor_divide": "jit::numpy_floor_divide", "remainder": "jit::numpy_remainder",
    "and": "aten::__and__", "or": "aten::__or__", "xor": "aten::__xor__",
    "lshift": "aten::__lshift__", "rshift": "aten::__rshift__",
}  # fmt: skip
# What a number on the left means with the operands exchanged.
_SWAPPED = {
    "add": "aten::add", "mul": "aten::mul", "sub": "aten::rsub", "eq": "aten::eq", "ne": "aten::ne",
    "lt": "aten::gt", "le": "aten::ge", "gt": "aten::lt", "ge": "aten::le",
}  # fmt: skip
_SHIFTS = ("lshift", "rshift")
# NumPy computes these powers by other functions.
_POWERS = {1: "aten::clone", 0.5: "aten::sqrt", 2: "aten::square", -1: "aten::reciprocal"}


def _agreed(e: Emitter, name: str, lhs: Value, rhs: Value) -> tuple[str, list[Value]] | None:
    """A row of torch's that computes what NumPy computes, and its operands; None if none does."""
    target = _target(name, lhs, rhs)
    if target is None or not _row_agrees(name, target, lhs, rhs):
        return None
    if name == "pow" and not isinstance(rhs.type, ty.TensorType):
        return _power(lhs, rhs, target, e)
    if not isinstance(lhs.type, ty.TensorType) and name in _SWAPPED:
        return _SWAPPED[name], [cast_to(e, rhs, target), lhs]
    row = _OWN_ROWS.get(name, f"aten::{name}")
    # Rows want a tensor on the left.
    return row, [as_array(e, lhs, target), cast_to(e, rhs, target)]


def _power(lhs: Value, rhs: Value, target: DType, e: Emitter) -> tuple[str, list[Value]] | None:
    """A power by a number, which must be known: NumPy has quicker functions for some."""
    if rhs.constant() is None:
        return None
    operand = cast_to(e, lhs, target)
    other = _POWERS.get(rhs.constant())
    return ("aten::pow", [operand, rhs]) if other is None else (other, [operand])


def _target(name: str, lhs: Value, rhs: Value) -> DType | None:
    """The dtype in which an operator is computed, where it is known and worth a row of torch's."""
    if rank_of(lhs.type) == 0 and rank_of(rhs.type) == 0:
        return None  # scalars: Python's own operator is quickest
    target = common_dtype([lhs, rhs])
    if name == "div" and target is not None and target.category < Category.FLOATING:
        return dtypes.float64
    return target


def common_dtype(values: Sequence[Value]) -> DType | None:
    """The dtype in which NumPy computes with these arrays and numbers.

    None where it is not known, or an int may not fit into it, which NumPy refuses.
    """
    known = [dtype_of_operand(v.type) for v in values]
    if None in known:
        return None
    target = dtypes.numpy_result_type(*(k for k in known if k is not None))
    return target if all(_fits(v, target) for v in values) else None


def _fits(value: Value, target: DType) -> bool:
    """Whether a number is sure to fit into a dtype; arrays are cast."""
    if value.type is not ty.INT or target.category is not Category.INTEGRAL:
        return True
    number = value.constant()
    if number is None:
        return target is dtypes.int64
    limits = dtypes.iinfo(target)
    return bool(limits.min <= number <= limits.max)


def _row_agrees(name: str, target: DType, lhs: Value, rhs: Value) -> bool:
    same = dtype_of_operand(lhs.type) is dtype_of_operand(rhs.type)
    if name == "matmul":
        return same and target in REAL_FLOATS and rhs.type not in NUMBERS
    if ty.BOOL in (lhs.type, rhs.type):
        return False
    if name in _SHIFTS:
        return target.category is Category.INTEGRAL
    if name in ("and", "or", "xor"):
        return target.category < Category.FLOATING
    if target in REAL_FLOATS:
        return True
    if target.is_complex and not (ty.is_array(lhs.type) and ty.is_array(rhs.type)):
        # In sums with numbers torch multiplies an operand by 1, which makes nan of infinite ones.
        return name in ("mul", "div")
    if target in _FLOATS:
        return name in ("add", "sub", "mul", "div")
    return target.category is Category.INTEGRAL and name != "pow"


def dtype_of_operand(type_: Type) -> DType | type | None:
    """The dtype of an array or the class of a number, None where that is not known."""
    return type_.dtype if isinstance(type_, ty.TensorType) else ty.NUMBER_CLASSES.get(type_)


def as_array(e: Emitter, value: Value, target: DType) -> Value:
    """An array, or a number as an array, of a dtype."""
    if isinstance(value.type, ty.TensorType):
        return cast_to(e, value, target)
    made = e.builder.op("aten::scalar_tensor", value, dtype=e.builder.constant(target))
    assert isinstance(made.type, ty.TensorType)
    made.type = made.type.refined(surface=ty.Surface.NUMPY)
    return made


def cast_to(e: Emitter, value: Value, target: DType) -> Value:
    """An array cast to a dtype, where it does not have it already."""
    if not isinstance(value.type, ty.TensorType) or value.type.dtype is target:
        return value
    return e.builder.op("aten::to", value, e.builder.constant(target))


def unary(e: Emitter, name: str, operand: Value) -> Value:
    """`-x`, `+x`, `~x`."""
    if name == "neg" and is_float(operand.type):
        return e.builder.op("aten::neg", operand)
    row = {"neg": "neg", "positive": "pos", "pos": "pos"}.get(name, "bitwise_not")
    return e.builder.op(f"jit::array_{row}", operand)


def is_integer(type_: Type) -> bool:
    """Whether this is an array of one integer, which Python takes for an int."""
    if not isinstance(type_, ty.TensorType) or type_.dtype is None:
        return False
    return type_.dtype.category is Category.INTEGRAL and rank_of(type_) == 0


def is_float(type_: Type) -> bool:
    """Whether this is an array of float32 or float64 with dimensions."""
    if not isinstance(type_, ty.TensorType) or not ty.is_array(type_):
        return False
    return type_.dtype in REAL_FLOATS and rank_of(type_) != 0
