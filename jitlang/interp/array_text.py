"""Rows of torch's on arrays, as the Python text that NumPy's own users write.

The front end uses a row of torch's on arrays where it means what NumPy means, so that it can be
fused (`ops/arrays.py`). What is not fused stands in the generated text as NumPy's operator, method
or function: `r0 - r1`, `r0.max(1)`, `np_floor(r0)`. The row's kernel would first look at its
operands, which takes as long as the work on a few numbers. What is asked here is known when the
text is written; a row of which too little is known stays a call of its kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.graph import Node, Value
from ..ir.opdef import OpDef
from ..ops.arrays import IN_PLACE
from ..ops.kernels import CORRECTLY_ROUNDED
from ..ops.numpy_types import rank_of
from ..ops.rows import kernel_of
from ..ops.traits import Role, roles_of, traits_of
from .numpy_text import Namer, NumpyFunction, operand_text, slice_text
from .text import identifier

Writer = Callable[[Node, Sequence[str], Namer], str | None]

_OPERATORS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "bitwise_and": "&",
    "bitwise_or": "|", "bitwise_xor": "^", "equal": "==", "not_equal": "!=", "less": "<",
    "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip
"""Array functions that have an operator; all of them round correctly."""
_DTYPES = (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64, dtypes.bool_)
"""Dtypes in which NumPy computes with Python's numbers as kernels do."""
_NUMBERS: dict[ty.Type, type] = {ty.INT: int, ty.FLOAT: float}
_EUCLIDEAN = 2
_AS_IT_IS = (None, 1)
"""Memory formats that keep the order of the strides."""


@dataclass(frozen=True, slots=True)
class ArrayFunction:
    """A name of the text that stands for the array function which a pointwise row is."""

    op: OpDef
    path: str

    def bind(self, xp: ModuleType, exact: bool) -> Callable[..., Any]:
        """The function of one array namespace; the kernel where exact mode rounds otherwise."""
        if exact and self.path not in CORRECTLY_ROUNDED:
            return kernel_of(self.op, xp, exact)
        function: Callable[..., Any] = getattr(xp, self.path)
        return function


