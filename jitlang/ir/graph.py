"""The graph: one concrete `Node`, `Value`, `Block` and `Graph`.

A block is a list of nodes between two sentinels: `prim::Param`, whose outputs are the block's
inputs, and `prim::Return`, whose inputs are the block's outputs. So every value has a producing
node, and every use is a (node, index) pair, returns included. Blocks may read values of enclosing
blocks. Variants of nodes are kinds and attributes, never subclasses.

Mutations keep uses consistent; nothing else is checked here (that is the verifier's job).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from .. import arrays
from ..dtypes import DType
from ..errors import SourceSpan
from . import types as ty
from .types import Type

if TYPE_CHECKING:
    from .opdef import OpDef

Integers = Literal["checked", "wrapping"]

PARAM = "prim::Param"
RETURN = "prim::Return"
CONSTANT = "prim::Constant"
IF = "prim::If"
LOOP = "prim::Loop"
TRY = "prim::Try"
UNINITIALIZED = "prim::Uninitialized"
PYTHON_OP = "prim::PythonOp"

CHOICES = (IF, TRY)
"""Kinds of nodes that give what one of their blocks gives."""
CATCHES = "catches"
"""The attribute of a `prim::Try` that lists the exception classes of each handler."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A Python object as an attribute value: a constant that text can name but not hold.

    Printed as `<name>`; parsing gives a reference without its object. Equality is by name, and by
    identity of the objects where both have one.
    """

    name: str
    value: Any = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectRef) or self.name != other.name:
            return False
        return self.value is None or other.value is None or self.value is other.value

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class TensorText:
    """A tensor constant of which only torch's text is known (`<Tensor>`, `{0.5}`), not its data."""

    text: str


class Use:
    """One place where a value is read: input `index` of `node`. Compares by content."""

    __slots__ = ("index", "node")

    def __init__(self, node: Node, index: int) -> None:
        self.node = node
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Use) and self.node is other.node and self.index == other.index

    def __hash__(self) -> int:
        return hash((id(self.node), self.index))

    def __repr__(self) -> str:
        return f"Use({self.node.kind}, {self.index})"


class Value:
    """An SSA value: output `offset` of `node`. `name` is its preferred name in text, or empty.

    `uses` is a set in the order of insertion: a constant may have thousands of readers.
    """

    __slots__ = ("name", "node", "offset", "type", "uses")

    def __init__(self, node: Node, offset: int, type: Type, name: str = "") -> None:
        self.node = node
        self.offset = offset
        self.type = type
        self.name = name
        self.uses: dict[Use, None] = {}

    def __repr__(self) -> str:
        return f"%{self.name or '?'} : {self.type}"

    @property
    def is_block_input(self) -> bool:
        """Whether the value is a parameter of its block."""
        return self.node.kind == PARAM

    @property
    def block(self) -> Block:
        """The block in which the value is defined."""
        return self.node.block

    def replace_all_uses_with(self, other: Value) -> None:
        """Make every reader of this value read `other`."""
        for use in list(self.uses):
            use.node.replace_input(use.index, other)

    def constant(self, default: Any = None) -> Any:
        """The Python value if a `prim::Constant` produces this value, else `default`."""
        node = self.node
        return node.attributes.get("value") if node.kind == CONSTANT else default

    @property
    def is_constant(self) -> bool:
        """Whether a `prim::Constant` produces this value."""
        return self.node.kind == CONSTANT


