"""Resizing, sampling and patches: identities that hold whatever the library."""

import numpy as np
import pytest

import jitlang as jl

RNG = np.random.default_rng(3)
IMAGE = jl.tensor(RNG.standard_normal((2, 3, 4, 5)))


@pytest.mark.parametrize("name", ["upsample_bilinear2d", "upsample_bicubic2d"])
def test_equal_sizes_change_nothing(name):
    found = getattr(jl, name)(IMAGE, [4, 5], False)
    assert np.allclose(found.numpy(), IMAGE.numpy(), atol=1e-15)
    found[0] = 0  # a copy
    assert IMAGE.numpy().all()


def test_shrinking_antialiased_keeps_the_mean():
    found = jl._upsample_bilinear2d_aa(jl.ones(1, 1, 9, 7), [3, 2], False)
    assert np.allclose(found.numpy(), 1)


def test_sizes_or_factors():
    found = jl.upsample_nearest2d(IMAGE, None, [2.0, 2.0])
    assert found.shape == (2, 3, 8, 10)
    with pytest.raises(RuntimeError, match="exactly one"):
        jl.upsample_nearest2d(IMAGE, [8, 10], [2.0, 2.0])


@pytest.mark.parametrize("corners", [True, False])
def test_the_identity_map_samples_the_image(corners):
    theta = jl.tensor([[[1.0, 0, 0], [0, 1, 0]]] * 2, dtype=jl.float64)
    grid = jl.affine_grid_generator(theta, [2, 3, 4, 5], corners)
    for mode in (0, 1, 2):
        found = jl.grid_sampler(IMAGE, grid, mode, 0, corners)
        assert np.allclose(found.numpy(), IMAGE.numpy(), atol=1e-12), mode


def test_nothing_is_read_outside():
    far = jl.full([2, 1, 1, 2], float("inf"), dtype=jl.float64)
    assert not jl.grid_sampler(IMAGE, far, 0, 0, True).numpy().any()
    assert np.isfinite(jl.grid_sampler(IMAGE, far * 0, 0, 1, True).numpy()).all()


def test_shuffles_undo_each_other():
    pixels = jl.randn(2, 8, 3, 5)
    assert jl.equal(jl.pixel_unshuffle(jl.pixel_shuffle(pixels, 2), 2), pixels)


def test_columns_add_up_to_the_image_by_how_often_they_hold_it():
    windows = ([2, 2], [1, 1], [1, 0], [1, 1])
    columns = jl.im2col(IMAGE, *windows)
    often = jl.col2im(jl.im2col(jl.ones_like(IMAGE), *windows), [4, 5], *windows)
    assert np.allclose(jl.col2im(columns, [4, 5], *windows).numpy(), (IMAGE * often).numpy())
