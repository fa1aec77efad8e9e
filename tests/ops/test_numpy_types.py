"""What the types of NumPy's functions state is so: dtype, rank and kind of what NumPy gives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from jitlang import dtypes
from jitlang.ir import types as ty
from jitlang.ops.numpy_types import _RULES, array_type, function_type, method_type

VECTORS = [np.arange(1, 5).astype(kind) / kind(1) for kind in (np.float64, np.float32)]
VECTORS += [np.arange(1, 5).astype(kind) for kind in (np.int64, np.int32, np.uint8)]
MATRICES = [np.diag(v[:3]) + v[1] for v in VECTORS]
ARRAYS = [*VECTORS, *MATRICES, np.array([True, False, True]), np.float64(2), np.ones((2, 2, 2))]
NUMBERS: list[Any] = [1, 0.5, None]
THREE: list[Sequence[Any]] = [
    (2.5, VECTORS[0], VECTORS[0]), (*[VECTORS[0]] * 3,), (VECTORS[1], *VECTORS[:2]),
    (MATRICES[0], 0, 1), (MATRICES[2], 3, 3), (MATRICES[1], (0, 1), (1, 0)),
]  # fmt: skip


def type_of(value: Any) -> ty.Type:
    if isinstance(value, np.ndarray | np.generic):
        return array_type(dtypes.from_numpy(value.dtype), value.ndim)
    if isinstance(value, tuple):
        return ty.TupleType(tuple(map(type_of, value)))
    kinds = {int: ty.INT, float: ty.FLOAT, bool: ty.BOOL, dtypes.DType: ty.DTYPE}
    return kinds.get(type(value), ty.NONE)


def plain(value: Any) -> Any:
    return value.numpy if isinstance(value, dtypes.DType) else value


def assert_states(stated: ty.Type, found: Any, what: Any) -> None:
    """A type says nothing of a value that is not so."""
    if not isinstance(stated, ty.TensorType) or stated is ty.ARRAY:
        return
    assert isinstance(found, np.ndarray | np.generic), what
    if stated.dtype is not None:
        assert stated.dtype.numpy == found.dtype, what
    if stated.sizes is not None:
        assert len(stated.sizes) == found.ndim, what
        assert found.ndim or not isinstance(found, np.ndarray), what


def check(name: str, values: Sequence[Any], keywords: dict[str, Any]) -> int:
    """Compare a call with its type; returns how many calls there were."""
    function: Any = np.ndarray if name == "flatten" else np
    for part in name.split("."):
        function = getattr(function, part, None)
    everything = [*values, *keywords.values()]
    types = [type_of(value) for value in everything]
    what = name, [(type(v), getattr(v, "dtype", v)) for v in everything], list(keywords)
    values = [v.copy() if isinstance(v, np.ndarray) else v for v in values]
    try:
        found = function(*map(plain, values), **{k: plain(v) for k, v in keywords.items()})
    except (TypeError, ValueError, IndexError, AttributeError, np.linalg.LinAlgError):
        return 0
    names = ",".join(keywords)
    stated = function_type([ty.STR, ty.STR, *types], [name, names, *everything])
    assert_states(stated, found, what)
    if isinstance(values[0], np.ndarray) and hasattr(values[0], name):
        method = getattr(values[0], name)
        try:
            found = method(*values[1:], **keywords)
        except (TypeError, ValueError, IndexError):
            return 1
        rest = types[1:]
        stated = method_type([types[0], ty.STR, ty.STR, *rest], [0, name, names, *everything[1:]])
        if found is not None:
            assert_states(stated, found, what)
    return 1


@pytest.mark.parametrize("name", sorted(_RULES))
def test_rules_state_what_is_so(name: str) -> None:
    calls = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for first in [*ARRAYS, 0.5, 2]:
            calls += check(name, [first], {})
            for second in [*ARRAYS, *NUMBERS, (0, 1)]:
                calls += check(name, [first, second], {})
            for keywords in ({"axis": 0}, {"axis": None}, {"axis": 0, "keepdims": True},
                             {"ddof": 1}, {"dtype": dtypes.float32}, {"minlength": 9}):  # fmt: skip
                calls += check(name, [first], keywords)
            calls += check(name, [first, 1], {"axis": 0})
        for three in THREE:
            calls += check(name, three, {})
    assert calls


CREATED: list[tuple[str, Sequence[Any], dict[str, Any]]] = [
    ("zeros", [3], {}), ("ones", [(2, 3)], {}), ("empty", [3, dtypes.int32], {}),
    ("zeros", [3], {"dtype": dtypes.bool_}), ("full", [3, 2], {}), ("full", [(1, 2), 0.5], {}),
    ("full", [3, True], {}), ("full", [4, VECTORS[1]], {}), ("full", [3, 2, dtypes.float32], {}),
    ("arange", [3], {}), ("arange", [3.0], {}), ("arange", [0, 1, 0.25], {}),
    ("arange", [0, 3], {"step": 0.5}), ("arange", [3], {"dtype": dtypes.float32}),
    ("arange", [np.int32(4)], {}), ("linspace", [0, 1, 5], {}), ("linspace", [0, 1], {"num": 4}),
    ("linspace", [VECTORS[0], 1, 3], {}), ("linspace", [0, 1], {"endpoint": False}),
    ("eye", [3], {}),
    ("eye", [3, 2], {}), ("eye", [3], {"k": 1}), ("eye", [3], {"dtype": dtypes.int32}),
    ("identity", [3], {}), ("identity", [3, dtypes.float32], {}), ("tri", [3], {}),
    ("zeros", [3], {"order": "F"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "keywords"), CREATED)
def test_creations_are_what_is_stated(name: str, values: Any, keywords: Any) -> None:
    assert check(name, values, keywords)
