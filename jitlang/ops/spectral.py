"""Rows of Fourier transforms, of windows, and of spectra over time (`stft`, `istft`).

Single precision stays single. Integers are transformed in the default float, half types not at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Category, DType
from ..ir.types import TensorType, Type
from .creation import dtype_of, place
from .padding import pad_tensor
from .rows import op
from .rules import made, retyped, same_type, tensor_at, unknown_sizes, wrap_dim, wrap_dims

# What is transformed ------------------------------------------------------------------------------

_NORMS = (None, "backward", "forward", "ortho")


def _operand(name: str, a: Any, is_real: bool) -> Any:
    """The operand in a dtype that there are transforms for.

    Raises:
        RuntimeError: half types, and complex numbers where real ones are wanted.
    """
    dtype = dtypes.from_numpy(a.dtype)
    if dtype.itemsize == 2 and dtype.is_floating_point:
        raise RuntimeError(f"Unsupported dtype {dtype.graph_name}")
    if is_real and dtype.is_complex:
        raise RuntimeError(f"{name} expects a real input tensor, but got {dtype.graph_name}")
    return a.astype(dtypes.floating(dtype).numpy, copy=False)


def _check_norm(norm: str | None) -> None:
    if norm not in _NORMS:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')


def _check_points(points: int) -> None:
    if points < 1:
        raise RuntimeError(f"Invalid number of data points ({points}) specified")


def _one(name: str) -> Callable[..., Any]:
    """A transform along one dimension, cut or filled up with zeros to n points."""

    def impl(xp: Any, a: Any, n: int | None, dim: int, norm: str | None) -> Any:
        _check_norm(norm)
        x = _operand(name, a, name == "rfft")
        if not a.ndim:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        axis = wrap_dim(dim, a.ndim)
        given = 2 * (a.shape[axis] - 1) if name == "irfft" else a.shape[axis]
        _check_points(given if n is None else n)
        return getattr(xp.fft, name)(x, n, axis, norm)

    return impl


def _shape_and_axes(
    a: Any, s: Sequence[int] | None, dim: Sequence[int] | None, halved: bool
) -> tuple[list[int], tuple[int, ...]]:
    """How many points along which dimensions; of a halved spectrum the last has more than it
    shows."""
    if dim is not None:
        axes = wrap_dims(dim, a.ndim)
    elif s is not None:
        if len(s) > a.ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {a.ndim} dimensions."
            )
        axes = tuple(range(a.ndim - len(s), a.ndim))
    else:
        axes = tuple(range(a.ndim))
    if s is not None and len(s) != len(axes):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    sizes = [a.shape[at] for at in axes]
    if halved and sizes:
        sizes[-1] = 2 * (sizes[-1] - 1)
    wanted = [n if n != -1 else own for n, own in zip(s or sizes, sizes, strict=True)]
    for points in wanted:
        _check_points(points)
    return wanted, axes


def _several(name: str) -> Callable[..., Any]:
    """A transform along several dimensions."""
    is_real, halved = name.startswith("rfft"), name.startswith("irfft")
    function = f"{name.rstrip('2n')}n"

    def impl(xp: Any, a: Any, s: Any, dim: Any, norm: str | None) -> Any:
        _check_norm(norm)
        x = _operand(name, a, is_real)
        wanted, axes = _shape_and_axes(a, s, dim, halved)
        if not axes:
            if is_real or halved:
                raise RuntimeError(f"{name} must transform at least one axis")
            return x.astype(np.result_type(x.dtype, np.complex64))
        return getattr(xp.fft, function)(x, wanted, axes, norm)

    return impl


def _complex_of(dtype: DType | None) -> DType | None:
    if dtype is None:
        return None
    return dtypes.from_numpy(np.result_type(dtypes.floating(dtype).numpy, np.complex64))


def _real_of(dtype: DType | None) -> DType | None:
    return None if dtype is None else dtypes.to_real(dtypes.floating(dtype))


def _spectrum_type(real: bool) -> Any:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        a = tensor_at(types)
        dtype = _real_of(a.dtype) if real else _complex_of(a.dtype)
        return made(retyped(a, dtype), unknown_sizes(a.rank))

    return infer


for _name in ("fft", "ifft", "rfft", "irfft"):
    _rule = _spectrum_type(_name == "irfft")
    op(
        f"aten::fft_{_name}(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor",
        impl=_one(_name),
        infer=_rule,
        method=None,
    )
    op(
        f"aten::fft_{_name}2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) "
        "-> Tensor",
        impl=_several(f"{_name}2"),
        infer=_rule,
        method=None,
    )
    op(
        f"aten::fft_{_name}n(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> "
        "Tensor",
        impl=_several(f"{_name}n"),
        infer=_rule,
        method=None,
    )


def _shift(name: str) -> Callable[..., Any]:
    def impl(xp: Any, a: Any, dim: Any) -> Any:
        axes = range(a.ndim) if dim is None else wrap_dims(dim, a.ndim)
        if not len(axes):
            raise RuntimeError(f"{name}: a dimension to shift along is required")
        return getattr(xp.fft, name)(a, tuple(axes))

    return impl


def _frequencies(name: str) -> Callable[..., Any]:
    def impl(
        xp: Any, n: int, d: float, dtype: Any, layout: Any, device: Any, pin_memory: Any
    ) -> Any:
        if n < 0:
            raise RuntimeError(f"{name}: expected a number of points that is not negative, got {n}")
        kind = dtype_of(dtype, dtypes.default_dtype())
        if dtypes.from_numpy(kind).category < Category.FLOATING:
            raise RuntimeError(f"{name} requires a floating point or complex dtype")
        xp = place(xp, device)
        places = (
            xp.fft.ifftshift(xp.arange(-(n // 2), (n + 1) // 2))
            if name == "fftfreq"
            else (xp.arange(n // 2 + 1))
        )
        with xp.errstate(all="ignore"):
            return (places * np.float64(1) / (n * np.float64(d))).astype(kind)

    return impl


_MADE = "*, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
for _name in ("fftshift", "ifftshift"):
    op(
        f"aten::fft_{_name}(Tensor self, int[1]? dim=None) -> Tensor",
        impl=_shift(_name),
        infer=same_type,
        method=None,
    )
for _name in ("fftfreq", "rfftfreq"):
    op(
        f"aten::fft_{_name}(int n, float d=1., {_MADE}) -> Tensor",
        impl=_frequencies(_name),
        infer=lambda types, constants: TensorType(None, (None,)),
        method=None,
    )


# Windows ------------------------------------------------------------------------------------------


def _cosines(*weights: float) -> Callable[[Any], Any]:
    """A sum of cosines of whole multiples of x, which runs from 0 to 2 pi."""

    def window(x: Any) -> Any:
        parts = [(-1) ** k * weight * np.cos(k * x) for k, weight in enumerate(weights)]
        return sum(parts[1:], parts[0])

    return window


def _triangle(x: Any) -> Any:
    return 1 - abs(x / math.pi - 1)


def _window(name: str, shape: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The kernel of a window: its length, whether it is periodic, and `count` parameters."""

    def impl(xp: Any, length: int, *rest: Any) -> Any:
        *given, dtype, _, device, _ = rest
        kind = dtype_of(dtype, dtypes.default_dtype())
        if dtypes.from_numpy(kind).category < Category.FLOATING:
            raise RuntimeError(f"{name}_window expects floating point dtypes, got: {kind}")
        if length < 0:
            raise RuntimeError(
                f"{name}_window requires non-negative window_length, got window_length={length}"
            )
        periodic = given[0] if given else True
        if length < 2:
            return place(xp, device).ones((length,), kind)
        steps = length if periodic else length - 1
        x = np.arange(length) * (2 * math.pi / steps)
        return place(xp, device).asarray(shape(x, *given[1 : 1 + count]).astype(kind))

    return impl


