"""The graphs of all programs: valid, parsed back equal with the same rows, and `.code` is Python."""

import ast
import io
from contextlib import redirect_stdout

import pytest

import jitlang
from jitlang.ir.compare import first_difference
from jitlang.ir.graph import Graph
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify
from programs import harness

PROGRAMS = harness.load(jitlang)
NAMES = [
    pytest.param(name, marks=pytest.mark.fallback if each.fallback else ())
    for name, each in PROGRAMS.items()
]


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("name", NAMES)
def test_program(name: str):
    each = PROGRAMS[name]
    script = jitlang.script(each.fn, strict=not each.fallback)
    for arguments, _ in each.cases[:1]:
        with redirect_stdout(io.StringIO()):
            harness.run(script, arguments, jitlang)
    for graph in (script.graph, script.inlined_graph, script.optimized_graph):
        check(graph)
    code = script.code
    if "^" not in code:
        ast.parse(code)


def check(graph: Graph) -> None:
    verify(graph)
    text = str(graph)
    back = parse_graph(text)
    assert first_difference(graph, back) is None
    assert str(back) == text
    for mine, theirs in zip(graph.walk(), back.walk(), strict=True):
        assert mine.op is theirs.op, mine
