"""Whole graphs as native functions: every program, errors, reference counts, interruption."""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from number_loops import collatz, mandelbrot

import jitlang
from jitlang.codegen import compile_host
from jitlang.frontend.arguments import unwrap
from jitlang.interp.callback import callback_of
from jitlang.interp.executor import Phase
from jitlang.interp.machine import assemble
from jitlang.ir.graph import Graph
from programs import harness
from programs.harness import Fate
from programs.test_programs_plain import NAMES, PROGRAMS, script


class Native:
    """A script function whose every signature runs natively, whatever the executor would choose."""

    def __init__(self, script: Any) -> None:
        self.script = script
        self.compiled: dict[int, Any] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given, inputs, _, all_raw = self.script._enter(args, kwargs)
        version = self.script._version(given)
        if id(version) not in self.compiled:
            self.compiled[id(version)] = compile_host(version.optimized, callback_of)
        result = self.compiled[id(version)].function(*inputs)
        return unwrap(result) if all_raw else result


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("name", NAMES)
def test_native_code_does_what_python_does(name: str) -> None:
    each = PROGRAMS[name]
    native = Native(script(name))
    for arguments, fate in each.cases:
        expected = harness.run(each.fn, arguments, jitlang)
        actual = harness.run(native, arguments, jitlang)
        if fate is Fate.OVERFLOWS:
            assert isinstance(actual.error, OverflowError), actual
            continue
        harness.assert_same_outcome(actual, expected)


# Numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fn", "args"), [(collatz, (3000,)), (mandelbrot, (60, 40, 50))])
def test_loops_over_numbers_go_native_and_stay_right(fn: Any, args: Any) -> None:
    script = jitlang.script(fn)
    results = [script(*args) for _ in range(5)]
    assert results == [fn(*args)] * 5
    explanation = script.explain()
    assert explanation.phase is Phase.SPECIALIZED
    assert explanation.callbacks == []


def divisions(a: int, b: int, x: float, y: float) -> tuple[int, int, float, float, float]:
    return a // b, a % b, x // y, x % y, a / b


def test_division_rounds_as_python_does() -> None:
    native = Native(jitlang.script(divisions))
    numbers = [-7, -2, -1, 0, 1, 2, 7, 2**62, -(2**63), 2**63 - 1]
    floats = [-7.5, -1.0, -0.0, 0.0, 0.5, 3.0, float("inf"), float("-inf"), float("nan"), 1e300]
    for a, x in zip(numbers, floats, strict=True):
        for b, y in zip(reversed(numbers), reversed(floats), strict=True):
            if (a, b) == (-(2**63), -1):
                continue  # the quotient has 64 bits and no sign; see the test of overflows
            assert outcome(native, a, b, x, y) == outcome(divisions, a, b, x, y), (a, b, x, y)


def outcome(fn: Any, *args: Any) -> Any:
    try:
        return repr(fn(*args))
    except ArithmeticError as error:
        return type(error) if isinstance(error, OverflowError) else repr(error)


def remainders(x: float, xs: list[float]) -> list[float]:
    xs.append(math.nan % (x or -3.0))
    xs.append(math.inf % x)
    return xs


def test_constants_that_are_no_numbers_reach_the_library() -> None:
    native = Native(jitlang.script(remainders))
    assert repr(native(1e10, [])) == repr(remainders(1e10, []))


