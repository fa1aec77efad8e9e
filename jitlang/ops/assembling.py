"""Rows that put tensors together: columns, blocks, products of sets, diagonals, padded sequences.

And those that give a tensor with a part replaced (`select_scatter` and kin).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, combinations_with_replacement
from typing import Any

from .. import dtypes
from ..dtypes import Category
from ..ir.types import Type
from .creation import as_dtype
from .kernels import check_writable
from .reduce import summed, summed_dtype
from .rows import op, reading_of
from .rules import (
    compute_dtype,
    made,
    result_dtype,
    retyped,
    same_type,
    tensor_at,
    unknown_sizes,
    wrap_dim,
    written_type,
)
from .strides import diagonal

# Columns, blocks and sets -------------------------------------------------------------------------


def _column_stack(xp: Any, tensors: Sequence[Any]) -> Any:
    columns = [a.reshape((a.size, 1)) if a.ndim < 2 else a for a in tensors]
    return reading_of(xp).hstack(columns)


def _block_diag(xp: Any, tensors: Sequence[Any]) -> Any:
    """The matrices down the diagonal; vectors and numbers are rows."""
    if any(a.ndim > 2 for a in tensors):
        raise RuntimeError("torch.block_diag: Input tensors must have 2 or fewer dimensions.")
    if not tensors:
        return xp.empty((1, 0), dtypes.default_dtype().numpy)
    blocks = [a.reshape((1, a.size)) if a.ndim < 2 else a for a in tensors]
    dtype = result_dtype(blocks)
    found = xp.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)), dtype)
    row = column = 0
    for block in blocks:
        high, wide = block.shape
        found[row : row + high, column : column + wide] = block
        row, column = row + high, column + wide
    return found


def _cartesian_prod(xp: Any, tensors: Sequence[Any]) -> Any:
    """All ways to take one element of each vector, the last changing fastest."""
    for a in tensors:
        if a.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {[*a.shape]}")
    if not tensors:
        raise RuntimeError("cartesian_prod: expected one or more vectors")
    if any(a.dtype != tensors[0].dtype for a in tensors):
        raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if len(tensors) == 1:
        return tensors[0].copy()
    grids = xp.meshgrid(*(a.reshape((-1,)) for a in tensors), indexing="ij")
    return xp.stack([grid.reshape((-1,)) for grid in grids], 1)


def _combinations(xp: Any, a: Any, r: int, with_replacement: bool) -> Any:
    """All ways to take r elements of a vector, in order of position."""
    if a.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {[*a.shape]}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return xp.empty((0,), a.dtype)
    choose = combinations_with_replacement if with_replacement else combinations
    chosen = list(choose(range(len(a)), r))
    return a[xp.asarray(chosen, "int64").reshape((len(chosen), r))]


def _vander(xp: Any, x: Any, columns: int | None, increasing: bool) -> Any:
    """The powers of each element, as a matrix."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = len(x) if columns is None else columns
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    kind = summed_dtype(x, None)
    found = xp.ones((len(x), count), kind)
    if count > 1:
        found[:, 1:] = x.astype(kind)[:, None]
        found = xp.multiply.accumulate(found, axis=1, dtype=kind)
    return found if increasing else found[:, ::-1].copy()


