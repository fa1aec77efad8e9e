"""Generated code as a function object of CPython.

The code has the signature `PyObject *f(PyObject *self, PyObject **args, Py_ssize_t count)`, which
CPython calls METH_FASTCALL.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

_METH_FASTCALL = 0x0080


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Keeper:
    """What a function object holds on to: its definition, and what its code needs."""

    def __init__(self, definition: _MethodDef, kept: object) -> None:
        self.definition = definition
        self.kept = kept


@cache
def _new_function() -> Any:
    create = ctypes.pythonapi.PyCMethod_New
    create.restype = ctypes.py_object
    create.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
    return create


def builtin_function(
    name: str, address: int, kept: object, receiver: object = None
) -> Callable[..., Any]:
    """A builtin function object.

    Args:
        name: its `__name__`.
        address: where its code begins.
        kept: lives as long as the function: the code, and all that the code refers to.
        receiver: what the code gets as `self`.
    """
    definition = _MethodDef(name.encode(), address, _METH_FASTCALL, None)
    keeper = _Keeper(definition, kept)
    made: Callable[..., Any] = _new_function()(
        ctypes.addressof(definition), receiver, keeper, None
    )
    return made
