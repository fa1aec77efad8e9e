"""Carries what is known of tensors forward, and computes what depends on sizes and dtypes only.

    graph(%x : Float(2, 6), %y : Tensor):                graph(%x : Float(2, 6), %y : Tensor):
      %0 : int = prim::Constant[value=0]()                 %2 : int = prim::Constant[value=2]()
      %m : int = prim::Constant[value=-1]()                %m : int = prim::Constant[value=-1]()
      %n : int = aten::size(%x, %0)                 =>     %4 : int[] = prim::ListConstruct(%2, %m)
      %s : int[] = prim::ListConstruct(%n, %m)             %z : Float(2, 6) = aten::view(%x, %4)
      %z : Tensor = aten::view(%x, %s)                     return (%z)
      return (%z)

Facts start at the graph's inputs, whose types say what somebody has found out about the arguments,
and go through every row's type rule. A branch joins what its blocks give, but a condition that is
known takes its side only. What a loop carries keeps the facts that hold on entry and after every
trip: it starts with those of the entry, and loses what the body contradicts until nothing does.
A type never gets wider than it was; elements of lists that somebody writes to are as declared.

Scalars that follow (`x.size(0)`, `x.dtype`, `len(x.shape)`, and arithmetic on them) become
constants; so do the elements of a shape that is handed to a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import arrays, dtypes
from ..ir import types as ty
from ..ir.graph import (
    CHOICES,
    CONSTANT,
    IF,
    LOOP,
    TRY,
    UNINITIALIZED,
    Block,
    Graph,
    Node,
    Value,
    create_node,
)
from ..ir.graph import tensor_data as data_of
from ..ir.matching import conversion, on_surface, result_types
from ..ir.opdef import NOT_CONSTANT, OPS, OpDef
from ..ir.types import TensorType, TupleType, Type
from ..ops.rows import KERNEL_ERRORS, kernel_of
from .alias import AliasAnalysis
from .effects import is_pure
from .propagate_constants import choose_branch, computed, fits, materialize

MAX_ROUNDS = 32
"""Trips over a loop's body after which its carried values keep no facts. A fact is lost for good in
each round, so this bounds graphs with very many carried values only."""

LIST, UNPACK = "prim::ListConstruct", "prim::ListUnpack"
SCALARS = (ty.INT, ty.FLOAT, ty.BOOL, ty.STR, ty.DTYPE, ty.DEVICE)


def propagate_sizes(graph: Graph) -> bool:
    """Refine types forward from the inputs, and fold what depends on them only."""
    facts = _Facts(graph)
    facts.block(graph.block)
    changed = _decide(graph, facts)
    for node in list(graph.walk()):
        changed |= _fold(node, facts)
    for node in (graph.block.param_node, *graph.walk()):
        changed |= _refine(node.outputs, facts)
        for block in node.blocks:
            changed |= _refine(block.inputs, facts)
    _refine_unset(graph)
    return changed


class _Facts:
    """What one walk forward finds: a type for every value, and what scalars and shapes are."""

    def __init__(self, graph: Graph) -> None:
        self.analysis = AliasAnalysis(graph)
        self.types: dict[Value, Type] = {}
        self.known: dict[Value, Any] = {}

    def type_of(self, value: Value) -> Type:
        """The best type known so far."""
        if value.node.kind == UNINITIALIZED:
            return ty.NO_RETURN
        return self.types.get(value, value.type)

    def value_of(self, value: Value) -> Any:
        """The value, or NOT_CONSTANT."""
        return value.constant() if value.is_constant else self.known.get(value, NOT_CONSTANT)

    def block(self, block: Block) -> None:
        """Walk a block."""
        for node in block.nodes:
            walk = _WALKS.get(node.kind)
            if walk is not None:
                walk(self, node)
                continue
            found = _output_types(node, self)
            for value, type_ in zip(node.outputs, found, strict=True):
                self.types[value] = narrower(value.type, type_)
            self.note(node)

    def note(self, node: Node) -> None:
        """Record what a node computes where all that it needs is known."""
        if node.kind == CONSTANT:
            return
        found = _values(node, self)
        for value, each in zip(node.outputs, found or (), strict=False):
            self.known[value] = each
        for value in node.outputs if found is None else ():
            self.known.pop(value, None)

    def branch(self, node: Node) -> None:
        """Walk the blocks that may run, and join them."""
        test = self.value_of(node.inputs[0])
        self.join(node, node.blocks if test is NOT_CONSTANT else [node.blocks[0 if test else 1]])

    def attempt(self, node: Node) -> None:
        """Walk a body and its handlers, and join them."""
        self.join(node, node.blocks)

    def join(self, node: Node, blocks: Sequence[Block]) -> None:
        """Walk blocks of which one gives what the node gives."""
        for block in blocks:
            self.block(block)
        for value in node.outputs:
            results = [self.type_of(block.outputs[value.offset]) for block in blocks]
            self.types[value] = narrower(value.type, _joined(results, value.type))

    def loop(self, node: Node) -> None:
        """Walk the body until the types that it starts with hold after it too."""
        (body,) = node.blocks
        stated = [value.type for value in body.inputs[1:]]
        entering = [self.type_of(value) for value in node.inputs[2:]]
        assumed = [narrower(s, e) for s, e in zip(stated, entering, strict=True)]
        for _ in range(MAX_ROUNDS):
            ends = self.trip(body, assumed)
            wider = [_joined(both, s) for *both, s in zip(assumed, ends, stated, strict=True)]
            if all(a is b for a, b in zip(wider, assumed, strict=True)):
                break
            assumed = wider
        else:
            assumed = stated
            self.trip(body, assumed)
        for value, type_ in zip(node.outputs, assumed, strict=True):
            self.types[value] = narrower(value.type, type_)

    def trip(self, body: Block, assumed: Sequence[Type]) -> list[Type]:
        """Walk the body of a loop once; returns the types of what it carries on."""
        self.types.update(zip(body.inputs[1:], assumed, strict=True))
        self.block(body)
        return [self.type_of(value) for value in body.outputs[1:]]


_WALKS: Mapping[str, Callable[[_Facts, Node], None]] = {
    IF: _Facts.branch,
    LOOP: _Facts.loop,
    TRY: _Facts.attempt,
}


def narrower(stated: Type, found: Type) -> Type:
    """The found type where it is one of the stated ones, else the stated one."""
    return found if ty.is_subtype(found, stated) else stated


def _joined(types: Sequence[Type], otherwise: Type) -> Type:
    """The least type of them all, or `otherwise` where that is none without inventing unions."""
    joined: Type | None = types[0]
    for type_ in types[1:]:
        joined = None if joined is None else ty.unify(joined, type_)
    return otherwise if joined is None else joined


# Types ------------------------------------------------------------------------------------------


def _output_types(node: Node, facts: _Facts) -> Sequence[Type]:
    """What a node without blocks gives, as far as is known."""
    stated = [value.type for value in node.outputs]
    if node.op is not None:
        return _on_stated_surfaces(_ruled(node, node.op, facts) or stated, stated)
    given = [facts.type_of(value) for value in node.inputs]
    match node.kind:
        case "prim::Constant":
            return [_constant_type(node.attributes.get("value"), stated[0])]
        case "prim::TupleConstruct":
            return [stated[0].with_children(given)]
        case "prim::TupleUnpack" if isinstance(given[0], TupleType):
            return given[0].elements
        case "prim::TupleIndex" if isinstance(given[0], TupleType):
            index = facts.value_of(node.inputs[1])
            return stated if index is NOT_CONSTANT else [given[0].elements[index]]
        case "prim::TupleSlice" if isinstance(given[0], TupleType):
            elements = given[0].elements[node.attributes["beg"] : node.attributes["end"]]
            return [stated[0].with_children(elements)]
        case "prim::ListUnpack" if isinstance(given[0], ty.SequenceType | ty.ListType):
            return [given[0].element] * len(stated)
        case "prim::ListConstruct" if given and not facts.analysis.may_change(node.output):
            (list_,) = stated
            return [ty.ListType(_joined(given, list_.children[0]))]
        case "prim::unchecked_cast" | "jit::checked_cast":
            return [narrower(stated[0], ty.without_none(given[0]) or stated[0])]
    return stated


def _on_stated_surfaces(ruled: Sequence[Type], stated: Sequence[Type]) -> Sequence[Type]:
    """Types by a rule, with arrays where arrays are stated: a row that makes a tensor of numbers
    does so on both surfaces.
    """
    pairs = zip(ruled, stated, strict=True)
    return [on_surface(r, ty.Surface.NUMPY) if ty.is_array(s) else r for r, s in pairs]


def _constant_type(constant: Any, stated: Type) -> Type:
    """The type of a tensor constant with its sizes; other constants say all already."""
    data = data_of(constant) if isinstance(stated, TensorType) else None
    if data is None or not isinstance(stated, TensorType):
        return stated
    return stated.refined(dtype=dtypes.from_numpy(data.dtype), sizes=data.shape, strides=None)


def _ruled(node: Node, op: OpDef, facts: _Facts) -> Sequence[Type] | None:
    """The output types by a row's rule; None where the inputs are no call of it."""
    types = [facts.type_of(value) for value in node.inputs]
    listed = DISPLAYS.get(op.name)
    if listed is not None:
        types[listed] = _display_type(node.inputs[listed], facts) or types[listed]
    bindings: dict[str, Type] = {}
    for argument, type_ in zip(op.schema.arguments, types, strict=False):
        if conversion(argument, type_, bindings, implicit=True) is None:
            return None
    constants = [facts.value_of(value) for value in node.inputs]
    ruled = result_types(op, bindings, types, constants)
    return ruled if len(ruled) == len(node.outputs) else None


