"""The call of a script function as native code, entered by CPython itself.

An `Entry` takes over the calls of one function object. Its code brings positional arguments,
keywords and defaults into the order of the parameters, and walks a chain of *versions*: the guards
of one (globals and closures that were folded) are compared, then its function is called with the
arguments, which looks at them itself and gives `MISS` where they are not what it was compiled for.
*General* versions come last: any callable, for arguments of one form (classes, dtypes and ranks).
What no version takes, what is unusual (a wrong number of arguments, an unknown keyword: Python's
own errors), and all calls while settings ask for something else than native code go to `slow`.

Versions come and go while threads are inside. Their records are tables of 64-bit words owned by
Python; one that is removed leaves the chain at once, and is freed when a moment without calls
inside was seen. All of it runs with the GIL; what a version does without it ends before the walk
goes on.

CPython calls an object through the function pointer at `tp_vectorcall_offset` of its type, where
the type has the flag for that and the pointer is not NULL; else it calls `__call__`. A class whose
objects are to be entered has two slots, `_vectorcall` and `_table`. Before the first is used their
member descriptors are changed from objects to 64-bit words, and the class gets flag and offset.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, MappingProxyType
from typing import Any, Protocol

import numpy as np

from .. import config
from ..frontend.binding import EMPTY, Parameter
from ..frontend.emitter import AttributePlace, CellPlace, DictPlace, Guard, HiddenPlace, Place
from ..frontend.forms import Form
from ..tensor.core import Tensor, box
from . import MISS, objects
from .llvm import Library, compile_module
from .memory import immortal

MAX_PARAMETERS = 64  # as in entry.ll
MAX_VERSIONS = 64
"""Versions of one function that are entered natively; the one that was added first goes."""

_METH_FASTCALL = 0x0080
_HAS_VECTORCALL = 1 << 11  # Py_TPFLAGS_HAVE_VECTORCALL
_WORD_MEMBER = 18  # T_ULONGLONG
_PYTHON = (
    "PyObject_Vectorcall", "PyLong_AsLongLongAndOverflow", "PyDict_GetItemWithError",
    "PyObject_GetAttr", "PyErr_Occurred", "PyErr_Clear", "PyTuple_Size", "PyTuple_GetItem",
    "PyUnicode_Compare", "PyErr_ExceptionMatches", "Py_IncRef", "Py_DecRef",
)  # fmt: skip
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# Words of the tables in entry.ll.
_INSIDE, _LATEST = 1, 8
_NEXT, _CALLS = 0, 7  # the first word of an entry's own table is where its chain begins
_DICT, _CELL, _ARGUMENT, _ATTRIBUTE = range(4)
# What becomes of a kernel's result, and how, where it is not an array (NumPy's scalars).
_KERNEL_RESULTS: Mapping[type | None, tuple[int, Callable[..., Any] | None]] = {
    None: (0, None),
    Tensor: (1, box),
    np.ndarray: (2, np.asarray),
}

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
    name: str, address: int, kept: object, receiver: object = None
) -> Callable[..., Any]:
    """A builtin function object.

    Args:
        name: its `__name__`.
        address: where its code begins: `PyObject *f(PyObject *self, PyObject **args, Py_ssize_t
            count)`, which CPython calls METH_FASTCALL.
        kept: lives as long as the function: the code, and all that the code refers to.
        receiver: what the code gets as `self`.
    """
    definition = _MethodDef(name.encode(), address, _METH_FASTCALL, None)
    keeper = _Keeper(definition, kept)
    made: Callable[..., Any] = _new_function()(ctypes.addressof(definition), receiver, keeper, None)
    return made


@cache
def _getters() -> tuple[Any, Any, Any]:
    python = ctypes.pythonapi
    places = (python.PyCFunction_GetFunction, python.PyCFunction_GetSelf)
    for get in (*places, python.PyCFunction_GetFlags):
        get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object,)
    python.PyCFunction_GetFlags.restype = ctypes.c_int
    return (*places, python.PyCFunction_GetFlags)


def _is_enterable(function: Callable[..., Any]) -> bool:
    """Whether a function is made of code that can be called directly."""
    return type(function) is BuiltinFunctionType and _getters()[2](function) == _METH_FASTCALL


# Entries ------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Version:
    """One way to run a function that its entry tries.

    Attributes:
        function: what it calls.
        words: its record.
        kept: what the record refers to.
        is_general: whether it is tried after all that are not.
    """

    function: Callable[..., Any]
    words: ctypes.Array[ctypes.c_int64] = field(repr=False)
    kept: Sequence[object] = field(repr=False)
    is_general: bool

    @property
    def calls(self) -> int:
        """Calls that it has served."""
        return self.words[_CALLS]


class Enterable(Protocol):
    """An object whose class has the two slots."""

    _table: int
    _vectorcall: int


class Entry:
    """The native call of one function object. Whoever makes one keeps it as long as the object."""

    def __init__(
        self, owner: Enterable, parameters: Sequence[Parameter], slow: Callable[..., Any]
    ) -> None:
        """Take over the calls of `owner`. Requires `can_enter(type(owner), parameters)`.

        Args:
            owner: is called from now on through the entry.
            parameters: what it takes.
            slow: what it called until now.
        """
        names = [sys.intern(p.name) for p in parameters]
        defaults = [p.default for p in parameters]
        name_table = _table(map(id, names))
        default_table = _table(id(d) if d is not EMPTY else 0 for d in defaults)
        self._kept = (names, defaults, slow, name_table, default_table)
        self._table = _table([
            0, 0, id(slow), len(names), sum(p.kind in _POSITIONAL for p in parameters),
            sum(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in parameters),
            ctypes.addressof(name_table), ctypes.addressof(default_table), 0,
        ])  # fmt: skip
        self._versions: list[Version] = []
        self._retired: list[Version] = []
        self.renew_lock()
        code = _library(objects.slot_offset(type(owner), "_table"))
        owner._table = ctypes.addressof(self._table)
        owner._vectorcall = code.addresses["entry"]

    def renew_lock(self) -> None:
        """Forget who is changing the chain: nobody is in a process that was just forked."""
        self._lock = threading.RLock()

    @property
    def latest(self) -> Version | None:
        """The version that served the latest call, if one did."""
        place = self._table[_LATEST]
        return next((v for v in self._versions if ctypes.addressof(v.words) == place), None)

    def add(
        self,
        function: Callable[..., Any],
        guards: Sequence[Guard] = (),
        constants: Mapping[int, object] = MappingProxyType({}),
        *,
        takes_more: bool = False,
    ) -> Version | None:
        """Try a function before all others from now on.

        Args:
            function: takes the arguments in the order of the parameters, without the constants.
            guards: what must hold, or else the function is not called.
            constants: objects that stand for parameters; what is given must be identical.
            takes_more: the function takes what others take better: try it after these.

        Returns:
            The version, or None where a guard cannot be tested natively or the function is no
            builtin made of METH_FASTCALL code.
        """
        rows = _guard_rows(guards)
        if rows is None or not _is_enterable(function):
            return None
        rows += [(_ARGUMENT, place, 0, id(value)) for place, value in constants.items()]
        places = [place for place in range(self._table[3]) if place not in constants]
        place_table = _table(places)
        get_function, get_self, _ = _getters()
        words = [get_function(function), get_self(function) or 0, len(places),
                 ctypes.addressof(place_table) if constants else 0]  # fmt: skip
        kept = (guards, dict(constants), place_table)
        with self._lock:
            better = sum(not version.is_general for version in self._versions) * takes_more
            return self._insert(better, function, words, rows, kept)

    def add_general(
        self,
        function: Callable[..., Any],
        form: Form,
        guards: Sequence[Guard] = (),
        *,
        kernel_result: type | None = None,
    ) -> Version | None:
        """Try a function after all others from now on.

        Args:
            function: any callable; takes the arguments in the order of the parameters.
            form: which arguments it takes, see `frontend.forms.form_of`.
            guards: what must hold, or else the function is not called.
            kernel_result: the function is a kernel, without effects: it takes the arrays of tensors
                in their place and gives an array, of which the call makes a `Tensor` or an
                `ndarray`, whichever is named here. Where it raises, the call goes on to `slow`.

        Returns:
            The version, or None where a guard cannot be tested natively.
        """
        rows = _guard_rows(guards)
        if rows is None:
            return None
        forms = _table(word for item in form for word in _form_row(item))
        kind, finish = _KERNEL_RESULTS[kernel_result]
        general = (ctypes.addressof(forms), id(function), kind, id(finish))
        kept = (guards, form, forms)
        with self._lock:
            last = len(self._versions)
            return self._insert(last, function, (0, 0, 0, 0), rows, kept, general)

    def _insert(
        self,
        place: int,
        function: Callable[..., Any],
        words: Sequence[int],
        rows: Sequence[Sequence[int]],
        kept: Sequence[object],
        general: Sequence[int] = (0, 0, 0, 0),
    ) -> Version:
        while len(self._versions) >= MAX_VERSIONS:
            self.remove(self._versions[-1])
        place = min(place, len(self._versions))
        before = self._versions[place - 1].words if place else self._table
        row_table = _table(word for row in rows for word in row)
        record = _table([
            before[_NEXT], *words, len(rows), ctypes.addressof(row_table), 0, *general
        ])  # fmt: skip
        version = Version(function, record, (*kept, row_table), is_general=general[1] != 0)
        self._versions.insert(place, version)
        before[_NEXT] = ctypes.addressof(record)
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


def can_enter(cls: type, parameters: Sequence[Parameter]) -> bool:
    """Whether calls of an object of a class with these parameters can be taken over."""
    return (
        len(parameters) <= MAX_PARAMETERS
        and not any(p.kind in _VARIADIC for p in parameters)
        and objects.is_available()
        and _make_enterable(cls)
    )


@cache
def _make_enterable(cls: type) -> bool:
    """Have CPython call the objects of a class through their slots, where these are filled."""
    owner = next(base for base in cls.__mro__ if "_vectorcall" in base.__dict__)
    if not _types_lie_as_expected() or cls.__call__ is not owner.__call__:
        return False
    for name in ("_vectorcall", "_table"):
        ctypes.c_int.from_address(objects.member_of(owner, name) + 8).value = _WORD_MEMBER
    offset, flags = _vectorcall_words(cls)
    offset.value = objects.slot_offset(owner, "_vectorcall")
    flags.value |= _HAS_VECTORCALL
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(cls))
    return True


def _types_lie_as_expected() -> bool:
    """Whether the words of types are where they are looked for: builtin functions are called as
    described, classes written in Python are not.
    """
    offset, flags = _vectorcall_words(BuiltinFunctionType)
    own_offset, own_flags = _vectorcall_words(Entry)
    return (
        (flags.value, own_flags.value) == (BuiltinFunctionType.__flags__, Entry.__flags__)
        and bool(flags.value & _HAS_VECTORCALL)
        and not own_flags.value & _HAS_VECTORCALL
        and 16 <= offset.value < BuiltinFunctionType.__basicsize__
        and own_offset.value == 0
    )


def _vectorcall_words(cls: type) -> tuple[ctypes.c_int64, ctypes.c_uint64]:
    """`tp_vectorcall_offset` and `tp_flags` of a type."""
    return ctypes.c_int64.from_address(id(cls) + 56), ctypes.c_uint64.from_address(id(cls) + 168)


def _table(words: Iterable[int]) -> ctypes.Array[ctypes.c_int64]:
    given = list(words)
    return (ctypes.c_int64 * max(len(given), 1))(*given)


def _form_row(item: Any) -> tuple[int, int, int]:
    """One item of a form as a row (class, number of the dtype, rank)."""
    return (id(np.ndarray), *item) if isinstance(item, tuple) else (id(item), 0, 0)


def _guard_rows(guards: Iterable[Guard]) -> list[tuple[int, ...]] | None:
    """Guards as rows (kind, owner, name, expected); None where one has no native form."""
    rows: list[tuple[int, ...]] = []
    for guard in guards:
        found = _rows_of(guard.place, guard.expected) if guard.type is None else None
        if found is None:
            return None
        rows += found
    return rows


def _rows_of(place: Place, expected: object) -> list[tuple[int, ...]] | None:
    if isinstance(place, CellPlace):
        return [(_CELL, id(place.cell), 0, id(expected))]
    if isinstance(place, AttributePlace):
        return [(_ATTRIBUTE, id(place.owner), id(place.name), id(expected))]
    if isinstance(place, DictPlace) and type(place.owner) is dict:
        return [(_DICT, id(place.owner), id(place.name), id(expected))]
    if isinstance(place, HiddenPlace) and type(place.namespace) is dict:
        return [(_DICT, id(place.namespace), id(name), 0) for name in sorted(place.names)]
    return None


@cache
def _library(table_offset: int) -> Library:
    imports = {**objects.python_functions(_PYTHON), **objects.imports()}
    imports |= {"Tensor_Type": id(Tensor), "PyExc_Exception": objects.exception_place("Exception")}
    imports |= {"PyUnicode_Type": id(str), "PyLong_Type": id(int), "PyArray_Type": id(np.ndarray)}
    imports |= {"MISS": id(immortal(MISS))}
    imports["off"] = ctypes.addressof(_off())
    offset = f"@table_offset = internal constant i64 {table_offset}\n"
    return immortal(compile_module(_TEXT.read_text() + offset, ["entry"], imports))


@cache
def _off() -> ctypes.c_int64:
    """Not 0 while settings ask for something else than native code, anywhere in the process."""
    word = immortal(ctypes.c_int64())

    def follow() -> None:
        word.value = not config.all_plain()

    config.watch(follow)
    return word
