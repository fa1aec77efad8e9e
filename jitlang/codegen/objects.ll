; Arrays and tensors for generated code; `objects.py` says what each function does.

declare ptr @PyType_GenericAlloc(ptr, i64)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare i32 @PyArray_SetBaseObject(ptr, ptr)
declare ptr @PyDataMem_SetHandler(ptr)
@PyArray_Type = external global i8
@Tensor_Type = external global i8
@Py_None = external global i8
@Py_False = external global i8
@zero = external global i8
@handler = external global i8
; `@slots`, which `objects.py` adds: where _array, _base, _version, grad, grad_fn, requires_grad and
; the weak references of a Tensor lie, in bytes.

define internal i1 @is_exactly(ptr %object, ptr %type) alwaysinline {
  %ptype = getelementptr i8, ptr %object, i64 8
  %actual = load ptr, ptr %ptype
  %same = icmp eq ptr %actual, %type
  ret i1 %same
}

define internal ptr @slot(ptr %tensor, i64 %number) alwaysinline {
  %poffset = getelementptr i64, ptr @slots, i64 %number
  %offset = load i64, ptr %poffset
  %place = getelementptr i8, ptr %tensor, i64 %offset
  ret ptr %place
}

; Reading -----------------------------------------------------------------------------------------

define ptr @jitlang_raw_array(ptr %object) {
  %is_array = call i1 @is_exactly(ptr %object, ptr @PyArray_Type)
  %found = select i1 %is_array, ptr %object, ptr null
  ret ptr %found
}

define internal ptr @held_array(ptr %object) alwaysinline {
entry:
  %is_tensor = call i1 @is_exactly(ptr %object, ptr @Tensor_Type)
  br i1 %is_tensor, label %look, label %other
look:
  %place = call ptr @slot(ptr %object, i64 0)
  %held = load ptr, ptr %place
  %is_unset = icmp eq ptr %held, null
  br i1 %is_unset, label %other, label %check
check:
  %found = call ptr @jitlang_raw_array(ptr %held)
  ret ptr %found
other:
  ret ptr null
}

define ptr @jitlang_array_of(ptr %object) {
entry:
  %is_array = call i1 @is_exactly(ptr %object, ptr @PyArray_Type)
  br i1 %is_array, label %raw, label %other
raw:
  ret ptr %object
other:
  %found = call ptr @held_array(ptr %object)
  ret ptr %found
}

define i32 @jitlang_is_recorded(ptr %tensor) {
  %place = call ptr @slot(ptr %tensor, i64 5)
  %flag = load ptr, ptr %place
  %is_recorded = icmp ne ptr %flag, @Py_False
  %found = zext i1 %is_recorded to i32
  ret i32 %found
}

define ptr @jitlang_tensor_array(ptr %object) {
  %held = call ptr @held_array(ptr %object)
  %is_none = icmp eq ptr %held, null
  br i1 %is_none, label %other, label %tensor
tensor:
  %is_recorded = call i32 @jitlang_is_recorded(ptr %object)
  %is_plain = icmp eq i32 %is_recorded, 0
  %found = select i1 %is_plain, ptr %held, ptr null
  ret ptr %found
other:
  ret ptr null
}

define ptr @jitlang_recorded_array(ptr %object) {
  %held = call ptr @held_array(ptr %object)
  %is_none = icmp eq ptr %held, null
  br i1 %is_none, label %other, label %tensor
tensor:
  %is_recorded = call i32 @jitlang_is_recorded(ptr %object)
  %is_plain = icmp eq i32 %is_recorded, 0
  %found = select i1 %is_plain, ptr null, ptr %held
  ret ptr %found
other:
  ret ptr null
}

declare void @llvm.prefetch.p0(ptr, i32, i32, i32)

; What is going to be read arrives while guards are tested and results allocated.
define ptr @jitlang_data(ptr %array) {
  %pdata = getelementptr i8, ptr %array, i64 16
  %data = load ptr, ptr %pdata
  call void @llvm.prefetch.p0(ptr %data, i32 0, i32 3, i32 1)
  ret ptr %data
}

define i32 @jitlang_is_writable(ptr %array) {
  %pflags = getelementptr i8, ptr %array, i64 64
  %flags = load i32, ptr %pflags
  %bit = and i32 %flags, 1024
  ret i32 %bit
}

