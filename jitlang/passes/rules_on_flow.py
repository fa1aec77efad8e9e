"""Rewrite rules for branches, loops and handlers."""

from __future__ import annotations

from ..ir import types as ty
from ..ir.graph import CONSTANT, IF, LOOP, TRY, UNINITIALIZED, Node, Value, create_node
from ..ir.opdef import OPS
from ..ir.types import TupleType
from .alias import AliasAnalysis
from .effects import UNLIMITED_TRIPS, must_run
from .rules import constant_of, insert, is_number, rule
from .scalarize_tuples import split_carried, split_joined


@rule(IF)
def branch_on_negation(node: Node, analysis: AliasAnalysis) -> bool:
    """`if not c: A else: B` is `if c: B else: A`."""
    condition = node.inputs[0].node
    if condition.kind != "aten::__not__":
        return False
    node.replace_input(0, condition.inputs[0])
    node.blocks.reverse()
    return True


@rule(IF)
def branches_agree(node: Node, analysis: AliasAnalysis) -> bool:
    """What both branches give alike needs no branch."""
    changed = False
    for value, *results in zip(node.outputs, *(b.outputs for b in node.blocks), strict=True):
        first, second = results
        same = first is second or _same_constant(first, second)
        if not same or not value.uses:
            continue
        value.replace_all_uses_with(first if first is second else _copied(first, node))
        changed = True
    return changed


def _same_constant(a: Value, b: Value) -> bool:
    one, other = constant_of(a), constant_of(b)
    simple = (bool, int, float, str, type(None))
    alike = type(one) is type(other) and isinstance(one, simple) and repr(one) == repr(other)
    return alike and a.type is b.type


def _copied(value: Value, place: Node) -> Value:
    """A constant of an inner block again, before `place`."""
    attributes = dict(value.node.attributes)
    made = create_node(CONSTANT, (), [value.type], attributes=attributes, span=value.node.span)
    return insert(made, place)


@rule(IF)
def branch_gives_condition(node: Node, analysis: AliasAnalysis) -> bool:
    """`True if c else False` is `c`, the other way round `not c`."""
    changed = False
    condition = node.inputs[0]
    then_block, else_block = node.blocks
    rows = zip(node.outputs, then_block.outputs, else_block.outputs, strict=True)
    for value, one, other in rows:
        if value.type is not ty.BOOL or not value.uses:
            continue
        given = constant_of(one), constant_of(other)
        if given == (True, False):
            value.replace_all_uses_with(condition)
            changed = True
        elif given == (False, True):
            op = OPS.find("aten::__not__")
            made = create_node("aten::__not__", [condition], [ty.BOOL], op=op, span=node.span)
            value.replace_all_uses_with(insert(made, node))
            changed = True
    return changed


@rule(IF)
def branch_decided_outside(node: Node, analysis: AliasAnalysis) -> bool:
    """Inside `if c:` another `if c:` takes its first branch; in the `else`, its second."""
    inner = node
    for outer in list(node.ancestry())[1:]:
        if outer.kind == IF and outer.inputs[0] is node.inputs[0]:
            taken = outer.blocks[0] is inner.block
            made = create_node(CONSTANT, (), [ty.BOOL], attributes={"value": taken}, span=node.span)
            node.replace_input(0, insert(made, node))
            return True
        inner = outer
    return False


@rule(TRY)
def body_that_cannot_fail(node: Node, analysis: AliasAnalysis) -> bool:
    """A body in which nothing can raise needs no handlers. A loop can be interrupted."""
    body = node.blocks[0]
    if any(must_run(inner) or inner.kind == LOOP for inner in body.walk()):
        return False
    for inner in body.nodes:
        inner.move_before(node)
    for value, result in zip(node.outputs, body.outputs, strict=True):
        value.replace_all_uses_with(result)
    node.destroy()
    return True


@rule(LOOP)
def carried_unchanged(node: Node, analysis: AliasAnalysis) -> bool:
    """A carried value that the body gives back as it got it is not carried."""
    (body,) = node.blocks
    changed = False
    rows = zip(node.outputs, node.inputs[2:], body.inputs[1:], body.outputs[1:], strict=True)
    for value, initial, parameter, result in rows:
        if result is not parameter and result is not initial:
            continue
        readers = [use for use in parameter.uses if use.node is not body.return_node]
        if initial.type is not parameter.type or not (value.uses or readers):
            continue
        value.replace_all_uses_with(initial)
        for use in readers:
            use.node.replace_input(use.index, initial)
        changed = True
    return changed


@rule(IF)
def joined_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """Where both branches make a tuple, its elements are joined and the tuple is made after."""
    for value in node.outputs:
        results = [block.outputs[value.offset] for block in node.blocks]
        if not isinstance(value.type, TupleType) or not all(map(_is_in_parts, results)):
            continue
        if any(result.node.kind == "prim::TupleConstruct" for result in results):
            split_joined(node, value.offset)
            return True
    return False


