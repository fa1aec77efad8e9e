"""Calls of NumPy's functions and methods as rows of torch's, which can be fused.

A call becomes such a row where the dtypes of its arguments are known and the row gives NumPy's own
result. Operands of several dtypes are cast first to the one that NumPy computes in. surface.py has
the same for operators, and says which rows agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.graph import Value
from ..ir.types import Type
from ..ops.numpy_types import ELEMENTWISE, array_type, rank_of
from . import surface
from .emitter import Emitter

_OF_INTEGERS = frozenset(("abs", "absolute", "negative", "square"))
"""Those that give integers for integers, and agree."""
_OF_FLOATS = frozenset((
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "tanh", "sinh", "cosh", "sin", "cos",
    "tan", "arctan", "arcsin", "arccos",
))  # fmt: skip
"""Those that are computed in float64 for wide integers."""
_WIDE_INTEGERS = (dtypes.int32, dtypes.int64)
EXTREMA = {"max": "amax", "min": "amin", "amax": "amax", "amin": "amin"}
REDUCTIONS = {
    "sum": "sum", "prod": "prod", "mean": "mean", **EXTREMA, "any": "any", "all": "all",
    "std": "std", "var": "var",
}  # fmt: skip
OPERATORS: Mapping[str, str] = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "power": "pow",
    "floor_divide": "floordiv", "remainder": "remainder", "mod": "remainder", "matmul": "matmul",
    "bitwise_and": "__and__", "bitwise_or": "__or__", "bitwise_xor": "__xor__", "equal": "eq",
    "not_equal": "ne",
    "left_shift": "__lshift__", "right_shift": "__rshift__",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge",
}  # fmt: skip

_MAX_DECIMALS = 10
"""Powers of ten up to this one are exact in float32."""
_ROW_MAJOR = 0  # torch's contiguous_format

Keywords = Mapping[str, Value]


def agreed_function(
    e: Emitter, name: str, values: Sequence[Value], keywords: Keywords
) -> Value | None:
    """A call of `np.name` as a row of torch's, where one agrees with NumPy; else None."""
    if not values:
        return None
    if name in REDUCTIONS:
        return _reduction(e, name, values, keywords)
    if name in _JOINS:
        return _joined(e, name, values, keywords)
    if name == "linalg.norm" and len(values) == 1:
        return _norm(e, values[0], keywords)
    if keywords:
        return None
    if name in ELEMENTWISE and len(values) == 1:
        return _elementwise(e, name, values[0])
    if name == "matmul" and not any(rank_of(v.type) for v in values):
        return None  # of two scalars the function raises another error than the operator
    if name in OPERATORS and len(values) == 2 and all(_is_operand(v.type) for v in values):
        return surface.binary(e, OPERATORS[name], *values)
    if name == "dot" and len(values) == 2:
        return _dot(e, *values)
    if name in ("round", "around"):
        return _rounded(e, *values)
    if name == "outer" and len(values) == 2:
        return _outer(e, *values)
    if name == "trace" and len(values) == 1:
        return _trace(e, values[0])
    if name in ("transpose", "reshape", "swapaxes"):
        return _moved(e, name, values[0], values[1:])
    if name in ("maximum", "minimum") and len(values) == 2:
        return _chosen(e, name, [], values)
    if name == "where" and len(values) == 3 and _is_mask(values[0].type):
        return _chosen(e, name, values[:1], values[1:])
    plain = all(v.type in (ty.INT, ty.FLOAT, ty.NONE) for v in values[1:])
    if name == "clip" and len(values) == 3 and surface.is_float(values[0].type) and plain:
        return e.builder.op("aten::clamp", *values)
    return None


