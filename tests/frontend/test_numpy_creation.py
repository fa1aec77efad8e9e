"""Arrays that NumPy's functions create: native code makes them as NumPy does, layouts included, and
each call gives new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy_oracle import assert_same, kind_of

import jitlang as jl

RNG = np.random.default_rng(11)
CALLS = 6
"""More than it takes for a signature to settle."""


def of_shapes(x):
    n, m = x.shape
    out = x * 2
    return (
        out, np.zeros(n), np.zeros((n, m)), np.ones(x.shape), np.ones((m, 3), dtype=np.float32),
        np.zeros(n, int), np.zeros(n, dtype=x.dtype), np.ones((n, 1), bool), np.zeros((0, n)),
    )  # fmt: skip


def of_numbers(x):
    n = x.shape[0]
    return (
        x + 1, np.full(n, 2), np.full((n, 2), 0.1), np.full(n, True), np.full(n, 3, np.float32),
        np.full(x.shape, 0.1, dtype=np.float32), np.full_like(x, 7), np.full_like(x, 2.5, float),
    )  # fmt: skip


def like_others(x):
    return (
        x - 1, np.zeros_like(x), np.ones_like(x.T), np.zeros_like(x, dtype=np.int64),
        np.zeros_like(x[:, ::-1]), np.ones_like(x * 2, dtype=bool), np.zeros_like(x[0]),
    )  # fmt: skip


def ranges(x):
    n = x.shape[1]
    return (
        x * np.arange(n), np.arange(2, n), np.arange(n, 0, -2), np.eye(n), np.eye(2, n),
        np.identity(3), np.eye(n, dtype=np.float32) + x[0],
    )  # fmt: skip


def written(x):
    out = np.zeros_like(x)
    out[1:-1] = 0.5 * (x[2:] + x[:-2])
    total = np.zeros(x.shape[1])
    for row in range(x.shape[0]):
        total = total + x[row]
    ones = np.ones((2, x.shape[1]))
    ones[0] = total
    filled = np.empty((2, x.shape[0], x.shape[1]))
    filled[0] = x
    filled[1] = -x
    return out, total, ones, filled


def steps(x):
    y, mask = np.ones_like(x), np.full(x.shape, 0.5)
    for _ in range(4):
        y = 0.5 * (y + np.abs(x) / y) * mask
    return y


FUNCTIONS = [of_shapes, of_numbers, like_others, ranges, written, steps]
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "rows": np.ascontiguousarray, "columns": np.asfortranarray,
    "every-second": lambda x: np.repeat(x, 2, 1)[:, ::2], "permuted": lambda x: x.T.copy().T,
}  # fmt: skip


def assert_equal(got: Any, wanted: Any) -> None:
    assert kind_of(got) == kind_of(wanted)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.strides == b.strides and a.flags.writeable


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_every_call_gives_new_arrays_laid_out_as_numpy_does(
    function: Callable[..., Any], layout: str
) -> None:
    x = LAYOUTS[layout](RNG.normal(0, 5, (5, 4)))
    scripted, wanted = jl.script(function), function(x)
    results = wanted if isinstance(wanted, tuple) else (wanted,)
    for _ in range(CALLS):
        got = scripted(x)
        got = got if isinstance(got, tuple) else (got,)
        assert_equal(got, results)
        for array in got:
            array[...] = 9  # of which later calls must see nothing


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("function", FUNCTIONS[:-1], ids=lambda f: f.__name__)
def test_creations_are_native(function: Callable[..., Any], kind: Any) -> None:
    x = RNG.normal(0, 5, (5, 4)).astype(kind)
    scripted = jl.script(function)
    scripted.compile(x)
    if kind is not np.float64 and function is written:
        return  # stores of another dtype
    (version,) = scripted.explain().versions
    assert not version.callbacks
    assert_equal(scripted(x), function(x))


def moved(x):
    out = np.zeros(x.shape)
    out[1:] = x[:-1] * 2
    return out


def test_sizes_may_vary() -> None:
    scripted = jl.script(moved)
    for n in [3, 4, 5, 6, 7, 8, 30, 2, 1, 0, 1000, 9] * 3:
        x = RNG.normal(0, 1, n)
        assert_equal([scripted(x)], [moved(x)])


def of_size(x, n):
    return x * 2 + 1, np.zeros(n)


def of_negative_range(x):
    return x * 2 + 1, np.arange(5, 0), np.zeros(x.shape[0] - 3)


def text(x):
    return np.zeros(x.shape[0], dtype="float32"), np.full(3, x), np.zeros_like(x[0])


def ordered(x):
    return np.zeros(x.shape, order="F"), np.ones_like(x, order="C"), np.full_like(x, 1, shape=3)


def test_what_is_not_native_is_what_numpy_gives() -> None:
    x = np.ones(3)
    assert_same(of_size, x, -1)
    assert_same(of_size, x, 4)
    assert_same(of_negative_range, x)
    assert_same(of_negative_range, np.ones(2))
    assert_same(text, x)
    assert_same(ordered, np.asfortranarray(np.ones((2, 3))))
