"""Composite rows, which are made of other rows: two readings of one body.

    composite("aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
              lambda m, a, b, reduction: reduced(m, m.square(m.sub(a, b)), reduction), infer=...)

`m.NAME(...)` is the row `aten::NAME` that takes these arguments; `m.dtype`, `m.rank`, `m.size` and
`m.shape` say what a tensor is like, `m.require` raises where its elements are not as they must be.
Whatever is not a tensor is a Python value in both readings.

Read with arrays the body is the row's reference kernel. Read with the values of a graph it inserts
the parts, which fuse with what stands around them and have gradients. That reading needs the facts
which the body asks for: where one is not known, or is wrong, the row stays as it is, and its kernel
words the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import Value, constant_type
from ..ir.matching import Match, match_overloads
from ..ir.opdef import OPS, OpDef
from ..ir.types import TensorType, Type

Operand = Any


class UnknownFact(Exception):
    """A body asks for what is not known of a tensor before it is there."""


class Reading:
    """What bodies are written in."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The function that runs the row `aten::name` which takes its arguments, or inserts it.

        Arguments are what the schema says, in its order; several results are a sequence.
        """
        raise NotImplementedError

    def dtype(self, x: Operand) -> DType:
        """The dtype of a tensor."""
        raise NotImplementedError

    def rank(self, x: Operand) -> int:
        """How many dimensions a tensor has."""
        raise NotImplementedError

    def size(self, x: Operand, dim: int) -> int:
        """The size of a tensor in one dimension, which there must be."""
        raise NotImplementedError

    def shape(self, x: Operand) -> tuple[int, ...]:
        """The sizes of a tensor."""
        return tuple(self.size(x, dim) for dim in range(self.rank(x)))

    def require(
        self,
        holds: Operand,
        error: type[Exception],
        message: str,
        details: Callable[[], Operand] | None = None,
    ) -> None:
        """Raise an error where one element of a tensor of bools is false.

        Args:
            holds: the condition.
            error: a class of Python's.
            message: with `{}` for the detail.
            details: gives a 0-dim tensor of ints for the message.
        """
        raise NotImplementedError

    def cast(self, x: Operand, dtype: DType) -> Operand:
        """A tensor in another dtype; itself where it has that dtype."""
        return x if self.dtype(x) is dtype else self.to(x, dtype)


def equal_parts(m: Reading, x: Operand, count: int, dim: int = -1) -> list[Operand]:
    """Views of equal parts along a dimension, whose size `count` divides."""
    size = m.size(x, dim) // count
    return [m.slice(x, dim, at * size, (at + 1) * size, 1) for at in range(count)]


# Arrays -------------------------------------------------------------------------------------------

KernelOf = Callable[[OpDef, Any, bool], Callable[..., Any]]


class ArrayReading(Reading):
    """Operands are arrays of `xp`; every row runs its reference kernel."""

    def __init__(self, xp: Any, exact: bool, kernel_of: KernelOf) -> None:
        self._kernel_of: Callable[[OpDef], Callable[..., Any]] = lambda op: kernel_of(op, xp, exact)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # What was resolved is kept by the classes of the arguments: these calls are eager ones.
        known: dict[Any, tuple[Callable[..., Any], Sequence[Any]]] = {}

        def call(*args: Any) -> Any:
            kinds = tuple([value.__class__ for value in args])
            found = known.get(kinds)
            if found is None:
                found = known[kinds] = self._resolved(f"aten::{name}", args)
            kernel, defaults = found
            return kernel(*args, *defaults)

        setattr(self, name, call)
        return call

    def _resolved(self, name: str, args: Sequence[Any]) -> tuple[Callable[..., Any], Sequence[Any]]:
        """The kernel of the row that takes these arguments, and what it takes behind them."""
        match = match_overloads(OPS.overloads(name), [_type_of(value) for value in args], {})
        assert isinstance(match, Match), (name, match)
        return self._kernel_of(match.op), [
            a.default for a in match.op.schema.arguments[len(args) :]
        ]

    def dtype(self, x: Operand) -> DType:
        return dtypes.from_numpy(x.dtype)

    def rank(self, x: Operand) -> int:
        return int(x.ndim)

    def size(self, x: Operand, dim: int) -> int:
        return int(x.shape[dim])

    def shape(self, x: Operand) -> tuple[int, ...]:
        return tuple(x.shape)

    def require(
        self,
        holds: Operand,
        error: type[Exception],
        message: str,
        details: Callable[[], Operand] | None = None,
    ) -> None:
        if not bool(holds.all()):
            raise error(message if details is None else message.format(int(details())))


def _type_of(value: Any) -> Type:
    if isinstance(value, list | tuple):
        return ty.ListType(_type_of(value[0]) if value else ty.INT)
    return constant_type(value) or ty.TENSOR


@cache
def array_reading(xp: Any, exact: bool, kernel_of: KernelOf) -> ArrayReading:
    """The reading with arrays of a namespace, by kernels in one mode."""
    return ArrayReading(xp, exact, kernel_of)


# Graphs -------------------------------------------------------------------------------------------


class GraphReading(Reading):
    """Operands are values of a graph, into which `builder` inserts the rows."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            outputs = self.builder.call(f"aten::{name}", [self.value(value) for value in args])
            return outputs[0] if len(outputs) == 1 else outputs

        return call

    def value(self, given: Any) -> Value:
        """An argument as a value of the graph."""
        if isinstance(given, Value):
            return given
        if isinstance(given, list | tuple):
            items = [self.value(item) for item in given]
            return self.builder.list(items, None if items else ty.INT)
        return self.builder.constant(given)

    def dtype(self, x: Operand) -> DType:
        found = _type_of_tensor(x).dtype
        if found is None:
            raise UnknownFact
        return found

    def rank(self, x: Operand) -> int:
        found = _type_of_tensor(x).rank
        if found is None:
            raise UnknownFact
        return found

    def size(self, x: Operand, dim: int) -> int:
        sizes = _type_of_tensor(x).sizes
        found = None if sizes is None else sizes[dim]
        if found is None:
            raise UnknownFact
        return found

    def require(
        self,
        holds: Operand,
        error: type[Exception],
        message: str,
        details: Callable[[], Operand] | None = None,
    ) -> None:
        test = self.builder.op("aten::Bool", self.all(holds))
        branch = self.builder.node("prim::If", [test])
        branch.add_block()
        with self.builder.at(branch.add_block()):
            text = self.value(message)
            if details is not None:
                number = self.builder.op("aten::Int", details())
                text = self.builder.op("aten::format", text, number)
            self.builder.call("prim::RaiseException", [text, self.value(error.__name__)])


def _type_of_tensor(x: Operand) -> TensorType:
    assert isinstance(x.type, TensorType), x.type
    return x.type
