"""Random graphs: text reads back into graphs that do the same."""

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

import jitlang
from ir.random_graphs import random_graph
from jitlang.interp.machine import assemble
from jitlang.ir.compare import first_difference
from jitlang.ir.graph import Graph
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify

SEEDS = range(150)


@pytest.mark.parametrize("seed", SEEDS)
def test_text_says_all(seed: int):
    graph = random_graph(seed)
    verify(graph)
    back = parse_graph(str(graph))
    assert first_difference(graph, back) is None
    assert first_difference(graph, graph.copy()) is None
    assert behaviour(back) == behaviour(graph)


def behaviour(graph: Graph) -> Any:
    """What a call does: result or class of the error, output, and the arguments afterwards."""
    arguments = [jitlang.from_numpy(np.array([0.5, -1.25])), 3, True, [1, 2, 3]]
    with redirect_stdout(io.StringIO()) as printed, np.errstate(all="ignore"):
        try:
            result = shown(assemble(graph)(*arguments))
        except Exception as error:
            result = type(error)
    return result, printed.getvalue(), shown(arguments)


def shown(value: Any) -> Any:
    """Tensors by their bytes, so that equal means equal to the bit."""
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value.numpy().tobytes() if isinstance(value, jitlang.Tensor) else repr(value)
