"""The leaves of the verifier: what a type, an attribute and each kind of node must be.

`NODE_RULES` maps a kind to the number of its invariant (`ir/verifier.py` holds the list) and to the
function that yields a message for each way in which a node breaks it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from .. import arrays
from ..dtypes import DType, from_numpy
from . import types as ty
from .graph import (
    CATCHES,
    CONSTANT,
    IF,
    LOOP,
    PYTHON_OP,
    TRY,
    UNINITIALIZED,
    Node,
    ObjectRef,
    TensorText,
    Value,
    tensor_data,
)
from .matching import as_torch, conversion
from .opdef import Effect, OpDef
from .resolve import first_misfit
from .types import Type

Messages = Iterator[str]
CHECKS_KEPT = 1 << 12
"""Checks of types that are remembered: the verifier sees the same ones after every pass."""
_CALLS_OUT = (
    "prim::Print", PYTHON_OP, "prim::SetAttr", "prim::CallFunction", "prim::CallMethod",
    "prim::fork",
)  # fmt: skip


def is_effect(node: Node) -> bool:
    """Whether running the node again would show: writes, random draws, calls out."""
    if node.op is None:
        return node.kind in _CALLS_OUT
    return node.op.schema.is_mutable or node.op.effect in (Effect.IO, Effect.RANDOM)


# Types and attributes ---------------------------------------------------------------------------


@lru_cache(maxsize=CHECKS_KEPT)
def check_type(type_: Type) -> Sequence[str]:
    """A value's type has no variables, and one name per field."""
    return tuple(_check_type(type_))


def _check_type(type_: Type) -> Messages:
    for part in ty.walk(type_):
        if isinstance(part, ty.VarType):
            yield f"the type variable {part} is left in {type_}"
        if isinstance(part, ty.TupleType) and part.field_names:
            names = part.field_names
            if len(names) != len(part.elements) or len(set(names)) != len(names):
                yield f"{len(part.elements)} fields are named {', '.join(names)}"


_PLAIN = (
    bool, int, float, complex, str, type(None), DType, Type, ObjectRef, TensorText, enum.Enum,
    arrays.Device,
)  # fmt: skip


def check_attribute(value: Any) -> str | None:
    """Why text cannot hold an attribute, or None where it can."""
    if isinstance(value, _PLAIN) or tensor_data(value) is not None:
        return None
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        return next(filter(None, map(check_attribute, value)), None)
    return f"holds a {type(value).__name__}"


def is_of_type(value: Any, type_: Type) -> bool:
    """Whether a constant's value is one of a type."""
    return any(_is_of(value, kind) for kind in ty.alternatives(type_))


_PYTHON: Mapping[Type, tuple[type, ...]] = {
    ty.BOOL: (bool,), ty.INT: (int,), ty.FLOAT: (float,), ty.COMPLEX: (complex,), ty.STR: (str,),
    ty.NONE: (type(None),), ty.DTYPE: (DType,), ty.DEVICE: (arrays.Device,),
    ty.NUMBER: (bool, int, float, complex),
}  # fmt: skip


def _is_of(value: Any, type_: Type) -> bool:
    if type_ in _PYTHON:
        return type(value) in _PYTHON[type_]
    if isinstance(value, ObjectRef):
        return True  # a function, an enum member, a container that is read where it lives
    if isinstance(type_, ty.AnyType):
        return True
    if isinstance(type_, ty.TensorType):
        return isinstance(value, TensorText) or _is_tensor_of(value, type_)
    if isinstance(type_, ty.ListType):
        return isinstance(value, list) and all(is_of_type(v, type_.element) for v in value)
    if isinstance(type_, ty.SequenceType):
        return isinstance(value, list | tuple) and all(is_of_type(v, type_.element) for v in value)
    if isinstance(type_, ty.DictType):
        return isinstance(value, dict) and all(
            is_of_type(k, type_.key) and is_of_type(v, type_.value) for k, v in value.items()
        )
    if isinstance(type_, ty.TupleType):
        return (
            isinstance(value, tuple)
            and len(value) == len(type_.elements)
            and all(map(is_of_type, value, type_.elements))
        )
    return isinstance(value, enum.Enum)


