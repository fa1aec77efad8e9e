"""Calling a fused kernel without the Python interpreter: one native function for all kernels.

`NativeCall(slow)` is a builtin function object. It compares its arguments with the layouts in a chain of records
(exact type, dtype, rank, sizes, strides; kinds of numbers; a record of arrays that all have one shape and lie in
order serves every size), and on the first that fits allocates the results, gathers
data pointers, runs the kernel (without the GIL where it is long) and returns new arrays. Where none fits it calls
`slow`, which may add a record. Records are tables of 64-bit words owned by Python; they are never freed while the
function lives, so threads may read the chain while it grows at its head.

Facts used: in a 64-bit build with a GIL, objects begin with a reference count and their type (byte 8), `ndarray` has
data at byte 16, nd 24, dimensions 32, strides 40, descr 56 and flags 64, floats their value at 16. They are looked at
once (`is_available`) before anything relies on them; without them callers go through `slow`.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from .kernel import Access
from .launch import Call, Launch, flat_chunk
from .llvm import Library, compile_module
from .threads import parallel_address, thread_count

MAX_ARRAYS = 64
MAX_SLOTS = 32
MAX_RECORDS = 8
LONG_WORK = 20_000
"""Elements from which on a kernel runs without the GIL; taking it again costs a few hundred nanoseconds."""

_ARRAY, _INT, _FLOAT, _BOOL, _SAME_INT, _SAME_OBJECT, _FLAT = range(7)
_METH_FASTCALL = 0x80
_PYTHON = (
    "PyLong_AsVoidPtr", "PyLong_AsLongLong", "PyErr_Occurred", "PyErr_Clear", "PyErr_SetString", "PyObject_Vectorcall",
    "PyTuple_New", "PyTuple_SetItem", "Py_IncRef", "Py_DecRef", "PyEval_SaveThread", "PyEval_RestoreThread",
    "PyMem_RawMalloc", "PyMem_RawFree", "PyErr_NoMemory",
)  # fmt: skip
_TYPES = {"PyLong_Type": int, "PyFloat_Type": float, "PyBool_Type": bool, "PyExc_RuntimeError": RuntimeError}
_NEW_FROM_DESCR = 94  # its place in NumPy's table of functions

_TEXT = """
declare ptr @PyLong_AsVoidPtr(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_Clear()
declare void @PyErr_SetString(ptr, ptr)
declare ptr @PyErr_NoMemory()
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyMem_RawMalloc(i64)
declare void @PyMem_RawFree(ptr)
declare ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
@PyArray_Type = external global i8
@PyLong_Type = external global i8
@PyFloat_Type = external global i8
@PyBool_Type = external global i8
@PyExc_RuntimeError = external global i8
@Py_True = external global i8
@zero_division = internal constant [18 x i8] c"ZeroDivisionError\\00"

define internal i1 @same_words(ptr %a, ptr %b, i64 %count) alwaysinline {
entry:
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %next, %compare ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %compare, label %equal
compare:
  %pa = getelementptr i64, ptr %a, i64 %i
  %pb = getelementptr i64, ptr %b, i64 %i
  %x = load i64, ptr %pa
  %y = load i64, ptr %pb
  %same = icmp eq i64 %x, %y
  %next = add i64 %i, 1
  br i1 %same, label %test, label %different
equal:
  ret i1 true
different:
  ret i1 false
}

; Whether an argument is as a row of the argument table says; numbers are written to %number.
define internal i1 @fits(ptr %value, ptr %row, ptr %number, ptr %first) alwaysinline {
entry:
  %kind = load i64, ptr %row
  %p1 = getelementptr i64, ptr %row, i64 1
  %expected = load ptr, ptr %p1
  %ptype = getelementptr i8, ptr %value, i64 8
  %type = load ptr, ptr %ptype
  switch i64 %kind, label %same_object [ i64 0, label %array i64 1, label %int i64 2, label %float
                                         i64 3, label %bool i64 4, label %int i64 6, label %flat ]
flat:
  %flat_type = icmp eq ptr %type, @PyArray_Type
  br i1 %flat_type, label %flat_dtype, label %no
flat_dtype:
  %fdescr_place = getelementptr i8, ptr %value, i64 56
  %fdescr = load ptr, ptr %fdescr_place
  %fnd_place = getelementptr i8, ptr %value, i64 24
  %fnd = load i32, ptr %fnd_place
  %gnd_place = getelementptr i8, ptr %first, i64 24
  %gnd = load i32, ptr %gnd_place
  %fflags_place = getelementptr i8, ptr %value, i64 64
  %fflags = load i32, ptr %fflags_place
  %fplain = and i32 %fflags, 257
  %f0 = icmp eq i32 %fplain, 257
  %f1 = icmp eq ptr %fdescr, %expected
  %f2 = icmp eq i32 %fnd, %gnd
  %f3 = icmp sgt i32 %fnd, 0
  %f4 = and i1 %f0, %f1
  %f5 = and i1 %f2, %f3
  %f6 = and i1 %f4, %f5
  br i1 %f6, label %flat_sizes, label %no
flat_sizes:
  %fdims_place = getelementptr i8, ptr %value, i64 32
  %fdims = load ptr, ptr %fdims_place
  %gdims_place = getelementptr i8, ptr %first, i64 32
  %gdims = load ptr, ptr %gdims_place
  %fnd64 = zext i32 %fnd to i64
  %same_sizes = call i1 @same_words(ptr %fdims, ptr %gdims, i64 %fnd64)
  ret i1 %same_sizes
array:
  %is_array = icmp eq ptr %type, @PyArray_Type
  br i1 %is_array, label %array_dtype, label %no
array_dtype:
  %pdescr = getelementptr i8, ptr %value, i64 56
  %descr = load ptr, ptr %pdescr
  %pnd = getelementptr i8, ptr %value, i64 24
  %nd = load i32, ptr %pnd
  %nd64 = sext i32 %nd to i64
  %p2 = getelementptr i64, ptr %row, i64 2
  %wanted_nd = load i64, ptr %p2
  %pflags = getelementptr i8, ptr %value, i64 64
  %flags = load i32, ptr %pflags
  %aligned = and i32 %flags, 256
  %is_aligned = icmp ne i32 %aligned, 0
  %same_dtype = icmp eq ptr %descr, %expected
  %same_nd = icmp eq i64 %nd64, %wanted_nd
  %c0 = and i1 %same_dtype, %same_nd
  %c1 = and i1 %c0, %is_aligned
  br i1 %c1, label %array_sizes, label %no
array_sizes:
  %pdims = getelementptr i8, ptr %value, i64 32
  %dims = load ptr, ptr %pdims
  %p3 = getelementptr i64, ptr %row, i64 3
  %wanted_dims = load ptr, ptr %p3
  %same_dims = call i1 @same_words(ptr %dims, ptr %wanted_dims, i64 %nd64)
  br i1 %same_dims, label %array_strides, label %no
array_strides:
  %pstrides = getelementptr i8, ptr %value, i64 40
  %strides = load ptr, ptr %pstrides
  %p4 = getelementptr i64, ptr %row, i64 4
  %wanted_strides = load ptr, ptr %p4
  %same_strides = call i1 @same_words(ptr %strides, ptr %wanted_strides, i64 %nd64)
  ret i1 %same_strides
int:
  %is_int = icmp eq ptr %type, @PyLong_Type
  br i1 %is_int, label %int_value, label %no
int_value:
  %integer = call i64 @PyLong_AsLongLong(ptr %value)
  store i64 %integer, ptr %number
  %maybe = icmp eq i64 %integer, -1
  br i1 %maybe, label %int_check, label %int_fits
int_check:
  %error = call ptr @PyErr_Occurred()
  %failed = icmp ne ptr %error, null
  br i1 %failed, label %int_error, label %int_fits
int_error:
  call void @PyErr_Clear()
  br label %no
int_fits:
  %any_value = icmp eq i64 %kind, 1
  %wanted_value = ptrtoint ptr %expected to i64
  %equal_value = icmp eq i64 %integer, %wanted_value
  %ok_value = or i1 %any_value, %equal_value
  ret i1 %ok_value
float:
  %is_float = icmp eq ptr %type, @PyFloat_Type
  br i1 %is_float, label %float_value, label %no
float_value:
  %pvalue = getelementptr i8, ptr %value, i64 16
  %bits = load i64, ptr %pvalue
  store i64 %bits, ptr %number
  ret i1 true
bool:
  %is_bool = icmp eq ptr %type, @PyBool_Type
  %is_true = icmp eq ptr %value, @Py_True
  %truth = zext i1 %is_true to i64
  store i64 %truth, ptr %number
  ret i1 %is_bool
same_object:
  %is_same = icmp eq ptr %value, %expected
  ret i1 %is_same
no:
  ret i1 false
}

define ptr @launcher(ptr %self, ptr %args, i64 %given) {
entry:
  %arrays = alloca [ARRAYS x ptr]
  %results = alloca [ARRAYS x ptr]
  %numbers = alloca [ARRAYS x i64]
  %slots = alloca [SLOTS x i64]
  %cell = call ptr @PyLong_AsVoidPtr(ptr %self)
  %first = load atomic ptr, ptr %cell acquire, align 8
  br label %record
record:
  %r = phi ptr [ %first, %entry ], [ %following, %miss ]
  %is_last = icmp eq ptr %r, null
  br i1 %is_last, label %slow, label %check
check:
  %w1 = getelementptr i64, ptr %r, i64 1
  %wanted = load i64, ptr %w1
  %same_count = icmp eq i64 %wanted, %given
  %w18 = getelementptr i64, ptr %r, i64 18
  %first_place = load i64, ptr %w18
  %w19 = getelementptr i64, ptr %r, i64 19
  %flat_word = load i64, ptr %w19
  %is_flat = icmp ne i64 %flat_word, 0
  %w10 = getelementptr i64, ptr %r, i64 10
  %rows = load ptr, ptr %w10
  br i1 %same_count, label %first_argument, label %miss
first_argument:
  %pfirst_argument = getelementptr ptr, ptr %args, i64 %first_place
  %first_array = load ptr, ptr %pfirst_argument
  br label %next_argument
next_argument:
  %i = phi i64 [ 0, %first_argument ], [ %i1, %argument ]
  %more = icmp slt i64 %i, %given
  br i1 %more, label %argument, label %hit
argument:
  %pargument = getelementptr ptr, ptr %args, i64 %i
  %value = load ptr, ptr %pargument
  %place = mul i64 %i, 5
  %row = getelementptr i64, ptr %rows, i64 %place
  %number = getelementptr i64, ptr %numbers, i64 %i
  %fits = call i1 @fits(ptr %value, ptr %row, ptr %number, ptr %first_array)
  %i1 = add i64 %i, 1
  br i1 %fits, label %next_argument, label %miss
miss:
  %following = load ptr, ptr %r
  br label %record
slow:
  %pslow = getelementptr ptr, ptr %cell, i64 1
  %callable = load ptr, ptr %pslow
  %answer = call ptr @PyObject_Vectorcall(ptr %callable, ptr %args, i64 %given, ptr null)
  ret ptr %answer
hit:
  br i1 %is_flat, label %measure, label %sized
measure:
  %mnd_place = getelementptr i8, ptr %first_array, i64 24
  %mnd = load i32, ptr %mnd_place
  %mnd64 = zext i32 %mnd to i64
  %mdims_place = getelementptr i8, ptr %first_array, i64 32
  %mdims = load ptr, ptr %mdims_place
  br label %next_size
next_size:
  %z = phi i64 [ 0, %measure ], [ %z1, %multiply ]
  %elements = phi i64 [ 1, %measure ], [ %product, %multiply ]
  %more_sizes = icmp slt i64 %z, %mnd64
  br i1 %more_sizes, label %multiply, label %sized
multiply:
  %psize = getelementptr i64, ptr %mdims, i64 %z
  %one_size = load i64, ptr %psize
  %product = mul i64 %elements, %one_size
  %z1 = add i64 %z, 1
  br label %next_size
sized:
  %own_nd = phi i64 [ 0, %hit ], [ %mnd64, %next_size ]
  %own_dims = phi ptr [ null, %hit ], [ %mdims, %next_size ]
  %own_range = phi i64 [ 0, %hit ], [ %elements, %next_size ]
  %w2 = getelementptr i64, ptr %r, i64 2
  %result_count = load i64, ptr %w2
  %w11 = getelementptr i64, ptr %r, i64 11
  %result_rows = load ptr, ptr %w11
  br label %next_result
next_result:
  %k = phi i64 [ 0, %sized ], [ %k1, %keep ]
  %more_results = icmp slt i64 %k, %result_count
  br i1 %more_results, label %make, label %made
make:
  %kplace = mul i64 %k, 4
  %rrow = getelementptr i64, ptr %result_rows, i64 %kplace
  %rdescr = load ptr, ptr %rrow
  %rp1 = getelementptr i64, ptr %rrow, i64 1
  %rnd_given = load i64, ptr %rp1
  %rnd = select i1 %is_flat, i64 %own_nd, i64 %rnd_given
  %rnd32 = trunc i64 %rnd to i32
  %rp2 = getelementptr i64, ptr %rrow, i64 2
  %rdims_given = load ptr, ptr %rp2
  %rdims = select i1 %is_flat, ptr %own_dims, ptr %rdims_given
  %rp3 = getelementptr i64, ptr %rrow, i64 3
  %rstrides = load ptr, ptr %rp3
  call void @Py_IncRef(ptr %rdescr)
  %array = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr %rdescr, i32 %rnd32, ptr %rdims, ptr %rstrides, ptr null, i32 0, ptr null)
  %is_null = icmp eq ptr %array, null
  br i1 %is_null, label %no_memory, label %keep
keep:
  %presult = getelementptr ptr, ptr %results, i64 %k
  store ptr %array, ptr %presult
  %pdata = getelementptr i8, ptr %array, i64 16
  %data = load ptr, ptr %pdata
  %parray = getelementptr ptr, ptr %arrays, i64 %k
  store ptr %data, ptr %parray
  %k1 = add i64 %k, 1
  br label %next_result
made:
  %w8 = getelementptr i64, ptr %r, i64 8
  %array_count = load i64, ptr %w8
  %w12 = getelementptr i64, ptr %r, i64 12
  %reads = load ptr, ptr %w12
  br label %next_read
next_read:
  %j = phi i64 [ %result_count, %made ], [ %j1, %read ]
  %more_reads = icmp slt i64 %j, %array_count
  br i1 %more_reads, label %read, label %gathered
read:
  %jplace = mul i64 %j, 2
  %pread = getelementptr i64, ptr %reads, i64 %jplace
  %origin = load i64, ptr %pread
  %poffset = getelementptr i64, ptr %pread, i64 1
  %offset = load i64, ptr %poffset
  %psource = getelementptr ptr, ptr %args, i64 %origin
  %source = load ptr, ptr %psource
  %psdata = getelementptr i8, ptr %source, i64 16
  %sdata = load ptr, ptr %psdata
  %moved = getelementptr i8, ptr %sdata, i64 %offset
  %pslot = getelementptr ptr, ptr %arrays, i64 %j
  store ptr %moved, ptr %pslot
  %j1 = add i64 %j, 1
  br label %next_read
gathered:
  %w13 = getelementptr i64, ptr %r, i64 13
  %slot_count = load i64, ptr %w13
  %w14 = getelementptr i64, ptr %r, i64 14
  %slot_rows = load ptr, ptr %w14
  br label %next_slot
next_slot:
  %s = phi i64 [ 0, %gathered ], [ %s1, %fill ]
  %more_slots = icmp slt i64 %s, %slot_count
  br i1 %more_slots, label %fill, label %ready
fill:
  %psorigin = getelementptr i64, ptr %slot_rows, i64 %s
  %sorigin = load i64, ptr %psorigin
  %psnumber = getelementptr i64, ptr %numbers, i64 %sorigin
  %snumber = load i64, ptr %psnumber
  %pstored = getelementptr i64, ptr %slots, i64 %s
  store i64 %snumber, ptr %pstored
  %s1 = add i64 %s, 1
  br label %next_slot
ready:
  %w3 = getelementptr i64, ptr %r, i64 3
  %kernel = load ptr, ptr %w3
  %w4 = getelementptr i64, ptr %r, i64 4
  %range_given = load i64, ptr %w4
  %range = select i1 %is_flat, i64 %own_range, i64 %range_given
  %w5 = getelementptr i64, ptr %r, i64 5
  %sizes = load ptr, ptr %w5
  %w6 = getelementptr i64, ptr %r, i64 6
  %strides = load ptr, ptr %w6
  %w7 = getelementptr i64, ptr %r, i64 7
  %scratch_bytes = load i64, ptr %w7
  %w9 = getelementptr i64, ptr %r, i64 9
  %long_from = load i64, ptr %w9
  %w15 = getelementptr i64, ptr %r, i64 15
  %parallel = load ptr, ptr %w15
  %w16 = getelementptr i64, ptr %r, i64 16
  %grain = load i64, ptr %w16
  %w17 = getelementptr i64, ptr %r, i64 17
  %own_scratch = load i64, ptr %w17
  %needs_scratch = icmp ne i64 %scratch_bytes, 0
  br i1 %needs_scratch, label %allocate, label %enter
allocate:
  %block = call ptr @PyMem_RawMalloc(i64 %scratch_bytes)
  %no_block = icmp eq ptr %block, null
  br i1 %no_block, label %no_scratch, label %enter
enter:
  %scratch = phi ptr [ null, %ready ], [ %block, %allocate ]
  %releases = icmp sge i64 %range, %long_from
  br i1 %releases, label %release, label %short
short:
  %status0 = call i32 %kernel(i64 0, i64 %range, ptr %arrays, ptr %sizes, ptr %strides, ptr %slots, ptr %scratch)
  br label %ran
release:
  %thread = call ptr @PyEval_SaveThread()
  %is_parallel = icmp ne ptr %parallel, null
  br i1 %is_parallel, label %many, label %one
one:
  %status1 = call i32 %kernel(i64 0, i64 %range, ptr %arrays, ptr %sizes, ptr %strides, ptr %slots, ptr %scratch)
  br label %retake
many:
  %status2 = call i32 %parallel(ptr %kernel, i64 %range, i64 %grain, ptr %arrays, ptr %sizes, ptr %strides, ptr %slots, ptr %scratch, i64 %own_scratch)
  br label %retake
retake:
  %status3 = phi i32 [ %status1, %one ], [ %status2, %many ]
  call void @PyEval_RestoreThread(ptr %thread)
  br label %ran
ran:
  %status = phi i32 [ %status0, %short ], [ %status3, %retake ]
  call void @PyMem_RawFree(ptr %scratch)
  %bad = icmp ne i32 %status, 0
  br i1 %bad, label %divided, label %finish
finish:
  %is_one = icmp eq i64 %result_count, 1
  br i1 %is_one, label %single, label %several
single:
  %only = load ptr, ptr %results
  ret ptr %only
several:
  %tuple = call ptr @PyTuple_New(i64 %result_count)
  %no_tuple = icmp eq ptr %tuple, null
  br i1 %no_tuple, label %release_results, label %next_item
next_item:
  %t = phi i64 [ 0, %several ], [ %t1, %item ]
  %more_items = icmp slt i64 %t, %result_count
  br i1 %more_items, label %item, label %filled
item:
  %pitem = getelementptr ptr, ptr %results, i64 %t
  %titem = load ptr, ptr %pitem
  %done = call i32 @PyTuple_SetItem(ptr %tuple, i64 %t, ptr %titem)
  %t1 = add i64 %t, 1
  br label %next_item
filled:
  ret ptr %tuple
no_scratch:
  %ignored = call ptr @PyErr_NoMemory()
  br label %release_results
divided:
  call void @PyErr_SetString(ptr %runtime_error, ptr @zero_division)
  br label %release_results
no_memory:
  br label %drop
release_results:
  br label %drop
drop:
  %left = phi i64 [ %k, %no_memory ], [ %result_count, %release_results ]
  br label %next_drop
next_drop:
  %d = phi i64 [ 0, %drop ], [ %d1, %dropping ]
  %more_drops = icmp slt i64 %d, %left
  br i1 %more_drops, label %dropping, label %failed
dropping:
  %pdropped = getelementptr ptr, ptr %results, i64 %d
  %dropped = load ptr, ptr %pdropped
  call void @Py_DecRef(ptr %dropped)
  %d1 = add i64 %d, 1
  br label %next_drop
failed:
  ret ptr null
}
""".replace("ARRAYS", str(MAX_ARRAYS)).replace("SLOTS", str(MAX_SLOTS)).replace(
    "  call void @PyErr_SetString",
    "  %runtime_error = load ptr, ptr @PyExc_RuntimeError\n  call void @PyErr_SetString",
)


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


@cache
def is_available() -> bool:
    """Whether this interpreter's objects lie in memory as the launcher takes for granted."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    probe = np.arange(6, dtype=np.float32).reshape(2, 3)
    words = (ctypes.c_int64 * 9).from_address(id(probe))
    number = 1.5
    bits = ctypes.c_double.from_address(id(number) + 16).value
    dims = list((ctypes.c_int64 * 2).from_address(words[4]))
    strides = list((ctypes.c_int64 * 2).from_address(words[5]))
    return (
        words[1] == id(np.ndarray)
        and words[2] == probe.ctypes.data
        and ctypes.c_int.from_address(id(probe) + 24).value == 2
        and (dims, strides) == ([2, 3], [12, 4])
        and words[7] == id(probe.dtype)
        and bool(ctypes.c_int.from_address(id(probe) + 64).value & 0x100)
        and bits == number
    )


