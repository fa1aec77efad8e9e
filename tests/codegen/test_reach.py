"""Rows that read or write at computed places, as kernels: the reference's bits, layouts and errors,
and nothing read that is out of range.
"""

import numpy as np
import pytest
from differential import REAL, same_bits, samples
from test_varying import varying

import jitlang as jl
from jitlang import Tensor, config, dtypes
from jitlang.codegen.fused import FusedKernel
from jitlang.codegen.ptx import ptx
from jitlang.fuser.partition import FUSION_GROUP
from jitlang.fuser.plan import Unsupported
from jitlang.ir import types as ty
from jitlang.ir.graph import Graph, create_node
from jitlang.ir.opdef import OPS
from jitlang.ops.rows import kernel_of

RNG = np.random.default_rng(7)
KINDS = {bool: ty.BOOL, int: ty.INT, float: ty.FLOAT, str: ty.STR}
FAR = 2**40  # reading there would end the process


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off"):
        yield


def group(name, values):
    """A group of one row, and the arrays that it takes."""
    op, graph, arrays = OPS.find(name), Graph(), []

    def value_of(given):
        if isinstance(given, np.ndarray):
            arrays.append(given)
            return graph.add_input(ty.TENSOR, "")
        if isinstance(given, list):
            parts = [value_of(each) for each in given]
            kind = ty.ListType(ty.OptionalType(ty.TENSOR))
            made = create_node("prim::ListConstruct", parts, (kind,))
        else:
            kind = KINDS.get(type(given), ty.NONE)
            made = create_node("prim::Constant", (), (kind,), attributes={"value": given})
        return graph.block.append(made).output

    inputs = [value_of(given) for given in values]
    node = graph.block.append(create_node(op.full_name, inputs, (ty.TENSOR,), op=op))
    graph.add_output(node.output)
    return FusedKernel(graph), arrays


def outcome(run, *arguments):
    """A result, or the class and words of the exception."""
    try:
        return run(*arguments)
    except Exception as error:
        return type(error), str(error)


def check(name, *values):
    """The kernel and the reference kernel agree, and it is the kernel that answers or refuses."""
    kernel, arrays = group(name, values)
    with np.errstate(all="ignore"):
        wanted = outcome(kernel_of(OPS.find(name), np, True), *values)
    got = outcome(kernel, *arrays)
    assert not kernel.fallbacks, (name, kernel.fallbacks)
    if isinstance(wanted, tuple):
        assert got == wanted, (name, got, wanted)
        return
    assert same_bits(got, wanted), (name, got, wanted)
    lengths = zip(wanted.shape, got.strides, wanted.strides, strict=True)
    assert all(size < 2 or mine == theirs for size, mine, theirs in lengths), name


def layouts(array):
    """The same elements in other places of memory."""
    yield array
    yield np.asfortranarray(array)
    spaced = np.zeros([2 * n for n in array.shape], array.dtype)
    view = spaced[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    yield view
    yield np.ascontiguousarray(array[::-1])[::-1]


def table(dtype, *shape):
    return np.resize(samples(dtype, 3), shape)


def places(size, *shape, low=0):
    return RNG.integers(low, size, shape)


READS = {
    "aten::gather": lambda x: (x, 1, places(x.shape[1], 3, 21), False),
    "aten::index_select": lambda x: (x, 1, places(x.shape[1], 23)),
    "aten::embedding": lambda x: (x, places(x.shape[0], 2, 3), -1, False, False),
    "aten::index.Tensor": lambda x: (x, [places(5, 3, 1, low=-5), places(19, 4, low=-19)]),
    "aten::take": lambda x: (x, places(x.size, 2, 20, low=-x.size)),
    "aten::take_along_dim": lambda x: (x, places(x.shape[0], 7, 1, low=-x.shape[0]), 0),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("dtype", REAL, ids=lambda d: d.name)
def test_reads_of_every_dtype(name, dtype):
    check(name, *READS[name](table(dtype, 5, 19)))


@pytest.mark.parametrize("name", READS)
def test_reads_of_every_layout(name):
    for x in layouts(RNG.normal(size=(5, 19)).astype("float32")):
        values = READS[name](x)
        check(name, *values)
        (at,) = (n for n, v in enumerate(values) if n and isinstance(v, np.ndarray | list))
        index = values[at]
        first, *others = index if isinstance(index, list) else [index]
        for strided in layouts(first):
            given = [strided, *others] if isinstance(index, list) else strided
            check(name, *values[:at], given, *values[at + 1 :])


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "uint8"])
def test_indices_of_every_integer_type(kind):
    x = RNG.normal(size=(5, 19)).astype("float32")
    check("aten::gather", x, 0, places(5, 5, 19).astype(kind), False)
    check("aten::index_select", x, 0, places(5, 40).astype(kind))


