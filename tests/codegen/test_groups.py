"""Groups of several nodes: reductions, softmax, views, splits, scalars that decide forms,
temporaries.
"""

import ctypes

import numpy as np
import pytest
from differential import same_bits

import jitlang as jl
from jitlang import Tensor, config, dtypes, ops
from jitlang.codegen.fused import FusedKernel, run_reference
from jitlang.ir.parser import parse_graph

assert ops


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off"):
        yield


def group(*lines, inputs="%x : Tensor", result="%y"):
    body = "\n  ".join(lines)
    return FusedKernel(parse_graph(f"graph({inputs}):\n  {body}\n  return ({result})\n"))


LAST = "%d : int = prim::Constant[value=-1]()"
DIMS = "%l : int[] = prim::ListConstruct(%d)"
YES, NO = "%k : bool = prim::Constant[value=1]()", "%k : bool = prim::Constant[value=0]()"
NONE = "%n : NoneType = prim::Constant()"
REDUCTIONS = {
    "sum": ("%y : Tensor = aten::sum(%x, %l, %k, %n)",),
    "mean": ("%y : Tensor = aten::mean(%x, %l, %k, %n)",),
    "prod": ("%y : Tensor = aten::prod(%x, %d, %k, %n)",),
    "amax": ("%y : Tensor = aten::amax(%x, %l, %k)",),
    "amin": ("%y : Tensor = aten::amin(%x, %l, %k)",),
    "any": ("%y : Tensor = aten::any(%x, %d, %k)",),
    "all": ("%y : Tensor = aten::all(%x, %d, %k)",),
    "logsumexp": ("%y : Tensor = aten::logsumexp(%x, %l, %k)",),
    "softmax": ("%y : Tensor = aten::softmax(%x, %d, %n)",),
    "log_softmax": ("%y : Tensor = aten::log_softmax(%x, %d, %n)",),
    "sum_all": ("%y : Tensor = aten::sum(%x, %n)",),
    "mean_all": ("%y : Tensor = aten::mean(%x, %n)",),
    "max_all": ("%y : Tensor = aten::max(%x)",),
}
EPSILON = {
    dtypes.float16: 2.0**-10, dtypes.bfloat16: 2.0**-7, dtypes.float32: 2.0**-23,
    dtypes.float64: 2.0**-52,
}  # fmt: skip


