"""Small rewrites of single nodes, each a named rule with a golden case of its own name.

    graph(%x : bool):                                    graph(%x : bool):
      %1 : bool = aten::__not__(%x)                        return (%x)
      %2 : bool = aten::__not__(%1)               =>
      return (%2)

A rule only goes downhill: fewer nodes, or simpler ones. It must hold for every value that the
types allow: `x + 0.0` is not `x` (for -0.0), `not (a < b)` is not `a >= b` (for nan), `-(-x)` is
not `x` for checked ints.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..ir import types as ty
from ..ir.graph import CONSTANT, IF, LOOP, Graph, Node, Value, create_node
from ..ir.opdef import OPS
from ..ir.types import Type
from .alias import AliasAnalysis

NO_VALUE: Any = object()


@dataclass(frozen=True)
class Rule:
    """A rewrite of nodes of these kinds; `apply` returns whether it changed anything."""

    name: str
    kinds: tuple[str, ...]
    apply: Callable[[Node, AliasAnalysis], bool]


RULES: list[Rule] = []
HITS: Counter[str] = Counter()
"""How often each rule has fired in this process."""

Apply = Callable[[Node, AliasAnalysis], bool]


def rule(*kinds: str) -> Callable[[Apply], Apply]:
    """Add a function to the table of rules, under its own name."""

    def add(apply: Apply) -> Apply:
        RULES.append(Rule(apply.__name__, kinds, apply))
        return apply

    return add


def simplify_nodes(graph: Graph) -> bool:
    """Apply the rules until none fires."""
    by_kind: defaultdict[str, list[Rule]] = defaultdict(list)
    for each in RULES:
        for kind in each.kinds:
            by_kind[kind].append(each)
    changed = False
    while _sweep(graph, by_kind):
        changed = True
    return changed


def _sweep(graph: Graph, by_kind: dict[str, list[Rule]]) -> bool:
    """Visit every node once; nodes that a rule makes wait for the next sweep and its analysis."""
    analysis = AliasAnalysis(graph)
    changed = False
    for node in list(graph.walk()):
        for each in by_kind.get(node.kind, ()):
            if is_in(node, graph) and each.apply(node, analysis):
                HITS[each.name] += 1
                changed = True
    return changed


def is_in(node: Node, graph: Graph) -> bool:
    """Whether the node still stands in the graph."""
    for outer in node.ancestry():
        if outer.block is None:
            return False
        block = outer.block
    return block is graph.block


# Helpers ----------------------------------------------------------------------------------------


def replace(node: Node, value: Value) -> bool:
    """Let the readers of a node's only output read `value`, and drop the node."""
    node.output.replace_all_uses_with(value)
    node.destroy()
    return True


def replace_by_constant(node: Node, constant: Any) -> bool:
    """Replace a node by a constant."""
    made = create_node(
        CONSTANT, (), [node.output.type], attributes={"value": constant}, span=node.span
    )
    return replace(node, insert(made, node))


def replace_by_row(node: Node, row: str, inputs: list[Value]) -> bool:
    """Replace a node by a call of a row with the same result type, if there is such a row."""
    op = OPS.find(row)
    if op is None:
        return False
    made = create_node(op.name, inputs, [node.output.type], op=op, span=node.span)
    return replace(node, insert(made, node))


def insert(made: Node, place: Node) -> Value:
    """Insert a node before another one, with its history."""
    made.callstack = place.callstack
    return made.insert_before(place).output


def constant_of(value: Value) -> Any:
    """The value of a constant, or NO_VALUE."""
    return value.node.attributes.get("value") if value.node.kind == CONSTANT else NO_VALUE


def is_number(value: Value, number: float) -> bool:
    """Whether a value is the constant `number` of `number`'s own type; 0.0 is not -0.0."""
    constant = constant_of(value)
    return type(constant) is type(number) and repr(constant) == repr(number)


def full_name(node: Node) -> str:
    """The name of the node's row with its overload."""
    return node.op.full_name if node.op is not None else node.kind


# Tuples -----------------------------------------------------------------------------------------


@rule("prim::TupleUnpack")
def unpack_of_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """`a, b = (x, y)` is `a = x; b = y`."""
    made = node.inputs[0].node
    if made.kind != "prim::TupleConstruct":
        return False
    for value, part in zip(node.outputs, made.inputs, strict=True):
        value.replace_all_uses_with(part)
    node.destroy()
    return True


