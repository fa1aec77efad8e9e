"""Kernels of single elementary functions: nanoseconds per element on one thread, beside NumPy and,
where it is installed, torch.

    python -m benchmarks.elementary             every function, float32 and float64
    python -m benchmarks.elementary tanh gelu   these

Variants take turns on the same 100,000 numbers; each number printed is the least of all rounds,
since whatever else the machine does only adds to it. A copy is the floor: what memory takes.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.kernels import kernel
from jitlang import ops

COUNT, ROUNDS = 100_000, 40
NUMPY_NAMES = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
    "atanh": "arctanh", "copy": "copy",
}  # fmt: skip
_GELU = '%a : str = prim::Constant[value="{}"]()\n  %y : Tensor = aten::gelu(%x, %a)'
CALLS = {
    "copy": "%y : Tensor = aten::positive(%x)",
    "gelu": _GELU.format("none"),
    "gelu tanh": _GELU.format("tanh"),
    "square root": "%y : Tensor = aten::sqrt(%x)",
}
POSITIVE = ("log", "log2", "log10", "log1p", "square root")
WITHIN_ONE = ("asin", "acos", "atanh")
FUNCTIONS = (
    "copy", "exp", "tanh", "sigmoid", "gelu tanh", "gelu", "silu", "mish", "log", "sin", "cos",
    "tan", "exp2", "expm1", "log2", "log10", "log1p", "asin", "acos", "atan", "sinh", "cosh",
    "asinh", "acosh", "atanh", "erf", "erfc", "square root",
)  # fmt: skip
TORCH_NAMES = {"copy": "clone", "square root": "sqrt"}


def inputs(name: str, dtype: Any) -> Any:
    """Ordinary numbers of a function's domain."""
    x = np.random.default_rng(0).normal(0, 3, COUNT)
    if name in POSITIVE:
        x = np.abs(x)
    elif name in WITHIN_ONE:
        x = np.clip(x / 10, -1, 1)
    elif name == "acosh":
        x = np.abs(x) + 1
    return x.astype(dtype)


def variants(name: str, x: Any) -> dict[str, Callable[[], Any]]:
    """Calls to compare, by the name of their column."""
    body = CALLS.get(name, f"%y : Tensor = aten::{name}(%x)")
    ours = kernel(body, 1, x)
    made: dict[str, Callable[[], Any]] = {"jitlang": lambda: ours(x)}
    numpys = getattr(np, {**NUMPY_NAMES, "square root": "sqrt"}.get(name, name), None)
    if numpys is not None:
        made["numpy"] = lambda: numpys(x)
    if importlib.util.find_spec("torch") is not None:
        made["torch"] = torch_call(name, x)
    return made


def torch_call(name: str, x: Any) -> Callable[[], Any]:
    """The same by torch, on one thread."""
    import torch

    torch.set_num_threads(1)
    tensor = torch.from_numpy(x)
    if name in ("gelu", "gelu tanh", "silu", "mish"):
        function = getattr(torch.nn.functional, name.partition(" ")[0])
        options = {"approximate": "tanh"} if name == "gelu tanh" else {}
        return lambda: function(tensor, **options)
    function = getattr(torch, TORCH_NAMES.get(name, name))
    return lambda: function(tensor)


def nanoseconds(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The least time per element of each, in interleaved rounds."""
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            least[name] = min(least[name], (time.perf_counter() - start) / COUNT * 1e9)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("functions", nargs="*", help="by default all")
    options = parser.parse_args()
    assert ops
    columns = ["jitlang", "numpy"]
    if importlib.util.find_spec("torch") is not None:
        columns.append("torch")
    titles = [f"{dtype} {column}" for dtype in ("float32", "float64") for column in columns]
    print(f"{'ns per element':<16}" + "".join(f"{title:>17}" for title in titles))
    for name in options.functions or FUNCTIONS:
        cells = []
        for dtype in (np.float32, np.float64):
            with np.errstate(all="ignore"):
                found = nanoseconds(variants(name, inputs(name, dtype)))
            cells += [f"{found[c]:>17.3f}" if c in found else f"{'':>17}" for c in columns]
        print(f"{name:<16}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
