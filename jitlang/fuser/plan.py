"""Loop plans: what one kernel does, independent of sizes and of the processor.

A plan runs over an iteration space. Without reductions every element of the space is computed by
itself. With reductions the space is rows of elements: `Reduce` takes a value at every element of a
row to one value of the row, which later statements may combine with elements again (softmax: a
maximum, then a sum of exponentials, then a quotient). A statement stands at the level of elements
or of rows; a plan is a list of statements in order, each naming earlier ones by number.

Inputs and outputs are arrays of the space's shape with any strides (0 where an input is broadcast);
an input or output at row level has no extent along the row. An array may also be reached through
indices, values that say how far to go along dimensions of its own which the space does not have.
Sizes and strides are given when the kernel runs, so plans say nothing about them: a plan is dtypes,
statements and levels, compares by content, and prints:

    plan over elements
      v0 = load float32 in0
      v1 = aten::mul.Scalar(v0, 2.0) : float32
      out0 = v1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..dtypes import DType


class Unsupported(Exception):
    """A fusion group holds something that loop plans or their generator do not cover."""


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of an earlier statement."""

    index: int

    def __str__(self) -> str:
        return f"v{self.index}"


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the dtype in which the row is computed."""

    text: str  # the repr of the value: compares NaN and the sign of zero as content
    dtype: DType

    @property
    def value(self) -> float:
        """The Python number."""
        if self.text in ("True", "False"):
            return self.text == "True"
        return float(self.text) if self.dtype.is_floating_point else int(self.text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Option:
    """An argument that reaches the row's body untouched: None, a string, a number of places."""

    value: Any

    def __str__(self) -> str:
        return repr(self.value)


Operand = Ref | Number | Option


@dataclass(frozen=True, slots=True)
class Load:
    """The element of an input, or with `is_row` the one that belongs to the whole row."""

    input: int
    dtype: DType
    is_row: bool = False

    def __str__(self) -> str:
        return f"load {self.dtype.name} in{self.input}{' of the row' if self.is_row else ''}"


@dataclass(frozen=True, slots=True)
class Gather:
    """The element of an input at computed places: each index, an int64, counts elements along one
    dimension of the array; with `wraps` negative ones count from its end. What is out of range is
    not read: the kernel reports it.
    """

    input: int
    indices: tuple[Ref, ...]
    wraps: bool
    dtype: DType
    is_row: bool = False

    def __str__(self) -> str:
        row = " of the row" if self.is_row else ""
        return f"gather {self.dtype.name} in{self.input}{row}{_at(self.indices, self.wraps)}"


def _at(indices: tuple[Ref, ...], wraps: bool) -> str:
    listed = ", ".join(map(str, indices))
    return f" at {listed}{' from either end' if wraps else ''}"


@dataclass(frozen=True, slots=True)
class Slot:
    """A scalar given with the call: bool and int64 in 64-bit integers, float64 as it is."""

    slot: int
    dtype: DType

    def __str__(self) -> str:
        return f"scalar {self.dtype.name} s{self.slot}"


@dataclass(frozen=True, slots=True)
class Convert:
    """The same number in another dtype, rounded as NumPy's `astype` rounds."""

    value: Ref
    source: DType
    dtype: DType

    def __str__(self) -> str:
        return f"convert {self.value} to {self.dtype.name}"


@dataclass(frozen=True, slots=True)
class Apply:
    """A pointwise row: its body in `execute`, the result rounded to `dtype`."""

    row: str
    operands: tuple[Operand, ...]
    execute: DType
    dtype: DType

    def __str__(self) -> str:
        given = ", ".join(map(str, self.operands))
        inner = "" if self.execute is self.dtype else f" in {self.execute.name}"
        return f"{self.row}({given}) : {self.dtype.name}{inner}"


@dataclass(frozen=True, slots=True)
class Reduce:
    """A row of values to one: `sum`, `prod`, `maximum`, `minimum`, `any`, `all`."""

    kind: str
    value: Ref
    dtype: DType

    def __str__(self) -> str:
        return f"reduce {self.kind} {self.value} : {self.dtype.name}"


@dataclass(frozen=True, slots=True)
class Count:
    """How many elements a row has."""

    dtype: DType

    def __str__(self) -> str:
        return f"count : {self.dtype.name}"


