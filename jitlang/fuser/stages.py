"""Fused values become stages: one loop plan each, with what it reads and where its results go.

Results that share an iteration space share a plan. What a plan cannot hold goes through a temporary
array, written by an earlier stage: a reduction of another space than that of the value it is used
in, and values that cross the cut where a plan of more than `config.max_kernel_ops` statements is
split.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod
from typing import Any

from .. import config
from ..dtypes import DType
from ..ops.algebra import ELEMENTARY
from .joins import bounds
from .plan import (
    Apply,
    Convert,
    Count,
    Draw,
    Gather,
    Load,
    LoopPlan,
    Output,
    Reduce,
    Ref,
    Slot,
    Statement,
    Unsupported,
    operands_of,
)
from .tensors import (
    Applied,
    Converted,
    Dims,
    Drawn,
    Dropped,
    Gathered,
    Joined,
    Reduced,
    Scalar,
    Scattered,
    Shape,
    Source,
    Step,
    Stored,
    Tensor,
    as_rows,
)
from .tensors import operands_of as parts_of


@dataclass(frozen=True, slots=True)
class Places:
    """How indices reach into an array that is seen through steps.

    Attributes:
        before: after so many steps the indices go along the dimensions `dims`.
        dims: one for each index.
        whole: the shape over which the next steps spread the first elements.
        views: the last steps, which are views of the value of that shape.
    """

    before: int
    dims: tuple[int, ...]
    whole: Shape
    views: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """An array that a stage reads, seen through steps: an `argument`, a `temporary` or a `result`;
    or the numbers of the elements of a `draw`.
    """

    origin: int
    kind: str
    steps: tuple[Step, ...]
    dtype: DType
    places: Places | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a joined array: where it begins along dimension `axis` (from the end)."""

    shape: Shape
    axis: int
    begin: int


@dataclass(frozen=True, slots=True)
class Target:
    """An array that a stage writes: result `index` of the group, or temporary `index`. It has the
    dimensions of the space but those that were `dropped`, and may be a part of a joined array; or
    an earlier stage has written it, and it is reached through `steps` and indices.
    """

    index: int
    is_temporary: bool
    shape: Shape
    dtype: DType
    dropped: Dims = ()
    region: Region | None = None
    steps: tuple[Step, ...] = ()
    places: Places | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One kernel of a group. A row spans some dimensions of the space, `dims`."""

    plan: LoopPlan
    reads: tuple[Read, ...]
    slots: tuple[int, ...]
    targets: tuple[Target, ...]
    space: Shape
    dims: Dims


@dataclass(frozen=True, slots=True)
class _Written:
    """What a draft writes: a statement's value, through the indices of others."""

    value: int
    target: Target
    indices: tuple[int, ...] = ()
    wraps: bool = False
    combine: str = ""


@dataclass(slots=True)
class _Draft:
    """Statements of one space while they are collected."""

    space: Shape
    dims: Dims
    reads: dict[Read, int] = field(default_factory=dict)
    slots: dict[int, int] = field(default_factory=dict)
    slot_dtypes: list[DType] = field(default_factory=list)
    statements: dict[Statement, int] = field(default_factory=dict)
    outputs: list[_Written] = field(default_factory=list)


def assemble_stages(roots: Sequence[Tensor]) -> list[Stage]:
    """The stages that compute the results of a group.

    Raises:
        Unsupported: plans cannot say it.
    """
    return _Stages().assemble(roots)


