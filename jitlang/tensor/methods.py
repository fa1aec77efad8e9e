"""Functions, methods and operators, derived from the operator table.

A row offers its `function` and `method` names; all rows of an operator share one callable, which
resolves the overload per call. `aten::` rows win over rows of other namespaces that offer the same
name. Methods are found on first use and then live on the class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import arrays, dtypes
from ..dtypes import DType
from ..ir.opdef import OPS
from ..ops.convert import CAST_METHODS
from . import indexing
from .core import Tensor, TensorMeta, box
from .dispatch import call, dispatcher

# Python's operators: method, operator, and what the reflected form calls with swapped arguments.
_BINARY = (
    ("add", "aten::add", "aten::add"),
    ("sub", "aten::sub", "aten::rsub"),
    ("mul", "aten::mul", "aten::mul"),
    ("and", "aten::__and__", "aten::__and__"),
    ("or", "aten::__or__", "aten::__or__"),
    ("xor", "aten::__xor__", "aten::__xor__"),
)
_BINARY_ONE_WAY = (
    ("truediv", "aten::div"),
    ("floordiv", "aten::floor_divide"),
    ("mod", "aten::remainder"),
    ("pow", "aten::pow"),
    ("matmul", "aten::matmul"),
    ("lshift", "aten::__lshift__"),
    ("rshift", "aten::__rshift__"),
)
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_UNARY = (("neg", "aten::neg"), ("pos", "aten::positive"), ("abs", "aten::abs"))
_INPLACE = (
    ("iadd", "aten::add_"), ("isub", "aten::sub_"), ("imul", "aten::mul_"),
    ("itruediv", "aten::div_"),
    ("ifloordiv", "aten::floor_divide_"), ("imod", "aten::remainder_"), ("ipow", "aten::pow_"),
    ("iand", "aten::__iand__"), ("ior", "aten::__ior__"), ("ixor", "aten::__ixor__"),
    ("ilshift", "aten::__ilshift__"), ("irshift", "aten::__irshift__"),
)  # fmt: skip

_OPERANDS = (Tensor, bool, int, float, complex)


def _is_operand(value: Any) -> bool:
    return isinstance(value, _OPERANDS) or arrays.is_array_like(value)


def _binary_operator(operator: str) -> Callable[[Tensor, Any], Any]:
    dispatch = dispatcher(operator)

    def apply(self: Tensor, other: Any) -> Any:
        if isinstance(other, _OPERANDS) or arrays.is_array_like(other):
            return dispatch(self, other)
        return NotImplemented

    return apply


def _reflected_operator(operator: str) -> Callable[[Tensor, Any], Any]:
    """For operators whose rows take the left operand first."""
    dispatch = dispatcher(operator)

    def apply(self: Tensor, other: Any) -> Any:
        if not _is_operand(other):
            return NotImplemented
        if isinstance(other, Tensor) or arrays.is_array(other):
            return dispatch(other, self)
        return _number_first(operator, other, self)

    return apply


def _number_first(operator: str, number: Any, tensor: Tensor) -> Any:
    """A number on the left, where rows want a tensor there."""
    number = number.item() if isinstance(number, np.generic) else number
    if operator == "aten::div":
        return call("aten::mul", (call("aten::reciprocal", (tensor,), {}), number), {})
    if operator in ("aten::pow", "aten::remainder"):
        return call(operator, (number, tensor), {})
    promoted = dtypes.with_number(tensor.dtype, tensor.ndim, type(number))
    return call(operator, (box(np.asarray(number, promoted.numpy)), tensor), {})


def _invert(self: Tensor) -> Any:
    if self.dtype.category >= dtypes.Category.FLOATING:
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return call("aten::bitwise_not", (self,), {})


def _unary_operator(operator: str) -> Callable[[Tensor], Any]:
    dispatch = dispatcher(operator)

    def apply(self: Tensor) -> Any:
        return dispatch(self)

    return apply


def _install_operators() -> None:
    for name, operator, reflected in _BINARY:
        _install(f"__{name}__", _binary_operator(operator))
        _install(f"__r{name}__", _binary_operator(reflected))
    for name, operator in _BINARY_ONE_WAY:
        _install(f"__{name}__", _binary_operator(operator))
        _install(f"__r{name}__", _reflected_operator(operator))
    for name in _COMPARISONS:
        _install(f"__{name}__", _binary_operator(f"aten::{name}"))
    for name, operator in _UNARY:
        _install(f"__{name}__", _unary_operator(operator))
    _install("__invert__", _invert)
    for name, operator in _INPLACE:
        _install(f"__{name}__", _binary_operator(operator))


def _install(name: str, method: Callable[..., Any]) -> None:
    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    setattr(Tensor, name, method)


# Names of the table -------------------------------------------------------------------------------


def operator_offering(kind: str, name: str) -> str | None:
    """The operator whose rows offer a function or method name; `aten::` first."""
    direct = f"aten::{name}"
    if any(getattr(op, kind) == name for op in OPS.overloads(direct)):
        return direct
    found = [op.name for op in OPS if getattr(op, kind) == name]
    return min(found, key=lambda n: not n.startswith("aten::"), default=None)


def function_named(name: str) -> Callable[..., Any] | None:
    """The eager function `jl.<name>`, or None where no row offers it."""
    operator = operator_offering("function", name)
    if operator is None:
        return None
    dispatch = dispatcher(operator)
    creates = any("pin_memory" in op.schema_text for op in OPS.overloads(operator))

    def function(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            return dispatch(*args)
        wanted = creates and kwargs.pop("requires_grad", False)
        made = call(operator, _torch_spelling(args), _torch_spelled(kwargs))
        return made.requires_grad_() if wanted else made

    return _described(function, name, operator)


def function_in(namespace: str, name: str) -> Callable[..., Any]:
    """The eager function `jl.<namespace>.<name>`: `jl.linalg.inv` is the row `aten::linalg_inv`.

    Raises:
        AttributeError: no row offers it.
    """
    found = None if name.startswith("__") else function_named(f"{namespace}_{name}")
    if found is None:
        raise AttributeError(f"module 'jitlang.{namespace}' has no attribute {name!r}", name=name)
    return found


def names_in(namespace: str) -> list[str]:
    """The names of all functions of a namespace."""
    start = f"{namespace}_"
    return [name.removeprefix(start) for name in function_names() if name.startswith(start)]


def method_named(name: str) -> Callable[..., Any] | None:
    """The method `Tensor.<name>`, or None where no row offers it."""
    operator = operator_offering("method", name)
    if operator is None:
        return None
    position = _position_of_self(operator)
    if position is None:
        return None
    dispatch = dispatcher(operator)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        values = (self, *args) if position == 0 else (*args[:position], self, *args[position:])
        return call(operator, values, _torch_spelled(kwargs)) if kwargs else dispatch(*values)

    return _described(method, name, operator)


def _torch_spelling(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return args


def _torch_spelled(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords that torch takes beside the schema's own: `input` for `self`, `axis` for `dim`."""
    renamed = {"input": "self", "axis": "dim", "keepdims": "keepdim"}
    return {renamed.get(key, key): value for key, value in kwargs.items()}


