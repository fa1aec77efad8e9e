"""Native code for tensors of known form: the actions of a plan.

A tensor is a pointer to its first element; all else about it is in its form. Structure and scalars
are those of `HostEmitter`. A tensor that a loop carries has a pointer to the memory of this trip
and one to that of the next: at the end of a trip the new value is there already, or is copied, and
the pointers change places.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir as ll

from .. import dtypes
from ..dtypes import DType
from ..errors import attach_script_stack
from ..fuser.partition import SUBGRAPH
from ..ir import types as ty
from ..ir.graph import LOOP, UNINITIALIZED, Graph, Node, Value
from ..ops.generator import default_generator
from . import MISS, objects
from .actions import (
    Action,
    Allocate,
    Assign,
    Call,
    Copy,
    Count,
    Fill,
    Index,
    Item,
    Length,
    Multiply,
    Part,
    Pick,
    Plan,
    Reserve,
    Run,
    Select,
    Store,
    View,
    Wrap,
    Write,
    fresh_values,
)
from .copying import emit_copy, emit_count
from .cpython import I32, POINTER, POINTERS, VOID
from .fused import run_reference
from .host import POLL_INTERVAL, HostEmitter
from .inlining import is_of_one, with_definition
from .launch import Call as KernelCall
from .launch import Place
from .multiplying import FLOPS_PER_NANOSECOND
from .reference import reference_kernel
from .scalar import DOUBLE, I1, I64
from .storage import Buffer, Storage
from .threads import parallel_address
from .writing import may_overflow

_POLL_NANOSECONDS = 10_000_000
"""How long the trips between two looks at signals may take together, roughly."""
CALL_NANOSECONDS = 3000.0
NUMPY_SUBSCRIPTS = frozenset((
    "jit::element", "jit::array_item", "jit::numpy_index", "jit::array_store", "jit::numpy_store",
))  # fmt: skip
KERNEL_PARAMETERS = [I64, I64, *[POINTER] * 5]
_FLOATS = {4: ll.FloatType(), 8: ll.DoubleType()}


class TensorEmitter(HostEmitter):
    """Emits the nodes of one graph.

    Attributes:
        addresses: what the code imports beside CPython's functions, by symbol.
        kept: objects that the code needs alive.
    """

    def __init__(
        self,
        graph: Graph,
        callback_of: Callable[[Node], Callable[..., Any]],
        plan: Plan,
        storage: Storage,
    ) -> None:
        super().__init__(graph, callback_of)
        self.plan = plan
        self.storage = storage
        self.borrowed |= set(plan.forms) | set(plan.displays)
        self.addresses: dict[str, int] = {}
        self.kept: list[Any] = []
        self.memory = POINTER(None)
        self.arrays: dict[Value, ll.Value] = {}
        self.elements: dict[Buffer, ll.Value] = {}
        self.following: dict[Value, ll.AllocaInstr] = {}
        self.forwarded = _written_ahead(graph, plan)
        self.definitions: dict[str, ll.Function] = {}  # of what is inlined, by its text

    # Plumbing -----------------------------------------------------------------------------------

    def imported(self, name: str, address: int, result: ll.Type, parameters: list[ll.Type]) -> Any:
        """A function of the host."""
        self.addresses[name] = address
        return self.declare(name, ll.FunctionType(result, parameters))

    def helper(self, name: str, result: ll.Type, parameters: list[ll.Type]) -> Any:
        """A function over objects."""
        return self.imported(name, objects.imports()[name], result, parameters)

    def number(self, number: int) -> ll.Value:
        """A number that forms tell: a size, a stride, a count."""
        return I64(number)

    def words(self, numbers: Sequence[int]) -> ll.Value:
        """A constant table of 64-bit words, as a pointer; NULL for none."""
        if not numbers:
            return POINTER(None)
        kind = ll.ArrayType(I64, len(numbers))
        name = "words_" + "_".join(map(str, numbers)).replace("-", "m")
        table = self.module.globals.get(name)
        if table is None:
            table = ll.GlobalVariable(self.module, kind, name)
            table.linkage, table.global_constant = "internal", True
            table.initializer = ll.Constant(kind, list(numbers))
        return self.b.bitcast(table, POINTER)

    def advanced(self, pointer: ll.Value, offset: int) -> ll.Value:
        """A pointer some bytes further."""
        return self.b.gep(pointer, [self.number(offset)]) if offset else pointer

    def place(self, buffer: Buffer) -> ll.Value:
        """Where a buffer begins."""
        if not buffer.is_element:
            return self.place_in_block(buffer)
        if buffer not in self.elements:
            variable = self.entry.alloca(ll.IntType(8 * buffer.size))
            self.elements[buffer] = self.entry.bitcast(variable, POINTER)
        return self.elements[buffer]

    def place_in_block(self, buffer: Buffer) -> ll.Value:
        """Where a buffer of the block begins."""
        return self.advanced(self.memory, buffer.offset)

    def unless(self, condition: ll.Value, target: ll.Block) -> None:
        """Go to the block unless the condition holds."""
        following = self.b.append_basic_block("fits")
        self.b.cbranch(condition, following, target)
        self.b.position_at_end(following)

    def missing(self, *, releases: bool) -> ll.Block:
        """A block that returns MISS; `releases`: after giving back what is owned."""
        block = self.function.append_basic_block("miss")
        with self.at(block):
            if releases:
                self.take_gil()
                self.stop_handling_all()
                self.release_all(self.b)
            marker = self.object(MISS)
            self.b.call(self.declare("Py_IncRef", ll.FunctionType(VOID, [POINTER])), [marker])
            self.b.ret(marker)
        return block

    def raising(self, raiser: Callable[..., Any], *given: ll.Value | Value) -> None:
        """Leave with the exception that a Python function raises, with its script stack."""
        with self.gil():
            boxed = [self.raised_with(value) for value in given]
            vector = self.vector(boxed) if boxed else POINTER(None)
            arguments = self.b.bitcast(vector, POINTER.as_pointer())
            callee, count = self.object(raiser), I64(len(given))
            made = self.python("PyObject_Vectorcall", callee, arguments, count, POINTER(None))
            for each in boxed:
                self.python("Py_DecRef", each)
            self.checked_object(made)

    def raised_with(self, value: ll.Value | Value) -> ll.Value:
        """An argument of a Python function that raises."""
        if isinstance(value, Value):
            return self.as_object(value)
        return self.checked_object(self.box(value))

    # Values -------------------------------------------------------------------------------------

    def load(self, value: Value) -> ll.Value:
        if value in self.plan.forms:
            return self.b.load(self.slot(value))
        return super().load(value)

    def copy(self, target: Value, source: Value) -> None:
        if target not in self.plan.forms:
            super().copy(target, source)
        elif source.node.kind != UNINITIALIZED:
            self.b.store(self.load(source), self.slot(target))

    def begin(self, value: Value) -> ll.Value:
        """Where a fresh value is written; it lies there from now on."""
        pointer = self.memory_of(value)
        self.b.store(pointer, self.slot(value))
        return pointer

    def memory_of(self, value: Value) -> ll.Value:
        if value in self.arrays:
            return self.arrays[value]
        if value in self.forwarded:
            return self.b.load(self.following[self.forwarded[value]])
        if value in self.plan.there:
            return self.load(self.plan.there[value])
        return self.place(self.storage.buffers[value])

    # Loops --------------------------------------------------------------------------------------

    def begin_carrying(self, target: Value, source: Value) -> None:
        if target not in self.plan.forms:
            super().begin_carrying(target, source)
            return
        now, following = map(self.place, self.storage.carried[target])
        if self.is_element(target):
            self.b.store(now, self.slot(target))
            self.carry(target, self.element_in(source))
            return
        self.following[target] = self.entry.alloca(POINTER)
        self.write(target, now, source)
        self.b.store(now, self.slot(target))
        self.b.store(following, self.following[target])

    def is_element(self, value: Value) -> bool:
        """Whether a loop carries a tensor without dimensions."""
        return self.storage.carried[value][0].is_element

    def element_in(self, value: Value) -> ll.Value:
        """The bits of the one element of a tensor."""
        kind = ll.IntType(8 * self.plan.forms[value].dtype.itemsize)
        return self.b.load(self.b.bitcast(self.load(value), kind.as_pointer()), align=1)

    def write(self, target: Value, pointer: ll.Value, source: Value) -> None:
        """Copy a value to where a carried tensor lies."""
        form, given = self.plan.forms[target], self.plan.forms[source]
        emit_copy(
            self.b, pointer, form.strides, self.load(source), given.strides, form.shape,
            form.dtype.itemsize, self.number,
        )  # fmt: skip

    def end_value(self, target: Value, source: Value) -> ll.Value | None:
        if target not in self.plan.forms or source.node.kind == UNINITIALIZED:
            return super().end_value(target, source)
        if self.is_element(target):
            return self.element_in(source)
        following = self.b.load(self.following[target])
        if self.forwarded.get(source) is not target:
            self.write(target, following, source)
        return following

    def carry(self, target: Value, end: ll.Value) -> None:
        if target not in self.plan.forms:
            super().carry(target, end)
            return
        if self.is_element(target):
            self.b.store(end, self.b.bitcast(self.load(target), end.type.as_pointer()))
            return
        self.b.store(self.load(target), self.following[target])
        self.b.store(end, self.slot(target))

    def weight(self, loop: Node) -> int:
        trip = sum(nanoseconds(self.plan.actions.get(node)) for node in loop.walk())
        return max(1, min(POLL_INTERVAL, int(POLL_INTERVAL * trip / _POLL_NANOSECONDS)))

    # Actions ------------------------------------------------------------------------------------

    def node(self, node: Node) -> None:
        action = self.plan.actions.get(node)
        if action is None:
            super().node(node)
        elif isinstance(action, View):
            source = self.load(action.source)
            for output, offset in zip(node.outputs, action.offsets, strict=True):
                self.b.store(self.advanced(source, offset), self.slot(output))
        elif isinstance(action, Select):
            place = self.pointed(node, action.source, action.offset, action.indices)
            self.b.store(place, self.slot(node.output))
        elif isinstance(action, Pick):
            place = self.pointed(node, action.source, action.offset, action.indices)
            kind = ll.IntType(8 * self.plan.forms[action.output].dtype.itemsize)
            element = self.b.load(self.b.bitcast(place, kind.as_pointer()), align=1)
            target = self.b.bitcast(self.begin(action.output), kind.as_pointer())
            self.b.store(element, target)
        elif isinstance(action, Run):
            self.run(node, action)
        elif isinstance(action, Copy):
            target = self.begin(action.output)
            for part in action.parts:
                self.copy_part(target, part)
        elif isinstance(action, Allocate):
            self.begin(action.output)
        elif isinstance(action, Fill):
            self.fill(action)
        elif isinstance(action, Count):
            form = self.plan.forms[action.output]
            kind = ll.IntType(8 * form.dtype.itemsize)
            emit_count(self.b, self.begin(action.output), self.number(form.size), kind)
        elif isinstance(action, Wrap):
            form = self.plan.forms[action.output]
            element = self.element(self.load(action.number), form.dtype)
            target = self.b.bitcast(self.begin(action.output), element.type.as_pointer())
            self.b.store(element, target)
        elif isinstance(action, Store):
            target = self.pointed(node, action.target, 0, action.indices)
            self.copy_part(target, action.part)
            self.wrote(action.target)
        elif isinstance(action, Write):
            if action.part.source not in self.plan.there:
                self.copy_part(self.load(action.target), action.part)
            self.wrote(action.target)
        elif isinstance(action, Assign):
            self.assign(node, action)
            self.wrote(action.target)
        elif isinstance(action, Multiply):
            self.multiply(node, action)
        elif isinstance(action, Call):
            self.call(node, action)
        elif isinstance(action, Item):
            made = self.item(action.source, node.output.type)
            is_boxed = node.output.type is ty.NUMBER
            self.store(node.output, self.checked_object(self.box(made)) if is_boxed else made)
        elif isinstance(action, Length):
            self.store(node.output, self.number(action.size))
        elif isinstance(action, Reserve):
            self.reserve(node, action)

    def pointed(self, node: Node, array: Value, offset: int, indices: Sequence[Index]) -> ll.Value:
        """A pointer into a tensor, where computed indices say."""
        place = self.number(offset)
        for index in indices:
            step = self.b.mul(self.checked_index(node, array, index), self.number(index.step))
            place = self.b.add(place, step)
        return self.b.gep(self.load(array), [place])

    def checked_index(self, node: Node, array: Value, index: Index) -> ll.Value:
        """An index counted from the front; one out of range raises."""
        given = self.load(index.value)
        count = self.number(index.size)
        is_negative = self.b.icmp_signed("<", given, I64(0))
        place = self.b.select(is_negative, self.b.add(given, count), given)
        is_out = self.b.icmp_unsigned(">=", place, count)
        self.refuse_index(node, array, index, is_out)
        return place

    def refuse_index(self, node: Node, array: Value, index: Index, is_out: ll.Value) -> None:
        """Raise for an index out of range."""
        with self.b.if_then(is_out, likely=False):
            shape = self.plan.forms[array].shape
            is_of_tensor = node.kind == "aten::select" or node.kind in NUMPY_SUBSCRIPTS
            sizes = map(self.number, shape if is_of_tensor else (index.size,))
            raiser = _placed(_out_of_range(node, index.axis), node)
            self.raising(raiser, self.load(index.value), *sizes)

    def copy_part(self, target: ll.Value, part: Part) -> None:
        where = self.advanced(target, part.offset)
        itemsize = self.plan.forms[part.source].dtype.itemsize
        source = self.load(part.source)
        emit_copy(self.b, where, part.written, source, part.read, part.shape, itemsize, self.number)

    def fill(self, action: Fill) -> None:
        """Write one element everywhere."""
        form = self.plan.forms[action.output]
        kind = ll.ArrayType(ll.IntType(8), len(action.element))
        element = ll.GlobalVariable(self.module, kind, self.module.get_unique_name("element"))
        element.linkage, element.global_constant = "internal", True
        element.initializer = ll.Constant(kind, bytearray(action.element))
        source, still = self.b.bitcast(element, POINTER), (0,) * len(form.shape)
        target = self.begin(action.output)
        emit_copy(
            self.b, target, form.strides, source, still, form.shape, form.dtype.itemsize,
            self.number,
        )  # fmt: skip

    def assign(self, node: Node, action: Assign) -> None:
        """Copy a number to all elements."""
        form, itemsize = action.form, action.form.dtype.itemsize
        kind = ll.IntType(8 * itemsize)
        number = ll.Constant(kind, 0)
        target = self.pointed(node, action.target, action.offset, action.indices)
        if action.number is not None:
            given = self.load(action.number)
            if may_overflow(action.number, form.dtype):
                self.refuse_overflow(node, given, form.dtype)
            number = self.element(given, form.dtype)
        place = self.entry.alloca(number.type)
        self.b.store(number, place)
        source, still = self.b.bitcast(place, POINTER), [0] * len(form.shape)
        emit_copy(self.b, target, form.strides, source, still, form.shape, itemsize, self.number)

    def refuse_overflow(self, node: Node, number: ll.Value, dtype: DType) -> None:
        """Raise what NumPy raises for an int that a dtype does not hold."""
        limits = dtypes.iinfo(dtype)
        low, high = I64(limits.min), I64(min(limits.max, dtypes.iinfo(dtypes.int64).max))
        is_low = self.b.icmp_signed("<", number, low)
        is_out = self.b.or_(is_low, self.b.icmp_signed(">", number, high))
        with self.b.if_then(is_out, likely=False):
            self.raising(_placed(_stored_in(dtype), node), number)

    def element(self, number: ll.Value, dtype: DType) -> ll.Value:
        """A number as an element of a dtype that holds it."""
        if not dtype.is_floating_point:
            kind = ll.IntType(8 * dtype.itemsize)
            if number.type.width > kind.width:
                return self.b.trunc(number, kind)
            return number if number.type == kind else self.b.zext(number, kind)
        if number.type != DOUBLE:
            number = (self.b.uitofp if number.type == I1 else self.b.sitofp)(number, DOUBLE)
        return self.b.fptrunc(number, _FLOATS[4]) if dtype.itemsize == 4 else number

    def wrote(self, target: Value) -> None:
        """What a tensor shows has been written."""

    def item(self, source: Value, wanted: ty.Type) -> ll.Value:
        """The one element of a tensor as a number."""
        dtype = self.plan.forms[source].dtype
        pointer = self.load(source)
        if dtype.is_floating_point:
            kind = _FLOATS[dtype.itemsize]
            value = self.b.load(self.b.bitcast(pointer, kind.as_pointer()))
            if wanted is ty.BOOL:
                return self.b.fcmp_unordered("!=", value, ll.Constant(kind, 0.0))
            if wanted is ty.INT:
                return self.b.fptosi(value, I64)
            return self.b.fpext(value, DOUBLE) if dtype.itemsize == 4 else value
        if dtype is dtypes.bool_ and wanted in (ty.NUMBER, ty.BOOL):
            byte = self.b.load(pointer)
            return self.b.icmp_unsigned("!=", byte, ll.Constant(byte.type, 0))
        kind = ll.IntType(8 * dtype.itemsize)
        value = self.b.load(self.b.bitcast(pointer, kind.as_pointer()))
        if kind != I64:
            value = (self.b.sext if dtype.is_signed else self.b.zext)(value, I64)
        if wanted is ty.FLOAT:
            return self.b.sitofp(value, DOUBLE)
        return self.b.icmp_signed("!=", value, I64(0)) if wanted is ty.BOOL else value

    # Draws --------------------------------------------------------------------------------------

    def reserve(self, node: Node, action: Reserve) -> None:
        """Advance the default generator, holding its lock as all do that change it."""
        with self.gil():
            self.call_without_arguments(default_generator.lock.acquire)
            for place, value in enumerate(node.outputs):
                self.store(value, self.b.load(self.b.gep(self.generator_state(), [I64(place)])))
            _, offset = map(self.load, node.outputs)
            blocks = self.b.lshr(self.b.add(self.number(action.size), I64(3)), I64(2))
            after = self.b.add(offset, blocks)
            self.b.store(after, self.b.gep(self.generator_state(), [I64(1)]))
            self.call_without_arguments(default_generator.lock.release)

    def call_without_arguments(self, callee: Callable[[], Any]) -> None:
        """Call an object for what it does."""
        given = [self.object(callee), POINTERS(None), I64(0), POINTER(None)]
        self.python("Py_DecRef", self.checked_object(self.python("PyObject_Vectorcall", *given)))

    def generator_state(self) -> ll.Value:
        """Where the default generator has its seed and its offset."""
        self.addresses["generator_state"], _ = default_generator.state.buffer_info()
        found = self.module.globals.get("generator_state")
        return found or ll.GlobalVariable(self.module, I64, "generator_state")

    # Calls --------------------------------------------------------------------------------------

    def call(self, node: Node, action: Call) -> None:
        """Call a reference kernel; the function gives up where that gives another layout."""
        self.called_back.append(node)
        for value in action.outputs:
            self.begin(value)
        with self.gil():
            given = [self.as_object(value) for value in (*action.inputs, *action.outputs)]
            vector = self.b.bitcast(self.vector(given), POINTER.as_pointer())
            callee, count = self.object(action.function), I64(len(given))
            made = self.python("PyObject_Vectorcall", callee, vector, count, POINTER(None))
            for each in given:
                self.python("Py_DecRef", each)
            self.checked_object(made)
            went_well = self.python("PyObject_IsTrue", made)
            self.python("Py_DecRef", made)
        self.unless(self.b.icmp_signed(">", went_well, I32(0)), self.missing(releases=True))

    def as_object(self, value: Value) -> ll.Value:
        """A new reference to a number, or to an array over a tensor's memory."""
        loaded = self.load(value)
        form = self.plan.forms.get(value)
        if form is None:
            return self.checked_object(self.box(loaded))
        wrap = self.helper("jitlang_wrap", POINTER, [POINTER, POINTER, I64, POINTER, POINTER])
        layout = (I64(len(form.shape)), self.words(form.shape), self.words(form.strides))
        made = self.b.call(wrap, [loaded, self.object(form.dtype.numpy), *layout])
        return self.checked_object(made)

    @contextmanager
    def gil(self) -> Iterator[None]:
        """Hold the GIL for a while."""
        self.take_gil()
        released, self.released = self.released, None
        yield
        self.released = released
        self.release_gil()

    # Products -----------------------------------------------------------------------------------

    def multiply(self, node: Node, action: Multiply) -> None:
        target = self.begin(action.output)
        if action.bias is not None:
            self.copy_part(target, action.bias)
        product = action.product
        self.kept.append(product.kept)
        sizes = [self.words(product.sizes)] if product.sizes else []
        parameters = [POINTER] * (4 + len(sizes))
        function = self.imported(product.symbol, product.address, VOID, parameters)
        packed = self.storage.packed.get(node)
        left = self.load(action.left)
        right = self.load(action.right) if packed is None else self.place(packed)
        scratch = self.place(self.storage.temporaries[node][0])
        for a, b, c in action.batches:
            matrices = (self.advanced(left, a), self.advanced(right, b), self.advanced(target, c))
            self.start_product(action, function, [*matrices, scratch, *sizes])

    def start_product(
        self, action: Multiply, function: ll.Function, arguments: list[ll.Value]
    ) -> None:
        """Compute one of the products of an action."""
        self.b.call(function, arguments)

    def loop(self, node: Node) -> None:
        for inner in node.walk():
            action = self.plan.actions.get(inner)
            if isinstance(action, Multiply) and action.packing is node:
                self.pack(action, self.storage.packed[inner])
        super().loop(node)

    def pack(self, action: Multiply, packed: Buffer) -> None:
        """Bring the right matrix of a product into the order in which it is read."""
        product = action.product
        name = f"pack.{product.symbol}"
        function = self.imported(name, product.pack_address, VOID, [POINTER] * 2)
        self.b.call(function, [self.load(action.right), self.place(packed)])

    # Kernels ------------------------------------------------------------------------------------

    def run(self, node: Node, action: Run) -> None:
        """The kernels of a group, one after the other."""
        for value in action.results:
            self.begin(value)
        memory = self.storage.temporaries[node]
        arrays = len(action.launch.temporaries)
        for number, call in enumerate(action.launch.calls):
            if call.count:
                scratch = memory[arrays + number]
                self.kernel_call(node, action, call, memory, scratch if call.scratch else None)

    def kernel_call(
        self,
        node: Node,
        action: Run,
        call: KernelCall,
        temporaries: Sequence[Buffer],
        scratch: Buffer | None,
    ) -> None:
        kernel = self.inlined(call) if is_of_one(call) else self.kernel(call)
        status = self.start(call, kernel, self.tables(action, call, temporaries, scratch))
        self.raise_if(self.b.icmp_signed("!=", status, I32(0)), node)

    def tables(
        self, action: Run, call: KernelCall, temporaries: Sequence[Buffer], scratch: Buffer | None
    ) -> list[ll.Value]:
        """What a kernel is called with beside the range."""
        pointers = [self.pointer(action, place, temporaries) for place in call.places]
        arrays = self.vector(pointers)
        scalars = self.vector([self.word(action.arguments[slot]) for slot in call.slots])
        return [
            arrays, self.words(call.sizes), self.words(call.strides), scalars,
            self.place(scratch) if scratch is not None else POINTER(None),
        ]  # fmt: skip

    def raise_if(self, has_refused: ll.Value, group: Node) -> None:
        """Raise what the reference kernels of a group raise, where its kernels have refused."""
        with self.b.if_then(has_refused, likely=False):
            given = [v for v in group.inputs if not v.is_constant or v in self.plan.forms]
            self.raising(_reference_of(group, given), *given)

    def kernel(self, call: KernelCall) -> ll.Function:
        """A kernel that is compiled by itself."""
        address = ctypes.cast(call.kernel.function, ctypes.c_void_p).value
        assert address is not None
        self.kept.append(call.kernel)
        return self.imported(f"kernel{len(self.kept)}", address, I32, KERNEL_PARAMETERS)

    def inlined(self, call: KernelCall) -> ll.Function:
        """A kernel whose text becomes part of this module, where LLVM sees what it reads."""
        text = call.kernel.text_of_one
        if text not in self.definitions:
            name = f"element{len(self.definitions)}"
            type_ = ll.FunctionType(I32, KERNEL_PARAMETERS)
            self.definitions[text] = ll.Function(self.module, type_, name)
        return self.definitions[text]

    def emit(self) -> str:
        text = super().emit()
        for kernel, function in self.definitions.items():
            text = with_definition(text, function.name, kernel)
        return text

    def start(self, call: KernelCall, kernel: ll.Function, tables: list[ll.Value]) -> ll.Value:
        """Run a kernel, in parallel where that pays; returns its status."""
        if call.threads == 1:
            return self.b.call(kernel, [I64(0), I64(call.count), *tables])
        start = self.b.bitcast(kernel, POINTER)
        given = [start, I64(call.count), I64(call.chunk), *tables, I64(call.scratch)]
        return self.b.call(self.parallel(call.wakes), given)

    def parallel(self, wakes: bool = True) -> ll.Function:
        """What runs a kernel on all threads, or on those that are awake."""
        name = "jitlang_parallel" if wakes else "jitlang_parallel_if_awake"
        parameters = [POINTER, I64, I64, *[POINTER] * 5, I64]
        found: ll.Function = self.imported(name, parallel_address(wakes), I32, parameters)
        return found

    def pointer(self, action: Run, place: Place, temporaries: Sequence[Buffer]) -> ll.Value:
        if place.kind == "draw":
            return self.b.inttoptr(self.number(place.offset), POINTER)
        if place.kind == "temporary":
            return self.advanced(self.place(temporaries[place.index]), place.offset)
        values = action.results if place.kind == "result" else action.arguments
        return self.advanced(self.load(values[place.index]), place.offset)

    def word(self, value: Value) -> ll.Value:
        """A number as a kernel takes it."""
        loaded = self.load(value)
        if loaded.type == DOUBLE:
            return self.b.bitcast(loaded, I64)
        return self.b.zext(loaded, I64) if loaded.type == I1 else loaded

    def vector(self, values: Sequence[ll.Value]) -> ll.Value:
        """Values of one type in memory, as a pointer; NULL for none."""
        if not values:
            return POINTER(None)
        made = self.entry.alloca(values[0].type, size=len(values))
        for index, value in enumerate(values):
            self.b.store(value, self.b.gep(made, [I64(index)]))
        return self.b.bitcast(made, POINTER)


