"""Memory for large results: blocks go to a bounded cache when an array dies, and from there to the
next array of about that size.

Pages that the kernel has just handed out cost as much as the work on them: each is cleared and
entered in the page table at its first touch. Arrays that generated code makes, of `LARGE` bytes and
more, therefore get their memory through a handler of NumPy's (NEP 49) that is set around their
allocation only; they look like any other array. At most `config.max_cached_memory` bytes of the
whole process lie in the cache, oldest out first.

All functions need the GIL, which makes them safe for threads. The handler and what it needs are
never freed: an array may outlive this module.

    ptr jitlang_allocate(i64 bytes)     aligned to 64 bytes; NULL without an exception on failure
    void jitlang_release(ptr data)      takes back what that gave; NULL is fine
    void trim(i64 bytes)                gives back the oldest until at most so many are kept
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from .. import config
from .llvm import Library, compile_module

LARGE = 1 << 20
"""Bytes from which on an array's memory comes from the cache."""
_LIMIT, _KEPT, _COUNT, _ENTRIES, _MAX_BLOCKS = 0, 1, 2, 3, 32  # as in memory.ll
_HANDLER_NAME = b"mem_handler"  # the name that NumPy gives the capsules of handlers
_TEXT = Path(__file__).with_suffix(".ll")
_EXPORTS = ("jitlang_allocate", "jitlang_release")
_HANDLER = ("handler_malloc", "handler_calloc", "handler_realloc", "handler_free")


class _Handler(ctypes.Structure):
    """NumPy's `PyDataMem_Handler`."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in _HANDLER),
    )


_T = TypeVar("_T")


def imports() -> Mapping[str, int]:
    """The functions for generated code by name; they live for ever."""
    return {name: _cache().library.addresses[name] for name in _EXPORTS}


def handler() -> object:
    """The memory handler as NumPy takes it, a capsule; lives for ever."""
    return _cache().handler


def cached_bytes() -> int:
    """How many bytes lie in the cache."""
    return _cache().table[_KEPT]


def release_cached() -> None:
    """Give all that lies in the cache back to the system."""
    _cache().trim(0)


def immortal(value: _T) -> _T:
    """An object that is never freed, for native code that may run after its module is gone."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    return value


class _Cache:
    """The cache of this process."""

    def __init__(self) -> None:
        self.table = immortal((ctypes.c_int64 * (_ENTRIES + 2 * _MAX_BLOCKS))())
        self.library = immortal(_library(ctypes.addressof(self.table)))
        self.trim = ctypes.PYFUNCTYPE(None, ctypes.c_int64)(self.library.addresses["trim"])
        self.handler = immortal(_new_handler(self.library))
        config.watch(self._follow_limit)

    def _follow_limit(self) -> None:
        self.table[_LIMIT] = max(config.process().max_cached_memory, 0)
        self.trim(self.table[_LIMIT])


@cache
def _cache() -> _Cache:
    return _Cache()


def _library(table: int) -> Library:
    libc: Any = ctypes.CDLL(None)
    imports = {"cache": table}
    for name in ("posix_memalign", "madvise", "free"):
        address = ctypes.cast(getattr(libc, name), ctypes.c_void_p).value
        assert address is not None
        imports[name] = address
    return compile_module(_TEXT.read_text(), [*_EXPORTS, *_HANDLER, "trim"], imports)


def _new_handler(library: Library) -> object:
    addresses = [library.addresses[name] for name in _HANDLER]
    filled = immortal(_Handler(b"jitlang", 1, None, *addresses))
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype = ctypes.py_object
    new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    name = immortal(ctypes.create_string_buffer(_HANDLER_NAME))
    made: object = new_capsule(ctypes.addressof(filled), ctypes.addressof(name), None)
    return made
