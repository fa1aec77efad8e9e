"""A whole graph as one native function with CPython's calling convention.

The generated function is `PyObject *f(PyObject *self, PyObject **args, Py_ssize_t count)`; what it
holds, and where its errors go, is in `slots.py`. Structure (branches, loops, handlers, tuples) and
scalar rows are machine code; any other node is a call of a Python callable that runs just that
node, its *callback*. A scalar node whose fast path does not hold (overflow, division by zero, a
domain error) asks its callback too: it gives Python's result or raises Python's error, with the
script's stack.

An error in the body of a `Try` goes to the handlers: what the body owns is released, and the class
of the exception chooses one, as `except` does. While a handler runs, its exception is the one that
Python is handling, so that errors in it know their context. An exception that no handler wants goes
on.

Back edges count down: every `POLL_INTERVAL` passes Python may handle signals, and every
`YIELD_INTERVAL` of these (some milliseconds) other threads get their turn.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir as ll

from ..ir import types as ty
from ..ir.graph import CATCHES, CONSTANT, IF, LOOP, TRY, UNINITIALIZED, Block, Graph, Node, Value
from ..ops.control import handled_classes
from ..passes.liveness import Liveness, find_last_uses
from ..passes.ranges import find_ranges
from .arithmetic import is_short_arithmetic, reads_as_machine_code
from .cpython import I32, POINTER, addresses_of
from .entry import builtin_function
from .llvm import compile_module
from .scalar import I1, I64, SCALAR_TYPES, Reading, read_row
from .slots import ENTRY, TABLE, SlotEmitter

POLL_INTERVAL = 1 << 14
YIELD_INTERVAL = 1 << 7
UNLIMITED = 2**63 - 1

Callback = Callable[..., Any]


@dataclass
class HostFunction:
    """A compiled graph. Call `function` with one argument per graph input.

    Attributes:
        function: a builtin function object.
        callbacks: the nodes that are always run in Python.
        text: the LLVM module as it was generated.
    """

    function: Callable[..., Any]
    callbacks: Sequence[Node]
    text: str


def compile_host(graph: Graph, callback_of: Callable[[Node], Callback]) -> HostFunction:
    """Compile a graph.

    Args:
        graph: a graph without calls to inline.
        callback_of: makes the callable that runs one node: positional arguments are the node's
            inputs that are not constants, the result is its output, a tuple of them, or None.

    Raises:
        RuntimeError: LLVM rejects the code (a bug).
    """
    emitter = HostEmitter(graph, callback_of)
    text = emitter.emit()
    table = (ctypes.py_object * max(len(emitter.table), 1))(*emitter.table)
    imports = {TABLE: ctypes.addressof(table)}
    imports |= addresses_of(emitter.used)
    library = compile_module(text, [ENTRY], imports)
    kept = (table, emitter.table, library)
    function = builtin_function(graph.name or "graph", library.addresses[ENTRY], kept)
    return HostFunction(function, emitter.called_back, text)


# Code ---------------------------------------------------------------------------------------------


class HostEmitter(SlotEmitter):
    """Emits one graph."""

    def __init__(self, graph: Graph, callback_of: Callable[[Node], Callback]) -> None:
        super().__init__(graph)
        self.callback_of = callback_of
        self.called_back: list[Node] = []
        self.liveness: Liveness = find_last_uses(graph)
        self.ranges = find_ranges(graph)
        self.checked = graph.integers == "checked"
        self.handling: list[ll.AllocaInstr] = []  # what Python handled before each handler here

    def emit(self) -> str:
        """The module as text."""
        self.countdown = self.entry.alloca(I64, name="countdown")
        self.entry.store(I64(POLL_INTERVAL), self.countdown)
        self.polls = self.entry.alloca(I64, name="polls")
        self.entry.store(I64(YIELD_INTERVAL), self.polls)
        self.enter()
        with self.block(self.graph.block):
            result = self.leave()
        self.release_all(self.b)
        self.b.ret(result)
        self.entry.branch(self.function.blocks[2])
        failure = ll.IRBuilder(self.failure)
        self.release_all(failure)
        failure.ret(POINTER(None))
        return str(self.module)

    def enter(self) -> None:
        """Take the arguments."""
        for index, value in enumerate(self.graph.inputs):
            self.store(value, self.unboxed(self.argument(index), value.type))

    def leave(self) -> ll.Value:
        """A new reference to the result."""
        return self.boxed(self.graph.outputs[0])

    # Structure ----------------------------------------------------------------------------------

    @contextmanager
    def block(self, block: Block) -> Iterator[None]:
        """Emit a block; its results are read inside the `with` statement, then they may go."""
        for value in self.liveness.at_start.get(block, ()):
            self.clear(value)
        for node in block.nodes:
            self.node(node)
        yield
        for value in self.liveness.at_end.get(block, ()):
            self.clear(value)

    def node(self, node: Node) -> None:
        if node.kind in (CONSTANT, UNINITIALIZED):
            return
        if node.kind == IF:
            self.branch(node)
        elif node.kind == LOOP:
            self.loop(node)
        elif node.kind == TRY:
            self.attempt(node)
        else:
            (lowering_of(node) or HostEmitter.operator)(self, node)
        for value in self.liveness.at.get(node, ()):
            self.clear(value)

    def branch(self, node: Node) -> None:
        """One of two blocks. Where both are short arithmetic, both are computed and one result is
        taken: a branch that goes either way now and then costs more than that.
        """
        if not is_short_arithmetic(node):
            self.branch_to_blocks(node)
            return
        test = self.load(node.inputs[0])
        # In either block, whichever way it goes: so the test can be left for last.
        trouble = self.b.or_(*map(self.speculate, node.blocks))
        with self.b.if_else(trouble, likely=False) as (rare, usual):
            with rare:
                self.branch_to_blocks(node)
            with usual:
                for index, target in enumerate(node.outputs):
                    then, other = (self.load(block.outputs[index]) for block in node.blocks)
                    self.store(target, self.b.select(test, then, other))

    def speculate(self, block: Block) -> ll.Value:
        """Compute a block of arithmetic; returns whether the results do not hold."""
        trouble = I1(0)
        for node in block.nodes:
            if node.kind == CONSTANT:
                continue
            value, conditions = self.read(node)
            self.store(node.output, value)
            for condition in conditions:
                trouble = self.b.or_(trouble, condition)
        return trouble

    def branch_to_blocks(self, node: Node) -> None:
        test = self.load(node.inputs[0])
        for value in self.liveness.on_entry.get(node, ()):
            self.clear(value)
        with self.b.if_else(test) as arms:
            for arm, block in zip(arms, node.blocks, strict=True):
                with arm:
                    self.choose(node, block)

    def choose(self, node: Node, block: Block) -> None:
        """Emit a block that gives what its node gives."""
        with self.block(block):
            for target, source in zip(node.outputs, block.outputs, strict=True):
                self.copy(target, source)

    # Handlers -----------------------------------------------------------------------------------

    def attempt(self, node: Node) -> None:
        """A body, and the handlers of its errors."""
        body, *handlers = node.blocks
        caught, after = (self.b.append_basic_block(name) for name in ("caught", "after_try"))
        with self.failing_to(caught):
            self.choose(node, body)
        self.b.branch(after)
        released = self.released
        with self.at(caught), self.releasing(None):
            self.release_inside(body)
            for classes, handler in zip(node.attributes[CATCHES], handlers, strict=True):
                expected = self.object(handled_classes(classes))
                matches = self.python("PyErr_ExceptionMatches", expected)
                with self.b.if_then(self.b.icmp_signed("!=", matches, I32(0))):
                    self.handle(node, handler, released)
                    self.b.branch(after)
            self.b.branch(self.failure)
        self.b.position_at_end(after)

    def release_inside(self, body: Block) -> None:
        """Release what a body owns; its last values die in it, so a later trip begins anew."""
        for node in body.walk():
            for value in (*node.outputs, *(v for block in node.blocks for v in block.inputs)):
                self.clear(value)

    def handle(self, node: Node, handler: Block, released: ll.AllocaInstr | None) -> None:
        """Run a handler, with its exception as the one that Python handles."""
        (error,) = handler.inputs
        before = self.owned_slot()
        self.b.store(self.python("PyErr_GetHandledException"), before)
        raised = self.raised()
        self.python("PyErr_SetHandledException", raised)
        self.store(error, raised)
        failed = self.function.append_basic_block("handler_failed")
        self.handling.append(before)
        with self.failing_to(failed), self.releasing(released):
            self.release_gil()
            self.choose(node, handler)
            self.stop_handling(before)
        self.handling.pop()
        with self.at(failed):
            self.stop_handling(before)
            self.b.branch(self.failure)

    def raised(self) -> ll.Value:
        """A new reference to the exception that is set, which is none any more."""
        places = [self.entry.alloca(POINTER) for _ in range(3)]
        for fetch in ("PyErr_Fetch", "PyErr_NormalizeException"):
            self.python(fetch, *places)
        cls, error, traceback = map(self.b.load, places)
        with self.b.if_then(self.b.icmp_unsigned("!=", traceback, POINTER(None))):
            self.python("PyException_SetTraceback", error, traceback)
        for reference in (cls, traceback):
            self.python("Py_DecRef", reference)
        return error

    def stop_handling(self, before: ll.Value) -> None:
        """Let Python handle again what it handled before."""
        self.python("PyErr_SetHandledException", self.b.load(before))
        self.release_slot(before)

    def stop_handling_all(self) -> None:
        """Leave all handlers, to return from the function."""
        if self.handling:
            with self.releasing(None):
                self.stop_handling(self.handling[0])

    def reraise(self, node: Node) -> None:
        """Raise an exception again."""
        error = self.load(node.inputs[0])
        cls = self.python("PyObject_Type", error)
        self.python("PyErr_SetObject", cls, error)
        self.python("Py_DecRef", cls)
        self.fail_if(I1(1))

    # Loops --------------------------------------------------------------------------------------

    def loop(self, node: Node) -> None:
        (body,) = node.blocks
        trips, going = node.inputs[0], node.inputs[1]
        index_slot = self.slot(body.inputs[0])
        going_slot = self.entry.alloca(I1)
        limit = self.load(trips)
        self.b.store(I64(0), index_slot)
        self.b.store(self.load(going), going_slot)
        for target, source in zip(body.inputs[1:], node.inputs[2:], strict=True):
            self.begin_carrying(target, source)
        for value in self.liveness.on_entry.get(node, ()):
            self.clear(value)
        head, inside, after = (self.b.append_basic_block(n) for n in ("head", "body", "after"))
        self.b.branch(head)
        self.b.position_at_end(head)
        index = self.b.load(index_slot)
        more = self.b.load(going_slot)
        if trips.constant() != UNLIMITED:
            more = self.b.and_(more, self.b.icmp_signed("<", index, limit))
        self.b.cbranch(more, inside, after)
        self.b.position_at_end(inside)
        with self.block(body):
            ends = self.end_values(body)
            self.b.store(self.load(body.outputs[0]), going_slot)
        for target, end in zip(body.inputs[1:], ends, strict=True):
            if end is not None:
                self.carry(target, end)
        self.b.store(self.b.add(self.b.load(index_slot), I64(1)), index_slot)
        self.poll(self.weight(node))
        self.b.branch(head)
        self.b.position_at_end(after)
        for target, source in zip(node.outputs, body.inputs[1:], strict=True):
            self.copy(target, source)

    def begin_carrying(self, target: Value, source: Value) -> None:
        """Set a carried variable before the first trip."""
        self.copy(target, source)

    def carry(self, target: Value, end: ll.Value) -> None:
        """Set a carried variable for the next trip."""
        self.store(target, end)

    def end_values(self, body: Block) -> list[ll.Value | None]:
        """What carried variables become: all are read before any of them is written."""
        ends: list[ll.Value | None] = []
        with ExitStack() as held:
            for target, source in zip(body.inputs[1:], body.outputs[1:], strict=True):
                end = self.end_value(target, source)
                ends.append(end)
                if end is not None and target in self.slots and self.slots[target] in self.owned:
                    held.enter_context(self.holding(end))
        return ends

    def end_value(self, target: Value, source: Value) -> ll.Value | None:
        """What a carried variable becomes; an object with a reference of its own."""
        if source.node.kind == UNINITIALIZED:
            return None
        if target.type not in SCALAR_TYPES:
            return self.boxed(source)
        loaded = self.load(source)
        return loaded if source.type in SCALAR_TYPES else self.unboxed(loaded, target.type)

    def weight(self, loop: Node) -> int:
        """What a trip counts for towards `POLL_INTERVAL`."""
        return 1

    def poll(self, weight: int) -> None:
        """Every so often, handle signals and let other threads run."""
        left = self.b.sub(self.b.load(self.countdown), I64(weight))
        self.b.store(left, self.countdown)
        with self.b.if_then(self.b.icmp_signed("<=", left, I64(0)), likely=False):
            self.b.store(I64(POLL_INTERVAL), self.countdown)
            self.fail_if(self.b.icmp_signed("<", self.python("PyErr_CheckSignals"), I32(0)))
            if self.released is None:
                self.yield_gil()

    def yield_gil(self) -> None:
        """Every so many polls, let other threads run.

        Giving the lock back and taking it at once would starve them: each release wakes a waiting
        thread before its time-out, after which alone it could insist.
        """
        left = self.b.sub(self.b.load(self.polls), I64(1))
        self.b.store(left, self.polls)
        with self.b.if_then(self.b.icmp_signed("==", left, I64(0)), likely=False):
            self.b.store(I64(YIELD_INTERVAL), self.polls)
            state = self.python("PyEval_SaveThread")
            pause = self.declare("usleep", ll.FunctionType(I32, [I32]))
            self.b.call(pause, [I32(1)])
            self.python("PyEval_RestoreThread", state)

    # Nodes --------------------------------------------------------------------------------------

    def operator(self, node: Node) -> None:
        """A row: machine code where its template can be read, else a callback."""
        op = node.op
        if op is None or not reads_as_machine_code(node):
            self.give_up(node)
            return
        value, conditions = self.read(node)
        if not conditions:
            self.store(node.output, value)
            return
        trouble = conditions[0]
        for condition in conditions[1:]:
            trouble = self.b.or_(trouble, condition)
        with self.b.if_else(trouble, likely=False) as (rare, usual):
            with rare:
                self.call_back(node)
            with usual:
                self.store(node.output, value)

    def read(self, node: Node) -> tuple[ll.Value, list[ll.Value]]:
        """The value of a scalar row, and the conditions under which it does not hold."""
        op = node.op
        assert op is not None
        names = [argument.name for argument in op.schema.arguments]
        loaded = dict(zip(names, [self.load(v) for v in node.inputs], strict=True))
        may_wrap = op.checked_integer and not self.checked
        checked = not (may_wrap or self.ranges.fits(node))
        natural = all(self.ranges.of(v).low >= 0 for v in node.inputs)
        reading = Reading(self.b, loaded, checked, self.declare, natural)
        return read_row(reading, op, node.output.type), reading.trouble

    def give_up(self, node: Node) -> None:
        """Run a node in Python, always."""
        self.called_back.append(node)
        self.call_back(node)

    def call_back(self, node: Node) -> None:
        """Run a node in Python."""
        given = [v for v in node.inputs if v.node.kind != CONSTANT]
        vector = self.entry.alloca(POINTER, size=max(len(given), 1))
        fresh: list[ll.Value] = []
        for index, value in enumerate(given):
            made = self.load(value)
            if made.type is not POINTER:
                with self.holding(*fresh):
                    made = self.checked_object(self.box(made))
                fresh.append(made)
            self.b.store(made, self.b.gep(vector, [I64(index)]))
        callee = self.object(self.callback_of(node))
        result = self.python("PyObject_Vectorcall", callee, vector, I64(len(given)), POINTER(None))
        for made in fresh:
            self.python("Py_DecRef", made)
        self.checked_object(result)
        if len(node.outputs) == 1:
            self.take(node.output, result)
            return
        with self.holding(result):
            for index, value in enumerate(node.outputs):
                self.take_item(value, result, index)
        self.python("Py_DecRef", result)

    def take_item(self, value: Value, container: ll.Value, index: int) -> None:
        self.take_borrowed(value, self.python("PyTuple_GetItem", container, I64(index)))

    def take_borrowed(self, value: Value, found: ll.Value) -> None:
        """Set a value from an object that its container owns, or NULL for an error."""
        item = self.checked_object(found)
        if value.type in SCALAR_TYPES:
            self.store(value, self.unboxed(item, value.type))
            return
        self.python("Py_IncRef", item)
        self.store(value, item)

    def tuple_construct(self, node: Node) -> None:
        type_ = node.output.type
        if isinstance(type_, ty.TupleType) and type_.field_names:
            self.give_up(node)
            return
        self._construct(node, "PyTuple_New", "PyTuple_SetItem")

    def list_construct(self, node: Node) -> None:
        self._construct(node, "PyList_New", "PyList_SetItem")

    def _construct(self, node: Node, create: str, set_item: str) -> None:
        made = self.checked_object(self.python(create, I64(len(node.inputs))))
        self.store(node.output, made)  # owned at once, so that a failing element releases it
        for index, value in enumerate(node.inputs):
            self.python(set_item, made, I64(index), self.boxed(value))

    def tuple_unpack(self, node: Node) -> None:
        container = self.load(node.inputs[0])
        for index, value in enumerate(node.outputs):
            self.take_item(value, container, index)

    def unchecked_cast(self, node: Node) -> None:
        self.copy(node.output, node.inputs[0])

    def is_none(self, node: Node) -> None:
        """`x is None`, by the address."""
        sides = [v for v in node.inputs if v.type is not ty.NONE]
        if len(sides) != 1 or sides[0].type in SCALAR_TYPES:
            self.give_up(node)
            return
        none = self.object(None)
        predicate = "==" if node.kind == "aten::__is__" else "!="
        self.store(node.output, self.b.icmp_unsigned(predicate, self.load(sides[0]), none))

    def append(self, node: Node) -> None:
        """`xs.append(x)`; a use of its result is the list itself."""
        container, element = node.inputs
        made = self.boxed(element)
        failed = self.python("PyList_Append", self.load(container), made)
        self.python("Py_DecRef", made)
        self.fail_if(self.b.icmp_signed("<", failed, I32(0)))
        if node.outputs and node.output.uses:
            self.copy(node.output, container)

    def list_item(self, node: Node) -> None:
        """`xs[i]`."""
        with self.in_list(node) as place:
            found = self.python("PyList_GetItem", self.load(node.inputs[0]), place)
            self.take_borrowed(node.output, found)

    def set_list_item(self, node: Node) -> None:
        """`xs[i] = x`."""
        container, _, element = node.inputs
        with self.in_list(node) as place:
            made = self.boxed(element)
            failed = self.python("PyList_SetItem", self.load(container), place, made)
            self.fail_if(self.b.icmp_signed("<", failed, I32(0)))
            if node.outputs and node.output.uses:
                self.copy(node.output, container)

    @contextmanager
    def in_list(self, node: Node) -> Iterator[ll.Value]:
        """What is written inside is done with a place that the list has, counted from its
        beginning; the rest is done in Python: places that it has not, and other sequences.
        """
        container, given = map(self.load, node.inputs[:2])
        is_other = self.b.not_(self.is_of(container, list))
        size = self.python("PyObject_Size", container)
        is_negative = self.b.icmp_signed("<", given, I64(0))
        place = self.b.select(is_negative, self.b.add(given, size), given)
        is_outside = self.b.icmp_unsigned(">=", place, size)
        with self.b.if_else(self.b.or_(is_other, is_outside), likely=False) as (rare, usual):
            with rare:
                self.call_back(node)
            with usual:
                yield place

    def repeated(self, node: Node) -> None:
        """`xs * n` of a list."""
        container, count = node.inputs
        made = self.python("PySequence_Repeat", self.load(container), self.load(count))
        self.store(node.output, self.checked_object(made))

    def length(self, node: Node) -> None:
        if node.inputs[0].type in SCALAR_TYPES or isinstance(node.inputs[0].type, ty.TensorType):
            self.give_up(node)
            return
        count = self.python("PyObject_Size", self.load(node.inputs[0]))
        self.fail_if(self.b.icmp_signed("<", count, I64(0)))
        self.store(node.output, count)


_LOWERINGS: dict[str, Callable[[HostEmitter, Node], None]] = {
    "prim::TupleConstruct": HostEmitter.tuple_construct,
    "prim::ListConstruct": HostEmitter.list_construct,
    "prim::TupleUnpack": HostEmitter.tuple_unpack,
    "prim::unchecked_cast": HostEmitter.unchecked_cast,
    "jit::reraise": HostEmitter.reraise,
    "aten::__is__": HostEmitter.is_none,
    "aten::__isnot__": HostEmitter.is_none,
    "aten::append": HostEmitter.append,
    "jit::append": HostEmitter.append,
    "aten::len": HostEmitter.length,
}
_ON_LISTS: dict[str, Callable[[HostEmitter, Node], None]] = {
    "aten::__getitem__.t": HostEmitter.list_item,
    "aten::_set_item.t": HostEmitter.set_list_item,
    "aten::mul.left_t": HostEmitter.repeated,
}
"""Rows on lists of what is no tensor; other lists hold more than CPython's objects."""


def lowering_of(node: Node) -> Callable[[HostEmitter, Node], None] | None:
    """What writes a node that is neither a block nor arithmetic."""
    name = node.op.full_name if node.op is not None else ""
    if name in _ON_LISTS and not any(ty.has_tensors(value.type) for value in node.inputs):
        return _ON_LISTS[name]
    return _LOWERINGS.get(node.kind)


def is_machine_code(node: Node) -> bool:
    """Whether a node runs without Python, but for rare cases."""
    if node.kind in (CONSTANT, UNINITIALIZED, IF, LOOP, TRY):
        return True
    if node.kind in ("aten::__is__", "aten::__isnot__"):
        bare = [v for v in node.inputs if v.type is not ty.NONE]
        return len(bare) == 1 and bare[0].type not in SCALAR_TYPES
    if node.kind == "aten::len":
        return not isinstance(node.inputs[0].type, ty.TensorType)
    if node.kind == "prim::TupleConstruct":
        return not getattr(node.output.type, "field_names", ())
    return lowering_of(node) is not None or reads_as_machine_code(node)
