"""Every program, scripted, does what plain Python does."""

from functools import cache

import pytest

import jitlang
from programs import covered, harness
from programs.harness import Fate

PROGRAMS = harness.load(jitlang)
NAMES = [
    pytest.param(name, marks=pytest.mark.fallback if each.fallback else ())
    for name, each in PROGRAMS.items()
]


@cache
def script(name: str) -> object:
    each = PROGRAMS[name]
    return jitlang.script(each.fn, strict=not each.fallback)


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("exact", [False, True], ids=["interpreted", "exact"])
@pytest.mark.parametrize("name", NAMES)
def test_script_does_what_python_does(name: str, exact: bool) -> None:
    each = PROGRAMS[name]
    for arguments, fate in each.cases:
        expected = harness.run(each.fn, arguments, jitlang)
        harness.assert_fate(expected, fate)
        with jitlang.config.override(exact=exact):
            actual = harness.run(script(name), arguments, jitlang)
        if fate is Fate.OVERFLOWS:
            assert isinstance(actual.error, OverflowError), actual
            continue
        harness.assert_same_outcome(actual, expected)


def test_programs_use_every_accepted_node_kind() -> None:
    used = covered.count_node_kinds(PROGRAMS.values())
    assert [kind for kind in covered.expected_node_kinds() if not used[kind]] == []
    assert [kind for kind in covered.NOT_ACCEPTED if used[kind]] == []


def test_programs_use_every_jump_and_refinement() -> None:
    used = covered.count_tags(PROGRAMS.values())
    assert harness.JUMPS | harness.REFINEMENTS == set(used)
