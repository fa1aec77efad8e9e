"""The private folder of compiled objects, shared by the processes of one user.

An entry is a file named by its key: a header (magic, key, length, SHA-256 of key and object) and
the object. Nothing of an entry is used before all of the header agrees, since LLVM aborts on
damaged objects. The folder belongs to the user and nobody else may enter it (0700); otherwise there
is no cache, and a warning says so where a setting names the folder. Entries appear by renaming a
complete file, so readers never see half of one and writers never wait. When the folder has outgrown
`config.max_cache_bytes`, the least recently used entries go.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from .. import config

MAGIC = b"JLOBJ\x00\x00\x01"
_DIGEST = 32
_HEADER = len(MAGIC) + _DIGEST + 8 + _DIGEST
_SWEEP_EVERY = 64  # about how many stores there are between two looks at the folder's size
_STALE_SECONDS = 3600.0  # a temporary file this old was left by a process that died


class ObjectCache:
    """Objects by key (32 bytes) in one folder. Failures of the file system mean "not cached"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: bytes) -> bytes | None:
        """The object stored under a key, or None. A damaged entry is removed."""
        path = self._path(key)
        try:
            data = _read_owned(path)
        except OSError:
            return None
        found = unpack(key, data)
        with suppress(OSError):
            if found is None:
                path.unlink()
            else:
                os.utime(path)
        return found

    def store(self, key: bytes, image: bytes) -> None:
        """Keep an object. Looking at the whole folder takes long, so some keys do that for all: no
        process needs to count, and none pays for it at its first object more than at others.
        """
        with suppress(OSError):
            handle, name = tempfile.mkstemp(prefix="new-", dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(pack(key, image))
                Path(name).replace(self._path(key))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            if key[0] % _SWEEP_EVERY == 0:
                self.sweep(config.current().max_cache_bytes)

    def sweep(self, limit: int) -> None:
        """Remove the least recently used entries until the rest fit in `limit` bytes."""
        entries = sorted(self._entries(), reverse=True)
        total = 0
        for used, size, name in entries:
            total += size
            is_stale = name.startswith("new-") and used < time.time() - _STALE_SECONDS
            if total > limit or is_stale:
                with suppress(OSError):
                    (self.folder / name).unlink()

    def _entries(self) -> Iterator[tuple[float, int, str]]:
        """When each was used last, its size and its name."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    yield status.st_mtime, status.st_size, entry.name

    def _path(self, key: bytes) -> Path:
        return self.folder / f"{key.hex()}.o"


def pack(key: bytes, image: bytes) -> bytes:
    """An entry: header and object."""
    digest = hashlib.sha256(key + image).digest()
    return MAGIC + key + len(image).to_bytes(8, "little") + digest + image


def unpack(key: bytes, data: bytes) -> bytes | None:
    """The object of an entry, or None where anything about it is wrong."""
    image = data[_HEADER:]
    return image if data == pack(key, image) else None


def _read_owned(path: Path) -> bytes:
    """The contents of a regular file of this user.

    Raises:
        OSError: there is no such file, or it is something else.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
            raise PermissionError(path)
        return file.read()


def open_cache() -> ObjectCache | None:
    """The cache that the settings name, its folder made where it is missing; None for none."""
    setting = config.current().cache_dir
    if setting == "off":
        return None
    try:
        folder = Path(setting).expanduser() if setting else _default_folder()
    except RuntimeError:  # a user without a home
        return None
    reason = _why_refused(folder)
    if reason and setting:
        _warn_refused(folder, reason)
    return None if reason else ObjectCache(folder)


def _why_refused(folder: Path) -> str:
    """Make the folder where it is missing, and tell why it cannot be used; empty if it can."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        return str(error)
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a folder"
    if status.st_uid != os.getuid():
        return "it belongs to another user"
    if status.st_mode & 0o077:
        return f"others may enter it; `chmod 700 {folder}` mends that"
    return ""


@cache
def _warn_refused(folder: Path, reason: str) -> None:
    """Said once for a folder: without it each process compiles everything again."""
    message = f"compiled objects are not kept in cache_dir {str(folder)!r}: {reason}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "jitlang"
