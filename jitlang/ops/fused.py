"""x * y + z rounded once, of NumPy arrays, which have no such operation."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

Array = Any
_BEYOND_SINGLE, _MIDDLE = (1 << 29) - 1, 1 << 28
"""The bits of a float64 that float32 lacks, and what they are in the middle between two float32."""
_LEAST_NORMAL = np.float32(2.0**-126)


def multiply_add(xp: Any, x: Array, y: Array, z: Array) -> Array:
    """x * y + z of float32 or float64, rounded once; Python numbers take the arrays' dtype."""
    dtype = next(v.dtype for v in (x, y, z) if hasattr(v, "dtype"))
    x, y, z = (v if hasattr(v, "dtype") else dtype.type(v) for v in (x, y, z))
    return (_single if dtype.itemsize == 4 else _double)(xp, x, y, z)


def _single(xp: Any, x: Array, y: Array, z: Array) -> Array:
    """The product is exact in float64. Rounding the sum there and then again to float32 is wrong
    only where the first step ends in the middle between two numbers of the second, or near 0, where
    float32 is coarser. Then the sum is rounded to odd first, which is as good as rounding once.
    """
    product, z = x.astype("float64") * y, z.astype("float64")
    total = product + z
    result = total.astype("float32")
    is_middle = xp.equal(total.view("int64") & _BEYOND_SINGLE, _MIDDLE)
    if not (is_middle | (abs(result) < _LEAST_NORMAL)).any():
        return result
    total, error = _two_sum(product, z)
    return _to_odd(xp, total, error).astype("float32")


def _double(xp: Any, x: Array, y: Array, z: Array) -> Array:
    """After S. Boldo and G. Melquiond, "Emulation of a FMA and Correctly-Rounded Sums: Proved
    Algorithms Using Rounding to Odd", 2008. Where a part of the sum could leave the range of normal
    numbers, it is summed as fractions.
    """
    product, low = _two_product(x, y)
    # Beside a large addend of a tiny product only the sign counts.
    is_nonzero = xp.not_equal(x, 0) & xp.not_equal(y, 0)
    is_speck = is_nonzero & (abs(product) < 2.0**-900) & (abs(z) > 2.0**-800)
    product = xp.where(is_speck, xp.copysign(2.0**-900, product), product)
    low = xp.where(is_speck, 0.0, low)
    result = _sum_of_three(xp, product, low, z)
    size = xp.maximum(xp.maximum(abs(x), abs(y)), abs(product))
    plain = xp.isfinite(size) & (size < 2.0**990) & xp.isfinite(z) & (abs(z) < 2.0**1020)
    plain &= (abs(product) >= 2.0**-900) | ~is_nonzero
    # Infinities and NaN are those of separate steps, but that no finite product overflows.
    finite = xp.isfinite(x) & xp.isfinite(y)
    separate = xp.where(finite & ~xp.isfinite(z), z, x * y + z)
    finite &= xp.isfinite(z)
    result = xp.where(plain, xp.where(xp.equal(result, 0), separate, result), separate)
    extreme = finite & ~plain
    if not extreme.any():
        return result
    operands = [v[extreme].tolist() for v in xp.broadcast_arrays(x, y, z)]
    result[extreme] = xp.asarray([_exact(*v) for v in zip(*operands, strict=True)], "float64")
    return result


def moderate_multiply_add(xp: Any, x: Array, y: Array, z: Array) -> Array:
    """x * y + z of float64, rounded once, for numbers that are 0 or whose sizes and products lie
    between 2**-900 and 2**900. A result of zero may have either sign.
    """
    return _sum_of_three(xp, *_two_product(x, y), z)


def _sum_of_three(xp: Any, product: Array, low: Array, z: Array) -> Array:
    """product + low + z rounded once, where `low` is the error of the product."""
    high, rest = _two_sum(z, low)
    total, error = _two_sum(product, high)
    return total + _to_odd(xp, *_two_sum(error, rest))


def _exact(x: float, y: float, z: float) -> float:
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if not exact:
        return x * y + z
    try:
        return float(exact)
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    low = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, low


def _split(a: Array) -> tuple[Array, Array]:
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


def _to_odd(xp: Any, total: Array, error: Array) -> Array:
    """A sum of float64 rounded to odd: an inexact one ends in a 1 bit."""
    bits = total.view("int64")
    is_even = (error != 0) & ((bits & 1) == 0) & (abs(total) < float("inf"))
    grows = xp.equal(error > 0, total > 0)
    return (bits + (is_even & grows) - (is_even & ~grows)).view("float64")
