"""Subscripts: reading, writing and deleting items of tensors, lists, strings, dicts and tuples.

A tensor subscript becomes the calls that `Tensor.__getitem__` makes: select, slice, unsqueeze, then
index.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from .. import dtypes
from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import Value
from ..ops.arrays import KEY_WIDTHS
from ..ops.numpy_types import rank_of
from . import hints, surface
from .emitter import INT64_MAX, Emitter
from .flow import decide_empty, is_open
from .operator_calls import as_element
from .operators import call_rows, rows_named
from .sugar import Constant, Keywords, Parts, Plain, SliceBounds, Sugar


def load_item(e: Emitter, node: ast.Subscript) -> Sugar:
    """`owner[key]`."""
    owner = e.expression(node.value)
    if isinstance(owner, Keywords):
        key = e.value_of(node.slice).constant()
        if key not in owner.items:
            raise e.error(
                ErrorKind.UNKNOWN_KEYWORD,
                f"there is no keyword argument {key!r} in this call",
                expected=" or ".join(map(repr, owner.items)) or "none",
                hint="write options.get(name, default) for one that may be missing",
            )
        return owner.items[key]
    parts = owner.elements(e)
    if parts is not None:
        return _tuple_item(e, node, owner, parts)
    if not isinstance(owner, Plain | Constant):
        raise e.error(ErrorKind.NOT_SUBSCRIPTABLE, f"{owner.describe()} cannot be subscripted")
    return Plain(_load(e, owner.value(e), node))


def _load(e: Emitter, owner: Value, node: ast.Subscript) -> Value:
    type_ = owner.type
    if surface.is_numpy(type_) or type_ is ty.ANY:
        key, values = array_key(e, node.slice)
        if type_ is ty.ANY and key == "i":
            return e.builder.op("jit::dynamic_getitem", owner, *values)
        view = basic_view(e, owner, key, values)
        if view is not None:
            return view
        if key in ("i", "(ii)"):
            return e.builder.op("jit::array_item", owner, *values)
        return e.builder.op("jit::numpy_index", owner, e.builder.constant(key), *values)
    if isinstance(type_, ty.TensorType):
        indexed = tensor_index(e, owner, node.slice)
        if not indexed.tensors:
            same = indexed.view is owner
            return e.builder.op("aten::alias", owner) if same else indexed.view
        row = "jit::index_last" if indexed.from_end else "aten::index"
        return e.builder.op(row, indexed.view, optional_tensors(e, indexed.tensors))
    _reject_unsubscriptable(e, owner)
    bounds = _slice_bounds(e, node.slice)
    if bounds is not None:
        return call_rows(e, "slice", owner, *_or_none(e, bounds))
    return _item(e, owner, e.value_of(node.slice))


def _item(e: Emitter, owner: Value, key: Value) -> Value:
    if owner.type is ty.ANY:
        return e.builder.op("jit::dynamic_getitem", owner, key)
    _check_key(e, owner, key)
    return call_rows(e, "__getitem__", owner, key)


def _check_key(e: Emitter, owner: Value, key: Value) -> None:
    type_ = owner.type
    wanted = type_.key if isinstance(type_, ty.DictType) else ty.INT
    if wanted is ty.NO_RETURN or isinstance(key.type, ty.TensorType) or key.type is ty.ANY:
        return
    if not ty.is_subtype(key.type, wanted) and not (wanted is ty.INT and key.type is ty.BOOL):
        raise e.error(
            ErrorKind.NOT_SUBSCRIPTABLE,
            f"{ty.annotation(type_)} is not subscripted by {ty.annotation(key.type)}",
            found=ty.annotation(key.type),
            expected=ty.annotation(wanted),
            hint=hints.for_conversion(key.type, wanted),
        )


def _reject_unsubscriptable(e: Emitter, owner: Value) -> None:
    type_ = owner.type
    if isinstance(type_, ty.ListType | ty.SequenceType | ty.DictType) or type_ in (ty.STR, ty.ANY):
        return
    if isinstance(type_, ty.OptionalType):
        node = e.node.value if isinstance(e.node, ast.Subscript) else None
        raise e.not_refined(node, type_, "which cannot be subscripted")
    raise e.error(
        ErrorKind.NOT_SUBSCRIPTABLE,
        "this value cannot be subscripted",
        found=ty.annotation(type_),
        expected="a tensor, list, tuple, dict or string",
    )


def _tuple_item(e: Emitter, node: ast.Subscript, owner: Sugar, parts: Sequence[Sugar]) -> Sugar:
    if isinstance(node.slice, ast.Slice):
        bounds = [b.constant() if b is not None else None for b in _bounds(e, node.slice)]
        if any(b is None and given for b, given in zip(bounds, _given(node.slice), strict=True)):
            raise e.error(
                ErrorKind.TUPLE_INDEX,
                "the bounds of a tuple slice must be known at compile time",
                hint="use a list",
            )
        return Parts(list(parts)[slice(*bounds)])
    key = e.value_of(node.slice)
    index = key.constant()
    if not isinstance(index, int):
        if key.type is not ty.INT:
            raise e.error(
                ErrorKind.TUPLE_INDEX,
                "a tuple is subscripted by an int",
                found=ty.annotation(key.type),
            )
        return Plain(_variable_index(e, owner.value(e), key))
    if not -len(parts) <= index < len(parts):
        raise e.error(
            ErrorKind.TUPLE_INDEX,
            f"index {index} is out of range for a tuple of {len(parts)}",
            expected=f"an index from {-len(parts)} to {len(parts) - 1}" if parts else None,
        )
    return parts[index]


def _variable_index(e: Emitter, owner: Value, key: Value) -> Value:
    """Indexing a tuple whose elements share a type by a number known only when it runs."""
    assert isinstance(owner.type, ty.TupleType)
    common = owner.type.elements[0] if owner.type.elements else None
    for element in owner.type.elements[1:]:
        common = None if common is None else ty.unify(common, element)
    if common is None:
        raise e.error(
            ErrorKind.TUPLE_INDEX,
            "the index of a tuple of several types must be known at compile time",
            found=ty.annotation(owner.type),
            hint="use a list, or unpack the tuple",
        )
    return e.builder.value("prim::TupleIndex", [owner, key], common)


def _slice_bounds(e: Emitter, key: ast.expr) -> list[Value | None] | None:
    """The bounds of a slice, written out or held by a name; None for any other key."""
    if isinstance(key, ast.Slice):
        return _bounds(e, key)
    if isinstance(key, ast.Name):
        meaning = e.lookup(key.id)
    elif isinstance(key, ast.Call) and isinstance(key.func, ast.Name) and key.func.id == "slice":
        meaning = e.expression(key)
    else:
        return None
    return meaning.bounds if isinstance(meaning, SliceBounds) else None


def _given(node: ast.Slice) -> list[bool]:
    return [bound is not None for bound in (node.lower, node.upper, node.step)]


def _bounds(e: Emitter, node: ast.Slice) -> list[Value | None]:
    return [
        None if bound is None else _without_none(e.value_of(bound))
        for bound in (node.lower, node.upper, node.step)
    ]


def _without_none(bound: Value) -> Value | None:
    return None if bound.type is ty.NONE else bound


def _or_none(e: Emitter, bounds: Sequence[Value | None]) -> list[Value]:
    start, stop, step = bounds
    values = [b if b is not None else e.builder.constant(None) for b in (start, stop)]
    return [*values, step if step is not None else e.builder.constant(1)]


# Tensors ------------------------------------------------------------------------------------------


WHOLE = SliceBounds(None, None, None)
"""`:`"""


@dataclass
class _Indexed:
    """A view, and the index tensors still to apply to its first (or, after an Ellipsis, last)
    dimensions.
    """

    view: Value
    tensors: list[Value | None]
    from_end: bool


def tensor_index(e: Emitter, x: Value, key: ast.expr) -> _Indexed:
    """Apply the parts of a subscript that give views; index tensors are left for the caller."""
    parts = _index_parts(e, key)
    if sum(part is Ellipsis for part in parts) > 1:
        raise e.error(ErrorKind.NOT_SUBSCRIPTABLE, "a subscript takes one Ellipsis")
    assert isinstance(x.type, ty.TensorType)
    surface = x.type.surface
    from_end = False
    kept: list[Value | None] = []
    for position, part in enumerate(parts):
        if part is Ellipsis:
            if any(kept):
                raise e.error(
                    ErrorKind.UNSUPPORTED_EXPRESSION,
                    "an index tensor before an Ellipsis is not in the language",
                    hint="write the slices out",
                )
            from_end, kept = True, []
            continue
        if isinstance(part, Value) and part.type is not ty.INT:
            kept.append(_index_tensor(e, part, surface))
            continue
        if part == WHOLE and (any(kept) or _is_shown(parts, position, from_end)):
            kept.append(None)
            continue
        at = _dimension(e, parts[position:] if from_end else kept, from_end)
        if isinstance(part, Value):
            x = e.builder.op("aten::select", x, at, part)
            continue
        if isinstance(part, SliceBounds):
            x = _sliced(e, x, at, part)
        else:
            x = e.builder.op("aten::unsqueeze", x, at)
        kept.append(None)
    if not any(kept):
        return _Indexed(x, [], False)
    while not from_end and kept[-1] is None:
        kept.pop()
    return _Indexed(x, kept, from_end)


def _dimension(e: Emitter, passed: Sequence[object], from_end: bool) -> Value:
    """The dimension of a part: counted from the front by the parts before it, which are new where
    they are None, or after an Ellipsis from the end by those from it on.
    """
    count = len(passed)
    if from_end:
        count -= sum(part is None for part in passed[1:])
    masks = [part for part in passed if isinstance(part, Value) and _may_be_mask(part)]
    if not masks:
        return e.builder.constant(-count if from_end else count)
    at = e.builder.constant(count - len(masks))
    for mask in masks:
        at = e.builder.op("aten::add", at, e.builder.op("jit::dims_indexed", mask))
    return e.builder.op("aten::neg", at) if from_end else at


def _may_be_mask(index: Value) -> bool:
    """Whether an index may take another number of dimensions than one."""
    type_ = index.type
    if not isinstance(type_, ty.TensorType) or type_.rank == 1:
        return False
    return type_.dtype in (None, dtypes.bool_, dtypes.uint8)


def _index_parts(e: Emitter, key: ast.expr) -> list[object]:
    nodes = key.elts if isinstance(key, ast.Tuple) else [key]
    parts: list[object] = []
    for node in nodes:
        with e.at(node):
            parts += _index_part(e, node)
    return parts


def _index_part(e: Emitter, node: ast.expr) -> list[object]:
    if isinstance(node, ast.Slice):
        return [SliceBounds(*_bounds(e, node))]
    if isinstance(node, ast.Constant) and (node.value is None or node.value is Ellipsis):
        return [node.value]
    meaning = e.expression(node)
    elements = meaning.elements(e)
    parts = [meaning] if elements is None else elements
    return [p if isinstance(p, SliceBounds) else _as_index(e, p.value(e)) for p in parts]


def _as_index(e: Emitter, value: Value) -> object:
    type_ = value.type
    if type_ is ty.NONE:
        return None
    is_index_list = isinstance(type_, ty.ListType) and type_.element in (ty.INT, ty.BOOL)
    if type_ is ty.INT or isinstance(type_, ty.TensorType) or is_index_list:
        return value
    raise e.error(
        ErrorKind.NOT_SUBSCRIPTABLE,
        "a tensor is not subscripted by this",
        found=ty.annotation(type_),
        expected="an int, slice, None, Ellipsis, tensor, or list of ints or bools",
    )


def _index_tensor(e: Emitter, value: Value, surface: ty.Surface) -> Value:
    if isinstance(value.type, ty.TensorType):
        return value
    # The dtype is said since an empty list alone would be a tensor of floats.
    assert isinstance(value.type, ty.ListType)
    dtype = dtypes.bool_ if value.type.element is ty.BOOL else dtypes.int64
    made = e.builder.op("aten::tensor", value, dtype=e.builder.constant(dtype))
    assert isinstance(made.type, ty.TensorType)
    made.type = made.type.refined(surface=surface)
    return made


def _is_shown(parts: Sequence[object], position: int, from_end: bool) -> bool:
    """Whether other parts need more dimensions than the one that this part takes whole."""
    further = parts[parts.index(Ellipsis) + 1 : position] if from_end else parts[position + 1 :]
    return any(part is not None for part in further)


def _sliced(e: Emitter, x: Value, at: Value, part: SliceBounds) -> Value:
    start = part.start or e.builder.constant(None)
    stop = part.stop or e.builder.constant(None if part.start is None else INT64_MAX)
    step = part.step or e.builder.constant(1)
    return e.builder.op("aten::slice", x, at, start, stop, step)


def optional_tensors(e: Emitter, tensors: Sequence[Value | None]) -> Value:
    """A list of index tensors, None where a dimension is taken whole."""
    values = [t if t is not None else e.builder.constant(None) for t in tensors]
    surface = next(t.type for t in tensors if t is not None)
    bare = ty.ARRAY if ty.is_array(surface) else ty.TENSOR
    return e.builder.list(values, ty.optional(bare))


# Arrays -------------------------------------------------------------------------------------------


def array_key(e: Emitter, key: ast.expr) -> tuple[str, list[Value]]:
    """A subscript of an array: a letter for each part (ops/arrays.py), and the values of the parts.
    """
    written = isinstance(key, ast.Tuple | ast.Slice) or _is_literal_part(key)
    meaning = None if written else _index(e, key)
    if meaning is not None and isinstance(meaning, Parts | Plain | Constant):
        elements = meaning.elements(e)
        if elements is None or not any(isinstance(part, SliceBounds) for part in elements):
            return "i", [meaning.value(e)]
    nodes: Sequence[ast.expr] = key.elts if isinstance(key, ast.Tuple) else [key]
    letters, values = "", list[Value]()
    for node in nodes:
        with e.at(node):
            for letter, part in _array_parts(e, node):
                letters += letter
                values += part
    return f"({letters})" if isinstance(key, ast.Tuple) else letters, values


def _index(e: Emitter, node: ast.expr) -> Sugar:
    """One part of a subscript. A list of indices may mix ints with NumPy's, as `np.array` does."""
    parts = node.elts if isinstance(node, ast.List) else ()
    if not parts or any(isinstance(part, ast.Starred | ast.List) for part in parts):
        return e.expression(node)
    with e.at(node):
        indices = [e.value_of(part) for part in parts]
        kinds = [index.type for index in indices]
        if ty.INT not in kinds or not any(map(surface.is_numpy, kinds)):
            return Plain(e.list_display(indices))
        mixed = e.builder.value("prim::TupleConstruct", indices, ty.tuple_of(*kinds))
        name, keywords = e.builder.constant("array"), e.builder.constant("")
        return Plain(e.builder.op("jit::numpy", name, keywords, mixed))


