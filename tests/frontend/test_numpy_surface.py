"""The array surface: functions as NumPy users write them give what they give undecorated.

Each function is called scripted and plain, with equal arguments. Results must agree in kind
(array, NumPy scalar, Python number, tuple), dtype, shape and values; exceptions in their classes;
arguments must be left in equal states. Integers, booleans and copies agree exactly, floats within a
few units of the last place, for reductions may add in another order.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang.errors import FallbackWarning

RNG = np.random.default_rng(20)
EPS = {np.dtype(np.float16): 2e-3, np.dtype(np.float32): 2e-6, np.dtype(np.complex64): 2e-6}


def kind_of(value: Any) -> Any:
    """What must agree exactly: classes, dtypes, shapes, lengths."""
    if isinstance(value, tuple | list):
        return type(value), [kind_of(part) for part in value]
    if isinstance(value, dict):
        return dict, {key: kind_of(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return np.ndarray, value.dtype, value.shape
    return type(value)


def assert_close(got: Any, wanted: Any) -> None:
    if isinstance(wanted, tuple | list):
        for a, b in zip(got, wanted, strict=True):
            assert_close(a, b)
    elif isinstance(wanted, dict):
        assert_close(list(got.values()), list(wanted.values()))
    elif isinstance(wanted, np.ndarray | np.generic) and wanted.dtype.kind in "fc":
        bound = EPS.get(wanted.dtype, 1e-12)
        np.testing.assert_allclose(got, wanted, rtol=bound, atol=bound)
    elif isinstance(wanted, np.ndarray):
        np.testing.assert_array_equal(got, wanted)
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, rel=1e-12, nan_ok=True)
    else:
        assert got == wanted


def outcome(function: Callable[..., Any], args: Sequence[Any]) -> tuple[Any, Any, list[Any]]:
    """The result or the class of the exception, and the arguments afterwards."""
    given = copy.deepcopy(list(args))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", FallbackWarning)
        try:
            return function(*given), None, given
        except jl.CompileError:
            raise
        except Exception as error:
            return None, error, given


def assert_same(function: Callable[..., Any], *args: Any) -> None:
    """The scripted function does what the plain one does."""
    wanted, wanted_error, wanted_args = outcome(function, args)
    got, error, got_args = outcome(jl.script(function), args)
    if wanted_error is not None or error is not None:
        assert isinstance(error, type(wanted_error)), (error, wanted_error)
        assert isinstance(wanted_error, type(error)) or type(wanted_error).__module__ == "numpy"
    assert kind_of(got) == kind_of(wanted)
    assert_close(got, wanted)
    assert_close(got_args, wanted_args)


# Programs over a vector ---------------------------------------------------------------------------


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / e.sum()


def log_sum_exp(x):
    top = x.max()
    return top + np.log(np.sum(np.exp(x - top)))


def sigmoid_by_sign(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


def leaky(x, slope=0.1):
    return np.where(x > 0, x, slope * x)


def relu_in_place(x):
    y = x.copy()
    y[y < 0] = 0
    return y


def standardise(x):
    return (x - x.mean()) / (x.std() + 1e-5)


def running_sum(x):
    total = 0.0
    for value in x:
        total += value
    return total


def running_count(x):
    total = 0
    for value in x:
        total += value
    return total


def running_statistics(x):
    mean = 0.0
    m2 = 0.0
    count = 0
    for value in x:
        count += 1
        delta = value - mean
        mean += delta / count
        m2 += delta * (value - mean)
    return mean, m2 / count


def running_maximum(x):
    best = -np.inf
    for value in x:
        if value > best:
            best = value
    return best


def prefix_sums(x):
    out = np.zeros(len(x) + 1, dtype=x.dtype)
    for i in range(len(x)):
        out[i + 1] = out[i] + x[i]
    return out


def moving_average(x):
    window = 3
    sums = np.cumsum(np.insert(x, 0, 0))
    return (sums[window:] - sums[:-window]) / window


def convolution(x):
    kernel = np.array([1, 0, -1])
    out = np.zeros(x.shape[0] - kernel.shape[0] + 1)
    for i in range(out.shape[0]):
        for j in range(kernel.shape[0]):
            out[i] += x[i + j] * kernel[kernel.shape[0] - 1 - j]
    return out, np.convolve(x, kernel, mode="valid")


def histogram(x):
    counts = np.zeros(4, dtype=np.int64)
    low, high = x.min(), x.max()
    for value in x:
        at = int((value - low) / (high - low) * 4)
        counts[min(at, 3)] += 1
    return counts


def numpy_histogram(x):
    counts, edges = np.histogram(x, bins=4)
    return counts, edges


def top_k(x):
    order = np.argsort(-x, kind="stable")[:3]
    return x[order], order


def top_k_reversed(x):
    return np.sort(x)[::-1][:3]


def median_by_sorting(x):
    y = np.sort(x)
    n = len(y)
    if n % 2 == 1:
        return y[n // 2]
    return (y[n // 2 - 1] + y[n // 2]) / 2


def one_hot(x):
    labels = np.clip(np.abs(x).astype(int), 0, 3)
    return np.eye(4)[labels]


def one_hot_by_loops(x):
    out = np.zeros((len(x), 4))
    for i, value in enumerate(x):
        out[i, int(abs(value)) % 4] = 1
    return out


def polynomial(x):
    result = np.zeros_like(x)
    for coefficient in (3, -2, 1):
        result = result * x + coefficient
    return result


def finite_difference(x):
    return np.diff(x), x[1:] - x[:-1], np.gradient(x.astype(float))


def interpolated(x):
    grid = np.linspace(0.0, 1.0, len(x))
    return np.interp([0.1, 0.5, 0.9], grid, x)


def bubble_sort(x):
    y = x.copy()
    for i in range(len(y)):
        for j in range(len(y) - 1 - i):
            if y[j] > y[j + 1]:
                y[j], y[j + 1] = y[j + 1], y[j]
    return y


def reversed_pairs(x):
    return [(a, b) for a, b in zip(x, x[::-1])]


def signs(x):
    positive = x[x > 0]
    negative = x[x < 0]
    return positive.size, negative.sum(), np.count_nonzero(x == 0), np.sign(x)


def entropy(x):
    p = np.abs(x) / np.abs(x).sum()
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def huber(x):
    size = np.abs(x)
    return np.mean(np.where(size < 1.0, 0.5 * x**2, size - 0.5))


def binary_search(x):
    y = np.sort(x)
    low, high = 0, len(y)
    wanted = y[len(y) // 3]
    while low < high:
        middle = (low + high) // 2
        if y[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low, np.searchsorted(y, wanted)


def exponential_average(x):
    out = []
    state = x[0]
    for value in x:
        state = 0.9 * state + 0.1 * value
        out.append(state)
    return np.array(out)


def extremes(x):
    return x.max(), x.min(), x.argmax(), x.argmin(), np.ptp(x), max(x), min(x)


def autocorrelation(x):
    y = x - x.mean()
    n = y.shape[0]
    return np.array([np.dot(y[: n - lag], y[lag:]) / n for lag in range(3)])


def clipped(x):
    return np.clip(x, a_min=-1, a_max=None), np.clip(x, -1, 1), x.clip(0, 2), x.clip(min=0)


def dft(x):
    n = len(x)
    k = np.arange(n)
    basis = np.exp(-2j * np.pi * np.outer(k, k) / n)
    return np.abs(basis @ x)


def unique_counts(x):
    values, counts = np.unique(np.floor(x), return_counts=True)
    return values[np.argmax(counts)], values, counts


def conversions(x):
    return float(x[0]), int(x[0]), x[0].item(), bool(x[0]), x.tolist(), list(x)


def python_numbers(x):
    return sum(x), abs(x[0]), round(float(x[0]), 2), math.sqrt(abs(x[0])), x[0] > 0


VECTOR_FUNCTIONS = [
    gelu, softmax, log_sum_exp, sigmoid_by_sign, leaky, relu_in_place, standardise, running_sum,
    running_count, running_statistics, running_maximum, prefix_sums, moving_average, convolution,
    histogram, numpy_histogram, top_k, top_k_reversed, median_by_sorting, one_hot,
    one_hot_by_loops, polynomial, finite_difference, interpolated, bubble_sort, reversed_pairs,
    signs, entropy, huber, binary_search, exponential_average, extremes, autocorrelation, clipped,
    dft, unique_counts, conversions, python_numbers,
]  # fmt: skip


# Programs over a matrix ---------------------------------------------------------------------------


def layer_norm(x):
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


def row_softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cosine_similarity(x):
    norms = np.sqrt((x**2).sum(axis=1))
    return (x @ x.T) / (norms[:, None] * norms[None, :] + 1e-9)


def distances(x):
    differences = x[:, np.newaxis, :] - x[np.newaxis, :, :]
    return np.sqrt((differences**2).sum(-1))


def k_means_step(x):
    centres = x[:2].astype(np.float64)
    squared = ((x[:, None] - centres[None]) ** 2).sum(axis=2)
    labels = squared.argmin(axis=1)
    for k in range(2):
        if (labels == k).any():
            centres[k] = x[labels == k].mean(axis=0)
    return centres, labels


def power_iteration(x):
    centred = x - x.mean(axis=0)
    covariance = centred.T @ centred
    v = np.ones(x.shape[1]) / np.sqrt(x.shape[1])
    for _ in range(20):
        v = covariance @ v
        v /= np.linalg.norm(v)
    return np.abs(v), v @ covariance @ v


def game_of_life(x):
    board = (x > 0).astype(int)
    neighbours = np.zeros_like(board)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            if i != 0 or j != 0:
                neighbours += np.roll(np.roll(board, i, axis=0), j, axis=1)
    return ((neighbours == 3) | ((board == 1) & (neighbours == 2))).astype(int)


def mandelbrot(x):
    c = x + 1j * x[::-1]
    z = np.zeros_like(c)
    steps = np.zeros(c.shape, dtype=int)
    for _ in range(10):
        alive = np.abs(z) <= 2
        z[alive] = z[alive] ** 2 + c[alive]
        steps += alive
    return steps


def linear_layer(x):
    w = np.full((x.shape[1], 2), 0.5, dtype=np.float32)
    b = np.zeros(2, dtype=np.float32)
    return np.maximum(x @ w + b, 0)


def row_totals(x):
    total = 0
    for row in x:
        total += row
    return total


def row_totals_from_zeros(x):
    total = np.zeros(x.shape[1])
    for row in x:
        total += row
    return total


def filled(x):
    y = np.empty_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] * 2 + i - j
    return y


def matmul_by_loops(x):
    n, m = x.shape
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(m):
                total += x[i, k] * x[j, k]
            out[i, j] = total
    return out, np.allclose(out, x @ x.T)


def blur(x):
    padded = np.pad(x, 1, mode="edge")
    return (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4


def jacobi_step(x):
    y = x.copy()
    y[1:-1, 1:-1] = 0.25 * (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:])
    return y


def summaries(x):
    return x.sum(), x.sum(0), x.sum(axis=(0, 1)), x.prod(axis=1), x.cumsum(), x.cumprod(axis=0)


def moments(x):
    return np.mean(x), np.var(x, axis=0), np.std(x, ddof=1), np.median(x, axis=1)


def shapes(x):
    return x.reshape(-1), x.reshape(2, -1), x.ravel(), x.flatten(), x.T, x.transpose(1, 0)


def attributes(x):
    return (
        x.shape,
        x.ndim,
        x.size,
        x.itemsize,
        x.nbytes,
        x.strides,
        x.real,
        x.imag,
        x.dtype == np.float32,
    )


def joins(x):
    return (
        np.vstack([x, x]),
        np.hstack((x, x)),
        np.concatenate([x, x], axis=1),
        np.stack([x, x], -1),
    )


def copies(x):
    return np.tile(x, (2, 1)), np.repeat(x, 2, axis=0), np.broadcast_to(x[0], x.shape), x.repeat(2)


def splits(x):
    a, b = np.split(x, 2)
    return a, b, np.array_split(x[0], 2), [part.shape for part in np.vsplit(x, 2)]


def slices(x):
    return x[::-1], x[:, ::-2], x[1:, :2], x[-1], x[..., 0], x[None], x[1, 2], x[:0]


def fancy(x):
    return (
        x[[0, 2]],
        x[[0, 1], [1, 0]],
        x[:, [0, 2]],
        x[x > 0],
        x[np.array([1, 0])],
        x[np.arange(2)],
    )


def stores(x):
    y = x.copy()
    y[0] = 1
    y[:, 1] = y[:, 0]
    y[1, 1] += 3
    y[-1, ::2] = [5, 6]
    y[y > 2] *= 2
    return y


def views(x):
    y = x.reshape(-1)
    y[0] = 9
    x.T[1, 0] = 8
    z = x[1:]
    z += 1
    return x


def updates(x):
    y = x.copy()
    y.sort(axis=1)
    z = x.copy()
    z.fill(3)
    return y, z


def unpacked(x):
    first, *rest = x
    n, m = x.shape
    return first, len(rest), rest[-1], n * m


def einsums(x):
    return np.einsum("ij,kj->ik", x, x), np.einsum("ij->j", x), np.outer(x[0], x[1]), np.trace(x)


def dots(x):
    return (
        np.dot(x, x.T),
        x.dot(x[0]),
        np.inner(x, x),
        np.vdot(x, x),
        np.matmul(x, x.T),
        x[0] @ x[1],
    )


def lookups(x):
    return (
        np.take(x, [0, 1], axis=1),
        np.where(x > 0),
        np.argwhere(x > 0),
        x.nonzero(),
        x.diagonal(),
    )


def comprehension(x):
    return np.array([row.sum() for row in x]), [row[0] for row in x if row[0] > 0]


def gram_schmidt(x):
    basis = []
    for v in x[:2].astype(float):
        w = v.copy()
        for b in basis:
            w = w - np.dot(v, b) * b
        basis.append(w / np.sqrt(np.dot(w, w)))
    return np.array(basis)


def triangles(x):
    return np.tril(x), np.triu(x, 1), np.eye(2), np.diag(x[0]), np.identity(3, dtype=np.float32)


def logic(x):
    inside = (x > -1) & (x < 1)
    return (
        inside,
        ~inside,
        inside | (x == 2),
        np.logical_not(inside),
        inside.all(),
        inside.any(axis=0),
    )


def choices(x):
    return np.where(x > 0, 1, -1), np.where(x > 0, x, 0.5), np.select([x > 1, x < 0], [x, -x], 0)


def creations(x):
    n = len(x)
    return np.arange(n), np.arange(0.0, 1.0, 0.25), np.ones((n, 2), dtype=x.dtype), np.full(n, 7)


def types(x):
    return x.astype(float), x.astype(np.float32), x.astype("int16"), np.float32(x[0, 0]), np.int8(3)


MATRIX_FUNCTIONS = [
    layer_norm, row_softmax, cosine_similarity, distances, k_means_step, power_iteration,
    game_of_life, mandelbrot, linear_layer, row_totals, row_totals_from_zeros, filled,
    matmul_by_loops, blur, jacobi_step, summaries, moments, shapes, attributes, joins, copies,
    splits, slices, fancy, stores, views, updates, unpacked, einsums, dots, lookups, comprehension,
    gram_schmidt, triangles, logic, choices, creations, types,
]  # fmt: skip

VECTORS = [
    np.float32([0.5, -1.25, 3.0, 2.0, -0.75, 1.5, 0.0]),
    RNG.standard_normal(8),
    np.array([3, -1, 4, 1, -5, 9, 2]),
    np.array([2, 7, 1, 8, 2], dtype=np.int32),
    np.array([5, 3, 5, 8, 9], dtype=np.uint8),
]
MATRICES = [
    RNG.standard_normal((4, 3)).astype(np.float32),
    RNG.standard_normal((4, 3)),
    RNG.integers(-3, 4, (4, 3)),
    RNG.integers(0, 3, (4, 3)).astype(np.int16),
]


@pytest.mark.parametrize("x", VECTORS, ids=lambda x: str(x.dtype))
@pytest.mark.parametrize("function", VECTOR_FUNCTIONS, ids=lambda f: f.__name__)
def test_programs_over_vectors(function: Callable[..., Any], x: Any) -> None:
    assert_same(function, x)


@pytest.mark.parametrize("x", MATRICES, ids=lambda x: str(x.dtype))
@pytest.mark.parametrize("function", MATRIX_FUNCTIONS, ids=lambda f: f.__name__)
def test_programs_over_matrices(function: Callable[..., Any], x: Any) -> None:
    assert_same(function, x)


def lstm_cell(x, h, c, w, u, b):
    gates = x @ w + h @ u + b
    i, f, g, o = np.split(gates, 4, axis=-1)
    c = 1 / (1 + np.exp(-f)) * c + 1 / (1 + np.exp(-i)) * np.tanh(g)
    return 1 / (1 + np.exp(-o)) * np.tanh(c), c


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_lstm_cell(dtype: Any) -> None:
    shapes = [(2, 3), (2, 4), (2, 4), (3, 16), (4, 16), (16,)]
    assert_same(lstm_cell, *(RNG.standard_normal(shape).astype(dtype) for shape in shapes))


def typed(x: np.ndarray, y: np.ndarray, scale: float = 2.0) -> np.ndarray:
    return (x - y) / scale


def test_annotated_functions() -> None:
    assert_same(typed, np.float32([1, 2]), np.array([1.0, 3.0]))
    assert_same(typed, np.arange(3), np.int8([1, 2, 3]), 3)


# Operators ----------------------------------------------------------------------------------------


def number_first(x):
    return 7 // x, 7 % x, 7 - x, 7 / x, 2**x, 7.5 // x, 7.5 % x, 7 < x, 7 == x


def number_last(x):
    return x // 2, x % 3, x - 1, x / 2, x**2, x * 1.5, x + True, x > 1, x != 2, x**0.5


def bits(x):
    return 1 << x, x << 2, x >> 1, x & 3, 3 | x, x ^ x, ~x


def by_zero(x):
    return x // 0, x % 0, x / 0, 1 // (x - x), 1 % (x - x)


def squared(x):
    return x**2, x**-1, x**0.5, x**3, np.power(x, 2), x**1.5


def mixed(x, y):
    return x + y, x * y, x / y, x - y, x // y, x % y, x**y, x < y, x == y, np.maximum(x, y)


def unary(x):
    return -x, +x, abs(x), np.negative(x), np.abs(x), np.square(x)


SCALAR_DTYPES = [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]
FLOATS = [np.float16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", [*SCALAR_DTYPES, *FLOATS])
def test_operators_with_numbers(dtype: Any) -> None:
    x = np.array([1, 2, 3, 5], dtype)
    for function in (number_first, number_last, unary):
        assert_same(function, x)
        assert_same(function, x[1])
        assert_same(function, x[1:2].reshape(()))
    for function in (bits, by_zero) if dtype in SCALAR_DTYPES else (squared, by_zero):
        assert_same(function, x)


@pytest.mark.parametrize("a", [np.bool_, *SCALAR_DTYPES, *FLOATS, np.complex64])
@pytest.mark.parametrize("b", [np.bool_, np.int8, np.int64, np.uint64, np.float32, np.float64])
def test_operators_of_two_arrays(a: Any, b: Any) -> None:
    x, y = np.array([1, 2, 3], a), np.array([1, 3, 2], b)
    for name, operator in {
        "add": lambda x, y: x + y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
        "sub": lambda x, y: x - y, "floor": lambda x, y: x // y, "mod": lambda x, y: x % y,
        "pow": lambda x, y: x**y, "and": lambda x, y: x & y, "lt": lambda x, y: x < y,
        "eq": lambda x, y: x == y,
    }.items():  # fmt: skip
        wanted = outcome(operator, (x, y))[:2]
        got = outcome(SCRIPTED[name], (x, y))[:2]
        assert type(got[1]) is type(wanted[1]), name
        assert kind_of(got[0]) == kind_of(wanted[0]), name
        if wanted[1] is None:
            assert_close(got[0], wanted[0])


def add(x, y):
    return x + y


def mul(x, y):
    return x * y


def div(x, y):
    return x / y


def sub(x, y):
    return x - y


def floor(x, y):
    return x // y


def mod(x, y):
    return x % y


def power(x, y):
    return x**y


def both(x, y):
    return x & y


def less(x, y):
    return x < y


def equal(x, y):
    return x == y


SCRIPTED = {
    "add": jl.script(add), "mul": jl.script(mul), "div": jl.script(div), "sub": jl.script(sub),
    "floor": jl.script(floor), "mod": jl.script(mod), "pow": jl.script(power),
    "and": jl.script(both), "lt": jl.script(less), "eq": jl.script(equal),
}  # fmt: skip


def add_in_place(x, y):
    x += y
    return x


def divide_in_place(x, y):
    x /= y
    return x


def shift_in_place(x, y):
    x <<= y
    x |= 1
    return x


@pytest.mark.parametrize("function", [add_in_place, divide_in_place, shift_in_place])
def test_in_place(function: Callable[..., Any]) -> None:
    for x in (np.arange(3), np.ones(3, np.float32), np.ones((2, 3)), np.float32(2), np.array(2.0)):
        for y in (2, 2.5, np.arange(3), np.ones(4), np.ones((2, 3))):
            assert_same(function, x, y)


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        got = jl.script(keywords_to_any)(VECTORS[0])
    assert kind_of(got) == kind_of(keywords_to_any(VECTORS[0]))
    assert_close(got, keywords_to_any(VECTORS[0]))


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


# What can be fused --------------------------------------------------------------------------------


def test_float_arithmetic_uses_rows_of_torch() -> None:
    """Elementwise work on floats must not run NumPy's own rows, or it could not be fused."""
    for function, x in ((gelu, VECTORS[0]), (layer_norm, MATRICES[1]), (row_softmax, MATRICES[0])):
        scripted = jl.script(function)
        scripted(x)
        kinds = {node.kind for node in scripted.graph.walk()}
        ours = {kind for kind in kinds if kind.startswith(("jit::numpy", "jit::array"))}
        assert ours <= {"jit::numpy", "jit::numpy_method"}, ours
