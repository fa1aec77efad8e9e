"""Attributes of values: properties and methods by type, on both surfaces."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..errors import ErrorKind, did_you_mean
from ..ir import types as ty
from ..ir.graph import Value
from ..ir.matching import as_torch
from ..ir.opdef import OPS
from ..ir.types import Type
from ..tensor import method_names
from . import hints, numpy_names, surface
from .emitter import Emitter
from .operator_calls import position_of_self
from .operators import rows_named
from .sugar import Arguments, Operator, Plain, Special, Sugar

_TENSOR_PROPERTIES: dict[str, str] = {
    "shape": "aten::size", "ndim": "aten::dim", "dtype": "prim::dtype", "device": "prim::device",
    "T": "aten::numpy_T", "mT": "aten::mT", "requires_grad": "prim::requires_grad",
    "is_cuda": "prim::is_cuda", "itemsize": "prim::itemsize", "nbytes": "prim::nbytes",
    "real": "aten::real", "imag": "aten::imag",
}  # fmt: skip
_PYTHON_CLASSES: dict[Type, type] = {
    ty.INT: int, ty.FLOAT: float, ty.BOOL: bool, ty.COMPLEX: complex, ty.STR: str,
}  # fmt: skip
_SCALAR_PROPERTIES = frozenset({"real", "imag"})
_OBJECT_PROPERTIES: dict[Type, dict[str, str]] = {
    ty.DTYPE: {
        "is_floating_point": "jit::dtype_is_floating_point", "is_complex": "jit::dtype_is_complex",
        "is_signed": "jit::dtype_is_signed", "itemsize": "jit::dtype_itemsize",
    },
    ty.DEVICE: {"type": "prim::type", "index": "prim::index"},
}  # fmt: skip


def value_attribute(e: Emitter, value: Value, name: str) -> Sugar:
    """The meaning of `value.name`.

    Raises:
        CompileError: values of this type have no such attribute (UNDEFINED_ATTRIBUTE), or the value
            may be None (OPTIONAL_NOT_REFINED).
    """
    found = _find(e, value, name)
    if found is not None:
        return found
    type_ = value.type
    if isinstance(type_, ty.OptionalType):
        owner = e.node.value if isinstance(e.node, ast.Attribute) else None
        raise e.not_refined(owner, type_, f"which has no attribute '{name}'")
    hint = hints.for_attribute(type_, name, _known_names(type_))
    raise e.undefined_attribute(f"a value of type {ty.annotation(type_)}", name, (), hint)


def value_has_attribute(e: Emitter, value: Value, name: str) -> bool:
    """Whether a value has an attribute."""
    return name in _known_names(value.type) or _find(e, value, name) is not None


def _find(e: Emitter, value: Value, name: str) -> Sugar | None:
    type_ = value.type
    if surface.is_numpy(type_):
        return numpy_names.array_attribute(e, value, name)
    if isinstance(type_, ty.TensorType):
        return _tensor_attribute(e, value, name)
    if isinstance(type_, ty.TupleType):
        return _tuple_attribute(e, value, name)
    if isinstance(type_, ty.ListType | ty.DictType | ty.SequenceType) or type_ in _PYTHON_CLASSES:
        return _method(e, value, name)
    if type_ in _OBJECT_PROPERTIES and name in _OBJECT_PROPERTIES[type_]:
        return Plain(e.builder.op(_OBJECT_PROPERTIES[type_][name], value))
    if type_ is ty.ANY:
        return Plain(e.builder.op("jit::dynamic_getattr", value, e.builder.constant(name)))
    return None


def _tensor_attribute(e: Emitter, value: Value, name: str) -> Sugar | None:
    if name in _TENSOR_PROPERTIES and _TENSOR_PROPERTIES[name] in OPS:
        return Plain(e.builder.op(_TENSOR_PROPERTIES[name], value))
    operator = _tensor_method(name)
    return None if operator is None else Operator(operator, name, value)


def _tensor_method(name: str) -> str | None:
    """The operator behind `Tensor.name`."""
    for space in ("aten", "prim", "jit"):
        for row in OPS.overloads(f"{space}::{name}"):
            arguments = row.schema.arguments
            taken = arguments[position_of_self([row])].type if arguments else ty.NONE
            if isinstance(ty.without_none(taken), ty.TensorType):
                return row.name
    return {"to": "aten::to"}.get(name)


def _tuple_attribute(e: Emitter, value: Value, name: str) -> Sugar | None:
    assert isinstance(value.type, ty.TupleType)
    fields = value.type.field_names
    if name in fields:
        return Plain(e.builder.unpack(value)[fields.index(name)])
    if name == "_replace" and fields:
        return Special("_replace", lambda e, args: _replaced(e, value, args))
    if name in ("index", "count"):
        row = {"index": "jit::tuple_find", "count": "jit::tuple_count"}[name]
        return Operator(row, name, value)
    return None


def _replaced(e: Emitter, value: Value, args: Arguments) -> Sugar:
    """`point._replace(x=1)`."""
    type_ = value.type
    assert isinstance(type_, ty.TupleType)
    parts = dict(zip(type_.field_names, e.builder.unpack(value), strict=True))
    for name, meaning in args.keywords.items():
        if name not in parts:
            raise e.error(
                ErrorKind.UNKNOWN_KEYWORD,
                f"there is no field '{name}'",
                args.keyword_nodes.get(name),
                expected=" or ".join(type_.field_names),
                hint=did_you_mean(name, type_.field_names),
            )
        parts[name] = meaning.value(e)
    return Plain(e.builder.value("prim::TupleConstruct", list(parts.values()), type_))


def _method(e: Emitter, value: Value, name: str) -> Sugar | None:
    """A method of a Python class; only names that the class has are looked up."""
    owner = _python_class(value.type)
    if name not in dir(owner):
        return None
    rows = [row for row in rows_named(name) if _takes_first(row.schema.arguments, value.type)]
    if not rows:
        return None
    if name in _SCALAR_PROPERTIES:
        return Plain(e.builder.call(name, [value], {}, rows)[0])
    return Operator(name, name, value)


def _python_class(type_: Type) -> type:
    if isinstance(type_, ty.ListType):
        return list
    if isinstance(type_, ty.DictType):
        return dict
    return _PYTHON_CLASSES.get(type_, tuple)


def _takes_first(arguments: Iterable[object], type_: Type) -> bool:
    first = next(iter(arguments), None)
    if first is None:
        return False
    wanted: Type = first.type  # type: ignore[attr-defined]
    if isinstance(wanted, ty.TensorType):
        return False
    opened = isinstance(type_, ty.ListType | ty.DictType) and type_.children[0] is ty.NO_RETURN
    return (opened and type(wanted) is type(type_)) or ty.bind(wanted, as_torch(type_), {})


def _known_names(type_: Type) -> Iterable[str]:
    if surface.is_numpy(type_):
        return numpy_names.array_names()
    if isinstance(type_, ty.TensorType):
        return [*method_names(), *_TENSOR_PROPERTIES]
    if isinstance(type_, ty.TupleType) and type_.field_names:
        return type_.field_names
    if type_ in _OBJECT_PROPERTIES:
        return _OBJECT_PROPERTIES[type_]
    if isinstance(type_, ty.ListType | ty.DictType | ty.TupleType) or type_ in _PYTHON_CLASSES:
        return [name for name in dir(_python_class(type_)) if not name.startswith("_")]
    return ()
