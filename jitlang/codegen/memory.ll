; A cache of large blocks of memory; `memory.py` says what it does.
;
; A block begins with a header of 64 bytes, whose first word is the size of what follows. `@cache`
; holds the most bytes to keep, the bytes kept, the number of blocks kept, and for each, oldest
; first, its address and size.

declare i32 @posix_memalign(ptr, i64, i64)
declare i32 @madvise(ptr, i64, i32)
declare void @free(ptr)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)
@cache = external global i8

define internal ptr @word(i64 %number) alwaysinline {
  %place = getelementptr i64, ptr @cache, i64 %number
  ret ptr %place
}

define internal ptr @entry(i64 %number) alwaysinline {
  %twice = shl i64 %number, 1
  %index = add i64 %twice, 3
  %place = call ptr @word(i64 %index)
  ret ptr %place
}

; Takes a block out of the cache.
define internal ptr @remove(i64 %number) {
  %place = call ptr @entry(i64 %number)
  %block = load ptr, ptr %place
  %psize = getelementptr i64, ptr %place, i64 1
  %size = load i64, ptr %psize
  %pkept = call ptr @word(i64 1)
  %kept = load i64, ptr %pkept
  %left = sub i64 %kept, %size
  store i64 %left, ptr %pkept
  %pcount = call ptr @word(i64 2)
  %count = load i64, ptr %pcount
  %fewer = sub i64 %count, 1
  store i64 %fewer, ptr %pcount
  %next = getelementptr i64, ptr %place, i64 2
  %behind = sub i64 %fewer, %number
  %bytes = shl i64 %behind, 4
  call void @llvm.memmove.p0.p0.i64(ptr %place, ptr %next, i64 %bytes, i1 false)
  ret ptr %block
}

; Gives the oldest blocks back until at most so many bytes are kept.
define void @trim(i64 %bytes) {
entry:
  br label %test
test:
  %pkept = call ptr @word(i64 1)
  %kept = load i64, ptr %pkept
  %is_over = icmp sgt i64 %kept, %bytes
  br i1 %is_over, label %drop, label %done
drop:
  %block = call ptr @remove(i64 0)
  call void @free(ptr %block)
  br label %test
done:
  ret void
}

; The newest block that is large enough and wastes less than a quarter of the bytes asked for.
define internal ptr @find(i64 %bytes) {
entry:
  %quarter = lshr i64 %bytes, 2
  %most = add i64 %bytes, %quarter
  %pcount = call ptr @word(i64 2)
  %count = load i64, ptr %pcount
  br label %test
test:
  %left = phi i64 [ %count, %entry ], [ %number, %look ]
  %number = sub i64 %left, 1
  %any = icmp sgt i64 %left, 0
  br i1 %any, label %look, label %none
look:
  %place = call ptr @entry(i64 %number)
  %psize = getelementptr i64, ptr %place, i64 1
  %size = load i64, ptr %psize
  %is_enough = icmp uge i64 %size, %bytes
  %is_near = icmp ule i64 %size, %most
  %fits = and i1 %is_enough, %is_near
  br i1 %fits, label %take, label %test
take:
  %block = call ptr @remove(i64 %number)
  ret ptr %block
none:
  ret ptr null
}

define internal ptr @fresh(i64 %bytes) {
entry:
  %place = alloca ptr
  %more = add i64 %bytes, 65599
  %is_small_enough = icmp ugt i64 %more, %bytes
  br i1 %is_small_enough, label %ask, label %failed
ask:
  %whole = and i64 %more, -65536
  %status = call i32 @posix_memalign(ptr %place, i64 64, i64 %whole)
  %is_given = icmp eq i32 %status, 0
  br i1 %is_given, label %advise, label %failed
advise:
  %block = load ptr, ptr %place
  %size = sub i64 %whole, 64
  store i64 %size, ptr %block
  %is_huge = icmp uge i64 %whole, 4194304
  br i1 %is_huge, label %huge, label %done
huge:
  ; From the first whole page on.
  %address = ptrtoint ptr %block to i64
  %over = add i64 %address, 4095
  %page_address = and i64 %over, -4096
  %page = inttoptr i64 %page_address to ptr
  %gap = sub i64 %page_address, %address
  %rest = sub i64 %whole, %gap
  %ignored = call i32 @madvise(ptr %page, i64 %rest, i32 14)
  br label %done
done:
  ret ptr %block
failed:
  ret ptr null
}

