"""What a node on tensors becomes when all forms are known: an action.

Pointers, offsets and strides count bytes. `planner.py` finds the actions of a graph,
`tensor_code.py` writes them as code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..ir import types as ty
from ..ir.graph import CHOICES, Node, Value
from ..ir.types import TensorType
from .forms import Form
from .launch import Launch
from .matrix import ProductSpec
from .product import Product

TUPLE = "prim::TupleConstruct"
LIST, DICT = "prim::ListConstruct", "prim::DictConstruct"


class View(NamedTuple):
    """The outputs point into the source, each at an offset in bytes."""

    source: Value
    offsets: tuple[int, ...]


class Index(NamedTuple):
    """A computed index along a dimension: how far apart elements are, and of how many."""

    axis: int
    step: int
    size: int
    value: Value


class Select(NamedTuple):
    """The output points into the source, where computed indices say."""

    source: Value
    offset: int
    indices: tuple[Index, ...]


class Pick(NamedTuple):
    """The output is a copy of one element of the source."""

    output: Value
    source: Value
    offset: int
    indices: tuple[Index, ...]


class Run(NamedTuple):
    """Fused kernels. `arguments` are the group's inputs, `results` its outputs."""

    launch: Launch
    arguments: tuple[Value, ...]
    results: tuple[Value, ...]


class Part(NamedTuple):
    """A strided copy into an output: where it begins there, what is read, and how both run."""

    offset: int
    source: Value
    shape: tuple[int, ...]
    written: tuple[int, ...]
    read: tuple[int, ...]


class Copy(NamedTuple):
    """The output is copied together from parts."""

    output: Value
    parts: tuple[Part, ...]


class Allocate(NamedTuple):
    """Memory for the output, which other nodes write."""

    output: Value


class Fill(NamedTuple):
    """All elements of the output are the same bytes."""

    output: Value
    element: bytes


class Count(NamedTuple):
    """The elements of the output are the ints from 0 on."""

    output: Value


class Store(NamedTuple):
    """A strided copy to where computed indices say in the target."""

    target: Value
    part: Part
    indices: tuple[Index, ...]


class Write(NamedTuple):
    """A strided copy to the memory that the target shows."""

    target: Value
    part: Part


class Assign(NamedTuple):
    """A number, or 0 where there is none, as all elements of what the target shows, of this form
    from an offset on, and where computed indices say.
    """

    target: Value
    offset: int
    form: Form
    number: Value | None
    indices: tuple[Index, ...] = ()


class Multiply(NamedTuple):
    """Products of matrices. `bias` is copied into the output first, and added to.

    Attributes:
        batches: for each product, where the matrices begin in left, right and output.
        packing: the loop before which the right matrix is packed, since all trips read it.
    """

    output: Value
    left: Value
    right: Value
    spec: ProductSpec
    product: Product
    batches: tuple[tuple[int, int, int], ...]
    bias: Part | None
    packing: Node | None

    @property
    def flops(self) -> int:
        """Of all of them together."""
        return self.spec.flops * len(self.batches)


class OpenMultiply(NamedTuple):
    """The same before it is chosen what computes it: that waits until it is known which nodes share
    rows, or which numbers of `spec` depend on sizes that vary.
    """

    output: Value
    left: Value
    right: Value
    spec: ProductSpec
    batches: tuple[tuple[int, int, int], ...]
    bias: Part | None
    packing: Node | None

    def by(self, product: Product) -> Multiply:
        """With what computes it."""
        return Multiply(
            self.output, self.left, self.right, self.spec, product, self.batches, self.bias,
            self.packing if product.pack_address else None,
        )  # fmt: skip


class Item(NamedTuple):
    """A number read from a tensor with one element."""

    source: Value


class Wrap(NamedTuple):
    """The output has a number as its one element."""

    output: Value
    number: Value


class Length(NamedTuple):
    """A number that forms tell: of the elements of a list of tensors, or along a dimension."""

    size: int


class Reserve(NamedTuple):
    """A draw of so many elements from the default generator: its state before, and it moves on."""

    size: int


class Call(NamedTuple):
    """The row's reference kernel, called in Python with arrays over the tensors' memory.

    Attributes:
        function: takes the inputs, then the outputs, and says whether it could fill these.
        inputs: tensors and numbers.
        outputs: tensors in row-major order.
    """

    function: Callable[..., bool]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


class Nothing(NamedTuple):
    """The node is known when compiling."""


Action = (
    View | Select | Pick | Run | Copy | Allocate | Fill | Count | Store | Write | Assign | Multiply
    | OpenMultiply | Item | Wrap | Length | Reserve | Call | Nothing
)  # fmt: skip


class Share(NamedTuple):
    """Nodes that threads carry out together: each takes some rows through all of them.

    Attributes:
        nodes: what is shared, in order.
        others: the nodes among them, which are carried out before.
        rows: how many there are.
        pieces: in how many shares of equal size they are taken.
    """

    nodes: tuple[Node, ...]
    others: tuple[Node, ...]
    rows: int
    pieces: int

    @property
    def at_once(self) -> tuple[Node, ...]:
        """All of these but the first."""
        return (*self.nodes[1:], *self.others)


@dataclass
class Plan:
    """What is known of a graph.

    Attributes:
        forms: of every tensor.
        actions: of every node that touches tensors.
        constants: the tensors whose elements are known, as arrays.
        displays: the elements of lists and tuples that hold tensors, the values of such dicts.
        there: results of kernels that lie in the memory of the tensor that they would be copied to.
        shares: what threads carry out together, by each node of it.
    """

    forms: dict[Value, Form] = field(default_factory=dict)
    actions: dict[Node, Action] = field(default_factory=dict)
    constants: dict[Value, Any] = field(default_factory=dict)
    displays: dict[Value, Sequence[Value]] = field(default_factory=dict)
    there: dict[Value, Value] = field(default_factory=dict)
    shares: dict[Node, Share] = field(default_factory=dict)

    def base_of(self, value: Value) -> Value | None:
        """The tensor that a value shows a part of; None if nobody knows."""
        while isinstance(action := self.actions.get(value.node), View | Select):
            value = action.source
        return None if value.node.kind in CHOICES else value


def fresh_values(action: Action) -> Sequence[Value]:
    """The values whose memory an action writes."""
    if isinstance(action, Run):
        return action.results
    if isinstance(action, Call):
        return action.outputs
    own = Copy | Pick | Wrap | Multiply | Allocate | Fill | Count
    return (action.output,) if isinstance(action, own) else ()


def is_tensor(value: Value) -> bool:
    """Whether a value is a tensor (not a list of them)."""
    return isinstance(value.type, TensorType)


def touches_tensors(node: Node) -> bool:
    """Whether a node reads or makes tensors, themselves or inside of something."""
    return any(ty.has_tensors(value.type) for value in (*node.inputs, *node.outputs))
