"""One random call of one row, ours and torch's, and how the two outcomes differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import torch

from crossing import outcome, to_numpy, to_torch, torch_outcome
from jitlang.arrays import Device
from jitlang.dtypes import DType
from jitlang.ir import types as ty
from jitlang.ir.opdef import OPS, Effect, OpDef
from jitlang.ops.rows import kernel_of
from row_arguments import Arguments


class Kind(Enum):
    """In what two outcomes differ."""

    ACCEPTED = "torch refuses, jitlang answers"
    REFUSED = "torch answers, jitlang refuses"
    ERROR = "both refuse, with errors of different kinds"
    RESULT = "results of different Python types or numbers"
    DTYPE = "dtypes"
    SHAPE = "shapes"
    STRIDES = "strides of a view"
    MEMORY = "whether memory is shared with an argument"
    VALUES = "values"


@dataclass
class Difference:
    """A call whose outcomes differ. `values` are the arguments as they were before the call."""

    op: OpDef
    seed: int
    values: list[Any]
    kind: Kind
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        shown = ", ".join(map(_shown, self.values))
        return (
            f"{self.op.full_name}({shown}) [seed {self.seed}]: {self.kind.value}\n"
            f"    jitlang: {_shown(self.ours)}\n    torch:   {_shown(self.theirs)}"
        )

    @property
    def arrays(self) -> list[np.ndarray]:
        """The array arguments, those in lists too."""
        flat = [p for v in self.values for p in (v if isinstance(v, list) else [v])]
        return [v for v in flat if isinstance(v, np.ndarray)]

    def argument(self, name: str) -> Any:
        """An argument by its name in the schema; None where there is none."""
        position = self.op.schema.index_of(name)
        return None if position is None else self.values[position]


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        text = np.array2string(value, threshold=24, max_line_width=200).replace("\n", "")
        strides = "" if value.flags.c_contiguous else f" strides {value.strides}"
        return f"{value.dtype}{list(value.shape)}{strides} {text}"
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {(str(value).strip().splitlines() or [''])[-1][:160]}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(value)


# What is compared ---------------------------------------------------------------------------------

# Prints and warnings have no result; these hold memory that nothing has been written to.
_UNDEFINED = frozenset(("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"))


def comparable_rows() -> list[OpDef]:
    """Every row that torch has under the same name and overload, and that returns something."""
    theirs = {(s.name, s.overload_name) for s in torch._C._jit_get_all_schemas()}
    return [
        op
        for op in OPS
        if (op.name, op.overload) in theirs
        and not op.schema.is_vararg
        and op.schema.returns
        and op.effect is not Effect.IO
    ]


def harms_torch(op: OpDef, values: list[Any]) -> bool:
    """Calls that end torch's process or take all memory: they cannot be compared."""
    if op.full_name in (
        "aten::remainder",
        "aten::remainder.int",
        "aten::__round_to_zero_floordiv.int",
    ):
        return not values[1]  # an integer division by zero that nobody catches
    if op.full_name == "aten::center":
        return values[1] < len(values[0])  # padding of a negative width
    if op.name in ("aten::replace", "aten::count", "aten::rsplit", "aten::split"):
        return values[1] == ""  # found for ever
    if op.full_name in ("aten::to.prim_Device", "aten::to.prim_dtype"):
        return True  # dtypes as numbers, of which some end the process
    if op.name == "aten::_weight_norm":
        v, g, dim = values
        wanted = [n if at == dim else 1 for at, n in enumerate(v.shape)]
        return (
            not v.size
            or dim < 0
            or v.dtype != g.dtype
            or v.dtype.kind != "f"
            or [*g.shape] != wanted
        )
    if op.overload == "data":
        return not _is_packed(values[0], values[1])
    if op.name == "aten::ctc_loss":
        return not _is_labelled(values[0], values[1])
    if op.name == "aten::one_hot":
        return bool((np.abs(values[0].astype("float64")) > 1000).any())
    return False


def _is_labelled(certain: Any, targets: Any) -> bool:
    """Whether labels are classes and lie one after the other; torch reads past others."""
    plain = certain.ndim == 3 and targets.dtype == "int64" and targets.flags.c_contiguous
    return bool(plain and ((targets >= 0) & (targets < certain.shape[2])).all())


def _is_packed(data: Any, sizes: Any) -> bool:
    """Whether sizes say how packed sequences go on; torch does not look, and reads past them."""
    plain = sizes.dtype == "int64" and sizes.ndim == 1 and data.ndim == 2 and sizes.size
    adds_up = plain and bool((sizes > 0).all()) and sizes.sum() == len(data)
    return bool(adds_up and sizes.flags.c_contiguous)


