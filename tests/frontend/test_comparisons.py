"""Comparisons of values of different kinds are Python's: unequal, never converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import jitlang as jl


def lists(n: int, xs: list[int], pair: tuple[int, int], maybe: list[int] | None):  # type: ignore[no-untyped-def]
    same = xs == [1], [] == [], maybe == xs, pair == (1, 2), () == ()
    other = [] == 1, [] == n, xs == n, xs == pair, pair == xs, [] == (), maybe == n
    unequal = xs != n, n != xs, xs != maybe, [] != {}, xs != pair
    return same, other, unequal


def scalars(n: int, text: str, flag: bool, x: float, table: dict[str, int]):  # type: ignore[no-untyped-def]
    numbers = n == x, flag == n, n != x, flag == 1, flag < n
    mixed = text == n, text != n, n == text, table == n, table != text, None == n, n != None  # noqa: E711
    return numbers, mixed


def powers(flag: bool, other: bool, n: int, x: float):  # type: ignore[no-untyped-def]
    return flag**n, n**flag, flag**other, flag**x, x**flag, flag * n, flag << n, -flag, ~flag


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lists, (4, [1], (1, 2), [1])),
        (lists, (1, [], (1, 2), None)),
        (scalars, (4, "a", True, 4.0, {})),
        (powers, (True, False, 3, 0.5)),
    ],
)
def test_same_as_python(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    found, expected = jl.script(function)(*args), function(*args)
    assert repr(found) == repr(expected)
