"""The cells of `demo.cells` as one would write them in plain Python on NumPy arrays."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
State = tuple[Array, Array]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def lstm_cell(x: Array, hidden: State, params: tuple[Array, ...]) -> State:
    hx, cx = hidden
    w_ih, w_hh, b = params
    gates = x @ w_ih + hx @ w_hh + b
    i, f, g, o = np.split(gates, 4, axis=1)
    cy = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cy), cy


def mi_lstm_cell(x: Array, hidden: State, params: tuple[Array, ...]) -> State:
    hx, cx = hidden
    w_ih, w_hh, b, alpha, beta1, beta2 = params
    wx = x @ w_ih
    uh = hx @ w_hh
    gates = alpha * wx * uh + beta1 * wx + beta2 * uh + b
    i, f, g, o = np.split(gates, 4, axis=1)
    cy = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cy), cy


def lstm(xs: Array, hidden: State, params: tuple[Array, ...]) -> tuple[Array, State]:
    outputs = []
    for x in xs:
        hidden = lstm_cell(x, hidden, params)
        outputs.append(hidden[0])
    return np.stack(outputs), hidden


def mi_lstm(xs: Array, hidden: State, params: tuple[Array, ...]) -> tuple[Array, State]:
    outputs = []
    for x in xs:
        hidden = mi_lstm_cell(x, hidden, params)
        outputs.append(hidden[0])
    return np.stack(outputs), hidden
