"""Elementary functions, written once as expressions in the algebra's primitives.

Every reading of the primitives that rounds as IEEE 754 says gives the same bits; multiply-adds are
fused only where a body says `m.fma`. The commonest functions of float32 are computed in float32
(`single.py`). Other functions of float32 operands (and so of the half types) are computed in
float64 and rounded once; their error stays near half an ULP. float64 operands use the same
reductions with longer polynomials and, where one float64 is not enough, sums of two.

Measured bounds (tests/ops/test_elementary.py): float32 <= 1 ULP for the functions of `single.py`
and <= 0.51 for all others; float64 <= 2 ULP for exp, log, tanh, sigmoid, sin and cos, <= 4 for the
others.

Sources: argument reductions after W. J. Cody and W. Waite, "Software Manual for the Elementary
Functions", 1980, and M. Payne and R. Hanek, "Radian Reduction for Trigonometric Functions", 1983;
log as 2 atanh(f / (2 + f)) and its summation after P. T. P. Tang, "Table-Driven Implementation of
the Logarithm Function", 1990; sums and products of two floats after T. J. Dekker, "A
Floating-Point Technique for Extending the Available Precision", 1971, and D. E. Knuth (TwoSum).
Polynomials are Taylor series where their coefficients are fractions, else Chebyshev fits
(mpmath.chebyfit at 40 digits, interval and error beside each).
"""

from __future__ import annotations

from .circular import acos, asin, atan, atan2, cos, sin, tan
from .exponential import cosh, exp, exp2, expm1, sigmoid, sinh, tanh
from .logarithm import acosh, asinh, atanh, log, log1p, log2, log10
from .power import hypot, pow
from .special import erf, erfc

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "hypot",
    "log",
    "log1p",
    "log2",
    "log10",
    "pow",
    "sigmoid",
    "sin",
    "sinh",
    "tan",
    "tanh",
]
