"""The forms of arguments: what has one is of the type that binding would find."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest

import jitlang as jl
from jitlang.frontend.arguments import fit
from jitlang.frontend.forms import form_of, has_containers, look_for
from jitlang.ir import types as ty
from jitlang.values import type_of


class Point(NamedTuple):
    x: int
    y: int


class Numbers(list):
    """A class of its own."""


VALUES: list[Any] = [
    [], [1, 2], [1.0, 2.0], [True], ["a"], [1, 2.0], [1, True], [2**63], [-(2**63)], [2**63 - 1],
    [None], [1, None], [np.float64(1)], [np.int64(1)], [jl.ones(1)], Numbers([1]), [[1], [2]],
    [[1.0]], [[]], [(1, 2.0)], [(1, 2)], [Point(1, 2)], (), (1,), (1, 2.0), (1, 2), (True, 2.0),
    (1, 2**63), (2**63, 1.0), (1, jl.ones(1)), Point(1, 2), {}, {"a": 1}, {"a": 1.0}, {1: 2},
    {"a": 1, 2: 3}, {"a": 2**63}, {2**63: 1}, {"a": [1]}, {"a": [1.0]}, {"a": None},
    OrderedDict(a=1),
]  # fmt: skip
TYPES: list[ty.Type] = [
    *(ty.ListType(t) for t in (ty.INT, ty.FLOAT, ty.BOOL, ty.STR, ty.TENSOR, ty.NUMBER)),
    ty.ListType(ty.ListType(ty.INT)), ty.ListType(ty.TupleType((ty.INT, ty.FLOAT))),
    ty.ListType(ty.OptionalType(ty.INT)), ty.TupleType((ty.INT, ty.FLOAT)), ty.TupleType(()),
    ty.TupleType((ty.INT,)), ty.DictType(ty.STR, ty.INT), ty.DictType(ty.INT, ty.INT),
    ty.DictType(ty.STR, ty.ListType(ty.INT)), ty.DictType(ty.STR, ty.FLOAT),
]  # fmt: skip


@pytest.mark.parametrize("declared", TYPES, ids=str)
def test_declared_containers_with_a_form_fit(declared: ty.Type) -> None:
    look = look_for(declared)
    for value in VALUES:
        form = form_of([value], [look])
        if form is not None:
            assert fit(value, declared) == declared
            assert has_containers(form)


def test_most_plain_containers_have_a_form() -> None:
    found = sum(
        form_of([value], [look_for(declared)]) is not None
        for declared in TYPES
        for value in VALUES
        if fit(value, declared) == declared
    )
    assert found >= 25


def test_containers_of_any_type_with_one_form_have_one_type() -> None:
    types: dict[Any, Any] = {}
    for value in VALUES:
        form = form_of([value], [look_for(None)])
        if form is not None:
            assert types.setdefault(form, type_of(value)) == type_of(value)
    assert len(types) >= 10


def test_a_call_of_another_type_is_not_taken_for_the_last() -> None:
    @jl.script
    def total(xs: list[int], names: dict[str, int]) -> int:
        found = 0
        for x in xs:
            found += x * names["a"]
        xs.append(found)
        return found

    for _ in range(8):
        xs = [1, 2]
        assert total(xs, {"a": 3}) == 9 and xs == [1, 2, 9]
    with pytest.raises(TypeError, match="argument 'xs' expects List"):
        total([1.5], {"a": 3})
    with pytest.raises(TypeError, match="argument 'names' expects Dict"):
        total([1], {"a": True})
    with pytest.raises((OverflowError, TypeError)):
        total([2**63], {"a": 1})
    assert total([], {"a": 1}) == 0


def test_undeclared_containers() -> None:
    @jl.script
    def twice(xs):
        return [x * 2 for x in xs]

    for _ in range(8):
        assert twice([1, 2]) == [2, 4]
        assert twice([1.5]) == [3.0]
        assert twice(["a", "b"]) == ["aa", "bb"]


def test_tensors_inside_are_seen() -> None:
    @jl.script
    def first(xs: list[jl.Tensor], n: list[int]) -> jl.Tensor:
        n.append(1)
        return xs[0] * 2

    x = jl.ones(2, requires_grad=True)
    for _ in range(8):
        assert first([x], [1]).requires_grad
        assert not first([jl.ones(2)], [1]).requires_grad
