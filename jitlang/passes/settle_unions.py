"""Lets variables that begin as numbers of Python's and become scalars of NumPy's begin as scalars.

    graph(%x : Double(8), %n : int):                graph(%x : Double(8), %n : int):
      %true : bool = prim::Constant[value=1]()        %true : bool = prim::Constant[value=1]()
      %0 : float = prim::Constant[value=0.]()         %0 : float = prim::Constant[value=0.]()
      %s : Union(Array, float) =                      %1 : Double() = aten::scalar_tensor(%0, ...)
          prim::Loop(%n, %true, %0)             =>    %s : Double() = prim::Loop(%n, %true, %1)
        block0(%i : int, %t : Union(Array, float)):     block0(%i : int, %t : Double()):
          %e : Double() = jit::element(%x, %i)            %e : Double() = jit::element(%x, %i)
          %u : Array = jit::array_add(%t, %e)             %u : Array = jit::array_add(%t, %e)
          -> (%true, %u)                                  -> (%true, %u)
      %f : float = jit::dynamic_float(%s)             %f : float = jit::dynamic_float(%s)
      return (%f)                                     return (%f)

The difference must not show. Arithmetic with an array of the same dtype gives the same whichever it
is (NEP 50: a number is weak, and an equal scalar of that dtype agrees with it); so does arithmetic
of floats with numbers in float64, a division by zero excepted, and that of ints in int64. For all
else it must be a scalar: where it may be a number still, since no loop need have made a trip, the
graph carries along which it is: so it is returned as what it is, and `jit::require` asks before it
would show elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

from .. import dtypes
from ..dtypes import Category, DType
from ..ir import types as ty
from ..ir.builder import Builder
from ..ir.graph import CHOICES, LOOP, RETURN, Graph, Node, Use, Value
from ..ir.types import TensorType, Type
from ..ops.arrays import COMPARE
from ..ops.numpy_types import ELEMENTWISE, rank_of
from .loops import runs_once_at_least

_PREFIX = "jit::array_"
_ARITHMETIC = frozenset(("add", "sub", "mul", "div", "floor_divide", "remainder", "neg", "abs"))
_DIVISIONS = ("div", "floor_divide", "remainder")
_OR, _AND = "aten::__or__", "aten::__and__"
_CONVERSIONS = frozenset(
    ("jit::truth", "jit::dynamic_float", "jit::dynamic_int", "jit::dynamic_bool")
)
_STORED = {"jit::array_store": -1, "jit::numpy_store": 1}
_INDEXED = {
    "jit::dynamic_index": 0, "jit::array_item": 1, "jit::array_store": 1, "jit::numpy_index": 2,
}  # fmt: skip
_CLASSES: dict[Type, type] = {ty.BOOL: bool, ty.INT: int, ty.FLOAT: float}
_WIDE = {dtypes.float64: (int, float), dtypes.int64: (int,), dtypes.bool_: (bool,)}
"""Dtypes in which arithmetic on numbers of these classes gives what Python gives; bools there is
none on.
"""

SMALL_INT = 1 << 16
"""Floats hold any sum of ints up to here that a loop may come to."""

Kind = DType | type
"""The dtype of a scalar of NumPy's, or the class of a number."""


def settle_unions(graph: Graph) -> bool:
    """Give variables that are numbers or scalars one type; returns whether there were any."""
    changed = False
    seen: set[Value] = set()
    for node in list(graph.walk()):
        for value in node.outputs if node.kind in (LOOP, *CHOICES) or is_extreme(node) else ():
            if _is_open(value) and value not in seen:
                variables = _Variables(value)
                seen |= variables.members
                changed |= variables.settle(Builder(graph))
    return changed


def _is_open(value: Value) -> bool:
    """Whether a value is a number or an array, as far as its type says."""
    members = ty.alternatives(value.type)
    arrays = [member for member in members if isinstance(member, TensorType)]
    return bool(arrays) and len(members) > 1 and {*members} - {*arrays} <= _CLASSES.keys()


