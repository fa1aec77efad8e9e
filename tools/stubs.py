"""The type stub of the package, `jitlang/__init__.pyi`, written from the operator table."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence

import jitlang
from jitlang.ir import types as ty
from jitlang.ir.opdef import OPS, OpDef
from jitlang.ir.schema import Argument
from jitlang.ir.types import Type
from jitlang.ops.convert import CAST_METHODS
from jitlang.tensor.methods import operator_offering

_PLAIN: dict[Type, str] = {
    ty.INT: "_int", ty.FLOAT: "_float", ty.BOOL: "_bool", ty.STR: "str", ty.NUMBER: "_Number",
    ty.COMPLEX: "complex", ty.NONE: "None", ty.DTYPE: "DType", ty.DEVICE: "Device",
    ty.GENERATOR: "Any", ty.ANY: "Any",
}  # fmt: skip

_HEAD = '''"""Written from the operator table by `python -m tools.reference`; not to be edited."""
# mypy: disable-error-code="overload-overlap,overload-cannot-match,override,misc"

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from . import config as config, dtypes as dtypes, fft as fft, jit as jit, linalg as linalg
from . import nn as nn, random as random, special as special
from .arrays import Device as Device, Size as Size
from .dtypes import DType as DType, finfo as finfo, iinfo as iinfo
from .errors import CompileError as CompileError, FallbackWarning as FallbackWarning
from .random import Generator as Generator, default_generator as default_generator
from .random import get_rng_state as get_rng_state, initial_seed as initial_seed
from .random import manual_seed as manual_seed, seed as seed, set_rng_state as set_rng_state
from .script import ScriptFunction as ScriptFunction
from .tensor import enable_grad as enable_grad, is_grad_enabled as is_grad_enabled
from .tensor import no_grad as no_grad, set_grad_enabled as set_grad_enabled
from .tensor.core import Tensor as _Tensor

_int: TypeAlias = builtins.int
_float: TypeAlias = builtins.float
_bool: TypeAlias = builtins.bool
_Number: TypeAlias = complex | builtins.float | builtins.int | builtins.bool
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Operand: TypeAlias = _Tensor | np.ndarray | _Number

Array: TypeAlias = np.ndarray
dtype = DType
device = Device
__version__: str
'''


# What is written by hand in the package, and typed by hand here.
_FUNCTIONS = (
    "def script(function: _Function, **options: Any) -> _Function: ...",
    "def tensor(data: Any, *, dtype: DType | None = ..., device: Device | str | None = ..., "
    "requires_grad: _bool = ...) -> Tensor: ...",
    "def as_tensor(data: Any, dtype: DType | None = ..., device: Any = ...) -> Tensor: ...",
    "def from_numpy(array: np.ndarray) -> Tensor: ...",
    "def from_dlpack(source: Any) -> Tensor: ...",
)


def stub() -> str:
    """The text of the stub."""
    dtypes = [n for n in jitlang.__all__ if isinstance(getattr(jitlang, n), jitlang.DType)]
    lines = [_HEAD, *(f"{name}: DType" for name in dtypes), "", *_tensor_class(), ""]
    named = {*dtypes, "Array", "dtype", "device", "Tensor", "DType", "Device", "CompileError",
             "FallbackWarning", "ScriptFunction", "Size", "config", "dtypes", "jit", "nn", "fft",
             "linalg", "special", "finfo", *jitlang.random.__all__, "random",
             "iinfo", "enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"}  # fmt: skip
    given = {*named, *(line.split("(")[0].removeprefix("def ") for line in _FUNCTIONS)}
    lines += [*_FUNCTIONS, *(f"{name}: Any" for name in jitlang.__all__ if name not in given)]
    offered = sorted({op.function for op in OPS if op.function} - {*jitlang.__all__})
    for name in offered:
        if _is_name(name):
            lines += _overloads(name, _rows("function", name), "")
    return "\n".join(lines) + "\n"


def _tensor_class() -> Iterator[str]:
    yield "class Tensor(_Tensor):"
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or"):
        yield f"    def __{name}__(self, other: _Operand) -> Tensor: ..."
        yield f"    def __r{name}__(self, other: _Operand) -> Tensor: ..."
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        yield f"    def __{name}__(self, other: Any) -> Tensor: ..."
    for name in ("neg", "pos", "abs", "invert"):
        yield f"    def __{name}__(self) -> Tensor: ..."
    yield "    def __getitem__(self, index: Any) -> Tensor: ..."
    yield "    def __iter__(self) -> Iterator[Tensor]: ..."
    yield "    @property"
    yield "    def T(self) -> Tensor: ..."
    for name in CAST_METHODS:
        yield f"    def {name}(self) -> Tensor: ..."
    # Methods that rows offer stand on the class once they have been used.
    own = {n for n, m in vars(jitlang.Tensor).items() if not hasattr(m, "__jitlang_operator__")}
    written = {*CAST_METHODS, *own}
    for name in sorted({op.method for op in OPS if op.method} - written):
        if _is_name(name):
            yield from _overloads(name, _rows("method", name), "    ")


def _is_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def _rows(kind: str, name: str) -> list[OpDef]:
    """The rows that a name may mean in eager code: those that take tensors, if any does."""
    operator = operator_offering(kind, name)
    assert operator is not None
    rows = [op for op in OPS.overloads(operator) if not op.schema.is_vararg]
    tensors = [op for op in rows if "Tensor" in op.schema_text.partition("->")[0]]
    return tensors or rows


def _overloads(name: str, rows: Sequence[OpDef], indent: str) -> Iterator[str]:
    signatures = list(dict.fromkeys(filter(None, (_signature(op, bool(indent)) for op in rows))))
    for signature in signatures:
        if len(signatures) > 1:
            yield f"{indent}@overload"
        yield f"{indent}def {name}({signature}: ..."
    if not signatures:
        given = "self, *args: Any" if indent else "*args: Any"
        yield f"{indent}def {name}({given}, **kwargs: Any) -> Any: ..."


def _signature(op: OpDef, is_method: bool) -> str | None:
    """`self, dim: int = ...) -> Tensor`; None where a method has no tensor to belong to."""
    arguments = list(op.schema.arguments)
    parts: list[str] = []
    if is_method:
        at = op.schema.index_of("self")
        if at is None:
            return None
        del arguments[at]
        parts.append("self")
    optional = False
    for argument in arguments:
        if argument.kwarg_only and "*" not in parts:
            parts.append("*")
        optional = optional or argument.has_default
        default = " = ..." if argument.has_default or (optional and not argument.kwarg_only) else ""
        parts.append(f"{_spelled(argument.name)}: {_accepted(argument)}{default}")
    returns = [_given_back(r.type) for r in op.schema.returns]
    result = returns[0] if len(returns) == 1 else f"tuple[{', '.join(returns)}]"
    return f"{', '.join(parts)}) -> {result if returns else 'None'}"


def _spelled(name: str) -> str:
    renamed = "input" if name == "self" else name
    return f"{renamed}_" if keyword.iskeyword(renamed) else renamed


def _accepted(argument: Argument) -> str:
    text = _parameter(argument.type)
    return f"{text} | _int" if argument.size and "Sequence" in text else text


def _parameter(type_: Type) -> str:
    if isinstance(type_, ty.OptionalType):
        return f"{_parameter(type_.element)} | None"
    if isinstance(type_, ty.TensorType):
        return "_Tensor | np.ndarray"
    if isinstance(type_, ty.ListType):
        return f"Sequence[{_parameter(type_.element)}]"
    if type_ is ty.DEVICE:
        return "Device | str"
    if type_ is ty.FLOAT:
        return "_float"
    return _PLAIN.get(type_, "Any")


def _given_back(type_: Type) -> str:
    if isinstance(type_, ty.OptionalType):
        return f"{_given_back(type_.element)} | None"
    if isinstance(type_, ty.TensorType):
        return "Tensor"
    if isinstance(type_, ty.ListType):
        return f"tuple[{_given_back(type_.element)}, ...]"
    return _PLAIN.get(type_, "Any")
