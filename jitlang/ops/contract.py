"""Rows of tensor contractions beyond products of matrices: einsum, tensordot, inner, kron, cross.

They are sums of products as well: half types are computed in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..ir.types import Type
from .reduce import not_supported
from .rows import op
from .rules import compute_dtype, made, result_dtype, tensor_at, wrap_dim, wrap_dims
from .strides import broadcast_shape


def _alike(name: str, tensors: Sequence[Any]) -> None:
    for a in tensors[1:]:
        if a.dtype != tensors[0].dtype:
            raise RuntimeError(
                f"{name}(): expected operands of one dtype, but got {tensors[0].dtype} and "
                f"{a.dtype}"
            )


def _computed(tensors: Sequence[Any]) -> list[Any]:
    """The operands in the dtype in which their products are summed."""
    wide = compute_dtype(tensors[0].dtype)
    return [a.astype(wide, copy=False) for a in tensors]


def _einsum(xp: Any, equation: str, tensors: Sequence[Any], path: Any) -> Any:
    if len(tensors) == 0:
        raise RuntimeError("einsum(): must provide at least one operand")
    _alike("einsum", tensors)
    # Torch sums integers of a single operand in int64.
    sums = len(tensors) == 1 and tensors[0].dtype.kind in "iub" and _sums_labels(equation)
    operands = [tensors[0].astype("int64")] if sums else _computed(tensors)
    try:
        found = xp.einsum(equation.replace(" ", ""), *operands, optimize=len(tensors) > 1)
    except ValueError as error:
        raise RuntimeError(f"einsum(): {error}") from None
    # With one operand NumPy may give a view.
    return found if sums else found.astype(tensors[0].dtype, copy=len(tensors) == 1)


def _sums_labels(equation: str) -> bool:
    """Whether a label of the only operand is missing in the result."""
    labels, arrow, kept = equation.replace(" ", "").replace(".", "").partition("->")
    return bool(set(labels) - set(kept)) if arrow else len(set(labels)) < len(labels)


def _tensordot(xp: Any, a: Any, b: Any, dims_self: Sequence[int], dims_other: Sequence[int]) -> Any:
    _alike("tensordot", (a, b))
    if len(dims_self) != len(dims_other):
        raise RuntimeError("both dimension lists should have same length")
    first, second = wrap_dims(dims_self, a.ndim), wrap_dims(dims_other, b.ndim)
    dtype = a.dtype
    a, b = _computed((a, b))
    for mine, other in zip(first, second, strict=True):
        # A size of one is broadcast: the other operand is summed by itself.
        if a.shape[mine] == 1:
            b = b.sum(other, keepdims=True, dtype=b.dtype)
        elif b.shape[other] == 1:
            a = a.sum(mine, keepdims=True, dtype=a.dtype)
        elif a.shape[mine] != b.shape[other]:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[mine]} in dim "
                f"{mine} and second has size {b.shape[other]} in dim {other}"
            )
    return xp.tensordot(a, b, (first, second)).astype(dtype, copy=False)


def _inner(xp: Any, a: Any, b: Any) -> Any:
    if a.ndim == 0 or b.ndim == 0:
        dtype = result_dtype((a, b))
        return a.astype(dtype, copy=False) * b.astype(dtype, copy=False)
    _alike("inner", (a, b))
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{[*a.shape]} and {[*b.shape]}"
        )
    return xp.inner(*_computed((a, b))).astype(a.dtype, copy=False)


def _kron(xp: Any, a: Any, b: Any) -> Any:
    dtype = dtypes.promote_types(dtypes.from_numpy(a.dtype), dtypes.from_numpy(b.dtype)).numpy
    made = xp.kron(a.astype(dtype, copy=False), b.astype(dtype, copy=False))
    return made.astype(dtype, copy=False)  # NumPy takes 0-dim operands for numbers


def _cross(xp: Any, a: Any, b: Any, dim: int | None) -> Any:
    if a.ndim != b.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    _alike("cross", (a, b))
    if a.dtype.kind == "b":
        raise not_supported("cross", a)
    shape = broadcast_shape(xp, (a, b))
    if dim is None:
        found = [at for at, size in enumerate(shape) if size == 3]
        if not found:
            raise RuntimeError("no dimension of size 3 in input")
        axis = found[0]
    else:
        axis = wrap_dim(dim, len(shape))
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {axis} must have length 3. Got {[*a.shape]} and "
            f"{[*b.shape]}"
        )
    x, y = (xp.moveaxis(xp.broadcast_to(v, shape), axis, 0) for v in (a, b))
    parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    return xp.stack(parts, axis)


def _same_dtype(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return made(tensor_at(types), None)


op(
    "aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor",
    impl=_einsum,
    method=None,
)
op(
    "aten::tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor",
    impl=_tensordot,
    infer=_same_dtype,
    method=None,
)
op("aten::inner(Tensor self, Tensor other) -> Tensor", impl=_inner)
op("aten::kron(Tensor self, Tensor other) -> Tensor", impl=_kron)
op("aten::cross(Tensor self, Tensor other, int? dim=None) -> Tensor", impl=_cross)
op(
    "aten::linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor",
    impl=_cross,
    method=None,
)