class _Stages:
    def __init__(self) -> None:
        self.finished: list[Stage] = []
        self.temporaries: dict[int, Source] = {}
        self.temporary_count = 0

    def assemble(self, roots: Sequence[Tensor]) -> list[Stage]:
        targets = [Target(n, False, t.shape, t.dtype, _dropped(t)) for n, t in enumerate(roots)]
        self.compute([pair for root, to in zip(roots, targets, strict=True)
            for pair in _whole_or_parts(root, to)])  # fmt: skip
        return self.finished

    def compute(self, wanted: Sequence[tuple[Tensor, Target]], *, is_last: bool = True) -> None:
        """Compute values into their targets, those of one space by one kernel.

        Args:
            wanted: the values, and where they go.
            is_last: whether nothing is written there later, so that others may read them there.
        """
        placed: dict[tuple[Shape, Dims], list[tuple[Tensor, Target]]] = {}
        for value, target in wanted:
            if isinstance(value, Scattered) and value.order not in self.temporaries:
                self.scatter(value, target)
                self.note([(value, target)], is_last)
                continue
            placed.setdefault(self.space_of(_row_value(value)), []).append((value, target))
        for space, dims in _in_order(placed):
            draft = _Draft(space, dims)
            for value, target in placed[space, dims]:
                self.add(draft, _row_value(value), target)
            self.finish(draft)
            self.note(placed[space, dims], is_last)

    def note(self, written: Sequence[tuple[Tensor, Target]], is_last: bool) -> None:
        """Remember where values are."""
        for value, target in written:
            if is_last and target.region is None:
                kind = "temporary" if target.is_temporary else "result"
                made = Source(value.shape, value.dtype, target.index, kind)
                self.temporaries.setdefault(value.order, made)

    def scatter(self, value: Scattered, target: Target) -> None:
        """Write what a value is written onto, and then over it."""
        self.compute(_whole_or_parts(value.onto, target), is_last=False)
        base: Source = value.reach.base
        draft = _Draft(base.shape, ())
        numbers = [self.settled(draft, part) for part in (value.value, *value.reach.indices)]
        places = Places(len(base.steps) - value.reach.spread, value.reach.dims, base.shape)
        reached = replace(target, steps=base.steps, places=places)
        written = _Written(numbers[0], reached, (*numbers[1:],), value.reach.wraps, value.combine)
        draft.outputs.append(written)
        self.finished.append(_stage(draft, list(draft.statements)))

    def settled(self, draft: _Draft, root: Tensor) -> int:
        """The statement of a value in a kernel that writes one element after the other: what takes
        long to compute comes from an array, where vectors computed it.
        """
        self.settle(root, draft.space, draft.dims)
        reached = self.reachable(root).values()
        if sum(isinstance(t, Applied) for t in reached) > FEW:
            self.materialize(root)
        return self.statements(draft, root)

    def reachable(self, root: Tensor) -> dict[int, Tensor]:
        """What a value is made of, down to sources and temporaries, operands first.

        A value that is in a temporary stands as that temporary, under its own number.
        """
        seen: dict[int, Tensor] = {}
        work = [root]
        while work:
            tensor = work.pop()
            if tensor.order not in seen:
                seen[tensor.order] = self.temporaries.get(tensor.order, tensor)
                work += parts_of(seen[tensor.order])
        return {order: seen[order] for order in sorted(seen)}

    def space_of(self, value: Tensor) -> tuple[Shape, Dims]:
        """The iteration space of a value, and the dimensions of a row in it."""
        reductions = [t for t in self.reachable(value).values() if isinstance(t, Reduced)]
        fitting = [r for r in reductions if _fits(value, r)]
        return (fitting[-1].space, fitting[-1].dims) if fitting else (value.shape, ())

    def settle(self, value: Tensor, space: Shape, dims: Dims) -> None:
        """Put what does not fit into the value's space, or is to be stored, into temporaries."""
        while True:
            strange = [
                t
                for t in self.reachable(value).values()
                if isinstance(t, Stored | Scattered)
                or (isinstance(t, Reduced) and (t.space, t.dims) != (space, dims))
            ]
            if not strange:
                return
            # The last first: what only it needs is then needed no more.
            self.materialize(strange[-1])

    def materialize(self, value: Tensor) -> None:
        """Compute a value in a stage of its own."""
        if isinstance(value, Stored):
            if value.value.order not in self.temporaries:
                self.materialize(value.value)
            found = self.temporaries[value.value.order]
            steps = (*found.steps, *value.steps)
            seen = Source(value.shape, value.dtype, found.origin, found.kind, steps)
            self.temporaries[value.order] = seen
            return
        target = self.temporary(value)
        self.compute(_whole_or_parts(value, target))
        self.temporaries[value.order] = Source(value.shape, value.dtype, target.index, "temporary")

    def precompute(self, root: Tensor, draft: _Draft) -> None:
        """Put values that the space repeats, and that are slow to compute, into temporaries."""
        while True:
            reached = self.reachable(root)
            slow = _slow_values(reached)
            found = [t for n, t in reached.items() if n in slow and _is_repeated(t, draft)]
            if not found:
                return
            self.materialize(found[-1])

    def temporary(self, value: Tensor) -> Target:
        """A new temporary of a value's shape."""
        self.temporary_count += 1
        return Target(self.temporary_count - 1, True, value.shape, value.dtype, _dropped(value))

    # Statements ---------------------------------------------------------------------------------

    def add(self, draft: _Draft, root: Tensor, target: Target) -> None:
        self.settle(root, draft.space, draft.dims)
        self.precompute(root, draft)
        draft.outputs.append(_Written(self.statements(draft, root), target))

    def statements(self, draft: _Draft, root: Tensor) -> int:
        """Write down what a value is made of; returns the number of its own statement."""
        numbers: dict[int, int] = {}
        for order, tensor in self.reachable(root).items():
            numbers[order] = self.statement(draft, tensor, numbers)
        return numbers[root.order]

    def statement(self, draft: _Draft, tensor: Tensor, numbers: dict[int, int]) -> int:
        """The number of the statement that computes a value."""
        if isinstance(tensor, Source):
            read = Read(tensor.origin, tensor.kind, tensor.steps, tensor.dtype)
            place = draft.reads.setdefault(read, len(draft.reads))
            return _put(draft, Load(place, tensor.dtype, _is_row(tensor, draft)))
        if isinstance(tensor, Gathered):
            return self.gather(draft, tensor, numbers)
        if isinstance(tensor, Drawn):
            read = Read(0, "draw", tensor.steps, tensor.dtype)
            place = draft.reads.setdefault(read, len(draft.reads))
            seed, offset = (Ref(_scalar(draft, s)) for s in (tensor.seed, tensor.offset))
            return _put(draft, Draw(place, seed, offset, tensor.word, tensor.dtype))
        if isinstance(tensor, Converted):
            value = Ref(numbers[tensor.value.order])
            return _put(draft, Convert(value, tensor.value.dtype, tensor.dtype))
        if isinstance(tensor, Reduced):
            if tensor.value is None:
                return _put(draft, Count(tensor.dtype))
            return _put(draft, Reduce(tensor.kind, Ref(numbers[tensor.value.order]), tensor.dtype))
        if not isinstance(tensor, Applied):
            raise Unsupported("a reduction without its dimensions inside a kernel")
        operands = tuple(self.operand(draft, o, numbers) for o in tensor.operands)
        return _put(draft, Apply(tensor.row.full_name, operands, tensor.execute, tensor.dtype))

    def gather(self, draft: _Draft, tensor: Gathered, numbers: dict[int, int]) -> int:
        """The statement that reads an array at computed places."""
        reach = tensor.reach
        base: Source = self.temporaries.get(reach.base.order, reach.base)
        before = len(base.steps) - reach.spread - len(tensor.steps)
        places = Places(before, reach.dims, tensor.whole, tensor.steps)
        read = Read(base.origin, base.kind, base.steps, base.dtype, places)
        place = draft.reads.setdefault(read, len(draft.reads))
        indices = tuple(Ref(numbers[index.order]) for index in reach.indices)
        return _put(draft, Gather(place, indices, reach.wraps, base.dtype, _is_row(base, draft)))

    def operand(self, draft: _Draft, operand: Any, numbers: dict[int, int]) -> Any:
        if isinstance(operand, Tensor):
            return Ref(numbers[operand.order])
        return Ref(_scalar(draft, operand)) if isinstance(operand, Scalar) else operand

    # Plans --------------------------------------------------------------------------------------

    def finish(self, draft: _Draft) -> None:
        """Write down the draft as one stage, or several."""
        statements = list(draft.statements)
        last_use = _last_uses(statements)
        limit = max(config.current().max_kernel_ops, 2)
        cuts = _cuts(statements, last_use, limit) if not draft.dims else []
        loads: dict[int, Statement] = {}
        for begin, end in pairwise((0, *cuts, len(statements))):
            own, numbers = _part(statements, range(begin, end), loads)
            stage = replace(draft, outputs=[])
            stage.outputs = [
                replace(o, value=numbers[o.value]) for o in draft.outputs if begin <= o.value < end
            ]
            for number in range(begin, end):
                if last_use[number] >= end and not _is_free(statements, number):
                    target, loads[number] = self.passed_on(draft, statements[number].dtype)
                    stage.outputs.append(_Written(numbers[number], target))
            self.finished.append(_stage(stage, own))

    def passed_on(self, draft: _Draft, dtype: DType) -> tuple[Target, Statement]:
        """A temporary for a value that later parts of a draft need, and how they read it."""
        target = self.temporary(Source(draft.space, dtype, 0))
        read = Read(target.index, "temporary", (), dtype)
        return target, Load(draft.reads.setdefault(read, len(draft.reads)), dtype)


