"""Lets lists of tensors become values: what is only indexed is selected, what is only stacked is
stored where it will be.

    graph(%xs : Float(5, 2)):                         graph(%xs : Float(5, 2)):
      %l : Tensor[] = prim::ListConstruct()             %s : int[] = prim::ListConstruct(%5, %2)
      %u : Sequence(Tensor) = aten::unbind(%xs, %0)     %b : Float(5, 2) = jit::buffer(%s, %float)
      %n : int = aten::len(%u)                      =>   = prim::Loop(%5, %go)
       = prim::Loop(%n, %go)                              block0(%i : int):
        block0(%i : int):                                   %x : Float(2) = aten::select(%xs, %0, %i)
          %x : Tensor = aten::__getitem__(%u, %i)           %y : Float(2) = aten::exp(%x)
          %y : Float(2) = aten::exp(%x)                      = jit::store_item(%b, %0, %i, %y)
           = jit::append(%l, %y)                            -> (%go)
          -> (%go)                                      return (%b)
      %r : Tensor = aten::stack(%l, %0)
      return (%r)

**Pieces.** An element of `unbind`, `chunk` or `split`, or of a slice of one, is a view of its own
where the range of the index is within the list. Other indexes stay, to raise. Two reads of one
element give two views of the same memory, as two `select`s do.

**Buffers.** A list that is appended to a known number of times, in loops of known trip counts that
nothing leaves early, is perhaps reversed then, and read by one `stack` or `cat` only, becomes the
result: one buffer that the items are stored into. All items must be of one known dtype and shape, so that joining them
can neither fail nor convert, and nobody may write to an item afterwards, since the list would see
that. The result is contiguous, as that of `stack` and `cat` is.

Displays that nobody changes are taken apart by the rules of `peephole`. Sizes must be known, so this
follows `sizes`.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..dtypes import DType
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import Graph, Node, Value
from ..ir.types import TensorType
from .alias import AliasAnalysis
from .loops import certain_trips
from .ranges import Range, Ranges, find_ranges

LIST = "prim::ListConstruct"
APPENDS = ("jit::append.t", "aten::append.t")
JOINS = ("aten::stack", "aten::cat", "aten::concat", "aten::concatenate")


def dissolve_lists(graph: Graph) -> bool:
    """Replace elements of cut tensors by views, and lists that are stacked by buffers."""
    changed = _Pieces(graph).replace()
    analysis = AliasAnalysis(graph)
    for node in graph.find(LIST):
        filled = _find_filled(node, analysis)
        if filled is not None:
            _replace_by_buffer(filled)
            changed = True
    return changed


def _full_name(node: Node) -> str:
    return node.op.full_name if node.op is not None else node.kind


# Pieces -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cut:
    """A tensor cut along a dimension into `order`'s pieces, of `width` each; 0: without it."""

    tensor: Value
    dim: int
    width: int
    order: range


