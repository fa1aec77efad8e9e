"""A graph planned for tensors whose sizes vary from call to call.

Some dimensions of the arguments have a size of their own in each call, the *varying* ones; all else
is as in a static version. The types in the graph leave these sizes open, so no pass decides
anything by them. The planner needs numbers, so it plans several *examples* of sizes, and what its
plans have in common, with numbers learned as amounts (`amounts.py`), is the plan for all sizes from
small ones on (`smallest_sizes`).

Ints that are given, and that decide the sizes of what is computed, are such sizes themselves.

That the examples stand for all sizes is as in `sizes.py`: the first has its sizes in increasing
order, the second in decreasing order and beyond all numbers of the graph, a third is as small as
can be.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from math import prod
from typing import Any

from .. import dtypes
from ..fuser.partition import SUBGRAPH, dissolve_group
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import Graph, Node, Value, create_node
from ..ir.opdef import OPS
from ..passes.propagate_constants import computed, materialize
from .actions import (
    LIST,
    Action,
    Allocate,
    Count,
    Fill,
    Length,
    OpenMultiply,
    Pick,
    Plan,
    Run,
    Select,
    View,
    touches_tensors,
)
from .amounts import Amount, Learner, value_for
from .forms import Form, contiguous, form_of, same_places
from .fused import FusedKernel
from .guards import VaryingGuard
from .launch import Call, Launch, Place
from .planner import FILLED, UNSET, Planner, UnsupportedGroup
from .rows import product_of_any_size
from .schedule import scratch_bytes
from .sizes import ENDLESS, first_example, numbers_in, second_example

Shapes = Sequence[tuple[int, ...]]
"""The shapes of all tensors among some arguments, in order."""

MAX_VARYING = 8
SMALLEST = (1, 2, 3, 4, 8, 16)
"""From which size on a plan may hold."""
LARGEST_PRIME = 1 << 10
"""The first example is near the sizes of a call up to here."""
LARGEST_NUMBER = 1 << 16
"""The second example has larger sizes than all numbers of the graph, which may not exceed this."""
_ARITHMETIC = frozenset(("aten::add.int", "aten::sub.int", "aten::mul.int", "aten::neg.int"))
_COUNTED = "aten::arange"
_INTS = (dtypes.int64, dtypes.int32)
_SHAPING = FILLED | {
    _COUNTED,
    "aten::view", "aten::reshape", "aten::expand", "aten::flatten", "aten::unflatten", "aten::size",
}  # fmt: skip
_SIZE = next(op for op in OPS.overloads("aten::size") if op.full_name == "aten::size.int")


# Which sizes vary ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Varying:
    """The varying sizes of some tensors.

    Attributes:
        shapes: those of the tensors; a dimension that varies has the number of its size instead,
            counted down from -1. Dimensions whose sizes were always the same have one number.
        sizes: those of one call.
        counts: ints among the inputs of a graph that are sizes too, the last ones.
    """

    shapes: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]
    counts: tuple[Value, ...] = ()

    def shapes_for(self, sizes: Sequence[int]) -> list[tuple[int, ...]]:
        """The shapes with these sizes."""
        return [tuple(sizes[-1 - n] if n < 0 else n for n in shape) for shape in self.shapes]

    def numbers_for(self, sizes: Sequence[int]) -> dict[Value, int]:
        """The ints with these sizes."""
        return dict(zip(self.counts, sizes[len(sizes) - len(self.counts) :], strict=True))

    def counting(self, counts: Mapping[Value, int]) -> Varying:
        """The same with ints of a call.

        Raises:
            Unsupported: nothing varies, or too much.
        """
        made = replace(self, sizes=(*self.sizes, *counts.values()), counts=tuple(counts))
        if not 0 < len(made.sizes) <= MAX_VARYING:
            raise Unsupported(f"{len(made.sizes)} sizes vary")
        return made


def find_varying(seen: Sequence[Shapes]) -> Varying:
    """What varies between the shapes of some calls, the last of which is being compiled for."""
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
    return Varying(tuple(found), tuple(column[-1] for column in numbers))


def find_counts(graph: Graph) -> frozenset[Value]:
    """The ints among a graph's inputs that decide, in sums and products, sizes of new tensors."""
    found: set[Value] = set()
    made = [n for n in graph.walk() if n.op is not None and n.op.name in FILLED | UNSET]
    lists = [value for node in made for value in node.inputs if value.node.kind == LIST]
    work = [size for value in lists for size in value.node.inputs]
    work += [n.inputs[0] for n in graph.walk() if n.op is not None and n.op.full_name == _COUNTED]
    while work:
        value = work.pop()
        node = value.node
        if value in graph.inputs and value.type is ty.INT:
            found.add(value)
        elif node.op is not None and node.op.full_name in _ARITHMETIC:
            work += node.inputs
    return frozenset(found)


# Examples -----------------------------------------------------------------------------------------


