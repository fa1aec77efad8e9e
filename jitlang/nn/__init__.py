"""What models are made of: parameters, and layers as functions (`nn.functional`)."""

from __future__ import annotations

import importlib
from types import ModuleType

from .parameter import Parameter


def __getattr__(name: str) -> ModuleType:
    """`functional` is imported when it is first named."""
    if name != "functional":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=None)
    return importlib.import_module(f"{__name__}.functional")


__all__ = ["Parameter"]
