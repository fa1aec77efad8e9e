"""Calls of functions and classes: compiled on demand, constructed, or Python's own."""

from __future__ import annotations

import ast
import builtins
import cmath
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import CallEdge, Category, CompileError, ErrorKind
from ..ir import types as ty
from ..ir.graph import PYTHON_OP, ObjectRef, Value
from ..ir.types import Type
from . import hints
from .annotate import NoType, namedtuple_type, type_from_object
from .binding import EMPTY, Parameter, accepts, bind, parameters_of
from .emitter import Emitter, Fallback
from .flow import decide_empty
from .source import is_installed, source_of
from .sugar import (
    Arguments,
    ClassName,
    Function,
    Plain,
    PythonCallable,
    Raised,
    Special,
    Starred,
    Sugar,
)

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