def basic_view(e: Emitter, owner: Value, key: str, values: Sequence[Value]) -> Value | None:
    """A subscript of an array by the rows that tensors have, where NumPy means what torch means.

    That is for ints and slices of ints with a positive step, if the array's rank is known and
    something is left of it: an element alone is a scalar of NumPy's.
    """
    letters, parts = key.strip("()"), _split(key, values)
    rank = rank_of(owner.type)
    if rank is None or letters.count("e") > 1 or not all(map(_is_basic, parts)):
        return None
    used = letters.count("i") + letters.count("s")
    if used > rank or rank - letters.count("i") + letters.count("n") == 0:
        return None
    view, dim = owner, 0
    for letter, part in zip(letters, parts, strict=True):
        at = e.builder.constant(dim)
        if letter == "i":
            view = e.builder.op("aten::select", view, at, *part)
            continue
        if letter == "n":
            view = e.builder.op("aten::unsqueeze", view, at)
        elif letter == "s":
            start, stop, step = part
            step = e.builder.constant(1) if step.type is ty.NONE else step
            view = e.builder.op("aten::slice", view, at, start, stop, step)
        dim += rank - used if letter == "e" else 1
    return view if view is not owner else None


def _split(key: str, values: Sequence[Value]) -> list[Sequence[Value]]:
    """The values of each part."""
    parts, at = list[Sequence[Value]](), 0
    for letter in key.strip("()"):
        parts.append(values[at : at + KEY_WIDTHS[letter]])
        at += KEY_WIDTHS[letter]
    return parts


