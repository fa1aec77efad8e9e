"""Rows that look values up or count them: isin, bucketize, quantiles, modes, histograms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from .. import dtypes
from ..dtypes import Category
from ..ir.types import TensorType, Type
from .composite import Reading
from .reduce import not_supported, pair_rule, reduction_rule
from .rows import inplace, op, reading_of
from .rules import (
    compute_dtype,
    made,
    result_dtype,
    retyped,
    same_type,
    tensor_at,
    wide,
    wrap_dim,
)

# Membership ---------------------------------------------------------------------------------------


def _isin(xp: Any, elements: Any, tests: Any, assume_unique: bool, invert: bool) -> Any:
    """Whether each element is among the tests; NaN is not."""
    first, second = xp.asarray(elements), xp.asarray(tests)
    for a in (first, second):
        if a.dtype.kind == "c" or a.dtype == "bool":
            raise RuntimeError(f"Unsupported input type encountered for isin(): {a.dtype}")
    dtype = compute_dtype(result_dtype((first, second)))
    return xp.isin(first.astype(dtype), second.astype(dtype), invert=invert)


def _mask_like(at: int) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        return retyped(tensor_at(types, at), dtypes.bool_)

    return infer


_OPTIONS = "*, bool assume_unique=False, bool invert=False"
op(
    f"aten::isin.Tensor_Tensor(Tensor elements, Tensor test_elements, {_OPTIONS}) -> Tensor",
    impl=_isin,
    infer=_mask_like(0),
    method=None,
)
op(
    f"aten::isin.Tensor_Scalar(Tensor elements, Scalar test_element, {_OPTIONS}) -> Tensor",
    impl=_isin,
    infer=_mask_like(0),
    method=None,
)
op(
    f"aten::isin.Scalar_Tensor(Scalar element, Tensor test_elements, {_OPTIONS}) -> Tensor",
    impl=_isin,
    infer=lambda types, constants: TensorType(dtypes.bool_, ()),
    method=None,
)


# Buckets ------------------------------------------------------------------------------------------


def _bucketize(xp: Any, values: Any, boundaries: Any, int32: bool, right: bool) -> Any:
    if boundaries.ndim != 1:
        raise RuntimeError(
            f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})"
        )
    given = values if hasattr(values, "ndim") else xp.asarray(values, "float64")
    if given.dtype.kind == "c" or boundaries.dtype.kind == "c":
        raise not_supported("searchsorted_out_cpu", boundaries)
    dtype = compute_dtype(result_dtype((given, boundaries)))
    side = "right" if right else "left"
    found = xp.searchsorted(boundaries.astype(dtype), given.astype(dtype), side)
    return xp.asarray(found).astype("int32" if int32 else "int64")


def _places_type(at: int | None, int32: int) -> Any:
    """Positions like the values that are sought."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        known = {True: dtypes.int32, False: dtypes.int64}
        small = constants[int32]
        dtype = known[small] if isinstance(small, bool) else None
        if at is None:
            return TensorType(dtype, ())
        return retyped(tensor_at(types, at), dtype)

    return infer


for _overload, _at in (("Tensor", 0), ("Scalar", None)):
    op(
        f"aten::bucketize.{_overload}({_overload} self, Tensor boundaries, *, bool "
        "out_int32=False, bool right=False) -> Tensor",
        impl=_bucketize,
        infer=_places_type(_at, 2),
        method=None,
    )


# Order statistics ---------------------------------------------------------------------------------

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(ignores_nan: bool) -> Callable[..., Any]:
    """Quantiles along a dimension, those of a vector `q` in a dimension in front."""
    name = "nanquantile" if ignores_nan else "quantile"

    def impl(xp: Any, a: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str) -> Any:
        if a.dtype not in (dtypes.float32.numpy, dtypes.float64.numpy):
            raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
        if not a.size:
            raise RuntimeError(f"{name}() input tensor must be non-empty")
        if interpolation not in _INTERPOLATIONS:
            raise RuntimeError(
                f"{name}() interpolation must be one of {', '.join(_INTERPOLATIONS)}, but got "
                f"{interpolation}"
            )
        given = xp.asarray(q, a.dtype) if isinstance(q, float) else q
        if given.ndim > 1 or given.dtype != a.dtype:
            raise RuntimeError(
                f"{name}() q must be a scalar or 1D tensor of the dtype of the input tensor"
            )
        if not ((given >= 0) & (given <= 1)).all():
            raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
        axis = None if dim is None else wrap_dim(dim, a.ndim)
        x = a.reshape((-1,)) if axis is None or not a.ndim else xp.moveaxis(a, axis, -1)
        found = _interpolated(xp, x, given, interpolation, ignores_nan)
        if keepdim:
            found = xp.expand_dims(found, tuple(range(1, a.ndim + 1)) if axis is None else axis + 1)
            found = found.reshape((len(found), *(1,) * a.ndim)) if axis is None else found
        return found if given.ndim else found[0]

    return impl


