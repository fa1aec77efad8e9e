"""Native functions of lists, dicts and tuples of numbers and tensors, and the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from static_calls import assert_no_leak, assert_same, check, compiled, refused

import jitlang as jl
from jitlang import Tensor
from jitlang.codegen import MISS
from jitlang.interp.machine import assemble


def made(*shape: int, seed: int = 0) -> Tensor:
    return jl.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))


def weighted(xs: list[Tensor], n: list[int], by: list[float]) -> Tensor:
    y = xs[0] * by[-1]
    for x, k in zip(xs, n):
        y = y * k + x
    return y + len(n)


def of_dicts(params: dict[str, Tensor], rates: dict[int, float]) -> Tensor:
    total = params["w"] * rates[3]
    for key, value in params.items():
        if key != "w":
            total = total - value
    for value in params.values():
        total = total * value
    if "bias" in params and len(rates) > 1:
        total = total + rates[-1]
    for key in params.keys():
        total = total + params[key]
    return total


def nested(given: tuple[list[int], dict[str, float]], x: Tensor) -> Tensor:
    sizes, numbers = given
    return x.view(sizes) * numbers["scale"] + sum(sizes)


def told(x: Tensor, flags: list[bool], names: list[str]) -> Tensor:
    if flags[0] and names[0] == "half":
        return x * 0.5
    return x + 1


def numbers_only(xs: list[float], ys: list[int]) -> float:
    total = 0.0
    for x, y in zip(xs, ys):
        total += x * y
    return total


CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "lists": (weighted, ([made(3), made(3, seed=1)], [2, 3], [0.5, 1.5])),
    "dicts": (of_dicts, ({"w": made(3), "bias": made(3, seed=1)}, {3: 0.5, -1: 2.0})),
    "nested": (nested, (([4, 3], {"scale": 2.0}), made(3, 4))),
    "bools": (told, (made(3), [True, False], ["half"])),
    "numbers": (numbers_only, ([0.5, 0.25], [3, 4])),
}


@pytest.mark.parametrize("name", CASES)
def test_containers(name: str) -> None:
    function, args = CASES[name]
    version = check(function, *args)
    script = jl.script(function)
    script.compile(*args)
    (explained,) = script.explain().versions
    assert explained.callbacks == []
    assert_no_leak(lambda: version.function(*args), 50)


def test_other_lists_miss() -> None:
    xs, n, by = [made(3), made(3)], [2, 3], [0.5, 1.5]
    run = check(weighted, xs, n, by).function
    assert run(xs, [-5, 2**63 - 1], [float("nan"), -0.0]) is not MISS
    for others in (
        ([*xs, xs[0]], n, by), (xs, [2], by), (xs, [2, 3.0], by), (xs, [2, True], by),
        (xs, (2, 3), by), (xs, n, [1, 2]), (xs, [2, 2**63], by), (tuple(xs), n, by),
        ([made(3), made(4)], n, by), (xs, None, by), (xs, [2, None], by), (xs, n, np.ones(2)),
    ):  # fmt: skip
        assert run(*others) is MISS


def test_other_dicts_miss() -> None:
    params, rates = CASES["dicts"][1]
    version = check(of_dicts, params, rates)
    run = version.function

    class Other(dict):  # type: ignore[type-arg]
        pass

    turned = dict(reversed(params.items()))
    for others in (
        (turned, rates), ({"w": made(3)}, rates), ({**params, "more": made(3)}, rates),
        ({"w": made(3), "b": made(3)}, rates), (Other(params), rates), ([], rates),
        (params, {3: 0.5, -2: 2.0}), (params, {3: 0.5, -1: 2}), (params, {3.0: 0.5, -1: 2.0}),
        (params, {"3": 0.5, -1: 2.0}), (params, None),
    ):  # fmt: skip
        assert run(*others) is MISS
    assert run({"w": made(3), "".join(["bi", "as"]): made(3)}, dict(rates)) is not MISS
    assert str(version.guards[1]) == "{3: rates.0: float, -1: rates.1: float}"


def test_numbers_that_decide_layouts_are_part_of_the_version() -> None:
    version = check(nested, ([4, 3], {"scale": 2.0}), made(3, 4))
    assert "given.0.0 == 4" in str(version.guards[0])
    assert version.function(([4, 3], {"scale": 0.25}), made(3, 4)) is not MISS
    assert version.function(([3, 4], {"scale": 2.0}), made(3, 4)) is MISS


def test_updates_of_dicts_of_tensors() -> None:
    def updated(params: dict[str, Tensor], steps: dict[str, Tensor], rate: float) -> None:
        for name in params.keys():
            params[name].sub_(steps[name] * rate)

    def arguments() -> tuple[Any, ...]:
        params = {"w": made(3), "b": made(2, 2)}
        return params, {"b": made(2, 2, seed=1), "w": made(3, seed=1)}, 0.5

    version, graph, _ = compiled(jl.script(updated), *arguments())
    mine, theirs = arguments(), arguments()
    assert version.function(*mine) is None
    assemble(graph, exact=True)(*theirs)
    for name, tensor in mine[0].items():
        assert_same(tensor, theirs[0][name], exact=True)
        assert tensor._version == theirs[0][name]._version == 1
    assert version.function(mine[0], mine[0], 0.5) is MISS


def test_an_index_out_of_range_raises() -> None:
    def picked(xs: list[float], i: int) -> float:
        return xs[i] * 2

    script = jl.script(picked)
    script.compile([1.0, 2.0], 1)
    assert script([1.0, 3.0], 1) == 6.0
    with pytest.raises(IndexError, match="list index out of range"):
        script([1.0, 2.0], 2)


def test_what_is_more_than_read_is_refused() -> None:
    def appended(xs: list[int], x: Tensor) -> Tensor:
        xs.append(1)
        return x * len(xs)

    def returned(xs: list[int], x: Tensor) -> tuple[list[int], Tensor]:
        return xs, x * 2

    def stored(d: dict[str, float], x: Tensor) -> Tensor:
        d["a"] = 2.0
        return x * d["a"]

    def missing(d: dict[str, float], x: Tensor) -> Tensor:
        return x * d["b"]

    x = made(3)
    assert "more than read" in refused(appended, [1], x)
    assert "more than read" in refused(returned, [1], x)
    assert "more than read" in refused(stored, {"a": 1.0}, x)
    assert "elements" in refused(weighted, [x], [1] * 2000, [1.0])
    refused(missing, {"a": 1.0}, x)
    script = jl.script(missing)
    script.compile({"a": 1.0}, x)
    with pytest.raises(KeyError, match="b"):
        script({"a": 1.0}, x)
