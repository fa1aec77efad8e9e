"""What a pointwise row is to its kernels and type rules: the roles of its arguments, and promotion.

Arguments that do not take part in promotion: keyword-only scalars (`alpha`, `value`) and those a
row names as factors, and the boolean tensors `condition` and `mask`. Arguments that are neither
tensors nor scalars (`rounding_mode`) reach the body as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.opdef import NOT_CONSTANT, OpDef, Result, TypeRule
from ..ir.schema import Argument
from ..ir.types import TensorType, Type


class Role(Enum):
    """What an argument is to a pointwise row."""

    TENSOR = "tensor"  # promoted and cast
    MASK = "mask"  # a boolean tensor that does not take part in promotion
    SCALAR = "scalar"  # promoted and converted
    FACTOR = "factor"  # a scalar that is converted, but does not take part in promotion
    OPTION = "option"  # anything else: reaches the body untouched


_MASKS = ("condition", "mask")


def rejects(op: OpDef, dtype: DType) -> bool:
    """Whether a pointwise row refuses to compute in a dtype."""
    return dtype.category in _traits[op].rejects


@dataclass(frozen=True, slots=True)
class Traits:
    """What a pointwise row's kernel needs beyond the `OpDef`; `rows.pointwise` explains each."""

    ufunc: str = ""
    rejects: Mapping[Category, Exception] = field(default_factory=dict)
    factors: tuple[str, ...] = ()
    real: bool = False
    strict_scalars: bool = False
    wide_scalars: bool = False
    no_bool_operand: str = ""
    same_dtype: bool = False
    promote_with: tuple[type, ...] = ()
    zero_dim: tuple[str, ...] = ()


_traits: dict[OpDef, Traits] = {}
_roles: dict[OpDef, tuple[Role, ...]] = {}


def describe(op: OpDef, traits: Traits) -> None:
    """Remember the traits of a row."""
    _traits[op] = traits


def traits_of(op: OpDef) -> Traits:
    """What `describe` remembered."""
    return _traits[op]


def roles_of(op: OpDef) -> tuple[Role, ...]:
    """The role of each argument of a pointwise row."""
    found = _roles.get(op)
    if found is None:
        factors = _traits[op].factors
        found = _roles[op] = tuple(_role(a, factors) for a in op.schema.arguments)
    return found


def _role(argument: Argument, factors: tuple[str, ...]) -> Role:
    inner = ty.without_none(argument.type)
    if isinstance(inner, TensorType):
        return Role.MASK if argument.name in _MASKS else Role.TENSOR
    if inner is ty.NUMBER:
        is_factor = argument.kwarg_only or argument.name in factors
        return Role.FACTOR if is_factor else Role.SCALAR
    return Role.OPTION


# Types ------------------------------------------------------------------------------------------


def computed_dtype(
    rule: Result, dimensioned: Sequence[DType], zero_dim: Sequence[DType], scalars: Sequence[type]
) -> DType:
    """The dtype in which a row computes, before half types widen to float32."""
    promoted = dtypes.result_type(dimensioned, zero_dim, scalars)
    return dtypes.floating(promoted) if rule is Result.FLOATING else promoted


def execution_dtype(computed: DType) -> DType:
    """The dtype in which a body is read: half types compute in float32."""
    return dtypes.float32 if computed in (dtypes.float16, dtypes.bfloat16) else computed


def pointwise_rule(op: OpDef) -> TypeRule:
    """The type rule of a pointwise row."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        return infer_pointwise(op, types, constants)

    return infer


def broadcast_result(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type rule of what compares tensors element by element: bool, of the broadcast shape."""
    tensors = [t for t in types if isinstance(t, TensorType)]
    return TensorType(dtypes.bool_, broadcast_sizes([t.sizes for t in tensors]))


_SCALAR_KINDS: Mapping[Type, type] = {
    ty.BOOL: bool,
    ty.INT: int,
    ty.FLOAT: float,
    ty.COMPLEX: complex,
}


def infer_pointwise(op: OpDef, types: Sequence[Type], constants: Sequence[Any]) -> TensorType:
    """The result type of a pointwise row: its dtype by promotion, its sizes by broadcasting."""
    assert op.result is not None
    operands: list[TensorType] = []
    promoted: list[TensorType] = []
    kinds: list[type | None] = []
    for role, given, constant in zip(roles_of(op), types, constants, strict=True):
        inner = given.element if isinstance(given, ty.OptionalType) else given
        if isinstance(inner, TensorType):
            if inner is not given and constant is NOT_CONSTANT:
                return ty.TENSOR  # whether there is an operand at all is not known
            operands.append(inner)
            if role is Role.TENSOR:
                promoted.append(inner)
        elif role is Role.SCALAR and given is not ty.NONE:
            kinds.append(_SCALAR_KINDS.get(given))
    dtype = _infer_dtype(op.result, promoted, [*kinds, *_traits[op].promote_with])
    if dtype is not None and _traits[op].real:
        dtype = dtypes.to_real(dtype)
    return TensorType(
        dtype=dtype,
        sizes=broadcast_sizes([t.sizes for t in operands]),
        requires_grad=False if all(t.requires_grad is False for t in operands) else None,
        device=_common_device(operands),
    )


def _infer_dtype(
    rule: Result, operands: Sequence[TensorType], kinds: Sequence[type | None]
) -> DType | None:
    if rule is Result.BOOL:
        return dtypes.bool_
    if rule is Result.FIRST:
        return operands[0].dtype
    known = [t.dtype for t in operands if t.dtype is not None]
    scalars = [kind for kind in kinds if kind is not None]
    if len(known) != len(operands) or len(scalars) != len(kinds):
        return None
    if len(set(known)) > 1 and any(t.rank is None for t in operands):
        return None
    dimensioned = [d for d, t in zip(known, operands, strict=True) if t.rank != 0]
    zero_dim = [d for d, t in zip(known, operands, strict=True) if t.rank == 0]
    return computed_dtype(rule, dimensioned, zero_dim, scalars)


def broadcast_sizes(
    shapes: Sequence[tuple[int | None, ...] | None],
) -> tuple[int | None, ...] | None:
    """The broadcast of shapes with unknown parts; None where a rank is unknown."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes):
        return None
    rank = max(map(len, known), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in known]
    return tuple(_broadcast_size([shape[i] for shape in padded]) for i in range(rank))


def _broadcast_size(sizes: Sequence[int | None]) -> int | None:
    decided = {size for size in sizes if size not in (None, 1)}
    if decided:
        return decided.pop() if len(decided) == 1 else None
    return None if None in sizes else 1


def _common_device(operands: Sequence[TensorType]) -> str | None:
    devices = {t.device for t in operands}
    return devices.pop() if len(devices) == 1 else None


def first_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type rule of in-place rows: the result is the first argument."""
    return types[0]
