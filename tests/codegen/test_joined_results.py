"""Results that branches give: computed where they leave, or an argument itself, the very object."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor


def doubled_if_positive(x):
    if x.sum() > 0:
        x = x * 2
    return x


def three_ways(x, y):
    if x.sum() > 3:
        z = x
    elif x.sum() < -3:
        z = y
    else:
        z = x + y
    return z, x * 1


def computed_either_way(x):
    if x.sum() > 0:
        return x * 2
    return x - 1


def computed_before(x):
    y = x + 1
    if x.sum() > 0:
        y = y * 2
    return y


def repeated(x, n: int):
    if n > 2:
        for _ in range(n - 3):
            x = x + 1
    return x


def of_tensors(x: Tensor) -> tuple[Tensor, Tensor]:
    if bool(x.sum() > 0):
        x = x.tanh() * 2
    elif bool(x.sum() < -5):
        x = x + 1
    return x, x * 0.5


def floats(n: int) -> Any:
    return np.full((3, 3), float(n))


CASES: list[tuple[Callable[..., Any], Callable[[int], tuple[Any, ...]]]] = [
    (doubled_if_positive, lambda n: (floats(n),)),
    (three_ways, lambda n: (floats(n), floats(2 * n))),
    (computed_either_way, lambda n: (floats(n),)),
    (computed_before, lambda n: (floats(n),)),
    (repeated, lambda n: (floats(n), n)),
    (of_tensors, lambda n: (jl.full((3, 3), float(n)),)),
]


def parts(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize(("function", "arguments"), CASES)
def test_results_of_branches(function, arguments):
    scripted = jl.script(function)
    for n in (1, 1, 1, 1, -1, 0, 2, -2, 3, 4, 5, 6):
        given = arguments(n)
        wanted, got = parts(function(*given)), parts(scripted(*given))
        for one, another in zip(got, wanted, strict=True):
            assert [one is each for each in given] == [another is each for each in given]
            assert type(one) is type(another)
            np.testing.assert_allclose(np.asarray(one), np.asarray(another), rtol=1e-6)
    assert "static version" in str(scripted.explain())
    assert "not specialized" not in str(scripted.explain())


def test_a_result_is_a_new_array_in_every_call():
    scripted = jl.script(computed_either_way)
    kept = [scripted(floats(n)) for n in (1, 2, 3, -1, -2, 5, -5)]
    assert [each[0, 0] for each in kept] == [2.0, 4.0, 6.0, -2.0, -3.0, 10.0, -6.0]


def test_references_are_counted():
    for function, arguments in CASES:
        scripted = jl.script(function)
        for n in (3, -3):
            given = arguments(n)
            for _ in range(6):
                scripted(*given)
            gc.collect()
            arrays = [each for each in given if not isinstance(each, int)]
            before = [sys.getrefcount(each) for each in arrays]
            for _ in range(50):
                scripted(*given)
            assert [sys.getrefcount(each) for each in arrays] == before