DISPLAYS = {
    **dict.fromkeys(("aten::cat", "aten::concat", "aten::concatenate", "aten::stack"), 0),
    "aten::index": 1,
    "jit::index_last": 1,
}
"""Rows whose rules take a tuple for a list, to know its elements: which argument that is."""


def _display_type(value: Value, facts: _Facts) -> TupleType | None:
    """The types of the elements of a list that stays as it was made."""
    if value.node.kind != LIST or facts.analysis.may_change(value):
        return None
    return ty.tuple_of(*(facts.type_of(part) for part in value.node.inputs))


# Values -----------------------------------------------------------------------------------------

QUERIES = frozenset({
    "aten::size", "aten::numel", "jit::nelement", "aten::len.Tensor",
    "aten::sym_size.int", "jit::shape", "prim::itemsize", "prim::nbytes", "aten::element_size",
    "aten::is_floating_point", "aten::is_complex", "aten::is_signed", "aten::is_same_size",
})  # fmt: skip
"""Rows whose result depends on sizes, dtypes and their other arguments only."""


def _values(node: Node, facts: _Facts) -> Sequence[Any] | None:
    """What a node computes, for each of its outputs, or None."""
    if node.kind == UNPACK:
        parts = facts.value_of(node.inputs[0])
        is_known = parts is not NOT_CONSTANT and len(parts) == len(node.outputs)
        return list(parts) if is_known else None
    found = _value(node, facts) if len(node.outputs) == 1 else NOT_CONSTANT
    return None if found is NOT_CONSTANT else [found]