class _Variables:
    """Values that one dtype must do for: what is carried and joined with a value, and what is
    computed of that and numbers.

    Attributes:
        members: the values whose types are open.
        sources: what they may be otherwise.
        places: where sources become members.
    """

    def __init__(self, value: Value) -> None:
        self.members: set[Value] = set()
        self.sources: set[Value] = set()
        self.places: list[tuple[Node, int]] = []
        self.class_of_numbers: Kind | None = None
        work = [value]
        while work:
            each = work.pop()
            if each in self.members or each in self.sources:
                continue
            if not _is_open(each):
                self.sources.add(each)
                continue
            self.members.add(each)
            work += self._beside(each)

    def _beside(self, value: Value) -> Iterator[Value]:
        """The values in the places that a value is made or used in."""
        yield from self._joined(value.node, value)
        for use in value.uses:
            user = use.node
            if user.kind == LOOP and use.index >= 2:
                yield user.blocks[0].inputs[use.index - 1]
            elif user.kind == RETURN and user.block.owner is not None:
                offset = use.index - (user.block.owner.kind == LOOP)
                yield from user.block.owner.outputs[offset : offset + 1] if offset >= 0 else ()
            elif _operator(user) in _ARITHMETIC or is_extreme(user):
                yield from user.outputs

    def _joined(self, node: Node, value: Value) -> Iterator[Value]:
        """The values that a value is joined of."""
        owner = node.block.owner
        if node.kind in CHOICES:
            for block in node.blocks:
                self.places.append((block.return_node, value.offset))
                yield block.outputs[value.offset]
        elif node.kind == LOOP:
            yield node.blocks[0].inputs[value.offset + 1]
        elif owner is not None and owner.kind == LOOP and node is node.block.param_node:
            self.places += [(owner, value.offset + 1), (node.block.return_node, value.offset)]
            yield owner.inputs[value.offset + 1]
            yield node.block.outputs[value.offset]
            yield owner.outputs[value.offset - 1]
        elif is_extreme(node):
            self.places += [(node, index) for index in range(2, len(node.inputs))]
            yield from node.inputs[2:]
        elif _operator(node) in _ARITHMETIC:
            yield from (operand for operand in node.inputs if _is_open(operand))

    def settle(self, builder: Builder) -> bool:
        """Let all be scalars of one dtype, where nobody can tell; returns whether that is so."""
        dtype = self._dtype()
        if dtype is None:
            return False
        shown = [
            (member, use, _number(member, dtype))
            for member in self.members
            if self._may_be_number(member)
            for use in member.uses
            if not self._is_hidden(use, dtype)
        ]
        if any(use.node.block.owner is not None for _, use, _ in shown):
            return False
        scalars = self._begin_as_scalars(builder, dtype)
        flags = _Flags(builder, self.members, scalars)
        for member, use, number in shown:
            flag = flags.of(member)
            with builder.at(use.node):
                if number is None or not _is_returned(use):
                    builder.call("jit::require", [flag])
                    continue
                made = builder.op("jit::scalar_if", member, flag, builder.constant(number))
                made.type = member.type  # native code has a scalar until it leaves
                use.node.replace_input(use.index, made)
        return True

    def _begin_as_scalars(self, builder: Builder, dtype: DType) -> frozenset[Value]:
        """Give all one type; returns the scalars that stand for numbers."""
        type_ = TensorType(dtype, (), surface=ty.Surface.NUMPY)
        made: set[Value] = set()
        for node, index in self.places:
            number = node.inputs[index]
            if number.type in _CLASSES:
                with builder.at(node):
                    scalar = builder.op(
                        "aten::scalar_tensor", number, dtype=builder.constant(dtype)
                    )
                scalar.type = type_
                made.add(scalar)
                node.replace_input(index, scalar)
        computed = {v for v in self.sources if _operator(v.node) in _ARITHMETIC}
        computed |= {v for v in self.sources if is_extreme(v.node)}
        for value in self.members | computed:
            value.type = type_
        return frozenset(made)

    # Dtypes -------------------------------------------------------------------------------------

    def _dtype(self) -> DType | None:
        """The dtype of all scalars that the variables may be; None where they are of several."""
        numbers = self._classes()
        scalars = [v for v in self.sources if v.type not in _CLASSES]
        if not numbers or not scalars:
            return None
        self.class_of_numbers = max(numbers, key=[*_CLASSES.values()].index)
        found = {self._kind(value) for value in scalars}
        if len(found) != 1:
            return None
        (self.class_of_numbers,) = found  # of the members, once they have it
        found = {self._kind(value) for value in scalars}
        dtype = self.class_of_numbers
        found |= {self._result(m.node) for m in self.members if _operator(m.node) in _ARITHMETIC}
        if not isinstance(dtype, DType) or found != {dtype}:
            return None
        return dtype if all(_fits(v, dtype) for v in self.sources if v.type in _CLASSES) else None

    def _classes(self) -> set[type]:
        """The classes of the numbers that variables may be."""
        return {_CLASSES[v.type] for v in self.sources if v.type in _CLASSES}

    def _classes_make(self, dtype: DType, other: Kind | None) -> bool:
        """Whether arithmetic of these numbers with a scalar of another dtype is in a dtype too."""
        if not isinstance(other, DType):
            return False
        return all(dtypes.numpy_result_type(each, other) is dtype for each in self._classes())

    def _kind(self, value: Value) -> Kind | None:
        """What a value without dimensions is; None for all else."""
        if value in self.members:
            return self.class_of_numbers
        if value.type in _CLASSES:
            return _CLASSES[value.type]
        if not isinstance(value.type, TensorType):
            return None
        if value.type.dtype is not None and rank_of(value.type) is not None:
            return value.type.dtype if rank_of(value.type) == 0 else None
        if value.node.kind == "jit::array_item":
            return self._element(value.node)
        if is_extreme(value.node):
            kinds = {self._kind(each) for each in value.node.inputs[2:]}
            return kinds.pop() if len(kinds) == 1 else None
        return self._result(value.node) if _operator(value.node) in _ARITHMETIC else None

    def _element(self, node: Node) -> Kind | None:
        """What a subscript of numbers gives, where members count as such."""
        array, *indices = node.inputs
        are_numbers = all(index.type is ty.INT or index in self.members for index in indices)
        is_element = are_numbers and rank_of(array.type) == len(indices)
        return array.type.dtype if is_element and isinstance(array.type, TensorType) else None

    def _result(self, node: Node) -> Kind | None:
        """What an operator gives."""
        name = _operator(node)
        kinds = [self._kind(operand) for operand in node.inputs]
        known = [kind for kind in kinds if kind is not None]
        if len(known) < len(kinds):
            return None
        if not any(isinstance(kind, DType) for kind in known):
            return float if name == "div" or float in known else int
        found = dtypes.numpy_result_type(*known)
        return found if found.is_floating_point or name != "div" else dtypes.float64

    # Uses ---------------------------------------------------------------------------------------

    def _may_be_number(self, value: Value) -> bool:
        """Whether a value may be a number of Python's."""
        return any(origin.type in _CLASSES for origin in self._ways_to(value))

    def _ways_to(self, value: Value) -> Iterable[Value]:
        """The values that a value may be, or be computed of alone, on the way to it."""
        seen: set[Value] = set()
        work = [value]
        while work:
            each = work.pop()
            if each in seen:
                continue
            seen.add(each)
            work += self._makers(each) if each in self.members else ()
        return seen

    def _makers(self, member: Value) -> list[Value]:
        node, owner = member.node, member.node.block.owner
        if node.kind in CHOICES:
            return [block.outputs[member.offset] for block in node.blocks]
        if node.kind == LOOP:
            last = node.blocks[0].outputs[member.offset + 1]
            return [last] if runs_once_at_least(node) else [last, node.inputs[member.offset + 2]]
        if owner is not None and node is node.block.param_node:
            return [owner.inputs[member.offset + 1], node.block.outputs[member.offset]]
        if is_extreme(node):
            return node.inputs[2:]
        return [value for value in node.inputs if value in self.members] or list(node.inputs)

    def _is_hidden(self, use: Use, dtype: DType) -> bool:
        """Whether a use gives the same for a number as for a scalar of a dtype."""
        node, name = use.node, _operator(use.node)
        if is_extreme(node):
            return True
        if name == "neg" and dtype.is_floating_point:
            return all(v.type is not ty.INT for v in self.sources)  # which have no negative zero
        if node.kind == LOOP:
            return use.index >= 2
        if node.kind == RETURN:
            return node.block.owner is not None
        if name in _ARITHMETIC and dtype is dtypes.bool_:
            return False
        if name in _ARITHMETIC or name in COMPARE:
            others = [v for place, v in enumerate(node.inputs) if place != use.index]
            return all(self._agrees(name, node, other, dtype) for other in others)
        if node.kind in _CONVERSIONS:
            return True
        place = use.index - len(node.inputs) if _STORED.get(node.kind) == -1 else use.index
        if place == _STORED.get(node.kind):
            return dtype in _WIDE
        if node.kind == "jit::numpy" and node.inputs[0].constant() in ELEMENTWISE:
            return dtype is dtypes.float64 and self._classes() == {float} and len(node.inputs) == 3
        is_index = node.kind in _INDEXED and use.index >= _INDEXED[node.kind]
        return is_index and dtype.category is Category.INTEGRAL

    def _is_summed(self, value: Value) -> bool:
        """Whether floats hold the sums of as many such ints as there ever are."""
        ways = self._ways_to(value)
        is_computed = any(_operator(each.node) in _ARITHMETIC for each in ways)
        ints = [each for each in ways if each.type is ty.INT]
        return all(map(_is_small, ints)) and not is_computed

    def _agrees(self, name: str, node: Node, other: Value, dtype: DType) -> bool:
        """Whether an operator with another operand gives the same."""
        if isinstance(other.type, TensorType):
            found = other.type.dtype if other.type.dtype is not None else self._kind(other)
            return found is dtype or self._classes_make(dtype, found)
        kind = self._kind(other)
        classes = {kind, *self._classes()}
        if other in self.members:
            classes.discard(kind)
        if not classes <= {*_WIDE.get(dtype, ())}:
            return False
        if dtype.is_floating_point and classes == {int} and name not in COMPARE:
            return name in ("add", "sub") and any(map(self._is_summed, node.inputs))
        if name in _DIVISIONS:
            is_exact = name != "div" or float in classes
            return is_exact and node.inputs[-1] is other and bool(other.constant())
        if name in COMPARE:
            return all(each.node.kind in _CONVERSIONS for each in node.output.uses)
        return True


