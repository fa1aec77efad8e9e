"""Writes what is derived from the operator table: `python -m tools.reference`."""

from __future__ import annotations

from pathlib import Path

from . import operators, stubs

ROOT = Path(__file__).parent.parent
FILES = {
    ROOT / "jitlang" / "__init__.pyi": stubs.stub,
    ROOT / "docs" / "operators.md": operators.page,
}


def main() -> None:
    """Write every file."""
    for path, text in FILES.items():
        path.write_text(text(), "utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
