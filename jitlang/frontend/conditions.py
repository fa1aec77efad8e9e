"""Conditions: truth, what a test proves about types, and what is decided at compile time.

`and`, `or`, `not`, `is None`, `isinstance` and truth of optionals refine names and paths in what
follows; a condition that is known at compile time drops the other branch before it is type-checked.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import IF, Value
from ..ir.types import Type
from . import surface
from .emitter import Emitter
from .scope import path_of
from .sugar import ClassName, Constant, Parts, Plain, Sugar

Refinements = Mapping[str, Type]


@dataclass
class Condition:
    """A tested condition: a bool value or a known truth, and what each outcome proves."""

    value: Value | None = None
    known: bool | None = None
    if_true: Refinements = field(default_factory=dict)
    if_false: Refinements = field(default_factory=dict)

    def negated(self, e: Emitter) -> Condition:
        """The opposite condition."""
        value = None if self.value is None else e.builder.op("aten::__not__", self.value)
        known = None if self.known is None else not self.known
        return Condition(value, known, self.if_false, self.if_true)

    def as_value(self, e: Emitter) -> Value:
        """The condition as a bool value."""
        if self.value is not None:
            return self.value
        return e.builder.constant(bool(self.known))


def condition(e: Emitter, node: ast.expr) -> Condition:
    """Emit a test and say what it proves."""
    with e.at(node):
        match node:
            case ast.BoolOp(op=ast.And()):
                return _all_of(e, node.values)
            case ast.BoolOp(op=ast.Or()):
                return _any_of(e, node.values)
            case ast.UnaryOp(op=ast.Not()):
                return condition(e, node.operand).negated(e)
            case ast.Compare(ops=[ast.Is() | ast.IsNot() | ast.Eq() | ast.NotEq() as op]) if (
                _is_none(node.comparators[0]) or _is_none(node.left)
            ):
                tested = node.left if _is_none(node.comparators[0]) else node.comparators[0]
                return _none_test(e, tested, isinstance(op, ast.Is | ast.Eq))
            case ast.Call(func=ast.Name(id="isinstance"), args=[tested, classes], keywords=[]):
                return isinstance_test(e, tested, classes)
            case ast.NamedExpr():
                value = e.value_of(node)
                return truth_condition(e, value, node.target)
        meaning = e.expression(node)
        if isinstance(meaning, Constant):
            return Condition(known=bool(meaning.constant))
        parts = meaning.elements(e) if isinstance(meaning, Parts) else None
        if parts is not None:
            return Condition(known=bool(parts))
        return truth_condition(e, meaning.value(e), node)


def truth_condition(e: Emitter, value: Value, node: ast.expr) -> Condition:
    """The truth of a value, which for an optional also proves that it is not None."""
    if surface.is_numpy(value.type):
        return Condition(truth(e, value))
    if value.is_constant and not isinstance(value.type, ty.TensorType | ty.ListType | ty.DictType):
        return Condition(known=bool(value.constant()))
    path = path_of(node)
    bare = ty.without_none(value.type)
    if bare is None:
        return Condition(known=False)
    if bare is not value.type and isinstance(value.type, ty.OptionalType | ty.UnionType):
        proved = {path: bare} if path is not None else {}
        present = e.builder.op("aten::__isnot__", value, e.builder.constant(None))
        inner = _lazy_if(e, present, lambda: truth(e, cast(e, value, bare)), default=False)
        return Condition(inner, None, proved, {})
    if isinstance(value.type, ty.TupleType):
        return Condition(known=bool(value.type.elements))
    return Condition(truth(e, value))


def truth(e: Emitter, value: Value) -> Value:
    """The truth of a value as a bool.

    Raises:
        CompileError: values of this type have no truth (CONDITION_TYPE).
    """
    type_ = value.type
    if type_ is ty.BOOL:
        return value
    if isinstance(type_, ty.ListType | ty.SequenceType | ty.DictType) or type_ is ty.STR:
        length = e.builder.op("aten::len", value)
        return e.builder.op("aten::ne", length, e.builder.constant(0))
    if surface.is_numpy(type_):
        return e.builder.op("jit::truth", value)
    if type_ in (ty.INT, ty.FLOAT, ty.COMPLEX) or isinstance(type_, ty.TensorType):
        return e.builder.op("aten::Bool", value)
    if type_ in (ty.ANY, ty.NUMBER):
        return e.builder.op("jit::truth", value)
    if isinstance(type_, ty.OptionalType):
        return truth_condition(e, value, ast.Constant(None)).as_value(e)
    raise e.error(
        ErrorKind.CONDITION_TYPE,
        "this value has no truth",
        found=ty.annotation(type_),
        expected="a bool, number, string, list, dict or one-element tensor",
        hint="compare explicitly, or test one member with isinstance first",
    )


def cast(e: Emitter, value: Value, type_: Type) -> Value:
    """The same value under a narrower type that a test has proved."""
    if type_ is value.type:
        return value
    if type_ is ty.NONE:
        return e.builder.constant(None)
    return e.builder.value("prim::unchecked_cast", [value], type_)


def refine(e: Emitter, refinements: Refinements) -> None:
    """Narrow names and paths in the current scope."""
    for path, type_ in refinements.items():
        meaning = e.scope.lookup(path)
        if isinstance(meaning, Plain):
            e.scope.refine(path, Plain(cast(e, meaning.plain, type_)))
        elif meaning is None:
            e.scope.refine_path(path, type_, stable=_through_tuple(e, path))


def _through_tuple(e: Emitter, path: str) -> bool:
    """Whether a path is one step into a tuple."""
    root = path.split(".")[0].split("[")[0]
    owner = e.scope.lookup(root)
    one_step = path.count(".") + path.count("[") == 1
    return one_step and isinstance(owner, Plain) and isinstance(owner.plain.type, ty.TupleType)


def _lazy_if(e: Emitter, test: Value, then: object, *, default: bool) -> Value:
    """`then()` where `test` holds, else the default; both bools."""
    node = e.builder.node(IF, [test], [ty.BOOL])
    with e.builder.at(node.add_block()) as block:
        block.add_output(then())  # type: ignore[operator]
    with e.builder.at(node.add_block()) as block:
        block.add_output(e.builder.constant(default))
    return node.output


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _none_test(e: Emitter, tested: ast.expr, positive: bool) -> Condition:
    meaning = e.expression(tested)
    if not isinstance(meaning, Plain | Constant):
        return Condition(known=not positive)
    value = meaning.value(e)
    bare = ty.without_none(value.type)
    if bare is None:
        return Condition(known=positive)
    if bare is value.type and value.type is not ty.ANY:
        return Condition(known=not positive)
    name = "aten::__is__" if positive else "aten::__isnot__"
    result = e.builder.op(name, value, e.builder.constant(None))
    path = path_of(tested)
    if path is None or value.type is ty.ANY:
        return Condition(result)
    none: Refinements = {path: ty.NONE}
    some: Refinements = {path: bare}
    return Condition(result, None, none if positive else some, some if positive else none)


def isinstance_test(e: Emitter, tested: ast.expr, classes: ast.expr) -> Condition:
    """`isinstance(tested, classes)`."""
    meaning = e.expression(tested)
    wanted = _class_types(e, classes)
    if not isinstance(meaning, Plain | Constant | Parts):
        raise e.error(
            ErrorKind.UNSUPPORTED_VALUE, f"{meaning.describe()} has no type to test", tested
        )
    value = meaning.value(e)
    return type_test(e, value, wanted, path_of(tested))


def type_test(e: Emitter, value: Value, wanted: list[Type], path: str | None) -> Condition:
    """Whether a value is of one of the wanted types, and what either outcome proves."""
    inside = [p for p in ty.alternatives(value.type) if any(_is_instance(p, w) for w in wanted)]
    outside = [p for p in ty.alternatives(value.type) if p not in inside]
    open_ended = value.type in (ty.ANY, ty.NUMBER)
    if not open_ended and (not inside or not outside):
        return Condition(known=bool(inside))
    kept = ty.union(wanted if open_ended else inside)
    result = e.builder.node("prim::isinstance", [value], [ty.BOOL], types=list(wanted)).output
    if path is None:
        return Condition(result)
    proved_false = {} if open_ended else {path: ty.union(outside)}
    return Condition(result, None, {path: kept}, proved_false)


def _is_instance(part: Type, wanted: Type) -> bool:
    """`isinstance` of a value of type `part`: a bool is an int, any list is a `list`."""
    if part is ty.BOOL and wanted is ty.INT:
        return True
    if isinstance(wanted, ty.ListType | ty.DictType) and wanted.children[0] is ty.ANY:
        return type(part) is type(wanted)
    if isinstance(wanted, ty.SequenceType) and wanted.element is ty.ANY:
        return isinstance(part, ty.TupleType | ty.SequenceType)
    return ty.is_subtype(part, wanted)


_OPEN_CLASSES: Mapping[type, Type] = {
    list: ty.ListType(ty.ANY),
    dict: ty.DictType(ty.ANY, ty.ANY),
    tuple: ty.SequenceType(ty.ANY),
}


def _class_types(e: Emitter, classes: ast.expr) -> list[Type]:
    if isinstance(classes, ast.Tuple):
        return [t for element in classes.elts for t in _class_types(e, element)]
    if isinstance(classes, ast.BinOp) and isinstance(classes.op, ast.BitOr):
        return [*_class_types(e, classes.left), *_class_types(e, classes.right)]
    if _is_none(classes):
        return [ty.NONE]
    meaning = e.expression(classes)
    if isinstance(meaning, Parts):
        return [class_type(e, part, classes) for part in meaning.parts]
    return [class_type(e, meaning, classes)]


def class_type(e: Emitter, meaning: Sugar, node: ast.expr) -> Type:
    """The type that a class stands for in a type test.

    Raises:
        CompileError: it is no class, or one that values of the language never have.
    """
    if isinstance(meaning, ClassName):
        if meaning.target in _OPEN_CLASSES:
            return _OPEN_CLASSES[meaning.target]
        found = e.grammar.class_type(e, meaning.target, node)
        if found is not None:
            return found
    raise e.error(
        ErrorKind.ARGUMENT_TYPE,
        "isinstance needs a class that the language has",
        node,
        found=meaning.describe(),
        expected="int, float, bool, complex, str, list, dict, tuple, Tensor, a NamedTuple class,"
        " or a tuple of them",
    )


def _all_of(e: Emitter, nodes: list[ast.expr]) -> Condition:
    return _chain(e, nodes, stop_on=False)


def _any_of(e: Emitter, nodes: list[ast.expr]) -> Condition:
    return _chain(e, nodes, stop_on=True)


def _chain(e: Emitter, nodes: list[ast.expr], *, stop_on: bool) -> Condition:
    """`and` (stops on False) and `or` (stops on True), evaluated lazily from the left."""
    first = condition(e, nodes[0])
    if len(nodes) == 1:
        return first
    if first.known is not None:
        return first if first.known is stop_on else _after(e, first, nodes[1:], stop_on)
    assert first.value is not None
    node = e.builder.node(IF, [first.value], [ty.BOOL])
    then_block, else_block = node.add_block(), node.add_block()
    rest_block, stop_block = (else_block, then_block) if stop_on else (then_block, else_block)
    with e.builder.at(stop_block):
        stop_block.add_output(e.builder.constant(stop_on))
    with e.builder.at(rest_block), e.child_scope():
        refine(e, first.if_false if stop_on else first.if_true)
        rest = _chain(e, nodes[1:], stop_on=stop_on)
        rest_block.add_output(rest.as_value(e))
    through = {
        **(first.if_false if stop_on else first.if_true),
        **(rest.if_false if stop_on else rest.if_true),
    }
    stopped = _either(
        first.if_true if stop_on else first.if_false, rest.if_true if stop_on else rest.if_false
    )
    if stop_on:
        return Condition(node.output, None, stopped, through)
    return Condition(node.output, None, through, stopped)


def _after(e: Emitter, first: Condition, nodes: list[ast.expr], stop_on: bool) -> Condition:
    """The rest of a chain whose first part is known not to stop it."""
    with e.child_scope():
        refine(e, first.if_false if stop_on else first.if_true)
        return _chain(e, nodes, stop_on=stop_on)


def _either(a: Refinements, b: Refinements) -> Refinements:
    """What holds when one of two tests came out so: paths that both narrow, to the union."""
    return {path: ty.union((a[path], b[path])) for path in a if path in b}
