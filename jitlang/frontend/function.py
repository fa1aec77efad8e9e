"""Compiling a function: from a Python function and the meanings of its arguments to a typed graph.

One graph is compiled per distinct signature. What a parameter gets is either a value, whose type is
part of the signature, or something that exists only at compile time (a function, a class, a folded
constant), which is itself part of it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..config import current
from ..errors import CompileError, ErrorKind
from ..ir import types as ty
from ..ir.graph import UNINITIALIZED, Graph, Value
from ..ir.schema import NO_DEFAULT, Argument, FunctionSchema
from ..ir.types import Type
from . import (
    attributes,
    builtins,
    calls,
    comprehensions,
    expressions,
    hints,
    names,
    numpy_names,
    operator_calls,
    statements,
)
from .annotate import type_of_annotation
from .binding import (
    EMPTY,
    Bound,
    Parameter,
    accepts,
    annotation_namespace,
    evaluated_annotations,
    parameters_of,
)
from .emitter import Emitter, Fallback, Grammar, Guard, Unit
from .flow import has_open, settle_empty, settled
from .scope import RESULT, Outcome, assigned_names, possible_outcomes
from .source import FunctionSource, nested_too_deeply, source_of
from .sugar import (
    ClassName,
    Constant,
    Function,
    Keywords,
    Parts,
    Plain,
    Starred,
    Sugar,
    Unusable,
)


@dataclass
class CompiledFunction:
    """A graph with what a caller needs to know: how arguments become inputs, and what was assumed.
    """

    name: str
    graph: Graph
    schema: FunctionSchema
    source: FunctionSource
    guards: Sequence[Guard] = ()
    fallbacks: Sequence[Fallback] = ()
    specs: Mapping[str, _Spec] = field(default_factory=dict)

    @property
    def return_type(self) -> Type:
        """The type of the graph's output."""
        return self.graph.outputs[0].type

    def inputs_from(self, e: Emitter, bound: Mapping[str, Sugar]) -> list[Value]:
        """The input values of a call whose arguments have been bound to parameters."""
        return [value for name, spec in self.specs.items() for value in spec.values(e, bound[name])]


# Specs: what a parameter gets ---------------------------------------------------------------------


class _Spec:
    """What a parameter gets in one signature."""

    key: object

    def meaning(self, e: Emitter, name: str) -> Sugar:
        """The parameter's meaning inside the function; adds graph inputs."""
        raise NotImplementedError

    def values(self, e: Emitter, given: Sugar) -> Iterator[Value]:
        """The graph inputs for an argument."""
        raise NotImplementedError


@dataclass
class _ValueSpec(_Spec):
    type: Type

    @property
    def key(self) -> object:  # type: ignore[override]
        return self.type

    def meaning(self, e: Emitter, name: str) -> Sugar:
        return Plain(e.graph.add_input(self.type, name))

    def values(self, e: Emitter, given: Sugar) -> Iterator[Value]:
        value = given.items if isinstance(given, Starred) else given.value(e)
        yield value


@dataclass
class _PartsSpec(_Spec):
    """A `*args` parameter: one input for each part."""

    parts: Sequence[_Spec]

    @property
    def key(self) -> object:  # type: ignore[override]
        return ("parts", *(part.key for part in self.parts))

    def meaning(self, e: Emitter, name: str) -> Sugar:
        return Parts([part.meaning(e, f"{name}_{i}") for i, part in enumerate(self.parts)])

    def values(self, e: Emitter, given: Sugar) -> Iterator[Value]:
        elements = given.elements(e) or ()
        for part, element in zip(self.parts, elements, strict=True):
            yield from part.values(e, element)


@dataclass
class _KeywordsSpec(_Spec):
    """A `**kwargs` parameter: one input for each name."""

    items: Mapping[str, _Spec]

    @property
    def key(self) -> object:  # type: ignore[override]
        return ("keywords", *((name, item.key) for name, item in self.items.items()))

    def meaning(self, e: Emitter, name: str) -> Sugar:
        return Keywords({key: item.meaning(e, key) for key, item in self.items.items()})

    def values(self, e: Emitter, given: Sugar) -> Iterator[Value]:
        assert isinstance(given, Keywords)
        for key, item in self.items.items():
            yield from item.values(e, given.items[key])