@rule("prim::TupleIndex")
def index_of_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """`(x, y)[1]` is `y`."""
    made, index = node.inputs[0].node, constant_of(node.inputs[1])
    if made.kind != "prim::TupleConstruct" or index is NO_VALUE:
        return False
    return replace(node, made.inputs[index])


@rule("prim::TupleSlice")
def slice_of_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """`(x, y, z)[1:]` is `(y, z)`."""
    made = node.inputs[0].node
    if made.kind != "prim::TupleConstruct":
        return False
    parts = made.inputs[node.attributes["beg"] : node.attributes["end"]]
    tuple_ = create_node("prim::TupleConstruct", parts, [node.output.type], span=node.span)
    return replace(node, insert(tuple_, node))


@rule("prim::TupleConstruct")
def tuple_of_unpacked(node: Node, analysis: AliasAnalysis) -> bool:
    """`a, b = t; (a, b)` is `t`."""
    if not node.inputs or node.inputs[0].node.kind != "prim::TupleUnpack":
        return False
    unpacked = node.inputs[0].node
    if node.inputs != unpacked.outputs or unpacked.inputs[0].type is not node.output.type:
        return False
    return replace(node, unpacked.inputs[0])


# Lists ------------------------------------------------------------------------------------------


def _display(value: Value, analysis: AliasAnalysis) -> list[Value] | None:
    """The elements of a list that is a display and stays as it is."""
    made = value.node
    if made.kind != "prim::ListConstruct" or analysis.may_change(value):
        return None
    return made.inputs


@rule("prim::ListUnpack")
def unpack_of_list(node: Node, analysis: AliasAnalysis) -> bool:
    """`a, b = [x, y]` is `a = x; b = y`."""
    parts = _display(node.inputs[0], analysis)
    if parts is None or len(parts) != len(node.outputs):
        return False
    for value, part in zip(node.outputs, parts, strict=True):
        value.replace_all_uses_with(part)
    node.destroy()
    return True


@rule("aten::len")
def len_of_list(node: Node, analysis: AliasAnalysis) -> bool:
    """`len([x, y])` is 2."""
    parts = _display(node.inputs[0], analysis)
    return parts is not None and replace_by_constant(node, len(parts))


@rule("aten::__getitem__")
def item_of_list(node: Node, analysis: AliasAnalysis) -> bool:
    """`[x, y][1]` is `y`."""
    parts, index = _display(node.inputs[0], analysis), constant_of(node.inputs[1])
    if parts is None or type(index) is not int or not -len(parts) <= index < len(parts):
        return False
    return replace(node, parts[index])


# Booleans ---------------------------------------------------------------------------------------


@rule("aten::__not__")
def not_of_not(node: Node, analysis: AliasAnalysis) -> bool:
    """`not not x` is `x` for a bool."""
    inner = node.inputs[0].node
    return inner.kind == "aten::__not__" and replace(node, inner.inputs[0])


_OPPOSITES = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_ORDERED = (ty.INT, ty.STR, ty.BOOL)
"""Types without nan."""


@rule("aten::__not__")
def not_of_comparison(node: Node, analysis: AliasAnalysis) -> bool:
    """`not (a < b)` is `a >= b`; with floats, only `not (a == b)` is `a != b`."""
    inner = node.inputs[0].node
    name, _, overload = full_name(inner).removeprefix("aten::").partition(".")
    opposite = _OPPOSITES.get(name)
    if opposite is None or inner.op is None or len(inner.output.uses) > 1:
        return False
    kinds = (*_ORDERED, ty.FLOAT) if name in ("eq", "ne") else _ORDERED
    if any(value.type not in kinds for value in inner.inputs):
        return False
    return replace_by_row(node, f"aten::{opposite}.{overload}", list(inner.inputs))


@rule("aten::__and__", "aten::__or__")
def logic_with_neutral_element(node: Node, analysis: AliasAnalysis) -> bool:
    """`x & True` and `x | False` are `x` for bools."""
    neutral = node.kind == "aten::__and__"
    if any(value.type is not ty.BOOL for value in node.inputs):
        return False
    for value, other in (node.inputs, node.inputs[::-1]):
        if constant_of(other) is neutral:
            return replace(node, value)
    return False


# Types ------------------------------------------------------------------------------------------


