"""Rows that read and write parts of a tensor: select, slice, index, masks, gather, scatter, copy_.

Advanced indexing is NumPy's, which torch's equals (where the index tensors do not stand together,
the indexed dimensions go first). What index tensors pick lies in row-major order. Out of bounds is
an IndexError in torch's words. Rows that torch lets index with int64 only take every integer type
here; nothing wraps around silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from .. import dtypes
from ..dtypes import Category, DType, int64
from ..ir import types as ty
from ..ir.types import TensorType, Type
from .creation import as_dtype
from .rows import inplace, op, writes_as
from .rules import (
    HIDDEN,
    Sizes,
    made,
    replaced,
    same_type,
    sizes_rule,
    static_dim,
    tensor_at,
    unknown_sizes,
    wrap_dim,
    written_type,
)
from .traits import broadcast_sizes

BEFORE = tuple((slice(None),) * dim for dim in range(65))
"""The index of everything before a dimension; NumPy has 64 at most."""

# Basic indexing -----------------------------------------------------------------------------------


def _select(xp: Any, a: Any, dim: int, index: int) -> Any:
    # The ellipsis keeps the element of a vector a view.
    if dim == 0 and a.ndim:
        try:
            return a[index, ...]
        except IndexError:
            raise _out_of_bounds(index, 0, a.shape[0]) from None
    if a.ndim == 0:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim tensor to a "
            "number"
        )
    at = wrap_dim(dim, a.ndim)
    try:
        return a[(*(slice(None),) * at, index, ...)]
    except IndexError:
        raise _out_of_bounds(index, at, a.shape[at]) from None


def _out_of_bounds(index: int, dim: int, size: int) -> IndexError:
    return IndexError(f"index {index} is out of bounds for dimension {dim} with size {size}")


def _slice(xp: Any, a: Any, dim: int, start: int | None, end: int | None, step: int) -> Any:
    if step > 0 and 0 <= dim < a.ndim:
        return a[start:end:step] if dim == 0 else a[(*BEFORE[dim], slice(start, end, step))]
    if step <= 0:
        raise ValueError(
            "slice step cannot be zero" if step == 0 else "step must be greater than zero"
        )
    if a.ndim == 0:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    return a[(*BEFORE[wrap_dim(dim, a.ndim)], slice(start, end, step))]


def _selected_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    sizes = tensor.sizes
    if not sizes:
        return None
    at = static_dim(len(sizes), constants[1])
    return (None,) * (len(sizes) - 1) if at is None else (*sizes[:at], *sizes[at + 1 :])


def _sliced_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    at = static_dim(tensor.rank, constants[1])
    if not tensor.sizes or at is None:
        return unknown_sizes(tensor.rank)
    start, end, step = constants[2:5]
    length = tensor.sizes[at]
    fixed = all(bound is None or isinstance(bound, int) for bound in (start, end))
    if length is None or not fixed or not isinstance(step, int) or step <= 0:
        whole = start in (None, 0) and end is None and step == 1
        return replaced(tensor.sizes, at, length if whole else None)
    return replaced(tensor.sizes, at, len(range(*slice(start, end, step).indices(length))))


op(
    "aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)",
    impl=_select,
    infer=sizes_rule(_selected_sizes),
)
op(
    "aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt "
    "step=1) -> Tensor(a)",
    impl=_slice,
    infer=sizes_rule(_sliced_sizes),
    **HIDDEN,
)


# Advanced indexing --------------------------------------------------------------------------------

_WHOLE = slice(None)


def _key(indices: Sequence[Any]) -> tuple[Any, ...]:
    """NumPy's index for torch's list; bytes are masks. In row-major order NumPy goes through the
    elements in that order.
    """
    return tuple(
        _WHOLE if i is None else i.astype(bool) if i.dtype == "uint8" else row_major(i)
        for i in indices
    )


def indexed(xp: Any, a: Any, indices: Sequence[Any]) -> Any:
    """`x[i, :, j]`, None where a dimension is taken whole.

    Raises:
        IndexError: there are too many indices, or one is out of range or has a wrong dtype or size.
    """
    single = _single_index(indices)
    try:
        if single is not None and a.ndim:  # `take` has a dimension 0 for everything
            return xp.take(a, indices[single], single)  # in row-major order at once
        found = a[_key(indices)]
    except IndexError as error:
        _explain(xp, a, indices, error)
    # Without an index that has dimensions NumPy gives a view.
    return row_major(found) if any(i is not None and i.ndim for i in indices) else found.copy()


def _single_index(indices: Sequence[Any]) -> int | None:
    """The dimension of the only index, where that has integers and dimensions."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    if len(dims) != 1:
        return None
    index = indices[dims[0]]
    return dims[0] if index.ndim and index.dtype.kind == "i" else None


