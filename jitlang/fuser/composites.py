"""Reductions and what is made of them, in terms of fused values: sum, mean, softmax, logsumexp,
variance, norms.

Each function gets the lowering, the tensor and the row's other arguments, and says the same as the
row's reference kernel; order of summation apart, which no row promises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.opdef import OPS
from .plan import Unsupported
from .tensors import Dims, Tensor

Lowering = Any


def apply_row(lowering: Lowering, name: str, *operands: Any) -> Tensor:
    """A pointwise row, its other arguments at their defaults."""
    op = OPS.find(name)
    assert op is not None
    arguments = op.schema.arguments
    given = [*operands, *(a.default for a in arguments[len(operands) :])]
    made: Tensor = lowering.pointwise(op, given)
    return made


def _dims(tensor: Tensor, dim: Any) -> Dims:
    """The dimensions that a reduction covers, all of them where none is named."""
    rank = len(tensor.shape)
    if rank == 0:
        raise Unsupported("a reduction of a 0-dim tensor")
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return tuple(range(-rank, 0))
    named = [dim] if isinstance(dim, int) else list(dim)
    found = {d - rank if d >= 0 else d for d in named}
    if len(found) < len(named) or not all(-rank <= d < 0 for d in found):
        raise Unsupported("dimensions that do not exist, or twice the same")
    return tuple(sorted(found))


def _wide(dtype: DType) -> DType:
    """The dtype in which a reduction accumulates."""
    return dtypes.float32 if dtype in (dtypes.float16, dtypes.bfloat16) else dtype


def _sum(lowering: Lowering, x: Tensor, dim: Any, keep: bool, dtype: DType | None) -> Tensor:
    return _accumulated("sum", lowering, x, dim, keep, dtype)


def _accumulated(
    kind: str, lowering: Lowering, x: Tensor, dim: Any, keep: bool, dtype: DType | None
) -> Tensor:
    own = dtypes.int64 if x.dtype.category < Category.FLOATING else x.dtype
    result = dtype or own
    if result.category is Category.BOOL:
        raise Unsupported("a sum of bools as bool")
    dims = _dims(x, dim)
    total = lowering.reduced(kind, lowering.converted(x, _wide(result)), dims)
    made: Tensor = lowering.drop(lowering.converted(total, result), dims, keep)
    return made


def _mean(lowering: Lowering, x: Tensor, dim: Any, keep: bool, dtype: DType | None) -> Tensor:
    result = dtype or x.dtype
    if result.category < Category.FLOATING:
        raise Unsupported("a mean of integers")
    dims = _dims(x, dim)
    wide = _wide(result)
    found = _mean_of(lowering, lowering.converted(x, wide), dims)
    made: Tensor = lowering.drop(lowering.converted(found, result), dims, keep)
    return made


def _mean_of(lowering: Lowering, x: Tensor, dims: Dims) -> Tensor:
    total = lowering.reduced("sum", x, dims)
    return apply_row(lowering, "aten::div.Tensor", total, lowering.count(x, dims, x.dtype))


def _extremum(kind: str) -> Callable[..., Tensor]:
    def extremum(lowering: Lowering, x: Tensor, dim: Any = None, keep: bool = False) -> Tensor:
        dims = _dims(x, dim)
        made: Tensor = lowering.drop(lowering.reduced(kind, x, dims), dims, keep)
        return made

    return extremum


def _softmax(lowering: Lowering, x: Tensor, dim: int, dtype: DType | None) -> Tensor:
    raised, dims, result = _shifted_exponentials(lowering, x, dim, dtype)
    total = lowering.reduced("sum", raised, dims)
    quotient = apply_row(lowering, "aten::div.Tensor", raised, total)
    made: Tensor = lowering.converted(quotient, result)
    return made


def _shifted(
    lowering: Lowering, x: Tensor, dim: int, dtype: DType | None
) -> tuple[Tensor, Dims, DType]:
    """x minus the maximum of its row, in the compute dtype; the reduced dimensions; the result
    dtype.
    """
    result = dtype or x.dtype
    if result.category < Category.FLOATING or 0 in x.shape:
        raise Unsupported("softmax of integers or of nothing")
    dims = _dims(x, dim)
    wide = lowering.converted(x, _wide(result))
    top = lowering.reduced("maximum", wide, dims)
    return apply_row(lowering, "aten::sub.Tensor", wide, top), dims, result


def _shifted_exponentials(
    lowering: Lowering, x: Tensor, dim: int, dtype: DType | None
) -> tuple[Tensor, Dims, DType]:
    shifted, dims, result = _shifted(lowering, x, dim, dtype)
    return apply_row(lowering, "aten::exp", shifted), dims, result


def _log_softmax(lowering: Lowering, x: Tensor, dim: int, dtype: DType | None) -> Tensor:
    shifted, dims, result = _shifted(lowering, x, dim, dtype)
    total = lowering.reduced("sum", apply_row(lowering, "aten::exp", shifted), dims)
    less = apply_row(lowering, "aten::sub.Tensor", shifted, apply_row(lowering, "aten::log", total))
    made: Tensor = lowering.converted(less, result)
    return made


def _logsumexp(lowering: Lowering, x: Tensor, dim: Any, keep: bool) -> Tensor:
    result = dtypes.floating(x.dtype)
    if 0 in x.shape:
        raise Unsupported("logsumexp of nothing")
    dims = _dims(x, dim)
    wide = lowering.converted(x, _wide(result))
    top = lowering.reduced("maximum", wide, dims)
    infinite = apply_row(lowering, "aten::isinf", top)
    top = apply_row(lowering, "aten::masked_fill.Scalar", top, infinite, 0)
    raised = apply_row(lowering, "aten::exp", apply_row(lowering, "aten::sub.Tensor", wide, top))
    total = apply_row(lowering, "aten::log", lowering.reduced("sum", raised, dims))
    found = apply_row(lowering, "aten::add.Tensor", total, top)
    made: Tensor = lowering.drop(lowering.converted(found, result), dims, keep)
    return made


def _truth(kind: str) -> Callable[..., Tensor]:
    def truth(lowering: Lowering, x: Tensor, dim: Any = None, keep: bool = False) -> Tensor:
        if x.dtype is dtypes.uint8:
            raise Unsupported("bytes keep their dtype")
        dims = _dims(x, dim)
        found = lowering.reduced(kind, lowering.converted(x, dtypes.bool_), dims)
        made: Tensor = lowering.drop(found, dims, keep)
        return made

    return truth


def _truth_of_dims(kind: str) -> Callable[..., Tensor]:
    def truth(lowering: Lowering, x: Tensor, dim: Any, keep: bool) -> Tensor:
        if dim is not None and not len(dim):
            raise Unsupported("no dimension, which here does not mean all of them")
        return _truth(kind)(lowering, x, dim, keep)

    return truth


def _count_nonzero(lowering: Lowering, x: Tensor, dim: Any = None) -> Tensor:
    found = lowering.converted(x, dtypes.bool_)
    return _sum(lowering, found, dim, False, None)


# Moments and norms --------------------------------------------------------------------------------


def _moments(
    lowering: Lowering, x: Tensor, dim: Any, correction: float, root: bool
) -> tuple[Tensor, Tensor, Dims]:
    """Variance or its root, and mean, with the reduced dimensions kept; those dimensions."""
    if x.dtype.category < Category.FLOATING:
        raise Unsupported("a variance of integers")
    dims = _dims(x, dim)
    wide = lowering.converted(x, _wide(x.dtype))
    mean = _mean_of(lowering, wide, dims)
    apart = apply_row(lowering, "aten::sub.Tensor", wide, mean)
    squares = apply_row(lowering, "aten::mul.Tensor", apart, apart)
    count = lowering.count(wide, dims, wide.dtype)
    degrees = apply_row(lowering, "aten::clamp_min", _minus(lowering, count, correction), 0)
    total = lowering.reduced("sum", squares, dims)
    variance = apply_row(lowering, "aten::div.Tensor", total, degrees)
    spread = apply_row(lowering, "aten::sqrt", variance) if root else variance
    return lowering.converted(spread, x.dtype), lowering.converted(mean, x.dtype), dims


def _minus(lowering: Lowering, x: Tensor, number: float) -> Tensor:
    return apply_row(lowering, "aten::sub.Scalar", x, number) if number else x


def _spread(root: bool) -> Callable[..., Tensor]:
    def spread(lowering: Lowering, x: Tensor, dim: Any, correction: float, keep: bool) -> Tensor:
        found, _, dims = _moments(lowering, x, dim, correction, root)
        made: Tensor = lowering.drop(found, dims, keep)
        return made

    return spread


def _spread_and_mean(root: bool) -> Callable[..., list[Tensor]]:
    def both(
        lowering: Lowering, x: Tensor, dim: Any, correction: float, keep: bool
    ) -> list[Tensor]:
        *found, dims = _moments(lowering, x, dim, correction, root)
        return [lowering.drop(value, dims, keep) for value in found]

    return both


def _norm(
    lowering: Lowering,
    x: Tensor,
    order: float | None = 2,
    dim: Any = None,
    keep: bool = False,
    dtype: DType | None = None,
) -> Tensor:
    order = 2 if order is None else order
    if x.dtype.category < Category.FLOATING:
        raise Unsupported("a norm of integers")
    result = dtype or x.dtype
    dims = _dims(x, dim)
    size = lowering.converted(apply_row(lowering, "aten::abs", x), _wide(result))
    if abs(order) == float("inf"):
        total = lowering.reduced("maximum" if order > 0 else "minimum", size, dims)
    elif order == 1:
        total = lowering.reduced("sum", size, dims)
    elif order == 2:
        squares = apply_row(lowering, "aten::mul.Tensor", size, size)
        total = apply_row(lowering, "aten::sqrt", lowering.reduced("sum", squares, dims))
    else:
        raise Unsupported(f"a norm of order {order}")
    made: Tensor = lowering.drop(lowering.converted(total, result), dims, keep)
    return made


def _whole(reduction: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The form of a reduction that takes only a dtype."""
    return lambda lowering, x, dtype: reduction(lowering, x, None, False, dtype)


