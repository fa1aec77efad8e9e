"""Rows that multiply matrices, as products of known sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from .. import dtypes
from ..dtypes import DType
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import Node, Value
from .forms import Form, contiguous
from .launch import merged
from .matrix import ProductSpec

MAX_BATCHES = 64
"""Products of one row that are called one by one, where their places are no simple batch."""
FLOPS_PER_NANOSECOND = 50.0

Right = tuple[Value, bool]
"""The right matrix, and whether it is read transposed."""


@dataclass(frozen=True)
class Factors:
    """A product of two tensors as products of matrices. Strides of `spec` count elements.

    Attributes:
        shape: of the result.
        spec: of each product or batch of products, without accumulation.
        batches: where the matrices of each begin in left, right and result, in bytes.
    """

    dtype: DType
    shape: tuple[int, ...]
    spec: ProductSpec
    batches: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, left: Form, right: Form, *, transposed: bool = False) -> Factors | None:
        """The products of `left @ right`; None where shapes or dtypes do not fit."""
        if left.dtype is not right.dtype or left.dtype not in (dtypes.float32, dtypes.float64):
            return None
        if not left.shape or not right.shape or (transposed and len(right.shape) != 2):
            return None
        a_shape, a_strides = _matrix(left, row=True)
        b_shape, b_strides = _matrix(right, row=False)
        if transposed:
            b_shape, b_strides = b_shape[::-1], b_strides[::-1]
        if a_shape[-1] != b_shape[-2]:
            return None
        try:
            outer = np.broadcast_shapes(a_shape[:-2], b_shape[:-2])
        except ValueError:
            return None
        shape = (*outer, *a_shape[-2:-1], *b_shape[-1:])
        visible = [*outer]
        visible += a_shape[-2:-1] if len(left.shape) > 1 else ()
        visible += b_shape[-1:] if len(right.shape) > 1 else ()
        if len(b_shape) == 2:
            folded = _fold_rows(a_shape, a_strides)
            if folded is not None:
                a_shape, a_strides = folded
                shape = (a_shape[0], shape[-1])
        return cls(left.dtype, tuple(visible), *_products(
            left.dtype, shape, (a_shape, a_strides), (b_shape, b_strides)))  # fmt: skip


Dims = tuple[tuple[int, ...], tuple[int, ...]]


def _matrix(form: Form, *, row: bool) -> Dims:
    """Sizes and strides with at least two dimensions; a vector is a row or a column."""
    if len(form.shape) > 1:
        return form.shape, form.strides
    shape, strides = (1, *form.shape), (0, *form.strides)
    return (shape, strides) if row else (shape[::-1], strides[::-1])


def _fold_rows(shape: tuple[int, ...], strides: tuple[int, ...]) -> Dims | None:
    """All dimensions but the last as one, where they lie so."""
    if len(shape) == 2:
        return shape, strides
    sizes, steps = merged(shape, [strides], range(len(shape) - 1))
    if len(sizes) > 1 or 0 in shape:
        return None
    rows = (prod(shape[:-1]), *(steps[0] or (0,)))
    return (rows[0], shape[-1]), (rows[1], strides[-1])


def _products(
    dtype: DType, shape: tuple[int, ...], a: Dims, b: Dims
) -> tuple[ProductSpec, tuple[tuple[int, int, int], ...]]:
    size = dtype.itemsize
    m, k, n = a[0][-2], a[0][-1], b[0][-1]
    outer = shape[:-2]
    spec = ProductSpec(dtype, m, n, k, _elements(a, size), _elements(b, size), (n, 1))
    c = ((*outer, m, n), contiguous(dtype, shape).strides)
    steps = [_outer_strides(dims, outer) for dims in (a, b, c)]
    sizes, (a_steps, b_steps, c_steps) = merged(outer, steps, range(len(outer)))
    if not sizes:
        return spec, ((0, 0, 0),)
    # The longest dimension is one batch; the others are gone through one by one.
    longest = sizes.index(max(sizes))
    others = [d for d in range(len(sizes)) if d != longest]
    counts = tuple(sizes[d] for d in others)
    if prod(counts) > MAX_BATCHES:
        raise Unsupported("a product of too many small matrices")
    a_step, b_step, c_step = (own[longest] // size for own in (a_steps, b_steps, c_steps))
    starts = [
        tuple(sum(i * own[d] for i, d in zip(place, others, strict=True))
              for own in (a_steps, b_steps, c_steps))
        for place in np.ndindex(counts)
    ]  # fmt: skip
    batch = replace(spec, batch=sizes[longest], batch_strides=(a_step, b_step, c_step))
    return batch, tuple((x, y, z) for x, y, z in starts)


def _outer_strides(dims: Dims, outer: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in bytes, from matrix to matrix of a broadcast batch."""
    shape, strides = dims[0][:-2], dims[1][:-2]
    missing = (0,) * (len(outer) - len(shape))
    own = (0 if size == 1 else step for size, step in zip(shape, strides, strict=True))
    return (*missing, *own)


def _elements(dims: Dims, size: int) -> tuple[int, int]:
    outer, inner = dims[1][-2:]
    return outer // size, inner // size


# Rows ---------------------------------------------------------------------------------------------


def _plain(node: Node) -> tuple[Value, Right, Value | None]:
    left, right = node.inputs
    return left, (right, False), None


def _linear(node: Node) -> tuple[Value, Right, Value | None]:
    left, weight, bias = node.inputs
    is_none = bias.is_constant and bias.type is ty.NONE
    return left, (weight, True), None if is_none else bias


def _addmm(node: Node) -> tuple[Value, Right, Value | None]:
    bias, left, right, *factors = node.inputs
    if any(factor.constant() != 1 for factor in factors):
        raise Unsupported(f"{node.kind} with factors")
    return left, (right, False), bias


PRODUCTS: dict[str, Callable[[Node], tuple[Value, Right, Value | None]]] = {
    "aten::mm": _plain,
    "aten::bmm": _plain,
    "aten::matmul": _plain,
    "aten::mv": _plain,
    "aten::dot": _plain,
    "aten::linear": _linear,
    "aten::addmm": _addmm,
}
"""For each row its left matrix, its right one, and what is added."""
RANKS = {
    "aten::mm": (2, 2), "aten::bmm": (3, 3), "aten::mv": (2, 1), "aten::dot": (1, 1),
    "aten::addmm": (2, 2),
}  # fmt: skip
"""What rows that take only some ranks take."""


def takes(name: str, left: Form, right: Form) -> bool:
    """Whether a row takes tensors of these shapes, as far as it asks for more than a product."""
    ranks = RANKS.get(name)
    if ranks is not None and ranks != (len(left.shape), len(right.shape)):
        return False
    return name != "aten::bmm" or left.shape[0] == right.shape[0]
