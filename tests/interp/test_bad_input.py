"""Arguments that nothing was compiled for, in every phase: the interpreter's result or error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor, config
from jitlang.interp.executor import Phase


def pointwise(x: Tensor, y: Tensor) -> Tensor:
    return (x * 2 + y).tanh() - x


def rows(x: Tensor, y: Tensor) -> Tensor:
    return (x + y).softmax(-1).sum(0)


def product(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.t()).relu() + 1


def loop(x: Tensor, y: Tensor) -> Tensor:
    total = x
    for row in y.unbind(0):
        total = total * 0.5 + row
    return total


def element(x: Tensor, y: Tensor) -> float:
    return float(x[1, 2].item()) * 2.0 + float(y[0, 0].item())


def views(x: Tensor, y: Tensor) -> Tensor:
    left, right = x.chunk(2, 1)
    return left.t() @ right + y[:, 1].unsqueeze(-1).sum()


def writes(x: Tensor, y: Tensor) -> Tensor:
    x.mul_(2.0)
    x.add_(y)
    return x + 1


FUNCTIONS = [pointwise, rows, product, loop, element, views, writes]


class Marked(np.ndarray):
    """A subclass that computes as its base does."""


def made(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(0, 3, shape).astype(dtype)


def readonly(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def unaligned(array: np.ndarray) -> np.ndarray:
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    return raw


GOOD = (4, 6)
CASES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "other sizes": lambda: (made((3, 8)), made((3, 8))),
    "other rank": lambda: (made((6,)), made((6,))),
    "more dimensions": lambda: (made((2, 4, 6)), made((4, 6))),
    "empty": lambda: (made((0, 6)), made((0, 6))),
    "empty rows": lambda: (made((4, 0)), made((4, 0))),
    "without dimensions": lambda: (made(()), made(())),
    "size 1 broadcast": lambda: (made((4, 6)), made((1, 6))),
    "size 1 broadcast along columns": lambda: (made((4, 1)), made((4, 6))),
    "sizes that do not broadcast": lambda: (made((4, 6)), made((3, 5))),
    "float64": lambda: (made(GOOD, np.float64), made(GOOD, np.float64)),
    "float16": lambda: (made(GOOD, np.float16), made(GOOD, np.float16)),
    "int32": lambda: (made(GOOD, np.int32), made(GOOD, np.int32)),
    "bool": lambda: (made(GOOD) > 0, made(GOOD) > 0),
    "complex": lambda: (made(GOOD, np.complex64), made(GOOD, np.complex64)),
    "mixed dtypes": lambda: (made(GOOD), made(GOOD, np.int64)),
    "transposed": lambda: (made((6, 4)).T, made((6, 4)).T),
    "negative strides": lambda: (made(GOOD)[::-1, ::-1], made(GOOD)[:, ::-1]),
    "every other": lambda: (made((8, 12))[::2, ::2], made((8, 12))[::2, ::2]),
    "overlapping": lambda: (
        np.lib.stride_tricks.as_strided(made((9,)), GOOD, (4, 4), writeable=False), made(GOOD)
    ),
    "strides of 0": lambda: (np.broadcast_to(made((6,)), GOOD), made(GOOD)),
    "read-only": lambda: (readonly(made(GOOD)), readonly(made(GOOD))),
    "foreign byte order": lambda: (made(GOOD).astype(">f4"), made(GOOD).astype(">f4")),
    "unaligned": lambda: (unaligned(made(GOOD)), unaligned(made(GOOD))),
    "a subclass": lambda: (made(GOOD).view(Marked), made(GOOD).view(Marked)),
    "a masked array": lambda: (np.ma.masked_array(made(GOOD)), made(GOOD)),
    "one array twice": lambda: (same := made(GOOD), same),
    "parts of one array": lambda: ((both := made((8, 6)))[:4], both[3:7]),
    "not finite": lambda: (made(GOOD) / np.float32(0), made(GOOD) * np.float32(np.nan)),
    "a list": lambda: ([1.0, 2.0], made(GOOD)),
    "None": lambda: (None, made(GOOD)),
    "a number": lambda: (2.5, made(GOOD)),
    "text": lambda: ("x", made(GOOD)),
}  # fmt: skip

PHASES: dict[str, dict[str, Any]] = {
    "profiling": {"num_profiled_runs": 10},
    "specialized": {"num_profiled_runs": 0, "static_versions": 1},
    "every layout specialized": {"num_profiled_runs": 0, "static_versions": 64},
    "generic": {"num_profiled_runs": 0, "static_versions": 0},
}


def as_tensors(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(Tensor(v) if isinstance(v, np.ndarray) else v for v in values)


def outcome(fn: Any, values: tuple[Any, ...]) -> tuple[Any, str, list[Any]]:
    """Result, class of error, arguments afterwards."""
    try:
        with np.errstate(all="ignore"):
            result = fn(*values)
        error = ""
    except (RuntimeError, TypeError, ValueError, IndexError, BufferError) as caught:
        result, error = None, type(caught).__name__
        assert str(caught)
    arrays = [v._array if isinstance(v, Tensor) else v for v in values]
    return result, error, [np.array(a) for a in arrays if isinstance(a, np.ndarray)]


def assert_close(found: Any, wanted: Any) -> None:
    assert type(found) is type(wanted)
    if isinstance(wanted, Tensor):
        found, wanted = found._array, wanted._array
    if not isinstance(wanted, np.ndarray):
        assert found == pytest.approx(wanted, nan_ok=True)
        return
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    kind = wanted.dtype.kind
    size = {2: 4e-3, 4: 2e-5, 8: 1e-12}.get(wanted.dtype.itemsize, 2e-5)
    tolerance = size if kind in "fc" else 0
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "phase", [pytest.param(p, marks=pytest.mark.slow if "every" in p else ()) for p in PHASES]
)
@pytest.mark.parametrize("fn", FUNCTIONS, ids=lambda fn: fn.__name__)
def test_arguments_that_nothing_was_compiled_for(fn: Callable[..., Any], phase: str) -> None:
    script, reference = jl.script(fn), jl.script(fn)
    for wrap in (as_tensors, tuple):
        for name, make in CASES.items():
            with config.override(exact=True):
                wanted = outcome(reference, wrap(make()))
            with config.override(**PHASES[phase]):
                script(*wrap((made(GOOD), made(GOOD))))
                for _ in range(2):
                    found = outcome(script, wrap(make()))
                    assert found[1] == wanted[1], (name, found, wanted)
                    for got, right in zip(found[2], wanted[2], strict=True):
                        assert_close(got, right)
                    assert_close(found[0], wanted[0])
        if phase == "specialized":
            assert script.explain().phase is Phase.GENERIC


def test_an_index_out_of_range_is_an_error_in_every_phase() -> None:
    def pick(x: Tensor, n: int) -> Tensor:
        return x[n] * 2

    for settings in PHASES.values():
        script = jl.script(pick)
        with config.override(**settings):
            for _ in range(3):
                assert script(jl.ones(3, 2), 2).tolist() == [2.0, 2.0]
                assert script(jl.ones(3, 2), -3).tolist() == [2.0, 2.0]
                for wrong in (3, -4, 2**40, -(2**63)):
                    with pytest.raises(IndexError):
                        script(jl.ones(3, 2), wrong)
                with pytest.raises(IndexError):
                    script(jl.ones(2, 2), 2)