define i32 @jitlang_array_is(ptr %array, ptr %descr, i64 %nd, ptr %dims, ptr %strides) {
entry:
  %pdescr = getelementptr i8, ptr %array, i64 56
  %own_descr = load ptr, ptr %pdescr
  %pnd = getelementptr i8, ptr %array, i64 24
  %own_nd = load i32, ptr %pnd
  %own_nd64 = sext i32 %own_nd to i64
  %pdims = getelementptr i8, ptr %array, i64 32
  %own_dims = load ptr, ptr %pdims
  %pstrides = getelementptr i8, ptr %array, i64 40
  %own_strides = load ptr, ptr %pstrides
  %pflags = getelementptr i8, ptr %array, i64 64
  %flags = load i32, ptr %pflags
  %aligned_bit = and i32 %flags, 256
  %is_aligned = icmp ne i32 %aligned_bit, 0
  %same_dtype = icmp eq ptr %own_descr, %descr
  %same_rank = icmp eq i64 %own_nd64, %nd
  %may_fit = and i1 %same_dtype, %same_rank
  br i1 %may_fit, label %next, label %no
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %same_size ]
  %fits = phi i1 [ %is_aligned, %entry ], [ %fits1, %same_size ]
  %is_empty = phi i1 [ false, %entry ], [ %is_empty1, %same_size ]
  %more = icmp slt i64 %i, %nd
  br i1 %more, label %dimension, label %compared
dimension:
  %pown_dim = getelementptr i64, ptr %own_dims, i64 %i
  %own_dim = load i64, ptr %pown_dim
  %pdim = getelementptr i64, ptr %dims, i64 %i
  %dim = load i64, ptr %pdim
  %is_same_size = icmp eq i64 %own_dim, %dim
  br i1 %is_same_size, label %same_size, label %no
same_size:
  %pown_stride = getelementptr i64, ptr %own_strides, i64 %i
  %own_stride = load i64, ptr %pown_stride
  %pstride = getelementptr i64, ptr %strides, i64 %i
  %stride = load i64, ptr %pstride
  %is_same_stride = icmp eq i64 %own_stride, %stride
  %is_step_free = icmp sle i64 %dim, 1
  %stride_fits = or i1 %is_same_stride, %is_step_free
  %fits1 = and i1 %fits, %stride_fits
  %is_zero = icmp eq i64 %dim, 0
  %is_empty1 = or i1 %is_empty, %is_zero
  %i1 = add i64 %i, 1
  br label %next
compared:
  %answer = or i1 %fits, %is_empty
  %word = zext i1 %answer to i32
  ret i32 %word
no:
  ret i32 0
}

define ptr @jitlang_sizes(ptr %array, ptr %descr, i64 %nd) {
  %pdescr = getelementptr i8, ptr %array, i64 56
  %own_descr = load ptr, ptr %pdescr
  %pnd = getelementptr i8, ptr %array, i64 24
  %own_nd = load i32, ptr %pnd
  %own_nd64 = sext i32 %own_nd to i64
  %pdims = getelementptr i8, ptr %array, i64 32
  %dims = load ptr, ptr %pdims
  %same_dtype = icmp eq ptr %own_descr, %descr
  %same_rank = icmp eq i64 %own_nd64, %nd
  %fits = and i1 %same_dtype, %same_rank
  %found = select i1 %fits, ptr %dims, ptr null
  ret ptr %found
}

