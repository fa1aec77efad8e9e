"""Calls of NumPy's functions and methods, and subscripts of arrays, as Python text.

A row such as `jit::numpy("sort", "axis", %x, %n)` names what it calls. The generated text calls
that itself, `np_sort(r0, axis=r1)`, where the row's kernel would look it up in every call.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import ModuleType
from typing import Any

from ..dtypes import DType
from ..ir import types as ty
from ..ir.graph import Node, Value
from ..ops.arrays import KEY_WIDTHS
from .text import identifier

SHAPE = "jit::shape"
"""A row whose expression is a tuple, as Python has it."""
Namer = Callable[[str, Any, Any], str]
"""Gives an object a name in the text: the name to try, the object, a key that equal ones share."""


@dataclass(frozen=True, slots=True)
class NumpyFunction:
    """A name of the text that stands for a function of the array namespace."""

    path: str

    def bind(self, xp: ModuleType, exact: bool) -> Any:
        """The function of one array namespace."""
        return attrgetter(self.path)(xp)


def numpy_call(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    """A node's expression, or the statement of one without a result; None where a kernel must say
    at run time what to call.

    Args:
        node: any node with a row.
        texts: its inputs.
        name: names what the text refers to.
    """
    write = _WRITERS.get(node.kind)
    if write is None or any(map(_may_be_dtype, node.inputs)):
        return None
    given = [_plain(value, text, name) for value, text in zip(node.inputs, texts, strict=True)]
    return write(node, given, name)


def _may_be_dtype(value: Value) -> bool:
    """Whether a value may be one of our dtypes, of which NumPy knows nothing, unseen here."""
    return value.type in (ty.DTYPE, ty.ANY) and not value.is_constant


def _plain(value: Value, text: str, name: Namer) -> str:
    """The text of a value as NumPy takes it."""
    constant = value.constant()
    if isinstance(constant, DType):
        return name(f"dtype_{constant.name}", constant.numpy, ("dtype", constant))
    return text


def _function(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    path, keywords = node.inputs[0].constant(), node.inputs[1].constant()
    if path is None or keywords is None:
        return None
    function = name(identifier(f"np_{path}"), NumpyFunction(path), ("numpy", path))
    return f"{function}({_arguments(keywords, texts[2:])})"


def _builtin(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    """A function of Python's own on arrays and their elements, such as `min`."""
    called, keywords = node.inputs[0].constant(), node.inputs[1].constant()
    if called is None or keywords is None:
        return None
    function = name(f"py_{called}", getattr(builtins, called), ("builtin", called))
    return f"{function}({_arguments(keywords, texts[2:])})"


def _method(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    method, keywords = node.inputs[1].constant(), node.inputs[2].constant()
    if method is None or keywords is None:
        return None
    return f"{operand_text(texts[0])}.{method}({_arguments(keywords, texts[3:])})"


def _arguments(keywords: str, texts: Sequence[str]) -> str:
    names = keywords.split(",") if keywords else []
    first = len(texts) - len(names)
    named = (f"{key}={text}" for key, text in zip(names, texts[first:], strict=True))
    return ", ".join([*texts[:first], *named])


def _attribute(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    attribute = node.inputs[1].constant()
    return None if attribute is None else f"{operand_text(texts[0])}.{attribute}"


def _shape(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    return f"{operand_text(texts[0])}.shape"


def _subscript(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    key = node.inputs[1].constant()
    return None if key is None else f"{operand_text(texts[0])}[{_key(key, texts[2:])}]"


def _store(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    key = node.inputs[2].constant()
    if key is None:
        return None
    return f"{operand_text(texts[0])}[{_key(key, texts[3:])}] = {texts[1]}"


def _key(key: str, texts: Sequence[str]) -> str:
    """A subscript, as ops/arrays.py writes it down, between its brackets."""
    parts, at = list[str](), 0
    for letter in key.strip("()"):
        values = texts[at : at + KEY_WIDTHS[letter]]
        at += len(values)
        parts.append({"n": "None", "e": "...", "s": slice_text(values)}.get(letter) or values[0])
    if "(" not in key:
        return parts[0]
    return ", ".join(parts) + ("," if len(parts) == 1 else "") if parts else "()"


def slice_text(bounds: Sequence[str]) -> str:
    """`start:stop:step`; what is None is left out."""
    return ":".join("" if bound == "None" else bound for bound in bounds)


def operand_text(text: str) -> str:
    """A text before a dot or a bracket."""
    return text if text.isidentifier() or text.startswith("(") else f"({text})"


_WRITERS: dict[str, Callable[[Node, Sequence[str], Namer], str | None]] = {
    "jit::numpy": _function,
    "jit::dynamic_builtin": _builtin,
    "jit::numpy_method": _method,
    "jit::numpy_update": _method,
    "jit::numpy_attribute": _attribute,
    SHAPE: _shape,
    "jit::numpy_index": _subscript,
    "jit::numpy_store": _store,
}
