"""Joined values: `cat` and `stack` in groups.

A joined value is never computed as a whole: each of its parts is written to its place in the
result. Pointwise rows on a joined value become the same rows on its parts, beside pieces of their
other operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from .. import dtypes
from .plan import Unsupported
from .tensors import Dropped, Joined, Scattered, Step, Tensor, Views

MOST_PARTS = 16
"""Parts on which rows are computed one by one; a value of more is put into an array."""

JOINS = frozenset(("aten::cat", "aten::concat", "aten::concatenate", "aten::stack"))


def join(views: Views, name: str, tensors: Any, dim: Any) -> Joined:
    """The joined value of a row.

    Raises:
        Unsupported: what the row refuses or treats as a special case.
    """
    if not isinstance(tensors, list) or not all(isinstance(t, Tensor) for t in tensors):
        raise Unsupported("a list that is not known")
    if not isinstance(dim, int) or not 0 < len(tensors) <= MOST_PARTS:
        raise Unsupported("a join of nothing, of very many or along an unknown dimension")
    rank = len(tensors[0].shape) + (name == "aten::stack")
    axis = dim - rank if dim >= 0 else dim
    if not -rank <= axis < 0 or any(t.shape == (0,) for t in tensors):
        raise Unsupported("a join along a dimension that does not exist, or of empty vectors")
    parts = [views.stored(t) if isinstance(t, Dropped | Joined | Scattered) else t for t in tensors]
    if name == "aten::stack":
        parts = [views.view(t, Step("aten::unsqueeze", (axis,))) for t in parts]
    if len({(*t.shape[: rank + axis], None, *t.shape[rank + axis + 1 :]) for t in parts}) > 1:
        raise Unsupported("a join of different sizes")
    return joined(parts, axis)


def joined(parts: Sequence[Tensor], axis: int) -> Joined:
    """Parts one after the other along a dimension, counted from the end."""
    first = parts[0]
    shape = list(first.shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return Joined(tuple(shape), first.dtype, tuple(parts), axis)


def promoted(tensors: Sequence[Tensor]) -> dtypes.DType:
    """The dtype of a join."""
    dimensioned = [t.dtype for t in tensors if t.shape]
    return dtypes.result_type(dimensioned, [t.dtype for t in tensors if not t.shape])


def bounds(value: Joined) -> list[tuple[int, int]]:
    """Where each part begins and ends."""
    sizes = (part.shape[value.axis] for part in value.parts)
    return list(pairwise(accumulate(sizes, initial=0)))


def pieces(views: Views, operands: Sequence[Any], shape: Sequence[int]) -> list[list[Any]] | None:
    """The operands of a pointwise row for each part of the joined ones; None where parts do not
    meet.
    """
    whole = [o for o in operands if isinstance(o, Joined)]
    first = whole[0]
    fits = all(o.shape == tuple(shape) for o in whole)
    if not fits or any((o.axis, bounds(o)) != (first.axis, bounds(first)) for o in whole):
        return None
    if any(isinstance(o, Dropped) for o in operands):
        return None
    return [
        [_piece(views, o, first.axis, number, part) for o in operands]
        for number, part in enumerate(bounds(first))
    ]


def _piece(views: Views, operand: Any, axis: int, number: int, part: tuple[int, int]) -> Any:
    if isinstance(operand, Joined):
        return operand.parts[number]
    if not isinstance(operand, Tensor) or len(operand.shape) < -axis or operand.shape[axis] == 1:
        return operand
    begin, end = part
    return views.view(operand, Step("aten::narrow", (axis, begin, end - begin)))


def as_array(views: Views, operand: Any) -> Any:
    """An operand that is not joined."""
    return views.stored(operand) if isinstance(operand, Joined) else operand
