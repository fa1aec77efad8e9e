"""LLVM text, one instruction per line, and the values that instructions are about.

A `Lane` value is a scalar (`lanes == 1`: the same for all elements) or a vector that holds one
element per lane. Variables of loops are stack slots, which LLVM turns into registers; so no phi is
ever written. Blocks follow each other in the order in which they are opened.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..dtypes import DType, bfloat16, bool_, float16, float64

HALVES = (float16, bfloat16)
WIDE = '"prefer-vector-width"="512"'
"""Every function has this attribute: how vectors are passed depends on it."""

_NAME = re.compile(r"%v\d+\b")
_MADE = re.compile(r"^  (%v\d+) =", re.MULTILINE)
_LOCAL = re.compile(r"\b[vb]\d+\b(?!f|i|p)")


def register_type(dtype: DType) -> str:
    """The LLVM type in which elements are computed; half types are held as float32."""
    if dtype is bool_:
        return "i1"
    if dtype.is_floating_point:
        return "double" if dtype is float64 else "float"
    return f"i{8 * dtype.itemsize}"


def stored_type(dtype: DType) -> str:
    """The LLVM type in which elements lie in memory."""
    if dtype in HALVES:
        return "i16"
    return "i8" if dtype is bool_ else register_type(dtype)


@dataclass(slots=True, eq=False)
class Lane:
    """An LLVM value.

    Attributes:
        text: a name, or the text of a constant.
        element: the LLVM type of one element.
        lanes: elements held; 1 for a scalar.
        is_constant: whether `text` is that of a scalar constant.
        stored: the same value as it lies in memory, where it is known (half types).
    """

    text: str
    element: str
    lanes: int = 1
    is_constant: bool = False
    stored: Lane | None = None

    @property
    def type(self) -> str:
        """The LLVM type."""
        return vector_type(self.element, self.lanes)

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


def vector_type(element: str, lanes: int) -> str:
    """The type of so many elements."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def suffix(element: str, lanes: int) -> str:
    """How a type is spelled in the name of an intrinsic."""
    short = {"float": "f32", "double": "f64", "half": "f16", "ptr": "p0"}.get(element, element)
    return short if lanes == 1 else f"v{lanes}{short}"


def constant(value: float, dtype: DType) -> Lane:
    """A number of a dtype; integers wrap."""
    element = register_type(dtype)
    if dtype.is_floating_point:
        if dtype is not float64:
            value = _single(float(value))
        bits: int = struct.unpack("<Q", struct.pack("<d", float(value)))[0]
        if value != value:
            bits = 0x7FF8000000000000
        return Lane(f"0x{bits:016X}", element, 1, True)
    if dtype is bool_:
        return Lane("true" if value else "false", element, 1, True)
    return integer(int(value), 8 * dtype.itemsize)


def integer(value: int, bits: int = 64) -> Lane:
    """An integer constant of that many bits."""
    value &= (1 << bits) - 1
    return Lane(str(value - (1 << bits) if value >> (bits - 1) else value), f"i{bits}", 1, True)


def _single(value: float) -> float:
    """Rounded to float32; overflow gives infinity."""
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return rounded


