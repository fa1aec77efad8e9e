"""Where the tensors of a native function lie: one block for all that does not leave it.

Every action writes fresh memory, so each fresh value gets a buffer, and views share the buffers of
what they look at. A buffer is live from the node that writes it to the last reader of any value
that may lie in it; what is read inside a loop but written outside of it is live as long as the
loop. Nodes that threads share are one place, since some rows may be ahead of others. Two buffers
that are never live together may lie at the same place. A tensor that a loop carries has two
buffers: one holds the value of this trip, the other is written for the next.

What leaves the function lies in arrays of its own: `Storage.keep`. A tensor without dimensions
needs no place in the block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..ir.graph import CHOICES, LOOP, Block, Graph, Node, Value
from .actions import Call, Copy, Multiply, Plan, Run, Select, View, fresh_values, is_tensor

ALIGNMENT = 64
_FAR = 1 << 60


@dataclass(eq=False, slots=True)
class Buffer:
    """A piece of memory, of `size` bytes. `offset` is its place in the block; what lies elsewhere
    (arguments, constants, results) has none. Of the function's own tensors those without dimensions
    (`is_element`) are variables of the native function, which may well be in registers.
    """

    size: int
    is_local: bool = True
    is_element: bool = False
    begin: int = _FAR
    end: int = -1
    offset: int = 0

    @property
    def room(self) -> int:
        """The bytes that it takes up in the block."""
        return -(-self.size // ALIGNMENT) * ALIGNMENT


@dataclass
class Storage:
    """The memory of a function.

    Attributes:
        buffers: of fresh values.
        roots: the buffers that each tensor may lie in.
        carried: the two buffers of each tensor that a loop carries, by the block's parameter.
        temporaries: further memory that a node needs while it runs.
        packed: the packed right matrices of products in loops.
        size: bytes of the block.
    """

    buffers: dict[Value, Buffer] = field(default_factory=dict)
    roots: dict[Value, frozenset[Buffer]] = field(default_factory=dict)
    carried: dict[Value, tuple[Buffer, Buffer]] = field(default_factory=dict)
    temporaries: dict[Node, list[Buffer]] = field(default_factory=dict)
    packed: dict[Node, Buffer] = field(default_factory=dict)
    size: int = 0

    def keep(self, value: Value) -> None:
        """A fresh value lies in an array of its own, since it leaves the function."""
        self.buffers[value].is_local = False

    def place(self) -> None:
        """Give every buffer of the block its place."""
        self.size = _place(self.local())

    def local(self) -> list[Buffer]:
        """The buffers of the block."""
        found = [*self.buffers.values(), *(b for pair in self.carried.values() for b in pair)]
        found += [buffer for each in self.temporaries.values() for buffer in each]
        found += self.packed.values()
        return [b for b in found if b.is_local and b.size and not b.is_element]

    def layers(self) -> list[list[Buffer]]:
        """The buffers of the block, those that are never live together in one layer: for sizes that
        are not known, so that nobody can say which place is low enough for which buffer.
        """
        layers: list[list[Buffer]] = []
        for buffer in sorted(self.local(), key=lambda b: b.begin):
            free = [layer for layer in layers if all(b.end < buffer.begin for b in layer)]
            alike = [layer for layer in free if buffer.size in [b.size for b in layer]]
            if not free:
                layers.append([])
            next(iter((*alike, *free, layers[-1]))).append(buffer)
        return layers


def find_storage(graph: Graph, plan: Plan) -> Storage:
    """The buffers of a graph and when they are live, without places."""
    storage = Storage()
    for value in (*graph.inputs, *plan.constants):
        if is_tensor(value):
            storage.roots[value] = frozenset((Buffer(0, False),))
    walk = _Walk(plan, storage)
    walk.block(graph.block)
    walk.clock += 1
    walk.read(_leaving(graph.outputs, plan), walk.clock)
    return storage


def _leaving(values: Iterable[Value], plan: Plan) -> Iterable[Value]:
    for value in values:
        yield value
        yield from _leaving(plan.displays.get(value, ()), plan)


class _Walk:
    """One pass in the order of execution; a place is the number of a node."""

    def __init__(self, plan: Plan, storage: Storage) -> None:
        self.plan = plan
        self.storage = storage
        self.clock = 0
        self.beside = {node for share in plan.shares.values() for node in share.at_once}
        self.loops: list[tuple[int, list[Buffer]]] = []

    def block(self, block: Block) -> None:
        for node in block.nodes:
            self.clock += node not in self.beside
            if node.kind in CHOICES:
                self.choice(node)
            elif node.kind == LOOP:
                self.loop(node)
            else:
                self.node(node)

    def node(self, node: Node) -> None:
        action = self.plan.actions.get(node)
        if action is None:
            return
        for value in fresh_values(action):
            if value in self.plan.there:
                self.storage.roots[value] = self.storage.roots[self.plan.there[value]]
                continue
            self.fresh(value)
        if isinstance(action, View | Select):
            for value in node.outputs:
                self.storage.roots[value] = self.storage.roots[action.source]
        if isinstance(action, Run):
            arrays = [array.nbytes for array in action.launch.temporaries]
            share = self.plan.shares.get(node)
            pieces = share.pieces if share is not None else 1
            scratch = [call.scratch * max(call.threads, pieces) for call in action.launch.calls]
            self.storage.temporaries[node] = [Buffer(n) for n in (*arrays, *scratch)]
            self.touch(self.storage.temporaries[node])
        if isinstance(action, Multiply):
            self.storage.temporaries[node] = [Buffer(action.product.scratch_bytes)]
            self.touch(self.storage.temporaries[node])
            self.touch([self.storage.packed[node]] if node in self.storage.packed else [])
        self.read(_read_values(node, self.plan), self.clock)
        self.read(node.outputs, self.clock)

    def choice(self, node: Node) -> None:
        for block in node.blocks:
            self.block(block)
            self.clock += 1
            self.read(block.outputs, self.clock)
        for index, output in enumerate(node.outputs):
            if is_tensor(output):
                arms = [block.outputs[index] for block in node.blocks]
                sets = [self.storage.roots.get(value, frozenset()) for value in arms]
                self.storage.roots[output] = frozenset().union(*sets)

    def loop(self, node: Node) -> None:
        (body,) = node.blocks
        self.read(node.inputs, self.clock)
        for parameter in body.inputs[1:]:
            if is_tensor(parameter):
                pair = self.buffer(parameter), self.buffer(parameter)
                self.storage.carried[parameter] = pair
                self.storage.roots[parameter] = frozenset(pair)
                self.touch(pair)
        for inner in node.walk():
            action = self.plan.actions.get(inner)
            if isinstance(action, Multiply) and action.packing is node:
                self.storage.packed[inner] = Buffer(action.product.packed_bytes)
                self.touch([self.storage.packed[inner]])
                self.read([action.right], self.clock)
        self.clock += 1
        self.loops.append((self.clock, []))
        self.block(body)
        self.clock += 1
        self.read(body.outputs, self.clock)
        for parameter in body.inputs[1:]:
            if is_tensor(parameter):
                self.touch(self.storage.carried[parameter])
        self.clock += 1
        _, outer = self.loops.pop()
        for buffer in outer:
            self.use(buffer, self.clock)
        for parameter, output in zip(body.inputs[1:], node.outputs, strict=True):
            if is_tensor(parameter):
                self.storage.roots[output] = self.storage.roots[parameter]

    # Buffers ------------------------------------------------------------------------------------

    def buffer(self, value: Value) -> Buffer:
        """A buffer for a tensor."""
        form = self.plan.forms[value]
        return Buffer(form.nbytes, is_element=not form.shape)

    def fresh(self, value: Value) -> None:
        buffer = self.buffer(value)
        self.storage.buffers[value] = buffer
        self.storage.roots[value] = frozenset((buffer,))
        self.touch([buffer])

    def touch(self, buffers: Sequence[Buffer]) -> None:
        for buffer in buffers:
            self.use(buffer, self.clock)

    def read(self, values: Iterable[Value], place: int) -> None:
        for value in values:
            for buffer in self.storage.roots.get(value, ()):
                self.use(buffer, place)

    def use(self, buffer: Buffer, place: int) -> None:
        """A buffer is used here; one from outside a loop is live until the loop ends."""
        buffer.begin = min(buffer.begin, place)
        buffer.end = max(buffer.end, place)
        for start, outer in reversed(self.loops):
            if buffer.begin < start:
                outer.append(buffer)
                return


def _read_values(node: Node, plan: Plan) -> Iterable[Value]:
    """What a node reads, elements of lists included."""
    yield from node.inputs
    action = plan.actions.get(node)
    if isinstance(action, Copy):
        yield from (part.source for part in action.parts)
    if isinstance(action, Call):
        yield from action.inputs


def _place(buffers: list[Buffer]) -> int:
    """Give each buffer the lowest place that no buffer live with it overlaps, big ones first."""
    placed: list[Buffer] = []
    size = 0
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.begin)):
        rivals = [b for b in placed if b.begin <= buffer.end and buffer.begin <= b.end]
        place = 0
        for rival in sorted(rivals, key=lambda b: b.offset):
            if place + buffer.room <= rival.offset:
                break
            place = max(place, rival.offset + rival.room)
        buffer.offset = place
        placed.append(buffer)
        size = max(size, place + buffer.room)
    return size