def _is_tensor_of(value: Any, type_: ty.TensorType) -> bool:
    array = tensor_data(value)
    if array is None:
        return False
    sizes = type_.sizes
    fits = sizes is None or (
        len(sizes) == array.ndim
        and all(s is None or s == n for s, n in zip(sizes, array.shape, strict=True))
    )
    return fits and type_.dtype in (None, from_numpy(array.dtype))


# Rows -------------------------------------------------------------------------------------------


def check_row(node: Node, op: OpDef) -> Sequence[str]:
    """Kind, inputs and outputs agree with the row."""
    if op.name != node.kind:
        return (f"its row is {op.full_name}",)
    given = tuple(value.type for value in node.inputs)
    return _check_types(op, given, tuple(value.type for value in node.outputs))


@lru_cache(maxsize=CHECKS_KEPT)
def _check_types(op: OpDef, given: Sequence[Type], made: Sequence[Type]) -> Sequence[str]:
    misfit = first_misfit(op, given)
    return (misfit,) if misfit is not None else tuple(_check_returns(op, given, made))


def _check_returns(op: OpDef, given: Sequence[Type], made: Sequence[Type]) -> Messages:
    returns = op.schema.returns
    if len(made) != len(returns) and not op.schema.is_varret:
        yield f"{op.full_name} has {len(returns)} outputs, found {len(made)}"
    bindings: dict[str, Type] = {}
    for argument, type_ in zip(op.schema.arguments, given, strict=False):
        conversion(argument, type_, bindings, implicit=True)
    for index, (declared, type_) in enumerate(zip(returns, made, strict=False)):
        expected = ty.substitute(declared.type, bindings)
        if not ty.has_variables(expected) and not _may_return(type_, expected):
            yield f"output {index} of {op.full_name} is {expected}, not {type_}"


def _may_return(type_: Type, declared: Type) -> bool:
    """A type rule may refine what the schema declares; both surfaces share a row.

    In graphs from archives a dtype is an int.
    """
    if declared is ty.DTYPE and type_ is ty.INT:
        return True
    return ty.is_subtype(as_torch(type_), as_torch(declared)) or (
        ty.is_subtype(as_torch(declared), as_torch(type_))
    )


# Kinds ------------------------------------------------------------------------------------------


def _arity(node: Node, inputs: int | None, outputs: int | None, blocks: int | None = 0) -> Messages:
    counts = (
        ("input", node.inputs, inputs), ("output", node.outputs, outputs),
        ("block", node.blocks, blocks),
    )  # fmt: skip
    for what, found, wanted in counts:
        if wanted is not None and len(found) != wanted:
            plural = "" if wanted == 1 else "s"
            yield f"has {wanted} {what}{plural}, found {len(found)}"


def _carried(what: str, given: Sequence[Value], taken: Sequence[Value]) -> Messages:
    """Each value given is one of the type of the value that takes its place."""
    if len(given) != len(taken):
        yield f"{what}: {len(given)} values for {len(taken)}"
    for index, (value, place) in enumerate(zip(given, taken, strict=False)):
        if not ty.is_subtype(value.type, place.type):
            yield f"{what}: {value.type} at {index} is no {place.type}"


def _constant(node: Node) -> Messages:
    arity = list(_arity(node, 0, 1))
    yield from arity
    value = node.attributes.get("value")
    if not arity and not is_of_type(value, node.output.type):
        yield f"{value!r} is no {node.output.type}"


def _if(node: Node) -> Messages:
    arity = list(_arity(node, 1, None, 2))
    yield from arity
    if arity:
        return
    if node.inputs[0].type is not ty.BOOL:
        yield f"the condition is {node.inputs[0].type}"
    for index, block in enumerate(node.blocks):
        if block.inputs:
            yield f"block {index} has inputs"
        yield from _carried(f"block {index}", block.outputs, node.outputs)


def _loop(node: Node) -> Messages:
    arity = list(_arity(node, None, None, 1))
    yield from arity
    if arity:
        return
    block = node.blocks[0]
    if len(node.inputs) < 2 or not block.inputs or not block.outputs:
        yield "needs a trip count and a condition, an iteration, and a next condition"
        return
    roles = (
        ("the trip count", node.inputs[0], ty.INT), ("the condition", node.inputs[1], ty.BOOL),
        ("the iteration", block.inputs[0], ty.INT),
        ("the next condition", block.outputs[0], ty.BOOL),
    )  # fmt: skip
    for what, value, wanted in roles:
        if value.type is not wanted:
            yield f"{what} is {value.type}, not {wanted}"
    yield from _carried("what enters", node.inputs[2:], block.inputs[1:])
    yield from _carried("what goes around", block.outputs[1:], block.inputs[1:])
    yield from _carried("what comes out", block.inputs[1:], node.outputs)


