"""NumPy's functions and methods that become rows which can be fused: native code gives what NumPy
gives, dtypes and kinds included, and no call of these goes back to NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy_oracle import assert_close, assert_same, kind_of

import jitlang as jl

RNG = np.random.default_rng(7)


def casts(x, y):
    return (
        x.astype(np.float32),
        x.astype(np.float64) + 1,
        x.astype(y.dtype),
        x.astype(x.dtype),
        x.astype(bool),
        np.abs(x).astype(np.int16),
    )


def choices(x, y):
    return (
        np.maximum(x, y),
        np.minimum(y, x),
        np.maximum(x, 2),
        np.where(x > y, x, y),
        np.where(x > 0, y, 1),
    )


def joins(x, y):
    return np.stack((x, y)), np.concatenate((y, x), axis=1), np.stack((x > 0, y > 0), axis=-1)


def totals(x, y):
    return (
        x.sum(), y.max(), np.min(x), x.mean(), x.std(), np.var(y, ddof=1), (x > y).any(),
        np.all(x > -9), x.any(),
    )  # fmt: skip


def rows(x, y):
    return (
        x.sum(axis=0), x.max(axis=1), y.min(0), x.mean(axis=1, keepdims=True), x.std(axis=0),
        y.var(axis=(0, 1)), (x > y).any(axis=1), (x > y).all(0), np.std(x, axis=1, keepdims=True),
    )  # fmt: skip


def counts(x, y):
    return (x > 0).sum(), (x > y).mean(), (x > 0).sum(axis=1), np.mean(y > x, axis=0), np.sum(x > 2)


def products(x, y):
    return (
        np.prod(x[0] / 9), y[1].prod() / 7, np.prod(x / 9, axis=0), (y / 9).prod(1),
        np.outer(x[0], y[:, 1]), np.outer(x[0], x[1] + 1) + 1, np.trace(x), y.trace(),
    )  # fmt: skip


def norms(x, y):
    x, y = x / 2.0, y / 2.0
    return (
        np.linalg.norm(x), np.linalg.norm(x[0] - y[0]), np.linalg.norm(y, axis=1),
        x / np.linalg.norm(x, axis=0, keepdims=True), x / np.linalg.norm(y.T),
    )  # fmt: skip


def functions(x, y):
    return np.abs(x), np.square(y), np.negative(x), np.exp(y), np.sqrt(np.abs(x)), np.sin(x)


def with_numbers(x, y):
    return x * 2, y - 3, 3 - x, x + y, x > 1, (x > 0) & (y > 0), (x > 0) | (x > y)


def reversed_views(x, y):
    return x[::-1], (y + x)[::-1, 1:], x[:, ::-2], y[::-1] + x


KINDS = [(np.float64, np.float32), (np.int32, np.int64)]


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: "-".join(k.__name__ for k in kinds))
@pytest.mark.parametrize(
    "function",
    [
        casts, choices, joins, totals, rows, counts, products, norms, functions, with_numbers,
        reversed_views,
    ],  # fmt: skip
    ids=lambda f: f.__name__,
)
def test_native_code_gives_what_numpy_gives(function: Callable[..., Any], kinds: Any) -> None:
    x, y = (RNG.normal(0, 5, (5, 7)).astype(kind) for kind in kinds)
    scripted = jl.script(function)
    scripted.compile(x, y)
    (version,) = scripted.explain().versions
    assert not version.callbacks
    got, wanted = scripted(x, y), function(x, y)
    assert kind_of(got) == kind_of(wanted)
    assert_close(got, wanted)


def test_a_cast_to_the_own_dtype_is_a_copy() -> None:
    scripted = jl.script(casts)
    x = np.ones((2, 3))
    scripted.compile(x, x)
    same = scripted(x, x)[3]
    assert not np.shares_memory(same, x)


def too_large(x):
    return x * 300, x + 1


def by_argument(x, n):
    return x * n


def test_an_int_that_does_not_fit_raises_what_numpy_raises() -> None:
    assert_same(too_large, np.ones(3, np.int8))
    assert_same(by_argument, np.ones(3, np.int32), 2**40)
    assert_same(by_argument, np.ones(3, np.int32), 2)


def wrong_axis(x):
    return x.std(axis=2)


def wrong_axis_of_products(x):
    return np.prod(x, axis=2)


def wrong_axis_of_norms(x):
    return np.linalg.norm(x, axis=2)


def nothing(x):
    return x.max()


def sums_of_nothing(x):
    return x.prod(), np.linalg.norm(x), x.sum(), np.trace(x[:, None])


def test_bad_reductions_raise_what_numpy_raises() -> None:
    assert_same(wrong_axis, np.ones((2, 3)))
    assert_same(nothing, np.ones((0,), np.int64))
    assert_same(nothing, np.ones((0,)))
    assert_same(wrong_axis_of_products, np.ones((2, 3)))
    assert_same(wrong_axis_of_norms, np.ones((2, 3)))
    assert_same(sums_of_nothing, np.ones((0,)))


def rounded(x):
    return (
        np.round(x), np.round(x, 2), np.around(x, 1), x.round(), x.round(3), np.round(x, -1),
        np.round(x * 1e300, 10), np.round(x, 2) + np.floor(x) - np.ceil(x),
    )  # fmt: skip


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_floats_are_rounded_natively_as_numpy_rounds(kind: Any) -> None:
    x = np.concatenate((np.arange(-4, 4) / 2, RNG.normal(0, 50, 100), [np.nan, np.inf, 0.125]))
    scripted = jl.script(rounded)
    with np.errstate(all="ignore"):
        x = x.astype(kind)
        wanted = rounded(x)
        for _ in range(3):
            got = scripted(x)
            assert kind_of(got) == kind_of(wanted)
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(a, b)
    assert scripted.explain().versions[0].calls


def shifted(x, n):
    return (
        x << 1, x >> 2, x << n, x >> n, n << 3, 5 << n, -1 >> n, (x & 7) | (x >> 2) ^ (x << 1),
        x >> 100, np.left_shift(x, n), np.right_shift(x, 1),
    )  # fmt: skip


SHIFTED = [(np.int64, np.int64), (np.int32, np.int64), (np.int64, np.int8), (np.uint8, np.int32)]


@pytest.mark.parametrize("kinds", SHIFTED, ids=lambda kinds: "-".join(k.__name__ for k in kinds))
def test_integers_are_shifted_as_numpy_shifts(kinds: Any) -> None:
    x = RNG.integers(0, 120, 70).astype(kinds[0])
    x[::2] *= -1 if x.dtype.kind == "i" else 1
    n = np.resize([0, 1, 5, 31, 32, 63, 64, 100, -1, -3], 70).astype(kinds[1])
    scripted = jl.script(shifted)
    wanted = shifted(x, n)
    for _ in range(4):
        got = scripted(x, n)
        assert kind_of(got) == kind_of(wanted)
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


# Scalars ------------------------------------------------------------------------------------------


def of_reductions(x, y):
    return (
        x.sum() * 2, 1 / y.max(), (x - x.mean()) / (x.std() + 1e-5), x.sum() / x.size,
        -x.min() + abs(y.max()), x.max() - y.max(), np.exp(y.min()), x.sum() > 0.5,
        2.5 < y.mean(), 3 - y.sum(),
    )  # fmt: skip


def by_sign(x, y):
    return x + 1 if x.sum() > y.max() else x - 1


@pytest.mark.parametrize("function", [of_reductions, by_sign], ids=lambda f: f.__name__)
@pytest.mark.parametrize("kinds", [(np.float64, np.float32), (np.float32, np.float32)])
def test_scalars_are_computed_with_natively(function: Callable[..., Any], kinds: Any) -> None:
    x, y = (RNG.normal(0, 5, (5, 7)).astype(kind) for kind in kinds)
    scripted = jl.script(function)
    scripted.compile(x, y)
    (version,) = scripted.explain().versions
    assert not version.callbacks
    assert kind_of(scripted(x, y)) == kind_of(function(x, y))
    assert_close(scripted(x, y), function(x, y))


def scaled(x, k):
    return x * k + k, k + 1.5, k


@pytest.mark.parametrize("k", [np.float64(2), np.float32(0.5), np.int64(3), np.int8(-3)])
def test_scalars_are_arguments_of_native_code(k: Any) -> None:
    x = np.linspace(0, 1, 5, dtype=np.float32)
    scripted = jl.script(scaled)
    scripted.compile(x, k)
    got, wanted = scripted(x, k), scaled(x, k)
    assert kind_of(got) == kind_of(wanted) and got[2] is k
    assert_close(got, wanted)
    assert scripted.explain().versions[0].calls == 1


def stretched(k):
    return k.reshape(1), k * 2.0


def test_views_of_scalars_and_arrays_without_dimensions_stay_what_they_are() -> None:
    for value in (np.float64(3), np.array(3.0), np.array([3.0])[0:1].reshape(())):
        scripted = jl.script(stretched)
        for _ in range(4):
            assert kind_of(scripted(value)) == kind_of(stretched(value))
            assert scripted(value)[1] == 6


# Views --------------------------------------------------------------------------------------------


def moved(x):
    return x.T, x.reshape(-1)[1:], x.transpose(1, 0), np.swapaxes(x, 0, 1), np.transpose(x, (1, 0))


def reshaped(x):
    n, m = x.shape
    return x.reshape(n, m, 1) + x.reshape((n, 1, m)), x.T.reshape(2, -1) * 2, x.ndim * x.size


def copied(x):
    return x.copy(), x.T.copy(), np.dot(x, x.T), x[0].dot(x[1])


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "rows": np.ascontiguousarray, "columns": np.asfortranarray,
    "every-second": lambda x: np.repeat(x, 2, 1)[:, ::2],
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", [moved, reshaped, copied], ids=lambda f: f.__name__)
def test_views_are_native_and_share_what_numpys_share(
    function: Callable[..., Any], layout: str
) -> None:
    x = LAYOUTS[layout](RNG.normal(0, 5, (4, 6)))
    scripted = jl.script(function)
    scripted.compile(x)
    assert not scripted.explain().versions[0].callbacks
    for got, wanted in zip(scripted(x), function(x), strict=True):
        assert kind_of(got) == kind_of(wanted)
        assert_close(got, wanted)
        assert np.shares_memory(got, x) == np.shares_memory(wanted, x)
        assert getattr(got, "strides", None) == getattr(wanted, "strides", None)


def to_no_shape(x):
    return x.reshape(5, 5)


def wrong_order(x):
    return x.transpose(0, 2)


def test_bad_shapes_raise_what_numpy_raises() -> None:
    for function in (to_no_shape, wrong_order):
        assert_same(function, np.ones((2, 3)))
