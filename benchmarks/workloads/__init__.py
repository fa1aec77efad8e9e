"""What is measured: a table of names, and a file for each family of workloads.

In these files `torch` is jitlang: what torch and TorchScript run is the very same function, see
`benchmarks.peers.under_torch`. The functions of other peers stand next to it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.harness import Workload

WORKLOADS = {
    "tanh-4": "tanh:four_numbers",
    "gelu-1e3": "gelu:thousand",
    "gelu-1e5": "gelu:hundred_thousand",
    "gelu-1e7": "gelu:ten_million",
    "lstm-large": "lstm:large",
    "lstm-small": "lstm:small",
    "mi-lstm": "lstm_variants:multiplicative",
    "layer-norm-lstm": "lstm_variants:layer_norm",
    "alpha-dropout": "dropout:alpha_dropout_workload",
    "softmax-rows": "rows:softmax_workload",
    "layer-norm-rows": "rows:layer_norm_workload",
    "newton-tensor": "newton:on_tensors",
    "newton-number": "newton:on_numbers",
    "mandelbrot": "mandelbrot:workload",
    "collatz": "collatz:workload",
    "edit-distance": "elements:edits",
    "relaxation": "elements:relaxation",
    "scaling-gelu": "scaling:gelu_workload",
    "scaling-softmax": "scaling:softmax_workload",
}


def build(name: str) -> Workload:
    """A workload of the table, with a variant for each installed peer."""
    module, _, function = WORKLOADS[name].partition(":")
    make: Callable[[], Workload] = getattr(
        importlib.import_module(f"{__name__}.{module}"), function
    )
    return make()
