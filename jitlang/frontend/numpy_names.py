"""NumPy's functions, and the attributes of its arrays, in terms of rows and explicit casts."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..errors import ErrorKind, did_you_mean
from ..ir import types as ty
from ..ir.graph import Value
from . import surface
from .emitter import Emitter
from .operators import binary_values, compare_values
from .sugar import Arguments, Constant, Operator, Plain, Special, Sugar

Expansion = Callable[[Emitter, Arguments], Sugar]


def function_meaning(name: str) -> Sugar | None:
    """What `np.name` means, or None where only Python can call it."""
    expansion = _expansion(name)
    return None if expansion is None else Special(f"np.{name}", expansion)


def _expansion(name: str) -> Expansion | None:
    if name in surface.FUNCTIONS:
        row, is_floating = surface.FUNCTIONS[name]
        return lambda e, args: _unary(e, row, is_floating, args)
    if name in surface.BINARY_FUNCTIONS:
        operator = surface.BINARY_FUNCTIONS[name]()
        return lambda e, args: Plain(binary_values(e, operator, *_two(e, name, args)))
    if name in surface.COMPARE_FUNCTIONS:
        comparison = surface.COMPARE_FUNCTIONS[name]()
        return lambda e, args: Plain(compare_values(e, comparison, *_two(e, name, args)))
    return _EXPANSIONS.get(name)


def _two(e: Emitter, name: str, args: Arguments) -> tuple[Value, Value]:
    if len(args.positional) != 2 or args.keywords:
        raise e.error(ErrorKind.ARITY, f"np.{name} takes two positional arguments here")
    lhs, rhs = operands(e, args.positional)
    return lhs, rhs


def operands(e: Emitter, meanings: Sequence[Sugar]) -> list[Value]:
    """Operands of a function: numbers beside an array are weak (NEP 50), by themselves they are arrays."""
    values = [meaning.value(e) for meaning in meanings]
    if any(isinstance(v.type, ty.TensorType) for v in values):
        return values
    return [as_array(e, Plain(v)) for v in values]


def as_array(e: Emitter, meaning: Sugar) -> Value:
    """An argument as NumPy's functions take it: a number becomes an array of its own, strong, dtype."""
    value = meaning.value(e)
    if isinstance(value.type, ty.TensorType):
        return value
    if value.type not in _FILL_DTYPES:
        raise e.error(
            ErrorKind.ARGUMENT_TYPE,
            "NumPy's functions take arrays and numbers here",
            found=ty.annotation(value.type),
        )
    keywords = {"dtype": e.builder.constant(_FILL_DTYPES[value.type])}
    return _on_numpy(e.builder.call("aten::scalar_tensor", [value], keywords)[0])


def _unary(e: Emitter, row: str, is_floating: bool, args: Arguments) -> Sugar:
    """A unary function or a reduction; what follows the array is passed on."""
    first = as_array(e, args.positional[0])
    if is_floating:
        first = surface.floating(e, first, wide=row == "mean")
    rest = Arguments(
        [Plain(first), *args.positional[1:]], args.keywords, args.nodes, args.keyword_nodes
    )
    return e.call_operator(Operator(f"aten::{row}", row), rest)


# Functions with a form of their own ---------------------------------------------------------------


def _promoted(e: Emitter, row: str) -> Expansion:
    def expand(e: Emitter, args: Arguments) -> Sugar:
        pair = _both_arrays(e, *surface.promoted(e, row, *_two(e, row, args)))
        return e.call_operator(Operator(f"aten::{row}", row), Arguments([Plain(v) for v in pair]))

    return expand


def _both_arrays(e: Emitter, lhs: Value, rhs: Value) -> tuple[Value, Value]:
    """A weak number becomes an array of the other operand's dtype."""

    def array(value: Value, other: Value) -> Value:
        if isinstance(value.type, ty.TensorType):
            return value
        dtype = e.builder.op("prim::dtype", other)
        return _on_numpy(e.builder.call("aten::scalar_tensor", [value], {"dtype": dtype})[0])

    return array(lhs, rhs), array(rhs, lhs)


