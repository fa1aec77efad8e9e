"""A fusion group, for arguments of known dtypes and sizes, becomes kernels: loop plans and what
they read.

`lower(graph, arguments)` runs the group's graph on `tensors.py` values instead of arrays, with the
promotion and casts of the reference kernels, and then writes down each set of results that share an
iteration space as one plan. A value that one plan cannot hold (a reduction of another space,
statements beyond `config.max_kernel_ops`) goes through a temporary array. Whatever would raise an
error is `Unsupported` here: the reference kernels word it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.graph import CONSTANT, Graph, Node, ObjectRef, Value
from ..ir.opdef import OpDef, Result
from ..ops.convert import CAST_METHODS
from ..ops.kernels import scalar_operand
from ..ops.traits import Role, computed_dtype, execution_dtype, roles_of, traits_of
from .composites import COMPOSITES
from .draws import DRAWS
from .joins import JOINS, as_array, join, joined, pieces, promoted
from .plan import Number, Option, Unsupported
from .reach import REACHING
from .stages import Stage, assemble_stages
from .tensors import (
    BROADCAST,
    Applied,
    Converted,
    Dims,
    Dropped,
    Joined,
    Reduced,
    Scalar,
    Shape,
    Source,
    Step,
    Tensor,
    Views,
    as_rows,
    broadcast_shape,
    without,
)

VIEWS = frozenset((
    "aten::slice.Tensor", "aten::select.int", "aten::unsqueeze", "aten::squeeze.dim", "aten::t",
    "aten::transpose.int", "aten::permute", "aten::numpy_T", "aten::narrow", "aten::expand",
    "aten::chunk", "aten::split", "aten::split.Tensor", "aten::split.sizes", "aten::unbind.int",
    "jit::numpy_index",
))  # fmt: skip
"""Rows that only move the index: their reference kernels return views."""

CASTS = frozenset(("aten::to.dtype", "aten::to.prim_dtype", *(
    f"jit::{name}" for name in CAST_METHODS
)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArrayArgument:
    """An array given to a group."""

    dtype: DType
    shape: Shape


@dataclass(frozen=True, slots=True)
class ScalarArgument:
    """A number given to a group. `value` matters only where it moves an index or decides a form."""

    kind: type
    value: float | None


Argument = ArrayArgument | ScalarArgument | None


def lower(graph: Graph, arguments: Sequence[Argument]) -> list[Stage]:
    """The kernels that compute a group, in order.

    Raises:
        Unsupported: the group holds something that plans do not cover, or that is an error.
    """
    lowering = Lowering()
    for position, (value, argument) in enumerate(zip(graph.inputs, arguments, strict=True)):
        lowering.values[value] = lowering.argument(position, argument)
    for node in graph.nodes:
        lowering.run(node)
    roots: list[Tensor] = []
    for value in graph.outputs:
        root = lowering.values[value]
        if not isinstance(root, Tensor) or isinstance(root, Source):
            raise Unsupported("a result that is not computed")
        roots.append(root)
    return assemble_stages(roots)


class Lowering:
    """Values of a group's graph as fused values; also what composite rows are written in."""

    def __init__(self) -> None:
        self.values: dict[Value, Any] = {}
        self.views = Views()
        self.slots = 0

    def argument(self, position: int, argument: Argument) -> Any:
        """An argument of the group."""
        if isinstance(argument, ArrayArgument):
            if argument.dtype.is_complex:
                raise Unsupported("complex numbers")
            return Source(argument.shape, argument.dtype, position)
        if argument is None:
            return None
        own = {bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float64}.get(argument.kind)
        if own is None:
            raise Unsupported(f"a scalar of type {argument.kind.__name__}")
        return GivenScalar(position, argument.kind, (own,), argument.value)

    def run(self, node: Node) -> None:
        """One node of the group."""
        given = [self.values.get(value) for value in node.inputs]
        if node.kind == CONSTANT:
            constant = node.output.constant()
            found = constant.value if isinstance(constant, ObjectRef) else constant
            if ty.is_tensor(node.output.type):
                raise Unsupported("a tensor constant")
            self.values[node.output] = found
        elif node.kind in ("prim::ListConstruct", "prim::TupleConstruct"):
            self.values[node.output] = given
        elif node.kind in ("prim::ListUnpack", "prim::TupleUnpack"):
            self.values.update(zip(node.outputs, _parts(given[0]), strict=True))
        elif node.op is None:
            raise Unsupported(node.kind)
        else:
            found = self.row(node.op, given)
            many = [found] if len(node.outputs) == 1 else found
            self.values.update(zip(node.outputs, many, strict=True))

    def row(self, op: OpDef, given: Sequence[Any]) -> Any:
        """A row on fused values."""
        if op.body is not None:
            return self.pointwise(op, given)
        name = op.full_name
        is_view = name in VIEWS and not any(isinstance(value, Tensor) for value in given[1:])
        if name in REACHING and not is_view:
            return REACHING[name](self, *given)
        if is_view:
            return self.view(name, given[0], [_known(a) for a in given[1:]])
        if name in CASTS:
            return self.converted(given[0], _cast_dtype(name, given))
        if name in JOINS:
            return self.joined(name, *given)
        draw = DRAWS.get(name)
        if draw is not None:
            first, *options, seed, offset = given
            return draw(self, first, *map(_known, options), seed, offset)
        composite: Callable[..., Any] | None = COMPOSITES.get(name)
        if composite is None:
            raise Unsupported(name)
        return composite(self, given[0], *[_known(a) for a in given[1:]])

    def joined(self, name: str, tensors: Any, dim: Any) -> Tensor:
        """`cat` or `stack`, with the promotion of its reference kernel."""
        parts = _parts(tensors)
        if not all(isinstance(part, Tensor) for part in parts):
            raise Unsupported("a join of what is no tensor")
        dtype = promoted(parts)
        return join(self.views, name, [self.converted(t, dtype) for t in parts], _known(dim))

    # Views --------------------------------------------------------------------------------------

    def view(self, name: str, tensor: Tensor, arguments: Sequence[Any]) -> Any:
        """A view row; rows that return lists give one."""
        frozen = tuple(tuple(a) if isinstance(a, list | tuple) else a for a in arguments)
        step = Step(name, frozen)
        if not name.startswith(("aten::chunk", "aten::split", "aten::unbind")):
            return self.views.view(tensor, step)
        many = len(step.apply(_shadow_of(tensor)))
        return [self.views.view(tensor, Step(name, frozen, item)) for item in range(many)]

    # Pointwise ----------------------------------------------------------------------------------

    def pointwise(self, op: OpDef, given: Sequence[Any]) -> Tensor:
        """A pointwise row, with the promotion and casts of its reference kernel."""
        roles, traits = roles_of(op), traits_of(op)
        pairs = list(zip(roles, given, strict=True))
        tensors = [v for role, v in pairs if role is Role.TENSOR and v is not None]
        if not all(isinstance(t, Tensor) for t in tensors):
            raise Unsupported(f"{op.full_name} on what is no tensor")
        if traits.same_dtype and len({t.dtype for t in tensors}) > 1:
            raise Unsupported("operands of different dtypes")
        for argument, value in zip(op.schema.arguments, given, strict=True):
            if argument.name in traits.zero_dim and value is not None and value.shape:
                raise Unsupported(f"`{argument.name}` with dimensions")
        computed = _computed(op, pairs)
        if computed.category in traits.rejects or computed.is_complex:
            raise Unsupported(f"{op.full_name} on {computed.name}")
        if traits.no_bool_operand and _has_bool(pairs):
            raise Unsupported(f"{op.full_name} on bool")
        if op.name == "aten::pow" and computed.category < Category.FLOATING:
            raise Unsupported("integer powers, which may be refused by value")
        execute = execution_dtype(computed)
        result = dtypes.bool_ if op.result is Result.BOOL else computed
        operands = [
            self._operand(role, value, computed, traits.strict_scalars, traits.wide_scalars)
            for role, value in pairs
        ]
        return self._applied(op, operands, execute, result)

    def _operand(
        self, role: Role, value: Any, computed: DType, is_strict: bool, is_wide: bool
    ) -> Any:
        if value is None or role is Role.OPTION:
            return Option(_known(value))
        if role is Role.MASK:
            if value.dtype not in (dtypes.bool_, dtypes.uint8):
                raise Unsupported(f"a mask of {value.dtype.name}")
            return self.converted(value, dtypes.bool_)
        if role is Role.TENSOR:
            return self.converted(value, computed)
        execute = execution_dtype(computed)
        is_float = isinstance(value, float) or (
            isinstance(value, GivenScalar) and value.kind is float
        )
        if role is Role.FACTOR and is_float and execute.category <= Category.INTEGRAL:
            raise Unsupported("a fraction as a factor of integers")
        rounds = not is_wide and role is Role.SCALAR
        if isinstance(value, GivenScalar):
            return _scalar_in(value, computed if rounds else execute, is_strict)
        if isinstance(value, complex):
            raise Unsupported("a complex number")
        try:
            number = computed.numpy.type(value) if rounds and execute is not computed else value
            made = scalar_operand(number, execute, is_strict)
        except (RuntimeError, OverflowError, ValueError, TypeError):
            raise Unsupported(f"{value} as {computed.name}") from None
        return Number(repr(made.item()), execute)

    def _applied(self, op: OpDef, operands: Sequence[Any], execute: DType, result: DType) -> Tensor:
        """The row on operands in its compute dtype; row values of reductions are lined up first."""
        tensors = [o for o in operands if isinstance(o, Tensor)]
        if any(isinstance(o, Joined) for o in tensors):
            return self._on_parts(op, operands, execute, result)
        dropped = [o for o in tensors if isinstance(o, Dropped)]
        if not dropped:
            shape = broadcast_shape([o.shape for o in tensors])
            return Applied(shape, result, op, tuple(operands), execute)
        dims = dropped[0].dims
        if any(d.dims != dims for d in dropped):
            apart = [self.views.stored(o) if isinstance(o, Dropped) else o for o in operands]
            return self._applied(op, apart, execute, result)
        rank = max(len(d.value.shape) for d in dropped)
        is_high = any(not isinstance(o, Dropped) and len(o.shape) >= rank for o in tensors)
        if is_high and all(map(_drops_first, dropped)):
            # Sizes of 1 in front broadcast as well, where that does not add dimensions.
            lined = [o.value if isinstance(o, Dropped) else o for o in operands]
            return self._applied(op, lined, execute, result)
        lined = [self._as_row(o, dims) if isinstance(o, Tensor) else o for o in operands]
        value = self._applied(op, lined, execute, result)
        return Dropped(without(value.shape, dims), result, value, dims)

    def _on_parts(
        self, op: OpDef, operands: Sequence[Any], execute: DType, result: DType
    ) -> Tensor:
        """The row on each part of joined operands."""
        shape = broadcast_shape([o.shape for o in operands if isinstance(o, Tensor)])
        parts = pieces(self.views, operands, shape)
        if parts is None:
            arrays = [as_array(self.views, o) for o in operands]
            return self._applied(op, arrays, execute, result)
        axis = next(o.axis for o in operands if isinstance(o, Joined))
        return joined([self._applied(op, part, execute, result) for part in parts], axis)

    def _as_row(self, tensor: Tensor, dims: Dims) -> Tensor:
        """The value with size 1 in dimensions that it does not have."""
        if isinstance(tensor, Dropped):
            return tensor.value
        for d in reversed(dims):
            if len(tensor.shape) >= -d - 1:
                tensor = self.views.view(tensor, Step("aten::unsqueeze", (d,)))
        return tensor

    def converted(self, tensor: Tensor, dtype: DType) -> Tensor:
        """The value in another dtype; itself where it has that dtype."""
        if tensor.dtype is dtype:
            return tensor
        if dtype.is_complex:
            raise Unsupported("complex numbers")
        if isinstance(tensor, Joined):
            return joined([self.converted(part, dtype) for part in tensor.parts], tensor.axis)
        if isinstance(tensor, Dropped):
            inner = self.converted(tensor.value, dtype)
            return Dropped(tensor.shape, dtype, inner, tensor.dims)
        return Converted(tensor.shape, dtype, tensor)

    # Reductions ---------------------------------------------------------------------------------

    def reduced(self, kind: str, tensor: Tensor, dims: Dims) -> Tensor:
        """A reduction over some dimensions, which stay with size 1."""
        if isinstance(tensor, Dropped | Joined):
            tensor = self.views.stored(tensor)
        if kind in ("maximum", "minimum") and 0 in tensor.shape:
            raise Unsupported("an extremum of nothing")
        shape = as_rows(tensor.shape, dims)
        return Reduced(shape, tensor.dtype, kind, tensor, dims, tensor.shape)

    def count(self, tensor: Tensor, dims: Dims, dtype: DType) -> Tensor:
        """How many elements a reduction over some dimensions of a value covers."""
        return Reduced(as_rows(tensor.shape, dims), dtype, "count", None, dims, tensor.shape)

    def drop(self, tensor: Tensor, dims: Dims, keep: bool) -> Tensor:
        """A row value without the reduced dimensions, unless they are kept."""
        if keep:
            return tensor
        return Dropped(without(tensor.shape, dims), tensor.dtype, tensor, dims)


