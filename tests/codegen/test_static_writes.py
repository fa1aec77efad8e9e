"""Native functions that write into arguments, and the interpreter: elements, versions, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from static_calls import assert_no_leak, assert_same, compiled, leaves, refused

import jitlang as jl
from jitlang import Tensor
from jitlang.codegen import MISS
from jitlang.interp.machine import assemble
from jitlang.ops.generator import default_generator
from jitlang.tensor import version_of

FAILURES = (RuntimeError, IndexError, ValueError)


def made(*shape: int, dtype: str = "float32", seed: int = 0) -> Tensor:
    return jl.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def copied(value: Any) -> Any:
    """Arguments like these in memory of their own, with the same strides."""
    if isinstance(value, Tensor):
        return jl.from_numpy(copied(value.numpy()))
    if isinstance(value, np.ndarray):
        return value.copy("K")
    return type(value)(map(copied, value)) if isinstance(value, list | tuple) else value


def outcome(function: Callable[..., Any], args: Any) -> tuple[Any, Any, Any, Any]:
    """What a call gives or raises, what it makes of its arguments, and the generator's state."""
    default_generator.set_state((1, 2))
    try:
        result = function(*args)
    except FAILURES as error:
        result = type(error), str(error)
    versions = [version_of(leaf) for leaf in leaves(list(args)) if isinstance(leaf, Tensor)]
    return result, list(args), versions, default_generator.get_state()


def check_writes(function: Callable[..., Any], *args: Any, exact: bool = True) -> Any:
    """Native calls do and give what the interpreter's do and give, twice."""
    version, graph, inputs = compiled(jl.script(function), *copied(args))
    reference = assemble(graph, exact=True)
    for _ in range(2):
        wanted, after, counted, state = outcome(reference, copied(tuple(inputs)))
        got, left, own, own_state = outcome(version.function, copied(args))
        assert got is not MISS
        assert (own, own_state) == (counted if own else [], state)
        assert_same(left, [_like(a, b) for a, b in zip(after, left, strict=True)], exact=exact)
        assert_same(got, _like(wanted, got), exact=exact)
    assert version.callbacks == []
    return version


def _like(value: Any, other: Any) -> Any:
    """The interpreter's tensors as arrays, where the native function was given arrays."""
    is_raw = isinstance(value, Tensor) and isinstance(other, np.ndarray)
    return value.numpy() if is_raw else value


# What is written ----------------------------------------------------------------------------------


def added(x: Tensor) -> None:
    x.add_(1)


def parts(x: Tensor, y: Tensor) -> Tensor:
    x[1:] = y[:-1] * 2
    x[:, 0] += y[:, 1]
    return x


