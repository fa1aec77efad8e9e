"""The error function and its complement."""

from __future__ import annotations

from .exponential import exp_64
from .tools import Algebra, Operand, clamped, is_wide, polynomial, two_product

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


def _erfc_far(m: Algebra, size: Operand, wide_result: bool) -> Operand:
    """erfc for float64 arguments from 0.5 to 28; the square is kept in two parts."""
    inverse = 1 / (size + 2)
    scaled = polynomial((size - 2) * inverse, ERFC_64 if wide_result else ERFC_32) * inverse
    square, rest = two_product(size, size) if wide_result else (size * size, 0.0)
    return exp_64(m, -square, -rest) * scaled


def _erf_near(x: Operand, wide_result: bool) -> Operand:
    """erf for |x| <= 1."""
    return x * polynomial(x * x, ERF_64 if wide_result else ERF_32)


def erf(m: Algebra, x: Operand) -> Operand:
    """The error function."""
    wide_result = is_wide(m, x)
    wide = x if wide_result else m.widen(x)
    size = abs(wide)
    far = 1 - _erfc_far(m, clamped(m, size, 1.0, 6.0), wide_result)
    far = m.select(wide < 0, -far, far)
    result = m.select(size > 1, far, _erf_near(wide, wide_result))
    return result if wide_result else m.narrow(result)


def erfc(m: Algebra, x: Operand) -> Operand:
    """1 - erf(x), accurate where that is small."""
    wide_result = is_wide(m, x)
    wide = x if wide_result else m.widen(x)
    size = abs(wide)
    far = _erfc_far(m, clamped(m, size, 0.5, 27.5 if wide_result else 10.2), wide_result)
    far = m.select(wide < 0, 2 - far, far)
    result = m.select(size > 0.5, far, 1 - _erf_near(wide, wide_result))
    return result if wide_result else m.narrow(result)
