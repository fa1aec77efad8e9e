"""Products of two matrices as LLVM text, every size and stride a constant.

C is computed in tiles: some rows by a few vectors of columns, held in registers while k runs. The
elements of A are broadcast, so A may have any strides. B is read along its rows. Where these are
not contiguous, or far apart and used often, B is packed first: a panel is as wide as a tile, holds
its rows one after the other, and is zero beyond the last column. Packing is done once, by a
function of its own, for a B that is used by many products; else panel by panel, in scratch memory.

k is cut into blocks so that a panel's block stays in the first cache while all rows pass over it,
and rows into blocks that stay in the second. Each element of C is the same sum in the same order
wherever its tile lies, so threads, which take panels and blocks of rows in turn, do not show in the
result.

Small outputs over operands that are contiguous along k are written as dot products instead.

    void product(ptr a, ptr b, ptr c, ptr scratch)
    void pack(ptr b, ptr packed)

Packed operands and scratch memory may lie anywhere: their sizes leave room to align them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum

from ..dtypes import DType
from .assembler import WIDE, Assembler, Lane, constant, integer, register_type, suffix
from .llvm import HostTarget

ALIGNMENT = 64
PANEL_BYTES = 32 << 10
"""A block of a panel: most of a first cache."""
ROWS_BYTES = 512 << 10
"""A block of rows of A: half of a second cache, or less."""
SUMS = 8
"""Sums that must be under way for the latency of a multiply-add not to show."""
FEW_ROWS = 4
"""Up to so many rows B is read once and the speed is that of its memory."""


@dataclass(frozen=True)
class ProductSpec:
    """C[m, n] = A[m, k] @ B[k, n], or C += where `accumulate`.

    Strides are in elements, of any sign; those of C are `(any, 1)`. dtype is float32 or float64.
    """

    dtype: DType
    m: int
    n: int
    k: int
    a_strides: tuple[int, int]
    b_strides: tuple[int, int]
    c_strides: tuple[int, int]
    accumulate: bool = False

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.m * self.n * self.k

    def normalized(self) -> ProductSpec:
        """The same product, strides of dimensions with one element as if all were contiguous."""
        (a0, a1), (b0, b1), (c0, _) = self.a_strides, self.b_strides, self.c_strides
        if self.k == 1:
            a1, b0 = 1, max(self.n, 1)
        if self.m == 1:
            a0, c0 = max(self.k, 1), max(self.n, 1)
        if self.n == 1:
            b1 = 1
        return replace(self, a_strides=(a0, a1), b_strides=(b0, b1), c_strides=(c0, 1))


@dataclass(frozen=True, slots=True)
class Shape:
    """What products are written for: bytes of a vector, registers, fused multiply-add."""

    vector_bytes: int
    registers: int
    has_fma: bool

    def lanes(self, dtype: DType) -> int:
        """Elements of a vector."""
        return self.vector_bytes // dtype.itemsize


def shape_of(target: HostTarget) -> Shape:
    """The shape for a processor."""
    is_wide = target.has("avx512f")
    return Shape(target.vector_bytes, 32 if is_wide else 16, target.has("fma"))


class Source(Enum):
    """Where tiles read B."""

    DIRECT = "direct"
    PACKED = "packed"
    SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a product is cut.

    Attributes:
        source: where tiles read B.
        lanes: elements of a vector.
        vectors: vectors of a row of a tile; a panel is `lanes * vectors` wide.
        rows: rows of a tile at most; all tiles have nearly as many.
        chains: sums that an element is computed as, each over every so-manieth of k.
        unroll: steps of k written one after the other.
        depth: steps of k in a block.
        height: tiles in a block of rows.
    """

    source: Source
    lanes: int
    vectors: int
    rows: int
    chains: int
    unroll: int
    depth: int
    height: int

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.lanes * self.vectors


