"""Run-time values and graph types: what type a Python value has, and whether a value fits a type.

The graph type of a value is what decides which graph of a generic function runs, so it holds the
facts that the front end needs and no more: a `Tensor` is `Tensor`, a raw array is an `Array` of
its dtype (NumPy's promotion is settled when the graph is made), a number is its kind.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import arrays, dtypes
from .arrays import Device
from .dtypes import DType
from .ir import types as ty
from .ir.types import DictType, ListType, Surface, TensorType, TupleType, Type
from .tensor import Tensor

INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_SIMPLE: dict[type, Type] = {
    Tensor: ty.TENSOR, bool: ty.BOOL, float: ty.FLOAT, complex: ty.COMPLEX, str: ty.STR,
    type(None): ty.NONE, DType: ty.DTYPE, Device: ty.DEVICE,
}  # fmt: skip
_NUMBERS: dict[Type, tuple[type, ...]] = {
    ty.INT: (int,), ty.FLOAT: (float,), ty.COMPLEX: (complex,), ty.BOOL: (bool,),
    ty.NUMBER: (int, float, complex, bool), ty.STR: (str,), ty.DTYPE: (DType,),
    ty.DEVICE: (Device,),
}  # fmt: skip


def type_of(value: Any) -> Type:
    """The graph type of a Python value.

    Raises:
        TypeError: the value, or something in it, has no graph type; the message says what and what
            to do.
        OverflowError: an int does not fit in 64 bits.
    """
    found = _SIMPLE.get(value.__class__)
    if found is not None:
        return found
    if value.__class__ is int:
        if not INT_MIN <= value <= INT_MAX:
            raise OverflowError(f"the int {value} does not fit in 64 bits")
        return ty.INT
    if arrays.is_array_like(value):
        return _array_type(value)
    if isinstance(value, tuple):
        return _tuple_type(value)
    if isinstance(value, list):
        return ListType(_common("list", value))
    if isinstance(value, dict):
        return DictType(_common("dict (its keys)", value), _common("dict", value.values()))
    for cls in (Tensor, str, float, complex, DType, Device):
        if isinstance(value, cls):
            return _SIMPLE[cls]
    raise TypeError(_unsupported(value))


def _array_type(value: Any) -> Type:
    """Of NumPy's arrays in another byte order only the rank is known. Subclasses do with operators,
    indices and dtypes as they like.
    """
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        return ty.ARRAY
    dtype = _array_dtype(value) if value.dtype.isnative else None
    return TensorType(dtype, (None,) * value.ndim, surface=Surface.NUMPY)


def _array_dtype(value: Any) -> DType | None:
    """NumPy computes with any dtype; only those that tensors have are known to types."""
    if not dtypes.supports(value.dtype):
        return None
    try:
        return dtypes.from_numpy(value.dtype)
    except TypeError as error:
        raise TypeError(f"{error}; convert it with .astype(...) before the call") from None


def _tuple_type(value: tuple[Any, ...]) -> TupleType:
    elements = tuple(map(type_of, value))
    fields = getattr(value, "_fields", None)
    if fields is None:
        return TupleType(elements)
    return TupleType(elements, namedtuple_name(type(value)), tuple(fields))


def _common(container: str, values: Iterable[Any]) -> Type:
    """The element type of a container; `NO_RETURN` stands for an empty one."""
    joined: Type = ty.NO_RETURN
    for value in values:
        found = type_of(value)
        unified = ty.unify(joined, found)
        if unified is None:
            raise TypeError(
                f"a {container} holds both {ty.annotation(joined)} and {ty.annotation(found)};"
                " a script list or dict has one element type: use a tuple, or annotate the"
                " parameter"
            )
        joined = unified
    return joined


def _unsupported(value: Any) -> str:
    cls = type(value)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if callable(value):
        return (
            f"a function or class ({name}) cannot be an argument of a script function; call it"
            " inside, or close over it"
        )
    if isinstance(value, set | frozenset):
        return "a set has no script type; pass a list (sorted(...)) or a dict"
    if isinstance(value, bytes | bytearray):
        return "bytes have no script type; pass a str, or a uint8 tensor of list(data)"
    return (
        f"a value of type {name} has no script type; pass tensors, arrays, numbers, strings, None,"
        " or lists, tuples, NamedTuples and dicts of them"
    )


# Fitting a type -----------------------------------------------------------------------------------


def conforms(value: Any, type_: Type) -> bool:
    """Whether a value is one of a type's values, as it stands (nothing is converted)."""
    exact = _SIMPLE.get(value.__class__)
    if exact is type_:
        return True
    classes = _NUMBERS.get(type_)
    if classes is not None:
        return _is_number(value, classes)
    if isinstance(type_, TensorType):
        return _tensor_conforms(value, type_)
    if isinstance(type_, ty.OptionalType):
        return value is None or conforms(value, type_.element)
    if isinstance(type_, ty.UnionType):
        return any(conforms(value, member) for member in type_.members)
    if isinstance(type_, ListType):
        return isinstance(value, list) and all(conforms(v, type_.element) for v in value)
    if isinstance(type_, TupleType):
        return _tuple_conforms(value, type_)
    if isinstance(type_, DictType):
        return isinstance(value, dict) and all(
            conforms(k, type_.key) and conforms(v, type_.value) for k, v in value.items()
        )
    return isinstance(type_, ty.AnyType)


