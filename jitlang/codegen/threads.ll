; The thread pool of kernels; `threads.py` says what it does and what its table holds.

declare i32 @sem_wait(ptr)
declare i32 @sem_post(ptr)
declare i32 @gettid()
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)
@pool = external global i8
@places = external global i8

define internal void @work(i64 %ticket) {
entry:
  %pkernel = getelementptr i64, ptr @pool, i64 6
  %kernel = load ptr, ptr %pkernel
  %prange = getelementptr i64, ptr @pool, i64 7
  %range = load i64, ptr %prange
  %pchunk = getelementptr i64, ptr @pool, i64 8
  %chunk = load i64, ptr %pchunk
  %parrays = getelementptr i64, ptr @pool, i64 9
  %arrays = load ptr, ptr %parrays
  %psizes = getelementptr i64, ptr @pool, i64 10
  %sizes = load ptr, ptr %psizes
  %pstrides = getelementptr i64, ptr @pool, i64 11
  %strides = load ptr, ptr %pstrides
  %pscalars = getelementptr i64, ptr @pool, i64 12
  %scalars = load ptr, ptr %pscalars
  %pscratch = getelementptr i64, ptr @pool, i64 13
  %scratch = load ptr, ptr %pscratch
  %pbytes = getelementptr i64, ptr @pool, i64 14
  %bytes = load i64, ptr %pbytes
  %shift = mul i64 %ticket, %bytes
  %own = getelementptr i8, ptr %scratch, i64 %shift
  %pnext = getelementptr i64, ptr @pool, i64 2
  %pstatus = getelementptr i64, ptr @pool, i64 4
  br label %take
take:
  %begin = atomicrmw add ptr %pnext, i64 %chunk seq_cst, align 8
  %more = icmp slt i64 %begin, %range
  br i1 %more, label %run, label %done
run:
  %after = add i64 %begin, %chunk
  %end = call i64 @llvm.smin.i64(i64 %after, i64 %range)
  %status = call i32 %kernel(i64 %begin, i64 %end, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %own)
  %wide = zext i32 %status to i64
  %ignored = atomicrmw or ptr %pstatus, i64 %wide seq_cst, align 8
  br label %take
done:
  ret void
}
declare i64 @llvm.smin.i64(i64, i64)

; A worker that has nothing to do looks for the next job for a while before it sleeps. `seen` is the
; last job it has looked at. Sleepers are counted before they look a last time, and callers read the
; count after they have published, so no job is missed.
define void @worker(i64 %index) {
entry:
  %place = getelementptr [2 x i64], ptr @places, i64 %index
  %thread = call i32 @gettid()
  %thread64 = sext i32 %thread to i64
  store atomic i64 %thread64, ptr %place monotonic, align 8
  %start = getelementptr i64, ptr @pool, i64 15
  %finished = getelementptr i64, ptr @pool, i64 19
  %pstate = getelementptr i64, ptr @pool, i64 1
  %ptickets = getelementptr i64, ptr @pool, i64 3
  %phelpers = getelementptr i64, ptr @pool, i64 23
  %pserial = getelementptr i64, ptr @pool, i64 24
  %psleepers = getelementptr i64, ptr @pool, i64 25
  br label %prepare
prepare:
  %seen = phi i64 [ -1, %entry ], [ %serial, %look ], [ %done, %rest ]
  %counted = atomicrmw add ptr %psleepers, i64 1 seq_cst, align 8
  %now = load atomic i64, ptr %pserial seq_cst, align 8
  %is_new = icmp ne i64 %now, %seen
  br i1 %is_new, label %rise, label %sleep
sleep:
  %woken = call i32 @sem_wait(ptr %start)
  %interrupted = icmp ne i32 %woken, 0
  br i1 %interrupted, label %sleep, label %rise
rise:
  %uncounted = atomicrmw sub ptr %psleepers, i64 1 seq_cst, align 8
  br label %look
look:
  %last = phi i64 [ %seen, %rise ], [ %last, %enter ], [ %done, %idle ]
  %serial = load atomic i64, ptr %pserial seq_cst, align 8
  %state = load atomic i64, ptr %pstate seq_cst, align 8
  %is_other = icmp ne i64 %serial, %last
  %is_open = icmp slt i64 %state, 0
  %number = and i64 %state, 9223372036854775807
  %allowed = load atomic i64, ptr %phelpers monotonic, align 8
  %has_place = icmp slt i64 %number, %allowed
  %is_free = and i1 %is_open, %has_place
  %enters = and i1 %is_other, %is_free
  br i1 %enters, label %enter, label %prepare
enter:
  %inside = add i64 %state, 1
  %swap = cmpxchg ptr %pstate, i64 %state, i64 %inside seq_cst seq_cst, align 8
  %entered = extractvalue { i64, i1 } %swap, 1
  br i1 %entered, label %join, label %look
join:
  %done = load atomic i64, ptr %pserial seq_cst, align 8
  %ticket = atomicrmw add ptr %ptickets, i64 1 seq_cst, align 8
  call void @work(i64 %ticket)
  %before = atomicrmw sub ptr %pstate, i64 1 seq_cst, align 8
  %is_last = icmp eq i64 %before, 1
  br i1 %is_last, label %tell, label %idle
tell:
  %told = call i32 @sem_post(ptr %finished)
  br label %idle
idle:
  %turn = phi i64 [ 0, %join ], [ 0, %tell ], [ %turn1, %rest ]
  %next = load atomic i64, ptr %pserial monotonic, align 8
  %is_next = icmp ne i64 %next, %done
  br i1 %is_next, label %look, label %rest
rest:
  call void @relax()
  %turn1 = add i64 %turn, 1
  %patient = icmp slt i64 %turn1, SPINS
  br i1 %patient, label %idle, label %prepare
}