def _of_summed_dtype(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = made(tensor_at(types), None)
    return retyped(a, summed(a.dtype))


op("aten::column_stack(Tensor[] tensors) -> Tensor", impl=_column_stack, method=None)
op(
    "aten::row_stack(Tensor[] tensors) -> Tensor",
    impl=lambda xp, tensors: reading_of(xp).vstack(tensors),
    method=None,
)
op("aten::block_diag(Tensor[] tensors) -> Tensor", impl=_block_diag, method=None)
op("aten::cartesian_prod(Tensor[] tensors) -> Tensor", impl=_cartesian_prod, method=None)
op(
    "aten::combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor",
    impl=_combinations,
    infer=lambda types, constants: made(tensor_at(types), None),
    method=None,
)
op(
    "aten::vander(Tensor x, int? N=None, bool increasing=False) -> Tensor",
    impl=_vander,
    infer=_of_summed_dtype,
    method=None,
)


# Diagonals ----------------------------------------------------------------------------------------


def _diag_embed(xp: Any, a: Any, offset: int, dim1: int, dim2: int) -> Any:
    """Matrices of zeros whose diagonals are the last dimension."""
    rank = a.ndim + 1
    first, second = wrap_dim(dim1, rank), wrap_dim(dim2, rank)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if not a.ndim:
        raise IndexError("diag_embed: a 0-dim tensor has no last dimension")
    n = a.shape[-1] + abs(offset)
    outer = iter(a.shape[:-1])
    shape = [n if at in (first, second) else next(outer) for at in range(rank)]
    found = xp.zeros(shape, a.dtype)
    diagonal(xp, found, offset, first, second)[...] = a
    return found


def _diagflat(xp: Any, a: Any, offset: int) -> Any:
    return _diag_embed(xp, a.reshape((-1,)), offset, -2, -1)


def _trace(xp: Any, a: Any) -> Any:
    if a.ndim != 2:
        raise RuntimeError("trace: expected a matrix")
    kind = summed_dtype(a, None)
    return xp.asarray(xp.trace(a, dtype=compute_dtype(kind))).astype(kind)


def _fill_diagonal(xp: Any, a: Any, value: Any, wrap: bool) -> Any:
    """Write a number down the diagonal of a matrix; of a tall one on and on where it wraps."""
    if a.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    check_writable(a)
    number = as_dtype(value, a.dtype)
    if a.ndim > 2:
        at = xp.arange(a.shape[0])
        a[(at,) * a.ndim] = number
        return a
    rows = xp.arange(a.shape[0] if wrap else min(a.shape))
    if wrap and a.shape[0] > a.shape[1]:  # one row is left out before it starts again
        rows = rows[rows % (a.shape[1] + 1) < a.shape[1]]
        a[rows, rows % (a.shape[1] + 1)] = number
        return a
    rows = rows[: min(a.shape)]
    a[rows, rows] = number
    return a


def _one_more(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    rank = tensor_at(types).rank
    return made(tensor_at(types), None if rank is None else (None,) * (rank + 1))


def _trace_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = tensor_at(types)
    return made(retyped(a, summed(a.dtype)), ())


op(
    "aten::diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    impl=_diag_embed,
    infer=_one_more,
    grad=lambda m, g, r, a, offset, dim1, dim2: (m.diagonal(g, offset, dim1, dim2),),
)
op(
    "aten::diagflat(Tensor self, int offset=0) -> Tensor",
    impl=_diagflat,
    infer=lambda types, constants: made(tensor_at(types), (None, None)),
)
op("aten::trace(Tensor self) -> Tensor", impl=_trace, infer=_trace_type)
op(
    "aten::fill_diagonal_(Tensor(a!) self, Scalar fill_value, bool wrap=False) -> Tensor(a!)",
    impl=_fill_diagonal,
    infer=written_type,
)


# Parts replaced -----------------------------------------------------------------------------------


def _replacing(view: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of a tensor, with what a view of it shows replaced by another tensor."""

    def impl(xp: Any, a: Any, source: Any, *args: Any) -> Any:
        found = a.copy("C")
        part = view(reading_of(xp), found, *args)
        if part.shape != source.shape:
            raise RuntimeError(
                f"expected src to have a size equal to the part of self it replaces. src size = "
                f"{[*source.shape]}, size of the part = {[*part.shape]}"
            )
        part[...] = source
        return found

    return impl


op(
    "aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor",
    impl=_replacing(lambda m, a, dim, index: m.select(a, dim, index)),
    infer=same_type,
)
op(
    "aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, "
    "SymInt step=1) -> Tensor",
    impl=_replacing(lambda m, a, dim, start, end, step: m.slice(a, dim, start, end, step)),
    infer=same_type,
)
op(
    "aten::diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> "
    "Tensor",
    impl=_replacing(lambda m, a, offset, dim1, dim2: m.diagonal(a, offset, dim1, dim2)),
    infer=same_type,
)


# Sequences of several lengths ---------------------------------------------------------------------


def _pad_sequence(
    xp: Any, sequences: Sequence[Any], batch_first: bool, value: float, side: str
) -> Any:
    """Sequences (T, *) as one tensor, the short ones filled up at one side."""
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {side}.")
    first = sequences[0]
    for a in sequences:
        if not a.ndim or a.shape[1:] != first.shape[1:]:
            raise RuntimeError(
                "The size of sequences must match in all dimensions but the first, but got "
                f"{[*first.shape]} and {[*a.shape]}"
            )
    longest = max(len(a) for a in sequences)
    shape = (len(sequences), longest, *first.shape[1:])
    found = xp.full(shape, as_dtype(value, first.dtype), first.dtype)
    for row, a in zip(found, sequences, strict=True):
        row[slice(0, len(a)) if side == "right" else slice(longest - len(a), longest)] = a
    return found if batch_first else xp.ascontiguousarray(found.swapaxes(0, 1))


def _pack(xp: Any, a: Any, lengths: Any, batch_first: bool) -> tuple[Any, Any]:
    """The steps of padded sequences, one after the other, and how many sequences take each step.

    Raises:
        RuntimeError: lengths do not fit, are zero or do not descend.
    """
    steps = a.swapaxes(0, 1) if batch_first else a
    if a.ndim < 2 or not a.size:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.shape != (steps.shape[1],) or lengths.dtype != "int64":
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {[*lengths.shape]} "
            f"(batch_size={steps.shape[1]})"
        )
    long = [int(n) for n in lengths]
    if min(long) <= 0 or max(long) > len(steps):
        raise RuntimeError(
            "Length of all samples has to be greater than 0, and none greater than the sequences"
        )
    if sorted(long, reverse=True) != long:
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True"
        )
    counts = [sum(n > step for n in long) for step in range(long[0])]
    packed = [steps[step, :count] for step, count in enumerate(counts)]
    return xp.concatenate(packed), xp.asarray(counts, "int64")


def _unpack(
    xp: Any, data: Any, batch_sizes: Any, batch_first: bool, value: Any, total_length: int
) -> tuple[Any, Any]:
    """The way back: padded sequences and their lengths."""
    if batch_sizes.ndim != 1 or batch_sizes.dtype != "int64" or not data.ndim:
        raise RuntimeError("'batch_sizes' should be a vector of int64, and data have dimensions")
    counts = [int(n) for n in batch_sizes]
    if not counts or sum(counts) != len(data) or sorted(counts, reverse=True) != counts:
        raise RuntimeError("batch_sizes must descend and add up to the elements of data")
    if 0 < total_length < len(counts):
        raise RuntimeError(
            "Expected total_length to be at least the length of the longest sequence in input, but "
            f"got total_length={total_length} and max sequence length being {len(counts)}"
        )
    shape = (max(total_length, len(counts)), counts[0], *data.shape[1:])
    found = xp.full(shape, as_dtype(value, data.dtype), data.dtype)
    start = 0
    for row, count in zip(found, counts, strict=False):
        row[:count] = data[start : start + count]
        start += count
    lengths = [sum(n > at for n in counts) for at in range(counts[0])]
    padded = xp.ascontiguousarray(found.swapaxes(0, 1)) if batch_first else found
    return padded, xp.asarray(lengths, "int64")


def _with_lengths(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    a = tensor_at(types)
    return made(a, None), made(a, unknown_sizes(1), dtypes.int64)


op(
    "aten::pad_sequence(Tensor[] sequences, bool batch_first=False, float padding_value=0., str "
    'padding_side="right") -> Tensor',
    impl=_pad_sequence,
    method=None,
)
op(
    "aten::_pack_padded_sequence(Tensor input, Tensor lengths, bool batch_first) -> (Tensor, "
    "Tensor)",
    impl=_pack,
    infer=_with_lengths,
    method=None,
)
op(
    "aten::_pad_packed_sequence(Tensor data, Tensor batch_sizes, bool batch_first, Scalar "
    "padding_value, int total_length) -> (Tensor, Tensor)",
    impl=_unpack,
    infer=_with_lengths,
    method=None,
)


# Bilinear forms -----------------------------------------------------------------------------------


def _bilinear(xp: Any, a: Any, b: Any, weight: Any, bias: Any) -> Any:
    """For each row of both a number per matrix of weights (O, I, J), plus the bias."""
    if weight.ndim != 3 or not a.ndim or a.ndim != b.ndim or a.shape[:-1] != b.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got "
            f"{[*a.shape]}, {[*b.shape]} and weights {[*weight.shape]}"
        )
    if a.shape[-1] != weight.shape[1] or b.shape[-1] != weight.shape[2]:
        raise RuntimeError(
            f"bilinear(): inputs of sizes {a.shape[-1]} and {b.shape[-1]} do not fit weights "
            f"{[*weight.shape]}"
        )
    if dtypes.from_numpy(a.dtype).category is Category.BOOL or a.dtype != b.dtype:
        raise RuntimeError("bilinear(): expected inputs of one dtype that is not bool")
    m = reading_of(xp)
    left = m.tensordot(a, weight, [a.ndim - 1], [1])
    found = m.sum(m.mul(left, b[..., None, :]), [-1])
    return found if bias is None else m.add(found, bias)


op(
    "aten::bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor",
    impl=_bilinear,
    infer=lambda types, constants: made(tensor_at(types), None),
    method=None,
)
