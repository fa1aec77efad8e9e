"""Rows over int, float, complex, bool: arithmetic, comparison, logic, conversion.

An `aten::` row has torch's schema and Python's meaning; where the two differ (`**`, `round`) the
row is in the `jit::` namespace. Overloads that torch lacks (`aten::div.complex_float`) stand under
an `aten::` name only where torch has no meaning for those types.

Int results of checked rows must fit 64 bits (decision 14). Rows of `(Scalar, Scalar)` know their
result type from the types of their arguments; they are checked where that result is an int.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ir import types as ty
from ..ir.types import Type
from .rows import op, scalar
from .rules import HIDDEN

_RANK: dict[Type, int] = {ty.BOOL: 0, ty.INT: 1, ty.FLOAT: 2, ty.COMPLEX: 3}
_BY_RANK = (ty.INT, ty.INT, ty.FLOAT, ty.COMPLEX)


def arithmetic_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type of `a + b` over Python numbers: bools count as ints."""
    ranks = [_RANK.get(t) for t in types]
    known = [r for r in ranks if r is not None]
    return _BY_RANK[max(known)] if len(known) == len(ranks) else ty.NUMBER


def division_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type of `a / b`: never an int."""
    found = arithmetic_type(types, constants)
    return ty.FLOAT if found is ty.INT else found


def _same_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    found = ty.unify(types[0], types[-1])
    return found if found in _RANK and found is not None else ty.NUMBER


# Arithmetic ---------------------------------------------------------------------------------------

_MIXES = (
    ("int", "float"),
    ("float", "int"),
    ("int", "complex"),
    ("complex", "int"),
    ("float", "complex"),
    ("complex", "float"),
)
_WIDTH = {"int": 1, "float": 2, "complex": 3}


def _wider(a: str, b: str) -> str:
    return a if _WIDTH[a] >= _WIDTH[b] else b


def _arithmetic(name: str, symbol: str) -> None:
    expression = f"a {symbol} b"
    for kind in _WIDTH:
        scalar(
            f"aten::{name}.{kind}({kind} a, {kind} b) -> {kind}", expression, checked=kind == "int"
        )
    for a, b in _MIXES:
        scalar(f"aten::{name}.{a}_{b}({a} a, {b} b) -> {_wider(a, b)}", expression)
    scalar(
        f"aten::{name}(Scalar a, Scalar b) -> Scalar",
        expression,
        checked=True,
        infer=arithmetic_type,
    )


for _name, _symbol in (("add", "+"), ("sub", "-"), ("mul", "*")):
    _arithmetic(_name, _symbol)

scalar("aten::div.int(int a, int b) -> float", "a / b")
scalar("aten::div.complex(complex a, complex b) -> complex", "a / b")
scalar("aten::div.float(float a, float b) -> float", "a / b")
for _a, _b in _MIXES:
    scalar(f"aten::div.{_a}_{_b}({_a} a, {_b} b) -> {_wider(_a, _b)}", "a / b")
scalar("aten::div(Scalar a, Scalar b) -> float", "a / b", infer=division_type)


def _real_division(name: str, symbol: str) -> None:
    expression = f"a {symbol} b"
    # The smallest int divided by -1 is the one floor division that leaves 64 bits.
    scalar(f"aten::{name}.int(int a, int b) -> int", expression, checked=name == "floordiv")
    scalar(f"aten::{name}.float(float a, float b) -> float", expression)
    scalar(f"aten::{name}.int_float(int a, float b) -> float", expression)
    scalar(f"aten::{name}.float_int(float a, int b) -> float", expression)
    scalar(
        f"aten::{name}(Scalar a, Scalar b) -> Scalar",
        expression,
        checked=name == "floordiv",
        infer=arithmetic_type,
    )


_real_division("floordiv", "//")
_real_division("remainder", "%")
scalar(
    "aten::__round_to_zero_floordiv.int(int a, int b) -> int",
    "a // b if (a >= 0) == (b > 0) else -(-a // b)",
    checked=True,
)


def _int_divmod(xp: Any, x: int, y: int) -> tuple[int, int]:
    quotient, rest = divmod(x, y)
    if quotient == 2**63:
        raise OverflowError(f"divmod({x}, {y}): the quotient does not fit in 64 bits")
    return quotient, rest


op("aten::divmod.int(int x, int y) -> (int, int)", impl=_int_divmod, **HIDDEN)
for _a, _b in (("float", "float"), ("int", "float"), ("float", "int")):
    _overload = "float" if _a == _b else f"{_a}_{_b}"
    scalar(f"aten::divmod.{_overload}({_a} x, {_b} y) -> (float, float)", "divmod(x, y)")

scalar("aten::neg.int(int a) -> int", "-a", checked=True)
scalar("aten::neg.float(float a) -> float", "-a")
scalar("aten::neg.complex(complex a) -> complex", "-a")
scalar("aten::neg.Scalar(Scalar a) -> Scalar", "-a", checked=True, infer=arithmetic_type)
scalar("jit::pos.int(int a) -> int", "a")
scalar("jit::pos.float(float a) -> float", "a")
scalar("jit::pos.complex(complex a) -> complex", "a")
scalar("jit::pos.Scalar(Scalar a) -> Scalar", "+a", infer=arithmetic_type)

scalar("prim::abs.int(int a) -> int", "abs(a)", checked=True)
scalar("prim::abs.float(float a) -> float", "abs(a)")
scalar("prim::abs.complex(complex a) -> float", "abs(a)")
scalar("prim::abs.Scalar(Scalar a) -> Scalar", "abs(a)", checked=True)


# Powers -------------------------------------------------------------------------------------------


def _int_power(xp: Any, a: int, b: int) -> int:
    """`a ** b` for a result that is an int, without computing what cannot fit 64 bits."""
    if b < 0:
        if a == 0:
            raise ZeroDivisionError("0.0 cannot be raised to a negative power")
        raise ValueError(
            f"{a} ** {b}: the result is a float, but the exponent of an int power must not be "
            "negative; write float(a) ** b"
        )
    if b < 64 or -2 < a < 2:
        result = a**b if b < 64 else a ** (b & 1 or 2)
        if -(2**63) <= result < 2**63:
            return int(result)
    raise OverflowError(f"{a} ** {b} does not fit in 64 bits")


def _power_modulo(xp: Any, a: int, b: int, modulus: int) -> int:
    return pow(a, b, modulus)


op(
    "jit::pow.int(int a, int b) -> int",
    impl=_int_power,
    function="pow",
    method=None,
    doc="Python's int ** int; ValueError for a negative exponent, whose result would be a float.",
)
# A negative number to a fraction is complex in Python; under the type float it is an error.
_FLOAT_POWER = "a ** b if a >= 0 or b % 1 == 0 else math.pow(a, b)"
scalar("jit::pow.float(float a, float b) -> float", _FLOAT_POWER)
scalar("jit::pow.int_float(int a, float b) -> float", _FLOAT_POWER)
scalar("jit::pow.float_int(float a, int b) -> float", "a ** b")
for _a, _b in (*_MIXES, ("complex", "complex")):
    if "complex" in (_a, _b):
        _overload = "complex" if _a == _b else f"{_a}_{_b}"
        scalar(f"jit::pow.{_overload}({_a} a, {_b} b) -> complex", "a ** b")
op("jit::pow.modulo(int a, int b, int modulus) -> int", impl=_power_modulo, method=None)
# Torch's own: always a float, as C's pow.
scalar("aten::pow.int(int a, int b) -> float", "math.pow(a, b)")
scalar("aten::pow.float(float a, float b) -> float", "math.pow(a, b)")
scalar("aten::pow.int_float(int a, float b) -> float", "math.pow(a, b)")
scalar("aten::pow.float_int(float a, int b) -> float", "math.pow(a, b)")
scalar("aten::pow.complex(complex a, complex b) -> complex", "a ** b")
scalar("aten::pow.float_complex(float a, complex b) -> complex", "a ** b")
scalar("aten::pow.complex_float(complex a, float b) -> complex", "a ** b")
scalar("aten::pow.Scalar_Scalar(Scalar a, Scalar b) -> float", "math.pow(a, b)")
op("aten::pow.int_to_int(int a, int b) -> int", impl=_int_power, method=None)


# Rounding -----------------------------------------------------------------------------------------

scalar("jit::round.float(float a) -> int", "round(a)", checked=True)
scalar("jit::round.int(int a) -> int", "a")
scalar("jit::round.float_digits(float a, int ndigits) -> float", "round(a, ndigits)")
scalar("jit::round.int_digits(int a, int ndigits) -> int", "round(a, ndigits)", checked=True)
scalar("aten::round.int(int a) -> float", "float(a)")
scalar(
    "aten::round.float(float a) -> float",
    "math.copysign(float(round(a)), a) if abs(a) < 4503599627370496.0 else a",
)
scalar("aten::round.Scalar(Scalar a) -> Scalar", "float(round(a))", infer=lambda t, c: ty.FLOAT)


# Minimum and maximum ------------------------------------------------------------------------------


def _extremum(name: str, symbol: str) -> None:
    """Python keeps the first argument unless a later one is better, which decides what NaN does."""
    chosen = f"b if b {symbol} a else a"
    scalar(f"prim::{name}.int(int a, int b) -> int", chosen)
    scalar(f"prim::{name}.float(float a, float b) -> float", chosen)
    scalar(f"prim::{name}.int_float(int a, float b) -> float", f"b if b {symbol} a else float(a)")
    scalar(f"prim::{name}.float_int(float a, int b) -> float", f"float(b) if b {symbol} a else a")
    scalar(f"prim::{name}.str(str a, str b) -> str", chosen)
    scalar(f"prim::{name}(Scalar a, Scalar b) -> Scalar", chosen, infer=_same_type)
    for kind in ("int", "float", "bool"):
        scalar(f"prim::{name}.{kind}_list({kind}[] l, {kind}[] r) -> {kind}[]", f"{name}(l, r)")
        scalar(f"prim::{name}.self_{kind}({kind}[] self) -> {kind}", f"{name}(self)")
    scalar(f"prim::{name}.self_t(t[] self) -> t(*)", f"{name}(self)")
    scalar(f"jit::{name}.default(t[] self, *, t default) -> t(*)", f"{name}(self, default=default)")


_extremum("max", ">")
_extremum("min", "<")


# Comparison ---------------------------------------------------------------------------------------

for _name, _symbol in (("eq", "=="), ("ne", "!=")):
    for _kind in ("bool", "int", "complex", "float", "str"):
        scalar(f"aten::{_name}.{_kind}({_kind} a, {_kind} b) -> bool", f"a {_symbol} b")
    for _a, _b in (("int", "float"), ("float", "int"), ("float", "complex"), ("complex", "float")):
        scalar(f"aten::{_name}.{_a}_{_b}({_a} a, {_b} b) -> bool", f"a {_symbol} b")
    scalar(f"aten::{_name}.device(Device a, Device b) -> bool", f"a {_symbol} b")
    # Of enums torch compares by identity; Python too, unless the enum derives from int or str.
    scalar(f"aten::{_name}.dtype(ScalarType a, ScalarType b) -> bool", f"a {_symbol} b")
    scalar(f"aten::{_name}(Scalar a, Scalar b) -> bool", f"a {_symbol} b")

for _name, _symbol in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    for _kind in ("int", "float", "str"):
        scalar(f"aten::{_name}.{_kind}({_kind} a, {_kind} b) -> bool", f"a {_symbol} b")
    for _a, _b in (("int", "float"), ("float", "int")):
        scalar(f"aten::{_name}.{_a}_{_b}({_a} a, {_b} b) -> bool", f"a {_symbol} b")
    scalar(f"aten::{_name}(Scalar a, Scalar b) -> bool", f"a {_symbol} b")

# The last resort of comparisons: tuples, None, dicts, values of different types.
for _name, _symbol in (
    ("eq", "=="),
    ("ne", "!="),
    ("lt", "<"),
    ("le", "<="),
    ("gt", ">"),
    ("ge", ">="),
):
    scalar(f"jit::{_name}(Any a, Any b) -> bool", f"bool(a {_symbol} b)")


# Logic and bits -----------------------------------------------------------------------------------

scalar("aten::__not__(bool self) -> bool", "not self")
scalar("aten::__is__(t1 self, t2 obj) -> bool", "self is obj")
scalar("aten::__isnot__(t1 self, t2 obj) -> bool", "self is not obj")
for _name, _symbol in (("__and__", "&"), ("__or__", "|"), ("__xor__", "^")):
    scalar(f"aten::{_name}.bool(bool a, bool b) -> bool", f"a {_symbol} b")
    scalar(f"aten::{_name}.int(int a, int b) -> int", f"a {_symbol} b")
# A shift by 64 or more leaves 64 bits as surely as one by 64, and costs no memory.
scalar("aten::__lshift__.int(int a, int b) -> int", "a << (b if b < 64 else 64)", checked=True)
scalar("aten::__rshift__.int(int a, int b) -> int", "a >> b")
scalar("aten::bitwise_not.int(int a) -> int", "~a")


# Conversion ---------------------------------------------------------------------------------------


def number_of(array: Any) -> int | float | complex | bool:
    """The only element of an array as a Python number.

    Raises:
        RuntimeError: the array does not have exactly one element.
    """
    if array.size != 1:
        raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
    value: int | float | complex | bool = array.item()
    # ml_dtypes hands out its own scalars.
    return value if type(value) in _PYTHON_NUMBERS else float(value)  # type: ignore[arg-type]


_PYTHON_NUMBERS = (int, float, complex, bool)


def _real_of(array: Any, wanted: str) -> int | float:
    """The only element of an array for Python's `int` and `float`.

    Raises:
        ValueError: the array does not have exactly one element.
        RuntimeError: the element is not real.
    """
    if array.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    number = number_of(array)
    if not isinstance(number, complex):
        return number
    if number.imag:
        raise RuntimeError(f"value cannot be converted to type {wanted} without overflow")
    return number.real


def _int_of(xp: Any, a: Any) -> int:
    number = _real_of(a, "int64_t")
    if math.isfinite(number) and not -(2.0**63) <= number < 2.0**63:
        raise RuntimeError("value cannot be converted to type int64_t without overflow")
    return int(number)


def _float_of(xp: Any, a: Any) -> float:
    return float(_real_of(a, "double"))


def _bool_of(xp: Any, a: Any) -> bool:
    if a.size > 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    if a.size == 0:
        raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
    return bool(a.item())


op("aten::Int.Tensor(Tensor a) -> int", impl=_int_of, **HIDDEN)
scalar("aten::Int.bool(bool a) -> int", "int(a)")
scalar("aten::Int.float(float a) -> int", "int(a)", checked=True)
scalar("jit::Int.int(int a) -> int", "a")
scalar("aten::Int.str(str a) -> int", "int(a)", checked=True)
scalar("aten::Int.Scalar(Scalar a) -> int", "int(a)", checked=True)
scalar("jit::int_base(str s, int base) -> int", "int(s, base)", checked=True)

op("aten::Float.Tensor(Tensor a) -> float", impl=_float_of, **HIDDEN)
scalar("aten::Float.int(int a) -> float", "float(a)")
scalar("aten::Float.bool(bool a) -> float", "float(a)")
scalar("jit::Float.float(float a) -> float", "a")
scalar("aten::Float.str(str a) -> float", "float(a)")
scalar("aten::Float.Scalar(Scalar a) -> float", "float(a)")

op("aten::Bool.Tensor(Tensor a) -> bool", impl=_bool_of, **HIDDEN)
scalar("aten::Bool.int(int a) -> bool", "a != 0")
scalar("aten::Bool.float(float a) -> bool", "a != 0.0")
scalar("jit::Bool.bool(bool a) -> bool", "a")
scalar("jit::Bool.complex(complex a) -> bool", "bool(a)")
scalar("jit::Bool.str(str a) -> bool", "bool(a)")
scalar("jit::Bool.t(t[] a) -> bool", "bool(a)")
scalar("jit::Bool.Dict(Dict(k, t) a) -> bool", "bool(a)")
scalar("jit::Bool.any(Any a) -> bool", "bool(a)")

scalar("aten::Complex.Scalar(Scalar a) -> complex", "complex(a)")
for _a in ("int", "float", "bool"):
    for _b in ("int", "float", "bool"):
        _overload = f"{_a}_{_b}"
        scalar(f"aten::Complex.{_overload}({_a} x, {_b} y) -> complex", "complex(x, y)")
scalar("jit::Complex.str(str a) -> complex", "complex(a)")
op(
    "aten::Complex.Tensor_Tensor(Tensor a, Tensor b) -> complex",
    impl=lambda xp, a, b: complex(number_of(a), number_of(b)),
    **HIDDEN,
)
for _kind in ("float", "int", "bool"):
    op(
        f"aten::Complex.Tensor_{_kind}(Tensor x, {_kind} y) -> complex",
        impl=lambda xp, x, y: complex(number_of(x), y),
        **HIDDEN,
    )
    op(
        f"aten::Complex.{_kind}_Tensor({_kind} x, Tensor y) -> complex",
        impl=lambda xp, x, y: complex(x, number_of(y)),
        **HIDDEN,
    )


def _scalar_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    tensor = types[0]
    if not isinstance(tensor, ty.TensorType) or tensor.dtype is None:
        return ty.NUMBER
    return (ty.BOOL, ty.INT, ty.FLOAT, ty.COMPLEX)[int(tensor.dtype.category)]


def _implicit(what: str, kinds: tuple[type, ...]) -> Any:
    """Torch's conversion of a tensor given for a number: 0-dim, no gradient, exact kind."""

    def impl(xp: Any, a: Any) -> Any:
        if a.ndim > 0:
            raise RuntimeError(
                f"Cannot input a tensor of dimension other than 0 as a {what} argument"
            )
        number = number_of(a)
        if not isinstance(number, kinds):
            raise RuntimeError(f"Cannot input a tensor of type {a.dtype} as an integral argument")
        return number

    return impl


