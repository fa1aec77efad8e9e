"""Rows of products: matrix, batched, vector, affine.

The common case (two matrices or batches of one float dtype that fit) costs one dtype comparison and
NumPy's product; everything else goes through a check that knows torch's messages. Half-precision
products are computed in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from .. import dtypes
from ..ir.types import TensorType, Type
from .rows import inplace, op
from .rules import Sizes, made, tensor_at

_FLOAT32, _FLOAT64 = dtypes.float32.numpy, dtypes.float64.numpy
_HALVES = (dtypes.float16.numpy, dtypes.bfloat16.numpy)
_C_NAMES = {
    "float32": "float",
    "float64": "double",
    "int64": "long int",
    "int32": "int",
    "int16": "short",
    "int8": "signed char",
    "uint8": "unsigned char",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def _c_name(a: Any) -> str:
    return _C_NAMES.get(str(a.dtype.name), str(a.dtype.name))


def product(xp: Any, a: Any, b: Any) -> Any:
    """`a @ b` of operands known to fit, in their dtype; half types accumulate in float32."""
    if a.dtype in _HALVES:
        return xp.matmul(a.astype(_FLOAT32), b.astype(_FLOAT32)).astype(a.dtype)
    return xp.matmul(a, b)


def _is_plain(a: Any, b: Any) -> bool:
    # NumPy keeps one object per native dtype; asking by identity is what makes this check cheap.
    dtype = a.dtype
    return dtype is b.dtype and (dtype is _FLOAT32 or dtype is _FLOAT64)


def _same_dtype(a: Any, b: Any) -> None:
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {_c_name(a)} != {_c_name(b)}"
        )


def _refuse_matrices(rows: Any, inner: Any, other: Any, columns: Any) -> NoReturn:
    raise RuntimeError(
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{inner} and {other}x{columns})"
    ) from None


# Matrices -----------------------------------------------------------------------------------------


def _mm(xp: Any, a: Any, b: Any) -> Any:
    if a.ndim == 2 and b.ndim == 2 and _is_plain(a, b) and a.shape[1] == b.shape[0]:
        return xp.matmul(a, b)
    if a.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if b.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    _same_dtype(a, b)
    if a.shape[1] != b.shape[0]:
        _refuse_matrices(*a.shape, *b.shape)
    return product(xp, a, b)


def _bmm(xp: Any, a: Any, b: Any) -> Any:
    for name, batch in (("batch1", a), ("batch2", b)):
        if batch.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    if b.shape[0] != a.shape[0] or b.shape[1] != a.shape[2]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"{[a.shape[0], a.shape[2]]} but got: {[*b.shape[:2]]}."
        )
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected scalar type {_type_name(a)} but found {_type_name(b)}")
    return product(xp, a, b)


def _type_name(a: Any) -> str:
    return dtypes.from_numpy(a.dtype).graph_name


def _matmul(xp: Any, a: Any, b: Any) -> Any:
    if a.ndim and b.ndim and _is_plain(a, b):
        try:
            return xp.matmul(a, b)
        except ValueError:
            pass
    return _careful_matmul(xp, a, b)


def _careful_matmul(xp: Any, a: Any, b: Any) -> Any:
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D"
        )
    if a.ndim == 1 and b.ndim == 1:
        return _dot(xp, a, b)
    _same_dtype(a, b)
    inner, other = a.shape[-1], b.shape[-2 if b.ndim > 1 else 0]
    if inner != other:
        if b.ndim == 1 and a.ndim == 2:
            raise RuntimeError(
                f"size mismatch, got input ({a.shape[0]}), mat ({a.shape[0]}x{a.shape[1]}), vec "
                f"({b.shape[0]})"
            )
        if a.ndim > 2 and b.ndim > 2 and a.shape[:-2] == b.shape[:-2]:
            raise RuntimeError(
                "Expected size for first two dimensions of batch2 tensor to be: "
                f"{[a.size // max(a.shape[-1] * a.shape[-2], 1), inner]} but got: "
                f"{[b.size // max(b.shape[-1] * b.shape[-2], 1), other]}."
            )
        rows = a.size // max(inner, 1) if a.ndim != 1 else 1
        _refuse_matrices(rows, inner, other, b.shape[-1] if b.ndim > 1 else 1)
    try:
        return product(xp, a, b)
    except ValueError:
        _refuse_batches(a.shape[:-2], b.shape[:-2])


def _refuse_batches(first: Sequence[int], second: Sequence[int]) -> NoReturn:
    rank = max(len(first), len(second))
    for back in range(1, min(len(first), len(second)) + 1):
        own, other = first[-back], second[-back]
        if own != other and 1 not in (own, other):
            raise RuntimeError(
                f"The size of tensor a ({own}) must match the size of tensor b ({other}) at "
                f"non-singleton dimension {rank - back}"
            ) from None
    raise RuntimeError(f"the batches {[*first]} and {[*second]} cannot be broadcast") from None


def _mv(xp: Any, a: Any, v: Any) -> Any:
    if a.ndim != 2 or v.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {a.ndim}, {v.ndim}")
    if a.shape[1] != v.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({a.shape[0]}), mat ({a.shape[0]}x{a.shape[1]}), vec "
            f"({v.shape[0]})"
        )
    if a.dtype != v.dtype:
        raise RuntimeError(
            f"addmv input tensors must have the same dtype, but got {_type_name(v)}, "
            f"{_type_name(a)}, and {_type_name(v)}"
        )
    return product(xp, a, v)


def _dot(xp: Any, a: Any, b: Any) -> Any:
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"dot : expected both vectors to have same dtype, but found {_type_name(a)} and "
            f"{_type_name(b)}"
        )
    if a.shape != b.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a.size}] and src [{b.size}] to have the "
            f"same number of elements, but got {a.size} and {b.size} elements respectively"
        )
    return product(xp, a, b)


def _outer(xp: Any, a: Any, b: Any) -> Any:
    for name, vector in (("self", a), ("vec2", b)):
        if vector.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {vector.ndim}-D")
    dtype = dtypes.promote_types(dtypes.from_numpy(a.dtype), dtypes.from_numpy(b.dtype)).numpy
    return a.astype(dtype, copy=False)[:, None] * b.astype(dtype, copy=False)[None, :]


# Affine -------------------------------------------------------------------------------------------


def _scaled(array: Any, factor: Any) -> Any:
    return array if factor == 1 else array * array.dtype.type(factor)


def _added(xp: Any, bias: Any, products: Any, beta: Any, alpha: Any) -> Any:
    """`beta * bias + alpha * products`; a beta of zero ignores the bias, NaNs included."""
    _fit(bias, products.shape)
    if bias.dtype != products.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {_type_name(bias)} and "
            f"{_type_name(products)}"
        )
    scaled = _scaled(products, alpha)
    if beta == 0:
        return xp.broadcast_to(scaled, products.shape)
    return _scaled(bias, beta) + scaled


def _fit(bias: Any, shape: tuple[int, ...]) -> None:
    if bias.ndim > len(shape):
        raise RuntimeError(
            f"expand(Tensor{{{[*bias.shape]}}}, size={[*shape]}): the number of sizes provided "
            f"({len(shape)}) must be greater or equal to the number of dimensions in the tensor "
            f"({bias.ndim})"
        )
    for back in range(1, bias.ndim + 1):
        if bias.shape[-back] not in (1, shape[-back]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[-back]}) must match the existing size "
                f"({bias.shape[-back]}) at non-singleton dimension {len(shape) - back}.  Target "
                f"sizes: {[*shape]}.  Tensor sizes: {[*bias.shape]}"
            )


def _addmm(xp: Any, bias: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    return _added(xp, bias, _mm(xp, a, b), beta, alpha)


def _baddbmm(xp: Any, bias: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    return _added(xp, bias, _bmm(xp, a, b), beta, alpha)


def _addbmm(xp: Any, bias: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    return _added(xp, bias, _bmm(xp, a, b).sum(0), beta, alpha)


def _addmv(xp: Any, bias: Any, a: Any, v: Any, beta: Any, alpha: Any) -> Any:
    return _added(xp, bias, _mv(xp, a, v), beta, alpha)


def _addr(xp: Any, bias: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    return _added(xp, bias, _outer(xp, a, b), beta, alpha)


def _linear(xp: Any, x: Any, weight: Any, bias: Any) -> Any:
    if weight.ndim == 1:
        products = _matmul(xp, x, weight)
    elif x.ndim and _is_plain(x, weight) and x.shape[-1] == weight.shape[1]:
        products = xp.matmul(x, weight.T)
    else:
        products = _careful_linear(xp, x, weight)
    if bias is None:
        return products
    if bias.shape != products.shape[-1:]:
        _fit(bias, products.shape)
    if bias.dtype != products.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {_type_name(bias)} and "
            f"{_type_name(products)}"
        )
    products += bias
    return products


def _careful_linear(xp: Any, x: Any, weight: Any) -> Any:
    if x.ndim == 0:
        raise RuntimeError(
            f"both arguments to linear need to be at least 1D, but they are {x.ndim}D and "
            f"{weight.ndim}D"
        )
    if weight.ndim != 2:
        raise RuntimeError("weight must be a vector or a matrix")
    _same_dtype(x, weight)
    if x.shape[-1] != weight.shape[1]:
        rows = x.size // max(x.shape[-1], 1) if x.ndim > 1 else 1
        _refuse_matrices(rows, x.shape[-1], weight.shape[1], weight.shape[0])
    return product(xp, x, weight.T)


# Type rules ---------------------------------------------------------------------------------------


def _product_sizes(a: Sizes | None, b: Sizes | None) -> Sizes | None:
    """The sizes of `a @ b` as far as they follow; batches where they are equal or one has none."""
    if a is None or b is None or not a or not b:
        return None
    rows = a[-2:-1] if len(a) > 1 else ()
    columns = b[-1:] if len(b) > 1 else ()
    first, second = a[:-2], b[:-2]
    if first == second and None not in first:
        return (*first, *rows, *columns)
    if not first or not second:
        return (*first, *second, *rows, *columns)
    return (None,) * (max(len(first), len(second)) + len(rows) + len(columns))


def product_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type of a product of the first two tensors."""
    a, b = tensor_at(types), tensor_at(types, 1)
    return _of_either(a, b, _product_sizes(a.sizes, b.sizes))


