"""Rows with NumPy's meaning, against NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from jitlang import dtypes
from jitlang.ir.opdef import OPS
from jitlang.ops.rows import kernel_of

FLOATS = [0.0, -0.0, 1.5, -2.5, 3.0, 0.1, 1e30, -1e-30, np.inf, -np.inf, np.nan]
INTS = [0, 1, 2, 3, 5, 7, 100, -1, -3, -7]


def pairs(dtype):
    if dtype.is_floating_point:
        values = FLOATS
    else:
        values = [v for v in INTS if dtype.is_signed or v >= 0]
    grid = np.array(list(itertools.product(values, repeat=2)))
    with np.errstate(all="ignore"):
        return grid[:, 0].astype(dtype.numpy), grid[:, 1].astype(dtype.numpy)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "maximum", "minimum", "lt", "ge"])
@pytest.mark.parametrize("dtype", [dtypes.uint8, dtypes.int8, dtypes.int64, *(
    dtypes.float16, dtypes.float32, dtypes.float64)], ids=str)  # fmt: skip
def test_binary(name, dtype, exact):
    row = OPS.find(f"jit::numpy_{name}.Tensor") or OPS.find(f"jit::numpy_{name}")
    x, y = pairs(dtype)
    with np.errstate(all="ignore"):
        got = kernel_of(row, np, exact)(x, y)
        wanted = getattr(np, {"lt": "less", "ge": "greater_equal"}.get(name, name))(x, y)
        if dtype is dtypes.float16 and exact:
            wide = getattr(np, name, np.less)(x.astype(np.float32), y.astype(np.float32))
            wanted = wide.astype(np.float16) if name in ("floor_divide", "remainder") else wanted
    assert got.dtype == wanted.dtype
    assert np.array_equal(got, wanted, equal_nan=wanted.dtype.kind == "f")
    if wanted.dtype.kind == "f" and name == "remainder":
        plain = ~np.isnan(wanted)
        assert (np.signbit(got) == np.signbit(wanted))[plain].all()


@pytest.mark.parametrize("exact", [False, True])
def test_pow_and_sign(exact):
    pow_ = kernel_of(OPS.find("jit::numpy_pow.Tensor"), np, exact)
    assert pow_(np.array([2, 3]), np.array([3, 2])).tolist() == [8, 9]
    with pytest.raises(ValueError, match="negative integer powers"):
        pow_(np.array([2, 3]), np.array([3, -2]))
    sign = kernel_of(OPS.find("jit::numpy_sign"), np, exact)
    got = sign(np.array([np.nan, -2.0, 0.0, 5.0]))
    assert np.isnan(got[0]) and got[1:].tolist() == [-1, 0, 1]


def test_scalars_that_do_not_fit():
    divide = kernel_of(OPS.find("jit::numpy_floor_divide.Scalar"), np)
    with pytest.raises(RuntimeError, match="overflow"):
        divide(np.array([1], np.uint8), 300)
