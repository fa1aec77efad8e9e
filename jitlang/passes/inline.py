"""Puts the graphs of called functions in the place of the calls.

    graph(%x : Tensor):                                  graph(%x : Tensor):
      %f : Function = prim::Constant[value=<f>]()   =>     %2 : Tensor = aten::exp(%x)
      %y : Tensor = prim::CallFunction(%f, %x)             return (%2)
      return (%y)

A callee without a graph stays a call. Nodes keep the places of the calls that led to them
(`callstack`), for the stack that errors show. The callee's value names stay unless this graph has
them already, then they get a number.
"""

from __future__ import annotations

from typing import Any

from .. import config
from ..ir.graph import Graph, Node, ObjectRef, Value

CALL = "prim::CallFunction"


def inline_calls(graph: Graph) -> bool:
    """Inline every call whose callee has a graph, calls inside it too."""
    inliner = _Inliner(graph)
    changed = False
    pending = graph.find(CALL)
    while pending:
        node = pending.pop(0)
        callee = callee_graph(node)
        if callee is None or callee is graph or not inliner.has_room(callee):
            continue
        pending += inliner.inline(node, callee)
        changed = True
    return changed


def callee_graph(node: Node) -> Graph | None:
    """The graph of the function that a `prim::CallFunction` calls, where it has one."""
    reference = node.inputs[0].constant()
    function = reference.value if isinstance(reference, ObjectRef) else reference
    found: Any = getattr(function, "graph", None)
    if not isinstance(found, Graph) or found.integers != node.graph.integers:
        return None
    return found


class _Inliner:
    """Keeps count of names and nodes of the graph that calls are inlined into."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.size = sum(1 for _ in graph.walk())
        values = [v for node in graph.walk() for v in node.outputs]
        values += [v for block in graph.blocks() for v in block.inputs]
        self.names = {value.name for value in values}

    def has_room(self, callee: Graph) -> bool:
        """Whether the graph stays within `config.max_inline_nodes`."""
        size = sum(1 for _ in callee.walk())
        return self.size + size <= config.current().max_inline_nodes

    def inline(self, call: Node, callee: Graph) -> list[Node]:
        """Replace a call by the callee's nodes; returns the calls among them."""
        mapping: dict[Value, Value] = dict(zip(callee.inputs, call.inputs[1:], strict=True))
        before = call.previous
        callee.block.clone_nodes_into(call.block, call, mapping, self.unique_name)
        stack = call.callstack + ((call.span,) if call.span is not None else ())
        calls = []
        node = before.next
        while node is not call:
            for inner in node.walk():
                inner.callstack = stack + inner.callstack
                self.size += 1
                if inner.kind == CALL:
                    calls.append(inner)
            node = node.next
        for old, new in zip(call.outputs, callee.outputs, strict=True):
            replacement = mapping.get(new, new)
            replacement.name = replacement.name or old.name
            old.replace_all_uses_with(replacement)
        function = call.inputs[0].node
        call.destroy()
        if not function.output.uses:
            function.destroy()
        return calls

    def unique_name(self, name: str) -> str:
        """The name itself, or with the first number that makes it new."""
        if not name:
            return name
        base, dot, number = name.rpartition(".")
        if not (dot and number.isdigit()):
            base = name
        unique, count = name, 1
        while unique in self.names:
            unique = f"{base}.{count}"
            count += 1
        self.names.add(unique)
        return unique
