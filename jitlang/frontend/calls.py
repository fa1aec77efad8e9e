"""Calls: binding arguments, operators of the table, functions compiled on demand, Python's own."""

from __future__ import annotations

import ast
import builtins
import cmath
import inspect
import itertools
import math
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CallEdge, Category, CompileError, ErrorKind, did_you_mean
from ..ir import types as ty
from ..ir.builder import no_overload
from ..ir.graph import PYTHON_OP, ObjectRef, Value
from ..ir.matching import Match, conversion, match_overloads
from ..ir.opdef import OPS, OpDef
from ..ir.types import Type
from ..tensor import result_class
from ..values import namedtuple_name
from . import hints
from .annotate import NoType, namedtuple_type, type_from_object, type_of_annotation
from .emitter import Emitter, Fallback
from .flow import decide_empty, is_open
from .operators import rows_named
from .source import FunctionSource, is_installed, source_of
from .sugar import (
    Arguments,
    ClassName,
    Function,
    Keywords,
    NamedParts,
    Operator,
    Parts,
    Plain,
    PythonCallable,
    Raised,
    Special,
    Starred,
    Sugar,
)
from .surface import RENAMED_KEYWORDS

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
            bound[name] = _rest(e, positional)
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


def _rest(e: Emitter, positional: Sequence[Sugar]) -> Sugar:
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


# Operators ----------------------------------------------------------------------------------------


def call_operator(e: Emitter, operator: Operator, args: Arguments) -> Sugar:
    """Call an operator of the table, as a function or as a method of `operator.receiver`."""
    name = operator.name
    if name == "format" and operator.receiver is not None and args.keywords:
        operator, args = _positional_format(e, operator, args)
    rows = OPS.overloads(name) if "::" in name else rows_named(name)
    values = [] if operator.receiver is None else [operator.receiver]
    if any(isinstance(meaning, Starred) for meaning in args.positional):
        rest = _rest(e, args.positional)
        assert isinstance(rest, Starred)
        values.append(rest.items)
    else:
        values += [e.walked(meaning).value(e) for meaning in args.positional]
    keywords = _keywords(e, operator.label, rows, args, operator.receiver)
    unknown = any(ty.ANY in ty.walk(v.type) for v in values[1:])
    if e.speculates and unknown and is_open(values[0].type):
        return Plain(e.builder.constant(None))  # an unknown element decides nothing
    _decide_open(operator.label, values)
    if name in ("append", "insert"):
        values[-1] = as_element(e, values[0].type, values[-1])
    if name == "append" and len(values) == 2:
        _check_appended(e, rows, values, args.node_of(0))
    return apply_rows(e, operator.label, rows, values, keywords)


def _keywords(
    e: Emitter, label: str, rows: Sequence[OpDef], args: Arguments, receiver: Value | None
) -> dict[str, Value]:
    """Keyword values; NumPy's `axis` and torch's `input` are understood where a row has the
    argument.
    """
    if receiver is not None:
        first = [r for r in rows if _takes_receiver(r, receiver)]
        rows = first or rows
    known = {a.name for row in rows for a in row.schema.arguments}
    aliases = {**RENAMED_KEYWORDS, "input": "self"}
    values: dict[str, Value] = {}
    for name, meaning in args.keywords.items():
        renamed = name if name in known else aliases.get(name, name)
        if renamed not in known:
            raise e.error(
                ErrorKind.UNKNOWN_KEYWORD,
                f"no variant of '{label}' has an argument '{name}'",
                args.keyword_nodes.get(name),
                expected=" or ".join(sorted(known - {"self"})),
                hint=did_you_mean(name, known),
            )
        values[renamed] = meaning.value(e)
    return values


def _takes_receiver(row: OpDef, receiver: Value) -> bool:
    arguments = row.schema.arguments
    if not arguments:
        return False
    return conversion(arguments[0], receiver.type, {}, implicit=False) is not None


