"""Rejections: every kind fires, carets are exact, a failed compile leaves nothing behind.

The rejections themselves are golden cases (`tests/golden/errors`): `# E:` comments for the kinds,
whole messages for the mistakes that newcomers make.
"""

from __future__ import annotations

import linecache
import pickle
import re
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import jitlang as jl
from golden_loader import all_cases, expected_errors
from jitlang import Tensor
from jitlang.errors import Category, CompileError, ErrorKind
from jitlang.frontend.source import parse_text
from jitlang.ir.schema import parse_schema

KIND_IN_TEXT = re.compile(r"^\[(?P<code>[a-z-]+)\] ", re.MULTILINE)


def rejected(function: Callable[..., Any], *args: Any) -> CompileError:
    """The rejection of a function, at decoration or at the call."""
    with pytest.raises(CompileError) as caught:
        jl.script(function)(*args)
    return caught.value


def defined(source: str, filename: str = "<rejected>", name: str = "f", **names: Any) -> Any:
    """A function whose source is known to `linecache` only."""
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    namespace: dict[str, Any] = {"jl": jl, "Tensor": Tensor, **names}
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)
    return namespace[name]


def marked(error: CompileError) -> str:
    """The text above the carets of a rejection."""
    assert error.span is not None
    drawn = error.span.render("").splitlines()
    pairs = [(drawn[i - 1], line) for i, line in enumerate(drawn) if set(line) <= set(" \t|^")]
    return "\n".join(
        "".join(c for c, mark in zip(cells(text), carets, strict=False) if mark == "^")
        for text, carets in pairs
    )


def cells(text: str) -> Iterator[str]:
    """The text by cells of a terminal; the second cell of a wide character is empty."""
    for character in text:
        yield character
        if unicodedata.east_asian_width(character) in "WF":
            yield ""


# Every kind fires -------------------------------------------------------------------------------


def golden_kinds() -> set[str]:
    """The kinds that golden cases expect, in comments and in whole messages."""
    kinds: set[str] = set()
    for case in all_cases():
        if case.source.word == "python":
            kinds |= {code for _, code, _ in expected_errors(case.source)}
        for section in case.results:
            if section.word == "error":
                kinds |= set(KIND_IN_TEXT.findall(section.text))
    return kinds


DIRECT: dict[ErrorKind, Callable[[], object]] = {}


