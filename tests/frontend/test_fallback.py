"""Calls back into Python: for what the language excludes, never for mistakes (decision 18)."""

from __future__ import annotations

import functools
import linecache
import math
import re
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor
from jitlang.errors import CompileError, ErrorKind, FallbackWarning

pytestmark = pytest.mark.fallback


def silently(function: Callable[..., Any], **options: Any) -> Any:
    """Script a function; a FallbackWarning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", FallbackWarning)
        return jl.script(function, **options)


def warned(function: Callable[..., Any]) -> tuple[Any, list[str]]:
    """Script a function; the texts of its FallbackWarnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scripted = jl.script(function)
        scripted.graph  # noqa: B018  # a property that compiles
    return scripted, [str(w.message) for w in caught if w.category is FallbackWarning]


def nodes(scripted: Any) -> list[str]:
    """The graph's calls back into Python."""
    return re.findall(r"\^\w+", str(scripted.graph))


# @jl.ignore ---------------------------------------------------------------------------------------


@jl.ignore
def shout(text: str, times: int = 1) -> str:
    return text.upper() + "!" * times


def ignored(text: str) -> str:
    return shout(text, 2) + "?"


def test_an_ignored_function_is_called_back_without_a_warning() -> None:
    scripted = silently(ignored)
    assert scripted("a") == "A!!?"
    assert nodes(scripted) == ["^shout"]
    assert "^shout(" in scripted.code
    assert scripted.fallbacks == []


def by_keyword(text: str) -> str:
    return shout(times=3, text=text)


def by_default(text: str) -> str:
    return shout(text)


def test_keywords_and_defaults_are_pythons() -> None:
    assert silently(by_keyword)("a") == "A!!!"
    assert silently(by_default)("a") == "A!"


def wrong_keyword(text: str) -> str:
    return shout(text, loudness=3)


def test_wrong_arguments_of_an_ignored_function_are_mistakes() -> None:
    with pytest.raises(CompileError) as caught:
        jl.script(wrong_keyword)
    assert caught.value.kind is ErrorKind.UNKNOWN_KEYWORD


@jl.ignore
def untyped(x):  # type: ignore[no-untyped-def]
    return [x, x]


def any_result(x: int):  # type: ignore[no-untyped-def]
    return untyped(x)


def narrowed_result(x: int) -> int:
    items: list[int] = untyped(x)
    return items[0] + len(items)


def narrowed_wrongly(x: int) -> str:
    text: str = untyped(x)
    return text


def test_a_result_without_annotation_is_any_until_narrowed() -> None:
    assert "Any" in str(silently(any_result).graph)
    assert silently(any_result)(4) == [4, 4]
    assert silently(narrowed_result)(4) == 6
    with pytest.raises(TypeError, match="expected str, found"):
        silently(narrowed_wrongly)(4)


@jl.ignore
def lies(x: int) -> int:
    return "not an int"  # type: ignore[return-value]


@jl.ignore
def widens(x: int) -> float:
    return x


@jl.ignore
def says_nothing(x: int) -> None:
    return None


def believes(x: int) -> int:
    return lies(x) + 1


def takes_an_int_for_a_float(x: int) -> float:
    return widens(x)


def ignores_the_result(x: int) -> int:
    says_nothing(x)
    return x


@jl.ignore
def power_of_two(x: int) -> int:
    return 2**x


def calls_power(x: int) -> int:
    return power_of_two(x)


def declares_power(x: Any) -> int:
    power: int = 2**x
    return power


def declares_numbers(x: Any) -> list[int]:
    numbers: list[int] = x
    return numbers


def test_an_annotated_result_is_checked_when_it_runs() -> None:
    with pytest.raises(TypeError, match="'lies' returned str where int was expected"):
        silently(believes)(1)
    for function in (calls_power, declares_power):
        assert silently(function)(5) == 32
        with pytest.raises(OverflowError, match="the int 18446744073709551616 does not fit in 64"):
            silently(function)(64)
    with pytest.raises(TypeError, match=r"expected List\[int\], found List\[float\]"):
        silently(declares_numbers)([1.5])
    assert silently(takes_an_int_for_a_float)(3) == 3.0
    assert silently(ignores_the_result)(3) == 3


def compares(x: Any, y: Any) -> Any:
    return x == y, x != 1, 2 > x, y <= x, x < 3 and y > 0