def _position_of_self(operator: str) -> int | None:
    for op in OPS.overloads(operator):
        position = op.schema.index_of("self")
        if position is not None:
            return position
    return None


def _described(function: Callable[..., Any], name: str, operator: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__jitlang_operator__ = operator  # type: ignore[attr-defined]  # scripts call the rows
    overloads = OPS.overloads(operator)
    lines = [op.doc for op in overloads if op.doc] + [str(op.schema_text) for op in overloads]
    function.__doc__ = "\n".join(lines)
    return function


def function_names() -> list[str]:
    """The names of all eager functions."""
    return sorted({op.function for op in OPS if op.function})


def method_names() -> list[str]:
    """The names of all methods that rows offer."""
    return sorted({op.method for op in OPS if op.method})


def _directory(self: Tensor) -> list[str]:
    return sorted({*object.__dir__(self), *method_names()})


def _cast_method(dtype: DType) -> Callable[[Tensor], Any]:
    def cast(self: Tensor) -> Any:
        return call("aten::to", (self, dtype), {})

    return cast


# `x.float()` and kin are `aten::to` with the dtype that the name says.
for _name, _dtype in CAST_METHODS.items():
    _install(_name, _cast_method(_dtype))


def _transposed(self: Tensor) -> Any:
    return call("aten::numpy_T", (self,), {})


def _matrix_transposed(self: Tensor) -> Any:
    return call("aten::mT", (self,), {}) if self.ndim else self


def _part(operator: str) -> Callable[[Tensor], Any]:
    return lambda self: call(operator, (self,), {})


# Attributes that are rows of one tensor.
ATTRIBUTES: Mapping[str, Callable[[Tensor], Any]] = {
    "T": _transposed, "mT": _matrix_transposed, "real": _part("aten::real"),
    "imag": _part("aten::imag"),
}  # fmt: skip
for _name, _getter in ATTRIBUTES.items():
    setattr(Tensor, _name, property(_getter))
TensorMeta.finder = staticmethod(method_named)
_install_operators()
_install("__dir__", _directory)
_install("__getitem__", indexing.get_item)
_install("__setitem__", indexing.set_item)