SHAPES = [
    ("aten::gather", (np.array(3.0), 0, np.zeros((), int), False)),
    ("aten::gather", (np.arange(4.0), 0, np.array(2), False)),
    ("aten::gather", (np.arange(24.0).reshape(2, 3, 4), -1, places(4, 1, 2, 7), False)),
    ("aten::gather", (np.arange(6.0).reshape(2, 3), 0, np.zeros((0, 3), int), False)),
    ("aten::index_select", (np.arange(4.0), 0, np.array(2))),
    ("aten::index_select", (np.array(4.0), 0, np.array([0]))),
    ("aten::index_select", (np.arange(24.0).reshape(2, 3, 4), -2, np.array([2, 2, 0, 1]))),
    ("aten::index_select", (np.arange(6.0).reshape(2, 3), 0, np.zeros(0, int))),
    ("aten::embedding", (np.arange(6.0).reshape(2, 3), np.array(1), -1, False, False)),
    ("aten::index.Tensor", (np.arange(24.0).reshape(2, 3, 4), [None, np.array([2, -3])])),
    ("aten::index.Tensor", (np.arange(24.0).reshape(2, 3, 4), [np.array(1), None, np.array(-1)])),
    (
        "aten::index.Tensor",
        (np.arange(24.0).reshape(2, 3, 4), [np.array([1, 0]), None, np.array([[3], [0], [1]])]),
    ),
    ("aten::index.Tensor", (np.arange(24.0).reshape(2, 3, 4), [np.zeros((2, 0), int)])),
    ("aten::take", (np.array(5.0), np.array([-1, 0]))),
    ("aten::take", (np.arange(4.0), np.array(3))),
    ("aten::take", (np.arange(24.0).reshape(2, 3, 4), np.array([[23, -24], [12, -1]]))),
    ("aten::take_along_dim", (np.arange(8.0), np.array([3, -8]), None)),
    ("aten::take_along_dim", (np.arange(24.0).reshape(2, 3, 4), places(4, 2, 1, 9), -1)),
]


@pytest.mark.parametrize(("name", "values"), SHAPES)
def test_ranks_and_empty_indices(name, values):
    check(name, *values)


@pytest.mark.parametrize("wrong", [-1, 5, FAR, -FAR])
@pytest.mark.parametrize("name", ["aten::gather", "aten::index_select", "aten::embedding"])
def test_what_counts_from_the_front_only(name, wrong):
    x, index = np.ones((5, 40)), places(5, 33)
    index[-1] = wrong
    if name == "aten::gather":
        check(name, x, 0, np.stack([index[::-1], index]), False)
    else:
        check(name, x, *((0, index) if name == "aten::index_select" else (index, -1, False, False)))


@pytest.mark.parametrize("wrong", [-6, 5, FAR, -FAR])
def test_what_counts_from_both_ends(wrong):
    x, index = np.ones((5, 40)), places(5, 33, low=-5)
    index[20] = wrong
    check("aten::index.Tensor", x, [index])
    check("aten::index.Tensor", x, [index, places(40, 33)])
    check("aten::index.Tensor", x.T, [None, index])
    check("aten::take", x[:, 0], index)
    check("aten::take_along_dim", x, index[:, None], 0)


@pytest.mark.parametrize("wrong", [-201, 200, FAR, -FAR])
def test_what_counts_through_all_dimensions(wrong):
    index = places(200, 33)
    index[20] = wrong
    check("aten::take", np.ones((5, 40)), index)