def chained(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    before = x + 1
    x.mul_(2).sub_(y).clamp_(-1.0, 1.0)
    x[0, 1] = 3.0
    return before, x.amax()


def overlapping(x: Tensor) -> None:
    x[1:] = x[:-1]
    x[:, :2] += x[:, 1:3]


def filled(x: Tensor, value: float, number: int) -> Tensor:
    x[0].fill_(value)
    x[1] = number
    x[-1].zero_()
    return x[0] * 2


def copied_over(x: Tensor, y: Tensor) -> None:
    x.copy_(y)
    x[0] = y


def transposed(x: Tensor, y: Tensor) -> Tensor:
    x.t()[1:].add_(y.t()[1:])
    return x.t()


def both(x: Tensor, y: Tensor) -> None:
    total = x + y
    x.sub_(y)
    y.copy_(total)


@pytest.mark.parametrize(
    "function", [added, parts, chained, overlapping, transposed, both], ids=lambda f: f.__name__
)
def test_writes(function: Callable[..., Any]) -> None:
    count = function.__code__.co_argcount
    for dtype in ("float32", "float64", *["int32"] * (function is not chained)):
        check_writes(function, *(made(4, 5, dtype=dtype, seed=n) for n in range(count)))


def test_strided_arguments() -> None:
    for view in (made(5, 4).t(), made(4, 9)[:, ::2], made(4, 5)[:, :]):
        check_writes(parts, view, made(4, 5, seed=1))
        check_writes(parts, made(4, 5), view)


def test_numbers_and_broadcast_copies() -> None:
    for dtype in ("float32", "float64"):
        check_writes(filled, made(4, 5, dtype=dtype), 0.1, 2**60 + 1)
    check_writes(copied_over, made(4, 5), made(5))
    assert "fill_" in refused(filled, made(4, 5, dtype="float16"), 0.1, 2)


def in_a_loop(x: Tensor, n: int, factor: float) -> Tensor:
    for i in range(n):
        x[i] = x[i] * 2 + i
        if i % 2 == 0:
            x += factor
    return x


def test_writes_in_loops() -> None:
    version = check_writes(in_a_loop, made(6, 3), 5, 0.25)
    x = made(6, 3)
    assert version.function(x, 0, 1.0) is x
    assert x._version == 0


def test_errors_in_the_middle_leave_what_was_written() -> None:
    version = check_writes(in_a_loop, made(4, 3), 3, 0.25)
    reference = assemble(jl.script(in_a_loop).optimized_graph, exact=True)
    x, y = made(4, 3), made(4, 3)
    wanted, (after, *_), counted, _ = outcome(reference, (x, 7, 0.5))
    got, (left, *_), own, _ = outcome(version.function, (y, 7, 0.5))
    assert wanted[0] is got[0] is IndexError
    assert own == counted == [6]
    assert_same(left, after, exact=True)


def test_lists_of_tensors() -> None:
    def updated(weights: list[Tensor], steps: list[Tensor], rate: float) -> None:
        weights[0].sub_(steps[0] * rate)
        weights[1].sub_(steps[1] * rate)

    weights, steps = [made(3), made(2, 2)], [made(3, seed=1), made(2, 2, seed=1)]
    version = check_writes(updated, weights, steps, 0.5)
    assert version.function(weights, [weights[0], steps[1]], 0.5) is MISS


def drawn(x: Tensor) -> None:
    x.uniform_(-1.0, 2.0)
    x[0].normal_(1.0, 0.5)
    x[1].bernoulli_(0.25)


def test_draws_in_place() -> None:
    check_writes(drawn, made(3, 50))
    check_writes(drawn, made(3, 7, dtype="float64"))


# Arrays -------------------------------------------------------------------------------------------


def on_arrays(x, y):
    x[1:] = y[:-1] * 2
    x += y
    x[0, 2] = 1.5
    x[..., 1] = 7
    return x


def everything(x, y):
    x[...] = np.exp(y)


def test_writes_to_arrays() -> None:
    for dtype in ("float32", "float64"):
        arrays = [made(4, 5, dtype=dtype, seed=n).numpy() for n in range(2)]
        check_writes(on_arrays, *arrays)
        check_writes(everything, *arrays)
    x, y = (array.copy() for array in arrays)
    jl.script(on_arrays)(x, y)
    z = arrays[0].copy()
    on_arrays(z, y)
    np.testing.assert_array_equal(x, z)


def test_arrays_for_tensors() -> None:
    version, _, _ = compiled(jl.script(parts), made(4, 5).numpy(), made(4, 5).numpy())
    x, y, z = made(4, 5), made(4, 5, seed=1), made(4, 5)
    assert version.function(x.numpy(), y.numpy()) is x.numpy()
    assert x._version == 0
    parts(z, y)
    np.testing.assert_array_equal(x.numpy(), z.numpy())


# Who else would see it ----------------------------------------------------------------------------


def test_overlapping_arguments_are_left_to_the_general_code() -> None:
    version = check_writes(parts, made(4, 5), made(4, 5, seed=1))
    memory = made(9, 5)
    assert version.function(memory[:4], memory[4:8]) is not MISS
    for x, y in ((memory[:4], memory[:4]), (memory[:4], memory[3:7]), (memory[5:], memory[4:8])):
        assert version.function(x, y) is MISS
    assert "x: writable, shares no memory with others" in map(str, version.guards)
    script = jl.script(parts)
    script.compile(made(4, 5), made(4, 5))
    native, plain = made(9, 5), made(9, 5)
    script(native[:4], native[1:5])
    parts(plain[:4], plain[1:5])
    np.testing.assert_array_equal(native.numpy(), plain.numpy())


def test_what_cannot_be_written_is_left_to_the_general_code() -> None:
    array = made(4, 5).numpy()
    array.flags.writeable = False
    x, before = jl.from_numpy(array), array.copy()
    version = check_writes(added, made(4, 5))
    assert version.function(x) is MISS
    script = jl.script(added)
    script.compile(made(4, 5))
    with pytest.raises(ValueError, match="read-only"):
        script(x)
    np.testing.assert_array_equal(array, before)
    assert "share memory" in refused(added, made(5).expand(4, 5))


def test_views_count_for_their_bases() -> None:
    base, own = made(6, 5), made(6, 5)
    version, graph, _ = compiled(jl.script(chained), made(4, 5), made(4, 5))
    x, same = base[1:5], own[1:5]
    version.function(x, made(4, 5, seed=1))
    assemble(graph)(same, made(4, 5, seed=1))
    assert (x._version, base._version) == (same._version, own._version) == (3, 4)


def carried(x: Tensor, n: int) -> Tensor:
    y = x
    for _ in range(n):
        x.add_(1)
        y = y * 2 + x
    return y


def of_two(x: Tensor, y: Tensor, first: bool) -> None:
    z = x if first else y
    z.add_(1)


def test_what_would_lose_a_write_is_refused() -> None:
    assert "carries a tensor that is written" in refused(carried, made(3), 2)
    # With the bool known, it is known which is written.
    assert "first == True" in map(str, check_writes(of_two, made(3), made(3), True).guards)

    def of_two_by_elements(x: Tensor, y: Tensor) -> None:
        z = x if float(y.sum()) > 0.0 else y
        z.add_(1)

    assert "one of several" in refused(of_two_by_elements, made(3), made(3))


def started(x: Tensor, keep: float) -> tuple[Tensor, Tensor]:
    y = jl.zeros(3, 2)
    if keep > 0.0:
        y[1] = x[1]
    z = jl.ones(3)
    z[0] = 5.0
    return y + 1, z


def test_new_tensors_are_new_in_each_call() -> None:
    version = check_writes(started, made(3, 2), 1.0)
    first, _ = version.function(made(3, 2), 1.0)
    second, _ = version.function(made(3, 2), 0.0)
    assert first.numpy()[1].tolist() == (made(3, 2).numpy()[1] + 1).tolist()
    assert second.tolist() == [[1.0, 1.0]] * 3


def test_a_call_after_a_write_is_refused() -> None:
    def summed(x: Tensor) -> Tensor:
        x.add_(1)
        return (x * 2).cumsum(0)

    assert "after an effect" in refused(summed, made(3))


def turned(x: np.ndarray) -> np.ndarray:
    x[:] = x[::-1]
    return x


def towards_the_corner(x: np.ndarray) -> np.ndarray:
    x[1:, 1:] = x[:-1, :-1]
    return x


def transposed(x: np.ndarray) -> np.ndarray:
    x[:] = x.T
    return x


def moved_down(x: np.ndarray) -> np.ndarray:
    x[0] *= 2
    x[1:] = x[:-1]
    return x


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize("function", [turned, towards_the_corner, transposed, moved_down])
def test_what_is_copied_onto_itself_is_read_first(
    function: Callable[..., Any], dtype: str
) -> None:
    script = jl.script(function)
    for _ in range(5):
        x = np.arange(16).reshape(4, 4).astype(dtype)
        np.testing.assert_array_equal(script(x.copy()), function(x))
    version, _, _ = compiled(script, x)
    np.testing.assert_array_equal(version.function(x.copy()), function(x))


def beside(x: np.ndarray) -> np.ndarray:
    x[0] = x[-1]
    x[:, 0] = x[:, 1]
    x[::2] = x[1::2]
    return x


def test_what_lies_beside_its_target_is_copied() -> None:
    x = np.arange(16.0).reshape(4, 4)
    version, _, _ = compiled(jl.script(beside), x)
    np.testing.assert_array_equal(version.function(x.copy()), beside(x))


def descended(x: Tensor, w: Tensor) -> Tensor:
    y = x
    for _ in range(4):
        y = (x @ w).tanh()
        w.sub_(0.1 * (x.t() @ y))
    return y + 0


def by_elements(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    y = x
    for t in range(4):
        part = w.T
        y = np.tanh(x @ part)
        w[t] = y[0, 0]
    return y + 0


def by_epochs(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(3):
        for _ in range(3):
            x = (x @ w).tanh()
        w.mul_(0.5)
    return x + 0


@pytest.mark.parametrize("function", [descended, by_elements, by_epochs])
def test_a_matrix_that_a_loop_writes_is_read_anew(function: Callable[..., Any]) -> None:
    given = made(20, 32), made(32, 32, seed=1)
    arguments = tuple(map(Tensor.numpy, given)) if function is by_elements else given
    check_writes(function, *arguments, exact=False)


def test_nothing_leaks() -> None:
    x, y = made(4, 5), made(4, 5)
    version, _, _ = compiled(jl.script(chained), x, y)
    assert_no_leak(lambda: version.function(x, y))
    # Versions beyond the small ints are objects of their own.
    assert x._version > 1000


def test_versions_are_explained() -> None:
    script = jl.script(chained)
    script.compile(made(4, 5), made(4, 5))
    (version,) = script.explain().versions
    assert version.callbacks == []
    assert "x: writable, shares no memory with others" in version.guards
