"""A graph as a flat list of instructions over registers.

Structure is kept as markers, for the machine writes Python: `IF [ELSE] END`, `FOR ... END`,
`WHILE ... END`, `TRY HANDLER ... END`. A constant is an operand by itself and needs no instruction.
Joins are `MOVE`s, all moves of one instruction at once; the results of a block are computed in the
register of the join where possible, so that most moves vanish. Every register is released where its
value dies (`passes/liveness.py`) and used again.

A loop runs while its condition holds, at most its trip count; `FOR` counts, `WHILE` does not (the
trip count is no limit and nobody reads the index), `BREAK_UNLESS` tests the condition after each
trip of `FOR`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from .. import config
from ..ir import types as ty
from ..ir.graph import IF, LOOP, PARAM, TRY, Block, Graph, Node, Value
from ..passes.liveness import IMMEDIATE, captures, find_last_uses

CAST = "prim::unchecked_cast"

UNLIMITED_TRIPS = 2**62
"""A trip count from which on a loop is not counted: no program gets there."""

MAX_NESTED_LOOPS = 18
"""CPython refuses more than 20 nested loops in one function; a handler counts as two."""

LIGHT = (ty.INT, ty.FLOAT, ty.COMPLEX, ty.BOOL, ty.NUMBER, ty.NONE, ty.DTYPE, ty.DEVICE)
"""Types whose dead values may stay in their registers: they hold no memory worth giving back."""


class Opcode(Enum):
    """What an instruction does."""

    RUN = "run"  # outputs = node(inputs)
    MOVE = "move"  # outputs = inputs, all at once
    IF = "if"  # inputs: condition
    ELSE = "else"
    FOR = "for"  # outputs: index; inputs: trip count, initial condition
    WHILE = "while"  # inputs: condition, read before every trip
    BREAK_UNLESS = "break unless"  # inputs: condition
    TRY = "try"
    HANDLER = "handler"  # outputs: the exception
    END = "end"
    RETURN = "return"  # inputs: the result


@dataclass(frozen=True, slots=True)
class Operand:
    """A value and the register that holds it; a constant has none."""

    value: Value
    register: int | None = None

    def __str__(self) -> str:
        return repr(self.value.constant()) if self.register is None else f"r{self.register}"


@dataclass(slots=True)
class Instruction:
    """One instruction. `releases` lists registers to clear afterwards (on a marker: inside the
    block).

    An `IF`, `FOR` or `WHILE` that is `outlined` is nested too deep for one Python function: its
    region needs the registers in `reads` from outside and leaves results in those in `writes`.
    """

    opcode: Opcode
    node: Node
    inputs: Sequence[Operand] = ()
    outputs: Sequence[Operand] = ()
    releases: Sequence[int] = ()
    outlined: bool = False
    reads: Sequence[int] = ()
    writes: Sequence[int] = ()

    def __str__(self) -> str:
        outputs = ", ".join(map(str, self.outputs))
        inputs = ", ".join(map(str, self.inputs))
        kind = f" {self.node.kind}" if self.opcode is Opcode.RUN else ""
        text = f"{outputs}{' = ' if outputs else ''}{self.opcode.value}{kind}({inputs})"
        return text + "".join(f" ~r{register}" for register in self.releases)


@dataclass(frozen=True, slots=True)
class Program:
    """The instructions of a graph and the registers of its parameters."""

    instructions: list[Instruction]
    parameters: list[Operand]


def linearize(graph: Graph) -> Program:
    """The flat form of a graph."""
    return _Linearizer(graph).run()


@dataclass(slots=True)
class _Registers:
    """Which register holds which value. Joins reserve theirs for as long as their region lasts."""

    of: dict[Value, int] = field(default_factory=dict)
    values: list[int] = field(default_factory=list)  # how many live values a register holds
    joins: list[int] = field(default_factory=list)  # how many joins reserve it
    free: list[int] = field(default_factory=list)

    def copy(self) -> _Registers:
        return _Registers(dict(self.of), list(self.values), list(self.joins), list(self.free))

    def add(self, count: int) -> None:
        """Make new registers, free ones."""
        self.free += range(len(self.values), len(self.values) + count)
        self.values += [0] * count
        self.joins += [0] * count

    def choose(self, preferred: Iterable[int | None], taken: Sequence[int] = ()) -> int:
        """The first preferred register without a value in it that is not taken, or a free one."""
        for register in preferred:
            if register is not None and register not in taken and not self.values[register]:
                return register
        if not self.free:
            self.add(1)
        return self.free[-1]

    def hold(self, value: Value, register: int) -> None:
        """A live value moves into a register."""
        self._use(register)
        self.of[value] = register
        self.values[register] += 1

    def drop(self, value: Value) -> int:
        """A value dies; returns the register that held it."""
        register = self.of.pop(value)
        self.values[register] -= 1
        self._leave(register)
        return register

    def reserve(self, register: int) -> int:
        """A join needs the register."""
        self._use(register)
        self.joins[register] += 1
        return register

    def unreserve(self, register: int) -> None:
        """The join is over."""
        self.joins[register] -= 1
        self._leave(register)

    def is_free(self, register: int) -> bool:
        """Whether nobody holds or reserves the register."""
        return not (self.values[register] or self.joins[register])

    def _use(self, register: int) -> None:
        if self.is_free(register):
            self.free.remove(register)

    def _leave(self, register: int) -> None:
        if self.is_free(register):
            self.free.append(register)


@dataclass(frozen=True, slots=True)
class _Depth:
    """How deep a block is nested in its Python function."""

    blocks: int = 0
    loops: int = 0

    def inside(self, node: Node) -> _Depth:
        if node.kind == TRY:  # a handler is an `if` in an `except`
            return _Depth(self.blocks + 2, self.loops + 2)
        return _Depth(self.blocks + 1, self.loops + (node.kind == LOOP))

    @property
    def is_too_deep(self) -> bool:
        return self.blocks > config.current().max_nesting or self.loops > MAX_NESTED_LOOPS


class _Linearizer:
    """Walks the graph forward, giving registers to values and taking them back."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.liveness = find_last_uses(graph)
        self.instructions: list[Instruction] = []
        self.registers = _Registers()
        self.wanted: dict[Value, int] = {}
        self.depth = _Depth()

    def run(self) -> Program:
        block = self.graph.block
        parameters = [self.define(value) for value in block.inputs]
        self.release(self.liveness.at_start[block])
        self.nodes(block)
        self.emit(Opcode.RETURN, self.graph.return_node, map(self.operand, block.outputs))
        return Program(self.instructions, parameters)

    def emit(
        self,
        opcode: Opcode,
        node: Node,
        inputs: Iterable[Operand] = (),
        outputs: Iterable[Operand] = (),
        releases: Iterable[int] = (),
    ) -> Instruction:
        made = Instruction(opcode, node, tuple(inputs), tuple(outputs), tuple(releases))
        self.instructions.append(made)
        return made

    # Values and registers -----------------------------------------------------------------------

    def operand(self, value: Value) -> Operand:
        return Operand(value, self.registers.of.get(value))

    def define(self, value: Value, other: int | None = None) -> Operand:
        """Give a value the register of the join it flows into, else `other`, else any."""
        self.registers.hold(value, self.registers.choose((self.wanted.get(value), other)))
        return self.operand(value)

    def join(self, values: Iterable[Value], others: Iterable[int | None]) -> list[int]:
        """Reserve registers for what a region leaves behind, all different."""
        joins: list[int] = []
        for value, other in zip(values, others, strict=True):
            register = self.registers.choose((self.wanted.get(value), other), joins)
            joins.append(self.registers.reserve(register))
        return joins

    def finish_joins(self, values: Sequence[Value], joins: Sequence[int]) -> None:
        """Leave a region: its results are in their registers; other reserved ones are given up."""
        for value, register in zip(values, joins, strict=False):
            self.registers.hold(value, register)
        for register in joins:
            self.registers.unreserve(register)

    def release(self, values: Iterable[Value]) -> list[int]:
        """Take back the registers of dead values; returns those that held something heavy."""
        heavy = []
        for value in values:
            register = self.registers.drop(value)
            if self.registers.is_free(register) and value.type not in LIGHT:
                heavy.append(register)
        return heavy

    def want(self, block: Block, results: Sequence[Value], joins: Sequence[int]) -> None:
        """Let the results of a block be computed in the registers of the join."""
        for value, register in zip(results, joins, strict=True):
            if value.node.block is block and value.node.kind not in (PARAM, *IMMEDIATE):
                self.wanted.setdefault(value, register)

    # Nodes --------------------------------------------------------------------------------------

    def nodes(self, block: Block) -> None:
        for node in block.nodes:
            if node.kind == IF:
                self.branches(node)
            elif node.kind == LOOP:
                self.loop(node)
            elif node.kind == TRY:
                self.attempt(node)
            elif node.kind not in IMMEDIATE:
                self.simple(node)

    def simple(self, node: Node) -> None:
        inputs = [self.operand(value) for value in node.inputs]
        dying = self.liveness.at[node]
        releases = self.release(v for v in dying if v.node is not node)
        same = inputs[0].register if node.kind == CAST else None
        outputs = [self.define(value, same) for value in node.outputs]
        releases += self.release(v for v in dying if v.node is node)
        kept = {operand.register for operand in outputs if operand.value not in dying}
        opcode = Opcode.MOVE if node.kind == CAST else Opcode.RUN
        releases = [r for r in dict.fromkeys(releases) if r not in kept]
        self.emit(opcode, node, inputs, outputs, releases)

    def region(
        self, marker: Instruction, joins: Sequence[int], entering: Sequence[int] = ()
    ) -> _Depth:
        """Enter a region, outlined if it is too deep; returns the depth to go back to."""
        outer = self.depth
        self.depth = outer.inside(marker.node)
        if self.depth.is_too_deep:
            self.depth = _Depth().inside(marker.node)
            inputs = [o.register for o in marker.inputs if o.register is not None]
            read = [self.registers.of[value] for value in captures(marker.node)]
            marker.outlined = True
            marker.reads = tuple(dict.fromkeys([*inputs, *read, *entering]))
            marker.writes = tuple(joins[: len(marker.node.outputs)])
        return outer

    def branches(self, node: Node) -> None:
        condition = self.operand(node.inputs[0])
        marker = self.emit(Opcode.IF, node, [condition])
        self.release(self.liveness.on_entry[node])
        joins = self.join(node.outputs, [None] * len(node.outputs))
        outer = self.region(marker, joins)
        then_block, else_block = node.blocks
        before = self.registers.copy()
        marker.releases = self.branch(then_block, node.outputs, joins)
        self.go_back(before)
        marker = self.emit(Opcode.ELSE, node)
        marker.releases = self.branch(else_block, node.outputs, joins)
        self.depth = outer
        self.finish_joins(node.outputs, joins)
        self.emit(Opcode.END, node, releases=self.release(self.liveness.at[node]))

    def attempt(self, node: Node) -> None:
        """A body, and handlers that begin as it did: what it defined is out of reach for them.

        The exception has a register of its own, which Python clears after each handler.
        """
        marker = self.emit(Opcode.TRY, node)
        joins = self.join(node.outputs, [None] * len(node.outputs))
        caught = self.registers.reserve(self.registers.choose(()))
        outer = self.region(marker, joins)
        body, *handlers = node.blocks
        before = self.registers.copy()
        marker.releases = self.branch(body, node.outputs, joins)
        for handler in handlers:
            self.go_back(before.copy())
            (error,) = handler.inputs
            self.registers.hold(error, caught)
            marker = self.emit(Opcode.HANDLER, node, outputs=[self.operand(error)])
            marker.releases = self.branch(handler, node.outputs, joins)
        self.depth = outer
        self.registers.unreserve(caught)
        self.finish_joins(node.outputs, joins)
        self.emit(Opcode.END, node, releases=self.release(self.liveness.at[node]))

    def go_back(self, before: _Registers) -> None:
        """Go on with the registers as they were, and those that were made since."""
        before.add(len(self.registers.values) - len(before.values))
        self.registers = before

    def branch(self, block: Block, joined: Sequence[Value], joins: Sequence[int]) -> Sequence[int]:
        """Emit a branch; returns what is released at its start."""
        releases = self.release(self.liveness.at_start[block])
        self.body(block, block.outputs, joined, joins)
        return releases

    def body(
        self, block: Block, results: Sequence[Value], joined: Sequence[Value], joins: Sequence[int]
    ) -> None:
        """Emit a block whose results end up in the registers of a join."""
        self.want(block, results, joins)
        self.nodes(block)
        sources = [self.operand(value) for value in results]
        self.move(block.return_node, sources, joined, joins, self.liveness.at_end[block])

    def move(
        self,
        node: Node,
        sources: Sequence[Operand],
        joined: Sequence[Value],
        joins: Sequence[int],
        dying: Iterable[Value],
    ) -> None:
        """Emit the moves into a join. What dies is released even where nothing moves."""
        releases = self.release(dying)
        targets = [Operand(v, r) for v, r in zip(joined, joins, strict=True)]
        if targets:
            kept = (r for r in releases if r not in joins)
            self.emit(Opcode.MOVE, node, sources, targets, kept)

    def loop(self, node: Node) -> None:
        form = _LoopForm(node)
        entering = self.liveness.on_entry[node]
        # What the head reads is read after the moves, so it must outlive them.
        late = [v for v in entering if v in form.heads]
        sources = [self.operand(value) for value in form.initial]
        heads = [self.operand(value) for value in form.heads]
        releases = self.release(v for v in entering if v not in late)
        given = [source.register for source in sources]
        joins = self.join(node.outputs, given[: len(node.outputs)])
        if form.is_tested:
            joins.append(self.registers.reserve(self.registers.choose(())))
        initialised = joins[: len(sources)]
        if sources:
            targets = map(Operand, form.joined, initialised)
            kept = (r for r in releases if r not in initialised)
            self.emit(Opcode.MOVE, node, sources, tuple(targets), kept)
        self.release(late)
        tested = [Operand(form.stop, joins[-1])] if form.is_tested else []
        opcode = Opcode.FOR if form.is_counted else Opcode.WHILE
        marker = self.emit(opcode, node, heads or tested)
        outer = self.region(marker, joins, initialised)
        marker.outputs = self.enter(form, joins)
        marker.releases = self.release(self.liveness.at_start[form.body])
        self.body(form.body, form.results, form.joined, joins)
        if form.is_tested and form.is_counted:
            self.emit(Opcode.BREAK_UNLESS, node, tested)
        self.depth = outer
        self.finish_joins(node.outputs, joins)
        self.emit(Opcode.END, node, releases=self.release(self.liveness.at[node]))

    def enter(self, form: _LoopForm, joins: Sequence[int]) -> Sequence[Operand]:
        """Give registers to the parameters of a loop's body; returns the index."""
        index, *carried = form.body.inputs
        for value, register in zip(carried, joins, strict=False):
            self.registers.hold(value, register)
        return [self.define(index)]


class _LoopForm:
    """How a loop runs: `FOR` or `WHILE`, with or without a test after each trip.

    `joined` are the values that live in registers of the loop's own: the carried ones, then the
    condition where it is tested. `initial` are their first values, `results` those after a trip.
    """

    def __init__(self, node: Node) -> None:
        trips, start, *initial = node.inputs
        (self.body,) = node.blocks
        index, *carried = self.body.inputs
        self.stop, *results = self.body.outputs
        limit = trips.constant(0)
        self.is_counted = bool(index.uses) or limit < UNLIMITED_TRIPS
        self.is_tested = not self.is_counted or self.stop.constant() is not True
        self.heads = [trips, start] if self.is_counted else []
        self.initial = initial if self.is_counted else [*initial, start]
        tested = [self.stop] if self.is_tested else []
        self.joined = [*carried, *tested]
        self.results = [*results, *tested]
