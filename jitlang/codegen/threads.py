"""Kernels on several threads: a pool of Python threads parked in native code.

`parallel(kernel, range, chunk, arrays, sizes, strides, scalars, scratch, scratch_bytes)` runs a
kernel over [0, range) in pieces that it and the workers take in turn; `parallel_if_awake`, of the
same form, only if that wakes nobody. Workers wait on a semaphore
without the GIL, so waking one costs a few microseconds; they are kept off the CPU of their waker.
One that has just worked looks for the next job for a few times as long before it sleeps. A call
that finds the pool busy runs alone, and no call waits for a worker that has not started: the job
has a word with an open bit and the number of workers inside; who comes after it is closed goes back
to sleep.

The pool is a table of words; a forked child resets it and has no workers until something is
prepared for them there.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import threadpoolctl

from .. import config
from .llvm import Library, compile_module
from .target import host

_SEMAPHORE_WORDS = 4  # sem_t has 32 bytes
_BUSY, _STATE, _NEXT, _TICKETS, _STATUS, _WORKERS, _JOB = 0, 1, 2, 3, 4, 5, 6
_JOB_WORDS = 9
_START = _JOB + _JOB_WORDS
_DONE = _START + _SEMAPHORE_WORDS
_HELPERS = _DONE + _SEMAPHORE_WORDS  # how many workers a call may have
_SERIAL = _HELPERS + 1
_SLEEPERS = _SERIAL + 1
_WORDS = _SLEEPERS + 1

CAPACITY = max(8, os.cpu_count() or 1)
"""The most threads that ever work on one call. Who runs a kernel on several threads gives it
scratch memory for so many: the number of threads may change at any time.
"""
SPINS = 2000
"""How often a thread looks for what it waits for before it sleeps: about 80 us where a pause takes
40 ns. Waking takes 5 to 30 us, which shows between the products of a loop and between short calls.
"""
_RELAX = {"x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()")}

_IMPORTS = (
    "sem_wait",
    "sem_post",
    "gettid",
    "sched_getcpu",
    "sched_getaffinity",
    "sched_setaffinity",
)

_TEXT = Path(__file__).with_suffix(".ll")

_pool = (ctypes.c_int64 * _WORDS)()
_places = (ctypes.c_int64 * (2 * CAPACITY))()  # of each worker: its thread, the CPU it is kept off
_lock = threading.Lock()
_loaded: list[Library] = []
_libc = ctypes.CDLL(None)


def _reset() -> None:
    """An empty pool without workers."""
    global _lock
    _lock = threading.Lock()
    ctypes.memset(_pool, 0, ctypes.sizeof(_pool))
    ctypes.memset(_places, -1, ctypes.sizeof(_places))
    for place in (_START, _DONE):
        _libc.sem_init(ctypes.c_void_p(ctypes.addressof(_pool) + 8 * place), 0, 0)
    _update()


def _update() -> None:
    """Tell native code how many threads the settings of the process allow."""
    _pool[_HELPERS] = _allowed(config.process().num_threads) - 1


def _allowed(wanted: int) -> int:
    found = wanted if wanted > 0 else len(os.sched_getaffinity(0))
    return min(found, _limit, CAPACITY)


_limit = CAPACITY
_reset()
config.watch(_update)
os.register_at_fork(after_in_child=_reset)


def thread_count() -> int:
    """How many threads a kernel may use, the calling one included."""
    return _allowed(config.current().num_threads)


def set_thread_count(count: int) -> None:
    """Set how many threads a kernel may use, in the whole process.

    Raises:
        RuntimeError: the number is not positive.
    """
    if not isinstance(count, int) or count < 1:
        raise RuntimeError(f"the number of threads must be a positive integer, found {count!r}")
    global _limit
    _limit = CAPACITY  # the last word counts: a limit that was lifted leaves its number behind
    config.set(num_threads=count)
    if _loaded:
        parallel_address()  # starts the workers that are missing


class KernelThreads(threadpoolctl.LibController):  # type: ignore[misc]
    """Our threads as threadpoolctl sees them, so that its limits hold for kernels too.

    It knows libraries by their files. Our code has none, so it goes by NumPy's, which is there
    wherever there is an array.
    """

    user_api = "jitlang"
    internal_api = "jitlang"
    filename_prefixes = ("_multiarray_umath",)

    def get_num_threads(self) -> int:
        return thread_count()

    def set_num_threads(self, num_threads: int) -> None:
        global _limit
        _limit = max(num_threads, 1)
        _update()

    def get_version(self) -> None:
        """None is known of a library that has no file."""


def parallel_address(wakes: bool = True) -> int:
    """The address of `parallel`, or of `parallel_if_awake`, with as many workers started as the
    settings allow now.
    """
    wanted = thread_count() - 1
    with _lock:
        if not _loaded:
            _loaded.append(_library())
            threadpoolctl.register(KernelThreads)
        while _pool[_WORKERS] < wanted:
            worker = _loaded[0].function("worker", None, ctypes.c_int64)
            number = _pool[_WORKERS]
            name = f"jitlang-{number + 1}"
            threading.Thread(target=worker, args=(number,), name=name, daemon=True).start()
            _pool[_WORKERS] += 1
    return _loaded[0].addresses[_name(wakes)]


def parallel_function(wakes: bool = True) -> Any:
    """The same as a ctypes function."""
    parallel_address()
    return _parallel(wakes)


def _name(wakes: bool) -> str:
    return "parallel" if wakes else "parallel_if_awake"


@cache
def _parallel(wakes: bool) -> Any:
    pointer, word = ctypes.c_void_p, ctypes.c_int64
    parameters = (pointer, word, word, *(pointer,) * 5, word)
    return _loaded[0].function(_name(wakes), ctypes.c_int32, *parameters)


def _library() -> Library:
    imports = {"pool": ctypes.addressof(_pool), "places": ctypes.addressof(_places)}
    for name in _IMPORTS:
        address = ctypes.cast(getattr(_libc, name), ctypes.c_void_p).value
        assert address is not None
        imports[name] = address
    declaration, pause = _RELAX.get(host().triple.partition("-")[0], ("", ""))
    relax = f"{declaration}\ndefine internal void @relax() {{\n  {pause}\n  ret void\n}}\n"
    text = relax + _TEXT.read_text().replace("SPINS", str(SPINS))
    return compile_module(text, ["worker", _name(True), _name(False)], imports)
