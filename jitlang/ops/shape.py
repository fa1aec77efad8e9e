"""Rows that look at a tensor in another shape, and its facts: size, stride, contiguity.

Views share memory with their source and are writable; NumPy's `broadcast_to` is not, hence
`as_strided`. Torch's errors come from the slow path only: a kernel first does the work, and asks
what was wrong when NumPy refuses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..arrays import Size
from ..ir import types as ty
from ..ir.types import TensorType, Type
from .rows import op
from .rules import (
    HIDDEN,
    Sizes,
    dropped,
    like_second,
    replaced,
    same_type,
    sizes_rule,
    static_dim,
    static_dims,
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


def strides_of(array: Any) -> tuple[int, ...]:
    """Strides in elements; those of an empty array are as if it were contiguous, as in torch."""
    if array.size:
        return tuple([stride // array.itemsize for stride in array.strides])
    strides: list[int] = []
    step = 1
    for size in reversed(array.shape):
        strides.insert(0, step)
        step *= max(size, 1)
    return tuple(strides)


def empty_like(xp: Any, a: Any, dtype: Any) -> Any:
    """A new array in the order of the strides of another, torch's `preserve_format`. So is NumPy's,
    but for dimensions that `expand` made, which stay where they are.
    """
    if 0 not in a.strides:
        return xp.empty_like(a, dtype=dtype)
    order: list[int] = []
    for dim in reversed(range(a.ndim)):
        place = 0
        for at, inner in enumerate(order):
            if a.strides[dim] and a.strides[inner]:
                if abs(a.strides[dim]) >= abs(a.strides[inner]):
                    break
                place = at + 1
        order.insert(place, dim)
    made = xp.empty([a.shape[dim] for dim in order], dtype)
    return made.transpose([order.index(dim) for dim in range(a.ndim)])


def copy_like(xp: Any, a: Any, dtype: Any) -> Any:
    """A copy in the order of the strides, as a dtype."""
    if 0 not in a.strides:
        return a.astype(dtype)
    copy = empty_like(xp, a, dtype)
    copy[...] = a
    return copy


def _strides(xp: Any, a: Any) -> tuple[int, ...]:
    return strides_of(a)


def _is_contiguous(xp: Any, a: Any, memory_format: int = 0) -> bool:
    if memory_format == _CHANNELS_LAST and a.ndim == 4:
        return bool(a.transpose(0, 2, 3, 1).flags.c_contiguous)
    return bool(a.flags.c_contiguous)


_CHANNELS_LAST = 2


def _int_sequence(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.SIZE


op(
    "aten::size(Tensor self) -> int[]", impl=lambda xp, a: Size(a.shape), infer=_int_sequence,
    function=None,
)  # fmt: skip
op("aten::size.int(Tensor self, int dim) -> int", impl=_size_at, function=None)
op("aten::dim(Tensor self) -> int", impl=lambda xp, a: a.ndim, function=None)
op("aten::numel(Tensor self) -> int", impl=lambda xp, a: int(a.size))
op("jit::nelement(Tensor self) -> int", impl=lambda xp, a: int(a.size), function=None)
op("aten::stride(Tensor self) -> int[]", impl=_strides, infer=_int_sequence, function=None)
op(
    "aten::stride.int(Tensor self, int dim) -> int",
    impl=lambda xp, a, dim: _strides(xp, a)[wrap_dim(dim, a.ndim)],
    function=None,
)
op("aten::is_contiguous(Tensor self) -> bool", impl=_is_contiguous, function=None)
op(
    "aten::is_contiguous.memory_format(Tensor self, MemoryFormat memory_format) -> bool",
    impl=_is_contiguous,
    function=None,
)
op("aten::sym_size.int(Tensor self, int dim) -> SymInt", impl=_size_at, **HIDDEN)


# Views and reshapes -------------------------------------------------------------------------------


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
            f"cannot reshape tensor of 0 elements into shape {[*shape]} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
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
        "view size is not compatible with input tensor's size and stride (at least one dimension "
        "spans across two contiguous subspaces). Use .reshape(...) instead."
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
    try:
        return a.view(dtype.numpy)
    except ValueError:
        raise RuntimeError(
            f"self.size(-1) must be divisible by {dtype.itemsize // a.itemsize} to view "
            f"{dtypes.from_numpy(a.dtype).graph_name} as {dtype.graph_name} (different element "
            f"sizes), but got {[*a.shape]}"
        ) from None


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
            f"unflatten: Provided sizes {[*sizes]} don't multiply up to the size of dim {at} "
            f"({length}) in the input tensor"
        ) from None
    return _view(xp, a, (*a.shape[:at], *inner, *a.shape[at + 1 :]))


_reshape_rule = sizes_rule(_reshaped_sizes)


op(
    "aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)",
    impl=_view,
    infer=_reshape_rule,
    function=None,
    grad=lambda m, g, r, a, size: (m.reshape_as(g, a),),
)
op(
    "aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)",
    impl=_reshape,
    infer=_reshape_rule,
    grad=lambda m, g, r, a, shape: (m.reshape_as(g, a),),
)
op(
    "aten::view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)",
    impl=_view_dtype,
    function=None,
)
op(
    "aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    infer=like_second,
    function=None,
    impl=lambda xp, a, b: _view(xp, a, b.shape),
)
op(
    "aten::reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    infer=like_second,
    function=None,
    impl=lambda xp, a, b: _reshape(xp, a, b.shape),
)
op(
    "aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)",
    impl=_flatten,
    infer=sizes_rule(_flattened_sizes),
    grad=lambda m, g, r, a, start, end: (m.reshape_as(g, a),),
)
op("aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)", impl=_unflatten)
op(
    "aten::ravel(Tensor(a) self) -> Tensor(a)",
    impl=lambda xp, a: xp.ascontiguousarray(a).reshape((-1,)),
    infer=sizes_rule(lambda t, c: (static_numel(t.sizes),)),
)


def _contiguous(xp: Any, a: Any, memory_format: int) -> Any:
    if memory_format == _CHANNELS_LAST and a.ndim == 4:
        return xp.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return a if a.flags.c_contiguous else xp.ascontiguousarray(a)


op(
    "aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)",
    impl=_contiguous,
    infer=same_type,
    function=None,
    grad=lambda m, g, r, a, memory_format: (g,),
)
op("aten::detach(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a, infer=same_type)
op("aten::alias(Tensor(a) self) -> Tensor(a)", impl=lambda xp, a: a, infer=same_type, method=None)


# Order of dimensions ------------------------------------------------------------------------------


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
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {a.ndim} is not "
            f"equal to len(dims) = {len(dims)}"
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
        if a.ndim == 0:
            return xp.conj(a) if conjugate and a.dtype.kind == "c" else a[...]
        if a.ndim < 2:
            raise RuntimeError(
                f"tensor.{name} is only supported on matrices or batches of matrices. Got "
                f"{a.ndim}-D tensor."
            )
        swapped = a.swapaxes(-1, -2)
        return xp.conj(swapped) if conjugate and a.dtype.kind == "c" else swapped

    return impl


def _movedim(xp: Any, a: Any, source: Any, destination: Any) -> Any:
    if isinstance(source, int):
        source, destination = [source], [destination]
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({[*source]} dims) should "
            f"contain the same number of dims as destination ({[*destination]} dims)"
        )
    for name, dims in (("source", source), ("destination", destination)):
        wrapped = [wrap_dim(dim, a.ndim) for dim in dims]
        if len(set(wrapped)) != len(wrapped):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({[*dims]})")
    return xp.moveaxis(a, source, destination) if a.ndim else a[...]


_rank_kept = sizes_rule(lambda tensor, constants: unknown_sizes(tensor.rank))
_swap_rule = sizes_rule(_transposed_sizes)

op(
    "aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)",
    impl=_transpose,
    infer=_swap_rule,
    grad=lambda m, g, r, a, dim0, dim1: (m.transpose(g, dim0, dim1),),
)
op(
    "aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)",
    impl=_transpose,
    infer=_swap_rule,
)
op(
    "aten::swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)",
    impl=_transpose,
    infer=_swap_rule,
)
op(
    "aten::t(Tensor(a) self) -> Tensor(a)",
    impl=_t,
    infer=sizes_rule(_reversed_sizes),
    grad=lambda m, g, r, a: (m.t(g),),
)
op(
    "aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)",
    impl=_permute,
    infer=sizes_rule(_permuted_sizes),
)
op(
    "aten::numpy_T(Tensor(a) self) -> Tensor(a)",
    impl=lambda xp, a: a.T,
    grad=lambda m, g, r, a: (m.numpy_T(g),),
    infer=sizes_rule(_reversed_sizes),
    **HIDDEN,
)
_matrix_rule = sizes_rule(
    lambda t, c: (
        None if t.sizes is None or len(t.sizes) < 2 else (*t.sizes[:-2], t.sizes[-1], t.sizes[-2])
    )
)
for _name in ("mT", "mH", "adjoint"):
    op(
        f"aten::{_name}(Tensor(a) self) -> Tensor(a)",
        impl=_matrix_transpose(_name != "mT", _name),
        infer=_matrix_rule,
        function="adjoint" if _name == "adjoint" else None,
        method="adjoint" if _name == "adjoint" else None,
    )
for _name in ("movedim", "moveaxis"):
    op(
        f"aten::{_name}.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)",
        impl=_movedim,
        infer=_rank_kept,
    )
    op(
        f"aten::{_name}.int(Tensor(a) self, int source, int destination) -> Tensor(a)",
        impl=_movedim,
        infer=_rank_kept,
    )


# Dimensions of size one ---------------------------------------------------------------------------


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
    return (
        (None,) * (len(tensor.sizes) + 1)
        if at is None
        else (*tensor.sizes[:at], 1, *tensor.sizes[at:])
    )


op(
    "aten::squeeze(Tensor(a) self) -> Tensor(a)",
    impl=_squeeze,
    infer=sizes_rule(_squeezed_sizes),
    grad=lambda m, g, r, a: (m.reshape_as(g, a),),
)
op(
    "aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)",
    impl=_squeeze_dim,
    infer=sizes_rule(_squeezed_dim_sizes),
    grad=lambda m, g, r, a, dim: (m.reshape_as(g, a),),
)
op(
    "aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)",
    impl=_squeeze_dim,
    infer=sizes_rule(_squeezed_dim_sizes),
)
op(
    "aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)",
    impl=_unsqueeze,
    infer=sizes_rule(_unsqueezed_sizes),
    grad=lambda m, g, r, a, dim: (m.reshape_as(g, a),),
)
