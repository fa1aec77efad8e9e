"""A loop plan becomes one LLVM function.

    i32 kernel(i64 begin, i64 end, ptr arrays, ptr sizes, ptr strides, ptr scalars, ptr scratch)

`arrays` holds the plan's outputs, then its inputs. The space has `layout.rank` dimensions with
`sizes`; `strides` holds, per array, as many strides in bytes. The last `layout.row_rank` dimensions
are the row, all others together are rows numbered in row-major order. [begin, end) are rows, or
elements where a plan over elements has only one dimension: callers split this range over threads.
After these tables follow, for each array that is reached through indices and each of these, the
size and the stride of the dimension that it goes along.
`scalars` are 8 bytes each, int64 or float64 as the plan's slots say (bool as 0 or 1). `scratch` is
as large as `scratch_bytes` says. The result is 0, or 1 where an integer was divided by zero or an
index was out of range.

Vectors lie along the last dimension, inside a row; or, where `layout.across` says how many lanes
there are, along the last dimension that is not of the row: then each lane has a row of its own, and
a reduction has nothing to combine in the end. The last vector is masked; where masks are cheap
(AVX-512) every one is, and the loop is written once. How an array runs along the dimension of the
vectors is part of the layout: next to each other, all the same, or strided.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..fuser.plan import (
    Apply,
    Convert,
    Count,
    Draw,
    Gather,
    Load,
    LoopPlan,
    Number,
    Option,
    Reduce,
    Ref,
    Slot,
    Statement,
    operands_of,
)
from ..ir.opdef import OPS
from ..ops.algebra import Expression
from ..ops.generator import random_bits
from ..ops.traits import execution_dtype
from .assembler import WIDE, Lane, constant, integer, register_type, stored_type
from .kernel_memory import CACHE_LINE, Access, Layout, MemoryWriter, Shape
from .lanes import LaneAlgebra
from .schedule import Phase

NAME = "kernel"
ALIGNED_VECTORS = 8
"""Vectors in a line from which on it pays to align them."""
HEADER = (
    "define i32 @kernel(i64 %begin, i64 %end, ptr noalias %arrays, ptr noalias %sizes, "
    f"ptr noalias %strides, ptr noalias %scalars, ptr noalias %scratch) {WIDE}"
)


def kernel_text(plan: LoopPlan, layout: Layout, shape: Shape) -> str:
    """The LLVM module of a plan.

    Raises:
        Unsupported: the generator has no code for something in the plan.
    """
    return KernelWriter(plan, layout, shape).write()


class KernelWriter(MemoryWriter):
    """Writes the function of one plan."""

    def write(self) -> str:
        """The text of the module."""
        a = self.a
        a.store(integer(0, 32), self.fault)
        bases = self.begin()
        begin, end = Lane("%begin", "i64"), Lane("%end", "i64")
        if self.layout.across:
            self.blocks_of_rows(bases, begin, end)
        elif self.is_flat:
            self.length = a.sub(end, begin)
            self.row_sizes = [self.length]
            self.rows = [
                a.offset(p, a.mul(begin, s)) for p, s in zip(bases, self.step, strict=True)
            ]
            self.row()
        else:
            sizes = self.outer_sizes()
            with a.loop(begin, end) as index:
                self.rows = self.row_pointers(bases, sizes, index)
                self.row()
        a.write(f"ret {a.load(self.fault, 'i32')}")
        return a.function(HEADER)

    def begin(self) -> list[Lane]:
        """Read the tables; returns where the arrays begin."""
        count, rank, layout = len(self.dtypes), self.layout.rank, self.layout
        self.strides = [
            [self.entry("%strides", n * rank + d, "i64") for d in range(rank)] for n in range(count)
        ]
        self.step = [strides[layout.vector_dim] for strides in self.strides]
        number = 0
        for along in self.plan.axes:
            self.axes.append([self.axis(number + n) for n in range(along)])
            number += along
        first = rank - layout.row_rank
        self.row_sizes = [self.entry("%sizes", d, "i64") for d in range(first, rank)]
        self.length = self.row_sizes[0]
        for size in self.row_sizes[1:]:
            self.length = self.a.mul(self.length, size)
        return [self.entry("%arrays", n, "ptr") for n in range(count)]

    def axis(self, number: int) -> tuple[Lane, Lane]:
        """Size and stride of a dimension that an index goes along."""
        rank, count = self.layout.rank, len(self.dtypes)
        size = self.entry("%sizes", rank + number, "i64")
        return size, self.entry("%strides", rank * count + number, "i64")

    def outer_sizes(self) -> list[Lane]:
        """The sizes of the dimensions that number the rows."""
        count = self.layout.rank - len(self.row_sizes)
        return [self.entry("%sizes", d, "i64") for d in range(count)]

    def blocks_of_rows(self, bases: list[Lane], begin: Lane, end: Lane) -> None:
        """Rows next to each other, as many at a time as there are lanes."""
        a, sizes = self.a, self.outer_sizes()
        start = a.slot("i64", 1, begin)
        with a.loop_while() as exit:
            index = a.load(start, "i64")
            exit.leave_unless(a.compare("slt", index, end))
            left = a.sub(sizes[-1], a.binary("urem", index, sizes[-1]))
            left = a.call("llvm.umin.i64", [left, a.sub(end, index)], "i64")
            left = a.call("llvm.umin.i64", [left, integer(self.lanes)], "i64")
            self.rows = self.row_pointers(bases, sizes, index)
            if self.shape.is_masked:
                self.block(self.first_lanes(left))
            else:
                is_whole = a.compare("eq", left, integer(self.lanes))
                with a.when(is_whole):
                    self.block(None)
                with a.when(a.binary("xor", is_whole, Lane("true", "i1", 1, True))):
                    self.block(self.first_lanes(left))
            a.store(a.add(index, left), start)

    def block(self, active: Lane | None) -> None:
        """As many rows as there are lanes, or those that a mask says."""
        self.active = active
        self.row()

    def entry(self, table: str, index: int, element: str) -> Lane:
        """An entry of one of the function's tables."""
        place = self.a.offset(Lane(table, "ptr"), integer(index), element)
        return self.a.load(place, element)

    def row_pointers(self, bases: list[Lane], sizes: list[Lane], index: Lane) -> list[Lane]:
        """Where row number `index` begins in each array."""
        pointers = bases
        for d in range(len(sizes) - 1, -1, -1):
            place = self.a.binary("urem", index, sizes[d]) if d else index
            index = self.a.binary("udiv", index, sizes[d]) if d else index
            pointers = self.moved(pointers, d, place)
        return pointers

    def moved(self, pointers: list[Lane], d: int, distance: Lane) -> list[Lane]:
        """Pointers moved by so many elements of dimension `d`."""
        return [
            self.a.offset(p, self.a.mul(distance, s[d]))
            for p, s in zip(pointers, self.strides, strict=True)
        ]

    # Rows ---------------------------------------------------------------------------------------

    def row(self) -> None:
        """All passes over one row, or over a block of them."""
        self.known, self.same, self.lines = {}, {}, self.rows
        for number in range(self.schedule.last + 1):
            self.row_statements(number)
            phase = self.schedule.phases[number]
            if phase.reductions or phase.outputs or phase.kept:
                self.run_phase(phase)
        for number, output in enumerate(self.plan.outputs):
            if output.is_row:
                self.store_row(number, self.known[output.value.index])

    def row_statements(self, phase: int) -> None:
        """The statements of the row itself that can be computed before a pass."""
        self.lines = self.rows
        for number, statement in enumerate(self.plan.statements):
            is_due = self.plan.is_row[number] and self.plan.phases[number] == phase
            if is_due and not isinstance(statement, Reduce):
                self.known[number] = self.evaluate(statement, self.known, self.active)

    def store_row(self, number: int, value: Lane) -> None:
        """Write what an output has for the row."""
        self.lines = self.rows
        if self.layout.across:
            self.store(number, value, integer(0), self.active, self.lines[number])
            return
        dtype = self.plan.outputs[number].dtype
        self.a.store(self.converter.to_memory(value, dtype), self.rows[number], dtype.itemsize)

    def run_phase(self, phase: Phase) -> None:
        """One pass over the row, and the reductions that end with it."""
        sums = {n: self.start(n) for n in phase.reductions}
        self.walk(phase, sums, self.rows, 0, integer(0))
        for number, total in sums.items():
            self.known[number] = self.combined(number, total)

    def walk(
        self, phase: Phase, sums: dict[int, Lane], pointers: list[Lane], level: int, before: Lane
    ) -> None:
        """The loops over the dimensions of the row from `level` on, after so many elements."""
        a = self.a
        if level == len(self.row_sizes):
            self.lines = pointers
            self.elements(phase, integer(0), before, self.active, sums)
            return
        size = self.row_sizes[level]
        scaled = a.mul(before, size) if level else before
        if level == len(self.row_sizes) - 1 and not self.layout.across:
            self.lines = pointers
            self.line(phase, scaled, sums)
            return
        with a.loop(integer(0), size) as index:
            dim = self.layout.rank - len(self.row_sizes) + level
            after = self.moved(pointers, dim, index)
            self.walk(phase, sums, after, level + 1, a.add(scaled, index))

    def line(self, phase: Phase, before: Lane, sums: dict[int, Lane]) -> None:
        """A pass over the last dimension of the row, vector by vector."""
        a, length = self.a, self.row_sizes[-1]
        known = dict(self.known)
        self.same, self.reached, self.aimed = {}, {}, {}
        self.hoist(phase)
        if self.shape.is_single:
            self.elements(phase, integer(0), before, None, sums)
            self.known = known
            return
        self.prefetch_beginnings(phase)
        if self.lanes == 1:
            with a.loop(integer(0), length) as index:
                self.elements(phase, index, a.add(before, index), None, sums)
        elif self.shape.is_masked:
            self.masked_line(phase, before, sums)
        else:
            whole = a.binary("and", length, integer(-self.lanes))
            with a.loop(integer(0), whole, self.lanes) as index:
                self.elements(phase, index, a.add(before, index), None, sums)
            with a.when(a.compare("slt", whole, length)):
                mask = self.mask(whole)
                self.elements(phase, whole, a.add(before, whole), mask, sums)
        self.known = known

    def masked_line(self, phase: Phase, before: Lane, sums: dict[int, Lane]) -> None:
        """The same where every vector is masked; the first one ends where stores are aligned."""
        a, length = self.a, self.row_sizes[-1]
        aligned = None if sums else self.aligned_output(phase)
        if aligned is None:
            with a.loop(integer(0), length, self.lanes) as index:
                self.elements(phase, index, a.add(before, index), self.mask(index), sums)
            return
        start, width = a.slot("i64", 1, integer(0)), a.slot("i64", 1, self.to_boundary(aligned))
        with a.loop_while() as exit:
            index, lanes = a.load(start, "i64"), a.load(width, "i64")
            exit.leave_unless(a.compare("slt", index, length))
            self.elements(phase, index, a.add(before, index), self.mask(index, lanes), sums)
            a.store(a.add(index, lanes), start)
            a.store(integer(self.lanes), width)

    def aligned_output(self, phase: Phase) -> int | None:
        """The output whose stores shall not cross cache lines, where vectors are that wide."""
        for number in phase.outputs:
            size = self.plan.outputs[number].dtype.itemsize
            is_next = self.layout.accesses[number] is Access.CONTIGUOUS
            if is_next and self.lanes * size >= CACHE_LINE:
                return number
        return None

    def to_boundary(self, number: int) -> Lane:
        """How many elements of an output lie before the first cache line that it fills; as many as
        there are lanes where that is none, or the line too short to gain by it.
        """
        a, size = self.a, self.plan.outputs[number].dtype.itemsize
        place = a.cast("ptrtoint", self.lines[number], "i64")
        missing = a.binary("and", a.sub(integer(0), place), integer(CACHE_LINE - 1))
        before = a.binary("udiv", missing, integer(size))
        is_long = a.compare("sgt", self.row_sizes[-1], integer(ALIGNED_VECTORS * self.lanes))
        is_off = a.compare("ne", before, integer(0))
        return a.select(a.binary("and", is_long, is_off), before, integer(self.lanes))

    def mask(self, index: Lane, width: Lane | None = None) -> Lane:
        """Which lanes hold elements of the line, of the first `width` lanes or of all."""
        left = self.a.sub(self.row_sizes[-1], index)
        lanes = integer(self.lanes) if width is None else width
        return self.first_lanes(self.a.call("llvm.umin.i64", [left, lanes], "i64"))

    def first_lanes(self, count: Lane) -> Lane:
        """A mask of so many lanes."""
        narrow = self.a.splat(self.a.cast("trunc", count, "i32"), self.lanes)
        return self.a.compare("ult", self.a.iota(self.lanes, 32), narrow)

    def hoist(self, phase: Phase) -> None:
        """Before a line, load inputs that do not change along it, and compute with them; find the
        places of arrays whose indices do not change.
        """
        for number in phase.needed:
            statement = self.plan.statements[number]
            if isinstance(statement, Load):
                if self.access(statement) is Access.SAME and statement.input not in self.same:
                    self.same[statement.input] = self.load_one(statement)
                if statement.input in self.same:
                    self.known[number] = self.same[statement.input]
            elif isinstance(statement, Draw) or not self.is_known(operands_of(statement)):
                continue
            elif isinstance(statement, Gather):
                self.reached[number] = self.source(statement, self.known, None)
                if self.access(statement) is Access.SAME:
                    self.known[number] = self.load_one(statement, self.reached[number])
            else:
                self.known[number] = self.evaluate(statement, self.known, None)
        for number in phase.outputs:
            output = self.plan.outputs[number]
            if output.indices and self.is_known(index.index for index in output.indices):
                self.aimed[number] = self.target(number, self.known, None)

    def is_known(self, numbers: Iterable[int]) -> bool:
        """Whether statements have values before the line begins."""
        return all(number in self.known for number in numbers)

    def load_one(self, statement: Load | Gather, pointer: Lane | None = None) -> Lane:
        pointer = pointer or self.lines[self.first_input + statement.input]
        stored = self.a.load(pointer, stored_type(statement.dtype), 1, statement.dtype.itemsize)
        return self.converter.to_register(stored, statement.dtype)

    def access(self, statement: Load | Gather) -> Access:
        return self.layout.accesses[self.first_input + statement.input]

    # Elements -----------------------------------------------------------------------------------

    def elements(
        self,
        phase: Phase,
        index: Lane,
        position: Lane,
        active: Lane | None,
        sums: dict[int, Lane],
    ) -> None:
        """What a pass does with the vector at `index` of a line, at `position` of the row."""
        values = dict(self.known)
        for number in phase.read:
            values[number] = self.read_kept(number, position)
        for number in phase.needed:
            statement = self.plan.statements[number]
            if number in self.known:
                continue
            if isinstance(statement, Load):
                values[number] = self.load(statement, index, active)
            elif isinstance(statement, Gather):
                place = self.reached.get(number) or self.source(statement, values, active)
                values[number] = self.load(statement, index, active, place)
            elif isinstance(statement, Draw):
                values[number] = self.draw(statement, index, values)
            else:
                values[number] = self.evaluate(statement, values, active)
        for number in phase.kept:
            self.keep(number, values[number], position)
        for number in phase.outputs:
            value = values[self.plan.outputs[number].value.index]
            place = self.aimed.get(number) or self.target(number, values, active)
            self.store(number, value, index, active, place)
        for number, total in sums.items():
            self.accumulate(number, total, values, active)

    def evaluate(self, statement: Statement, values: dict[int, Lane], active: Lane | None) -> Lane:
        """The value of a statement other than a reduction."""
        if isinstance(statement, Apply):
            return self.apply(statement, values, active)
        if isinstance(statement, Convert):
            value = values[statement.value.index]
            return self.converter.convert(value, statement.source, statement.dtype)
        if isinstance(statement, Load | Gather):
            place = None
            if isinstance(statement, Gather):
                place = self.source(statement, values, active)
            if self.layout.across:
                return self.load(statement, integer(0), active, place)
            return self.load_one(statement, place)
        if isinstance(statement, Count):
            return self.converter.convert(self.length, dtypes.int64, statement.dtype)
        assert isinstance(statement, Slot)
        element = "double" if statement.dtype is dtypes.float64 else "i64"
        given = self.entry("%scalars", statement.slot, element)
        is_bool = statement.dtype is dtypes.bool_
        return self.converter.convert(given, dtypes.int64, dtypes.bool_) if is_bool else given

    def apply(self, statement: Apply, values: dict[int, Lane], active: Lane | None) -> Lane:
        """A row's body, read as instructions."""
        op = OPS.find(statement.row)
        assert op is not None and op.body is not None
        algebra = LaneAlgebra(self.a, statement.execute, active, self.fault)
        operands = []
        for operand in statement.operands:
            if isinstance(operand, Ref):
                dtype = execution_dtype(self.plan.statements[operand.index].dtype)
                operands.append(Expression(algebra, values[operand.index], dtype))
            elif isinstance(operand, Number):
                operands.append(algebra.number(operand.value, operand.dtype))
            else:
                assert isinstance(operand, Option)
                operands.append(operand.value)
        result = op.body(algebra, *operands)
        value, dtype = result.value, algebra.dtype_of(result)
        if statement.dtype in (dtypes.float16, dtypes.bfloat16):
            return self.converter.round_half(value, statement.dtype)
        made: Lane = self.converter.convert(value, dtype, statement.dtype)
        return made

    def draw(self, statement: Draw, index: Lane, values: dict[int, Lane]) -> Lane:
        """Random bits of the elements, whose numbers are addresses."""
        a, array = self.a, self.first_input + statement.input
        numbers = a.add(a.splat(index, self.lanes), a.iota(self.lanes))
        distance = a.mul(numbers, a.splat(self.step[array], self.lanes))
        first = a.splat(a.cast("ptrtoint", self.lines[array], "i64"), self.lanes)
        state = [values[statement.seed.index], values[statement.offset.index]]
        algebra: Any = LaneAlgebra(a, dtypes.int64, None, None)
        position, seed, offset = (
            algebra.expression(v, dtypes.int64) for v in (a.add(first, distance), *state)
        )
        made = {"first": position & -2, "second": position | 1, "parity": position & 1}
        place = made.get(statement.word, position)
        found: Lane = place.value
        if statement.word != "parity":
            found = random_bits(algebra, place, seed, offset).value
        return found

    # Reductions ---------------------------------------------------------------------------------

    def reduction(self, number: int) -> Reduce:
        statement = self.plan.statements[number]
        assert isinstance(statement, Reduce)
        return statement

    def start(self, number: int) -> Lane:
        """A variable that holds a reduction's partial results, one per lane."""
        statement = self.reduction(number)
        neutral = self.a.splat(neutral_element(statement.kind, statement.dtype), self.lanes)
        return self.a.slot(neutral.element, self.lanes, neutral)

    def accumulate(
        self, number: int, total: Lane, values: dict[int, Lane], active: Lane | None
    ) -> None:
        statement = self.reduction(number)
        value = self.a.splat(values[statement.value.index], self.lanes)
        if active is not None and not self.layout.across:
            neutral = self.a.splat(neutral_element(statement.kind, statement.dtype), self.lanes)
            value = self.a.select(active, value, neutral)
        so_far = self.a.load(total, value.element, self.lanes)
        self.a.store(self.merge(statement.kind, statement.dtype, so_far, value), total)

    def combined(self, number: int, total: Lane) -> Lane:
        """The partial results of all lanes as one, in halves, if the lanes are of one row."""
        statement = self.reduction(number)
        element = register_type(statement.dtype)
        value = self.a.load(total, element, self.lanes)
        if self.layout.across:
            return value
        while value.lanes > 1:
            half = value.lanes // 2
            parts = [self.part(value, range(n * half, (n + 1) * half)) for n in (0, 1)]
            value = self.merge(statement.kind, statement.dtype, *parts)
        return value

    def part(self, value: Lane, lanes: range) -> Lane:
        """Some of the lanes of a vector."""
        if len(lanes) == 1:
            return self.a.value(f"extractelement {value}, i64 {lanes[0]}", value.element)
        listed = ", ".join(f"i32 {n}" for n in lanes)
        picked = f"shufflevector {value}, {value.type} poison, <{len(lanes)} x i32> <{listed}>"
        return self.a.value(picked, value.element, len(lanes))


def neutral_element(kind: str, dtype: DType) -> Lane:
    """What a reduction of nothing gives."""
    if kind in ("sum", "prod", "any", "all"):
        return constant(0 if kind in ("sum", "any") else 1, dtype)
    sign = -1.0 if kind == "maximum" else 1.0
    if dtype.is_floating_point:
        return constant(sign * float("inf"), dtype)
    if dtype is dtypes.bool_:
        return constant(kind == "minimum", dtype)
    bits = 8 * dtype.itemsize - (1 if dtype.is_signed else 0)
    low, high = (-(1 << bits) if dtype.is_signed else 0), (1 << bits) - 1
    return constant(low if kind == "maximum" else high, dtype)
