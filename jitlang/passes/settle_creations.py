"""Lets arrays that NumPy fills with one number be rows that native code knows, and counts a loop.

    graph(%n : int):                                    graph(%n : int):
      %f : str = prim::Constant[value="zeros"]()          %1 : int[] = prim::ListConstruct(%n)
      %k : str = prim::Constant[value=""]()               %2 : float = prim::Constant[value=0.]()
      %x : Double(*) = jit::numpy(%f, %k, %n)       =>    %3 : dtype = prim::Constant[value=float64]()
      return (%x)                                         %x : Double(*) = jit::filled(%1, %2, %3)
                                                          return (%x)

An array that nobody has filled may hold anything, so it holds zeros. `np.arange(n)` is filled by a
loop, for any number of trips.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import LOOP, Graph, Node, Value
from ..ops.arrays import array_type, rank_of

_NUMBERS = {"zeros": 0, "empty": 0, "ones": 1, "full": None}
_LIKE = "_like"


def settle_creations(graph: Graph) -> bool:
    """Replace calls of `np.zeros` and its kin and of `np.arange`; says whether there were any."""
    builder, changed = Builder(graph), False
    for node in list(graph.find("jit::numpy")):
        builder.span = node.span
        with builder.at(node):
            made = _counted(builder, node) or _filled(builder, node)
        if made is not None:
            node.output.replace_all_uses_with(made)
            node.destroy()
            changed = True
    return changed


def _counted(builder: Builder, node: Node) -> Value | None:
    """The numbers below one number."""
    name, keywords, *given = node.inputs
    if name.constant() != "arange" or keywords.constant() != "" or len(given) != 1:
        return None
    (count,) = given
    if count.type is not ty.INT:
        return None
    first, dtype = builder.constant(0), builder.constant(dtypes.int64)
    made = builder.op("jit::filled", builder.list([count]), first, dtype)
    made.type = array_type(dtypes.int64, 1)
    going = builder.constant(True)
    body = builder.node(LOOP, [count, going]).add_block()
    place = body.add_input(ty.INT)
    with builder.at(body):
        builder.call("jit::array_store", [made, place, place])
    body.add_output(going)
    return made


def _filled(builder: Builder, node: Node) -> Value | None:
    """The array by a row, if its dtype and number are known."""
    name = node.inputs[0].constant() or ""
    kind = name.removesuffix(_LIKE)
    given = _arguments(node, kind)
    if given is None:
        return None
    shape, number, dtype = given
    target = _dtype(dtype, shape, number, is_like=name != kind)
    element = None if target is None else _element(kind, number, target)
    if element is None:
        return None
    rest = builder.constant(element), builder.constant(target)
    if name != kind:
        return builder.op("jit::filled_like", shape, *rest) if rank_of(shape.type) else None
    sizes = _sizes(builder, shape)
    if sizes is None:
        return None
    made = builder.op("jit::filled", builder.list(sizes, ty.INT), *rest)
    if rank_of(made.type) is None:
        made.type = array_type(target, len(sizes))
    return made


def _arguments(node: Node, kind: str) -> tuple[Value, Value | None, Value | None] | None:
    """The shape, or the array that has it, the number, and the dtype that is asked for."""
    names = ["shape", *(["number"] if kind == "full" else []), "dtype"]
    keywords = [k for k in (node.inputs[1].constant() or "").split(",") if k]
    positional = node.inputs[2 : len(node.inputs) - len(keywords)]
    if kind not in _NUMBERS or len(positional) > len(names):
        return None
    found = dict(zip(names, positional, strict=False))
    found |= zip(keywords, node.inputs[len(node.inputs) - len(keywords) :], strict=True)
    if not {*names[:-1]} <= found.keys() <= {*names}:
        return None
    return found["shape"], found.get("number"), found.get("dtype")


def _dtype(
    wanted: Value | None, shape: Value, number: Value | None, *, is_like: bool
) -> DType | None:
    """The dtype of an array."""
    if wanted is not None:
        found = wanted.constant()
        return found if isinstance(found, DType) else None
    if is_like:
        return shape.type.dtype if isinstance(shape.type, ty.TensorType) else None
    if number is None:
        return dtypes.float64
    return dtypes.from_numpy(np.asarray(number.constant()).dtype) if number.is_constant else None


def _element(kind: str, number: Value | None, dtype: DType) -> float | None:
    """The number that all elements are."""
    wanted = _NUMBERS[kind] if number is None else number.constant()
    if dtype.is_complex or dtype.itemsize == 2 or not isinstance(wanted, int | float):
        return None
    try:
        with np.errstate(all="ignore"):
            element: float = np.full((), wanted, dtype.numpy).item()
    except (OverflowError, ValueError):
        return None  # for NumPy to raise when the graph runs
    return element


def _sizes(builder: Builder, shape: Value) -> Sequence[Value] | None:
    """The ints of a shape."""
    known = shape.constant()
    if isinstance(known, list | tuple) and all(type(size) is int for size in known):
        return [builder.constant(size) for size in known]
    if shape.type is ty.INT:
        return [shape]
    if shape.node.kind == "jit::shape":
        (array,) = shape.node.inputs
        axes = range(rank_of(array.type) or 0)
        return [builder.op("aten::size", array, builder.constant(axis)) for axis in axes] or None
    is_written = shape.node.kind == "prim::TupleConstruct"
    sizes = shape.node.inputs if is_written else ()
    return sizes if is_written and all(size.type is ty.INT for size in sizes) else None
