"""Python's operators on values: which row each means.

`jit::` rows have Python's meaning where torch's differs and are tried first; rows over `Any` are
for values of which nothing is known. A number on the left of a tensor follows the same rules as
`Tensor`'s reflected methods.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..errors import CompileError, ErrorKind
from ..ir import types as ty
from ..ir.graph import Value
from ..ir.matching import Match, conversion, match_overloads
from ..ir.opdef import OPS, OpDef
from ..ir.types import Type
from . import hints, surface
from .conditions import truth
from .emitter import Emitter
from .flow import branch, decide_empty, is_open
from .scope import FALLS, Outcomes
from .sugar import Plain

BINARY: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("add", "+"), ast.Sub: ("sub", "-"), ast.Mult: ("mul", "*"), ast.Div: ("div", "/"),
    ast.FloorDiv: ("floordiv", "//"), ast.Mod: ("remainder", "%"), ast.Pow: ("pow", "**"),
    ast.MatMult: ("matmul", "@"), ast.BitAnd: ("__and__", "&"), ast.BitOr: ("__or__", "|"),
    ast.BitXor: ("__xor__", "^"), ast.LShift: ("__lshift__", "<<"),
    ast.RShift: ("__rshift__", ">>"),
}  # fmt: skip
COMPARE: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("eq", "=="), ast.NotEq: ("ne", "!="), ast.Lt: ("lt", "<"), ast.LtE: ("le", "<="),
    ast.Gt: ("gt", ">"), ast.GtE: ("ge", ">="), ast.In: ("__contains__", "in"),
    ast.NotIn: ("__contains__", "not in"), ast.Is: ("__is__", "is"),
    ast.IsNot: ("__isnot__", "is not"),
}  # fmt: skip
_MEMBERSHIP = ("in", "not in")
_SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_COMMUTES = ("add", "mul", "__and__", "__or__", "__xor__")
_IN_PLACE = {
    "add": "add_", "sub": "sub_", "mul": "mul_", "div": "div_", "floordiv": "floor_divide_",
    "remainder": "remainder_", "pow": "pow_", "__and__": "__iand__", "__or__": "__ior__",
    "__xor__": "__ixor__", "__lshift__": "__ilshift__", "__rshift__": "__irshift__",
}  # fmt: skip


def rows_named(name: str, *, dynamic: bool = False) -> Sequence[OpDef]:
    """The rows that a Python name may mean, those with Python's own meaning first."""
    rows = [row for space in ("jit", "aten", "prim") for row in OPS.overloads(f"{space}::{name}")]
    return [row for row in rows if dynamic or not _takes_any(row)]


def _takes_any(row: OpDef) -> bool:
    return row.name.startswith("jit::") and any(a.type is ty.ANY for a in row.schema.arguments)


def call_rows(e: Emitter, name: str, *values: Value, **keywords: Value) -> Value:
    """Call the row of a name that fits; one output."""
    (output,) = e.builder.call(name, values, keywords, rows_named(name))
    return output


def binary_values(
    e: Emitter, operator: ast.operator, lhs: Value, rhs: Value, *, in_place: bool = False
) -> Value:
    """`lhs op rhs`.

    Raises:
        CompileError: no row takes these operands (OPERATOR_TYPE), or one may be None
            (OPTIONAL_NOT_REFINED).
    """
    name, symbol = BINARY[type(operator)]
    if surface.takes_numpy(lhs.type, rhs.type):
        return surface.binary(e, name, lhs, rhs, in_place=in_place)
    if _mixes_with_tensor(lhs, rhs):
        return _tensor_binary(e, name, symbol, lhs, rhs, in_place=in_place)
    decide_empty(lhs, rhs.type)
    decide_empty(rhs, lhs.type)
    if in_place and isinstance(lhs.type, ty.ListType) and name in ("add", "mul"):
        return _one(e, [f"{name}_"], symbol, lhs, rhs)
    if ty.ANY in (lhs.type, rhs.type):
        return e.builder.op(f"jit::dynamic_{name.strip('_')}", lhs, rhs)
    if name == "pow" and {lhs.type, rhs.type} <= {ty.BOOL, ty.INT}:
        lhs, rhs = (
            e.builder.folded(int, "aten::Int", v) if v.type is ty.BOOL else v for v in (lhs, rhs)
        )
    if name in ("add", "mul"):
        lhs, rhs = _as_sequence(e, lhs), _as_sequence(e, rhs)
    if name == "pow" and lhs.type is ty.INT and rhs.type is ty.INT and (rhs.constant() or 0) < 0:
        lhs = e.builder.op("aten::Float", lhs)
    if name == "remainder" and lhs.type is ty.STR:
        parts = e.builder.unpack(rhs) if isinstance(rhs.type, ty.TupleType) else [rhs]
        (output,) = e.builder.call("jit::percent_format", [lhs, *parts])
        return output
    return _one(e, [name], symbol, lhs, rhs)


