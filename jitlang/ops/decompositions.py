"""Rows of factored matrices: inverse, determinant, solutions, Cholesky, QR, SVD, eigenvalues.

All take batches of matrices in the last two dimensions, of a floating or complex dtype, and compute
in that dtype through the array library's LAPACK. What a matrix does not have raises `LinAlgError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.opdef import TypeRule
from ..ir.types import TensorType, Type
from .rows import op
from .rules import made, retyped, same_type, tensor_at, unknown_sizes


class LinAlgError(RuntimeError):
    """A matrix has no such factors: it is singular, not positive-definite, or not finite."""


# What is accepted ---------------------------------------------------------------------------------


def check_floating(name: str, *matrices: Any) -> None:
    """Refuse dtypes that LAPACK does not have.

    Raises:
        RuntimeError: integers, bools and half types; or two dtypes.
    """
    for a in matrices:
        dtype = dtypes.from_numpy(a.dtype)
        if dtype.category < Category.FLOATING:
            raise RuntimeError(
                f"{name}: Expected a floating point or complex tensor as input. Got "
                f"{dtype.graph_name}"
            )
        if dtype.itemsize == 2:
            raise RuntimeError(
                f"{name}: Low precision dtypes not supported. Got {dtype.graph_name}"
            )
        if a.dtype != matrices[0].dtype:
            raise RuntimeError(
                f"{name}: Expected A and B to have the same dtype, but found A of type "
                f"{dtypes.from_numpy(matrices[0].dtype).graph_name} and B of type "
                f"{dtype.graph_name} instead"
            )


def check_matrices(name: str, a: Any) -> None:
    """Raises RuntimeError where `a` is no batch of matrices."""
    if a.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")


def check_square(name: str, a: Any) -> None:
    """Raises RuntimeError where `a` is no batch of square matrices."""
    check_matrices(name, a)
    if a.shape[-1] != a.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {a.shape[-2]} by "
            f"{a.shape[-1]} matrices"
        )


def transposed(a: Any) -> Any:
    """The conjugate transpose of each matrix."""
    swapped = a.swapaxes(-1, -2)
    return swapped.conj() if a.dtype.kind == "c" else swapped


def _found(name: str, reason: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The array library's answer.

    Raises:
        LinAlgError: where it has none, for this reason.
    """
    try:
        return function(*args, **kwargs)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"{name}: {reason} ({error})") from None


def converged(name: str, function: Callable[..., Any], a: Any, *args: Any, **kwargs: Any) -> Any:
    """What an iterative algorithm found.

    Raises:
        LinAlgError: it did not converge, or the matrix is not finite.
    """
    if not np.isfinite(a).all():
        raise LinAlgError(
            f"{name}: The algorithm failed to converge because the input matrix contained "
            "non-finite values."
        )
    reason = "The algorithm failed to converge because the input matrix is ill-conditioned."
    return _found(name, reason, function, a, *args, **kwargs)


# Inverse, determinant, solutions ------------------------------------------------------------------


def inverse(xp: Any, a: Any) -> Any:
    """The inverse of each square matrix.

    Raises:
        LinAlgError: one is singular.
    """
    check_floating("linalg.inv", a)
    check_square("linalg.inv", a)
    reason = "the inversion could not be completed because the input matrix is singular."
    return _found("linalg.inv", reason, xp.linalg.inv, a)


def _det(xp: Any, a: Any) -> Any:
    check_floating("linalg.det", a)
    check_square("linalg.det", a)
    return xp.asarray(xp.linalg.det(a), a.dtype)


def _slogdet(xp: Any, a: Any) -> tuple[Any, Any]:
    check_floating("linalg.slogdet", a)
    check_square("linalg.slogdet", a)
    sign, logarithm = xp.linalg.slogdet(a)
    return xp.asarray(sign, a.dtype), xp.asarray(logarithm, real_dtype(a))


def _logdet(xp: Any, a: Any) -> Any:
    check_floating("logdet", a)
    check_square("logdet", a)
    sign, logarithm = xp.linalg.slogdet(a)
    if a.dtype.kind == "c":
        return xp.asarray(logarithm + xp.log(sign), a.dtype)
    return xp.asarray(xp.where(sign == -1, xp.nan, logarithm), a.dtype)


def real_dtype(a: Any) -> Any:
    """The NumPy dtype of absolute values."""
    return dtypes.to_real(dtypes.from_numpy(a.dtype)).numpy


def _is_vector_side(a: Any, b: Any) -> bool:
    """Whether the right-hand side is a batch of vectors and not of matrices."""
    return bool(b.ndim == 1 or (a.ndim - 1 == b.ndim and b.shape == a.shape[:-1]))


