"""Native code: LLVM modules, their cache, kernels made of loop plans, whole graphs. Only this
package uses llvmlite.

llvmlite takes longer to import than the rest of jitlang, so nothing here is imported before a graph
is compiled: other packages go through the functions of this file, the only ones of the project that
import when called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..ir.graph import Graph, Node
    from .fused import FusedKernel
    from .host import HostFunction


def compile_host(graph: Graph, callback_of: Callable[[Node], Callable[..., Any]]) -> HostFunction:
    """A graph as one native function; see `host.compile_host`."""
    from . import host

    return host.compile_host(graph, callback_of)


def is_machine_code(node: Node) -> bool:
    """Whether a node runs without Python in native code; see `host.is_machine_code`."""
    from . import host

    return host.is_machine_code(node)


def fused_kernel(graph: Graph) -> FusedKernel:
    """A fusion group as a callable over raw arrays; see `fused.FusedKernel`."""
    from . import fused

    return fused.FusedKernel(graph)
