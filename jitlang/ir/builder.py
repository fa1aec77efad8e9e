"""A low-level builder: inserts nodes, constants and operator calls. It knows nothing of Python
source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import CompileError, ErrorKind, SourceSpan, did_you_mean
from . import types as ty
from .graph import CONSTANT, Block, Graph, Node, Value, constant_type, create_node
from .matching import (
    NOT_CONSTANT,
    Conversion,
    Convert,
    Match,
    match_overloads,
    result_types,
)
from .opdef import OPS, OpDef
from .resolve import resolve_row
from .types import TupleType, Type


class Builder:
    """Inserts before a cursor, the end of a block unless moved. `span` is stamped on every new
    node.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.cursor: Node = graph.return_node
        self.span: SourceSpan | None = None
        self.reads_undecided = False  # whether elements of an empty, untyped display were read

    @contextmanager
    def at(self, place: Block | Node) -> Iterator[Block]:
        """Insert at the end of a block, or before a node, inside the `with` statement."""
        saved = self.cursor
        self.cursor = place.return_node if isinstance(place, Block) else place
        try:
            yield self.cursor.block
        finally:
            self.cursor = saved

    def insert(self, node: Node) -> Node:
        """Insert a detached node at the cursor."""
        if node.span is None:
            node.span = self.span
        return node.insert_before(self.cursor)

    def node(
        self,
        kind: str,
        inputs: Sequence[Value] = (),
        output_types: Sequence[Type] = (),
        **attributes: Any,
    ) -> Node:
        """Insert a node as it stands (`prim::If`, `prim::Print`), with its row if it has one."""
        op = resolve_row(kind, [value.type for value in inputs])
        return self.insert(
            create_node(kind, inputs, output_types, attributes=attributes, op=op, span=self.span)
        )

    def value(
        self, kind: str, inputs: Sequence[Value], type_: Type, **attributes: Any
    ) -> Value:
        """Insert a node with one output and return the output."""
        return self.node(kind, inputs, [type_], **attributes).output

    def constant(self, value: Any, type_: Type | None = None) -> Value:
        """Insert a constant; `type_` is needed for what has no type of its own (tensors, objects).
        """
        resolved = type_ or constant_type(value)
        if resolved is None:
            raise TypeError(f"a constant of type {type(value).__name__} needs an explicit type")
        attributes = {} if value is None else {"value": value}
        return self.value(CONSTANT, (), resolved, **attributes)

    def call(
        self,
        name: str,
        args: Sequence[Value] = (),
        kwargs: Mapping[str, Value] | None = None,
        overloads: Sequence[OpDef] | None = None,
    ) -> list[Value]:
        """Insert a call of the overload of `name` that fits, with conversions; returns its outputs.

        Raises:
            CompileError: no such operator (UNDEFINED_ATTRIBUTE), or no overload fits (NO_OVERLOAD).
        """
        given = dict(kwargs or {})
        rows = OPS.overloads(name) if overloads is None else overloads
        if not rows:
            raise CompileError(
                ErrorKind.UNDEFINED_ATTRIBUTE,
                f"there is no operator '{name}'",
                self.span,
                hint=did_you_mean(name, OPS.names()),
            )
        outcome = match_overloads(
            rows, [v.type for v in args], {key: v.type for key, v in given.items()}
        )
        if not isinstance(outcome, Match):
            raise no_overload(name, args, given, outcome, self.span)
        return self.apply(outcome, [*args, *given.values()])

    def op(self, name: str, *args: Value, **kwargs: Value) -> Value:
        """Insert a call with exactly one output and return it."""
        (output,) = self.call(name, args, kwargs)
        return output

    def apply(self, match: Match, values: Sequence[Value]) -> list[Value]:
        """Insert the call that a match describes."""
        op = match.op
        inputs = [
            self._converted(argument.type, argument.default, argument.size, how, values)
            for argument, how in zip(op.schema.arguments, match.conversions, strict=True)
        ]
        inputs += [values[position] for position in match.variadic]
        types = result_types(
            op, match.bindings, [v.type for v in inputs], [_known(v) for v in inputs]
        )
        if any(_is_unknown(result) for result in types):
            self.reads_undecided = True
            types = [_opened(result) for result in types]
        node = create_node(op.name, inputs, types, op=op, span=self.span)
        return self.insert(node).outputs

    def _converted(
        self, wanted: Type, default: Any, size: int | None, how: Conversion, values: Sequence[Value]
    ) -> Value:
        given = [values[position] for position in how.sources]
        match how.how:
            case Convert.DEFAULT:
                return self.default(default, wanted, size)
            case Convert.PACK:
                if isinstance(wanted, ty.ListType) and wanted.element is ty.TENSOR:
                    return self.list(given)
                ints = [v if v.type is ty.INT else self.op("aten::IntImplicit", v) for v in given]
                return self.list(ints, ty.INT)
            case Convert.REPEAT:
                return self.list(given * (size or 1), given[0].type)
            case Convert.TUPLE_TO_LIST:
                elements = self.unpack(given[0])
                inner = ty.without_none(wanted)
                is_empty = isinstance(inner, ty.ListType) and not elements
                return self.list(elements, inner.children[0] if inner and is_empty else None)
            case Convert.INT_TO_FLOAT | Convert.BOOL_TO_FLOAT:
                return self.folded(float, "aten::Float", given[0])
            case Convert.BOOL_TO_INT:
                return self.folded(int, "aten::Int", given[0])
            case Convert.TO_COMPLEX:
                return self.folded(complex, "aten::Complex", given[0])
            case Convert.TENSOR_TO_INT:
                return self.op("aten::IntImplicit", given[0])
            case Convert.TENSOR_TO_FLOAT:
                return self.op("aten::FloatImplicit", given[0])
            case Convert.TENSOR_TO_SCALAR:
                return self.op("aten::ScalarImplicit", given[0])
            case Convert.STR_TO_DEVICE:
                return self.op("aten::device", given[0])
        return given[0]

    def folded(self, convert: Any, name: str, value: Value) -> Value:
        """Convert a scalar; a constant is converted here and now."""
        if value.is_constant:
            return self.constant(convert(value.constant()))
        return self.op(name, value)

    def default(self, default: Any, wanted: Type, size: int | None = None) -> Value:
        """A schema default as a constant."""
        element = ty.without_none(wanted)
        if isinstance(element, ty.ListType):
            if default is None:
                return self.constant(None)
            elements = default if isinstance(default, list) else [default] * (size or 1)
            return self.list([self.constant(v) for v in elements], element.element)
        if element is ty.FLOAT and isinstance(default, int):
            default = float(default)
        if element is ty.BOOL and isinstance(default, int):
            default = bool(default)
        return self.constant(default)

    def list(self, elements: Sequence[Value], element_type: Type | None = None) -> Value:
        """Insert a list display."""
        inner = element_type
        if inner is None:
            inner = elements[0].type if elements else ty.TENSOR
            for value in elements[1:]:
                inner = ty.unify(inner, value.type) or inner
        return self.value("prim::ListConstruct", elements, ty.ListType(inner))

    def tuple(self, elements: Sequence[Value]) -> Value:
        """Insert a tuple display."""
        return self.value(
            "prim::TupleConstruct", elements, TupleType(tuple(v.type for v in elements))
        )

    def unpack(self, value: Value) -> Sequence[Value]:
        """The elements of a tuple value."""
        assert isinstance(value.type, TupleType)
        if value.node.kind == "prim::TupleConstruct":
            return list(value.node.inputs)
        return self.node("prim::TupleUnpack", [value], value.type.elements).outputs


