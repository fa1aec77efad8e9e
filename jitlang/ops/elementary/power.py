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

# (2 atanh(s) - 2 s) / s^3 in s^2 on [0, 0.02944], and exp(r) on |r| <= 0.3467, for results in
# float32; errors 3e-14 and 5.2e-11.
_ATANH_SHORT = (
    0.666666666758137, 0.3999999561842568, 0.28572109459086537, 0.22176177879311226,
    0.19584288388342433,
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
    s = f / divisor
    s_low = m.fma(-s, divisor_low, m.fma(-s, divisor, f)) / divisor
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
    return base, base_low + (low + k * _LN2_THREE[1])


def _power_64(m: Algebra, size: Operand, y: Operand) -> Operand:
    """size^y for positive finite size, where y is finite and below 2^70 in size."""
    high, low = _log_two(m, size)
    product, error = two_product(m, high, y)
    error = error + low * y
    return exp(m, product, m.select(abs(product) < 800.0, error, 0.0))


def _power_32(m: Algebra, size: Operand, y: Operand) -> Operand:
    """The same for operands that were float32."""
    exponent, z = split_exponent(m, size)
    f = z - 1
    s = f / (f + 2)
    square = s * s
    high = m.fma(s * square, polynomial(m, square, _ATANH_SHORT), s * 2)
    product = m.fma(m.to_floating(exponent), DOUBLE.ln2, high) * y
    limited = clamped(m, product, -110.0, 90.0)
    k = m.fma(limited, DOUBLE.log2_e, DOUBLE.shifter) - DOUBLE.shifter
    return m.scaled(polynomial(m, m.fma(k, -DOUBLE.ln2, limited), _EXP_SHORT), k)


def pow(m: Algebra, x: Operand, y: Operand) -> Operand:
    """x to the power y, with C's rules for zeros, infinities and negative bases."""
    if not hasattr(x, "__lt__") or isinstance(x, int | float):
        x = m.constant(x, y)
    if isinstance(y, int | float):
        y = m.constant(y, x)
    wide_result = is_wide(m, x)
    base, exponent = (x, y) if wide_result else (m.widen(x), m.widen(y))
    size = abs(base)
    one = m.constant(1.0, base)
    usual = (size > 0) & (size < INF)
    limited = clamped(m, exponent, -(2.0**70), 2.0**70)
    safe = m.select(usual, size, one)
    if wide_result:
        raised = _power_64(m, safe, m.select(m.isnan(limited), 0.0, limited))
    else:
        raised = _power_32(m, safe, limited)
    # 0 and infinity to a power: only the sign of the exponent matters.
    is_growing = m.eq(size, INF) & (exponent > 0) | m.eq(size, 0) & (exponent < 0)
    raised = m.select(usual, raised, m.select(is_growing, one * INF, one * 0))
    is_integer = m.eq(m.floor(exponent), exponent)
    half = exponent * 0.5
    is_odd = is_integer & m.ne(m.floor(half), half) & (abs(exponent) < INF)
    is_negative = m.bits(base) < 0
    raised = m.select(is_negative & is_odd, -raised, raised)
    undefined = (base < 0) & (size < INF) & m.eq(is_integer, False) & (abs(exponent) < INF)
    raised = m.select(undefined, float("nan"), raised)
    raised = m.select(m.eq(size, 1) & m.eq(abs(exponent), INF), one, raised)
    raised = m.select(m.isnan(base) | m.isnan(exponent), base + exponent, raised)
    raised = m.select(m.eq(exponent, 0) | m.eq(base, 1), one, raised)
    return raised if wide_result else m.narrow(raised)


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
