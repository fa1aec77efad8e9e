"""Powers and lengths, where one float64 is not enough on the way."""

from __future__ import annotations

from .exponential import exp
from .logarithm import split_exponent
from .tools import (
    DOUBLE,
    INF,
    Algebra,
    Operand,
    clamped,
    is_wide,
    polynomial,
    two_product,
    two_sum,
)

# (log(1 + f) - f + f^2 / 2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)], and exp(r) on |r| <= 0.3467,
# for results in float32; errors 5.1e-13 and 5.2e-11.
_LOG_SHORT = (
    0.3333333332040956, -0.25000000187390387, 0.20000002983570628, -0.16666645638225866,
    0.14285491788667504, -0.1250074163998386, 0.11118682242197994, -0.09991526003987608,
    0.08962876541688274, -0.08292384542621006, 0.0869793086303627, -0.08524887862479795,
    0.04394085208224267,
)  # fmt: skip
_EXP_SHORT = (
    1.0, 1.0, 0.500000006807252, 0.1666666587222304, 0.041666293804825845, 0.008333496111073441,
    0.0013944734842108537, 0.00019790976546978624,
)  # fmt: skip
_LN2_THREE = (0.6931471805598903, 5.49792301870721e-14, 1.1612227229362532e-26)
_TWO_THIRDS, _TWO_THIRDS_LO = 0.6666666666666666, 3.700743415417188e-17
# (2 atanh(s) - 2 s - 2/3 s^3) / s^5 in u = s^2 on [0, 0.02944]; error 8.9e-23.
ATANH_64_TAIL = (
    0.4, 0.2857142857142857, 0.22222222222222157, 0.18181818181846482, 0.15384615378380292,
    0.133333341215578, 0.11764645317270289, 0.10529188245017025, 0.09441916912739425,
    0.09971339261620672,
)  # fmt: skip


def _log_two(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """log(x) as a sum of two float64, for positive finite x."""
    small = x < 2.0**-1022
    exponent, z = split_exponent(m, m.select(small, x * 2.0**54, x))
    k = m.to_floating(exponent)
    k = m.select(small, k - 54, k)
    f = z - 1
    divisor, divisor_low = two_sum(f, m.constant(2.0, f))
    inverse = 1 / divisor
    s = f * inverse
    s_low = m.fma(-s, divisor_low, m.fma(-s, divisor, f)) * inverse
    square, square_low = two_product(m, s, s)
    square_low = square_low + s * s_low * 2
    cube, cube_low = two_product(m, square, s)
    cube_low = cube_low + (square * s_low + square_low * s)
    third, third_low = two_product(m, cube, m.constant(_TWO_THIRDS, f))
    third_low = third_low + (cube * _TWO_THIRDS_LO + cube_low * _TWO_THIRDS)
    tail = cube * square * polynomial(m, square, ATANH_64_TAIL)
    high, error = two_sum(s * 2, third)
    low = error + (s_low * 2 + third_low + tail)
    base, base_low = two_sum(k * _LN2_THREE[0], high)
    rest = base_low + (low + k * _LN2_THREE[1])
    total = base + rest
    return total, (base - total) + rest


def _power_64(m: Algebra, size: Operand, y: Operand) -> Operand:
    """size^y for positive finite size and finite y."""
    high, low = _log_two(m, size)
    product, error = two_product(m, high, y)
    error = error + low * y
    return exp(m, product, m.select(abs(product) < 800.0, error, 0.0))


def _power_32(m: Algebra, size: Operand, y: Operand) -> Operand:
    """The same for float32, in float64: one float32 is not enough on the way."""
    exponent, z = split_exponent(m, m.widen(size))
    f = z - 1
    square = f * f
    high = f + m.fma(square, -0.5, f * square * polynomial(m, f, _LOG_SHORT))
    product = m.fma(m.to_floating(exponent), DOUBLE.ln2, high) * m.widen(y)
    limited = clamped(m, product, -110.0, 90.0)
    k = m.fma(limited, DOUBLE.log2_e, DOUBLE.shifter) - DOUBLE.shifter
    raised = m.scaled(polynomial(m, m.fma(k, -DOUBLE.ln2, limited), _EXP_SHORT), k)
    return m.narrow(raised)


def pow(m: Algebra, x: Operand, y: Operand) -> Operand:
    """x to the power y, with C's rules for zeros, infinities and negative bases."""
    if not hasattr(x, "__lt__") or isinstance(x, int | float):
        x = m.constant(x, y)
    if isinstance(y, int | float):
        y = m.constant(y, x)
    size, one = abs(x), m.constant(1.0, x)
    floor, half = m.floor(y), y * 0.5
    is_turned = (m.bits(x) < 0) & m.eq(floor, y) & m.ne(m.floor(half), half)

    def unusual() -> Operand:
        """x is 0 or infinite, or y is; or one of them is NaN."""
        grows = (size > 1) & (y > 0) | (size < 1) & (y < 0)
        result = m.select(grows, m.constant(INF, x), m.constant(0.0, x))
        result = m.select(m.eq(size, 1), one, result)
        result = m.select(is_turned, -result, result)
        result = m.select(m.isnan(x) | m.isnan(y), x + y, result)
        return m.select(m.eq(y, 0) | m.eq(x, 1), one, result)

    raised = _power_64(m, size, y) if is_wide(m, x) else _power_32(m, size, y)
    usual = m.select(is_turned, -raised, raised)
    usual = m.select((x < 0) & m.ne(floor, y), float("nan"), usual)
    is_usual = (size > 0) & (size < INF) & (abs(y) < INF)
    return m.rare(m.eq(is_usual, False), unusual, usual)


def hypot(m: Algebra, x: Operand, y: Operand) -> Operand:
    """sqrt(x^2 + y^2) without overflow on the way; infinite if either is."""
    first, second = abs(x), abs(y)
    large = m.select(first > second, first, second)
    small = m.select(first > second, second, first)
    ratio = small / m.select(m.eq(large, 0), m.constant(1.0, large), large)
    result = large * m.sqrt(m.fma(ratio, ratio, 1.0))
    result = m.select(m.isnan(first) | m.isnan(second), first + second, result)
    is_infinite = m.eq(first, INF) | m.eq(second, INF)
    return m.select(is_infinite, m.constant(INF, result), result)
