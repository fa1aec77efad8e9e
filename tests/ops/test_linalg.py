"""Products: values, promotion rules, torch's errors."""

import numpy as np
import pytest
from calling import call, outcome_of

from jitlang import dtypes

A = np.arange(6.0, dtype="float32").reshape(2, 3)
B = np.arange(12.0, dtype="float32").reshape(3, 4)

ERRORS = [
    (
        "mm",
        (A, np.ones((4, 5), "float32")),
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    ),
    ("mm", (A, np.ones(3, "float32")), "mat2 must be a matrix"),
    (
        "mm",
        (A, B.astype("float64")),
        "expected m1 and m2 to have the same dtype, but got: float != double",
    ),
    (
        "matmul",
        (A, np.ones((4, 2), "float32")),
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x2)",
    ),
    (
        "matmul",
        (A, np.array(1.0, "float32")),
        "both arguments to matmul need to be at least 1D, but they are 2D and 0D",
    ),
    ("matmul", (A, np.ones(4, "float32")), "size mismatch, got input (2), mat (2x3), vec (4)"),
    ("bmm", (A, A), "batch1 must be a 3D tensor"),
    (
        "bmm",
        (np.ones((2, 3, 4)), np.ones((2, 5, 5))),
        "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: [2, 5].",
    ),
    (
        "dot",
        (np.ones(3), np.ones(4)),
        "inconsistent tensor size, expected tensor [3] and src [4] to have the same number of "
        "elements, but got 3 and 4 elements respectively",
    ),
    (
        "linear",
        (A, np.ones((5, 4), "float32")),
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    ),
    (
        "addmm",
        (np.ones(3, "float32"), A, B),
        "The expanded size of the tensor (4) must match the existing size (3) at non-singleton "
        "dimension 1.  Target sizes: [2, 4].  Tensor sizes: [3]",
    ),
]


@pytest.mark.parametrize(("name", "args", "message"), ERRORS)
def test_errors(name, args, message):
    assert outcome_of(call, name, *args) == (RuntimeError, message)


def test_products():
    assert np.array_equal(call("mm", A, B), A @ B)
    assert np.array_equal(
        call("matmul", np.ones((5, 1, 2, 3)), np.ones((4, 3, 2))), np.full((5, 4, 2, 2), 3.0)
    )
    assert np.array_equal(call("mv", A, B[:, 0]), A @ B[:, 0])
    assert call("dot", B[0], B[1]) == B[0] @ B[1]
    assert np.array_equal(call("outer", B[0], A[0]), np.outer(B[0], A[0]))
    assert call("outer", np.ones(2, "int64"), np.ones(2, "float32")).dtype == "float32"
    assert np.array_equal(
        call("bmm", np.ones((2, 3, 4)), np.ones((2, 4, 1))), np.full((2, 3, 1), 4.0)
    )
    assert call("mm", A.astype("int64"), B.astype("int64")).dtype == "int64"
    assert call("mm", A[:, :0], B[:0]).tolist() == [[0] * 4] * 2


def test_affine():
    bias = np.ones(4, "float32")
    assert np.array_equal(call("addmm", bias, A, B), A @ B + 1)
    assert np.array_equal(call("addmm", bias, A, B, beta=0.5, alpha=2), 0.5 + 2 * (A @ B))
    assert np.array_equal(call("addmm", bias * np.nan, A, B, beta=0), A @ B)
    assert np.array_equal(call("linear", A, B.T, bias), A @ B + 1)
    assert np.array_equal(call("linear", A[0], B.T), A[0] @ B)
    assert call("linear", np.ones((2, 5, 3), "float32"), B.T).shape == (2, 5, 4)


def test_half_types_round_once():
    for dtype in (dtypes.float16, dtypes.bfloat16):
        a = np.full((1, 4096), 1 / 1024, dtype.numpy)
        product = call("mm", a, np.ones((4096, 1), dtype.numpy))
        assert product.dtype == dtype.numpy and float(product[0, 0]) == 4.0


def test_contractions():
    assert np.array_equal(call("einsum", "ij,jk->ik", [A, B]), A @ B)
    assert call("einsum", "ii", [np.eye(3)]) == 3
    assert call("einsum", "ij->i", [np.ones((2, 3), "int32")]).dtype == "int64"
    assert np.allclose(call("tensordot", A, B, [1], [0]), A @ B)
    assert call("inner", A, A).shape == (2, 2)
    assert call("cross", np.array([1.0, 0, 0]), np.array([0.0, 1, 0])).tolist() == [0, 0, 1]
    assert np.array_equal(call("kron", A, A), np.kron(A, A))
    assert outcome_of(call, "einsum", "ij,jk", [A, A])[0] is RuntimeError
    assert outcome_of(call, "tensordot", A, B, [0], [0])[0] is RuntimeError
