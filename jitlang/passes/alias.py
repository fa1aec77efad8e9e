"""What may share memory, what reads and writes it, and what else running a node does.

The only source of such knowledge: every pass asks here. Answers are for the graph as it was when
the analysis was made, and err on the safe side.

**Memory.** Values of mutable types belong to memory sets. A view is in the set of what it views,
a join in the sets of what it joins. A container's set has one other set for all its elements:
what is put in joins it, what is taken out is in it. There is one set for *the outside*: the
graph's parameters, everything that is handed to calls which the table of operators does not know,
and everything that comes back from them; its elements are the outside again. What a row does to
memory is read off the alias marks of its schema: `(a)` shares, `(a!)` writes, `-> *` goes into a
container, `*` comes out of one; where a row over type variables has no mark, its results share
all elements of its arguments.

**Places.** A list and a tensor are never the same object, so a *place* is a set with a category;
two values may alias if they have a place in common.

**Effects.** `Effect` in a row says what it does beyond its results. Unknown nodes do everything:
input and output, and writes to the whole outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cache
from typing import NamedTuple

from ..ir import types as ty
from ..ir.graph import (
    CHOICES,
    CONSTANT,
    LOOP,
    PARAM,
    RETURN,
    TRY,
    UNINITIALIZED,
    Block,
    Graph,
    Node,
    Value,
)
from ..ir.opdef import Effect, OpDef
from ..ir.schema import AliasInfo, Argument
from ..ir.types import Type

CONSTRUCTS = (
    "prim::TupleConstruct",
    "prim::NamedTupleConstruct",
    "prim::ListConstruct",
    "prim::DictConstruct",
)
EXTRACTS = ("prim::TupleUnpack", "prim::ListUnpack", "prim::TupleIndex")
CASTS = ("prim::unchecked_cast",)
CHECKED_CAST = "jit::checked_cast"
TUPLE_SLICE = "prim::TupleSlice"
IS_INSTANCE = "prim::isinstance"
_STRUCTURE = frozenset({
    *CONSTRUCTS, *EXTRACTS, *CASTS, CHECKED_CAST, TUPLE_SLICE, IS_INSTANCE, CONSTANT,
    UNINITIALIZED, *CHOICES, LOOP, PARAM, RETURN,
})  # fmt: skip
"""Nodes without a row whose meaning is known; they have no effects of their own."""


class Category(Enum):
    """Kinds of mutable objects; objects of different kinds are never the same."""

    TENSOR = "tensor"
    LIST = "list"
    DICT = "dict"
    OBJECT = "object"


class Memory:
    """A memory set. Sets are joined (union-find), and their elements with them."""

    __slots__ = ("_elements", "_joined")

    def __init__(self) -> None:
        self._joined: Memory | None = None
        self._elements: Memory | None = None

    def find(self) -> Memory:
        """The set that this one is part of."""
        root = self
        while root._joined is not None:
            root = root._joined
        if root is not self:
            self._joined = root
        return root

    @property
    def elements(self) -> Memory:
        """The set of all elements of the containers in this set."""
        root = self.find()
        if root._elements is None:
            root._elements = Memory()
        return root._elements.find()

    def contain_itself(self) -> None:
        """Let the elements be in the set again."""
        self.find()._elements = self.find()

    def join(self, other: Memory) -> None:
        """Make the two sets one."""
        work = [(self, other)]
        while work:
            a, b = (memory.find() for memory in work.pop())
            if a is b:
                continue
            b._joined = a
            if a._elements is None:
                a._elements = b._elements
            elif b._elements is not None:
                work.append((a._elements, b._elements))


class Place(NamedTuple):
    """Objects of one category in one memory set."""

    memory: Memory
    category: Category


Places = frozenset[Place]


class AliasAnalysis:
    """The analysis of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.outside = Memory()
        self.outside.contain_itself()
        self._memory: dict[Value, Memory] = {}
        for value in graph.inputs:
            self._join(value, self.outside)
        self._enter(graph.block)
        self._order = {node: position for position, node in enumerate(graph.walk())}
        self._writers = [(n, w) for n in self._order if not n.blocks and (w := self.writes(n))]
        self._written = frozenset(place for _, places in self._writers for place in places)
        returned = (place for value in graph.outputs for place in self.places(value))
        self._visible = self._everything_outside() | frozenset(returned)

    # Questions ----------------------------------------------------------------------------------

    def may_alias(self, a: Value, b: Value) -> bool:
        """Whether the two may be, or share the memory of, one mutable object."""
        return a is b or bool(self.own_places(a) & self.own_places(b))

    def may_share(self, a: Value, b: Value) -> bool:
        """Whether anything reachable from one may alias anything reachable from the other."""
        return a is b or bool(self.places(a) & self.places(b))

    def own_places(self, value: Value) -> Places:
        """Where the value itself may be stored; nothing for immutable values."""
        return frozenset(Place(self.memory(value), c) for c in _categories(value.type))

    def places(self, value: Value) -> Places:
        """Where the value, its elements, their elements and so on may be stored."""
        return frozenset(_reachable(value.type, self.memory(value)))

    def memory(self, value: Value) -> Memory:
        """The memory set of a value."""
        return self._memory.setdefault(value, Memory()).find()

    def reads(self, node: Node) -> Places:
        """What running the node may read, nested nodes included."""
        if node.blocks:
            return frozenset(p for inner in _inside(node) for p in self.reads(inner))
        if _is_known_structure(node):
            takes_out = node.kind in EXTRACTS or node.kind == TUPLE_SLICE
            own = (self.own_places(v) for v in node.inputs if takes_out)
            return frozenset(p for places in own for p in places)
        if is_unknown(node):
            return self._everything_outside()
        return frozenset(p for value in node.inputs for p in self.places(value))

    def writes(self, node: Node) -> Places:
        """What running the node may write, nested nodes included."""
        if node.blocks:
            return frozenset(p for inner in _inside(node) for p in self.writes(inner))
        if _is_known_structure(node):
            return frozenset()
        if node.op is None or is_unknown(node):
            return self._everything_outside()
        places: set[Place] = set()
        for argument, value in zip(node.op.schema.arguments, node.inputs, strict=False):
            if argument.alias is not None and argument.alias.is_write:
                places |= self.own_places(value)
            if argument.element_alias is not None and argument.element_alias.is_write:
                places |= self.places(value)
        return frozenset(places)

    def is_written(self, value: Value) -> bool:
        """Whether anything in the graph may write to the value or what is reachable from it."""
        return bool(self.places(value) & self._written)

    def may_change(self, value: Value) -> bool:
        """Whether the value itself, not what is in it, may be written, here or by unknown calls."""
        places = self.own_places(value)
        return bool(places & self._written) or bool(places & self._everything_outside())

    def is_changed_list(self, value: Value) -> bool:
        """Whether a value is a list display that is written later: its elements are not those that
        it was made of.
        """
        return value.node.kind == "prim::ListConstruct" and self.may_change(value)

    def has_writers_between(self, values: Iterable[Value], start: Node, end: Node) -> bool:
        """Whether anything reachable from the values may be written after `start` and before `end`.

        If `end` stands in a loop that `start` is not in, the whole loop counts.
        """
        places = frozenset(p for value in values for p in self.places(value))
        first, last = self._order[start], self._order.get(end, len(self._order))
        for owner in end.ancestry():
            inside = any(outer is owner for outer in start.ancestry())
            if owner.kind == LOOP and owner is not end and not inside:
                last = max(last, self._order[list(owner.walk())[-1]] + 1)
        return any(
            first < self._order[node] < last and written & places for node, written in self._writers
        )

    def is_visible(self, places: Places) -> bool:
        """Whether any of the places can be seen after the call, or by calls that nobody knows."""
        return bool(places & self._visible)

    def escapes(self, value: Value) -> bool:
        """Whether the value's memory can be seen after the call, or by calls that nobody knows."""
        return self.is_visible(self.places(value))

    def _everything_outside(self) -> Places:
        return frozenset(Place(self.outside.find(), category) for category in Category)

    # Sets ---------------------------------------------------------------------------------------

    def _join(self, value: Value, memory: Memory) -> None:
        if _holds_memory(value.type):
            memory.join(self.memory(value))

    def _join_values(self, a: Value, b: Value) -> None:
        if _holds_memory(a.type) and _holds_memory(b.type):
            self.memory(a).join(self.memory(b))

    def _enter(self, block: Block) -> None:
        if block.owner is not None and block.owner.kind == TRY:
            for error in block.inputs:  # what an exception holds may come from anywhere
                self._join(error, self.outside)
        for node in block.nodes:
            for inner in node.blocks:
                self._enter(inner)
            self._run(node)

    def _run(self, node: Node) -> None:
        if node.kind in CHOICES:
            for block in node.blocks:
                self._join_all(node.outputs, block.outputs)
        elif node.kind == LOOP:
            (body,) = node.blocks
            for other in (node.inputs[2:], body.inputs[1:], body.outputs[1:]):
                self._join_all(node.outputs, other)
        elif node.kind in CASTS or node.kind == CHECKED_CAST:
            self._join_all(node.outputs, node.inputs)
        elif node.kind in CONSTRUCTS:
            for value in node.inputs:
                self._join(value, self.memory(node.output).elements)
        elif node.kind in EXTRACTS:
            for value in node.outputs:
                self._join(value, self.memory(node.inputs[0]).elements)
        elif node.kind == TUPLE_SLICE:
            self.memory(node.output).elements.join(self.memory(node.inputs[0]).elements)
        elif node.kind == CONSTANT:
            # A constant is the same object in every call.
            self._join(node.output, self.outside)
        elif is_unknown(node):
            for value in (*node.inputs, *node.outputs):
                self._join(value, self.outside)
        elif node.op is not None:
            self._run_row(node, node.op)

    def _join_all(self, a: Sequence[Value], b: Sequence[Value]) -> None:
        for one, other in zip(a, b, strict=True):
            self._join_values(one, other)

    def _run_row(self, node: Node, op: OpDef) -> None:
        schema = op.schema
        if schema.is_vararg and any(_holds_memory(v.type) for v in node.outputs):
            for value in (*node.inputs, *node.outputs):
                self._join(value, self.outside)
        arguments = list(zip(schema.arguments, node.inputs, strict=False))
        results = list(zip(schema.returns, node.outputs, strict=False))
        holders = [v for v in node.inputs if _has_elements(v.type)]
        for argument, value in arguments:
            if argument.alias is not None and "*" in (argument.alias.after or ()):
                self._put(value, [h for h in holders if h is not value])
        for returned, value in results:
            if returned.alias is not None:
                self._share(returned.alias, value, arguments, holders)
            for source in _marked(arguments, returned.element_alias):
                self._join(source, self.memory(value).elements)
        # What goes by type variables may pass from any argument to any result, and to written ones.
        passing = [*results, *arguments] if schema.is_mutable else results
        for returned, value in passing:
            for argument, source in arguments:
                if source is not value:
                    self._pass_elements(argument, source, returned, value)

    def _share(
        self,
        mark: AliasInfo,
        value: Value,
        arguments: Sequence[tuple[Argument, Value]],
        holders: Sequence[Value],
    ) -> None:
        """A result shares what its mark says: an argument, or an element of a container."""
        for source in _marked(arguments, mark):
            self._join_values(value, source)
        if "*" in mark.before:
            for holder in holders:
                self._join(value, self.memory(holder).elements)

    def _put(self, value: Value, holders: Sequence[Value]) -> None:
        """A value goes into containers."""
        for holder in holders:
            self._join(value, self.memory(holder).elements)
        if not holders:
            self._join(value, self.outside)

    def _pass_elements(
        self, argument: Argument, source: Value, returned: Argument, value: Value
    ) -> None:
        """Join what is `t` in two declared types: `t[]` and `Dict(k, t)` share their elements."""
        given, taken = _depth_of_variable(argument.type), _depth_of_variable(returned.type)
        if given is None or taken is None:
            return
        if argument.type is ty.ANY or returned.type is ty.ANY:
            self._join_values(source, value)
            self.memory(value).contain_itself()
            return
        if _holds_memory(source.type) and _holds_memory(value.type):
            _elements(self.memory(source), given).join(_elements(self.memory(value), taken))


