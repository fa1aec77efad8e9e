"""Rows over str: methods, formatting, indexing, comparison with Python's results and messages.

Torch's `find`, `count`, `startswith` and kin read `end=-1` as "to the end", and its `strip` and
`rsplit` have narrower defaults than Python's: those meanings live in `aten::` rows, Python's in
`jit::` rows of the same name. Sources look in `jit::` first.
"""

from __future__ import annotations

from typing import Any

from .rows import op, scalar
from .rules import HIDDEN

# Methods with one meaning -------------------------------------------------------------------------

for _name in ("upper", "lower", "capitalize", "title", "swapcase"):
    scalar(f"aten::{_name}(str self) -> str", f"self.{_name}()")
scalar("jit::casefold(str self) -> str", "self.casefold()")

for _name in (
    "isalnum",
    "isalpha",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
):
    scalar(f"aten::{_name}(str self) -> bool", f"self.{_name}()")
scalar("jit::isascii(str self) -> bool", "self.isascii()")

for _name in ("center", "ljust", "rjust"):
    scalar(
        f'aten::{_name}(str self, int width, str fillchar=" ") -> str',
        f"self.{_name}(width, fillchar)",
    )
scalar("aten::zfill(str self, int width) -> str", "self.zfill(width)")
scalar("aten::expandtabs(str self, int tabsize=8) -> str", "self.expandtabs(tabsize)")
scalar("aten::join(str self, str[] values) -> str", "self.join(values)")
scalar("aten::splitlines(str self, bool keepends=False) -> str[]", "self.splitlines(keepends)")
scalar("aten::partition(str self, str separator) -> (str, str, str)", "self.partition(separator)")
scalar("aten::rpartition(str self, str separator) -> (str, str, str)", "self.rpartition(separator)")
scalar(
    "aten::replace(str self, str old, str new, int max=-1) -> str", "self.replace(old, new, max)"
)
scalar(
    "jit::replace(str self, str old, str new, int count=-1) -> str", "self.replace(old, new, count)"
)
scalar("jit::removeprefix(str self, str prefix) -> str", "self.removeprefix(prefix)")
scalar("jit::removesuffix(str self, str suffix) -> str", "self.removesuffix(suffix)")
scalar("jit::translate(str self, Dict(int, str) table) -> str", "self.translate(table)")


# Methods that torch reads differently -------------------------------------------------------------

for _name in ("strip", "lstrip", "rstrip"):
    scalar(f"jit::{_name}(str self, str? chars=None) -> str", f"self.{_name}(chars)")
    scalar(
        rf'aten::{_name}(str self, str chars=" \n\t\f\v") -> str',
        f"self.{_name}(chars)",
    )

scalar(
    "jit::split.str(str self, str? sep=None, int maxsplit=-1) -> str[]", "self.split(sep, maxsplit)"
)
scalar(
    "jit::rsplit(str self, str? sep=None, int maxsplit=-1) -> str[]", "self.rsplit(sep, maxsplit)"
)
scalar(
    "aten::split.str(str self, str? separator=None, int max=-1) -> str[]",
    "self.split(separator, max)",
)
scalar(
    'aten::rsplit(str self, str separator=" ", int max=-1) -> str[]', "self.rsplit(separator, max)"
)

# Torch counts a negative end from one past the last character.
_TORCH_END = "end if end >= 0 else len(self) + end + 1"
for _name, _result in (
    ("find", "int"),
    ("rfind", "int"),
    ("index", "int"),
    ("rindex", "int"),
    ("count", "int"),
    ("startswith", "bool"),
    ("endswith", "bool"),
):
    _overload = ".str" if _name == "index" else ""
    scalar(
        f"jit::{_name}.str(str self, str sub, int? start=None, int? end=None) -> {_result}",
        f"self.{_name}(sub, start, end)",
    )
    scalar(
        f"aten::{_name}{_overload}(str self, str substr, int start=0, int end=-1) -> {_result}",
        f"self.{_name}(substr, start, {_TORCH_END})",
    )
for _name in ("startswith", "endswith"):
    scalar(
        f"jit::{_name}.tuple(str self, str[] subs, int? start=None, int? end=None) -> bool",
        f"self.{_name}(tuple(subs), start, end)",
    )


# Operators ----------------------------------------------------------------------------------------

scalar("aten::add.str(str a, str b) -> str", "a + b")
scalar("aten::mul.str(str a, int b) -> str", "a * b")
scalar("aten::mul.right_str(int a, str b) -> str", "a * b")
scalar("aten::len.str(str s) -> int", "len(s)")
scalar("aten::__getitem__.str(str s, int index) -> str", "s[index]")
scalar("prim::StringIndex(str string, int index) -> str", "string[index]")
scalar("aten::__contains__.substr(str s, str item) -> bool", "item in s")
scalar(
    "aten::slice.str(str string, int? start=None, int? end=None, int step=1) -> str",
    "string[start:end:step]",
)
scalar("aten::list(str t) -> str[]", "[*t]")


# Formatting ---------------------------------------------------------------------------------------


def _torch_format(xp: Any, text: str, *values: Any) -> str:
    """Torch's `format`: each `{}` takes the next value, everything else is literal.

    Raises:
        RuntimeError: there are more `{}` than values, or fewer.
    """
    pieces = text.split("{}")
    if len(pieces) - 1 > len(values):
        raise RuntimeError(f"Too few arguments for format string: {text}")
    if len(pieces) - 1 < len(values):
        raise RuntimeError(f"Too many arguments for format string: {text}")
    return "".join(
        part for pair in zip(pieces, (*map(str, values), ""), strict=True) for part in pair
    )


def _format(xp: Any, text: str, *values: Any) -> str:
    return text.format(*values)


def _percent(xp: Any, text: str, *values: Any) -> str:
    if len(values) == 1 and isinstance(values[0], dict):
        return text % values[0]
    return text % values


_CONVERSIONS: dict[str, Any] = {"": lambda value: value, "r": repr, "s": str, "a": ascii}


def _format_value(xp: Any, value: Any, spec: str, conversion: str) -> str:
    return format(_CONVERSIONS[conversion](value), spec)


op("aten::format(str self, ...) -> str", impl=_torch_format, function=None)
op("jit::format(str self, ...) -> str", impl=_format, function=None)
op("aten::percentFormat(str self, ...) -> str", impl=_percent, **HIDDEN)
op("jit::percent_format(str self, ...) -> str", impl=_percent, **HIDDEN)
op(
    'jit::format_value(Any value, str spec="", str conversion="") -> str',
    impl=_format_value,
    **HIDDEN,
    doc="A replacement field of an f-string; conversion is '', 'r', 's' or 'a'.",
)
scalar("aten::str(t elem) -> str", "str(elem)")
scalar("jit::repr(t elem) -> str", "repr(elem)")
scalar("jit::ascii(t elem) -> str", "ascii(elem)")
