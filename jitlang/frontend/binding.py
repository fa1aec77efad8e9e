"""Parameters of a function, what a call binds to them, and which types an argument may have."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ErrorKind, did_you_mean
from ..ir import types as ty
from ..ir.types import Type
from .annotate import type_of_annotation
from .emitter import Emitter
from .source import FunctionSource
from .sugar import (
    Arguments,
    Keywords,
    Parts,
    Plain,
    Starred,
    Sugar,
)

EMPTY = inspect.Parameter.empty


def annotation_namespace(source: FunctionSource) -> Mapping[str, Any]:
    """The names that annotations of a function may use."""
    cells = {}
    for name, cell in source.cells.items():
        try:
            cells[name] = cell.cell_contents
        except ValueError:
            continue  # not assigned yet: undefined if the annotation needs it
    return {**source.namespace, **cells}


def evaluated_annotations(source: FunctionSource) -> Mapping[str, Any]:
    """The annotations of a function as Python evaluated them; none where it cannot."""
    try:
        return source.function.__annotations__ if source.function is not None else {}
    except NameError:
        return {}  # evaluated lazily since Python 3.14


# Parameters ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function: its kind, default and declared type (None: generic)."""

    name: str
    kind: inspect._ParameterKind
    default: Any
    declared: Type | None
    node: ast.arg


def parameters_of(source: FunctionSource) -> list[Parameter]:
    """The parameters of a function with their declared types.

    Raises:
        CompileError: an annotation cannot be read.
    """
    function = source.function
    given = source.tree.args
    defaults = list((function.__defaults__ if function is not None else None) or ())
    keyword_defaults = dict((function.__kwdefaults__ if function is not None else None) or {})
    positional = [*given.posonlyargs, *given.args]
    from_end: list[Any] = [EMPTY] * (len(positional) - len(defaults)) + defaults
    made = []
    for position, (arg, default) in enumerate(zip(positional, from_end, strict=True)):
        kind = (
            inspect.Parameter.POSITIONAL_ONLY
            if position < len(given.posonlyargs)
            else inspect.Parameter.POSITIONAL_OR_KEYWORD
        )
        made.append(_parameter(source, arg, kind, default))
    if given.vararg is not None:
        made.append(_parameter(source, given.vararg, inspect.Parameter.VAR_POSITIONAL, EMPTY))
    for arg in given.kwonlyargs:
        default = keyword_defaults.get(arg.arg, EMPTY)
        made.append(_parameter(source, arg, inspect.Parameter.KEYWORD_ONLY, default))
    if given.kwarg is not None:
        made.append(_parameter(source, given.kwarg, inspect.Parameter.VAR_KEYWORD, EMPTY))
    return made


def _parameter(
    source: FunctionSource, arg: ast.arg, kind: inspect._ParameterKind, default: Any
) -> Parameter:
    declared = None
    variadic = kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if arg.annotation is not None and not variadic:
        namespace = annotation_namespace(source)
        span = source.span(arg.annotation)
        evaluated = evaluated_annotations(source).get(arg.arg, "")
        declared = type_of_annotation(arg.annotation, namespace, span, evaluated)
    if default is None and declared is not None:
        declared = ty.optional(declared)
    return Parameter(arg.arg, kind, default, declared, arg)