def _is_unknown(type_: Type) -> bool:
    """Whether a value may be what an empty, untyped display holds (a display inside stays open)."""
    inside = isinstance(type_, TupleType | ty.OptionalType | ty.SequenceType)
    return type_ is ty.NO_RETURN or (inside and any(map(_is_unknown, type_.children)))


def _opened(type_: Type) -> Type:
    """The type with unknown values as `Any`."""
    if type_ is ty.NO_RETURN:
        return ty.ANY
    return type_.with_children(map(_opened, type_.children)) if _is_unknown(type_) else type_


def _known(value: Value) -> Any:
    return value.constant() if value.is_constant else NOT_CONSTANT


def no_overload(
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    mismatches: Sequence[Any],
    span: SourceSpan | None,
) -> CompileError:
    """The rejection that lists every overload and why it does not fit."""
    found = [ty.annotation(v.type) for v in args]
    found += [f"{key}={ty.annotation(v.type)}" for key, v in kwargs.items()]
    base = name.partition("::")[2] or name
    nearest = sorted(mismatches, key=lambda m: -m.fitted)
    variants = [f"    {_signature(base, m.op)}\n      {m.reason}" for m in nearest[:MAX_VARIANTS]]
    if len(nearest) > MAX_VARIANTS:
        variants.append(f"    and {len(nearest) - MAX_VARIANTS} more")
    text = "\n".join(variants)
    return CompileError(
        ErrorKind.NO_OVERLOAD,
        f"no variant of '{base}' takes these arguments",
        span,
        found=f"({', '.join(found)})",
        expected=_first_types(nearest) or f"one of\n{text}",
    )


def _first_types(mismatches: Sequence[Any]) -> str | None:
    """What the first argument must be, where several variants fail at it."""
    if len(mismatches) < 2 or any(m.fitted or "expects" not in m.reason for m in mismatches):
        return None
    types = [ty.annotation(m.op.schema.arguments[0].type) for m in mismatches]
    *firsts, last = dict.fromkeys(types)
    return f"a first argument of type {', '.join(firsts)}{' or ' if firsts else ''}{last}"


MAX_VARIANTS = 5


def _signature(name: str, op: Any) -> str:
    """A row's schema in Python's spelling."""
    parts = []
    for argument in op.schema.arguments:
        if argument.kwarg_only and "*" not in parts:
            parts.append("*")
        default = f" = {argument.default!r}" if argument.has_default else ""
        parts.append(f"{argument.name}: {ty.annotation(argument.type)}{default}")
    return f"{name}({', '.join(parts)})"
