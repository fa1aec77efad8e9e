"""Lets calls of NumPy's functions be rows that native code knows: what creates arrays, and norms.

    graph(%n : int):                                 graph(%n : int):
      %f : str = prim::Constant[value="zeros"]()       %none : NoneType = prim::Constant()
      %k : str = prim::Constant[value=""]()            %s : int[] = prim::ListConstruct(%n)
      %x : Double(*) = jit::numpy(%f, %k, %n)    =>    %d : dtype = prim::Constant[value=torch.float64]()
      return (%x)                                      %x : Double(*) = aten::zeros(%s, %d, ...)
                                                       return (%x)

The interpreter is quickest with NumPy's own functions. Native code has to know sizes and dtypes,
which the type rules of torch's rows tell. A call stays where they would not give what NumPy gives,
its exceptions apart: native code leaves a row that raises to the interpreter. So does one of an array
so large that BLAS has its threads compute it.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import Graph, Node, Value
from ..ir.types import TensorType
from ..ops.numpy_types import ELEMENTWISE, FILLS, array_type, rank_of

_CALL = "jit::numpy"
THREADED_DOT = 10_000
"""Elements above which OpenBLAS multiplies vectors by several threads."""
_REALS = (dtypes.float32, dtypes.float64)
_WIDE = (dtypes.int64, dtypes.float32, dtypes.float64)
"""Dtypes that hold every number of their category."""


def settle_calls(graph: Graph) -> bool:
    """Replace calls of which a row gives the same; returns whether there were any."""
    builder, changed = Builder(graph), False
    for node in list(graph.walk()):
        write = _WRITERS.get(node.inputs[0].constant()) if node.kind == _CALL else None
        given = None if write is None else _given(node)
        if write is None or given is None:
            continue
        builder.span = node.span
        with builder.at(node):
            made = write(builder, *given)
        if made is not None:
            node.output.replace_all_uses_with(made)
            node.destroy()
            changed = True
    return changed


def _given(node: Node) -> tuple[Sequence[Value], DType | None] | None:
    """The arguments of a call but for its dtype, and that dtype; None where it is not known, or
    there are other keywords.
    """
    keywords, values = node.inputs[1].constant(), list(node.inputs[2:])
    if keywords not in ("", "dtype") or not values:
        return None
    if not keywords:
        is_given = len(values) > 1 and values[-1].type is ty.DTYPE
        if not is_given:
            return values, None
    dtype = _dtype_of(values.pop())
    return None if dtype is None else (values, dtype)


def _dtype_of(value: Value) -> DType | None:
    """A dtype that is known, or that of an array whose dtype is."""
    if value.node.kind == "prim::dtype":
        type_ = value.node.inputs[0].type
        return type_.dtype if isinstance(type_, TensorType) else None
    found = value.constant()
    return found if isinstance(found, DType) else None


def _made(builder: Builder, row: str, dtype: DType, rank: int | None, *values: Value) -> Value:
    made = builder.op(row, *values, dtype=builder.constant(dtype))
    made.type = array_type(dtype, rank)
    return made


# Shapes -------------------------------------------------------------------------------------------


def _of_shape(row: str) -> Callable[..., Value | None]:
    """`zeros(shape)` and kin."""

    def write(builder: Builder, values: Sequence[Value], dtype: DType | None) -> Value | None:
        shape = _shape(builder, values[0])
        if len(values) > 1 or shape is None:
            return None
        sizes, rank = shape
        return _made(builder, row, dtype or dtypes.float64, rank, sizes)

    return write


def _full(builder: Builder, values: Sequence[Value], dtype: DType | None) -> Value | None:
    """`full(shape, number)`."""
    shape = _shape(builder, values[0])
    if len(values) != 2 or shape is None:
        return None
    target = dtype or FILLS.get(values[1].type)
    if target is None or not _holds(target, values[1]):
        return None
    sizes, rank = shape
    return _made(builder, "aten::full", target, rank, sizes, values[1])


def _shape(builder: Builder, value: Value) -> tuple[Value, int | None] | None:
    """A shape as a list of ints, and how many; None if it is no int and no tuple of ints."""
    if value.type is ty.INT:
        return builder.list([value], ty.INT), 1
    if value.type is ty.SIZE:
        return value, None
    if not isinstance(value.type, ty.TupleType) or {*value.type.children} - {ty.INT}:
        return None
    parts = builder.unpack(value)
    return builder.list(parts, ty.INT), len(parts)


def _holds(dtype: DType, number: Value) -> bool:
    """Whether an array of a dtype holds a number as it is, or rounded as NumPy rounds it."""
    own = FILLS.get(number.type)
    return own is not None and (own is dtype or (dtype in _WIDE and own.category <= dtype.category))


# Of arrays ----------------------------------------------------------------------------------------


def _like(row: str) -> Callable[..., Value | None]:
    """`zeros_like(x)` and kin, and `full_like(x, number)`."""

    def write(builder: Builder, values: Sequence[Value], dtype: DType | None) -> Value | None:
        first, *numbers = values
        own = first.type.dtype if isinstance(first.type, TensorType) else None
        rank, target = rank_of(first.type), dtype or own
        # What NumPy makes of a scalar is an array without dimensions.
        if not ty.is_array(first.type) or not rank or own is None or target is None:
            return None
        if len(numbers) != (row == "aten::full_like"):
            return None
        if not all(_holds(target, number) for number in numbers):
            return None
        return _made(builder, row, target, rank, first, *numbers)

    return write


# Ranges -------------------------------------------------------------------------------------------


def _range(builder: Builder, values: Sequence[Value], dtype: DType | None) -> Value | None:
    """`arange` of ints."""
    target = dtype or dtypes.int64
    if len(values) > 3 or target.category is not Category.INTEGRAL or target not in _WIDE:
        return None
    if any(value.type is not ty.INT for value in values):
        return None
    return _made(builder, "aten::arange", target, 1, *values)


def _eye(builder: Builder, values: Sequence[Value], dtype: DType | None) -> Value | None:
    """`eye(n)` and `eye(n, m)`."""
    if len(values) > 2 or any(value.type is not ty.INT for value in values):
        return None
    return _made(builder, "aten::eye", dtype or dtypes.float64, 2, *values)


# Functions of elements ----------------------------------------------------------------------------


def _elementwise(row: str) -> Callable[..., Value | None]:
    """A function of floats, which were not known to be such when the call was read."""

    def write(builder: Builder, values: Sequence[Value], dtype: DType | None) -> Value | None:
        type_ = values[0].type
        if len(values) != 1 or dtype is not None or not isinstance(type_, TensorType):
            return None
        is_known = ty.is_array(type_) and rank_of(type_) is not None and type_.dtype in _REALS
        return builder.op(row, values[0]) if is_known else None

    return write


# Norms --------------------------------------------------------------------------------------------


def _norm(builder: Builder, values: Sequence[Value], dtype: DType | None) -> Value | None:
    """`linalg.norm(x)`, of as many elements as one thread computes it of."""
    (x, *others), type_ = values, values[0].type
    if others or dtype is not None or not isinstance(type_, TensorType):
        return None
    sizes = type_.sizes if ty.is_array(type_) else None
    if not sizes:
        return None
    if type_.dtype not in _REALS or None in sizes:
        return None
    if prod(size for size in sizes if size is not None) > THREADED_DOT:
        return None
    made = builder.op("aten::linalg_vector_norm", x)
    made.type = array_type(type_.dtype, 0)
    return made


_WRITERS: Mapping[str, Callable[..., Value | None]] = {
    **{name: _elementwise(f"aten::{row}") for name, row in ELEMENTWISE.items()},
    "zeros": _of_shape("aten::zeros"),
    "ones": _of_shape("aten::ones"),
    "empty": _of_shape("aten::empty"),
    "full": _full,
    "zeros_like": _like("aten::zeros_like"),
    "ones_like": _like("aten::ones_like"),
    "empty_like": _like("aten::empty_like"),
    "full_like": _like("aten::full_like"),
    "arange": _range,
    "eye": _eye,
    "identity": _eye,
    "linalg.norm": _norm,
}
