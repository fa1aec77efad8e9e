"""What native code is compiled for: the layouts of a call's arguments.

A layout is what can be told of an argument without reading its elements: class, dtype, sizes,
strides, device of an array; the class of a number, string or None; the layouts inside a tuple, list
or dict. Layouts are hashable, so calls can be counted by them. Values of numbers are no part of
them: native code may be compiled for one, and says so when it refuses others.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arrays, dtypes
from ..tensor import Tensor


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """The layout of a raw array or of a tensor. Strides are in bytes."""

    owner: type
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    device: str
    aligned: bool
    requires_grad: bool

    def __str__(self) -> str:
        strides = ", ".join(str(stride) for stride in self.strides)
        text = f"{self.owner.__name__} {dtype_name(self.dtype)} {self.shape}, strides ({strides})"
        text += "" if self.device == "cpu" else f", {self.device}"
        text += "" if self.aligned else ", unaligned"
        return text + (", requires grad" if self.requires_grad else "")


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """The layout of a tuple, list or dict: its class, the keys of a dict, and what is inside."""

    owner: type
    keys: tuple[Any, ...]
    parts: tuple[Layout, ...]

    def __str__(self) -> str:
        parts = ", ".join(map(str, self.parts))
        return f"{self.owner.__name__} of {len(self.parts)}: ({parts})"


@dataclass(frozen=True, slots=True)
class ValueLayout:
    """The layout of anything else: its class."""

    owner: type

    def __str__(self) -> str:
        return "None" if self.owner is type(None) else self.owner.__name__


Layout = ArrayLayout | GroupLayout | ValueLayout


def layouts_of(values: Sequence[Any]) -> tuple[Layout, ...]:
    """The layouts of a call's arguments."""
    return tuple(map(layout_of, values))


def layout_of(value: Any) -> Layout:
    """The layout of one argument."""
    if isinstance(value, Tensor):
        return _array_layout(type(value), value._array, value.requires_grad)
    if arrays.is_array(value):
        return _array_layout(type(value), value, False)
    if isinstance(value, dict):
        return GroupLayout(type(value), tuple(value), layouts_of(tuple(value.values())))
    if isinstance(value, list | tuple):
        return GroupLayout(type(value), (), layouts_of(value))
    return ValueLayout(type(value))


def shapes_in(layouts: Sequence[Layout]) -> tuple[tuple[int, ...], ...]:
    """The shapes of all arrays in some layouts, in order."""
    found: list[tuple[int, ...]] = []
    for layout in layouts:
        if isinstance(layout, ArrayLayout):
            found.append(layout.shape)
        elif isinstance(layout, GroupLayout):
            found += shapes_in(layout.parts)
    return tuple(found)


def without_sizes(layout: Layout) -> Hashable:
    """What is left of a layout when sizes and strides do not count."""
    if isinstance(layout, ArrayLayout):
        return layout.owner, layout.dtype, len(layout.shape), layout.requires_grad
    if isinstance(layout, GroupLayout):
        return layout.owner, layout.keys, tuple(map(without_sizes, layout.parts))
    return layout.owner


Dimension = tuple[int, int]
"""The number of an array, and of one of its dimensions."""


def differing_sizes(
    seen: Sequence[Sequence[tuple[int, ...]]],
) -> frozenset[tuple[Dimension, Dimension]]:
    """Which dimensions have not always the same size, each with itself, and which two of these have
    not always the same as each other.
    """
    sizes = {
        (array, dim): tuple(shapes[array][dim] for shapes in seen)
        for array, shape in enumerate(seen[0])
        for dim in range(len(shape))
    }
    differing = [place for place, found in sizes.items() if len(set(found)) > 1]
    return frozenset(
        (one, other)
        for one in differing
        for other in differing
        if one == other or sizes[one] != sizes[other]
    )


def is_plain(layout: Layout) -> bool:
    """Whether native code may read the argument: no subclasses, foreign byte order, lost
    alignment or other devices.
    """
    if isinstance(layout, GroupLayout):
        return all(map(is_plain, layout.parts))
    if isinstance(layout, ValueLayout):
        return True
    is_known = layout.owner in (Tensor, np.ndarray) and layout.device == "cpu"
    return is_known and layout.aligned and layout.dtype.isnative


def wants_gradients(layout: Layout) -> bool:
    """Whether the argument, or a part of it, requires a gradient."""
    if isinstance(layout, GroupLayout):
        return any(map(wants_gradients, layout.parts))
    return isinstance(layout, ArrayLayout) and layout.requires_grad


def _array_layout(owner: type, array: Any, requires_grad: bool) -> ArrayLayout:
    aligned = bool(getattr(array.flags, "aligned", True))
    device = arrays.device_of(array)
    return ArrayLayout(
        owner, array.dtype, array.shape, array.strides, device, aligned, bool(requires_grad)
    )


def dtype_name(dtype: np.dtype[Any]) -> str:
    """`float32` for an element type that tensors have, else NumPy's text."""
    if dtype.isnative and dtypes.supports(dtype):
        return str(dtypes.from_numpy(dtype)).removeprefix("jitlang.")
    return str(dtype)


# Differences --------------------------------------------------------------------------------------


def first_difference(
    names: Sequence[str], given: Sequence[Layout], compiled: Sequence[Layout]
) -> str:
    """Which argument is not what was compiled for, and how; empty where all layouts agree."""
    for name, ours, theirs in zip(names, given, compiled, strict=True):
        found = _difference(ours, theirs)
        if found:
            return f"argument {name}{found}"
    return ""


def _difference(given: Layout, compiled: Layout) -> str:
    if given == compiled:
        return ""
    if isinstance(given, ArrayLayout) and isinstance(compiled, ArrayLayout):
        return _array_difference(given, compiled)
    if isinstance(given, GroupLayout) and isinstance(compiled, GroupLayout):
        return _group_difference(given, compiled)
    return f": {given}, compiled for {compiled}"


def _array_difference(given: ArrayLayout, compiled: ArrayLayout) -> str:
    pairs: list[tuple[str, Any, Any]] = [
        ("", given.owner.__name__, compiled.owner.__name__),
        ("dtype ", dtype_name(given.dtype), dtype_name(compiled.dtype)),
        ("rank ", len(given.shape), len(compiled.shape)),
        ("shape ", given.shape, compiled.shape),
        ("device ", given.device, compiled.device),
        ("strides ", given.strides, compiled.strides),
        ("aligned ", given.aligned, compiled.aligned),
        ("requires_grad ", given.requires_grad, compiled.requires_grad),
    ]
    what, ours, theirs = next(pair for pair in pairs if pair[1] != pair[2])
    return f": {what}{ours}, compiled for {theirs}"


def _group_difference(given: GroupLayout, compiled: GroupLayout) -> str:
    if given.owner is not compiled.owner:
        return f": {given.owner.__name__}, compiled for {compiled.owner.__name__}"
    if given.keys != compiled.keys:
        return f": keys {list(given.keys)}, compiled for {list(compiled.keys)}"
    if len(given.parts) != len(compiled.parts):
        return f": length {len(given.parts)}, compiled for {len(compiled.parts)}"
    labels = given.keys or range(len(given.parts))
    for label, ours, theirs in zip(labels, given.parts, compiled.parts, strict=True):
        found = _difference(ours, theirs)
        if found:
            return f"[{label!r}]{found}"
    return ""
