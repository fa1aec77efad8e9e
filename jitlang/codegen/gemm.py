"""Products of two matrices as LLVM text, every size and stride a constant.

C is computed in tiles: some rows by a few vectors of columns, held in registers while k runs. The
elements of A are broadcast, so A may have any strides. B is read along its rows. Where these are
not contiguous, or far apart and used often, B is packed first: a panel is as wide as a tile, holds
its rows one after the other, and is zero beyond the last column. Packing is done once, by a
function of its own, for a B that is used by many products; else panel by panel, in scratch memory.

Where k is so long that a panel would not stay in the second cache while all rows pass over it, k is
cut into blocks, and so are rows, for A to stay there. Each element of C is the same sum in the same
order wherever its tile lies, so threads, which take panels and blocks of rows in turn, do not show
in the result.

    void product(ptr a, ptr b, ptr c, ptr scratch)
    void pack(ptr b, ptr packed)

Packed operands and scratch memory may lie anywhere: their sizes leave room to align them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from .assembler import WIDE, Lane, integer
from .matrix import ALIGNMENT, PACK_HEADER, ProductSpec, Shape, StripWriter, Sums, Visit

PANEL_BYTES = 128 << 10
"""A block of a panel: part of a second cache. Blocks for the first one would gain less than adding
them up in C costs.
"""
TILES = {32: ((8, 3), (6, 4), (12, 2)), 16: ((6, 2),)}
"""For so many registers, rows and vectors of tiles whose sums, with what is added to them, fit."""
WIDEST = 4
UNROLL = 2
YES, NO = (Lane(text, "i1", 1, True) for text in ("true", "false"))
DIRECT_BYTES = 256 << 10
DIRECT_DEPTH = 32
"""A larger B that is read where it lies is read by so many of its rows, for all of C: each row is
on other pages, and the processor follows only so many streams.
"""
ROWS_BYTES = 512 << 10
"""A block of rows of A: half of a second cache, or less."""
SUMS = 8
"""Sums that must be under way for the latency of a multiply-add not to show."""
FEW_ROWS = 4
"""Up to so many rows the speed is that of reading B, and of the memory that it is in."""
DEPTH_MULTIPLE = 16
SQUARE = 4
"""Rows and columns that are transposed at a time: larger squares take LLVM longer than they save.
"""
COLUMNS_HEADER = (
    "define internal void @columns(ptr %source, ptr noalias %packed, i64 %columns, i64 %count) "
    f"noinline {WIDE}"
)


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
        tiles: tiles of a panel; all have nearly as many rows.
        chains: sums that an element is computed as, each over every so-manieth of k.
        unroll: steps of k written one after the other.
        depth: steps of k in a block.
        height: tiles in a block of rows.
    """

    source: Source
    lanes: int
    vectors: int
    tiles: int
    chains: int
    unroll: int
    depth: int
    height: int

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.lanes * self.vectors


