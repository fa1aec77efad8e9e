"""Element types, their categories, and how they combine on both surfaces.

A `DType` mirrors `torch.float32` and its kin and is accepted wherever NumPy takes a dtype.
Promotion is torch's (`promote_types`, `result_type` over tensors, 0-dim tensors and Python
scalars) or NumPy's (`numpy_result_type`, NEP 50).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import ml_dtypes
import numpy as np


class Category(IntEnum):
    """Torch promotes across categories upward; inside one, sizes decide."""

    BOOL = 0
    INTEGRAL = 1
    FLOATING = 2
    COMPLEX = 3


class DType:
    """An element type. `code` is torch's number for it, `graph_name` its name in graph text."""

    __slots__ = ("category", "code", "graph_name", "name", "numpy")

    def __init__(self, name: str, code: int, graph_name: str, category: Category) -> None:
        self.name = name
        self.code = code
        self.graph_name = graph_name
        self.category = category
        self.numpy: np.dtype = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype; this attribute makes NumPy accept the object as a dtype."""
        return self.numpy

    @property
    def __numpy_dtype__(self) -> np.dtype:
        return self.numpy

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def is_floating_point(self) -> bool:
        """Whether this is a real floating type."""
        return self.category is Category.FLOATING

    @property
    def is_complex(self) -> bool:
        """Whether this is a complex type."""
        return self.category is Category.COMPLEX

    @property
    def is_signed(self) -> bool:
        """Whether negative values exist."""
        return self not in (bool_, uint8)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self is other
        if isinstance(other, np.dtype):
            return bool(other == self.numpy)
        if isinstance(other, type) and issubclass(other, np.generic):
            return other is self.numpy.type
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.numpy)

    def __repr__(self) -> str:
        return f"jitlang.{self.name}"

    def __reduce__(self) -> tuple[object, ...]:
        return from_name, (self.name,)

    def __copy__(self) -> DType:
        return self

    def __deepcopy__(self, memo: object) -> DType:
        return self


uint8 = DType("uint8", 0, "Byte", Category.INTEGRAL)
int8 = DType("int8", 1, "Char", Category.INTEGRAL)
int16 = DType("int16", 2, "Short", Category.INTEGRAL)
int32 = DType("int32", 3, "Int", Category.INTEGRAL)
int64 = DType("int64", 4, "Long", Category.INTEGRAL)
float16 = DType("float16", 5, "Half", Category.FLOATING)
float32 = DType("float32", 6, "Float", Category.FLOATING)
float64 = DType("float64", 7, "Double", Category.FLOATING)
complex64 = DType("complex64", 9, "ComplexFloat", Category.COMPLEX)
complex128 = DType("complex128", 10, "ComplexDouble", Category.COMPLEX)
bool_ = DType("bool", 11, "Bool", Category.BOOL)
bfloat16 = DType("bfloat16", 15, "BFloat16", Category.FLOATING)

ALL: tuple[DType, ...] = (
    bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64,
    complex128,
)  # fmt: skip
ALIASES = {
    "half": float16, "float": float32, "double": float64, "short": int16, "int": int32,
    "long": int64,
    "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip

_BY_NAME = {d.name: d for d in ALL}
_BY_CODE = {d.code: d for d in ALL}
_BY_GRAPH_NAME = {d.graph_name: d for d in ALL}
_BY_NUMPY = {d.numpy: d for d in ALL}
_BY_SCALAR: dict[type, DType] = {bool: bool_, int: int64, float: float32, complex: complex64}

_default = float32
_watchers: list[Callable[[], None]] = []


def default_dtype() -> DType:
    """The dtype that floating results take where nothing else decides (float32 unless set)."""
    return _default


def set_default_dtype(dtype: DType) -> None:
    """Set the default floating dtype.

    Raises:
        TypeError: `dtype` is not a floating type.
    """
    global _default
    if not isinstance(dtype, DType) or not dtype.is_floating_point:
        raise TypeError(f"set_default_dtype expects a floating dtype, found {dtype!r}")
    if dtype is not _default:
        _default = dtype
        for watcher in _watchers:
            watcher()


def watch_default_dtype(watcher: Callable[[], None]) -> None:
    """Have a function called whenever the default dtype has changed."""
    _watchers.append(watcher)


def default_complex() -> DType:
    """The complex dtype that goes with the default floating dtype."""
    return complex128 if _default is float64 else complex64


def from_name(name: str) -> DType:
    """The dtype of that name; KeyError where there is none."""
    return _BY_NAME[name]


def from_code(code: int) -> DType:
    """The dtype with torch's number `code`; KeyError where there is none."""
    return _BY_CODE[code]


def from_graph_name(name: str) -> DType | None:
    """The dtype that graph text calls `name` (`Float`, `Long`), or None."""
    return _BY_GRAPH_NAME.get(name)


def from_numpy(dtype: np.dtype) -> DType:
    """The dtype of a NumPy array's elements, whatever its byte order.

    Raises:
        TypeError: jitlang has no such element type.
    """
    found = _BY_NUMPY.get(dtype)
    if found is None:
        found = _BY_NUMPY.get(dtype.newbyteorder("="))
    if found is None:
        names = ", ".join(d.name for d in ALL)
        raise TypeError(f"arrays of dtype {dtype} are not supported; jitlang has {names}")
    return found


def supports(dtype: np.dtype) -> bool:
    """Whether arrays of this NumPy dtype can be tensors."""
    return dtype in _BY_NUMPY or dtype.newbyteorder("=") in _BY_NUMPY