def _out_of_range(node: Node, axis: int) -> Callable[..., Any]:
    """Raises what the reference kernel raises for an index along an axis of a tensor of some sizes,
    or of a list of one size.
    """
    assert node.op is not None
    if node.kind in NUMPY_SUBSCRIPTS:
        before = (slice(None),) * axis
        return lambda index, *shape: _shadow(shape)[(*before, index)]
    if node.kind != "aten::select":
        return lambda index, count: ([None] * count)[index]
    kernel, dim = reference_kernel(node, np), node.inputs[1].constant()
    return lambda index, *shape: kernel(_shadow(shape), dim, index)


def _stored_in(dtype: DType) -> Callable[..., Any]:
    """Raises what storing an int raises that a dtype does not hold."""
    return lambda number: np.zeros(1, dtype.numpy).__setitem__(0, number)


def _shadow(shape: Sequence[int]) -> Any:
    """An array of a shape that takes no memory."""
    return np.broadcast_to(np.empty(()), tuple(shape))


def _placed(raiser: Callable[..., Any], node: Node) -> Callable[..., Any]:
    """A function that raises, with the place of a node in the script as a note."""

    def with_stack(*arguments: Any) -> None:
        try:
            raiser(*arguments)
        except Exception as error:
            attach_script_stack(error, [*node.callstack, node.span])
            raise

    return with_stack


