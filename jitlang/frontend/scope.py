"""What names mean at a point of the program, and what a stretch of source does to them.

A `Scope` is an overlay: a branch or loop body gets a child, and joining compares children. Beside
names it holds refinements of paths (`self.x`, `pair[0]`) that a test has narrowed.

Early exits are variables too: `$returned`, `$result`, `$broke` and `$continued` live in the scope
like any other name, so that branches and loops join them by the same rule.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from ..ir.types import Type

if TYPE_CHECKING:
    from .sugar import Sugar

RESULT = "$result"


class Outcome(Enum):
    """How control may leave a list of statements. The value is the hidden flag that records it."""

    FALL = ""
    RETURN = "$returned"
    BREAK = "$broke"
    CONTINUE = "$continued"
    RAISE = "$raised"


Outcomes = frozenset[Outcome]
FALLS: Outcomes = frozenset({Outcome.FALL})
RAISES: Outcomes = frozenset({Outcome.RAISE})
JUMPS = (Outcome.RETURN, Outcome.BREAK, Outcome.CONTINUE)


def jumps_of(outcomes: Outcomes) -> list[Outcome]:
    """The jumps among the outcomes, in a fixed order."""
    return [jump for jump in JUMPS if jump in outcomes]


class Scope:
    """Names and refined paths, over those of the parent scope."""

    def __init__(self, parent: Scope | None = None) -> None:
        self.parent = parent
        self.names: dict[str, Sugar | None] = {}
        self.refined: set[str] = set()
        self.paths: dict[str, Type | None] = {}
        self.stable: set[str] = set()

    def lookup(self, name: str) -> Sugar | None:
        """What a name means here, or None."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def assign(self, name: str, meaning: Sugar | None) -> None:
        """Give a name a meaning; None removes it. Refined paths through the name are forgotten."""
        self.names[name] = meaning
        self.refined.discard(name)
        self.forget(name)

    def refine(self, name: str, meaning: Sugar) -> None:
        """Narrow what a name means, without an assignment in the program."""
        if name not in self.names or name in self.refined:
            self.refined.add(name)
        self.names[name] = meaning

    def path_type(self, path: str) -> Type | None:
        """The type to which a test narrowed a path, or None."""
        scope: Scope | None = self
        while scope is not None:
            if path in scope.paths:
                return scope.paths[path]
            scope = scope.parent
        return None

    def refine_path(self, path: str, type_: Type, *, stable: bool) -> None:
        """Record that a path has been narrowed; `stable` if it goes through tuples, which never
        change.
        """
        self.paths[path] = type_
        if stable:
            self.stable.add(path)

    def forget(self, root: str | None = None) -> None:
        """Forget narrowed paths: those that start at `root`, or all that a write may have changed.
        """
        for path, stable in list(self._all_paths()):
            if path.startswith((f"{root}.", f"{root}[")) if root is not None else not stable:
                self.paths[path] = None

    def _all_paths(self) -> Iterator[tuple[str, bool]]:
        scope: Scope | None = self
        while scope is not None:
            for path in scope.paths:
                yield path, path in scope.stable
            scope = scope.parent

    @property
    def assigned(self) -> list[str]:
        """Names assigned in this scope, in order (refinements do not count)."""
        return [name for name in self.names if name not in self.refined]


class _AssignedNames(ast.NodeVisitor):
    """Collects the names that statements bind in the function's own scope."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.names[node.id] = None

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.generic_visit(node)

    def _visit_comprehension(self, node: ast.expr) -> None:
        """Only walrus targets leave a comprehension."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr):
                self.visit(inner.target)

    visit_ListComp = visit_DictComp = visit_SetComp = visit_GeneratorExp = _visit_comprehension

    def _skip(self, node: ast.AST) -> None:
        """Nested functions and classes have scopes of their own."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.names[node.name] = None

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _skip


def assigned_names(nodes: Iterable[ast.AST]) -> list[str]:
    """Names that the nodes bind, in order of appearance."""
    visitor = _AssignedNames()
    for node in nodes:
        visitor.visit(node)
    return list(visitor.names)


def possible_outcomes(statements: Sequence[ast.stmt]) -> Outcomes:
    """How control may leave the statements, judged by their form alone."""
    outcomes: set[Outcome] = set()
    for statement in statements:
        here = _outcomes_of(statement)
        outcomes |= here - {Outcome.FALL}
        if Outcome.FALL not in here:
            return frozenset(outcomes)
    return frozenset(outcomes | {Outcome.FALL})


def _outcomes_of(statement: ast.stmt) -> Outcomes:
    match statement:
        case ast.Return():
            return frozenset({Outcome.RETURN})
        case ast.Break():
            return frozenset({Outcome.BREAK})
        case ast.Continue():
            return frozenset({Outcome.CONTINUE})
        case ast.Raise():
            return RAISES
        case ast.If():
            return possible_outcomes(statement.body) | possible_outcomes(statement.orelse)
        case ast.With():
            return possible_outcomes(statement.body)
        case ast.For() | ast.While():
            inner = possible_outcomes(statement.body)
            after = possible_outcomes(statement.orelse)
            left = (inner - {Outcome.BREAK, Outcome.CONTINUE, Outcome.FALL}) | after
            endless = isinstance(statement, ast.While) and _is_true(statement.test)
            if endless:
                left -= after
            return left | (FALLS if Outcome.BREAK in inner else frozenset())
    return FALLS


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def path_of(node: ast.expr) -> str | None:
    """The spelling of a name, attribute or constant-subscript chain, or None for anything else."""
    match node:
        case ast.Name():
            return node.id
        case ast.NamedExpr():
            return node.target.id
        case ast.Attribute():
            base = path_of(node.value)
            return None if base is None else f"{base}.{node.attr}"
        case ast.Subscript(slice=ast.Constant(value=int() | str() as key)):
            base = path_of(node.value)
            return None if base is None else f"{base}[{key!r}]"
        case ast.Subscript(
            slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as key))
        ):
            base = path_of(node.value)
            return None if base is None else f"{base}[{-key!r}]"
    return None