def _try(node: Node) -> Messages:
    arity = list(_arity(node, 0, None, None))
    yield from arity
    catches = node.attributes.get(CATCHES)
    if arity:
        return
    if not _is_list_of_classes(catches):
        yield f"needs a list of exception classes for each handler as {CATCHES!r}"
        return
    if len(node.blocks) != len(catches) + 1:
        yield f"has {len(catches) + 1} blocks, found {len(node.blocks)}"
        return
    body, *handlers = node.blocks
    if body.inputs:
        yield "block 0 has inputs"
    for index, handler in enumerate(handlers, 1):
        if [value.type for value in handler.inputs] != [ty.ANY]:
            yield f"block {index} takes the exception, of type Any"
    for index, block in enumerate(node.blocks):
        yield from _carried(f"block {index}", block.outputs, node.outputs)


def _is_list_of_classes(value: Any) -> TypeGuard[list[list[ObjectRef]]]:
    """Whether an attribute names exception classes, at least one for each of some handlers."""
    if not isinstance(value, list) or not value:
        return False
    return all(
        isinstance(classes, list) and classes and all(map(_is_exception_class, classes))
        for classes in value
    )


def _is_exception_class(value: Any) -> bool:
    if not isinstance(value, ObjectRef):
        return False
    found = value.value
    return found is None or (isinstance(found, type) and issubclass(found, BaseException))


def _reraise(node: Node) -> Messages:
    given = node.inputs[0] if node.inputs else None
    owner = given.block.owner if given is not None and given.is_block_input else None
    if owner is None or owner.kind != TRY:
        yield "raises what no handler was given"


def _list_construct(node: Node) -> Messages:
    yield from _arity(node, None, 1)
    made = node.outputs[0].type if node.outputs else ty.NONE
    if not isinstance(made, ty.ListType):
        yield f"gives {made}"
        return
    yield from _covered("element", node.inputs, [made.element] * len(node.inputs))


