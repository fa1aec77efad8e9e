"""Rows of whole matrices: powers, exponential, norms, rank, pseudo-inverse, least squares, chains.

Made of products (`linalg.py`) and factors (`decompositions.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category
from ..ir.types import Type
from .creation import dtype_of, keyword_dtype
from .decompositions import (
    check_floating,
    check_matrices,
    check_square,
    converged,
    eigenvalues_of_hermitian,
    inverse,
    real_dtype,
    singular_values,
    transposed,
)
from .linalg import product, product_type
from .rows import op, reading_of
from .rules import made, retyped, same_type, sizes_rule, tensor_at, unknown_sizes, wrap_dims
from .statistics import vector_norm
from .strides import diagonal

# Powers -------------------------------------------------------------------------------------------


def _matrix_power(xp: Any, a: Any, n: int) -> Any:
    """The n-th power of each square matrix, by repeated squaring; negative ones of the inverse."""
    check_square("linalg.matrix_power", a)
    if n < 0:
        a, n = inverse(xp, a), -n
    result = None
    while n:
        if n & 1:
            result = a if result is None else product(xp, result, a)
        n >>= 1
        a = product(xp, a, a) if n else a
    if result is None:
        identity = xp.eye(a.shape[-1], dtype=a.dtype)
        return xp.broadcast_to(identity, a.shape).copy()
    return result.copy()


_SCALED_NORM = 0.5
_TERMS = {"float32": 8, "complex64": 8}
_TERMS_OF_FLOAT64 = 14


def _matrix_exp(xp: Any, a: Any) -> Any:
    """e^A by scaling and squaring: the Taylor series of A / 2^s with a norm below a half.

    Moler and Van Loan, "Nineteen Dubious Ways to Compute the Exponential of a Matrix", 1978.
    """
    if dtypes.from_numpy(a.dtype).category < Category.FLOATING:
        raise RuntimeError("linalg.matrix_exp: Expected a floating point or complex tensor")
    check_square("linalg.matrix_exp", a)
    if not a.size:
        return a.copy()
    wide = xp.float32 if a.dtype.itemsize == 2 else a.dtype
    x = a.astype(wide)
    norm = float(abs(x).sum(-2).max())
    if not math.isfinite(norm):
        return xp.full(a.shape, xp.nan, a.dtype)
    squarings = max(0, math.ceil(math.log2(max(norm, 1e-30) / _SCALED_NORM)))
    x = x * x.dtype.type(0.5**squarings)
    identity = xp.broadcast_to(xp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    total = identity
    # Horner's form adds the smallest terms first.
    for term in range(_TERMS.get(str(x.dtype), _TERMS_OF_FLOAT64), 0, -1):
        total = identity + xp.matmul(x, total) / x.dtype.type(term)
    for _ in range(squarings):
        total = xp.matmul(total, total)
    return total.astype(a.dtype, copy=False)


for _name in ("matrix_power", "linalg_matrix_power"):
    op(
        f"aten::{_name}(Tensor self, int n) -> Tensor",
        impl=_matrix_power,
        infer=same_type,
        method=_name if _name == "matrix_power" else None,
    )
for _name in ("matrix_exp", "linalg_matrix_exp"):
    op(
        f"aten::{_name}(Tensor self) -> Tensor",
        impl=_matrix_exp,
        infer=same_type,
        method=_name if _name == "matrix_exp" else None,
    )


# Chains of products -------------------------------------------------------------------------------


def _multi_dot(xp: Any, tensors: Sequence[Any]) -> Any:
    """The product of a chain of matrices, whose ends may be vectors, in the cheapest order.

    Raises:
        RuntimeError: fewer than two tensors, or one in the middle is no matrix.
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    for at, a in enumerate(tensors):
        is_end = at in (0, len(tensors) - 1)
        if a.ndim != 2 and not (is_end and a.ndim == 1):
            raise RuntimeError(
                f"multi_dot(): tensor {at} must be {'1D or ' if is_end else ''}2D but got {a.ndim}D"
            )
        if a.dtype != tensors[0].dtype:
            raise RuntimeError(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{tensors[0].dtype} and tensor {at} {a.dtype}"
            )
    first, last = tensors[0].ndim == 1, tensors[-1].ndim == 1
    chain = [*tensors]
    chain[0] = chain[0][None] if first else chain[0]
    chain[-1] = chain[-1][:, None] if last else chain[-1]
    for at, (a, b) in enumerate(pairwise(chain)):
        if a.shape[1] != b.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {at} and {at + 1} with shapes {[*a.shape]} and "
                f"{[*b.shape]} cannot be multiplied"
            )
    found = _chained(xp, chain, _cheapest([chain[0].shape[0], *(a.shape[1] for a in chain)]))
    return (
        found[(0,) * first + (slice(None),) * (not first) + (0,) * last] if first or last else found
    )


