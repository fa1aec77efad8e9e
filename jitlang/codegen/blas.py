"""The BLAS that this process has loaded, found through threadpoolctl and tried before it is used.

NumPy's wheels carry OpenBLAS with 64-bit integers and names of their own; other builds have the
usual names, with integers of 32 or 64 bits, which cannot be read off a library. Callers need not
know: they pass 64 bits. In the calling conventions of Linux each argument has a register or eight
bytes of stack of its own, so a function with 32-bit integers reads the lower half of what it is
given. `MAX_SIZE` keeps that right.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from ..dtypes import DType, float32

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112

MAX_SIZE = 2**31 - 1
"""The largest size or leading dimension that every BLAS takes."""

NAMES = (
    "scipy_cblas_{}gemm64_",
    "cblas_{}gemm64_",
    "cblas_{}gemm_64",
    "scipy_cblas_{}gemm",
    "cblas_{}gemm",
)
"""How libraries call the function, `{}` being the letter of the dtype."""


@dataclass(frozen=True, slots=True)
class Gemm:
    """A `cblas_?gemm` that has given right results: its name, its address and its library."""

    name: str
    address: int
    library: str


_lock = threading.Lock()
_found: dict[DType, Gemm | None] = {}


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def find_gemm(dtype: DType) -> Gemm | None:
    """The function that multiplies matrices of float32 or float64; None where there is none."""
    with _lock:
        if dtype not in _found:
            _found[dtype] = next(_verified(dtype), None)
        return _found[dtype]


def _verified(dtype: DType) -> Iterator[Gemm]:
    letter = "s" if dtype is float32 else "d"
    for path in _libraries():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for pattern in NAMES:
            name = pattern.format(letter)
            function = getattr(library, name, None)
            if function is None:
                continue
            address = ctypes.cast(function, ctypes.c_void_p).value
            if address is not None and multiplies(address, dtype):
                yield Gemm(name, address, path)


def _libraries() -> list[str]:
    """The BLAS libraries of this process, NumPy's own first."""
    paths = [info["filepath"] for info in threadpool_info() if info["user_api"] == "blas"]
    return sorted(paths, key=lambda path: "numpy" not in path)


def multiplies(address: int, dtype: DType) -> bool:
    """Whether the function at an address is a `cblas_?gemm`: it is called with four products whose
    sizes, leading dimensions and transpositions all differ.
    """
    enumeration, size, pointer = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
    real = ctypes.c_float if dtype is float32 else ctypes.c_double
    parameters = (
        *(enumeration,) * 3, *(size,) * 3, real, pointer, size, pointer, size, real, pointer, size
    )  # fmt: skip
    function = ctypes.CFUNCTYPE(None, *parameters)(address)
    return all(_agrees(function, dtype, a, b) for a in (False, True) for b in (False, True))


def _agrees(function: Any, dtype: DType, turn_a: bool, turn_b: bool) -> bool:
    m, n, k = 3, 5, 4
    a = np.arange(1, 1 + m * k, dtype=dtype.numpy).reshape(m, k)
    b = np.arange(2, 2 + k * n, dtype=dtype.numpy).reshape(k, n)
    expected = 2 * (a[:, :, None] * b).sum(1) + 1
    left = np.ascontiguousarray(a.T if turn_a else a)
    right = np.ascontiguousarray(b.T if turn_b else b)
    result = np.ones((m, n + 1), dtype.numpy)
    function(
        ROW_MAJOR, TRANSPOSED if turn_a else PLAIN, TRANSPOSED if turn_b else PLAIN, m, n, k, 2.0,
        left.ctypes.data, left.shape[1], right.ctypes.data, right.shape[1], 1.0,
        result.ctypes.data, n + 1,
    )  # fmt: skip
    return bool((result[:, :n] == expected).all() and (result[:, n] == 1).all())
