"""Rewrite rules for tuples, lists, truth values, types and numbers."""

from __future__ import annotations

from .. import ops  # noqa: F401  # fills the table
from ..ir import types as ty
from ..ir.graph import CONSTANT, Node, Value, create_node
from ..ir.opdef import OPS
from ..ir.types import Type
from .alias import AliasAnalysis, written_argument
from .rules import (
    NO_VALUE,
    constant_of,
    full_name,
    insert,
    is_number,
    replace,
    replace_by_constant,
    replace_by_row,
    rule,
)

# Tuples -----------------------------------------------------------------------------------------


@rule("prim::TupleUnpack")
def unpack_of_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """`a, b = (x, y)` is `a = x; b = y`."""
    made = node.inputs[0].node
    if made.kind != "prim::TupleConstruct":
        return False
    for value, part in zip(node.outputs, made.inputs, strict=True):
        value.replace_all_uses_with(part)
    node.destroy()
    return True


@rule("prim::TupleIndex")
def index_of_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """`(x, y)[1]` is `y`."""
    made, index = node.inputs[0].node, constant_of(node.inputs[1])
    if made.kind != "prim::TupleConstruct" or index is NO_VALUE:
        return False
    return replace(node, made.inputs[index])


@rule("prim::TupleSlice")
def slice_of_tuple(node: Node, analysis: AliasAnalysis) -> bool:
    """`(x, y, z)[1:]` is `(y, z)`."""
    made = node.inputs[0].node
    if made.kind != "prim::TupleConstruct":
        return False
    parts = made.inputs[node.attributes["beg"] : node.attributes["end"]]
    tuple_ = create_node("prim::TupleConstruct", parts, [node.output.type], span=node.span)
    return replace(node, insert(tuple_, node))


@rule("prim::TupleConstruct")
def tuple_of_unpacked(node: Node, analysis: AliasAnalysis) -> bool:
    """`a, b = t; (a, b)` is `t`."""
    if not node.inputs or node.inputs[0].node.kind != "prim::TupleUnpack":
        return False
    unpacked = node.inputs[0].node
    if node.inputs != unpacked.outputs or unpacked.inputs[0].type is not node.output.type:
        return False
    return replace(node, unpacked.inputs[0])


# Lists ------------------------------------------------------------------------------------------


def _display(value: Value, analysis: AliasAnalysis) -> list[Value] | None:
    """The elements of a list that is a display and stays as it is."""
    made = value.node
    is_display = made.kind == "prim::ListConstruct" and not analysis.is_changed_list(value)
    return made.inputs if is_display else None


@rule("prim::ListUnpack")
def unpack_of_list(node: Node, analysis: AliasAnalysis) -> bool:
    """`a, b = [x, y]` is `a = x; b = y`."""
    parts = _display(node.inputs[0], analysis)
    if parts is None or len(parts) != len(node.outputs):
        return False
    for value, part in zip(node.outputs, parts, strict=True):
        value.replace_all_uses_with(part)
    node.destroy()
    return True


@rule("aten::len")
def len_of_list(node: Node, analysis: AliasAnalysis) -> bool:
    """`len([x, y])` is 2."""
    parts = _display(node.inputs[0], analysis)
    return parts is not None and replace_by_constant(node, len(parts))


@rule("aten::__getitem__")
def item_of_list(node: Node, analysis: AliasAnalysis) -> bool:
    """`[x, y][1]` is `y`."""
    parts, index = _display(node.inputs[0], analysis), constant_of(node.inputs[1])
    if parts is None or type(index) is not int or not -len(parts) <= index < len(parts):
        return False
    return replace(node, parts[index])


# Dicts ------------------------------------------------------------------------------------------


def _entries(value: Value, analysis: AliasAnalysis) -> dict[object, Value] | None:
    """The keys and values of a dict that is a display of constant keys and stays as it is."""
    made = value.node
    if made.kind != "prim::DictConstruct" or analysis.may_change(value):
        return None
    keys = [constant_of(key) for key in made.inputs[::2]]
    if any(type(key) not in (int, str) for key in keys):
        return None
    return dict(zip(keys, made.inputs[1::2], strict=True))