class Node:
    """An operation. `op` is its row in the operator table where it has one.

    `callstack` holds the places of the calls, outermost first, through which the node was inlined.
    """

    __slots__ = (
        "attributes", "block", "blocks", "callstack", "inputs", "kind", "next", "op", "outputs",
        "previous", "span",
    )  # fmt: skip

    def __init__(self, kind: str, span: SourceSpan | None = None) -> None:
        self.kind = kind
        self.span = span
        self.callstack: tuple[SourceSpan, ...] = ()
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.blocks: list[Block] = []
        self.attributes: dict[str, Any] = {}
        self.op: OpDef | None = None
        self.block: Block = None  # type: ignore[assignment]  # set on insertion
        self.previous: Node = None  # type: ignore[assignment]
        self.next: Node = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        outputs = ", ".join(map(repr, self.outputs))
        return f"<{outputs} = {self.kind}({', '.join(map(repr, self.inputs))})>"

    @property
    def graph(self) -> Graph:
        """The graph that holds the node."""
        return self.block.graph

    @property
    def output(self) -> Value:
        """The only output."""
        (only,) = self.outputs
        return only

    @property
    def is_inserted(self) -> bool:
        """Whether the node stands in a block."""
        return self.block is not None

    # Inputs -------------------------------------------------------------------------------------

    def add_input(self, value: Value) -> Value:
        """Append an input."""
        value.uses[Use(self, len(self.inputs))] = None
        self.inputs.append(value)
        return value

    def insert_input(self, index: int, value: Value) -> None:
        """Insert an input before position `index`."""
        self._shift_uses(index, 1)
        self.inputs.insert(index, value)
        value.uses[Use(self, index)] = None

    def replace_input(self, index: int, value: Value) -> Value:
        """Read `value` at position `index`; returns what was read before."""
        old = self.inputs[index]
        del old.uses[Use(self, index)]
        value.uses[Use(self, index)] = None
        self.inputs[index] = value
        return old

    def remove_input(self, index: int) -> None:
        """Drop an input; the later ones move up."""
        del self.inputs[index].uses[Use(self, index)]
        del self.inputs[index]
        self._shift_uses(index, -1, first=index + 1)

    def remove_all_inputs(self) -> None:
        """Drop every input."""
        for index, value in enumerate(self.inputs):
            del value.uses[Use(self, index)]
        self.inputs.clear()

    def _shift_uses(self, start: int, by: int, first: int | None = None) -> None:
        """Renumber the uses of inputs from position `start` on (before or after a list change)."""
        offset = 0 if first is None else first - start
        moved = list(enumerate(self.inputs[start:], start + offset))
        for position, value in moved:
            del value.uses[Use(self, position)]
        for position, value in moved:
            value.uses[Use(self, position + by)] = None

    # Outputs ------------------------------------------------------------------------------------

    def add_output(self, type: Type, name: str = "") -> Value:
        """Append an output."""
        value = Value(self, len(self.outputs), type, name)
        self.outputs.append(value)
        return value

    def insert_output(self, index: int, type: Type, name: str = "") -> Value:
        """Insert an output before position `index`."""
        value = Value(self, index, type, name)
        self.outputs.insert(index, value)
        self._number_outputs()
        return value

    def remove_output(self, index: int) -> None:
        """Drop an output that nobody reads."""
        if self.outputs[index].uses:
            raise ValueError(f"output {index} of {self.kind} is still used")
        del self.outputs[index]
        self._number_outputs()

    def _number_outputs(self) -> None:
        for offset, value in enumerate(self.outputs):
            value.offset = offset

    # Structure ----------------------------------------------------------------------------------

    def add_block(self) -> Block:
        """Append an empty nested block."""
        block = Block(self.block.graph if self.block is not None else None, self)
        self.blocks.append(block)
        return block

    def insert_before(self, place: Node) -> Node:
        """Insert this detached node before `place`."""
        self._attach(place.previous, place)
        return self

    def insert_after(self, place: Node) -> Node:
        """Insert this detached node after `place`."""
        self._attach(place, place.next)
        return self

    def _attach(self, previous: Node, following: Node) -> None:
        if self.block is not None:
            raise ValueError(f"{self.kind} is already in a block")
        self.block = previous.block
        self.previous, self.next = previous, following
        previous.next = following.previous = self
        for block in self.blocks:
            block.set_graph(self.block.graph)

    def detach(self) -> None:
        """Take the node out of its block, keeping its inputs and outputs."""
        self.previous.next, self.next.previous = self.next, self.previous
        self.block = self.previous = self.next = None  # type: ignore[assignment]

    def move_before(self, place: Node) -> None:
        """Take the node out and insert it before `place`."""
        self.detach()
        self.insert_before(place)

    def destroy(self) -> None:
        """Remove a node that nobody reads, with everything inside it."""
        for output in self.outputs:
            if output.uses:
                raise ValueError(f"%{output.name} of {self.kind} is still used by {output.uses}")
        for block in self.blocks:
            block.clear()
        self.remove_all_inputs()
        if self.block is not None:
            self.detach()

    def is_before(self, other: Node) -> bool:
        """Whether this node runs before `other`, which may stand in a block around it or in it."""
        mine, theirs = list(self.ancestry()), list(other.ancestry())
        blocks = {id(node.block): node for node in mine}
        for node in theirs:
            peer = blocks.get(id(node.block))
            if peer is not None:
                return peer is not node and _precedes(peer, node)
        raise ValueError("the nodes are in different graphs or in sibling blocks")

    def ancestry(self) -> Iterator[Node]:
        """The node, the node that owns its block, and so on outward."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.block.owner

    def walk(self) -> Iterator[Node]:
        """The node and every node inside its blocks, in order."""
        yield self
        for block in self.blocks:
            yield from block.walk()


def _precedes(a: Node, b: Node) -> bool:
    node = a.next
    while node.kind != RETURN:
        if node is b:
            return True
        node = node.next
    return b.kind == RETURN


class Block:
    """A list of nodes with parameters and results."""

    __slots__ = ("graph", "owner", "param_node", "return_node")

    def __init__(self, graph: Graph | None, owner: Node | None) -> None:
        self.graph: Graph = graph  # type: ignore[assignment]
        self.owner = owner
        self.param_node = Node(PARAM)
        self.return_node = Node(RETURN)
        self.param_node.block = self.return_node.block = self
        self.param_node.next, self.return_node.previous = self.return_node, self.param_node

    @property
    def inputs(self) -> list[Value]:
        """The parameters."""
        return self.param_node.outputs

    @property
    def outputs(self) -> list[Value]:
        """The results."""
        return self.return_node.inputs

    @property
    def nodes(self) -> Iterator[Node]:
        """The nodes in order; the current one may be removed while iterating."""
        node = self.param_node.next
        while node is not self.return_node:
            following = node.next
            yield node
            node = following if node.block is not self else node.next

    @property
    def reversed_nodes(self) -> Iterator[Node]:
        """The nodes from the last to the first; the current one may be removed while iterating."""
        node = self.return_node.previous
        while node is not self.param_node:
            before = node.previous
            yield node
            node = before if node.block is not self else node.previous

    @property
    def is_empty(self) -> bool:
        """Whether the block has no nodes."""
        return self.param_node.next is self.return_node

    def add_input(self, type: Type, name: str = "") -> Value:
        """Append a parameter."""
        return self.param_node.add_output(type, name)

    def add_output(self, value: Value) -> int:
        """Append a result; returns its position."""
        self.return_node.add_input(value)
        return len(self.return_node.inputs) - 1

    def append(self, node: Node) -> Node:
        """Append a detached node."""
        return node.insert_before(self.return_node)

    def prepend(self, node: Node) -> Node:
        """Insert a detached node at the start."""
        return node.insert_after(self.param_node)

    def walk(self) -> Iterator[Node]:
        """Every node, nested ones included, in program order."""
        for node in self.nodes:
            yield from node.walk()

    def set_graph(self, graph: Graph) -> None:
        """Adopt the block, and what is nested in it, into a graph."""
        self.graph = graph
        for node in self.nodes:
            for block in node.blocks:
                block.set_graph(graph)

    def clear(self) -> None:
        """Remove all nodes and results."""
        self.return_node.remove_all_inputs()
        for node in self.reversed_nodes:
            node.destroy()

    def encloses(self, node: Node) -> bool:
        """Whether `node` stands in this block or in one nested in it."""
        return any(inner.block is self for inner in node.ancestry())

    def clone_nodes_into(
        self,
        target: Block,
        before: Node,
        mapping: dict[Value, Value],
        rename: Callable[[str], str] = str,
    ) -> None:
        """Copy this block's nodes before `before` in `target`; `mapping` is read and extended."""
        for node in self.nodes:
            clone_node(node, mapping, target.graph, rename).insert_before(before)