def _number(value: Value, dtype: DType) -> float | None:
    """A number of the class that a value has where it is one, if scalars of a dtype hold these."""
    members = ty.alternatives(value.type)
    classes = {_CLASSES[member] for member in members if member in _CLASSES}
    return classes.pop()() if len(classes) == 1 and classes <= {*_WIDE.get(dtype, ())} else None


def _is_returned(use: Use) -> bool:
    """Whether a value is a result of the graph, or one of a tuple of these."""
    uses = use.node.output.uses if use.node.kind == "prim::TupleConstruct" else [use]
    return all(each.node.kind == RETURN and each.node.block.owner is None for each in uses)


def _is_small(number: Value) -> bool:
    """Whether an int is known to be small."""
    return number.is_constant and abs(number.constant()) <= SMALL_INT


def _fits(number: Value, dtype: DType) -> bool:
    """Whether a number is sure to fit into a dtype; an int is to come back as it was."""
    if number.type is ty.BOOL or dtype is dtypes.bool_:
        return number.type is ty.BOOL and dtype is dtypes.bool_
    if dtype.category is Category.FLOATING:
        return number.type is not ty.INT or _is_small(number)
    if dtype is dtypes.int64:
        return True
    if dtype.category is not Category.INTEGRAL or not number.is_constant:
        return False
    limits = dtypes.iinfo(dtype)
    return bool(limits.min <= number.constant() <= limits.max)


