"""Joining control flow: branches of an `if`, the rest after a possible exit, hidden exit flags.

Where one branch leaves by a jump and the other goes on, what follows the `if` is emitted inside the
branch that goes on. Where either may have left, what follows stands under a test of the exit flags.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import IF, LOOP, UNINITIALIZED, Block, Node, Value
from ..ir.types import Type
from . import surface
from .conditions import Refinements, cast, refine
from .emitter import Emitter
from .scope import FALLS, RESULT, Outcome, Outcomes, Scope, jumps_of
from .sugar import Constant, Plain, Sugar, Unusable

Emit = Callable[[], Outcomes]


@dataclass
class Arm:
    """One branch after emission: its block, its scope, and how control leaves it."""

    block: Block
    scope: Scope
    outcomes: Outcomes

    @property
    def goes_on(self) -> bool:
        """Whether control can reach what follows."""
        return Outcome.FALL in self.outcomes

    @property
    def only_raises(self) -> bool:
        """Whether nothing after the arm can see its variables."""
        return self.outcomes <= {Outcome.RAISE}


def branch(
    e: Emitter,
    test: Value,
    then: Emit,
    otherwise: Emit,
    if_true: Refinements | None = None,
    if_false: Refinements | None = None,
) -> Outcomes:
    """Emit a two-way branch and join what both arms assign."""
    node = e.builder.node(IF, [test])
    arms = []
    for emit, proved in ((then, if_true), (otherwise, if_false)):
        block = node.add_block()
        with e.builder.at(block), e.child_scope() as scope:
            refine(e, proved or {})
            outcomes = emit()
        arms.append(Arm(block, scope, outcomes))
    _join(e, node, arms[0], arms[1])
    _survivor(e, arms, (if_true or {}, if_false or {}))
    return arms[0].outcomes | arms[1].outcomes


def _survivor(e: Emitter, arms: Sequence[Arm], proved: Sequence[Refinements]) -> None:
    """Where only one arm goes on, what its test proved holds for names it did not assign."""
    for index, arm in enumerate(arms):
        other = arms[1 - index]
        if arm.goes_on and not other.goes_on and other.only_raises:
            assigned = arm.scope.assigned
            refine(e, {p: t for p, t in proved[index].items() if _root(p) not in assigned})


def _root(path: str) -> str:
    return path.split(".")[0].split("[")[0]


def _join(e: Emitter, node: Node, then: Arm, otherwise: Arm) -> None:
    """Give the If an output for every name that either arm assigned."""
    names = dict.fromkeys([*then.scope.assigned, *otherwise.scope.assigned])
    both_refined = then.scope.refined & otherwise.scope.refined
    for name in [*names, *sorted(both_refined - names.keys())]:
        _join_name(e, node, name, then, otherwise)
    together = then.outcomes | otherwise.outcomes
    for jump in jumps_of(together):
        if together - {jump, Outcome.RAISE}:
            flags = [_flag_in(e, arm, jump) for arm in (then, otherwise)]
            _output(e, node, jump.value, flags[0], flags[1], ty.BOOL)
    e.scope.forget()


def _flag_in(e: Emitter, arm: Arm, jump: Outcome) -> Value:
    """Whether the arm left by `jump`."""
    if jump in arm.outcomes and arm.outcomes - {jump, Outcome.RAISE}:
        meaning = arm.scope.lookup(jump.value)
        assert isinstance(meaning, Plain)
        return meaning.plain
    with e.builder.at(arm.block):
        return e.builder.constant(jump in arm.outcomes)


def _join_name(e: Emitter, node: Node, name: str, then: Arm, otherwise: Arm) -> None:
    if name in {jump.value for jump in (Outcome.RETURN, Outcome.BREAK, Outcome.CONTINUE)}:
        return
    meanings = [arm.scope.lookup(name) for arm in (then, otherwise)]
    reaches = [not _invisible(arm, name) for arm in (then, otherwise)]
    if not any(reaches):
        return
    if not all(reaches):
        kept = meanings[reaches.index(True)]
        if not isinstance(kept, Plain):
            e.scope.assign(name, kept)
            return
        values = [
            m.plain if reached and isinstance(m, Plain) else _filler(e, arm, kept.plain.type)
            for m, reached, arm in zip(meanings, reaches, (then, otherwise), strict=True)
        ]
        _output(e, node, name, values[0], values[1], kept.plain.type)
        return
    _join_meanings(e, node, name, meanings, (then, otherwise))


def _invisible(arm: Arm, name: str) -> bool:
    """Whether no reader after the join can come from this arm: readers of `$result` have returned.
    """
    if name == RESULT:
        return Outcome.RETURN not in arm.outcomes
    return not arm.goes_on and not _loops_on(arm)


def _loops_on(arm: Arm) -> bool:
    """A jump inside a loop still carries the arm's variables to the loop's end."""
    return Outcome.BREAK in arm.outcomes or Outcome.CONTINUE in arm.outcomes


def _filler(e: Emitter, arm: Arm, type_: Type) -> Value:
    with e.builder.at(arm.block):
        return e.builder.value(UNINITIALIZED, (), type_)


def _join_meanings(
    e: Emitter, node: Node, name: str, meanings: Sequence[Sugar | None], arms: Sequence[Arm]
) -> None:
    first, second = meanings
    if first is None or second is None:
        e.scope.assign(name, _undefined_on_a_branch(name))
        return
    if isinstance(first, Unusable) or isinstance(second, Unusable):
        e.scope.assign(name, first if isinstance(first, Unusable) else second)
        return
    if first is second:
        _assign_same(e, name, first)
        return
    values = []
    for meaning, arm in zip((first, second), arms, strict=True):
        if not isinstance(meaning, Plain | Constant):
            e.scope.assign(name, _two_meanings(name, first, second))
            return
        with e.builder.at(arm.block):
            values.append(meaning.value(e))
    if values[0] is values[1]:
        _assign_same(e, name, first)
        return
    joined = join_types(e, name, values[0], values[1])
    if joined is None:
        e.scope.assign(name, _two_types(name, values[0], values[1]))
        return
    _output(e, node, name, values[0], values[1], joined)


def _assign_same(e: Emitter, name: str, meaning: Sugar) -> None:
    """Both arms give the name one meaning, which needs no output of the If."""
    if e.scope.lookup(name) is not meaning:
        e.scope.assign(name, meaning)


def join_types(e: Emitter, name: str, a: Value, b: Value) -> Type | None:
    """The type of a variable that holds either value: what it was declared, else what both share.
    """
    declared = e.declared.get(name)
    if declared is not None and all(ty.is_subtype(v.type, declared) for v in (a, b)):
        return declared
    decide_empty(a, b.type)
    decide_empty(b, a.type)
    if e.speculates and ty.ANY in (a.type, b.type):
        return b.type if a.type is ty.ANY else a.type  # a guess, which the last round tests
    return ty.unify(a.type, b.type) or surface.joined(a.type, b.type)


def _output(e: Emitter, node: Node, name: str, then: Value, otherwise: Value, type_: Type) -> None:
    node.blocks[0].add_output(then)
    node.blocks[1].add_output(otherwise)
    output = node.add_output(type_, "" if name.startswith("$") else name)
    e.scope.assign(name, Plain(output))


def _undefined_on_a_branch(name: str) -> Unusable:
    return Unusable(
        name,
        ErrorKind.MAYBE_UNDEFINED,
        f"'{name}' is not assigned on every path that leads here",
        f"assign '{name}' before the branch or loop, or on every branch",
    )


def undefined_after_loop(name: str) -> Unusable:
    """A name that only a loop's body assigns, seen after the loop."""
    return Unusable(
        name,
        ErrorKind.MAYBE_UNDEFINED,
        f"'{name}' is assigned only in a loop, which may run zero times",
        f"assign '{name}' before the loop",
    )


