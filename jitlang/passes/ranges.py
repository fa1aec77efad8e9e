"""Which values the ints of a graph can have: an analysis, for whoever would omit a check.

    graph(%n : int, %c : bool):                            %n: any int
      %k : int = prim::Loop(%n, %go, %zero)                %k: [0, 9223372036854775807]
        block0(%i : int, %m : int):                   =>   %i: [0, 9223372036854775806]
          %j : int = aten::remainder(%i, %ten)             %m: [0, 9223372036854775807]
          %p : int = aten::add(%m, %one)                   %j: [0, 9]
          -> (%go, %p)                                     %p: [1, 9223372036854775807]

Scalar rows are read from their Python expressions, with ranges in the place of numbers, as code
generation reads them with registers. Sources of knowledge are constants, what conditions say inside
the branches and loops that they guard, trip counts (a counter runs below them; what grows by a
bounded step per trip stays within as many steps), and lengths. What a loop carries otherwise is
widened: a bound that keeps moving is given up.

Whatever is said holds for every run: an int is within 64 bits, since what is not raises, or wraps
where a graph's integers do. Lengths of lists and strings are below 2**48, as memory is; sizes of
tensors are not, since a view can repeat one element as often as it likes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, reduce
from itertools import count
from typing import NamedTuple

from ..ir import types as ty
from ..ir.graph import CONSTANT, IF, LOOP, TRY, UNINITIALIZED, Block, Graph, Node, Value
from ..ir.opdef import OpDef

MAX_DEPTH = 5
"""Loops inside so many loops are walked once, with nothing known of what they carry."""

PATIENCE = 2
"""Rounds in which the bounds of what a loop carries may move before they are given up."""


class Range(NamedTuple):
    """The ints from `low` to `high`, both included."""

    low: int
    high: int

    def join(self, other: Range) -> Range:
        """The least range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high))

    def widened(self, other: Range) -> Range:
        """This range without the bounds that the other one is beyond."""
        return Range(
            self.low if other.low >= self.low else ANY.low,
            self.high if other.high <= self.high else ANY.high,
        )

    def meet(self, other: Range) -> Range:
        """What is in both, or this range where nothing is (in code that cannot run)."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Range(low, high) if low <= high else self

    def is_within(self, other: Range) -> bool:
        """Whether all of it is in another range."""
        return other.low <= self.low and self.high <= other.high

    def __str__(self) -> str:
        return "any int" if self == ANY else f"[{self.low}, {self.high}]"


ANY = Range(-(2**63), 2**63 - 1)
TRUTH = Range(0, 1)
LENGTH = Range(0, 2**48)
SIZE = Range(0, 2**63 - 1)
RANK = Range(0, 64)

_OF_ROWS: Mapping[str, Range] = {
    "aten::size.int": SIZE, "aten::sym_size.int": SIZE, "aten::numel": SIZE, "aten::dim": RANK,
    "jit::nelement": SIZE, "aten::len.Tensor": SIZE,
}  # fmt: skip


class Ranges:
    """The ranges of a graph's ints and bools, as found by one walk."""

    def __init__(self, graph: Graph) -> None:
        self.checked = graph.integers == "checked"
        self._found: dict[Value, Range] = {}
        self._fitting: set[Node] = set()
        self._depth = 0
        self._block(graph.block)

    def of(self, value: Value) -> Range:
        """The range of an int or bool; of any int where nothing is known."""
        if value.node.kind == CONSTANT:
            constant = value.constant()
            return Range(int(constant), int(constant)) if isinstance(constant, int) else ANY
        return self._found.get(value, TRUTH if value.type is ty.BOOL else ANY)

    def fits(self, node: Node) -> bool:
        """Whether nothing that the node's row computes, on the way or in the end, can overflow."""
        return node in self._fitting

    # The walk -----------------------------------------------------------------------------------

    def _block(self, block: Block) -> None:
        for node in block.nodes:
            if node.kind == IF:
                self._branch(node)
            elif node.kind == LOOP:
                self._loop(node)
            elif node.kind == TRY:
                self._attempt(node)
            elif node.op is not None and [value.type for value in node.outputs] == [ty.INT]:
                self._row(node, node.op)

    def _row(self, node: Node, op: OpDef) -> None:
        names = {
            argument.name: self.of(value)
            for argument, value in zip(op.schema.arguments, node.inputs, strict=False)
            if value.type in (ty.INT, ty.BOOL)
        }
        result = _OF_ROWS.get(op.full_name)
        self._fitting.discard(node)
        if result is None and op.python is not None:
            reading = _Reading(names)
            result = reading.expression(_parsed(op.python))
            if reading.fits and result is not None and result.is_within(ANY):
                self._fitting.add(node)
        self._set(node.output, result)

    def _set(self, value: Value, range_: Range | None) -> None:
        """Note a range; what would not fit has raised or wrapped."""
        if range_ is None or not (self.checked or range_.is_within(ANY)):
            self._found.pop(value, None)
        else:
            self._found[value] = range_.meet(ANY)

    def _branch(self, node: Node) -> None:
        sides = []
        for block, truth in zip(node.blocks, (True, False), strict=True):
            with self._assuming(node.inputs[0], truth):
                self._block(block)
                sides.append(self._results(block))
        self._join(node, sides)

    def _attempt(self, node: Node) -> None:
        """A body and its handlers."""
        for block in node.blocks:
            self._block(block)
        self._join(node, [self._results(block) for block in node.blocks])

    def _results(self, block: Block) -> list[Range | None]:
        return [None if _is_unset(value) else self.of(value) for value in block.outputs]

    def _join(self, node: Node, sides: Sequence[Sequence[Range | None]]) -> None:
        """Note the ranges of what one of several blocks gives."""
        for value, *results in zip(node.outputs, *sides, strict=True):
            known = [range_ for range_ in results if range_ is not None]
            if value.type is ty.INT and known:
                self._set(value, reduce(Range.join, known))

    @contextmanager
    def _assuming(self, condition: Value, truth: bool) -> Iterator[None]:
        """Inside, a condition is known to hold, or not to."""
        saved: dict[Value, Range | None] = {}
        for value, range_ in self._implied(condition, truth):
            if value.node.kind != CONSTANT:
                saved.setdefault(value, self._found.get(value))
                self._found[value] = self.of(value).meet(range_)
        yield
        for value, before in saved.items():
            self._found.pop(value, None)
            if before is not None:
                self._found[value] = before

    def _implied(self, condition: Value, truth: bool) -> Iterator[tuple[Value, Range]]:
        """The ranges of values that follow from a condition."""
        node = condition.node
        if node.kind == "aten::__not__":
            yield from self._implied(node.inputs[0], not truth)
        elif node.kind == ("aten::__and__" if truth else "aten::__or__"):
            for value in node.inputs:
                if value.type is ty.BOOL:
                    yield from self._implied(value, truth)
        elif node.kind == IF:
            yield from self._implied_by_branch(node, condition.offset, truth)
        elif node.op is not None and [v.type for v in node.inputs] == [ty.INT, ty.INT]:
            operator = _comparison(node.op)
            if operator is not None:
                a, b = node.inputs
                left, right = _where(operator, truth, self.of(a), self.of(b))
                yield a, left
                yield b, right

    def _implied_by_branch(
        self, node: Node, offset: int, truth: bool
    ) -> Iterator[tuple[Value, Range]]:
        """`a and b` is an `If` of which one side gives False: where it is true, both are."""
        first, second = (block.outputs[offset] for block in node.blocks)
        for result, other, side in ((first, second, True), (second, first, False)):
            if other.constant() is (not truth):
                yield from self._implied(node.inputs[0], side)
                yield from self._implied(result, truth)

    # Loops --------------------------------------------------------------------------------------

    def _loop(self, node: Node) -> None:
        (body,) = node.blocks
        trips = self.of(node.inputs[0]).high
        index, *carried = body.inputs
        self._found[index] = Range(0, max(trips - 1, 0))
        for value in carried:
            self._found.pop(value, None)
        self._depth += 1
        self._trip(node, body)
        # With nothing known of what is carried, this bounds how far a trip moves it.
        numbers = [p for p in carried if p.type is ty.INT]
        drifts = {p: self._drift(body.outputs[p.offset], p) for p in numbers}
        if self._depth <= MAX_DEPTH and numbers:
            self._narrow(node, body, drifts, trips)
        self._depth -= 1
        for p in numbers:
            start, end = node.inputs[p.offset + 1], body.outputs[p.offset]
            found = self.of(end) if _is_unset(start) else self.of(end).join(self.of(start))
            counted = self._counted(node, p, drifts[p], trips)
            self._set(node.outputs[p.offset - 1], found if counted is None else found.meet(counted))

    def _counted(self, node: Node, p: Value, drift: Range | None, times: int) -> Range | None:
        """Where the bounded steps of so many trips lead, where they do not wrap."""
        if drift is None or _is_unset(node.inputs[p.offset + 1]):
            return None
        found = _moved(self.of(node.inputs[p.offset + 1]), drift, times)
        return found if self.checked or found.is_within(ANY) else None

    def _trip(self, node: Node, body: Block) -> None:
        """Walk the body, inside of which the loop's condition holds."""
        with self._guarded(node, body):
            self._block(body)

    @contextmanager
    def _guarded(self, node: Node, body: Block) -> Iterator[None]:
        """Inside, what a condition on carried values says of them holds.

        The condition is computed before a trip, on what goes into it; so it speaks of parameters
        where both forms of the condition, the first and the next, are the same row over the same
        carried value and something from outside.
        """
        saved = {value: self._found.get(value) for value in body.inputs[1:]}
        for value, range_ in self._conditions(node, body):
            self._found[value] = self.of(value).meet(range_)
        yield
        for value, before in saved.items():
            self._found.pop(value, None)
            if before is not None:
                self._found[value] = before

    def _conditions(self, node: Node, body: Block) -> Iterator[tuple[Value, Range]]:
        first, again = node.inputs[1].node, body.outputs[0].node
        operator = _comparison(again.op) if again.op is not None else None
        if operator is None or first.op is not again.op:
            return
        for offset, parameter in enumerate(body.inputs[1:]):
            given = (node.inputs[offset + 2], body.outputs[offset + 1])
            for side in (0, 1):
                limits = first.inputs[1 - side], again.inputs[1 - side]
                same = limits[0] is limits[1] or (
                    limits[0].is_constant and limits[0].constant() == limits[1].constant(None)
                )
                if (first.inputs[side], again.inputs[side]) != given or not same:
                    continue
                if parameter.type is ty.INT and limits[0].type is ty.INT:
                    pair = [ANY, self.of(limits[0])][:: -1 if side else 1]
                    yield parameter, _where(operator, True, pair[0], pair[1])[side]

    def _narrow(
        self, node: Node, body: Block, drifts: Mapping[Value, Range | None], trips: int
    ) -> None:
        """Find ranges of carried ints that hold on entry and after every trip."""
        counted = {p: self._counted(node, p, drift, trips - 1) for p, drift in drifts.items()}
        assumed = {
            p: (range_ or self.of(node.inputs[p.offset + 1])).meet(ANY)
            for p, range_ in counted.items()
        }
        for round_ in count():
            self._found.update(assumed)
            self._trip(node, body)
            ends = {p: self.of(body.outputs[p.offset]) for p in drifts if counted[p] is None}
            join = Range.join if round_ < PATIENCE else Range.widened
            wider = {p: join(assumed[p], ends[p]) if p in ends else assumed[p] for p in drifts}
            if wider == assumed:
                return
            assumed = wider

    def _drift(self, value: Value, parameter: Value) -> Range | None:
        """How far a value is from a loop's parameter, where it is that plus something bounded."""
        if value is parameter:
            return Range(0, 0)
        node = value.node
        if node.kind == IF:
            sides = [self._drift(b.outputs[value.offset], parameter) for b in node.blocks]
            known = [side for side in sides if side is not None]
            return known[0].join(known[1]) if len(known) == 2 else None
        if node.kind == LOOP:
            return self._drift_of_loop(node, value.offset, parameter)
        if node.op is None or node.op.full_name not in ("aten::add.int", "aten::sub.int"):
            return None
        a, b = node.inputs
        before, step = self._drift(a, parameter), self.of(b)
        if before is None and node.kind == "aten::add":
            before, step = self._drift(b, parameter), self.of(a)
        if before is None:
            return None
        if node.kind == "aten::sub":
            step = Range(-step.high, -step.low)
        return Range(before.low + step.low, before.high + step.high)

    def _drift_of_loop(self, node: Node, offset: int, parameter: Value) -> Range | None:
        """The same for what an inner loop has moved on."""
        (body,) = node.blocks
        before = self._drift(node.inputs[offset + 2], parameter)
        step = self._drift(body.outputs[offset + 1], body.inputs[offset + 1])
        if before is None or step is None:
            return None
        return _moved(before, step, self.of(node.inputs[0]).high)