def _value(node: Node, facts: _Facts) -> Any:
    """What a node computes, or NOT_CONSTANT. What would raise is left to raise."""
    is_mutable = isinstance(node.output.type, ty.ListType | ty.DictType)
    if is_mutable and facts.analysis.may_change(node.output):
        return NOT_CONSTANT
    if node.kind in (LIST, "prim::TupleConstruct"):
        parts = [facts.value_of(value) for value in node.inputs]
        is_known = NOT_CONSTANT not in parts and not getattr(node.output.type, "name", "")
        return (parts if node.kind == LIST else tuple(parts)) if is_known else NOT_CONSTANT
    if node.op is None or not is_pure(node):
        return NOT_CONSTANT
    if node.op.full_name in _BY_TYPE:
        return _BY_TYPE[node.op.full_name](node, facts)
    if node.op.full_name in QUERIES:
        return _answer(node.op, [_argument(value, facts) for value in node.inputs])
    if any(ty.has_tensors(value.type) for value in node.inputs):
        return NOT_CONSTANT
    arguments = [facts.value_of(value) for value in node.inputs]
    if not node.outputs or NOT_CONSTANT in arguments or node.op.python is None:
        return NOT_CONSTANT
    results = computed(node, arguments)
    return NOT_CONSTANT if results is None else results[0]


