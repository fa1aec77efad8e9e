"""A lowered group for arrays of one layout: what each kernel is called with, worked out once.

Dimensions are put in the order of memory (as NumPy does for its own loops), those of rows last,
then dropped where they have one element and merged where all arrays allow it. A kernel with rows
runs along them or, where elements of several rows lie next to each other, across them. What depends
on data pointers only is left to `Launch.run`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..dtypes import Category
from ..fuser.plan import Apply, Gather, LoopPlan, Output, Reduce, Unsupported
from ..fuser.stages import Places, Read, Stage, Target
from ..fuser.tensors import Step, numbered
from .kernel import kernel_text
from .kernel_memory import Access, Layout, Shape, accesses_of
from .llvm import compile_module
from .schedule import scratch_bytes
from .target import host
from .threads import CAPACITY, parallel_function, thread_count

Strides = tuple[int, ...]
Dims = tuple[int, ...]
_I64 = ctypes.c_int64
_POINTER = ctypes.c_void_p
_SIGNATURE = (_I64, _I64, *(_POINTER,) * 5)

PARALLEL_NANOSECONDS = 150_000
"""Kernels whose estimate is at least this are split over threads. Waking a worker takes about 5 us,
but between products it competes with the threads of a BLAS, which spin for a while after each.
"""
AWAKE_NANOSECONDS = 12_000
"""Those whose estimate is at least this are split if a worker is awake, as between the products of
a loop: handing it a piece takes less than a microsecond.
"""
PIECE_NANOSECONDS = 3_000
"""What a piece should take at least."""


@dataclass(slots=True)
class Kernel:
    """A plan for one layout, as LLVM text; compiled when its function is first asked for.

    No lock but that of compilation is held then: threads that find it missing all ask for it.
    """

    plan: LoopPlan
    layout: Layout
    shape: Shape
    text: str
    _function: Any = None

    @property
    def function(self) -> Any:
        """The kernel as a ctypes function."""
        if self._function is None:
            library = compile_module(self.text, ["kernel"], is_kernel=True)
            self._function = library.function("kernel", ctypes.c_int32, *_SIGNATURE)
        return self._function

    @property
    def text_of_one(self) -> str:
        """The same for a single element, without vectors."""
        shape = replace(self.shape, lanes=1, is_masked=False, is_single=True)
        return kernel_text(self.plan, self.layout, shape)


@lru_cache(maxsize=1024)
def write_kernel(plan: LoopPlan, layout: Layout) -> Kernel:
    """The kernel of a plan and layout.

    Raises:
        Unsupported: the generator cannot write it.
    """
    shape = kernel_shape(plan)
    if layout.across:
        shape = replace(shape, lanes=layout.across)
    if plan.is_ordered and not _writes_lines(plan, layout):
        shape = replace(shape, lanes=1, is_masked=False)
    return Kernel(plan, layout, shape, kernel_text(plan, layout, shape))


def _writes_lines(plan: LoopPlan, layout: Layout) -> bool:
    """Whether the places that a plan computes are those of whole lines, so that vectors of elements
    are written to different ones.
    """
    outputs = [n for n, output in enumerate(plan.outputs) if output.indices]
    indices = [index.index for n in outputs for index in plan.outputs[n].indices]
    fixed = [len(plan.outputs) + n for n in plan.inputs_of(indices)]
    return all(layout.accesses[n] is Access.SAME for n in fixed) and all(
        layout.accesses[n] is Access.CONTIGUOUS for n in outputs
    )


SHORT = 4
"""Rows up to which two vectors at a time fit the registers and hide each other's latency."""


def kernel_shape(plan: LoopPlan) -> Shape:
    """How a plan is written for this processor: vectors of four-byte elements fill a register."""
    target = host()
    sizes = [dtype.itemsize for dtype in plan.inputs] + [o.dtype.itemsize for o in plan.outputs]
    widest = max([statement.dtype.itemsize for statement in plan.statements] + sizes)
    lanes = target.vector_bytes // (4 if widest >= 4 else widest)
    if widest == 4 and sum(isinstance(s, Apply) for s in plan.statements) <= SHORT:
        lanes *= 2
    return Shape(lanes, target.has("avx512vl") and target.has("avx512bw"), target.has("f16c"))