define i64 @jitlang_flat_size(ptr %array, ptr %descr, ptr %like) {
entry:
  %pdescr = getelementptr i8, ptr %array, i64 56
  %own_descr = load ptr, ptr %pdescr
  %same_dtype = icmp eq ptr %own_descr, %descr
  %pflags = getelementptr i8, ptr %array, i64 64
  %flags = load i32, ptr %pflags
  ; in row-major order, and aligned
  %wanted = and i32 %flags, 257
  %in_order = icmp eq i32 %wanted, 257
  %pnd = getelementptr i8, ptr %array, i64 24
  %nd = load i32, ptr %pnd
  %plike_nd = getelementptr i8, ptr %like, i64 24
  %like_nd = load i32, ptr %plike_nd
  %same_rank = icmp eq i32 %nd, %like_nd
  %has_dims = icmp sgt i32 %nd, 0
  %a = and i1 %same_dtype, %in_order
  %b = and i1 %same_rank, %has_dims
  %fits = and i1 %a, %b
  br i1 %fits, label %measure, label %no
measure:
  %pdims = getelementptr i8, ptr %array, i64 32
  %dims = load ptr, ptr %pdims
  %plike_dims = getelementptr i8, ptr %like, i64 32
  %like_dims = load ptr, ptr %plike_dims
  br label %next
next:
  %i = phi i32 [ 0, %measure ], [ %i1, %same ]
  %size = phi i64 [ 1, %measure ], [ %product, %same ]
  %more = icmp slt i32 %i, %nd
  br i1 %more, label %dimension, label %done
dimension:
  %pdim = getelementptr i64, ptr %dims, i32 %i
  %dim = load i64, ptr %pdim
  %plike_dim = getelementptr i64, ptr %like_dims, i32 %i
  %like_dim = load i64, ptr %plike_dim
  %is_same = icmp eq i64 %dim, %like_dim
  br i1 %is_same, label %same, label %no
same:
  %product = mul i64 %size, %dim
  %i1 = add i32 %i, 1
  br label %next
done:
  ret i64 %size
no:
  ret i64 -1
}

; Making ------------------------------------------------------------------------------------------

define internal ptr @allocate_array(ptr %descr, i64 %nd, ptr %dims, ptr %strides) alwaysinline {
  call void @Py_IncRef(ptr %descr)
  %nd32 = trunc i64 %nd to i32
  %made = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr %descr, i32 %nd32, ptr %dims, ptr %strides, ptr null, i32 0, ptr null)
  ret ptr %made
}

define ptr @jitlang_new_array(ptr %descr, i64 %nd, ptr %dims, ptr %strides) {
entry:
  %psize = getelementptr i8, ptr %descr, i64 40
  %size = load i64, ptr %psize
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %multiply ]
  %bytes = phi i64 [ %size, %entry ], [ %product, %multiply ]
  %more = icmp slt i64 %i, %nd
  br i1 %more, label %multiply, label %measured
multiply:
  %pdim = getelementptr i64, ptr %dims, i64 %i
  %dim = load i64, ptr %pdim
  ; NumPy looks for an overflow again; here the wrong allocator would be all that it leads to.
  %product = mul i64 %bytes, %dim
  %i1 = add i64 %i, 1
  br label %next
measured:
  %is_large = icmp uge i64 %bytes, LARGE
  br i1 %is_large, label %large, label %small
small:
  %small_array = call ptr @allocate_array(ptr %descr, i64 %nd, ptr %dims, ptr %strides)
  ret ptr %small_array
large:
  %previous = call ptr @PyDataMem_SetHandler(ptr @handler)
  %is_refused = icmp eq ptr %previous, null
  br i1 %is_refused, label %failed, label %with_handler
with_handler:
  %large_array = call ptr @allocate_array(ptr %descr, i64 %nd, ptr %dims, ptr %strides)
  %own = call ptr @PyDataMem_SetHandler(ptr %previous)
  call void @Py_DecRef(ptr %previous)
  %is_restored = icmp ne ptr %own, null
  br i1 %is_restored, label %restored, label %stuck
restored:
  call void @Py_DecRef(ptr %own)
  ret ptr %large_array
stuck:
  %is_made = icmp ne ptr %large_array, null
  br i1 %is_made, label %drop, label %failed
drop:
  call void @Py_DecRef(ptr %large_array)
  br label %failed
failed:
  ret ptr null
}

define ptr @jitlang_new_like(ptr %descr, ptr %array) {
  %pnd = getelementptr i8, ptr %array, i64 24
  %nd = load i32, ptr %pnd
  %nd64 = sext i32 %nd to i64
  %pdims = getelementptr i8, ptr %array, i64 32
  %dims = load ptr, ptr %pdims
  %made = call ptr @jitlang_new_array(ptr %descr, i64 %nd64, ptr %dims, ptr null)
  ret ptr %made
}

define ptr @jitlang_wrap(ptr %data, ptr %descr, i64 %nd, ptr %dims, ptr %strides) {
  call void @Py_IncRef(ptr %descr)
  %nd32 = trunc i64 %nd to i32
  ; aligned and writable
  %made = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr %descr, i32 %nd32, ptr %dims, ptr %strides, ptr %data, i32 1280, ptr null)
  ret ptr %made
}

