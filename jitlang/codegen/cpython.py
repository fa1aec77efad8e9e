"""What generated code uses of CPython: types, functions, addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

from llvmlite import ir as ll

from .scalar import DOUBLE, I64, LIBRARY

POINTER = ll.IntType(8).as_pointer()
I32 = ll.IntType(32)
VOID = ll.VoidType()
POINTERS = POINTER.as_pointer()

# What generated code uses of CPython's stable interface: result and parameter types.
PYTHON: dict[str, tuple[ll.Type, list[ll.Type]]] = {
    "Py_IncRef": (VOID, [POINTER]),
    "Py_DecRef": (VOID, [POINTER]),
    "PyLong_FromLongLong": (POINTER, [I64]),
    "PyLong_AsLongLong": (I64, [POINTER]),
    "PyFloat_FromDouble": (POINTER, [DOUBLE]),
    "PyFloat_AsDouble": (DOUBLE, [POINTER]),
    "PyBool_FromLong": (POINTER, [I64]),
    "PyObject_IsTrue": (I32, [POINTER]),
    "PyObject_RichCompareBool": (I32, [POINTER, POINTER, I32]),
    "PyErr_Occurred": (POINTER, []),
    "PyErr_Clear": (VOID, []),
    "PyErr_ExceptionMatches": (I32, [POINTER]),
    "PyErr_Fetch": (VOID, [POINTERS] * 3),
    "PyErr_NormalizeException": (VOID, [POINTERS] * 3),
    "PyErr_SetObject": (VOID, [POINTER, POINTER]),
    "PyErr_GetHandledException": (POINTER, []),
    "PyErr_SetHandledException": (VOID, [POINTER]),
    "PyException_SetTraceback": (I32, [POINTER, POINTER]),
    "PyErr_NoMemory": (POINTER, []),
    "PyErr_CheckSignals": (I32, []),
    "PyEval_SaveThread": (POINTER, []),
    "PyEval_RestoreThread": (VOID, [POINTER]),
    "PyObject_Vectorcall": (POINTER, [POINTER, POINTERS, I64, POINTER]),
    "PyTuple_New": (POINTER, [I64]),
    "PyTuple_SetItem": (I32, [POINTER, I64, POINTER]),
    "PyTuple_GetItem": (POINTER, [POINTER, I64]),
    "PyList_New": (POINTER, [I64]),
    "PyList_GetItem": (POINTER, [POINTER, I64]),
    "PyList_SetItem": (I32, [POINTER, I64, POINTER]),
    "PyList_Append": (I32, [POINTER, POINTER]),
    "PySequence_Repeat": (POINTER, [POINTER, I64]),
    "PyDict_New": (POINTER, []),
    "PyDict_SetItem": (I32, [POINTER, POINTER, POINTER]),
    "PyDict_Next": (I32, [POINTER, POINTER, POINTERS, POINTERS]),
    "PyObject_Type": (POINTER, [POINTER]),
    "PyObject_Size": (I64, [POINTER]),
}

_libm = ctypes.CDLL(None)


def addresses_of(names: Iterable[str]) -> dict[str, int]:
    """Where functions of CPython or of the C library lie; LLVM knows its own."""
    return {name: _address(name) for name in names if not name.startswith("llvm.")}


def _address(name: str) -> int:
    """Where a function of CPython or of the C library lies in this process."""
    source: Any = ctypes.pythonapi if name in PYTHON else _libm
    found = getattr(source, name.removeprefix(LIBRARY))
    address = ctypes.cast(found, ctypes.c_void_p).value
    assert address is not None
    return address
