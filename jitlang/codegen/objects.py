"""Arrays and tensors as generated code sees them: reading, comparing and making them without the
Python interpreter.

`imports()` gives the addresses of the functions in `objects.ll`, of those in `memory.py`, and of
NumPy's own `PyArray_Scalar`, which makes a scalar of what lies at an address. All of them need the
GIL; objects are `PyObject *`, sizes are 64 bits, strides and offsets count bytes.

    ptr jitlang_array_of(ptr object)        the array of a Tensor, or an array itself; borrowed
    ptr jitlang_tensor_array(ptr object)    the array of a Tensor without gradient; borrowed
    ptr jitlang_recorded_array(ptr object)  the array of a Tensor that requires one; borrowed
    ptr jitlang_raw_array(ptr object)       an array itself; borrowed
        NULL for everything else, subclasses of Tensor and ndarray included.
    i32 jitlang_is_recorded(ptr tensor)     whether a Tensor, of any class, requires a gradient
    i32 jitlang_array_is(ptr array, ptr descr, i64 nd, ptr dims, ptr strides)
        Whether an array has this very dtype object and this layout, and is aligned. Strides of
        sizes 0 and 1 do not count; of an array without elements only dtype and sizes do.
    ptr jitlang_sizes(ptr array, ptr descr, i64 nd)
        The sizes of an array that has this very dtype object and so many dimensions; else NULL.
    i64 jitlang_flat_size(ptr array, ptr descr, ptr like)
        The number of elements of an array that has this very dtype object and the sizes of another
        array, lies in row-major order, is aligned and has dimensions; -1 for other arrays.
    ptr jitlang_data(ptr array)             the address of the first element
    i32 jitlang_is_writable(ptr array)      whether the array may be written
    void jitlang_count_writes(ptr tensor, i64 directly, i64 through_views)
        Counts writes to a Tensor and its base, as `tensor.core.bump_version` does.
    ptr jitlang_new_array(ptr descr, i64 nd, ptr dims, ptr strides)
        A new array; strides are NULL (C order) or those of a permutation of C order. The memory of
        large ones comes from a cache (`memory.py`).
    ptr jitlang_new_like(ptr descr, ptr array)
        A new array with the sizes of another, in C order.
    ptr jitlang_wrap(ptr data, ptr descr, i64 nd, ptr dims, ptr strides)
        An array over memory that it does not keep alive: for calls that let go of it at once.
    ptr jitlang_new_view(ptr array, i64 offset, ptr descr, i64 nd, ptr dims, ptr strides)
        A new array over the memory of another, `offset` bytes behind its first element; writable
        where that one is.
    ptr jitlang_new_tensor(ptr array, ptr base)
        A new Tensor as `tensor.core.box` makes it. Takes over the reference to the array; where
        that is NULL, so is the result. `base` is the Tensor whose memory a view shares, or NULL.
    ptr jitlang_result(ptr shelf, ptr descr, i64 nd, ptr dims, ptr strides)
        A Tensor in a new array in C order, or one that this has given before and that nobody has
        any more: unchanged, without weak references, its array nobody's either. The last two lie
        on a shelf, the words of a `Shelf`.
        Those that make something give a new reference, or NULL with an exception set.

Facts used: in a 64-bit build with a GIL, objects begin with a reference count, whose lower half
says whether it is one, and their type (byte 8), `ndarray` has data at byte 16, nd 24, dimensions
32, strides 40, base 48, descr 56, flags 64 and weak references 72, dtypes their byte order at 26,
number at 28 and size at 40, floats and NumPy's scalars their value at 16, a Tensor its slots where
their member descriptors say. They are looked at once (`is_available`) before anything relies on
them.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..tensor.core import Tensor
from . import memory
from .llvm import Library, compile_module

_EXPORTS = (
    "jitlang_array_of", "jitlang_tensor_array", "jitlang_raw_array", "jitlang_array_is",
    "jitlang_recorded_array", "jitlang_is_recorded", "jitlang_data", "jitlang_new_array",
    "jitlang_new_view", "jitlang_new_tensor", "jitlang_wrap", "jitlang_flat_size",
    "jitlang_new_like", "jitlang_sizes", "jitlang_is_writable", "jitlang_count_writes",
    "jitlang_result",
)  # fmt: skip
_PYTHON = (
    "PyType_GenericAlloc", "Py_IncRef", "Py_DecRef", "PyLong_AsLongLong", "PyLong_FromLongLong",
)  # fmt: skip
_ARRAY_FUNCTIONS = {
    "PyArray_NewFromDescr": 94,
    "PyArray_SetBaseObject": 282,
    "PyDataMem_SetHandler": 304,
}
_ALSO_IMPORTED = {"PyArray_Scalar": 60}
"""Places in NumPy's table of functions."""
_SLOTS = ("_array", "_base", "_version", "grad", "grad_fn", "requires_grad")  # as in objects.ll
OBJECT_MEMBER = 16
"""The kind of slots in their member descriptors, `T_OBJECT_EX`."""
SCALAR_PLACE = 16
"""Where the value of one of NumPy's scalars lies in it, in bytes."""
_TEXT = Path(__file__).with_suffix(".ll")


@cache
def imports() -> Mapping[str, int]:
    """The functions by name; they live for ever."""
    return {**library().addresses, **memory.imports(), **array_functions(_ALSO_IMPORTED)}


