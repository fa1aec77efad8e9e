"""Rows that move pixels: shuffles between channels and space, patches as columns and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.types import Type
from .rows import op
from .rules import made, same_type, tensor_at, unknown_sizes

# Shuffles -----------------------------------------------------------------------------------------


def _check_image(name: str, a: Any, factor: int) -> None:
    if a.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {a.ndim} "
            "dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive factor, but got {factor}")


def _pixel_shuffle(xp: Any, a: Any, factor: int) -> Any:
    """(*, C r r, H, W) to (*, C, H r, W r): Shi et al., "Real-Time Single Image ...", 2016."""
    _check_image("pixel_shuffle", a, factor)
    *batch, channels, height, width = a.shape
    if channels % (factor * factor):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {factor**2}"
        )
    out = channels // (factor * factor)
    parts = a.reshape((*batch, out, factor, factor, height, width))
    n = len(batch)
    moved = parts.transpose((*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return _copied(xp, moved, (*batch, out, height * factor, width * factor))


def _pixel_unshuffle(xp: Any, a: Any, factor: int) -> Any:
    """The inverse of `pixel_shuffle`."""
    _check_image("pixel_unshuffle", a, factor)
    *batch, channels, height, width = a.shape
    for name, size in (("height", height), ("width", width)):
        if size % factor:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but {size} "
                f"is not divisible by {factor}"
            )
    parts = a.reshape((*batch, channels, height // factor, factor, width // factor, factor))
    n = len(batch)
    moved = parts.transpose((*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    shape = (*batch, channels * factor * factor, height // factor, width // factor)
    return _copied(xp, moved, shape)


def _copied(xp: Any, moved: Any, shape: Sequence[int]) -> Any:
    return moved.copy("C").reshape(shape)


def _channel_shuffle(xp: Any, a: Any, groups: int) -> Any:
    """Channels in groups, read across the groups: Zhang et al., "ShuffleNet", 2017."""
    if a.ndim < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {[*a.shape]}"
        )
    if groups <= 0 or a.shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {a.shape[1]} channels and "
            f"{groups} groups."
        )
    batch, channels, *rest = a.shape
    parts = a.reshape((batch, groups, channels // groups, *rest))
    return _copied(xp, parts.swapaxes(1, 2), a.shape)


def _rank_of_first(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return made(tensor_at(types), unknown_sizes(tensor_at(types).rank))


op(
    "aten::pixel_shuffle(Tensor self, int upscale_factor) -> Tensor",
    impl=_pixel_shuffle,
    infer=_rank_of_first,
    grad=lambda m, g, r, a, factor: (m.pixel_unshuffle(g, factor),),
    method=None,
)
op(
    "aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor",
    impl=_pixel_unshuffle,
    infer=_rank_of_first,
    grad=lambda m, g, r, a, factor: (m.pixel_shuffle(g, factor),),
    method=None,
)
for _name in ("channel_shuffle", "native_channel_shuffle"):
    op(
        f"aten::{_name}(Tensor self, SymInt groups) -> Tensor",
        impl=_channel_shuffle,
        infer=same_type,
        method=None,
    )


# Patches ------------------------------------------------------------------------------------------


def _check_windows(name: str, **pairs: Sequence[int]) -> None:
    for title, pair in pairs.items():
        least = 0 if title == "padding" else 1
        if len(pair) != 2 or min(pair) < least:
            raise RuntimeError(
                f"{name}: {title} should be two numbers of {least} at least, but got {[*pair]}"
            )


def _windows(
    sizes: Sequence[int], kernel: Sequence[int], dilation: Sequence[int], padding: Sequence[int],
    stride: Sequence[int],
) -> tuple[int, ...]:  # fmt: skip
    """How many places the window takes along each dimension.

    Raises:
        RuntimeError: it takes none.
    """
    counts = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(sizes, kernel, dilation, padding, stride, strict=True)
    )
    if min(counts) < 1:
        raise RuntimeError(
            f"Given spatial size {[*sizes]}, kernel_size={[*kernel]}, dilation={[*dilation]}, "
            f"padding={[*padding]}, stride={[*stride]}, calculated shape of the array of sliding "
            f"blocks as {[*counts]}, but its components must be at least one."
        )
    return counts


def _taken(at: int, dilation: int, stride: int, count: int) -> slice:
    """Along one dimension the pixels that stand at one place of the kernel, in all windows."""
    return slice(at * dilation, at * dilation + stride * (count - 1) + 1, stride)


def _im2col(
    xp: Any, a: Any, kernel: Sequence[int], dilation: Sequence[int], padding: Sequence[int],
    stride: Sequence[int],
) -> Any:  # fmt: skip
    """The windows of an image as columns: (N, C, H, W) to (N, C kh kw, windows)."""
    _check_windows("im2col", kernel_size=kernel, dilation=dilation, padding=padding, stride=stride)
    if a.ndim not in (3, 4) or 0 in a.shape[-3:]:
        raise RuntimeError(
            f"Expected 3D or 4D (batch mode) tensor with possibly 0 batch size, got {[*a.shape]}"
        )
    x = a if a.ndim == 4 else a[None]
    batch, channels, *sizes = x.shape
    rows, columns = _windows(sizes, kernel, dilation, padding, stride)
    widths = ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)
    padded = xp.pad(x, widths)
    found = xp.empty((batch, channels, *kernel, rows, columns), a.dtype)
    for i in range(kernel[0]):
        down = _taken(i, dilation[0], stride[0], rows)
        for j in range(kernel[1]):
            across = _taken(j, dilation[1], stride[1], columns)
            found[:, :, i, j] = padded[:, :, down, across]
    flat = found.reshape((batch, channels * kernel[0] * kernel[1], rows * columns))
    return flat if a.ndim == 4 else flat[0]


def _col2im(
    xp: Any, a: Any, size: Sequence[int], kernel: Sequence[int], dilation: Sequence[int],
    padding: Sequence[int], stride: Sequence[int],
) -> Any:  # fmt: skip
    """The sum of windows put back in their places: the transpose of `im2col`."""
    _check_windows("col2im", kernel_size=kernel, dilation=dilation, padding=padding, stride=stride)
    _check_windows("col2im", output_size=size)
    if a.ndim not in (2, 3) or 0 in a.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {[*a.shape]}"
        )
    x = a if a.ndim == 3 else a[None]
    area = kernel[0] * kernel[1]
    if x.shape[1] % area:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={x.shape[1]} and kernel_size={[*kernel]}."
        )
    rows, columns = _windows(size, kernel, dilation, padding, stride)
    if x.shape[2] != rows * columns:
        raise RuntimeError(
            f"Given output_size={[*size]}, kernel_size={[*kernel]}, dilation={[*dilation]}, "
            f"padding={[*padding]}, stride={[*stride]}, expected size of input's dimension 2 to "
            f"match the calculated number of sliding blocks {rows} * {columns} = {rows * columns}, "
            f"but got input.size(2)={x.shape[2]}."
        )
    parts = x.reshape((x.shape[0], x.shape[1] // area, *kernel, rows, columns))
    high, wide = (n + 2 * p for n, p in zip(size, padding, strict=True))
    total = xp.zeros((x.shape[0], x.shape[1] // area, high, wide), a.dtype)
    for i in range(kernel[0]):
        down = _taken(i, dilation[0], stride[0], rows)
        for j in range(kernel[1]):
            total[:, :, down, _taken(j, dilation[1], stride[1], columns)] += parts[:, :, i, j]
    inner = total[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]].copy()
    return inner if a.ndim == 3 else inner[0]


op(
    "aten::im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride)"
    " -> Tensor",
    impl=_im2col,
    infer=lambda types, constants: made(tensor_at(types), None),
    method=None,
)
op(
    "aten::col2im(Tensor self, SymInt[2] output_size, int[2] kernel_size, int[2] dilation, int[2] "
    "padding, int[2] stride) -> Tensor",
    impl=_col2im,
    infer=lambda types, constants: made(tensor_at(types), None),
    method=None,
)
