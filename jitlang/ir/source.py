"""A graph as source: what `.code` shows, in the dialect of TorchScript's archives.

    def scores(q: Tensor,
        k: Tensor,
        mask: Optional[Tensor]=None) -> Tensor:
      _0 = torch.matmul(q, torch.transpose(k, -2, -1))
      if torch.__isnot__(mask, None):
        mask0 = unchecked_cast(Tensor, mask)
        ...

The text is Python, but for `^name(...)`, a call back into Python, which by design does not parse.
Its grammar:

    function  := "def" name "(" [param ("," param)*] ")" "->" type ":" statement*
    param     := "*" | name ":" type ["=" literal]
    statement := names "=" exprs
               | name "," [names ","] "=" expr                 unpacks a tuple or a list
               | expr | "pass" | "return" expr | expr "." name "=" expr
               | "if" expr ":" ... "else:" ... | "while" name ":" ...
               | "for" name "in" "range(" expr "):" ...
    expr      := name | literal | "[" exprs "]" | "(" exprs ")" | "{" (expr ":" expr)* "}"
               | expr "[" expr "]"                             of lists, dicts, strings, tuples
               | expr "[" int ":" int "]"                      of tuples
               | expr "." name                                 a field of a NamedTuple, an attribute
               | callee "(" [expr ("," expr)*] [name "=" expr ...] ")"
               | ("annotate" | "unchecked_cast" | "checked_cast") "(" type "," expr ")"
               | "uninitialized(" type ")" | "isinstance(" expr "," (type | "(" types ")") ")"
               | "CONSTANTS.c" number
    callee    := "torch." op                       aten::op; the overload follows from the types
               | "ops." namespace "." op           another namespace (`ops.jit.pow`)
               | "ops." namespace "." op "." overload    where types alone find another overload
               | "int" | "float" | "bool" | "str" | "print"
               | "__torch__." name                 of `Source.functions` or `Source.types`
               | "^" name                          a call back into Python
                 (an operator whose name is a Python keyword is written with an underscore behind)
    literal   := int | float | "inf" | "nan" | "-inf" | str | "True" | "False" | "None"
               | "complex(" float "," float ")" | "torch." dtype | "torch.device(" str ")"

A value that is read once is written where it is read, as long as evaluation from left to right then
runs the nodes in the graph's order; so no effect moves and no read passes a write. Values with
names keep them, made unique; others are `_0`, `_1` ... Trailing arguments that equal the schema's
defaults are left out where the same overload is still found. `annotate` appears where the type of
an expression would be narrower than the value's. Tensors and objects are `CONSTANTS.cN`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import types as ty
from .calls import call_text
from .graph import (
    CATCHES,
    CONSTANT,
    IF,
    LOOP,
    PARAM,
    RETURN,
    TRY,
    Block,
    Graph,
    Node,
    ObjectRef,
    Value,
)
from .literals import literal
from .schema import FunctionSchema
from .types import Type

LONG_EXPRESSION = 40
MAX_DEPTH = 50
UNLIMITED = 2**63 - 1
_RESERVED = frozenset((
    *keyword.kwlist, *keyword.softkwlist, "torch", "ops", "CONSTANTS", "annotate",
    "unchecked_cast", "checked_cast", "uninitialized", "inf", "nan", "range", "print", "isinstance",
    "int", "float", "bool", "str", "complex", "list", "dict", "tuple", "getattr", "Tensor", "Array",
    "List", "Dict", "Tuple", "Optional", "Union", "Future", "Any", "Device", "Function",
    "Generator", "NoReturn", "number", "dtype", "__torch__",
))  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Source text and what it refers to.

    Attributes:
        text: the function.
        constants: the values of `CONSTANTS.c0`, `CONSTANTS.c1` ...
        constant_types: their types.
        functions: the functions that the text calls, by the dotted names in the text.
        types: the named types that the text mentions, by the dotted names in the text.
    """

    text: str
    constants: tuple[Any, ...]
    constant_types: tuple[Type, ...]
    functions: dict[str, ObjectRef]
    types: dict[str, Type]


def to_source(graph: Graph, name: str, schema: FunctionSchema | None = None) -> Source:
    """The source of a graph as a function; `schema` gives parameter names and defaults."""
    writer = _Writer(_Inlining(graph).nodes)
    writer.function(graph, name, schema)
    text = "".join(line + "\n" for line in writer.lines)
    return Source(
        text,
        tuple(writer.constants),
        tuple(writer.constant_types),
        writer.functions,
        writer.types,
    )


# What is written where it is read ---------------------------------------------------------------


