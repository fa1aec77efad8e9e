"""NumPy's functions, and the attributes of its arrays.

A function that is covered runs as `jit::numpy`, which is NumPy's own; where a row of torch's agrees
with it on these arguments (surface.py says when), that row is used and can be fused. Lists in
calls, as in `np.array([1, 2.5])`, are read as tuples, so that they may mix types. Other functions
are called back in Python. All attributes of arrays are covered.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .. import dtypes
from ..dtypes import DType
from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import Value
from ..ir.types import Type
from ..ops.arrays import array_type, rank_of
from . import surface
from .builtins import SyntaxForm
from .emitter import Emitter
from .sugar import Arguments, ClassName, Operator, Plain, Special, Starred, Sugar

Expansion = Callable[[Emitter, Arguments], Sugar]

COVERED = frozenset("""
    abs absolute add all allclose amax amin angle any append apply_over_axes arange arccos
    arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argpartition argsort argwhere
    around array array2string array_equal array_equiv array_split asanyarray asarray
    ascontiguousarray atleast_1d atleast_2d atleast_3d average bartlett bincount bitwise_and
    bitwise_not bitwise_or bitwise_xor blackman broadcast_arrays broadcast_to cbrt ceil choose
    clip column_stack compress concatenate conj conjugate convolve copy copysign corrcoef
    correlate cos cosh count_nonzero cov cross cumprod cumsum deg2rad degrees delete diag
    diag_indices diagflat diagonal diff digitize divide divmod dot dsplit dstack ediff1d einsum
    empty empty_like equal exp exp2 expand_dims expm1 extract eye fabs fix flatnonzero flip
    fliplr flipud float_power floor floor_divide fmax fmin fmod frexp full full_like gcd
    geomspace gradient greater greater_equal hamming hanning heaviside histogram
    histogram_bin_edges hsplit hstack hypot i0 identity imag indices inner insert interp
    intersect1d invert isclose iscomplex iscomplexobj isfinite isin isinf isnan isneginf
    isposinf isreal isrealobj isscalar ix_ kaiser kron lcm ldexp left_shift less less_equal
    lexsort linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not
    logical_or logical_xor logspace matmul max maximum may_share_memory mean median meshgrid min
    minimum mod modf moveaxis multiply nan_to_num nanargmax nanargmin nancumsum nanmax nanmean
    nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar ndim negative
    nextafter nonzero not_equal ones ones_like outer pad partition percentile piecewise polyfit
    polyval positive power prod ptp quantile rad2deg radians ravel ravel_multi_index real
    reciprocal remainder repeat reshape right_shift rint roll rollaxis roots rot90 round
    searchsorted select setdiff1d setxor1d shape shares_memory sign signbit sin sinc sinh size
    sort spacing split sqrt square squeeze stack std subtract sum swapaxes take take_along_axis
    tan tanh tensordot tile trace transpose trapezoid tri tril tril_indices trim_zeros triu
    triu_indices true_divide trunc union1d unique unravel_index unwrap vander var vdot vsplit
    vstack where zeros zeros_like linalg.cholesky linalg.cond linalg.det linalg.eig linalg.eigh
    linalg.eigvals linalg.eigvalsh linalg.inv linalg.lstsq linalg.matrix_power
    linalg.matrix_rank linalg.norm linalg.pinv linalg.qr linalg.slogdet linalg.solve linalg.svd
    fft.fft fft.ifft fft.rfft fft.irfft fft.fftfreq fft.fftshift fft.ifftshift
