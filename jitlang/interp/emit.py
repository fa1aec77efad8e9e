"""Instructions as Python text: a line each, and a few more where a result must be looked at.

Every emitted line knows its node. Names in the text: `r5` is a register, `c2` a constant that has
no literal, `k_aten_mm` a kernel, `f1` something called by the graph; the rest is in
`support.NAMES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..codegen import fused_kernel
from ..fuser.joins import JOINS
from ..fuser.partition import FUSION_GROUP, SUBGRAPH
from ..ir import types as ty
from ..ir.graph import CATCHES, Graph, Node, ObjectRef, Value
from ..ir.opdef import OpDef
from ..ir.types import SequenceType, TupleType
from ..ops.arrays import READINGS
from ..ops.control import handled_classes
from ..ops.numpy_types import rank_of
from ..passes.alias import is_declared_raw, viewed, written_argument
from ..passes.effects import is_pure, may_raise
from ..passes.gradients import gradient_sources, pairs_tensors
from ..tensor.dispatch import DETACH, MAY_RETURN_SELF
from ..tensor.recording import is_differentiable
from ..values import namedtuple_class
from . import support, templates
from .array_text import array_call, is_temporary
from .linearize import Instruction, Opcode, Operand, Program
from .numpy_text import SHAPE, numpy_call
from .profile import FlowCounts
from .representation import (
    find_objects,
    gives_raw,
    has_forms,
    holds_list,
    holds_tensor,
    is_only_taken_apart,
    is_unset,
    moves_elements,
    written_tensors,
)
from .text import (
    Deferred,
    Emitted,
    FunctionText,
    Kernel,
    PlainRows,
    bare,
    box,
    identifier,
    literal,
    raw,
)

FEW_ELEMENTS = 1 << 15
"""Up to about so many elements NumPy computes a group that is launched by Python as fast, measured:
launching takes ten microseconds.
"""
AS_CAUGHT = "as_caught"
"""The name of what turns an exception into the one that handlers see."""
TOO_BIG = "{0}.bit_length() > 63 and {0} != -0x8000000000000000"
"""The quickest test that an int does not fit in 64 bits, measured: 9 ns, two comparisons take 16.
"""
WRAPPED = "(({0}) + 0x8000000000000000 & 0xFFFFFFFFFFFFFFFF) - 0x8000000000000000"


def emit(
    graph: Graph,
    program: Program,
    assemble: Callable[[Graph], Callable[..., Any]],
    flow: FlowCounts | None = None,
    *,
    records: bool = False,
) -> Emitted:
    """Write a graph's instructions as Python.

    Args:
        graph: the graph, and `program` its instructions.
        program: the instructions.
        assemble: makes the graphs that it calls runnable.
        flow: counts branches and trips, where it is given.
        records: results know whether they require gradients.
    """
    return _Emitter(graph, program, assemble, flow, records).run()


class _Emitter:
    def __init__(
        self,
        graph: Graph,
        program: Program,
        assemble: Callable[[Graph], Callable[..., Any]],
        flow: FlowCounts | None,
        records: bool,
    ) -> None:
        self.graph = graph
        self.records = records
        self.assemble = assemble
        self.flow = flow
        self.program = program
        self.objects = find_objects(graph, all_of_them=records)
        self.names: dict[str, Any] = dict(support.NAMES)
        self.kernels: list[Any] = []
        self.known: dict[Any, str] = {}
        self.function_name = identifier("run_" + graph.name)
        self.finished: list[FunctionText] = []
        self.open_functions: list[FunctionText] = []
        self.open_regions: list[Instruction] = []
        self.following: Instruction | None = None
        self.deferred: dict[Value, Deferred] = {}
        self.blamed: Node | None = None

    def run(self) -> Emitted:
        parameters = self.program.parameters
        self.begin(self.function_name, [f"r{p.register}" for p in parameters])
        for operand in parameters:
            self.unbox(operand, self.graph.block.param_node)
        instructions = self.program.instructions
        for instruction, self.following in zip(
            instructions, [*instructions[1:], None], strict=True
        ):
            _BY_OPCODE[instruction.opcode](self, instruction)
        self.finished.append(self.open_functions.pop())
        lines = [line for function in self.finished for line in function.lines]
        source = "".join(text + "\n" for text, _ in lines)
        nodes = [node for _, node in lines]
        return Emitted(source, nodes, self.names, self.function_name, self.kernels)

    # Text ---------------------------------------------------------------------------------------

    def begin(self, name: str, parameters: Sequence[str]) -> None:
        """Start a function."""
        made = FunctionText(depth=0)
        made.open(f"def {name}({', '.join(parameters)}):", None)
        self.open_functions.append(made)

    def write(self, text: str, node: Node) -> None:
        self.open_functions[-1].write(text, self.take_blame() or node)

    def take_blame(self) -> Node | None:
        """The node of a deferred expression that may fail on the line that is about to be
        written.
        """
        blamed, self.blamed = self.blamed, None
        return blamed

    def release(self, registers: Sequence[int], node: Node) -> None:
        if registers:
            self.write(f"del {', '.join(f'r{r}' for r in registers)}", node)

    def name(self, prefix: str, bound: Any, key: Any = None) -> str:
        """A name of the text for an object, the same one each time."""
        key = ("id", id(bound)) if key is None else key
        if key not in self.known:
            name = prefix if prefix not in self.names else f"{prefix}_{len(self.names)}"
            self.known[key] = name
            self.names[name] = bound
        return self.known[key]

    def kernel(self, op: OpDef, on_arrays: bool = False) -> str:
        on_arrays = on_arrays and op.full_name in READINGS
        return self.name(identifier("k_" + op.full_name), Kernel(op, on_arrays), (op, on_arrays))

    # Operands -----------------------------------------------------------------------------------

    def is_unboxed(self, value: Value) -> bool:
        """Whether a value could be held as an object and is not."""
        return has_forms(value.type) and value not in self.objects

    def text(self, operand: Operand) -> str:
        """A value as its register or constant holds it."""
        deferred = self.deferred.pop(operand.value, None)
        if deferred is not None:
            self.blamed = self.blamed or deferred.blamed
            return f"({deferred.text})"
        if operand.register is not None:
            return f"r{operand.register}"
        return self.constant(operand.value)

    def raw(self, operand: Operand) -> str:
        """A value with its tensors as arrays."""
        text = self.text(operand)
        if self.is_unboxed(operand.value) or (operand.value.is_constant and text == "None"):
            return text
        return raw(operand.value.type, text)

    def constant(self, value: Value) -> str:
        constant = value.constant()
        if isinstance(constant, ObjectRef):
            constant = constant.value
        text = literal(constant)
        if text is not None:
            return text
        if self.is_unboxed(value):
            constant = constant._array
        return self.name(f"c{len(self.names)}", constant)

    def argument(self, node: Node, index: int, operand: Operand) -> str:
        """One input as the node's row takes it."""
        if node.op is None or index >= len(node.op.schema.arguments):
            return self.text(operand)
        argument = node.op.schema.arguments[index]
        if is_declared_raw(argument):
            return self.raw(operand)
        if moves_elements(node) and index and self.is_unboxed(node.inputs[0]):
            return self.raw(operand)
        return self.text(operand)

    def is_given_raw(self, node: Node, index: int) -> bool:
        """Whether running the node gives the tensors of an output as arrays."""
        if moves_elements(node):
            return self.is_unboxed(node.inputs[0])
        return gives_raw(node, index)

    def boxed(self, node: Node, index: int, text: str, arguments: Sequence[Operand]) -> str:
        """A row's output with objects made of its arrays, if its register holds objects."""
        value = node.outputs[index]
        if self.is_unboxed(value) or not self.is_given_raw(node, index):
            return text
        if not has_forms(value.type):
            return text
        base = viewed(node, index)
        if base is None or not has_forms(base.type):
            return self.recorded(node, index, box(value.type, text), arguments)
        view = "view_or_self" if node.kind in MAY_RETURN_SELF else "view"
        source = arguments[node.inputs.index(base)]
        made = box(value.type, text, self.text(source), view)
        return self.recorded(node, index, made, arguments)

    def recorded(self, node: Node, index: int, text: str, arguments: Sequence[Operand]) -> str:
        """Objects that were made, which require gradients where one of their sources does."""
        if not self.records:
            return text
        sources = [arguments[place] for place in gradient_sources(node, index)]
        texts = [self.text(source) for source in sources if has_forms(source.value.type)]
        if not texts:
            return text
        name = "record_each" if pairs_tensors(node) else "recorded"
        return f"{name}({text}, {', '.join(texts)})"

    def unbox(self, output: Operand, node: Node) -> None:
        """Bring what was given as an object into the form of its register."""
        if self.is_unboxed(output.value):
            text = self.text(output)
            self.write(f"{text} = {raw(output.value.type, text)}", node)

    # Instructions -------------------------------------------------------------------------------

    def run_node(self, instruction: Instruction) -> None:
        node = instruction.node
        unset = [o.register for o in instruction.inputs if o.value in self.deferred]
        unset += [o.register for o in instruction.outputs if is_unset(node, o.value)]
        emit_node = _BY_KIND.get(node.kind, _Emitter.run_row)
        emit_node(self, instruction)
        self.release([r for r in instruction.releases if r not in unset], node)

    def assign(self, instruction: Instruction, expression: str) -> None:
        """Write `outputs = expression`, in place where that may be."""
        targets = ", ".join(map(self.text, instruction.outputs))
        match expression.split(" "):
            case [first, operator, other] if first == targets and is_temporary(instruction.node):
                self.write(f"{targets} {operator}= {other}", instruction.node)
                return
        self.write(f"{targets} = {expression}" if targets else expression, instruction.node)

    def run_row(self, instruction: Instruction) -> None:
        """A node with a row: its expression, or a call of its kernel."""
        node = instruction.node
        op = node.op
        if op is None:
            raise NotImplementedError(f"the interpreter has no operator {node.kind}")
        texts = [self.argument(node, i, o) for i, o in enumerate(instruction.inputs)]
        written = written_argument(op)
        self.refuse_writes(instruction)
        if op.reshapes:
            tensor = self.text(instruction.inputs[0])
            self.write(f"rebind({tensor}, {self.call(node, texts)})", node)
        elif written is not None or not instruction.outputs:
            self.write(self.call(node, texts, as_statement=True), node)
        self.bump(instruction)
        if written is not None:
            self.record_write(instruction, instruction.inputs[written])
        if written is not None and not is_unset(node, instruction.outputs[0].value):
            self.transfer(node, [instruction.inputs[written]], instruction.outputs)
        elif len(instruction.outputs) == 1 and written is None:
            self.one_result(instruction, self.call(node, texts))
        elif instruction.outputs and written is None:
            self.several_results(instruction, self.call(node, texts))

    def call(self, node: Node, texts: Sequence[str], *, as_statement: bool = False) -> str:
        op = node.op
        assert op is not None
        direct = numpy_call(node, texts, self.name) or array_call(node, texts, self.name)
        if direct is not None:
            return direct
        if op.python is None:
            types = [t for value in node.inputs for t in ty.walk(value.type)]
            on_arrays = any(map(ty.is_array, types))
            return f"{self.kernel(op, on_arrays)}({', '.join(texts)})"
        names = [argument.name for argument in op.schema.arguments]
        arguments = dict(zip(names, texts, strict=True))
        fill = templates.statement if as_statement else templates.expression
        return fill(op, arguments)

    def bump(self, instruction: Instruction) -> None:
        """Note that the tensors which a row writes have changed."""
        for index in written_tensors(instruction.node):
            self.write(f"bump({self.text(instruction.inputs[index])})", instruction.node)

    def refuse_writes(self, instruction: Instruction) -> None:
        """Keep tensors of which gradients are wanted from being written."""
        if not self.records or instruction.node.kind == DETACH:
            return
        for index in written_tensors(instruction.node):
            self.write(f"refuse_write({self.text(instruction.inputs[index])})", instruction.node)

    def record_write(self, instruction: Instruction, target: Operand) -> None:
        """What was written requires a gradient where an operand does."""
        node = instruction.node
        if not self.records or node.op is None or not is_differentiable(node.op):
            return
        if node.kind == DETACH:
            self.write(f"detach_in_place({self.text(target)})", node)
            return
        others = [o for o in instruction.inputs if o is not target and has_forms(o.value.type)]
        if holds_tensor(target.value.type) and others:
            texts = ", ".join(map(self.text, [target, *others]))
            self.write(f"recorded_write({texts})", node)

    def one_result(self, instruction: Instruction, expression: str) -> None:
        node = instruction.node
        op = node.op
        result = node.outputs[0].type
        is_checked = op is not None and op.checked_integer and result in (ty.INT, ty.NUMBER)
        if is_checked and self.graph.integers == "wrapping":
            expression = WRAPPED.format(expression) if result is ty.INT else f"wrap({expression})"
        if not is_checked and self.may_defer(instruction):
            blamed = self.take_blame() or (node if op is not None and may_raise(op) else None)
            self.deferred[node.outputs[0]] = Deferred(expression, blamed)
            return
        is_sequence = isinstance(result, SequenceType) and node.kind != SHAPE
        if is_sequence and not is_only_taken_apart(node.outputs[0]):
            # A row of torch's schema returns a list where Python has a tuple.
            expression = f"as_tuple({expression})"
        self.assign(instruction, self.boxed(node, 0, expression, instruction.inputs))
        if not self.is_given_raw(node, 0):
            self.unbox(instruction.outputs[0], node)
        if is_checked and self.graph.integers == "checked":
            text = self.text(instruction.outputs[0])
            fails = TOO_BIG.format(text)
            if result is ty.NUMBER:
                fails = f"type({text}) is int and {fails}"
            where = str(node.span) if node.span is not None else ""
            self.write(f"if {fails}: raise overflow({node.kind!r}, {where!r})", node)

    def may_defer(self, instruction: Instruction) -> bool:
        """Whether an expression can stand in the next instruction instead of a line of its own.

        That must be its only reader, and read it once. Of what stands on a line only one part may
        fail, or the line number would not tell which.
        """
        (value,) = instruction.node.outputs
        op, reader = instruction.node.op, self.following
        if op is None or op.python is None or reader is None or not is_pure(instruction.node):
            return False
        if instruction.releases or len(value.uses) != 1 or has_forms(value.type):
            return False
        if reader.opcode in (Opcode.IF, Opcode.FOR):
            return reader.inputs[0].value is value and not reader.outlined
        if reader.opcode is not Opcode.RUN or value not in reader.node.inputs:
            return False
        taker = reader.node.op
        if taker is None or taker.python is None or reader.node.kind in _BY_KIND:
            return False
        position = reader.node.inputs.index(value)
        if written_argument(taker) == position and reader.node.outputs[0].uses:
            return False  # what is written is read again, as the result
        name = taker.schema.arguments[position].name
        fails = self.blamed is not None or may_raise(op)
        return templates.reads_once(taker, name) and not (fails and may_raise(taker))

    def is_for_next_row(self, value: Value) -> bool:
        """Whether the next instruction is a kernel's, and reads a list that nobody else does."""
        reader = self.following
        if reader is None or reader.opcode is not Opcode.RUN or reader.node.op is None:
            return False
        is_kernel = reader.node.op.python is None and is_pure(reader.node)
        return is_kernel and [use.node for use in value.uses] == [reader.node]

    def several_results(self, instruction: Instruction, expression: str) -> None:
        node = instruction.node
        parts = [f"t[{i}]" for i in range(len(node.outputs))]
        results = [self.boxed(node, i, p, instruction.inputs) for i, p in enumerate(parts)]
        if results == parts:
            self.assign(instruction, expression)
        else:
            self.write(f"t = {expression}", node)
            self.assign(instruction, ", ".join(results))
            self.write("del t", node)
        for index, output in enumerate(instruction.outputs):
            if not self.is_given_raw(node, index):
                self.unbox(output, node)

    def transfer(self, node: Node, sources: Sequence[Operand], targets: Sequence[Operand]) -> None:
        """Move values between registers, all at once, changing their form where the target's
        differs.
        """
        pairs = []
        for source, target in zip(sources, targets, strict=True):
            text = self.text(source)
            if self.is_unboxed(target.value) and not self.is_unboxed(source.value):
                text = text if text == "None" else raw(target.value.type, text)
            if text != self.text(target):
                pairs.append((self.text(target), text, self.text(source)))
        written: set[str] = set()
        for target_text, _, read in pairs:
            if read in written:
                left = ", ".join(target for target, _, _ in pairs)
                self.write(f"{left} = {', '.join(text for _, text, _ in pairs)}", node)
                return
            written.add(target_text)
        for target_text, text, _ in pairs:
            self.write(f"{target_text} = {text}", node)

    def move(self, instruction: Instruction) -> None:
        self.transfer(instruction.node, instruction.inputs, instruction.outputs)
        self.release(instruction.releases, instruction.node)

    def enter(self, instruction: Instruction, header: str) -> None:
        """Open a block, in a function of its own if it is nested too deep."""
        if instruction.outlined:
            name = f"region_{len(self.finished) + len(self.open_functions)}"
            reads = [f"r{register}" for register in instruction.reads]
            called = f"{name}({', '.join(reads)})"
            writes = ", ".join(f"r{register}" for register in instruction.writes)
            self.write(f"{writes} = {called}" if writes else called, instruction.node)
            self.begin(name, reads)
        self.open_regions.append(instruction)
        flow = None if instruction.opcode is Opcode.TRY else self.flow
        counters = None if flow is None else flow.add(instruction.node)
        self.count(counters, 0, instruction.node)
        self.open_functions[-1].open(header, self.take_blame() or instruction.node)
        self.count(counters, 1, instruction.node)
        self.release(instruction.releases, instruction.node)

    def count(self, counters: int | None, number: int, node: Node) -> None:
        """Count that control passes here; nothing of that line can fail."""
        if self.flow is None or counters is None:
            return
        name = self.name("counts", self.flow.counts)
        self.open_functions[-1].write(f"{name}[{counters + number}] += 1", node)

    def end(self, instruction: Instruction) -> None:
        self.open_functions[-1].close(instruction.node)
        opened = self.open_regions.pop()
        if opened.opcode is Opcode.TRY:
            self.write("else: raise", instruction.node)
            self.open_functions[-1].close(instruction.node)
        if opened.outlined:
            results = [f"r{register}" for register in opened.writes]
            if results:
                self.write(f"return {', '.join(results)}", instruction.node)
            self.finished.append(self.open_functions.pop())
        self.release(instruction.releases, instruction.node)

    def enter_if(self, instruction: Instruction) -> None:
        self.enter(instruction, f"if {bare(self.text(instruction.inputs[0]))}:")

    def enter_else(self, instruction: Instruction) -> None:
        self.open_functions[-1].close(instruction.node)
        self.open_functions[-1].open("else:", instruction.node)
        self.release(instruction.releases, instruction.node)

    def enter_try(self, instruction: Instruction) -> None:
        self.enter(instruction, "try:")

    def enter_handler(self, instruction: Instruction) -> None:
        """`if` the exception is of the classes of this handler, after all those before it.

        The reraising `else` of the last one keeps the traceback, and so the node that failed.
        """
        node, function = instruction.node, self.open_functions[-1]
        (error,) = instruction.outputs
        number = node.blocks.index(error.value.block) - 1
        caught = self.text(error)
        function.close(node)
        if number == 0:
            function.open(f"except BaseException as {caught}:", node)
            function.write(f"{caught} = {AS_CAUGHT}({caught})", node)
        classes = handled_classes(node.attributes[CATCHES][number])
        name = self.name(f"c{len(self.names)}", classes, classes)
        function.open(f"{'elif' if number else 'if'} isinstance({caught}, {name}):", node)
        self.release(instruction.releases, node)

    def reraise(self, instruction: Instruction) -> None:
        self.write(f"raise {self.text(instruction.inputs[0])}", instruction.node)

    def enter_for(self, instruction: Instruction) -> None:
        trips, start = map(self.text, instruction.inputs)
        index = self.text(instruction.outputs[0])
        limit = bare(trips) if start == "True" else f"{trips} if {start} else 0"
        self.enter(instruction, f"for {index} in range({limit}):")

    def enter_while(self, instruction: Instruction) -> None:
        self.enter(instruction, f"while {self.text(instruction.inputs[0])}:")

    def break_unless(self, instruction: Instruction) -> None:
        self.write(f"if not {self.text(instruction.inputs[0])}: break", instruction.node)

    def returns(self, instruction: Instruction) -> None:
        results = ", ".join(map(self.text, instruction.inputs))
        self.write(f"return {results}", instruction.node)

    # Nodes without a row ------------------------------------------------------------------------

    def tuple_construct(self, instruction: Instruction) -> None:
        parts = ", ".join(map(self.text, instruction.inputs))
        type_ = instruction.node.output.type
        made = None
        if isinstance(type_, TupleType) and type_.field_names:
            made = namedtuple_class(type_.name)
        if made is not None:
            self.assign(instruction, f"{self.name(f'f{len(self.names)}', made)}({parts})")
            return
        comma = "," if len(instruction.inputs) == 1 else ""
        self.assign(instruction, f"({parts}{comma})")

    def list_construct(self, instruction: Instruction) -> None:
        output = instruction.node.output
        is_raw = self.is_unboxed(output)
        texts = [self.raw(o) if is_raw else self.text(o) for o in instruction.inputs]
        expression = f"[{', '.join(texts)}]"
        if self.is_for_next_row(output) and all(value.is_constant for value in output.node.inputs):
            self.deferred[output] = Deferred(expression, None)
        else:
            self.assign(instruction, expression)

    def dict_construct(self, instruction: Instruction) -> None:
        texts = list(map(self.text, instruction.inputs))
        pairs = zip(texts[::2], texts[1::2], strict=True)
        self.assign(instruction, f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}")

    def unpack(self, instruction: Instruction) -> None:
        """`a, b = values`, each element then brought into its register's form."""
        source = instruction.inputs[0]
        targets = "".join(f"{self.text(output)}, " for output in instruction.outputs)
        if not targets:
            targets = "() "
        self.write(f"{targets.rstrip()} = {self.text(source)}", instruction.node)
        if holds_list(source.value.type) and self.is_unboxed(source.value):
            return
        for output in instruction.outputs:
            self.unbox(output, instruction.node)

    def tuple_index(self, instruction: Instruction) -> None:
        container, index = map(self.text, instruction.inputs)
        self.element(instruction, f"{container}[{index}]")

    def tuple_slice(self, instruction: Instruction) -> None:
        attributes = instruction.node.attributes
        container = self.text(instruction.inputs[0])
        self.assign(instruction, f"{container}[{attributes['beg']}:{attributes['end']}]")

    def element(self, instruction: Instruction, expression: str) -> None:
        """Assign something that is held as an object."""
        self.assign(instruction, expression)
        self.unbox(instruction.outputs[0], instruction.node)

    def call_function(self, instruction: Instruction) -> None:
        callee, *arguments = instruction.inputs
        called = callee.value.constant()
        function = called.value if isinstance(called, ObjectRef) else called
        if function is None:
            raise NotImplementedError(f"the function {called} is known by name only")
        if not callable(function):
            function = support.GraphCallee(function.graph, self.assemble)
        name = self.name(f"f{len(self.names)}", function)
        self.element(instruction, f"{name}({', '.join(map(self.text, arguments))})")

    def python_op(self, instruction: Instruction) -> None:
        node = instruction.node
        callee = support.PythonCallee(node)
        name = self.name(f"f{len(self.names)}", callee)
        called = f"{name}({', '.join(map(self.text, instruction.inputs))})"
        if node.outputs:
            self.element(instruction, called)
        else:
            self.write(called, node)

    def fusion_group(self, instruction: Instruction) -> None:
        """A group of nodes as one kernel over arrays."""
        node = instruction.node
        kernel = fused_kernel(node.attributes[SUBGRAPH])
        self.kernels.append(kernel)
        name = self.name(f"g{len(self.kernels)}", kernel.native)
        texts = list(map(self.raw, instruction.inputs))
        has_parts = any(part.kind in JOINS for part in node.attributes[SUBGRAPH].nodes)
        if kernel.native is kernel or has_parts:  # which are a call each
            name = self.by_size(node, name, texts)
        called = f"{name}({', '.join(texts)})"
        if len(instruction.outputs) == 1:
            self.one_result(instruction, called)
        else:
            self.several_results(instruction, called)

    def by_size(self, node: Node, group: str, texts: Sequence[str]) -> str:
        """What to call for a group that Python launches, which takes longer than its rows do on a
        few elements: a function of its rows for small arrays.
        """
        ranks = [rank_of(v.type) or 0 if ty.is_array(v.type) else -1 for v in node.inputs]
        largest = max(range(len(ranks)), key=ranks.__getitem__, default=0)
        if not ranks or ranks[largest] < 1 or not texts[largest].isidentifier():
            return group
        rows = PlainRows(self.assemble(node.attributes[SUBGRAPH]))
        plain = self.name(f"p{len(self.kernels)}", rows)
        return f"({plain} if {texts[largest]}.size < {FEW_ELEMENTS} else {group})"

    def print(self, instruction: Instruction) -> None:
        node = instruction.node
        texts = list(map(self.text, instruction.inputs))
        texts += [f"{k}={node.attributes[k]!r}" for k in ("sep", "end") if k in node.attributes]
        self.write(f"print({', '.join(texts)})", node)

    def raise_exception(self, instruction: Instruction) -> None:
        node = instruction.node
        texts = list(map(self.text, instruction.inputs))
        given = node.attributes.get("cls")
        if isinstance(given, ObjectRef) and given.value is not None:
            texts = [texts[0], "None", self.name(f"c{len(self.names)}", given.value)]
        self.write(f"raise exception({', '.join(texts)})", node)

    def is_instance(self, instruction: Instruction) -> None:
        types = tuple(instruction.node.attributes["types"])
        name = self.name(f"c{len(self.names)}", types, types)
        self.assign(instruction, f"is_instance({self.text(instruction.inputs[0])}, {name})")

    def checked_cast(self, instruction: Instruction) -> None:
        type_ = instruction.node.output.type
        name = self.name(f"c{len(self.names)}", type_, type_)
        value = self.text(instruction.inputs[0])
        self.element(instruction, f"checked_cast({value}, {name})")