@dataclass
class _StaticSpec(_Spec):
    """Something that exists at compile time only, and is part of the signature."""

    given: Sugar

    @property
    def key(self) -> object:  # type: ignore[override]
        if isinstance(self.given, Constant) and isinstance(
            self.given.constant, bool | int | float | complex | str | type(None)
        ):
            return ("constant", type(self.given.constant), self.given.constant)
        target = getattr(self.given, "target", self.given)
        return ("static", id(getattr(target, "constant", target)))

    def meaning(self, e: Emitter, name: str) -> Sugar:
        return self.given

    def values(self, e: Emitter, given: Sugar) -> Iterator[Value]:
        yield from ()


def _spec_of(
    e: Emitter, parameter: Parameter, given: Sugar, label: str, node: ast.AST | None
) -> _Spec:
    """How an argument enters the callee.

    Raises:
        CompileError: it does not have the declared type (ARGUMENT_TYPE).
    """
    if isinstance(given, Keywords):
        return _KeywordsSpec({n: _spec_of_part(e, item) for n, item in given.items.items()})
    if isinstance(given, Starred):
        return _ValueSpec(ty.SequenceType(given.items.type.children[0]))
    if isinstance(given, Parts) and parameter.declared is None:
        return _PartsSpec([_spec_of_part(e, part) for part in given.parts])
    if isinstance(given, Constant) and parameter.declared is None:
        return _StaticSpec(given)
    if not isinstance(given, Plain | Constant | Parts):
        return _StaticSpec(given)
    value = given.value(e)
    return _ValueSpec(_effective(e, parameter, value.type, label, node))


def _spec_of_part(e: Emitter, given: Sugar) -> _Spec:
    if isinstance(given, Parts):
        return _PartsSpec([_spec_of_part(e, part) for part in given.parts])
    if isinstance(given, Plain | Constant):
        return _ValueSpec(ty.unshaped(given.value(e).type))
    return _StaticSpec(given)


def _effective(
    e: Emitter, parameter: Parameter, actual: Type, label: str, node: ast.AST | None
) -> Type:
    declared = parameter.declared
    if declared is None:
        return actual
    if not accepts(declared, actual):
        optional = ty.without_none(actual)
        if optional is not None and optional is not actual and accepts(declared, optional):
            raise e.error(
                ErrorKind.OPTIONAL_NOT_REFINED,
                f"argument '{parameter.name}' of '{label}' may be None",
                node,
                found=ty.annotation(actual),
                expected=ty.annotation(declared),
                hint=hints.for_optional(node.value if isinstance(node, ast.keyword) else node),
            )
        raise e.error(
            ErrorKind.ARGUMENT_TYPE,
            f"argument '{parameter.name}' of '{label}' has another type",
            node,
            found=ty.annotation(actual),
            expected=ty.annotation(declared),
            hint=hints.for_conversion(actual, declared),
        )
    return effective_type(declared, actual)


def effective_type(declared: Type, actual: Type) -> Type:
    """The type under which an accepted argument is compiled: the declared one unless the actual one
    says more.

    A narrower number stays what it is, arrays keep their dtype, and an optional is decided where
    the argument decides it.
    """
    if actual is ty.ANY or isinstance(actual, ty.ListType | ty.DictType):
        return declared
    if isinstance(actual, ty.TensorType):
        return actual if ty.is_array(actual) else ty.TENSOR
    return ty.unshaped(actual)


# Bodies -------------------------------------------------------------------------------------------


MAX_ROUNDS = 4


def _compile_body(
    unit: Unit, source: FunctionSource, specs: Mapping[str, _Spec], key: object
) -> CompiledFunction:
    """Emit a body.

    One that reads an empty list or dict before anything says what it holds is emitted again: rounds
    that forgive find what the displays hold, and a last one takes that for granted.
    """
    displays: dict[tuple[int, int], Type] = {}
    fallbacks = len(unit.fallbacks)

    def emitted(*, forgiving: bool) -> Emitter:
        del unit.fallbacks[fallbacks:]
        emitter = Emitter(
            source, unit, GRAMMAR, Graph(source.name), displays, forgiving=forgiving
        )
        _emit_body(emitter, specs, key)
        return emitter

    emitter = emitted(forgiving=True)
    for _ in range(MAX_ROUNDS):
        found = _decided_displays(emitter.graph)
        if not emitter.builder.reads_undecided or found.items() <= displays.items():
            break
        displays.update(found)
        emitter = emitted(forgiving=True)
    if emitter.builder.reads_undecided:
        defaults = _undecided_displays(emitter.graph)
        displays.update(defaults)
        try:
            emitter = emitted(forgiving=False)
        except CompileError as error:
            if defaults and not error.chain:
                error.hint = "annotate the empty list or dict, as in `xs: list[int] = []`"
            raise
    graph = emitter.graph
    graph.add_output(_result(emitter))
    settle_empty([value for node in graph.walk() for value in _values_of(node)])
    return CompiledFunction(
        source.name, graph, _schema_of(source, graph, specs), source, specs=specs
    )


