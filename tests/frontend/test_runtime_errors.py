"""Errors while a script runs: Python's class and arguments, the script's own stack as a note."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor

TITLE = "Script stack (most recent call last):"
FRAME = re.compile(r'  File "(?P<file>[^"]*)", line (?P<line>\d+), in (?P<function>\w+)')


class Refused(Exception):
    """An exception class of the user, with arguments and state of its own."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code


def frames(error: BaseException) -> list[str]:
    """The functions in the noted stack, outermost first."""
    (note,) = error.__notes__
    assert note.startswith(TITLE)
    assert all(match["file"] == __file__ for match in FRAME.finditer(note))
    return [match["function"] for match in FRAME.finditer(note)]


def carets(error: BaseException) -> str:
    """The text that the innermost frame marks."""
    lines = error.__notes__[0].splitlines()
    pairs = zip(lines[-2::-1], lines[:0:-1], strict=False)
    text, marks = next(pair for pair in pairs if "^" in pair[1])
    return "".join(c for c, mark in zip(text, marks, strict=False) if mark == "^")


def failure(function: Callable[..., Any], *args: Any) -> BaseException:
    """What a script raises; plain Python must raise the same class."""
    plain = getattr(function, "__jitlang_function__", function)
    with pytest.raises(Exception) as expected:  # noqa: PT011
        plain(*args)
    with pytest.raises(type(expected.value)) as caught:
        jl.script(function)(*args)
    assert type(caught.value) is type(expected.value)
    return caught.value


def item(xs: list[int], i: int) -> int:
    return xs[i]


def index_error(xs: list[int]) -> int:
    total = 0
    for i in range(len(xs) + 1):
        total += item(xs, i)
    return total


def key_error(table: dict[str, int]) -> int:
    return table["ä"] + table["missing"]


def zero_division(a: int, b: int) -> int:
    return 1 + a // b


def value_error(text: str) -> int:
    return int(text) + 1


def unpacking(xs: list[int]) -> int:
    a, b = xs
    return a + b


def missing_element(xs: list[int]) -> int:
    return xs.index(7)


def empty_pop(xs: list[int]) -> int:
    return xs.pop()


CLASSES: list[tuple[Callable[..., Any], tuple[Any, ...], type[BaseException], str]] = [
    (key_error, ({"ä": 1},), KeyError, 'table["missing"]'),
    (zero_division, (1, 0), ZeroDivisionError, "a // b"),
    (value_error, ("x",), ValueError, "int(text)"),
    (unpacking, ([1, 2, 3],), ValueError, "a, b"),
    (missing_element, ([1],), ValueError, "xs.index(7)"),
    (empty_pop, ([],), IndexError, "xs.pop()"),
]


@pytest.mark.parametrize(("function", "args", "cls", "place"), CLASSES)
def test_python_classes_and_places(
    function: Callable[..., Any], args: tuple[Any, ...], cls: type[BaseException], place: str
) -> None:
    error = failure(function, *args)
    assert type(error) is cls
    assert frames(error) == [function.__name__]
    assert carets(error) == place


def test_stack_goes_through_inlined_callees_outermost_first() -> None:
    error = failure(index_error, [1, 2])
    assert type(error) is IndexError
    assert frames(error) == ["index_error", "item"]
    assert carets(error) == "xs[i]"
    assert "total += item(xs, i)" in error.__notes__[0]


def refuse(n: int) -> int:
    if n > 1:
        raise Refused(n, "too many")
    return n


def middle(n: int) -> int:
    return refuse(n) * 2


def custom_class(n: int) -> int:
    return middle(n + 1)


def test_custom_classes_keep_arguments_and_state() -> None:
    error = failure(custom_class, 5)
    assert isinstance(error, Refused)
    assert error.args == (6, "too many")
    assert error.code == 6
    assert frames(error) == ["custom_class", "middle", "refuse"]


def asserted(n: int) -> int:
    assert n > 0, f"n is {n}"
    return n


def test_assertions_keep_their_message() -> None:
    error = failure(asserted, -1)
    assert str(error).splitlines()[0] == "n is -1"
    assert "assert n > 0" in carets(error)


def squared(n: int) -> int:
    return n * n


