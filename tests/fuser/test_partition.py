"""Groups leave results as they were, and the graph valid."""

import numpy as np
import pytest

from jitlang import Tensor, script
from jitlang.codegen.fused import FusedKernel, run_reference
from jitlang.fuser.partition import FUSION_GROUP, SUBGRAPH, fuse_nodes
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify
from jitlang.passes.manager import run_passes


def lstm_cell(x: Tensor, hx: Tensor, cx: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor):
    gates = x @ w_ih + hx @ w_hh + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy


def gelu(x: Tensor):
    return 0.5 * x * (1 + (0.7978845608028654 * (x + 0.044715 * x * x * x)).tanh())


def softmax(x: Tensor):
    return x.softmax(-1) * 2


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor):
    centred = x - x.mean(-1, True)
    variance = (centred * centred).mean(-1, True)
    return centred * (variance + 1e-5).rsqrt() * weight + bias


def masks(x: Tensor, y: Tensor):
    big = x > y
    return (x * big + y * big.logical_not()).sin(), big


PROGRAMS = {lstm_cell: 1, gelu: 1, softmax: 1, layer_norm: 1, masks: 1}


def optimized(function):
    graph = script(function).graph.copy()
    run_passes(graph, ["optimize"])
    return graph


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_the_number_of_groups(function):
    graph = optimized(function)
    before = str(graph)
    assert fuse_nodes(graph)
    verify(graph)
    assert len(graph.find(FUSION_GROUP)) == PROGRAMS[function]
    text = str(graph)
    assert str(parse_graph(text)) == text != before
    assert not fuse_nodes(graph)


@pytest.mark.parametrize(
    "function", [f for f in PROGRAMS if f is not lstm_cell], ids=lambda f: f.__name__
)
def test_the_group_computes_what_the_nodes_did(function):
    plain, graph = optimized(function), optimized(function)
    fuse_nodes(graph)
    (node,) = graph.find(FUSION_GROUP)
    rng = np.random.default_rng(0)
    shapes = [(7, 33), (33,), (33,)][: len(plain.inputs)]
    arguments = [rng.normal(size=s).astype("float32") for s in shapes]
    kernel = FusedKernel(node.attributes[SUBGRAPH])
    given = [arguments[plain_position(graph, value)] for value in node.inputs]
    got = kernel(*given)
    wanted = run_reference(kernel.graph, given)
    for one, other in zip(got if isinstance(got, tuple) else (got,), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert not kernel.fallbacks


def plain_position(graph, value):
    return graph.inputs.index(value)


def test_types_that_kernels_do_not_take_stay_outside():
    graph = parse_graph(
        """graph(%x : ComplexFloat(2), %y : Float(2, device=cuda:0)):
  %a : ComplexFloat(2) = aten::exp(%x)
  %b : ComplexFloat(2) = aten::sin(%a)
  %c : Float(2, device=cuda:0) = aten::exp(%y)
  %d : Float(2, device=cuda:0) = aten::sin(%c)
  %t : (Tensor, Tensor) = prim::TupleConstruct(%b, %d)
  return (%t)
"""
    )
    assert not fuse_nodes(graph)


def last_row(x: Tensor, y: Tensor):
    scaled = (x * 2 + y).maximum(y)
    row = scaled[-1]
    return float(scaled.sum()), (scaled + 1) * y, float(row.sum())


def test_a_group_that_is_given_up_moves_nobody():
    graph = optimized(last_row)
    fuse_nodes(graph)
    verify(graph)
