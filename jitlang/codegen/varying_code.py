"""Native functions for tensors whose sizes vary: see `varying.py` for the plan.

The sizes are read from the arguments and compared. Every amount is computed from them where it is
used. All of them are below 2**`MAX_BITS`: else the function returns MISS, as it does for sizes
below those that the plan holds for. The memory of a call is laid out when sizes are known: buffers
that are never live together share a layer, and layers lie one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir as ll

from ..ir.graph import Node, Value
from .actions import LIST, Multiply, Plan, Run
from .amounts import Amount, terms_of
from .blas import MAX_SIZE
from .cpython import I32, POINTER, VOID
from .guards import Guard, NumberGuard, VaryingGuard
from .host import POLL_INTERVAL
from .launch import PARALLEL_NANOSECONDS, Call, nanoseconds_of
from .multiplying import FLOPS_PER_NANOSECOND
from .native import LONG_WORK, Frame, NativeEmitter
from .scalar import DOUBLE, I64
from .storage import ALIGNMENT, Buffer

MAX_BITS = 56
"""All bytes, counts and strides are below 2**56, so that sums of a few do not wrap."""
SMALLEST_BLOCK = 1 << 16
"""Blocks of memory have powers of two bytes from here on: the cache finds them again."""
HEADER = 64
"""What the cache of memory adds to a block."""
POLLED_TRIPS = 64
"""Trips of a loop between two looks at signals."""


class VaryingEmitter(NativeEmitter):
    """Emits such a function.

    Args:
        smallest: for each varying size from where on the plan holds.
        counts: the ints that are such sizes, the last ones.
    """

    def __init__(
        self,
        frame: Frame,
        callback_of: Callable[[Node], Callable[..., Any]],
        smallest: Sequence[int],
        counts: Sequence[Value],
    ) -> None:
        super().__init__(frame, callback_of)
        self.smallest = smallest
        first = len(smallest) - len(counts)
        self.counts = {value: first + place for place, value in enumerate(counts)}
        self.sizes: dict[int, ll.Value] = {}
        self.layers: dict[Buffer, ll.Value] = {}

    # Numbers ------------------------------------------------------------------------------------

    def number(self, number: int) -> ll.Value:
        if not isinstance(number, Amount):
            return I64(number)
        total: ll.Value | None = None
        for factor, sizes in number.terms:
            term: ll.Value | None = None
            for size in sizes:
                term = self.sizes[size] if term is None else self.b.mul(term, self.sizes[size])
            if term is None:
                term = I64(factor)
            elif factor != 1:
                term = self.b.mul(term, I64(factor))
            total = term if total is None else self.b.add(total, term)
        return I64(0) if total is None else total

    def words(self, numbers: Sequence[int]) -> ll.Value:
        if not any(isinstance(number, Amount) for number in numbers):
            return super().words(numbers)
        return self.vector([self.number(number) for number in numbers])

    # In -----------------------------------------------------------------------------------------

    def enter(self) -> None:
        super().enter()
        self.hold_arguments()

    def is_reused(self, value: Value) -> bool:
        return False

    def test(self, guard: Guard, given: ll.Value) -> None:
        if isinstance(guard, VaryingGuard):
            self.test_varying(guard, given)
        else:
            super().test(guard, given)
        if isinstance(guard, NumberGuard) and guard.value in self.counts:
            self.take_size(self.counts[guard.value], self.load(guard.value))

    def take_size(self, number: int, size: ll.Value) -> None:
        """A size of the call; the plan may not hold for small ones."""
        self.sizes[number] = size
        self.unless(self.b.icmp_signed(">=", size, I64(self.smallest[number])), self.miss)

    def test_varying(self, guard: VaryingGuard, given: ll.Value) -> None:
        """Test a tensor, and read the sizes that come with it first."""
        array = self.array_in(guard, given)
        dtype, rank = self.object(guard.dtype.numpy), I64(len(guard.shape))
        read = self.helper("jitlang_sizes", POINTER, [POINTER, POINTER, I64])
        dims = self.b.call(read, [array, dtype, rank])
        self.unless(self.b.icmp_unsigned("!=", dims, POINTER(None)), self.miss)
        for dim, number in enumerate(guard.shape):
            if number < 0 and -1 - number not in self.sizes:
                place = self.b.gep(self.b.bitcast(dims, I64.as_pointer()), [I64(dim)])
                self.take_size(-1 - number, self.b.load(place))
        form = self.plan.forms[guard.value]
        layout = (self.words(form.shape), self.words(form.strides))
        test = self.helper("jitlang_array_is", I32, [POINTER, POINTER, I64, POINTER, POINTER])
        fits = self.b.call(test, [array, dtype, rank, *layout])
        self.unless(self.b.icmp_signed("!=", fits, I32(0)), self.miss)
        self.take_array(guard, given, array)

    def extent(self, value: Value) -> tuple[ll.Value, ll.Value]:
        return I64(0), self.number(self.plan.forms[value].nbytes)  # arguments are contiguous

    def take_memory(self) -> None:
        """Refuse what is too large, lay out the block and allocate it."""
        for amount in _largest(_amounts_of(self.plan)):
            self.refuse_large(amount, 1 << MAX_BITS)
        for amount in _largest(_sizes_of_products(self.plan)):
            self.refuse_large(amount, MAX_SIZE + 1)
        total = I64(0)
        for layer in self.storage.layers():
            room = I64(0)
            for size in {buffer.size: buffer.size for buffer in layer}.values():
                bytes_ = self.number(size)
                room = self.b.select(self.b.icmp_signed(">", bytes_, room), bytes_, room)
            room = self.b.and_(self.b.add(room, I64(ALIGNMENT - 1)), I64(-ALIGNMENT))
            self.layers |= dict.fromkeys(layer, total)
            total = self.b.add(total, room)
        if self.layers:
            self.allocate(total)

    def refuse_large(self, amount: int, limit: int) -> None:
        """Return MISS where an amount is not below a limit."""
        for factor, sizes in terms_of(amount):
            product = ll.Constant(DOUBLE, float(abs(factor)))
            for size in sizes:
                product = self.b.fmul(product, self.b.sitofp(self.sizes[size], DOUBLE))
            fits = self.b.fcmp_ordered("<", product, ll.Constant(DOUBLE, float(limit)))
            self.unless(fits, self.missing(releases=True))

    def allocate(self, size: ll.Value) -> None:
        """Take the block of memory for a call from the cache."""
        self.taken = self.pointer_slot()
        least = self.b.add(size, I64(HEADER - 1))
        count = self.declare("llvm.ctlz.i64", ll.FunctionType(I64, [I64, ll.IntType(1)]))
        bits = self.b.sub(I64(64), self.b.call(count, [least, ll.IntType(1)(0)]))
        power = self.b.shl(I64(1), bits)
        is_small = self.b.icmp_signed("<", power, I64(SMALLEST_BLOCK))
        power = self.b.select(is_small, I64(SMALLEST_BLOCK), power)
        take = self.helper("jitlang_allocate", POINTER, [I64])
        self.b.store(self.b.call(take, [self.b.sub(power, I64(HEADER))]), self.taken)
        self.memory = self.b.load(self.taken)
        with self.b.if_then(self.b.icmp_unsigned("==", self.memory, POINTER(None)), likely=False):
            self.fail_if(self.b.icmp_unsigned("==", self.python("PyErr_NoMemory"), POINTER(None)))

    def give_memory(self, builder: ll.IRBuilder, block: ll.Value) -> None:
        builder.call(self.helper("jitlang_release", VOID, [POINTER]), [block])

    def place_in_block(self, buffer: Buffer) -> ll.Value:
        if buffer not in self.layers:
            return self.memory  # of no bytes
        return self.b.gep(self.memory, [self.layers[buffer]])

    # Work ---------------------------------------------------------------------------------------

    def is_long(self) -> bool:
        """Nobody knows; each kernel decides for itself."""
        return False

    def weight(self, loop: Node) -> int:
        return POLL_INTERVAL // POLLED_TRIPS

    def node(self, node: Node) -> None:
        readers = [use.node for use in node.outputs[0].uses] if node.kind == LIST else []
        if readers and all(reader in self.plan.actions for reader in readers):
            return  # a shape, which was read while planning
        super().node(node)

    def start(self, call: Call, kernel: ll.Function, tables: list[ll.Value]) -> ll.Value:
        """Run a kernel, without the GIL and in parallel where there is enough to do."""
        each = nanoseconds_of(call.kernel)
        count, line = self.number(call.count), self.line(call)
        is_long = self.b.icmp_signed(">", self.b.mul(count, line), I64(int(LONG_WORK / each)))
        status = self.entry.alloca(I32)
        with self.b.if_else(is_long, likely=False) as (long, short):
            with long, self.without_gil():
                self.b.store(self.start_long(call, count, line, kernel, tables), status)
            with short:
                self.b.store(self.b.call(kernel, [I64(0), count, *tables]), status)
        return self.b.load(status)

    def start_product(
        self, action: Multiply, function: ll.Function, arguments: list[ll.Value]
    ) -> None:
        each = self.number(action.flops)
        is_long = self.b.icmp_signed(">", each, I64(int(LONG_WORK * FLOPS_PER_NANOSECOND)))
        with self.b.if_else(is_long, likely=False) as (long, short):
            with long, self.without_gil():
                self.b.call(function, arguments)
            with short:
                self.b.call(function, arguments)

    def line(self, call: Call) -> ll.Value:
        """What one step of a call's range counts as, in elements."""
        if type(call.grain) is int and call.grain <= 1:
            return I64(1)
        grain, lanes = self.number(call.grain), I64(call.kernel.shape.lanes)
        return self.b.select(self.b.icmp_signed(">", grain, lanes), grain, lanes)

    def start_long(
        self, call: Call, count: ll.Value, line: ll.Value, kernel: ll.Function,
        tables: list[ll.Value],
    ) -> ll.Value:  # fmt: skip
        if call.kernel.plan.is_ordered:
            return self.b.call(kernel, [I64(0), count, *tables])
        unit = 1024 if call.grain == 1 else max(call.kernel.layout.across, 1)
        elements = int(PARALLEL_NANOSECONDS / 2 / nanoseconds_of(call.kernel))
        units = self.b.udiv(self.b.udiv(I64(elements), line), I64(unit))
        chunk = self.b.mul(self.b.add(units, I64(1)), I64(unit))
        start = self.b.bitcast(kernel, POINTER)
        given = [start, count, chunk, *tables, self.number(call.scratch)]
        return self.b.call(self.parallel(), given)

    @contextmanager
    def without_gil(self) -> Iterator[None]:
        """Let other threads run meanwhile."""
        self.released = self.entry.alloca(POINTER)
        self.release_gil()
        yield
        self.take_gil()
        self.released = None