def _compared(graph: Graph, first: Sequence[int], plan: Plan) -> list[int]:
    """What sizes may be compared with: all numbers of a graph, and where sizes that it reads reach
    rows that may cut by them, those that do not vary in the plan of the first example. A group may
    see a tensor in other shapes, so numbers of elements count too.

    Raises:
        Unsupported: the second example could not be larger.
    """
    found = [n for n in numbers_in(graph) if abs(n) < ENDLESS]
    if _cuts_by_sizes(graph):
        for form in plan.forms.values():
            fixed = [size for size in form.shape if all(size % prime for prime in first)]
            found += [*fixed, prod(fixed)]
    largest = max(map(abs, found), default=0)
    if largest > LARGEST_NUMBER:
        raise Unsupported(f"the number {largest}, which may be compared with a size")
    return found


def _cuts_by_sizes(graph: Graph) -> bool:
    """Whether ints that are not written in a graph reach rows that do more than shape by them."""
    for node in graph.walk():
        if SUBGRAPH in node.attributes and _cuts_by_sizes(node.attributes[SUBGRAPH]):
            return True
        if node.op is None or node.op.body is not None or node.op.name in _SHAPING:
            continue
        if touches_tensors(node) and any(map(_is_open, node.inputs)):
            return True
    return False


def _is_open(value: Value) -> bool:
    """Whether a value is, or is a list with, an int that is not written in the graph."""
    parts = value.node.inputs if value.node.kind == LIST else [value]
    return any(part.type is ty.INT and not part.is_constant for part in parts)


# Planning -----------------------------------------------------------------------------------------


class ExamplePlanner(Planner):
    """Plans a graph for one example.

    Args:
        forms: of the tensor inputs.
        numbers: ints among the inputs, known in the example.
        like: an earlier plan, whose kernels are taken over.
        compiles: else the kernels of that plan stand for all others.
    """

    def __init__(
        self,
        forms: dict[Value, Form],
        numbers: dict[Value, int],
        like: Plan | None = None,
        *,
        compiles: bool = True,
    ) -> None:
        super().__init__(forms)
        self.like = like
        self.compiles = compiles
        self.numbers = numbers

    def other(self, node: Node) -> None:
        """Sums and products of sizes are known in an example."""
        if node.op is None or node.op.full_name not in _ARITHMETIC:
            return
        arguments = [self.known(value) for value in node.inputs]
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

    def launch_for(self, node: Node, arguments: Sequence[Any]) -> Launch | str:
        before = None if self.like is None else self.like.actions[node]
        like = before.launch if isinstance(before, Run) else None
        group = FusedKernel(node.attributes[SUBGRAPH])
        return group.prepared(arguments, like, compiles=self.compiles)

    def size(self, node: Node) -> Length:
        action = super().size(node)
        self.numbers[node.output] = action.size
        return action

    def numel(self, node: Node) -> Length:
        action = super().numel(node)
        self.numbers[node.output] = action.size
        return action

    def creation(self, node: Node) -> Action:
        """What is filled with one number, or not at all, or counted, can have any size."""
        assert node.op is not None
        is_counted = node.op.full_name == _COUNTED
        if not is_counted and node.op.name not in FILLED | UNSET:
            return super().creation(node)
        form = form_of(self.called(node))
        if is_counted and form.dtype not in _INTS:
            return super().creation(node)
        self.define(node.output, contiguous(form.dtype, form.shape))
        if is_counted:
            return Count(node.output)
        if node.op.name in UNSET:
            return Allocate(node.output)
        return Fill(node.output, self.called(node).reshape(-1)[:1].tobytes())

    def call(self, node: Node) -> Action:
        raise Unsupported(f"{node.kind} of tensors whose sizes vary ({node.span})")


def plan_varying(graph: Graph, guards: Sequence[VaryingGuard], varying: Varying) -> list[Plan]:
    """The plan of a graph, twice: its amounts have as ints the values of one example or the other.

    Raises:
        Unsupported: something in the graph has no native form, or no form for all sizes.
    """
    examples, plans = _example_plans(graph, guards, varying)
    return [
        _Common(Learner(order)).plan(ordered)
        for order, ordered in ((examples, plans), (examples[::-1], plans[::-1]))
    ]


def _example_plans(
    graph: Graph, guards: Sequence[VaryingGuard], varying: Varying
) -> tuple[list[list[int]], list[Plan]]:
    """The two examples that numbers are learned from, and their plans. Groups that kernels refuse
    are dissolved.
    """
    near = [min(size, LARGEST_PRIME) for size in varying.sizes]
    fixed = [size for shape in varying.shapes for size in shape if size > 0]
    first = first_example(near, [*fixed, *numbers_in(graph)])
    while True:
        try:
            plan = _planner(guards, varying, first).plan(graph)
            second = second_example(first, _compared(graph, first, plan))
            other = _planner(guards, varying, second, plan).plan(graph)
            return [first, second], [plan, other]
        except UnsupportedGroup as reason:
            if sum(node.op is not None for node in reason.group.attributes[SUBGRAPH].walk()) < 2:
                raise
            dissolve_group(reason.group)


