"""What becomes of the tensors that a native function returns.

A tensor that the function computes is written into an array of its own and returned; a view of one,
or of an argument, is a view of that array. What a loop or a branch left in the function's memory is
copied into a new array, which nobody can tell from it as long as no other result lies in the same
memory; what the arms of a branch compute for it they write there at once. An argument is returned
itself, also where an arm gives it. Where NumPy gives scalars, what has no dimensions leaves as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import Enum

from ..fuser.partition import FUSION_GROUP, SUBGRAPH
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import CHOICES, LOOP, UNINITIALIZED, Graph, Node, Value
from .actions import Call, Plan, Select, View, is_tensor
from .forms import same_places
from .guards import requires_grad
from .storage import Storage

REQUIRE = "jit::require"
"""Gives a call back where a condition does not hold."""

SCALAR_IF = "jit::scalar_if"
"""A scalar where a condition holds, else a number."""


class Way(Enum):
    """How a tensor leaves."""

    ARGUMENT = "argument"
    ARRAY = "array"
    VIEW = "view"
    COPY = "copy"
    SCALAR = "scalar"


@dataclass(frozen=True, slots=True)
class Exit:
    """How one tensor leaves.

    Attributes:
        owner: the fresh value or argument in whose array an ARRAY or VIEW lies.
        written: what may leave as a COPY and is computed where that lies.
        arguments: the arguments that may leave instead of a COPY.
        is_copied: whether a COPY may be of something else.
    """

    way: Way
    owner: Value | None = None
    written: tuple[Value, ...] = ()
    arguments: tuple[Value, ...] = ()
    is_copied: bool = True


@dataclass(frozen=True, slots=True)
class Leaving:
    """How the results leave.

    Attributes:
        exits: by tensor.
        loops: loops that must have run, where they are come to, for a copy to be right.
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
    origins = _Origins(graph, plan)
    for value in copied:
        others = (other for other in leaving if exits[other].way is not Way.SCALAR)
        if any(origins.may_share(value, other) for other in others if other is not value):
            raise Unsupported("two results share memory")
        if not plan.forms[value].is_dense:
            raise Unsupported("a result is a view of what a loop or a branch has left")
    for found in exits.values():
        for kept in (found.owner, *found.written):
            if kept in storage.buffers:
                storage.keep(kept)
    computed = [leaf for value in copied for leaf in _leaves(value) if not is_input(leaf)]
    return Leaving(exits, frozenset().union(*map(origins.loops_to_run, computed)))


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
        if node.kind == REQUIRE and has_effect:
            raise Unsupported(f"a result may be a number, and an effect precedes ({node.span})")
        may_miss = any(each in leaving.loops for each in node.walk())
        if may_miss and (has_effect or is_effect):
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
    is_scalar = ty.is_array(value.type) and not form.shape and not _is_chosen(value)
    if is_scalar and not may_be_same:
        return Exit(Way.SCALAR)
    if value.node.kind in CHOICES and value.node.block is graph.block:
        return _joined_exit(value, plan, storage)
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


def _is_chosen(value: Value) -> bool:
    """Whether a value is what `np.where` gives, which makes arrays even of scalars."""
    if value.node.kind == FUSION_GROUP:
        return _is_chosen(value.node.attributes[SUBGRAPH].outputs[value.offset])
    return value.node.kind == "jit::numpy_where"


def _joined_exit(value: Value, plan: Plan, storage: Storage) -> Exit:
    """How what one of several blocks gives leaves."""
    leaves = set(_leaves(value))
    arguments = tuple(leaf for leaf in leaves if is_input(leaf))
    tensors = [v for v in value.node.graph.inputs if v in storage.roots]
    inputs = frozenset().union(*(storage.roots[v] for v in tensors))
    others = leaves.difference(arguments)
    if any(storage.roots[leaf] & inputs for leaf in others):
        raise Unsupported("a result may be a view of an argument")
    if arguments and (requires_grad(value) or not plan.forms[value].size):
        raise Unsupported("a result may be an argument")
    written = tuple(leaf for leaf in others if _is_of_arm(leaf, value, plan, storage))
    return Exit(Way.COPY, None, written, arguments, len(written) < len(others))