def find_ranges(graph: Graph) -> Ranges:
    """Find the ranges of a graph's ints."""
    return Ranges(graph)


def _is_unset(value: Value) -> bool:
    return value.node.kind == UNINITIALIZED


def _moved(start: Range, step: Range, times: int) -> Range:
    """Where up to so many steps lead."""
    times = max(times, 0)
    return Range(start.low + min(step.low, 0) * times, start.high + max(step.high, 0) * times)


# Conditions ---------------------------------------------------------------------------------------


@cache
def _comparison(op: OpDef) -> type[ast.cmpop] | None:
    """The operator of a row that compares its two arguments, `a < b`."""
    tree = _parsed(op.python) if op.python is not None else None
    match tree:
        case ast.Compare(left=ast.Name("a"), ops=[operator], comparators=[ast.Name("b")]):
            return type(operator)
    return None


_NEGATED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip
_FLIPPED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def _where(operator: type[ast.cmpop], truth: bool, a: Range, b: Range) -> tuple[Range, Range]:
    """What is left of the ranges of `a` and `b` where `a operator b` holds, or does not."""
    if not truth:
        operator = _NEGATED.get(operator, operator)
    if operator in _FLIPPED:
        right, left = _where(_FLIPPED[operator], True, b, a)
        return left, right
    if operator is ast.Lt:
        return a.meet(Range(ANY.low, b.high - 1)), b.meet(Range(a.low + 1, ANY.high))
    if operator is ast.LtE:
        return a.meet(Range(ANY.low, b.high)), b.meet(Range(a.low, ANY.high))
    if operator is ast.Eq:
        return a.meet(b), b.meet(a)
    if operator is ast.NotEq:
        return _without(a, b), _without(b, a)
    return a, b