@dataclass(slots=True)
class Place:
    """Where an array of a kernel begins: an argument, a temporary or a result, and a distance in
    bytes; or the number of the first element of a draw, as the distance from NULL.
    """

    kind: str
    index: int
    offset: int = 0


@dataclass(slots=True)
class Call:
    """One kernel call."""

    kernel: Kernel
    places: list[Place]
    space: tuple[int, ...]
    sizes: Any
    strides: Any
    slots: tuple[int, ...]
    slot_kinds: tuple[str, ...]
    scratch: int
    count: int
    grain: int
    chunk: int

    @property
    def is_flat(self) -> bool:
        """Whether its range is one of elements, not of rows."""
        return self.kernel.layout.rank == 1 and not self.kernel.plan.has_rows

    @property
    def threads(self) -> int:
        """How many threads may ever work on the call: so many need scratch memory."""
        return CAPACITY if self.chunk < self.count else 1

    @property
    def wakes(self) -> bool:
        """Whether the call is worth waking threads for."""
        return self.nanoseconds >= PARALLEL_NANOSECONDS

    @property
    def nanoseconds(self) -> float:
        """What the call may take on one thread, roughly."""
        return nanoseconds_of(self.kernel) * line_of(self.kernel, self.grain) * self.count


@dataclass(slots=True)
class Array:
    """An array to allocate: its sizes in the order of memory, and the order back."""

    shape: tuple[int, ...]
    axes: tuple[int, ...] | None
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """The bytes of its elements."""
        return prod(self.shape) * self.dtype.itemsize

    def make(self) -> Any:
        """The array, uninitialised."""
        made = np.empty(self.shape, self.dtype)
        return made if self.axes is None else made.transpose(self.axes)


class Refused(Exception):
    """A kernel met a zero divisor or an index out of range; the reference kernels say which."""


@dataclass(slots=True)
class Launch:
    """All kernel calls of a group, for arguments of one layout."""

    calls: list[Call] = field(default_factory=list)
    results: list[Array] = field(default_factory=list)
    temporaries: list[Array] = field(default_factory=list)

    def run(self, arguments: Sequence[Any]) -> list[Any]:
        """Compute the group.

        Raises:
            Refused: an integer was divided by zero, or an index is out of range.
        """
        groups = {
            "argument": arguments,
            "result": [array.make() for array in self.results],
            "temporary": [array.make() for array in self.temporaries],
        }
        for call in self.calls:
            if call.count:
                _run(call, groups)
        return list(groups["result"])


def _run(call: Call, groups: dict[str, Sequence[Any]]) -> None:
    pointers = [_address(place, groups) for place in call.places]
    arrays = (_POINTER * len(pointers))(*pointers)
    scalars = _scalars(call, groups["argument"])
    threads = call.threads
    scratch = np.empty(call.scratch * threads, np.uint8) if call.scratch else None
    rest = (
        arrays,
        call.sizes,
        call.strides,
        scalars,
        None if scratch is None else scratch.ctypes.data,
    )
    parallel = parallel_function(call.wakes) if threads > 1 and thread_count() > 1 else None
    if parallel is None:
        status = call.kernel.function(0, call.count, *rest)
    else:
        status = parallel(call.kernel.function, call.count, call.chunk, *rest, call.scratch)
    if status:
        raise Refused


def _address(place: Place, groups: dict[str, Sequence[Any]]) -> int:
    if place.kind == "draw":
        return place.offset
    address: int = groups[place.kind][place.index].ctypes.data
    return address + place.offset


def _scalars(call: Call, arguments: Sequence[Any]) -> Any:
    if not call.slots:
        return None
    made = np.empty(len(call.slots), np.int64)
    for n, (slot, kind) in enumerate(zip(call.slots, call.slot_kinds, strict=True)):
        made[n : n + 1].view(kind)[0] = arguments[slot]
    return made.ctypes.data_as(_POINTER)


# Layout -------------------------------------------------------------------------------------------


