"""Rows over numbers against Python's operators and builtins: values, types, exceptions."""

import math
import operator

import numpy as np
import pytest
from calling import call, is_a, outcome_of, resolve

import jitlang as jl
from jitlang import dtypes
from jitlang.ir.opdef import OPS
from jitlang.ops.rows import kernel_of

INTS = [0, 1, -1, 2, -7, 13, 2**31, -(2**63), 2**63 - 1]
FLOATS = [0.0, -0.0, 1.0, -2.5, 1e308, 5e-324, math.inf, -math.inf, math.nan]
COMPLEXES = [0j, 1 + 2j, -3.5j]
NUMBERS = [*INTS, *FLOATS, *COMPLEXES, True, False]
REAL = [*INTS, *FLOATS, True, False]


def fits(result):
    return type(result) is not int or -(2**63) <= result < 2**63


def checked(function):
    """Python's function, refusing ints that do not fit 64 bits."""

    def run(*args):
        result = function(*args)
        parts = result if isinstance(result, tuple) else (result,)
        if not all(map(fits, parts)):
            raise OverflowError
        return result

    return run


def same_outcome(name, function, *args):
    op, given, types = resolve(name, args)
    ours = outcome_of(kernel_of(op, np), *given)
    theirs = outcome_of(checked(function), *args)
    if theirs[0] is OverflowError and not theirs[1]:
        assert ours[0] is OverflowError, (op, args, ours)
        return
    assert ours == theirs, (op, args)
    if not isinstance(ours[0], type) or not issubclass(ours[0], Exception):
        result = kernel_of(op, np)(*given)
        results = result if len(types) > 1 else (result,)
        assert all(map(is_a, results, types)), (op, args, types)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("add", operator.add),
        ("sub", operator.sub),
        ("mul", operator.mul),
        ("div", operator.truediv),
    ],
)
def test_arithmetic(name, function):
    for a in NUMBERS:
        for b in NUMBERS:
            same_outcome(name, function, a, b)


@pytest.mark.parametrize(
    ("name", "function"), [("floordiv", operator.floordiv), ("remainder", operator.mod)]
)
def test_real_division(name, function):
    for a in REAL:
        for b in REAL:
            same_outcome(name, function, a, b)


def test_divmod():
    for a in [7, -7, 7.5, -0.5]:
        for b in [2, -2, 0, 0.3]:
            same_outcome("divmod", divmod, a, b)


@pytest.mark.parametrize(
    ("name", "function"),
    [("eq", operator.eq), ("ne", operator.ne)],
)
def test_equality(name, function):
    for a in NUMBERS:
        for b in NUMBERS:
            same_outcome(name, function, a, b)
    same_outcome(name, function, "a", "a")
    same_outcome(name, function, (1, "a"), (1, "b"))
    same_outcome(name, function, 1, "a")
    same_outcome(name, function, None, 1)
    same_outcome(name, function, dtypes.float32, dtypes.float32)


@pytest.mark.parametrize(
    ("name", "function"),
    [("lt", operator.lt), ("le", operator.le), ("gt", operator.gt), ("ge", operator.ge)],
)
def test_order(name, function):
    for a in REAL:
        for b in REAL:
            same_outcome(name, function, a, b)
    same_outcome(name, function, "abc", "abd")
    same_outcome(name, function, (1, 2.0), (1, 3.0))
    same_outcome(name, function, [1, 2], [1])


def test_power():
    def python(a, b):
        return a**b

    for a in [
        0,
        1,
        -1,
        2,
        -3,
        10,
        3037000500,
        0.0,
        2.5,
        -2.5,
        math.inf,
        -math.inf,
        math.nan,
        1 + 1j,
    ]:
        for b in [0, 1, 2, 3, 62, 63, 64, 65, 0.5, -1.5, 2.0, math.inf, 1j]:
            is_real = not isinstance(a, complex) and not isinstance(b, complex)
            if is_real and a < 0 and isinstance(python(a, b), complex):
                with pytest.raises(ValueError, match="domain"):
                    call("pow", a, b)
                continue
            same_outcome("pow", python, a, b)


def test_power_of_ints_that_is_a_float():
    assert outcome_of(call, "pow", 0, -1) == (
        ZeroDivisionError,
        "0.0 cannot be raised to a negative power",
    )
    with pytest.raises(ValueError, match=r"float\(a\) \*\* b"):
        call("pow", 2, -1)
    with pytest.raises(OverflowError):
        call("pow", 3, 10**15)
    assert call("pow", -1, 10**15 + 1) == -1
    assert call("jit::pow.modulo", 3, 10**15, 7) == pow(3, 10**15, 7)
    assert call("aten::pow.int", 2, 3) == 8.0 and type(call("aten::pow.int", 2, 3)) is float


def test_rounding():
    for value in [0.5, 1.5, 2.5, -0.5, 1e300, math.nan, math.inf, 3, -3]:
        same_outcome("round", round, value)
        for digits in [0, 1, -1, 2]:
            same_outcome("round", round, value, digits)
    assert call("aten::round.float", 2.5) == 2.0
    assert math.copysign(1, call("aten::round.float", -0.3)) == -1
    assert call("aten::round.float", math.inf) == math.inf