def _interpolated(xp: Any, x: Any, q: Any, how: str, ignores_nan: bool) -> Any:
    """Quantiles of the last dimension, (quantiles, *rest)."""
    ordered = xp.sort(x, axis=-1)
    nans = xp.isnan(x).sum(-1, keepdims=True)
    count = x.shape[-1] - nans if ignores_nan else xp.full_like(nans, x.shape[-1])
    last = xp.maximum(count - 1, 0).astype(x.dtype)
    ranks = xp.moveaxis(last[..., 0][..., None] * q.reshape((-1,)), -1, 0)[..., None]
    if how == "lower":
        ranks = xp.floor(ranks)
    elif how == "higher":
        ranks = xp.ceil(ranks)
    elif how == "nearest":
        ranks = xp.rint(ranks)
    low = xp.floor(ranks)
    share = xp.full_like(ranks, 0.5) if how == "midpoint" else ranks - low
    every = xp.broadcast_to(ordered, (ranks.shape[0], *ordered.shape))
    below = xp.take_along_axis(every, low.astype("int64"), -1)
    above = xp.take_along_axis(every, xp.ceil(ranks).astype("int64"), -1)
    is_whole = xp.ceil(ranks) == low
    found = xp.where(is_whole, below, reading_of(xp).lerp(below, above, share))[..., 0]
    is_nan = (nans == x.shape[-1]) if ignores_nan else (nans > 0)
    return xp.where(is_nan[..., 0], x.dtype.type(math.nan), found)