def _without(a: Range, b: Range) -> Range:
    """A range without an end that is the only value of another one."""
    if b.low != b.high or a.low == a.high:
        return a
    return Range(a.low + (a.low == b.low), a.high - (a.high == b.low))


# Expressions --------------------------------------------------------------------------------------


@cache
def _parsed(python: str) -> ast.expr:
    return ast.parse(python, mode="eval").body


class _Reading:
    """A row's expression, read with ranges for its names. None is a value of unknown range."""

    def __init__(self, names: Mapping[str, Range]) -> None:
        self.names = names
        self.fits = True

    def expression(self, node: ast.expr) -> Range | None:
        """The range of an expression; notes whether all on the way to it fits 64 bits."""
        found = self._read(node)
        self.fits &= found is None or found.is_within(ANY)
        return found

    def _read(self, node: ast.expr) -> Range | None:
        match node:
            case ast.Name(id=name):
                return self.names.get(name)
            case ast.Constant(value=int() as value):
                return Range(value, value)
            case ast.UnaryOp(op=operator, operand=operand):
                return self._unary(operator, self.expression(operand))
            case ast.BinOp(left=left, op=operator, right=right):
                a, b = self.expression(left), self.expression(right)
                return None if a is None or b is None else _binary(operator, a, b)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._choice(test, body, orelse)
            case ast.Call(
                func=ast.Name(id="len"), args=[ast.Call(func=ast.Name(id="range"), args=bounds)]
            ):
                return _range_length([self.expression(bound) for bound in bounds])
            case ast.Call(func=ast.Name(id="len")):
                return LENGTH
            case ast.Call(func=ast.Name(id="abs" | "int" as name), args=[operand]):
                found = self.expression(operand)
                return found if found is None or name == "int" else _magnitude(found)
        return None

    def _unary(self, operator: ast.unaryop, a: Range | None) -> Range | None:
        if a is None:
            return None
        match operator:
            case ast.USub():
                return Range(-a.high, -a.low)
            case ast.UAdd():
                return a
            case ast.Invert():
                return Range(~a.high, ~a.low)
        return None

    def _choice(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Range | None:
        """Either side, each where the test between two names comes out so."""
        sides = []
        for branch, truth in ((body, True), (orelse, False)):
            inner = _Reading(self._assuming(test, truth))
            sides.append(inner.expression(branch))
            self.fits &= inner.fits
        a, b = sides
        return None if a is None or b is None else a.join(b)

    def _assuming(self, test: ast.expr, truth: bool) -> Mapping[str, Range]:
        match test:
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                a, b = self.expression(left), self.expression(right)
                if a is None or b is None:
                    return self.names
                ranges = _where(type(operator), truth, a, b)
                pairs = zip((left, right), ranges, strict=True)
                return dict(self.names) | {
                    side.id: range_ for side, range_ in pairs if isinstance(side, ast.Name)
                }
        return self.names


def _binary(operator: ast.operator, a: Range, b: Range) -> Range | None:
    match operator:
        case ast.Add():
            return Range(a.low + b.low, a.high + b.high)
        case ast.Sub():
            return Range(a.low - b.high, a.high - b.low)
        case ast.Mult():
            return _hull(x * y for x in a for y in b)
        case ast.FloorDiv():
            # The divisors nearest to zero and farthest from it give the extremes.
            divisors = [y for y in (b.low, b.high, -1, 1) if y and b.low <= y <= b.high]
            return _hull(x // y for x in a for y in divisors) if divisors else None
        case ast.Mod():
            return _remainder(a, b)
        case ast.RShift() if b.low >= 0:
            return _hull(x >> min(y, 64) for x in a for y in b)
        case ast.BitAnd() if a.low >= 0 or b.low >= 0:
            return Range(0, min(side.high for side in (a, b) if side.low >= 0))
    return None


def _remainder(a: Range, b: Range) -> Range:
    """A remainder has the sign of the divisor; a small dividend of that sign stays as it is."""
    if b.low > 0 and a.low >= 0:
        return Range(0, min(a.high, b.high - 1))
    return Range(min(b.low + 1, 0), max(b.high - 1, 0))


def _range_length(bounds: Sequence[Range | None]) -> Range | None:
    known = [bound for bound in bounds if bound is not None]
    if len(known) != 3 or known[2].low != known[2].high or not known[2].low:
        return None
    start, stop, (step, _) = known
    lengths = [_length_of(a, b, step) for a in start for b in stop]
    return Range(min(lengths), max(lengths))


def _length_of(start: int, stop: int, step: int) -> int:
    """`len(range(start, stop, step))`, which Python refuses where it is beyond 64 bits."""
    span = stop - start if step > 0 else start - stop
    return max(-(-span // abs(step)), 0)


def _magnitude(a: Range) -> Range:
    low = 0 if a.low <= 0 <= a.high else min(abs(a.low), abs(a.high))
    return Range(low, max(abs(a.low), abs(a.high)))


def _hull(values: Iterator[int]) -> Range:
    found = list(values)
    return Range(min(found), max(found))
