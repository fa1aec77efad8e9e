"""The manager, the command line, and the table of rules."""

from pathlib import Path

import pytest

from golden_loader import GOLDEN, read_cases
from jitlang import config
from jitlang.__main__ import main
from jitlang.errors import CompileError
from jitlang.ir.graph import Graph
from jitlang.ir.parser import parse_graph
from jitlang.passes import manager, peephole
from jitlang.passes.manager import PASSES, expand, run_passes
from jitlang.passes.pipelines import PIPELINES

VERBS = (
    "inline", "eliminate", "propagate", "simplify", "scalarize", "dissolve", "hoist", "unroll",
    "functionalize", "settle", "decompose", "spell",
)  # fmt: skip
TEXT = """graph(%x : int):
  %a : int = aten::mul(%x, %x)
  %b : int = aten::mul(%x, %x)
  %c : int = aten::sub(%a, %b)
  return (%c)
"""


def test_every_rule_has_a_golden_case_in_which_it_fires() -> None:
    cases = {case.name: case for case in read_cases(GOLDEN / "passes" / "peephole.test")}
    for rule in peephole.RULES:
        assert rule.name in cases, f"write a case for {rule.name}"
        graph = parse_graph(cases[rule.name].source.text)
        before = peephole.HITS[rule.name]
        peephole.simplify_nodes(graph)
        assert peephole.HITS[rule.name] > before, f"{rule.name} does not fire in its own case"


def test_pipelines_name_passes() -> None:
    for pipeline in PIPELINES.values():
        assert set(pipeline) <= set(PASSES)


def test_every_pass_shows_an_example_and_is_named_for_its_effect() -> None:
    for function in PASSES.values():
        text = __import__(function.__module__, fromlist=["x"]).__doc__
        assert "=>" in text
        assert function.__name__.split("_")[0] in VERBS


def test_unknown_pass() -> None:
    with pytest.raises(ValueError, match=r"no pass 'cze'; did you mean .*'cse'"):
        list(expand(["cze"]))


def test_report_counts_and_times() -> None:
    report = run_passes(parse_graph(TEXT), ["cse", "cse"])
    assert [run.changed for run in report.runs] == [True, False]
    assert report.changed
    assert report.runs[1].number == report.runs[0].number + 1
    assert "cse" in str(report)


def test_what_found_nothing_waits_for_a_change() -> None:
    report = run_passes(parse_graph(TEXT), ["dce", "dce", "cse", "dce", "dce", "cse", "dce"])
    told = [(run.name, run.changed) for run in report.runs]
    assert told == [("dce", False), ("cse", True), ("dce", False), ("cse", False)]


def test_bisection_stops_optimising() -> None:
    graph = parse_graph(TEXT)
    (first,) = run_passes(parse_graph(TEXT), ["dce"]).runs
    with config.override(opt_limit=first.number + 1):
        report = run_passes(graph, ["dce", "cse"])
    assert [run.name for run in report.runs] == ["dce"]


def test_dump_after_a_pass(capsys: pytest.CaptureFixture[str]) -> None:
    with config.override(dump="after:cse"):
        run_passes(parse_graph(TEXT), ["dce", "cse"])
    shown = capsys.readouterr().err
    assert shown.count("graph(") == 1
    assert "after cse" in shown


def test_verifier_names_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_graph(graph: Graph) -> bool:
        graph.return_node.remove_all_inputs()
        return True

    monkeypatch.setitem(manager.PASSES, "break", break_graph)
    with config.override(verify=True), pytest.raises(CompileError, match="after the pass 'break'"):
        run_passes(parse_graph(TEXT), ["break"])


# The command line -------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "square.ir"
    path.write_text(TEXT)
    return str(path)


def test_command_line_runs_passes(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([file, "-p", "dce,cse", "--print-between", "--verify", "--time", "--source"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("-- after dce") < shown.index("-- after cse")
    assert shown.count("graph(") == 2
    assert "def run_" in shown


def test_command_line_runs_the_graph(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([file, "--run", "7"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0"
    assert main([file, "--run", "7", "8"]) == 2
    assert "the graph takes (%x : int)" in capsys.readouterr().err


def test_command_line_explains_mistakes(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.ir")]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert main([file, "-p", "dcee"]) == 2
    assert "did you mean 'dce'" in capsys.readouterr().err
    bad = tmp_path / "bad.ir"
    bad.write_text("graph(%x : int):\n  %y : int = aten::add(%x %x)\n  return (%y)\n")
    assert main([str(bad)]) == 1
    assert "bad.ir" in capsys.readouterr().err