FEW = 4
"""Rows that may be applied where elements are written one after the other."""
def _in_order(
    placed: Mapping[tuple[Shape, Dims], Sequence[tuple[Tensor, Target]]],
) -> list[tuple[Shape, Dims]]:
    """Small spaces first, since bigger ones may read their results; nobody reads parts of a joined
    array, so their order does not depend on sizes.
    """
    if all(target.region for pairs in placed.values() for _, target in pairs):
        return list(placed)
    return sorted(placed, key=lambda key: prod(key[0]))


REPEATED = 4
"""How often a slow value must be computed over again to be worth an array of its own."""
_SLOW = frozenset(
    f"aten::{name}" for name in (*ELEMENTARY, "gelu", "silu", "mish", "softplus", "elu")
)


def _slow_values(reached: dict[int, Tensor]) -> set[int]:
    """The numbers of values that take an elementary function to compute, and no reduction."""
    slow: set[int] = set()
    reduced: set[int] = set()
    for order, tensor in reached.items():
        parts = {part.order for part in parts_of(tensor)}
        if isinstance(tensor, Reduced) or parts & reduced:
            reduced.add(order)
        elif parts & slow or _takes_long(tensor):
            slow.add(order)
    return slow


def _takes_long(tensor: Tensor) -> bool:
    """Whether a value is an elementary function, or read from all over an array."""
    if isinstance(tensor, Gathered):
        return True
    return isinstance(tensor, Applied) and tensor.row.name in _SLOW


