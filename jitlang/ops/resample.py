"""Rows that resize images: nearest, linear, cubic and antialiased, over one to three dimensions.

Images have shape (N, C, spatial sizes). Every kind works along one dimension at a time: each place
of the result is a weighted sum of a few places of the input (`Taps`), the same for all rows.
Coordinates and weights are computed in float32 (float64 for float64 images), as torch does, so that
the same places are chosen; half types are summed in float32 and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category
from ..ir.types import Type
from .reduce import not_supported
from .rows import op
from .rules import Sizes, compute_dtype, made, tensor_at

# Places and weights -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taps:
    """What one dimension is read by.

    Attributes:
        places: indices into the input, (output size, taps).
        weights: of the same shape; None for one tap that is taken as it is.
        counts: where a tap counts at all, or None for everywhere.
    """

    places: Any
    weights: Any = None
    counts: Any = None


def _step(given: int, wanted: int, corners: bool, scale: float | None, kind: Any) -> Any:
    """How far the input moves for one place of the result."""
    if corners:
        return kind.type((given - 1) / kind.type(wanted - 1)) if wanted > 1 else kind.type(0)
    if scale is not None and scale > 0:
        return kind.type(1 / scale)
    return kind.type(given) / kind.type(wanted)


def _centres(wanted: int, step: Any, corners: bool) -> Any:
    """The coordinates in the input of the places of the result; at -1/2 where the input starts."""
    at = np.arange(wanted).astype(step.dtype)
    half = step.dtype.type(0.5)
    return step * at if corners else step * (at + half) - half


def _nearest(given: int, wanted: int, corners: bool, scale: float | None, kind: Any) -> Taps:
    step = _step(given, wanted, False, scale, np.dtype("float32"))
    places = np.floor(np.arange(wanted).astype("float32") * step).astype("int64")
    return Taps(np.minimum(places, given - 1)[:, None])


def _nearest_of_images(
    given: int, wanted: int, corners: bool, scale: float | None, kind: Any
) -> Taps:
    """Twice the size repeats each place, whatever the scale says."""
    if wanted == 2 * given:
        return Taps((np.arange(wanted) // 2)[:, None])
    return _nearest(given, wanted, corners, scale, kind)


def _nearest_exact(given: int, wanted: int, corners: bool, scale: float | None, kind: Any) -> Taps:
    step = _step(given, wanted, False, scale, np.dtype("float32"))
    middles = np.arange(wanted).astype("float32") + np.float32(0.5)
    return Taps(np.minimum(np.floor(middles * step).astype("int64"), given - 1)[:, None])


def _linear(given: int, wanted: int, corners: bool, scale: float | None, kind: Any) -> Taps:
    centres = _centres(wanted, _step(given, wanted, corners, scale, kind), corners)
    centres = np.maximum(centres, kind.type(0))
    low = np.minimum(np.floor(centres).astype("int64"), given - 1)
    upper = np.clip(centres - low.astype(kind), 0, 1).astype(kind)
    places = np.stack([low, np.minimum(low + 1, given - 1)], 1)
    return Taps(places, np.stack([kind.type(1) - upper, upper], 1))


_SHARPNESS = -0.75
_SHARPNESS_ANTIALIASED = -0.5


def _cubic_kernel(x: Any, sharpness: float) -> Any:
    """Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981."""
    kind, near, a = x.dtype.type, abs(x), x.dtype.type(sharpness)
    inner = ((a + kind(2)) * near - (a + kind(3))) * near * near + kind(1)
    outer = ((near - kind(5)) * near + kind(8)) * near * a - kind(4) * a
    return np.where(near <= 1, inner, np.where(near < 2, outer, kind(0)))


def _cubic(given: int, wanted: int, corners: bool, scale: float | None, kind: Any) -> Taps:
    centres = _centres(wanted, _step(given, wanted, corners, scale, kind), corners)
    low = np.floor(centres)
    apart = centres - low
    places = low.astype("int64")[:, None] + np.arange(-1, 3)
    weights = _cubic_kernel(apart[:, None] - np.arange(-1, 3).astype(kind), _SHARPNESS)
    return Taps(np.clip(places, 0, given - 1), weights.astype(kind))


def _triangle(x: Any) -> Any:
    return np.maximum(x.dtype.type(1) - abs(x), x.dtype.type(0))


def _lanczos(x: Any) -> Any:
    """sinc(x) sinc(x / 3), zero from 3 on."""
    return np.where(abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0).astype(x.dtype)


def _antialiased(kernel: Callable[[Any], Any], support: int) -> Callable[..., Taps]:
    """Taps of a kernel that is as wide as the step where the image shrinks."""

    def taps(given: int, wanted: int, corners: bool, scale: float | None, kind: Any) -> Taps:
        step = _step(given, wanted, corners, scale, kind)
        wide = max(step, kind.type(1))
        reach = wide * kind.type(support)
        half = kind.type(0.5)
        centres = step * (np.arange(wanted).astype(kind) + half)
        first = np.maximum((centres - reach + half).astype("int64"), 0)
        count = np.minimum((centres + reach + half).astype("int64"), given) - first
        offsets = np.arange(max(int(count.max(initial=1)), 1))
        places = first[:, None] + offsets
        counts = offsets < count[:, None]
        apart = (places.astype(kind) - centres[:, None] + half) * (kind.type(1) / wide)
        weights = np.where(counts, kernel(apart), kind.type(0))
        total = weights.sum(1, keepdims=True)
        weights = np.where(total == 0, weights, weights / np.where(total == 0, 1, total))
        return Taps(np.minimum(places, given - 1), weights.astype(kind), counts)

    return taps


def _applied(xp: Any, x: Any, axis: int, taps: Taps) -> Any:
    """The weighted sums along one dimension."""
    shape = [1] * x.ndim
    shape[axis] = -1
    if taps.weights is None:
        return xp.take(x, xp.asarray(taps.places[:, 0]), axis)
    total = None
    for tap in range(taps.places.shape[1]):
        weight = xp.asarray(taps.weights[:, tap].astype(x.dtype)).reshape(shape)
        part = xp.take(x, xp.asarray(taps.places[:, tap]), axis) * weight
        if taps.counts is not None:  # what is out of reach must not be read: it may be infinite
            part = xp.where(xp.asarray(taps.counts[:, tap]).reshape(shape), part, x.dtype.type(0))
        total = part if total is None else total + part
    return total


# Kernels ------------------------------------------------------------------------------------------


def _check(name: str, a: Any, sizes: Sequence[int], rank: int, is_nearest: bool) -> None:
    """Raises RuntimeError where an image or the sizes do not fit a row of `rank` dimensions."""
    if len(sizes) != rank:
        raise RuntimeError(
            f"It is expected output_size equals to {rank}, but got size {len(sizes)}"
        )
    if a.ndim != rank + 2:
        raise RuntimeError(f"It is expected input_size equals to {rank + 2}, but got size {a.ndim}")
    if min(*a.shape[2:], *sizes) <= 0:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"{[*a.shape[2:]]} and output {[*sizes]}"
        )
    if not a.shape[1] or (rank == 1 and not a.size):
        raise RuntimeError(
            f"Non-empty {rank + 2}D data tensor expected but got a tensor with sizes {[*a.shape]}"
        )
    category = dtypes.from_numpy(a.dtype).category
    if category is not Category.FLOATING and not (is_nearest and a.dtype == "uint8"):
        raise not_supported(name, a)


def _resized(
    xp: Any, kind: _Kind, a: Any, sizes: Sequence[int], corners: bool,
    scales: Sequence[float | None],
) -> Any:  # fmt: skip
    """The image in other sizes."""
    _check(kind.name, a, sizes, kind.rank, kind.is_nearest)
    wide = np.dtype(compute_dtype(a.dtype))
    x = a if kind.is_nearest else a.astype(wide, copy=False)
    # The last dimension first: sums of torch are nested this way.
    for at in reversed(range(kind.rank)):
        if kind.is_plain and a.shape[at + 2] == sizes[at]:
            continue
        taps = kind.taps(a.shape[at + 2], sizes[at], corners, scales[at], wide)
        x = _applied(xp, x, at + 2, taps)
    return x.copy() if x is a else x.astype(a.dtype, copy=False)


@dataclass(frozen=True)
class _Kind:
    """One pair of rows: what it is called, of how many dimensions, and its taps.

    Attributes:
        name: of the row.
        rank: of the images.
        taps: by sizes, whether corners are aligned, the scale and the dtype of coordinates.
        corners: whether the rows take `align_corners`.
        is_plain: equal sizes are copied.
    """

    name: str
    rank: int
    taps: Callable[..., Taps]
    corners: bool = True
    is_plain: bool = False

    @property
    def is_nearest(self) -> bool:
        """Whether each place of the result is one of the input."""
        return not self.corners


_SCALES = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}


def _wanted_sizes(
    a: Any, rank: int, sizes: Sequence[int] | None, factors: Sequence[float] | None
) -> Sequence[int]:
    """The sizes that are given or that factors ask for.

    Raises:
        RuntimeError: both are given, or neither.
    """
    if (sizes is None) == (factors is None):
        raise RuntimeError("Must specify exactly one of output_size and scale_factors")
    if sizes is not None:
        return sizes
    assert factors is not None
    if len(factors) != a.ndim - 2:
        raise RuntimeError(
            f"scale_factors has {len(factors)} elements but the image {a.ndim - 2} dimensions"
        )
    if not all(map(math.isfinite, factors)):
        raise RuntimeError(f"scale_factors must be finite, but got {[*factors]}")
    return [int(n * factor) for n, factor in zip(a.shape[2:], factors, strict=True)]


def _by_size(kind: _Kind) -> Callable[..., Any]:
    """The kernel of the row that takes sizes, and scales that coordinates go by."""

    def impl(xp: Any, a: Any, sizes: Sequence[int], *rest: Any) -> Any:
        corners, *scales = rest if kind.corners else (False, *rest)
        return _resized(xp, kind, a, sizes, corners, scales)

    return impl


def _by_size_or_factor(kind: _Kind) -> Callable[..., Any]:
    """The kernel of the `.vec` row, which takes sizes or scale factors."""

    def impl(xp: Any, a: Any, sizes: Any, *rest: Any) -> Any:
        corners, factors = rest if kind.corners else (False, *rest)
        wanted = _wanted_sizes(a, kind.rank, sizes, factors)
        scales = [None] * kind.rank if factors is None else factors
        return _resized(xp, kind, a, wanted, corners, scales)

    return impl


def _resized_sizes(rank: int, given: Any, first: Sizes | None) -> Sizes:
    batch = (None, None) if first is None or len(first) < 2 else first[:2]
    if isinstance(given, list | tuple) and len(given) == rank:
        return (*batch, *given)
    return (*batch, *(None,) * rank)


def _type_rule(rank: int) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        a = tensor_at(types)
        return made(a, _resized_sizes(rank, constants[1], a.sizes))

    return infer


def _add(kind: _Kind) -> None:
    corners = ", bool align_corners" if kind.corners else ""
    scales = "".join(f", float? {name}=None" for name in _SCALES[kind.rank])
    op(
        f"aten::{kind.name}(Tensor self, SymInt[{kind.rank}] output_size{corners}{scales}) -> "
        "Tensor",
        impl=_by_size(kind),
        infer=_type_rule(kind.rank),
        method=None,
    )
    op(
        f"aten::{kind.name}.vec(Tensor input, SymInt[]? output_size{corners}, float[]? "
        "scale_factors) -> Tensor",
        impl=_by_size_or_factor(kind),
        infer=_type_rule(kind.rank),
        method=None,
    )


for _rank, _smooth in ((1, "linear"), (2, "bilinear"), (3, "trilinear")):
    _taps = _nearest_of_images if _rank == 2 else _nearest
    _add(_Kind(f"upsample_nearest{_rank}d", _rank, _taps, corners=False, is_plain=_rank == 2))
    _add(_Kind(f"_upsample_nearest_exact{_rank}d", _rank, _nearest_exact, corners=False))
    _add(_Kind(f"upsample_{_smooth}{_rank}d", _rank, _linear, is_plain=True))
_add(_Kind("upsample_bicubic2d", 2, _cubic))
_add(_Kind("_upsample_bilinear2d_aa", 2, _antialiased(_triangle, 1), is_plain=True))
_add(
    _Kind(
        "_upsample_bicubic2d_aa",
        2,
        _antialiased(lambda x: _cubic_kernel(x, _SHARPNESS_ANTIALIASED), 2),
        is_plain=True,
    )
)
_add(_Kind("_upsample_lanczos2d_aa", 2, _antialiased(_lanczos, 3), is_plain=True))