define ptr @jitlang_allocate(i64 %bytes) {
entry:
  %known = call ptr @find(i64 %bytes)
  %is_known = icmp ne ptr %known, null
  br i1 %is_known, label %done, label %new
new:
  %first = call ptr @fresh(i64 %bytes)
  %is_first = icmp ne ptr %first, null
  br i1 %is_first, label %done, label %again
again:
  call void @trim(i64 0)
  %second = call ptr @fresh(i64 %bytes)
  %is_second = icmp ne ptr %second, null
  br i1 %is_second, label %done, label %failed
done:
  %block = phi ptr [ %known, %entry ], [ %first, %new ], [ %second, %again ]
  %data = getelementptr i8, ptr %block, i64 64
  ret ptr %data
failed:
  ret ptr null
}

define void @jitlang_release(ptr %data) {
entry:
  %is_null = icmp eq ptr %data, null
  br i1 %is_null, label %done, label %look
look:
  %block = getelementptr i8, ptr %data, i64 -64
  %size = load i64, ptr %block
  %plimit = call ptr @word(i64 0)
  %limit = load i64, ptr %plimit
  %is_too_large = icmp sgt i64 %size, %limit
  br i1 %is_too_large, label %give_back, label %make_room
give_back:
  call void @free(ptr %block)
  br label %done
make_room:
  %room = sub i64 %limit, %size
  call void @trim(i64 %room)
  %pcount = call ptr @word(i64 2)
  %count = load i64, ptr %pcount
  %is_full = icmp sge i64 %count, 32
  br i1 %is_full, label %drop, label %keep
drop:
  %oldest = call ptr @remove(i64 0)
  call void @free(ptr %oldest)
  br label %keep
keep:
  %number = load i64, ptr %pcount
  %place = call ptr @entry(i64 %number)
  store ptr %block, ptr %place
  %psize = getelementptr i64, ptr %place, i64 1
  store i64 %size, ptr %psize
  %more = add i64 %number, 1
  store i64 %more, ptr %pcount
  %pkept = call ptr @word(i64 1)
  %kept = load i64, ptr %pkept
  %sum = add i64 %kept, %size
  store i64 %sum, ptr %pkept
  br label %done
done:
  ret void
}

; What NumPy asks of a memory handler --------------------------------------------------------------

define ptr @handler_malloc(ptr %context, i64 %bytes) {
  %data = call ptr @jitlang_allocate(i64 %bytes)
  ret ptr %data
}

define ptr @handler_calloc(ptr %context, i64 %count, i64 %size) {
entry:
  %product = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %count, i64 %size)
  %is_over = extractvalue { i64, i1 } %product, 1
  br i1 %is_over, label %failed, label %ask
ask:
  %bytes = extractvalue { i64, i1 } %product, 0
  %data = call ptr @jitlang_allocate(i64 %bytes)
  %is_null = icmp eq ptr %data, null
  br i1 %is_null, label %failed, label %clear
clear:
  call void @llvm.memset.p0.i64(ptr %data, i8 0, i64 %bytes, i1 false)
  ret ptr %data
failed:
  ret ptr null
}
declare { i64, i1 } @llvm.umul.with.overflow.i64(i64, i64)

define ptr @handler_realloc(ptr %context, ptr %data, i64 %bytes) {
entry:
  %moved = call ptr @jitlang_allocate(i64 %bytes)
  %is_null = icmp eq ptr %moved, null
  %is_first = icmp eq ptr %data, null
  %is_alone = or i1 %is_null, %is_first
  br i1 %is_alone, label %done, label %copy
copy:
  %psize = getelementptr i8, ptr %data, i64 -64
  %size = load i64, ptr %psize
  %common = call i64 @llvm.umin.i64(i64 %size, i64 %bytes)
  call void @llvm.memcpy.p0.p0.i64(ptr %moved, ptr %data, i64 %common, i1 false)
  call void @jitlang_release(ptr %data)
  br label %done
done:
  ret ptr %moved
}

define void @handler_free(ptr %context, ptr %data, i64 %bytes) {
  call void @jitlang_release(ptr %data)
  ret void
}
