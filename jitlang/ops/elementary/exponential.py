"""exp and its kin: exp2, expm1, sigmoid, tanh, sinh, cosh.

x = k ln 2 + r brings the argument to |r| <= 0.3467, and 2^k is applied last, in one rounding
(`m.scaled`), so that results may be subnormal or overflow. Where a result is 0 it is not reached by
underflow, which is slow on some processors.
"""

from __future__ import annotations

from .tools import (
    Algebra,
    Operand,
    at_most,
    chosen,
    clamped,
    format_of,
    polynomial,
    with_sign_of,
)

# exp(r) on |r| <= 0.3467; errors 4.4e-9 and 3.8e-18.
_EXP_32 = (
    1.0, 1.0, 0.5, 0.16666488349437714, 0.04166555032134056, 0.008372289128601551,
    0.0014036060310900211,
)  # fmt: skip
EXP_64 = (
    1.0, 1.0, 0.5000000000000011, 0.16666666666666435, 0.04166666666652579, 0.008333333333475827,
    0.0013888888944849447, 0.0001984126955493265, 2.480149178420317e-05, 2.7557536781091735e-06,
    2.7630727426231835e-07, 2.501749760943123e-08,
)  # fmt: skip
# exp(2 r) on |r| <= 0.1734; errors 4.4e-9 and 3.8e-18.
_DOUBLED_32 = (
    1.0, 2.0, 2.0, 1.333319067955017, 0.666648805141449, 0.26791325211524963, 0.08983078598976135,
)  # fmt: skip
_DOUBLED_64 = (
    1.0, 2.0, 2.0000000000000044, 1.3333333333333148, 0.6666666666644127, 0.26666666667122646,
    0.08888888924703646, 0.02539682503031379, 0.006349181896756011, 0.0014109458831918968,
    0.000282938648844614, 5.123583510411516e-05,
)  # fmt: skip
# 2^r on |r| <= 0.5; errors 5.8e-9 and 4.2e-18.
_EXP2_32 = (
    1.0, 0.6931472420692444, 0.24022655189037323, 0.05550272762775421, 0.009617064148187637,
    0.0013418430462479591, 0.0001581690739840269,
)  # fmt: skip
_EXP2_64 = (
    1.0, 0.6931471805599453, 0.2402265069591011, 0.055504108664821736, 0.009618129107600557,
    0.0013333558146539698, 0.00015403530450300344, 1.5252733642463908e-05, 1.3215438225917132e-06,
    1.0178155831887546e-07, 7.073335351243663e-09, 4.439579024832814e-10,
)  # fmt: skip
# (exp(r) - 1 - r) / r^2 on |r| <= 0.3467; errors of the whole 1.4e-8 and 1.9e-17.
_EXPM1_32 = (
    0.4999999701976776, 0.1666654497385025, 0.041667502373456955, 0.008366400375962257,
    0.0013864492066204548,
)  # fmt: skip
_EXPM1_64 = (
    0.5000000000000006, 0.1666666666666661, 0.04166666666657379, 0.008333333333374968,
    0.0013888888932318368, 0.00019841269751724844, 2.4801504511274553e-05, 2.7557377524300753e-06,
    2.762630521296015e-07, 2.5063480345403954e-08,
)  # fmt: skip
# (tanh(x) - x) / x^3 in x^2, for |x| <= 0.65 and 0.6; errors 6.8e-9 and 5.5e-18.
_TANH_32 = (
    -0.3333325982093811, 0.1333082914352417, -0.05368790403008461, 0.020469000563025475,
    -0.005514679942280054,
)  # fmt: skip
_TANH_64 = (
    -0.3333333333333312, 0.13333333333299008, -0.05396825394896797, 0.021869487994467446,
    -0.008863226663028977, 0.0035920363826662605, -0.0014552098325023991, 0.0005871688070190279,
    -0.00023035388624192195, 7.926102564003339e-05, -1.7150637668889185e-05,
)  # fmt: skip
# (sinh(x) - x) / x^3 in x^2 for |x| <= 1; errors 3.1e-10 and 7.1e-19.
_SINH_32 = (0.1666666716337204, 0.00833331048488617, 0.00019842891197185963, 2.7822673018818023e-06)
_SINH_64 = (
    0.16666666666666669, 0.008333333333332912, 0.00019841269841594207, 2.7557319106365513e-06,
    2.5052131083675278e-08, 1.6056650754498223e-10, 7.776910031855625e-13,
)  # fmt: skip


