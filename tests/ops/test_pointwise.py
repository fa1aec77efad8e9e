"""Every pointwise row, over the whole table: layouts, type rules, in-place forms, errors."""

from __future__ import annotations

import numpy as np
import pytest

from jitlang import dtypes
from jitlang.dtypes import Category
from jitlang.ir import types as ty
from jitlang.ir.opdef import NOT_CONSTANT, OPS, Result
from jitlang.ir.types import TensorType
from jitlang.ops.rows import base_of, kernel_of
from jitlang.ops.traits import Role, rejects, roles_of, traits_of

POINTWISE = [op for op in OPS if op.is_pointwise]
INPLACE = [op for op in OPS if base_of(op) is not None]
OPTIONS = {"decimals": 1, "p": 2, "n": 1}
# Rows whose fast form is the array library's function, which is not ours to the last bit.
ROOM = {dtypes.float16: 2e-3, dtypes.bfloat16: 2e-2, dtypes.float32: 2e-6, dtypes.float64: 1e-14}


def label(value):
    return getattr(value, "full_name", str(value))


def draw(dtype, shape, rng):
    if dtype is dtypes.bool_:
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.category is Category.INTEGRAL:
        return np.asarray(rng.integers(1, 6, shape)).astype(dtype.numpy)
    made = rng.uniform(0.2, 0.9, shape)
    if dtype.is_complex:
        made = made + 1j * rng.uniform(0.2, 0.9, shape)
    return np.asarray(made).astype(dtype.numpy)


def arguments(op, dtype, shapes, rng, scalar=2):
    """Arguments of a call: tensors of one dtype and these shapes (cycled), and numbers."""
    made = []
    for i, (argument, role) in enumerate(zip(op.schema.arguments, roles_of(op), strict=True)):
        shape = shapes[i % len(shapes)]
        if role is Role.TENSOR:
            number = argument.name in traits_of(op).zero_dim
            made.append(draw(dtype, () if number else shape, rng))
        elif role is Role.MASK:
            made.append(draw(dtypes.bool_, shape, rng))
        elif role is Role.OPTION:
            made.append(argument.default if argument.has_default else OPTIONS[argument.name])
        elif role is Role.FACTOR:
            made.append(argument.default if argument.has_default else 0.25)
        else:
            made.append(scalar)
    return made


def run(op, args, exact=False):
    with np.errstate(all="ignore"):
        return kernel_of(op, np, exact)(*args)


def accepted(op, dtype):
    """Whether the row takes tensors of this dtype with an int beside them."""
    try:
        run(op, arguments(op, dtype, [(3,)], np.random.default_rng(0)))
    except (RuntimeError, TypeError):
        return False
    return True


def same(got, wanted, room=0.0):
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    if got.dtype == dtypes.bfloat16.numpy:
        got, wanted = got.astype(np.float32), wanted.astype(np.float32)
    return np.allclose(got, wanted, rtol=room, atol=room * 1e-2, equal_nan=True)


@pytest.mark.parametrize("op", POINTWISE, ids=label)
def test_fast_and_exact_agree(op):
    rng = np.random.default_rng(1)
    for dtype in dtypes.ALL:
        if dtype.is_complex or not accepted(op, dtype):
            continue
        args = arguments(op, dtype, [(50,)], rng)
        fast, exact = run(op, args), run(op, args, exact=True)
        assert same(fast, exact, ROOM.get(dtypes.from_numpy(exact.dtype), 0)), dtype


def _transposed(x):
    return np.ascontiguousarray(x.T).T if x.ndim == 2 else x


def _strided(x):
    return np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x


def _reversed(x):
    return np.ascontiguousarray(x[..., ::-1])[..., ::-1] if x.ndim else x


@pytest.mark.parametrize("op", POINTWISE, ids=label)
def test_layout_does_not_matter(op):
    dtype = next(d for d in (dtypes.float32, dtypes.int64, dtypes.bool_) if accepted(op, d))
    rng = np.random.default_rng(2)
    args = arguments(op, dtype, [(3, 4)], rng)
    wanted = run(op, args)
    for layout in (_transposed, _strided, _reversed):
        changed = [layout(a) if isinstance(a, np.ndarray) else a for a in args]
        assert same(run(op, changed), wanted, 1e-6), layout.__name__


@pytest.mark.parametrize("op", POINTWISE, ids=label)
def test_shapes(op):
    """Broadcasting, empty and 0-dim operands give the shapes that NumPy's rules give."""
    dtype = next(d for d in (dtypes.float32, dtypes.int64, dtypes.bool_) if accepted(op, d))
    rng = np.random.default_rng(3)
    for shapes in ([(3, 1), (4,)], [(0, 3), (1, 3)], [(), ()], [(2, 3), ()], [(), (2,)]):
        args = arguments(op, dtype, shapes, rng)
        wanted = np.broadcast_shapes(*[a.shape for a in args if isinstance(a, np.ndarray)])
        assert np.shape(run(op, args)) == wanted, shapes


@pytest.mark.parametrize("op", POINTWISE, ids=label)
def test_type_rule_equals_reality(op):
    """Inference on the inputs' types is the type of the computed result."""
    rng = np.random.default_rng(4)
    for _ in range(60):
        dtype, other = rng.choice(dtypes.ALL), rng.choice(dtypes.ALL)
        shapes = [[(3,), (3,)], [(2, 1), (3,)], [(), (3,)], [(), ()]][rng.integers(4)]
        args = arguments(op, dtype, shapes, rng, scalar=[2, 0.5, True][rng.integers(3)])
        tensors = [i for i, r in enumerate(roles_of(op)) if r is Role.TENSOR]
        if len(tensors) > 1:
            args[tensors[1]] = draw(other, args[tensors[1]].shape, rng)
        try:
            result = run(op, args)
        except (RuntimeError, TypeError):
            continue
        ruled = op.infer([type_of(a) for a in args], [constant_of(a) for a in args])
        assert ruled.dtype.numpy == result.dtype
        assert ruled.sizes == result.shape


