"""Products of two matrices whose sizes are known only when they are computed.

    void product(ptr a, ptr b, ptr c, ptr scratch, ptr sizes)

Where only the rows of A and C vary, as a batch does that is multiplied with weights, a product is
generated: as in `gemm.py`, but for tiles of whole heights, one after the other while there are rows
for them, and smaller ones for the rest. Few rows are not worth packing B and are computed each by
itself. `sizes` points to the number of rows. All other products go
to the BLAS that NumPy has loaded; `_by_blas` says what `sizes` are then. All sizes are positive.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache

from ..dtypes import DType, float32
from ..fuser.plan import Unsupported
from .amounts import Amount
from .assembler import WIDE, Lane, constant, integer
from .blas import PLAIN, ROW_MAJOR, TRANSPOSED, find_gemm
from .gemm import (
    FEW_ROWS,
    PANEL_BYTES,
    ROWS_BYTES,
    WIDEST,
    GemmWriter,
    Slab,
    Source,
    Tiling,
    depth_of,
    panel_vectors,
    unroll_of,
)
from .llvm import compile_module
from .matrix import MatrixAssembler, ProductSpec, Shape, Visit, module_of, shape_of
from .product import (
    LARGE,
    PARALLEL_FLOPS,
    PIECES,
    Product,
    packing_pays,
    product_for,
    symbol_of,
    writer_of,
)
from .target import host
from .threads import parallel_address, thread_count

HEADER = f"ptr %a, ptr %b, ptr %c, ptr %scratch, ptr %sizes) {WIDE}"
WHOLE_PRODUCT = f"define internal void @whole({HEADER}"
PRODUCT = f"define void @product({HEADER}"
PIECE = (
    "define internal i32 @piece(i64 %begin, i64 %end, ptr %arrays, ptr %sizes, ptr %strides, "
    f"ptr %scalars, ptr %scratch) {WIDE}"
)


def product_of_any_size(spec: ProductSpec, *, b_is_reused: bool) -> Product:
    """The native form of a product some of whose numbers are amounts.

    Args:
        spec: sizes, strides and dtype, for an example.
        b_is_reused: many products will have the same B, so that packing it once pays.

    Raises:
        Unsupported: there is none.
    """
    spec = spec.normalized()
    fixed = (spec.n, spec.k, spec.batch, *spec.a_strides, *spec.b_strides, *spec.c_strides)
    vary = any(isinstance(number, Amount) for number in (*fixed, *spec.batch_strides))
    if not vary and not isinstance(spec.m, Amount):
        return product_for(spec, b_is_reused=b_is_reused)
    if vary or spec.batch != 1 or min(spec.n, spec.k) > LARGE:
        return _by_blas(spec)
    pieces = PIECES if thread_count() > 1 and parallel_address() else 1
    is_packed = b_is_reused and packing_pays(spec)
    found = _generated(replace(spec, m=0), is_packed, pieces, shape_of(host()))
    return replace(found, sizes=(spec.m,))


# Any number of rows -------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _generated(spec: ProductSpec, is_packed: bool, pieces: int, shape: Shape) -> Product:
    """The function for any number of rows; `m` of the spec says nothing."""
    writer = RowsWriter(spec, shape, is_packed)
    imports = {"parallel": parallel_address()} if pieces > 1 else {}
    exports = ["product", "pack"] if is_packed else ["product"]
    library = compile_module(writer.text(pieces), exports, imports, is_kernel=True)
    return Product(
        symbol_of(spec, "packed.rows" if is_packed else "rows"),
        library.addresses["product"],
        writer.scratch_bytes(pieces),
        library.addresses["pack"] if is_packed else 0,
        writer.packed_bytes if is_packed else 0,
        "generated",
        library,
    )


def rows_tiling(spec: ProductSpec, shape: Shape, is_packed: bool) -> Tiling:
    """How a product of any number of rows is cut; `height` counts whole tiles."""
    size = spec.dtype.itemsize
    lanes = shape.lanes(spec.dtype, spec.n)
    rows, most = (8, 3) if shape.registers == 32 else (4, 2)
    vectors = panel_vectors(-(-spec.n // lanes), most)
    depth = depth_of(spec.k, PANEL_BYTES // (lanes * WIDEST * size))
    height = max(ROWS_BYTES // (depth * rows * size), 1)
    source = Source.PACKED if is_packed else Source.SCRATCH
    return Tiling(source, lanes, vectors, rows, 1, unroll_of(spec.k, depth), depth, height)


class RowsWriter(GemmWriter):
    """Writes a product of any number of rows. The tiling's `tiles` are the rows of a whole tile."""

    def __init__(self, spec: ProductSpec, shape: Shape, is_packed: bool) -> None:
        super().__init__(spec, shape, rows_tiling(spec, shape, is_packed))
        self.rows = Lane("%rows", "i64")

    @property
    def block_rows(self) -> int:
        """Rows of a block."""
        return self.tiling.height * self.tiling.tiles

    def text(self, pieces: int) -> str:
        """The module of `product`, and of what belongs to it."""
        whole = self.whole_function()
        functions = [whole, self.choice(pieces), *self.row_function]
        if pieces > 1:
            functions.append(self.piece_function(pieces))
        return module_of([*functions, *self.extra_functions()])

    def begin(self, piece: Lane) -> None:
        """Where the operands of the one product are."""
        super().begin(piece)
        self.enter(integer(0))

    def read_rows(self) -> None:
        self.a.write("%rows = load i64, ptr %sizes")

    def count_of_blocks(self) -> Lane:
        a = self.a
        return a.binary("udiv", a.add(self.rows, integer(self.block_rows - 1)),
                        integer(self.block_rows))  # fmt: skip

    def whole_function(self) -> str:
        """The product on one thread."""
        self.read_rows()
        self.begin(integer(0))
        self.passes(self.all_strips)
        return self.finished(WHOLE_PRODUCT, "void")

    def all_strips(self, write: Visit) -> None:
        a = self.a
        with a.loop(integer(0), self.count_of_blocks()) as block:
            if self.whole:
                with a.each(self.whole) as number:
                    write(block, number, self.width)
            if self.edge:
                write(block, integer(self.whole), self.edge)

    def own_strips(self, write: Visit) -> None:
        a = self.a
        with a.loop(Lane("%begin", "i64"), Lane("%end", "i64")) as unit:
            block = a.binary("udiv", unit, integer(self.strips))
            number = a.binary("urem", unit, integer(self.strips))
            if self.whole:
                with a.when(a.compare("ult", number, integer(self.whole))):
                    write(block, number, self.width)
            if self.edge:
                with a.when(a.compare("eq", number, integer(self.whole))):
                    write(block, integer(self.whole), self.edge)

    def piece_function(self, pieces: int) -> str:
        """A piece of the product, which the pool calls."""
        a, arrays = self.a, Lane("%arrays", "ptr")
        for number, name in enumerate("abc"):
            a.write(f"%{name} = load ptr, {a.offset(arrays, integer(8 * number))}")
        self.read_rows()
        chunk = self.chunk(pieces)
        self.begin(a.binary("udiv", Lane("%begin", "i64"), chunk))
        self.passes(self.own_strips)
        return self.finished(PIECE, "i32 0")

    def chunk(self, pieces: int) -> Lane:
        """How many strips are a piece."""
        a = self.a
        units = a.mul(self.count_of_blocks(), integer(self.strips))
        return a.binary("udiv", a.add(units, integer(pieces - 1)), integer(pieces))

    @cached_property
    def row_function(self) -> list[str]:
        """The product of one row, where B can be read as it lies."""
        if self.tiling.source is Source.PACKED:
            return []
        writer = writer_of(replace(self.spec, m=1).normalized(), False, self.shape)
        if isinstance(writer, GemmWriter) and writer.tiling.source is not Source.DIRECT:
            return []
        return [writer.function().replace("define void @product", "define internal void @row")]

    def choice(self, pieces: int) -> str:
        """`product`: row by row, on one thread, or where there are rows enough on all."""
        a = self.a
        self.read_rows()
        if not self.row_function:
            self.all_rows(pieces)
            return self.finished(PRODUCT, "void")
        are_few = a.compare("ule", self.rows, integer(FEW_ROWS))
        with a.when(are_few), a.loop(integer(0), self.rows) as row:
            x = a.moved(Lane("%a", "ptr"), (row, self.spec.a_strides[0]))
            z = a.moved(Lane("%c", "ptr"), (row, self.spec.c_strides[0]))
            a.write(f"call void @row({x}, ptr %b, {z}, ptr %scratch)")
        with a.when(self.opposite(are_few)):
            self.all_rows(pieces)
        return self.finished(PRODUCT, "void")

    def opposite(self, condition: Lane) -> Lane:
        return self.a.binary("xor", condition, Lane("true", "i1", 1, True))

    def all_rows(self, pieces: int) -> None:
        """The product of more than a few rows."""
        a, spec = self.a, self.spec
        operands = [Lane(name, "ptr") for name in ("%a", "%b", "%c", "%scratch", "%sizes")]
        whole = f"call void @whole({', '.join(map(str, operands))})"
        if pieces == 1:
            a.write(whole)
            return
        flops_of_row = 2 * spec.n * spec.k * spec.dtype.itemsize // float32.itemsize
        is_long = a.compare("uge", self.rows, integer(-(-PARALLEL_FLOPS // flops_of_row)))
        with a.when(self.opposite(is_long)):
            a.write(whole)
        with a.when(is_long):
            self.call_pool(pieces, operands)

    def call_pool(self, pieces: int, operands: list[Lane]) -> None:
        a = self.a
        table = a.value("alloca [3 x ptr]", "ptr")
        for number, operand in enumerate(operands[:3]):
            a.store(operand, a.offset(table, integer(8 * number)))
        units = a.mul(self.count_of_blocks(), integer(self.strips))
        null = Lane("null", "ptr")
        scratch, sizes = operands[3:]
        a.call("parallel", [Lane("@piece", "ptr"), units, self.chunk(pieces), table, sizes, null,
                            null, scratch, integer(0)], "i32")  # fmt: skip

    # Rows -----------------------------------------------------------------------------------------

    def ends(self, block: Lane) -> tuple[Lane, Lane]:
        """The first row of a block, and the first after it."""
        a = self.a
        first = a.mul(block, integer(self.block_rows))
        last = a.add(first, integer(self.block_rows))
        return first, a.call("llvm.smin.i64", [last, self.rows], "i64")

    def slab(self, slab: Slab) -> None:
        """All tiles of a slab: whole ones, then smaller ones for what is left."""
        a, height = self.a, self.tiling.tiles
        rows_of_b = self.rows_of_b(slab)
        first, last = self.ends(slab.block)
        left = a.binary("and", a.sub(last, first), integer(height - 1))
        end = a.sub(last, left)
        with a.loop(first, end, height) as row:
            self.tile(slab, row, height, rows_of_b)
        place = a.slot("i64", 1, end)
        while height > 1:
            height //= 2
            fits = a.compare("ne", a.binary("and", left, integer(height)), integer(0))
            with a.when(fits):
                row = a.load(place, "i64")
                self.tile(slab, row, height, rows_of_b)
                a.store(a.add(row, integer(height)), place)


# BLAS ---------------------------------------------------------------------------------------------


def _by_blas(spec: ProductSpec) -> Product:
    """A product for which `sizes` are m, n, k, the leading dimensions of A, B and C, the number of
    products and the distances from one's A, B and C to the next one's.
    """
    (a_turn, a_leading), (b_turn, b_leading) = map(_leading, (spec.a_strides, spec.b_strides))
    gemm = find_gemm(spec.dtype)
    if gemm is None:
        raise Unsupported("a product whose sizes vary, without a BLAS")
    sizes = (spec.m, spec.n, spec.k, a_leading, b_leading, spec.c_strides[0], spec.batch,
             *spec.batch_strides)  # fmt: skip
    text = blas_text(spec.dtype, a_turn, b_turn, spec.accumulate)
    library = compile_module(text, ["product"], {"gemm": gemm.address}, is_kernel=True)
    symbol = f"product.sizes.{spec.dtype.name}.{a_turn}.{b_turn}.{int(spec.accumulate)}"
    return Product(symbol, library.addresses["product"], 0, 0, 0, "blas", library, sizes)


def _leading(strides: tuple[int, int]) -> tuple[int, int]:
    """Whether BLAS reads a matrix plain or transposed, and its leading dimension."""
    outer, inner = strides
    if not isinstance(inner, Amount) and inner == 1 and outer > 0:
        return PLAIN, outer
    if not isinstance(outer, Amount) and outer == 1 and inner > 0:
        return TRANSPOSED, inner
    raise Unsupported("a product of strided matrices whose sizes vary")


def blas_text(dtype: DType, a_turn: int, b_turn: int, accumulate: bool) -> str:
    """The module of a product that BLAS computes."""
    one = constant(1.0, dtype)
    kept = one if accumulate else constant(0.0, dtype)
    a = MatrixAssembler(dtype, shape_of(host()))
    table = Lane("%sizes", "ptr")
    m, n, k, a_leading, b_leading, c_leading, batch, *steps = (
        a.load(a.offset(table, integer(8 * number)), "i64") for number in range(10)
    )
    kinds = [integer(kind, 32) for kind in (ROW_MAJOR, a_turn, b_turn)]
    with a.loop(integer(0), batch) as index:
        x, y, z = (
            a.offset(Lane(name, "ptr"), a.mul(index, a.mul(step, integer(dtype.itemsize))))
            for name, step in zip(("%a", "%b", "%c"), steps, strict=True)
        )
        a.run("gemm", [*kinds, m, n, k, one, x, a_leading, y, b_leading, kept, z, c_leading])
    a.write("ret void")
    return a.function(PRODUCT)
