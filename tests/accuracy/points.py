"""Which numbers are measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

CHUNKS = 1024
"""All float32 numbers in so many chunks; any of them are a sample of all."""

# Where float64 functions are interesting, beside bit patterns at random.
RANGES = {
    "exp": (-750, 712), "exp2": (-1080, 1026), "expm1": (-60, 712), "tanh": (-20, 20),
    "erf": (-6.5, 6.5), "erfc": (-6.5, 28), "sigmoid": (-750, 50), "sin": (-100, 100),
    "cos": (-100, 100), "tan": (-100, 100), "asin": (-1, 1), "acos": (-1, 1), "sinh": (-712, 712),
    "cosh": (-712, 712), "acosh": (1, 10), "atanh": (-1, 1), "gelu": (-39, 9),
    "gelu tanh": (-22, 9), "silu": (-750, 50), "mish": (-750, 25), "softplus": (-750, 25),
    "log_sigmoid": (-50, 750), "elu": (-40, 1), "celu": (-40, 1), "selu": (-40, 1),
}  # fmt: skip
SPECIAL = (
    0.0, 1.0, 0.5, 2.0, 3.0, 1e-300, 5e-324, 1e300, np.inf, np.nan, np.pi, np.e, 0.1, 1e22, 1e-40,
    1e38, 1.5, 10.0, 100.0, 255.0, 1 / 3,
)  # fmt: skip


def chunk(number: int) -> Any:
    """Every 1024th float32 number, beginning with one of the first 1024, in a shuffled order."""
    start = (number * 619) % CHUNKS
    return np.arange(start, 1 << 32, CHUNKS, dtype=np.uint64).astype(np.uint32).view(np.float32)


def blocks(x: Any, size: int = 1 << 16) -> Iterator[Any]:
    """Pieces that stay in a core's caches."""
    for start in range(0, x.size, size):
        yield x[start : start + size]


def drawn(label: str, dtype: Any, count: int, seed: int) -> Any:
    """Numbers at random: bit patterns, the interesting range, near 0, near 1."""
    rng = np.random.default_rng(seed)
    low, high = RANGES.get(label, (-10, 10))
    quarter = count // 4
    parts = [
        patterns(rng, dtype, count - 3 * quarter),
        rng.uniform(low, high, quarter),
        rng.choice((-1.0, 1.0), quarter) * 2.0 ** rng.uniform(-30, 1, quarter),
        1 + rng.choice((-1.0, 1.0), quarter) * 2.0 ** rng.uniform(-52, 0, quarter),
    ]
    with np.errstate(all="ignore"):
        return np.concatenate([part.astype(dtype) for part in parts])


def patterns(rng: np.random.Generator, dtype: Any, count: int) -> Any:
    """Bit patterns at random."""
    width = np.dtype(dtype).itemsize
    drawn = rng.integers(0, 2 ** (8 * width), count, dtype=f"u{width}", endpoint=False)
    return drawn.view(dtype)


def pairs(label: str, dtype: Any, count: int, seed: int) -> Sequence[Any]:
    """Pairs of numbers: all pairs of special ones, patterns at random, and ordinary sizes."""
    rng = np.random.default_rng(seed)
    special = np.array([sign * value for value in SPECIAL for sign in (1, -1)])
    grid = np.array([(x, y) for x in special for y in special])
    half = (count - len(grid)) // 2
    rest = count - len(grid) - half
    if label.endswith("pow"):
        ordinary = powers(rng, half)
    else:
        sizes = 10.0 ** rng.integers(-8, 8, (2, half))
        ordinary = tuple(rng.normal(0, 1, (2, half)) * sizes)
    with np.errstate(all="ignore"):
        return [
            np.concatenate([grid[:, n].astype(dtype), ordinary[n].astype(dtype),
                            patterns(rng, dtype, rest)])
            for n in range(2)
        ]  # fmt: skip


def powers(rng: np.random.Generator, count: int) -> tuple[Any, Any]:
    """Bases near 1 and of all sizes, with exponents for which results are of all sizes."""
    bases = np.exp(rng.normal(0, 1, count) * 2.0 ** rng.integers(-20, 8, count))
    limit = rng.choice((104.0, 745.0), count)
    return bases, rng.uniform(-1, 1, count) * limit / np.log(bases)
