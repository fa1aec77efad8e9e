"""Rows of whole matrices: what they promise beyond what the comparison with torch sees."""

import numpy as np
import pytest

import jitlang as jl
from jitlang.ops.decompositions import LinAlgError

RNG = np.random.default_rng(7)
SQUARE = RNG.standard_normal((2, 3, 3)) + 2 * np.eye(3)


def test_inverse_in_a_script():
    @jl.script
    def solved(a: jl.Tensor, b: jl.Tensor):
        return a.inverse() @ b, jl.linalg_solve(a, b)

    b = RNG.standard_normal((2, 3, 1))
    by_inverse, by_solver = solved(jl.tensor(SQUARE), jl.tensor(b))
    assert np.allclose(by_inverse.numpy(), by_solver.numpy())
    assert np.allclose(SQUARE @ by_solver.numpy(), b)


def test_singular_matrices_say_so():
    with pytest.raises(LinAlgError, match="singular"):
        jl.inverse(jl.zeros(2, 2))
    with pytest.raises(RuntimeError, match="positive-definite"):
        jl.linalg_cholesky(-jl.eye(2))
    with pytest.raises(RuntimeError, match="Low precision"):
        jl.inverse(jl.eye(2, dtype=jl.float16))


def test_exponential_of_a_rotation():
    angle = 2.0
    turn = jl.tensor([[0.0, -angle], [angle, 0.0]], dtype=jl.float64)
    expected = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert np.allclose(jl.matrix_exp(turn).numpy(), expected, atol=1e-14)


def test_exponential_undoes_that_of_the_negative():
    large = jl.tensor(SQUARE * 5)
    product = jl.matrix_exp(large) @ jl.matrix_exp(-large)
    assert np.allclose(product.numpy(), np.eye(3), atol=1e-5)


def test_chains_are_multiplied_in_the_cheapest_order():
    from jitlang.ops.matrices import _cheapest

    assert _cheapest([10, 100, 5, 50])[0, 2] == 1
    assert _cheapest([50, 5, 100, 10])[0, 2] == 0


def test_triangles_read_one_triangle():
    a = jl.tensor(SQUARE)
    b = jl.ones(2, 3, 1, dtype=jl.float64)
    found = jl.linalg_solve_triangular(a, b, upper=True)
    assert np.allclose(np.triu(SQUARE) @ found.numpy(), 1)


def test_namespaces_are_torchs():
    assert jl.linalg.inv is jl.linalg.inv
    assert jl.linalg.LinAlgError is LinAlgError
    assert {"inv", "svd", "norm"} <= set(dir(jl.linalg)) and "rfft" in dir(jl.fft)
    with pytest.raises(AttributeError, match=r"jitlang\.linalg"):
        _ = jl.linalg.inversion

    @jl.script
    def length(x: jl.Tensor):
        return jl.linalg.norm(jl.fft.fft(x)), jl.special.expit(x)

    whole, share = length(jl.ones(4))
    assert (whole.item(), share.shape) == (4.0, (4,))