def _as_sequence(e: Emitter, value: Value) -> Value:
    """A tuple of one element type as a sequence, which rows can join and repeat."""
    if not isinstance(value.type, ty.TupleType) or not value.type.elements:
        return value
    parts = e.builder.unpack(value)
    return e.builder.op("jit::tuple", e.list_display(parts))


def _mixes_with_tensor(lhs: Value, rhs: Value) -> bool:
    """Whether one operand is a tensor, and the other one or a number."""
    if not isinstance(lhs.type, ty.TensorType) and not isinstance(rhs.type, ty.TensorType):
        return False
    operands = (ty.TensorType, ty.IntType, ty.FloatType, ty.BoolType, ty.ComplexType, ty.NumberType)
    return isinstance(lhs.type, operands) and isinstance(rhs.type, operands)


def _tensor_binary(
    e: Emitter, name: str, symbol: str, lhs: Value, rhs: Value, *, in_place: bool
) -> Value:
    if in_place and isinstance(lhs.type, ty.TensorType) and name in _IN_PLACE:
        return _one(e, [_IN_PLACE[name]], symbol, lhs, rhs)
    name = {"floordiv": "floor_divide"}.get(name, name)
    if isinstance(lhs.type, ty.TensorType):
        return _one(e, [name], symbol, lhs, rhs)
    return _number_first(e, name, symbol, lhs, rhs)


def _number_first(e: Emitter, name: str, symbol: str, number: Value, tensor: Value) -> Value:
    """A number on the left, where rows want a tensor there."""
    if name in _COMMUTES:
        return _one(e, [name], symbol, tensor, number)
    if name == "sub":
        return _one(e, ["rsub"], symbol, tensor, number)
    if name == "div":
        inverse = _one(e, ["reciprocal"], symbol, tensor)
        return _one(e, ["mul"], symbol, inverse, number)
    if name in ("pow", "remainder"):
        return _one(e, [name], symbol, number, tensor)
    dtype = e.builder.op("aten::result_type", tensor, number)
    made = e.builder.op("aten::scalar_tensor", number, dtype=dtype)
    return _one(e, [name], symbol, made, tensor)


def _one(e: Emitter, names: Sequence[str], symbol: str, *operands: Value) -> Value:
    """The first row that takes the operands, as an operator error where none does."""
    rows = [row for name in names for row in rows_named(name)]
    outcome = match_overloads(rows, [v.type for v in operands], {})
    if isinstance(outcome, Match):
        (output,) = e.builder.apply(outcome, operands)
        return output
    raise operator_error(e, symbol, [v.type for v in operands])


def operator_error(e: Emitter, symbol: str, types: Sequence[Type]) -> CompileError:
    """The rejection of operands that no row takes; an operand that may be None is named first."""
    for node, type_ in zip(_operands(e.node, len(types)), types, strict=True):
        if isinstance(type_, ty.OptionalType):
            return e.not_refined(node, type_, f"which '{symbol}' does not take")
    return e.error(
        ErrorKind.OPERATOR_TYPE,
        f"'{symbol}' does not take {'these operands' if len(types) > 1 else 'this operand'}",
        found=" and ".join(map(ty.annotation, types)),
        expected=_partners(symbol, types[0]) if len(types) == 2 else None,
        hint=hints.for_operands(symbol, types[0], types[-1]),
    )