def _where(e: Emitter, args: Arguments) -> Sugar:
    test = as_array(e, args.positional[0])
    lhs, rhs = _both_arrays(e, *surface.promoted(e, "where", *operands(e, args.positional[1:])))
    return Plain(e.builder.op("aten::where", test, lhs, rhs))


def _filled(row: str) -> Expansion:
    def expand(e: Emitter, args: Arguments) -> Sugar:
        size = shape_value(e, args.positional[0].value(e))
        rest = [a.value(e) for a in args.positional[1:]]
        keywords = {name: a.value(e) for name, a in args.keywords.items()}
        if row != "full" and rest:
            keywords["dtype"] = rest.pop()
        if "dtype" not in keywords:
            default = dtypes.float64
            if row == "full" and rest[0].type in _FILL_DTYPES:
                default = _FILL_DTYPES[rest[0].type]
            keywords["dtype"] = e.builder.constant(default)
        made = e.builder.call(f"aten::{row}", [size, *rest], keywords)[0]
        return Plain(_on_numpy(made))

    return expand


_FILL_DTYPES = {
    ty.INT: dtypes.int64, ty.FLOAT: dtypes.float64, ty.BOOL: dtypes.bool_, ty.COMPLEX: dtypes.complex128,
}  # fmt: skip


def shape_value(e: Emitter, value: Value) -> Value:
    """A shape argument: an int stands for one dimension."""
    return e.builder.list([value]) if value.type is ty.INT else value


def _on_numpy(value: Value) -> Value:
    """A created tensor, put on the NumPy surface."""
    assert isinstance(value.type, ty.TensorType)
    value.type = value.type.refined(surface=ty.Surface.NUMPY)
    return value


def _arange(e: Emitter, args: Arguments) -> Sugar:
    values = [a.value(e) for a in args.positional]
    keywords = {name: a.value(e) for name, a in args.keywords.items()}
    if "dtype" not in keywords:
        whole = all(v.type is ty.INT for v in values)
        keywords["dtype"] = e.builder.constant(dtypes.int64 if whole else dtypes.float64)
    return Plain(_on_numpy(e.builder.call("aten::arange", values, keywords)[0]))


def _joined(row: str) -> Expansion:
    def expand(e: Emitter, args: Arguments) -> Sugar:
        parts = args.positional[0].elements(e)
        if parts is not None:
            values = [part.value(e) for part in parts]
            first: Sugar = Plain(e.list_display(_same_dtypes(e, values)))
        else:
            first = Plain(e.as_list(args.positional[0]))
        rest = Arguments([first, *args.positional[1:]], args.keywords)
        return e.call_operator(Operator(f"aten::{row}", row), rest)

    return expand


def _same_dtypes(e: Emitter, values: Sequence[Value]) -> list[Value]:
    known = [v.type.dtype for v in values if isinstance(v.type, ty.TensorType)]
    if None in known or len(known) != len(values):
        return list(values)
    target = dtypes.numpy_result_type(*(d for d in known if d is not None))
    return [surface.cast_to(e, v, target) for v in values]


def _reshape(e: Emitter, args: Arguments) -> Sugar:
    first, *rest = [a.value(e) for a in args.positional]
    sizes = rest[0] if len(rest) == 1 else e.builder.list(rest)
    return Plain(e.builder.op("aten::reshape", first, shape_value(e, sizes)))


def _ravel(e: Emitter, args: Arguments) -> Sugar:
    flat = e.builder.list([e.builder.constant(-1)])
    return Plain(e.builder.op("aten::reshape", args.positional[0].value(e), flat))


def _transpose(e: Emitter, args: Arguments) -> Sugar:
    first, *rest = [a.value(e) for a in args.positional]
    rest += [a.value(e) for a in args.keywords.values()]
    if not rest:
        return Plain(e.builder.op("aten::numpy_T", first))
    axes = rest[0] if len(rest) == 1 else e.builder.list(rest)
    return Plain(e.builder.op("aten::permute", first, axes))


