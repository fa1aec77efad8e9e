"""Losses, normalisations, attention, special functions: values known by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest

import jitlang as jl
from ops.calling import run


def test_special_functions_at_known_points():
    x = jl.tensor([0.5, 1.0, 2.0, 5.0], dtype=jl.float64)
    assert jl.lgamma(x).tolist() == pytest.approx([math.lgamma(v) for v in x.tolist()], abs=1e-14)
    euler = 0.5772156649015329
    assert jl.digamma(x).tolist() == pytest.approx(
        [-euler - 2 * math.log(2), -euler, 1 - euler, 25 / 12 - euler], rel=1e-14
    )
    y = jl.tensor([-0.999, -0.3, 0.0, 1e-12, 0.7, 1 - 2**-53], dtype=jl.float64)
    assert jl.erf(jl.erfinv(y)).tolist() == pytest.approx(y.tolist(), rel=1e-15)


def test_bessel_functions_equal_their_series():
    x = np.array([0.0, 0.3, 2.0, 7.9, 8.1, 20.0])
    series = [sum((v / 2) ** (2 * k) / math.factorial(k) ** 2 for k in range(60)) for v in x]
    assert run("aten::i0", x).tolist() == pytest.approx(series, rel=4e-15)
    first = [
        sum((v / 2) ** (2 * k + 1) / math.factorial(k) / math.factorial(k + 1) for k in range(60))
        for v in x
    ]
    assert run("aten::special_i1", x).tolist() == pytest.approx(first, rel=4e-15)


def test_cross_entropy_is_the_likelihood_of_the_softmax():
    logits, target = jl.randn(5, 3), jl.tensor([0, 2, 1, 1, 0])
    picked = logits.softmax(1).log().gather(1, target.unsqueeze(1)).neg()
    assert jl.cross_entropy_loss(logits, target).item() == pytest.approx(
        picked.mean().item(), rel=1e-5
    )


def test_batch_norm_moves_its_running_statistics():
    x = jl.randn(64, 3) * 2 + 1
    mean, variance = jl.zeros(3), jl.ones(3)
    made = jl.batch_norm(x, None, None, mean, variance, True, 0.5, 1e-5, True)
    assert abs(made.mean(0)).max().item() < 1e-5
    assert mean.tolist() == pytest.approx((x.mean(0) * 0.5).tolist(), rel=1e-4)
    assert variance.tolist() == pytest.approx((x.var(0) * 0.5 + 0.5).tolist(), rel=1e-4)
    assert (mean._version, variance._version) == (1, 1)


def test_layer_norm_in_a_script():
    def norm(x: jl.Tensor, w: jl.Tensor):
        return jl.layer_norm(x, [4], w)

    x, w = jl.randn(3, 4), jl.randn(4)
    assert jl.script(norm)(x, w).tolist() == norm(x, w).tolist()
    assert norm(x, jl.ones(4)).var(1, False).tolist() == pytest.approx([1] * 3, rel=1e-3)


def test_attention_over_one_key_is_its_value():
    query, key, value = jl.randn(2, 5, 4), jl.randn(2, 1, 4), jl.randn(2, 1, 3)
    made = jl.scaled_dot_product_attention(query, key, value)
    assert made.shape == (2, 5, 3)
    assert np.allclose(made.numpy(), np.broadcast_to(value.numpy(), (2, 5, 3)), atol=1e-6)


def test_padding_counts_from_the_last_dimension():
    x = jl.arange(6).reshape(2, 3)
    assert jl.pad(x, [1, 0, 0, 1]).tolist() == [[0, 0, 1, 2], [0, 3, 4, 5], [0, 0, 0, 0]]
    assert jl.pad(x, [-1, 0]).tolist() == [[1, 2], [4, 5]]
    assert jl.pad(x, [1, 1], "reflect").tolist() == [[1, 0, 1, 2, 1], [4, 3, 4, 5, 4]]


def test_targets_out_of_range_are_refused():
    with pytest.raises(IndexError, match="out of bounds"):
        jl.nll_loss(jl.zeros(2, 3), jl.tensor([0, 3]))
