"""Elementary functions, written once as expressions in the algebra's primitives.

Every reading of the primitives that rounds as IEEE 754 says gives the same bits. No fused
multiply-add is used or allowed. float32 operands (and so the half types) are computed in float64
and rounded once; their error stays near half an ULP. float64 operands use the same reductions with
longer polynomials and, where one float64 is not enough, sums of two.

Measured bounds (tests/ops/test_elementary.py): float32 <= 0.51 ULP everywhere; float64 <= 2 ULP
for exp, log, tanh, sigmoid, sin and cos, <= 4 for the others.

Sources: argument reductions after W. J. Cody and W. Waite, "Software Manual for the Elementary
Functions", 1980, and M. Payne and R. Hanek, "Radian Reduction for Trigonometric Functions", 1983;
log as 2 atanh(f / (2 + f)) and its summation after P. T. P. Tang, "Table-Driven Implementation of
the Logarithm Function", 1990; sums and products of two floats after T. J. Dekker, "A
Floating-Point Technique for Extending the Available Precision", 1971, and D. E. Knuth (TwoSum).
Polynomials are Taylor series where their coefficients are fractions, else Chebyshev fits
(mpmath.chebyfit at 40 digits, interval and error beside each).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Any

from .. import dtypes

Algebra = Any
Operand = Any

# Adding this to |x| < 2^51 leaves round(x) in the low bits of the sum.
SHIFTER = 1.5 * 2.0**52
INV_LN2 = 1.4426950408889634
LN2_HI, LN2_LO = 0.6931471803691238, 1.9082149292705877e-10  # HI has 32 bits: k * HI is exact
INF = float("inf")

EXP_64 = tuple(1 / factorial(n) for n in range(2, 14))
EXP_32 = tuple(1 / factorial(n) for n in range(2, 10))
SIN_64 = tuple((-1) ** n / factorial(2 * n + 1) for n in range(1, 9))
SIN_32 = SIN_64[:5]
COS_64 = tuple((-1) ** n / factorial(2 * n) for n in range(2, 9))
COS_32 = COS_64[:4]
# (2 atanh(s) - 2 s) / s^3 in u = s^2 on [0, 0.02944]; errors 2.1e-18 and 1.2e-9.
ATANH_64 = (
    0.6666666666666666, 0.4000000000000088, 0.2857142857080323, 0.2222222239180047,
    0.18181795630884753, 0.15386240205813478, 0.13268759668560612, 0.13086767009948175,
)  # fmt: skip
ATANH_32 = (0.6666666655445165, 0.40000121876972, 0.2855081659971155, 0.23330581938241893)
# (tanh(x) - x) / x^3 in u = x^2 on [0, 0.37]; error 2.7e-21.
TANH_64 = (
    -0.3333333333333333, 0.13333333333333333, -0.05396825396825348, 0.02186948853612113,
    -0.008863235528665546, 0.0035921280096314684, -0.0014558340058451697, 0.0005900237672338944,
    -0.00023910432243640884, 9.679665901999271e-05, -3.887466421839151e-05, 1.495661304213679e-05,
    -4.888515784914552e-06, 9.666063039079665e-07,
)  # fmt: skip
# erf(x) / x in u = x^2 on [0, 1]; errors 3.4e-23 and 8.3e-13.
ERF_64 = (
    1.1283791670955126, -0.37612638903183754, 0.11283791670955126, -0.026866170645131218,
    0.005223977625441674, -0.0008548327023403001, 0.00012055332978879483, -1.4925650236967501e-05,
    1.6462110782018636e-06, -1.636576864883207e-07, 1.4806027146128752e-08, -1.2277734486795524e-09,
    9.323723518153027e-11, -6.1967364287877e-12, 2.8067128195611264e-13,
)  # fmt: skip
ERF_32 = (
    1.1283791670946768, -0.3761263888963531, 0.11283791308604582, -0.026866133235095593,
    0.005223783477189248, -0.0008542637997087229, 0.0001195656256820733, -1.3909340021874599e-05,
    1.058938064107502e-06,
)  # fmt: skip
# exp(x^2) erfc(x) (x + 2) in u = (x - 2) / (x + 2), for x from 0.5 to 28 and to 10.2; errors
# 1.8e-18, 1.4e-10.
ERFC_64 = (
    1.021582705242023, -0.6871606844138106, 0.2794720925560548, -0.03644223150688015,
    -0.021510661889498253, 0.006479185067809018, 0.003090612059803064, -0.0008372960643759353,
    -0.000663073518077609, 3.437146491482e-05, 0.00014447088609185322, 3.414861671232789e-05,
    -2.169706122147482e-05, -1.611907944869029e-05, -1.1225863438049203e-06, 3.6356219656026876e-06,
    1.996382044592452e-06, 2.6119176720426172e-08, -5.692135105100146e-07, -3.694904687558545e-07,
    1.0068562557459623e-08, 1.5963858292802334e-07, 3.0376624516245214e-08, -3.573047003261421e-08,
)  # fmt: skip
ERFC_32 = (
    1.0215827052041766, -0.6871606834008549, 0.2794720957727972, -0.036442293529495684,
    -0.021510675999916126, 0.006480247075765623, 0.0030900515914656936, -0.0008448033814834715,
    -0.0006572673815813621, 5.86669218256616e-05, 0.00012492628774863094,
)  # fmt: skip


def _is_wide(m: Algebra, x: Operand) -> bool:
    return m.dtype_of(x) is dtypes.float64


def _polynomial(x: Operand, coefficients: Sequence[float]) -> Operand:
    """Horner's scheme, lowest coefficient first."""
    result: Operand = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result


