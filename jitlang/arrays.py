"""The array namespace: NumPy, or CuPy (imported on first need) where an array lives on a GPU."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, SupportsIndex, TypeGuard

import numpy as np


class Device:
    """Where a tensor lives, as `torch.device`: `Device("cuda:0")`, `Device("cuda", 0)`."""

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: str | Device, index: int | None = None) -> None:
        name, colon, number = str(type).partition(":")
        if name not in ("cpu", "cuda") or (colon and not number.isdigit()):
            raise RuntimeError(
                f"Expected a device such as 'cpu', 'cuda' or 'cuda:0', found {type!r}"
            )
        if colon and index is not None:
            raise RuntimeError(f"the device index is given twice: {type!r} and {index}")
        self.type = name
        self.index = int(number) if colon else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Device):
            return NotImplemented
        return (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[object, ...]:
        return Device, (self.type, self.index)


CPU = Device("cpu")

Array = Any
"""A NumPy or CuPy array (NumPy scalars count as 0-dim arrays of the array surface)."""


def is_array(value: object) -> TypeGuard[np.ndarray]:
    """Whether `value` is a raw NumPy or CuPy array."""
    return isinstance(value, np.ndarray) or _is_cupy(value)


def is_array_like(value: object) -> bool:
    """Whether the array surface takes `value` as an array: raw arrays and NumPy scalars."""
    return isinstance(value, np.ndarray | np.generic) or _is_cupy(value)


def _is_cupy(value: object) -> bool:
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(value, cupy.ndarray)


def namespace(*values: object) -> ModuleType:
    """CuPy if any value is a CuPy array, else NumPy."""
    return sys.modules["cupy"] if any(map(_is_cupy, values)) else np


def device_of(array: Array) -> str:
    """`cpu`, or `cuda:N` for an array on a GPU."""
    return f"cuda:{array.device.id}" if _is_cupy(array) else "cpu"


def namespace_of_device(device: str) -> ModuleType:
    """The namespace that allocates on a device.

    Raises:
        RuntimeError: the device is a GPU and CuPy is not installed.
    """
    if device.split(":")[0] == "cpu":
        return np
    try:
        import cupy
    except ImportError:
        raise RuntimeError(
            f"device {device!r} needs CuPy; install jitlang[cuda12] or jitlang[cuda13]"
        ) from None
    return cupy  # type: ignore[no-any-return]


def _quiet_state() -> tuple[Any, Any]:
    """NumPy's own error-state variable and a state that ignores everything, if they can be had.

    Setting the variable costs a sixth of `np.errstate`, which would be half of a small operator.
    """
    try:
        umath = importlib.import_module("numpy._core.umath")
        return umath._extobj_contextvar, umath._make_extobj(all="ignore")
    except (ImportError, AttributeError, TypeError):
        return None, None


_error_variable, _ignoring = _quiet_state()


def ignore_float_errors() -> Any:
    """Stop NumPy's floating-point warnings here; returns what `restore_float_errors` needs."""
    if _error_variable is None:
        return np.seterr(all="ignore")
    return _error_variable.set(_ignoring)


def restore_float_errors(token: Any) -> None:
    """Undo `ignore_float_errors`."""
    if _error_variable is None:
        np.seterr(**token)
    else:
        _error_variable.reset(token)


class Size(tuple[int, ...]):
    """A shape, printed as torch prints one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"jitlang.Size([{', '.join(map(str, self))}])"

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        count = 1
        for size in self:
            count *= size
        return count

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Size:
        return Size(super().__add__(tuple(other)))

    def __radd__(self, other: Any) -> Size:
        return Size(tuple(other) + tuple(self))

    def __mul__(self, count: SupportsIndex) -> Size:
        return Size(super().__mul__(count))

    __rmul__ = __mul__