def observed_type(value: Any, declared: Type) -> Type:
    """The narrowest type of a value within the declared one that holds while the value lives.

    A tensor's dtype, sizes, strides (in elements) and device, in tuples too; None or not for an
    optional. Lists and dicts may change, and stay as declared.
    """
    if isinstance(declared, TensorType):
        return _observed_tensor(value, declared)
    if isinstance(declared, ty.OptionalType):
        return ty.NONE if value is None else observed_type(value, declared.element)
    if isinstance(declared, TupleType) and _tuple_conforms(value, declared):
        return declared.with_children(map(observed_type, value, declared.elements))
    return declared


def _observed_tensor(value: Any, declared: TensorType) -> Type:
    array = value._array if isinstance(value, Tensor) else value
    if not arrays.is_array_like(array):
        return declared
    size = array.itemsize or 1
    strides = tuple(stride // size for stride in array.strides)
    is_whole = not any(stride % size for stride in array.strides)
    found = declared.refined(
        dtype=_array_dtype(array),
        sizes=tuple(array.shape),
        strides=strides if is_whole else None,
        device=arrays.device_of(array),
    )
    return found if ty.is_subtype(found, declared) else declared


def _is_number(value: Any, classes: Sequence[type]) -> bool:
    """NumPy's float64 derives from float but is an array here; True is not an int."""
    if isinstance(value, np.generic):
        return False
    if value.__class__ in classes:
        return value.__class__ is not int or INT_MIN <= value <= INT_MAX
    return isinstance(value, tuple(classes)) and not isinstance(value, bool)


def _tensor_conforms(value: Any, type_: TensorType) -> bool:
    if type_.surface is Surface.NUMPY:
        fits = arrays.is_array_like(value)
        array = value
    else:
        fits = isinstance(value, Tensor)
        array = value._array if fits else None
    if not fits:
        return False
    if type_ is ty.TENSOR or type_ is ty.ARRAY:
        return True
    if type_.dtype is not None and array.dtype != type_.dtype.numpy:
        return False
    if type_.requires_grad is not None and type_.requires_grad != getattr(
        value, "requires_grad", False
    ):
        return False
    if type_.device is not None and type_.device != arrays.device_of(array):
        return False
    return _sizes_conform(array.shape, type_.sizes) and _sizes_conform(
        [s // array.itemsize for s in array.strides], type_.strides
    )


def _sizes_conform(actual: Sequence[int], wanted: Sequence[int | None] | None) -> bool:
    if wanted is None:
        return True
    return len(actual) == len(wanted) and all(
        w is None or w == a for w, a in zip(wanted, actual, strict=True)
    )


def _tuple_conforms(value: Any, type_: TupleType) -> bool:
    if not isinstance(value, tuple) or len(value) != len(type_.elements):
        return False
    if type_.field_names and getattr(value, "_fields", None) != type_.field_names:
        return False
    return all(conforms(v, t) for v, t in zip(value, type_.elements, strict=True))


# NamedTuples --------------------------------------------------------------------------------------

_lock = threading.Lock()
_class_of_name: dict[str, type] = {}
_name_of_class: dict[type, str] = {}


def namedtuple_name(cls: type) -> str:
    """The qualified name of a NamedTuple class in types; classes of one name get numbers."""
    known = _name_of_class.get(cls)
    if known is not None:
        return known
    base = (
        f"{cls.__module__}.{cls.__qualname__}".replace("<locals>.", "")
        .replace("<", "")
        .replace(">", "")
    )
    with _lock:
        name, number = base, 1
        while _class_of_name.get(name, cls) is not cls:
            name, number = f"{base}_{number}", number + 1
        _class_of_name[name] = cls
        _name_of_class[cls] = name
    return name


def namedtuple_class(name: str) -> type | None:
    """The class registered under a name by `namedtuple_name`, or None."""
    return _class_of_name.get(name)


def make_tuple(type_: TupleType, elements: Iterable[Any]) -> tuple[Any, ...]:
    """A tuple of the type's class: the NamedTuple where it is known, else a plain tuple."""
    cls = _class_of_name.get(type_.name) if type_.field_names else None
    made: tuple[Any, ...] = tuple(elements) if cls is None else cls(*elements)
    return made
