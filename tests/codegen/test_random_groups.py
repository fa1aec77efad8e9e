"""Random groups on random dtypes, shapes and layouts equal the reference, bit for bit."""

import numpy as np
import pytest
from differential import same_bits, samples

from jitlang import arrays, config, dtypes, ops
from jitlang.codegen.fused import FusedKernel, run_reference
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph

assert ops
DTYPES = [d for d in dtypes.ALL if not d.is_complex]
UNARY = (
    "neg abs exp tanh sigmoid sin sqrt relu floor sign square log1p isnan log expm1 cos".split()
)
BINARY = ["add", "sub", "mul", "div", "maximum", "lt", "eq", "remainder", "logical_or", "fmod"]
SHAPES = [(6, 35), (35,), (6, 1), (1, 35), (), (1, 1)]


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off", max_kernel_ops=12):
        yield


def array(rng, dtype):
    shape = SHAPES[rng.integers(len(SHAPES)) if rng.random() < 0.6 else 0]
    made = np.resize(rng.permutation(samples(dtype, int(rng.integers(100)), 60)), shape)
    if len(shape) == 2 and rng.random() < 0.3:
        made = np.asfortranarray(made)
    if len(shape) == 2 and rng.random() < 0.2:
        made = np.concatenate([made, made], 1)[:, :: 2 if shape[1] > 1 else 1][:, : shape[1]]
    return made[::-1] if shape and rng.random() < 0.2 else made


def random_group(rng):
    graph = Graph()
    builder = Builder(graph)
    values, arguments = [], []
    for _ in range(rng.integers(1, 5)):
        dtype = DTYPES[rng.integers(len(DTYPES))] if rng.random() < 0.5 else dtypes.float32
        arguments.append(array(rng, dtype))
        values.append(graph.add_input(ty.TENSOR))
    number = graph.add_input(ty.FLOAT)
    arguments.append(float(rng.choice([0.5, -2.0, 0.0, np.inf])))
    computed = []
    for _ in range(rng.integers(2, 20)):
        pick = [values[rng.integers(max(0, len(values) - 6), len(values))] for _ in range(2)]
        kind = rng.random()
        if kind < 0.4:
            made = builder.op(f"aten::{UNARY[rng.integers(len(UNARY))]}", pick[0])
        elif kind < 0.85:
            made = builder.op(f"aten::{BINARY[rng.integers(len(BINARY))]}", *pick)
        elif kind < 0.95:
            made = builder.op("aten::mul", pick[0], number)
        else:
            made = builder.op("aten::where", builder.op("aten::gt", *pick), *pick)
        values.append(made)
        computed.append(made)
    for value in computed[-1:] + [v for v in computed[:-1] if rng.random() < 0.15]:
        graph.add_output(value)
    return graph, arguments


def random_places(rng):
    """A group of rows on values of one shape, some of which read or write at computed places."""
    graph = Graph()
    builder = Builder(graph)
    dtype = DTYPES[rng.integers(len(DTYPES))]
    given = [np.resize(samples(dtype, seed, 60), (6, 35)) for seed in (1, 2)]
    given = [np.asfortranarray(each) if rng.random() < 0.4 else each for each in given]
    index = rng.integers(0, 6, (6, 35))
    index[5, 34] = 6 if rng.random() < 0.2 else 0
    arguments = [*given, index, index[:, 0].copy()]
    *values, each, row = [graph.add_input(ty.TENSOR) for _ in arguments]
    for _ in range(rng.integers(2, 9)):
        x, y = (values[rng.integers(len(values))] for _ in range(2))
        ways = [
            lambda x, y: builder.op("aten::gather", x, builder.constant(0), each),
            lambda x, y: builder.op("aten::index_select", x, builder.constant(0), row),
            lambda x, y: builder.op("aten::take", x, each),
            lambda x, y: builder.op("aten::scatter_add", x, builder.constant(0), each, x),
            lambda x, y: builder.op("aten::index_copy", x, builder.constant(0), row, x),
            lambda x, y: builder.op("aten::maximum", x, y),
            lambda x, y: builder.op("aten::mul", x, y),
            lambda x, y: builder.op("aten::abs", x),
        ]
        values.append(ways[rng.integers(len(ways))](x, y))
    for value in [value for value in values[2:] if not value.uses]:
        graph.add_output(value)
    return graph, arguments


def reference(graph, arguments):
    token = arrays.ignore_float_errors()
    try:
        return run_reference(graph, arguments)
    except (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError) as error:
        return error
    finally:
        arrays.restore_float_errors(token)


@pytest.mark.parametrize("seed", range(60))
def test_random_group(seed):
    agree(*random_group(np.random.default_rng(seed)))


@pytest.mark.parametrize("seed", range(25))
def test_random_places(seed):
    agree(*random_places(np.random.default_rng(seed)))


def agree(graph, arguments):
    """The kernels of a group give what the reference kernels give."""
    wanted = reference(graph, arguments)
    kernel = FusedKernel(graph)
    if isinstance(wanted, Exception):
        with pytest.raises(type(wanted)):
            kernel(*arguments)
        return
    for call in (kernel, kernel.native, kernel.native):
        got = call(*arguments)
        got = got if isinstance(got, tuple) else (got,)
        assert all(map(same_bits, got, wanted)), f"{graph}"
