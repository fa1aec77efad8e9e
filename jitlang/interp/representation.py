"""Which registers hold `Tensor` objects and which hold raw arrays.

An object is needed where it can be seen: in a result, in a tuple or dict, by Python callbacks, by
`is`. All other tensors stay raw arrays, which saves making an object per operation. Whoever needs
an object needs the one that the value was made as, never a second one around the same array. So a
need travels from readers to producers, through joins and lists, and objects are made where values
are made; turning an object into its array is possible anywhere. Lists are never converted as a
whole, since both forms would then be written to separately: a list's form travels both ways.

Where a graph writes tensors in place everything is an object: versions and bases must be kept. So
it is where results are to know whether they require gradients.
Arrays of the NumPy surface are always raw, and so not considered here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from ..fuser.partition import FUSION_GROUP
from ..ir import types as ty
from ..ir.graph import CHOICES, LOOP, Graph, Node, Value
from ..ir.schema import Argument
from ..ir.types import ListType, OptionalType, SequenceType, Surface, TensorType, Type, VarType
from ..passes.alias import is_declared_raw, viewed, written_argument

LIST_CONSTRUCT = "prim::ListConstruct"
LIST_UNPACK = "prim::ListUnpack"
CAST = "prim::unchecked_cast"

ELEMENT_ROWS = frozenset({
    "aten::append.t", "jit::append.t", "aten::insert.t", "aten::extend.t", "aten::__getitem__.t",
    "aten::pop.t", "aten::_set_item.t", "aten::len.t", "aten::slice.t", "aten::copy.t",
    "aten::clear.t", "aten::reverse.t", "aten::Delete.t", "aten::add.t", "aten::add_.t",
    "aten::list.t", "jit::reversed.t",
})  # fmt: skip
"""Rows over `t[]` that only move elements about: they work alike on objects and arrays."""

IDENTITY_TESTS = ("aten::__is__", "aten::__isnot__")


def holds_tensor(type_: Type) -> bool:
    """Whether a value of this type may be a torch-surface tensor, or None instead of one."""
    bare = type_.element if isinstance(type_, OptionalType) else type_
    return isinstance(bare, TensorType) and bare.surface is Surface.TORCH


def holds_list(type_: Type) -> bool:
    """Whether values of this type are lists of such tensors."""
    return isinstance(type_, ListType | SequenceType) and holds_tensor(type_.element)


def has_forms(type_: Type) -> bool:
    """Whether a value of this type can be held as object or as array; others are what they are."""
    return holds_tensor(type_) or holds_list(type_)


def argument_of(node: Node, index: int) -> Argument | None:
    """The schema's argument for an input, or None for variadic ones and nodes without a row."""
    if node.op is None or index >= len(node.op.schema.arguments):
        return None
    return node.op.schema.arguments[index]


def moves_elements(node: Node) -> bool:
    """Whether the node is a list row that works on lists of either form."""
    return (
        node.op is not None
        and node.op.full_name in ELEMENT_ROWS
        and holds_list(node.inputs[0].type)
    )


def written_tensors(node: Node) -> list[int]:
    """The inputs that are torch-surface tensors into which the node's row writes."""
    if node.op is None:
        return []
    arguments = zip(node.op.schema.arguments, node.inputs, strict=False)
    return [
        index
        for index, (argument, value) in enumerate(arguments)
        if argument.alias is not None
        and argument.alias.is_write
        and is_declared_raw(argument)
        and has_forms(value.type)
    ]


def find_objects(graph: Graph, *, all_of_them: bool = False) -> set[Value]:
    """The values, of those that have both forms, that must be held as objects."""
    if all_of_them or any(map(written_tensors, graph.walk())):
        values = (value for node in graph.walk() for value in node.outputs)
        inputs = (value for block in graph.blocks() for value in block.inputs)
        return {value for value in (*values, *inputs) if has_forms(value.type)}
    needs = _Needs()
    needs.objects(v for v in graph.inputs if holds_list(v.type))
    needs.objects(graph.outputs)
    for node in graph.walk():
        _READERS.get(node.kind, _read_by_row)(node, needs)
    return needs.spread()


