"""Where the source of a function is found, whatever it was defined in, and what has none."""

from __future__ import annotations

import asyncio
import code
import functools
import importlib.util
import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

import jitlang as jl
from jitlang import Tensor
from jitlang.errors import CompileError, ErrorKind

F = TypeVar("F", bound=Callable[..., Any])

SOURCE = """
import jitlang as jl
from jitlang import Tensor

def f(x: int) -> int:
    y = x + 1
    return y * 2
"""


def registered(source: str, filename: str) -> dict[str, Any]:
    """A namespace after running a text whose lines are known to `linecache`, as notebooks do."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"__name__": "__main__", "jl": jl, "Tensor": Tensor}
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)
    return namespace


def rejection(function: Any) -> CompileError:
    """The error with which a function is refused."""
    with pytest.raises(CompileError) as caught:
        jl.script(function)
    return caught.value


# Files --------------------------------------------------------------------------------------------


def in_this_file(x: int) -> int:
    return x + 1


def test_a_file() -> None:
    scripted = jl.script(in_this_file)
    assert scripted(1) == 2
    line = in_this_file.__code__.co_firstlineno + 1
    assert f"test_sources.py:{line}:11" in str(scripted.graph)


def test_an_imported_module(tmp_path: Path) -> None:
    path = tmp_path / "model_of_a_user.py"
    path.write_text("# ä\n" + SOURCE + "\nscripted = jl.script(f)\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("model_of_a_user", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.scripted(1) == 4
    assert "model_of_a_user.py:7:8" in str(module.scripted.graph)


def test_a_file_that_changed_since_it_was_imported(tmp_path: Path) -> None:
    path = tmp_path / "changed.py"
    path.write_text("def f(x: int) -> int:\n    return x\n")
    namespace: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    path.write_text("# a line more\nx = 1\n\ndef f(x: int) -> int:\n    return x\n")
    linecache.checkcache(str(path))
    error = rejection(namespace["f"])
    assert error.kind is ErrorKind.NO_SOURCE


# Notebooks, prompts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "filename",
    ["<ipython-input-3-0123456789ab>", "/tmp/ipykernel_417/2871054.py", "<stdin-7>", "<string>"],
)
def test_a_notebook(filename: str) -> None:
    scripted = jl.script(registered(SOURCE, filename)["f"])
    assert scripted(1) == 4
    assert f"{filename}:6:8" in str(scripted.graph)
    linecache.cache.pop(filename, None)


def test_cells_of_a_notebook_see_each_other() -> None:
    first = registered("def helper(x: int) -> int:\n    return x * 3\n", "<ipython-input-1-a>")
    source = "@jl.script\ndef f(x: int) -> int:\n    return helper(x) + 1\n"
    filename = "<ipython-input-2-b>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), first)
    assert first["f"](2) == 7
    again = "def helper(x: int) -> int:\n    return x * 4\n"
    first["helper"] = registered(again, "<ipython-input-3-c>")["helper"]
    assert first["f"](2) == 9


def test_errors_in_a_notebook_show_the_cell() -> None:
    function = registered("def f(x: int) -> int:\n    return x + 'a'\n", "<ipython-input-9-d>")["f"]
    text = str(rejection(function))
    assert 'File "<ipython-input-9-d>", line 2, in f' in text
    assert "return x + 'a'" in text


def test_a_prompt_without_source() -> None:
    console = code.InteractiveConsole({"jl": jl})
    for line in ["def f(x: int) -> int:", "    return x + 1", ""]:
        console.push(line)
    error = rejection(console.locals["f"])
    assert error.kind is ErrorKind.NO_SOURCE
    assert error.hint is not None and "linecache" in error.hint


def test_exec_without_source() -> None:
    namespace: dict[str, Any] = {}
    exec(compile(SOURCE, "<nowhere>", "exec"), namespace)
    error = rejection(namespace["f"])
    assert error.kind is ErrorKind.NO_SOURCE
    assert "'f'" in error.message


def test_the_source_is_not_needed_again() -> None:
    namespace = registered(SOURCE, "<gone>")
    scripted = jl.script(namespace["f"])
    linecache.cache.pop("<gone>")
    assert scripted(1) == 4


# Decorators ---------------------------------------------------------------------------------------


def marked(function: F) -> F:
    function.mark = True  # type: ignore[attr-defined]
    return function


def doubled(function: Callable[[int], int]) -> Callable[[int], int]:
    @functools.wraps(function)
    def wrapper(x: int) -> int:
        return function(x) * 2

    return wrapper


def forwarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@jl.script
@marked
@doubled
def stacked(x: int) -> int:
    return x + 1


@doubled
@jl.script
def scripted_below(x: int) -> int:
    return x + 1


@forwarded
def with_defaults(x: int, step: int = 1, *, scale: int = 1) -> int:
    return (x + step) * scale


def test_stacked_decorators_compile_the_wrapper() -> None:
    assert stacked(1) == 4
    assert stacked.mark
    assert stacked.__name__ == "stacked"


def test_a_wrapper_around_a_script() -> None:
    assert scripted_below(1) == 4
    assert jl.script(scripted_below)(1) == 4


def test_a_wrapper_that_forwards_everything() -> None:
    scripted = jl.script(with_defaults)
    assert scripted(1) == 2
    assert scripted(1, 5) == 6
    assert scripted(1, scale=3) == 6
    assert scripted(x=1, step=2, scale=2) == 6


def test_the_wrapped_function_is_not_taken_for_the_wrapper() -> None:
    scripted = jl.script(doubled(in_this_file))
    assert scripted(1) == 4
    assert "wrapper" in str(scripted.graph) or "in_this_file" in str(scripted.graph)


def test_script_with_and_without_parentheses() -> None:
    namespace = registered(
        "@jl.script\ndef f(x: int) -> int:\n    return x + 1\n\n"
        "@jl.script(strict=True)\ndef g(x: int) -> int:\n    return f(x) + 1\n",
        "<parentheses>",
    )
    assert (namespace["f"](1), namespace["g"](1)) == (2, 3)
    assert jl.script(namespace["f"]) is namespace["f"]


def test_a_decorator_on_several_lines() -> None:
    source = """
        def with_options(*, name, size):
            return lambda function: function

        @jl.script
        @with_options(
            name="a",
            size=3,
        )
        def f(x: int) -> int:
            return x + 1
        """
    namespace = registered(textwrap.dedent(source), "<several lines>")
    assert namespace["f"](1) == 2


# Nested, indented, odd layouts --------------------------------------------------------------------


def test_nested_functions() -> None:
    offset = 5

    def inner(x: int) -> int:
        # a comment with an odd indentation
      # here
        text = """
