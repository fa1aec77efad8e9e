"""Elementary functions, written once as expressions in the algebra's primitives.

Every reading of the primitives that rounds as IEEE 754 says gives the same bits; multiply-adds are
fused only where a body says `m.fma`. Each function is one expression for float32 and float64, with
constants for each (`tools.Format`, `tools.chosen`); half types are computed in float32. The low
part of a sum is carried where its loss would show. `docs/accuracy.md` says how far each row is from
the truth.

Sources: argument reductions after W. J. Cody and W. Waite, "Software Manual for the Elementary
Functions", 1980, and M. Payne and R. Hanek, "Radian Reduction for Trigonometric Functions", 1983;
log as 2 atanh(f / (2 + f)) and its summation after P. T. P. Tang, "Table-Driven Implementation of
the Logarithm Function", 1990; sums and products of two floats after T. J. Dekker, "A
Floating-Point Technique for Extending the Available Precision", 1971, and D. E. Knuth (TwoSum).
Polynomials are Taylor series where their coefficients are fractions, else least maximum errors
found by E. Ya. Remez's exchange or C. L. Lawson's reweighting ("Contributions to the Theory of
Linear Least Maximum Approximations", 1961) at 50 digits, their coefficients rounded one after the
other; interval and error stand beside each.
"""

from __future__ import annotations

from .circular import cos, sin, tan
from .exponential import cosh, exp, exp2, expm1, gated, sigmoid, sinh, tanh
from .inverse import acos, asin, atan, atan2
from .logarithm import acosh, asinh, atanh, log, log1p, log2, log10
from .power import hypot, pow
from .special import erf, erfc, gelu

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
    "gated",
    "gelu",
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
