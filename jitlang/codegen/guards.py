"""What the arguments of a native function must be: found from the arguments it is compiled for.

Tuples, and lists and dicts that are only read, are taken apart at entry: their elements become
inputs of the graph. Strings become constants of the graph, for they decide branches; numbers do
where something depends on them that must be known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..dtypes import DType
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import CONSTANT, Graph, Use, Value, create_node
from ..ir.types import DictType, ListType, TensorType, TupleType, Type
from ..tensor import Tensor
from ..values import type_of
from .actions import DICT, LIST
from .forms import Form, contiguous, form_of

EXAMPLE_SIZE = 64
UNPACK = "prim::TupleUnpack"
READERS = frozenset((
    "aten::__getitem__", "aten::len", "prim::ListUnpack", "aten::stack", "aten::cat",
    "aten::__contains__", "aten::keys", "aten::values", "aten::items",
))  # fmt: skip
"""What cannot tell a list or dict from another one with the same elements."""
MAX_ELEMENTS = 1024
"""Each element of a list or dict is a guard of its own."""
FIXED = ((), (int, bool), (int, bool, float))
"""Classes whose values become constants of a graph, where less does not do. Floats come last: they
vary most."""
_IMMUTABLE = frozenset((ty.INT, ty.FLOAT, ty.BOOL, ty.STR))
_SCALARS = frozenset(
    dtype.numpy.type for dtype in dtypes.ALL if issubclass(dtype.numpy.type, np.generic)
)
_NUMBERS: dict[Type, type] = {ty.INT: int, ty.FLOAT: float, ty.BOOL: bool}


class TensorGuard(NamedTuple):
    """A tensor of one form: a `Tensor`, or with `is_raw` the array itself."""

    value: Value
    form: Form
    is_raw: bool

    def __str__(self) -> str:
        kind = "array" if self.is_raw else "Tensor"
        return f"{self.value.name}: {kind} {self.form}{_gradient_note(self.value)}"


class FlatGuard(NamedTuple):
    """A tensor of one dtype and of any sizes, the same for all such, in row-major order. `form` is
    that of an example.
    """

    value: Value
    form: Form
    is_raw: bool

    def __str__(self) -> str:
        kind, note = "array" if self.is_raw else "Tensor", _gradient_note(self.value)
        return f"{self.value.name}: {kind} {self.form.dtype.name} of any sizes, contiguous{note}"


class VaryingGuard(NamedTuple):
    """A tensor of one dtype in row-major order, some of whose sizes vary: in `shape` these have a
    number instead, counted down from -1. Sizes of one number are the same.
    """

    value: Value
    dtype: DType
    shape: tuple[int, ...]
    is_raw: bool

    def __str__(self) -> str:
        kind, note = "array" if self.is_raw else "Tensor", _gradient_note(self.value)
        sizes = ", ".join(f"s{-1 - n}" if n < 0 else str(n) for n in self.shape)
        return f"{self.value.name}: {kind} {self.dtype.name} [{sizes}], contiguous{note}"


class ScalarGuard(NamedTuple):
    """One of NumPy's scalars, of exactly this class: a tensor without dimensions."""

    value: Value
    form: Form
    cls: type

    @property
    def is_raw(self) -> bool:
        """It is what NumPy makes."""
        return True

    def __str__(self) -> str:
        return f"{self.value.name}: {self.cls.__name__}"


class NumberGuard(NamedTuple):
    """A number of exactly this class."""

    value: Value
    cls: type

    def __str__(self) -> str:
        return f"{self.value.name}: {self.cls.__name__}"


class ConstantGuard(NamedTuple):
    """None, or a number or string of this value, which is a constant in the graph."""

    name: str
    constant: float | str | None

    def __str__(self) -> str:
        return f"{self.name} == {self.constant!r}"


class SequenceGuard(NamedTuple):
    """A tuple, list or dict of exactly this class, with these elements and, of a dict, keys, in
    order.
    """

    cls: type
    elements: tuple[Guard, ...]
    keys: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        if self.cls is dict:
            pairs = zip(self.keys, self.elements, strict=True)
            return f"{{{', '.join(f'{key!r}: {element}' for key, element in pairs)}}}"
        inside = ", ".join(map(str, self.elements))
        return f"[{inside}]" if self.cls is list else f"({inside})"


def requires_grad(value: Value) -> bool:
    """Whether a graph is for a tensor that requires a gradient here."""
    return isinstance(value.type, TensorType) and bool(value.type.requires_grad)


def _gradient_note(value: Value) -> str:
    return ", requires grad" if requires_grad(value) else ""


