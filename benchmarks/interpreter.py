"""The interpreter's speed, against the same function as plain Python on NumPy arrays.

Variants of the LSTM: `split` and `slices` are plain NumPy, with `np.split` and with the quicker
subscripts; `tensors` is the script function on Tensors, whose `chunk` is `np.split`'s equal;
`arrays` is `slices` itself, scripted. Both stay in the interpreter; `compiled` is `tensors` after
warm-up, with its pointwise work in generated kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import jitlang as jl
from benchmarks.harness import Arguments, Variant, Workload, close, run
from benchmarks.pool import Pool
from benchmarks.statistics import Target
from jitlang import Tensor


@jl.script
def lstm_of_tensors(
    xs: Tensor, hx: Tensor, cx: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        gates = x @ w_ih + hx @ w_hh + b
        i, f, g, o = gates.chunk(4, 1)
        cx = f.sigmoid() * cx + i.sigmoid() * g.tanh()
        hx = o.sigmoid() * cx.tanh()
        outputs.append(hx)
    return jl.stack(outputs), hx, cx


def lstm_by_split(
    xs: np.ndarray,
    hx: np.ndarray,
    cx: np.ndarray,
    w_ih: np.ndarray,
    w_hh: np.ndarray,
    b: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    outputs = []
    for x in xs:
        gates = x @ w_ih + hx @ w_hh + b
        i, f, g, o = np.split(gates, 4, axis=1)
        forgotten = 1 / (1 + np.exp(-f)) * cx
        cx = forgotten + 1 / (1 + np.exp(-i)) * np.tanh(g)
        hx = 1 / (1 + np.exp(-o)) * np.tanh(cx)
        outputs.append(hx)
    return np.stack(outputs), hx, cx


def lstm_by_slices(
    xs: np.ndarray,
    hx: np.ndarray,
    cx: np.ndarray,
    w_ih: np.ndarray,
    w_hh: np.ndarray,
    b: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    outputs: list[np.ndarray] = []
    n = hx.shape[1]
    for x in xs:
        gates = x @ w_ih + hx @ w_hh + b
        forgotten = 1 / (1 + np.exp(-gates[:, n : 2 * n])) * cx
        cx = forgotten + 1 / (1 + np.exp(-gates[:, :n])) * np.tanh(gates[:, 2 * n : 3 * n])
        hx = 1 / (1 + np.exp(-gates[:, 3 * n :])) * np.tanh(cx)
        outputs.append(hx)
    return np.stack(outputs), hx, cx


def add_up(n: int) -> int:
    total = 0
    for i in range(n):
        total = total + i
    return total


def lstm_inputs(features: int, hidden: int, steps: int, batch: int) -> Callable[[Pool], Arguments]:
    """Draws a sequence, an initial state and weights, all float32."""
    state = (batch, hidden), (batch, hidden)
    weights = (features, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,)

    def draw(pool: Pool) -> Arguments:
        others = [pool.normal(*shape, scale=hidden**-0.5) for shape in (*state, *weights)]
        return pool.normal(steps, batch, features), *others

    return draw


def as_tensors(arguments: Arguments) -> Arguments:
    return tuple(jl.from_numpy(argument) for argument in arguments)


def as_arrays(results: tuple[Tensor, ...]) -> tuple[Any, ...]:
    return tuple(result.numpy() for result in results)


def interpreted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A script function that never leaves the interpreter."""

    def call(*arguments: Any) -> Any:
        with jl.config.override(native=False):
            return function(*arguments)

    return call


def lstm(features: int, hidden: int, batch: int, limit: float) -> Workload:
    steps = 64
    variants = {
        "split": Variant(lstm_by_split),
        "slices": Variant(lstm_by_slices),
        "tensors": Variant(interpreted(lstm_of_tensors), as_tensors, as_arrays),
        "arrays": Variant(interpreted(jl.script(lstm_by_slices))),
        "compiled": Variant(lstm_of_tensors, as_tensors, as_arrays),
    }
    targets = [Target(name, ("slices",), limit) for name in ("tensors", "arrays", "compiled")]
    targets.insert(0, Target("tensors", ("split",), limit))
    return Workload(
        name=f"LSTM {features}/{hidden}, {steps} steps, batch {batch}",
        variants=variants,
        inputs=lstm_inputs(features, hidden, steps, batch),
        targets=targets,
        check=close(1e-4),
    )


def additions(limit: float) -> Workload:
    return Workload(
        name="100,000 scalar additions",
        variants={
            "python": Variant(add_up),
            "script": Variant(interpreted(jl.script(add_up))),
            "compiled": Variant(jl.script(add_up)),
        },
        inputs=lambda pool: (100_000 + int(pool.rng.integers(1000)),),
        targets=[Target(name, ("python",), limit) for name in ("script", "compiled")],
    )


def main() -> None:
    run(
        [
            lstm(128, 256, batch=32, limit=1.1),
            lstm(16, 32, batch=1, limit=1.5),
            additions(limit=3.0),
        ]
    )


if __name__ == "__main__":
    main()
