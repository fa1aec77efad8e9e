"""Subscripts of NumPy's arrays by numbers, which may be computed, and slices: where they point.

A row at a computed index is a view whose pointer is computed; an element is copied at once, since
it is a value that stays what it was when the array changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import Node, Value
from ..ops.arrays import KEY_WIDTHS, subscripted
from .actions import Action, Index, Pick, Select, View
from .forms import Form, contiguous, distance

if TYPE_CHECKING:
    from .planner import Planner


@dataclass(frozen=True, slots=True)
class Shown:
    """What an array shows at a subscript: its form, and where it begins."""

    form: Form
    offset: int
    indices: tuple[Index, ...]


def subscript(planner: Planner, node: Node) -> Action:
    """A subscript of slices and numbers, which gives a view."""
    source, key, *parts = node.inputs
    shown = pointed(planner, node, source, key.constant(), parts)
    if not shown.form.shape:
        raise Unsupported(f"{node.kind} shows an array without dimensions ({node.span})")
    planner.define(node.output, shown.form)
    if shown.indices:
        return Select(source, shown.offset, shown.indices)
    return View(source, (shown.offset,))


def item_of_array(planner: Planner, node: Node) -> Action:
    """The same for one or two numbers."""
    source, *parts = node.inputs
    shown = pointed(planner, node, source, "i" * len(parts), parts)
    planner.define(node.output, shown.form)
    return Select(source, shown.offset, shown.indices)


def element(planner: Planner, node: Node) -> Action:
    """One element, as a value."""
    source, *parts = node.inputs
    shown = pointed(planner, node, source, "i" * len(parts), parts)
    planner.define(node.output, contiguous(shown.form.dtype, ()))
    return Pick(node.output, source, shown.offset, shown.indices)


def pointed(
    planner: Planner, node: Node, array: Value, letters: str | None, parts: Sequence[Value]
) -> Shown:
    """What an array shows at a subscript of numbers, which may be computed, and slices. A
    number that is out of range is looked at when the code runs, as one that is computed.
    """
    form = planner.form(array)
    if letters is None or any(part.type not in (ty.INT, ty.NONE) for part in parts):
        raise Unsupported(f"{node.kind} has no native form ({node.span})")
    indices, known, axis = [], [], 0
    rest = iter(parts)
    for letter in letters.strip("()"):
        values = [next(rest) for _ in range(KEY_WIDTHS[letter])]
        if letter == "e":
            axis += len(form.shape) - letters.count("i") - letters.count("s")
            continue
        if letter == "i" and axis < len(form.shape) and not _is_within(values[0], form, axis):
            indices.append(Index(axis, form.strides[axis], form.shape[axis], values[0]))
            known.append(0)
        elif not all(value.is_constant for value in values):
            raise Unsupported(f"{node.kind} by values that are not known ({node.span})")
        else:
            known += [value.constant() for value in values]
        axis += letter in "is"
    sample = _with_elements(planner.samples[array], [index.axis for index in indices])
    try:
        shown = subscripted(sample, letters, known)
    except IndexError as error:
        raise Unsupported(f"{node.kind} at {node.span}: {error}") from None
    seen = Form(form.dtype, shown.shape, shown.strides)
    return Shown(seen, distance(sample, shown), tuple(indices))


def _is_within(index: Value, form: Form, axis: int) -> bool:
    """Whether an index is known, and in range."""
    size = form.shape[axis]
    return index.is_constant and -size <= index.constant() < size


def _with_elements(sample: Any, axes: Sequence[int]) -> Any:
    """An array that lies as a sample does, with elements along some axes that may be empty."""
    shape = [max(n, 1) if axis in axes else n for axis, n in enumerate(sample.shape)]
    return np.lib.stride_tricks.as_strided(sample, shape, sample.strides)