def _solve(xp: Any, a: Any, b: Any, left: bool) -> Any:
    """X with A X = B, or X A = B where not `left`; B may be a batch of vectors."""
    name = "linalg.solve"
    check_floating(name, a, b)
    check_square(name, a)
    if _is_vector_side(a, b):
        if not left:
            raise RuntimeError(
                f"{name}: Vector broadcasting of the left hand side is not supported for left=False"
            )
        return _solved(xp, name, a, b[..., None])[..., 0]
    if b.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor B must have at least 2 dimensions.")
    if left:
        return _solved(xp, name, a, b)
    return _solved(xp, name, a.swapaxes(-1, -2), b.swapaxes(-1, -2)).swapaxes(-1, -2)


def _solved(xp: Any, name: str, a: Any, b: Any) -> Any:
    check_fit(name, a, b)
    reason = "The solver failed because the input matrix is singular."
    return _found(f"torch.{name}", reason, xp.linalg.solve, a, b)


def check_fit(name: str, a: Any, b: Any) -> None:
    """Raises RuntimeError where A X = B cannot be: rows or batches differ."""
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation AX = B "
            f"({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise RuntimeError(
            f"{name}: the batches {[*a.shape[:-2]]} and {[*b.shape[:-2]]} cannot be broadcast"
        ) from None


def _solve_triangular(xp: Any, a: Any, b: Any, upper: bool, left: bool, unitriangular: bool) -> Any:
    """X with A X = B (X A = B where not `left`), of which only a triangle of A is read."""
    name = "linalg.solve_triangular"
    check_floating(name, a, b)
    check_square(name, a)
    check_matrices(name, b)
    if not left:
        flipped = _solve_triangular(
            xp, a.swapaxes(-1, -2), b.swapaxes(-1, -2), not upper, True, unitriangular
        )
        return flipped.swapaxes(-1, -2)
    check_fit(name, a, b)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = xp.broadcast_to(b, (*batch, *b.shape[-2:])).copy()
    n = a.shape[-1]
    for row in reversed(range(n)) if upper else range(n):
        known = slice(row + 1, n) if upper else slice(0, row)
        x[..., row, :] -= (a[..., row, None, known] @ x[..., known, :])[..., 0, :]
        if not unitriangular:
            x[..., row, :] /= a[..., row, row, None]
    return x


# Factors ------------------------------------------------------------------------------------------


def _cholesky(xp: Any, a: Any, upper: bool) -> Any:
    check_floating("linalg.cholesky", a)
    check_square("linalg.cholesky", a)
    reason = "The factorization could not be completed because the input is not positive-definite."
    factor = _found("linalg.cholesky", reason, xp.linalg.cholesky, transposed(a) if upper else a)
    return transposed(factor) if upper else factor


def _cholesky_solve(xp: Any, b: Any, factor: Any, upper: bool) -> Any:
    """X with A X = B, of the Cholesky factor of A."""
    check_floating("cholesky_solve", factor, b)
    check_matrices("cholesky_solve", b)
    check_square("cholesky_solve", factor)
    lower = transposed(xp.triu(factor)) if upper else factor
    half = _solve_triangular(xp, lower, b, False, True, False)
    return _solve_triangular(xp, transposed(lower), half, True, True, False)


def _cholesky_inverse(xp: Any, factor: Any, upper: bool) -> Any:
    check_floating("cholesky_inverse", factor)
    check_square("cholesky_inverse", factor)
    if not xp.diagonal(factor, 0, -2, -1).all():
        raise LinAlgError(
            "cholesky_inverse: the inversion could not be completed because the input matrix is "
            "singular."
        )
    identity = xp.eye(factor.shape[-1], dtype=factor.dtype)
    return _cholesky_solve(xp, identity, factor, upper)


_QR_MODES = ("reduced", "complete", "r")


def _qr(xp: Any, a: Any, mode: str) -> tuple[Any, Any]:
    check_floating("linalg.qr", a)
    check_matrices("linalg.qr", a)
    if mode not in _QR_MODES:
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    if mode == "r":
        return xp.empty((0,), a.dtype), xp.linalg.qr(a, "r")
    q, r = xp.linalg.qr(a, mode)
    return q, r


def _svd(xp: Any, a: Any, full: bool, driver: str | None) -> tuple[Any, Any, Any]:
    """U, S, V^H with A = U diag(S) V^H; the driver is a hint for GPUs."""
    _check_driver("linalg.svd", driver)
    check_floating("linalg.svd", a)
    check_matrices("linalg.svd", a)
    u, s, vh = converged("linalg.svd", xp.linalg.svd, a, full)
    return u, s, vh