def _integer_of(xp: Any, a: Any) -> int:
    if a.dtype.kind == "b":
        raise RuntimeError("Cannot input a tensor of type Bool as an integral argument")
    number: int = _implicit("scalar", (int,))(xp, a)
    return number


op(
    "aten::IntImplicit(Tensor a) -> int",
    impl=_integer_of,
    **HIDDEN,
)
op(
    "aten::FloatImplicit(Tensor a) -> float",
    impl=lambda xp, a: float(_implicit("scalar", (float, int))(xp, a)),
    **HIDDEN,
)
op(
    "aten::ScalarImplicit(Tensor a) -> Scalar",
    impl=_implicit("scalar", _PYTHON_NUMBERS),
    infer=_scalar_type,
    **HIDDEN,
)
op(
    "aten::item(Tensor self) -> Scalar",
    impl=lambda xp, a: number_of(a),
    infer=_scalar_type,
    function=None,
)


def _list_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """Nested lists, where dtype and rank are known."""
    tensor, element = types[0], _scalar_type(types, constants)
    if not isinstance(tensor, ty.TensorType) or tensor.rank is None or element is ty.NUMBER:
        return ty.ANY
    for _ in range(tensor.rank):
        element = ty.ListType(element)
    return element


op(
    "aten::tolist(Tensor self) -> Any",
    impl=lambda xp, a: a.tolist(),
    infer=_list_type,
    function=None,
)


