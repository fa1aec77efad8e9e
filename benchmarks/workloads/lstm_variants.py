"""Two cells that no library has: LSTM with multiplicative integration, and with layer
normalisation.

Sources: Wu et al., "On Multiplicative Integration with Recurrent Neural Networks", 2016; Ba et al.,
"Layer Normalization", 2016. Shapes as in `benchmarks.workloads.lstm`; what is not a matrix is
(4H,), or (H,) for the normalised cell state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import jitlang as torch
from benchmarks import peers
from benchmarks.harness import Variant, Workload, close
from benchmarks.peers import (
    Function,
    jax,
    jax_variants,
    jitlang_variants,
    never_slower,
    torch_variants,
)
from benchmarks.statistics import Target
from benchmarks.workloads.lstm import STEPS, lstm_inputs, sigmoid
from jitlang import Tensor

FEATURES, HIDDEN, BATCH = 128, 256, 32


def mi_lstm_cell(
    x: Tensor,
    hidden: tuple[Tensor, Tensor],
    params: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    hx, cx = hidden
    w_ih, w_hh, b, alpha, beta1, beta2 = params
    wx = x @ w_ih
    uh = hx @ w_hh
    gates = alpha * wx * uh + beta1 * wx + beta2 * uh + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy


def mi_lstm(
    xs: Tensor,
    hidden: tuple[Tensor, Tensor],
    params: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        hidden = mi_lstm_cell(x, hidden, params)
        outputs.append(hidden[0])
    return torch.stack(outputs), hidden


def mi_gates_of_arrays(
    x: np.ndarray, hx: np.ndarray, params: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
    w_ih, w_hh, b, alpha, beta1, beta2 = params
    wx, uh = x @ w_ih, hx @ w_hh
    gates = alpha * wx * uh + beta1 * wx + beta2 * uh + b
    i, f, g, o = np.split(gates, 4, axis=1)
    return i, f, g, o


def mi_lstm_of_arrays(xs: np.ndarray, hidden: Any, params: tuple[np.ndarray, ...]) -> Any:
    hx, cx = hidden
    outputs = []
    for x in xs:
        i, f, g, o = mi_gates_of_arrays(x, hx, params)
        cx = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
        hx = sigmoid(o) * np.tanh(cx)
        outputs.append(hx)
    return np.stack(outputs), (hx, cx)


def mi_lstm_jax(xs, hidden, params):  # noqa: ANN001, ANN201
    w_ih, w_hh, b, alpha, beta1, beta2 = params
    sigmoid, tanh = jax.nn.sigmoid, jax.numpy.tanh

    def cell(state, x):  # noqa: ANN001, ANN202
        hx, cx = state
        wx, uh = x @ w_ih, hx @ w_hh
        gates = alpha * wx * uh + beta1 * wx + beta2 * uh + b
        i, f, g, o = jax.numpy.split(gates, 4, axis=1)
        cy = sigmoid(f) * cx + sigmoid(i) * tanh(g)
        hy = sigmoid(o) * tanh(cy)
        return (hy, cy), hy

    last, outputs = jax.lax.scan(cell, hidden, xs)
    return outputs, last


def normalized(x: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    variance = (centred * centred).mean(1, keepdim=True)
    return centred / torch.sqrt(variance + 1e-5)


def ln_lstm_cell(
    x: Tensor,
    hidden: tuple[Tensor, Tensor],
    params: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    hx, cx = hidden
    w_ih, w_hh, b, gain_x, gain_h, gain_c = params
    gates = normalized(x @ w_ih) * gain_x + normalized(hx @ w_hh) * gain_h + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * (normalized(cy) * gain_c).tanh(), cy


def ln_lstm(
    xs: Tensor,
    hidden: tuple[Tensor, Tensor],
    params: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        hidden = ln_lstm_cell(x, hidden, params)
        outputs.append(hidden[0])
    return torch.stack(outputs), hidden


def normalized_array(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(1, keepdims=True)
    variance = (centred * centred).mean(1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5)


def ln_lstm_of_arrays(xs: np.ndarray, hidden: Any, params: tuple[np.ndarray, ...]) -> Any:
    hx, cx = hidden
    w_ih, w_hh, b, gain_x, gain_h, gain_c = params
    outputs = []
    for x in xs:
        gates = normalized_array(x @ w_ih) * gain_x + normalized_array(hx @ w_hh) * gain_h + b
        i, f, g, o = np.split(gates, 4, axis=1)
        cx = sigmoid(f) * cx + sigmoid(i) * np.tanh(g)
        hx = sigmoid(o) * np.tanh(normalized_array(cx) * gain_c)
        outputs.append(hx)
    return np.stack(outputs), (hx, cx)


def ln_lstm_jax(xs, hidden, params):  # noqa: ANN001, ANN201
    w_ih, w_hh, b, gain_x, gain_h, gain_c = params
    sigmoid, tanh = jax.nn.sigmoid, jax.numpy.tanh

    def normalized(x):  # noqa: ANN001, ANN202
        centred = x - x.mean(1, keepdims=True)
        variance = (centred * centred).mean(1, keepdims=True)
        return centred / jax.numpy.sqrt(variance + 1e-5)

    def cell(state, x):  # noqa: ANN001, ANN202
        hx, cx = state
        gates = normalized(x @ w_ih) * gain_x + normalized(hx @ w_hh) * gain_h + b
        i, f, g, o = jax.numpy.split(gates, 4, axis=1)
        cy = sigmoid(f) * cx + sigmoid(i) * tanh(g)
        hy = sigmoid(o) * tanh(normalized(cy) * gain_c)
        return (hy, cy), hy

    last, outputs = jax.lax.scan(cell, hidden, xs)
    return outputs, last


def workload(name: str, ours: Function, numpy: Function, in_jax: Function, last: int) -> Workload:
    peer_variants = {
        "numpy": Variant(numpy),
        **torch_variants(ours),
        **jax_variants(in_jax, donated=(1,)),
    }
    vectors = (4 * HIDDEN,), (4 * HIDDEN,), (last,)
    return Workload(
        name=f"{name} {FEATURES}/{HIDDEN}, {STEPS} steps, batch {BATCH}",
        variants={**peer_variants, **jitlang_variants(ours)},
        inputs=lstm_inputs(FEATURES, HIDDEN, BATCH, vectors),
        targets=[
            Target("jitlang", peers.names(peer_variants)),
            never_slower("jitlang", "undecorated"),
        ],
        seconds=4.0,
        check=close(1e-3),
    )


def multiplicative() -> Workload:
    return workload("MI-LSTM", mi_lstm, mi_lstm_of_arrays, mi_lstm_jax, 4 * HIDDEN)


def layer_norm() -> Workload:
    return workload("LayerNorm-LSTM", ln_lstm, ln_lstm_of_arrays, ln_lstm_jax, HIDDEN)
