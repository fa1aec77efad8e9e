"""A list keeps its element type: what is stored has it, or is tested when the script runs."""

from __future__ import annotations

from typing import Any

import pytest

import jitlang as jl
from jitlang import Tensor


@jl.ignore
def anything(x):  # type: ignore[no-untyped-def]
    return x


def appended(xs: list[int], x: Any) -> int:
    xs.append(x)
    return xs[-1] + 1


def inserted(xs: list[int], x: Any) -> int:
    xs.insert(0, x)
    return xs[0] + 1


def stored(xs: list[int], x: Any) -> int:
    xs[0] = x
    return xs[0] + 1


@pytest.mark.parametrize("function", [appended, inserted, stored])
def test_unknown_values_are_tested_when_they_are_stored(function: Any) -> None:
    scripted = jl.script(function)
    assert scripted([1], 5) == 6
    xs = [1]
    with pytest.raises(TypeError, match="expected int, found str"):
        scripted(xs, "a")
    assert xs == [1]


def losses(x: Tensor) -> list[float]:
    found: list[float] = []
    for row in x:
        found.append(row.sum().item())
    return found


def test_the_item_of_a_tensor_is_a_number_of_the_list() -> None:
    assert jl.script(losses)(jl.ones(2, 3)) == [3.0, 3.0]


def least(xs: list[int], x: float) -> list[int]:
    xs.append(min(xs[0], x))  # type: ignore[arg-type]
    return xs


def test_a_number_of_the_wrong_class_is_refused_when_it_runs() -> None:
    assert jl.script(least)([1], 2.5) == [1, 1]
    with pytest.raises(TypeError, match="expected int, found float"):
        jl.script(least)([1], 0.5)


def optional_elements(xs: list[int | None], ys: list[int]) -> list[int | None]:
    xs.append(1)
    xs.append(None)
    xs += [2]
    xs.extend([y for y in ys])  # noqa: C416
    return xs


def test_wider_lists_take_narrower_elements() -> None:
    assert jl.script(optional_elements)([None], [3]) == [None, 1, None, 2, 3]
