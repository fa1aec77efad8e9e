"""Source in the dialect of TorchScript's archives, back into a graph.

`ir/source.py` writes the dialect, and its docstring is the grammar. Statements and expressions are
Python's and go through the ordinary front end; what differs is what names mean:

- `torch.f` is the operator `aten::f`, `ops.space.f` is `space::f`. The types of the arguments
  choose among its rows and no others, as they did for the writer; `ops.space.f.overload` is one.
- `annotate`, `unchecked_cast`, `checked_cast`, `uninitialized` and `isinstance` take types, which
  are read from the syntax.
- Nothing else is in scope, Python's builtins included, so nothing outside the text is read or
  guarded.

A parameter's annotation is the type of a graph input. The annotation of the result stands for an
`annotate` around what is returned. What the text needs and a graph does not is taken out at the
end: made-up names, the variable that a `while` tests, and casts that told the type of a join.
"""

from __future__ import annotations

import ast
import keyword
import linecache
import math
import re
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

from .. import dtypes
from ..arrays import Device
from ..errors import CompileError, ErrorKind, SourceSpan, did_you_mean
from ..ir import types as ty
from ..ir.graph import LOOP, RETURN, UNINITIALIZED, Integers, Node, ObjectRef, Value
from ..ir.opdef import OPS, OpDef
from ..ir.schema import FunctionSchema
from ..ir.types import Type
from ..values import type_of
from .builtins import SyntaxForm
from .calls import accepts, apply_rows
from .emitter import Emitter
from .flow import decide_empty
from .function import CompiledFunction, compile_source
from .source import FunctionSource, parse_text
from .sugar import Arguments, ClassName, Constant, Plain, Special, Sugar

CAST = "prim::unchecked_cast"
_NAMELESS = re.compile(r"_\d+")
"""What the writer calls values that have no name."""
_numbers = count(1)


def compile_text(
    text: str,
    constants: Sequence[Any] = (),
    functions: Mapping[str, ObjectRef] | None = None,
    integers: Integers = "checked",
    *,
    constant_types: Sequence[Type] | None = None,
    types: Mapping[str, Type] | None = None,
) -> CompiledFunction:
    """Compile one function in the dialect, from the parts of an `ir.source.Source`.

    Args:
        text: the function.
        constants: what `CONSTANTS.c0`, `CONSTANTS.c1` ... are.
        functions: the functions that the text calls and the classes that it raises, by their
            dotted names.
        integers: what integer arithmetic does when it leaves 64 bits.
        constant_types: the types of the constants; by default those that the values have.
        types: the named types that the text mentions, by their dotted names.

    Raises:
        CompileError: the text is no function in the dialect, or its types do not fit.
    """
    source = _source_of(text)
    names = _Names(source, constants, constant_types, functions or {}, types or {})
    tree = source.tree
    parameters = {a.arg: names.type(_annotation(source, a)) for a in _parameters(tree)}
    defaults = {a.arg: _literal(source, node, constants) for a, node in _defaults(tree)}
    _desugar(tree)
    compiled = compile_source(source, {**names.meanings(), **parameters})
    compiled.graph.integers = integers
    for node in list(compiled.graph.walk()):
        _tidy(node)
    specs = {name: compiled.specs[name] for name in parameters}
    compiled = replace(compiled, schema=_with_defaults(compiled.schema, defaults), specs=specs)
    weakref.finalize(compiled, linecache.cache.pop, source.filename, None).atexit = False
    return compiled


# The text -----------------------------------------------------------------------------------------


def _source_of(text: str) -> FunctionSource:
    """The text as the source of a function, known to `linecache`."""
    filename = f"<jitlang code {next(_numbers)}>"
    try:
        module = parse_text(text, filename)
    except CompileError as error:
        line = error.span.text_at(error.span.line) if error.span is not None else None
        if "^" in (line or ""):
            error.hint = "a call back into Python (`^name(...)`) has no text to read back"
        raise
    lines = tuple(text.splitlines(keepends=True))
    match module.body:
        case [ast.FunctionDef() as tree]:
            linecache.cache[filename] = (len(text), None, list(lines), filename)
            return FunctionSource(tree.name, tree, filename, lines, 1, {})
    raise CompileError(
        ErrorKind.SYNTAX,
        "a text in the dialect is one function",
        SourceSpan(filename, module.body[-1].lineno if module.body else 1, lines=lines),
        found=", ".join(type(statement).__name__ for statement in module.body) or "nothing",
        expected="one def",
    )


def _parameters(tree: ast.FunctionDef) -> list[ast.arg]:
    return [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]


