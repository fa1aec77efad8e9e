"""Bodies and gradients stay inside the algebra, and its readings say so when they do not."""

from __future__ import annotations

import numpy as np
import pytest

from jitlang import dtypes, ops
from jitlang.dtypes import Category
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph
from jitlang.ir.opdef import OPS, OpDef, Result
from jitlang.ops.algebra import FastNumpyAlgebra, GraphAlgebra, NumpyAlgebra
from jitlang.ops.elementary.exponential import EXP_64
from jitlang.ops.rows import inplace_schema
from jitlang.ops.symbolic import SymbolicAlgebra, Term, read_body
from jitlang.ops.traits import Role, Traits, describe, rejects, roles_of

POINTWISE = [op for op in OPS if op.is_pointwise]
OPTIONS = {
    "aten::round.decimals": {"decimals": 2},
    "aten::mvlgamma": {"p": 2},
    "aten::special_multigammaln": {"p": 2},
    "aten::polygamma": {"n": 2},
    "aten::special_polygamma": {"n": 2},
}
REPRESENTATIVES = (
    dtypes.bool_,
    dtypes.uint8,
    dtypes.int64,
    dtypes.float16,
    dtypes.float32,
    dtypes.float64,
)


def takes(op, dtype):
    if op.result is Result.FLOATING and dtype.category < Category.FLOATING:
        return False  # computed in the default float
    return not rejects(op, dtype)


@pytest.mark.parametrize("op", POINTWISE, ids=lambda op: op.full_name)
def test_every_body_stays_inside_the_algebra(op):
    read = [
        read_body(op, dtype, **OPTIONS.get(op.full_name, {}))
        for dtype in REPRESENTATIVES
        if takes(op, dtype)
    ]
    assert all(isinstance(term, Term) for term in read)
    assert read, "the row takes no dtype at all"


@pytest.mark.parametrize("op", [op for op in POINTWISE if op.grad], ids=lambda op: op.full_name)
def test_every_gradient_stays_inside_the_algebra(op):
    m = SymbolicAlgebra(dtypes.float64)
    operands = [
        "none" if role is Role.OPTION and argument.name == "approximate" else
        m.parameter(argument.name, dtypes.bool_ if role is Role.MASK else None)
        for argument, role in zip(op.schema.arguments, roles_of(op), strict=True)
    ]  # fmt: skip
    gradients = op.grad(m, m.parameter("g"), m.parameter("r"), *operands)
    assert len(gradients) == sum(role in (Role.TENSOR, Role.SCALAR) for role in roles_of(op))
    assert all(g is None or m.dtype_of(g) is dtypes.float64 for g in gradients)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda m, x: np.exp(x), "does not support ufuncs"),
        (lambda m, x: np.where(x > 0, x, -x), "cannot branch"),
        (lambda m, x: x if x > 0 else -x, "cannot branch"),
        (lambda m, x: 1.0, "not an expression"),
        (lambda m, x: m.widen(x) + x, "one dtype"),
        (lambda m, x: m.select(x, x, x), "condition"),
        (lambda m, x: m.to_floating(x), "does not take"),
    ],
)
def test_what_a_body_must_not_do(body, reason):
    op = OpDef("test::f(Tensor self) -> Tensor", body=body, result=Result.PROMOTE)
    describe(op, Traits())
    with pytest.raises(TypeError, match=reason):
        read_body(op, dtypes.float32)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("aten::silu", "gated(self, self)"),
        ("aten::add.Tensor", "self + other * alpha"),
        ("aten::sigmoid", "sigmoid(self)"),
        ("aten::hardsigmoid", "minimum(maximum(self + 3, 0), 6) / 6"),
        ("aten::square", "self * self"),
        ("aten::neg", "-self"),
        ("aten::lerp.Scalar",
         "select(abs(weight) < 0.5, self + weight * (end - self),"
         " end - (end - self) * (1 - weight))"),
    ],
)  # fmt: skip
def test_bodies_print(name, text):
    assert str(read_body(OPS.find(name), dtypes.float32)) == text


def test_expanded_bodies_hold_only_primitives():
    term = read_body(OPS.find("aten::exp"), dtypes.float64, expand=True)
    names = {t.name for t in term.walk()}
    assert "exp" not in names
    assert {"fma", "scaled", "select"} <= names
    constants = {o for t in term.walk() for o in t.operands if isinstance(o, float)}
    assert set(EXP_64) <= constants


