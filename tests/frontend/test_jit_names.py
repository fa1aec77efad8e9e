"""The names of `torch.jit` that scripts use."""

from __future__ import annotations

import typing
from typing import Dict, List, Optional, Tuple  # noqa: UP035 - as programs for torch write them

import pytest

import jitlang as jl
from jitlang import Tensor


def builtin_list(x: Tensor):
    found = jl.jit.annotate(list[int], [])
    found.append(x.dim())
    return found


def typing_list(x: Tensor):
    found = jl.jit.annotate(List[Tuple[int, Tensor]], [])  # noqa: UP006
    found.append((1, x))
    return found


def typing_dict(x: Tensor):
    found = jl.jit.annotate(Dict[str, Tensor], {})  # noqa: UP006
    found["x"] = x
    return found


def qualified_optional(x: Tensor):
    found = jl.jit.annotate(typing.Optional[Tensor], None)  # noqa: UP007, UP045
    if x.dim() > 0:
        found = x
    return found


def union(x: Tensor):
    found = jl.jit.annotate(Tensor | None, None)
    if x.dim() > 0:
        found = x
    return found


def number(x: Tensor):
    return jl.jit.annotate(Optional[int], x.dim())  # noqa: UP007, UP045


@pytest.mark.parametrize(
    "function, type_",
    [
        (builtin_list, "int[]"),
        (typing_list, "(int, Tensor)[]"),
        (typing_dict, "Dict(str, Tensor)"),
        (qualified_optional, "Tensor?"),
        (union, "Tensor?"),
        (number, "int"),
    ],
)
def test_annotate(function, type_):
    x, scripted = jl.ones(2), jl.script(function)
    (output,) = scripted.graph.outputs
    assert str(output.type) == type_
    assert str(scripted(x)) == str(function(x))


def wrong_value(x: Tensor):
    return jl.jit.annotate(list[int], x)


def no_value(x: Tensor):
    return jl.jit.annotate(list[int])


@pytest.mark.parametrize("function, kind", [(wrong_value, "assigned-type"), (no_value, "arity")])
def test_annotate_refuses(function, kind):
    with pytest.raises(jl.CompileError, match=rf"\[{kind}\]"):
        jl.script(function)(jl.ones(2))
