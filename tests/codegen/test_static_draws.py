"""Draws in native functions: the numbers of the interpreter, and its state of the generator."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from static_calls import assert_no_leak, assert_same, compiled, refused

import jitlang as jl
from jitlang import Tensor
from jitlang.codegen import MISS, compile_static
from jitlang.interp.callback import callback_of
from jitlang.interp.machine import assemble
from jitlang.ops.generator import default_generator

SEEDS = ((0, 0), (2**63 + 5, 7), (3, 2**64 - 1))


def outcome(function: Callable[..., Any], args: tuple[Any, ...], state: tuple[int, int]) -> Any:
    """What a call gives or raises, and the state that it leaves."""
    default_generator.set_state(state)
    try:
        result = function(*args)
    except (RuntimeError, IndexError, ValueError) as error:
        result = type(error), str(error)
    return result, default_generator.get_state()


def check_draws(function: Callable[..., Any], *args: Any) -> Any:
    """Native calls give what the interpreter gives, and leave the generator as it does."""
    version, graph, inputs = compiled(jl.script(function), *args)
    reference = assemble(graph, exact=True)
    for state in SEEDS:
        wanted, after = outcome(reference, tuple(inputs), state)
        got, left = outcome(version.function, args, state)
        assert got is not MISS
        assert left == after
        assert_same(got, wanted, exact=True)
    assert version.callbacks == []
    return version


def dropped(x: Tensor, b: Tensor) -> Tensor:
    return jl.dropout((x + b).relu(), 0.3, True) * 2.0


def noisy(x: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return x + jl.randn_like(x) * 0.1, jl.rand_like(b)


def coins(x: Tensor, b: Tensor) -> Tensor:
    return (x * 1.5).bernoulli(0.4) * b


def of_sizes(x: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    wide = jl.randn(3, 5, dtype=jl.float64)
    return x + jl.randn(x.size(0), 1), jl.rand([1]) * b, wide.t()


@pytest.mark.parametrize("function", [dropped, noisy, coins, of_sizes], ids=lambda f: f.__name__)
def test_draws(function: Callable[..., Any]) -> None:
    check_draws(function, jl.randn(7, 33), jl.randn(33))


def test_draws_for_other_layouts() -> None:
    check_draws(dropped, jl.randn(3, 0), jl.randn(1))
    check_draws(dropped, jl.randn(7, 3).double().t(), jl.randn(7).double())


def in_loops_and_branches(x: Tensor, n: int, p: float) -> Tensor:
    y = x + 1
    for i in range(n):
        if i % 3 == 0:
            y = jl.dropout(y, 0.1, True)
        elif p > 0.5:
            y = y * jl.rand(4)
    return y


def test_draws_in_loops_and_branches() -> None:
    for n, p in ((1, 1.0), (7, 1.0)):
        version = check_draws(in_loops_and_branches, jl.randn(3, 4), n, p)
    given = jl.randn(3, 4), 0, 1.0
    result, state = outcome(version.function, given, (5, 6))
    assert state == (5, 6)
    assert result.tolist() == (given[0] + 1).tolist()


def on_request(x: Tensor, training: bool) -> Tensor:
    return jl.dropout(x * 2, 0.5, training)


def test_whether_to_drop_is_part_of_the_version() -> None:
    x = jl.randn(50)
    version = check_draws(on_request, x, True)
    assert str(version.guards[1]) == "training == True"
    assert version.function(x, False) is MISS
    assert version.function(x, 1) is MISS
    check_draws(on_request, x, False)


def test_how_much_to_drop_is_part_of_the_version() -> None:
    def by_argument(x: Tensor, p: float, scale: float) -> Tensor:
        return jl.dropout(x.relu(), p, True) * scale

    x = jl.randn(4, 5)
    version = check_draws(by_argument, x, 0.25, 3.0)
    assert version.function(x, 0.5, 3.0) is MISS

    def scaled(x: Tensor, scale: float) -> Tensor:
        return jl.dropout(x, 0.25, True) * scale

    version = check_draws(scaled, x, 3.0)
    assert version.function(x, 4.0) is not MISS


def test_draws_of_sizes_that_vary() -> None:
    sizes = [((3, 5), (5,)), ((4, 5), (5,)), ((7, 9), (9,))]
    calls = [tuple(jl.randn(*shape) for shape in shapes) for shapes in sizes]
    script = jl.script(dropped)
    graph = script.optimized_graph
    version = compile_static(graph, calls[-1], callback_of, any_size=True, shapes=sizes)
    reference = assemble(graph, exact=True)
    for shape in ((2, 3), (7, 9), (31, 1), (1, 1), (100, 70)):
        given = jl.randn(*shape), jl.randn(shape[1])
        wanted, after = outcome(reference, given, (3, 4))
        got, left = outcome(version.function, given, (3, 4))
        assert left == after
        assert_same(got, wanted, exact=True)


def then_an_error(x: Tensor, i: int) -> Tensor:
    y = jl.dropout(x, 0.5, True)
    z = y[i] + jl.rand(3)
    return z + jl.randn(3)


def test_draws_before_an_error_stay_drawn() -> None:
    x = jl.randn(4, 3)
    version = check_draws(then_an_error, x, 2)
    script = jl.script(then_an_error)
    reference = assemble(script.optimized_graph, exact=True)
    for place in (3, 4, -5):
        wanted, after = outcome(reference, (x, place), (1, 2))
        got, left = outcome(version.function, (x, place), (1, 2))
        assert left == after
        if place == 3:
            assert_same(got, wanted, exact=True)
        else:
            assert got == wanted and got[0] is IndexError and after == (1, 5)
    assert not default_generator.lock.locked()


def loop_after_a_draw(x: Tensor, n: int) -> Tensor:
    y = jl.rand_like(x)
    for _ in range(n):
        x = x + y
    return x


def call_after_a_draw(x: Tensor) -> Tensor:
    return (x * jl.rand_like(x)).cumsum(0)


def call_in_a_loop_with_draws(x: Tensor, n: int) -> Tensor:
    y = x * 2
    for _ in range(n):
        y = jl.dropout(y.cumsum(0), 0.1, True)
    return y


def call_before_a_draw(x: Tensor) -> Tensor:
    return x.cumsum(0) * jl.rand_like(x)


def test_nothing_is_drawn_twice() -> None:
    x = jl.randn(4)
    # With the number known, it is known that the loop runs.
    version, _, _ = compiled(jl.script(loop_after_a_draw), x, 3)
    assert "n == 3" in map(str, version.guards)
    assert "after an effect" in refused(call_after_a_draw, x)
    assert "after an effect" in refused(call_in_a_loop_with_draws, x, 3)
    version, graph, inputs = compiled(jl.script(call_before_a_draw), x)
    wanted, _ = outcome(assemble(graph, exact=True), tuple(inputs), (0, 0))
    assert_same(outcome(version.function, (x,), (0, 0))[0], wanted, exact=True)


def test_threads_never_share_numbers() -> None:
    version, _, _ = compiled(jl.script(noisy), jl.randn(20, 4), jl.randn(4))
    default_generator.set_state((9, 0))

    def natively() -> None:
        for _ in range(300):
            version.function(jl.zeros(20, 4), jl.zeros(4))

    def in_python() -> None:
        for _ in range(300):
            default_generator.reserve(84)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work) for work in (natively, in_python) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert default_generator.get_state() == (9, 4 * 300 * 21)


def test_nothing_leaks() -> None:
    x, b = jl.randn(64, 64), jl.randn(64)
    version, _, _ = compiled(jl.script(noisy), x, b)
    assert_no_leak(lambda: version.function(x, b))


def test_versions_are_explained() -> None:
    script = jl.script(dropped)
    script.compile(jl.randn(3, 4), jl.randn(4))
    (version,) = script.explain().versions
    assert version.callbacks == []