class Bound(dict[str, Sugar]):
    """The meaning of every parameter in a call; `nodes` is the syntax of arguments written there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, ast.AST] = {}


def bind(e: Emitter, label: str, parameters: Sequence[Parameter], args: Arguments) -> Bound:
    """The meaning of every parameter in a call.

    Raises:
        CompileError: too few or too many arguments (ARITY), or an unknown keyword
            (UNKNOWN_KEYWORD).
    """
    positional = _spread_positional(e, label, parameters, args)
    keywords = dict(args.keywords)
    nodes = list(args.nodes) if len(positional) == len(args.nodes) else []
    bound = Bound()
    for parameter in parameters:
        name, kind = parameter.name, parameter.kind
        if name in args.keyword_nodes:
            bound.nodes[name] = args.keyword_nodes[name]
        if kind is inspect.Parameter.VAR_POSITIONAL:
            bound[name] = rest_of(e, positional)
            positional = []
        elif kind is inspect.Parameter.VAR_KEYWORD:
            bound[name] = Keywords(keywords)
            keywords = {}
        elif positional and kind is not inspect.Parameter.KEYWORD_ONLY:
            if name in keywords and kind is not inspect.Parameter.POSITIONAL_ONLY:
                raise e.error(ErrorKind.ARITY, f"'{label}' gets argument '{name}' twice")
            if nodes:
                bound.nodes[name] = nodes[-len(positional)]
            bound[name] = positional.pop(0)
        elif name in keywords and kind is not inspect.Parameter.POSITIONAL_ONLY:
            bound[name] = keywords.pop(name)
        elif parameter.default is not EMPTY:
            bound[name] = e.grammar.meaning_of(e, parameter.default, f"default of '{name}'")
        else:
            raise e.error(
                ErrorKind.ARITY,
                f"'{label}' needs an argument for '{name}'",
                expected=_signature_text(label, parameters),
            )
    if positional:
        raise e.error(
            ErrorKind.ARITY,
            f"'{label}' gets too many arguments",
            found=f"{len(args.positional)} positional arguments",
            expected=_signature_text(label, parameters),
        )
    for name in keywords:
        raise e.error(
            ErrorKind.UNKNOWN_KEYWORD,
            f"'{label}' has no parameter '{name}'",
            args.keyword_nodes.get(name),
            expected=_signature_text(label, parameters),
            hint=did_you_mean(name, [p.name for p in parameters]),
        )
    return bound


_PREFIXES: Mapping[object, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


def _signature_text(label: str, parameters: Sequence[Parameter]) -> str:
    parts = []
    for parameter in parameters:
        prefix = _PREFIXES.get(parameter.kind, "")
        stated = f": {ty.annotation(parameter.declared)}" if parameter.declared else ""
        default = f" = {parameter.default!r}" if parameter.default is not EMPTY else ""
        parts.append(f"{prefix}{parameter.name}{stated}{default}")
    return f"{label}({', '.join(parts)})"


def rest_of(e: Emitter, positional: Sequence[Sugar]) -> Sugar:
    """What `*args` holds: parts, or a tuple of unknown length where a list was spread into it."""
    if not any(isinstance(meaning, Starred) for meaning in positional):
        return Parts(list(positional))
    pieces = [
        meaning.items if isinstance(meaning, Starred) else e.list_display([meaning.value(e)])
        for meaning in positional
    ]
    joined = pieces[0]
    for piece in pieces[1:]:
        joined = e.builder.op("aten::add", joined, piece)
    return Starred(e.builder.op("jit::tuple", joined))


def _spread_positional(
    e: Emitter, label: str, parameters: Sequence[Parameter], args: Arguments
) -> list[Sugar]:
    """Spread `*xs` of unknown length over the parameters that are left for it."""
    places = [
        p
        for p in parameters
        if p.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    takes_rest = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    result: list[Sugar] = []
    for position, meaning in enumerate(args.positional):
        if not isinstance(meaning, Starred):
            result.append(meaning)
            continue
        after = len(args.positional) - position - 1
        open_places = [p for p in places[len(result) :] if p.name not in args.keywords]
        if takes_rest and not open_places:
            result.append(meaning)
            continue
        if takes_rest or any(p.default is not EMPTY for p in open_places):
            raise e.error(
                ErrorKind.UNSUPPORTED_EXPRESSION,
                f"how many arguments '{label}' gets must be known at compile time",
                args.node_of(position),
                hint="index the list, or give the function one list parameter",
            )
        count = len(open_places) - after
        element = meaning.items.type.children[0]
        unpacked = e.builder.node("prim::ListUnpack", [meaning.items], [element] * max(count, 0))
        result += [Plain(v) for v in unpacked.outputs]
    return result


# Accepted types -----------------------------------------------------------------------------------


NUMBERS = (ty.BOOL, ty.INT, ty.FLOAT, ty.COMPLEX)


def accepts(declared: Type, actual: Type, *, fresh: bool = False) -> bool:
    """Whether a value of type `actual` may be given where `declared` is stated.

    A narrower number is accepted and stays what it is, as in Python; so are either surface's
    tensors. A `fresh` type was read off a Python object: an empty list then fits any list type.
    """
    plain = ty.unshaped(actual)
    if (
        actual in (ty.ANY, ty.NO_RETURN)
        or ty.is_subtype(actual, declared)
        or ty.is_subtype(plain, declared)
    ):
        return True
    if isinstance(declared, ty.OptionalType | ty.UnionType):
        return any(accepts(wanted, actual, fresh=fresh) for wanted in ty.alternatives(declared))
    if declared in NUMBERS:
        return actual is ty.NUMBER or (
            actual in NUMBERS and NUMBERS.index(actual) < NUMBERS.index(declared)
        )
    if isinstance(declared, ty.TensorType):
        return isinstance(actual, ty.TensorType)
    covariant = ty.TupleType if not fresh else ty.TupleType | ty.ListType | ty.DictType
    if isinstance(declared, ty.SequenceType) and isinstance(actual, ty.TupleType):
        return all(accepts(declared.element, a, fresh=fresh) for a in actual.elements)
    if isinstance(declared, covariant) and type(declared) is type(actual):
        return len(declared.children) == len(actual.children) and all(
            accepts(d, a, fresh=fresh)
            for d, a in zip(declared.children, actual.children, strict=True)
        )
    return False