def _check_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(f"torch.{name}: keyword argument `driver=` is only supported on CUDA.")


def _svd_with_v(xp: Any, a: Any, some: bool, compute_uv: bool) -> tuple[Any, Any, Any]:
    """The older form: V and not its transpose; zeros where vectors are not asked for."""
    check_floating("linalg.svd", a)
    check_matrices("torch.svd", a)
    if compute_uv:
        u, s, vh = _svd(xp, a, not some, None)
        return u, s, transposed(vh)
    m, n = a.shape[-2:]
    s = singular_values(xp, a, None)
    return (
        xp.zeros((*a.shape[:-2], m, m), a.dtype),
        s,
        xp.zeros((*a.shape[:-2], n, n), a.dtype),
    )


def singular_values(xp: Any, a: Any, driver: str | None = None) -> Any:
    """The singular values of each matrix, the largest first, in the real dtype.

    Raises:
        LinAlgError: a matrix is not finite.
    """
    _check_driver("linalg.svdvals", driver)
    check_floating("linalg.svdvals", a)
    check_matrices("linalg.svdvals", a)
    return converged("linalg.svd", xp.linalg.svd, a, compute_uv=False)


def _check_triangle(triangle: str) -> str:
    if triangle.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {triangle}")
    return triangle.upper()


def _eigh(xp: Any, a: Any, triangle: str) -> tuple[Any, Any]:
    check_floating("linalg.eigh", a)
    check_square("linalg.eigh", a)
    values, vectors = converged("linalg.eigh", xp.linalg.eigh, a, _check_triangle(triangle))
    return values, vectors


def eigenvalues_of_hermitian(xp: Any, a: Any, triangle: str = "L") -> Any:
    """The eigenvalues of each Hermitian matrix, of which one triangle is read, ascending.

    Raises:
        LinAlgError: a matrix is not finite.
    """
    check_floating("linalg.eigvalsh", a)
    check_square("linalg.eigvalsh", a)
    return converged("linalg.eigvalsh", xp.linalg.eigvalsh, a, _check_triangle(triangle))


def _complex_dtype(a: Any) -> Any:
    return np.result_type(a.dtype, np.complex64)


def _check_finite(name: str, a: Any) -> None:
    if not np.isfinite(a).all():
        raise RuntimeError(f"torch.{name}: input tensor should not contain infs or NaNs.")


def _eig(xp: Any, a: Any) -> tuple[Any, Any]:
    check_floating("linalg.eig", a)
    check_square("linalg.eig", a)
    _check_finite("linalg.eig", a)
    values, vectors = converged("linalg.eig", xp.linalg.eig, a)
    dtype = _complex_dtype(a)
    return values.astype(dtype, copy=False), vectors.astype(dtype, copy=False)


def _eigvals(xp: Any, a: Any) -> Any:
    check_floating("linalg.eigvals", a)
    check_square("linalg.eigvals", a)
    _check_finite("linalg.eigvals", a)
    return converged("linalg.eigvals", xp.linalg.eigvals, a).astype(_complex_dtype(a), copy=False)


# Type rules ---------------------------------------------------------------------------------------


def _real(dtype: DType | None) -> DType | None:
    return None if dtype is None else dtypes.to_real(dtype)


def _complex(dtype: DType | None) -> DType | None:
    if dtype is None:
        return None
    return dtypes.from_numpy(np.result_type(dtype.numpy, np.complex64))


def _batch(a: TensorType, *inner: int | None) -> tuple[int | None, ...] | None:
    """The sizes of a batch like that of `a` with other inner sizes."""
    return None if a.sizes is None or len(a.sizes) < 2 else (*a.sizes[:-2], *inner)


def determinant_type(types: Sequence[Type], constants: Sequence[Any]) -> TensorType:
    """One number of the same dtype for each matrix."""
    a = tensor_at(types)
    return made(a, _batch(a))


