"""The NumPy readings of fused multiply-add and of scaling by powers of two round once."""

from fractions import Fraction

import numpy as np
import pytest

from jitlang import dtypes
from jitlang.ops.algebra import NumpyAlgebra
from jitlang.ops.fused import multiply_add

COUNT = 4000


def numbers(dtype, seed, spread):
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        drawn = rng.normal(size=COUNT) * 2.0 ** rng.integers(-spread, spread, COUNT)
        return drawn.astype(dtype)


def exactly(x, y, z, dtype):
    if not np.isfinite(x) or not np.isfinite(y):
        return x * y + z
    if not np.isfinite(z):
        return z
    exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    if not exact:
        return x * y + z
    return rounded(exact, dtype)


def rounded(exact, dtype):
    """To nearest, ties to even, of a fraction that is not zero."""
    info = np.finfo(dtype)
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    place = Fraction(2) ** (max(exponent, int(info.minexp)) - info.nmant)
    found = round(size / place) * place
    value = np.inf if found > Fraction(float(info.max)) else float(found)
    return dtype(value if exact > 0 else -value)


@pytest.mark.parametrize("spread", [1, 12, 60, 500, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_multiply_add_rounds_once(dtype, spread):
    spread = min(spread, 140) if dtype is np.float32 else spread
    x, y, z = (numbers(dtype, seed, spread) for seed in range(3))
    # Half of the addends nearly cancel the product or are far below it.
    with np.errstate(all="ignore"):
        z[::4] = (-x * y)[::4]
        z[1::4] = (x * y)[1::4] * dtype(2.0**-30)
        got = multiply_add(np, x, y, z)
        wanted = [exactly(*row, dtype) for row in zip(x, y, z, strict=True)]
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.array(wanted, dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_multiply_add_of_special_numbers(dtype):
    special = [0.0, -0.0, 1.0, -3.0, np.inf, -np.inf, np.nan, float(np.finfo(dtype).max)]
    grid = np.array([(x, y, z) for x in special for y in special for z in special], dtype)
    x, y, z = (np.ascontiguousarray(column) for column in grid.T)
    with np.errstate(all="ignore"):
        got = multiply_add(np, x, y, z)
        wanted = np.array([exactly(*row, dtype) for row in zip(x, y, z, strict=True)], dtype)
    np.testing.assert_array_equal(got, wanted)
    finite = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(got)[finite], np.signbit(wanted)[finite])


def test_multiply_add_of_numbers_and_scalars():
    assert multiply_add(np, np.float64(3.0), 2.0, 0.5) == 6.5
    assert multiply_add(np, np.array(3.0, np.float32), 2.0, 0.5).dtype == np.float32


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64])
def test_scaled(dtype):
    m = NumpyAlgebra(np, dtype)
    reach = 160 if dtype is dtypes.float32 else 1100
    n = np.arange(-reach, reach, dtype=dtype.numpy)
    x = np.random.default_rng(0).uniform(0.7, 1.5, n.size).astype(dtype.numpy)
    with np.errstate(all="ignore"):
        got = m.scaled(x, n)
        wanted = [
            rounded(Fraction(float(a)) * Fraction(2) ** int(b), dtype.numpy.type)
            for a, b in zip(x, n, strict=True)
        ]
        nothing = m.scaled(np.zeros(1, dtype.numpy), np.full(1, -np.inf, dtype.numpy))
    np.testing.assert_array_equal(got, np.array(wanted))
    assert nothing == 0
