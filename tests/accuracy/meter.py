"""Errors in ULP, in a generated loop: the reference calls the C library in a wider type.

A float32 or half result is compared with double functions, a float64 result with the 64-bit
mantissas of `long double`. Their own errors are below 2^-28 and 2^-10 ULP of the result measured.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from jitlang import dtypes
from jitlang.codegen.assembler import Assembler, Lane, constant, integer
from jitlang.codegen.llvm import compile_module
from jitlang.dtypes import DType
from jitlang.ops.algebra import BuildingAlgebra, Expression

Reference = Callable[..., Any]
LIBM = ctypes.CDLL("libm.so.6")
FUNCTIONS = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "pow", "atan2",
    "hypot", "sqrt", "rint",
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """A floating-point format: how its elements are given, and where its last places lie."""

    dtype: DType
    storage: str
    wide: str
    fraction_bits: int
    min_exponent: int
    max_exponent: int


FLOAT32 = Format(dtypes.float32, "float", "double", 23, -126, 127)
FLOAT64 = Format(dtypes.float64, "double", "x86_fp80", 52, -1022, 1023)
FLOAT16 = Format(dtypes.float16, "float", "double", 10, -14, 15)
BFLOAT16 = Format(dtypes.bfloat16, "float", "double", 7, -126, 127)


class LibmAlgebra(BuildingAlgebra):
    """A reference as instructions on `wide` numbers; elementary functions are the C library's."""

    def __init__(self, assembler: Assembler, wide: str) -> None:
        super().__init__(dtypes.float64)
        self.a, self.wide = assembler, wide
        self.imports: dict[str, int] = {}

    def operand(self, value: Lane) -> Expression:
        return Expression(self, value, dtypes.float64)

    def combine(self, name: str, *operands: Any) -> Expression:
        values = [self.lane(o) for o in operands]
        if name in FUNCTIONS:
            return self.operand(self.called(name, values))
        if name in ("lt", "le", "gt", "ge", "eq"):
            x, y = values
            made = self.a.value(f"fcmp o{name} {x}, {y.text}", "i1")
            return Expression(self, made, dtypes.bool_)
        if name == "select":
            return self.operand(self.a.select(*values))
        if name == "neg":
            return self.operand(self.a.value(f"fneg {values[0]}", self.wide))
        if name == "abs":
            return self.combine("select", operands[0] < 0, -operands[0], operands[0])
        kind = {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv"}[name]
        return self.operand(self.a.binary(kind, *values))

    def lane(self, value: Any) -> Lane:
        if isinstance(value, Expression):
            return value.value
        number = constant(value, dtypes.float64)
        return number if self.wide == "double" else self.a.cast("fpext", number, self.wide)

    def called(self, name: str, values: Sequence[Lane]) -> Lane:
        spelled = name + ("" if self.wide == "double" else "l")
        symbol = f"reference_{spelled}"
        address = ctypes.cast(getattr(LIBM, spelled), ctypes.c_void_p).value
        assert address is not None
        self.imports[symbol] = address
        return self.a.call(symbol, values, self.wide)

    def number(self, value: float) -> Expression:
        """A number as an operand."""
        return self.operand(self.lane(value))

    @property
    def pi(self) -> Expression:
        """The number, to the precision of the wide type."""
        return self.combine("acos", -1.0)


for _name in FUNCTIONS:
    setattr(
        LibmAlgebra,
        _name,
        lambda self, *operands, name=_name: self.combine(name, *operands),
    )


@cache
def meter(reference: Reference, arity: int, format: Format) -> Callable[..., Any]:
    """`errors(operands, got)`: how far results are from the reference, in ULP, as float32.

    Infinite where NaN, infinity or the sign of zero is wrong. An infinite result counts as the
    number one last place above the largest.
    """
    a = Assembler()
    x_pointers = [Lane(f"%x{n}", "ptr") for n in range(arity)]
    m = LibmAlgebra(a, format.wide)
    with a.loop(integer(0), Lane("%count", "i64")) as index:
        given = [_read(a, p, index, format.storage, format.wide) for p in x_pointers]
        got = _read(a, Lane("%got", "ptr"), index, format.storage, format.wide)
        wanted = reference(m, *map(m.operand, given)).value
        error = _distance(m, got, wanted, format)
        place = a.offset(Lane("%errors", "ptr"), index, "float")
        a.store(a.cast("fptrunc", error, "float"), place)
    a.write("ret void")
    pointers = ", ".join(f"ptr {p.text}" for p in x_pointers)
    text = a.function(f"define void @measure({pointers}, ptr %got, ptr %errors, i64 %count)")
    library = compile_module(text, ["measure"], m.imports, is_kernel=True)
    pointer = ctypes.c_void_p
    function = library.function("measure", None, *(pointer,) * (arity + 2), ctypes.c_int64)

    def errors(operands: Sequence[Any], got: Any) -> Any:
        made = np.empty(got.shape, np.float32)
        for array in (*operands, got):
            assert array.flags.c_contiguous and array.shape == got.shape
        addresses = [array.ctypes.data for array in (*operands, got, made)]
        function(*addresses, got.size)
        return made

    return errors


@cache
def _comparison(format: Format) -> Any:
    a = Assembler()
    m = LibmAlgebra(a, "double")
    with a.loop(integer(0), Lane("%count", "i64")) as index:
        got = _read(a, Lane("%got", "ptr"), index, format.storage, "double")
        wanted = _read(a, Lane("%wanted", "ptr"), index, "double", "double")
        place = a.offset(Lane("%errors", "ptr"), index, "float")
        a.store(a.cast("fptrunc", _distance(m, got, wanted, format), "float"), place)
    a.write("ret void")
    pointers = ", ".join(f"ptr noalias %{name}" for name in ("got", "wanted", "errors"))
    text = a.function(f"define void @compare({pointers}, i64 %count)")
    library = compile_module(text, ["compare"])
    return library.function("compare", None, *(ctypes.c_void_p,) * 3, ctypes.c_int64)


def compared(got: Any, wanted: Any, format: Format) -> Any:
    """Errors of float32 results against float64 numbers, as `meter` counts them."""
    made = np.empty(got.shape, np.float32)
    got, wanted = np.ascontiguousarray(got), np.ascontiguousarray(wanted)
    addresses = [array.ctypes.data for array in (got, wanted, made)]
    _comparison(format)(*addresses, got.size)
    return made


def _read(a: Assembler, pointer: Lane, index: Lane, storage: str, wide: str) -> Lane:
    found = a.load(a.offset(pointer, index, storage), storage)
    return found if storage == wide else a.cast("fpext", found, wide)


def _distance(m: LibmAlgebra, got: Lane, wanted: Lane, format: Format) -> Lane:
    """|got - wanted| over the last place of `wanted`."""
    a, infinite = m.a, m.lane(float("inf"))
    places = _inverse_of_place(m, wanted, format)
    top = m.combine("mul", 2.0**format.max_exponent, 2.0)
    ends = [_limited(m, m.operand(value), top) for value in (got, wanted)]
    distance = (abs(ends[0] - ends[1]) * places).value
    is_nan = [a.value(f"fcmp uno {value}, {value.text}", "i1") for value in (got, wanted)]
    signs = [_bits(a, value) for value in (got, wanted)]
    turned = a.compare("slt", a.binary("xor", *signs), integer(0))
    is_zero = a.value(f"fcmp oeq {wanted}, {m.lane(0.0).text}", "i1")
    distance = a.select(a.binary("and", turned, is_zero), infinite, distance)
    distance = a.select(a.binary("or", *is_nan), infinite, distance)
    return a.select(a.binary("and", *is_nan), m.lane(0.0), distance)


def _limited(m: LibmAlgebra, x: Expression, top: Expression) -> Expression:
    x = m.select(x > top, top, x)
    return m.select(x < -top, -top, x)


def _bits(a: Assembler, x: Lane) -> Lane:
    narrow = x if x.element == "double" else a.cast("fptrunc", x, "double")
    return a.cast("bitcast", narrow, "i64")


def _inverse_of_place(m: LibmAlgebra, wanted: Lane, format: Format) -> Expression:
    """1 over the last place of a number, from the exponent of the float64 below it."""
    a = m.a
    size = abs(m.operand(wanted)).value
    bits = _bits(a, size)
    rounded = a.cast("bitcast", bits, "double")
    if format.wide != "double":
        rounded = a.cast("fpext", rounded, format.wide)
        is_above = a.value(f"fcmp ogt {rounded}, {size.text}", "i1")
        bits = a.sub(bits, a.cast("zext", is_above, "i64"))
    field = a.binary("lshr", bits, integer(52))
    for name, limit in (("smax", format.min_exponent), ("smin", format.max_exponent)):
        field = a.call(f"llvm.{name}.i64", [field, integer(limit + 1023)], "i64")
    # 2^(1 - exponent): a normal number for every exponent of a float64.
    power = a.binary("shl", a.sub(integer(2047), field), integer(52))
    scale = a.cast("bitcast", power, "double")
    if format.wide != "double":
        scale = a.cast("fpext", scale, format.wide)
    return m.operand(scale) * 2.0 ** (format.fraction_bits - 1)