def fires(kind: ErrorKind) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a rejection that no golden case can hold."""

    def register(action: Callable[[], object]) -> Callable[[], object]:
        DIRECT[kind] = action
        return action

    return register


@fires(ErrorKind.NO_SOURCE)
def no_source() -> object:
    namespace: dict[str, Any] = {}
    exec("def f(x): return x", namespace)
    return jl.script(namespace["f"])


@fires(ErrorKind.UNSUPPORTED_CALLEE)
def builtin_function() -> object:
    return jl.script(len)


@fires(ErrorKind.SYNTAX)
def text_that_is_not_python() -> object:
    return parse_text("def f(:\n    pass\n", "model.py")


@fires(ErrorKind.NESTING_TOO_DEEP)
def long_chain() -> object:
    arms = "".join(f"    elif n == {i}:\n        r = {i}\n" for i in range(1, 900))
    source = f"def f(n: int) -> int:\n    if n == 0:\n        r = 0\n{arms}"
    return jl.script(defined(source + "    else:\n        r = -1\n    return r\n", "<deep>"))


@fires(ErrorKind.SCHEMA_TEXT)
def schema_with_a_hole() -> object:
    return parse_schema("aten::add(Tensor self, -> Tensor")


@pytest.mark.parametrize("kind", DIRECT, ids=lambda kind: kind.code)
def test_kinds_that_no_golden_case_can_hold(kind: ErrorKind) -> None:
    with pytest.raises(CompileError) as caught:
        DIRECT[kind]()
    assert caught.value.kind is kind


def test_every_kind_fires() -> None:
    fired = golden_kinds() | {kind.code for kind in DIRECT}
    assert {kind.code for kind in ErrorKind} == fired


def test_codes_are_distinct() -> None:
    codes = [kind.code for kind in ErrorKind]
    assert len(set(codes)) == len(codes)
    assert all(isinstance(kind.category, Category) for kind in ErrorKind)


# What an error is ---------------------------------------------------------------------------------


def test_is_a_runtime_error_as_in_torchscript() -> None:
    error = rejected(defined("def f(x: int) -> int:\n    return y\n"))
    assert isinstance(error, RuntimeError)
    assert isinstance(error, jl.jit.Error) or issubclass(jl.jit.Error, RuntimeError)


def test_survives_pickling() -> None:
    error = rejected(defined("def f(x: int) -> int:\n    return x + 'a'\n"))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.kind is error.kind


def test_the_traceback_is_brief() -> None:
    function = defined("def f(x: int) -> int:\n    return x + 'a'\n", "<brief>")
    with jl.config.override(verify=False), pytest.raises(CompileError) as caught:
        jl.script(function)
    shown = traceback.format_exception(caught.value)
    assert sum("in " in line and "File" in line for line in shown) < 7
    assert not any("jitlang/frontend" in line for line in shown)


# Carets -------------------------------------------------------------------------------------------


CARETS = {
    "first_column": ("def f(x: int) -> int:\n    return x + y\n", "y"),
    "indented": ("if True:\n        def f(x: int) -> int:\n            return x + y\n", "y"),
    "tabs": ("def f(x: int) -> int:\n\tif x:\n\t\treturn y + 1\n\treturn x\n", "y"),
    "indented_by_tabs": ("if True:\n\tdef f(x: int) -> int:\n\t\treturn x + y\n", "y"),
    "non_ascii_before": ("def f(ä: int) -> int:\n    return ä * len('ÄÖÜ→') + y\n", "y"),
    "wide_characters": ("def f(x: str) -> str:\n    return x + '日本' + z\n", "z"),
    "non_ascii_itself": ("def f(x: int) -> int:\n    return x + größe\n", "größe"),
    "two_lines": (
        "def f(x: int) -> int:\n    return (x +\n            'a')\n",
        "x +\n'a'",
    ),
    "inner_of_two_lines": ("def f(x: int) -> int:\n    return (x +\n            y)\n", "y"),
    "decorated": ("@jl.jit.script\ndef f(x: int) -> int:\n    return y\n", "y"),
    "attribute": ("def f(x: Tensor) -> Tensor:\n    return x.relu().sigmod()\n", "x.relu().sigmod"),
    "keyword": ("def f(x: Tensor) -> Tensor:\n    return x.sum(dmi=0)\n", "dmi=0"),
    "head_of_a_loop": ("def f(n: int) -> int:\n    for i in n:\n        pass\n    return n\n", "n"),
    "head_of_a_statement": (
        "def f(n: int) -> int:\n    with open('a') as b:\n        n += 1\n    return n\n",
        "with open('a') as b",
    ),
    "try": (
        "def f(n: int) -> int:\n    try:\n        pass\n    finally:\n        n += 1\n    return n",
        "try",
    ),
    "nested_function": (
        "def f(n: int) -> int:\n    def inner(x):\n        return x\n    return inner(n)\n",
        "def inner",
    ),
    "comprehension": ("def f(xs: list[int]) -> list[int]:\n    return [x + y for x in xs]\n", "y"),
    "f_string": ("def f(x: int) -> str:\n    return f'{x} and {y}'\n", "y"),
    "annotation": (
        "from __future__ import annotations\ndef f(x: int, y: Tensr) -> int:\n    return x\n",
        "Tensr",
    ),
    "argument": (
        "def g(a: int, b: int): return a\ndef f(x: int) -> int:\n    return g(x, 'a')\n",
        "'a'",
    ),
    "keyword_argument": (
        "def g(a: int, b: int): return a\ndef f(x: int) -> int:\n    return g(x, b='a')\n",
        "b='a'",
    ),
}


@pytest.mark.parametrize("name", CARETS)
def test_carets(name: str) -> None:
    source, wanted = CARETS[name]
    with pytest.raises(CompileError) as caught:
        jl.script(defined(source, f"<carets {name}>"))
    assert marked(caught.value) == wanted, str(caught.value)


def test_carets_of_a_method() -> None:
    class Model:
        def forward(self, x: Tensor) -> Tensor:
            return x + undefined_weight  # type: ignore[name-defined] # noqa: F821

    error = rejected(Model.forward)
    assert marked(error) == "undefined_weight"
    assert error.span is not None and error.span.filename == __file__


def test_long_expressions_are_shortened() -> None:
    items = "".join(f"        {i},\n" for i in range(40))
    source = f"def f(x: int) -> int:\n    xs: int = [\n{items}    ]\n    return x\n"
    drawn = str(rejected(defined(source, "<long>"))).splitlines()
    assert len(drawn) < 24
    assert any("..." in line for line in drawn)


# The chain of calls -------------------------------------------------------------------------------

CHAINED = """
def inner(x: int) -> int:
    return x + "a"
