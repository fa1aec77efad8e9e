"""Annotations to types, in every spelling: classes, `typing` generics, `X | None`, strings.

An annotation is evaluated in the function's own namespace and the resulting object is read. `None`
as a result means "no type stated" (bare `list`, `dict`, `tuple`): the type then comes from the
call.
"""

from __future__ import annotations

import ast
import builtins
import numbers
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np
import typing_extensions

from .. import arrays, dtypes
from ..errors import CompileError, ErrorKind, SourceSpan, did_you_mean
from ..ir import types as ty
from ..ir.types import Type
from ..tensor import Tensor
from ..values import namedtuple_name
from . import hints

_CLASSES: dict[Any, Type] = {
    Tensor: ty.TENSOR, np.ndarray: ty.ARRAY, int: ty.INT, float: ty.FLOAT, complex: ty.COMPLEX,
    bool: ty.BOOL, str: ty.STR, type(None): ty.NONE, None: ty.NONE, Any: ty.ANY, object: ty.ANY,
    dtypes.DType: ty.DTYPE, arrays.Device: ty.DEVICE, numbers.Number: ty.NUMBER,
}  # fmt: skip
_UNSTATED = (list, dict, tuple, typing.List, typing.Dict, typing.Tuple)
_TRANSPARENT = (typing.Annotated, typing.Final, typing.ClassVar, typing_extensions.Annotated)
_EVERYWHERE: dict[str, Any] = {
    "List": typing.List, "Dict": typing.Dict, "Tuple": typing.Tuple,
    "Optional": typing.Optional, "Union": typing.Union, "Any": typing.Any, "Final": typing.Final,
    "Tensor": Tensor, "Array": np.ndarray, "number": numbers.Number, "dtype": dtypes.DType,
    "Device": arrays.Device,
}  # fmt: skip


