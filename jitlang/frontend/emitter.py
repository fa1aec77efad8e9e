"""The state of compiling one function, and what every part of the front end shares.

`Unit` is one compilation: a function with all callees it reaches, their guards and their calls back
into Python. `Emitter` is one function body in it. The parts of the language are functions in other
modules; `Grammar` hands them down, so that sugar and statements can reach each other without import
cycles.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CellType, ModuleType
from typing import Any

import numpy as np

from .. import dtypes
from ..arrays import is_array_like
from ..dtypes import DType
from ..errors import CompileError, ErrorKind, SourceSpan, did_you_mean
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import Graph, ObjectRef, Value, constant_type
from ..ir.types import Type
from ..tensor import Tensor
from ..values import type_of
from . import hints
from .scope import Outcomes, Scope
from .source import FunctionSource
from .sugar import Arguments, Namespace, Operator, Plain, Starred, Sugar, Unusable
from .sugar import ClassName as ClassSugar
from .sugar import Iterable as IterableSugar

STABLE_MODULES = ("numpy", "math", "cmath", "jitlang", "builtins", "typing", "collections")
"""Modules that nobody rebinds or changes: their names are folded without a guard."""
LONGEST_NAME = 40  # an expression up to this length is named in a message
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class DictPlace:
    """An entry of a dict: a global variable, or what a module holds."""

    owner: Mapping[str, Any]
    name: str

    def read(self) -> object:
        """What stands there; KeyError where nothing does."""
        return self.owner[self.name]


@dataclass(frozen=True)
class CellPlace:
    """A closed-over variable."""

    cell: CellType

    def read(self) -> object:
        """Its value; ValueError where it has none."""
        return self.cell.cell_contents


@dataclass(frozen=True)
class AttributePlace:
    """An attribute of an object."""

    owner: object
    name: str

    def read(self) -> object:
        """Its value; AttributeError where there is none."""
        return getattr(self.owner, self.name)


@dataclass(frozen=True)
class HiddenPlace:
    """Builtins that a module does not hide by names of its own."""

    namespace: Mapping[str, Any]
    names: AbstractSet[str]

    def read(self) -> object:
        """Whether it hides none."""
        return self.namespace.keys().isdisjoint(self.names)


Place = DictPlace | CellPlace | AttributePlace | HiddenPlace


@dataclass(frozen=True)
class Guard:
    """An assumption about the world outside the function, tested when it is called.

    What stands at `place` must still be what was folded (identity for functions and objects,
    equality of value and class for scalars); of a list or dict, `type` is what was assumed.
    """

    label: str
    place: Place
    expected: object
    type: Type | None = None

    def holds(self) -> bool:
        """Whether the assumption still holds."""
        try:
            found = self.place.read()
            if found is self.expected:
                return self.type is None or type_of(found) is self.type
        except (KeyError, AttributeError, ValueError, TypeError):
            return False
        return _same_constant(found, self.expected)


def _same_constant(a: object, b: object) -> bool:
    """Whether two scalars or tuples of them cannot be told apart: 1 and 1.0 can, 0.0 and -0.0 too.
    """
    if type(a) is not type(b):
        return False
    if isinstance(a, float | complex):
        return repr(a) == repr(b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(
            x is y or _same_constant(x, y) for x, y in zip(a, b, strict=True)
        )
    return isinstance(a, bool | int | str) and a == b


@dataclass(frozen=True)
class Fallback:
    """A call back into Python: what is called, why, and where."""

    name: str
    reason: str
    span: SourceSpan

    def __str__(self) -> str:
        place = f"{self.span.filename}:{self.span.line}"
        return f"'{self.name}' is called back in Python at {place}: {self.reason}"


@dataclass
class Unit:
    """One compilation: guards, fallbacks, callees by signature, and the functions being compiled.
    """

    strict: bool = False
    guards: dict[tuple[int, str], Guard] = field(default_factory=dict)
    fallbacks: list[Fallback] = field(default_factory=list)
    compiled: dict[object, Any] = field(default_factory=dict)
    active: list[object] = field(default_factory=list)
    builtins: dict[int, set[str]] = field(default_factory=dict)

    def guard(self, guard: Guard, owner: object) -> None:
        """Record an assumption about something in `owner` once."""
        self.guards.setdefault((id(owner), guard.label), guard)

    def guard_builtin(self, label: str, namespace: Mapping[str, Any], name: str) -> None:
        """Record that a module does not define a name of its own that hides a builtin."""
        hidden = self.builtins.setdefault(id(namespace), set())
        hidden.add(name)
        self.guard(
            Guard(f"builtins of {label}", HiddenPlace(namespace, hidden), True), namespace
        )

    def fall_back(self, fallback: Fallback) -> None:
        """Record a call back into Python, once per place."""
        if fallback not in self.fallbacks:
            self.fallbacks.append(fallback)


@dataclass(frozen=True)
class Grammar:
    """The parts of the language, handed to every emitter."""

    expression: Callable[[Emitter, ast.expr, Type | None], Sugar]
    statements: Callable[[Emitter, Sequence[ast.stmt]], Outcomes]
    meaning_of: Callable[[Emitter, object, str], Sugar]
    attribute_of: Callable[[Emitter, Namespace, str], Sugar]
    value_attribute: Callable[[Emitter, Value, str], Sugar]
    value_has_attribute: Callable[[Emitter, Value, str], bool]
    call_operator: Callable[[Emitter, Operator, Arguments], Sugar]
    call_function: Callable[[Emitter, Any, str, Arguments], Sugar]
    call_python: Callable[[Emitter, Any, str, Arguments, ErrorKind, str | None], Sugar]
    call_class: Callable[[Emitter, ClassSugar, Arguments], Sugar]
    call_dynamic: Callable[[Emitter, Value, Arguments], Sugar]
    collect: Callable[[Emitter, IterableSugar], Value]
    class_type: Callable[[Emitter, type, ast.expr], Type | None]
    assign: Callable[[Emitter, ast.expr, Sugar], None]
    as_list: Callable[[Emitter, Sugar], Value]
    compile_callee: Callable[[Emitter, Any, FunctionSource, Sequence[Any], Any], Any]
    scalar_meaning: Callable[[type], Sugar | None]
    conversions: Mapping[type, Callable[[Emitter, Arguments], Sugar]]
    call_syntax: Callable[[Emitter, Sugar, ast.Call, Type | None], Sugar | None]


class Emitter:
    """Compiles one function body into a graph."""

    def __init__(
        self,
        source: FunctionSource,
        unit: Unit,
        grammar: Grammar,
        graph: Graph,
        displays: Mapping[tuple[int, int], Type],
        *,
        forgiving: bool,
    ) -> None:
        self.source = source
        self.unit = unit
        self.grammar = grammar
        self.graph = graph
        self.displays = displays
        self.forgiving = forgiving
        self.builder = Builder(graph)
        self.scope = Scope()
        self.locals: frozenset[str] = frozenset()
        self.declared: dict[str, Type] = {}
        self.return_type: Type | None = None
        self.node: ast.AST = source.tree
        self.loop_depth = 0
        self.temporaries = 0

    # Places -------------------------------------------------------------------------------------

    @contextmanager
    def at(self, node: ast.AST) -> Iterator[None]:
        """Stamp nodes and errors with the place of `node` inside the `with` statement."""
        saved, saved_span = self.node, self.builder.span
        if hasattr(node, "lineno"):
            self.node, self.builder.span = node, self.source.span(node)
        try:
            yield
        finally:
            self.node, self.builder.span = saved, saved_span

    def span(self, node: ast.AST | None = None) -> SourceSpan:
        """Where a syntax node, by default the current one, stands."""
        return self.source.span(node or self.node)

    def error(
        self, kind: ErrorKind, message: str, node: ast.AST | None = None, **details: str | None
    ) -> CompileError:
        """A rejection at a place."""
        return CompileError(kind, message, self.span(node), **details)  # type: ignore[arg-type]

    def not_refined(self, node: ast.AST | None, type_: Type, cannot: str) -> CompileError:
        """The rejection of a value that may be None, where that does not do."""
        text = ast.unparse(node) if isinstance(node, ast.expr) else ""
        named = f"'{text}'" if 0 < len(text) <= LONGEST_NAME else "this"
        return self.error(
            ErrorKind.OPTIONAL_NOT_REFINED,
            f"{named} may be None, {cannot}",
            node,
            found=ty.annotation(type_),
            hint=hints.for_optional(node),
        )

    def undefined_attribute(
        self, owner: str, name: str, known: Iterable[str], hint: str | None = None
    ) -> CompileError:
        """The rejection of an attribute that does not exist, with near-miss names."""
        return self.error(
            ErrorKind.UNDEFINED_ATTRIBUTE,
            f"{owner} has no attribute '{name}'",
            hint=hint or did_you_mean(name, known),
        )

    # Scopes -------------------------------------------------------------------------------------

    @contextmanager
    def child_scope(self) -> Iterator[Scope]:
        """Work in an overlay of the current scope."""
        outer = self.scope
        self.scope = Scope(outer)
        try:
            yield self.scope
        finally:
            self.scope = outer

    def lookup(self, name: str) -> Sugar:
        """What a name means here.

        Raises:
            CompileError: it means nothing, or no single thing.
        """
        meaning = self.scope.lookup(name)
        if isinstance(meaning, Unusable):
            raise self.error(meaning.kind, meaning.reason, hint=meaning.hint)
        if meaning is not None:
            return meaning
        if name in self.locals:
            raise self.error(
                ErrorKind.MAYBE_UNDEFINED,
                f"'{name}' is read before it is assigned",
                hint=f"assign '{name}' before this line on every path",
            )
        return self.resolve_global(name)

    def resolve_global(self, name: str) -> Sugar:
        """The meaning of a closed-over, global or builtin name; what is found is guarded."""
        source = self.source
        cell = source.cells.get(name)
        if cell is not None:
            try:
                found = cell.cell_contents
            except ValueError:
                raise self.error(
                    ErrorKind.UNDEFINED_NAME, f"closed-over name '{name}' has no value yet"
                ) from None
            return self.guarded(name, CellPlace(cell), found, cell)
        if name in source.namespace:
            namespace = source.namespace
            return self.guarded(name, DictPlace(namespace, name), namespace[name], namespace)
        builtins = source.namespace.get("__builtins__", {})
        table: Mapping[str, Any] = builtins if isinstance(builtins, dict) else vars(builtins)
        if name in table:
            self.unit.guard_builtin(source.filename, source.namespace, name)
            return self.grammar.meaning_of(self, table[name], name)
        near = [*self.locals, *source.cells]
        hint = did_you_mean(name, near, [*source.namespace, *table]) or hints.for_name(name)
        raise self.error(ErrorKind.UNDEFINED_NAME, f"undefined name '{name}'", hint=hint)

    def guarded(self, label: str, place: Place, found: object, owner: object) -> Sugar:
        """The meaning of an outside object found in `owner`, which is folded and guarded."""
        stable = isinstance(found, ModuleType) and found.__name__.split(".")[0] in STABLE_MODULES
        if not stable:
            contents = self._contents(found, label) if isinstance(found, list | dict) else None
            key = f"{label} in {self.source.name} of {self.source.filename}"
            self.unit.guard(Guard(key, place, found, contents), owner)
        return self.grammar.meaning_of(self, found, label)

    def _contents(self, found: object, label: str) -> Type:
        try:
            return type_of(found)
        except TypeError as error:
            raise self.error(ErrorKind.UNSUPPORTED_VALUE, f"'{label}': {error}") from None

    def fresh(self, stem: str) -> str:
        """A name that no program can write."""
        self.temporaries += 1
        return f"${stem}{self.temporaries}"

    # Expressions --------------------------------------------------------------------------------

    def expression(self, node: ast.expr, expected: Type | None = None) -> Sugar:
        """The meaning of an expression. `expected` helps displays that have no type of their own.
        """
        with self.at(node):
            return self.grammar.expression(self, node, expected)

    def value_of(self, node: ast.expr, expected: Type | None = None) -> Value:
        """The value of an expression."""
        meaning = self.expression(node, expected)
        with self.at(node):
            return meaning.value(self)

    def statements(self, statements: Sequence[ast.stmt]) -> Outcomes:
        """Emit statements; says how control may leave them."""
        return self.grammar.statements(self, statements)

    def constant(self, constant: Any) -> Value:
        """A Python constant as a value.

        Raises:
            CompileError: an int beyond 64 bits (INTEGER_TOO_BIG), or a type that the language
                lacks.
        """
        if isinstance(constant, int) and not INT64_MIN <= constant <= INT64_MAX:
            raise self.error(
                ErrorKind.INTEGER_TOO_BIG,
                f"the integer {constant} does not fit 64 bits",
                hint="use a float, or keep the number in Python",
            )
        if constant_type(constant) is not None and not isinstance(constant, Tensor):
            return self.builder.constant(constant)
        try:
            found = type_of(constant)
        except TypeError as error:
            raise self.error(ErrorKind.UNSUPPORTED_VALUE, str(error)) from None
        if isinstance(constant, Tensor) or is_array_like(constant):
            return self.builder.constant(constant, found)
        if isinstance(constant, tuple):
            parts = [self.constant(part) for part in constant]
            return self.builder.value("prim::TupleConstruct", parts, found)
        return self.builder.constant(ObjectRef(type(constant).__name__, constant), found)

    def dict_display(
        self, keys: Sequence[Value], values: Sequence[Value], expected: Type | None = None
    ) -> Value:
        """A dict of keys and values, whose types must agree."""
        if isinstance(expected, ty.DictType):
            key_type, value_type = expected.key, expected.value
            self.check_elements(keys, key_type, "keys of this dict")
            self.check_elements(values, value_type, "values of this dict")
        else:
            key_type = self.common_type(keys, "keys of this dict") if keys else ty.NO_RETURN
            value_type = self.common_type(values, "values of this dict") if values else ty.NO_RETURN
        if not keys and (found := self._empty_display(ty.DictType)) is not None:
            key_type, value_type = found.children
        flat = [part for pair in zip(keys, values, strict=True) for part in pair]
        return self.builder.value("prim::DictConstruct", flat, ty.DictType(key_type, value_type))

    def list_display(self, values: Sequence[Value], expected: Type | None = None) -> Value:
        """A list of values, whose types must agree; an empty one waits for its first element."""
        if isinstance(expected, ty.ListType):
            self.check_elements(values, expected.element, "elements of this list")
            return self.builder.list(values, expected.element)
        if not values and (found := self._empty_display(ty.ListType)) is not None:
            return self.builder.list(values, found.children[0])
        element = self.common_type(values, "elements of this list") if values else ty.NO_RETURN
        return self.builder.list(values, element)

    @property
    def speculates(self) -> bool:
        """Whether this round has read what an empty display holds, and so only looks for what
        decides it.
        """
        return self.forgiving and self.builder.reads_undecided

    def _empty_display(self, kind: type[Type]) -> Type | None:
        """What an earlier round found an empty display to hold."""
        place = (getattr(self.node, "lineno", 0), getattr(self.node, "col_offset", 0))
        found = self.displays.get(place)
        return found if isinstance(found, kind) else None

    def check_elements(self, values: Sequence[Value], wanted: Type, what: str) -> None:
        """Reject parts of a display that are not of the declared type (ELEMENT_TYPE)."""
        for position, value in enumerate(values):
            if not ty.is_subtype(value.type, wanted):
                message = f"not all {what} have the declared type"
                node = _part_of(self.node, what, position, len(values))
                raise self.element_error(message, value.type, wanted, node)

    def common_type(self, values: Sequence[Value], what: str) -> Type:
        """The type that all values share.

        Raises:
            CompileError: they share none (ELEMENT_TYPE).
        """
        common = values[0].type
        for position, value in enumerate(values):
            joined = ty.unify(common, value.type)
            if joined is None:
                node = _part_of(self.node, what, position, len(values))
                message = f"the {what} have different types"
                raise self.element_error(message, value.type, common, node)
            common = joined
        return common

    def element_error(
        self, message: str, found: Type, expected: Type, node: ast.AST | None = None
    ) -> CompileError:
        """The rejection of a part that does not have the type of a list or dict."""
        return self.error(
            ErrorKind.ELEMENT_TYPE,
            message,
            node,
            found=ty.annotation(found),
            expected=ty.annotation(expected),
            hint="lists and dicts hold one type; use a tuple for several",
        )

    def dtype_of_class(self, cls: type) -> DType | None:
        """The dtype that a scalar class of Python or NumPy stands for, or None."""
        if issubclass(cls, np.generic):
            return dtypes.from_numpy(np.dtype(cls)) if dtypes.supports(np.dtype(cls)) else None
        if cls in (bool, int, float, complex):
            return dtypes.from_scalar_type(cls)
        return None

    def as_list(self, meaning: Sugar) -> Value:
        """The elements of anything iterable as a list value."""
        return self.grammar.as_list(self, meaning)

    def walked(self, meaning: Sugar) -> Sugar:
        """A range, zip and the like as the list of its elements, where only these matter."""
        return Plain(self.as_list(meaning)) if isinstance(meaning, IterableSugar) else meaning

    def starred(self, meaning: Sugar) -> Sugar:
        """`*xs` in a call, where the number of elements is known only when it runs."""
        return Starred(self.as_list(meaning))

    # Handed down ----------------------------------------------------------------------------------

    def resolve_attribute(self, owner: Namespace, name: str) -> Sugar:
        """The meaning of an attribute of a Python module or object."""
        return self.grammar.attribute_of(self, owner, name)

    def value_attribute(self, value: Value, name: str) -> Sugar:
        """The meaning of an attribute of a value."""
        return self.grammar.value_attribute(self, value, name)

    def value_has_attribute(self, value: Value, name: str) -> bool:
        """Whether a value has an attribute."""
        return self.grammar.value_has_attribute(self, value, name)

    def call_operator(self, operator: Operator, args: Arguments) -> Sugar:
        """Call an operator of the table."""
        return self.grammar.call_operator(self, operator, args)

    def call_function(self, target: Any, label: str, args: Arguments) -> Sugar:
        """Call a Python function, compiled for these arguments."""
        return self.grammar.call_function(self, target, label, args)

    def call_python(
        self, target: Any, label: str, args: Arguments, kind: ErrorKind, reason: str | None
    ) -> Sugar:
        """Call back into Python."""
        return self.grammar.call_python(self, target, label, args, kind, reason)

    def call_class(self, cls: ClassSugar, args: Arguments) -> Sugar:
        """Call a class."""
        return self.grammar.call_class(self, cls, args)

    def call_dynamic(self, value: Value, args: Arguments) -> Sugar:
        """Call a value of which nothing is known."""
        return self.grammar.call_dynamic(self, value, args)

    def collect(self, iterable: IterableSugar) -> Value:
        """The elements of an iterable as a list."""
        return self.grammar.collect(self, iterable)


def _part_of(display: ast.AST, what: str, position: int, count: int) -> ast.expr | None:
    """The syntax of one part of a display, where it can be told."""
    parts: Sequence[ast.expr | None] = ()
    if isinstance(display, ast.List | ast.Tuple):
        parts = display.elts
    elif isinstance(display, ast.Dict):
        parts = display.keys if what.startswith("keys") else display.values
    return parts[position] if len(parts) == count else None
