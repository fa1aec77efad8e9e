"""Constructors of operator rows, and the kernel of a row.

A family file is a list of calls of these four:

    op("aten::mm(Tensor self, Tensor mat2) -> Tensor", impl=..., infer=..., grad=...)
    scalar("aten::lt.int(int a, int b) -> bool", "a < b")
    pointwise("aten::silu(Tensor self) -> Tensor", lambda m, x: x * m.sigmoid(x), result=FLOATING)
    composite("aten::glu(Tensor self, int dim=-1) -> Tensor", lambda m, x, dim: ..., infer=...)

`impl(xp, *arguments)` gets every argument of the schema in order: those declared Tensor, Tensor?,
Tensor[] or Tensor?[] as raw arrays, everything else as it is. It returns raw arrays for what the
schema declares as tensors, a bare value for one result and a tuple for several. A return that
carries the alias of a written argument (`Tensor(a!)`) is that argument: the kernel writes into the
array and the caller returns the tensor. A row that `reshapes` returns the array instead, which the
caller puts into the tensor.

`kernel_of(op, xp, exact)` is how every caller gets at a row's reference kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

from ..dtypes import Category
from ..ir.opdef import OPS, Effect, Kernel, OpDef, Result, TypeRule
from . import kernels, traits
from .composite import ArrayReading, array_reading

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

KERNEL_ERRORS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a kernel raises where its arguments do not fit. Anything else is a bug of ours."""

_kernels: dict[tuple[OpDef, Any, bool], Callable[..., Any]] = {}
_base_of: dict[OpDef, OpDef] = {}
_pure_of: dict[OpDef, OpDef] = {}


def op(
    schema: str,
    *,
    impl: Kernel,
    infer: TypeRule | None = None,
    grad: Kernel | None = None,
    native: Any = None,
    effect: Effect = Effect.NONE,
    reshapes: bool = False,
    function: str | None = "",
    method: str | None = "",
    doc: str = "",
) -> OpDef:
    """A row computed by an array kernel."""
    return OPS.add(
        OpDef(
            schema, impl=impl, infer=infer, grad=grad, native=native, effect=effect,
            reshapes=reshapes, function=function, method=method, doc=doc,
        )
    )  # fmt: skip


def scalar(
    schema: str,
    python: str,
    *,
    checked: bool = False,
    effect: Effect = Effect.NONE,
    infer: TypeRule | None = None,
    function: str | None = None,
    method: str | None = None,
) -> OpDef:
    """A row computed by a Python expression over its argument names.

    Args:
        schema: the row's schema.
        python: an expression over the argument names that calls nothing but builtins and `math`.
        checked: the int result must fit 64 bits where the graph's integers are checked.
        effect: what running it does beyond its result.
        infer: type rule, where the schema's returns do not say all.
        function: name under which Python sees it as a function, None for not at all.
        method: name under which Python sees it as a method, None for not at all.
    """
    return OPS.add(
        OpDef(
            schema, python=python, checked_integer=checked, effect=effect, infer=infer,
            function=function, method=method,
        )
    )  # fmt: skip


def pointwise(
    schema: str,
    body: Kernel,
    *,
    grad: Kernel | None = None,
    result: Result = Result.PROMOTE,
    impl: Kernel | None = None,
    ufunc: str = "",
    inplace: bool | str = True,
    rejects: Mapping[Category, Exception] | None = None,
    factors: tuple[str, ...] = (),
    real: bool = False,
    strict_scalars: bool = False,
    wide_scalars: bool = False,
    no_bool_operand: str = "",
    same_dtype: bool = False,
    promote_with: tuple[type, ...] = (),
    zero_dim: tuple[str, ...] = (),
    native: Any = None,
    function: str | None = "",
    method: str | None = "",
    doc: str = "",
) -> OpDef:
    """A row computed element by element, and its in-place form.

    Args:
        schema: the row's schema; `self` comes first where there is an in-place form.
        body: `body(m, *operands)`, read in the algebra `m`; operands are in the compute dtype.
        grad: `grad(m, g, result, *operands)`: a gradient (or None) for each operand that takes
            part in promotion, in order; of the result's shape, summing over broadcast axes is done
            elsewhere.
        result: how the result dtype follows from the operands.
        impl: `impl(xp, *operands)` on operands in the compute dtype, used in fast mode where the
            array library has a safer or quicker form than the body.
        ufunc: the name of the array function that equals the row on tensor operands of the compute
            dtype while all other arguments have their defaults.
        inplace: also add the row `name_`; a string names its overload (`"Tensor"`), or the whole
            of it (`"__iand__.Tensor"`), where it is not derived.
        rejects: errors to raise, by the category of the compute dtype.
        factors: scalar arguments that do not take part in promotion; keyword-only ones never do.
        real: complex operands give a real result.
        strict_scalars: an int that does not fit the compute dtype is an error, and does not wrap.
        wide_scalars: scalar operands of half types take part as float32, not rounded to the half
            type.
        no_bool_operand: the message of the error where any operand is bool.
        same_dtype: tensor operands must agree in dtype: nothing is promoted.
        promote_with: kinds of scalars that take part in promotion without being arguments.
        zero_dim: tensor arguments that must have no dimensions.
        native: native lowering.
        function: name under which Python sees it as a function.
        method: name under which Python sees it as a method.
        doc: one line for the table of operators.
    """
    row = OpDef(
        schema, body=body, impl=impl, grad=grad, result=result, native=native,
        function=function, method=method, doc=doc,
    )  # fmt: skip
    given = traits.Traits(
        ufunc, rejects or {}, factors, real, strict_scalars, wide_scalars, no_bool_operand,
        same_dtype, promote_with, zero_dim,
    )  # fmt: skip
    traits.describe(row, given)
    row.infer = traits.pointwise_rule(row)
    OPS.add(row)
    if inplace is not False:
        _add_inplace(row, inplace_schema(schema, inplace if isinstance(inplace, str) else ""))
    return row


