"""Two recurrent cells as script functions, and the loop that runs each over a sequence.

Shapes: a batch of B sequences, V input features, H hidden units. `w_ih` is (V, 4H), `w_hh` is
(H, 4H), everything else (4H,). The four gates lie side by side: input, forget, cell, output.
"""

from __future__ import annotations

import jitlang as jl
from jitlang import Tensor

State = tuple[Tensor, Tensor]
LSTMParams = tuple[Tensor, Tensor, Tensor]
MIParams = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


@jl.script
def lstm_cell(x: Tensor, hidden: State, params: LSTMParams) -> State:
    hx, cx = hidden
    w_ih, w_hh, b = params
    gates = x @ w_ih + hx @ w_hh + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy


@jl.script
def mi_lstm_cell(x: Tensor, hidden: State, params: MIParams) -> State:
    # "On Multiplicative Integration with Recurrent Neural Networks", Wu et al., 2016.
    hx, cx = hidden
    w_ih, w_hh, b, alpha, beta1, beta2 = params
    wx = x @ w_ih
    uh = hx @ w_hh
    gates = alpha * wx * uh + beta1 * wx + beta2 * uh + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy


@jl.script
def lstm(xs: Tensor, hidden: State, params: LSTMParams) -> tuple[Tensor, State]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        hidden = lstm_cell(x, hidden, params)
        outputs.append(hidden[0])
    return jl.stack(outputs), hidden


@jl.script
def mi_lstm(xs: Tensor, hidden: State, params: MIParams) -> tuple[Tensor, State]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        hidden = mi_lstm_cell(x, hidden, params)
        outputs.append(hidden[0])
    return jl.stack(outputs), hidden


def misspelt_cell(x: Tensor, hidden: State, params: LSTMParams) -> State:
    """Left undecorated: `jl.script` refuses it, and the demo shows how."""
    hx, cx = hidden
    w_ih, w_hh, b = params
    gates = x @ w_ih + hx @ w_hh + b
    i, f, g, o = gates.chunks(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy
