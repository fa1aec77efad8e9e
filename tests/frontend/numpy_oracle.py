"""How tests of the array surface compare: scripted functions with what they give undecorated.

Each function is called scripted and plain, with equal arguments. Results must agree in kind
(array, NumPy scalar, Python number, tuple), dtype, shape and values; exceptions in their classes;
arguments must be left in equal states. Integers, booleans and copies agree exactly, floats within a
few units of the last place, for reductions may add in another order.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang.errors import FallbackWarning

EPS = {np.dtype(np.float16): 2e-3, np.dtype(np.float32): 2e-6, np.dtype(np.complex64): 2e-6}
VECTORS = [
    np.float32([0.5, -1.25, 3.0, 2.0, -0.75, 1.5, 0.0]),
    np.random.default_rng(20).standard_normal(8),
    np.array([3, -1, 4, 1, -5, 9, 2]),
    np.array([2, 7, 1, 8, 2], dtype=np.int32),
    np.array([5, 3, 5, 8, 9], dtype=np.uint8),
]


def kind_of(value: Any) -> Any:
    """What must agree exactly: classes, dtypes, shapes, lengths."""
    if isinstance(value, tuple | list):
        return type(value), [kind_of(part) for part in value]
    if isinstance(value, dict):
        return dict, {key: kind_of(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return np.ndarray, value.dtype, value.shape
    return type(value)


def assert_close(got: Any, wanted: Any) -> None:
    if isinstance(wanted, tuple | list):
        for a, b in zip(got, wanted, strict=True):
            assert_close(a, b)
    elif isinstance(wanted, dict):
        assert_close(list(got.values()), list(wanted.values()))
    elif isinstance(wanted, np.ndarray | np.generic) and wanted.dtype.kind in "fc":
        bound = EPS.get(wanted.dtype, 1e-12)
        np.testing.assert_allclose(got, wanted, rtol=bound, atol=bound)
    elif isinstance(wanted, np.ndarray):
        np.testing.assert_array_equal(got, wanted)
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, rel=1e-12, nan_ok=True)
    else:
        assert got == wanted


def outcome(function: Callable[..., Any], args: Sequence[Any]) -> tuple[Any, Any, list[Any]]:
    """The result or the class of the exception, and the arguments afterwards."""
    given = copy.deepcopy(list(args))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", FallbackWarning)
        try:
            return function(*given), None, given
        except jl.CompileError:
            raise
        except Exception as error:
            return None, error, given


def assert_same(function: Callable[..., Any], *args: Any) -> None:
    """The scripted function does what the plain one does."""
    wanted, wanted_error, wanted_args = outcome(function, args)
    got, error, got_args = outcome(jl.script(function), args)
    if wanted_error is not None or error is not None:
        assert isinstance(error, type(wanted_error)), (error, wanted_error)
        assert isinstance(wanted_error, type(error)) or type(wanted_error).__module__ == "numpy"
    assert kind_of(got) == kind_of(wanted)
    assert_close(got, wanted)
    assert_close(got_args, wanted_args)


def assert_rows_of_torch(function: Callable[..., Any], x: Any) -> None:
    """Elementwise work on floats runs none of NumPy's own rows, so it can be fused."""
    scripted = jl.script(function)
    scripted(x)
    kinds = {node.kind for node in scripted.graph.walk()}
    ours = {kind for kind in kinds if kind.startswith(("jit::numpy", "jit::array"))}
    assert ours <= {"jit::numpy", "jit::numpy_method"}, ours
