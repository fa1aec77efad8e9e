"""A lowered group for arrays of one layout: what each kernel is called with, worked out once.

Dimensions are put in the order of memory (as NumPy does for its own loops), then dropped where they
have one element and merged where all arrays allow it. What depends on data pointers only is left to
`Launch.run`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..dtypes import Category
from ..fuser.plan import Apply, LoopPlan, Unsupported
from ..fuser.stages import Read, Stage
from .kernel import Layout, Shape, accesses_of, kernel_text
from .llvm import Library, compile_module, host
from .schedule import scratch_bytes
from .threads import CAPACITY, parallel_function, thread_count

Strides = tuple[int, ...]
_I64 = ctypes.c_int64
_POINTER = ctypes.c_void_p
_SIGNATURE = (_I64, _I64, *(_POINTER,) * 5)

PARALLEL_NANOSECONDS = 150_000
"""Kernels whose estimate is at least this are split over threads. Waking a worker takes about 5 us,
but between products it competes with the threads of a BLAS, which spin for a while after each.
"""


@dataclass(slots=True)
class Kernel:
    """A compiled plan for one layout."""

    plan: LoopPlan
    layout: Layout
    shape: Shape
    text: str
    library: Library
    function: Any


@lru_cache(maxsize=1024)
def compile_kernel(plan: LoopPlan, layout: Layout) -> Kernel:
    """The kernel of a plan and layout.

    Raises:
        Unsupported: the generator cannot write it.
    """
    shape = kernel_shape(plan)
    text = kernel_text(plan, layout, shape)
    library = compile_module(text, ["kernel"], is_kernel=True)
    function = library.function("kernel", ctypes.c_int32, *_SIGNATURE)
    return Kernel(plan, layout, shape, text, library, function)


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
    bytes.
    """

    kind: str
    index: int
    offset: int = 0


@dataclass(slots=True)
class Call:
    """One kernel call. `copied` are the reads that are packed before each call."""

    kernel: Kernel
    places: list[Place]
    copied: dict[int, Read]
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
    def threads(self) -> int:
        """How many threads may ever work on the call: so many need scratch memory."""
        return CAPACITY if self.chunk < self.count else 1

    @property
    def nanoseconds(self) -> float:
        """What the call may take on one thread, roughly."""
        lanes = self.kernel.shape.lanes
        line = max(self.grain, lanes) if self.grain > 1 else 1
        return _nanoseconds(self.kernel) * self.count * line


@dataclass(slots=True)
class Array:
    """An array to allocate: its sizes in the order of memory, and the order back."""

    shape: tuple[int, ...]
    axes: tuple[int, ...] | None
    dtype: np.dtype[Any]

    def make(self) -> Any:
        """The array, uninitialised."""
        made = np.empty(self.shape, self.dtype)
        return made if self.axes is None else made.transpose(self.axes)


