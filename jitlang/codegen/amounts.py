"""Numbers that depend on sizes known only when the function is called.

An `Amount` is a polynomial in sizes, `s0`, `s1`, ...: so many bytes, a stride, a count. It is an
int too, its value for an example, so that whoever plans with numbers plans with amounts as well:
sums and products of them are amounts; whatever else is computed from one is a number of the
example. Code must not hold such a number; `static.py` sees to that by writing it for two examples.

Amounts are learned (`Learner`) from plans for several examples, in each of which the sizes are
distinct primes. A number is factored into sizes, or sums of two sizes or of a size and a small
number, and must be what that product says in all examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from ..fuser.plan import Unsupported

Terms = tuple[tuple[int, tuple[int, ...]], ...]
"""Coefficients, and the numbers of the sizes that each is multiplied with, in order."""


class Amount(int):
    """A polynomial in sizes; as an int its value for the example."""

    terms: Terms

    def __new__(cls, value: int, terms: Terms) -> Amount:
        made = super().__new__(cls, value)
        made.terms = terms
        return made

    def __add__(self, other: int) -> Amount:
        found: dict[tuple[int, ...], int] = {}
        for factor, sizes in (*self.terms, *terms_of(other)):
            found[sizes] = found.get(sizes, 0) + factor
        return Amount(int(self) + int(other), _in_order(found))

    def __mul__(self, other: int) -> Amount:
        found: dict[tuple[int, ...], int] = {}
        for factor, sizes in self.terms:
            for other_factor, other_sizes in terms_of(other):
                key = tuple(sorted(sizes + other_sizes))
                found[key] = found.get(key, 0) + factor * other_factor
        return Amount(int(self) * int(other), _in_order(found))

    __radd__ = __add__
    __rmul__ = __mul__

    def __str__(self) -> str:
        return " + ".join(
            "*".join([str(factor)] * (factor != 1 or not sizes) + [f"s{n}" for n in sizes])
            for factor, sizes in self.terms
        )


def terms_of(number: int) -> Terms:
    """The terms of an amount or a plain number."""
    return number.terms if isinstance(number, Amount) else ((int(number), ()),)


def _in_order(found: dict[tuple[int, ...], int]) -> Terms:
    return tuple((factor, sizes) for sizes, factor in sorted(found.items()) if factor)


FARTHEST = 8
"""The largest number that is looked for beside a size: a slice without the first, a padded end."""
MAX_SUMS = 3
"""Sums that are looked for in one product."""


@dataclass(frozen=True)
class Learner:
    """Says what numbers depend on.

    Attributes:
        examples: the sizes of each example, in the order in which numbers are given.
    """

    examples: Sequence[Sequence[int]]

    def size(self, number: int) -> Amount:
        """A size itself."""
        return Amount(self.examples[0][number], ((1, (number,)),))

    def amount(self, found: Sequence[int]) -> int:
        """The number that has these values in the examples.

        Raises:
            Unsupported: it is no product of sizes.
        """
        product = self._product(list(found), MAX_SUMS)
        if product is None:
            raise Unsupported("a number that is no product of sizes")
        return product

    def _product(self, found: list[int], sums: int) -> int | None:
        if len(set(found)) == 1:
            return found[0]
        simple = self._product_of_sizes(found)
        if simple is not None or not sums or 0 in found:
            return simple
        for part in self._sums:
            values = [value_for(part, example) for example in self.examples]
            if not any(number % value for number, value in zip(found, values, strict=True)):
                left = [number // value for number, value in zip(found, values, strict=True)]
                rest = self._product(left, sums - 1)
                if rest is not None:
                    return part * rest
        return None

    def _product_of_sizes(self, found: Sequence[int]) -> Amount | None:
        factor, sizes = found[0], []
        for number, prime in enumerate(self.examples[0]):
            while factor and factor % prime == 0:
                factor //= prime
                sizes.append(number)
        made = [factor * prod(example[n] for n in sizes) for example in self.examples]
        return Amount(found[0], ((factor, tuple(sizes)),)) if made == list(found) else None

    @cached_property
    def _sums(self) -> list[Amount]:
        sizes = [self.size(number) for number in range(len(self.examples[0]))]
        distances = [d for n in range(1, FARTHEST + 1) for d in (-n, n)]
        pairs = [a + b for n, a in enumerate(sizes) for b in sizes[n + 1 :]]
        return [*(size + d for d in distances for size in sizes), *pairs]


def value_for(number: int, sizes: Sequence[int]) -> int:
    """What an amount is for some sizes."""
    return sum(factor * prod(sizes[n] for n in numbers) for factor, numbers in terms_of(number))
