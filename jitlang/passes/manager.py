"""Runs passes: by name, in order, with dumps, verification, bisection and a clock.

A pass is a function `verb_phrase(graph) -> bool` that changes the graph in place and says whether
it did; its short name is what pipelines, flags and the command line use. `config.dump` prints the
graph at named points (`after:cse`), `config.verify` checks it after every pass, and
`config.opt_limit` stops optimising after that many pass runs in the process, so that halving the
number finds the run that breaks a program.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from .. import config
from ..errors import CompileError, did_you_mean
from ..ir.graph import Graph
from ..ir.printer import print_graph
from ..ir.verifier import verify
from .decompose_composites import decompose_composites
from .dissolve_lists import dissolve_lists
from .effects import reshapes
from .eliminate_common_subexpressions import eliminate_common_subexpressions
from .eliminate_dead_code import eliminate_dead_code
from .functionalize_writes import functionalize_writes
from .hoist_invariants import hoist_invariants
from .hoist_products import hoist_products
from .inline import inline_calls
from .peephole import simplify_nodes
from .pipelines import PIPELINES
from .propagate_constants import propagate_constants
from .propagate_sizes import propagate_sizes
from .scalarize_tuples import scalarize_tuples
from .settle_calls import settle_calls
from .settle_dtypes import settle_dtypes
from .settle_scalars import settle_scalars
from .settle_unions import settle_unions
from .spell_out_writes import spell_out_writes
from .unroll_loops import unroll_loops

Pass = Callable[[Graph], bool]

PASSES: dict[str, Pass] = {
    "inline": inline_calls,
    "peephole": simplify_nodes,
    "constants": propagate_constants,
    "cse": eliminate_common_subexpressions,
    "dce": eliminate_dead_code,
    "tuples": scalarize_tuples,
    "sizes": propagate_sizes,
    "dtypes": settle_dtypes,
    "calls": settle_calls,
    "composites": decompose_composites,
    "functionalize": functionalize_writes,
    "writes": spell_out_writes,
    "lists": dissolve_lists,
    "scalars": settle_scalars,
    "unions": settle_unions,
    "unroll": unroll_loops,
    "licm": hoist_invariants,
    "hoist-products": hoist_products,
}
"""All passes by their short names."""

INLINE = "inline"

_runs = count(1)


@dataclass(slots=True)
class PassRun:
    """One run of a pass: its number in this process, its time in seconds, whether it changed
    anything.
    """

    name: str
    number: int
    seconds: float
    changed: bool


@dataclass(slots=True)
class Report:
    """What a pipeline did."""

    runs: list[PassRun] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether any pass changed the graph."""
        return any(run.changed for run in self.runs)

    def __str__(self) -> str:
        rows = [f"{'run':>5}  {'pass':<12} {'ms':>8}  changed"]
        for run in self.runs:
            mark = "yes" if run.changed else ""
            rows.append(f"{run.number:>5}  {run.name:<12} {run.seconds * 1e3:>8.2f}  {mark}")
        return "\n".join(rows)


def run_passes(
    graph: Graph,
    names: Iterable[str],
    *,
    after_each: Callable[[str, Graph], None] | None = None,
) -> Report:
    """Run passes, or whole pipelines, by name.

    A pass that found nothing is passed over until another one has changed the graph. A graph that
    gives tensors other shapes in place is inlined and left as it is.

    Args:
        graph: changed in place.
        names: names of passes and pipelines.
        after_each: called with each pass's name when it has run.

    Raises:
        ValueError: a name is neither a pass nor a pipeline.
        CompileError: a pass left an invalid graph behind (only where `config.verify` is on).
    """
    settings = config.current()
    report = Report()
    idle: set[str] = set()
    is_settled = reshapes(graph)
    for name in list(expand(names)):
        if name in idle or (is_settled and name != INLINE):
            continue
        number = next(_runs)
        if 0 <= settings.opt_limit < number:
            break
        run = _run(graph, name, number)
        report.runs.append(run)
        is_settled = reshapes(graph) if name == INLINE else is_settled
        idle = set() if run.changed else idle | {name}
        if settings.verify:
            _verify_after(graph, name, number)
        if f"after:{name}" in settings.dump.split(","):
            print(f"-- {graph.name or 'graph'} after {name} (run {number})", file=sys.stderr)
            print(print_graph(graph), file=sys.stderr)
        if after_each is not None:
            after_each(name, graph)
    return report


def optimize(graph: Graph) -> Report:
    """Run the standard pipeline."""
    return run_passes(graph, ["optimize"])


def expand(names: Iterable[str]) -> Iterator[str]:
    """Replace names of pipelines by their passes.

    Raises:
        ValueError: a name is neither a pass nor a pipeline.
    """
    for name in names:
        if name in PIPELINES:
            yield from PIPELINES[name]
        elif name in PASSES:
            yield name
        else:
            known = (*PASSES, *PIPELINES)
            hint = did_you_mean(name, known) or f"passes are {', '.join(known)}"
            raise ValueError(f"there is no pass {name!r}; {hint}")


def _run(graph: Graph, name: str, number: int) -> PassRun:
    start = time.perf_counter()
    changed = PASSES[name](graph)
    return PassRun(name, number, time.perf_counter() - start, changed)


def _verify_after(graph: Graph, name: str, number: int) -> None:
    try:
        verify(graph)
    except CompileError as error:
        error.message = f"after the pass '{name}' (run {number}): {error.message}"
        raise
