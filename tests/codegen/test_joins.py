"""`cat` and `stack` in groups: parts are written where they belong."""

import numpy as np
import pytest
from differential import same_bits

import jitlang as jl
from jitlang import Tensor, config
from jitlang.codegen.fused import FusedKernel, run_reference
from jitlang.fuser.partition import FUSION_GROUP, SUBGRAPH, fuse_nodes
from jitlang.passes.manager import run_passes


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off"):
        yield


def halves(x: Tensor, y: Tensor):
    return jl.cat([x * 2.0, y.exp()], 0)


def last_dimension(x: Tensor, y: Tensor):
    return jl.cat([x + 1.0, y, x - y], -1)


def stacked(x: Tensor, y: Tensor):
    return jl.stack([x.sin(), y.cos(), x], 1)


def after_a_join(x: Tensor, y: Tensor):
    both = jl.cat([x.abs(), y], 1)
    return (both * 2.0 + both.relu()).sqrt()


def beside_whole_tensors(x: Tensor, y: Tensor):
    both = jl.cat([x * y, x], 0)
    return both * jl.cat([y, y * 0.5], 0) + both.amax()


def summed(x: Tensor, y: Tensor):
    return jl.cat([x * 2.0, y * 3.0], 1).sum(-1)


def highest(x: Tensor, y: Tensor):
    return jl.stack([x + y, x * y], 0).amax(0)


def joined_twice(x: Tensor, y: Tensor):
    inner = jl.cat([x * 0.5, y], 1)
    return jl.cat([inner, inner.tanh()], 0), inner


def rows_joined(x: Tensor, y: Tensor):
    return jl.stack([x.sum(1), y.mean(1) * 2.0], -1)


def promoted(x: Tensor, y: Tensor):
    return jl.cat([x > 0.5, y * 2.0], 0) + 1.0


PROGRAMS = [
    halves, last_dimension, stacked, after_a_join, beside_whole_tensors, summed, highest,
    joined_twice, rows_joined, promoted,
]  # fmt: skip


def kernel_of(function):
    graph = jl.script(function).graph.copy()
    run_passes(graph, ["optimize"])
    fuse_nodes(graph)
    (node,) = graph.find(FUSION_GROUP)
    names = [value.name for value in node.inputs]
    return FusedKernel(node.attributes[SUBGRAPH]), names


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_joins_equal_the_reference(function):
    kernel, names = kernel_of(function)
    rng = np.random.default_rng(0)
    for shape in ((5, 7), (1, 1), (40, 130), (3, 16)):
        for turn in (False, True):
            given = {n: rng.normal(size=shape[:: -1 if turn else 1]).astype("f4") for n in "xy"}
            given = {n: a.T if turn else a for n, a in given.items()}
            arguments = [given[name] for name in names]
            wanted = run_reference(kernel.graph, arguments)
            for call in (kernel, kernel.native, kernel.native):
                made = call(*arguments)
                for got, other in zip(made if len(wanted) > 1 else [made], wanted, strict=True):
                    if function in (summed, rows_joined):
                        np.testing.assert_allclose(got, other, rtol=1e-4, atol=1e-4)
                    else:
                        assert same_bits(got, other)


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_whole_functions(function):
    scripted = jl.script(function)
    x, y = jl.randn(6, 5), jl.randn(6, 5)
    scripted.compile(x, y)
    with config.override(exact=True):
        wanted = scripted(x, y)
    pairs = zip(*((v if isinstance(v, tuple) else (v,)) for v in (scripted(x, y), wanted)),
                strict=True)  # fmt: skip
    for got, other in pairs:
        np.testing.assert_allclose(got.numpy(), other.numpy(), rtol=1e-4, atol=1e-4)


def test_a_reference_is_not_asked():
    for function in PROGRAMS:
        kernel, names = kernel_of(function)
        kernel(*(np.ones((4, 4), "f4") for _ in names))
        assert not kernel.fallbacks


def test_parts_of_one_shape_are_one_kernel_without_temporaries():
    kernel, _ = kernel_of(stacked)
    x = np.ones((30, 40), "f4")
    launch = kernel.launch_for([x, x])
    assert len(launch.calls) == 1 and not launch.temporaries
    assert launch.results[0].shape == (30, 3, 40)


@pytest.mark.parametrize(
    ("x", "y"), [((3, 4), (3, 5)), ((2,), (0,)), ((3, 4), (4,))], ids=str
)
def test_what_does_not_join_is_the_reference_s(x, y):
    kernel, names = kernel_of(halves)
    given = {"x": np.ones(x, "f4"), "y": np.ones(y, "f4")}
    arguments = [given[name] for name in names]
    try:
        wanted = run_reference(kernel.graph, arguments)
    except Exception as error:
        with pytest.raises(type(error)):
            kernel(*arguments)
        return
    assert same_bits(kernel(*arguments), wanted[0])


def test_a_join_of_arrays_alone_is_no_group():
    graph = jl.script(plain).graph.copy()
    assert not fuse_nodes(graph)


def plain(x: Tensor, y: Tensor):
    return jl.cat([x, y], 0)
