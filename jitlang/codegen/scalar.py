"""Scalar rows as machine code, read from their Python expressions.

A row's `python` template is its only definition; here it is read as LLVM. What Python would answer
with anything but a plain number (an overflow, a division by zero, a domain error) is not computed
here: `Reading.trouble`
collects the conditions under which the caller must ask the reference kernel instead, which then
gives the result or raises Python's own error. So no message and no rare case is written twice.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llvmlite import ir as ll

from ..ir import types as ty
from ..ir.opdef import OpDef
from ..ir.types import Type

I1, I64, DOUBLE = ll.IntType(1), ll.IntType(64), ll.DoubleType()
_MIN, _MAX = -(2**63), 2**63 - 1
_EXACT = 2**53  # ints up to here are doubles exactly

SCALAR_TYPES: Mapping[Type, ll.Type] = {ty.INT: I64, ty.FLOAT: DOUBLE, ty.BOOL: I1}

# Functions of the C library that `math` itself calls; a result that is not finite is asked for
# again in Python.
LIBRARY_FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "atan2", "copysign", "cbrt", "exp2", "pow",
)  # fmt: skip


# Functions of the C library go by names of our own: LLVM assumes things of `fmod` and the like (a
# NaN among the constants made it drop the result) that Python does not.
LIBRARY = "libm_"


class NotLowered(Exception):
    """The expression has no lowering; its row is called back."""


@dataclass
class Reading:
    """One expression being read: where code goes, what names mean, and when the result does not
    hold.
    """

    builder: ll.IRBuilder
    names: Mapping[str, ll.Value]
    checked: bool
    declare: Callable[[str, ll.FunctionType], ll.Function]
    natural: bool = False  # no operand is negative
    trouble: list[ll.Value] = field(default_factory=list)

    def unless(self, condition: ll.Value) -> None:
        """The result does not hold where `condition` does."""
        self.trouble.append(condition)


def can_read(op: OpDef, types: Sequence[Type], result: Type) -> bool:
    """Whether a row's template may have a lowering for these argument types."""
    return (
        op.python is not None and result in SCALAR_TYPES and all(t in SCALAR_TYPES for t in types)
    )


def read_row(reading: Reading, op: OpDef, result: Type) -> ll.Value:
    """The value of a row's template.

    Raises:
        NotLowered: part of the expression has no lowering.
    """
    value = _expression(reading, ast.parse(op.python or "", mode="eval").body)
    return _as(reading, value, SCALAR_TYPES[result])


def _as(reading: Reading, value: ll.Value, wanted: ll.Type) -> ll.Value:
    if value.type == wanted:
        return value
    if value.type == I1 and wanted == I64:
        return reading.builder.zext(value, I64)
    if wanted == DOUBLE:
        return _double(reading, value)
    raise NotLowered


def _double(reading: Reading, value: ll.Value) -> ll.Value:
    if value.type == DOUBLE:
        return value
    if value.type == I1:
        return reading.builder.uitofp(value, DOUBLE)
    return reading.builder.sitofp(value, DOUBLE)


def _integer(reading: Reading, value: ll.Value) -> ll.Value:
    return reading.builder.zext(value, I64) if value.type == I1 else value


def _expression(reading: Reading, node: ast.expr) -> ll.Value:
    match node:
        case ast.Name(id=name):
            return reading.names[name]
        case ast.Constant(value=bool() as value):
            return I1(int(value))
        case ast.Constant(value=int() as value):
            return I64(value)
        case ast.Constant(value=float() as value):
            return DOUBLE(value)
        case ast.BinOp(left=left, op=operator, right=right):
            return _binary(
                reading, operator, _expression(reading, left), _expression(reading, right)
            )
        case ast.UnaryOp(op=unary, operand=operand):
            return _unary(reading, unary, _expression(reading, operand))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return _compare(
                reading, comparison, _expression(reading, left), _expression(reading, right)
            )
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _choice(reading, test, body, orelse)
        case ast.Call(
            func=ast.Name(id="len"), args=[ast.Call(func=ast.Name(id="range"), args=bounds)]
        ):
            return _range_length(reading, [_expression(reading, a) for a in bounds])
        case ast.BoolOp(op=operator, values=values):
            return _bool_op(reading, operator, [_expression(reading, v) for v in values])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _builtin(reading, name, [_expression(reading, a) for a in args])
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="math"), attr=name), args=args, keywords=[]
        ):
            return _math(reading, name, [_expression(reading, a) for a in args])
    raise NotLowered


# Operators ----------------------------------------------------------------------------------------

_OVERFLOWING = {ast.Add: "sadd", ast.Sub: "ssub", ast.Mult: "smul"}


