"""The first five rows, read three ways: NumPy (exact mode), a graph of rows, and LLVM scalar
kernels.

All three give the same bits, in every dtype, special values included. NaNs count as equal.
"""

from __future__ import annotations

import numpy as np
import pytest
from llvm_reading import llvm_kernel, llvm_matmul

from jitlang import dtypes, ops
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph
from jitlang.ir.opdef import OPS
from jitlang.ops.algebra import GraphAlgebra
from jitlang.ops.rows import kernel_of
from jitlang.ops.traits import Role, execution_dtype, roles_of

REAL = [d for d in dtypes.ALL if not d.is_complex]
FLOATING = [d for d in REAL if d.is_floating_point]
NUMBERS = [d for d in REAL if d is not dtypes.bool_]
CALLS = [
    *(("aten::add.Tensor", d, (2,)) for d in NUMBERS),
    *(("aten::add.Tensor", d, (1,)) for d in NUMBERS),
    ("aten::add.Tensor", dtypes.bool_, (True,)),
    *(("aten::add.Scalar", d, (3, 1)) for d in NUMBERS),
    *(("aten::add.Scalar", d, (0.1, -1.7)) for d in FLOATING),
    *(("aten::mul.Tensor", d, ()) for d in REAL),
    *(("aten::mul.Scalar", d, (-5,)) for d in NUMBERS if d.is_signed),
    *(("aten::mul.Scalar", d, (0.3,)) for d in FLOATING),
    *(("aten::exp", d, ()) for d in FLOATING),
    *(("aten::sigmoid", d, ()) for d in FLOATING),
]
# What the workloads need beyond the five, on the same three readings.
MORE = [
    *((f"aten::{name}", d, ()) for d in FLOATING for name in (
        "tanh", "log", "log1p", "expm1", "sin", "cos", "erf", "sqrt", "rsqrt", "reciprocal",
        "neg", "abs",
        "relu", "silu", "floor", "round",
    )),
    *((f"aten::{n}.Tensor", d, ()) for d in FLOATING for n in ("div", "lt", "eq", "remainder")),
    *((f"aten::{name}.Tensor", d, (1,)) for d in NUMBERS for name in ("sub", "rsub")),
    *(("aten::maximum", d, ()) for d in REAL),
    *(("aten::pow.Tensor_Tensor", d, ()) for d in (dtypes.float32, dtypes.float64)),
]  # fmt: skip


def samples(dtype, seed=0, count=2000):
    """Bit patterns at random, ordinary numbers, and the special ones."""
    rng = np.random.default_rng(seed)
    if dtype is dtypes.bool_:
        return rng.random(count) < 0.5
    unsigned = f"u{dtype.itemsize}"
    patterns = rng.integers(0, 2 ** (8 * dtype.itemsize), count, dtype=unsigned).view(dtype.numpy)
    if not dtype.is_floating_point:
        return patterns
    ordinary = rng.normal(0, 4, count).astype(dtype.numpy)
    info = np.finfo(np.float16 if dtype is dtypes.float16 else np.float32)
    special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        np.inf,
        -np.inf,
        np.nan,
        info.max,
        -info.max,
        info.tiny,
        1e-40,
        88.8,
        -104.0,
    ]
    pairs = np.array([(x, y) for x in special for y in special])
    chosen = pairs[:, seed % 2].astype(dtype.numpy)
    return np.concatenate([patterns, ordinary, chosen])


def same_bits(got, wanted):
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    if wanted.dtype.kind in "biu":
        return bool((got == wanted).all())
    unsigned = f"u{wanted.itemsize}"
    with np.errstate(invalid="ignore"):
        both_nan = (got != got) & (wanted != wanted)
    return bool((both_nan | (got.view(unsigned) == wanted.view(unsigned))).all())


def operands_of(op, dtype, numbers):
    """Arrays for the tensor arguments, the given numbers for the scalar ones."""
    tensors = iter(samples(dtype, seed) for seed in range(10))
    rest = iter(numbers)
    return [next(tensors) if role is Role.TENSOR else next(rest) for role in roles_of(op)]


def exact(op, operands):
    with np.errstate(all="ignore"):
        return kernel_of(op, np, True)(*operands)


def graph_of(op, dtype, numbers):
    """The body as a graph; half types are cast to float32 and back, as the row does."""
    graph = Graph()
    builder = Builder(graph)
    algebra = GraphAlgebra(builder)
    rest = iter(numbers)
    operands = []
    widens = execution_dtype(dtype) is not dtype
    for argument, role in zip(op.schema.arguments, roles_of(op), strict=True):
        if role is Role.TENSOR:
            value = graph.add_input(ty.TensorType(dtype), argument.name)
            if widens:
                value = builder.op("aten::to", value, builder.constant(dtypes.float32))
        else:
            value = builder.constant(next(rest))
        operands.append(algebra.expression(value))
    result = op.body(algebra, *operands).value
    if widens:
        result = builder.op("aten::to", result, builder.constant(dtype))
    graph.add_output(result)
    return graph


def run(graph, arrays):
    """The smallest evaluator of straight-line graphs."""
    values = dict(zip(graph.inputs, arrays, strict=True))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            inputs = [values[v] for v in node.inputs]
            values[node.output] = (
                node.output.constant() if node.op is None else kernel_of(node.op, np, True)(*inputs)
            )
    return values[graph.outputs[0]]


def result_dtype(op, dtype):
    return dtypes.bool_ if op.result.name == "BOOL" else dtype


def label(value):
    return getattr(value, "name", str(value))


@pytest.mark.parametrize(("name", "dtype", "numbers"), CALLS + MORE, ids=label)
def test_llvm_reading(name, dtype, numbers):
    op = OPS.find(name)
    operands = operands_of(op, dtype, numbers)
    got = llvm_kernel(op, dtype, result_dtype(op, dtype))(*operands)
    assert same_bits(got, exact(op, operands))


@pytest.mark.parametrize(("name", "dtype", "numbers"), CALLS, ids=label)
def test_graph_reading(name, dtype, numbers):
    op = OPS.find(name)
    operands = operands_of(op, dtype, numbers)
    graph = graph_of(op, dtype, numbers)
    arrays = [o for o in operands if isinstance(o, np.ndarray)]
    assert same_bits(run(graph, arrays), exact(op, operands))


@pytest.mark.parametrize("dtype", NUMBERS, ids=label)
def test_mm(dtype):
    """Products whose sums are exact have one right answer; others have a bound, not bits."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (5, 7)).astype(dtype.numpy)
    y = rng.integers(0, 4, (7, 3)).astype(dtype.numpy)
    op = OPS.find("aten::mm")
    wanted = kernel_of(op, np, True)(x, y)
    assert same_bits(llvm_matmul(dtype)(x, y), wanted)
    graph = Graph()
    builder = Builder(graph)
    inputs = [graph.add_input(ty.TensorType(dtype)) for _ in range(2)]
    graph.add_output(builder.op("aten::mm", *inputs))
    assert same_bits(run(graph, [x, y]), wanted)


def test_the_operator_table_is_filled():
    assert ops.FAMILIES[0] == "pointwise"
