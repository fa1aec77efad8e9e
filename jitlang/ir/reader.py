"""Source back into a graph: reads what `ir/source.py` writes, whose docstring has the grammar.

    read_source(to_source(graph, "f"))     a graph that runs as `graph` does

Types come from the signature, from `annotate` and `unchecked_cast`, and from the operator table;
the overload of a call follows from the types of its arguments. A name that a loop assigns and that
exists before the loop is carried by it; names that both arms of an `if` assign are its outputs.
Nothing is run: the text is parsed by `ast`, and names mean only what the dialect says.
"""

from __future__ import annotations

import ast
import keyword
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import arrays, dtypes
from ..errors import CompileError, ErrorKind, SourceSpan
from . import types as ty
from .builder import Builder
from .graph import IF, LOOP, UNINITIALIZED, Block, Graph, Integers, Value
from .opdef import OPS
from .source import UNLIMITED, Source
from .types import Type


@dataclass(frozen=True)
class _Operand:
    """A value under the type that the source gives it, which `annotate` may have widened."""

    value: Value
    type: Type


Names = dict[str, _Operand]


def read_source(source: Source, integers: Integers = "checked") -> Graph:
    """The graph of a function in the dialect.

    Raises:
        CompileError: the text is not in the dialect (kind GRAPH_TEXT), or a call fits no operator
            (UNDEFINED_ATTRIBUTE, NO_OVERLOAD).
    """
    try:
        tree = ast.parse(source.text)
    except SyntaxError as error:
        line = error.lineno or 1
        span = SourceSpan("<code>", line, lines=tuple(source.text.split("\n")))
        raise CompileError(ErrorKind.GRAPH_TEXT, f"{error.msg} in the source", span) from None
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    return _Reader(source, Graph(function.name, integers)).function(function)


