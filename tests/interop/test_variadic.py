"""Functions that take their tensors one by one, in torch and here, scripted and not."""

import numpy as np
import pytest

import jitlang as jl

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.interop

CALLS = {
    "meshgrid": ((3,), (2,)),
    "broadcast_tensors": ((2, 3), (3,)),
    "block_diag": ((2, 3), (1, 2)),
    "cartesian_prod": ((3,), (2,)),
    "chain_matmul": ((2, 3), (3, 4), (4, 1)),
    "atleast_1d": ((), (2,)),
    "atleast_2d": ((3,), (2, 2)),
    "atleast_3d": ((3,), (2, 2)),
}


def given(name):
    arrays = [np.arange(1, 1 + np.prod(s), dtype=np.float32).reshape(s) for s in CALLS[name]]
    keywords = {"indexing": "xy"} if name == "meshgrid" else {}
    return arrays, keywords


@pytest.mark.filterwarnings("ignore:torch.chain_matmul is deprecated")
@pytest.mark.parametrize("name", CALLS)
def test_tensors_one_by_one(name):
    arrays, keywords = given(name)
    expected = getattr(torch, name)(*map(torch.from_numpy, arrays), **keywords)
    found = getattr(jl, name)(*map(jl.from_numpy, arrays), **keywords)
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for mine, theirs in pairs:
        assert tuple(mine.shape) == tuple(theirs.shape)
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_einsum_takes_its_operands_one_by_one():
    x, y = np.ones((2, 3), np.float32), np.arange(3, dtype=np.float32)
    expected = torch.einsum("ij,j->i", torch.from_numpy(x), torch.from_numpy(y))
    found = jl.einsum("ij,j->i", jl.from_numpy(x), jl.from_numpy(y))
    np.testing.assert_allclose(found.numpy(), expected.numpy())
