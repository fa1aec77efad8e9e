"""Calling a fused kernel without the Python interpreter: one native function for all kernels.

`NativeCall(slow)` is a builtin function object. It compares its arguments with the layouts in a
chain of records (exact type, dtype, rank, sizes, strides; kinds of numbers; a record of arrays that
all have one shape and lie in order serves every size), and on the first that fits allocates the
results, gathers data pointers, runs the kernel (without the GIL where it is long) and returns new
arrays. Where none fits, or the kernel refuses what it reads, it calls `slow`, which may add a
record. Records are tables of 64-bit words
owned by Python; they are never freed while the function lives, so threads may read the chain while
it grows at its head.

It reads objects as `objects.py` says; where that is not available callers go through `slow`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import objects
from .entry import builtin_function
from .kernel_memory import Access
from .launch import Call, Launch, flat_chunk
from .llvm import Library, compile_module
from .threads import CAPACITY, parallel_address

MAX_ARRAYS, MAX_SLOTS = 64, 32  # as in launcher.ll
MAX_RECORDS = 32
LONG_WORK = 20_000
"""Elements from which on a kernel runs without the GIL; taking it again costs a few hundred
nanoseconds.
"""

_ARRAY, _INT, _FLOAT, _BOOL, _SAME_INT, _SAME_OBJECT, _FLAT = range(7)
_PYTHON = (
    "PyLong_AsVoidPtr", "PyLong_AsLongLong", "PyErr_Occurred", "PyErr_Clear",
    "PyErr_NoMemory", "PyObject_Vectorcall", "PyTuple_New", "PyTuple_SetItem", "Py_DecRef",
    "PyEval_SaveThread", "PyEval_RestoreThread", "PyMem_RawMalloc", "PyMem_RawFree",
)  # fmt: skip
_TYPES = {"PyLong_Type": int, "PyFloat_Type": float, "PyBool_Type": bool}

_TEXT = Path(__file__).with_suffix(".ll")


@cache
def _library() -> Library:
    imports = objects.python_functions(_PYTHON)
    imports["jitlang_new_array"] = objects.imports()["jitlang_new_array"]
    imports |= {name: id(value) for name, value in _TYPES.items()}
    imports |= {"PyArray_Type": id(np.ndarray), "Py_True": id(True)}
    return compile_module(_TEXT.read_text(), ["launcher"], imports)


class NativeCall:
    """A builtin function that runs known layouts natively.

    Attributes:
        function: the callable; takes positional arguments only.
    """

    def __init__(self, slow: Callable[..., Any], owner: object) -> None:
        self._cell = (ctypes.c_int64 * 2)(0, id(slow))
        self._kept: list[Any] = [slow]
        self.records = 0
        library = _library()
        # The function holds the owner, and so this object, its records and its code.
        self.function = builtin_function(
            "fused", library.addresses["launcher"], owner, ctypes.addressof(self._cell)
        )

    def add(self, launch: Launch, arguments: Sequence[Any], static: Sequence[bool]) -> bool:
        """Run calls with arguments of this layout natively from now on; returns whether that is
        possible.
        """
        if self.records >= MAX_RECORDS or len(launch.calls) != 1:
            return False
        (call,) = launch.calls
        fits = len(call.places) <= MAX_ARRAYS and len(call.slots) <= MAX_SLOTS
        if not fits or len(arguments) > MAX_ARRAYS or not call.count:
            return False
        written = [(p.index, p.offset) for p in call.places if p.kind == "result"]
        is_whole = written == [(n, 0) for n in range(len(launch.results))]
        if not is_whole or any(place.kind == "draw" for place in call.places):
            return False
        flat = _is_flat(call, launch, arguments)
        rows = [self._argument(a, s, flat) for a, s in zip(arguments, static, strict=True)]
        results = [self._result(array.make()) for array in launch.results]
        reads = [(place.index, place.offset) for place in call.places]
        threads = CAPACITY if flat else call.threads
        parallel = parallel_address(flat or call.wakes) if threads > 1 else 0
        chunk = flat_chunk(call.kernel) if flat else call.chunk
        first = next(n for n, a in enumerate(arguments) if isinstance(a, np.ndarray))
        record = self._words([
            self._cell[0], len(arguments), len(results), objects.address_of(call.kernel.function),
            call.count, ctypes.addressof(call.sizes), ctypes.addressof(call.strides),
            call.scratch * threads, len(call.places), max(LONG_WORK // call.grain, 1),
            self._table(rows), self._table(results), self._table(reads), len(call.slots),
            self._table([call.slots]), parallel, chunk, call.scratch, first, int(flat),
        ])  # fmt: skip
        self._kept.append(launch)
        self._cell[0] = record
        self.records += 1
        return True

    def _words(self, numbers: Sequence[int]) -> int:
        made = (ctypes.c_int64 * max(len(numbers), 1))(*numbers)
        self._kept.append(made)
        return ctypes.addressof(made)

    def _table(self, rows: Sequence[Sequence[int]]) -> int:
        return self._words([number for row in rows for number in row])

    def _argument(self, value: Any, is_static: bool, flat: bool) -> tuple[int, ...]:
        if isinstance(value, np.ndarray):
            self._kept.append(value.dtype)
            if flat:
                return _FLAT, id(value.dtype), 0, 0, 0
            dims, strides = self._words(value.shape), self._words(value.strides)
            return _ARRAY, id(value.dtype), value.ndim, dims, strides
        if type(value) is int:
            return (_SAME_INT, value, 0, 0, 0) if is_static else (_INT, 0, 0, 0, 0)
        if is_static or value is None:
            self._kept.append(value)
            return _SAME_OBJECT, id(value), 0, 0, 0
        return (_BOOL if type(value) is bool else _FLOAT), 0, 0, 0, 0

    def _result(self, array: Any) -> tuple[int, ...]:
        self._kept.append(array.dtype)
        is_plain = array.flags.c_contiguous
        strides = 0 if is_plain else self._words(array.strides)
        return id(array.dtype), array.ndim, self._words(array.shape), strides


def _is_flat(call: Call, launch: Launch, arguments: Sequence[Any]) -> bool:
    """Whether a launch serves arrays of all sizes: everything of one shape, and in order."""
    given = [a for a in arguments if isinstance(a, np.ndarray)]
    shape = given[0].shape
    kernel = call.kernel
    return (
        kernel.layout.rank == 1
        and not kernel.plan.has_rows
        and all(access is Access.CONTIGUOUS for access in kernel.layout.accesses)
        and all(a.shape == shape and a.ndim and a.flags.c_contiguous for a in given)
        and all(array.shape == shape and array.axes is None for array in launch.results)
        and all(place.offset == 0 for place in call.places)
    )
