"""Which action each node on tensors becomes.

`Planner(forms).plan(graph)` walks a graph forward, gives every tensor a form, and every node that
touches tensors an action. It asks the rows' own reference kernels how views lie (`Form.sample`),
the fuser how groups are computed, and refuses with a reason what has no native form, so that
nothing is decided while code is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from .. import dtypes
from ..fuser.partition import FUSION_GROUP, SUBGRAPH
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import CHOICES, CONSTANT, LOOP, UNINITIALIZED, Block, Graph, Node, ObjectRef, Value
from ..ir.opdef import Effect
from ..ir.types import TensorType
from ..ops.draws import count_drawn, count_drawn_like
from ..ops.rows import kernel_of
from ..passes.alias import AliasAnalysis
from ..passes.settle_calls import THREADED_DOT
from ..tensor import Tensor
from .actions import (
    DICT,
    LIST,
    TUPLE,
    Action,
    Allocate,
    Assign,
    Call,
    Copy,
    Fill,
    Index,
    Item,
    Length,
    Nothing,
    OpenMultiply,
    Part,
    Plan,
    Reserve,
    Run,
    Select,
    Store,
    View,
    Wrap,
    Write,
    is_tensor,
    touches_tensors,
)
from .forms import Form, contiguous, distance, form_of, same_places
from .fused import FusedKernel, decides_form
from .launch import Launch
from .multiplying import PRODUCTS, Factors, takes
from .reference import Given, ReferenceCall
from .subscripts import element, item_of_array, subscript
from .writing import (
    check_number,
    copied_into,
    filled,
    stored_by_numpy,
    stored_item_by_numpy,
    zeroed,
)

CAST = "prim::unchecked_cast"
_NUMBERS = {ty.INT: 1, ty.FLOAT: 1.0, ty.BOOL: True}
"""A number of each type, to ask with."""

ITEMS = frozenset((
    "aten::item", "aten::Float.Tensor", "aten::Int.Tensor", "aten::Bool.Tensor",
    "aten::FloatImplicit", "aten::IntImplicit", "aten::ScalarImplicit",
))  # fmt: skip
"""Rows that read the one element of a tensor."""

CREATIONS = frozenset((
    "aten::zeros", "aten::ones", "aten::full", "aten::empty.memory_format", "aten::eye",
    "aten::eye.m", "aten::arange", "aten::arange.start", "aten::arange.start_step",
    "aten::linspace", "aten::zeros_like", "aten::ones_like", "aten::full_like", "aten::empty_like",
    "aten::new_zeros", "aten::new_ones", "aten::new_full", "aten::new_empty", "aten::scalar_tensor",
    "aten::tensor", "aten::tensor.float", "aten::tensor.int", "aten::tensor.bool",
))  # fmt: skip
"""Rows whose result is known where their numbers are: of tensors they look at the form only."""
FILLED = frozenset((
    "aten::zeros", "aten::ones", "aten::full", "aten::zeros_like", "aten::ones_like",
    "aten::full_like", "aten::new_zeros", "aten::new_ones", "aten::new_full",
))  # fmt: skip
"""Those whose elements are all the same."""
UNSET = frozenset(("aten::empty", "aten::empty_like", "aten::new_empty"))
"""Those whose elements are whatever memory holds."""
MAX_KNOWN_BYTES = 1 << 17
"""Arrays of that size, such as ranges, are computed in less time than they are read from memory."""
BY_NUMPY = frozenset(("jit::numpy", "jit::numpy_method", "jit::array_item", "jit::array_item.two"))
"""Rows that NumPy itself computes."""


class UnsupportedGroup(Unsupported):
    """Kernels cannot compute a fusion group as one."""

    def __init__(self, reason: str, group: Node) -> None:
        super().__init__(reason)
        self.group = group


@dataclass(frozen=True, slots=True)
class _Views:
    """A list of views: where each begins in the source, and its form."""

    source: Value
    offsets: tuple[int, ...]
    forms: tuple[Form, ...]


class Planner:
    """Plans one graph."""

    def __init__(self, forms: dict[Value, Form]) -> None:
        self.found = Plan(forms=dict(forms))
        self.samples: dict[Value, Any] = {value: form.sample() for value, form in forms.items()}
        self.views: dict[Value, _Views] = {}
        self.is_changed_list: Callable[[Value], bool] = lambda value: True

    def plan(self, graph: Graph) -> Plan:
        """The plan of a graph whose tensor inputs have the given forms.

        Raises:
            Unsupported: a node on tensors has no action.
        """
        self.is_changed_list = AliasAnalysis(graph).is_changed_list
        self.block(graph.block)
        for node, action in self.found.actions.items():
            if isinstance(action, OpenMultiply) and len(action.batches) == 1:
                packing = self.loop_around(node, action.right)
                self.found.actions[node] = action._replace(packing=packing)
        return self.found

    def block(self, block: Block) -> None:
        for node in block.nodes:
            if node.kind in CHOICES:
                self.choice(node)
            elif node.kind == LOOP:
                self.loop(node)
            elif touches_tensors(node):
                self.node(node)
            else:
                self.other(node)

    # Values -------------------------------------------------------------------------------------

    def define(self, value: Value, form: Form) -> None:
        """A tensor has this form."""
        self.found.forms[value] = form
        self.samples[value] = form.sample()

    def form(self, value: Value) -> Form:
        found = self.found.forms.get(value)
        if found is None:
            raise Unsupported(f"a tensor from {value.node.kind}, whose sizes are not known")
        return found

    def given(self, value: Value) -> Any:
        """An argument for a reference kernel: a sample, or what is known."""
        if value in self.samples:
            return self.samples[value]
        if value.node.kind == LIST and not self.is_changed_list(value):
            return [self.given(element) for element in value.node.inputs]
        if not value.is_constant or (value.type is ty.STR and value.constant() is None):
            raise Unsupported("an argument that decides a layout is not known")
        found = value.constant()
        return found.value if isinstance(found, ObjectRef) else found

    # Structure ----------------------------------------------------------------------------------

    def choice(self, node: Node) -> None:
        for block in node.blocks:
            self.block(block)
        for index, output in enumerate(node.outputs):
            if not is_tensor(output):
                _refuse_sequences(output)
                continue
            arms = [block.outputs[index] for block in node.blocks]
            forms = [self.form(v) for v in arms if v.node.kind != UNINITIALIZED]
            if not forms or any(not same_places(forms[0], other) for other in forms):
                raise Unsupported(f"a tensor of two layouts at {node.span}")
            self.define(output, forms[0])

    def loop(self, node: Node) -> None:
        (body,) = node.blocks
        carried = list(zip(node.inputs[2:], body.inputs[1:], body.outputs[1:], node.outputs,
                           strict=True))  # fmt: skip
        for first, parameter, _, _ in carried:
            if is_tensor(parameter):
                given = self.form(first)
                if not given.is_contiguous:
                    raise Unsupported(f"a loop at {node.span} begins with a strided tensor")
                self.define(parameter, contiguous(given.dtype, given.shape))
            else:
                _refuse_sequences(parameter)
        self.block(body)
        for _, parameter, last, output in carried:
            if is_tensor(parameter):
                if not same_places(self.form(parameter), self.form(last)):
                    raise Unsupported(f"a tensor changes its layout in the loop at {node.span}")
                self.define(output, self.form(parameter))

    # Nodes --------------------------------------------------------------------------------------

    def other(self, node: Node) -> None:
        """A node without tensors needs no action."""

    def node(self, node: Node) -> None:
        """Find the action of a node that touches tensors."""
        planned = _BY_KIND.get(node.kind)
        if planned is not None:
            action = planned(self, node)
        elif node.op is not None and node.op.full_name in ROWS:
            action = ROWS[node.op.full_name](self, node)
        elif node.op is None or node.op.schema.is_mutable:
            raise Unsupported(_no_form(node))
        elif node.op.full_name in ITEMS:
            action = self.item(node)
        elif node.op.full_name in CREATIONS:
            action = self.creation(node)
        elif is_view(node):
            action = self.view(node)
        else:
            action = self.call(node)
        self.found.actions[node] = action

    def constant(self, node: Node) -> Action:
        value = node.output.constant()
        found = value.value if isinstance(value, ObjectRef) else value
        array = found._array if isinstance(found, Tensor) else found
        if type(array) is not np.ndarray:
            raise Unsupported("a tensor constant of another library")
        self.known_array(node.output, array)
        return Nothing()

    def known_array(self, value: Value, array: Any) -> None:
        self.found.constants[value] = array
        self.define(value, form_of(array))

    def creation(self, node: Node) -> Action:
        """A tensor whose elements are known now. It is never written, so it can be shared."""
        made = self.called(node)
        assert node.op is not None
        is_large = made.nbytes > MAX_KNOWN_BYTES
        if is_large and ty.is_array(node.output.type) and node.op.name not in FILLED | UNSET:
            raise Unsupported(f"{node.kind} of {made.size} elements, made sooner than read")
        if not form_of(made).is_dense:
            made = np.ascontiguousarray(made).reshape(made.shape)
        self.known_array(node.output, made)
        return Nothing()

    def scalar_tensor(self, node: Node) -> Action:
        """A tensor of one number, which may be computed."""
        number, dtype = node.inputs[:2]
        type_ = node.output.type
        is_known = isinstance(type_, TensorType) and type_.dtype is not None
        if number.is_constant or not is_known or dtype.constant() is None:
            return self.creation(node)
        form = contiguous(dtype.constant(), ())
        check_number(number, form.dtype, node)
        self.define(node.output, form)
        return Wrap(node.output, number)

    def called(self, node: Node) -> Any:
        """What the row's kernel says of the samples."""
        assert node.op is not None
        arguments = [self.given(value) for value in node.inputs]
        try:
            return kernel_of(node.op, np)(*arguments)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise Unsupported(f"{node.kind} at {node.span}: {error}") from None

    def view(self, node: Node) -> Action:
        """A row that gives a view of its first argument, or copies it if it must."""
        source = node.inputs[0]
        before = self.samples[source]
        found = self.called(node)
        if isinstance(found, list | tuple):
            offsets = tuple(distance(before, part) for part in found)
            self.views[node.output] = _Views(source, offsets, tuple(map(form_of, found)))
            return Nothing()
        form = form_of(found)
        self.define(node.output, form)
        if found.size == 0 or np.may_share_memory(found, before):
            return View(source, (distance(before, found),))
        if form.dtype is not self.form(source).dtype:
            raise Unsupported(_no_form(node))
        return self.copied(node.output, source)

    def copied(self, output: Value, source: Value) -> Copy:
        """The elements of the source in row-major order, as the output."""
        read, written = self.form(source), self.form(output)
        if read.shape != written.shape:
            written = contiguous(read.dtype, read.shape)
        return Copy(output, (Part(0, source, read.shape, written.strides, read.strides),))

    def clone(self, node: Node) -> Action:
        source = node.inputs[0]
        self.define(node.output, form_of(self.called(node)))
        made = source.node.op.name if source.node.op is not None else ""
        if made in UNSET:
            return Allocate(node.output)
        if made in FILLED:
            return Fill(node.output, self.called(source.node).reshape(-1)[:1].tobytes())
        return self.copied(node.output, source)

    def cast(self, node: Node) -> Action:
        self.define(node.output, self.form(node.inputs[0]))
        return View(node.inputs[0], (0,))

    def select(self, node: Node) -> Action:
        source, dim, index = node.inputs
        if index.is_constant or not dim.is_constant:
            return self.view(node)
        form = self.form(source)
        rank, axis = len(form.shape), dim.constant()
        if not -rank <= axis < rank:
            raise Unsupported(f"{node.kind} at {node.span} has no such dimension")
        axis %= rank
        shape = form.shape[:axis] + form.shape[axis + 1 :]
        strides = form.strides[:axis] + form.strides[axis + 1 :]
        self.define(node.output, Form(form.dtype, shape, strides))
        return Select(source, 0, (Index(axis, form.strides[axis], form.shape[axis], index),))

    def element(self, node: Node) -> Action:
        """An element of a list."""
        container, index = node.inputs
        if container in self.views:
            return self.element_of_views(node, self.views[container], index)
        elements = self.found.displays.get(container, ())
        place = index.constant()
        if place is None or not -len(elements) <= place < len(elements):
            raise Unsupported(f"a list of tensors is indexed by a variable ({node.span})")
        self.define(node.output, self.form(elements[place]))
        return View(elements[place], (0,))

    def element_of_views(self, node: Node, views: _Views, index: Value) -> Action:
        offsets = views.offsets
        if index.is_constant and -len(offsets) <= index.constant() < len(offsets):
            self.define(node.output, views.forms[index.constant()])
            return View(views.source, (offsets[index.constant()],))
        steps = {after - before for before, after in pairwise(offsets)} or {0}
        if not offsets or len(steps) != 1 or len(set(views.forms)) != 1:
            raise Unsupported(f"parts of different sizes are indexed by a variable ({node.span})")
        self.define(node.output, views.forms[0])
        return Select(views.source, offsets[0], (Index(0, steps.pop(), len(offsets), index),))

    def unpack(self, node: Node) -> Action:
        elements = self.found.displays.get(node.inputs[0])
        if elements is not None and len(elements) == len(node.outputs):
            raise Unsupported(f"a list of tensors is taken apart ({node.span})")
        views = self.views.get(node.inputs[0])
        if views is None or len(views.forms) != len(node.outputs):
            raise Unsupported(_no_form(node))
        for output, form in zip(node.outputs, views.forms, strict=True):
            self.define(output, form)
        return View(views.source, views.offsets)

    def length(self, node: Node) -> Action:
        container = node.inputs[0]
        if container in self.views:
            return Length(len(self.views[container].forms))
        if container in self.found.displays:
            return Length(len(self.found.displays[container]))
        raise Unsupported(_no_form(node))

    def size(self, node: Node) -> Length:
        """A size that was left open; known ones are constants in the graph."""
        tensor, dim = node.inputs
        shape = self.form(tensor).shape
        place = dim.constant()
        if place is None or not -len(shape) <= place < len(shape):
            raise Unsupported(_no_form(node))
        return Length(shape[place])

    def numel(self, node: Node) -> Length:
        """The same for the number of elements."""
        return Length(self.form(node.inputs[0]).size)

    def display(self, node: Node) -> Action:
        """A list or tuple of tensors, looked through by who reads it."""
        self.found.displays[node.output] = list(node.inputs)
        return Nothing()

    def dict_display(self, node: Node) -> Action:
        """A dict of tensors that is returned; what reads or changes one has no action."""
        keys = [key.constant() for key in node.inputs[::2]]
        if not all(isinstance(key, int | str) for key in keys):
            raise Unsupported(f"a dict whose keys are computed ({node.span})")
        self.found.displays[node.output] = list(node.inputs[1::2])
        return Nothing()

    def item(self, node: Node) -> Action:
        form = self.form(node.inputs[0])
        kind = node.output.type
        if form.size != 1 or kind not in (*_NUMBERS, ty.NUMBER):
            raise Unsupported(_no_form(node))
        if form.dtype in (dtypes.float16, dtypes.bfloat16) or form.dtype.is_complex:
            raise Unsupported(f"{node.kind} of {form.dtype.name}")
        if kind is ty.INT and form.dtype.is_floating_point:
            raise Unsupported(f"{node.kind} of a fraction")
        return Item(node.inputs[0])

    def reserved(self, node: Node) -> Action:
        """A draw of as many elements as tensors have when they are broadcast."""
        forms = [self.form(value) for value in self.found.displays[node.inputs[0]]]
        return Reserve(count_drawn([form.shape for form in forms]))

    def reserved_like(self, node: Node) -> Action:
        """A draw for the dtype of a tensor."""
        form, is_normal = self.form(node.inputs[0]), node.inputs[1].constant()
        return Reserve(count_drawn_like(form.dtype, form.size, is_normal=is_normal))

    def call(self, node: Node) -> Action:
        """A row without native code, whose results have known sizes."""
        assert node.op is not None
        if node.op.effect is not Effect.NONE or not all(map(is_tensor, node.outputs)):
            raise Unsupported(_no_form(node))
        if node.op.full_name in BY_NUMPY:  # which the interpreter calls as quickly as Python does
            raise Unsupported(_no_form(node))
        for output in node.outputs:
            type_ = output.type
            assert isinstance(type_, TensorType)
            sizes = type_.sizes
            if type_.dtype is None or sizes is None or None in sizes:
                raise Unsupported(_no_form(node))
            self.define(output, contiguous(type_.dtype, tuple(n for n in sizes if n is not None)))
        inputs: list[Value] = []
        template = [self.place(value, inputs) for value in node.inputs]
        function = ReferenceCall(node, template)
        return Call(function, tuple(inputs), tuple(node.outputs))

    def place(self, value: Value, inputs: list[Value]) -> Any:
        """How an argument is given to a reference kernel; what is not known joins the inputs."""
        if value in self.found.displays:
            return [self.place(element, inputs) for element in self.found.displays[value]]
        if value in self.found.forms or (value.type in _NUMBERS and not value.is_constant):
            inputs.append(value)
            return Given(len(inputs) - 1)
        return self.given(value)

    # Groups and copies --------------------------------------------------------------------------

    def group(self, node: Node) -> Action:
        """A fusion group: its kernels for these forms."""
        graph: Graph = node.attributes[SUBGRAPH]
        arguments = [self.group_argument(outer, inner) for outer, inner in zip(
            node.inputs, graph.inputs, strict=True)]  # fmt: skip
        launch = self.launch_for(node, arguments)
        if isinstance(launch, str):
            raise UnsupportedGroup(launch, node)
        for output, array in zip(node.outputs, launch.results, strict=True):
            self.define(output, form_of(array.make()))
        return Run(launch, tuple(node.inputs), tuple(node.outputs))

    def launch_for(self, node: Node, arguments: Sequence[Any]) -> Launch | str:
        """The kernels of a group for such arguments, or why there are none."""
        return FusedKernel(node.attributes[SUBGRAPH]).launch_for(arguments)

    def group_argument(self, outer: Value, inner: Value) -> Any:
        if is_tensor(outer):
            self.form(outer)
            return self.samples[outer]
        if outer.is_constant:
            return outer.constant()
        if outer.type not in _NUMBERS or decides_form(inner):
            raise Unsupported("a number that decides the layout of a tensor")
        return _NUMBERS[outer.type]

    def stacked(self, node: Node) -> Action:
        """`stack` and `cat`: each part is copied to its place."""
        container, dim = node.inputs
        parts = self.found.displays.get(container)
        if parts is None or not dim.is_constant:
            raise Unsupported(_no_form(node))
        result = self.called(node)
        form = form_of(result)
        self.define(node.output, form)
        axis = dim.constant() % max(len(form.shape), 1)
        copies: list[Part] = []
        place = 0
        for value in parts:
            source = self.form(value)
            if source.dtype is not form.dtype:
                raise Unsupported(f"{node.kind} of different dtypes at {node.span}")
            if node.kind == "aten::stack":
                written = form.strides[:axis] + form.strides[axis + 1 :]
                size = 1
            elif source.shape == (0,) and len(form.shape) != 1:
                continue
            else:
                written, size = form.strides, source.shape[axis]
            offset = place * form.strides[axis]
            copies.append(Part(offset, value, source.shape, written, source.strides))
            place += size
        return Copy(node.output, tuple(copies))

    def allocated(self, node: Node) -> Action:
        """A tensor that later nodes write."""
        self.define(node.output, form_of(self.called(node)))
        return Allocate(node.output)

    def stored(self, node: Node) -> Action:
        """An element of such a tensor."""
        target, dim, index, item = node.inputs
        form, given = self.form(target), self.form(item)
        axis = dim.constant()
        if axis is None or not 0 <= axis < len(form.shape):
            raise Unsupported(_no_form(node))
        shape = form.shape[:axis] + form.shape[axis + 1 :]
        if given.shape != shape or given.dtype is not form.dtype:
            raise Unsupported(_no_form(node))
        written = form.strides[:axis] + form.strides[axis + 1 :]
        part = Part(0, item, shape, written, given.strides)
        return Store(target, part, (Index(axis, form.strides[axis], form.shape[axis], index),))

    def product(self, node: Node) -> Action:
        """A matrix product. Whether its right matrix is packed waits until all writes are known."""
        assert node.op is not None
        left, right, bias = PRODUCTS[node.op.full_name](node)
        a, b = self.form(left), self.form(right[0])
        factors = Factors.of(a, b, transposed=right[1])
        if factors is None or not takes(node.op.full_name, a, b):
            raise Unsupported(_no_form(node))
        form = contiguous(factors.dtype, factors.shape)
        if form.size == 1 and a.size > THREADED_DOT and ty.is_array(node.output.type):
            raise Unsupported(f"a product of vectors that BLAS has threads for ({node.span})")
        self.define(node.output, form)
        part = None
        if bias is not None:
            read = np.broadcast_to(self.samples[bias], form.shape).strides
            part = Part(0, bias, form.shape, form.strides, read)
        spec = replace(factors.spec, accumulate=part is not None)
        return OpenMultiply(node.output, left, right[0], spec, factors.batches, part, None)

    def loop_around(self, node: Node, value: Value) -> Node | None:
        """The outermost loop around a node in which neither a value nor its memory changes."""
        loops = [owner for owner in node.ancestry() if owner.kind == LOOP and owner is not node]
        fixed = [
            loop
            for loop in loops
            if value.node not in set(loop.walk())
            and not any(
                block.param_node is value.node for inner in loop.walk() for block in inner.blocks
            )
            and not self.writes(loop, value)
        ]
        return fixed[-1] if fixed else None

    def writes(self, loop: Node, value: Value) -> bool:
        """Whether a loop may write the memory of a tensor."""
        plan, base = self.found, self.found.base_of(value)
        actions = map(plan.actions.get, loop.walk())
        written = {plan.base_of(a.target) for a in actions if isinstance(a, Write | Assign | Store)}
        return bool(written) and (base is None or not written.isdisjoint({base, None}))


