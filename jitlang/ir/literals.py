"""Constants as Python source: the literals of the dialect that `ir/source.py` describes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .. import arrays
from ..dtypes import DType
from . import types as ty
from .types import Type

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_BY_THEMSELVES = (ty.BOOL, ty.INT, ty.FLOAT, ty.COMPLEX, ty.STR, ty.DTYPE, ty.DEVICE)


def literal(value: Any, type_: Type) -> str | None:
    """The text of a constant, or None where a value cannot be written down (tensors, objects)."""
    if isinstance(value, list | tuple | dict):
        return _display(value, type_)
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int) and type_ is not ty.FLOAT:
        return str(int(value))
    if isinstance(value, int | float):
        return float_literal(float(value))
    if isinstance(value, complex):
        return f"complex({float_literal(value.real)}, {float_literal(value.imag)})"
    if isinstance(value, str):
        return string_literal(value)
    if isinstance(value, DType):
        return f"torch.{value.name}"
    if isinstance(value, arrays.Device):
        return f"torch.device({string_literal(str(value))})"
    return None


def float_literal(value: float) -> str:
    """The shortest literal that reads back exactly."""
    return repr(value) if math.isfinite(value) else str(value)


def string_literal(text: str) -> str:
    """A Python string in double quotes."""
    return _UNPRINTABLE.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _display(value: list[Any] | tuple[Any, ...] | dict[Any, Any], type_: Type) -> str | None:
    """A display; annotated where its elements do not tell the type."""
    shown = ty.without_none(type_) or type_
    if isinstance(value, dict):
        keys, values = _parts(shown, 2)
        pairs = [(literal(k, keys), literal(v, values)) for k, v in value.items()]
        if any(k is None or v is None for k, v in pairs):
            return None
        text = f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
    else:
        is_list = isinstance(value, list)
        types = _parts(shown, 1) * len(value) if is_list else _parts(shown, len(value))
        parts = [literal(v, t) for v, t in zip(value, types, strict=True)]
        known = [part for part in parts if part is not None]
        if len(known) != len(parts):
            return None
        joined = ", ".join(known)
        text = f"[{joined}]" if is_list else f"({joined},)" if len(known) == 1 else f"({joined})"
    tells = bool(value) and all(child in _BY_THEMSELVES for child in shown.children)
    is_open = isinstance(shown, ty.ListType | ty.DictType) and not tells
    return f"annotate({ty.annotation(shown)}, {text})" if is_open else text


def _parts(type_: Type, count: int) -> list[Type]:
    children = list(type_.children)
    return children if len(children) == count else [ty.ANY] * count
