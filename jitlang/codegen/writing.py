"""Writes to tensors that others see: which action each becomes, and what must hold for them.

A write goes to the memory that its target shows, at once, so whoever looks at that memory later
sees it. Copies of a tensor would not: a loop must not carry one whose memory is written. Arguments
that are written must be writable, and no other tensor of the call may share their memory; where
that is not so, the function returns MISS before it has done anything. Each write counts as one to
the `Tensor` that was passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..dtypes import DType
from ..fuser.draws import DRAWS
from ..fuser.lower import CASTS, VIEWS
from ..fuser.partition import FUSION_GROUP, SUBGRAPH
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Graph, Node, Value, create_node
from ..ir.opdef import OPS, Effect
from ..passes.alias import AliasAnalysis
from ..passes.spell_out_writes import COPY, is_same_view, owner_of
from .actions import LIST, Action, Assign, Part, Plan, Reserve, Run, Store, Write, is_tensor
from .forms import Form, same_places
from .storage import Buffer, Storage
from .subscripts import pointed

if TYPE_CHECKING:
    from .planner import Planner

_PLAIN = CASTS | VIEWS | DRAWS.keys()
_KINDS: dict[ty.Type, dtypes.Category] = {
    ty.FLOAT: dtypes.Category.FLOATING,
    ty.INT: dtypes.Category.INTEGRAL,
    ty.BOOL: dtypes.Category.BOOL,
}


# Actions ------------------------------------------------------------------------------------------


def copied_into(planner: Planner, node: Node) -> Action:
    """`aten::copy_`."""
    target, source = node.inputs[:2]
    form = planner.form(target)
    _refuse_repeated(form, node)
    part = _part(planner, node, source, form, 0)
    if _may_lie_there(planner, node):
        planner.found.there[source] = target
    return Write(target, part)


def filled(planner: Planner, node: Node) -> Action:
    """`aten::fill_` with a number."""
    target, number = node.inputs
    form = planner.form(target)
    _refuse_repeated(form, node)
    check_number(number, form.dtype, node)
    return Assign(target, 0, form, number)


def zeroed(planner: Planner, node: Node) -> Action:
    """`aten::zero_`."""
    (target,) = node.inputs
    _refuse_repeated(planner.form(target), node)
    return Assign(target, 0, planner.form(target), None)


def stored_by_numpy(planner: Planner, node: Node) -> Action:
    """An assignment to a subscript of numbers, and of slices that are known."""
    target, value, key, *parts = node.inputs
    return _stored(planner, node, target, value, key.constant(), parts)


def stored_item_by_numpy(planner: Planner, node: Node) -> Action:
    """The same for one or two numbers."""
    target, *parts, value = node.inputs
    return _stored(planner, node, target, value, "i" * len(parts), parts)


def _stored(
    planner: Planner, node: Node, target: Value, value: Value, letters: Any, parts: Sequence[Value]
) -> Action:
    if not planner.form(target).shape:
        raise Unsupported(f"{node.kind} to what may be a scalar ({node.span})")
    shown = pointed(planner, node, target, letters, parts)
    _refuse_repeated(planner.form(target) if shown.indices else shown.form, node)
    if is_tensor(value):
        part = _part(planner, node, value, shown.form, shown.offset)
        return Store(target, part, shown.indices) if shown.indices else Write(target, part)
    check_number(value, shown.form.dtype, node, may_raise=True)
    return Assign(target, shown.offset, shown.form, value, shown.indices)


def _part(planner: Planner, node: Node, source: Value, written: Form, offset: int) -> Part:
    """What is copied to where."""
    if not is_tensor(source):
        raise Unsupported(f"{node.kind} of a {source.type} ({node.span})")
    read = planner.form(source)
    if read.dtype is not written.dtype:
        raise Unsupported(f"{node.kind} of another dtype ({node.span})")
    if len(read.shape) > len(written.shape):
        raise Unsupported(f"{node.kind} of more dimensions ({node.span})")
    try:
        strides = np.broadcast_to(planner.samples[source], written.shape).strides
    except ValueError as error:
        raise Unsupported(f"{node.kind} at {node.span}: {error}") from None
    return Part(offset, source, written.shape, written.strides, strides)


def check_number(number: Value, dtype: DType, node: Node, *, may_raise: bool = False) -> None:
    """Refuse numbers that would be converted in a way that can fail; `may_raise`: unless the code
    that runs may look.
    """
    kind = _KINDS.get(number.type)
    is_half = dtype in (dtypes.float16, dtypes.bfloat16)
    is_sure = may_raise or not may_overflow(number, dtype)
    fits = kind is not None and kind <= dtype.category and is_sure and not is_half
    if not fits or dtype.is_complex:
        raise Unsupported(f"{node.kind} of a {number.type} into {dtype.name} ({node.span})")


def may_overflow(number: Value, dtype: DType) -> bool:
    """Whether a number is an int that an integral dtype may not hold."""
    if number.type is not ty.INT or dtype.category is not dtypes.Category.INTEGRAL:
        return False
    limits = dtypes.iinfo(dtype)
    is_within = number.is_constant and limits.min <= number.constant() <= limits.max
    return dtype is not dtypes.int64 and not is_within


def _refuse_repeated(form: Form, node: Node) -> None:
    """Refuse to write where elements share memory."""
    extent = form.dtype.itemsize
    steps = sorted((abs(s), n) for s, n in zip(form.strides, form.shape, strict=True) if n > 1)
    for stride, size in steps:
        if stride < extent:
            raise Unsupported(f"{node.kind} to elements that share memory ({node.span})")
        extent = stride * (size - 1) + extent


# Where kernels write ------------------------------------------------------------------------------


def bring_groups_to_copies(graph: Graph) -> None:
    """Let groups whose results are copied to a tensor stand right before the copy, if only views
    and constants stand between: a kernel may then write there itself.
    """
    for copy in graph.find(COPY):
        group = copy.inputs[1].node
        if group.kind != FUSION_GROUP or group.block is not copy.block:
            continue
        between = copy.previous
        while between is not group and _is_quiet(between):
            between = between.previous
        if between is group and not any(use.node is not copy for use in copy.inputs[1].uses):
            group.move_before(copy)


def _is_quiet(node: Node) -> bool:
    """Whether it is the same before and after a group of which it reads nothing."""
    if node.kind == CONSTANT:
        return True
    if node.op is None or node.op.schema.is_mutable or not node.op.schema.returns:
        return False
    is_view = node.op.schema.returns[0].alias is not None and node.op.effect is Effect.NONE
    reads_group = any(value.node.kind == FUSION_GROUP for value in node.inputs)
    return is_view and not reads_group and all(value.is_constant for value in node.inputs[1:])


def _may_lie_there(planner: Planner, copy: Node) -> bool:
    """Whether the kernel that computes what is copied may write to the target itself: where it
    reads the memory of the target in the same places or not at all, and nothing can go wrong.
    """
    target, source = copy.inputs[:2]
    group, action = source.node, planner.found.actions.get(source.node)
    before = copy.previous
    while before.kind == CONSTANT:
        before = before.previous
    if before is not group or not isinstance(action, Run) or len(source.uses) != 1:
        return False
    if not same_places(planner.form(target), planner.form(source)) or not _cannot_fail(group):
        return False
    calls = action.launch.calls
    if len(calls) != 1 or calls[0].scratch or calls[0].kernel.plan.has_rows:
        return False
    near = [v for v in group.inputs if is_tensor(v) and not _is_elsewhere(v, target)]
    return not near or (_is_elementwise(group) and all(is_same_view(v, target) for v in near))


def _cannot_fail(group: Node) -> bool:
    """Whether no kernel of a group looks up indices or divides integers."""
    for node in group.attributes[SUBGRAPH].nodes:
        type_ = node.outputs[0].type
        dtype = type_.dtype if isinstance(type_, ty.TensorType) else dtypes.bool_
        is_plain = node.op is not None and (node.op.body is not None or node.op.full_name in _PLAIN)
        if node.kind not in (CONSTANT, LIST) and not is_plain:
            return False
        if dtype is None or not (dtype.is_floating_point or dtype is dtypes.bool_):
            return False
    return True


def _is_elementwise(group: Node) -> bool:
    """Whether each element of the result depends on elements in the same place only."""
    return not any(n.op is not None and n.op.full_name in VIEWS
                   for n in group.attributes[SUBGRAPH].nodes)  # fmt: skip


def _is_elsewhere(value: Value, target: Value) -> bool:
    """Whether two tensors certainly lie in different memory."""
    own, other, inputs = owner_of(value), owner_of(target), value.node.graph.block.param_node
    is_fresh = own.node.op is not None or own.node.kind == FUSION_GROUP
    are_inputs = own.node is inputs and other.node is inputs
    return own is not other and (is_fresh or are_inputs)


# Graphs -------------------------------------------------------------------------------------------


def own_written(graph: Graph, creations: frozenset[str]) -> None:
    """Give tensors that are created with known elements memory of their own where it is written:
    else all calls share it.
    """
    analysis = AliasAnalysis(graph)
    made = [n for n in graph.walk() if n.op is not None and n.op.full_name in creations]
    for node in made:
        if analysis.is_written(node.output):
            _insert_clone(node)


def _insert_clone(node: Node) -> None:
    uses = list(node.output.uses)
    none = create_node(CONSTANT, (), [ty.NONE], span=node.span)
    clone = create_node("aten::clone", [node.output, none.output], [node.output.type],
        op=OPS.find("aten::clone"), span=node.span)  # fmt: skip
    clone.callstack = node.callstack
    none.insert_before(node.next)
    clone.insert_before(none.next)
    for use in uses:
        use.node.replace_input(use.index, clone.output)


def written_inputs(graph: Graph, plan: Plan, storage: Storage) -> frozenset[Value]:
    """The inputs of a graph whose memory is written.

    Raises:
        Unsupported: it cannot be told whose memory is written, or somebody would not see it.
    """
    written = _written_buffers(plan, storage)
    for loop, first, last in _carried(graph):
        if any(storage.roots.get(value, frozenset()) & written for value in (first, last)):
            raise Unsupported(f"a loop carries a tensor that is written ({loop.span})")
    for value in plan.constants:
        if storage.roots[value] & written:
            raise Unsupported(f"a constant is written ({value.node.span})")
    inputs = [v for v in graph.inputs if storage.roots.get(v, frozenset()) & written]
    constants = [v for v in plan.constants if v.node.kind == CONSTANT]
    if inputs and constants:
        raise Unsupported("a constant may share the memory of an argument that is written")
    return frozenset(inputs)


def _written_buffers(plan: Plan, storage: Storage) -> frozenset[Buffer]:
    found: set[Buffer] = set()
    for node, action in plan.actions.items():
        if not isinstance(action, Write | Assign | Store):
            continue
        roots = storage.roots[action.target]
        if len(roots) != 1:
            raise Unsupported(f"one of several tensors is written ({node.span})")
        found |= roots
    return frozenset(found)


def _carried(graph: Graph) -> Iterator[tuple[Node, Value, Value]]:
    """Loops with what they begin with and what each trip ends with."""
    for loop in graph.find(LOOP):
        for first, last in zip(loop.inputs[2:], loop.blocks[0].outputs[1:], strict=True):
            yield loop, first, last


def effects_of(plan: Plan, storage: Storage, inputs: frozenset[Value]) -> frozenset[Node]:
    """The nodes that can be seen from outside."""
    memory = frozenset().union(*(storage.roots[value] for value in inputs))

    def is_effect(action: Any) -> bool:
        if isinstance(action, Write | Assign | Store):
            return bool(storage.roots[action.target] & memory)
        return isinstance(action, Reserve)

    return frozenset(node for node, action in plan.actions.items() if is_effect(action))
