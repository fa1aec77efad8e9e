"""Writes what is derived from the operator table: `python -m tools.reference`."""

from __future__ import annotations

from pathlib import Path

from . import operators, stubs

ROOT = Path(__file__).parent.parent
FILES = {
    Path("jitlang/__init__.pyi"): stubs.stub,
    Path("docs/operators.md"): operators.page,
}
"""What is written where, below the root of the project."""


def write(root: Path) -> None:
    """Write every file below a folder."""
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text(), "utf-8")
        print(path)


if __name__ == "__main__":
    write(ROOT)
