"""Native helpers over arrays and tensors: they read, compare and make what Python would."""

import ctypes
import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

from jitlang import Tensor, config
from jitlang.codegen import objects
from jitlang.codegen.objects import is_available
from jitlang.tensor.core import box

pytestmark = pytest.mark.skipif(not is_available(), reason="objects lie differently in memory here")

F32 = np.dtype("float32")
WORD, WORDS = ctypes.c_int64, ctypes.c_void_p


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off"):
        yield


def native(name, result, *parameters):
    """A helper as a ctypes function that keeps the GIL; NULL for an object is a ValueError."""
    return ctypes.PYFUNCTYPE(result, *parameters)(objects.imports()[name])


def words(numbers):
    return (ctypes.c_int64 * max(len(numbers), 1))(*numbers)


def address_of(name, value):
    return native(name, ctypes.c_void_p, ctypes.py_object)(value)


def array_is(array, dtype, shape, strides):
    call = native("jitlang_array_is", ctypes.c_int, ctypes.py_object, ctypes.py_object, WORD,
                  WORDS, WORDS)  # fmt: skip
    return call(array, dtype, len(shape), words(shape), words(strides))


def new_array(dtype, shape, strides=None):
    call = native("jitlang_new_array", ctypes.py_object, ctypes.py_object, WORD, WORDS, WORDS)
    return call(dtype, len(shape), words(shape), None if strides is None else words(strides))


def new_view(base, offset, dtype, shape, strides):
    call = native("jitlang_new_view", ctypes.py_object, ctypes.py_object, WORD, ctypes.py_object,
                  WORD, WORDS, WORDS)  # fmt: skip
    return call(base, offset, dtype, len(shape), words(shape), words(strides))


def new_tensor(array, base=None):
    """The helper takes the reference over, so it gets one of its own."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(array))
    if base is None:
        call = native("jitlang_new_tensor", ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
        return call(array, None)
    call = native("jitlang_new_tensor", ctypes.py_object, ctypes.py_object, ctypes.py_object)
    return call(array, base)


class Subclass(np.ndarray):
    pass


class TensorSubclass(Tensor):
    pass


def test_only_exact_types_are_looked_into():
    array = np.zeros(3, F32)
    tensor = box(array)
    table = {"jitlang_array_of": (id(array), id(array)), "jitlang_raw_array": (id(array), None),
             "jitlang_tensor_array": (None, id(array))}  # fmt: skip
    for name, (from_array, from_tensor) in table.items():
        assert address_of(name, array) == from_array
        assert address_of(name, tensor) == from_tensor
        for other in (array.view(Subclass), TensorSubclass(array), 1, None, [array], np.float32(1),
                      object.__new__(Tensor), np.ndarray):  # fmt: skip
            assert address_of(name, other) is None
    assert address_of("jitlang_data", array) == array.ctypes.data


def test_a_tensor_over_a_subclass_is_not_looked_into():
    hidden = object.__new__(Tensor)
    hidden._array = np.zeros(3, F32).view(Subclass)
    assert address_of("jitlang_array_of", hidden) is None
    hidden._array = [1, 2]
    assert address_of("jitlang_array_of", hidden) is None


def test_layouts_are_compared():
    x = np.zeros((4, 6), F32)
    for array in (x, x.T, x[:, ::2], x[1:3], x[0, 0, ...], x[::-1], x[:0], np.zeros((), F32)):
        assert array_is(array, F32, array.shape, array.strides)
        assert not array_is(array, np.dtype("float64"), array.shape, array.strides)
        assert not array_is(array, F32, (*array.shape, 1), (*array.strides, 4))
    assert not array_is(x, F32, (4, 6), (4, 16))
    assert not array_is(x, F32, (6, 4), (24, 4))
    assert array_is(x[:1], F32, (1, 6), (999, 4)) and not array_is(x[:1], F32, (1, 6), (24, 8))
    assert array_is(x[:, :0], F32, (4, 0), (7, 7)) and not array_is(x[:0], F32, (4, 0), (24, 4))
    assert not array_is(x.astype(">f4"), F32, (4, 6), (24, 4))
    unaligned = np.zeros(17, "u1")[1:].view(F32)
    assert not array_is(unaligned, F32, (4,), (4,))


def test_arrays_are_made():
    for dtype in (F32, np.dtype("complex128"), np.dtype("bool")):
        for shape in ((), (0,), (7,), (2, 3, 4), (0, 3)):
            made = new_array(dtype, shape)
            assert (made.dtype, made.shape) == (dtype, shape) and made.flags.c_contiguous
            assert made.flags.owndata and made.flags.writeable and made.base is None
            made[...] = 1
    made = new_array(F32, (2, 3), (4, 8))
    assert made.strides == (4, 8) and made.flags.f_contiguous
    before = sys.getrefcount(F32)
    with pytest.raises(MemoryError):
        new_array(F32, (1 << 44,))
    assert sys.getrefcount(F32) == before


def test_views_share_memory_and_keep_it():
    base = np.arange(12, dtype=F32)
    view = new_view(base, 8, F32, (2, 2), (16, 4))
    assert view.tolist() == [[2, 3], [6, 7]] and view.base is base and not view.flags.owndata
    view[0, 0] = -1
    assert base[2] == -1 and view.flags.writeable and view.flags.aligned
    inner = new_view(view, 16, F32, (2,), (4,))
    assert inner.base is base and inner.tolist() == [6, 7]
    base.flags.writeable = False
    assert not new_view(base, 0, F32, (12,), (4,)).flags.writeable
    alive = weakref.ref(base)
    del base, view
    assert inner.tolist() == [6, 7]
    del inner
    assert alive() is None


def test_tensors_are_made_as_in_python():
    array = np.arange(3, dtype=F32)
    base = box(array)
    for owner in (None, base):
        made, wanted = new_tensor(array, owner), box(array, owner)
        assert type(made) is Tensor and gc.is_tracked(made)
        for slot in ("_array", "_base", "_version", "grad", "grad_fn", "requires_grad"):
            assert getattr(made, slot) is getattr(wanted, slot)
        made.grad = made
        alive = weakref.ref(made)
        del made
        gc.collect()
        assert alive() is None


def test_a_tensor_of_nothing_is_an_error_passed_on():
    call = native("jitlang_new_tensor", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    assert call(None, None) is None


def test_nothing_leaks():
    array = np.arange(12, dtype=F32)
    base = box(array)
    shape, strides, rounds = (3, 4), (16, 4), 4000
    watched = (F32, array, base, Tensor, None, False, 0)

    def make():
        new_tensor(new_array(F32, shape))
        new_tensor(new_view(array, 0, F32, shape, strides), base)

    make()
    tracemalloc.start()
    try:
        gc.collect()
        before, counts = tracemalloc.get_traced_memory()[0], list(map(sys.getrefcount, watched))
        for _ in range(rounds):
            make()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        changes = [sys.getrefcount(w) - count for w, count in zip(watched, counts, strict=True)]
    finally:
        tracemalloc.stop()
    assert grown < 8 * rounds  # the smallest object has 16 bytes
    assert all(abs(change) < 1000 for change in changes), changes