@dataclass(slots=True, eq=False)
class GivenScalar(Scalar):
    """A scalar argument of the group, with its value where it was looked at."""

    value: float | None = None


def _scalar_in(scalar: GivenScalar, dtype: DType, is_strict: bool) -> Scalar:
    """A scalar converted as NumPy converts Python numbers: integers become floats by way of
    float64.
    """
    own = scalar.dtypes[-1]
    if own.is_floating_point and not dtype.is_floating_point:
        raise Unsupported(f"a float as {dtype.name}")
    if own is dtypes.int64 and is_strict and not dtype.is_floating_point and dtype is not own:
        raise Unsupported(f"an int as {dtype.name}, which may not fit")
    if own is dtype:
        return scalar
    path = (
        (dtypes.float64, dtype)
        if dtype.is_floating_point and own is not dtypes.float64
        else (dtype,)
    )
    steps = tuple(d for d in path if d is not own)
    return Scalar(scalar.slot, scalar.kind, (own, *dict.fromkeys(steps)))


def _computed(op: OpDef, pairs: Sequence[tuple[Role, Any]]) -> DType:
    assert op.result is not None
    tensors = [v for role, v in pairs if role is Role.TENSOR and v is not None]
    if op.result is Result.FIRST:
        first: DType = tensors[0].dtype
        return first
    kinds = [
        v.kind if isinstance(v, GivenScalar) else type(v)
        for role, v in pairs
        if role is Role.SCALAR and v is not None
    ]
    dimensioned = [t.dtype for t in tensors if t.shape]
    zero_dim = [t.dtype for t in tensors if not t.shape]
    return computed_dtype(op.result, dimensioned, zero_dim, [*kinds, *traits_of(op).promote_with])


