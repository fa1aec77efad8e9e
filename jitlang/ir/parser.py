"""Graph text back into graphs: what `print_graph` writes, and what torch prints.

    graph   := "graph" ["[" "integers" "=" word "]"] "(" [decl ("," decl)*] ")" ":"
               node* "return" "(" reads ")" ("with" label "=" graph)*
    node    := [decl ("," decl)*] "=" kind [attrs] "(" reads ")"
               [", scope:" text] ["#" source] block*
    block   := "block" number "(" decls ")" ":" node* "->" "(" reads ")"
    decl    := "%" name ":" type
    kind    := word "::" word | "^" name attrs "(" ... ")"
    attrs   := "[" [word "=" value ("," word "=" value)*] "]"
    value   := string | number | None | True | False | type | "torch." dtype | "<" object ">"
             | "[" values "]" | "(" values ")" | "{" (value ":" value)* "}"
             | "annotate(" type "," value ")"
             | tensor text: "<Tensor>", "{0.5}", " 1  2 [ CPUFloatType{2} ]"

Line breaks and indentation do not matter, except that a comment on a node's own line is its source
(`# model.py:7:2`); other comments are skipped. The type of a constant decides what its text means
(`value=1` of a bool is True). Each node gets its row of the operator table where one fits; an
operator that is not in the table is kept without a row.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from .. import arrays, dtypes
from ..errors import SourceSpan, did_you_mean
from . import types as ty
from .graph import (
    CONSTANT,
    PYTHON_OP,
    Block,
    Graph,
    Integers,
    Node,
    ObjectRef,
    TensorText,
    Value,
)
from .printer import SUBGRAPH
from .resolve import resolve_row
from .text import NUMBER, STRING, WORD, Reader, read_number, unquote
from .types import Type

_VALUE_NAME = re.compile(r"%[\w.]+")
_BLOCK = re.compile(r"block\d+")
_COMMENT = re.compile(r"#([^\n]*)")
_SOURCE = re.compile(r"\s*(?P<file>.+):(?P<line>\d+):(?P<column>\d+)\s*")
_TRAILER = re.compile(r"(?:,\s*scope:(?P<scope>[^#\n]*))?[ \t]*(?:#(?P<comment>[^\n]*))?(?=\n|\Z)")
_SUBGRAPH_LABEL = re.compile(r"^\s*with\s+(\S+)\s*=\s*graph\b", re.MULTILINE)
_SCALARS = re.compile(r"\([^()]*\)")
_TENSOR_TEXT = re.compile(r"[-+ \d.e*,()=naif\n]*\[ \w+\{[\d,]*\} \]|<Tensor>|\{[^:{}\"]+\}")
_OBJECT = re.compile(r'<(?P<name>"(?:[^"\\]|\\.)*"|[\w.:]+)>', re.DOTALL)
_EMPTY = re.compile(r"annotate\([^\n]*?,\s*(?P<display>\[\]|\{\})\)")
_DATA = re.compile(r"(?P<dtype>\w+)\[(?P<shape>[\d, ]*)\]:(?P<bytes>[\w+/=]*)")
_WORDS = {"None": None, "True": True, "False": False}


def parse_graph(text: str, filename: str = "<graph>") -> Graph:
    """The graph that a text describes.

    Raises:
        CompileError: the text is not a graph (kind GRAPH_TEXT); the error points at the place.
    """
    reader = Reader(text, filename)
    labels = frozenset(_SUBGRAPH_LABEL.findall(text))
    _skip_comments(reader)
    graph = _GraphParser(reader, labels).graph()
    if not reader.at_end:
        raise reader.error(f"expected the end, found {reader.here}")
    return graph


def parse_type(text: str) -> Type:
    """The type that a text spells.

    Raises:
        CompileError: the text is not a type (kind GRAPH_TEXT).
    """
    reader = Reader(text, "<type>")
    found = reader.type()
    if not reader.at_end:
        raise reader.error(f"expected the end, found {reader.here}")
    return found


def _skip_comments(reader: Reader) -> None:
    while reader.take(_COMMENT) is not None:
        pass


class _GraphParser:
    """Parses one graph; each subgraph that follows gets a parser of its own, on the same reader."""

    def __init__(self, reader: Reader, labels: frozenset[str]) -> None:
        self.reader = reader
        self.labels = labels
        self.made = Graph()
        self.values: dict[str, Value] = {}
        self.names: set[str] = set()
        self.line_ends_before = 0
        self.waiting: list[tuple[str, Node]] = []

    # Structure ----------------------------------------------------------------------------------

    def graph(self) -> Graph:
        reader = self.reader
        reader.expect("graph")
        if reader.accept("["):
            self._settings()
        self._block_head(self.made.block)
        self._nodes(self.made.block, "return")
        for value in self._reads():
            self.made.add_output(value)
        _skip_comments(reader)
        for label, node in self.waiting:
            reader.expect("with")
            reader.expect(label)
            reader.expect("=")
            node.attributes[SUBGRAPH] = _GraphParser(reader, self.labels).graph()
        return self.made

    def _settings(self) -> None:
        reader = self.reader
        reader.expect("integers")
        reader.expect("=")
        start = reader.at
        integers = reader.need(WORD, "'checked' or 'wrapping'")
        if integers not in ("checked", "wrapping"):
            raise reader.error(
                f"expected 'checked' or 'wrapping', found {integers!r}", start, len(integers)
            )
        self.made.integers = cast("Integers", integers)
        reader.expect("]")

    def _block_head(self, block: Block) -> None:
        reader = self.reader
        reader.expect("(")
        while not reader.accept(")"):
            if block.inputs:
                reader.expect(",")
            start = reader.at
            name, type_ = self._declaration()
            self._define(block.add_input(type_, name), start)
        reader.expect(":")
        _skip_comments(reader)

    def _nodes(self, block: Block, end: str) -> None:
        while not self.reader.accept(end):
            self._node(block)

    def _node(self, block: Block) -> None:
        reader = self.reader
        declared: list[tuple[int, str, Type]] = []
        while reader.looking_at("%"):
            declared.append((reader.at, *self._declaration()))
            if not reader.accept(","):
                break
        reader.expect("=")
        node = self._called([type_ for _, _, type_ in declared])
        for value in self._reads():
            node.add_input(value)
        node.span = self._source()
        block.append(node)
        for _, name, type_ in declared:
            node.add_output(type_, name)
        while reader.take(_BLOCK) is not None:
            self._block(node)
        for (start, _, _), value in zip(declared, node.outputs, strict=True):
            self._define(value, start)
        node.op = resolve_row(node.kind, [value.type for value in node.inputs])

    def _block(self, node: Node) -> None:
        outer = dict(self.values)
        block = node.add_block()
        self._block_head(block)
        self._nodes(block, "->")
        for value in self._reads():
            block.add_output(value)
        self.values = outer
        _skip_comments(self.reader)

    def _declaration(self) -> tuple[str, Type]:
        name = self.reader.need(_VALUE_NAME, "a value")
        self.reader.expect(":")
        return name[1:], self.reader.type()

    def _define(self, value: Value, start: int) -> None:
        if value.name in self.names:
            width = len(value.name) + 1
            raise self.reader.error(f"%{value.name} is defined twice", start, width)
        self.names.add(value.name)
        self.values[value.name] = value

    def _reads(self) -> list[Value]:
        reader = self.reader
        reader.expect("(")
        values: list[Value] = []
        while not reader.looking_at(")"):
            if values:
                reader.expect(",")
            values.append(self._read())
        self.line_ends_before = reader.at + 1
        reader.expect(")")
        return values

    def _read(self) -> Value:
        start = self.reader.at
        name = self.reader.need(_VALUE_NAME, "a value")[1:]
        if name not in self.values:
            error = self.reader.error(f"%{name} is not defined here", start, len(name) + 1)
            error.hint = did_you_mean(name, self.values)
            raise error
        return self.values[name]

    def _source(self) -> SourceSpan | None:
        """The scope and source comment on the line of a node; other comments are skipped."""
        reader = self.reader
        trailer = _TRAILER.match(reader.text, self.line_ends_before)
        if trailer is None:
            return None
        reader.at = trailer.end()
        reader.skip()
        _skip_comments(reader)
        scope = (trailer["scope"] or "").strip()
        source = _SOURCE.fullmatch(trailer["comment"] or "")
        if source is not None:
            line, column = int(source["line"]), int(source["column"])
            return SourceSpan(source["file"], line, column, function=scope)
        return SourceSpan("", 0, function=scope) if scope else None

    # Operators and attributes -------------------------------------------------------------------

    def _called(self, types: list[Type]) -> Node:
        reader = self.reader
        if reader.accept("^"):
            return self._python_op()
        start = reader.at
        kind = reader.need(WORD, "an operator")
        if "::" not in kind:
            raise reader.error(f"expected an operator, found {kind!r}", start, len(kind))
        is_labelled = kind in self.labels
        node = Node(kind.rpartition("_")[0] if is_labelled else kind)
        if is_labelled:
            self.waiting.append((kind, node))
        if reader.looking_at("["):
            node.attributes = self._attributes()
        if node.kind == CONSTANT and len(types) == 1:
            self._settle_constant(node, types[0], start)
        return node

    def _python_op(self) -> Node:
        reader = self.reader
        quoted = reader.take(STRING)
        name = unquote(quoted) if quoted is not None else reader.need(WORD, "a function's name")
        node = Node(PYTHON_OP)
        node.attributes["name"] = name
        if reader.looking_at("["):
            node.attributes.update(self._attributes())
        node.attributes.setdefault("callee", ObjectRef(name))
        reader.need(_SCALARS, "'()'")
        return node

    def _attributes(self) -> dict[str, Any]:
        reader = self.reader
        found: dict[str, Any] = {}
        reader.expect("[")
        while not reader.accept("]"):
            if found:
                reader.expect(",")
            key = reader.need(WORD, "an attribute")
            if not reader.looking_at("="):
                raise reader.error(f"expected '=', found {reader.here}")
            reader.at += 1  # and no further: the spaces before the numbers of a tensor are kept
            found[key] = self._value(key)
        return found

    def _settle_constant(self, node: Node, type_: Type, start: int) -> None:
        attributes = node.attributes
        if type_ is ty.FUNCTION and "name" in attributes:
            node.attributes = {"value": ObjectRef(attributes.pop("name")), **attributes}
        data = attributes.pop("data", None) if isinstance(type_, ty.TensorType) else None
        if data is not None:
            attributes["value"] = self._array(data, start)
        elif "value" in node.attributes:
            node.attributes["value"] = settle(node.attributes["value"], type_)

    def _array(self, data: object, start: int) -> np.ndarray:
        match = _DATA.fullmatch(data) if isinstance(data, str) else None
        try:
            if match is None:
                raise ValueError("no dtype, shape and bytes")
            dtype = dtypes.from_name(match["dtype"])
            shape = [int(size) for size in match["shape"].split(",") if size.strip()]
            raw = base64.b64decode(match["bytes"], validate=True)
            little = np.frombuffer(raw, dtype.numpy.newbyteorder("<"))
            return little.astype(dtype.numpy).reshape(shape)
        except (ValueError, KeyError, binascii.Error) as error:
            raise self.reader.error(
                f"the data of this tensor do not read: {error}", start
            ) from None

    def _value(self, key: str) -> Any:
        reader = self.reader
        if (match := _TENSOR_TEXT.match(reader.text, reader.at)) is not None:
            reader.at = match.end()
            reader.skip()
            return TensorText(match[0])
        reader.skip()
        if (token := reader.take(STRING)) is not None:
            return unquote(token)
        if (token := reader.take(NUMBER)) is not None:
            return read_number(token)
        if (token := reader.take(_EMPTY)) is not None:
            return [] if token.endswith("[])") else {}
        if (token := reader.take(_OBJECT)) is not None:
            inside = token[1:-1]
            return ObjectRef(unquote(inside) if inside.startswith('"') else inside)
        if reader.accept("["):
            return self._sequence("]", key)
        if reader.accept("{"):
            return self._dict(key)
        return self._word_or_tuple(key)

    def _word_or_tuple(self, key: str) -> Any:
        reader = self.reader
        start = reader.at
        found = reader.try_type()
        is_empty_tuple = found is ty.TupleType(()) and key == "value"
        if found is not None and not is_empty_tuple:
            return found
        reader.at = start
        if reader.accept("("):
            return tuple(self._sequence(")", key))
        word = reader.need(WORD, "a value")
        if word in _WORDS:
            return _WORDS[word]
        if word.startswith("torch."):
            return self._dtype(word, start)
        return ObjectRef(word)

    def _dtype(self, word: str, start: int) -> dtypes.DType:
        try:
            return dtypes.from_name(word.removeprefix("torch."))
        except KeyError:
            raise self.reader.error(f"unknown dtype {word!r}", start, len(word)) from None

    def _sequence(self, close: str, key: str) -> list[Any]:
        values: list[Any] = []
        while not self.reader.accept(close):
            if values:
                self.reader.expect(",")
                if self.reader.accept(close):
                    break
            values.append(self._value(key))
        return values

    def _dict(self, key: str) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while not self.reader.accept("}"):
            if found:
                self.reader.expect(",")
            inner = self._value(key)
            self.reader.expect(":")
            found[inner] = self._value(key)
        return found


def settle(value: Any, type_: Type) -> Any:
    """What the text of a constant means, given its type: `1` of a bool is True, of a float 1.0."""
    kinds = ty.alternatives(type_)
    if isinstance(value, list | tuple | dict):
        return _settle_container(value, kinds)
    if isinstance(value, int) and not isinstance(value, bool) and ty.INT not in kinds:
        return _settle_int(value, kinds)
    if isinstance(value, str) and ty.DEVICE in kinds and ty.STR not in kinds:
        return arrays.Device(value)
    if isinstance(value, ty.ClassType) and any(isinstance(kind, ty.EnumType) for kind in kinds):
        return ObjectRef(value.name)
    return value


def _settle_int(value: int, kinds: Iterable[Type]) -> Any:
    meanings: dict[Type, Any] = {ty.FLOAT: float, ty.BOOL: bool, ty.DTYPE: dtypes.from_code}
    read = next((meanings[kind] for kind in kinds if kind in meanings), int)
    return read(value)


def _settle_container(value: Any, kinds: Iterable[Type]) -> Any:
    for kind in kinds:
        if isinstance(kind, ty.ListType) and isinstance(value, list):
            return [settle(v, kind.element) for v in value]
        if isinstance(kind, ty.DictType) and isinstance(value, dict):
            return {settle(k, kind.key): settle(v, kind.value) for k, v in value.items()}
        is_tuple = isinstance(kind, ty.TupleType) and isinstance(value, tuple)
        if is_tuple and len(kind.children) == len(value):
            return tuple(settle(v, t) for v, t in zip(value, kind.children, strict=True))
    return value
