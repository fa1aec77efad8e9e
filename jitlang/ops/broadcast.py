"""Errors of broadcasting, as torch words them.

Kernels let the array library do the work and find the fault: its ValueError names the shapes. On
the NumPy surface that error is the right one. For tensors, who runs the kernel brings it into
torch's class and words here.
"""

from __future__ import annotations

import re

_SHAPES = re.compile(r"could not be broadcast together with (?:remapped )?shapes ([^\n]*)")
_SHAPE = re.compile(r"\(([\d,]*)\)")


def as_torch_error(error: ValueError) -> RuntimeError | None:
    """What torch raises where NumPy could not broadcast; None for another error."""
    found = _SHAPES.search(str(error))
    if found is None:
        return None
    shapes = [
        tuple(int(size) for size in text.split(",") if size)
        for text in _SHAPE.findall(found.group(1))
    ]
    rank = max(map(len, shapes), default=0)
    for back in range(1, rank + 1):
        sizes = [shape[-back] for shape in shapes if back <= len(shape)]
        own = next((size for size in sizes if size != 1), 1)
        other = next((size for size in sizes if size not in (1, own)), None)
        if other is not None:
            return RuntimeError(
                f"The size of tensor a ({own}) must match the size of tensor b ({other}) at"
                f" non-singleton dimension {rank - back}"
            )
    return None
