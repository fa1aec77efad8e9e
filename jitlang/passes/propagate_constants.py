"""Computes at compile time what depends on constants only.

    graph(%x : Tensor):                                  graph(%x : Tensor):
      %1 : int = prim::Constant[value=2]()                 %1 : int = prim::Constant[value=2]()
      %2 : bool = aten::lt(%1, %1)                 =>      %3 : Tensor = aten::tanh(%x)
      %3 : Tensor = prim::If(%2)                           return (%3)
        block0():
          %4 : Tensor = aten::exp(%x)
          -> (%4)
        block1():
          %5 : Tensor = aten::tanh(%x)
          -> (%5)
      return (%3)

Pure rows whose inputs are constants, or tuples and lists of constants that nobody writes to, are
run by their kernels. What raises is left to raise when the graph runs; what draws random numbers
is not touched; nor is what could be big: tensors only from pointwise rows, strings only from
short ones. A tensor is folded only if nobody can write to it. An `If` whose condition is known
becomes its branch, a loop without trips its initial values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from ..dtypes import DType
from ..ir import types as ty
from ..ir.graph import CONSTANT, IF, LOOP, Block, Graph, Node, Value, constant_type, create_node
from ..ir.opdef import NOT_CONSTANT, OpDef
from ..ir.types import Surface, TensorType, TupleType, Type
from ..ops.rows import KERNEL_ERRORS, kernel_of, unchecked_kernel
from ..tensor import Tensor, box
from ..tensor.recording import requires_grad
from .alias import AliasAnalysis
from .effects import is_pure

INT64 = range(-(2**63), 2**63)
MAX_EXPONENT = 64
MAX_LENGTH = 1000
POWERS = ("pow", "lshift", "ldexp")
WIDENING = (
    "mul", "format", "percent_format", "format_value", "ljust", "rjust", "center", "zfill",
    "expandtabs", "rangelist",
)  # fmt: skip
"""Rows that may make long texts or lists out of a number or a format."""

_WIDE = re.compile(r"\d{4}")

TUPLE = "prim::TupleConstruct"
LIST = "prim::ListConstruct"


def propagate_constants(graph: Graph) -> bool:
    """Fold what is constant, choose branches that are decided, drop loops without trips."""
    changed = False
    while _Folder(graph).block(graph.block):
        changed = True
    return changed


class _Folder:
    """One walk over a graph. A pruned branch may make more foldable, so there may be several."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.analysis = AliasAnalysis(graph)

    def block(self, block: Block) -> bool:
        changed = False
        for node in block.nodes:
            if node.kind == IF and node.inputs[0].is_constant:
                choose_branch(node, node.inputs[0].constant())
                changed = True
                continue
            if node.kind == LOOP and has_no_trips(node):
                drop_loop(node)
                changed = True
                continue
            for inner in node.blocks:
                changed |= self.block(inner)
            changed |= self.fold(node)
        return changed

    def fold(self, node: Node) -> bool:
        """Replace a node by what it computes, where that is known."""
        if node.op is None or not node.outputs or not is_pure(node):
            return False
        arguments = [self.known(value) for value in node.inputs]
        if any(argument is NOT_CONSTANT for argument in arguments):
            return False
        results = computed(node, arguments) if self._may_replace(node) else None
        if results is None or not all(map(fits, results, (v.type for v in node.outputs))):
            return False
        for value, result in zip(node.outputs, results, strict=True):
            value.replace_all_uses_with(materialize(result, value.type, node))
        node.destroy()
        return True

    def known(self, value: Value) -> Any:
        """The value, or NOT_CONSTANT. A fresh list each time, as running the display would give."""
        node = value.node
        if node.kind == CONSTANT:
            return value.constant()
        is_named = isinstance(value.type, TupleType) and bool(value.type.name)
        if node.kind not in (TUPLE, LIST) or is_named:
            return NOT_CONSTANT
        if node.kind == LIST and self.analysis.is_written(value):
            return NOT_CONSTANT
        parts = [self.known(part) for part in node.inputs]
        if any(part is NOT_CONSTANT for part in parts):
            return NOT_CONSTANT
        return tuple(parts) if node.kind == TUPLE else parts

    def _may_replace(self, node: Node) -> bool:
        """Whether one object may stand for what is made anew in every call."""
        return not any(
            self.analysis.is_written(value) or self.analysis.escapes(value)
            for value in node.outputs
            if self.analysis.places(value)
        )


def computed(node: Node, arguments: Sequence[Any]) -> list[Any] | None:
    """What the row of a pure node gives for these arguments, one result per output.

    None where it raises, which is for the running graph to do, or where it could take long.
    """
    assert node.op is not None
    if not _is_affordable(node.op, arguments):
        return None
    try:
        return _run(node, arguments)
    except KERNEL_ERRORS:
        return None


