"""Types and values of pointwise rows against torch, over all dtypes, ranks and scalar kinds."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch

import jitlang as jl
from jitlang import dtypes
from jitlang.tensor import box, function_named

TORCH = {d: getattr(torch, d.name) for d in dtypes.ALL}
SCALARS = {bool: True, int: 3, float: 1.5, complex: 1 + 2j}
# torch has a complex32 that NumPy, and so jitlang, has not.
NO_COUNTERPART = (torch.complex32,)


def to_torch(array):
    if array.dtype == dtypes.bfloat16.numpy:
        return torch.from_numpy(array.astype(np.float32)).to(torch.bfloat16)
    return torch.from_numpy(array.copy())


def from_torch(tensor):
    if tensor.dtype is torch.bfloat16:
        return tensor.float().numpy().astype(dtypes.bfloat16.numpy)
    return tensor.resolve_conj().numpy()


def samples(dtype, shape=(6,), seed=0):
    rng = np.random.default_rng(seed)
    if dtype is dtypes.bool_:
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.category is dtypes.Category.INTEGRAL:
        low = 0 if dtype is dtypes.uint8 else -5
        return np.asarray(rng.integers(low, 6, shape)).astype(dtype.numpy)
    made = rng.normal(0, 2, shape)
    if dtype.is_complex:
        made = made + 1j * rng.normal(0, 2, shape)
    return np.asarray(made).astype(dtype.numpy)


def outcome(call):
    """The result, or the class of the error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call()
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            return error


def tolerance(dtype):
    return {
        dtypes.float16: 2e-3, dtypes.bfloat16: 1.6e-2, dtypes.float32: 1e-5, dtypes.float64: 1e-12,
        dtypes.complex64: 1e-5, dtypes.complex128: 1e-12,
    }.get(dtype, 0)  # fmt: skip


def assert_same(ours, theirs, what=""):
    """Equal kinds of outcome; equal dtype, shape and values."""
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        assert isinstance(ours, Exception) and isinstance(theirs, Exception), (
            f"{what}: {ours!r} / {theirs!r}"
        )
        assert isinstance(ours, type(theirs)) or isinstance(theirs, type(ours)), (
            f"{what}: {ours!r} / {theirs!r}"
        )
        return
    if not isinstance(theirs, torch.Tensor):
        assert type(ours) is type(theirs) and (ours == theirs or ours != ours), (
            f"{what}: {ours} / {theirs}"
        )
        return
    assert ours.dtype.name == str(theirs.dtype)[6:], f"{what}: {ours.dtype} / {theirs.dtype}"
    assert tuple(ours.shape) == tuple(theirs.shape), what
    got, wanted = ours._array, from_torch(theirs)
    if got.dtype == dtypes.bfloat16.numpy:
        got, wanted = got.astype(np.float32), wanted.astype(np.float32)
    scale = tolerance(ours.dtype)
    with np.errstate(all="ignore"):
        assert np.allclose(got, wanted, rtol=scale, atol=scale * 5e-2, equal_nan=True), (
            f"{what}\n{ours}\n{theirs}"
        )


@pytest.fixture
def compare():
    """`compare(ours, theirs, what)` for many cases; the test fails at its end."""
    differing = []

    def record(ours, theirs, what):
        try:
            assert_same(ours, theirs, what)
        except AssertionError as error:
            differing.append(str(error).splitlines()[0])

    yield record
    assert not differing, "\n".join(differing)


@pytest.mark.parametrize("default", ["float32", "float64", "bfloat16"])
def test_promotion(default):
    """All dtype pairs, dimensioned or 0-dim, and all scalar kinds."""
    torch.set_default_dtype(getattr(torch, default))
    dtypes.set_default_dtype(dtypes.from_name(default))
    try:
        for a, b in itertools.product(dtypes.ALL, repeat=2):
            assert TORCH[dtypes.promote_types(a, b)] == torch.promote_types(TORCH[a], TORCH[b])
            x = torch.ones(2, dtype=TORCH[a])
            wanted = torch.result_type(x, torch.ones((), dtype=TORCH[b]))
            if wanted not in NO_COUNTERPART:
                assert TORCH[dtypes.result_type([a], [b])] == wanted
        for a, (kind, scalar), zero in itertools.product(
            dtypes.ALL, SCALARS.items(), (False, True)
        ):
            x = torch.ones(() if zero else (2,), dtype=TORCH[a])
            wanted = torch.result_type(x, scalar)
            group = ((), (a,)) if zero else ((a,), ())
            if wanted not in NO_COUNTERPART:
                assert TORCH[dtypes.result_type(*group, (kind,))] == wanted
    finally:
        torch.set_default_dtype(torch.float32)
        dtypes.set_default_dtype(dtypes.float32)


