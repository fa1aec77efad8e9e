"""The `python` expressions of scalar and container rows as text to be filled in.

`a < b` with `a` in register 3 and `b` the constant 7 becomes `r3 < 7`. Where a row is run for its
effect alone, `l.__setitem__(idx, el) or l` becomes the statement `l[idx] = el`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache

from ..ir.opdef import OpDef

_SIMPLE = re.compile(r"[\w.]+$|\(.*\)$")
_RETURNS_SELF = re.compile(r" or (\w+)$")
_SET_ITEM = re.compile(r"(\w+)\.__setitem__\((\w+|\(\w+, \w+\)), (\w+)\)$")
_DELETE_ITEM = re.compile(r"(\w+)\.__delitem__\((\w+)\)$")


def expression(op: OpDef, arguments: Mapping[str, str]) -> str:
    """The row's expression over these argument texts."""
    assert op.python is not None
    return _fill(op.python, arguments)


def statement(op: OpDef, arguments: Mapping[str, str]) -> str:
    """The row's expression as a statement whose value nobody reads."""
    assert op.python is not None
    return _fill(_as_statement(op.python), arguments)


def reads_once(op: OpDef, name: str) -> bool:
    """Whether the row's expression evaluates an argument exactly once, whatever happens."""
    assert op.python is not None
    conditional = " if " in op.python or " or " in op.python or " and " in op.python
    found = [each for _, _, each in _names(op.python) if each == name]
    return len(found) == 1 and not conditional and " for " not in op.python


@cache
def _as_statement(text: str) -> str:
    text = _RETURNS_SELF.sub("", text)
    text = _SET_ITEM.sub(r"\1[\2] = \3", text)
    return _DELETE_ITEM.sub(r"del \1[\2]", text)


@cache
def _names(text: str) -> tuple[tuple[int, int, str], ...]:
    """Where names stand in a one-line expression or statement: start, end, name."""
    found = [
        (node.col_offset, node.end_col_offset or 0, node.id)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name)
    ]
    return tuple(sorted(found))


def _fill(text: str, arguments: Mapping[str, str]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, name in _names(text):
        if name not in arguments:
            continue
        parts += [text[at:start], _operand(arguments[name], text[end : end + 1])]
        at = end
    return "".join([*parts, text[at:]])


def _operand(argument: str, following: str) -> str:
    """An argument text as it may stand in any expression; `3.real` would not parse."""
    if not _SIMPLE.match(argument) or (argument.isdigit() and following == "."):
        return f"({argument})"
    return argument