def _of_either(a: TensorType, b: TensorType, sizes: Sizes | None) -> TensorType:
    """Products take operands of one dtype, so either tells."""
    return made(a if a.dtype is not None else b, sizes)


def _matrix_product_type(rank: int) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        a, b = tensor_at(types), tensor_at(types, 1)
        known = a.rank == rank and b.rank == rank
        return _of_either(a, b, _product_sizes(a.sizes, b.sizes) if known else (None,) * rank)

    return infer


def _affine_type(rank: int) -> Any:
    rule = _matrix_product_type(rank)

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Any:
        return rule(types[1:], constants[1:])

    return infer


def _linear_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    x, weight = tensor_at(types), tensor_at(types, 1)
    if x.sizes is None or not x.sizes or weight.rank not in (1, 2):
        return _of_either(x, weight, None)
    assert weight.sizes is not None
    return _of_either(x, weight, (*x.sizes[:-1], *weight.sizes[:-1]))


def _vector_rule(rank: int) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        a, b = tensor_at(types), tensor_at(types, 1)
        return _of_either(a, b, (None,) * rank)

    return infer


def _outer_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    a, b = tensor_at(types), tensor_at(types, 1)
    known = a.dtype is not None and b.dtype is not None
    dtype = dtypes.promote_types(a.dtype, b.dtype) if known and a.dtype and b.dtype else None
    sizes = (a.sizes or (None,))[:1] + (b.sizes or (None,))[:1]
    return TensorType(dtype, sizes, None, None, a.device, a.surface)


