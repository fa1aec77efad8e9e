"""Calls of rows through generated kernels, and through the reference kernels in exact mode."""

import numpy as np

from jitlang import arrays, dtypes
from jitlang.codegen.fused import FusedKernel
from jitlang.ir import types as ty
from jitlang.ir.graph import Graph, create_node
from jitlang.ops.rows import kernel_of
from jitlang.ops.traits import Role, roles_of

REAL = [d for d in dtypes.ALL if not d.is_complex]
SPECIAL = (
    0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 88.8, -104.0,
    1e30, 65504.0, 1e-7,
)  # fmt: skip


def samples(dtype, seed=0, count=600):
    """Ordinary numbers, random bit patterns, and all pairs of special values (by seed)."""
    rng = np.random.default_rng(seed)
    if dtype is dtypes.bool_:
        return rng.random(count) < 0.5
    patterns = rng.integers(0, 2 ** (8 * dtype.itemsize), count, dtype=f"u{dtype.itemsize}")
    if not dtype.is_floating_point:
        small = rng.integers(0 if dtype is dtypes.uint8 else -9, 10, count).astype(dtype.numpy)
        info = np.iinfo(dtype.numpy)
        ends = np.array([info.min, info.max, 0, 1, info.max, info.min], dtype.numpy)
        return np.concatenate([patterns.view(dtype.numpy), small, np.roll(ends, seed)])
    pairs = np.array([(x, y) for x in SPECIAL for y in SPECIAL])[:, seed % 2]
    with np.errstate(all="ignore"):
        parts = [rng.normal(0, 4, count).astype(dtype.numpy), pairs.astype(dtype.numpy)]
    return np.concatenate([patterns.view(dtype.numpy), *parts])


def same_bits(got, wanted):
    """Equal dtypes, shapes and bits; NaNs count as equal."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.dtype != wanted.dtype or got.shape != wanted.shape:
        return False
    if wanted.dtype.kind in "biu":
        return bool((got == wanted).all())
    unsigned = f"u{wanted.itemsize}"
    with np.errstate(invalid="ignore"):
        both_nan = (got != got) & (wanted != wanted)
    got, wanted = np.ascontiguousarray(got), np.ascontiguousarray(wanted)
    equal = got.view(unsigned) == wanted.view(unsigned)
    return bool((both_nan.reshape(-1) | equal.reshape(-1)).all())


def graph_of(op, values):
    """A group of one row; what is neither a tensor nor a number is a constant."""
    graph = Graph()
    inputs, given = [], []
    for argument, role, value in zip(op.schema.arguments, roles_of(op), values, strict=True):
        if role is Role.OPTION or value is None:
            made = create_node("prim::Constant", (), (ty.NONE,), attributes={"value": value})
            graph.block.append(made)
            inputs.append(made.output)
            continue
        kind = {bool: ty.BOOL, int: ty.INT, float: ty.FLOAT}.get(type(value), ty.TENSOR)
        inputs.append(graph.add_input(kind, argument.name))
        given.append(value)
    node = graph.block.append(create_node(op.full_name, inputs, (ty.TENSOR,), op=op))
    graph.add_output(node.output)
    return graph, given


def exact(op, values):
    """The reference result, or the error it raises."""
    token = arrays.ignore_float_errors()
    try:
        with np.errstate(all="ignore"):
            return np.asarray(kernel_of(op, np, True)(*values))
    except Exception as error:
        return error
    finally:
        arrays.restore_float_errors(token)


def fused(op, values):
    """The kernel's result (or error), and why it fell back, if it did."""
    graph, given = graph_of(op, values)
    kernel = FusedKernel(graph)
    try:
        return kernel(*given), list(kernel.fallbacks)
    except Exception as error:
        return error, list(kernel.fallbacks)


def check(op, values, may_fall_back=()):
    """Both ways agree; returns whether the generated kernel was what ran."""
    wanted = exact(op, values)
    got, reasons = fused(op, values)
    if isinstance(wanted, Exception):
        assert type(got) is type(wanted), (op.full_name, got, wanted)
        return False
    assert not isinstance(got, Exception), (op.full_name, got)
    assert same_bits(got, wanted), describe(op, values, got, wanted)
    assert all(any(part in reason for part in may_fall_back) for reason in reasons), reasons
    return not reasons


def describe(op, values, got, wanted):
    """The first elements that differ."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.dtype != wanted.dtype or got.shape != wanted.shape:
        return f"{op.full_name}: {got.dtype} {got.shape}, wanted {wanted.dtype} {wanted.shape}"
    places = [n for n in np.ndindex(wanted.shape) if not same_bits(got[n], wanted[n])][:5]
    arrays_ = np.broadcast_arrays(*[v for v in values if isinstance(v, np.ndarray)])
    rows = [([str(a[n]) for a in arrays_], str(got[n]), str(wanted[n])) for n in places]
    numbers = [v for v in values if not isinstance(v, np.ndarray)]
    return f"{op.full_name} {numbers}: (operands, got, wanted) {rows}"
