"""Matching arguments against schemas: torch's overload resolution and implicit conversions.

Each overload is tried as it stands first; only if none fits are conversions tried, in the order of
the table. A match is a list of `Conversion`s, one per schema argument, which the builder then
applies; nothing is emitted for an overload that does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from . import types as ty
from .opdef import NOT_CONSTANT, OpDef
from .schema import Argument, FunctionSchema
from .types import ListType, OptionalType, Surface, TensorType, TupleType, Type


class Convert(Enum):
    """How an argument becomes what the schema wants."""

    KEEP = "as it is"
    DEFAULT = "the schema's default"
    REPEAT = "one number stands for a fixed-size list"
    TUPLE_TO_LIST = "a tuple is given for a list"
    INT_TO_FLOAT = "an int is given for a float"
    BOOL_TO_INT = "a bool is given for an int"
    BOOL_TO_FLOAT = "a bool is given for a float"
    TO_COMPLEX = "a real number is given for a complex"
    TENSOR_TO_INT = "a 0-dim tensor is given for an int"
    TENSOR_TO_FLOAT = "a 0-dim tensor is given for a float"
    TENSOR_TO_SCALAR = "a 0-dim tensor is given for a Scalar"
    STR_TO_DEVICE = "a string names a device"
    PACK = "variadic arguments form a list"


@dataclass(frozen=True, slots=True)
class Conversion:
    """Where one schema argument comes from: the caller's values (by position) and how they convert.
    """

    how: Convert
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """An overload that fits. `variadic` holds the positions of the arguments behind `...`."""

    op: OpDef
    conversions: tuple[Conversion, ...]
    bindings: Mapping[str, Type]
    variadic: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why an overload does not fit; `fitted` arguments did."""

    op: OpDef
    reason: str
    fitted: int = 0


def as_torch(type_: Type) -> Type:
    """The type with arrays seen as tensors: rows know one semantics only (decision 2)."""
    if isinstance(type_, TensorType):
        return type_ if type_.surface is Surface.TORCH else type_.refined(surface=Surface.TORCH)
    return type_.with_children(map(as_torch, type_.children)) if type_.children else type_


_SIMPLE_CONVERSIONS: tuple[tuple[Type, Type, Convert], ...] = (
    (ty.INT, ty.FLOAT, Convert.INT_TO_FLOAT),
    (ty.BOOL, ty.INT, Convert.BOOL_TO_INT),
    (ty.BOOL, ty.FLOAT, Convert.BOOL_TO_FLOAT),
    (ty.INT, ty.COMPLEX, Convert.TO_COMPLEX),
    (ty.FLOAT, ty.COMPLEX, Convert.TO_COMPLEX),
    (ty.STR, ty.DEVICE, Convert.STR_TO_DEVICE),
    (ty.INT, ty.DTYPE, Convert.KEEP),
)
_TENSOR_CONVERSIONS: Mapping[Type, Convert] = {
    ty.INT: Convert.TENSOR_TO_INT,
    ty.FLOAT: Convert.TENSOR_TO_FLOAT,
    ty.NUMBER: Convert.TENSOR_TO_SCALAR,
}


def conversion(
    argument: Argument, actual: Type, bindings: dict[str, Type], *, implicit: bool
) -> Convert | None:
    """How `actual` becomes `argument`, or None where it cannot. Extends `bindings` where it can."""
    wanted = argument.type
    trial = dict(bindings)
    if ty.bind(wanted, actual, trial) or ty.bind(wanted, as_torch(actual), trial):
        bindings.clear()
        bindings.update(_bound(wanted, actual, trial))
        return Convert.KEEP
    inner = wanted.element if isinstance(wanted, OptionalType) else wanted
    if isinstance(inner, ListType):
        return _list_conversion(argument, inner, actual, bindings)
    if not implicit:
        return None
    for given, target, how in _SIMPLE_CONVERSIONS:
        if actual is given and inner is target:
            return how
    if isinstance(actual, TensorType):
        return _TENSOR_CONVERSIONS.get(inner)
    return None


