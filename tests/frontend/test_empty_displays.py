"""Empty lists and dicts without annotation hold what is stored in them, even if read before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import jitlang as jl
from jitlang.errors import CompileError, ErrorKind


def returned_in_a_tuple(n: int):  # type: ignore[no-untyped-def]
    result = {}
    return result, n


def filled_inside_a_tuple(n: int):  # type: ignore[no-untyped-def]
    pair = ([], n)
    pair[0].append(n)
    return pair


def walked_when_written(n: int):  # type: ignore[no-untyped-def]
    return [x for x in []], n  # noqa: C416


def walked_before_filled(n: int) -> int:
    out = []
    for i in range(n):
        for x in out:
            if x > 5:
                return -1
        out.append(i)
    return len(out)


def monotonic_stack(xs: list[int]):  # type: ignore[no-untyped-def]
    stack = []
    best = 0
    for x in xs:
        while stack and stack[-1] > x:
            best = max(best, stack.pop())
        stack.append(x)
    return best, stack


def counted(words: list[str]) -> dict[str, int]:
    seen = {}
    for word in words:
        if word in seen:
            seen[word] = seen[word] + 1
        else:
            seen[word] = 1
    return seen


def grouped(words: list[str]) -> dict[str, list[int]]:
    groups = {}
    for word in words:
        if word not in groups:
            groups[word] = []
        groups[word].append(len(word))
    return groups


def from_its_own_elements(n: int) -> list[int]:
    numbers = []
    for k in range(n):
        if k >= 2:
            numbers.append(numbers[-1] + numbers[-2])
        else:
            numbers.append(1)
    return numbers


def tuples_unpacked(n: int) -> list[tuple[int, int]]:
    pairs = []
    while len(pairs) < n:
        if len(pairs) > 0:
            a, b = pairs[-1]
            pairs.append((b, a + b))
        else:
            pairs.append((0, 1))
    return pairs


def triangle(n: int) -> list[list[int]]:
    rows = []
    for i in range(n):
        row = []
        for j in range(i + 1):
            row.append(1 if j in (0, i) else rows[i - 1][j - 1] + rows[i - 1][j])
        rows.append(row)
    return rows


def methods_of_elements(n: int) -> str:
    names = []
    joined = ""
    for i in range(n):
        if len(names) > 1:
            joined += names[0].upper() + names[i - 1]
        names.append(f"n{i}")
    return joined


def queue(n: int) -> int:
    waiting = []
    total = 0
    for k in range(n):
        if len(waiting) > 2:
            first, second = waiting.pop(0), waiting[0]
            total += first * 10 + second
        waiting.append(k)
    return total


CASES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (returned_in_a_tuple, (3,)),
    (filled_inside_a_tuple, (3,)),
    (walked_when_written, (3,)),
    (walked_before_filled, (3,)),
    (walked_before_filled, (9,)),
    (monotonic_stack, ([3, 1, 2, 5, 4, 0],)),
    (counted, (["a", "b", "a"],)),
    (grouped, (["a", "bb", "a"],)),
    (from_its_own_elements, (9,)),
    (tuples_unpacked, (6,)),
    (triangle, (6,)),
    (methods_of_elements, (4,)),
    (queue, (7,)),
]


@pytest.mark.parametrize(("function", "args"), CASES)
def test_same_as_python(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    found = jl.script(function)(*args)
    expected = function(*args)
    assert found == expected
    assert type(found) is type(expected)
    assert "Any" not in str(jl.script(function).graph)


def never_filled(n: int) -> int:
    things = []
    for thing in things:
        n += thing.weight
    return n


def test_what_nothing_decides_asks_for_an_annotation() -> None:
    with pytest.raises(CompileError) as caught:
        jl.script(never_filled)
    assert caught.value.kind is ErrorKind.UNDEFINED_ATTRIBUTE
    assert caught.value.hint is not None and "xs: list[int] = []" in caught.value.hint


def filled_wrongly(n: int) -> int:
    things = []
    for i in range(n):
        if len(things) > 0:
            n += things[-1]
        things.append(i)
    things.append("a")
    return n


def test_mistakes_behind_a_first_read_are_found() -> None:
    with pytest.raises(CompileError) as caught:
        jl.script(filled_wrongly)
    assert caught.value.kind is ErrorKind.ELEMENT_TYPE
    assert caught.value.found == "str"


def wrong_elsewhere(n: int) -> int:
    things = []
    for i in range(n):
        if len(things) > 0:
            n += things[-1]
            n = n.undefined
        things.append(i)
    return n


def test_other_mistakes_are_not_forgiven() -> None:
    with pytest.raises(CompileError) as caught:
        jl.script(wrong_elsewhere)
    assert caught.value.kind is ErrorKind.UNDEFINED_ATTRIBUTE
    assert caught.value.hint is None or "annotate the empty" not in caught.value.hint
