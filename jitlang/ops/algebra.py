"""The algebra in which bodies and gradients are written, and its NumPy and graph readings.

A pointwise body is a Python function of an algebra `m` and operands, all of one dtype (the compute
dtype: float32 for the half types). Operands know Python's operators (`+ - * / -x abs(x) < <= > >=
& | ^ ~ << >>`, `m.eq` and `m.ne` for equality); everything else is a method of `m`. A Python
number takes the dtype of the operand beside it. Every operation rounds to its operands' dtype;
nothing is contracted but what is written as `m.fma`.

Primitives: `sqrt floor ceil trunc rint fmod minimum maximum select eq ne isnan constant fma scaled
floor_divide remainder truncated_remainder integer_power natural_power widen narrow bits from_bits
to_integer to_floating lookup rare`. Elementary functions (`exp`, `tanh` ...) are expressions in
the primitives (`ops/elementary.py`), so every reading of the primitives has them, with equal bits.

Readings: `NumpyAlgebra` here (exact, or fast with the array library's functions), `GraphAlgebra`
here (a body becomes calls of rows), `symbolic.SymbolicAlgebra` (expression trees), later generated
kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir.builder import Builder
from ..ir.graph import Value
from . import elementary, fused

Operand = Any


class Algebra:
    """What every reading offers. Elementary functions are derived from the primitives."""

    def dtype_of(self, x: Operand) -> DType:
        """The dtype of an operand."""
        raise NotImplementedError

    def sign(self: Any, x: Operand) -> Operand:
        """1, -1 or 0; 0 for NaN. Booleans are their own sign."""
        dtype = self.dtype_of(x)
        if dtype is dtypes.bool_:
            return x
        zero, one = self.constant(0, x), self.constant(1, x)
        positive = self.select(x > 0, one, zero)
        return positive if not dtype.is_signed else self.select(x < 0, -one, positive)


ELEMENTARY: tuple[str, ...] = tuple(elementary.__all__)


def _expanded(name: str) -> Callable[..., Operand]:
    expression = getattr(elementary, name)

    def apply(self: Algebra, *operands: Operand) -> Operand:
        return expression(self, *operands)

    apply.__name__, apply.__doc__ = name, expression.__doc__
    return apply


for _name in ELEMENTARY:
    setattr(Algebra, _name, _expanded(_name))


class NumpyAlgebra(Algebra):
    """Operands are arrays of `xp`; `compute` is the dtype that `narrow` rounds to."""

    def __init__(self, xp: Any, compute: DType) -> None:
        self.xp = xp
        self.compute = compute
        for name in ("sqrt", "floor", "ceil", "trunc", "rint", "fmod", "isnan"):
            setattr(self, name, getattr(xp, name))
        self.select = xp.where
        self.eq = xp.equal
        self.ne = xp.not_equal

    def dtype_of(self, x: Operand) -> DType:
        return dtypes.from_numpy(x.dtype)

    def constant(self, value: float, like: Operand) -> Operand:
        """A number in the dtype of an operand, for places where none stands beside it."""
        return like.dtype.type(value)

    def maximum(self, x: Operand, y: Operand) -> Operand:
        """The greater; NaN if either is; `y` of two equal ones (so the sign of zero is defined)."""
        x, y = self._pair(x, y)
        return self.select((x > y) | (x != x), x, y)

    def minimum(self, x: Operand, y: Operand) -> Operand:
        """The lesser; NaN if either is; `y` of two equal ones."""
        x, y = self._pair(x, y)
        return self.select((x < y) | (x != x), x, y)

    def _pair(self, x: Operand, y: Operand) -> tuple[Operand, Operand]:
        if not hasattr(x, "dtype"):
            x = self.constant(x, y)
        return x, y if hasattr(y, "dtype") else self.constant(y, x)

    def floor_divide(self, x: Operand, y: Operand) -> Operand:
        """The quotient of integers rounded down.

        Raises:
            RuntimeError: a divisor is zero.
        """
        return self.xp.floor_divide(x, self._divisor(y))

    def remainder(self, x: Operand, y: Operand) -> Operand:
        """What is left of integers after `floor_divide`; it has the sign of `y`."""
        return self.xp.remainder(x, self._divisor(y))

    def truncated_remainder(self, x: Operand, y: Operand) -> Operand:
        """What is left of integers after dividing toward zero; it has the sign of `x`."""
        return self.xp.fmod(x, self._divisor(y))

    def _divisor(self, y: Operand) -> Operand:
        if not self.xp.all(y):
            raise RuntimeError("ZeroDivisionError")
        return y

    def integer_power(self, x: Operand, y: Operand) -> Operand:
        """A power of integers, wrapping; for negative exponents the truncated quotient."""
        raised = self.xp.power(x, self.xp.where(y < 0, y.dtype.type(0), y))
        inverse = self.xp.where(x == -1, self.xp.where(y & 1, x, 1), self.xp.where(x == 1, x, 0))
        return self.xp.where(y < 0, inverse, raised).astype(x.dtype)

    def natural_power(self, x: Operand, y: Operand) -> Operand:
        """A power of integers, wrapping.

        Raises:
            ValueError: an exponent is negative.
        """
        return self.xp.power(x, y)

    def fma(self, x: Operand, y: Operand, z: Operand) -> Operand:
        """x * y + z, rounded once."""
        return fused.multiply_add(self.xp, x, y, z)

    def scaled(self, x: Operand, n: Operand) -> Operand:
        """x * 2^n for integral n, rounded once as long as x * 2^(n / 2) is a normal number or 0.

        An infinite n is for x that are 0 only; a NaN for NaN.
        """
        limit = x.dtype.type(4096)
        n = self.xp.clip(self.xp.where(self.xp.isnan(n), limit, n), -limit, limit)
        return self.xp.ldexp(x, n.astype("int32"))

    def widen(self, x: Operand) -> Operand:
        """float32 to float64 (exact); float64 is as wide as it gets."""
        return x.astype("float64")

    def narrow(self, x: Operand) -> Operand:
        """Round to the compute dtype."""
        return x.astype(self.compute.numpy)

    def bits(self, x: Operand) -> Operand:
        """The bit pattern as a signed integer of the same width."""
        return x.view(f"int{x.dtype.itemsize * 8}")

    def from_bits(self, x: Operand) -> Operand:
        """The float with this bit pattern."""
        return x.view(f"float{x.dtype.itemsize * 8}")

    def to_integer(self, x: Operand) -> Operand:
        """A float with an integral value as an integer of the same width; others give any value."""
        return x.astype(f"int{x.dtype.itemsize * 8}")

    def to_floating(self, x: Operand) -> Operand:
        """An integer as a float of the same width."""
        return x.astype(f"float{x.dtype.itemsize * 8}")

    def lookup(self, table: Sequence[int], index: Operand) -> Operand:
        """`table[index]` as int64, for indices in range."""
        return self.xp.asarray(table, dtype="int64")[index]

    def rare(self, condition: Operand, unusual: Callable[[], Operand], usual: Operand) -> Operand:
        """`select(condition, unusual(), usual)`, where a reading may skip what no element needs."""
        return self.xp.where(condition, unusual(), usual) if condition.any() else usual


# Ours and the array library's names of elementary functions.
_NUMPY_NAMES = {
    name: name
    for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh", "sinh", "cosh", "sin",
        "cos", "tan", "hypot", "maximum", "minimum",
    )
} | {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "pow": "power",
}  # fmt: skip


class FastNumpyAlgebra(NumpyAlgebra):
    """The array library's own elementary functions."""

    def __init__(self, xp: Any, compute: DType) -> None:
        super().__init__(xp, compute)
        for ours, theirs in _NUMPY_NAMES.items():
            setattr(self, ours, getattr(xp, theirs))
        if compute.category >= dtypes.Category.FLOATING:
            # 0-dim arrays: NumPy converts a Python number anew in each call.
            self._one = xp.asarray(1, compute.numpy)
            self._high = xp.asarray(40, compute.numpy)

    def fma(self, x: Operand, y: Operand, z: Operand) -> Operand:
        return x * y + z

    def gated(self, x: Operand, z: Operand) -> Operand:
        return x * self.sigmoid(z)

    def sigmoid(self, x: Operand) -> Operand:
        if self.compute.is_complex:
            return 1 / (1 + self.xp.exp(-x))
        # exp cannot overflow below 40, and from 40 on the result rounds to 1 in float64 too.
        raised = self.xp.exp(self.xp.minimum(x, self._high))
        if raised.ndim == 0:
            return raised / (raised + self._one)
        return self.xp.divide(raised, self.xp.add(raised, self._one), raised)


