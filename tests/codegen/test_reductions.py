"""Reductions over any dimensions, and what is made of them, equal the reference kernels."""

import numpy as np
import pytest
from test_groups import EPSILON

from jitlang import config, dtypes, ops
from jitlang.codegen.fused import FusedKernel, run_reference
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph, Value

assert ops


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off"):
        yield


class Writer(Builder):
    """A builder that takes Python numbers and lists of them."""

    def call(self, name, args=(), kwargs=None, overloads=None):
        return super().call(name, [self.value_of(a) for a in args], kwargs, overloads)

    def value_of(self, given):
        if isinstance(given, list):
            return self.list([self.constant(n) for n in given], ty.INT)
        return given if isinstance(given, Value) else self.constant(given)


def kernel_of(write):
    """A group of one tensor whose results `write(builder, tensor)` names."""
    graph = Graph()
    made = write(Writer(graph), graph.add_input(ty.TENSOR))
    for value in made if isinstance(made, tuple) else (made,):
        graph.add_output(value)
    return FusedKernel(graph)


NAMES = {
    "sum": lambda b, x, dims, keep: b.op("aten::sum", x, dims, keep),
    "mean": lambda b, x, dims, keep: b.op("aten::mean", x, dims, keep),
    "amax": lambda b, x, dims, keep: b.op("aten::amax", x, dims, keep),
    "amin": lambda b, x, dims, keep: b.op("aten::amin", x, dims, keep),
    "any": lambda b, x, dims, keep: b.op("aten::any", x, dims, keep),
    "all": lambda b, x, dims, keep: b.op("aten::all", x, dims, keep),
    "logsumexp": lambda b, x, dims, keep: b.op("aten::logsumexp", x, dims, keep),
    "std": lambda b, x, dims, keep: b.op("aten::std", x, dims, True, keep),
    "var": lambda b, x, dims, keep: b.op("aten::var", x, dims, False, keep),
    "norm": lambda b, x, dims, keep: b.op("aten::norm", x, 2, dims, keep),
    "norm1": lambda b, x, dims, keep: b.op("aten::norm", x, 1, dims, keep),
    "peak": lambda b, x, dims, keep: b.op("aten::norm", x, float("inf"), dims, keep),
}
FLOATS_ONLY = {"mean", "logsumexp", "std", "var", "norm", "norm1", "peak"}
DTYPES = [*EPSILON, dtypes.int64, dtypes.int32, dtypes.int8, dtypes.bool_]
SHAPES = [(7, 37), (70, 5), (4, 6, 33), (2, 3, 5, 40), (1, 9), (9, 1)]


def layouts(x):
    yield x
    yield np.asfortranarray(x)
    yield x[..., ::-1]
    yield np.concatenate([x, x], -1)[..., ::2]
    yield np.broadcast_to(x[:1], x.shape)


def dims_of(rank):
    single = [[d] for d in range(rank)]
    return [*single, *([a, b] for a in range(rank) for b in range(a)), list(range(rank))]


def magnitude(x):
    with np.errstate(all="ignore"):
        return float(np.abs(np.nan_to_num(np.asarray(x, "float64"))).sum()) + 1


