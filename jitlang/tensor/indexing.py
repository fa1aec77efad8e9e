"""`x[index]` and `x[index] = value` as calls of rows: select, slice, unsqueeze, index, copy_,
index_put_.

The front end lowers script indexing to the same calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import arrays, dtypes
from .core import Tensor, box
from .dispatch import call


def get_item(self: Tensor, index: Any) -> Tensor:
    """Torch's indexing: ints, slices, None, Ellipsis, boolean masks, index tensors, and mixtures.

    Raises:
        IndexError: an index is out of range, or there are too many.
    """
    viewed, tensors = _apply_views(self, index)
    if tensors is not None:
        result: Tensor = call("aten::index", (viewed, tensors), {})
        return result
    return call("aten::alias", (self,), {}) if viewed is self else viewed


def set_item(self: Tensor, index: Any, value: Any) -> None:
    """Write through an index.

    Raises:
        IndexError: an index is out of range, or there are too many.
        RuntimeError: the value does not broadcast to what is indexed.
    """
    viewed, tensors = _apply_views(self, index)
    if not isinstance(value, Tensor):
        made = np.asarray(value, None if arrays.is_array_like(value) else self.dtype.numpy)
        value = box(made)
    if tensors is not None:
        call("aten::index_put_", (viewed, tensors, call("aten::to", (value, self.dtype), {})), {})
    else:
        call("aten::copy_", (viewed, _drop_leading_ones(value, viewed.ndim)), {})


def _drop_leading_ones(value: Tensor, rank: int) -> Tensor:
    """`x[0] = ones(1, 3)`: torch forgives leading dimensions of one."""
    shape = value._array.shape
    extra = len(shape) - rank
    if extra <= 0 or any(size != 1 for size in shape[:extra]):
        return value
    viewed: Tensor = call("aten::reshape", (value, list(shape[extra:])), {})
    return viewed


def _apply_views(x: Tensor, index: Any) -> tuple[Tensor, list[Tensor | None] | None]:
    """Apply what gives views; returns the view and, if any, the index tensors per dimension."""
    parts = _expand_ellipsis(x.ndim, _as_tuple(index))
    dim = 0
    tensors: list[Tensor | None] = []
    for part in parts:
        if part is None:
            x = call("aten::unsqueeze", (x, dim), {})
        elif part is True or part is False:
            x = call("aten::unsqueeze", (x, dim), {})
            _place(tensors, dim, box(np.asarray([part])))
        elif isinstance(part, slice):
            x = _slice(x, dim, part)
        elif (position := _as_int(part)) is not None:
            x = call("aten::select", (x, dim, position), {})
            continue
        else:
            picked = _index_tensor(part)
            _place(tensors, dim, picked)
            dim += picked.ndim if picked.dtype in (dtypes.bool_, dtypes.uint8) else 1
            continue
        dim += 1
    return x, tensors or None


def _as_tuple(index: Any) -> tuple[Any, ...]:
    """The parts of an index; torch takes a short list that holds more than numbers for a tuple."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and len(index) < 32 and any(map(_is_index_part, index)):
        return tuple(index)
    return (index,)


def _is_index_part(element: Any) -> bool:
    return (
        element is None or element is Ellipsis or isinstance(element, list | tuple | slice | Tensor)
    )


def _place(tensors: list[Tensor | None], dim: int, picked: Tensor) -> None:
    tensors.extend([None] * (dim - len(tensors)))
    tensors.append(picked)


def _slice(x: Tensor, dim: int, part: slice) -> Tensor:
    step = 1 if part.step is None else int(part.step)
    if step <= 0:
        raise ValueError("step must be greater than zero")
    if part == slice(None):
        return x
    start = None if part.start is None else int(part.start)
    stop = None if part.stop is None else int(part.stop)
    sliced: Tensor = call("aten::slice", (x, dim, start, stop, step), {})
    return sliced


def _as_int(part: Any) -> int | None:
    """An index that selects one position: ints, and integer 0-dim tensors."""
    if isinstance(part, int | np.integer):
        return int(part)
    if (
        isinstance(part, Tensor)
        and part.ndim == 0
        and part.dtype not in (dtypes.bool_, dtypes.uint8)
    ):
        return int(part)
    if isinstance(part, np.ndarray) and part.ndim == 0 and part.dtype.kind in "iu":
        return int(part)
    return None


def _index_tensor(part: Any) -> Tensor:
    if isinstance(part, Tensor):
        made = part
    elif arrays.is_array(part):
        made = box(part)
    elif isinstance(part, Sequence) and not isinstance(part, str):
        made = box(np.asarray(part if len(part) else np.empty(0, np.int64)))
    elif isinstance(part, np.bool_):
        made = box(np.asarray(part))
    elif isinstance(part, str):
        raise TypeError("new(): invalid data type 'str'")
    else:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are"
            " valid"
            f" indices (got {type(part).__name__})"
        )
    if made.dtype.category > dtypes.Category.INTEGRAL:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    return made


def _expand_ellipsis(rank: int, parts: tuple[Any, ...]) -> list[Any]:
    """Replace `...` by the slices it stands for.

    Raises:
        IndexError: more indices than dimensions.
    """
    taken = sum(_dimensions_of(part) for part in parts)
    if taken > rank:
        raise IndexError(f"too many indices for tensor of dimension {rank}")
    expanded: list[Any] = []
    for i, part in enumerate(parts):
        if part is not Ellipsis:
            expanded.append(part)
        elif any(other is Ellipsis for other in parts[:i]):
            expanded.append(slice(None))
        else:
            expanded += [slice(None)] * (rank - taken)
    return expanded


def _dimensions_of(part: Any) -> int:
    if part is None or part is Ellipsis or part is True or part is False:
        return 0
    if isinstance(part, Tensor) and part.dtype in (dtypes.bool_, dtypes.uint8):
        return part.ndim
    if isinstance(part, np.ndarray) and part.dtype == np.bool_:
        return part.ndim
    if isinstance(part, list) and part and _is_nested_bool(part):
        return np.asarray(part).ndim
    return 1


def _is_nested_bool(part: Any) -> bool:
    while isinstance(part, list) and part:
        part = part[0]
    return isinstance(part, bool)
