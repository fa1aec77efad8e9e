"""Every pointwise row in every real dtype and many layouts: generated code equals the reference bit
for bit.
"""

import numpy as np
import pytest
from differential import REAL, check, samples

from jitlang import dtypes, ops
from jitlang.ir.opdef import OPS
from jitlang.ops.traits import Role, roles_of

assert ops
ROWS = [op for op in OPS if op.body is not None]
FALL_BACK = (
    "integer powers",
    "a fraction as a factor",
    "bools",
    "as int",
    "as uint8",
    "float as",
    "natural_power",
)


def number_for(argument, dtype, seed):
    """A number for a scalar argument."""
    if argument.has_default and argument.default is not None:
        return argument.default
    if dtype is dtypes.bool_:
        return True
    return (2, 3, 1)[seed % 3] if not dtype.is_floating_point else (0.7, 2.0, -1.3)[seed % 3]


def values_for(op, dtype, shape=None, seed=0):
    values = []
    for argument, role in zip(op.schema.arguments, roles_of(op), strict=True):
        own = dtypes.bool_ if role is Role.MASK else dtype
        if role in (Role.TENSOR, Role.MASK):
            value = samples(own, seed + len(values))
            if role is Role.MASK:
                value = np.resize(value, len(samples(dtype)))
            values.append(value if shape is None else np.resize(value, shape))
        elif role is Role.OPTION:
            values.append(argument.default if argument.has_default else 2)
        else:
            values.append(number_for(argument, dtype, seed))
    return values


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.full_name)
def test_every_dtype(op):
    for dtype in REAL:
        check(op, values_for(op, dtype), FALL_BACK)


def ids(op):
    return op.full_name


LAYOUT_ROWS = [
    OPS.find(name)
    for name in ("aten::add.Tensor", "aten::where.self", "aten::sigmoid", "aten::lt.Tensor")
]


def layouts(array):
    """The same kind of array in many layouts; each has 24 * 35 elements or broadcasts to them."""
    base = np.resize(array, (24, 35))
    yield base
    yield np.resize(array, (35, 24)).T
    yield np.resize(array, (48, 70))[::2, ::2]
    yield base[::-1]
    yield base[:, ::-1]
    yield np.resize(array, (24, 1))
    yield np.resize(array, (35,))
    yield np.resize(array, (1, 35))
    yield np.resize(array, ())
    yield np.resize(array, (1, 1))
    yield np.broadcast_to(np.resize(array, (24, 1)), (24, 35))
    yield np.resize(array, (24, 40))[:, 3:38]


@pytest.mark.parametrize("op", LAYOUT_ROWS, ids=ids)
@pytest.mark.parametrize(
    "dtype", [dtypes.float32, dtypes.float16, dtypes.bool_, dtypes.int64], ids=lambda d: d.name
)
def test_every_pair_of_layouts(op, dtype):
    roles = [role for role in roles_of(op) if role in (Role.TENSOR, Role.MASK)]
    variants = []
    for position, role in enumerate(roles):
        own = dtypes.bool_ if role is Role.MASK else dtype
        variants.append(list(layouts(samples(own, position))))
    for n in range(len(variants[0])):
        for k in range(0, len(variants[0]), 1 if len(roles) == 2 else 3):
            chosen = [variants[p][(n + k * p) % len(variants[p])] for p in range(len(roles))]
            rest = [
                a.default for a, r in zip(op.schema.arguments, roles_of(op)) if r is Role.FACTOR
            ]
            check(op, [*chosen, *rest], FALL_BACK)


@pytest.mark.parametrize(
    "shape", [(0,), (3, 0), (), (1,), (1, 1, 1), (15,), (16,), (17,), (2, 3, 5, 7), (7, 1, 33)]
)
def test_sizes(shape):
    for name in ("aten::tanh", "aten::mul.Tensor"):
        for dtype in (dtypes.float32, dtypes.float64, dtypes.bfloat16):
            assert check(OPS.find(name), values_for(OPS.find(name), dtype, shape))


def test_three_dimensions_that_do_not_merge():
    x = np.random.default_rng(0).normal(size=(5, 6, 7)).astype("float32")
    add = OPS.find("aten::add.Tensor")
    for axes in ((0, 2, 1), (2, 1, 0), (1, 0, 2), (2, 0, 1), (1, 2, 0)):
        moved = np.ascontiguousarray(x.transpose(axes)).transpose(np.argsort(axes))
        assert check(add, [x, moved, 1])
        assert check(add, [moved[:, ::2], x[:, ::2], 2])


def test_mixed_dtypes():
    add, where = OPS.find("aten::add.Tensor"), OPS.find("aten::where.self")
    for first in REAL:
        for second in REAL:
            x, y = samples(first, 0, 50)[:50], samples(second, 1, 50)[:50]
            check(add, [x, y, 1], FALL_BACK)
            check(add, [x, y[7:8].reshape(()), 1], FALL_BACK)
            check(where, [samples(dtypes.bool_, 2, 50), x, y], FALL_BACK)


@pytest.mark.parametrize(
    "number", [0, 1, -3, 200, 70000, 2**40, 0.1, -1e30, 1e300, float("inf"), float("nan"), True]
)
def test_scalars(number):
    for name in (
        "aten::add.Scalar",
        "aten::mul.Scalar",
        "aten::gt.Scalar",
        "aten::clamp_min",
        "aten::div.Scalar",
    ):
        op = OPS.find(name)
        rest = [a.default for a in op.schema.arguments[2:]]
        for dtype in REAL:
            check(op, [samples(dtype)[:40], number, *rest], FALL_BACK)


def test_division_by_zero_is_an_error():
    op = OPS.find("aten::floor_divide")
    x = np.arange(20, dtype="int32")
    assert check(op, [x, np.full(20, 3, "int32")])
    y = np.full(20, 3, "int32")
    y[13] = 0
    assert not check(op, [x, y])
    # Lanes beyond the end do not count.
    assert check(op, [x[:3], y[:3]])


def test_extreme_quotients():
    for dtype in (dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64):
        low = np.iinfo(dtype.numpy).min
        x = np.array([low, low, -7, 7, -7, 7, 0], dtype.numpy)
        y = np.array([-1, 1, 2, -2, -2, 2, -1], dtype.numpy)
        for name in ("aten::floor_divide", "aten::remainder.Tensor", "aten::fmod.Tensor"):
            check(OPS.find(name), [x, y])


def test_shifts_beyond_the_width():
    for dtype in (dtypes.uint8, dtypes.int8, dtypes.int32, dtypes.int64):
        x = samples(dtype)[:30]
        y = np.resize(np.array([0, 1, 7, 8, 31, 32, 63, 64, 100], dtype.numpy), 30)
        for name in ("aten::bitwise_left_shift.Tensor", "aten::bitwise_right_shift.Tensor"):
            assert check(OPS.find(name), [x, y])
