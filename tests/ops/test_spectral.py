"""Spectra, windows and further draws: what holds beyond the comparison with torch."""

import math

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor

RNG = np.random.default_rng(4)


def test_spectra_in_a_script():
    @jl.script
    def filtered(x: Tensor):
        spectrum = jl.fft_rfft(x)
        return jl.fft_irfft(spectrum * (jl.arange(spectrum.shape[-1]) < 2), x.shape[-1])

    t = np.arange(16) / 16 * 2 * np.pi
    slow = np.sin(t)
    found = filtered(jl.tensor(slow + np.cos(5 * t)))
    assert np.allclose(found.numpy(), slow, atol=1e-12)


def test_single_precision_stays():
    assert jl.fft_fft(jl.ones(3)).dtype is jl.complex64
    assert jl.fft_irfft(jl.ones(3, dtype=jl.complex64)).dtype is jl.float32


def test_a_signal_comes_back_from_its_spectra():
    x, window = jl.tensor(RNG.standard_normal(40)), jl.hann_window(8, dtype=jl.float64)
    spectra = jl.stft(x, 8, 2, window=window, return_complex=True)
    assert np.allclose(jl.istft(spectra, 8, 2, window=window).numpy(), x.numpy())
    with pytest.raises(RuntimeError, match="leave a gap"):
        jl.istft(spectra, 8, 8, window=jl.hann_window(8, dtype=jl.float64))


def test_windows_add_up():
    window = jl.hann_window(8)
    assert np.allclose((window + window.roll(4)).numpy(), 1)


def test_draws_have_their_means():
    trials = jl.empty(100_000).geometric_(0.25)
    assert trials.min() == 1 and abs(trials.mean().item() - 4) < 0.1
    assert abs(jl.empty(100_000).cauchy_(2.0).median().item() - 2) < 0.05
    assert abs(jl.empty(100_000).log_normal_(0.5, 0.1).log().mean().item() - 0.5) < 0.01


def test_slopes_are_drawn_in_training_only():
    x = -jl.ones(1000)
    slopes = -jl.rrelu(x, 0.1, 0.3, True)
    assert 0.1 <= slopes.min() < 0.12 and 0.28 < slopes.max() <= 0.3
    assert math.isclose(-jl.rrelu(x, 0.1, 0.3)[0].item(), 0.2, rel_tol=1e-6)


def test_scatter_reduces():
    x, index = jl.zeros(2), jl.tensor([0, 0, 1])
    source = jl.tensor([1.0, 3.0, 5.0])
    assert jl.scatter_reduce(x, 0, index, source, "mean", include_self=False).tolist() == [2, 5]
    assert x.scatter_reduce_(0, index, source, "amax").tolist() == [3, 5]


def test_scripts_ask_whether_gradients_are_recorded():
    @jl.script
    def recorded(x: Tensor):
        return jl.is_grad_enabled()

    x = jl.zeros(1)
    for _ in range(4):
        assert recorded(x)
        with jl.no_grad():
            assert not recorded(x)