def _inside(node: Node) -> Iterator[Node]:
    """The nodes in a node's blocks that have no blocks themselves."""
    return (inner for block in node.blocks for inner in block.walk() if not inner.blocks)


def _is_known_structure(node: Node) -> bool:
    return node.kind in _STRUCTURE


def is_unknown(node: Node) -> bool:
    """Whether the node may run code that nobody knows: a node without a row and without a known
    meaning, or a row that asks Python itself (`jit::dynamic_add`), which is input and output with a
    result.
    """
    if node.op is None:
        return node.kind not in _STRUCTURE
    return node.op.effect is Effect.IO and bool(node.op.schema.returns)


def written_argument(op: OpDef) -> int | None:
    """The argument that the row writes and returns, if its only result is that argument."""
    if len(op.schema.returns) != 1:
        return None
    mark = op.schema.returns[0].alias
    if mark is None or not mark.is_write:
        return None
    for index, argument in enumerate(op.schema.arguments):
        if argument.alias is not None and argument.alias.before == mark.before:
            return index
    return None


def is_declared_raw(argument: Argument) -> bool:
    """Whether a kernel takes or gives this argument as arrays."""
    return ty.has_tensors(argument.type)


def viewed(node: Node, index: int) -> Value | None:
    """The input whose memory an output shares, by the alias marks of the schema."""
    if node.op is None or index >= len(node.op.schema.returns):
        return None
    returned = node.op.schema.returns[index]
    mark = returned.alias or returned.element_alias
    if mark is None or not is_declared_raw(returned):
        return None
    for argument, value in zip(node.op.schema.arguments, node.inputs, strict=False):
        if argument.alias is not None and argument.alias.before == mark.before:
            return value
    return None


