"""Rows that read images at computed places: `grid_sampler`, and the grids of affine maps.

A grid holds for each place of the result a coordinate per dimension, from -1 to 1, the last
dimension of the image first ("Spatial Transformer Networks", Jaderberg et al., 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from .. import dtypes
from ..ir.types import Type
from .rows import op
from .rules import compute_dtype, made, tensor_at

_BILINEAR, _NEAREST, _BICUBIC = 0, 1, 2
_ZEROS, _BORDER, _REFLECTION = 0, 1, 2
_SHARPNESS = -0.75
_FAR = 2**31 - 100
"""Coordinates further out than this (and NaN) are outside of any image."""


def _unnormalized(x: Any, size: int, corners: bool) -> Any:
    """Coordinates in pixels, of coordinates from -1 to 1."""
    kind = x.dtype.type
    if corners:
        return (x + kind(1)) * (kind(size - 1) / kind(2))
    return ((x + kind(1)) * kind(size) - kind(1)) / kind(2)


def _reflected(xp: Any, x: Any, size: int, corners: bool) -> Any:
    """Coordinates thrown back at the borders until they are inside."""
    kind = x.dtype.type
    low, high = (kind(0), kind(size - 1)) if corners else (kind(-0.5), kind(size - 0.5))
    if low == high:
        return xp.zeros_like(x)
    span = high - low
    apart = abs(x - low)
    turns = xp.floor(apart / span)
    rest = xp.fmod(apart, span)
    return xp.where(turns % 2 == 0, rest + low, span - rest + low)


def _placed(xp: Any, x: Any, size: int, padding: int, corners: bool) -> Any:
    """Coordinates in pixels after padding; zeros let them be outside."""
    if padding == _REFLECTION:
        x = _reflected(xp, x, size, corners)
    return x if padding == _ZEROS else _clipped(xp, x, size)


def _clipped(xp: Any, x: Any, size: int) -> Any:
    """Between the borders; NaN becomes the first place."""
    return xp.where(x > 0, xp.minimum(x, x.dtype.type(size - 1)), x.dtype.type(0))


def _integers(xp: Any, x: Any) -> Any:
    """Whole coordinates as indices, those far outside (and NaN) as -100."""
    return xp.where(abs(x) < _FAR, x, -100).astype("int64")


def _read(xp: Any, image: Any, places: Sequence[Any]) -> Any:
    """The pixels at whole coordinates, (N, C, *places), zero outside of the image.

    Args:
        xp: the array namespace.
        image: (N, C, *sizes).
        places: for each dimension an array (N, *places).
    """
    inside = xp.ones(places[0].shape, bool)
    for at, size in zip(places, image.shape[2:], strict=True):
        inside &= (at >= 0) & (at < size)
    batch = xp.arange(image.shape[0]).reshape((-1,) + (1,) * (places[0].ndim - 1))
    index = [xp.where(inside, at, 0) for at in places]
    found = xp.moveaxis(image, 1, -1)[(batch, *index)]
    found = xp.where(inside[..., None], found, image.dtype.type(0))
    return xp.moveaxis(found, -1, 1)


def _linear(xp: Any, image: Any, places: Sequence[Any]) -> Any:
    """A weighted mean of the corners around each place."""
    low = [xp.floor(at) for at in places]
    total = None
    for corner in product((0, 1), repeat=len(places)):
        weight = None
        for at, start, end in zip(places, low, corner, strict=True):
            part = at - start if end else start + at.dtype.type(1) - at
            weight = part if weight is None else weight * part
        index = [_integers(xp, start) + end for start, end in zip(low, corner, strict=True)]
        assert weight is not None
        part = _read(xp, image, index) * _where_inside(xp, image, index, weight)[:, None]
        total = part if total is None else total + part
    return total


def _where_inside(xp: Any, image: Any, index: Sequence[Any], weight: Any) -> Any:
    """The weights of pixels inside; others count nothing, whatever their weight."""
    inside = xp.ones(weight.shape, bool)
    for at, size in zip(index, image.shape[2:], strict=True):
        inside &= (at >= 0) & (at < size)
    return xp.where(inside, weight, weight.dtype.type(0))


def _cubic_weights(t: Any) -> list[Any]:
    """Keys' weights of the four pixels around a place that is t behind the second."""
    kind = t.dtype.type
    a, two, three = kind(_SHARPNESS), kind(2), kind(3)

    def near(x: Any) -> Any:
        return ((a + two) * x - (a + three)) * x * x + kind(1)

    def far(x: Any) -> Any:
        return ((a * x - kind(5) * a) * x + kind(8) * a) * x - kind(4) * a

    return [far(t + kind(1)), near(t), near(kind(1) - t), far(two - t)]


def _cubic(xp: Any, image: Any, places: Sequence[Any], padding: int, corners: bool) -> Any:
    """Cubic convolution over the sixteen pixels around each place, each of them padded."""
    (y, x), (height, width) = places, image.shape[2:]
    top, left = xp.floor(y), xp.floor(x)
    total = None
    for row, weight_y in enumerate(_cubic_weights(y - top)):
        line = None
        for column, weight_x in enumerate(_cubic_weights(x - left)):
            index = [
                _integers(xp, _placed(xp, start + start.dtype.type(at - 1), n, padding, corners))
                for start, at, n in ((top, row, height), (left, column, width))
            ]
            part = _read(xp, image, index) * weight_x[:, None]
            line = part if line is None else line + part
        part = line * weight_y[:, None]
        total = part if total is None else total + part
    return total


