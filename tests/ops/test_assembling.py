"""Putting tensors together and padding them: what holds beyond the comparison with torch."""

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor

RNG = np.random.default_rng(2)


def test_packing_and_padding_undo_each_other():
    lengths = jl.tensor([4, 2, 1])
    padded = jl.pad_sequence([jl.randn(n, 3) for n in (4, 2, 1)])
    data, sizes = jl._pack_padded_sequence(padded, lengths, False)
    assert sizes.tolist() == [3, 2, 1, 1]
    again, found = jl._pad_packed_sequence(data, sizes, False, 0.0, 0)
    assert jl.equal(again, padded) and jl.equal(found, lengths)


def test_diagonals_of_embedded_vectors():
    x = jl.randn(2, 3)
    for offset in (-1, 0, 2):
        matrices = jl.diag_embed(x, offset)
        assert jl.equal(jl.linalg_diagonal(matrices, offset=offset), x)
        assert matrices.sum().item() == pytest.approx(x.sum().item())


def test_scattered_parts_are_written_to_a_copy():
    @jl.script
    def replaced(x: Tensor, row: Tensor):
        return jl.select_scatter(x, row, 0, 1), x

    x, row = jl.zeros(3, 2), jl.ones(2)
    made, given = replaced(x, row)
    assert made.tolist() == [[0, 0], [1, 1], [0, 0]] and given.sum() == 0


def test_padding_says_what_it_takes():
    with pytest.raises(NotImplementedError, match="constant, reflect, replicate or circular"):
        jl.pad(jl.zeros(1, 2, 3), [1, 1], "mirror")
    with pytest.raises(NotImplementedError, match="of an input of 1 dimensions"):
        jl.pad(jl.zeros(3), [1, 1], "reflect")
    with pytest.raises(RuntimeError, match="cuts off more"):
        jl.pad(jl.zeros(3), [-4, 2])


def test_a_mirror_reaches_what_the_other_end_loses():
    found = jl.pad(jl.tensor([[[1.0, 2.0, 3.0]]]), [2, -1], "reflect")
    assert found.tolist() == [[[3, 2, 1, 2]]]


def test_a_layer_is_its_parts():
    def parameters(*shapes):
        return [jl.tensor(RNG.standard_normal(shape), dtype=jl.float32) for shape in shapes]

    x, weight, bias, out, out_bias = parameters((2, 3, 8), (24, 8), (24,), (8, 8), (8,))
    found, weights = jl._native_multi_head_attention(
        x, x, x, 8, 2, weight, bias, out, out_bias, average_attn_weights=False
    )
    q, k, v = (
        p.reshape(2, 3, 2, 4).transpose(1, 2) for p in jl.linear(x, weight, bias).chunk(3, -1)
    )
    each = jl.scaled_dot_product_attention(q, k, v)
    expected = jl.linear(each.transpose(1, 2).reshape(2, 3, 8), out, out_bias)
    assert np.allclose(found.numpy(), expected.numpy(), atol=1e-5)
    assert np.allclose(weights.sum(-1).numpy(), 1, atol=1e-6)


def test_bags_are_sums_of_embeddings():
    weight, indices = jl.randn(6, 3), jl.tensor([0, 5, 2, 2])
    found, bags, sizes, _ = jl.embedding_bag(weight, indices, jl.tensor([0, 1, 1]))
    assert jl.equal(found[0], weight[0]) and not found[1].any()
    assert np.allclose(found[2].numpy(), (weight[5] + 2 * weight[2]).numpy())
    assert bags.tolist() == [0, 2, 2, 2] and sizes.tolist() == [1, 0, 3]
