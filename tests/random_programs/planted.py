"""Forty planted miscompiles: what the random programs must be able to find.

A plant is one realistic mistake in the compiler: a piece of one function's source replaced by
what somebody might have written instead. `with plant.planted():` swaps the function's code
object, so that every table and import that holds the function has the mistake, and swaps it back
afterwards. A piece that no longer stands in its function exactly once is an error: the plant must
then be written anew.

They were written before the generator was run against any of them, and are not to be tuned.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from types import CodeType, FunctionType
from typing import Any

import jitlang  # noqa: F401 - fills the tables before they are patched
from jitlang.codegen import host, scalar
from jitlang.frontend import flow, iterables, loops, operators
from jitlang.interp import emit, linearize, representation
from jitlang.ir import matching
from jitlang.passes import (
    alias,
    effects,
    liveness,
    rules,
    rules_on_flow,
    rules_on_values,
)
from jitlang.passes import (
    eliminate_common_subexpressions as cse,
)
from jitlang.passes import (
    eliminate_dead_code as dce,
)
from jitlang.passes import (
    propagate_constants as constants,
)


class Stage(Enum):
    """Parts of the compiler, in the order in which a program passes through them."""

    FRONT = "front end"
    PASSES = "passes"
    INTERPRETER = "interpreter"
    NATIVE = "native code"


_STAGES = {
    **dict.fromkeys(
        (module.__name__ for module in (flow, iterables, loops, operators, matching)), Stage.FRONT
    ),
    **dict.fromkeys((liveness.__name__, linearize.__name__), Stage.INTERPRETER),
    **dict.fromkeys((emit.__name__, representation.__name__), Stage.INTERPRETER),
    **dict.fromkeys((host.__name__, scalar.__name__), Stage.NATIVE),
    **dict.fromkeys((alias.__name__, effects.__name__, cse.__name__, dce.__name__), Stage.PASSES),
    **dict.fromkeys((constants.__name__, rules.__name__), Stage.PASSES),
    **dict.fromkeys((rules_on_flow.__name__, rules_on_values.__name__), Stage.PASSES),
}


@dataclass(frozen=True)
class Plant:
    """One mistake: in `function`, `new` stands for `old`."""

    name: str
    function: Any
    old: str
    new: str

    @property
    def stage(self) -> Stage:
        """The part of the compiler that makes the mistake."""
        return _STAGES[self.function.__module__]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Make the mistake inside the `with` statement."""
        function: FunctionType = self.function
        right = function.__code__
        function.__code__ = self._wrong_code()
        try:
            yield
        finally:
            function.__code__ = right

    def _wrong_code(self) -> CodeType:
        source = textwrap.dedent(inspect.getsource(self.function))
        if source.count(self.old) != 1:
            raise LookupError(f"{self.name}: {source.count(self.old)} places read {self.old!r}")
        lines = source.replace(self.old, self.new).splitlines(keepends=True)
        start = next(at for at, line in enumerate(lines) if line.startswith("def "))
        namespace: dict[str, Any] = {}
        text = "from __future__ import annotations\n" + "".join(lines[start:])
        code = compile(text, f"<planted {self.name}>", "exec")
        exec(code, dict(self.function.__globals__), namespace)
        made: Callable[..., Any] = namespace[self.function.__name__]
        return made.__code__


