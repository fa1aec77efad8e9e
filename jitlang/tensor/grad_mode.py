"""Whether gradients are recorded in this thread: `no_grad`, `enable_grad`, `set_grad_enabled`.

Nothing computes gradients yet. The switches are there so that code which uses them runs, and what
they say can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any, TypeVar

from ..ops.grad_state import GRAD_MODE

Function = TypeVar("Function", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Whether gradients are recorded in this thread."""
    return GRAD_MODE.enabled


is_grad_enabled.__jitlang_operator__ = "aten::is_grad_enabled"  # type: ignore[attr-defined]


class _Fixed(ContextDecorator):
    """A mode inside of a `with` statement or a decorated function."""

    mode = True

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(GRAD_MODE.enabled)
        GRAD_MODE.enabled = self.mode

    def __exit__(self, *error: object) -> None:
        GRAD_MODE.enabled = self._before.pop()

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
        self._at_first: bool | None = GRAD_MODE.enabled
        GRAD_MODE.enabled = self.mode

    def __enter__(self) -> None:
        before, self._at_first = self._at_first, None
        self._before.append(GRAD_MODE.enabled if before is None else before)
        GRAD_MODE.enabled = self.mode