class WrittenGuard(NamedTuple):
    """A tensor that is written: it is writable, and shares its memory with no other of the call."""

    name: str

    def __str__(self) -> str:
        return f"{self.name}: writable, shares no memory with others"


AnyTensorGuard = TensorGuard | FlatGuard | VaryingGuard | ScalarGuard
Guard = AnyTensorGuard | NumberGuard | ConstantGuard | SequenceGuard


def guard_inputs(
    graph: Graph, inputs: Sequence[Any], *, fixed: Collection[type] = ()
) -> list[Guard]:
    """The guards of a graph's inputs; the graph's types are refined to what was given.

    Args:
        graph: changed in place.
        inputs: one argument per graph input.
        fixed: numbers of these classes become constants.

    Raises:
        Unsupported: an input is something that native code does not take.
    """
    values = list(graph.inputs)
    guarding = _Guarding(graph, fixed)
    return [guarding.guard(value, given) for value, given in zip(values, inputs, strict=True)]


def _refuse_scalars(guards: Sequence[Guard]) -> None:
    if any(isinstance(guard, ScalarGuard) for guard in tensor_guards(guards)):
        raise Unsupported("a scalar of NumPy's beside tensors of any sizes")


def flat_guards(guards: Sequence[Guard]) -> list[Guard]:
    """The same guards for tensors of any sizes.

    Raises:
        Unsupported: the tensors are of different sizes, strided, or without dimensions.
    """
    _refuse_scalars(guards)
    tensors = [guard for guard in tensor_guards(guards) if isinstance(guard, TensorGuard)]
    if len({guard.form.shape for guard in tensors}) != 1:
        raise Unsupported("tensors of different sizes")
    for guard in tensors:
        if not guard.form.shape or not guard.form.is_contiguous:
            raise Unsupported("a tensor that is strided or has no dimensions")
    return [_flat(guard) for guard in guards]


def _flat(guard: Guard) -> Guard:
    if isinstance(guard, TensorGuard):
        value = guard.value
        assert isinstance(value.type, TensorType)
        value.type = value.type.refined(sizes=None, strides=None)
        return FlatGuard(value, contiguous(guard.form.dtype, (EXAMPLE_SIZE,)), guard.is_raw)
    if isinstance(guard, SequenceGuard):
        return guard._replace(elements=tuple(map(_flat, guard.elements)))
    return guard


def varying_guards(guards: Sequence[Guard], shapes: Sequence[tuple[int, ...]]) -> list[Guard]:
    """The same guards for tensors of these shapes, in which numbers below 0 are sizes that vary.

    Raises:
        Unsupported: a tensor is strided, or a scalar of NumPy's.
    """
    _refuse_scalars(guards)
    left = iter(shapes)
    return [_varying(guard, left) for guard in guards]


def _varying(guard: Guard, shapes: Iterator[tuple[int, ...]]) -> Guard:
    if isinstance(guard, SequenceGuard):
        return guard._replace(elements=tuple(_varying(each, shapes) for each in guard.elements))
    if not isinstance(guard, TensorGuard):
        return guard
    if not guard.form.is_contiguous:
        raise Unsupported("a strided tensor whose size varies")
    value, shape = guard.value, next(shapes)
    assert isinstance(value.type, TensorType)
    sizes = tuple(None if size < 0 else size for size in shape)
    value.type = value.type.refined(sizes=sizes, strides=None)
    return VaryingGuard(value, guard.form.dtype, shape, guard.is_raw)


def tensor_guards(guards: Sequence[Guard]) -> Iterator[AnyTensorGuard]:
    """The guards of tensors, those in tuples included."""
    for guard in guards:
        if isinstance(guard, AnyTensorGuard):
            yield guard
        elif isinstance(guard, SequenceGuard):
            yield from tensor_guards(guard.elements)


