"""Rows of views that are made of strides: expand, as_strided, diagonal, unfold, broadcasting.

NumPy's own `broadcast_to` and `diagonal` give read-only views; these are writable, as torch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.types import TensorType
from .rows import op
from .rules import (
    HIDDEN,
    Sizes,
    like_second,
    sizes_rule,
    unknown_sizes,
    wrap_dim,
)

# Expansion ----------------------------------------------------------------------------------------


def expand(xp: Any, a: Any, size: Sequence[int]) -> Any:
    """A view of `a` with dimensions of size one repeated; -1 keeps a size.

    Raises:
        RuntimeError: a size does not fit; with torch's message.
    """
    missing = len(size) - a.ndim
    if missing < 0:
        raise RuntimeError(
            f"expand(Tensor{{{[*a.shape]}}}, size={[*size]}): the number of sizes provided "
            f"({len(size)}) must be greater or equal to the number of dimensions in the tensor "
            f"({a.ndim})"
        )
    shape, strides = [*size], [0] * len(size)
    for at in range(len(size)):
        wanted, own = size[at], a.shape[at - missing] if at >= missing else 1
        if wanted == -1 and at >= missing:
            shape[at] = own
        elif wanted < 0:
            raise RuntimeError(
                f"The expanded size of the tensor ({wanted}) isn't allowed in a leading, "
                f"non-existing dimension {at}"
            )
        if shape[at] == own and at >= missing:
            strides[at] = a.strides[at - missing]
        elif own != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({wanted}) must match the existing size ({own}) "
                f"at non-singleton dimension {at}.  Target sizes: {[*size]}.  Tensor sizes: "
                f"{[*a.shape]}"
            )
    if tuple(shape) == a.shape:
        return a[...]
    return xp.lib.stride_tricks.as_strided(a, shape, strides)


def _expanded_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    shape = constants[1]
    if not isinstance(shape, list | tuple):
        return None
    if tensor.sizes is None:
        return tuple(None if size == -1 else size for size in shape)
    missing = len(shape) - len(tensor.sizes)
    if missing < 0:
        return None
    return tuple(
        tensor.sizes[at - missing] if size == -1 and at >= missing else size
        for at, size in enumerate(shape)
    )


_expand_rule = sizes_rule(_expanded_sizes)
op(
    "aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)",
    impl=lambda xp, a, size, implicit: expand(xp, a, size),
    infer=_expand_rule,
    function=None,
)
op(
    "aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    impl=lambda xp, a, b: expand(xp, a, b.shape),
    infer=like_second,
    function=None,
)
op(
    "aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)",
    impl=expand,
    infer=_expand_rule,
)


def _as_strided(
    xp: Any, a: Any, size: Sequence[int], stride: Sequence[int], offset: int | None
) -> Any:
    """A view of the memory that `a` itself covers, bounds checked; `a` must be contiguous.

    Raises:
        RuntimeError: the view would leave the memory of `a`, or `a` is not contiguous.
    """
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if min(stride, default=0) < 0:
        raise RuntimeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{[*stride]}"
        )
    if min(size, default=0) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension: {[*size]}")
    if not a.flags.c_contiguous:
        raise RuntimeError("as_strided needs a contiguous tensor")
    start = offset or 0
    last = start + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and (start < 0 or last >= a.size):
        raise RuntimeError(
            f"setStorage: sizes {[*size]}, strides {[*stride]}, storage offset {start} are out of "
            f"bounds for storage of {a.size} elements"
        )
    width = a.dtype.itemsize
    flat = a.reshape((-1,))[start:]
    return xp.lib.stride_tricks.as_strided(flat, size, [s * width for s in stride])


op(
    "aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? "
    "storage_offset=None) -> Tensor(a)",
    impl=_as_strided,
    infer=sizes_rule(lambda t, c: tuple(c[1]) if isinstance(c[1], list | tuple) else None),
)


def diagonal(xp: Any, a: Any, offset: int, dim1: int, dim2: int) -> Any:
    """A writable view of the diagonals of two dimensions, which become the last one.

    Raises:
        IndexError: there is no such dimension.
        RuntimeError: the dimensions are one.
    """
    first, second = wrap_dim(dim1, a.ndim), wrap_dim(dim2, a.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    view = a.diagonal(offset, first, second)
    if not a.flags.writeable:
        return view
    # NumPy marks the view read-only although its memory is that of `a`.
    start = _at_diagonal(a, view, offset, first, second)
    return xp.lib.stride_tricks.as_strided(start, view.shape, view.strides)


def _at_diagonal(a: Any, view: Any, offset: int, first: int, second: int) -> Any:
    """A writable view of `a` that starts where its diagonal starts."""
    if view.size == 0:
        return a
    start = [slice(None)] * a.ndim
    start[second if offset >= 0 else first] = slice(abs(offset), None)
    return a[tuple(start)]


op(
    "aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)",
    impl=diagonal,
    infer=sizes_rule(lambda t, c: unknown_sizes(None if t.rank is None else max(t.rank - 1, 0))),
)


def _unfold(xp: Any, a: Any, dimension: int, size: int, step: int) -> Any:
    at = wrap_dim(dimension, a.ndim)
    length = a.shape[at] if a.ndim else 1
    if size > length:
        raise RuntimeError(
            f"maximum size for tensor at dimension {at} is {length} but size is {size}"
        )
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if a.ndim == 0:
        return a.reshape((1,))[:size]
    shape = (*a.shape[:at], (length - size) // step + 1, *a.shape[at + 1 :], size)
    strides = (*a.strides[:at], a.strides[at] * step, *a.strides[at + 1 :], a.strides[at])
    return xp.lib.stride_tricks.as_strided(a, shape, strides)


op(
    "aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)",
    impl=_unfold,
    function=None,
)


def _at_least(rank: int) -> Any:
    def impl(xp: Any, a: Any) -> Any:
        return getattr(xp, f"atleast_{rank}d")(a)

    return impl


for _rank in (1, 2, 3):
    # Torch's schemas do not say that these are views.
    op(f"aten::atleast_{_rank}d(Tensor(a) self) -> Tensor(a)", impl=_at_least(_rank), method=None)
    op(
        f"aten::atleast_{_rank}d.Sequence(Tensor(a)[] tensors) -> Tensor(a)[]",
        impl=lambda xp, tensors, rank=_rank: [getattr(xp, f"atleast_{rank}d")(a) for a in tensors],
        method=None,
    )

op(
    "aten::broadcast_tensors(Tensor(a)[] tensors) -> Tensor(a)[]",
    impl=lambda xp, tensors: [expand(xp, a, broadcast_shape(xp, tensors)) for a in tensors],
    method=None,
)
op(
    "aten::broadcast_shapes(int[] a, int[] b) -> int[]",
    impl=lambda xp, a, b: [*xp.broadcast_shapes(a, b)],
    **HIDDEN,
)


def broadcast_shape(xp: Any, tensors: Sequence[Any]) -> tuple[int, ...]:
    """The shape to which all tensors broadcast.

    Raises:
        RuntimeError: there is none.
    """
    try:
        shape: tuple[int, ...] = xp.broadcast_shapes(*(a.shape for a in tensors))
    except ValueError:
        raise RuntimeError(
            f"the shapes {', '.join(str([*a.shape]) for a in tensors)} cannot be broadcast together"
        ) from None
    return shape
