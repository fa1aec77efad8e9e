"""Logarithms, and the inverse hyperbolic functions made of them."""

from __future__ import annotations

from collections.abc import Callable

from .tools import (
    INF,
    Algebra,
    Operand,
    chosen,
    format_of,
    is_wide,
    polynomial,
    two_sum,
    with_sign_of,
)

# (log(1 + f) - f + f^2 / 2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)]; error 2.9e-8.
_LOG_32 = (
    0.3333333134651184, -0.2499999701976776, 0.20000715553760529, -0.1666780263185501,
    0.14249058067798615, -0.12425687164068222, 0.11685419827699661, -0.11479733884334564,
    0.06971611827611923,
)  # fmt: skip
# (2 atanh(s) - 2 s) / s^3 in s^2 on [0, 0.02944]; error 2.1e-18.
_ATANH_64 = (
    0.6666666666666666, 0.4000000000000088, 0.2857142857080323, 0.2222222239180047,
    0.18181795630884753, 0.15386240205813478, 0.13268759668560612, 0.13086767009948175,
)  # fmt: skip
_SQRT_HALF_BITS_32, _SQRT_HALF_BITS_64 = 0x3F3504F3, 0x3FE6A09E667F3BCD
_INV_LN10 = 0.4342944819032518
# log10(2), the first part with as few bits as makes its product with an exponent exact.
_LOG10_2_32 = (0.301025390625, 4.605039066518657e-06)
_LOG10_2_64 = (0.30102999566361177, 3.694239077158931e-13)


def split_exponent(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """x = 2^k z with z in [sqrt(1/2), sqrt(2)) for positive normal x; k as an integer."""
    place = format_of(m, x).fraction_bits
    offset = m.bits(x) - chosen(m, x, _SQRT_HALF_BITS_32, _SQRT_HALF_BITS_64)
    return offset >> place, m.from_bits(m.bits(x) - (offset & -(1 << place)))


def _correction(m: Algebra, f: Operand) -> Operand:
    """log(1 + f) - f."""
    square = f * f
    if not is_wide(m, f):
        return m.fma(square, -0.5, f * square * polynomial(m, f, _LOG_32))
    s = f / (f + 2)
    half = square * 0.5
    u = s * s
    return m.fma(s, m.fma(u, polynomial(m, u, _ATANH_64), half), -half)


Ending = Callable[[Operand, Operand, Operand], Operand]


def _logarithm(m: Algebra, x: Operand, ending: Ending) -> Operand:
    """`ending(k, f, c)`, where log(x) = k ln 2 + (f + c), and the limits."""
    f = format_of(m, x)
    smallest = 2.0 ** (1 - f.bias)

    def of_normal(x: Operand, shift: int) -> Operand:
        exponent, z = split_exponent(m, x)
        rest = z - 1
        k = m.to_floating(exponent - shift if shift else exponent)
        return ending(k, rest, _correction(m, rest))

    def unusual() -> Operand:
        result = of_normal(x * 2.0**f.fraction_bits, f.fraction_bits)
        result = m.select(x >= smallest, of_normal(x, 0), result)
        result = m.select(x < INF, result, x)
        result = m.select(m.eq(x, 0), -INF, result)
        return m.select(x < 0, float("nan"), result)

    # The bit patterns of positive normal numbers, moved to the least integers.
    infinite = 2 * f.bias + 1 << f.fraction_bits
    is_unusual = m.bits(x) + infinite >= -2 << f.fraction_bits
    return m.rare(is_unusual, unusual, of_normal(x, 0))


def log(m: Algebra, x: Operand) -> Operand:
    """The natural logarithm."""
    f = format_of(m, x)
    return _logarithm(m, x, lambda k, rest, c: m.fma(k, f.ln2_high, rest + m.fma(k, f.ln2_low, c)))


def log2(m: Algebra, x: Operand) -> Operand:
    """The logarithm to base 2; exact for powers of two."""
    log2_e = format_of(m, x).log2_e
    return _logarithm(m, x, lambda k, rest, c: m.fma(rest + c, log2_e, k))


def log10(m: Algebra, x: Operand) -> Operand:
    """The logarithm to base 10."""
    high, low = chosen(m, x, _LOG10_2_32, _LOG10_2_64)
    return _logarithm(m, x, lambda k, rest, c: m.fma(k, high, m.fma(rest + c, _INV_LN10, k * low)))


def log1p(m: Algebra, x: Operand) -> Operand:
    """log(1 + x), accurate near 0."""
    f = format_of(m, x)
    total, lost = two_sum(m.constant(1.0, x), x)
    exponent, z = split_exponent(m, total)
    k = m.to_floating(exponent)
    # Exact where k is 0; elsewhere the sum is not near 0.
    rest = (z - 1) + m.scaled(lost, -k)
    usual = m.fma(k, f.ln2_high, rest + m.fma(k, f.ln2_low, _correction(m, rest)))

    def unusual() -> Operand:
        result = m.select(m.eq(x, -1), -INF, x)
        return m.select(x < -1, float("nan"), result)

    result = m.rare(m.eq((x > -1) & (x < INF), False), unusual, usual)
    return m.select(m.eq(x, 0), x, result)


_LN2 = 0.6931471805599453


def _log1p_or_log(m: Algebra, near: Operand, size: Operand) -> Operand:
    """log1p(near), or log(2 size) where size is so large that its square may overflow."""
    is_large = size > chosen(m, size, 2.0**26, 2.0**54)
    result = log1p(m, m.select(is_large, size, near))
    return m.select(is_large, result + _LN2, result)


def asinh(m: Algebra, x: Operand) -> Operand:
    """The inverse hyperbolic sine."""
    size = abs(x)
    square = size * size
    near = size + square / (m.sqrt(square + 1) + 1)
    return with_sign_of(m, _log1p_or_log(m, near, size), x)


def acosh(m: Algebra, x: Operand) -> Operand:
    """The inverse hyperbolic cosine; NaN below 1."""
    above = x - 1
    near = above + m.sqrt(m.fma(above, above, above * 2))
    result = _log1p_or_log(m, near, x)
    return m.select(x < 1, float("nan"), result)


def atanh(m: Algebra, x: Operand) -> Operand:
    """The inverse hyperbolic tangent; infinite at 1 and -1, NaN beyond."""
    size = abs(x)
    return with_sign_of(m, log1p(m, (size * 2) / (1 - size)) * 0.5, x)
