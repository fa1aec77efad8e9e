"""A graph as one Python function, made of the graph's instructions.

The contract. `assemble(graph)` gives a `Routine`: callable with one positional argument per graph
input, returning the graph's output. The text of the function is at hand (`Routine.source`), known
to `linecache` and so to tracebacks and debuggers. Every line belongs to one node: when an error
passes through, the line number of the traceback gives the node, and its place in the script
becomes a note on the error, whose class is untouched. Nothing is spent on this while nothing
fails.

Why text: a loop that dispatches on instructions costs about 130 ns per instruction in Python, an
inlined `r5 = r3 + r4` ten. Rows with a `python` expression are inlined, other rows are calls of
their reference kernels (`ops.rows.kernel_of`) on raw arrays. Kernels are bound for NumPy, and for
CuPy on the first call with an array on a GPU. Which registers hold `Tensor` objects is decided in
`representation.py`.
"""

from __future__ import annotations

import ast
import linecache
import math
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import count
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any

import numpy as np

from .. import arrays
from ..arrays import ignore_float_errors, restore_float_errors
from ..errors import SourceSpan, attach_script_stack
from ..fuser.partition import FUSION_GROUP
from ..ir import types as ty
from ..ir.graph import TRY, Graph, Node
from ..ops.broadcast import as_torch_error
from ..tensor import Tensor
from .array_text import ArrayFunction
from .emit import AS_CAUGHT, emit
from .linearize import Instruction, linearize
from .numpy_text import NumpyFunction
from .profile import FlowCounts
from .representation import holds_tensor
from .text import Emitted, Kernel, PlainRows

_GUARDED = """
try:
    pass
except Exception as error:
    raised = noted(error)
    if raised is not error:
        raise raised from None
    raise
"""
_BOUND = (Kernel, NumpyFunction, ArrayFunction, PlainRows)
"""Names of the text that stand for a function of the array namespace."""
_numbers = count(1)