def _positional_format(
    e: Emitter, operator: Operator, args: Arguments
) -> tuple[Operator, Arguments]:
    """`"{name}".format(name=x)` with the named fields numbered behind the positional ones."""
    assert operator.receiver is not None
    template = operator.receiver.constant()
    if not isinstance(template, str):
        raise e.error(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            "a template with named fields must be known at compile time",
            hint="use numbered fields, or an f-string",
        )
    numbers = {name: len(args.positional) + i for i, name in enumerate(args.keywords)}
    automatic = itertools.count()
    pieces = []
    for text, name, spec, converted in string.Formatter().parse(template):
        pieces.append(text.replace("{", "{{").replace("}", "}}"))
        if name is None:
            continue
        root = re.split(r"[.\[]", name)[0]
        number = str(next(automatic)) if not root else str(numbers.get(root, root))
        nested = re.sub(r"\{(\w+)\}", lambda m: f"{{{numbers.get(m[1], m[1])}}}", spec or "")
        ending = (f"!{converted}" if converted else "") + (f":{nested}" if nested else "")
        pieces.append("{" + number + name[len(root) :] + ending + "}")
    receiver = e.builder.constant("".join(pieces))
    positional = [*args.positional, *args.keywords.values()]
    return Operator(operator.name, operator.label, receiver), Arguments(positional)


_TAKE_LISTS = ("extend", "add_", "add", "eq", "ne", "join")


def _decide_open(name: str, values: Sequence[Value]) -> None:
    """`xs.append(1)` decides what an empty list holds."""
    if not values:
        return
    first = values[0]
    for other in values[1:]:
        if isinstance(first.type, ty.ListType):
            whole = name in _TAKE_LISTS
            decide_empty(first, other.type if whole else ty.ListType(other.type))
        elif isinstance(first.type, ty.DictType):
            decide_empty(first, other.type)
        decide_empty(other, first.type)
    if isinstance(first.type, ty.DictType) and len(values) == 3:
        decide_empty(first, ty.DictType(values[1].type, values[2].type))


def as_element(e: Emitter, container: Type, value: Value) -> Value:
    """A value of unknown type as an element of a list or dict, tested when it runs."""
    unknown = value.type in (ty.ANY, ty.NUMBER)
    if not unknown or not isinstance(container, ty.ListType | ty.DictType):
        return value
    element = container.children[-1]
    if element in (ty.ANY, ty.NO_RETURN, ty.NUMBER) or (
        value.type is ty.NUMBER and element not in ty.SCALARS
    ):
        return value
    return e.builder.value("jit::checked_cast", [value], element)


def _check_appended(
    e: Emitter, rows: Sequence[OpDef], values: Sequence[Value], node: ast.expr | None
) -> None:
    """A list keeps its element type; said plainly, since it is the usual mistake with lists."""
    owner, item = values
    fits = isinstance(match_overloads(rows, [owner.type, item.type], {}), Match)
    if fits or not isinstance(owner.type, ty.ListType):
        return
    raise e.error(
        ErrorKind.ELEMENT_TYPE,
        "the appended value does not have the type of the list's elements",
        node,
        found=ty.annotation(item.type),
        expected=ty.annotation(owner.type.element),
        hint=hints.for_conversion(item.type, owner.type.element)
        or "a list holds one type; use tuples for several",
    )


def apply_rows(
    e: Emitter,
    label: str,
    rows: Sequence[OpDef],
    values: Sequence[Value],
    keywords: Mapping[str, Value],
) -> Sugar:
    """Call the row that fits.

    Raises:
        CompileError: none fits (NO_OVERLOAD, or OPTIONAL_NOT_REFINED where None is what does not
            fit).
    """
    types = [v.type for v in values]
    keyword_types = {name: v.type for name, v in keywords.items()}
    outcome = match_overloads(rows, types, keyword_types)
    if isinstance(outcome, Match):
        outputs = e.builder.apply(outcome, [*values, *keywords.values()])
        return _result(e, outcome.op, outputs)
    bare = [ty.without_none(t) or t for t in types]
    if bare != types and isinstance(match_overloads(rows, bare, keyword_types), Match):
        position = next(i for i, t in enumerate(types) if bare[i] is not t)
        raise e.not_refined(
            _argument(e, values, position), types[position], f"which '{label}' does not take"
        )
    raise no_overload(label, values, keywords, outcome, e.span())


def _argument(e: Emitter, values: Sequence[Value], position: int) -> ast.expr | None:
    """The syntax of an argument; the first value of a method call is its owner."""
    call = e.node
    if not isinstance(call, ast.Call) or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    is_method = len(values) == len(call.args) + 1
    owner = [call.func.value] if isinstance(call.func, ast.Attribute) and is_method else []
    written = [*owner, *call.args]
    return written[position] if position < len(written) else None


def _result(e: Emitter, op: OpDef, outputs: Sequence[Value]) -> Sugar:
    if not outputs:
        return Plain(e.builder.constant(None))
    if len(outputs) == 1:
        return Plain(outputs[0])
    parts = [Plain(v) for v in outputs]
    cls = result_class(op)
    if cls is None:
        return Parts(parts)
    return NamedParts(parts, [r.name for r in op.schema.returns], namedtuple_name(cls))