@rule("aten::__is__", "aten::__isnot__")
def none_test_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`x is None` is decided where the type of `x` excludes None, or is None."""
    for value, other in (node.inputs, node.inputs[::-1]):
        if other.type is not ty.NONE:
            continue
        if value.type is ty.NONE or not _may_be_none(value.type):
            is_none = value.type is ty.NONE
            return replace_by_constant(node, is_none == (node.kind == "aten::__is__"))
    return False


def _may_be_none(type_: Type) -> bool:
    return any(isinstance(t, ty.NoneType | ty.AnyType | ty.VarType) for t in ty.alternatives(type_))


@rule("prim::isinstance")
def instance_test_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`isinstance(x, int)` is decided where the type of `x` settles it."""
    parts = ty.alternatives(node.inputs[0].type)
    types = node.attributes["types"]
    if all(any(ty.is_subtype(part, t) for t in types) for part in parts):
        return replace_by_constant(node, True)
    if any(_may_overlap(a, b) for a in parts for b in types):
        return False
    return replace_by_constant(node, False)


def _may_overlap(a: Type, b: Type) -> bool:
    """Whether a value may be of both types; the empty list is of every list type."""
    if a.children and b.children and type(a) is type(b):
        return True
    return ty.is_subtype(a, b) or ty.is_subtype(b, a)


@rule("prim::unchecked_cast")
def cast_to_same_type(node: Node, analysis: AliasAnalysis) -> bool:
    """A cast to the type that the value has already is the value."""
    value = node.inputs[0]
    return ty.is_subtype(value.type, node.output.type) and replace(node, value)


@rule("prim::unchecked_cast")
def cast_of_cast(node: Node, analysis: AliasAnalysis) -> bool:
    """Of two casts in a row the last one decides."""
    inner = node.inputs[0].node
    if inner.kind != "prim::unchecked_cast":
        return False
    node.replace_input(0, inner.inputs[0])
    return True


@rule("aten::_unwrap_optional", "prim::unchecked_unwrap_optional")
def unwrap_of_present(node: Node, analysis: AliasAnalysis) -> bool:
    """Unwrapping what cannot be None gives the value."""
    value = node.inputs[0]
    return not _may_be_none(value.type) and replace(node, value)


_CONVERSIONS: dict[str, Type] = {
    "aten::Int": ty.INT, "aten::Float": ty.FLOAT, "aten::Bool": ty.BOOL, "aten::str": ty.STR,
    "aten::Complex": ty.COMPLEX,
}  # fmt: skip


@rule(*_CONVERSIONS)
def conversion_to_same_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`int(x)` is `x` for an int."""
    value = node.inputs[0]
    fits = len(node.inputs) == 1 and value.type is _CONVERSIONS[node.kind]
    return fits and replace(node, value)


@rule("prim::dtype")
def dtype_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`x.dtype` is known where the type of `x` says it."""
    type_ = node.inputs[0].type
    if not isinstance(type_, ty.TensorType) or type_.dtype is None:
        return False
    return replace_by_constant(node, type_.dtype)


@rule("aten::dim")
def rank_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`x.ndim` is known where the type of `x` says it."""
    type_ = node.inputs[0].type
    if not isinstance(type_, ty.TensorType) or type_.rank is None:
        return False
    return replace_by_constant(node, type_.rank)


# Numbers ----------------------------------------------------------------------------------------

_NEUTRAL: dict[str, tuple[tuple[float, bool], ...]] = {
    "aten::add": ((0, True), (-0.0, True)),
    "aten::sub": ((0, False), (0.0, False)),
    "aten::mul": ((1, True), (1.0, True)),
    "aten::div": ((1.0, False),),
    "aten::floordiv": ((1, False),),
}
"""Neutral elements, and whether they are neutral on the left too. `x + 0.0` would lose -0.0."""


@rule(*_NEUTRAL)
def arithmetic_with_neutral_element(node: Node, analysis: AliasAnalysis) -> bool:
    """`x + 0`, `x * 1`, `x - 0.0` are `x` for numbers of one type."""
    if len(node.inputs) != 2 or node.inputs[0].type not in (ty.INT, ty.FLOAT):
        return False
    lhs, rhs = node.inputs
    if lhs.type is not rhs.type or node.output.type is not lhs.type:
        return False
    for neutral, commutes in _NEUTRAL[node.kind]:
        if is_number(rhs, neutral):
            return replace(node, lhs)
        if commutes and is_number(lhs, neutral):
            return replace(node, rhs)
    return False


@rule("aten::neg")
def negation_of_negation(node: Node, analysis: AliasAnalysis) -> bool:
    """`-(-x)` is `x` for a float."""
    inner = node.inputs[0].node
    is_double = inner.kind == "aten::neg" and node.output.type is ty.FLOAT
    return is_double and inner.inputs[0].type is ty.FLOAT and replace(node, inner.inputs[0])


# Control flow -----------------------------------------------------------------------------------


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