class Routine:
    """A graph ready to run.

    Attributes:
        source: the text of the generated function.
        instructions: the flat form that it was made of.
        filename: the name under which tracebacks and `linecache` know the source.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        exact: bool = False,
        flow: FlowCounts | None = None,
        records: bool = False,
    ) -> None:
        program = linearize(graph)
        self.instructions: list[Instruction] = program.instructions
        self.exact = exact
        # NumPy's floating-point warnings are for arrays; torch's tensors give none.
        self._has_tensors = any(map(_holds_tensor, graph.walk()))
        self._handles_errors = bool(graph.find(TRY))
        self.filename = f"<jitlang {graph.name or 'graph'} {next(_numbers)}>"
        self._emitted: Emitted = emit(
            graph, program, partial(Routine, exact=exact, records=records), flow, records=records
        )
        self._code: CodeType = compile(self.source, self.filename, "exec")
        self._host = self._bind(np)
        self._device: FunctionType | None = None
        lines = self.source.splitlines(keepends=True)
        linecache.cache[self.filename] = (len(self.source), None, lines, self.filename)
        weakref.finalize(self, linecache.cache.pop, self.filename, None).atexit = False

    def __repr__(self) -> str:
        return f"<Routine {self.filename[1:-1]}>"

    @property
    def kernels(self) -> Sequence[Any]:
        """The fused kernels that the function calls."""
        return self._emitted.kernels

    @property
    def source(self) -> str:
        """The text of the generated function."""
        return self._emitted.source

    def __call__(self, *args: Any) -> Any:
        """Run the graph.

        Raises:
            Exception: whatever the graph raises, with the script's own stack as a note.
        """
        function = self._host
        if "cupy" in sys.modules and any(map(_is_on_device, args)):
            function = self._on_device()
        token = ignore_float_errors() if self._has_tensors else None
        try:
            return function(*args)
        except Exception as error:
            raised = self._noted(error)
            if raised is not error:
                raise raised from None
            raise
        finally:
            if token is not None:
                restore_float_errors(token)

    @cached_property
    def direct(self) -> Callable[..., Any]:
        """The same for arguments of which none lies on a GPU, as a plain function where that costs
        less to call.
        """
        if self._has_tensors:
            return self
        tree = ast.parse(self.source)
        for function in tree.body:
            assert isinstance(function, ast.FunctionDef)
            if function.name == self._emitted.function:
                (guarded,) = ast.parse(_GUARDED).body
                assert isinstance(guarded, ast.Try)
                guarded.body, function.body = function.body, [guarded]
        code = compile(tree, self.filename, "exec")
        made = self._bind(np, code)
        made.__globals__["noted"] = self._noted
        return made

    def _noted(self, error: Exception) -> Exception:
        """An error of this routine as its surface raises it, with the script's own stack."""
        failed = self._failed_node(error.__traceback__)
        raised = _as_its_surface_says(error, failed)
        if failed is not None and failed.kind != FUSION_GROUP:  # which has found its node
            attach_script_stack(raised, script_stack(failed))
        return raised

    def _bind(self, xp: ModuleType, code: CodeType | None = None) -> FunctionType:
        """The generated function over one array namespace."""
        namespace: dict[str, Any] = {"math": math}
        namespace |= {
            name: bound.bind(xp, self.exact) if isinstance(bound, _BOUND) else bound
            for name, bound in self._emitted.names.items()
        }
        if self._handles_errors:
            namespace[AS_CAUGHT] = self._as_caught
        exec(code or self._code, namespace)
        function: FunctionType = namespace[self._emitted.function]
        return function

    def _on_device(self) -> FunctionType:
        if self._device is None:
            self._device = self._bind(sys.modules["cupy"])
        return self._device

    def _as_caught(self, error: BaseException) -> BaseException:
        """What a handler in the graph is given: the error that would leave if there were none."""
        if not isinstance(error, Exception):
            return error
        raised = _as_its_surface_says(error, self._failed_node(error.__traceback__))
        return error if raised is error else raised.with_traceback(error.__traceback__)

    def _failed_node(self, traceback: TracebackType | None) -> Node | None:
        """The node at which the error left this routine; a deeper run of it has noted its own."""
        line = 0
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self.filename:
                line = traceback.tb_lineno
            elif line:
                break
            traceback = traceback.tb_next
        return self._emitted.nodes[line - 1] if line else None


def _as_its_surface_says(error: Exception, node: Node | None) -> Exception:
    """Tensors that do not broadcast are a RuntimeError, as in torch; arrays a ValueError."""
    if node is None or not isinstance(error, ValueError):
        return error
    if not any(map(holds_tensor, [value.type for value in node.inputs])):
        return error
    raised = as_torch_error(error)
    if raised is None:
        return error
    for note in getattr(error, "__notes__", ()):
        raised.add_note(note)
    return raised


def script_stack(node: Node) -> Iterator[SourceSpan | None]:
    """Where a node comes from: the calls through which it was inlined, then its own place."""
    yield from node.callstack
    yield node.span


def assemble(
    graph: Graph, *, exact: bool = False, flow: FlowCounts | None = None, records: bool = False
) -> Routine:
    """Make a graph ready to run.

    Args:
        graph: the graph; later changes to it do not show.
        exact: pointwise rows use jitlang's own elementary functions (the reference for other
        tiers).
        flow: counts branches and trips of loops, where it is given.
        records: results know whether they require gradients.

    Raises:
        NotImplementedError: an operator has no kernel.
    """
    return Routine(graph, exact=exact, flow=flow, records=records)


def _holds_tensor(node: Node) -> bool:
    values = (*node.inputs, *node.outputs)
    return any(holds_tensor(part) for value in values for part in ty.walk(value.type))


def _is_on_device(value: object) -> bool:
    """Whether a value holds an array of a GPU."""
    if isinstance(value, Tensor):
        value = value._array
    if isinstance(value, list | tuple):
        return any(map(_is_on_device, value))
    if isinstance(value, dict):
        return any(map(_is_on_device, value.values()))
    return arrays.is_array(value) and not isinstance(value, np.ndarray)
