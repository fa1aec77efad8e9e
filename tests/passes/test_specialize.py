"""Every program keeps its results when its graph is specialised for the arguments of the call, and
what the types of the specialised graph state of tensors is true.
"""

from collections.abc import Sequence
from typing import Any

import pytest

import jitlang
from jitlang.config import Config
from jitlang.interp.executor import Executor
from jitlang.interp.machine import assemble
from jitlang.ir import types as ty
from jitlang.ir.graph import UNINITIALIZED, Graph, Node, ObjectRef, Value, create_node
from jitlang.ir.verifier import verify
from jitlang.passes.manager import run_passes
from jitlang.values import conforms, observed_type
from programs import harness
from programs.harness import Fate
from programs.test_programs_plain import NAMES, PROGRAMS, script


def specialized(graph: Graph, inputs: Sequence[Any]) -> Graph:
    """The graph for arguments like these."""
    graph = graph.copy()
    for value, argument in zip(graph.inputs, inputs, strict=True):
        value.type = observed_type(argument, value.type)
    run_passes(graph, ["specialize"])
    verify(graph)
    return graph


def check_types(graph: Graph) -> None:
    """Insert calls that check what is stated of tensors when the graph runs."""
    for node in (graph.block.param_node, *graph.walk()):
        for value in node.outputs:
            _check(value, node.next)
        for block in node.blocks:
            for value in block.inputs:
                _check(value, block.param_node.next)


def _check(value: Value, place: Node) -> None:
    if not isinstance(value.type, ty.TensorType) or value.node.kind == UNINITIALIZED:
        return
    stated = value.type

    def check(found: Any) -> None:
        # What is uninitialised in one branch is None after the join.
        if found is not None and not conforms(found, stated):
            raise SystemError(f"{found!r} is no {stated}")

    attributes = {"name": "check", "callee": ObjectRef("check", check)}
    create_node("prim::PythonOp", [value], [], attributes=attributes).insert_before(place)


def run_specialized(executor: Executor, inputs: Sequence[Any], settings: Config, *rest: Any) -> Any:
    return assemble(specialized(executor.graph, inputs))(*inputs)


def run_checked(executor: Executor, inputs: Sequence[Any], settings: Config, *rest: Any) -> Any:
    graph = specialized(executor.graph, inputs)
    check_types(graph)
    verify(graph)
    return assemble(graph)(*inputs)


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("runner", [run_specialized, run_checked], ids=["run", "checked"])
@pytest.mark.parametrize("name", NAMES)
def test_programs_keep_their_results(
    name: str, runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = PROGRAMS[name]
    for arguments, fate in each.cases:
        expected = harness.run(each.fn, arguments, jitlang)
        with monkeypatch.context() as patched:
            patched.setattr(Executor, "run", runner)
            actual = harness.run(script(name), arguments, jitlang)
        if isinstance(actual.error, SystemError):
            raise actual.error
        if fate is Fate.OVERFLOWS:
            assert isinstance(actual.error, OverflowError), actual
            continue
        harness.assert_same_outcome(actual, expected)


def test_a_change_of_the_default_dtype_drops_what_was_compiled_for_it() -> None:
    @jitlang.script
    def start(n: int) -> jitlang.Tensor:
        h = jitlang.zeros(n)
        for _ in range(3):
            h = h + 1
        return h

    found = [start(2).dtype for _ in range(4)]
    jitlang.set_default_dtype(jitlang.float64)
    try:
        changed = [start(2).dtype for _ in range(4)]
    finally:
        jitlang.set_default_dtype(jitlang.float32)
    assert found == [jitlang.float32] * 4
    assert changed == [jitlang.float64] * 4
    assert start(2).dtype is jitlang.float32