def _power_of_two(m: Algebra, exponent: Operand) -> Operand:
    """2^exponent for an int64 exponent in [-1022, 1023]."""
    return m.from_bits((exponent + 1023) << 52)


def _shifted(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """round(x) as a float64, and as an int64 that is right modulo 2^51."""
    moved = x + SHIFTER
    return moved - SHIFTER, m.bits(moved) - _SHIFTER_BITS


_SHIFTER_BITS = 0x4338000000000000


def _clamped(m: Algebra, x: Operand, low: float, high: float) -> Operand:
    """Between the limits; NaN stays."""
    x = m.select(x < low, low, x)
    return m.select(x > high, high, x)


def _two_sum(a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """a + b and the error of that sum."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """a * b and the error of that product, for |a|, |b| < 2^996."""
    product = a * b
    a_hi, a_lo = _split(a)
    b_hi, b_lo = _split(b)
    return product, ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo


def _split(a: Operand) -> tuple[Operand, Operand]:
    """Two halves of at most 26 bits."""
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


# Exponentials -------------------------------------------------------------------------------------


def _reduced(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """x = k ln 2 + r with |r| <= 0.3466; returns r and k as int64."""
    rounded, k = _shifted(m, x * INV_LN2)
    return (x - rounded * LN2_HI) - rounded * LN2_LO, k


def _exp_minus_one(r: Operand, coefficients: Sequence[float]) -> Operand:
    """exp(r) - 1 for a reduced argument."""
    return r + r * r * _polynomial(r, coefficients)


def exp(m: Algebra, x: Operand) -> Operand:
    """e to the power x."""
    if not _is_wide(m, x):
        r, k = _reduced(m, _clamped(m, m.widen(x), -105.0, 89.0))
        return m.narrow((_exp_minus_one(r, EXP_32) + 1) * _power_of_two(m, k))
    return _exp_64(m, x)


def _exp_64(m: Algebra, x: Operand, low: Operand = 0.0) -> Operand:
    """exp(x + low) for float64, where low is far below x."""
    r, k = _reduced(m, _clamped(m, x, -746.0, 710.0))
    r = r + low
    return _scaled(m, _exp_minus_one(r, EXP_64) + 1, k)


def _scaled(m: Algebra, x: Operand, k: Operand) -> Operand:
    """x * 2^k in two steps, so that results may be subnormal or overflow."""
    half = k >> 1
    return x * _power_of_two(m, half) * _power_of_two(m, k - half)


def exp2(m: Algebra, x: Operand) -> Operand:
    """2 to the power x."""
    if not _is_wide(m, x):
        wide = _clamped(m, m.widen(x), -151.0, 129.0)
        rounded, k = _shifted(m, wide)
        r = (wide - rounded) * 0.6931471805599453
        return m.narrow((_exp_minus_one(r, EXP_32) + 1) * _power_of_two(m, k))
    limited = _clamped(m, x, -1076.0, 1025.0)
    rounded, k = _shifted(m, limited)
    return _scaled(m, _exp_minus_one((limited - rounded) * 0.6931471805599453, EXP_64) + 1, k)


def _expm1_core(m: Algebra, x: Operand, coefficients: Sequence[float]) -> Operand:
    """exp(x) - 1 for float64 x in [-50, 710]; tiny x are the caller's business.

    With h = 2^(k - 1): 2 (h e + (h - 1/2)), where e = exp(r) - 1; h does not overflow for k = 1024.
    """
    r, k = _reduced(m, x)
    half = _power_of_two(m, k - 1)
    return (half * _exp_minus_one(r, coefficients) + (half - 0.5)) * 2


def expm1(m: Algebra, x: Operand) -> Operand:
    """exp(x) - 1, accurate near 0."""
    wide = x if _is_wide(m, x) else m.widen(x)
    coefficients = EXP_64 if _is_wide(m, x) else EXP_32
    result = _expm1_core(m, _clamped(m, wide, -50.0, 710.0), coefficients)
    result = m.select(abs(wide) < 2.0**-54, wide, result)
    return result if _is_wide(m, x) else m.narrow(result)


def sigmoid(m: Algebra, x: Operand) -> Operand:
    """1 / (1 + exp(-x)), without overflow and accurate on both sides."""
    if _is_wide(m, x):
        raised = _exp_64(m, -abs(x))
        return m.select(x < 0, raised, m.constant(1.0, x)) / (raised + 1)
    wide = _clamped(m, m.widen(x), -105.0, 105.0)
    r, k = _reduced(m, -wide)
    return m.narrow(1 / ((_exp_minus_one(r, EXP_32) + 1) * _power_of_two(m, k) + 1))


def tanh(m: Algebra, x: Operand) -> Operand:
    """The hyperbolic tangent."""
    if not _is_wide(m, x):
        wide = m.widen(x)
        raised = _expm1_core(m, _clamped(m, wide * 2, -50.0, 50.0), EXP_32)
        return m.narrow(m.select(abs(wide) < 2.0**-30, wide, raised / (raised + 2)))
    size = abs(x)
    square = x * x
    near = x + x * square * _polynomial(square, TANH_64)
    raised = _expm1_core(m, _clamped(m, size * 2, 0.0, 50.0), EXP_64)
    far = raised / (raised + 2)
    far = m.select(x < 0, -far, far)
    result = m.select(size < 0.6, near, far)
    return m.select(size < 2.0**-27, x, result)


# Logarithms ---------------------------------------------------------------------------------------

_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_HIGH_BITS = -(1 << 52)
_SMALLEST_NORMAL = 2.0**-1022


def _split_exponent(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """x = 2^k z with z in [sqrt(1/2), sqrt(2)) for positive finite normal x; k as an int64."""
    offset = m.bits(x) - _SQRT_HALF_BITS
    return offset >> 52, m.from_bits(m.bits(x) - (offset & _HIGH_BITS))


def _normalized(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """`_split_exponent` for subnormal x too; k as a float64."""
    small = x < _SMALLEST_NORMAL
    k, z = _split_exponent(m, m.select(small, x * 2.0**54, x))
    k = m.to_floating(k)
    return m.select(small, k - 54, k), z


def _log_correction(f: Operand, coefficients: Sequence[float]) -> tuple[Operand, Operand]:
    """h = f^2 / 2 and c with log(1 + f) = f - (h - c)."""
    s = f / (f + 2)
    square = s * s
    h = f * f * 0.5
    return h, s * (h + square * _polynomial(square, coefficients))


def _log_limits(m: Algebra, x: Operand, result: Operand) -> Operand:
    """The ends: log(0) = -inf, negative numbers and NaN give NaN, log(inf) = inf."""
    result = m.select(x < INF, result, x)
    result = m.select(m.eq(x, 0), -INF, result)
    return m.select(x < 0, float("nan"), result)


def _log_parts(m: Algebra, x: Operand) -> tuple[Operand, Operand, Operand, Operand]:
    """k, f, h and c of log(x) = k ln 2 + (f - (h - c)), float64."""
    if _is_wide(m, x):
        k, z = _normalized(m, x)
        f = z - 1
        return k, f, *_log_correction(f, ATANH_64)
    exponent, z = _split_exponent(m, m.widen(x))
    f = z - 1
    return m.to_floating(exponent), f, *_log_correction(f, ATANH_32)


def log(m: Algebra, x: Operand) -> Operand:
    """The natural logarithm."""
    k, f, h, c = _log_parts(m, x)
    result = k * LN2_HI - ((h - (c + k * LN2_LO)) - f)
    return _log_limits(m, x, result if _is_wide(m, x) else m.narrow(result))


def log2(m: Algebra, x: Operand) -> Operand:
    """The logarithm to base 2; exact for powers of two."""
    k, f, h, c = _log_parts(m, x)
    result = k + (f - (h - c)) * INV_LN2
    return _log_limits(m, x, result if _is_wide(m, x) else m.narrow(result))


_INV_LN10 = 0.4342944819032518
_LOG10_2_HI, _LOG10_2_LO = 0.30102999566361177, 3.694239077158931e-13


def log10(m: Algebra, x: Operand) -> Operand:
    """The logarithm to base 10."""
    k, f, h, c = _log_parts(m, x)
    result = k * _LOG10_2_HI + (k * _LOG10_2_LO + (f - (h - c)) * _INV_LN10)
    return _log_limits(m, x, result if _is_wide(m, x) else m.narrow(result))


def log1p(m: Algebra, x: Operand) -> Operand:
    """log(1 + x), accurate near 0."""
    wide = x if _is_wide(m, x) else m.widen(x)
    total = wide + 1
    exponent, z = _split_exponent(m, total)
    k = m.to_floating(exponent)
    # What `total` lost; where k = 0, x itself is f and nothing is lost.
    lost = m.select(wide < 1, wide - (total - 1), 1 - (total - wide))
    is_near = m.eq(exponent, 0)
    f = m.select(is_near, wide, z - 1)
    lost = m.select(is_near, wide * 0, lost / total)
    h, c = _log_correction(f, ATANH_64 if _is_wide(m, x) else ATANH_32)
    result = k * LN2_HI - ((h - (c + (k * LN2_LO + lost))) - f)
    result = m.select(abs(wide) < 2.0**-54, wide, result)
    result = _log_limits(m, total, result)
    # total cannot tell -0 and tiny x from 0: `result` above is right for them.
    result = m.select(abs(wide) < 2.0**-54, wide, result)
    return result if _is_wide(m, x) else m.narrow(result)


# Trigonometry -------------------------------------------------------------------------------------

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


def _quadrant_small(m: Algebra, x: Operand, is_wide: bool) -> tuple[Operand, Operand, Operand]:
    """x = q pi/2 + r + low for |x| <= 1e6; q as an int64 modulo 4."""
    k, q = _shifted(m, x * _TWO_OVER_PI)
    first = x - k * _HALF_PI[0]
    if not is_wide:
        return q, first - k * _HALF_PI_LO, first * 0
    a, a_low = _two_sum(first, -(k * _HALF_PI[1]))
    b, b_low = _two_sum(a, -(k * _HALF_PI[2]))
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
    product, error = _two_product(turned, m.constant(1.5707963267948966, x))
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
    return r + (r * square * _polynomial(square, coefficients) + low)


def _cosine(r: Operand, low: Operand, coefficients: Sequence[float]) -> Operand:
    """cos(r + low) for |r| <= pi/4."""
    square = r * r
    half = square * 0.5
    top = 1 - half
    return top + (
        ((1 - top) - half) + (square * square * _polynomial(square, coefficients) - r * low)
    )


def _turned(m: Algebra, x: Operand, turn: int) -> Operand:
    """sin(x + turn pi/2)."""
    is_wide = _is_wide(m, x)
    wide = x if is_wide else m.widen(x)
    near = _clamped(m, wide, -_LARGE, _LARGE)
    result = _from_quadrant(m, *_quadrant_small(m, near, is_wide), turn, is_wide)
    result = m.rare(
        abs(wide) > _LARGE,
        lambda: _from_quadrant(m, *_quadrant_large(m, _finite(m, wide)), turn, is_wide),
        result,
    )
    result = m.select(abs(wide) < INF, result, wide - wide)
    return result if is_wide else m.narrow(result)


def _finite(m: Algebra, x: Operand) -> Operand:
    """x where it may be reduced as a large number, else 1e6: table indices stay in range."""
    return m.select((abs(x) >= _LARGE) & (abs(x) < INF), x, m.constant(_LARGE, x))


def _from_quadrant(
    m: Algebra, q: Operand, r: Operand, low: Operand, turn: int, is_wide: bool
) -> Operand:
    sine = _sine(r, low, SIN_64 if is_wide else SIN_32)
    cosine = _cosine(r, low, COS_64 if is_wide else COS_32)
    q = q + turn
    result = m.select(m.eq(q & 1, 0), sine, cosine)
    return m.select(m.eq(q & 2, 0), result, -result)


def sin(m: Algebra, x: Operand) -> Operand:
    """The sine of an angle in radians."""
    return m.select(m.eq(x, 0), x, _turned(m, x, 0))


def cos(m: Algebra, x: Operand) -> Operand:
    """The cosine of an angle in radians."""
    return _turned(m, x, 1)


# Powers -------------------------------------------------------------------------------------------

_LN2_THREE = (0.6931471805598903, 5.49792301870721e-14, 1.1612227229362532e-26)
_TWO_THIRDS, _TWO_THIRDS_LO = 0.6666666666666666, 3.700743415417188e-17


def _log_two(m: Algebra, x: Operand) -> tuple[Operand, Operand]:
    """log(x) as a sum of two float64, for positive finite x."""
    k, z = _normalized(m, x)
    f = z - 1
    divisor, divisor_low = _two_sum(f, m.constant(2.0, f))
    s = f / divisor
    product, product_low = _two_product(s, divisor)
    s_low = (((f - product) - product_low) - s * divisor_low) / divisor
    square, square_low = _two_product(s, s)
    square_low = square_low + s * s_low * 2
    cube, cube_low = _two_product(square, s)
    cube_low = cube_low + (square * s_low + square_low * s)
    third, third_low = _two_product(cube, m.constant(_TWO_THIRDS, f))
    third_low = third_low + (cube * _TWO_THIRDS_LO + cube_low * _TWO_THIRDS)
    tail = cube * square * _polynomial(square, ATANH_64_TAIL)
    high, error = _two_sum(s * 2, third)
    low = error + (s_low * 2 + third_low + tail)
    base, base_low = _two_sum(k * _LN2_THREE[0], high)
    return base, base_low + (low + k * _LN2_THREE[1])


# (2 atanh(s) - 2 s - 2/3 s^3) / s^5 in u = s^2 on [0, 0.02944]; error 8.9e-23.
ATANH_64_TAIL = (
    0.4, 0.2857142857142857, 0.22222222222222157, 0.18181818181846482, 0.15384615378380292,
    0.133333341215578, 0.11764645317270289, 0.10529188245017025, 0.09441916912739425,
    0.09971339261620672,
)  # fmt: skip


def _power_64(m: Algebra, size: Operand, y: Operand) -> Operand:
    """size^y for positive finite size, where y is finite and below 2^70 in size."""
    high, low = _log_two(m, size)
    product, error = _two_product(high, y)
    error = error + low * y
    error = m.select(abs(product) < 800.0, error, 0.0)
    return _exp_64(m, product, error)


def pow(m: Algebra, x: Operand, y: Operand) -> Operand:
    """x to the power y, with C's rules for zeros, infinities and negative bases."""
    if not hasattr(x, "__lt__") or isinstance(x, int | float):
        x = m.constant(x, y)
    if isinstance(y, int | float):
        y = m.constant(y, x)
    is_wide = _is_wide(m, x)
    base, exponent = (x, y) if is_wide else (m.widen(x), m.widen(y))
    size = abs(base)
    one = m.constant(1.0, base)
    usual = (size > 0) & (size < INF)
    limited = _clamped(m, exponent, -(2.0**70), 2.0**70)
    safe = m.select(usual, size, one)
    if is_wide:
        raised = _power_64(m, safe, m.select(m.isnan(limited), 0.0, limited))
    else:
        raised = _exp_64(m, log(m, safe) * limited)
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
    return raised if is_wide else m.narrow(raised)


# The error function -------------------------------------------------------------------------------


def _erfc_far(m: Algebra, size: Operand, is_wide: bool) -> Operand:
    """erfc for float64 arguments from 0.5 to 28; the square is kept in two parts."""
    inverse = 1 / (size + 2)
    scaled = _polynomial((size - 2) * inverse, ERFC_64 if is_wide else ERFC_32) * inverse
    square, rest = _two_product(size, size) if is_wide else (size * size, 0.0)
    return _exp_64(m, -square, -rest) * scaled


def _erf_near(x: Operand, is_wide: bool) -> Operand:
    """erf for |x| <= 1."""
    return x * _polynomial(x * x, ERF_64 if is_wide else ERF_32)


def erf(m: Algebra, x: Operand) -> Operand:
    """The error function."""
    is_wide = _is_wide(m, x)
    wide = x if is_wide else m.widen(x)
    size = abs(wide)
    far = 1 - _erfc_far(m, _clamped(m, size, 1.0, 6.0), is_wide)
    far = m.select(wide < 0, -far, far)
    result = m.select(size > 1, far, _erf_near(wide, is_wide))
    return result if is_wide else m.narrow(result)


def erfc(m: Algebra, x: Operand) -> Operand:
    """1 - erf(x), accurate where that is small."""
    is_wide = _is_wide(m, x)
    wide = x if is_wide else m.widen(x)
    size = abs(wide)
    far = _erfc_far(m, _clamped(m, size, 0.5, 27.5 if is_wide else 10.2), is_wide)
    far = m.select(wide < 0, 2 - far, far)
    result = m.select(size > 0.5, far, 1 - _erf_near(wide, is_wide))
    return result if is_wide else m.narrow(result)


__all__ = [
    "cos",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "pow",
    "sigmoid",
    "sin",
    "tanh",
]  # fmt: skip