def test_what_a_kernel_refuses_is_not_remembered_and_goes_on_to_run():
    kernel, (x, index) = group("aten::index.Tensor", (np.arange(9.0), [np.array([1, -2])]))
    call = kernel.native
    for _ in range(40):
        assert outcome(call, x, np.array([1, 9]))[0] is IndexError
        assert call(x, index).tolist() == [1, 7]


# Rows that write ----------------------------------------------------------------------------------


WRITES = {
    "aten::scatter.src": lambda x: (x, 0, places(7, 6, 19), np.flip(x, 1)),
    "aten::scatter_add": lambda x: (x, 1, places(19, 7, 19), np.flip(x, 0)),
    "aten::scatter.reduce": lambda x: (x, 1, places(19, 7, 11), np.flip(x, 0), "multiply"),
    "aten::scatter.value": lambda x: (x, 0, places(7, 2, 5), 1),
    "aten::scatter.value_reduce": lambda x: (x, 0, places(7, 2, 5), 1, "add"),
    "aten::index_add": lambda x: (x, 0, places(7, 4), np.flip(x, 0)[:4], 1),
    "aten::index_copy": lambda x: (x, 1, places(19, 30), np.hstack([x, x])[:, :30]),
    "aten::index_fill.int_Scalar": lambda x: (x, 0, places(7, 3, low=-7), 1),
    "aten::index_fill.int_Tensor": lambda x: (x, 1, places(19, 3), x[3, 3].reshape(())),
    "aten::index_put": lambda x: (x, [places(7, 40, low=-7)], x[0], False),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("dtype", REAL, ids=lambda d: d.name)
def test_writes_of_every_dtype(name, dtype):
    x = table(dtype, 7, 19)
    if name == "aten::scatter.value_reduce" and dtype is dtypes.bool_:
        return  # NumPy adds a bool to it
    check(name, *WRITES[name](x))


@pytest.mark.parametrize("name", WRITES)
def test_writes_of_every_layout(name):
    for x in layouts(RNG.normal(size=(7, 19)).astype("float32")):
        values = WRITES[name](x)
        check(name, *values)
        at = next(n for n, v in enumerate(values) if n and isinstance(v, np.ndarray | list))
        index = values[at][0] if isinstance(values[at], list) else values[at]
        for strided in layouts(index):
            given = [strided] if isinstance(values[at], list) else strided
            check(name, *values[:at], given, *values[at + 1 :])


def test_the_last_of_several_values_stays_and_sums_go_in_order():
    index = np.zeros(50, int)
    values = RNG.normal(size=50).astype("float32") * 10.0 ** RNG.integers(-6, 6, 50)
    check("aten::index_put", np.zeros(3), [index], values, False)
    check("aten::index_put", np.zeros(3, "float32"), [index], values.astype("float32"), True)
    check("aten::scatter_add", np.zeros(3), 0, index[::-1], values)
    check("aten::index_add", np.zeros((3, 40)), 0, index, np.outer(values, np.ones(40)), 3)
    rows, columns = places(2, 9, 1), places(3, 1, 8)
    check("aten::index_put", np.zeros((2, 3)), [rows, columns], RNG.normal(size=(9, 8)), True)
    check("aten::index_put", np.zeros((2, 3)), [rows, columns], RNG.normal(size=(9, 8)).T.T, False)
    check("aten::index_put", np.zeros((2, 3)), [rows], np.arange(3), False)
    check("aten::index_put", np.ones(6), [places(6, 4, 6, low=-6)], np.arange(6.0), True)


@pytest.mark.parametrize("wrong", [-1, 7, FAR, -FAR])
def test_writes_out_of_range(wrong):
    x, index = np.ones((7, 40)), places(7, 33)
    index[11] = wrong
    check("aten::index_add", x, 0, index, np.ones((33, 40)), 1)
    check("aten::index_copy", x.T, 1, index, np.ones((40, 33)))
    check("aten::scatter.value", x, 0, np.stack([index] * 2), 4)
    check("aten::index_fill.int_Scalar", x, 0, np.where(index == -1, -8, index), 0)
    check("aten::index_put", x, [np.where(index == -1, -8, index)], np.ones(()), False)


def test_masks_that_give_each_place_the_same():
    x = RNG.normal(size=(7, 19)).astype("float32")
    for mask in (x > 0, np.asfortranarray(x > 0), (x[:, 0] > 0).astype("uint8")):
        for value in (np.array(0.5), np.array(3)):
            check("aten::index_put", x, [mask], value, False)
            check("aten::index_put", x, [mask], value, True)
    check("aten::index_put", x, [x[:, 0] > 0], x[0], False)
    check("aten::index_put", np.array(2.0), [np.array(True)], np.array(1.0), False)


EMPTY = np.zeros(0, int)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("aten::scatter.src", (np.ones(4), 0, EMPTY, np.ones(2))),
        ("aten::scatter.src", (np.ones(()), 0, np.array(0), np.array(5.0))),
        ("aten::scatter_add", (np.ones(4), 0, np.array(2), np.array(5.0))),
        ("aten::index_add", (np.ones((4, 3)), 0, EMPTY, np.ones((0, 3)), 1)),
        ("aten::index_fill.int_Scalar", (np.ones(()), 0, np.array(0), 3)),
        ("aten::index_put", (np.ones((4, 3)), [EMPTY], np.ones(()), False)),
        ("aten::index_put", (np.ones((4, 3)), [np.array(1), np.array(-1)], np.array(8), True)),
    ],
)
def test_writes_without_dimensions_or_indices(name, values):
    check(name, *values)


