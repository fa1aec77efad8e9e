"""Reference kernels as native code calls them: into memory that is there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..arrays import ignore_float_errors, restore_float_errors
from ..ir import types as ty
from ..ir.graph import Node
from ..ops.arrays import READINGS
from ..ops.rows import KERNEL_ERRORS, kernel_of


@dataclass(frozen=True, slots=True)
class Given:
    """An argument that comes with the call, by its place among the inputs."""

    place: int


class ReferenceCall:
    """The kernel of a node's row.

    `call(*inputs, *outputs)` computes the row and copies its results into the outputs. It returns
    False where a result is not what was planned or the kernel raises; whoever runs the general code
    then finds out what there is to say.
    """

    def __init__(self, node: Node, template: Sequence[Any]) -> None:
        self.kernel = reference_kernel(node, np)
        self.template = template
        self.results = len(node.outputs)

    def __call__(self, *given: Any) -> bool:
        token = ignore_float_errors()
        try:
            found = self.kernel(*(_filled(place, given) for place in self.template))
        except KERNEL_ERRORS:
            return False
        finally:
            restore_float_errors(token)
        results = [found] if self.results == 1 else list(found)
        return all(map(_stored, results, given[-self.results :]))


def reference_kernel(node: Node, xp: Any, exact: bool = False) -> Callable[..., Any]:
    """The kernel of a node's row over an array namespace; on arrays NumPy's reading of it."""
    assert node.op is not None
    reading = READINGS.get(node.op.full_name)
    parts = (part for value in node.inputs for part in ty.walk(value.type))
    if reading is not None and any(map(ty.is_array, parts)):
        return partial(reading, xp)
    return kernel_of(node.op, xp, exact)


def _filled(place: Any, given: Sequence[Any]) -> Any:
    if isinstance(place, Given):
        return given[place.place]
    return [_filled(each, given) for each in place] if isinstance(place, list) else place


def _stored(result: Any, target: Any) -> bool:
    """Copy a result that is as planned."""
    array = np.asarray(result)
    is_planned = array.dtype == target.dtype and array.shape == target.shape
    if not is_planned or not array.flags.c_contiguous:
        return False
    np.copyto(target, array)
    return True
