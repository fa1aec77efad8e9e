"""What a second thread is worth: the same function with all threads and with one.

Nobody else takes part: the threads of other libraries keep a core busy for a while after each call.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jitlang as jl
from benchmarks.harness import Arguments, Variant, Workload, close
from benchmarks.models import gelu
from benchmarks.peers import Function, on_tensors
from benchmarks.pool import Pool
from benchmarks.statistics import Target
from benchmarks.workloads.rows import COLUMNS, ROWS, softmax
from benchmarks.yardsticks import thread_count

SPEED_UP = 1.7
"""Asked of two threads."""


def with_threads(function: Function, threads: int) -> Variant:
    scripted = on_tensors(jl.script(function))

    def prepare(arguments: Arguments) -> Arguments:
        jl.set_num_threads(threads)
        return scripted.prepare(arguments)

    return replace(scripted, prepare=prepare)


def workload(name: str, function: Function, shape: tuple[int, ...]) -> Workload:
    threads = thread_count()
    variants = {
        "undecorated": on_tensors(function),
        "jitlang": with_threads(function, threads),
        "jitlang, 1 thread": with_threads(function, 1),
    }

    def inputs(pool: Pool) -> tuple[Any, ...]:
        return (pool.normal(*shape),)

    return Workload(
        name=f"{name}, {threads} threads and one",
        variants=variants,
        inputs=inputs,
        targets=[Target("jitlang", ("jitlang, 1 thread",), 1 / SPEED_UP)],
        check=close(1e-5),
    )


def gelu_workload() -> Workload:
    return workload("GELU, 1,000,000 numbers", gelu, (1_000_000,))


def softmax_workload() -> Workload:
    return workload(f"softmax over rows, {ROWS} x {COLUMNS}", softmax, (ROWS, COLUMNS))