def _emit_body(emitter: Emitter, specs: Mapping[str, _Spec], key: object) -> None:
    source, unit = emitter.source, emitter.unit
    emitter.builder.span = source.span(source.tree)
    for name, spec in specs.items():
        emitter.scope.assign(name, spec.meaning(emitter, name))
    body = list(source.tree.body)
    if Outcome.FALL in possible_outcomes(body):
        body.append(_implicit_return(body[-1]))
    emitter.locals = frozenset([*assigned_names(body), *specs])
    emitter.return_type = _declared_return(source)
    if emitter.return_type is not None:
        emitter.declared[RESULT] = emitter.return_type
    unit.active.append(key)
    try:
        emitter.statements(body)
    except RecursionError:
        raise nested_too_deeply(source) from None
    finally:
        unit.active.pop()


def _empty_displays(graph: Graph) -> Iterator[tuple[tuple[int, int], Type]]:
    """Where empty lists and dicts are made, and their types."""
    for node in graph.walk():
        is_display = node.kind in ("prim::ListConstruct", "prim::DictConstruct")
        if is_display and not node.inputs and node.span is not None:
            yield (node.span.line, node.span.column), node.output.type


def _decided_displays(graph: Graph) -> dict[tuple[int, int], Type]:
    return {
        place: type_
        for place, type_ in _empty_displays(graph)
        if not has_open(type_) and ty.ANY not in ty.walk(type_)
    }


def _undecided_displays(graph: Graph) -> dict[tuple[int, int], Type]:
    """Displays that nothing decides, as `settle_empty` sees them."""
    return {
        place: settled(type_) for place, type_ in _empty_displays(graph) if has_open(type_)
    }


def _values_of(node: Any) -> Iterator[Value]:
    yield from node.outputs
    for block in node.blocks:
        yield from block.inputs


def _implicit_return(last: ast.stmt) -> ast.stmt:
    """The end of the body as a statement; it stands where the last line of the function does."""
    while inner := getattr(last, "orelse", None) or getattr(last, "body", None):
        last = inner[-1]
    return ast.copy_location(ast.Return(None), last)


def _result(e: Emitter) -> Value:
    meaning = e.scope.lookup(RESULT)
    if isinstance(meaning, Unusable):
        raise e.error(meaning.kind, meaning.reason, e.source.tree, hint=meaning.hint)
    if meaning is None:
        return e.builder.value(UNINITIALIZED, (), ty.NO_RETURN)  # every path raises
    return meaning.value(e)


def _declared_return(source: FunctionSource) -> Type | None:
    if source.tree.returns is None:
        return None
    namespace = annotation_namespace(source)
    span = source.span(source.tree.returns)
    evaluated = evaluated_annotations(source).get("return", "")
    return type_of_annotation(source.tree.returns, namespace, span, evaluated)


def _schema_of(
    source: FunctionSource, graph: Graph, specs: Mapping[str, _Spec]
) -> FunctionSchema:
    defaults = {p.name: p.default for p in parameters_of(source) if p.default is not EMPTY}
    keyword_only = {a.arg for a in source.tree.args.kwonlyargs}
    arguments = tuple(
        Argument(v.name, v.type, defaults.get(v.name, NO_DEFAULT), v.name in keyword_only)
        for v in graph.inputs
    )
    returns = (Argument("", graph.outputs[0].type),)
    return FunctionSchema(source.name, "", arguments, returns)


