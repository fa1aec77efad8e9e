"""What generated functions call besides kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ScriptError
from ..ir import types as ty
from ..ir.graph import Graph, Node
from ..ir.types import Type
from ..ops.control import exception_class
from ..tensor import Tensor, box, bump_version, rebind
from ..tensor.recording import (
    detach_in_place,
    record,
    record_each,
    record_write,
    refuse_write,
    requires_grad,
)
from ..values import conforms, type_of


def view(array: Any, source: Tensor) -> Tensor:
    """A tensor that shares the memory of another one, unless the row had to copy."""
    if array.base is None and array is not source._array:
        return box(array)
    return box(array, source if source._base is None else source._base)


def view_or_self(array: Any, source: Tensor) -> Tensor:
    """The same where there was nothing to do: the very tensor that was given."""
    return source if array is source._array else view(array, source)


def box_optional(array: Any, source: Tensor | None = None) -> Tensor | None:
    """A tensor, or None where there is no array."""
    if array is None:
        return None
    return box(array) if source is None else view(array, source)


def as_tuple(values: Any) -> Any:
    """A tuple of the values; a tuple, of whatever class, as it is."""
    return values if isinstance(values, tuple) else tuple(values)


def bump(written: Any) -> None:
    """Count a write to a tensor, or to each of a list."""
    for tensor in written if isinstance(written, list | tuple) else [written]:
        if tensor is not None:
            bump_version(tensor)


def recorded(result: Any, *sources: Any) -> Any:
    """A result, which requires a gradient where one of its sources does."""
    return record(result) if any(map(requires_grad, sources)) else result


def recorded_write(written: Tensor, *sources: Any) -> None:
    """Note the same of a tensor that was written."""
    if any(map(requires_grad, sources)):
        record_write(written)


def overflow(kind: str, where: str) -> OverflowError:
    """What a checked integer operation raises."""
    operation = kind.partition("::")[2]
    place = f" at {where}" if where else ""
    return OverflowError(f"the result of {operation}{place} does not fit in 64 bits")


def wrap(number: Any) -> Any:
    """An int brought into 64 bits as hardware does; other numbers as they are."""
    if type(number) is not int:
        return number
    return (number + 2**63) % 2**64 - 2**63


def exception(message: str, name: str | None = None, cls: Any = None) -> BaseException:
    """The exception that a script raises: of this class, of Python's class of that name, or our
    own.
    """
    found = cls if cls is not None else exception_class(name)
    if found is None:
        return ScriptError(f"{name}: {message}" if name else message)
    made: BaseException = found(message) if message else found()
    return made


def is_instance(value: Any, types: tuple[Type, ...]) -> bool:
    """Whether a value is of one of these types."""
    return any(conforms(value, type_) for type_ in types)


def checked_cast(value: Any, type_: Type) -> Any:
    """A value of unknown type as one of this type; an int may stand for a float.

    Raises:
        TypeError: the value is of another type.
        OverflowError: an int in it does not fit in 64 bits.
    """
    if conforms(value, type_):
        return value
    if type_ is ty.FLOAT and type(value) is int:
        return float(value)
    raise TypeError(f"expected {ty.annotation(type_)}, found {_kind(value)}")


def _kind(value: Any) -> str:
    """What kind of value this is, in the words of annotations: `List[float]`.

    Raises:
        OverflowError: an int in it does not fit in 64 bits.
    """
    try:
        found = type_of(value)
    except TypeError:
        return type(value).__name__
    return type(value).__name__ if ty.is_array(found) else ty.annotation(found)


class GraphCallee:
    """A graph that is called by a graph; assembled at the first call."""

    __slots__ = ("assemble", "graph", "routine")

    def __init__(self, graph: Graph, assemble: Callable[[Graph], Callable[..., Any]]) -> None:
        self.graph = graph
        self.assemble = assemble
        self.routine: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        if self.routine is None:
            self.routine = self.assemble(self.graph)
        return self.routine(*args)


class PythonCallee:
    """A call back into Python: names for the trailing arguments, a check of the result.

    Raises:
        TypeError: the function returns something else than the graph was typed for.
        OverflowError: it returns an int that does not fit in 64 bits.
    """

    __slots__ = ("function", "keywords", "name", "type")

    def __init__(self, node: Node) -> None:
        reference = node.attributes["callee"]
        if reference.value is None:
            raise NotImplementedError(f"the Python function {reference} is known by name only")
        self.function = reference.value
        self.name = str(node.attributes.get("name", reference.name))
        self.keywords = tuple(node.attributes.get("kwarg_names", ()))
        self.type = node.outputs[0].type if node.outputs else ty.NONE

    def __call__(self, *args: Any) -> Any:
        given = len(args) - len(self.keywords)
        named = dict(zip(self.keywords, args[given:], strict=True))
        result = self.function(*args[:given], **named)
        try:
            return checked_cast(result, self.type)
        except TypeError:
            raise TypeError(
                f"the Python function '{self.name}' returned {_kind(result)}"
                f" where {ty.annotation(self.type)} was expected"
            ) from None


NAMES = {
    f.__name__: f
    for f in (
        as_tuple, box, box_optional, bump, checked_cast, detach_in_place, exception, is_instance,
        overflow, rebind, recorded, record_each, recorded_write, refuse_write, view, view_or_self,
        wrap,
    )
}  # fmt: skip
"""The names that generated text may use for what is defined here."""
