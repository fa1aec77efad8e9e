"""What the elementary functions are built with: formats, polynomials, sums of two floats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import dtypes

Algebra = Any
Operand = Any
Coefficients = Sequence[float]
INF = float("inf")


@dataclass(frozen=True, slots=True)
class Format:
    """What functions need to know of float32 or float64.

    Attributes:
        fraction_bits: bits of the mantissa behind the point.
        bias: of the exponent field.
        shifter: added to |x| < 2^(fraction_bits - 2) it leaves round(x) in the last bits of the
            sum.
        ln2: of full precision; the rest beyond it is too small to matter where one step reduces.
        ln2_high: ln 2 with so many zeros at its end that its product with an exponent is exact.
        ln2_low: ln 2 - ln2_high.
    """

    fraction_bits: int
    bias: int
    shifter: float
    log2_e: float
    ln2: float
    ln2_high: float
    ln2_low: float

    @property
    def sign(self) -> int:
        """The sign bit, as a signed integer."""
        return -(1 << self.sign_place)

    @property
    def sign_place(self) -> int:
        """The number of the sign bit."""
        return 31 if self.bias == 127 else 63


SINGLE = Format(
    23, 127, 1.5 * 2.0**23, 1.4426950216293335, 0.6931471824645996, 0.693145751953125,
    1.428606765330187e-06,
)  # fmt: skip
DOUBLE = Format(
    52, 1023, 1.5 * 2.0**52, 1.4426950408889634, 0.6931471805599453, 0.6931471803691238,
    1.9082149292705877e-10,
)  # fmt: skip


def is_wide(m: Algebra, x: Operand) -> bool:
    """Whether an operand is float64; float32 is the other case."""
    return m.dtype_of(x) is dtypes.float64


def format_of(m: Algebra, x: Operand) -> Format:
    """The format of an operand."""
    return DOUBLE if is_wide(m, x) else SINGLE


def chosen(m: Algebra, x: Operand, single: Any, double: Any) -> Any:
    """The constant for an operand's format."""
    return double if is_wide(m, x) else single


def polynomial(m: Algebra, x: Operand, coefficients: Coefficients) -> Operand:
    """Horner's scheme with fused steps, lowest coefficient first."""
    result = m.fma(x, coefficients[-1], coefficients[-2])
    for coefficient in reversed(coefficients[:-2]):
        result = m.fma(result, x, coefficient)
    return result


def clamped(m: Algebra, x: Operand, low: float, high: float) -> Operand:
    """Between the limits; NaN stays."""
    x = m.select(x < low, low, x)
    return m.select(x > high, high, x)


def at_most(m: Algebra, x: Operand, high: float) -> Operand:
    """The lesser of a number and a limit; NaN stays."""
    return m.select(x > high, high, x)


def with_sign_of(m: Algebra, size: Operand, x: Operand) -> Operand:
    """A number that is not negative, with the sign of x."""
    return m.from_bits(m.bits(size) | (m.bits(x) & format_of(m, x).sign))


def two_sum(a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """a + b and the error of that sum."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(m: Algebra, a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """a * b and the error of that product."""
    product = a * b
    return product, m.fma(a, b, -product)
