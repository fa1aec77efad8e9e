"""Logarithms, and the inverse hyperbolic functions made of them."""

from __future__ import annotations

from collections.abc import Sequence

from . import single
from .tools import INF, Algebra, Operand, is_wide, polynomial

LN2_HI, LN2_LO = 0.6931471803691238, 1.9082149292705877e-10  # HI has 32 bits: k * HI is exact
INV_LN2 = 1.4426950408889634

# (2 atanh(s) - 2 s) / s^3 in u = s^2 on [0, 0.02944]; errors 2.1e-18 and 1.2e-9.
ATANH_64 = (
    0.6666666666666666, 0.4000000000000088, 0.2857142857080323, 0.2222222239180047,
    0.18181795630884753, 0.15386240205813478, 0.13268759668560612, 0.13086767009948175,
)  # fmt: skip
ATANH_32 = (0.6666666655445165, 0.40000121876972, 0.2855081659971155, 0.23330581938241893)
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_HIGH_BITS = -(1 << 52)
_SMALLEST_NORMAL = 2.0**-1022


def _split_exponent(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """x = 2^k z with z in [sqrt(1/2), sqrt(2)) for positive finite normal x; k as an int64."""
    offset = m.bits(x) - _SQRT_HALF_BITS
    return offset >> 52, m.from_bits(m.bits(x) - (offset & _HIGH_BITS))


def normalized(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """`_split_exponent` for subnormal x too; k as a float64."""
    small = x < _SMALLEST_NORMAL
    k, z = _split_exponent(m, m.select(small, x * 2.0**54, x))
    k = m.to_floating(k)
    return m.select(small, k - 54, k), z


def _log_correction(f: Operand, coefficients: Sequence[float]) -> tuple[Operand, Operand]:
    """h = f^2 / 2 and c with log(1 + f) = f - (h - c)."""
    s = f / (f + 2)
    square = s * s
    h = f * f * 0.5
    return h, s * (h + square * polynomial(square, coefficients))


def log_limits(m: Algebra, x: Operand, result: Operand) -> Operand:
    """The ends: log(0) = -inf, negative numbers and NaN give NaN, log(inf) = inf."""
    result = m.select(x < INF, result, x)
    result = m.select(m.eq(x, 0), -INF, result)
    return m.select(x < 0, float("nan"), result)


def _log_parts(m: Algebra, x: Operand) -> tuple[Operand, Operand, Operand, Operand]:
    """k, f, h and c of log(x) = k ln 2 + (f - (h - c)), float64."""
    if is_wide(m, x):
        k, z = normalized(m, x)
        f = z - 1
        return k, f, *_log_correction(f, ATANH_64)
    exponent, z = _split_exponent(m, m.widen(x))
    f = z - 1
    return m.to_floating(exponent), f, *_log_correction(f, ATANH_32)


def log(m: Algebra, x: Operand) -> Operand:
    """The natural logarithm."""
    if not is_wide(m, x):
        return single.log(m, x)
    k, f, h, c = _log_parts(m, x)
    return log_limits(m, x, k * LN2_HI - ((h - (c + k * LN2_LO)) - f))


def log2(m: Algebra, x: Operand) -> Operand:
    """The logarithm to base 2; exact for powers of two."""
    if not is_wide(m, x):
        return single.log2(m, x)
    k, f, h, c = _log_parts(m, x)
    return log_limits(m, x, k + (f - (h - c)) * INV_LN2)


_INV_LN10 = 0.4342944819032518
_LOG10_2_HI, _LOG10_2_LO = 0.30102999566361177, 3.694239077158931e-13


def log10(m: Algebra, x: Operand) -> Operand:
    """The logarithm to base 10."""
    k, f, h, c = _log_parts(m, x)
    result = k * _LOG10_2_HI + (k * _LOG10_2_LO + (f - (h - c)) * _INV_LN10)
    return log_limits(m, x, result if is_wide(m, x) else m.narrow(result))


def log1p(m: Algebra, x: Operand) -> Operand:
    """log(1 + x), accurate near 0."""
    if not is_wide(m, x):
        return single.log1p(m, x)
    total = x + 1
    exponent, z = _split_exponent(m, total)
    k = m.to_floating(exponent)
    # What `total` lost; where k = 0, x itself is f and nothing is lost.
    lost = m.select(x < 1, x - (total - 1), 1 - (total - x))
    is_near = m.eq(exponent, 0)
    f = m.select(is_near, x, z - 1)
    lost = m.select(is_near, x * 0, lost / total)
    h, c = _log_correction(f, ATANH_64)
    result = k * LN2_HI - ((h - (c + (k * LN2_LO + lost))) - f)
    result = m.select(abs(x) < 2.0**-54, x, result)
    result = log_limits(m, total, result)
    # total cannot tell -0 and tiny x from 0: `result` above is right for them.
    return m.select(abs(x) < 2.0**-54, x, result)


def asinh(m: Algebra, x: Operand) -> Operand:
    """The inverse hyperbolic sine."""
    wide = x if is_wide(m, x) else m.widen(x)
    size = abs(wide)
    square = size * size
    near = log1p(m, size + square / (m.sqrt(square + 1) + 1))
    far = log(m, size) + 0.6931471805599453
    result = m.select(size < 2.0**28, near, far)
    result = m.select(wide < 0, -result, result)
    result = m.select(size < 2.0**-28, wide, result)
    return result if is_wide(m, x) else m.narrow(result)


def acosh(m: Algebra, x: Operand) -> Operand:
    """The inverse hyperbolic cosine; NaN below 1."""
    wide = x if is_wide(m, x) else m.widen(x)
    above = wide - 1
    near = log1p(m, above + m.sqrt(above * 2 + above * above))
    far = log(m, wide) + 0.6931471805599453
    result = m.select(wide < 2.0**28, near, far)
    return result if is_wide(m, x) else m.narrow(result)


def atanh(m: Algebra, x: Operand) -> Operand:
    """The inverse hyperbolic tangent; infinite at 1 and -1, NaN beyond."""
    wide = x if is_wide(m, x) else m.widen(x)
    size = abs(wide)
    result = log1p(m, size * 2 / (1 - size)) * 0.5
    result = m.select(size > 1, float("nan"), result)
    result = m.select(wide < 0, -result, result)
    result = m.select(size < 2.0**-28, wide, result)
    return result if is_wide(m, x) else m.narrow(result)