; A thread is often woken on the CPU of who wakes it, even where another one is idle, and would wait
; there for as long as the caller works. So workers are kept to the other CPUs of the caller; it has
; to be said again only when the caller has moved.
define internal void @part(i64 %workers) {
entry:
  %mask = alloca [16 x i64]
  %cpu = call i32 @sched_getcpu()
  %here = sext i32 %cpu to i64
  %known = icmp sge i32 %cpu, 0
  br i1 %known, label %next, label %leave
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %after ]
  %more = icmp slt i64 %i, %workers
  br i1 %more, label %look, label %leave
look:
  %place = getelementptr [2 x i64], ptr @places, i64 %i
  %pavoided = getelementptr i64, ptr %place, i64 1
  %avoided = load atomic i64, ptr %pavoided monotonic, align 8
  %thread = load atomic i64, ptr %place monotonic, align 8
  %is_new = icmp ne i64 %avoided, %here
  %is_there = icmp sge i64 %thread, 0
  %is_due = and i1 %is_new, %is_there
  br i1 %is_due, label %read, label %after
read:
  %failed = call i32 @sched_getaffinity(i32 0, i64 128, ptr %mask)
  %is_read = icmp eq i32 %failed, 0
  br i1 %is_read, label %send, label %after
send:
  %index = lshr i64 %here, 6
  %low = and i64 %here, 63
  %bit = shl i64 1, %low
  %others = xor i64 %bit, -1
  %pword = getelementptr i64, ptr %mask, i64 %index
  %word = load i64, ptr %pword
  %left = and i64 %word, %others
  store i64 %left, ptr %pword
  store atomic i64 %here, ptr %pavoided monotonic, align 8
  %thread32 = trunc i64 %thread to i32
  %refused_if_empty = call i32 @sched_setaffinity(i32 %thread32, i64 128, ptr %mask)
  br label %after
after:
  %i1 = add i64 %i, 1
  br label %next
leave:
  ret void
}

define i32 @parallel(ptr %kernel, i64 %range, i64 %chunk, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %scratch, i64 %bytes) {
entry:
  %status = call i32 @share(ptr %kernel, i64 %range, i64 %chunk, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %scratch, i64 %bytes, i1 true)
  ret i32 %status
}

define i32 @parallel_if_awake(ptr %kernel, i64 %range, i64 %chunk, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %scratch, i64 %bytes) {
entry:
  %pworkers = getelementptr i64, ptr @pool, i64 5
  %started = load i64, ptr %pworkers
  %psleepers = getelementptr i64, ptr @pool, i64 25
  %sleepers = load atomic i64, ptr %psleepers monotonic, align 8
  %all_sleep = icmp sge i64 %sleepers, %started
  br i1 %all_sleep, label %alone, label %together
alone:
  %status0 = call i32 %kernel(i64 0, i64 %range, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %scratch)
  ret i32 %status0
together:
  %status1 = call i32 @share(ptr %kernel, i64 %range, i64 %chunk, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %scratch, i64 %bytes, i1 false)
  ret i32 %status1
}

