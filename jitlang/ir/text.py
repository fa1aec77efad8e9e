"""What the graph printer and parser share: spellings of strings and numbers, a reader, types.

Spellings are torch's. Strings are double-quoted with C escapes; torch writes bytes above 127
through a signed division (`\\0)+` is byte 0xC3), which is read here and never written: we write
such characters as they are. Floats carry 17 digits and a trailing point where they are whole (`1.`,
`0.10000000000000001`).

Types:

    type   := base ("[]" | "?")*
    base   := word                                        int, Tensor, Device, __torch__.Net ...
            | "(" types ")"                               a tuple
            | "NamedTuple" ["[" name "]"] "(" (field ":" type ["=" value])* ")"
            | ("Dict" | "Union" | "Future" | "Sequence") ("(" | "[") types (")" | "]")
            | "Enum<" name ">"
            | tensor ["(" (size | "*" | key "=" value)* ")"]
    tensor := Tensor | Array | Float | FloatTensor | LongArray ...

A tensor word that is an element type alone (`Float`) states its sizes, none of them for a 0-dim
tensor.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..dtypes import from_graph_name
from ..errors import CompileError, ErrorKind, SourceSpan
from . import types as ty
from .types import Type

_ESCAPES = {
    "\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r",
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v",
}  # fmt: skip
_UNESCAPES = {escape[1]: plain for plain, escape in _ESCAPES.items()}
_ESCAPE = re.compile(
    rb"\\(?:(?P<octal>[0-3][0-7]{2})|(?P<signed>[./0][)-0]{2})|(?P<plain>.))", re.DOTALL
)


def quote(text: str) -> str:
    """A string in double quotes with C escapes."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char < " " or char == "\x7f":
        return f"\\{ord(char):03o}"
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode(errors="surrogateescape"))


def unquote(token: str) -> str:
    """The string that `quote`, or torch, wrote as `token`."""
    raw = token[1:-1].encode(errors="surrogateescape")
    return _ESCAPE.sub(_unescaped, raw).decode(errors="surrogateescape")


def _unescaped(match: re.Match[bytes]) -> bytes:
    if (octal := match["octal"]) is not None:
        return bytes([int(octal, 8)])
    if (signed := match["signed"]) is not None:
        high, middle, low = (digit - ord("0") for digit in signed)
        return bytes([(high * 64 + middle * 8 + low) & 0xFF])
    plain = match["plain"].decode(errors="surrogateescape")
    return _UNESCAPES.get(plain, "\\" + plain).encode(errors="surrogateescape")


def spell_float(value: float) -> str:
    """A float as torch prints it; `20000000000000000` is whole and still has no point."""
    if math.isinf(value) or math.isnan(value):
        return str(value)
    if abs(value) < 1e10 and value == int(value):
        return ("-" if value == 0 and math.copysign(1, value) < 0 else "") + f"{int(value)}."
    return f"{value:.17g}"


def spell_complex(value: complex) -> str:
    """A complex number as torch prints it: `1.5-2.j`."""
    imaginary = spell_float(value.imag)
    sign = "" if imaginary.startswith("-") else "+"
    return f"{spell_float(value.real)}{sign}{imaginary}j"


_REAL = r"(?:\d+\.?\d*(?:[eE][-+]?\d+)?|inf|nan)"
NUMBER = re.compile(rf"-?{_REAL}(?:[-+]{_REAL}j|j)?(?![\w.])")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
WORD = re.compile(r"[^\W\d][\w.]*(?:::[\w.]+)*")
_SPACE = re.compile(r"\s*")


def read_number(token: str) -> int | float | complex:
    """The number a token spells: an int where nothing says otherwise."""
    if token.endswith("j"):
        return _read_complex(token)
    return int(token) if token.removeprefix("-").isdigit() else float(token)


def _read_complex(token: str) -> complex:
    split = re.fullmatch(r"(?P<real>.*[^eE])(?P<imag>[-+].*)j", token)
    if split is None:
        return complex(0.0, float(token[:-1]))
    return complex(float(split["real"]), float(split["imag"]))