def test_constants_take_the_dtype_of_their_neighbour():
    for dtype in (np.float32, np.float64):
        m = NumpyAlgebra(np, dtypes.from_numpy(np.dtype(dtype)))
        x = np.array([0.1], dtype)
        assert (x * 0.1 + 1).dtype == dtype
        assert m.select(x > 0, x, 0.5).dtype == dtype
        assert m.maximum(x, 0).dtype == m.maximum(0, x).dtype == dtype
        assert m.constant(0.1, x).dtype == dtype


def test_neg_keeps_the_sign_of_zero():
    from_body = OPS.find("aten::neg").body(NumpyAlgebra(np, dtypes.float32), np.float32([0.0]))
    assert np.signbit(from_body[0])


def test_rare_skips_what_no_element_needs():
    m = NumpyAlgebra(np, dtypes.float64)
    x = np.arange(3.0)
    assert m.rare(x > 5, lambda: 1 / 0, x) is x
    assert m.rare(x > 1, lambda: -x, x).tolist() == [0, 1, -2]


def test_fast_sigmoid_is_right_far_out():
    m = FastNumpyAlgebra(np, dtypes.float32)
    got = m.sigmoid(np.float32([-100, -1, 0, 1, 100, np.nan, np.inf, -np.inf]))
    assert got[0] == np.float32(3.783506e-44)
    assert got[2:5].tolist() == [0.5, np.float32(0.7310586), 1]
    assert np.isnan(got[5]) and got[6] == 1 and got[7] == 0
    assert m.sigmoid(np.float32(0.0)) == 0.5  # 0-dim results are NumPy scalars


def test_graph_reading_builds_rows():
    graph = Graph()
    builder = Builder(graph)
    m = GraphAlgebra(builder)
    x = m.expression(graph.add_input(ty.TensorType(dtypes.float32), "x"))
    body = OPS.find("aten::silu").body(m, x)
    body = 1 / (2 - body) + (3 / x)
    graph.add_output(body.value)
    kinds = [node.kind for node in graph.nodes if node.op is not None]
    assert kinds[:4] == ["aten::sigmoid", "aten::mul", "aten::rsub", "aten::reciprocal"]
    with pytest.raises(NotImplementedError, match="no row"):
        m.bits(x)


def test_inplace_schemas():
    assert (
        inplace_schema("aten::exp(Tensor self) -> Tensor")
        == "aten::exp_(Tensor(a!) self) -> Tensor(a!)"
    )
    assert inplace_schema(
        "aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", "Scalar"
    ) == ("aten::pow_.Scalar(Tensor(a!) self, Scalar exponent) -> Tensor(a!)")
    assert inplace_schema(
        "aten::__and__.Tensor(Tensor self, Tensor other) -> Tensor", "__iand__.Tensor"
    ) == ("aten::__iand__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)")


def test_families_are_registered_once():
    assert len(set(ops.FAMILIES)) == len(ops.FAMILIES)


DIFFERENTIABLE = [
    op for op in POINTWISE
    if op.grad is not None and Role.OPTION not in roles_of(op) and op.name != "aten::lerp"
]  # fmt: skip


BELOW_ONE = [
    f"aten::{n}" for n in ("asin", "acos", "atanh", "arcsin", "arccos", "arctanh", "logit")
]


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.full_name)
def test_gradients_against_finite_differences(op):
    """Central differences in float64, at points away from kinks and poles."""
    rng = np.random.default_rng(3)
    m = NumpyAlgebra(np, dtypes.float64)
    size = 50

    def draw(role):
        if role is Role.MASK:
            return rng.random(size) < 0.5
        drawn = rng.uniform(0.3, 0.9, size)
        if op.name in ("aten::acosh", "aten::arccosh"):
            return drawn + 1
        return drawn if op.name in BELOW_ONE else drawn + (rng.random(size) < 0.5)

    operands = [draw(role) for role in roles_of(op)]
    g = rng.normal(size=size)
    step = 1e-6
    gradients = op.grad(m, g, op.body(m, *operands), *operands)
    promoted = [i for i, r in enumerate(roles_of(op)) if r in (Role.TENSOR, Role.SCALAR)]
    for i, gradient in zip(promoted, gradients, strict=True):
        if gradient is None:
            continue
        above, below = list(operands), list(operands)
        above[i], below[i] = operands[i] + step, operands[i] - step
        numeric = g * (op.body(m, *above) - op.body(m, *below)) / (2 * step)
        smooth = np.abs(numeric) < 1e4  # a step over a jump gives a huge slope
        assert np.allclose(
            np.broadcast_to(gradient, size)[smooth], numeric[smooth], rtol=1e-5, atol=1e-6
        )
