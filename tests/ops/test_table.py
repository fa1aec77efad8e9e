"""Invariants of every row in the operator table.

- its schema prints and parses back;
- it has exactly one source for its kernel;
- its Python expression reads only its arguments, builtins and `math`;
- its type rule raises for no arguments, states nothing that a run contradicts, and knows at least
what it knew from less; - what the schema does not mark as written stays as it was, and what shares
memory is marked.

Arguments are made from the schema's types at random; calls that the kernel refuses teach nothing.
"""

from __future__ import annotations

import builtins
import random
import warnings
from collections import Counter

import numpy as np
import pytest
from calling import is_a

import jitlang.ops  # noqa: F401
from fitted_arguments import fitted
from jitlang import dtypes
from jitlang.arrays import Device
from jitlang.ir import types as ty
from jitlang.ir.opdef import NOT_CONSTANT, OPS, Effect
from jitlang.ir.schema import parse_schema
from jitlang.ops.generator import Generator
from jitlang.ops.rows import base_of, kernel_of

ROWS = list(OPS)
TRIALS = 60


def test_schemas_round_trip():
    for op in ROWS:
        assert parse_schema(str(op.schema)) == op.schema
        assert str(parse_schema(str(op.schema))) == str(op.schema)


def test_every_row_has_exactly_one_kernel_source():
    for op in ROWS:
        sources = [
            op.impl is not None and base_of(op) is None,
            op.python is not None,
            op.composite is not None,
            base_of(op) is not None,
        ]
        # A pointwise row may have an `impl` beside its body: the form that is safer on arrays.
        assert op.body is not None or sum(sources) == 1, op
        assert not (op.body is not None and op.python is not None), op
        assert callable(kernel_of(op, np)), op


def test_python_expressions_read_arguments_and_builtins_only():
    for op in ROWS:
        if op.python is None:
            continue
        arguments = {argument.name for argument in op.schema.arguments}
        for name in set(op.python_names) - arguments:
            assert hasattr(builtins, name) or name == "math", (op, name)


def test_checked_rows_return_integers():
    for op in ROWS:
        if op.checked_integer:
            (result,) = op.schema.returns
            assert result.type in (ty.INT, ty.NUMBER), op


def test_effects_stand_where_they_should():
    for name in ("aten::rand", "aten::dropout", "aten::uniform_", "aten::bernoulli.p"):
        assert OPS.find(name).effect is Effect.RANDOM, name
    for name in ("prim::Print", "prim::RaiseException", "aten::warn", "aten::manual_seed"):
        assert OPS.find(name).effect is Effect.IO, name


# Random arguments ---------------------------------------------------------------------------------

SHAPES = [(), (1,), (3,), (0,), (2, 3), (3, 2), (3, 3), (1, 3), (2, 3, 4), (2, 4, 3), (2, 0)]
DTYPES = [
    "float32",
    "float32",
    "float64",
    "int64",
    "bool",
    "uint8",
    "float16",
    "bfloat16",
    "complex64",
]