EDGES = sorted({
    edge + offset
    for edge in (0, *(limit // k for limit in (2**63 - 1, -(2**63)) for k in (1, 2, 3, -3, 7)))
    for offset in (-2, -1, 0, 1, 2)
    if -(2**63) <= edge + offset < 2**63
})  # fmt: skip


@pytest.mark.parametrize("factor", [-(2**63), -7, -3, -2, -1, 0, 1, 2, 3, 7, 2**63 - 1])
def test_multiples_are_checked_at_their_edges(factor: int) -> None:
    def multiple(n: int) -> int:
        return n * factor

    native = Native(jitlang.script(multiple))
    for n in EDGES:
        product = n * factor
        wanted = repr(product) if -(2**63) <= product < 2**63 else OverflowError
        assert outcome(native, n) == wanted, n


def chosen(n: int, m: int) -> tuple[int, int, int]:
    a = n // 2 if n % 2 == 0 else 3 * n + 1
    b = n + 1 if n < m else m - 1
    c = (n % 10) // 3 if n >= 0 else n % 7
    return a, b, c


def test_sides_that_are_not_taken_cannot_overflow() -> None:
    script = jitlang.script(chosen)
    native, interpreted = Native(script), assemble(script.optimized_graph)
    for n in EDGES:
        for m in (-(2**63), -5, 0, 5, 2**63 - 1):
            assert outcome(native, n, m) == outcome(interpreted, n, m), (n, m)


def quotients(n: int, d: int) -> list[int]:
    found = []
    for i in range(n):
        found.append(i // 7)
        found.append(i % 7)
        found.append((i * 3) // (i + 1))
        found.append(i % len(found))
    return found


def test_division_of_what_is_not_negative() -> None:
    assert Native(jitlang.script(quotients))(40, 3) == quotients(40, 3)


def shifts(a: int, n: int) -> tuple[int, int]:
    return a << n, a >> n


def test_shifts_are_checked() -> None:
    native = Native(jitlang.script(shifts))
    assert native(-5, 3) == (-40, -1)
    assert native(5, 0) == (5, 5)
    with pytest.raises(OverflowError, match="64 bits"):
        native(1, 63)
    with pytest.raises(OverflowError):
        native(1, 200)
    with pytest.raises(ValueError, match="negative shift count"):
        native(1, -1)


def power_of_three(n: int) -> int:
    result = 1
    for _ in range(n):
        result = result * 3
    return result


def test_overflow_names_the_line() -> None:
    native = Native(jitlang.script(power_of_three))
    assert native(39) == 3**39
    with pytest.raises(OverflowError) as caught:
        native(40)
    assert "result = result * 3" in caught.value.__notes__[0]


# Objects ------------------------------------------------------------------------------------------


def shuffle(words: list[str], n: int) -> tuple[list[str], dict[str, int]]:
    found: dict[str, int] = {}
    kept: list[str] = []
    for i in range(n):
        word = words[i % len(words)]
        a, b = word + "!", word.upper()
        a, b = b, a
        if len(a) > 4:
            kept.append(a)
        found[b] = i
    return kept, found


def test_no_reference_is_lost_or_released_twice() -> None:
    native = Native(jitlang.script(shuffle))
    words = ["alpha", "be", "gamma-" + "x" * 50]
    before = [sys.getrefcount(word) for word in words]
    for _ in range(3):
        assert native(words, 50) == shuffle(words, 50)
    gc.collect()
    blocks = sys.getallocatedblocks()
    for _ in range(200):
        native(words, 50)
    gc.collect()
    assert [sys.getrefcount(word) for word in words] == before
    assert sys.getallocatedblocks() - blocks < 50


class Failing:
    """Counts calls of callbacks, and lets the one with a given number fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.fail_at = 0

    def of(self, node: Any) -> Any:
        inner = callback_of(node)

        def call(*args: Any) -> Any:
            self.calls += 1
            if self.calls == self.fail_at:
                raise MemoryError("planted")
            return inner(*args)

        return call


def test_every_callback_may_fail() -> None:
    graph: Graph = jitlang.script(shuffle).optimized_graph
    failing = Failing()
    function = compile_host(graph, failing.of).function
    words = ["alpha", "be", "gamma"]
    function(words, 4)
    total, before = failing.calls, [sys.getrefcount(word) for word in words]
    assert total > 10
    for number in range(1, total + 1):
        failing.calls, failing.fail_at = 0, number
        with pytest.raises(MemoryError, match="planted"):
            function(words, 4)
    failing.calls, failing.fail_at = 0, 0
    assert function(words, 4) == shuffle(words, 4)
    gc.collect()
    assert [sys.getrefcount(word) for word in words] == before


# Interruption -------------------------------------------------------------------------------------


def endless(n: int) -> int:
    while n >= 0:
        n = (n + 1) % 1000
    return n


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises, also where the suite was started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_endless_loop_can_be_interrupted() -> None:
    native = Native(jitlang.script(endless))
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        native(1)
    assert time.perf_counter() - sent[0] < 0.1


def test_other_threads_run_meanwhile() -> None:
    native = Native(jitlang.script(collatz))
    native(10)
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(1)
            time.sleep(0.001)

    thread = threading.Thread(target=watch)
    thread.start()
    native(600_000)
    count = len(seen)
    done.set()
    thread.join()
    assert count > 2
