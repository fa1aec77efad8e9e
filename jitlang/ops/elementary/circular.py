"""Sine, cosine, tangent and their inverses, in radians."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial

from . import single
from .tools import (
    INF,
    Algebra,
    Operand,
    clamped,
    is_wide,
    polynomial,
    shifted,
    two_product,
    two_sum,
)

SIN_64 = tuple((-1) ** n / factorial(2 * n + 1) for n in range(1, 9))
SIN_32 = SIN_64[:5]
COS_64 = tuple((-1) ** n / factorial(2 * n) for n in range(2, 9))
COS_32 = COS_64[:4]
_TWO_OVER_PI = 0.6366197723675814
# Pieces of 33 bits, so that a multiple up to 2^20 is exact, and the rest.
_HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
_HALF_PI_LO = 6.077100506506192e-11  # the rest after the first piece, rounded
_LARGE = 1.0e6
# 2/pi in words of 32 bits behind two zero words.
_TWO_OVER_PI_WORDS = (
    0, 0, 2734261102, 1313084713, 4230436817, 4113882560, 3680671129, 1011060801, 4266746795,
    3736847713, 3072618042, 1112396512, 105459434, 164729372, 4263373596, 2972297022, 3900847605,
    784024708, 3919343654, 3026157121, 965858873, 2203269620, 2625920907, 3187222587, 536385535,
    3724908559, 4012839307, 1510632735, 1832287951, 667617719, 1330003814, 2657085997, 1965537991,
    3957715323, 1023883767, 2320667370, 1811636145, 529358088, 1443049542, 4235946923,
)  # fmt: skip
_MASK_32 = 0xFFFFFFFF


def _quadrant_small(m: Algebra, x: Operand, wide_result: bool) -> tuple[Operand, Operand, Operand]:
    """x = q pi/2 + r + low for |x| <= 1e6; q as an int64 modulo 4."""
    k, q = shifted(m, x * _TWO_OVER_PI)
    first = x - k * _HALF_PI[0]
    if not wide_result:
        return q, first - k * _HALF_PI_LO, first * 0
    a, a_low = two_sum(first, -(k * _HALF_PI[1]))
    b, b_low = two_sum(a, -(k * _HALF_PI[2]))
    rest = (a_low + b_low) - k * _HALF_PI[3]
    r = b + rest
    return q, r, (b - r) + rest


def _quadrant_large(m: Algebra, x: Operand) -> tuple[Operand, Operand, Operand]:
    """The same for any finite x (Payne and Hanek): x * 2/pi modulo 4 in fixed point, 128 bits of
    fraction.

    x = M 2^e. Bits of 2/pi whose product with M 2^e is a multiple of 4 are skipped; of the rest,
    192 bits are multiplied with M in limbs of 32 bits, keeping the fraction of a quarter of the
    product.
    """
    bits = m.bits(abs(x))
    exponent = (bits >> 52) - 1075
    mantissa = (bits & ((1 << 52) - 1)) | (1 << 52)
    m_hi, m_lo = mantissa >> 32, mantissa & _MASK_32
    position = exponent + 62
    index, shift = position >> 5, position & 31
    words = [m.lookup(_TWO_OVER_PI_WORDS, index + n) for n in range(7)]
    g = [((words[n] << shift) | (words[n + 1] >> (32 - shift))) & _MASK_32 for n in range(6)]
    limbs = _fraction_limbs(m_hi, m_lo, g)
    high = (limbs[0] << 32) | limbs[1]
    low = (limbs[2] << 32) | limbs[3]
    q = (high >> 62) & 3
    # Two bits are the quadrant; the rest, read as signed, is the fraction nearest to 0.
    high = (high << 2) | ((low >> 62) & 3)
    low = low << 2
    q = q + m.select(high < 0, m.constant(1, high), m.constant(0, high))
    top = m.to_floating(high >> 32) * 2.0**-32
    rest = (
        m.to_floating(high & _MASK_32) * 2.0**-64
        + (
            m.to_floating((low >> 32) & _MASK_32) * 2.0**-96
            + m.to_floating(low & _MASK_32) * 2.0**-128
        )
    )  # fmt: skip
    turned = top + rest
    turned_low = rest - (turned - top)
    product, error = two_product(turned, m.constant(1.5707963267948966, x))
    error = error + (turned * 6.123233995736766e-17 + turned_low * 1.5707963267948966)
    r = product + error
    r_low = (product - r) + error
    is_negative = x < 0
    return (
        m.select(is_negative, -q, q),
        m.select(is_negative, -r, r),
        m.select(is_negative, -r_low, r_low),
    )


def _fraction_limbs(m_hi: Operand, m_lo: Operand, g: Sequence[Operand]) -> list[Operand]:
    """The first limbs of the fraction of (m_hi 2^32 + m_lo) * 0.g0 g1 ..., of 32 bits each."""
    by_low = [m_lo * limb for limb in g]
    by_high = [m_hi * limb for limb in g]
    limbs: list[Operand] = []
    carry: Operand = 0
    for n in range(4, -1, -1):
        total = (by_low[n] & _MASK_32) + ((by_low[n + 1] >> 32) & _MASK_32)
        total = total + (by_high[n + 1] & _MASK_32) + carry
        if n + 2 < len(g):
            total = total + ((by_high[n + 2] >> 32) & _MASK_32)
        limbs.insert(0, total & _MASK_32)
        carry = total >> 32
    return limbs


def _sine(r: Operand, low: Operand, coefficients: Sequence[float]) -> Operand:
    """sin(r + low) for |r| <= pi/4."""
    square = r * r
    return r + (r * square * polynomial(square, coefficients) + low)


def _cosine(r: Operand, low: Operand, coefficients: Sequence[float]) -> Operand:
    """cos(r + low) for |r| <= pi/4."""
    square = r * r
    half = square * 0.5
    top = 1 - half
    return top + (
        ((1 - top) - half) + (square * square * polynomial(square, coefficients) - r * low)
    )


Ending = Callable[[Operand, Operand, Operand], Operand]


def _reduced_apply(m: Algebra, x: Operand, ending: Ending) -> Operand:
    """`ending(quadrant, r, low)` of the reduced angle, by the reduction that its size asks for."""
    wide_result = is_wide(m, x)
    wide = x if wide_result else m.widen(x)
    near = clamped(m, wide, -_LARGE, _LARGE)
    result = m.rare(
        abs(wide) > _LARGE,
        lambda: ending(*_quadrant_large(m, _finite(m, wide))),
        ending(*_quadrant_small(m, near, wide_result)),
    )
    result = m.select(abs(wide) < INF, result, wide - wide)
    return result if wide_result else m.narrow(result)


def _kernels(r: Operand, low: Operand, wide_result: bool) -> tuple[Operand, Operand]:
    """The sine and cosine of a reduced angle."""
    if wide_result:
        return _sine(r, low, SIN_64), _cosine(r, low, COS_64)
    return _sine(r, low, SIN_32), _cosine(r, low, COS_32)


def _turned(m: Algebra, x: Operand, turn: int) -> Operand:
    """sin(x + turn pi/2)."""
    if is_wide(m, x):
        return _turned_wide(m, x, turn)
    return single.turned(m, x, turn, lambda: _turned_wide(m, x, turn))


def _turned_wide(m: Algebra, x: Operand, turn: int) -> Operand:
    """The same in float64, for every x."""
    wide_result = is_wide(m, x)

    def ending(q: Operand, r: Operand, low: Operand) -> Operand:
        sine, cosine = _kernels(r, low, wide_result)
        result = m.select(m.eq((q + turn) & 1, 0), sine, cosine)
        return m.select(m.eq((q + turn) & 2, 0), result, -result)

    return _reduced_apply(m, x, ending)


def _finite(m: Algebra, x: Operand) -> Operand:
    """x where it may be reduced as a large number, else 1e6: table indices stay in range."""
    return m.select((abs(x) >= _LARGE) & (abs(x) < INF), x, m.constant(_LARGE, x))


def sin(m: Algebra, x: Operand) -> Operand:
    """The sine of an angle in radians."""
    return m.select(m.eq(x, 0), x, _turned(m, x, 0))


def cos(m: Algebra, x: Operand) -> Operand:
    """The cosine of an angle in radians."""
    return _turned(m, x, 1)


def tan(m: Algebra, x: Operand) -> Operand:
    """The tangent of an angle in radians."""
    wide_result = is_wide(m, x)

    def ending(q: Operand, r: Operand, low: Operand) -> Operand:
        sine, cosine = _kernels(r, low, wide_result)
        is_even = m.eq(q & 1, 0)
        return m.select(is_even, sine, -cosine) / m.select(is_even, cosine, sine)

    return m.select(m.eq(x, 0), x, _reduced_apply(m, x, ending))


# Inverses -----------------------------------------------------------------------------------------

_PI_OVER_TWO, _PI_OVER_TWO_LO = 1.5707963267948966, 6.123233995736766e-17
# (atan(x) - x) / x^3 in u = x^2 on [0, 0.1716]; errors 1.6e-21 and 1.9e-11.
ATAN_64 = (
    -0.3333333333333333, 0.19999999999999998, -0.1428571428571415, 0.11111111111090444,
    -0.09090909089290926, 0.07692307616247464, -0.06666664344156653, 0.05882304627264811,
    -0.052624538367928096, 0.04754620165635326, -0.04294262271089431, 0.037234098466475844,
    -0.027274285632992855, 0.011959071324968724,
)  # fmt: skip
ATAN_32 = (
    -0.3333333333144022, 0.1999999891704028, -0.1428561249224054, 0.11107494603271183,
    -0.09028976882102906, 0.07135287552145222, -0.040431454558852234,
)  # fmt: skip
# (asin(x) - x) / x^3 in u = x^2 on [0, 0.25]; errors 6.4e-20 and 1.5e-11.
ASIN_64 = (
    0.16666666666666666, 0.07499999999999991, 0.04464285714288356, 0.030381944441346388,
    0.02237215928067093, 0.017352757444179825, 0.013965010669331847, 0.011549075679439491,
    0.009792863988301035, 0.008135014193193648, 0.008799140451914983, 0.0003664940923274731,
    0.0225861124015735, -0.024063914377949608, 0.030744526924322196,
)  # fmt: skip
ASIN_32 = (
    0.1666666666549084, 0.07500000600759216, 0.04464235707939134, 0.030397671953511674,
    0.022131964555376638, 0.0193093461897726, 0.005433409887231671, 0.02931732560480542,
)  # fmt: skip


def _atan_positive(m: Algebra, size: Operand, wide_result: bool) -> Operand:
    """atan of a float64 that is not negative: moved by pi/4 or pi/2 to arguments below 0.4143."""
    is_far, is_middle = size > 2.414213562373095, size > 0.41421356237309503
    divided = m.select(is_far, m.constant(-1.0, size), size - 1) / m.select(is_far, size, size + 1)
    divided = m.select(is_middle, divided, size)
    square = divided * divided
    change = divided * square * polynomial(square, ATAN_64 if wide_result else ATAN_32)
    base = m.select(is_far, m.constant(_PI_OVER_TWO, size), m.constant(_PI_OVER_TWO / 2, size))
    low = m.select(is_far, m.constant(_PI_OVER_TWO_LO, size), m.constant(_PI_OVER_TWO_LO / 2, size))
    moved = base + (divided + (change + low))
    return m.select(is_middle, moved, divided + change)


def atan(m: Algebra, x: Operand) -> Operand:
    """The angle in [-pi/2, pi/2] with this tangent."""
    wide_result = is_wide(m, x)
    wide = x if wide_result else m.widen(x)
    result = _atan_positive(m, abs(wide), wide_result)
    result = m.select(wide < 0, -result, result)
    result = m.select(m.eq(wide, 0), wide, result)
    return result if wide_result else m.narrow(result)


def atan2(m: Algebra, y: Operand, x: Operand) -> Operand:
    """The angle of the point (x, y), with C's rules for zeros and infinities."""
    wide_result = is_wide(m, x)
    high, across = (y, x) if wide_result else (m.widen(y), m.widen(x))
    tall, broad = abs(high), abs(across)
    both_infinite = m.eq(tall, INF) & m.eq(broad, INF)
    ratio = m.select(both_infinite | m.eq(tall, broad), m.constant(1.0, tall), tall / broad)
    ratio = m.select(m.eq(tall, 0), m.constant(0.0, tall), ratio)
    angle = _atan_positive(m, ratio, wide_result)
    is_left = m.bits(across) < 0
    angle = m.select(is_left, _PI_OVER_TWO * 2 - (angle - _PI_OVER_TWO_LO * 2), angle)
    angle = m.select(m.bits(high) < 0, -angle, angle)
    angle = m.select(m.isnan(high) | m.isnan(across), high + across, angle)
    return angle if wide_result else m.narrow(angle)