def _of_moments(name: str, made: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The three forms of a row of moments."""
    return {
        f"aten::{name}": lambda lowering, x, unbiased: made(
            lowering, x, None, int(unbiased), False
        ),
        f"aten::{name}.dim": lambda lowering, x, dim, unbiased, keep: made(
            lowering, x, dim, int(unbiased), keep
        ),
        f"aten::{name}.correction": lambda lowering, x, dim, correction, keep: made(
            lowering, x, dim, 1 if correction is None else correction, keep
        ),
    }


COMPOSITES: dict[str, Callable[..., Any]] = {
    "aten::sum": _whole(_sum),
    "aten::sum.dim_IntList": _sum,
    "aten::prod": _whole(lambda *a: _accumulated("prod", *a)),
    "aten::prod.dim_int": lambda *a: _accumulated("prod", *a),
    "aten::mean": _whole(_mean),
    "aten::mean.dim": _mean,
    "aten::max": _extremum("maximum"),
    "aten::min": _extremum("minimum"),
    "aten::amax": _extremum("maximum"),
    "aten::amin": _extremum("minimum"),
    "aten::any": _truth("any"),
    "aten::any.dim": _truth("any"),
    "aten::all": _truth("all"),
    "aten::all.dim": _truth("all"),
    "aten::any.dims": _truth_of_dims("any"),
    "aten::all.dims": _truth_of_dims("all"),
    "aten::count_nonzero": _count_nonzero,
    "aten::count_nonzero.dim_IntList": _count_nonzero,
    "aten::norm.Scalar": _norm,
    "aten::norm.ScalarOpt_dim": _norm,
    "aten::norm.ScalarOpt_dim_dtype": _norm,
    "aten::norm.ScalarOpt_dtype": lambda lowering, x, order, dtype: _norm(
        lowering, x, order, None, False, dtype
    ),
    "aten::linalg_vector_norm": _norm,
    "aten::softmax.int": _softmax,
    "aten::_softmax": lambda lowering, x, dim, half: _softmax(
        lowering, x, dim, dtypes.float32 if half else None
    ),
    "aten::log_softmax.int": _log_softmax,
    "aten::_log_softmax": lambda lowering, x, dim, half: _log_softmax(
        lowering, x, dim, dtypes.float32 if half else None
    ),
    "aten::logsumexp": _logsumexp,
    **_of_moments("var", _spread(False)),
    **_of_moments("std", _spread(True)),
    **_of_moments("var_mean", _spread_and_mean(False)),
    **_of_moments("std_mean", _spread_and_mean(True)),
}
"""Rows that a kernel computes in several phases."""