def test_overflow_names_the_line() -> None:
    with pytest.raises(OverflowError) as caught:
        jl.script(squared)(2**40)
    line = squared.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}" in str(caught.value)
    assert "64 bits" in str(caught.value)
    assert frames(caught.value) == ["squared"]


def product(a: Tensor, b: Tensor) -> Tensor:
    return (a + 1) @ b


def test_operators_raise_runtime_error_as_in_torch() -> None:
    error = failure(product, jl.ones(2, 3), jl.ones(2, 3))
    assert type(error) is RuntimeError
    assert "(2x3 and 2x3)" in str(error)
    assert carets(error) == "(a + 1) @ b"


def tensor_item(x: Tensor, i: int) -> Tensor:
    return x[i]


def test_index_out_of_range_of_a_tensor() -> None:
    error = failure(tensor_item, jl.ones(2), 2)
    assert type(error) is IndexError


def in_a_loop(n: int) -> int:
    total = 0
    while n > -3:
        total += 10 // n
        n -= 1
    return total


def in_a_branch(n: int) -> int:
    if n > 0:
        total = 1 // (n - n)
    else:
        total = 0
    return total


def in_a_comprehension(xs: list[int]) -> list[int]:
    return [10 // x for x in xs if x < 5]


def in_a_condition(xs: list[int]) -> int:
    if xs[3] > 0 and len(xs) > 2:
        return 1
    return 0


@pytest.mark.parametrize(
    ("function", "args", "place"),
    [
        (in_a_loop, (3,), "10 // n"),
        (in_a_branch, (3,), "1 // (n - n)"),
        (in_a_comprehension, ([1, 0],), "10 // x"),
        (in_a_condition, ([1],), "xs[3]"),
    ],
)
def test_places_inside_control_flow(
    function: Callable[..., Any], args: tuple[Any, ...], place: str
) -> None:
    error = failure(function, *args)
    assert carets(error) == place


def effects(xs: list[int], n: int) -> int:
    xs.append(n)
    return 1 // n


def test_effects_before_the_error_stay() -> None:
    xs = [5]
    with pytest.raises(ZeroDivisionError):
        jl.script(effects)(xs, 0)
    assert xs == [5, 0]


def test_each_error_has_its_own_note() -> None:
    scripted = jl.script(zero_division)
    notes = []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            scripted(1, 0)
        notes.append(caught.value.__notes__)
    assert notes[0] == notes[1]
    assert len(notes[0]) == 1


def test_traceback_shows_the_note() -> None:
    error = failure(zero_division, 1, 0)
    text = "".join(traceback.format_exception(error))
    assert TITLE in text
    assert "return 1 + a // b" in text


@jl.ignore
def in_python(n: int) -> int:
    inner: int = jl.script(zero_division)(n, 0)
    return inner


def through_python(n: int) -> int:
    return in_python(n) + 1


@pytest.mark.fallback
def test_a_script_called_back_adds_its_frames_below() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        jl.script(through_python)(1)
    assert frames(caught.value) == ["through_python", "zero_division"]


@jl.ignore
def fails_in_python(n: int) -> int:
    raise LookupError(f"nothing at {n}")


def calls_back(n: int) -> int:
    return fails_in_python(n)


@pytest.mark.fallback
def test_errors_of_called_back_functions_keep_their_class() -> None:
    error = failure(calls_back, 3)
    assert type(error) is LookupError
    assert frames(error) == ["calls_back"]


def on_arrays(x: np.ndarray) -> float:
    return float(x[0] + x[7])


def test_arrays_raise_as_numpy_does() -> None:
    error = failure(on_arrays, np.ones(3))
    assert type(error) is IndexError
    assert carets(error) == "x[7]"


def test_wrong_arguments_are_type_errors_before_anything_runs() -> None:
    scripted = jl.script(effects)
    xs: list[int] = []
    with pytest.raises(TypeError, match=r"effects\(\) argument 'n' expects int, found str"):
        scripted(xs, "a")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'n'"):
        scripted(xs)
    with pytest.raises(TypeError, match="unexpected keyword argument 'm'"):
        scripted(xs, 1, m=2)
    assert xs == []
