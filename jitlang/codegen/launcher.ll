; The native call of fused kernels; `launcher.py` says what it does and what its tables hold.

declare ptr @PyLong_AsVoidPtr(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_Clear()
declare ptr @PyErr_NoMemory()
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyMem_RawMalloc(i64)
declare void @PyMem_RawFree(ptr)
declare ptr @jitlang_new_array(ptr, i64, ptr, ptr)
@PyArray_Type = external global i8
@PyLong_Type = external global i8
@PyFloat_Type = external global i8
@PyBool_Type = external global i8
@Py_True = external global i8

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
  %arrays = alloca [64 x ptr]
  %results = alloca [64 x ptr]
  %numbers = alloca [64 x i64]
  %slots = alloca [32 x i64]
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
  %rp2 = getelementptr i64, ptr %rrow, i64 2
  %rdims_given = load ptr, ptr %rp2
  %rdims = select i1 %is_flat, ptr %own_dims, ptr %rdims_given
  %rp3 = getelementptr i64, ptr %rrow, i64 3
  %rstrides = load ptr, ptr %rp3
  %array = call ptr @jitlang_new_array(ptr %rdescr, i64 %rnd, ptr %rdims, ptr %rstrides)
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
  br i1 %bad, label %release_results, label %finish
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
no_memory:
  br label %drop
; What the kernel refused goes the slow way, which raises it.
release_results:
  %refused = phi i1 [ true, %ran ], [ false, %several ], [ false, %no_scratch ]
  br label %drop
drop:
  %again = phi i1 [ false, %no_memory ], [ %refused, %release_results ]
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
  br i1 %again, label %slow, label %raised
raised:
  ret ptr null
}