def test_extrema():
    for a in [1, 2.5, -1, math.nan, True, "b"]:
        for b in [1, 2.5, math.nan, False, "a"]:
            if isinstance(a, str) != isinstance(b, str):
                continue
            for name, function in (("max", max), ("min", min)):
                expected = function(a, b)
                found = call(name, a, b)
                assert repr(
                    float(found)
                    if type(a) is not type(b) and float in (type(a), type(b))
                    else found
                ) == repr(
                    float(expected)
                    if type(a) is not type(b) and float in (type(a), type(b))
                    else expected
                )
    assert call("max", [1, 3, 2]) == 3
    assert call("min", ["b", "a"]) == "a"
    assert outcome_of(call, "prim::max.self_int", []) == outcome_of(max, [])


def test_unary():
    for value in NUMBERS:
        same_outcome("neg", operator.neg, value)
        same_outcome("pos", operator.pos, value)
        if not isinstance(value, bool):
            same_outcome("abs", abs, value)
    for value in [*INTS, True]:
        same_outcome("bitwise_not", lambda v: ~v, value)
    assert call("__not__", True) is False


def test_bits():
    for a in [0, 1, 5, -6, True, 2**62]:
        for b in [0, 1, 3, True, 62, 63, 64, 1000, -1]:
            same_outcome("__lshift__", operator.lshift, a, b)
            same_outcome("__rshift__", operator.rshift, a, b)
            same_outcome("__and__", operator.and_, a, b)
            same_outcome("__or__", operator.or_, a, b)
            same_outcome("__xor__", operator.xor, a, b)


def test_identity():
    value = [1]
    assert call("__is__", value, value) is True
    assert call("__isnot__", value, [1]) is True
    assert call("__is__", None, None) is True


@pytest.mark.parametrize(
    ("name", "function", "values"),
    [
        ("Int", int, [3, True, 2.9, -2.9, math.inf, math.nan, 1e30, "12", " -7 ", "x", "1e3"]),
        ("Float", float, [3, True, 2.5, "1e3", "nan", "x", 2**62]),
        ("Bool", bool, [0, 3, 0.0, -0.0, math.nan, "", "a", [], [0], 0j]),
        ("Complex", complex, [1, 2.5, True, "1+2j", "x"]),
        ("chr", chr, [65, -1, 0x110000]),
        ("ord", ord, ["a", "ab", ""]),
        ("hex", hex, [255, -255]),
        ("oct", oct, [8]),
        ("bin", bin, [5]),
        ("hash", hash, [5, 2.5, True, (1, 2)]),
    ],
)
def test_conversion(name, function, values):
    for value in values:
        same_outcome(name, function, value)


def test_int_of_a_base():
    for text, base in [("ff", 16), ("0x1f", 0), ("12", 2), ("z", 36), ("1", 1)]:
        assert outcome_of(call, "jit::int_base", text, base) == outcome_of(int, text, base)


def test_numbers_of_tensors():
    array = np.array
    assert call("Int", array(3.9)) == 3 and type(call("Int", array(3.9))) is int
    assert call("Float", array([[2]])) == 2.0
    assert call("Bool", array(0.0)) is False
    assert call("item", array(True)) is True
    assert type(call("item", array(1.5, dtypes.bfloat16.numpy))) is float
    assert outcome_of(call, "item", array([1, 2])) == (
        RuntimeError,
        "a Tensor with 2 elements cannot be converted to Scalar",
    )
    for name, function in (("Int", int), ("Float", float)):
        for value in ([1, 2], [], 2.5 + 0j, 1j, math.inf):
            tensor = jl.tensor(value)
            assert outcome_of(call, name, tensor.numpy()) == outcome_of(function, tensor)
    assert outcome_of(call, "Int", array(math.nan)) == outcome_of(int, math.nan)
    assert outcome_of(call, "Bool", array([1, 0]))[1] == (
        "Boolean value of Tensor with more than one value is ambiguous"
    )
    assert call("IntImplicit", array(4)) == 4
    assert outcome_of(call, "IntImplicit", array([4]))[0] is RuntimeError
    assert outcome_of(call, "IntImplicit", array(4.5))[0] is RuntimeError
    assert call("FloatImplicit", array(4)) == 4.0
    assert call("ScalarImplicit", array(True)) is True
    assert call("tolist", array([[1], [2]])) == [[1], [2]]
    assert call("NumToTensor", 3).dtype == "int64"
    assert call("Complex", array(1.0), 2) == 1 + 2j


def test_methods_and_parts():
    assert call("bit_length", 5) == 3
    assert call("is_integer", 2.0) is True
    assert call("real", 1 + 2j) == 1.0
    assert call("imag", 3) == 0
    assert call("conjugate", 1 + 2j) == 1 - 2j


def test_checked_rows_are_those_whose_ints_can_leave_64_bits():
    for name in (
        "add.int",
        "sub.int",
        "mul.int",
        "neg.int",
        "floordiv.int",
        "__lshift__.int",
        "Int.float",
    ):
        assert OPS.find(f"aten::{name}").checked_integer, name
    for name in ("remainder.int", "__and__.int", "lt.int", "add.float"):
        assert not OPS.find(f"aten::{name}").checked_integer, name
