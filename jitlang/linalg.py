"""The names of `torch.linalg`, derived from the operator table, and `LinAlgError`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ops.decompositions import LinAlgError as LinAlgError
from .tensor import function_in, names_in


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of a row `aten::linalg_NAME`."""
    globals()[name] = found = function_in("linalg", name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *names_in("linalg")})
