"""Sine, cosine and tangent of angles in radians: x = q pi/2 + r + low, and polynomials in r."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial

from .tools import (
    INF,
    Algebra,
    Operand,
    chosen,
    format_of,
    is_wide,
    polynomial,
    two_product,
    two_sum,
)

# Taylor series: (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 in r^2, |r| <= pi/4.
_SIN_64 = tuple((-1) ** n / factorial(2 * n + 1) for n in range(1, 9))
_SIN_32 = _SIN_64[:4]
_COS_64 = tuple((-1) ** n / factorial(2 * n) for n in range(2, 9))
_COS_32 = _COS_64[:4]
# (tan(r) - r) / r^3 in r^2, |r| <= pi/4; errors 1.3e-9 and 3.2e-18.
_TAN_32 = (
    0.33333349227905273, 0.1333267241716385, 0.05405944585800171, 0.021282769739627838,
    0.010837703943252563, 8.38592677609995e-05, 0.004380368627607822,
)  # fmt: skip
_TAN_64 = (
    0.3333333333333338, 0.13333333333325342, 0.05396825397290227, 0.02186948839935177,
    0.008863237921618153, 0.003592100891239367, 0.0014560454651405866, 0.0005888649753596448,
    0.00024375004699719055, 8.35601909079172e-05, 6.72223338114254e-05, -2.5637920449406546e-05,
    4.8642423356580464e-05, -2.4278658327193425e-05, 9.80043518136657e-06,
)  # fmt: skip
_TWO_OVER_PI = 0.6366197723675814
# Of full precision each: a fused step by the first is exact.
_HALF_PI_32 = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
_HALF_PI_64 = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
_REDUCIBLE_32, _REDUCIBLE_64 = 32768.0, 1.0e6  # up to here three pieces of pi are enough
# 2/pi in words of 32 bits behind two zero words.
_TWO_OVER_PI_WORDS = (
    0, 0, 2734261102, 1313084713, 4230436817, 4113882560, 3680671129, 1011060801, 4266746795,
    3736847713, 3072618042, 1112396512, 105459434, 164729372, 4263373596, 2972297022, 3900847605,
    784024708, 3919343654, 3026157121, 965858873, 2203269620, 2625920907, 3187222587, 536385535,
    3724908559, 4012839307, 1510632735, 1832287951, 667617719, 1330003814, 2657085997, 1965537991,
    3957715323, 1023883767, 2320667370, 1811636145, 529358088, 1443049542, 4235946923,
)  # fmt: skip
_MASK_32 = 0xFFFFFFFF


Ending = Callable[[Operand, Operand, Operand], Operand]
"""What becomes of the quadrant, an integer, and the reduced angle in two parts."""


def _reduced(m: Algebra, x: Operand) -> tuple[Operand, Operand, Operand]:
    """x = q pi/2 + r + low for |x| up to the limit; q modulo 4."""
    shifter = format_of(m, x).shifter
    pieces = chosen(m, x, _HALF_PI_32, _HALF_PI_64)
    moved = m.fma(x, _TWO_OVER_PI, shifter)
    k = moved - shifter
    first = m.fma(k, -pieces[0], x)
    second = k * -pieces[1]
    r, lost = two_sum(first, second)
    return m.bits(moved), r, m.fma(k, -pieces[2], m.fma(k, -pieces[1], -second) + lost)


def _reduced_large(m: Algebra, x: Operand) -> tuple[Operand, Operand, Operand]:
    """The same for large finite float64 x (Payne and Hanek): x * 2/pi modulo 4 in fixed point, with
    128 bits of fraction.

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
    product, error = two_product(m, turned, m.constant(1.5707963267948966, x))
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


def _by_quadrant(m: Algebra, x: Operand, ending: Ending) -> Operand:
    """`ending` of the reduced angle, by the reduction that its size asks for."""
    limit = chosen(m, x, _REDUCIBLE_32, _REDUCIBLE_64)

    def beyond() -> Operand:
        wide = m.widen(x)
        size = abs(wide)
        # Indices into the table stay in range for lanes that this is not about.
        safe = m.select((size > limit) & (size < INF), wide, m.constant(limit, wide))
        result = ending(*_reduced_large(m, safe))
        result = m.select(size < INF, result, wide - wide)
        return result if is_wide(m, x) else m.narrow(result)

    return m.rare(m.eq(abs(x) <= limit, False), beyond, ending(*_reduced(m, x)))


def _turned(m: Algebra, x: Operand, turn: int) -> Operand:
    """sin(x + turn pi/2)."""

    def ending(q: Operand, r: Operand, low: Operand) -> Operand:
        both = _sine_and_cosine(m, r, low)
        return _in_quadrant(m, q + turn, *both)

    return _by_quadrant(m, x, ending)


def _sine_and_cosine(m: Algebra, r: Operand, low: Operand) -> tuple[Operand, Operand]:
    """Of a reduced angle."""
    square = r * r
    sine = r + m.fma(r * square, polynomial(m, square, chosen(m, r, _SIN_32, _SIN_64)), low)
    half = square * 0.5
    top = 1 - half
    rest = m.fma(-r, low, (1 - top) - half)
    cosine = top + m.fma(
        square * square, polynomial(m, square, chosen(m, r, _COS_32, _COS_64)), rest
    )
    return sine, cosine


def _in_quadrant(m: Algebra, quadrant: Operand, sine: Operand, cosine: Operand) -> Operand:
    """The sine of an angle from those of what it is reduced to."""
    size = m.select(m.eq(quadrant & 1, 0), sine, cosine)
    sign = (quadrant & 2) << (format_of(m, sine).sign_place - 1)
    return m.from_bits(m.bits(size) ^ sign)


def cosine_and_sine(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """Both of an angle from 0 to some turns, with the bits of `cos` and `sin`."""
    q, r, low = _reduced(m, x)
    both = _sine_and_cosine(m, r, low)
    return _in_quadrant(m, q + 1, *both), _in_quadrant(m, q, *both)


def sin(m: Algebra, x: Operand) -> Operand:
    """The sine of an angle in radians."""
    return m.select(m.eq(x, 0), x, _turned(m, x, 0))


def cos(m: Algebra, x: Operand) -> Operand:
    """The cosine of an angle in radians."""
    return _turned(m, x, 1)


def tan(m: Algebra, x: Operand) -> Operand:
    """The tangent of an angle in radians."""

    def ending(q: Operand, r: Operand, low: Operand) -> Operand:
        square = r * r
        change = m.fma(r * square, polynomial(m, square, chosen(m, r, _TAN_32, _TAN_64)), low)
        tangent = r + change
        return m.select(m.eq(q & 1, 0), tangent, -1 / tangent)

    return m.select(m.eq(x, 0), x, _by_quadrant(m, x, ending))