@dataclass(frozen=True)
class PlantedValue:
    """One mistake in a table: an attribute of a module with another value."""

    name: str
    module: Any
    attribute: str
    wrong: Callable[[Any], Any]
    stage: Stage = Stage.PASSES

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Make the mistake inside the `with` statement."""
        right = getattr(self.module, self.attribute)
        setattr(self.module, self.attribute, self.wrong(right))
        try:
            yield
        finally:
            setattr(self.module, self.attribute, right)


def _with(changes: dict[Any, Any]) -> Callable[[Any], Any]:
    return lambda table: {**table, **changes}


PLANTS: tuple[Plant | PlantedValue, ...] = (
    # Common subexpressions
    Plant("cse ignores writes", cse._Merger.is_fresh,
          "self.written_at.get(place, 0) <= entry.time", "self.written_at.get(place, 0) >= 0"),
    Plant("cse merges results that are written", cse._Merger._is_same,
          "is_tensor and self.analysis.is_written(earlier)", "False"),
    Plant("cse sees a loop's writes after its body", cse._Merger.nested,
          "self.write(node)", "pass"),
    Plant("cse merges 0.0 and -0.0", cse._frozen,
          'return "float", struct.pack("d", value)', 'return "float", value'),
    # Dead code
    Plant("dce drops append", dce._Needs.find,
          "elif written:", 'elif written and not node.kind.endswith("::append"):'),
    Plant("dce drops what may raise", effects.must_run,
          "may_raise(node.op) or", ""),
    Plant("dce drops unread overflows", effects.must_run,
          'node.op.checked_integer and node.graph.integers == "checked"', "False"),
    # Constants
    Plant("constants read lists that are written", constants._Folder.known,
          "node.kind == LIST and self.analysis.is_written(value)", "False"),
    Plant("constants drop loops of one trip", constants.has_no_trips, "trips <= 0", "trips <= 1"),
    # Peephole rules
    PlantedValue("peephole inverts comparisons of floats", rules_on_values, "_ORDERED",
                 lambda kinds: (*kinds, rules_on_values.ty.FLOAT)),
    PlantedValue("peephole takes 0 - x for x", rules_on_values, "_NEUTRAL",
                 _with({"aten::sub": ((0, True), (0.0, True))})),
    Plant("peephole takes x + 0.0 for x", rules.is_number,
          "repr(constant) == repr(number)", "constant == number"),
    Plant("peephole forgets to swap negated branches", rules_on_flow.branch_on_negation,
          "node.blocks.reverse()", "pass"),
    Plant("peephole mistakes the branch of a nested test", rules_on_flow.branch_decided_outside,
          "outer.blocks[0] is inner.block", "outer.blocks[0] is node.block"),
    Plant("peephole takes swapped variables for unchanged", rules_on_flow.carried_unchanged,
          "result is not parameter", "result not in body.inputs"),
    Plant("peephole takes a swapped pair for the pair", rules_on_values.tuple_of_unpacked,
          "node.inputs != unpacked.outputs", "set(node.inputs) != set(unpacked.outputs)"),
    Plant("peephole loses the sign of an index", rules_on_values.item_of_list,
          "replace(node, parts[index])", "replace(node, parts[abs(index) % len(parts)])"),
    # Aliases
    Plant("alias: views have memory of their own", alias.AliasAnalysis._run_row,
          "if returned.alias is not None:",
          "if returned.alias is not None and returned.alias.is_write:"),
    Plant("alias: a branch shares with its first arm only", alias.AliasAnalysis._run,
          "for block in node.blocks:", "for block in node.blocks[:1]:"),
    Plant("alias: a loop shares with its start only", alias.AliasAnalysis._run,
          "(node.inputs[2:], body.inputs[1:], body.outputs[1:])",
          "(node.inputs[2:], body.inputs[1:])"),
    Plant("alias: displays do not hold their elements", alias.AliasAnalysis._run,
          "node.kind in CONSTRUCTS",
          'node.kind in CONSTRUCTS and node.kind != "prim::ListConstruct"'),
    # Liveness, registers, text
    Plant("liveness: captures die in the first trip", liveness._leave_loop,
          "dead + _last_reads(captures(node), live)", "dead"),
    Plant("registers: two joins share one", linearize._Registers.choose,
          "register not in taken and ", ""),
    Plant("emit moves one after the other", emit._Emitter.transfer,
          "if read in written:", "if False:"),
    Plant("emit misses overflows", emit._Emitter.one_result,
          'if is_checked and self.graph.integers == "checked":',
          "if is_checked and result is ty.NUMBER:"),
    Plant("emit enters loops whose condition is false", emit._Emitter.enter_for,
          'bare(trips) if start == "True" else f"{trips} if {start} else 0"', "bare(trips)"),
    Plant("representation: only the first arm makes objects", representation._read_by_join,
          "for block in node.blocks:", "for block in node.blocks[:1]:"),
    # Matching
    Plant("matching converts before it looks for an exact row", matching.match_overloads,
          "for implicit in (False, True):", "for implicit in (True,):"),
    # Scalars in machine code
    Plant("native floor division truncates", scalar._floor_division,
          "b.sub(b.sdiv(lhs, safe), b.zext(adjust, I64))", "b.sdiv(lhs, safe)"),
    Plant("native products do not overflow", scalar._overflowing,
          "if not reading.checked:", 'if not reading.checked or name == "smul":'),
    Plant("native nan equals nan", scalar._compare,
          'b.fcmp_unordered if predicate == "!=" else b.fcmp_ordered', "b.fcmp_ordered"),
    Plant("native float remainder has the dividend's sign", scalar._float_divmod,
          "mod = b.select(adjust, b.fadd(mod, rhs), mod)", "mod = b.fadd(mod, zero)"),
    Plant("native quotients of big ints are rounded twice", scalar._binary,
          'reading.unless(b.icmp_unsigned(">", shifted, I64(2 * _EXACT)))', "pass"),
    Plant("native ranges lose the last partial step", scalar._range_length,
          "b.add(b.udiv(b.sub(b.sub(high, low), one), safe), one)",
          "b.udiv(b.sub(high, low), safe)"),
    # Whole functions in machine code
    Plant("host reads carried values after writing them", host.HostEmitter.loop,
          "self.carry(target, end)",
          "self.carry(target, end if end.type is POINTER else"
          " self.end_value(target, body.outputs[target.offset]))"),
    Plant("host loops run once more", host.HostEmitter.loop,
          'icmp_signed("<", index, limit)', 'icmp_signed("<=", index, limit)'),
    Plant("host heeds only two conditions", host.HostEmitter.operator,
          "conditions[1:]", "conditions[1:2]"),
    # Front end
    Plant("front: of two exit flags only one counts", flow.exited, "flags[1:]", "flags[2:]"),
    Plant("front: for-else runs after a break", loops._finish,
          "branch(e, broke, lambda: FALLS, lambda: e.statements(statement.orelse))",
          "branch(e, broke, lambda: e.statements(statement.orelse), lambda: FALLS)"),
    Plant("front: chained comparisons keep the first operand", operators._chain,
          "_chain(e, rhs, operators[1:], operands[1:])",
          "_chain(e, lhs, operators[1:], operands[1:])"),
)  # fmt: skip
"""All plants; their names are unique."""
