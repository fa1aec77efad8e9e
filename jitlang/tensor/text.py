"""How a tensor prints: torch's layout, digits and summaries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import DType


@dataclass
class PrintOptions:
    """Torch's print options."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


OPTIONS = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors print; arguments that are None stay as they are, except `sci_mode`."""
    given = {
        "precision": precision, "threshold": threshold, "edgeitems": edgeitems,
        "linewidth": linewidth,
    }  # fmt: skip
    for name, value in given.items():
        if value is not None:
            setattr(OPTIONS, name, value)
    OPTIONS.sci_mode = sci_mode


class _Formatter:
    """Formats the elements of one tensor to one width."""

    def __init__(self, shown: np.ndarray, dtype: DType) -> None:
        self.floating = dtype.is_floating_point
        self.int_mode = True
        self.sci_mode = False
        self.width = 1
        if not self.floating:
            self.width = max((len(str(v)) for v in shown.tolist()), default=1)
            return
        wide = shown.astype(np.float64)
        # Zeros, NaN and infinities do not count for the width, as in torch.
        counted = wide[np.isfinite(wide) & (wide != 0)]
        if not counted.size:
            return
        self._choose(np.abs(counted))
        if OPTIONS.sci_mode is not None:
            self.sci_mode = OPTIONS.sci_mode
        self.width = max(len(self._plain(v)) for v in counted.tolist())

    def _choose(self, usable: np.ndarray) -> None:
        low, high = float(usable.min()), float(usable.max())
        self.int_mode = bool((usable == np.ceil(usable)).all())
        ratio = high / low if low else math.inf
        self.sci_mode = ratio > 1000.0 or high > 1.0e8 or (not self.int_mode and low < 1.0e-4)

    def _plain(self, value: float) -> str:
        if not math.isfinite(value):
            return str(value)
        if self.sci_mode:
            return f"{value:.{OPTIONS.precision}e}"
        if self.int_mode:
            return f"{value:.0f}."
        return f"{value:.{OPTIONS.precision}f}"

    def format(self, value: Any) -> str:
        """One element, padded."""
        text = self._plain(value) if self.floating else str(value)
        return text.rjust(self.width)


class _ComplexFormatter:
    """Formats real and imaginary parts, each to its own width."""

    def __init__(self, shown: np.ndarray, part: DType) -> None:
        self.real = _Formatter(shown.real.ravel(), part)
        self.imag = _Formatter(shown.imag.ravel(), part)
        self.width = self.real.width + self.imag.width + 1

    def format(self, value: complex) -> str:
        imag = self.imag.format(value.imag).lstrip()
        sign = "" if imag.startswith("-") else "+"
        return f"{self.real.format(value.real)}{sign}{imag}j"


def _formatter(array: np.ndarray, dtype: DType) -> Any:
    summarized = _summarize(array) if array.size > OPTIONS.threshold else array
    flat = summarized.ravel()
    if dtype.is_complex:
        return _ComplexFormatter(flat, dtypes.to_real(dtype))
    return _Formatter(flat, dtype)


def _summarize(array: np.ndarray) -> np.ndarray:
    """The corners that a summary shows."""
    edge = OPTIONS.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            index = np.r_[0:edge, size - edge : size]
            array = np.take(array, index, axis)
    return array


def _vector(array: np.ndarray, indent: int, summarize: bool, formatter: Any) -> str:
    values = array.tolist()
    edge = OPTIONS.edgeitems
    if summarize and len(values) > 2 * edge:
        parts = [formatter.format(v) for v in values[:edge]] + [" ..."]
        parts += [formatter.format(v) for v in values[-edge:]]
    else:
        parts = [formatter.format(v) for v in values]
    per_line = max(1, math.floor((OPTIONS.linewidth - indent) / (formatter.width + 2)))
    lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(array: np.ndarray, indent: int, summarize: bool, formatter: Any) -> str:
    if array.ndim == 0:
        return str(formatter.format(array.tolist()))
    if array.ndim == 1:
        return _vector(array, indent, summarize, formatter)
    edge = OPTIONS.edgeitems
    rows = list(range(len(array)))
    shortened = summarize and len(rows) > 2 * edge
    if shortened:
        rows = rows[:edge] + rows[-edge:]
    parts = [_nested(array[i], indent + 1, summarize, formatter) for i in rows]
    if shortened:
        parts.insert(edge, "...")
    separator = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + separator.join(parts) + "]"


def tensor_text(array: Any, dtype: DType, note: str, name: str = "Tensor") -> str:
    """What `repr` shows: `tensor([1., 2.])`, with the dtype where the elements do not say it, and
    with a note on gradients.
    """
    prefix = "tensor("
    device = "" if isinstance(array, np.ndarray) else f"device='{array.device}'"
    host = array if isinstance(array, np.ndarray) else array.get()
    suffixes = [device] if device else []
    usual = (dtypes.default_dtype(), dtypes.default_complex(), dtypes.int64, dtypes.bool_)
    if host.size == 0:
        if host.ndim != 1:
            suffixes.append(f"size={tuple(host.shape)}")
        if dtype is not dtypes.default_dtype():
            suffixes.append(f"dtype={dtype}")
        body = "[]"
    else:
        if dtype not in usual:
            suffixes.append(f"dtype={dtype}")
        shown = host.astype(np.float32) if dtype is dtypes.bfloat16 else host
        body = _nested(shown, len(prefix), host.size > OPTIONS.threshold, _formatter(shown, dtype))
    suffixes += [note] if note else []
    text = _with_suffixes(prefix + body, suffixes, len(prefix))
    return f"Parameter containing:\n{text}" if name == "Parameter" else text


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Append the suffixes, on a new line where the last one is full."""
    last_line = len(text) - text.rfind("\n") - 1
    for suffix in suffixes:
        if last_line + len(suffix) + 2 > OPTIONS.linewidth:
            text += ",\n" + " " * indent + suffix
            last_line = indent + len(suffix)
        else:
            text += ", " + suffix
            last_line += len(suffix) + 2
    return text + ")"