class Reader:
    """A cursor over text. White space never matters; comments are the parser's business."""

    def __init__(self, text: str, filename: str = "<graph>") -> None:
        self.text = text
        self.filename = filename
        self.at = 0
        self.skip()

    def skip(self) -> None:
        """Move past white space."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match is not None else self.at

    def error(self, message: str, at: int | None = None, width: int = 1) -> CompileError:
        """The rejection that points at a place, the cursor unless given."""
        place = self.at if at is None else at
        line = self.text.count("\n", 0, place) + 1
        start = self.text.rfind("\n", 0, place) + 1
        column = len(self.text[start:place].encode(errors="surrogateescape"))
        span = SourceSpan(
            self.filename, line, column, line, column + width, "", tuple(self.text.split("\n"))
        )
        return CompileError(ErrorKind.GRAPH_TEXT, message, span)

    @property
    def here(self) -> str:
        """The next few characters, for messages."""
        word = re.compile(r"[%^\w.:]+|.").match(self.text, self.at)
        return repr(word[0]) if word is not None else "the end"

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def looking_at(self, token: str) -> bool:
        """Whether the next characters are `token`."""
        return self.text.startswith(token, self.at)

    def accept(self, token: str) -> bool:
        """Step over a token if it comes next."""
        if not self.looking_at(token):
            return False
        self.at += len(token)
        self.skip()
        return True

    def expect(self, token: str) -> None:
        """Step over a token that must come next."""
        if not self.accept(token):
            raise self.error(f"expected {token!r}, found {self.here}")

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """Step over what a pattern matches here."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        self.skip()
        return match[0]

    def need(self, pattern: re.Pattern[str], what: str) -> str:
        """Step over what a pattern must match here."""
        found = self.take(pattern)
        if found is None:
            raise self.error(f"expected {what}, found {self.here}")
        return found

    # Types --------------------------------------------------------------------------------------

    def type(self) -> Type:
        """Read a type."""
        found = self.try_type()
        if found is None:
            raise self.error(f"expected a type, found {self.here}")
        return found

    def try_type(self) -> Type | None:
        """Read a type, or leave the cursor and return None."""
        start = self.at
        base = self._tuple() if self.looking_at("(") else self._named()
        if base is None:
            self.at = start
            return None
        return self.suffixed(base)

    def suffixed(self, base: Type) -> Type:
        """A type and the `[]` and `?` that follow it."""
        while True:
            if self.accept("[]"):
                base = ty.ListType(base)
            elif self.accept("?"):
                base = ty.optional(base)
            elif not self.accept("[Undefined]"):
                return base

    def _tuple(self) -> Type | None:
        self.expect("(")
        elements: list[Type] = []
        while not self.accept(")"):
            if elements and not self.accept(","):
                return None
            element = self.try_type()
            if element is None:
                return None
            elements.append(element)
        return ty.TupleType(tuple(elements))

    def _named(self) -> Type | None:
        start = self.at
        name = self.take(WORD)
        if name is None:
            return None
        if name == "NamedTuple":
            return self._named_tuple()
        if (name in _GENERIC or name == "Union") and self.text[self.at : self.at + 1] in ("(", "["):
            return self._generic(name, start)
        if name == "Enum":
            self.expect("<")
            enum = ty.EnumType(self.need(WORD, "a class name"))
            self.expect(">")
            return enum
        if name in ty.SIMPLE_BY_NAME:
            return ty.SIMPLE_BY_NAME[name]
        if name in OPAQUE or name.startswith("__torch__"):
            return ty.ClassType(name)
        return self._tensor(name)

    def _generic(self, name: str, start: int) -> Type:
        close = ")" if self.accept("(") else "]"
        if close == "]":
            self.expect("[")
        parts = [self.type()]
        while self.accept(","):
            parts.append(self.type())
        self.expect(close)
        if name == "Union":
            return ty.union(parts)
        kind, count = _GENERIC[name]
        if len(parts) != count:
            raise self.error(f"{name} takes {count} types, found {len(parts)}", start, len(name))
        return kind(*parts)

    def _named_tuple(self) -> Type:
        name = ""
        if self.accept("["):
            name = self.need(WORD, "a class name")
            self.expect("]")
        self.expect("(")
        fields: list[tuple[str, Type]] = []
        while not self.accept(")"):
            if fields:
                self.expect(",")
            field = self.need(WORD, "a field name")
            self.expect(":")
            fields.append((field, self.type()))
            if self.accept("="):
                self.need(_FIELD_DEFAULT, "a default")
        return ty.TupleType(tuple(t for _, t in fields), name, tuple(n for n, _ in fields))

    def _tensor(self, name: str) -> Type | None:
        match = _TENSOR.fullmatch(name)
        if match is None:
            return None
        dtype = from_graph_name(match["dtype"]) if match["dtype"] else None
        if match["dtype"] and dtype is None:
            return None
        facts: dict[str, Any] = {"dtype": dtype}
        if match["base"] == "Array":
            facts["surface"] = ty.Surface.NUMPY
        if dtype is not None and not match["base"]:
            if not self.looking_at("("):
                return None
            facts["sizes"] = ()
        if self.accept("("):
            self._facts(facts)
        return ty.TensorType(**facts)

    def _facts(self, facts: dict[str, Any]) -> None:
        sizes: list[int | None] = []
        first = True
        while not self.accept(")"):
            if not first:
                self.expect(",")
            first = False
            if (size := self.take(_SIZE)) is not None:
                sizes.append(None if size == "*" else int(size))
                facts["sizes"] = tuple(sizes)
                continue
            start = self.at
            key = self.need(WORD, "a size or a fact")
            self.expect("=")
            if key not in _FACTS:
                raise self.error(f"a tensor type has no fact {key!r}", start, len(key))
            facts[key] = self._fact(key)

    def _fact(self, key: str) -> Any:
        if key == "requires_grad":
            return self.need(_SIZE, "0 or 1") == "1"
        if key == "device":
            return self.need(_DEVICE, "a device")
        if key == "surface":
            return ty.Surface(self.need(WORD, "a surface"))
        self.expect("[")
        numbers: list[int | None] = []
        while not self.accept("]"):
            if numbers:
                self.expect(",")
            number = self.need(_SIZE, "a number")
            numbers.append(None if number == "*" else int(number))
        return tuple(numbers)


_GENERIC: Mapping[str, tuple[Callable[..., Type], int]] = {
    "Dict": (ty.DictType, 2), "Future": (ty.FutureType, 1), "Sequence": (ty.SequenceType, 1),
}  # fmt: skip
_TENSOR = re.compile(r"(?P<dtype>[A-Z]\w*?)??(?P<base>Tensor|Array|)")
_SIZE = re.compile(r"-?\d+|\*")
_DEVICE = re.compile(r"\w+(?::\d+)?")
_FACTS = ("strides", "requires_grad", "device", "surface", "sizes")
_FIELD_DEFAULT = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,()\s]+')
OPAQUE = frozenset((
    "Stream", "Storage", "Quantizer", "QScheme", "Layout", "MemoryFormat", "ScalarType", "PyObject",
    "Capsule", "AnyListType", "AnyTupleType", "AnyClassType", "AnyEnumType", "Await", "RRef",
))  # fmt: skip
"""Types of torch's that jitlang does not know; kept by name."""
