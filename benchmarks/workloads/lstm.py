"""An LSTM over a sequence, forward, as users write it: a cell, a loop over time, a list of outputs.

Shapes: T steps, a batch of B sequences, V inputs, H hidden units. `xs` is (T, B, V), each state
(B, H), `w_ih` (V, 4H), `w_hh` (H, 4H), `b` (4H,). The gates lie side by side: input, forget, cell,
output. All weights are fresh for each call, like all inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import jitlang as jl
from benchmarks import peers
from benchmarks.harness import Arguments, Variant, Workload, close
from benchmarks.models import lstm
from benchmarks.peers import (
    jax,
    jax_variants,
    jitlang_variants,
    never_slower,
    numba_variants,
    torch_variants,
)
from benchmarks.pool import Pool
from benchmarks.statistics import Target
from benchmarks.yardsticks import product_rate

STEPS = 64


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_of_arrays(
    xs: np.ndarray,
    hidden: tuple[np.ndarray, np.ndarray],
    params: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    hx, cx = hidden
    w_ih, w_hh, b = params
    n = hx.shape[1]
    outputs = []
    for x in xs:
        gates = x @ w_ih + hx @ w_hh + b
        forgotten = sigmoid(gates[:, n : 2 * n]) * cx
        cx = forgotten + sigmoid(gates[:, :n]) * np.tanh(gates[:, 2 * n : 3 * n])
        hx = sigmoid(gates[:, 3 * n :]) * np.tanh(cx)
        outputs.append(hx)
    return np.stack(outputs), (hx, cx)


def lstm_numba(
    xs: np.ndarray,
    hidden: tuple[np.ndarray, np.ndarray],
    params: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    hx, cx = hidden[0].copy(), hidden[1].copy()
    w_ih, w_hh, b = params
    one = np.float32(1)
    steps, (batch, n) = len(xs), hx.shape
    outputs = np.empty((steps, batch, n), np.float32)
    for t in range(steps):
        gates = np.dot(xs[t], w_ih) + np.dot(hx, w_hh)
        for j in range(batch):
            for k in range(n):
                i = one / (one + np.exp(-(gates[j, k] + b[k])))
                f = one / (one + np.exp(-(gates[j, n + k] + b[n + k])))
                g = np.tanh(gates[j, 2 * n + k] + b[2 * n + k])
                o = one / (one + np.exp(-(gates[j, 3 * n + k] + b[3 * n + k])))
                cx[j, k] = f * cx[j, k] + i * g
                hx[j, k] = o * np.tanh(cx[j, k])
        outputs[t] = hx
    return outputs, (hx, cx)


def lstm_jax(xs, hidden, params):  # noqa: ANN001, ANN201
    w_ih, w_hh, b = params
    sigmoid, tanh = jax.nn.sigmoid, jax.numpy.tanh

    def cell(state, x):  # noqa: ANN001, ANN202
        hx, cx = state
        gates = x @ w_ih + hx @ w_hh + b
        i, f, g, o = jax.numpy.split(gates, 4, axis=1)
        cy = sigmoid(f) * cx + sigmoid(i) * tanh(g)
        hy = sigmoid(o) * tanh(cy)
        return (hy, cy), hy

    last, outputs = jax.lax.scan(cell, hidden, xs)
    return outputs, last


def by_library(features: int, hidden: int) -> dict[str, Variant]:
    """`nn.LSTM`, whose parameters become views of the fresh weights before each call."""
    if peers.torch is None:
        return {}
    library = peers.torch
    layer = library.nn.LSTM(features, hidden).requires_grad_(False)
    layer.bias_hh_l0.zero_()

    def with_weights(arguments: Arguments) -> Arguments:
        xs, state, (w_ih, w_hh, b) = peers.to_torch(arguments)
        layer.weight_ih_l0.data = w_ih.t().contiguous()
        layer.weight_hh_l0.data = w_hh.t().contiguous()
        layer.bias_ih_l0.data = b
        return xs, tuple(part[None] for part in state)

    def result(value: Any) -> Any:
        outputs, (hx, cx) = value
        return peers.from_torch((outputs, (hx[0], cx[0])))

    return {"nn.LSTM": Variant(layer, with_weights, result)}


def lstm_inputs(
    features: int, hidden: int, batch: int, more: tuple[tuple[int, ...], ...] = ()
) -> Callable[[Pool], Arguments]:
    """Draws a sequence, a state and weights, small enough not to saturate the gates."""
    weights = (features, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,), *more

    def draw(pool: Pool) -> Arguments:
        def small(*shape: int) -> np.ndarray:
            return pool.normal(*shape, scale=hidden**-0.5)

        state = small(batch, hidden), small(batch, hidden)
        return pool.normal(STEPS, batch, features), state, tuple(small(*s) for s in weights)

    return draw


def variants_of(features: int, hidden: int, modes: tuple[str, ...]) -> dict[str, Variant]:
    """Everybody; the peers first."""
    return {
        "numpy": Variant(lstm_of_arrays),
        **torch_variants(lstm, modes=modes),
        **by_library(features, hidden),
        **jax_variants(lstm_jax, donated=(1,)),
        **numba_variants(lstm_numba),
        **jitlang_variants(lstm),
        "jitlang arrays": Variant(jl.script(lstm_of_arrays)),
    }


def large() -> Workload:
    features, hidden, batch = 128, 256, 32
    variants = variants_of(features, hidden, ("default", "max-autotune"))
    products = 2 * STEPS * batch * (features + hidden) * 4 * hidden
    return Workload(
        name=f"LSTM {features}/{hidden}, {STEPS} steps, batch {batch}",
        variants={**variants, "its products at sgemm(2048) rate": product_rate(products)},
        inputs=lstm_inputs(features, hidden, batch),
        targets=[
            Target("jitlang", peers.names(variants), 1.0),
            Target("jitlang", ("its products at sgemm(2048) rate",), 1.15),
            Target("jitlang arrays", peers.names(variants), 1.0),
            never_slower("jitlang", "undecorated"),
            never_slower("jitlang arrays", "numpy"),
        ],
        seconds=6.0,
        check=close(1e-4),
    )


def small() -> Workload:
    features, hidden, batch = 16, 32, 1
    variants = variants_of(features, hidden, ("default",))
    return Workload(
        name=f"LSTM {features}/{hidden}, {STEPS} steps, batch {batch}",
        variants=variants,
        inputs=lstm_inputs(features, hidden, batch),
        targets=[
            Target("jitlang", peers.names(variants), 0.5),
            Target("jitlang arrays", peers.names(variants), 0.5),
            never_slower("jitlang", "undecorated"),
            never_slower("jitlang arrays", "numpy"),
        ],
        seconds=4.0,
        check=close(1e-4),
    )
