"""Softmax and layer normalisation over the rows of a thousand by a thousand numbers."""

from __future__ import annotations

import numpy as np

import jitlang as torch
from benchmarks import peers
from benchmarks.harness import Variant, Workload, close
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
from benchmarks.statistics import Target
from jitlang import Tensor

ROWS, COLUMNS = 1000, 1000


def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, 1)


def softmax_of_array(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_loop(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    for i in numba.prange(x.shape[0]):
        row, result = x[i], out[i]
        largest = row[0]
        for j in range(row.size):
            largest = max(largest, row[j])
        total = np.float32(0)
        for j in range(row.size):
            result[j] = np.exp(row[j] - largest)
            total += result[j]
        factor = np.float32(1) / total
        for j in range(row.size):
            result[j] *= factor
    return out


def softmax_jax(x):  # noqa: ANN001, ANN201
    return jax.nn.softmax(x, axis=1)


def layer_norm(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    variance = (centred * centred).mean(1, keepdim=True)
    return centred / torch.sqrt(variance + 1e-5) * gain + bias


def layer_norm_by_name(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return torch.nn.functional.layer_norm(x, [x.size(1)], gain, bias, 1e-5)


def layer_norm_of_array(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    variance = (centred * centred).mean(axis=1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * gain + bias


def layer_norm_loop(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    share = np.float32(1 / x.shape[1])
    for i in numba.prange(x.shape[0]):
        row, result = x[i], out[i]
        mean = np.float32(0)
        for j in range(row.size):
            mean += row[j]
        mean *= share
        variance = np.float32(0)
        for j in range(row.size):
            variance += (row[j] - mean) ** 2
        factor = np.float32(1) / np.sqrt(variance * share + np.float32(1e-5))
        for j in range(row.size):
            result[j] = (row[j] - mean) * factor * gain[j] + bias[j]
    return out


def layer_norm_jax(x, gain, bias):  # noqa: ANN001, ANN201
    centred = x - x.mean(axis=1, keepdims=True)
    variance = (centred * centred).mean(axis=1, keepdims=True)
    return centred / jax.numpy.sqrt(variance + 1e-5) * gain + bias


def softmax_workload() -> Workload:
    variants = {
        "numpy": Variant(softmax_of_array),
        **torch_variants(softmax, modes=("default", "max-autotune")),
        **jax_variants(softmax_jax, donated=(0,)),
        **numba_variants(softmax_loop, parallel=softmax_loop),
        **jitlang_variants(softmax),
        "jitlang arrays": Variant(torch.script(softmax_of_array)),
    }
    return Workload(
        name=f"softmax over rows, {ROWS} x {COLUMNS}",
        variants=variants,
        inputs=lambda pool: (pool.normal(ROWS, COLUMNS),),
        targets=[
            Target("jitlang", peers.names(variants)),
            never_slower("jitlang", "undecorated"),
            never_slower("jitlang arrays", "numpy"),
        ],
        check=close(1e-5),
    )


def layer_norm_workload() -> Workload:
    named = {}
    if peers.torch is not None:
        named["torch layer_norm"] = on_torch(peers.under_torch(layer_norm_by_name))
    variants = {
        "numpy": Variant(layer_norm_of_array),
        **torch_variants(layer_norm, modes=("default", "max-autotune")),
        **named,
        **jax_variants(layer_norm_jax, donated=(0,)),
        **numba_variants(layer_norm_loop, parallel=layer_norm_loop),
        **jitlang_variants(layer_norm),
        "jitlang arrays": Variant(torch.script(layer_norm_of_array)),
    }
    return Workload(
        name=f"layer_norm over rows, {ROWS} x {COLUMNS}",
        variants=variants,
        inputs=lambda pool: (
            pool.normal(ROWS, COLUMNS),
            pool.normal(COLUMNS),
            pool.normal(COLUMNS),
        ),
        targets=[
            Target("jitlang", peers.names(variants)),
            never_slower("jitlang", "undecorated"),
            never_slower("jitlang arrays", "numpy"),
        ],
        check=close(1e-4),
    )
