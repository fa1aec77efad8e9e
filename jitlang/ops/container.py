"""Rows over lists, dicts and tuples: Python's results, Python's exceptions with Python's messages.

Elements are boxed and untouched here, whatever they are. Torch has dict rows per key type; the same
rows are made here for those key types and, as overload `Dict`, for every other hashable key
(`Dict(k, t)`).

Rows whose only purpose is their effect return nothing, those that torch lets return the container
return it: `append` gives None in Python, hence `self.append(el) or self`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir import types as ty
from ..ir.opdef import Effect
from ..ir.types import Type
from .rows import op, scalar

# Lists --------------------------------------------------------------------------------------------


def _same_container(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """A part, sum or multiple of a tuple is a tuple."""
    container = next(t for t in types if t.children)
    element = container.children[0]
    for other in types:
        if other.children and other is not container:
            element = ty.unify(element, other.children[0]) or element
    return container.with_children([element])


scalar("aten::list.t(t[] l) -> t[]", "[*l]")
scalar("aten::copy.t(t[](a) self) -> t[]", "self[:]")
scalar("aten::len.t(t[] a) -> int", "len(a)")
scalar("aten::append.t(t[](a!) self, t(c -> *) el) -> t[](a!)", "self.append(el) or self")
scalar("jit::append.t(t[](a!) self, t(c -> *) el) -> ()", "self.append(el)")
scalar("aten::extend.t(t[](a!) self, t[] other) -> ()", "self.extend(other)")
scalar("aten::insert.t(t[](a!) self, int idx, t(b -> *) el) -> ()", "self.insert(idx, el)")
scalar("aten::pop.t(t[](a!) self, int idx=-1) -> t(*)", "self.pop(idx)")
scalar("aten::clear.t(t[](a!) self) -> ()", "self.clear()")
scalar("aten::reverse.t(t[](a!) self) -> ()", "self.reverse()")
scalar("jit::list(Any a) -> Any[]", "[*a]", effect=Effect.IO)
scalar("jit::reversed.t(t[] self) -> t[]", "self[::-1]")
scalar("jit::reversed.str(str self) -> str[]", "[*self[::-1]]")

for _kind in ("int", "float", "bool", "str"):
    scalar(f"aten::remove.{_kind}({_kind}[](a!) self, {_kind} el) -> ()", "self.remove(el)")
    scalar(f"aten::count.{_kind}({_kind}[] self, {_kind} el) -> int", "self.count(el)")
    scalar(f"aten::index.list_{_kind}({_kind}[] self, {_kind} el) -> int", "self.index(el)")
scalar("jit::remove.t(t[](a!) self, t el) -> ()", "self.remove(el)")
scalar("jit::count.t(t[] self, t el) -> int", "self.count(el)")
scalar(
    "jit::index.t(t[] self, t el, int start=0, int stop=9223372036854775807) -> int",
    "self.index(el, start, stop)",
)

for _kind in ("int", "float", "bool", "str"):
    scalar(
        f"aten::sort.{_kind}({_kind}[](a!) self, bool reverse=False) -> ()",
        "self.sort(reverse=reverse)",
    )
    scalar(f"aten::sorted.{_kind}({_kind}[](a) input) -> {_kind}[]", "sorted(input)")
scalar("aten::sort.any(t[](a!) self, bool reverse=False) -> ()", "self.sort(reverse=reverse)")
scalar("aten::sorted.any(t[](a) self) -> t[]", "sorted(self)")
scalar("jit::sorted.t(t[](a) self, *, bool reverse=False) -> t[]", "sorted(self, reverse=reverse)")
scalar("jit::sort.t(t[](a!) self, *, bool reverse=False) -> ()", "self.sort(reverse=reverse)")

scalar("aten::__getitem__.t(t[](a) list, int idx) -> t(*)", "list[idx]")
scalar("aten::select.t(t[](a) list, int idx) -> t(*)", "list[idx]")
scalar(
    "aten::_set_item.t(t[](a!) l, int idx, t(b -> *) el) -> t[](a!)", "l.__setitem__(idx, el) or l"
)
scalar("aten::Delete.t(t[](a!) self, int idx) -> ()", "self.__delitem__(idx)")
scalar(
    "aten::slice.t(t[] l, int? start=None, int? end=None, int step=1) -> t[]",
    "l[start:end:step]",
    infer=_same_container,
)
scalar(
    "jit::_set_item.slice(t[](a!) l, t[](b -> *) v, int? start, int? end, int? step) -> ()",
    "l.__setitem__(slice(start, end, step), v)",
)
scalar(
    "jit::Delete.slice(t[](a!) l, int? start, int? end, int? step) -> ()",
    "l.__delitem__(slice(start, end, step))",
)

scalar("aten::add.t(t[] a, t[] b) -> t[]", "a + b", infer=_same_container)
scalar("aten::add_.t(t[](a!) self, t[] b) -> t[](a!)", "self.__iadd__(b)")
scalar("aten::mul.left_t(t[] l, int n) -> t[]", "l * n", infer=_same_container)
scalar("aten::mul.right_(int n, t[] l) -> t[]", "n * l", infer=_same_container)
scalar("aten::mul_.t(t[](a!) l, int n) -> t[](a!)", "l.__imul__(n)")

for _kind in ("int", "float", "str"):
    scalar(f"aten::__contains__.{_kind}_list({_kind}[] l, {_kind} item) -> bool", "item in l")
scalar("aten::__contains__.t(t[] l, t item) -> bool", "item in l")

for _name, _symbol in (("eq", "=="), ("ne", "!=")):
    for _kind in ("int", "float", "bool", "str"):
        scalar(f"aten::{_name}.{_kind}_list({_kind}[] a, {_kind}[] b) -> bool", f"a {_symbol} b")
    scalar(f"aten::{_name}.t_list(t[] a, t[] b) -> bool", f"a {_symbol} b")
for _name, _symbol in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    scalar(f"aten::{_name}.t_list(t[] a, t[] b) -> bool", f"a {_symbol} b")

scalar("aten::sum.int(int[] self) -> int", "sum(self)", checked=True)
# Of no floats Python's sum is the int 0; under the type float it is 0.0.
scalar("aten::sum.float(float[] self) -> float", "sum(self, 0.0)")
scalar("aten::sum.complex(complex[] self) -> complex", "sum(self, 0j)")
scalar("aten::sum.bool(bool[] self) -> int", "sum(self)")
scalar("jit::sum.int(int[] self, int start) -> int", "sum(self, start)", checked=True)
scalar("jit::sum.float(float[] self, float start) -> float", "sum(self, start)")
for _name in ("any", "all"):
    for _kind in ("int", "float", "bool"):
        scalar(f"aten::{_name}.{_kind}({_kind}[] self) -> bool", f"{_name}(self)")
scalar("aten::any.str(str[] self) -> bool", "any(self)")
scalar("jit::any.t(t[] self) -> bool", "any(self)")
scalar("jit::all.t(t[] self) -> bool", "all(self)")
scalar("prim::rangelist(int n) -> int[]", "[*range(n)]")
scalar("jit::rangelist(int start, int stop, int step=1) -> int[]", "[*range(start, stop, step)]")


# Dicts --------------------------------------------------------------------------------------------

_KEYS = ("str", "int", "bool", "float", "complex")


def _dict_row(name: str, overload: str, signature: str, python: str, space: str = "aten") -> None:
    """Rows for all key types: `K` is the key type, `D` the dict, `%` its overload."""
    for key in (*_KEYS, "k"):
        spelled = signature.replace("D(", f"Dict({key}, t)(").replace("D ", f"Dict({key}, t) ")
        label = overload.replace("%", "Dict" if key == "k" else key)
        scalar(f"{space}::{name}.{label}({spelled.replace('K', key)}", python)


_dict_row("__getitem__", "Dict_%", "D self, K key) -> t(*)", "self[key]")
_dict_row("__contains__", "%", "D dict, K key) -> bool", "key in dict")
_dict_row("len", "Dict_%", "D self) -> int", "len(self)")
_dict_row("_set_item", "%", "D(a!) l, K(b -> *) idx, t(c -> *) v) -> ()", "l.__setitem__(idx, v)")
_dict_row("Delete", "Dict_%", "D(a!) self, K key) -> ()", "self.__delitem__(key)")
_dict_row("get", "%", "D self, K key) -> t(*)?", "self.get(key)")
_dict_row(
    "get", "default_%", "D self, K key, t default_value) -> t(*)", "self.get(key, default_value)"
)
_dict_row("pop", "Dict_%", "D(a!) self, K key) -> t(*)", "self.pop(key)")
_dict_row(
    "pop",
    "Dict_default_%",
    "D(a!) self, K key, t default_value) -> t(*)",
    "self.pop(key, default_value)",
)
_dict_row("popitem", "%", "D(a!) self) -> ((K, t))", "self.popitem()")
_dict_row(
    "setdefault",
    "%",
    "D(a!) self, K(b -> *) key, t(c -> *) default_value) -> t(*)",
    "self.setdefault(key, default_value)",
)
_dict_row("update", "%", "D(a!) self, D(a!) to_add) -> ()", "self.update(to_add)")
_dict_row("update", "pairs_%", "D(a!) self, (K, t)[] to_add) -> ()", "self.update(to_add)", "jit")
_dict_row("clear", "%", "D(a!) self) -> ()", "self.clear()")
_dict_row("copy", "Dict_%", "D(a) self) -> Dict(K, t)", "self.copy()")
_dict_row("keys", "%", "D self) -> K[](*)", "[*self]")
_dict_row("values", "%", "D self) -> t[](*)", "[*self.values()]")
_dict_row("items", "%", "D self) -> ((K, t)[])", "[*self.items()]")
_dict_row("dict", "Dict_%", "D(a) self) -> Dict(K, t)", "self.copy()")
_dict_row("list", "Dict_%", "D self) -> K[](*)", "[*self]", "jit")
_dict_row("reversed", "Dict_%", "D self) -> K[](*)", "[*reversed(self)]", "jit")
_dict_row("__or__", "Dict_%", "D self, D other) -> Dict(K, t)", "self | other")
_dict_row("eq", "Dict_%", "D a, D b) -> bool", "a == b")
_dict_row("ne", "Dict_%", "D a, D b) -> bool", "a != b")
_dict_row(
    "__ior__", "Dict_%", "D(a!) self, D other) -> Dict(K, t)(a!)", "self.__ior__(other)", "jit"
)

scalar("aten::dict() -> Dict(str, Tensor)", "{}")
for _key in _KEYS:
    scalar(f"aten::dict.{_key}(({_key}, tVal)[] inputs) -> Dict({_key}, tVal)", "dict(inputs)")
scalar("aten::dict.pairs((k, tVal)[] inputs) -> Dict(k, tVal)", "dict(inputs)")
scalar("jit::fromkeys(k[] keys, t value) -> Dict(k, t)", "dict.fromkeys(keys, value)")
scalar("jit::dict.zip(k[] keys, t[] values) -> Dict(k, t)", "dict(zip(keys, values))")


# Tuples -------------------------------------------------------------------------------------------


def element_type(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The type of `tup[i]` for an index that only a run knows: what all elements have in common."""
    container = types[0]
    if isinstance(container, ty.ListType):
        return container.element
    if not isinstance(container, ty.TupleType) or not container.elements:
        return ty.ANY
    joined: Type | None = container.elements[0]
    for element in container.elements[1:]:
        joined = ty.unify(joined, element) if joined is not None else None
    return joined or ty.union(container.elements)