def _amounts_of(plan: Plan) -> Iterator[int]:
    """The largest numbers of a plan: all others are parts of these."""
    for form in plan.forms.values():
        yield form.nbytes
    for action in plan.actions.values():
        if isinstance(action, Multiply):
            yield action.flops
        if isinstance(action, Run):
            for call in action.launch.calls:
                yield from (call.count * call.grain, call.scratch * call.threads)
            for array in action.launch.temporaries:
                yield array.nbytes


def _sizes_of_products(plan: Plan) -> Iterator[int]:
    """What may be too large for a BLAS."""
    for action in plan.actions.values():
        if isinstance(action, Multiply) and action.product.kind == "blas":
            yield from action.product.sizes[:6]


def _largest(amounts: Iterable[int]) -> list[Amount]:
    """Of these amounts those that no other exceeds whatever the sizes, as single terms."""
    terms: dict[tuple[int, ...], int] = {}
    for amount in amounts:
        for factor, sizes in terms_of(amount):
            terms[sizes] = max(terms.get(sizes, 0), abs(factor))
    found = []
    for sizes, factor in terms.items():
        others = [s for s, f in terms.items() if s != sizes and f >= factor]
        if sizes and not any(_is_part(sizes, other) for other in others):
            found.append(Amount(0, ((factor, sizes),)))
    return found


def _is_part(sizes: Sequence[int], other: Sequence[int]) -> bool:
    return all(sizes.count(size) <= other.count(size) for size in sizes)
