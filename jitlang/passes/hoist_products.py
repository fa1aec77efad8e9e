"""Multiplies a whole sequence by a matrix at once, and not step by step.

    graph(%xs : Float(5, 2, 3), %w : Float(3, 8)):        graph(%xs : Float(5, 2, 3), %w : Float(3, 8)):
      ...                                                   %f : Float(10, 3) = aten::reshape(%xs, ...)
       = prim::Loop(%5, %go)                                %p : Float(10, 8) = aten::mm(%f, %w)
        block0(%i : int):                            =>     %q : Float(5, 2, 8) = aten::view(%p, ...)
          %x : Float(2, 3) = aten::select(%xs, %0, %i)       = prim::Loop(%5, %go)
          %y : Float(2, 8) = aten::matmul(%x, %w)             block0(%i : int):
          ...                                                   %y : Float(2, 8) = aten::select(%q, %0, %i)
                                                                ...

One product of many rows runs at a multiple of the rate of many products of few. The sequence and the
matrix must not change in the loop, all shapes must be known to fit, and the loop must take as many
steps as the sequence has, so that nothing is computed in vain. Whatever the index is, the `select`
of the product takes it as that of the sequence did, and fails as that did.

The bias of a `linear` is added in the loop, where it goes into the kernel that follows. Results are
within the error bound of products (n eps sum|x|), and not the same to the bit: a library sums in
another order for other numbers of rows. `config.max_hoisted_bytes` limits what is held at a time.
"""  # noqa: E501

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import config
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import LOOP, Graph, Node, Value
from ..ir.types import TensorType
from .alias import AliasAnalysis
from .eliminate_common_subexpressions import may_stand_for_many
from .loops import certain_trips, is_from_outside

PRODUCTS = ("aten::mm", "aten::matmul", "aten::linear")


def hoist_products(graph: Graph) -> bool:
    """Replace products of the steps of a sequence by steps of one product."""
    loops = [(loop, trips) for loop in graph.find(LOOP) if (trips := certain_trips(loop) or 0) > 1]
    if not loops:
        return False
    analysis = AliasAnalysis(graph)
    changed = False
    for loop, trips in loops:
        for node in list(loop.blocks[0].nodes):
            step = _step_of(node, loop, trips, analysis)
            if step is not None:
                _hoist(step, loop)
                changed = True
    return changed


@dataclass(frozen=True)
class _Step:
    """A product in a loop: of what a `select` takes from a sequence, with a matrix."""

    node: Node
    sequence: Value
    sizes: tuple[int, ...]
    dim: int
    index: Value
    weight: Value
    columns: int
    bias: Value | None


def _step_of(node: Node, loop: Node, trips: int, analysis: AliasAnalysis) -> _Step | None:
    """The product of a step, where all that the hoisting needs is known."""
    if node.kind not in PRODUCTS or node.inputs[0].node.kind != "aten::select":
        return None
    select = node.inputs[0].node
    if select.op is None or select.op.full_name != "aten::select.int":
        return None
    sequence, dim, index = select.inputs
    weight, *rest = node.inputs[1:]
    bias = rest[0] if rest and rest[0].type is not ty.NONE else None
    given = [sequence, weight, *([bias] if bias is not None else [])]
    places = frozenset(place for value in given for place in analysis.own_places(value))
    if not all(is_from_outside(value, loop) for value in given) or places & analysis.writes(loop):
        return None
    if is_from_outside(index, loop) or not may_stand_for_many(node.output, analysis):
        return None
    sizes, matrix = _known_sizes(sequence), _known_sizes(weight)
    at = dim.constant()
    if sizes is None or matrix is None or len(matrix) != 2 or not isinstance(at, int):
        return None
    if bias is not None and _known_sizes(bias) is None:
        return None
    rows, columns = matrix if node.kind != "aten::linear" else matrix[::-1]
    at %= len(sizes)
    fits = len(sizes) in (2, 3) and at < len(sizes) - 1 and sizes[-1] == rows
    fits = fits and _known_sizes(node.output) is not None
    if not fits or sizes[at] > trips or _dtype_of(sequence) is not _dtype_of(weight):
        return None
    if math.prod(sizes[:-1]) * columns * _item_size(weight) > config.current().max_hoisted_bytes:
        return None
    return _Step(node, sequence, sizes, at, index, weight, columns, bias)


def _known_sizes(value: Value) -> tuple[int, ...] | None:
    """The sizes of a torch tensor of known dtype, where all are known."""
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.surface is not ty.Surface.TORCH:
        return None
    if type_.sizes is None or type_.dtype is None:
        return None
    known = tuple(size for size in type_.sizes if size is not None)
    return known if len(known) == len(type_.sizes) else None


def _dtype_of(value: Value) -> object:
    assert isinstance(value.type, TensorType)
    return value.type.dtype


def _item_size(value: Value) -> int:
    assert isinstance(value.type, TensorType) and value.type.dtype is not None
    return value.type.dtype.itemsize


def _hoist(step: _Step, loop: Node) -> None:
    """Put the product of the whole sequence before the loop, and a step of it in its place."""
    builder = Builder(loop.graph)
    builder.span = step.node.span
    result = step.node.output
    assert isinstance(result.type, TensorType)
    *leading, inner = step.sizes
    rows = math.prod(leading)
    with builder.at(loop):
        matrix, flat = step.weight, step.sequence
        if step.node.kind == "aten::linear":
            matrix = _made(builder, result.type, (inner, step.columns), "aten::t", matrix)
        if len(leading) > 1:
            sizes: tuple[int, ...] = (rows, inner)
            flat = _made(builder, result.type, sizes, "aten::reshape", flat, _ints(builder, sizes))
        product = _made(builder, result.type, (rows, step.columns), "aten::mm", flat, matrix)
        if len(leading) > 1:
            sizes = (*leading, step.columns)
            shape = _ints(builder, sizes)
            product = _made(builder, result.type, sizes, "aten::view", product, shape)
    sizes = (*step.sizes[: step.dim], *step.sizes[step.dim + 1 : -1], step.columns)
    with builder.at(step.node):
        dim = builder.constant(step.dim)
        taken = _made(builder, result.type, sizes, "aten::select", product, dim, step.index)
        if step.bias is not None:
            taken = builder.op("aten::add", taken, step.bias, alpha=builder.constant(1))
    taken.node.callstack = step.node.callstack
    taken.name = result.name
    result.replace_all_uses_with(taken)
    step.node.destroy()


def _made(
    builder: Builder, like: TensorType, sizes: tuple[int, ...], row: str, *inputs: Value
) -> Value:
    """The result of a row, of these sizes."""
    made = builder.op(row, *inputs)
    made.type = TensorType(like.dtype, sizes, device=like.device)
    return made


def _ints(builder: Builder, values: tuple[int, ...]) -> Value:
    return builder.list([builder.constant(value) for value in values], ty.INT)