def agreed_method(
    e: Emitter, name: str, self: Value, values: Sequence[Value], keywords: Keywords
) -> Value | None:
    """A call of a method of an array as a row of torch's, where one agrees; else None."""
    if name in REDUCTIONS:
        return _reduction(e, name, [self, *values], keywords)
    if keywords:
        return None
    if name == "astype" and len(values) == 1:
        return _cast(e, self, values[0])
    if name == "dot" and len(values) == 1:
        return _dot(e, self, values[0])
    if name == "round":
        return _rounded(e, self, *values)
    if name == "trace" and not values:
        return _trace(e, self)
    return _moved(e, name, self, values)


def agreed_attribute(e: Emitter, name: str, self: Value) -> Value | None:
    """An attribute of an array as a row of torch's, where one agrees; else None."""
    rank = rank_of(self.type)
    if name == "ndim" and rank is not None:
        return e.builder.constant(rank)
    if name == "size" and _dtype_of(self) is not None:
        return e.builder.op("aten::numel", self)
    return _moved(e, "transpose", self, []) if name == "T" else None


def _is_operand(type_: Type) -> bool:
    return ty.is_array(type_) and rank_of(type_) != 0


def _is_mask(type_: Type) -> bool:
    return isinstance(type_, ty.TensorType) and type_.dtype is dtypes.bool_


def _dtype_of(value: Value) -> DType | None:
    """The dtype of an array that has dimensions, where it is known and a real number's."""
    type_ = value.type
    if not isinstance(type_, ty.TensorType) or not _is_operand(type_):
        return None
    return None if type_.dtype is None or type_.dtype.is_complex else type_.dtype


def _elementwise(e: Emitter, name: str, operand: Value) -> Value | None:
    dtype = operand.type.dtype if isinstance(operand.type, ty.TensorType) else None
    is_integer = dtype is not None and dtype.category is Category.INTEGRAL
    if rank_of(operand.type) != 0 and dtype in _WIDE_INTEGERS and name in _OF_FLOATS:
        operand = surface.cast_to(e, operand, dtypes.float64)
    elif dtype not in surface.REAL_FLOATS and not (is_integer and name in _OF_INTEGERS):
        return None
    return e.builder.op(f"aten::{ELEMENTWISE[name]}", operand)


def _chosen(e: Emitter, row: str, test: Sequence[Value], values: Sequence[Value]) -> Value | None:
    """A choice between two arrays, or an array and a number."""
    if not any(_is_operand(v.type) for v in values):
        return None
    target = surface.common_dtype(values)
    if target is None or target not in (*surface.REAL_FLOATS, *_WIDE_INTEGERS):
        return None
    operands = [surface.as_array(e, v, target) for v in values]
    return e.builder.op("jit::numpy_where" if test else f"aten::{row}", *test, *operands)


def _rounded(e: Emitter, x: Value, *decimals: Value) -> Value | None:
    """Floats rounded to a number of decimals that is known."""
    count = decimals[0].constant() if decimals else 0
    if len(decimals) > 1 or type(count) is not int or abs(count) > _MAX_DECIMALS:
        return None
    if not surface.is_float(x.type):
        return None
    if count == 0:
        return e.builder.op("aten::round", x)
    return e.builder.op("aten::round", x, decimals=decimals[0])


def _cast(e: Emitter, self: Value, wanted: Value) -> Value | None:
    """`x.astype(dtype)`, which always copies."""
    own, target = _dtype_of(self), _wanted_dtype(wanted)
    if own is None or rank_of(self.type) is None or target is None or target.is_complex:
        return None
    if own is target:
        return e.builder.op("aten::clone", self)
    return surface.cast_to(e, self, target)


def _wanted_dtype(value: Value) -> DType | None:
    """A dtype that is known, or that of an array whose dtype is."""
    if value.node.kind == "prim::dtype":
        return _dtype_of(value.node.inputs[0])
    found = value.constant()
    return found if isinstance(found, DType) else None


def _dot(e: Emitter, a: Value, b: Value) -> Value | None:
    """The product of vectors and matrices, which for these is that of `@`."""
    if not all(rank_of(value.type) in (1, 2) for value in (a, b)):
        return None
    return surface.binary(e, "matmul", a, b)


