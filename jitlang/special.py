"""The names of `torch.special`, derived from the operator table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tensor import function_in, names_in


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of a row `aten::special_NAME`."""
    globals()[name] = found = function_in("special", name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *names_in("special")})