def _compile_callee(
    e: Emitter,
    target: Any,
    source: FunctionSource,
    parameters: Sequence[Parameter],
    bound: Bound,
) -> CompiledFunction:
    """The callee compiled for these arguments; each signature once per unit."""
    specs = {
        p.name: _spec_of(e, p, bound[p.name], source.name, bound.nodes.get(p.name))
        for p in parameters
    }
    key = (target, tuple((name, spec.key) for name, spec in specs.items()))
    if key in e.unit.active:
        raise CompileError(
            ErrorKind.RECURSION,
            f"'{source.name}' calls itself",
            e.span(),
            hint="write it as a loop",
        )
    if key not in e.unit.compiled:
        e.unit.compiled[key] = _compile_body(e.unit, source, specs, key)
    return e.unit.compiled[key]  # type: ignore[no-any-return]


GRAMMAR = Grammar(
    expression=expressions.emit_expression,
    statements=statements.emit_statements,
    meaning_of=names.meaning_of,
    attribute_of=names.attribute_of,
    value_attribute=attributes.value_attribute,
    value_has_attribute=attributes.value_has_attribute,
    call_operator=operator_calls.call_operator,
    call_function=calls.call_function,
    call_python=calls.call_python,
    call_class=calls.call_class,
    call_dynamic=calls.call_dynamic,
    collect=comprehensions.collect,
    class_type=names.class_type,
    assign=statements.assign,
    as_list=builtins.as_list,
    compile_callee=_compile_callee,
    scalar_meaning=numpy_names.scalar_meaning,
    conversions=builtins.CONVERSIONS,
    call_syntax=builtins.call_syntax,
)


# The way in ---------------------------------------------------------------------------------------

Given = Type | Sugar | Mapping[str, Any] | tuple[Any, ...]


def compile_function(
    function: Callable[..., Any], given: Mapping[str, Given], *, strict: bool = False
) -> CompiledFunction:
    """Compile a Python function for what its parameters get.

    Args:
        function: a plain function defined with `def`.
        given: for each parameter a type, or a Python object wrapped by `static` that exists at
            compile time only; for `*args` a tuple of these, for `**kwargs` a mapping.
        strict: refuse calls back into Python.

    Raises:
        CompileError: the function is rejected; nothing is left behind.
    """
    return compile_source(source_of(function), given, strict=strict)


def compile_source(
    source: FunctionSource, given: Mapping[str, Given], *, strict: bool = False
) -> CompiledFunction:
    """Compile a definition that is at hand; names in `given` that are no parameters are in scope
    too.
    """
    unit = Unit(strict=strict or current().strict)
    specs = {name: _given_spec(item) for name, item in given.items()}
    key = (source.function, tuple((name, spec.key) for name, spec in specs.items()))
    compiled = _compile_body(unit, source, specs, key)
    compiled.guards = list(unit.guards.values())
    compiled.fallbacks = list(unit.fallbacks)
    return compiled


def _given_spec(given: Given) -> _Spec:
    if isinstance(given, Type):
        return _ValueSpec(given)
    if isinstance(given, tuple):
        return _PartsSpec([_given_spec(part) for part in given])
    if isinstance(given, Mapping):
        return _KeywordsSpec({name: _given_spec(part) for name, part in given.items()})
    return _StaticSpec(given)


def static(value: Any, label: str) -> Sugar:
    """A function or class given as an argument, for `compile_function`."""
    if isinstance(value, type):
        return ClassName(value, label)
    scripted = getattr(value, "__jitlang_function__", None)
    return StaticObject(scripted if scripted is not None else value, label, value)


@dataclass
class StaticObject(Sugar):
    """A Python object given as an argument; its meaning is looked up when it is used.

    `passed` is what was given, where `target` is the function that a script function was made of.
    """

    target: Any
    label: str
    passed: Any

    def describe(self) -> str:
        return f"the argument '{self.label}'"

    def call(self, e: Emitter, args: Any) -> Sugar:
        return names.meaning_of(e, self.target, self.label).call(e, args)

    def attribute(self, e: Emitter, name: str) -> Sugar:
        return names.meaning_of(e, self.target, self.label).attribute(e, name)


def declared_parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a function, with declared types.

    Raises:
        CompileError: the source or an annotation cannot be read.
    """
    return parameters_of(source_of(function))


__all__ = [
    "CompiledFunction", "Function", "Parameter", "compile_function", "compile_source",
    "declared_parameters", "effective_type", "static",
]  # fmt: skip
