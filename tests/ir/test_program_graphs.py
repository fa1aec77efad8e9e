"""Graphs of all programs: valid and parsed back equal; their `.code` reads back and runs."""

import ast
import io
from contextlib import redirect_stdout
from functools import cache
from typing import Any

import pytest

import jitlang
from jitlang.interp.machine import assemble
from jitlang.ir.compare import first_difference
from jitlang.ir.graph import Graph
from jitlang.ir.parser import parse_graph
from jitlang.ir.reader import read_source
from jitlang.ir.source import to_source
from jitlang.ir.verifier import verify
from programs import harness

PROGRAMS = harness.load(jitlang)
NAMES = [
    pytest.param(name, marks=pytest.mark.fallback if each.fallback else ())
    for name, each in PROGRAMS.items()
]


@cache
def scripted(name: str) -> Any:
    each = PROGRAMS[name]
    return jitlang.script(each.fn, strict=not each.fallback)


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("name", NAMES)
def test_graphs_parse_back(name: str):
    script = scripted(name)
    with redirect_stdout(io.StringIO()):
        harness.run(script, PROGRAMS[name].cases[0][0], jitlang)
    for graph in (script.graph, script.inlined_graph, script.optimized_graph):
        check(graph)


def check(graph: Graph) -> None:
    verify(graph)
    text = str(graph)
    back = parse_graph(text)
    assert first_difference(graph, back) is None
    assert str(back) == text
    for mine, theirs in zip(graph.walk(), back.walk(), strict=True):
        assert mine.op is theirs.op, mine


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("name", NAMES)
def test_code_reads_back_and_runs(name: str):
    script = scripted(name)
    for arguments, _ in PROGRAMS[name].cases:
        expected = harness.run(script, arguments, jitlang)
        if "^" in script.code:
            return
        actual = harness.run(read_back(script), arguments, jitlang)
        harness.assert_same_outcome(actual, expected)


def read_back(script: Any) -> Any:
    """A function that runs the graph made of the script's source."""
    graph = script.graph
    source = to_source(graph, script.__name__)
    again = read_source(source, graph.integers)
    verify(again)
    assert to_source(again, script.__name__).text == source.text
    ast.parse(source.text)
    routine = assemble(again)

    def run(*arguments: Any) -> Any:
        _, inputs, _ = script._enter(arguments, {})
        return routine(*inputs)

    return run