def _hamming(x: Any, alpha: float = 0.54, beta: float = 0.46) -> Any:
    return _cosines(alpha, beta)(x)


def _window_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    length = constants[0]
    return TensorType(None, (length if isinstance(length, int) else None,))


for _name, _shape, _further in (
    ("hann", _cosines(0.5, 0.5), ()),
    ("hamming", _hamming, ("float alpha", "float beta")),
    ("bartlett", _triangle, ()),
    ("blackman", _cosines(0.42, 0.5, 0.08), ()),
):
    _overloads = [("", ""), (".periodic", ", bool periodic")]
    for _count in range(1, len(_further) + 1):
        _named = "_".join(part.split()[1] for part in _further[:_count])
        _arguments = "".join(f", {part}" for part in _further[:_count])
        _overloads.append((f".periodic_{_named}", f", bool periodic{_arguments}"))
    for _overload, _arguments in _overloads:
        op(
            f"aten::{_name}_window{_overload}(int window_length{_arguments}, {_MADE}) -> Tensor",
            impl=_window(_name, _shape, len(_further)),
            infer=_window_type,
            method=None,
        )


# Spectra over time --------------------------------------------------------------------------------


def _analysis_window(xp: Any, name: str, window: Any, length: int, points: int, kind: Any) -> Any:
    """The window in the middle of as many places as there are points."""
    if not 0 < length <= points:
        raise RuntimeError(f"{name}: expected 0 < win_length <= n_fft, but got {length}")
    if window is not None and window.shape != (length,):
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={length}, but got "
            f"window with size {[*window.shape]}"
        )
    given = xp.ones(length, kind) if window is None else window
    left = (points - length) // 2
    return xp.pad(given, (left, points - length - left))


def _frames(xp: Any, x: Any, points: int, hop: int) -> Any:
    """(batch, T) as overlapping rows (batch, frames, points)."""
    count = 1 + (x.shape[-1] - points) // hop
    at = xp.arange(count)[:, None] * hop + xp.arange(points)
    return x[:, at]


