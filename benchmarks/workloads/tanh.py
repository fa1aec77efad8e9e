"""`tanh(x) * 2 + 1` on four numbers: the cost of a call.

jitlang is called with a Tensor and with an array, by position and by keyword.
"""

from __future__ import annotations

import numpy as np

import jitlang as torch
from benchmarks.harness import Variant, Workload, close
from benchmarks.peers import (
    jax,
    jax_variants,
    jitlang_variants,
    never_slower,
    numba_variants,
    on_tensors,
    torch_variants,
)
from benchmarks.statistics import Target
from jitlang import Tensor


def affine_tanh(x: Tensor) -> Tensor:
    return torch.tanh(x) * 2 + 1


def affine_tanh_of_array(x: np.ndarray) -> np.ndarray:
    return np.tanh(x) * 2 + 1


def affine_tanh_jax(x):  # noqa: ANN001, ANN201
    return jax.numpy.tanh(x) * 2 + 1


def affine_tanh_in_place(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.tanh(x, out=out)
    np.multiply(out, 2, out=out)
    np.add(out, 1, out=out)
    return out


def four_numbers() -> Workload:
    out = np.empty(4, np.float32)

    def with_out(arguments: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        out.fill(np.nan)
        return (*arguments, out)

    scripted = torch.script(affine_tanh)
    scripted_arrays = torch.script(affine_tanh_of_array)
    ours = {
        "jitlang keyword": on_tensors(scripted, keywords=("x",)),
        "jitlang arrays": Variant(scripted_arrays),
        "jitlang arrays keyword": Variant(scripted_arrays, keywords=("x",)),
    }
    numba = numba_variants(affine_tanh_of_array)
    return Workload(
        name="tanh(x)*2+1, 4 numbers",
        variants={
            "numpy": Variant(affine_tanh_of_array),
            "numpy out=": Variant(affine_tanh_in_place, with_out),
            **jitlang_variants(affine_tanh),
            **ours,
            **torch_variants(affine_tanh),
            **jax_variants(affine_tanh_jax, donated=(0,)),
            **numba,
        },
        inputs=lambda pool: (pool.normal(4),),
        targets=[
            *(Target(name, tuple(numba), 0.5) for name in ("jitlang", *ours)),
            never_slower("jitlang", "undecorated"),
            never_slower("jitlang arrays", "numpy"),
        ],
        seconds=3.0,
        check=close(1e-5),
    )