def _two_types(name: str, a: Value, b: Value) -> Unusable:
    types = f"{ty.annotation(a.type)} and {ty.annotation(b.type)}"
    if name == RESULT:
        return Unusable(
            name,
            ErrorKind.RETURN_TYPE,
            f"the function returns {_placed(a)} on one path and {_placed(b)} on another",
            "return one type, or annotate the result with a Union",
        )
    if name.startswith("$"):
        reason = f"the two results of this expression are {types}"
        return Unusable(name, ErrorKind.BRANCH_TYPE, reason, "give both the same type")
    return Unusable(
        name,
        ErrorKind.BRANCH_TYPE,
        f"'{name}' is {_placed(a)} on one branch and {_placed(b)} on the other",
        "give it one type on both branches, or two names",
    )


def _placed(value: Value) -> str:
    """The type of a value, and the line that makes it."""
    span = value.node.span
    where = f" (line {span.line})" if span is not None and not value.is_block_input else ""
    return f"{ty.annotation(value.type)}{where}"


def _two_meanings(name: str, a: Sugar, b: Sugar) -> Unusable:
    return Unusable(
        name,
        ErrorKind.BRANCH_TYPE,
        f"'{name}' is {a.describe()} on one branch and {b.describe()} on the other",
        "choose between values, or decide by a constant",
    )