def is_native(dtype: np.dtype) -> bool:
    """Whether tensors have this very dtype, in the byte order of this machine."""
    return dtype in _BY_NUMPY


def from_scalar_type(kind: type) -> DType:
    """The dtype a Python scalar takes by itself: bool, int64, the default float or complex."""
    if issubclass(kind, bool):
        return bool_
    if issubclass(kind, int):
        return int64
    if issubclass(kind, float):
        return _default
    if issubclass(kind, complex):
        return default_complex()
    raise TypeError(f"{kind.__name__} is not a Python scalar")


def _promotion_table() -> dict[tuple[DType, DType], DType]:
    """Torch's table: NumPy's, except that a float beats every integer and halves do not mix."""
    table = {}
    for a in ALL:
        for b in ALL:
            table[a, b] = _promote(a, b)
    return table


def _promote(a: DType, b: DType) -> DType:
    if a is b:
        return a
    if a.category != b.category:
        low, high = sorted((a, b), key=lambda d: d.category)
        if high is complex64 and low is float64:
            return complex128
        return high
    if {a, b} == {float16, bfloat16}:
        return float32
    if bfloat16 in (a, b):
        return b if a is bfloat16 else a
    return _BY_NUMPY[np.promote_types(a.numpy, b.numpy)]


_PROMOTED = _promotion_table()


def promote_types(a: DType, b: DType) -> DType:
    """Torch's promotion of two tensor dtypes."""
    return _PROMOTED[a, b]


def with_number(dtype: DType, rank: int, kind: type) -> DType:
    """Torch's result dtype of a tensor of this dtype and rank and a Python number of a class."""
    own = (dtype,)
    return result_type(own if rank else (), () if rank else own, (kind,))


def result_type(
    dimensioned: Sequence[DType], zero_dim: Sequence[DType] = (), scalars: Sequence[type] = ()
) -> DType:
    """Torch's result dtype over tensors with dimensions, 0-dim tensors and Python scalars.

    A lower priority operand (0-dim after dimensioned, scalar after 0-dim) matters only where its
    category is higher than that of all operands before it; then its own dtype (for a scalar, the
    default dtype of its category) takes part in promotion within that group.
    """
    result: DType | None = None
    groups = (
        list(dimensioned),
        list(zero_dim),
        [from_scalar_type(kind) for kind in scalars],
    )
    for group in groups:
        combined: DType | None = None
        for dtype in group:
            combined = dtype if combined is None else _PROMOTED[combined, dtype]
        if combined is None:
            continue
        if result is None:
            result = combined
        elif combined.category > result.category:
            result = _higher_category(result, combined)
    if result is None:
        raise TypeError("result_type needs at least one operand")
    return result


def _higher_category(result: DType, combined: DType) -> DType:
    """A floating result that meets a complex operand of lower priority keeps its width.

    float16 gives complex64, since there is no complex32 here.
    """
    if combined.is_complex and result.is_floating_point:
        return complex128 if result is float64 else complex64
    return combined


def to_real(dtype: DType) -> DType:
    """The dtype of a complex dtype's parts; a real dtype is its own."""
    return {complex64: float32, complex128: float64}.get(dtype, dtype)


def floating(dtype: DType) -> DType:
    """The dtype in which a floating function of `dtype` is computed: integers take the default."""
    return dtype if dtype.category >= Category.FLOATING else _default


def can_cast(src: DType, dst: DType) -> bool:
    """Whether torch writes a `src` result into a `dst` tensor: categories may only rise."""
    if src.category == dst.category:
        return True
    if src.is_complex or dst.category is Category.BOOL:
        return False
    return not (src.is_floating_point and dst.category is Category.INTEGRAL)


def numpy_result_type(*operands: DType | type) -> DType:
    """NumPy's result dtype (NEP 50): dtypes are strong whatever their rank, Python scalars weak.

    Where NumPy refuses to combine bfloat16 with another dtype, torch's promotion decides.
    """
    if bfloat16 in operands and set(operands) <= {bfloat16, bool, int, float}:
        return float32 if float in operands else bfloat16  # what ml_dtypes' own loops give
    plain = [op.numpy if isinstance(op, DType) else op(0) for op in operands]
    try:
        return from_numpy(np.result_type(*plain))
    except TypeError:
        strong = [op for op in operands if isinstance(op, DType)]
        return result_type(strong, (), [op for op in operands if not isinstance(op, DType)])


# Limits -------------------------------------------------------------------------------------------


class finfo:
    """The limits of a floating dtype, as `torch.finfo`; of a complex one those of its parts.

    Raises:
        TypeError: the dtype is not floating or complex.
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type: DType | None = None) -> None:
        given = default_dtype() if type is None else type
        if given.category < Category.FLOATING:
            raise TypeError(f"finfo() needs a floating point type, and {given} is none; use iinfo")
        real = to_real(given)
        limits: Any = ml_dtypes.finfo(real.numpy)  # type: ignore[no-untyped-call]
        self.bits = 8 * real.itemsize
        self.dtype = real.name
        self.eps, self.max, self.min = float(limits.eps), float(limits.max), float(limits.min)
        self.tiny = self.smallest_normal = float(limits.tiny)
        self.resolution = 10.0 ** -int(limits.precision)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype, as `torch.iinfo`.

    Raises:
        TypeError: the dtype is not an integer one.
    """

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, type: DType) -> None:
        if type.category is not Category.INTEGRAL:
            raise TypeError(f"iinfo() needs an integer type, and {type} is none; use finfo")
        limits = np.iinfo(type.numpy)
        self.bits, self.dtype = 8 * type.itemsize, type.name
        self.min, self.max = int(limits.min), int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