def _is_basic(part: Sequence[Value]) -> bool:
    if len(part) == 1:
        return part[0].type is ty.INT
    if not part:
        return True
    start, stop, step = part
    bounded = all(bound.type in (ty.INT, ty.NONE) for bound in (start, stop))
    stride = step.constant()
    return bounded and (step.type is ty.NONE or (isinstance(stride, int) and stride > 0))


def _is_literal_part(node: ast.expr) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and (node.value is None or node.value is Ellipsis)


def _array_parts(e: Emitter, node: ast.expr) -> list[tuple[str, list[Value]]]:
    if isinstance(node, ast.Slice):
        return [("s", _slice_values(e, _bounds(e, node)))]
    if _is_literal_part(node):
        return [("e" if node.value is Ellipsis else "n", [])]
    starred = isinstance(node, ast.Starred)
    meaning = _index(e, node.value if isinstance(node, ast.Starred) else node)
    elements = meaning.elements(e) if starred or not isinstance(meaning, Plain) else None
    if elements is None:
        elements = [meaning]
    return [
        ("s", _slice_values(e, part.bounds))
        if isinstance(part, SliceBounds)
        else ("i", [part.value(e)])
        for part in elements
    ]


def _slice_values(e: Emitter, bounds: Sequence[Value | None]) -> list[Value]:
    return [b if b is not None else e.builder.constant(None) for b in bounds]


