"""The LLVM reading of the algebra: a body becomes instructions on scalars and vectors.

Values that are the same for all elements stay scalars until they meet a vector. The bits are those
of the NumPy
reading: every operation rounds, nothing is contracted, shifts beyond the width and the smallest
integer divided by -1 give what NumPy gives. A zero divisor of integers in a lane that counts sets
`fault`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..fuser.plan import Unsupported
from ..ops.algebra import BuildingAlgebra, Expression
from .assembler import Assembler, Lane, constant, integer, register_type, suffix

_FLOATS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv", "fmod": "frem"}
_INTEGERS = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_BOOLS = {**_INTEGERS, "add": "or", "mul": "and"}
_COMPARE = {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}
_INTRINSICS = ("sqrt", "floor", "ceil", "trunc", "rint")


class LaneAlgebra(BuildingAlgebra):
    """Operands are `Lane` values.

    Args:
        assembler: where instructions go.
        compute: the dtype that `narrow` rounds to.
        active: a mask of the lanes that count; None for all.
        fault: a pointer to an i32 that is set to 1 by a zero divisor or an index out of range.
    """

    def __init__(
        self, assembler: Assembler, compute: DType, active: Lane | None, fault: Lane | None
    ) -> None:
        super().__init__(compute)
        self.a = assembler
        self.active = active
        self.fault = fault

    def expression(self, value: Lane, dtype: DType) -> Expression:
        """A value as an operand."""
        return Expression(self, value, dtype)

    def number(self, value: float, dtype: DType) -> Expression:
        """A number as an operand."""
        return Expression(self, constant(value, dtype), dtype)

    def build(self, name: str, operands: Sequence[Any], dtype: DType) -> Lane:
        if name == "lookup":
            return self._lookup(operands[0], operands[1].value)
        if name == "constant":
            return constant(operands[0], dtype)
        beside = next(self.dtype_of(o) for o in reversed(operands) if isinstance(o, Expression))
        values = [o.value if isinstance(o, Expression) else constant(o, beside) for o in operands]
        lanes = max(v.lanes for v in values)
        values = [self.a.splat(v, lanes) for v in values]
        emit: Callable[..., Lane] | None = getattr(self, f"_{name}", None)
        return emit(*values, beside) if emit is not None else self._arithmetic(name, values, beside)

    def rare(
        self, condition: Expression, unusual: Callable[[], Expression], usual: Expression
    ) -> Expression:
        """The unusual way is taken by all lanes together where any needs it, out of line."""
        lanes = max(condition.value.lanes, usual.value.lanes)
        result = self.a.slot(usual.value.element, lanes, self.a.splat(usual.value, lanes))

        def write() -> Lane:
            found = self.combine("select", condition, unusual(), usual)
            return self.a.splat(found.value, lanes)

        with self.a.when(self.any(condition.value)):
            self.a.store(self.a.outlined(write) if lanes > 1 else write(), result)
        return Expression(self, self.a.load(result, usual.value.element, lanes), usual.dtype)

    def any(self, condition: Lane) -> Lane:
        """Whether a condition holds in any lane."""
        if condition.lanes == 1:
            return condition
        bits = self.a.value(f"bitcast {condition} to i{condition.lanes}", f"i{condition.lanes}")
        return self.a.compare("ne", bits, integer(0, condition.lanes))

    def note(self, condition: Lane) -> None:
        """Set the fault where a condition holds in a lane that counts."""
        if self.active is not None:
            condition = self.a.splat(condition, self.active.lanes)
            condition = self.a.binary("and", condition, self.active)
        if self.fault is None:
            raise Unsupported("integer division")
        flag = self.a.cast("zext", self.any(condition), "i32")
        self.a.store(self.a.binary("or", self.a.load(self.fault, "i32"), flag), self.fault)

    # Arithmetic ---------------------------------------------------------------------------------

    def _arithmetic(self, name: str, values: Sequence[Lane], of: DType) -> Lane:
        if name in _COMPARE:
            return self._ordered(name, values[0], values[1], of)
        if name in _INTRINSICS:
            return self._intrinsic(name, values[0])
        x, *rest = values
        table = _FLOATS if of.is_floating_point else _BOOLS if of is dtypes.bool_ else _INTEGERS
        if name not in table:
            raise Unsupported(f"m.{name} on {of.name}")
        return self.a.binary(table[name], x, rest[0])

    def _intrinsic(self, name: str, x: Lane) -> Lane:
        return self.a.call(f"llvm.{name}.{suffix(x.element, x.lanes)}", [x], x.element, x.lanes)

    def _ordered(self, name: str, x: Lane, y: Lane, of: DType) -> Lane:
        if of.is_floating_point:
            return self._float_test(f"o{name}", x, y)
        signed = of.is_signed and of is not dtypes.bool_
        return self.a.compare(("s" if signed else "u") + name, x, y)

    def _float_test(self, condition: str, x: Lane, y: Lane) -> Lane:
        return self.a.value(f"fcmp {condition} {x.type} {x.text}, {y.text}", "i1", x.lanes)

    def _eq(self, x: Lane, y: Lane, of: DType) -> Lane:
        return self._float_test("oeq", x, y) if of.is_floating_point else self.a.compare("eq", x, y)

    def _ne(self, x: Lane, y: Lane, of: DType) -> Lane:
        return self._float_test("une", x, y) if of.is_floating_point else self.a.compare("ne", x, y)

    def _isnan(self, x: Lane, of: DType) -> Lane:
        return self._float_test("uno", x, x) if of.is_floating_point else self._ne(x, x, of)

    def _neg(self, x: Lane, of: DType) -> Lane:
        if of.is_floating_point:
            return self.a.value(f"fneg {x}", x.element, x.lanes)
        return self.a.sub(self._like(0, x), x)

    def _abs(self, x: Lane, of: DType) -> Lane:
        if of.is_floating_point:
            return self._intrinsic("fabs", x)
        if not of.is_signed:
            return x
        return self.a.select(self.a.compare("slt", x, self._like(0, x)), self._neg(x, of), x)

    def _invert(self, x: Lane, of: DType) -> Lane:
        return self.a.binary("xor", x, self._like(-1, x))

    def _like(self, value: int, x: Lane) -> Lane:
        """An integer constant of a value's type."""
        made = integer(value, int(x.element[1:])) if x.element != "i1" else Lane(
            "true" if value else "false", "i1", 1, True
        )  # fmt: skip
        return self.a.splat(made, x.lanes)

    def _fma(self, x: Lane, y: Lane, z: Lane, of: DType) -> Lane:
        name = f"llvm.fma.{suffix(x.element, x.lanes)}"
        return self.a.call(name, [x, y, z], x.element, x.lanes)

    def _scaled(self, x: Lane, n: Lane, of: DType) -> Lane:
        width = {"float": 16, "double": 8}[x.element]
        if self.a.has_scalef and x.lanes % width == 0:
            return self.a.by_parts(width, [x, n], self._scaled_natively)
        # Powers of two up to twice as far as a normal number reaches, as two factors.
        reach = 126.0 if x.element == "float" else 1022.0
        top, bottom = (self.a.splat(constant(v, of), x.lanes) for v in (2 * reach, -2 * reach))
        n = self.a.select(self._float_test("olt", n, top), n, top)
        n = self.a.select(self._float_test("ogt", n, bottom), n, bottom)
        k = self._to_integer(n, of)
        half = self.a.binary("ashr", k, self._like(1, k))
        for exponent in (half, self.a.sub(k, half)):
            x = self.a.binary("fmul", x, self._power_of_two(exponent))
        return x

    def _scaled_natively(self, parts: Sequence[Lane]) -> Lane:
        """One instruction of AVX-512 on a full register."""
        x, n = parts
        name = f"llvm.x86.avx512.mask.scalef.{'ps' if x.element == 'float' else 'pd'}.512"
        unused = Lane("zeroinitializer", x.element, x.lanes)
        in_order = integer(4, 32)  # of the rounding mode in force
        arguments = [x, n, unused, integer(-1, x.lanes), in_order]
        return self.a.call(name, arguments, x.element, x.lanes)

    def _power_of_two(self, exponent: Lane) -> Lane:
        """2^exponent for integers in the range of normal numbers."""
        bias, fraction = (127, 23) if exponent.element == "i32" else (1023, 52)
        field = self.a.add(exponent, self._like(bias, exponent))
        bits = self.a.binary("shl", field, self._like(fraction, exponent))
        return self.a.cast("bitcast", bits, "float" if exponent.element == "i32" else "double")

    def _select(self, condition: Lane, x: Lane, y: Lane, of: DType) -> Lane:
        return self.a.select(condition, x, y)

    def _maximum(self, x: Lane, y: Lane, of: DType) -> Lane:
        return self._extreme("gt", x, y, of)

    def _minimum(self, x: Lane, y: Lane, of: DType) -> Lane:
        return self._extreme("lt", x, y, of)

    def _extreme(self, name: str, x: Lane, y: Lane, of: DType) -> Lane:
        if not of.is_floating_point:
            return self.a.select(self._ordered(name, x, y, of), x, y)
        # Unordered in y too, which `select(x > y or x is NaN, x, y)` need not be: y is NaN then.
        first = self.a.binary("or", self._ordered(name, x, y, of), self._isnan(x, of))
        return self.a.select(first, x, y)

    # Representation -----------------------------------------------------------------------------

    def _widen(self, x: Lane, of: DType) -> Lane:
        return self.a.cast("fpext", x, "double") if x.element == "float" else x

    def _narrow(self, x: Lane, of: DType) -> Lane:
        wanted = register_type(self.compute)
        return self.a.cast("fptrunc", x, wanted) if x.element != wanted else x

    def _bits(self, x: Lane, of: DType) -> Lane:
        return self.a.cast("bitcast", x, "i64" if x.element == "double" else "i32")

    def _from_bits(self, x: Lane, of: DType) -> Lane:
        return self.a.cast("bitcast", x, "double" if x.element == "i64" else "float")

    def _to_integer(self, x: Lane, of: DType) -> Lane:
        return self.a.cast("fptosi", x, "i64" if x.element == "double" else "i32")

    def _to_floating(self, x: Lane, of: DType) -> Lane:
        return self.a.cast("sitofp", x, "double" if x.element == "i64" else "float")

    def _lookup(self, table: Sequence[int], index: Lane) -> Lane:
        places = self.a.offset(self.a.table(table), index, "i64")
        if index.lanes == 1:
            return self.a.load(places, "i64")
        result = Lane("poison", "i64", index.lanes)
        for lane in range(index.lanes):
            place = self.a.value(f"extractelement {places}, i64 {lane}", "ptr")
            found = self.a.load(place, "i64")
            result = self.a.value(
                f"insertelement {result}, {found}, i64 {lane}", "i64", index.lanes
            )
        return result

    # Integers -----------------------------------------------------------------------------------

    def _lshift(self, x: Lane, y: Lane, of: DType) -> Lane:
        too_far, count = self._shift(x, y)
        return self.a.select(too_far, self._like(0, x), self.a.binary("shl", x, count))

    def _rshift(self, x: Lane, y: Lane, of: DType) -> Lane:
        too_far, count = self._shift(x, y)
        if not of.is_signed:
            return self.a.select(too_far, self._like(0, x), self.a.binary("lshr", x, count))
        last = self._like(_width(x) - 1, x)
        return self.a.binary("ashr", x, self.a.select(too_far, last, count))

    def _shift(self, x: Lane, y: Lane) -> tuple[Lane, Lane]:
        """Whether a shift goes beyond the width, and a count that does not."""
        if x.element == "i1":
            raise Unsupported("shifts of bools")
        too_far = self.a.compare("uge", y, self._like(_width(x), x))
        return too_far, self.a.select(too_far, self._like(0, x), y)

    def _divisor(self, x: Lane, y: Lane, of: DType) -> tuple[Lane, Lane]:
        """Whether the divisor is -1, and one that can be divided by; zeros are noted."""
        zero, one = self._like(0, x), self._like(1, x)
        is_zero = self.a.compare("eq", y, zero)
        self.note(is_zero)
        is_minus_one = self.a.compare("eq", y, self._like(-1, x))
        unsafe = is_zero if not of.is_signed else self.a.binary("or", is_zero, is_minus_one)
        return is_minus_one, self.a.select(unsafe, one, y)

    def _truncated_remainder(self, x: Lane, y: Lane, of: DType) -> Lane:
        _, safe = self._divisor(x, y, of)
        return self.a.binary("srem" if of.is_signed else "urem", x, safe)

    def _remainder(self, x: Lane, y: Lane, of: DType) -> Lane:
        rest = self._truncated_remainder(x, y, of)
        if not of.is_signed:
            return rest
        return self.a.select(self._is_crossed(rest, y), self.a.add(rest, y), rest)

    def _is_crossed(self, rest: Lane, y: Lane) -> Lane:
        """Whether a remainder is not zero and has not the sign of the divisor."""
        zero = self._like(0, rest)
        signs = self.a.compare("slt", self.a.binary("xor", rest, y), zero)
        return self.a.binary("and", signs, self.a.compare("ne", rest, zero))

    def _floor_divide(self, x: Lane, y: Lane, of: DType) -> Lane:
        is_minus_one, safe = self._divisor(x, y, of)
        if not of.is_signed:
            return self.a.binary("udiv", x, safe)
        quotient = self.a.binary("sdiv", x, safe)
        rest = self.a.sub(x, self.a.mul(quotient, safe))
        lower = self.a.add(quotient, self._like(-1, x))
        quotient = self.a.select(self._is_crossed(rest, safe), lower, quotient)
        return self.a.select(is_minus_one, self._neg(x, of), quotient)

    def _integer_power(self, x: Lane, y: Lane, of: DType) -> Lane:
        """Squares and products while any exponent has bits left."""
        zero, one = self._like(0, x), self._like(1, x)
        is_negative = self.a.compare("slt", y, zero) if of.is_signed else None
        start = y if is_negative is None else self.a.select(is_negative, zero, y)
        result, base = self.a.slot(x.element, x.lanes, one), self.a.slot(x.element, x.lanes, x)
        rest = self.a.slot(x.element, x.lanes, start)
        with self.a.loop_while() as exit:
            left = self.a.load(rest, x.element, x.lanes)
            exit.leave_unless(self.any(self.a.compare("ne", left, zero)))
            is_odd = self.a.compare("ne", self.a.binary("and", left, one), zero)
            factor = self.a.load(base, x.element, x.lanes)
            so_far = self.a.load(result, x.element, x.lanes)
            self.a.store(self.a.select(is_odd, self.a.mul(so_far, factor), so_far), result)
            self.a.store(self.a.mul(factor, factor), base)
            self.a.store(self.a.binary("lshr", left, one), rest)
        raised = self.a.load(result, x.element, x.lanes)
        if is_negative is None:
            return raised
        return self.a.select(is_negative, self._inverse_power(x, y), raised)

    def _inverse_power(self, x: Lane, y: Lane) -> Lane:
        """1 / x^n truncated: 1 for 1, 1 or -1 for -1, else 0."""
        zero, one = self._like(0, x), self._like(1, x)
        is_odd = self.a.compare("ne", self.a.binary("and", y, one), zero)
        of_minus_one = self.a.select(is_odd, x, one)
        of_others = self.a.select(self.a.compare("eq", x, one), one, zero)
        return self.a.select(self.a.compare("eq", x, self._like(-1, x)), of_minus_one, of_others)


def _width(x: Lane) -> int:
    return int(x.element[1:])