_Split = dict[tuple[int, int], int]


def _cheapest(sizes: Sequence[int]) -> _Split:
    """Where to split each part of a chain; matrix i is sizes[i] by sizes[i + 1].

    Cormen et al., "Introduction to Algorithms", section 14.2.
    """
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    split: _Split = {}
    for length in range(1, count):
        for start in range(count - length):
            end = start + length
            ways = {
                at: cost[start, at]
                + cost[at + 1, end]
                + sizes[start] * sizes[at + 1] * sizes[end + 1]
                for at in range(start, end)
            }
            split[start, end] = min(ways, key=lambda at: ways[at])
            cost[start, end] = ways[split[start, end]]
    return split


def _chained(xp: Any, chain: Sequence[Any], split: _Split) -> Any:
    def part(start: int, end: int) -> Any:
        if start == end:
            return chain[start]
        at = split[start, end]
        return product(xp, part(start, at), part(at + 1, end))

    return part(0, len(chain) - 1)


def _chain_matmul(xp: Any, matrices: Sequence[Any]) -> Any:
    for a in matrices:
        if a.ndim != 2:
            raise RuntimeError(f"chain_matmul(): Expected a 2-D tensor, but got a {a.ndim}-D one")
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    return matrices[0].copy() if len(matrices) == 1 else _multi_dot(xp, matrices)


def _vecdot(xp: Any, x: Any, y: Any, dim: int) -> Any:
    """The sum over a dimension of conj(x) y."""
    if dtypes.from_numpy(x.dtype).category < Category.FLOATING:
        raise RuntimeError(
            "linalg.vecdot: Expected a floating point or complex tensor as input. Got "
            f"{dtypes.from_numpy(x.dtype).graph_name}"
        )
    if x.dtype != y.dtype:
        raise RuntimeError("linalg.vecdot: Expected x and y of one dtype")
    m = reading_of(xp)
    if x.ndim == 1 and y.ndim == 1:
        return m.vdot(x, y)
    conjugate = x.conj() if x.dtype.kind == "c" else x
    return m.sum(m.mul(conjugate, y), [dim])


op("aten::linalg_multi_dot(Tensor[] tensors) -> Tensor", impl=_multi_dot, method=None)
op("aten::chain_matmul(Tensor[] matrices) -> Tensor", impl=_chain_matmul, method=None)
op(
    "aten::linalg_vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor",
    impl=_vecdot,
    infer=lambda types, constants: made(tensor_at(types), None),
    method=None,
)
op(
    "aten::linalg_matmul(Tensor self, Tensor other) -> Tensor",
    impl=lambda xp, a, b: reading_of(xp).matmul(a, b),
    infer=product_type,
    method=None,
)
op(
    "aten::linalg_diagonal(Tensor(a) A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor(a)",
    impl=diagonal,
    infer=sizes_rule(lambda t, c: unknown_sizes(None if t.rank is None else max(t.rank - 1, 0))),
    method=None,
)


# Norms --------------------------------------------------------------------------------------------

_BY_SUMS = {1: -2, -1: -2, math.inf: -1, -math.inf: -1}
"""Which dimension the norm adds up, of those moved to the end."""


