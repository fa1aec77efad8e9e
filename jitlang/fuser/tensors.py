"""Fused values while a group is lowered: a graph of sources, rows, conversions and reductions with
known sizes.

Views never compute: a view of a source is another source with one more step, a view of a computed
value is the same computation on views of its operands. A step is a view row of the table, with its
arguments; its index map is the row's own reference kernel, run on an array without elements to
learn sizes, and on the real array to learn offset and strides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from ..dtypes import DType
from ..ir.opdef import OPS, OpDef
from ..ops.rows import kernel_of
from .plan import Unsupported

Shape = tuple[int, ...]
_order = count()


@dataclass(frozen=True, slots=True)
class Step:
    """One view: a row and its arguments after the tensor; `item` picks one of a list of views."""

    row: str
    arguments: tuple[Any, ...]
    item: int | None = None

    def apply(self, array: Any) -> Any:
        """The view of an array."""
        if self.row == BROADCAST:
            return np.broadcast_to(array, self.arguments)
        op = OPS.find(self.row)
        assert op is not None
        arguments = [list(a) if isinstance(a, tuple) else a for a in self.arguments]
        found = kernel_of(op, np)(array, *arguments)
        return found if self.item is None else found[self.item]

    def __str__(self) -> str:
        item = "" if self.item is None else f"[{self.item}]"
        return f"{self.row}{self.arguments}{item}"


BROADCAST = "broadcast"


def shadow(shape: Shape) -> Any:
    """An array of that shape that takes no memory."""
    return np.broadcast_to(np.empty((), bool), shape)


@dataclass(slots=True, eq=False)
class Scalar:
    """A number given with the call: int64, float64 or bool; or one converted from it."""

    slot: int
    kind: type
    dtypes: tuple[DType, ...]


@dataclass(slots=True, eq=False)
class Tensor:
    """Base of fused values; `order` grows, so operands come before what is made of them."""

    shape: Shape
    dtype: DType
    order: int = field(default_factory=lambda: next(_order), init=False)


@dataclass(slots=True, eq=False)
class Source(Tensor):
    """An array seen through steps: an `argument` of the group, or a `temporary` or `result` that an
    earlier kernel has written.
    """

    origin: int
    kind: str = "argument"
    steps: tuple[Step, ...] = ()


@dataclass(slots=True, eq=False)
class Applied(Tensor):
    """A pointwise row. Operands are tensors, `Scalar`s, plan numbers and plan options."""

    row: OpDef
    operands: tuple[Any, ...]
    execute: DType


@dataclass(slots=True, eq=False)
class Converted(Tensor):
    """The value in another dtype."""

    value: Tensor


@dataclass(slots=True, eq=False)
class Reduced(Tensor):
    """A reduction over the last `axes` dimensions, which stay with size 1. `value` None: their
    element count.
    """

    kind: str
    value: Tensor | None
    axes: int
    space: Shape


@dataclass(slots=True, eq=False)
class Dropped(Tensor):
    """A row value (of reductions over the last `axes` dimensions) without those dimensions."""

    value: Tensor
    axes: int


def operands_of(tensor: Tensor) -> list[Tensor]:
    """The tensors that a value is made of."""
    if isinstance(tensor, Applied):
        return [o for o in tensor.operands if isinstance(o, Tensor)]
    if isinstance(tensor, Converted | Dropped):
        return [tensor.value]
    if isinstance(tensor, Reduced) and tensor.value is not None:
        return [tensor.value]
    return []


class Views:
    """Views of values, each made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, Step], Tensor] = {}

    def expand(self, tensor: Tensor, shape: Shape) -> Tensor:
        """The value at a broadcast shape."""
        if tensor.shape == shape:
            return tensor
        return self.view(tensor, Step(BROADCAST, shape))

    def view(self, tensor: Tensor, step: Step) -> Tensor:
        """A view of a value.

        Raises:
            Unsupported: the step copies, or the value is one of rows.
        """
        key = (tensor.order, step)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._view(tensor, step)
        return found

    def _view(self, tensor: Tensor, step: Step) -> Tensor:
        if isinstance(tensor, Dropped):
            return self._restored(tensor, step)
        if isinstance(tensor, Converted):
            inner = self.view(tensor.value, step)
            return Converted(inner.shape, tensor.dtype, inner)
        if isinstance(tensor, Source):
            return self._view_source(tensor, step)
        if not isinstance(tensor, Applied):
            raise Unsupported(f"{step} of a reduction")
        shape = self._shape(tensor.shape, step)
        operands = tuple(
            self.view(self.expand(o, tensor.shape), step)
            if isinstance(o, Tensor) and o.shape
            else o
            for o in tensor.operands
        )
        return Applied(shape, tensor.dtype, tensor.row, operands, tensor.execute)

    def _restored(self, tensor: Dropped, step: Step) -> Tensor:
        """Putting a dropped dimension back gives the row value itself."""
        if (
            step.row == "aten::unsqueeze"
            and tensor.axes == 1
            and step.arguments[0] in (-1, len(tensor.shape))
        ):
            return tensor.value
        raise Unsupported(f"{step} of a reduction")

    def _view_source(self, source: Source, step: Step) -> Tensor:
        shape = self._shape(source.shape, step)
        steps = (*source.steps, step)
        return Source(shape, source.dtype, source.origin, source.kind, steps)

    def _shape(self, shape: Shape, step: Step) -> Shape:
        before = shadow(shape)
        after = step.apply(before)
        if after.size and not np.may_share_memory(before, after):
            raise Unsupported(f"{step} copies")
        return tuple(after.shape)