def tiling_of(spec: ProductSpec, shape: Shape, is_packed: bool) -> Tiling:
    """How to cut a product that has elements.

    Args:
        spec: the product.
        shape: what it is written for.
        is_packed: whether B has been packed before.
    """
    lanes = min(shape.lanes(spec.dtype), _power_of_two(spec.n))
    needed = -(-spec.n // lanes)
    most_rows = 8 if shape.registers == 32 else 6
    if spec.m <= FEW_ROWS:
        vectors = min(needed, SUMS if spec.m == 1 else SUMS // 2)
        vectors = min(vectors, (shape.registers - 2) // (spec.m + 1))
    else:
        vectors = min(needed, 2)
    tiles = -(-spec.m // most_rows)
    rows = -(-spec.m // tiles)
    chains = max(1, min(SUMS // (rows * vectors), spec.k)) if tiles == 1 else 1
    source = _source(spec, tiles, is_packed)
    size = spec.dtype.itemsize
    depth = spec.k
    if tiles > 2:
        depth = max(PANEL_BYTES // (lanes * vectors * size), 64)
        depth = _balanced(spec.k, depth, 8)
    height = max(ROWS_BYTES // (min(depth, spec.k) * rows * size), 1)
    unroll = max(chains, min(16 // (rows * vectors), 4), 1)
    if depth < spec.k and (spec.k % unroll or depth % unroll):
        unroll = 1
    return Tiling(source, lanes, vectors, rows, chains, unroll, depth, _balanced(tiles, height, 1))


def _source(spec: ProductSpec, tiles: int, is_packed: bool) -> Source:
    if is_packed:
        return Source.PACKED
    return Source.DIRECT if spec.b_strides[1] == 1 and tiles <= 2 else Source.SCRATCH


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()


def _balanced(total: int, most: int, multiple: int) -> int:
    """The size of equal parts of a total, at most `most` each, in multiples of a number."""
    parts = -(-total // most)
    size = -(-total // parts)
    return -(-size // multiple) * multiple


class ProductWriter:
    """Writes the functions of one product that is cut into tiles."""

    def __init__(self, spec: ProductSpec, tiling: Tiling, shape: Shape) -> None:
        self.spec = spec
        self.tiling = tiling
        self.shape = shape
        self.a = Assembler()
        self.element = register_type(spec.dtype)
        self.size = spec.dtype.itemsize
        self.tiles = -(-spec.m // tiling.rows)
        self.blocks = -(-self.tiles // tiling.height)
        self.whole_panels, self.edge = divmod(spec.n, tiling.width)
        self.panels = self.whole_panels + (self.edge > 0)

    # What callers need ----------------------------------------------------------------------------

    @property
    def units(self) -> int:
        """Pieces of work that may be done by any thread."""
        return self.blocks * self.panels

    @property
    def packed_bytes(self) -> int:
        """Size of a packed B."""
        return self.panels * self.spec.k * self.tiling.width * self.size + ALIGNMENT

    def chunk(self, pieces: int) -> int:
        """Units of one of at most so many pieces."""
        return -(-self.units // pieces)

    def scratch_bytes(self, pieces: int) -> int:
        """Size of the scratch memory of a product that is split in at most so many pieces."""
        if self.tiling.source is not Source.SCRATCH:
            return 0
        return pieces * self.panel_bytes + ALIGNMENT

    @property
    def panel_bytes(self) -> int:
        """Size of a block of a panel, rounded up to the alignment."""
        size = min(self.tiling.depth, self.spec.k) * self.tiling.width * self.size
        return -(-size // ALIGNMENT) * ALIGNMENT

    # Functions ------------------------------------------------------------------------------------

    def text(self, pieces: int) -> str:
        """The module of `product`, split in at most so many pieces, and of `pack` where tiles
        read a packed B.
        """
        functions = [self.parallel_functions(pieces) if pieces > 1 else self.function()]
        if self.tiling.source is Source.PACKED:
            functions.append(self.pack_function())
        return module(functions)

    def function(self) -> str:
        """`product` for one thread."""
        b, own = self.operand_b(Lane("%b", "ptr")), self.aligned(Lane("%scratch", "ptr"))
        with self.each(self.blocks) as block:
            with self.each(self.whole_panels) as panel:
                self.unit(block, panel, self.tiling.width, b, own)
            if self.edge:
                self.unit(block, integer(self.whole_panels), self.edge, b, own)
        return self.finished(PRODUCT_HEADER, "void")

    def parallel_functions(self, pieces: int) -> str:
        """`product` for all threads, and the piece of it that the pool calls."""
        a, chunk = self.a, self.chunk(pieces)
        begin, end, arrays = Lane("%begin", "i64"), Lane("%end", "i64"), Lane("%arrays", "ptr")
        own = self.aligned(Lane("%scratch", "ptr"))
        piece = a.binary("udiv", begin, integer(chunk))
        own = a.offset(own, a.mul(piece, integer(self.panel_bytes)))
        a.write(f"%a = load ptr, {arrays}")
        a.write(f"%c = load ptr, {a.offset(arrays, integer(16))}")
        b = self.operand_b(a.load(a.offset(arrays, integer(8)), "ptr"))
        with a.loop(begin, end) as unit:
            block = a.binary("udiv", unit, integer(self.panels))
            panel = a.binary("urem", unit, integer(self.panels))
            if self.whole_panels:
                with a.when(a.compare("ult", panel, integer(self.whole_panels))):
                    self.unit(block, panel, self.tiling.width, b, own)
            if self.edge:
                with a.when(a.compare("eq", panel, integer(self.whole_panels))):
                    self.unit(block, panel, self.edge, b, own)
        return self.finished(PIECE_HEADER, "i32 0") + parallel_call(self.units, chunk)

    def pack_function(self) -> str:
        """`pack`."""
        packed = self.aligned(Lane("%packed", "ptr"))
        stride = self.spec.k * self.tiling.width
        depth = integer(self.spec.k)
        with self.each(self.whole_panels) as panel:
            place = self.moved(packed, [(panel, stride)])
            self.pack(Lane("%b", "ptr"), panel, integer(0), depth, place, self.tiling.width)
        if self.edge:
            panel = integer(self.whole_panels)
            place = self.moved(packed, [(panel, stride)])
            self.pack(Lane("%b", "ptr"), panel, integer(0), depth, place, self.edge)
        return self.finished(PACK_HEADER, "void")

    def finished(self, header: str, result: str) -> str:
        """The text of what was written so far; the next function begins afresh."""
        self.a.write(f"ret {result}")
        text = self.a.function(header)
        self.a = Assembler()
        return text

    def aligned(self, pointer: Lane) -> Lane:
        """The next place that is aligned."""
        a = self.a
        up = a.offset(pointer, integer(ALIGNMENT - 1))
        name = "llvm.ptrmask.p0.i64"
        return a.call(name, [up, integer(-ALIGNMENT)], "ptr")

    def operand_b(self, b: Lane) -> Lane:
        return self.aligned(b) if self.tiling.source is Source.PACKED else b

    # Units ----------------------------------------------------------------------------------------

    @contextmanager
    def each(self, count: int) -> Iterator[Lane]:
        """What is written inside is run for 0, 1 ... below a count."""
        if count == 1:
            yield integer(0)
            return
        with self.a.loop(integer(0), integer(count)) as index:
            yield index

    def unit(self, block: Lane, panel: Lane, columns: int, b: Lane, own: Lane) -> None:
        """One panel of C in one block of rows."""
        a, spec, depth = self.a, self.spec, self.tiling.depth
        if depth >= spec.k:
            added = Lane("true", "i1") if spec.accumulate else None
            self.slab(block, panel, columns, integer(0), integer(spec.k), b, own, added)
            return
        with a.loop(integer(0), integer(spec.k), depth) as start:
            left = a.sub(integer(spec.k), start)
            count = a.call("llvm.smin.i64", [left, integer(depth)], "i64")
            is_later = a.compare("ne", start, integer(0))
            added = Lane("true", "i1") if spec.accumulate else is_later
            self.slab(block, panel, columns, start, count, b, own, added)

    def slab(
        self, block: Lane, panel: Lane, columns: int, start: Lane, count: Lane,
        b: Lane, own: Lane, added: Lane | None,
    ) -> None:  # fmt: skip
        """`count` steps of k from `start` on, over all rows of a block, in one panel."""
        a, spec, width = self.a, self.spec, self.tiling.width
        if self.tiling.source is Source.SCRATCH:
            self.pack(b, panel, start, count, own, columns)
            rows_of_b = own
        elif self.tiling.source is Source.PACKED:
            row = a.add(a.mul(panel, integer(spec.k)), start)
            rows_of_b = a.offset(b, a.mul(row, integer(width * self.size)))
        else:
            rows_of_b = self.moved(b, [(panel, width), (start, spec.b_strides[0])])
        height = self.tiling.height
        base, extra = divmod(spec.m, self.tiles)
        first = a.mul(block, integer(height))
        last = integer(self.tiles)
        if self.blocks > 1:
            last = a.call("llvm.smin.i64", [a.add(first, integer(height)), last], "i64")

        def write(row: Lane, rows: int) -> None:
            x = self.moved(
                Lane("%a", "ptr"), [(row, spec.a_strides[0]), (start, spec.a_strides[1])]
            )
            z = self.moved(Lane("%c", "ptr"), [(row, spec.c_strides[0]), (panel, width)])
            self.tile(rows, columns, count, x, rows_of_b, z, added)

        if self.tiles == 1:
            write(integer(0), spec.m)
            return
        if extra:
            with a.loop(first, a.call("llvm.smin.i64", [last, integer(extra)], "i64")) as number:
                write(a.mul(number, integer(base + 1)), base + 1)
        with a.loop(a.call("llvm.smax.i64", [first, integer(extra)], "i64"), last) as number:
            write(a.add(a.mul(number, integer(base)), integer(extra)), base)

    def moved(self, pointer: Lane, steps: Sequence[tuple[Lane, int]]) -> Lane:
        """A pointer moved by so many elements: the sum of index times stride."""
        a, known = self.a, 0
        for index, stride in steps:
            if index.is_constant:
                known += int(index.text) * stride * self.size
            else:
                pointer = a.offset(pointer, a.mul(index, integer(stride * self.size)))
        return a.offset(pointer, integer(known)) if known else pointer

    # Tiles ----------------------------------------------------------------------------------------

    def tile(
        self, rows: int, columns: int, count: Lane, x: Lane, y: Lane, z: Lane, added: Lane | None
    ) -> None:
        """One tile: x and y point to its rows of A and to its columns of B, z to its place in C."""
        a, lanes, chains = self.a, self.tiling.lanes, self.tiling.chains
        vectors = -(-columns // lanes)
        zero = a.splat(constant(0.0, self.spec.dtype), lanes)
        sums = [
            [[a.slot(self.element, lanes, zero) for _ in range(vectors)] for _ in range(rows)]
            for _ in range(chains)
        ]
        unroll = self.tiling.unroll
        whole = count
        if count.is_constant:
            whole = integer(int(count.text) // unroll * unroll)
        with self.steps(whole, unroll) as index:
            self.unrolled(index, unroll, columns, x, y, sums)
        if count.is_constant:
            self.unrolled(whole, int(count.text) % unroll, columns, x, y, sums)
        for row in range(rows):
            place = self.moved(z, [(integer(row), self.spec.c_strides[0])])
            self.store_row(
                place, columns, [[c[row][v] for c in sums] for v in range(vectors)], added
            )

    @contextmanager
    def steps(self, count: Lane, unroll: int) -> Iterator[Lane]:
        if count.is_constant and int(count.text) == unroll:
            yield integer(0)
            return
        with self.a.loop(integer(0), count, unroll) as index:
            yield index

    def unrolled(
        self, index: Lane, count: int, columns: int, x: Lane, y: Lane,
        sums: list[list[list[Lane]]],
    ) -> None:  # fmt: skip
        """`count` steps of k from `index` on."""
        a, spec, tiling = self.a, self.spec, self.tiling
        is_direct = tiling.source is Source.DIRECT
        stride = spec.b_strides[0] if is_direct else tiling.width
        x = self.moved(x, [(index, spec.a_strides[1])])
        y = self.moved(y, [(index, stride)])
        for step in range(count):
            row = self.moved(y, [(integer(step), stride)])
            found = [
                self.load(row, v, columns - v * tiling.lanes if is_direct else tiling.lanes)
                for v in range(-(-columns // tiling.lanes))
            ]
            for number, own in enumerate(sums[step % tiling.chains]):
                place = self.moved(
                    x, [(integer(number), spec.a_strides[0]), (integer(step), spec.a_strides[1])]
                )
                factor = a.splat(a.load(place, self.element, 1, self.size), tiling.lanes)
                for total, vector in zip(own, found, strict=True):
                    so_far = a.load(total, self.element, tiling.lanes)
                    a.store(multiply_add(a, factor, vector, so_far, self.shape), total)

    def store_row(
        self, place: Lane, columns: int, sums: list[list[Lane]], added: Lane | None
    ) -> None:
        """Write a row of a tile, or add it to what is there."""
        a, lanes = self.a, self.tiling.lanes
        totals = [self.total(chains) for chains in sums]
        if added is not None and added.text != "true":
            slots = [a.slot(self.element, lanes, total) for total in totals]
            with a.when(added):
                for v, slot in enumerate(slots):
                    old = self.load(place, v, columns - v * lanes)
                    a.store(a.binary("fadd", old, totals[v]), slot)
            totals = [a.load(slot, self.element, lanes) for slot in slots]
        elif added is not None:
            totals = [
                a.binary("fadd", self.load(place, v, columns - v * lanes), total)
                for v, total in enumerate(totals)
            ]
        for v, total in enumerate(totals):
            self.store(total, place, v, columns - v * lanes)

    def total(self, chains: list[Lane]) -> Lane:
        """The sum of what the chains hold, in pairs."""
        values = [self.a.load(slot, self.element, self.tiling.lanes) for slot in chains]
        while len(values) > 1:
            pairs = [
                self.a.binary("fadd", *values[i : i + 2]) for i in range(0, len(values) - 1, 2)
            ]
            values = pairs + values[len(pairs) * 2 :]
        return values[0]

    # Memory ---------------------------------------------------------------------------------------

    def load(self, row: Lane, vector: int, left: int) -> Lane:
        """A vector of a row with `left` elements from there on; zero beyond them."""
        lanes = self.tiling.lanes
        return load_vector(self.a, self.vector_place(row, vector), self.element, lanes, left)

    def store(self, value: Lane, row: Lane, vector: int, left: int) -> None:
        """Write a vector of a row, as far as there are `left` elements."""
        a, lanes = self.a, self.tiling.lanes
        place = self.vector_place(row, vector)
        if left >= lanes:
            a.store(value, place, self.size)
            return
        name = f"llvm.masked.store.{suffix(self.element, lanes)}.p0"
        a.run(name, [value, place, integer(self.size, 32), first_lanes(left, lanes)])

    def vector_place(self, row: Lane, vector: int) -> Lane:
        return self.a.offset(row, integer(vector * self.tiling.lanes * self.size))

    # Packing --------------------------------------------------------------------------------------

    def pack(
        self, b: Lane, panel: Lane, start: Lane, count: Lane, packed: Lane, columns: int
    ) -> None:
        """Write `count` rows of a panel of B, from row `start` on, one after the other."""
        a, spec, tiling = self.a, self.spec, self.tiling
        step, stride = spec.b_strides
        source = self.moved(b, [(panel, tiling.width * stride), (start, step)])
        if stride == 1:
            with a.loop(integer(0), count) as index:
                row = self.moved(source, [(index, step)])
                place = self.moved(packed, [(index, tiling.width)])
                for v in range(tiling.vectors):
                    left = max(columns - v * tiling.lanes, 0)
                    a.store(self.load(row, v, left), self.vector_place(place, v), self.size)
            return
        with a.loop(integer(0), integer(columns)) as column:
            self.pack_column(self.moved(source, [(column, stride)]), column, count, packed)
        if columns < tiling.width:
            with a.loop(integer(columns), integer(tiling.width)) as column:
                self.pack_column(None, column, count, packed)

    def pack_column(self, source: Lane | None, column: Lane, count: Lane, packed: Lane) -> None:
        """Write one column of a panel; zeros where it has no source."""
        a = self.a
        place = self.moved(packed, [(column, 1)])
        value = constant(0.0, self.spec.dtype)
        with a.loop(integer(0), count) as index:
            if source is not None:
                found = self.moved(source, [(index, self.spec.b_strides[0])])
                value = a.load(found, self.element, 1, self.size)
            a.store(value, self.moved(place, [(index, self.tiling.width)]), self.size)


PRODUCT_HEADER = (
    f"define void @product(ptr %a, ptr %b, ptr noalias %c, ptr noalias %scratch) {WIDE}"
)
PIECE_HEADER = (
    "define internal i32 @piece(i64 %begin, i64 %end, ptr %arrays, ptr %sizes, ptr %strides, "
    f"ptr %scalars, ptr noalias %scratch) {WIDE}"
)


PACK_HEADER = f"define void @pack(ptr %b, ptr noalias %packed) {WIDE}"


def module(functions: Sequence[str]) -> str:
    """Functions with one declaration of each that they call."""
    lines = "".join(functions).splitlines()
    declared = dict.fromkeys(line for line in lines if line.startswith("declare "))
    return "\n".join([*declared, *(line for line in lines if line not in declared), ""])


def parallel_call(units: int, chunk: int) -> str:
    """`product` as a call of the pool with `piece`."""
    return f"""
declare i32 @parallel(ptr, i64, i64, ptr, ptr, ptr, ptr, ptr, i64)
{PRODUCT_HEADER} {{
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


def first_lanes(count: int, lanes: int) -> Lane:
    """A mask."""
    listed = ", ".join(f"i1 {'true' if lane < count else 'false'}" for lane in range(lanes))
    return Lane(f"<{listed}>", "i1", lanes)


def load_vector(a: Assembler, place: Lane, element: str, lanes: int, left: int) -> Lane:
    """A vector of which `left` lanes are in memory; the others are zero."""
    size = 4 if element == "float" else 8
    zero = Lane("zeroinitializer", element, lanes)
    if left <= 0:
        return zero
    if left >= lanes:
        return a.load(place, element, lanes, size)
    name = f"llvm.masked.load.{suffix(element, lanes)}.p0"
    return a.call(name, [place, integer(size, 32), first_lanes(left, lanes), zero], element, lanes)


def multiply_add(a: Assembler, x: Lane, y: Lane, z: Lane, shape: Shape) -> Lane:
    """x * y + z, rounded once where the processor can."""
    if shape.has_fma:
        return a.call(f"llvm.fma.{suffix(x.element, x.lanes)}", [x, y, z], x.element, x.lanes)
    return a.binary("fadd", a.binary("fmul", x, y), z)


def zeros_text(spec: ProductSpec) -> str:
    """The module of a product without terms: C is zero, or stays as it is."""
    a, size = Assembler(), spec.dtype.itemsize
    if not spec.accumulate:
        with a.loop(integer(0), integer(spec.m)) as row, a.loop(integer(0), integer(spec.n)) as n:
            place = a.offset(Lane("%c", "ptr"), a.mul(row, integer(spec.c_strides[0] * size)))
            a.store(constant(0.0, spec.dtype), a.offset(place, a.mul(n, integer(size))), size)
    a.write("ret void")
    return a.function(PRODUCT_HEADER)
