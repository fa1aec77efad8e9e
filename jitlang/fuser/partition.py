"""Which nodes become one kernel.

    %a : Tensor = aten::mul(%x, %w)                  %g : Tensor = prim::FusionGroup(%x, %w)
    %b : Tensor = aten::tanh(%a)              =>
                                                     with prim::FusionGroup_0 = graph(%x, %w):
                                                       %a : Tensor = aten::mul(%x, %w)
                                                       %b : Tensor = aten::tanh(%a)
                                                       return (%b)

Nodes of one block are looked at from the last to the first. A node that can be fused joins the
group of its first reader, if all its readers stand in that group or after it: then the node can
move down to the group and no path leads out of a group and back in. Its inputs must not be written
in between, and nothing moves past an effect, so that an error comes before or after it as it did.
Everything a group computes is fresh memory, so a view joins only if all its readers are in the
group, where nobody can tell it from a copy.

Groups are closed: what they read are inputs of the node, constants are copied. What a kernel
refuses when it sees dtypes and sizes runs on the reference kernels instead, so nothing here needs
to be known about a tensor; what is known keeps out what would be refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from .. import dtypes
from ..dtypes import Category
from ..ir import types as ty
from ..ir.graph import CONSTANT, RETURN, Block, Graph, Node, Value, clone_node, create_node
from ..ir.invariants import is_effect
from ..ir.types import TensorType
from ..ops.numpy_types import rank_of
from ..ops.traits import Role, roles_of
from ..passes.alias import AliasAnalysis
from ..passes.effects import is_protected, must_run
from .composites import COMPOSITES
from .draws import DRAWS, RESERVE, RESERVE_LIKE, may_repeat, reserve_draws
from .joins import JOINS
from .lower import CASTS, VIEWS
from .reach import REACHING, SUBSCRIPTS

FUSION_GROUP = "prim::FusionGroup"
SUBGRAPH = "Subgraph"
SMALLEST = 2
"""Computing nodes that make a group; rows of several phases (softmax) are worth a kernel alone."""

_ALONE = frozenset((
    "aten::softmax.int", "aten::_softmax", "aten::log_softmax.int", "aten::_log_softmax",
    "aten::logsumexp", "aten::gelu", "aten::silu", "aten::norm.Scalar", "aten::norm.ScalarOpt_dim",
    "aten::linalg_vector_norm", *(
        f"aten::{name}{form}" for name in ("var", "std", "var_mean", "std_mean")
        for form in ("", ".dim", ".correction")
    ), *DRAWS, *REACHING,
))  # fmt: skip
_SPREADING = frozenset(("aten::expand",))
"""Views that repeat elements: computing their operand inside would compute it many times."""
_OVERLAPPING = frozenset((
    "aten::slice.Tensor", "aten::narrow", "aten::t", "aten::transpose.int", "aten::permute",
    "aten::numpy_T", "jit::numpy_index",
))  # fmt: skip
"""Views that may show what other readers see too: each computes it anew."""
_INDEX = "jit::numpy_index"
LIST = "prim::ListConstruct"
_HELPERS = frozenset((CONSTANT, LIST))
_UNPACK = "prim::ListUnpack"
_NUMBERS = (ty.INT, ty.FLOAT, ty.BOOL, ty.NUMBER)


@dataclass(eq=False)
class _Group:
    """Nodes of a future group, the last first. It stands where its last node stands."""

    nodes: list[Node] = field(default_factory=list)

    @property
    def last(self) -> Node:
        return self.nodes[0]


def fuse_nodes(graph: Graph, *, static: bool = False) -> bool:
    """Replace groups of nodes by `prim::FusionGroup` nodes; returns whether there were any.

    Args:
        graph: changed in place.
        static: all layouts are known when compiling. Then a single node is worth a kernel, and
            views at computed places stay outside, since kernels must know what they read.
    """
    reserve_draws(graph)
    analysis = AliasAnalysis(graph)
    groups: list[_Group] = []
    for block in list(graph.blocks()):
        groups += _Partition(block, analysis, static).groups()
    for group in groups:
        _replace(group, graph)
    return bool(groups)


class _Partition:
    """The groups of one block."""

    def __init__(self, block: Block, analysis: AliasAnalysis, static: bool) -> None:
        self.block = block
        self.static = static
        self.analysis = analysis
        self.order = {node: place for place, node in enumerate(block.nodes)}
        shown = [0, *(self.shows(node) for node in block.nodes)]
        self.effects = list(accumulate(shown))  # effects before each place
        self.group_of: dict[Node, _Group] = {}
        self.found: list[_Group] = []

    def groups(self) -> list[_Group]:
        """What to fuse.

        A group that is not worth it stays as it was. Where its nodes stand has a say in who may
        join whom, so the search begins again without them.
        """
        left_out: set[Node] = set()
        while True:
            self.group_of, self.found = {}, []
            for node in self.block.reversed_nodes:
                if node not in left_out and self.may_be_inside(node):
                    self.place(node)
            poor = [group for group in self.found if not _is_worth_it(group, self.static)]
            wrong = [node for group in poor for node in group.nodes] or list(self.torn())
            if not wrong:
                return self.found
            left_out.update(wrong)

    def torn(self) -> Iterator[Node]:
        """The nodes of groups that take apart what others have made: kernels get no sequences."""
        for node, group in self.group_of.items():
            if node.kind == _UNPACK and self.group_of.get(node.inputs[0].node) is not group:
                yield node

    def may_be_inside(self, node: Node) -> bool:
        if any(map(self.analysis.is_changed_list, (*node.inputs, *node.outputs))):
            return False
        moves = self.static and _is_index_map(node) and node.kind != LIST
        return is_fusible(node) and not (moves and not all(map(_is_constant, node.inputs[1:])))

    def place(self, node: Node) -> None:
        """Put a node into the group of its readers, or let it begin one."""
        group = self.first_reader(node)
        if group is not None and self.may_join(node, group):
            group.nodes.append(node)
            self.group_of[node] = group
        elif not _is_index_map(node):
            made = _Group([node])
            self.group_of[node] = made
            self.found.append(made)

    def readers(self, node: Node) -> Iterator[Node]:
        """The nodes of this block that read a node's results, themselves or inside their blocks."""
        for value in node.outputs:
            for use in value.uses:
                yield next(n for n in use.node.ancestry() if n.block is self.block)

    def position(self, node: Node) -> int:
        """Where a node will stand."""
        if node.kind == RETURN:
            return len(self.order)
        group = self.group_of.get(node)
        return self.order[group.last if group is not None else node]

    def first_reader(self, node: Node) -> _Group | None:
        """The group that reads a node before anything else does."""
        readers = list(self.readers(node))
        if not readers:
            return None
        first = min(readers, key=self.position)
        return self.group_of.get(first)

    def shows(self, node: Node) -> bool:
        """Whether it can be seen that a node ran before an error in another one.

        A reservation has no say: where its tensors do not broadcast, it advances nothing. Handlers
        of the graph see more than the caller: all writes, and which error came first.
        """
        if node.kind in (RESERVE, RESERVE_LIKE):
            return False
        writes = self.analysis.writes(node)
        if is_protected(self.block):
            return bool(writes) or (not is_fusible(node) and any(map(must_run, node.walk())))
        return any(map(is_effect, node.walk())) and (not writes or self.analysis.is_visible(writes))

    def may_join(self, node: Node, group: _Group) -> bool:
        if self.effects[self.order[node]] != self.effects[self.order[group.last]]:
            return False
        inside = [self.group_of.get(reader) is group for reader in self.readers(node)]
        if _is_index_map(node) and not all(inside):
            return False
        if not _is_index_map(node) and _is_computed_anew(list(self.readers(node))):
            return False
        if node.op is not None and node.op.full_name in DRAWS and may_repeat(node):
            return False
        return not self.analysis.has_writers_between(node.inputs, node, group.last)


