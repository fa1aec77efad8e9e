"""Finding the source of a function: files, notebooks, the REPL, anything that `linecache` knows.

Columns are kept as they stand in the file: an indented definition is parsed inside an `if` of its
own instead of being dedented, so that carets point at the right place.
"""

from __future__ import annotations

import ast
import inspect
import sysconfig
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import CompileError, ErrorKind, SourceSpan


@dataclass(frozen=True)
class FunctionSource:
    """A function's syntax tree with what is needed to point into its text and to look names up."""

    name: str
    tree: ast.FunctionDef
    filename: str
    lines: tuple[str, ...]
    first_line: int
    namespace: Mapping[str, Any]
    function: Callable[..., Any] | None = None
    cells: Mapping[str, types.CellType] = field(default_factory=dict)

    def header(self) -> SourceSpan:
        """The line of the `def`, for what concerns the function as a whole."""
        line, column = self.tree.lineno, self.tree.col_offset
        index = line - self.first_line
        text = self.lines[index].rstrip() if 0 <= index < len(self.lines) else ""
        end = len(text.encode())
        return SourceSpan(
            self.filename, line, column, line, end, self.name, self.lines, self.first_line
        )

    def span(self, node: ast.AST) -> SourceSpan:
        """Where a syntax node stands in the file; of a compound statement, its head."""
        line = getattr(node, "lineno", self.tree.lineno)
        end_line, end_column = _end_of(node, line)
        return SourceSpan(
            self.filename,
            line,
            getattr(node, "col_offset", 0),
            end_line,
            end_column,
            self.name,
            self.lines,
            self.first_line,
        )


_BODIES = ("body", "orelse", "handlers", "finalbody", "cases", "decorator_list", "type_params")
_KEYWORDS: dict[type[ast.stmt], int] = {
    ast.FunctionDef: len("def "), ast.AsyncFunctionDef: len("async def "),
    ast.ClassDef: len("class "), ast.Try: len("try"),
}  # fmt: skip


def _end_of(node: ast.AST, line: int) -> tuple[int, int]:
    """Where the drawn part of a node ends: bodies are left out."""
    if not isinstance(node, ast.stmt) or not (hasattr(node, "body") or hasattr(node, "cases")):
        return getattr(node, "end_lineno", None) or line, getattr(node, "end_col_offset", None) or 0
    if type(node) in _KEYWORDS:
        return line, node.col_offset + _KEYWORDS[type(node)] + len(getattr(node, "name", ""))
    parts = [value for name, value in ast.iter_fields(node) if name not in _BODIES]
    inside = [n for part in parts for n in _nodes(part) if getattr(n, "end_lineno", None)]
    ends = [(n.end_lineno, n.end_col_offset) for n in inside]
    return max(ends, default=(line, node.col_offset))


def _nodes(part: object) -> list[Any]:
    items = part if isinstance(part, list) else [part]
    return [inner for item in items if isinstance(item, ast.AST) for inner in ast.walk(item)]


def source_of(function: Callable[..., Any]) -> FunctionSource:
    """Parse the definition of a Python function.

    Raises:
        CompileError: the source cannot be found (NO_SOURCE), or the object is not a plain `def`
            (UNSUPPORTED_CALLEE, UNSUPPORTED_EXPRESSION for a lambda, UNSUPPORTED_STATEMENT for
            `async`).
    """
    name = getattr(function, "__name__", repr(function))
    if not isinstance(function, types.FunctionType):
        kind = type(function).__name__
        raise CompileError(
            ErrorKind.UNSUPPORTED_CALLEE,
            f"'{name}' is not a Python function ({kind})",
            hint="script a function defined with `def`",
        )
    if function.__name__ == "<lambda>":
        raise CompileError(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            "a lambda cannot be scripted",
            _lambda_span(function),
            hint="write it as a plain `def`",
        )
    try:
        # The code object, not the function: `inspect` would follow `__wrapped__` to another body.
        lines, first_line = inspect.getsourcelines(function.__code__)
    except (OSError, TypeError) as error:
        raise CompileError(
            ErrorKind.NO_SOURCE,
            f"the source of '{name}' cannot be found ({error})",
            hint="define the function in a file, a notebook cell, or text that `linecache` knows",
        ) from None
    filename = inspect.getsourcefile(function.__code__) or function.__code__.co_filename
    tree = _parse(lines, first_line, filename, name)
    definition = _definition(tree, name, filename, tuple(lines), first_line)
    cells = dict(
        zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    )
    return FunctionSource(
        name, definition, filename, tuple(lines), first_line, function.__globals__, function, cells
    )