def _slogdet_type(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
    sign = determinant_type(types, constants)
    return sign, retyped(sign, _real(sign.dtype))


def same_rank_type(at: int) -> TypeRule:
    """The type rule of a result with the dtype and the rank of a tensor argument."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        a = tensor_at(types, at)
        return made(a, unknown_sizes(a.rank))

    return infer


def _dtype_only(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return made(tensor_at(types), None)


def _factors_type(*dtype_rules: Callable[[DType | None], DType | None]) -> TypeRule:
    """Several results of the operand's batch, whose dtypes follow from its own."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
        a = made(tensor_at(types), None)
        return tuple(retyped(a, rule(a.dtype)) for rule in dtype_rules)

    return infer


def _own(dtype: DType | None) -> DType | None:
    return dtype


def _values_type(rule: Callable[[DType | None], DType | None], is_square: bool) -> TypeRule:
    """A vector for each matrix: as long as it has rows, or its shorter side."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        a = tensor_at(types)
        sizes = None
        if a.sizes is not None and len(a.sizes) > 1:
            sizes = (*a.sizes[:-2], a.sizes[-1] if is_square else _shorter(*a.sizes[-2:]))
        return made(a, sizes, None) if a.dtype is None else made(a, sizes, rule(a.dtype))

    return infer


def _shorter(rows: int | None, columns: int | None) -> int | None:
    return None if rows is None or columns is None else min(rows, columns)


def _for_each_entry(m: Any, numbers: Any) -> Any:
    """One number per matrix, as it broadcasts over the entries of the matrices."""
    return m.unsqueeze(m.unsqueeze(numbers, -1), -1)


# Rows ---------------------------------------------------------------------------------------------

for _name, _argument in (("inverse", "self"), ("linalg_inv", "A")):
    op(
        f"aten::{_name}(Tensor {_argument}) -> Tensor",
        impl=inverse,
        infer=same_type,
        grad=lambda m, g, r, a: (m.neg(m.matmul(m.matmul(m.mH(r), g), m.mH(r))),),
        method="inverse" if _name == "inverse" else None,
    )
for _name, _argument in (("det", "self"), ("linalg_det", "A")):
    op(
        f"aten::{_name}(Tensor {_argument}) -> Tensor",
        impl=_det,
        infer=determinant_type,
        grad=lambda m, g, r, a: (m.mul(_for_each_entry(m, m.mul(g, r)), m.mH(m.inverse(a))),),
        method="det" if _name == "det" else None,
    )
for _name, _argument in (("slogdet", "self"), ("linalg_slogdet", "A")):
    op(
        f"aten::{_name}(Tensor {_argument}) -> (Tensor sign, Tensor logabsdet)",
        impl=_slogdet,
        infer=_slogdet_type,
        method="slogdet" if _name == "slogdet" else None,
    )
op(
    "aten::logdet(Tensor self) -> Tensor",
    impl=_logdet,
    infer=determinant_type,
    grad=lambda m, g, r, a: (m.mul(_for_each_entry(m, g), m.mH(m.inverse(a))),),
)
op(
    "aten::linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor",
    impl=_solve,
    infer=_dtype_only,
    method=None,
)
op(
    "aten::linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool "
    "unitriangular=False) -> Tensor",
    impl=_solve_triangular,
    infer=_dtype_only,
    method=None,
)
op(
    "aten::linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor",
    impl=_cholesky,
    infer=same_type,
    method=None,
)
op("aten::cholesky(Tensor self, bool upper=False) -> Tensor", impl=_cholesky, infer=same_type)
op(
    "aten::cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor",
    impl=_cholesky_solve,
    infer=_dtype_only,
)
op(
    "aten::cholesky_inverse(Tensor self, bool upper=False) -> Tensor",
    impl=_cholesky_inverse,
    infer=same_type,
)
op(
    'aten::linalg_qr(Tensor A, str mode="reduced") -> (Tensor Q, Tensor R)',
    impl=_qr,
    infer=_factors_type(_own, _own),
    method=None,
)
op(
    "aten::qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)",
    impl=lambda xp, a, some: _qr(xp, a, "reduced" if some else "complete"),
    infer=_factors_type(_own, _own),
)
op(
    "aten::linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor "
    "S, Tensor Vh)",
    impl=_svd,
    infer=_factors_type(_own, _real, _own),
    method=None,
)
op(
    "aten::svd(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor "
    "V)",
    impl=_svd_with_v,
    infer=_factors_type(_own, _real, _own),
)
op(
    "aten::linalg_svdvals(Tensor A, *, str? driver=None) -> Tensor",
    impl=singular_values,
    infer=_values_type(_real, False),
    method=None,
)
op(
    'aten::linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)',
    impl=_eigh,
    infer=_factors_type(_real, _own),
    method=None,
)
op(
    'aten::linalg_eigvalsh(Tensor self, str UPLO="L") -> Tensor',
    impl=eigenvalues_of_hermitian,
    infer=_values_type(_real, True),
    method=None,
)
op(
    "aten::linalg_eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)",
    impl=_eig,
    infer=_factors_type(_complex, _complex),
    method=None,
)
op(
    "aten::linalg_eigvals(Tensor self) -> Tensor",
    impl=_eigvals,
    infer=_values_type(_complex, True),
    method=None,
)
