"""How a kernel reaches its arrays: layouts, loads and stores of vectors, and scratch memory.

How an array runs along the dimension of the vectors is part of the layout: next to each other, all
the same, or strided. Elements in order are asked for ahead of their use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from .. import dtypes
from ..dtypes import DType
from ..fuser.plan import Gather, Load, LoopPlan, Ref
from ..ops.traits import execution_dtype
from .assembler import Assembler, Lane, integer, register_type, stored_type, suffix
from .convert import Converter
from .lanes import LaneAlgebra
from .schedule import Phase, Schedule

PREFETCH_BYTES = 4096
"""How far ahead of their use elements in order are asked for. Processors do that by themselves, but
only within a page, and a kernel of many instructions per element fills their window long before it
gets to the next one: GELU of numbers that no cache holds took 2.5 times as long as with this.
"""
CACHE_LINE = 64
"""Bytes. A store that crosses two lines costs two."""


class Access(Enum):
    """How an array runs along the dimension of the vectors."""

    CONTIGUOUS = "c"
    SAME = "s"
    STRIDED = "x"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a kernel knows of its arrays.

    Attributes:
        rank: dimensions of the space.
        accesses: how outputs, then inputs, run along the dimension of the vectors.
        row_rank: how many last dimensions make up a row.
        across: the lanes of vectors that hold elements of as many rows; 0: vectors lie in a row,
            and the shape says how many lanes they have.
    """

    rank: int
    accesses: tuple[Access, ...]
    row_rank: int = 1
    across: int = 0

    @property
    def vector_dim(self) -> int:
        """The dimension of the vectors."""
        return self.rank - self.row_rank - 1 if self.across else self.rank - 1


@dataclass(frozen=True, slots=True)
class Shape:
    """How a kernel is written for a processor: vector length, whether all of them are masked,
    float16; and whether it is for one element only.
    """

    lanes: int
    is_masked: bool
    has_f16c: bool
    is_single: bool = False


