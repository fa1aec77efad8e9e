"""Golden tests: text in, text out, in files `tests/golden/**/*.test`.

A file is a list of cases; a case is an input and what must come of it, one section each. A section
opens with `[word arguments]` at the start of a line and runs to the next one. Lines before the
first case and lines that start with `--` are remarks.

    [case adds_one_twice]
    [ir]
    graph(%x : int):
      %one : int = prim::Constant[value=1]()
      %y : int = aten::add(%x, %one)
      %z : int = aten::add(%x, %one)
      %t : (int, int) = prim::TupleConstruct(%y, %z)
      return (%t)
    [run cse]
    graph(%x : int): ...

Inputs (one per case):

    [python]       a module; its last function is scripted. `jl`, `np`, `Tensor` and `typing` are
    there.
                   `# E: kind-code optional text` on a line: scripting must fail there, with that
                   kind, and with that text in the message.
    [ir]           a graph, or something that is not quite one

What comes of it (each starts again from the input, but for `[run]`, whose result the later sections
see):

    [graph]        the printed graph (`[graph f]` of the function `f`)
    [inlined]      the graph with its calls inlined (python only)
    [code]         the source of the graph
    [run a,b]      the graph after the passes `a` and `b`, verified before and after each
    [fused]        the inlined, optimised graph after fusion, verified before and after
    [specialized T; U; ...]  the graph for inputs of these types, after `specialize`
    [ranges]       what values the ints of the graph can have
    [error]        the message of the rejection: of the parser, then of the verifier
    [round-trip]   nothing to write: the graph parses back equal, and prints back alike
    [verify]       nothing to write: the graph is valid

`pytest --update` writes what the code does now into the sections; read the difference before
committing it.
"""

from __future__ import annotations

import importlib
import linecache
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from jitlang.errors import EXPECTED_ERROR, CompileError
from jitlang.ir.compare import first_difference
from jitlang.ir.graph import Graph, Value
from jitlang.ir.parser import parse_graph, parse_type
from jitlang.ir.printer import assign_names
from jitlang.ir.source import to_source
from jitlang.ir.types import INT
from jitlang.ir.verifier import verify

HEADER = re.compile(r"\[(?P<word>[a-z-]+)(?:\s+(?P<arguments>[^\]]*))?\]\s*$")
GOLDEN = Path(__file__).parent / "golden"
PRELUDE = (
    "from typing import *\nimport numpy as np\nimport jitlang as jl\nfrom jitlang import Tensor\n"
)


@dataclass
class Section:
    """One `[word arguments]` and the lines under it; `start` counts lines of the file from 0."""

    word: str
    arguments: str
    start: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The lines without remarks and without blank lines at the end."""
        kept = [line.rstrip() for line in self.lines if not line.startswith("--")]
        return "\n".join(kept).rstrip()

    @property
    def trailing(self) -> list[str]:
        """The blank lines and remarks that close the section; an update keeps them."""
        count = 0
        for line in reversed(self.lines):
            if line.strip() and not line.startswith("--"):
                break
            count += 1
        return self.lines[len(self.lines) - count :]


@dataclass
class Case:
    """One case of a file."""

    path: Path
    name: str
    sections: list[Section] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The name under which pytest knows the case."""
        return f"{self.path.relative_to(GOLDEN).with_suffix('')}::{self.name}"

    @property
    def source(self) -> Section:
        """The input."""
        found = [section for section in self.sections if section.word in ("python", "ir")]
        if len(found) != 1:
            raise ValueError(f"{self.id} has {len(found)} inputs")
        return found[0]

    @property
    def results(self) -> list[Section]:
        """The sections that say what comes of the input."""
        return [section for section in self.sections if section is not self.source]


