"""A fusion group made callable: `FusedKernel(graph)(*raw_arrays_and_scalars) -> arrays`.

For each layout of arguments (dtypes, sizes, strides, kinds of scalars) the group is lowered once
and its kernels are compiled or found; later calls with that layout only allocate results and run.
What plans or the generator do not cover, and all that is an error, runs node by node on the
reference kernels, which are bit for bit the same in their exact reading. So does what the
background executor has not compiled yet, in the interpreter's reading.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from .. import arrays, background, config, dtypes
from ..errors import attach_script_stack
from ..fuser.draws import DRAWS
from ..fuser.lower import Argument, ArrayArgument, ScalarArgument, lower
from ..fuser.plan import Unsupported
from ..fuser.stages import Stage
from ..ir import types as ty
from ..ir.graph import CONSTANT, Graph, Node, ObjectRef, Value
from ..ops.container import check_unpack
from ..ops.traits import Role, roles_of
from .launch import Launch, Refused, prepare
from .launcher import NativeCall
from .objects import is_available
from .reference import reference_kernel
from .sizes import Families, numbers_in

PENDING = "its kernels are compiled in the background"
"""Why a call of a layout that was not seen before runs on the reference kernels."""

MAX_LAYOUTS = 256
"""Layouts of one group that are remembered; the oldest goes."""


class FusedKernel:
    """The group as a function of raw arrays and numbers, in the order of the graph's inputs.

    Attributes:
        graph: the group's graph (closed: it reads nothing but its inputs).
        fallbacks: reasons for which calls went to the reference kernels, with their number.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.fallbacks: dict[str, int] = {}
        self._native: NativeCall | None = None
        self._is_static = [decides_form(value) for value in graph.inputs]
        self._launches: OrderedDict[Any, Launch | str] = OrderedDict()
        self._classes: OrderedDict[tuple[int, ...], list[Any]] = OrderedDict()
        self._families = Families(
            self.prepared,
            lambda n, value: _key(value, self._is_static[n]),
            list(numbers_in(graph)),
        )
        self._scalars = [may_be_scalar(v.type) for v in graph.outputs]
        self._takes_scalars = any(may_be_scalar(v.type) for v in graph.inputs)
        self._tensors = [n for n, v in enumerate(graph.inputs) if ty.is_tensor(v.type)]

    @cached_property
    def native(self) -> Callable[..., Any]:
        """The same function as a builtin, which runs layouts it has seen without the interpreter.

        The fastest way to call the group, from Python and from generated code.
        """
        if not is_available() or any(self._scalars) or self._takes_scalars:
            return self
        self._native = NativeCall(self._call_and_remember, self)
        return self._native.function

    @property
    def text(self) -> str:
        """The LLVM modules of the kernels compiled so far, as they were generated."""
        launches = [each for each in self._launches.values() if isinstance(each, Launch)]
        return "\n".join(dict.fromkeys(c.kernel.text for each in launches for c in each.calls))

    def _call_and_remember(self, *arguments: Any) -> Any:
        if self._native is not None and self._has_scalars(arguments):
            return self._native.function(*self._as_arrays(arguments))
        found = self(*arguments)  # what is refused is not remembered again
        launch = self.launch_for(arguments)
        if self._native is not None and isinstance(launch, Launch):
            self._native.add(launch, arguments, self._is_static)
        return found

    def __call__(self, *arguments: Any) -> Any:
        """The group's results: one bare, several as a tuple.

        Raises:
            RuntimeError, IndexError, TypeError: what the group's rows raise for such arguments.
        """
        if len(arguments) != len(self._is_static):
            raise TypeError(
                f"the group takes {len(self._is_static)} arguments, {len(arguments)} given"
            )
        if self._has_scalars(arguments):
            arguments = self._as_arrays(arguments)
        launch = self.launch_for(arguments)
        if isinstance(launch, str):
            self.fallbacks[launch] = self.fallbacks.get(launch, 0) + 1
            results = run_reference(self.graph, arguments, exact=launch is not PENDING)
        else:
            results = self._run(launch, arguments)
        if any(self._scalars):
            # NumPy's own functions give scalars, not arrays without dimensions.
            pairs = zip(results, self._scalars, strict=True)
            results = [r[()] if is_numpy and r.ndim == 0 else r for r, is_numpy in pairs]
        return results[0] if len(results) == 1 else tuple(results)

    def _has_scalars(self, arguments: Sequence[Any]) -> bool:
        """Whether there are NumPy's scalars for tensors, as reference kernels give them for those
        without dimensions.
        """
        return any(isinstance(arguments[place], np.generic) for place in self._tensors)

    def _as_arrays(self, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """Arrays instead of these."""
        return tuple(np.asarray(a) if isinstance(a, np.generic) else a for a in arguments)

    def _run(self, launch: Launch, arguments: Sequence[Any]) -> list[Any]:
        try:
            return launch.run(arguments)
        except Refused:
            return run_reference(self.graph, arguments)  # raises it in its words

    def launch_for(self, arguments: Sequence[Any]) -> Launch | str:
        """What to run for arguments of this layout, or why nothing can be."""
        key = tuple(map(_key, arguments, self._is_static))
        found = self._launches.get(key)
        if found is None:
            if config.current().executor == "background" and not background.is_worker():
                task = partial(self._learn, key, arguments)
                background.submit((self, key), task, partial(self._give_up, key))
                return PENDING
            found = self._learn(key, arguments)
        return found

    def _learn(self, key: Any, arguments: Sequence[Any]) -> Launch | str:
        found = self._launches[key] = self._families.launch_for(arguments)
        self._note(key, found)
        return found

    def _give_up(self, key: Any, error: Exception) -> None:
        """Leave a layout to the reference kernels."""
        self._launches[key] = f"{type(error).__name__}: {error}"

    def _note(self, key: Any, launch: Launch | str) -> None:
        """Keep the number of layouts bounded, and that of the kernels which they share.

        Layouts that differ in sizes only run the same kernels and are one class. Of these there
        are at most `config.dynamic_classes`; the one that was not joined for longest goes.
        """
        kernels = () if isinstance(launch, str) else tuple(id(c.kernel) for c in launch.calls)
        self._classes.setdefault(kernels, []).append(key)
        self._classes.move_to_end(kernels)
        while len(self._classes) > config.current().dynamic_classes:
            for old in self._classes.popitem(last=False)[1]:
                self._launches.pop(old, None)
        if len(self._launches) > MAX_LAYOUTS:
            self._launches.popitem(last=False)
        if len(self._classes[kernels]) > 2 * MAX_LAYOUTS:
            del self._classes[kernels][:MAX_LAYOUTS]

    def prepared(
        self, arguments: Sequence[Any], like: Launch | None = None, *, compiles: bool = True
    ) -> Launch | str:
        """What to run for arguments of this layout, worked out afresh, or why nothing can be.

        Args:
            arguments: arrays and numbers.
            like: for other sizes, whose kernels are taken where they fit.
            compiles: else these stand for all others, see `launch.prepare`.
        """
        try:
            return prepare(self.stages_for(arguments), arguments, like, compiles=compiles)
        except Unsupported as reason:
            return str(reason)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            # The reference kernels raise it again, worded as they word it.
            return f"{type(error).__name__}: {error}"

    def stages_for(self, arguments: Sequence[Any]) -> list[Stage]:
        """The kernels for arguments like these.

        Raises:
            Unsupported: plans do not cover the group.
        """
        described = [
            describe(value, is_static)
            for value, is_static in zip(arguments, self._is_static, strict=True)
        ]
        return lower(self.graph, described)


def may_be_scalar(type_: ty.Type) -> bool:
    """Whether a value of this type may be one of NumPy's scalars: an array of rank 0 or any."""
    return ty.is_array(type_) and not getattr(type_, "sizes", None)


def describe(value: Any, is_static: bool) -> Argument:
    """What lowering needs to know of an argument.

    Raises:
        Unsupported: the argument is none that kernels take.
    """
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise Unsupported("an int beyond 64 bits")
        return ScalarArgument(type(value), value if is_static else None)
    if type(value) is not np.ndarray or not dtypes.supports(value.dtype):
        raise Unsupported(f"an argument of type {type(value).__name__}")
    if not value.dtype.isnative or not value.flags.aligned:
        raise Unsupported("foreign byte order or unaligned elements")
    return ArrayArgument(dtypes.from_numpy(value.dtype), value.shape)


def _key(value: Any, is_static: bool) -> Any:
    if isinstance(value, np.ndarray):
        is_plain = value.flags.aligned and type(value) is np.ndarray
        return value.dtype, value.shape, value.strides, is_plain
    if is_static or value is None:
        return type(value), value
    fits = not isinstance(value, int) or -(2**63) <= value < 2**63
    return type(value), fits


def decides_form(value: Value) -> bool:
    """Whether a number given to a group decides more than values: where a slice begins, a dtype."""
    return any(not _is_operand(use.node, use.index) for use in value.uses)


def _is_operand(node: Node, index: int) -> bool:
    if node.op is not None and node.op.full_name in DRAWS:
        return index >= len(node.inputs) - 2
    if node.op is None or node.op.body is None:
        return False
    return roles_of(node.op)[index] in (Role.SCALAR, Role.FACTOR)


def run_reference(graph: Graph, arguments: Sequence[Any], *, exact: bool = True) -> list[Any]:
    """The group's results by the reference kernels, node by node.

    Args:
        exact: whether these use jitlang's own elementary functions, as kernels do.

    Raises:
        Exception: what a row raises, with its place in the script as a note.
    """
    values: dict[Value, Any] = dict(zip(graph.inputs, arguments, strict=True))
    token = arrays.ignore_float_errors()
    try:
        for node in graph.nodes:
            _run_node(node, values, arrays.namespace(*arguments), exact)
    except Exception as error:
        attach_script_stack(error, [*node.callstack, node.span])
        raise
    finally:
        arrays.restore_float_errors(token)
    return [np.asarray(found) if isinstance(found, np.generic) else found
            for found in map(values.__getitem__, graph.outputs)]  # fmt: skip


def _run_node(node: Node, values: dict[Value, Any], xp: Any, exact: bool) -> None:
    given = [values[value] for value in node.inputs]
    if node.kind == CONSTANT:
        constant = node.output.constant()
        values[node.output] = constant.value if isinstance(constant, ObjectRef) else constant
    elif node.kind in ("prim::ListConstruct", "prim::TupleConstruct"):
        values[node.output] = given
    elif node.kind in ("prim::ListUnpack", "prim::TupleUnpack"):
        check_unpack(xp, given[0], len(node.outputs))
        values.update(zip(node.outputs, given[0], strict=True))
    else:
        found = reference_kernel(node, xp, exact)(*given)
        results = [found] if len(node.outputs) == 1 else found
        values.update(zip(node.outputs, results, strict=True))
