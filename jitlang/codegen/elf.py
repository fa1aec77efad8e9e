"""Object files become code in memory: a linker for what LLVM writes on x86-64 under Linux.

LLVM could link too, but a process that finds all its objects on the disk would then load LLVM for
nothing else, which takes longer than the rest of its start. What this one does not know, it refuses
before anything is mapped, and `llvm.py` lets LLVM link.

An object gets one mapping of three parts on pages of their own: code, which cannot be written to,
constants with the table of imported addresses, and variables. Calls of imported functions that are
too far away for a relative call go through a stub behind the code.

Formats: System V ABI, chapters 4 and 5, and its AMD64 supplement, section 4.4 (relocations).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

_IDENTITY = b"\x7fELF\x02\x01"  # 64 bits, little endian
_X86_64 = 62
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_SYMBOL_TABLE, _RELOCATIONS, _NO_BITS, _UNWIND = 2, 4, 8, 0x70000001
_WRITE, _ALLOCATE, _EXECUTE = 1, 2, 4
_IMPORTED = 0  # the number of the section of undefined symbols
_GLOBAL_OFFSET_TABLE = "_GLOBAL_OFFSET_TABLE_"
"""What objects name beside their imports, without using it."""

_ABS64, _PC32, _PLT32, _GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX = 1, 2, 4, 9, 41, 42
_BY_TABLE = (_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX)
_TO_ANYWHERE = (_ABS64, _PLT32, *_BY_TABLE)
_KNOWN = (*_TO_ANYWHERE, _PC32)
_NEAR = 2**31 - 2**28  # how far a relative call reaches, less the size of any object
_ENTRY, _STUB = 8, 8  # bytes of an entry of the table of addresses, and of a stub
_JUMP, _JUMP_SIZE = b"\xff\x25", 6  # jmp [rip + 32 bits]


class Section(NamedTuple):
    """A section header; `offset` and `size` are bytes of the file."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int

    @property
    def is_loaded(self) -> bool:
        """Whether running code needs it; nothing unwinds through ours."""
        return bool(self.flags & _ALLOCATE) and self.kind != _UNWIND


class Symbol(NamedTuple):
    """A name, the section it lies in (0: in none, it is imported) and its place there."""

    name: str
    section: int
    value: int


class Relocation(NamedTuple):
    """A place of a section that depends on where a symbol is."""

    section: int
    offset: int
    kind: int
    symbol: int
    addend: int


@dataclass(frozen=True)
class ObjectFile:
    """What an object says, read when it is asked for."""

    image: bytes

    @property
    def is_elf(self) -> bool:
        """Whether it is an ELF object of 64 bits, little endian."""
        return self.image.startswith(_IDENTITY)

    @cached_property
    def sections(self) -> list[Section]:
        """The section headers, by number."""
        (start,) = struct.unpack_from("<Q", self.image, 0x28)
        size, count = struct.unpack_from("<HH", self.image, 0x3A)
        places = range(start, start + size * count, size)
        return [Section(*_SECTION.unpack_from(self.image, place)) for place in places]

    @cached_property
    def symbols(self) -> list[Symbol]:
        """The symbol table."""
        found = []
        for table in self.sections:
            if table.kind != _SYMBOL_TABLE:
                continue
            names = self.sections[table.link].offset
            for place in range(table.offset, table.offset + table.size, _SYMBOL.size):
                name, _, _, section, value, _ = _SYMBOL.unpack_from(self.image, place)
                end = self.image.index(b"\0", names + name)
                found.append(Symbol(self.image[names + name : end].decode(), section, value))
        return found

    @cached_property
    def relocations(self) -> list[Relocation]:
        """Those of the sections that are loaded."""
        found = []
        for table in self.sections:
            if table.kind != _RELOCATIONS or not self.sections[table.info].is_loaded:
                continue
            for place in range(table.offset, table.offset + table.size, _RELOCATION.size):
                offset, info, addend = _RELOCATION.unpack_from(self.image, place)
                kind, symbol = info & 0xFFFFFFFF, info >> 32
                found.append(Relocation(table.info, offset, kind, symbol, addend))
        return found

    def undefined_symbols(self) -> Iterator[str]:
        """The names that the object imports."""
        for symbol in self.symbols:
            if not symbol.section and symbol.name not in ("", _GLOBAL_OFFSET_TABLE):
                yield symbol.name

    def needs_entry(self, place: Relocation) -> bool:
        """Whether it goes, or may have to go, by the table of addresses."""
        is_imported = self.symbols[place.symbol].section == _IMPORTED
        return is_imported or place.kind in _BY_TABLE

    def is_linkable(self) -> bool:
        """Whether `link` knows everything that the object asks for."""
        if not self.is_elf or not sys.platform.startswith("linux"):
            return False
        (machine,) = struct.unpack_from("<H", self.image, 0x12)
        return machine == _X86_64 and all(map(self._is_known, self.relocations))

    def _is_known(self, place: Relocation) -> bool:
        section = self.symbols[place.symbol].section
        if section == _IMPORTED:
            return place.kind in _TO_ANYWHERE
        is_here = section < len(self.sections) and self.sections[section].is_loaded
        return is_here and place.kind in _KNOWN


@dataclass(frozen=True)
class Code:
    """Linked code: unmapped when this object goes, but not when the process ends, since threads may
    still be inside.

    Attributes:
        addresses: the functions asked for.
    """

    addresses: Mapping[str, int]


