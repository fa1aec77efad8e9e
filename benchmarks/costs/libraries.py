"""The small LSTM in each library, ready to be compiled: what the costs are measured on.

A process loads one library only, so that it pays for nobody else's imports and memory.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

import jitlang as jl
from benchmarks.models import lstm, lstm_cell

STEPS, BATCH, FEATURES, HIDDEN = 64, 1, 16, 32
MODULES = {"jitlang": "jitlang", "TorchScript": "torch", "torch.compile": "torch", "jax.jit": "jax"}
"""What must be installed for each."""

Function = Callable[..., Any]
Prepared = tuple[Function, Function, tuple[Any, ...]]


def arguments(what: str) -> tuple[Any, ...]:
    """Random ones for the "cell" or the "loop"; `benchmarks.workloads.lstm` tells the shapes."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(0, HIDDEN**-0.5, shape).astype(np.float32)

    x = normal(BATCH, FEATURES) if what == "cell" else normal(STEPS, BATCH, FEATURES)
    weights = normal(FEATURES, 4 * HIDDEN), normal(HIDDEN, 4 * HIDDEN), normal(4 * HIDDEN)
    return x, (normal(BATCH, HIDDEN), normal(BATCH, HIDDEN)), weights


def prepared(library: str, what: str) -> Prepared:
    """A decorator, the function to decorate, and arguments of the library's own."""
    function = {"cell": lstm_cell, "loop": lstm}[what]
    given = arguments(what)
    if library == "jitlang":
        return jl.script, function, _as_tensors(given)
    peers = importlib.import_module("benchmarks.peers")
    if library == "jax.jit":
        jax_function = importlib.import_module("benchmarks.workloads.lstm").lstm_jax
        return _finished(peers.jax), jax_function, given
    decorators = {"TorchScript": peers.torch.jit.script, "torch.compile": peers.torch.compile}
    return decorators[library], peers.under_torch(function), peers.to_torch(given)


def _as_tensors(value: Any) -> Any:
    return tuple(map(_as_tensors, value)) if isinstance(value, tuple) else jl.from_numpy(value)


def _finished(jax: Any) -> Function:
    """`jax.jit` with calls that return when the result is there."""

    def decorate(function: Function) -> Function:
        compiled = jax.jit(function)
        return lambda *given: jax.block_until_ready(compiled(*given))

    return decorate
