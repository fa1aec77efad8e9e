"""What it costs to start, to warm up, to compile and to meet new sizes: a table of names.

Each measurement runs in processes of its own, with a cache of compiled objects of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import import_time
from benchmarks.costs import first_result, large_functions, random_sizes, warm_up
from benchmarks.facts import Fact

COSTS: dict[str, Callable[[bool], list[Fact]]] = {
    "import": import_time.facts,
    "first-result": first_result.facts,
    "warm-up": warm_up.facts,
    "random-sizes": random_sizes.facts,
    "large-functions": large_functions.facts,
}
"""From whether to be quick to what was found out."""