class Maker:
    """Arguments at random for the types of schemas."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        # Most calls want tensors that go together.
        self.shape = self.random.choice(SHAPES)
        self.dtype = self.random.choice(DTYPES)
        self.element = self.random.choice([ty.INT, ty.FLOAT, ty.STR, ty.TENSOR])

    def array(self, kind=None):
        alike = self.random.random() < 0.7
        shape = self.shape if alike else self.random.choice(SHAPES)
        dtype = kind or (self.dtype if self.random.random() < 0.8 else self.random.choice(DTYPES))
        values = np.asarray(self.numpy.integers(0, 3, shape))
        made = values.astype(dtypes.from_name(dtype).numpy)
        return made.T.copy().T if self.random.random() < 0.3 else made

    def value(self, type_, name="", size=None):
        pick = self.random.choice
        if isinstance(type_, ty.OptionalType):
            return None if self.random.random() < 0.5 else self.value(type_.element, name, size)
        if isinstance(type_, ty.TensorType):
            return self.array(
                "int64" if name in ("index", "indices") and self.random.random() < 0.8 else None
            )
        if isinstance(type_, ty.ListType):
            return self.list(type_, size)
        if isinstance(type_, ty.DictType):
            key = ty.INT if isinstance(type_.key, ty.VarType) else type_.key
            return {self.value(key): self.value(type_.value) for _ in range(2)}
        if isinstance(type_, ty.TupleType):
            return tuple(self.value(part) for part in type_.elements)
        if isinstance(type_, ty.VarType):
            return self.value(ty.INT if type_.name == "k" else self.element)
        return {
            ty.INT: lambda: pick([0, 1, 2, -1, 3]),
            ty.FLOAT: lambda: pick([0.5, 1.0, 2.0, -1.5]),
            ty.BOOL: lambda: pick([True, False]),
            ty.STR: lambda: pick(["a", "b", "ab c", "12", "ij", "add", "cpu"]),
            ty.NUMBER: lambda: pick([1, 2, 0.5, True]),
            ty.COMPLEX: lambda: 1 + 2j,
            ty.NONE: lambda: None,
            ty.DTYPE: lambda: pick([dtypes.float32, dtypes.int64, dtypes.float64]),
            ty.DEVICE: lambda: Device("cpu"),
            ty.GENERATOR: lambda: Generator(),
            ty.ANY: lambda: pick([1, "a", (1, 2), [1]]),
        }[type_]()

    def list(self, type_, size):
        if type_.element is ty.INT and size is None and self.random.random() < 0.3:
            return list(self.shape)
        count = size or self.random.choice([0, 1, 2, 2, 3])
        return [self.value(type_.element) for _ in range(count)]


def arguments_of(op, maker):
    """One argument list, defaults taken half of the time."""
    given = []
    for argument in op.schema.arguments:
        if argument.has_default and maker.random.random() < 0.6:
            default = argument.default
            repeated = argument.size and isinstance(default, int)
            given.append([default] * argument.size if repeated else default)
        else:
            given.append(maker.value(argument.type, argument.name, argument.size))
    for name, value in fitted(op, maker.random, maker.numpy).items():
        given[op.schema.index_of(name)] = value
    return given


def type_of(value, declared, refined=True):
    """The graph type of an argument, with or without what is known about tensors."""
    if isinstance(value, np.ndarray):
        return ty.TensorType(dtypes.from_numpy(value.dtype), value.shape) if refined else ty.TENSOR
    if isinstance(value, list):
        element = declared.element if isinstance(declared, ty.ListType) else ty.ANY
        if value and isinstance(value[0], np.ndarray):
            found = type_of(value[0], ty.TENSOR, refined)
            for other in value[1:]:
                found = ty.unify(found, type_of(other, ty.TENSOR, refined)) or ty.TENSOR
            return ty.ListType(found)
        return ty.ListType(type_of(value[0], element) if value else element)
    simple = {
        bool: ty.BOOL,
        int: ty.INT,
        float: ty.FLOAT,
        complex: ty.COMPLEX,
        str: ty.STR,
        type(None): ty.NONE,
    }
    if type(value) in simple:
        return simple[type(value)]
    if isinstance(value, tuple):
        return ty.TupleType(tuple(type_of(v, ty.ANY) for v in value))
    return declared


def constants_of(values, known):
    """What a type rule may be told: Python values, never tensors."""
    return [v if known and not isinstance(v, np.ndarray | dict) else NOT_CONSTANT for v in values]


def run(op, values):
    """The results as a tuple, or None where the kernel refuses."""
    kernel = kernel_of(op, np)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = kernel(*values)
    except Exception:
        return None
    return result if len(op.schema.returns) > 1 else (result,)


SKIPPED = {
    "prim::Print",
    "prim::RaiseException",
    "aten::warn",
    "aten::manual_seed",
    "jit::dynamic_call",
    "jit::sum_undecided",  # called with lists that hold nothing, or numbers
}
TYPED = [
    op
    for op in ROWS
    if op.full_name not in SKIPPED and not op.schema.is_vararg and op.schema.returns
]
NEVER_RAN: Counter[str] = Counter()


def copies(values):
    return [v.copy() if isinstance(v, np.ndarray) else v for v in values]


@pytest.mark.parametrize("op", TYPED, ids=lambda op: op.full_name)
def test_type_rule_and_alias_marks_hold_in_runs(op):
    if not hold_in_runs(op, 12, TRIALS):
        NEVER_RAN[op.full_name] += 1


# Python's order of lists asks their elements: of tensors the answer is a tensor.
ORDERED = [f"aten::{name}.t_list" for name in ("lt", "le", "gt", "ge")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "op", [r for r in TYPED if r.full_name not in ORDERED], ids=lambda op: op.full_name
)
def test_type_rule_and_alias_marks_hold_in_200_runs(op):
    hold_in_runs(op, 200, 4000)


def hold_in_runs(op, wanted, trials):
    """Check random calls until `wanted` of them ran, `trials` at least; how many ran."""
    ran = 0
    for seed in range(max(trials, TRIALS * 20)):
        if ran >= wanted or (seed >= trials and ran):
            break
        ran += holds_in_run(op, arguments_of(op, Maker(seed)))
    return ran


def holds_in_run(op, values):
    """Whether the call ran; types and aliases are as stated if so."""
    declared = [a.type for a in op.schema.arguments]
    before = copies(values)
    results = run(op, values)
    stated = [
        infer(op, values, declared, refined, known)
        for refined, known in ((True, True), (True, False), (False, True), (False, False))
    ]
    if results is None:
        return False
    for types in stated:
        # Without a rule the schema's types stand, variables unbound.
        for result, type_, returned in zip(results, types, op.schema.returns, strict=True):
            if not ty.has_variables(returned.type):
                assert holds(result, type_), (op, values, results, [str(t) for t in types])
    check_aliases(op, before, values, results)
    return True


def infer(op, values, declared, refined, known):
    if op.infer is None:
        return [r.type for r in op.schema.returns]
    types = [type_of(v, d, refined) for v, d in zip(values, declared, strict=True)]
    ruled = op.infer(types, constants_of(values, known))
    return [ruled] if isinstance(ruled, ty.Type) else list(ruled)


def holds(result, type_):
    if isinstance(type_, ty.ListType) and isinstance(type_.element, ty.TensorType):
        return isinstance(result, list | tuple) and all(is_a(v, type_.element) for v in result)
    if isinstance(type_, ty.ListType):
        return isinstance(result, list | tuple)
    if isinstance(type_, ty.UnionType | ty.SequenceType):
        return True
    return is_a(result, type_)


def check_aliases(op, before, values, results):
    """Only written arguments change, and only marked results share memory with arguments."""
    for argument, old, new in zip(op.schema.arguments, before, values, strict=True):
        written = argument.alias is not None and argument.alias.is_write
        if isinstance(new, np.ndarray) and not written:
            same = old.shape == new.shape and bool(
                np.array_equal(old, new, equal_nan=old.dtype.kind in "fc")
            )
            assert same, (op, argument.name)
    if any(r.alias is not None or r.element_alias is not None for r in op.schema.returns):
        return
    # The elements of a `t[]` belong to whoever holds the list.
    listed = [
        part
        for argument, v in zip(op.schema.arguments, values, strict=True)
        for part in (v if isinstance(v, list) and not ty.has_variables(argument.type) else [v])
    ]
    arrays = [v for v in listed if isinstance(v, np.ndarray)]
    found = [r for result in results for r in (result if isinstance(result, list) else [result])]
    for result in found:
        if isinstance(result, np.ndarray):
            assert not any(np.shares_memory(result, a) for a in arrays), (op, values)


def test_nearly_every_row_ran():
    """Runs after the test above: rows that no random call reached are few and known."""
    assert len(NEVER_RAN) <= 8, sorted(NEVER_RAN)
