"""The array surface: kinds of results, exceptions, values of unknown type."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy_oracle import VECTORS, assert_close, assert_same, kind_of, outcome
from test_numpy_operators import add, add_in_place, both, floor, sub

import jitlang as jl
from jitlang.errors import FallbackWarning

RNG = np.random.default_rng(20)


def typed(x: np.ndarray, y: np.ndarray, scale: float = 2.0) -> np.ndarray:
    return (x - y) / scale


def test_annotated_functions() -> None:
    assert_same(typed, np.float32([1, 2]), np.array([1.0, 3.0]))
    assert_same(typed, np.arange(3), np.int8([1, 2, 3]), 3)


# Kinds --------------------------------------------------------------------------------------------


def element(x):
    return x[0], x[0] + 1, x[0] * x[1], -x[0], x[0] == x[1]


def test_elements_are_scalars_of_numpy() -> None:
    for x in (*VECTORS, np.array([True, False]), np.array([1 + 2j, 3])):
        assert_same(element, x)


def empty_sum(x):
    total = 0.0
    for value in x:
        total += value
    return total, total / 2, -total, total > 0, total == 0


def test_a_number_that_a_loop_turns_into_an_array() -> None:
    """Zero trips leave the number; a Python float is weak beside float32."""
    for x in (np.zeros(0), np.ones(2, np.float32), np.ones((2, 2)), np.ones((0, 3))):
        assert_same(empty_sum, x)


def branches(x, n):
    if n > 1:
        start = 0.0
    else:
        start = x.sum()
    return start + n, np.maximum(start, 1)


def test_a_number_that_a_branch_turns_into_an_array() -> None:
    assert_same(branches, np.ones(2, np.float32), 1)
    assert_same(branches, np.ones(2, np.float32), 2)


def written_while_walked(x):
    seen = []
    for value in x:
        x[-1] = 7
        seen.append(value)
    return seen


def test_a_loop_sees_what_it_writes() -> None:
    assert_same(written_while_walked, np.arange(3))
    assert_same(written_while_walked, np.ones((3, 2)))


# Exceptions ---------------------------------------------------------------------------------------


def reshaped(x, n):
    return x.reshape(n)


def indexed(x, i):
    return x[i]


def stored(x, y):
    x[0] = y
    return x


def product(x, y):
    return x @ y


def joined(x, y):
    return np.concatenate([x, y])


def largest(x):
    return x.max()


def summed(x, axis):
    return x.sum(axis=axis), np.mean(x, axis)


def negated(x):
    return -x


def as_condition(x):
    if x:
        return 1
    return 0


def integer_power(x):
    return x**-2


def scaled(x, n):
    return x * n


def truth_of_comparison(x):
    while x > 0:
        x = x - 1
    return x


def three(x):
    a, b, c = x
    return a + b + c


FAILURES = [
    (add, np.ones(3), np.ones(4)), (add, np.zeros(1, np.int8), 300),
    (sub, np.array([True]), np.array([True])), (negated, np.array([True])),
    (integer_power, np.arange(3)), (reshaped, np.ones(6), 4), (reshaped, np.ones(6), (4, -1)),
    (product, np.ones((2, 3)), np.ones((2, 3))), (product, np.ones(3), 2),
    (joined, np.ones(2), np.ones((2, 2))), (largest, np.zeros(0)), (largest, np.zeros(0, int)),
    (summed, np.ones(3), 1), (summed, np.ones((2, 3)), (0, 0)), (indexed, np.ones(3), 3),
    (indexed, np.ones(3), 0.5), (indexed, np.ones((2, 2)), (0, 2)), (indexed, np.ones(()), 0),
    (stored, np.zeros(3, np.int8), 1000), (stored, np.ones((2, 2)), np.ones(3)),
    (as_condition, np.ones(2)), (truth_of_comparison, np.ones(2)), (three, np.ones(4)),
    (three, np.ones(2)), (both, np.ones(2), np.ones(2)), (scaled, np.uint8([1]), -1),
    (scaled, np.arange(2, dtype=np.int8), 128), (floor, np.ones(2) + 1j, 2),
    (add_in_place, np.arange(3), 1.5), (add_in_place, np.ones(3), np.ones((2, 3))),
]  # fmt: skip


@pytest.mark.parametrize(("function", "args"), [(f, args) for f, *args in FAILURES])
def test_exceptions_are_those_of_numpy(function: Callable[..., Any], args: Sequence[Any]) -> None:
    assert outcome(function, args)[1] is not None, "NumPy raises here"
    assert_same(function, *args)


def misspelt(x):
    return x.reshap(3)


def test_attributes_that_arrays_lack_are_refused() -> None:
    with pytest.raises(jl.CompileError, match="did you mean 'reshape'"):
        jl.script(misspelt)(np.ones(3))


# Values of unknown type ---------------------------------------------------------------------------


def of_any(n):
    values = np.random.default_rng(n).integers(0, 9, 4)
    return np.tanh(values), len(values), values.sum() + 1, abs(values[0]), max(values), values[1:3]


def eigen(x):
    values, vectors = np.linalg.eigh(x @ x.T)
    return values, np.abs(vectors)


def through_math(x):
    q, r = np.linalg.qr(x)
    return np.abs(q @ r), math.sqrt(abs(r[0, 0])), list(r[0])


@pytest.mark.fallback
def test_what_python_returns_goes_on() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = jl.script(of_any)(3)
    assert any(w.category is FallbackWarning for w in caught)
    assert kind_of(got) == kind_of(of_any(3))
    assert_close(got, of_any(3))


def keywords_to_any(x):
    rng = np.random.default_rng(1)
    return rng.normal(size=3) * x[:3], np.vectorize(abs)(x), list(map(float, x)), sum(v for v in x)


def early_return(x):
    if len(x) == 0:
        return 0.0
    return x.mean() or 3.0


@pytest.mark.fallback
def test_functions_and_keywords_reach_python() -> None:
    x = VECTORS[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        got = jl.script(keywords_to_any)(x)
    assert kind_of(got) == kind_of(keywords_to_any(x))
    assert_close(got, keywords_to_any(x))


def test_a_number_or_an_array_is_returned() -> None:
    for x in (np.zeros(0), np.zeros(2), np.ones(2, np.float32)):
        assert_same(early_return, x)


def test_named_results_of_linalg() -> None:
    x = RNG.standard_normal((3, 3))
    assert_same(eigen, x)
    assert_same(through_math, x)


def numbers_only(n):
    return (
        np.tanh(np.linspace(0.0, 1.0, n)),
        np.exp(2.0),
        np.add(1, 2),
        np.sqrt(n),
        np.zeros((n, 2)),
    )


def test_without_any_array() -> None:
    assert_same(numbers_only, 4)