def _dtype_only(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return made(tensor_at(types), None)


for _name in ("quantile", "nanquantile"):
    for _overload, _q in (("", "Tensor q"), (".scalar", "float q")):
        op(
            f"aten::{_name}{_overload}(Tensor self, {_q}, int? dim=None, bool keepdim=False, *, "
            'str interpolation="linear") -> Tensor',
            impl=_quantile(_name == "nanquantile"),
            infer=_dtype_only,
        )


def _nanmedian(xp: Any, a: Any) -> Any:
    """The lower of two middle values among numbers; NaN where there is none."""
    flat = a.reshape((-1,))
    kept = flat[~xp.isnan(flat)] if a.dtype.kind not in "iub" else flat
    return reading_of(xp).median(kept)


def _nanmedian_dim(xp: Any, a: Any, dim: int, keepdim: bool) -> Any:
    axis = wrap_dim(dim, a.ndim)
    if not a.ndim:
        return a.copy(), xp.zeros((), "int64")
    if not a.shape[axis]:
        raise IndexError(f"median(): Expected reduction dim {axis} to have non-zero size.")
    x = wide(a)
    order = xp.argsort(x, axis=axis, kind="stable")  # NaN stands behind all numbers
    numbers = (x == x).sum(axis, keepdims=True)
    middle = xp.maximum((numbers - 1) // 2, 0)
    found = xp.take_along_axis(order, middle, axis)
    values = xp.take_along_axis(a, found, axis)
    return (values, found) if keepdim else (values.squeeze(axis), found.squeeze(axis))


op("aten::nanmedian(Tensor self) -> Tensor", impl=_nanmedian, infer=reduction_rule(None, None))
op(
    "aten::nanmedian.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor "
    "indices)",
    impl=_nanmedian_dim,
    infer=pair_rule(1, 2),
)


def _mode(xp: Any, a: Any, dim: int, keepdim: bool) -> Any:
    """The most frequent value along a dimension, the least of several, and its last position."""
    axis = wrap_dim(dim, a.ndim)
    if not a.ndim:
        return a.copy(), xp.zeros((), "int64")
    if not a.shape[axis]:
        raise IndexError(f"mode(): Expected reduction dim {axis} to have non-zero size.")
    x = xp.moveaxis(wide(a), axis, -1)
    order = xp.argsort(x, axis=-1, kind="stable")
    ordered = xp.take_along_axis(x, order, -1)
    n = x.shape[-1]
    starts = xp.ones(ordered.shape, bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = xp.maximum.accumulate(xp.where(starts, xp.arange(n), 0), axis=-1)
    length = xp.arange(n) - first + 1
    last = xp.argmax(length, axis=-1, keepdims=True)
    found = xp.moveaxis(xp.take_along_axis(order, last, -1), -1, axis)
    values = xp.take_along_axis(a, found, axis)
    return (values, found) if keepdim else (values.squeeze(axis), found.squeeze(axis))


op(
    "aten::mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    impl=_mode,
    infer=pair_rule(1, 2),
)
op(
    "aten::msort(Tensor self) -> Tensor",
    impl=lambda xp, a: reading_of(xp).sort(a, 0)[0],
    infer=same_type,
)


def _argwhere(xp: Any, a: Any) -> Any:
    if not a.ndim:
        return xp.zeros((int(bool(a)), 0), "int64")
    return xp.argwhere(a)


op(
    "aten::argwhere(Tensor self) -> Tensor",
    impl=_argwhere,
    infer=lambda types, constants: made(
        tensor_at(types), (None, tensor_at(types).rank), dtypes.int64
    ),
)


# Counts -------------------------------------------------------------------------------------------


def _histc(xp: Any, a: Any, bins: int, low: float, high: float) -> Any:
    """How many elements fall into bins of equal width; those outside do not count."""
    if dtypes.from_numpy(a.dtype).category is not Category.FLOATING:
        raise not_supported("histogram_cpu", a)
    if bins <= 0:
        raise RuntimeError(f"torch.histc(): bins must be > 0, but got {bins}")
    x = wide(a).reshape((-1,))
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histc(): range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError("torch.histc(): max must be larger than min")
    if low == high:
        low, high = low - 1, high + 1
    if low == high:  # so large that one more is nothing
        at = xp.full(x.size, bins // 2)
        return xp.bincount(at, minlength=bins).astype(a.dtype)
    inside = x[(x >= low) & (x <= high)]
    edges = x.dtype.type(low), x.dtype.type(high)
    at = ((inside - edges[0]) / (edges[1] - edges[0]) * x.dtype.type(bins)).astype("int64")
    return xp.bincount(xp.minimum(at, bins - 1), minlength=bins).astype(a.dtype)


op(
    "aten::histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor",
    impl=_histc,
    infer=lambda types, constants: made(
        tensor_at(types), (constants[1] if isinstance(constants[1], int) else None,)
    ),
)


def _unique_consecutive(
    xp: Any, a: Any, return_inverse: bool, return_counts: bool, dim: int | None
) -> Any:
    """Runs of equal elements (of equal slices along `dim`) as one each."""
    if dim is not None and not a.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if dim is None or (dim == 0 and a.ndim == 1):
        dim = None
        rows, shape = a.reshape((-1, 1)), a.shape
    else:
        axis = wrap_dim(dim, a.ndim)
        if not a.size and 0 in (*a.shape[:axis], *a.shape[axis + 1 :]):
            raise RuntimeError(
                "There are 0 sized dimensions, and they aren't selected, so unique cannot be "
                "applied"
            )
        rows = xp.moveaxis(a, axis, 0).reshape((a.shape[axis], a.size // max(a.shape[axis], 1)))
        shape = (a.shape[axis],)
        return_inverse = return_counts = True
    starts = xp.ones(len(rows), bool)
    starts[1:] = (rows[1:] != rows[:-1]).any(1)
    at = xp.flatnonzero(starts)
    values = rows[at, 0] if dim is None else xp.take(a, at, dim)
    nothing = xp.empty((0,), "int64")
    inverse = (xp.cumsum(starts) - 1).reshape(shape) if return_inverse else nothing
    counts = xp.diff(xp.append(at, len(rows))) if return_counts else nothing
    return values, inverse.astype("int64"), counts.astype("int64")


def _unique_dim(
    xp: Any, a: Any, dim: int, ordered: bool, return_inverse: bool, return_counts: bool
) -> Any:
    """The different slices along a dimension, in lexicographic order, whatever is asked for."""
    axis = wrap_dim(dim, a.ndim)
    if not a.size:
        raise RuntimeError(
            f"There are 0 sized dimensions, so unique cannot be applied along dim {axis}"
        )
    if not a.ndim:
        raise RuntimeError("unique_dim: there is no such dimension in a 0-dim tensor")
    values, inverse, counts = xp.unique(
        wide(a), return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    return values.astype(a.dtype), inverse.reshape((-1,)), counts


def _unique_type(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    values = made(tensor_at(types), None)
    return values, retyped(values, dtypes.int64), retyped(values, dtypes.int64)


op(
    "aten::unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, "
    "int? dim=None) -> (Tensor, Tensor, Tensor)",
    impl=_unique_consecutive,
    infer=_unique_type,
    function=None,
    method=None,
)
op(
    "aten::unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool "
    "return_counts=False) -> (Tensor, Tensor, Tensor)",
    impl=_unique_dim,
    infer=_unique_type,
    function=None,
    method=None,
)


# Running and integrated ---------------------------------------------------------------------------


def _logcumsumexp(xp: Any, a: Any, dim: int) -> Any:
    axis = wrap_dim(dim, a.ndim)
    if dtypes.from_numpy(a.dtype).category < Category.FLOATING:
        raise not_supported("logcumsumexp_out_cpu", a)
    if not a.ndim or not a.size:
        return a.copy()
    x = wide(a)
    if x.dtype.kind == "c":
        m, parts = reading_of(xp), xp.split(x, x.shape[axis], axis)
        return xp.concatenate([*accumulate(parts, m.logaddexp)], axis)
    return xp.logaddexp.accumulate(x, axis=axis).astype(a.dtype, copy=False)


op("aten::logcumsumexp(Tensor self, int dim) -> Tensor", impl=_logcumsumexp, infer=same_type)


def _check_integrand(name: str, y: Any, x: Any, dim: int) -> int:
    """The dimension to integrate over, counted from the front.

    Raises:
        IndexError: there is none.
        RuntimeError: a dtype is bool, or the width complex.
    """
    if not y.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    for title, value in (("y", y), ("x", x)):
        if isinstance(value, bool | complex) or getattr(value, "dtype", None) == "bool":
            raise RuntimeError(f"{name}: received a bool or complex `{title}`, which has no area")
    return wrap_dim(dim, y.ndim)


def _widths(m: Reading, name: str, y: Any, x: Any, axis: int) -> Any:
    """The steps of `x` along a dimension, of a shape that broadcasts with `y`."""
    if x.ndim == 1:
        if x.shape[0] != y.shape[axis]:
            raise RuntimeError(
                f"{name}: There must be one `x` value for each sample point, but got {x.shape[0]} "
                f"for {y.shape[axis]}"
            )
        x = x.reshape((-1,) + (1,) * (y.ndim - 1 - axis))
    x = x.reshape((1,) * (y.ndim - x.ndim) + x.shape)
    ends = m.slice(x, axis, 1, None, 1)
    return m.sub(ends, m.slice(x, axis, 0, -1, 1))


def _sums_of_neighbours(m: Reading, y: Any, axis: int) -> Any:
    ends = m.slice(y, axis, 1, None, 1)
    return m.add(m.slice(y, axis, 0, -1, 1), ends)


def _integral(name: str) -> Callable[..., Any]:
    """The area below `y`, whose places or their one distance are given."""

    def impl(xp: Any, y: Any, x: Any, dim: int) -> Any:
        axis, m = _check_integrand(name, y, x, dim), reading_of(xp)
        if not y.shape[axis]:
            return xp.zeros((*y.shape[:axis], *y.shape[axis + 1 :]), y.dtype)
        if hasattr(x, "ndim"):
            areas = m.mul(_sums_of_neighbours(m, y, axis), _widths(m, name, y, x, axis))
            total = m.sum(areas, [axis])
            return m.div(total, 2.0)
        outer = [m.select(y, axis, at) for at in (0, -1)]
        half = m.mul(m.add(*outer), 0.5)
        inner = m.sub(m.sum(y, [axis]), half)
        return m.mul(inner, float(x))

    return impl


def _running_integral(xp: Any, y: Any, x: Any, dim: int) -> Any:
    axis, m = _check_integrand("cumulative_trapezoid", y, x, dim), reading_of(xp)
    sums = _sums_of_neighbours(m, y, axis)
    if not hasattr(x, "ndim"):
        return m.mul(m.cumsum(sums, axis), float(x) / 2)
    areas = m.mul(sums, _widths(m, "cumulative_trapezoid", y, x, axis))
    return m.div(m.cumsum(areas, axis), 2.0)


for _name, _impl, _dx in (
    ("trapezoid", _integral("trapezoid"), "Scalar dx=1"),
    ("cumulative_trapezoid", _running_integral, "Scalar dx=1"),
    ("trapz", _integral("trapz"), "float dx=1."),
):
    op(f"aten::{_name}.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", impl=_impl, method=None)
    op(f"aten::{_name}.dx(Tensor y, *, {_dx}, int dim=-1) -> Tensor", impl=_impl, method=None)


# Several variables --------------------------------------------------------------------------------


def _cov(xp: Any, a: Any, correction: int, fweights: Any, aweights: Any) -> Any:
    """The covariances of the rows, columns being observations that may carry weights."""
    if a.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{a.ndim} dimensions"
        )
    if a.dtype == "bool":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    kind = dtypes.floating(dtypes.from_numpy(a.dtype)).numpy
    for given in (fweights, aweights):
        kind = kind if given is None else result_dtype((xp.empty((1,), kind), given))
    x = (a if a.ndim == 2 else a.reshape((1, -1))).astype(compute_dtype(kind))
    weights = _observation_weights(xp, x, fweights, aweights)
    total = weights.sum() if weights is not None else x.dtype.type(x.shape[1])
    count = total
    if aweights is not None and weights is not None:
        count = total - correction * (weights * aweights).sum() / total
    else:
        count = total - correction
    with xp.errstate(all="ignore"):
        mean = (x if weights is None else x * weights).sum(1, keepdims=True) / total
        apart = x - mean
        weighted = apart if weights is None else apart * weights
        found = xp.matmul(weighted, apart.conj().T) / max(float(xp.real(count)), 0.0)
    return found.astype(kind).squeeze() if a.ndim < 2 or len(x) == 1 else found.astype(kind)


def _observation_weights(xp: Any, x: Any, fweights: Any, aweights: Any) -> Any:
    weights = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        integral = dtypes.from_numpy(given.dtype).category is Category.INTEGRAL
        if given.ndim > 1 or integral != (name == "fweights"):
            raise RuntimeError(f"cov(): {name} must be one-dimensional, of integers if they count")
        if given.size != x.shape[1]:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {given.size} != {x.shape[1]}"
            )
        if given.size and given.min() < 0:
            raise RuntimeError(f"cov(): {name} cannot be negative")
        weights = given if weights is None else weights * given
    return weights


def _corrcoef(xp: Any, a: Any) -> Any:
    """Covariances over the standard deviations, between -1 and 1."""
    if a.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{a.ndim} dimensions"
        )
    found = _cov(xp, a, 1, None, None)
    with xp.errstate(all="ignore"):
        if not found.ndim:
            return found / found
        spread = xp.sqrt(xp.diagonal(found).real.astype(compute_dtype(found.real.dtype)))
        ratio = found / spread[:, None] / spread[None, :]
    if found.dtype.kind == "c":
        real, imaginary = (xp.clip(part, -1, 1) for part in (ratio.real, ratio.imag))
        return (real + 1j * imaginary).astype(found.dtype)
    return xp.clip(ratio, -1, 1).astype(found.dtype)


op(
    "aten::cov(Tensor self, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> "
    "Tensor",
    impl=_cov,
)
op("aten::corrcoef(Tensor self) -> Tensor", impl=_corrcoef)


def _renorm(xp: Any, a: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Slices along a dimension scaled down to a p-norm of `maxnorm` where theirs is larger."""
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if a.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {a.ndim} dimensions")
    if dtypes.from_numpy(a.dtype).category < Category.FLOATING:
        raise not_supported("renorm", a)
    axis = wrap_dim(dim, a.ndim)
    others = [at for at in range(a.ndim) if at != axis]
    norms = reading_of(xp).linalg_vector_norm(wide(a), p, others, True)
    with xp.errstate(all="ignore"):
        factor = xp.where(norms > maxnorm, maxnorm / (norms + norms.dtype.type(1e-7)), 1)
    return (a * factor.astype(norms.dtype)).astype(a.dtype, copy=False)


inplace(
    op(
        "aten::renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor",
        impl=_renorm,
        infer=same_type,
    )
)
