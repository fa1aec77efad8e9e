"""Every program does under jitlang what it does in torch eager, and in torch.jit.script where that
accepts it."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

import jitlang
from programs import covered, harness
from programs.harness import Arguments, Fate, Outcome, Program

torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]

ON_JITLANG = harness.load(jitlang)
ON_TORCH = harness.load(torch)
NAMES = [
    pytest.param(name, marks=pytest.mark.fallback if each.fallback else ())
    for name, each in ON_TORCH.items()
]

# Where torch.jit.script compiles a program to something else than Python; mostly without a word.
DIFFERENCES = {
    "arithmetic_errors": "int / 0 is inf, negative shift counts are taken",
    "chained_comparisons": "a middle operand is evaluated twice",
    "conversions": "str(float) is C++'s",
    "escaped_braces": "braces are counted as fields",
    "factorial": "integers wrap",
    "float_floor_division": "float // 0.0 is inf",
    "float_texts": "str(float) is C++'s",
    "ignored_effects": "lists are copied on the way to Python",
    "math_domain": "math.sqrt(-1.0) is nan",
    "parsing_errors": "int(' 12 ') raises",
    "scalars_and_tensors": "float / 0 is inf",
    "sequences_of_tensors": "chunk and unbind give lists",
    "shape_results": "a shape is a list",
    "sum_of_squares": "integers wrap",
    "text_of_values": "str of floats and containers is C++'s",
}
KILLS_THE_PROCESS = {"modulo": "integer modulo by zero"}
REFUSES_AN_ARGUMENT = "Expected a value of type"
REFUSED_CALLS: Counter[str] = Counter()
MINIMUM_ACCEPTED = 180


@cache
def torchscript(name: str) -> Callable[..., Any] | str:
    """The program compiled by torch.jit.script, or why it is not."""
    if name in KILLS_THE_PROCESS:
        return f"not run, kills the process: {KILLS_THE_PROCESS[name]}"
    try:
        return torch.jit.script(ON_TORCH[name].fn)
    except Exception as error:
        return next(line for line in str(error).splitlines() if line.strip()).strip()


@cache
def script(name: str) -> Callable[..., Any]:
    each = ON_JITLANG[name]
    return jitlang.script(each.fn, strict=not each.fallback)


@cache
def eager_outcomes(name: str) -> list[Outcome]:
    """What torch eager does in each case, the oracle."""
    each = ON_TORCH[name]
    return [harness.run(each.fn, arguments, torch) for arguments, _ in each.cases]


def cases(programs: dict[str, Program], name: str) -> Iterator[tuple[Arguments, Fate, Outcome]]:
    """The inputs as `programs` build them, with what plain Python and torch eager do."""
    for (arguments, fate), outcome in zip(programs[name].cases, eager_outcomes(name), strict=True):
        yield arguments, fate, outcome


class Tables:
    """Prints, after all tests, what the programs cover and what torch.jit.script makes of them."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        refused = {name: why for name in ON_TORCH if isinstance(why := torchscript(name), str)}
        sections = {
            "programs": list(covered.coverage_lines(ON_TORCH)),
            f"torch.jit.script refuses {len(refused)} of {len(ON_TORCH)}": describe(refused),
            "torch.jit.script refuses arguments": [
                f"{name}: {count} of {len(ON_TORCH[name].cases)} calls"
                for name, count in REFUSED_CALLS.items()
            ],
            "torch.jit.script differs from Python": describe(DIFFERENCES),
        }
        for title, lines in sections.items():
            terminalreporter.section(title)
            terminalreporter.write_line("\n".join(lines))


def describe(reasons: dict[str, str]) -> list[str]:
    return [textwrap.shorten(f"{name}: {reason}", 98) for name, reason in reasons.items()]


@pytest.fixture(scope="module", autouse=True)
def tables(request: pytest.FixtureRequest) -> None:
    request.config.pluginmanager.register(Tables())


@pytest.mark.parametrize("name", NAMES)
def test_plain_python_on_jitlang(name: str) -> None:
    for arguments, fate, expected in cases(ON_JITLANG, name):
        harness.assert_fate(expected, fate)
        actual = harness.run(ON_JITLANG[name].fn, arguments, jitlang)
        harness.assert_same_outcome(actual, expected)


@pytest.mark.parametrize("exact", [False, True], ids=["interpreted", "exact"])
@pytest.mark.parametrize("name", NAMES)
def test_script(name: str, exact: bool) -> None:
    for arguments, fate, expected in cases(ON_JITLANG, name):
        with jitlang.config.override(exact=exact):
            actual = harness.run(script(name), arguments, jitlang)
        if fate is Fate.OVERFLOWS:
            assert isinstance(actual.error, OverflowError), actual
            continue
        harness.assert_same_outcome(actual, expected)


@pytest.mark.parametrize("name", NAMES)
def test_torchscript(name: str) -> None:
    """torch.jit.script agrees with torch eager, or stands in a table."""
    compiled = torchscript(name)
    if isinstance(compiled, str):
        pytest.skip(compiled)
    differences = []
    for arguments, _, expected in cases(ON_TORCH, name):
        actual = harness.run(compiled, arguments, torch)
        if REFUSES_AN_ARGUMENT in str(actual.error):
            REFUSED_CALLS[name] += 1
            continue
        try:
            assert_same_torchscript_outcome(actual, expected)
        except AssertionError as difference:
            differences.append(str(difference))
    assert bool(differences) == (name in DIFFERENCES), differences


def assert_same_torchscript_outcome(actual: Outcome, expected: Outcome) -> None:
    """TorchScript keeps an exception's class and message in its text only, and copies list and dict
    arguments at the call."""
    if expected.error is None:
        harness.assert_same_error(actual.error, expected)
    elif actual.error is None:
        raise AssertionError(f"did not raise {expected.error!r}")
    elif expected.error_is_users:
        assert type(expected.error).__name__ in str(actual.error)
        assert str(expected.error).strip("'") in str(actual.error)
    harness.assert_same(actual.result, expected.result, "result", expected.float_tolerance)
    for got, wanted in zip(actual.arguments, expected.arguments, strict=True):
        if harness.is_tensor(wanted):
            harness.assert_same(got, wanted, "arguments", expected.float_tolerance)
    assert actual.printed == expected.printed


def test_torchscript_accepts_most_programs() -> None:
    accepted = [name for name in ON_TORCH if not isinstance(torchscript(name), str)]
    assert len(accepted) >= MINIMUM_ACCEPTED