def prepare(
    stages: Sequence[Stage],
    arguments: Sequence[Any],
    like: Launch | None = None,
    *,
    compiles: bool = True,
) -> Launch:
    """The launch of a group for arguments of this layout.

    Args:
        stages: the group.
        arguments: arrays and numbers.
        like: the launch for other sizes: vectors lie across rows where they do there.
        compiles: else its kernels stand for those of this launch, of which only spaces and places
            are asked.

    Raises:
        Unsupported: a kernel cannot be written, or reads where there is nothing to read.
    """
    launch = Launch()
    results: dict[int, Array] = {}
    temporaries: dict[int, Array] = {}
    for number, stage in enumerate(stages):
        before = like.calls[number] if like is not None and number < len(like.calls) else None
        if before is None and not compiles:
            raise Unsupported("other kernels than for other sizes")
        launch.calls.append(
            _prepare_stage(stage, arguments, results, temporaries, before, compiles)
        )
    launch.results = [results[n] for n in sorted(results)]
    launch.temporaries = [temporaries[n] for n in sorted(temporaries)]
    return launch


def _prepare_stage(
    stage: Stage,
    arguments: Sequence[Any],
    results: dict[int, Array],
    temporaries: dict[int, Array],
    like: Call | None,
    compiles: bool,
) -> Call:
    made = {"temporary": temporaries, "result": results}
    views = [_view(read, arguments, made) for read in stage.reads]
    places = [
        Place(read.kind, read.origin, offset)
        for read, (_, offset) in zip(stage.reads, views, strict=True)
    ]
    is_written = any(prod(target.shape) for target in stage.targets)
    if prod(stage.space) == 0 and is_written and not stage.plan.is_ordered:
        raise Unsupported("a reduction of nothing")
    rank = len(stage.space)
    given = [_spread(view.shape, view.strides, rank) for view, _ in views]
    deciding = _deciding(stage, given)
    outer, inner = _loop_order(stage, deciding)
    written: list[Strides] = []
    owners: list[Place] = []
    reached: list[tuple[int, int]] = []
    for target, output in zip(stage.targets, stage.plan.outputs, strict=True):
        if target.places is not None:
            array = (temporaries if target.is_temporary else results)[target.index]
            view = _through(_shadow(array), target.steps)
            owners.append(Place(_kind(target), target.index))
            written.append(_spread(view.shape, view.strides, rank))
            reached += _axes(_shadow(array), target.steps, target.places)
            continue
        kept = _kept_dims(target, stage)
        arrays = temporaries if target.is_temporary else results
        # The first part of a joined array decides how that lies in memory.
        if target.region is None:
            order = _memory_order(stage.space, _deciding(stage, given, output))
        else:
            order = _joined_order(stage.space, deciding)
        array = arrays.get(target.index) or _allocation(target, kept, order)
        arrays[target.index] = array
        owners.append(Place(_kind(target), target.index, _begin(target, array)))
        written.append(_strides_over(array, target, kept, stage))
    for read in stage.reads:
        if read.places is not None:
            reached += _axes(_base(read, arguments, made), read.steps, read.places)
    strides = [*written, *given]
    sizes, found = merged(stage.space, strides, outer)
    if not stage.dims:
        if not sizes:
            sizes, found = [1], [(0,)] * len(strides)
        return _call(stage, [*owners, *places], sizes, found, 1, reached, like, compiles)
    row_sizes, tails = merged(stage.space, strides, inner)
    if not row_sizes:
        row_sizes, tails = [1], [(0,)] * len(strides)
    joined = [(*a, *b) for a, b in zip(found, tails, strict=True)]
    tables = ([*sizes, *row_sizes], joined)
    return _call(stage, [*owners, *places], *tables, len(row_sizes), reached, like, compiles)