@dataclass(slots=True)
class Launch:
    """All kernel calls of a group, for arguments of one layout."""

    calls: list[Call] = field(default_factory=list)
    results: list[Array] = field(default_factory=list)
    temporaries: list[Array] = field(default_factory=list)

    def run(self, arguments: Sequence[Any]) -> list[Any]:
        """Compute the group.

        Raises:
            RuntimeError: an integer was divided by zero.
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
    packed = {n: _packed(groups, read, call.space) for n, read in call.copied.items()}
    pointers = [
        packed[n].ctypes.data if n in packed else groups[p.kind][p.index].ctypes.data + p.offset
        for n, p in enumerate(call.places)
    ]
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
    parallel = parallel_function() if threads > 1 and thread_count() > 1 else None
    if parallel is None:
        status = call.kernel.function(0, call.count, *rest)
    else:
        status = parallel(call.kernel.function, call.count, call.chunk, *rest, call.scratch)
    if status:
        raise RuntimeError("ZeroDivisionError")


def _scalars(call: Call, arguments: Sequence[Any]) -> Any:
    if not call.slots:
        return None
    made = np.empty(len(call.slots), np.int64)
    for n, (slot, kind) in enumerate(zip(call.slots, call.slot_kinds, strict=True)):
        made[n : n + 1].view(kind)[0] = arguments[slot]
    return made.ctypes.data_as(_POINTER)


def _packed(groups: dict[str, Sequence[Any]], read: Read, space: tuple[int, ...]) -> Any:
    array = groups[read.kind][read.origin]
    for step in read.steps:
        array = step.apply(array)
    return np.ascontiguousarray(np.broadcast_to(array, space))


# Layout -------------------------------------------------------------------------------------------


def prepare(stages: Sequence[Stage], arguments: Sequence[Any]) -> Launch:
    """The launch of a group for arguments of this layout.

    Raises:
        Unsupported: a kernel cannot be written, or reads where there is nothing to read.
    """
    launch = Launch()
    results: dict[int, Array] = {}
    temporaries: dict[int, Array] = {}
    for stage in stages:
        launch.calls.append(_prepare_stage(stage, arguments, results, temporaries))
    launch.results = [results[n] for n in sorted(results)]
    launch.temporaries = [temporaries[n] for n in sorted(temporaries)]
    return launch


def _prepare_stage(
    stage: Stage, arguments: Sequence[Any], results: dict[int, Array], temporaries: dict[int, Array]
) -> Call:
    if prod(stage.space) == 0 and any(prod(target.shape) for target in stage.targets):
        raise Unsupported("a reduction of nothing")
    made = {"temporary": temporaries, "result": results}
    views = [_view(read, arguments, made) for read in stage.reads]
    places = [
        Place(read.kind, read.origin, offset)
        for read, (_, offset) in zip(stage.reads, views, strict=True)
    ]
    rank = len(stage.space)
    given = [_spread(view.shape, view.strides, rank) for view, _ in views]
    order = _memory_order(stage, given)
    written: list[Strides] = []
    owners: list[Place] = []
    for target in stage.targets:
        array = _allocation(target.shape, order, target.dtype.numpy)
        (temporaries if target.is_temporary else results)[target.index] = array
        owners.append(Place("temporary" if target.is_temporary else "result", target.index))
        shadow = _shadow(array)
        missing = (0,) * (rank - len(target.shape)) if stage.axes else ()
        spread = _spread(shadow.shape, shadow.strides, rank - len(missing))
        written.append((*spread, *missing))
    packed: dict[int, Read] = {}
    found = _geometry(stage, [*written, *given], order)
    if found is None:
        lines = _shadow(Array(stage.space, None, np.dtype(np.uint8)))
        for number, read in enumerate(stage.reads):
            given[number] = tuple(stride * read.dtype.itemsize for stride in lines.strides)
            packed[number + len(owners)] = read
        found = _geometry(stage, [*written, *given], order)
    if found is None:
        raise Unsupported("rows that do not lie in a line")
    return _call(stage, [*owners, *places], packed, *found)


def _call(
    stage: Stage,
    places: list[Place],
    packed: dict[int, Read],
    sizes: list[int],
    strides: list[Strides],
) -> Call:
    itemsizes = [t.dtype.itemsize for t in stage.targets] + [r.dtype.itemsize for r in stage.reads]
    accesses = accesses_of([given[-1] for given in strides], itemsizes)
    kernel = compile_kernel(stage.plan, Layout(len(sizes), accesses))
    lanes = kernel.shape.lanes
    is_flat = len(sizes) == 1 and not stage.axes
    count = 0 if 0 in stage.space else sizes[0] if is_flat else prod(sizes[:-1])
    grain = 1 if is_flat else sizes[-1]
    return Call(
        kernel, places, packed, stage.space, (_I64 * len(sizes))(*sizes),
        (_I64 * (len(strides) * len(sizes)))(*(s for given in strides for s in given)),
        stage.slots, tuple(_SLOT_KINDS[d.category] for d in stage.plan.slots),
        scratch_bytes(stage.plan, sizes[-1], lanes),
        count, grain, _chunk(kernel, count, grain),
    )  # fmt: skip


def _chunk(kernel: Kernel, count: int, grain: int) -> int:
    """How much of its range a thread takes at a time; all of it where splitting does not pay."""
    each = _nanoseconds(kernel) * (max(grain, kernel.shape.lanes) if grain > 1 else 1)
    if each * count < PARALLEL_NANOSECONDS:
        return count
    pieces = max(min(4 * thread_count(), int(each * count / 10_000)), 1)
    size = -(-count // pieces)
    return -(-size // 1024) * 1024 if grain == 1 else size


def flat_chunk(kernel: Kernel) -> int:
    """The same for a kernel over elements of any number: half of what is worth splitting."""
    return -(-int(PARALLEL_NANOSECONDS / 2 / _nanoseconds(kernel)) // 1024) * 1024


def _nanoseconds(kernel: Kernel) -> float:
    """What an element may cost: a line of text is an instruction on a vector, about a quarter of
    one.
    """
    return kernel.text.count("\n") * 0.25 / kernel.shape.lanes


_SLOT_KINDS = {Category.BOOL: "int64", Category.INTEGRAL: "int64", Category.FLOATING: "float64"}


def _view(
    read: Read, arguments: Sequence[Any], made: dict[str, dict[int, Array]]
) -> tuple[Any, int]:
    """The view that a stage reads, and where it begins in its array."""
    base = _shadow(made[read.kind][read.origin]) if read.kind in made else arguments[read.origin]
    array = base
    for step in read.steps:
        array = step.apply(array)
    return array, array.ctypes.data - base.ctypes.data if array.size else 0


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


def _memory_order(stage: Stage, strides: Sequence[Strides]) -> tuple[int, ...]:
    """The dimensions from the one with the largest strides inward; those of rows stay last."""
    rank = len(stage.space)
    outer = rank - stage.axes
    free = [d for d in range(outer) if stage.space[d] > 1]
    placed = iter(sorted(free, key=lambda d: -sum(abs(given[d]) for given in strides)))
    return (*(next(placed) if d in free else d for d in range(outer)), *range(outer, rank))


def _allocation(shape: tuple[int, ...], order: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """An array whose dimensions lie in memory in that order."""
    own = [d for d in order if d < len(shape)]
    if own == sorted(own):
        return Array(shape, None, dtype)
    return Array(tuple(shape[d] for d in own), tuple(np.argsort(own).tolist()), dtype)


def _geometry(
    stage: Stage, strides: Sequence[Strides], order: Sequence[int]
) -> tuple[list[int], list[Strides]] | None:
    """Sizes and strides with as few dimensions as may be; None where rows do not lie in a line."""
    outer = [d for d in order if d < len(stage.space) - stage.axes]
    inner = [d for d in order if d >= len(stage.space) - stage.axes]
    sizes, found = merged(stage.space, strides, outer)
    if not stage.axes:
        return (sizes, found) if sizes else ([1], [(0,)] * len(strides))
    row_sizes, row_found = merged(stage.space, strides, inner)
    if len(row_sizes) > 1:
        return None
    tails = row_found if row_sizes else [(0,)] * len(strides)
    joined = [(*a, *b) for a, b in zip(found, tails, strict=True)]
    return [*sizes, *(row_sizes or [1])], joined


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
