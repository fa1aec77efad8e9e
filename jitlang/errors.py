"""Every way in which jitlang says no: source spans, rejections, and how they are drawn.

The contract: a rejection is an `ErrorKind`. Its category decides what may happen to it:
`UNSUPPORTED` in a callee may become a call back into Python, `WRONG` never does. `CompileError`
carries the kind, the span, what was found, what was expected, a hint, and the chain of calls that
led to it. An error while a graph runs keeps its Python class; `attach_script_stack` adds the
script's own stack as a note.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

CONTEXT_LINES = 1  # drawn above the marked lines
MOST_LINES = 4  # drawn of an expression before the rest but its last line is left out


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A stretch of source text. Lines count from 1 and columns from 0, as in `ast`."""

    filename: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    function: str = ""
    lines: tuple[str, ...] = field(default=(), repr=False, compare=False)
    first_line: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}:{self.column}"

    def text_at(self, line: int) -> str | None:
        """The source text of one line, or None where the source is not at hand."""
        index = line - self.first_line
        return self.lines[index] if 0 <= index < len(self.lines) else None

    def render(self, indent: str = "  ") -> str:
        """The location, an excerpt with a line number gutter, and a caret line under the span."""
        where = f", in {self.function}" if self.function else ""
        drawn = [f'{indent}File "{self.filename}", line {self.line}{where}']
        last = max(self.end_line, self.line)
        width = len(str(last))
        for number in range(self.line - CONTEXT_LINES, last + 1):
            text = self.text_at(number)
            if text is None or MOST_LINES <= number - self.line < last - self.line:
                continue
            if last - self.line > MOST_LINES and number == last:
                drawn.append(f"{indent}{' ' * width} | ...")
            drawn.append(f"{indent}{number:>{width}} | {text.rstrip()}")
            if number >= self.line:
                drawn.append(f"{indent}{' ' * width} | {self._carets(number, text.rstrip())}")
        return "\n".join(drawn)

    def _carets(self, number: int, text: str) -> str:
        """Columns of `ast` count UTF-8 bytes; the caret line counts cells of a terminal."""
        encoded = text.encode()
        start = self.column if number == self.line else len(encoded) - len(encoded.lstrip())
        stop = self.end_column if number == max(self.end_line, self.line) else len(encoded)
        before = encoded[:start].decode(errors="replace")
        marked = encoded[start:stop].decode(errors="replace")
        blank = "".join("\t" if c == "\t" else " " * _cells(c) for c in before)
        return blank + "^" * max(sum(map(_cells, marked)), 1)


def _cells(character: str) -> int:
    """How many cells of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Category(Enum):
    """What a rejection means for the caller (decision 18 of the design)."""

    UNSUPPORTED = "unsupported"
    WRONG = "wrong"


class ErrorKind(Enum):
    """Every rejection, once. The value is (code, category)."""

    # The language excludes it: a callee with one of these may be called back in Python.
    UNSUPPORTED_STATEMENT = ("unsupported-statement", Category.UNSUPPORTED)
    UNSUPPORTED_EXPRESSION = ("unsupported-expression", Category.UNSUPPORTED)
    UNSUPPORTED_CALLEE = ("unsupported-callee", Category.UNSUPPORTED)
    UNSUPPORTED_ANNOTATION = ("unsupported-annotation", Category.UNSUPPORTED)
    UNSUPPORTED_VALUE = ("unsupported-value", Category.UNSUPPORTED)
    NO_SOURCE = ("no-source", Category.UNSUPPORTED)
    RECURSION = ("recursion", Category.UNSUPPORTED)
    NESTING_TOO_DEEP = ("nesting-too-deep", Category.UNSUPPORTED)
    # The program is wrong.
    SYNTAX = ("syntax", Category.WRONG)
    UNDEFINED_NAME = ("undefined-name", Category.WRONG)
    MAYBE_UNDEFINED = ("maybe-undefined", Category.WRONG)
    UNDEFINED_ATTRIBUTE = ("undefined-attribute", Category.WRONG)
    ARITY = ("arity", Category.WRONG)
    UNKNOWN_KEYWORD = ("unknown-keyword", Category.WRONG)
    ARGUMENT_TYPE = ("argument-type", Category.WRONG)
    NO_OVERLOAD = ("no-overload", Category.WRONG)
    OPERATOR_TYPE = ("operator-type", Category.WRONG)
    CONDITION_TYPE = ("condition-type", Category.WRONG)
    OPTIONAL_NOT_REFINED = ("optional-not-refined", Category.WRONG)
    BRANCH_TYPE = ("branch-type", Category.WRONG)
    LOOP_TYPE = ("loop-type", Category.WRONG)
    RETURN_TYPE = ("return-type", Category.WRONG)
    ASSIGNED_TYPE = ("assigned-type", Category.WRONG)
    ELEMENT_TYPE = ("element-type", Category.WRONG)
    UNPACK = ("unpack", Category.WRONG)
    NOT_CALLABLE = ("not-callable", Category.WRONG)
    NOT_ITERABLE = ("not-iterable", Category.WRONG)
    NOT_SUBSCRIPTABLE = ("not-subscriptable", Category.WRONG)
    TUPLE_INDEX = ("tuple-index", Category.WRONG)
    ASSIGN_TARGET = ("assign-target", Category.WRONG)
    RAISED_VALUE = ("raised-value", Category.WRONG)
    FORMAT_SPEC = ("format-spec", Category.WRONG)
    INTEGER_TOO_BIG = ("integer-too-big", Category.WRONG)
    STRICT_FALLBACK = ("strict-fallback", Category.WRONG)
    # Text interfaces.
    SCHEMA_TEXT = ("schema-text", Category.WRONG)
    GRAPH_TEXT = ("graph-text", Category.WRONG)
    INVALID_GRAPH = ("invalid-graph", Category.WRONG)

    @property
    def code(self) -> str:
        """The kind's name as it appears in messages and in `# E:` comments."""
        return self.value[0]

    @property
    def category(self) -> Category:
        """Whether the language excludes the construct or the program is wrong."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class CallEdge:
    """One call that led to a rejection: `callee` is compiled since `span` calls it."""

    callee: str
    span: SourceSpan


class CompileError(RuntimeError):
    """A function, schema or graph was rejected before it ran.

    Derives from RuntimeError, as TorchScript's own errors do.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        span: SourceSpan | None = None,
        *,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
        chain: Sequence[CallEdge] = (),
    ) -> None:
        self.kind = kind
        self.message = message
        self.span = span
        self.found = found
        self.expected = expected
        self.hint = hint
        self.chain: list[CallEdge] = list(chain)
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_compile_error, (
            self.kind, self.message, self.span, self.found, self.expected, self.hint, self.chain,
        )  # fmt: skip

    def __str__(self) -> str:
        drawn = [f"[{self.kind.code}] {self.message}"]
        if self.span is not None:
            drawn.append(self.span.render())
        for label in ("found", "expected", "hint"):
            text = getattr(self, label)
            if text:
                drawn.append(f"  {label + ':':9} {text}")
        for edge in self.chain:
            drawn.append(f"  '{edge.callee}' is compiled since it is called here:")
            drawn.append(edge.span.render("    "))
        return "\n".join(drawn)