class _Reader:
    """Reads one function. `names` is what the names mean at the place being read."""

    def __init__(self, source: Source, graph: Graph) -> None:
        self.source = source
        self.lines = tuple(source.text.split("\n"))
        self.graph = graph
        self.builder = Builder(graph)
        self.names: Names = {}

    def error(self, node: ast.AST, message: str) -> CompileError:
        return CompileError(ErrorKind.GRAPH_TEXT, message, self.span(node))

    def span(self, node: ast.AST) -> SourceSpan:
        assert isinstance(node, ast.stmt | ast.expr)
        return SourceSpan(
            "<code>",
            node.lineno,
            node.col_offset,
            node.end_lineno or node.lineno,
            node.end_col_offset or 0,
            self.graph.name,
            self.lines,
        )

    # Statements ---------------------------------------------------------------------------------

    def function(self, function: ast.FunctionDef) -> Graph:
        arguments = function.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            assert argument.annotation is not None
            type_ = self.type(argument.annotation)
            value = self.graph.add_input(type_, argument.arg)
            self.names[argument.arg] = _Operand(value, type_)
        *body, last = function.body
        self.statements(body)
        if not isinstance(last, ast.Return) or last.value is None:
            raise self.error(last, "a function ends in a return")
        self.graph.add_output(self.operand(last.value).value)
        return self.graph

    def statements(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self.builder.span = self.span(statement)
            self.statement(statement)

    def statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Pass():
                pass
            case ast.Assign(targets=[target], value=value):
                self.assign(target, value)
            case ast.Expr(value=ast.Name()):
                pass
            case ast.Expr(value=value):
                self.operands(value)
            case ast.If():
                self.branch(statement)
            case ast.While(test=ast.Name(id=condition)):
                limit = self.builder.constant(UNLIMITED)
                self.loop(statement.body, limit, self.names[condition].value, condition, "")
            case ast.For(target=ast.Name(id=index), iter=ast.Call(args=[limit_text])):
                limit = self.operand(limit_text).value
                self.loop(statement.body, limit, self.builder.constant(True), "", index)
            case _:
                raise self.error(statement, f"{type(statement).__name__} is not in the dialect")

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.bind(target, self.operand(value), is_new=not isinstance(value, ast.Name))
            return
        if not isinstance(target, ast.Tuple):
            raise self.error(target, "only names are assigned to")
        parts = self.operands(value)
        are_new = [True] * len(target.elts)
        if isinstance(value, ast.Tuple):
            are_new = [not isinstance(element, ast.Name) for element in value.elts]
        elif len(parts) == 1:
            parts = self.unpacked(parts[0], len(target.elts), value)
        if len(parts) != len(target.elts):
            raise self.error(target, f"{len(parts)} values for {len(target.elts)} names")
        for name, part, is_new in zip(target.elts, parts, are_new, strict=True):
            self.bind(name, part, is_new=is_new)

    def bind(self, target: ast.expr, operand: _Operand, *, is_new: bool) -> None:
        """Let a name mean a value; a value that has just been computed takes the name."""
        if not isinstance(target, ast.Name):
            raise self.error(target, "only names are assigned to")
        if is_new and not operand.value.name:
            operand.value.name = _shown(target.id)
        self.names[target.id] = operand

    def unpacked(self, operand: _Operand, count: int, place: ast.expr) -> list[_Operand]:
        type_ = operand.value.type
        if isinstance(type_, ty.TupleType):
            types, kind = list(type_.elements), "prim::TupleUnpack"
        elif isinstance(type_, ty.ListType | ty.SequenceType):
            types, kind = [type_.element] * count, "prim::ListUnpack"
        else:
            raise self.error(place, f"{ty.annotation(type_)} does not unpack")
        node = self.builder.node(kind, [operand.value], types)
        return [_Operand(value, value.type) for value in node.outputs]

    # Control flow -------------------------------------------------------------------------------

    def branch(self, statement: ast.If) -> None:
        condition = self.operand(statement.test).value
        node = self.builder.node(IF, [condition])
        shared = _assigned(statement.body) & _assigned(statement.orelse)
        targets = [name for name in _in_order(statement.body) if name in shared]
        arms = [self.arm(node.add_block(), b) for b in (statement.body, statement.orelse)]
        for name in targets:
            first, second = (arm[name] for arm in arms)
            joined = ty.unify(ty.unshaped(first.type), ty.unshaped(second.type))
            if joined is None:
                raise self.error(statement, f"the arms give {name!r} different types")
            for block, part in zip(node.blocks, (first, second), strict=True):
                block.add_output(part.value)
            self.names[name] = _Operand(node.add_output(joined, _shown(name)), joined)

    def arm(self, block: Block, body: Sequence[ast.stmt]) -> Names:
        """Read a nested block; returns what the names mean at its end."""
        outside = dict(self.names)
        with self.builder.at(block):
            self.statements(body)
        inside, self.names = self.names, outside
        return inside

    def loop(
        self, body: Sequence[ast.stmt], limit: Value, condition: Value, tested: str, index: str
    ) -> None:
        assigned = _assigned(body)
        carried = [n for n in self.names if n in assigned and n not in (tested, index)]
        types = {name: ty.unshaped(self.names[name].type) for name in carried}
        entering = [self.names[name].value for name in carried]
        node = self.builder.node(LOOP, [limit, condition, *entering])
        block = node.add_block()
        iteration = block.add_input(ty.INT, _shown(index))
        outside = dict(self.names)
        if index:
            self.names[index] = _Operand(iteration, ty.INT)
        for name in carried:
            self.names[name] = _Operand(block.add_input(types[name], _shown(name)), types[name])
        with self.builder.at(block):
            self.statements(body)
            following = self.names[tested].value if tested else self.builder.constant(True)
        block.add_output(following)
        for name in carried:
            block.add_output(self.names[name].value)
        self.names = outside
        for name in carried:
            self.names[name] = _Operand(node.add_output(types[name], _shown(name)), types[name])

    # Expressions --------------------------------------------------------------------------------

    def operand(self, expression: ast.expr, expected: Type | None = None) -> _Operand:
        operands = self.operands(expression, expected, spread=False)
        if len(operands) != 1:
            raise self.error(expression, f"one value is needed, found {len(operands)}")
        return operands[0]

    def value(self, expression: ast.expr) -> Value:
        return self.operand(expression).value

    def plain(self, value: Value) -> list[_Operand]:
        return [_Operand(value, value.type)]

    def operands(
        self, expression: ast.expr, expected: Type | None = None, *, spread: bool = True
    ) -> list[_Operand]:
        """The values of an expression: one, the outputs of a call, or a display's elements."""
        match expression:
            case ast.Name(id=name) if name in self.names:
                return [self.names[name]]
            case ast.Name(id="inf" | "nan" as name):
                return self.plain(self.builder.constant(float(name)))
            case ast.Constant(value=constant):
                return self.plain(self.builder.constant(constant))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=number)):
                assert isinstance(number, int | float)
                return self.plain(self.builder.constant(-number))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id="inf")):
                return self.plain(self.builder.constant(-math.inf))
            case ast.Tuple(elts=elements) if spread:
                return [self.operand(element) for element in elements]
            case ast.List() | ast.Tuple() | ast.Dict():
                return self.plain(self.display(expression, expected))
            case ast.Subscript():
                return self.plain(self.item(expression))
            case ast.Attribute():
                return self.plain(self.attribute(expression))
            case ast.Call():
                return self.call(expression)
        raise self.error(expression, f"{ast.unparse(expression)!r} is not in the dialect")

    def display(self, expression: ast.expr, expected: Type | None) -> Value:
        wanted = ty.without_none(expected) if expected is not None else None
        if isinstance(expression, ast.Dict):
            keys = [self.value(key) for key in expression.keys if key is not None]
            pairs = zip(keys, map(self.value, expression.values), strict=True)
            inputs = [value for pair in pairs for value in pair]
            made = wanted or ty.DictType(_common(inputs[::2]), _common(inputs[1::2]))
            return self.builder.value("prim::DictConstruct", inputs, made)
        assert isinstance(expression, ast.List | ast.Tuple)
        inputs = [self.value(element) for element in expression.elts]
        if isinstance(expression, ast.List):
            made = wanted or ty.ListType(_common(inputs))
            return self.builder.value("prim::ListConstruct", inputs, made)
        made = wanted or ty.TupleType(tuple(ty.unshaped(value.type) for value in inputs))
        return self.builder.value("prim::TupleConstruct", inputs, made)

    def item(self, expression: ast.Subscript) -> Value:
        read = self.value(expression.value)
        if not isinstance(read.type, ty.TupleType):
            return self.builder.op("aten::__getitem__", read, self.value(expression.slice))
        elements = read.type.elements
        if isinstance(expression.slice, ast.Slice):
            bounds = expression.slice
            begin, end = _integer(bounds.lower), _integer(bounds.upper)
            made = ty.TupleType(elements[begin:end])
            return self.builder.value("prim::TupleSlice", [read], made, beg=begin, end=end)
        index = self.value(expression.slice)
        at = index.constant()
        type_ = elements[at] if isinstance(at, int) else _common_type(elements)
        return self.builder.value("prim::TupleIndex", [read, index], type_)

    def attribute(self, expression: ast.Attribute) -> Value:
        path = _path(expression)
        root = path.partition(".")[0]
        if root and root not in self.names:
            return self.named_constant(path, expression)
        read = self.value(expression.value)
        type_ = read.type
        if not isinstance(type_, ty.TupleType) or expression.attr not in type_.field_names:
            raise self.error(expression, f"{ty.annotation(type_)} has no field {expression.attr!r}")
        at = type_.field_names.index(expression.attr)
        index = self.builder.constant(at)
        return self.builder.value("prim::TupleIndex", [read, index], type_.elements[at])

    def named_constant(self, path: str, place: ast.expr) -> Value:
        if path.startswith("torch."):
            return self.builder.constant(dtypes.from_name(path.removeprefix("torch.")))
        if path.startswith("CONSTANTS.c"):
            number = int(path.removeprefix("CONSTANTS.c"))
            value, type_ = self.source.constants[number], self.source.constant_types[number]
            return self.builder.constant(value, type_)
        if path in self.source.functions:
            return self.builder.constant(self.source.functions[path], ty.FUNCTION)
        raise self.error(place, f"{path!r} is not in the dialect")

    # Calls --------------------------------------------------------------------------------------

    def call(self, call: ast.Call) -> list[_Operand]:
        path = _path(call.func)
        special = _SPECIAL.get(path)
        if special is not None:
            return [special(self, call)]
        if path in self.source.types:
            inputs = [self.value(argument) for argument in call.args]
            made = self.source.types[path]
            return self.plain(self.builder.value("prim::TupleConstruct", inputs, made))
        if path in self.source.functions:
            return self.plain(self.function_call(path, call))
        if path in _BUILTINS:
            outputs = self.builder.call(_BUILTINS[path], [self.value(a) for a in call.args])
            return [_Operand(value, value.type) for value in outputs]
        return self.operator(path, call)

    def function_call(self, path: str, call: ast.Call) -> Value:
        function = self.source.functions[path]
        result = getattr(function.value, "return_type", None)
        if not isinstance(result, Type):
            raise self.error(call, f"nothing is known about the result of {path!r}")
        inputs = [self.value(argument) for argument in call.args]
        callee = self.builder.constant(function, ty.FUNCTION)
        return self.builder.value("prim::CallFunction", [callee, *inputs], result)

    def operator(self, path: str, call: ast.Call) -> list[_Operand]:
        namespace, *rest = path.split(".")
        if namespace == "torch" and len(rest) == 1:
            name, overload = f"aten::{_unescaped(rest[0])}", None
        elif namespace == "ops" and len(rest) in (2, 3):
            name = f"{rest[0]}::{_unescaped(rest[1])}"
            overload = rest[2] if len(rest) == 3 else None
        else:
            raise self.error(call, f"{path or ast.unparse(call.func)!r} is not in the dialect")
        args = [self.value(argument) for argument in call.args]
        kwargs = {k.arg: self.value(k.value) for k in call.keywords if k.arg is not None}
        rows = None
        if overload is not None:
            wanted = "" if overload == "default" else overload
            rows = [op for op in OPS.overloads(name) if op.overload == wanted]
        self.builder.span = self.span(call)
        outputs = self.builder.call(name, args, kwargs, rows)
        return [_Operand(value, value.type) for value in outputs]

    def annotated(self, call: ast.Call) -> _Operand:
        type_ = self.type(call.args[0])
        operand = self.operand(call.args[1], type_)
        return _Operand(operand.value, type_)

    def cast(self, call: ast.Call) -> _Operand:
        type_ = self.type(call.args[0])
        kind = _CASTS[_path(call.func)]
        return _Operand(self.builder.value(kind, [self.value(call.args[1])], type_), type_)

    def uninitialized(self, call: ast.Call) -> _Operand:
        type_ = self.type(call.args[0])
        return _Operand(self.builder.value(UNINITIALIZED, (), type_), type_)

    def test(self, call: ast.Call) -> _Operand:
        read, tested = call.args
        kinds = tested.elts if isinstance(tested, ast.Tuple) else [tested]
        types = [self.type(kind) for kind in kinds]
        value = self.builder.value("prim::isinstance", [self.value(read)], ty.BOOL, types=types)
        return _Operand(value, ty.BOOL)

    def printed(self, call: ast.Call) -> _Operand:
        self.builder.node("prim::Print", [self.value(argument) for argument in call.args])
        return _Operand(self.builder.constant(None), ty.NONE)

    def complex(self, call: ast.Call) -> _Operand:
        real, imaginary = (self.value(argument).constant() for argument in call.args)
        return _Operand(self.builder.constant(complex(real, imaginary)), ty.COMPLEX)

    def device(self, call: ast.Call) -> _Operand:
        name = self.value(call.args[0])
        if not name.is_constant:
            return _Operand(self.builder.op("aten::device", name), ty.DEVICE)
        return _Operand(self.builder.constant(arrays.Device(name.constant()), ty.DEVICE), ty.DEVICE)

    # Types --------------------------------------------------------------------------------------

    def type(self, expression: ast.expr) -> Type:
        """The type that an annotation spells."""
        match expression:
            case ast.Constant(value=None):
                return ty.NONE
            case ast.Name(id=name) if name in _TYPES:
                return _TYPES[name]
            case ast.Attribute() if (path := _path(expression)) in self.source.types:
                return self.source.types[path]
            case ast.Subscript(value=ast.Name(id=base), slice=inner):
                return self.generic(base, inner, expression)
        raise self.error(expression, f"{ast.unparse(expression)!r} is no type")

    def generic(self, base: str, inner: ast.expr, place: ast.expr) -> Type:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if base == "Tuple" and ast.unparse(inner).endswith("..."):
            return ty.SequenceType(self.type(parts[0]))
        types = [self.type(part) for part in parts]
        match base, types:
            case "Tuple", _:
                return ty.TupleType(tuple(types))
            case "Union", _:
                return ty.union(types)
            case "List", [element]:
                return ty.ListType(element)
            case "Optional", [element]:
                return ty.optional(element)
            case "Future", [element]:
                return ty.FutureType(element)
            case "Dict", [key, value]:
                return ty.DictType(key, value)
        raise self.error(place, f"{ast.unparse(place)!r} is no type")


