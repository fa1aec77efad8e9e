"""What models are made of: parameters."""

from __future__ import annotations

from .parameter import Parameter

__all__ = ["Parameter"]
