"""Every schema that torch knows parses and prints back as torch wrote it."""

import torch

from jitlang.ir.schema import parse_schema


def schemas():
    """Those of operators; what torch registers in `cuda` while it compiles spells types as C++."""
    return [each for each in torch._C._jit_get_all_schemas() if not each.name.startswith("cuda::")]


def test_every_schema_of_torch():
    texts = sorted({str(schema) for schema in schemas()})
    assert len(texts) > 3000
    for text in texts:
        schema = parse_schema(text)
        assert str(schema) == text
        assert parse_schema(str(schema)) == schema


def test_parts_agree_with_torch():
    for theirs in schemas():
        ours = parse_schema(str(theirs))
        assert ours.name == theirs.name
        assert ours.overload == theirs.overload_name
        assert ours.is_mutable == any(
            a.alias_info is not None and a.alias_info.is_write for a in theirs.arguments
        )
        assert [(a.name, a.kwarg_only) for a in ours.arguments] == [
            (a.name, a.kwarg_only) for a in theirs.arguments
        ]
        assert [a.has_default for a in ours.arguments] == [
            a.has_default_value() for a in theirs.arguments
        ]
        assert [r.name for r in ours.returns] == [r.name for r in theirs.returns]
