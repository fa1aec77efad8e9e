"""Gradients of rows that are not pointwise, against finite differences in float64.

`m` is read here by calling rows on arrays: `m.NAME(...)` is the row that a source means by NAME.
"""

import numpy as np
import pytest
from calling import call, complete

from jitlang import dtypes
from jitlang.ir.opdef import OPS
from jitlang.ops.rows import kernel_of


class RowAlgebra:
    """`m.NAME(...)` runs the row that a source means by NAME."""

    def __getattr__(self, name):
        return lambda *args: call(name, *args)


RNG = np.random.default_rng(0)
A23, B34, A234, B245, V3 = (
    RNG.standard_normal(s) for s in ((2, 3), (3, 4), (2, 3, 4), (2, 4, 5), (3,))
)
SQUARES = RNG.standard_normal((2, 3, 3)) + 3 * np.eye(3)
SAMPLES = {
    "aten::view": [(A23, [6])],
    "aten::reshape": [(A23.T, [3, -1])],
    "aten::flatten.using_ints": [(A234, 1, 2)],
    "aten::contiguous": [(A23.T,)],
    "aten::transpose.int": [(A234, 0, 2)],
    "aten::t": [(A23,)],
    "aten::numpy_T": [(A234,)],
    "aten::squeeze": [(A23[None],)],
    "aten::squeeze.dim": [(A23[:, None], 1)],
    "aten::unsqueeze": [(A23, 1)],
    "aten::clone": [(A23,)],
    "aten::mm": [(A23, B34)],
    "aten::bmm": [(A234, B245)],
    "aten::mv": [(A23, V3)],
    "aten::dot": [(V3, V3 + 1)],
    "aten::outer": [(V3, V3[:2])],
    "aten::ger": [(V3, V3[:2])],
    "aten::sum": [(A234,)],
    "aten::mean": [(A234,)],
    "aten::sum.dim_IntList": [(A234, [1]), (A234, [0, -1]), (A234, [-1], True), (A234, None)],
    "aten::mean.dim": [(A234, [2, 0]), (A234, [1], True)],
    "aten::narrow": [(A234, 1, 1, 2), (A234, -1, -2, 2), (A23, 0, 0, 0)],
    "aten::to.dtype": [(A23, dtypes.float64)],
    "aten::take": [(A23, np.array([[0, 5], [-1, 0]]))],
    "aten::softmax.int": [(A234, 1), (A23, -1)],
    "aten::log_softmax.int": [(A234, 1)],
    "aten::cumsum": [(A234, 1)],
    "aten::flip": [(A234, [0, 2])],
    "aten::inverse": [(SQUARES,)],
    "aten::linalg_inv": [(SQUARES,)],
    "aten::det": [(SQUARES,)],
    "aten::linalg_det": [(SQUARES,)],
    "aten::logdet": [(SQUARES @ SQUARES.swapaxes(1, 2),)],
    "aten::pixel_shuffle": [(RNG.standard_normal((2, 8, 1, 3)), 2)],
    "aten::pixel_unshuffle": [(RNG.standard_normal((2, 4, 6)), 2)],
    "aten::diag_embed": [(A23, 1), (A234, 0, 0, 2)],
    "aten::gather": [(A23, 1, np.array([[0, 0], [2, 1]]))],
    "aten::index_select": [(A23, 1, np.array([0, 0, 2]))],
}
WITH_GRADIENT = [op for op in OPS if op.grad is not None and not op.is_pointwise]


@pytest.mark.parametrize("op", WITH_GRADIENT, ids=lambda op: op.full_name)
def test_gradient(op):
    kernel = kernel_of(op, np)
    for sample in SAMPLES[op.full_name]:
        args = complete(op, sample)
        result = np.asarray(kernel(*args))
        seed = RNG.standard_normal(result.shape)
        found = op.grad(RowAlgebra(), seed, result, *args)
        places = [i for i, v in enumerate(args) if isinstance(v, np.ndarray)]
        for gradient, place in zip(found, places, strict=True):
            if gradient is None:
                assert args[place].dtype.kind == "i"
                continue
            expected = differences(kernel, args, place, seed)
            assert np.shape(gradient) == args[place].shape
            assert np.allclose(gradient, expected, atol=1e-6), op


def differences(kernel, args, place, seed, step=1e-6):
    """d(sum(seed * kernel(args))) / d(args[place]), element by element."""
    gradient = np.zeros(args[place].shape)
    for index in np.ndindex(gradient.shape):
        values = []
        for sign in (1, -1):
            moved = args[place].copy()
            moved[index] += sign * step
            values.append(np.sum(seed * kernel(*args[:place], moved, *args[place + 1 :])))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    return gradient
