"""NumPy's functions, methods and subscripts stand in the generated text themselves, and calls that
the interpreter serves for good go straight to that text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang.interp.emit import FEW_ELEMENTS
from jitlang.interp.machine import assemble
from jitlang.ir.opdef import OPS
from jitlang.ops.rows import kernel_of

CALLS = 8
"""More than it takes for a signature to settle."""


def sorted_rows(x):
    return np.sort(x, axis=1)[:, ::-1]


def as_integers(x):
    return x.cumsum().astype(np.int16), np.zeros(x.shape, dtype=np.float16)


def stored(x):
    y = x.copy()
    y[0, ::2] = 7
    y[1] = [1, 2, 3]
    y[..., -1] *= 2
    y.sort(axis=0)
    return y


def picked(x):
    return x[None], x[..., 0], x[[1, 0]], x[x > 1], x[1, 2], x[()], x.T[::-1, 1:], x.T.shape


def looked_up(x):
    return np.linalg.norm(x), np.dot(x, x.T), x.argmax(), x.reshape(3, -1), np.float32(2) * x


def generic(x, k):
    return np.median(x) * k


def rows_and_scalars(x):
    best = x[0, np.argmax(x[0])] - x[1, np.argmin(x[1])]
    chosen = x[x > 0]
    return (
        2 - np.sort(x), np.sort(x, axis=0).T @ np.floor(x), chosen.sum() * 2, x[:, 1].copy(), best,
        x.T.copy(), x.astype(np.int32) & 3, x.sum(axis=(0, 1)), x.std(axis=1, ddof=1),
        x.max(0, keepdims=True), (x > 0).any(axis=0), np.where(x > 0, x, 1.0), x.reshape(3, 2),
        x[:, None, 1:], np.concatenate((x, x), axis=1), np.stack((x, x)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "function",
    [sorted_rows, as_integers, stored, picked, looked_up, rows_and_scalars],
    ids=lambda f: f.__name__,
)
def test_every_call_gives_what_numpy_gives(function: Callable[..., Any]) -> None:
    x = np.random.default_rng(1).normal(0, 3, (2, 3))
    scripted = jl.script(function)
    wanted = function(x)
    for _ in range(CALLS):
        got = scripted(x)
        for a, b in zip(_parts(got), _parts(wanted), strict=True):
            assert type(a) is type(b)
            np.testing.assert_array_equal(a, b)
            assert getattr(a, "dtype", None) == getattr(b, "dtype", None)


def _parts(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


def test_numpy_is_called_by_its_names() -> None:
    scripted = jl.script(sorted_rows)
    scripted(np.ones((2, 3)))
    source = assemble(scripted.optimized_graph).source
    assert "np_sort(r0, axis=1)" in source
    assert "r0[::, ::(-1)]" in source


def extremes(x, y):
    mask = x > 0
    return x[np.argmax(x)] - y[1:].max(), mask, 1 - x, np.floor(y), y.T


def test_rows_of_torch_on_arrays_are_text_too() -> None:
    scripted = jl.script(extremes)
    scripted(np.ones(2), np.ones((2, 2)))
    source = assemble(scripted.optimized_graph).source
    assert "k_" not in source
    for text in ("r0[r3]", ".max()", "r0 > 0", "1 - r0", "np_floor(r1)", "r1.T"):
        assert text in source


def from_extrema(x):
    return (x - x.min()) / np.ptp(x)


def joined(x):
    return np.concatenate((np.sort(x) * 2, x + 1)) + 0.5


@pytest.mark.parametrize("function", [from_extrema, joined], ids=lambda f: f.__name__)
def test_small_arrays_do_not_wait_for_kernels_that_python_launches(function: Any) -> None:
    scripted = jl.script(function)
    for n in (5, FEW_ELEMENTS, 3, 2 * FEW_ELEMENTS, 1):
        x = np.random.default_rng(n).normal(0, 1, n)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(scripted(x), function(x), rtol=1e-12)
    source = assemble(scripted.graph_for(x)).source
    assert f".size < {FEW_ELEMENTS} else g1" in source


def test_errors_of_small_groups_are_numpys_and_name_the_line() -> None:
    scripted = jl.script(from_extrema)
    for _ in range(CALLS):
        scripted(np.ones(3) * np.arange(3))
        with pytest.raises(ValueError, match="zero-size") as caught:
            scripted(np.ones(0))
        assert "np.ptp(x)" in "".join(caught.value.__notes__)


def of_temporaries(x):
    steps = np.arange(x.shape[0])
    return np.arange(3) + 1, np.sort(x) * 2.0, steps * 2, steps, np.cumsum(x) / 3, np.arange(3) / 2


def test_what_numpy_has_just_made_holds_the_result() -> None:
    scripted, x = jl.script(of_temporaries), np.array([3.0, -1.0, 2.5])
    for _ in range(CALLS):
        for got, wanted in zip(scripted(x), of_temporaries(x), strict=True):
            np.testing.assert_array_equal(got, wanted)
            assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(x, [3, -1, 2.5])
    source = assemble(scripted.optimized_graph).source
    assert source.count("+= 1") == source.count("*= 2.0") == source.count("/= 3") == 1


def bent(x):
    return np.tanh(x)


def test_text_has_the_functions_of_exact_mode() -> None:
    scripted = jl.script(bent)
    x = np.linspace(-2, 2, 101)
    scripted(x)
    kernel = OPS.find("aten::tanh")
    assert kernel is not None
    found = assemble(scripted.optimized_graph, exact=True)(x)
    np.testing.assert_array_equal(found, kernel_of(kernel, np, exact=True)(x))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.bool_])
def test_scalars_of_numpy_are_arguments_like_others(kind: Any) -> None:
    scripted = jl.script(generic)
    x, k = np.array([1.0, 5.0, 2.0]), kind(1)
    for _ in range(CALLS):
        got = scripted(x, k)
        assert type(got) is type(generic(x, k)) and got == 2
    assert scripted(x, 3) == 6 and scripted(np.float32([1]), k) == 1


def inverted(x):
    y = np.linalg.inv(x)
    return y


def test_errors_name_the_line_however_the_call_came() -> None:
    scripted = jl.script(inverted)
    for _ in range(CALLS):
        scripted(np.eye(2))
        with pytest.raises(np.linalg.LinAlgError) as caught:
            scripted(np.ones((2, 2)))
        assert "y = np.linalg.inv(x)" in "".join(caught.value.__notes__)
