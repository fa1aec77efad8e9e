"""Rows of the array surface: what NumPy itself does to raw arrays and its scalars.

The surface has one rule: where a row of torch's agrees with NumPy in values, dtypes, kinds and
exceptions, the front end uses it (so that it can be fused); everything else is one of these rows,
which run NumPy's own operators, functions and methods on the values as they are. A value of the
surface is an `ndarray` or one of NumPy's scalars, whichever NumPy gives.

- `jit::array_add` and kin: Python's operators. `jit::array_iadd` and kin write where Python would,
  into an array; a scalar is replaced.
- `jit::numpy(name, keywords, ...)`: a function by its name below `np`; the last arguments go by
  `keywords`.
- `jit::numpy_method(self, name, keywords, ...)`, `jit::numpy_update(...)`: methods; the updating
  ones give None. `jit::numpy_attribute(self, name)`: what arrays say of themselves.
- `jit::numpy_index(self, key, ...)`, `jit::numpy_store(...)`: subscripts. Each letter of `key` is
  one part: `i` a value as it is, `s` a slice of three values, `n` None, `e` an Ellipsis; a key in
  parentheses is a tuple.
- `READINGS`: rows of torch's that agree in all values, but not in their exceptions. On arrays the
  interpreter runs these functions of NumPy for them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.opdef import NOT_CONSTANT, Effect
from ..ir.types import Type
from .index import BEFORE, dims_indexed, index_put_, index_sizes, indexed, indexed_type
from .numpy_types import ARRAY_LIST, NUMBERS, array_type, function_type, method_type, rank_of
from .rows import op, scalar
from .rules import wrap_dim

# Operators ----------------------------------------------------------------------------------------

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "floor_divide": "//", "remainder": "%",
    "pow": "**",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
}  # fmt: skip
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
IN_PLACE = {
    "add": operator.iadd, "sub": operator.isub, "mul": operator.imul, "div": operator.itruediv,
    "floor_divide": operator.ifloordiv, "remainder": operator.imod, "pow": operator.ipow,
    "matmul": operator.imatmul, "and": operator.iand, "or": operator.ior, "xor": operator.ixor,
    "lshift": operator.ilshift, "rshift": operator.irshift,
}  # fmt: skip


def _binary_type(name: str) -> Callable[[Sequence[Type], Sequence[Any]], Type]:
    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        if not any(isinstance(t, ty.TensorType) for t in types):
            return _union_type(name, types)
        ranks = [rank_of(t) for t in types]
        known = [r for r in ranks if r is not None]
        rank = None if len(known) < 2 or name == "matmul" else max(known)
        return array_type(_result_dtype(name, types), rank)

    return infer


def _union_type(name: str, types: Sequence[Type]) -> Type:
    """Where it is open whether there is an array at all: a number, or an array."""
    if name in COMPARE:
        return ty.union([ty.BOOL, ty.ARRAY])
    if ty.ANY in types:
        return ty.ANY
    numbers = {part for t in types for part in ty.alternatives(t) if part in NUMBERS}
    if name == "div" or name == "pow":
        numbers.add(ty.FLOAT)
    return ty.union([*numbers, ty.ARRAY])


def _result_dtype(name: str, types: Sequence[Type]) -> DType | None:
    if name in COMPARE:
        return dtypes.bool_
    operands = [
        t.dtype if isinstance(t, ty.TensorType) else ty.NUMBER_CLASSES.get(t) for t in types
    ]
    if None in operands or name in ("lshift", "rshift"):
        return None
    found = dtypes.numpy_result_type(*(o for o in operands if o is not None))
    is_known = name in _OF_INTEGERS and found.category is dtypes.Category.INTEGRAL
    return found if is_known or found.category >= dtypes.Category.FLOATING else None


_OF_INTEGERS = frozenset(("add", "sub", "mul", "floor_divide", "remainder"))
"""Operators that give integers for integers, of the dtype that both have in common."""

for _name, _symbol in {**BINARY, **COMPARE}.items():
    scalar(f"jit::array_{_name}(Any a, Any b) -> Any", f"a {_symbol} b", infer=_binary_type(_name))


def _same_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    type_ = types[0]
    return type_ if isinstance(type_, ty.TensorType) else _union_type("div", types)


def _absolute_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """A complex number has a real one."""
    dtype = types[0].dtype if isinstance(types[0], ty.TensorType) else None
    return ty.ARRAY if dtype is None or dtype.is_complex else types[0]


for _name, _symbol in {"neg": "-", "pos": "+", "bitwise_not": "~"}.items():
    scalar(f"jit::array_{_name}(Any a) -> Any", f"{_symbol}a", infer=_same_type)
scalar("jit::array_abs(Any a) -> Any", "abs(a)", infer=_absolute_type)
scalar("jit::array_round(Any a, int n) -> Any", "round(a, n)", infer=_same_type)


def _written_type(name: str) -> Callable[[Sequence[Type], Sequence[Any]], Type]:
    """An array stays what it is; a number or a scalar is replaced, maybe by one of another dtype,
    which an array without dimensions would not take on.
    """

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Type:
        first = types[0]
        if isinstance(first, ty.TensorType) and rank_of(first):
            return first
        if not any(isinstance(t, ty.TensorType) for t in types):
            return _union_type(name, types)
        computed = _binary_type(name)(types, constants)
        is_same = first in NUMBERS or (
            isinstance(first, ty.TensorType) and isinstance(computed, ty.TensorType)
            and first.dtype is computed.dtype and rank_of(computed) == 0
        )  # fmt: skip
        return computed if is_same else ty.ARRAY

    return infer


def _writing(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda xp, a, b: function(a, b)


for _name, _operator in IN_PLACE.items():
    op(
        f"jit::array_i{_name}(Any(a!) self, Any other) -> Any(a)",
        impl=_writing(_operator),
        infer=_written_type(_name),
        function=None,
        method=None,
    )


def _list_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ARRAY_LIST


scalar("jit::array_list(Any(a) a) -> Any", "list(a)", infer=_list_type)


def _trips(xp: Any, a: Any) -> int:
    """How often a loop over an array runs; what has no items raises what the loop would."""
    try:
        return len(a)
    except TypeError:
        iter(a)
        raise


op("jit::array_trips(Any a) -> int", impl=_trips, effect=Effect.IO, function=None, method=None)
scalar("jit::array_contains(Any a, Any item) -> bool", "item in a")


# Functions and methods ----------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as NumPy takes it: dtypes are NumPy's own."""
    if isinstance(value, DType):
        return value.numpy
    return value


