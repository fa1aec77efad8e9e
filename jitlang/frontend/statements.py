"""Statements. Each handler says how control may leave (`Outcomes`)."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Sequence

from ..errors import CompileError, ErrorKind
from ..ir import types as ty
from ..ir.graph import UNINITIALIZED, ObjectRef, Value
from ..ir.types import Type
from . import hints, surface
from .annotate import type_of_annotation
from .binding import accepts, annotation_namespace
from .conditions import condition
from .emitter import Emitter
from .expressions import binary
from .flow import branch, decide_empty, unless_exited
from .indexing import delete_item, store_item
from .loops import emit_for, emit_while
from .scope import (
    FALLS,
    RAISES,
    RESULT,
    Outcome,
    Outcomes,
    assigned_names,
    jumps_of,
    path_of,
    possible_outcomes,
)
from .sugar import ClassName, Parts, Plain, Raised, Sugar, Unusable


def emit_statements(e: Emitter, statements: Sequence[ast.stmt]) -> Outcomes:
    """Emit statements in order; what follows a possible exit goes where control goes on."""
    outcomes: Outcomes = FALLS
    for index, statement in enumerate(statements):
        rest = statements[index + 1 :]
        with e.at(statement):
            here, consumed = _emit(e, statement, rest)
        raised = outcomes & RAISES
        if consumed or Outcome.FALL not in here:
            return here | raised
        if jumps_of(here):
            if not rest:
                return here | raised
            return unless_exited(e, here, functools.partial(emit_statements, e, rest)) | raised
        outcomes = here | raised
    return outcomes


def _emit(
    e: Emitter, statement: ast.stmt, rest: Sequence[ast.stmt]
) -> tuple[Outcomes, bool]:
    """Emit one statement; True where what follows it has been emitted with it."""
    try:
        if isinstance(statement, ast.If):
            return _emit_if(e, statement, rest)
        return _handler(e, statement)(e, statement), False
    except CompileError:
        if not e.speculates:
            raise
        return _skip(e, statement), False


def _skip(e: Emitter, statement: ast.stmt) -> Outcomes:
    """Go on after a statement that waits for what an empty display holds."""
    names = [RESULT] if isinstance(statement, ast.Return) else assigned_names([statement])
    for name in names:
        if not isinstance(e.scope.lookup(name), Plain):
            type_ = e.declared.get(name, ty.ANY)
            e.scope.assign(name, Plain(e.builder.value(UNINITIALIZED, (), type_)))
    if isinstance(statement, ast.Raise):
        return RAISES
    return frozenset({Outcome.RETURN}) if isinstance(statement, ast.Return) else FALLS


def _handler(e: Emitter, statement: ast.stmt) -> Callable[[Emitter, ast.stmt], Outcomes]:
    handler = _HANDLERS.get(type(statement))
    if handler is not None:
        return handler
    what, hint = EXCLUDED.get(type(statement), (type(statement).__name__, None))
    raise e.error(
        ErrorKind.UNSUPPORTED_STATEMENT, f"{what} is not in the language", statement, hint=hint
    )


EXCLUDED: dict[type[ast.stmt], tuple[str, str | None]] = {
    ast.Try: (
        "`try`",
        "test for the condition first, or move the statement into a @jl.ignore function",
    ),
    ast.With: ("`with`", "move the statement into a @jl.ignore function"),
    ast.FunctionDef: (
        "a nested function",
        "define it at module level and pass what it closes over",
    ),
    ast.AsyncFunctionDef: ("an async function", "write a plain `def`"),
    ast.ClassDef: ("a nested class", "define it at module level"),
    ast.Import: ("`import`", "import at module level"),
    ast.ImportFrom: ("`import`", "import at module level"),
    ast.Global: ("`global`", "pass the value in and return the new one"),
    ast.Nonlocal: ("`nonlocal`", "pass the value in and return the new one"),
    ast.AsyncFor: ("`async for`", "write a plain `for`"),
    ast.AsyncWith: ("`async with`", None),
    ast.Match: ("`match`", "write if/elif"),
}


# Branches -----------------------------------------------------------------------------------------


def _emit_if(
    e: Emitter, statement: ast.If, rest: Sequence[ast.stmt]
) -> tuple[Outcomes, bool]:
    """Emit an `if`; True where what follows it has been emitted inside a branch."""
    test = condition(e, statement.test)
    if test.known is not None:
        chosen = statement.body if test.known else statement.orelse
        return emit_statements(e, [*chosen, *rest]), True
    then, otherwise = list(statement.body), list(statement.orelse)
    consumed = False
    if rest and _jumps_away(then):
        otherwise, consumed = [*otherwise, *rest], True
    elif rest and _jumps_away(otherwise):
        then, consumed = [*then, *rest], True
    outcomes = branch(
        e,
        test.as_value(e),
        lambda: emit_statements(e, then),
        lambda: emit_statements(e, otherwise),
        test.if_true,
        test.if_false,
    )
    return outcomes, consumed


def _jumps_away(statements: Sequence[ast.stmt]) -> bool:
    """Whether control never reaches what follows, other than by raising."""
    outcomes = possible_outcomes(statements)
    return bool(statements) and Outcome.FALL not in outcomes and bool(jumps_of(outcomes))


def _emit_assert(e: Emitter, statement: ast.stmt) -> Outcomes:
    assert isinstance(statement, ast.Assert)
    test = condition(e, statement.test)
    if test.known is True:
        return FALLS

    def fail() -> Outcomes:
        message = statement.msg
        args = [] if message is None else [e.expression(message)]
        raise_exception(e, Raised(AssertionError, args))
        return RAISES

    if test.known is False:
        return fail()
    return branch(e, test.as_value(e), lambda: FALLS, fail, test.if_true, test.if_false)


def _emit_raise(e: Emitter, statement: ast.stmt) -> Outcomes:
    assert isinstance(statement, ast.Raise)
    if statement.exc is None:
        raise e.error(
            ErrorKind.UNSUPPORTED_STATEMENT,
            "a bare raise is not in the language",
            hint="name the exception to raise",
        )
    meaning = e.expression(statement.exc)
    if isinstance(meaning, ClassName) and issubclass(meaning.target, BaseException):
        meaning = Raised(meaning.target, ())
    if not isinstance(meaning, Raised):
        raise e.error(
            ErrorKind.RAISED_VALUE,
            "only exceptions can be raised",
            statement.exc,
            found=meaning.describe(),
            expected="an exception class or a call of one",
        )
    raise_exception(e, meaning)
    return RAISES


def raise_exception(e: Emitter, raised: Raised) -> None:
    """Emit the end of the call by an exception."""
    values = [argument.value(e) for argument in raised.args]
    cls = raised.cls
    name = f"{cls.__module__}.{cls.__qualname__}"
    if cls.__module__ == "builtins" and [v.type for v in values] in ([], [ty.STR]):
        message = values[0] if values else e.builder.constant("")
        e.builder.call("prim::RaiseException", [message, e.builder.constant(name)])
        return
    made = e.builder.constant(ObjectRef(name, cls), ty.FUNCTION)
    e.builder.call("jit::raise", [made, *values])


# Simple statements --------------------------------------------------------------------------------


def _emit_return(e: Emitter, statement: ast.stmt) -> Outcomes:
    assert isinstance(statement, ast.Return)
    expected = e.return_type
    if statement.value is None:
        value = e.builder.constant(None)
    else:
        value = e.value_of(statement.value, expected)
    if expected is not None:
        value = _as_declared(e, value, expected, statement)
    e.scope.assign(RESULT, Plain(value))
    return frozenset({Outcome.RETURN})


def _as_declared(e: Emitter, value: Value, expected: Type, statement: ast.Return) -> Value:
    decide_empty(value, expected)
    if value.type is ty.ANY and expected is not ty.ANY:
        return checked_cast(e, value, expected)
    if accepts(expected, value.type):
        return value
    hint: str | None
    if statement.value is None:
        message = "the function ends here without a value, but declares a result"
        hint = f"return a value on every path, or declare Optional[{ty.annotation(expected)}]"
    else:
        message = "the returned value does not have the declared type"
        hint = hints.for_conversion(value.type, expected)
    raise e.error(
        ErrorKind.RETURN_TYPE,
        message,
        statement.value or statement,
        found=ty.annotation(value.type),
        expected=ty.annotation(expected),
        hint=hint,
    )


def _emit_expression(e: Emitter, statement: ast.stmt) -> Outcomes:
    assert isinstance(statement, ast.Expr)
    if isinstance(statement.value, ast.Constant):
        return FALLS  # a docstring or `...`
    e.expression(statement.value)
    e.scope.forget()
    return FALLS


def _emit_pass(e: Emitter, statement: ast.stmt) -> Outcomes:
    return FALLS


def _emit_break(e: Emitter, statement: ast.stmt) -> Outcomes:
    return frozenset({Outcome.BREAK})


def _emit_continue(e: Emitter, statement: ast.stmt) -> Outcomes:
    return frozenset({Outcome.CONTINUE})


def _emit_delete(e: Emitter, statement: ast.stmt) -> Outcomes:
    assert isinstance(statement, ast.Delete)
    for target in statement.targets:
        with e.at(target):
            if isinstance(target, ast.Name):
                e.lookup(target.id)
                e.scope.assign(target.id, _deleted(target.id))
            elif isinstance(target, ast.Subscript):
                delete_item(e, target)
            else:
                raise e.error(
                    ErrorKind.UNSUPPORTED_STATEMENT,
                    "del of an attribute is not in the language",
                    hint="assign None instead",
                )
    e.scope.forget()
    return FALLS


def _deleted(name: str) -> Unusable:
    reason = f"'{name}' has been deleted"
    return Unusable(
        name, ErrorKind.MAYBE_UNDEFINED, reason, f"assign '{name}' again before this line"
    )


# Assignment ---------------------------------------------------------------------------------------


def _emit_assign(e: Emitter, statement: ast.stmt) -> Outcomes:
    assert isinstance(statement, ast.Assign)
    first = statement.targets[0]
    expected = e.declared.get(first.id) if isinstance(first, ast.Name) else None
    meaning = e.expression(statement.value, expected)
    for target in statement.targets:
        assign(e, target, meaning)
    return FALLS


def _emit_annotated(e: Emitter, statement: ast.stmt) -> Outcomes:
    assert isinstance(statement, ast.AnnAssign)
    with e.at(statement.annotation):
        declared = type_of_annotation(
            statement.annotation, annotation_namespace(e.source), e.span(statement.annotation)
        )
    if isinstance(statement.target, ast.Name) and declared is not None:
        e.declared[statement.target.id] = declared
    if statement.value is None:
        return FALLS
    meaning = e.expression(statement.value, declared)
    if declared is not None:
        meaning = declared_value(e, meaning, declared, statement.value)
    assign(e, statement.target, meaning)
    return FALLS


def declared_value(e: Emitter, meaning: Sugar, declared: Type, node: ast.expr) -> Sugar:
    """The value of an annotated assignment, under its declared type (ASSIGNED_TYPE if it has none).
    """
    with e.at(node):
        value = meaning.value(e)
        decide_empty(value, declared)
        found = value.type
        if found in (ty.ANY, ty.NUMBER) and declared is not found:
            return Plain(checked_cast(e, value, declared))
        if accepts(declared, found):
            return Plain(value)
        raise e.error(
            ErrorKind.ASSIGNED_TYPE,
            "the assigned value does not have the declared type",
            node,
            found=ty.annotation(found),
            expected=ty.annotation(declared),
            hint=hints.for_conversion(found, declared),
        )


def checked_cast(e: Emitter, value: Value, type_: Type) -> Value:
    """A value of unknown type under a type that is tested when it runs."""
    return e.builder.value("jit::checked_cast", [value], type_)


def assign(e: Emitter, target: ast.expr, meaning: Sugar) -> None:
    """Assign a meaning to a target of any form."""
    with e.at(target):
        match target:
            case ast.Name():
                _assign_name(e, target.id, meaning)
            case ast.Tuple() | ast.List():
                _assign_parts(e, target.elts, meaning)
            case ast.Subscript():
                store_item(e, target, meaning.value(e))
                e.scope.forget()
            case ast.Starred():
                raise e.error(ErrorKind.ASSIGN_TARGET, "a starred target must be inside a tuple")
            case ast.Attribute():
                raise e.error(
                    ErrorKind.ASSIGN_TARGET,
                    f"the attribute '{target.attr}' cannot be assigned in a function",
                    hint="return the new value, or use an in-place operator such as copy_",
                )
            case _:
                raise e.error(ErrorKind.ASSIGN_TARGET, "this cannot be assigned to")


def _assign_name(e: Emitter, name: str, meaning: Sugar) -> None:
    declared = e.declared.get(name)
    if isinstance(meaning, Parts) and meaning.is_value:
        meaning = Plain(meaning.value(e))
    if isinstance(meaning, Plain):
        value = meaning.plain
        if declared is not None:
            decide_empty(value, declared)
            if not accepts(declared, value.type):
                raise e.error(
                    ErrorKind.ASSIGNED_TYPE,
                    f"'{name}' was declared with another type",
                    found=ty.annotation(value.type),
                    expected=ty.annotation(declared),
                    hint=hints.for_conversion(value.type, declared),
                )
        if not value.name and not value.is_block_input and not name.startswith("$"):
            value.name = name
    e.scope.assign(name, meaning)


def _assign_parts(e: Emitter, targets: Sequence[ast.expr], meaning: Sugar) -> None:
    stars = [i for i, target in enumerate(targets) if isinstance(target, ast.Starred)]
    if len(stars) > 1:
        raise e.error(ErrorKind.ASSIGN_TARGET, "only one target can be starred")
    parts = unpack(e, meaning, len(targets), stars[0] if stars else None)
    for target, part in zip(targets, parts, strict=True):
        assign(e, target.value if isinstance(target, ast.Starred) else target, part)


def unpack(e: Emitter, meaning: Sugar, count: int, star: int | None) -> Sequence[Sugar]:
    """The parts that `count` targets take, the starred one taking a list of what is left.

    Raises:
        CompileError: the number of parts is known and does not fit, or the value has no parts
            (UNPACK).
    """
    meaning = e.walked(meaning)
    parts = meaning.elements(e)
    if parts is None:
        return _unpack_at_run_time(e, meaning.value(e), count, star)
    if star is None:
        if len(parts) != count:
            few = "not enough" if len(parts) < count else "too many"
            raise e.error(
                ErrorKind.UNPACK,
                f"{few} values to unpack",
                found=_counted(len(parts)),
                expected=_counted(count),
            )
        return parts
    if len(parts) < count - 1:
        raise e.error(
            ErrorKind.UNPACK,
            "not enough values to unpack",
            found=_counted(len(parts)),
            expected=f"at least {_counted(count - 1)}",
        )
    stop = len(parts) - (count - 1 - star)
    middle = e.list_display([part.value(e) for part in parts[star:stop]])
    return [*parts[:star], Plain(middle), *parts[stop:]]


def _counted(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _unpack_at_run_time(
    e: Emitter, value: Value, count: int, star: int | None
) -> Sequence[Sugar]:
    if surface.is_numpy(value.type):
        value = e.builder.op("jit::array_list", value)
    elif value.type is ty.ANY:
        value = e.builder.op("jit::dynamic_list", value)
    elif isinstance(value.type, ty.TensorType):
        value = e.builder.op("aten::unbind", value, e.builder.constant(0))
    elif value.type is ty.STR:
        value = e.builder.op("aten::list", value)
    elif isinstance(value.type, ty.DictType):
        value = e.builder.op("aten::keys", value)
    if isinstance(value.type, ty.OptionalType):
        raise e.not_refined(None, value.type, "which cannot be unpacked")
    if not isinstance(value.type, ty.ListType | ty.SequenceType):
        raise e.error(
            ErrorKind.UNPACK,
            "this value cannot be unpacked",
            found=ty.annotation(value.type),
            expected="a tuple, list or tensor",
        )
    element = value.type.element
    if element is ty.NO_RETURN:
        e.builder.reads_undecided, element = True, ty.ANY
    if star is None:
        return [
            Plain(v) for v in e.builder.node("prim::ListUnpack", [value], [element] * count).outputs
        ]
    counts = [e.builder.constant(star), e.builder.constant(count - 1 - star)]
    e.builder.call("jit::check_unpack", [value, *counts])
    head = [Plain(_item(e, value, i)) for i in range(star)]
    tail = [Plain(_item(e, value, i - (count - 1 - star))) for i in range(count - 1 - star)]
    stop = star - count + 1
    bounds = [e.builder.constant(star), e.builder.constant(stop if stop else None)]
    middle = e.builder.op("aten::slice", value, *bounds)
    return [*head, Plain(e.builder.op("aten::list", middle)), *tail]


def _item(e: Emitter, value: Value, index: int) -> Value:
    return e.builder.op("aten::__getitem__", value, e.builder.constant(index))


def _emit_augmented(e: Emitter, statement: ast.stmt) -> Outcomes:
    """`x op= y`: in place for tensors and lists, else `x = x op y` with the target evaluated once.
    """
    assert isinstance(statement, ast.AugAssign)
    target = statement.target
    if isinstance(target, ast.Name):
        old = e.expression(ast.copy_location(ast.Name(target.id, ast.Load()), target))
        value = e.walked(e.expression(statement.value))
        new = binary(e, statement.op, old, value, in_place=True)
        assign(e, target, new)
        return FALLS
    if isinstance(target, ast.Attribute):
        assign(e, target, Parts(()))
    assert isinstance(target, ast.Subscript)
    owner, key = _once(e, target)
    again = ast.copy_location(ast.Subscript(owner, key, ast.Load()), target)
    old = e.expression(again)
    new = binary(e, statement.op, old, e.expression(statement.value), in_place=True)
    with e.at(target):
        store_item(e, again, new.value(e))
    e.scope.forget()
    return FALLS


def _once(e: Emitter, target: ast.Subscript) -> tuple[ast.expr, ast.expr]:
    """Evaluate owner and key of a subscript once, and name the results."""
    owner = _named(e, target.value)
    if isinstance(target.slice, ast.Slice | ast.Tuple | ast.Constant):
        return owner, target.slice
    return owner, _named(e, target.slice)


def _named(e: Emitter, node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) or path_of(node) is not None:
        return node
    name = e.fresh("once")
    e.scope.assign(name, e.expression(node))
    return ast.copy_location(ast.Name(name, ast.Load()), node)


_HANDLERS: dict[type[ast.stmt], Callable[[Emitter, ast.stmt], Outcomes]] = {
    ast.Return: _emit_return,
    ast.Raise: _emit_raise,
    ast.Assert: _emit_assert,
    ast.Expr: _emit_expression,
    ast.Pass: _emit_pass,
    ast.Break: _emit_break,
    ast.Continue: _emit_continue,
    ast.Delete: _emit_delete,
    ast.Assign: _emit_assign,
    ast.AnnAssign: _emit_annotated,
    ast.AugAssign: _emit_augmented,
    ast.For: emit_for,
    ast.While: emit_while,
}