def exited(e: Emitter, jumps: Sequence[Outcome]) -> Value:
    """Whether control has left by one of the jumps."""
    flags = []
    for jump in jumps:
        meaning = e.scope.lookup(jump.value)
        assert isinstance(meaning, Plain)
        flags.append(meaning.plain)
    result = flags[0]
    for flag in flags[1:]:
        result = e.builder.op("aten::__or__", result, flag)
    return result


def unless_exited(e: Emitter, outcomes: Outcomes, rest: Emit) -> Outcomes:
    """Emit `rest` for the paths that have not left yet."""
    jumps = jumps_of(outcomes)
    if not jumps:
        return outcomes - FALLS | rest()
    left = outcomes - FALLS
    flag = exited(e, jumps)
    inherited = {jump: e.scope.lookup(jump.value) for jump in jumps}

    def already_left() -> Outcomes:
        for jump, meaning in inherited.items():
            e.scope.names[jump.value] = meaning
        return left - {Outcome.RAISE}

    after = branch(e, flag, already_left, rest)
    return after | (outcomes & {Outcome.RAISE})


# Empty displays -----------------------------------------------------------------------------------


def decide_empty(value: Value, wanted: Type) -> None:
    """Give an empty list or dict whose element type is open the type that it meets."""
    if not is_open(value.type):
        return
    bare = ty.without_none(wanted)
    if bare is None or is_open(bare):
        return
    if type(bare) is type(value.type):
        retype(value, bare)


def is_open(type_: Type) -> bool:
    """Whether this is the type of an empty display that nothing has decided yet."""
    return (
        isinstance(type_, ty.ListType | ty.DictType) and type_.children[0] is ty.NO_RETURN
    )


def has_open(type_: Type) -> bool:
    """Whether a type holds, somewhere inside, what nothing has decided yet."""
    return any(inner is ty.NO_RETURN for inner in ty.walk(type_))


def retype(value: Value, type_: Type) -> None:
    """Set the type of an open value, of every value it flows from, and of the container it was read
    from.
    """
    if value.type is type_ or not has_open(value.type) or type(value.type) is not type(type_):
        return
    value.type = type_
    node = value.node
    if node.kind == IF:
        for block in node.blocks:
            retype(block.outputs[value.offset], type_)
    elif node.kind == LOOP:
        retype(node.inputs[value.offset + 2], type_)
        (body,) = node.blocks
        retype(body.inputs[value.offset + 1], type_)
        if value.offset + 1 < len(body.outputs):
            retype(body.outputs[value.offset + 1], type_)
    elif value.is_block_input and (owner := node.block.owner) is not None:
        if owner.kind == LOOP and value.offset > 0:
            retype(owner.inputs[value.offset + 1], type_)
            if value.offset - 1 < len(owner.outputs):
                retype(owner.outputs[value.offset - 1], type_)
    elif node.inputs and has_open(node.inputs[0].type):
        _retype_container(node.inputs[0], type_)
    _retype_elements(value)


def _retype_container(container: Value, element: Type) -> None:
    """The container that an open element was read from holds elements of its type."""
    if isinstance(container.type, ty.ListType | ty.DictType):
        children = [*container.type.children[:-1], element]
        retype(container, container.type.with_children(children))


def _retype_elements(container: Value) -> None:
    """What was stored in a container, or read from it, has the type of its elements."""
    if not isinstance(container.type, ty.ListType | ty.DictType):
        return
    element = container.type.children[-1]
    users = [container.node, *(use.node for use in container.uses)]
    for node in users:
        around = node.inputs if node is container.node else [*node.inputs, *node.outputs]
        for other in around:
            if is_open(other.type) and other is not container:
                retype(other, element)


def settle_empty(graph_values: Sequence[Value]) -> None:
    """Displays that nothing decided are lists of tensors, and dicts from str to Tensor, as in
    torch.
    """
    for value in graph_values:
        if isinstance(value.type, ty.TupleType) and value.node.kind == "prim::TupleConstruct":
            value.type = value.type.with_children([v.type for v in value.node.inputs])
        value.type = settled(value.type)


def settled(type_: Type) -> Type:
    """The type with displays that nothing decided as torch has them."""
    if is_open(type_):
        is_dict = isinstance(type_, ty.DictType)
        return ty.DictType(ty.STR, ty.TENSOR) if is_dict else ty.ListType(ty.TENSOR)
    if not any(is_open(inner) for inner in ty.walk(type_)):
        return type_
    return type_.with_children(map(settled, type_.children))


__all__ = [
    "Arm", "branch", "cast", "decide_empty", "exited", "has_open", "is_open", "join_types",
    "retype", "settle_empty", "settled", "undefined_after_loop", "unless_exited",
]  # fmt: skip