@dataclass(frozen=True)
class _Guarding:
    graph: Graph
    fixed: Collection[type]

    def guard(self, value: Value, given: Any) -> Guard:
        """The guard of one input or part of it."""
        if given is None or type(given) in (str, *self.fixed):
            return self.constant(value, given)
        wanted = ty.without_none(value.type)
        if wanted is not None and ty.is_array(wanted) and type(given) in _SCALARS:
            return _guard_scalar(value, given)
        if isinstance(wanted, TensorType):
            return _guard_tensor(value, wanted, given)
        if wanted in _NUMBERS and type(given) is _NUMBERS[wanted]:
            value.type = wanted
            return NumberGuard(value, _NUMBERS[wanted])
        if isinstance(wanted, TupleType) and isinstance(given, tuple):
            return self.guard_tuple(value, wanted, given)
        if isinstance(wanted, ListType) and type(given) is list:
            return self.guard_list(value, wanted, given)
        if isinstance(wanted, DictType) and type(given) is dict:
            return self.guard_dict(value, wanted, given)
        raise Unsupported(f"an argument '{value.name}' of type {wanted}")

    def constant(self, value: Value, given: float | str | None) -> Guard:
        value.replace_all_uses_with(self.inserted(given))
        return ConstantGuard(value.name, given)

    def guard_tuple(self, value: Value, wanted: TupleType, given: tuple[Any, ...]) -> Guard:
        if len(wanted.elements) != len(given):
            raise Unsupported(f"a tuple '{value.name}' of another length")
        parts = self.parts(value, wanted.elements)
        for use in list(value.uses):
            if use.node.kind != UNPACK:
                raise Unsupported(f"the tuple '{value.name}' is read as a whole")
            for output, part in zip(use.node.outputs, parts, strict=True):
                output.replace_all_uses_with(part)
            use.node.destroy()
        return SequenceGuard(type(given), self.elements(parts, given))

    def guard_list(self, value: Value, wanted: ListType, given: Sequence[Any]) -> Guard:
        has_plain_elements = wanted.element in _IMMUTABLE
        for use in value.uses:
            if use.node.kind not in READERS and not (has_plain_elements and _only_looks(use)):
                raise Unsupported(f"the list '{value.name}' is more than read")
        parts = self.parts(value, [wanted.element] * len(given))
        self.display(value, LIST, parts)
        return SequenceGuard(list, self.elements(parts, given))

    def guard_dict(self, value: Value, wanted: DictType, given: dict[Any, Any]) -> Guard:
        if any(use.node.kind not in READERS or use.index for use in value.uses):
            raise Unsupported(f"the dict '{value.name}' is more than read")
        if any(type(key) not in (int, str) for key in given):
            raise Unsupported(f"the dict '{value.name}' has keys that are no strings or ints")
        parts = self.parts(value, [wanted.value] * len(given))
        keys = [self.inserted(key) for key in given]
        pairs = [each for pair in zip(keys, parts, strict=True) for each in pair]
        self.display(value, DICT, pairs, keys)
        elements = self.elements(parts, list(given.values()))
        return SequenceGuard(dict, elements, tuple(given))

    def inserted(self, constant: float | str | None) -> Value:
        """A constant at the beginning of the graph."""
        node = create_node(CONSTANT, (), [type_of(constant)])
        if constant is not None:
            node.attributes["value"] = constant
        return self.graph.block.prepend(node).output

    def display(
        self, value: Value, kind: str, parts: Sequence[Value], constants: Sequence[Value] = ()
    ) -> None:
        """Let who reads a list or dict read a new one of its elements, after some constants."""
        made = create_node(kind, parts, [ty.without_none(value.type) or value.type])
        place = constants[0].node if constants else self.graph.block.param_node
        made.insert_after(place)
        value.replace_all_uses_with(made.output)

    def parts(self, value: Value, types: Sequence[Type]) -> Sequence[Value]:
        """New inputs of the graph for the elements of one."""
        if len(types) > MAX_ELEMENTS:
            raise Unsupported(f"'{value.name}' has {len(types)} elements")
        named = enumerate(types)
        return [self.graph.add_input(type_, f"{value.name}.{n}") for n, type_ in named]

    def elements(self, parts: Sequence[Value], given: Sequence[Any]) -> tuple[Guard, ...]:
        return tuple(self.guard(part, item) for part, item in zip(parts, given, strict=True))


def _only_looks(use: Use) -> bool:
    """Whether a row reads a list and keeps nothing of it."""
    op = use.node.op
    if op is None or use.node.kind in ("aten::__is__", "aten::__isnot__"):
        return False
    arguments = op.schema.arguments
    return use.index < len(arguments) and arguments[use.index].alias is None


def classes_in(given: Any) -> set[type]:
    """The classes of arguments, and of what sequences and dicts among them hold."""
    if isinstance(given, dict):
        given = list(given.values())
    if type(given) in (list, tuple):
        return set().union(*map(classes_in, given))
    return {type(given)}


def _guard_scalar(value: Value, given: Any) -> ScalarGuard:
    assert isinstance(value.type, TensorType)
    form = form_of(given)
    value.type = value.type.refined(dtype=form.dtype, sizes=(), strides=())
    return ScalarGuard(value, form, type(given))


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
    if type(given) is Tensor and given.requires_grad:
        value.type = value.type.refined(requires_grad=True)
    return TensorGuard(value, form, type(given) is not Tensor)
