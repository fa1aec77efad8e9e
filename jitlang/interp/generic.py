"""The form of a graph that serves arguments of every layout.

    FUSED        the interpreter runs a graph whose pointwise work and reductions are generated
                 kernels
    NATIVE       the whole graph is one native function over scalars
    INTERPRETED  the interpreter, since there is nothing to gain

A graph with groups to fuse runs fused; one without goes native where all inside its loops is
machine code. What would only call kernels from native code stays in the generated Python function,
which does that as fast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from types import BuiltinFunctionType
from typing import Any

from .. import config
from ..codegen import compile_host, is_machine_code
from ..fuser.partition import FUSION_GROUP, fuse_nodes
from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Graph, Node
from ..ir.verifier import verify
from ..passes.effects import reshapes
from ..passes.manager import run_passes
from .callback import callback_of
from .machine import Routine, assemble


class Form(Enum):
    """How the generic form of a graph runs."""

    FUSED = "fused"
    NATIVE = "native"
    INTERPRETED = "interpreted"


@dataclass(frozen=True)
class GenericForm:
    """A graph that runs for arguments of every layout.

    Attributes:
        form: how it runs.
        function: takes one argument per graph input.
        graph: the graph that runs, with its fusion groups.
        reason: why it is not native, or empty.
        callbacks: the nodes that native code runs in Python.
        kernel: where all of it is one kernel with one result, that kernel: a builtin over raw
            arrays and numbers, one per graph input.
    """

    form: Form
    function: Callable[..., Any]
    graph: Graph
    reason: str = ""
    callbacks: Sequence[Node] = ()
    kernel: Callable[..., Any] | None = None

    def served_by(self, records: bool) -> Callable[..., Any]:
        """The function to call: `function`, or one whose results know of gradients."""
        return self.recording if records else self.function

    @cached_property
    def recording(self) -> Routine:
        """The graph in the interpreter, with results that require gradients where they must."""
        return assemble(self.graph, records=True)

    @property
    def gives_array(self) -> bool:
        """Whether the graph gives a raw array, not a `Tensor`."""
        return len(self.graph.outputs) == 1 and ty.is_array(self.graph.outputs[0].type)

    @property
    def direct(self) -> Callable[..., Any]:
        """The function for arguments of which none lies on a GPU."""
        return self.function.direct if isinstance(self.function, Routine) else self.function

    @property
    def kernels(self) -> Sequence[Any]:
        """The fused kernels that it calls."""
        return self.function.kernels if isinstance(self.function, Routine) else ()

    @property
    def bailouts(self) -> Mapping[str, int]:
        """How often kernels left a call to the reference kernels, by reason."""
        found: Counter[str] = Counter()
        for kernel in self.kernels:
            found.update(kernel.fallbacks)
        return found


def make_generic(graph: Graph, interpreter: Callable[[], Routine]) -> GenericForm:
    """The fastest form of a graph that serves every layout.

    Args:
        graph: an optimised graph; it is left as it is.
        interpreter: gives the interpreter's form.
    """
    if reshapes(graph):
        return interpreted(graph, interpreter(), "a tensor is given another shape in place")
    fused = graph.copy()
    run_passes(fused, ["composites"])
    if fuse_nodes(fused):
        run_passes(fused, ["dce"])  # what only the nodes in groups read
        if config.current().verify:
            verify(fused)
        reason = "its kernels are called from the interpreter"
        routine = assemble(fused)
        kernel = _only_kernel(fused, routine.kernels)
        return GenericForm(Form.FUSED, routine, fused, reason, kernel=kernel)
    reason = _why_not_native(graph)
    if reason:
        return interpreted(graph, interpreter(), reason)
    compiled = compile_host(graph, callback_of)
    return GenericForm(Form.NATIVE, compiled.function, graph, "", compiled.callbacks)


def _only_kernel(graph: Graph, kernels: Sequence[Any]) -> Callable[..., Any] | None:
    """The kernel that is all of a graph, if there is one."""
    group, *others = [node for node in graph.nodes if node.kind != CONSTANT]
    is_all = (
        not others
        and group.kind == FUSION_GROUP
        and list(group.inputs) == list(graph.inputs)
        and list(group.outputs) == list(graph.outputs)
        and len(group.outputs) == 1
        and isinstance(group.output.type, ty.TensorType)
    )
    kernel = kernels[0].native if is_all else None
    return kernel if isinstance(kernel, BuiltinFunctionType) else None


def interpreted(graph: Graph, routine: Routine, reason: str = "") -> GenericForm:
    """The interpreter as the form of a graph."""
    return GenericForm(Form.INTERPRETED, routine, graph, reason)


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