def is_fusible(node: Node) -> bool:
    """Whether kernels may compute a node, as far as its row and types tell."""
    if node.blocks:
        return False
    if node.kind == LIST:
        return _is_operand(node)
    if node.kind == _UNPACK:
        source = node.inputs[0].node
        return is_fusible(source) and len(node.inputs[0].uses) == 1
    if node.op is None or node.op.schema.is_mutable:
        return False
    if any(_is_excluded(value) for value in (*node.inputs, *node.outputs)):
        return False
    name = node.op.full_name
    if node.op.body is not None:
        return _has_plain_operands(node)
    if name in CASTS:
        return _changes_dtype(node)
    if _reaches(node):
        return _has_known_indices(node)
    if name == _INDEX and not slices(node):
        return False
    if name in VIEWS:
        return all(map(_is_known_or_number, node.inputs[1:])) and _is_single_list(node)
    if name in JOINS:
        return _joins_a_list(node)
    if name in DRAWS:
        return all(map(_is_constant, node.inputs[1:-2]))
    is_known = all(map(_is_constant, node.inputs[1:]))
    return name in COMPOSITES and is_known and _is_reducible(node.inputs[0])


def _joins_a_list(node: Node) -> bool:
    """A join, along a known dimension, of a list that is there for nothing else."""
    source = node.inputs[0].node
    return source.kind == LIST and len(node.inputs[0].uses) == 1 and _is_constant(node.inputs[1])