def _is_repeated(tensor: Tensor, draft: _Draft) -> bool:
    """Whether a space computes a value over again for many rows; along a row that is seen anyway.
    """
    if not tensor.shape or not isinstance(tensor, Applied | Converted | Gathered):
        return False
    dims = draft.dims or (-1,)
    is_along_rows = _length(tensor.shape, dims) > 1 or _length(draft.space, dims) == 1
    return is_along_rows and 0 < prod(tensor.shape) * REPEATED <= prod(draft.space)


def _length(shape: Shape, dims: Dims) -> int:
    """How many elements a row has."""
    return prod(shape[d] for d in dims if len(shape) >= -d)


def _row_value(tensor: Tensor) -> Tensor:
    """The value that a kernel computes for a result."""
    return tensor.value if isinstance(tensor, Dropped) else tensor


def _dropped(tensor: Tensor) -> Dims:
    return tensor.dims if isinstance(tensor, Dropped) else ()


def _whole_or_parts(value: Tensor, target: Target) -> list[tuple[Tensor, Target]]:
    """What to compute for a value: itself, or the parts of a joined one."""
    if not isinstance(value, Joined):
        return [(value, target)]
    starts = [begin for begin, _ in bounds(value)]
    return [
        (part, replace(target, shape=part.shape, region=Region(value.shape, value.axis, begin)))
        for part, begin in zip(value.parts, starts, strict=True)
    ]


def _fits(value: Tensor, reduction: Reduced) -> bool:
    """Whether a value is one element or one row of a reduction's space."""
    return value.shape in (reduction.space, as_rows(reduction.space, reduction.dims))


def _is_row(source: Source, draft: _Draft) -> bool:
    if _length(draft.space, draft.dims) == 1:
        return False
    return _length(source.shape, draft.dims) == 1


def _put(draft: _Draft, statement: Statement) -> int:
    return draft.statements.setdefault(statement, len(draft.statements))


def _scalar(draft: _Draft, scalar: Scalar) -> int:
    """A scalar argument and its conversions."""
    slot = draft.slots.setdefault(scalar.slot, len(draft.slots))
    if slot == len(draft.slot_dtypes):
        draft.slot_dtypes.append(scalar.dtypes[0])
    number = _put(draft, Slot(slot, scalar.dtypes[0]))
    for source, dtype in zip(scalar.dtypes, scalar.dtypes[1:], strict=False):
        number = _put(draft, Convert(Ref(number), source, dtype))
    return number