@cache
def _function(xp: Any, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = operator.attrgetter(name)(xp)
    return found


@cache
def _names(keywords: str) -> tuple[str, ...]:
    return tuple(keywords.split(",")) if keywords else ()


def _split_keywords(keywords: str, values: Sequence[Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    given = [plain(value) for value in values]
    names = _names(keywords)
    at = len(given) - len(names)
    return given[:at], dict(zip(names, given[at:], strict=True))


def _call(xp: Any, name: str, keywords: str, *values: Any) -> Any:
    positional, named = _split_keywords(keywords, values)
    return _function(xp, name)(*positional, **named)


def _call_method(xp: Any, self: Any, name: str, keywords: str, *values: Any) -> Any:
    positional, named = _split_keywords(keywords, values)
    return getattr(self, name)(*positional, **named)


def _update(xp: Any, self: Any, name: str, keywords: str, *values: Any) -> None:
    _call_method(xp, self, name, keywords, *values)


op(
    "jit::numpy(str name, str keywords, ...) -> Any", impl=_call, infer=function_type,
    function=None, method=None,
)  # fmt: skip
op(
    "jit::numpy_method(Any(a) self, str name, str keywords, ...) -> Any(a)", impl=_call_method,
    infer=method_type, function=None, method=None,
)  # fmt: skip
op(
    "jit::numpy_update(Any(a!) self, str name, str keywords, ...) -> ()", impl=_update,
    function=None, method=None,
)  # fmt: skip


# Attributes ---------------------------------------------------------------------------------------

ATTRIBUTES: Mapping[str, Type] = {
    "T": ty.ARRAY, "mT": ty.ARRAY, "real": ty.ARRAY, "imag": ty.ARRAY, "size": ty.INT,
    "ndim": ty.INT,
    "itemsize": ty.INT, "nbytes": ty.INT, "shape": ty.SIZE, "strides": ty.SIZE,
}  # fmt: skip


def _attribute_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ATTRIBUTES.get(constants[1], ty.ANY) if constants[1] is not NOT_CONSTANT else ty.ANY


scalar(
    "jit::numpy_attribute(Any(a) self, str name) -> Any(a)", "getattr(self, name)",
    infer=_attribute_type,
)  # fmt: skip


def _dtype(xp: Any, array: Any) -> Any:
    """A dtype that tensors do not have, by its kind or its byte order, is NumPy's own."""
    dtype = array.dtype
    return dtypes.from_numpy(dtype) if dtypes.is_native(dtype) else dtype


op("jit::array_dtype(Tensor a) -> ScalarType", impl=_dtype, function=None, method=None)


# Subscripts ---------------------------------------------------------------------------------------

KEY_WIDTHS = {"i": 1, "s": 3, "n": 0, "e": 0}
"""How many values a part of a subscript has: an index, a slice, None, an Ellipsis."""


@cache
def _key_maker(key: str) -> Callable[..., Any]:
    """A function from the values of a subscript to the subscript, for a key such as `is`."""
    parts, count = [], 0
    for letter in key.strip("()"):
        names = [f"v{count + i}" for i in range(KEY_WIDTHS[letter])]
        count += len(names)
        texts = {"n": "None", "e": "...", "s": f"slice({', '.join(names)})"}
        parts.append(texts.get(letter, "".join(names)))
    subscript = parts[0] if len(parts) == 1 and "(" not in key else f"({', '.join(parts)},)"
    if not parts:
        subscript = "()"
    made: Callable[..., Any] = eval(
        f"lambda {', '.join(f'v{i}' for i in range(count))}: {subscript}"
    )
    return made


def _index(xp: Any, self: Any, key: str, *values: Any) -> Any:
    if key == "i":
        return self[values[0]]
    return self[_key_maker(key)(*values)]


def subscripted(array: Any, key: str, values: Sequence[Any]) -> Any:
    """What an array shows at a subscript of numbers and slices: a view, without dimensions where
    NumPy would give a scalar.

    Raises:
        IndexError: an index is out of range.
    """
    rest = "" if "e" in key else "e"
    return array[_key_maker(f"({key.strip('()')}{rest})")(*values)]


def _store(xp: Any, self: Any, value: Any, key: str, *values: Any) -> None:
    self[_key_maker(key)(*values)] = plain(value)


def _index_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    self = types[0]
    if not isinstance(self, ty.TensorType):
        return ty.ANY if self is ty.ANY else ty.ARRAY
    rank, key = rank_of(self), constants[1]
    if rank is None or key is NOT_CONSTANT:
        return array_type(self.dtype)
    at = 2
    for letter in key.strip("()"):
        if letter == "i" and types[at] is not ty.INT:
            return array_type(self.dtype)
        rank += {"i": -1, "n": 1}.get(letter, 0)
        at += KEY_WIDTHS[letter]
    return array_type(self.dtype, max(rank, 0))


def _item_of(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    self, *indices = types
    if isinstance(self, ty.TensorType) and self.sizes and len(indices) <= len(self.sizes):
        block = index_sizes(indices)
        if block is not None:
            sizes = (*block, *self.sizes[len(indices) :])
            return ty.TensorType(self.dtype, sizes, surface=ty.Surface.NUMPY)
    return _index_type([types[0], ty.STR, *types[1:]], [None, "i" * (len(types) - 1)])


# The usual subscripts, as expressions that the interpreter writes in place.
scalar("jit::array_item(Any(a) self, Any i) -> Any(a)", "self[i]", infer=_item_of)
scalar("jit::array_item.two(Any(a) self, Any i, Any j) -> Any(a)", "self[i, j]", infer=_item_of)
op(
    "jit::element(Any self, ...) -> Any", impl=lambda xp, self, *indices: self[indices],
    infer=_item_of, function=None, method=None,
)  # fmt: skip
scalar("jit::array_store(Any(a!) self, Any i, Any value) -> ()", "self.__setitem__(i, value)")
scalar(
    "jit::array_store.two(Any(a!) self, Any i, Any j, Any value) -> ()",
    "self.__setitem__((i, j), value)",
)
op(
    "jit::numpy_index(Any(a) self, str key, ...) -> Any(a)", impl=_index, infer=_index_type,
    function=None, method=None,
)  # fmt: skip
op(
    "jit::numpy_store(Any(a!) self, Any value, str key, ...) -> ()", impl=_store,
    function=None, method=None,
)  # fmt: skip

# Rows of torch's that raise other exceptions ----------------------------------------------------


def _axis(dim: Any) -> Any:
    """NumPy's axis; no dimension, given to a row that has no None, means all of them.

    One dimension is given as a number, which NumPy takes of what has no dimensions too.
    """
    if not isinstance(dim, list | tuple):
        return dim
    return dim[0] if len(dim) == 1 else tuple(dim) or None


def _summed(name: str) -> Callable[..., Any]:
    def run(xp: Any, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
        return getattr(x, name)(_axis(dim), plain(dtype), keepdims=keepdim)

    return run


def _reduced(name: str) -> Callable[..., Any]:
    def run(xp: Any, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        method = getattr(x, name)  # matrices keep dimensions, and have no such keyword
        return method(_axis(dim), keepdims=True) if keepdim else method(_axis(dim))

    return run


def _spread(name: str) -> Callable[..., Any]:
    def run(xp: Any, x: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
        return getattr(x, name)(_axis(dim), ddof=correction, keepdims=keepdim)

    return run


def _selected(xp: Any, x: Any, dim: int, index: int) -> Any:
    """`x[:, i]` as a view, of a vector's element too."""
    return x[(*BEFORE[wrap_dim(dim, x.ndim)], index, ...)]
def _norm(
    xp: Any, x: Any, order: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    return xp.linalg.norm(x, axis=_axis(dim), keepdims=keepdim)


# Methods are quicker than functions, which look for the methods of other classes first.
READINGS: Mapping[str, Callable[..., Any]] = {
    "aten::matmul": lambda xp, a, b: a @ b,
    "aten::sum": lambda xp, x, dtype=None: x.sum(dtype=plain(dtype)),
    "aten::sum.dim_IntList": _summed("sum"),
    "aten::prod": lambda xp, x, dtype=None: x.prod(dtype=plain(dtype)),
    "aten::prod.dim_int": _summed("prod"),
    "aten::linalg_vector_norm": _norm,
    "aten::mean": lambda xp, x, dtype=None: x.mean(dtype=plain(dtype)),
    "aten::mean.dim": _summed("mean"),
    "aten::amax": _reduced("max"),
    "aten::amin": _reduced("min"),
    **{f"aten::{name}{form}": _reduced(name) for name in ("any", "all") for form in (
        "", ".dim", ".dims")},
    "aten::std.correction": _spread("std"),
    "aten::var.correction": _spread("var"),
    "aten::select.int": _selected,
    "aten::reshape": lambda xp, x, shape: x.reshape(shape),
    "aten::permute": lambda xp, x, axes: x.transpose(axes),
    "aten::transpose.int": lambda xp, x, first, second: x.swapaxes(first, second),
    "aten::to.dtype": lambda xp, x, dtype, *others: x.astype(plain(dtype)),
    "aten::stack": lambda xp, arrays, axis=0: xp.stack(arrays, axis),
    "aten::cat": lambda xp, arrays, axis=0: xp.concatenate(arrays, axis),
}


def _shape_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.SIZE


op(
    "jit::shape(Tensor self) -> int[]", impl=lambda xp, x: x.shape, infer=_shape_type,
    function=None, method=None,
)  # fmt: skip


# Index tensors behind an Ellipsis ----------------------------------------------------------------


def _from_front(x: Any, indices: Sequence[Any]) -> list[Any]:
    """The same indices behind a None for each dimension before them."""
    taken = sum(1 if index is None else dims_indexed(index) for index in indices)
    if taken > x.ndim:
        raise IndexError(f"too many indices for tensor of dimension {x.ndim}")
    return [*[None] * (x.ndim - taken), *indices]


def _index_last(xp: Any, x: Any, indices: Sequence[Any]) -> Any:
    return indexed(xp, x, _from_front(x, indices))


def _put_last(xp: Any, x: Any, indices: Sequence[Any], values: Any) -> Any:
    return index_put_(xp, x, _from_front(x, indices), values)


def _index_last_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    self, indices = types[0], types[1]
    assert isinstance(self, ty.TensorType)
    if self.sizes is None or not isinstance(indices, ty.TupleType):
        return ty.TensorType(self.dtype, surface=self.surface)
    whole = (ty.NONE,) * (len(self.sizes) - len(indices.elements))
    return indexed_type([self, ty.tuple_of(*whole, *indices.elements)], constants)


op(
    "jit::index_last(Tensor self, Tensor?[] indices) -> Tensor", impl=_index_last,
    infer=_index_last_type, function=None, method=None,
)  # fmt: skip
op(
    "jit::index_put_last_(Tensor(a!) self, Tensor?[] indices, Tensor values) -> Tensor(a!)",
    impl=_put_last, function=None, method=None,
)  # fmt: skip