def is_view(node: Node) -> bool:
    """Whether a row's result may be a view of its first argument."""
    assert node.op is not None
    if len(node.outputs) != 1 or not node.inputs or not is_tensor(node.inputs[0]):
        return False
    returned = node.op.schema.returns[0]
    if node.op.effect in (Effect.RANDOM, Effect.IO) or returned.type is ty.ANY:
        return False  # dropout, or whatever a method of NumPy's may do
    return returned.alias is not None or returned.element_alias is not None


def _no_form(node: Node) -> str:
    return f"{node.kind} has no native form ({node.span})"


def _refuse_sequences(value: Value) -> None:
    if ty.has_tensors(value.type):
        raise Unsupported(f"a {value.type} is joined or carried")


_BY_KIND: dict[str, Callable[[Planner, Node], Action]] = {
    CONSTANT: Planner.constant,
    UNINITIALIZED: lambda planner, node: Nothing(),
    FUSION_GROUP: lambda planner, node: planner.group(node),
    LIST: Planner.display,
    DICT: Planner.dict_display,
    TUPLE: Planner.display,
    "prim::ListUnpack": Planner.unpack,
    CAST: Planner.cast,
}
ROWS: dict[str, Callable[[Planner, Node], Action]] = {
    "aten::select.int": Planner.select,
    "aten::__getitem__.t": Planner.element,
    "aten::len.t": Planner.length,
    "aten::size.int": lambda planner, node: planner.size(node),
    "aten::numel": lambda planner, node: planner.numel(node),
    "aten::stack": Planner.stacked,
    "aten::cat": Planner.stacked,
    "aten::clone": Planner.clone,
    "aten::scalar_tensor": Planner.scalar_tensor,
    "jit::numpy_index": subscript,
    "jit::array_item": item_of_array,
    "jit::array_item.two": item_of_array,
    "jit::element": element,
    "jit::scalar_if": Planner.cast,
    "jit::reserve": Planner.reserved,
    "jit::reserve_like": Planner.reserved_like,
    "aten::copy_": copied_into,
    "aten::fill_.Scalar": filled,
    "aten::zero_": zeroed,
    "jit::numpy_store": stored_by_numpy,
    "jit::array_store": stored_item_by_numpy,
    "jit::array_store.two": stored_item_by_numpy,
    "jit::buffer": Planner.allocated,
    "jit::store_item": Planner.stored,
    **dict.fromkeys(PRODUCTS, Planner.product),
}
