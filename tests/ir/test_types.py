"""Types: one object per type, relations between them, and their Python spelling."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitlang import dtypes
from jitlang.ir import types as ty
from jitlang.ir.parser import parse_type

LEAVES = [
    ty.TENSOR, ty.ARRAY, ty.INT, ty.FLOAT, ty.COMPLEX, ty.BOOL, ty.STR, ty.NONE, ty.ANY, ty.NUMBER,
    ty.DTYPE, ty.DEVICE, ty.TensorType(dtypes.float32, (2, None)), ty.ClassType("__torch__.A"),
    ty.EnumType("__torch__.E"),
]  # fmt: skip


def made_of(inner):
    return st.one_of(
        inner.map(ty.ListType),
        inner.map(ty.optional),
        inner.map(ty.SequenceType),
        inner.map(ty.FutureType),
        st.tuples(inner, inner).map(lambda pair: ty.DictType(*pair)),
        st.lists(inner, min_size=2, max_size=3).map(ty.union),
        st.lists(inner, max_size=3).map(lambda parts: ty.TupleType(tuple(parts))),
        st.tuples(inner, inner).map(lambda pair: ty.TupleType(pair, "__torch__.P", ("x", "y"))),
    )


types = st.recursive(st.sampled_from(LEAVES), made_of, max_leaves=8)


@given(types)
def test_types_read_back(type_: ty.Type):
    assert parse_type(str(type_)) is type_


@given(types)
def test_types_are_interned(type_: ty.Type):
    assert copy.copy(type_) is copy.deepcopy(type_) is pickle.loads(pickle.dumps(type_)) is type_
    assert type_.with_children(type_.children) is type_


@given(types, types)
def test_relations(a: ty.Type, b: ty.Type):
    assert ty.is_subtype(a, a)
    assert ty.is_subtype(a, ty.ANY)
    assert ty.is_subtype(a, ty.optional(a))
    joined = ty.unify(a, b)
    if joined is not None:
        assert ty.is_subtype(a, joined)
        assert ty.is_subtype(b, joined)
    assert ty.is_subtype(a, ty.union([a, b]))


@given(types)
def test_unshaped_types_cover(type_: ty.Type):
    assert ty.is_subtype(type_, ty.unshaped(type_))


@pytest.mark.parametrize(
    ("sub", "sup", "holds"),
    [
        ("Float(2, 3)", "Tensor", True), ("Tensor", "Float(2, 3)", False),
        ("Float(2, 3)", "Float(2, *)", True),
        ("Array", "Tensor", False), ("int", "Scalar", True), ("str", "Scalar", False),
        ("int", "float", False),
        ("NoneType", "int?", True), ("int?", "int", False),
        ("int?", "Union(int, NoneType, str)", True),
        ("int[]", "Scalar[]", False), ("Float(2)[]", "Tensor[]", True),
        ("(int, str)", "(Scalar, str?)", True),
        ("NamedTuple(x : int)", "(int)", True), ("(int)", "NamedTuple(x : int)", False),
        ("NoReturn", "int", True), ("Dict(str, int)", "Dict(str, int?)", False),
        ("(int, int)", "Sequence(int)", True),
    ],
)  # fmt: skip
def test_subtypes(sub: str, sup: str, holds: bool):
    assert ty.is_subtype(parse_type(sub), parse_type(sup)) is holds


@pytest.mark.parametrize(
    ("a", "b", "joined"),
    [
        ("int", "NoneType", "int?"), ("int?", "int", "int?"), ("int", "str", None),
        ("Float(2, 3)", "Float(4, 3)", "Float(*, 3)"), ("Float(2)", "Long(2)", "Tensor(2)"),
        ("(int, NoneType)", "(NoneType, str)", "(int?, str?)"),
        ("Float(2)", "Float(2, 2)", "FloatTensor"),
        ("int[]", "str[]", None),
    ],
)  # fmt: skip
def test_joins(a: str, b: str, joined: str | None):
    expected = parse_type(joined) if joined is not None else None
    assert ty.unify(parse_type(a), parse_type(b)) is expected
    assert ty.unify(parse_type(b), parse_type(a)) is expected


@pytest.mark.parametrize(
    ("type_", "spelled"),
    [
        ("Dict(str, Tensor?[])", "Dict[str, List[Optional[Tensor]]]"),
        ("(int, ())", "Tuple[int, Tuple[()]]"),
        ("Union(int, str)", "Union[int, str]"), ("Float(2)", "Tensor"), ("Array", "Array"),
        ("Scalar", "number"),
        ("NamedTuple[__torch__.P](x : int)", "P"), ("Enum<__torch__.E>", "E"),
        ("Future[int]", "Future[int]"), ("NoneType", "None"), ("Sequence(int)", "Tuple[int, ...]"),
    ],
)  # fmt: skip
def test_python_spellings(type_: str, spelled: str):
    assert ty.annotation(parse_type(type_)) == spelled


def test_unions_are_flat_and_in_torchs_order():
    assert str(ty.union([ty.STR, ty.INT, ty.ListType(ty.INT)])) == "Union(int[], int, str)"
    assert ty.union([ty.INT, ty.NONE]) is ty.optional(ty.INT)
    assert ty.union([ty.INT, ty.NUMBER]) is ty.NUMBER
    assert ty.union([ty.optional(ty.INT), ty.STR]) is ty.union([ty.STR, ty.NONE, ty.INT])


def test_strides_need_sizes():
    assert ty.TensorType(dtypes.float32, (), ()) is ty.TensorType(dtypes.float32, ())
    assert ty.TensorType(strides=(1,)) is ty.TENSOR
