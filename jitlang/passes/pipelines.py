"""Which passes run when: literal lists, in order.

Where the order matters a comment says why, and a golden case in `tests/golden/passes/order.test`
breaks if it is swapped.
"""

from __future__ import annotations

CLEAN_UP: tuple[str, ...] = (
    # Rewrites leave dead nodes and equal constants behind, folding decides branches whose remains
    # `cse` can then merge across; dead code goes last, since all others make it.
    "peephole",
    "constants",
    "cse",
    "peephole",
    "dce",
)

OPTIMIZE: tuple[str, ...] = (
    # Inlining comes first: what it exposes (tuples passed and returned, constant arguments) is
    # what the clean-up is for.
    "inline",
    *CLEAN_UP,
    *CLEAN_UP,
)

SPECIALIZE: tuple[str, ...] = (
    # Runs over an optimised graph whose inputs have the types of the arguments.
    "tuples",
    "peephole",
    # Sizes decide branches and make constants, which decide more sizes.
    "sizes",
    *CLEAN_UP,
    "sizes",
    *CLEAN_UP,
)

PIPELINES: dict[str, tuple[str, ...]] = {
    "clean-up": CLEAN_UP,
    "optimize": OPTIMIZE,
    "specialize": SPECIALIZE,
}
