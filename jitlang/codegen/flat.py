"""Native functions for contiguous tensors of any sizes: graphs that are one pointwise kernel.

All tensors have the same sizes, whatever these are; the function tests that, allocates results of
those sizes, and runs the kernel over the elements. So one function serves every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir as ll

from ..fuser.lower import CASTS
from ..fuser.partition import FUSION_GROUP, SUBGRAPH
from ..fuser.plan import Unsupported
from ..ir.graph import CONSTANT, Graph, Node, Value
from .actions import TUPLE, Plan, Run
from .cpython import I32, POINTER
from .forms import Form
from .guards import FlatGuard, Guard
from .kernel_memory import Access
from .launch import Call, flat_chunk
from .native import LONG_WORK, Frame, NativeEmitter
from .scalar import I64

_AROUND = frozenset((CONSTANT, FUSION_GROUP, TUPLE, "prim::ListConstruct"))


def check_flat(graph: Graph, plan: Plan) -> None:
    """Refuse graphs that are more than one kernel over elements.

    Raises:
        Unsupported: with the reason.
    """
    others = [node.kind for node in graph.walk() if node.kind not in _AROUND]
    runs = [action for action in plan.actions.values() if isinstance(action, Run)]
    if others or len(runs) != 1:
        raise Unsupported(f"{others[0] if others else 'more than a kernel'} depends on sizes")
    (group,) = graph.find(FUSION_GROUP)
    for node in group.attributes[SUBGRAPH].nodes:
        if not _is_pointwise(node):
            raise Unsupported(f"{node.kind} depends on sizes")
    calls = runs[0].launch.calls
    if len(calls) != 1 or not _is_flat(calls[0]):
        raise Unsupported("its kernel depends on sizes")


def _is_pointwise(node: Node) -> bool:
    if node.kind == CONSTANT:
        return True
    return node.op is not None and (node.op.body is not None or node.op.full_name in CASTS)


def _is_flat(call: Call) -> bool:
    layout = call.kernel.layout
    in_order = all(access is Access.CONTIGUOUS for access in layout.accesses)
    return layout.rank == 1 and not call.kernel.plan.has_rows and in_order and not call.scratch


class FlatEmitter(NativeEmitter):
    """Emits such a function."""

    def __init__(self, frame: Frame, callback_of: Callable[[Node], Callable[..., Any]]) -> None:
        super().__init__(frame, callback_of)
        self.first: ll.Value | None = None
        self.size = I64(0)

    def test(self, guard: Guard, given: ll.Value) -> None:
        if isinstance(guard, FlatGuard):
            self.test_flat(guard, given)
        else:
            super().test(guard, given)

    def test_flat(self, guard: FlatGuard, given: ll.Value) -> None:
        array = self.array_in(guard, given)
        if self.first is None:
            self.first = array
        measure = self.helper("jitlang_flat_size", I64, [POINTER] * 3)
        self.size = self.b.call(measure, [array, self.object(guard.form.dtype.numpy), self.first])
        self.unless(self.b.icmp_signed(">=", self.size, I64(0)), self.miss)
        self.take_array(guard, given, array)

    def new_array(self, form: Form) -> ll.Value:
        make = self.helper("jitlang_new_like", POINTER, [POINTER] * 2)
        return self.b.call(make, [self.object(form.dtype.numpy), self.first])

    def is_reused(self, value: Value) -> bool:
        return False

    def is_long(self) -> bool:
        return False

    def start(self, call: Call, kernel: ll.Function, tables: list[ll.Value]) -> ll.Value:
        """Run the kernel, without the GIL and in parallel where there is enough to do."""
        each = call.nanoseconds / call.count
        is_long = self.b.icmp_signed(">", self.size, I64(int(LONG_WORK / each)))
        status = self.entry.alloca(I32)
        with self.b.if_else(is_long, likely=False) as (long, short):
            with long:
                self.hold_arguments()
                self.released = self.entry.alloca(POINTER)
                self.release_gil()
                self.b.store(self.start_long(call, kernel, tables), status)
                self.take_gil()
                self.released = None
            with short:
                self.b.store(self.b.call(kernel, [I64(0), self.size, *tables]), status)
        return self.b.load(status)

    def start_long(self, call: Call, kernel: ll.Function, tables: list[ll.Value]) -> ll.Value:
        chunk = I64(flat_chunk(call.kernel))
        start = self.b.bitcast(kernel, POINTER)
        return self.b.call(self.parallel(), [start, self.size, chunk, *tables, I64(0)])