class _Pieces:
    """Replaces reads of the elements of cut tensors."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = Builder(graph)

    def replace(self) -> bool:
        """Replace what can be; returns whether anything was. Lengths bound the indexes."""
        changed = self.each("aten::len.t", self.length)
        self.ranges: Ranges = find_ranges(self.graph)
        return self.each("aten::__getitem__.t", self.piece) or changed

    def each(self, name: str, form: Callable[[Node, _Cut], Value | None]) -> bool:
        """Replace each node of a row by what `form` makes of it."""
        changed = False
        for node in list(self.graph.walk()):
            cut = _cut_of(node.inputs[0]) if _full_name(node) == name else None
            if cut is None:
                continue
            self.builder.span = node.span
            with self.builder.at(node):
                found = form(node, cut)
            if found is not None:
                found.node.callstack = node.callstack
                node.output.replace_all_uses_with(found)
                node.destroy()
                changed = True
        return changed

    def length(self, node: Node, cut: _Cut) -> Value:
        """How many pieces there are."""
        return self.builder.constant(len(cut.order))

    def piece(self, node: Node, cut: _Cut) -> Value | None:
        """The element that a subscript takes, as a view."""
        index, count = node.inputs[1], len(cut.order)
        if not self.ranges.of(index).is_within(Range(0, count - 1)):
            if not index.is_constant or not -count <= index.constant() < count:
                return None
            index = self.builder.constant(index.constant() % count)
        position = self.position(index, cut.order)
        dim = self.builder.constant(cut.dim)
        if not cut.width:
            return self.view("aten::select", node, cut, [dim, position])
        width = self.builder.constant(cut.width)
        start = self.scaled(position, cut.width)
        return self.view("aten::narrow", node, cut, [dim, start, width])

    def position(self, index: Value, order: range) -> Value:
        """Where the element stands in the tensor."""
        if index.is_constant:
            return self.builder.constant(order[index.constant()])
        if order.step == -1:
            return self.builder.op("aten::sub", self.builder.constant(order.start), index)
        scaled = self.scaled(index, order.step)
        if not order.start:
            return scaled
        return self.builder.op("aten::add", scaled, self.builder.constant(order.start))

    def scaled(self, value: Value, factor: int) -> Value:
        if value.is_constant:
            return self.builder.constant(value.constant() * factor)
        if factor == 1:
            return value
        return self.builder.op("aten::mul", value, self.builder.constant(factor))

    def view(self, kind: str, node: Node, cut: _Cut, rest: list[Value]) -> Value:
        """A view of the cut tensor, of the type of the element that it replaces."""
        made = self.builder.op(kind, cut.tensor, *rest)
        made.name, made.type = node.output.name, _narrowed(made.type, node.output.type)
        return made


def _narrowed(a: ty.Type, b: ty.Type) -> ty.Type:
    return b if ty.is_subtype(b, a) else a


def _cut_of(value: Value) -> _Cut | None:
    """How the elements of a sequence are cut from a tensor, where all sizes are known."""
    if not isinstance(value.type, ty.SequenceType):
        return None
    node, name = value.node, _full_name(value.node)
    if name in ("aten::slice.t", "jit::reversed.t"):
        cut, part = _cut_of(node.inputs[0]), _slice_of(node)
        if cut is None or part is None:
            return None
        return _Cut(cut.tensor, cut.dim, cut.width, cut.order[part])
    tensor = node.inputs[0] if node.inputs else value
    if name not in _WIDTHS or not isinstance(tensor.type, TensorType) or not tensor.type.sizes:
        return None
    sizes, arguments = tensor.type.sizes, [argument.constant() for argument in node.inputs[1:]]
    dim, size = arguments[-1], None
    if isinstance(dim, int) and -len(sizes) <= dim < len(sizes):
        size = sizes[dim]
    if size is None or not all(isinstance(argument, int) for argument in arguments):
        return None
    width = _WIDTHS[name](size, arguments[0])
    if width is None:
        return None
    return _Cut(tensor, dim % len(sizes), width, range(size // (width or 1)))


def _chunk_width(size: int, chunks: int) -> int | None:
    return size // chunks if chunks > 0 and size and size % chunks == 0 else None


def _split_width(size: int, width: int) -> int | None:
    return width if width > 0 and size and size % width == 0 else None


_WIDTHS = {
    "aten::unbind.int": lambda size, dim: 0,
    "aten::chunk": _chunk_width,
    "aten::unsafe_chunk": _chunk_width,
    "aten::split.Tensor": _split_width,
}
"""Rows that cut a tensor into equal pieces: the width of each, or None where they are not equal."""


def _slice_of(node: Node) -> slice | None:
    """The constant slice that a row takes of a sequence."""
    if node.kind == "jit::reversed":
        return slice(None, None, -1)
    if not all(bound.is_constant for bound in node.inputs[1:]):
        return None
    start, end, step = (bound.constant() for bound in node.inputs[1:])
    return slice(start, end, step) if step else None


# Buffers ----------------------------------------------------------------------------------------


@dataclass
class _Store:
    """An item of a list: the node that appends it, and its index, `start + sum(counter * step)`."""

    append: Node | None
    item: Value
    start: int
    counters: list[tuple[Value, int]] = field(default_factory=list)

    def from_end(self, count: int) -> _Store:
        """The item in the list turned round, of so many items."""
        counters = [(counter, -step) for counter, step in self.counters]
        return _Store(self.append, self.item, count - 1 - self.start, counters)


@dataclass
class _Filled:
    """A list that is filled with items of one shape and then joined.

    Attributes:
        others: the nodes that turn it round or ask for its length.
    """

    display: Node
    stores: list[_Store]
    join: Node
    others: list[Node]
    count: int
    item: TensorType
    sizes: tuple[int, ...]
    dtype: DType
    dim: int


def _find_filled(display: Node, analysis: AliasAnalysis) -> _Filled | None:
    """What there is to know of a list, if it can be a buffer."""
    readers = {use.node for use in display.output.uses}
    joins = [node for node in readers if _full_name(node) in JOINS]
    appends = {
        node
        for node in readers
        if _full_name(node) in APPENDS and not any(value.uses for value in node.outputs)
    }
    lengths = [node for node in readers if _full_name(node) == "aten::len.t"]
    reversals = [node for node in readers if _full_name(node) == "aten::reverse.t"]
    known = len(joins) + len(appends) + len(lengths) + len(reversals)
    if len(joins) != 1 or len(readers) != known or not appends:
        return None
    (join,) = joins
    later = (*lengths, *reversals)
    if any(node.block is not display.block for node in (join, *later)):
        return None
    if any(not append.is_before(node) for append in appends for node in later):
        return None
    if any(not node.is_before(join) for node in reversals):
        return None
    stores = [_Store(None, item, start) for start, item in enumerate(display.inputs)]
    count = _collect(display.next, join, appends, len(stores), [], stores)
    if count is None or not count or len([s for s in stores if s.append]) != len(appends):
        return None
    if len(reversals) % 2:
        stores = [store.from_end(count) for store in stores]
    return _fitting(display, stores, join, [*lengths, *reversals], count, analysis)


def _collect(
    first: Node,
    end: Node,
    appends: set[Node],
    start: int,
    counters: list[tuple[Value, int]],
    stores: list[_Store],
) -> int | None:
    """Note the appends from one node to another in the order in which they run.

    Returns the number of items before `end`, or None where it depends on the run.
    """
    node = first
    while node is not end:
        if node in appends:
            stores.append(_Store(node, node.inputs[1], start, list(counters)))
            start += 1
        elif node.blocks and any(inner in appends for inner in node.walk()):
            trips = certain_trips(node)
            if trips is None:
                return None
            (body,) = node.blocks
            inside: list[_Store] = []
            per_trip = _collect(body.param_node.next, body.return_node, appends, 0, [], inside)
            if per_trip is None:
                return None
            for store in inside:
                store.start += start
                store.counters = [*counters, (body.inputs[0], per_trip), *store.counters]
            stores += inside
            start += trips * per_trip
        node = node.next
    return start


def _fitting(
    display: Node,
    stores: list[_Store],
    join: Node,
    others: list[Node],
    count: int,
    analysis: AliasAnalysis,
) -> _Filled | None:
    """The list, if all its items have one shape and dtype and stay as they are."""
    types = {_shape_of(store.item) for store in stores}
    dim = join.inputs[1].constant()
    if len(types) != 1 or not isinstance(dim, int):
        return None
    (item,) = types
    if item is None or item.sizes is None or item.dtype is None:
        return None
    if any(analysis.is_written(store.item) for store in stores):
        return None
    rank = len(item.sizes) + (join.kind == "aten::stack")
    if not -rank <= dim < rank:
        return None
    sizes = tuple(size for size in item.sizes if size is not None)
    return _Filled(display, stores, join, others, count, item, sizes, item.dtype, dim % rank)


def _shape_of(value: Value) -> TensorType | None:
    """The dtype, sizes, device and surface of a tensor, where they are known."""
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.sizes is None or None in type_.sizes:
        return None
    if type_.dtype is None:
        return None
    return TensorType(type_.dtype, type_.sizes, device=type_.device, surface=type_.surface)


def _replace_by_buffer(filled: _Filled) -> None:
    """Make the buffer, store the items into it, and give it out as the joined list."""
    builder = Builder(filled.display.graph)
    builder.span = filled.join.span
    sizes = (*filled.sizes[: filled.dim], filled.count, *filled.sizes[filled.dim :])
    with builder.at(filled.display):
        buffer = builder.op("jit::buffer", _ints(builder, sizes), builder.constant(filled.dtype))
        buffer.type = filled.item.refined(sizes=sizes, strides=_contiguous(sizes))
    for store in filled.stores:
        _store(builder, buffer, filled, store)
    with builder.at(filled.join):
        joined = buffer
        if filled.join.kind != "aten::stack":
            joined = _flattened(builder, buffer, filled)
        filled.join.output.replace_all_uses_with(joined)
        joined.name = filled.join.output.name
        filled.join.destroy()
    for node in filled.others:
        if node.outputs:
            with builder.at(node):
                node.output.replace_all_uses_with(builder.constant(filled.count))
        node.destroy()
    filled.display.destroy()


def _store(builder: Builder, buffer: Value, filled: _Filled, store: _Store) -> None:
    """Store an item where it was appended, or first, where the list was made with it."""
    place = store.append or filled.display
    builder.span = place.span
    with builder.at(place):
        index = builder.constant(store.start)
        for counter, step in store.counters:
            if step == -1:
                index = builder.op("aten::sub", index, counter)
                continue
            scaled = counter
            if step != 1:
                scaled = builder.op("aten::mul", counter, builder.constant(step))
            is_zero = index.is_constant and index.constant() == 0
            index = scaled if is_zero else builder.op("aten::add", index, scaled)
        dim = builder.constant(filled.dim)
        builder.call("jit::store_item", [buffer, dim, index, store.item])
    if store.append is not None:
        store.append.destroy()


def _flattened(builder: Builder, buffer: Value, filled: _Filled) -> Value:
    """The buffer of a `cat`: the items side by side along its dimension."""
    sizes = list(filled.sizes)
    sizes[filled.dim] *= filled.count
    joined = builder.op("aten::view", buffer, _ints(builder, sizes))
    joined.type = filled.item.refined(sizes=tuple(sizes), strides=_contiguous(sizes))
    return joined


def _ints(builder: Builder, values: list[int] | tuple[int, ...]) -> Value:
    return builder.list([builder.constant(value) for value in values], ty.INT)


def _contiguous(sizes: list[int] | tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of a contiguous tensor."""
    strides: list[int] = []
    step = 1
    for size in reversed(sizes):
        strides.insert(0, step)
        step *= max(size, 1)
    return tuple(strides)
