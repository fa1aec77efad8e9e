"""Operator schemas in torch's dialect.

    aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor

Grammar, as far as torch uses it: alias marks (`Tensor(a!)`, `t(a! -> *)`, `Tensor(a)[]`), optional
(`int?`), lists with an optional fixed size (`int[2]`), `Dict(str, t)`, tuples, defaults, `*` before
keyword-only arguments, `...` for variadic ones, named returns, and type variables (single
lower-case words). `parse_schema(str(schema)) == schema`.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import CompileError, ErrorKind
from . import types as ty
from .text import quote, spell_float
from .types import Type


@dataclass(frozen=True, slots=True)
class AliasInfo:
    """An alias mark: the sets of a value, whether it is written, and its sets after the call."""

    before: tuple[str, ...]
    is_write: bool = False
    after: tuple[str, ...] | None = None

    @property
    def is_wildcard(self) -> bool:
        """Whether the value may alias anything, before or after."""
        return "*" in self.before or "*" in (self.after or ())

    def __str__(self) -> str:
        mark = "|".join(self.before) + ("!" if self.is_write else "")
        return f"({mark} -> {'|'.join(self.after)})" if self.after is not None else f"({mark})"


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Any = _NoDefault()


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter or a return. `alias` marks the value, `element_alias` the elements of a list."""

    name: str
    type: Type
    default: Any = NO_DEFAULT
    kwarg_only: bool = False
    size: int | None = None
    alias: AliasInfo | None = None
    element_alias: AliasInfo | None = None
    spelling: str = ""

    @property
    def has_default(self) -> bool:
        """Whether a call may leave the argument out."""
        return self.default is not NO_DEFAULT

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        default = f"={_default_text(self.default, self.type)}" if self.has_default else ""
        return f"{self.spelling or self.type}{name}{default}"


@dataclass(frozen=True, slots=True)
class FunctionSchema:
    """What an operator or function takes and returns."""

    name: str
    overload: str
    arguments: tuple[Argument, ...]
    returns: tuple[Argument, ...]
    is_vararg: bool = False
    is_varret: bool = False

    @property
    def full_name(self) -> str:
        """The name with its overload (`aten::add.Tensor`)."""
        return f"{self.name}.{self.overload}" if self.overload else self.name

    @property
    def is_mutable(self) -> bool:
        """Whether the operator writes to one of its arguments, or to the elements of one."""
        marks = [m for a in self.arguments for m in (a.alias, a.element_alias) if m is not None]
        return any(mark.is_write for mark in marks)

    def index_of(self, name: str) -> int | None:
        """The position of an argument, or None."""
        return next((i for i, a in enumerate(self.arguments) if a.name == name), None)

    def __str__(self) -> str:
        parts: list[str] = []
        starred = False
        for argument in self.arguments:
            if argument.kwarg_only and not starred:
                parts.append("*")
                starred = True
            parts.append(str(argument))
        if self.is_vararg:
            parts.append("...")
        returns = [str(r) for r in self.returns] + (["..."] if self.is_varret else [])
        single = len(returns) == 1
        # A tuple needs parentheses of its own: `((str, t)[])` is one list, `(str, t)` two results.
        single = single and not returns[0].startswith("(")
        returned = returns[0] if single else f"({', '.join(returns)})"
        return f"{self.full_name}({', '.join(parts)}) -> {returned}"


def _default_text(value: Any, type_: Type) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return f"[{', '.join(_default_text(v, type_) for v in value)}]"
    if isinstance(value, float):
        return spell_float(value)
    return repr(value)


