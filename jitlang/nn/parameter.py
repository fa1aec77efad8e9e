"""Tensors that a model learns."""

from __future__ import annotations

from ..tensor import Tensor
from ..tensor.core import rebuild


class Parameter(Tensor):
    """A tensor that requires a gradient unless told not to; it shares the memory of `data`.

    Raises:
        RuntimeError: a gradient is asked for a dtype that is neither floating nor complex.
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        found = Tensor([]) if data is None else data
        made = rebuild(cls, found._array, False)
        assert isinstance(made, Parameter)
        if requires_grad:
            made.requires_grad_()
        return made

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        pass