def read_cases(path: Path) -> list[Case]:
    """The cases of a file.

    Raises:
        ValueError: a section is unknown or stands outside a case, or two cases have one name.
    """
    cases: list[Case] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        match = HEADER.match(line)
        if match is None:
            if cases and cases[-1].sections:
                cases[-1].sections[-1].lines.append(line)
            continue
        word, arguments = match["word"], (match["arguments"] or "").strip()
        if word == "case":
            cases.append(Case(path, arguments))
        elif not cases or word not in ("python", "ir", *_RESULTS):
            raise ValueError(f"{path}:{number + 1}: unexpected [{word}]")
        else:
            cases[-1].sections.append(Section(word, arguments, number))
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: two cases have one name")
    return cases


def all_cases() -> list[Case]:
    """Every case under `tests/golden`."""
    return [case for path in sorted(GOLDEN.rglob("*.test")) for case in read_cases(path)]


# Running ----------------------------------------------------------------------------------------


class Subject:
    """The input of a case, made into what its sections ask for."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.section = case.source
        self.after_passes: Graph | None = None
        self._module: dict[str, Any] | None = None

    @property
    def is_python(self) -> bool:
        return self.section.word == "python"

    def graph(self, name: str = "") -> Graph:
        """The input's graph, or what passes made of it."""
        if self.after_passes is not None:
            return self.after_passes
        if not self.is_python:
            return parse_graph(self.section.text, f"{self.case.name}.ir")
        return self.script(name).graph

    def script(self, name: str = "") -> Any:
        """The scripted function `name`, or the last one."""
        script = importlib.import_module("jitlang.script").script
        found = self.function(name)
        return script(found) if isinstance(found, FunctionType) else found

    def function(self, name: str = "") -> Any:
        """A function of the module, scripted already where the source decorates it."""
        if self._module is None:
            self._module = self._run_module()
        if name:
            return self._module[name]
        filename = self.filename
        functions = [
            value
            for value in self._module.values()
            if (code := getattr(getattr(value, "__wrapped__", value), "__code__", None))
            and code.co_filename == filename
        ]
        return functions[-1]

    @property
    def filename(self) -> str:
        return f"{self.case.name}.py"

    def _run_module(self) -> dict[str, Any]:
        """Run the source as a module whose lines are known to `inspect`."""
        text = self.section.text + "\n"
        lines = text.splitlines(keepends=True)
        linecache.cache[self.filename] = (len(text), None, lines, self.filename)
        return _module(self.case.name, text)


@cache
def _module(name: str, text: str) -> dict[str, Any]:
    """The names of a module; run once, for another class of the same name gets another one."""
    module: dict[str, Any] = {"__name__": name}
    exec(PRELUDE, module)
    exec(compile(text, f"{name}.py", "exec", dont_inherit=True), module)
    return module


def _graph(subject: Subject, section: Section) -> str:
    return str(subject.graph(section.arguments))


def _inlined(subject: Subject, section: Section) -> str:
    return str(subject.script(section.arguments).inlined_graph)


def _code(subject: Subject, section: Section) -> str:
    if subject.is_python and subject.after_passes is None:
        return str(subject.script(section.arguments).code)
    return to_source(subject.graph(), section.arguments or "f").text


def _run(subject: Subject, section: Section) -> str:
    run_passes = importlib.import_module("jitlang.passes.manager").run_passes
    graph = subject.graph().copy()
    verify(graph)
    run_passes(graph, [name.strip() for name in section.arguments.split(",")])
    verify(graph)
    subject.after_passes = graph
    return str(graph)


def _fused(subject: Subject, section: Section) -> str:
    run_passes = importlib.import_module("jitlang.passes.manager").run_passes
    fuse_nodes = importlib.import_module("jitlang.fuser.partition").fuse_nodes
    graph = subject.graph().copy()
    run_passes(graph, ["optimize"])
    verify(graph)
    fuse_nodes(graph)
    verify(graph)
    return str(graph)


def _specialized(subject: Subject, section: Section) -> str:
    run_passes = importlib.import_module("jitlang.passes.manager").run_passes
    graph = subject.graph().copy()
    run_passes(graph, ["optimize"])
    for value, text in zip(graph.inputs, section.arguments.split(";"), strict=True):
        value.type = parse_type(text.strip())
    verify(graph)
    run_passes(graph, ["specialize"])
    verify(graph)
    return str(graph)


