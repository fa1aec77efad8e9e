"""The examples in README.md and docs/ run, and show what the text says that they show.

Every file is read from top to bottom; its examples share one namespace. What counts is the word
after the three backquotes:

    python          run. A line `expression  # -> text` shows the repr of the expression. If the
                    next fence is `text`, it holds exactly what the example printed; `...` stands
                    for anything.
    python error    run; the last statement must raise, and the next `text` fence shows the class,
                    the message and the notes.
    python warns    run; warnings are printed as `Class: message` after the output.
    python mistake  shows what is known to be wrong. If it is right by now, the test warns: take the
                    entry out.
    ir NAME         (or any other word with a name) written to the file NAME, for the commands that
                    follow.
    golden NAME     cases in the format of `golden_loader.py`; they must hold.
    console         `$ command` lines, each followed by its output, run in the folder of those
                    files.

`pytest --update tests/docs` writes what the code shows now into the `text` fences that have no
`...`; read the difference before committing it. A fence of another kind is for reading only. The
source of each example is known to `linecache`, so that it can be scripted; in output its file is
called `example.py`, and its lines count from the fence.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import linecache
import os
import re
import shlex
import subprocess
import sys
import textwrap
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

import jitlang
from golden_loader import outcomes, read_cases
from jitlang.ir.opdef import OPS
from jitlang.passes.manager import PASSES
from jitlang.passes.rules import RULES

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
SHOWN = re.compile(r"#\s*->\s*(?P<text>.*)$")
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


@dataclass
class Fence:
    """One fenced block: the words after the backquotes, its text, and where it stands."""

    words: list[str]
    body: str
    line: int
    indent: str
    span: tuple[int, int]

    @property
    def kind(self) -> str:
        """The first word."""
        return self.words[0] if self.words else ""


@dataclass
class Reader:
    """Runs the fences of one file."""

    path: Path
    folder: Path
    update: bool = False
    problems: list[str] = field(default_factory=list)
    edits: list[tuple[Fence, str]] = field(default_factory=list)

    def run(self) -> None:
        """Run all fences; in update mode write what they show back into the file."""
        fences = fences_of(self.path)
        module = types.ModuleType(f"example_of_{self.path.stem.replace('-', '_')}")
        sys.modules[module.__name__] = module
        try:
            with tables_restored():
                for fence, following in pairwise([*fences, Fence([], "", 0, "", (0, 0))]):
                    self.run_fence(module, fence, following)
        finally:
            del sys.modules[module.__name__]
        text = self.path.read_text("utf-8")
        for fence, shown in reversed(self.edits):
            drawn = textwrap.indent(shown, fence.indent)
            text = text[: fence.span[0]] + drawn + text[fence.span[1] :]
        if self.edits:
            self.path.write_text(text, "utf-8")

    def run_fence(self, module: types.ModuleType, fence: Fence, following: Fence) -> None:
        known = len(self.problems)
        if fence.kind == "python":
            self.run_python(module, fence, following if following.kind == "text" else None)
        elif fence.kind == "console":
            self.run_console(fence)
        elif len(fence.words) == 2 and fence.kind != "text":
            (self.folder / fence.words[1]).write_text(fence.body)
        if fence.kind == "golden":
            self.run_golden(fence)
        if "mistake" in fence.words:
            for repaired in self.problems[known:]:
                warnings.warn(f"a known mistake seems repaired: {repaired}", stacklevel=2)
            del self.problems[known:]

    def problem(self, line: int, what: str) -> None:
        self.problems.append(f"{self.path.relative_to(ROOT)}:{line}: {what}")

    # Python -------------------------------------------------------------------------------------

    def run_python(self, module: types.ModuleType, fence: Fence, shown: Fence | None) -> None:
        filename = f"example.{self.path.stem}.{fence.line}.py"
        lines = fence.body.splitlines(keepends=True)
        linecache.cache[filename] = (len(fence.body), None, lines, filename)
        out = io.StringIO()
        raised: Exception | None = None
        with contextlib.redirect_stdout(out), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.run_statements(module, fence, filename, lines)
            except Exception as error:
                raised = error
        for warning in caught:
            if "warns" in fence.words:
                out.write(f"{warning.category.__name__}: {warning.message}\n")
            elif issubclass(warning.category, jitlang.FallbackWarning):
                self.problem(fence.line, f"warns: {warning.message}")
        if "error" in fence.words:
            if raised is None:
                return self.problem(fence.line, "raises nothing")
            out.write(drawn_error(raised))
        elif raised is not None:
            return self.problem(fence.line, f"raises\n{drawn_error(raised)}")
        if shown is not None:
            self.compare(shown, shown.body, out.getvalue())

    def run_statements(
        self, module: types.ModuleType, fence: Fence, filename: str, lines: list[str]
    ) -> None:
        for statement in ast.parse(fence.body, filename).body:
            last = lines[(statement.end_lineno or 1) - 1]
            shown = SHOWN.search(last)
            if shown is None or not isinstance(statement, ast.Expr):
                code = compile(ast.Module([statement], []), filename, "exec")
                exec(code, vars(module))
                continue
            code = compile(ast.Expression(statement.value), filename, "eval")
            got = repr(eval(code, vars(module)))
            if not matches(shown["text"].strip(), got):
                line = fence.line + (statement.end_lineno or 1)
                self.problem(line, f"shows {shown['text'].strip()}\n   and is {got}")

    def compare(self, fence: Fence, expected: str, got: str) -> None:
        if matches(tidy(expected), tidy(got)):
            return
        if self.update and fence.kind == "text" and "..." not in expected:
            self.edits.append((fence, tidy(got)))
            return
        self.problem(fence.line, f"shows\n{tidy(expected)}and prints\n{tidy(got)}")

    def run_golden(self, fence: Fence) -> None:
        for case in read_cases(self.folder / fence.words[1]):
            for section, found in outcomes(case):
                if section.text != found:
                    self.problem(fence.line, f"[case {case.name}] [{section.word}] is\n{found}")

    # Commands -----------------------------------------------------------------------------------

    def run_console(self, fence: Fence) -> None:
        for command, expected in commands_of(fence.body):
            words = shlex.split(command)
            if words[0] == "python":
                words[0] = sys.executable
            environment = {k: v for k, v in os.environ.items() if not k.startswith("JITLANG_")}
            environment["PYTHONPATH"] = str(ROOT)
            while "=" in words[0]:
                name, _, value = words.pop(0).partition("=")
                environment[name] = value
                words[0] = sys.executable if words[0] == "python" else words[0]
            environment["PYTHONUNBUFFERED"] = "1"  # output and errors in the order they come
            done = subprocess.run(
                words,
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
            )
            self.compare(fence, expected, done.stdout.replace(f"{self.folder}/", ""))


@contextlib.contextmanager
def tables_restored() -> Iterator[None]:
    """Takes rows, passes and rules that examples add out again, and the names derived from them."""
    rows, passes, rules = set(OPS), dict(PASSES), list(RULES)
    names = {owner: set(vars(owner)) for owner in (jitlang, jitlang.Tensor)}
    try:
        yield
    finally:
        for row in set(OPS) - rows:
            OPS.remove(row)
        PASSES.clear()
        PASSES.update(passes)
        RULES[:] = rules
        for owner, before in names.items():
            for name in set(vars(owner)) - before:
                delattr(owner, name)


def fences_of(path: Path) -> list[Fence]:
    """The fenced blocks of a file."""
    text = path.read_text("utf-8")
    return [
        Fence(
            found["info"].split(),
            re.sub(f"^{found['indent']}", "", found["body"], flags=re.MULTILINE),
            text.count("\n", 0, found.start()) + 1,
            found["indent"],
            found.span("body"),
        )
        for found in FENCE.finditer(text)
    ]


def commands_of(body: str) -> Iterator[tuple[str, str]]:
    """The commands of a console fence, each with its output."""
    command: str | None = None
    output: list[str] = []
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            if command is not None:
                yield command, "".join(output)
            command, output = line[2:].strip(), []
        else:
            output.append(line)
    if command is not None:
        yield command, "".join(output)


def drawn_error(error: Exception) -> str:
    """The class, the message and the notes of an error."""
    notes = getattr(error, "__notes__", [])
    return "\n".join([f"{type(error).__name__}: {error}", *notes]) + "\n"


def tidy(text: str) -> str:
    """Text without what differs from run to run: names of example files, addresses, blank ends."""
    text = re.sub(r"example\.[\w-]+\.\d+\.py", "example.py", text)
    text = ADDRESS.sub("0x...", text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def matches(expected: str, got: str) -> bool:
    """Whether the text shows what came out; `...` stands for anything."""
    return doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS)


@pytest.mark.fallback  # some examples are about calls back; others fail if they warn of one
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_file_run(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reader = Reader(path, tmp_path, request.config.getoption("--update"))
    reader.run()
    assert not reader.problems, "\n\n".join(["the text and the code disagree:", *reader.problems])


def test_every_file_has_examples() -> None:
    bare = [path.name for path in FILES if not any(f.kind == "python" for f in fences_of(path))]
    assert not bare, f"no example runs in {bare}"
