"""What becomes of the tensors that a native function returns.

A tensor that the function computes is written into an array of its own and returned; a view of one,
or of an argument, is a view of that array. What a loop or a branch left in the function's memory is
copied into a new array, which nobody can tell from it as long as no other result lies in the same
memory. An argument is returned itself. Where NumPy gives scalars, what has no dimensions leaves as
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import Enum

from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import CHOICES, LOOP, Graph, Node, Value
from .actions import Call, Plan, Select, View, is_tensor
from .storage import Storage


class Way(Enum):
    """How a tensor leaves."""

    ARGUMENT = "argument"
    ARRAY = "array"
    VIEW = "view"
    COPY = "copy"
    SCALAR = "scalar"


@dataclass(frozen=True, slots=True)
class Exit:
    """How one tensor leaves. `owner` is the fresh value or argument in whose array an ARRAY or VIEW
    lies.
    """

    way: Way
    owner: Value | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """How the results leave.

    Attributes:
        exits: by tensor.
        loops: loops of the outermost block that must have run for a copy to be right.
    """

    exits: dict[Value, Exit]
    loops: frozenset[Node]


def find_exits(graph: Graph, plan: Plan, storage: Storage) -> Leaving:
    """Decide how each tensor leaves, and keep what must not lie in the function's own memory.

    Raises:
        Unsupported: results share memory in a way that copies would show.
    """
    leaving = list(dict.fromkeys(_tensors(graph.outputs[0], plan)))
    exits = {value: _exit(value, graph, plan, storage) for value in leaving}
    copied = [value for value in leaving if exits[value].way is Way.COPY]
    for value in copied:
        others = (
            storage.roots[other]
            for other in leaving
            if other is not value and exits[other].way is not Way.SCALAR
        )
        if any(storage.roots[value] & roots for roots in others):
            raise Unsupported("two results share memory")
        if not plan.forms[value].is_dense:
            raise Unsupported("a result is a view of what a loop or a branch has left")
    _refuse_passed(copied, graph, plan, storage)
    for found in exits.values():
        if found.owner in storage.buffers:
            storage.keep(found.owner)
    return Leaving(exits, frozenset(_loops_of(copied, graph, storage)))


def refuse_restarts(graph: Graph, plan: Plan, leaving: Leaving, effects: Set[Node]) -> None:
    """Refuse functions that could give a call back, for the general code to begin anew, after they
    have had an effect.

    Args:
        effects: the nodes that can be seen from outside.

    Raises:
        Unsupported: with the reason.
    """
    has_effect = False
    for node in graph.block.nodes:
        is_effect = any(each in effects for each in node.walk())
        calls = any(isinstance(plan.actions.get(each), Call) for each in node.walk())
        if calls and (has_effect or is_effect):
            raise Unsupported(f"a row without native code is called after an effect ({node.span})")
        if node in leaving.loops and has_effect:
            raise Unsupported(f"a loop that may not run follows an effect ({node.span})")
        has_effect |= is_effect


def _tensors(value: Value, plan: Plan) -> Iterator[Value]:
    """The tensors in a result."""
    if value in plan.displays:
        for element in plan.displays[value]:
            yield from _tensors(element, plan)
    elif is_tensor(value):
        yield value
    elif ty.has_tensors(value.type):
        raise Unsupported("a list of views is returned")


def _exit(value: Value, graph: Graph, plan: Plan, storage: Storage) -> Exit:
    if value.node is graph.block.param_node:
        return Exit(Way.ARGUMENT)
    roots = storage.roots.get(value)
    if roots is None:
        raise Unsupported("a result that is never computed")
    arguments = [v for v in graph.inputs if storage.roots.get(v, frozenset()) & roots]
    form = plan.forms[value]
    # A row that had nothing to do gives its argument itself, others a view that looks like it.
    may_be_same = any(plan.forms[argument] == form for argument in arguments)
    if ty.is_array(value.type) and not form.shape and not may_be_same:
        return Exit(Way.SCALAR)
    if arguments:
        (argument, *others) = arguments
        if others or len(roots) != 1 or may_be_same:
            raise Unsupported("a result may be an argument")
        return Exit(Way.VIEW, argument)
    owners = [v for v, buffer in storage.buffers.items() if buffer in roots]
    if len(roots) != 1 or not owners or owners[0].node.block is not graph.block:
        return Exit(Way.COPY)
    (owner,) = owners
    return Exit(Way.ARRAY if owner is value else Way.VIEW, owner)


def _refuse_passed(values: list[Value], graph: Graph, plan: Plan, storage: Storage) -> None:
    """Refuse copies of what a loop carries where that may still be, or lie in, an argument."""
    arguments = frozenset().union(*(storage.roots.get(v, frozenset()) for v in graph.inputs))
    roots = frozenset().union(*(storage.roots[value] for value in values))
    for parameter, pair in storage.carried.items():
        body = parameter.node.block
        assert body.owner is not None
        start = storage.roots.get(body.owner.inputs[parameter.offset + 1], frozenset())
        is_copied = bool(roots & frozenset(pair)) and bool(start & arguments)
        if is_copied and _may_be(body.outputs[parameter.offset], parameter, plan):
            raise Unsupported("a result may be an argument")


def _may_be(value: Value, parameter: Value, plan: Plan) -> bool:
    """Whether a value at the end of a loop's body may be, or lie in, what it began with."""
    if value is parameter:
        return True
    node = value.node
    if node.kind in CHOICES:
        return any(_may_be(each.outputs[value.offset], parameter, plan) for each in node.blocks)
    if node.kind == LOOP:
        return _may_be(node.inputs[value.offset + 2], parameter, plan)
    action = plan.actions.get(node)
    return isinstance(action, View | Select) and _may_be(action.source, parameter, plan)


def _loops_of(values: list[Value], graph: Graph, storage: Storage) -> Iterator[Node]:
    """The loops whose variables leave, and which may not run at all."""
    roots = frozenset().union(*(storage.roots[value] for value in values))
    for parameter, pair in storage.carried.items():
        if not roots & frozenset(pair):
            continue
        loop = parameter.node.block.owner
        assert loop is not None and loop.kind == LOOP
        if is_certain(loop):
            continue
        if loop.block is not graph.block:
            raise Unsupported("the result of an inner loop that may not run is returned")
        yield loop


def is_certain(loop: Node) -> bool:
    """Whether a loop is known to make its first trip."""
    trips, going = loop.inputs[0].constant(), loop.inputs[1].constant()
    return trips is not None and trips > 0 and bool(going)
