"""All operator rows. Importing this package fills `ir.opdef.OPS`."""

from __future__ import annotations

import importlib

# In order of registration: the overloads of a name are tried in this order.
FAMILIES = (
    "pointwise", "compare", "activation", "trigonometry", "arithmetic", "elementwise", "scalar",
    "string", "container", "control", "math", "shape", "strides", "reshaping", "complex", "join",
    "assembling", "repeat", "index", "scatter", "sort", "reduce", "softmax", "scan", "statistics",
    "linalg", "decompositions", "matrices", "search", "recurrent", "resample", "sampling",
    "patches", "contract", "creation", "convert", "random", "dropout", "distributions", "draws",
    "special", "loss", "distances", "normalization", "padding", "bags", "attention", "transformer",
    "grad_state", "spectral", "dynamic", "arrays", "numpy_rows",
)  # fmt: skip

for _family in FAMILIES:
    importlib.import_module(f"{__name__}.{_family}")
