"""Loops: every loop is one `prim::Loop`; loops over tuples are unrolled.

Names that the body assigns and that mean a value before the loop are carried; their types are found
by emitting the body until what comes out fits what went in.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import LOOP, UNINITIALIZED, Node, Value
from ..ir.types import Type
from . import surface
from .conditions import Condition, Refinements, condition, refine
from .emitter import INT64_MAX, Emitter
from .flow import branch, decide_empty, exited, undefined_after_loop, unless_exited
from .iterables import iterable_of
from .scope import FALLS, RESULT, Outcome, Outcomes, Scope, assigned_names, possible_outcomes
from .sugar import Constant, Iterable, Plain, Sugar, Unusable

MAX_TYPE_ROUNDS = 6
_MUTATORS = frozenset({"append", "insert", "extend", "pop", "remove", "clear", "popitem", "update"})


@dataclass
class _Header:
    """What kind of loop it is: how often, when it goes on, and what each pass starts with."""

    trips: Value
    start: Value
    begin: Callable[[Value], Refinements]
    go_on: Callable[[Value], Value]
    endless: bool = False


# Statements ---------------------------------------------------------------------------------------


def emit_for(e: Emitter, statement: ast.stmt) -> Outcomes:
    """`for target in iterable`, with `else`."""
    assert isinstance(statement, ast.For)
    meaning = e.expression(statement.iter)
    with e.at(statement.iter):
        source = iterable_of(e, meaning)
    from_parts = source if not isinstance(source, Iterable) else None
    if from_parts is not None:
        return _unrolled(e, statement, from_parts)
    assert isinstance(source, Iterable)
    bound = _bind_target(e, statement.target)

    def begin(index: Value) -> Refinements:
        bound(source.item(e, index))
        return {}

    trips = source.trips(e) if source.trips is not None else source.length(e)
    true = e.builder.constant(True)
    header = _Header(trips, true, begin, lambda _: e.builder.constant(True))
    if source.grows and _may_mutate(statement):
        zero = e.builder.constant(0)
        header.trips = e.builder.constant(INT64_MAX)
        header.start = e.builder.op("aten::lt", zero, source.length(e))
        header.go_on = lambda index: _more(e, index, source)
    return _loop(e, statement, [statement.target, *statement.body], header)


def _more(e: Emitter, index: Value, source: Iterable) -> Value:
    following = e.builder.op("aten::add", index, e.builder.constant(1))
    return e.builder.op("aten::lt", following, source.length(e))


def _bind_target(e: Emitter, target: ast.expr) -> Callable[[Sugar], None]:
    return lambda meaning: e.grammar.assign(e, target, meaning)


def _may_mutate(statement: ast.For) -> bool:
    """Whether the body may change the length of the list that the loop walks."""
    walked = {node.id for node in ast.walk(statement.iter) if isinstance(node, ast.Name)}
    for node in ast.walk(ast.Module(statement.body, [])):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in _MUTATORS:
                return True
            case ast.Call(args=args) if any(
                isinstance(a, ast.Name) and a.id in walked for a in args
            ):
                return True
            case ast.Delete() | ast.AugAssign(target=ast.Name()):
                return True
            case ast.Subscript(slice=ast.Slice(), ctx=ast.Store()):
                return True
    return False


def emit_while(e: Emitter, statement: ast.stmt) -> Outcomes:
    """`while test`, with `else`. The test is emitted before the loop and at the end of its body."""
    assert isinstance(statement, ast.While)
    first = condition(e, statement.test)
    if first.known is False:
        return e.statements(statement.orelse)
    endless = isinstance(statement.test, ast.Constant)
    header = _Header(
        e.builder.constant(INT64_MAX),
        first.as_value(e),
        lambda _: _what_the_test_proves(e, statement.test).if_true,
        lambda _: condition(e, statement.test).as_value(e),
        endless,
    )
    outcomes = _loop(e, statement, [statement.test, *statement.body], header)
    if Outcome.BREAK not in possible_outcomes(statement.body) and not statement.orelse:
        refine(e, _what_the_test_proves(e, statement.test).if_false)
    return outcomes


def _what_the_test_proves(e: Emitter, test: ast.expr) -> Condition:
    """The refinements of a test, without leaving what it emitted."""
    last = e.builder.cursor.previous
    with e.child_scope():
        proved = condition(e, test)
    _erase_after(e, last)
    return Condition(None, proved.known, proved.if_true, proved.if_false)


def _erase_after(e: Emitter, last: Node) -> None:
    while e.builder.cursor.previous is not last:
        e.builder.cursor.previous.destroy()


# The loop -----------------------------------------------------------------------------------------


@dataclass
class _Body:
    """A body after emission."""

    node: Node
    scope: Scope
    outcomes: Outcomes


def _loop(
    e: Emitter, statement: ast.For | ast.While, bound: Sequence[ast.AST], header: _Header
) -> Outcomes:
    names = assigned_names(bound)
    entry: dict[str, Value] = {}
    for name in names:
        meaning = e.scope.lookup(name)
        if isinstance(meaning, Plain | Constant):
            entry[name] = meaning.value(e)
    types = {name: _declared_or(e, name, value.type) for name, value in entry.items()}
    for _ in range(MAX_TYPE_ROUNDS):
        body = _emit_body(e, statement, header, entry, types)
        wider = _wider(e, statement, body, entry, types)
        if not wider:
            return _finish(e, statement, header, body, names, entry)
        body.node.destroy()
        types.update(wider)
    raise e.error(
        ErrorKind.LOOP_TYPE, "the types of this loop's variables do not settle", statement
    )


def _declared_or(e: Emitter, name: str, actual: Type) -> Type:
    """The declared type of a variable where it covers what the variable holds."""
    declared = e.declared.get(name, actual)
    return declared if ty.is_subtype(actual, declared) else actual


def _emit_body(
    e: Emitter,
    statement: ast.For | ast.While,
    header: _Header,
    entry: dict[str, Value],
    types: dict[str, Type],
) -> _Body:
    node = e.builder.node(LOOP, [header.trips, header.start, *entry.values()])
    block = node.add_block()
    index = block.add_input(ty.INT)
    with e.builder.at(block), e.child_scope() as scope:
        e.scope.forget()
        for name in entry:
            scope.assign(name, Plain(block.add_input(types[name], name)))
        for name in assigned_names([*statement.body]):
            if name not in entry and isinstance(e.scope.lookup(name), Unusable):
                scope.names[name] = None
        proved = header.begin(index)
        with e.child_scope() as inner:
            refine(e, proved)
            e.loop_depth += 1
            outcomes = e.statements(statement.body)
            e.loop_depth -= 1
            for name in inner.assigned:
                scope.assign(name, inner.names[name])
        block.add_output(_goes_on(e, header, index, outcomes))
    return _Body(node, scope, outcomes)


def _goes_on(e: Emitter, header: _Header, index: Value, outcomes: Outcomes) -> Value:
    """Whether another pass follows."""
    leaving = [jump for jump in (Outcome.RETURN, Outcome.BREAK) if jump in outcomes]
    if not outcomes & {Outcome.FALL, Outcome.CONTINUE}:
        return e.builder.constant(False)
    if not leaving:
        return header.go_on(index)
    flag = exited(e, leaving)
    name = e.fresh("again")

    def stop() -> Outcomes:
        e.scope.assign(name, Plain(e.builder.constant(False)))
        return FALLS

    def test() -> Outcomes:
        e.scope.assign(name, Plain(header.go_on(index)))
        return FALLS

    branch(e, flag, stop, test)
    again = e.scope.lookup(name)
    assert isinstance(again, Plain)
    return again.plain


def _wider(
    e: Emitter,
    statement: ast.stmt,
    body: _Body,
    entry: dict[str, Value],
    types: dict[str, Type],
) -> dict[str, Type]:
    """The carried names whose type must be wider than assumed."""
    wider: dict[str, Type] = {}
    for name, assumed in types.items():
        value = _value_at_end(e, statement, body, name)
        decide_empty(entry[name], value.type)
        decide_empty(value, entry[name].type)
        assumed = (
            entry[name].type if assumed is not entry[name].type and _opened(assumed) else assumed
        )
        if ty.is_subtype(value.type, assumed) and assumed is types[name]:
            continue
        joined = ty.unify(assumed, value.type) or surface.joined(assumed, value.type)
        if joined is None:
            raise _changes_type(e, statement, name, assumed, value.type)
        if joined is not types[name]:
            wider[name] = joined
    return wider


def _opened(type_: Type) -> bool:
    return isinstance(type_, ty.ListType | ty.DictType) and type_.children[0] is ty.NO_RETURN


def _value_at_end(e: Emitter, statement: ast.stmt, body: _Body, name: str) -> Value:
    meaning = body.scope.lookup(name)
    if isinstance(meaning, Unusable):
        raise e.error(meaning.kind, meaning.reason, statement, hint=meaning.hint)
    if not isinstance(meaning, Plain | Constant):
        found = "nothing" if meaning is None else meaning.describe()
        raise e.error(
            ErrorKind.LOOP_TYPE,
            f"'{name}' is a value before the loop and {found} after one pass",
            _assignment_of(statement, name),
        )
    (block,) = body.node.blocks
    with e.builder.at(block):
        return meaning.value(e)


def _changes_type(
    e: Emitter, statement: ast.stmt, name: str, before: Type, after: Type
) -> Exception:
    hint = f"start '{name}' as {ty.annotation(after)}, or use another name inside the loop"
    if (before, after) == (ty.INT, ty.FLOAT):
        hint = f"start '{name}' as a float, such as 0.0"
    return e.error(
        ErrorKind.LOOP_TYPE,
        f"'{name}' changes its type in the loop",
        _assignment_of(statement, name),
        found=f"{ty.annotation(after)} after one pass",
        expected=f"{ty.annotation(before)}, as before the loop",
        hint=hint,
    )


def _assignment_of(statement: ast.stmt, name: str) -> ast.AST:
    for node in ast.walk(statement):
        if isinstance(node, ast.stmt) and node is not statement and name in assigned_names([node]):
            return node
    return statement


def _finish(
    e: Emitter,
    statement: ast.For | ast.While,
    header: _Header,
    body: _Body,
    names: Sequence[str],
    entry: dict[str, Value],
) -> Outcomes:
    """Connect carried values and exit flags, then emit what follows inside the statement."""
    node, outcomes = body.node, body.outcomes
    (block,) = node.blocks
    for offset, name in enumerate(entry):
        block.add_output(_value_at_end(e, statement, body, name))
        output = node.add_output(block.inputs[offset + 1].type, name)
        e.scope.assign(name, Plain(output))
    for name in names:
        if name not in entry:
            e.scope.assign(name, _after_loop(e, header, body, name))
    flags = {
        jump: _carry_flag(e, body, jump)
        for jump in (Outcome.RETURN, Outcome.BREAK)
        if jump in outcomes
    }
    e.scope.forget()
    left: set[Outcome] = set(outcomes & {Outcome.RAISE})
    if Outcome.RETURN in flags:
        left.add(Outcome.RETURN)
        e.scope.assign(Outcome.RETURN.value, Plain(flags[Outcome.RETURN]))
        _carry_result(e, body)
    if not header.endless or Outcome.BREAK in flags:
        left.add(Outcome.FALL)
    if not statement.orelse or header.endless:
        return frozenset(left)

    def otherwise() -> Outcomes:
        if Outcome.BREAK not in flags:
            return e.statements(statement.orelse)
        broke = flags[Outcome.BREAK]
        return branch(e, broke, lambda: FALLS, lambda: e.statements(statement.orelse))

    return unless_exited(e, frozenset(left), otherwise)


def _after_loop(e: Emitter, header: _Header, body: _Body, name: str) -> Sugar:
    """A name that only the body assigns: known after a loop that runs at least once."""
    meaning = body.scope.names.get(name)
    if not header.endless or not isinstance(meaning, Plain):
        return undefined_after_loop(name)
    with e.builder.at(body.node):
        start = e.builder.value(UNINITIALIZED, (), meaning.plain.type)
    return Plain(_carry(body.node, start, meaning.plain))


def _carry_flag(e: Emitter, body: _Body, jump: Outcome) -> Value:
    """A loop output that says whether the loop ended by `jump`."""
    (block,) = body.node.blocks
    if body.outcomes - {jump, Outcome.RAISE}:
        meaning = body.scope.lookup(jump.value)
        assert isinstance(meaning, Plain)
        flag = meaning.plain
    else:
        with e.builder.at(block):
            flag = e.builder.constant(True)
    with e.builder.at(body.node):
        start = e.builder.constant(False)
    return _carry(body.node, start, flag)


def _carry_result(e: Emitter, body: _Body) -> None:
    meaning = body.scope.lookup(RESULT)
    if not isinstance(meaning, Plain):
        e.scope.assign(RESULT, meaning)
        return
    with e.builder.at(body.node):
        start = e.builder.value(UNINITIALIZED, (), meaning.plain.type)
    e.scope.assign(RESULT, Plain(_carry(body.node, start, meaning.plain)))


def _carry(node: Node, start: Value, end: Value) -> Value:
    (block,) = node.blocks
    node.add_input(start)
    block.add_input(end.type)
    block.add_output(end)
    return node.add_output(end.type)


def _unrolled(e: Emitter, statement: ast.For, parts: Sequence[Sugar]) -> Outcomes:
    """A loop over a tuple: its body once for each element."""

    def run(index: int) -> Outcomes:
        if index == len(parts):
            return e.statements(statement.orelse)
        e.grammar.assign(e, statement.target, parts[index])
        here = e.statements(statement.body)
        if Outcome.CONTINUE in here:
            here = here - {Outcome.CONTINUE} | FALLS
        if Outcome.FALL not in here:
            return here
        if here & {Outcome.BREAK, Outcome.RETURN}:
            return unless_exited(e, here, lambda: run(index + 1))
        return here - FALLS | run(index + 1)

    outcomes = run(0)
    if Outcome.BREAK in outcomes:
        outcomes = outcomes - {Outcome.BREAK} | FALLS
    return outcomes