def choose_branch(node: Node, test: bool) -> None:
    """Replace an `If` by the branch that it takes."""
    block = node.blocks[0 if test else 1]
    for inner in block.nodes:
        inner.move_before(node)
    for value, result in zip(node.outputs, block.outputs, strict=True):
        value.replace_all_uses_with(result)
    node.destroy()


def has_no_trips(node: Node) -> bool:
    """Whether a loop is known not to run its body."""
    trips, start = (value.constant() for value in node.inputs[:2])
    return start is False or (trips is not None and trips <= 0)


def drop_loop(node: Node) -> None:
    """Replace a loop without trips by its initial values."""
    for value, initial in zip(node.outputs, node.inputs[2:], strict=True):
        value.replace_all_uses_with(initial)
    node.destroy()


def materialize(result: Any, type_: Type, place: Node) -> Value:
    """Insert nodes before `place` that give a value."""
    if isinstance(result, tuple) and isinstance(type_, TupleType):
        parts = [
            materialize(part, part_type, place)
            for part, part_type in zip(result, type_.elements, strict=True)
        ]
        return _insert(create_node(TUPLE, parts, [type_], span=place.span), place)
    attributes = {} if result is None else {"value": result}
    own_type = constant_type(result) or type_
    return _insert(
        create_node(CONSTANT, (), [own_type], attributes=attributes, span=place.span), place
    )


def _insert(node: Node, place: Node) -> Value:
    node.callstack = place.callstack
    return node.insert_before(place).output


def _run(node: Node, arguments: Sequence[Any]) -> list[Any]:
    """Run a row's kernel on Python values; tensors are unwrapped and wrapped again."""
    op = node.op
    assert op is not None
    wraps = op.checked_integer and node.graph.integers == "wrapping"
    kernel = unchecked_kernel(op) if wraps else kernel_of(op, np, exact=True)
    with np.errstate(all="ignore"):
        result = kernel(*map(_unwrapped, arguments))
    results = [result] if len(node.outputs) == 1 else list(result)
    if wraps and type(results[0]) is int:
        results[0] = (results[0] + 2**63) % 2**64 - 2**63
    return [
        box(part) if _is_torch_tensor(value.type) else part
        for part, value in zip(results, node.outputs, strict=True)
    ]


def _unwrapped(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_unwrapped, value))
    return value._array if isinstance(value, Tensor) else value


def _is_torch_tensor(type_: Type) -> bool:
    return isinstance(type_, TensorType) and type_.surface is Surface.TORCH


def _is_affordable(op: OpDef, arguments: Sequence[Any]) -> bool:
    """Whether running the row now takes little time and memory whatever it does.

    Tensors come from pointwise rows on small tensors only. Shifts, powers, repetition and formats
    make much out of little, so their numbers must be small. A row without inputs reads some outer
    state.
    """
    tensors = [a for a in arguments if isinstance(a, Tensor | np.ndarray)]
    declared = [a.type for a in op.schema.arguments]
    taken = [t for t, a in zip(declared, arguments, strict=False) if _is_tensor(a)]
    if not arguments or len(taken) < len(tensors) or not all(map(ty.has_tensors, taken)):
        return False
    if any(ty.has_tensors(r.type) for r in op.schema.returns) and not (op.is_pointwise and tensors):
        return False
    if any(_size(tensor) > config.current().max_constant_elements for tensor in tensors):
        return False
    if requires_grad(tensors):
        return False  # the result would be a leaf
    texts = [a for a in arguments if isinstance(a, str | tuple | list)]
    numbers = [a for a in arguments if type(a) is int]
    if any(len(text) > MAX_LENGTH for text in texts):
        return False
    name = op.name.partition("::")[2].strip("_")
    if name in POWERS:
        return all(abs(number) <= MAX_EXPONENT for number in numbers[-1:])
    if name in WIDENING and (texts or name == "rangelist"):
        wide = any(_WIDE.search(text) for text in texts if isinstance(text, str))
        return not wide and all(abs(number) <= MAX_LENGTH for number in numbers)
    return True


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray)




def _size(tensor: Any) -> int:
    return int((tensor._array if isinstance(tensor, Tensor) else tensor).size)


def fits(result: Any, type_: Type) -> bool:
    """Whether a result can be a constant of the graph."""
    if isinstance(result, Tensor):
        return _size(result) <= config.current().max_constant_elements
    if isinstance(result, bool | float | complex | DType) or result is None:
        return True
    if isinstance(result, int):
        return result in INT64
    if isinstance(result, str):
        return len(result) <= MAX_LENGTH
    if isinstance(result, tuple) and isinstance(type_, TupleType) and not type_.name:
        return len(result) == len(type_.elements) and all(map(fits, result, type_.elements))
    return False