@cache
def _library() -> Library:
    imports = {name: _address(getattr(ctypes.pythonapi, name)) for name in _PYTHON}
    imports |= {name: id(value) for name, value in _TYPES.items()}
    imports["PyExc_RuntimeError"] = ctypes.addressof(ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyExc_RuntimeError"))
    imports |= {"PyArray_Type": id(np.ndarray), "Py_True": id(True)}
    imports["PyArray_NewFromDescr"] = _array_functions()[_NEW_FROM_DESCR]
    return compile_module(_TEXT, ["launcher"], imports)


def _address(function: Any) -> int:
    found = ctypes.cast(function, ctypes.c_void_p).value
    assert found is not None
    return found


def _array_functions() -> Any:
    """NumPy's table of functions."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = np._core._multiarray_umath._ARRAY_API  # type: ignore[attr-defined]
    return (ctypes.c_int64 * 400).from_address(get(capsule, None))


class NativeCall:
    """A builtin function that runs known layouts natively.

    Attributes:
        function: the callable; takes positional arguments only.
    """

    def __init__(self, slow: Callable[..., Any], owner: object) -> None:
        self._cell = (ctypes.c_int64 * 2)(0, id(slow))
        self._kept: list[Any] = [slow]
        self.records = 0
        library = _library()
        self._definition = _MethodDef(b"fused", library.addresses["launcher"], _METH_FASTCALL, None)
        create = ctypes.pythonapi.PyCMethod_New
        create.restype = ctypes.py_object
        create.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.py_object, ctypes.c_void_p]
        # The function holds the owner, and so this object, its records and its code.
        self.function: Callable[..., Any] = create(
            ctypes.addressof(self._definition), ctypes.addressof(self._cell), owner, None
        )

    def add(self, launch: Launch, arguments: Sequence[Any], static: Sequence[bool]) -> bool:
        """Run calls with arguments of this layout natively from now on; returns whether that is possible."""
        if self.records >= MAX_RECORDS or len(launch.calls) != 1:
            return False
        (call,) = launch.calls
        fits = len(call.places) <= MAX_ARRAYS and len(call.slots) <= MAX_SLOTS
        if not fits or len(arguments) > MAX_ARRAYS or call.copied or not call.count:
            return False
        flat = _is_flat(call, launch, arguments)
        rows = [self._argument(a, s, flat) for a, s in zip(arguments, static, strict=True)]
        results = [self._result(array.make()) for array in launch.results]
        reads = [(place.index, place.offset) for place in call.places]
        threads = call.threads if not flat else thread_count()
        parallel = parallel_address() if threads > 1 else 0
        chunk = flat_chunk(call.kernel) if flat else call.chunk
        first = next(n for n, a in enumerate(arguments) if isinstance(a, np.ndarray))
        record = self._words([
            self._cell[0], len(arguments), len(results), _address(call.kernel.function), call.count,
            ctypes.addressof(call.sizes), ctypes.addressof(call.strides), call.scratch * threads, len(call.places),
            max(LONG_WORK // call.grain, 1), self._table(rows), self._table(results), self._table(reads),
            len(call.slots), self._table([call.slots]), parallel, chunk, call.scratch, first, int(flat),
        ])  # fmt: skip
        self._kept.append(launch)
        self._cell[0] = record
        self.records += 1
        return True

    def _words(self, numbers: Sequence[int]) -> int:
        made = (ctypes.c_int64 * max(len(numbers), 1))(*numbers)
        self._kept.append(made)
        return ctypes.addressof(made)

    def _table(self, rows: Sequence[Sequence[int]]) -> int:
        return self._words([number for row in rows for number in row])

    def _argument(self, value: Any, is_static: bool, flat: bool) -> tuple[int, ...]:
        if isinstance(value, np.ndarray):
            self._kept.append(value.dtype)
            if flat:
                return _FLAT, id(value.dtype), 0, 0, 0
            dims, strides = self._words(value.shape), self._words(value.strides)
            return _ARRAY, id(value.dtype), value.ndim, dims, strides
        if type(value) is int:
            return (_SAME_INT, value, 0, 0, 0) if is_static else (_INT, 0, 0, 0, 0)
        if is_static or value is None:
            self._kept.append(value)
            return _SAME_OBJECT, id(value), 0, 0, 0
        return (_BOOL if type(value) is bool else _FLOAT), 0, 0, 0, 0

    def _result(self, array: Any) -> tuple[int, ...]:
        self._kept.append(array.dtype)
        is_plain = array.flags.c_contiguous
        strides = 0 if is_plain else self._words(array.strides)
        return id(array.dtype), array.ndim, self._words(array.shape), strides


def _is_flat(call: Call, launch: Launch, arguments: Sequence[Any]) -> bool:
    """Whether a launch serves arrays of all sizes: everything of one shape, and in order."""
    given = [a for a in arguments if isinstance(a, np.ndarray)]
    shape = given[0].shape
    kernel = call.kernel
    return (
        kernel.layout.rank == 1
        and not kernel.plan.has_rows
        and all(access is Access.CONTIGUOUS for access in kernel.layout.accesses)
        and all(a.shape == shape and a.ndim and a.flags.c_contiguous for a in given)
        and all(array.shape == shape and array.axes is None for array in launch.results)
        and all(place.offset == 0 for place in call.places)
    )
