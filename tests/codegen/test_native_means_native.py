"""Nothing of these workloads runs in Python once they are compiled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from number_loops import collatz, mandelbrot

import jitlang as jl
from demo import cells
from jitlang import Tensor


@jl.script
def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + (0.7978845608 * (x + 0.044715 * x * x * x)).tanh())


@jl.script
def softmax(x: Tensor) -> Tensor:
    return x.softmax(-1)


@jl.script
def normalized(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred * centred).mean(-1, keepdim=True) + 1e-5
    return centred * scale.rsqrt() * weight + bias


@jl.script
def newton(x: Tensor, eps: float) -> Tensor:
    y = x.clone()
    while float((y * y - x).abs().max()) > eps:
        y = 0.5 * (y + x / y)
    return y


def lstm_arguments(batch: int, features: int, hidden: int, more: int = 0) -> tuple[Any, ...]:
    state = (jl.zeros(batch, hidden), jl.zeros(batch, hidden))
    weights = (jl.randn(features, 4 * hidden), jl.randn(hidden, 4 * hidden))
    rest = tuple(jl.randn(4 * hidden) for _ in range(1 + more))
    return jl.randn(8, batch, features), state, (*weights, *rest)


WORKLOADS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], int]] = {
    "lstm": (cells.lstm, lstm_arguments(1, 16, 32), 1),
    "lstm_batched": (cells.lstm, lstm_arguments(32, 128, 256), 1),
    "mi_lstm": (cells.mi_lstm, lstm_arguments(1, 16, 32, 3), 1),
    "gelu": (gelu, (jl.randn(1000),), 1),
    "softmax": (softmax, (jl.randn(50, 60),), 1),
    "layer_norm": (normalized, (jl.randn(50, 60), jl.randn(60), jl.randn(60)), 1),
    "newton": (newton, (jl.rand(100) + 1, 1e-3), 2),
    "collatz": (jl.script(collatz), (300,), 0),
    "mandelbrot": (jl.script(mandelbrot), (20, 20, 50), 0),
}
"""Function, arguments, and how many fusion groups there are: that they stay few is what makes them
fast.
"""


@pytest.mark.parametrize("name", WORKLOADS)
def test_nothing_runs_in_python(name: str) -> None:
    function, arguments, groups = WORKLOADS[name]
    function.compile(*arguments)
    wanted = function(*arguments)
    (version, *_) = function.explain().versions
    assert version.callbacks == []
    assert len(version.groups) == groups
    frames: list[str] = []

    def hook(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            frames.append(frame.f_code.co_qualname)

    sys.setprofile(hook)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    assert frames == []
    assert wanted is not None
