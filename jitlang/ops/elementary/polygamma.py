"""The derivatives of the digamma function, by the Hurwitz zeta function of whole orders.

    polygamma(n, x) = (-1)^(n + 1) n! zeta(n + 1, x),  zeta(s, x) = sum over k >= 0 of (x + k)^-s

For positive x the first terms are added up and the rest is the Euler-Maclaurin formula (NIST's
Digital Library of Mathematical Functions, 25.11.5). Below zero the sum over all integers k, which
depends on the fraction f of x only, stands in: zeta(s, x) + (-1)^s zeta(s, 1 - x) =
zeta(s, f) + (-1)^s zeta(s, 1 - f). All is computed in float64.
"""

from __future__ import annotations

import math

from .tools import Algebra, Operand, is_wide

_TERMS = 12
# B(2j) / (2j)! for j = 1, 2 ...
_BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600,
)  # fmt: skip


def polygamma(m: Algebra, n: int, x: Operand) -> Operand:
    """The n-th derivative of digamma, n >= 1; infinite at 0, -1, -2 ..."""
    wide = is_wide(m, x)
    result = _polygamma_64(m, n, x if wide else m.widen(x))
    return result if wide else m.narrow(result)


def _polygamma_64(m: Algebra, n: int, x: Operand) -> Operand:
    s = n + 1
    sign = 1.0 if s % 2 == 0 else -1.0
    below = x < 0
    inside = m.select(below, m.constant(1, x), x)
    beyond = m.select(below, x, m.constant(-0.5, x))
    # Minus infinity counts as one of the integers.
    whole = m.floor(beyond)
    fraction = m.select(m.eq(whole, beyond), m.constant(0, x), beyond - whole)
    mirrored = _zeta(m, s, fraction) + sign * (_zeta(m, s, 1 - fraction) - _zeta(m, s, 1 - beyond))
    return sign * math.gamma(s) * m.select(below, mirrored, _zeta(m, s, inside))


def _power(m: Algebra, x: Operand, s: int) -> Operand:
    """x^-s by repeated squaring."""
    result, base = m.constant(1, x), x
    while s:
        result = result * base if s & 1 else result
        s >>= 1
        base = base * base
    return 1 / result


def _zeta(m: Algebra, s: int, x: Operand) -> Operand:
    """zeta(s, x) for x >= 0, the small terms first."""
    far = x + _TERMS
    power = _power(m, far, s)
    rest, falling, inverse = power * 0.5, float(s), 1 / far
    term = power * inverse
    for j, coefficient in enumerate(_BERNOULLI, 1):
        rest = rest + term * (coefficient * falling)
        falling *= (s + 2 * j - 1) * (s + 2 * j)
        term = term * inverse * inverse
    total = rest + _power(m, far, s - 1) / (s - 1)
    for k in reversed(range(_TERMS)):
        total = total + _power(m, x + k, s)
    return total