def _argument(value: Value, facts: _Facts) -> Any:
    """A value, or for a tensor of known type an array like it that takes no memory."""
    type_ = facts.type_of(value)
    if not isinstance(type_, TensorType):
        return facts.value_of(value)
    if type_.dtype is None or type_.sizes is None or None in type_.sizes:
        return NOT_CONSTANT
    return np.broadcast_to(np.empty((), type_.dtype.numpy), type_.sizes)  # type: ignore[arg-type]


def _answer(op: OpDef, arguments: Sequence[Any]) -> Any:
    if any(argument is NOT_CONSTANT for argument in arguments):
        return NOT_CONSTANT
    try:
        return kernel_of(op, np)(*arguments)
    except KERNEL_ERRORS:
        return NOT_CONSTANT  # it is for the running graph to raise


def _tensor_fact(node: Node, facts: _Facts, read: Callable[[TensorType], Any]) -> Any:
    type_ = facts.type_of(node.inputs[0])
    found = read(type_) if isinstance(type_, TensorType) else None
    return NOT_CONSTANT if found is None else found


def _size_at(node: Node, facts: _Facts) -> Any:
    """One size, though others may not be known."""
    dim = facts.value_of(node.inputs[1])

    def read(type_: TensorType) -> int | None:
        is_there = type_.sizes is not None and isinstance(dim, int) and -len(type_.sizes) <= dim
        return type_.sizes[dim] if is_there and type_.sizes and dim < len(type_.sizes) else None

    return _tensor_fact(node, facts, read)


def _dims_indexed(type_: TensorType) -> int | None:
    if type_.dtype is None:
        return 1 if type_.rank == 1 else None
    return type_.rank if type_.dtype in (dtypes.bool_, dtypes.uint8) else 1


def _device(type_: TensorType) -> arrays.Device | None:
    return None if type_.device is None else arrays.Device(type_.device)


def _dtype(node: Node, facts: _Facts) -> Any:
    return _tensor_fact(node, facts, lambda t: t.dtype)


def _promoted(node: Node, facts: _Facts) -> Any:
    """The dtype that a tensor and a number have together."""
    cls = ty.NUMBER_CLASSES.get(facts.type_of(node.inputs[1]))

    def read(type_: TensorType) -> Any:
        if type_.dtype is None or type_.rank is None or cls is None:
            return None
        return dtypes.with_number(type_.dtype, type_.rank, cls)

    return _tensor_fact(node, facts, read)


_BY_TYPE: Mapping[str, Callable[[Node, _Facts], Any]] = {
    "aten::size.int": _size_at,
    "aten::dim": lambda node, facts: _tensor_fact(node, facts, lambda t: t.rank),
    "jit::dims_indexed": lambda node, facts: _tensor_fact(node, facts, _dims_indexed),
    "prim::dtype": _dtype,
    "jit::array_dtype": _dtype,
    "aten::result_type.Scalar": _promoted,
    "prim::device": lambda node, facts: _tensor_fact(node, facts, _device),
}
"""Queries that less than the whole type answers."""


# Writing it down --------------------------------------------------------------------------------


