"""Which values of a graph require gradients, and from which others these come.

Gradients go through the differentiable rows (`tensor/recording.py`), and neither into nor out of
integers and bools. The inputs that require gradients are those whose types say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..dtypes import Category
from ..ir import types as ty
from ..ir.graph import CONSTANT, IF, LOOP, Block, Graph, Node, ObjectRef, Value
from ..ir.types import TensorType
from ..tensor import Tensor
from ..tensor.recording import gives_gradient, is_differentiable
from .alias import viewed
from .loops import runs_once_at_least

GATHERING = frozenset(("prim::ListConstruct", "prim::TupleConstruct"))


class UndecidedGradient(Exception):
    """Whether a value requires a gradient is known only when the graph runs."""


def takes_gradient(value: Value) -> bool:
    """Whether a value may require a gradient, as far as its type tells."""
    dtype = value.type.dtype if isinstance(value.type, TensorType) else None
    return dtype is None or dtype.category >= Category.FLOATING


def pairs_tensors(node: Node) -> bool:
    """Whether a row makes one tensor for each of a list."""
    if node.op is None or len(node.outputs) != 1 or not node.op.schema.arguments:
        return False
    tensors = ty.ListType(ty.TENSOR)
    return node.op.schema.returns[0].type is node.op.schema.arguments[0].type is tensors


def gradient_sources(node: Node, index: int) -> Sequence[int]:
    """The places of the inputs of a node from which gradients go to one of its outputs."""
    inner = node.attributes.get("Subgraph")
    if isinstance(inner, Graph):
        return _sources_in_group(inner, index)
    if node.op is None:
        return range(len(node.inputs))
    if not is_differentiable(node.op):
        return ()
    source = viewed(node, index)
    if source is not None:  # of a view, nothing else has a say
        return [node.inputs.index(source)]
    return [place for place in range(len(node.inputs)) if gives_gradient(node.op, place)]


def _sources_in_group(graph: Graph, index: int) -> Sequence[int]:
    """The same for a fusion group, by its graph."""
    found: set[Value] = set()
    pending = [graph.outputs[index]]
    while pending:
        value = pending.pop()
        if value in found or not takes_gradient(value):
            continue
        found.add(value)
        if value.node is not graph.block.param_node:
            node = value.node
            pending += [node.inputs[place] for place in gradient_sources(node, value.offset)]
    return [place for place, value in enumerate(graph.inputs) if value in found]


def constant_tensors(graph: Graph) -> Iterator[Tensor]:
    """The tensors that a graph holds, as objects."""
    for node in graph.find(CONSTANT):
        held = node.attributes.get("value")
        held = held.value if isinstance(held, ObjectRef) else held
        if isinstance(held, Tensor):
            yield held


def wants_gradients(graph: Graph) -> bool:
    """Whether an input of the graph requires a gradient."""
    return any(isinstance(v.type, TensorType) and v.type.requires_grad for v in graph.inputs)


def mark_gradients(graph: Graph) -> None:
    """Let the types of values that require gradients say so.

    Raises:
        UndecidedGradient: that depends on the way taken, or on a write in place.
    """
    if not wants_gradients(graph):
        return
    marking = _Marking(graph)
    marking.block(graph.block)
    for value in marking.found:
        if isinstance(value.type, TensorType) and value not in marking.dynamic:
            value.type = value.type.refined(requires_grad=True)


class _Marking:
    """A walk forward; `found` are the values that require gradients, lists of such included."""

    def __init__(self, graph: Graph) -> None:
        self.found = {
            v for v in graph.inputs if isinstance(v.type, TensorType) and v.type.requires_grad
        }
        self.mixed: set[Value] = set()
        self.dynamic: set[Value] = set()

    def block(self, block: Block) -> None:
        for node in block.nodes:
            if node.kind == IF:
                self.branch(node)
            elif node.kind == LOOP:
                self.loop(node)
            elif node.kind in GATHERING:
                self.gather(node)
            else:
                self.row(node)

    def branch(self, node: Node) -> None:
        for block in node.blocks:
            self.block(block)
        for output, *results in zip(node.outputs, *(b.outputs for b in node.blocks), strict=True):
            self.join(output, results)

    def join(self, output: Value, results: Sequence[Value]) -> None:
        wanted = {result in self.found for result in results}
        if len(wanted) > 1 or not self.mixed.isdisjoint(results):
            raise UndecidedGradient(f"whether %{output.name} requires a gradient is not known")
        self.found |= {output} if wanted == {True} else set()

    def loop(self, node: Node) -> None:
        """What is carried has one answer from the first trip on, or from the start."""
        (body,) = node.blocks
        carried = list(zip(node.inputs[2:], body.inputs[1:], body.outputs[1:], node.outputs,
                           strict=True))  # fmt: skip
        entering = {parameter for first, parameter, _, _ in carried if first in self.found}
        after_one = self.trip(body, entering)
        if self.trip(body, after_one) != after_one:
            raise UndecidedGradient("gradients are required from a later trip of a loop on")
        if after_one != entering and not runs_once_at_least(node):
            raise UndecidedGradient("gradients are required if a loop makes a trip")
        for first, parameter, last, output in carried:
            if not self.mixed.isdisjoint((first, last)):
                raise UndecidedGradient("a loop carries a list of tensors")
            if parameter in after_one:
                self.found.add(output)
                self.dynamic |= set() if parameter in entering else {parameter}

    def trip(self, body: Block, entering: set[Value]) -> set[Value]:
        """The parameters of a loop that require gradients after a trip with these."""
        self.found -= {value for node in body.walk() for value in node.outputs}
        self.found = self.found - set(body.inputs) | entering
        self.block(body)
        pairs = zip(body.inputs[1:], body.outputs[1:], strict=True)
        return {parameter for parameter, last in pairs if last in self.found}

    def gather(self, node: Node) -> None:
        wanted = {value in self.found for value in node.inputs if ty.has_tensors(value.type)}
        if len(wanted) > 1 or not self.mixed.isdisjoint(node.inputs):
            self.mixed.add(node.output)
        self.found |= {node.output} if True in wanted else set()

    def row(self, node: Node) -> None:
        if node.blocks:
            raise UndecidedGradient(f"{node.kind} takes one way or another")
        if node.op is not None and node.op.schema.is_mutable:
            raise UndecidedGradient(f"{node.kind} writes in place")
        if node.op is not None and not is_differentiable(node.op):
            return
        takes_all = node.op is not None and not pairs_tensors(node) and _gives_new(node)
        if not takes_all and not self.mixed.isdisjoint(node.inputs):
            raise UndecidedGradient("a list of tensors is taken apart")
        for index, output in enumerate(node.outputs):
            sources = [node.inputs[place] for place in gradient_sources(node, index)]
            if takes_gradient(output) and ty.has_tensors(output.type):
                self.found |= set() if self.found.isdisjoint(sources) else {output}


def _gives_new(node: Node) -> bool:
    """Whether a row makes its results, other than one that moves the elements of a list."""
    assert node.op is not None
    return any(ty.has_tensors(returned.type) for returned in node.op.schema.returns)
