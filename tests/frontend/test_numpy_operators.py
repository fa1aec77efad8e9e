"""The array surface: operators of Python between arrays and numbers of every dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy_oracle import assert_close, assert_same, kind_of, outcome

import jitlang as jl


def number_first(x):
    return 7 // x, 7 % x, 7 - x, 7 / x, 2**x, 7.5 // x, 7.5 % x, 7 < x, 7 == x


def number_last(x):
    return x // 2, x % 3, x - 1, x / 2, x**2, x * 1.5, x + True, x > 1, x != 2, x**0.5


def bits(x):
    return 1 << x, x << 2, x >> 1, x & 3, 3 | x, x ^ x, ~x


def by_zero(x):
    return x // 0, x % 0, x / 0, 1 // (x - x), 1 % (x - x)


def squared(x):
    return x**2, x**-1, x**0.5, x**3, np.power(x, 2), x**1.5


def mixed(x, y):
    return x + y, x * y, x / y, x - y, x // y, x % y, x**y, x < y, x == y, np.maximum(x, y)


def unary(x):
    return -x, +x, abs(x), np.negative(x), np.abs(x), np.square(x)


SCALAR_DTYPES = [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]
FLOATS = [np.float16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", [*SCALAR_DTYPES, *FLOATS])
def test_operators_with_numbers(dtype: Any) -> None:
    x = np.array([1, 2, 3, 5], dtype)
    for function in (number_first, number_last, unary):
        assert_same(function, x)
        assert_same(function, x[1])
        assert_same(function, x[1:2].reshape(()))
    for function in (bits, by_zero) if dtype in SCALAR_DTYPES else (squared, by_zero):
        assert_same(function, x)


@pytest.mark.parametrize("a", [np.bool_, *SCALAR_DTYPES, *FLOATS, np.complex64])
@pytest.mark.parametrize("b", [np.bool_, np.int8, np.int64, np.uint64, np.float32, np.float64])
def test_operators_of_two_arrays(a: Any, b: Any) -> None:
    x, y = np.array([1, 2, 3], a), np.array([1, 3, 2], b)
    for name, operator in {
        "add": lambda x, y: x + y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
        "sub": lambda x, y: x - y, "floor": lambda x, y: x // y, "mod": lambda x, y: x % y,
        "pow": lambda x, y: x**y, "and": lambda x, y: x & y, "lt": lambda x, y: x < y,
        "eq": lambda x, y: x == y,
    }.items():  # fmt: skip
        wanted = outcome(operator, (x, y))[:2]
        got = outcome(SCRIPTED[name], (x, y))[:2]
        assert type(got[1]) is type(wanted[1]), name
        assert kind_of(got[0]) == kind_of(wanted[0]), name
        if wanted[1] is None:
            assert_close(got[0], wanted[0])


@pytest.mark.parametrize("number", [2.5, np.inf, -np.inf, np.nan, complex(np.inf, 1)])
def test_sums_of_complex_arrays_and_numbers(number: Any) -> None:
    x = np.array([1 + 1j, np.inf, complex(2, np.nan)], np.complex64)
    for function in (add, sub):
        for args in ((x, number), (number, x)):
            with np.errstate(invalid="ignore"):
                wanted, got = function(*args), SCRIPTED[function.__name__](*args)
            assert got.tobytes() == wanted.tobytes()


def add(x, y):
    return x + y


def mul(x, y):
    return x * y


def div(x, y):
    return x / y


def sub(x, y):
    return x - y


def floor(x, y):
    return x // y


def mod(x, y):
    return x % y


def power(x, y):
    return x**y


def both(x, y):
    return x & y


def less(x, y):
    return x < y


def equal(x, y):
    return x == y


SCRIPTED = {
    "add": jl.script(add), "mul": jl.script(mul), "div": jl.script(div), "sub": jl.script(sub),
    "floor": jl.script(floor), "mod": jl.script(mod), "pow": jl.script(power),
    "and": jl.script(both), "lt": jl.script(less), "eq": jl.script(equal),
}  # fmt: skip


def add_in_place(x, y):
    x += y
    return x


def divide_in_place(x, y):
    x /= y
    return x


def shift_in_place(x, y):
    x <<= y
    x |= 1
    return x


@pytest.mark.parametrize("function", [add_in_place, divide_in_place, shift_in_place])
def test_in_place(function: Callable[..., Any]) -> None:
    for x in (np.arange(3), np.ones(3, np.float32), np.ones((2, 3)), np.float32(2), np.array(2.0)):
        for y in (2, 2.5, np.arange(3), np.ones(4), np.ones((2, 3))):
            assert_same(function, x, y)