define ptr @jitlang_new_view(ptr %base, i64 %offset, ptr %descr, i64 %nd, ptr %dims, ptr %strides) {
entry:
  %start = call ptr @jitlang_data(ptr %base)
  %data = getelementptr i8, ptr %start, i64 %offset
  %pflags = getelementptr i8, ptr %base, i64 64
  %base_flags = load i32, ptr %pflags
  %flags = and i32 %base_flags, 1024
  call void @Py_IncRef(ptr %descr)
  %nd32 = trunc i64 %nd to i32
  %made = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr %descr, i32 %nd32, ptr %dims, ptr %strides, ptr %data, i32 %flags, ptr null)
  %is_null = icmp eq ptr %made, null
  br i1 %is_null, label %failed, label %attach
attach:
  call void @Py_IncRef(ptr %base)
  %status = call i32 @PyArray_SetBaseObject(ptr %made, ptr %base)
  %is_attached = icmp eq i32 %status, 0
  br i1 %is_attached, label %done, label %drop
done:
  ret ptr %made
drop:
  call void @Py_DecRef(ptr %made)
  br label %failed
failed:
  ret ptr null
}

define internal void @fill(ptr %tensor, i64 %number, ptr %value) alwaysinline {
  call void @Py_IncRef(ptr %value)
  %place = call ptr @slot(ptr %tensor, i64 %number)
  store ptr %value, ptr %place
  ret void
}

define ptr @jitlang_new_tensor(ptr %array, ptr %base_or_null) {
entry:
  %is_missing = icmp eq ptr %array, null
  br i1 %is_missing, label %failed, label %allocate
allocate:
  %made = call ptr @PyType_GenericAlloc(ptr @Tensor_Type, i64 0)
  %is_null = icmp eq ptr %made, null
  br i1 %is_null, label %drop, label %fill
fill:
  %place = call ptr @slot(ptr %made, i64 0)
  store ptr %array, ptr %place
  %has_base = icmp ne ptr %base_or_null, null
  %base = select i1 %has_base, ptr %base_or_null, ptr @Py_None
  call void @fill(ptr %made, i64 1, ptr %base)
  call void @fill(ptr %made, i64 2, ptr @zero)
  call void @fill(ptr %made, i64 3, ptr @Py_None)
  call void @fill(ptr %made, i64 4, ptr @Py_None)
  call void @fill(ptr %made, i64 5, ptr @Py_False)
  ret ptr %made
drop:
  call void @Py_DecRef(ptr %array)
  br label %failed
failed:
  ret ptr null
}

define internal i1 @holds(ptr %tensor, i64 %number, ptr %value) alwaysinline {
  %place = call ptr @slot(ptr %tensor, i64 %number)
  %held = load ptr, ptr %place
  %same = icmp eq ptr %held, %value
  ret i1 %same
}

define internal i1 @has_one_owner(ptr %object) alwaysinline {
  %count = load i32, ptr %object
  %is_one = icmp eq i32 %count, 1
  ret i1 %is_one
}

