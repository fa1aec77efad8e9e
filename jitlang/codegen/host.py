"""A whole graph as one native function with CPython's calling convention.

The generated function is `PyObject *f(PyObject *self, PyObject **args, Py_ssize_t count)`. Ints,
floats and bools live in registers; every other value is a Python object in a slot that owns one
reference. Structure (branches, loops, tuples) and scalar rows are machine code; any other node is a
call of a Python callable that runs just that node, its *callback*. A scalar node whose fast path
does not hold (overflow, division by zero, a domain error) asks its callback too: it gives Python's
result or raises Python's error, with the script's stack.

Error edges: every call that can fail jumps to one block that releases all slots and returns NULL.
Slots start empty, are overwritten by releasing what they held, and are released exactly once at the
end, so whatever path is taken, nothing leaks and nothing is released twice.

Back edges count down: every `POLL_INTERVAL` passes Python may handle signals, and every
`YIELD_INTERVAL` of these (some milliseconds) other threads get their turn.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir as ll

from ..ir import types as ty
from ..ir.graph import CONSTANT, IF, LOOP, UNINITIALIZED, Block, Graph, Node, ObjectRef, Value
from ..ir.types import Type
from ..passes.liveness import Liveness, find_last_uses
from ..passes.ranges import find_ranges
from .arithmetic import is_short_arithmetic, reads_as_machine_code
from .cpython import I32, POINTER, POINTERS, PYTHON, VOID, addresses_of
from .entry import builtin_function
from .llvm import compile_module
from .scalar import DOUBLE, I1, I64, SCALAR_TYPES, Reading, read_row

POLL_INTERVAL = 1 << 14
YIELD_INTERVAL = 1 << 7
UNLIMITED = 2**63 - 1
ENTRY = "jitlang_entry"
TABLE = "jitlang_table"

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


class HostEmitter:
    """Emits one graph.

    Attributes:
        released: whether the code at hand runs without the GIL; calls of CPython take it then.
    """

    def __init__(self, graph: Graph, callback_of: Callable[[Node], Callback]) -> None:
        self.graph = graph
        self.callback_of = callback_of
        self.module = ll.Module(name=graph.name or "graph")
        self.used: dict[str, ll.Function] = {}
        self.table: list[Any] = []
        self.table_index: dict[int, int] = {}
        self.called_back: list[Node] = []
        self.slots: dict[Value, ll.AllocaInstr] = {}
        self.owned: list[ll.AllocaInstr] = []
        self.borrowed: set[Value] = set(graph.inputs)
        self.liveness: Liveness = find_last_uses(graph)
        self.ranges = find_ranges(graph)
        self.checked = graph.integers == "checked"
        self.released: ll.AllocaInstr | None = None

    def emit(self) -> str:
        """The module as text."""
        type_ = ll.FunctionType(POINTER, [POINTER, POINTERS, I64])
        self.function = ll.Function(self.module, type_, ENTRY)
        self.table_global = ll.GlobalVariable(self.module, POINTER, TABLE)
        self.entry = ll.IRBuilder(self.function.append_basic_block("entry"))
        self.failure = self.function.append_basic_block("failure")
        self.b = ll.IRBuilder(self.function.append_basic_block("start"))
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

    def argument(self, index: int) -> ll.Value:
        """An argument of the call; a borrowed reference."""
        return self.b.load(self.b.gep(self.function.args[1], [I64(index)]))

    def leave(self) -> ll.Value:
        """A new reference to the result."""
        return self.boxed(self.graph.outputs[0])

    # Plumbing -----------------------------------------------------------------------------------

    def declare(self, name: str, type_: ll.FunctionType) -> ll.Function:
        """An imported function."""
        if name not in self.used:
            self.used[name] = ll.Function(self.module, type_, name)
        return self.used[name]

    def python(self, name: str, *args: ll.Value) -> ll.Value:
        """Call a function of CPython, with the GIL."""
        result, parameters = PYTHON[name]
        callee = self.declare(name, ll.FunctionType(result, parameters))
        self.take_gil()
        made = self.b.call(callee, args)
        self.release_gil()
        return made

    def take_gil(self) -> None:
        """Take the GIL where the code runs without it."""
        if self.released is not None:
            take = self.declare("PyEval_RestoreThread", ll.FunctionType(VOID, [POINTER]))
            self.b.call(take, [self.b.load(self.released)])

    def release_gil(self) -> None:
        """Go on without the GIL, where the code runs so."""
        if self.released is not None:
            release = self.declare("PyEval_SaveThread", ll.FunctionType(POINTER, []))
            self.b.store(self.b.call(release, []), self.released)

    def fail_if(self, condition: ll.Value) -> None:
        """Leave with the exception that is set, where the condition holds."""
        following = self.b.append_basic_block("go_on")
        failure = self.failure if self.released is None else self.failure_without_gil()
        branch = self.b.cbranch(condition, failure, following)
        branch.set_weights([1, 1000])
        self.b.position_at_end(following)

    def failure_without_gil(self) -> ll.Block:
        """Where errors go from code that runs without the GIL."""
        block = self.function.append_basic_block("failure_without_gil")
        builder, self.b = self.b, ll.IRBuilder(block)
        self.take_gil()
        self.b.branch(self.failure)
        self.b = builder
        return block

    def checked_object(self, value: ll.Value) -> ll.Value:
        """An object that a call returned; NULL means that it failed."""
        self.fail_if(self.b.icmp_unsigned("==", value, POINTER(None)))
        return value

    def release_all(self, builder: ll.IRBuilder) -> None:
        """Release what the function owns."""
        decref = self.declare("Py_DecRef", ll.FunctionType(VOID, [POINTER]))
        for slot in self.owned:
            builder.call(decref, [builder.load(slot)])

    def object(self, value: Any) -> ll.Value:
        """A borrowed reference to an object of the table."""
        index = self.table_index.setdefault(id(value), len(self.table))
        if index == len(self.table):
            self.table.append(value)
        return self.b.load(self.b.gep(self.table_global, [I64(index)]))

    # Values -------------------------------------------------------------------------------------

    def slot(self, value: Value) -> ll.AllocaInstr:
        """Where a value lives."""
        found = self.slots.get(value)
        if found is None:
            kind = SCALAR_TYPES.get(value.type, POINTER)
            found = self.slots[value] = self.entry.alloca(kind)
            self.entry.store(ll.Constant(kind, None if kind is POINTER else 0), found)
            if kind is POINTER and value not in self.borrowed:
                self.owned.append(found)
        return found

    def load(self, value: Value) -> ll.Value:
        """A scalar, or a borrowed reference."""
        if value.node.kind == CONSTANT:
            return self.constant(value)
        return self.b.load(self.slot(value))

    def constant(self, value: Value) -> ll.Value:
        found = value.constant()
        kind = SCALAR_TYPES.get(value.type)
        if kind is not None:
            return ll.Constant(kind, int(found) if kind is not DOUBLE else float(found))
        return self.object(found.value if isinstance(found, ObjectRef) else found)

    def store(self, value: Value, made: ll.Value) -> None:
        """Set a value; an object comes with a reference that the slot takes over."""
        slot = self.slot(value)
        if made.type is not POINTER or value in self.borrowed:
            self.b.store(made, slot)
            return
        old = self.b.load(slot)
        self.b.store(made, slot)
        self.python("Py_DecRef", old)

    def clear(self, value: Value) -> None:
        """Release an object that nobody reads any more."""
        slot = self.slots.get(value)
        if slot is not None and slot in self.owned:
            old = self.b.load(slot)
            self.b.store(POINTER(None), slot)
            self.python("Py_DecRef", old)

    def boxed(self, value: Value) -> ll.Value:
        """A new reference to a value as an object."""
        loaded = self.load(value)
        made = self.box(loaded)
        if loaded.type is POINTER:
            self.python("Py_IncRef", loaded)
            return loaded
        return self.checked_object(made)

    def box(self, loaded: ll.Value) -> ll.Value:
        if loaded.type == I64:
            return self.python("PyLong_FromLongLong", loaded)
        if loaded.type == DOUBLE:
            return self.python("PyFloat_FromDouble", loaded)
        if loaded.type == I1:
            return self.python("PyBool_FromLong", self.b.zext(loaded, I64))
        return loaded

    def unboxed(self, given: ll.Value, type_: Type) -> ll.Value:
        """A borrowed object as a value of this type: a scalar, or the object itself."""
        if type_ is ty.INT:
            return self._checked_scalar(self.python("PyLong_AsLongLong", given), I64(-1))
        if type_ is ty.FLOAT:
            return self._checked_scalar(self.python("PyFloat_AsDouble", given), DOUBLE(-1.0))
        if type_ is ty.BOOL:
            truth = self.python("PyObject_IsTrue", given)
            self.fail_if(self.b.icmp_signed("<", truth, I32(0)))
            return self.b.icmp_signed("!=", truth, I32(0))
        return given

    def _checked_scalar(self, value: ll.Value, mark: ll.Constant) -> ll.Value:
        """A scalar that CPython converted; the mark may mean that it could not."""
        is_float = value.type == DOUBLE
        compare = self.b.fcmp_ordered if is_float else self.b.icmp_signed
        suspect = compare("==", value, mark)
        with self.b.if_then(suspect, likely=False):
            self.fail_if(self.b.icmp_unsigned("!=", self.python("PyErr_Occurred"), POINTER(None)))
        return value

    def take(self, value: Value, given: ll.Value) -> None:
        """Set a value from a new reference, unboxing where it lives in a register."""
        if value.type not in SCALAR_TYPES:
            self.store(value, given)
            return
        # Released before the check: the number has been read by then.
        scalar = self._unchecked(given, value.type)
        self.python("Py_DecRef", given)
        self.store(value, scalar())

    def _unchecked(self, given: ll.Value, type_: Type) -> Callable[[], ll.Value]:
        if type_ is ty.BOOL:
            truth = self.python("PyObject_IsTrue", given)

            def finish() -> ll.Value:
                self.fail_if(self.b.icmp_signed("<", truth, I32(0)))
                return self.b.icmp_signed("!=", truth, I32(0))

            return finish
        name, mark = (
            ("PyLong_AsLongLong", I64(-1))
            if type_ is ty.INT
            else ("PyFloat_AsDouble", DOUBLE(-1.0))
        )
        value = self.python(name, given)
        return lambda: self._checked_scalar(value, mark)

    def copy(self, target: Value, source: Value) -> None:
        """Set one value to another, which may live elsewhere (an int joined with None)."""
        if source.node.kind == UNINITIALIZED:
            return
        if target.type in SCALAR_TYPES and source.type in SCALAR_TYPES:
            self.store(target, self.load(source))
        elif target.type in SCALAR_TYPES:
            self.store(target, self.unboxed(self.load(source), target.type))
        else:
            self.store(target, self.boxed(source))

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
        else:
            _LOWERINGS.get(node.kind, HostEmitter.operator)(self, node)
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
                with arm, self.block(block):
                    for target, source in zip(node.outputs, block.outputs, strict=True):
                        self.copy(target, source)

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
            pairs = zip(body.inputs[1:], body.outputs[1:], strict=True)
            ends = [self.end_value(target, source) for target, source in pairs]
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

    def end_value(self, target: Value, source: Value) -> ll.Value | None:
        """What a carried variable becomes: read before any of them is written."""
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
        fresh = []
        for index, value in enumerate(given):
            loaded = self.load(value)
            made = loaded if loaded.type is POINTER else self.checked_object(self.box(loaded))
            if loaded.type is not POINTER:
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
        for index, value in enumerate(node.outputs):
            self.take_item(value, result, index)
        self.python("Py_DecRef", result)

    def take_item(self, value: Value, container: ll.Value, index: int) -> None:
        item = self.checked_object(self.python("PyTuple_GetItem", container, I64(index)))
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
    "aten::__is__": HostEmitter.is_none,
    "aten::__isnot__": HostEmitter.is_none,
    "aten::append": HostEmitter.append,
    "aten::len": HostEmitter.length,
}


def is_machine_code(node: Node) -> bool:
    """Whether a node runs without Python, but for rare cases."""
    if node.kind in (CONSTANT, UNINITIALIZED, IF, LOOP):
        return True
    if node.kind in ("aten::__is__", "aten::__isnot__"):
        bare = [v for v in node.inputs if v.type is not ty.NONE]
        return len(bare) == 1 and bare[0].type not in SCALAR_TYPES
    if node.kind == "aten::len":
        return not isinstance(node.inputs[0].type, ty.TensorType)
    if node.kind == "prim::TupleConstruct":
        return not getattr(node.output.type, "field_names", ())
    return node.kind in _LOWERINGS or reads_as_machine_code(node)
