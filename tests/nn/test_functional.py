"""`nn.functional` is there as torch's is; what it computes is compared in tests/interop."""

from __future__ import annotations

import pytest

import jitlang as jl
import jitlang.nn.functional as F
from jitlang import Tensor, nn


def test_it_is_found_by_both_names():
    assert nn.functional is F
    assert jl.nn.functional is F
    assert {"relu", "gelu", "cross_entropy", "scaled_dot_product_attention"} <= set(dir(F))
    with pytest.raises(AttributeError, match="has no attribute 'relo'"):
        F.relo  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'functionals'"):
        nn.functionals  # noqa: B018


@pytest.mark.parametrize("name", sorted(F.__all__))
def test_each_function_is_a_script(name):
    assert str(jl.script(getattr(F, name)).graph).startswith("graph(")


def loss_of(x: Tensor, w: Tensor, y: Tensor, training: bool) -> Tensor:
    h = F.relu(F.linear(x, w), inplace=True)
    h = F.dropout(h, 0.0, training)
    return F.cross_entropy(F.layer_norm(h, [h.shape[-1]]), y, reduction="sum")


def test_scripts_call_them_and_run_native():
    given = jl.randn(8, 5), jl.randn(4, 5), jl.randint(0, 4, (8,)), True
    expected, scripted = loss_of(*given), jl.script(loss_of)
    for _ in range(5):
        assert jl.allclose(scripted(*given), expected)
    assert "specialized" in str(scripted.explain())


def test_a_wrong_word_is_named():
    with pytest.raises(ValueError, match="reduction must be 'none', 'mean' or 'sum', found 'avg'"):
        F.mse_loss(jl.ones(2), jl.ones(2), reduction="avg")