def _refine(values: Iterable[Value], facts: _Facts) -> bool:
    """Give values the types that were found."""
    changed = False
    for value in values:
        found = facts.types.get(value, value.type)
        if found is not value.type and found is not ty.NO_RETURN:
            value.type = found
            changed = True
    return changed


def _refine_unset(graph: Graph) -> None:
    """Let uninitialised values that are joined with others have the type of the join."""
    for node in list(graph.walk()):
        if node.kind in CHOICES:
            for block in node.blocks:
                _replace_unset(block.return_node, 0, node.outputs)
        elif node.kind == LOOP:
            (body,) = node.blocks
            _replace_unset(node, 2, body.inputs[1:])
            _replace_unset(body.return_node, 1, body.inputs[1:])


def _replace_unset(node: Node, first: int, places: Sequence[Value]) -> None:
    for index, place in enumerate(places, first):
        given = node.inputs[index]
        if given.node.kind == UNINITIALIZED and not ty.is_subtype(given.type, place.type):
            made = create_node(UNINITIALIZED, (), [place.type], span=given.node.span)
            node.replace_input(index, made.insert_before(node).output)


def _decide(graph: Graph, facts: _Facts) -> bool:
    """Replace each `If` whose condition is known by the side that it takes, which was walked."""
    changed = False
    for node in graph.find(IF):
        test = facts.value_of(node.inputs[0]) if node.is_inserted else NOT_CONSTANT
        if test is not NOT_CONSTANT:
            choose_branch(node, test)
            changed = True
    return changed


def _fold(node: Node, facts: _Facts) -> bool:
    """Replace scalars that are known by constants, and a known shape by its elements."""
    if node.kind in (CONSTANT, LIST) or not node.outputs:
        return False
    found = [facts.known.get(value, NOT_CONSTANT) for value in node.outputs]
    if NOT_CONSTANT in found:
        return node.kind == UNPACK and _ask_for_sizes(node, facts)
    pairs = list(zip(node.outputs, found, strict=True))
    if all(value.type in SCALARS and fits(each, value.type) for value, each in pairs):
        for value, each in pairs:
            value.replace_all_uses_with(materialize(each, value.type, node))
        node.destroy()
        return True
    return node.outputs[0].type is ty.SIZE and _spell_out(node, found[0])


def _ask_for_sizes(node: Node, facts: _Facts) -> bool:
    """Take a shape apart by asking for each size, where there are as many as names."""
    shape = node.inputs[0].node
    if shape.op is None or shape.op.full_name != "aten::size":
        return False
    type_ = facts.type_of(shape.inputs[0])
    if not isinstance(type_, TensorType) or type_.rank != len(node.outputs):
        return False
    op = OPS.find("aten::size.int")
    for dim, value in enumerate(node.outputs):
        given = [shape.inputs[0], materialize(dim, ty.INT, node)]
        asked = create_node("aten::size", given, [ty.INT], op=op, span=node.span)
        value.replace_all_uses_with(asked.insert_before(node).output)
    node.destroy()
    return True


def _spell_out(node: Node, sizes: Sequence[int]) -> bool:
    """Let rows that take a shape as a list of ints have it as a display."""
    readers = [use for use in node.output.uses if _takes_ints(use.node, use.index)]
    if readers:
        parts = [materialize(size, ty.INT, node) for size in sizes]
        made = create_node(LIST, parts, [ty.ListType(ty.INT)], span=node.span)
        display = made.insert_before(node).output
        for use in readers:
            use.node.replace_input(use.index, display)
    return bool(readers)


def _takes_ints(node: Node, index: int) -> bool:
    """Whether a row of tensors takes this input as a list of ints, whatever its class."""
    if node.op is None or index >= len(node.op.schema.arguments):
        return False
    schema = node.op.schema
    is_of_tensors = any(ty.is_tensor(part.type) for part in (*schema.arguments, *schema.returns))
    return is_of_tensors and ty.without_none(schema.arguments[index].type) is ty.ListType(ty.INT)