def _matrix_norm(xp: Any, a: Any, order: Any, dim: Sequence[int], keepdim: bool, dtype: Any) -> Any:
    """The `order`-norm of each matrix that two dimensions make.

    Raises:
        RuntimeError: the order is none of 1, -1, 2, -2, inf, -inf, "fro", "nuc".
    """
    if a.ndim < 2:
        raise RuntimeError(
            "linalg.matrix_norm: The input tensor A must have at least 2 dimensions."
        )
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {[*dim]}")
    axes = wrap_dims(dim, a.ndim)
    own = dtypes.from_numpy(a.dtype)
    if own.category < Category.FLOATING:
        raise RuntimeError(
            "linalg.matrix_norm: Expected a floating point or complex tensor as input. Got "
            f"{own.graph_name}"
        )
    if order == "fro":
        return vector_norm(xp, a, 2, list(axes), keepdim, dtype)
    kind = dtype_of(dtype, own)
    if np.promote_types(kind, a.dtype) != kind:
        raise RuntimeError(
            f"linalg.matrix_norm: the dtype of the input ({own.graph_name}) should be convertible "
            f"without narrowing to the specified dtype ({dtypes.from_numpy(kind).graph_name})"
        )
    x = a.astype(kind, copy=False)
    if order in (2, -2, "nuc"):
        found = _norm_of_singular_values(xp, xp.moveaxis(x, axes, (-2, -1)), order)
    elif order in _BY_SUMS:
        found = _norm_of_sums(xp, xp.moveaxis(x, axes, (-2, -1)), order)
    else:
        raise RuntimeError(f"linalg.matrix_norm: Order {order} not supported.")
    return xp.expand_dims(found, tuple(sorted(axes))) if keepdim else found


def _norm_of_singular_values(xp: Any, x: Any, order: Any) -> Any:
    values = singular_values(xp, x)
    if order == "nuc":
        return values.sum(-1)
    _refuse_nothing(values.shape[-1:])
    return values.max(-1) if order == 2 else values.min(-1)


def _norm_of_sums(xp: Any, x: Any, order: Any) -> Any:
    axis = _BY_SUMS[order]
    sums = abs(x).sum(axis, dtype=real_dtype(x))
    _refuse_nothing(sums.shape[-1:])
    return sums.max(-1) if order > 0 else sums.min(-1)


def _refuse_nothing(sizes: Sequence[int]) -> None:
    if 0 in sizes:
        raise IndexError("linalg.matrix_norm: Expected reduction dim to have non-zero size.")


def _norm(xp: Any, a: Any, order: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    """The norm of vectors, or of matrices where two dimensions and an order are meant."""
    dims = None if dim is None else [*dim]
    if dims is not None and order is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {dims}"
        )
    if dims is None and order is not None and a.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{a.ndim}D."
        )
    is_matrix = len(dims) == 2 if dims is not None else a.ndim == 2
    if order is None or not is_matrix:
        return _vector_norm(xp, a, order, dims, keepdim, dtype)
    return _matrix_norm(xp, a, order, [0, 1] if dims is None else dims, keepdim, dtype)


def _vector_norm(xp: Any, a: Any, order: Any, dims: Any, keepdim: bool, dtype: Any) -> Any:
    if isinstance(order, str):
        raise RuntimeError(f"linalg.norm: the order '{order}' is one of matrices")
    return vector_norm(xp, a, 2 if order is None else order, dims, keepdim, dtype)


def _norm_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """A real result of sizes that are not followed; the dtype is the last argument, if one is."""
    a = made(tensor_at(types), None)
    kind = keyword_dtype(constants[-1], a.dtype) if len(constants) == 5 else a.dtype
    return retyped(a, None if kind is None else dtypes.to_real(kind))


