"""GELU by its tanh approximation (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016), on a
thousand, a hundred thousand and ten million numbers.

The formula is written out, as users do; libraries that have it by name are measured with that, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import jitlang as torch
from benchmarks import peers
from benchmarks.harness import Arguments, Variant, Workload, close
from benchmarks.models import gelu
from benchmarks.peers import (
    jax,
    jax_variants,
    jitlang_variants,
    never_slower,
    numba,
    numba_variants,
    on_torch,
    torch_variants,
)
from benchmarks.pool import aligned_empty
from benchmarks.statistics import Target
from benchmarks.yardsticks import parallel_copy
from jitlang import Tensor

LARGEST = 10_000_000
"""Here the memory decides, so that a copy is the measure."""


def gelu_into(x: Tensor, out: Tensor) -> Tensor:
    root = math.sqrt(2.0 / math.pi)
    return out.copy_(0.5 * x * (1.0 + torch.tanh(root * (x + 0.044715 * x * x * x))))


def gelu_of_array(x: np.ndarray) -> np.ndarray:
    root = math.sqrt(2.0 / math.pi)
    return 0.5 * x * (1.0 + np.tanh(root * (x + 0.044715 * x * x * x)))


def gelu_in_place(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.multiply(x, x, out=out)
    np.multiply(out, x, out=out)
    np.multiply(out, 0.044715, out=out)
    np.add(out, x, out=out)
    np.multiply(out, math.sqrt(2.0 / math.pi), out=out)
    np.tanh(out, out=out)
    np.add(out, 1.0, out=out)
    np.multiply(out, x, out=out)
    np.multiply(out, 0.5, out=out)
    return out


def gelu_loop(x: np.ndarray) -> np.ndarray:
    half, one, cubic = np.float32(0.5), np.float32(1), np.float32(0.044715)
    root = np.float32(math.sqrt(2.0 / math.pi))
    out = np.empty_like(x)
    for i in numba.prange(x.size):
        v = x[i]
        out[i] = half * v * (one + np.tanh(root * (v + cubic * v * v * v)))
    return out


def gelu_jax(x):  # noqa: ANN001, ANN201
    root = math.sqrt(2.0 / math.pi)
    return 0.5 * x * (1.0 + jax.numpy.tanh(root * (x + 0.044715 * x * x * x)))


def gelu_by_name(x: Tensor) -> Tensor:
    return torch.nn.functional.gelu(x, approximate="tanh")


def into(out: np.ndarray) -> Callable[[Arguments], Arguments]:
    """Arguments and memory for the result, in which nothing but NaN is left."""

    def prepare(arguments: Arguments) -> Arguments:
        out.fill(np.nan)
        return (*arguments, out)

    return prepare


def into_tensor(out: np.ndarray) -> Callable[[Arguments], Arguments]:
    prepare = into(out)
    return lambda arguments: peers.to_tensors(prepare(arguments))


def library_primitives() -> dict[str, Variant]:
    found = {}
    if peers.torch is not None:
        found["torch gelu"] = on_torch(peers.under_torch(gelu_by_name))
    if jax is not None:
        found.update({f"{name} gelu": v for name, v in jax_variants(jax.nn.gelu).items()})
    return found


def workload(size: int, limit: float, *, seconds: float = 2.0) -> Workload:
    out = aligned_empty(size)
    peer_variants = {
        "numpy": Variant(gelu_of_array),
        "numpy out=": Variant(gelu_in_place, into(out)),
        **torch_variants(gelu, modes=("default", "max-autotune")),
        **jax_variants(gelu_jax, donated=(0,)),
        **numba_variants(gelu_loop, parallel=gelu_loop),
        **library_primitives(),
    }
    reused = Variant(torch.script(gelu_into), into_tensor(out), peers.from_tensors)
    return Workload(
        name=f"GELU, {size:,} numbers",
        variants={
            **peer_variants,
            **jitlang_variants(gelu),
            "jitlang arrays": Variant(torch.script(gelu_of_array)),
            "jitlang out reused": reused,
            "copy": Variant(parallel_copy, into(out), is_yardstick=True),
        },
        inputs=lambda pool: (pool.normal(size),),
        targets=[
            Target("jitlang", tuple(peer_variants), limit),
            Target("jitlang arrays", tuple(peer_variants), limit),
            Target("jitlang out reused", ("copy",), 2.0 if size == LARGEST else None),
            never_slower("jitlang", "undecorated"),
            never_slower("jitlang arrays", "numpy"),
        ],
        check=close(1e-5),
        seconds=seconds,
    )


def thousand() -> Workload:
    return workload(1000, 0.2)


def hundred_thousand() -> Workload:
    return workload(100_000, 0.5)


def ten_million() -> Workload:
    return workload(LARGEST, 0.6, seconds=6.0)