class Expression:
    """An operand of readings that build something: Python's operators become `combine` calls.

    `dtype` is the operand's dtype, or None where a reading does not know it.
    """

    __slots__ = ("algebra", "dtype", "value")

    __array_ufunc__ = None  # a body that calls NumPy instead of `m` fails

    def __init__(self, algebra: Any, value: Any, dtype: DType | None) -> None:
        self.algebra = algebra
        self.value = value
        self.dtype = dtype

    def __bool__(self) -> bool:
        raise TypeError("a body cannot branch on the value of an operand; use m.select")

    __hash__ = None  # type: ignore[assignment]


def _operator(name: str, swapped: bool = False) -> Callable[..., Expression]:
    def apply(self: Expression, *others: Any) -> Expression:
        operands = (*others, self) if swapped else (self, *others)
        result: Expression = self.algebra.combine(name, *operands)
        return result

    return apply


_BINARY = ("add", "sub", "mul", "truediv", "and", "or", "xor", "lshift", "rshift")
for _name in (*_BINARY, "lt", "le", "gt", "ge", "neg", "abs", "invert"):
    setattr(Expression, f"__{_name}__", _operator(_name))
for _name in _BINARY:
    setattr(Expression, f"__r{_name}__", _operator(_name, swapped=True))

_TESTS = frozenset(("lt", "le", "gt", "ge", "eq", "ne", "isnan"))
_BITS = {dtypes.float32: dtypes.int32, dtypes.float64: dtypes.int64}
_FLOATS = {dtypes.int32: dtypes.float32, dtypes.int64: dtypes.float64}