def _reaches(node: Node) -> bool:
    """A row that reads or writes at computed places. NumPy's subscripts are such rows where they
    have index arrays; a scalar of NumPy's is an index like Python's ints.
    """
    if node.op is None or node.op.full_name not in REACHING:
        return False
    if node.op.full_name not in SUBSCRIPTS:
        return True
    indices = [value for value in node.inputs[1:] if _is_index(value)]
    return bool(indices) and not any(rank_of(value.type) == 0 for value in indices)


def _has_known_indices(node: Node) -> bool:
    """A row that reaches into tensors by index tensors, all else being constant. Those of a list
    or subscript must be known to be no masks.
    """
    assert node.op is not None
    is_subscript = node.op.full_name in SUBSCRIPTS
    for value in node.inputs[1:]:
        if value.node.kind == LIST and value.uses and not _is_constant(value):
            if len(value.uses) != 1 or not _are_indices(node, value.node.inputs):
                return False
        elif isinstance(value.type, TensorType):
            if is_subscript and not (_is_index(value) and value.type.rank != 0):
                return False  # an index without dimensions gives a view
        elif not _is_constant(value):
            return False
    return True


def _is_index(value: Value) -> bool:
    """A tensor of integers; bytes are masks to torch."""
    dtype = value.type.dtype if isinstance(value.type, TensorType) else None
    return dtype is not None and dtype.category is Category.INTEGRAL and dtype is not dtypes.uint8


def _are_indices(node: Node, indices: Sequence[Value]) -> bool:
    """Indices that are known to be no masks; what is written may have one mask."""
    if node.kind == "aten::index_put" and len(indices) == 1 and _is_mask(indices[0]):
        return True
    return all(_is_index(v) or (v.is_constant and v.type is ty.NONE) for v in indices)


