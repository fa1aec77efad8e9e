"""Stand-ins for native functions that make objects: each call may be made to fail."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from jitlang.codegen.cpython import addresses_of
from jitlang.codegen.llvm import compile_module

_STAND_IN = """
@countdown = external global i64
declare ptr @PyErr_NoMemory()
declare void @Py_DecRef(ptr)
declare ptr @original({types})
define ptr @stand_in({parameters}) {{
  %left = load i64, ptr @countdown
  %next = sub i64 %left, 1
  store i64 %next, ptr @countdown
  %now = icmp eq i64 %left, 0
  br i1 %now, label %fail, label %go
fail:
  {release}
  %none = call ptr @PyErr_NoMemory()
  ret ptr %none
go:
  %made = call ptr @original({parameters})
  ret ptr %made
}}
"""


class Failing:
    """Stands for a native function that gives an object, and fails when its countdown is at 0.

    `steals`: the first argument is a reference that the function takes over.
    """

    def __init__(self, address: int, types: Sequence[str], *, steals: bool = False) -> None:
        self.countdown = ctypes.c_int64(-1)
        parameters = ", ".join(f"{kind} %a{n}" for n, kind in enumerate(types))
        release = "call void @Py_DecRef(ptr %a0)" if steals else ""
        text = _STAND_IN.format(types=", ".join(types), parameters=parameters, release=release)
        imports = addresses_of(["PyErr_NoMemory", "Py_DecRef"])
        imports |= {"original": address, "countdown": ctypes.addressof(self.countdown)}
        self.library = compile_module(text, ["stand_in"], imports)
        self.address = self.library.addresses["stand_in"]
