"""Tensors from nothing, from numbers and lists, and from tensors: dtypes, sizes, errors."""

import numpy as np
import pytest
from calling import call, outcome_of, run

from jitlang import dtypes
from jitlang.arrays import Device

FLOAT = np.float32


def test_default_dtypes():
    assert (
        call("zeros", [2, 3]).dtype == call("ones", [1]).dtype == call("rand", [2]).dtype == FLOAT
    )
    assert call("full", [2], 3).dtype == "int64"
    assert call("full", [2], True).dtype == "bool"
    assert call("full", [2], 1.5).dtype == FLOAT
    assert call("full", [2], 1j).dtype == "complex64"
    assert call("arange", 3).dtype == "int64"
    assert call("arange", 3.0).dtype == FLOAT
    assert call("linspace", 0, 1, 5).dtype == FLOAT
    assert call("eye", 2).dtype == FLOAT
    assert call("scalar_tensor", 3).dtype == FLOAT


def test_keywords():
    assert call("zeros", [2], dtype=dtypes.bfloat16).dtype == dtypes.bfloat16.numpy
    assert call("zeros", [2], device=Device("cpu")).shape == (2,)
    assert call("arange", 0, 5, 2, dtype=dtypes.float16).tolist() == [0, 2, 4]


def test_default_dtype_is_read_when_the_row_runs():
    dtypes.set_default_dtype(dtypes.float64)
    try:
        assert call("zeros", [1]).dtype == call("tensor", [1.5]).dtype == "float64"
    finally:
        dtypes.set_default_dtype(dtypes.float32)


def test_rows_that_have_run_follow_the_default_dtype():
    numbers = np.arange(1, 3)
    rows = [
        ("mul", numbers > 1, 0.5),
        ("div", numbers, 2),
        ("exp", numbers),
        ("atan2", *[numbers] * 2),
    ]
    for default in (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.float32):
        dtypes.set_default_dtype(default)
        try:
            for name, *args in rows:
                assert [call(name, *args).dtype for _ in range(2)] == [default.numpy] * 2, name
        finally:
            dtypes.set_default_dtype(dtypes.float32)


def test_expanded_dimensions_stay_where_they_are():
    row, column = (
        np.broadcast_to(np.ones(3, FLOAT), (2, 3)),
        np.broadcast_to(np.ones((2, 1)), (2, 3)),
    )
    deep = np.broadcast_to(np.asfortranarray(np.ones((2, 3, 1))), (2, 3, 4))
    for given, order in ((row, (0, 1)), (column, (0, 1)), (deep, (1, 0, 2))):
        like = [call(f"{name}_like", given) for name in ("zeros", "ones", "empty")]
        like += [call("full_like", given, 2), call("clone", given), call("to", given, dtypes.int32)]
        for made in like:
            assert tuple(np.argsort(made.strides)[::-1]) == order, made.strides


def test_arange():
    assert call("arange", 5, 0, -2).tolist() == [5, 3, 1]
    assert call("arange", 0.0, 1.0, 0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert call("arange", 2, 2).shape == (0,)
    assert outcome_of(call, "arange", 0, 5, 0) == (RuntimeError, "step must be nonzero")
    assert outcome_of(call, "arange", 5, 0) == (
        RuntimeError,
        "upper bound and lower bound inconsistent with step sign",
    )
    assert outcome_of(call, "arange", 0, float("nan"))[0] is RuntimeError


def test_linspace_ends_exactly():
    for steps in (0, 1, 2, 7):
        found = call("linspace", -3, 5, steps)
        assert found.shape == (steps,) and (steps < 2 or found[-1] == 5)
    assert call("linspace", 0, 10, 5, dtype=dtypes.int64).tolist() == [0, 2, 5, 7, 10]
    assert outcome_of(call, "linspace", 0, 1, -1) == (
        RuntimeError,
        "number of steps must be non-negative",
    )


def test_tensor_of_lists():
    assert call("tensor", [[1, 2], [3, 4]]).dtype == "int64"
    assert call("tensor", [1, 2.5]).dtype == FLOAT
    assert call("tensor", [True, False]).dtype == "bool"
    assert call("tensor", 2.5).shape == ()
    assert call("tensor", [1], dtype=dtypes.float16).dtype == "float16"
    assert run("aten::tensor", []).dtype == FLOAT
    assert run("aten::tensor", [[], []]).shape == (2, 0)
    assert outcome_of(run, "aten::tensor", [[1, 2], [3]]) == (
        ValueError,
        "expected sequence of length 2 at dim 1 (got 1)",
    )
    assert run("aten::tensor", [np.array(1.0), np.array(2.0)]).tolist() == [1, 2]


def test_values_are_cut_as_c_does():
    assert call("full", [1], 2.7, dtype=dtypes.int64).tolist() == [2]
    assert call("full", [1], -1, dtype=dtypes.uint8).tolist() == [255]
    assert outcome_of(call, "full", [1], 300, dtype=dtypes.uint8)[0] is RuntimeError
    assert outcome_of(call, "fill_", np.zeros(1, "int32"), float("nan"))[0] is RuntimeError


def test_like_another():
    base = np.zeros((2, 3), "int32")
    assert call("zeros_like", base).dtype == call("new_ones", base, [4]).dtype == "int32"
    assert call("full_like", base, 7).tolist() == [[7] * 3] * 2
    assert call("ones_like", base, dtype=dtypes.float64).dtype == "float64"
    assert call("new_full", base, [2], 3).tolist() == [3, 3]
    assert outcome_of(call, "zeros", [-1]) == (
        RuntimeError,
        "zeros: Dimension size must be non-negative.",
    )


def test_conversion_keeps_what_needs_no_change():
    base = np.ones(2, "float32")
    assert call("to", base, dtypes.float32) is base
    assert call("to", base, dtypes.float32, copy=True) is not base
    assert call("to", base, dtypes.int64).dtype == "int64"
    assert call("to", np.array([1 + 2j]), dtypes.float32).tolist() == [1]
    assert call("to", np.array([1j]), dtypes.bool_).tolist() == [True]
    assert call("jit::half", base).dtype == "float16"
    assert call("type_as", base, np.ones(1)).dtype == "float64"
    assert call("aten::to.device", base, Device("cpu"), dtypes.float64).dtype == "float64"


def test_clone_keeps_the_order_of_dimensions():
    base = np.zeros((2, 3, 4)).transpose(2, 0, 1)
    assert call("clone", base).strides == base.strides
    assert call("clone", base, memory_format=0).flags.c_contiguous


def test_in_place():
    base = np.ones(3)
    assert call("zero_", base) is base and not base.any()
    assert call("fill_", base, 4) is base and base.tolist() == [4, 4, 4]
    assert outcome_of(call, "fill_", base, np.ones(2))[0] is RuntimeError


@pytest.mark.parametrize("kind", [int, float, bool, complex])
def test_numbers(kind):
    expected = {int: "int64", float: "float32", bool: "bool", complex: "complex64"}[kind]
    assert call("tensor", kind(1)).dtype == call("as_tensor", kind(1)).dtype == expected