@rule("aten::__getitem__")
def item_of_dict(node: Node, analysis: AliasAnalysis) -> bool:
    """`{"a": x}["a"]` is `x`."""
    entries, key = _entries(node.inputs[0], analysis), constant_of(node.inputs[1])
    if entries is None or type(key) not in (int, str) or key not in entries:
        return False
    return replace(node, entries[key])


@rule("aten::__contains__")
def key_in_dict(node: Node, analysis: AliasAnalysis) -> bool:
    """`"b" in {"a": x}` is false."""
    entries, key = _entries(node.inputs[0], analysis), constant_of(node.inputs[1])
    if entries is None or type(key) not in (int, str):
        return False
    return replace_by_constant(node, key in entries)


@rule("aten::len")
def len_of_dict(node: Node, analysis: AliasAnalysis) -> bool:
    """`len({"a": x})` is 1."""
    entries = _entries(node.inputs[0], analysis)
    return entries is not None and replace_by_constant(node, len(entries))


@rule("aten::keys", "aten::values", "aten::items")
def parts_of_dict(node: Node, analysis: AliasAnalysis) -> bool:
    """`{"a": x}.keys()` is `["a"]`; the values and the items alike."""
    entries = _entries(node.inputs[0], analysis)
    if entries is None:
        return False
    keys, values = node.inputs[0].node.inputs[::2], list(entries.values())
    if len(keys) != len(values):
        return False
    parts = {"aten::keys": keys, "aten::values": values}.get(node.kind)
    if parts is None:
        assert isinstance(node.output.type, ty.ListType)
        tuples = [
            create_node("prim::TupleConstruct", pair, [node.output.type.element], span=node.span)
            for pair in zip(keys, values, strict=True)
        ]
        parts = [insert(made, node) for made in tuples]
    made = create_node("prim::ListConstruct", parts, [node.output.type], span=node.span)
    return replace(node, insert(made, node))


# Rows that write an argument, told by their texts: parsing all schemas would make the import slow.
_WRITING = sorted({op.name for op in OPS if "!" in op.schema_text})


@rule(*_WRITING)
def written_argument_is_the_result(node: Node, analysis: AliasAnalysis) -> bool:
    """`y = x.add_(1)` gives `x` itself."""
    at = written_argument(node.op) if node.op is not None else None
    if at is None or not node.output.uses or node.inputs[at].type is not node.output.type:
        return False
    node.output.replace_all_uses_with(node.inputs[at])
    return True


@rule("aten::add_", "aten::extend")
def extension_by_display(node: Node, analysis: AliasAnalysis) -> bool:
    """`xs += [x, y]` appends `x` and `y`."""
    is_extension = full_name(node) in ("aten::add_.t", "aten::extend.t")
    parts = _display(node.inputs[1], analysis) if is_extension else None
    if parts is None or any(value.uses for value in node.outputs):
        return False
    op = OPS.find("jit::append.t")
    for part in parts:
        made = create_node("jit::append", [node.inputs[0], part], op=op, span=node.span)
        made.callstack = node.callstack
        made.insert_before(node)
    node.destroy()
    return True


# Tensors ----------------------------------------------------------------------------------------


@rule("aten::copy_")
def copy_into_item(node: Node, analysis: AliasAnalysis) -> bool:
    """`xs[i] = x` stores an item, where nothing is converted or broadcast."""
    target, item = node.inputs[:2]
    taken = target.node
    if full_name(taken) != "aten::select.int" or len(target.uses) > 1 or node.output.uses:
        return False
    before = node.previous
    while before.kind == CONSTANT:
        before = before.previous
    buffer, dim, index = taken.inputs
    if before is not taken or not _is_whole_item(buffer.type, constant_of(dim), item.type):
        return False
    op = OPS.find("jit::store_item")
    made = create_node("jit::store_item", [buffer, dim, index, item], op=op, span=node.span)
    made.callstack = node.callstack
    made.insert_before(node)
    node.destroy()
    taken.destroy()
    return True