def _marked(arguments: Sequence[tuple[Argument, Value]], mark: AliasInfo | None) -> Iterator[Value]:
    """The arguments that carry a mark's set, in the value or its elements."""
    wanted = set(mark.before if mark is not None else ()) - {"*"}
    for argument, value in arguments:
        for info in (argument.alias, argument.element_alias):
            if info is not None and wanted & {*info.before, *(info.after or ())}:
                yield value


def _elements(memory: Memory, depth: int) -> Memory:
    for _ in range(depth):
        memory = memory.elements
    return memory


@cache
def _depth_of_variable(type_: Type) -> int | None:
    """How many containers stand around the type variable in a declared type; None without one.

    A list of tensors counts as one too: rows may hand out the tensors that they are given.
    """
    if isinstance(type_, ty.VarType) or type_ is ty.ANY:
        return 0
    if isinstance(type_, ty.ListType) and ty.is_tensor(type_.element):
        return 1
    depths = [d for child in type_.children if (d := _depth_of_variable(child)) is not None]
    if not depths:
        return None
    return max(depths) + (0 if isinstance(type_, ty.OptionalType | ty.UnionType) else 1)


@cache
def _categories(type_: Type) -> frozenset[Category]:
    """The kinds of mutable objects that a value of this type may itself be."""
    if isinstance(type_, ty.TensorType):
        return frozenset({Category.TENSOR})
    if isinstance(type_, ty.ListType):
        return frozenset({Category.LIST})
    if isinstance(type_, ty.DictType):
        return frozenset({Category.DICT})
    if isinstance(type_, ty.OptionalType | ty.UnionType):
        return frozenset(c for part in ty.alternatives(type_) for c in _categories(part))
    if isinstance(type_, ty.AnyType | ty.VarType):
        return frozenset(Category)
    if isinstance(type_, ty.ClassType | ty.FutureType | ty.GeneratorType):
        return frozenset({Category.OBJECT})
    return frozenset()


