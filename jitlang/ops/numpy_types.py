"""What NumPy's functions and methods give: the types of `jit::numpy` and kin.

What is known of a result lets operators on it be rows that can be fused, so the everyday functions
are here with dtype and rank; of all others it is known that they give arrays. The rule of a
function sees the types of its positional arguments, and no keywords but those it is asked about: a
call with others gives an array of which nothing is known. A rule may say less than is so, but
never anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir import types as ty
from ..ir.opdef import NOT_CONSTANT
from ..ir.types import Type

NUMBERS = (ty.BOOL, ty.INT, ty.FLOAT, ty.COMPLEX)
ARRAYS = ty.SequenceType(ty.ARRAY)
ARRAY_LIST = ty.ListType(ty.ARRAY)


def array_type(dtype: DType | None = None, rank: int | None = None) -> ty.TensorType:
    """The type of an array of which so much is known."""
    sizes = None if rank is None else (None,) * rank
    return ty.TensorType(dtype, sizes, surface=ty.Surface.NUMPY)


def rank_of(type_: Type) -> int | None:
    """The number of dimensions of an array, 0 for a number, None where it is not known."""
    if type_ in NUMBERS:
        return 0
    if isinstance(type_, ty.TensorType) and type_.sizes is not None:
        return len(type_.sizes)
    return None


PAIR = ty.TupleType((ty.ARRAY, ty.ARRAY))
RESULTS: Mapping[str, Type] = {
    "split": ARRAY_LIST, "array_split": ARRAY_LIST, "hsplit": ARRAY_LIST, "vsplit": ARRAY_LIST,
    "dsplit": ARRAY_LIST, "nonzero": ARRAYS, "meshgrid": ARRAYS, "divmod": PAIR, "modf": PAIR,
    "frexp": PAIR,
    "histogram": PAIR, "ix_": ARRAYS, "unravel_index": ARRAYS, "tril_indices": PAIR,
    "triu_indices": PAIR,
    "diag_indices": ARRAYS, "broadcast_arrays": ARRAYS,
    "allclose": ty.BOOL, "array_equal": ty.BOOL, "array_equiv": ty.BOOL, "isscalar": ty.BOOL,
    "may_share_memory": ty.BOOL, "shares_memory": ty.BOOL, "iscomplexobj": ty.BOOL,
    "isrealobj": ty.BOOL,
    "ndim": ty.INT, "shape": ty.SIZE, "size": ty.INT,
    "count_nonzero": ty.ANY, "linalg.svd": ty.ANY, "linalg.eigh": ty.ANY, "linalg.eig": ty.ANY,
    "linalg.qr": ty.ANY, "linalg.slogdet": ty.ANY, "linalg.lstsq": ty.ANY, "array2string": ty.STR,
}  # fmt: skip
"""What functions give that do not give an array."""

MORE_RESULTS = frozenset(
    {"retstep", "return_index", "return_inverse", "return_counts", "returned", "full", "cov"}
)
"""Keywords under which a function gives more than its one array."""

METHOD_RESULTS: Mapping[str, Type] = {
    "nonzero": ARRAYS, "tobytes": ty.ANY, "tolist": ty.ANY, "dump": ty.ANY, "dumps": ty.ANY,
    "is_integer": ty.BOOL,
    "as_integer_ratio": ty.ANY, "hex": ty.STR, "to_device": ty.ANY,
}  # fmt: skip
_CREATES = ("zeros", "ones", "empty", "full", "eye", "identity", "tri", "arange", "linspace")
_JOINS = ("concatenate", "stack", "vstack", "hstack", "column_stack")
_FLOATS = (dtypes.float32, dtypes.float64)
_REALS: Mapping[Type, type] = {ty.INT: int, ty.FLOAT: float}
_Rule = Callable[[Sequence[Type]], Type | None]
"""The type of a result by the types of positional arguments, None where it is not known."""


# Rules --------------------------------------------------------------------------------------------


def _own(type_: Type) -> DType | None:
    """The dtype of an array."""
    return type_.dtype if isinstance(type_, ty.TensorType) else None


def _floating(type_: Type) -> DType | None:
    """The dtype of an array of float32 or float64, of a float as NumPy's functions take it."""
    found = dtypes.float64 if type_ is ty.FLOAT else _own(type_)
    return found if found in _FLOATS else None


def _dimensions(type_: Type) -> int | None:
    """The rank of an array that has dimensions: what functions make of scalars may have some too,
    or be an array without any.
    """
    return rank_of(type_) or None


