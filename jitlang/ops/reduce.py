"""Rows that reduce over dimensions: sum, mean, prod, extrema, any, all, variance, norms, softmax,
running sums.

Torch's dtype rules: integers and bools sum to int64, mean of integers is refused, half types
accumulate in float32 and round once. An empty list of dimensions means all of them, except for
`any.dims` and `all.dims`. The pairwise order of NumPy's sums is not promised: reductions have an
error bound, not a bit pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.opdef import TypeRule
from ..ir.types import TensorType, Type
from .creation import dtype_of, keyword_dtype
from .pointwise import not_implemented
from .rows import op, pointwise
from .rules import (
    Sizes,
    compute_dtype,
    dropped,
    retyped,
    static_dims,
    tensor_at,
    wide,
    wrap_dims,
)

Dims = int | Sequence[int] | None


def axes_of(a: Any, dim: Dims) -> tuple[int, ...]:
    """The dimensions to reduce, counted from the front; none of a 0-dim array."""
    if dim is None:
        return tuple(range(a.ndim))
    dims = (dim,) if isinstance(dim, int) else dim
    wrapped = wrap_dims(dims, a.ndim)
    return wrapped if len(dims) and a.ndim else tuple(range(a.ndim))


def _category(a: Any) -> Category:
    return dtypes.from_numpy(a.dtype).category


def refuse_empty(name: str, a: Any, axes: Sequence[int], dim: Dims, error: type[Exception]) -> None:
    """Refuse to reduce nothing where there is no neutral element.

    Raises:
        IndexError: a dimension to reduce is empty.
        RuntimeError or IndexError, as `error` says: the whole tensor is.
    """
    if a.size:
        return
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        raise error(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
            "the reduction dim with the 'dim' argument."
        )
    for axis in axes:
        if a.shape[axis] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")


def lacks_kernel(kernel: str, dtype: DType) -> NotImplementedError:
    """Torch's error for a kernel that a dtype does not have."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{dtype.graph_name}'")


def not_supported(kernel: str, a: Any) -> NotImplementedError:
    """The same for an array."""
    return lacks_kernel(kernel, dtypes.from_numpy(a.dtype))


# Sums ---------------------------------------------------------------------------------------------


def summed_dtype(a: Any, dtype: Any) -> Any:
    """The NumPy dtype of a sum: int64 for integers and bools, unless one is given."""
    own = dtypes.from_numpy(a.dtype)
    return dtype_of(dtype, dtypes.int64 if own.category < Category.FLOATING else own)


_PLAIN = (dtypes.float32.numpy, dtypes.float64.numpy)


def _axis(dim: Dims) -> int | tuple[int, ...] | None:
    """NumPy's `axis` for torch's dimensions."""
    return dim if dim is None or isinstance(dim, int) else tuple(dim) or None


def _accumulate(function: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: Dims, keepdim: bool, dtype: Any) -> Any:
        if dtype is None and a.dtype in _PLAIN:
            try:
                return getattr(a, function)(_axis(dim), keepdims=keepdim)
            except ValueError:
                pass  # a bad dimension: the careful way says which
        kind = summed_dtype(a, dtype)
        if kind.kind == "b":
            reduce = {"sum": xp.any, "prod": xp.all}[function]
            return reduce(a, axis=axes_of(a, dim), keepdims=keepdim)
        wide = compute_dtype(kind)
        found = getattr(xp, function)(a, axis=axes_of(a, dim), dtype=wide, keepdims=keepdim)
        return found if wide == kind else found.astype(kind)

    return impl


_sum, _prod = _accumulate("sum"), _accumulate("prod")