def _has_bool(pairs: Sequence[tuple[Role, Any]]) -> bool:
    for role, value in pairs:
        if role is Role.TENSOR and value is not None and value.dtype is dtypes.bool_:
            return True
        if role is Role.SCALAR and (
            isinstance(value, bool) or getattr(value, "kind", None) is bool
        ):
            return True
    return False


def _known(value: Any) -> Any:
    """An argument that must be known when the group is lowered."""
    if isinstance(value, list | tuple):
        return [_known(v) for v in value]
    if isinstance(value, GivenScalar) and value.value is not None:
        return value.value
    if isinstance(value, Scalar | Tensor):
        raise Unsupported("an argument that is not known")
    return value


def _cast_dtype(name: str, given: Sequence[Any]) -> DType:
    if name.startswith("aten::"):
        dtype = _known(given[1])
        if isinstance(dtype, int):
            dtype = dtypes.from_code(dtype)
        if not isinstance(dtype, DType):
            raise Unsupported("a cast to an unknown dtype")
        return dtype
    short = name.partition("::")[2]
    return CAST_METHODS[short]


def _drops_first(tensor: Dropped) -> bool:
    """Whether the dimensions that a row value lost stand before those that it kept."""
    return tensor.dims == tuple(range(-len(tensor.value.shape), -len(tensor.shape)))


def _parts(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise Unsupported("a list that is not known")
    return value


def _shadow_of(tensor: Tensor) -> Any:
    return Step(BROADCAST, tensor.shape).apply(0)


__all__ = ["CASTS", "VIEWS", "Argument", "ArrayArgument", "Lowering", "ScalarArgument", "lower"]
