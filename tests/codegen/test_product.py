"""Products against NumPy in float64, in every layout, and what they may and may not touch."""

import ctypes
import mmap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from jitlang import config
from jitlang.codegen import blas
from jitlang.codegen import product as products
from jitlang.codegen.matrix import Shape, shape_of
from jitlang.codegen.product import ProductSpec, generated, product_for
from jitlang.codegen.rows import _generated
from jitlang.codegen.target import host
from jitlang.dtypes import float32, float64, int32

POINTER = ctypes.c_void_p
MARGIN = 64
CANARY = 0xA5
SHAPES = {
    "host": shape_of(host()),
    "avx512": Shape(64, 32, True),
    "avx2": Shape(32, 16, True),
    "sse2": Shape(16, 16, False),
}
LAYOUTS = ("rows", "columns", "padded", "reversed", "both reversed", "repeated", "strided")


def runs(name):
    """Whether this machine runs code of a shape."""
    needed = {"avx512": "avx512f", "avx2": "fma"}.get(name)
    return needed is None or host().has(needed)


def matrix(rng, rows, columns, layout, dtype):
    """A random matrix whose elements lie in memory as a layout says."""
    x = rng.normal(0, 1, (rows, columns)).astype(dtype)
    if layout == "columns":
        return np.asfortranarray(x)
    if layout == "padded":
        return np.concatenate([x, x[:, :1]], 1)[:, :columns] if columns else x
    if layout == "reversed":
        return np.ascontiguousarray(x[::-1])[::-1]
    if layout == "both reversed":
        return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    if layout == "repeated":
        return np.broadcast_to(x[:1], x.shape) if rows else x
    if layout == "strided":
        return np.repeat(x, 3, 1)[:, ::3]
    return x


