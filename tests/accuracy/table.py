"""The table of measurements: the data that tests read, and the page for readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .references import ROWS, Measured

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "accuracy.json"
PAGE = ROOT / "docs" / "accuracy.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def load() -> dict[str, dict[str, Any]]:
    """What was measured, by label."""
    return json.loads(DATA.read_text()) if DATA.exists() else {}


def store(table: dict[str, dict[str, Any]]) -> None:
    """Write the data, and the table on the page."""
    lines = [f'"{label}": {json.dumps(table[label])}' for label in sorted(table)]
    DATA.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{BEGIN}\n{rendered(table)}\n{END}{tail}")


def rendered(table: dict[str, dict[str, Any]]) -> str:
    """The table in Markdown."""
    lines = [
        "| row | float32 | promised | worst at | measured on | float64 | promised |",
        "|---|---|---|---|---|---|---|",
    ]
    known = [row for row in ROWS if row.label in table]
    lines += [_line(row, table[row.label]) for row in known]
    lines += [f"\n`{row.label}`: {row.reason}." for row in known if row.reason]
    return "\n".join(lines)


def _line(row: Measured, found: dict[str, Any]) -> str:
    single, double = found["float32"], found["float64"]
    places = ", ".join(_number(bits) for bits in single["worst"][0])
    cells = (
        f"`{row.label}`", f"{single['max']:.2f}", f"{row.promised(False):g}", places,
        _count(row, single["count"]), f"{double['max']:.2f}", f"{row.promised(True):g}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _number(bits: str) -> str:
    return f"{np.uint32(int(bits, 16)).view(np.float32):.6g}"


def _count(row: Measured, count: int) -> str:
    if count == 1 << 32:
        return "all"
    return f"2^{count.bit_length() - 1}" + (" pairs" if row.arity == 2 else "")
