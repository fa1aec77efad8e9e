"""A graph planned for tensors whose sizes vary from call to call.

Some dimensions of the arguments have a size of their own in each call, the *varying* ones; all else
is as in a static version. The types in the graph leave these sizes open, so no pass decides
anything by them. The planner needs numbers, so it plans several *examples* of sizes, and what its
plans have in common, with numbers learned as amounts (`amounts.py`), is the plan for all sizes from
`Varying.smallest` on.

That the examples stand for all sizes is as in `sizes.py`: the first has its sizes in increasing
order, the second in decreasing order and beyond all numbers of the graph, a third is as small as
can be.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from math import prod
from typing import Any

from ..fuser.partition import SUBGRAPH, dissolve_group
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import Graph, Node, Value, create_node
from ..ir.opdef import OPS
from ..passes.propagate_constants import computed, materialize
from .actions import Action, Length, Nothing, OpenMultiply, Plan, Run
from .amounts import Learner, value_for
from .forms import Form, contiguous, form_of, same_places
from .fused import FusedKernel, run_reference
from .guards import VaryingGuard
from .launch import Call, Launch
from .planner import Planner, UnsupportedGroup, settled
from .rows import product_of_any_size
from .schedule import scratch_bytes
from .sizes import ENDLESS, examples, numbers_in

Shapes = Sequence[tuple[int, ...]]
"""The shapes of all tensors among some arguments, in order."""

MAX_VARYING = 8
LARGEST_PRIME = 1 << 10
"""The first example is near the sizes of a call up to here."""
LARGEST_NUMBER = 1 << 16
"""The second example has larger sizes than all numbers of the graph, which may not exceed this."""
_SIZE = next(op for op in OPS.overloads("aten::size") if op.full_name == "aten::size.int")


# Which sizes vary ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Varying:
    """The varying sizes of some tensors.

    Attributes:
        shapes: those of the tensors; a dimension that varies has the number of its size instead,
            counted down from -1. Dimensions whose sizes were always the same have one number.
        sizes: those of one call.
    """

    shapes: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    def shapes_for(self, sizes: Sequence[int]) -> list[tuple[int, ...]]:
        """The shapes with these sizes."""
        return [tuple(sizes[-1 - n] if n < 0 else n for n in shape) for shape in self.shapes]


def find_varying(seen: Sequence[Shapes]) -> Varying:
    """What varies between the shapes of some calls, the last of which is being compiled for.

    Raises:
        Unsupported: nothing does, or too much.
    """
    last = seen[-1]
    ranks = [len(shape) for shape in last]
    alike = [shapes for shapes in seen if [len(shape) for shape in shapes] == ranks]
    numbers: dict[tuple[int, ...], int] = {}
    found: list[tuple[int, ...]] = []
    for tensor, shape in enumerate(last):
        columns = [tuple(shapes[tensor][d] for shapes in alike) for d in range(len(shape))]
        found.append(tuple(
            numbers.setdefault(column, -1 - len(numbers)) if len(set(column)) > 1 else column[0]
            for column in columns
        ))  # fmt: skip
    if not 0 < len(numbers) <= MAX_VARYING:
        raise Unsupported(f"{len(numbers)} sizes vary")
    return Varying(tuple(found), tuple(column[-1] for column in numbers))


# Examples -----------------------------------------------------------------------------------------


def examples_for(graph: Graph, varying: Varying) -> tuple[list[int], list[int]]:
    """The two examples that numbers are learned from.

    Raises:
        Unsupported: a number of the graph is too large to go beyond.
    """
    numbers = list(numbers_in(graph))
    largest = max((abs(n) for n in numbers if abs(n) < ENDLESS), default=0)
    if largest > LARGEST_NUMBER:
        raise Unsupported(f"the number {largest}, which may be compared with a size")
    near = [min(size, LARGEST_PRIME) for size in varying.sizes]
    return examples(near, numbers, (n for shape in varying.shapes for n in shape if n > 0))


# Planning -----------------------------------------------------------------------------------------


class ExamplePlanner(Planner):
    """Plans a graph for one example.

    Args:
        forms: of the tensor inputs.
        like: an earlier plan, whose kernels are taken over.
        needs_kernels: else only forms are found out.
    """

    def __init__(
        self, forms: dict[Value, Form], like: Plan | None = None, *, needs_kernels: bool = True
    ) -> None:
        super().__init__(forms)
        self.like = like
        self.needs_kernels = needs_kernels
        self.numbers: dict[Value, int] = {}

    def other(self, node: Node) -> None:
        """Ints that are made of sizes are known in an example."""
        arguments = [self.known(value) for value in node.inputs]
        if node.op is None or len(node.outputs) != 1 or node.output.type is not ty.INT:
            return
        if None not in arguments:
            found = computed(node, arguments)
            self.numbers.update({} if found is None else {node.output: found[0]})

    def known(self, value: Value) -> int | None:
        """An int, if it is known in the example."""
        if value.type is ty.INT and value.is_constant:
            number: int = value.constant()
            return number
        return self.numbers.get(value)

    def given(self, value: Value) -> Any:
        found = self.numbers.get(value)
        return super().given(value) if found is None else found

    def group_argument(self, outer: Value, inner: Value) -> Any:
        found = self.numbers.get(outer)
        return super().group_argument(outer, inner) if found is None else found

    def group(self, node: Node) -> Action:
        if self.needs_kernels:
            return super().group(node)
        graph: Graph = node.attributes[SUBGRAPH]
        arguments = [self.group_argument(outer, inner) for outer, inner in zip(
            node.inputs, graph.inputs, strict=True)]  # fmt: skip
        try:
            results = run_reference(graph, arguments)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise Unsupported(f"small sizes: {error}") from None
        for output, array in zip(node.outputs, results, strict=True):
            self.define(output, form_of(array))
        return Nothing()

    def launch_for(self, node: Node, arguments: Sequence[Any]) -> Launch | str:
        before = None if self.like is None else self.like.actions[node]
        like = before.launch if isinstance(before, Run) else None
        return FusedKernel(node.attributes[SUBGRAPH]).prepared(arguments, like)

    def multiply(self, action: OpenMultiply) -> Action:
        return action

    def size(self, node: Node) -> Length:
        action = super().size(node)
        self.numbers[node.output] = action.count
        return action

    def call(self, node: Node) -> Action:
        raise Unsupported(f"{node.kind} of tensors whose sizes vary ({node.span})")


def plan_varying(graph: Graph, guards: Sequence[VaryingGuard], varying: Varying) -> list[Plan]:
    """The plan of a graph, twice: its amounts have as ints the values of one example or the other.

    Raises:
        Unsupported: something in the graph has no native form, or no form for all sizes.
    """
    examples = examples_for(graph, varying)
    plans = _example_plans(graph, guards, varying, examples)
    return [
        _Common(Learner(order)).plan(ordered)
        for order, ordered in ((examples, plans), (examples[::-1], plans[::-1]))
    ]


def _example_plans(
    graph: Graph,
    guards: Sequence[VaryingGuard],
    varying: Varying,
    examples: Sequence[Sequence[int]],
) -> list[Plan]:
    """The plans of two examples. Groups that kernels refuse are dissolved."""
    while True:
        try:
            first = ExamplePlanner(forms_for(guards, varying, examples[0])).plan(graph)
            forms = forms_for(guards, varying, examples[1])
            return [first, ExamplePlanner(forms, first).plan(graph)]
        except UnsupportedGroup as reason:
            if sum(node.op is not None for node in reason.group.attributes[SUBGRAPH].walk()) < 2:
                raise
            dissolve_group(reason.group)


def forms_for(
    guards: Sequence[VaryingGuard], varying: Varying, sizes: Sequence[int]
) -> dict[Value, Form]:
    """The forms of tensor arguments with these sizes."""
    shapes = varying.shapes_for(sizes)
    return {
        guard.value: contiguous(guard.dtype, shape)
        for guard, shape in zip(guards, shapes, strict=True)
    }


def smallest_size(
    graph: Graph, guards: Sequence[VaryingGuard], varying: Varying, plan: Plan
) -> int:
    """The size from which on a plan holds, 1 or 2.

    Raises:
        Unsupported: it holds for neither.
    """
    reason = Unsupported("small sizes")
    for size in (1, 2):
        sizes = [size] * len(varying.sizes)
        try:
            planner = ExamplePlanner(forms_for(guards, varying, sizes), needs_kernels=False)
            found = planner.plan(graph).forms
        except Unsupported as error:
            reason = error
            continue
        if all(same_places(form, _form_at(plan.forms[v], sizes)) for v, form in found.items()):
            return size
    raise reason


def _form_at(form: Form, sizes: Sequence[int]) -> Form:
    shape, strides = (
        tuple(value_for(n, sizes) for n in numbers) for numbers in (form.shape, form.strides)
    )
    return Form(form.dtype, shape, strides)


# What plans have in common ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Common:
    """Makes one of what was found for each example."""

    learner: Learner

    def plan(self, plans: Sequence[Plan]) -> Plan:
        first = plans[0]
        for each in plans:
            if each.forms.keys() != first.forms.keys() or each.displays != first.displays:
                raise Unsupported("what is computed depends on sizes")
        for value, array in first.constants.items():
            others = [plan.constants[value] for plan in plans]
            if any(not _same_bytes(array, other) for other in others):
                raise Unsupported(f"a constant tensor whose size varies ({value.node.span})")
        forms = {v: self.common([plan.forms[v] for plan in plans]) for v in first.forms}
        actions = {n: self.common([plan.actions[n] for plan in plans]) for n in first.actions}
        return Plan(forms, actions, first.constants, first.displays)

    def common(self, found: Sequence[Any]) -> Any:
        """One for all of these, which differ in numbers only."""
        first = found[0]
        if all(each is first for each in found):
            return first
        if any(type(each) is not type(first) for each in found):
            raise Unsupported("what is done depends on sizes")
        if isinstance(first, OpenMultiply):
            action = self.fields(found)
            product = product_of_any_size(action.spec, b_is_reused=action.packing is not None)
            return settled(action, product)
        if type(first) is int:
            return self.learner.amount(found)
        if isinstance(first, tuple | list | ctypes.Array):
            if len({len(each) for each in found}) != 1:
                raise Unsupported("how much is done depends on sizes")
            made = [self.common(parts) for parts in zip(*found, strict=True)]
            return made if isinstance(first, list) else tuple(made)
        if isinstance(first, Call):
            return self.call(found)
        if is_dataclass(first) and not isinstance(first, type) and not _is_fixed(first):
            return self.fields(found)
        if any(each is not first and each != first for each in found):
            raise Unsupported("what is done depends on sizes")
        return first

    def fields(self, found: Sequence[Any]) -> Any:
        """One object for these, whose fields are what theirs have in common."""
        names = [field.name for field in fields(found[0])]
        parts = {name: self.common([getattr(each, name) for each in found]) for name in names}
        return replace(found[0], **parts)

    def call(self, calls: Sequence[Call]) -> Call:
        """A kernel's call. How its range is split is decided when it is called."""
        first = calls[0]
        if any(call.kernel is not first.kernel for call in calls):
            raise Unsupported("which kernel runs depends on sizes")
        names = ("places", "space", "sizes", "strides", "count", "grain")
        parts = {name: self.common([getattr(call, name) for call in calls]) for name in names}
        layout, lanes = first.kernel.layout, first.kernel.shape.lanes
        length = prod(parts["sizes"][layout.rank - layout.row_rank : layout.rank])
        scratch = scratch_bytes(first.kernel.plan, length, lanes, layout.across > 0)
        return replace(first, **parts, scratch=scratch, chunk=0)


