"""How the tests call rows: by name through overload resolution, or directly."""

from __future__ import annotations

import numpy as np

import jitlang.ops  # noqa: F401
from jitlang.arrays import Device
from jitlang.dtypes import DType
from jitlang.ir import types as ty
from jitlang.ir.matching import Convert, Match, match_overloads, result_types
from jitlang.ir.opdef import NOT_CONSTANT, OPS
from jitlang.ops.rows import kernel_of


def type_of(value):
    """The graph type of a Python value."""
    simple = {
        bool: ty.BOOL,
        int: ty.INT,
        float: ty.FLOAT,
        complex: ty.COMPLEX,
        str: ty.STR,
        type(None): ty.NONE,
        DType: ty.DTYPE,
        Device: ty.DEVICE,
    }
    if type(value) in simple:
        return simple[type(value)]
    if isinstance(value, np.ndarray):
        return ty.TENSOR
    if isinstance(value, list):
        return ty.ListType(type_of(value[0]) if value else ty.NO_RETURN)
    if isinstance(value, tuple):
        return ty.TupleType(tuple(map(type_of, value)))
    if isinstance(value, dict):
        key, item = next(iter(value.items())) if value else (0, 0)
        return ty.DictType(type_of(key), type_of(item))
    return ty.ANY


def rows_named(name):
    """The rows that a Python name may mean, in the order in which sources look for them."""
    rows = [op for space in ("jit", "aten", "prim") for op in OPS.overloads(f"{space}::{name}")]
    return sorted(rows, key=_takes_any)


def _takes_any(op):
    """Rows over any value are the last resort."""
    return op.name.startswith("jit::") and any(a.type is ty.ANY for a in op.schema.arguments)


_CONVERSIONS = {
    Convert.INT_TO_FLOAT: float,
    Convert.BOOL_TO_INT: int,
    Convert.BOOL_TO_FLOAT: float,
    Convert.TO_COMPLEX: complex,
    Convert.TUPLE_TO_LIST: list,
}


def resolve(name, args, kwargs=None):
    """The row that a source means by `name(*args, **kwargs)`, its arguments, and its result types.

    A full name (`aten::add.int`) is that row.
    """
    kwargs = kwargs or {}
    rows = [OPS.find(name)] if "::" in name else rows_named(name)
    values = [*args, *kwargs.values()]
    outcome = match_overloads(
        rows, [type_of(v) for v in args], {k: type_of(v) for k, v in kwargs.items()}
    )
    assert isinstance(outcome, Match), [str(m.reason) for m in outcome]
    given = []
    for argument, how in zip(outcome.op.schema.arguments, outcome.conversions, strict=True):
        if how.how is Convert.DEFAULT:
            given.append(argument.default)
        elif how.how is Convert.PACK:
            given.append([values[i] for i in how.sources])
        else:
            convert = _CONVERSIONS.get(how.how, lambda v: v)
            given.append(convert(values[how.sources[0]]))
    given += [values[i] for i in outcome.variadic]
    types = result_types(
        outcome.op, outcome.bindings, [type_of(v) for v in given], [NOT_CONSTANT] * len(given)
    )
    return outcome.op, given, types


def call(name, *args, **kwargs):
    """The result of the row that a source means by `name(*args, **kwargs)`."""
    op, given, _ = resolve(name, args, kwargs)
    return kernel_of(op, np)(*given)


def complete(op, args):
    """The arguments with the schema's defaults behind them."""
    return [*args, *(a.default for a in op.schema.arguments[len(args) :])]


def run(full_name, *args):
    """The result of a row's kernel, with the schema's defaults behind the arguments."""
    op = OPS.find(full_name)
    return kernel_of(op, np)(*complete(op, args))


def outcome_of(function, *args, **kwargs):
    """A result as (type, text), or an exception as (class, message): comparable, NaN included."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)
    return type(result), repr(result)


def is_a(value, type_):
    """Whether a Python value is one of a graph type."""
    if isinstance(type_, ty.OptionalType):
        return value is None or is_a(value, type_.element)
    if isinstance(type_, ty.ListType):
        return isinstance(value, list) and all(is_a(v, type_.element) for v in value)
    if isinstance(type_, ty.DictType):
        return isinstance(value, dict)
    if isinstance(type_, ty.TupleType):
        same = isinstance(value, tuple) and len(value) == len(type_.elements)
        return same and all(map(is_a, value, type_.elements))
    if isinstance(type_, ty.TensorType):
        return is_tensor(value, type_)
    plain = {ty.BOOL: bool, ty.INT: int, ty.FLOAT: float, ty.COMPLEX: complex, ty.STR: str}
    if type_ in plain:
        return type(value) is plain[type_]
    if type_ is ty.NUMBER:
        return isinstance(value, int | float | complex)
    return type_ is ty.ANY or type_ is not ty.NONE or value is None


def is_tensor(array, type_):
    """Whether an array has every fact that a tensor type states."""
    array = np.asarray(array)
    if type_.dtype is not None and array.dtype != type_.dtype.numpy:
        return False
    if type_.sizes is None:
        return True
    return len(type_.sizes) == array.ndim and all(
        wanted is None or wanted == found
        for wanted, found in zip(type_.sizes, array.shape, strict=True)
    )
