"""Philox4x32-10 over a (seed, offset) state, and the draws that everything random is made of.

Element i of a draw, in row-major order, uses counter `offset + i // 4`, word `i % 4`; a draw of n
elements advances the offset by `ceil(n / 4)`. uniform = (word >> 8) * 2**-24. Draws from a range
wider than 32 bits take two words for each element, low word first. `normal.py` makes normals.
"""

from __future__ import annotations

import math
import secrets
import threading
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)
_SEED_LIMIT = 2**64
_CHUNK = 2**13
"""Counters that are mixed at a time, so that they stay in a core's cache."""


def blocks_of(count: int) -> int:
    """The blocks of four words that a draw of `count` words takes."""
    return -(-count // 4)


def philox(counter: Sequence[Any], key: tuple[int, int]) -> Sequence[Any]:
    """Philox4x32-10: random words for counters.

    Args:
        counter: the four words of each counter, in columns: uint64 vectors of numbers below 2**32,
            or single such numbers, which all counters share then.
        key: two 32-bit words.

    Returns:
        Four uint64 vectors, whose lower halves are the words.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = ((second >> _HALF) ^ c1 ^ np.uint64(k0)) & _LOW, second
        c2, c3 = ((first >> _HALF) ^ c3 ^ np.uint64(k1)) & _LOW, first
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def _mixed(start: int, blocks: int, key: tuple[int, int], xp: Any) -> Any:
    """The words of consecutive counters, as a uint32 vector."""
    position = xp.arange(blocks, dtype="uint64") + np.uint64(start % _SEED_LIMIT)
    does_carry = (start & 0xFFFFFFFF) + blocks > 2**32
    high = position >> _HALF if does_carry else np.uint64(start >> 32 & 0xFFFFFFFF)
    words = xp.empty((blocks, 4), "uint32")
    for place, column in enumerate(philox((position & _LOW, high, _ZERO, _ZERO), key)):
        words[:, place] = column
    return words.reshape((-1,))


def random_bits(m: Any, position: Any, seed: Any, offset: Any) -> Any:
    """The upper 24 bits of a word of a draw, in an algebra of int64.

    Args:
        m: the algebra.
        position: the element of the draw.
        seed: the state before the draw, as a signed number.
        offset: likewise.
    """
    low = (1 << 32) - 1
    block = (position >> 2) + offset
    c0, c1, c2, c3 = block & low, (block >> 32) & low, block & 0, block & 0
    k0, k1 = seed & low, (seed >> 32) & low
    for _ in range(_ROUNDS):
        # Products may wrap: their bits are those of unsigned ones.
        first, second = c0 * int(_MULTIPLIERS[0]), c2 * int(_MULTIPLIERS[1])
        c0, c1 = ((second >> 32) & low) ^ c1 ^ k0, second & low
        c2, c3 = ((first >> 32) & low) ^ c3 ^ k1, first & low
        k0, k1 = (k0 + _WEYL[0]) & low, (k1 + _WEYL[1]) & low
    which = position & 3
    early = m.select(m.eq(which, 0), c0, c1)
    late = m.select(m.eq(which, 2), c2, c3)
    return m.select(which < 2, early, late) >> 8


class Generator:
    """A source of random numbers: a seed and how many blocks of four words were drawn.

    Drawing is thread-safe; which thread gets which numbers is not determined.

    Attributes:
        state: seed and offset, two words of 64 bits at a fixed place in memory, where native code
            finds them.
        lock: held by whoever changes the state.
    """

    __slots__ = ("device", "lock", "state")

    def __init__(self, device: object = "cpu", seed: int = 0) -> None:
        self.lock = threading.Lock()
        self.device = device
        self.state = array("Q", (seed % _SEED_LIMIT, 0))

    @property
    def offset(self) -> int:
        """How many blocks of four words were drawn."""
        return self.state[1]

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from a seed; negative ones count from 2**64."""
        return self.set_state((seed % _SEED_LIMIT, 0))

    def initial_seed(self) -> int:
        """The seed last given."""
        return self.state[0]

    def seed(self) -> int:
        """Start anew from a seed that the operating system gives, and return it."""
        chosen = secrets.randbits(63)
        self.manual_seed(chosen)
        return chosen

    def get_state(self) -> tuple[int, int]:
        """(seed, offset): all there is to know."""
        seed, offset = tuple(self.state)
        return seed, offset

    def set_state(self, state: tuple[int, int]) -> Generator:
        """Continue from a state that `get_state` gave."""
        with self.lock:
            self.state[:] = array("Q", state)
        return self

    def reserve(self, count: int) -> tuple[int, int]:
        """Advance by a draw of `count` words; the state before it."""
        with self.lock:
            seed, offset = self.state
            self.state[1] = (offset + blocks_of(count)) % _SEED_LIMIT
        return seed, offset

    def words(self, count: int, xp: Any = np) -> Any:
        """Draw `count` random 32-bit words, as a uint32 vector."""
        drawn = xp.empty((count,), "uint32")
        for place, words in self.pieces(count, xp):
            drawn[place] = words
        return drawn

    def pieces(self, count: int, xp: Any = np) -> Iterator[tuple[slice, Any]]:
        """Draw `count` random 32-bit words at once, and give them in parts that stay in a core's
        cache: which of the words, and these as a uint32 vector. All parts but the last hold a
        multiple of four.
        """
        seed, start = self.reserve(count)
        key = seed & 0xFFFFFFFF, seed >> 32
        for first in range(0, count, 4 * _CHUNK):
            size = min(count - first, 4 * _CHUNK)
            words = _mixed(start + first // 4, blocks_of(size), key, xp)
            yield slice(first, first + size), words[:size]

    def __repr__(self) -> str:
        seed, offset = self.get_state()
        return f"Generator(seed={seed}, offset={offset})"

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (str(self.device), *self.get_state())


def _restored(device: str, seed: int, offset: int) -> Generator:
    return Generator(device).set_state((seed, offset))


default_generator = Generator(seed=secrets.randbits(63))


def uniform(xp: Any, shape: Sequence[int], generator: Generator | None) -> Any:
    """float32 in [0, 1): the upper 24 bits of a word each."""
    count = math.prod(shape)
    drawn = xp.empty((count,), "float32")
    for place, words in (generator or default_generator).pieces(count, xp):
        xp.multiply(words >> np.uint32(8), np.float32(2.0**-24), out=drawn[place], dtype="float32")
    return drawn.reshape(tuple(shape))


def integers(
    xp: Any, low: int, high: int, shape: Sequence[int], generator: Generator | None
) -> Any:
    """int64 in [low, high).

    Raises:
        RuntimeError: the range is empty.
    """
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    source, count, span = generator or default_generator, math.prod(shape), high - low
    if span <= 2**32:
        drawn = (source.words(count, xp).astype("uint64") * np.uint64(span)) >> _HALF
    else:
        pairs = source.words(2 * count, xp).astype("uint64").reshape((-1, 2))
        drawn = (pairs[:, 0] | (pairs[:, 1] << _HALF)) % np.uint64(span)
    return (drawn.astype("int64") + np.int64(low)).reshape(tuple(shape))


def permutation(xp: Any, n: int, generator: Generator | None) -> Any:
    """0 .. n-1 in random order: the order of n pairs of words."""
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    pairs = (generator or default_generator).words(2 * n, xp).astype("uint64").reshape((-1, 2))
    return xp.argsort(pairs[:, 0] | (pairs[:, 1] << _HALF), kind="stable").astype("int64")