def tiling_of(spec: ProductSpec, shape: Shape, is_packed: bool, share: int = 0) -> Tiling:
    """How to cut a product that has elements.

    Args:
        spec: the product.
        shape: what it is written for.
        is_packed: whether B has been packed before.
        share: of so many of its rows, each element the same sum as in the whole; 0 for all.
    """
    size = spec.dtype.itemsize
    lanes = shape.lanes(spec.dtype, spec.n)
    tiles, vectors = _tiles_of(share or spec.m, -(-spec.n // lanes), shape)
    rows = -(-(share or spec.m) // tiles)
    chains = max(1, min(SUMS // (spec.m * vectors), spec.k)) if tiles == 1 else 1
    depth = spec.k
    source = Source.DIRECT if spec.b_strides[1] == 1 and tiles == 1 else Source.SCRATCH
    source = Source.PACKED if is_packed else source
    if source is Source.DIRECT and spec.k * spec.n * size > DIRECT_BYTES:
        depth = min(depth, DIRECT_DEPTH)
    elif spec.m > FEW_ROWS:
        depth = depth_of(spec.k, PANEL_BYTES // (lanes * WIDEST * size))
    height = _balanced(tiles, max(ROWS_BYTES // (depth * rows * size), 1), 1)
    unroll = max(chains, unroll_of(spec.k, depth))
    return Tiling(source, lanes, vectors, tiles, chains, unroll, depth, height)


def _tiles_of(m: int, vectors: int, shape: Shape) -> tuple[int, int]:
    """How many tiles are above each other, and how many vectors wide they are: those with the most
    sums, and of these the ones that load least. With few rows, as many vectors as registers hold
    and latency needs.
    """
    if m <= FEW_ROWS:
        needed = SUMS if m == 1 else SUMS // 2
        return 1, min(vectors, needed, (shape.registers - 2) // (m + 1))

    def worth(tile: tuple[int, int]) -> tuple[float, float]:
        rows, columns = (n / -(-n // most) for n, most in zip((m, vectors), tile, strict=True))
        return rows * columns, -rows - columns

    rows, columns = max(TILES[shape.registers], key=worth)
    return -(-m // rows), panel_vectors(vectors, columns)


def panel_vectors(vectors: int, most: int) -> int:
    """How many vectors wide panels are that are equally wide, as far as they can be."""
    return -(-vectors // -(-vectors // most))


def unroll_of(k: int, depth: int) -> int:
    """How many steps of k are written one after the other. Blocks of k must be made of such, but
    for one that is all of it.
    """
    return UNROLL if depth == k or not (k % UNROLL or depth % UNROLL) else 1


def depth_of(k: int, most: int) -> int:
    """The size of blocks of k, none of which is shorter than a square."""
    depth = _balanced(k, max(most, 4 * DEPTH_MULTIPLE), DEPTH_MULTIPLE)
    while depth < k and 0 < k % depth < DEPTH_MULTIPLE:
        depth += DEPTH_MULTIPLE
    return min(depth, k)


def _balanced(total: int, most: int, multiple: int) -> int:
    """The size of equal parts of a total, at most `most` each, in multiples of a number."""
    parts = -(-total // most)
    size = -(-total // parts)
    return -(-size // multiple) * multiple


@dataclass(frozen=True, slots=True)
class Slab:
    """Some steps of k in one panel of one block of rows, added to what is in C or not (an i1)."""

    block: Lane
    panel: Lane
    columns: int
    start: Lane
    count: Lane
    is_added: Lane


class GemmWriter(StripWriter):
    """Writes a product that is cut into tiles; its strips are panels."""

    def __init__(self, spec: ProductSpec, shape: Shape, tiling: Tiling) -> None:
        super().__init__(spec, shape, spec.n, tiling.width, -(-tiling.tiles // tiling.height))
        self.tiling = tiling
        self.packed = Lane("%b", "ptr")
        self.own = Lane("%scratch", "ptr")

    @property
    def packed_bytes(self) -> int:
        """Size of a packed B."""
        return self.packed_count * self.packed_elements * self.a.size + ALIGNMENT

    @property
    def packed_count(self) -> int:
        """How many matrices a packed B has."""
        return self.spec.batch if self.spec.batch_strides[1] else 1

    @property
    def packed_elements(self) -> int:
        """Elements of a packed matrix."""
        return self.strips * self.spec.k * self.width

    def scratch_bytes(self, pieces: int) -> int:
        """Size of the scratch memory of a product that is split in at most so many pieces."""
        is_needed = self.tiling.source is Source.SCRATCH
        return pieces * self.panel_bytes + ALIGNMENT if is_needed else 0

    @property
    def panel_bytes(self) -> int:
        """Size of a block of a panel, rounded up to the alignment."""
        return -(-self.tiling.depth * self.width * self.a.size // ALIGNMENT) * ALIGNMENT

    # Strips ---------------------------------------------------------------------------------------

    def begin(self, piece: Lane) -> None:
        """Where B and the scratch memory of a piece are."""
        a, source = self.a, self.tiling.source
        if source is Source.PACKED:
            self.packed = a.aligned(Lane("%b", "ptr"))
        elif source is Source.SCRATCH:
            scratch = a.aligned(Lane("%scratch", "ptr"))
            self.own = a.moved(scratch, (piece, self.panel_bytes // a.size))

    def enter(self, index: Lane) -> None:
        """Go to one product of a batch."""
        super().enter(index)
        if self.tiling.source is Source.PACKED:
            stride = self.packed_elements if self.packed_count > 1 else 0
            self.y = self.a.moved(self.packed, (index, stride))

    def passes(self, strips: Callable[[Visit], None]) -> None:
        """All strips at once, or for some rows of B after the other."""
        a, spec, depth = self.a, self.spec, self.tiling.depth
        if self.tiling.source is not Source.DIRECT or depth == spec.k:
            strips(self.strip)
            return

        def add(block: Lane, panel: Lane, columns: int) -> None:
            self.slab(Slab(block, panel, columns, start, count, self.is_added(start)))

        rest = spec.k % depth
        count = integer(depth)
        with a.loop(integer(0), integer(spec.k - rest), depth) as start:
            strips(add)
        if rest:
            start, count = integer(spec.k - rest), integer(rest)
            strips(add)

    def strip(self, block: Lane, number: Lane, columns: int) -> None:
        """One panel of C in one block of rows."""
        a, spec, depth = self.a, self.spec, self.tiling.depth
        if depth == spec.k:
            is_added = YES if spec.accumulate else NO
            self.slab(Slab(block, number, columns, integer(0), integer(spec.k), is_added))
            return
        with a.loop(integer(0), integer(spec.k), depth) as start:
            left = a.sub(integer(spec.k), start)
            count = a.call("llvm.smin.i64", [left, integer(depth)], "i64")
            self.slab(Slab(block, number, columns, start, count, self.is_added(start)))

    def is_added(self, start: Lane) -> Lane:
        """Whether a block of k is added to what is in C: all are but the first."""
        return YES if self.spec.accumulate else self.a.compare("ne", start, integer(0))

    def slab(self, slab: Slab) -> None:
        """All tiles of a slab."""
        a, spec = self.a, self.spec
        rows_of_b = self.rows_of_b(slab)
        base, extra = divmod(spec.m, self.tiling.tiles)
        if self.tiling.tiles == 1:
            self.tile(slab, integer(0), spec.m, rows_of_b)
            return
        first, last = self.tiles(slab.block)
        if extra:
            end = a.call("llvm.smin.i64", [last, integer(extra)], "i64")
            with a.loop(first, end) as number:
                self.tile(slab, self.first_row(number), base + 1, rows_of_b)
            first = a.call("llvm.smax.i64", [first, integer(extra)], "i64")
        with a.loop(first, last) as number:
            self.tile(slab, self.first_row(number), base, rows_of_b)

    def tiles(self, block: Lane) -> tuple[Lane, Lane]:
        """The number of the first tile of a block, and of the first after it."""
        a, height, last = self.a, integer(self.tiling.height), integer(self.tiling.tiles)
        if self.blocks == 1:
            return integer(0), last
        first = a.mul(block, height)
        return first, a.call("llvm.smin.i64", [a.add(first, height), last], "i64")

    def first_row(self, tile: Lane) -> Lane:
        """Where a tile begins. The first tiles have a row more than the others."""
        a = self.a
        base, extra = divmod(self.spec.m, self.tiling.tiles)
        row = a.mul(tile, integer(base))
        if not extra:
            return row
        return a.add(row, a.call("llvm.smin.i64", [tile, integer(extra)], "i64"))

    def place(self, panel: Lane, row: Lane) -> Lane:
        """Where a row of a panel is in C."""
        return self.a.moved(self.z, (row, self.spec.c_strides[0]), (panel, self.width))

    def rows_of_b(self, slab: Slab) -> Lane:
        """Where the first of B's rows is, as tiles read them."""
        a, spec = self.a, self.spec
        if self.tiling.source is Source.DIRECT:
            return a.moved(self.y, (slab.panel, self.width), (slab.start, spec.b_strides[0]))
        if self.tiling.source is Source.PACKED:
            stride = self.width * spec.k
            return a.moved(self.y, (slab.panel, stride), (slab.start, self.width))
        self.pack(slab, self.own)
        return self.own

    # Tiles ----------------------------------------------------------------------------------------

    def tile(self, slab: Slab, row: Lane, rows: int, y: Lane) -> None:
        """One tile: so many rows from `row` on; y points to the rows of B."""
        a, spec, tiling = self.a, self.spec, self.tiling
        x = a.moved(self.x, (row, spec.a_strides[0]), (slab.start, spec.a_strides[1]))
        vectors = -(-slab.columns // tiling.lanes)
        sums = a.sums(rows, vectors, tiling.chains, tiling.lanes)
        count, rest = slab.count, 0
        if count.is_constant:
            rest = int(count.text) % tiling.unroll
            count = integer(int(count.text) - rest)
        with self.steps(count) as index:
            self.terms(slab, index, tiling.unroll, x, y, sums)
        self.terms(slab, count, rest, x, y, sums)
        z = self.place(slab.panel, row)
        for number, line in enumerate(sums):
            self.store_row(slab, a.moved(z, (number, spec.c_strides[0])), line)

    @contextmanager
    def steps(self, count: Lane) -> Iterator[Lane]:
        """Runs what is written inside for every `unroll` steps of k."""
        if count.text == str(self.tiling.unroll):
            yield integer(0)
            return
        with self.a.loop(integer(0), count, self.tiling.unroll) as index:
            yield index

    def terms(self, slab: Slab, index: Lane, count: int, x: Lane, y: Lane, sums: Sums) -> None:
        """`count` steps of k from `index` on; x points to the tile's rows of A."""
        a, spec, tiling = self.a, self.spec, self.tiling
        is_direct = tiling.source is Source.DIRECT
        stride = spec.b_strides[0] if is_direct else self.width
        x = a.moved(x, (index, spec.a_strides[1]))
        y = a.moved(y, (index, stride))
        for step in range(count):
            found = []
            for v in range(len(sums[0])):
                left = slab.columns - v * tiling.lanes if is_direct else tiling.lanes
                place = a.moved(y, (step, stride), (v, tiling.lanes))
                found.append(a.load_lanes(place, tiling.lanes, left))
            for row, line in enumerate(sums):
                place = a.moved(x, (row, spec.a_strides[0]), (step, spec.a_strides[1]))
                factor = a.broadcast(place, tiling.lanes)
                for vector, chains in zip(found, line, strict=True):
                    a.multiply_add(factor, vector, chains[step % tiling.chains])

    def store_row(self, slab: Slab, place: Lane, line: list[list[Lane]]) -> None:
        """Write a row of a tile, or add it to what is there."""
        a, lanes = self.a, self.tiling.lanes
        for v, chains in enumerate(line):
            left = slab.columns - v * lanes
            vector_place = a.moved(place, (v, lanes))
            total = a.total(chains, lanes)
            if slab.is_added is not NO:
                before = a.load_lanes(vector_place, lanes, left)
                if slab.is_added is not YES:
                    before = a.select(slab.is_added, before, a.zeros(lanes))
                total = a.binary("fadd", before, total)
            a.store_lanes(total, vector_place, left)

    # Packing --------------------------------------------------------------------------------------

    def extra_functions(self) -> list[str]:
        """`pack`, where tiles read a packed B, and what it uses."""
        source, functions = self.tiling.source, []
        if source is Source.PACKED:
            functions.append(self.pack_function())
        if source is not Source.DIRECT and self.spec.b_strides[1] != 1:
            functions.append(self.columns_function())
        return functions

    def pack_function(self) -> str:
        """`pack`."""
        a, spec = self.a, self.spec
        packed = a.aligned(Lane("%packed", "ptr"))
        panel_size = spec.k * self.width
        none, depth = integer(0), integer(spec.k)
        with a.each(self.packed_count) as index:
            self.y = a.moved(Lane("%b", "ptr"), (index, spec.batch_strides[1]))
            first = a.moved(packed, (index, self.packed_elements))
            if self.whole:
                with a.each(self.whole) as panel:
                    slab = Slab(none, panel, self.width, none, depth, NO)
                    self.pack(slab, a.moved(first, (panel, panel_size)))
            if self.edge:
                slab = Slab(none, integer(self.whole), self.edge, none, depth, NO)
                self.pack(slab, a.moved(first, (self.whole, panel_size)))
        return self.finished(PACK_HEADER, "void")

    def pack(self, slab: Slab, packed: Lane) -> None:
        """Write the rows of B that a slab reads one after the other, as far as tiles read them."""
        a, lanes = self.a, self.tiling.lanes
        step, stride = self.spec.b_strides
        source = a.moved(self.y, (slab.panel, self.width * stride), (slab.start, step))
        if stride != 1:
            a.write(f"call void @columns({source}, {packed}, i64 {slab.columns}, {slab.count})")
            return
        with a.loop(integer(0), slab.count) as index:
            row, place = a.moved(source, (index, step)), a.moved(packed, (index, self.width))
            for column in range(0, slab.columns, lanes):
                vector = a.load_lanes(a.moved(row, (column, 1)), lanes, slab.columns - column)
                a.store(vector, a.moved(place, (column, 1)), a.size)

    def columns_function(self) -> str:
        """`columns`, which packs a panel whose rows are not contiguous, some columns at a time.
        Those beyond the last, up to a vector's end, repeat it: tiles compute with them, but do not
        store the result. (What lay there before may be denormal, and slow to compute with.)
        """
        a, side = self.a, min(SQUARE, self.tiling.lanes)
        columns, count = Lane("%columns", "i64"), Lane("%count", "i64")
        step, stride = self.spec.b_strides
        up = a.add(columns, integer(self.tiling.lanes - 1))
        padded = a.binary("and", up, integer(-self.tiling.lanes))
        with a.loop(integer(0), padded, side) as first:
            last = a.sub(columns, integer(1))
            numbers = [
                a.call("llvm.smin.i64", [a.add(first, integer(n)), last], "i64")
                for n in range(side)
            ]
            sources = [a.moved(Lane("%source", "ptr"), (number, stride)) for number in numbers]
            place = a.moved(Lane("%packed", "ptr"), (first, 1))
            if step != 1:
                self.pack_rows(sources, place, count)
            elif self.spec.k < side:
                self.pack_square(sources, place, integer(0), self.spec.k)
            else:
                # The last square lies over the one before it, as far as it has to.
                end = a.sub(count, integer(side))
                with a.loop(integer(0), count, side) as row:
                    row = a.call("llvm.smin.i64", [row, end], "i64")
                    self.pack_square(sources, place, row, side)
        return self.finished(COLUMNS_HEADER, "void")

    def pack_rows(self, sources: list[Lane], place: Lane, count: Lane) -> None:
        """Rows of some columns, element by element."""
        a = self.a
        with a.loop(integer(0), count) as index:
            for column, source in enumerate(sources):
                element = a.moved(source, (index, self.spec.b_strides[0]))
                value = a.load(element, a.element, 1, a.size)
                a.store(value, a.moved(place, (index, self.width), (column, 1)), a.size)

    def pack_square(self, sources: list[Lane], place: Lane, row: Lane, rows: int) -> None:
        """Rows of some columns that are contiguous, as many as these or fewer."""
        a = self.a
        found = [a.load_lanes(a.moved(source, (row, 1)), len(sources), rows) for source in sources]
        for number, vector in enumerate(a.transposed(found)[:rows]):
            a.store(vector, a.moved(place, (row, self.width), (number, self.width)), a.size)
