"""Rows that pad tensors: with a constant, by reflection, replication of the border, or around."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir.types import Type
from .creation import as_dtype
from .rows import op
from .rules import made, tensor_at, unknown_sizes

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


_NUMBERED = ("reflect", "replicate", "circular", "constant")


def _widths(a: Any, pad: Sequence[int]) -> list[tuple[int, int]]:
    """What to add at both ends of each dimension; `pad` counts from the last one."""
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * a.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {a.ndim}"
        )
    pairs = [(pad[at], pad[at + 1]) for at in range(0, len(pad), 2)]
    return [(0, 0)] * (a.ndim - len(pairs)) + pairs[::-1]


def _constant_pad(xp: Any, a: Any, pad: Sequence[int], value: Any) -> Any:
    widths = _widths(a, pad)
    sizes = [n + low + high for n, (low, high) in zip(a.shape, widths, strict=True)]
    if min(sizes, default=0) < 0:
        raise RuntimeError(f"The padding {[*pad]} leads to a negative output size")
    left = [n + min(w[0], 0) + min(w[1], 0) for n, w in zip(a.shape, widths, strict=True)]
    if min(left, default=0) < 0:
        raise RuntimeError(f"The padding {[*pad]} cuts off more than there is of {[*a.shape]}")
    padded = xp.full(sizes, as_dtype(value, a.dtype), a.dtype)
    inner = [slice(max(w[0], 0), n - max(w[1], 0)) for n, w in zip(sizes, widths, strict=True)]
    outer = [slice(max(-w[0], 0), n - max(-w[1], 0)) for n, w in zip(a.shape, widths, strict=True)]
    padded[tuple(inner)] = a[tuple(outer)]
    return padded


def pad_tensor(xp: Any, a: Any, pad: Sequence[int], mode: str, value: float | None) -> Any:
    """The tensor with more, or less, at both ends of its last dimensions.

    Raises:
        NotImplementedError: there is no such mode, or none of it for so many dimensions.
        RuntimeError: the padding is longer than what it repeats, or cuts off more than there is.
    """
    if mode == "constant":
        return _constant_pad(xp, a, pad, 0 if value is None else value)
    if mode not in _MODES:
        raise NotImplementedError(
            f"Unrecognised padding mode {mode}: it is constant, reflect, replicate or circular"
        )
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if a.ndim * 2 - len(pad) not in (2, 4) or len(pad) not in (2, 4, 6):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: the last "
            f"one, two or three dimensions of images with a channel, with or without a batch; got "
            f"padding {[*pad]} of an input of {a.ndim} dimensions"
        )
    widths = _widths(a, pad)
    for n, width in zip(a.shape, widths, strict=True):
        longest = {"reflect": n - 1, "circular": n}.get(mode, max(*width, 0))
        if max(width) > longest:
            raise RuntimeError(
                f"Padding size should be less than the corresponding input dimension, but got: "
                f"padding {[*pad]} of input {[*a.shape]}"
            )
    # What is mirrored or repeated may lie where the other end is cut off; what goes around may not.
    cut, added = [min(p, 0) for p in pad], [max(p, 0) for p in pad]
    if mode == "circular" and any(cut):
        a = _constant_pad(xp, a, cut, 0)
    padded = xp.pad(a, _widths(a, added), _MODES[mode])
    return _constant_pad(xp, padded, cut, 0) if mode != "circular" and any(cut) else padded


def _mode_numbered(number: int) -> str:
    """The mode that torch's enumeration means.

    Raises:
        NotImplementedError: it means none.
    """
    if not 0 <= number < len(_NUMBERED):
        raise NotImplementedError(f"Unrecognised padding mode {number}")
    return _NUMBERED[number]


def _padded_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    first = tensor_at(types)
    return made(first, unknown_sizes(first.rank))


op(
    'aten::pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor',
    impl=pad_tensor,
    infer=_padded_type,
    method=None,
)
op(
    "aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
    impl=_constant_pad,
    infer=_padded_type,
    method=None,
)


def _pad_images(rank: int, mode: str) -> Callable[..., Any]:
    """The kernel of a row for images of `rank` dimensions behind their channels."""

    def impl(xp: Any, a: Any, padding: Sequence[int]) -> Any:
        if len(padding) != 2 * rank:
            raise RuntimeError(
                f"padding size is expected to be {2 * rank}, but got: {len(padding)}"
            )
        has_batch = a.ndim == rank + 2
        if a.ndim not in (rank + 1, rank + 2) or 0 in a.shape[has_batch:]:
            raise RuntimeError(
                f"Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with possibly 0 batch "
                f"size and other non-zero dimensions for input, but got: {[*a.shape]}"
            )
        return pad_tensor(xp, a, padding, mode, None)

    return impl


for _rank in (1, 2, 3):
    for _name, _mode in (("reflection", "reflect"), ("replication", "replicate")):
        op(
            f"aten::{_name}_pad{_rank}d(Tensor self, SymInt[{2 * _rank}] padding) -> Tensor",
            impl=_pad_images(_rank, _mode),
            infer=_padded_type,
            method=None,
        )
op(
    "aten::_pad_circular(Tensor self, SymInt[] pad) -> Tensor",
    impl=lambda xp, a, pad: pad_tensor(xp, a, pad, "circular", None),
    infer=_padded_type,
    function=None,
    method=None,
)
op(
    "aten::_pad_enum(Tensor self, SymInt[] pad, int mode, float? value=None) -> Tensor",
    impl=lambda xp, a, pad, mode, value: pad_tensor(xp, a, pad, _mode_numbered(mode), value),
    infer=_padded_type,
    function=None,
    method=None,
)