def close(got, wanted, x, dtype):
    """Within n eps sum|x|, generously for functions of sums."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    if not dtype.is_floating_point or wanted.dtype.kind in "biu":
        assert (got == wanted).all()
        return
    wide = dtypes.float32 if dtype.itemsize == 2 else dtype
    scale = np.abs(np.asarray(x, "float64")).sum() + 1
    bound = (
        2 * EPSILON[dtype] * np.abs(wanted.astype("float64")) + x.shape[-1] * EPSILON[wide] * scale
    )
    with np.errstate(invalid="ignore"):
        error = np.abs(got.astype("float64") - wanted.astype("float64"))
    same = (got == wanted) | ((got != got) & (wanted != wanted))
    assert (same | (error <= bound)).all(), (error.max(), bound.min())


@pytest.mark.parametrize("keep", [YES, NO], ids=["keep", "drop"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, keep):
    kernel = group(LAST, DIMS, keep, NONE, *REDUCTIONS[name])
    rng = np.random.default_rng(0)
    for dtype in (*EPSILON, dtypes.int32, dtypes.int8, dtypes.bool_):
        if name in ("mean", "mean_all", "softmax", "log_softmax") and not dtype.is_floating_point:
            continue
        if name == "logsumexp" and not dtype.is_floating_point:
            continue
        for shape in ((5, 37), (3, 4, 16), (1, 1), (7, 1), (130,), (2, 1000)):
            x = rng.normal(0, 2, shape).astype(dtype.numpy)
            if name == "prod":
                x = np.where(x > 0, 1, -1).astype(dtype.numpy)
            (wanted,) = run_reference(kernel.graph, [x])
            close(kernel(x), wanted, x, dtype)
    assert not set(kernel.fallbacks) - {"a reduction of one element"}, kernel.fallbacks


@pytest.mark.parametrize("name", ["sum", "amax", "softmax"])
def test_reductions_of_layouts_and_special_values(name):
    kernel = group(LAST, DIMS, YES, NONE, *REDUCTIONS[name])
    x = np.random.default_rng(1).normal(size=(24, 40)).astype("float32")
    for array in (x, x.T, x[::2, ::-1], x[:, :1], np.broadcast_to(x[:, :1], (24, 9)), x[:0]):
        (wanted,) = run_reference(kernel.graph, [array])
        close(kernel(array), wanted, array, dtypes.float32)
    x[3, 5], x[4, 6], x[5, 7] = np.nan, np.inf, -np.inf
    x[6] = -np.inf
    (wanted,) = run_reference(kernel.graph, [x])
    got = kernel(x)
    assert ((got == wanted) | (got != got)).all() or name != "amax"
    assert (np.isnan(got) == np.isnan(wanted)).all()


def test_several_dims_and_empty_rows():
    two = "%d : int = prim::Constant[value=-1]()\n  %e : int = prim::Constant[value=-2]()"
    kernel = group(two, "%l : int[] = prim::ListConstruct(%d, %e)", NO, NONE, *REDUCTIONS["sum"])
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
    np.testing.assert_allclose(kernel(x), x.sum((1, 2)), rtol=1e-5)
    assert not kernel.fallbacks
    moved = np.ascontiguousarray(x.transpose(2, 1, 0)).transpose(2, 1, 0)
    np.testing.assert_allclose(kernel(moved), x.sum((1, 2)), rtol=1e-5)
    assert not kernel.fallbacks
    np.testing.assert_array_equal(kernel(x[:, :0]), np.zeros(3, "float32"))
    assert list(kernel.fallbacks) == ["a reduction of nothing"]


def test_pointwise_into_reduction_into_pointwise():
    kernel = group(
        LAST, DIMS, YES, NONE,
        "%one : int = prim::Constant[value=1]()",
        "%m : Tensor = aten::mean(%x, %l, %k, %n)",
        "%c : Tensor = aten::sub(%x, %m, %one)",
        "%q : Tensor = aten::mul(%c, %c)",
        "%v : Tensor = aten::mean(%q, %l, %k, %n)",
        "%e : float = prim::Constant[value=1e-05]()",
        "%w : Tensor = aten::add(%v, %e, %one)",
        "%r : Tensor = aten::rsqrt(%w)",
        "%s : Tensor = aten::mul(%c, %r)",
        "%t : Tensor = aten::mul(%s, %weight)",
        "%y : Tensor = aten::add(%t, %bias, %one)",
        inputs="%x : Tensor, %weight : Tensor, %bias : Tensor",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.normal(size=s).astype("float32") for s in ((33, 100), (100,), (100,)))
    (wanted,) = run_reference(kernel.graph, [x, weight, bias])
    np.testing.assert_allclose(kernel(x, weight, bias), wanted, rtol=2e-5, atol=2e-6)
    assert not kernel.fallbacks
    (stage,) = kernel.stages_for([x, weight, bias])
    assert max(stage.plan.phases) == 2


def test_rows_meet_rows():
    """Values of dropped dimensions combine with arrays that have only the outer ones."""
    kernel = group(
        LAST, DIMS, NO, NONE, "%m : Tensor = aten::sum(%x, %l, %k, %n)",
        "%one : int = prim::Constant[value=1]()",
        "%p : Tensor = aten::add(%m, %b, %one)", "%y : Tensor = aten::unsqueeze(%p, %d)",
        inputs="%x : Tensor, %b : Tensor",
    )  # fmt: skip
    x, b = np.ones((6, 20), "float32"), np.arange(6, dtype="float32")
    np.testing.assert_array_equal(kernel(x, b), (20 + b)[:, None])
    assert not kernel.fallbacks


def test_values_of_the_whole_array_beside_elements():
    kernel = group(NONE, "%s : Tensor = aten::sum(%x, %n)", "%y : Tensor = aten::div(%x, %s)")
    x = np.ones((6, 20), "float32")
    np.testing.assert_array_equal(kernel(x), x / 120)
    assert not kernel.fallbacks


def test_reductions_of_two_spaces_go_through_a_temporary():
    kernel = group(
        LAST, DIMS, YES, NONE, "%m : Tensor = aten::amax(%x, %l, %k)",
        "%one : int = prim::Constant[value=1]()",
        "%p : Tensor = aten::sub(%z, %m, %one)", "%y : Tensor = aten::sum(%p, %l, %k, %n)",
        inputs="%x : Tensor, %z : Tensor",
    )  # fmt: skip
    x, z = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
    wide = np.concatenate([z, z], 1)
    np.testing.assert_allclose(
        kernel(x, wide), (wide - x.max(1, keepdims=True)).sum(1, keepdims=True), rtol=1e-4
    )
    assert not kernel.fallbacks
    assert len(kernel.stages_for([x, wide])) == 2


LSTM = (
    "%one : int = prim::Constant[value=1]()", "%four : int = prim::Constant[value=4]()",
    "%s : Tensor = aten::add(%a, %h, %one)", "%g : Tensor = aten::add(%s, %b, %one)",
    "%parts : Tensor[] = aten::chunk(%g, %four, %one)",
    "%i : Tensor, %f : Tensor, %c : Tensor, %o : Tensor = prim::ListUnpack(%parts)",
    "%si : Tensor = aten::sigmoid(%i)", "%sf : Tensor = aten::sigmoid(%f)",
    "%tc : Tensor = aten::tanh(%c)",
    "%so : Tensor = aten::sigmoid(%o)", "%keep : Tensor = aten::mul(%sf, %cx)",
    "%new : Tensor = aten::mul(%si, %tc)",
    "%cy : Tensor = aten::add(%keep, %new, %one)", "%t : Tensor = aten::tanh(%cy)",
    "%hy : Tensor = aten::mul(%so, %t)",
)  # fmt: skip


def lstm():
    return group(
        *LSTM, inputs="%a : Tensor, %h : Tensor, %b : Tensor, %cx : Tensor", result="%hy, %cy"
    )


def lstm_arguments(batch=5, size=24):
    rng = np.random.default_rng(0)
    shapes = (batch, 4 * size), (batch, 4 * size), (4 * size,), (batch, size)
    return [rng.normal(size=s).astype("float32") for s in shapes]


def test_the_lstm_cell_is_one_kernel():
    kernel, arguments = lstm(), lstm_arguments()
    got, wanted = kernel(*arguments), run_reference(kernel.graph, arguments)
    assert all(map(same_bits, got, wanted))
    (stage,) = kernel.stages_for(arguments)
    assert len(stage.plan.inputs) == 13 and not kernel.fallbacks


def test_a_number_that_decides_where_a_slice_begins():
    kernel = group(
        "%z : int = prim::Constant[value=0]()", NONE, "%one : int = prim::Constant[value=1]()",
        "%p : Tensor = aten::slice(%x, %z, %start, %n, %one)",
        "%y : Tensor = aten::mul(%p, %scale)",
        inputs="%x : Tensor, %start : int, %scale : float",
    )  # fmt: skip
    x = np.arange(100, dtype="float32")
    for start in (0, 3, 99, 150):
        for scale in (2.0, 3.0):
            assert same_bits(kernel(x, start, scale), x[start:] * np.float32(scale))
    assert not kernel.fallbacks
    assert len(kernel._launches) == 4


VIEWS = {
    "unsqueeze": "%y : Tensor = aten::unsqueeze(%p, %d)",
    "select": "%y : Tensor = aten::select(%p, %d, %one)",
    "transpose": "%y : Tensor = aten::transpose(%p, %d, %zero)",
    "expand": "%y : Tensor = aten::expand(%p, %shape, %k)",
    "numpy_index": "%y : Tensor = jit::numpy_index(%p, %key, %one, %n, %two, %one)",
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_of_computed_values(name):
    lines = (
        LAST, NO, NONE, '%key : str = prim::Constant[value="(si)"]()',
        "%one : int = prim::Constant[value=1]()", "%zero : int = prim::Constant[value=0]()",
        "%two : int = prim::Constant[value=2]()",
        "%shape : int[] = prim::ListConstruct(%two, %d, %d)",
        "%p0 : Tensor = aten::add(%x, %b, %one)", "%p : Tensor = aten::exp(%p0)",
    )  # fmt: skip
    graph = group(
        *lines,
        VIEWS[name].replace("%y", "%v"),
        "%y : Tensor = aten::neg(%v)",
        inputs="%x : Tensor, %b : Tensor",
    )
    x, b = np.random.default_rng(0).normal(size=(6, 9)).astype("float32"), np.ones(9, "float32")
    (wanted,) = run_reference(graph.graph, [x, b])
    assert same_bits(graph(x, b), wanted) and not graph.fallbacks


def test_outputs_of_different_shapes_are_several_kernels():
    kernel = group(
        "%w : Tensor = aten::exp(%b)", "%y : Tensor = aten::mul(%x, %w)",
        inputs="%x : Tensor, %b : Tensor",
        result="%y, %w",
    )  # fmt: skip
    x, b = np.ones((4, 6), "float32"), np.arange(6, dtype="float32")
    assert all(map(same_bits, kernel(x, b), run_reference(kernel.graph, [x, b])))
    assert len(kernel.stages_for([x, b])) == 2 and not kernel.fallbacks


def test_slow_values_that_are_repeated_are_computed_once():
    kernel = group(
        "%one : int = prim::Constant[value=1]()", "%w : Tensor = aten::exp(%b)",
        "%v : Tensor = aten::mul(%w, %b)", "%z : Tensor = aten::mul(%x, %v)",
        "%y : Tensor = aten::add(%z, %v, %one)", inputs="%x : Tensor, %b : Tensor",
    )  # fmt: skip
    x, b = np.random.default_rng(0).normal(size=(50, 7)).astype("float32"), np.arange(7, dtype="f4")
    assert same_bits(kernel(x, b), run_reference(kernel.graph, [x, b])[0])
    small, big = kernel.stages_for([x, b])
    assert small.space == (7,) and not any("exp" in str(s) for s in big.plan.statements)
    assert len(kernel.stages_for([x[:3], b])) == 1
    column = b.reshape(7, 1)
    assert len(kernel.stages_for([np.ones((7, 90), "f4"), column])) == 1


def chain(count):
    lines, before = [], "%x"
    for n in range(count):
        name = ("sin", "neg", "exp", "tanh")[n % 4]
        lines.append(f"%v{n} : Tensor = aten::{name}({before})")
        before = f"%v{n}"
    return group(*lines, result=f"{before}, %v3")


def test_views_of_long_chains():
    long = chain(2500)
    text = str(long.graph).replace("return (", "%w : Tensor = aten::mul(%z, OUT)\n  return (")
    name = text[text.rindex("return (") + 8 :].partition(",")[0]
    text = text.replace("OUT", name).replace("(%x : Tensor", "(%x : Tensor, %z : Tensor", 1)
    kernel = FusedKernel(parse_graph(text.replace(f"return ({name}", "return (%w")))
    x, z = np.linspace(-1, 1, 30).astype("f4"), np.ones((5, 30), "f4")
    assert all(map(same_bits, kernel(x, z), run_reference(kernel.graph, [x, z])))
    assert not kernel.fallbacks


def test_big_groups_are_split():
    x = np.random.default_rng(0).normal(size=300).astype("float32")
    kernel = chain(90)
    wanted = run_reference(kernel.graph, [x])
    with config.override(max_kernel_ops=20):
        stages = kernel.stages_for([x])
        assert len(stages) >= 5
        assert all(len(stage.plan.statements) <= 25 for stage in stages)
        assert all(map(same_bits, kernel(x), wanted)) and not kernel.fallbacks


def test_outputs_keep_the_order_of_memory():
    kernel = group("%y : Tensor = aten::exp(%x)")
    x = np.asfortranarray(np.random.default_rng(0).normal(size=(30, 40)).astype("float32"))
    assert kernel(x).flags.f_contiguous
    (call,) = kernel.launch_for([x]).calls
    assert call.kernel.layout.rank == 1


def test_arguments_that_kernels_do_not_take():
    kernel = group("%y : Tensor = aten::exp(%x)")
    x = np.arange(5, dtype=">f4")
    np.testing.assert_allclose(kernel(x), np.exp(x.astype("f4")), rtol=1e-6)
    raw = np.zeros(21, "u1")[1:].view("f4")
    np.testing.assert_array_equal(kernel(raw), np.ones(5, "f4"))
    x = np.arange(5, dtype="c8")
    assert kernel(x).dtype == np.dtype("c8")
    assert len(kernel.fallbacks) == 2
    x = np.ones(5, "f4")
    x.flags.writeable = False
    kernel(x)
    with pytest.raises((RuntimeError, ValueError)):
        group("%y : Tensor = aten::maximum(%x, %b)", inputs="%x : Tensor, %b : Tensor")(
            x, np.ones(4, "f4")
        )


@pytest.mark.parametrize("size", [1, 9])
def test_pieces_that_are_not_as_many_as_their_names(size):
    three = "%a : Tensor, %b : Tensor, %c : Tensor = prim::ListUnpack(%l)"
    step, dim = "%s : int = prim::Constant[value=2]()", "%d : int = prim::Constant[value=0]()"
    pieces = "%l : Tensor[] = aten::split(%x, %s, %d)"
    kernel = group(step, dim, pieces, three, "%y : Tensor = aten::maximum(%a, %c)")
    with pytest.raises(ValueError, match="values to unpack \\(expected 3"):
        kernel(np.ones(size, "f4"))


def test_plans_print_and_compare_by_content():
    kernel = lstm()
    first, second = (kernel.stages_for(lstm_arguments(b))[0].plan for b in (5, 9))
    assert first == second and hash(first) == hash(second)
    assert str(first).splitlines()[:2] == ["plan over elements", "  v0 = load float32 in0"]


def test_layouts_of_all_sizes_are_one_class_and_classes_are_bounded():
    kernel = group("%e : Tensor = aten::exp(%x)", "%y : Tensor = aten::sin(%e)")
    for size in range(2, 30):
        kernel(np.ones((size, 3), np.float32))
    assert (len(kernel._classes), len(kernel._launches)) == (1, 28)
    with config.override(dynamic_classes=2):
        for dtype in (np.float64, np.float16):
            kernel(np.ones((2, 3), dtype))
    assert (len(kernel._classes), len(kernel._launches)) == (2, 2)
    x = np.ones((2, 3), np.float32)
    assert same_bits(kernel(x), run_reference(kernel.graph, [x])[0])


# Where results lie --------------------------------------------------------------------------------

GUARD = 64


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
@pytest.mark.parametrize("length", [1, 31, 1000, 1027])
def test_kernels_write_results_at_any_place(dtype, length):
    kernel = group("%y : Tensor = aten::neg(%x)")
    x = np.arange(1, length + 1).astype(dtype)
    (call,) = kernel.launch_for([x]).calls
    size = x.itemsize
    for place in range(0, 64 + size, size):
        memory = np.full(length * size + 64 + place + 2 * GUARD, 7, np.uint8)
        first = -memory.ctypes.data % 64 + place + GUARD
        written = memory[first : first + length * size].view(dtype)
        arrays = [x if each.kind == "argument" else written for each in call.places]
        pointers = (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
        call.kernel.function(0, call.count, pointers, call.sizes, call.strides, None, None)
        assert same_bits(written, -x)
        assert (memory[:first] == 7).all() and (memory[first + length * size :] == 7).all()


@jl.script
def scaled_by_a_product(x: Tensor, n: int) -> Tensor:
    y = x
    for _ in range(n):
        if (y**4).sum() <= 2.0 * y.dot(y):
            y = y * 0.5
    return y


def test_scalars_of_reference_kernels_are_tensors_of_kernels():
    """`dot` gives a NumPy scalar, which goes into the group of the comparison."""
    x = jl.tensor([0.5, 0.25])
    for _ in range(5):
        assert scaled_by_a_product(x, 3).tolist() == [0.0625, 0.03125]
    assert "not by a kernel" not in str(scaled_by_a_product.explain())
