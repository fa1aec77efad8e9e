"""The names of `torch.jit`."""

from __future__ import annotations

import ast
from typing import Any, Final, TypeVar

from .config import optimized_execution, set_fusion_strategy
from .errors import CompileError, ErrorKind, ScriptError
from .frontend.annotate import type_of_annotation
from .frontend.binding import annotation_namespace
from .frontend.builtins import SyntaxForm
from .frontend.emitter import Emitter
from .frontend.statements import declared_value
from .frontend.sugar import Arguments, Constant, Sugar
from .ir.types import Type
from .script import ScriptFunction, ignore, script

T = TypeVar("T")

Error = ScriptError


def is_scripting() -> bool:
    """False in Python; True inside a scripted function, where a branch on it is decided at compile
    time.
    """
    return False


def is_tracing() -> bool:
    """Whether a trace is being recorded."""
    return False


def annotate(the_type: Any, the_value: T) -> T:
    """The value; inside a scripted function, under the type."""
    return the_value


def unused(function: Any) -> Any:
    """Mark a function that scripts call back in Python, as `ignore` does."""
    return ignore(function)


def _scripting(e: Emitter, args: Arguments) -> Sugar:
    return Constant(True)


def _tracing(e: Emitter, args: Arguments) -> Sugar:
    return Constant(False)


def _annotate(e: Emitter, node: ast.Call, expected: Type | None) -> Sugar:
    """The type is read as annotations are, so it is not evaluated."""
    if len(node.args) != 2 or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
        return _not_two(e, Arguments())
    written, given = node.args
    declared = type_of_annotation(written, annotation_namespace(e.source), e.span(written))
    value = e.expression(given, declared)
    return value if declared is None else declared_value(e, value, declared, given)


def _not_two(e: Emitter, args: Arguments) -> Sugar:
    raise e.error(ErrorKind.ARITY, "annotate takes a type and a value")


is_scripting.__jitlang_special__ = _scripting  # type: ignore[attr-defined]
is_tracing.__jitlang_special__ = _tracing  # type: ignore[attr-defined]
annotate.__jitlang_special__ = SyntaxForm(  # type: ignore[attr-defined]
    "annotate", _not_two, _annotate
)

__all__ = [
    "CompileError", "Error", "Final", "ScriptFunction", "annotate", "ignore", "is_scripting",
    "is_tracing", "optimized_execution", "script", "set_fusion_strategy", "unused",
]  # fmt: skip