define internal i32 @share(ptr %kernel, i64 %range, i64 %chunk, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %scratch, i64 %bytes, i1 %wakes) {
entry:
  %start = getelementptr i64, ptr @pool, i64 15
  %finished = getelementptr i64, ptr @pool, i64 19
  %pstate = getelementptr i64, ptr @pool, i64 1
  %pworkers = getelementptr i64, ptr @pool, i64 5
  %started = load i64, ptr %pworkers
  %phelpers = getelementptr i64, ptr @pool, i64 23
  %allowed = load i64, ptr %phelpers
  %workers = call i64 @llvm.smin.i64(i64 %started, i64 %allowed)
  %swap = cmpxchg ptr @pool, i64 0, i64 1 seq_cst seq_cst, align 8
  %taken = extractvalue { i64, i1 } %swap, 1
  %small = icmp sge i64 %chunk, %range
  %free = xor i1 %small, true
  %helped = icmp sgt i64 %workers, 0
  %several = and i1 %free, %helped
  %go = and i1 %taken, %several
  br i1 %go, label %publish, label %alone
alone:
  %status0 = call i32 %kernel(i64 0, i64 %range, ptr %arrays, ptr %sizes, ptr %strides, ptr %scalars, ptr %scratch)
  br i1 %taken, label %give, label %leave
give:
  store atomic i64 0, ptr @pool seq_cst, align 8
  br label %leave
leave:
  ret i32 %status0
publish:
  %pkernel = getelementptr i64, ptr @pool, i64 6
  store ptr %kernel, ptr %pkernel
  %prange = getelementptr i64, ptr @pool, i64 7
  store i64 %range, ptr %prange
  %pchunk = getelementptr i64, ptr @pool, i64 8
  store i64 %chunk, ptr %pchunk
  %parrays = getelementptr i64, ptr @pool, i64 9
  store ptr %arrays, ptr %parrays
  %psizes = getelementptr i64, ptr @pool, i64 10
  store ptr %sizes, ptr %psizes
  %pstrides = getelementptr i64, ptr @pool, i64 11
  store ptr %strides, ptr %pstrides
  %pscalars = getelementptr i64, ptr @pool, i64 12
  store ptr %scalars, ptr %pscalars
  %pscratch = getelementptr i64, ptr @pool, i64 13
  store ptr %scratch, ptr %pscratch
  %pbytes = getelementptr i64, ptr @pool, i64 14
  store i64 %bytes, ptr %pbytes
  %pnext = getelementptr i64, ptr @pool, i64 2
  store atomic i64 0, ptr %pnext seq_cst, align 8
  %ptickets = getelementptr i64, ptr @pool, i64 3
  store atomic i64 1, ptr %ptickets seq_cst, align 8
  %pstatus = getelementptr i64, ptr @pool, i64 4
  store atomic i64 0, ptr %pstatus seq_cst, align 8
  store atomic i64 -9223372036854775808, ptr %pstate seq_cst, align 8
  call void @part(i64 %started)
  %pserial = getelementptr i64, ptr @pool, i64 24
  %published = atomicrmw add ptr %pserial, i64 1 seq_cst, align 8
  %psleepers = getelementptr i64, ptr @pool, i64 25
  %sleepers = load atomic i64, ptr %psleepers seq_cst, align 8
  %wanted = select i1 %wakes, i64 %workers, i64 0
  %woken = call i64 @llvm.smin.i64(i64 %sleepers, i64 %wanted)
  br label %wake
wake:
  %i = phi i64 [ 0, %publish ], [ %i1, %waking ]
  %more = icmp slt i64 %i, %woken
  br i1 %more, label %waking, label %join
waking:
  %posted = call i32 @sem_post(ptr %start)
  %i1 = add i64 %i, 1
  br label %wake
join:
  call void @work(i64 0)
  br label %linger
linger:
  %turn = phi i64 [ 0, %join ], [ %turn1, %lingering ]
  %busy = load atomic i64, ptr %pstate monotonic, align 8
  %all_left = icmp eq i64 %busy, -9223372036854775808
  %impatient = icmp sge i64 %turn, SPINS
  %ends = or i1 %all_left, %impatient
  br i1 %ends, label %shut, label %lingering
lingering:
  call void @relax()
  %turn1 = add i64 %turn, 1
  br label %linger
shut:
  %before = atomicrmw and ptr %pstate, i64 9223372036854775807 seq_cst, align 8
  %inside = and i64 %before, 9223372036854775807
  %nobody = icmp eq i64 %inside, 0
  br i1 %nobody, label %close, label %wait
wait:
  %waited = call i32 @sem_wait(ptr %finished)
  %interrupted = icmp ne i32 %waited, 0
  br i1 %interrupted, label %wait, label %close
close:
  %status = load atomic i64, ptr %pstatus seq_cst, align 8
  %short = trunc i64 %status to i32
  store atomic i64 0, ptr @pool seq_cst, align 8
  ret i32 %short
}