def _partners(symbol: str, lhs: Type) -> str | None:
    """What may stand on the right of an operator whose left operand is known."""
    name = next((n for n, s in [*BINARY.values(), *COMPARE.values()] if s == symbol), "")
    partners: dict[str, None] = {}
    for row in rows_named(name):
        arguments, bindings = row.schema.arguments, dict[str, Type]()
        if len(arguments) > 1 and conversion(arguments[0], lhs, bindings, implicit=False):
            partners[ty.annotation(ty.substitute(arguments[1].type, bindings))] = None
    if symbol in _MEMBERSHIP or not partners:
        return None
    if "float" in partners:
        partners.pop("number", None)  # a name for those that are listed
    *others, last = partners
    return f"{ty.annotation(lhs)} and {', '.join(others)}{' or ' if others else ''}{last}"


def _operands(node: ast.AST, count: int) -> Sequence[ast.AST | None]:
    """The syntax of the operands, where it is that of one operator."""
    match node:
        case ast.BinOp() if count == 2:
            return (node.left, node.right)
        case ast.AugAssign() if count == 2:
            return (node.target, node.value)
        case ast.Compare(comparators=[right]) if count == 2:
            return (node.left, right)
        case ast.UnaryOp() if count == 1:
            return (node.operand,)
    return (None,) * count


def unary_value(e: Emitter, operator: ast.unaryop, operand: Value) -> Value:
    """`-x`, `+x`, `~x`."""
    if isinstance(operator, ast.USub):
        if operand.is_constant and operand.type in (ty.INT, ty.FLOAT, ty.COMPLEX):
            return e.constant(-operand.constant())
        name, symbol = "neg", "-"
    elif isinstance(operator, ast.UAdd):
        name, symbol = ("positive" if isinstance(operand.type, ty.TensorType) else "pos"), "+"
    else:
        name, symbol = "bitwise_not", "~"
    if operand.type is ty.ANY:
        return e.builder.op(f"jit::dynamic_{name}", operand)
    if surface.is_numpy(operand.type):
        return surface.unary(e, name, operand)
    if operand.type is ty.BOOL:
        operand = e.builder.op("aten::Int", operand)
    return _one(e, [name], symbol, operand)


# Comparison ---------------------------------------------------------------------------------------


def compare_values(e: Emitter, operator: ast.cmpop, lhs: Value, rhs: Value) -> Value:
    """One comparison."""
    name, symbol = COMPARE[type(operator)]
    if isinstance(operator, ast.NotIn):
        return e.builder.op("aten::__not__", compare_values(e, ast.In(), lhs, rhs))
    if isinstance(operator, ast.In):
        return _contains(e, rhs, lhs)
    if isinstance(operator, ast.Is | ast.IsNot):
        return e.builder.op(f"aten::{name}", lhs, rhs)
    has_text = ty.STR in (lhs.type, rhs.type) and any(map(ty.is_array, (lhs.type, rhs.type)))
    if has_text or surface.takes_numpy(lhs.type, rhs.type):
        return surface.binary(e, name, lhs, rhs)
    if _mixes_with_tensor(lhs, rhs):
        if not isinstance(lhs.type, ty.TensorType):
            name, lhs, rhs = _SWAPPED[name], rhs, lhs
        return _one(e, [name], symbol, lhs, rhs)
    decide_empty(lhs, rhs.type)
    decide_empty(rhs, lhs.type)
    one_list = isinstance(lhs.type, ty.ListType) is not isinstance(rhs.type, ty.ListType)
    undecided = is_open(lhs.type) or is_open(rhs.type)
    if undecided or one_list or isinstance(lhs.type, _TUPLES) or isinstance(rhs.type, _TUPLES):
        return _dynamic_compare(e, name, symbol, lhs, rhs)
    outcome = match_overloads(rows_named(name), [lhs.type, rhs.type], {})
    if isinstance(outcome, Match):
        (output,) = e.builder.apply(outcome, [lhs, rhs])
        return output
    return _dynamic_compare(e, name, symbol, lhs, rhs)