def base_name(op: OpDef) -> str:
    """The name without namespace and overload."""
    return op.name.partition("::")[2]


def _values_are_defined(op: OpDef, values: list[Any]) -> bool:
    if base_name(op) == "scaled_dot_product_attention":
        return not values[4]  # dropout
    return op.effect is not Effect.RANDOM and base_name(op) not in _UNDEFINED


def differences(op: OpDef, seeds: range) -> Iterator[Difference]:
    """The calls of a row that differ."""
    for seed in seeds:
        found = compare(op, seed)
        if found is not None:
            yield found


def compare(op: OpDef, seed: int) -> Difference | None:
    """Make the call of this seed on both sides; None where the outcomes agree."""
    values = Arguments(seed).of(op)
    if harms_torch(op, values):
        return None
    before = [_copied(v) for v in values]
    crossed = [to_torch(v) for v in before]
    # Copies, so that what torch writes is not what our kernel reads, with strides kept.
    theirs = torch_outcome(op, crossed)
    ours = outcome(kernel_of(op, np), *values)
    shown = theirs if isinstance(theirs, Exception) else outcome(to_numpy, theirs)
    if shown is not theirs and isinstance(shown, Exception):
        theirs = RuntimeError("a tensor that cannot be: of a negative size, for one")
    kind = _Comparison(op, values, crossed).kind(ours, theirs)
    return kind and Difference(op, seed, Arguments(seed).of(op), kind, ours, shown)


def _copied(value: Any) -> Any:
    """A copy with the same strides, as far as a copy can have them."""
    if isinstance(value, np.ndarray):
        return _same_layout(value)
    if isinstance(value, list):
        return [_copied(v) for v in value]
    return dict(value) if isinstance(value, dict) else value


def _same_layout(array: np.ndarray) -> np.ndarray:
    if not array.size or any(s < 0 for s in array.strides):
        return array.copy()
    span = sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True))
    memory = np.zeros(span + array.itemsize, "uint8").view()
    made = np.ndarray(array.shape, array.dtype, memory.data, 0, array.strides)
    made[...] = array
    return made


@dataclass
class _Comparison:
    op: OpDef
    values: list[Any]
    crossed: list[Any]
    aliased: bool = field(init=False)

    def __post_init__(self) -> None:
        returns = self.op.schema.returns
        marks = [a for r in returns for a in (r.alias, r.element_alias) if a is not None]
        self.aliased = any(not mark.is_write for mark in marks)

    def kind(self, ours: Any, theirs: Any) -> Kind | None:
        """How the outcomes differ, None where they do not."""
        if isinstance(theirs, Exception) or isinstance(ours, Exception):
            return _kind_of_errors(ours, theirs)
        checks = (self._results, self._written)
        return next((k for check in checks if (k := check(ours, theirs)) is not None), None)

    def _written(self, ours: Any, theirs: Any) -> Kind | None:
        """What in-place rows left in their arguments."""
        for argument, mine, other in zip(
            self.op.schema.arguments, self.values, self.crossed, strict=True
        ):
            written = argument.alias is not None and argument.alias.is_write
            mine = ours if self.op.reshapes and written else mine
            if (
                written
                and isinstance(mine, np.ndarray)
                and _values_are_defined(self.op, self.values)
            ):
                kind = self._values(mine, to_numpy(other))
                if kind is not None:
                    return kind
        return None

    def _results(self, ours: Any, theirs: Any) -> Kind | None:
        if isinstance(theirs, list | tuple):
            if not isinstance(ours, list | tuple) or len(ours) != len(theirs):
                return Kind.RESULT
            pairs = zip(ours, theirs, strict=True)
            return next((k for a, b in pairs if (k := self._results(a, b)) is not None), None)
        if isinstance(theirs, torch.Tensor):
            return self._tensors(np.asarray(ours), theirs)
        return _kind_of_plain(ours, theirs)

    def _tensors(self, ours: np.ndarray, tensor: torch.Tensor) -> Kind | None:
        theirs = to_numpy(tensor.detach())
        if ours.dtype != theirs.dtype:
            return Kind.DTYPE
        if ours.shape != theirs.shape:
            return Kind.SHAPE
        if self.aliased:
            shared = self._shares(ours, tensor)
            if shared is not None:
                return shared
        return self._values(ours, theirs) if _values_are_defined(self.op, self.values) else None

    def _shares(self, ours: np.ndarray, tensor: torch.Tensor) -> Kind | None:
        if not ours.size or _has_reversed(self.values) or _is_generic(self.op):
            return None
        mine = any(np.shares_memory(ours, a) for a in _arrays(self.values))
        storage = tensor.untyped_storage().data_ptr()
        other = any(storage == t.untyped_storage().data_ptr() for t in _tensors(self.crossed))
        if mine != other:
            return Kind.MEMORY
        if not mine:
            return None
        steps = [
            (s, t * ours.itemsize, n)
            for s, t, n in zip(ours.strides, tensor.stride(), ours.shape, strict=True)
        ]
        return None if all(s == t for s, t, n in steps if n > 1) else Kind.STRIDES

    def _values(self, ours: np.ndarray, theirs: np.ndarray) -> Kind | None:
        # The zeros of a transform are sums, whose signs depend on how memory is aligned.
        has_signs = not self.op.name.startswith("aten::fft_")
        agree = values_agree(ours, theirs, self._magnitude(), has_signs)
        return None if agree else Kind.VALUES

    def _magnitude(self) -> float:
        """How large the terms of sums and products may have been, which bounds their rounding."""
        if self.op.is_pointwise or self.op.body is not None:
            return 1.0
        sizes = [np.abs(a.astype("complex128")) for a in _arrays(self.values) if a.size]
        finite = [min(float(s[np.isfinite(s)].max(initial=0.0)), 1e150) for s in sizes]
        return max([1.0, *finite]) ** 2


