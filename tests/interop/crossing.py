"""The way between jitlang's kernels and torch's operators: arguments over, results back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import torch

from jitlang.arrays import Device
from jitlang.dtypes import DType
from jitlang.ir import types as ty
from jitlang.ir.opdef import OpDef
from jitlang.ir.types import Type
from jitlang.ops.broadcast import as_torch_error
from jitlang.ops.generator import Generator

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def to_torch(value: Any) -> Any:
    """The same argument for torch: equal values, and strides where torch allows them."""
    if isinstance(value, np.ndarray | np.generic):
        return _tensor(np.asarray(value))
    if isinstance(value, DType):
        return getattr(torch, value.name)
    if isinstance(value, Device):
        return torch.device(str(value))
    if isinstance(value, Generator):
        return torch.Generator()
    if isinstance(value, list | tuple):
        return type(value)(map(to_torch, value))
    if isinstance(value, dict):
        return {key: to_torch(item) for key, item in value.items()}
    return value


def _tensor(array: np.ndarray) -> torch.Tensor:
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    if not array.size:  # NumPy's strides of nothing are not torch's
        return torch.empty(array.shape, dtype=getattr(torch, array.dtype.name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if array.dtype == BFLOAT16:
            return torch.from_numpy(array.view("int16")).view(torch.bfloat16)
        return torch.from_numpy(array)


def to_numpy(value: Any) -> Any:
    """What torch returned, with arrays for tensors, strides kept."""
    if isinstance(value, torch.Tensor):
        plain = value.resolve_conj().resolve_neg()
        if plain.dtype is torch.bfloat16:
            return plain.view(torch.int16).numpy().view(BFLOAT16)
        return plain.detach().numpy()
    if isinstance(value, list | tuple):
        plain_class = type(value) in (list, tuple)
        return type(value)(map(to_numpy, value)) if plain_class else [*map(to_numpy, value)]
    if isinstance(value, dict):
        return {key: to_numpy(item) for key, item in value.items()}
    return value


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result, or the exception; broadcasting errors in torch's words."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)
    except ValueError as error:
        return as_torch_error(error) or error
    except Exception as error:
        return error


# Torch's operators --------------------------------------------------------------------------------


def torch_outcome(op: OpDef, values: Sequence[Any]) -> Any:
    """What torch's operator of the same name and overload does with crossed arguments."""
    arguments = op.schema.arguments
    if any(ty.has_variables(a.type) for a in arguments):
        return outcome(lambda: _generic(op, values)(*values))
    pairs = list(zip(arguments, values, strict=True))
    positional = [v for a, v in pairs if not a.kwarg_only]
    keywords = {
        a.name: v for a, v in pairs if a.kwarg_only and not (a.has_default and v is a.default)
    }
    return outcome(_operator(op.full_name), *positional, **keywords)


@cache
def _operator(full_name: str) -> Callable[..., Any]:
    """`torch.ops.aten.NAME.OVERLOAD`."""
    namespace, _, rest = full_name.partition("::")
    name, _, overload = rest.partition(".")
    packet = getattr(getattr(torch.ops, namespace), name)
    found: Callable[..., Any] = getattr(packet, overload or "default")
    return found


def _generic(op: OpDef, values: Sequence[Any]) -> Callable[..., Any]:
    """An operator over type variables, for values of these types."""
    variables: dict[str, str] = {}
    types = []
    for argument, value in zip(op.schema.arguments, values, strict=True):
        _bind(argument.type, value, variables)
        is_none = value is None and isinstance(argument.type, ty.OptionalType)
        types.append("NoneType" if is_none else _spelled(argument.type, variables))
    made: Callable[..., Any] = _by_graph(op, tuple(types), tuple(variables.items()))
    return made


def _bound(value: Any) -> str:
    """The type of a value in graph text, for operators over type variables."""
    plain = {
        bool: "bool", int: "int", float: "float", complex: "complex", str: "str",
        type(None): "NoneType", torch.dtype: "int", torch.device: "Device",
    }  # fmt: skip
    if type(value) in plain:
        return plain[type(value)]
    if isinstance(value, torch.Tensor):
        return "Tensor"
    if isinstance(value, list):
        return f"{_bound(value[0]) if value else 'int'}[]"
    if isinstance(value, dict):
        key, item = next(iter(value.items()))
        return f"Dict({_bound(key)}, {_bound(item)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_bound, value))})"
    raise TypeError(f"no graph type for {value!r}")


@cache
def _by_graph(op: OpDef, types: tuple[str, ...], bound: tuple[tuple[str, str], ...]) -> Any:
    """The operator alone in a graph, over arguments of these types."""
    given = ", ".join(f"%a{i} : {t}" for i, t in enumerate(types))
    names = ", ".join(f"%a{i}" for i in range(len(types)))
    results = [_spelled(r.type, dict(bound)) for r in op.schema.returns]
    outputs = ", ".join(f"%r{i} : {t}" for i, t in enumerate(results))
    left = f"{outputs} = " if outputs else ""
    returned = "%r0" if len(results) == 1 else "%none"
    none = "" if results else "  %none : NoneType = prim::Constant()\n"
    text = f"graph({given}):\n  {left}{op.name}({names})\n{none}  return ({returned})"
    return torch._C._create_function_from_graph("call", torch._C.parse_ir(text))


def _bind(declared: Type, value: Any, variables: dict[str, str]) -> None:
    """What the type variables of an argument stand for, by its value."""
    if isinstance(declared, ty.VarType):
        variables[declared.name] = _bound(value)
    elif isinstance(declared, ty.OptionalType):
        _bind(declared.element, value, variables)
    elif isinstance(declared, ty.ListType) and value:
        _bind(declared.element, value[0], variables)
    elif isinstance(declared, ty.TupleType):
        for part, item in zip(declared.elements, value, strict=True):
            _bind(part, item, variables)
    elif isinstance(declared, ty.DictType) and value:
        key, item = next(iter(value.items()))
        _bind(declared.key, key, variables)
        _bind(declared.value, item, variables)


def _spelled(declared: Type, variables: dict[str, str]) -> str:
    if isinstance(declared, ty.VarType):
        return variables.get(declared.name, "int")
    if isinstance(declared, ty.ListType):
        return f"{_spelled(declared.element, variables)}[]"
    if isinstance(declared, ty.OptionalType):
        return f"{_spelled(declared.element, variables)}?"
    if isinstance(declared, ty.DictType):
        return f"Dict({_spelled(declared.key, variables)}, {_spelled(declared.value, variables)})"
    if isinstance(declared, ty.TupleType):
        return f"({', '.join(_spelled(e, variables) for e in declared.elements)})"
    return str(declared).replace("ScalarType", "int").replace("dtype", "int")
