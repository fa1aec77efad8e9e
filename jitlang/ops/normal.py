"""Normal numbers: Box-Muller on neighbouring words of a draw, with jitlang's own functions.

Of each pair of words the upper 24 bits count: u of the first and v of the second give
sqrt(-2 log((u + 1) / 2**24)) times the cosine and the sine of 2 pi v / 2**24. All is rounded as the
rows `log`, `cos` and so on round, so kernels that are made of those give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import DType
from .algebra import NumpyAlgebra, Operand
from .elementary.circular import cosine_and_sine
from .fused import moderate_multiply_add
from .generator import Generator, default_generator

_ULP = 2.0**-24


class PairAlgebra(NumpyAlgebra):
    """The NumPy reading for what comes of words of 24 bits. There `fma` can do without most of its
    care, and takes a tenth of the time: rounding twice, to float64 and then to float32, gives what
    rounding once gives for each of the 2**24 values of u and of v (a test tries them all), and
    nothing in float64 comes near the limits of its range.
    """

    def __init__(self, xp: Any, compute: DType) -> None:
        super().__init__(xp, compute)
        self._factor: tuple[Operand, Operand] = (None, None)

    def fma(self, x: Operand, y: Operand, z: Operand) -> Operand:
        """x * y + z, rounded once."""
        if self.compute is dtypes.float64:
            return moderate_multiply_add(self.xp, x, y, z)
        total = _widened(x) * self._widened_factor(y)
        total += _widened(z)
        return total.astype("float32")

    def _widened_factor(self, y: Operand) -> Operand:
        """A factor as float64; polynomials come with the same one again and again."""
        if self._factor[0] is not y:
            self._factor = y, _widened(y)
        return self._factor[1]


def _widened(x: Operand) -> Operand:
    """float32, or a number that takes its dtype, as float64."""
    return x.astype("float64") if hasattr(x, "dtype") else float(np.float32(x))


def standard_normal(xp: Any, shape: Sequence[int], generator: Generator | None, wide: bool) -> Any:
    """Normals of mean 0 and deviation 1, in float64 if `wide`, else in float32."""
    count = math.prod(shape)
    m = PairAlgebra(xp, dtypes.float64 if wide else dtypes.float32)
    drawn = xp.empty((-(-count // 4) * 4,), m.compute.numpy)
    for place, words in (generator or default_generator).pieces(len(drawn), xp):
        bits = (words >> np.uint32(8)).reshape((-1, 2)).astype(m.compute.numpy)
        pairs = drawn[place].reshape((-1, 2))
        box_muller(m, bits[:, 0], bits[:, 1], pairs)
    return drawn[:count].reshape(tuple(shape))


def box_muller(m: Any, first: Any, second: Any, pairs: Any) -> None:
    """Pairs of normals, as an array of shape (n, 2), from vectors of integers below 2**24."""
    # Adding 1 keeps the logarithm finite.
    radius = m.sqrt(m.log((first + 1) * _ULP) * -2)
    cosine, sine = cosine_and_sine(m, second * (2 * math.pi * _ULP))
    m.xp.multiply(radius, cosine, out=pairs[:, 0])
    m.xp.multiply(radius, sine, out=pairs[:, 1])
