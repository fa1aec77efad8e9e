"""Operator functions by their names, for functions of layers that are compiled like a user's.

from . import operators

def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    return operators.relu6_(input) if inplace else operators.relu6(input)
"""

from __future__ import annotations

from collections.abc import Callable

from ..tensor import Tensor, function_named


def __getattr__(name: str) -> Callable[..., Tensor]:
    found = function_named(name) if not name.startswith("__") else None
    if found is None:
        raise AttributeError(f"there is no operator {name!r}", name=name, obj=None)
    globals()[name] = found
    return found
