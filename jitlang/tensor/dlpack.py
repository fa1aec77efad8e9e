"""DLPack for bfloat16, which NumPy neither exports nor imports.

The bits travel as int16. Only the type code in the exchanged structure differs, and that is written
where NumPy's own capsule holds it, or before NumPy looks at another library's. The layout is that
of `dlpack.h`, version 1: in a DLTensor the type code is at byte 20, behind data pointer, device and
rank; a versioned capsule has a head of 32 bytes before it.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .. import dtypes

_INT, _BFLOAT = 0, 4
_CODE_AT = 20
_PLAIN, _VERSIONED = b"dltensor", b"dltensor_versioned"
_HEADS = {_PLAIN: 0, _VERSIONED: 32}

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.restype, _is_valid.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]


def _code_of(capsule: Any) -> Any:
    """The type code of an unused capsule, to read and to write."""
    name = _VERSIONED if _is_valid(capsule, _VERSIONED) else _PLAIN
    address = _pointer_of(capsule, name)
    return ctypes.c_uint8.from_address(address + _HEADS[name] + _CODE_AT)


def export(array: Any, options: dict[str, Any]) -> Any:
    """A capsule of an array of any dtype that tensors have."""
    if array.dtype != dtypes.bfloat16.numpy:
        return array.__dlpack__(**options)
    capsule = array.view(np.int16).__dlpack__(**options)
    _code_of(capsule).value = _BFLOAT
    return capsule


class _Int16Source:
    """Another library's bfloat16 tensor, told as one of int16."""

    def __init__(self, source: Any, capsule: Any) -> None:
        self.source = source
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> Any:
        return self.source.__dlpack_device__()


def take_over(source: Any) -> np.ndarray:
    """An array over the memory of an object with `__dlpack__`.

    Raises:
        AttributeError: the object does not have `__dlpack__`.
        BufferError: NumPy cannot take its memory over (another device, an unknown dtype).
    """
    if isinstance(source, np.ndarray):
        return source
    try:
        capsule = source.__dlpack__(max_version=(1, 0))
    except TypeError:  # from before there were versions
        capsule = source.__dlpack__()
    code = _code_of(capsule)
    is_bfloat16 = code.value == _BFLOAT
    if is_bfloat16:
        code.value = _INT
    array: np.ndarray = np.from_dlpack(_Int16Source(source, capsule))
    return array.view(dtypes.bfloat16.numpy) if is_bfloat16 else array