@dataclass(frozen=True, slots=True)
class Draw:
    """24 random bits for each element, as int64, from the state that two scalars tell.

    The input is no array: its address is the element's number in the draw, in row-major order.
    `word` says whose bits: the element's own (`own`), or those of the `first` or `second` of its
    pair; or `parity`, which of the two it is.
    """

    input: int
    seed: Ref
    offset: Ref
    word: str
    dtype: DType

    def __str__(self) -> str:
        return f"draw {self.word} in{self.input} of {self.seed}, {self.offset}"


Statement = Load | Gather | Slot | Convert | Apply | Reduce | Count | Draw


@dataclass(frozen=True, slots=True)
class Output:
    """Where a value goes: every element, or with `is_row` one per row.

    With `indices`, as those of `Gather`, to computed places of an array that has been written
    before: one element after the other in row-major order. There it stands instead of what was
    there, or with `combine` ("sum" or "prod") together with it.
    """

    value: Ref
    dtype: DType
    is_row: bool = False
    indices: tuple[Ref, ...] = ()
    wraps: bool = False
    combine: str = ""

    def __str__(self) -> str:
        where = " of the row" if self.is_row else ""
        where += _at(self.indices, self.wraps) if self.indices else ""
        return f"{where} {self.combine or '='} {self.value}"


def operands_of(statement: Statement) -> Iterator[int]:
    """The numbers of the statements that a statement reads."""
    if isinstance(statement, Convert | Reduce):
        yield statement.value.index
    elif isinstance(statement, Apply):
        yield from (o.index for o in statement.operands if isinstance(o, Ref))
    elif isinstance(statement, Draw):
        yield from (statement.seed.index, statement.offset.index)
    elif isinstance(statement, Gather):
        yield from (index.index for index in statement.indices)


@dataclass(frozen=True)
class LoopPlan:
    """What one kernel does. `inputs` are the dtypes of the arrays read, `slots` those of the
    scalars.
    """

    inputs: tuple[DType, ...]
    slots: tuple[DType, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[Output, ...]
    has_rows: bool

    @cached_property
    def is_row(self) -> tuple[bool, ...]:
        """For each statement whether its value belongs to the whole row."""
        found: list[bool] = []
        for statement in self.statements:
            if isinstance(statement, Load):
                found.append(statement.is_row)
            elif isinstance(statement, Gather):
                fixed = all(found[index] for index in operands_of(statement))
                found.append(statement.is_row and fixed)
            elif isinstance(statement, Convert | Apply):
                found.append(all(found[index] for index in operands_of(statement)))
            else:
                found.append(not isinstance(statement, Draw))
        return tuple(found)

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """For outputs, then inputs, through how many indices each is reached."""
        given = {s.input: len(s.indices) for s in self.statements if isinstance(s, Gather)}
        inputs = (given.get(n, 0) for n in range(len(self.inputs)))
        return (*(len(output.indices) for output in self.outputs), *inputs)

    @cached_property
    def is_ordered(self) -> bool:
        """Whether elements must be written one after the other."""
        return any(output.indices for output in self.outputs)

    def inputs_of(self, values: Iterable[int], *, ends: tuple[type, ...] = ()) -> set[int]:
        """The inputs that statements are computed from, without what those of some kinds are: the
        indices of a `Gather`, the elements of a `Reduce`.
        """
        work, seen, found = list(values), set(), set()
        while work:
            number = work.pop()
            if number in seen:
                continue
            seen.add(number)
            statement = self.statements[number]
            if isinstance(statement, Load | Gather | Draw):
                found.add(statement.input)
            if not isinstance(statement, ends):
                work += operands_of(statement)
        return found

    @cached_property
    def phases(self) -> tuple[int, ...]:
        """For each statement the first pass over the row in which its value is known.

        A reduction over values of pass p is known in pass p + 1.
        """
        found: list[int] = []
        for statement in self.statements:
            after = max((found[index] for index in operands_of(statement)), default=0)
            found.append(after + 1 if isinstance(statement, Reduce) else after)
        return tuple(found)

    def __str__(self) -> str:
        lines = [f"plan over {'rows of elements' if self.has_rows else 'elements'}"]
        lines += [f"  v{n} = {s}" for n, s in enumerate(self.statements)]
        lines += [f"  out{n}{output}" for n, output in enumerate(self.outputs)]
        return "\n".join(lines)
