"""Recurrent rows: packed sequences are the even ones, and scripts run them."""

import numpy as np

import jitlang as jl
from jitlang import Tensor

RNG = np.random.default_rng(5)


def weights(gates, size, hidden, count):
    made = []
    for _ in range(count):
        for shape in ((gates * hidden, size), (gates * hidden, hidden), *[(gates * hidden,)] * 2):
            made.append(jl.tensor(RNG.standard_normal(shape), dtype=jl.float32))
    return made


def test_packed_sequences_of_one_length_are_even_ones():
    x, params = jl.randn(4, 2, 3), weights(4, 3, 5, 2)
    states = [jl.randn(2, 2, 5), jl.randn(2, 2, 5)]
    rest = (True, 1, 0.0, False, True)
    even = jl.lstm(x, states, params, *rest, False)
    sizes = jl.tensor([2, 2, 2, 2])
    packed = jl.lstm(x.reshape(8, 3), sizes, states, params, *rest)
    assert np.allclose(even[0].numpy().reshape(8, 10), packed[0].numpy(), atol=1e-6)
    assert np.allclose(even[2].numpy(), packed[2].numpy(), atol=1e-6)


def test_a_sequence_is_its_steps():
    @jl.script
    def steps(x: Tensor, h: Tensor, params: list[Tensor]):
        for i in range(x.shape[0]):
            h = jl.gru_cell(x[i], h, params[0], params[1], params[2], params[3])
        return h

    x, h, params = jl.randn(4, 2, 3), jl.randn(2, 5), weights(3, 3, 5, 1)
    whole = jl.gru(x, h[None], params, True, 1, 0.0, False, False, False)
    assert np.allclose(steps(x, h, params).numpy(), whole[1][0].numpy(), atol=1e-6)


def test_cells_run_native_in_loops():
    @jl.script
    def states(x: Tensor, h: Tensor, c: Tensor, params: list[Tensor]):
        for i in range(x.shape[0]):
            h, c = jl.lstm_cell(x[i], [h, c], params[0], params[1], params[2], params[3])
        return h, c

    x, h, c, params = jl.randn(4, 2, 3), jl.randn(2, 5), jl.randn(2, 5), weights(4, 3, 5, 1)
    whole = jl.lstm(x, [h[None], c[None]], params, True, 1, 0.0, False, False, False)
    states.compile(x, h, c, params)
    assert "in Python: 0" in str(states.explain())
    for found, expected in zip(states(x, h, c, params), whole[1:], strict=True):
        assert np.allclose(found.numpy(), expected[0].numpy(), atol=1e-6)


def test_dropout_stands_between_layers():
    x, params = jl.randn(4, 2, 5), weights(1, 5, 5, 2)
    zero = jl.zeros(2, 2, 5)
    dropped = jl.rnn_tanh(x, zero, params, True, 2, 1.0, True, False, False)
    kept = jl.rnn_tanh(x, zero, params, True, 2, 1.0, False, False, False)
    assert np.allclose(dropped[1][0].numpy(), kept[1][0].numpy())
    assert not np.allclose(dropped[1][1].numpy(), kept[1][1].numpy())