def _dict_construct(node: Node) -> Messages:
    yield from _arity(node, None, 1)
    made = node.outputs[0].type if node.outputs else ty.NONE
    if not isinstance(made, ty.DictType) or len(node.inputs) % 2:
        yield f"gives {made} from {len(node.inputs)} inputs"
        return
    wanted = [made.key, made.value] * (len(node.inputs) // 2)
    yield from _covered("input", node.inputs, wanted)


def _tuple_construct(node: Node) -> Messages:
    yield from _arity(node, None, 1)
    made = node.outputs[0].type if node.outputs else ty.NONE
    if not isinstance(made, ty.TupleType) or len(made.elements) != len(node.inputs):
        yield f"gives {made} from {len(node.inputs)} inputs"
        return
    yield from _covered("element", node.inputs, made.elements)


def _covered(what: str, values: Sequence[Value], types: Sequence[Type]) -> Messages:
    for index, (value, wanted) in enumerate(zip(values, types, strict=True)):
        if not _fits(value.type, wanted):
            yield f"{what} {index} is {value.type}, not {wanted}"


def _tuple_unpack(node: Node) -> Messages:
    yield from _arity(node, 1, None)
    read = node.inputs[0].type if node.inputs else ty.NONE
    if not isinstance(read, ty.TupleType) or len(read.elements) != len(node.outputs):
        yield f"unpacks {read} into {len(node.outputs)} values"
        return
    yield from _uncovered("element", read.elements, node.outputs)


def _uncovered(what: str, types: Sequence[Type], values: Sequence[Value]) -> Messages:
    for index, (given, value) in enumerate(zip(types, values, strict=True)):
        if not _fits(given, value.type):
            yield f"{what} {index} is {given}, not {value.type}"


def _fits(given: Type, place: Type) -> bool:
    """Containers and their parts are refined one by one, so shapes do not count between them."""
    return ty.is_subtype(ty.unshaped(given), ty.unshaped(place))


def _tuple_index(node: Node) -> Messages:
    arity = list(_arity(node, 2, 1))
    yield from arity
    if arity:
        return
    read, index = node.inputs[0].type, node.inputs[1].constant()
    if not isinstance(read, ty.TupleType) or node.inputs[1].type is not ty.INT:
        yield f"reads {read} at {node.inputs[1].type}"
    elif isinstance(index, int):
        if not -len(read.elements) <= index < len(read.elements):
            yield f"the index {index} is out of range for {read}"
        else:
            yield from _uncovered("element", [read.elements[index]], node.outputs)


def _tuple_slice(node: Node) -> Messages:
    arity = list(_arity(node, 1, 1))
    yield from arity
    if arity:
        return
    read = node.inputs[0].type
    begin, end = node.attributes.get("beg"), node.attributes.get("end")
    if not isinstance(read, ty.TupleType) or type(begin) is not int or type(end) is not int:
        yield f"slices {read} from {begin!r} to {end!r}"
        return
    yield from _uncovered("slice", [ty.TupleType(read.elements[begin:end])], node.outputs)


def _list_unpack(node: Node) -> Messages:
    yield from _arity(node, 1, None)
    read = node.inputs[0].type if node.inputs else ty.NONE
    if not isinstance(read, ty.ListType | ty.SequenceType):
        yield f"unpacks {read}"
        return
    yield from _uncovered("element", [read.element] * len(node.outputs), node.outputs)


def _unchecked_cast(node: Node) -> Messages:
    return _arity(node, 1, 1)


def _uninitialized(node: Node) -> Messages:
    return _arity(node, 0, 1)


def _isinstance(node: Node) -> Messages:
    yield from _arity(node, 1, 1)
    if not _is_list_of_types(node.attributes.get("types")):
        yield "needs a list of types"
    if node.outputs and node.outputs[0].type is not ty.BOOL:
        yield f"gives {node.outputs[0].type}"


def _is_list_of_types(value: Any) -> TypeGuard[list[Type]]:
    return isinstance(value, list) and all(isinstance(v, Type) for v in value)


def _call_function(node: Node) -> Messages:
    yield from _arity(node, None, 1)
    if not node.inputs or node.inputs[0].type is not ty.FUNCTION:
        yield "the first input is no Function"


def _python_op(node: Node) -> Messages:
    name = node.attributes.get("name")
    if not isinstance(name, str) or not name:
        yield "has no name"
    if not isinstance(node.attributes.get("callee"), ObjectRef):
        yield "has no callee"
    if len(node.outputs) > 1 or node.blocks:
        yield f"has {len(node.outputs)} outputs and {len(node.blocks)} blocks"


def _type_check(node: Node) -> Messages:
    types = node.attributes.get("types")
    if not _is_list_of_types(types) or len(types) != len(node.inputs):
        yield f"needs a type for each of {len(node.inputs)} inputs"
    if len(node.outputs) != len(node.inputs) + 1 or node.outputs[-1].type is not ty.BOOL:
        yield "gives its inputs and a bool"


NODE_RULES: Mapping[str, tuple[int, Callable[[Node], Messages]]] = {
    CONSTANT: (9, _constant),
    IF: (10, _if),
    LOOP: (11, _loop),
    TRY: (26, _try),
    "jit::reraise": (27, _reraise),
    "prim::ListConstruct": (14, _list_construct),
    "prim::DictConstruct": (15, _dict_construct),
    "prim::TupleConstruct": (16, _tuple_construct),
    "prim::TupleUnpack": (17, _tuple_unpack),
    "prim::TupleIndex": (17, _tuple_index),
    "prim::TupleSlice": (17, _tuple_slice),
    "prim::ListUnpack": (18, _list_unpack),
    "prim::unchecked_cast": (19, _unchecked_cast),
    "jit::checked_cast": (19, _unchecked_cast),
    UNINITIALIZED: (19, _uninitialized),
    "prim::isinstance": (20, _isinstance),
    "prim::CallFunction": (21, _call_function),
    PYTHON_OP: (22, _python_op),
    "prim::TypeCheck": (23, _type_check),
    "prim::RequiresGradCheck": (23, _type_check),
}
