"""A native function around the code of a graph: arguments in, memory, the GIL, results out.

The function

1. tests its arguments, and returns MISS where one is not what it was compiled for;
2. takes its block of memory (one is kept from call to call) and allocates the results;
3. releases the GIL where there is enough to do, and runs;
4. wraps the results as the graph's surface wants them.

Where a loop that made a result did not run at all, the result is what the caller gave, the very
object: the function returns MISS then as well, and the general code of the graph answers. No effect
can have happened, since such graphs are refused.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir as ll

from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import LOOP, Block, Graph, Node, Value
from ..passes.gradients import constant_tensors
from . import objects
from .actions import Plan
from .cpython import I32, POINTER, VOID
from .guards import (
    AnyTensorGuard,
    ConstantGuard,
    Guard,
    NumberGuard,
    ScalarGuard,
    SequenceGuard,
    TensorGuard,
    requires_grad,
)
from .leaving import REQUIRE, Leaving
from .results import ResultEmitter
from .scalar import I64
from .storage import ALIGNMENT, Storage
from .tensor_code import nanoseconds

LONG_WORK = 20_000
"""Nanoseconds of work from which on a function runs without the GIL; taking it again costs a few
hundred.
"""
MAX_KEPT = 64 << 20
"""Bytes of a block that are kept from call to call."""
UNKNOWN_TRIPS = 16
"""Trips that a loop is taken to make where nobody knows."""
EQUAL = 2  # Py_EQ


class Memory:
    """The block of memory of one function, kept from call to call. A call that finds it in use
    allocates another.
    """

    def __init__(self) -> None:
        self.cell = ctypes.c_int64(0)
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = (ctypes.c_void_p,)

    def __del__(self) -> None:
        if self.cell.value:
            self._free(self.cell.value)


@dataclass(frozen=True)
class Frame:
    """What a function is compiled from: the graph, its plan, and the ways in and out.

    Attributes:
        gives_arrays: tensors leave as raw arrays, since all were given so.
        written: the arguments whose memory is written.
    """

    graph: Graph
    plan: Plan
    storage: Storage
    guards: Sequence[Guard]
    leaving: Leaving
    gives_arrays: bool
    written: frozenset[Value]


@dataclass(frozen=True)
class _Writes:
    """Slots for a `Tensor` that is written, and how often that was, itself and through views."""

    tensor: ll.AllocaInstr
    directly: ll.AllocaInstr
    through_views: ll.AllocaInstr


class NativeEmitter(ResultEmitter):
    """Emits the whole function."""

    def __init__(self, frame: Frame, callback_of: Callable[[Node], Callable[..., Any]]) -> None:
        super().__init__(
            frame.graph, callback_of, frame.plan, frame.storage, frame.leaving, frame.gives_arrays
        )
        self.frame = frame
        self.block_memory = Memory()
        self.raw: set[Value] = set()  # arguments that are arrays themselves
        self.taken: ll.AllocaInstr | None = None
        self.counted: dict[Value, _Writes] = {}

    # In -----------------------------------------------------------------------------------------

    def enter(self) -> None:
        self.miss = self.missing(releases=False)
        for index, guard in enumerate(self.frame.guards):
            self.test(guard, self.argument(index))
        for tensor in constant_tensors(self.graph):
            asked = self.helper("jitlang_is_recorded", I32, [POINTER])
            is_recorded = self.b.call(asked, [self.object(tensor)])
            self.unless(self.b.icmp_signed("==", is_recorded, I32(0)), self.miss)
        for value in self.frame.written:
            self.test_written(value)
        for value, array in self.plan.constants.items():
            self.kept.append(array)
            self.addresses[f"constant{len(self.kept)}"] = array.ctypes.data
            known = ll.GlobalVariable(self.module, ll.IntType(8), f"constant{len(self.kept)}")
            self.b.store(known, self.slot(value))
        self.take_memory()
        self.allocate_results()
        if self.is_long():
            self.hold_arguments()
            slot = self.entry.alloca(POINTER)
            self.released = slot
            self.release_gil()

    def test(self, guard: Guard, given: ll.Value) -> None:
        """Test an argument, and take what is in it."""
        if isinstance(guard, TensorGuard):
            self.test_tensor(guard, given)
        elif isinstance(guard, ScalarGuard):
            self.test_class(given, guard.cls)
            self.b.store(self.advanced(given, objects.SCALAR_PLACE), self.slot(guard.value))
            self.given[guard.value] = (given, None)
        elif isinstance(guard, NumberGuard):
            self.test_number(guard, given)
        elif isinstance(guard, ConstantGuard):
            self.test_constant(given, guard.constant)
        elif isinstance(guard, SequenceGuard):
            self.test_class(given, guard.cls)
            size = self.python("PyObject_Size", given)
            self.unless(self.b.icmp_signed("==", size, I64(len(guard.elements))), self.miss)
            if guard.cls is dict:
                self.test_entries(guard, given)
                return
            get = "PyList_GetItem" if guard.cls is list else "PyTuple_GetItem"
            for index, element in enumerate(guard.elements):
                self.test(element, self.python(get, given, I64(index)))

    def test_entries(self, guard: SequenceGuard, given: ll.Value) -> None:
        """Test the keys and the elements of a dict, which are looked at in order."""
        place, key, element = self.entry.alloca(I64), self.pointer_slot(), self.pointer_slot()
        self.b.store(I64(0), place)
        for expected, inner in zip(guard.keys, guard.elements, strict=True):
            places = [self.b.bitcast(place, POINTER), key, element]
            found = self.python("PyDict_Next", given, *places)
            self.unless(self.b.icmp_signed("!=", found, I32(0)), self.miss)
            self.test_constant(self.b.load(key), expected)
            self.test(inner, self.b.load(element))

    def test_constant(self, given: ll.Value, constant: float | str | None) -> None:
        """None by its address; other objects also by their values."""
        expected = self.object(constant)
        is_same = self.b.icmp_unsigned("==", given, expected)
        if constant is not None:
            self.test_class(given, type(constant))
            equal = self.python("PyObject_RichCompareBool", given, expected, I32(EQUAL))
            is_same = self.b.icmp_signed("==", equal, I32(1))
        self.unless(is_same, self.miss)

    def test_class(self, given: ll.Value, cls: type) -> None:
        self.unless(self.is_of(given, cls), self.miss)

    def test_tensor(self, guard: TensorGuard, given: ll.Value) -> None:
        array = self.array_in(guard, given)
        form = guard.form
        layout = (self.words(form.shape), self.words(form.strides))
        test = self.helper("jitlang_array_is", I32, [POINTER, POINTER, I64, POINTER, POINTER])
        rank = I64(len(form.shape))
        fits = self.b.call(test, [array, self.object(form.dtype.numpy), rank, *layout])
        self.unless(self.b.icmp_signed("!=", fits, I32(0)), self.miss)
        self.take_array(guard, given, array)

    def array_in(self, guard: AnyTensorGuard, given: ll.Value) -> ll.Value:
        """The array of a tensor, or the array that is given itself."""
        name = "jitlang_raw_array" if guard.is_raw else "jitlang_tensor_array"
        if requires_grad(guard.value):
            name = "jitlang_recorded_array"
        array = self.b.call(self.helper(name, POINTER, [POINTER]), [given])
        self.unless(self.b.icmp_unsigned("!=", array, POINTER(None)), self.miss)
        return array

    def take_array(self, guard: AnyTensorGuard, given: ll.Value, array: ll.Value) -> None:
        """A tensor argument is as it must be."""
        data = self.b.call(self.helper("jitlang_data", POINTER, [POINTER]), [array])
        self.b.store(data, self.slot(guard.value))
        self.given[guard.value] = (given, array)
        if guard.is_raw:
            self.raw.add(guard.value)

    def test_written(self, value: Value) -> None:
        """Test that an argument may be written, and that nobody else among them would see it."""
        given, array = self.given[value]
        if array is None:
            raise Unsupported("a scalar of NumPy's is written")
        writable = self.b.call(self.helper("jitlang_is_writable", I32, [POINTER]), [array])
        self.unless(self.b.icmp_signed("!=", writable, I32(0)), self.miss)
        for other in self.given:
            if other is not value and self.plan.forms[other].size and self.plan.forms[value].size:
                self.unless(self.are_apart(value, other), self.miss)
        if value not in self.raw:
            self.counted[value] = self.counters(given)

    def are_apart(self, value: Value, other: Value) -> ll.Value:
        """Whether two tensors lie in different memory."""
        (low, high), (other_low, other_high) = map(self.bounds, (value, other))
        is_below = self.b.icmp_unsigned("<=", high, other_low)
        return self.b.or_(is_below, self.b.icmp_unsigned("<=", other_high, low))

    def bounds(self, value: Value) -> tuple[ll.Value, ll.Value]:
        """Where a tensor's memory begins and ends."""
        begin = self.b.ptrtoint(self.load(value), I64)
        low, high = self.extent(value)
        return self.b.add(begin, low), self.b.add(begin, high)

    def extent(self, value: Value) -> tuple[ll.Value, ll.Value]:
        """Where the bytes of a tensor begin and end, from its first element on."""
        low, high = self.plan.forms[value].extent
        return I64(low), I64(high)

    def counters(self, tensor: ll.Value) -> _Writes:
        slots = _Writes(self.pointer_slot(), *(self.entry.alloca(I64) for _ in range(2)))
        self.b.store(tensor, slots.tensor)
        for slot in (slots.directly, slots.through_views):
            self.entry.store(I64(0), slot)
        return slots

    def wrote(self, target: Value) -> None:
        for value, slots in self.counted.items():
            if self.storage.roots[value] == self.storage.roots[target]:
                slot = slots.directly if target is value else slots.through_views
                self.b.store(self.b.add(self.b.load(slot), I64(1)), slot)

    def test_number(self, guard: NumberGuard, given: ll.Value) -> None:
        self.test_class(given, guard.cls)
        if guard.value.type is not ty.INT:
            self.store(guard.value, self.unboxed(given, guard.value.type))
            return
        number = self.python("PyLong_AsLongLong", given)
        with self.b.if_then(self.b.icmp_signed("==", number, I64(-1)), likely=False):
            failed = self.b.icmp_unsigned("!=", self.python("PyErr_Occurred"), POINTER(None))
            with self.b.if_then(failed):
                self.python("PyErr_Clear")
                self.b.branch(self.miss)
                self.b.position_at_end(self.b.append_basic_block("unreached"))
        self.store(guard.value, number)

    def take_memory(self) -> None:
        """Take the block that the last call has left, or allocate one."""
        size = self.storage.size
        if not size:
            return
        self.taken = self.pointer_slot()
        found = POINTER(None)
        if size <= MAX_KEPT:
            kept = self.b.atomic_rmw("xchg", self.cell(), I64(0), "seq_cst")
            found = self.b.inttoptr(kept, POINTER)
        self.b.store(found, self.taken)
        with self.b.if_then(self.b.icmp_unsigned("==", found, POINTER(None)), likely=False):
            allocate = self.declare("aligned_alloc", ll.FunctionType(POINTER, [I64, I64]))
            self.b.store(self.b.call(allocate, [I64(ALIGNMENT), I64(size)]), self.taken)
        self.memory = self.b.load(self.taken)
        with self.b.if_then(self.b.icmp_unsigned("==", self.memory, POINTER(None)), likely=False):
            self.fail_if(self.b.icmp_unsigned("==", self.python("PyErr_NoMemory"), POINTER(None)))

    def cell(self) -> ll.Value:
        """Where the block is kept between calls."""
        self.addresses["memory"] = ctypes.addressof(self.block_memory.cell)
        found = self.module.globals.get("memory")
        return ll.GlobalVariable(self.module, I64, "memory") if found is None else found

    def is_long(self) -> bool:
        """Whether there is enough to do to give the GIL away."""
        return self.work(self.graph.block) > LONG_WORK

    def work(self, block: Block) -> float:
        """What a block may take, in nanoseconds."""
        total = 0.0
        for node in block.nodes:
            inside = sum(map(self.work, node.blocks))
            if node.kind == LOOP:
                trips = node.inputs[0].constant()
                inside *= trips if trips is not None and trips < 2**62 else UNKNOWN_TRIPS
            total += inside + nanoseconds(self.plan.actions.get(node))
        return total

    def hold_arguments(self) -> None:
        """While other threads run, nobody may take the arrays away."""
        for _, array in self.given.values():
            if array is None:
                continue
            self.python("Py_IncRef", array)
            self.b.store(array, self.owned_slot())

    def release_all(self, builder: ll.IRBuilder) -> None:
        super().release_all(builder)
        count = self.helper("jitlang_count_writes", VOID, [POINTER, I64, I64])
        for slots in self.counted.values():
            places = (slots.tensor, slots.directly, slots.through_views)
            builder.call(count, [builder.load(place) for place in places])
        if self.taken is not None:
            self.give_memory(builder, builder.load(self.taken))

    def give_memory(self, builder: ll.IRBuilder, block: ll.Value) -> None:
        """Leave the block to the next call, or free it."""
        if self.storage.size <= MAX_KEPT:
            left = builder.ptrtoint(block, I64)
            before = builder.atomic_rmw("xchg", self.cell(), left, "seq_cst")
            block = builder.inttoptr(before, POINTER)
        free = self.declare("free", ll.FunctionType(VOID, [POINTER]))
        builder.call(free, [block])

    # Out ----------------------------------------------------------------------------------------

    def node(self, node: Node) -> None:
        if node.kind == REQUIRE:
            self.unless(self.load(node.inputs[0]), self.missing(releases=True))
        else:
            super().node(node)

    def loop(self, node: Node) -> None:
        super().loop(node)
        if node in self.frame.leaving.loops:
            trips = self.b.load(self.slot(node.blocks[0].inputs[0]))
            did_run = self.b.icmp_signed(">", trips, I64(0))
            self.unless(did_run, self.missing(releases=True))

    def leave(self) -> ll.Value:
        self.copy_results()
        self.take_gil()
        self.released = None
        return self.leaving(self.graph.outputs[0])
