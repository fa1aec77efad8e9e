"""The phases of a compiled signature: watched, then fast.

    COLD         no call yet
    PROFILING    the interpreter runs; calls are counted
    FUSED the interpreter runs a graph whose pointwise work and reductions are generated kernels
    NATIVE       the whole graph is one native function
    INTERPRETED  the interpreter for good, since there is nothing to gain

The interpreter is the reference: a faster form gives its results (with jitlang's own elementary
functions, as its exact mode does), exceptions and effects. A graph with groups to fuse runs fused;
one without goes native where all
inside its loops is machine code; what would call kernels from native loops stays in the generated
Python function, which does that as fast, and `explain` says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .. import config
from ..codegen import compile_host, is_machine_code
from ..errors import SourceSpan
from ..fuser.partition import FUSION_GROUP, SUBGRAPH, fuse_nodes
from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Graph, Node, Value, clone_node, create_node
from ..ir.verifier import verify
from .machine import Routine, assemble


class Phase(Enum):
    """Where a signature stands."""

    COLD = "cold"
    PROFILING = "profiling"
    FUSED = "fused"
    NATIVE = "native"
    INTERPRETED = "interpreted"


@dataclass(frozen=True)
class CallBack:
    """A node that native code runs in Python, and where it stands."""

    kind: str
    span: SourceSpan | None
    in_loop: bool

    def __str__(self) -> str:
        where = f" at {self.span}" if self.span is not None else ""
        return f"{self.kind}{where}{', in a loop' if self.in_loop else ''}"


@dataclass(frozen=True)
class Explanation:
    """What became of a signature, for reading.

    Attributes:
        phase: the current phase.
        calls: calls so far.
        reason: why the graph is not native, or empty.
        groups: the operators of each fusion group.
        callbacks: what native code runs in Python.
    """

    phase: Phase
    calls: int
    reason: str
    groups: Sequence[Sequence[str]]
    callbacks: Sequence[CallBack]

    def __str__(self) -> str:
        lines = [f"phase: {self.phase.value} after {self.calls} calls"]
        if self.reason:
            lines.append(f"not native: {self.reason}")
        lines += [f"fused: {', '.join(group)}" for group in self.groups]
        lines += [f"called back in Python: {each}" for each in self.callbacks]
        return "\n".join(lines)


_FINAL = (Phase.FUSED, Phase.NATIVE, Phase.INTERPRETED)


class Executor:
    """Runs one signature, by the interpreter first and natively once it has been called often
    enough.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.phase = Phase.COLD
        self.calls = 0
        self.reason = ""
        self.callbacks: Sequence[CallBack] = ()
        self.specialized = graph
        self._routines: dict[bool, Routine] = {}
        self._fast: Callable[..., Any] | None = None
        self._lock = threading.Lock()

    def run(self, inputs: Sequence[Any], settings: config.Config) -> Any:
        """Run the graph on its inputs."""
        if settings.exact or not settings.native:
            return self.routine(settings.exact)(*inputs)
        self.calls += 1
        if self.phase not in _FINAL and self.calls > settings.num_profiled_runs:
            self.compile()
        if self._fast is not None:
            return self._fast(*inputs)
        if self.phase is Phase.COLD:
            self.phase = Phase.PROFILING
        return self.routine(False)(*inputs)

    def routine(self, exact: bool) -> Routine:
        """The interpreter's form of the graph."""
        found = self._routines.get(exact)
        if found is None:
            found = self._routines[exact] = assemble(self.graph, exact=exact)
        return found

    def explain(self) -> Explanation:
        """What became of the signature."""
        groups = [_operators_of(node) for node in self.specialized.find(FUSION_GROUP)]
        return Explanation(self.phase, self.calls, self.reason, groups, self.callbacks)

    @property
    def kernels(self) -> Sequence[Any]:
        """The fused kernels of the specialised graph."""
        return self._fast.kernels if isinstance(self._fast, Routine) else ()

    def compile(self) -> None:
        """Leave the profiling phase now."""
        with self._lock:
            if self.phase not in _FINAL:
                self._fast, self.phase = self._specialize()

    def _specialize(self) -> tuple[Callable[..., Any] | None, Phase]:
        fused = self.graph.copy()
        if fuse_nodes(fused):
            if config.current().verify:
                verify(fused)
            self.specialized = fused
            self.reason = "its kernels are called from the interpreter"
            return assemble(fused), Phase.FUSED
        self.reason = _why_not_native(self.graph)
        if self.reason:
            return None, Phase.INTERPRETED
        compiled = compile_host(self.graph, callback_of)
        self.callbacks = [_called_back(node) for node in compiled.callbacks]
        return compiled.function, Phase.NATIVE


def _operators_of(group: Node) -> list[str]:
    """The operators that a group computes."""
    computed = (CONSTANT, "prim::ListConstruct", "prim::ListUnpack")
    return [node.kind for node in group.attributes[SUBGRAPH].walk() if node.kind not in computed]


def _called_back(node: Node) -> CallBack:
    return CallBack(node.kind, node.span, any(owner.kind == LOOP for owner in node.ancestry()))


def _why_not_native(graph: Graph) -> str:
    """Why the graph is better off in the interpreter, or an empty string.

    Code inside loops decides: outside of them a call back costs once what the interpreter would
    spend too.
    """
    loops = [node for node in graph.walk() if node.kind == LOOP]
    if not loops:
        return "it has no loop, so native code would only call kernels"
    for loop in loops:
        for node in loop.walk():
            if node is not loop and not is_machine_code(node):
                return f"{node.kind} in a loop is not machine code ({node.span})"
    return ""


# What native code calls back ----------------------------------------------------------------------


def callback_of(node: Node) -> Callable[..., Any]:
    """A callable that runs one node, from its inputs that are not constants to its outputs."""
    graph = Graph(node.kind.partition("::")[2], node.graph.integers)
    mapping: dict[Value, Value] = {}
    for value in node.inputs:
        if value in mapping and value.node.kind == CONSTANT:
            continue
        if value.node.kind == CONSTANT:
            graph.block.append(clone_node(value.node, mapping, graph))
        else:
            mapping[value] = graph.add_input(value.type, value.name)
    made = graph.block.append(clone_node(node, mapping, graph))
    graph.add_output(_only_output(graph, made))
    return assemble(graph)


def _only_output(graph: Graph, node: Node) -> Value:
    if len(node.outputs) == 1:
        return node.output
    if not node.outputs:
        return graph.block.append(create_node(CONSTANT, (), [ty.NONE])).output
    type_ = ty.TupleType(tuple(v.type for v in node.outputs))
    return graph.block.append(create_node("prim::TupleConstruct", node.outputs, [type_])).output
