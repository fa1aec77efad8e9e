"""The names of `torch.fft`, derived from the operator table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tensor import function_in, names_in


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of a row `aten::fft_NAME`."""
    globals()[name] = found = function_in("fft", name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *names_in("fft")})