def nested_too_deeply(source: FunctionSource) -> CompileError:
    """The rejection of a function on which Python's own stack would run out."""
    return CompileError(
        ErrorKind.NESTING_TOO_DEEP,
        f"'{source.name}' is nested too deeply",
        source.header(),
        hint="split the function, or replace long elif chains by a loop over a list",
    )


def _lambda_span(function: types.FunctionType) -> SourceSpan | None:
    """Where a lambda stands, as far as the source is at hand."""
    code = function.__code__
    try:
        lines, _ = inspect.findsource(code)
        tree = ast.parse("".join(lines))
    except (OSError, TypeError, SyntaxError):
        return None
    first = code.co_firstlineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and node.lineno == first:
            end, column = node.end_lineno or first, node.end_col_offset or 0
            return SourceSpan(
                code.co_filename, first, node.col_offset, end, column, "", tuple(lines), 1
            )
    return SourceSpan(code.co_filename, first, 0, first, 0, "", tuple(lines), 1)


def _parse(lines: list[str], first_line: int, filename: str, name: str) -> ast.Module:
    text = "".join(lines)
    indented = lines[0][:1].isspace()
    wrapped = f"if True:\n{text}" if indented else text
    try:
        tree = ast.parse(wrapped)
    except SyntaxError as error:
        line = (error.lineno or 1) - indented + first_line - 1
        column = (error.offset or 1) - 1
        span = SourceSpan(filename, line, column, line, column + 1, name, tuple(lines), first_line)
        raise CompileError(ErrorKind.SYNTAX, f"invalid syntax: {error.msg}", span) from None
    ast.increment_lineno(tree, first_line - 1 - indented)
    return tree


def _definition(
    tree: ast.Module, name: str, filename: str, lines: tuple[str, ...], first_line: int
) -> ast.FunctionDef:
    statement: ast.AST = tree.body[0]
    if isinstance(statement, ast.If):
        statement = statement.body[0]
    if isinstance(statement, ast.FunctionDef):
        return statement
    if not isinstance(statement, ast.AsyncFunctionDef):
        raise CompileError(
            ErrorKind.NO_SOURCE,
            f"the source of '{name}' is not at its place: no `def` starts there",
            SourceSpan(filename, first_line, 0, first_line, 0, name, lines, first_line),
            hint="the file may have changed since it was imported; import it again",
        )
    line, column = _end_of(statement, statement.lineno)
    raise CompileError(
        ErrorKind.UNSUPPORTED_STATEMENT,
        f"'{name}' is an async function",
        SourceSpan(
            filename, statement.lineno, statement.col_offset, line, column, name, lines, first_line
        ),
        hint="write it as a plain `def`",
    )


def parse_text(text: str, filename: str = "<string>", first_line: int = 1) -> ast.Module:
    """Parse a whole text.

    Raises:
        CompileError: the text is not Python (SYNTAX).
    """
    lines = tuple(text.splitlines(keepends=True))
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        line, column = error.lineno or 1, (error.offset or 1) - 1
        span = SourceSpan(filename, line, column, line, column + 1, "", lines, 1)
        raise CompileError(ErrorKind.SYNTAX, f"invalid syntax: {error.msg}", span) from None
    return ast.increment_lineno(tree, first_line - 1)


_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


def is_standard_library(function: types.FunctionType) -> bool:
    """Whether Python's own library defines the function: it was not written to be scripted."""
    filename = function.__code__.co_filename
    return filename.startswith(_STANDARD_LIBRARY) and not is_installed(function)


def is_installed(function: types.FunctionType) -> bool:
    """Whether an installed package defines the function."""
    return function.__code__.co_filename.startswith(_INSTALLED)