def _reduced(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """x = k ln 2 + r; returns r and k."""
    f = format_of(m, x)
    k = m.fma(x, f.log2_e, f.shifter) - f.shifter
    return m.fma(k, -f.ln2_low, m.fma(k, -f.ln2_high, x)), k


def exp_parts(m: Algebra, x: Operand, low: Operand | None = None) -> tuple[Operand, Operand]:
    """exp(x + low) = s 2^k, for x that do not overflow and low far below x.

    s is 0 where the result is, and 1000 times the result would be.
    """
    r, k = _reduced(m, x)
    s = polynomial(m, r if low is None else r + low, chosen(m, x, _EXP_32, EXP_64))
    return m.select(x < chosen(m, x, -111.0, -753.0), m.constant(0.0, x), s), k


def exp(m: Algebra, x: Operand, low: Operand | None = None) -> Operand:
    """e to the power x, or x + low, where low is far below x."""
    return m.scaled(*exp_parts(m, at_most(m, x, chosen(m, x, 90.0, 710.0)), low))


def exp2(m: Algebra, x: Operand) -> Operand:
    """2 to the power x."""
    shifter = format_of(m, x).shifter
    lowest, highest = chosen(m, x, (-150.5, 129.0), (-1075.5, 1025.0))
    limited = clamped(m, x, lowest, highest)
    k = (limited + shifter) - shifter
    s = polynomial(m, limited - k, chosen(m, x, _EXP2_32, _EXP2_64))
    return m.scaled(m.select(x < lowest, m.constant(0.0, x), s), k)


def expm1(m: Algebra, x: Operand) -> Operand:
    """exp(x) - 1, accurate near 0: with h = 2^(k - 1), which does not overflow, it is
    2 (h (exp(r) - 1) + (h - 1/2)).
    """
    r, k = _reduced(m, clamped(m, x, *chosen(m, x, (-30.0, 89.0), (-60.0, 710.0))))
    p = m.fma(polynomial(m, r, chosen(m, x, _EXPM1_32, _EXPM1_64)), r * r, r)
    half = m.scaled(m.constant(1.0, x), k - 1)
    result = m.fma(half, p, half - 0.5) * 2
    return m.select(abs(x) < 2.0**-54, x, result)


def sigmoid(m: Algebra, x: Operand) -> Operand:
    """1 / (1 + exp(-x)) as e / (1 + e) or 1 / (1 + e) with e = exp(-|x|)."""
    e = m.scaled(*exp_parts(m, -abs(x)))
    bottom = e + 1
    lost = e - (bottom - 1)
    inverse = 1 / bottom
    top = m.select(x < 0, e, m.constant(1.0, x))
    quotient = top * inverse
    rest = m.fma(-quotient, lost, m.fma(-quotient, bottom, top))
    return m.fma(rest, inverse, quotient)


def gated(m: Algebra, x: Operand, z: Operand) -> Operand:
    """x * sigmoid(z), where sigmoid(z) alone may be subnormal."""
    # Beyond 800 nothing changes, and k stays finite.
    s, k = exp_parts(m, -at_most(m, abs(z), 800.0))
    is_negative = z < 0
    bottom = m.scaled(s, m.select(k < -60.0, -60.0, k)) + 1
    quotient = m.select(is_negative, s, m.constant(1.0, x)) / bottom
    return m.scaled(x * quotient, m.select(is_negative, k, m.constant(0.0, x)))


def tanh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic tangent: a polynomial near 0, else 1 - 2 / (exp(2 |x|) + 1)."""
    f, size = format_of(m, x), abs(x)
    square = size * size
    near = m.fma(size * square, polynomial(m, square, chosen(m, x, _TANH_32, _TANH_64)), size)
    limited = at_most(m, size, chosen(m, x, 10.0, 20.0))
    # One step reduces: what it neglects grows as k, and the quotient is below 2^(1 - k).
    k = m.fma(limited, 2 * f.log2_e, f.shifter) - f.shifter
    r = m.fma(k, -0.5 * f.ln2, limited)
    raised = m.scaled(polynomial(m, r, chosen(m, x, _DOUBLED_32, _DOUBLED_64)), k)
    # NaN is near.
    is_far = size >= chosen(m, x, 0.65, 0.6)
    return with_sign_of(m, m.select(is_far, 1 - 2 / (raised + 1), near), x)


def _half_exp(m: Algebra, x: Operand) -> Operand:
    """exp(|x|) / 2, which overflows no sooner than the results."""
    s, k = exp_parts(m, at_most(m, abs(x), chosen(m, x, 91.0, 712.0)))
    return m.scaled(s, k - 1)


def cosh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic cosine."""
    half = _half_exp(m, x)
    return half + 0.25 / half


def sinh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic sine: a polynomial near 0."""
    size = abs(x)
    square = size * size
    near = m.fma(size * square, polynomial(m, square, chosen(m, x, _SINH_32, _SINH_64)), size)
    half = _half_exp(m, x)
    return with_sign_of(m, m.select(size > 1, half - 0.25 / half, near), x)