def assert_close(got, wanted, x):
    """Exact for integers and bools, within n eps sum|x| otherwise."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    if wanted.dtype.kind in "biu":
        np.testing.assert_array_equal(got, wanted)
        return
    dtype = dtypes.from_numpy(wanted.dtype)
    wide = dtypes.float32 if dtype.itemsize == 2 else dtype
    got, wanted = got.astype("float64"), wanted.astype("float64")
    bound = 2 * EPSILON[dtype] * np.abs(wanted) + 8 * EPSILON[wide] * magnitude(x)
    with np.errstate(invalid="ignore"):
        near = np.abs(got - wanted) <= bound
    assert (near | (got == wanted) | (np.isnan(got) & np.isnan(wanted))).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_dimension_layout_and_dtype(name):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for number, dims in enumerate(dims_of(len(shape))):
            keep = bool(number % 2)
            kernel = kernel_of(lambda b, x, d=dims, k=keep: NAMES[name](b, x, d, k))
            chosen = rng.permutation(len(DTYPES))[:3]
            for dtype in (DTYPES[n] for n in chosen):
                if name in FLOATS_ONLY and not dtype.is_floating_point:
                    continue
                for x in layouts(rng.normal(0, 2, shape).astype(dtype.numpy)):
                    with np.errstate(all="ignore"):
                        (wanted,) = run_reference(kernel.graph, [x])
                    assert_close(kernel(x), wanted, x)
            assert not kernel.fallbacks


def test_extrema_of_special_values():
    x = np.random.default_rng(0).normal(size=(40, 50)).astype("float32")
    x[3, 4], x[5, 6], x[7] = np.nan, np.inf, -np.inf
    for name in ("amax", "amin"):
        for dims in ([0], [1], [0, 1]):
            kernel = kernel_of(lambda b, x, n=name, d=dims: NAMES[n](b, x, d, False))
            (wanted,) = run_reference(kernel.graph, [x])
            np.testing.assert_array_equal(kernel(x), wanted)


def test_nothing_and_no_dimensions():
    for name in ("sum", "any", "all", "mean"):
        kernel = kernel_of(lambda b, x, n=name: NAMES[n](b, x, [0], False))
        for x in (np.zeros((0, 3), "f4"), np.zeros((3, 0), "f4"), np.ones((), "f4")):
            (wanted,) = run_reference(kernel.graph, [x])
            np.testing.assert_array_equal(kernel(x), wanted)


def centred(b, x, dims):
    return b.op("aten::sub", x, b.op("aten::mean", x, dims, True))


def normalised(b, x, dims):
    apart = centred(b, x, dims)
    variance = b.op("aten::mean", b.op("aten::mul", apart, apart), dims, True)
    return b.op("aten::mul", apart, b.op("aten::rsqrt", b.op("aten::add", variance, 1e-5)))


def softmax_of_scaled(b, x, dims):
    return b.op("aten::mul", b.op("aten::softmax", b.op("aten::mul", x, 0.5), dims[0]), 3.0)


def root_mean_square(b, x, dims):
    mean = b.op("aten::mean", b.op("aten::mul", x, x), dims, True)
    return b.op("aten::mul", x, b.op("aten::rsqrt", b.op("aten::add", mean, 1e-6)))


def log_softmax_then_sum(b, x, dims):
    return b.op("aten::sum", b.op("aten::log_softmax", x, dims[0]), dims, False)


STAGES = [normalised, centred, softmax_of_scaled, root_mean_square, log_softmax_then_sum]


@pytest.mark.parametrize("write", STAGES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dims", [[0], [1], [2], [0, 2]], ids=str)
def test_pointwise_into_reductions_into_pointwise_is_one_kernel(write, dims):
    kernel = kernel_of(lambda b, x: write(b, x, dims))
    rng = np.random.default_rng(0)
    for shape in ((6, 20, 33), (3, 70, 2), (17, 4, 130)):
        x = rng.normal(size=shape).astype("float32")
        for array in layouts(x):
            (wanted,) = run_reference(kernel.graph, [array])
            np.testing.assert_allclose(kernel(array), wanted, rtol=2e-4, atol=2e-4)
            if write is not log_softmax_then_sum:
                assert len(kernel.launch_for([array]).calls) == 1
    assert not kernel.fallbacks


def test_columns_are_read_in_the_order_of_memory():
    kernel = kernel_of(lambda b, x: b.op("aten::sum", b.op("aten::exp", x), [0], False))
    x = np.ones((300, 200), "float32")
    (call,) = kernel.launch_for([x]).calls
    assert call.kernel.layout.across and "gather" not in call.kernel.text
    (call,) = kernel.launch_for([x.T]).calls
    assert not call.kernel.layout.across and "gather" not in call.kernel.text


def test_images_are_normalised_without_a_copy():
    """Channels of (batch, channel, height, width): rows of two dimensions."""
    kernel = kernel_of(lambda b, x: normalised(b, x, [0, 2, 3]))
    x = np.random.default_rng(0).normal(size=(4, 8, 7, 9)).astype("float32")
    (wanted,) = run_reference(kernel.graph, [x])
    np.testing.assert_allclose(kernel(x), wanted, rtol=1e-4, atol=1e-5)
    (call,) = kernel.launch_for([x]).calls
    assert call.kernel.layout.row_rank == 2 and not kernel.fallbacks


def test_reductions_of_different_dimensions_meet():
    def write(b, x):
        rows, columns = (b.op("aten::sum", x, [d], False) for d in (1, 0))
        both = b.op("aten::add", b.op("aten::mul", rows, 2.0), columns)
        return both, b.op("aten::sub", x, b.op("aten::amax", columns))

    kernel = kernel_of(write)
    x = np.random.default_rng(0).normal(size=(50, 50)).astype("float32")
    for got, wanted in zip(kernel(x), run_reference(kernel.graph, [x]), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    assert not kernel.fallbacks


def test_views_of_reductions():
    def write(b, x):
        total = b.op("aten::sum", x, [1], False)
        kept = b.op("aten::mean", x, [1], True)
        turned = b.op("aten::transpose", b.op("aten::sub", x, kept), 0, 1)
        return b.op("aten::unsqueeze", total, 0), b.op("aten::mul", turned, total)

    kernel = kernel_of(write)
    x = np.random.default_rng(0).normal(size=(20, 30)).astype("float32")
    for got, wanted in zip(kernel(x), run_reference(kernel.graph, [x]), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    assert not kernel.fallbacks


def test_two_results_of_one_row():
    kernel = kernel_of(lambda b, x: tuple(b.call("aten::var_mean", [x, [0], True, False])))
    x = np.random.default_rng(0).normal(3, 2, (40, 60)).astype("float32")
    variance, mean = kernel(x)
    np.testing.assert_allclose(variance, x.var(0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(mean, x.mean(0), rtol=1e-5)
    assert not kernel.fallbacks


@pytest.mark.parametrize("threads", [1, 3])
def test_rows_side_by_side_are_shared_out(threads):
    kernel = kernel_of(lambda b, x: b.op("aten::sum", b.op("aten::exp", x), [1], False))
    x = np.random.default_rng(0).normal(size=(30, 64, 1111)).astype("float32")
    with config.override(num_threads=threads):
        np.testing.assert_allclose(kernel(x), np.exp(x).sum(1), rtol=1e-5)
