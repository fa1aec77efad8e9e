"""The error function, its complement, and the normal distribution."""

from __future__ import annotations

from .exponential import exp_parts
from .tools import (
    Algebra,
    Coefficients,
    Operand,
    at_most,
    chosen,
    clamped,
    polynomial,
    two_product,
)

# erf(x) / x - 1 in x^2 on [0, 1]; errors of erf 1.4e-9 and 3.4e-23.
_ERF_32 = (
    0.12837916612625122, -0.3761262595653534, 0.11283578723669052, -0.026853347197175026,
    0.005187162198126316, -0.0007997853099368513, 7.806903886375949e-05,
)  # fmt: skip
_ERF_64 = (
    0.1283791670955126, -0.37612638903183754, 0.11283791670955126, -0.026866170645131218,
    0.005223977625441674, -0.0008548327023403001, 0.00012055332978879483, -1.4925650236967501e-05,
    1.6462110782018636e-06, -1.636576864883207e-07, 1.4806027146128752e-08, -1.2277734486795524e-09,
    9.323723518153027e-11, -6.1967364287877e-12, 2.8067128195611264e-13,
)  # fmt: skip
# exp(x^2) erfc(x) (x + 2) in (x - 2) / (x + 2), from 0.5 to 10.3 and to 28; errors 1.7e-8 and
# 1.8e-18.
_ERFC_32 = (
    1.0215827226638794, -0.6871606707572937, 0.2794708013534546, -0.03644222766160965,
    -0.02149219997227192, 0.006474075373262167, 0.002995091490447521, -0.0008074516081251204,
    -0.0004641347914002836,
)  # fmt: skip
_ERFC_64 = (
    1.021582705242023, -0.6871606844138106, 0.2794720925560548, -0.03644223150688015,
    -0.021510661889498253, 0.006479185067809018, 0.003090612059803064, -0.0008372960643759353,
    -0.000663073518077609, 3.437146491482e-05, 0.00014447088609185322, 3.414861671232789e-05,
    -2.169706122147482e-05, -1.611907944869029e-05, -1.1225863438049203e-06, 3.6356219656026876e-06,
    1.996382044592452e-06, 2.6119176720426172e-08, -5.692135105100146e-07, -3.694904687558545e-07,
    1.0068562557459623e-08, 1.5963858292802334e-07, 3.0376624516245214e-08, -3.573047003261421e-08,
)  # fmt: skip
# (cdf(x) - 1/2) / x in x^2 for |x| <= 0.7; errors 1.1e-8 and 2.4e-17.
_NORMAL_32 = (
    0.3989422917366028, -0.06649105250835419, 0.00997970625758171, -0.0012042433954775333,
    0.000125374790513888,
)  # fmt: skip
_NORMAL_64 = (
    0.3989422804014327, -0.06649038006691303, 0.009973557010426697, -0.0011873282232806527,
    0.00011543476580000512, -9.445097103560199e-06, 6.674306765046801e-07, -4.405075273131959e-08,
    5.215508293983348e-09, -1.386008275688643e-09,
)  # fmt: skip
# exp(x^2 / 2) cdf(-x) (x + 3) in (x - 3) / (x + 3), from 0.7 to 14.5 and to 39; errors 3.7e-8 and
# 1.2e-18.
_NORMAL_TAIL_32 = (
    0.7290837168693542, -0.509332001209259, 0.23001615703105927, -0.047261256724596024,
    -0.01044444926083088, 0.006946689449250698, 0.0009470675140619278, -0.0009327732841484249,
    -0.0001174552962766029,
)  # fmt: skip
_NORMAL_TAIL_64 = (
    0.729083690133373, -0.5093319819174893, 0.23001771997460072, -0.04726302514299011,
    -0.010462867023112759, 0.0069726212412232575, 0.001027592253898592, -0.0010458286370774693,
    -0.0002565752743645116, 0.00015439461487031848, 7.88120698217228e-05, -1.324698193535271e-05,
    -2.0685838061350252e-05, -3.5139754286671587e-06, 3.6277265472668135e-06,
    2.2474992521907784e-06, 3.938875497427367e-08, -5.81836869455275e-07, -3.2586736044881793e-07,
    4.1626471250495707e-08, 1.473825518214621e-07, 1.0578379687289841e-08, -3.639849965809466e-08,
    4.803590010424329e-09,
)  # fmt: skip


def _tail(
    m: Algebra,
    size: Operand,
    scale: float,
    center: float,
    coefficients: Coefficients,
    weight: Operand | None = None,
) -> Operand:
    """exp(-scale size^2) P((size - center) / (size + center)) / (size + center), times a weight."""
    bottom = size + center
    factor = polynomial(m, (size - center) / bottom, coefficients) / bottom
    square, low = two_product(m, size, size)
    s, k = exp_parts(m, square * -scale, low * -scale)
    return m.scaled(s * (factor if weight is None else factor * weight), k)


def _erfc_tail(m: Algebra, size: Operand) -> Operand:
    return _tail(m, size, 1.0, 2.0, chosen(m, size, _ERFC_32, _ERFC_64))


def _erf_near(m: Algebra, x: Operand) -> Operand:
    """erf for |x| <= 1."""
    return m.fma(x, polynomial(m, x * x, chosen(m, x, _ERF_32, _ERF_64)), x)


def erf(m: Algebra, x: Operand) -> Operand:
    """The error function."""
    size = abs(x)
    far = 1 - _erfc_tail(m, at_most(m, size, 6.0))
    far = m.select(x < 0, -far, far)
    return m.select(size > 1, far, _erf_near(m, x))


def erfc(m: Algebra, x: Operand) -> Operand:
    """1 - erf(x), accurate where that is small."""
    size = abs(x)
    far = _erfc_tail(m, clamped(m, size, 0.5, chosen(m, x, 10.5, 27.5)))
    far = m.select(x < 0, 2 - far, far)
    return m.select(size > 0.5, far, 1 - _erf_near(m, x))


def gelu(m: Algebra, x: Operand) -> Operand:
    """x times the share of a standard normal distribution below x."""
    size = abs(x)
    near = m.fma(x, polynomial(m, x * x, chosen(m, x, _NORMAL_32, _NORMAL_64)), 0.5) * x
    limited = clamped(m, size, 0.5, chosen(m, x, 15.0, 39.0))
    coefficients = chosen(m, x, _NORMAL_TAIL_32, _NORMAL_TAIL_64)
    is_negative = x < 0
    # What is missing to 0 or to x; a positive x may be infinite.
    missing = _tail(m, limited, 0.5, 3.0, coefficients, m.select(is_negative, x, -limited))
    far = m.select(is_negative, missing, x + missing)
    return m.select(size > 0.7, far, near)
