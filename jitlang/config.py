"""Every flag and threshold, once: name, type, default, environment variable, help.

Read a flag as `config.current().exact`; change it for a stretch of code with
`config.override(exact=True)` or for the process with `config.set(exact=True)`. Overrides are per
thread and per task.

Native code cannot read settings. What it depends on is kept where it can: `watch` has a function
called whenever `all_plain()` or `process()` may have changed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

ENVIRONMENT_PREFIX = "JITLANG_"


def _flag(
    default: Any,
    help: str,
    env: str | None = None,
    *,
    choices: Sequence[str] = (),
    minimum: int | None = None,
) -> Any:
    limits = {"choices": choices, "minimum": minimum}
    return field(default=default, metadata={"help": help, "env": env, **limits})


@dataclass(frozen=True, slots=True)
class Config:
    """All settings; a frozen value, replaced as a whole."""

    disable: bool = _flag(False, "script() returns the plain Python function", "DISABLE")
    exact: bool = _flag(False, "pointwise rows use jitlang's own elementary functions")
    verify: bool = _flag(False, "verify the graph after every pass", "VERIFY")
    dump: str = _flag("", "print the graph at these points: front, after:PASS, final", "DUMP")
    opt_limit: int = _flag(-1, "stop optimising after this many pass runs (bisection)", "OPT_LIMIT")
    strict: bool = _flag(False, "refuse calls back into Python")
    native: bool = _flag(True, "compile functions natively once they have been called often enough")
    num_profiled_runs: int = _flag(
        2, "calls of a signature that the interpreter serves first", "WARMUP", minimum=0
    )
    executor: str = _flag(
        "blocking",
        "compile in the call (blocking), or on a thread while the interpreter serves (background)",
        "EXECUTOR",
        choices=("blocking", "background"),
    )
    static_versions: int = _flag(
        2, "native functions of a signature, each for one layout", minimum=0
    )
    dynamic_classes: int = _flag(
        10, "forms of a fusion group kept for all other layouts", minimum=1
    )
    max_specializations: int = _flag(64, "signatures of one function kept compiled")
    max_constant_elements: int = _flag(64, "elements of a tensor constant folded by passes")
    max_inline_nodes: int = _flag(100_000, "nodes a graph may reach by inlining")
    max_unrolled_trips: int = _flag(16, "trips of a loop over a list that are written out")
    max_unrolled_nodes: int = _flag(2000, "nodes that writing out the trips of a loop may make")
    max_hoisted_bytes: int = _flag(
        256 << 20, "size of one product of a whole sequence, held for the steps of a loop"
    )
    max_nesting: int = _flag(60, "block depth after which the interpreter outlines a routine")
    cache_dir: str = _flag(
        "",
        "folder of compiled objects; empty: below the user's cache folder; off: none",
        "CACHE_DIR",
    )
    max_cache_bytes: int = _flag(256 << 20, "size of that folder; the least recently used go first")
    max_kernel_ops: int = _flag(400, "statements of one kernel; bigger fusion groups are split")
    num_threads: int = _flag(
        0, "threads of one kernel; 0: as many as processors", "NUM_THREADS", minimum=0
    )
    max_cached_memory: int = _flag(
        256 << 20, "bytes of dead large arrays kept for new ones; for the whole process"
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(f, getattr(self, f.name))

    @property
    def is_plain(self) -> bool:
        """Whether calls may run natively, without asking for the settings again."""
        return self.native and not (self.disable or self.exact)


def _check(flag: Field[Any], value: Any) -> None:
    """Refuse a value that a flag cannot have.

    Raises:
        ValueError: naming the flag, the value and what is allowed.
    """
    is_number = flag.type in ("int", int)
    if is_number and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"{flag.name} must be an integer, found {value!r}")
    choices, minimum = flag.metadata["choices"], flag.metadata["minimum"]
    if choices and value not in choices:
        allowed = " or ".join(map(repr, choices))
        raise ValueError(f"{flag.name} must be {allowed}, found {value!r}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{flag.name} must be at least {minimum}, found {value}")


def _parse(name: str, kind: Any, text: str) -> Any:
    if kind in (bool, "bool"):
        return text.lower() not in ("", "0", "false", "no", "off")
    if kind in (int, "int"):
        try:
            return int(text)
        except ValueError:
            raise ValueError(
                f"{ENVIRONMENT_PREFIX}{name} must be an integer, found {text!r}"
            ) from None
    return text


def from_environment(environ: Mapping[str, str]) -> Config:
    """The defaults, overridden by `JITLANG_*` variables.

    Raises:
        ValueError: a variable does not parse as its flag's type, or the flag cannot have its value.
    """
    given = {}
    for f in fields(Config):
        env = f.metadata["env"]
        if env is not None and (text := environ.get(ENVIRONMENT_PREFIX + env)) is not None:
            given[f.name] = _parse(env, f.type, text)
    return Config(**given)


class _Override:
    """Settings for a stretch of code. It lives as long as anything may run under them: a task that
    was started there may outlast the `with` statement.
    """

    __slots__ = ("settings",)

    def __init__(self, settings: Config) -> None:
        self.settings = settings
        _count_unusual(int(not settings.is_plain))

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not is_finalizing():
            _count_unusual(-int(not self.settings.is_plain))


_process = from_environment(os.environ)
_override: ContextVar[_Override | None] = ContextVar("jitlang_config", default=None)
_unusual = 0  # overrides alive that are not plain
_watchers: list[Callable[[], None]] = []
_lock = threading.RLock()  # reentrant: an override may end wherever memory is collected


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


def current() -> Config:
    """The settings in force here."""
    override = _override.get()
    return _process if override is None else override.settings


def process() -> Config:
    """The settings of the process, which hold wherever there is no override."""
    return _process


def all_plain() -> bool:
    """Whether all settings in force anywhere in the process are plain."""
    return not _unusual and _process.is_plain


def watch(watcher: Callable[[], None]) -> None:
    """Call a function now and after every change of `process()` and `all_plain()`, from any thread,
    never two at a time.
    """
    with _lock:
        _watchers.append(watcher)
        watcher()


def _count_unusual(change: int) -> None:
    global _unusual
    if change:
        with _lock:
            _unusual += change
            _tell()


def _tell() -> None:
    for watcher in _watchers:
        watcher()


def _checked(base: Config, changes: dict[str, Any]) -> Config:
    known = [f.name for f in fields(Config)]
    for name in changes:
        if name not in known:
            raise ValueError(f"unknown setting {name!r}; settings are {', '.join(known)}")
    return replace(base, **changes)


def set(**changes: Any) -> None:
    """Change settings for the whole process.

    Raises:
        ValueError: a name is not a setting, or a setting cannot have its value.
    """
    global _process
    with _lock:
        _process = _checked(_process, changes)
        _tell()


@contextmanager
def override(**changes: Any) -> Iterator[Config]:
    """Change settings inside a `with` block, for this thread only.

    Raises:
        ValueError: a name is not a setting, or a setting cannot have its value.
    """
    token = _override.set(_Override(_checked(current(), changes)))
    try:
        yield current()
    finally:
        _override.reset(token)


# Settings under torch's names ---------------------------------------------------------------------


def set_num_profiled_runs(count: int) -> int:
    """How many calls of a signature are watched before it is compiled.

    Returns:
        The number before.

    Raises:
        ValueError: the number is negative, or none.
    """
    before = process().num_profiled_runs
    set(num_profiled_runs=count)
    return before


Strategy = list[tuple[str, int]]
_STRATEGY = {"STATIC": "static_versions", "DYNAMIC": "dynamic_classes"}


def set_fusion_strategy(strategy: Sequence[tuple[str, int]]) -> Strategy:
    """How many native functions for one layout each a signature may have ("STATIC"), and how many
    forms of a fusion group are kept for all other layouts ("DYNAMIC").

    Args:
        strategy: `[("STATIC", 2), ("DYNAMIC", 10)]` is where it starts. A kind that is left out
            keeps its number.

    Returns:
        The strategy before.

    Raises:
        ValueError: a kind is unknown or given twice, or a number is out of range.
    """
    before = [(kind, getattr(process(), flag)) for kind, flag in _STRATEGY.items()]
    changes: dict[str, int] = {}
    for entry in strategy:
        if not isinstance(entry, tuple) or len(entry) != 2 or entry[0] not in _STRATEGY:
            known = " or ".join(f'("{kind}", 2)' for kind in _STRATEGY)
            raise ValueError(f"a fusion strategy has pairs like {known}, found {entry!r}")
        kind, count = entry
        if _STRATEGY[kind] in changes:
            raise ValueError(f"{kind} stands twice in {list(strategy)}")
        changes[_STRATEGY[kind]] = count
    set(**changes)
    return before


def set_executor(name: str) -> str:
    """Whether calls wait for compilation ("blocking"), or are served by the interpreter while a
    thread compiles ("background").

    Returns:
        The one before.

    Raises:
        ValueError: there is no such executor.
    """
    before = process().executor
    set(executor=name)
    return before


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """Inside this `with` block, calls of this thread run in the interpreter if the argument is
    False.
    """
    with override(native=bool(should_optimize)):
        yield
