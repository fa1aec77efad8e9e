"""Products with few rows or few columns whose operands are contiguous along k, as dot products.

Vectors run along k. A strip is a few rows of A against a few columns of B, each pair with sums of
its own; at the end of k the lanes of each are added in halves. See `gemm.py` for the functions.
"""

from __future__ import annotations

from .assembler import Lane, integer
from .matrix import ProductSpec, Shape, StripWriter, Sums

FEW = 4
"""Rows, or columns, up to which a product may be written as dot products."""
SUMS = 8
"""Sums that must be under way for the latency of a multiply-add not to show."""


def are_dots(spec: ProductSpec) -> bool:
    """Whether a product can be written this way."""
    is_contiguous = spec.a_strides[1] == 1 == spec.b_strides[0]
    return is_contiguous and min(spec.m, spec.n) <= FEW


class DotsWriter(StripWriter):
    """Writes a product whose strips run along the longer side of C."""

    def __init__(self, spec: ProductSpec, shape: Shape) -> None:
        self.is_tall = spec.m > spec.n
        short, long = sorted((spec.m, spec.n))
        width = min(shape.registers // 2 // short, SUMS, long)
        super().__init__(spec, shape, long, width)
        self.lanes = shape.lanes(spec.dtype, spec.k)
        self.chains = max(1, min(SUMS // (short * width), spec.k // self.lanes))

    def begin(self, piece: Lane) -> None:
        """Nothing comes before the strips."""

    def strip(self, block: Lane, number: Lane, columns: int) -> None:
        """Some rows, or columns, of C."""
        a, spec, step = self.a, self.spec, self.lanes * self.chains
        rows = columns if self.is_tall else spec.m
        columns = spec.n if self.is_tall else columns
        x, y, z = self.x, self.y, self.z
        if self.is_tall:
            x = a.moved(x, (number, self.width * spec.a_strides[0]))
            z = a.moved(z, (number, self.width * spec.c_strides[0]))
        else:
            y = a.moved(y, (number, self.width * spec.b_strides[1]))
            z = a.moved(z, (number, self.width))
        sums = a.sums(rows, columns, self.chains, self.lanes)
        whole = spec.k // step * step
        with a.loop(integer(0), integer(whole), step) as index:
            self.terms(a.moved(x, (index, 1)), a.moved(y, (index, 1)), step, sums)
        self.terms(a.moved(x, (whole, 1)), a.moved(y, (whole, 1)), spec.k - whole, sums)
        for row, line in enumerate(sums):
            for column, chains in enumerate(line):
                place = a.moved(z, (row, spec.c_strides[0]), (column, 1))
                total = a.sum_of_lanes(a.total(chains, self.lanes))
                if spec.accumulate:
                    total = a.binary("fadd", a.load(place, a.element, 1, a.size), total)
                a.store(total, place, a.size)

    def terms(self, x: Lane, y: Lane, count: int, sums: Sums) -> None:
        """Add `count` products to each sum, of rows that begin at x and columns that begin at y."""
        a, spec = self.a, self.spec
        for chain, start in enumerate(range(0, count, self.lanes)):
            left = count - start
            columns = [
                a.load_lanes(a.moved(y, (n, spec.b_strides[1]), (start, 1)), self.lanes, left)
                for n in range(len(sums[0]))
            ]
            for row, line in enumerate(sums):
                place = a.moved(x, (row, spec.a_strides[0]), (start, 1))
                vector = a.load_lanes(place, self.lanes, left)
                for column, chains in zip(columns, line, strict=True):
                    a.multiply_add(vector, column, chains[chain % self.chains])