class MemoryWriter:
    """The state of a kernel while it is written, and its access to memory."""

    def __init__(self, plan: LoopPlan, layout: Layout, shape: Shape) -> None:
        self.plan = plan
        self.layout = layout
        self.shape = shape
        self.lanes = shape.lanes
        # Masks are cheap where AVX-512 is.
        self.a = Assembler(has_scalef=shape.is_masked)
        self.converter = Converter(self.a, shape.has_f16c)
        self.schedule = Schedule(plan)
        self.dtypes = [output.dtype for output in plan.outputs] + list(plan.inputs)
        self.first_input = len(plan.outputs)
        self.known: dict[int, Lane] = {}  # values of the row
        self.same: dict[int, Lane] = {}  # inputs that do not change along a line, once loaded
        self.reached: dict[int, Lane] = {}  # where a line's gathers read, if that is one place
        self.aimed: dict[int, Lane] = {}  # where its outputs are written, likewise
        self.axes: list[list[tuple[Lane, Lane]]] = []  # what indices go along, by array
        self.rows: list[Lane] = []  # pointers to the row, by array
        self.lines: list[Lane] = []  # pointers to a line of the row, by array
        self.fault = self.a.slot("i32")
        self.row_sizes: list[Lane] = []
        self.strides: list[list[Lane]] = []
        self.step: list[Lane] = []  # strides along the dimension of the vectors
        self.length = integer(0)  # elements of a row
        self.active: Lane | None = None  # which lanes have a row, if vectors lie across rows

    @property
    def is_flat(self) -> bool:
        """Whether elements stand for themselves and threads share a single line of them."""
        return self.layout.rank == 1 and not self.plan.has_rows and not self.layout.across

    # Memory -------------------------------------------------------------------------------------

    def source(self, statement: Gather, values: dict[int, Lane], active: Lane | None) -> Lane:
        """Where a line begins in the array that a statement reads at computed places."""
        array = self.first_input + statement.input
        return self.moved_by(array, statement.indices, statement.wraps, values, active)

    def target(self, number: int, values: dict[int, Lane], active: Lane | None) -> Lane:
        """Where a line begins in the array that an output goes to."""
        output = self.plan.outputs[number]
        return self.moved_by(number, output.indices, output.wraps, values, active)

    def moved_by(
        self,
        array: int,
        indices: Sequence[Ref],
        wraps: bool,
        values: dict[int, Lane],
        active: Lane | None,
    ) -> Lane:
        """The pointer to a line moved by indices; those out of range are noted, and count as 0."""
        a, pointer = self.a, self.lines[array]
        for ref, (size, stride) in zip(indices, self.axes[array], strict=True):
            index = values[ref.index]
            size, stride = a.splat(size, index.lanes), a.splat(stride, index.lanes)
            zero = a.splat(integer(0), index.lanes)
            if wraps:
                is_negative = a.compare("slt", index, zero)
                index = a.select(is_negative, a.add(index, size), index)
            is_outside = a.compare("uge", index, size)
            LaneAlgebra(a, dtypes.int64, active, self.fault).note(is_outside)
            place = a.select(is_outside, zero, index)
            pointer = a.offset(pointer, a.mul(place, stride))
        return pointer

    def load(
        self,
        statement: Load | Gather,
        index: Lane,
        active: Lane | None,
        pointer: Lane | None = None,
    ) -> Lane:
        """The elements of an input; lanes beyond the row are zero, or repeat the last element."""
        array = self.first_input + statement.input
        if pointer is None:
            pointer = self.lines[array]
            self.prefetch(array, pointer, index)
        stored = self.stored(array, pointer, index, active)
        return self.converter.to_register(stored, statement.dtype)

    def stored(self, array: int, pointer: Lane, index: Lane, active: Lane | None) -> Lane:
        """The elements of an array as they lie in memory, for a line that begins at a pointer, or
        each lane for one of its own.
        """
        access, dtype = self.layout.accesses[array], self.dtypes[array]
        element, size = stored_type(dtype), dtype.itemsize
        if pointer.lanes > 1:
            return self.gather(self.places(array, pointer, index, active), element, size)
        if access is Access.SAME:
            return self.a.load(pointer, element, 1, size)
        if self.lanes == 1:
            place = self.a.offset(pointer, self.a.mul(index, self.step[array]))
            return self.a.load(place, element, 1, size)
        if access is Access.CONTIGUOUS:
            return self.load_next(self.a.offset(pointer, index, element), element, size, active)
        return self.gather(self.places(array, pointer, index, active), element, size)

    def load_next(self, place: Lane, element: str, size: int, active: Lane | None) -> Lane:
        if active is None:
            return self.a.load(place, element, self.lanes, size)
        zero = Lane("zeroinitializer", element, self.lanes)
        name = f"llvm.masked.load.{suffix(element, self.lanes)}.p0"
        return self.a.call(name, [place, integer(size, 32), active, zero], element, self.lanes)

    def is_prefetched(self, array: int) -> bool:
        """Whether vectors take elements that lie in order in memory."""
        is_in_order = self.layout.accesses[array] is Access.CONTIGUOUS
        return is_in_order and self.lanes > 1 and not self.layout.across

    def prefetch(self, array: int, pointer: Lane, index: Lane) -> None:
        """Ask for what lies further on in an array in order, which may be of a later row."""
        if not self.is_prefetched(array):
            return
        ahead = self.a.add(index, integer(PREFETCH_BYTES // self.dtypes[array].itemsize))
        if self.is_flat:
            last = self.a.sub(self.length, integer(1))
            ahead = self.a.call("llvm.umin.i64", [ahead, last], "i64")
        self.ask_for(array, pointer, ahead)

    def prefetch_beginnings(self, phase: Phase) -> None:
        """Ask for that part of the arrays for which `prefetch` comes too late."""
        loads = (self.plan.statements[number] for number in phase.needed)
        arrays = {self.first_input + each.input for each in loads if isinstance(each, Load)}
        for array in sorted(filter(self.is_prefetched, arrays)):
            size = self.dtypes[array].itemsize
            part = [self.length, integer(PREFETCH_BYTES // size)]
            end = self.a.call("llvm.umin.i64", part, "i64")
            with self.a.loop(integer(0), end, CACHE_LINE // size) as index:
                self.ask_for(array, self.lines[array], index)

    def ask_for(self, array: int, pointer: Lane, index: Lane) -> None:
        """Have an element brought into the caches."""
        to_read, to_all_caches, data = integer(0, 32), integer(3, 32), integer(1, 32)
        place = self.a.offset(pointer, index, stored_type(self.dtypes[array]))
        self.a.run("llvm.prefetch.p0", [place, to_read, to_all_caches, data])

    def gather(self, places: Lane, element: str, size: int) -> Lane:
        """What lies at the pointers in the lanes."""
        if size >= 4:
            everything = self.a.splat(Lane("true", "i1", 1, True), self.lanes)
            rest = Lane("zeroinitializer", element, self.lanes)
            name = f"llvm.masked.gather.{suffix(element, self.lanes)}.{suffix('ptr', self.lanes)}"
            arguments = [places, integer(size, 32), everything, rest]
            return self.a.call(name, arguments, element, self.lanes)
        result = Lane("poison", element, self.lanes)
        for lane in range(self.lanes):
            place = self.a.value(f"extractelement {places}, i64 {lane}", "ptr")
            found = self.a.load(place, element, 1, size)
            result = self.a.value(
                f"insertelement {result}, {found}, i64 {lane}", element, self.lanes
            )
        return result

    def places(self, array: int, pointer: Lane, index: Lane, active: Lane | None) -> Lane:
        """Pointers to the elements in the lanes; those that do not count point at the first."""
        a = self.a
        if self.layout.accesses[array] is Access.SAME:
            return a.splat(pointer, self.lanes)
        numbers = a.add(a.splat(index, self.lanes), a.iota(self.lanes))
        if active is not None:
            numbers = a.select(active, numbers, a.splat(index, self.lanes))
        return a.offset(pointer, a.mul(numbers, a.splat(self.step[array], self.lanes)))

    def store(
        self, number: int, value: Lane, index: Lane, active: Lane | None, pointer: Lane
    ) -> None:
        """Write the elements of an output, for a line that begins at a pointer."""
        a, output = self.a, self.plan.outputs[number]
        dtype = output.dtype
        if output.combine:
            before = self.stored(number, pointer, index, active)
            before = self.converter.to_register(before, dtype)
            value = self.merge(output.combine, dtype, before, value)
        stored = a.splat(self.converter.to_memory(value, dtype), self.lanes)
        size, element = dtype.itemsize, stored_type(dtype)
        if self.lanes == 1:
            a.store(stored, a.offset(pointer, a.mul(index, self.step[number])), size)
        elif self.layout.accesses[number] is Access.CONTIGUOUS:
            place = a.offset(pointer, index, element)
            if active is None:
                a.store(stored, place, size)
            else:
                name = f"llvm.masked.store.{suffix(element, self.lanes)}.p0"
                a.run(name, [stored, place, integer(size, 32), active])
        else:
            places = self.places(number, pointer, index, None)
            mask = active or a.splat(Lane("true", "i1", 1, True), self.lanes)
            name = f"llvm.masked.scatter.{suffix(element, self.lanes)}.{suffix('ptr', self.lanes)}"
            a.run(name, [stored, places, integer(size, 32), mask])

    def kept_place(self, number: int, position: Lane) -> tuple[Lane, str]:
        """Where an element of a kept value lies in scratch memory, and its type there."""
        a, slot = self.a, self.schedule.kept[number]
        element = register_type(self.plan.statements[number].dtype)
        element = "i8" if element == "i1" else element
        if self.layout.across:
            vector = a.add(a.mul(self.length, integer(slot)), position)
            start, position = a.mul(vector, integer(8 * self.lanes)), integer(0)
        else:
            start = a.mul(a.add(self.length, integer(2 * self.lanes)), integer(8 * slot))
        return a.offset(a.offset(Lane("%scratch", "ptr"), start), position, element), element

    def keep(self, number: int, value: Lane, position: Lane) -> None:
        place, element = self.kept_place(number, position)
        if value.element != element:
            value = self.a.cast("zext", value, element)
        self.a.store(self.a.splat(value, self.lanes), place, _size(element))

    def read_kept(self, number: int, position: Lane) -> Lane:
        place, element = self.kept_place(number, position)
        found = self.a.load(place, element, self.lanes, _size(element))
        if self.plan.statements[number].dtype is dtypes.bool_:
            return self.converter.to_register(found, dtypes.bool_)
        return found

    def merge(self, kind: str, dtype: DType, x: Lane, y: Lane) -> Lane:
        """Two partial results as one."""
        execute = execution_dtype(dtype)
        algebra = LaneAlgebra(self.a, execute, None, None)
        first, second = algebra.expression(x, execute), algebra.expression(y, execute)
        name = {"sum": "add", "prod": "mul", "any": "or", "all": "and"}.get(kind, kind)
        merged: Lane = algebra.combine(name, first, second).value
        return merged


def _size(element: str) -> int:
    return {"float": 4, "double": 8}.get(element) or int(element[1:]) // 8


def accesses_of(strides: Iterable[int], sizes: Iterable[int]) -> tuple[Access, ...]:
    """The access of arrays by their inner strides and element sizes."""
    return tuple(
        Access.SAME if stride == 0 else Access.CONTIGUOUS if stride == size else Access.STRIDED
        for stride, size in zip(strides, sizes, strict=True)
    )