@dataclass
class Assembler:
    """The text of one function while it is written, and what the module needs besides.

    `has_scalef`: the processor multiplies full registers with powers of two (AVX-512).
    """

    has_scalef: bool = False
    lines: list[str] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    declarations: dict[str, str] = field(default_factory=dict)
    globals: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    names: int = 0

    def name(self) -> str:
        """A fresh name."""
        self.names += 1
        return f"%v{self.names}"

    def write(self, text: str) -> None:
        """An instruction without a result."""
        self.lines.append("  " + text)

    def value(self, text: str, element: str, lanes: int = 1) -> Lane:
        """An instruction with a result of that type."""
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        self.types[name] = vector_type(element, lanes)
        return Lane(name, element, lanes)

    def call(
        self, name: str, arguments: Sequence[Lane], element: str, lanes: int = 1, flags: str = ""
    ) -> Lane:
        """A call of a function or intrinsic, declared on first use."""
        result = vector_type(element, lanes)
        self.declare(name, result, arguments)
        listed = ", ".join(map(str, arguments))
        return self.value(f"call {flags}{result} @{name}({listed})", element, lanes)

    def run(self, name: str, arguments: Sequence[Lane]) -> None:
        """A call without a result."""
        self.declare(name, "void", arguments)
        self.write(f"call void @{name}({', '.join(map(str, arguments))})")

    def declare(self, name: str, result: str, arguments: Sequence[Lane]) -> None:
        """A line that says what a function takes and gives."""
        listed = ", ".join(argument.type for argument in arguments)
        self.declarations[name] = f"declare {result} @{name}({listed})"

    # Memory -------------------------------------------------------------------------------------

    def slot(self, element: str, lanes: int = 1, start: Lane | None = None) -> Lane:
        """A variable; a pointer to it."""
        name = self.name()
        self.slots.append(f"  {name} = alloca {vector_type(element, lanes)}")
        self.types[name] = "ptr"
        made = Lane(name, "ptr")
        if start is not None:
            self.store(start, made)
        return made

    def load(self, pointer: Lane, element: str, lanes: int = 1, align: int = 0) -> Lane:
        """What lies at a pointer."""
        tail = f", align {align}" if align else ""
        return self.value(f"load {vector_type(element, lanes)}, {pointer}{tail}", element, lanes)

    def store(self, value: Lane, pointer: Lane, align: int = 0) -> None:
        """Write a value at a pointer."""
        self.write(f"store {value}, {pointer}{f', align {align}' if align else ''}")

    def offset(self, pointer: Lane, distance: Lane, element: str = "i8") -> Lane:
        """A pointer moved by so many elements (bytes by default)."""
        lanes = max(pointer.lanes, distance.lanes)
        return self.value(f"getelementptr {element}, {pointer}, {distance}", "ptr", lanes)

    # Integers -----------------------------------------------------------------------------------

    def binary(self, operation: str, x: Lane, y: Lane) -> Lane:
        """An instruction on two values of one type."""
        return self.value(f"{operation} {x.type} {x.text}, {y.text}", x.element, x.lanes)

    def add(self, x: Lane, y: Lane) -> Lane:
        return self.binary("add", x, y)

    def sub(self, x: Lane, y: Lane) -> Lane:
        return self.binary("sub", x, y)

    def mul(self, x: Lane, y: Lane) -> Lane:
        return self.binary("mul", x, y)

    def compare(self, condition: str, x: Lane, y: Lane) -> Lane:
        """An integer comparison (`slt`, `uge`, `eq`)."""
        return self.value(f"icmp {condition} {x.type} {x.text}, {y.text}", "i1", x.lanes)

    def select(self, condition: Lane, x: Lane, y: Lane) -> Lane:
        """One of two values of one type."""
        return self.value(f"select {condition}, {x}, {y}", x.element, x.lanes)

    def cast(self, operation: str, x: Lane, element: str) -> Lane:
        """A conversion, lane by lane."""
        return self.value(f"{operation} {x} to {vector_type(element, x.lanes)}", element, x.lanes)

    def splat(self, x: Lane, lanes: int) -> Lane:
        """A scalar in every lane."""
        if lanes == x.lanes:
            return x
        kind = vector_type(x.element, lanes)
        if x.is_constant:
            return Lane(f"splat ({x.element} {x.text})", x.element, lanes)
        first = self.value(f"insertelement {kind} poison, {x}, i64 0", x.element, lanes)
        zeros = f"<{lanes} x i32> zeroinitializer"
        return self.value(f"shufflevector {first}, {kind} poison, {zeros}", x.element, lanes)

    def iota(self, lanes: int, bits: int = 64) -> Lane:
        """0, 1, 2 ... in the lanes."""
        numbers = ", ".join(f"i{bits} {n}" for n in range(lanes))
        return Lane(f"<{numbers}>" if lanes > 1 else "0", f"i{bits}", lanes)

    def by_parts(
        self, width: int, operands: Sequence[Lane], emit: Callable[[Sequence[Lane]], Lane]
    ) -> Lane:
        """What `emit` makes of vectors of `width` lanes, for operands of one or two times as many.

        Splitting goes on until the width is reached; the parts are joined again.
        """
        lanes = operands[0].lanes
        if lanes == width:
            return emit(operands)
        half = lanes // 2
        parts = [
            self.by_parts(width, [self.part(x, start, half) for x in operands], emit)
            for start in (0, half)
        ]
        first, second = parts
        numbers = ", ".join(f"i32 {n}" for n in range(lanes))
        joined = f"shufflevector {first}, {second}, <{lanes} x i32> <{numbers}>"
        return self.value(joined, first.element, lanes)

    def part(self, x: Lane, start: int, lanes: int) -> Lane:
        """Some neighbouring lanes of a vector."""
        numbers = ", ".join(f"i32 {start + n}" for n in range(lanes))
        taken = f"shufflevector {x}, {x.type} poison, <{lanes} x i32> <{numbers}>"
        return self.value(taken, x.element, lanes)

    # Control ------------------------------------------------------------------------------------

    def label(self) -> str:
        """A fresh name of a block."""
        self.names += 1
        return f"b{self.names}"

    def open(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        """Go on at a block."""
        self.write(f"br label %{label}")

    def branch(self, condition: Lane, yes: str, no: str) -> None:
        """Go on at one of two blocks."""
        self.write(f"br {condition}, label %{yes}, label %{no}")

    @contextmanager
    def when(self, condition: Lane) -> Iterator[None]:
        """What is written inside runs where the condition holds."""
        inside, after = self.label(), self.label()
        self.branch(condition, inside, after)
        self.open(inside)
        yield
        self.jump(after)
        self.open(after)

    @contextmanager
    def loop(self, start: Lane, end: Lane, step: int = 1) -> Iterator[Lane]:
        """What is written inside runs for start, start + step ... below end."""
        counter = self.slot("i64", 1, start)
        test, inside, after = self.label(), self.label(), self.label()
        self.jump(test)
        self.open(test)
        index = self.load(counter, "i64")
        self.branch(self.compare("slt", index, end), inside, after)
        self.open(inside)
        yield index
        self.store(self.add(index, integer(step)), counter)
        self.jump(test)
        self.open(after)

    @contextmanager
    def loop_while(self) -> Iterator[_Exit]:
        """What is written inside runs until `leave_unless` finds its condition false."""
        test, after = self.label(), self.label()
        self.jump(test)
        self.open(test)
        yield _Exit(self, after)
        self.jump(test)
        self.open(after)

    def outlined(self, write: Callable[[], Lane]) -> Lane:
        """A value computed by a function of its own, for what rarely runs: equal ones are one.

        What `write` reads of the values before becomes parameters.
        """
        lines, slots = self.lines, self.slots
        self.lines, self.slots = [], []
        result = write()
        body = "\n".join([*self.slots, *self.lines, f"  ret {result}"])
        self.lines, self.slots = lines, slots
        made = set(_MADE.findall(body))
        given = [name for name in dict.fromkeys(_NAME.findall(body)) if name not in made]
        numbers: dict[str, str] = {}
        parameters = ", ".join(f"{self.types[name]} {name}" for name in given)
        text = f"({parameters}) cold noinline {WIDE} {{\nentry:\n{body}\n}}"
        text = _LOCAL.sub(lambda m: numbers.setdefault(m[0], f"{m[0][0]}{len(numbers)}"), text)
        text = f"{result.type} {text}"
        name = self.functions.setdefault(text, f"rare{len(self.functions)}")
        arguments = ", ".join(f"{self.types[name]} {name}" for name in given)
        return self.value(f"call {result.type} @{name}({arguments})", result.element, result.lanes)

    def table(self, numbers: Sequence[int]) -> Lane:
        """A constant table of int64; equal tables are one."""
        body = f"[{len(numbers)} x i64] [{', '.join(f'i64 {n}' for n in numbers)}]"
        name = self.globals.setdefault(body, f"table{len(self.globals)}")
        return Lane(f"@{name}", "ptr")

    # Output -------------------------------------------------------------------------------------

    def function(self, header: str) -> str:
        """The whole module with its one function."""
        tables = [f"@{n} = internal constant {body}" for body, n in self.globals.items()]
        helpers = [
            f"define internal {text.replace('(', f'@{name}(', 1)}"
            for text, name in self.functions.items()
        ]
        parts = [*tables, *self.declarations.values(), *helpers, f"{header} {{", "entry:"]
        return "\n".join([*parts, *self.slots, *self.lines, "}", ""])


@dataclass
class _Exit:
    assembler: Assembler
    after: str

    def leave_unless(self, condition: Lane) -> None:
        """Leave the loop where the condition is false."""
        inside = self.assembler.label()
        self.assembler.branch(condition, inside, self.after)
        self.assembler.open(inside)