def _copy(types: Sequence[Type]) -> Type | None:
    """The dtype and rank of the first argument, whatever the others are."""
    own = _own(types[0])
    return None if own is None else array_type(own, _dimensions(types[0]))


def _copy_alone(types: Sequence[Type]) -> Type | None:
    """The same of a function that other arguments may tell another dtype or shape."""
    return _copy(types) if len(types) == 1 else None


def _sorted(types: Sequence[Type]) -> Type | None:
    """The same along an axis that is not None, which would be all elements in a row."""
    return _copy(types) if len(types) == 1 or types[1] is ty.INT else _moved(types)


def _triangle(types: Sequence[Type]) -> Type | None:
    """The same of a matrix; a vector is repeated."""
    return _copy(types) if rank_of(types[0]) == 2 else _moved(types)


def _repeated(types: Sequence[Type]) -> Type | None:
    """The elements in a row, or repeated along an axis."""
    if len(types) != 2 or _own(types[0]) is None:
        return _moved(types)
    return array_type(_own(types[0]), 1)


def _moved(types: Sequence[Type]) -> Type | None:
    """The dtype of the first argument."""
    return array_type(_own(types[0])) if _own(types[0]) is not None else None


def _flat(types: Sequence[Type]) -> Type | None:
    """The dtype of the only argument, in one dimension."""
    return array_type(_own(types[0]), 1) if len(types) == 1 and _own(types[0]) else None


def _reshaped(types: Sequence[Type]) -> Type | None:
    """Another shape, in one argument or in several."""
    if len(types) == 1 or _own(types[0]) is None:
        return _moved(types)
    return array_type(_own(types[0]), len(types) - 1 if len(types) > 2 else _shape_rank(types[1]))


def _elementwise(types: Sequence[Type]) -> Type | None:
    """Floats of floats."""
    own = _floating(types[0])
    return None if own is None or len(types) > 1 else array_type(own, rank_of(types[0]))


def _pairwise(types: Sequence[Type]) -> Type | None:
    """Floats of two operands, of which the wider one decides."""
    if len(types) != 2 or not any(map(_own, types)):
        return None
    known = [_own(t) or _REALS.get(t) for t in types]
    if None in known:
        return None
    found = dtypes.numpy_result_type(*(k for k in known if k is not None))
    return array_type(found, _common_rank(types)) if found in _FLOATS else None


def _tests(types: Sequence[Type]) -> Type | None:
    """Truth, element by element."""
    is_one = len(types) == 1 and _own(types[0]) is not None
    return array_type(dtypes.bool_, rank_of(types[0])) if is_one else None


def _common_rank(types: Sequence[Type]) -> int | None:
    ranks = [rank_of(t) for t in types]
    return None if None in ranks else max(rank for rank in ranks if rank is not None)


def _reduction(types: Sequence[Type]) -> Type | None:
    """A number of an array of floats, or an array of numbers along an axis."""
    own, rank = _floating(types[0]), rank_of(types[0])
    if own is None or not isinstance(types[0], ty.TensorType) or len(types) > 2:
        return None
    if len(types) == 1:
        return array_type(own, 0)
    return array_type(own, rank - 1 if types[1] is ty.INT and rank else None)


def _total(types: Sequence[Type]) -> Type | None:
    """A number of an array of float64."""
    is_float64 = _own(types[0]) is dtypes.float64
    return array_type(dtypes.float64, 0) if is_float64 and len(types) == 1 else None


def _norm(types: Sequence[Type]) -> Type | None:
    """A number of an array of floats."""
    own = _floating(types[0]) if _own(types[0]) is not None else None
    return array_type(own, 0) if own is not None and len(types) == 1 else None


def _cumulative(types: Sequence[Type]) -> Type | None:
    """Floats along an axis, or along all elements."""
    own = _floating(types[0])
    if own is None or not isinstance(types[0], ty.TensorType) or len(types) > 2:
        return None
    if len(types) == 1:
        return array_type(own, 1)
    return array_type(own, _dimensions(types[0]) if types[1] is ty.INT else None)


def _place(types: Sequence[Type]) -> Type | None:
    """The place of an element, or places along an axis."""
    rank = rank_of(types[0])
    if _own(types[0]) is None or len(types) > 2:
        return None
    if len(types) == 1:
        return array_type(dtypes.int64, 0)
    return array_type(dtypes.int64, rank - 1 if types[1] is ty.INT and rank else None)


def _places(types: Sequence[Type]) -> Type | None:
    """As many places as the first argument has elements."""
    rank = _dimensions(types[0]) if len(types) == 1 else None
    return array_type(dtypes.int64, rank) if _own(types[0]) is not None else None