def _list_of_elements(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    return ty.ListType(element_type(types, constants))


scalar("jit::tuple_index(Any tup, int i) -> Any", "tup[i]", infer=element_type)
scalar("jit::tuple_contains(Any tup, Any item) -> bool", "item in tup")
scalar("jit::tuple_count(Any tup, Any item) -> int", "tup.count(item)")
scalar("jit::tuple_find(Any tup, Any item) -> int", "tup.index(item)")
scalar("jit::tuple_list(Any tup) -> Any", "[*tup]", infer=_list_of_elements)
scalar("jit::tuple_len(Any tup) -> int", "len(tup)")


def check_unpack(xp: Any, values: Any, wanted: int) -> None:
    """Python's check of `a, b = values`.

    Raises:
        ValueError: `values` does not have `wanted` elements.
    """
    found = len(values)
    if found > wanted:
        raise ValueError(f"too many values to unpack (expected {wanted})")
    if found < wanted:
        raise ValueError(f"not enough values to unpack (expected {wanted}, got {found})")


def _check_starred(xp: Any, values: Any, before: int, after: int) -> None:
    """Python's check of `a, *b, c = values`."""
    wanted = before + after
    if len(values) < wanted:
        raise ValueError(
            f"not enough values to unpack (expected at least {wanted}, got {len(values)})"
        )


op(
    "jit::check_unpack(Any values, int wanted) -> ()",
    impl=check_unpack,
    effect=Effect.RAISES,
    function=None,
    method=None,
)
op(
    "jit::check_unpack.star(Any values, int before, int after) -> ()",
    impl=_check_starred,
    effect=Effect.RAISES,
    function=None,
    method=None,
)