def _binary(reading: Reading, operator: ast.operator, lhs: ll.Value, rhs: ll.Value) -> ll.Value:
    if DOUBLE in (lhs.type, rhs.type):
        return _float_binary(reading, operator, _double(reading, lhs), _double(reading, rhs))
    b = reading.builder
    if (
        lhs.type == I1
        and rhs.type == I1
        and isinstance(operator, ast.BitAnd | ast.BitOr | ast.BitXor)
    ):
        return _bits(b, operator, lhs, rhs)
    lhs, rhs = _integer(reading, lhs), _integer(reading, rhs)
    match operator:
        case ast.Add() | ast.Sub() | ast.Mult():
            return _overflowing(reading, _OVERFLOWING[type(operator)], lhs, rhs)
        case ast.FloorDiv() | ast.Mod():
            return _floor_division(reading, operator, lhs, rhs)
        case ast.Div():
            for side in (lhs, rhs):
                shifted = b.add(side, I64(_EXACT))
                reading.unless(b.icmp_unsigned(">", shifted, I64(2 * _EXACT)))
            reading.unless(b.icmp_signed("==", rhs, I64(0)))
            return b.fdiv(_double(reading, lhs), _double(reading, rhs))
        case ast.BitAnd() | ast.BitOr() | ast.BitXor():
            return _bits(b, operator, lhs, rhs)
        case ast.LShift():
            reading.unless(b.icmp_unsigned(">=", rhs, I64(63)))
            safe = b.and_(rhs, I64(63))
            shifted = b.shl(lhs, safe)
            if reading.checked:
                reading.unless(b.icmp_signed("!=", b.ashr(shifted, safe), lhs))
            return shifted
        case ast.RShift():
            reading.unless(b.icmp_signed("<", rhs, I64(0)))
            large = b.icmp_signed(">", rhs, I64(63))
            return b.ashr(lhs, b.select(large, I64(63), b.and_(rhs, I64(63))))
    raise NotLowered


def _bits(b: ll.IRBuilder, operator: ast.operator, lhs: ll.Value, rhs: ll.Value) -> ll.Value:
    if isinstance(operator, ast.BitAnd):
        return b.and_(lhs, rhs)
    return b.or_(lhs, rhs) if isinstance(operator, ast.BitOr) else b.xor(lhs, rhs)


