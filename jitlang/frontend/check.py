"""What decoration finds without types: syntax, unsupported constructs, undefined names, arity.

Branches that a folded constant decides against are skipped, as they are when the function is
compiled. Calls are counted only where the callee is a plain function and nothing is starred.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import CompileError, ErrorKind, did_you_mean
from . import hints
from .binding import parameters_of
from .expressions import EXCLUDED as EXCLUDED_EXPRESSIONS
from .scope import assigned_names
from .source import FunctionSource, nested_too_deeply, source_of
from .statements import EXCLUDED as EXCLUDED_STATEMENTS

_MISSING: Any = object()


def check_function(function: Callable[..., Any]) -> None:
    """Reject what no signature could make right.

    Raises:
        CompileError: the first such place in the source.
    """
    source = source_of(function)
    parameters_of(source)
    try:
        _Check(source).run()
    except RecursionError:
        raise nested_too_deeply(source) from None


class _Check:
    """The check of one function; `local` names are its own, `known` names include comprehensions'.
    """

    def __init__(self, source: FunctionSource) -> None:
        self.source = source
        arguments = source.tree.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        given += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        self.local = {a.arg for a in given} | set(assigned_names(source.tree.body))
        targets = [n.target for n in ast.walk(source.tree) if isinstance(n, ast.comprehension)]
        self.known = self.local | set(assigned_names(targets))

    def run(self) -> None:
        """Check every node."""
        for node in self.reachable(self.source.tree.body):
            self.check(node)

    def reachable(self, statements: list[ast.stmt]) -> Iterator[ast.AST]:
        """Every node that is not in a branch that a constant decides against, or in an annotation.
        """
        for statement in statements:
            yield from self.walk(statement)

    def walk(self, node: ast.AST) -> Iterator[ast.AST]:
        yield node
        if isinstance(node, ast.If):
            known = self.known_truth(node.test)
            if known is not None:
                yield from self.reachable(node.body if known else node.orelse)
                return
        if type(node) in EXCLUDED_STATEMENTS or type(node) in EXCLUDED_EXPRESSIONS:
            return
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            children = value if isinstance(value, list) else [value]
            for child in children:
                if isinstance(child, ast.AST):
                    yield from self.walk(child)

    def known_truth(self, test: ast.expr) -> bool | None:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.known_truth(test.operand)
            return None if inner is None else not inner
        if isinstance(test, ast.Constant):
            return bool(test.value)
        found = self.outside(test)
        return bool(found) if isinstance(found, bool | int | float | str | type(None)) else None

    def outside(self, node: ast.expr) -> Any:
        """The object that a global name or an attribute of one refers to, or `_MISSING`."""
        if isinstance(node, ast.Attribute):
            owner = self.outside(node.value)
            is_module = isinstance(owner, types.ModuleType)
            return getattr(owner, node.attr, _MISSING) if is_module else _MISSING
        if not isinstance(node, ast.Name) or node.id in self.local:
            return _MISSING
        cell = self.source.cells.get(node.id)
        if cell is not None:
            try:
                return cell.cell_contents
            except ValueError:
                return _MISSING
        return self.source.namespace.get(node.id, _MISSING)

    def check(self, node: ast.AST) -> None:
        for table, kind in (
            (EXCLUDED_STATEMENTS, ErrorKind.UNSUPPORTED_STATEMENT),
            (EXCLUDED_EXPRESSIONS, ErrorKind.UNSUPPORTED_EXPRESSION),
        ):
            if type(node) in table:
                what, hint = table[type(node)]  # type: ignore[index]
                message = f"{what} is not in the language"
                raise CompileError(kind, message, self.source.span(node), hint=hint)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self.check_name(node)
        if isinstance(node, ast.Call):
            self.check_arity(node)

    def check_name(self, node: ast.Name) -> None:
        name, source = node.id, self.source
        outside = (source.cells, source.namespace, vars(builtins))
        if name in self.known or any(name in names for names in outside):
            return
        near = [*self.known, *source.cells]
        far = [*source.namespace, *vars(builtins)]
        raise CompileError(
            ErrorKind.UNDEFINED_NAME,
            f"undefined name '{name}'",
            source.span(node),
            hint=_defined_below(source, name)
            or did_you_mean(name, near, far)
            or hints.for_name(name),
        )

    def check_arity(self, node: ast.Call) -> None:
        callee = self.outside(node.func)
        callee = getattr(callee, "__jitlang_function__", callee)
        starred = any(isinstance(a, ast.Starred) for a in node.args)
        if not isinstance(callee, types.FunctionType) or starred:
            return
        if any(k.arg is None for k in node.keywords) or hasattr(callee, "__jitlang_special__"):
            return
        signature = inspect.signature(callee, follow_wrapped=False)
        unknown = [k for k in node.keywords if k.arg not in signature.parameters]
        takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        if unknown and not takes_any:
            raise CompileError(
                ErrorKind.UNKNOWN_KEYWORD,
                f"'{callee.__name__}' has no parameter '{unknown[0].arg}'",
                self.source.span(unknown[0]),
                expected=_shown(callee, signature),
                hint=did_you_mean(unknown[0].arg or "", signature.parameters),
            )
        try:
            signature.bind(*node.args, **{k.arg: k.value for k in node.keywords if k.arg})
        except TypeError as error:
            raise CompileError(
                ErrorKind.ARITY,
                f"'{callee.__name__}' cannot be called like this: {error}",
                self.source.span(node),
                expected=_shown(callee, signature),
            ) from None


def _defined_below(source: FunctionSource, name: str) -> str | None:
    """The hint for a name that the module defines only after the function."""
    definition = re.compile(rf"((async )?def|class) {name}\b|{name}\s*(:[^=]*)?=[^=]")
    for number, line in enumerate(linecache.getlines(source.filename), 1):
        if number > source.tree.lineno and definition.match(line):
            return f"'{name}' is defined in line {number}, after this function: move it above"
    return None


def _shown(callee: types.FunctionType, signature: inspect.Signature) -> str:
    """A signature with annotations as people write them."""
    parameters = [
        p.replace(annotation=_Written(p.annotation)) if p.annotation is not p.empty else p
        for p in signature.parameters.values()
    ]
    returns = signature.return_annotation
    if returns is not signature.empty:
        returns = _Written(returns)
    return f"{callee.__name__}{signature.replace(parameters=parameters, return_annotation=returns)}"


class _Written(str):
    """The text of an annotation, which `inspect` shows by its repr."""

    def __new__(cls, annotation: object) -> _Written:
        if isinstance(annotation, type) and not typing.get_args(annotation):
            return super().__new__(cls, annotation.__name__)
        return super().__new__(
            cls, re.sub(r"\b[a-z_]+(\.[a-z_]+)*\.(?=[A-Z])", "", str(annotation))
        )

    def __repr__(self) -> str:
        return str(self)
