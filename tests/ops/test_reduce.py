"""Reductions: dtypes, dimensions, empty tensors, NaN, errors, accuracy of the half types."""

import numpy as np
import pytest
from calling import call, outcome_of

from jitlang import dtypes

X = np.array([[1.0, 4.0, 2.0], [3.0, 0.0, 5.0]], "float32")
INTS = np.array([[1, 2], [3, 4]], "int32")
HALVES = [dtypes.float16, dtypes.bfloat16]


def test_result_dtypes():
    assert call("sum", INTS).dtype == "int64"
    assert call("sum", np.ones(3, bool)).dtype == "int64"
    assert call("prod", INTS, 0).dtype == "int64"
    assert call("cumsum", INTS, 0).dtype == "int64"
    assert call("sum", INTS, dtype=dtypes.float32).dtype == "float32"
    assert call("max", INTS).dtype == "int32"
    assert call("argmax", X).dtype == "int64"
    assert call("any", INTS).dtype == "bool"
    assert call("all", INTS.astype("uint8")).dtype == "uint8"
    assert call("mean", X.astype("float16")).dtype == "float16"


def test_mean_of_integers_is_refused():
    assert outcome_of(call, "mean", INTS.astype("int64")) == (
        RuntimeError,
        "mean(): could not infer output dtype. Input dtype must be either a floating point or "
        "complex dtype. Got: Long",
    )
    assert call("mean", INTS, dtype=dtypes.float64) == 2.5


def test_dimensions():
    assert call("sum", X, [0]).tolist() == [4, 4, 7]
    assert call("sum", X, [-1], True).shape == (2, 1)
    assert call("sum", X, [0, 1]) == 15
    assert call("sum", X, []).shape == ()
    assert call("amax", X, [1]).tolist() == [4, 5]
    values, indices = call("max", X, 1)
    assert values.tolist() == [4, 5] and indices.tolist() == [1, 2]
    values, indices = call("min", X, 0, True)
    assert values.shape == indices.shape == (1, 3)
    assert call("argmin", X) == 4


@pytest.mark.parametrize("name", ["sum", "amax", "softmax", "cumsum", "mean"])
def test_bad_dimensions(name):
    dim = 5 if name in ("softmax", "cumsum") else [5]
    assert outcome_of(call, name, X, dim) == (
        IndexError,
        "Dimension out of range (expected to be in range of [-2, 1], but got 5)",
    )


def test_repeated_dimensions():
    assert outcome_of(call, "sum", X, [0, -2]) == (
        RuntimeError,
        "dim 0 appears multiple times in the list of dims",
    )


def test_nothing():
    empty = np.zeros((0, 3), "float32")
    assert call("sum", empty) == 0 and call("prod", empty) == 1
    assert np.isnan(call("mean", empty))
    assert call("sum", empty, [0]).tolist() == [0, 0, 0]
    assert bool(call("all", empty)) is True
    assert outcome_of(call, "max", empty)[0] is RuntimeError
    assert outcome_of(call, "max", empty, 0) == (
        IndexError,
        "max(): Expected reduction dim 0 to have non-zero size.",
    )
    assert call("max", empty, 1)[0].shape == (0,)
    assert outcome_of(call, "argmax", empty)[0] is IndexError
    assert call("softmax", empty, 0).shape == (0, 3)


def test_nan_wins():
    x = np.array([1.0, np.nan, 3.0], "float32")
    assert np.isnan(call("max", x)) and np.isnan(call("min", x))
    assert call("argmax", x) == 1
    assert call("max", x, 0)[1] == 1
    assert call("nansum", x) == 4
    assert np.isnan(call("median", x))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_half_types_accumulate_in_float32(dtype):
    x = np.full(4096, 1.0 / 1024, dtype.numpy)
    assert call("sum", x).dtype == dtype.numpy
    assert float(call("sum", x)) == 4.0
    assert float(call("mean", x)) == 1.0 / 1024
    spread = np.array([1e4, 1e4 + 64], dtype.numpy).astype("float32")
    assert (
        abs(float(call("var", spread.astype(dtype.numpy))) - spread.var(ddof=1))
        <= 0.01 * spread.var(ddof=1) + 1
    )


def test_variance():
    assert np.allclose(call("var", X), X.var(ddof=1))
    assert np.allclose(call("std", X, [0], False), X.std(0))
    assert np.isnan(call("var", X[:1, :1]))
    assert np.allclose(call("var", X, [1], correction=0, keepdim=True), X.var(1, keepdims=True))
    assert outcome_of(call, "std", INTS) == (
        RuntimeError,
        "std and var only support floating point and complex dtypes",
    )
    spread, mean = call("std_mean", X, [0])
    assert np.allclose(mean, X.mean(0))


def test_softmax():
    soft = call("softmax", X * 1000, 1)
    assert np.allclose(soft.sum(1), 1) and np.isfinite(soft).all()
    assert np.allclose(call("log_softmax", X, 0), np.log(call("softmax", X, 0)), atol=1e-6)
    assert np.allclose(call("logsumexp", X, [1]), np.log(np.exp(X).sum(1)))
    assert call("logsumexp", np.array([-np.inf, -np.inf], "float32"), [0]) == -np.inf
    assert outcome_of(call, "softmax", INTS, 0)[0] is NotImplementedError
    assert call("softmax", INTS, 0, dtype=dtypes.float32).dtype == "float32"


def test_running():
    assert call("cumprod", INTS, 1).tolist() == [[1, 2], [3, 12]]
    values, indices = call("cummax", np.array([1.0, 3.0, 2.0, 3.0]), 0)
    assert values.tolist() == [1, 3, 3, 3] and indices.tolist() == [0, 1, 1, 3]
    assert call("diff", np.array([1, 4, 9])).tolist() == [3, 5]


def test_norms():
    assert call("norm", np.array([3.0, 4.0])) == 5
    assert call("linalg_vector_norm", np.array([3.0, -4.0]), float("inf")) == 4
    assert call("norm", np.array([3 + 4j])) == 5
    assert call("dist", X, X + 1, 1) == 6
    assert outcome_of(call, "norm", INTS)[0] is RuntimeError
