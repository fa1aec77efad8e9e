"""Graph types of Python values."""

from __future__ import annotations

from collections import namedtuple
from enum import Enum
from typing import NamedTuple

import numpy as np
import pytest

from jitlang import dtypes
from jitlang.arrays import Device
from jitlang.ir import types as ty
from jitlang.ir.types import DictType, ListType, Surface, TensorType, TupleType
from jitlang.tensor import tensor
from jitlang.values import conforms, make_tuple, namedtuple_class, namedtuple_name, type_of


class Point(NamedTuple):
    x: int
    y: float


class Color(Enum):
    RED = 1


def array(dtype, rank=None):
    sizes = None if rank is None else (None,) * rank
    return TensorType(dtype, sizes, surface=Surface.NUMPY)


VALUES = [
    (1, ty.INT),
    (True, ty.BOOL),
    (1.5, ty.FLOAT),
    (2j, ty.COMPLEX),
    ("a", ty.STR),
    (None, ty.NONE),
    (dtypes.float32, ty.DTYPE),
    (Device("cpu"), ty.DEVICE),
    (tensor([1.0]), ty.TENSOR),
    (np.ones(2, np.float32), array(dtypes.float32, 1)),
    (np.float64(1.0), array(dtypes.float64, 0)),
    (np.array([["a"]]), array(None, 2)),
    (np.ones(2, np.uint64), array(None, 1)),
    (np.bool_(True), array(dtypes.bool_, 0)),
    ([1, 2], ListType(ty.INT)),
    ([], ListType(ty.NO_RETURN)),
    ([1, None], ListType(ty.OptionalType(ty.INT))),
    ([[1], [2]], ListType(ListType(ty.INT))),
    ({}, DictType(ty.NO_RETURN, ty.NO_RETURN)),
    ({"a": tensor(1)}, DictType(ty.STR, ty.TENSOR)),
    ((1, "a"), TupleType((ty.INT, ty.STR))),
    ((), TupleType(())),
    ([np.ones(1), np.ones(2)], ListType(array(dtypes.float64, 1))),
]


@pytest.mark.parametrize(("value", "wanted"), VALUES, ids=lambda v: str(v)[:30])
def test_type_of(value, wanted):
    assert type_of(value) is wanted
    assert conforms(value, wanted)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({1, 2}, TypeError, "pass a list"),
        (b"a", TypeError, "uint8 tensor"),
        ([1, "a"], TypeError, "both int and str.*one element type"),
        ([1, 2.0], TypeError, "both int and float"),
        (print, TypeError, "call it inside"),
        (object(), TypeError, "builtins.object has no script type"),
        (Color.RED, TypeError, "Color has no script type"),
        ((1, [object()]), TypeError, "no script type"),
        (2**63, OverflowError, "64 bits"),
        (-(2**63) - 1, OverflowError, "64 bits"),
    ],
    ids=lambda v: type(v).__name__ if type(v) is object else str(v)[:20],
)
def test_what_has_no_type(value, error, message):
    with pytest.raises(error, match=message):
        type_of(value)


@pytest.mark.parametrize(
    ("value", "type_", "fits"),
    [
        (True, ty.INT, False),
        (1, ty.BOOL, False),
        (1, ty.FLOAT, False),
        (np.float64(1), ty.FLOAT, False),
        (True, ty.NUMBER, True),
        (2**63, ty.INT, False),
        (None, ty.OptionalType(ty.INT), True),
        ("a", ty.OptionalType(ty.INT), False),
        ([], ListType(ty.STR), True),
        ([1, "a"], ListType(ty.INT), False),
        (1, ty.union([ty.INT, ty.STR]), True),
        (1.0, ty.union([ty.INT, ty.STR]), False),
        ((1, 2), TupleType((ty.INT,)), False),
        ({"a": 1}, DictType(ty.STR, ty.INT), True),
        (object(), ty.ANY, True),
        (np.ones(2), ty.TENSOR, False),
        (tensor([1.0]), ty.ARRAY, False),
        (np.ones(2), array(dtypes.float32), False),
        (tensor([1.0, 2.0]), TensorType(dtypes.float32, (2,), (1,)), True),
        (tensor([1.0, 2.0]), TensorType(dtypes.float32, (3,)), False),
        (tensor([1.0, 2.0]), TensorType(dtypes.float32, (None,), requires_grad=False), True),
        (tensor([1.0, 2.0]), TensorType(requires_grad=True), False),
        (tensor([1.0, 2.0]), TensorType(device="cuda:0"), False),
        ([1], DictType(ty.INT, ty.INT), False),
    ],
    ids=lambda v: type(v).__name__ if type(v) is object else str(v)[:30],
)
def test_conforms(value, type_, fits):
    assert conforms(value, type_) is fits


def test_named_tuples():
    found = type_of(Point(1, 2.0))
    assert found.field_names == ("x", "y")
    assert found.elements == (ty.INT, ty.FLOAT)
    assert namedtuple_class(found.name) is Point
    assert conforms(Point(1, 2.0), found)
    assert not conforms((1, 2.0), found)
    rebuilt = make_tuple(found, [3, 4.0])
    assert isinstance(rebuilt, Point) and rebuilt == Point(3, 4.0)
    assert make_tuple(TupleType((ty.INT,)), [1]) == (1,)


def test_named_tuples_of_one_name_are_told_apart():
    first, second = (namedtuple("Twin", fields) for fields in ("a", "b"))
    names = namedtuple_name(first), namedtuple_name(second)
    assert names[0] != names[1]
    assert namedtuple_class(names[1]) is second
    assert namedtuple_name(first) == names[0]
    assert "<" not in names[0]


def test_named_tuple_without_class_gives_a_plain_tuple():
    unknown = TupleType((ty.INT,), "nowhere.Lost", ("a",))
    assert namedtuple_class("nowhere.Lost") is None
    assert make_tuple(unknown, [1]) == (1,)
