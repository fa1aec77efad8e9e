"""Rows of `math` against the module itself: values bit for bit, exceptions and messages."""

import cmath
import math

import pytest
from calling import call, outcome_of

VALUES = [0, 1, -1, 2, 170, 0.5, -0.5, 1e-300, 710.0, -746.0, math.inf, -math.inf, math.nan, 1e308]
UNARY = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "degrees",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "gamma",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "radians",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    "ulp",
]
BINARY = ["atan2", "copysign", "fmod", "hypot", "log", "nextafter"]


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    for value in VALUES:
        expected = outcome_of(getattr(math, name), value)
        found = outcome_of(call, name, value)
        big = expected[0] is int and not -(2**63) <= int(expected[1]) < 2**63
        assert found[0] is OverflowError if big else found == expected, (name, value)


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    for a in VALUES:
        for b in VALUES:
            assert outcome_of(call, name, a, b) == outcome_of(getattr(math, name), a, b), (
                name,
                a,
                b,
            )


@pytest.mark.parametrize("name", ["isfinite", "isinf", "isnan"])
def test_tests(name):
    for value in VALUES:
        assert call(name, float(value)) is getattr(math, name)(value)
        assert call(name, complex(value)) is getattr(cmath, name)(complex(value))


def test_remainder_and_power():
    assert call("mathremainder", 5.0, 3.0) == math.remainder(5.0, 3.0)
    for a, b in [(0.0, -1.0), (-1.0, 0.5), (2, 3)]:
        assert outcome_of(call, "math_pow", a, b) == outcome_of(math.pow, a, b)


def test_integers():
    for n in [0, 5, 20, 21, 10**9, -1]:
        expected = outcome_of(math.factorial, n) if n < 10**4 else (int, "9" * 99)
        found = outcome_of(call, "factorial", n)
        if expected[0] is int and int(expected[1]) >= 2**63:
            assert found[0] is OverflowError
        else:
            assert found == expected
    for name in ("gcd", "lcm", "comb", "perm"):
        for a, b in [(12, 18), (0, 0), (10, 3), (-4, 6)]:
            assert outcome_of(call, name, a, b) == outcome_of(getattr(math, name), a, b)
    assert outcome_of(call, "comb", 100, 50)[0] is OverflowError
    for n in [0, 15, 16, -1]:
        assert outcome_of(call, "isqrt", n) == outcome_of(math.isqrt, n)


def test_parts():
    for value in [0.0, 3.75, -2.5, math.inf]:
        assert call("frexp", value) == math.frexp(value)
        assert call("modf", value) == math.modf(value)
    assert outcome_of(call, "ldexp", 1.5, 4) == outcome_of(math.ldexp, 1.5, 4)


def test_lists():
    assert call("prod", [2, 3, 4]) == 24
    assert call("prod", [0.5, 4.0], start=3.0) == 6.0
    assert outcome_of(call, "prod", [2**40, 2**40])[0] is OverflowError
    assert call("fsum", [0.1] * 10) == 1.0
    assert call("dist", [1.0, 2.0], [4.0, 6.0]) == 5.0


def test_closeness():
    for a, b in [(1.0, 1.0 + 1e-10), (1.0, 1.1), (math.inf, math.inf), (math.nan, math.nan)]:
        assert call("isclose", a, b) is math.isclose(a, b)
    assert call("isclose", 1.0, 1.1, abs_tol=0.2) is True


def test_complex():
    for name in ("exp", "log", "sqrt", "sin", "acos"):
        assert call(name, 1 + 2j) == getattr(cmath, name)(1 + 2j)
    assert call("polar", 2.0, 0.5) == cmath.rect(2.0, 0.5)
