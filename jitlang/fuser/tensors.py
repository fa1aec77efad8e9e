"""Fused values while a group is lowered: a graph of sources, rows, conversions and reductions with
known sizes.

Views never compute: a view of a source is another source with one more step, a view of a computed
value is the same computation on views of its operands. A step is a view row of the table, with its
arguments; its index map is the row's own reference kernel, run on an array without elements to
learn sizes, and on the real array to learn offset and strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import prod
from typing import Any

import numpy as np

from ..dtypes import DType
from ..ir.opdef import OPS, OpDef
from ..ops.rows import kernel_of
from .plan import Unsupported

Shape = tuple[int, ...]
Dims = tuple[int, ...]
"""Dimensions counted from the end, ascending: broadcasting adds dimensions in front only."""
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
NUMBERED = "numbered"
"""The first step of a draw: its arguments are the sizes that number the elements."""
DEEPEST = 100
"""Through how many computations a view is pushed before their value is stored."""


def numbered(shape: Shape) -> Any:
    """An array whose strides number its elements in row-major order, one byte each."""
    strides = [prod(shape[d + 1 :]) for d in range(len(shape))]
    return np.lib.stride_tricks.as_strided(np.empty(1, np.uint8), shape, strides, writeable=False)


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
    """Base of fused values.

    Attributes:
        order: grows, so operands come before what is made of them.
        is_row: whether the value is made of reductions only.
    """

    shape: Shape
    dtype: DType
    order: int = field(default_factory=lambda: next(_order), init=False)
    is_row: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        parts = operands_of(self)
        is_made_of_rows = bool(parts) and all(part.is_row for part in parts)
        self.is_row = isinstance(self, Reduced | Dropped) or is_made_of_rows


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
    """A reduction over some dimensions, which stay with size 1. `value` None: their element count.
    """

    kind: str
    value: Tensor | None
    dims: Dims
    space: Shape


@dataclass(slots=True, eq=False)
class Dropped(Tensor):
    """A row value (of reductions over some dimensions) without those dimensions."""

    value: Tensor
    dims: Dims


@dataclass(slots=True, eq=False)
class Stored(Tensor):
    """A value that a kernel of its own puts into an array, seen through steps."""

    value: Tensor
    steps: tuple[Step, ...] = ()


@dataclass(slots=True, eq=False)
class Drawn(Tensor):
    """Random bits for each element of a draw, seen through steps, the first of which numbers the
    elements; `word` as in plans.
    """

    seed: Scalar
    offset: Scalar
    word: str
    steps: tuple[Step, ...]


@dataclass(slots=True, eq=False)
class Reach:
    """Computed places in an array.

    Attributes:
        base: the array, a `Source` or `Stored`, at its first element along `dims`, seen through
            steps that spread it over the shape of the indices.
        spread: how many steps those are, the selecting ones included.
        dims: dimensions of the array before these steps, along which indices go.
        indices: int64, of the shape of `base`.
        wraps: whether negative indices count from the end.
    """

    base: Any
    spread: int
    dims: tuple[int, ...]
    indices: tuple[Tensor, ...]
    wraps: bool


@dataclass(slots=True, eq=False)
class Gathered(Tensor):
    """The elements of an array at computed places, a value of shape `whole` seen through steps."""

    reach: Reach
    whole: Shape
    steps: tuple[Step, ...] = ()


@dataclass(slots=True, eq=False)
class Scattered(Tensor):
    """A value with another one written over it at computed places: one element after the other in
    row-major order, instead of what was there or with `combine` together with it. The base of
    `reach` is a `Source` of kind `target`: the array that the value will be in.
    """

    onto: Tensor
    value: Tensor
    reach: Reach
    combine: str = ""


@dataclass(slots=True, eq=False)
class Joined(Tensor):
    """Parts one after the other along dimension `axis`, counted from the end."""

    parts: tuple[Tensor, ...]
    axis: int


def without(shape: Shape, dims: Dims) -> Shape:
    """Sizes without some dimensions."""
    return tuple(size for d, size in enumerate(shape, -len(shape)) if d not in dims)


def as_rows(shape: Shape, dims: Dims) -> Shape:
    """Sizes with 1 in some dimensions."""
    return tuple(1 if d in dims else size for d, size in enumerate(shape, -len(shape)))


def operands_of(tensor: Tensor) -> list[Tensor]:
    """The tensors that a value is made of."""
    if isinstance(tensor, Applied):
        return [o for o in tensor.operands if isinstance(o, Tensor)]
    if isinstance(tensor, Converted | Dropped):
        return [tensor.value]
    if isinstance(tensor, Reduced) and tensor.value is not None:
        return [tensor.value]
    if isinstance(tensor, Gathered):
        return [tensor.reach.base, *tensor.reach.indices]
    return []


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """The sizes to which all of these broadcast.

    Raises:
        Unsupported: there are none.
    """
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result: list[int] = []
    for sizes in zip(*padded, strict=True):
        wanted = {size for size in sizes if size != 1}
        if len(wanted) > 1:
            raise Unsupported("sizes that do not broadcast")
        result.append(wanted.pop() if wanted else 1)
    return tuple(result)


class Views:
    """Views of values, each made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, Step], Tensor] = {}
        self._stored: dict[int, Stored] = {}
        self._depth = 0

    def stored(self, tensor: Tensor) -> Stored:
        """The value in an array of its own."""
        found = self._stored.get(tensor.order)
        if found is None:
            found = self._stored[tensor.order] = Stored(tensor.shape, tensor.dtype, tensor)
        return found

    def expand(self, tensor: Tensor, shape: Shape) -> Tensor:
        """The value at a broadcast shape."""
        if tensor.shape == shape:
            return tensor
        return self.view(tensor, Step(BROADCAST, shape))

    def view(self, tensor: Tensor, step: Step) -> Tensor:
        """A view of a value.

        Raises:
            Unsupported: the step copies.
        """
        key = (tensor.order, step)
        found = self._made.get(key)
        if found is None:
            self._depth += 1
            is_deep = self._depth > DEEPEST and not isinstance(tensor, Source | Stored | Drawn)
            found = self._view(self.stored(tensor) if is_deep else tensor, step)
            self._made[key] = found
            self._depth -= 1
        return found

    def _view(self, tensor: Tensor, step: Step) -> Tensor:
        if isinstance(tensor, Joined | Scattered):
            return self.view(self.stored(tensor), step)
        if isinstance(tensor, Gathered):
            return self._view_gathered(tensor, step)
        if tensor.is_row:
            return self._view_row_value(tensor, step)
        if isinstance(tensor, Converted):
            inner = self.view(tensor.value, step)
            return Converted(inner.shape, tensor.dtype, inner)
        if isinstance(tensor, Stored):
            shape = self._shape(tensor.shape, step)
            return Stored(shape, tensor.dtype, tensor.value, (*tensor.steps, step))
        if isinstance(tensor, Source):
            return self._view_source(tensor, step)
        if isinstance(tensor, Drawn):
            shape, steps = self._shape(tensor.shape, step), (*tensor.steps, step)
            return Drawn(shape, tensor.dtype, tensor.seed, tensor.offset, tensor.word, steps)
        assert isinstance(tensor, Applied)
        shape = self._shape(tensor.shape, step)
        operands = tuple(
            self.view(self.expand(o, tensor.shape), step)
            if isinstance(o, Tensor) and o.shape
            else o
            for o in tensor.operands
        )
        return Applied(shape, tensor.dtype, tensor.row, operands, tensor.execute)

    def _view_gathered(self, tensor: Gathered, step: Step) -> Tensor:
        """The same array at a view of the places. One that leaves out some is a view of the stored
        value: all indices must be looked at.
        """
        if prod(self._shape(tensor.shape, step)) < prod(tensor.shape):
            return self.view(self.stored(tensor), step)
        base = self.view(tensor.reach.base, step)
        indices = tuple(self.view(index, step) for index in tensor.reach.indices)
        reach = replace(tensor.reach, base=base, indices=indices)
        return Gathered(base.shape, tensor.dtype, reach, tensor.whole, (*tensor.steps, step))

    def _view_row_value(self, tensor: Tensor, step: Step) -> Tensor:
        """A view of an array; putting the one dropped dimension back gives the row value itself."""
        if isinstance(tensor, Dropped) and step.row == "aten::unsqueeze":
            place = step.arguments[0]
            from_end = place if place < 0 else place - len(tensor.shape) - 1
            if tensor.dims == (from_end,):
                return tensor.value
        return self.view(self.stored(tensor), step)

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
