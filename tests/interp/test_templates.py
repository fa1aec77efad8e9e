"""Expressions of rows, filled in."""

import ast

import pytest

import jitlang.ops  # noqa: F401  # fills the table
from jitlang.interp.templates import expression, statement
from jitlang.ir.opdef import OPS


def find(name: str):
    op = OPS.find(name)
    assert op is not None
    return op


@pytest.mark.parametrize(
    ("row", "arguments", "text"),
    [
        ("aten::lt.int", ["r3", "7"], "r3 < 7"),
        ("aten::neg.int", ["(-7)"], "-(-7)"),
        ("aten::append.t", ["r1", "r2._array"], "r1.append(r2._array) or r1"),
        ("aten::__getitem__.t", ["r1", "0"], "r1[0]"),
    ],
)
def test_expression(row: str, arguments: list[str], text: str) -> None:
    op = find(row)
    names = [argument.name for argument in op.schema.arguments]
    assert expression(op, dict(zip(names, arguments, strict=True))) == text


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("aten::append.t", "a0.append(a1)"),
        ("aten::_set_item.t", "a0[a1] = a2"),
        ("aten::Delete.t", "del a0[a1]"),
        ("aten::_set_item.str", "a0[a1] = a2"),
        ("jit::array_store.two", "a0[(a1, a2)] = a3"),
        ("aten::clear.t", "a0.clear()"),
    ],
)
def test_statement(row: str, text: str) -> None:
    op = find(row)
    names = [argument.name for argument in op.schema.arguments]
    assert statement(op, {name: f"a{i}" for i, name in enumerate(names)}) == text


def test_every_expression_parses_in_every_form() -> None:
    for op in OPS:
        if op.python is None:
            continue
        names = [argument.name for argument in op.schema.arguments]
        for form in ("r{}", "(-{})", "{}", "r{}._array"):
            arguments = {name: form.format(i) for i, name in enumerate(names)}
            ast.parse(expression(op, arguments), mode="eval")
            if form != "{}":
                ast.parse(statement(op, arguments))