def _ranges(subject: Subject, section: Section) -> str:
    find_ranges = importlib.import_module("jitlang.passes.ranges").find_ranges
    graph = subject.graph()
    found, names = find_ranges(graph), assign_names(graph)
    nodes = [node for block in graph.blocks() for node in (block.param_node, *block.nodes)]
    values = [value for node in nodes for value in node.outputs if value.type is INT]
    return "\n".join(
        f"%{names[value]}: {found.of(value)}{'' if found.fits(value.node) else _mark(value)}"
        for value in values
        if not value.is_constant
    )


def _mark(value: Value) -> str:
    """Ints that need a check carry a mark."""
    op = value.node.op
    return ", checked" if op is not None and op.checked_integer else ""


def _error(subject: Subject, section: Section) -> str:
    try:
        verify(subject.graph(section.arguments))
    except CompileError as error:
        return str(error)
    return "no error"


def _round_trip(subject: Subject, section: Section) -> str:
    graph = subject.graph()
    text = str(graph)
    back = parse_graph(text)
    difference = first_difference(graph, back)
    if difference is not None:
        return f"the graph parses back differently: {difference}"
    return "" if str(back) == text else f"the graph prints back as\n{back}"


def _verify(subject: Subject, section: Section) -> str:
    try:
        verify(subject.graph())
    except CompileError as error:
        return str(error)
    return ""


_RESULTS: dict[str, Callable[[Subject, Section], str]] = {
    "graph": _graph,
    "inlined": _inlined,
    "code": _code,
    "run": _run,
    "fused": _fused,
    "specialized": _specialized,
    "ranges": _ranges,
    "error": _error,
    "round-trip": _round_trip,
    "verify": _verify,
}


CHECKS = ("round-trip", "verify")
"""Sections that have nothing to say where all is well."""


def expected_errors(section: Section) -> list[tuple[int, str, str]]:
    """The line (from 1), the kind and the text of each `# E:` in the source."""
    found = []
    for number, line in enumerate(section.text.splitlines(), 1):
        if (match := EXPECTED_ERROR.search(line)) is not None:
            found.append((number, match["code"], (match["text"] or "").strip()))
    return found


def check_expected_error(subject: Subject) -> str | None:
    """What is wrong with the rejection that the source announces, or None."""
    ((line, code, text),) = expected_errors(subject.section)
    try:
        subject.script().graph  # noqa: B018  # a property that compiles
    except CompileError as error:
        at = error.span.line if error.span is not None else None
        if at != line or error.kind.code != code:
            return f"expected {code} at line {line}, found {error.kind.code} at line {at}:\n{error}"
        shown = "\n".join(EXPECTED_ERROR.sub("", drawn) for drawn in str(error).splitlines())
        return None if text in shown else f"expected {text!r} in\n{error}"
    return f"expected {code} at line {line}, found no error"


def outcomes(case: Case) -> Iterator[tuple[Section, str]]:
    """Each section with what the code does now."""
    subject = Subject(case)
    for section in case.results:
        yield section, _RESULTS[section.word](subject, section).rstrip()


def update(case: Case) -> bool:
    """Write what the code does now into the file; returns whether that changed it."""
    lines = case.path.read_text(encoding="utf-8").splitlines()
    fresh = next(again for again in read_cases(case.path) if again.name == case.name)
    replaced = list(outcomes(fresh))
    for section, text in reversed(replaced):
        if section.word in CHECKS:
            continue
        body = slice(section.start + 1, section.start + 1 + len(section.lines))
        lines[body] = [*text.splitlines(), *section.trailing]
    before = case.path.read_text(encoding="utf-8")
    after = "\n".join(lines) + "\n"
    if after != before:
        case.path.write_text(after, encoding="utf-8")
    return after != before
