"""What names mean in the dialect of TorchScript's archives (`frontend/dialect.py`).

Operators by their qualified names, constants, functions and types by their dotted ones, and the
forms that take types. The type of an argument is never guessed: what an expression does not tell,
the text states by `annotate`.
"""

from __future__ import annotations

import ast
import keyword
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .. import dtypes
from ..arrays import Device
from ..dtypes import DType
from ..errors import CompileError, ErrorKind, did_you_mean
from ..ir import types as ty
from ..ir.graph import UNINITIALIZED, ObjectRef, Value
from ..ir.opdef import OPS, OpDef
from ..ir.types import Type
from ..values import type_of
from .binding import accepts
from .builtins import SyntaxForm
from .emitter import Emitter
from .flow import decide_empty
from .function import CompiledFunction
from .operator_calls import apply_rows
from .source import FunctionSource
from .sugar import Arguments, ClassName, Constant, Plain, Special, Sugar

CAST = "prim::unchecked_cast"
ISINSTANCE = "$isinstance"
"""A name that Python lacks: the front end's own `isinstance` refines what it tests."""

DTYPES: Mapping[str, DType] = {dtype.name: dtype for dtype in dtypes.ALL}


# Types --------------------------------------------------------------------------------------------

_SIMPLE: Mapping[str, Type] = {
    "Tensor": ty.TENSOR, "Array": ty.ARRAY, **{simple.python_name: simple for simple in ty.SIMPLE},
}  # fmt: skip
_GENERIC: Mapping[str, tuple[Callable[..., Type], int]] = {
    "List": (ty.ListType, 1), "Dict": (ty.DictType, 2), "Optional": (ty.optional, 1),
    "Future": (ty.FutureType, 1),
}  # fmt: skip