""".split())  # noqa: SIM905  # fmt: skip

# Functions of one float array that are rows of torch's: elementwise ones, then those with an axis.
_ELEMENTWISE = {
    **{name: name for name in (
        "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "tanh", "sinh", "cosh", "sin",
        "cos", "tan", "abs",
        "square", "floor", "ceil", "trunc", "isnan", "isinf", "isfinite", "reciprocal",
    )},
    "arctan": "atan", "arcsin": "asin", "arccos": "acos", "absolute": "abs", "negative": "neg",
    "rint": "round",
}  # fmt: skip
_REDUCTIONS = {
    "sum": "sum",
    "mean": "mean",
    "max": "amax",
    "min": "amin",
    "amax": "amax",
    "amin": "amin",
}
_OPERATORS: Mapping[str, str] = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "power": "pow",
    "floor_divide": "floordiv", "remainder": "remainder", "mod": "remainder", "matmul": "matmul",
    "bitwise_and": "__and__", "bitwise_or": "__or__", "bitwise_xor": "__xor__", "equal": "eq",
    "not_equal": "ne",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge",
}  # fmt: skip
# Where an argument is a tensor, NumPy's name stands for torch's function.
_TORCH_NAMES = {
    "concatenate": "cat", "expand_dims": "unsqueeze", "transpose": "permute", "power": "pow",
    "copy": "clone",
    "subtract": "sub", "multiply": "mul", "divide": "div", "arctan2": "atan2", **_ELEMENTWISE,
    **_REDUCTIONS,
}  # fmt: skip
_PYTHON_DTYPES: Mapping[type, DType] = {
    bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float64, complex: dtypes.complex128,
}  # fmt: skip


def function_meaning(name: str) -> Sugar | None:
    """What `np.name` means, or None where only Python can call it."""
    if name not in COVERED:
        return None

    def expand(e: Emitter, args: Arguments) -> Sugar:
        return _call(e, name, args)

    return SyntaxForm(f"np.{name}", expand, _call_with_displays)


def scalar_meaning(cls: type) -> Sugar | None:
    """What a call of one of NumPy's scalar classes means, such as `np.float32(x)`."""
    if not issubclass(cls, np.generic) or getattr(np, cls.__name__, None) is not cls:
        return None
    return Special(f"np.{cls.__name__}", lambda e, args: Plain(_numpy(e, cls.__name__, args)))


def path_of(found: object) -> str | None:
    """The name below `np` of a function of NumPy, or None."""
    name = getattr(found, "__name__", "")
    for prefix, module in (("", np), ("linalg.", np.linalg), ("fft.", np.fft)):
        if getattr(module, name, None) is found:
            return prefix + name
    return None


def _call_with_displays(e: Emitter, node: ast.Call, expected: Type | None) -> Sugar | None:
    """A call with list displays, which become tuples; None where there is none."""
    args = [_as_tuples(arg) for arg in node.args]
    if all(new is old for new, old in zip(args, node.args, strict=True)):
        return None
    return e.expression(ast.copy_location(ast.Call(node.func, args, node.keywords), node))


def _as_tuples(node: ast.expr) -> ast.expr:
    if not isinstance(node, ast.List | ast.Tuple):
        return node
    parts = [_as_tuples(part) for part in node.elts]
    if isinstance(node, ast.Tuple) and all(a is b for a, b in zip(parts, node.elts, strict=True)):
        return node
    return ast.copy_location(ast.Tuple(parts, ast.Load()), node)


def _call(e: Emitter, name: str, args: Arguments) -> Sugar:
    if "out" in args.keywords or any(isinstance(a, Starred) for a in args.positional):
        return _call_back(e, name, args, "it writes to an argument")
    values = [_value(e, meaning) for meaning in args.positional]
    keywords = {key: _value(e, meaning) for key, meaning in args.keywords.items()}
    if any(_has_tensor(value.type) for value in (*values, *keywords.values())):
        return _on_tensors(e, name, args)
    fused = _fused(e, name, values, keywords)
    if fused is not None:
        return Plain(fused)
    return Plain(_run(e, name, values, keywords))


def _value(e: Emitter, meaning: Sugar) -> Value:
    """An argument. Python's number classes are NumPy's dtypes."""
    if isinstance(meaning, ClassName) and meaning.target in _PYTHON_DTYPES:
        return e.builder.constant(_PYTHON_DTYPES[meaning.target])
    return meaning.value(e)


def _has_tensor(type_: Type) -> bool:
    return any(isinstance(t, ty.TensorType) and not ty.is_array(t) for t in ty.walk(type_))


