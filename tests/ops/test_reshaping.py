"""Rows that give a tensor another shape in place, eagerly and in scripts."""

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor


def test_the_tensor_changes_and_the_memory_stays():
    x = jl.arange(6).reshape(2, 3)
    memory, alias = x.numpy(), x
    assert x.unsqueeze_(0) is x
    assert alias.shape == (1, 2, 3) and memory.shape == (2, 3)
    x.squeeze_(0).t_()
    assert x.shape == (3, 2) and x[2, 1] == 5
    x[0, 0] = 9
    assert memory[0, 0] == 9


def test_a_view_of_another_tensor():
    x = jl.zeros(2, 3)
    row = x[1]
    row.unsqueeze_(1)
    row += 1
    assert row.shape == (3, 1) and x.sum() == 3


def test_raw_arrays_keep_their_shape():
    call = jl.tensor([1.0]).unsqueeze_(0)
    assert call.shape == (1, 1)
    with pytest.raises(TypeError, match="keeps its shape"):
        from jitlang.tensor import call as run

        run("aten::unsqueeze_", (np.zeros(3), 0), {})


def test_scripts_see_it_through_every_name():
    @jl.script
    def grow(x: Tensor, times: int):
        y = x
        before = x.dim()
        for _ in range(times):
            x.unsqueeze_(0)
        return y.dim() - before, y.shape, y * 2

    x = jl.ones(3)
    for _ in range(6):  # watched, and after it
        assert grow(x.clone(), 2)[:2] == (2, (1, 1, 3))
    assert grow(x, 1)[0] == 1 and x.shape == (1, 3)


def test_inlined_functions_reshape_too():
    @jl.script
    def turn(x: Tensor):
        x.transpose_(0, 1)

    @jl.script
    def outer(x: Tensor):
        rows = x.size(0)
        turn(x)
        return rows, x.size(0), (x + 1).sum()

    outer.compile(jl.ones(2, 3))
    for _ in range(6):
        assert outer(jl.ones(2, 3))[:2] == (2, 3)


def test_detach_forgets():
    x = jl.tensor([1.0, 2.0], requires_grad=True)
    assert x.detach_() is x and not x.requires_grad
