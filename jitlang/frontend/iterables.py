"""What a loop can walk: values, `range`, `enumerate`, `zip`, `reversed`."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import Value
from ..ops.numpy_types import rank_of
from . import hints, surface
from .emitter import Emitter
from .flow import decide_empty
from .sugar import Constant, Iterable, Keywords, Parts, Plain, Sugar


def iterable_of(e: Emitter, meaning: Sugar) -> Iterable | Sequence[Sugar]:
    """What a loop over this meaning walks: an iterable, or parts known at compile time.

    Raises:
        CompileError: it cannot be walked (NOT_ITERABLE, or OPTIONAL_NOT_REFINED).
    """
    if isinstance(meaning, Iterable):
        return meaning if meaning.parts is None else meaning.parts
    if isinstance(meaning, Keywords):
        return meaning.elements(e) or ()
    parts = meaning.elements(e)
    if parts is not None:
        return parts
    if not isinstance(meaning, Plain | Constant):
        raise e.error(ErrorKind.NOT_ITERABLE, f"{meaning.describe()} cannot be iterated over")
    return value_iterable(e, meaning.value(e))


def value_iterable(e: Emitter, value: Value) -> Iterable:
    """The iterable over a list, string, dict or tensor."""
    if value.node.kind == "prim::ListConstruct" and not value.node.inputs and not value.name:
        decide_empty(value, ty.ListType(ty.TENSOR))  # `for x in []`
    type_ = value.type
    grows = isinstance(type_, ty.ListType)
    if surface.is_numpy(type_):
        return _array_iterable(value)
    if isinstance(type_, ty.TensorType):
        value = e.builder.op("aten::unbind", value, e.builder.constant(0))
    elif isinstance(type_, ty.DictType):
        value = e.builder.op("aten::keys", value)
    elif type_ is ty.ANY:
        value = e.builder.op("jit::list", value)
    elif not isinstance(type_, ty.ListType | ty.SequenceType) and type_ is not ty.STR:
        if isinstance(type_, ty.OptionalType):
            raise e.not_refined(e.node, type_, "which cannot be iterated over")
        raise e.error(
            ErrorKind.NOT_ITERABLE,
            "this cannot be iterated over",
            found=ty.annotation(type_),
            expected="a list, tuple, string, dict, tensor, range, enumerate, zip or reversed",
            hint=hints.for_iteration(type_),
        )
    return Iterable(
        ty.annotation(type_),
        lambda e: e.builder.op("aten::len", value),
        lambda e, index: Plain(e.builder.op("aten::__getitem__", value, index)),
        grows=grows,
    )


def _array_iterable(value: Value) -> Iterable:
    """An array is walked by index, as NumPy does: what the loop writes is seen.

    The items of a vector are scalars of NumPy's.
    """
    rank = rank_of(value.type) or 0

    def length(e: Emitter) -> Value:
        if rank:
            return e.builder.op("aten::size", value, e.builder.constant(0))
        return e.builder.op("jit::array_trips", value)

    def item(e: Emitter, index: Value) -> Sugar:
        if rank > 1:
            return Plain(e.builder.op("aten::select", value, e.builder.constant(0), index))
        return Plain(e.builder.op("jit::array_item", value, index))

    return Iterable(ty.annotation(value.type), length, item)


def range_iterable(e: Emitter, start: Value, stop: Value, step: Value) -> Iterable:
    """`range(start, stop, step)`."""
    simple_step = step.constant() == 1
    from_zero = simple_step and start.constant() == 0

    def length(e: Emitter) -> Value:
        return e.builder.op("aten::__range_length", start, stop, step)

    def item(e: Emitter, index: Value) -> Sugar:
        if from_zero:
            return Plain(index)
        return Plain(e.builder.op("aten::__derive_index", index, start, step))

    trips = (lambda e: stop) if from_zero else None
    return Iterable("a range", length, item, trips=trips, bounds=(start, stop, step))


def enumerate_iterable(e: Emitter, meaning: Sugar, start: Value) -> Iterable:
    """`enumerate(iterable, start)`."""
    source = iterable_of(e, meaning)
    zero = start.constant() == 0

    def number(e: Emitter, index: Value) -> Sugar:
        return Plain(index if zero else e.builder.op("aten::add", index, start))

    if not isinstance(source, Iterable):
        parts = [
            Parts([number(e, e.builder.constant(i)), part]) for i, part in enumerate(source)
        ]
        return static_iterable("enumerate", parts)
    return Iterable(
        "an enumerate",
        source.length,
        lambda e, index: Parts([number(e, index), source.item(e, index)]),
        trips=source.trips,
        grows=source.grows,
    )


def zip_iterable(e: Emitter, meanings: Sequence[Sugar]) -> Iterable:
    """`zip(...)`: as long as the shortest."""
    sources = [iterable_of(e, meaning) for meaning in meanings]
    static = [source for source in sources if not isinstance(source, Iterable)]
    if len(static) == len(sources):
        return static_iterable("zip", [Parts(parts) for parts in zip(*static, strict=False)])
    walked = [
        source
        if isinstance(source, Iterable)
        else value_iterable(e, e.list_display([part.value(e) for part in source]))
        for source in sources
    ]

    def length(e: Emitter) -> Value:
        shortest = walked[0].length(e)
        for source in walked[1:]:
            shortest = e.builder.op("prim::min", shortest, source.length(e))
        return shortest

    return Iterable(
        "a zip",
        length,
        lambda e, index: Parts([source.item(e, index) for source in walked]),
        grows=any(source.grows for source in walked),
    )


def reversed_iterable(e: Emitter, meaning: Sugar) -> Iterable:
    """`reversed(sequence)`."""
    source = iterable_of(e, meaning)
    if not isinstance(source, Iterable):
        return static_iterable("reversed", list(reversed(source)))
    count = source.length(e)

    def item(e: Emitter, index: Value) -> Sugar:
        last = e.builder.op("aten::sub", count, e.builder.constant(1))
        return source.item(e, e.builder.op("aten::sub", last, index))

    return Iterable("a reversed", lambda e: count, item)


def static_iterable(label: str, parts: Sequence[Sugar]) -> Iterable:
    """An iterable whose parts are known at compile time."""

    def item(e: Emitter, index: Value) -> Sugar:
        raise e.error(ErrorKind.NOT_ITERABLE, f"the parts of this {label} have different types")

    return Iterable(label, lambda e: e.builder.constant(len(parts)), item, parts=parts)