def test_reads_are_ptx_and_writes_in_order_are_not():
    x, index = np.ones((5, 7), "float32"), places(5, 3)
    kernel, arrays = group("aten::index.Tensor", (x, [index]))
    (stage,) = kernel.stages_for(arrays)
    assert ".entry kernel" in ptx(stage.plan, 2)
    kernel, arrays = group("aten::index_add", (x, 0, index, x[:3], 1))
    copy, added = kernel.stages_for(arrays)
    assert ".entry kernel" in ptx(copy.plan, 2)
    with pytest.raises(Unsupported):
        ptx(added.plan, 2)
    assert str(added.plan).endswith("out0 at v1 sum v0")


def test_an_index_out_of_range_on_any_thread():
    x, index = np.ones((300, 400), "float32"), places(300, 4000)
    kernel, _ = group("aten::index_select", (x, 0, index))
    for wrong in (0, 1999, 3999):
        bad = index.copy()
        bad[wrong] = 300
        assert kernel(x, index).shape == (4000, 400)
        assert outcome(kernel, x, bad) == (IndexError, "index out of range in self")


# In whole functions -------------------------------------------------------------------------------


def embedded(words: Tensor, places: Tensor, at: Tensor):
    return jl.embedding(words, at) * 2.0 + places[jl.arange(at.size(-1))]


def bag(words: Tensor, places: Tensor, at: Tensor):
    return jl.embedding(words, at).sum(-2), (words.tanh())[at].amax()


