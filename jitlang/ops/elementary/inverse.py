"""Arcus functions, in radians."""

from __future__ import annotations

from .tools import Algebra, Operand, chosen, polynomial, with_sign_of

_PI_OVER_TWO_32 = (1.5707963705062866, -4.371138828673793e-08)
_PI_OVER_TWO_64 = (1.5707963267948966, 6.123233995736766e-17)
# (atan(x) - x) / x^3 in x^2 on [0, 1]; errors 1.7e-8 and 1.4e-17.
_ATAN_32 = (
    -0.33333152532577515, 0.19993767142295837, -0.14211001992225647, 0.10665769129991531,
    -0.07551655173301697, 0.04320453479886055, -0.01636294648051262, 0.0029193218797445297,
)  # fmt: skip
_ATAN_64 = (
    -0.3333333333333307, 0.19999999999951745, -0.14285714282587775, 0.11111111007332179,
    -0.09090907007625741, 0.07692279886959957, -0.06666404408089256, 0.05880529722241231,
    -0.05253526422922203, 0.04722347232789516, -0.042192408549319826, 0.03664310937659484,
    -0.02990567461762888, 0.021986996582038395, -0.013902507355436055, 0.007197837999509937,
    -0.0028855857618204288, 0.0008315513285685696, -0.00015220937920065215, 1.3229826976591093e-05,
)  # fmt: skip
# (asin(x) - x) / x^3 in x^2 on [0, 0.25]; errors 4.9e-9 and 1.5e-17.
_ASIN_32 = (
    0.16666753590106964, 0.07495247572660446, 0.045477259904146194, 0.02414279244840145,
    0.042233023792505264,
)  # fmt: skip
_ASIN_64 = (
    0.16666666666665395, 0.07500000000340587, 0.04464285682525389, 0.030381959268310884,
    0.022371754802988097, 0.017359755080347733, 0.013884726238677553, 0.01217262991688615,
    0.006512886688576913, 0.019570350496614448, -0.01629148388427564, 0.03195913778506079,
)  # fmt: skip


def _angle(m: Algebra, top: Operand, bottom: Operand) -> Operand:
    """The angle of the point (bottom, top), neither of them negative, in [0, pi/2]."""
    high, low = chosen(m, top, _PI_OVER_TWO_32, _PI_OVER_TWO_64)
    zero = m.constant(0.0, top)
    is_steep = top > bottom
    t = m.select(is_steep, -bottom, top) / m.select(is_steep, top, bottom)
    t = m.select(m.eq(top, bottom), m.select(m.eq(top, 0), zero, m.constant(1.0, top)), t)
    square = t * t
    change = m.fma(
        t * square,
        polynomial(m, square, chosen(m, top, _ATAN_32, _ATAN_64)),
        m.select(is_steep, m.constant(low, top), zero),
    )
    return m.select(is_steep, m.constant(high, top), zero) + (t + change)


def atan(m: Algebra, x: Operand) -> Operand:
    """The angle in [-pi/2, pi/2] with this tangent."""
    return with_sign_of(m, _angle(m, abs(x), m.constant(1.0, x)), x)


def atan2(m: Algebra, y: Operand, x: Operand) -> Operand:
    """The angle of the point (x, y), with C's rules for zeros and infinities."""
    high, low = chosen(m, x, _PI_OVER_TWO_32, _PI_OVER_TWO_64)
    angle = _angle(m, abs(y), abs(x))
    angle = m.select(m.bits(x) < 0, 2 * high - (angle - 2 * low), angle)
    return m.select(m.isnan(x) | m.isnan(y), x + y, with_sign_of(m, angle, y))


def _halved(m: Algebra, size: Operand) -> tuple[Operand, Operand]:
    """asin(size), or half of acos(size) above 1/2, and whether it is that."""
    is_far = size > 0.5
    square = m.select(is_far, (1 - size) * 0.5, size * size)
    root = m.select(is_far, m.sqrt(square), size)
    change = polynomial(m, square, chosen(m, size, _ASIN_32, _ASIN_64))
    return m.fma(root * square, change, root), is_far


def asin(m: Algebra, x: Operand) -> Operand:
    """The angle in [-pi/2, pi/2] with this sine; NaN outside [-1, 1]."""
    high, low = chosen(m, x, _PI_OVER_TWO_32, _PI_OVER_TWO_64)
    angle, is_far = _halved(m, abs(x))
    return with_sign_of(m, m.select(is_far, high - (angle * 2 - low), angle), x)


def acos(m: Algebra, x: Operand) -> Operand:
    """The angle in [0, pi] with this cosine; NaN outside [-1, 1]."""
    high, low = chosen(m, x, _PI_OVER_TWO_32, _PI_OVER_TWO_64)
    angle, is_far = _halved(m, abs(x))
    is_negative = x < 0
    far = m.select(is_negative, 2 * high - (angle * 2 - 2 * low), angle * 2)
    near = high - (m.select(is_negative, -angle, angle) - low)
    return m.select(is_far, far, near)
