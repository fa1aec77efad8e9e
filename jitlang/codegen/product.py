"""Products of matrices as native functions: generated for their sizes, or a BLAS call.

`product_for` takes a product whose sizes, strides and dtype are known and gives the address of a
function that computes it, with as many threads as pay. A generated function serves small and
middle-sized products and every layout that BLAS does not take; BLAS serves large ones. The choice
depends on the product alone, so that results are reproducible.

A sum of products, or a bias and a product, needs no temporary: the first term is written to C, the
others accumulate. A batch is one product with `batch` and `batch_strides`; its matrices may be
shared (stride 0), and its threads take all strips of all products in turn.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache

from ..dtypes import float32, float64
from .assembler import Lane, constant, integer
from .blas import MAX_SIZE, PLAIN, ROW_MAJOR, TRANSPOSED, Gemm, find_gemm
from .dots import DotsWriter, are_dots
from .gemm import FEW_ROWS, GemmWriter, tiling_of
from .llvm import compile_module
from .matrix import MatrixAssembler, ProductSpec, Shape, product_header, shape_of, zeros_text
from .target import host
from .threads import parallel_address, thread_count

PARALLEL_FLOPS = 4_000_000
"""Products of float32 with at least as many operations are split over threads, and of float64 with
half of them: on one thread they take about 20 us, several times what waking a worker takes.
"""
PARALLEL_BYTES = 2 << 20
"""With few rows it is the size of B that decides."""
PIECES = 4 * (os.cpu_count() or 1)
"""How many pieces a product is split in, so that threads that are held up do less of it. The number
is not that of the threads, which may change after the product has been compiled.
"""
SMALL_BYTES = 2 << 10
"""A B of that size is as quick to read where it lies."""
LARGE = 512
"""Products of which all sizes are above this need what BLAS does and tiles do not: A packed too."""


@dataclass(frozen=True)
class Product:
    """A product as native code.

    Attributes:
        symbol: a name for the function, different for every spec and kind.
        address: `void f(ptr a, ptr b, ptr c, ptr scratch)`. It may be called by several threads at
            once, each with scratch memory of its own.
        scratch_bytes: how much scratch memory `f` needs, anywhere; 0 for none.
        pack_address: `void pack(ptr b, ptr packed)`, whose result `f` then takes for b; 0 where `f`
            takes b itself.
        packed_bytes: the size of `packed`. It may lie anywhere, but not move.
        kind: "generated", "matrix-vector" or "blas".
        kept: keeps the code alive.
        sizes: for a product whose sizes vary: f takes them as a table of 64-bit words, a fifth
            pointer.
    """

    symbol: str
    address: int
    scratch_bytes: int
    pack_address: int
    packed_bytes: int
    kind: str
    kept: object
    sizes: tuple[int, ...] = ()


def product_for(spec: ProductSpec, *, b_is_reused: bool, rows: int = 0) -> Product:
    """The native form of a product.

    Args:
        spec: sizes, strides and dtype.
        b_is_reused: many products will have the same B, so that packing it once pays.
        rows: the function shall compute so many rows of the product on one thread, as they are in
            the whole; 0 for all rows, and threads of its own. Only where `takes_shares`.

    Raises:
        ValueError: the dtype is neither float32 nor float64, a size is negative, or the columns of
            C are not contiguous.
    """
    if spec.dtype not in (float32, float64):
        raise ValueError(f"products are of float32 or float64, found {spec.dtype.name}")
    sizes = (spec.m, spec.n, spec.k, spec.batch)
    if min(sizes) < 0:
        raise ValueError(f"sizes must not be negative, found {', '.join(map(str, sizes))}")
    if spec.c_strides[1] != 1 and spec.n > 1:
        raise ValueError(f"the columns of C must be contiguous, found stride {spec.c_strides[1]}")
    # Asked for each time: a forked child has lost its workers.
    parallel_address()
    pieces = PIECES if thread_count() > 1 else 1
    return _product_for(spec.normalized(), b_is_reused, pieces, shape_of(host()), rows)


@lru_cache(maxsize=1024)
def _product_for(
    spec: ProductSpec, is_reused: bool, pieces: int, shape: Shape, rows: int
) -> Product:
    if rows:
        return _share_of(spec, rows, shape)
    if not spec.flops:
        return _empty(spec, shape)
    gemm = find_gemm(spec.dtype) if is_for_blas(spec) else None
    if gemm is not None:
        return _blas(spec, gemm)
    return generated(spec, is_reused and packing_pays(spec), pieces, shape)


# Choosing -----------------------------------------------------------------------------------------


def packing_pays(spec: ProductSpec) -> bool:
    """Whether a B that is reused should be packed: it is aligned then, and in the order of use."""
    return spec.b_strides[1] != 1 or spec.n * spec.k * spec.dtype.itemsize > SMALL_BYTES


def is_for_blas(spec: ProductSpec) -> bool:
    """Whether BLAS takes the layout of a product and is the faster way."""
    if min(spec.m, spec.n, spec.k) <= LARGE or not spec.n <= spec.c_strides[0] <= MAX_SIZE:
        return False
    return leading(spec.a_strides, spec.m, spec.k) > 0 < leading(spec.b_strides, spec.k, spec.n)


def leading(strides: tuple[int, int], rows: int, columns: int) -> int:
    """The leading dimension of a matrix whose rows, or else columns, are contiguous; 0 for what is
    neither.
    """
    outer, inner = strides
    if max(rows, columns, outer, inner) > MAX_SIZE:
        return 0
    if inner == 1 and outer >= columns:
        return outer
    return inner if outer == 1 and inner >= rows else 0


def takes_shares(spec: ProductSpec) -> bool:
    """Whether rows of a product with a B that is reused can be computed by themselves."""
    is_one = spec.batch == 1 and not is_matrix_vector(spec)
    return is_one and bool(spec.flops) and packing_pays(spec) and not is_for_blas(spec)


def is_matrix_vector(spec: ProductSpec) -> bool:
    """Whether an operand is read so seldom that memory decides the speed."""
    return min(spec.m, spec.n) <= FEW_ROWS


def uses_threads(spec: ProductSpec) -> bool:
    """Whether a product is long enough to be split."""
    if is_matrix_vector(spec):
        elements = spec.batch * spec.k * max(spec.m, spec.n)
        return elements * spec.dtype.itemsize >= PARALLEL_BYTES
    return spec.flops * spec.dtype.itemsize >= PARALLEL_FLOPS * float32.itemsize


# Making -------------------------------------------------------------------------------------------


def symbol_of(spec: ProductSpec, kind: str) -> str:
    """A name for a function, which is what generated code knows it by."""
    strides = [*spec.a_strides, *spec.b_strides, spec.c_strides[0]]
    parts = ["product", kind, spec.dtype.name, f"{spec.m}x{spec.k}x{spec.n}", *map(str, strides)]
    if spec.batch != 1:
        parts += ["batch", str(spec.batch), *map(str, spec.batch_strides)]
    return ".".join([*parts, "add"] if spec.accumulate else parts)


def generated(spec: ProductSpec, is_packed: bool, pieces: int, shape: Shape) -> Product:
    """A product made for its sizes; B is packed before where `is_packed`.

    It is split in at most so many pieces, if it is long enough.
    """
    writer = writer_of(spec, is_packed, shape)
    pieces = min(pieces, writer.units) if uses_threads(spec) else 1
    return _compiled(spec, writer, "packed" if is_packed else "plain", pieces)


def _share_of(spec: ProductSpec, rows: int, shape: Shape) -> Product:
    """Some rows of a product whose B is packed before; their elements are those of the whole."""
    share, tiling = replace(spec, m=rows), tiling_of(spec, shape, True, rows)
    return _compiled(share, GemmWriter(share, shape, tiling), f"share{spec.m}", 1)


def _compiled(
    spec: ProductSpec, writer: GemmWriter | DotsWriter, name: str, pieces: int
) -> Product:
    """What a writer writes, split in so many pieces."""
    is_packed = name != "plain"
    imports = {"parallel": parallel_address()} if pieces > 1 else {}
    exports = ["product", "pack"] if is_packed else ["product"]
    library = compile_module(writer.text(pieces), exports, imports, is_kernel=True)
    return Product(
        symbol_of(spec, name),
        library.addresses["product"],
        writer.scratch_bytes(pieces) if isinstance(writer, GemmWriter) else 0,
        library.addresses["pack"] if is_packed else 0,
        writer.packed_bytes if isinstance(writer, GemmWriter) and is_packed else 0,
        "matrix-vector" if is_matrix_vector(spec) else "generated",
        library,
    )


def writer_of(spec: ProductSpec, is_packed: bool, shape: Shape) -> GemmWriter | DotsWriter:
    """Who writes a product, and in which roles the operands are."""
    if is_packed:
        return GemmWriter(spec, shape, tiling_of(spec, shape, True))
    if are_dots(spec):
        return DotsWriter(spec, shape)
    is_column = spec.n == 1 < spec.m and spec.c_strides[0] == 1 == spec.a_strides[0]
    turned = spec.transposed().normalized() if is_column else spec
    writer = GemmWriter(turned, shape, tiling_of(turned, shape, False))
    writer.is_swapped = is_column
    return writer


def _empty(spec: ProductSpec, shape: Shape) -> Product:
    library = compile_module(zeros_text(spec, shape), ["product"], is_kernel=True)
    symbol = symbol_of(spec, "plain")
    return Product(symbol, library.addresses["product"], 0, 0, 0, "generated", library)


def _blas(spec: ProductSpec, gemm: Gemm) -> Product:
    library = compile_module(blas_text(spec), ["product"], {"gemm": gemm.address}, is_kernel=True)
    symbol = symbol_of(spec, "blas")
    return Product(symbol, library.addresses["product"], 0, 0, 0, "blas", library)


def blas_text(spec: ProductSpec) -> str:
    """The module of a product that BLAS computes."""
    a_leading = leading(spec.a_strides, spec.m, spec.k)
    b_leading = leading(spec.b_strides, spec.k, spec.n)
    turn_a = PLAIN if spec.a_strides == (a_leading, 1) else TRANSPOSED
    turn_b = PLAIN if spec.b_strides == (b_leading, 1) else TRANSPOSED
    one = constant(1.0, spec.dtype)
    kept = one if spec.accumulate else constant(0.0, spec.dtype)
    a = MatrixAssembler(spec.dtype, shape_of(host()))
    with a.each(spec.batch) as index:
        x, y, z = (
            a.moved(Lane(name, "ptr"), (index, stride))
            for name, stride in zip(("%a", "%b", "%c"), spec.batch_strides, strict=True)
        )
        sizes = (integer(size) for size in (spec.m, spec.n, spec.k))
        kinds = (integer(kind, 32) for kind in (ROW_MAJOR, turn_a, turn_b))
        a.run("gemm", [*kinds, *sizes, one, x, integer(a_leading), y, integer(b_leading),
                       kept, z, integer(spec.c_strides[0])])  # fmt: skip
    a.write("ret void")
    return a.function(product_header())
