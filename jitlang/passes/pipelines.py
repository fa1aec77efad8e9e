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

REFINE: tuple[str, ...] = (
    # Lists dissolve where sizes are known and nobody writes to their items. What was stacked from
    # one has known sizes then, and a loop over its length a known trip count, for which the next
    # round waits.
    "calls",
    "sizes",
    # Composites ask for what is known of their operands; some write, which is functionalised.
    "composites",
    "functionalize",
    "lists",
    # Reductions are known to give scalars now, and by the next round what is made of these. What is
    # to begin as a scalar does so before arithmetic is asked for its operands.
    "unions",
    "scalars",
    *CLEAN_UP,
)

SPECIALIZE: tuple[str, ...] = (
    # Runs over an optimised graph whose inputs have the types of the arguments. Tuples go first:
    # lists are not seen through them.
    "tuples",
    "dtypes",
    "peephole",
    *REFINE,
    # Trip counts are known now; once the items of lists are, there is more to refine.
    "unroll",
    *REFINE,
    *REFINE,
    "sizes",
    # Weights that a loop transposes in every trip are the same for the whole sequence once they
    # are moved out of it.
    "licm",
    "hoist-products",
    *CLEAN_UP,
)

PIPELINES: dict[str, tuple[str, ...]] = {
    "clean-up": CLEAN_UP,
    "optimize": OPTIMIZE,
    "refine": REFINE,
    "specialize": SPECIALIZE,
}