@pytest.mark.parametrize(
    "values", [(1, 2.5), (np.arange(1), np.ones(3)), (np.float32(2), 1), (np.array(2), 3)]
)
def test_comparisons_of_unknown_values_give_what_those_give(values: tuple[Any, Any]) -> None:
    wanted, scripted = compares(*values), silently(compares)
    for _ in range(4):
        found = scripted(*values)
        assert [type(value) for value in found] == [type(value) for value in wanted]
        assert all(map(np.array_equal, found, wanted))


class Pair(NamedTuple):
    left: int
    right: str


@jl.ignore
def paired(x: int) -> Pair:
    return Pair(x, str(x))


@jl.ignore
def maybe(x: int) -> int | None:
    return x if x > 0 else None


@jl.ignore
def tensors(x: Tensor) -> tuple[Tensor, list[float]]:
    return x * 2, [float(v) for v in x]


def structured(n: int, x: Tensor) -> tuple[int, str, Tensor]:
    pair = paired(n)
    found = maybe(n)
    doubled, items = tensors(x)
    if found is not None:
        return pair.left + found, pair.right, doubled
    return len(items), pair.right, doubled


def test_structured_results() -> None:
    scripted = silently(structured)
    left, text, doubled = scripted(3, jl.ones(2))
    assert (left, text, doubled.tolist()) == (6, "3", [2.0, 2.0])
    assert scripted(-1, jl.ones(2))[0] == 2


LOG: list[str] = []


@jl.ignore
def log(text: str) -> None:
    LOG.append(text)


def in_order(n: int) -> int:
    log("start")
    for i in range(n):
        if i % 2 == 0:
            log(f"even {i}")
    log("end")
    return n


def test_calls_back_happen_once_each_and_in_order() -> None:
    LOG.clear()
    assert silently(in_order)(4) == 4
    assert LOG == ["start", "even 0", "even 2", "end"]


@jl.ignore
def fills(xs: list[int], x: Tensor) -> None:
    xs.append(7)
    x.zero_()


def mutated(x: Tensor) -> tuple[int, float]:
    xs = [1]
    fills(xs, x)
    return xs[len(xs) - 1], x.sum().item()


def test_what_python_changes_is_seen() -> None:
    x = jl.ones(3)
    assert silently(mutated)(x) == (7, 0.0)
    assert x.tolist() == [0.0, 0.0, 0.0]


# Unsupported callees ------------------------------------------------------------------------------