class _Inlining:
    """Finds the nodes that are written where their value is read.

    Walks each block backwards. The nodes just before a statement become parts of it as long as they
    come in the order in which the statement, read from right to left, needs them.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: set[Node] = set()
        self._block(graph.block)

    def _block(self, block: Block) -> None:
        self._node(block.return_node)
        for node in block.reversed_nodes:
            self._node(node)

    def _node(self, node: Node, depth: int = 0) -> Node:
        """Absorb what stands before `node`; returns the first node that is no part of it."""
        if node in self.nodes:
            return node
        for block in node.blocks:
            self._block(block)
        before = _before(node)
        if depth == MAX_DEPTH:
            return before
        for index in reversed(range(len(node.inputs))):
            value = node.inputs[index]
            if value.node is before and _can_inline(value):
                first = self._node(before, depth + 1)
                self.nodes.add(before)
                before = first
        return before


def _before(node: Node) -> Node:
    node = node.previous
    while node.kind == CONSTANT:
        node = node.previous
    return node


def _can_inline(value: Value) -> bool:
    node = value.node
    if node.kind == PARAM or node.blocks or len(node.outputs) != 1 or len(value.uses) != 1:
        return False
    (use,) = value.uses
    if value.name and not value.name.isdigit() and use.node.kind != RETURN:
        return False
    # What a loop carries needs a variable. An assignment evaluates its target last. A type test in
    # a condition would refine what it tests.
    is_carried = use.node.kind == LOOP and use.index >= 2
    is_target = use.node.kind == "prim::SetAttr" and use.index == 0
    return not is_carried and not is_target and node.kind != "prim::isinstance"


# Writing ----------------------------------------------------------------------------------------


class _Writer:
    """Writes statements; knows the text of every value that is defined so far."""

    def __init__(self, inlined: set[Node]) -> None:
        self.inlined = inlined
        self.lines: list[str] = []
        self.level = 0
        self.texts: dict[Value, str] = {}
        self.pending: list[Value] = []
        self.used_names: set[str] = set(_RESERVED)
        self.next_suffix: dict[str, int] = {}
        self.constants: list[Any] = []
        self.constant_types: list[Type] = []
        self.functions: dict[str, ObjectRef] = {}
        self.types: dict[str, Type] = {}

    def line(self, text: str) -> None:
        self.lines.append("  " * self.level + text)

    @contextmanager
    def indented(self) -> Iterator[None]:
        self.level += 1
        yield
        self.level -= 1

    # Names, types, values -----------------------------------------------------------------------

    def fresh(self, wanted: str) -> str:
        """An identifier like the wanted one that nothing else has."""
        base = re.sub(r"\W", "_", wanted.rpartition(".")[0] if _has_suffix(wanted) else wanted)
        if not base or base.isdigit():
            base = "_"
        elif base[0].isdigit():
            base = f"_{base}"
        if base != "_" and base not in self.used_names:
            self.used_names.add(base)
            return base
        number = self.next_suffix.get(base, 0)
        while f"{base}{number}" in self.used_names:
            number += 1
        self.next_suffix[base] = number + 1
        self.used_names.add(f"{base}{number}")
        return f"{base}{number}"

    def name(self, value: Value) -> str:
        """Give a value a variable of its own."""
        self.texts[value] = self.fresh(value.name)
        return self.texts[value]

    def read(self, value: Value) -> str:
        """The text that reads a value."""
        if value not in self.texts:
            if value.node.kind != CONSTANT:
                raise ValueError(f"{value!r} is read before it is written")
            return self.constant(value.constant(), value.type)
        return self.texts[value]

    def read_as(self, value: Value, type_: Type) -> str:
        """The text that reads a value, annotated where its own type is another."""
        if ty.unshaped(value.type) is ty.unshaped(type_):
            return self.read(value)
        return f"annotate({self.type(type_)}, {self.read(value)})"

    def constant(self, value: Any, type_: Type) -> str:
        """The text of a constant."""
        if type_ is ty.FUNCTION and isinstance(value, ObjectRef):
            return self.callee(value)
        text = literal(value, type_)
        if text is not None:
            return text
        for index, known in enumerate(self.constants):
            if known is value:
                return f"CONSTANTS.c{index}"
        self.constants.append(value)
        self.constant_types.append(type_)
        return f"CONSTANTS.c{len(self.constants) - 1}"

    def callee(self, function: ObjectRef) -> str:
        """The dotted name of a function; another function of that name gets a number."""
        return _recorded(self.functions, function.name, function)

    def type(self, type_: Type) -> str:
        """The annotation of a type; named types are put on record."""
        return ty.annotation(type_, self._type_name)

    def _type_name(self, type_: Type) -> str:
        return _recorded(self.types, getattr(type_, "name", "") or "NamedTuple", type_)

    # Statements ---------------------------------------------------------------------------------

    def function(self, graph: Graph, name: str, schema: FunctionSchema | None) -> None:
        parameters: list[str] = []
        starred = False
        for index, value in enumerate(graph.inputs):
            known = schema is not None and index < len(schema.arguments)
            argument = schema.arguments[index] if schema is not None and known else None
            if argument is not None and argument.kwarg_only and not starred:
                parameters.append("*")
                starred = True
            shown = value.name or f"argument{index}"
            self.texts[value] = self.fresh(argument.name if argument is not None else shown)
            parameter = f"{self.texts[value]}: {self.type(value.type)}"
            if argument is not None and argument.has_default:
                parameter += f"={self.constant(argument.default, argument.type)}"
            parameters.append(parameter)
        (result,) = graph.outputs
        given = schema.returns[0].type if schema is not None and schema.returns else result.type
        joined = ",\n    ".join(parameters)
        self.line(f"def {name}({joined}) -> {self.type(given)}:")
        with self.indented():
            self.nodes(graph.block)
            self.line(f"return {self.read(result)}")

    def nodes(self, block: Block) -> None:
        for node in block.nodes:
            self.statement(node)

    def statement(self, node: Node) -> None:
        if node.kind == CONSTANT:
            return
        if node.kind not in (IF, LOOP, TRY, "prim::TupleConstruct"):
            self.settle_long(node.inputs)
        match node.kind:
            case "prim::If":
                self.branch(node)
            case "prim::Loop":
                self.loop(node)
            case "prim::Try":
                self.attempt(node)
            case "prim::TupleUnpack" | "prim::ListUnpack":
                self.unpack(node)
            case "prim::SetAttr":
                target, value = map(self.read, node.inputs)
                self.line(f"{target}.{node.attributes['name']} = {value}")
            case _:
                self.expression(node)
        if node not in self.inlined:
            self.pending.clear()

    def expression(self, node: Node) -> None:
        text = call_text(self, node)
        if node in self.inlined:
            self.texts[node.output] = text
            self.pending = [value for value in self.pending if value not in node.inputs]
            self.pending.append(node.output)
        elif not node.outputs or self._is_dropped(node):
            self.line(text)
        else:
            self.line(f"{', '.join(map(self.name, node.outputs))} = {text}")

    def _is_dropped(self, node: Node) -> bool:
        return len(node.outputs) == 1 and node.output.type is ty.NONE and not node.output.uses

    def settle_long(self, inputs: Sequence[Value]) -> None:
        """Give long expressions variables, and with them all that runs before them."""
        long = [v for v in inputs if v in self.pending and self._is_long(self.texts[v])]
        if not long:
            return
        last = max(self.pending.index(value) for value in long)
        later = self.pending[last + 1 :]
        del self.pending[last + 1 :]
        self._settle_pending()
        self.pending = later

    def _is_long(self, text: str) -> bool:
        return len(text) + 2 * self.level >= LONG_EXPRESSION

    def unpack(self, node: Node) -> None:
        source = self.read(node.inputs[0])
        targets = "".join(f"{self.name(value)}, " for value in node.outputs)
        if targets or node.inputs[0].node in self.inlined:
            self.line(f"{targets}= {source}" if targets else source)

    def assign(self, targets: Sequence[str], texts: Sequence[str]) -> None:
        """One simultaneous assignment; what is assigned to itself is left out."""
        pairs = [(t, s) for t, s in zip(targets, texts, strict=True) if t != s]
        if pairs:
            left, right = zip(*pairs, strict=True)
            self.line(f"{', '.join(left)} = {', '.join(right)}")

    def branch(self, node: Node) -> None:
        condition = self.read(node.inputs[0])
        self.pending.clear()
        self._choice(node, (f"if {condition}:", "else:"))

    def attempt(self, node: Node) -> None:
        openings = ["try:"]
        for classes, handler in zip(node.attributes[CATCHES], node.blocks[1:], strict=True):
            names = ", ".join(each.name for each in classes)
            caught = names if len(classes) == 1 else f"({names})"
            openings.append(f"except {caught} as {self.name(handler.inputs[0])}:")
        self.pending.clear()
        self._choice(node, openings)

    def _choice(self, node: Node, openings: Sequence[str]) -> None:
        """The blocks of which one gives what the node gives."""
        targets = [self.name(value) for value in node.outputs]
        joined = [_joined(values) for values in zip(*(b.outputs for b in node.blocks), strict=True)]
        for opening, block in zip(openings, node.blocks, strict=True):
            self.line(opening)
            with self.indented():
                start = len(self.lines)
                self.nodes(block)
                if len(targets) > 1:
                    self.settle_long(block.outputs)
                self.assign(targets, list(self._results(node.outputs, block.outputs, joined)))
                self.pending.clear()
                if len(self.lines) == start:
                    self.line("pass")

    def _results(
        self, outputs: Iterable[Value], given: Iterable[Value], joined: Iterable[Type | None]
    ) -> Iterator[str]:
        for output, value, by_itself in zip(outputs, given, joined, strict=True):
            is_plain = by_itself is ty.unshaped(output.type)
            yield self.read(value) if is_plain else self.read_as(value, output.type)

    # Loops --------------------------------------------------------------------------------------

    def loop(self, node: Node) -> None:
        """A `for` over a range, a `while`, or a `while` that counts."""
        block = node.blocks[0]
        limit, condition = node.inputs[:2]
        always = condition.constant() is True and block.outputs[0].constant() is True
        counts = bool(block.inputs[0].uses) or limit.constant() != UNLIMITED
        limit_text, condition_text = self.read(limit), self.read(condition)
        self.pending.clear()
        if always and counts:
            self._for(node, limit_text)
        elif counts:
            self._counting_while(node, limit, limit_text, condition_text)
        else:
            self._while(node, condition_text)

    def _carry(self, node: Node) -> list[str]:
        """Variables for what the loop carries, holding what enters it."""
        targets = [self.name(value) for value in node.outputs]
        block = node.blocks[0]
        for target, value, place in zip(targets, node.inputs[2:], block.inputs[1:], strict=True):
            self.texts[place] = target
            self.line(f"{target} = {self.read_as(value, place.type)}")
        return targets

    def _for(self, node: Node, limit: str) -> None:
        block = node.blocks[0]
        targets = self._carry(node)
        self.line(f"for {self.name(block.inputs[0])} in range({limit}):")
        self._body(block, targets, None)

    def _while(self, node: Node, condition: str) -> None:
        targets = self._carry(node)
        variable = self.fresh("")
        self.line(f"{variable} = {condition}")
        self.line(f"while {variable}:")
        self._body(node.blocks[0], targets, variable)

    def _counting_while(self, node: Node, limit: Value, limit_text: str, condition: str) -> None:
        """A loop with a condition that also has a limit, or reads the iteration, counts by hand."""
        block = node.blocks[0]
        if limit.node in self.inlined:
            variable = self.fresh("")
            self.line(f"{variable} = {limit_text}")
            limit_text = variable
        if limit.constant() == UNLIMITED:
            limit_text = ""
        targets = self._carry(node)
        counter = self.name(block.inputs[0])
        self.line(f"{counter} = 0")
        variable = self.fresh("")
        self.line(f"{variable} = {_within(condition, '0', limit_text)}")
        self.line(f"while {variable}:")
        self._body(block, targets, variable, counter, limit_text)

    def _body(
        self,
        block: Block,
        targets: list[str],
        condition: str | None,
        counter: str = "",
        limit: str = "",
    ) -> None:
        """The nodes of a loop, and the assignment that ends a turn."""
        with self.indented():
            start = len(self.lines)
            self.nodes(block)
            if counter or len(block.outputs) > 1:
                self.settle_long(block.outputs)
            after = f"torch.add({counter}, 1)"
            if limit:
                self._settle_pending()
                variable = self.fresh("")
                self.line(f"{variable} = {after}")
                after = variable
            following = _within(self.read(block.outputs[0]), after, limit)
            if limit and self._is_long(following):
                variable = self.fresh("")
                self.line(f"{variable} = {following}")
                following = variable
            results = [
                self.read_as(value, place.type)
                for value, place in zip(block.outputs[1:], block.inputs[1:], strict=True)
            ]
            if counter:
                targets, results = [*targets, counter], [*results, after]
            if condition is not None:
                targets, results = [condition, *targets], [following, *results]
            self.assign(targets, results)
            self.pending.clear()
            if len(self.lines) == start:
                self.line("pass")

    def _settle_pending(self) -> None:
        """Give every pending expression a variable."""
        for value in self.pending:
            text = self.texts[value]
            self.line(f"{self.name(value)} = {text}")
        self.pending.clear()


def _recorded(table: dict[str, Any], wanted: str, item: Any) -> str:
    """The dotted name under which an item is on record, or is now."""
    path = re.sub(r"[^\w.]", "_", wanted.removeprefix("__torch__."))
    name, number = f"__torch__.{path}", 0
    while table.setdefault(name, item) != item:
        name, number = f"__torch__.{path}{number}", number + 1
    return name


def _joined(values: Sequence[Value]) -> Type | None:
    """The type that all arms of a choice give by themselves."""
    joined: Type | None = ty.unshaped(values[0].type)
    for value in values[1:]:
        joined = None if joined is None else ty.unify(joined, ty.unshaped(value.type))
    return joined


def _within(condition: str, iteration: str, limit: str) -> str:
    """The condition of a loop and its limit, if it has one."""
    if not limit:
        return condition
    within = f"torch.lt({iteration}, {limit})"
    return within if condition == "True" else f"torch.__and__({condition}, {within})"


def _has_suffix(name: str) -> bool:
    return name.rpartition(".")[2].isdigit() and "." in name