def _run(e: Emitter, name: str, values: Sequence[Value], keywords: Mapping[str, Value]) -> Value:
    """NumPy's own function; a float that is known at compile time is computed here and now."""
    if name in _ELEMENTWISE and len(values) == 1 and not keywords and values[0].type is ty.FLOAT:
        number = values[0].constant()
        with np.errstate(all="ignore"):
            folded = None if number is None else getattr(np, name)(number)
        if isinstance(folded, np.float64) and np.isfinite(folded):
            return e.constant(folded)
    names = e.builder.constant(",".join(keywords))
    return e.builder.op("jit::numpy", e.builder.constant(name), names, *values, *keywords.values())


def _numpy(e: Emitter, name: str, args: Arguments) -> Value:
    values = [_value(e, meaning) for meaning in args.positional]
    return _run(e, name, values, {key: _value(e, m) for key, m in args.keywords.items()})


def _call_back(e: Emitter, name: str, args: Arguments, reason: str) -> Sugar:
    target = np
    for part in name.split("."):
        target = getattr(target, part)
    return e.call_python(target, f"np.{name}", args, ErrorKind.UNSUPPORTED_CALLEE, reason)


def _on_tensors(e: Emitter, name: str, args: Arguments) -> Sugar:
    """A call with a tensor among its arguments means torch's function."""
    row = f"aten::{_TORCH_NAMES.get(name, name)}"
    return e.call_operator(Operator(row, name), args)


# Rows that agree ----------------------------------------------------------------------------------


def _fused(
    e: Emitter, name: str, values: Sequence[Value], keywords: Mapping[str, Value]
) -> Value | None:
    """The call as a row of torch's, where one agrees with NumPy; else None."""
    if not values:
        return None
    if name in _REDUCTIONS:
        return _reduction(e, name, values, keywords)
    if name in _JOINS:
        return _joined(e, name, values, keywords)
    if keywords:
        return None
    if name in _ELEMENTWISE and len(values) == 1 and surface.is_float(values[0].type):
        return e.builder.op(f"aten::{_ELEMENTWISE[name]}", values[0])
    if name in _OPERATORS and len(values) == 2 and all(_is_operand(v.type) for v in values):
        return surface.binary(e, _OPERATORS[name], *values)
    if name in ("maximum", "minimum") and len(values) == 2:
        return _chosen(e, name, [], values)
    if name == "where" and len(values) == 3 and _is_mask(values[0].type):
        return _chosen(e, name, values[:1], values[1:])
    plain = all(v.type in (ty.INT, ty.FLOAT, ty.NONE) for v in values[1:])
    if name == "clip" and len(values) == 3 and surface.is_float(values[0].type) and plain:
        return e.builder.op("aten::clamp", *values)
    return None


def _is_operand(type_: Type) -> bool:
    return ty.is_array(type_) and rank_of(type_) != 0


def _is_mask(type_: Type) -> bool:
    return isinstance(type_, ty.TensorType) and type_.dtype is dtypes.bool_


def _chosen(e: Emitter, row: str, test: Sequence[Value], values: Sequence[Value]) -> Value | None:
    """A choice between two arrays of floats; a number takes the dtype of the other operand."""
    arrays = [v.type.dtype for v in values if isinstance(v.type, ty.TensorType)]
    if not any(surface.is_float(v.type) for v in values) or len(set(arrays)) != 1:
        return None
    if not all(ty.is_array(v.type) or v.type in (ty.INT, ty.FLOAT) for v in values):
        return None
    (target,) = set(arrays)
    assert target is not None
    operands = [surface.as_array(e, v, target) for v in values]
    return e.builder.op(f"aten::{row}", *test, *operands)


def _reduction(
    e: Emitter, name: str, values: Sequence[Value], keywords: Mapping[str, Value]
) -> Value | None:
    given = dict(keywords)
    if len(values) == 2 and "axis" not in given:
        given["axis"] = values[1]
    if not surface.is_float(values[0].type) or len(values) > 2:
        return None
    if given.keys() - {"axis", "keepdims"}:
        return None
    axis, keepdims = given.get("axis"), given.get("keepdims")
    if keepdims is not None and keepdims.type is not ty.BOOL:
        return None
    row = f"aten::{_REDUCTIONS[name]}"
    if axis is None or axis.type is ty.NONE:
        return None if keepdims is not None else e.builder.op(row, values[0])
    whole = isinstance(axis.type, ty.TupleType) and axis.type.elements
    if axis.type is not ty.INT and not (whole and set(axis.type.children) == {ty.INT}):
        return None
    return e.builder.op(row, values[0], axis, *([] if keepdims is None else [keepdims]))