_TOKEN = re.compile(
    r"\s*(?:(?P<arrow>->)|(?P<dots>\.\.\.)|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<number>-?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|inf(?![\w.]))j?)|(?P<word>[A-Za-z_][\w.:]*)|(?P<punct>[()\[\],=*?!|]))"
)
_VARIABLE = re.compile(r"t[A-Z0-9]?\w{0,2}$|tVal$|[a-z]$")
_SPELLED: dict[str, Type] = {
    **ty.SIMPLE_BY_NAME,
    "Tensor": ty.TENSOR, "Array": ty.ARRAY, "ScalarType": ty.DTYPE, "SymInt": ty.INT,
    "SymBool": ty.BOOL,
    "number": ty.NUMBER,
    "Layout": ty.INT, "MemoryFormat": ty.INT, "QScheme": ty.INT, "None": ty.NONE,
    "AnyListType": ty.ANY,
    "AnyEnumType": ty.ANY, "AnyClassType": ty.ANY, "AnyType": ty.ANY, "Storage": ty.ANY,
    "Stream": ty.ANY,
    "DeviceObjType": ty.DEVICE, "list": ty.ANY,
}  # fmt: skip
_WORD_DEFAULTS = {
    "None": None, "True": True, "False": False, "inf": math.inf, "nan": math.nan,
    "Mean": 1, "Sum": 2, "contiguous_format": 0, "strided": 0, "long": 4,
}  # fmt: skip