def _is_of_arm(leaf: Value, value: Value, plan: Plan, storage: Storage) -> bool:
    """Whether what a block gives is computed there, in memory like that of what leaves."""
    is_inside = leaf.node.block.owner is not None and leaf.node.block.owner.kind in CHOICES
    is_fresh = is_inside and leaf in storage.buffers and len(leaf.uses) == 1
    return is_fresh and same_places(plan.forms[leaf], plan.forms[value])


def _leaves(value: Value) -> Iterator[Value]:
    """What a value may be, looked for in the blocks that are joined."""
    if value.node.kind not in CHOICES:
        yield from () if value.node.kind == UNINITIALIZED else (value,)
        return
    for block in value.node.blocks:
        yield from _leaves(block.outputs[value.offset])


def is_input(value: Value) -> bool:
    """Whether a value is an input of its graph."""
    return value.node is value.node.graph.block.param_node


class _Origins:
    """In whose memory tensors lie, through loops, branches and views: arguments, and what is
    computed anew. What a loop has left lies in memory of the function's own there, but of two
    results with one origin, and of one with an argument, copies would show.
    """

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.graph = graph
        self.plan = plan

    def loops_to_run(self, value: Value) -> frozenset[Node]:
        """The loops that must have made a trip for a value to be no argument.

        Raises:
            Unsupported: that would not be enough.
        """
        node = value.node
        if node.kind == LOOP:
            return self._loops_of_result(node, value.offset)
        if node is self.graph.block.param_node:
            raise Unsupported("a result may be an argument")
        return frozenset().union(*map(self.loops_to_run, self.sources(value)))

    def _loops_of_result(self, loop: Node, place: int) -> frozenset[Node]:
        (body,) = loop.blocks
        first, last = loop.inputs[place + 2], body.outputs[place + 1]
        if self.is_from_argument(last):
            raise Unsupported("a result may be an argument")
        if is_certain(loop) or not self.is_from_argument(first):
            return frozenset()
        return frozenset([loop])

    def is_from_argument(self, value: Value) -> bool:
        """Whether a value may be an argument, or lie in one."""
        return any(origin.node is self.graph.block.param_node for origin in self.of(value))

    def of(self, value: Value) -> Set[Value]:
        """All origins that a value may have."""
        found: set[Value] = set()
        seen: set[Value] = set()
        work = [value]
        while work:
            each = work.pop()
            if each not in seen:
                seen.add(each)
                sources = self.sources(each)
                work += sources
                if not sources:
                    found.add(each)
        return found

    def may_share(self, one: Value, another: Value) -> bool:
        """Whether two values may lie in the memory of one origin at a time."""
        seen: set[frozenset[Value]] = set()
        work = [(one, another)]
        while work:
            pair = work.pop()
            if pair[0] is pair[1]:
                return True
            if frozenset(pair) not in seen:
                seen.add(frozenset(pair))
                work += self.pairs(*pair)
        return False

    def pairs(self, one: Value, another: Value) -> list[tuple[Value, Value]]:
        """The pairs of which one must share memory for two different values to do so."""
        if one.node is another.node:
            return list(zip(self.sources(one), self.sources(another), strict=True))
        if not self.sources(one) or (_is_carried(one) and not _is_carried(another)):
            one, another = another, one
        is_new = not self.sources(another) and one.node.block.owner in [*another.node.ancestry()]
        if _is_carried(one) and is_new:
            return []  # what a trip computes is not what it began with
        return [(source, another) for source in self.sources(one)]

    def sources(self, value: Value) -> list[Value]:
        """The values that a value may be, or be a view of; none for origins."""
        node = value.node
        if node.kind in CHOICES:
            return [block.outputs[value.offset] for block in node.blocks]
        if node.kind == LOOP:
            last = node.blocks[0].outputs[value.offset + 1]
            return [last] if is_certain(node) else [node.inputs[value.offset + 2], last]
        owner = node.block.owner
        if owner is not None and _is_carried(value):
            return [owner.inputs[value.offset + 1], node.block.outputs[value.offset]]
        action = self.plan.actions.get(node)
        return [action.source] if isinstance(action, View | Select) else []


def _is_carried(value: Value) -> bool:
    """Whether a value is what a trip of a loop begins with."""
    block = value.node.block
    is_in_loop = block.owner is not None and block.owner.kind == LOOP
    return is_in_loop and value.node is block.param_node


def is_certain(loop: Node) -> bool:
    """Whether a loop is known to make its first trip."""
    trips, going = loop.inputs[0].constant(), loop.inputs[1].constant()
    return trips is not None and trips > 0 and bool(going)
