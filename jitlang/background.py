"""One compilation at a time, in the call or off the calling thread.

Whoever compiles holds `compiling`. A fork waits for it: a child has the locks that other threads
held (of imports, of LLVM), and nobody to open them.

`submit(key, task, failed)` has the worker run a task some time, unless one with that key waits
already. What a task raises is handed to `failed`, and never reaches a caller.

The lock is the problem: a thread that computes in Python keeps it for `sys.getswitchinterval()`
(5 ms) whenever others wait for it, so many calls of 50 us would take 5 ms. The worker therefore
watches its own clock (a profiling hook, called at each Python call it makes), and after `SLICE`
sleeps for `PAUSE`. A call that meets a slice takes that much longer, but of calls that take 50 us
less than one in a hundred does. While somebody waits for `compiling`, the worker does not sleep.

The worker is a daemon. The exit of the interpreter waits until it comes to its next `checkpoint`,
where it gives up; a forked child has no worker and no tasks until it submits some.
"""

from __future__ import annotations

import atexit
import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

SLICE = 0.0014
"""Seconds of Python after which the worker sleeps."""
PAUSE = 0.010
"""Seconds that it sleeps."""
AWAY = 0.003
"""Seconds between two calls after which it must have waited for the interpreter lock."""
MAX_WAITING = 64
"""Tasks that wait; more are dropped, and may be submitted again."""

Task = Callable[[], object]


class CompileLock:
    """Held while something is compiled; the thread that holds it may take it again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.waiting: set[int] = set()  # threads; adding and removing need no lock

    def __enter__(self) -> None:
        with self.awaited():
            self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Let whoever compiles make haste: this thread waits for it."""
        self.waiting.add(threading.get_ident())
        try:
            yield
        finally:
            self.waiting.discard(threading.get_ident())

    @contextmanager
    def unless_busy(self) -> Iterator[bool]:
        """Take the lock unless another thread holds it; gives whether it was taken."""
        taken = self._lock.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._lock.release()


compiling = CompileLock()


class _Stopped(BaseException):
    """Ends a task when the interpreter ends."""


@dataclass(frozen=True)
class _Job:
    """A task, what it runs under, and who hears of its failure."""

    context: contextvars.Context
    task: Task
    failed: Callable[[Exception], None]


class _Worker:
    """The tasks that wait, and the thread that runs them, made for the first one."""

    def __init__(self) -> None:
        self.waiting: dict[Hashable, _Job] = {}
        self.running: Hashable = None
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.is_stopping = False
        self.awake_since = self.last_seen = 0.0

    def submit(self, key: Hashable, job: _Job) -> None:
        with self.changed:
            if key in self.waiting or key == self.running or self.is_stopping:
                return
            if len(self.waiting) >= MAX_WAITING:
                return
            self.waiting[key] = job
            if self.thread is None:
                self.thread = threading.Thread(
                    target=self.work, name="jitlang-compiler", daemon=True
                )
                self.thread.start()
            self.changed.notify_all()

    def work(self) -> None:
        """Run tasks, one after the other, until the interpreter ends."""
        while True:
            with self.changed:
                while not self.waiting and not self.is_stopping:
                    self.changed.wait()
                if self.is_stopping:
                    return
                self.running = next(iter(self.waiting))
                job = self.waiting.pop(self.running)
            self.run(job)
            del job  # and the arguments that it holds
            with self.changed:
                self.running = None
                self.changed.notify_all()

    def run(self, job: _Job) -> None:
        self.awake_since = self.last_seen = time.perf_counter()
        sys.setprofile(self.breathe)
        try:
            with compiling:
                job.context.run(job.task)
        except _Stopped:
            return
        except Exception as error:  # nobody waits for the job; its owner lets `explain` tell
            job.failed(error)
        finally:
            sys.setprofile(None)

    def breathe(self, frame: FrameType, event: str, argument: Any) -> None:
        """Sleep when a slice is over."""
        now = time.perf_counter()
        was_away = now - self.last_seen > AWAY
        self.last_seen = now
        if was_away:
            self.awake_since = now
        elif now - self.awake_since > SLICE and not compiling.waiting and not self.is_stopping:
            time.sleep(PAUSE)

    def wait(self, timeout: float | None) -> bool:
        with compiling.awaited(), self.changed:
            return self.changed.wait_for(
                lambda: not self.waiting and self.running is None, timeout
            )

    def stop(self) -> None:
        with self.changed:
            self.is_stopping = True
            self.waiting.clear()
            self.changed.notify_all()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join()


_worker = _Worker()


def submit(key: Hashable, task: Task, failed: Callable[[Exception], None]) -> None:
    """Have a task run on the worker's thread, under the settings in force here.

    Args:
        key: while a task with this key waits or runs, no other is taken.
        task: what to do.
        failed: is called with what the task raises, on the worker's thread.
    """
    _worker.submit(key, _Job(contextvars.copy_context(), task, failed))


def wait(timeout: float | None = None) -> bool:
    """Wait until there is nothing to do; whether that happened within so many seconds."""
    return _worker.wait(timeout)


def checkpoint() -> None:
    """A place where the worker may give up, because the interpreter ends. No locks but `compiling`
    are held there: an exception at any other place might leave the one of imports behind.
    """
    if _worker.is_stopping and is_worker():
        raise _Stopped


def is_worker() -> bool:
    """Whether this thread is the worker's."""
    return threading.current_thread() is _worker.thread


def _before_fork() -> None:
    compiling.__enter__()


def _after_fork() -> None:
    compiling.__exit__()


def _in_child() -> None:
    global _worker
    _worker = _Worker()
    compiling.waiting.clear()
    _after_fork()


def _stop() -> None:
    _worker.stop()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child
)
atexit.register(_stop)