def middle(x: int) -> int:
    return inner(x) * 2
def f(x: int) -> int:
    return middle(x + 1)
"""


def test_the_chain_names_every_call_innermost_first() -> None:
    error = rejected(defined(CHAINED, "<chained>"))
    assert [edge.callee for edge in error.chain] == ["inner", "middle"]
    assert [edge.span.line for edge in error.chain] == [5, 7]
    assert [edge.span.function for edge in error.chain] == ["middle", "f"]
    text = str(error)
    assert text.index("in inner") < text.index("in middle") < text.index("in f")


def test_errors_about_a_call_have_no_chain() -> None:
    for call in ("inner(x, x)", "inner('a')", "inner(x, size=1)", "inner(*x)"):
        source = f"def inner(x: int): return x\ndef f(x: int) -> int:\n    return {call}\n"
        assert rejected(defined(source, f"<{call}>")).chain == [], call


# A failed compile leaves nothing behind -----------------------------------------------------------

BROKEN = {
    "body": "def f(x: int) -> int:\n    return x + 'a'\n",
    "callee": CHAINED,
    "loop": "def f(n: int) -> int:\n    s = 'a'\n    while n:\n        s = n\n    return n\n",
    "annotation": "def f(x: set) -> int:\n    return 1\n",
    "unsupported": "def f(x: int) -> int:\n    with x:\n        pass\n    return 1\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_scripting_twice_gives_the_same_error(name: str) -> None:
    function = defined(BROKEN[name], f"<broken {name}>")
    first = rejected(function)
    assert str(rejected(function)) == str(first)
    again = defined(BROKEN[name], f"<broken {name}>")
    assert str(rejected(again)) == str(first)


def test_calling_twice_gives_the_same_error() -> None:
    scripted = jl.script(defined("def f(x):\n    return x + 'a'\n", "<calls>"))
    messages = []
    for _ in range(3):
        with pytest.raises(CompileError) as caught:
            scripted(1)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1
    assert scripted("b") == "ba"
    with pytest.raises(CompileError) as caught:
        scripted(1)
    assert str(caught.value) == messages[0]


def test_a_good_signature_survives_a_bad_one() -> None:
    scripted = jl.script(defined("def f(x):\n    return x * 2 + 1\n", "<good>"))
    assert scripted(3) == 7
    graph = str(scripted.graph)
    with pytest.raises(CompileError):
        scripted("a")
    assert str(scripted.graph) == graph
    assert scripted(4) == 9


def test_mending_a_global_mends_the_function() -> None:
    function = defined("def f(x: int) -> int:\n    return x + OFFSET\n", "<mended>", OFFSET="a")
    rejected(function, 1)
    function.__globals__["OFFSET"] = 2
    assert jl.script(function)(1) == 3


def test_a_broken_callee_is_compiled_anew() -> None:
    source = "def g(x: int) -> int:\n    return x + BIAS\ndef f(x: int) -> int:\n    return g(x)\n"
    function = defined(source, "<callee>", BIAS="a")
    first = rejected(function, 1)
    assert str(rejected(function, 1)) == str(first)
    function.__globals__["BIAS"] = 5
    assert jl.script(function)(1) == 6
