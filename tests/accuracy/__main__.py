"""`make ulp`: measure rows and write the table.

    python -m accuracy                    every row, on all float32 numbers
    python -m accuracy tanh "gelu tanh"   these rows
    python -m accuracy --chunks 64        on 64 of 1024 chunks of the numbers

Whatever is done is kept: a later run goes on from there, as long as a row's expression is the same.
"""

from __future__ import annotations

import argparse

from jitlang import config, ops
from jitlang.ir.opdef import OPS
from jitlang.ops.algebra import ELEMENTARY

from .kernels import row_of
from .points import CHUNKS
from .references import ROWS, UNBOUNDED
from .sweep import measure
from .table import load, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", help="labels of rows; by default all")
    parser.add_argument("--chunks", type=int, default=CHUNKS, help="of 1024, of the numbers")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    assert ops
    known = {row.label: row for row in ROWS}
    for label in options.rows:
        if label not in known:
            parser.error(f"no row {label!r}; rows are {', '.join(known)}")
    with config.override(num_threads=1):
        for label in options.rows or known:
            found = measure(known[label], options.chunks, options.threads, report)
            store({**load(), label: found})

    print("not measured:", ", ".join(unmeasured()) or "none")


def unmeasured() -> list[str]:
    """Transcendental rows without a reference; overloads and other names of measured rows apart."""
    names = {row.row.partition(".")[0] for row in ROWS} | {f"aten::{name}" for name in UNBOUNDED}
    bodies = {row_of(row).body.__code__ for row in ROWS}
    return [
        op.full_name
        for op in OPS
        if op.body is not None
        and set(op.body.__code__.co_names) & set(ELEMENTARY)
        and op.full_name.partition(".")[0] not in names
        and op.body.__code__ not in bodies
    ]


def report(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
