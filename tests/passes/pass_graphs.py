"""Random well-typed graphs, and a plain evaluator of graphs that shares nothing with the
interpreter.

The graphs have everything that passes and the interpreter must be careful with: integers that
overflow, division by zero, lists that grow and alias, tensors written in place and seen through
views, tuples, Optional, branches, counted and conditional loops, and calls into Python that see
and change what they are given. An outcome is what a caller can tell: the result with the identity
of all mutable objects in it and in the arguments, the class of the exception, and the log of
Python calls.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Block, Graph, Node, ObjectRef, Value
from jitlang.ir.opdef import OPS
from jitlang.ops.rows import kernel_of
from jitlang.tensor import Tensor, box
from jitlang.values import conforms

INTS = ty.ListType(ty.INT)
TENSORS = ty.ListType(ty.TENSOR)
PAIR = ty.tuple_of(ty.INT, ty.TENSOR)
MAYBE = ty.optional(ty.INT)
ALL_TYPES = (ty.INT, ty.FLOAT, ty.BOOL, ty.TENSOR, INTS, TENSORS, PAIR, MAYBE)
BIG = 2**62

LOG: list[Any] = []


def observe(*values: Any) -> int:
    """A Python function that the graphs call: it logs what it sees."""
    LOG.append(canonical(values))
    return len(LOG)


def meddle(values: list[int]) -> int:
    """A Python function that changes what it is given."""
    LOG.append(("meddle", list(values)))
    values.append(7)
    return len(values)


class Generator:
    """Draws one graph."""

    def __init__(self, draw: Callable[[Any], Any], size: int) -> None:
        self.draw = draw
        self.budget = size
        self.graph = Graph("random")
        self.builder = Builder(self.graph)
        self.scopes: list[list[Value]] = [[]]
        self.calls: list[list[tuple[str, list[Value]]]] = [[]]

    def run(self) -> Graph:
        for index, type_ in enumerate(
            (ty.INT, ty.FLOAT, ty.BOOL, ty.TENSOR, ty.TENSOR, INTS, MAYBE)
        ):
            self.add(self.graph.add_input(type_, f"p{index}"))
        self.statements(12)
        results = [self.any_value(type_) for type_ in (ty.INT, ty.TENSOR, ty.TENSOR, INTS, TENSORS)]
        self.graph.add_output(self.builder.tuple(results))
        return self.graph

    # Choices ------------------------------------------------------------------------------------

    def choose(self, options: Any) -> Any:
        return options[self.draw(st.integers(0, len(options) - 1))]

    def add(self, value: Value) -> Value:
        self.scopes[-1].append(value)
        return value

    def visible(self, type_: ty.Type) -> list[Value]:
        return [v for scope in self.scopes for v in scope if v.type is type_]

    def any_value(self, type_: ty.Type) -> Value:
        found = self.visible(type_)
        if found and self.draw(st.integers(0, 9)) < 9:
            return found[-1 - self.draw(st.integers(0, min(len(found), 6) - 1))]
        return self.fresh(type_)

    def fresh(self, type_: ty.Type) -> Value:
        build = self.builder
        if type_ is ty.INT:
            return build.constant(self.choose((0, 1, 2, -1, 3, 5, BIG, -BIG)))
        if type_ is ty.FLOAT:
            return build.constant(self.choose((0.0, -0.0, 1.0, 2.5, float("inf"), float("nan"))))
        if type_ is ty.BOOL:
            return build.constant(self.choose((True, False)))
        if type_ is ty.TENSOR:
            return build.op("aten::mul", self.visible(ty.TENSOR)[-1], build.constant(2.0))
        if isinstance(type_, ty.ListType):
            parts = [self.any_value(type_.element) for _ in range(self.draw(st.integers(0, 3)))]
            return build.list(parts, type_.element)
        if type_ is PAIR:
            return build.tuple([self.any_value(ty.INT), self.any_value(ty.TENSOR)])
        return build.value("prim::unchecked_cast", [self.any_value(ty.INT)], MAYBE)

    # Statements ---------------------------------------------------------------------------------

    def statements(self, most: int) -> None:
        for _ in range(self.draw(st.integers(1, most))):
            if self.budget <= 0:
                return
            self.budget -= 1
            self.choose(STATEMENTS)(self)

    def op(self, name: str, *types: ty.Type) -> None:
        self.call(name, [self.any_value(t) for t in types])

    def call(self, name: str, inputs: list[Value]) -> None:
        self.calls[-1].append((name, inputs))
        for output in self.builder.call(name, inputs):
            self.add(output)

    def again(self) -> None:
        """A call that was made before, on the same values."""
        calls = [call for scope in self.calls for call in scope]
        if calls:
            self.call(*calls[-1 - self.draw(st.integers(0, min(len(calls), 8) - 1))])

    def scalar(self) -> None:
        self.op(*self.choose(SCALAR_CALLS))

    def tensor(self) -> None:
        self.op(*self.choose(TENSOR_CALLS))

    def write(self) -> None:
        self.op(*self.choose(WRITING_CALLS))

    def containers(self) -> None:
        self.op(*self.choose(LIST_CALLS))

    def display(self) -> None:
        """A new list, and some calls on it."""
        made = self.add(self.fresh(self.choose((INTS, TENSORS))))
        for _ in range(self.draw(st.integers(1, 4))):
            name = self.choose(("aten::len", "aten::append", "aten::__getitem__", "python"))
            if name == "python" and made.type is INTS:
                self.callback(meddle, [made])
            elif name == "aten::append":
                self.call(name, [made, self.any_value(made.type.element)])
            elif name == "aten::__getitem__":
                self.call(name, [made, self.builder.constant(self.choose((0, -1)))])
            else:
                self.call("aten::len", [made])

    def tuple(self) -> None:
        build = self.builder
        pair = self.any_value(PAIR)
        if self.draw(st.booleans()):
            for output in build.node("prim::TupleUnpack", [pair], PAIR.elements).outputs:
                self.add(output)
        else:
            index = build.constant(1)
            self.add(build.value("prim::TupleIndex", [pair, index], ty.TENSOR))
        self.add(build.tuple([self.any_value(ty.INT), self.any_value(ty.TENSOR)]))

    def optional(self) -> None:
        build = self.builder
        value = self.any_value(MAYBE)
        test = build.op("aten::__is__", value, build.constant(None))
        node = build.node("prim::If", [test], [ty.INT])
        with build.at(node.add_block()) as block:
            block.add_output(self.any_value(ty.INT))
        with build.at(node.add_block()) as block:
            block.add_output(build.value("prim::unchecked_cast", [value], ty.INT))
        self.add(node.output)

    def anything(self) -> None:
        """A value of type Any, and what it turns out to be."""
        build = self.builder
        types = (ty.TENSOR, INTS, TENSORS, ty.INT)
        given = [self.any_value(self.choose(types)) for _ in range(2)]
        node = build.node("prim::If", [self.any_value(ty.BOOL)], [ty.ANY])
        for value in given:
            node.add_block().add_output(value)
        wanted = self.choose(types)
        test = build.value("prim::isinstance", [node.output], ty.BOOL, types=[wanted])
        other = self.any_value(wanted)
        chosen = build.node("prim::If", [test], [wanted])
        with build.at(chosen.add_block()) as block:
            block.add_output(build.value("prim::unchecked_cast", [node.output], wanted))
        chosen.add_block().add_output(other)
        self.add(chosen.output)

    def python(self) -> None:
        function = self.choose((observe, meddle))
        types = (INTS,) if function is meddle else (ty.INT, self.choose(ALL_TYPES))
        self.callback(function, [self.any_value(t) for t in types])

    def callback(self, function: Callable[..., int], inputs: list[Value]) -> None:
        name = function.__name__
        attributes = {"name": name, "callee": ObjectRef(name, function)}
        self.add(self.builder.value("prim::PythonOp", inputs, ty.INT, **attributes))

    def block(self, block: Block, types: list[ty.Type]) -> list[Value]:
        """Fill a block with statements; returns values of these types."""
        self.scopes.append(list(block.inputs))
        self.calls.append([])
        with self.builder.at(block):
            self.statements(4)
            results = [self.any_value(type_) for type_ in types]
        self.scopes.pop()
        self.calls.pop()
        return results

    def types(self) -> list[ty.Type]:
        return [self.choose(ALL_TYPES) for _ in range(self.draw(st.integers(0, 3)))]

    def branch(self) -> None:
        types = self.types()
        node = self.builder.node("prim::If", [self.any_value(ty.BOOL)], types)
        for _ in range(2):
            block = node.add_block()
            for value in self.block(block, types):
                block.add_output(value)
        self.scopes[-1].extend(node.outputs)

    def loop(self) -> None:
        build = self.builder
        types = self.types()
        inputs = [self.any_value(t) for t in types]
        trips = build.constant(self.choose((0, 1, 2, 3)))
        start = self.any_value(ty.BOOL)
        node = build.node("prim::Loop", [trips, start, *inputs], types)
        body = node.add_block()
        for type_ in (ty.INT, *types):
            body.add_input(type_)
        condition, *results = self.block(body, [ty.BOOL, *types])
        if self.draw(st.booleans()):
            with build.at(body):
                condition = build.constant(True)
        for value in (condition, *results):
            body.add_output(value)
        self.scopes[-1].extend(node.outputs)


SCALAR_CALLS = (
    ("aten::add", ty.INT, ty.INT), ("aten::mul", ty.INT, ty.INT), ("aten::sub", ty.INT, ty.INT),
    ("aten::floordiv", ty.INT, ty.INT), ("aten::lt", ty.INT, ty.INT),
    ("aten::eq", ty.INT, ty.INT), ("aten::neg", ty.INT), ("aten::neg", ty.FLOAT),
    ("aten::add", ty.FLOAT, ty.FLOAT), ("aten::mul", ty.FLOAT, ty.FLOAT),
    ("aten::div", ty.FLOAT, ty.FLOAT), ("aten::lt", ty.FLOAT, ty.FLOAT),
    ("aten::__not__", ty.BOOL), ("aten::__and__", ty.BOOL, ty.BOOL),
    ("aten::__or__", ty.BOOL, ty.BOOL), ("aten::Float", ty.INT), ("aten::Int", ty.BOOL),
    ("aten::Bool", ty.INT), ("aten::eq", ty.FLOAT, ty.FLOAT),
)  # fmt: skip
TENSOR_CALLS = (
    ("aten::add", ty.TENSOR, ty.TENSOR), ("aten::mul", ty.TENSOR, ty.TENSOR),
    ("aten::mul", ty.TENSOR, ty.FLOAT), ("aten::abs", ty.TENSOR), ("aten::neg", ty.TENSOR),
    ("test::whole", ty.TENSOR), ("test::whole", ty.TENSOR),
    ("aten::__is__", ty.TENSOR, ty.TENSOR), ("test::total", TENSORS), ("aten::dim", ty.TENSOR),
)  # fmt: skip
WRITING_CALLS = (("aten::add_", ty.TENSOR, ty.TENSOR), ("aten::abs_", ty.TENSOR))
LIST_CALLS = (
    ("aten::append", INTS, ty.INT), ("aten::len", INTS), ("aten::__getitem__", INTS, ty.INT),
    ("aten::append", TENSORS, ty.TENSOR), ("aten::len", TENSORS),
    ("aten::__getitem__", TENSORS, ty.INT), ("aten::pop", TENSORS),
    ("aten::_set_item", INTS, ty.INT, ty.INT), ("aten::add", INTS, INTS),
    ("aten::_set_item", TENSORS, ty.INT, ty.TENSOR), ("aten::extend", TENSORS, TENSORS),
    ("aten::sum", INTS), ("aten::__is__", INTS, INTS), ("aten::list", INTS),
    ("aten::copy", TENSORS),
)  # fmt: skip
STATEMENTS = (
    Generator.scalar, Generator.scalar, Generator.tensor, Generator.tensor, Generator.containers,
    Generator.containers, Generator.anything, Generator.tuple, Generator.optional,
    Generator.python, Generator.branch, Generator.branch, Generator.loop, Generator.again,
    Generator.again, Generator.again, Generator.again, Generator.display,
)  # fmt: skip
WRITING_STATEMENTS = (*STATEMENTS, Generator.write, Generator.write)


@st.composite
def graphs(draw: Any, size: int = 30) -> Graph:
    """Random graphs; all take what `arguments` gives."""
    return Generator(draw, size).run()


@st.composite
def writing_graphs(draw: Any, size: int = 30) -> Graph:
    """Random graphs that may write to tensors."""

    class Writing(Generator):
        def statements(self, most: int) -> None:
            for _ in range(self.draw(st.integers(1, most))):
                if self.budget <= 0:
                    return
                self.budget -= 1
                self.choose(WRITING_STATEMENTS)(self)

    return Writing(draw, size).run()


def arguments(variant: int) -> list[Any]:
    """Arguments for any generated graph, made anew each time; variant 1 has one tensor twice."""
    first, second = box(np.array([1.0, -2.0, 0.5])), box(np.array([4.0, -0.0, 2.0]))
    if variant:
        return [-1, -0.0, False, first, first, [0], 5]
    return [3, 1.5, True, first, second, [1, 2, 3], None]


# Outcomes ---------------------------------------------------------------------------------------


def canonical(value: Any, seen: dict[int, int] | None = None) -> Any:
    """A value as plain data; every mutable object has the number of its first occurrence."""
    seen = {} if seen is None else seen
    if isinstance(value, float):
        return ("float", value.hex())
    if isinstance(value, Tensor):
        number = seen.setdefault(id(value), len(seen))
        memory = seen.setdefault(_memory(value._array), len(seen))
        return ("Tensor", number, memory, value._array.tobytes(), value._array.dtype.name)
    if isinstance(value, list):
        number = seen.setdefault(id(value), len(seen))
        return ("list", number, [canonical(part, seen) for part in value])
    if isinstance(value, tuple):
        return ("tuple", [canonical(part, seen) for part in value])
    return (type(value).__name__, value)


def _memory(array: np.ndarray) -> int:
    return -array.__array_interface__["data"][0] - 1


def outcome(function: Callable[..., Any]) -> Any:
    """What calling a function on `arguments` does, as far as a caller can tell."""
    return [_outcome(function, arguments(variant)) for variant in (0, 1)]


def _outcome(function: Callable[..., Any], given: list[Any]) -> Any:
    LOG.clear()
    try:
        with np.errstate(all="ignore"):
            result = function(*given)
        found = ("returned", canonical((given, result)))
    except Exception as error:
        found = ("raised", type(error).__name__, canonical(given))
    return found, list(LOG)


# The evaluator ----------------------------------------------------------------------------------


def evaluate(graph: Graph, *args: Any, values: dict[Value, Any] | None = None) -> Any:
    """Run a graph node by node, with every tensor an object; `values` gets what each value is."""
    values = {} if values is None else values
    values.update(zip(graph.inputs, args, strict=True))
    (result,) = _block(graph.block, values)
    return result


def _block(block: Block, values: dict[Value, Any]) -> list[Any]:
    for node in block.nodes:
        _node(node, values)
    return [values[v] for v in block.outputs]


def _node(node: Node, values: dict[Value, Any]) -> None:
    inputs = [values[v] for v in node.inputs]
    if node.kind == "prim::If":
        results = _block(node.blocks[0 if inputs[0] else 1], values)
    elif node.kind == "prim::Loop":
        results = _loop(node, inputs, values)
    else:
        results = _simple(node, inputs)
    values.update(zip(node.outputs, results, strict=True))


def _loop(node: Node, inputs: list[Any], values: dict[Value, Any]) -> list[Any]:
    trips, running, *carried = inputs
    (body,) = node.blocks
    index = 0
    while running and index < trips:
        values.update(zip(body.inputs, [index, *carried], strict=True))
        running, *carried = _block(body, values)
        index += 1
    return carried


def _simple(node: Node, inputs: list[Any]) -> list[Any]:
    match node.kind:
        case "prim::Constant":
            return [node.attributes.get("value")]
        case "prim::TupleConstruct":
            return [tuple(inputs)]
        case "prim::ListConstruct":
            return [inputs]
        case "prim::TupleUnpack":
            return list(inputs[0])
        case "prim::TupleIndex":
            return [inputs[0][inputs[1]]]
        case "prim::unchecked_cast":
            return inputs
        case "prim::isinstance":
            return [any(conforms(inputs[0], type_) for type_ in node.attributes["types"])]
        case "prim::PythonOp":
            return [node.attributes["callee"].value(*inputs)]
    return _row(node, inputs)


def _row(node: Node, inputs: list[Any]) -> list[Any]:
    op = node.op
    assert op is not None
    declared = [argument.type for argument in op.schema.arguments]
    raw = [
        _raw(value) if any(map(ty.is_tensor, ty.walk(type_))) else value
        for value, type_ in zip(inputs, declared, strict=True)
    ]
    result = kernel_of(op, np)(*raw)
    if not node.outputs:
        return []
    mark = op.schema.returns[0].alias
    for argument, value in zip(op.schema.arguments, inputs, strict=True):
        if mark is not None and mark.is_write and argument.alias == mark:
            return [value]
    return [
        box(result) if ty.is_tensor(node.output.type) and isinstance(result, np.ndarray) else result
    ]


def _raw(value: Any) -> Any:
    return [part._array for part in value] if isinstance(value, list) else value._array


def add_test_rows() -> None:
    """Rows that only tests have: a view and a reduction over a list."""
    if "test::whole" in OPS:
        return
    from jitlang.ops.rows import op

    op(
        "test::whole(Tensor(a) self) -> Tensor(a)",
        impl=lambda xp, x: x[...],
        function=None,
        method=None,
    )
    op(
        "test::total(Tensor[] parts) -> Tensor", function=None, method=None,
        impl=lambda xp, parts: operator.add(xp.zeros(3), sum(parts, xp.zeros(3))),
    )  # fmt: skip


add_test_rows()
