"""The intermediate representation: types, schemas, graphs, and their text."""

from . import printer  # it gives graphs their text

__all__ = ["printer"]