# Python functions ---------------------------------------------------------------------------------


def call_function(e: Emitter, target: Any, label: str, args: Arguments) -> Sugar:
    """Compile a Python function for these arguments and call it.

    A callee that the language excludes is called back in Python instead; a callee that is wrong is
    the caller's error, with this call in its chain.
    """
    try:
        source = source_of(target)
        parameters = parameters_of(source)
    except CompileError as error:
        return _rejected(e, target, label, args, error)
    bound = bind(e, label, parameters, args)
    try:
        compiled = e.grammar.compile_callee(e, target, source, parameters, bound)
    except CompileError as error:
        if error.kind is not ErrorKind.RECURSION and _is_own(e, error):
            raise
        return _rejected(e, target, label, args, error)
    inputs = compiled.inputs_from(e, bound)
    for value, parameter in zip(inputs, compiled.graph.inputs, strict=True):
        decide_empty(value, parameter.type)
    callee = e.builder.constant(ObjectRef(compiled.name, compiled), ty.FUNCTION)
    output = e.builder.value("prim::CallFunction", [callee, *inputs], compiled.return_type)
    return Plain(output)


def _rejected(e: Emitter, target: Any, label: str, args: Arguments, error: CompileError) -> Sugar:
    """Call a callee that was rejected back in Python where that is allowed.

    Raises:
        CompileError: it is not; the callee's error, with this call in its chain.
    """
    looped = error.kind is ErrorKind.RECURSION and e.unit.strict
    if _may_fall_back(error, target) and not looped:
        return call_python(e, target, label, args, error.kind, error.message, error)
    if not _is_own(e, error):
        error.chain.append(CallEdge(label, e.span()))
    raise error


def _may_fall_back(error: CompileError, target: Any) -> bool:
    """What the language excludes may; mistakes may not, except in code that was not written for it.
    """
    if error.kind is ErrorKind.STRICT_FALLBACK:
        return False
    return error.kind.category is Category.UNSUPPORTED or is_installed(target)


def _is_own(e: Emitter, error: CompileError) -> bool:
    """Whether the error is about the call itself, not about the callee's body."""
    call, found = e.span(), error.span
    if found is None or (found.filename, found.function) != (call.filename, call.function):
        return False
    start, end = (found.line, found.column), (found.end_line, found.end_column)
    return (call.line, call.column) <= start and end <= (call.end_line, call.end_column)


def call_python(
    e: Emitter,
    target: Any,
    label: str,
    args: Arguments,
    kind: ErrorKind,
    reason: str | None,
    error: CompileError | None = None,
) -> Sugar:
    """Emit a call back into Python, shown as `^label(...)`; `error` is why the callee was rejected.

    Raises:
        CompileError: calls back into Python are refused (STRICT_FALLBACK).
    """
    if e.unit.strict:
        excerpt = f"\n{error.span.render('    ')}" if error is not None and error.span else ""
        raise e.error(
            ErrorKind.STRICT_FALLBACK,
            f"'{label}' would be called back in Python, which strict=True refuses",
            found=(reason or "it is marked @jl.ignore") + excerpt,
            hint=hints.for_builtin(label)
            or "rewrite the callee in the language, or drop strict=True",
        )
    if reason is not None and error is not None and error.span is not None:
        reason = f"{reason} ({error.span})"
    values = []
    for meaning in args.positional:
        if isinstance(meaning, Starred):
            raise e.error(
                ErrorKind.UNSUPPORTED_EXPRESSION,
                "a list cannot be spread into a call back into Python",
                hint="pass the list itself",
            )
        values.append(_for_python(e, meaning))
    values += [_for_python(e, meaning) for meaning in args.keywords.values()]
    name = label.rpartition(".")[2]
    if reason is not None:
        e.unit.fall_back(Fallback(label, reason, e.span()))
    output = e.builder.value(
        PYTHON_OP,
        values,
        _declared_result(target),
        name=name,
        callee=ObjectRef(label, target),
        kwarg_names=list(args.keywords),
    )
    return Plain(output)


