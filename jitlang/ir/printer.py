"""Graphs as text, as torch prints them.

    graph(%x.1 : Tensor,
          %n.1 : int):
      %2 : bool = prim::Constant[value=1]()
      %y : Tensor = prim::Loop(%n.1, %2, %x.1) # model.py:7:2
        block0(%i : int, %acc.1 : Tensor):
          %acc.5 : Tensor = aten::mul(%acc.1, %i)
          -> (%2, %acc.5)
      return (%y)

Values print under their preferred names, made unique with `.N`; one without a name prints as its
number in program order. What torch's text loses, ours adds where it is needed, so that
`parse_graph` gives an equal graph back:

- a tensor constant carries its elements: `value=<Tensor>, data="float32[2, 3]:<base64>"`;
- a Python object prints as its name, `value=<name>`; a dtype as `torch.float32`;
- a graph whose integers wrap opens with `graph[integers=wrapping](`;
- 0-dim tensors of unknown dtype and strides known in part have spellings of their own
  (`ir/types.py`).

Subgraphs (attribute `Subgraph`) print after the graph: `with prim::fork_0 = graph(...)`.
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .. import arrays
from ..dtypes import DType, from_numpy
from ..errors import SourceSpan
from . import types as ty
from .graph import (
    CONSTANT,
    PYTHON_OP,
    Block,
    Graph,
    Node,
    ObjectRef,
    TensorText,
    Value,
    tensor_data,
)
from .text import WORD, quote, spell_complex, spell_float
from .types import Type

SUBGRAPH = "Subgraph"
SCOPE_PREFIX = "__module"
_NOT_IN_A_NAME = re.compile(r"[^\w.]")


def print_graph(graph: Graph, notes: Mapping[Node, str] | None = None) -> str:
    """The text of a graph; `notes` are drawn under the lines of their nodes."""
    return "".join(line + "\n" for line in _graph_lines(graph, notes or {}))


def print_node(node: Node) -> str:
    """The line of one node, without what its blocks hold."""
    printer = _Printer(assign_names(node.graph) if node.is_inserted else {}, {})
    return printer.head(node)


Graph.text_of = print_graph


# Names ------------------------------------------------------------------------------------------


def assign_names(graph: Graph) -> dict[Value, str]:
    """A unique name for every value of a graph."""
    values = list(_values(graph.block))
    wanted = {name for value in values if (name := _clean(value.name))}
    names = _Names(wanted, len(values))
    return {value: names.name(value, index) for index, value in enumerate(values)}


def _values(block: Block) -> Iterator[Value]:
    yield from block.inputs
    for node in block.nodes:
        yield from node.outputs
        for inner in node.blocks:
            yield from _values(inner)


def _clean(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", name)


class _Names:
    """Hands out names; nobody gets a name that another value prefers."""

    def __init__(self, wanted: set[str], count: int) -> None:
        self.wanted = wanted
        self.used: set[str] = set()
        self.next_number = count
        self.next_suffix: dict[str, int] = {}

    def name(self, value: Value, index: int) -> str:
        name = _clean(value.name)
        if not name or (name in self.used and name.isdigit()):
            name = self._number(index)
        elif name in self.used:
            name = self._suffixed(name)
        self.used.add(name)
        return name

    def _is_free(self, name: str) -> bool:
        return name not in self.used and name not in self.wanted

    def _number(self, index: int) -> str:
        number = index
        while not self._is_free(str(number)):
            number = self.next_number
            self.next_number += 1
        return str(number)

    def _suffixed(self, name: str) -> str:
        base, _, tail = name.rpartition(".")
        if not (base and tail.isdigit()):
            base = name
        number = self.next_suffix.get(base, 1)
        while not self._is_free(f"{base}.{number}"):
            number += 1
        self.next_suffix[base] = number + 1
        return f"{base}.{number}"


# Lines ------------------------------------------------------------------------------------------


def _graph_lines(graph: Graph, notes: Mapping[Node, str]) -> Iterator[str]:
    printer = _Printer(assign_names(graph), notes)
    inputs = ",\n      ".join(map(printer.declared, graph.inputs))
    header = "graph" if graph.integers == "checked" else f"graph[integers={graph.integers}]"
    yield from f"{header}({inputs}):".split("\n")
    yield from printer.noted(graph.block.param_node, "  ")
    for node in graph.nodes:
        yield from printer.lines(node, 1)
    yield f"  return ({printer.read(graph.outputs)})"
    yield from printer.noted(graph.return_node, "  ")
    for label, subgraph in printer.subgraphs:
        first, *rest = _graph_lines(subgraph, notes)
        yield f"with {label} = {first}"
        yield from rest


class _Printer:
    """Prints the nodes of one graph; collects the subgraphs that follow it."""

    def __init__(self, names: Mapping[Value, str], notes: Mapping[Node, str]) -> None:
        self.names = names
        self.notes = notes
        self.subgraphs: list[tuple[str, Graph]] = []

    def name(self, value: Value) -> str:
        """`%name`; a value from outside the graph, as the verifier may meet it, is marked."""
        found = self.names.get(value)
        return f"%{found}" if found is not None else f"%<{value.name or 'undefined'}>"

    def declared(self, value: Value) -> str:
        return f"{self.name(value)} : {value.type}"

    def read(self, values: Iterable[Value]) -> str:
        return ", ".join(map(self.name, values))

    def lines(self, node: Node, depth: int) -> Iterator[str]:
        indent = "  " * depth
        yield f"{indent}{self.head(node)}"
        yield from self.noted(node, indent)
        for index, block in enumerate(node.blocks):
            inputs = ", ".join(map(self.declared, block.inputs))
            yield f"{indent}  block{index}({inputs}):"
            yield from self.noted(block.param_node, indent + "  ")
            for inner in block.nodes:
                yield from self.lines(inner, depth + 2)
            yield f"{indent}    -> ({self.read(block.outputs)})"
            yield from self.noted(block.return_node, indent + "    ")

    def noted(self, node: Node, indent: str) -> Iterator[str]:
        """The message about a node, drawn as a remark under its line."""
        for line in self.notes.get(node, "").splitlines():
            yield f"{indent}^^^ {line}"

    def head(self, node: Node) -> str:
        """The line of a node: outputs, kind, attributes, inputs, source."""
        outputs = ", ".join(map(self.declared, node.outputs))
        inputs = self.read(node.inputs)
        return f"{outputs} = {self._called(node)}({inputs}){_source(node.span)}"

    def _called(self, node: Node) -> str:
        if node.kind == PYTHON_OP:
            name = str(node.attributes.get("name", ""))
            shown = name if WORD.fullmatch(name) else quote(name)
            return f"^{shown}[{', '.join(_python_attributes(node))}]()"
        label = node.kind
        if isinstance(subgraph := node.attributes.get(SUBGRAPH), Graph):
            label = f"{label}_{len(self.subgraphs)}"
            self.subgraphs.append((label, subgraph))
        attributes = list(_attributes(node))
        return f"{label}[{', '.join(attributes)}]" if attributes else label


def _source(span: SourceSpan | None) -> str:
    if span is None:
        return ""
    scope = f", scope: {span.function}" if span.function.startswith(SCOPE_PREFIX) else ""
    return f"{scope} # {span}" if span.filename else scope


# Attributes -------------------------------------------------------------------------------------


def _attributes(node: Node) -> Iterator[str]:
    type_ = node.outputs[0].type if node.kind == CONSTANT and node.outputs else None
    for key, value in node.attributes.items():
        if type_ is not None and key == "value":
            yield from _constant(value, type_)
        elif not (key == SUBGRAPH and isinstance(value, Graph)):
            yield f"{key}={spell(value)}"


def _constant(value: Any, type_: Type) -> Iterator[str]:
    if type_ is ty.FUNCTION and isinstance(value, ObjectRef):
        yield f"name={quote(value.name)}"
    elif type_ is ty.BOOL and isinstance(value, bool):
        yield f"value={int(value)}"
    elif isinstance(type_, ty.EnumType) and isinstance(value, ObjectRef):
        yield f"value={value.name}"
    else:
        yield f"value={spell(value, type_)}"
        array = tensor_data(value)
        if array is not None:
            yield f"data={quote(spell_data(array))}"


def _python_attributes(node: Node) -> Iterator[str]:
    """A callee that is named as the node says goes without saying."""
    name = node.attributes.get("name")
    for key, value in node.attributes.items():
        if key == "name" or (key == "callee" and value == ObjectRef(str(name))):
            continue
        yield f"{key}={spell(value)}"


def spell_data(array: np.ndarray) -> str:
    """Dtype, shape and elements: `float32[2]:AACAPwAAAEA=` (little-endian, row-major)."""
    dtype = from_numpy(array.dtype)
    little = np.ascontiguousarray(array).astype(dtype.numpy.newbyteorder("<"), copy=False)
    shape = ", ".join(map(str, array.shape))
    return f"{dtype.name}[{shape}]:{base64.b64encode(little.tobytes()).decode()}"


def spell(value: Any, type_: Type | None = None) -> str:
    """The text of an attribute value. Where the type is not known, floats always show a point."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, enum.Enum):
        kind = type(value)
        return f"<{kind.__module__}.{kind.__qualname__}.{value.name}>"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        text = spell_float(value)
        whole = type_ is not ty.FLOAT and text.removeprefix("-").isdigit()
        return text + "." if whole else text
    if isinstance(value, complex):
        return spell_complex(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, DType):
        return f"torch.{value.name}"
    if isinstance(value, Type):
        return str(value)
    if isinstance(value, ObjectRef):
        return f"<{value.name if WORD.fullmatch(value.name) else quote(value.name)}>"
    if isinstance(value, list | tuple | dict):
        return _spell_container(value, type_)
    return _spell_object(value)