class _Flags:
    """Whether variables are scalars, as values of the graph, carried and joined as they are.

    Args:
        members: the variables.
        numbers: scalars that stand for numbers.
    """

    def __init__(
        self, builder: Builder, members: Iterable[Value], numbers: frozenset[Value]
    ) -> None:
        self.builder = builder
        self.members = frozenset(members)
        self.numbers = numbers
        self.found: dict[Value, Value] = {}

    def of(self, value: Value) -> Value:
        """The flag of a value."""
        if value not in self.members:
            with self.builder.at(self.builder.graph.block.param_node.next):
                return self.builder.constant(value not in self.numbers)
        if value not in self.found:
            self._add(value)
        return self.found[value]

    def _add(self, value: Value) -> None:
        node, owner = value.node, value.node.block.owner
        if node.kind == LOOP:
            self._carry(node, value.offset)
        elif node.kind in CHOICES:
            flags = [self.of(block.outputs[value.offset]) for block in node.blocks]
            self.found[value] = node.add_output(ty.BOOL)
            for block, flag in zip(node.blocks, flags, strict=True):
                block.add_output(flag)
        elif owner is not None and node is node.block.param_node:
            self._carry(owner, value.offset - 1)
        elif is_extreme(node):
            with self.builder.at(node):
                self.found[value] = self._picked(node)
        else:
            flags = [self.of(operand) for operand in node.inputs if operand in self.members]
            with self.builder.at(node.next):
                self.found[value] = reduce(lambda a, b: self.builder.op(_OR, a, b), flags)

    def _picked(self, node: Node) -> Value:
        """Whether `min` or `max` picks a scalar: it compares as they do."""
        name, _, first, *rest = node.inputs
        make, flag = self.builder.op, self.of(first)
        for value in rest:
            test = make("aten::lt" if name.constant() == "min" else "aten::gt", value, first)
            is_taken, first = make("aten::Bool", test), make("aten::where", test, value, first)
            kept = make(_AND, make("aten::__not__", is_taken), flag)
            flag = make(_OR, make(_AND, is_taken, self.of(value)), kept)
        return flag

    def _carry(self, loop: Node, place: int) -> None:
        """Let a loop carry the flag of one of its variables. What it is after a trip may depend on
        others, so its place is taken before they are carried.
        """
        (body,) = loop.blocks
        loop.add_input(self.of(loop.inputs[place + 2]))
        flag = self.found[body.inputs[place + 1]] = body.add_input(ty.BOOL)
        self.found[loop.outputs[place]] = loop.add_output(ty.BOOL)
        last = body.add_output(flag)
        body.return_node.replace_input(last, self.of(body.outputs[place + 1]))


def is_extreme(node: Node) -> bool:
    """Whether a node is the `min` or `max` of several values."""
    if node.kind != "jit::dynamic_builtin" or node.inputs[0].constant() not in ("min", "max"):
        return False
    return len(node.inputs) > 3 and not node.inputs[1].constant()


def _operator(node: Node) -> str:
    """The name of an operator of Python's on arrays, without the i of those that write; scalars are
    not written.
    """
    name = node.kind.removeprefix(_PREFIX) if node.kind.startswith(_PREFIX) else ""
    return name[1:] if name.startswith("i") and name[1:] in _ARITHMETIC else name
