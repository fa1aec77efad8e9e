"""A pointwise row as an LLVM kernel: the algebra's primitives as instructions in a per-element
loop.

Short on purpose: no fusion, no vectors, no fast-math. Half types are stored as i16 and converted
with integer arithmetic.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numpy as np

from jitlang import dtypes
from jitlang.ops.algebra import BuildingAlgebra, Expression
from jitlang.ops.traits import Role, execution_dtype, roles_of

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()
HALVES = (dtypes.float16, dtypes.bfloat16)


def register_type(dtype):
    if dtype is dtypes.bool_:
        return ir.IntType(1)
    if dtype.is_floating_point:
        return F64 if dtype is dtypes.float64 else F32
    return ir.IntType(8 * dtype.itemsize)


def stored_type(dtype):
    if dtype in HALVES:
        return I16
    return ir.IntType(8) if dtype is dtypes.bool_ else register_type(dtype)


class LLVMAlgebra(BuildingAlgebra):
    """Operands are LLVM values."""

    def __init__(self, builder, compute):
        super().__init__(compute)
        self.b = builder

    def build(self, name, operands, dtype):
        known = [o for o in operands if isinstance(o, Expression)]
        # Numbers take the dtype of the operand beside them (not of a select's condition).
        beside = known[-1].dtype if known else dtype
        values = [
            o.value if isinstance(o, Expression) else self.number(o, beside)
            for o in (operands[1:] if name == "lookup" else operands)
        ]
        if name == "lookup":
            return self.lookup_constant(operands[0], values[0])
        return getattr(self, f"build_{name}", self.arithmetic(name))(
            *values, dtype=dtype, of=beside
        )

    def number(self, value, dtype):
        if dtype is dtypes.float32:
            value = float(np.float32(value))
        return ir.Constant(
            register_type(dtype), int(value) if not dtype.is_floating_point else float(value)
        )

    def arithmetic(self, name):
        floats = {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv", "fmod": "frem"}
        integers = {
            "add": "add", "sub": "sub", "mul": "mul", "and": "and_", "or": "or_", "xor": "xor",
            "lshift": "shl",
        }  # fmt: skip

        def emit(x, y, *, dtype, of):
            if of is dtypes.bool_:
                return getattr(self.b, {"add": "or_", "mul": "and_"}.get(name, integers.get(name)))(
                    x, y
                )
            return getattr(self.b, (floats if of.is_floating_point else integers)[name])(x, y)

        return emit

    def comparison(sign):
        def emit(self, x, y, *, dtype, of):
            if of.is_floating_point:
                compare = self.b.fcmp_unordered if sign == "!=" else self.b.fcmp_ordered
                return compare(sign, x, y)
            return (self.b.icmp_signed if of.is_signed else self.b.icmp_unsigned)(sign, x, y)

        return emit

    build_lt, build_le, build_gt, build_ge, build_eq, build_ne = map(
        comparison, ("<", "<=", ">", ">=", "==", "!=")
    )

    def build_rshift(self, x, y, *, dtype, of):
        return (self.b.ashr if of.is_signed else self.b.lshr)(x, y)

    def build_neg(self, x, *, dtype, of):
        return self.b.fneg(x) if of.is_floating_point else self.b.neg(x)

    def build_invert(self, x, *, dtype, of):
        return self.b.not_(x)

    def build_abs(self, x, *, dtype, of):
        if of.is_floating_point:
            return self.intrinsic("llvm.fabs", x)
        negative = self.b.icmp_signed("<", x, ir.Constant(x.type, 0))
        return self.b.select(negative, self.b.neg(x), x) if of.is_signed else x

    def intrinsic(self, name, x):
        return self.b.call(self.b.module.declare_intrinsic(name, [x.type]), [x])

    def build_sqrt(self, x, *, dtype, of):
        return self.intrinsic("llvm.sqrt", x)

    def build_floor(self, x, *, dtype, of):
        return self.intrinsic("llvm.floor", x)

    def build_ceil(self, x, *, dtype, of):
        return self.intrinsic("llvm.ceil", x)

    def build_trunc(self, x, *, dtype, of):
        return self.intrinsic("llvm.trunc", x)

    def build_rint(self, x, *, dtype, of):
        return self.intrinsic("llvm.rint", x)

    def build_isnan(self, x, *, dtype, of):
        return self.b.fcmp_unordered("uno", x, x)

    def build_fma(self, x, y, z, *, dtype, of):
        return self.b.fma(x, y, z)

    def build_scaled(self, x, n, *, dtype, of):
        whole = I32 if x.type == F32 else I64
        bias, fraction = (127, 23) if x.type == F32 else (1023, 52)
        top, bottom = (ir.Constant(x.type, sign * 2.0 * (bias - 1)) for sign in (1, -1))
        n = self.b.select(self.b.fcmp_ordered("<", n, top), n, top)
        k = self.b.fptosi(self.b.select(self.b.fcmp_ordered(">", n, bottom), n, bottom), whole)
        half = self.b.ashr(k, whole(1))
        for exponent in (half, self.b.sub(k, half)):
            power = self.b.shl(self.b.add(exponent, whole(bias)), whole(fraction))
            x = self.b.fmul(x, self.b.bitcast(power, x.type))
        return x

    def build_select(self, condition, x, y, *, dtype, of):
        return self.b.select(condition, x, y)

    def extreme(sign):
        def emit(self, x, y, *, dtype, of):
            first = getattr(self, f"build_{sign}")(x, y, dtype=dtypes.bool_, of=of)
            if of.is_floating_point:
                first = self.b.or_(first, self.build_isnan(x, dtype=dtypes.bool_, of=of))
            return self.b.select(first, x, y)

        return emit

    build_maximum, build_minimum = extreme("gt"), extreme("lt")

    def build_constant(self, value, like, *, dtype, of):
        return value

    def build_widen(self, x, *, dtype, of):
        return self.b.fpext(x, F64) if x.type == F32 else x

    def build_narrow(self, x, *, dtype, of):
        return self.b.fptrunc(x, F32) if self.compute is dtypes.float32 and x.type == F64 else x

    def build_bits(self, x, *, dtype, of):
        return self.b.bitcast(x, register_type(dtype))

    build_from_bits = build_bits

    def build_to_integer(self, x, *, dtype, of):
        return self.b.fptosi(x, register_type(dtype))

    def build_to_floating(self, x, *, dtype, of):
        return self.b.sitofp(x, register_type(dtype))

    def lookup_constant(self, table, index):
        array = ir.ArrayType(I64, len(table))
        held = ir.GlobalVariable(self.b.module, array, self.b.module.get_unique_name("table"))
        held.global_constant, held.linkage = True, "internal"
        held.initializer = ir.Constant(array, list(table))
        return self.b.load(self.b.gep(held, [I64(0), index]))


def half_to_float(b, stored, dtype):
    """Exact. float16: move the fields up; a multiplication fixes the exponent, subnormals too."""
    wide = b.zext(stored, I32)
    if dtype is dtypes.bfloat16:
        return b.bitcast(b.shl(wide, I32(16)), F32)
    sign = b.shl(b.and_(wide, I32(0x8000)), I32(16))
    rest = b.and_(wide, I32(0x7FFF))
    scaled = b.fmul(b.bitcast(b.shl(rest, I32(13)), F32), ir.Constant(F32, 2.0**112))
    special = b.icmp_unsigned(">=", rest, I32(0x7C00))
    bits = b.bitcast(scaled, I32)
    bits = b.select(special, b.or_(b.shl(rest, I32(13)), I32(0x7F800000)), bits)
    return b.bitcast(b.or_(bits, sign), F32)


def float_to_half(b, value, dtype):
    """Round to nearest, ties to even, in integers."""
    bits = b.bitcast(value, I32)
    is_nan = b.fcmp_unordered("uno", value, value)
    if dtype is dtypes.bfloat16:
        odd = b.and_(b.lshr(bits, I32(16)), I32(1))
        rounded = b.lshr(b.add(bits, b.add(odd, I32(0x7FFF))), I32(16))
        return b.trunc(b.select(is_nan, I32(0x7FC0), rounded), I16)
    sign = b.and_(b.lshr(bits, I32(16)), I32(0x8000))
    rest = b.and_(bits, I32(0x7FFFFFFF))
    odd = b.and_(b.lshr(rest, I32(13)), I32(1))
    normal = b.lshr(b.add(rest, b.add(odd, I32(0xFFF - (112 << 23)))), I32(13))
    # Subnormal halves: adding 0.5 leaves the rounded bits at the bottom of the sum.
    magic = b.fadd(b.bitcast(rest, F32), ir.Constant(F32, 0.5))
    small = b.sub(b.bitcast(magic, I32), I32(0x3F000000))
    half = b.select(b.icmp_unsigned("<", rest, I32(113 << 23)), small, normal)
    half = b.select(b.icmp_unsigned(">=", rest, I32(0x47800000)), I32(0x7C00), half)
    half = b.select(is_nan, I32(0x7E00), half)
    return b.trunc(b.or_(half, sign), I16)


def load(b, pointer, index, dtype):
    stored = b.load(b.gep(pointer, [index]))
    if dtype in HALVES:
        return half_to_float(b, stored, dtype)
    return b.trunc(stored, ir.IntType(1)) if dtype is dtypes.bool_ else stored


def store(b, value, pointer, index, dtype):
    if dtype in HALVES:
        value = float_to_half(b, value, dtype)
    elif dtype is dtypes.bool_:
        value = b.zext(value, ir.IntType(8))
    b.store(value, b.gep(pointer, [index]))


def loop(function, b, count, emit):
    """for index in range(count): emit(index)."""
    before = b.block
    head, end = function.append_basic_block("head"), function.append_basic_block("end")
    b.cbranch(b.icmp_signed(">", count, I64(0)), head, end)
    b.position_at_end(head)
    index = b.phi(I64)
    index.add_incoming(I64(0), before)
    emit(index)
    following = b.add(index, I64(1))
    index.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, count), head, end)
    b.position_at_end(end)


@lru_cache
def engine():
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine), machine


def compiled(module, name, keep=[]):
    jit, machine = engine()
    parsed = llvm.parse_assembly(str(module))
    parsed.triple = llvm.get_default_triple()
    parsed.verify()
    jit.add_module(parsed)
    jit.finalize_object()
    keep.append(parsed)
    return jit.get_function_address(name)


counter = iter(range(10**9))


def llvm_kernel(op, dtype, result):
    """`kernel(*operands)`: arrays of one dtype and numbers, in schema order; gives a new array."""
    roles = roles_of(op)
    execute = execution_dtype(dtype)
    module = ir.Module()
    scalar = register_type(execute) if execute is not dtypes.bool_ else ir.IntType(8)
    parameters = [
        stored_type(dtype).as_pointer() if role is Role.TENSOR else scalar for role in roles
    ]
    name = f"kernel{next(counter)}"
    signature = ir.FunctionType(ir.VoidType(), [I64, stored_type(result).as_pointer(), *parameters])
    function = ir.Function(module, signature, name)
    count, out, *given = function.args
    b = ir.IRBuilder(function.append_basic_block())
    algebra = LLVMAlgebra(b, execute)

    def element(index):
        operands = []
        for role, value in zip(roles, given, strict=True):
            if role is Role.TENSOR:
                value = load(b, value, index, dtype)
            elif execute is dtypes.bool_:
                value = b.trunc(value, ir.IntType(1))
            operands.append(Expression(algebra, value, execute))
        store(b, op.body(algebra, *operands).value, out, index, result)

    loop(function, b, count, element)
    b.ret_void()
    address = compiled(module, name)
    c_scalar = {
        "float": ctypes.c_float, "double": ctypes.c_double, "i8": ctypes.c_int8,
        "i16": ctypes.c_int16,
        "i32": ctypes.c_int32, "i64": ctypes.c_int64,
    }[str(scalar)]  # fmt: skip
    types = [ctypes.c_void_p if role is Role.TENSOR else c_scalar for role in roles]
    call = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, *types)(address)

    def kernel(*operands):
        arrays = [np.ascontiguousarray(o) for o in operands if isinstance(o, np.ndarray)]
        made = np.empty(arrays[0].shape, result.numpy)
        passed = iter(arrays)
        values = [next(passed).ctypes.data if isinstance(o, np.ndarray) else o for o in operands]
        call(made.size, made.ctypes.data, *values)
        return made

    return kernel


def llvm_matmul(dtype):
    """`kernel(a, b)`: three loops, accumulating in the compute dtype."""
    execute = execution_dtype(dtype)
    module = ir.Module()
    name = f"kernel{next(counter)}"
    pointer = stored_type(dtype).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [I64, I64, I64, pointer, pointer, pointer])
    function = ir.Function(module, signature, name)
    rows, inner, columns, out, left, right = function.args
    b = ir.IRBuilder(function.append_basic_block())
    algebra = LLVMAlgebra(b, execute)
    total = b.alloca(register_type(execute))

    def cell(i, j):
        b.store(algebra.number(0, execute), total)

        def add(k):
            x = Expression(algebra, load(b, left, b.add(b.mul(i, inner), k), dtype), execute)
            y = Expression(algebra, load(b, right, b.add(b.mul(k, columns), j), dtype), execute)
            b.store((Expression(algebra, b.load(total), execute) + x * y).value, total)

        loop(function, b, inner, add)
        store(b, b.load(total), out, b.add(b.mul(i, columns), j), dtype)

    loop(function, b, rows, lambda i: loop(function, b, columns, lambda j: cell(i, j)))
    b.ret_void()
    types = [ctypes.c_int64] * 3 + [ctypes.c_void_p] * 3
    call = ctypes.CFUNCTYPE(None, *types)(compiled(module, name))

    def kernel(x, y):
        made = np.empty((x.shape[0], y.shape[1]), dtype.numpy)
        call(*x.shape, y.shape[1], made.ctypes.data, x.ctypes.data, y.ctypes.data)
        return made

    return kernel