def _outer(e: Emitter, a: Value, b: Value) -> Value | None:
    """All products of the elements of two vectors."""
    if not all(rank_of(value.type) == 1 and _dtype_of(value) for value in (a, b)):
        return None
    rows = e.builder.op("aten::unsqueeze", a, e.builder.constant(1))
    columns = e.builder.op("aten::unsqueeze", b, e.builder.constant(0))
    return surface.binary(e, "mul", rows, columns)


# Views --------------------------------------------------------------------------------------------


def _moved(e: Emitter, name: str, x: Value, values: Sequence[Value]) -> Value | None:
    """The elements of an array in another order or shape: a view where that can be, else a copy."""
    dtype, rank = _dtype_of(x), rank_of(x.type)
    if dtype is None or not rank:
        return None
    if name == "copy":
        order = e.builder.constant(_ROW_MAJOR)
        return None if values else e.builder.op("aten::clone", x, memory_format=order)
    if name == "transpose" and not values:
        return e.builder.op("aten::numpy_T", x)
    ints = _ints(e, values)
    if not ints:
        return None
    if name == "swapaxes" and len(ints) == 2:
        return e.builder.op("aten::transpose", x, *ints)
    if name == "transpose" and len(ints) == rank:
        return e.builder.op("aten::permute", x, e.builder.list(ints, ty.INT))
    if name != "reshape":
        return None
    made = e.builder.op("aten::reshape", x, e.builder.list(ints, ty.INT))
    if rank_of(made.type) is None:
        made.type = array_type(dtype, len(ints))
    return made


def _ints(e: Emitter, values: Sequence[Value]) -> Sequence[Value]:
    """Ints given one by one or as a tuple; none where it is something else."""
    if len(values) == 1 and isinstance(values[0].type, ty.TupleType):
        values = e.builder.unpack(values[0])
    return values if all(value.type is ty.INT for value in values) else ()


# Reductions ---------------------------------------------------------------------------------------


def _reduction(e: Emitter, name: str, values: Sequence[Value], keywords: Keywords) -> Value | None:
    given = dict(keywords)
    if len(values) == 2 and "axis" not in given:
        given["axis"] = values[1]
    if len(values) > 2 or given.keys() - {"axis", "keepdims", "ddof"}:
        return None
    operand = _reduced_operand(e, name, values[0])
    axis, keepdims, ddof = given.get("axis"), given.get("keepdims"), given.get("ddof")
    if operand is None or (keepdims is not None and keepdims.type is not ty.BOOL):
        return None
    if axis is not None and axis.type is ty.NONE:
        axis = None
    if axis is not None and not _are_axes(axis.type, operand.type):
        return None
    row = f"aten::{REDUCTIONS[name]}"
    if name == "prod" and axis is not None and axis.type is not ty.INT:
        return None
    if name in ("std", "var"):
        made = _spread(e, row, operand, axis, keepdims, ddof)
    elif ddof is not None or (axis is None and keepdims is not None):
        return None
    elif axis is None:
        made = e.builder.op(row, operand)
    else:
        made = e.builder.op(row, operand, axis, *([] if keepdims is None else [keepdims]))
    return None if made is None else _of_reduced_rank(made, operand, axis, keepdims)


def _of_reduced_rank(made: Value, x: Value, axis: Value | None, keepdims: Value | None) -> Value:
    """A reduction, with the rank that it has left."""
    is_kept = False if keepdims is None else keepdims.constant()
    rank, type_ = rank_of(x.type), made.type
    if rank is None or is_kept is None or not isinstance(type_, ty.TensorType):
        return made
    gone = rank if axis is None else len(axis.type.children) or 1
    if rank_of(type_) is None and (is_kept or gone <= rank):
        made.type = array_type(type_.dtype, rank if is_kept else rank - gone)
    return made


