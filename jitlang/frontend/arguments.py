"""The arguments of a call from Python: which signature they ask for, and what the graph gets.

A `Binder` brings them into the order of the parameters, `take_arguments` checks and wraps them. A
declared parameter decides the type under which its argument is compiled, a generic one takes the
argument's own. Raw arrays given for tensors are wrapped; where all tensors were raw, so are the
results (`unwrap`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import is_array_like
from ..ir import types as ty
from ..ir.types import Type
from ..tensor import Tensor
from ..values import conforms, namedtuple_name, type_of
from .binding import EMPTY, NUMBERS, Parameter
from .function import StaticObject, static

Key = tuple[Any, ...]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_GROUPS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Binder:
    """Brings the arguments of calls into the order of a function's parameters."""

    def __init__(self, function: Callable[..., Any], parameters: Sequence[Parameter]) -> None:
        self._function = function
        self._signature = inspect.signature(function, follow_wrapped=False)
        self._names = [p.name for p in parameters]
        has_groups = any(p.kind in _GROUPS for p in parameters)
        positional = sum(p.kind in _POSITIONAL for p in parameters)
        defaults = tuple(p.default for p in parameters)
        rests = [] if has_groups else [defaults[count:] for count in range(positional + 1)]
        # The defaults behind so many positional arguments, and whether all have one.
        self._rests = [(rest, all(d is not EMPTY for d in rest)) for rest in rests]
        self._places = {
            p.name: place
            for place, p in enumerate(parameters)
            if p.kind is not inspect.Parameter.POSITIONAL_ONLY
        }

    def in_order(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Sequence[Any] | None:
        """One argument per parameter; None where the call is wrong, or there are `*args`."""
        count = len(args)
        if count >= len(self._rests):
            return None
        rest, is_complete = self._rests[count]
        if not kwargs:
            return args + rest if is_complete else None
        ordered = [*args, *rest]
        for name, value in kwargs.items():
            place = self._places.get(name, -1)
            if place < count:
                return None
            ordered[place] = value
        return None if any(value is EMPTY for value in ordered) else ordered

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """What each parameter gets.

        Raises:
            TypeError: the arguments do not fit the signature; Python's own.
        """
        ordered = self.in_order(args, kwargs)
        if ordered is not None:
            return dict(zip(self._names, ordered, strict=True))
        inspect.getcallargs(self._function, *args, **kwargs)  # raises what a call would raise
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments


class Bound(NamedTuple):
    """A call bound to the parameters.

    Attributes:
        given: what each parameter gets in the signature.
        inputs: the graph's inputs, raw arrays for tensors wrapped.
        arguments: the same as the caller passed them.
        all_raw: whether all tensors were raw arrays, so that the results are.
    """

    given: dict[str, Any]
    inputs: list[Any]
    arguments: list[Any]
    all_raw: bool


def take_arguments(
    function: str, parameters: Sequence[Parameter], values: Mapping[str, Any]
) -> Bound:
    """What a call means for the signature and for the graph.

    Args:
        function: its name, for messages.
        parameters: what the function takes.
        values: what each gets.

    Raises:
        TypeError: a value does not have the declared type, or has one that the language lacks.
    """
    taken = _Arguments(function)
    given = {p.name: taken.take(p, values[p.name]) for p in parameters}
    return Bound(given, taken.inputs, taken.arguments, taken.wrapped and not taken.tensors)


class _Arguments:
    """Takes arguments: checks them, wraps raw arrays, collects the graph's inputs."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.inputs: list[Any] = []
        self.arguments: list[Any] = []
        self.wrapped = False
        self.tensors = False

    def take(self, parameter: Parameter, value: Any) -> Any:
        """What the parameter gets in the signature."""
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return tuple(self._generic(parameter.name, part) for part in value)
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return {name: self._generic(name, part) for name, part in value.items()}
        if parameter.declared is None:
            return self._generic(parameter.name, value)
        return self._declared(parameter.name, parameter.declared, value)

    def _generic(self, name: str, value: Any) -> Any:
        try:
            given = _given_of(value, name)
        except TypeError as error:
            raise TypeError(f"{self.function}() argument '{name}': {error}") from None
        if isinstance(given, Type):
            self.tensors |= isinstance(value, Tensor)
            self._pass(value, value)
        return given

    def _pass(self, value: Any, argument: Any) -> None:
        self.inputs.append(value)
        self.arguments.append(argument)

    def _declared(self, name: str, declared: Type, value: Any) -> Type:
        if type(value) is Tensor and declared is ty.TENSOR:
            self.tensors = True
            self._pass(value, value)
            return declared
        fitting = fit(value, declared)
        if fitting is None:
            raise TypeError(
                f"{self.function}() argument '{name}' expects {ty.annotation(declared)},"
                f" found {_found(value)}"
            )
        self._pass(self._wrap(value, declared), value)
        return fitting

    def _wrap(self, value: Any, declared: Type) -> Any:
        """Raw arrays given for tensors become tensors over the same memory."""
        wanted = ty.without_none(declared)
        if isinstance(wanted, ty.TensorType) and not ty.is_array(wanted):
            if is_array_like(value):
                self.wrapped = True
                return Tensor(value)
            self.tensors |= isinstance(value, Tensor)
            return value
        if isinstance(wanted, ty.TupleType) and isinstance(value, tuple):
            parts = [self._wrap(v, t) for v, t in zip(value, wanted.elements, strict=True)]
            if all(a is b for a, b in zip(parts, value, strict=True)):
                return value
            return type(value)(*parts) if wanted.field_names else tuple(parts)
        if isinstance(wanted, ty.ListType) and isinstance(value, list):
            self._wrap_items(value, enumerate(value), wanted.element)
        if isinstance(wanted, ty.DictType) and isinstance(value, dict):
            self._wrap_items(value, value.items(), wanted.value)
        return value

    def _wrap_items(self, container: Any, items: Iterable[tuple[Any, Any]], element: Type) -> None:
        """Lists and dicts stay the same ones, so that the caller sees what the function does."""
        if not ty.has_tensors(element):
            return
        for key, value in items:
            wrapped = self._wrap(value, element)
            if wrapped is not value:
                container[key] = wrapped


# Signatures ---------------------------------------------------------------------------------------


def key_of(given: Any) -> Any:
    """What tells signatures apart, of what one parameter gets."""
    if isinstance(given, tuple):
        return tuple(map(key_of, given))
    if isinstance(given, Mapping):
        return tuple((name, key_of(item)) for name, item in given.items())
    return given if isinstance(given, Type) else id(given.target)


def _given_of(value: Any, label: str) -> Any:
    """What a generic parameter gets: the type of a value, or a function or class itself."""
    if callable(value) and not isinstance(value, Tensor):
        return static(value, label)
    return _type_given(type_of(value))


def _type_given(type_: Type) -> Type:
    """The type of a value as signatures tell it: arrays, in tuples too, by dtype and rank."""
    if isinstance(type_, ty.TupleType):
        return type_.with_children(map(_type_given, type_.elements))
    return type_ if ty.is_array(type_) else ty.unshaped(type_)


def constants_of(given: Iterable[Any]) -> dict[int, Any]:
    """The functions and classes among what parameters get, as they were passed, by place."""
    return {
        place: item.passed if isinstance(item, StaticObject) else item.target
        for place, item in enumerate(given)
        if not isinstance(item, Type)
    }


def guess(parameter: Parameter) -> Any:
    """What a parameter probably gets, before any call."""
    if parameter.declared is not None:
        return parameter.declared
    if parameter.kind in _GROUPS:
        return () if parameter.kind is inspect.Parameter.VAR_POSITIONAL else {}
    if parameter.default is EMPTY:
        return ty.TENSOR
    return _given_of(parameter.default, parameter.name)


def wrapped_places(args: Sequence[Any], inputs: Sequence[Any]) -> Sequence[int] | None:
    """Which arguments of a form were raw arrays that became tensors, as they will be in each call
    of this form; None where an input is something else than an argument.
    """
    if len(args) != len(inputs):
        return None
    places = [place for place, (a, b) in enumerate(zip(args, inputs, strict=True)) if a is not b]
    is_wrapped = all(
        type(args[place]) is np.ndarray and type(inputs[place]) is Tensor for place in places
    )
    return places if is_wrapped else None


# Declared types -----------------------------------------------------------------------------------


def fit(value: Any, declared: Type) -> Type | None:
    """The type under which a value given for a declared parameter is compiled, or None where it
    does not fit.

    A narrower number stays what it is, an array keeps its dtype, a raw array is taken for a tensor;
    what is inside a list or dict must have the declared type.
    """
    if isinstance(declared, ty.OptionalType | ty.UnionType):
        fits = any(fit(value, part) is not None for part in ty.alternatives(declared))
        return declared if fits else None
    if isinstance(declared, ty.TensorType):
        return _fit_tensor(value, declared)
    if declared in NUMBERS:
        return _fit_number(value, declared)
    if isinstance(declared, ty.TupleType):
        return _fit_tuple(value, declared)
    if isinstance(declared, ty.ListType | ty.SequenceType):
        wanted = list if isinstance(declared, ty.ListType) else tuple
        fits = isinstance(value, wanted) and all(_fits_inside(v, declared.element) for v in value)
        return declared if fits else None
    if isinstance(declared, ty.DictType):
        fits = isinstance(value, dict) and all(
            _fits_inside(k, declared.key) and _fits_inside(v, declared.value)
            for k, v in value.items()
        )
        return declared if fits else None
    return declared if conforms(value, declared) else None


def _fits_inside(value: Any, declared: Type) -> bool:
    found = fit(value, declared)
    return found is not None and (declared not in NUMBERS or found is declared)


def _fit_tensor(value: Any, declared: ty.TensorType) -> Type | None:
    if isinstance(value, Tensor):
        return ty.TENSOR
    if not is_array_like(value):
        return None
    actual = type_of(value)
    if not ty.is_array(declared):
        return ty.TENSOR
    return actual if declared.dtype is None or ty.is_subtype(actual, declared) else None


def _fit_number(value: Any, declared: Type) -> Type | None:
    for narrow in NUMBERS[: NUMBERS.index(declared) + 1]:
        if conforms(value, narrow):
            return narrow
    return None


def _fit_tuple(value: Any, declared: ty.TupleType) -> Type | None:
    if not isinstance(value, tuple) or len(value) != len(declared.elements):
        return None
    if declared.name and namedtuple_name(type(value)) != declared.name:
        return None
    parts = [fit(v, t) for v, t in zip(value, declared.elements, strict=True)]
    found = [p for p in parts if p is not None]
    return declared.with_children(found) if len(found) == len(parts) else None


def _found(value: Any) -> str:
    """The type of a value that does not fit, for the message."""
    try:
        return ty.annotation(type_of(value))
    except TypeError:
        return f"{type(value).__name__} {value!r:.60}"


def unwrap(value: Any) -> Any:
    """Results as raw arrays, for a call whose tensors were all raw arrays."""
    if isinstance(value, Tensor):
        return value._array
    if isinstance(value, tuple):
        parts = map(unwrap, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    return value