def _reference_of(group: Node, given: Sequence[Value]) -> Callable[..., Any]:
    """The reference kernels of a group, as a function of what comes with a call: they raise what
    its kernels have refused.
    """

    def run(*arguments: Any) -> None:
        found = dict(zip(given, arguments, strict=True))
        inputs = [found[v] if v in found else v.constant() for v in group.inputs]
        run_reference(group.attributes[SUBGRAPH], inputs)
        raise AssertionError("kernels refused what the reference kernels take")

    return run


def nanoseconds(action: Action | None) -> float:
    """What an action may take, roughly."""
    if isinstance(action, Run):
        return sum(50 + call.nanoseconds for call in action.launch.calls)
    if isinstance(action, Call):
        return CALL_NANOSECONDS
    if isinstance(action, Multiply):
        return 50 + action.flops / FLOPS_PER_NANOSECOND
    if isinstance(action, Write):
        return prod(action.part.shape) / 4
    if isinstance(action, Assign):
        return prod(action.form.shape) / 4
    if isinstance(action, Copy):
        return sum(prod(part.shape) for part in action.parts) / 4
    return 1.0


def _written_ahead(graph: Graph, plan: Plan) -> dict[Value, Value]:
    """Values that can be written where their loop's next trip reads them, by loop variable."""
    found: dict[Value, Value] = {}
    for loop in graph.find(LOOP):
        (body,) = loop.blocks
        for parameter, value in zip(body.inputs[1:], body.outputs[1:], strict=True):
            action = plan.actions.get(value.node)
            is_fresh = action is not None and value in fresh_values(action)
            is_fresh = is_fresh and bool(plan.forms[value].shape)
            is_here = value.node.block is body and body.outputs.count(value) == 1
            if is_fresh and is_here and plan.forms[value].is_contiguous:
                found[value] = parameter
    return found