def _check(name: str, image: Any, grid: Any, rank: int | None, mode: int, padding: int) -> None:
    if image.ndim not in (4, 5) or (rank is not None and image.ndim != rank + 2):
        raise RuntimeError(
            f"{name}(): expected 4D or 5D input, but got input with sizes {[*image.shape]}"
        )
    if grid.ndim != image.ndim or grid.shape[0] != image.shape[0]:
        raise RuntimeError(
            f"{name}(): expected grid and input to have same batch size and rank, but got input "
            f"with sizes {[*image.shape]} and grid with sizes {[*grid.shape]}"
        )
    if grid.shape[-1] != image.ndim - 2:
        raise RuntimeError(
            f"{name}(): expected grid to have size {image.ndim - 2} in last dimension, but got "
            f"grid with sizes {[*grid.shape]}"
        )
    if 0 in image.shape[2:]:
        raise RuntimeError(
            f"{name}(): expected input to have non-empty spatial dimensions, but got "
            f"{[*image.shape]}"
        )
    if mode not in (_BILINEAR, _NEAREST, _BICUBIC) or padding not in (_ZEROS, _BORDER, _REFLECTION):
        raise RuntimeError(
            f"{name}(): no such interpolation and padding mode: {mode} and {padding}"
        )
    if mode == _BICUBIC and image.ndim == 5:
        raise RuntimeError(f"{name}(): bicubic interpolation only supports 4D input")
    if image.dtype != grid.dtype or not dtypes.from_numpy(image.dtype).is_floating_point:
        raise RuntimeError(
            f"{name}(): expected input and grid of one floating dtype, but input has "
            f"{dtypes.from_numpy(image.dtype)} and grid has {dtypes.from_numpy(grid.dtype)}"
        )


def _grid_sampler(name: str, rank: int | None) -> Any:
    def impl(xp: Any, image: Any, grid: Any, mode: int, padding: int, corners: bool) -> Any:
        _check(name, image, grid, rank, mode, padding)
        wide = compute_dtype(image.dtype)
        x, g = image.astype(wide, copy=False), grid.astype(wide, copy=False)
        count = image.ndim - 2
        places = [
            _unnormalized(g[..., count - 1 - at], image.shape[at + 2], corners)
            for at in range(count)
        ]
        if mode == _BICUBIC:
            return _cubic(xp, x, places, padding, corners).astype(image.dtype, copy=False)
        sizes = image.shape[2:]
        places = [_placed(xp, at, n, padding, corners) for at, n in zip(places, sizes, strict=True)]
        if mode == _NEAREST:
            found = _read(xp, x, [_integers(xp, xp.rint(at)) for at in places])
        else:
            found = _linear(xp, x, places)
        return found.astype(image.dtype, copy=False)

    return impl


def _sampled_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    image, grid = tensor_at(types), tensor_at(types, 1)
    if image.sizes is None or grid.sizes is None or len(image.sizes) < 2:
        return made(image, None)
    return made(image, (*image.sizes[:2], *grid.sizes[1:-1]))


for _name, _rank in (("grid_sampler", None), ("grid_sampler_2d", 2), ("grid_sampler_3d", 3)):
    op(
        f"aten::{_name}(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
        "align_corners) -> Tensor",
        impl=_grid_sampler(_name, _rank),
        infer=_sampled_type,
        method=None,
    )


def _affine_grid(xp: Any, theta: Any, size: Sequence[int], corners: bool) -> Any:
    """Where each place of an image of this size lies under maps theta, (N, d, d + 1)."""
    if len(size) not in (4, 5):
        raise RuntimeError(
            "AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs, but got size "
            f"{[*size]}"
        )
    rank = len(size) - 2
    if theta.shape != (size[0], rank, rank + 1):
        raise RuntimeError(
            f"Expected a batch of {rank}D affine matrices of shape {size[0]}x{rank}x{rank + 1}, "
            f"but got {[*theta.shape]}"
        )
    if not dtypes.from_numpy(theta.dtype).is_floating_point:
        raise RuntimeError("Expected theta to have floating point type")
    wide = compute_dtype(theta.dtype)
    base = xp.ones((*size[2:], rank + 1), wide)
    for at, n in enumerate(size[2:]):
        steps = xp.linspace(-1, 1, n, dtype=wide) if n > 1 else xp.zeros(n, wide)
        if not corners:
            steps = steps * steps.dtype.type((n - 1) / max(n, 1))
        base[..., rank - 1 - at] = steps.reshape((-1,) + (1,) * (rank - 1 - at))
    places = xp.matmul(
        base.reshape((1, -1, rank + 1)), theta.astype(wide, copy=False).swapaxes(1, 2)
    )
    return places.reshape((size[0], *size[2:], rank)).astype(theta.dtype, copy=False)


def _affine_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    size = constants[1]
    if not isinstance(size, list | tuple) or len(size) not in (4, 5):
        return made(tensor_at(types), None)
    return made(tensor_at(types), (size[0], *size[2:], len(size) - 2))


op(
    "aten::affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners) -> Tensor",
    impl=_affine_grid,
    infer=_affine_type,
    method=None,
)
