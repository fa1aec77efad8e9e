"""Ranges, zips and the like: walked, spread and searched; lists once they are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import jitlang as jl


def walked(n: int, xs: list[int]):  # type: ignore[no-untyped-def]
    xs.extend(range(n))
    xs += range(2)
    xs.extend(reversed([1, 2]))
    return xs, sorted(range(3), reverse=True), max(range(4)), sum(range(5))


def searched(n: int) -> tuple[bool, bool, bool]:
    return n in range(3, 9), n not in range(2), n in reversed([4])


def spread(n: int):  # type: ignore[no-untyped-def]
    p, q, *rest = range(5)
    return p, q, rest, [*range(n), n], tuple(range(2)), [*zip([1], "a")]


def converted(n: int):  # type: ignore[no-untyped-def]
    pairs = dict(zip(["a", "b"], [1, 2]))
    return pairs, list(enumerate("ab")), ",".join(reversed(["a", "b"])), list(range(n))


def kept_in_a_name(n: int) -> int:
    steps = range(n)
    total = 0
    for i in steps:
        for j in steps:
            total += i * j
    return total + len(steps)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (walked, (4, [1])),
        (searched, (4,)),
        (spread, (4,)),
        (converted, (3,)),
        (kept_in_a_name, (4,)),
    ],
)
def test_same_as_python(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    def fresh() -> tuple[Any, ...]:
        return tuple(list(arg) if isinstance(arg, list) else arg for arg in args)

    assert jl.script(function)(*fresh()) == function(*fresh())


def returned(n: int):  # type: ignore[no-untyped-def]
    return zip([n], [n]), range(n), [reversed([1, n])]


def test_once_returned_or_stored_they_are_lists() -> None:
    assert jl.script(returned)(2) == ([(2, 2)], [0, 1], [[2, 1]])


def rest_written_in_place(xs: list[int]):  # type: ignore[no-untyped-def]
    alias = xs
    *xs, last = xs
    xs *= 2
    alias.append(0)
    return last, xs, alias


def test_the_rest_of_an_unpacking_is_a_list_of_its_own() -> None:
    assert jl.script(rest_written_in_place)([1, 4]) == (4, [1, 1], [1, 4, 0])
