"""What rows that are made of other rows are written with."""

from __future__ import annotations

from typing import Any

from ..ir.opdef import OPS
from .rows import kernel_of


class Calls:
    """`call("aten::add.Tensor", x, y)` runs that row's kernel, with the schema's defaults."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def __call__(self, full_name: str, *args: Any) -> Any:
        row = OPS.find(full_name)
        assert row is not None, full_name
        rest = [a.default for a in row.schema.arguments[len(args) :]]
        return kernel_of(row, self.xp)(*args, *rest)

    def __getattr__(self, name: str) -> Any:
        """`call.sub(x, y)` is the row of tensors, `aten::sub.Tensor` or `aten::sub`."""
        tensors = OPS.find(f"aten::{name}.Tensor")
        full_name = f"aten::{name}.Tensor" if tensors is not None else f"aten::{name}"
        return lambda *args: self(full_name, *args)
