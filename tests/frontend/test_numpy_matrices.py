"""The array surface: programs over matrices, as NumPy users write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy_oracle import assert_rows_of_torch, assert_same

RNG = np.random.default_rng(20)


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

MATRICES = [
    RNG.standard_normal((4, 3)).astype(np.float32),
    RNG.standard_normal((4, 3)),
    RNG.integers(-3, 4, (4, 3)),
    RNG.integers(0, 3, (4, 3)).astype(np.int16),
]


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


@pytest.mark.parametrize(("function", "x"), [(layer_norm, MATRICES[1]), (row_softmax, MATRICES[0])])
def test_float_arithmetic_uses_rows_of_torch(function: Callable[..., Any], x: Any) -> None:
    assert_rows_of_torch(function, x)