_TUPLES = (ty.TupleType, ty.SequenceType)  # rows take lists, and a list never equals a tuple


def _dynamic_compare(e: Emitter, name: str, symbol: str, lhs: Value, rhs: Value) -> Value:
    """Comparisons that Python itself decides: tuples, dicts, optionals, values of unknown type."""
    ordered = name not in ("eq", "ne")
    comparable = _ordered_alike(lhs.type, rhs.type) if ordered else True
    if not comparable:
        raise operator_error(e, symbol, [lhs.type, rhs.type])
    if any(isinstance(t, ty.TensorType) for v in (lhs, rhs) for t in ty.walk(v.type)) and (
        lhs.type is not ty.NONE and rhs.type is not ty.NONE
    ):
        raise operator_error(e, symbol, [lhs.type, rhs.type])
    kind = "dynamic_" if ty.ANY in (lhs.type, rhs.type) else ""
    return e.builder.op(f"jit::{kind}{name}", lhs, rhs)


def _ordered_alike(a: Type, b: Type) -> bool:
    if ty.ANY in (a, b):
        return True
    sequences = (ty.TupleType, ty.SequenceType)
    if isinstance(a, sequences) and isinstance(b, sequences):
        return all(_ordered_alike(x, y) for x, y in zip(a.children, b.children, strict=False))
    if isinstance(a, ty.ListType) and isinstance(b, ty.ListType):
        return _ordered_alike(a.element, b.element)
    numbers = (ty.INT, ty.FLOAT, ty.BOOL, ty.NUMBER)
    return (a in numbers and b in numbers) or (a is ty.STR and b is ty.STR)


def _contains(e: Emitter, container: Value, item: Value) -> Value:
    type_ = container.type
    if isinstance(type_, ty.TensorType):
        equal = compare_values(e, ast.Eq(), container, item)
        if surface.is_numpy(equal.type):
            return e.builder.op("jit::array_contains", container, item)
        return e.builder.op("aten::Bool", e.builder.op("aten::any", equal))
    if isinstance(type_, ty.TupleType) or type_ is ty.ANY:
        return e.builder.op("jit::tuple_contains", container, item)
    if isinstance(type_, ty.ListType) and isinstance(type_.element, ty.OptionalType):
        return e.builder.op("jit::tuple_contains", container, item)
    decide_empty(container, ty.ListType(item.type))
    outcome = match_overloads(rows_named("__contains__"), [type_, item.type], {})
    if isinstance(outcome, Match):
        (output,) = e.builder.apply(outcome, [container, item])
        return output
    raise operator_error(e, "in", [item.type, type_])


def compare_chain(
    e: Emitter, operators: Sequence[ast.cmpop], operands: Sequence[ast.expr]
) -> Value:
    """`a < b <= c`: every operand once, later ones only where needed."""
    from_left = e.value_of(operands[0])
    return _chain(e, from_left, operators, operands[1:])


def _chain(
    e: Emitter, lhs: Value, operators: Sequence[ast.cmpop], operands: Sequence[ast.expr]
) -> Value:
    rhs = e.value_of(operands[0])
    first = compare_values(e, operators[0], lhs, rhs)
    if len(operators) == 1:
        return first
    name = e.fresh("chain")

    def go_on() -> Outcomes:
        e.scope.assign(name, Plain(_chain(e, rhs, operators[1:], operands[1:])))
        return FALLS

    def stop() -> Outcomes:
        e.scope.assign(name, Plain(first))
        return FALLS

    branch(e, truth(e, first), go_on, stop)
    meaning = e.lookup(name)
    assert isinstance(meaning, Plain)
    return meaning.plain
