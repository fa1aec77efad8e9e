"""Reductions and what is made of them, in terms of fused values: sum, mean, softmax, logsumexp,
variance.

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


def _apply(lowering: Lowering, name: str, *operands: Any) -> Tensor:
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
    return _apply(lowering, "aten::div.Tensor", total, lowering.count(x, dims, x.dtype))


def _extremum(kind: str) -> Callable[..., Tensor]:
    def extremum(lowering: Lowering, x: Tensor, dim: Any = None, keep: bool = False) -> Tensor:
        dims = _dims(x, dim)
        made: Tensor = lowering.drop(lowering.reduced(kind, x, dims), dims, keep)
        return made

    return extremum


def _softmax(lowering: Lowering, x: Tensor, dim: int, dtype: DType | None) -> Tensor:
    raised, dims, result = _shifted_exponentials(lowering, x, dim, dtype)
    total = lowering.reduced("sum", raised, dims)
    made: Tensor = lowering.converted(_apply(lowering, "aten::div.Tensor", raised, total), result)
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
    return _apply(lowering, "aten::sub.Tensor", wide, top), dims, result


def _shifted_exponentials(
    lowering: Lowering, x: Tensor, dim: int, dtype: DType | None
) -> tuple[Tensor, Dims, DType]:
    shifted, dims, result = _shifted(lowering, x, dim, dtype)
    return _apply(lowering, "aten::exp", shifted), dims, result


def _log_softmax(lowering: Lowering, x: Tensor, dim: int, dtype: DType | None) -> Tensor:
    shifted, dims, result = _shifted(lowering, x, dim, dtype)
    total = lowering.reduced("sum", _apply(lowering, "aten::exp", shifted), dims)
    less = _apply(lowering, "aten::sub.Tensor", shifted, _apply(lowering, "aten::log", total))
    made: Tensor = lowering.converted(less, result)
    return made


def _logsumexp(lowering: Lowering, x: Tensor, dim: Any, keep: bool) -> Tensor:
    result = dtypes.floating(x.dtype)
    if 0 in x.shape:
        raise Unsupported("logsumexp of nothing")
    dims = _dims(x, dim)
    wide = lowering.converted(x, _wide(result))
    top = lowering.reduced("maximum", wide, dims)
    infinite = _apply(lowering, "aten::isinf", top)
    top = _apply(lowering, "aten::masked_fill.Scalar", top, infinite, 0)
    raised = _apply(lowering, "aten::exp", _apply(lowering, "aten::sub.Tensor", wide, top))
    total = _apply(lowering, "aten::log", lowering.reduced("sum", raised, dims))
    found = _apply(lowering, "aten::add.Tensor", total, top)
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


def _whole(reduction: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The form of a reduction that takes only a dtype."""
    return lambda lowering, x, dtype: reduction(lowering, x, None, False, dtype)


COMPOSITES: dict[str, Callable[..., Tensor]] = {
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
    "aten::softmax.int": _softmax,
    "aten::_softmax": lambda lowering, x, dim, half: _softmax(
        lowering, x, dim, dtypes.float32 if half else None
    ),
    "aten::log_softmax.int": _log_softmax,
    "aten::logsumexp": _logsumexp,
}
"""Rows that a kernel computes in several phases."""
