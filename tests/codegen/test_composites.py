"""Composite rows in native code: none is left, and the parts give what the interpreter gives."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import jitlang as jl
from jitlang.codegen import MISS, compile_static
from jitlang.codegen.guards import guard_inputs
from jitlang.fuser.plan import Unsupported
from jitlang.interp.callback import callback_of
from jitlang.interp.machine import assemble
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph
from jitlang.ir.opdef import OPS
from jitlang.passes.gradients import takes_gradient
from jitlang.passes.manager import run_passes
from jitlang.tensor import box
from jitlang.tensor.recording import is_differentiable

RNG = np.random.default_rng(0)
NONE, MEAN, SUM = 0, 1, 2
WHEN_REFUSING = {"aten::format", "prim::RaiseException"}


def normal(*shape):
    return RNG.standard_normal(shape)


def uniform(*shape):
    return RNG.random(shape)


X, Y, W = normal(3, 4), normal(3, 4), normal(4)
IMAGE, C = normal(2, 6, 3, 2), uniform(6)
CLASSES = np.array([1, 3, -100])
POINTWISE = {
    "mse_loss": (X, Y, NONE),
    "l1_loss": (X, Y, NONE),
    "smooth_l1_loss": (X, Y, NONE, 0.5),
    "huber_loss": (X, Y, NONE, 0.5),
    "kl_div": (X, uniform(3, 4), NONE),
    "binary_cross_entropy": (uniform(3, 4), uniform(3, 4), uniform(4), NONE),
    "binary_cross_entropy_with_logits": (X, uniform(3, 4), uniform(4), uniform(4), NONE),
    "soft_margin_loss": (X, Y, NONE),
    "margin_ranking_loss": (X, Y, np.sign(X), 0.1, NONE),
    "hinge_embedding_loss": (X, np.sign(Y), 0.5, NONE),
    "poisson_nll_loss": (X, Y, True, False, 1e-8, NONE),
    "batch_norm": (IMAGE, C, C, C - 1, C + 1, False, 0.1, 1e-5, True),
    "instance_norm": (IMAGE, C, C, C - 1, C + 1, False, 0.1, 1e-5, True),
    "prelu": (IMAGE, C),
    "glu": (X, 1),
}
OTHERS = {
    "mse_loss": (X, Y, MEAN),
    "kl_div": (X, normal(3, 4), SUM, True),
    "nll_loss": (X, CLASSES, uniform(4), MEAN, -100),
    "nll_loss_nd": (IMAGE, np.ones((2, 3, 2), int), None, NONE, -100),
    "nll_loss2d": (IMAGE, np.ones((2, 3, 2), int), None, SUM, -100),
    "cross_entropy_loss": (X, CLASSES, uniform(4), MEAN, -100, 0.1),
    "pairwise_distance": (X, Y, 2.0, 1e-6, True),
    "cosine_similarity": (X, Y, 1, 1e-8),
    "cosine_embedding_loss": (X, Y, np.sign(normal(3)), 0.1, MEAN),
    "triplet_margin_loss": (X, Y, normal(3, 4), 1.0, 2.0, 1e-6, False, SUM),
    "layer_norm": (X, [4], W, W, 1e-5, True),
    "rms_norm": (X, [4], W, None),
    "group_norm": (IMAGE, 3, C, C, 1e-5, True),
    "instance_norm": (IMAGE, C, C, None, None, True, 0.1, 1e-5, True),
    "_weight_norm": (IMAGE, uniform(2, 1, 1, 1), 0),
    "scaled_dot_product_attention": (
        normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 4), None, 0.0, True, None, False,
    ),
}  # fmt: skip


def graph_of(name, args):
    """A graph of one row, whose inputs are the tensors."""
    graph = Graph()
    builder = Builder(graph)

    def value(arg):
        if isinstance(arg, list):
            return builder.list([value(item) for item in arg], ty.INT)
        return graph.add_input(ty.TENSOR) if isinstance(arg, np.ndarray) else builder.constant(arg)

    names = [argument.name for argument in OPS.overloads(f"aten::{name}")[0].schema.arguments]
    given = {key: value(arg) for key, arg in zip(names, args, strict=False)}
    (result,) = builder.call(f"aten::{name}", [], given)
    graph.add_output(result)
    return graph


def tensors_of(args, dtype):
    arrays = [arg for arg in args if isinstance(arg, np.ndarray)]
    return [box(a.astype(dtype) if a.dtype.kind == "f" else a) for a in arrays]


def computed(name, args, dtype):
    """What native code gives, and the interpreter in its exact mode."""
    graph, tensors = graph_of(name, args), tensors_of(args, dtype)
    native = compile_static(graph, tensors, callback_of)
    assert not [node for node in native.graph.walk() if node.op and node.op.composite]
    in_python = {node.kind for node in native.callbacks}
    assert in_python <= WHEN_REFUSING | {"aten::gather", "aten::take"}
    return native.function(*tensors)._array, assemble(graph, exact=True)(*tensors)._array


IN_HALF = ("smooth_l1_loss", "batch_norm", "glu")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, np.float32) for name in POINTWISE] + [(name, ml_dtypes.bfloat16) for name in IN_HALF],
)
def test_pointwise_composites_are_equal_bit_for_bit(name, dtype):
    found, expected = computed(name, POINTWISE[name], dtype)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_equal_but_for_the_order_of_sums(name):
    found, expected = computed(name, OTHERS[name], np.float32)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-6)


WITHOUT_GRADIENT = {"aten::matmul", "aten::norm.ScalarOpt_dim", "aten::linalg_vector_norm"}
"""Parts whose gradients are no single expressions."""


def test_parts_have_gradients():
    missing = set()
    for name, args in {**POINTWISE, **OTHERS}.items():
        graph = graph_of(name, args)
        guard_inputs(graph, tensors_of(args, np.float32))
        run_passes(graph, ["sizes", "composites", "sizes"])
        parts = [node for node in graph.walk() if node.op is not None and node.outputs]
        missing |= {
            node.op.full_name
            for node in parts
            if takes_gradient(node.output)
            and isinstance(node.output.type, ty.TensorType)
            and is_differentiable(node.op)
            and node.op.grad is None
        }
    assert missing == WITHOUT_GRADIENT


@jl.script
def likelihood(x: jl.Tensor, target: jl.Tensor):
    return jl.cross_entropy_loss(x * 2, target)


def test_targets_out_of_range_are_refused_in_every_phase():
    x, good, bad = jl.randn(2, 3), jl.tensor([0, 2]), jl.tensor([0, -7])
    for _ in range(4):
        assert likelihood(x, good).item() > 0
        with pytest.raises(IndexError, match=r"Target -7 is out of bounds\."):
            likelihood(x, bad)
    assert likelihood.explain().versions[0].calls


def test_probabilities_out_of_range_are_refused():
    args = (uniform(3), uniform(3), None, MEAN)
    native = compile_static(
        graph_of("binary_cross_entropy", args), tensors_of(args, "f"), callback_of
    )
    bad = [box(np.array(values, "float32")) for values in ([0, 1.5, 1], [0, 0, 1])]
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        native.function(*bad)


def test_what_the_body_refuses_the_kernel_words():
    args = (X, [5], None, None, 1e-5, True)
    graph, tensors = graph_of("layer_norm", args), tensors_of(args, "float32")
    try:
        assert compile_static(graph, tensors, callback_of).function(*tensors) is MISS
    except Unsupported:
        pass
    with pytest.raises(RuntimeError, match=r"normalized_shape=\[5\]"):
        assemble(graph)(*tensors)


def test_moving_statistics_count_as_one_write_each():
    @jl.script
    def train(x: jl.Tensor, mean: jl.Tensor, variance: jl.Tensor):
        return jl.batch_norm(x, None, None, mean, variance, True, 0.5, 1e-5, True).relu()

    x, mean, variance = jl.randn(8, 3), jl.zeros(3), jl.ones(3)
    expected = (jl.zeros(3), jl.ones(3))
    for call in range(1, 6):
        made = train(x, mean, variance)
        plain = train.__jitlang_function__(x, *expected)
        assert np.allclose(made.numpy(), plain.numpy(), atol=1e-6)
        assert np.allclose(mean.numpy(), expected[0].numpy(), rtol=1e-5)
        assert np.allclose(variance.numpy(), expected[1].numpy(), rtol=1e-5)
        assert (mean._version, variance._version) == (call, call)