class _Needs:
    """Values that must be objects, and whom each value drags along when it must."""

    def __init__(self) -> None:
        self.found: list[Value] = []
        self.drags: defaultdict[Value, list[Value]] = defaultdict(list)

    def objects(self, values: Iterable[Value]) -> None:
        """These must be objects."""
        self.found += values

    def link(self, reader: Value, producer: Value) -> None:
        """If the reader must be an object, so must the producer; lists are alike both ways.

        A reader without forms (`Any`, a union) holds objects. A list that comes from one is one.
        """
        if not has_forms(reader.type):
            self.found.append(producer)
        if holds_list(reader.type) and not has_forms(producer.type):
            self.found.append(reader)
        self.drags[reader].append(producer)
        if holds_list(reader.type) and holds_list(producer.type):
            self.drags[producer].append(reader)

    def spread(self) -> set[Value]:
        """All values that must be objects."""
        objects: set[Value] = set()
        while self.found:
            value = self.found.pop()
            if value not in objects and has_forms(value.type):
                objects.add(value)
                self.found += self.drags[value]
        return objects


def _read_by_join(node: Node, needs: _Needs) -> None:
    for block in node.blocks:
        for joined, result in zip(node.outputs, block.outputs, strict=True):
            needs.link(joined, result)


def _read_by_loop(node: Node, needs: _Needs) -> None:
    (body,) = node.blocks
    rows = zip(node.outputs, node.inputs[2:], body.inputs[1:], body.outputs[1:], strict=True)
    for joined, initial, parameter, result in rows:
        needs.link(joined, parameter)
        needs.link(parameter, joined)
        needs.link(parameter, initial)
        needs.link(parameter, result)


def _read_by_cast(node: Node, needs: _Needs) -> None:
    needs.link(node.outputs[0], node.inputs[0])


def _read_by_list_construct(node: Node, needs: _Needs) -> None:
    if not has_forms(node.output.type):
        needs.objects(node.inputs)
    for value in node.inputs:
        needs.link(node.output, value)


def _read_by_list_unpack(node: Node, needs: _Needs) -> None:
    for value in node.outputs:
        needs.link(value, node.inputs[0])


def _read_by_group(node: Node, needs: _Needs) -> None:
    """A kernel takes and gives arrays."""


def _read_by_row(node: Node, needs: _Needs) -> None:
    if node.op is not None and moves_elements(node):
        _move_elements(node, needs)
        return
    is_test = node.kind in IDENTITY_TESTS and any(v.type is ty.NONE for v in node.inputs)
    for index, value in enumerate(node.inputs):
        argument = argument_of(node, index)
        if not is_test and (argument is None or not is_declared_raw(argument)):
            needs.objects([value])
    for index, value in enumerate(node.outputs):
        source = viewed(node, index)
        if source is not None:
            needs.link(value, source)
        if holds_list(value.type) and not gives_raw(node, index):
            needs.objects([value])


def _move_elements(node: Node, needs: _Needs) -> None:
    assert node.op is not None
    container = node.inputs[0]
    for argument, value in zip(node.op.schema.arguments, node.inputs, strict=True):
        if isinstance(argument.type, VarType | ListType):
            needs.link(container, value)
    for returned, value in zip(node.op.schema.returns, node.outputs, strict=True):
        if isinstance(returned.type, VarType | ListType):
            needs.link(value, container)


def gives_raw(node: Node, index: int) -> bool:
    """Whether the node gives this output as an array, or a list of arrays."""
    if node.kind == FUSION_GROUP:
        return True
    if node.op is None or index >= len(node.op.schema.returns):
        return False
    return is_declared_raw(node.op.schema.returns[index])


def is_only_taken_apart(sequence: Value) -> bool:
    """Whether nobody looks at more than the elements of a sequence."""
    takers = ("prim::ListUnpack", "aten::len", "aten::__getitem__")
    return all(use.node.kind in takers for use in sequence.uses)


def is_unset(node: Node, output: Value) -> bool:
    """Whether an output is left out: it is one of the inputs, and nobody reads it."""
    return node.op is not None and not output.uses and written_argument(node.op) is not None


_READERS: dict[str, Callable[[Node, _Needs], None]] = {
    **dict.fromkeys(CHOICES, _read_by_join),
    LOOP: _read_by_loop,
    CAST: _read_by_cast,
    LIST_CONSTRUCT: _read_by_list_construct,
    LIST_UNPACK: _read_by_list_unpack,
    FUSION_GROUP: _read_by_group,
}
