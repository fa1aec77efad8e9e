"""Tensors that were returned, and that nobody has any more, are returned again; others never."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from static_calls import compiled

import jitlang as jl
from jitlang import Tensor


def twice(x: Tensor) -> Tensor:
    return x * 2


def function_of(size: int = 4) -> Callable[[Tensor], Tensor]:
    """`twice` as the native function for so many elements."""
    version, _, _ = compiled(jl.script(twice), jl.zeros(size))
    return version.function


def some(start: float, size: int = 4) -> Tensor:
    return jl.tensor([float(start) + n for n in range(size)])


def places(function: Callable[[Tensor], Tensor], calls: int, size: int = 4) -> list[int]:
    """Where results lie that nobody keeps."""
    found = []
    for call in range(calls):
        result = function(some(call, size))
        assert result.tolist() == [2.0 * (call + n) for n in range(size)]
        found.append(result.data_ptr())
        del result
    return found


def test_two_places_take_turns_where_nobody_keeps_results():
    first, second, *rest = places(function_of(), 6)
    assert rest == [first, second, first, second]


def test_large_results_are_made_anew():
    x = jl.zeros(100_000)
    version, _, _ = compiled(jl.script(twice), x)
    kept = version.function(x)
    assert "jitlang_result" not in version.text
    assert kept is not version.function(x)


KEEPERS: dict[str, Callable[[Tensor], Any]] = {
    "tensor": lambda y: y,
    "array": lambda y: y.numpy(),
    "view": lambda y: y[1:],
    "view of the array": lambda y: y.numpy()[1:],
    "detached": lambda y: y.detach(),
    "memoryview": lambda y: memoryview(y.numpy()),
    "in a list": lambda y: [y],
    "exchange": lambda y: np.from_dlpack(y),
}


@pytest.mark.parametrize("keep", KEEPERS.values(), ids=KEEPERS.keys())
def test_what_is_kept_stays_as_it_is(keep: Callable[[Tensor], Any]):
    function = function_of()
    places(function, 3)

    def elements(kept: Any) -> list[float]:
        (kept,) = kept if isinstance(kept, list) else (kept,)
        return [float(each) for each in kept]

    kept = keep(function(some(7.0)))
    before = elements(kept)
    assert set(before) <= {14.0, 16.0, 18.0, 20.0} and before
    places(function, 5)
    assert elements(kept) == before


def test_results_of_results_are_different():
    function = function_of()
    places(function, 3)
    assert function(function(function(some(1.0)))).tolist() == [8.0, 16.0, 24.0, 32.0]
    x = function(some(1.0))
    for _ in range(4):
        x = function(x)
    assert x.tolist() == [32.0, 64.0, 96.0, 128.0]


def read_only(y: Tensor) -> None:
    y.numpy().flags.writeable = False


def reshaped(y: Tensor) -> None:
    y.numpy().shape = (2, 2)


def of_another_type(y: Tensor) -> None:
    y.numpy().dtype = np.dtype("int32")


def with_a_gradient(y: Tensor) -> None:
    y.grad = jl.zeros(4)


CHANGES: dict[str, Callable[[Tensor], Any]] = {
    "written": lambda y: y.add_(1),
    "recorded": lambda y: y.requires_grad_(),
    "with a gradient": with_a_gradient,
    "read-only": read_only,
    "reshaped": reshaped,
    "of another type": of_another_type,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_tensors_are_not_returned_again(change: Callable[[Tensor], Any]):
    function = function_of()
    for call in range(4):
        result = function(some(call))
        assert result.shape == (4,) and result.dtype == jl.float32
        assert result._version == 0 and not result.requires_grad and result.grad is None
        assert result.numpy().flags.writeable
        assert result.tolist() == [2.0 * (call + n) for n in range(4)]
        change(result)


def test_who_looks_on_weakly_never_sees_another_result():
    function = function_of()
    places(function, 2)
    result = function(some(1.0))
    seen = weakref.ref(result)
    del result
    places(function, 2)
    assert seen() is None


def test_a_function_takes_its_results_with_it():
    version, _, _ = compiled(jl.script(twice), jl.zeros(4))
    seen = weakref.ref(version.function(some(1.0)))
    assert seen() is not None
    del version
    gc.collect()
    assert seen() is None
