"""The tensors that a native function returns: allocated when it begins, wrapped when it ends.

`leaving.py` has decided which is computed where it leaves, is a view, a copy or a scalar. A small
result that leaves as a Tensor is a Tensor from the beginning: `objects.Shelf` may have one that
nobody needs any more.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

from llvmlite import ir as ll

from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import Graph, Node, Value
from ..tensor import Tensor, box
from ..tensor.recording import record
from ..values import make_tuple
from . import objects
from .actions import DICT, LIST, Plan
from .cpython import I32, POINTER
from .forms import Form
from .guards import requires_grad
from .leaving import SCALAR_IF, Leaving, Way
from .scalar import I64
from .share_code import ShareEmitter
from .storage import Storage

MAX_REUSED = 2 << 10
"""Bytes up to which a Tensor that was returned, and that nobody has any more, is returned again;
the work on more takes longer than making one.
"""


class ResultEmitter(ShareEmitter):
    """Emits the ways out of a function."""

    def __init__(
        self,
        graph: Graph,
        callback_of: Callable[[Node], Callable[..., Any]],
        plan: Plan,
        storage: Storage,
        leaving: Leaving,
        gives_arrays: bool,
    ) -> None:
        super().__init__(graph, callback_of, plan, storage)
        self.exits = leaving.exits
        self.all_leave_as_arrays = gives_arrays
        # Tensor arguments and their arrays; scalars of NumPy's have none.
        self.given: dict[Value, tuple[ll.Value, ll.Value | None]] = {}
        self.results: dict[Value, ll.AllocaInstr] = {}  # the arrays of results
        self.left: dict[Value, ll.AllocaInstr] = {}  # results as they leave
        self.copies: dict[Value, ll.Value] = {}  # where results are copied to

    # At the beginning ---------------------------------------------------------------------------

    def allocate_results(self) -> None:
        """An array for each result that is computed in place or copied."""
        exits = self.exits
        owners = [e.owner if e.way is not Way.COPY else v for v, e in exits.items()]
        for value in dict.fromkeys(v for v in owners if v is not None and v not in self.given):
            if self.is_reused(value):
                array = self.reused_array(value)
            else:
                slot = self.results[value] = self.owned_slot()
                array = self.checked_object(self.new_array(self.plan.forms[value]))
                self.b.store(array, slot)
            data = self.b.call(self.helper("jitlang_data", POINTER, [POINTER]), [array])
            if value in self.storage.buffers:
                self.arrays[value] = data
                continue
            self.copies[value] = data
            self.arrays |= dict.fromkeys(exits[value].written, data)

    def new_array(self, form: Form) -> ll.Value:
        make = self.helper("jitlang_new_array", POINTER, [POINTER, I64, POINTER, POINTER])
        strides = POINTER(None) if form.is_contiguous else self.words(form.strides)
        rank = I64(len(form.shape))
        return self.b.call(
            make, [self.object(form.dtype.numpy), rank, self.words(form.shape), strides]
        )

    def is_reused(self, value: Value) -> bool:
        """Whether a result is a Tensor that may have been one before."""
        form, found = self.plan.forms[value], self.exits.get(value)
        is_certain = found is None or not found.arguments
        is_suited = is_certain and form.is_contiguous and form.nbytes <= MAX_REUSED
        return is_suited and not self.gives_array(value) and not requires_grad(value)

    def reused_array(self, value: Value) -> ll.Value:
        """The array of a result that leaves as a Tensor which is there from the beginning."""
        form, shelf = self.plan.forms[value], objects.Shelf()
        name = f"shelf{len(self.kept)}"
        self.kept.append(shelf)
        self.addresses[name] = ctypes.addressof(shelf.words)
        place = self.b.bitcast(ll.GlobalVariable(self.module, I64, name), POINTER)
        take = self.helper("jitlang_result", POINTER, [POINTER, POINTER, I64, POINTER, POINTER])
        layout = (I64(len(form.shape)), self.words(form.shape), self.words(form.strides))
        made = self.b.call(take, [place, self.object(form.dtype.numpy), *layout])
        tensor = self.left[value] = self.owned_slot()
        self.b.store(self.checked_object(made), tensor)
        array = self.b.call(self.helper("jitlang_tensor_array", POINTER, [POINTER]), [made])
        self.results[value] = self.pointer_slot()
        self.b.store(array, self.results[value])
        return array

    # At the end ---------------------------------------------------------------------------------

    def copy_results(self) -> None:
        """Copy what leaves as a copy."""
        for value, data in self.copies.items():
            if not self.exits[value].is_copied:
                continue
            places = [data, *map(self.load, self.exits[value].arguments)]
            is_there = [self.is_at(value, place) for place in places]
            with self.b.if_then(self.b.not_(reduce(self.b.or_, is_there))):
                self.write(value, data, value)

    def is_at(self, value: Value, place: ll.Value) -> ll.Value:
        """Whether a tensor lies at some place."""
        return self.b.icmp_unsigned("==", self.load(value), place)

    def leaving(self, value: Value) -> ll.Value:
        """A new reference to a result as an object."""
        if value in self.plan.displays:
            return self.leaving_display(value)
        if value not in self.plan.forms:
            return self.boxed(value)
        if value not in self.left:
            self.left[value] = self.left_as(value, self.leaving_tensor(value))
        made = self.b.load(self.left[value])
        self.python("Py_IncRef", made)
        return made

    def left_as(self, value: Value, made: ll.Value) -> ll.AllocaInstr:
        """Keep what a tensor leaves as, a new reference; it says that it requires a gradient."""
        slot = self.owned_slot()
        self.b.store(self.checked_object(made), slot)
        if requires_grad(value) and value not in self.given and not self.gives_array(value):
            vector = self.b.bitcast(self.vector([self.b.load(slot)]), POINTER.as_pointer())
            noted = self.python(
                "PyObject_Vectorcall", self.object(record), vector, I64(1), POINTER(None)
            )
            self.python("Py_DecRef", self.checked_object(noted))
        return slot

    def leaving_display(self, value: Value) -> ll.Value:
        """A tuple, list or dict of results."""
        if value.node.kind == DICT:
            return self.leaving_dict(value)
        is_list = value.node.kind == LIST
        elements = self.plan.displays[value]
        slot = self.owned_slot()
        create = "PyList_New" if is_list else "PyTuple_New"
        made = self.checked_object(self.python(create, I64(len(elements))))
        self.b.store(made, slot)
        for index, element in enumerate(elements):
            item = self.leaving(element)
            self.python("PyList_SetItem" if is_list else "PyTuple_SetItem", made, I64(index), item)
        if isinstance(value.type, ty.TupleType) and value.type.field_names:
            return self.named_tuple(value.type, made)
        self.b.store(POINTER(None), slot)
        return made

    def leaving_dict(self, value: Value) -> ll.Value:
        slot = self.owned_slot()
        made = self.checked_object(self.python("PyDict_New"))
        self.b.store(made, slot)
        for key, element in zip(value.node.inputs[::2], self.plan.displays[value], strict=True):
            item = self.leaving(element)
            failed = self.python("PyDict_SetItem", made, self.object(key.constant()), item)
            self.python("Py_DecRef", item)
            self.fail_if(self.b.icmp_signed("!=", failed, I32(0)))
        self.b.store(POINTER(None), slot)
        return made

    def named_tuple(self, type_: ty.TupleType, elements: ll.Value) -> ll.Value:
        vector = self.vector([elements])
        callee = self.object(partial(make_tuple, type_))
        arguments = self.b.bitcast(vector, POINTER.as_pointer())
        made = self.python("PyObject_Vectorcall", callee, arguments, I64(1), POINTER(None))
        return self.checked_object(made)

    def leaving_tensor(self, value: Value) -> ll.Value:
        """A new reference to a tensor as its surface has it."""
        found = self.exits[value]
        if found.way is Way.ARGUMENT:
            given, _ = self.given[value]
            self.python("Py_IncRef", given)
            return given
        if found.way is Way.SCALAR:
            return self.leaving_scalar(value)
        if found.way is Way.VIEW and found.owner is not None:
            return self.leaving_view(value, found.owner)
        made = self.entry.alloca(POINTER)
        array = self.b.load(self.results[value])
        self.python("Py_IncRef", array)
        self.b.store(self.wrapped(value, array, POINTER(None)), made)
        for argument in found.arguments:
            with self.b.if_then(self.is_at(value, self.load(argument))):
                self.python("Py_DecRef", self.checked_object(self.b.load(made)))
                self.b.store(self.given[argument][0], made)
                self.python("Py_IncRef", self.given[argument][0])
        return self.b.load(made)

    def leaving_scalar(self, value: Value) -> ll.Value:
        """A new reference to a scalar of NumPy's, or to the number that it stands for."""
        make = self.helper("PyArray_Scalar", POINTER, [POINTER] * 3)
        given = [self.load(value), self.object(self.plan.forms[value].dtype.numpy), POINTER(None)]
        if value.node.kind != SCALAR_IF:
            return self.b.call(make, given)
        _, condition, number = value.node.inputs
        made = self.pointer_slot()
        with self.b.if_else(self.load(condition)) as (holds, fails):
            with holds:
                self.b.store(self.b.call(make, given), made)
            with fails:
                self.b.store(self.box(self.item(value, number.type)), made)
        return self.b.load(made)

    def leaving_view(self, value: Value, owner: Value) -> ll.Value:
        """A view of an argument, a result, or what would be one if it left too."""
        form = self.plan.forms[value]
        is_given = owner in self.given
        array = self.given[owner][1] if is_given else self.b.load(self.results[owner])
        if array is None:
            raise Unsupported("a result is a view of a scalar")
        first = self.load(owner) if is_given else self.arrays[owner]
        start, end = (self.b.ptrtoint(pointer, I64) for pointer in (first, self.load(value)))
        make = self.helper(
            "jitlang_new_view", POINTER, [POINTER, I64, POINTER, I64, POINTER, POINTER]
        )
        layout = (I64(len(form.shape)), self.words(form.shape), self.words(form.strides))
        distance = self.b.sub(end, start)
        made = self.b.call(make, [array, distance, self.object(form.dtype.numpy), *layout])
        made = self.checked_object(made)
        if self.gives_array(value):
            return self.wrapped(value, made, POINTER(None))
        if is_given:
            return self.view_of_argument(self.given[owner][0], made)
        if owner not in self.left:
            self.python("Py_IncRef", array)
            whole = self.wrapped(owner, array, POINTER(None))
            self.left[owner] = self.left_as(owner, whole)
        return self.wrapped(value, made, self.b.load(self.left[owner]))

    def view_of_argument(self, argument: ll.Value, array: ll.Value) -> ll.Value:
        """A tensor that knows whose memory it shares. The reference to the array is taken over."""
        vector = self.b.bitcast(self.vector([argument, array]), POINTER.as_pointer())
        callee = self.object(_view_of)
        made = self.python("PyObject_Vectorcall", callee, vector, I64(2), POINTER(None))
        self.python("Py_DecRef", array)
        return made

    def gives_array(self, value: Value) -> bool:
        return self.all_leave_as_arrays or ty.is_array(value.type)

    def wrapped(self, value: Value, array: ll.Value, base: ll.Value) -> ll.Value:
        """What leaves for an array, whose reference is taken over."""
        if not self.gives_array(value):
            return self.b.call(
                self.helper("jitlang_new_tensor", POINTER, [POINTER] * 2), [array, base]
            )
        return array


def _view_of(source: Tensor, array: Any) -> Tensor:
    return box(array, source if source._base is None else source._base)