def _rebuild_compile_error(
    kind: ErrorKind,
    message: str,
    span: SourceSpan | None,
    found: str | None,
    expected: str | None,
    hint: str | None,
    chain: list[CallEdge],
) -> CompileError:
    return CompileError(
        kind, message, span, found=found, expected=expected, hint=hint, chain=chain
    )


class ScriptError(RuntimeError):
    """An error raised by a running script that has no Python class of its own (`jl.jit.Error`)."""


class FallbackWarning(UserWarning):
    """A scripted function calls back into Python; the message names the reason and the line."""


SCRIPT_STACK_TITLE = "Script stack (most recent call last):"


def attach_script_stack(error: BaseException, spans: Iterable[SourceSpan | None]) -> None:
    """Add the script's own stack, outermost call first, to an exception as a note.

    A script called by a script adds its frames above those that the callee noted before.
    """
    frames = [span.render() for span in spans if span is not None]
    if not frames:
        return
    notes = getattr(error, "__notes__", [])
    for index, note in enumerate(notes):
        if note.startswith(SCRIPT_STACK_TITLE):
            inner = note[len(SCRIPT_STACK_TITLE) + 1 :]
            notes[index] = "\n".join([SCRIPT_STACK_TITLE, *frames, inner])
            return
    error.add_note("\n".join([SCRIPT_STACK_TITLE, *frames]))


NEAR, VERY_NEAR, MUCH_WORSE = 0.6, 0.76, 0.15


def nearest_names(
    name: str, candidates: Iterable[str], limit: int = 3, cutoff: float = NEAR
) -> list[str]:
    """Names that the user may have meant, best first; none that are much worse than the best."""
    near = difflib.get_close_matches(name, sorted(set(candidates)), limit, cutoff)
    ratios = [difflib.SequenceMatcher(None, found, name).ratio() for found in near]
    return [
        found
        for found, ratio in zip(near, ratios, strict=True)
        if ratio > ratios[0] - MUCH_WORSE and not (found[-1] == "_" and found[:-1] in near)
    ]


def did_you_mean(name: str, candidates: Iterable[str], far: Iterable[str] = ()) -> str | None:
    """A hint with near-miss names, or None where nothing is near.

    Names from `far` are less likely to be meant and must be nearer.
    """
    near = nearest_names(name, candidates) or nearest_names(name, far, cutoff=VERY_NEAR)
    return f"did you mean {' or '.join(repr(n) for n in near)}?" if near else None


EXPECTED_ERROR = re.compile(r"#\s*E:\s*(?P<code>[a-z-]+)(?:\s+(?P<text>.*))?$")
