"""What every graph keeps to, between passes and not inside them. This list is the specification.

Structure:

 1. A block is a doubly linked list from its `prim::Param` to its `prim::Return`; each node knows
    its block, each block its graph and the node that owns it.
 2. `prim::Param` has no inputs, `prim::Return` no outputs, neither has blocks, and neither stands
    elsewhere.
 3. Output i of a node knows the node and i; no value is an output twice.
 4. Uses agree with inputs: input i of a node is one use of the value it reads, and every use is
    such an input of a node in the graph.
 5. A value is defined before it is read, in the same block or in one around it.
 6. A graph has one output (a subgraph has any number); its integers are `checked` or `wrapping`.
 7. Types of values are closed: no type variables; a NamedTuple has one distinct name per element.
 8. Attributes are what text can hold: None, bool, int, float, complex, str, dtypes, devices, types,
    tensors, enum members, `ObjectRef`, `TensorText`, and lists, tuples and dicts of these. A graph
    stands under `Subgraph` only.

Nodes:

 9. A `prim::Constant` has no inputs, one output, and a value of the type that the output states.
10. A `prim::If` reads one bool and has two blocks without inputs; each gives one value per output
    of the node, of a subtype of its type.
11. A `prim::Loop` reads a trip count (int), a first condition (bool) and the carried values. Its
    block takes the iteration (int) and the carried values, and gives the next condition (bool) and
    the carried values. Outputs are the carried values. What enters the block is a subtype of what
    the block takes, which is a subtype of the output.
12. The row of a node bears the node's kind; the inputs are a call of it as they stand; the outputs
    are as many as its returns, and of their types.
13. A node whose kind has rows in the operator table has one of them as its row, and no blocks.
14. A `prim::ListConstruct` gives a list whose element type covers every input.
15. A `prim::DictConstruct` gives a dict from its even inputs (keys) to its odd inputs (values).
16. A `prim::TupleConstruct` gives a tuple with one element per input, of a type that covers the
    input. (In 14 to 18 the shapes of tensors do not count: a container and its parts are refined
    one by one.)
17. A `prim::TupleUnpack` reads one tuple and gives one value per element; a `prim::TupleIndex`
    reads a tuple and an int; where that is constant it is in range and the output covers the
    element. A `prim::TupleSlice` has int attributes `beg` and `end`, and gives the tuple of the
    elements between.
18. A `prim::ListUnpack` reads one list; every output covers the element.
19. A `prim::unchecked_cast` or `jit::checked_cast` has one input and one output; a
`prim::Uninitialized` has no input and
    one output.
20. A `prim::isinstance` reads one value, has a list of types as attribute `types`, and gives a
    bool.
21. A `prim::CallFunction` reads a Function first and gives one output.
22. A `prim::PythonOp` has a `name` (a non-empty str) and a `callee` (an `ObjectRef`), and at most
    one output.
23. A `prim::TypeCheck` or `prim::RequiresGradCheck` has one type per input as `types`, and gives
    back every input, and a bool.
24. A subgraph takes one value per input of its node, of a type that covers it; it keeps to this
    list itself and reads nothing from outside. Unless it is forked, it gives one value per output,
    of a subtype.
25. No effect may run before a `prim::Guard`, which restarts the call (decision 16): no write, no
    random draw, no call out; nested and earlier iterations count.
26. A `prim::Try` reads nothing. Its first block takes nothing; of the others, the handlers, each
    takes the exception (Any). `catches` has one list of exception classes, not empty, per handler,
    and there is one handler at least. Each block gives one value per output of the node, of a
    subtype of its type.
27. A `jit::reraise` reads the exception that a handler around it was given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..errors import CompileError, ErrorKind
from . import types as ty
from .graph import PARAM, PYTHON_OP, RETURN, Block, Graph, Node, Value
from .invariants import (
    NODE_RULES,
    check_attribute,
    check_row,
    check_type,
    is_effect,
)
from .opdef import OPS
from .printer import SUBGRAPH, print_graph

GUARD = "prim::Guard"
Finding = tuple[int, Node, str]


def verify(graph: Graph) -> None:
    """Check a graph against the list above.

    Raises:
        CompileError: the graph breaks an invariant (kind INVALID_GRAPH); the message names its
            number and draws every finding inside the printed graph.
    """
    _verify(graph, is_subgraph=False)


def _verify(graph: Graph, *, is_subgraph: bool) -> None:
    _raise_unlinked(_links(graph.block, graph, None))
    for check in (_sentinels, _places, _uses, _dominance):
        _raise_found(graph, list(check(graph)))
    found = [] if is_subgraph else list(_outputs(graph))
    for block in graph.blocks():
        for node in (block.param_node, *block.nodes, block.return_node):
            found += _node(node)
    found += _guards(graph)
    _raise_found(graph, found)


def _raise_unlinked(findings: Iterator[tuple[int, str]]) -> None:
    """A graph with broken links cannot be drawn."""
    for number, message in findings:
        raise CompileError(ErrorKind.INVALID_GRAPH, f"the graph is invalid ({number}): {message}")


def _raise_found(graph: Graph, findings: list[Finding]) -> None:
    if not findings:
        return
    notes: dict[Node, str] = {}
    for number, node, message in findings:
        before = notes.get(node)
        note = f"({number}) {message}"
        notes[node] = note if before is None else f"{before}\n{note}"
    number, node, message = findings[0]
    raise CompileError(
        ErrorKind.INVALID_GRAPH,
        f"the graph is invalid ({number}): {node.kind}: {message}\n{print_graph(graph, notes)}",
    )


# Structure --------------------------------------------------------------------------------------


def _links(block: Block, graph: Graph, owner: Node | None) -> Iterator[tuple[int, str]]:
    if block.graph is not graph:
        yield 1, "a block belongs to another graph"
    if block.owner is not owner:
        yield 1, "a block does not know the node that owns it"
    seen: set[Node] = set()
    node, previous = block.param_node, None
    while node is not None:
        if node in seen or node.previous is not previous or node.block is not block:
            yield 1, f"the links of {node.kind} are broken"
            return
        seen.add(node)
        for inner in node.blocks:
            yield from _links(inner, graph, node)
        if node is block.return_node:
            return
        previous, node = node, node.next
    yield 1, "a block does not end in its prim::Return"


def _sentinels(graph: Graph) -> Iterator[Finding]:
    for block in graph.blocks():
        param, end = block.param_node, block.return_node
        if param.kind != PARAM or param.inputs or param.blocks:
            yield 2, param, "the first node of a block must be a prim::Param without inputs"
        if end.kind != RETURN or end.outputs or end.blocks:
            yield 2, end, "the last node of a block must be a prim::Return without outputs"
        for node in block.nodes:
            if node.kind in (PARAM, RETURN):
                yield 2, node, "stands in the middle of a block"


def _every_node(graph: Graph) -> Iterator[Node]:
    for block in graph.blocks():
        yield from (block.param_node, *block.nodes, block.return_node)


def _places(graph: Graph) -> Iterator[Finding]:
    seen: set[Value] = set()
    for node in _every_node(graph):
        for offset, value in enumerate(node.outputs):
            if value.node is not node or value.offset != offset or value in seen:
                yield 3, node, f"output {offset} does not know its place"
            seen.add(value)


def _uses(graph: Graph) -> Iterator[Finding]:
    nodes = list(_every_node(graph))
    if _agree(nodes):
        return
    read = {(node, index): value for node in nodes for index, value in enumerate(node.inputs)}
    values = dict.fromkeys((*read.values(), *(value for node in nodes for value in node.outputs)))
    registered = Counter((use.node, use.index, value) for value in values for use in value.uses)
    for (node, index), value in read.items():
        if registered.pop((node, index, value), 0) != 1:
            yield 4, node, f"input {index} is not one use of the value it reads"
    for _, _, value in registered:
        yield 4, value.node, f"a use of output {value.offset} reads something else"


def _agree(nodes: list[Node]) -> bool:
    """Whether each use is an input, and there are as many of both: the quick form of `_uses`."""
    inside = set(nodes)
    values = {value for node in nodes for value in (*node.inputs, *node.outputs)}
    uses = 0
    for value in values:
        uses += len(value.uses)
        for use in value.uses:
            node, index = use.node, use.index
            if node not in inside or index >= len(node.inputs) or node.inputs[index] is not value:
                return False
    return uses == sum(len(node.inputs) for node in nodes)


def _dominance(graph: Graph) -> Iterator[Finding]:
    yield from _defined_before(graph.block, set())


def _defined_before(block: Block, around: set[Value]) -> Iterator[Finding]:
    known = around | set(block.inputs)
    for node in (*block.nodes, block.return_node):
        for index, value in enumerate(node.inputs):
            if value not in known:
                yield 5, node, f"input {index} is read before it is defined"
        for inner in node.blocks:
            yield from _defined_before(inner, known)
        known |= set(node.outputs)


def _outputs(graph: Graph) -> Iterator[Finding]:
    if len(graph.outputs) != 1:
        yield 6, graph.return_node, f"a graph has one output, found {len(graph.outputs)}"
    if graph.integers not in ("checked", "wrapping"):
        yield 6, graph.return_node, f"integers are {graph.integers!r}"


# Nodes ------------------------------------------------------------------------------------------


def _node(node: Node) -> Iterator[Finding]:
    for value in node.outputs:
        for message in check_type(value.type):
            yield 7, node, f"output {value.offset}: {message}"
    for key, attribute in node.attributes.items():
        problem = _attribute(key, attribute)
        if problem is not None:
            yield 8, node, f"attribute {key!r} {problem}"
    number, rule = NODE_RULES.get(node.kind, (0, None))
    if rule is not None:
        yield from ((number, node, message) for message in rule(node))
    if node.op is not None:
        yield from ((12, node, message) for message in check_row(node, node.op))
    elif node.kind in OPS and node.kind != PYTHON_OP:
        yield 13, node, "no row of the operator table is set"
    if node.op is not None and node.blocks:
        yield 13, node, "a node with a row has blocks"
    if isinstance(subgraph := node.attributes.get(SUBGRAPH), Graph):
        yield from _subgraph(node, subgraph)


def _attribute(key: str, value: Any) -> str | None:
    if isinstance(value, Graph):
        return None if key == SUBGRAPH else "is a graph"
    return check_attribute(value)


def _subgraph(node: Node, subgraph: Graph) -> Iterator[Finding]:
    if len(node.inputs) != len(subgraph.inputs):
        yield 24, node, f"the subgraph takes {len(subgraph.inputs)} values"
    for index, (given, taken) in enumerate(zip(node.inputs, subgraph.inputs, strict=False)):
        if not ty.is_subtype(ty.unshaped(given.type), ty.unshaped(taken.type)):
            yield 24, node, f"the subgraph takes {taken.type} at {index}, found {given.type}"
    if node.kind == "prim::fork":
        return
    if len(node.outputs) > len(subgraph.outputs):  # a differentiable graph gives captures beyond
        yield 24, node, f"the subgraph gives {len(subgraph.outputs)} values"
    for index, (made, shown) in enumerate(zip(subgraph.outputs, node.outputs, strict=False)):
        if not ty.is_subtype(ty.unshaped(made.type), ty.unshaped(shown.type)):
            yield 24, node, f"the subgraph gives {made.type} at {index}, not {shown.type}"
    _verify(subgraph, is_subgraph=True)


def _guards(graph: Graph) -> Iterator[Finding]:
    yield from _guarded(graph.block, None)


def _guarded(block: Block, effect: Node | None) -> Iterator[Finding]:
    """Findings in a block entered after `effect`; effects of a loop precede its next turn."""
    if block.owner is not None and block.owner.kind == "prim::Loop" and effect is None:
        effect = next(filter(is_effect, block.walk()), None)
    for node in block.nodes:
        if node.kind == GUARD and effect is not None:
            yield 25, node, f"{effect.kind} may run before this guard"
        for inner in node.blocks:
            yield from _guarded(inner, effect)
        if effect is None:
            effect = next(filter(is_effect, node.walk()), None)
