"""What native code calls back: one node of a graph as a Python callable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import SourceSpan
from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Graph, Node, Value, clone_node, create_node
from .machine import assemble


@dataclass(frozen=True)
class CallBack:
    """A node that native code runs in Python, and where it stands."""

    kind: str
    span: SourceSpan | None
    in_loop: bool

    def __str__(self) -> str:
        where = f" at {self.span}" if self.span is not None else ""
        return f"{self.kind}{where}{', in a loop' if self.in_loop else ''}"


def describe_callback(node: Node) -> CallBack:
    """A node that is called back, for reading."""
    return CallBack(node.kind, node.span, any(owner.kind == LOOP for owner in node.ancestry()))


def callback_of(node: Node) -> Callable[..., Any]:
    """A callable that runs one node, from its inputs that are not constants to its outputs."""
    graph = Graph(node.kind.partition("::")[2], node.graph.integers)
    mapping: dict[Value, Value] = {}
    for value in node.inputs:
        if value in mapping and value.node.kind == CONSTANT:
            continue
        if value.node.kind == CONSTANT:
            graph.block.append(clone_node(value.node, mapping, graph))
        else:
            mapping[value] = graph.add_input(value.type, value.name)
    made = graph.block.append(clone_node(node, mapping, graph))
    graph.add_output(_only_output(graph, made))
    return assemble(graph)


def _only_output(graph: Graph, node: Node) -> Value:
    if len(node.outputs) == 1:
        return node.output
    if not node.outputs:
        return graph.block.append(create_node(CONSTANT, (), [ty.NONE])).output
    type_ = ty.TupleType(tuple(v.type for v in node.outputs))
    return graph.block.append(create_node("prim::TupleConstruct", node.outputs, [type_])).output