def _call(
    stage: Stage,
    places: list[Place],
    sizes: list[int],
    strides: list[Strides],
    row_rank: int,
    reached: Sequence[tuple[int, int]],
    like: Call | None,
    compiles: bool,
) -> Call:
    itemsizes = [t.dtype.itemsize for t in stage.targets] + [r.dtype.itemsize for r in stage.reads]
    rank = len(sizes)
    layout = Layout(rank, _accesses(strides, itemsizes, rank - 1), row_rank)
    is_flat = rank == 1 and not stage.dims
    length = prod(sizes[rank - row_rank :])
    if stage.dims and rank > row_rank:
        if like is None:
            layout = _better(stage.plan, layout, sizes, strides, itemsizes)
        elif like.kernel.layout.across:
            layout = _lying_across(layout, strides, itemsizes, like.kernel.layout.across)
    if like is None or compiles:
        kernel = write_kernel(stage.plan, layout)
    else:
        kernel = like.kernel
    count = sizes[0] if is_flat else prod(sizes[: rank - row_rank])
    if 0 in stage.space:
        count = 0
    grain = 1 if is_flat else length
    all_sizes = [*sizes, *(size for size, _ in reached)]
    all_strides = [*(s for given in strides for s in given), *(stride for _, stride in reached)]
    return Call(
        kernel, places, stage.space, (_I64 * len(all_sizes))(*all_sizes),
        (_I64 * len(all_strides))(*all_strides),
        stage.slots, tuple(_SLOT_KINDS[d.category] for d in stage.plan.slots),
        scratch_bytes(stage.plan, length, kernel.shape.lanes, layout.across > 0),
        count, grain, chunk_of(kernel, count, grain),
    )  # fmt: skip


def _accesses(strides: Sequence[Strides], itemsizes: Sequence[int], dim: int) -> tuple[Access, ...]:
    return accesses_of([given[dim] for given in strides], itemsizes)


MOST_ACROSS = 8
"""Vectors of one kernel that may lie side by side across rows, where it does little per element."""
_COMBINING = 12
"""What the end of a row costs, in vectors."""