# Writing ------------------------------------------------------------------------------------------


def store_item(e: Emitter, node: ast.Subscript, value: Value) -> None:
    """`owner[key] = value`."""
    owner = e.value_of(node.value)
    type_ = owner.type
    if surface.is_numpy(type_) or type_ is ty.ANY:
        letters, values = array_key(e, node.slice)
        if letters in ("i", "(ii)"):
            e.builder.call("jit::array_store", [owner, *values, value])
            return
        e.builder.call("jit::numpy_store", [owner, value, e.builder.constant(letters), *values])
        return
    if isinstance(type_, ty.TensorType):
        _store_tensor(e, owner, node.slice, value)
        return
    if isinstance(type_, ty.TupleType | ty.SequenceType) or type_ is ty.STR:
        raise e.error(
            ErrorKind.ASSIGN_TARGET,
            f"items of {ty.annotation(type_)} cannot be assigned",
            hint="use a list",
        )
    _reject_unsubscriptable(e, owner)
    bounds = _slice_bounds(e, node.slice)
    if bounds is not None:
        e.builder.call("jit::_set_item", [owner, value, *_or_none(e, bounds)])
        return
    key = e.value_of(node.slice)
    if e.speculates and is_open(type_) and ty.ANY in [*ty.walk(key.type), *ty.walk(value.type)]:
        return  # an unknown element decides nothing
    _decide_element(owner, key, value)
    value = as_element(e, owner.type, value)
    _check_key(e, owner, key)
    _check_stored(e, owner, value)
    e.builder.call("_set_item", [owner, key, value], {}, rows_named("_set_item"))