def _planner(
    guards: Sequence[VaryingGuard], varying: Varying, sizes: Sequence[int],
    like: Plan | None = None, *, compiles: bool = True,
) -> ExamplePlanner:  # fmt: skip
    """What plans for an example of sizes."""
    forms, numbers = forms_for(guards, varying, sizes), varying.numbers_for(sizes)
    return ExamplePlanner(forms, numbers, like, compiles=compiles)


def forms_for(
    guards: Sequence[VaryingGuard], varying: Varying, sizes: Sequence[int]
) -> dict[Value, Form]:
    """The forms of tensor arguments with these sizes."""
    shapes = varying.shapes_for(sizes)
    return {
        guard.value: contiguous(guard.dtype, shape)
        for guard, shape in zip(guards, shapes, strict=True)
    }


def smallest_sizes(
    graph: Graph, guards: Sequence[VaryingGuard], varying: Varying, plan: Plan
) -> list[int]:
    """For each size that varies from where on a plan holds.

    Raises:
        Unsupported: it does not for small sizes.
    """

    def holds(sizes: Sequence[int]) -> bool:
        try:
            found = _planner(guards, varying, sizes, plan, compiles=False).plan(graph)
        except Unsupported:
            return False
        return _agree(plan, found, sizes)

    count = len(varying.sizes)
    for others in (SMALLEST[-1], None):
        found = [next((size for size in SMALLEST if holds(
            [others or size] * n + [size] + [others or size] * (count - n - 1))), 0)
            for n in range(count)]  # fmt: skip
        # Sizes that happen to be equal may be worked on together.
        apart = [size + place for place, size in enumerate(found)]
        if all(found) and (holds(found) or holds(apart)):
            return found
    raise Unsupported("small sizes")


def _agree(plan: Plan, found: Plan, sizes: Sequence[int]) -> bool:
    """Whether a plan is what was found for some sizes, in which nothing is empty."""
    if plan.there != found.there:
        return False
    for value, form in found.forms.items():
        if 0 in form.shape or not same_places(form, _at(plan.forms[value], sizes)):
            return False
    return all(
        _is_same(_at(action, sizes), found.actions[node])
        for node, action in plan.actions.items()
        if isinstance(action, View | Select | Pick | Length | Run)
    )


def _is_same(action: Action, found: Action) -> bool:
    """Whether two actions do the same; what lies between elements is nothing where there is one."""
    if isinstance(action, Select | Pick) and isinstance(found, Select | Pick):
        if len(action.indices) != len(found.indices):
            return False
        pairs = zip(action.indices, found.indices, strict=True)
        steps = [other if other.size == 1 == index.size else index for index, other in pairs]
        return type(action) is type(found) and action._replace(indices=tuple(steps)) == found
    if not isinstance(action, Run) or not isinstance(found, Run):
        return type(action) is type(found) and action == found
    mine, others = (
        [(call.space, call.places) for call in run.launch.calls] for run in (action, found)
    )
    return mine == others and not any(0 in space for space, _ in mine)


_WITH_NUMBERS = (Form, Launch, Call, Place)


def _at(found: Any, sizes: Sequence[int]) -> Any:
    """The same with numbers for some sizes."""
    if isinstance(found, Amount):
        return value_for(found, sizes)
    if isinstance(found, tuple):
        return _like(found, [_at(part, sizes) for part in found])
    if isinstance(found, list):
        return [_at(part, sizes) for part in found]
    if isinstance(found, _WITH_NUMBERS):
        names = [field.name for field in fields(found)]
        return replace(found, **{name: _at(getattr(found, name), sizes) for name in names})
    return found


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
        if any(each.there != first.there for each in plans):
            raise Unsupported("where kernels write depends on sizes")
        for value, array in first.constants.items():
            others = [plan.constants[value] for plan in plans]
            if any(not _same_bytes(array, other) for other in others):
                raise Unsupported(f"a constant tensor whose size varies ({value.node.span})")
        forms = {v: self.common([plan.forms[v] for plan in plans]) for v in first.forms}
        actions = {n: self.common([plan.actions[n] for plan in plans]) for n in first.actions}
        return Plan(forms, actions, first.constants, first.displays, first.there)

    def common(self, found: Sequence[Any]) -> Any:
        """One for all of these, which differ in numbers only."""
        first = found[0]
        if all(each is first for each in found):
            return first
        if any(type(each) is not type(first) for each in found):
            raise Unsupported("what is done depends on sizes")
        if isinstance(first, OpenMultiply):
            action = OpenMultiply(*map(self.common, zip(*found, strict=True)))
            product = product_of_any_size(action.spec, b_is_reused=action.packing is not None)
            return action.by(product)
        if type(first) is int:
            return self.learner.amount(found)
        if isinstance(first, tuple | list | ctypes.Array):
            if len({len(each) for each in found}) != 1:
                raise Unsupported("how much is done depends on sizes")
            made = [self.common(parts) for parts in zip(*found, strict=True)]
            return made if isinstance(first, list) else _like(first, made)
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


def _like(found: Any, parts: Sequence[Any]) -> Any:
    """Parts as a tuple of the class of another one."""
    return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)


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
    for node in [*graph.find("aten::size"), *graph.find("jit::shape")]:
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
