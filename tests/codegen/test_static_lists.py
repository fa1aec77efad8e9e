"""Lists of numbers and strings in native functions: grown, read and written by place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from static_calls import assert_no_leak, check

import jitlang as jl


def multiples(n: int) -> list[int]:
    found: list[int] = []
    for i in range(n):
        if i % 3 == 0:
            found.append(i)
    return found


def sieve(n: int) -> list[int]:
    is_prime: list[bool] = [True] * n
    primes: list[int] = []
    for i in range(2, n):
        if is_prime[i]:
            primes.append(i)
            for j in range(i * i, n, i):
                is_prime[j] = False
    return primes


def fibonacci(n: int) -> list[int]:
    found = [0, 1]
    while len(found) < n:
        found.append(found[-1] + found[-2])
    return found


def powers(n: int) -> list[float]:
    found = [0.5] * n
    for i in range(1, n):
        found[i] = found[i - 1] * 1.5
    return found


@pytest.mark.parametrize("function", [multiples, sieve, fibonacci, powers])
@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_lists_in_loops(function: Callable[[int], Any], n: int) -> None:
    version = check(function, n)
    assert version.function(n) == function(n)
    assert_no_leak(lambda: version.function(n))


def words(n: int) -> list[str]:
    found = ["a"] * n
    for i in range(1, n):
        found[i] = found[i - 1] + "b"
    return found


def test_lists_of_strings_that_change() -> None:
    scripted = jl.script(words)
    for _ in range(5):
        assert scripted(4) == ["a", "ab", "abb", "abbb"]
    assert scripted(2) == ["a", "ab"]


def at(place: int) -> int:
    found: list[int] = []
    for i in range(4):
        found.append(10 * i)
    return found[place]


def put(place: int) -> list[int]:
    found = [0] * 3
    for i in range(2):
        found[place] = i + 5
    return found


@pytest.mark.parametrize("function", [at, put])
@pytest.mark.parametrize("place", [-5, -4, -3, -1, 0, 2, 3, 4, 2**40, -(2**40)])
def test_places_count_from_either_end_or_are_refused(
    function: Callable[[int], Any], place: int
) -> None:
    version = check(function, 1)
    assert outcome(version.function, place) == outcome(function, place)


def outcome(function: Callable[[int], Any], place: int) -> Any:
    try:
        return function(place)
    except IndexError as error:
        return str(error).splitlines()[0]
