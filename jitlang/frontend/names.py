"""The meaning of Python objects from outside a function: globals, closures, attributes, defaults.
"""

from __future__ import annotations

import ast
import types
from typing import Any

import numpy as np

from .. import arrays, dtypes
from ..errors import ErrorKind
from ..ir.types import Type
from ..tensor import Tensor
from . import numpy_names
from .annotate import NoType, type_from_object
from .builtins import SPECIALS, math_meaning
from .emitter import STABLE_MODULES, AttributePlace, DictPlace, Emitter, Place
from .source import is_standard_library
from .sugar import (
    ClassName,
    Constant,
    Function,
    Namespace,
    Operator,
    Parts,
    PythonCallable,
    Special,
    Sugar,
)

_SCALARS = (type(None), bool, int, float, complex, str, dtypes.DType, arrays.Device)


def meaning_of(e: Emitter, found: object, label: str) -> Sugar:
    """What an outside object means."""
    if isinstance(found, _SCALARS):
        return Constant(found)
    if isinstance(found, Tensor | list | dict) or arrays.is_array_like(found):
        return Constant(found)
    if isinstance(found, tuple):
        return _tuple_meaning(e, found, label)
    if isinstance(found, types.ModuleType):
        return Namespace(f"module '{found.__name__}'", found, found.__name__)
    special = _special(found)
    if special is not None:
        return special
    operator = getattr(found, "__jitlang_operator__", None)
    if isinstance(operator, str):
        return Operator(operator, label)
    if getattr(found, "__jitlang_ignore__", False):
        return PythonCallable(
            found, label, ErrorKind.UNSUPPORTED_CALLEE, "it is ignored", declared=True
        )
    scripted = getattr(found, "__jitlang_function__", None)
    if scripted is not None:
        return Function(scripted, label)
    if isinstance(found, type):
        return ClassName(found, label)
    return _callable_meaning(e, found, label)


def _special(found: object) -> Special | None:
    expansion = getattr(found, "__jitlang_special__", None)
    if isinstance(expansion, Special):
        return expansion
    if expansion is not None:
        return Special(getattr(found, "__name__", "?"), expansion)
    try:
        return SPECIALS.get(found)
    except TypeError:
        return None  # unhashable: no function


def _tuple_meaning(e: Emitter, found: tuple[Any, ...], label: str) -> Sugar:
    parts = [meaning_of(e, part, f"{label}[{i}]") for i, part in enumerate(found)]
    simple = all(isinstance(part, Constant) for part in parts)
    return Constant(found) if simple else Parts(parts)


def _callable_meaning(e: Emitter, found: Any, label: str) -> Sugar:
    module = getattr(found, "__module__", None) or type(found).__module__
    name = getattr(found, "__name__", label)
    if module in ("math", "cmath") and (meaning := math_meaning(module, name)) is not None:
        return meaning
    if module.split(".")[0] == "numpy" or isinstance(found, np.ufunc):
        path = numpy_names.path_of(found)
        meaning = None if path is None else numpy_names.function_meaning(path)
        if meaning is not None:
            return meaning
        return PythonCallable(
            found,
            label,
            ErrorKind.UNSUPPORTED_CALLEE,
            "NumPy's function has no counterpart in the language",
        )
    if isinstance(found, types.FunctionType):
        if is_standard_library(found):
            return PythonCallable(
                found,
                label,
                ErrorKind.UNSUPPORTED_CALLEE,
                f"it is a function of the standard library module '{module}'",
            )
        return Function(found, label)
    if callable(found):
        kind = type(found).__name__
        return PythonCallable(
            found, label, ErrorKind.UNSUPPORTED_CALLEE, f"it is not a Python function ({kind})"
        )
    return Namespace(f"the object '{label}'", found, label)


def attribute_of(e: Emitter, owner: Namespace, name: str) -> Sugar:
    """The meaning of an attribute of a Python module or object; what is found is guarded.

    Raises:
        CompileError: there is no such attribute (UNDEFINED_ATTRIBUTE).
    """
    target = owner.target
    try:
        found = getattr(target, name)
    except AttributeError:
        raise e.undefined_attribute(owner.label, name, dir(target)) from None
    module = getattr(target, "__name__", "")
    label = f"{owner.name or owner.label}.{name}"
    if isinstance(target, types.ModuleType) and module.split(".")[0] in STABLE_MODULES:
        return meaning_of(e, found, label)
    return e.guarded(label, _place_of(target, name), found, target)


def _place_of(target: Any, name: str) -> Place:
    """Where an attribute is read anew: in the module's dict where it stands there."""
    if type(target) is types.ModuleType and name in vars(target):
        return DictPlace(vars(target), name)
    return AttributePlace(target, name)


def class_type(e: Emitter, cls: type, node: ast.expr) -> Type | None:
    """The type of instances of a class, or None where the language has none."""
    try:
        return type_from_object(cls, e.source.namespace)
    except NoType:
        return None