def _is_mask(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype in (dtypes.bool_, dtypes.uint8)


def _is_operand(node: Node) -> bool:
    """A list of tensors that is there for a join, or to index with."""
    if any(_is_excluded(value) for value in node.inputs):
        return False
    if not any(isinstance(value.type, TensorType) for value in node.inputs):
        return False
    readers = [use.node for use in node.output.uses]
    return len(readers) == 1 and is_fusible(readers[0]) and readers[0].block is node.block


def _is_index_map(node: Node) -> bool:
    """A node whose results are views, or lists of tensors."""
    if node.op is None or _reaches(node):
        return node.kind in (_UNPACK, LIST)
    return node.op.full_name in VIEWS


def _is_computed_anew(readers: Sequence[Node]) -> bool:
    """Whether a kernel would compute a value more than once for these readers."""
    names = [node.op.full_name for node in readers if node.op is not None]
    overlapping = not _OVERLAPPING.isdisjoint(names) and len(set(readers)) > 1
    return overlapping or not _SPREADING.isdisjoint(names)


def slices(node: Node) -> bool:
    """A subscript of slices, numbers and new dimensions, which is a view with dimensions."""
    key = node.inputs[1].constant()
    if not isinstance(key, str) or "s" not in key:
        return False
    return all(v.type in (ty.INT, ty.NONE) for v in node.inputs[2:])


def _is_single_list(node: Node) -> bool:
    """A view row that gives a list is fused with the node that takes it apart."""
    if not isinstance(node.output.type, ty.ListType | ty.SequenceType | ty.TupleType):
        return True
    readers = [use.node for use in node.output.uses]
    return len(readers) == 1 and readers[0].kind == _UNPACK and readers[0].block is node.block


def _is_excluded(value: Value) -> bool:
    """Values of dtypes and devices that kernels do not take."""
    type_ = value.type
    if not isinstance(type_, TensorType):
        return type_ is ty.COMPLEX
    is_elsewhere = type_.device is not None and not type_.device.startswith("cpu")
    return is_elsewhere or (type_.dtype is not None and type_.dtype.is_complex)


def _has_plain_operands(node: Node) -> bool:
    """A pointwise row on tensors and numbers, everything else constant."""
    assert node.op is not None
    tensors = 0
    for role, value in zip(roles_of(node.op), node.inputs, strict=True):
        if role in (Role.TENSOR, Role.MASK):
            is_none = value.is_constant and value.type is ty.NONE
            if not is_none and not isinstance(value.type, TensorType):
                return False
            tensors += not is_none
        elif role is Role.OPTION:
            if not _is_constant(value):
                return False
        elif not _is_known_or_number(value):
            return False
    return tensors > 0 and all(isinstance(v.type, TensorType) for v in node.outputs)


def _is_constant(value: Value) -> bool:
    """A constant, or a list of constants."""
    if value.node.kind == LIST:
        return all(map(_is_constant, value.node.inputs))
    return value.is_constant and not ty.is_tensor(value.type)


def _is_known_or_number(value: Value) -> bool:
    if value.node.kind == LIST:
        return all(map(_is_known_or_number, value.node.inputs))
    return _is_constant(value) or value.type in _NUMBERS


def _changes_dtype(node: Node) -> bool:
    """A cast between known, different dtypes: others may hand out their argument itself."""
    source, target = node.inputs[0].type, node.output.type
    if not isinstance(source, TensorType) or not isinstance(target, TensorType):
        return False
    if not all(map(_is_constant, node.inputs[1:])):
        return False
    return None not in (source.dtype, target.dtype) and source.dtype is not target.dtype


def _is_reducible(value: Value) -> bool:
    """Whether kernels reduce a tensor, as far as its type tells."""
    type_ = value.type
    return isinstance(type_, TensorType) and type_.dtype is not dtypes.uint8


def _is_worth_it(group: _Group, static: bool) -> bool:
    computing = [node for node in group.nodes if not _is_index_map(node)]
    names = {node.op.full_name for node in computing if node.op is not None}
    if names <= JOINS:
        return False
    return static or len(computing) >= SMALLEST or bool(names & _ALONE)


# Rewriting ----------------------------------------------------------------------------------------


def _replace(group: _Group, graph: Graph) -> None:
    """Put a group's nodes into a graph of their own, and one node where the last of them stood."""
    members = set(group.nodes)
    inner = Graph("", graph.integers)
    mapping: dict[Value, Value] = {}
    inputs: list[Value] = []
    for node in reversed(group.nodes):
        for value in node.inputs:
            _bring_in(value, inner, mapping, inputs)
        clone_node(node, mapping, inner).insert_before(inner.return_node)
    made = create_node(FUSION_GROUP, inputs, attributes={SUBGRAPH: inner}, span=group.last.span)
    made.callstack = group.last.callstack
    made.insert_before(group.last)
    for node in reversed(group.nodes):
        for value in node.outputs:
            if any(use.node not in members for use in value.uses):
                inner.add_output(mapping[value])
                output = made.add_output(value.type, value.name)
                _read_instead(value, output, members)
    for node in group.nodes:
        node.destroy()


def dissolve_group(group: Node, *, regroup: bool = True) -> None:
    """Put a group's nodes back where it stands; with `regroup` each that computes becomes a group
    of its own.
    """
    inner: Graph = group.attributes[SUBGRAPH]
    mapping = dict(zip(inner.inputs, group.inputs, strict=True))
    made = [clone_node(node, mapping, group.graph).insert_before(group) for node in inner.nodes]
    for output, value in zip(group.outputs, inner.outputs, strict=True):
        output.replace_all_uses_with(mapping[value])
    graph = group.graph
    group.destroy()
    for node in made:
        if regroup and is_fusible(node) and not _is_index_map(node):
            _replace(_group_of(node), graph)


def _group_of(node: Node) -> _Group:
    """A node alone, with the lists of tensors that are there for it."""
    lists = [v.node for v in node.inputs if v.node.kind == LIST and not _is_helper(v)]
    return _Group([node, *lists])


def _bring_in(value: Value, inner: Graph, mapping: dict[Value, Value], inputs: list[Value]) -> None:
    """Make a value known inside: a copy of a constant, else an input."""
    if value in mapping:
        return
    if value.node.kind in _HELPERS and not ty.is_tensor(value.type) and _is_helper(value):
        for part in value.node.inputs:
            _bring_in(part, inner, mapping, inputs)
        clone_node(value.node, mapping, inner).insert_before(inner.return_node)
        return
    inputs.append(value)
    mapping[value] = inner.add_input(value.type, value.name)


def _is_helper(value: Value) -> bool:
    return value.is_constant or _is_known_or_number(value)


def _read_instead(value: Value, output: Value, members: set[Node]) -> None:
    for use in list(value.uses):
        if use.node not in members:
            use.node.replace_input(use.index, output)