def primitive_dtype(name: str, operands: Sequence[DType | None], compute: DType) -> DType:
    """The dtype of a primitive's result; an operand that is a Python number has dtype None.

    Raises:
        TypeError: the operands do not agree, or the primitive does not take their dtype.
    """
    if name == "lookup":
        return dtypes.int64
    if name == "constant":
        operands = operands[1:]
    if name == "select":
        if operands[0] is not dtypes.bool_:
            raise TypeError(f"m.select takes a condition, found {operands[0]}")
        operands = operands[1:]
    known = {dtype for dtype in operands if dtype is not None}
    if len(known) != 1:
        raise TypeError(f"m.{name} takes operands of one dtype, found {list(operands)}")
    (dtype,) = known
    if name in _TESTS:
        return dtypes.bool_
    if name == "widen":
        return dtypes.float64
    if name == "narrow":
        return compute
    table = {"bits": _BITS, "to_integer": _BITS, "from_bits": _FLOATS, "to_floating": _FLOATS}.get(
        name
    )
    if table is None:
        return dtype
    if dtype not in table:
        raise TypeError(f"m.{name} does not take {dtype}")
    return table[dtype]


class BuildingAlgebra(Algebra):
    """Base of readings over `Expression`s. `compute` is the dtype that `narrow` rounds to."""

    def __init__(self, compute: DType) -> None:
        self.compute = compute

    def dtype_of(self, x: Operand) -> DType:
        if x.dtype is None:
            raise TypeError("the dtype of an operand is not known here")
        dtype: DType = x.dtype
        return dtype

    def combine(self, name: str, *operands: Any) -> Expression:
        """The operation `name` on expressions and Python numbers."""
        given = [o.dtype if isinstance(o, Expression) else None for o in operands]
        dtype = primitive_dtype(name, given, self.compute)
        return Expression(self, self.build(name, operands, dtype), dtype)

    def build(self, name: str, operands: Sequence[Any], dtype: DType) -> Any:
        """The value of an operation whose result has dtype `dtype`."""
        raise NotImplementedError

    def rare(self, condition: Operand, unusual: Callable[[], Operand], usual: Operand) -> Operand:
        """`select(condition, unusual(), usual)`."""
        return self.combine("select", condition, unusual(), usual)