def _decide_element(owner: Value, key: Value, value: Value) -> None:
    if isinstance(owner.type, ty.DictType):
        decide_empty(owner, ty.DictType(key.type, value.type))
    elif isinstance(owner.type, ty.ListType):
        decide_empty(owner, ty.ListType(value.type))


def _check_stored(e: Emitter, owner: Value, value: Value) -> None:
    type_ = owner.type
    wanted = type_.value if isinstance(type_, ty.DictType) else type_.children[-1]
    decide_empty(value, wanted)
    if not ty.is_subtype(value.type, wanted) and not ty.is_subtype(ty.unshaped(value.type), wanted):
        message = "the stored value does not have the type of the others"
        raise e.element_error(message, value.type, wanted)


def _store_tensor(e: Emitter, owner: Value, key: ast.expr, value: Value) -> None:
    indexed = tensor_index(e, owner, key)
    viewed = indexed.view
    if isinstance(value.type, ty.ListType):
        value = e.builder.op("aten::tensor", value)
    if not isinstance(value.type, ty.TensorType):
        if not indexed.tensors and value.type in ty.SCALARS:
            e.builder.call("aten::fill_", [viewed, value])
            return
        if value.type not in ty.SCALARS:
            raise e.error(
                ErrorKind.ASSIGN_TARGET,
                "this cannot be stored in a tensor",
                found=ty.annotation(value.type),
                expected="a tensor, number or bool",
            )
        value = e.builder.op("aten::scalar_tensor", value)
    if not indexed.tensors:
        e.builder.call("aten::copy_", [viewed, value])
        return
    value = e.builder.op("aten::to", value, e.builder.op("prim::dtype", viewed))
    row = "jit::index_put_last_" if indexed.from_end else "aten::index_put_"
    e.builder.call(row, [viewed, optional_tensors(e, indexed.tensors), value])


def delete_item(e: Emitter, node: ast.Subscript) -> None:
    """`del owner[key]`."""
    owner = e.value_of(node.value)
    if not isinstance(owner.type, ty.ListType | ty.DictType):
        raise e.error(
            ErrorKind.ASSIGN_TARGET,
            "only items of lists and dicts can be deleted",
            found=ty.annotation(owner.type),
        )
    bounds = _slice_bounds(e, node.slice)
    if bounds is not None:
        e.builder.call("jit::Delete", [owner, *_or_none(e, bounds)])
        return
    key = e.value_of(node.slice)
    _check_key(e, owner, key)
    e.builder.call("aten::Delete", [owner, key])