def _searched(types: Sequence[Type]) -> Type | None:
    """As many places as the second argument has elements."""
    return array_type(dtypes.int64, rank_of(types[1])) if len(types) == 2 else None


def _counted(types: Sequence[Type]) -> Type | None:
    """One int for each number up to the largest."""
    return array_type(dtypes.int64, 1) if len(types) == 1 else None


def _diagonal(types: Sequence[Type]) -> Type | None:
    """A diagonal of a matrix, or a matrix with one."""
    rank = rank_of(types[0])
    return array_type(_own(types[0]), 3 - rank) if _own(types[0]) and rank in (1, 2) else None


def _sliding(types: Sequence[Type]) -> Type | None:
    """Two vectors, one sliding along the other."""
    found = _pairwise(types[:2])
    is_of_vectors = found is not None and [rank_of(t) for t in types[:2]] == [1, 1]
    return array_type(_own(found), 1) if found is not None and is_of_vectors else None


def _interpolated(types: Sequence[Type]) -> Type | None:
    """Floats at the places of the first argument."""
    is_real = len(types) == 3 and all(_floating(t) for t in types)
    return array_type(dtypes.float64, rank_of(types[0])) if is_real else None


def _inverse(types: Sequence[Type]) -> Type | None:
    """Floats of a matrix of floats."""
    is_matrix = len(types) == 1 and rank_of(types[0]) == 2
    return array_type(_own(types[0]), 2) if is_matrix and _floating(types[0]) else None


_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(("copy", "flip", "fliplr", "flipud", "roll"), _copy),
    **dict.fromkeys(("zeros_like", "ones_like", "empty_like"), _copy_alone),
    **dict.fromkeys(("tril", "triu"), _triangle),
    "sort": _sorted,
    "repeat": _repeated,
    **dict.fromkeys((
        "transpose", "squeeze", "swapaxes", "take", "expand_dims", "diagonal",
        "broadcast_to", "tile", "moveaxis",
    ), _moved),
    **dict.fromkeys(("ravel", "flatten", "unique"), _flat),
    "reshape": _reshaped,
    **dict.fromkeys((
        "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "tanh", "sinh",
        "cosh", "sin", "cos", "tan", "arctan", "arcsin", "arccos", "arcsinh", "arccosh", "arctanh",
        "square", "floor", "ceil", "trunc", "rint", "reciprocal", "sign", "deg2rad", "rad2deg",
        "radians", "degrees", "fabs",
    ), _elementwise),
    **dict.fromkeys((
        "hypot", "arctan2", "copysign", "logaddexp", "logaddexp2", "fmod", "fmin", "fmax",
        "nextafter", "maximum", "minimum",
    ), _pairwise),
    **dict.fromkeys(("isnan", "isinf", "isfinite", "signbit", "logical_not"), _tests),
    **dict.fromkeys((
        "var", "std", "sum", "mean", "prod", "max", "min", "amax", "amin", "ptp", "nansum",
        "nanmean", "nanmax", "nanmin", "nanstd", "nanvar", "nanprod",
    ), _reduction),
    **dict.fromkeys(("median", "nanmedian"), _total),
    "linalg.norm": _norm,
    **dict.fromkeys(("cumsum", "cumprod", "nancumsum"), _cumulative),
    **dict.fromkeys(("argmax", "argmin"), _place),
    **dict.fromkeys(("argsort", "digitize"), _places),
    "flatnonzero": _counted,
    "bincount": _counted,
    "searchsorted": _searched,
    "diag": _diagonal,
    **dict.fromkeys(("convolve", "correlate"), _sliding),
    "interp": _interpolated,
    **dict.fromkeys(("linalg.inv", "linalg.cholesky"), _inverse),
}  # fmt: skip
_UNMENTIONED: Mapping[str, tuple[str, ...]] = {
    "flip": ("axis",), "roll": ("axis",), "bincount": ("minlength",),
}  # fmt: skip
"""Keywords that change nothing of what a function's rule says."""
_WITH_AXIS = (_sorted, _reduction, _cumulative, _place)
"""Rules that know an axis as the second argument."""
_OF_REDUCTIONS = {"axis", "keepdims", "ddof"}


def _by_rule(name: str, keywords: str, types: Sequence[Type]) -> Type:
    """The type of a result by the rule of its function."""
    rule, names = _RULES.get(name), _names(keywords)
    given = types[: len(types) - len(names)]
    if rule is None or not given:
        return ty.ARRAY
    if names == ("axis",) and len(given) == 1 and rule in _WITH_AXIS:
        given, names = types, ()
    if rule is _reduction and names and {*names} <= _OF_REDUCTIONS:
        dtype = _floating(given[0]) if _own(given[0]) is not None else None
        return array_type(dtype)
    if not {*names} <= {*_UNMENTIONED.get(name, ())}:
        return ty.ARRAY
    return rule(given) or ty.ARRAY


