"""Which libraries there are."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import Any

DISTRIBUTIONS = ("numpy", "llvmlite", "torch", "jax", "numba")


def optional(module: str) -> Any:
    """A module, or None where it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def is_installed(module: str) -> bool:
    """Whether there is such a module; it is not imported."""
    return importlib.util.find_spec(module) is not None


def versions() -> dict[str, str]:
    """What is installed, and "missing" for what is not."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found