def _bound(wanted: Type, actual: Type, trial: dict[str, Type]) -> dict[str, Type]:
    """Prefer bindings that keep the surface of arrays."""
    exact = dict(trial)
    return exact if ty.bind(wanted, actual, exact) else trial


def _list_conversion(
    argument: Argument, wanted: ListType, actual: Type, bindings: dict[str, Type]
) -> Convert | None:
    if isinstance(actual, TupleType) and not ty.has_variables(wanted):
        fits = all(ty.is_subtype(as_torch(e), wanted.element) for e in actual.elements)
        return Convert.TUPLE_TO_LIST if fits else None
    if isinstance(actual, TupleType) and actual.elements:
        element = actual.elements[0]
        same = all(ty.unify(element, e) is not None for e in actual.elements)
        if same and ty.bind(wanted.element, element, bindings):
            return Convert.TUPLE_TO_LIST
        return None
    if argument.size is not None and ty.is_subtype(actual, wanted.element):
        return Convert.REPEAT
    if isinstance(actual, ListType) and actual.element is ty.NO_RETURN:
        return Convert.KEEP  # an empty list whose element type nothing decided
    return None


def match_schema(
    op: OpDef,
    args: Sequence[Type],
    kwargs: Mapping[str, Type],
    *,
    implicit: bool = True,
) -> Match | Mismatch:
    """Match argument types against one overload. Keyword values are numbered after positional ones.
    """
    schema = op.schema
    keyword_position = {name: len(args) + i for i, name in enumerate(kwargs)}
    bindings: dict[str, Type] = {}
    conversions: list[Conversion] = []
    used_positional = 0
    for argument in schema.arguments:
        if used_positional < len(args) and not argument.kwarg_only:
            if argument.name in kwargs:
                return Mismatch(op, f"argument '{argument.name}' is given twice")
            packed = _packed(schema, argument, args[used_positional:], bindings)
            if packed:
                conversions.append(
                    Conversion(Convert.PACK, tuple(range(used_positional, len(args))))
                )
                used_positional = len(args)
                continue
            position, actual = used_positional, args[used_positional]
            used_positional += 1
        elif argument.name in kwargs:
            position, actual = keyword_position[argument.name], kwargs[argument.name]
        elif argument.has_default:
            conversions.append(Conversion(Convert.DEFAULT))
            continue
        else:
            return Mismatch(op, f"argument '{argument.name}' is missing", len(conversions))
        how = conversion(argument, actual, bindings, implicit=implicit)
        if how is None:
            expected = ty.annotation(ty.substitute(argument.type, bindings))
            found = ty.annotation(actual)
            reason = f"argument '{argument.name}' expects {expected}, found {found}"
            return Mismatch(op, reason, len(conversions))
        conversions.append(Conversion(how, (position,)))
    return _finish(op, args, kwargs, conversions, bindings, used_positional)


def _finish(
    op: OpDef,
    args: Sequence[Type],
    kwargs: Mapping[str, Type],
    conversions: list[Conversion],
    bindings: Mapping[str, Type],
    used_positional: int,
) -> Match | Mismatch:
    variadic: tuple[int, ...] = ()
    if used_positional < len(args):
        if not op.schema.is_vararg:
            takes = sum(not a.kwarg_only for a in op.schema.arguments)
            return Mismatch(op, f"takes {takes} positional arguments, found {len(args)}")
        variadic = tuple(range(used_positional, len(args)))
    unknown = [name for name in kwargs if op.schema.index_of(name) is None]
    if unknown:
        return Mismatch(op, f"has no argument '{unknown[0]}'")
    widened = _widened(op, [*args, *kwargs.values()], conversions, bindings)
    if widened is not None:
        return widened
    return Match(op, tuple(conversions), bindings, variadic)