_JOINS: Mapping[str, str] = {"stack": "aten::stack", "concatenate": "aten::cat"}


def _joined(
    e: Emitter, name: str, values: Sequence[Value], keywords: Mapping[str, Value]
) -> Value | None:
    """Arrays of one dtype and rank, in a list or in a tuple that is written out."""
    arrays, axis = values[0], keywords.get("axis", values[-1] if len(values) == 2 else None)
    if len(values) + len(keywords) > 2 or keywords.keys() - {"axis"}:
        return None
    if axis is not None and axis.type is not ty.INT:
        return None
    is_list = isinstance(arrays.type, ty.ListType)
    parts = arrays.node.inputs if arrays.node.kind == "prim::TupleConstruct" else ()
    kinds = arrays.type.children if is_list else [part.type for part in parts]
    known = _common_dtype_and_rank(kinds)
    if known is None:
        return None
    joined = arrays if is_list else e.builder.list(parts, kinds[0])
    made = e.builder.op(_JOINS[name], joined, *([] if axis is None else [axis]))
    made.type = array_type(known[0], known[1] + (name == "stack"))
    return made


def _common_dtype_and_rank(kinds: Sequence[Type]) -> tuple[DType, int] | None:
    """What arrays that are joined must share; None unless all are known to."""
    found: set[tuple[DType | None, int | None]] = set()
    for kind in kinds:
        if not isinstance(kind, ty.TensorType) or not ty.is_array(kind):
            return None
        found.add((kind.dtype, rank_of(kind)))
    if len(found) != 1:
        return None
    ((dtype, rank),) = found
    return (dtype, rank) if dtype is not None and rank else None


# Arrays -------------------------------------------------------------------------------------------

_UPDATES = frozenset({"sort", "fill", "partition", "put", "resize", "setfield", "setflags"})
_ATTRIBUTES = frozenset(name for name in dir(np.ndarray) if not name.startswith("_"))
_READ = ("T", "mT", "real", "imag", "size", "ndim", "itemsize", "nbytes", "strides")
_PLAIN = ("base", "ctypes", "data", "device", "flags", "flat")


def array_attribute(e: Emitter, value: Value, name: str) -> Sugar | None:
    """The meaning of `array.name`, or None where NumPy's arrays have no such attribute."""
    if name not in _ATTRIBUTES:
        return None
    if name == "shape" and ty.is_array(value.type):
        return Plain(e.builder.op("jit::shape", value))
    if name == "dtype" and ty.is_array(value.type):
        return Plain(e.builder.op("prim::dtype", value))
    if name in _READ or name == "shape":
        return Plain(e.builder.op("jit::numpy_attribute", value, e.builder.constant(name)))
    if name in _PLAIN or name == "dtype":
        return Plain(e.builder.op("jit::dynamic_getattr", value, e.builder.constant(name)))
    return Special(name, lambda e, args: _call_method(e, value, name, args))


def _call_method(e: Emitter, self: Value, name: str, args: Arguments) -> Sugar:
    values = [_value(e, meaning) for meaning in args.positional]
    keywords = {key: _value(e, meaning) for key, meaning in args.keywords.items()}
    if any(_has_tensor(value.type) for value in values):
        return _on_tensors(e, name, Arguments([Plain(self), *args.positional], args.keywords))
    fused = _reduction(e, name, [self, *values], keywords) if name in _REDUCTIONS else None
    if fused is not None:
        return Plain(fused)
    names = e.builder.constant(",".join(keywords))
    given = [self, e.builder.constant(name), names, *values, *keywords.values()]
    if name in _UPDATES:
        e.builder.call("jit::numpy_update", given)
        return Plain(e.builder.constant(None))
    return Plain(e.builder.op("jit::numpy_method", *given))


def array_names() -> list[str]:
    """The attributes of arrays."""
    return sorted(_ATTRIBUTES)
