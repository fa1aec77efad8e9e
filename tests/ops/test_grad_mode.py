"""Switches of gradient recording, parameters, limits of dtypes, bfloat16 through DLPack."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

import jitlang as jl


def test_modes_nest_and_are_each_threads_own():
    assert jl.is_grad_enabled()
    with jl.no_grad():
        assert not jl.is_grad_enabled()
        with jl.enable_grad():
            assert jl.is_grad_enabled()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(jl.is_grad_enabled()))
        thread.start()
        thread.join()
        assert seen == [True] and not jl.is_grad_enabled()
    assert jl.is_grad_enabled()


def test_modes_decorate_and_survive_errors():
    @jl.no_grad()
    def asked():
        return jl.is_grad_enabled()

    assert asked() is False and jl.is_grad_enabled()
    with pytest.raises(KeyError), jl.no_grad():
        raise KeyError
    assert jl.is_grad_enabled()


def test_a_mode_that_is_set_stays_unless_a_with_statement_ends_it():
    jl.set_grad_enabled(False)
    assert not jl.is_grad_enabled()
    with jl.set_grad_enabled(True):
        assert jl.is_grad_enabled()
    assert not jl.is_grad_enabled()
    jl.set_grad_enabled(True)
    assert jl.is_grad_enabled()


def test_parameters_share_memory_and_ask_for_gradients():
    data = jl.zeros(2)
    parameter = jl.nn.Parameter(data)
    data[0] = 5
    assert parameter.tolist() == [5.0, 0.0] and parameter.requires_grad
    assert isinstance(parameter, jl.Tensor) and parameter.is_leaf
    assert type(parameter + 1) is jl.Tensor
    assert type(copy.deepcopy(parameter)) is jl.nn.Parameter
    assert not jl.nn.Parameter(data, requires_grad=False).requires_grad
    assert repr(parameter).startswith("Parameter containing:\ntensor([5., 0.]")
    with pytest.raises(RuntimeError, match="floating point"):
        jl.nn.Parameter(jl.arange(3))
    with pytest.raises(NotImplementedError, match="does not compute gradients yet"):
        parameter.sum().backward()


def test_bfloat16_goes_through_our_own_dlpack():
    tensor = jl.tensor([1.5, -2.0], dtype=jl.bfloat16)

    class Elsewhere:
        def __dlpack__(self, **options):
            return tensor.__dlpack__(**options)

        def __dlpack_device__(self):
            return tensor.__dlpack_device__()

    shared = jl.from_dlpack(Elsewhere())
    assert shared.dtype is jl.bfloat16 and shared.tolist() == [1.5, -2.0]
    shared[0] = 3
    assert tensor.tolist() == [3.0, -2.0]
    with pytest.raises((BufferError, RuntimeError)):  # NumPy has no bfloat16
        np.from_dlpack(tensor)


def test_limits_are_those_of_the_dtype():
    assert jl.finfo().dtype == "float32" and jl.finfo(jl.float64).eps == np.finfo("float64").eps
    assert jl.finfo(jl.complex64).bits == 32 and jl.iinfo(jl.uint8).max == 255
    with pytest.raises(TypeError, match="use iinfo"):
        jl.finfo(jl.int32)
    with pytest.raises(TypeError, match="use finfo"):
        jl.iinfo(jl.float32)