def clone_node(
    node: Node, mapping: dict[Value, Value], graph: Graph, rename: Callable[[str], str] = str
) -> Node:
    """A detached copy of a node; values not in `mapping` are read as they are (enclosing scope)."""
    copy = Node(node.kind, node.span)
    copy.op = node.op
    copy.callstack = node.callstack
    copy.attributes = dict(node.attributes)
    for value in node.inputs:
        copy.add_input(mapping.get(value, value))
    for block in node.blocks:
        inner = Block(graph, copy)
        copy.blocks.append(inner)
        for value in block.inputs:
            mapping[value] = inner.add_input(value.type, rename(value.name))
        block.clone_nodes_into(inner, inner.return_node, mapping, rename)
        for value in block.outputs:
            inner.add_output(mapping.get(value, value))
    for value in node.outputs:
        mapping[value] = copy.add_output(value.type, rename(value.name))
    return copy


class Graph:
    """A function body; `integers` says whether integer arithmetic is checked or wraps."""

    __slots__ = ("block", "integers", "name")

    def __init__(self, name: str = "", integers: Integers = "checked") -> None:
        self.name = name
        self.integers: Integers = integers
        self.block = Block(self, None)

    text_of: ClassVar[Callable[[Graph], str]]
    """How a graph prints; `ir/printer.py` sets it, since it imports this module."""

    def __str__(self) -> str:
        return type(self).text_of(self)

    @property
    def inputs(self) -> list[Value]:
        """The graph's parameters."""
        return self.block.inputs

    @property
    def outputs(self) -> list[Value]:
        """The graph's results."""
        return self.block.outputs

    @property
    def nodes(self) -> Iterator[Node]:
        """The top-level nodes."""
        return self.block.nodes

    @property
    def return_node(self) -> Node:
        """The node whose inputs are the results."""
        return self.block.return_node

    def walk(self) -> Iterator[Node]:
        """Every node of the graph in program order, nested ones included."""
        return self.block.walk()

    def blocks(self) -> Iterator[Block]:
        """Every block, outermost first."""
        yield self.block
        for node in self.walk():
            yield from node.blocks

    def add_input(self, type: Type, name: str = "") -> Value:
        """Append a parameter."""
        return self.block.add_input(type, name)

    def add_output(self, value: Value) -> int:
        """Append a result."""
        return self.block.add_output(value)

    def find(self, *kinds: str) -> list[Node]:
        """All nodes of these kinds, nested ones included."""
        return [node for node in self.walk() if node.kind in kinds]

    def copy(self) -> Graph:
        """A deep copy; constants are shared."""
        made = Graph(self.name, self.integers)
        mapping: dict[Value, Value] = {}
        for value in self.inputs:
            mapping[value] = made.add_input(value.type, value.name)
        self.block.clone_nodes_into(made.block, made.return_node, mapping)
        for value in self.outputs:
            made.add_output(mapping[value])
        return made

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> Graph:
        return self.copy()