def _is_in_parts(value: Value) -> bool:
    return value.node.kind in ("prim::TupleConstruct", UNINITIALIZED)


@rule(LOOP)
def carried_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """A loop whose body makes the tuple that it carries carries the elements instead."""
    (body,) = node.blocks
    rows = zip(node.outputs, node.inputs[2:], body.inputs[1:], body.outputs[1:], strict=True)
    for value, initial, parameter, result in rows:
        type_ = parameter.type
        if not isinstance(type_, TupleType) or value.type is not type_:
            continue
        if result.node.kind == "prim::TupleConstruct" and initial.type is type_:
            split_carried(node, value.offset)
            return True
    return False


@rule(LOOP)
def carried_counter(node: Node, analysis: AliasAnalysis) -> bool:
    """`i = 0` before a loop and `i += 1` in it count the trips, as the loop itself does."""
    (body,) = node.blocks
    index = body.inputs[0]
    changed = False
    rows = zip(node.outputs, node.inputs[2:], body.inputs[1:], body.outputs[1:], strict=True)
    for value, initial, parameter, result in rows:
        if _counted_from(result.node) is not parameter or not is_number(initial, 0):
            continue
        parameter.replace_all_uses_with(index)
        if not value.uses:  # nobody asks how far it came
            body.return_node.replace_input(value.offset + 1, parameter)
        changed = True
    return changed


def _counted_from(node: Node) -> Value | None:
    """The `i` of `i + 1`, or None."""
    if not _is_row(node, "aten::add.int") or not is_number(node.inputs[1], 1):
        return None
    return node.inputs[0]


@rule(LOOP)
def loop_with_a_fixed_limit(node: Node, analysis: AliasAnalysis) -> bool:
    """`while i < n`, with `i` counting the trips and `n` from outside, makes `n` trips."""
    trips, start = node.inputs[:2]
    (body,) = node.blocks
    again = body.outputs[0]
    limit = _limit(again.node, body.inputs[0])
    if trips.constant(0) < UNLIMITED_TRIPS or limit is None or not _is_met_by_0(start, limit):
        return False
    if body.encloses(limit.node):
        if not limit.is_constant:
            return False
        limit = _copied(limit, node)
    truth = insert(create_node(CONSTANT, (), [ty.BOOL], attributes={"value": True}), node)
    following = again.node.inputs[0].node
    node.replace_input(0, limit)
    node.replace_input(1, truth)
    body.return_node.replace_input(0, truth)
    # `i + 1` is at most the limit: it cannot overflow, so nothing is lost with it.
    for test in (again.node, following):
        if not test.output.uses:
            test.destroy()
    return True


def _limit(again: Node, index: Value) -> Value | None:
    """The `n` of `i + 1 < n`, or None."""
    if not _is_row(again, "aten::lt.int"):
        return None
    following, limit = again.inputs
    return limit if _counted_from(following.node) is index else None


def _is_met_by_0(start: Value, limit: Value) -> bool:
    """Whether the first condition of a loop is `0 < n`, or that is decided."""
    if limit.is_constant and start.is_constant:
        return bool(start.constant() == (limit.constant() > 0))
    test = start.node
    return (
        _is_row(test, "aten::lt.int") and test.inputs[1] is limit and is_number(test.inputs[0], 0)
    )


@rule(LOOP)
def list_that_only_grows(node: Node, analysis: AliasAnalysis) -> bool:
    """`xs = xs + [x]` in a loop appends where nobody keeps the shorter list."""
    (body,) = node.blocks
    rows = zip(node.outputs, node.inputs[2:], body.inputs[1:], body.outputs[1:], strict=True)
    for value, initial, parameter, result in rows:
        sum_ = result.node
        if not _is_row(sum_, "aten::add.t") or sum_.inputs[0] is not parameter:
            continue
        is_fresh = initial.node.kind == LIST_CONSTRUCT and initial.node.block is node.block
        is_display = sum_.inputs[1].node.kind == LIST_CONSTRUCT and sum_.block is body
        if not is_fresh or not is_display or initial.type is not parameter.type:
            continue
        if any(len(each.uses) != 1 for each in (initial, parameter, result, sum_.inputs[1])):
            continue
        for part in sum_.inputs[1].node.inputs:
            row = OPS.find("jit::append.t")
            made = create_node("jit::append", [initial, part], op=row, span=sum_.span)
            made.callstack = sum_.callstack
            made.insert_before(sum_)
        body.return_node.replace_input(value.offset + 1, parameter)
        sum_.destroy()
        return True
    return False


LIST_CONSTRUCT = "prim::ListConstruct"


def _is_row(node: Node, name: str) -> bool:
    return node.op is not None and node.op.full_name == name