def test_casts_allowed_in_place():
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        assert dtypes.can_cast(a, b) == torch.can_cast(TORCH[a], TORCH[b])


BINARY = [
    "add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "pow", "maximum", "minimum",
    "fmax", "fmin", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor",
    "bitwise_and", "bitwise_or", "bitwise_xor", "atan2", "hypot", "copysign", "xlogy", "logaddexp",
    "heaviside", "true_divide", "greater",
]  # fmt: skip
WITHOUT_SCALARS = ("atan2", "hypot", "logaddexp", "heaviside", "maximum", "minimum", "fmax", "fmin")
UNARY = [
    "neg", "abs", "sign", "square", "reciprocal", "sqrt", "rsqrt", "exp", "exp2", "expm1", "log",
    "log2", "log10", "log1p", "sin", "cos", "tanh", "sigmoid", "erf", "erfc", "floor", "ceil",
    "trunc", "round", "relu", "logical_not", "bitwise_not", "isnan", "isinf", "isfinite", "signbit",
    "positive", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "sinc",
    "deg2rad", "rad2deg", "frac", "logit", "nan_to_num", "isposinf", "isneginf", "sgn", "absolute",
    "arcsin", "negative", "fix",
]  # fmt: skip


def shapes(rank):
    return {"vector": (6,), "zero": (), "matrix": (2, 6)}[rank]


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(
    "ranks", [("vector", "vector"), ("vector", "zero"), ("zero", "zero"), ("matrix", "vector")]
)
def test_binary_rows(name, ranks, compare):
    ours, theirs = function_named(name), getattr(torch, name)
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        x, y = samples(a, shapes(ranks[0]), 1), samples(b, shapes(ranks[1]), 2)
        if torch.result_type(to_torch(x), to_torch(y)) in NO_COUNTERPART:
            continue
        wanted = outcome(lambda: theirs(to_torch(x), to_torch(y)))
        if getattr(wanted, "dtype", None) in NO_COUNTERPART:
            continue
        compare(outcome(lambda: ours(box(x), box(y))), wanted, f"{name}({a}, {b})")


@pytest.mark.parametrize("name", BINARY)
def test_binary_rows_with_scalars(name, compare):
    ours, theirs = function_named(name), getattr(torch, name)
    for a, scalar in itertools.product(dtypes.ALL, [True, 3, -2, 0, 1.5, -0.75, 2 + 1j]):
        x = samples(a, (6,), 1)
        if torch.result_type(to_torch(x), scalar) in NO_COUNTERPART:
            continue
        wanted = outcome(lambda: theirs(to_torch(x), scalar))
        if getattr(wanted, "dtype", None) in NO_COUNTERPART:
            continue
        compare(outcome(lambda: ours(box(x), scalar)), wanted, f"{name}({a}, {scalar})")


@pytest.mark.parametrize("name", UNARY)
def test_unary_rows(name, compare):
    ours, theirs = function_named(name), getattr(torch, name)
    for a, shape in itertools.product(dtypes.ALL, [(6,), (), (0, 3)]):
        x = samples(a, shape, 3)
        wanted = outcome(lambda: theirs(to_torch(x)))
        compare(outcome(lambda: ours(box(x))), wanted, f"{name}({a})")


@pytest.mark.parametrize(
    "name", ["add_", "sub_", "mul_", "div_", "pow_", "floor_divide_", "__iand__", "lt_", "eq_"]
)
def test_in_place_rows(name, compare):
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        x, y = samples(a, (6,), 1), samples(b, (6,), 2)
        mine = box(x.copy())
        wanted = outcome(lambda: getattr(to_torch(x), name)(to_torch(y)))
        got = outcome(lambda: getattr(mine, name)(box(y)))
        compare(got, wanted, f"{name}({a}, {b})")
        if not isinstance(got, Exception):
            assert got is mine and mine._version == 1
    compare(outcome(lambda: jl.tensor([1.0]).add_(jl.tensor([[1.0], [2.0]]))),
            outcome(lambda: torch.tensor([1.0]).add_(torch.tensor([[1.0], [2.0]]))),
            "shape")  # fmt: skip


