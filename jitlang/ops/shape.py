"""Rows that look at a tensor in another shape, and its facts: size, stride, contiguity.

Views share memory with their source and are writable; NumPy's `broadcast_to` is not, hence `as_strided`.
Torch's errors come from the slow path only: a kernel first does the work, and asks what was wrong when
NumPy refuses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ir.types import TensorType, Type
from .rows import op
from .rules import (
    Sizes,
    dropped,
    made,
    replaced,
    same_type,
    sizes_rule,
    static_dim,
    static_dims,
    tensor_at,
    unknown_sizes,
    wrap_dim,
    wrap_dims,
)

# Facts --------------------------------------------------------------------------------------------


def _size_at(xp: Any, a: Any, dim: int) -> int:
    try:
        return int(a.shape[dim])
    except IndexError:
        wrap_dim(dim, a.ndim)
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions") from None


def _strides(xp: Any, a: Any) -> list[int]:
    width = a.dtype.itemsize
    return [stride // width for stride in a.strides]


def _is_contiguous(xp: Any, a: Any, memory_format: int = 0) -> bool:
    if memory_format == _CHANNELS_LAST and a.ndim == 4:
        return bool(a.transpose(0, 2, 3, 1).flags.c_contiguous)
    return bool(a.flags.c_contiguous)


_CHANNELS_LAST = 2


op("aten::size(Tensor self) -> int[]", impl=lambda xp, a: [*a.shape], function=None)
op("aten::size.int(Tensor self, int dim) -> int", impl=_size_at, function=None)
op("aten::dim(Tensor self) -> int", impl=lambda xp, a: a.ndim, function=None)
op("aten::numel(Tensor self) -> int", impl=lambda xp, a: int(a.size))
op("aten::stride(Tensor self) -> int[]", impl=_strides, function=None)
op(
    "aten::stride.int(Tensor self, int dim) -> int",
    impl=lambda xp, a, dim: _strides(xp, a)[wrap_dim(dim, a.ndim)],
    function=None,
)  # fmt: skip
op("aten::is_contiguous(Tensor self) -> bool", impl=_is_contiguous, function=None)
op(
    "aten::is_contiguous.memory_format(Tensor self, MemoryFormat memory_format) -> bool",
    impl=_is_contiguous, function=None,
)  # fmt: skip
op("aten::sym_size.int(Tensor self, int dim) -> SymInt", impl=_size_at, function=None, method=None)


# view and reshape -----------------------------------------------------------------------------------


def resolve_shape(shape: Sequence[int], numel: int) -> tuple[int, ...]:
    """The shape with -1 replaced.

    Raises:
        RuntimeError: the shape does not hold `numel` elements; with torch's message.
    """
    known = 1
    inferred: int | None = None
    for index, size in enumerate(shape):
        if size == -1:
            if inferred is not None:
                raise RuntimeError("only one dimension can be inferred")
            inferred = index
        elif size < 0:
            raise RuntimeError(
                f"invalid shape dimension {size} at index {index} of shape {[*shape]}"
            )
        else:
            known *= size
    if inferred is None:
        if known != numel:
            raise RuntimeError(f"shape '{[*shape]}' is invalid for input of size {numel}")
        return tuple(shape)
    if known == 0 and numel == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {[*shape]} because the unspecified dimension "
            "size -1 can be any value and is ambiguous"
        )
    if known == 0 or numel % known:
        raise RuntimeError(f"shape '{[*shape]}' is invalid for input of size {numel}")
    return (*shape[:inferred], numel // known, *shape[inferred + 1 :])


def _reshape(xp: Any, a: Any, shape: Sequence[int]) -> Any:
    # NumPy takes any negative size for -1.
    if min(shape, default=0) >= -1:
        try:
            return a.reshape(shape)
        except ValueError:
            pass
    return a.reshape(resolve_shape(shape, a.size))


def _view(xp: Any, a: Any, size: Sequence[int]) -> Any:
    made = _reshape(xp, a, size)
    if a.flags.c_contiguous or a.size == 0 or xp.may_share_memory(made, a):
        return made
    raise RuntimeError(
        "view size is not compatible with input tensor's size and stride (at least one dimension spans "
        "across two contiguous subspaces). Use .reshape(...) instead."
    )


def static_numel(sizes: Sizes | None) -> int | None:
    """The number of elements where every size is known."""
    if sizes is None or None in sizes:
        return None
    return math.prod(size for size in sizes if size is not None)


def _reshaped_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    shape = constants[1]
    if not isinstance(shape, list | tuple):
        return None
    numel = static_numel(tensor.sizes)
    known = math.prod(size for size in shape if size != -1)
    if -1 in shape and (numel is None or known == 0 or numel % known):
        return tuple(None if size == -1 else size for size in shape)
    return tuple(numel // known if size == -1 and numel is not None else size for size in shape)


def _view_dtype(xp: Any, a: Any, dtype: Any) -> Any:
    return a.view(dtype.numpy)


def _flatten(xp: Any, a: Any, start_dim: int, end_dim: int) -> Any:
    if a.ndim == 0:
        wrap_dim(start_dim, 0), wrap_dim(end_dim, 0)
        return a.reshape((1,))
    start, end = wrap_dim(start_dim, a.ndim), wrap_dim(end_dim, a.ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    shape = a.shape
    return a.reshape((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def _flattened_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    sizes, rank = tensor.sizes, tensor.rank
    start, end = static_dim(rank, constants[1]), static_dim(rank, constants[2])
    if sizes is None or start is None or end is None or start > end:
        return None
    if not sizes:
        return (1,)
    return (*sizes[:start], static_numel(sizes[start : end + 1]), *sizes[end + 1 :])


def _unflatten(xp: Any, a: Any, dim: int, sizes: Sequence[int]) -> Any:
    at = wrap_dim(dim, a.ndim)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    length = a.shape[at] if a.ndim else 1
    try:
        inner = resolve_shape(sizes, length)
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {[*sizes]} don't multiply up to the size of dim {at} ({length}) in the "
            "input tensor"
        ) from None
    return _view(xp, a, (*a.shape[:at], *inner, *a.shape[at + 1 :]))


_reshape_rule = sizes_rule(_reshaped_sizes)


def _like_other(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return made(tensor_at(types), tensor_at(types, 1).sizes)


op("aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)", impl=_view, infer=_reshape_rule, function=None,
   grad=lambda m, g, r, a, size: (m.reshape(g, m.shape(a)), None))  # fmt: skip
op("aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", impl=_reshape, infer=_reshape_rule,
   grad=lambda m, g, r, a, shape: (m.reshape(g, m.shape(a)), None))  # fmt: skip
op("aten::view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)", impl=_view_dtype, function=None)
op(
    "aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)", infer=_like_other, function=None,
    impl=lambda xp, a, b: _view(xp, a, b.shape),
)  # fmt: skip
op(
    "aten::reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)", infer=_like_other, function=None,
    impl=lambda xp, a, b: _reshape(xp, a, b.shape),
)  # fmt: skip
op(
    "aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)",
    impl=_flatten, infer=sizes_rule(_flattened_sizes),
    grad=lambda m, g, r, a, start, end: (m.reshape(g, m.shape(a)), None, None),
)  # fmt: skip
op("aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)", impl=_unflatten)
op(
    "aten::ravel(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a.reshape((-1,)),
    infer=sizes_rule(lambda t, c: (static_numel(t.sizes),)),
)  # fmt: skip


def _contiguous(xp: Any, a: Any, memory_format: int) -> Any:
    if memory_format == _CHANNELS_LAST and a.ndim == 4:
        return xp.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return a if a.flags.c_contiguous else xp.ascontiguousarray(a)


op(
    "aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)", impl=_contiguous,
    infer=same_type, function=None, grad=lambda m, g, r, a, memory_format: (g, None),
)  # fmt: skip
op("aten::detach(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a, infer=same_type)
op("aten::alias(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a, infer=same_type, method=None)


# Order of dimensions ----------------------------------------------------------------------------------


def _transpose(xp: Any, a: Any, dim0: int, dim1: int) -> Any:
    try:
        return a.swapaxes(dim0, dim1)
    except ValueError:  # NumPy's AxisError
        wrap_dim(dim0, a.ndim), wrap_dim(dim1, a.ndim)
        return a[...]


def _transposed_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    sizes = tensor.sizes
    first, second = static_dim(tensor.rank, constants[1]), static_dim(tensor.rank, constants[2])
    if sizes is None or first is None or second is None:
        return unknown_sizes(tensor.rank)
    if not sizes:
        return ()
    return replaced(replaced(sizes, first, sizes[second]), second, sizes[first])


def _t(xp: Any, a: Any) -> Any:
    if a.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {a.ndim}D")
    return a.T


def _reversed_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    return None if tensor.sizes is None else tensor.sizes[::-1]


def _permute(xp: Any, a: Any, dims: Sequence[int]) -> Any:
    try:
        return a.transpose(dims)
    except ValueError:
        pass
    if len(dims) != a.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the "
            f"desired ordering of dimensions i.e. input.dim() = {a.ndim} is not equal to len(dims) = {len(dims)}"
        )
    for dim in dims:
        wrap_dim(dim, a.ndim)
    raise RuntimeError("permute(): duplicate dims are not allowed.")


def _permuted_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    dims = static_dims(tensor.rank, constants[1])
    if tensor.sizes is None or dims is None or len(dims) != tensor.rank:
        return unknown_sizes(tensor.rank)
    return tuple(tensor.sizes[dim] for dim in dims)


def _matrix_transpose(conjugate: bool, name: str) -> Any:
    def impl(xp: Any, a: Any) -> Any:
        if a.ndim < 2:
            raise RuntimeError(
                f"tensor.{name} is only supported on matrices or batches of matrices. Got {a.ndim}-D tensor."
            )
        swapped = a.swapaxes(-1, -2)
        return xp.conj(swapped) if conjugate and a.dtype.kind == "c" else swapped

    return impl


def _movedim(xp: Any, a: Any, source: Any, destination: Any) -> Any:
    if isinstance(source, int):
        source, destination = [source], [destination]
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({[*source]} dims) should contain the same "
            f"number of dims as destination ({[*destination]} dims)"
        )
    for name, dims in (("source", source), ("destination", destination)):
        wrapped = [wrap_dim(dim, a.ndim) for dim in dims]
        if len(set(wrapped)) != len(wrapped):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({[*dims]})")
    return xp.moveaxis(a, source, destination) if a.ndim else a[...]


_rank_kept = sizes_rule(lambda tensor, constants: unknown_sizes(tensor.rank))
_swap_rule = sizes_rule(_transposed_sizes)

op(
    "aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", impl=_transpose, infer=_swap_rule,
    grad=lambda m, g, r, a, dim0, dim1: (m.transpose(g, dim0, dim1), None, None),
)  # fmt: skip
op("aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)", impl=_transpose, infer=_swap_rule)
op("aten::swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", impl=_transpose, infer=_swap_rule)
op(
    "aten::t(Tensor(a) self) -> Tensor(a)", impl=_t, infer=sizes_rule(_reversed_sizes),
    grad=lambda m, g, r, a: (m.t(g),),
)  # fmt: skip
op(
    "aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)", impl=_permute,
    infer=sizes_rule(_permuted_sizes),
)  # fmt: skip
op(
    "aten::numpy_T(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a.T,
    infer=sizes_rule(_reversed_sizes), function=None, method=None,
)  # fmt: skip
_matrix_rule = sizes_rule(
    lambda t, c: None if t.sizes is None or len(t.sizes) < 2 else (*t.sizes[:-2], t.sizes[-1], t.sizes[-2])
)
for _name in ("mT", "mH", "adjoint"):
    op(
        f"aten::{_name}(Tensor(a) self) -> Tensor(a)", impl=_matrix_transpose(_name != "mT", _name),
        infer=_matrix_rule, function="adjoint" if _name == "adjoint" else None,
        method="adjoint" if _name == "adjoint" else None,
    )  # fmt: skip
for _name in ("movedim", "moveaxis"):
    op(
        f"aten::{_name}.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)",
        impl=_movedim, infer=_rank_kept,
    )  # fmt: skip
    op(
        f"aten::{_name}.int(Tensor(a) self, int source, int destination) -> Tensor(a)", impl=_movedim,
        infer=_rank_kept,
    )  # fmt: skip


# Dimensions of size one -------------------------------------------------------------------------------


def _squeeze(xp: Any, a: Any) -> Any:
    return a.squeeze()


def _squeeze_dim(xp: Any, a: Any, dim: int | Sequence[int]) -> Any:
    dims = wrap_dims((dim,) if isinstance(dim, int) else dim, a.ndim)
    return a.squeeze(tuple(d for d in dims if a.ndim and a.shape[d] == 1))


def _squeezed_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    sizes = tensor.sizes
    if sizes is None or None in sizes:
        return None
    return tuple(size for size in sizes if size != 1)


def _squeezed_dim_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    given = constants[1]
    dims = static_dims(tensor.rank, (given,) if isinstance(given, int) else given)
    sizes = tensor.sizes
    if sizes is None or dims is None or any(sizes[d] is None for d in dims if sizes):
        return None
    return dropped(sizes, [d for d in dims if sizes and sizes[d] == 1], False)


def _unsqueeze(xp: Any, a: Any, dim: int) -> Any:
    at = wrap_dim(dim, a.ndim + 1)
    return a[(*((slice(None),) * at), None)] if at else a[None]


def _unsqueezed_sizes(tensor: TensorType, constants: Sequence[Any]) -> Sizes | None:
    if tensor.sizes is None:
        return None
    at = static_dim(len(tensor.sizes) + 1, constants[1])
    return (None,) * (len(tensor.sizes) + 1) if at is None else (*tensor.sizes[:at], 1, *tensor.sizes[at:])


op(
    "aten::squeeze(Tensor(a) self) -> Tensor(a)", impl=_squeeze, infer=sizes_rule(_squeezed_sizes),
    grad=lambda m, g, r, a: (m.reshape(g, m.shape(a)),),
)  # fmt: skip
op(
    "aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)", impl=_squeeze_dim,
    infer=sizes_rule(_squeezed_dim_sizes),
    grad=lambda m, g, r, a, dim: (m.reshape(g, m.shape(a)), None),
)  # fmt: skip
op(
    "aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", impl=_squeeze_dim,
    infer=sizes_rule(_squeezed_dim_sizes),
)  # fmt: skip
op(
    "aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", impl=_unsqueeze,
    infer=sizes_rule(_unsqueezed_sizes),
    grad=lambda m, g, r, a, dim: (m.reshape(g, m.shape(a)), None),
)  # fmt: skip


# Expansion --------------------------------------------------------------------------------------------


def expand(xp: Any, a: Any, size: Sequence[int]) -> Any:
    """A view of `a` with dimensions of size one repeated; -1 keeps a size.

    Raises:
        RuntimeError: a size does not fit; with torch's message.
    """
    missing = len(size) - a.ndim
    if missing < 0:
        raise RuntimeError(
            f"expand(Tensor{{{[*a.shape]}}}, size={[*size]}): the number of sizes provided ({len(size)}) must be "
            f"greater or equal to the number of dimensions in the tensor ({a.ndim})"
        )
    shape, strides = [*size], [0] * len(size)
    for at in range(len(size)):
        wanted, own = size[at], a.shape[at - missing] if at >= missing else 1
        if wanted == -1 and at >= missing:
            shape[at] = own
        elif wanted < 0:
            raise RuntimeError(
                f"The expanded size of the tensor ({wanted}) isn't allowed in a leading, non-existing "
                f"dimension {at}"
            )
        if shape[at] == own and at >= missing:
            strides[at] = a.strides[at - missing]
        elif own != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({wanted}) must match the existing size ({own}) at "
                f"non-singleton dimension {at}.  Target sizes: {[*size]}.  Tensor sizes: {[*a.shape]}"
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
    impl=lambda xp, a, size, implicit: expand(xp, a, size), infer=_expand_rule, function=None,
)  # fmt: skip
op(
    "aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    impl=lambda xp, a, b: expand(xp, a, b.shape), infer=_like_other, function=None,
)  # fmt: skip
op("aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)", impl=expand, infer=_expand_rule)


def _as_strided(xp: Any, a: Any, size: Sequence[int], stride: Sequence[int], offset: int | None) -> Any:
    """A view of the memory that `a` itself covers, bounds checked; `a` must be contiguous.

    Raises:
        RuntimeError: the view would leave the memory of `a`, or `a` is not contiguous.
    """
    if not a.flags.c_contiguous:
        raise RuntimeError("as_strided needs a contiguous tensor")
    start = offset or 0
    last = start + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and (start < 0 or last >= a.size or min(stride, default=0) < 0):
        raise RuntimeError(
            f"setStorage: sizes {[*size]}, strides {[*stride]}, storage offset {start} are out of bounds for "
            f"storage of {a.size} elements"
        )
    width = a.dtype.itemsize
    flat = a.reshape((-1,))[start:]
    return xp.lib.stride_tricks.as_strided(flat, size, [s * width for s in stride])


op(
    "aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)",
    impl=_as_strided, infer=sizes_rule(lambda t, c: tuple(c[1]) if isinstance(c[1], list | tuple) else None),
)  # fmt: skip


def _diagonal(xp: Any, a: Any, offset: int, dim1: int, dim2: int) -> Any:
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
    "aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)", impl=_diagonal,
    infer=sizes_rule(lambda t, c: unknown_sizes(None if t.rank is None else max(t.rank - 1, 0))),
)  # fmt: skip


def _unfold(xp: Any, a: Any, dimension: int, size: int, step: int) -> Any:
    at = wrap_dim(dimension, a.ndim)
    length = a.shape[at] if a.ndim else 1
    if size > length:
        raise RuntimeError(
            f"maximum size for tensor at dimension {at} is {length} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if a.ndim == 0:
        return a.reshape((1,))[:size]
    shape = (*a.shape[:at], (length - size) // step + 1, *a.shape[at + 1 :], size)
    strides = (*a.strides[:at], a.strides[at] * step, *a.strides[at + 1 :], a.strides[at])
    return xp.lib.stride_tricks.as_strided(a, shape, strides)


op("aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)", impl=_unfold, function=None)


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
    )  # fmt: skip

op(
    "aten::broadcast_tensors(Tensor(a)[] tensors) -> Tensor(a)[]",
    impl=lambda xp, tensors: [expand(xp, a, _common_shape(xp, tensors)) for a in tensors], method=None,
)  # fmt: skip
op(
    "aten::broadcast_shapes(int[] a, int[] b) -> int[]", impl=lambda xp, a, b: [*xp.broadcast_shapes(a, b)],
    function=None, method=None,
)  # fmt: skip


def _common_shape(xp: Any, tensors: Sequence[Any]) -> tuple[int, ...]:
    try:
        shape: tuple[int, ...] = xp.broadcast_shapes(*(a.shape for a in tensors))
    except ValueError:
        raise RuntimeError(
            f"the shapes {', '.join(str([*a.shape]) for a in tensors)} cannot be broadcast together"
        ) from None
    return shape
