"""How many threads kernels use: settings, torch's functions, threadpoolctl's limits."""

from __future__ import annotations

import contextvars
import ctypes
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import threadpoolctl

import jitlang as jl
from jitlang import Tensor, config
from jitlang.codegen import threads


@pytest.fixture(autouse=True)
def as_it_was():
    before = config.process()
    yield
    config.set(num_threads=before.num_threads)


def without_overrides(function):
    """What a function gives where only the settings of the process hold."""
    return contextvars.Context().run(function)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", None])
def test_a_number_of_threads_is_positive(wrong):
    with pytest.raises(RuntimeError, match="must be a positive integer"):
        jl.set_num_threads(wrong)


def test_the_number_of_threads_is_set_for_the_process():
    jl.set_num_threads(1)
    assert without_overrides(jl.get_num_threads) == 1
    assert threads._pool[threads._HELPERS] == 0
    jl.set_num_threads(3)
    assert without_overrides(jl.get_num_threads) == 3
    assert threads._pool[threads._HELPERS] == 2
    with config.override(num_threads=2):
        assert jl.get_num_threads() == 2


def test_the_environment_sets_it_too():
    script = "import jitlang; print(jitlang.get_num_threads())"
    environment = {**os.environ, "JITLANG_NUM_THREADS": "5"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "5\n"


@jl.script
def wave(x: Tensor) -> Tensor:
    return (x.sin() * 2 + 1).exp()


def threads_used(x: Tensor) -> int:
    """How many tickets the pool gave out while a call ran."""
    threads._pool[threads._TICKETS] = 0
    wave(x)
    return int(threads._pool[threads._TICKETS])


def test_threadpoolctl_limits_kernels():
    jl.set_num_threads(2)
    x = jl.ones(2_000_000)
    for _ in range(4):
        wave(x)
    assert threads_used(x) >= 1
    with threadpoolctl.threadpool_limits(1):
        assert jl.get_num_threads() == 1
        assert threads_used(x) == 0
        found = {each["user_api"]: each["num_threads"] for each in threadpoolctl.threadpool_info()}
        assert found["jitlang"] == 1
    assert jl.get_num_threads() == 2
    with threadpoolctl.threadpool_limits({"jitlang": 1}):
        assert jl.get_num_threads() == 1
    assert threads_used(x) >= 1


def test_more_threads_than_a_call_was_prepared_for_stay_in_its_memory():
    @jl.script
    def rows(x: Tensor) -> Tensor:
        return x.softmax(1)

    x = Tensor(np.random.default_rng(0).normal(size=(800, 500)).astype(np.float32))
    jl.set_num_threads(1)
    for _ in range(4):
        wanted = rows(x).numpy()
    jl.set_num_threads(6)
    for _ in range(20):
        assert (rows(x).numpy() == wanted).all()


def test_other_threads_go_on_during_long_kernels():
    x = jl.ones(8_000_000)
    for _ in range(4):
        wave(x)
    done = threading.Event()
    turns = 0

    def count() -> None:
        nonlocal turns
        while not done.is_set():
            time.sleep(0.0005)
            turns += 1

    counting = threading.Thread(target=count)
    counting.start()
    begin, longest = time.perf_counter(), 0
    while time.perf_counter() - begin < 0.5:
        before = turns
        wave(x)
        longest = max(longest, turns - before)
    done.set()
    counting.join()
    assert longest >= 3


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_a_sleeping_worker_is_not_woken_on_the_callers_cpu():
    jl.set_num_threads(2)
    x = jl.ones(2_000_000)
    for _ in range(4):
        wave(x)
        time.sleep(0.01)  # workers fall asleep
    thread, avoided = threads._places[0], threads._places[1]
    mine = os.sched_getaffinity(0)
    assert avoided in mine
    assert os.sched_getaffinity(thread) == mine - {avoided}


@ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, *[ctypes.c_void_p] * 5)
def noted(begin, end, *tables):
    """A kernel that notes its pieces."""
    pieces.append((begin, end))
    return 0


pieces: list[tuple[int, int]] = []


def pieces_of(parallel) -> list[tuple[int, int]]:
    pieces.clear()
    kernel = ctypes.cast(noted, ctypes.c_void_p)
    assert parallel(kernel, 4, 1, *[None] * 5, 0) == 0
    return sorted(pieces)


def test_a_short_kernel_is_split_only_while_a_worker_is_awake():
    """Workers look for the next job for a while after one."""
    jl.set_num_threads(2)
    split = [(0, 1), (1, 2), (2, 3), (3, 4)]
    always, if_awake = threads.parallel_function(), threads.parallel_function(wakes=False)
    deadline = time.monotonic() + 10
    while pieces_of(if_awake) != [(0, 4)]:
        assert time.monotonic() < deadline, "workers never sleep"
        time.sleep(0.01)
    found = []
    while found != split:
        assert time.monotonic() < deadline, "a kernel is never split after another one"
        assert pieces_of(always) == split
        found = pieces_of(if_awake)
        assert found in (split, [(0, 4)])


def test_the_number_of_threads_may_be_raised_after_a_limit():
    """threadpoolctl restores what it found, also in pools that it was not asked to limit."""
    jl.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        pass
    jl.set_num_threads(2)
    assert jl.get_num_threads() == 2