def _is_fixed(value: Any) -> bool:
    """Whether something is the same object in all plans: it belongs to the graph."""
    return isinstance(value, Value | Node)


def _same_bytes(array: Any, other: Any) -> bool:
    same = array is other or (array.dtype == other.dtype and array.shape == other.shape)
    return same and (array is other or array.tobytes() == other.tobytes())


# Sizes in the graph -------------------------------------------------------------------------------


def spell_out_sizes(graph: Graph) -> None:
    """`x.shape` becomes the sizes that are read from it, each for itself.

    %s : Sequence(int) = aten::size(%x)        %zero : int = prim::Constant[value=0]()
    %n : int, %m : int = prim::ListUnpack(%s)  %n : int = aten::size(%x, %zero)
                                          ->   %one : int = prim::Constant[value=1]()
                                               %m : int = aten::size(%x, %one)
    """
    for node in graph.find("aten::size"):
        type_ = node.inputs[0].type
        if len(node.inputs) != 1 or not isinstance(type_, ty.TensorType) or type_.rank is None:
            continue
        for use in list(node.output.uses):
            _read_each(use.node, node.inputs[0], type_.rank)
        if not node.output.uses:
            node.destroy()


def _read_each(reader: Node, tensor: Value, rank: int) -> None:
    """Let what reads a shape read single sizes."""
    if reader.kind == "prim::ListUnpack" and len(reader.outputs) == rank:
        dims = list(range(rank))
    elif reader.kind == "aten::__getitem__" and reader.inputs[1].constant() in range(-rank, rank):
        dims = [reader.inputs[1].constant()]
    else:
        return
    for output, dim in zip(reader.outputs, dims, strict=True):
        inputs = (tensor, materialize(dim, ty.INT, reader))
        made = create_node("aten::size", inputs, [ty.INT], op=_SIZE, span=reader.span)
        made.callstack = reader.callstack
        output.replace_all_uses_with(made.insert_before(reader).output)
    reader.destroy()
