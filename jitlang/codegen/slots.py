"""The frame of a native function while it is written: values in slots, and where errors go.

Ints, floats and bools live in registers of the processor; every other value is a Python object in
a slot that owns one reference. Slots start empty, are overwritten by releasing what they held, and
are released exactly once at the end, so whatever path is taken, nothing leaks and nothing is
released twice. A reference that is in no slot yet is `held`.

Error edges: every call that can fail jumps to the block `failure`, which releases all slots and
returns NULL. In the body of a `Try` it is where the handlers begin (`host.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir as ll

from ..ir import types as ty
from ..ir.graph import CONSTANT, UNINITIALIZED, Graph, ObjectRef, Value
from ..ir.types import Type
from .cpython import I32, POINTER, POINTERS, PYTHON, VOID
from .scalar import DOUBLE, I1, I64, SCALAR_TYPES

ENTRY = "jitlang_entry"
TABLE = "jitlang_table"
TYPE_PLACE = 8
"""Where in an object its class lies, in bytes."""


class SlotEmitter:
    """The function, its slots, and calls of CPython.

    Attributes:
        released: whether the code at hand runs without the GIL; calls of CPython take it then.
        failure: where errors go from the code at hand; the GIL is held there.
        held: references that no slot owns yet, which an error must release.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.module = ll.Module(name=graph.name or "graph")
        self.used: dict[str, ll.Function] = {}
        self.table: list[Any] = []
        self.table_index: dict[int, int] = {}
        self.slots: dict[Value, ll.AllocaInstr] = {}
        self.owned: list[ll.AllocaInstr] = []
        self.borrowed: set[Value] = set(graph.inputs)
        self.released: ll.AllocaInstr | None = None
        self.held: list[ll.Value] = []
        type_ = ll.FunctionType(POINTER, [POINTER, POINTERS, I64])
        self.function = ll.Function(self.module, type_, ENTRY)
        self.table_global = ll.GlobalVariable(self.module, POINTER, TABLE)
        self.entry = ll.IRBuilder(self.function.append_basic_block("entry"))
        self.failure = self.function.append_basic_block("failure")
        self.b = ll.IRBuilder(self.function.append_basic_block("start"))

    def argument(self, index: int) -> ll.Value:
        """An argument of the call; a borrowed reference."""
        return self.b.load(self.b.gep(self.function.args[1], [I64(index)]))

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

    @contextmanager
    def releasing(self, released: ll.AllocaInstr | None) -> Iterator[None]:
        """Inside, the code runs with or without the GIL, whatever it was before."""
        before, self.released = self.released, released
        yield
        self.released = before

    def fail_if(self, condition: ll.Value) -> None:
        """Leave with the exception that is set, where the condition holds."""
        following = self.b.append_basic_block("go_on")
        branch = self.b.cbranch(condition, self.error_edge(), following)
        branch.set_weights([1, 1000])
        self.b.position_at_end(following)

    def error_edge(self) -> ll.Block:
        """Where an error goes from here: with the GIL, and without what is held."""
        if self.released is None and not self.held:
            return self.failure
        block = self.function.append_basic_block("error")
        with self.at(block):
            self.take_gil()
            decref = self.declare("Py_DecRef", ll.FunctionType(VOID, [POINTER]))
            for reference in self.held:
                self.b.call(decref, [reference])
            self.b.branch(self.failure)
        return block

    @contextmanager
    def at(self, block: ll.Block) -> Iterator[None]:
        """Write elsewhere for a while."""
        builder, self.b = self.b, ll.IRBuilder(block)
        yield
        self.b = builder

    @contextmanager
    def failing_to(self, block: ll.Block) -> Iterator[None]:
        """Inside, errors go to a block."""
        failure, self.failure = self.failure, block
        yield
        self.failure = failure

    @contextmanager
    def holding(self, *references: ll.Value) -> Iterator[None]:
        """Inside, an error releases these references, too."""
        self.held += references
        yield
        del self.held[len(self.held) - len(references) :]

    def checked_object(self, value: ll.Value) -> ll.Value:
        """An object that a call returned; NULL means that it failed."""
        self.fail_if(self.b.icmp_unsigned("==", value, POINTER(None)))
        return value

    def pointer_slot(self) -> ll.AllocaInstr:
        """A slot for a pointer, at first NULL."""
        slot = self.entry.alloca(POINTER)
        self.entry.store(POINTER(None), slot)
        return slot

    def owned_slot(self) -> ll.AllocaInstr:
        """A slot for an object beside the values, empty at first; it is released at the end."""
        slot = self.pointer_slot()
        self.owned.append(slot)
        return slot

    def release_slot(self, slot: ll.AllocaInstr) -> None:
        """Release what a slot holds."""
        old = self.b.load(slot)
        self.b.store(POINTER(None), slot)
        self.python("Py_DecRef", old)

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

    def is_of(self, given: ll.Value, cls: type) -> ll.Value:
        """Whether an object is of exactly this class."""
        place = self.b.bitcast(self.b.gep(given, [I64(TYPE_PLACE)]), POINTER.as_pointer())
        return self.b.icmp_unsigned("==", self.b.load(place), self.object(cls))

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
            self.release_slot(slot)

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