def array_call(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    """A node's expression, or the statement of one that writes; None where its kernel must look at
    the operands.

    Args:
        node: any node with a row.
        texts: its inputs.
        name: names what the text refers to.
    """
    assert node.op is not None
    values = (*node.inputs, *node.outputs)
    tensors = [t for v in values for t in ty.walk(v.type) if isinstance(t, ty.TensorType)]
    if not tensors or not all(map(ty.is_array, tensors)):
        return None
    if node.op.is_pointwise:
        return _pointwise(node, node.op, texts, name)
    write = _WRITERS.get(node.op.full_name)
    return None if write is None else write(node, texts, name)


def _function(path: str, name: Namer) -> str:
    return name(identifier(f"np_{path}"), NumpyFunction(path), ("numpy", path))


def _dtype_of(value: Value) -> DType | None:
    return value.type.dtype if isinstance(value.type, ty.TensorType) else None


def _is_usual(node: Node, first: int) -> bool:
    """Whether all arguments from one on are what the schema has for them."""
    assert node.op is not None
    pairs = zip(node.inputs[first:], node.op.schema.arguments[first:], strict=True)
    return all(v.is_constant and v.constant() == argument.default for v, argument in pairs)


# Pointwise rows -----------------------------------------------------------------------------------


def _pointwise(node: Node, op: OpDef, texts: Sequence[str], name: Namer) -> str | None:
    """An operator or a function of the operands, if that is the row on operands of these types."""
    if op.full_name in ("aten::where.self", "jit::numpy_where"):
        return _where(node, texts, name)
    ufunc, roles = traits_of(op).ufunc, roles_of(op)
    count = sum(role is Role.TENSOR or role is Role.SCALAR for role in roles)
    is_known = _has_sure_dtype(node.inputs[:count], node.output) and _is_usual(node, count)
    if not is_known or not {*roles[:count]} <= {Role.TENSOR, Role.SCALAR}:
        return None
    given = texts[:count]
    if op.full_name == "aten::rsub.Scalar":
        return f"{given[1]} - {given[0]}"
    if ufunc in _OPERATORS:
        return f" {_OPERATORS[ufunc]} ".join(given)
    if not ufunc or count < len(roles):
        return None
    function = name(identifier(f"np_{ufunc}"), ArrayFunction(op, ufunc), ("array", op))
    return f"{function}({', '.join(given)})"


def is_temporary(node: Node) -> bool:
    """Whether the first operand of a row that is an operator may hold its result: an array that
    NumPy has just made, which nobody else reads, of the result's dtype, beside a number. NumPy
    does so by itself where it computes an expression that is not taken apart.
    """
    first, *others = node.inputs
    made = first.node
    is_fresh = made.kind == "jit::numpy" and made.inputs[0].constant() in _FRESH
    return (
        is_fresh
        and len(first.uses) == 1
        and bool(rank_of(first.type))
        and _dtype_of(first) is _dtype_of(node.output) is not None
        and all(value.type in _NUMBERS for value in others)
    )


_FRESH = frozenset(("arange", "linspace", "cumsum", "cumprod", "sort", "argsort", "bincount"))
"""Functions whose results share memory with nothing."""


def _has_sure_dtype(operands: Sequence[Value], result: Value) -> bool:
    """Whether NumPy's result has the dtype of the row's for sure: that of all arrays, or bool."""
    found = {_dtype_of(v) for v in operands if isinstance(v.type, ty.TensorType)}
    dtype = found.pop() if len(found) == 1 else None
    if dtype not in _DTYPES or _dtype_of(result) not in (dtype, dtypes.bool_):
        return False
    numbers = [v for v in operands if not isinstance(v.type, ty.TensorType)]
    return not numbers or (dtype is not dtypes.bool_ and all(map(_is_plain, numbers)))


def _is_plain(value: Value) -> bool:
    """Whether a number is one of Python's, which follows the dtype of an array."""
    kind = _NUMBERS.get(value.type)
    return kind is not None and (not value.is_constant or type(value.constant()) is kind)


def _where(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    test, one, other = map(_dtype_of, node.inputs)
    if test is not dtypes.bool_ or one is None or one is not other:
        return None
    return f"{_function('where', name)}({', '.join(texts)})"


# Reductions ---------------------------------------------------------------------------------------


def _reduction(method: str) -> Writer:
    """`x.method(axis, keepdims=True)`."""

    def write(node: Node, texts: Sequence[str], name: Namer) -> str | None:
        given = _reduction_arguments(node, texts)
        return None if given is None else f"{operand_text(texts[0])}.{method}({', '.join(given)})"

    return write


def _norm(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    """`np.linalg.norm(x, axis=0)`."""
    given = _reduction_arguments(node, texts)
    if given is None or node.inputs[1].constant() != _EUCLIDEAN:
        return None
    if given and "=" not in given[0]:
        given[0] = f"axis={given[0]}"
    return f"{_function('linalg.norm', name)}({', '.join([texts[0], *given])})"


def _reduction_arguments(node: Node, texts: Sequence[str]) -> list[str] | None:
    """What stands between the parentheses, as far as it is not as usual; None where NumPy has no
    such argument.
    """
    assert node.op is not None
    found: list[str] = []
    for argument, value, text in zip(node.op.schema.arguments, node.inputs, texts, strict=True):
        write = _REDUCTION_ARGUMENTS.get(argument.name)
        given = "" if write is None else write(value, text)
        if given is None:
            return None
        found += [given] if given else []
    return found


def _axis(value: Value, text: str) -> str | None:
    """The text of dimensions; empty for all of them."""
    if value.type is ty.INT:
        return text
    if value.type is ty.NONE:
        return ""
    parts = [part.constant() for part in value.node.inputs]
    if value.node.kind != "prim::ListConstruct" or None in parts:
        return None
    return repr(parts[0] if len(parts) == 1 else tuple(parts)) if parts else ""


def _keepdims(value: Value, text: str) -> str | None:
    if not value.is_constant:
        return f"keepdims={text}"
    return "keepdims=True" if value.constant() else ""


_REDUCTION_ARGUMENTS: dict[str, Callable[[Value, str], str | None]] = {
    "dim": _axis,
    "keepdim": _keepdims,
    "dtype": lambda value, text: "" if value.type is ty.NONE else None,
    "correction": lambda value, text: "" if value.constant() == 0 else f"ddof={text}",
}


# Views and copies ---------------------------------------------------------------------------------


def _method(text: str, count: int = 1) -> Writer:
    """An expression over the first arguments, where the others are as usual."""

    def write(node: Node, texts: Sequence[str], name: Namer) -> str | None:
        if not _is_usual(node, count):
            return None
        return text.format(operand_text(texts[0]), *texts[1:])

    return write


def _subscript(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    """`x[:, i]`, `x[:, a:b]`, `x[:, None]`: one part after as many whole dimensions as it takes."""
    dim = node.inputs[1].constant()
    if dim is None or dim < 0 or not rank_of(node.output.type):
        return None
    kind = node.kind.removeprefix("aten::")
    part = {"select": "".join, "unsqueeze": lambda _: "None", "slice": slice_text}[kind](texts[2:])
    return f"{operand_text(texts[0])}[{', '.join([*[':'] * dim, part])}]"


def _clone(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    order = '"K"' if node.inputs[1].constant() in _AS_IT_IS else ""
    return f"{operand_text(texts[0])}.copy({order})" if node.inputs[1].is_constant else None


def _cast(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    dtype = _named_dtype(node.inputs[1], name)
    if dtype is None or not _is_usual(node, 2):
        return None
    return f"{operand_text(texts[0])}.astype({dtype})"


def _scalar(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    """A number as an array without dimensions."""
    dtype = _named_dtype(node.inputs[1], name)
    if dtype is None or node.inputs[0].type not in _NUMBERS or not _is_usual(node, 2):
        return None
    return f"{_function('array', name)}({texts[0]}, {dtype})"


def _named_dtype(value: Value, name: Namer) -> str | None:
    """The text of a dtype that is known."""
    dtype = value.constant()
    known = isinstance(dtype, DType)
    return name(f"dtype_{dtype.name}", dtype.numpy, ("dtype", dtype)) if known else None


def _in_place(function: Any) -> Writer:
    """`a += b` as an expression, for scalars of NumPy's give another."""

    def write(node: Node, texts: Sequence[str], name: Namer) -> str | None:
        return f"{name(function.__name__, function, function)}({', '.join(texts)})"

    return write


def _joined(path: str) -> Writer:
    return lambda node, texts, name: f"{_function(path, name)}({', '.join(texts)})"


def _copied(node: Node, texts: Sequence[str], name: Namer) -> str | None:
    """`x[...] = y` of one dtype."""
    target, source = map(_dtype_of, node.inputs[:2])
    if target is None or target is not source:
        return None
    return f"{operand_text(texts[0])}[...] = {texts[1]}"


_WRITERS: dict[str, Writer] = {
    **{
        f"aten::{name}{form}": _reduction(name)
        for name in ("any", "all")
        for form in ("", ".dim", ".dims")
    },
    **dict.fromkeys(("aten::sum", "aten::sum.dim_IntList"), _reduction("sum")),
    **dict.fromkeys(("aten::mean", "aten::mean.dim"), _reduction("mean")),
    **dict.fromkeys(("aten::prod", "aten::prod.dim_int"), _reduction("prod")),
    "aten::linalg_vector_norm": _norm,
    "aten::amax": _reduction("max"),
    "aten::amin": _reduction("min"),
    "aten::std.correction": _reduction("std"),
    "aten::var.correction": _reduction("var"),
    "aten::matmul": _method("{} @ {}", 2),
    "aten::numpy_T": _method("{}.T"),
    "aten::transpose.int": _method("{}.swapaxes({}, {})", 3),
    "aten::permute": _method("{}.transpose({})", 2),
    "aten::reshape": _method("{}.reshape({})", 2),
    "aten::diagonal": _method("{}.diagonal()"),
    "aten::numel": _method("{}.size"),
    "aten::Bool.Tensor": _method("bool({})"),
    "aten::select.int": _subscript,
    "aten::slice.Tensor": _subscript,
    "aten::unsqueeze": _subscript,
    "aten::clone": _clone,
    "aten::to.dtype": _cast,
    "aten::copy_": _copied,
    "aten::scalar_tensor": _scalar,
    **{f"jit::array_i{name}": _in_place(function) for name, function in IN_PLACE.items()},
    "aten::stack": _joined("stack"),
    "aten::cat": _joined("concatenate"),
}