def _declared_result(target: Any) -> Type:
    """The result type that a Python function declares; `Any` where it declares none."""
    function = inspect.unwrap(target) if callable(target) else target
    annotation = getattr(function, "__annotations__", {}).get("return", EMPTY)
    if annotation is EMPTY:
        return ty.ANY
    if annotation is None:
        return ty.NONE
    namespace = getattr(function, "__globals__", {})
    code = getattr(function, "__code__", None)
    if code is not None and function.__closure__:
        cells = zip(code.co_freevars, function.__closure__, strict=True)
        namespace = {**namespace, **{n: c.cell_contents for n, c in cells}}
    return result_annotation(annotation, namespace)


def result_annotation(annotation: Any, namespace: Mapping[str, Any]) -> Type:
    """A declared result as a type; one that the language lacks is `Any`."""
    from_object = _read_annotation(annotation, namespace)
    return from_object if from_object is not None else ty.ANY


def _read_annotation(annotation: Any, namespace: Mapping[str, Any]) -> Type | None:
    try:
        return type_from_object(annotation, namespace)
    except (NoType, NameError, TypeError, AttributeError, SyntaxError, KeyError):
        return None


# Classes ------------------------------------------------------------------------------------------

Conversion = Callable[[Emitter, Arguments], Sugar]


def call_class(e: Emitter, cls: ClassName, args: Arguments) -> Sugar:
    """Call a class: an exception, a NamedTuple, a conversion, or one that only Python can make."""
    target = cls.target
    if issubclass(target, BaseException):
        for node in args.keyword_nodes.values():
            raise e.error(
                ErrorKind.UNSUPPORTED_EXPRESSION,
                "keyword arguments of an exception are not in the language",
                node,
                hint="give them by position",
            )
        return Raised(target, list(args.positional))
    conversion = e.grammar.conversions.get(target)
    if conversion is not None:
        return conversion(e, args)
    if issubclass(target, tuple) and hasattr(target, "_fields"):
        return _construct(e, target, args)
    scalar = e.grammar.scalar_meaning(target)
    if scalar is not None:
        return scalar.call(e, args)
    return call_python(
        e,
        target,
        cls.label,
        args,
        ErrorKind.UNSUPPORTED_CALLEE,
        f"instances of '{cls.label}' are not in the language",
    )


def _construct(e: Emitter, cls: Any, args: Arguments) -> Sugar:
    """A NamedTuple display, bound like a call of a function with its fields as parameters."""
    type_ = namedtuple_type(cls, e.source.namespace)
    defaults = cls._field_defaults
    parameters = [
        Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            defaults.get(name, EMPTY),
            field,
            ast.arg(name),
        )
        for name, field in zip(type_.field_names, type_.elements, strict=True)
    ]
    bound = bind(e, cls.__name__, parameters, args)
    values = []
    for parameter in parameters:
        value = bound[parameter.name].value(e)
        assert parameter.declared is not None
        decide_empty(value, parameter.declared)
        if not accepts(parameter.declared, value.type):
            raise e.error(
                ErrorKind.ARGUMENT_TYPE,
                f"field '{parameter.name}' of '{cls.__name__}' has another type",
                bound.nodes.get(parameter.name),
                found=ty.annotation(value.type),
                expected=ty.annotation(parameter.declared),
                hint=hints.for_conversion(value.type, parameter.declared),
            )
        values.append(value)
    return Plain(e.builder.value("prim::TupleConstruct", values, type_))


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



def call_dynamic(e: Emitter, value: Value, args: Arguments) -> Sugar:
    """Call a value of which nothing is known; Python decides when it runs."""
    values = [_for_python(e, meaning) for meaning in args.positional]
    if not args.keywords:
        return Plain(e.builder.op("jit::dynamic_call", value, *values))
    values += [_for_python(e, meaning) for meaning in args.keywords.values()]
    names = e.builder.constant(",".join(args.keywords))
    return Plain(e.builder.op("jit::dynamic_call_keywords", value, names, *values))


def _for_python(e: Emitter, meaning: Sugar) -> Value:
    """An argument of a call in Python, which takes classes and functions too."""
    if isinstance(meaning, ClassName | Function | PythonCallable):
        return e.builder.constant(ObjectRef(meaning.label, meaning.target), ty.FUNCTION)
    if isinstance(meaning, Special) and (target := _named_function(meaning.label)) is not None:
        return e.builder.constant(ObjectRef(meaning.label, target), ty.FUNCTION)
    return meaning.value(e)


def _named_function(label: str) -> Any:
    """The function that the front end expands under a label such as `abs` or `np.linalg.norm`."""
    owner, _, name = label.rpartition(".")
    modules = {"": builtins, "math": math, "cmath": cmath, "np": np, "np.linalg": np.linalg}
    return getattr(modules.get(owner), name, None)
