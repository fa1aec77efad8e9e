"""Arguments at random for any row: ordinary and adversarial values, dtypes and layouts.

Arrays are empty, 0-dim, broadcast from sizes of 1, transposed, stepped, reversed and expanded; they
hold ordinary numbers or NaN, infinities, both zeros, subnormals and extreme integers. Arguments
that say by their name what they are (a dimension, an index, a mask) get such values in most calls,
since a call that torch refuses at its first argument compares little.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import jitlang.ops  # noqa: F401
from fitted_arguments import fitted
from jitlang import dtypes
from jitlang.arrays import Device
from jitlang.dtypes import Category, DType
from jitlang.ir import types as ty
from jitlang.ir.opdef import OpDef
from jitlang.ir.schema import Argument
from jitlang.ir.types import Type
from jitlang.ops.generator import Generator

SHAPES = (
    (),
    (1,),
    (3,),
    (4,),
    (0,),
    (2, 3),
    (3, 3),
    (1, 3),
    (2, 3, 4),
    (2, 4, 4),
    (2, 0),
    (0, 3),
    (4, 1, 3),
)
COMMON_DTYPES = (dtypes.float32, dtypes.float32, dtypes.float64, dtypes.int64, dtypes.bool_)
INDEX_NAMES = frozenset(("index", "indices", "target", "batch"))
MASK_NAMES = frozenset(("mask", "condition"))

# There is one layout, one device and no pinned memory, and formats are for images.
_ALWAYS_DEFAULT = frozenset(("layout", "device", "pin_memory", "memory_format"))

_CLASSIFIED = (
    "aten::nll_loss", "aten::nll_loss_nd", "aten::nll_loss2d", "aten::cross_entropy_loss",
)  # fmt: skip

SPECIAL = (
    float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-40, 5e-324,
    1e-7, 88.8, -104.0, 1e30, -1e30, 0.49999997, 2.5,
)  # fmt: skip
# Torch reads it past its strides.
_CONTIGUOUS = (
    "batch_sizes", "indices", "offsets", "lengths", "targets", "input_lengths", "target_lengths",
)  # fmt: skip
_INTEGERS = {"memory_format": (0,), "reduction": (0, 1, 2)}
EXTREME_INTEGERS = (0, 1, -1, 2, 7, 63, 64, 127, -128, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))


class Arguments:
    """The arguments of one call, from a seed: most tensors share a shape and a dtype."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        self.shape = self.random.choice(SHAPES)
        self.dtype = self.some_dtype()
        self.element = self.random.choice((ty.INT, ty.FLOAT, ty.STR, ty.TENSOR, ty.BOOL))
        self.key = self.random.choice((ty.INT, ty.STR))
        # Adversarial values in one call of three; layouts in one array of two.
        self.is_special = self.random.random() < 0.35

    def likely(self, share: float) -> bool:
        """True in about this share of the calls."""
        return self.random.random() < share

    def some_dtype(self) -> DType:
        return self.random.choice(COMMON_DTYPES if self.likely(0.55) else dtypes.ALL)

    def of(self, op: OpDef) -> list[Any]:
        """One argument list, defaults taken half of the time."""
        made = [self.argument(argument) for argument in op.schema.arguments]
        names = [argument.name for argument in op.schema.arguments]
        if "normalized_shape" in names or "running_mean" in names or "num_groups" in names:
            self.fit_parameters(names, made)
        if op.name in _CLASSIFIED:
            self.fit_classes(made)
        if self.likely(0.85):
            self.fit(op, made)
        return made

    def fit(self, op: OpDef, made: list[Any]) -> None:
        """Put what fits together in the place of what does not, in any layout."""
        for name, value in fitted(op, self.random, self.numpy).items():
            at = op.schema.index_of(name)
            assert at is not None, (op, name)
            is_free = isinstance(value, np.ndarray) and name not in _CONTIGUOUS
            made[at] = self.laid_out(value) if is_free else value

    def fit_parameters(self, names: list[str], made: list[Any]) -> None:
        """A floating input, and what is per channel or of the normalized shape, in that shape."""
        dtype = self.random.choice((dtypes.float32, dtypes.float64, dtypes.bfloat16))
        shape = self.shape if len(self.shape) > 1 else (3, 4)
        made[0] = self.laid_out(self.filled(shape, dtype))
        inner = (shape[1],)
        if "normalized_shape" in names:
            inner = shape[self.random.randrange(1, len(shape)) :]
            made[1] = list(inner)
        if "num_groups" in names:
            made[1] = self.random.choice((1, 2, shape[1] or 1))
        for at, name in enumerate(names):
            if name in ("weight", "bias", "running_mean", "running_var") and self.likely(0.7):
                made[at] = abs(self.numpy.standard_normal(inner)).astype(dtype.numpy)

    def fit_classes(self, made: list[Any]) -> None:
        """Classes in dimension 1 (0 of a vector), a target that names some, and their weights."""
        dtype = self.random.choice((dtypes.float32, dtypes.float64))
        shape = self.random.choice(((3,), (2, 3), (4, 2), (2, 3, 4), (2, 3, 4, 2)))
        at = min(1, len(shape) - 1)
        made[0] = self.laid_out(self.filled(shape, dtype))
        chosen = self.numpy.integers(0, shape[at], (*shape[:at], *shape[at + 1 :]))
        made[1] = np.asarray(chosen).astype("int64")
        weighted = self.likely(0.4)
        made[2] = (
            abs(self.numpy.standard_normal(shape[at])).astype(dtype.numpy) if weighted else None
        )

    def argument(self, argument: Argument) -> Any:
        if argument.name in _ALWAYS_DEFAULT and argument.has_default:
            return argument.default
        if argument.has_default and self.likely(0.55):
            default = argument.default
            repeated = argument.size and isinstance(default, int)
            return [default] * argument.size if repeated else default
        written = argument.alias is not None and argument.alias.is_write
        made = self.value(argument.type, argument.name, argument.size)
        if written and isinstance(made, np.ndarray) and self.likely(0.8):
            return made.copy()  # expanded tensors cannot be written
        return made

    # Arrays -------------------------------------------------------------------------------------

    def array(self, name: str = "") -> np.ndarray:
        if name in INDEX_NAMES and self.likely(0.85):
            return self.laid_out(self.indices(self.some_shape()))
        if name in MASK_NAMES and self.likely(0.85):
            return self.laid_out(self.numpy.integers(0, 2, self.some_shape()).astype(bool))
        dtype = self.dtype if self.likely(0.75) else self.some_dtype()
        return self.laid_out(self.filled(self.some_shape(), dtype))

    def some_shape(self) -> tuple[int, ...]:
        """The shape of the call, one that broadcasts with it, or any."""
        if self.likely(0.65):
            return self.shape
        if self.likely(0.5):
            kept = self.shape[self.random.randint(0, len(self.shape)) :]
            return tuple(size if self.likely(0.6) else 1 for size in kept)
        return self.random.choice(SHAPES)

    def indices(self, shape: tuple[int, ...]) -> np.ndarray:
        high = self.random.choice((1, 2, 3, 4))
        low = -1 if self.likely(0.1) else 0
        return self.numpy.integers(low, high, shape).astype("int64")

    def filled(self, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
        with np.errstate(all="ignore"):
            if dtype.category is Category.BOOL:
                return self.numpy.integers(0, 2, shape).astype(bool)
            if dtype.category is Category.INTEGRAL:
                return self.integers(shape, dtype)
            if dtype.category is Category.COMPLEX:
                real, imaginary = self.reals(shape), self.reals(shape)
                return np.asarray(real + 1j * imaginary).astype(dtype.numpy)
            return self.reals(shape).astype(dtype.numpy)

    def reals(self, shape: tuple[int, ...]) -> np.ndarray:
        if self.is_special:
            return np.asarray(self.numpy.choice(SPECIAL, shape))
        if self.likely(0.25):  # ties
            return np.asarray(self.numpy.integers(-2, 3, shape)).astype("float64")
        return np.asarray(self.numpy.standard_normal(shape) * self.random.choice((0.3, 1, 1, 5)))

    def integers(self, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
        if not self.is_special:
            low = -5 if dtype.is_signed else 0
            return np.asarray(self.numpy.integers(low, 6, shape)).astype(dtype.numpy)
        bounds = np.iinfo(dtype.numpy)
        fitting = [n for n in EXTREME_INTEGERS if bounds.min <= n <= bounds.max]
        return np.array(self.random.choices(fitting, k=int(np.prod(shape))), dtype.numpy).reshape(
            shape
        )

    def laid_out(self, array: np.ndarray) -> np.ndarray:
        """The same values in another layout, or of fewer values repeated."""
        layouts: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
            lambda a: a.T.copy().T,
            lambda a: np.repeat(a, 2, -1)[..., ::2] if a.ndim else a,
            lambda a: a[::-1].copy()[::-1] if a.ndim else a,
            lambda a: np.broadcast_to(a[..., :1], a.shape).copy() if a.ndim else a,
            lambda a: _expanded(a),
        )
        return self.random.choice(layouts)(array) if self.likely(0.45) else array

    # Anything ------------------------------------------------------------------------------------

    def value(self, type_: Type, name: str = "", size: int | None = None) -> Any:
        if isinstance(type_, ty.OptionalType):
            return None if self.likely(0.4) else self.value(type_.element, name, size)
        if isinstance(type_, ty.TensorType):
            return self.array(name)
        if isinstance(type_, ty.ListType):
            return self.items(type_, name, size)
        if isinstance(type_, ty.DictType):
            key = self.key if isinstance(type_.key, ty.VarType) else type_.key
            return {self.value(key): self.value(type_.value) for _ in range(2)}
        if isinstance(type_, ty.TupleType):
            return tuple(self.value(part) for part in type_.elements)
        if isinstance(type_, ty.VarType):
            return self.value(self.key if type_.name == "k" else self.element)
        return self.plain(type_, name)

    def items(self, type_: ty.ListType, name: str, size: int | None) -> list[Any]:
        if (
            type_.element is ty.INT
            and name in ("size", "shape", "sizes", "repeats")
            and self.likely(0.6)
        ):
            return list(self.shape)
        if isinstance(type_.element, ty.VarType | ty.TupleType) or type_.element in ty.SCALARS:
            count = size or self.random.choice((0, 1, 2, 2, 3))
        else:
            count = self.random.choice((0, 1, 2, 2, 3))
        if name in ("dim", "dims", "axis") and type_.element is ty.INT and self.likely(0.8):
            rank = max(len(self.shape), 1)
            return self.random.sample(range(-rank, rank), min(size or count, rank))
        return [self.value(type_.element, name) for _ in range(count)]

    def plain(self, type_: Type, name: str) -> Any:
        pick = self.random.choice
        if type_ is ty.INT and name.startswith(("dim", "axis", "start_dim", "end_dim")):
            rank = max(len(self.shape), 1)
            return pick(range(-rank, rank)) if self.likely(0.85) else pick((-5, 2, 4))
        return {
            ty.INT: lambda: pick(_INTEGERS.get(name, (0, 1, 2, -1, 3, 5, -7))),
            ty.FLOAT: lambda: pick(
                (0.5, 1.0, 2.0, -1.5, 0.0, -0.0, 3.7, float("inf"), float("nan"))
            ),
            ty.BOOL: lambda: pick((True, False)),
            ty.STR: lambda: pick(
                ("a", "b", "ab c", "12", "Ab\t", "", "i,j->ij", "ij", "trunc", "x{}")
            ),
            ty.NUMBER: lambda: pick((1, 2, 0.5, True, -1, 0, 3.0, -2.5)),
            ty.COMPLEX: lambda: pick((1 + 2j, -0.5j, 0j)),
            ty.NONE: lambda: None,
            ty.DTYPE: lambda: pick(dtypes.ALL),
            ty.DEVICE: lambda: Device("cpu"),
            ty.GENERATOR: Generator,
            ty.ANY: lambda: pick((1, "a", 2.5, True)),
        }[type_]()


def _expanded(array: np.ndarray) -> np.ndarray:
    """The first slice of the first dimension, repeated by a stride of zero."""
    if not array.ndim or not array.shape[0]:
        return array
    return np.lib.stride_tricks.as_strided(array, array.shape, (0, *array.strides[1:]))