op(
    "aten::linalg_matrix_norm(Tensor self, Scalar ord, int[] dim=[-2, -1], bool keepdim=False, *, "
    "ScalarType? dtype=None) -> Tensor",
    impl=_matrix_norm,
    infer=_norm_type,
    method=None,
)
op(
    'aten::linalg_matrix_norm.str_ord(Tensor self, str ord="fro", int[] dim=[-2, -1], bool '
    "keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    impl=_matrix_norm,
    infer=_norm_type,
    method=None,
)
op(
    "aten::linalg_norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, "
    "ScalarType? dtype=None) -> Tensor",
    impl=_norm,
    infer=_norm_type,
    method=None,
)
op(
    "aten::linalg_norm.ord_str(Tensor self, str ord, int[1]? dim=None, bool keepdim=False, *, "
    "ScalarType? dtype=None) -> Tensor",
    impl=_norm,
    infer=_norm_type,
    method=None,
)
op(
    "aten::frobenius_norm.dim(Tensor self, int[1] dim, bool keepdim=False) -> Tensor",
    impl=lambda xp, a, dim, keepdim: vector_norm(xp, a, 2, dim, keepdim),
    method=None,
)
op(
    "aten::nuclear_norm(Tensor self, bool keepdim=False) -> Tensor",
    impl=lambda xp, a, keepdim: _matrix_norm(xp, a, "nuc", [-2, -1], keepdim, None),
    method=None,
)
op(
    "aten::nuclear_norm.dim(Tensor self, int[2] dim, bool keepdim=False) -> Tensor",
    impl=lambda xp, a, dim, keepdim: _matrix_norm(xp, a, "nuc", dim, keepdim, None),
    method=None,
)


# Rank, condition, pseudo-inverse ------------------------------------------------------------------


