"""The array surface: programs over a vector, as NumPy users write them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy_oracle import VECTORS, assert_rows_of_torch, assert_same


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


@pytest.mark.parametrize("x", VECTORS, ids=lambda x: str(x.dtype))
@pytest.mark.parametrize("function", VECTOR_FUNCTIONS, ids=lambda f: f.__name__)
def test_programs_over_vectors(function: Callable[..., Any], x: Any) -> None:
    assert_same(function, x)


def test_float_arithmetic_uses_rows_of_torch() -> None:
    assert_rows_of_torch(gelu, VECTORS[0])