def spec_of(a, b, c, accumulate=False):
    strides = [tuple(step // x.itemsize for step in x.strides) for x in (a, b, c)]
    dtype = float32 if c.dtype == np.float32 else float64
    return ProductSpec(dtype, a.shape[0], b.shape[1], a.shape[1], *strides, accumulate)


class Guarded:
    """Memory of some bytes whose margins are watched."""

    def __init__(self, size, shift=0):
        self.memory = np.full(size + 2 * MARGIN + shift, CANARY, np.uint8)
        self.inside = self.memory[MARGIN + shift : MARGIN + shift + size]
        self.shift = shift

    @property
    def address(self):
        return self.inside.ctypes.data

    def assert_untouched(self):
        assert (self.memory[: MARGIN + self.shift] == CANARY).all()
        assert (self.memory[MARGIN + self.shift + len(self.inside) :] == CANARY).all()


def run(product, a, b, c, shift=8):
    """Call a product; its scratch memory and packed operand are guarded and badly aligned. Where
    sizes vary they are the rows.
    """
    scratch, packed = Guarded(product.scratch_bytes, shift), Guarded(product.packed_bytes, shift)
    operand = b.ctypes.data
    if product.pack_address:
        ctypes.CFUNCTYPE(None, POINTER, POINTER)(product.pack_address)(operand, packed.address)
        operand = packed.address
    sizes = [(ctypes.c_int64 * 1)(len(c))] if product.sizes else []
    function = ctypes.CFUNCTYPE(None, *(POINTER,) * (4 + len(sizes)))(product.address)
    function(a.ctypes.data, operand, c.ctypes.data, scratch.address, *sizes)
    scratch.assert_untouched()
    packed.assert_untouched()


def result_memory(rng, m, n, dtype):
    """A matrix for results inside a larger one, and the larger one."""
    outer = rng.normal(0, 1, (m + 2, n + 5)).astype(dtype)
    return outer[1 : m + 1, 2 : n + 2], outer


def assert_product(a, b, product, accumulate, rng):
    """Right within the bound of its sums, and nothing written beside the result."""
    c, outer = result_memory(rng, a.shape[0], b.shape[1], a.dtype)
    before = outer.copy()
    run(product, a, b, c)
    wide = [x.astype(np.float64) for x in (a, b, before[1:-1, 2:-3])]
    old = wide[2] if accumulate else 0 * wide[2]
    exact = wide[0] @ wide[1] + old
    terms = np.abs(wide[0]) @ np.abs(wide[1]) + np.abs(old)
    bound = (a.shape[1] + 1) * np.finfo(a.dtype).eps * terms
    assert (np.abs(c - exact) <= bound).all()
    c[...] = before[1:-1, 2:-3]
    np.testing.assert_array_equal(outer, before)


def sizes(rng):
    small = [0, 1, 2, 3, 4, 5, 8, 13, 16, 17, 31, 32, 33, 64, 97, 100]
    return tuple(int(rng.choice(small)) for _ in range(3))


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_products(seed, dtype):
    rng = np.random.default_rng(seed)
    m, n, k = sizes(rng)
    accumulate, is_reused = bool(seed & 1), bool(seed & 2)
    a = matrix(rng, m, k, rng.choice(LAYOUTS), dtype)
    b = matrix(rng, k, n, rng.choice(LAYOUTS), dtype)
    c, _ = result_memory(rng, m, n, dtype)
    product = product_for(spec_of(a, b, c, accumulate), b_is_reused=is_reused)
    assert_product(a, b, product, accumulate, rng)


@pytest.mark.parametrize("name", [name for name in SHAPES if runs(name)])
@pytest.mark.parametrize("seed", range(24))
def test_random_products_for_every_processor(name, seed):
    rng = np.random.default_rng(1000 + seed)
    m, n, k = (max(size, 1) for size in sizes(rng))
    dtype = rng.choice([np.float32, np.float64])
    accumulate, is_packed = bool(seed & 1), bool(seed & 2)
    a = matrix(rng, m, k, rng.choice(LAYOUTS), dtype)
    b = matrix(rng, k, n, rng.choice(LAYOUTS), dtype)
    c, _ = result_memory(rng, m, n, dtype)
    spec = spec_of(a, b, c, accumulate).normalized()
    product = generated(spec, is_packed, 2, SHAPES[name])
    assert_product(a, b, product, accumulate, rng)


LARGE = [(32, 1024, 256), (40, 70, 900), (300, 100, 520), (2048, 64, 300), (129, 500, 1100)]
READ_IN_PLACE = [(1, 1024, 600), (3, 1000, 700), (8, 300, 500)]


@pytest.mark.parametrize(("m", "n", "k"), [*LARGE, *READ_IN_PLACE])
@pytest.mark.parametrize("layout", ["rows", "columns", "reversed"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_blocks_and_threads(m, n, k, layout, is_packed):
    rng = np.random.default_rng(m)
    a = matrix(rng, m, k, "rows", np.float32)
    b = matrix(rng, k, n, layout, np.float32)
    c, _ = result_memory(rng, m, n, np.float32)
    spec = spec_of(a, b, c, True)
    results = []
    for threads, pieces in ((1, 1), (2, 8), (3, 5)):
        with config.override(num_threads=threads):
            product = generated(spec.normalized(), is_packed, pieces, SHAPES["host"])
            assert_product(a, b, product, True, np.random.default_rng(0))
            results.append(np.ones((m, n), np.float32))
            run(generated(spec_of(a, b, results[-1]), is_packed, pieces, SHAPES["host"]),
                a, b, results[-1])  # fmt: skip
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()


@pytest.mark.parametrize(("m", "n", "k"), [(1, 40, 30), (7, 33, 20), (40, 50, 60), (64, 256, 256)])
@pytest.mark.parametrize("is_reused", [False, True])
@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_nan_and_infinity_are_passed_on(m, n, k, is_reused, layout):
    rng = np.random.default_rng(3)
    a, b = matrix(rng, m, k, "rows", np.float32), matrix(rng, k, n, layout, np.float32)
    a[0, 3], b[5, n - 1], b[2, 1] = np.nan, np.inf, np.inf
    a[m - 1, 2] = 0.0
    c = np.full((m, n), np.nan, np.float32)
    run(product_for(spec_of(a, b, c), b_is_reused=is_reused), a, b, c)
    with np.errstate(invalid="ignore"):
        exact = (a.astype(np.float64)[:, :, None] * b.astype(np.float64)).sum(1)
    np.testing.assert_allclose(c, exact, rtol=1e-4, atol=1e-4)
    assert np.isnan(c[0]).all() and np.isnan(c[m - 1, 1])


@pytest.mark.parametrize("rows", [1, 4, 7, 24, 333])
@pytest.mark.parametrize(("n", "k"), [(16, 24), (37, 90), (300, 1100)])
@pytest.mark.parametrize("is_packed", [False, True])
def test_any_number_of_rows(rows, n, k, is_packed):
    rng = np.random.default_rng(rows)
    a, b = (matrix(rng, *shape, "rows", np.float32) for shape in ((rows, k), (k, n)))
    c, _ = result_memory(rng, rows, n, np.float32)
    for pieces in (1, 4):
        spec = replace(spec_of(a, b, c, True), m=0)
        product = replace(_generated(spec, is_packed, pieces, SHAPES["host"]), sizes=(rows,))
        assert_product(a, b, product, True, rng)


BATCHES = [(5, 6, 7), (1, 40, 30), (20, 33, 90), (2, 9, 400), (520, 513, 513)]


@pytest.mark.parametrize(("m", "n", "k"), BATCHES)
@pytest.mark.parametrize("layout", ["rows", "columns", "shared"])
@pytest.mark.parametrize("is_reused", [False, True])
def test_batches(m, n, k, layout, is_reused):
    rng = np.random.default_rng(n)
    count = 2 if m > 500 else 7
    a = rng.normal(0, 1, (count, m, k))
    b = rng.normal(0, 1, (count, n, k)).swapaxes(1, 2) if layout == "columns" else (
        rng.normal(0, 1, (count, k, n)))  # fmt: skip
    if layout == "shared":
        b = np.broadcast_to(b[:1], b.shape)
    outer = rng.normal(0, 1, (count, m + 1, n + 3))
    before, c = outer.copy(), outer[:, :m, :n]
    spec = spec_of(a[0], b[0], c[0], True)
    steps = tuple(x.strides[0] // x.itemsize for x in (a, b, c))
    product = product_for(replace(spec, batch=count, batch_strides=steps), b_is_reused=is_reused)
    assert count * m * n * k > 10**8 or product.kind != "blas"
    run(product, a, b, c)
    np.testing.assert_allclose(c, a @ b + before[:, :m, :n], rtol=1e-9, atol=1e-9)
    c[...] = before[:, :m, :n]
    np.testing.assert_array_equal(outer, before)


def test_a_batch_without_terms_or_products():
    c = np.full((3, 2, 4), 7.0)
    empty = ProductSpec(float64, 2, 4, 0, (0, 1), (4, 1), (4, 1), False, 3, (0, 0, 8))
    run(product_for(empty, b_is_reused=True), c, c, c)
    assert (c == 0).all()
    none = ProductSpec(float64, 2, 4, 3, (3, 1), (4, 1), (4, 1), False, 0, (0, 0, 8))
    run(product_for(none, b_is_reused=False), c, c, c)
    assert (c == 0).all()


@pytest.mark.parametrize("name", [name for name in SHAPES if runs(name)])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 90, 70), (3, 21, 16), (70, 4, 33), (33, 1, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dot_products_and_columns(name, m, n, k, dtype):
    rng = np.random.default_rng(m)
    for a_layout in ("rows", "columns"):
        a, b = matrix(rng, m, k, a_layout, dtype), matrix(rng, k, n, "columns", dtype)
        for accumulate in (False, True):
            inside, _ = result_memory(rng, m, n, dtype)
            for c in (inside, np.ones((m, n), dtype)):
                spec = spec_of(a, b, c, accumulate).normalized()
                product = generated(spec, False, 1, SHAPES[name])
                old = c.copy() if accumulate else 0
                run(product, a, b, c)
                np.testing.assert_allclose(c, a @ b + old, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", ["rows", "columns", "reversed"])
@pytest.mark.parametrize("n", [5, 16, 37])
def test_packed_panels_are_written_up_to_a_vectors_end(layout, n):
    """What lay there before might be denormal, and slow to compute with."""
    b = matrix(np.random.default_rng(0), 40, n, layout, np.float32)
    b[...] = 1
    product = generated(spec_of(b.T, b, np.empty((n, n), np.float32)), True, 1, SHAPES["host"])
    packed = np.zeros(product.packed_bytes, np.uint8)
    start = -packed.ctypes.data % 64
    pack = ctypes.CFUNCTYPE(None, POINTER, POINTER)(product.pack_address)
    pack(b.ctypes.data, packed.ctypes.data)
    used = packed[start:][: packed.size - 64].view(np.float32)
    assert np.isin(used, (0, 1)).all() and (used == 1).sum() >= 40 * n


def test_no_terms_give_zeros_or_leave_what_is_there():
    a, b = np.ones((3, 0), np.float32), np.ones((0, 4), np.float32)
    for accumulate in (False, True):
        c = np.full((3, 4), 7, np.float32)
        run(product_for(spec_of(a, b, c, accumulate), b_is_reused=False), a, b, c)
        assert (c == (7 if accumulate else 0)).all()


# Memory -------------------------------------------------------------------------------------------


class FencedPages:
    """Arrays that begin or end where memory that must not be read ends or begins."""

    def __init__(self, pages=32):
        self.size = pages * mmap.PAGESIZE
        self.map = mmap.mmap(-1, self.size + 2 * mmap.PAGESIZE)
        self.bytes = np.frombuffer(self.map, np.uint8)
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for place in (0, mmap.PAGESIZE + self.size):
            address = self.bytes.ctypes.data + place
            assert protect(POINTER(address), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0

    def place(self, x, at_end):
        """A copy of an array of whole rows or columns."""
        start = mmap.PAGESIZE + (self.size - x.nbytes if at_end else 0)
        flat = self.bytes[start : start + x.nbytes].view(x.dtype)
        made = flat.reshape(x.shape, order="C" if x.flags.c_contiguous else "F")
        made[...] = x
        return made


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("name", [name for name in SHAPES if runs(name)])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 37, 21), (3, 5, 7), (9, 33, 17), (30, 1, 50)])
def test_nothing_is_read_or_written_out_of_bounds(at_end, name, m, n, k):
    rng = np.random.default_rng(5)
    for layout in ("rows", "columns"):
        fences = [FencedPages() for _ in range(3)]
        operands = [matrix(rng, m, k, layout, np.float32), matrix(rng, k, n, layout, np.float32)]
        operands.append(np.zeros((m, n), np.float32))
        a, b, c = (f.place(x, at_end) for f, x in zip(fences, operands, strict=True))
        for is_packed in (False, True):
            spec = spec_of(a, b, c, True).normalized()
            run(generated(spec, is_packed, 1, SHAPES[name]), a, b, c)
        np.testing.assert_allclose(c, 2 * (a @ b), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("is_reused", [False, True])
def test_calls_from_several_threads(is_reused):
    rng = np.random.default_rng(7)
    a, b = rng.normal(0, 1, (2, 64, 256)), rng.normal(0, 1, (256, 512))
    expected = a @ b
    product = product_for(spec_of(a[0], b, expected[0]), b_is_reused=is_reused)
    start = threading.Barrier(4)

    def work(number):
        start.wait()
        for _ in range(50):
            c = np.full((64, 512), np.nan)
            run(product, a[number % 2], b, c)
            np.testing.assert_allclose(c, expected[number % 2], rtol=1e-12, atol=1e-12)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result()


# Choosing -----------------------------------------------------------------------------------------


def of_sizes(m, n, k, b_strides=None, dtype=float32):
    return ProductSpec(dtype, m, n, k, (k, 1), b_strides or (n, 1), (n, 1))


def test_kinds():
    assert product_for(of_sizes(1, 128, 32), b_is_reused=True).kind == "matrix-vector"
    assert product_for(of_sizes(32, 64, 32), b_is_reused=False).kind == "generated"
    large = product_for(of_sizes(513, 513, 513), b_is_reused=False)
    assert large.kind == ("blas" if blas.find_gemm(float32) else "generated")
    backwards = of_sizes(513, 513, 513, (-513, 1))
    assert product_for(backwards, b_is_reused=False).kind == "generated"


def test_symbols_tell_products_apart():
    specs = [of_sizes(32, 64, 32), of_sizes(32, 64, 32, (1, 32)), of_sizes(64, 32, 32)]
    specs.append(of_sizes(32, 64, 32, dtype=float64))
    made = [product_for(s, b_is_reused=reused) for s in specs for reused in (False, True)]
    by_symbol = {product.symbol: product.address for product in made}
    assert len(by_symbol) == len({product.address for product in made}) == len(made)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (of_sizes(2, 2, 2, dtype=int32), "float32 or float64"),
        (of_sizes(-1, 2, 2), "negative"),
        (ProductSpec(float32, 2, 2, 2, (2, 1), (2, 1), (1, 2)), "contiguous"),
    ],
)
def test_what_is_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        product_for(spec, b_is_reused=False)


# BLAS ---------------------------------------------------------------------------------------------


def test_numpys_blas_is_found():
    if not blas._libraries():
        pytest.skip("NumPy has no BLAS that threadpoolctl knows")
    found = blas.find_gemm(float32)
    assert found is not None and "sgemm" in found.name
    assert blas.find_gemm(float64).name == found.name.replace("sgemm", "dgemm")


def test_a_function_that_does_not_multiply_is_refused():
    signature = ctypes.CFUNCTYPE(None, *(ctypes.c_int,) * 3, *(ctypes.c_int64,) * 3)
    idle = signature(lambda *_: None)
    assert not blas.multiplies(ctypes.cast(idle, POINTER).value, float32)


def test_generated_products_serve_without_a_blas(monkeypatch):
    products._product_for.cache_clear()
    monkeypatch.setattr(products, "find_gemm", lambda dtype: None)
    rng = np.random.default_rng(11)
    a, b = (rng.normal(0, 1, (520, 520)).astype(np.float32) for _ in range(2))
    c, _ = result_memory(rng, 520, 520, np.float32)
    product = product_for(spec_of(a, b, c), b_is_reused=False)
    assert product.kind == "generated"
    assert_product(a, b, product, False, rng)
    products._product_for.cache_clear()