def row_major(a: Any) -> Any:
    """The array, copied where it lies in another order."""
    return a if a.flags.c_contiguous else a.copy()


def dims_indexed(index: Any) -> int:
    """How many dimensions an index tensor takes: a mask, which bytes are too, as many as it has."""
    is_mask = index.dtype.kind == "b" or index.dtype == "uint8"
    return int(index.ndim) if is_mask else 1


def _explain(xp: Any, a: Any, indices: Sequence[Any], error: IndexError) -> NoReturn:
    """Raise torch's error for an index that NumPy refused."""
    at = 0
    shapes = []
    for i in indices:
        if i is None:
            at += 1
            continue
        if i.dtype.kind not in "iub":
            raise IndexError(
                "tensors used as indices must be long, int, byte or bool tensors"
            ) from None
        is_mask = i.dtype.kind == "b" or i.dtype == "uint8"
        taken = dims_indexed(i)
        if at + taken > a.ndim:
            raise IndexError(f"too many indices for tensor of dimension {a.ndim}") from None
        if is_mask and i.shape != a.shape[at : at + taken]:
            raise IndexError(
                f"The shape of the mask {[*i.shape]} at index 0 does not match the shape of the "
                f"indexed tensor {[*a.shape]} at index {at}"
            ) from None
        if not is_mask:
            shapes.append(i.shape)
            check_bounds(xp, i, at, a.shape[at], lowest=-a.shape[at])
        at += taken
    listed = ", ".join(str([*shape]) for shape in shapes)
    raise IndexError(
        f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
    ) from error


def check_bounds(
    xp: Any, index: Any, dim: int, size: int, lowest: int = 0, kind: type[Exception] = IndexError
) -> None:
    """Refuse an index tensor with an element outside `lowest <= i < size`.

    Raises:
        IndexError, or `kind`: an element is out of bounds; the message names the first one.
    """
    if index.size == 0:
        return
    outside = (index < lowest) | (index >= size)
    if outside.any():
        first = int(index[outside].reshape((-1,))[0])
        raise kind(f"index {first} is out of bounds for dimension {dim} with size {size}")


def index_put_(
    xp: Any, a: Any, indices: Sequence[Any], values: Any, accumulate: bool = False
) -> Any:
    """`x[i, :, j] = values`, or `+=` where an element that is named twice takes both.

    Raises:
        IndexError: as for reading.
        RuntimeError: the values do not broadcast to what is indexed.
    """
    key = _key(indices)
    try:
        if accumulate:
            # Of vectors and an index of more dimensions `add.at` reads beyond values to broadcast.
            whole = xp.broadcast_to(values, a[key].shape) if values.ndim else values
            xp.add.at(a, key, whole.astype(a.dtype, copy=False))
        else:
            a[key] = values
    except IndexError as error:
        _explain(xp, a, indices, error)
    except ValueError as error:
        _pass_on_read_only(error)
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {[*values.shape]} cannot be broadcast to "
            f"indexing result of shape {[*a[key].shape]}"
        ) from None
    return a


def _index_put(
    xp: Any, a: Any, indices: Sequence[Any], values: Any, accumulate: bool = False
) -> Any:
    return index_put_(xp, xp.array(a), indices, values, accumulate)


