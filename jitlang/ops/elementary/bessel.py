"""Modified Bessel functions of the first kind, of order 0 and 1.

They are computed in float64 for both dtypes. Each of the polynomials is a Chebyshev fit
(mpmath.chebyfit at 40 digits; errors below 2e-16) in t from -1 to 1, where |x| = 4 (t + 1) up to 8
and 16 / (t + 1) beyond.
"""

from __future__ import annotations

from .tools import INF, Algebra, Coefficients, Operand, is_wide, polynomial

# exp(-x) I0(x), and that times sqrt(x); exp(-x) I1(x) / x, and exp(-x) I1(x) sqrt(x).
_I0E_NEAR = (
    0.20700192122398667, -0.11300432688620547, 0.0945156285399639, -0.08904344136076327,
    0.08734341617468505, -0.08496338091593245, 0.07927522592865593, -0.06954119562303405,
    0.05677703173239174, -0.04298594937721531, 0.030177914326369393, -0.019682655309282406,
    0.011960065956449436, -0.006792396673321815, 0.0036171685199186195, -0.001811898032010941,
    0.0008562120964037982, -0.0003828745840656792, 0.00016258361907161146, -6.555606021032439e-05,
    2.4986432931858343e-05, -9.194264364358614e-06, 3.40892232481125e-06, -1.1360524712119476e-06,
    2.699153146632741e-07, -8.791296325157322e-08, 5.753995763975938e-08, -1.601973429472564e-08,
)  # fmt: skip
_I0E_FAR = (
    0.4021765094450081, 0.0033605519836677235, 0.00013621607439187193, 1.1143033802583682e-05,
    1.4838475863096976e-06, 2.9735956581528157e-07, 8.872154618944625e-08, 3.932926571091252e-08,
    2.155681110989874e-08, 7.532386417555123e-09, -6.805980075129678e-09, -1.331979859201994e-08,
    -5.162517880939013e-09, 7.323310735122893e-09, 6.789790403895736e-09, -3.11851456121224e-09,
    -4.8482509221176966e-09, 1.0924527246468664e-09, 2.3981927228949238e-09,
    -2.748111637276033e-10, -7.473844621887592e-10, 3.525321019700796e-11, 1.0881994785468934e-10,
)  # fmt: skip
_I1E_NEAR = (
    0.04468770987560883, -0.06112433802966629, 0.06805759990951267, -0.06848260620582576,
    0.06376740371333725, -0.05528003922703299, 0.04467457262304859, -0.03367135552039122,
    0.023686016933733296, -0.015571309250544394, 0.009583962342948091, -0.0055345678088487725,
    0.003005761422600446, -0.0015388747130763492, 0.0007445158546973146, -0.00034117562574038554,
    0.0001484126353082137, -6.142435066991627e-05, 2.4248618918164148e-05, -9.135581253751598e-06,
    3.2758896983910484e-06, -1.133551346432692e-06, 3.9091632529126733e-07,
    -1.2376686539665326e-07, 2.9883402742599985e-08, -9.144761049555143e-09, 5.211654337723065e-09,
    -1.3931836382589292e-09,
)  # fmt: skip
_I1E_FAR = (
    0.38939845902587233, -0.009749577193235609, -0.000219235763833829, -1.503854721127423e-05,
    -1.8349101539664522e-06, -3.483853071371078e-07, -1.0001220638799958e-07,
    -4.31323156237458e-08, -2.3382691353601083e-08, -8.407326839577817e-09, 6.795073490187386e-09,
    1.3952625102162603e-08, 5.722677527454156e-09, -7.432535335623792e-09, -7.222524178953976e-09,
    3.0717395650769477e-09, 5.094016301574338e-09, -1.0476127785270019e-09,
    -2.5062162405593894e-09, 2.582169443152386e-10, 7.79067217908059e-10, -3.2677656089803323e-11,
    -1.13288885034257e-10,
)  # fmt: skip


def i0(m: Algebra, x: Operand) -> Operand:
    """I0(x)."""
    return _grown(m, x, _i0e_64)


def i0e(m: Algebra, x: Operand) -> Operand:
    """exp(-|x|) I0(x)."""
    return _scaled(m, x, _i0e_64)


def i1(m: Algebra, x: Operand) -> Operand:
    """I1(x), the derivative of I0."""
    return _grown(m, x, _i1e_64)


def i1e(m: Algebra, x: Operand) -> Operand:
    """exp(-|x|) I1(x)."""
    return _scaled(m, x, _i1e_64)


def _scaled(m: Algebra, x: Operand, function: object) -> Operand:
    wide = is_wide(m, x)
    result = function(m, x if wide else m.widen(x))  # type: ignore[operator]
    return result if wide else m.narrow(result)


def _grown(m: Algebra, x: Operand, function: object) -> Operand:
    def unscaled(m: Algebra, wide: Operand) -> Operand:
        half = m.exp(abs(wide) * 0.5)  # the whole overflows before the product does
        grown = function(m, wide) * half * half  # type: ignore[operator]
        return m.select(m.eq(abs(wide), INF), wide if function is _i1e_64 else abs(wide), grown)

    return _scaled(m, x, unscaled)


def _parts(m: Algebra, x: Operand, near: Coefficients, far: Coefficients) -> tuple[Operand, ...]:
    size = abs(x)
    inner = polynomial(m, m.select(size < 8, size, m.constant(8, x)) * 0.25 - 1, near)
    outer_size = m.select(size < 8, m.constant(8, x), size)
    outer = polynomial(m, 16 / outer_size - 1, far) / m.sqrt(outer_size)
    return size, inner, outer


def _i0e_64(m: Algebra, x: Operand) -> Operand:
    size, inner, outer = _parts(m, x, _I0E_NEAR, _I0E_FAR)
    return m.select(size < 8, inner, outer)


def _i1e_64(m: Algebra, x: Operand) -> Operand:
    size, inner, outer = _parts(m, x, _I1E_NEAR, _I1E_FAR)
    return m.select(size < 8, inner * x, m.select(x < 0, -outer, outer))
