"""What can be told of a call's arguments cheaply: calls of one form are of one signature, whose
types need not be looked at again.

The form of a tensor, a number or a string is its class, that of an array its dtype and rank. What
is inside a list, tuple or dict is looked at with functions that run over all elements in C, made
once per parameter; one of whose elements is a tensor, or of a class of its own, has no form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..ir import types as ty
from ..ir.types import Type
from ..tensor import Tensor
from ..values import INT_MAX, INT_MIN

Form = tuple[Any, ...]
Look = Callable[[Any], Any]
"""Gives what tells signatures apart of a list, tuple or dict; None where that has no form."""
_Test = Callable[[Any], bool]

_SCALARS = frozenset(d.numpy.type for d in dtypes.ALL if issubclass(d.numpy.type, np.generic))
_FORMS = frozenset({Tensor, float, bool, str, type(None)}) | _SCALARS
_CLASSES: dict[Type, type] = {ty.INT: int, ty.FLOAT: float, ty.BOOL: bool, ty.STR: str}
_SIMPLE = frozenset(_CLASSES.values())
_CONTAINERS = (list, tuple, dict)


def form_of(args: Sequence[Any], looks: Sequence[Look | None] = ()) -> Form | None:
    """What a signature depends on, or None for arguments that need to be bound.

    Args:
        args: one argument per parameter.
        looks: what looks into containers, by parameter; none: these have no form.
    """
    form: list[Any] = []
    for value in args:
        cls = value.__class__
        if cls in _FORMS:
            form.append(cls)
        elif cls is np.ndarray:
            dtype = value.dtype
            if not dtype.isnative:
                return None
            form.append((dtype.num, value.ndim))  # a dtype's number is hashed faster than itself
        elif cls is int and INT_MIN <= value <= INT_MAX:
            form.append(cls)
        else:
            look = looks[len(form)] if looks else None
            found = None if look is None else look(value)
            if found is None:
                return None
            form.append(found)
    return tuple(form)


def has_containers(form: Form) -> bool:
    """Whether there is a list, tuple or dict among the arguments of a form."""
    return any(item in _CONTAINERS or (type(item) is tuple and item[0] in _CONTAINERS)
               for item in form)  # fmt: skip


def look_for(declared: Type | None) -> Look | None:
    """What looks into the arguments of a parameter; None where they have no form."""
    if declared is None:
        return _generic
    if not isinstance(declared, ty.ListType | ty.TupleType | ty.DictType):
        return None
    test = _test_of(declared)
    return None if test is None else lambda value: type(value) if test(value) else None


def _generic(value: Any) -> Any:
    """The form of a container of numbers or strings, all of one class but for tuples."""
    cls = value.__class__
    if cls is list:
        found = _classes_of(value)
        return (cls, *found) if len(found) == 1 else None
    if cls is tuple:
        return (cls, *map(type, value)) if _classes_of(value) else None
    if cls is dict:
        keys, values = _classes_of(value), _classes_of(value.values())
        return (cls, *keys, *values) if len(keys) == 1 == len(values) else None
    return None


def _classes_of(items: Collection[Any]) -> set[type]:
    """The classes of elements; none where one has no form."""
    found = set(map(type, items))
    if not found <= _SIMPLE:
        return set()
    ints = items if found == {int} else [item for item in items if type(item) is int]
    return found if _are_small(ints) else set()


def _are_small(ints: Collection[int]) -> bool:
    """Whether ints have 64 bits."""
    return not ints or (min(ints) >= INT_MIN and max(ints) <= INT_MAX)


def _test_of(type_: Type) -> _Test | None:
    """Whether a value is of a type as it stands, of the plainest class."""
    cls = _CLASSES.get(type_)
    if cls is int:
        return lambda value: type(value) is int and INT_MIN <= value <= INT_MAX
    if cls is not None:
        return lambda value: type(value) is cls
    if isinstance(type_, ty.ListType):
        items = _test_of_all(type_.element)
        return items and (lambda value: type(value) is list and items(value))
    if isinstance(type_, ty.DictType):
        keys, values = _test_of_all(type_.key), _test_of_all(type_.value)
        if keys is None or values is None:
            return None
        return lambda value: type(value) is dict and keys(value) and values(value.values())
    if isinstance(type_, ty.TupleType) and not type_.name:
        parts = [_test_of(part) for part in type_.elements]
        tests = [part for part in parts if part is not None]
        return _tuple_test(tests) if len(tests) == len(parts) else None
    return None


def _tuple_test(tests: Sequence[_Test]) -> _Test:
    def test(value: Any) -> bool:
        if type(value) is not tuple or len(value) != len(tests):
            return False
        return all(part(item) for part, item in zip(tests, value, strict=True))

    return test


def _test_of_all(element: Type) -> _Test | None:
    """The same of all elements of a collection."""
    cls = _CLASSES.get(element)
    if cls is int:
        return lambda items: set(map(type, items)) <= {int} and _are_small(items)
    if cls is not None:
        return lambda items: set(map(type, items)) <= {cls}
    test = _test_of(element)
    return test and (lambda items: all(map(test, items)))
