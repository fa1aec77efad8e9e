"""How a tensor lies in memory where that is known when a graph is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import DType


@dataclass(frozen=True, slots=True)
class Form:
    """Dtype, sizes, and strides in bytes, from a pointer to the first element."""

    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many elements there are."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the elements."""
        return self.size * self.dtype.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie one after the other in row-major order."""
        return same_places(self, contiguous(self.dtype, self.shape))

    @property
    def is_dense(self) -> bool:
        """Whether the elements fill their memory, in whatever order of the dimensions."""
        order = sorted(range(len(self.shape)), key=lambda d: -self.strides[d])
        shape = tuple(self.shape[d] for d in order)
        strides = tuple(self.strides[d] for d in order)
        return Form(self.dtype, shape, strides).is_contiguous

    @property
    def extent(self) -> tuple[int, int]:
        """Where the bytes of the elements begin and end, from the first element on."""
        steps = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low, high = sum(min(s, 0) for s in steps), sum(max(s, 0) for s in steps)
        return low, high + self.dtype.itemsize

    def sample(self) -> Any:
        """An array of this form with zeros: what row kernels are asked about layouts with. Memory
        that nobody touches costs nothing.
        """
        steps = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True) if n]
        low, high = sum(min(s, 0) for s in steps), sum(max(s, 0) for s in steps)
        memory = np.zeros(high - low + self.dtype.itemsize, np.uint8)
        return np.ndarray(self.shape, self.dtype.numpy, memory.data, -low, self.strides)

    def __str__(self) -> str:
        order = "" if self.is_contiguous else f", strides {self.strides} in bytes"
        return f"{self.dtype.name} {list(self.shape)}{order}"


def form_of(array: Any) -> Form:
    """The form of an array."""
    return Form(dtypes.from_numpy(array.dtype), array.shape, array.strides)


def contiguous(dtype: DType, shape: tuple[int, ...]) -> Form:
    """The form of a new array in row-major order."""
    strides: list[int] = []
    step = dtype.itemsize
    for size in reversed(shape):
        strides.insert(0, step)
        step *= max(size, 1)
    return Form(dtype, shape, tuple(strides))


def same_places(a: Form, b: Form) -> bool:
    """Whether elements of two forms of one shape lie at the same places."""
    if a.dtype is not b.dtype or a.shape != b.shape:
        return False
    if 0 in a.shape:
        return True
    pairs = zip(a.shape, a.strides, b.strides, strict=True)
    return all(size == 1 or mine == theirs for size, mine, theirs in pairs)


def distance(before: Any, after: Any) -> int:
    """How many bytes behind the first element of an array that of a view of it lies."""
    if not after.size:
        return 0
    return int(after.__array_interface__["data"][0] - before.__array_interface__["data"][0])