class _SchemaParser:
    """Recursive descent over the tokens of one schema."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int, int]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.error(f"unexpected {text[at:].lstrip()[:1]!r}", at)
            kind = match.lastgroup or ""
            self.tokens.append((kind, match.group(kind), match.start(kind), match.end()))
            at = match.end()
        self.index = 0

    def error(self, message: str, at: int | None = None) -> CompileError:
        position = at if at is not None else self.position
        drawn = f"{self.text}\n{' ' * position}^"
        return CompileError(ErrorKind.SCHEMA_TEXT, f"{message} in the schema\n{drawn}")

    @property
    def position(self) -> int:
        return self.tokens[self.index][2] if self.index < len(self.tokens) else len(self.text)

    def peek(self) -> str:
        return self.tokens[self.index][1] if self.index < len(self.tokens) else ""

    def next(self) -> str:
        if self.index >= len(self.tokens):
            raise self.error("unexpected end")
        self.index += 1
        return self.tokens[self.index - 1][1]

    def accept(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.index += 1
        return True

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise self.error(f"expected {token!r}, found {self.peek()!r}")

    def word(self, what: str) -> str:
        if self.index >= len(self.tokens) or self.tokens[self.index][0] != "word":
            raise self.error(f"expected {what}, found {self.peek()!r}")
        return self.next()

    def schema(self) -> FunctionSchema:
        full = self.word("an operator name")
        namespace, separator, rest = full.rpartition("::")
        base, _, overload = rest.partition(".")
        name = f"{namespace}{separator}{base}" if separator else full
        if not separator:
            overload = ""
        self.expect("(")
        arguments: list[Argument] = []
        is_vararg = kwarg_only = False
        while not self.accept(")"):
            if arguments or is_vararg or (kwarg_only and self.peek() == ","):
                self.expect(",")
            if self.accept("..."):
                is_vararg = True
            elif self.accept("*"):
                kwarg_only = True
                self.expect(",")
                arguments.append(self.argument(kwarg_only))
            else:
                arguments.append(self.argument(kwarg_only))
        self.expect("->")
        returns, is_varret = self.returns()
        if self.index != len(self.tokens):
            raise self.error(f"unexpected {self.peek()!r} after the returns")
        return FunctionSchema(
            name, overload, tuple(arguments), tuple(returns), is_vararg, is_varret
        )

    def returns(self) -> tuple[list[Argument], bool]:
        if self.accept("..."):
            return [], True
        if not self.accept("("):
            return [self.argument(False, is_return=True)], False
        returns: list[Argument] = []
        is_varret = False
        while not self.accept(")"):
            if returns:
                self.expect(",")
            if self.accept("..."):
                is_varret = True
            else:
                returns.append(self.argument(False, is_return=True))
        return returns, is_varret

    def argument(self, kwarg_only: bool, *, is_return: bool = False) -> Argument:
        start = self.index
        parsed, size, alias, element_alias = self.type()
        spelling = self.spelled(start)
        name = ""
        if self.index < len(self.tokens) and self.tokens[self.index][0] == "word":
            name = self.next()
        elif not is_return:
            raise self.error("expected an argument name")
        default = NO_DEFAULT
        if self.accept("="):
            default = self.default(parsed, size)
        if spelling == str(parsed):
            spelling = ""
        return Argument(name, parsed, default, kwarg_only, size, alias, element_alias, spelling)

    def spelled(self, start: int) -> str:
        return self.text[self.tokens[start][2] : self.tokens[self.index - 1][3]].strip()

    def type(self) -> tuple[Type, int | None, AliasInfo | None, AliasInfo | None]:
        if self.accept("("):
            elements: list[Type] = []
            while not self.accept(")"):
                if elements:
                    self.expect(",")
                elements.append(self.type()[0])
            parsed: Type = ty.TupleType(tuple(elements))
        else:
            parsed = self.named_type()
        alias = self.alias()
        element_alias: AliasInfo | None = None
        size: int | None = None
        while True:
            if self.accept("["):
                if self.peek() != "]":
                    size = int(self.next())
                self.expect("]")
                parsed = ty.ListType(parsed)
                element_alias, alias = alias, self.alias()
            elif self.accept("?"):
                parsed = ty.optional(parsed)
            else:
                return parsed, size, alias, element_alias

    def named_type(self) -> Type:
        name = self.word("a type")
        if name in ("Dict", "Future", "RRef", "Await") and self.accept("("):
            parts = [self.type()[0]]
            while self.accept(","):
                parts.append(self.type()[0])
            self.expect(")")
            return ty.DictType(*parts) if name == "Dict" else ty.FutureType(parts[0])
        if name in _SPELLED:
            return _SPELLED[name]
        if name.startswith("__torch__"):
            return ty.ClassType(name)
        if _VARIABLE.match(name):
            return ty.VarType(name)
        raise self.error(f"unknown type {name!r}")

    def alias(self) -> AliasInfo | None:
        if self.peek() != "(" or self.index + 1 >= len(self.tokens):
            return None
        self.expect("(")
        before, is_write = self.alias_sets()
        after: tuple[str, ...] | None = None
        if self.accept("->"):
            after, _ = self.alias_sets()
        self.expect(")")
        return AliasInfo(before, is_write, after)

    def alias_sets(self) -> tuple[tuple[str, ...], bool]:
        names = [self.next()]
        while self.accept("|"):
            names.append(self.next())
        return tuple(names), self.accept("!")

    def default(self, type_: Type, size: int | None) -> Any:
        if self.accept("["):
            values: list[Any] = []
            while not self.accept("]"):
                if values:
                    self.expect(",")
                values.append(self.default(ty.ANY, None))
            return values
        kind, token = self.tokens[self.index][:2]
        self.index += 1
        if kind == "string":
            return ast.literal_eval(token)
        if kind == "number":
            return _number(token, type_)
        if token in _WORD_DEFAULTS:
            return _WORD_DEFAULTS[token]
        self.index -= 1
        raise self.error(f"unknown default {token!r}")


def _number(token: str, type_: Type) -> int | float | complex:
    if token.endswith("j"):
        return complex(token)
    if token.lstrip("-") == "inf" or any(c in token for c in ".eE"):
        return float(token)
    return float(token) if type_ is ty.FLOAT else int(token)


@cache
def parse_schema(text: str) -> FunctionSchema:
    """Parse one schema.

    Raises:
        CompileError: the text is not a schema (kind SCHEMA_TEXT); the message points at the place.
    """
    return _SchemaParser(text).schema()


def schema_name(text: str) -> tuple[str, str]:
    """The name and overload at the head of a schema text, without parsing the rest."""
    name, _, overload = text[: text.index("(")].strip().partition(".")
    return name, overload
