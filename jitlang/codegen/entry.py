"""The call of a script function as a builtin function of CPython.

`Entry` is what a compiled function's `__call__` becomes. Its code brings positional arguments,
keywords and defaults into the order of the parameters, and walks a chain of *versions*: the guards
of one (globals and closures that were folded) are compared, then its function is called with the
arguments, which looks at them itself and gives `MISS` where they are not what it was compiled for.
What no version takes, what is unusual (a wrong number of arguments, an unknown keyword: Python's
own errors), and all calls while settings ask for something else than native code go to `slow`.

Versions come and go while threads are inside. Their records are tables of 64-bit words owned by
Python; one that is removed leaves the chain at once, and is freed when a moment without calls
inside was seen. All of it runs with the GIL; what a version does without it ends before the walk
goes on.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .. import config
from ..frontend.binding import EMPTY, Parameter
from ..frontend.emitter import CellPlace, DictPlace, Guard, HiddenNames
from . import MISS, objects
from .llvm import Library, compile_module
from .memory import immortal

MAX_PARAMETERS = 64  # as in entry.ll
MAX_VERSIONS = 64
"""Versions of one function that are entered natively; the one that was added first goes."""

_METH_FASTCALL, _METH_KEYWORDS = 0x0080, 0x0002
_PYTHON = (
    "PyObject_Vectorcall", "PyDict_GetItemWithError", "PyErr_Occurred", "PyErr_Clear",
    "PyTuple_Size", "PyTuple_GetItem", "PyUnicode_Compare", "Py_DecRef",
)  # fmt: skip
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# Words of the tables in entry.ll.
_HEAD, _INSIDE, _LATEST = 0, 1, 8
_NEXT, _CALLS = 0, 7
_DICT, _CELL = 0, 1

_TEXT = Path(__file__).with_suffix(".ll")


# Functions of CPython -----------------------------------------------------------------------------


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
    name: str, address: int, kept: object, receiver: object = None, *, keywords: bool = False
) -> Callable[..., Any]:
    """A builtin function object.

    Args:
        name: its `__name__`.
        address: where its code begins: `PyObject *f(PyObject *self, PyObject **args, Py_ssize_t
            count)`, which CPython calls METH_FASTCALL; with `keywords` there is a fourth parameter,
            the tuple of names, or NULL.
        kept: lives as long as the function: the code, and all that the code refers to.
        receiver: what the code gets as `self`.
    """
    flags = _METH_FASTCALL | (_METH_KEYWORDS if keywords else 0)
    definition = _MethodDef(name.encode(), address, flags, None)
    keeper = _Keeper(definition, kept)
    made: Callable[..., Any] = _new_function()(
        ctypes.addressof(definition), receiver, keeper, None
    )
    return made


@cache
def _getters() -> tuple[Any, Any]:
    parts = (ctypes.pythonapi.PyCFunction_GetFunction, ctypes.pythonapi.PyCFunction_GetSelf)
    for get in parts:
        get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object,)
    return parts


# Entries ------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Version:
    """One way to run a function that its entry tries.

    Attributes:
        function: a builtin made of METH_FASTCALL code, which may return `MISS`.
        guards: what it folded.
    """

    function: Callable[..., Any]
    guards: Sequence[Guard]
    words: ctypes.Array[ctypes.c_int64] = field(repr=False)
    kept: Sequence[object] = field(repr=False)

    @property
    def calls(self) -> int:
        """Calls that it has served."""
        return self.words[_CALLS]


class Entry:
    """The native call of one function.

    Attributes:
        function: a builtin to be called as the function would be.
    """

    def __init__(
        self, name: str, parameters: Sequence[Parameter], slow: Callable[..., Any]
    ) -> None:
        """Requires `can_enter(parameters)`."""
        names = [sys.intern(p.name) for p in parameters]
        defaults = [p.default for p in parameters]
        places = [id(d) if d is not EMPTY else 0 for d in defaults]
        self._kept = (names, defaults, slow, name_table := _table(map(id, names)),
                      default_table := _table(places))  # fmt: skip
        self._table = _table([
            0, 0, id(slow), len(names), sum(p.kind in _POSITIONAL for p in parameters),
            sum(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in parameters),
            ctypes.addressof(name_table), ctypes.addressof(default_table), 0,
        ])  # fmt: skip
        self._versions: list[Version] = []
        self._retired: list[Version] = []
        self._lock = threading.RLock()
        library = _library()
        self.function = builtin_function(
            name, library.addresses["entry"], (self, library), self._table, keywords=True
        )

    @property
    def latest(self) -> Version | None:
        """The version that served the latest call, if one did."""
        place = self._table[_LATEST]
        return next((v for v in self._versions if ctypes.addressof(v.words) == place), None)

    def add(
        self,
        function: Callable[..., Any],
        guards: Sequence[Guard] = (),
        places: Sequence[int] | None = None,
    ) -> Version | None:
        """Try a function before all others from now on.

        Args:
            function: a builtin made of METH_FASTCALL code.
            guards: what must hold, or else the function is not called.
            places: the parameters that it takes, in order; all by default.

        Returns:
            The version, or None where a guard cannot be tested natively.
        """
        rows = _guard_rows(guards)
        if rows is None:
            return None
        get_function, get_self = _getters()
        row_table = _table([word for row in rows for word in row])
        place_table = _table(places or ())
        with self._lock:
            while len(self._versions) >= MAX_VERSIONS:
                self.remove(self._versions[-1])
            words = _table([
                self._table[_HEAD], get_function(function), get_self(function) or 0,
                self._table[3] if places is None else len(places),
                0 if places is None else ctypes.addressof(place_table),
                len(rows), ctypes.addressof(row_table), 0,
            ])  # fmt: skip
            version = Version(function, guards, words, (row_table, place_table))
            self._versions.insert(0, version)
            self._table[_HEAD] = ctypes.addressof(words)
        return version

    def remove(self, version: Version) -> None:
        """Try a version no longer; calls inside it end as they would."""
        with self._lock:
            if version not in self._versions:
                return
            place = self._versions.index(version)
            before = self._versions[place - 1].words if place else self._table
            before[_NEXT] = version.words[_NEXT]
            self._versions.remove(version)
            self._retired.append(version)
            # Whoever enters from here on does not find it.
            if not self._table[_INSIDE]:
                self._retired.clear()


def can_enter(parameters: Sequence[Parameter]) -> bool:
    """Whether a function with these parameters can have an entry here."""
    return (
        objects.is_available()
        and len(parameters) <= MAX_PARAMETERS
        and not any(p.kind in _VARIADIC for p in parameters)
    )


def _table(words: Iterable[int]) -> ctypes.Array[ctypes.c_int64]:
    given = list(words)
    return (ctypes.c_int64 * max(len(given), 1))(*given)


def _guard_rows(guards: Iterable[Guard]) -> list[tuple[int, ...]] | None:
    """Guards as rows (kind, owner, name, expected); None where one has no native form."""
    rows: list[tuple[int, ...]] = []
    for guard in guards:
        place = guard.place
        if isinstance(place, HiddenNames) and type(place.namespace) is dict:
            rows += [(_DICT, id(place.namespace), id(name), 0) for name in place.names]
        elif guard.type is not None:
            return None
        elif isinstance(place, CellPlace):
            rows.append((_CELL, id(place.cell), 0, id(guard.expected)))
        elif isinstance(place, DictPlace) and type(place.owner) is dict:
            rows.append((_DICT, id(place.owner), id(place.name), id(guard.expected)))
        else:
            return None
    return rows


@cache
def _library() -> Library:
    imports = objects.python_functions(_PYTHON)
    imports |= {"PyUnicode_Type": id(str), "MISS": id(MISS)}
    imports["off"] = ctypes.addressof(_off())
    return immortal(compile_module(_TEXT.read_text(), ["entry"], imports))


@cache
def _off() -> ctypes.c_int64:
    """Not 0 while settings ask for something else than native code, anywhere in the process."""
    word = immortal(ctypes.c_int64())

    def follow() -> None:
        word.value = not config.all_plain()

    config.watch(follow)
    return word