; Whether a Tensor is as it was made, and nobody else has it or its memory.
define internal i1 @is_free(ptr %tensor, ptr %data, ptr %descr, i64 %nd, ptr %dims, ptr %strides) {
entry:
  %is_own = call i1 @has_one_owner(ptr %tensor)
  br i1 %is_own, label %tensor_owned, label %no
tensor_owned:
  %has_base = call i1 @holds(ptr %tensor, i64 1, ptr @Py_None)
  %has_version = call i1 @holds(ptr %tensor, i64 2, ptr @zero)
  %has_grad = call i1 @holds(ptr %tensor, i64 3, ptr @Py_None)
  %has_grad_fn = call i1 @holds(ptr %tensor, i64 4, ptr @Py_None)
  %has_flag = call i1 @holds(ptr %tensor, i64 5, ptr @Py_False)
  %has_no_weak = call i1 @holds(ptr %tensor, i64 6, ptr null)
  %a = and i1 %has_base, %has_version
  %b = and i1 %has_grad, %has_grad_fn
  %c = and i1 %has_flag, %has_no_weak
  %d = and i1 %a, %b
  %is_plain = and i1 %c, %d
  br i1 %is_plain, label %look, label %no
look:
  %array = call ptr @held_array(ptr %tensor)
  %is_other = icmp eq ptr %array, null
  br i1 %is_other, label %no, label %array_held
array_held:
  %is_only = call i1 @has_one_owner(ptr %array)
  %pdata = getelementptr i8, ptr %array, i64 16
  %own_data = load ptr, ptr %pdata
  %same_data = icmp eq ptr %own_data, %data
  %pbase = getelementptr i8, ptr %array, i64 48
  %base = load ptr, ptr %pbase
  %owns = icmp eq ptr %base, null
  %pweak = getelementptr i8, ptr %array, i64 72
  %weak = load ptr, ptr %pweak
  %no_weak = icmp eq ptr %weak, null
  %writable = call i32 @jitlang_is_writable(ptr %array)
  %is_writable = icmp ne i32 %writable, 0
  %e = and i1 %is_only, %same_data
  %f = and i1 %owns, %no_weak
  %g = and i1 %e, %f
  %is_unshared = and i1 %g, %is_writable
  br i1 %is_unshared, label %compare, label %no
compare:
  %same_layout = call i32 @jitlang_array_is(ptr %array, ptr %descr, i64 %nd, ptr %dims, ptr %strides)
  %is_same = icmp ne i32 %same_layout, 0
  ret i1 %is_same
no:
  ret i1 false
}

define ptr @jitlang_result(ptr %shelf, ptr %descr, i64 %nd, ptr %dims, ptr %strides) {
entry:
  %turn = load i64, ptr %shelf
  %other_turn = xor i64 %turn, 1
  store i64 %other_turn, ptr %shelf
  %twice = shl i64 %turn, 1
  %number = add i64 %twice, 1
  %pobject = getelementptr i64, ptr %shelf, i64 %number
  %pdata = getelementptr i64, ptr %pobject, i64 1
  %object = load ptr, ptr %pobject
  %data = load ptr, ptr %pdata
  %is_empty = icmp eq ptr %object, null
  br i1 %is_empty, label %make, label %look
look:
  %again = call i1 @is_free(ptr %object, ptr %data, ptr %descr, i64 %nd, ptr %dims, ptr %strides)
  br i1 %again, label %take, label %make
take:
  call void @Py_IncRef(ptr %object)
  ret ptr %object
make:
  %array = call ptr @jitlang_new_array(ptr %descr, i64 %nd, ptr %dims, ptr null)
  %made = call ptr @jitlang_new_tensor(ptr %array, ptr null)
  %is_null = icmp eq ptr %made, null
  br i1 %is_null, label %failed, label %put
put:
  %new_data = call ptr @jitlang_data(ptr %array)
  call void @Py_IncRef(ptr %made)
  store ptr %made, ptr %pobject
  store ptr %new_data, ptr %pdata
  br i1 %is_empty, label %done, label %drop
drop:
  call void @Py_DecRef(ptr %object)
  br label %done
done:
  ret ptr %made
failed:
  ret ptr null
}

; Writes -------------------------------------------------------------------------------------------

define internal void @add_to_version(ptr %tensor, i64 %more) {
  %place = call ptr @slot(ptr %tensor, i64 2)
  %old = load ptr, ptr %place
  %before = call i64 @PyLong_AsLongLong(ptr %old)
  %after = add i64 %before, %more
  %new = call ptr @PyLong_FromLongLong(i64 %after)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %done, label %store
store:
  store ptr %new, ptr %place
  call void @Py_DecRef(ptr %old)
  ret void
done:
  ret void
}

define void @jitlang_count_writes(ptr %tensor, i64 %directly, i64 %through_views) {
  %total = add i64 %directly, %through_views
  %is_none = icmp eq i64 %total, 0
  br i1 %is_none, label %done, label %count
count:
  %pbase = call ptr @slot(ptr %tensor, i64 1)
  %base = load ptr, ptr %pbase
  %is_own = icmp eq ptr %base, @Py_None
  br i1 %is_own, label %own, label %view
own:
  call void @add_to_version(ptr %tensor, i64 %total)
  ret void
view:
  call void @add_to_version(ptr %tensor, i64 %directly)
  call void @add_to_version(ptr %base, i64 %total)
  ret void
done:
  ret void
}
