"""Looking values up and measuring distances: identities that hold whatever the library."""

import math

import numpy as np

import jitlang as jl
from jitlang import Tensor

RNG = np.random.default_rng(11)


def test_buckets_are_found_in_a_script():
    @jl.script
    def graded(points: Tensor, limits: Tensor):
        grades = jl.bucketize(points, limits)
        return grades, jl.isin(grades, jl.tensor([0, 2]))

    grades, extreme = graded(jl.tensor([1.0, 5.0, 9.0]), jl.tensor([3.0, 6.0]))
    assert grades.tolist() == [0, 1, 2] and extreme.tolist() == [True, False, True]


def test_the_half_quantile_is_the_median_of_odd_counts():
    x = jl.tensor(RNG.standard_normal((5, 7)))
    assert jl.equal(jl.quantile(x, 0.5, 1), jl.median(x, 1).values)
    x[0, 0] = math.nan
    assert jl.isnan(jl.quantile(x, 0.5, 1))[0] and not jl.isnan(jl.nanquantile(x, 0.5, 1)).any()


def test_the_most_frequent_is_the_least_of_several():
    values, at = jl.mode(jl.tensor([3, 1, 2, 1, 3]))
    assert (values.item(), at.item()) == (1, 3)


def test_areas_below_lines():
    assert jl.trapezoid(jl.tensor([1.0, 2.0, 3.0])).item() == 4.0
    steps = jl.cumulative_trapezoid(jl.tensor([0.0, 1.0, 1.0]), jl.tensor([0.0, 2.0, 3.0]))
    assert steps.tolist() == [1.0, 2.0]


def test_all_pairs_hold_each_pair_twice():
    x = jl.tensor(RNG.standard_normal((4, 3)))
    apart = jl.cdist(x, x)
    first, second = np.triu_indices(4, 1)
    assert np.array_equal(apart.numpy()[first, second], jl.pdist(x).numpy())
    assert np.array_equal(apart.numpy(), apart.T.numpy())


def test_alignments_of_one_label():
    # Of two steps and the label 1 three ways lead to it: 1 1, 1 -, - 1.
    certain = jl.tensor([[[0.4, 0.6]], [[0.3, 0.7]]]).log()
    loss = jl.ctc_loss(certain, jl.tensor([[1]]), [2], [1], 0, 2)
    assert math.isclose(loss.item(), -math.log(0.6 * 0.7 + 0.6 * 0.3 + 0.4 * 0.7), rel_tol=1e-6)


def test_similarity_is_fused_from_its_parts():
    @jl.script
    def close(a: Tensor, b: Tensor):
        return jl.cosine_similarity(a, b, -1)

    a, b = jl.randn(3, 8), jl.randn(3, 8)
    expected = (a * b).sum(-1) / (a.norm(2, [-1]) * b.norm(2, [-1]))
    for _ in range(5):
        assert np.allclose(close(a, b).numpy(), expected.numpy(), atol=1e-6)


def test_derivatives_of_the_gamma_function():
    known = {1: math.pi**2 / 6, 2: -2.4041138063191886, 3: math.pi**4 / 15}
    for n, value in known.items():
        found = jl.polygamma(n, jl.tensor([1.0], dtype=jl.float64)).item()
        assert math.isclose(found, value, rel_tol=1e-14), n
    half = jl.polygamma(1, jl.tensor([-0.5], dtype=jl.float64)).item()
    assert math.isclose(half, math.pi**2 / 2 + 4, rel_tol=1e-14)


def test_alpha_dropout_keeps_mean_and_variance():
    found = jl.alpha_dropout(jl.selu(jl.randn(200_000)), 0.3, True)
    assert abs(found.mean().item()) < 0.02 and abs(found.var().item() - 1) < 0.03


def test_parts_of_complex_numbers_are_views():
    z = jl.tensor([1 + 2j, 3 - 4j])
    z.real[0] = 5
    jl.view_as_real(z)[1, 1] = 7
    assert z.tolist() == [5 + 2j, 3 + 7j]
    assert jl.equal(jl.complex(z.real, z.imag), z)
    assert jl.conj(z).imag.tolist() == [-2, -7]