def _is_whole_item(buffer: Type, dim: object, item: Type) -> bool:
    """Whether an item has the dtype and the sizes of one that it takes the place of."""
    if not isinstance(buffer, ty.TensorType) or not isinstance(item, ty.TensorType):
        return False
    sizes = buffer.sizes
    if not sizes or None in sizes or not isinstance(dim, int) or buffer.dtype is None:
        return False
    if not -len(sizes) <= dim < len(sizes) or buffer.surface is not item.surface:
        return False
    at = dim % len(sizes)
    return item.dtype is buffer.dtype and item.sizes == (*sizes[:at], *sizes[at + 1 :])


# Booleans ---------------------------------------------------------------------------------------


@rule("aten::__not__")
def not_of_not(node: Node, analysis: AliasAnalysis) -> bool:
    """`not not x` is `x` for a bool."""
    inner = node.inputs[0].node
    return inner.kind == "aten::__not__" and replace(node, inner.inputs[0])


_OPPOSITES = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_ORDERED = (ty.INT, ty.STR, ty.BOOL)
"""Types without nan."""


@rule("aten::__not__")
def not_of_comparison(node: Node, analysis: AliasAnalysis) -> bool:
    """`not (a < b)` is `a >= b`; with floats, only `not (a == b)` is `a != b`."""
    inner = node.inputs[0].node
    name, _, overload = full_name(inner).removeprefix("aten::").partition(".")
    opposite = _OPPOSITES.get(name)
    if opposite is None or inner.op is None or len(inner.output.uses) > 1:
        return False
    kinds = (*_ORDERED, ty.FLOAT) if name in ("eq", "ne") else _ORDERED
    if any(value.type not in kinds for value in inner.inputs):
        return False
    return replace_by_row(node, f"aten::{opposite}.{overload}", list(inner.inputs))


@rule("aten::__and__", "aten::__or__")
def logic_with_neutral_element(node: Node, analysis: AliasAnalysis) -> bool:
    """`x & True` and `x | False` are `x` for bools."""
    neutral = node.kind == "aten::__and__"
    if any(value.type is not ty.BOOL for value in node.inputs):
        return False
    for value, other in (node.inputs, node.inputs[::-1]):
        if constant_of(other) is neutral:
            return replace(node, value)
    return False


# Types ------------------------------------------------------------------------------------------


@rule("aten::__is__", "aten::__isnot__")
def none_test_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`x is None` is decided where the type of `x` excludes None, or is None."""
    for value, other in (node.inputs, node.inputs[::-1]):
        if other.type is not ty.NONE:
            continue
        if value.type is ty.NONE or not _may_be_none(value.type):
            is_none = value.type is ty.NONE
            return replace_by_constant(node, is_none == (node.kind == "aten::__is__"))
    return False


def _may_be_none(type_: Type) -> bool:
    return any(isinstance(t, ty.NoneType | ty.AnyType | ty.VarType) for t in ty.alternatives(type_))


@rule("prim::isinstance")
def instance_test_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`isinstance(x, int)` is decided where the type of `x` settles it."""
    parts = ty.alternatives(node.inputs[0].type)
    types = node.attributes["types"]
    if all(any(ty.is_subtype(part, t) for t in types) for part in parts):
        return replace_by_constant(node, True)
    if any(_may_overlap(a, b) for a in parts for b in types):
        return False
    return replace_by_constant(node, False)


def _may_overlap(a: Type, b: Type) -> bool:
    """Whether a value may be of both types; the empty list is of every list type."""
    if a.children and b.children and type(a) is type(b):
        return True
    return ty.is_subtype(a, b) or ty.is_subtype(b, a)


@rule("prim::unchecked_cast")
def cast_to_same_type(node: Node, analysis: AliasAnalysis) -> bool:
    """A cast to the type that the value has already is the value."""
    value = node.inputs[0]
    return ty.is_subtype(value.type, node.output.type) and replace(node, value)


@rule("prim::unchecked_cast")
def cast_of_cast(node: Node, analysis: AliasAnalysis) -> bool:
    """Of two casts in a row the last one decides."""
    inner = node.inputs[0].node
    if inner.kind != "prim::unchecked_cast":
        return False
    node.replace_input(0, inner.inputs[0])
    return True


