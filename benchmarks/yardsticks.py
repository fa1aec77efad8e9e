"""What the machine can do: the rate of copying, and of multiplying matrices."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from benchmarks.harness import Variant

PRODUCT_SIZE = 2048
LARGE_COPY = 2**20
"""Elements from which on a copy is shared by all threads."""


def thread_count() -> int:
    """The threads that every peer is given: the processors that this process may use."""
    return len(os.sched_getaffinity(0))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_count())


def parallel_copy(src: np.ndarray, dst: np.ndarray) -> None:
    """`np.copyto` between two touched arrays, by as many threads as everybody has."""
    if src.size < LARGE_COPY:
        np.copyto(dst, src)
        return
    parts = thread_count()
    chunks = zip(np.array_split(dst, parts), np.array_split(src, parts), strict=True)
    for done in [_threads().submit(np.copyto, *chunk) for chunk in chunks]:
        done.result()


def product_rate(operations: int) -> Variant:
    """The time of so many floating-point operations at the rate of sgemm(2048).

    Its operands are its own: two square matrices, multiplied by NumPy's BLAS.
    """
    size = PRODUCT_SIZE
    lhs, rhs, out = (np.full((size, size), 0.5, np.float32) for _ in range(3))
    return Variant(
        lambda: np.matmul(lhs, rhs, out=out),
        prepare=lambda arguments: (),
        is_yardstick=True,
        scale=operations / (2 * size**3),
    )
