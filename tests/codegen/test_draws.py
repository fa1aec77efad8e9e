"""Random numbers in kernels are those of the eager rows, and leave the generator as those do: in
the form for all layouts (`test_static_draws.py` has the static versions).
"""

import numpy as np
import pytest
from differential import same_bits

import jitlang as jl
from jitlang import Tensor, config, dtypes
from jitlang.codegen.fused import FusedKernel
from jitlang.fuser.partition import FUSION_GROUP
from jitlang.ops.algebra import NumpyAlgebra
from jitlang.ops.generator import Generator, default_generator, random_bits


@pytest.fixture(autouse=True, scope="module")
def general_form():
    with config.override(cache_dir="off", static_versions=0):
        yield


def dropped(x: Tensor, b: Tensor):
    return jl.dropout((x + b).relu(), 0.3, True) * 2.0


def two_draws(x: Tensor, b: Tensor):
    first = jl.dropout(x * b, 0.5, True)
    return first + jl.dropout(x - b, 0.25, True), first.sum(-1)


def noisy(x: Tensor, b: Tensor):
    return x + jl.randn_like(x) * 0.1 + jl.rand_like(b)


def coins(x: Tensor, b: Tensor):
    return (x * 1.5).bernoulli(0.4) * b


def rows_of_noise(x: Tensor, b: Tensor):
    return (x + jl.rand_like(x)).softmax(-1).transpose(0, 1)


def between_effects(x: Tensor, b: Tensor):
    before = jl.rand([1])
    y = jl.dropout(x * 2.0, 0.5, True)
    return y + b, before, jl.rand([1])


def assert_fused(scripted):
    kernels = [kernel for kernel in scripted.kernels if isinstance(kernel, FusedKernel)]
    assert scripted.kernels and not any(kernel.fallbacks for kernel in kernels)


PROGRAMS = [dropped, two_draws, noisy, coins, rows_of_noise, between_effects]
SHAPES = [((7, 33), (33,)), ((130,), (130,)), ((1, 1), (1,)), ((6, 5, 4), (5, 1)), ((0, 3), (3,))]


def run(function, arguments, seed, exact):
    jl.manual_seed(seed)
    with config.override(exact=exact):
        made = function(*arguments)
    parts = made if isinstance(made, tuple) else (made,)
    return [part.numpy() for part in parts], default_generator.get_state()


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_fused_draws_are_the_eager_ones(function, dtype):
    rng = np.random.default_rng(0)
    scripted = jl.script(function)
    for shapes in SHAPES:
        if function is rows_of_noise and (len(shapes[0]) < 2 or 0 in shapes[0]):
            continue
        arrays = [jl.from_numpy(rng.normal(size=s).astype(dtype)) for s in shapes]
        scripted.compile(*arrays)
        assert scripted.graph_for(*arrays).find(FUSION_GROUP)
        for seed in (0, 2**63 + 5):
            wanted, state = run(scripted, arrays, seed, True)
            got, after = run(scripted, arrays, seed, False)
            assert after == state
            for one, other in zip(got, wanted, strict=True):
                if function in (two_draws, rows_of_noise) and one.dtype != np.float16:
                    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
                elif function not in (two_draws, rows_of_noise):
                    assert same_bits(one, other)
    assert_fused(scripted)


def test_layouts_and_threads_do_not_change_the_numbers():
    scripted = jl.script(dropped)
    x = np.random.default_rng(0).normal(size=(700, 900)).astype("float32")
    b = np.zeros(900, "float32")
    for array in (x, np.asfortranarray(x), x[::2], x.reshape(900, 700).T):
        given = (jl.from_numpy(array), jl.from_numpy(b))
        wanted, _ = run(scripted, given, 3, True)
        scripted.compile(*given)
        for threads in (1, 3):
            with config.override(num_threads=threads):
                got, _ = run(scripted, given, 3, False)
            assert same_bits(got[0], wanted[0])
    assert_fused(scripted)


def test_tensors_that_do_not_broadcast_advance_nothing():
    scripted = jl.script(dropped)
    good, bad = jl.zeros(4, 3), jl.zeros(5)
    scripted.compile(good, jl.zeros(3))
    jl.manual_seed(1)
    with pytest.raises(RuntimeError):
        scripted(good, bad)
    assert default_generator.get_state() == (1, 0)


def normal_noise(x: Tensor):
    return x + jl.randn_like(x) * 2


def test_integers_are_refused_and_complex_numbers_are_pairs():
    scripted = jl.script(normal_noise)
    for dtype in ("int64", "complex64", "float32"):
        x = jl.from_numpy(np.ones(5, dtype))
        scripted.compile(x)
        outcomes = []
        for exact in (True, False):
            try:
                outcomes.append(run(scripted, (x,), 4, exact))
            except NotImplementedError:
                outcomes.append(([np.zeros(0)], default_generator.get_state()))
        (one, after), (other, state) = outcomes
        assert after == state
        np.testing.assert_allclose(one[0], other[0], rtol=1e-5)
    assert len(scripted.graph_for(x).find(FUSION_GROUP)) == 1


def test_bits_are_those_of_the_generator():

    for seed, offset in ((0, 0), (2**63 + 11, 5), (77, 2**64 - 2), (1, 2**32 - 1)):
        generator = Generator().set_state((seed, offset))
        signed = [n - 2**64 if n >= 2**63 else n for n in (seed, offset)]
        position = np.arange(23, dtype="int64")
        with np.errstate(over="ignore"):
            state = [np.int64(n) for n in signed]
            got = random_bits(NumpyAlgebra(np, dtypes.int64), position, *state)
        np.testing.assert_array_equal(got, generator.words(23) >> 8)
