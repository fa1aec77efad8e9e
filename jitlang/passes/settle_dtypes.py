"""Writes the default dtype into rows that would ask for it when they run.

    graph(%n : int[]):                                 graph(%n : int[]):
      %none : NoneType = prim::Constant()                %none : NoneType = prim::Constant()
      %z : Tensor = aten::zeros(%n, %none, ...)    =>    %d : dtype = prim::Constant[value=torch.float32]()
      return (%z)                                        %z : Tensor = aten::zeros(%n, %d, ...)
                                                         return (%z)

So the type of a tensor that starts a computation is known. The graph then is for this default: when
it changes, compiled versions are dropped (`dtypes.watch_default_dtype`).
"""  # noqa: E501

from __future__ import annotations

from .. import dtypes
from ..ir import types as ty
from ..ir.graph import CONSTANT, Graph, Node, create_node

DEFAULTED = frozenset({
    "aten::zeros", "aten::ones", "aten::empty.memory_format", "aten::rand", "aten::randn",
    "aten::eye", "aten::eye.m", "aten::linspace",
})  # fmt: skip
"""Rows whose result has the default dtype where none is given."""

DEFAULTED_FOR_FLOATS = frozenset({
    "aten::full", "aten::arange", "aten::arange.start", "aten::arange.start_step",
    "aten::scalar_tensor", "aten::tensor.float", "aten::as_tensor.float",
})  # fmt: skip
"""The same where one of their numbers is a float."""


def settle_dtypes(graph: Graph) -> bool:
    """Give rows that would take the default dtype that dtype."""
    changed = False
    for node in list(graph.walk()):
        at = _place_of_default(node)
        if at is None:
            continue
        attributes = {"value": dtypes.default_dtype()}
        made = create_node(CONSTANT, (), [ty.DTYPE], attributes=attributes, span=node.span)
        node.replace_input(at, made.insert_before(node).output)
        changed = True
    return changed


def _place_of_default(node: Node) -> int | None:
    """The input that stands for the default dtype."""
    if node.op is None:
        return None
    name = node.op.full_name
    has_float = any(value.type is ty.FLOAT for value in node.inputs)
    if name not in DEFAULTED and not (name in DEFAULTED_FOR_FLOATS and has_float):
        return None
    at = node.op.schema.index_of("dtype")
    return at if at is not None and node.inputs[at].type is ty.NONE else None