def _split(e: Emitter, args: Arguments) -> Sugar:
    values = [a.value(e) for a in args.positional]
    keywords = {surface.RENAMED_KEYWORDS.get(n, n): a.value(e) for n, a in args.keywords.items()}
    return Plain(e.builder.call("jit::numpy_split", values, keywords)[0])


def _dot(e: Emitter, args: Arguments) -> Sugar:
    return Plain(binary_values(e, ast.MatMult(), *_two(e, "dot", args)))


def _clip(e: Emitter, args: Arguments) -> Sugar:
    low = [Constant(None)] if len(args.positional) < 2 else [args.positional[1]]
    high = [Constant(None)] if len(args.positional) < 3 else [args.positional[2]]
    return e.call_operator(
        Operator("aten::clamp", "clip"), Arguments([args.positional[0], *low, *high])
    )


_EXPANSIONS: dict[str, Expansion] = {
    "maximum": lambda e, args: _promoted(e, "maximum")(e, args),
    "minimum": lambda e, args: _promoted(e, "minimum")(e, args),
    "logical_and": lambda e, args: _promoted(e, "logical_and")(e, args),
    "logical_or": lambda e, args: _promoted(e, "logical_or")(e, args),
    "where": _where,
    "zeros": _filled("zeros"),
    "ones": _filled("ones"),
    "full": _filled("full"),
    "empty": _filled("empty"),
    "arange": _arange,
    "concatenate": _joined("cat"),
    "stack": _joined("stack"),
    "reshape": _reshape,
    "ravel": _ravel,
    "transpose": _transpose,
    "split": _split,
    "dot": _dot,
    "clip": _clip,
}


# Arrays -------------------------------------------------------------------------------------------

_PROPERTIES = {"ndim": "aten::dim", "T": "aten::numpy_T", "size": "aten::numel", "dtype": "prim::dtype"}


def array_attribute(e: Emitter, value: Value, name: str) -> Sugar | None:
    """The meaning of `array.name`, or None where arrays have no such attribute in the language."""
    if name == "shape":
        return Plain(e.builder.op("jit::shape", value))
    if name in _PROPERTIES:
        return Plain(e.builder.op(_PROPERTIES[name], value))
    if name == "astype":
        return Special("astype", lambda e, args: _astype(e, value, args))
    if name in ("item", "tolist"):
        return Operator(f"aten::{name}", name, value)
    expansion = _METHODS.get(name)
    if expansion is None and name in surface.METHODS:
        expansion = _expansion(name)
    if expansion is None:
        return None
    chosen = expansion
    return Special(name, lambda e, args: chosen(e, _with_self(value, args)))


def array_names() -> list[str]:
    """The attributes of arrays that the language knows."""
    return ["shape", *_PROPERTIES, "astype", "item", "tolist", *_METHODS, *surface.METHODS]


def _with_self(value: Value, args: Arguments) -> Arguments:
    return Arguments([Plain(value), *args.positional], args.keywords, [], args.keyword_nodes)


def _astype(e: Emitter, value: Value, args: Arguments) -> Sugar:
    """`astype` always copies."""
    given: Any = args.positional[0] if args.positional else args.keywords["dtype"]
    target = given.value(e)
    keywords = {"copy": e.builder.constant(True)}
    return Plain(e.builder.call("aten::to", [value, target], keywords)[0])


_METHODS: dict[str, Expansion] = {
    "reshape": _reshape,
    "ravel": _ravel,
    "transpose": _transpose,
    "dot": _dot,
    "clip": _clip,
}


def near_names(name: str) -> str | None:
    """A hint for a NumPy name that is not known."""
    known = [*surface.FUNCTIONS, *surface.BINARY_FUNCTIONS, *surface.COMPARE_FUNCTIONS, *_EXPANSIONS]
    return did_you_mean(name, known)