no indentation
"""
        return x + offset + len(text)

    assert jl.script(inner)(1) == 6 + len("\nno indentation\n")


def test_methods_are_functions_of_their_class() -> None:
    class Model:
        @staticmethod
        def scale(x: int) -> int:
            return x * 3

        def forward(self, x: int) -> int:
            return x

    assert jl.script(Model.scale)(2) == 6
    error = rejection(Model().forward)
    assert error.kind is ErrorKind.UNSUPPORTED_CALLEE
    assert "method" in error.message


def test_one_line_functions() -> None:
    def f(x: int) -> int: return x + 1  # fmt: skip  # noqa: E704

    assert jl.script(f)(1) == 2


def test_functions_with_the_same_name() -> None:
    source = "def f(x: int): return x + 1\ng = f\ndef f(x: int): return x + 2\n"
    namespace = registered(source, "<same name>")
    assert (jl.script(namespace["g"])(0), jl.script(namespace["f"])(0)) == (1, 2)


def test_continued_lines_and_semicolons() -> None:
    source = "def f(x: int) -> int:\n    y = x + \\\n        1; z = y * 2\n    return (z\n  + 1)\n"
    assert jl.script(registered(source, "<continued>")["f"])(1) == 5


def test_form_feeds_and_carriage_returns() -> None:
    source = "def f(x: int) -> int:\r\n    y = x + 1\r\n    return y\r\n"
    assert jl.script(registered(source, "<carriage returns>")["f"])(1) == 2


def test_conditional_definitions() -> None:
    source = (
        "if True:\n\tdef f(x: int) -> int:\n\t\treturn x + 1\n"
        "else:\n\tdef f(x: int) -> int:\n\t\treturn 0\n"
    )
    assert jl.script(registered(source, "<conditional>")["f"])(1) == 2


# Annotations as text ------------------------------------------------------------------------------


def test_future_annotations() -> None:
    source = (
        "from __future__ import annotations\nfrom typing import Optional\n"
        "def f(x: Optional[Tensor], n: list[int] | None = None) -> int:\n"
        "    return 0 if x is None else x.numel()\n"
    )
    scripted = jl.script(registered(source, "<future>")["f"])
    assert scripted(None) == 0
    assert scripted(jl.ones(3), [1]) == 3
    assert "Optional[Tensor]" in scripted.code


def test_annotations_in_quotes() -> None:
    source = "def f(x: 'list[Tensor]', n: 'int' = 2) -> 'Tensor':\n    return x[0] * n\n"
    scripted = jl.script(registered(source, "<quotes>")["f"])
    assert scripted([jl.ones(1)]).tolist() == [2.0]


def test_annotations_that_name_locals_of_a_function() -> None:
    source = (
        "from typing import NamedTuple\n"
        "def make():\n"
        "    class Pair(NamedTuple):\n        x: int\n        y: int\n"
        "    def swap(p: Pair) -> list[Pair]:\n        return [p._replace(x=p.y, y=p.x)]\n"
        "    return swap, Pair\n"
    )
    swap, pair = registered(source, "<local types>")["make"]()
    (swapped,) = jl.script(swap)(pair(1, 2))
    assert swapped == (2, 1)
    assert type(swapped) is pair


# What cannot be scripted --------------------------------------------------------------------------


class Callable_:
    def __call__(self, x: int) -> int:
        return x


async def coroutine(x: int) -> int:
    await asyncio.sleep(0)
    return x


def generator(x: int) -> Iterator[int]:
    yield x


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (lambda x: x + 1, ErrorKind.UNSUPPORTED_EXPRESSION, "lambda"),
        (coroutine, ErrorKind.UNSUPPORTED_STATEMENT, "async"),
        (generator, ErrorKind.UNSUPPORTED_EXPRESSION, "yield"),
        (len, ErrorKind.UNSUPPORTED_CALLEE, "builtin"),
        (str.upper, ErrorKind.UNSUPPORTED_CALLEE, "method_descriptor"),
        (int, ErrorKind.UNSUPPORTED_CALLEE, "class"),
        (Path, ErrorKind.UNSUPPORTED_CALLEE, "class"),
        (Callable_(), ErrorKind.UNSUPPORTED_CALLEE, "Callable_"),
        (functools.partial(in_this_file, 1), ErrorKind.UNSUPPORTED_CALLEE, "partial"),
        (sys, ErrorKind.UNSUPPORTED_CALLEE, "module"),
        (3, ErrorKind.UNSUPPORTED_CALLEE, "int"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_cannot_be_scripted(value: Any, kind: ErrorKind, text: str) -> None:
    error = rejection(value)
    assert error.kind is kind, str(error)
    assert text in str(error)
    assert error.hint is not None


def test_a_lambda_among_others_is_marked() -> None:
    error = rejection([lambda x: x, 2][0])
    assert error.span is not None
    assert error.span.filename == __file__
    assert "lambda x: x" in str(error)


# The result ---------------------------------------------------------------------------------------


def test_a_script_looks_like_the_function() -> None:
    scripted = jl.script(in_this_file)
    assert scripted.__name__ == "in_this_file"
    assert scripted.__module__ == __name__
    assert inspect.unwrap(scripted) is in_this_file
    assert "in_this_file" in repr(scripted)


def test_disabled_scripts_are_the_functions() -> None:
    with jl.config.override(disable=True):
        assert jl.script(in_this_file) is in_this_file
