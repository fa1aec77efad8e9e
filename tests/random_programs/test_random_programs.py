"""All tiers agree on random programs, and random programs find planted miscompiles.

The slow tests run 5,000 programs and all forty plants; the others a sample with fixed seeds.
"""

import pytest

import jitlang as jl

from . import campaign, tiers
from .generator import random_source
from .planted import PLANTS

QUICK_SEEDS = 30
SAMPLE = {
    "alias: views have memory of their own": 1,
    "peephole takes swapped variables for unchanged": 3,
    "registers: two joins share one": 3,
    "emit misses overflows": 30,
    "native ranges lose the last partial step": 1,
    "host loops run once more": 0,
}
"""Plants, one for each part of the compiler, and seeds that find them."""


def test_a_seed_gives_one_program() -> None:
    assert random_source(7) == random_source(7) != random_source(8)


def test_tiers_agree() -> None:
    found = campaign.agreement(range(QUICK_SEEDS))
    assert not found.diverged, str(found)
    assert found.rejection_rate < 0.2, str(found)


def test_plants_can_be_planted() -> None:
    assert len({plant.name for plant in PLANTS}) == 40
    for plant in PLANTS:
        with plant.planted():
            pass


@pytest.mark.parametrize("name", SAMPLE)
def test_a_planted_miscompile_is_found(name: str) -> None:
    (plant,) = [plant for plant in PLANTS if plant.name == name]
    assert campaign.Subject(SAMPLE[name]).shows(plant)


def test_the_reference_has_64_bit_integers() -> None:
    source = "def program(n):\n    n *= 2\n    return n - 1\n\ndef case_0():\n    return (2**62,)\n"
    loaded = tiers.load(source, "big")
    assert loaded.program(2**62) == 2**63 - 1
    assert tiers.run(loaded.reference, (2**62,)).error == "OverflowError"
    assert tiers.find_divergence(source, "big") is None


def test_outcomes_tell_sharing_and_signs() -> None:
    x = jl.ones(2)
    assert tiers.run(lambda x: (x, x), (x,)) != tiers.run(lambda x: (x, x.clone()), (x,))
    assert tiers.run(lambda: 0.0, ()) != tiers.run(lambda: -0.0, ())
    assert tiers.run(lambda: [float("nan")], ()) == tiers.run(lambda: [float("nan")], ())


def test_reducing_keeps_the_failure() -> None:
    source = "def program(n):\n    a = 1\n    if n > 1:\n        b = 2\n        print('x')\n"
    reduced = tiers.reduce(source, lambda text: "print" in text)
    assert reduced == "def program(n):\n    print('x')"


@pytest.mark.slow
def test_5000_programs_agree() -> None:
    found = campaign.agreement(range(5000))
    assert not found.diverged, str(found)
    assert found.rejection_rate < 0.2, str(found)


@pytest.mark.slow
def test_random_programs_find_38_of_40_plants() -> None:
    found = campaign.find_plants(PLANTS, 2000)
    survivors = [plant.name for plant in PLANTS if plant.name not in found]
    assert len(survivors) <= 2, survivors
