"""Runs every case of `tests/golden` (`golden_loader` describes the format)."""

import difflib

import pytest

from golden_loader import (
    Case,
    Subject,
    all_cases,
    check_expected_error,
    expected_errors,
    outcomes,
    update,
)

CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_golden(case: Case, request: pytest.FixtureRequest) -> None:
    if case.source.word == "python" and expected_errors(case.source):
        wrong = check_expected_error(Subject(case))
        assert wrong is None, wrong
        return
    if request.config.getoption("--update"):
        update(case)
        return
    for section, found in outcomes(case):
        if section.text != found:
            pytest.fail(_difference(case, section.word, section.text, found), pytrace=False)


def _difference(case: Case, word: str, expected: str, found: str) -> str:
    lines = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""
    )
    return "\n".join(
        [
            f"{case.path}, [case {case.name}], [{word}]:",
            *lines,
            "If the change is meant, write it with:",
            f"    pytest 'tests/test_golden.py::test_golden[{case.id}]' --update",
        ]
    )


def test_there_are_cases() -> None:
    assert CASES