def _primitive(name: str) -> Callable[..., Expression]:
    def apply(self: BuildingAlgebra, *operands: Any) -> Expression:
        return self.combine(name, *operands)

    apply.__name__ = name
    return apply


PRIMITIVES = (
    "sqrt", "floor", "ceil", "trunc", "rint", "fmod", "minimum", "maximum", "select", "eq", "ne",
    "isnan", "constant", "fma", "scaled", "floor_divide", "remainder", "truncated_remainder",
    "integer_power", "natural_power", "widen", "narrow", "bits", "from_bits", "to_integer",
    "to_floating", "lookup",
)  # fmt: skip
for _name in PRIMITIVES:
    setattr(BuildingAlgebra, _name, _primitive(_name))

_ROW_OF = {
    "truediv": "div", "and": "__and__", "or": "__or__", "xor": "__xor__", "lshift": "__lshift__",
    "rshift": "__rshift__", "invert": "bitwise_not", "rint": "round", "select": "where",
}  # fmt: skip


# Rows cannot express these: they work on the representation, or have no row of their own.
_WITHOUT_ROW = frozenset(
    (
        "fma",
        "scaled",
        "widen",
        "narrow",
        "bits",
        "from_bits",
        "to_integer",
        "to_floating",
        "lookup",
        "integer_power",
        "natural_power",
    )
)
_COMMUTED = {"sub": "aten::rsub", "add": "aten::add", "mul": "aten::mul"}


class GraphAlgebra(BuildingAlgebra):
    """A body becomes calls of rows, inserted by `builder`.

    Elementary functions are rows of their own, so they are not expanded. Nothing is cast here: for
    a half type the caller casts operands to float32 and the result back, as the row itself does.
    """

    def __init__(self, builder: Builder) -> None:
        super().__init__(dtypes.float32)
        self.builder = builder

    def expression(self, value: Value) -> Expression:
        """A graph value as an operand."""
        return Expression(self, value, getattr(value.type, "dtype", None))

    def combine(self, name: str, *operands: Any) -> Expression:
        if name in _WITHOUT_ROW:
            raise NotImplementedError(f"m.{name} has no row; it cannot stand in a graph")
        if name == "constant":
            number, like = operands
            full = self.builder.op("aten::full_like", like.value, self.builder.constant(number))
            return self.expression(full)
        values = [
            o.value if isinstance(o, Expression) else self.builder.constant(o) for o in operands
        ]
        if isinstance(operands[0], Expression):
            return self.expression(self.builder.op(f"aten::{_ROW_OF.get(name, name)}", *values))
        return self.expression(self._number_first(name, operands[0], values))

    def gated(self, x: Operand, z: Operand) -> Operand:
        """By rows."""
        return x * self.combine("sigmoid", z)

    def _number_first(self, name: str, number: Any, values: list[Value]) -> Value:
        """A number on the left, where most rows want a tensor."""
        number_value, tensor = values
        if name in _COMMUTED:
            return self.builder.op(_COMMUTED[name], tensor, number_value)
        if name == "truediv" and number == 1:
            return self.builder.op("aten::reciprocal", tensor)
        full = self.builder.op("aten::full_like", tensor, number_value)
        return self.builder.op(f"aten::{_ROW_OF.get(name, name)}", full, tensor)


for _name in (*ELEMENTARY, "sign"):
    if _name not in vars(GraphAlgebra):
        setattr(GraphAlgebra, _name, _primitive(_name))
