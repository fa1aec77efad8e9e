"""What a type states of a tensor is true: on random graphs, every value is one of its type."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import jitlang as jl
from jitlang.ir import types as ty
from jitlang.ir.graph import Graph, Value
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify
from jitlang.passes.manager import run_passes
from jitlang.values import conforms, observed_type
from passes.pass_graphs import arguments, evaluate, graphs, outcome, writing_graphs

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
thorough = settings(max_examples=60, suppress_health_check=SLOW)


class Checked(dict[Value, Any]):
    """What each value is, checked against its type."""

    def update(self, pairs: Any) -> None:  # type: ignore[override]
        for value, found in pairs:
            assert conforms(found, value.type), f"{value!r} is {found!r}"
            self[value] = found


def refine(graph: Graph, given: list[Any]) -> None:
    """Let the inputs of a graph be of the types of these arguments."""
    for value, argument in zip(graph.inputs, given, strict=True):
        value.type = observed_type(argument, value.type)


def shaped(variant: int, shape: tuple[int, ...]) -> list[Any]:
    """The arguments of random graphs with tensors of another shape."""
    given = arguments(variant)
    for position, argument in enumerate(given):
        if isinstance(argument, jl.Tensor):
            given[position] = jl.from_numpy(np.ones(shape, np.float32) * position)
    return given


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 3), (0, 3)])
@thorough
@given(graph=st.one_of(graphs(), writing_graphs()), variant=st.sampled_from([0, 1]))
def test_every_value_is_of_its_type(graph: Graph, variant: int, shape: tuple[int, ...]) -> None:
    refine(graph, shaped(variant, shape))
    run_passes(graph, ["sizes"])
    note(str(graph))
    verify(graph)
    with np.errstate(all="ignore"):
        try:
            evaluate(graph, *shaped(variant, shape), values=Checked())
        except AssertionError:
            raise
        except Exception as error:
            note(repr(error))


@pytest.mark.parametrize("name", ["sizes", "functionalize", "specialize"])
@thorough
@given(graph=st.one_of(graphs(), writing_graphs()))
def test_refined_graphs_keep_results_and_effects(name: str, graph: Graph) -> None:
    note(str(graph))
    before = outcome(lambda *args: evaluate(graph, *args))
    for value, argument in zip(graph.inputs, arguments(0), strict=True):
        if value.type is ty.TENSOR:  # of one shape in both variants of the arguments
            value.type = observed_type(argument, value.type)
    run_passes(graph, ["peephole", "sizes", name])
    verify(graph)
    assert outcome(lambda *args: evaluate(graph, *args)) == before


def test_observed_types() -> None:
    x = jl.zeros(2, 3)
    tensor = ty.TensorType(x.dtype, (2, 3), (3, 1), device="cpu")
    assert observed_type(x, ty.TENSOR) is tensor
    assert observed_type(x.t(), ty.TENSOR) is tensor.refined(sizes=(3, 2), strides=(1, 3))
    assert observed_type(None, ty.optional(ty.TENSOR)) is ty.NONE
    assert observed_type(x, ty.optional(ty.TENSOR)) is tensor
    assert observed_type((x, 1), ty.tuple_of(ty.TENSOR, ty.INT)) is ty.tuple_of(tensor, ty.INT)
    assert observed_type([x], ty.ListType(ty.TENSOR)) is ty.ListType(ty.TENSOR)
    packed = np.zeros(3, np.dtype([("a", "f4"), ("b", "i1")]))["a"]
    assert observed_type(packed, ty.ARRAY).strides is None


def test_types_never_get_wider() -> None:
    graph = parse_graph("""
    graph(%x : Tensor):
      %1 : int = prim::Constant[value=1]()
      %y : Float(2, 3) = aten::add(%x, %x, %1)
      return (%y)
    """)
    run_passes(graph, ["sizes"])
    assert str(graph.outputs[0].type) == "Float(2, 3)"
