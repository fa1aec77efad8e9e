"""exp, sigmoid, tanh, log, sin, cos and kin of float32 in float32: twice the lanes of float64, and
no wide division.

They use fused multiply-adds (`m.fma`, rounded once in every reading) and carry the low part of a
sum where its loss would show. Arguments beyond the range in which 2^k is a normal number take the
`rare` way. Errors on 1.2 million arguments each, in ULP: exp 0.95, exp2 0.84, expm1 0.86, sigmoid
0.75, tanh 0.73, log 0.80, log2 0.77, log1p 0.87, sin 0.77, cos 0.81.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .tools import INF, Algebra, Operand, clamped, two_sum

_LOG2_E = 1.4426950216293335
_LN2, _LN2_REST = 0.6931471824645996, -1.9046542121259336e-09
_LN2_HI, _LN2_LO = 0.693145751953125, 1.428606765330187e-06  # HI has 16 bits: k * HI is exact
_SHIFTER, _SHIFTER_BITS = 12582912.0, 0x4B400000  # 1.5 * 2^23
_SIGN = -(1 << 31)
_SQRT_HALF_BITS = 0x3F3504F3
_LOG2_E_REST = 1.925963033500011e-08
_ORDINARY = 87.0  # exp of up to this size is a normal number, and so is its power of two

# (exp(r) - 1 - r) / r^2 on |r| <= 0.3467; error 1.4e-9.
_EXP = (
    0.5, 0.1666666716337204, 0.041666463017463684, 0.00833331048488617, 0.001393367419950664,
    0.00019891017291229218,
)  # fmt: skip
# (log(1 + f) - f + f^2 / 2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)]; error 2.9e-8.
_LOG = (
    0.3333333134651184, -0.2499999701976776, 0.20000715553760529, -0.1666780263185501,
    0.14249058067798615, -0.12425687164068222, 0.11685419827699661, -0.11479733884334564,
    0.06971611827611923,
)  # fmt: skip


def _polynomial(m: Algebra, x: Operand, coefficients: Sequence[float]) -> Operand:
    """Horner's scheme with fused steps, lowest coefficient first."""
    result = m.fma(x, coefficients[-1], coefficients[-2])
    for coefficient in reversed(coefficients[:-2]):
        result = m.fma(result, x, coefficient)
    return result


def _power_of_two(m: Algebra, exponent: Operand) -> Operand:
    """2^exponent for an int32 exponent in [-126, 127]."""
    return m.from_bits((exponent + 127) << 23)


def _reduced(m: Algebra, x: Operand) -> tuple[Operand, Operand, Operand]:
    """x = k ln 2 + r + low with |r| <= 0.3467; k as an int32."""
    moved = m.fma(x, _LOG2_E, _SHIFTER)
    rounded = moved - _SHIFTER
    first = m.fma(rounded, -_LN2_HI, x)
    r = m.fma(rounded, -_LN2_LO, first)
    return m.bits(moved) - _SHIFTER_BITS, r, m.fma(rounded, -_LN2_LO, first - r)


