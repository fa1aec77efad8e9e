"""The names in README.md and docs/: links lead somewhere, tables of members are complete."""

from __future__ import annotations

import builtins
import re
import types
from pathlib import Path

import numpy as np
import pytest

from jitlang.frontend import attributes, numpy_names
from jitlang.frontend.builtins import CONVERSIONS, SPECIALS
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`[^`]*`")
PLACE = re.compile(r"`(?P<path>(?:jitlang|tests|demo|benchmarks|docs)/[\w./-]*)`")


def test_links_between_the_files_lead_somewhere() -> None:
    for path in FILES:
        for found in LINK.finditer(CODE.sub("", FENCE.sub("", path.read_text("utf-8")))):
            assert (path.parent / found["target"]).exists(), f"{path.name}: {found['target']}"


def test_the_files_that_the_text_names_exist() -> None:
    for path in FILES:
        for found in PLACE.finditer(path.read_text("utf-8")):
            assert (ROOT / found["path"]).exists(), f"{path.name}: {found['path']}"


# The tables of members in language.md -------------------------------------------------------------

MEMBERS = re.compile(r"^\| (?P<owner>[^|]+) \| (?P<names>`\w+`(?: `\w+`)*) \|$", re.MULTILINE)
CLASSES = {
    "str": ty.STR, "list": ty.ListType(ty.INT), "dict": ty.DictType(ty.STR, ty.INT),
    "tuple": ty.SequenceType(ty.INT), "int": ty.INT, "float": ty.FLOAT, "complex": ty.COMPLEX,
}  # fmt: skip


def listed_members() -> dict[str, set[str]]:
    text = (ROOT / "docs/language.md").read_text("utf-8")
    return {
        found["owner"].strip().strip("`"): set(re.findall(r"`(\w+)`", found["names"]))
        for found in MEMBERS.finditer(text)
    }


def members_of(type_: ty.Type) -> set[str]:
    """The methods and attributes that a value of the type has in a script."""
    value = Graph("probe").add_input(type_, "value")
    emitter = types.SimpleNamespace(builder=Builder(value.node.graph))
    names = [name for name in dir(attributes._python_class(type_)) if not name.startswith("_")]
    return {name for name in names if attributes._find(emitter, value, name) is not None}


@pytest.mark.parametrize("owner", CLASSES)
def test_the_members_of_python_classes_are_listed(owner: str) -> None:
    assert listed_members()[owner] == members_of(CLASSES[owner])


def test_the_builtins_are_listed() -> None:
    table = {name for name in dir(builtins) if getattr(builtins, name) in [*SPECIALS, *CONVERSIONS]}
    assert listed_members()["functions"] | listed_members()["classes"] == table - {"__debug__"}


def test_numpy_names_are_listed() -> None:
    known = {name for name in dir(np) if numpy_names.function_meaning(name) is not None}
    assert listed_members()["np"] == known
    value = Graph("probe").add_input(ty.ARRAY, "value")
    emitter = types.SimpleNamespace(builder=Builder(value.node.graph))
    names = [name for name in dir(np.ndarray) if not name.startswith("_")]
    found = {n for n in names if numpy_names.array_attribute(emitter, value, n) is not None}
    assert listed_members()["ndarray"] == found