def _cond(xp: Any, a: Any, p: Any) -> Any:
    """The condition number: the ratio of singular values, or |A| |A^-1| in another norm."""
    name = "linalg.cond"
    check_matrices(name, a)
    check_floating(name, a)
    if p is None or p in (2, -2):
        if not a.size:
            return xp.zeros(a.shape[:-2], real_dtype(a))
        values = singular_values(xp, a)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    check_square(name, a)
    if p not in (*_BY_SUMS, "fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    norms = [_matrix_norm(xp, each, p, [-2, -1], False, None) for each in (a, _inverse(xp, a))]
    return norms[0] * norms[1]


def _inverse(xp: Any, a: Any) -> Any:
    """The inverse, and infinity for a matrix that has none."""
    found = xp.full(a.shape, xp.inf, a.dtype)
    for at in np.ndindex(a.shape[:-2]):
        try:
            found[at] = xp.linalg.inv(a[at])
        except np.linalg.LinAlgError:
            continue
    return found


def _magnitudes(xp: Any, a: Any, hermitian: bool) -> Any:
    """Singular values, or sizes of eigenvalues of Hermitian matrices."""
    return abs(eigenvalues_of_hermitian(xp, a)) if hermitian else singular_values(xp, a)


def _threshold(xp: Any, a: Any, values: Any, atol: float | None, rtol: float | None) -> Any:
    """What counts as zero: max(atol, rtol * the largest value), for each matrix."""
    if rtol is None:
        rtol = 0.0 if atol else float(xp.finfo(a.dtype).eps) * max(a.shape[-2:])
    largest = values.max(-1, keepdims=True, initial=0)
    return xp.maximum(values.dtype.type(atol or 0.0), values.dtype.type(rtol) * largest)


def _matrix_rank(xp: Any, a: Any, atol: float | None, rtol: float | None, hermitian: bool) -> Any:
    check_matrices("torch.linalg.matrix_rank", a)
    check_floating("linalg.matrix_rank", a)
    values = _magnitudes(xp, a, hermitian)
    return (values > _threshold(xp, a, values, atol, rtol)).sum(-1, dtype="int64")


def _pinv(xp: Any, a: Any, atol: float | None, rtol: float | None, hermitian: bool) -> Any:
    """The Moore-Penrose inverse: V diag(1 / s) U^H of the singular values that count."""
    check_matrices("linalg.pinv", a)
    check_floating("linalg.pinv", a)
    if not a.size:
        return xp.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    if hermitian:
        check_square("linalg.pinv", a)
        values, vectors = converged("linalg.eigh", xp.linalg.eigh, a)
        scaled = vectors * _inverted(xp, a, values, atol, rtol)[..., None, :]
        return xp.matmul(scaled, transposed(vectors))
    u, values, vh = converged("linalg.svd", xp.linalg.svd, a, False)
    scaled = transposed(vh) * _inverted(xp, a, values, atol, rtol)[..., None, :]
    return xp.matmul(scaled, transposed(u))


def _inverted(xp: Any, a: Any, values: Any, atol: float | None, rtol: float | None) -> Any:
    counts = abs(values) > _threshold(xp, a, abs(values), atol, rtol)
    return xp.where(counts, 1 / xp.where(counts, values, 1), 0).astype(values.dtype, copy=False)


def _swapped_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = tensor_at(types)
    if a.sizes is None or len(a.sizes) < 2:
        return made(a, None)
    return made(a, (*a.sizes[:-2], a.sizes[-1], a.sizes[-2]))


def _ranks_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a = tensor_at(types)
    sizes = None if a.sizes is None or len(a.sizes) < 2 else a.sizes[:-2]
    return made(a, sizes, dtypes.int64)


op(
    "aten::linalg_cond(Tensor self, Scalar? p=None) -> Tensor",
    impl=_cond,
    method=None,
)
op("aten::linalg_cond.p_str(Tensor self, str p) -> Tensor", impl=_cond, method=None)
op(
    "aten::linalg_matrix_rank(Tensor self, float tol, bool hermitian=False) -> Tensor",
    impl=lambda xp, a, tol, hermitian: _matrix_rank(xp, a, tol, 0.0, hermitian),
    infer=_ranks_type,
    method=None,
)
op(
    "aten::linalg_matrix_rank.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, "
    "bool hermitian=False) -> Tensor",
    impl=_matrix_rank,
    infer=_ranks_type,
    method=None,
)
op(
    "aten::linalg_pinv.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, bool "
    "hermitian=False) -> Tensor",
    impl=_pinv,
    infer=_swapped_type,
    method=None,
)
op(
    "aten::linalg_pinv(Tensor self, float rcond, bool hermitian=False) -> Tensor",
    impl=lambda xp, a, rcond, hermitian: _pinv(xp, a, 0.0, rcond, hermitian),
    infer=_swapped_type,
    method=None,
)
op(
    "aten::pinverse(Tensor self, float rcond=1.0000000000000001e-15) -> Tensor",
    impl=lambda xp, a, rcond: _pinv(xp, a, 0.0, rcond, False),
    infer=_swapped_type,
)


# Least squares ------------------------------------------------------------------------------------

_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def _lstsq(
    xp: Any, a: Any, b: Any, rcond: float | None, driver: str | None
) -> tuple[Any, Any, Any, Any]:
    """Solution, residuals, rank and singular values of min |A X - B|.

    Residuals stand where A has more rows than columns and full rank; they, the rank and the
    singular values where the driver of LAPACK gives them.
    """
    driver = driver or "gelsy"
    name = "torch.linalg.lstsq"
    check_matrices(name, a)
    check_floating(name, a, b)
    if driver not in _DRIVERS:
        raise RuntimeError(f"{name}: parameter `driver` should be one of gels, gelsy, gelsd, gelss")
    is_vector = b.ndim == a.ndim - 1
    right = b[..., None] if is_vector else b
    if right.ndim != a.ndim or right.shape[-2] != a.shape[-2]:
        raise RuntimeError(
            f"{name}: input.size(-2) should match other.size(-{1 if is_vector else 2})"
        )
    u, values, vh = converged("linalg.svd", xp.linalg.svd, a, False)
    limit = float(xp.finfo(a.dtype).eps) * max(a.shape[-2:]) if rcond is None else rcond
    inverted = _inverted(xp, a, values, 0.0, limit)
    x = xp.matmul(transposed(vh), inverted[..., None] * xp.matmul(transposed(u), right))
    rank = (inverted != 0).sum(-1, dtype="int64")
    rest = xp.empty((0,), real_dtype(a))
    if a.shape[-2] > a.shape[-1] and driver != "gelsy" and bool((rank == a.shape[-1]).all()):
        apart = xp.matmul(a, x) - right
        rest = (abs(apart) ** 2).sum(-2, dtype=real_dtype(a))
        rest = rest[..., 0] if is_vector else rest
    nothing = xp.empty((0,), "int64")
    return (
        x[..., 0] if is_vector else x,
        rest,
        nothing if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else xp.empty((0,), real_dtype(a)),
    )


def _lstsq_type(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    a = made(tensor_at(types), None)
    real = retyped(a, None if a.dtype is None else dtypes.to_real(a.dtype))
    return a, real, retyped(a, dtypes.int64), real


op(
    "aten::linalg_lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None) -> (Tensor "
    "solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    impl=_lstsq,
    infer=_lstsq_type,
    method=None,
)
