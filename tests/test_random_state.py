"""The state of the random generator, by torch's names."""

from __future__ import annotations

import pytest

import jitlang as jl
from jitlang import Tensor


@pytest.fixture(autouse=True)
def as_it_was():
    with jl.random.fork_rng():
        yield


def test_a_seed_begins_anew():
    assert jl.manual_seed(17) is jl.default_generator
    first = jl.randn(5)
    assert jl.initial_seed() == 17
    assert not jl.equal(jl.randn(5), first)
    jl.manual_seed(17)
    assert jl.equal(jl.randn(5), first)
    assert jl.seed() == jl.initial_seed()


@jl.script
def seeded(seed: int) -> Tensor:
    jl.manual_seed(seed)
    return jl.rand(3)


def test_scripts_seed_too():
    for _ in range(5):
        assert jl.equal(seeded(3), seeded(3))
        assert not jl.equal(seeded(3), seeded(4))


def test_a_state_is_taken_and_given_back():
    jl.manual_seed(5)
    jl.rand(7)
    state = jl.get_rng_state()
    assert state.dtype == jl.uint8 and state.shape == (16,)
    drawn = jl.rand(3)
    jl.set_rng_state(state)
    with jl.random.fork_rng():
        jl.manual_seed(9)
    assert jl.equal(jl.rand(3), drawn)


@pytest.mark.parametrize("wrong", [jl.zeros(16), jl.zeros(15, dtype=jl.uint8)])
def test_a_state_is_sixteen_bytes(wrong):
    with pytest.raises(RuntimeError, match="new_state must be what get_rng_state gave"):
        jl.set_rng_state(wrong)


def test_generators_of_their_own():
    mine, other = (jl.Generator().manual_seed(1) for _ in range(2))
    assert jl.equal(jl.rand(4, generator=mine), jl.rand(4, generator=other))