def _better(
    plan: LoopPlan,
    layout: Layout,
    sizes: Sequence[int],
    strides: Sequence[Strides],
    itemsizes: Sequence[int],
) -> Layout:
    """Vectors along the rows or across them, whichever takes fewer steps."""
    lanes = kernel_shape(plan).lanes
    rank, first = layout.rank, layout.rank - layout.row_rank
    across = _lying_across(layout, strides, itemsizes, 0).accesses
    moving = [any(given[first:]) for given in strides]
    rows, lines, width = prod(sizes[:first]), prod(sizes[first : rank - 1]), sizes[first - 1]
    line = -(-sizes[-1] // lanes) * _cost(layout.accesses, moving, lanes)
    along_cost = rows * (lines * line + _COMBINING * (max(plan.phases) + 1))
    blocks = rows // max(width, 1) * -(-width // lanes)
    across_cost = blocks * prod(sizes[first:]) * _cost(across, moving, lanes)
    if along_cost <= across_cost or width == 1:
        return layout
    return replace(layout, accesses=across, across=_across(plan, lanes, width))


def _lying_across(
    layout: Layout, strides: Sequence[Strides], itemsizes: Sequence[int], lanes: int
) -> Layout:
    """The layout with vectors of so many lanes across rows."""
    dim = layout.rank - layout.row_rank - 1
    return replace(layout, accesses=_accesses(strides, itemsizes, dim), across=lanes)


def _cost(accesses: Sequence[Access], moving: Sequence[bool], lanes: int) -> float:
    """The steps that a vector of elements takes, half a lane each where it is not in one piece."""
    return 1 + sum(
        lanes / 2 if access is Access.STRIDED else 0.5
        for access, is_moving in zip(accesses, moving, strict=True)
        if is_moving
    )


def _across(plan: LoopPlan, lanes: int, width: int) -> int:
    """How many rows are worked on together."""
    applied = sum(isinstance(s, Apply) for s in plan.statements)
    most = lanes * max(MOST_ACROSS >> applied, 1)
    return min(most, max(1 << (width - 1).bit_length(), 2))


def chunk_of(kernel: Kernel, count: int, grain: int) -> int:
    """How much of its range a thread takes at a time; all of it where splitting does not pay."""
    nanoseconds = nanoseconds_of(kernel) * line_of(kernel, grain) * count
    if nanoseconds < AWAKE_NANOSECONDS or kernel.plan.is_ordered:
        return count
    pieces = max(min(4 * thread_count(), int(nanoseconds / PIECE_NANOSECONDS)), 1)
    size = -(-count // pieces)
    unit = 1024 if grain == 1 else max(kernel.layout.across, 1)
    return -(-size // unit) * unit


def line_of(kernel: Kernel, grain: int) -> int:
    """What one step of a call's range counts as, in elements."""
    return max(grain, kernel.shape.lanes) if grain > 1 else 1


def flat_chunk(kernel: Kernel) -> int:
    """The same for a kernel over elements of any number: half of what is worth splitting."""
    return -(-int(PARALLEL_NANOSECONDS / 2 / nanoseconds_of(kernel)) // 1024) * 1024


def nanoseconds_of(kernel: Kernel) -> float:
    """What an element may cost: a line of text is an instruction on a vector, about a quarter of
    one.
    """
    return kernel.text.count("\n") * 0.25 / kernel.shape.lanes


_SLOT_KINDS = {Category.BOOL: "int64", Category.INTEGRAL: "int64", Category.FLOATING: "float64"}


def _view(
    read: Read, arguments: Sequence[Any], made: dict[str, dict[int, Array]]
) -> tuple[Any, int]:
    """The view that a stage reads, and where it begins in its array."""
    base, steps = _base(read, arguments, made), read.steps
    array = _through(base, steps[1:] if read.kind == "draw" else steps)
    return array, array.ctypes.data - base.ctypes.data if array.size else 0


def _through(array: Any, steps: Sequence[Step]) -> Any:
    """A view of a view ... of an array."""
    for step in steps:
        array = step.apply(array)
    return array


def _axes(array: Any, steps: Sequence[Step], places: Places) -> list[tuple[int, int]]:
    """Sizes and strides of the dimensions along which indices go."""
    reached = _through(array, steps[: places.before])
    return [(reached.shape[d], reached.strides[d]) for d in places.dims]


def _deciding(
    stage: Stage, strides: Sequence[Strides], output: Output | None = None
) -> list[Strides]:
    """The strides that decide how a result, or all of them, lie in memory: what is read at computed
    places counts as the new array in row-major order that the row gives, and its indices do not
    count; of what is reduced for a result, the dimensions that are left.
    """
    rank, plan = len(stage.space), stage.plan
    outputs = plan.outputs if output is None else [output]
    values = [each.value.index for each in outputs]
    counted = plan.inputs_of(values, ends=(Gather,))
    whole = counted if output is None else plan.inputs_of(values, ends=(Gather, Reduce))
    found: list[Strides] = []
    for number, (read, own) in enumerate(zip(stage.reads, strides, strict=True)):
        if read.places is not None:
            new = _through(numbered(read.places.whole), read.places.views)
            own = _spread(new.shape, [s * read.dtype.itemsize for s in new.strides], rank)
        if number not in whole:
            own = tuple(0 if d - rank in stage.dims else step for d, step in enumerate(own))
        found.append(own if number in counted else (0,) * rank)
    return found


def _kind(target: Target) -> str:
    return "temporary" if target.is_temporary else "result"


def _base(read: Read, arguments: Sequence[Any], made: dict[str, dict[int, Array]]) -> Any:
    if read.kind == "draw":
        return numbered(read.steps[0].arguments)
    return _shadow(made[read.kind][read.origin]) if read.kind in made else arguments[read.origin]


def _shadow(array: Array) -> Any:
    """An array with the strides that `make` gives, which takes no memory."""
    strides: list[int] = []
    step = array.dtype.itemsize
    for size in reversed(array.shape):
        strides.insert(0, step)
        step *= max(size, 1)
    empty = np.empty(1, array.dtype)
    made = np.lib.stride_tricks.as_strided(empty, array.shape, strides, writeable=False)
    return made if array.axes is None else made.transpose(array.axes)


def _spread(shape: Sequence[int], strides: Sequence[int], rank: int) -> Strides:
    """Strides over the space: 0 along dimensions that an array is broadcast over."""
    own = (0 if size == 1 else stride for size, stride in zip(shape, strides, strict=True))
    return (*(0,) * (rank - len(shape)), *own)


def _loop_order(stage: Stage, strides: Sequence[Strides]) -> tuple[Dims, Dims]:
    """The dimensions outside of rows and those of rows, each with the largest strides first. Where
    elements are written in row-major order, the dimensions stay where they are.
    """
    rank = len(stage.space)
    if stage.plan.is_ordered:
        return tuple(range(rank)), ()
    inner = [d for d in range(rank) if d - rank in stage.dims]
    outer = [d for d in range(rank) if d not in inner]
    first, second = (_by_strides(stage.space, strides, dims) for dims in (outer, inner))
    return first, second


def _memory_order(space: Sequence[int], strides: Sequence[Strides]) -> Dims:
    """The order in which a result lies in memory."""
    return _by_strides(space, strides, range(len(space)))


def _by_strides(space: Sequence[int], strides: Sequence[Strides], dims: Sequence[int]) -> Dims:
    """Dimensions in the order in which NumPy's loops run over arrays: one comes before another that
    stood outside of it where no array has it otherwise. Those of one element stay where they are.
    """
    free = [d for d in dims if space[d] > 1]
    order: list[int] = []
    for d in reversed(free):
        place = 0
        for at, inner in enumerate(order):
            steps = [(abs(s[d]), abs(s[inner])) for s in strides if s[d] and s[inner]]
            if any(mine >= other for mine, other in steps):
                break
            place = at + 1 if steps else place
        order.insert(place, d)
    placed = iter(order)
    return tuple(next(placed) if d in free else d for d in dims)


def _joined_order(space: Sequence[int], strides: Sequence[Strides]) -> Dims:
    """The order in which NumPy lays out what it joins: a dimension stands before those of smaller
    strides, as far as dimensions of one element, of which strides tell nothing, leave open.
    """
    order: list[int] = []
    for d, size in enumerate(space):
        place = len(order)
        for at in range(len(order) - 1, -1, -1):
            if 1 in (size, space[order[at]]):
                continue
            if sum(abs(given[d]) - abs(given[order[at]]) for given in strides) <= 0:
                break
            place = at
        order.insert(place, d)
    return tuple(order)


def _allocation(target: Target, kept: Sequence[int], order: Sequence[int]) -> Array:
    """An array whose dimensions, those of the space that it kept, lie in memory in that order."""
    shape = target.shape if target.region is None else target.region.shape
    own = [kept.index(d) for d in order if d in kept]
    dtype = target.dtype.numpy
    if own == sorted(own):
        return Array(shape, None, dtype)
    return Array(tuple(shape[d] for d in own), tuple(np.argsort(own).tolist()), dtype)


def _kept_dims(target: Target, stage: Stage) -> list[int]:
    """The dimensions of the space that a result has."""
    rank = len(stage.space)
    return [d for d in range(rank) if d - rank not in target.dropped]


def _begin(target: Target, array: Array) -> int:
    """Where a target begins in its array, in bytes."""
    region = target.region
    if region is None:
        return 0
    begin: int = _shadow(array).strides[region.axis] * region.begin
    return begin


def _strides_over(array: Array, target: Target, kept: Sequence[int], stage: Stage) -> Strides:
    """The strides of a result over the space."""
    made = [0] * len(stage.space)
    for d, size, stride in zip(kept, target.shape, _shadow(array).strides, strict=True):
        made[d] = 0 if size == 1 else stride
    return tuple(made)


def merged(
    space: Sequence[int], strides: Sequence[Strides], dims: Sequence[int]
) -> tuple[list[int], list[Strides]]:
    """Some dimensions of a space, without those of size 1, neighbours made one where all arrays
    allow.
    """
    sizes: list[int] = []
    found: list[list[int]] = [[] for _ in strides]
    for d in dims:
        if space[d] == 1:
            continue
        steps = [given[d] for given in strides]
        is_next = bool(sizes) and all(
            own[-1] == step * space[d] for own, step in zip(found, steps, strict=True)
        )
        if is_next:
            sizes[-1] *= space[d]
            for own, step in zip(found, steps, strict=True):
                own[-1] = step
        else:
            sizes.append(space[d])
            for own, step in zip(found, steps, strict=True):
                own.append(step)
    return sizes, [tuple(own) for own in found]
