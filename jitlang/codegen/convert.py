"""Conversions between dtypes, and between registers and memory, as LLVM instructions.

Half types lie in memory as 16-bit integers and are held in registers as float32 values that the
half type has. Where the processor converts float16 itself its instruction is used, which rounds to
nearest even too; all else is integer arithmetic, since LLVM's own bfloat16 conversions flush
subnormals on some machines and call helpers that are absent on others.
"""

from __future__ import annotations

from ..dtypes import DType, bool_, float16, float32, float64
from ..fuser.plan import Unsupported
from .assembler import HALVES, Assembler, Lane, constant, integer, register_type


class Converter:
    """Writes conversions. `has_f16c`: float16 instructions may be used."""

    def __init__(self, assembler: Assembler, has_f16c: bool) -> None:
        self.a = assembler
        self.has_f16c = has_f16c

    # Memory -------------------------------------------------------------------------------------

    def to_register(self, x: Lane, dtype: DType) -> Lane:
        """What was loaded, as it is computed with."""
        if dtype is bool_:
            return self.a.compare("ne", x, self._bits(0, x))
        if dtype not in HALVES:
            return x
        made = self._from_float16(x) if dtype is float16 else self._from_bfloat16(x)
        made.stored = x
        return made

    def to_memory(self, x: Lane, dtype: DType) -> Lane:
        """What is computed with, as it is stored."""
        if dtype is bool_:
            return self.a.cast("zext", x, "i8")
        if dtype not in HALVES:
            return x
        if x.stored is not None:
            return x.stored
        return self._to_float16(x) if dtype is float16 else self._to_bfloat16(x)

    def _bits(self, value: int, like: Lane) -> Lane:
        return self.a.splat(integer(value, int(like.element[1:])), like.lanes)

    def _float(self, value: float, like: Lane, dtype: DType = float32) -> Lane:
        return self.a.splat(constant(value, dtype), like.lanes)

    # Dtypes -------------------------------------------------------------------------------------

    def convert(self, x: Lane, src: DType, dst: DType) -> Lane:
        """The same numbers in another dtype, as NumPy's `astype` gives them."""
        if src is dst:
            return x
        if src.is_complex or dst.is_complex:
            raise Unsupported("complex numbers")
        if dst is bool_:
            return self._truth(x, src)
        if dst in HALVES:
            return self._rounded(x, src, dst)
        if src.is_floating_point:
            return self._from_floating(x, dst)
        return self._from_integer(x, src, dst)

    def _truth(self, x: Lane, src: DType) -> Lane:
        if not src.is_floating_point:
            return self.a.compare("ne", x, self._bits(0, x))
        zero = self._float(0.0, x, float64 if x.element == "double" else float32)
        return self.a.value(f"fcmp une {x.type} {x.text}, {zero.text}", "i1", x.lanes)

    def _from_floating(self, x: Lane, dst: DType) -> Lane:
        wanted = register_type(dst)
        if dst.is_floating_point:
            if x.element == wanted:
                return Lane(x.text, x.element, x.lanes, x.is_constant)
            return self.a.cast("fpext" if wanted == "double" else "fptrunc", x, wanted)
        if wanted in ("i64", "i32"):
            return self.a.cast("fptosi", x, wanted)
        return self.a.cast("trunc", self.a.cast("fptosi", x, "i32"), wanted)

    def _from_integer(self, x: Lane, src: DType, dst: DType) -> Lane:
        wanted = register_type(dst)
        is_signed = src.is_signed and src is not bool_
        if dst.is_floating_point:
            return self.a.cast("sitofp" if is_signed else "uitofp", x, wanted)
        if int(x.element[1:]) == int(wanted[1:]):
            return x
        if int(x.element[1:]) > int(wanted[1:]):
            return self.a.cast("trunc", x, wanted)
        return self.a.cast("sext" if is_signed else "zext", x, wanted)

    # Half types ---------------------------------------------------------------------------------

    def round_half(self, x: Lane, dst: DType) -> Lane:
        """A float32 rounded to a half type, held as float32."""
        stored = self._to_float16(x) if dst is float16 else self._to_bfloat16(x)
        return self.to_register(stored, dst)

    def _rounded(self, x: Lane, src: DType, dst: DType) -> Lane:
        if src is float64:
            narrow = self._round_to_odd(x) if dst is float16 else self.a.cast("fptrunc", x, "float")
        else:
            narrow = self.convert(x, src, float32)
        return self.round_half(narrow, dst)

    def _round_to_odd(self, x: Lane) -> Lane:
        """float64 to float32 so that rounding once more rounds right: inexact results end in a 1
        bit.
        """
        near = self.a.cast("fptrunc", x, "float")
        back = self.a.cast("fpext", near, "double")
        exact = self.a.value(f"fcmp ueq {x.type} {back.text}, {x.text}", "i1", x.lanes)
        bits = self.a.cast("bitcast", near, "i32")
        size, given = self._fabs(back), self._fabs(x)
        grew = self.a.value(f"fcmp ogt {x.type} {size.text}, {given.text}", "i1", x.lanes)
        toward_zero = self.a.sub(bits, self.a.cast("zext", grew, "i32"))
        odd = self.a.binary("or", toward_zero, self._bits(1, bits))
        return self.a.cast("bitcast", self.a.select(exact, bits, odd), "float")

    def _fabs(self, x: Lane) -> Lane:
        name = "f64" if x.lanes == 1 else f"v{x.lanes}f64"
        return self.a.call(f"llvm.fabs.{name}", [x], x.element, x.lanes)

    def _from_bfloat16(self, x: Lane) -> Lane:
        wide = self.a.cast("zext", x, "i32")
        return self.a.cast("bitcast", self.a.binary("shl", wide, self._bits(16, wide)), "float")

    def _to_bfloat16(self, x: Lane) -> Lane:
        bits = self.a.cast("bitcast", x, "i32")
        sixteen = self._bits(16, bits)
        odd = self.a.binary("and", self.a.binary("lshr", bits, sixteen), self._bits(1, bits))
        rounded = self.a.add(bits, self.a.add(odd, self._bits(0x7FFF, bits)))
        high = self.a.binary("lshr", rounded, sixteen)
        return self._unless_nan(x, high, 0x7FC0)

    def _unless_nan(self, x: Lane, bits: Lane, nan: int) -> Lane:
        is_nan = self.a.value(f"fcmp uno {x.type} {x.text}, {x.text}", "i1", x.lanes)
        return self.a.cast("trunc", self.a.select(is_nan, self._bits(nan, bits), bits), "i16")

    def _from_float16(self, x: Lane) -> Lane:
        if self.has_f16c:
            return self.a.cast("fpext", self.a.cast("bitcast", x, "half"), "float")
        wide = self.a.cast("zext", x, "i32")
        sign = self._shift_left(self.a.binary("and", wide, self._bits(0x8000, wide)), 16)
        rest = self.a.binary("and", wide, self._bits(0x7FFF, wide))
        # The fields move up; a multiplication fixes the exponent, subnormals included.
        moved = self._shift_left(rest, 13)
        scaled = self.a.binary(
            "fmul", self.a.cast("bitcast", moved, "float"), self._float(2.0**112, wide)
        )
        is_special = self.a.compare("uge", rest, self._bits(0x7C00, rest))
        special = self.a.binary("or", moved, self._bits(0x7F800000, rest))
        bits = self.a.select(is_special, special, self.a.cast("bitcast", scaled, "i32"))
        return self.a.cast("bitcast", self.a.binary("or", bits, sign), "float")

    def _shift_left(self, x: Lane, count: int) -> Lane:
        return self.a.binary("shl", x, self._bits(count, x))

    def _to_float16(self, x: Lane) -> Lane:
        if self.has_f16c:
            return self.a.cast("bitcast", self.a.cast("fptrunc", x, "half"), "i16")
        bits = self.a.cast("bitcast", x, "i32")
        sixteen = self._bits(16, bits)
        sign = self.a.binary("and", self.a.binary("lshr", bits, sixteen), self._bits(0x8000, bits))
        rest = self.a.binary("and", bits, self._bits(0x7FFFFFFF, bits))
        odd = self.a.binary("and", self._shift_right(rest, 13), self._bits(1, bits))
        normal = self.a.add(rest, self.a.add(odd, self._bits(0xFFF - (112 << 23), bits)))
        # Subnormal halves: adding 0.5 leaves the rounded bits at the bottom of the sum.
        magic = self.a.binary("fadd", self.a.cast("bitcast", rest, "float"), self._float(0.5, bits))
        small = self.a.sub(self.a.cast("bitcast", magic, "i32"), self._bits(0x3F000000, bits))
        is_small = self.a.compare("ult", rest, self._bits(113 << 23, bits))
        half = self.a.select(is_small, small, self._shift_right(normal, 13))
        overflows = self.a.compare("uge", rest, self._bits(0x47800000, bits))
        half = self.a.select(overflows, self._bits(0x7C00, bits), half)
        is_nan = self.a.value(f"fcmp uno {x.type} {x.text}, {x.text}", "i1", x.lanes)
        half = self.a.select(is_nan, self._bits(0x7E00, bits), half)
        return self.a.cast("trunc", self.a.binary("or", half, sign), "i16")

    def _shift_right(self, x: Lane, count: int) -> Lane:
        return self.a.binary("lshr", x, self._bits(count, x))
