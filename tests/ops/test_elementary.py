"""Our elementary functions against 80-bit references, in ULP, and their special values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jitlang import dtypes
from jitlang.ops.algebra import NumpyAlgebra

if np.finfo(np.longdouble).nmant < 63:
    pytest.skip("the reference needs 80-bit floats", allow_module_level=True)

COUNT = 20_000
TYPES = {"float32": dtypes.float32, "float64": dtypes.float64}
Wide = np.longdouble


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _erf(x):
    return np.array([math.erf(v) for v in x.astype(np.float64)], Wide)


def _erfc(x):
    return np.array([math.erfc(v) for v in x.astype(np.float64)], Wide)


REFERENCES = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p, "tanh": np.tanh, "sigmoid": _sigmoid, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": _erf,
    "erfc": _erfc,
}  # fmt: skip
# Where values are interesting, beside bit patterns at random.
RANGES = {
    "exp": (-750, 712), "exp2": (-1080, 1026), "expm1": (-60, 712), "tanh": (-20, 20),
    "erf": (-6.5, 6.5), "erfc": (-6.5, 28),
    "sigmoid": (-750, 50), "sin": (-100, 100), "cos": (-100, 100), "tan": (-100, 100),
    "asin": (-1, 1), "acos": (-1, 1), "atan": (-5, 5), "sinh": (-712, 712), "cosh": (-712, 712),
    "asinh": (-5, 5), "acosh": (1, 10), "atanh": (-1, 1),
}  # fmt: skip
BEST = ("exp", "log", "tanh", "sigmoid", "sin", "cos")
# math.erf and math.erfc, the references, are themselves float64 functions.
BOUNDS = {
    **dict.fromkeys(REFERENCES, 4.0),
    **dict.fromkeys(BEST, 2.0),
}

SINGLE_BOUNDS = {**dict.fromkeys(REFERENCES, 4.0), **dict.fromkeys(BEST, 1.5)}


def bits_at_random(rng, dtype, count):
    width = np.dtype(dtype).itemsize
    return rng.integers(0, 2 ** (8 * width), count, dtype=f"u{width}", endpoint=False).view(dtype)


def points(name, dtype, count=COUNT):
    rng = np.random.default_rng(len(name))
    low, high = RANGES.get(name, (0, 10))
    if dtype == np.float32:
        low, high = max(low, -160), min(high, 160)
    drawn = [
        bits_at_random(rng, dtype, count),
        rng.uniform(low, high, count).astype(dtype),
        rng.uniform(-1, 1, count).astype(dtype),
        (1 + rng.normal(0, 0.1, count)).astype(dtype),
    ]
    x = np.concatenate(drawn)
    x = x[np.isfinite(x)]
    if name in ("log", "log2", "log10"):
        x = np.abs(x)
    if name == "log1p":
        x = x[x > -1]
    if name in ("asin", "acos", "atanh"):
        x = x[np.abs(x) < 1]
    if name == "acosh":
        x = x[x > 1]
    if name in ("sin", "cos", "tan"):
        # The reference reduces with 66 bits of pi.
        x = x[np.abs(x) < 1e5]
    return x


def ulps(got, wanted, dtype):
    """The distance in units of the last place of the right result."""
    info = np.finfo(dtype)
    exponent = np.frexp(np.where(wanted == 0, info.smallest_normal, np.abs(wanted)))[1] - 1
    place = np.ldexp(Wide(1), np.maximum(exponent, info.minexp) - info.nmant)
    overflow = np.abs(wanted) >= Wide(info.max) * (1 + np.ldexp(Wide(1), -info.nmant - 2))
    distance = np.abs(got.astype(Wide) - wanted) / place
    return np.where(overflow, np.where(np.isinf(got), 0, np.inf), distance)


def evaluate(name, *operands):
    m = NumpyAlgebra(np, dtypes.from_numpy(operands[0].dtype))
    with np.errstate(all="ignore"):
        result = getattr(m, name)(*operands)
    assert result.dtype == operands[0].dtype
    return result


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", REFERENCES)
def test_accuracy(name, dtype):
    x = points(name, np.dtype(dtype))
    with np.errstate(all="ignore"):
        errors = ulps(evaluate(name, x), REFERENCES[name](x.astype(Wide)), np.dtype(dtype))
    worst = np.argmax(errors)
    bound = (SINGLE_BOUNDS if dtype == "float32" else BOUNDS)[name]
    assert errors[worst] <= bound, f"{name}({x[worst]!r}) is off by {errors[worst]:.2f} ULP"


@pytest.mark.parametrize("dtype", TYPES)
def test_accuracy_of_pow(dtype):
    rng = np.random.default_rng(1)
    x = np.exp(rng.normal(0, 3, COUNT)).astype(dtype)
    y = rng.normal(0, 20, COUNT).astype(dtype)
    # x**y = exp(y log x) loses log2(y log x) bits of the 64 in the reference.
    wanted = np.power(x.astype(Wide), y.astype(Wide))
    usual = (wanted < np.finfo(dtype).max) & (wanted > np.finfo(dtype).smallest_normal)
    errors = ulps(evaluate("pow", x, y), wanted, np.dtype(dtype))[usual]
    assert errors.max() <= 4


INF, NAN = math.inf, math.nan
SPECIAL = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN)],
    "exp2": [(10.0, 1024.0), (-3.0, 0.125), (INF, INF), (-INF, 0.0), (NAN, NAN)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (NAN, NAN)],
    "log": [
        (1.0, 0.0),
        (0.0, -INF),
        (-0.0, -INF),
        (-1.0, NAN),
        (INF, INF),
        (-INF, NAN),
        (NAN, NAN),
    ],
    "log2": [(8.0, 3.0), (0.25, -2.0), (0.0, -INF), (-1.0, NAN), (INF, INF), (NAN, NAN)],
    "log10": [(1.0, 0.0), (0.0, -INF), (-1.0, NAN), (INF, INF), (NAN, NAN)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-2.0, NAN), (INF, INF), (NAN, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (50.0, 1.0), (NAN, NAN)],
    "sigmoid": [(0.0, 0.5), (INF, 1.0), (-INF, 0.0), (100.0, 1.0), (NAN, NAN)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (NAN, NAN)],
    "asin": [(0.0, 0.0), (-0.0, -0.0), (1.0, math.pi / 2), (1.5, NAN), (NAN, NAN)],
    "acos": [(1.0, 0.0), (-1.0, math.pi), (0.0, math.pi / 2), (-1.5, NAN), (NAN, NAN)],
    "atan": [(0.0, 0.0), (-0.0, -0.0), (INF, math.pi / 2), (-INF, -math.pi / 2), (NAN, NAN)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (NAN, NAN)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF), (NAN, NAN)],
    "asinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (NAN, NAN)],
    "acosh": [(1.0, 0.0), (0.5, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
    "atanh": [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (2.0, NAN), (NAN, NAN)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (NAN, NAN)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (NAN, NAN)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (7.0, 1.0), (NAN, NAN)],
}


def same(got, wanted):
    if math.isnan(wanted):
        return bool(np.isnan(got))
    return float(got) == wanted and math.copysign(1, float(got)) == math.copysign(1, wanted)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name, dtype):
    arguments = np.array([x for x, _ in SPECIAL[name]], dtype)
    for (x, wanted), got in zip(SPECIAL[name], evaluate(name, arguments), strict=True):
        assert same(got, float(np.dtype(dtype).type(wanted))), f"{name}({x}) is {got}, not {wanted}"


@pytest.mark.parametrize("dtype", TYPES)
def test_special_powers(dtype):
    values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1e30, -1e30, INF, -INF, NAN]
    pairs = np.array([(x, y) for x in values for y in values], dtype)
    got = evaluate("pow", pairs[:, 0].copy(), pairs[:, 1].copy())
    with np.errstate(all="ignore"):
        wanted = np.power(*pairs.T.astype(np.float64)).astype(dtype)
    for (x, y), ours, numpys in zip(pairs.tolist(), got, wanted, strict=True):
        near = np.isfinite(numpys) and numpys and abs(ours - numpys) <= np.spacing(abs(numpys))
        assert near or same(ours, float(numpys)), f"{x} ** {y} is {ours}, not {numpys}"


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ["atan2", "hypot"])
def test_special_pairs(name, dtype):
    values = [0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 1e30, -1e30, 1e-30, INF, -INF, NAN]
    pairs = np.array([(x, y) for x in values for y in values], dtype)
    got = evaluate(name, pairs[:, 0].copy(), pairs[:, 1].copy())
    reference = {"atan2": np.arctan2, "hypot": np.hypot}[name]
    with np.errstate(all="ignore"):
        wanted = reference(*pairs.T.astype(np.float64)).astype(dtype)
    for (x, y), ours, numpys in zip(pairs.tolist(), got, wanted, strict=True):
        near = np.isfinite(numpys) and numpys and abs(ours - numpys) <= np.spacing(abs(numpys))
        # C says that hypot(inf, nan) is inf; so does NumPy.
        assert near or same(ours, float(numpys)), f"{name}({x}, {y}) is {ours}, not {numpys}"


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ["atan2", "hypot"])
def test_accuracy_of_pairs(name, dtype):
    rng = np.random.default_rng(2)
    x, y = (
        rng.normal(0, 1, COUNT).astype(dtype) * 10.0 ** rng.integers(-5, 5, COUNT) for _ in "xy"
    )
    x, y = x.astype(dtype), y.astype(dtype)
    reference = {"atan2": np.arctan2, "hypot": np.hypot}[name]
    errors = ulps(evaluate(name, x, y), reference(x.astype(Wide), y.astype(Wide)), np.dtype(dtype))
    assert errors.max() <= 4


def test_sigmoid_far_out():
    got = evaluate("sigmoid", np.array([-100.0], np.float32))
    assert got[0] == np.float32(3.7835059e-44)


def test_subnormals():
    tiny = np.array([5e-324, -5e-324, 1e-310], np.float64)
    for name in ("sin", "tanh", "expm1", "log1p"):
        assert (evaluate(name, tiny) == tiny).all(), name
    assert abs(evaluate("log", tiny[:1])[0] - math.log(5e-324)) < 1e-12
    assert evaluate("exp", np.array([-745.0]))[0] == 5e-324


@pytest.mark.parametrize(
    ("x", "sine", "cosine"),
    [
        # 40 digits by mpmath; the first is the float64 nearest to a multiple of pi/2.
        (6381956970095103 * 2.0**797, 1.0, -4.687165924254628e-19),
        (1e22, -0.8522008497671888, 0.5232147853951389),
        (1.7976931348623157e308, 0.004961954789184062, -0.9999876894265599),
        (2.0**1000, -0.15920170308624243, 0.9872460775989135),
    ],
)
def test_huge_angles(x, sine, cosine):
    angle = np.array([x, -x])
    with np.errstate(all="ignore"):
        assert np.allclose(evaluate("sin", angle), [sine, -sine], rtol=4e-16, atol=0)
        assert np.allclose(evaluate("cos", angle), [cosine, cosine], rtol=4e-16, atol=0)