@rule("aten::_unwrap_optional", "prim::unchecked_unwrap_optional")
def unwrap_of_present(node: Node, analysis: AliasAnalysis) -> bool:
    """Unwrapping what cannot be None gives the value."""
    value = node.inputs[0]
    return not _may_be_none(value.type) and replace(node, value)


_CONVERSIONS: dict[str, Type] = {
    "aten::Int": ty.INT, "aten::Float": ty.FLOAT, "aten::Bool": ty.BOOL, "aten::str": ty.STR,
    "aten::Complex": ty.COMPLEX,
}  # fmt: skip


@rule(*_CONVERSIONS)
def conversion_to_same_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`int(x)` is `x` for an int."""
    value = node.inputs[0]
    fits = len(node.inputs) == 1 and value.type is _CONVERSIONS[node.kind]
    return fits and replace(node, value)


@rule("prim::dtype", "jit::array_dtype")
def dtype_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`x.dtype` is known where the type of `x` says it."""
    type_ = node.inputs[0].type
    if not isinstance(type_, ty.TensorType) or type_.dtype is None:
        return False
    return replace_by_constant(node, type_.dtype)


@rule("aten::dim")
def rank_by_type(node: Node, analysis: AliasAnalysis) -> bool:
    """`x.ndim` is known where the type of `x` says it."""
    type_ = node.inputs[0].type
    if not isinstance(type_, ty.TensorType) or type_.rank is None:
        return False
    return replace_by_constant(node, type_.rank)


# Numbers ----------------------------------------------------------------------------------------

_NEUTRAL: dict[str, tuple[tuple[float, bool], ...]] = {
    "aten::add": ((0, True), (-0.0, True)),
    "aten::sub": ((0, False), (0.0, False)),
    "aten::mul": ((1, True), (1.0, True)),
    "aten::div": ((1.0, False),),
    "aten::floordiv": ((1, False),),
}
"""Neutral elements, and whether they are neutral on the left too. `x + 0.0` would lose -0.0."""


@rule(*_NEUTRAL)
def arithmetic_with_neutral_element(node: Node, analysis: AliasAnalysis) -> bool:
    """`x + 0`, `x * 1`, `x - 0.0` are `x` for numbers of one type."""
    if len(node.inputs) != 2 or node.inputs[0].type not in (ty.INT, ty.FLOAT):
        return False
    lhs, rhs = node.inputs
    if lhs.type is not rhs.type or node.output.type is not lhs.type:
        return False
    for neutral, commutes in _NEUTRAL[node.kind]:
        if is_number(rhs, neutral):
            return replace(node, lhs)
        if commutes and is_number(lhs, neutral):
            return replace(node, rhs)
    return False


@rule("aten::dropout", "aten::feature_dropout")
def dropout_of_nothing(node: Node, analysis: AliasAnalysis) -> bool:
    """`dropout(x, p, False)` and `dropout(x, 0.0, ...)` give `x` itself, where `p` may be so."""
    x, p, train = node.inputs
    chance = constant_of(p)
    if chance is NO_VALUE or not 0 <= chance <= 1 or x.type is not node.output.type:
        return False
    return (chance == 0 or is_number(train, False)) and replace(node, x)


@rule("aten::neg")
def negation_of_negation(node: Node, analysis: AliasAnalysis) -> bool:
    """`-(-x)` is `x` for a float."""
    inner = node.inputs[0].node
    is_double = inner.kind == "aten::neg" and node.output.type is ty.FLOAT
    return is_double and inner.inputs[0].type is ty.FLOAT and replace(node, inner.inputs[0])


@rule("jit::pow")
def square_of_int(node: Node, analysis: AliasAnalysis) -> bool:
    """`n ** 2` is `n * n` for an int that is checked."""
    base, exponent, *modulus = node.inputs
    is_square = is_number(exponent, 2) and not modulus
    if not is_square or base.type is not ty.INT or node.graph.integers != "checked":
        return False
    return replace_by_row(node, "aten::mul.int", [base, base])