def _norm(e: Emitter, x: Value, keywords: Keywords) -> Value | None:
    """The square root of a sum of squares along one axis."""
    axis, keepdims = keywords.get("axis"), keywords.get("keepdims")
    if not surface.is_float(x.type) or keywords.keys() - {"axis", "keepdims"}:
        return None
    if axis is None or axis.type is not ty.INT:
        return None
    if keepdims is not None and keepdims.type is not ty.BOOL:
        return None
    kept = {} if keepdims is None else {"keepdim": keepdims}
    made = e.builder.op("aten::linalg_vector_norm", x, dim=axis, **kept)
    return _of_reduced_rank(made, x, axis, keepdims)


def _trace(e: Emitter, x: Value) -> Value | None:
    """The sum of the diagonal of a matrix."""
    if rank_of(x.type) != 2 or _reduced_operand(e, "sum", x) is None:
        return None
    return e.builder.op("aten::sum", e.builder.op("aten::diagonal", x))


def _are_axes(type_: Type, array: Type) -> bool:
    """An int, or some of them in a tuple, which scalars do not take."""
    whole = isinstance(type_, ty.TupleType) and type_.elements and rank_of(array)
    return type_ is ty.INT or bool(whole and set(type_.children) == {ty.INT})


def _reduced_operand(e: Emitter, name: str, value: Value) -> Value | None:
    """What a row reduces in place of an array; None where no row agrees."""
    if surface.is_float(value.type):
        return value
    dtype = _dtype_of(value)
    if dtype is dtypes.bool_ and name in ("any", "all", "sum"):
        return value
    is_fraction = name in ("mean", "std", "var")
    if dtype not in _WIDE_INTEGERS and not (dtype is dtypes.bool_ and name == "mean"):
        return None
    return surface.cast_to(e, value, dtypes.float64) if is_fraction else value


def _spread(
    e: Emitter, row: str, x: Value, axis: Value | None, keepdims: Value | None, ddof: Value | None
) -> Value | None:
    """A variance, or its root."""
    correction = e.builder.constant(0) if ddof is None else ddof
    if correction.type not in (ty.INT, ty.FLOAT):
        return None
    kept = {} if keepdims is None else {"keepdim": keepdims}
    dims = e.builder.constant(None) if axis is None else axis
    return e.builder.op(row, x, dims, correction=correction, **kept)


# Joins --------------------------------------------------------------------------------------------

_JOINS: Mapping[str, str] = {"stack": "aten::stack", "concatenate": "aten::cat"}


def _joined(e: Emitter, name: str, values: Sequence[Value], keywords: Keywords) -> Value | None:
    """Arrays of one rank, in a list or in a tuple that is written out."""
    arrays, axis = values[0], keywords.get("axis", values[-1] if len(values) == 2 else None)
    if len(values) + len(keywords) > 2 or keywords.keys() - {"axis"}:
        return None
    if axis is not None and axis.type is not ty.INT:
        return None
    is_list = isinstance(arrays.type, ty.ListType)
    parts = arrays.node.inputs if arrays.node.kind == "prim::TupleConstruct" else ()
    kinds = arrays.type.children if is_list else [part.type for part in parts]
    rank = _common_rank(kinds)
    if not rank:
        return None
    target = surface.dtype_of_operand(kinds[0]) if is_list else surface.common_dtype(parts)
    if not isinstance(target, DType):
        return None
    if not is_list:
        cast = [surface.cast_to(e, part, target) for part in parts]
        arrays = e.builder.list(cast, cast[0].type)
    made = e.builder.op(_JOINS[name], arrays, *([] if axis is None else [axis]))
    made.type = array_type(target, rank + (name == "stack"))
    return made


def _common_rank(kinds: Sequence[Type]) -> int | None:
    """The rank that all of these arrays have; None unless it is known."""
    if not all(isinstance(kind, ty.TensorType) and ty.is_array(kind) for kind in kinds):
        return None
    ranks = {rank_of(kind) for kind in kinds}
    return ranks.pop() if len(ranks) == 1 else None
