"""Arrays that are no tensors as they stand: of other dtypes, in another byte order, of subclasses.

NumPy alone decides what they do, in every call, also where the function has become native.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy_oracle import assert_close, outcome

import jitlang as jl


def assert_same_in_all_calls(function: Callable[..., Any], *args: Any) -> None:
    """Class, dtype and values of the results, and the words of errors, call after call."""
    wanted, wanted_error, wanted_args = outcome(function, args)
    scripted = jl.script(function)
    for _ in range(5):
        got, error, got_args = outcome(scripted, args)
        assert (type(error), str(error)) == (type(wanted_error), str(wanted_error))
        assert _described(got) == _described(wanted)
        assert_close(got, wanted)
        assert_close(got_args, wanted_args)


def _described(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_described(part) for part in value]
    if isinstance(value, np.ma.MaskedArray):
        return type(value), value.dtype, np.ma.getmaskarray(value).tolist()
    return type(value), getattr(value, "dtype", None), getattr(value, "shape", None)


def of_the_same_dtype(x):
    kept = np.zeros(3, dtype=x.dtype), (x > 1).astype(x.dtype), np.full(2, 7, x.dtype)
    return kept, x.dtype == np.float32, x.dtype == x[1:].dtype


@pytest.mark.parametrize("dtype", ["uint16", "uint64", ">f8", ">i4", "O", "float32", "int8"])
def test_the_dtype_of_an_array_is_a_dtype_for_others(dtype: str) -> None:
    assert_same_in_all_calls(of_the_same_dtype, np.arange(4).astype(dtype))


def in_uint16(image):
    total = np.zeros(image.shape, dtype=np.uint16)
    for shift in range(3):
        total += np.roll(image, shift, axis=0)
    return (total // 3).astype(np.uint8), total.astype(np.uint64)


def test_classes_of_scalars_that_tensors_lack_are_dtypes() -> None:
    assert_same_in_all_calls(in_uint16, np.arange(250, 255, dtype=np.uint8))


def products(a, b):
    c = a * b
    d = a.T @ b + 1.0
    return c, d, a[0], (a > 0).any(axis=0), b[:, 1] if b.ndim == 2 else b


def scaled_by_a_scalar(x, k):
    y = x * 2.5
    return y + k * x, np.abs(y.astype(np.float32)) * k


def picked(x, i):
    out = np.zeros(3)
    for k in range(len(i)):
        out += x[:, i[k]].sum()
    return out, x[:, i[0]]


@pytest.mark.parametrize("function", [products, scaled_by_a_scalar, picked])
def test_subclasses_have_their_own_operators(function: Callable[..., Any]) -> None:
    square = np.arange(9.0).reshape(3, 3) - 4
    masked = np.ma.masked_array(square, mask=square % 4 == 0)
    others = {products: square, scaled_by_a_scalar: np.float64(2), picked: np.array([2, 0])}
    for x in (square.view(np.matrix), masked, square.view(np.memmap), square.astype(">f8"), square):
        other = others[function]
        assert_same_in_all_calls(function, x, other.view(type(x)) if other is square else other)


def test_one_function_serves_arrays_and_matrices() -> None:
    """What became native for arrays is not taken for matrices, nor the other way round."""

    def square(x):
        return x * x

    scripted = jl.script(square)
    array = np.arange(4.0).reshape(2, 2)
    for _ in range(4):
        np.testing.assert_array_equal(scripted(array), array * array)
        np.testing.assert_array_equal(scripted(array.view(np.matrix)), array @ array)
        assert scripted(array.astype(">f8")).dtype == np.float64


def loop_to(x):
    count = 0
    for k in range(x[0], x[1], x[2]):
        count += k
    return count, list(enumerate(x, x[0]))


@pytest.mark.parametrize("dtype", ["int64", "uint8", "uint64", "float64", "O", "bool", "complex64"])
def test_bounds_of_ranges_are_taken_as_python_takes_them(dtype: str) -> None:
    assert_same_in_all_calls(loop_to, np.array([1, 9, 3]).astype(dtype))
    assert_same_in_all_calls(loop_to, np.ones((3, 2), dtype))


def walked(x):
    count = 0
    for row in x:
        count += 1
        row = row + 1
    return count


@pytest.mark.parametrize("x", [np.float64(2), np.array(2.0), np.ones(3), np.ones((2, 3))], ids=str)
def test_walking_what_has_no_items_is_refused_as_by_python(x: Any) -> None:
    assert_same_in_all_calls(walked, x)


def reduced(x):
    y = np.exp(x - x.max(axis=-1, keepdims=True))
    return y / y.sum(axis=-1), y.mean(axis=0), x.max(axis=0).sum(axis=0)


def reduced_over_a_tuple(x):
    return x.max(axis=0).sum(axis=(0,))


def multiplied(x):
    return x.max(axis=0) @ x.max(axis=0)


def multiplied_by_name(x):
    return np.matmul(x.max(axis=0), x.max(axis=0))


@pytest.mark.parametrize(
    "function", [reduced, reduced_over_a_tuple, multiplied, multiplied_by_name]
)
@pytest.mark.parametrize("x", [np.float64(2), np.array(2.0), np.ones(3), np.ones((2, 3))], ids=str)
def test_scalars_are_reduced_and_multiplied_as_by_numpy(
    function: Callable[..., Any], x: Any
) -> None:
    assert_same_in_all_calls(function, x)


def between(x):
    return 1 if 0 < x[0] < 2 else 2, 0 <= x[0] <= 1 < 5


@pytest.mark.parametrize("x", [np.ones(2), np.ones((2, 2)), np.ones(2, "O"), np.ones(0)], ids=str)
def test_chains_of_comparisons_ask_numpy_for_the_truth(x: Any) -> None:
    assert_same_in_all_calls(between, x)


def as_complex(x):
    return complex(x[0], x[1]), complex(x[0]), complex(1.5, x[1]), complex(x[0], 2)


@pytest.mark.parametrize("dtype", ["float64", "int32", "complex64", "O"])
def test_complex_takes_two_elements(dtype: str) -> None:
    assert_same_in_all_calls(as_complex, np.array([2, 3]).astype(dtype))


def exchanged(x, k):
    p = k + np.argmax(x[k:])
    x[[k, p]] = x[[p, k]]
    return x, x[[p]], x[[p, p]]


def test_lists_of_indices_mix_ints_with_numpys() -> None:
    assert_same_in_all_calls(exchanged, np.array([3.0, 1.0, 4.0, 1.5]), 1)
    assert_same_in_all_calls(exchanged, np.arange(6).reshape(3, 2), 0)


def read_behind(x, i):
    return x[i], x[i, :], x[:, i]


def test_indices_out_of_range_are_worded_as_by_numpy() -> None:
    for x in (np.ones((3, 2)), np.ones((2, 3)), np.ones((0, 2)), np.ones((2, 3, 2)), np.ones(4)):
        assert_same_in_all_calls(read_behind, x, 2)


def methods_of_functions(x):
    outer = np.multiply.outer(x, x[:2])
    return np.add.reduce(x), np.maximum.accumulate(x), outer, np.add.reduceat(x, [0, 2])


def test_methods_of_numpys_functions() -> None:
    assert_same_in_all_calls(methods_of_functions, np.array([3.0, 1.0, 4.0, 1.5]))
    assert_same_in_all_calls(methods_of_functions, np.arange(4))


def compared_with_text(x):
    found = 0
    for word in x:
        if word == "a" or "c" > word > "b":
            found += 1
    return found, x == "a", x[x != "a"], "bb" in x, "a" == x[0], f"{x[0]}%s" % x[-1]


def test_arrays_of_strings_are_compared_with_strings() -> None:
    assert_same_in_all_calls(compared_with_text, np.array(["a", "bb", "c"]))
    assert_same_in_all_calls(compared_with_text, np.array(["a", "bb", "c"], "O"))
    assert_same_in_all_calls(compared_with_text, np.ones(2))