def _spell_container(
    value: list[Any] | tuple[Any, ...] | dict[Any, Any], type_: Type | None
) -> str:
    known = type_ if type_ is not None else ty.ANY
    inner = ty.without_none(known) or known
    if isinstance(value, dict):
        if not value and isinstance(inner, ty.DictType):
            return f"annotate({ty.annotation(inner)},{{}})"
        key_type, value_type = _parts(inner, ty.DictType, 2)
        pairs = (f"{spell(k, key_type)}: {spell(v, value_type)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        if not value and isinstance(inner, ty.ListType):
            return f"annotate({ty.annotation(inner)}, [])"
        (element,) = _parts(inner, ty.ListType, 1)
        return f"[{', '.join(spell(v, element) for v in value)}]"
    types = _parts(inner, ty.TupleType, len(value))
    parts = [spell(v, t) for v, t in zip(value, types, strict=True)]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def _parts(type_: Type, kind: type[Type], count: int) -> list[Type | None]:
    """The types of a container's parts, as far as its type says."""
    fits = isinstance(type_, kind) and len(type_.children) == count
    return list(type_.children) if fits else [None] * count


def _spell_object(value: Any) -> str:
    if isinstance(value, TensorText):
        return value.text
    array = tensor_data(value)
    if array is not None:
        return f"{{{spell(array.item())}}}" if array.size == 1 else "<Tensor>"
    if isinstance(value, arrays.Device):
        return quote(str(value))
    return f"<{quote(type(value).__name__)}>"