def by_computed_places(words: Tensor, places: Tensor, at: Tensor):
    return words[(at + 1) // 2 - 3].transpose(0, 1).exp() + 1.0, words[..., at[0]] * 2.0


def chosen(words: Tensor, places: Tensor, at: Tensor):
    scores = (words @ places.t()).log_softmax(-1)
    best = at.flatten()[:6].unsqueeze(1)
    return -scores.gather(1, best).squeeze(1).mean()


def spread(words: Tensor, places: Tensor, at: Tensor):
    sums = jl.zeros(6, 18)
    sums.index_add_(0, at[:, 0], (words * 2.0)[:4].tanh())
    counts = jl.zeros(6)
    counts[at[:, 1]] += 1.0
    counts[counts > 2.0] = -1.0
    return sums / (counts.unsqueeze(1) + 1.5), sums


def one_after_the_other(words: Tensor, places: Tensor, at: Tensor):
    first = words.scatter(0, at, places[:4, :3] + 1.0)
    second = first.index_fill(1, at[0], -1.0).scatter_add(0, at, places)
    return first.sum(), jl.cat([second, first * 2.0], 0), words + second


FUNCTIONS = [embedded, bag, by_computed_places, chosen, spread, one_after_the_other]


def arguments():
    words, places_ = RNG.normal(size=(6, 18)), RNG.normal(size=(6, 18))
    at = places(6, 4, 3)
    return [jl.tensor(words.astype("f4")), jl.tensor(places_.astype("f4")), jl.tensor(at)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_fused_functions(function):
    script, given = jl.script(function), arguments()
    script.compile(*given)
    got = script(*given)
    assert script.explain().versions[0].callbacks == []
    with config.override(exact=True):
        wanted = script(*given)
    for mine, theirs in zip(*map(leaves, (got, wanted)), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
        assert mine.numpy().strides == theirs.numpy().strides


def numpy_rows(x: np.ndarray, i: np.ndarray, j: np.ndarray):
    return x[i] * 2.0 + x[i].sum(-1, keepdims=True)


def numpy_columns(x: np.ndarray, i: np.ndarray, j: np.ndarray):
    return x[:, i], x[1:, j] + 1.0, x[..., i]


def numpy_pairs(x: np.ndarray, i: np.ndarray, j: np.ndarray):
    return x[i[:3], j[:, 0]], np.exp(x[i[0:1], None, j])


@pytest.mark.parametrize("function", [numpy_rows, numpy_columns, numpy_pairs])
def test_arrays_of_numpy(function):
    given = RNG.normal(size=(6, 7)).astype("float32"), places(6, 5, low=-6), places(6, 3, 2)
    script = jl.script(function)
    script.compile(*given)
    assert script.explain().versions[0].callbacks == []
    for got, wanted in zip(leaves(script(*given)), leaves(function(*given)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
        assert (got.dtype, got.shape, got.strides) == (wanted.dtype, wanted.shape, wanted.strides)
    wrong = (given[0], given[1] + 20, given[2])
    assert outcome(script, *wrong) == outcome(function, *wrong)


def leaves(value):
    return list(value) if isinstance(value, tuple) else [value]


def test_the_error_names_the_line():
    def two_lines(x: Tensor, i: Tensor):
        y = x[i] * 2.0
        return y + 1.0

    script, x = jl.script(two_lines), jl.zeros(3)
    script.compile(x, jl.tensor([0, 1]))
    for exact in (False, True):
        with config.override(exact=exact), pytest.raises(IndexError) as caught:
            script(x, jl.tensor([0, 3]))
        assert str(caught.value) == "index 3 is out of bounds for dimension 0 with size 3"
        assert "y = x[i] * 2.0" in caught.value.__notes__[0].splitlines()[-2]
    assert len(list(script.graph_for(x, jl.tensor([0, 1])).find(FUSION_GROUP))) == 1


def test_indices_that_nobody_needs_are_checked():
    def first(x: Tensor, i: Tensor):
        return (x[i] * 2.0)[0] + 1.0

    script, x = jl.script(first), jl.ones(3, 2)
    script.compile(x, jl.tensor([0, 1]))
    assert script(x, jl.tensor([2, 0])).tolist() == [3, 3]
    with pytest.raises(IndexError):
        script(x, jl.tensor([2, 3]))


def refused(x: Tensor, i: Tensor, y: Tensor):
    return x[i] * 2.0, (y * 2.0).exp()


def test_what_kernels_refuse_is_called():
    script, given = jl.script(refused), (jl.zeros(0, 3), jl.tensor(EMPTY), jl.ones(2))
    script.compile(*given)
    assert [each.kind for each in script.explain().versions[0].callbacks] == ["aten::index"]
    assert script(*given)[0].shape == (0, 3)


def test_sizes_that_vary():
    def looked_up(words: Tensor, at: Tensor):
        return jl.embedding(words, at) * 2.0 + words[0]

    words, lengths = jl.tensor(RNG.normal(size=(9, 6)).astype("f4")), (3, 8, 5, 300)
    calls = [(words, jl.tensor(places(9, length))) for length in lengths]
    version, reference = varying(looked_up, *calls[:2])
    for _, at in calls:
        assert same_bits(version.function(words, at).numpy(), reference(words, at).numpy())
        with pytest.raises(IndexError, match="index out of range in self"):
            version.function(words, at + 9)
