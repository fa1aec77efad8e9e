"""Kernels of one element as part of the module that calls them.

Where tensors have no dimensions a kernel is a few instructions. Its text, which it has for others
too, takes the place of its declaration; LLVM then sees what it reads, and keeps that in registers.
"""

from __future__ import annotations

import re

from .launch import Call

_DECLARED = re.compile(r'^declare [^@\n]*@("[^"]+"|[\w.$]+)', re.MULTILINE)
"""The symbols that a module's text declares."""
_TABLE = re.compile(r"^@([\w.$]+) =", re.MULTILINE)
"""The tables that a kernel's text has of its own."""


def is_of_one(call: Call) -> bool:
    """Whether a call computes one element of tensors without dimensions, which takes less time than
    to call a kernel.
    """
    return call.space == () and not call.kernel.plan.has_rows and not call.scratch


def with_definition(module: str, name: str, kernel: str) -> str:
    """A module with the text of a kernel in the place of its declaration. Other kernels have tables
    of the same names.
    """
    for table in _TABLE.findall(kernel):
        kernel = re.sub(rf"@{re.escape(table)}\b", f'@"{name}.{table}"', kernel)
    lines = kernel.replace("define i32 @kernel(", f'define internal i32 @"{name}"(').splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("define"))
    lines[begin] = lines[begin].replace(") ", ") alwaysinline ", 1)
    known = {symbol.replace('"', "") for symbol in _DECLARED.findall(module)}
    needed = [
        line
        for line in lines[:begin]
        if line.startswith("@") or not known.issuperset(_DECLARED.findall(line))
    ]
    declaration = re.compile(rf'^declare [^\n]*@"{name}"\([^\n]*$', re.MULTILINE)
    return declaration.sub(lambda _: "\n".join([*needed, *lines[begin:]]), module, count=1)
