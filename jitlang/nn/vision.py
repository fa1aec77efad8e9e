"""Images resized, sampled, padded and cut, as functions of `torch.nn.functional`."""

from __future__ import annotations

from ..tensor import Tensor
from . import operators


def pad(
    input: Tensor, pad: list[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """More elements at the ends of the last dimensions: `pad` has before and after of the last,
    then of the one before it. Modes: 'constant', 'reflect', 'replicate', 'circular'.
    """
    return operators.pad(input, pad, mode, value)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Values of images [N, C, H, W] or volumes [N, C, D, H, W] at the places of `grid`, whose
    coordinates (x, y) or (x, y, z) are -1 and 1 at the edges.

    Raises:
        ValueError: a mode is unknown.
    """
    kind = -1
    for number, name in enumerate(["bilinear", "nearest", "bicubic"]):
        kind = number if mode == name else kind
    if kind < 0:
        raise ValueError(f"mode must be 'bilinear', 'nearest' or 'bicubic', found '{mode}'")
    outside = -1
    for number, name in enumerate(["zeros", "border", "reflection"]):
        outside = number if padding_mode == name else outside
    if outside < 0:
        raise ValueError(
            f"padding_mode must be 'zeros', 'border' or 'reflection', found '{padding_mode}'"
        )
    corners = False if align_corners is None else align_corners
    return operators.grid_sampler(input, grid, kind, outside, corners)


def affine_grid(theta: Tensor, size: list[int], align_corners: bool | None = None) -> Tensor:
    """The grid for `grid_sample` of affine maps: `theta` is [N, 2, 3] for a size of four numbers,
    [N, 3, 4] for one of five.

    Raises:
        ValueError: `theta` is not floating, or does not go with the size.
    """
    if not theta.is_floating_point():
        raise ValueError(f"theta must be floating, found {theta.dtype}")
    space = len(size) - 2
    if theta.dim() != 3 or theta.size(1) != space or theta.size(2) != space + 1:
        raise ValueError(
            f"theta must be N x {space} x {space + 1} for a size of {len(size)} numbers"
        )
    corners = False if align_corners is None else align_corners
    return operators.affine_grid_generator(theta, size, corners)


def unfold(
    input: Tensor,
    kernel_size: int | list[int],
    dilation: int | list[int] = 1,
    padding: int | list[int] = 0,
    stride: int | list[int] = 1,
) -> Tensor:
    """The blocks that a window sees in images [N, C, H, W], as columns [N, C kh kw, blocks]."""
    return operators.im2col(
        input, _pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride)
    )


def fold(
    input: Tensor,
    output_size: int | list[int],
    kernel_size: int | list[int],
    dilation: int | list[int] = 1,
    padding: int | list[int] = 0,
    stride: int | list[int] = 1,
) -> Tensor:
    """The sum of blocks in images: what `unfold` takes apart."""
    return operators.col2im(
        input, _pair(output_size), _pair(kernel_size), _pair(dilation), _pair(padding),
        _pair(stride),
    )  # fmt: skip


def _pair(value: int | list[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else value


def interpolate(
    input: Tensor,
    size: int | list[int] | None = None,
    scale_factor: float | list[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Images [N, C, ...] with one to three dimensions of space, resized. Modes: 'nearest',
    'nearest-exact', 'linear', 'bilinear', 'bicubic', 'trilinear'; `antialias` goes with 'bilinear'
    and 'bicubic'.

    Raises:
        ValueError: not one of size and scale is given, or they do not go with the input.
        NotImplementedError: there is no such mode for so many dimensions.
    """
    space = input.dim() - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate needs one of size and scale_factor")
    if (mode == "nearest" or mode == "nearest-exact") and align_corners is not None:
        raise ValueError("align_corners goes with linear, bilinear, bicubic and trilinear only")
    if antialias and not (space == 2 and (mode == "bilinear" or mode == "bicubic")):
        raise ValueError("antialias goes with bilinear and bicubic images only")
    sizes = _sizes(size, space)
    factors = _factors(scale_factor, space)
    if factors is not None and recompute_scale_factor is not None and recompute_scale_factor:
        sizes = [int(input.size(2 + d) * factors[d]) for d in range(space)]
        factors = None
    corners = align_corners is not None and align_corners
    if antialias:
        if mode == "bilinear":
            return operators._upsample_bilinear2d_aa(input, sizes, corners, factors)
        return operators._upsample_bicubic2d_aa(input, sizes, corners, factors)
    return _resampled(input, sizes, factors, mode, corners)


def _sizes(size: int | list[int] | None, space: int) -> list[int] | None:
    if size is None:
        return None
    found = [size for _ in range(space)] if isinstance(size, int) else size
    if len(found) != space:
        raise ValueError(f"size must have {space} numbers, found {len(found)}")
    return found


def _factors(factor: float | list[float] | None, space: int) -> list[float] | None:
    if factor is None:
        return None
    found = [factor for _ in range(space)] if isinstance(factor, float) else factor
    if len(found) != space:
        raise ValueError(f"scale_factor must have {space} numbers, found {len(found)}")
    return found


def _resampled(
    input: Tensor, sizes: list[int] | None, factors: list[float] | None, mode: str, corners: bool
) -> Tensor:
    """To sizes, or by factors."""
    space = input.dim() - 2
    if space == 1 and mode == "nearest":
        return operators.upsample_nearest1d(input, sizes, factors)
    if space == 2 and mode == "nearest":
        return operators.upsample_nearest2d(input, sizes, factors)
    if space == 3 and mode == "nearest":
        return operators.upsample_nearest3d(input, sizes, factors)
    if space == 1 and mode == "nearest-exact":
        return operators._upsample_nearest_exact1d(input, sizes, factors)
    if space == 2 and mode == "nearest-exact":
        return operators._upsample_nearest_exact2d(input, sizes, factors)
    if space == 3 and mode == "nearest-exact":
        return operators._upsample_nearest_exact3d(input, sizes, factors)
    if space == 1 and mode == "linear":
        return operators.upsample_linear1d(input, sizes, corners, factors)
    if space == 2 and mode == "bilinear":
        return operators.upsample_bilinear2d(input, sizes, corners, factors)
    if space == 2 and mode == "bicubic":
        return operators.upsample_bicubic2d(input, sizes, corners, factors)
    if space == 3 and mode == "trilinear":
        return operators.upsample_trilinear3d(input, sizes, corners, factors)
    raise NotImplementedError(f"there is no mode '{mode}' for {space} dimensions of space")
