"""Passes keep what a graph does, on random graphs; clean-ups done twice do no more than done
once.
"""

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from jitlang.interp.machine import assemble
from jitlang.ir.compare import graphs_equal
from jitlang.ir.graph import Graph
from jitlang.ir.verifier import verify
from jitlang.passes.manager import PASSES, run_passes
from passes.pass_graphs import evaluate, graphs, outcome, writing_graphs

CLEAN_UPS = ("peephole", "constants", "cse", "dce")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
thorough = settings(max_examples=60, suppress_health_check=SLOW)


def expected(graph: Graph) -> object:
    note(str(graph))
    verify(graph)
    return outcome(lambda *args: evaluate(graph, *args))


@thorough
@given(st.one_of(graphs(), writing_graphs()))
def test_interpreter_does_what_the_evaluator_does(graph: Graph) -> None:
    wanted = expected(graph)
    routine = assemble(graph)
    note(routine.source)
    assert outcome(routine) == wanted


@pytest.mark.parametrize("name", [*PASSES, "clean-up", "specialize"])
@thorough
@given(graph=st.one_of(graphs(), writing_graphs()))
def test_pass_keeps_results_and_effects(name: str, graph: Graph) -> None:
    before = expected(graph)
    run_passes(graph, [name])
    verify(graph)
    assert expected(graph) == before
    routine = assemble(graph)
    note(routine.source)
    assert outcome(routine) == before


@pytest.mark.parametrize("name", CLEAN_UPS)
@settings(max_examples=30, suppress_health_check=SLOW)
@given(graph=writing_graphs())
def test_clean_up_is_idempotent(name: str, graph: Graph) -> None:
    PASSES[name](graph)
    once = graph.copy()
    assert not PASSES[name](graph)
    assert graphs_equal(once, graph)
