"""What the arguments of a native function must be: found from the arguments it is compiled for.

A tuple is taken apart at entry: its elements become inputs of the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import dtypes
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import CONSTANT, Graph, Value, create_node
from ..ir.types import TensorType, TupleType, Type
from ..tensor import Tensor
from .forms import Form, form_of

UNPACK = "prim::TupleUnpack"
_NUMBERS: dict[Type, type] = {ty.INT: int, ty.FLOAT: float, ty.BOOL: bool}


@dataclass(frozen=True, slots=True)
class TensorGuard:
    """A tensor of one form: a `Tensor`, or with `is_raw` the array itself."""

    value: Value
    form: Form
    is_raw: bool

    def __str__(self) -> str:
        return f"{self.value.name}: {'array' if self.is_raw else 'Tensor'} {self.form}"


@dataclass(frozen=True, slots=True)
class NumberGuard:
    """A number of exactly this class."""

    value: Value
    cls: type

    def __str__(self) -> str:
        return f"{self.value.name}: {self.cls.__name__}"


@dataclass(frozen=True, slots=True)
class NoneGuard:
    """None."""

    name: str

    def __str__(self) -> str:
        return f"{self.name}: None"


@dataclass(frozen=True, slots=True)
class TupleGuard:
    """A tuple of exactly this class, with these elements."""

    cls: type
    elements: tuple[Guard, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.elements))})"


Guard = TensorGuard | NumberGuard | NoneGuard | TupleGuard


def guard_inputs(graph: Graph, inputs: Sequence[Any]) -> list[Guard]:
    """The guards of a graph's inputs; the graph's types are refined to what was given.

    Raises:
        Unsupported: an input is something that native code does not take.
    """
    given = list(zip(list(graph.inputs), inputs, strict=True))
    return [_guard(graph, value, argument) for value, argument in given]


def tensor_guards(guards: Sequence[Guard]) -> Iterator[TensorGuard]:
    """The guards of tensors, those in tuples included."""
    for guard in guards:
        if isinstance(guard, TensorGuard):
            yield guard
        elif isinstance(guard, TupleGuard):
            yield from tensor_guards(guard.elements)


def _guard(graph: Graph, value: Value, given: Any) -> Guard:
    if given is None:
        none = create_node(CONSTANT, (), [ty.NONE])
        graph.block.prepend(none)
        value.replace_all_uses_with(none.output)
        return NoneGuard(value.name)
    wanted = ty.without_none(value.type)
    if isinstance(wanted, TensorType):
        return _guard_tensor(value, wanted, given)
    if wanted in _NUMBERS and type(given) is _NUMBERS[wanted]:
        value.type = wanted
        return NumberGuard(value, _NUMBERS[wanted])
    if isinstance(wanted, TupleType) and isinstance(given, tuple):
        return _guard_tuple(graph, value, wanted, given)
    raise Unsupported(f"an argument '{value.name}' of type {wanted}")


def _guard_tensor(value: Value, wanted: TensorType, given: Any) -> Guard:
    array = given._array if type(given) is Tensor else given
    if type(array) is not np.ndarray or not dtypes.supports(array.dtype):
        raise Unsupported(f"an argument '{value.name}' of type {type(given).__name__}")
    if not array.dtype.isnative or not array.flags.aligned:
        raise Unsupported(f"the array '{value.name}' has foreign byte order or lies unaligned")
    form = form_of(array)
    if any(stride % form.dtype.itemsize for stride in form.strides):
        raise Unsupported(f"the array '{value.name}' has strides between its elements")
    steps = tuple(stride // form.dtype.itemsize for stride in form.strides)
    value.type = wanted.refined(dtype=form.dtype, sizes=form.shape, strides=steps)
    return TensorGuard(value, form, type(given) is not Tensor)


def _guard_tuple(graph: Graph, value: Value, wanted: TupleType, given: tuple[Any, ...]) -> Guard:
    if len(wanted.elements) != len(given):
        raise Unsupported(f"a tuple '{value.name}' of another length")
    parts = [graph.add_input(type_, f"{value.name}.{n}") for n, type_ in enumerate(wanted.elements)]
    for use in list(value.uses):
        if use.node.kind != UNPACK:
            raise Unsupported(f"the tuple '{value.name}' is read as a whole")
        for output, part in zip(use.node.outputs, parts, strict=True):
            output.replace_all_uses_with(part)
        use.node.destroy()
    guards = [_guard(graph, part, item) for part, item in zip(parts, given, strict=True)]
    return TupleGuard(type(given), tuple(guards))
