"""Schemas: what is read, and that every one prints back as it was written."""

import pytest

from jitlang.errors import CompileError, ErrorKind
from jitlang.ir import types as ty
from jitlang.ir.schema import AliasInfo, parse_schema, schema_name

TEXTS = [
    "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
    "aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)",
    "aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1) -> Tensor",
    "aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    "aten::format(str self, ...) -> str",
    "prim::TupleUnpack(Any tup) -> ...",
    "aten::append.t(t[](a!) self, t(c -> *) el) -> t[](a!)",
    "aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
    "aten::items.str(Dict(str, t) self) -> ((str, t)[])",
    "aten::index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values) -> Tensor(a!)",
    "aten::isclose(Tensor self, float rtol=1.0000000000000001e-05, float atol=1e-08) -> Tensor",
    "aten::f(str a=\"\\\"x\\\"\", float b=inf, int[] c=[0, 1], *, ScalarType? dtype=None) -> ()",
    "aten::_foreach_acos.out(Tensor[] self, *, Tensor(a!)[] out) -> ()",
    "aten::g(Tensor info, float? correction=1, Scalar s=0.5) -> Tensor info",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=schema_name)
def test_schemas_print_back(text: str):
    schema = parse_schema(text)
    assert str(schema) == text
    assert (schema.name, schema.overload) == schema_name(text)


def test_parts():
    schema = parse_schema(
        "a::f.x(Tensor(a!) self, int[2] size=3, *, float rate=1, Tensor? w) -> Tensor(a!)"
    )
    self, size, rate, weight = schema.arguments
    assert (schema.name, schema.overload, schema.full_name) == ("a::f", "x", "a::f.x")
    assert self.alias == AliasInfo(("a",), is_write=True)
    assert (size.type, size.size, size.default) == (ty.ListType(ty.INT), 2, 3)
    assert (rate.kwarg_only, rate.default, type(rate.default)) == (True, 1.0, float)
    assert (weight.kwarg_only, weight.has_default) == (True, False)
    assert schema.index_of("rate") == 2
    assert schema.index_of("absent") is None
    assert schema.is_mutable


def test_writes_to_elements_are_writes():
    assert parse_schema("a::f(Tensor(a!)[] out) -> ()").is_mutable
    assert not parse_schema("a::f(Tensor(a)[] out) -> ()").is_mutable


def test_names_that_start_like_numbers():
    schema = parse_schema("a::f(Tensor info, int inf_count) -> Tensor nancy")
    assert [a.name for a in schema.arguments] == ["info", "inf_count"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a::f(Tensr x) -> Tensor", "unknown type 'Tensr'"),
        ("a::f(Tensor) -> Tensor", "expected an argument name"),
        ("a::f(Tensor x Tensor y) -> Tensor", "expected ','"),
        ("a::f(Tensor x)", "expected '->'"),
        ("a::f(int x=seven) -> int", "unknown default 'seven'"),
        ("a::f() -> int int int", "unexpected 'int' after the returns"),
        ("a::f(int $x) -> int", "unexpected '$'"),
    ],
)
def test_rejections(text: str, message: str):
    with pytest.raises(CompileError) as caught:
        parse_schema(text)
    assert caught.value.kind is ErrorKind.SCHEMA_TEXT
    assert message in caught.value.message
