"""NumPy's functions, and the attributes of its arrays.

A function that is covered runs as `jit::numpy`, which is NumPy's own; where a row of torch's agrees
with it on these arguments (numpy_agreed.py), that row is used and can be fused. Lists in
calls, as in `np.array([1, 2.5])`, are read as tuples, so that they may mix types. Other functions
are called back in Python. All attributes of arrays are covered.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import dtypes
from ..dtypes import DType
from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import ObjectRef, Value
from ..ir.types import Type
from ..ops.numpy_types import ELEMENTWISE
from .builtins import SyntaxForm
from .emitter import Emitter
from .numpy_agreed import EXTREMA, agreed_attribute, agreed_function, agreed_method
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

# Where an argument is a tensor, NumPy's name stands for torch's function.
_TORCH_NAMES = {
    "concatenate": "cat", "expand_dims": "unsqueeze", "transpose": "permute", "power": "pow",
    "copy": "clone",
    "subtract": "sub", "multiply": "mul", "divide": "div", "arctan2": "atan2", **ELEMENTWISE,
    "sum": "sum", "mean": "mean", **EXTREMA,
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

    kind = _Ufunc if isinstance(getattr(np, name, None), np.ufunc) else SyntaxForm
    return kind(f"np.{name}", expand, _call_with_displays)


@dataclass
class _Ufunc(SyntaxForm):
    """A function that has methods, as `np.add.reduce`."""

    def attribute(self, e: Emitter, name: str) -> Sugar:
        path = f"{self.label.removeprefix('np.')}.{name}"
        if name == "at":
            reason = "it writes to an argument"
            return Special(f"np.{path}", lambda e, args: _call_back(e, path, args, reason))
        if name in ("reduce", "accumulate", "reduceat", "outer"):
            return Special(f"np.{path}", lambda e, args: _call(e, path, args))
        return super().attribute(e, name)


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
    fused = agreed_function(e, name, values, keywords)
    if fused is not None:
        return Plain(fused)
    return Plain(_run(e, name, values, keywords))


def _value(e: Emitter, meaning: Sugar) -> Value:
    """An argument. Python's number classes are NumPy's dtypes, and so are the classes of NumPy's
    scalars, those that no tensor has as they are.
    """
    if not isinstance(meaning, ClassName):
        return meaning.value(e)
    if meaning.target in _PYTHON_DTYPES:
        return e.builder.constant(_PYTHON_DTYPES[meaning.target])
    if issubclass(meaning.target, np.generic) and e.dtype_of_class(meaning.target) is None:
        return e.builder.constant(ObjectRef(meaning.label, meaning.target), ty.FUNCTION)
    return meaning.value(e)


def _has_tensor(type_: Type) -> bool:
    return any(isinstance(t, ty.TensorType) and not ty.is_array(t) for t in ty.walk(type_))


def _run(e: Emitter, name: str, values: Sequence[Value], keywords: Mapping[str, Value]) -> Value:
    """NumPy's own function; a float that is known at compile time is computed here and now."""
    if name in ELEMENTWISE and len(values) == 1 and not keywords and values[0].type is ty.FLOAT:
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
    if name == "dtype" and isinstance(value.type, ty.TensorType):
        row = "jit::array_dtype" if value.type.dtype is None else "prim::dtype"
        return Plain(e.builder.op(row, value))
    agreed = agreed_attribute(e, name, value)
    if agreed is not None:
        return Plain(agreed)
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
    fused = agreed_method(e, name, self, values, keywords)
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
