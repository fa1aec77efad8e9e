"""Native code for what threads share by rows.

A share becomes a function `pieces(begin, end, arrays, ...)` of the form that the pool calls: it
takes the rows of one piece after the other, from number `begin` on, through all nodes of the share.
What it needs of the function around it, pointers all, stands in the table `arrays`. The nodes' own
places in that function say only where their results lie; the last one runs all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir as ll

from ..ir.graph import Graph, Node
from .actions import Multiply, Part, Plan, Run, Share, Store, fresh_values
from .copying import emit_copy
from .cpython import I32, POINTER, POINTERS, VOID
from .scalar import I64
from .storage import Storage
from .tensor_code import KERNEL_PARAMETERS, TensorEmitter


@dataclass
class _Pieces:
    """The function of one share while it is written.

    Attributes:
        b: writes what is done for each piece.
        number: the number of the piece.
        status: where that of the kernels is kept, a bit each.
        given: the pointers that the table holds, as the function around it has them.
        kernels: the nodes of these kernels, in the order of the bits.
    """

    share: Share
    function: ll.Function
    b: ll.IRBuilder
    number: ll.PhiInstr
    status: ll.AllocaInstr
    given: list[ll.Value] = field(default_factory=list)
    kernels: list[Node] = field(default_factory=list)

    @classmethod
    def begin(cls, share: Share, module: ll.Module) -> _Pieces:
        """A function that does nothing yet for its pieces."""
        name = module.get_unique_name("pieces")
        function = ll.Function(module, ll.FunctionType(I32, KERNEL_PARAMETERS), name)
        function.linkage = "internal"
        entry = function.append_basic_block("entry")
        builder = ll.IRBuilder(entry)
        status = builder.alloca(I32)
        builder.store(I32(0), status)
        builder.branch(function.append_basic_block("piece"))
        builder.position_at_end(function.blocks[-1])
        number = builder.phi(I64)
        number.add_incoming(function.args[0], entry)
        return cls(share, function, builder, number, status)

    def finish(self) -> None:
        """Go on to the next piece, or leave with the status."""
        b, first = self.b, self.function.blocks[1]
        following = b.add(self.number, I64(1))
        self.number.add_incoming(following, b.block)
        leave = b.append_basic_block("leave")
        b.cbranch(b.icmp_signed("<", following, self.function.args[1]), first, leave)
        b.position_at_end(leave)
        b.ret(b.load(self.status))

    @property
    def rows(self) -> int:
        """The rows of a piece."""
        return self.share.rows // self.share.pieces

    def take(self, pointer: ll.Value) -> ll.Value:
        """A pointer of the function around, as the piece has it."""
        table = self.b.bitcast(self.function.args[2], POINTERS)
        self.given.append(pointer)
        return self.b.load(self.b.gep(table, [I64(len(self.given) - 1)]))

    def take_rows(self, pointer: ll.Value, step: int) -> ll.Value:
        """The same, moved to the first row of the piece."""
        distance = self.b.mul(self.number, I64(self.rows * step))
        return self.b.gep(self.take(pointer), [distance])

    def note(self, status: ll.Value, node: Node) -> None:
        """Keep the status of a kernel."""
        bit = self.b.shl(status, I32(len(self.kernels)))
        self.b.store(self.b.or_(self.b.load(self.status), bit), self.status)
        self.kernels.append(node)

    def copy(self, target: ll.Value, source: ll.Value, part: Part, itemsize: int) -> None:
        """Copy the rows of a part."""
        to, what = self.take_rows(target, part.written[0]), self.take_rows(source, part.read[0])
        shape = (self.rows, *part.shape[1:])
        emit_copy(self.b, to, part.written, what, part.read, shape, itemsize)


class ShareEmitter(TensorEmitter):
    """Emits the nodes of a graph, those that threads share together."""

    def __init__(
        self,
        graph: Graph,
        callback_of: Callable[[Node], Callable[..., Any]],
        plan: Plan,
        storage: Storage,
    ) -> None:
        super().__init__(graph, callback_of, plan, storage)
        self.targets: dict[Node, ll.Value] = {}  # where shared nodes copy to

    def node(self, node: Node) -> None:
        share = self.plan.shares.get(node)
        if share is None:
            super().node(node)
            return
        action = self.plan.actions[node]
        if isinstance(action, Store):
            target = self.pointed(node, action.target, 0, action.indices)
            self.targets[node] = self.advanced(target, action.part.offset)
        else:
            for value in fresh_values(action):
                self.begin(value)
        if node is share.nodes[-1]:
            self.run_together(share)

    def run_together(self, share: Share) -> None:
        """Let threads carry out all nodes of a share."""
        pieces = _Pieces.begin(share, self.module)
        for node in share.nodes:
            action = self.plan.actions[node]
            if isinstance(action, Multiply):
                self.multiply_rows(pieces, node, action)
            elif isinstance(action, Run):
                self.run_rows(pieces, node, action)
            else:
                assert isinstance(action, Store)
                itemsize = self.plan.forms[action.target].dtype.itemsize
                source = self.load(action.part.source)
                pieces.copy(self.targets[node], source, action.part, itemsize)
        pieces.finish()
        self.start_pieces(pieces)

    def multiply_rows(self, pieces: _Pieces, node: Node, action: Multiply) -> None:
        """Some rows of a product."""
        spec, b = action.spec, pieces.b
        size = spec.dtype.itemsize
        target = self.load(action.output)
        if action.bias is not None:
            pieces.copy(target, self.load(action.bias.source), action.bias, size)
        self.kept.append(action.product.kept)
        name, address = action.product.symbol, action.product.address
        function = self.imported(name, address, VOID, [POINTER] * 4)
        ((first, _, _),) = action.batches
        left = self.advanced(self.load(action.left), first)
        matrices = [
            pieces.take_rows(left, spec.a_strides[0] * size),
            pieces.take(self.place(self.storage.packed[node])),
            pieces.take_rows(target, spec.c_strides[0] * size),
        ]
        b.call(function, [*matrices, POINTER(None)])

    def run_rows(self, pieces: _Pieces, node: Node, action: Run) -> None:
        """Some rows of kernels."""
        b, memory = pieces.b, self.storage.temporaries[node]
        scratches = memory[len(action.launch.temporaries) :]
        for call, buffer in zip(action.launch.calls, scratches, strict=True):
            *tables, scratch = self.tables(action, call, memory, buffer)
            given = [pieces.take(table) for table in tables]
            own = b.gep(pieces.take(scratch), [b.mul(pieces.number, I64(call.scratch))])
            count = call.count // pieces.share.pieces
            begin = b.mul(pieces.number, I64(count))
            end = b.add(begin, I64(count))
            pieces.note(b.call(self.kernel(call), [begin, end, *given, own]), node)

    def start_pieces(self, pieces: _Pieces) -> None:
        """Give the pieces to threads, and look at the status of their kernels."""
        nothing = [POINTER(None)] * 4
        table = self.vector(pieces.given)
        given = [self.b.bitcast(pieces.function, POINTER), I64(pieces.share.pieces), I64(1), table]
        status = self.b.call(self.parallel(), [*given, *nothing, I64(0)])
        with self.b.if_then(self.b.icmp_signed("!=", status, I32(0)), likely=False):
            for bit, node in enumerate(pieces.kernels):
                own = self.b.and_(status, I32(1 << bit))
                self.raise_if(self.b.icmp_signed("!=", own, I32(0)), node)
