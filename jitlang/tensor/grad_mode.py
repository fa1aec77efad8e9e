"""Whether gradients are recorded in this thread: `no_grad`, `enable_grad`, `set_grad_enabled`.

Nothing computes gradients yet. The switches are there so that code which uses them runs, and what
they say can be asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class _Mode(threading.local):
    enabled = True


_mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether gradients are recorded in this thread."""
    return _mode.enabled


class _Fixed(ContextDecorator):
    """A mode inside of a `with` statement or a decorated function."""

    mode = True

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(_mode.enabled)
        _mode.enabled = self.mode

    def __exit__(self, *error: object) -> None:
        _mode.enabled = self._before.pop()

    def __call__(self, function: Function) -> Function:
        return super().__call__(function)


class no_grad(_Fixed):
    """Record nothing inside."""

    mode = False


class enable_grad(_Fixed):
    """Record inside, even within `no_grad`."""


class set_grad_enabled(_Fixed):
    """Switch at once; a `with` statement switches back at its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = bool(mode)
        self._at_first: bool | None = _mode.enabled
        _mode.enabled = self.mode

    def __enter__(self) -> None:
        before, self._at_first = self._at_first, None
        self._before.append(_mode.enabled if before is None else before)
        _mode.enabled = self.mode
