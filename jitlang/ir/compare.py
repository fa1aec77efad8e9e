"""Structural comparison of graphs.

Two graphs are equal if they hold the same operations with the same attributes, types and wiring in
the same order. The names of values and of the graph, source spans and rows do not count; floats
count by their bits (nan equals nan, 0.0 is not -0.0), tensors by dtype, shape and bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from .graph import Block, Graph, Node, Value, tensor_data
from .printer import assign_names, print_node


def graphs_equal(a: Graph, b: Graph) -> bool:
    """Whether the graphs are the same up to the names of their values."""
    return first_difference(a, b) is None


def first_difference(a: Graph, b: Graph) -> str | None:
    """Where and how two graphs first differ, or None where they are equal."""
    return next(_Comparison(a, b).graphs(), None)


class _Comparison:
    """Walks both graphs side by side; pairs of values are put on record as they are defined."""

    def __init__(self, a: Graph, b: Graph) -> None:
        self.a = a
        self.b = b
        self.pairs: dict[Value, Value] = {}

    def graphs(self) -> Iterator[str]:
        if self.a.integers != self.b.integers:
            yield f"integers are {self.a.integers}, and {self.b.integers}"
        yield from self.blocks(self.a.block, self.b.block)

    def blocks(self, a: Block, b: Block) -> Iterator[str]:
        place = "the graph" if a.owner is None else f"a block of {a.owner.kind}"
        yield from self.defined(a.inputs, b.inputs, f"the inputs of {place}")
        of_a, of_b = list(a.nodes), list(b.nodes)
        for node, other in zip(of_a, of_b, strict=False):
            yield from self.nodes(node, other)
        if len(of_a) != len(of_b):
            longer = of_a if len(of_a) > len(of_b) else of_b
            extra = print_node(longer[min(len(of_a), len(of_b))])
            counts = f"{len(of_a)} nodes, and {len(of_b)}"
            yield f"{place} has {counts}; the first extra one is\n  {extra}"
        yield from self.read(a.outputs, b.outputs, f"the outputs of {place}")

    def nodes(self, a: Node, b: Node) -> Iterator[str]:
        for message in self.heads(a, b):
            yield f"these nodes:\n  {print_node(a)}\n  {print_node(b)}\n{message}"
        for block, other in zip(a.blocks, b.blocks, strict=False):
            yield from self.blocks(block, other)

    def heads(self, a: Node, b: Node) -> Iterator[str]:
        if a.kind != b.kind:
            yield f"their kinds are {a.kind}, and {b.kind}"
        yield from self.attributes(a, b)
        yield from self.read(a.inputs, b.inputs, "their inputs")
        yield from self.defined(a.outputs, b.outputs, "their outputs")
        if len(a.blocks) != len(b.blocks):
            yield f"they have {len(a.blocks)} blocks, and {len(b.blocks)}"

    def attributes(self, a: Node, b: Node) -> Iterator[str]:
        for key in dict.fromkeys((*a.attributes, *b.attributes)):
            if key not in a.attributes or key not in b.attributes:
                yield f"attribute {key!r} stands on one side only"
                continue
            mine, theirs = a.attributes[key], b.attributes[key]
            if not values_equal(mine, theirs):
                yield f"attribute {key!r} is {_differing(mine, theirs)}"

    def defined(self, a: Sequence[Value], b: Sequence[Value], place: str) -> Iterator[str]:
        if len(a) != len(b):
            yield f"{place} number {len(a)}, and {len(b)}"
        for index, (mine, theirs) in enumerate(zip(a, b, strict=False)):
            self.pairs[mine] = theirs
            if mine.type is not theirs.type:
                yield f"{place} differ in type at {index}: {mine.type}, and {theirs.type}"

    def read(self, a: Sequence[Value], b: Sequence[Value], place: str) -> Iterator[str]:
        if len(a) != len(b):
            yield f"{place} number {len(a)}, and {len(b)}"
        for index, (mine, theirs) in enumerate(zip(a, b, strict=False)):
            if self.pairs.get(mine) is not theirs:
                names = f"{self.name(self.a, mine)}, and {self.name(self.b, theirs)}"
                yield f"{place} differ at {index}: {names}"

    def name(self, graph: Graph, value: Value) -> str:
        return f"%{assign_names(graph).get(value, '<undefined>')}"


def _differing(a: Any, b: Any) -> str:
    if isinstance(a, Graph) and isinstance(b, Graph):
        return f"a graph: {first_difference(a, b)}"
    return f"{a!r}, and {b!r}"


def values_equal(a: Any, b: Any) -> bool:
    """Whether two attribute values are the same to the bit."""
    array, other = tensor_data(a), tensor_data(b)
    if array is not None or other is not None:
        if array is None or other is None:
            return False
        same = array.dtype == other.dtype and array.shape == other.shape
        return same and array.tobytes() == other.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b) or (a != a and b != b)
    if isinstance(a, complex):
        return values_equal(a.real, b.real) and values_equal(a.imag, b.imag)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(values_equal, a, b))
    if isinstance(a, dict):
        return values_equal(list(a.items()), list(b.items()))
    if isinstance(a, Graph):
        return graphs_equal(a, b)
    return bool(a == b)
