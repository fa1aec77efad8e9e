"""Products by themselves: microseconds and GFLOP/s per call, generated and by NumPy's BLAS.

    python -m benchmarks.products

Generated products are called from native code, as compiled functions call them, on one thread and
on all; `packed` is a B that was packed before, as a weight in a loop is. NumPy's column is
`np.matmul(a, b, out=c)`, whose calls take about a microsecond themselves. Rounds are interleaved;
the best round and the median are shown, which differ where other processes want the processors.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from jitlang import config
from jitlang.codegen.llvm import compile_module
from jitlang.codegen.product import Product, ProductSpec, product_for
from jitlang.codegen.threads import thread_count
from jitlang.dtypes import DType, float32, float64

ROUNDS = 25
ROUND_SECONDS = 1e-3
WORKLOADS: tuple[tuple[DType, int, int, int], ...] = (
    (float32, 32, 256, 1024),
    (float32, 32, 128, 1024),
    (float32, 2048, 128, 1024),
    (float32, 1, 16, 128),
    (float32, 1, 32, 128),
    (float32, 1, 256, 1024),
    (float32, 8, 256, 1024),
    (float32, 64, 64, 64),
    (float32, 512, 512, 512),
    (float32, 2048, 2048, 2048),
    (float64, 32, 256, 1024),
    (float64, 1, 32, 128),
)
"""Dtype, rows of A, rows of B, columns of B."""

REPEAT = """
define void @repeat(ptr %product, i64 %times, ptr %a, ptr %b, ptr %c, ptr %scratch) {
entry:
  br label %call
call:
  %done = phi i64 [ 0, %entry ], [ %next, %call ]
  call void %product(ptr %a, ptr %b, ptr %c, ptr %scratch)
  %next = add i64 %done, 1
  %more = icmp slt i64 %next, %times
  br i1 %more, label %call, label %leave
leave:
  ret void
}
"""


def repeater() -> Callable[..., None]:
    """`repeat`: a product called so many times."""
    pointer = ctypes.c_void_p
    parameters = (pointer, ctypes.c_int64, *(pointer,) * 4)
    repeat: Callable[..., None] = compile_module(REPEAT, ["repeat"]).function(
        "repeat", None, *parameters
    )
    return repeat


def generated(
    repeat: Callable[..., None], product: Product, times: int, a: Any, b: Any, c: Any
) -> Callable[[], None]:
    """So many calls of a product."""
    scratch = np.empty(product.scratch_bytes, np.uint8)
    packed = np.empty(product.packed_bytes, np.uint8)
    operand = b
    if product.pack_address:
        pack = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(product.pack_address)
        pack(b.ctypes.data, packed.ctypes.data)
        operand = packed
    kept = (product, a, operand, c, scratch)
    addresses = [array.ctypes.data for array in kept[1:]]

    def run() -> None:
        assert kept
        repeat(product.address, times, *addresses)

    return run


def by_numpy(times: int, a: Any, b: Any, c: Any) -> Callable[[], None]:
    """So many calls of NumPy."""

    def run() -> None:
        for _ in range(times):
            np.matmul(a, b, out=c)

    return run


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    repeat = repeater()
    rng = np.random.default_rng(0)
    counts = sorted({1, thread_count()})
    kinds = [f"{kind} {count}" for count in counts for kind in ("packed", "plain")]
    print("microseconds at best / median, GFLOP/s at best / median; numbers are of threads")
    print(f"{'':<24}" + "".join(f"{name:>36}" for name in (*kinds, "numpy")))
    for dtype, m, k, n in WORKLOADS:
        a, b = (rng.normal(0, 1, shape).astype(dtype.numpy) for shape in ((m, k), (k, n)))
        c = np.empty((m, n), dtype.numpy)
        spec = ProductSpec(dtype, m, n, k, (k, 1), (n, 1), (n, 1))
        times = max(1, int(ROUND_SECONDS / (spec.flops / 1e11 + 5e-8)))
        runs = []
        for count in counts:
            with config.override(num_threads=count):
                for is_reused in (True, False):
                    product = product_for(spec, b_is_reused=is_reused)
                    runs.append(generated(repeat, product, times, a, b, c))
        runs.append(by_numpy(times, a, b, c))
        rounds = np.array([[seconds(run) for run in runs] for _ in range(ROUNDS)]) / times
        cells = [
            f"{low * 1e6:.2f} / {middle * 1e6:.2f}, "
            f"{spec.flops / low / 1e9:.0f} / {spec.flops / middle / 1e9:.0f}"
            for low, middle in zip(rounds.min(0), np.median(rounds, 0), strict=True)
        ]
        name = f"{dtype.name} {m}x{k}x{n}"
        print(f"{name:<24}" + "".join(f"{cell:>36}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
