"""What every test shares.

- The package runs strictly: no call back into Python, and the verifier runs after every pass. A
  test of the calls back is marked `fallback`.
- `--update` rewrites golden files with what the code does now.
- `tests/interop` needs torch; without it that folder is not collected.
- The summary ends with the number of tests that ran strictly and of fallbacks seen in them.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from jitlang import config as jitlang_config

INTEROP = Path(__file__).parent / "interop"

settings.register_profile("jitlang", deadline=None, derandomize=True)
settings.load_profile("jitlang")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="rewrite golden files with what the code does now"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(FallbackCount(), "fallback-count")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if collection_path == INTEROP and importlib.util.find_spec("torch") is None:
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if INTEROP in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(autouse=True)
def strictly(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every graph is verified after every pass; only `fallback` tests may call back into Python."""
    strict = request.node.get_closest_marker("fallback") is None
    with jitlang_config.override(strict=strict, verify=True):
        yield


class FallbackCount:
    """Counts the fallbacks seen outside the tests that are about them."""

    def __init__(self) -> None:
        self.strict_tests = 0
        self.fallback_tests: set[str] = set()
        self.seen: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "fallback" in report.keywords:
            self.fallback_tests.add(report.nodeid)
        elif report.when == "call":
            self.strict_tests += 1

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, nodeid: str
    ) -> None:
        if warning_message.category.__name__ == "FallbackWarning":
            self.seen.append(nodeid)

    @property
    def unexpected(self) -> list[str]:
        return [nodeid for nodeid in self.seen if nodeid not in self.fallback_tests]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.strict_tests:
            return
        line = f"{self.strict_tests} tests ran strictly, {len(self.unexpected)} ^ nodes in them"
        terminalreporter.write_line("\n".join([line, *sorted(set(self.unexpected))]))
