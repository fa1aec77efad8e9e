"""Native code: LLVM modules, their cache, kernels made of loop plans, whole graphs. Only this
package uses llvmlite.

llvmlite takes longer to import than the rest of jitlang, so nothing here is imported before a graph
is compiled: other packages go through the functions of this file, the only ones of the project that
import when called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..frontend.binding import Parameter
    from ..ir.graph import Graph, Node
    from .entry import Entry
    from .fused import FusedKernel
    from .host import HostFunction
    from .static import StaticFunction


class Miss:
    """What a native function returns for arguments that it was not compiled for."""

    def __repr__(self) -> str:
        return "MISS"


MISS = Miss()


def compile_static(
    graph: Graph,
    inputs: Sequence[Any],
    callback_of: Callable[[Node], Callable[..., Any]],
    *,
    any_size: bool = False,
    shapes: Sequence[Sequence[tuple[int, ...]]] = (),
) -> StaticFunction:
    """A graph for arguments of one layout as one native function; see `static.compile_static`."""
    from . import static

    return static.compile_static(graph, inputs, callback_of, any_size=any_size, shapes=shapes)


def open_entry(
    owner: Any, parameters: Sequence[Parameter], slow: Callable[..., Any]
) -> Entry | None:
    """Take over the calls of a function object, see `entry.Entry`; None where that cannot be."""
    from . import entry

    if not entry.can_enter(type(owner), parameters):
        return None
    return entry.Entry(owner, parameters, slow)


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


def load() -> None:
    """Import the compiler now, so that no call has to, and no thread beside calls."""
    from . import fused, host, static, target

    assert fused and host and static
    target.initialize_host()


def get_num_threads() -> int:
    """How many threads a kernel may use here; see `threads.thread_count`."""
    from . import threads

    return threads.thread_count()


def set_num_threads(count: int) -> None:
    """How many threads a kernel may use, in the whole process.

    Raises:
        RuntimeError: the number is not positive.
    """
    from . import threads

    threads.set_thread_count(count)
