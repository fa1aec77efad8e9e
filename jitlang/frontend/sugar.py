"""What a name means at compile time, beyond graph values.

A `Sugar` answers what can be done with it: read as a value, an attribute, a call, a subscript, an
iteration. Every refusal is made here once, with the found meaning spelled out; the subclasses say
what they can do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import Value
from . import hints

if TYPE_CHECKING:
    import ast

    from .emitter import Emitter


@dataclass
class Arguments:
    """The arguments of a call: positional and keyword meanings, and the syntax they come from."""

    positional: list[Sugar] = field(default_factory=list)
    keywords: dict[str, Sugar] = field(default_factory=dict)
    nodes: list[ast.expr] = field(default_factory=list)
    keyword_nodes: dict[str, ast.AST] = field(default_factory=dict)

    def node_of(self, position: int) -> ast.expr | None:
        """The syntax of a positional argument, where it has its own."""
        return self.nodes[position] if position < len(self.nodes) else None


class Sugar:
    """A meaning. The base refuses everything."""

    def describe(self) -> str:
        """What this is, for messages."""
        raise NotImplementedError

    def value(self, e: Emitter) -> Value:
        """The meaning as a graph value."""
        raise e.error(
            ErrorKind.UNSUPPORTED_VALUE,
            f"{self.describe()} cannot be used as a value",
            hint="pass numbers, strings, tensors, lists, dicts or tuples",
        )

    def attribute(self, e: Emitter, name: str) -> Sugar:
        """The meaning of `self.name`."""
        raise e.undefined_attribute(self.describe(), name, ())

    def has_attribute(self, e: Emitter, name: str) -> bool:
        """Whether `hasattr` holds."""
        return False

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        """The meaning of a call."""
        raise e.error(ErrorKind.NOT_CALLABLE, f"{self.describe()} is not callable")

    def elements(self, e: Emitter) -> Sequence[Sugar] | None:
        """The parts, where their number is known at compile time."""
        return None


@dataclass
class Plain(Sugar):
    """A graph value."""

    plain: Value

    def describe(self) -> str:
        return f"a value of type {ty.annotation(self.plain.type)}"

    def value(self, e: Emitter) -> Value:
        return self.plain

    def attribute(self, e: Emitter, name: str) -> Sugar:
        return e.value_attribute(self.plain, name)

    def has_attribute(self, e: Emitter, name: str) -> bool:
        return e.value_has_attribute(self.plain, name)

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        type_ = self.plain.type
        if type_ is ty.ANY:
            return e.call_dynamic(self.plain, args)
        if isinstance(type_, ty.OptionalType):
            node = getattr(e.node, "func", None)
            raise e.not_refined(node, type_, "which cannot be called")
        raise e.error(
            ErrorKind.NOT_CALLABLE, f"{self.describe()} is not callable", hint=hints.for_call(type_)
        )

    def elements(self, e: Emitter) -> Sequence[Sugar] | None:
        if isinstance(self.plain.type, ty.TupleType):
            return [Plain(v) for v in e.builder.unpack(self.plain)]
        return None


@dataclass
class Parts(Sugar):
    """A tuple at compile time, whose elements need not be values."""

    parts: Sequence[Sugar]

    def describe(self) -> str:
        return f"a tuple of {len(self.parts)}"

    @property
    def is_value(self) -> bool:
        """Whether every part is a value, so that the tuple is one."""
        return all(
            part.is_value if isinstance(part, Parts) else isinstance(part, Plain | Constant)
            for part in self.parts
        )

    def value(self, e: Emitter) -> Value:
        return e.builder.tuple([part.value(e) for part in self.parts])

    def elements(self, e: Emitter) -> Sequence[Sugar] | None:
        return self.parts


@dataclass
class NamedParts(Parts):
    """Several results of an operator, which also have names (`values`, `indices`)."""

    names: Sequence[str] = ()
    class_name: str = ""

    def value(self, e: Emitter) -> Value:
        values = [part.value(e) for part in self.parts]
        types = tuple(v.type for v in values)
        type_ = ty.TupleType(types, self.class_name, tuple(self.names))
        return e.builder.value("prim::TupleConstruct", values, type_)

    def attribute(self, e: Emitter, name: str) -> Sugar:
        if name in self.names:
            return self.parts[self.names.index(name)]
        raise e.undefined_attribute("this result", name, self.names)


@dataclass
class Starred(Sugar):
    """Arguments spread from a list whose length is known only when the script runs."""

    items: Value

    def describe(self) -> str:
        return "arguments spread from a list"


@dataclass
class Keywords(Sugar):
    """What a `**kwargs` parameter holds: names known at compile time, each with its meaning."""

    items: dict[str, Sugar]

    def describe(self) -> str:
        return f"keyword arguments ({', '.join(self.items) or 'none'})"

    def value(self, e: Emitter) -> Value:
        keys = [e.builder.constant(name) for name in self.items]
        values = [item.value(e) for item in self.items.values()]
        return e.dict_display(keys, values)

    def attribute(self, e: Emitter, name: str) -> Sugar:
        known = {
            "get": _KeywordsGet,
            "items": _KeywordsItems,
            "keys": _KeywordsKeys,
            "values": _KeywordsValues,
        }
        if name in known:
            return known[name](self)
        return e.value_attribute(self.value(e), name)

    def elements(self, e: Emitter) -> Sequence[Sugar] | None:
        return [Plain(e.builder.constant(name)) for name in self.items]


@dataclass
class _KeywordsMethod(Sugar):
    owner: Keywords

    def describe(self) -> str:
        return "a method of keyword arguments"


class _KeywordsGet(_KeywordsMethod):
    def call(self, e: Emitter, args: Arguments) -> Sugar:
        key = args.positional[0].value(e).constant()
        default = (
            args.positional[1] if len(args.positional) > 1 else Plain(e.builder.constant(None))
        )
        return self.owner.items.get(key, default)


class _KeywordsItems(_KeywordsMethod):
    def call(self, e: Emitter, args: Arguments) -> Sugar:
        return Parts(
            [
                Parts([Plain(e.builder.constant(name)), item])
                for name, item in self.owner.items.items()
            ]
        )


class _KeywordsKeys(_KeywordsMethod):
    def call(self, e: Emitter, args: Arguments) -> Sugar:
        return Parts([Plain(e.builder.constant(name)) for name in self.owner.items])


class _KeywordsValues(_KeywordsMethod):
    def call(self, e: Emitter, args: Arguments) -> Sugar:
        return Parts(list(self.owner.items.values()))


@dataclass
class Constant(Sugar):
    """A Python constant from outside the function (a folded global, a default)."""

    constant: Any

    def describe(self) -> str:
        return f"the constant {self.constant!r}"

    def value(self, e: Emitter) -> Value:
        return e.constant(self.constant)

    def attribute(self, e: Emitter, name: str) -> Sugar:
        return e.value_attribute(self.value(e), name)

    def has_attribute(self, e: Emitter, name: str) -> bool:
        return hasattr(self.constant, name)

    def elements(self, e: Emitter) -> Sequence[Sugar] | None:
        if isinstance(self.constant, tuple):
            return [Constant(part) for part in self.constant]
        return None


@dataclass
class Unusable(Sugar):
    """A name that holds no single meaning here; reading it is the error."""

    name: str
    kind: ErrorKind
    reason: str
    hint: str | None = None

    def describe(self) -> str:
        return f"'{self.name}'"


@dataclass
class Namespace(Sugar):
    """A Python module or an object whose attributes are folded and guarded."""

    label: str
    target: Any
    name: str = ""

    def describe(self) -> str:
        return self.label

    def attribute(self, e: Emitter, name: str) -> Sugar:
        return e.resolve_attribute(self, name)

    def has_attribute(self, e: Emitter, name: str) -> bool:
        return hasattr(self.target, name)

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        if callable(self.target):
            return e.call_python(self.target, self.name, args, ErrorKind.UNSUPPORTED_CALLEE, None)
        return super().call(e, args)

    def value(self, e: Emitter) -> Value:
        raise e.error(
            ErrorKind.UNSUPPORTED_VALUE,
            f"{self.label} has a type that the language does not have",
            found=type(self.target).__name__,
            hint="read its attributes, or pass what is needed as an argument",
        )


@dataclass
class Operator(Sugar):
    """An operator of the table under a public name; `receiver` makes it a method."""

    name: str
    label: str
    receiver: Value | None = None

    def describe(self) -> str:
        return f"the operator '{self.label}'"

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        return e.call_operator(self, args)


@dataclass
class Special(Sugar):
    """A function that the front end itself expands."""

    label: str
    expand: Any

    def describe(self) -> str:
        return f"'{self.label}'"

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        return self.expand(e, args)  # type: ignore[no-any-return]


@dataclass
class Function(Sugar):
    """A Python function that is compiled when called."""

    target: Any
    label: str

    def describe(self) -> str:
        return f"the function '{self.label}'"

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        return e.call_function(self.target, self.label, args)


@dataclass
class PythonCallable(Sugar):
    """Something that only Python can call; the call becomes `^name(...)`."""

    target: Any
    label: str
    kind: ErrorKind
    reason: str
    declared: bool = False

    def describe(self) -> str:
        return f"the Python function '{self.label}'"

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        reason = None if self.declared else self.reason
        return e.call_python(self.target, self.label, args, self.kind, reason)


@dataclass
class ClassName(Sugar):
    """A class: a conversion, a constructor, or what `isinstance` asks for."""

    target: type
    label: str

    def describe(self) -> str:
        return f"the class '{self.label}'"

    def value(self, e: Emitter) -> Value:
        dtype = e.dtype_of_class(self.target)
        return super().value(e) if dtype is None else e.builder.constant(dtype)

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        return e.call_class(self, args)

    def attribute(self, e: Emitter, name: str) -> Sugar:
        return e.resolve_attribute(Namespace(self.describe(), self.target, self.label), name)


@dataclass
class Raised(Sugar):
    """An exception about to be raised: its class and arguments."""

    cls: type[BaseException]
    args: Sequence[Sugar]

    def describe(self) -> str:
        return f"an instance of {self.cls.__name__}"


@dataclass
class SliceBounds(Sugar):
    """`slice(start, stop, step)`, which exists only to subscript with."""

    start: Value | None
    stop: Value | None
    step: Value | None

    @property
    def bounds(self) -> list[Value | None]:
        """Start, stop and step, None where absent."""
        return [self.start, self.stop, self.step]

    def describe(self) -> str:
        return "a slice"

    def attribute(self, e: Emitter, name: str) -> Sugar:
        if name not in ("start", "stop", "step"):
            return super().attribute(e, name)
        bound: Value | None = getattr(self, name)
        return Constant(None) if bound is None else Plain(bound)


@dataclass
class Iterable(Sugar):
    """What a `for` can walk by position: a length and an element for each index.

    `trips` is a cheaper count for loops, where negative means none; `parts` are the elements where
    they are known at compile time; `grows` marks a list, whose length a loop's body may change;
    `bounds` are those of a range.
    """

    label: str
    length: Callable[[Emitter], Value]
    item: Callable[[Emitter, Value], Sugar]
    trips: Callable[[Emitter], Value] | None = None
    parts: Sequence[Sugar] | None = None
    grows: bool = False
    bounds: tuple[Value, Value, Value] | None = None

    def describe(self) -> str:
        return self.label

    def value(self, e: Emitter) -> Value:
        return e.collect(self)

    def elements(self, e: Emitter) -> Sequence[Sugar] | None:
        return self.parts