def _assigned(body: Sequence[ast.stmt]) -> set[str]:
    return set(_in_order(body))


def _in_order(body: Sequence[ast.stmt]) -> dict[str, None]:
    """The names that statements assign, nested ones included, in order."""
    names: dict[str, None] = {}
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names[node.id] = None
    return names


def _shown(name: str) -> str:
    """The name that a value keeps: those that the writer made up are not kept."""
    return "" if name.startswith("_") and name[1:].isdigit() else name


def _common(values: Sequence[Value]) -> Type:
    return _common_type([ty.unshaped(value.type) for value in values])


def _common_type(types: Sequence[Type]) -> Type:
    joined = types[0] if types else ty.TENSOR
    for type_ in types[1:]:
        joined = ty.unify(joined, type_) or joined
    return joined


def _integer(expression: ast.expr | None) -> int:
    number = ast.literal_eval(expression) if expression is not None else 0
    assert isinstance(number, int)
    return number


def _path(expression: ast.expr) -> str:
    """The dotted name that an expression is, or the empty string."""
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        base = _path(expression.value)
        return f"{base}.{expression.attr}" if base else ""
    return ""


def _unescaped(name: str) -> str:
    bare = name.removesuffix("_")
    return bare if keyword.iskeyword(bare) else name


_SPECIAL: Mapping[str, Any] = {
    "annotate": _Reader.annotated,
    "unchecked_cast": _Reader.cast,
    "checked_cast": _Reader.cast,
    "uninitialized": _Reader.uninitialized,
    "isinstance": _Reader.test,
    "print": _Reader.printed,
    "complex": _Reader.complex,
    "torch.device": _Reader.device,
}
_CASTS = {"unchecked_cast": "prim::unchecked_cast", "checked_cast": "jit::checked_cast"}
_BUILTINS = {"int": "aten::Int", "float": "aten::Float", "bool": "aten::Bool", "str": "aten::str"}
_TYPES: Mapping[str, Type] = {
    "Tensor": ty.TENSOR, "Array": ty.ARRAY, **{kind.python_name: kind for kind in ty.SIMPLE},
}  # fmt: skip
