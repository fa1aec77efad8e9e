"""The two surfaces: torch's names and promotion, NumPy's names and promotion.

Rows know torch's semantics only. On the NumPy surface this module emits the explicit casts that make a torch row
give NumPy's result (NEP 50), and maps NumPy's names to rows. Where a dtype is not known at compile time the
cast's target is computed when the graph runs.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.graph import Value
from ..ops.arrays import numpy_float_type

if TYPE_CHECKING:
    from .emitter import Emitter

_SCALAR_CLASSES: dict[ty.Type, type] = {
    ty.BOOL: bool, ty.INT: int, ty.FLOAT: float, ty.COMPLEX: complex,
}  # fmt: skip
_DIVIDES = ("div",)
RENAMED_KEYWORDS = {"axis": "dim", "keepdims": "keepdim"}


def is_numpy(*values: Value) -> bool:
    """Whether an operation on these values follows NumPy: all tensors among them are arrays."""
    tensors = [v.type for v in values if isinstance(v.type, ty.TensorType)]
    return bool(tensors) and all(map(ty.is_array, tensors))


def promoted(e: Emitter, name: str, lhs: Value, rhs: Value) -> tuple[Value, Value]:
    """The operands of a binary operator, cast as the surface promotes them."""
    if not is_numpy(lhs, rhs) or name == "matmul" and _same_dtype(lhs, rhs):
        return lhs, rhs
    operands = (lhs, rhs)
    known = [_static_operand(v) for v in operands]
    if all(k is not None for k in known):
        target = dtypes.numpy_result_type(*(k for k in known if k is not None))
        if name in _DIVIDES and target.category < Category.FLOATING:
            target = dtypes.float64
        casts = [cast_to(e, v, target) for v in operands]
        return casts[0], casts[1]
    division = e.builder.constant(name in _DIVIDES)
    target_value = e.builder.op("jit::numpy_result_type", lhs, rhs, division)
    dynamic = [
        e.builder.op("aten::to", v, target_value) if isinstance(v.type, ty.TensorType) else v
        for v in operands
    ]
    return dynamic[0], dynamic[1]


def _same_dtype(lhs: Value, rhs: Value) -> bool:
    a, b = lhs.type, rhs.type
    return (
        isinstance(a, ty.TensorType)
        and isinstance(b, ty.TensorType)
        and a.dtype is not None
        and a.dtype is b.dtype
    )


def _static_operand(value: Value) -> DType | type | None:
    if isinstance(value.type, ty.TensorType):
        return value.type.dtype
    return _SCALAR_CLASSES.get(value.type)


def cast_to(e: Emitter, value: Value, target: DType) -> Value:
    """An array cast to a dtype, where it does not have it already."""
    if not isinstance(value.type, ty.TensorType) or value.type.dtype is target:
        return value
    return e.builder.op("aten::to", value, e.builder.constant(target))


def floating(e: Emitter, value: Value, *, wide: bool = False) -> Value:
    """An array as NumPy's floating functions compute it.

    int8 is computed in float16, int16 in float32, wider integers in float64; `wide` (means): all in float64.
    """
    if not is_numpy(value) or not isinstance(value.type, ty.TensorType):
        return value
    dtype = value.type.dtype
    if dtype is None:
        return e.builder.op("aten::to", value, e.builder.op("jit::numpy_float_type", value))
    if wide and dtype.category < Category.FLOATING:
        return cast_to(e, value, dtypes.float64)
    return cast_to(e, value, numpy_float_type(dtype))


# NumPy's names ------------------------------------------------------------------------------------

_FLOATING = (
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "tan",
)  # fmt: skip
# NumPy's name of a unary function or reduction -> (row, whether it computes in floating point).
FUNCTIONS: dict[str, tuple[str, bool]] = {
    **{name: (name, True) for name in _FLOATING},
    "arctan": ("atan", True), "arcsin": ("asin", True), "arccos": ("acos", True), "mean": ("mean", True),
    "abs": ("abs", False), "absolute": ("abs", False), "negative": ("neg", False), "square": ("square", False),
    "floor": ("floor", False), "ceil": ("ceil", False), "rint": ("round", False), "trunc": ("trunc", False),
    "sign": ("sign", False), "isnan": ("isnan", False), "isinf": ("isinf", False),
    "logical_not": ("logical_not", False), "copy": ("clone", False),
    "sum": ("sum", False), "prod": ("prod", False), "cumsum": ("cumsum", False),
    "max": ("amax", False), "min": ("amin", False), "amax": ("amax", False), "amin": ("amin", False),
    "argmax": ("argmax", False), "argmin": ("argmin", False), "any": ("any", False), "all": ("all", False),
    "expand_dims": ("unsqueeze", False), "squeeze": ("squeeze", False),
    "zeros_like": ("zeros_like", False), "ones_like": ("ones_like", False),
}  # fmt: skip
BINARY_FUNCTIONS: dict[str, type[ast.operator]] = {
    "add": ast.Add, "subtract": ast.Sub, "multiply": ast.Mult, "divide": ast.Div, "true_divide": ast.Div,
    "power": ast.Pow, "floor_divide": ast.FloorDiv, "remainder": ast.Mod, "mod": ast.Mod,
    "matmul": ast.MatMult, "bitwise_and": ast.BitAnd, "bitwise_or": ast.BitOr, "bitwise_xor": ast.BitXor,
}  # fmt: skip
COMPARE_FUNCTIONS: dict[str, type[ast.cmpop]] = {
    "equal": ast.Eq, "not_equal": ast.NotEq, "less": ast.Lt, "less_equal": ast.LtE, "greater": ast.Gt,
    "greater_equal": ast.GtE,
}  # fmt: skip
METHODS = frozenset(
    {"sum", "prod", "cumsum", "mean", "max", "min", "argmax", "argmin", "any", "all", "squeeze", "copy"}
)