# Rows ---------------------------------------------------------------------------------------------

op(
    "aten::mm(Tensor self, Tensor mat2) -> Tensor",
    impl=_mm,
    infer=_matrix_product_type(2),
    grad=lambda m, g, r, a, b: (m.mm(g, m.t(b)), m.mm(m.t(a), g)),
)
op(
    "aten::bmm(Tensor self, Tensor mat2) -> Tensor",
    impl=_bmm,
    infer=_matrix_product_type(3),
    grad=lambda m, g, r, a, b: (m.bmm(g, m.transpose(b, 1, 2)), m.bmm(m.transpose(a, 1, 2), g)),
)
op("aten::matmul(Tensor self, Tensor other) -> Tensor", impl=_matmul, infer=product_type)
op(
    "aten::mv(Tensor self, Tensor vec) -> Tensor",
    impl=_mv,
    infer=_vector_rule(1),
    grad=lambda m, g, r, a, v: (m.outer(g, v), m.mv(m.t(a), g)),
)
op(
    "aten::dot(Tensor self, Tensor tensor) -> Tensor",
    impl=_dot,
    infer=_vector_rule(0),
    grad=lambda m, g, r, a, b: (g * b, g * a),
)
op(
    "aten::vdot(Tensor self, Tensor other) -> Tensor",
    impl=lambda xp, a, b: _dot(xp, xp.conj(a) if a.dtype.kind == "c" else a, b),
    infer=_vector_rule(0),
)
for _name in ("outer", "ger"):
    op(
        f"aten::{_name}(Tensor self, Tensor vec2) -> Tensor",
        impl=_outer,
        infer=_outer_type,
        grad=lambda m, g, r, a, b: (m.mv(g, b), m.mv(m.t(g), a)),
    )
inplace(
    op(
        "aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> "
        "Tensor",
        impl=_addmm,
        infer=_affine_type(2),
    )
)
inplace(
    op(
        "aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar "
        "alpha=1) -> Tensor",
        impl=_baddbmm,
        infer=_affine_type(3),
    )
)
inplace(
    op(
        "aten::addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) "
        "-> Tensor",
        impl=_addbmm,
    )
)
inplace(
    op(
        "aten::addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> "
        "Tensor",
        impl=_addmv,
    )
)
inplace(
    op(
        "aten::addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> "
        "Tensor",
        impl=_addr,
    )
)
op(
    "aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
    impl=_linear,
    infer=_linear_type,
    method=None,
)
