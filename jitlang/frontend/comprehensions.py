"""Comprehensions: loops that append, written as syntax and emitted in a scope of their own."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TypeVar

from ..errors import ErrorKind
from ..ir.graph import Value
from ..ir.types import Type
from .emitter import Emitter
from .scope import assigned_names
from .sugar import Iterable, Plain

Made = TypeVar("Made", bound=ast.AST)


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
