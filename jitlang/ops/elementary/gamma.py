"""The gamma function's logarithm and its derivative, and the inverse of the error function.

They are computed in float64 for both dtypes. Near zeros of the result (lgamma at 1 and 2, digamma
at 1.46) float64 keeps an absolute error of some 1e-15, not a relative one.
"""

from __future__ import annotations

import math

from .tools import INF, Algebra, Operand, is_wide, polynomial

# C. Lanczos, "A Precision Approximation of the Gamma Function", 1964, for g = 7 and nine terms.
_LANCZOS = (
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
    12.507343278686905, -0.13857109526572012, 9.984369578019572e-06, 1.5056327351493116e-07,
)  # fmt: skip
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
# -B(2k) / 2k: digamma's asymptotic series in 1 / x^2 (Abramowitz and Stegun, 6.3.18).
_DIGAMMA = (
    -1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760, -1 / 12,
)  # fmt: skip
_DIGAMMA_FROM = 10.0
# First guesses after M. Giles, "Approximating the erfinv function", 2011: in w = -log(1 - x^2) for
# w < 5, else in sqrt(w).
_ERFINV_CENTER = (
    1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06,
    -3.5233877e-06, 3.43273939e-07, 2.81022636e-08,
)  # fmt: skip
_ERFINV_TAIL = (
    2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844,
    0.00134934322, 0.000100950558, -0.000200214257,
)  # fmt: skip


def _in_float64(m: Algebra, x: Operand, function: object) -> Operand:
    wide = is_wide(m, x)
    result = function(m, x if wide else m.widen(x))  # type: ignore[operator]
    return result if wide else m.narrow(result)


def lgamma(m: Algebra, x: Operand) -> Operand:
    """log |gamma(x)|; infinite at 0, -1, -2 ..."""
    return _in_float64(m, x, _lgamma_64)


def _lgamma_64(m: Algebra, x: Operand) -> Operand:
    reflected = x < 0.5
    z = m.select(reflected, -x, x - 1)  # gamma(z + 1)
    series = m.constant(0.9999999999998099, x)
    for k, coefficient in enumerate(_LANCZOS):
        series = series + coefficient / (z + (k + 1))
    t = z + 7.5
    value = (z + 0.5) * m.log(t) - t + m.log(series) + _HALF_LOG_TWO_PI
    near = x - m.rint(x)
    mirrored = math.log(math.pi) - m.log(abs(m.sin(near * math.pi))) - value
    value = m.select(reflected, mirrored, value)
    return m.select(m.eq(abs(x), INF), abs(x), value)


def digamma(m: Algebra, x: Operand) -> Operand:
    """The derivative of log gamma(x); NaN at -1, -2 ..., infinite at zero."""
    return _in_float64(m, x, _digamma_64)


def _digamma_64(m: Algebra, x: Operand) -> Operand:
    reflected = x < 0
    z = m.select(reflected, 1 - x, x)
    below = m.constant(0, x)
    for _ in range(int(_DIGAMMA_FROM)):
        small = z < _DIGAMMA_FROM
        below = m.select(small, below - 1 / z, below)
        z = m.select(small, z + 1, z)
    u = 1 / (z * z)
    value = below + (m.log(z) - 0.5 / z + u * polynomial(m, u, _DIGAMMA))
    near = x - m.rint(x)
    pole = m.select(m.eq(near, 0), m.constant(math.nan, x), near)
    value = m.select(reflected, value - math.pi / m.tan(pole * math.pi), value)
    # 1 / -0. is -inf, so that zero's sign decides.
    value = m.select(m.eq(x, 0), -1 / x, value)
    return m.select(m.eq(x, INF), x, value)


def erfinv(m: Algebra, x: Operand) -> Operand:
    """The y of erf(y) = x: four steps of Halley's method from a first guess of single precision."""
    return _in_float64(m, x, _erfinv_64)


def _erfinv_64(m: Algebra, x: Operand) -> Operand:
    size = abs(x)
    inside = m.select(size < 1, size, m.constant(0, x))
    w = -m.log((1 - inside) * (1 + inside))
    tail = m.sqrt(m.select(w < 5, m.constant(9, x), w)) - 3
    center = m.select(w < 5, w, m.constant(2.5, x)) - 2.5
    y = inside * m.select(
        w < 5, polynomial(m, center, _ERFINV_CENTER), polynomial(m, tail, _ERFINV_TAIL)
    )
    for _ in range(4):
        # Beyond 1/2 the complements keep the digits that erf(y) - x loses.
        apart = m.select(inside < 0.5, m.erf(y) - inside, (1 - inside) - m.erfc(y))
        slope = m.exp(-(y * y)) * (2 / math.sqrt(math.pi))
        y = y - apart / (slope + y * apart)
    y = m.select(m.eq(size, 1), m.constant(INF, x), y)
    y = m.select(x < 0, -y, m.select(m.eq(x, 0), x, y))
    return m.select(size <= 1, y, m.constant(math.nan, x))
