"""What the elementary functions are built with: polynomials, rounding, sums of two floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import dtypes

Algebra = Any
Operand = Any
INF = float("inf")

# Adding this to |x| < 2^51 leaves round(x) in the low bits of the sum.
SHIFTER = 1.5 * 2.0**52
_SHIFTER_BITS = 0x4338000000000000


def is_wide(m: Algebra, x: Operand) -> bool:
    """Whether an operand is float64; float32 is the other case."""
    return m.dtype_of(x) is dtypes.float64


def polynomial(x: Operand, coefficients: Sequence[float]) -> Operand:
    """Horner's scheme, lowest coefficient first."""
    result: Operand = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result


def power_of_two(m: Algebra, exponent: Operand) -> Operand:
    """2^exponent for an int64 exponent in [-1022, 1023]."""
    return m.from_bits((exponent + 1023) << 52)


def shifted(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """round(x) as a float64, and as an int64 that is right modulo 2^51."""
    moved = x + SHIFTER
    return moved - SHIFTER, m.bits(moved) - _SHIFTER_BITS


def clamped(m: Algebra, x: Operand, low: float, high: float) -> Operand:
    """Between the limits; NaN stays."""
    x = m.select(x < low, low, x)
    return m.select(x > high, high, x)


def two_sum(a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """a + b and the error of that sum."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """a * b and the error of that product, for |a|, |b| < 2^996."""
    product = a * b
    a_hi, a_lo = _split(a)
    b_hi, b_lo = _split(b)
    return product, ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo


def _split(a: Operand) -> tuple[Operand, Operand]:
    """Two halves of at most 26 bits."""
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high