def type_of(value):
    if isinstance(value, np.ndarray):
        return TensorType(dtypes.from_numpy(value.dtype), value.shape)
    plain = {bool: ty.BOOL, int: ty.INT, float: ty.FLOAT, str: ty.STR, type(None): ty.NONE}
    return plain[type(value)]


def constant_of(value):
    return NOT_CONSTANT if isinstance(value, np.ndarray) else value


def test_type_rule_with_unknown_facts():
    add = OPS.find("aten::add.Tensor")
    unknown = [NOT_CONSTANT] * 3
    f32, f64 = TensorType(dtypes.float32), TensorType(dtypes.float64)
    assert add.infer([f32, f32, ty.INT], unknown).dtype is dtypes.float32
    # A 0-dim float64 would not decide: without ranks the dtype is not known.
    assert add.infer([f32, f64, ty.INT], unknown).dtype is None
    assert add.infer([f32, ty.TENSOR, ty.INT], unknown) is ty.TENSOR
    rows = TensorType(dtypes.float32, (None, 3))
    column = TensorType(dtypes.float64, (1, None))
    ruled = add.infer([rows, column, ty.INT], unknown)
    assert ruled.dtype is dtypes.float64
    assert ruled.sizes == (None, 3)
    clamp = OPS.find("aten::clamp.Tensor")
    assert clamp.infer([f32, ty.optional(ty.TENSOR), ty.NONE], unknown) is ty.TENSOR


def castable(result, dtype):
    return dtypes.can_cast(dtypes.from_numpy(result.dtype), dtype)


@pytest.mark.parametrize("op", INPLACE, ids=label)
def test_in_place_forms(op):
    base = base_of(op)
    rng = np.random.default_rng(0)
    dtype = next(
        d
        for d in (dtypes.float32, dtypes.int64, dtypes.bool_)
        if accepted(base, d) and castable(run(base, arguments(base, d, [(3,)], rng)), d)
    )
    args = arguments(base, dtype, [(3,)], np.random.default_rng(5))
    wanted = run(base, args).astype(dtype.numpy)
    first = next(i for i, r in enumerate(roles_of(base)) if r in (Role.TENSOR, Role.MASK))
    target = args[first]
    written = run(op, args)
    assert written is target
    assert same(written, wanted)


def test_what_in_place_forms_refuse():
    add = kernel_of(OPS.find("aten::add_.Tensor"), np)
    ones = np.ones(3, np.float32)
    with pytest.raises(RuntimeError, match="can't be cast"):
        add(np.ones(3, np.int64), ones, 1)
    with pytest.raises(RuntimeError, match="broadcast shape"):
        add(np.ones(1, np.float32), ones, 1)
    with pytest.raises(RuntimeError, match="single memory location"):
        add(np.broadcast_to(np.float32(1), 3), ones, 1)


@pytest.mark.parametrize("op", POINTWISE, ids=label)
def test_rejected_dtypes_are_refused(op):
    for dtype in dtypes.ALL:
        if not rejects(op, dtype) or op.result is Result.FLOATING:
            continue
        with pytest.raises((RuntimeError, TypeError)):
            run(op, arguments(op, dtype, [(2,)], np.random.default_rng(0), scalar=True))


def test_integer_division_by_zero():
    for name in ("floor_divide", "remainder.Tensor", "fmod.Tensor"):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            run(OPS.find(f"aten::{name}"), [np.array([1, 2]), np.array([1, 0])])


def test_results_never_share_memory_with_operands():
    for name in ("floor", "round", "relu", "positive", "trunc"):
        x = np.array([1, 2, 3])
        assert not np.shares_memory(run(OPS.find(f"aten::{name}"), [x]), x)


def test_half_types_round_once():
    """float16 computes in float32: the sum is not rounded before the product is added."""
    x = np.array([2048], np.float16)
    args = [x, np.array([0.75], np.float16), np.array([2], np.float16), 1]
    assert run(OPS.find("aten::addcmul"), args)[0] == np.float16(np.float32(2049.5))


def test_rounding_division():
    div = kernel_of(OPS.find("aten::div.Tensor_mode"), np)
    x, y = np.array([7, -7]), np.array([2, 2])
    assert div(x, y, None).dtype == np.float32
    assert div(x, y, "floor").tolist() == [3, -4]
    assert div(x, y, "trunc").tolist() == [3, -3]
    with pytest.raises(RuntimeError, match="rounding_mode"):
        div(x, y, "up")
    infer = OPS.find("aten::div.Tensor_mode").infer
    types = [TensorType(dtypes.int64, (2,))] * 2 + [ty.STR]
    assert infer(types, [NOT_CONSTANT, NOT_CONSTANT, "floor"]).dtype is dtypes.int64
    assert infer(types, [NOT_CONSTANT, NOT_CONSTANT, None]).dtype is dtypes.float32
    assert infer(types, [NOT_CONSTANT] * 3).dtype is None


def test_int_scalars_wrap_and_float_ones_promote():
    x = np.array([1, 2], np.uint8)
    add = OPS.find("aten::add.Scalar")
    assert run(add, [x, 300, 1]).tolist() == [45, 46]
    assert run(add, [x, 0.5, 1]).dtype == np.float32
    with pytest.raises(RuntimeError, match="alpha"):
        run(add, [x, 1, 0.5])
