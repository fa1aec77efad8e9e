"""What rewrite rules are, the table of them, and what they are written with.

`rules_on_values.py` and `rules_on_flow.py` fill the table; `peephole.py` applies it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..ir.graph import CONSTANT, Node, Value, create_node
from ..ir.opdef import OPS
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