def link(file: ObjectFile, exports: Sequence[str], imports: Mapping[str, int]) -> Code:
    """Map an object that `is_linkable`.

    Args:
        exports: functions of the object whose addresses are wanted.
        imports: an address for each of its undefined symbols.

    Raises:
        KeyError: an export is not there, or an import is missing.
        OSError: the system has no memory, or none that can be executed.
    """
    layout = _Layout(file)
    base = _map(layout.size)
    try:
        linker = _Linker(file, layout, base, imports)
        linker.load()
        code = Code({name: linker.address_of(name) for name in exports})
    except BaseException:
        _libc.munmap(base, layout.size)
        raise
    weakref.finalize(code, _libc.munmap, base, layout.size).atexit = False
    return code


class _Layout:
    """Where the parts of an object lie, in bytes from the beginning of its mapping.

    Attributes:
        starts: of the sections that are loaded, by number.
        tabled: the symbols that have an entry in the table of addresses, by number.
        stubs, constants, variables: where these parts begin; the table leads the constants.
        size: of it all, whole pages.
    """

    def __init__(self, file: ObjectFile) -> None:
        self.starts: dict[int, int] = {}
        by_table = (each.symbol for each in file.relocations if file.needs_entry(each))
        self.tabled = list(dict.fromkeys(by_table))
        self.stubs = _up(self._add(0, file, _EXECUTE), _STUB)
        self.constants = _up(self.stubs + _STUB * len(self.tabled), mmap.PAGESIZE)
        end = self._add(self.constants + _ENTRY * len(self.tabled), file, 0)
        self.variables = _up(end, mmap.PAGESIZE)
        self.size = _up(self._add(self.variables, file, _WRITE), mmap.PAGESIZE)

    def _add(self, end: int, file: ObjectFile, access: int) -> int:
        """Place the sections of one kind of access from `end` on."""
        for number, section in enumerate(file.sections):
            if section.is_loaded and section.flags & (_WRITE | _EXECUTE) == access:
                self.starts[number] = _up(end, max(section.alignment, 1))
                end = self.starts[number] + section.size
        return end


class _Linker:
    """Writes one object to its mapping at `base`."""

    def __init__(
        self, file: ObjectFile, layout: _Layout, base: int, imports: Mapping[str, int]
    ) -> None:
        self._file, self._layout, self._base, self._imports = file, layout, base, imports
        self._data = bytearray(layout.size)
        self._entries = {symbol: n for n, symbol in enumerate(layout.tabled)}
        self._symbols = {each.name: n for n, each in enumerate(file.symbols)}

    def address_of(self, name: str) -> int:
        """Where a symbol is in memory."""
        return self._address(self._symbols[name])

    def load(self) -> None:
        """Copy the sections, fill the table and the stubs, relocate and protect."""
        layout, image = self._layout, self._file.image
        for number, start in layout.starts.items():
            section = self._file.sections[number]
            if section.kind != _NO_BITS:
                self._data[start : start + section.size] = image[section.offset :][: section.size]
        for symbol, n in self._entries.items():
            entry, stub = layout.constants + _ENTRY * n, layout.stubs + _STUB * n
            struct.pack_into("<Q", self._data, entry, self._address(symbol))
            struct.pack_into("<2si", self._data, stub, _JUMP, entry - stub - _JUMP_SIZE)
        for place in self._file.relocations:
            self._relocate(place)
        ctypes.memmove(self._base, bytes(self._data), layout.size)
        _protect(self._base, layout.constants, mmap.PROT_READ | mmap.PROT_EXEC)
        _protect(self._base + layout.constants, layout.variables - layout.constants, mmap.PROT_READ)

    def _address(self, number: int) -> int:
        symbol = self._file.symbols[number]
        if symbol.section == _IMPORTED:
            return self._imports[symbol.name]
        return self._base + self._layout.starts[symbol.section] + symbol.value

    def _relocate(self, place: Relocation) -> None:
        offset = self._layout.starts[place.section] + place.offset
        if place.kind == _ABS64:
            value = self._address(place.symbol) + place.addend
            struct.pack_into("<Q", self._data, offset, value)
            return
        distance = self._target(place) + place.addend - (self._base + offset)
        struct.pack_into("<i", self._data, offset, distance)

    def _target(self, place: Relocation) -> int:
        """What a relative place means: a symbol, its entry in the table, or its stub."""
        if place.kind in _BY_TABLE:
            return self._base + self._layout.constants + _ENTRY * self._entries[place.symbol]
        address = self._address(place.symbol)
        if place.symbol not in self._entries or abs(address - self._base) < _NEAR:
            return address
        return self._base + self._layout.stubs + _STUB * self._entries[place.symbol]


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


# Memory -------------------------------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _map(size: int) -> int:
    """Fresh memory, to be written to.

    Raises:
        OSError: there is none.
    """
    access, kind = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    found: int = _libc.mmap(None, size, access, kind, -1, 0)
    if found == ctypes.c_void_p(-1).value:
        raise _last_error("no memory for generated code")
    return found


def _protect(address: int, size: int, access: int) -> None:
    if size and _libc.mprotect(address, size, access):
        raise _last_error("the system refuses memory that generated code can run in")


def _last_error(message: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{message}: {os.strerror(number)}")