@cache
def _has_elements(type_: Type) -> bool:
    """Whether a value of this type may hold other values."""
    if isinstance(type_, ty.OptionalType | ty.UnionType):
        return any(map(_has_elements, ty.alternatives(type_)))
    containers = (
        ty.ListType | ty.DictType | ty.TupleType | ty.SequenceType | ty.ClassType | ty.FutureType
    )
    return isinstance(type_, containers | ty.AnyType | ty.VarType)


@cache
def _holds_memory(type_: Type) -> bool:
    """Whether a value of this type is, or may reach, anything mutable."""
    return bool(_categories(type_)) or any(map(_holds_memory, type_.children))


def _reachable(type_: Type, memory: Memory) -> Iterator[Place]:
    for category in _categories(type_):
        yield Place(memory, category)
    if isinstance(type_, ty.OptionalType | ty.UnionType):
        for part in ty.alternatives(type_):
            yield from _reachable(part, memory)
    elif isinstance(type_, ty.AnyType | ty.VarType | ty.ClassType | ty.FutureType):
        yield from _everything_below(memory)
    elif _has_elements(type_):
        for child in filter(_holds_memory, type_.children):
            yield from _reachable(child, memory.elements)


def _everything_below(memory: Memory) -> Iterator[Place]:
    seen: list[Memory] = []
    while memory not in seen:
        seen.append(memory)
        yield from (Place(memory, category) for category in Category)
        if memory.find()._elements is None:
            return
        memory = memory.elements