def indexed_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type rule of `x[i]`, of a tuple of indices; nothing is known of those in a list."""
    tensor, listed = tensor_at(types), types[1]
    if tensor.sizes is None or not isinstance(listed, ty.TupleType):
        return made(tensor, None)
    dims = [d for d, index in enumerate(listed.elements) if isinstance(index, TensorType)]
    block = index_sizes([listed.elements[d] for d in dims])
    if block is None or not dims or dims[-1] >= len(tensor.sizes):
        return made(tensor, None)
    kept = tuple(size for d, size in enumerate(tensor.sizes) if d not in dims)
    at = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    return made(tensor, (*kept[:at], *block, *kept[at:]))


def index_sizes(indices: Sequence[Type]) -> Sizes | None:
    """The sizes to which integer index tensors broadcast, as far as they are known; None for other
    indices, among them bytes, which are masks to torch.
    """
    sizes: list[Sizes | None] = []
    for index in indices:
        dtype = index.dtype if isinstance(index, TensorType) else None
        if dtype is None or dtype.category is not Category.INTEGRAL or dtype is dtypes.uint8:
            return None
        sizes.append(tensor_at([index]).sizes)
    return broadcast_sizes(sizes)


for _overload, _indices in (("Tensor", "Tensor?[]"), ("Tensor_hacked_twin", "Tensor[]")):
    op(
        f"aten::index.{_overload}(Tensor self, {_indices} indices) -> Tensor",
        impl=indexed,
        infer=indexed_type,
        **HIDDEN,
    )
for _overload, _indices in (("", "Tensor?[]"), (".hacked_twin", "Tensor[]")):
    _written = op(
        f"aten::index_put_{_overload}(Tensor(a!) self, {_indices} indices, Tensor values, bool "
        "accumulate=False) -> Tensor(a!)",
        impl=index_put_,
        infer=written_type,
    )
    _pure = op(
        f"aten::index_put{_overload}(Tensor self, {_indices} indices, Tensor values, bool "
        "accumulate=False) -> Tensor",
        impl=_index_put,
        infer=same_type,
    )
    writes_as(_written, _pure)


def copy_into(xp: Any, a: Any, source: Any) -> Any:
    """Write `source`, broadcast and cast, into `a`.

    Raises:
        RuntimeError: the shapes do not fit, or several elements of `a` are one place in memory.
    """
    refuse_overlap(a)
    if getattr(source, "ndim", 0) > a.ndim:  # NumPy would drop leading sizes of one
        _explain_broadcast(a, source)
    try:
        a[...] = source
    except ValueError as error:
        _pass_on_read_only(error)
        _explain_broadcast(a, source)
    return a


def _pass_on_read_only(error: ValueError) -> None:
    """NumPy tells best that memory must not be written."""
    if "read-only" in str(error):
        raise error


def refuse_overlap(a: Any) -> None:
    """Refuse to write to a tensor that `expand` made.

    Raises:
        RuntimeError: two elements of `a` share memory.
    """
    if (
        a.size
        and 0 in a.strides
        and any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape, strict=True))
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )


def _explain_broadcast(a: Any, source: Any) -> NoReturn:
    for back in range(1, source.ndim + 1):
        own = a.shape[-back] if back <= a.ndim else 1
        if source.shape[-back] not in (1, own):
            raise RuntimeError(
                f"The size of tensor a ({own}) must match the size of tensor b "
                f"({source.shape[-back]}) at non-singleton dimension "
                f"{max(a.ndim, source.ndim) - back}"
            ) from None
    raise RuntimeError(
        f"output with shape {[*a.shape]} doesn't match the broadcast shape {[*source.shape]}"
    ) from None


op(
    "aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)",
    impl=lambda xp, a, src, non_blocking: copy_into(xp, a, src),
    infer=written_type,
    function=None,
)
op(
    "aten::copy_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)",
    impl=copy_into,
    infer=written_type,
    function=None,
)
for _kind in ("int", "float"):
    op(
        f"aten::copy_.{_kind}(Tensor(a!) self, {_kind} other) -> Tensor(a!)",
        impl=lambda xp, a, number: copy_into(xp, a, as_dtype(number, a.dtype)),
        infer=written_type,
        function=None,
    )


# Masks --------------------------------------------------------------------------------------------


def _masked_select(xp: Any, a: Any, mask: Any) -> Any:
    if mask.dtype.kind != "b":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    if mask.shape != a.shape:
        a, mask = _broadcast_pair(xp, a, mask)
    return a[mask]


def _broadcast_pair(xp: Any, a: Any, b: Any) -> Any:
    try:
        return xp.broadcast_arrays(a, b)
    except ValueError:
        back = next(
            k
            for k in range(1, min(a.ndim, b.ndim) + 1)
            if a.shape[-k] != b.shape[-k] and 1 not in (a.shape[-k], b.shape[-k])
        )
        raise RuntimeError(
            f"The size of tensor a ({a.shape[-back]}) must match the size of tensor b "
            f"({b.shape[-back]}) at non-singleton dimension {max(a.ndim, b.ndim) - back}"
        ) from None


def _masked_scatter(xp: Any, a: Any, mask: Any, source: Any) -> Any:
    if mask.dtype.kind != "b":
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if source.dtype != a.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{dtypes.from_numpy(a.dtype)} and {dtypes.from_numpy(source.dtype)}"
        )
    a, mask = _broadcast_pair(xp, a, mask)
    result = a.copy()
    wanted = int(mask.sum())
    if source.size < wanted:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    result[mask] = source.reshape((-1,))[:wanted]
    return result


def _nonzero(xp: Any, a: Any) -> Any:
    return xp.argwhere(a).astype("int64", copy=False)


def _where(xp: Any, condition: Any) -> list[Any]:
    return [*xp.nonzero(condition if condition.ndim else condition.reshape((1,)))]


def _of_dtype(dtype: DType, rank: int | None = None) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        return made(tensor_at(types), unknown_sizes(rank), dtype)

    return infer


def _index_list(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.SequenceType(made(tensor_at(types), (None,), int64))


op(
    "aten::masked_select(Tensor self, Tensor mask) -> Tensor",
    impl=_masked_select,
    infer=sizes_rule(lambda t, c: (None,)),
)
inplace(
    op(
        "aten::masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor",
        impl=_masked_scatter,
    )
)
op("aten::nonzero(Tensor self) -> Tensor", impl=_nonzero, infer=_of_dtype(int64, 2))
op("aten::nonzero_numpy(Tensor self) -> Tensor[]", impl=_where, infer=_index_list, **HIDDEN)
op("aten::where(Tensor condition) -> Tensor[]", impl=_where, infer=_index_list, method=None)


# Indices along one dimension ----------------------------------------------------------------------


def along(xp: Any, dim: int, index: Any) -> tuple[Any, ...]:
    """The index that reads `a[i][index[i][j][k]][k]` for dim 1 and so on."""
    key: list[Any] = []
    index = row_major(index)
    for d in range(index.ndim):
        if d == dim:
            key.append(index)
            continue
        shape = [1] * index.ndim
        shape[d] = index.shape[d]
        key.append(xp.arange(index.shape[d]).reshape(shape))
    return tuple(key)


def gather_index(xp: Any, name: str, a: Any, dim: int, index: Any, other: str) -> int:
    """The dimension, after torch's checks of an index that goes along it.

    Raises:
        RuntimeError: the index does not have integers, the right shape, or valid values.
    """
    at = wrap_dim(dim, a.ndim)
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    if max(index.ndim, 1) != max(a.ndim, 1):
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as {other} tensor"
        )
    for d in range(min(index.ndim, a.ndim)):
        if d != at and index.shape[d] > a.shape[d]:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {[*index.shape]} to be no "
                f"larger than self {[*a.shape]} apart from dimension {at}"
            )
    check_bounds(xp, index, at, a.shape[at] if a.ndim else 1, kind=RuntimeError)
    return at


def _gather(xp: Any, a: Any, dim: int, index: Any, sparse_grad: bool) -> Any:
    if index.size == 0:
        wrap_dim(dim, a.ndim)
        return xp.empty(index.shape, a.dtype)
    at = gather_index(xp, "gather", a, dim, index, "input")
    if a.ndim == 0 or index.ndim == 0:
        return a.reshape((-1,))[index.reshape((-1,))].reshape(index.shape)
    return row_major(a[along(xp, at, index)])


def _index_select(xp: Any, a: Any, dim: int, index: Any) -> Any:
    at = wrap_dim(dim, a.ndim)
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype.kind not in "iu":
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if a.ndim == 0 and index.size != 1:
        raise RuntimeError(
            f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)"
        )
    size = a.shape[at] if a.ndim else 1
    if index.size and not (index.min() >= 0 and index.max() < size):
        raise IndexError("index out of range in self")
    if a.ndim == 0:
        return a.copy()
    return row_major(xp.take(a, index.reshape((-1,)), at))


def _take(xp: Any, a: Any, index: Any) -> Any:
    if index.dtype != int64.numpy:
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {index.dtype}")
    outside = (index < -a.size) | (index >= a.size)
    if outside.any():
        first = int(index[outside].reshape((-1,))[0])
        raise IndexError(
            f"out of range: tried to access index {first} on a tensor of {a.size} elements."
        )
    return row_major(a.reshape((-1,))[index])


def _take_along_dim(xp: Any, a: Any, indices: Any, dim: int | None) -> Any:
    if dim is None:
        return _take(xp, a, indices.reshape((-1,)))
    axis = wrap_dim(dim, a.ndim)
    if indices.dtype.kind not in "iu":
        raise RuntimeError(
            "torch.take_along_dim(): dtype of indices should be Long but got "
            f"{dtypes.from_numpy(indices.dtype).graph_name}"
        )
    if indices.ndim != a.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {a.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    return row_major(xp.take_along_axis(a, indices, axis))


def _like_index(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    indexes = [t for t in types[1:] if isinstance(t, TensorType)]
    return made(tensor_at(types), indexes[0].sizes if indexes else None)


def _along_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    tensor, index = tensor_at(types), tensor_at(types, 1)
    at = static_dim(tensor.rank, constants[2])
    if not tensor.sizes or not index.sizes or at is None or tensor.rank != index.rank:
        return made(tensor, None)
    return made(tensor, broadcast_sizes([replaced(tensor.sizes, at, 1), index.sizes]))


def _selected_by_index(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    tensor, index = tensor_at(types), tensor_at(types, 2)
    at = static_dim(tensor.rank, constants[1])
    if not tensor.sizes or at is None or not index.sizes:
        return made(tensor, unknown_sizes(tensor.rank))
    return made(tensor, replaced(tensor.sizes, at, index.sizes[0]))


op(
    "aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    impl=_gather,
    infer=_like_index,
    grad=lambda m, g, r, a, dim, index, sparse_grad: (
        m.scatter_add(m.zeros_like(a), dim, index, g),
        None,
    ),
)
op(
    "aten::index_select(Tensor self, int dim, Tensor index) -> Tensor",
    impl=_index_select,
    infer=_selected_by_index,
    grad=lambda m, g, r, a, dim, index: (m.index_add(m.zeros_like(a), dim, index, g), None),
)


def _put_back(m: Any, g: Any, a: Any, index: Any) -> Any:
    """Elements added up where they were taken from."""
    places = [m.flatten(index)]
    return m.reshape_as(m.index_put(m.flatten(m.zeros_like(a)), places, m.flatten(g), True), a)


op(
    "aten::take(Tensor self, Tensor index) -> Tensor",
    impl=_take,
    infer=_like_index,
    grad=lambda m, g, r, a, index: (_put_back(m, g, a, index), None),
)
op(
    "aten::take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor",
    impl=_take_along_dim,
    infer=_along_type,
)