def _mean(xp: Any, a: Any, dim: Dims, keepdim: bool, dtype: Any) -> Any:
    if dtype is None and a.dtype in _PLAIN and a.size:
        try:
            total = a.sum(_axis(dim), keepdims=keepdim)
        except ValueError:
            pass  # a bad dimension: the careful way says which
        else:
            return total / total.dtype.type(a.size // total.size)
    kind = dtype_of(dtype, dtypes.from_numpy(a.dtype))
    result = dtypes.from_numpy(kind)
    if result.category < Category.FLOATING:
        which = "Input" if dtype is None else "Optional"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point "
            f"or complex dtype. Got: {result.graph_name}"
        )
    wide = compute_dtype(kind)
    axes = axes_of(a, dim)
    if not a.size:
        shape = xp.sum(a, axis=axes, keepdims=keepdim).shape
        return xp.full(shape, float("nan"), kind)
    found = xp.mean(a, axis=axes, dtype=wide, keepdims=keepdim)
    return found if wide == kind else found.astype(kind)


def _nansum(xp: Any, a: Any, dim: Dims, keepdim: bool, dtype: Any) -> Any:
    if a.dtype.kind == "c":
        raise RuntimeError("nansum on CPU does not support complex inputs")
    return _sum(xp, _without_nan(xp, a), dim, keepdim, dtype)


def _nanmean(xp: Any, a: Any, dim: Dims, keepdim: bool, dtype: Any) -> Any:
    own = dtypes.from_numpy(a.dtype)
    if own.category < Category.FLOATING:
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{own.graph_name}"
        )
    if dtypes.from_numpy(dtype_of(dtype, own)).category < Category.FLOATING:
        raise RuntimeError(
            "nanmean(): could not infer output dtype. Optional dtype must be either a floating "
            "point or complex dtype."
        )
    total = _nansum(xp, a, dim, keepdim, dtype)
    axes = axes_of(a, dim)
    count = xp.sum(~xp.isnan(a), axis=axes, keepdims=keepdim)
    with xp.errstate(divide="ignore", invalid="ignore"):
        return (total / count).astype(total.dtype)


def _without_nan(xp: Any, a: Any) -> Any:
    return a if a.dtype.kind in "iub" else xp.where(xp.isnan(a), a.dtype.type(0), a)


# Type rules ---------------------------------------------------------------------------------------


def summed(own: DType | None) -> DType | None:
    """The same for a type rule."""
    if own is None:
        return None
    return dtypes.int64 if own.category < Category.FLOATING else own


def _reduced_sizes(
    tensor: TensorType, dim: Any, keep: Any, none_is_all: bool = True
) -> Sizes | None:
    """Sizes after a reduction, where dims and keepdim are known."""
    if tensor.sizes is None or not isinstance(keep, bool):
        return () if dim is None and keep is False and none_is_all else None
    if dim is None or dim == [] or dim == ():
        return dropped(tensor.sizes, range(len(tensor.sizes)), keep)
    dims = static_dims(tensor.rank, (dim,) if isinstance(dim, int) else dim)
    return None if dims is None else dropped(tensor.sizes, dims, keep)


