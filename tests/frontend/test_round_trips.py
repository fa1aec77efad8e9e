"""Every function of the tests, there and back.

A graph (as compiled, inlined, optimised) prints and parses back equal. Its source, unless it calls
back into Python, goes through the front end again (`frontend/dialect.py`) to a graph that does the
same on the program's inputs; the source of the compiled graph comes back to the letter, each call
as a call of the same row.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

import jitlang
from golden_loader import Case, Subject, all_cases, expected_errors
from ir.random_graphs import random_graph
from jitlang.frontend.dialect import compile_text
from jitlang.frontend.function import CompiledFunction
from jitlang.interp.machine import assemble
from jitlang.ir.compare import first_difference
from jitlang.ir.graph import Graph, ObjectRef
from jitlang.ir.parser import parse_graph
from jitlang.ir.schema import FunctionSchema
from jitlang.ir.source import Source, to_source
from jitlang.ir.verifier import verify
from programs import harness

PROGRAMS = harness.load(jitlang)
NAMES = [
    pytest.param(name, marks=pytest.mark.fallback if each.fallback else ())
    for name, each in PROGRAMS.items()
]
GOLDEN = [
    case
    for case in all_cases()
    if case.source.word == "python"
    and not expected_errors(case.source)
    and not any(section.word == "error" for section in case.results)
]

Run = Callable[..., Any]


# Reading back -----------------------------------------------------------------------------------


def read_source(source: Source, graph: Graph) -> CompiledFunction:
    """The function that the text means, and the functions that it calls read back in turn."""
    return compile_text(
        source.text,
        source.constants,
        {name: read_callee(ref) for name, ref in source.functions.items()},
        graph.integers,
        constant_types=source.constant_types,
        types=source.types,
    )


def read_callee(callee: ObjectRef) -> ObjectRef:
    """A function read back, but for one that calls back into Python."""
    function = callee.value
    if not isinstance(function, CompiledFunction):
        return callee
    source = to_source(function.graph, function.name, function.schema)
    if "^" in source.text:
        return callee
    return ObjectRef(callee.name, read_source(source, function.graph))


def as_callable(function: CompiledFunction) -> Run:
    """The graph as a function with the defaults of its schema."""
    routine = assemble(function.graph)

    def run(*arguments: Any) -> Any:
        missing = function.schema.arguments[len(arguments) :]
        return routine(*arguments, *(argument.default for argument in missing))

    return run


def rows(graph: Graph) -> list[str]:
    return [node.op.full_name for node in graph.walk() if node.op is not None]


# Checks -----------------------------------------------------------------------------------------

COUNTING = {"aten::add.int", "aten::lt.int", "aten::gt.int", "aten::__and__.bool"}
"""What a loop that both counts and tests is spelled with."""


def check_text(graph: Graph) -> None:
    text = str(graph)
    back = parse_graph(text)
    assert first_difference(graph, back) is None
    assert str(back) == text
    assert rows(back) == rows(graph)


def check_source(graph: Graph, name: str, schema: FunctionSchema) -> CompiledFunction | None:
    """Read the source of a graph; None where it calls back into Python."""
    source = to_source(graph, name, schema)
    if "^" in source.text:
        return None
    again = read_source(source, graph)
    verify(again.graph)
    assert [a.name for a in again.schema.arguments] == [a.name for a in schema.arguments]
    assert [a.kwarg_only for a in again.schema.arguments] == [
        a.kwarg_only for a in schema.arguments
    ]
    return again


def check_same_source(graph: Graph, again: CompiledFunction, schema: FunctionSchema) -> None:
    """Reading back changed neither the source nor the rows."""
    source = to_source(graph, again.name, schema)
    assert to_source(again.graph, again.name, again.schema).text == source.text
    before, after = Counter(rows(graph)), Counter(rows(again.graph))
    assert before - after == Counter()
    assert set(after - before) <= COUNTING


def check_script(script: Any) -> list[Run]:
    """What the script understood, read back: one function for each of its graphs."""
    found: list[Run] = []
    for graph in (script.graph, script.inlined_graph, script.optimized_graph):
        check_text(graph)
        again = check_source(graph, script.__name__, script.schema)
        if again is None:
            continue
        found.append(as_callable(again))
        if graph is script.graph:
            check_same_source(graph, again, script.schema)
    return found


# Every function ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_programs(name: str):
    each = PROGRAMS[name]
    script = jitlang.script(each.fn, strict=not each.fallback)
    read_back: dict[Graph, list[Run]] = {}
    for arguments, _ in each.cases:
        expected = harness.run(script, arguments, jitlang)
        if script.graph not in read_back:
            read_back[script.graph] = check_script(script)
        for again in read_back[script.graph]:
            harness.assert_same_outcome(harness.run(again, arguments, jitlang), expected)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.id)
def test_golden_functions(case: Case):
    check_script(Subject(case).script())


def test_programs_without_a_source_are_those_that_call_back():
    without = [name for name, each in PROGRAMS.items() if each.fallback]
    assert 0 < len(without) < len(PROGRAMS) / 20


# Arrays -----------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell(x, h, c, w, u, b):
    i, f, o, z = np.split(x @ w + h @ u + b, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
    return sigmoid(o) * np.tanh(c), c


def lstm(xs, w, u, b, hidden):
    h = np.zeros((xs.shape[1], hidden), dtype=np.float32)
    c = np.zeros((xs.shape[1], hidden), dtype=np.float32)
    outputs = []
    for t in range(xs.shape[0]):
        h, c = cell(xs[t], h, c, w, u, b)
        outputs.append(h)
    return np.stack(outputs), (h, c)


def made(n):
    a = np.zeros((n, 2))
    a[0] = 3
    b = np.ones(n)
    k = np.arange(n)
    return a * 2 + b[:, None], k / 2, a.astype(np.int8)


def shaped(x):
    n, m = x.shape
    flat = x.reshape(m, n).T
    return flat, x.shape, x.sum(), x.mean(axis=0), x[x > 1], np.where(x > 0, x, 0)


def integral(x):
    return x / 2, x // 2, x**2, np.sqrt(x), x.sum(), -x, x.ndim, x.size


def defaulted(x, bias=None, scale=2.0):
    if bias is not None:
        x = x + bias
    return x * scale


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


ARRAYS = [
    (lstm, (normal(5, 2, 3), normal(3, 16), normal(4, 16), normal(16), 4)),
    (made, (3,)),
    (shaped, (normal(2, 3),)),
    (integral, (np.arange(6, dtype=np.int16),)),
    (defaulted, (normal(2),)),
    (defaulted, (normal(2), normal(2))),
]


@pytest.mark.parametrize(("function", "arguments"), ARRAYS)
def test_functions_over_arrays(function: Run, arguments: tuple[Any, ...]):
    script = jitlang.script(function)
    expected = shown(script(*arguments))
    readers = check_script(script)
    assert len(readers) == 3
    for again in readers:
        assert shown(again(*arguments)) == expected


# Random graphs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(100))
def test_random_graphs(seed: int):
    graph = random_graph(seed)
    again = read_source(to_source(graph, "f"), graph)
    verify(again.graph)
    assert behaviour(again.graph) == behaviour(graph)


def behaviour(graph: Graph) -> tuple[Any, str, Any]:
    """What a call does: result or class of the error, output, and the arguments afterwards."""
    arguments = [jitlang.from_numpy(np.array([0.5, -1.25])), 3, True, [1, 2, 3]]
    with redirect_stdout(io.StringIO()) as printed, np.errstate(all="ignore"):
        try:
            result = shown(assemble(graph)(*arguments))
        except Exception as error:
            result = type(error)
    return result, printed.getvalue(), shown(arguments)


def shown(value: Any) -> Any:
    """Values with their types, arrays by their bytes: equal means equal to the bit."""
    if isinstance(value, list | tuple):
        return type(value), [shown(item) for item in value]
    if isinstance(value, jitlang.Tensor):
        return jitlang.Tensor, shown(value.numpy())
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype, value.shape, value.tobytes()
    return type(value), repr(value)
