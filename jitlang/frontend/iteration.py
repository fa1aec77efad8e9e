"""Loops, iterables and comprehensions.

Every loop is one `prim::Loop`. Names that the body assigns and that mean a value before the loop
are carried; their types are found by emitting the body until what comes out fits what went in.
Loops over tuples are unrolled. Comprehensions are loops that append, written as syntax and emitted
in a scope of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import LOOP, UNINITIALIZED, Node, Value
from ..ir.types import Type
from . import hints, surface
from .conditions import Condition, Refinements, condition, refine
from .emitter import INT64_MAX, Emitter
from .flow import branch, decide_empty, exited, undefined_after_loop, unless_exited
from .scope import FALLS, RESULT, Outcome, Outcomes, Scope, assigned_names, possible_outcomes
from .sugar import Constant, Iterable, Keywords, Parts, Plain, Sugar, Unusable

Made = TypeVar("Made", bound=ast.AST)

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


# Iterables ----------------------------------------------------------------------------------------


def iterable_of(e: Emitter, meaning: Sugar) -> Iterable | Sequence[Sugar]:
    """What a loop over this meaning walks: an iterable, or parts known at compile time.

    Raises:
        CompileError: it cannot be walked (NOT_ITERABLE, or OPTIONAL_NOT_REFINED).
    """
    if isinstance(meaning, Iterable):
        return meaning if meaning.parts is None else meaning.parts
    if isinstance(meaning, Keywords):
        return meaning.elements(e) or ()
    parts = meaning.elements(e)
    if parts is not None:
        return parts
    if not isinstance(meaning, Plain | Constant):
        raise e.error(ErrorKind.NOT_ITERABLE, f"{meaning.describe()} cannot be iterated over")
    return value_iterable(e, meaning.value(e))


def value_iterable(e: Emitter, value: Value) -> Iterable:
    """The iterable over a list, string, dict or tensor."""
    if value.node.kind == "prim::ListConstruct" and not value.node.inputs and not value.name:
        decide_empty(value, ty.ListType(ty.TENSOR))  # `for x in []`
    type_ = value.type
    grows = isinstance(type_, ty.ListType)
    if surface.is_numpy(type_):
        return _array_iterable(value)
    if isinstance(type_, ty.TensorType):
        value = e.builder.op("aten::unbind", value, e.builder.constant(0))
    elif isinstance(type_, ty.DictType):
        value = e.builder.op("aten::keys", value)
    elif type_ is ty.ANY:
        value = e.builder.op("jit::list", value)
    elif not isinstance(type_, ty.ListType | ty.SequenceType) and type_ is not ty.STR:
        if isinstance(type_, ty.OptionalType):
            raise e.not_refined(e.node, type_, "which cannot be iterated over")
        raise e.error(
            ErrorKind.NOT_ITERABLE,
            "this cannot be iterated over",
            found=ty.annotation(type_),
            expected="a list, tuple, string, dict, tensor, range, enumerate, zip or reversed",
            hint=hints.for_iteration(type_),
        )
    return Iterable(
        ty.annotation(type_),
        lambda e: e.builder.op("aten::len", value),
        lambda e, index: Plain(e.builder.op("aten::__getitem__", value, index)),
        grows=grows,
    )


def _array_iterable(value: Value) -> Iterable:
    """An array is walked by index, as NumPy does: what the loop writes is seen."""
    return Iterable(
        ty.annotation(value.type),
        lambda e: e.builder.op("jit::dynamic_len", value),
        lambda e, index: Plain(e.builder.op("jit::array_item", value, index)),
    )


def range_iterable(e: Emitter, start: Value, stop: Value, step: Value) -> Iterable:
    """`range(start, stop, step)`."""
    simple_step = step.constant() == 1
    from_zero = simple_step and start.constant() == 0

    def length(e: Emitter) -> Value:
        return e.builder.op("aten::__range_length", start, stop, step)

    def item(e: Emitter, index: Value) -> Sugar:
        if from_zero:
            return Plain(index)
        return Plain(e.builder.op("aten::__derive_index", index, start, step))

    trips = (lambda e: stop) if from_zero else None
    return Iterable("a range", length, item, trips=trips, bounds=(start, stop, step))


def enumerate_iterable(e: Emitter, meaning: Sugar, start: Value) -> Iterable:
    """`enumerate(iterable, start)`."""
    source = iterable_of(e, meaning)
    zero = start.constant() == 0

    def number(e: Emitter, index: Value) -> Sugar:
        return Plain(index if zero else e.builder.op("aten::add", index, start))

    if not isinstance(source, Iterable):
        parts = [
            Parts([number(e, e.builder.constant(i)), part]) for i, part in enumerate(source)
        ]
        return static_iterable("enumerate", parts)
    return Iterable(
        "an enumerate",
        source.length,
        lambda e, index: Parts([number(e, index), source.item(e, index)]),
        trips=source.trips,
        grows=source.grows,
    )


def zip_iterable(e: Emitter, meanings: Sequence[Sugar]) -> Iterable:
    """`zip(...)`: as long as the shortest."""
    sources = [iterable_of(e, meaning) for meaning in meanings]
    static = [source for source in sources if not isinstance(source, Iterable)]
    if len(static) == len(sources):
        return static_iterable("zip", [Parts(parts) for parts in zip(*static, strict=False)])
    walked = [
        source
        if isinstance(source, Iterable)
        else value_iterable(e, e.list_display([part.value(e) for part in source]))
        for source in sources
    ]

    def length(e: Emitter) -> Value:
        shortest = walked[0].length(e)
        for source in walked[1:]:
            shortest = e.builder.op("prim::min", shortest, source.length(e))
        return shortest

    return Iterable(
        "a zip",
        length,
        lambda e, index: Parts([source.item(e, index) for source in walked]),
        grows=any(source.grows for source in walked),
    )


def reversed_iterable(e: Emitter, meaning: Sugar) -> Iterable:
    """`reversed(sequence)`."""
    source = iterable_of(e, meaning)
    if not isinstance(source, Iterable):
        return static_iterable("reversed", list(reversed(source)))
    count = source.length(e)

    def item(e: Emitter, index: Value) -> Sugar:
        last = e.builder.op("aten::sub", count, e.builder.constant(1))
        return source.item(e, e.builder.op("aten::sub", last, index))

    return Iterable("a reversed", lambda e: count, item)


def static_iterable(label: str, parts: Sequence[Sugar]) -> Iterable:
    """An iterable whose parts are known at compile time."""

    def item(e: Emitter, index: Value) -> Sugar:
        raise e.error(ErrorKind.NOT_ITERABLE, f"the parts of this {label} have different types")

    return Iterable(label, lambda e: e.builder.constant(len(parts)), item, parts=parts)


def collect(e: Emitter, source: Iterable) -> Value:
    """The elements of an iterable as a list value."""
    if source.parts is not None:
        return e.list_display([part.value(e) for part in source.parts])
    name, element = e.fresh("iterable"), e.fresh("element")
    node = _located(e, ast.Name(element, ast.Load()))
    target = _located(e, ast.Name(element, ast.Store()))
    with e.child_scope():
        e.scope.assign(name, source)
        generator = ast.comprehension(target, _located(e, ast.Name(name, ast.Load())), [], 0)
        return list_comprehension(e, node, [generator], None)


# Comprehensions -----------------------------------------------------------------------------------


def list_comprehension(
    e: Emitter, element: ast.expr, generators: Sequence[ast.comprehension], expected: Type | None
) -> Value:
    """`[element for ...]` as a list value."""
    name = e.fresh("list")
    append = ast.Attribute(ast.Name(name, ast.Load()), "append", ast.Load())
    step: ast.stmt = ast.Expr(ast.Call(append, [element], []))
    empty = e.list_display([], expected)
    return _comprehend(e, name, empty, step, generators)


def dict_comprehension(
    e: Emitter, node: ast.DictComp, expected: Type | None
) -> Value:
    """`{key: value for ...}` as a dict value."""
    name = e.fresh("dict")
    target = ast.Subscript(ast.Name(name, ast.Load()), node.key, ast.Store())
    step: ast.stmt = ast.Assign([target], node.value)
    return _comprehend(e, name, e.dict_display([], [], expected), step, node.generators)


def any_of_generator(e: Emitter, generator: ast.GeneratorExp, *, stop_on: bool) -> Value:
    """`any(...)` and `all(...)` over a generator: stops where the answer is known."""
    name = e.fresh("found")
    answer = ast.Assign([ast.Name(name, ast.Store())], ast.Constant(stop_on))
    test = generator.elt if stop_on else ast.UnaryOp(ast.Not(), generator.elt)
    step: ast.stmt = ast.If(test, [answer, ast.Break()], [])
    generators = generator.generators
    if len(generators) > 1:
        raise e.error(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            "any and all take a generator with one `for`",
            hint="write the loops out",
        )
    return _comprehend(e, name, e.builder.constant(not stop_on), step, generators)


def _comprehend(
    e: Emitter,
    name: str,
    start: Value,
    step: ast.stmt,
    generators: Sequence[ast.comprehension],
) -> Value:
    """Run `step` for every element; target names live in a scope of their own."""
    targets = assigned_names([g.target for g in generators])
    first = e.expression(generators[0].iter)
    source = e.fresh("iter")
    written = assigned_names([step, *(test for g in generators for test in g.ifs)])
    walrus = [n for n in written if n not in targets and n != name]
    with e.child_scope() as scope:
        for target in targets:
            scope.names[target] = None
        scope.assign(source, first)
        scope.assign(name, Plain(start))
        statement = step
        for position, generator in reversed(list(enumerate(generators))):
            for test in reversed(generator.ifs):
                statement = ast.If(test, [statement], [])
            walked = generator.iter
            if position == 0:
                walked = ast.copy_location(ast.Name(source, ast.Load()), generator.iter)
            statement = ast.For(generator.target, walked, [statement], [])
        hidden = e.locals
        e.locals = e.locals | frozenset(targets)
        e.statements([_located(e, statement)])
        e.locals = hidden
        result = scope.lookup(name)
        left = {n: scope.names[n] for n in walrus if n in scope.names}
    for outside, meaning in left.items():
        e.scope.assign(outside, meaning)
    assert isinstance(result, Plain)
    return result.plain


def _located(e: Emitter, node: Made) -> Made:
    """Give made-up syntax the place of the expression it stands for; real parts keep theirs."""
    for inner in ast.walk(node):
        if not hasattr(inner, "lineno") and "lineno" in inner._attributes:
            ast.copy_location(inner, e.node)
    return node