def read_type(source: FunctionSource, node: ast.expr, named: Mapping[str, Type]) -> Type:
    """The type that an expression spells.

    Raises:
        CompileError: a name in it is undefined (UNDEFINED_NAME), or it is no type
            (UNSUPPORTED_ANNOTATION).
    """
    match node:
        case ast.Constant(value=None):
            return ty.NONE
        case ast.Name() | ast.Attribute():
            return _named_type(source, node, named)
        case ast.Subscript(value=ast.Name(id=base), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if base == "Tuple" and _is_open(parts):
                return ty.SequenceType(read_type(source, parts[0], named))
            return _generic(source, node, base, [read_type(source, p, named) for p in parts])
    raise _no_type(source, node)


def _named_type(source: FunctionSource, node: ast.expr, named: Mapping[str, Type]) -> Type:
    name = ast.unparse(node)
    found = _SIMPLE.get(name) or named.get(name)
    if found is not None:
        return found
    raise CompileError(
        ErrorKind.UNDEFINED_NAME,
        f"undefined type '{name}'",
        source.span(node),
        hint=did_you_mean(name, [*_SIMPLE, *_GENERIC, "Tuple", "Union", *named]),
    )


def _is_open(parts: Sequence[ast.expr]) -> bool:
    """Whether these are the parts of `Tuple[T, ...]`."""
    last = parts[-1] if len(parts) == 2 else None
    return isinstance(last, ast.Constant) and last.value is Ellipsis


def _generic(source: FunctionSource, node: ast.expr, base: str, parts: Sequence[Type]) -> Type:
    if base == "Tuple":
        return ty.TupleType(tuple(parts))
    if base == "Union":
        return ty.union(parts)
    make, wanted = _GENERIC.get(base, (None, 0))
    if make is None or len(parts) != wanted:
        raise _no_type(source, node)
    return make(*parts)


def _no_type(source: FunctionSource, node: ast.expr) -> CompileError:
    return CompileError(
        ErrorKind.UNSUPPORTED_ANNOTATION,
        "this is no type",
        source.span(node),
        found=ast.unparse(node),
    )


# Names --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """What names mean in one text."""

    source: FunctionSource
    constants: Sequence[Any]
    constant_types: Sequence[Type] | None
    functions: Mapping[str, ObjectRef]
    types: Mapping[str, Type]

    def type(self, node: ast.expr) -> Type:
        """The type that an expression spells."""
        return read_type(self.source, node, self.types)

    def meanings(self) -> dict[str, Sugar]:
        """The names in scope, but for the parameters."""
        forms: dict[str, Callable[[Emitter, ast.Call], Value]] = {
            "annotate": self._annotate,
            "unchecked_cast": partial(self._cast, CAST),
            "checked_cast": partial(self._cast, "jit::checked_cast"),
            "uninitialized": self._uninitialized,
            ISINSTANCE: self._isinstance,
        }
        rows = {"int": "Int", "float": "Float", "bool": "Bool", "str": "str"}
        return {
            "torch": _Torch(),
            "ops": _Ops(),
            "CONSTANTS": _Constants(self.constants, self.constant_types),
            "__torch__": _Qualified("__torch__", self.functions, self.types),
            "inf": Constant(math.inf),
            "nan": Constant(math.nan),
            "complex": Special("complex", _complex),
            "range": ClassName(range, "range"),
            "print": _Op("print", OPS.overloads("prim::Print")),
            **{name: _Op(name, OPS.overloads(f"aten::{row}")) for name, row in rows.items()},
            **{name: _Form(name, _refuse, form) for name, form in forms.items()},
        }

    # Forms that take types ------------------------------------------------------------------------

    def _annotate(self, e: Emitter, node: ast.Call) -> Value:
        """A value under a type that its expression does not tell."""
        wanted, (given,) = self._arguments(e, node, 1)
        value = e.value_of(given, wanted)
        decide_empty(value, wanted)
        if ty.unshaped(value.type) is ty.unshaped(wanted):
            return value
        is_display = isinstance(given, ast.List | ast.Dict | ast.Tuple)
        if is_display and type(value.type) is type(wanted) and _covers(wanted, value.type):
            value.type = wanted
            return value
        if ty.is_subtype(ty.unshaped(value.type), wanted):
            return e.builder.value(CAST, [value], wanted)
        if isinstance(given, ast.Call) and not value.is_constant:
            value.type = wanted  # a row whose result type is for its caller to say
            return value
        raise e.error(
            ErrorKind.ASSIGNED_TYPE,
            "the value does not have the type that it is annotated with",
            given,
            found=ty.annotation(value.type),
            expected=ty.annotation(wanted),
        )

    def _cast(self, kind: str, e: Emitter, node: ast.Call) -> Value:
        wanted, (given,) = self._arguments(e, node, 1)
        return e.builder.value(kind, [e.value_of(given)], wanted)

    def _uninitialized(self, e: Emitter, node: ast.Call) -> Value:
        wanted, () = self._arguments(e, node, 0)
        return e.builder.value(UNINITIALIZED, (), wanted)

    def _isinstance(self, e: Emitter, node: ast.Call) -> Value:
        if len(node.args) != 2 or node.keywords:
            raise e.error(ErrorKind.ARITY, "'isinstance' takes a value and its types")
        tested, kinds = node.args
        nodes = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
        types = [self.type(kind) for kind in nodes]
        return e.builder.value("prim::isinstance", [e.value_of(tested)], ty.BOOL, types=types)

    def _arguments(self, e: Emitter, node: ast.Call, values: int) -> tuple[Type, list[ast.expr]]:
        if len(node.args) != 1 + values or node.keywords:
            wanted = "a type and a value" if values else "a type"
            raise e.error(ErrorKind.ARITY, f"'{ast.unparse(node.func)}' takes {wanted}")
        return self.type(node.args[0]), node.args[1:]


def _covers(wanted: Type, found: Type) -> bool:
    """Whether a fresh display of one type may stand for a container of the other."""
    pairs = zip(wanted.children, found.children, strict=False)
    same_length = len(wanted.children) == len(found.children)
    return same_length and all(ty.is_subtype(ty.unshaped(f), w) for w, f in pairs)


class _Form(SyntaxForm):
    """A form whose arguments are read from the syntax, since some are types."""

    def __init__(self, label: str, expand: Any, form: Callable[[Emitter, ast.Call], Value]) -> None:
        super().__init__(label, expand, lambda e, node, expected: Plain(form(e, node)))


def _refuse(e: Emitter, args: Arguments) -> Sugar:
    raise e.error(ErrorKind.UNSUPPORTED_EXPRESSION, "this form takes types")


def _complex(e: Emitter, args: Arguments) -> Sugar:
    parts = [meaning.value(e).constant() for meaning in args.positional]
    if len(parts) != 2 or not all(isinstance(part, int | float) for part in parts):
        raise e.error(
            ErrorKind.ARGUMENT_TYPE,
            "'complex' is a literal of two numbers",
            hint="write torch.Complex(re, im) for values",
        )
    return Constant(complex(*parts))


# Operators ----------------------------------------------------------------------------------------


@dataclass
class _Op(Sugar):
    """The rows of an operator; an attribute pins one of them."""

    label: str
    rows: Sequence[OpDef]

    def describe(self) -> str:
        return f"the operator '{self.label}'"

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        values = [meaning.value(e) for meaning in args.positional]
        keywords = {name: meaning.value(e) for name, meaning in args.keywords.items()}
        return apply_rows(e, self.label, self.rows, values, keywords)

    def attribute(self, e: Emitter, name: str) -> Sugar:
        overloads = {row.overload or "default": row for row in self.rows}
        if name not in overloads:
            raise e.undefined_attribute(self.describe(), name, overloads)
        return _Op(f"{self.label}.{name}", [overloads[name]])


def _operator(e: Emitter, space: str, name: str, label: str) -> Sugar:
    bare = name.removesuffix("_")
    base = bare if keyword.iskeyword(bare) else name
    rows = OPS.overloads(f"{space}::{base}")
    if rows:
        return _Op(label, rows)
    known = [full.partition("::")[2] for full in OPS.names() if full.startswith(f"{space}::")]
    raise e.undefined_attribute(f"'{label.rpartition('.')[0]}'", name, known)


@dataclass
class _Torch(Sugar):
    """`torch`: the operators of `aten`, element types, devices."""

    def describe(self) -> str:
        return "'torch'"

    def attribute(self, e: Emitter, name: str) -> Sugar:
        if name in DTYPES:
            return Constant(DTYPES[name])
        operator = _operator(e, "aten", name, f"torch.{name}")
        return _DeviceOp(operator) if name == "device" else operator


@dataclass
class _DeviceOp(Sugar):
    """`torch.device("cpu")` is a constant; of other values it is the operator."""

    operator: Sugar

    def describe(self) -> str:
        return self.operator.describe()

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        only = args.positional[0].value(e).constant() if len(args.positional) == 1 else None
        return Constant(Device(only)) if isinstance(only, str) else self.operator.call(e, args)


@dataclass
class _Ops(Sugar):
    """`ops`: the operators of every namespace."""

    def describe(self) -> str:
        return "'ops'"

    def attribute(self, e: Emitter, name: str) -> Sugar:
        spaces = {full.partition("::")[0] for full in OPS.names()}
        if name not in spaces:
            raise e.undefined_attribute(self.describe(), name, spaces)
        return _Space(name)


@dataclass
class _Space(Sugar):
    """`ops.space`: the operators of one namespace."""

    space: str

    def describe(self) -> str:
        return f"'ops.{self.space}'"

    def attribute(self, e: Emitter, name: str) -> Sugar:
        return _operator(e, self.space, name, f"ops.{self.space}.{name}")


# Constants and qualified names --------------------------------------------------------------------


@dataclass
class _Constants(Sugar):
    """`CONSTANTS`: tensors and objects, which text cannot hold."""

    values: Sequence[Any]
    types: Sequence[Type] | None

    def describe(self) -> str:
        return "'CONSTANTS'"

    def attribute(self, e: Emitter, name: str) -> Sugar:
        known = [f"c{index}" for index in range(len(self.values))]
        if name not in known:
            raise e.undefined_attribute(self.describe(), name, known)
        index = known.index(name)
        value = self.values[index]
        if self.types is not None:
            return Plain(e.builder.constant(value, self.types[index]))
        found = type_of(value.value if isinstance(value, ObjectRef) else value)
        return Plain(e.builder.constant(value, found))


@dataclass
class _Qualified(Sugar):
    """A dotted name, or the start of one: a function, an exception class, a NamedTuple."""

    path: str
    functions: Mapping[str, ObjectRef] = field(repr=False)
    types: Mapping[str, Type] = field(repr=False)

    def describe(self) -> str:
        return f"'{self.path}'"

    def attribute(self, e: Emitter, name: str) -> Sugar:
        path = f"{self.path}.{name}"
        known = [*self.functions, *self.types]
        if any(full == path or full.startswith(f"{path}.") for full in known):
            return _Qualified(path, self.functions, self.types)
        after = [full.removeprefix(f"{self.path}.").partition(".")[0] for full in known]
        raise e.undefined_attribute(self.describe(), name, after)

    def value(self, e: Emitter) -> Value:
        if self.path not in self.functions:
            return super().value(e)
        return e.builder.constant(self.functions[self.path], ty.FUNCTION)

    def call(self, e: Emitter, args: Arguments) -> Sugar:
        if args.keywords:
            raise e.error(ErrorKind.UNKNOWN_KEYWORD, f"{self.describe()} takes no keywords here")
        if self.path in self.types:
            return self._construct(e, args)
        callee = self.functions.get(self.path)
        if callee is None or not isinstance(callee.value, CompiledFunction):
            return super().call(e, args)
        wanted = [value.type for value in callee.value.graph.inputs]
        inputs = [self.value(e), *self._inputs(e, args, wanted)]
        return Plain(e.builder.value("prim::CallFunction", inputs, callee.value.return_type))

    def _construct(self, e: Emitter, args: Arguments) -> Sugar:
        made = self.types[self.path]
        if not isinstance(made, ty.TupleType):
            return super().call(e, args)
        inputs = self._inputs(e, args, made.elements)
        return Plain(e.builder.value("prim::TupleConstruct", inputs, made))

    def _inputs(self, e: Emitter, args: Arguments, wanted: Sequence[Type]) -> list[Value]:
        if len(args.positional) != len(wanted):
            raise e.error(
                ErrorKind.ARITY,
                f"{self.describe()} takes {len(wanted)} arguments",
                found=f"{len(args.positional)} arguments",
            )
        values = [meaning.value(e) for meaning in args.positional]
        for position, (value, type_) in enumerate(zip(values, wanted, strict=True)):
            decide_empty(value, type_)
            if not accepts(type_, value.type):
                raise e.error(
                    ErrorKind.ARGUMENT_TYPE,
                    f"argument {position} of {self.describe()} has another type",
                    args.node_of(position),
                    found=ty.annotation(value.type),
                    expected=ty.annotation(type_),
                )
        return values
