"""Small rewrites of single nodes, each a named rule with a golden case of its own name.

    graph(%x : bool):                                    graph(%x : bool):
      %1 : bool = aten::__not__(%x)                        return (%x)
      %2 : bool = aten::__not__(%1)               =>
      return (%2)

A rule only goes downhill: fewer nodes, or simpler ones. It must hold for every value that the
types allow: `x + 0.0` is not `x` (for -0.0), `not (a < b)` is not `a >= b` (for nan), `-(-x)` is
not `x` for checked ints.
"""

from __future__ import annotations

from collections import defaultdict

from ..ir.graph import Graph, Node
from . import rules_on_flow, rules_on_values
from .alias import AliasAnalysis
from .rules import HITS, RULES, Rule

__all__ = ["HITS", "RULES", "rules_on_flow", "rules_on_values", "simplify_nodes"]


def simplify_nodes(graph: Graph) -> bool:
    """Apply the rules until none fires."""
    by_kind: defaultdict[str, list[Rule]] = defaultdict(list)
    for each in RULES:
        for kind in each.kinds:
            by_kind[kind].append(each)
    changed = False
    while _sweep(graph, by_kind):
        changed = True
    return changed


def _sweep(graph: Graph, by_kind: dict[str, list[Rule]]) -> bool:
    """Visit every node once; nodes that a rule makes wait for the next sweep and its analysis."""
    analysis = AliasAnalysis(graph)
    changed = False
    for node in list(graph.walk()):
        for each in by_kind.get(node.kind, ()):
            if is_in(node, graph) and each.apply(node, analysis):
                HITS[each.name] += 1
                changed = True
    return changed


def is_in(node: Node, graph: Graph) -> bool:
    """Whether the node still stands in the graph."""
    for outer in node.ancestry():
        if outer.block is None:
            return False
        block = outer.block
    return block is graph.block