def reduction_rule(
    dim: int | None,
    keep: int | None,
    dtype: int | None = None,
    result: Callable[[DType | None], DType | None] = lambda own: own,
) -> TypeRule:
    """The type rule of a reduction, by where dim, keepdim and dtype stand, and its dtype rule."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        first = tensor_at(types)
        over = None if dim is None else constants[dim]
        kept = False if keep is None else constants[keep]
        kind = result(first.dtype)
        if dtype is not None:
            kind = keyword_dtype(constants[dtype], kind)
        return TensorType(
            kind, _reduced_sizes(first, over, kept), None, None, first.device, first.surface
        )

    return infer


def pair_rule(dim: int, keep: int | None, second: DType | None = dtypes.int64) -> TypeRule:
    """The rule of (values, indices) rows; `second` None: the second is like the first."""
    one = reduction_rule(dim, keep)

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
        values = one(types, constants)
        assert isinstance(values, TensorType)
        return values, values if second is None else retyped(values, second)

    return infer


def _kept(m: Any, g: Any, a: Any, dim: Dims, keepdim: bool) -> Any:
    """The gradient of a result of a reduction, with the reduced dimensions as ones."""
    if keepdim or dim is None:
        return g
    rank = m.dim(a)
    for each in sorted(d % rank for d in ([dim] if isinstance(dim, int) else dim)):
        g = m.unsqueeze(g, each)
    return g


op(
    "aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    impl=lambda xp, a, dtype: _sum(xp, a, None, False, dtype),
    infer=reduction_rule(None, None, 1, summed),
    grad=lambda m, g, r, a, dtype: (m.expand_as(g, a),),
)
op(
    "aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? "
    "dtype=None) -> Tensor",
    impl=_sum,
    infer=reduction_rule(1, 2, 3, summed),
    grad=lambda m, g, r, a, dim, keepdim, dtype: (m.expand_as(_kept(m, g, a, dim, keepdim), a),),
)
op(
    "aten::prod(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    impl=lambda xp, a, dtype: _prod(xp, a, None, False, dtype),
    infer=reduction_rule(None, None, 1, summed),
)
op(
    "aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> "
    "Tensor",
    impl=_prod,
    infer=reduction_rule(1, 2, 3, summed),
)
op(
    "aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    impl=lambda xp, a, dtype: _mean(xp, a, None, False, dtype),
    infer=reduction_rule(None, None, 1),
    grad=lambda m, g, r, a, dtype: (m.expand_as(g, a) / m.numel(a),),
)
op(
    "aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> "
    "Tensor",
    impl=_mean,
    infer=reduction_rule(1, 2, 3),
    grad=lambda m, g, r, a, dim, keepdim, dtype: (
        m.expand_as(_kept(m, g, a, dim, keepdim), a) * m.numel(r) / m.numel(a),
    ),
)
op(
    "aten::nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) "
    "-> Tensor",
    impl=_nansum,
    infer=reduction_rule(1, 2, 3, summed),
)
op(
    "aten::nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) "
    "-> Tensor",
    impl=_nanmean,
    infer=reduction_rule(1, 2, 3),
)


# Extrema ------------------------------------------------------------------------------------------


def _extremum(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any) -> Any:
        if a.dtype.kind == "c":
            raise not_supported(f"{name}_all", a)
        refuse_empty(name, a, (), None, RuntimeError)
        return getattr(xp, name)(wide(a)).astype(a.dtype)

    return impl


def _extremum_dim(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: int, keepdim: bool) -> Any:
        axes = axes_of(a, dim)
        refuse_empty(name, a, axes, dim, IndexError)
        if a.dtype.kind == "c":
            raise not_supported(f"{name}_cpu", a)
        if a.ndim == 0:
            return a.copy(), xp.zeros((), "int64")
        found = getattr(wide(a), f"arg{name}")(axes[0], keepdims=True)
        values = xp.take_along_axis(a, found, axes[0])
        return (values, found) if keepdim else (values.squeeze(axes[0]), found.squeeze(axes[0]))

    return impl


def _extremum_dims(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: Dims, keepdim: bool) -> Any:
        axes = axes_of(a, dim)
        refuse_empty(f"a{name}", a, axes, dim, RuntimeError)
        if a.dtype.kind == "c":
            raise not_supported(f"{name}_values_cpu", a)
        if not axes:
            return a.copy()
        return getattr(xp, name)(wide(a), axis=axes, keepdims=keepdim).astype(a.dtype, copy=False)

    return impl


def _position(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: int | None, keepdim: bool) -> Any:
        if a.dtype.kind in "bc":
            kind = "bool" if a.dtype.kind == "b" else "complex"
            raise RuntimeError(f"arg{name}(): does not support {kind} input")
        axes = axes_of(a, dim)
        refuse_empty(f"arg{name}", a, axes, dim, IndexError)
        if dim is None:
            found = getattr(xp, f"arg{name}")(wide(a))
            return found.reshape((1,) * a.ndim) if keepdim else found
        if a.ndim == 0:
            return xp.zeros((), "int64")
        return getattr(xp, f"arg{name}")(wide(a), axis=axes[0], keepdims=keepdim)

    return impl


for _name in ("max", "min"):
    op(
        f"aten::{_name}(Tensor self) -> Tensor",
        impl=_extremum(_name),
        infer=reduction_rule(None, None),
    )
    op(
        f"aten::{_name}.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor "
        "indices)",
        impl=_extremum_dim(_name),
        infer=pair_rule(1, 2),
    )
    op(
        f"aten::a{_name}(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
        impl=_extremum_dims(_name),
        infer=reduction_rule(1, 2),
    )
    op(
        f"aten::arg{_name}(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
        impl=_position(_name),
        infer=reduction_rule(1, 2, None, lambda own: dtypes.int64),
    )


pointwise(
    "aten::max.other(Tensor self, Tensor other) -> Tensor",
    lambda m, x, y: m.maximum(x, y),
    ufunc="maximum",
    inplace=False,
    rejects=not_implemented("maximum_cpu", Category.COMPLEX),
)
pointwise(
    "aten::min.other(Tensor self, Tensor other) -> Tensor",
    lambda m, x, y: m.minimum(x, y),
    ufunc="minimum",
    inplace=False,
    rejects=not_implemented("minimum_cpu", Category.COMPLEX),
)


def _aminmax(xp: Any, a: Any, dim: int | None, keepdim: bool) -> Any:
    axes = axes_of(a, dim)
    if a.dtype.kind == "c":
        raise not_supported("aminmax_cpu", a)
    if dim is not None:
        refuse_empty("aminmax", a, axes, dim, IndexError)
    if not a.size and dim is None:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    x = wide(a)
    return tuple(
        f(x, axis=axes, keepdims=keepdim).astype(a.dtype, copy=False) for f in (xp.min, xp.max)
    )


op(
    "aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
    impl=_aminmax,
    infer=pair_rule(1, 2, None),
)


# Truth and counts ---------------------------------------------------------------------------------


def _truth(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: Dims = None, keepdim: bool = False) -> Any:
        if dim is not None and not isinstance(dim, int) and not len(dim):
            found = a.astype(bool)
        else:
            found = getattr(xp, name)(a, axis=axes_of(a, dim), keepdims=keepdim)
        # Bytes keep their dtype, from the days before there were bools.
        return found.astype(a.dtype) if a.dtype == "uint8" else found

    return impl


def _truth_dtype(own: DType | None) -> DType | None:
    return own if own is None or own is dtypes.uint8 else dtypes.bool_


def _truth_dims(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first = tensor_at(types)
    return TensorType(_truth_dtype(first.dtype), None, None, None, first.device, first.surface)


for _name in ("any", "all"):
    op(
        f"aten::{_name}(Tensor self) -> Tensor",
        impl=_truth(_name),
        infer=reduction_rule(None, None, None, _truth_dtype),
    )
    op(
        f"aten::{_name}.dim(Tensor self, int dim, bool keepdim=False) -> Tensor",
        impl=_truth(_name),
        infer=reduction_rule(1, 2, None, _truth_dtype),
    )
    op(
        f"aten::{_name}.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
        impl=_truth(_name),
        infer=_truth_dims,
    )


def _count_nonzero(xp: Any, a: Any, dim: Dims) -> Any:
    return xp.sum(a != 0, axis=axes_of(a, dim), dtype="int64")


op(
    "aten::count_nonzero(Tensor self, int? dim=None) -> Tensor",
    impl=_count_nonzero,
    infer=reduction_rule(1, None, None, lambda own: dtypes.int64),
)
op(
    "aten::count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor",
    impl=_count_nonzero,
    infer=reduction_rule(1, None, None, lambda own: dtypes.int64),
)
