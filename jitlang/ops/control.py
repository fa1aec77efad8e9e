"""Rows around control: printing, raising, warning, casts, facts about tensors, ranges.

`prim::Print`, `prim::RaiseException` and `aten::warn` are visible effects (`Effect.IO`): no pass
drops, merges or reorders them. `RaiseException` raises the Python class that its second argument
names; a class that is not one of Python's own raises `ScriptError` with the class name before the
message.

`jit::reraise` raises the exception that a handler of a `prim::Try` was given again. `jit::require`
stands in specialised graphs only: native code gives the call back where the condition does not
hold. So does `jit::scalar_if`: a scalar of NumPy's that is returned leaves as it is where the
condition holds, else as a number of the class of the third value.
"""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Sequence
from typing import Any

from .. import arrays, dtypes
from ..errors import ScriptError
from ..ir import types as ty
from ..ir.graph import ObjectRef
from ..ir.opdef import Effect
from ..ir.types import Type
from .index import dims_indexed
from .rows import op, scalar
from .rules import HIDDEN


def _print(xp: Any, *values: Any) -> None:
    print(*values)


def exception_class(name: str | None) -> type[BaseException] | None:
    """Python's own exception class of that name (`ValueError`, `builtins.ValueError`), or None."""
    found = getattr(builtins, (name or "").removeprefix("builtins."), None)
    is_class = isinstance(found, type) and issubclass(found, BaseException)
    return found if is_class else None


def handled_classes(classes: Sequence[ObjectRef]) -> tuple[type[BaseException], ...]:
    """The exception classes that a handler names.

    Raises:
        NotImplementedError: the graph, which was read from text, knows a class by name only.
    """
    return tuple(map(_handled_class, classes))


def _handled_class(reference: ObjectRef) -> type[BaseException]:
    found: type[BaseException] | None = reference.value or exception_class(reference.name)
    if found is None:
        raise NotImplementedError(f"the exception class {reference.name} is known by name only")
    return found


def _require(xp: Any, condition: bool) -> None:
    if not condition:
        raise AssertionError("a specialised graph ran where it does not hold")


def _raise(xp: Any, msg: str, cls: str | None = None) -> None:
    found = exception_class(cls)
    if found is not None:
        raise found(msg) if msg else found()
    raise ScriptError(f"{cls}: {msg}" if cls else msg)


def _reraise(xp: Any, error: BaseException) -> None:
    raise error


def _warn(xp: Any, message: str, stacklevel: int) -> None:
    warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)


op("prim::Print(...) -> ()", impl=_print, effect=Effect.IO, **HIDDEN)
op(
    "prim::RaiseException(str msg, str? cls=None) -> ()",
    impl=_raise,
    effect=Effect.IO,
    **HIDDEN,
)
op("jit::require(bool condition) -> ()", impl=_require, effect=Effect.IO, **HIDDEN)
op(
    "jit::scalar_if(Any scalar, bool condition, Scalar number) -> Any",
    impl=lambda xp, scalar, condition, number: scalar if condition else type(number)(scalar),
    infer=lambda types, constants: types[0],
    **HIDDEN,
)
op("jit::reraise(Any error) -> ()", impl=_reraise, effect=Effect.IO, **HIDDEN)
op(
    "aten::warn(str message, int stacklevel=2) -> ()",
    impl=_warn,
    effect=Effect.IO,
    **HIDDEN,
)


# Casts --------------------------------------------------------------------------------------------


