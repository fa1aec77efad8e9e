"""Which nodes threads share by rows.

A step of a recurrent network is a product or two, kernels over the result, and a copy of what the
step gives. Each could be split over threads by itself, which would then wait for each other after
each. Where all of them treat the rows of the product alike, and none looks at rows but its own, a
thread takes some rows through all of them instead (`share_code.py`), and they meet once.

A node can take part if what it reads of what others of these nodes have made lies in the bytes of
its own rows: every such tensor is fresh and contiguous with the rows along its first dimension, so
that row r is the r-th of as many equal parts of its memory. Elsewhere it may read what it likes,
except where a copy writes.

Nodes among these may raise before what is shared runs, and its kernels after a copy that comes
later. So copies to where a caller or a handler looks after an error have no part in this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..ir.graph import CONSTANT, Block, Graph, Node, Value
from ..passes.effects import is_protected, is_pure
from .actions import (
    Action,
    Length,
    Nothing,
    OpenMultiply,
    Part,
    Plan,
    Run,
    Select,
    Share,
    Store,
    View,
    is_tensor,
    touches_tensors,
)
from .launch import Call, Place, merged
from .product import product_for, takes_shares, uses_threads
from .threads import thread_count

LEAST_ROWS = 8
"""A share has as many, so that what it reads of the right matrix is used often enough."""
PIECES_PER_THREAD = 2
"""At most; where rows allow it one is best, since each reads the whole right matrix."""
MOST_CALLS = 31
"""Kernels that one share may call: each has a bit of its status."""


def settle_products(graph: Graph, plan: Plan) -> None:
    """Choose what computes each product of a plan, and what threads share."""
    if thread_count() > 1:
        _find_in(graph.block, plan)
    for node, action in plan.actions.items():
        if isinstance(action, OpenMultiply):
            is_reused = action.packing is not None
            plan.actions[node] = action.by(product_for(action.spec, b_is_reused=is_reused))


def _find_in(block: Block, plan: Plan) -> None:
    """Find the shares of a block, and of those inside."""
    draft: _Draft | None = None
    for node in block.nodes:
        for inner in node.blocks:
            _find_in(inner, plan)
        if draft is not None and draft.takes(node):
            continue
        _settle(draft)
        action = plan.actions.get(node)
        draft = _begin(node, action, plan) if isinstance(action, OpenMultiply) else None
    _settle(draft)


def _begin(node: Node, action: OpenMultiply, plan: Plan) -> _Draft | None:
    """What begins with a product, if that is worth threads and has rows enough for them."""
    pieces = _pieces_of(action.spec.m) if uses_threads(action.spec) else 0
    draft = _Draft(plan, action.spec.m, pieces)
    return draft if pieces and draft.takes(node) else None


def _pieces_of(rows: int) -> int:
    """In how many equal shares rows are taken; 0 if that leaves threads without."""
    threads = thread_count()
    most = min(rows // LEAST_ROWS, PIECES_PER_THREAD * threads)
    return next((n for n in range(threads, most + 1) if rows % n == 0), 0)


def _settle(draft: _Draft | None) -> None:
    """Make a share of what has been found, unless that is just one node."""
    if draft is None or len(draft.nodes) == 1:
        return
    plan, rows = draft.plan, draft.rows // draft.pieces
    others = draft.others[: draft.others_before_last]
    share = Share(tuple(draft.nodes), tuple(others), draft.rows, draft.pieces)
    for node in draft.nodes:
        plan.shares[node] = share
        action = plan.actions[node]
        if isinstance(action, OpenMultiply):
            product = product_for(action.spec, b_is_reused=True, rows=rows)
            bias = action.bias and _folded(action.bias)
            plan.actions[node] = action._replace(bias=bias).by(product)


@dataclass(frozen=True)
class _Part:
    """Where a tensor begins in memory that nodes of a share write."""

    owner: object
    offset: int


@dataclass
class _Draft:
    """Nodes that may become a share.

    Attributes:
        parts: the tensors in memory that these nodes write.
        steps: bytes of a row of that memory, by its owner.
        read: other tensors that are read.
        written: tensors that copies write; nobody else may look there any more.
        others: nodes among them that can be carried out before.
    """

    plan: Plan
    rows: int
    pieces: int
    nodes: list[Node] = field(default_factory=list)
    others: list[Node] = field(default_factory=list)
    others_before_last: int = 0
    parts: dict[Value, _Part] = field(default_factory=dict)
    steps: dict[object, int] = field(default_factory=dict)
    read: set[Value] = field(default_factory=set)
    written: set[Value] = field(default_factory=set)
    calls: int = 0

    def takes(self, node: Node) -> bool:
        """Add a node, if it can be: as one that is shared, or one that can come before."""
        action = self.plan.actions.get(node)
        if isinstance(action, OpenMultiply | Run | Store):
            if not self._can_share(node, action):
                return False
            self.nodes.append(node)
            self.others_before_last = len(self.others)
            return True
        if node.blocks or not self._can_come_before(node, action):
            return False
        self.others.append(node)
        return True

    def _can_come_before(self, node: Node, action: Action | None) -> bool:
        """Whether a node does nothing that can be seen, and needs only the places of what shared
        nodes make.
        """
        if action is None:
            return node.kind == CONSTANT or (is_pure(node) and not touches_tensors(node))
        if isinstance(action, View):
            found = self.parts.get(action.source)
            if found is not None:
                for output, offset in zip(node.outputs, action.offsets, strict=True):
                    self.parts[output] = _Part(found.owner, found.offset + offset)
            return True
        if isinstance(action, Select):
            return action.source not in self.parts
        return isinstance(action, Length | Nothing)

    def _can_share(self, node: Node, action: OpenMultiply | Run | Store) -> bool:
        if isinstance(action, OpenMultiply):
            return self._multiplies(action)
        if isinstance(action, Run):
            return self._runs(node, action)
        return self._stores(node, action)

    def _multiplies(self, action: OpenMultiply) -> bool:
        """Whether rows of a product come from the same rows of its left matrix."""
        spec, size = action.spec, action.spec.dtype.itemsize
        if spec.m != self.rows or len(action.batches) != 1 or action.packing is None:
            return False
        ((left, _, target),) = action.batches
        if target or not takes_shares(spec) or not self._reads(action.right):
            return False
        strides = [n * size for n in spec.a_strides]
        sizes = (self.rows, spec.k)
        if not self._has_rows(action.left, left, sizes, strides, size):
            return False
        bias = action.bias
        if bias is not None and (_folded(bias) is None or not self._reads(bias.source)):
            return False
        self._makes(action.output, self.plan.forms[action.output].nbytes)
        return True

    def _runs(self, node: Node, action: Run) -> bool:
        """Whether rows of the results of kernels come from the same rows of what they read."""
        if any(value in self.plan.there for value in action.results):
            return False
        if any(not self.plan.forms[value].is_contiguous for value in action.results):
            return False
        sizes = [self.plan.forms[value].nbytes for value in action.results]
        sizes += [array.nbytes for array in action.launch.temporaries]
        calls = action.launch.calls
        if any(n % self.rows for n in sizes) or self.calls + len(calls) > MOST_CALLS:
            return False
        steps = dict(self.steps)
        for value in action.results:
            steps[value] = self.plan.forms[value].nbytes // self.rows
        for number, array in enumerate(action.launch.temporaries):
            steps[node, number] = array.nbytes // self.rows
        if not all(self._goes_by_rows(node, action, call, steps) for call in calls):
            return False
        if not self._read_all(self._arguments(action)):
            return False
        self.calls += len(calls)
        self.steps = steps
        self.parts |= {value: _Part(value, 0) for value in action.results}
        return True

    def _arguments(self, action: Run) -> Iterable[Value]:
        return (v for v in action.arguments if is_tensor(v) and v not in self.parts)

    def _goes_by_rows(
        self, node: Node, action: Run, call: Call, steps: dict[object, int]
    ) -> bool:
        """Whether each row of a kernel's space is that of the tensors that shared nodes write."""
        plan, layout = call.kernel.plan, call.kernel.layout
        outer = layout.rank if call.is_flat else layout.rank - layout.row_rank
        if any(plan.axes) or not outer or not call.count or call.sizes[0] % self.rows:
            return False
        sizes = (self.rows, call.sizes[0] // self.rows, *call.sizes[1 : layout.rank])
        dtypes = [*(output.dtype for output in plan.outputs), *plan.inputs]
        for number, (place, dtype) in enumerate(zip(call.places, dtypes, strict=True)):
            part = self._part_of(node, action, place)
            if part is None:
                continue
            own = call.strides[number * layout.rank : (number + 1) * layout.rank]
            strides = (own[0] * sizes[1], *own)
            step = steps[part.owner]
            if not _are_rows(part.offset, step, sizes, strides, dtype.itemsize):
                return False
        return True

    def _part_of(self, node: Node, action: Run, place: Place) -> _Part | None:
        """Where an array of a kernel lies in memory that shared nodes write."""
        if place.kind == "temporary":
            return _Part((node, place.index), place.offset)
        if place.kind == "result":
            return _Part(action.results[place.index], place.offset)
        if place.kind != "argument":
            return None
        found = self.parts.get(action.arguments[place.index])
        return found and _Part(found.owner, found.offset + place.offset)

    def _stores(self, node: Node, action: Store) -> bool:
        """Whether what is copied are rows, to where nobody else looks or writes."""
        part, target = action.part, self.plan.base_of(action.target)
        if not part.shape or part.shape[0] != self.rows or target is None:
            return False
        if target in self.parts or target in self.read or target in self.written:
            return False
        if target in target.node.graph.inputs or is_protected(node.block):
            return False
        itemsize = self.plan.forms[action.target].dtype.itemsize
        if not self._has_rows(part.source, 0, part.shape, part.read, itemsize):
            return False
        self.written.add(target)
        return True

    def _has_rows(
        self,
        source: Value,
        offset: int,
        sizes: Sequence[int],
        strides: Sequence[int],
        itemsize: int,
    ) -> bool:
        """Whether a tensor is not of shared nodes, or is read by the rows that they write."""
        part = self.parts.get(source)
        if part is None:
            return self._reads(source)
        step = self.steps[part.owner]
        return _are_rows(part.offset + offset, step, sizes, strides, itemsize)

    def _read_all(self, values: Iterable[Value]) -> bool:
        return all(self._reads(value) for value in values)

    def _reads(self, value: Value) -> bool:
        """Whether a tensor can be read all over: no shared node writes it."""
        base = self.plan.base_of(value)
        if base is None or value in self.parts or base in self.written:
            return False
        self.read.add(base)
        return True

    def _makes(self, value: Value, nbytes: int) -> None:
        self.parts[value] = _Part(value, 0)
        self.steps[value] = nbytes // self.rows


def _are_rows(
    offset: int, step: int, sizes: Sequence[int], strides: Sequence[int], itemsize: int
) -> bool:
    """Whether row after row of what is read lies in one part of memory after the other, of `step`
    bytes each.
    """
    if strides[0] != step or min(strides) < 0 or offset < 0:
        return False
    inside = zip(sizes[1:], strides[1:], strict=True)
    return offset + sum((n - 1) * s for n, s in inside) + itemsize <= step


def _folded(part: Part) -> Part | None:
    """A part with all its dimensions but the last as one, where they lie so."""
    sizes, strides = merged(part.shape, [part.written, part.read], range(len(part.shape) - 1))
    if len(sizes) != 1:
        return None
    lines = zip((sizes, *strides), (part.shape, part.written, part.read), strict=True)
    shape, written, read = ((*outer, each[-1]) for outer, each in lines)
    return part._replace(shape=shape, written=written, read=read)