@cache
def library() -> Library:
    """The compiled functions."""
    given = python_functions(_PYTHON) | array_functions(_ARRAY_FUNCTIONS)
    given |= {"PyArray_Type": id(np.ndarray), "Tensor_Type": id(Tensor)}
    given |= {"Py_None": id(None), "Py_False": id(False), "zero": id(0)}
    given["handler"] = id(memory.handler())
    text = _TEXT.read_text().replace("LARGE", str(memory.LARGE)) + _slot_table()
    return memory.immortal(compile_module(text, _EXPORTS, given))


def _slot_table() -> str:
    places = [*(slot_offset(Tensor, name) for name in _SLOTS), Tensor.__weakrefoffset__]
    offsets = ", ".join(f"i64 {place}" for place in places)
    return f"@slots = internal constant [{len(places)} x i64] [{offsets}]\n"


class Shelf:
    """What `jitlang_result` gave last: whose turn it is, and two Tensors with their addresses."""

    def __init__(self) -> None:
        self.words = (ctypes.c_int64 * 5)()

    def __del__(self) -> None:
        for place in (1, 3):
            if self.words[place]:
                ctypes.pythonapi.Py_DecRef(ctypes.c_void_p(self.words[place]))


def python_functions(names: Iterable[str]) -> dict[str, int]:
    """Addresses of functions of CPython."""
    return {name: address_of(getattr(ctypes.pythonapi, name)) for name in names}


def exception_place(name: str) -> int:
    """Where CPython keeps the pointer to an exception class (`PyExc_RuntimeError`)."""
    return ctypes.addressof(ctypes.c_void_p.in_dll(ctypes.pythonapi, f"PyExc_{name}"))


def array_functions(places: Mapping[str, int]) -> dict[str, int]:
    """Addresses of functions of NumPy, from their places in its table."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = np._core._multiarray_umath._ARRAY_API  # type: ignore[attr-defined]
    table = (ctypes.c_int64 * (max(places.values()) + 1)).from_address(get(capsule, None))
    return {name: table[place] for name, place in places.items()}


def address_of(function: Any) -> int:
    """The address of a ctypes function."""
    found = ctypes.cast(function, ctypes.c_void_p).value
    assert found is not None
    return found


# How objects lie in memory ------------------------------------------------------------------------


@cache
def is_available() -> bool:
    """Whether this interpreter's objects lie in memory as generated code takes for granted."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    return (
        _arrays_lie_as_expected()
        and _floats_lie_as_expected()
        and _scalars_lie_as_expected()
        and _slots_lie_as_expected()
    )


def _arrays_lie_as_expected() -> bool:
    whole = np.arange(6, dtype=np.float32)
    probe = whole.reshape(2, 3)
    words, held = _words(probe, 10), [np.zeros(1)]
    dims, strides = _words_at(words[4], 2), _words_at(words[5], 2)
    return (
        words[1] == id(np.ndarray)
        and words[2] == probe.ctypes.data
        and ctypes.c_int.from_address(id(probe) + 24).value == 2
        and (dims, strides) == ([2, 3], [12, 4])
        and words[6] == id(whole)
        and words[7] == id(probe.dtype)
        and words[9] == 0
        and np.ndarray.__weakrefoffset__ == 72
        and ctypes.c_int32.from_address(id(held[0])).value == 1
        and _words(probe.dtype, 6)[5] == probe.itemsize
        and ctypes.c_int.from_address(id(probe.dtype) + 28).value == probe.dtype.num
        and ctypes.c_char.from_address(id(probe.dtype.newbyteorder()) + 26).value == b">"
        and _flags(probe) & 0x500 == 0x500
    )


def _floats_lie_as_expected() -> bool:
    number = 1.5
    return ctypes.c_double.from_address(id(number) + 16).value == number


def _scalars_lie_as_expected() -> bool:
    for scalar in (np.float32(1.5), np.int64(7), np.bool_(True), np.complex128(1 + 2j)):
        found = ctypes.string_at(id(scalar) + SCALAR_PLACE, scalar.itemsize)
        if found != scalar.tobytes():
            return False
    return True


def _slots_lie_as_expected() -> bool:
    """Whether a Tensor's slots hold what its attributes say."""
    if any(_slot_kind(name) != OBJECT_MEMBER for name in _SLOTS):
        return False
    probe = Tensor(np.zeros(1, np.float32))
    found = [_words_at(id(probe) + slot_offset(Tensor, name), 1)[0] for name in _SLOTS]
    return found == [id(getattr(probe, name)) for name in _SLOTS]


def _slot_kind(name: str) -> int:
    return ctypes.c_int.from_address(member_of(Tensor, name) + 8).value


def slot_offset(owner: type, name: str) -> int:
    """Where a slot lies in the instances of a class, in bytes."""
    return _words_at(member_of(owner, name) + 16, 1)[0]


def member_of(owner: type, name: str) -> int:
    """The address of a slot's `PyMemberDef`: name, kind (byte 8), offset (byte 16)."""
    return _words(getattr(owner, name), 6)[5]


def _words(value: object, count: int) -> list[int]:
    return _words_at(id(value), count)


def _words_at(address: int, count: int) -> list[int]:
    return list((ctypes.c_int64 * count).from_address(address))


def _flags(array: np.ndarray) -> int:
    return ctypes.c_int.from_address(id(array) + 64).value
