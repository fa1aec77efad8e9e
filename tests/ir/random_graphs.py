"""Random valid graphs: arithmetic, lists, tuples, writes, prints, branches and every form of loop.

`random_graph(seed)` takes a tensor, an int, a bool and a list, and gives a tuple of all it made at
the top level, so that nothing is dead. Every loop ends.
"""

import random

from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph, Value
from jitlang.ir.source import UNLIMITED

INTS = ty.ListType(ty.INT)
CARRIED = (ty.INT, ty.BOOL, ty.TENSOR, ty.FLOAT)
NAMES = ("", "", "", "x", "y", "total", "x.1", "range")


class RandomGraph:
    """Grows one graph. `pool` holds the values that can be read at the cursor."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.graph = Graph(f"random_{seed}")
        self.build = Builder(self.graph)
        self.pool: list[Value] = []
        for name, type_ in (("t", ty.TENSOR), ("n", ty.INT), ("flag", ty.BOOL), ("xs", INTS)):
            self.pool.append(self.graph.add_input(type_, name))

    def finish(self, size: int) -> Graph:
        self.steps(size, depth=0)
        made = [v for v in self.pool if not v.is_block_input]
        self.graph.add_output(self.build.tuple([*made, *self.graph.inputs]))
        return self.graph

    def steps(self, count: int, depth: int) -> None:
        for _ in range(count):
            kinds = [self.arithmetic] * 6 + [self.effect] * 3 + [self.container] * 2
            if depth < 3:
                kinds += [self.branch, self.loop]
            step = self.choose.choice(kinds)
            step(depth) if step in (self.branch, self.loop) else step()

    def pick(self, type_: ty.Type) -> Value:
        found = [value for value in self.pool if value.type is type_]
        if found and self.choose.random() < 0.85:
            return self.choose.choice(found[-6:])
        if type_ is ty.TENSOR:
            return self.choose.choice(found)
        constants = {
            ty.INT: self.choose.randint(-3, 4),
            ty.BOOL: self.choose.random() < 0.5,
            ty.FLOAT: self.choose.choice([0.5, -1.0, 2e16, 0.1]),
        }
        return self.build.constant(constants[type_])

    def keep(self, *values: Value) -> None:
        for value in values:
            if not value.is_constant:
                value.name = self.choose.choice(NAMES)
            self.pool.append(value)

    def arithmetic(self) -> None:
        op, *types = self.choose.choice([
            ("aten::add", ty.INT, ty.INT), ("aten::mul", ty.INT, ty.INT), ("aten::neg", ty.INT),
            ("aten::gt", ty.INT, ty.INT), ("aten::__not__", ty.BOOL), ("aten::eq", ty.INT, ty.INT),
            ("aten::__and__", ty.BOOL, ty.BOOL), ("aten::Float", ty.INT), ("aten::Int", ty.BOOL),
            ("aten::mul", ty.FLOAT, ty.FLOAT), ("aten::floordiv", ty.INT, ty.INT),
            ("aten::add", ty.TENSOR, ty.TENSOR), ("aten::mul", ty.TENSOR, ty.TENSOR),
            ("aten::mul", ty.TENSOR, ty.FLOAT), ("aten::tanh", ty.TENSOR),
            ("aten::clone", ty.TENSOR),
        ])  # fmt: skip
        value = self.build.op(op, *map(self.pick, types))
        if isinstance(value.type, ty.TensorType):
            value.type = ty.TENSOR
        self.keep(value)

    def effect(self) -> None:
        kind = self.choose.randrange(4)
        if kind == 0:
            self.build.node("prim::Print", [self.pick(ty.INT), self.pick(ty.TENSOR)])
        elif kind == 1:
            self.build.op("aten::append", self.list_value(), self.pick(ty.INT))
        else:
            op = self.choose.choice(["aten::add_", "aten::mul_"])
            written = self.build.op(op, self.pick(ty.TENSOR), self.pick(ty.TENSOR))
            written.type = ty.TENSOR
            self.keep(written)

    def list_value(self) -> Value:
        return self.choose.choice([value for value in self.pool if value.type is INTS])

    def container(self) -> None:
        kind = self.choose.randrange(4)
        if kind == 0:
            count = self.choose.randrange(4)
            elements = [self.pick(ty.INT) for _ in range(count)]
            self.keep(self.build.value("prim::ListConstruct", elements, INTS))
        elif kind == 1:
            self.keep(self.build.op("aten::len", self.list_value()))
        elif kind == 2:
            self.keep(self.build.op("aten::__getitem__", self.list_value(), self.pick(ty.INT)))
        else:
            pair = self.build.tuple([self.pick(ty.INT), self.pick(ty.TENSOR)])
            self.keep(*self.build.node("prim::TupleUnpack", [pair], pair.type.children).outputs)

    def branch(self, depth: int) -> None:
        node = self.build.node("prim::If", [self.pick(ty.BOOL)])
        types = self.choose.choices(CARRIED, k=self.choose.randrange(4))
        for _ in range(2):
            block = node.add_block()
            outside = list(self.pool)
            with self.build.at(block):
                self.steps(self.choose.randrange(4), depth + 1)
                for type_ in types:
                    block.add_output(self.pick(type_))
            self.pool = outside
        self.keep(*(node.add_output(type_) for type_ in types))

    def loop(self, depth: int) -> None:
        counts_down = self.choose.random() < 0.4
        types = self.choose.choices(CARRIED, k=self.choose.randrange(3))
        if counts_down:
            limit, types = self.build.constant(UNLIMITED), [ty.INT, *types]
            start = self.build.constant(self.choose.randrange(4))
            condition = self.build.op("aten::gt", start, self.build.constant(0))
            entering = [start, *map(self.pick, types[1:])]
        else:
            limit = self.build.constant(self.choose.randrange(4))
            condition = self.choose.choice([self.build.constant(True), self.pick(ty.BOOL)])
            entering = list(map(self.pick, types))
        node = self.build.node("prim::Loop", [limit, condition, *entering])
        block = node.add_block()
        outside = list(self.pool)
        self.keep(block.add_input(ty.INT), *(block.add_input(type_) for type_ in types))
        with self.build.at(block):
            self.steps(self.choose.randrange(4), depth + 1)
            if counts_down:
                left = self.build.op("aten::sub", block.inputs[1], self.build.constant(1))
                block.add_output(self.build.op("aten::gt", left, self.build.constant(0)))
                block.add_output(left)
            else:
                following = [self.build.constant(True), self.pick(ty.BOOL)]
                block.add_output(self.choose.choice(following))
            for type_ in types[counts_down:]:
                block.add_output(self.pick(type_))
        self.pool = outside
        self.keep(*(node.add_output(type_) for type_ in types))


def random_graph(seed: int, size: int = 12) -> Graph:
    """The valid graph that belongs to a seed."""
    return RandomGraph(seed).finish(size)