CALLS = {
    "div floor": lambda t, x: x.div(2, rounding_mode="floor"),
    "div trunc": lambda t, x: x.div(2, rounding_mode="trunc"),
    "div bad": lambda t, x: x.div(2, rounding_mode="up"),
    "add alpha": lambda t, x: t.add(x, x, alpha=2),
    "add float alpha": lambda t, x: t.add(x, x, alpha=0.5),
    "sub alpha": lambda t, x: t.sub(x, 1, alpha=3),
    "rsub": lambda t, x: t.rsub(x, 3),
    "clamp": lambda t, x: x.clamp(-1, 1),
    "clamp min": lambda t, x: x.clamp(min=0.5),
    "clamp none": lambda t, x: x.clamp(),
    "clamp_min": lambda t, x: x.clamp_min(1),
    "clamp_max": lambda t, x: x.clamp_max(1),
    "clamp tensor": lambda t, x: t.clamp(x, x * 0, x * 0 + 2),
    "where": lambda t, x: t.where(x == x, x, x * 2),
    "where scalar": lambda t, x: t.where(x == x, x, 2.5),
    "where method": lambda t, x: x.where(x == 0, x * 2),
    "masked_fill": lambda t, x: x.masked_fill(x == x, 2),
    "masked_fill float": lambda t, x: x.masked_fill(x == x, 2.5),
    "lerp": lambda t, x: t.lerp(x, x * 2, 0.25),
    "addcmul": lambda t, x: t.addcmul(x, x, x, value=2),
    "addcdiv": lambda t, x: t.addcdiv(x, x, x * 0 + 1, value=2),
    "pow scalar": lambda t, x: 2**x,
    "pow two": lambda t, x: x**2,
    "pow minus": lambda t, x: x**-1,
    "rtruediv": lambda t, x: 3 / x,
    "rfloordiv": lambda t, x: 7 // (x * 0 + 2),
    "rmod": lambda t, x: 7 % (x * 0 + 4),
    "invert": lambda t, x: ~x,
    "shift": lambda t, x: x << 2,
    "rshift": lambda t, x: x >> 1,
    "and": lambda t, x: x & 3,
    "rxor": lambda t, x: 5 ^ x,
    "round decimals": lambda t, x: t.round(x, decimals=1),
    "to half": lambda t, x: x.to(t.float16),
    "to int": lambda t, x: x.to(t.int64),
    "to bool": lambda t, x: x.to(t.bool),
    "to uint8": lambda t, x: x.to(t.uint8),
    "float": lambda t, x: x.float(),
    "long": lambda t, x: x.long(),
    "bool": lambda t, x: x.bool(),
    "half": lambda t, x: x.half(),
    "type_as": lambda t, x: x.type_as(t.tensor([1.0])),
    "fill_": lambda t, x: x.clone().fill_(3),
    "zero_": lambda t, x: x.clone().zero_(),
    "copy_": lambda t, x: x.clone().copy_(t.tensor(2)),
    "relu": lambda t, x: x.relu(),
    "isclose": lambda t, x: t.isclose(x, x),
    "item": lambda t, x: x.reshape(-1)[0].item(),
    "len": lambda t, x: len(x),
    "bool()": lambda t, x: bool(x),
    "contains": lambda t, x: 3 in x,
    "compare none": lambda t, x: x == None,  # noqa: E711
    "index": lambda t, x: [10, 20, 30][x.reshape(-1)[0] * 0],
}
ACTIVATIONS = {
    "silu": ("silu", {}), "gelu": ("gelu", {}), "gelu tanh": ("gelu", {"approximate": "tanh"}),
    "leaky_relu": ("leaky_relu", {}), "elu": ("elu", {}), "hardtanh": ("hardtanh", {}),
    "hardsigmoid": ("hardsigmoid", {}), "hardswish": ("hardswish", {}),
    "softplus": ("softplus", {}),
    "threshold": ("threshold", {"threshold": 0.1, "value": 2.0}), "hardshrink": ("hardshrink", {}),
    "softshrink": ("softshrink", {}), "celu": ("celu", {}), "selu": ("selu", {}),
    "relu6": ("relu6", {}), "logsigmoid": ("logsigmoid", {}), "mish": ("mish", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_calls(name, compare):
    call = CALLS[name]
    for a, shape in itertools.product(dtypes.ALL, [(6,), (), (2, 1)]):
        x = samples(a, shape, 4)
        wanted = outcome(lambda: call(torch, to_torch(x)))
        if getattr(wanted, "dtype", None) in NO_COUNTERPART:
            continue
        compare(outcome(lambda: call(jl, box(x.copy()))), wanted, f"{name}, {a}, {shape}")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, compare):
    """torch's float32 gelu cancels for negative arguments: the bound is absolute."""
    function, options = ACTIVATIONS[name]
    for a in dtypes.ALL:
        if a.is_complex:
            continue
        x = samples(a, (50,), 4)
        wanted = outcome(lambda: getattr(torch.nn.functional, function)(to_torch(x), **options))
        got = outcome(lambda: function_named(function)(box(x), **options))
        compare(got, wanted, f"{name}, {a}")
