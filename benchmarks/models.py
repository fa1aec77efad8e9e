"""Functions that several benchmarks measure, in names that jitlang and torch share.

Shapes of the LSTM are told in `benchmarks.workloads.lstm`.
"""

from __future__ import annotations

import math

import jitlang as torch
from jitlang import Tensor


def gelu(x: Tensor) -> Tensor:
    root = math.sqrt(2.0 / math.pi)
    return 0.5 * x * (1.0 + torch.tanh(root * (x + 0.044715 * x * x * x)))


def lstm_cell(
    x: Tensor, hidden: tuple[Tensor, Tensor], params: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    hx, cx = hidden
    w_ih, w_hh, b = params
    gates = x @ w_ih + hx @ w_hh + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy


def lstm(
    xs: Tensor, hidden: tuple[Tensor, Tensor], params: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        hidden = lstm_cell(x, hidden, params)
        outputs.append(hidden[0])
    return torch.stack(outputs), hidden
