"""Every program in every phase: what the interpreter, native functions for one layout and the form
for all layouts do is what Python does.
"""

from __future__ import annotations

from typing import Any

import pytest

import jitlang
from jitlang import config
from jitlang.interp.executor import Phase
from programs import harness
from programs.harness import Fate

PROGRAMS = harness.load(jitlang)
NAMES = [
    pytest.param(name, marks=pytest.mark.fallback if each.fallback else ())
    for name, each in PROGRAMS.items()
]

SETTINGS: dict[str, dict[str, int]] = {
    "static": {"num_profiled_runs": 0, "static_versions": 64},
    "generic": {"num_profiled_runs": 0, "static_versions": 0},
    "watched": {"num_profiled_runs": 1, "static_versions": 1},
}


def check(fn: Any, program: harness.Program) -> None:
    """Each input three times in a row, so that it meets each phase."""
    for arguments, fate in program.cases:
        expected = harness.run(program.fn, arguments, jitlang)
        for _ in range(3):
            actual = harness.run(fn, arguments, jitlang)
            if fate is Fate.OVERFLOWS:
                assert isinstance(actual.error, OverflowError), actual
            else:
                harness.assert_same_outcome(actual, expected)


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", NAMES)
def test_every_phase_does_what_python_does(name: str, settings: str) -> None:
    program = PROGRAMS[name]
    with config.override(**SETTINGS[settings]):
        fn = jitlang.script(program.fn, strict=not program.fallback)
        check(fn, program)
    assert fn.explain().phase in (Phase.SPECIALIZED, Phase.GENERIC, Phase.PROFILING)