_BY_OPCODE: dict[Opcode, Callable[[_Emitter, Instruction], None]] = {
    Opcode.RUN: _Emitter.run_node,
    Opcode.MOVE: _Emitter.move,
    Opcode.IF: _Emitter.enter_if,
    Opcode.ELSE: _Emitter.enter_else,
    Opcode.FOR: _Emitter.enter_for,
    Opcode.WHILE: _Emitter.enter_while,
    Opcode.BREAK_UNLESS: _Emitter.break_unless,
    Opcode.TRY: _Emitter.enter_try,
    Opcode.HANDLER: _Emitter.enter_handler,
    Opcode.END: _Emitter.end,
    Opcode.RETURN: _Emitter.returns,
}

_BY_KIND: dict[str, Callable[[_Emitter, Instruction], None]] = {
    "prim::TupleConstruct": _Emitter.tuple_construct,
    "prim::NamedTupleConstruct": _Emitter.tuple_construct,
    "prim::ListConstruct": _Emitter.list_construct,
    "prim::DictConstruct": _Emitter.dict_construct,
    "prim::TupleUnpack": _Emitter.unpack,
    "prim::ListUnpack": _Emitter.unpack,
    "prim::TupleIndex": _Emitter.tuple_index,
    "prim::TupleSlice": _Emitter.tuple_slice,
    "prim::CallFunction": _Emitter.call_function,
    "prim::PythonOp": _Emitter.python_op,
    FUSION_GROUP: _Emitter.fusion_group,
    "prim::Print": _Emitter.print,
    "prim::RaiseException": _Emitter.raise_exception,
    "jit::reraise": _Emitter.reraise,
    "prim::isinstance": _Emitter.is_instance,
    "jit::checked_cast": _Emitter.checked_cast,
}
