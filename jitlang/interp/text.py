"""Pieces of Python text that the emitter is made of: functions while they grow, literals,
conversions.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from ..ir.graph import Node
from ..ir.opdef import OpDef
from ..ir.types import ListType, OptionalType, SequenceType, Type
from ..ops.arrays import READINGS
from ..ops.rows import kernel_of
from .representation import holds_tensor


@dataclass(frozen=True, slots=True)
class Kernel:
    """A name of the text that stands for the kernel of a row; on arrays, NumPy's reading of it."""

    op: OpDef
    on_arrays: bool = False

    def bind(self, xp: ModuleType, exact: bool) -> Callable[..., Any]:
        """The kernel over one array namespace."""
        reading = READINGS.get(self.op.full_name) if self.on_arrays else None
        return partial(reading, xp) if reading is not None else kernel_of(self.op, xp, exact)


@dataclass(frozen=True, slots=True)
class PlainRows:
    """A name of the text that stands for a fusion group, row by row; `routine` runs its graph."""

    routine: Any

    def bind(self, xp: ModuleType, exact: bool) -> Callable[..., Any]:
        """The function of one array namespace."""
        function: Callable[..., Any] = self.routine.direct if xp is np else self.routine
        return function


@dataclass(frozen=True, slots=True)
class Emitted:
    """The text, the node of each of its lines, the names it uses, the one it defines, and its fused
    kernels.
    """

    source: str
    nodes: list[Node | None]
    names: Mapping[str, Any]
    function: str
    kernels: Sequence[Any] = ()


@dataclass(slots=True)
class FunctionText:
    """One function of the text while it is written."""

    lines: list[tuple[str, Node | None]] = field(default_factory=list)
    depth: int = 1
    at_header: bool = False  # the last line opens a block that has nothing in it yet

    def write(self, text: str, node: Node | None) -> None:
        self.lines.append(("    " * self.depth + text, node))
        self.at_header = False

    def open(self, header: str, node: Node | None) -> None:
        self.write(header, node)
        self.depth += 1
        self.at_header = True

    def close(self, node: Node | None) -> None:
        """Close a block; an empty `else` is dropped, another empty block gets its `pass`."""
        if self.at_header and self.lines[-1][0].lstrip() == "else:":
            self.lines.pop()
        elif self.at_header:
            self.write("pass", node)
        self.depth -= 1
        self.at_header = False


def raw(type_: Type, text: str) -> str:
    """The text of a value whose tensors are objects, with arrays in their place."""
    if isinstance(type_, OptionalType):
        inner = raw(type_.element, text)
        return text if inner == text else f"(None if {text} is None else {inner})"
    if isinstance(type_, ListType | SequenceType):
        inner = raw(type_.element, "t")
        if inner == "t":
            return text
        listed = f"[{inner} for t in {text}]"
        return listed if isinstance(type_, ListType) else f"tuple({listed})"
    if not holds_tensor(type_):
        return text
    # Code that never runs may cast a number to a tensor.
    return f"({text})._array" if text[0].isdigit() else f"{text}._array"


def box(type_: Type, text: str, base: str = "", view: str = "view") -> str:
    """The text of a row's result with objects made of its arrays, which are views of `base`."""
    if isinstance(type_, OptionalType):
        return f"box_optional({text}{', ' + base if base else ''})"
    if isinstance(type_, ListType | SequenceType):
        boxed = f"[{box(type_.element, 't', base)} for t in {text}]"
        return boxed if isinstance(type_, ListType) else f"tuple({boxed})"
    return f"{view}({text}, {base})" if base else f"box({text})"


def literal(value: Any) -> str | None:
    """A value as Python text that means exactly that value, or None."""
    if value is None or type(value) in (bool, str):
        return repr(value)
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        text = repr(value)
        return f"({text})" if text.startswith("-") else text
    return None


def identifier(text: str) -> str:
    """A name for the generated text; never one that a row's expression may use."""
    name = re.sub(r"\W+", "_", text)
    return name + "_" if keyword.iskeyword(name) else name


@dataclass(frozen=True, slots=True)
class Deferred:
    """An expression that will stand in the line of its only reader; `blamed` if it may fail."""

    text: str
    blamed: Node | None


def bare(text: str) -> str:
    """A parenthesised expression without its parentheses."""
    is_one = text.startswith("(") and text.find(")") == len(text) - 1
    return text[1:-1] if is_one else text
