"""Random rows in groups.

    %y : Tensor = aten::dropout(%x, %p, %yes)    =>
                                  %like : Tensor[] = prim::ListConstruct(%x)
                                  %seed : int, %offset : int = jit::reserve(%like)
                                  %y : Tensor = jit::dropout_at(%x, %p, %seed, %offset)

The reservation stays where the row was, so draws keep their order; the rest is pure, and may become
part of a kernel. `like` holds the tensors from which pointwise rows make `%x`, so that the number
of elements is known without it. Rows that draw for given sizes get a tensor of zeros as `%x`:
memory that nobody touches costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.graph import CONSTANT, Graph, Node, Value, create_node
from ..ir.opdef import OPS
from ..ir.types import TensorType
from ..ops.traits import Role, roles_of
from ..passes.alias import AliasAnalysis
from .composites import Lowering, apply_row
from .plan import Unsupported
from .tensors import NUMBERED, Drawn, Scalar, Step, Tensor

RESERVE = "jit::reserve"
RESERVE_LIKE = "jit::reserve_like"
_LIKE_OF_SIZES = "aten::zeros"
_ULP = 2.0**-24
_TURN = 6.283185307179586


def reserve_draws(graph: Graph) -> bool:
    """Part random rows into a reservation and a pure draw; returns whether there were any."""
    rows = [n for n in graph.walk() if n.op is not None and n.op.full_name in _PARTED]
    if not rows:
        return False
    analysis = AliasAnalysis(graph)
    is_changed = analysis.is_changed_list
    parted = [node for node in rows if _is_plain(node) and not any(map(is_changed, node.inputs))]
    for node in parted:
        assert node.op is not None
        _part(node, _PARTED[node.op.full_name])
    return bool(parted)


_LIKE = {
    "aten::dropout": "jit::dropout_at",
    "aten::bernoulli.p": "jit::bernoulli_at",
    "aten::rand_like": "jit::rand_at",
    "aten::randn_like": "jit::randn_at",
}
_SIZED = {"aten::rand": "jit::rand_at", "aten::randn": "jit::randn_at"}
_PARTED = _LIKE | _SIZED


def _is_plain(node: Node) -> bool:
    """Whether a node certainly draws as many numbers as its tensor, or result, has elements."""
    source, *rest = node.inputs
    if not all(v.is_constant for v in rest):
        return False
    first, *others = (v.constant() for v in rest)
    if node.kind in _SIZED:
        is_here = others[1] is None or str(others[1]).startswith("cpu")
        return _are_sizes(source) and is_here and (first is None or _is_floating(first))
    if not isinstance(source.type, TensorType):
        return False
    if node.kind == "aten::dropout":
        return 0 < first < 1 and others[0] is True
    if node.kind == "aten::bernoulli":
        return 0 <= first <= 1 and others[0] is None
    return others[1] is None and (first is None or _is_floating(first))


def _are_sizes(value: Value) -> bool:
    """Whether a list holds known sizes that tensors can have."""
    sizes = value.constant()
    if value.node.kind == "prim::ListConstruct":
        sizes = [size.constant() for size in value.node.inputs]
    return sizes is not None and all(size is not None and size >= 0 for size in sizes)


def _is_floating(dtype: DType | None) -> bool:
    return dtype is not None and dtype.category is Category.FLOATING


def _part(node: Node, name: str) -> None:
    source = _like_of_sizes(node) if node.kind in _SIZED else node.inputs[0]
    state = _reserved(node, source).outputs
    made = create_node(name, [source, node.inputs[1], *state], [node.output.type],
        op=OPS.find(name), span=node.span)  # fmt: skip
    made.callstack = node.callstack
    made.insert_before(node)
    made.output.name = node.output.name
    node.output.replace_all_uses_with(made.output)
    node.destroy()


def _like_of_sizes(node: Node) -> Value:
    """A tensor like the result of a row that takes sizes."""
    op = OPS.find(_LIKE_OF_SIZES)
    made = create_node(_LIKE_OF_SIZES, node.inputs, [node.output.type], op=op, span=node.span)
    made.callstack = node.callstack
    return made.insert_before(node).output


def may_repeat(node: Node) -> bool:
    """Whether a draw of given sizes may be broadcast by its readers: inside of their kernel each of
    its elements would be drawn many times.
    """
    made = node.inputs[0].node.op if node.inputs else None
    if made is None or made.full_name != _LIKE_OF_SIZES:
        return False
    sizes = getattr(node.output.type, "sizes", None)
    results = [value.type for use in node.output.uses for value in use.node.outputs]
    return sizes is None or any(getattr(type_, "sizes", None) != sizes for type_ in results)


def _reserved(node: Node, source: Value) -> Node:
    """The reservation for a random row, in front of it."""
    assert isinstance(source.type, TensorType)
    is_like = node.kind in ("aten::rand_like", "aten::randn_like")
    if is_like and node.inputs[1].type is ty.NONE and not _is_floating(source.type.dtype):
        value = node.kind == "aten::randn_like"
        is_normal = create_node(CONSTANT, (), [ty.BOOL], attributes={"value": value})
        name, given = RESERVE_LIKE, [source, is_normal.insert_before(node).output]
    else:
        leaves = list(dict.fromkeys(_leaves(source)))
        like = create_node("prim::ListConstruct", leaves, [ty.ListType(ty.TENSOR)])
        name, given = RESERVE, [like.insert_before(node).output]
    op = OPS.find(name)
    made = create_node(name, given, [ty.INT, ty.INT], op=op, span=node.span)
    made.callstack = node.callstack
    return made.insert_before(node)


def _leaves(value: Value) -> Iterator[Value]:
    """The tensors of whose broadcast shape a value is."""
    work, seen = [value], set()
    while work:
        value = work.pop()
        if value in seen:
            continue
        seen.add(value)
        op = value.node.op
        if op is None or op.body is None or op.schema.is_mutable:
            yield value
            continue
        pairs = zip(roles_of(op), value.node.inputs, strict=True)
        tensors = [v for role, v in pairs if role in (Role.TENSOR, Role.MASK)]
        work += [v for v in tensors if isinstance(v.type, TensorType)]


# Lowering -----------------------------------------------------------------------------------------


def _bits(lowering: Lowering, like: Tensor, seed: Any, offset: Any, word: str = "own") -> Tensor:
    """The random bits of a draw for each element of a value."""
    if not isinstance(seed, Scalar) or not isinstance(offset, Scalar):
        raise Unsupported("a draw whose state is not given with the call")
    steps = (Step(NUMBERED, like.shape),)
    return Drawn(like.shape, dtypes.int64, seed, offset, word, steps)


def _uniform(lowering: Lowering, like: Tensor, seed: Any, offset: Any) -> Tensor:
    bits = lowering.converted(_bits(lowering, like, seed, offset), dtypes.float32)
    return apply_row(lowering, "aten::mul.Scalar", bits, _ULP)


def _single(value: float) -> float:
    return float(dtypes.float32.numpy.type(value))


def _dropout(lowering: Lowering, x: Tensor, p: float, seed: Any, offset: Any) -> Tensor:
    if x.dtype.category < Category.FLOATING:
        raise Unsupported("dropout of integers")
    uniform = _uniform(lowering, x, seed, offset)
    wide = dtypes.float32 if x.dtype.itemsize == 2 else x.dtype
    kept = apply_row(lowering, "aten::ge.Scalar", uniform, _single(p))
    scale = apply_row(lowering, "aten::mul.Scalar", lowering.converted(kept, wide), 1 / (1 - p))
    product = apply_row(lowering, "aten::mul.Tensor", lowering.converted(x, wide), scale)
    made: Tensor = lowering.converted(product, x.dtype)
    return made


def _bernoulli(lowering: Lowering, x: Tensor, p: float, seed: Any, offset: Any) -> Tensor:
    uniform = _uniform(lowering, x, seed, offset)
    drawn = apply_row(lowering, "aten::lt.Scalar", uniform, _single(p))
    made: Tensor = lowering.converted(drawn, x.dtype)
    return made


def _result(like: Tensor, dtype: DType | None) -> DType:
    found = dtype or like.dtype
    if not _is_floating(found):
        raise Unsupported(f"a draw of {found.name}")
    return found


def _rand(lowering: Lowering, x: Tensor, dtype: DType | None, seed: Any, offset: Any) -> Tensor:
    result = _result(x, dtype)
    made: Tensor = lowering.converted(_uniform(lowering, x, seed, offset), result)
    return made


def _randn(lowering: Lowering, x: Tensor, dtype: DType | None, seed: Any, offset: Any) -> Tensor:
    result = _result(x, dtype)
    wide = dtypes.float64 if result is dtypes.float64 else dtypes.float32

    def apply(name: str, *operands: Any) -> Tensor:
        return apply_row(lowering, name, *operands)

    first, second = (
        lowering.converted(_bits(lowering, x, seed, offset, word), wide)
        for word in ("first", "second")
    )
    chance = apply("aten::mul.Scalar", apply("aten::add.Scalar", first, 1), _ULP)
    radius = apply("aten::sqrt", apply("aten::mul.Scalar", apply("aten::log", chance), -2))
    angle = apply("aten::mul.Scalar", second, _TURN * _ULP)
    place = lowering.converted(_bits(lowering, x, seed, offset, "parity"), dtypes.bool_)
    both = [apply("aten::mul.Tensor", radius, apply(f"aten::{n}", angle)) for n in ("sin", "cos")]
    made: Tensor = lowering.converted(apply("aten::where.self", place, *both), result)
    return made


DRAWS: dict[str, Callable[..., Tensor]] = {
    "jit::dropout_at": _dropout,
    "jit::bernoulli_at": _bernoulli,
    "jit::rand_at": _rand,
    "jit::randn_at": _randn,
}
"""Rows that draw from a state that their last two arguments tell."""