def _annotation(source: FunctionSource, parameter: ast.arg) -> ast.expr:
    if parameter.annotation is not None:
        return parameter.annotation
    raise CompileError(
        ErrorKind.SYNTAX, f"parameter '{parameter.arg}' has no type", source.span(parameter)
    )


def _defaults(tree: ast.FunctionDef) -> Iterator[tuple[ast.arg, ast.expr]]:
    """The parameters that have a default, each with its syntax."""
    positional = [*tree.args.posonlyargs, *tree.args.args]
    given = tree.args.defaults
    yield from zip(positional[len(positional) - len(given) :], given, strict=True)
    for parameter, node in zip(tree.args.kwonlyargs, tree.args.kw_defaults, strict=True):
        if node is not None:
            yield parameter, node


def _desugar(tree: ast.FunctionDef) -> None:
    """Take the annotations off, and write the result's around what is returned.

    `isinstance` gets a name that Python lacks, under which it refines nothing: the text says what
    is refined.
    """
    for parameter in _parameters(tree):
        parameter.annotation = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "isinstance":
            node.id = _ISINSTANCE
        if isinstance(node, ast.Return) and node.value is not None and tree.returns is not None:
            annotate = ast.copy_location(ast.Name("annotate", ast.Load()), node.value)
            call = ast.Call(annotate, [tree.returns, node.value], [])
            node.value = ast.copy_location(call, node.value)
    tree.returns = None


_ISINSTANCE = "$isinstance"


def _with_defaults(schema: FunctionSchema, defaults: Mapping[str, Any]) -> FunctionSchema:
    arguments = tuple(
        replace(a, default=defaults[a.name]) if a.name in defaults else a for a in schema.arguments
    )
    return replace(schema, arguments=arguments)


# What only the text needs -------------------------------------------------------------------------


def _tidy(node: Node) -> None:
    for value in _defined(node):
        if _NAMELESS.fullmatch(value.name):
            value.name = ""
    if node.kind == LOOP:
        _drop_tested(node)
    elif node.kind == CAST and ty.is_subtype(node.inputs[0].type, node.output.type):
        _drop_widening(node)


def _defined(node: Node) -> Iterator[Value]:
    yield from node.outputs
    for block in node.blocks:
        yield from block.inputs


def _drop_tested(loop: Node) -> None:
    """Stop carrying the variable that a `while` tests; the condition has a place of its own."""
    (block,) = loop.blocks
    for offset in reversed(range(len(loop.outputs))):
        is_read = loop.outputs[offset].uses or block.inputs[offset + 1].uses
        if is_read or not _is_same(block.outputs[offset + 1], block.outputs[0]):
            continue
        loop.remove_output(offset)
        loop.remove_input(offset + 2)
        block.param_node.remove_output(offset + 1)
        block.return_node.remove_input(offset + 1)


def _is_same(a: Value, b: Value) -> bool:
    return a is b or (a.is_constant and b.is_constant and a.constant() is b.constant())


def _drop_widening(cast: Node) -> None:
    """Joins take subtypes, once their own type is settled."""
    for use in list(cast.output.uses):
        owner = use.node.block.owner
        is_join = use.node.kind == LOOP or (use.node.kind == RETURN and owner is not None)
        if is_join:
            use.node.replace_input(use.index, cast.inputs[0])
    if not cast.output.uses:
        cast.destroy()


# Literals -----------------------------------------------------------------------------------------


def _literal(source: FunctionSource, node: ast.expr, constants: Sequence[Any]) -> Any:
    """The value of a default."""
    read = partial(_literal, source, constants=constants)
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="inf" | "nan" as name):
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -read(operand)
        case ast.List(elts=parts):
            return [read(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(read(part) for part in parts)
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {read(key): read(value) for key, value in pairs if key is not None}
        case ast.Call(func=ast.Name(id="complex"), args=[real, imaginary]):
            return complex(read(real), read(imaginary))
        case ast.Call(func=ast.Name(id="annotate"), args=[_, value]):
            return read(value)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="device"), args=[name]):
            return Device(read(name))
        case ast.Attribute(value=ast.Name(id="torch"), attr=name) if name in _DTYPES:
            return _DTYPES[name]
        case ast.Attribute(value=ast.Name(id="CONSTANTS"), attr=name) if name.startswith("c"):
            return constants[int(name[1:])]
    raise CompileError(
        ErrorKind.SYNTAX, "a default is a literal", source.span(node), found=ast.unparse(node)
    )


_DTYPES = {dtype.name: dtype for dtype in dtypes.ALL}


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
class _Names:
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
            _ISINSTANCE: self._isinstance,
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
        if name in _DTYPES:
            return Constant(_DTYPES[name])
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
