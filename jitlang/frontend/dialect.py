"""Source in the dialect of TorchScript's archives, back into a graph.

`ir/source.py` writes the dialect, and its docstring is the grammar. Statements and expressions are
Python's and go through the ordinary front end; what differs is what names mean
(`frontend/dialect_names.py`):

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
import linecache
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from ..arrays import Device
from ..errors import CompileError, ErrorKind, SourceSpan
from ..ir import types as ty
from ..ir.graph import LOOP, RETURN, Integers, Node, ObjectRef, Value
from ..ir.schema import FunctionSchema
from ..ir.types import Type
from .dialect_names import CAST, DTYPES, ISINSTANCE, Names
from .function import CompiledFunction, compile_source
from .source import FunctionSource, parse_text

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
    names = Names(source, constants, constant_types, functions or {}, types or {})
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
            node.id = ISINSTANCE
        if isinstance(node, ast.Return) and node.value is not None and tree.returns is not None:
            annotate = ast.copy_location(ast.Name("annotate", ast.Load()), node.value)
            call = ast.Call(annotate, [tree.returns, node.value], [])
            node.value = ast.copy_location(call, node.value)
    tree.returns = None


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
        case ast.Attribute(value=ast.Name(id="torch"), attr=name) if name in DTYPES:
            return DTYPES[name]
        case ast.Attribute(value=ast.Name(id="CONSTANTS"), attr=name) if name.startswith("c"):
            return constants[int(name[1:])]
    raise CompileError(
        ErrorKind.SYNTAX, "a default is a literal", source.span(node), found=ast.unparse(node)
    )