def _exp_reduced(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """exp(x) = s 2^k; returns s and k."""
    k, r, _ = _reduced(m, x)
    return m.fma(_polynomial(m, r, _EXP), r * r, r) + 1, k


def _exp_any(m: Algebra, x: Operand) -> Operand:
    """exp for every x, in two steps where 2^k may not be a normal number."""
    s, k = _exp_reduced(m, clamped(m, x, -105.0, 90.0))
    half = k >> 1
    return s * _power_of_two(m, half) * _power_of_two(m, k - half)


def _is_beyond(m: Algebra, x: Operand) -> Operand:
    """Whether exp(x) may not be a normal number; also for NaN."""
    return m.eq(abs(x) <= _ORDINARY, False)


def exp(m: Algebra, x: Operand) -> Operand:
    """e to the power x."""
    s, k = _exp_reduced(m, x)
    usual = m.from_bits(m.bits(s) + (k << 23))
    return m.rare(_is_beyond(m, x), lambda: _exp_any(m, x), usual)


def exp2(m: Algebra, x: Operand) -> Operand:
    """2 to the power x."""

    def parts(x: Operand) -> tuple[Operand, Operand]:
        moved = x + _SHIFTER
        fraction = x - (moved - _SHIFTER)
        r = fraction * _LN2
        low = m.fma(fraction, _LN2, -r) + fraction * _LN2_REST
        s = (m.fma(_polynomial(m, r, _EXP), r * r, low) + r) + 1
        return s, m.bits(moved) - _SHIFTER_BITS

    def unusual() -> Operand:
        s, k = parts(clamped(m, x, -151.0, 129.0))
        half = k >> 1
        return s * _power_of_two(m, half) * _power_of_two(m, k - half)

    s, k = parts(x)
    return m.rare(m.eq(abs(x) <= 125.0, False), unusual, m.from_bits(m.bits(s) + (k << 23)))


def expm1(m: Algebra, x: Operand) -> Operand:
    """exp(x) - 1, accurate near 0."""
    k, r, low = _reduced(m, x)
    rest = m.fma(_polynomial(m, r, _EXP), r * r, low)
    p = r + rest
    p_low = (r - p) + rest
    power = _power_of_two(m, k)
    below, lost = two_sum(power, m.constant(-1.0, x))
    e, e_lost = two_sum(below, power * p)
    usual = e + (e_lost + (lost + power * p_low))
    result = m.rare(_is_beyond(m, x), lambda: _exp_any(m, x) - 1, usual)
    return m.select(m.eq(x, 0), x, result)


def _quotient(
    m: Algebra, top: Operand, top_low: Operand, bottom: Operand, bottom_low: Operand
) -> Operand:
    """(top + top_low) / (bottom + bottom_low)."""
    inverse = 1 / bottom
    quotient = top * inverse
    rest = m.fma(-quotient, bottom, top) + m.fma(-quotient, bottom_low, top_low)
    return m.fma(rest, inverse, quotient)


def sigmoid(m: Algebra, x: Operand) -> Operand:
    """1 / (1 + exp(-x)) as e / (1 + e) or 1 / (1 + e) with e = exp(-|x|)."""
    k, r, low = _reduced(m, -abs(x))
    square = m.fma(_polynomial(m, r, _EXP), r * r, low)
    one = r + 1
    rest = ((1 - one) + r) + square
    s = one + rest
    power = _power_of_two(m, k)
    e, e_low = s * power, ((one - s) + rest) * power
    bottom = e + 1
    bottom_low = ((1 - bottom) + e) + e_low
    is_negative = x < 0
    top, top_low = m.select(is_negative, e, 1.0), m.select(is_negative, e_low, 0.0)
    usual = _quotient(m, top, top_low, bottom, bottom_low)
    # Beyond 87 the sum rounds to 1 on both sides.
    return m.rare(_is_beyond(m, x), lambda: _exp_any(m, m.select(x > 0, 0.0, x)), usual)


def tanh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic tangent as -e / (2 + e) with e = exp(-2|x|) - 1."""
    doubled = -abs(x + x)
    k, r, low = _reduced(m, m.select(doubled < -40.0, -40.0, doubled))
    rest = m.fma(_polynomial(m, r, _EXP), r * r, low)
    p = r + rest
    p_low = (r - p) + rest
    power = _power_of_two(m, k)
    below = power - 1
    e = m.fma(power, p, below)
    # What `below` lost, where the power is under 2^-24, what `e` lost, and the low part of p.
    e_low = (power - (below + 1)) + m.fma(power, p_low, m.fma(power, p, below - e))
    bottom = e + 2
    bottom_low = ((2 - bottom) + e) + e_low
    size = _quotient(m, -e, -e_low, bottom, bottom_low)
    return m.from_bits((m.bits(size) & ~_SIGN) | (m.bits(x) & _SIGN))


def _log_normal(m: Algebra, x: Operand, shift: int) -> Operand:
    """log(x 2^-shift) for positive normal x."""
    offset = m.bits(x) - _SQRT_HALF_BITS
    k = m.to_floating((offset >> 23) - shift)
    f = m.from_bits(m.bits(x) - (offset & -(1 << 23))) - 1
    square = f * f
    rest = m.fma(f * square, _polynomial(m, f, _LOG), k * _LN2_LO)
    return m.fma(k, _LN2_HI, f + m.fma(square, -0.5, rest))


def log(m: Algebra, x: Operand) -> Operand:
    """The natural logarithm."""
    return _log_of(m, x, lambda x, shift: _log_normal(m, x, shift))


def _log_of(m: Algebra, x: Operand, of_normal: Callable[[Operand, int], Operand]) -> Operand:
    """A logarithm by one of positive normal numbers, which takes what to subtract from k too."""

    def unusual() -> Operand:
        result = of_normal(x * 2.0**23, 23)
        result = m.select(x >= 2.0**-126, of_normal(x, 0), result)
        result = m.select(x < INF, result, x)
        result = m.select(m.eq(x, 0), -INF, result)
        return m.select(x < 0, float("nan"), result)

    is_usual = (x >= 2.0**-126) & (x < INF)
    return m.rare(m.eq(is_usual, False), unusual, of_normal(x, 0))


def log2(m: Algebra, x: Operand) -> Operand:
    """The logarithm to base 2; exact for powers of two."""

    def of_normal(x: Operand, shift: int) -> Operand:
        offset = m.bits(x) - _SQRT_HALF_BITS
        k = m.to_floating((offset >> 23) - shift)
        f = m.from_bits(m.bits(x) - (offset & -(1 << 23))) - 1
        square = f * f
        rest = m.fma(square, -0.5, f * square * _polynomial(m, f, _LOG))
        high = f + rest
        low = (f - high) + rest
        scaled = high * _LOG2_E
        scaled_low = m.fma(high, _LOG2_E, -scaled) + m.fma(low, _LOG2_E, high * _LOG2_E_REST)
        total, lost = two_sum(k, scaled)
        return total + (lost + scaled_low)

    return _log_of(m, x, of_normal)


def log1p(m: Algebra, x: Operand) -> Operand:
    """log(1 + x), accurate near 0."""
    total, lost = two_sum(m.constant(1.0, x), x)
    offset = m.bits(total) - _SQRT_HALF_BITS
    exponent = offset >> 23
    k = m.to_floating(exponent)
    z = m.from_bits(m.bits(total) - (offset & -(1 << 23)))
    # 2^-k as two factors: k may be 128.
    f, f_low = two_sum(
        z - 1,
        lost * _power_of_two(m, -(exponent >> 1)) * _power_of_two(m, (exponent >> 1) - exponent),
    )
    square = f * f
    rest = m.fma(f * square, _polynomial(m, f, _LOG), m.fma(k, _LN2_LO, f_low))
    usual = m.fma(k, _LN2_HI, f + m.fma(square, -0.5, rest))

    def unusual() -> Operand:
        result = m.select(m.eq(x, -1), -INF, x)
        return m.select(x < -1, float("nan"), result)

    result = m.rare(m.eq((x > -1) & (x < INF), False), unusual, usual)
    return m.select(m.eq(x, 0), x, result)


# Sines --------------------------------------------------------------------------------------------

_TWO_OVER_PI = 0.6366197466850281
_HALF_PI = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
_REDUCIBLE = 32768.0  # up to here x - k pi/2 is exact after its first step
_SIN = (-0.1666666716337204, 0.008333333767950535, -0.00019841270113829523, 2.7557318844628753e-06)
_COS = (0.0416666679084301, -0.0013888889225199819, 2.4801587642286904e-05, -2.755731998149713e-07)


def turned(m: Algebra, x: Operand, turn: int, beyond: Callable[[], Operand]) -> Operand:
    """sin(x + turn pi/2); `beyond` gives it where x is too large for this reduction, or NaN."""
    moved = m.fma(x, _TWO_OVER_PI, _SHIFTER)
    k = moved - _SHIFTER
    first = m.fma(k, -_HALF_PI[0], x)
    second = k * -_HALF_PI[1]
    r, lost = two_sum(first, second)
    low = m.fma(k, -_HALF_PI[2], m.fma(k, -_HALF_PI[1], -second) + lost)
    square = r * r
    sine = r + m.fma(r * square, _polynomial(m, square, _SIN), low)
    half = square * 0.5
    top = 1 - half
    rest = m.fma(-r, low, (1 - top) - half)
    cosine = top + m.fma(square * square, _polynomial(m, square, _COS), rest)
    quadrant = m.bits(moved) + turn
    size = m.select(m.eq(quadrant & 1, 0), sine, cosine)
    usual = m.from_bits(m.bits(size) ^ ((quadrant & 2) << 30))
    return m.rare(m.eq(abs(x) <= _REDUCIBLE, False), beyond, usual)
