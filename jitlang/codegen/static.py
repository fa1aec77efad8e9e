"""A graph, for arguments of one layout, as one native function with tensors as native values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..fuser.plan import Unsupported
from ..ir.graph import Graph, Node


@dataclass
class StaticFunction:
    """A graph compiled for arguments of one layout.

    Attributes:
        function: a builtin; takes one argument per graph input, gives the graph's output, or
            `codegen.MISS` where an argument is not of the layout that was compiled for. It has done
            nothing then.
        graph: the specialised graph, with sizes and fusion groups.
        guards: what is tested at entry, for reading.
        callbacks: the nodes that run in Python.
        text: the LLVM module as it was generated.
    """

    function: Callable[..., Any]
    graph: Graph
    guards: Sequence[str]
    callbacks: Sequence[Node]
    text: str


def compile_static(
    graph: Graph, inputs: Sequence[Any], callback_of: Callable[[Node], Callable[..., Any]]
) -> StaticFunction:
    """Compile a graph for arguments like these.

    Args:
        graph: an optimised graph without calls to inline.
        inputs: one argument per graph input; a raw array may stand where the graph has a `Tensor`,
            and the compiled function then expects one.
        callback_of: makes the callable that runs one node in Python.

    Raises:
        Unsupported: something in the graph has no native form, with the reason.
    """
    raise Unsupported("tensors are not native values yet")