def composite(
    schema: str,
    body: Kernel,
    *,
    infer: TypeRule | None = None,
    effect: Effect = Effect.NONE,
    function: str | None = "",
    method: str | None = "",
) -> OpDef:
    """A row made of other rows: `body(m, *arguments)`, written in a `composite.Reading`."""
    return OPS.add(
        OpDef(schema, composite=body, infer=infer, effect=effect, function=function, method=method)
    )


def alias(new: str, old: str) -> None:
    """Offer the pointwise rows of an operator, with their in-place forms, under another name."""
    for name in (old, f"{old}_"):
        for row in tuple(OPS.overloads(name)):
            if row.is_pointwise or row in _base_of or row.overload.endswith("_mode"):
                _add_alias(row, new + name.removeprefix(old))


def _add_alias(row: OpDef, name: str) -> None:
    offered = name.partition("::")[2]
    made = replace(
        row, schema_text=name + row.schema_text[len(row.name) :],
        function=offered if row.function else None, method=offered if row.method else None,
    )  # fmt: skip
    if row.is_pointwise:
        traits.describe(made, traits.traits_of(row))
        made.infer = traits.pointwise_rule(made)
    if row in _base_of:
        _base_of[made] = _base_of[row]
    OPS.add(made)


def _add_inplace(row: OpDef, schema: str) -> None:
    written = OpDef(schema, impl=partial(kernels.write_result, row), infer=traits.first_type)
    if row.function is None:
        written.function = None
    if row.method is None and row.name.startswith("jit::"):
        written.method = None
    _base_of[OPS.add(written)] = row


def inplace(row: OpDef) -> OpDef:
    """Add the in-place form of a row that an array kernel computes: the result is written back.

    Raises, when called:
        RuntimeError: the result has another shape, or its dtype cannot be cast.
    """
    assert row.impl is not None

    def impl(xp: Any, self: Any, *rest: Any) -> Any:
        assert row.impl is not None
        return kernels.write(self, row.impl(xp, self, *rest))

    schema = inplace_schema(row.schema_text)
    made = OpDef(schema, impl=impl, infer=traits.first_type, effect=row.effect)
    made.function, made.method = (name and f"{name}_" for name in (row.function, row.method))
    return OPS.add(made)


def inplace_schema(schema: str, named: str = "") -> str:
    """The schema of the in-place form: of `exp(Tensor self)` it is `exp_(Tensor(a!) self)`."""
    head, _, rest = schema.partition("(")
    name, dot, overload = head.partition(".")
    if "." in named:
        namespace = name.partition("::")[0]
        full = f"{namespace}::{named}"
    else:
        full = f"{name}_.{named}" if named else f"{name}_{dot}{overload}"
    arguments, _, _ = rest.rpartition("->")
    arguments = arguments.rstrip().removeprefix("Tensor self").removesuffix(")")
    return f"{full}(Tensor(a!) self{arguments}) -> Tensor(a!)"


def base_of(op: OpDef) -> OpDef | None:
    """The pointwise row whose in-place form `op` is, or None."""
    return _base_of.get(op)


def writes_as(written: OpDef, pure: OpDef) -> None:
    """Say that `written` writes into its first argument what `pure`, of the same arguments, gives
    as a new tensor of its layout.
    """
    _pure_of[written] = pure


def pure_form(op: OpDef) -> OpDef | None:
    """The row that gives as a new tensor what `op` writes into its first argument, or None."""
    return _base_of.get(op) or _pure_of.get(op)


def kernel_of(op: OpDef, xp: Any, exact: bool = False) -> Callable[..., Any]:
    """The reference kernel `k(*arguments)` of a row, cached.

    Args:
        op: the row.
        xp: the array namespace.
        exact: pointwise rows read their bodies with jitlang's own elementary functions, bit for
            bit what generated code computes, instead of the array library's.

    Raises:
        NotImplementedError: the row has no kernel.
    """
    key = (op, xp, exact)
    found = _kernels.get(key)
    if found is None:
        found = _kernels[key] = _build_kernel(op, xp, exact)
    return found


def reading_of(xp: Any, exact: bool = False) -> ArrayReading:
    """The reading of composite bodies over an array namespace."""
    return array_reading(xp, exact, kernel_of)


def _build_kernel(op: OpDef, xp: Any, exact: bool) -> Callable[..., Any]:
    if op.body is not None:
        return kernels.pointwise_kernel(op, xp, exact)
    if op in _base_of:
        return kernels.inplace_kernel(_base_of[op], xp, exact)
    if op.impl is not None:
        return partial(op.impl, xp)
    if op.composite is not None:
        return partial(op.composite, reading_of(xp, exact))
    if op.python is not None:
        return _python_kernel(op)
    raise NotImplementedError(f"{op.full_name} has no kernel")


def _python_kernel(op: OpDef) -> Callable[..., Any]:
    function = unchecked_kernel(op)
    return partial(_checked, function, op) if op.checked_integer else function


@cache
def unchecked_kernel(op: OpDef) -> Callable[..., Any]:
    """The expression of a scalar or container row as a function, with ints of any size."""
    names = ", ".join(argument.name for argument in op.schema.arguments)
    function: Callable[..., Any] = eval(f"lambda {names}: {op.python}", {"math": math})
    return function


def _checked(function: Callable[..., Any], op: OpDef, *args: Any) -> Any:
    result = function(*args)
    if type(result) is int and not _INT64_MIN <= result <= _INT64_MAX:
        raise OverflowError(f"{op.name.partition('::')[2]}: the result does not fit in 64 bits")
    return result