def reads_safely(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return -1


def calls_unsupported(text: str) -> int:
    return reads_safely(text) + 1


def test_an_unsupported_callee_is_called_back_with_one_warning() -> None:
    scripted, texts = warned(calls_unsupported)
    assert len(texts) == 1
    line = calls_unsupported.__code__.co_firstlineno + 1
    assert "'reads_safely' is called back in Python" in texts[0]
    assert f"{__file__}:{line}" in texts[0]
    assert "`try` is not in the language" in texts[0]
    assert f"{__file__}:{reads_safely.__code__.co_firstlineno + 1}" in texts[0]
    assert nodes(scripted) == ["^reads_safely"]
    assert "^reads_safely(text)" in scripted.code
    assert [scripted("4"), scripted("x")] == [5, 0]
    (fallback,) = scripted.fallbacks
    assert fallback.name == "reads_safely"
    assert fallback.span.line == line


def test_the_warning_comes_once_per_place() -> None:
    scripted, texts = warned(calls_unsupported)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in ("1", "2", "3"):
            scripted(text)
        scripted.graph, scripted.code  # noqa: B018
    assert len(texts) == 1
    assert not [w for w in caught if w.category is FallbackWarning]


def test_a_warning_made_an_error_leaves_nothing_behind() -> None:
    for _ in range(2):
        with pytest.raises(FallbackWarning):
            silently(calls_unsupported)
    assert warned(calls_unsupported)[0]("4") == 5


def calls_twice(text: str) -> int:
    first = reads_safely(text)
    return first + reads_safely(text + "0")


def test_each_place_warns() -> None:
    _, texts = warned(calls_twice)
    assert len(texts) == 2
    assert len(set(texts)) == 2


def middle(text: str) -> int:
    return reads_safely(text) * 2


def calls_middle(text: str) -> int:
    return middle(text) + 1


def test_only_the_innermost_callee_is_called_back() -> None:
    scripted, texts = warned(calls_middle)
    assert [t.split("'")[1] for t in texts] == ["reads_safely"]
    assert scripted("4") == 9
    assert nodes(scripted) == []
    assert re.findall(r"\^\w+", str(scripted.inlined_graph)) == ["^reads_safely"]


def now(x: float) -> float:
    t: float = time.perf_counter()
    return t - t + x


def test_a_c_function_is_called_back() -> None:
    scripted, texts = warned(now)
    assert scripted(2.0) == 2.0
    assert nodes(scripted) == ["^perf_counter"]
    assert "not a Python function" in texts[0]


class Counter:
    def __init__(self, start: int) -> None:
        self.count = start

    def step(self, by: int) -> int:
        self.count += by
        return self.count


COUNTER = Counter(10)


def uses_an_object(x: int) -> int:
    return COUNTER.step(x) * 2


def test_a_method_of_an_object_is_called_back() -> None:
    COUNTER.count = 10
    scripted, _ = warned(uses_an_object)
    assert scripted(5) == 30
    assert COUNTER.count == 15
    assert nodes(scripted) == ["^step"]


def makes_an_object(x: int) -> int:
    counter = Counter(x)
    result: int = counter.step(2)
    return result


def test_an_instance_of_a_class_is_any() -> None:
    scripted, texts = warned(makes_an_object)
    assert scripted(5) == 7
    assert "instances of 'Counter' are not in the language" in texts[0]


twice = functools.partial(math.pow, 2.0)


def uses_a_partial(x: float) -> float:
    result: float = twice(x)
    return result


def test_a_callable_object_is_called_back() -> None:
    assert warned(uses_a_partial)[0](3.0) == 8.0


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


def test_recursion_goes_on_in_python() -> None:
    scripted, texts = warned(factorial)
    assert scripted(5) == 120
    assert "calls itself" in texts[0]
    assert nodes(scripted) == ["^factorial"]


def foreign(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.fft.fft(x)
    return result


def test_a_function_of_another_library_is_called_back() -> None:
    scripted, _ = warned(foreign)
    x = np.arange(4.0)
    np.testing.assert_allclose(scripted(x), np.fft.fft(x))


def without_source() -> Callable[[int], int]:
    namespace: dict[str, Any] = {}
    exec("def hidden(x: int) -> int:\n    return x + 1\n", namespace)
    found: Callable[[int], int] = namespace["hidden"]
    return found


hidden = without_source()


def calls_hidden(x: int) -> int:
    return hidden(x) * 2


def test_a_callee_without_source_is_called_back() -> None:
    scripted, texts = warned(calls_hidden)
    assert scripted(1) == 4
    assert "source of 'hidden' cannot be found" in texts[0]


# Strictness ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [ignored, calls_unsupported, calls_middle, now, uses_an_object, makes_an_object]
)
def test_strict_refuses(function: Callable[..., Any]) -> None:
    with pytest.raises(CompileError) as caught:
        silently(function, strict=True)
    assert caught.value.kind is ErrorKind.STRICT_FALLBACK
    with jl.config.override(strict=True), pytest.raises(CompileError) as again:
        silently(function)
    assert str(again.value) == str(caught.value)


def test_strict_says_why_and_where() -> None:
    with pytest.raises(CompileError) as caught:
        jl.script(calls_unsupported, strict=True)
    text = str(caught.value)
    assert "`try` is not in the language" in text
    assert "return reads_safely(text) + 1" in text
    assert "in reads_safely" in text


def test_strict_does_not_stick_to_the_callee() -> None:
    with pytest.raises(CompileError):
        jl.script(calls_middle, strict=True)
    assert warned(calls_middle)[0]("1") == 3


# Mistakes -----------------------------------------------------------------------------------------

WRONG = {
    "undefined-name": "    return x + missing\n",
    "operator-type": "    return x + 'a'\n",
    "return-type": "    return 'a'\n",
    "undefined-attribute": "    return x.size\n",
    "maybe-undefined": "    if x > 0:\n        y = 1\n    return y\n",
    "arity": "    return len()\n",
    "not-iterable": "    return sum(i for i in x)\n",
    "integer-too-big": "    return x + 2 ** 3 + 99999999999999999999\n",
}


@pytest.mark.parametrize("code", WRONG)
def test_a_wrong_callee_is_an_error_not_a_fallback(code: str) -> None:
    source = f"def g(x: int) -> int:\n{WRONG[code]}def f(x: int) -> int:\n    return g(x)\n"
    filename = f"<wrong {code}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {}
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)
    with pytest.raises(CompileError) as caught:
        silently(namespace["f"])
    assert caught.value.kind.code == code
    assert [edge.callee for edge in caught.value.chain] == ["g"]


def unsupported_itself(x: int) -> int:
    try:
        return x
    finally:
        pass


def test_the_scripted_function_itself_never_falls_back() -> None:
    with pytest.raises(CompileError) as caught:
        jl.script(unsupported_itself)
    assert caught.value.kind is ErrorKind.UNSUPPORTED_STATEMENT