class NoType(Exception):
    """The object is not a type that the language has; carries the reason and a hint."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


def type_from_object(annotation: Any, namespace: Mapping[str, Any]) -> Type | None:
    """The type that an annotation object states, or None where it states none."""
    if isinstance(annotation, str):
        return type_from_object(_evaluate(annotation, namespace), namespace)
    if isinstance(annotation, typing.ForwardRef):
        return type_from_object(annotation.__forward_arg__, namespace)
    if any(annotation is generic for generic in _UNSTATED):
        return None
    try:
        if annotation in _CLASSES:
            return _CLASSES[annotation]
    except TypeError:
        pass  # unhashable: not a class
    if isinstance(annotation, type) and issubclass(annotation, Tensor):
        return ty.TENSOR
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        return namedtuple_type(annotation, namespace)
    if hasattr(annotation, "__supertype__"):
        return type_from_object(annotation.__supertype__, namespace)
    if hasattr(annotation, "__value__"):
        return type_from_object(annotation.__value__, namespace)
    return _generic(annotation, namespace)


def _generic(annotation: Any, namespace: Mapping[str, Any]) -> Type | None:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _TRANSPARENT or origin is typing_extensions.Final:
        return type_from_object(args[0], namespace)
    if origin is np.ndarray:
        return _numpy_array(args)
    if origin is typing.Literal:
        return ty.union(_CLASSES[type(value)] for value in args)
    if origin is typing.Union or isinstance(annotation, types.UnionType):
        return ty.union(_stated(arg, namespace) for arg in args)
    if origin is list:
        return ty.ListType(_stated(args[0], namespace))
    if origin is dict:
        return ty.DictType(_stated(args[0], namespace), _stated(args[1], namespace))
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return ty.SequenceType(_stated(args[0], namespace))
        plain = [arg for arg in args if not (isinstance(arg, tuple) and not arg)]
        return ty.TupleType(tuple(_stated(arg, namespace) for arg in plain))
    spelled = getattr(annotation, "__name__", None) or repr(annotation)
    hint = _SUBSTITUTES.get(str(spelled))
    if hint is None and isinstance(annotation, type):
        hint = "make it a NamedTuple, or pass what is needed of it one by one"
    raise NoType(f"the language has no type '{spelled}'", hint)


_SUBSTITUTES = {
    "Sequence": "write list[T] or tuple[T, ...]",
    "Iterable": "write list[T]",
    "Mapping": "write dict[K, V]",
    "set": "write dict[K, bool]; the language has no sets",
    "Callable": "leave the parameter unannotated: a function is then bound at the call",
    "bytes": "write str or list[int]",
}


def _numpy_array(args: tuple[Any, ...]) -> Type:
    """`npt.NDArray[np.float32]` states the dtype; a shape, or Any, states nothing."""
    for arg in args[1:]:
        for scalar in typing.get_args(arg):
            if isinstance(scalar, type) and scalar not in (
                np.generic,
                np.number,
                np.floating,
                np.integer,
            ):
                return ty.TensorType(dtypes.from_numpy(np.dtype(scalar)), surface=ty.Surface.NUMPY)
    return ty.ARRAY


def _stated(annotation: Any, namespace: Mapping[str, Any]) -> Type:
    found = type_from_object(annotation, namespace)
    if found is None:
        name = getattr(annotation, "__name__", repr(annotation))
        raise NoType(f"'{name}' needs its element types here", f"write {name}[...]")
    return found


def namedtuple_type(cls: type, namespace: Mapping[str, Any]) -> ty.TupleType:
    """The tuple type of a NamedTuple class; fields without annotation are Tensors, as in torch."""
    names = getattr(cls, "_fields", None)
    if names is None:
        raise NoType(f"tuple subclass '{cls.__name__}' is not a NamedTuple")
    hints = getattr(cls, "__annotations__", {})
    module = sys.modules.get(cls.__module__)  # none for a class made by `exec`
    where = {**namespace, **(vars(module) if module is not None else {})}
    fields = [_stated(hints[name], where) if name in hints else ty.TENSOR for name in names]
    return ty.TupleType(tuple(fields), namedtuple_name(cls), tuple(names))


def _evaluate(text: str, namespace: Mapping[str, Any]) -> Any:
    scope = {**vars(builtins), **_EVERYWHERE, **namespace}
    return eval(compile(text, "<annotation>", "eval"), scope)  # the user's own annotation text


def _read(text: str, namespace: Mapping[str, Any], evaluated: object) -> Type | None:
    try:
        return type_from_object(text, namespace)
    except NameError:
        if isinstance(evaluated, str):
            raise
    return type_from_object(evaluated, namespace)


_BUILTIN_NAMES = ("int", "float", "bool", "complex", "str", "list", "dict", "tuple")


def type_of_annotation(
    node: ast.expr, namespace: Mapping[str, Any], span: SourceSpan, evaluated: object = ""
) -> Type | None:
    """The type that an annotation expression states, or None where it states none.

    `evaluated` is what Python made of it, if not text: it may name locals of an enclosing function.

    Raises:
        CompileError: a name in it is undefined (UNDEFINED_NAME), or the language has no such type
            (UNSUPPORTED_ANNOTATION).
    """
    text = ast.unparse(node)
    try:
        return _read(text, namespace, evaluated)
    except NameError as error:
        known = [*_EVERYWHERE, *namespace, *_BUILTIN_NAMES]
        raise CompileError(
            ErrorKind.UNDEFINED_NAME,
            f"undefined name '{error.name}' in an annotation",
            span,
            hint=did_you_mean(error.name or "", known) or hints.for_name(error.name or ""),
        ) from None
    except NoType as error:
        raise CompileError(
            ErrorKind.UNSUPPORTED_ANNOTATION, str(error), span, found=text, hint=error.hint
        ) from None
    except Exception as error:  # the annotation is evaluated, and may raise anything
        raise CompileError(
            ErrorKind.UNSUPPORTED_ANNOTATION,
            f"the annotation cannot be read: {error}",
            span,
            found=text,
        ) from None
