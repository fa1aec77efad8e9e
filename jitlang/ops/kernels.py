"""How a pointwise row becomes an array kernel.

For each combination of operand dtypes, 0-dim or not, and scalar kinds, a kernel holds a plan: the
compute dtype (torch's promotion), the dtype it executes in (float32 for the half types), casts of
the operands, the body read by an algebra, and the cast of the result. So every row rounds its
result to its dtype once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.opdef import OpDef, Result
from ..ir.schema import Argument
from .algebra import FastNumpyAlgebra, NumpyAlgebra
from .traits import Role, Traits, computed_dtype, execution_dtype, roles_of, traits_of

Plan = Callable[..., Any]


_plans: dict[tuple[OpDef, Any, bool], dict[Any, Plan]] = {}
"""The plans made so far, by row, array namespace and mode."""


def _forget_plans() -> None:
    """A plan holds the default dtype of its time."""
    for plans in list(_plans.values()):
        plans.clear()


dtypes.watch_default_dtype(_forget_plans)


def pointwise_kernel(op: OpDef, xp: Any, exact: bool) -> Callable[..., Any]:
    """The kernel of a pointwise row over the array namespace `xp`."""
    plans = _plans.setdefault((op, xp, exact), {})
    same_dtype: set[Any] = set()

    def plan_for(key: Any, *values: Any) -> Plan:
        plan, is_direct = _plan(op, xp, exact, values)
        plans[key] = plan
        if is_direct:
            same_dtype.add(values[0].dtype)
        return plan

    ufunc = getattr(xp, traits_of(op).ufunc or "add")
    scope = {"plans": plans, "plan_for": plan_for, "same_dtype": same_dtype, "ufunc": ufunc}
    return _generated(_kernel_source(op), "kernel", scope)


def _generated(source: str, name: str, scope: dict[str, Any]) -> Callable[..., Any]:
    """Functions here are generated: asking each argument in a loop would cost more than a small
    operator does."""
    exec(source, scope)
    made: Callable[..., Any] = scope[name]
    return made


def _kernel_source(op: OpDef) -> str:
    """`kernel(*arguments)`: find the plan for arguments of these kinds and run it."""
    roles = roles_of(op)
    names = [f"_{i}" for i in range(len(roles))]
    parts: list[str] = []
    alone = sum(role is not Role.OPTION for role in roles) == 1
    for name, role, argument in zip(names, roles, op.schema.arguments, strict=True):
        if role is Role.OPTION:
            parts.append(name)
        elif role in (Role.SCALAR, Role.FACTOR):
            parts.append(f"{name}.__class__")
        elif isinstance(argument.type, ty.OptionalType):
            parts.append(f"None if {name} is None else ({name}.dtype, {name}.ndim > 0)")
        elif alone:
            parts.append(f"{name}.dtype")
        else:
            parts += [f"{name}.dtype", f"{name}.ndim > 0"]
    listed = ", ".join(names)
    return (
        f"def kernel({listed}):\n"
        f"{_shortcut(op)}"
        f"    key = {', '.join(parts)}\n"
        f"    try: plan = plans[key]\n"
        f"    except KeyError: plan = plan_for(key, {listed})\n"
        f"    return plan({listed})\n"
    )


def _shortcut(op: OpDef) -> str:
    """Two tensors of one dtype for which the array function is known to be the row."""
    roles = roles_of(op)
    if not traits_of(op).ufunc or roles[:2] != (Role.TENSOR, Role.TENSOR):
        return ""
    rest = [f" and _{i} == {op.schema.arguments[i].default!r}" for i in range(2, len(roles))]
    return (
        f"    dtype = _0.dtype\n"
        f"    if dtype is _1.dtype and dtype in same_dtype{''.join(rest)}: return ufunc(_0, _1)\n"
    )


def _plan(op: OpDef, xp: Any, exact: bool, values: Sequence[Any]) -> tuple[Plan, bool]:
    """The plan for arguments like these, and whether it is the array function itself."""
    assert op.result is not None
    traits = traits_of(op)
    roles = roles_of(op)
    if traits.same_dtype:
        _refuse_mixed(op, values)
    if traits.zero_dim:
        _refuse_dimensions(op, traits.zero_dim, values)
    computed = _computed_dtype_of(op.result, roles, values, traits)
    refusal = traits.rejects.get(computed.category)
    if refusal is not None:
        raise type(refusal)(*refusal.args)
    if traits.no_bool_operand:
        _refuse_bool(traits.no_bool_operand, roles, values)
    result = dtypes.bool_ if op.result is Result.BOOL else computed
    if traits.real:
        result = dtypes.to_real(result)
    casts = [
        _cast(argument, role, value, computed, traits)
        for argument, role, value in zip(op.schema.arguments, roles, values, strict=True)
    ]
    function, first = _read_body(op, xp, exact, execution_dtype(computed))
    is_ufunc = bool(traits.ufunc) and not any(getattr(value, "ndim", 0) for value in values)
    general = _general_plan(function, first, casts, result, values, is_ufunc)
    if not traits.ufunc:
        return general, False
    direct = _ufunc_plan(op, xp, general, values, computed, result, exact)
    return direct or general, direct is not None


def _refuse_dimensions(op: OpDef, names: Sequence[str], values: Sequence[Any]) -> None:
    """Raises RuntimeError where a tensor that stands for a number has dimensions."""
    for argument, value in zip(op.schema.arguments, values, strict=True):
        if argument.name in names and value.ndim:
            raise RuntimeError(
                f"{op.name.partition('::')[2]} only supports a 0-dimensional {argument.name}"
                f" tensor, but got tensor with {value.ndim} dimension(s)."
            )


def _refuse_mixed(op: OpDef, values: Sequence[Any]) -> None:
    """Raises RuntimeError where the tensor operands differ in dtype."""
    first = dtypes.from_numpy(values[0].dtype)
    for argument, role, value in zip(op.schema.arguments, roles_of(op), values, strict=True):
        if role is Role.TENSOR and value.dtype != first.numpy:
            found = dtypes.from_numpy(value.dtype)
            raise RuntimeError(
                f"expected dtype {first.name} for `{argument.name}` but got dtype {found.name}"
            )


def _computed_dtype_of(
    rule: Result, roles: Sequence[Role], values: Sequence[Any], traits: Traits
) -> DType:
    tensors = [v for r, v in zip(roles, values, strict=True) if r is Role.TENSOR and v is not None]
    scalars = [
        type(v) for r, v in zip(roles, values, strict=True) if r is Role.SCALAR and v is not None
    ]
    scalars += traits.promote_with
    if rule is Result.FIRST:
        return dtypes.from_numpy(tensors[0].dtype)
    dimensioned = [dtypes.from_numpy(t.dtype) for t in tensors if t.ndim > 0]
    zero_dim = [dtypes.from_numpy(t.dtype) for t in tensors if t.ndim == 0]
    return computed_dtype(rule, dimensioned, zero_dim, scalars)


def _read_body(op: OpDef, xp: Any, exact: bool, execute: DType) -> tuple[Plan, Any]:
    """A function of the operands, and what stands before them in its call."""
    if op.impl is not None and not exact:
        return op.impl, xp
    assert op.body is not None
    # Complex elementary functions are the array library's own in both modes.
    reading = NumpyAlgebra if exact and not execute.is_complex else FastNumpyAlgebra
    return op.body, reading(xp, execute)


def _refuse_bool(message: str, roles: Sequence[Role], values: Sequence[Any]) -> None:
    for role, value in zip(roles, values, strict=True):
        if role is Role.TENSOR and value.dtype == np.bool_:
            raise RuntimeError(message)
        if role is Role.SCALAR and isinstance(value, bool):
            raise RuntimeError(message)


def _cast(
    argument: Argument, role: Role, value: Any, computed: DType, traits: Traits
) -> Callable[[Any], Any] | None:
    """How one argument becomes an operand; None where it is one already.

    Operands are rounded to the computed dtype even where a half type is then widened to float32,
    except scalars that a row takes at full width (torch's add, sub, mul, div, and all factors).
    """
    execute = execution_dtype(computed)
    rounded, target = computed.numpy, execute.numpy
    if value is None or role is Role.OPTION:
        return None
    if role is Role.MASK:
        return None if value.dtype == np.bool_ else _mask_operand(argument.name)
    if role is Role.FACTOR:
        name = argument.name if argument.kwarg_only or argument.name == "alpha" else ""
        return lambda scalar: _factor_operand(name, scalar, execute, traits.strict_scalars)
    if role is Role.SCALAR and (traits.wide_scalars or execute is computed):
        return lambda scalar: scalar_operand(scalar, execute, traits.strict_scalars)
    if role is Role.SCALAR:
        return lambda scalar: rounded.type(scalar).astype(target)
    if value.dtype == target and execute is computed:
        return None
    if value.dtype.kind == "c" and not computed.is_complex:
        raise RuntimeError(f"value cannot be converted to type {computed.name} without overflow")
    if value.dtype == rounded or execute is computed:
        return lambda array: array.astype(target)
    return lambda array: array.astype(rounded).astype(target)


def _mask_operand(name: str) -> Callable[[Any], Any]:
    """Masks are boolean; as a condition of `where` torch takes bytes too."""

    def cast(array: Any) -> Any:
        if array.dtype == np.uint8 and name == "condition":
            return array != 0
        dtype = dtypes.from_numpy(array.dtype)
        raise RuntimeError(
            f"expected a boolean tensor as {name}, but got a tensor with dtype {dtype}"
        )

    return cast


def _factor_operand(name: str, scalar: Any, execute: DType, strict: bool) -> Any:
    """`alpha` and `value` may not be floats for integers; other factors are truncated."""
    if isinstance(scalar, float) and execute.category <= Category.INTEGRAL:
        if name:
            raise RuntimeError(
                f"For integral input tensors, argument {name} must not be a floating point number."
            )
        scalar = int(scalar)
    return scalar_operand(scalar, execute, strict)


def scalar_operand(scalar: Any, execute: DType, strict: bool = False) -> Any:
    """A Python number in the compute dtype; an int that does not fit wraps, or is an error.

    Raises:
        RuntimeError: the number does not fit and `strict` is set.
    """
    try:
        return execute.numpy.type(scalar)
    except OverflowError:
        if strict:
            raise RuntimeError(
                f"value cannot be converted to type {execute.name} without overflow"
            ) from None
    bits = 8 * execute.itemsize
    wrapped = int(scalar) & ((1 << bits) - 1)
    if execute.is_signed and wrapped >> (bits - 1):
        wrapped -= 1 << bits
    return execute.numpy.type(wrapped)


def _general_plan(
    function: Plan,
    first: Any,
    casts: Sequence[Callable[[Any], Any] | None],
    result: DType,
    values: Sequence[Any],
    is_ufunc: bool,
) -> Plan:
    """Cast the operands, read the body, cast the result. Where the row is what a ufunc of the array
    library is, it gives a scalar where that does.
    """
    names = [f"_{i}" for i in range(len(casts))]
    operands = [n if c is None else f"cast{n}({n})" for n, c in zip(names, casts, strict=True)]
    # A body that returns an operand as it is must not hand out the caller's memory.
    arrays = [name for name, value in zip(names, values, strict=True) if hasattr(value, "dtype")]
    source = (
        f"def plan({', '.join(names)}):\n"
        f"    made = function(first, {', '.join(operands)})\n"
        f"    if made.dtype is not target and made.dtype != target: made = made.astype(target)\n"
        f"    elif {' or '.join(f'made is {name}' for name in arrays)}: made = made.copy()\n"
        f"    return made{'[()]' if is_ufunc else ''}\n"
    )
    scope = {"function": function, "first": first, "target": result.numpy}
    scope |= {f"cast{n}": c for n, c in zip(names, casts, strict=True) if c is not None}
    return _generated(source, "plan", scope)


# Array functions that round correctly, so that they are the body in exact mode too.
CORRECTLY_ROUNDED = frozenset((
    "add", "subtract", "multiply", "divide", "negative", "absolute", "square", "sqrt", "reciprocal",
    "floor", "ceil", "trunc", "rint", "equal", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_and",
    "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift", "isnan", "isinf",
    "isfinite",
))  # fmt: skip


def _ufunc_plan(
    op: OpDef,
    xp: Any,
    general: Plan,
    values: Sequence[Any],
    computed: DType,
    result: DType,
    exact: bool,
) -> Plan | None:
    """A plan that calls the array function itself, or None where it is not the row on such
    arguments.

    It is the row where the tensors have the result dtype (any one dtype if that is bool), the
    scalar operands are exact in it, and all other arguments have their defaults, which is looked
    at per call.
    """
    name = traits_of(op).ufunc
    if exact and name not in CORRECTLY_ROUNDED:
        return None
    roles = roles_of(op)
    operands = [
        v for r, v in zip(roles, values, strict=True) if r not in (Role.FACTOR, Role.OPTION)
    ]
    if Role.SCALAR in roles and computed not in _EXACT_WITH_SCALARS:
        return None
    function = getattr(xp, name)
    try:
        probe = function(*operands)
    except (TypeError, ValueError, OverflowError):
        return None
    tensors = [v.dtype for r, v in zip(roles, values, strict=True) if r in (Role.TENSOR, Role.MASK)]
    if len(set(tensors)) > 1 or probe.dtype != result.numpy:
        return None
    if result is not dtypes.bool_ and tensors[0] != result.numpy:
        return None
    if len(operands) == len(values):
        return cast(Plan, function)
    defaults = [a.default for a in op.schema.arguments[len(operands) :]]
    return _with_defaults(function, general, defaults, len(operands))


_EXACT_WITH_SCALARS = (dtypes.float32, dtypes.float64, dtypes.int64, dtypes.bool_)


def _with_defaults(
    function: Callable[..., Any], general: Plan, defaults: Sequence[Any], count: int
) -> Plan:
    """Call `function` on the operands while the arguments after them have their defaults."""
    if count == 2 and len(defaults) == 1:
        default = defaults[0]
        return lambda a, b, c: function(a, b) if c == default else general(a, b, c)

    def run(*values: Any) -> Any:
        if all(v == d for v, d in zip(values[count:], defaults, strict=True)):
            return function(*values[:count])
        return general(*values)

    return run


def inplace_kernel(base: OpDef, xp: Any, exact: bool) -> Callable[..., Any]:
    """The kernel of the in-place form of a pointwise row."""
    kernel = pointwise_kernel(base, xp, exact)

    def run(self: Any, *rest: Any) -> Any:
        return write(self, kernel(self, *rest))

    return run


def write_result(base: OpDef, xp: Any, self: Any, *rest: Any) -> Any:
    """The in-place form in fast mode, for callers that go by `impl`."""
    return inplace_kernel(base, xp, False)(self, *rest)


def write(target: Any, result: Any) -> Any:
    """Copy a result into the array that an in-place row writes, and give that array.

    Raises:
        RuntimeError: dtypes or shapes do not allow it.
    """
    if result.dtype != target.dtype:
        check_castable(result.dtype, target.dtype)
    if result.shape != target.shape:
        raise RuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape"
            f" {list(result.shape)}"
        )
    check_writable(target)
    target[...] = result
    return target


def check_castable(src: np.dtype, dst: np.dtype) -> None:
    """Refuse to write a result into a tensor of a lower category, as torch does.

    Raises:
        RuntimeError: for example a float result into an integer tensor.
    """
    computed, written = dtypes.from_numpy(src), dtypes.from_numpy(dst)
    if not dtypes.can_cast(computed, written):
        raise RuntimeError(
            f"result type {computed.graph_name} can't be cast to the desired output type"
            f" {written.graph_name}"
        )


def check_writable(target: Any) -> None:
    """Refuse to write through an expanded tensor.

    Raises:
        RuntimeError: several elements share one place in memory.
    """
    if (
        target.size
        and 0 in target.strides
        and any(
            stride == 0 and size > 1
            for stride, size in zip(target.strides, target.shape, strict=True)
        )
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a"
            " single memory location. Please clone() the tensor before performing the operation."
        )
