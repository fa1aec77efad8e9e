"""What the writers of products share: the product itself, instructions on parts of matrices, and
functions that run alone or as pieces of the thread pool's work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..dtypes import DType
from .assembler import WIDE, Assembler, Lane, constant, integer, register_type, suffix
from .target import HostTarget

ALIGNMENT = 64

Sums = list[list[list[Lane]]]
"""Variables of partial sums: by row, by column or vector of columns, by chain."""

PIECE_HEADER = (
    "define internal i32 @piece(i64 %begin, i64 %end, ptr %arrays, ptr %sizes, ptr %strides, "
    f"ptr %scalars, ptr noalias %scratch) {WIDE}"
)
PACK_HEADER = f"define void @pack(ptr %b, ptr noalias %packed) {WIDE}"


@dataclass(frozen=True)
class ProductSpec:
    """C[m, n] = A[m, k] @ B[k, n], or C += where `accumulate`; `batch` times.

    Strides are in elements, of any sign; those of C are `(any, 1)`. `batch_strides` lead from one
    product's A, B and C to the next one's; results must not overlap. dtype is float32 or float64.
    """

    dtype: DType
    m: int
    n: int
    k: int
    a_strides: tuple[int, int]
    b_strides: tuple[int, int]
    c_strides: tuple[int, int]
    accumulate: bool = False
    batch: int = 1
    batch_strides: tuple[int, int, int] = (0, 0, 0)

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.m * self.n * self.k * self.batch

    def normalized(self) -> ProductSpec:
        """The same product, strides of dimensions with one element as if all were contiguous."""
        (a0, a1), (b0, b1), (c0, _) = self.a_strides, self.b_strides, self.c_strides
        if self.k == 1:
            a1, b0 = 1, max(self.n, 1)
        if self.m == 1:
            a0, c0 = max(self.k, 1), max(self.n, 1)
        if self.n == 1:
            b1 = 1
        steps = self.batch_strides if self.batch > 1 else (0, 0, 0)
        return replace(
            self, a_strides=(a0, a1), b_strides=(b0, b1), c_strides=(c0, 1), batch_strides=steps
        )

    def transposed(self) -> ProductSpec:
        """The product of B.T and A.T, which gives C.T."""
        strides = (self.b_strides[::-1], self.a_strides[::-1], self.c_strides[::-1])
        a, b, c = self.batch_strides
        return ProductSpec(
            self.dtype, self.n, self.m, self.k, *strides, self.accumulate, self.batch, (b, a, c)
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """What products are written for: bytes of a vector, registers, fused multiply-add."""

    vector_bytes: int
    registers: int
    has_fma: bool

    def lanes(self, dtype: DType, length: int) -> int:
        """Elements of a vector, no more than rows of that length fill."""
        return min(self.vector_bytes // dtype.itemsize, 1 << (length - 1).bit_length())


def shape_of(target: HostTarget) -> Shape:
    """The shape for a processor."""
    is_wide = target.has("avx512f")
    return Shape(target.vector_bytes, 32 if is_wide else 16, target.has("fma"))


Visit = Callable[[Lane, Lane, int], None]
"""Writes something for a strip: the number of its block, its own number, its columns."""


class MatrixAssembler(Assembler):
    """Instructions on vectors of matrices of one dtype."""

    def __init__(self, dtype: DType, shape: Shape) -> None:
        super().__init__()
        self.dtype = dtype
        self.shape = shape
        self.element = register_type(dtype)
        self.size = dtype.itemsize

    @contextmanager
    def each(self, count: int) -> Iterator[Lane]:
        """What is written inside is run for 0, 1 ... below a count."""
        if count == 1:
            yield integer(0)
            return
        with self.loop(integer(0), integer(count)) as index:
            yield index

    # Pointers -----------------------------------------------------------------------------------

    def moved(self, pointer: Lane, *steps: tuple[Lane | int, int]) -> Lane:
        """A pointer moved by so many elements: the sum of index times stride."""
        known = 0
        for index, stride in steps:
            if isinstance(index, int):
                known += index * stride * self.size
            elif index.is_constant:
                known += int(index.text) * stride * self.size
            else:
                pointer = self.offset(pointer, self.mul(index, integer(stride * self.size)))
        return self.offset(pointer, integer(known)) if known else pointer

    def aligned(self, pointer: Lane) -> Lane:
        """The next place that is aligned."""
        up = self.offset(pointer, integer(ALIGNMENT - 1))
        return self.call("llvm.ptrmask.p0.i64", [up, integer(-ALIGNMENT)], "ptr")

    # Vectors ------------------------------------------------------------------------------------

    def zeros(self, lanes: int) -> Lane:
        """A vector of zeros."""
        return self.splat(constant(0.0, self.dtype), lanes)

    def broadcast(self, place: Lane, lanes: int) -> Lane:
        """The element at a place in every lane."""
        return self.splat(self.load(place, self.element, 1, self.size), lanes)

    def load_lanes(self, place: Lane, lanes: int, left: int) -> Lane:
        """A vector of which `left` elements, or all, are in memory; the others are zero."""
        if left >= lanes:
            return self.load(place, self.element, lanes, self.size)
        name = f"llvm.masked.load.{suffix(self.element, lanes)}.p0"
        arguments = [place, integer(self.size, 32), _first_lanes(left, lanes), self.zeros(lanes)]
        return self.call(name, arguments, self.element, lanes)

    def store_lanes(self, value: Lane, place: Lane, left: int) -> None:
        """Write the first `left` elements of a vector, or all."""
        if left >= value.lanes:
            self.store(value, place, self.size)
            return
        name = f"llvm.masked.store.{suffix(self.element, value.lanes)}.p0"
        mask = _first_lanes(left, value.lanes)
        self.run(name, [value, place, integer(self.size, 32), mask])

    def sums(self, rows: int, columns: int, chains: int, lanes: int) -> Sums:
        """Variables that are zero."""
        zero = self.zeros(lanes)
        return [
            [[self.slot(self.element, lanes, zero) for _ in range(chains)] for _ in range(columns)]
            for _ in range(rows)
        ]

    def multiply_add(self, x: Lane, y: Lane, total: Lane) -> None:
        """Add x * y to a variable, rounded once where the processor can."""
        so_far = self.load(total, self.element, x.lanes)
        if self.shape.has_fma:
            name = f"llvm.fma.{suffix(self.element, x.lanes)}"
            self.store(self.call(name, [x, y, so_far], self.element, x.lanes), total)
        else:
            self.store(self.binary("fadd", self.binary("fmul", x, y), so_far), total)

    def total(self, sums: Sequence[Lane], lanes: int) -> Lane:
        """The sum of some variables, in pairs."""
        values = [self.load(slot, self.element, lanes) for slot in sums]
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=False)
            left_over = values[-1:] if len(values) % 2 else []
            values = [*(self.binary("fadd", x, y) for x, y in pairs), *left_over]
        return values[0]

    def sum_of_lanes(self, value: Lane) -> Lane:
        """The sum of the lanes, in halves."""
        while value.lanes > 1:
            half = value.lanes // 2
            low, high = (
                self.shuffled(value, value, range(n * half, (n + 1) * half)) for n in (0, 1)
            )
            value = self.binary("fadd", low, high)
        return value

    def shuffled(self, x: Lane, y: Lane, lanes: Sequence[int]) -> Lane:
        """Some lanes of two vectors, numbered one after the other."""
        if len(lanes) == 1:
            return self.value(f"extractelement {x}, i64 {lanes[0]}", self.element)
        listed = ", ".join(f"i32 {n}" for n in lanes)
        picked = f"shufflevector {x}, {y}, <{len(lanes)} x i32> <{listed}>"
        return self.value(picked, self.element, len(lanes))

    def transposed(self, rows: Sequence[Lane]) -> list[Lane]:
        """A square of so many vectors of so many lanes, transposed.

        Each round interleaves the first half of the rows with the second. That moves the highest
        bit of an element's row number to the end of its column number, and the other way round;
        when all bits have moved the numbers have changed places.
        """
        lanes, found = len(rows), list(rows)
        half = lanes // 2
        for _ in range(half.bit_length()):
            low = [n // 2 + lanes * (n % 2) for n in range(lanes)]
            high = [n + half for n in low]
            pairs = zip(found[:half], found[half:], strict=True)
            found = [self.shuffled(x, y, picked) for x, y in pairs for picked in (low, high)]
        return found


def _first_lanes(count: int, lanes: int) -> Lane:
    """A mask."""
    listed = ", ".join(f"i1 {'true' if lane < count else 'false'}" for lane in range(lanes))
    return Lane(f"<{listed}>", "i1", lanes)


class StripWriter(ABC):
    """Writes a product as blocks of strips: panels of so many columns, the last one narrower.

    Attributes:
        blocks: how many blocks there are.
        width: columns of a strip.
        whole: strips of that width in a block.
        edge: columns of the last strip, if it is narrower; else 0.
        is_swapped: whether `product` is called with A for %b and with B for %a.
        x, y, z: where A, B and C of the product being written are.
    """

    def __init__(
        self, spec: ProductSpec, shape: Shape, columns: int, width: int, blocks: int = 1
    ) -> None:
        self.spec = spec
        self.shape = shape
        self.blocks = blocks
        self.width = width
        self.whole, self.edge = divmod(columns, width)
        self.is_swapped = False
        self.a = MatrixAssembler(spec.dtype, shape)
        self.x, self.y, self.z = (Lane(name, "ptr") for name in ("%a", "%b", "%c"))

    @property
    def strips(self) -> int:
        """Strips of a block."""
        return self.whole + (self.edge > 0)

    @property
    def units(self) -> int:
        """Pieces of work that may be done by any thread."""
        return self.spec.batch * self.blocks * self.strips

    @abstractmethod
    def strip(self, block: Lane, number: Lane, columns: int) -> None:
        """Write one strip of one block. The operands are at x, y and z."""

    @abstractmethod
    def begin(self, piece: Lane) -> None:
        """Write what comes before the first strip of a piece of the work."""

    def enter(self, index: Lane) -> None:
        """Go to one product of a batch."""
        names = ("%a", "%b", "%c")
        self.x, self.y, self.z = (
            self.a.moved(Lane(name, "ptr"), (index, stride))
            for name, stride in zip(names, self.spec.batch_strides, strict=True)
        )

    def extra_functions(self) -> list[str]:
        """Functions besides `product`."""
        return []

    def text(self, pieces: int) -> str:
        """The module of `product`, split in at most so many pieces, and of what belongs to it."""
        product = self.parallel_functions(pieces) if pieces > 1 else self.function()
        return module_of([product, *self.extra_functions()])

    def passes(self, strips: Callable[[Visit], None]) -> None:
        """Write all of the work; `strips` writes what it is given for each strip."""
        strips(self.strip)

    def function(self) -> str:
        """`product` for one thread."""
        self.begin(integer(0))
        self.passes(self.all_strips)
        return self.finished(product_header(self.is_swapped), "void")

    def all_strips(self, write: Visit) -> None:
        """Write something for every strip."""
        with self.a.each(self.spec.batch) as index:
            self.enter(index)
            with self.a.each(self.blocks) as block:
                if self.whole:
                    with self.a.each(self.whole) as number:
                        write(block, number, self.width)
                if self.edge:
                    write(block, integer(self.whole), self.edge)

    def parallel_functions(self, pieces: int) -> str:
        """`product` for all threads, and the piece of it that the pool calls."""
        a, chunk = self.a, -(-self.units // pieces)
        arrays = Lane("%arrays", "ptr")
        a.write(f"%a = load ptr, {arrays}")
        a.write(f"%b = load ptr, {a.offset(arrays, integer(8))}")
        a.write(f"%c = load ptr, {a.offset(arrays, integer(16))}")
        self.begin(a.binary("udiv", Lane("%begin", "i64"), integer(chunk)))
        self.passes(self.own_strips)
        call = _parallel_call(self.units, chunk, product_header(self.is_swapped))
        return self.finished(PIECE_HEADER, "i32 0") + call

    def own_strips(self, write: Visit) -> None:
        """Write something for every strip of a piece."""
        a = self.a
        with a.loop(Lane("%begin", "i64"), Lane("%end", "i64")) as unit:
            rest = a.binary("udiv", unit, integer(self.strips))
            number = a.binary("urem", unit, integer(self.strips))
            block = a.binary("urem", rest, integer(self.blocks))
            self.enter(a.binary("udiv", rest, integer(self.blocks)))
            if self.whole:
                with a.when(a.compare("ult", number, integer(self.whole))):
                    write(block, number, self.width)
            if self.edge:
                with a.when(a.compare("eq", number, integer(self.whole))):
                    write(block, integer(self.whole), self.edge)

    def finished(self, header: str, result: str) -> str:
        """The text of what was written so far; the next function begins afresh."""
        self.a.write(f"ret {result}")
        text = self.a.function(header)
        self.a = MatrixAssembler(self.spec.dtype, self.shape)
        return text


def product_header(is_swapped: bool = False) -> str:
    """The head of the function `product`."""
    operands = "ptr %b, ptr %a" if is_swapped else "ptr %a, ptr %b"
    return f"define void @product({operands}, ptr noalias %c, ptr noalias %scratch) {WIDE}"


def module_of(functions: Sequence[str]) -> str:
    """Functions with one declaration of each that they call."""
    lines = "".join(functions).splitlines()
    declared = dict.fromkeys(line for line in lines if line.startswith("declare "))
    return "\n".join([*declared, *(line for line in lines if line not in declared), ""])


def _parallel_call(units: int, chunk: int, header: str) -> str:
    """`product` as a call of the pool with `piece`."""
    return f"""