def _asin_small(x: Operand, wide_result: bool) -> Operand:
    """asin for |x| <= 1/2."""
    square = x * x
    return x + x * square * polynomial(square, ASIN_64 if wide_result else ASIN_32)


def asin(m: Algebra, x: Operand) -> Operand:
    """The angle in [-pi/2, pi/2] with this sine; NaN outside [-1, 1]."""
    wide_result = is_wide(m, x)
    wide = x if wide_result else m.widen(x)
    size = abs(wide)
    # asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)), whose difference is exact.
    far = _asin_small(m.sqrt((1 - size) * 0.5), wide_result) * 2
    far = _PI_OVER_TWO - (far - _PI_OVER_TWO_LO)
    far = m.select(wide < 0, -far, far)
    result = m.select(size > 0.5, far, _asin_small(wide, wide_result))
    result = m.select(m.eq(wide, 0), wide, result)
    return result if wide_result else m.narrow(result)


def acos(m: Algebra, x: Operand) -> Operand:
    """The angle in [0, pi] with this cosine; NaN outside [-1, 1]."""
    wide_result = is_wide(m, x)
    wide = x if wide_result else m.widen(x)
    size = abs(wide)
    folded = _asin_small(m.sqrt((1 - size) * 0.5), wide_result) * 2
    far = m.select(wide < 0, _PI_OVER_TWO * 2 - (folded - _PI_OVER_TWO_LO * 2), folded)
    near = _PI_OVER_TWO - (_asin_small(wide, wide_result) - _PI_OVER_TWO_LO)
    result = m.select(size > 0.5, far, near)
    return result if wide_result else m.narrow(result)