def _stft(
    xp: Any, a: Any, points: int, hop: int | None, length: int | None, window: Any, *rest: Any
) -> Any:
    """Spectra of windowed frames: (batch, frequencies, frames), real and imaginary parts behind
    them unless complex numbers are asked for."""
    center, mode = rest[:-4] if len(rest) == 6 else (False, "reflect")
    normalized, onesided, return_complex, aligned = rest[-4:]
    hop = points // 4 if hop is None else hop
    length = points if length is None else length
    dtype = dtypes.from_numpy(a.dtype)
    is_complex = dtype.is_complex or (window is not None and window.dtype.kind == "c")
    if return_complex is None and not is_complex:
        raise RuntimeError("stft requires the return_complex parameter be given for real inputs")
    if dtype.category < Category.FLOATING or dtype.itemsize == 2:
        raise RuntimeError(
            f"stft: expected a tensor of floating point or complex values, got {dtype}"
        )
    if a.ndim not in (1, 2):
        raise RuntimeError(f"stft: expected a 1D or 2D tensor, but got {a.ndim}D")
    if aligned is not None and center:
        raise RuntimeError("stft: align_to_window should only be set when center = false")
    x = a if a.ndim == 2 else a[None]
    if center:
        x = pad_tensor(xp, x[:, None], [points // 2] * 2, mode, None)[:, 0]
    if not 0 < points <= x.shape[-1] or hop <= 0:
        raise RuntimeError(
            f"stft: expected 0 < n_fft <= {x.shape[-1]} and hop_length > 0, but got n_fft={points} "
            f"and hop_length={hop}"
        )
    shape = _analysis_window(xp, "stft", window, length, points, x.dtype)
    frames = _frames(xp, x, points, hop) * shape
    halves = (not is_complex) if onesided is None else onesided
    if halves and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    found = (xp.fft.rfft if halves else xp.fft.fft)(frames, norm="ortho" if normalized else None)
    found = xp.ascontiguousarray(found.swapaxes(1, 2))
    found = found if a.ndim == 2 else found[0]
    if return_complex or return_complex is None:
        return found
    return found[..., None].view(found.real.dtype)


def _istft(
    xp: Any, a: Any, points: int, hop: int | None, length: int | None, window: Any, center: bool,
    normalized: bool, onesided: bool | None, wanted: int | None, return_complex: bool,
) -> Any:  # fmt: skip
    """The signal of spectra over time: frames transformed back, added up, and divided by the sum of
    squared windows (Griffin and Lim, 1984)."""
    hop = points // 4 if hop is None else hop
    length = points if length is None else length
    if a.dtype.kind != "c" or a.ndim not in (2, 3) or not a.size:
        raise RuntimeError(
            "istft requires a non-empty complex-valued input tensor of 2 or 3 dimensions"
        )
    halves = a.shape[-2] != points if onesided is None else onesided
    if a.shape[-2] != (points // 2 + 1 if halves else points):
        raise RuntimeError(
            f"istft: expected the frequency dimension of {points} points, but got {a.shape[-2]}"
        )
    if not 0 < hop <= length:
        raise RuntimeError("istft: expected 0 < hop_length <= win_length")
    if return_complex and halves:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    real = a.real.dtype
    shape = _analysis_window(xp, "istft", window, length, points, real)
    spectra = (a if a.ndim == 3 else a[None]).swapaxes(1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        frames = xp.fft.ifft(spectra, norm=norm)
    else:  # of a whole spectrum half is enough
        frames = xp.fft.irfft(spectra[..., : points // 2 + 1], points, norm=norm)
    count = frames.shape[1]
    total = points + hop * (count - 1)
    signal = xp.zeros((len(frames), total), frames.dtype)
    weight = xp.zeros(total, real)
    for at in range(count):
        span = slice(at * hop, at * hop + points)
        signal[:, span] += frames[:, at] * shape
        weight[span] += (shape * shape).astype(real)
    start = points // 2 if center else 0
    end = total - (points // 2 if center else 0) if wanted is None else start + wanted
    signal, weight = signal[:, start:end], weight[start:end]
    if weight.size and weight.min() < 1e-11:
        raise RuntimeError(
            f"istft: window overlap add min: {weight.min()}: the windows leave a gap"
        )
    found = signal / weight
    missing = 0 if wanted is None else wanted - found.shape[1]
    found = xp.pad(found, ((0, 0), (0, missing))) if missing > 0 else found
    return found if a.ndim == 3 else found[0]


_ANALYSIS = (
    "Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None"
)
_RESULT = (
    "bool normalized=False, bool? onesided=None, bool? return_complex=None, bool? "
    "align_to_window=None"
)
# Python's function centers by default, so this overload comes first.
op(
    f'aten::stft.center({_ANALYSIS}, bool center=True, str pad_mode="reflect", {_RESULT}) -> '
    "Tensor",
    impl=_stft,
)
op(f"aten::stft({_ANALYSIS}, {_RESULT}) -> Tensor", impl=_stft)
op(
    f"aten::istft({_ANALYSIS}, bool center=True, bool normalized=False, bool? onesided=None, int? "
    "length=None, bool return_complex=False) -> Tensor",
    impl=_istft,
)
