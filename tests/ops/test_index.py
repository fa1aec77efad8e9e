"""Indexing rows: NumPy's semantics, torch's errors, writes in place."""

import numpy as np
import pytest
from calling import call, outcome_of, run

X = np.arange(12.0, dtype="float32").reshape(3, 4)
I8 = np.int64


def test_advanced_indexing_is_numpys():
    z = np.arange(120).reshape(2, 3, 4, 5)
    i, j = np.array([0, 1]), np.array([[1], [0]])
    for key in (
        [i],
        [None, i],
        [i, j],
        [i, None, j],
        [None, None, i, j],
        [z > 50],
        [None, np.array([True, False, True])],
    ):
        numpy_key = tuple(slice(None) if k is None else k for k in key)
        found = run("aten::index.Tensor", z, key)
        assert np.array_equal(found, z[numpy_key]) and not np.shares_memory(found, z)


def test_bytes_are_masks():
    assert run("aten::index.Tensor", X, [np.array([1, 0, 1], "uint8")]).shape == (2, 4)


ERRORS = [
    ([np.array([5])], "index 5 is out of bounds for dimension 0 with size 3"),
    ([None, np.array([0, -7])], "index -7 is out of bounds for dimension 1 with size 4"),
    ([np.array([0.5])], "tensors used as indices must be long, int, byte or bool tensors"),
    ([np.array([0])] * 3, "too many indices for tensor of dimension 2"),
    (
        [np.array([True, False])],
        "The shape of the mask [2] at index 0 does not match the shape of the indexed tensor [3, "
        "4] at index 0",
    ),
    (
        [np.array([0, 1]), np.array([0, 1, 2])],
        "shape mismatch: indexing tensors could not be broadcast together with shapes [2], [3]",
    ),
]


@pytest.mark.parametrize(("key", "message"), ERRORS)
def test_errors(key, message):
    assert outcome_of(run, "aten::index.Tensor", X, key) == (IndexError, message)
    assert outcome_of(run, "aten::index_put_", X.copy(), key, np.array(1.0)) == (
        IndexError,
        message,
    )


def test_what_must_not_be_written_is_not_called_a_wrong_shape():
    fixed = X.copy()
    fixed.flags.writeable = False
    for name, *args in (("copy_", X), ("index_put_", [np.array([0])], X[:1]), ("fill_", 1.0)):
        kind, message = outcome_of(call, name, fixed, *args)
        assert kind is ValueError and "read-only" in message, name


def test_index_put():
    target = X.copy()
    assert run("aten::index_put_", target, [np.array([0, 0])], np.array(9.0)) is target
    assert (target[0] == 9).all()
    run("aten::index_put_", target, [target > 5], np.array(0.0))
    assert target.max() <= 5
    added = run("aten::index_put", np.zeros(2), [np.array([1, 1, 1])], np.array(2.0), True)
    assert added.tolist() == [0, 6]
    assert outcome_of(run, "aten::index_put_", target, [np.array([0])], np.zeros(7)) == (
        RuntimeError,
        "shape mismatch: value tensor of shape [7] cannot be broadcast to indexing result of "
        "shape [1, 4]",
    )


def test_copy():
    target = np.zeros((2, 3), "int64")
    assert call("copy_", target, np.array([1.9, 2.0, 3.0])) is target
    assert target.tolist() == [[1, 2, 3], [1, 2, 3]]
    assert outcome_of(call, "copy_", target, np.zeros(5)) == (
        RuntimeError,
        "The size of tensor a (3) must match the size of tensor b (5) at non-singleton dimension 1",
    )
    expanded = call("expand", np.zeros((1, 3)), [2, 3])
    assert outcome_of(call, "copy_", expanded, np.zeros(3))[1].startswith(
        "unsupported operation: more than one"
    )


def test_masks():
    assert call("masked_select", X, X > 9).tolist() == [10, 11]
    assert outcome_of(call, "masked_select", X, X)[0] is RuntimeError
    assert call("nonzero", np.array([[0, 1], [1, 0]])).tolist() == [[0, 1], [1, 0]]
    assert call("nonzero", np.array(3.0)).shape == (1, 0)
    assert [v.tolist() for v in call("where", np.array([False, True]))] == [[1]]


def test_along_a_dimension():
    index = np.array([[0, 2], [1, 1]])
    assert call("gather", X, 0, index).tolist() == [[0, 9], [4, 5]]
    assert call("index_select", X, 1, np.array([3, 0])).tolist() == X[:, [3, 0]].tolist()
    assert call("take", X, np.array([-1, 0])).tolist() == [11, 0]
    assert outcome_of(call, "gather", X, 0, np.array([[9]])) == (
        RuntimeError,
        "index 9 is out of bounds for dimension 0 with size 3",
    )
    assert outcome_of(call, "index_select", X, 0, np.array([9])) == (
        IndexError,
        "index out of range in self",
    )


def test_scatter():
    zeros = np.zeros((2, 3))
    index = np.array([[0, 1, 1]])
    assert call("scatter", zeros, 0, index, 5).tolist() == [[5, 0, 0], [0, 5, 5]]
    assert call("scatter", zeros, 0, index, np.ones((1, 3))).sum() == 3
    twice = call("scatter_add", zeros, 1, np.array([[0, 0], [2, 2]]), np.ones((2, 2)))
    assert twice.tolist() == [[2, 0, 0], [0, 0, 2]]
    assert not zeros.any()
    assert call("scatter_", zeros, 0, index, 1) is zeros and zeros.sum() == 3
    assert call(
        "index_add", np.zeros((2, 2)), 0, np.array([1, 1]), np.ones((2, 2)), alpha=3
    ).tolist() == [[0, 0], [6, 6]]
    assert call("index_fill", X, 1, np.array([-1]), 0)[:, 3].tolist() == [0, 0, 0]
    assert call("index_copy", X, 0, np.array([2]), X[:1]).tolist()[2] == X[0].tolist()


def test_order():
    x = np.array([2.0, np.nan, 1.0, 2.0], "float32")
    values, order = call("sort", x)
    assert order.tolist() == [2, 0, 3, 1]
    values, order = call("sort", x, descending=True)
    assert order.tolist() == [1, 0, 3, 2]
    values, order = call("topk", x, 2)
    assert np.isnan(values[0]) and values[1] == 2 and order.dtype == I8
    assert outcome_of(call, "topk", x, 9) == (RuntimeError, "selected index k out of range")
    assert call("tril", X).tolist()[0] == [0, 0, 0, 0]
    assert call("argsort", X, 1, True)[0].tolist() == [3, 2, 1, 0]


def test_what_is_added_is_broadcast():
    index, values = np.array([[0, 1, 1], [2, 1, 0]]), np.array([1.0, 10.0, 100.0])
    added = call("index_put", np.zeros(3), [index], values, True)
    assert added.tolist() == [101, 120, 1]
    assert outcome_of(call, "index_put", np.zeros(3), [index], np.zeros(2), True)[0] is RuntimeError
