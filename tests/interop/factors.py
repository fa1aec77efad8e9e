"""Whether two decompositions of one matrix are both right where they differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comparison import Difference, base_name

TOLERANCE = 2e-4
"""Of products of single precision factors, relative to the largest element."""


def are_factors(difference: Difference) -> bool:
    """Whether ours are factors of the matrix, with the values that torch found."""
    check = _CHECKS.get(base_name(difference.op))
    return check is not None and check(difference.arrays[0], difference.ours, difference.theirs)


def are_nearly_singular(difference: Difference) -> bool:
    """Whether an operand of an inverse or of its kin is singular up to rounding."""
    if base_name(difference.op) not in _INVERTING or not difference.arrays:
        return False
    a = difference.arrays[0]
    if a.dtype.kind not in "fc" or a.ndim < 2 or not np.isfinite(a).all() or not a.size:
        return False
    values = np.linalg.svd(_wide(a), compute_uv=False)
    ratio = values[..., -1] / np.maximum(values[..., 0], 1e-300)
    return bool((ratio < 1e4 * np.finfo(a.dtype).eps).any())


_INVERTING = frozenset((
    "inverse", "linalg_inv", "linalg_solve", "linalg_cond", "pinverse", "linalg_pinv", "logdet",
    "slogdet", "linalg_slogdet", "linalg_lstsq", "matrix_power", "linalg_matrix_power",
))  # fmt: skip


def _wide(a: Any) -> Any:
    return np.asarray(a).astype("complex128")


def _near(a: Any, b: Any) -> bool:
    scale = max(1.0, float(np.abs(b).max(initial=0.0)))
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0.0) <= TOLERANCE * scale)


def _adjoint(a: Any) -> Any:
    return np.conj(a.swapaxes(-1, -2))


def _is_orthonormal(q: Any) -> bool:
    made = _adjoint(q) @ q
    return _near(made, np.broadcast_to(np.eye(q.shape[-1]), made.shape))


def _are_qr(a: Any, ours: Any, theirs: Any) -> bool:
    q, r = map(_wide, ours)
    if not q.size:  # mode "r": q is not there, and r decided up to phases
        return _near(_adjoint(r) @ r, _adjoint(_wide(a)) @ _wide(a))
    return _near(q @ r, _wide(a)) and _is_orthonormal(q) and _near(np.triu(r), r)


def _are_svd(a: Any, ours: Any, theirs: Any) -> bool:
    u, s, vh = map(_wide, ours)
    vh = vh if vh.shape[-1] == a.shape[-1] and vh.shape[-2] != a.shape[-1] else vh
    return any(_is_svd(a, u, s, v) for v in (vh, _adjoint(vh))) and _near(s, _wide(theirs[1]))


def _is_svd(a: Any, u: Any, s: Any, vh: Any) -> bool:
    k = s.shape[-1]
    if vh.shape[-1] != a.shape[-1] or vh.shape[-2] < k:
        return False
    product = (u[..., :k] * s[..., None, :]) @ vh[..., :k, :]
    return _near(product, _wide(a)) and _is_orthonormal(u) and _is_orthonormal(_adjoint(vh))


def _are_eigh(a: Any, ours: Any, theirs: Any) -> bool:
    values, vectors = map(_wide, ours)
    made = (vectors * values[..., None, :]) @ _adjoint(vectors)
    triangles = [np.tril(_wide(a)), np.triu(_wide(a))]
    whole = [t + _adjoint(t) - _real_diagonal(t) for t in triangles]
    right = any(_near(made, h) for h in whole)
    return right and _is_orthonormal(vectors) and _near(values, _wide(theirs[0]))


def _real_diagonal(a: Any) -> Any:
    return np.eye(a.shape[-1]) * np.diagonal(a, axis1=-2, axis2=-1).real[..., None, :]


def _are_eig(a: Any, ours: Any, theirs: Any) -> bool:
    values, vectors = map(_wide, ours)
    lengths = np.linalg.norm(vectors, axis=-2)
    return (
        _near(_wide(a) @ vectors, vectors * values[..., None, :])
        and _near(lengths, np.ones(lengths.shape))
        and _are_eigenvalues(a, ours[0], theirs[0])
    )


def _are_eigenvalues(a: Any, ours: Any, theirs: Any) -> bool:
    """Whether they have the traces of the first powers of the matrix, as all eigenvalues have."""
    power, own, other = np.eye(a.shape[-1]), *map(_wide, (ours, theirs))
    for exponent in range(1, a.shape[-1] + 1):
        power = power @ _wide(a)
        trace = np.trace(power, axis1=-2, axis2=-1)
        if not all(_near((v**exponent).sum(-1), trace) for v in (own, other)):
            return False
    return True


_CHECKS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "linalg_qr": _are_qr,
    "qr": _are_qr,
    "linalg_svd": _are_svd,
    "svd": _are_svd,
    "linalg_eigh": _are_eigh,
    "linalg_eig": _are_eig,
    "linalg_eigvals": _are_eigenvalues,
}