def _widened(
    op: OpDef,
    types: Sequence[Type],
    conversions: Sequence[Conversion],
    bindings: Mapping[str, Type],
) -> Mismatch | None:
    """Whether a written container would take elements of a wider type than its own."""
    for argument, given in zip(op.schema.arguments, conversions, strict=True):
        is_written = argument.alias is not None and argument.alias.is_write
        if not is_written or not given.sources or not ty.has_variables(argument.type):
            continue
        actual = types[given.sources[0]]
        wanted = ty.substitute(argument.type, bindings)
        is_open = any(inner is ty.NO_RETURN for inner in ty.walk(actual))
        if not is_open and ty.unshaped(as_torch(actual)) is not ty.unshaped(as_torch(wanted)):
            held, found = ty.annotation(actual), ty.annotation(wanted)
            reason = f"argument '{argument.name}' is {held} and cannot become {found}"
            return Mismatch(op, reason, len(conversions))
    return None


# Torch's Python functions of these take their tensors one by one.
_VARIADIC_TENSORS = frozenset((
    "aten::einsum", "aten::meshgrid", "aten::broadcast_tensors", "aten::block_diag",
    "aten::cartesian_prod", "aten::chain_matmul", "aten::atleast_1d", "aten::atleast_2d",
    "aten::atleast_3d",
))  # fmt: skip


def _packed(
    schema: FunctionSchema, argument: Argument, rest: Sequence[Type], bindings: dict[str, Type]
) -> bool:
    """Whether trailing positional ints form the last positional list (`x.view(2, 3)`, `x.permute(1,
    0)`).
    """
    positional = [a for a in schema.arguments if not a.kwarg_only]
    if argument is not positional[-1]:
        return False
    if schema.name in _VARIADIC_TENSORS and argument.type is ty.ListType(ty.TENSOR):
        return bool(rest) and all(isinstance(r, TensorType) for r in rest)
    if argument.type is not ty.ListType(ty.INT):
        return False
    if argument.size is not None or not rest:
        return False
    return all(r is ty.INT or isinstance(r, TensorType) for r in rest) and rest[0] is ty.INT


def match_overloads(
    ops: Sequence[OpDef], args: Sequence[Type], kwargs: Mapping[str, Type]
) -> Match | list[Mismatch]:
    """The first overload that fits as it stands, else the first that fits with conversions."""
    mismatches: list[Mismatch] = []
    for implicit in (False, True):
        mismatches = []
        for op in ops:
            outcome = match_schema(op, args, kwargs, implicit=implicit)
            if isinstance(outcome, Match):
                return outcome
            mismatches.append(outcome)
    return mismatches


def result_types(
    op: OpDef,
    bindings: Mapping[str, Type],
    types: Sequence[Type],
    constants: Sequence[Any],
) -> list[Type]:
    """The output types of a call: the row's type rule, refining what the schema says.

    Results are arrays where all tensor arguments are, tensors where some are not, and without any
    what the row says.
    """
    declared = [ty.substitute(r.type, bindings) for r in op.schema.returns]
    surface = _surface_of(types)
    if op.infer is not None and ty.NO_RETURN not in types:
        ruled = op.infer(types, constants)
        ruled = [ruled] if isinstance(ruled, Type) else list(ruled)
        declared = ruled if len(ruled) == len(declared) or op.schema.is_varret else declared
    by_variable = [ty.has_variables(r.type) for r in op.schema.returns]
    return [
        t
        if surface is None or (i < len(by_variable) and by_variable[i])
        else on_surface(t, surface)
        for i, t in enumerate(declared)
    ]


def _surface_of(types: Sequence[Type]) -> Surface | None:
    surfaces = {
        inner.surface for t in types for inner in ty.walk(t) if isinstance(inner, TensorType)
    }
    if not surfaces:
        return None
    return Surface.NUMPY if surfaces == {Surface.NUMPY} else Surface.TORCH


def on_surface(type_: Type, surface: Surface) -> Type:
    """The type with every tensor in it put on a surface."""
    if isinstance(type_, TensorType):
        return type_ if type_.surface is surface else type_.refined(surface=surface)
    if not type_.children:
        return type_
    return type_.with_children(on_surface(child, surface) for child in type_.children)


__all__ = [
    "NOT_CONSTANT", "Conversion", "Convert", "Match", "Mismatch", "as_torch", "conversion",
    "match_overloads",
    "match_schema", "on_surface", "result_types",
]  # fmt: skip
