"""Writes out the trips of short loops where that lets lists dissolve.

    graph(%x : Tensor, %v : Tensor, %w : Tensor):            graph(%x : Tensor, %v : Tensor, %w : Tensor):
      %l : Tensor[] = prim::ListConstruct(%v, %w)              %l : Tensor[] = prim::ListConstruct(%v, %w)
      %r : Tensor = prim::Loop(%two, %go, %x)                  %a : Tensor = aten::__getitem__(%l, %zero)
        block0(%i : int, %h : Tensor):                   =>    %b : Tensor = aten::matmul(%x, %a)
          %m : Tensor = aten::__getitem__(%l, %i)              %c : Tensor = aten::__getitem__(%l, %one)
          %p : Tensor = aten::matmul(%h, %m)                   %d : Tensor = aten::matmul(%b, %c)
          -> (%go, %p)                                         return (%d)
      return (%r)

A loop is unrolled if its trip count is known and nothing ends it early, it is short
(`config.max_unrolled_trips`) and small (`config.max_unrolled_nodes` for all trips together), and its
counter is the index into a list, or there is one trip only. Other loops stay loops: machine code for
numbers is unrolled by LLVM, and kernels gain nothing from it.
"""  # noqa: E501

from __future__ import annotations

from .. import config
from ..ir import types as ty
from ..ir.graph import CONSTANT, LOOP, Graph, Node, Value, create_node
from .loops import certain_trips

INDEXED = ("aten::__getitem__", "aten::_set_item")


def unroll_loops(graph: Graph) -> bool:
    """Replace short loops over lists by their trips, from inner ones first."""
    changed = False
    for loop in reversed(graph.find(LOOP)):
        trips = certain_trips(loop)
        if trips is not None and _is_worth_it(loop, trips):
            _unroll(loop, trips)
            changed = True
    return changed


def _is_worth_it(loop: Node, trips: int) -> bool:
    settings = config.current()
    size = sum(1 for _ in loop.blocks[0].walk())
    if not 1 <= trips <= settings.max_unrolled_trips or trips * size > settings.max_unrolled_nodes:
        return False
    return trips == 1 or any(_is_indexed_by(node, loop) for node in loop.blocks[0].walk())


def _is_indexed_by(node: Node, loop: Node) -> bool:
    """Whether a node takes or sets the item of a list at an index made of the loop's counter."""
    if node.kind not in INDEXED or not isinstance(node.inputs[0].type, ty.ListType):
        return False
    return _depends_on(node.inputs[1], loop.blocks[0].inputs[0])


def _depends_on(value: Value, counter: Value) -> bool:
    if value is counter:
        return True
    inputs = value.node.inputs if value.node.op is not None else []
    return any(_depends_on(given, counter) for given in inputs if given.type is ty.INT)


def _unroll(loop: Node, trips: int) -> None:
    """Put the trips one after the other before the loop, and drop it."""
    (body,) = loop.blocks
    carried = loop.inputs[2:]
    for trip in range(trips):
        made = create_node(CONSTANT, (), [ty.INT], attributes={"value": trip}, span=loop.span)
        made.callstack = loop.callstack
        counter = made.insert_before(loop).output
        mapping = dict(zip(body.inputs, [counter, *carried], strict=True))
        body.clone_nodes_into(loop.block, loop, mapping)
        carried = [mapping.get(value, value) for value in body.outputs[1:]]
    for value, last in zip(loop.outputs, carried, strict=True):
        value.replace_all_uses_with(last)
    loop.destroy()