def _stage(draft: _Draft, statements: Sequence[Statement]) -> Stage:
    """A stage with only the statements and reads that its outputs need."""
    needed = {number for o in draft.outputs for number in (o.value, *o.indices)}
    for number in range(len(statements) - 1, -1, -1):
        if number in needed:
            needed.update(operands_of(statements[number]))
    kept = sorted(needed)
    numbers = {old: new for new, old in enumerate(kept)}
    reads: dict[Read, int] = {}
    by_place = list(draft.reads)
    made: list[Statement] = []
    for old in kept:
        statement = _renumbered(statements[old], numbers)
        if isinstance(statement, Load | Gather | Draw):
            place = reads.setdefault(by_place[statement.input], len(reads))
            statement = replace(statement, input=place)
        made.append(statement)
    levels = LoopPlan((), (), tuple(made), (), bool(draft.dims)).is_row
    outputs = []
    for written in draft.outputs:
        value, *indices = (Ref(numbers[n]) for n in (written.value, *written.indices))
        is_row = bool(draft.dims) and levels[value.index]
        outputs.append(
            Output(value, written.target.dtype, is_row, (*indices,), written.wraps, written.combine)
        )
    plan = LoopPlan(
        tuple(read.dtype for read in reads), tuple(draft.slot_dtypes), tuple(made), tuple(outputs),
        bool(draft.dims),
    )  # fmt: skip
    _check_levels(plan)
    return Stage(
        plan,
        tuple(reads),
        tuple(draft.slots),
        tuple(written.target for written in draft.outputs),
        draft.space,
        draft.dims,
    )


def _check_levels(plan: LoopPlan) -> None:
    for statement in plan.statements:
        if isinstance(statement, Reduce) and plan.is_row[statement.value.index]:
            raise Unsupported("a reduction of one element")


def _renumbered(statement: Statement, numbers: dict[int, int]) -> Statement:
    if isinstance(statement, Convert):
        return Convert(Ref(numbers[statement.value.index]), statement.source, statement.dtype)
    if isinstance(statement, Reduce):
        return Reduce(statement.kind, Ref(numbers[statement.value.index]), statement.dtype)
    if isinstance(statement, Draw):
        seed, offset = (Ref(numbers[o.index]) for o in (statement.seed, statement.offset))
        return replace(statement, seed=seed, offset=offset)
    if isinstance(statement, Gather):
        return replace(statement, indices=tuple(Ref(numbers[o.index]) for o in statement.indices))
    if isinstance(statement, Apply):
        operands = tuple(
            Ref(numbers[o.index]) if isinstance(o, Ref) else o for o in statement.operands
        )
        return Apply(statement.row, operands, statement.execute, statement.dtype)
    return statement


def _last_uses(statements: Sequence[Statement]) -> list[int]:
    """For each statement the last one that reads its value, itself where there is none."""
    found = list(range(len(statements)))
    for number, statement in enumerate(statements):
        for operand in operands_of(statement):
            found[operand] = number
    return found


def _is_free(statements: Sequence[Statement], number: int) -> bool:
    """Whether a value is better read again than kept: a load, a scalar, or a conversion of one."""
    statement = statements[number]
    if isinstance(statement, Convert):
        return _is_free(statements, statement.value.index)
    return isinstance(statement, Load | Slot)


def _cuts(statements: Sequence[Statement], last_use: Sequence[int], limit: int) -> list[int]:
    """Where to cut statements so that no part applies more than `limit` rows."""
    applied = [n for n, s in enumerate(statements) if isinstance(s, Apply)]
    cuts: list[int] = []
    done = 0
    while len(applied) - done > limit:
        begin = cuts[-1] if cuts else 0
        low, high = applied[done + limit // 2], applied[done + limit]
        cuts.append(_best_cut(statements, last_use, range(begin, low), high))
        done = bisect_left(applied, cuts[-1])
    return cuts


def _best_cut(
    statements: Sequence[Statement], last_use: Sequence[int], before: range, high: int
) -> int:
    """The last place from the end of `before` to `high` where the fewest values cross."""
    live = {n for n in before if not _is_free(statements, n)}
    best, fewest = high, len(statements) + 1
    for cut in range(before.stop, high + 1):
        live = {n for n in live if last_use[n] >= cut}
        if len(live) <= fewest:
            best, fewest = cut, len(live)
        if not _is_free(statements, cut):
            live.add(cut)
    return best


def _part(
    statements: Sequence[Statement], part: range, loads: dict[int, Statement]
) -> tuple[list[Statement], dict[int, int]]:
    """Some of the statements, with loads of what earlier parts computed and copies of what is
    free; and their numbers.
    """
    numbers: dict[int, int] = {}
    made: dict[Statement, int] = {}

    def place(number: int) -> None:
        if number in numbers:
            return
        statement = loads.get(number)
        if statement is None:
            for operand in operands_of(statements[number]):
                place(operand)
            statement = _renumbered(statements[number], numbers)
        numbers[number] = made.setdefault(statement, len(made))

    for number in part:
        place(number)
    return list(made), numbers
