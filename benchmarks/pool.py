"""Inputs: views at random places of memory larger than the last-level cache.

A draw costs a microsecond and its numbers are cold, as they are in a program that computes
something new each time.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
UNKNOWN_CACHE_BYTES = 2**26
MARGIN_BYTES = 2**25
ALIGNMENT = 64
"""Bytes; arrays that begin at a cache line are taken over by every peer without a copy."""


@cache
def last_level_cache_bytes() -> int:
    """Bytes of the largest cache that the system tells of."""
    texts = [path.read_text().strip() for path in CACHES.glob("index*/size")]
    sizes = [int(text[:-1]) * UNITS[text[-1]] for text in texts if text and text[-1] in UNITS]
    return max(sizes, default=UNKNOWN_CACHE_BYTES)


def pool_bytes() -> int:
    """Bytes of a pool: more than the last-level cache, but no more than an eighth of the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(last_level_cache_bytes() + MARGIN_BYTES, memory // 8)


class Pool:
    """Draws inputs of float32.

    Attributes:
        rng: for everything that is drawn one by one.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._memory: dict[float, np.ndarray] = {}

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        """Normally distributed numbers, as a view that must not be written to."""
        memory = self._filled(scale)
        size = int(np.prod(shape))
        step = ALIGNMENT // memory.itemsize
        start = step * int(self.rng.integers((memory.size - size) // step))
        return memory[start : start + size].reshape(shape)

    def _filled(self, scale: float) -> np.ndarray:
        if scale not in self._memory:
            memory = aligned_empty(pool_bytes() // 4)
            if scale == 1.0:
                self.rng.standard_normal(out=memory, dtype=np.float32)
            else:
                np.multiply(self._filled(1.0), np.float32(scale), out=memory)
            self._memory[scale] = memory
        return self._memory[scale]


def aligned_empty(size: int) -> np.ndarray:
    """`size` elements of float32 that begin at a cache line."""
    memory = np.empty(4 * size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + 4 * size].view(np.float32)
