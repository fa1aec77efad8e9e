"""A graph, for arguments of one layout, as one native function with tensors as native values."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..fuser.partition import SUBGRAPH, dissolve_group, fuse_nodes
from ..fuser.plan import Unsupported
from ..fuser.reach import REACHING
from ..ir import types as ty
from ..ir.graph import LOOP, Graph, Node, Value
from ..passes.effects import is_protected, is_pure, reshapes
from ..passes.gradients import UndecidedGradient, mark_gradients
from ..passes.manager import run_passes
from . import objects
from .actions import Call, Multiply, Plan, Run, touches_tensors
from .cpython import addresses_of
from .entry import builtin_function
from .flat import FlatEmitter, check_flat
from .forms import Form
from .guards import (
    FIXED,
    Guard,
    NumberGuard,
    VaryingGuard,
    WrittenGuard,
    classes_in,
    flat_guards,
    guard_inputs,
    tensor_guards,
    varying_guards,
)
from .host import is_machine_code
from .leaving import REQUIRE, find_exits, refuse_restarts
from .llvm import compile_module
from .native import Frame, NativeEmitter
from .planner import CREATIONS, Planner, UnsupportedGroup
from .shares import settle_products
from .slots import ENTRY, TABLE
from .storage import find_storage
from .varying import (
    Shapes,
    find_counts,
    find_varying,
    plan_varying,
    smallest_sizes,
    spell_out_sizes,
)
from .varying_code import VaryingEmitter
from .writing import bring_groups_to_copies, effects_of, own_written, written_inputs

RAISE = "prim::RaiseException"
CallbackOf = Callable[[Node], Callable[..., Any]]
Code = tuple[NativeEmitter, str]
"""A function's text, and what has written it."""


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
        takes_all_sizes: whether it takes contiguous tensors of all sizes that are the same.
    """

    function: Callable[..., Any]
    graph: Graph
    guards: Sequence[Guard | WrittenGuard]
    callbacks: Sequence[Node]
    text: str
    takes_all_sizes: bool = False


def compile_static(
    graph: Graph,
    inputs: Sequence[Any],
    callback_of: CallbackOf,
    *,
    any_size: bool = False,
    shapes: Sequence[Shapes] = (),
) -> StaticFunction:
    """Compile a graph for arguments like these.

    Args:
        graph: an optimised graph without calls to inline.
        inputs: one argument per graph input; a raw array may stand where the graph has a `Tensor`,
            and the compiled function then expects one.
        callback_of: makes the callable that runs one node in Python.
        any_size: the function shall take contiguous tensors of other sizes too: graphs that are one
            pointwise kernel those of all sizes that are the same for all tensors, others those
            whose sizes are what they were in some calls, or vary where they varied there.
        shapes: the shapes of the tensors in these calls, in the order of the arguments; the call
            that is compiled for comes last.

    Raises:
        Unsupported: something in the graph has no native form, with the reason.
    """
    if not objects.is_available():
        raise Unsupported("objects of this interpreter do not lie in memory as native code expects")
    if reshapes(graph):
        raise Unsupported("a tensor is given another shape in place")
    if not any_size:
        emitter, text = _for_these(graph, inputs, callback_of)
    else:
        emitter, text = _for_any_size(graph, inputs, shapes, callback_of)
    frame = emitter.frame
    table = (ctypes.py_object * max(len(emitter.table), 1))(*emitter.table)
    imports = addresses_of(emitter.used.keys() - emitter.addresses.keys()) | emitter.addresses
    imports[TABLE] = ctypes.addressof(table)
    library = compile_module(text, [ENTRY], imports)
    kept = (table, emitter.table, emitter.kept, emitter.block_memory, objects.library(), library)
    function = builtin_function(graph.name or "graph", library.addresses[ENTRY], kept)
    is_flat = isinstance(emitter, FlatEmitter)
    guards = [*frame.guards, *(WrittenGuard(value.name) for value in frame.written)]
    return StaticFunction(function, frame.graph, guards, emitter.called_back, text, is_flat)


def _for_these(
    graph: Graph, inputs: Sequence[Any], callback_of: CallbackOf
) -> Code:
    """The code for these arguments; where ints decide sizes, for all if they are all that there
    is, else for just these.
    """
    ways = [partial(_fixed, graph, inputs, callback_of, each) for each in _to_fix(inputs, FIXED)]
    if len(ways) > 1 and not any(ty.has_tensors(value.type) for value in graph.inputs):
        ways.insert(1, partial(_varying, graph, inputs, [()], callback_of, ()))
    return _first_of(ways)


def _fixed(
    graph: Graph, inputs: Sequence[Any], callback_of: CallbackOf, fixed: Collection[type]
) -> Code:
    """The code for arguments of these layouts, with numbers of some classes fixed."""
    emitter = NativeEmitter(_frame(graph.copy(), inputs, fixed), callback_of)
    return emitter, emitter.emit()


def _first_of(ways: Sequence[Callable[[], Code]]) -> Code:
    """What the first way gives that is supported; the last one says why there is none."""
    *first, last = ways
    for way in first:
        with suppress(Unsupported):
            return way()
    return last()


def _to_fix(
    inputs: Sequence[Any], ways: Sequence[Collection[type]]
) -> Sequence[Collection[type]]:
    """Of what classes numbers are fixed, one way after the other: those that there are."""
    present = classes_in(list(inputs))
    return [*dict.fromkeys(frozenset(present.intersection(fixed)) for fixed in ways)]


def _frame(graph: Graph, inputs: Sequence[Any], fixed: Collection[type] = ()) -> Frame:
    """Specialise a graph for these arguments, and plan it."""
    return _planned(graph, guard_inputs(graph, inputs, fixed=fixed))


def _for_any_size(
    graph: Graph, inputs: Sequence[Any], shapes: Sequence[Shapes], callback_of: CallbackOf
) -> Code:
    """The code of a function that takes tensors of other sizes too."""
    try:
        flat = FlatEmitter(_flat_frame(graph.copy(), inputs), callback_of)
        return flat, flat.emit()
    except Unsupported:
        if not shapes:
            raise
    classes = _to_fix(inputs, FIXED[:2])
    return _first_of([partial(_varying, graph, inputs, shapes, callback_of, c) for c in classes])


def _varying(
    graph: Graph,
    inputs: Sequence[Any],
    shapes: Sequence[Shapes],
    callback_of: CallbackOf,
    fixed: Collection[type],
) -> Code:
    """The code of a function for sizes that vary, with numbers of some classes fixed."""
    frames, smallest, counts = _varying_frames(graph.copy(), inputs, shapes, fixed)
    emitters = [VaryingEmitter(frame, callback_of, smallest, counts) for frame in frames]
    first, second = [emitter.emit() for emitter in emitters]
    if first != second:
        raise Unsupported("its code depends on sizes")
    return emitters[0], first


def _varying_frames(
    graph: Graph, inputs: Sequence[Any], shapes: Sequence[Shapes], fixed: Collection[type]
) -> tuple[list[Frame], list[int], Sequence[Value]]:
    """The frames for two examples of sizes, from where on they hold, and the ints among them."""
    varying = find_varying(shapes)
    guards = varying_guards(guard_inputs(graph, inputs, fixed=fixed), varying.shapes)
    spell_out_sizes(graph)
    run_passes(graph, ["specialize"])
    spell_out_sizes(graph)
    run_passes(graph, ["refine"])
    _fuse(graph)
    tensors = [g for g in tensor_guards(guards) if isinstance(g, VaryingGuard)]
    counts, pairs = find_counts(graph), zip(guards, inputs, strict=True)
    varying = varying.counting({
        guard.value: given
        for guard, given in pairs
        if isinstance(guard, NumberGuard) and guard.value in counts
    })  # fmt: skip
    plans = plan_varying(graph, tensors, varying)
    _refuse_nothing_but_calls(plans[0])
    frames = [_frame_of(graph, guards, plan) for plan in plans]
    return frames, smallest_sizes(graph, tensors, varying, plans[0]), varying.counts


def _flat_frame(graph: Graph, inputs: Sequence[Any]) -> Frame:
    """The same for tensors of any sizes."""
    if graph.find(LOOP):
        raise Unsupported("a loop is more than a kernel")
    frame = _planned(graph, flat_guards(guard_inputs(graph, inputs)))
    check_flat(graph, frame.plan)
    return frame


def _planned(graph: Graph, guards: Sequence[Guard]) -> Frame:
    run_passes(graph, ["specialize"])
    _fuse(graph)
    tensors = [g for g in tensor_guards(guards) if not isinstance(g, VaryingGuard)]
    plan = _plan(graph, {guard.value: guard.form for guard in tensors})
    settle_products(graph, plan)
    _refuse_nothing_but_calls(plan)
    frame = _frame_of(graph, guards, plan)
    frame.storage.place()
    return frame


def _fuse(graph: Graph) -> None:
    """Part writes, let groups be kernels, and types say which results require gradients.

    Raises:
        Unsupported: that is not known, or a node runs in Python only.
    """
    _prepare_writes(graph)
    try:
        mark_gradients(graph)
    except UndecidedGradient as reason:
        raise Unsupported(str(reason)) from None
    fuse_nodes(graph, static=True)
    bring_groups_to_copies(graph)
    _refuse_callbacks(graph)


def _frame_of(graph: Graph, guards: Sequence[Guard], plan: Plan) -> Frame:
    """What a function with this plan is compiled from; its memory has no places yet."""
    storage = find_storage(graph, plan)
    leaving = find_exits(graph, plan, storage)
    written = written_inputs(graph, plan, storage)
    refuse_restarts(graph, plan, leaving, effects_of(plan, storage, written))
    torch = [g for g in tensor_guards(guards) if not ty.is_array(g.value.type)]
    gives_arrays = bool(torch) and all(guard.is_raw for guard in torch)
    return Frame(graph, plan, storage, guards, leaving, gives_arrays, written)


def _prepare_writes(graph: Graph) -> None:
    """Part writes into what is computed and copies, and let nobody write what calls share."""
    run_passes(graph, ["writes"])
    own_written(graph, CREATIONS)


def _plan(graph: Graph, forms: dict[Value, Form]) -> Plan:
    """The plan of a graph. Groups that kernels refuse are dissolved; a single row that reads or
    writes at computed places is called then.
    """
    while True:
        try:
            return Planner(forms).plan(graph)
        except UnsupportedGroup as reason:
            rows = [node.op for node in reason.group.attributes[SUBGRAPH].walk() if node.op]
            if len(rows) == 1 and rows[0].full_name not in REACHING:
                raise
            dissolve_group(reason.group, regroup=len(rows) > 1)


def _refuse_nothing_but_calls(plan: Plan) -> None:
    """Calls of kernels cost what they cost in the interpreter."""
    kinds = {type(action) for action in plan.actions.values()}
    if Call in kinds and not kinds & {Run, Multiply}:
        raise Unsupported("it only calls kernels")


def _refuse_callbacks(graph: Graph) -> None:
    """Python called back costs what the interpreter costs, and its effects would forbid MISS. What
    ends in an exception may do so.
    """
    for node in graph.walk():
        if node.kind == REQUIRE or touches_tensors(node):
            continue
        if is_machine_code(node) or _ends_in_exception(node):
            continue
        raise Unsupported(f"{node.kind} is not machine code ({node.span})")


def _ends_in_exception(node: Node) -> bool:
    """Whether an exception is raised for sure after a node, and nothing else can be seen of it
    where a handler of the graph may go on.
    """
    is_harmless = node.kind == RAISE or is_pure(node) or not is_protected(node.block)
    return is_harmless and any(beside.kind == RAISE for beside in node.block.nodes)