declare i32 @parallel(ptr, i64, i64, ptr, ptr, ptr, ptr, ptr, i64)
{header} {{
  %arrays = alloca [3 x ptr]
  store ptr %a, ptr %arrays
  %second = getelementptr i8, ptr %arrays, i64 8
  store ptr %b, ptr %second
  %third = getelementptr i8, ptr %arrays, i64 16
  store ptr %c, ptr %third
  %status = call i32 @parallel(ptr @piece, i64 {units}, i64 {chunk}, ptr %arrays, \
ptr null, ptr null, ptr null, ptr %scratch, i64 0)
  ret void
}}
"""


def zeros_text(spec: ProductSpec, shape: Shape) -> str:
    """The module of a product without terms: C is zero, or stays as it is."""
    a = MatrixAssembler(spec.dtype, shape)
    if not spec.accumulate:
        with (
            a.loop(integer(0), integer(spec.batch)) as index,
            a.loop(integer(0), integer(spec.m)) as row,
            a.loop(integer(0), integer(spec.n)) as column,
        ):
            first = a.moved(Lane("%c", "ptr"), (index, spec.batch_strides[2]))
            a.store(a.zeros(1), a.moved(first, (row, spec.c_strides[0]), (column, 1)), a.size)
    a.write("ret void")
    return a.function(product_header())