def create_node(
    kind: str,
    inputs: Iterable[Value] = (),
    output_types: Sequence[Type] = (),
    *,
    attributes: dict[str, Any] | None = None,
    op: OpDef | None = None,
    span: SourceSpan | None = None,
) -> Node:
    """A detached node with its inputs and outputs."""
    node = Node(kind, span)
    node.op = op
    node.attributes.update(attributes or {})
    for value in inputs:
        node.add_input(value)
    for type_ in output_types:
        node.add_output(type_)
    return node


def constant_type(value: Any) -> Type | None:
    """The graph type of a Python value that a `prim::Constant` can hold by itself, or None."""
    simple: dict[type, Type] = {
        bool: ty.BOOL, int: ty.INT, float: ty.FLOAT, complex: ty.COMPLEX, str: ty.STR,
        type(None): ty.NONE, DType: ty.DTYPE, arrays.Device: ty.DEVICE,
    }  # fmt: skip
    if (found := simple.get(type(value))) is not None:
        return found
    if isinstance(value, tuple):
        parts = [constant_type(v) for v in value]
        known = [p for p in parts if p is not None]
        return ty.TupleType(tuple(known)) if len(known) == len(parts) else None
    return None


def tensor_data(value: Any) -> np.ndarray | None:
    """The elements of a tensor constant in host memory, or None where `value` is not a tensor.

    A constant may hold a raw array or a `Tensor` over one; whoever runs the graph boxes it by its
    type.
    """
    array = getattr(value, "_array", value)
    if arrays.is_array(array) and not isinstance(array, np.ndarray):
        array = array.get()
    return np.asarray(array) if isinstance(array, np.ndarray | np.generic) else None
