"""Graph dumps by real torch parse, print back as they were, and parse back equal.

Two things in torch's text are not kept, and `normalised` takes them out of both sides:

- the defaults of a NamedTuple's fields (`weight : float? = None`): our types have none;
- bytes above 127 in strings, which torch prints through a signed division (`\\0)+`): we print the
  characters.
"""

import re
from pathlib import Path

import pytest

import jitlang.ops  # noqa: F401  # so that nodes have rows, which the verifier checks
from jitlang.ir.compare import first_difference
from jitlang.ir.parser import parse_graph
from jitlang.ir.text import quote, unquote
from jitlang.ir.verifier import verify

DUMPS = sorted((Path(__file__).parent.parent / "data" / "torch_graphs").glob("*.ir"))
FIELD_DEFAULT = re.compile(r"(?<=[\w\]?)]) = None(?=[,)])")
SIGNED_BYTES = re.compile(r'"[^"\n]*\\[./0][)-/][)-0][^"\n]*"')
NOT_VALID = {
    # Elements of a dict have a NamedTuple's name for their type, and values its fields.
    "list_of_named_tuples.graph",
    "list_of_named_tuples.inlined",
    # No row compares enum members yet.
    "enum_values.graph",
    "enum_values.inlined",
}


def normalised(text: str) -> str:
    text = FIELD_DEFAULT.sub("", text)
    return SIGNED_BYTES.sub(lambda match: quote(unquote(match[0])), text)


def test_there_are_enough():
    assert len({dump.name.split(".")[0] for dump in DUMPS}) >= 50


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_dump(dump: Path):
    text = dump.read_text(encoding="utf-8")
    graph = parse_graph(text, dump.name)
    printed = str(graph)
    assert printed == normalised(text)
    assert first_difference(graph, parse_graph(printed)) is None
    assert first_difference(graph, graph.copy()) is None


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_dump_is_valid(dump: Path):
    if dump.stem in NOT_VALID:
        pytest.skip("named in NOT_VALID")
    verify(parse_graph(dump.read_text(encoding="utf-8"), dump.name))