def _number_to_tensor(xp: Any, a: int | float | complex | bool) -> Any:
    kinds: dict[type, str] = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}
    return xp.asarray(a, dtype=kinds[type(a)])


for _overload, _kind in (("bool", "bool"), ("Scalar", "Scalar")):
    op(
        f"prim::NumToTensor.{_overload}({_kind} a) -> Tensor",
        impl=_number_to_tensor,
        **HIDDEN,
    )

scalar("aten::hash.generic(t value) -> int", "hash(value)")
scalar("aten::chr(int i) -> str", "chr(i)")
scalar("aten::ord(str string) -> int", "ord(string)")
scalar("aten::hex(int i) -> str", "hex(i)")
scalar("aten::oct(int i) -> str", "oct(i)")
scalar("aten::bin(int i) -> str", "bin(i)")

# Methods and attributes of numbers.
scalar("jit::bit_length(int self) -> int", "self.bit_length()")
scalar("jit::bit_count(int self) -> int", "self.bit_count()")
scalar("jit::is_integer.float(float self) -> bool", "self.is_integer()")
scalar("jit::is_integer.int(int self) -> bool", "True")
scalar("jit::conjugate.complex(complex self) -> complex", "self.conjugate()")
scalar("jit::conjugate.float(float self) -> float", "self")
scalar("jit::conjugate.int(int self) -> int", "self")
for _part in ("real", "imag"):
    for _kind in ("int", "float", "complex"):
        _result = "float" if _kind == "complex" else _kind
        scalar(f"jit::{_part}.{_kind}({_kind} self) -> {_result}", f"self.{_part}")
scalar("jit::hex.float(float self) -> str", "self.hex()")