def _room(name: str, lhs: ll.Value, rhs: ll.Value) -> tuple[ll.Value, int, int] | None:
    """For an operation with a constant: the other operand, and between which numbers it must be for
    the result to fit.
    """
    if isinstance(lhs, ll.Constant) and name != "ssub":
        lhs, rhs = rhs, lhs
    if isinstance(lhs, ll.Constant) or not isinstance(rhs, ll.Constant):
        return None
    constant = rhs.constant
    if name == "smul":
        if constant <= 0:
            return None
        return lhs, -(-_MIN // constant), _MAX // constant
    shift = constant if name == "sadd" else -constant
    return lhs, max(_MIN, _MIN - shift), min(_MAX, _MAX - shift)


def _overflowing(reading: Reading, name: str, lhs: ll.Value, rhs: ll.Value) -> ll.Value:
    b = reading.builder
    plain = {"sadd": b.add, "ssub": b.sub, "smul": b.mul}[name]
    if not reading.checked:
        return plain(lhs, rhs)
    room = _room(name, lhs, rhs)
    if room is not None:
        # Beside the result, which nobody waits for it to be checked, instead of before it.
        value, low, high = room
        reading.unless(b.icmp_unsigned(">", b.sub(value, I64(low)), I64(high - low)))
        return plain(lhs, rhs)
    pair_type = ll.LiteralStructType([I64, I1])
    function = reading.declare(
        f"llvm.{name}.with.overflow.i64", ll.FunctionType(pair_type, [I64, I64])
    )
    pair = b.call(function, [lhs, rhs])
    reading.unless(b.extract_value(pair, 1))
    return b.extract_value(pair, 0)


def _floor_division(
    reading: Reading, operator: ast.operator, lhs: ll.Value, rhs: ll.Value
) -> ll.Value:
    """Python rounds quotients down; the remainder has the sign of the divisor."""
    b = reading.builder
    trouble = b.icmp_signed("==", rhs, I64(0))
    if reading.natural:
        reading.unless(trouble)
        safe = b.select(trouble, I64(1), rhs)
        return b.urem(lhs, safe) if isinstance(operator, ast.Mod) else b.udiv(lhs, safe)
    if not isinstance(rhs, ll.Constant) or rhs.constant == -1:
        minus = b.icmp_signed("==", rhs, I64(-1))
        least = b.icmp_signed("==", lhs, I64(_MIN))
        trouble = b.or_(trouble, b.and_(minus, least))
    reading.unless(trouble)
    safe = b.select(trouble, I64(1), rhs)
    remainder = b.srem(lhs, safe)
    signs_differ = b.icmp_signed("<", b.xor(remainder, safe), I64(0))
    adjust = b.and_(b.icmp_signed("!=", remainder, I64(0)), signs_differ)
    if isinstance(operator, ast.Mod):
        return b.select(adjust, b.add(remainder, safe), remainder)
    return b.sub(b.sdiv(lhs, safe), b.zext(adjust, I64))


def _float_binary(
    reading: Reading, operator: ast.operator, lhs: ll.Value, rhs: ll.Value
) -> ll.Value:
    b = reading.builder
    match operator:
        case ast.Add():
            return b.fadd(lhs, rhs)
        case ast.Sub():
            return b.fsub(lhs, rhs)
        case ast.Mult():
            return b.fmul(lhs, rhs)
        case ast.Div():
            reading.unless(b.fcmp_ordered("==", rhs, DOUBLE(0.0)))
            return b.fdiv(lhs, rhs)
        case ast.Mod():
            return _float_divmod(reading, lhs, rhs)[1]
        case ast.FloorDiv():
            return _float_divmod(reading, lhs, rhs)[0]
        case ast.Pow():
            return _library(reading, "pow", [lhs, rhs])
    raise NotLowered


def _float_divmod(reading: Reading, lhs: ll.Value, rhs: ll.Value) -> tuple[ll.Value, ll.Value]:
    """CPython's float_divmod: the quotient rounded down, and a remainder with the sign of the
    divisor.
    """
    b = reading.builder
    zero = DOUBLE(0.0)
    reading.unless(b.fcmp_ordered("==", rhs, zero))
    fmod = reading.declare(f"{LIBRARY}fmod", ll.FunctionType(DOUBLE, [DOUBLE, DOUBLE]))
    mod = b.call(fmod, [lhs, rhs])
    div = b.fdiv(b.fsub(lhs, mod), rhs)
    is_zero = b.fcmp_ordered("==", mod, zero)
    differ = b.xor(b.fcmp_ordered("<", rhs, zero), b.fcmp_ordered("<", mod, zero))
    adjust = b.and_(differ, b.not_(is_zero))
    mod = b.select(adjust, b.fadd(mod, rhs), mod)
    div = b.select(adjust, b.fsub(div, DOUBLE(1.0)), div)
    mod = b.select(is_zero, _copysign(reading, zero, rhs), mod)
    floor = _intrinsic(reading, "floor", div)
    above = b.fcmp_ordered(">", b.fsub(div, floor), DOUBLE(0.5))
    rounded = b.select(above, b.fadd(floor, DOUBLE(1.0)), floor)
    signed_zero = _copysign(reading, zero, b.fdiv(lhs, rhs))
    return b.select(b.fcmp_unordered("!=", div, zero), rounded, signed_zero), mod


def _copysign(reading: Reading, magnitude: ll.Value, sign: ll.Value) -> ll.Value:
    function = reading.declare("llvm.copysign.f64", ll.FunctionType(DOUBLE, [DOUBLE, DOUBLE]))
    return reading.builder.call(function, [magnitude, sign])


def _intrinsic(reading: Reading, name: str, value: ll.Value) -> ll.Value:
    function = reading.declare(f"llvm.{name}.f64", ll.FunctionType(DOUBLE, [DOUBLE]))
    return reading.builder.call(function, [value])


def _unary(reading: Reading, operator: ast.unaryop, operand: ll.Value) -> ll.Value:
    b = reading.builder
    match operator:
        case ast.Not():
            return b.not_(_truth(reading, operand))
        case ast.USub() if operand.type == DOUBLE:
            return b.fneg(operand)
        case ast.USub():
            return _overflowing(reading, "ssub", I64(0), _integer(reading, operand))
        case ast.UAdd():
            return operand if operand.type == DOUBLE else _integer(reading, operand)
        case ast.Invert():
            return b.not_(_integer(reading, operand))
    raise NotLowered


_PREDICATES = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def _compare(reading: Reading, operator: ast.cmpop, lhs: ll.Value, rhs: ll.Value) -> ll.Value:
    predicate = _PREDICATES.get(type(operator))
    if predicate is None:
        raise NotLowered
    b = reading.builder
    if DOUBLE not in (lhs.type, rhs.type):
        return b.icmp_signed(predicate, _integer(reading, lhs), _integer(reading, rhs))
    for side in (lhs, rhs):
        if side.type == I64:  # Python compares exactly; a double does so only for small ints
            shifted = b.add(side, I64(_EXACT))
            reading.unless(b.icmp_unsigned(">", shifted, I64(2 * _EXACT)))
    compare = b.fcmp_unordered if predicate == "!=" else b.fcmp_ordered
    return compare(predicate, _double(reading, lhs), _double(reading, rhs))


def _truth(reading: Reading, value: ll.Value) -> ll.Value:
    if value.type == I1:
        return value
    if value.type == DOUBLE:
        return reading.builder.fcmp_unordered("!=", value, DOUBLE(0.0))
    return reading.builder.icmp_signed("!=", value, I64(0))


def _bool_op(reading: Reading, operator: ast.boolop, values: Sequence[ll.Value]) -> ll.Value:
    if any(v.type != I1 for v in values):
        raise NotLowered
    b = reading.builder
    result = values[0]
    for value in values[1:]:
        result = b.and_(result, value) if isinstance(operator, ast.And) else b.or_(result, value)
    return result


def _choice(reading: Reading, test: ast.expr, body: ast.expr, orelse: ast.expr) -> ll.Value:
    """Both sides are computed; trouble counts on the side that is chosen."""
    b = reading.builder
    chosen = _truth(reading, _expression(reading, test))
    before = len(reading.trouble)
    first = _expression(reading, body)
    between = len(reading.trouble)
    second = _expression(reading, orelse)
    for index in range(before, len(reading.trouble)):
        here = chosen if index < between else b.not_(chosen)
        reading.trouble[index] = b.and_(reading.trouble[index], here)
    if first.type != second.type:
        raise NotLowered
    return b.select(chosen, first, second)


def _range_length(reading: Reading, bounds: Sequence[ll.Value]) -> ll.Value:
    """`len(range(start, stop, step))`; the span may need 64 bits without sign."""
    b = reading.builder
    start, stop, step = bounds
    zero, one = I64(0), I64(1)
    reading.unless(b.icmp_signed("==", step, zero))
    down = b.icmp_signed("<", step, zero)
    low, high = b.select(down, stop, start), b.select(down, start, stop)
    width = b.select(down, b.sub(zero, step), step)
    safe = b.select(b.icmp_signed("==", width, zero), one, width)
    count = b.add(b.udiv(b.sub(b.sub(high, low), one), safe), one)
    length = b.select(b.icmp_signed("<", low, high), count, zero)
    reading.unless(b.icmp_signed("<", length, zero))
    return length


# Functions ----------------------------------------------------------------------------------------


def _builtin(reading: Reading, name: str, args: Sequence[ll.Value]) -> ll.Value:
    b = reading.builder
    if name in ("min", "max") and len(args) == 2 and args[0].type == args[1].type:
        predicate = "<" if name == "min" else ">"
        compare = b.fcmp_ordered if args[0].type == DOUBLE else b.icmp_signed
        return b.select(compare(predicate, args[1], args[0]), args[1], args[0])
    if len(args) != 1:
        raise NotLowered
    (value,) = args
    match name:
        case "abs" if value.type == DOUBLE:
            return _intrinsic(reading, "fabs", value)
        case "abs" if value.type == I64:
            negated = _overflowing(reading, "ssub", I64(0), value)
            return b.select(b.icmp_signed("<", value, I64(0)), negated, value)
        case "int":
            return _truncated(reading, value) if value.type == DOUBLE else _integer(reading, value)
        case "float":
            return _double(reading, value)
        case "bool":
            return _truth(reading, value)
    raise NotLowered


def _truncated(reading: Reading, value: ll.Value) -> ll.Value:
    """The integer part; out of range and NaN are Python's to report."""
    b = reading.builder
    magnitude = _intrinsic(reading, "fabs", value)
    outside = b.fcmp_unordered(">=", magnitude, DOUBLE(2.0**63))
    reading.unless(outside)
    return b.fptosi(b.select(outside, DOUBLE(0.0), value), I64)


def _math(reading: Reading, name: str, args: Sequence[ll.Value]) -> ll.Value:
    b = reading.builder
    values = [_double(reading, a) for a in args]
    if name in ("floor", "ceil", "trunc") and args[0].type != DOUBLE:
        return _integer(reading, args[0])
    if name in ("floor", "ceil"):
        return _truncated(reading, _intrinsic(reading, name, values[0]))
    if name == "trunc":
        return _truncated(reading, values[0])
    if name == "fabs":
        return _intrinsic(reading, "fabs", values[0])
    if name == "sqrt":
        reading.unless(b.fcmp_ordered("<", values[0], DOUBLE(0.0)))
        return _intrinsic(reading, "sqrt", values[0])
    if name == "isnan":
        return b.fcmp_unordered("uno", values[0], values[0])
    if name not in LIBRARY_FUNCTIONS:
        raise NotLowered
    return _library(reading, name, values)


def _library(reading: Reading, name: str, values: Sequence[ll.Value]) -> ll.Value:
    b = reading.builder
    type_ = ll.FunctionType(DOUBLE, [DOUBLE] * len(values))
    function = reading.declare(f"{LIBRARY}{name}", type_)
    result = b.call(function, values)
    magnitude = _intrinsic(reading, "fabs", result)
    reading.unless(b.fcmp_unordered(">=", magnitude, DOUBLE(float("inf"))))
    return result
