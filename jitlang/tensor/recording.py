"""Which results require gradients: torch's rules for flags. What would be recorded to compute the
gradients is not there yet, so the `grad_fn` of a result is a placeholder.

A result requires a gradient where an operand of its row does, the row is differentiable, the
result's dtype is floating or complex, and recording is on in this thread (`grad_mode`).
"""

from __future__ import annotations

from typing import Any

from ..ir import types as ty
from ..ir.opdef import OpDef
from .core import Tensor
from .grad_mode import is_grad_enabled

CONSTANT_ROWS = frozenset({
    "detach", "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like",
    "new_zeros", "new_ones", "new_full", "new_empty", "view.dtype", "histc",
})  # fmt: skip
"""Rows whose results do not depend on the elements of their operands, or do not admit it."""


COMPARED = frozenset(("hinge_embedding_loss", "cosine_embedding_loss"))
"""Rows that only compare their target: no gradient goes there."""


class Unrecorded:
    """What `grad_fn` is while nothing is recorded: it says that a tensor is a result."""

    def __repr__(self) -> str:
        return "<Unrecorded>"

    def __reduce__(self) -> str:
        return "UNRECORDED"


UNRECORDED = Unrecorded()


def is_differentiable(op: OpDef) -> bool:
    """Whether results of a row can require gradients, their dtype permitting."""
    names = {name.partition("::")[2] for name in (op.name, op.full_name)}
    return names.isdisjoint(CONSTANT_ROWS) and any(
        ty.has_tensors(returned.type) for returned in op.schema.returns
    )


def gives_gradient(op: OpDef, index: int) -> bool:
    """Whether gradients go to an argument of a differentiable row."""
    arguments = op.schema.arguments
    is_target = index < len(arguments) and arguments[index].name == "target"
    return not (is_target and op.name.partition("::")[2] in COMPARED)


def requires_grad(value: Any) -> bool:
    """Whether a tensor, or one inside of a list, tuple or dict, requires a gradient."""
    if isinstance(value, Tensor):
        return value.requires_grad
    if isinstance(value, dict):
        return any(map(requires_grad, value.values()))
    return isinstance(value, list | tuple) and any(map(requires_grad, value))


def record(result: Any) -> Any:
    """Note that a new tensor, or each of several, was computed from one that requires a gradient.

    Returns:
        What was given.
    """
    if isinstance(result, list | tuple):
        for each in result:
            record(each)
    elif isinstance(result, Tensor) and not result.requires_grad and is_grad_enabled():
        _mark(result)
    return result


def record_each(results: Any, sources: Any) -> Any:
    """The same for results of which each was computed from one source."""
    for result, source in zip(results, sources, strict=True):
        if requires_grad(source):
            record(result)
    return results


def _mark(result: Tensor) -> None:
    if result._array.dtype.kind not in "iub":
        result.requires_grad = True
        result.grad_fn = UNRECORDED


def refuse_write(tensor: Any) -> None:
    """Refuse to write into what a gradient is wanted of, while recording is on.

    Raises:
        RuntimeError: the tensor is a leaf that requires a gradient, or a view of one.
    """
    if not isinstance(tensor, Tensor) or not tensor.requires_grad or not is_grad_enabled():
        return
    if tensor.is_leaf:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    base = tensor._base
    if base is not None and base.requires_grad and base.is_leaf:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation."
        )


def detach_in_place(tensor: Tensor) -> Tensor:
    """Forget that a tensor requires a gradient.

    Raises:
        RuntimeError: it is a view.
    """
    if tensor._base is not None:
        raise RuntimeError("Can't detach views in-place. Use detach() instead.")
    tensor.requires_grad, tensor.grad_fn = False, None
    return tensor


def record_write(tensor: Tensor) -> None:
    """Note that a tensor was written with one that requires a gradient; so was its base."""
    for each in (tensor, tensor._base):
        if each is not None:
            record(each)