# Calls --------------------------------------------------------------------------------------------


def _names(keywords: str) -> tuple[str, ...]:
    return tuple(keywords.split(",")) if keywords else ()


def function_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type of `jit::numpy`: a name, the names of keywords, and arguments."""
    name, keywords = constants[0], constants[1]
    if NOT_CONSTANT in (name, keywords):
        return ty.ANY
    if MORE_RESULTS.intersection(_names(keywords)):
        return ty.ANY
    if name in RESULTS:
        return RESULTS[name]
    if name in _CREATES and len(types) > 2:
        return _created_type(name, keywords, types, constants)
    if name == "full_like" and len(types) == 4 and not keywords and types[3] in FILLS:
        return _copy(types[2:]) or ty.ARRAY
    if name in _JOINS and len(types) > 2:
        return array_type(_common_dtype(types[2]))
    return _by_rule(name, keywords, types[2:])


def _common_dtype(type_: Type) -> DType | None:
    found = {t.dtype if isinstance(t, ty.TensorType) else None for t in type_.children}
    return found.pop() if len(found) == 1 else None


def _created_type(
    name: str, keywords: str, types: Sequence[Type], constants: Sequence[Any]
) -> Type:
    """The type of an array made of sizes and numbers."""
    names = _names(keywords)
    given = types[2 : len(types) - len(names)]
    dtype = None
    if "dtype" in names:
        found = constants[len(constants) - len(names) + names.index("dtype")]
        dtype = found if isinstance(found, DType) else None
    elif ty.DTYPE not in given:
        dtype = _default_dtype(name, given, types[2:])
    rank = {"eye": 2, "identity": 2, "tri": 2, "arange": 1, "linspace": 1}.get(name)
    if name == "linspace" and any(rank_of(t) != 0 for t in given):
        return ty.ARRAY  # arrays of bounds give more dimensions
    return array_type(dtype, rank or (_shape_rank(given[0]) if given else None))


def _default_dtype(name: str, given: Sequence[Type], everything: Sequence[Type]) -> DType | None:
    """The dtype of an array for which none is asked, by its arguments without and with keywords."""
    if name == "arange":
        kinds = {*everything}
        if not kinds <= {ty.INT, ty.FLOAT}:
            return None
        return dtypes.float64 if ty.FLOAT in kinds else dtypes.int64
    if name == "full":
        return FILLS.get(given[1]) if len(given) == 2 else None
    if name in ("zeros", "ones", "empty"):
        return dtypes.float64 if len(given) == 1 else None
    return dtypes.float64


ELEMENTWISE: Mapping[str, str] = {
    **{name: name for name in (
        "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "tanh", "sinh", "cosh", "sin",
        "cos", "tan", "abs",
        "square", "floor", "ceil", "trunc", "isnan", "isinf", "isfinite", "reciprocal",
    )},
    "arctan": "atan", "arcsin": "asin", "arccos": "acos", "absolute": "abs", "negative": "neg",
    "rint": "round",
}  # fmt: skip
"""Functions of one array, element by element, and torch's rows that do the same with floats."""
FILLS: Mapping[Type, DType] = {
    ty.BOOL: dtypes.bool_, ty.INT: dtypes.int64, ty.FLOAT: dtypes.float64,
}  # fmt: skip
"""Numbers that fill an array, and the dtype that it has if none is given."""


def _shape_rank(type_: Type) -> int | None:
    if type_ is ty.INT:
        return 1
    return len(type_.elements) if isinstance(type_, ty.TupleType) else None


def method_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type of `jit::numpy_method`: an array, a name, the names of keywords, and arguments."""
    name = constants[1]
    if name == "item":
        return _item_type(types[0])
    if name is NOT_CONSTANT:
        return ty.ANY
    if name in METHOD_RESULTS:
        return METHOD_RESULTS[name]
    if name == "astype" and len(types) == 4 and isinstance(constants[3], DType):
        # An array of which nothing is known may be of a subclass, and its copy too.
        return ty.ARRAY if types[0] is ty.ARRAY else array_type(constants[3], rank_of(types[0]))
    return _by_rule(name, constants[2], [types[0], *types[3:]])


def _item_type(type_: Type) -> Type:
    dtype = type_.dtype if isinstance(type_, ty.TensorType) else None
    if dtype is None:
        return ty.NUMBER
    return NUMBERS[dtype.category]
