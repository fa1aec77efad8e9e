"""Results of scripts that require gradients: the same in every phase, native or not."""

from __future__ import annotations

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor
from jitlang.ir.parser import parse_graph
from jitlang.passes.gradients import UndecidedGradient, mark_gradients

CALLS = 7
weight = jl.ones(4)


@jl.script
def scaled(x: Tensor, y: Tensor):
    return x.tanh() * 2 + 1, y * 2, x > 0, (x * y)[1:]


def flags(result):
    return [tensor.requires_grad for tensor in result]


def test_flags_are_the_same_in_every_phase():
    x, y = jl.ones(4).requires_grad_(), jl.ones(4)
    for _ in range(CALLS):
        assert flags(scaled(x, y)) == [True, False, False, True]
        assert flags(scaled(y, y)) == [False] * 4
        assert flags(scaled(y, x)) == [False, True, False, True]
        with jl.no_grad():
            assert flags(scaled(x, x)) == [False] * 4
    made = scaled(x, y)
    assert not made[0].is_leaf and made[1].is_leaf and repr(made[0].grad_fn) == "<Unrecorded>"
    assert made[3]._base is not None and made[3]._base.requires_grad


def test_a_version_is_for_one_pattern_and_says_so():
    x, y = jl.ones(4).requires_grad_(), jl.ones(4)
    scaled.compile(x, y)
    assert "guard: x: Tensor float32 [4], requires grad\n" in str(scaled.explain())
    graph = str(scaled.graph_for(x, y))
    assert "%x : Float(4, strides=[1], requires_grad=1)" in graph
    assert "%y : Float(4, strides=[1])" in graph
    assert ": Float(4, requires_grad=1) = prim::FusionGroup" in graph


def test_values_do_not_depend_on_the_flags():
    @jl.script
    def gelu(x: Tensor):
        return 0.5 * x * (1.0 + (0.7978845608 * (x + 0.044715 * x * x * x)).tanh())

    x = jl.randn(100)
    recorded = x.detach().requires_grad_()
    gelu.compile(x)
    gelu.compile(recorded)
    assert gelu(x).tolist() == gelu(recorded).detach().tolist()
    assert len(gelu.explain().versions) == 2


def test_the_general_form_knows_of_gradients():
    @jl.script
    def shifted(x: Tensor):
        return x * 2 + 1

    with jl.config.override(static_versions=0):
        for size in range(2, 12):
            x = jl.ones(size)
            assert not shifted(x).requires_grad
            assert shifted(x.detach().requires_grad_()).requires_grad
            assert not shifted(x).requires_grad


def test_tensors_of_the_function_itself_count():
    @jl.script
    def weighted(x: Tensor):
        return x * weight + 1

    x = jl.ones(4)
    try:
        for wanted in (False, True, False, True):
            weight.requires_grad_(wanted)
            for _ in range(CALLS):
                assert weighted(x).requires_grad is wanted
    finally:
        weight.requires_grad_(False)


def test_parameters_are_tensors_that_require_gradients():
    parameter = jl.nn.Parameter(jl.ones(4))
    for _ in range(CALLS):
        assert flags(scaled(parameter, jl.ones(4))) == [True, False, False, True]


def test_leaves_are_not_written_in_any_phase():
    @jl.script
    def doubled(x: Tensor):
        x.mul_(2)
        return x

    leaf = jl.ones(2).requires_grad_()
    for _ in range(CALLS):
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            doubled(leaf)
        assert doubled(jl.ones(2)).tolist() == [2, 2]
    with jl.no_grad():
        doubled(leaf)
    assert leaf.tolist() == [2, 2]


def test_what_gradients_keep_from_native_code_is_native_without_them():
    @jl.script
    def either(x: Tensor, y: Tensor):
        z = y
        if x.sum() > 0:
            z = y * x
        return z * 2 + 1

    x, y = jl.ones(4), jl.ones(4)
    leaf = jl.ones(4).requires_grad_()
    for _ in range(CALLS):
        assert either(leaf, y).requires_grad
        assert not either(leaf.detach().neg().requires_grad_(), y).requires_grad
    assert "is not known" in str(either.explain())
    for _ in range(CALLS):
        assert not either(x, y).requires_grad
    assert either.explain().versions[0].calls >= 3


def test_arrays_stay_arrays():
    for _ in range(CALLS):
        made = scaled(np.ones(4, "f"), np.ones(4, "f"))
        assert all(type(array) is np.ndarray for array in made)


# The walk over the graph --------------------------------------------------------------------------


def marked(text):
    graph = parse_graph(text)
    mark_gradients(graph)
    return str(graph)


def test_gradients_pass_rows_but_no_bools():
    made = marked("""graph(%x : Float(3, requires_grad=1), %y : Float(3)):
  %zero : int = prim::Constant[value=0]()
  %m : Bool(3) = aten::gt(%x, %zero)
  %a : Float(3) = aten::where(%m, %y, %zero)
  %b : Float(3) = aten::where(%m, %x, %y)
  %both : (Float(3), Float(3)) = prim::TupleConstruct(%a, %b)
  return (%both)
""")
    assert "%a : Float(3) =" in made and "%b : Float(3, requires_grad=1) =" in made


LOOP = """graph(%x : Float(3, requires_grad=1), %y : Float(3), %n : int):
  %t : bool = prim::Constant[value=1]()
  %two : int = prim::Constant[value=2]()
  %z : Float(3) = prim::Loop(TRIPS, %t, %y)
    block0(%i : int, %c : Float(3)):
      %d : Float(3) = aten::mul(%c, %x)
      -> (%t, %d)
  return (%z)
"""


def test_a_loop_that_makes_a_trip_is_decided():
    made = marked(LOOP.replace("TRIPS", "%two"))
    assert "%z : Float(3, requires_grad=1) = prim::Loop" in made
    with pytest.raises(UndecidedGradient, match="if a loop makes a trip"):
        marked(LOOP.replace("TRIPS", "%n"))


def test_ways_that_differ_are_not_decided():
    with pytest.raises(UndecidedGradient, match="%z requires a gradient is not known"):
        marked("""graph(%x : Float(3, requires_grad=1), %y : Float(3), %b : bool):
  %z : Float(3) = prim::If(%b)
    block0():
      -> (%x)
    block1():
      -> (%y)
  return (%z)
""")
