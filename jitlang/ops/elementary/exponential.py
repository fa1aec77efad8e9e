"""exp and its kin: exp2, expm1, sigmoid, tanh, sinh, cosh."""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

from . import single
from .tools import Algebra, Operand, clamped, is_wide, polynomial, power_of_two, shifted

INV_LN2 = 1.4426950408889634
LN2_HI, LN2_LO = 0.6931471803691238, 1.9082149292705877e-10  # HI has 32 bits: k * HI is exact
EXP_64 = tuple(1 / factorial(n) for n in range(2, 14))
EXP_32 = tuple(1 / factorial(n) for n in range(2, 10))
# (tanh(x) - x) / x^3 in u = x^2 on [0, 0.37]; error 2.7e-21.
TANH_64 = (
    -0.3333333333333333, 0.13333333333333333, -0.05396825396825348, 0.02186948853612113,
    -0.008863235528665546, 0.0035921280096314684, -0.0014558340058451697, 0.0005900237672338944,
    -0.00023910432243640884, 9.679665901999271e-05, -3.887466421839151e-05, 1.495661304213679e-05,
    -4.888515784914552e-06, 9.666063039079665e-07,
)  # fmt: skip


def reduced(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """x = k ln 2 + r with |r| <= 0.3466; returns r and k as int64."""
    rounded, k = shifted(m, x * INV_LN2)
    return (x - rounded * LN2_HI) - rounded * LN2_LO, k


def exp_minus_one(r: Operand, coefficients: Sequence[float]) -> Operand:
    """exp(r) - 1 for a reduced argument."""
    return r + r * r * polynomial(r, coefficients)


def exp(m: Algebra, x: Operand) -> Operand:
    """e to the power x."""
    return exp_64(m, x) if is_wide(m, x) else single.exp(m, x)


def exp_64(m: Algebra, x: Operand, low: Operand = 0.0) -> Operand:
    """exp(x + low) for float64, where low is far below x."""
    r, k = reduced(m, clamped(m, x, -746.0, 710.0))
    r = r + low
    return scaled(m, exp_minus_one(r, EXP_64) + 1, k)


def scaled(m: Algebra, x: Operand, k: Operand) -> Operand:
    """x * 2^k in two steps, so that results may be subnormal or overflow."""
    half = k >> 1
    return x * power_of_two(m, half) * power_of_two(m, k - half)


def exp2(m: Algebra, x: Operand) -> Operand:
    """2 to the power x."""
    if not is_wide(m, x):
        return single.exp2(m, x)
    limited = clamped(m, x, -1076.0, 1025.0)
    rounded, k = shifted(m, limited)
    return scaled(m, exp_minus_one((limited - rounded) * 0.6931471805599453, EXP_64) + 1, k)


def expm1_core(m: Algebra, x: Operand, coefficients: Sequence[float]) -> Operand:
    """exp(x) - 1 for float64 x in [-50, 710]; tiny x are the caller's business.

    With h = 2^(k - 1): 2 (h e + (h - 1/2)), where e = exp(r) - 1; h does not overflow for k = 1024.
    """
    r, k = reduced(m, x)
    half = power_of_two(m, k - 1)
    return (half * exp_minus_one(r, coefficients) + (half - 0.5)) * 2


def expm1(m: Algebra, x: Operand) -> Operand:
    """exp(x) - 1, accurate near 0."""
    if not is_wide(m, x):
        return single.expm1(m, x)
    result = expm1_core(m, clamped(m, x, -50.0, 710.0), EXP_64)
    return m.select(abs(x) < 2.0**-54, x, result)


def sigmoid(m: Algebra, x: Operand) -> Operand:
    """1 / (1 + exp(-x)), without overflow and accurate on both sides."""
    if not is_wide(m, x):
        return single.sigmoid(m, x)
    raised = exp_64(m, -abs(x))
    return m.select(x < 0, raised, m.constant(1.0, x)) / (raised + 1)


def tanh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic tangent."""
    if not is_wide(m, x):
        return single.tanh(m, x)
    size = abs(x)
    square = x * x
    near = x + x * square * polynomial(square, TANH_64)
    raised = expm1_core(m, clamped(m, size * 2, 0.0, 50.0), EXP_64)
    far = raised / (raised + 2)
    far = m.select(x < 0, -far, far)
    result = m.select(size < 0.6, near, far)
    return m.select(size < 2.0**-27, x, result)


def _size_and_half_exp(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """|x| as a float64, limited, and exp(|x|) / 2, which overflows no sooner than the result."""
    wide = x if is_wide(m, x) else m.widen(x)
    size = clamped(m, abs(wide), 0.0, 711.5)
    r, k = reduced(m, size)
    return size, scaled(m, exp_minus_one(r, EXP_64 if is_wide(m, x) else EXP_32) + 1, k - 1)


def cosh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic cosine."""
    _, half = _size_and_half_exp(m, x)
    result = half + 0.25 / half
    return result if is_wide(m, x) else m.narrow(result)


def sinh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic sine."""
    wide = x if is_wide(m, x) else m.widen(x)
    size, half = _size_and_half_exp(m, x)
    grown = expm1_core(m, clamped(m, size, 0.0, 40.0), EXP_64 if is_wide(m, x) else EXP_32)
    near = (grown + grown / (grown + 1)) * 0.5
    result = m.select(size < 22.0, near, half)
    result = m.select(wide < 0, -result, result)
    result = m.select(abs(wide) < 2.0**-28, wide, result)
    return result if is_wide(m, x) else m.narrow(result)