TOLERANCE = {
    "float16": 2e-3, "bfloat16": 1.6e-2, "float32": 4e-6, "float64": 1e-13,
    "complex64": 1e-5, "complex128": 1e-12,
}  # fmt: skip


def values_agree(
    ours: np.ndarray, theirs: np.ndarray, magnitude: float, has_signs: bool = True
) -> bool:
    """Whether values are equal, floating ones within their dtype's tolerance.

    NaN equals NaN, infinities their like; zeros have equal signs where both come out as zeros,
    unless the signs mean nothing.
    """
    tolerance = TOLERANCE.get(ours.dtype.name)
    if tolerance is None:
        return bool(np.array_equal(ours, theirs))
    is_complex = ours.dtype.kind == "c"
    left, right = (a.astype("complex128" if is_complex else "float64") for a in (ours, theirs))
    with np.errstate(all="ignore"):
        close = np.isclose(left, right, tolerance, tolerance * magnitude * 0.5, equal_nan=True)
    if is_complex:
        close |= ~np.isfinite(left) & ~np.isfinite(right)
    elif has_signs:
        zeros = (left == 0) & (right == 0)
        close &= ~zeros | (np.signbit(left) == np.signbit(right))
    return bool(np.all(close))


def _kind_of_errors(ours: Any, theirs: Any) -> Kind | None:
    if not isinstance(theirs, Exception):
        return Kind.REFUSED
    if not isinstance(ours, Exception):
        return Kind.ACCEPTED
    related = isinstance(ours, type(theirs)) or isinstance(theirs, type(ours))
    return None if related else Kind.ERROR


def _kind_of_plain(ours: Any, theirs: Any) -> Kind | None:
    if isinstance(ours, DType):
        return None if ours.code == theirs else Kind.RESULT
    if isinstance(ours, Device):
        return None if str(ours) == str(theirs) else Kind.RESULT
    if isinstance(theirs, dict):
        return None if isinstance(ours, dict) and list(ours) == list(theirs) else Kind.RESULT
    if isinstance(ours, np.ndarray):
        return Kind.RESULT
    if type(ours) is not type(theirs):
        return Kind.RESULT
    if isinstance(ours, float | complex):
        same = ours == theirs or (ours != ours and theirs != theirs)
        return None if same or abs(ours - theirs) <= 1e-14 * abs(theirs) else Kind.VALUES
    return None if ours == theirs else Kind.VALUES


def _arrays(values: list[Any]) -> list[np.ndarray]:
    flat = [p for v in values for p in (v if isinstance(v, list) else [v])]
    return [v for v in flat if isinstance(v, np.ndarray)]


def _tensors(values: list[Any]) -> list[torch.Tensor]:
    flat = [p for v in values for p in (v if isinstance(v, list) else [v])]
    return [v for v in flat if isinstance(v, torch.Tensor)]


def _is_generic(op: OpDef) -> bool:
    """Whether elements of containers go through: how they cross over says nothing."""
    return any(ty.has_variables(r.type) for r in op.schema.returns)


def _has_reversed(values: list[Any]) -> bool:
    return any(stride < 0 for a in _arrays(values) for stride in a.strides)
