"""Removes what nobody needs.

    graph(%x : Tensor, %n : int):                        graph(%x : Tensor, %n : int):
      %a : Tensor = aten::exp(%x)                          %b : Tensor = aten::tanh(%x)
      %b : Tensor = aten::tanh(%x)                =>       return (%b)
      %l : Tensor[] = prim::ListConstruct(%a)
      return (%b)

Needed are: what must run whatever becomes of its results (`effects.must_run`), writes to memory
that can be seen after the call, the graph's results; then everything these read, whatever writes
to memory that these read, and the conditions under which they run. Outputs of an `If` or a `Try`
and values carried by a loop go one by one.
"""

from __future__ import annotations

from ..ir.graph import CHOICES, LOOP, PARAM, Block, Graph, Node, Value
from .alias import AliasAnalysis, Place
from .effects import must_run


def eliminate_dead_code(graph: Graph) -> bool:
    """Remove nodes, joined and carried values that nobody needs."""
    changed = False
    while _eliminate(graph):
        changed = True
    return changed


def _eliminate(graph: Graph) -> bool:
    """One round; without what it drops, less memory may be shared, and more can go."""
    needs = _Needs(graph)
    needs.find()
    return _sweep(graph.block, needs)


class _Needs:
    """The nodes and values that are needed, found backwards from what must happen."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.analysis = AliasAnalysis(graph)
        self.nodes: set[Node] = set()
        self.values: set[Value] = set()
        self._values_to_do: list[Value] = []
        self._nodes_to_do: list[Node] = []
        self._writers: list[tuple[Node, frozenset[Place]]] = []
        self._read: set[Place] = set()

    def find(self) -> None:
        for node in self.graph.walk():
            written = self.analysis.writes(node) if not node.blocks else frozenset()
            if must_run(node) or self.analysis.is_visible(written):
                self.need_node(node)
            elif written:
                self._writers.append((node, written))
        self.need_values(self.graph.outputs)
        for value in self.graph.outputs:
            self._read |= self.analysis.places(value)
        self._spread()

    def need_values(self, values: list[Value]) -> None:
        self._values_to_do += values

    def need_node(self, node: Node) -> None:
        """The node must run, so the blocks around it must be entered as often as they are."""
        if node in self.nodes:
            return
        self.nodes.add(node)
        self._nodes_to_do.append(node)

    def _spread(self) -> None:
        while self._values_to_do or self._nodes_to_do:
            while self._values_to_do:
                self._need_value(self._values_to_do.pop())
            while self._nodes_to_do:
                self._enter(self._nodes_to_do.pop())
            for node, written in self._writers:
                if written & self._read:
                    self.need_node(node)

    def _enter(self, node: Node) -> None:
        if node.kind in CHOICES:
            self.need_values(node.inputs)
        elif node.kind == LOOP:
            self.need_values([*node.inputs[:2], node.blocks[0].outputs[0]])
        else:
            self.need_values(node.inputs)
            self._read |= self.analysis.reads(node)
        owner = node.block.owner
        if owner is not None:
            self.need_node(owner)

    def _need_value(self, value: Value) -> None:
        if value in self.values:
            return
        self.values.add(value)
        node, offset = value.node, value.offset
        if node.kind == PARAM:
            self._need_parameter(value)
            return
        self.need_node(node)
        if node.kind in CHOICES:
            self.need_values([block.outputs[offset] for block in node.blocks])
        elif node.kind == LOOP:
            self.need_values([node.inputs[offset + 2], *_carried(node, offset)])

    def _need_parameter(self, value: Value) -> None:
        """A loop's parameter is needed: so is the carried value in all its forms."""
        owner = value.block.owner
        if owner is None or owner.kind != LOOP:
            return
        self.need_node(owner)
        if value.offset > 0:
            self.need_values([owner.outputs[value.offset - 1]])


def _carried(node: Node, offset: int) -> tuple[Value, Value]:
    (body,) = node.blocks
    return body.inputs[offset + 1], body.outputs[offset + 1]


def _sweep(block: Block, needs: _Needs) -> bool:
    changed = False
    for node in block.reversed_nodes:
        if node not in needs.nodes:
            node.destroy()
            changed = True
            continue
        dropped = _drop_outputs(node, needs) if node.kind in (*CHOICES, LOOP) else []
        for inner in node.blocks:
            changed |= _sweep(inner, needs)
        if node.kind == LOOP:
            for offset in dropped:
                node.blocks[0].param_node.remove_output(offset + 1)
        changed |= bool(dropped)
    return changed


def _drop_outputs(node: Node, needs: _Needs) -> list[int]:
    """Drop the outputs that nobody needs, with what they are joined from; returns which, last
    first.

    The parameters of a loop stay until the nodes that read them are gone.
    """
    dropped = [value.offset for value in reversed(node.outputs) if value not in needs.values]
    is_loop = node.kind == LOOP
    for offset in dropped:
        node.remove_output(offset)
        for block in node.blocks:
            block.return_node.remove_input(offset + is_loop)
        if is_loop:
            node.remove_input(offset + 2)
    return dropped
