"""jitlang: a JIT for a typed subset of Python over NumPy and CuPy arrays, in the spirit of
TorchScript.

    import jitlang as jl from jitlang import Tensor

    @jl.script
    def gate(x: Tensor, w: Tensor):
        return (x @ w).sigmoid()

Functions and dtypes carry torch's names (`jl.cat`, `jl.float32`). Operator functions are derived
from the operator table on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import config, dtypes, fft, jit, linalg, nn, random, special
from .arrays import Device
from .codegen import get_num_threads, set_num_threads
from .config import (
    optimized_execution,
    set_executor,
    set_fusion_strategy,
    set_num_profiled_runs,
)
from .dtypes import (
    DType,
    bfloat16,
    complex64,
    complex128,
    finfo,
    float16,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    uint8,
)
from .dtypes import bool_ as bool
from .dtypes import default_dtype as get_default_dtype
from .dtypes import set_default_dtype as set_default_dtype
from .errors import CompileError, FallbackWarning
from .random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .script import ScriptFunction, ignore, script
from .tensor import (
    Size,
    Tensor,
    as_tensor,
    enable_grad,
    from_dlpack,
    from_numpy,
    function_named,
    function_names,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
    set_printoptions,
    tensor,
)

__version__ = "0.1.0"

Array = np.ndarray
"""Annotation of parameters that follow NumPy's names and promotion."""
dtype = DType
device = Device
half, float, double = float16, float32, float64
short, int, long = int16, int32, int64
cfloat, cdouble = complex64, complex128


def __getattr__(name: str) -> Callable[..., Any]:
    """An operator function by its torch name, derived from the operator table."""
    found = function_named(name) if not name.startswith("__") else None
    if found is None:
        raise AttributeError(f"module 'jitlang' has no attribute {name!r}", name=name, obj=None)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *function_names()})


__all__ = [
    "Array",
    "CompileError",
    "DType",
    "Device",
    "FallbackWarning",
    "Generator",
    "ScriptFunction",
    "Size",
    "Tensor",
    "as_tensor",
    "bfloat16",
    "bool",
    "cdouble",
    "cfloat",
    "complex64",
    "complex128",
    "config",
    "default_generator",
    "device",
    "double",
    "dtype",
    "dtypes",
    "enable_grad",
    "fft",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "from_dlpack",
    "from_numpy",
    "get_default_dtype",
    "get_num_threads",
    "get_rng_state",
    "half",
    "ignore",
    "iinfo",
    "initial_seed",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_grad_enabled",
    "jit",
    "linalg",
    "long",
    "manual_seed",
    "nn",
    "no_grad",
    "optimized_execution",
    "promote_types",
    "random",
    "script",
    "seed",
    "set_default_dtype",
    "set_executor",
    "set_fusion_strategy",
    "set_grad_enabled",
    "set_num_profiled_runs",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    "short",
    "special",
    "tensor",
    "uint8",
]  # fmt: skip