def _unwrapped(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.without_none(types[0]) or ty.NO_RETURN


def _unwrap(xp: Any, value: Any) -> Any:
    if value is None:
        raise RuntimeError("Unwrapping null optional")
    return value


op(
    "aten::_unwrap_optional(t(a)? optional) -> t(a)",
    impl=_unwrap,
    infer=_unwrapped,
    effect=Effect.RAISES,
    **HIDDEN,
)
scalar("prim::unchecked_unwrap_optional(t(a)? optional) -> t(a)", "optional", infer=_unwrapped)


# Facts about tensors ------------------------------------------------------------------------------


def _device(xp: Any, a: Any) -> Any:
    return arrays.Device(arrays.device_of(a))


op(
    "prim::dtype(Tensor a) -> ScalarType",
    impl=lambda xp, a: dtypes.from_numpy(a.dtype),
    **HIDDEN,
)
op("prim::device(Tensor a) -> Device", impl=_device, **HIDDEN)
op("prim::is_cpu(Tensor a) -> bool", impl=lambda xp, a: arrays.device_of(a) == "cpu", **HIDDEN)
op(
    "prim::is_cuda(Tensor a) -> bool",
    impl=lambda xp, a: arrays.device_of(a) != "cpu",
    **HIDDEN,
)
for _name in ("is_nested", "is_sparse", "is_quantized", "is_mkldnn", "is_meta"):
    op(f"prim::{_name}(Tensor a) -> bool", impl=lambda xp, a: False, **HIDDEN)
op("prim::itemsize(Tensor a) -> int", impl=lambda xp, a: int(a.dtype.itemsize), **HIDDEN)
op("prim::nbytes(Tensor a) -> int", impl=lambda xp, a: int(a.nbytes), **HIDDEN)
# A type variable keeps the tensor boxed: its array knows nothing of gradients.
op(
    "prim::requires_grad(t a) -> bool",
    impl=lambda xp, a: bool(getattr(a, "requires_grad", False)),
    **HIDDEN,
)
op("prim::layout(Tensor a) -> Layout", impl=lambda xp, a: 0, **HIDDEN)
op(
    "aten::element_size(Tensor self) -> int",
    impl=lambda xp, a: int(a.dtype.itemsize),
    function=None,
)
op(
    "aten::is_floating_point(Tensor self) -> bool",
    impl=lambda xp, a: dtypes.from_numpy(a.dtype).is_floating_point,
)
op("aten::is_complex(Tensor self) -> bool", impl=lambda xp, a: a.dtype.kind == "c")
op(
    "aten::is_signed(Tensor self) -> bool",
    impl=lambda xp, a: dtypes.from_numpy(a.dtype).is_signed,
    function=None,
)
op(
    "aten::is_same_size(Tensor self, Tensor other) -> bool",
    impl=lambda xp, a, b: a.shape == b.shape,
)
op(
    "aten::get_device(Tensor self) -> int",
    impl=lambda xp, a: int(arrays.device_of(a).partition(":")[2] or -1),
    function=None,
)


def _tensor_size(xp: Any, a: Any) -> int:
    if a.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return int(a.shape[0])


op("aten::len.Tensor(Tensor t) -> int", impl=_tensor_size, **HIDDEN)
op("jit::dims_indexed(Tensor index) -> int", impl=lambda xp, i: dims_indexed(i), **HIDDEN)

scalar("prim::type(Device self) -> str", "self.type")
scalar("prim::index(Device self) -> int?", "self.index")
op("aten::device(str a) -> Device", impl=lambda xp, a: arrays.Device(a), **HIDDEN)
op(
    "aten::device.with_index(str type, int index) -> Device",
    impl=lambda xp, kind, index: arrays.Device(f"{kind}:{index}"),
    **HIDDEN,
)
for _name in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
    _result = "int" if _name == "itemsize" else "bool"
    scalar(f"jit::dtype_{_name}(ScalarType self) -> {_result}", f"self.{_name}")
op(
    "aten::promote_types(ScalarType type1, ScalarType type2) -> ScalarType",
    impl=lambda xp, a, b: dtypes.promote_types(a, b),
    method=None,
)
op(
    "aten::can_cast(ScalarType from_, ScalarType to) -> bool",
    impl=lambda xp, a, b: _can_cast(a, b),
    method=None,
)


def _can_cast(a: dtypes.DType, b: dtypes.DType) -> bool:
    """Torch lets nothing fall to a lower category; ints of either sign convert into each other."""
    return a.category <= b.category


# Ranges -------------------------------------------------------------------------------------------


scalar(
    "aten::__range_length(int lo, int hi, int step) -> int",
    "len(range(lo, hi, step))",
    checked=True,
)
scalar("aten::__derive_index(int index, int start, int step) -> int", "start + index * step")
scalar("aten::is_scripting() -> bool", "True")
scalar("aten::is_autocast_enabled() -> bool", "False")
scalar("aten::is_autocast_cpu_enabled() -> bool", "False")
