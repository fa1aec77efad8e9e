; The call of a script function; `entry.py` says what it does and what its tables hold.

declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare ptr @PyDict_GetItemWithError(ptr, ptr)
declare ptr @PyObject_GetAttr(ptr, ptr)
declare ptr @jitlang_raw_array(ptr)
declare ptr @jitlang_tensor_array(ptr)
declare i32 @jitlang_is_recorded(ptr)
declare ptr @jitlang_new_tensor(ptr, ptr)
declare void @Py_IncRef(ptr)
declare i32 @PyErr_ExceptionMatches(ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_Clear()
declare i64 @PyTuple_Size(ptr)
declare ptr @PyTuple_GetItem(ptr, i64)
declare i32 @PyUnicode_Compare(ptr, ptr)
declare void @Py_DecRef(ptr)
@PyUnicode_Type = external global i8
@PyLong_Type = external global i8
@PyArray_Type = external global i8
@Tensor_Type = external global i8
@PyExc_Exception = external global ptr
@MISS = external global i8
@off = external global i64
; `@table_offset`, which `entry.py` adds: where in a callable the address of its table lies.

define internal i64 @word(ptr %table, i64 %number) alwaysinline {
  %place = getelementptr i64, ptr %table, i64 %number
  %value = load i64, ptr %place
  ret i64 %value
}

define internal ptr @pointer(ptr %table, i64 %number) alwaysinline {
  %place = getelementptr ptr, ptr %table, i64 %number
  %value = load ptr, ptr %place
  ret ptr %value
}

define internal void @add(ptr %table, i64 %number, i64 %amount) alwaysinline {
  %place = getelementptr i64, ptr %table, i64 %number
  %value = load i64, ptr %place
  %sum = add i64 %value, %amount
  store i64 %sum, ptr %place
  ret void
}

; Which parameter a keyword names, or -1.
define internal i64 @parameter_of(ptr %keyword, ptr %names, i64 %first, i64 %count) {
entry:
  br label %next
next:
  %i = phi i64 [ %first, %entry ], [ %i1, %look ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %look, label %unknown
look:
  %name = call ptr @pointer(ptr %names, i64 %i)
  %is_same = icmp eq ptr %name, %keyword
  %i1 = add i64 %i, 1
  br i1 %is_same, label %found, label %next
unknown:
  ; Names written in programs are interned; others are compared letter by letter.
  %ptype = getelementptr i8, ptr %keyword, i64 8
  %type = load ptr, ptr %ptype
  %is_plain = icmp eq ptr %type, @PyUnicode_Type
  br i1 %is_plain, label %next_text, label %none
next_text:
  %j = phi i64 [ %first, %unknown ], [ %j1, %compare ]
  %more_text = icmp slt i64 %j, %count
  br i1 %more_text, label %compare, label %none
compare:
  %other = call ptr @pointer(ptr %names, i64 %j)
  %order = call i32 @PyUnicode_Compare(ptr %other, ptr %keyword)
  %is_equal = icmp eq i32 %order, 0
  %j1 = add i64 %j, 1
  br i1 %is_equal, label %found_text, label %next_text
found:
  ret i64 %i
found_text:
  ret i64 %j
none:
  ret i64 -1
}

; Brings the arguments of a call into the order of the parameters; 0 where Python has to look at it.
define internal i1 @arrange(ptr %table, ptr %args, i64 %given, ptr %keywords, ptr %flat) {
entry:
  %count = call i64 @word(ptr %table, i64 3)
  %positional = call i64 @word(ptr %table, i64 4)
  %unnamed = call i64 @word(ptr %table, i64 5)
  %names = call ptr @pointer(ptr %table, i64 6)
  %defaults = call ptr @pointer(ptr %table, i64 7)
  %too_many = icmp sgt i64 %given, %positional
  br i1 %too_many, label %unusual, label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %fill ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %fill, label %filled
fill:
  %is_given = icmp slt i64 %i, %given
  %source = select i1 %is_given, ptr %args, ptr %defaults
  %value = call ptr @pointer(ptr %source, i64 %i)
  %place = getelementptr ptr, ptr %flat, i64 %i
  store ptr %value, ptr %place
  %i1 = add i64 %i, 1
  br label %next
filled:
  %has_keywords = icmp ne ptr %keywords, null
  br i1 %has_keywords, label %count_keywords, label %check
count_keywords:
  %keyword_count = call i64 @PyTuple_Size(ptr %keywords)
  br label %next_keyword
next_keyword:
  %k = phi i64 [ 0, %count_keywords ], [ %k1, %put ]
  %more_keywords = icmp slt i64 %k, %keyword_count
  br i1 %more_keywords, label %keyword, label %check
keyword:
  %name = call ptr @PyTuple_GetItem(ptr %keywords, i64 %k)
  %parameter = call i64 @parameter_of(ptr %name, ptr %names, i64 %unnamed, i64 %count)
  ; An unknown one has number -1: less than any number of arguments.
  %is_free = icmp sge i64 %parameter, %given
  br i1 %is_free, label %put, label %unusual
put:
  %argument = add i64 %given, %k
  %named = call ptr @pointer(ptr %args, i64 %argument)
  %target = getelementptr ptr, ptr %flat, i64 %parameter
  store ptr %named, ptr %target
  %k1 = add i64 %k, 1
  br label %next_keyword
check:
  br label %next_check
next_check:
  %c = phi i64 [ %given, %check ], [ %c1, %checked ]
  %more_checks = icmp slt i64 %c, %count
  br i1 %more_checks, label %checked, label %usual
checked:
  %final = call ptr @pointer(ptr %flat, i64 %c)
  %is_missing = icmp eq ptr %final, null
  %c1 = add i64 %c, 1
  br i1 %is_missing, label %unusual, label %next_check
usual:
  ret i1 true
unusual:
  ret i1 false
}

; Whether what a version folded is still so: the rows are (kind, owner, name, expected).
define internal i1 @holds(ptr %rows, i64 %count, ptr %ordered) {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %held ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %look, label %all
look:
  %place = mul i64 %i, 4
  %row = getelementptr i64, ptr %rows, i64 %place
  %kind = call i64 @word(ptr %row, i64 0)
  %owner = call ptr @pointer(ptr %row, i64 1)
  %name = call ptr @pointer(ptr %row, i64 2)
  %expected = call ptr @pointer(ptr %row, i64 3)
  switch i64 %kind, label %dict [ i64 1, label %cell i64 2, label %argument
                                   i64 3, label %attribute ]
attribute:
  %value = call ptr @PyObject_GetAttr(ptr %owner, ptr %name)
  %has_none = icmp eq ptr %value, null
  br i1 %has_none, label %failed, label %got
got:
  ; What is expected is kept alive, so an address that is equal is the same object.
  call void @Py_DecRef(ptr %value)
  br label %compare
argument:
  %index = call i64 @word(ptr %row, i64 1)
  %given = call ptr @pointer(ptr %ordered, i64 %index)
  br label %compare
cell:
  %pcontents = getelementptr i8, ptr %owner, i64 16
  %contents = load ptr, ptr %pcontents
  br label %compare
dict:
  %item = call ptr @PyDict_GetItemWithError(ptr %owner, ptr %name)
  %is_absent = icmp eq ptr %item, null
  br i1 %is_absent, label %absent, label %compare
absent:
  %error = call ptr @PyErr_Occurred()
  %is_plain = icmp eq ptr %error, null
  br i1 %is_plain, label %compare, label %failed
failed:
  call void @PyErr_Clear()
  ret i1 false
compare:
  %found = phi ptr [ %given, %argument ], [ %value, %got ], [ %contents, %cell ], [ %item, %dict ], [ null, %absent ]
  %is_same = icmp eq ptr %found, %expected
  %i1 = add i64 %i, 1
  br i1 %is_same, label %held, label %changed
held:
  br label %next
changed:
  ret i1 false
all:
  ret i1 true
}

; Whether arguments are of a form: the rows are (class, number of the dtype, rank).
define internal i1 @has_form(ptr %rows, i64 %count, ptr %ordered) {
entry:
  %overflow = alloca i32
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %fitting ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %look, label %all
look:
  %place = mul i64 %i, 3
  %row = getelementptr i64, ptr %rows, i64 %place
  %class = call ptr @pointer(ptr %row, i64 0)
  %value = call ptr @pointer(ptr %ordered, i64 %i)
  %i1 = add i64 %i, 1
  %ptype = getelementptr i8, ptr %value, i64 8
  %type = load ptr, ptr %ptype
  %is_class = icmp eq ptr %type, %class
  br i1 %is_class, label %array, label %other
array:
  %is_array = icmp eq ptr %type, @PyArray_Type
  br i1 %is_array, label %dtype, label %tensor
tensor:
  %is_tensor = icmp eq ptr %type, @Tensor_Type
  br i1 %is_tensor, label %flag, label %int
flag:
  ; General versions do not know of gradients.
  %is_recorded = call i32 @jitlang_is_recorded(ptr %value)
  %is_plain = icmp eq i32 %is_recorded, 0
  br i1 %is_plain, label %fitting, label %other
dtype:
  %number = call i64 @word(ptr %row, i64 1)
  %rank = call i64 @word(ptr %row, i64 2)
  %own_descr = call ptr @pointer(ptr %value, i64 7)
  %pnumber = getelementptr i8, ptr %own_descr, i64 28
  %own_number = load i32, ptr %pnumber
  %own_number64 = sext i32 %own_number to i64
  %porder = getelementptr i8, ptr %own_descr, i64 26
  %order = load i8, ptr %porder
  %prank = getelementptr i8, ptr %value, i64 24
  %own_rank = load i32, ptr %prank
  %own_rank64 = sext i32 %own_rank to i64
  %same_number = icmp eq i64 %own_number64, %number
  %same_rank = icmp eq i64 %own_rank64, %rank
  %is_native = icmp ne i8 %order, 62
  %same_dtype = and i1 %same_number, %is_native
  %same_array = and i1 %same_dtype, %same_rank
  br i1 %same_array, label %fitting, label %other
int:
  %is_int = icmp eq ptr %type, @PyLong_Type
  br i1 %is_int, label %range, label %fitting
range:
  %ignored = call i64 @PyLong_AsLongLongAndOverflow(ptr %value, ptr %overflow)
  %over = load i32, ptr %overflow
  %is_in_range = icmp eq i32 %over, 0
  br i1 %is_in_range, label %fitting, label %other
fitting:
  br label %next
other:
  ret i1 false
all:
  ret i1 true
}

; Calls a kernel with the arrays of tensors. Its array becomes a tensor where `wraps` is 1; another
; result goes to `finish`. What it raises is left to Python, which says where it comes from; then, and
; where a tensor holds no array that can be read, the result is MISS.
define internal ptr @call_kernel(ptr %kernel, i64 %wraps, ptr %finish, ptr %ordered, i64 %count) {
entry:
  %arrays = alloca [64 x ptr]
  %held = alloca ptr
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %keep ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %look, label %call
look:
  %value = call ptr @pointer(ptr %ordered, i64 %i)
  %ptype = getelementptr i8, ptr %value, i64 8
  %type = load ptr, ptr %ptype
  %is_tensor = icmp eq ptr %type, @Tensor_Type
  br i1 %is_tensor, label %unbox, label %keep
unbox:
  %array = call ptr @jitlang_tensor_array(ptr %value)
  %is_foreign = icmp eq ptr %array, null
  br i1 %is_foreign, label %refuse, label %keep
keep:
  %taken = phi ptr [ %value, %look ], [ %array, %unbox ]
  ; A tensor may get another array meanwhile.
  call void @Py_IncRef(ptr %taken)
  %place = getelementptr ptr, ptr %arrays, i64 %i
  store ptr %taken, ptr %place
  %i1 = add i64 %i, 1
  br label %next
call:
  %result = call ptr @PyObject_Vectorcall(ptr %kernel, ptr %arrays, i64 %count, ptr null)
  br label %release
refuse:
  br label %release
release:
  %given = phi i64 [ %count, %call ], [ %i, %refuse ]
  %answer = phi ptr [ %result, %call ], [ @MISS, %refuse ]
  br label %next_release
next_release:
  %r = phi i64 [ 0, %release ], [ %r1, %drop ]
  %more_releases = icmp slt i64 %r, %given
  br i1 %more_releases, label %drop, label %released
drop:
  %dropped = call ptr @pointer(ptr %arrays, i64 %r)
  call void @Py_DecRef(ptr %dropped)
  %r1 = add i64 %r, 1
  br label %next_release
released:
  %is_refused = icmp eq ptr %answer, @MISS
  br i1 %is_refused, label %miss, label %look_at_result
look_at_result:
  %is_error = icmp eq ptr %answer, null
  br i1 %is_error, label %error, label %wrap
error:
  %exception = load ptr, ptr @PyExc_Exception
  %matches = call i32 @PyErr_ExceptionMatches(ptr %exception)
  %is_ordinary = icmp ne i32 %matches, 0
  br i1 %is_ordinary, label %clear, label %failed
clear:
  call void @PyErr_Clear()
  br label %miss
miss:
  call void @Py_IncRef(ptr @MISS)
  ret ptr @MISS
failed:
  ret ptr null
wrap:
  %raw = call ptr @jitlang_raw_array(ptr %answer)
  %is_raw = icmp ne ptr %raw, null
  br i1 %is_raw, label %array_result, label %in_python
array_result:
  %is_wrapped = icmp eq i64 %wraps, 1
  br i1 %is_wrapped, label %to_tensor, label %done
done:
  ret ptr %answer
to_tensor:
  %tensor = call ptr @jitlang_new_tensor(ptr %answer, ptr null)
  ret ptr %tensor
in_python:
  store ptr %answer, ptr %held
  %finished = call ptr @PyObject_Vectorcall(ptr %finish, ptr %held, i64 1, ptr null)
  call void @Py_DecRef(ptr %answer)
  ret ptr %finished
}

define ptr @entry(ptr %callable, ptr %args, i64 %given_and_flag, ptr %keywords) {
entry:
  %flat = alloca [64 x ptr]
  %chosen = alloca [64 x ptr]
  %given = and i64 %given_and_flag, 9223372036854775807
  %offset = load i64, ptr @table_offset
  %ptable = getelementptr i8, ptr %callable, i64 %offset
  %table = load ptr, ptr %ptable
  %off = load atomic i64, ptr @off monotonic, align 8
  %is_on = icmp eq i64 %off, 0
  br i1 %is_on, label %count, label %slow
count:
  %count_wanted = call i64 @word(ptr %table, i64 3)
  %is_complete = icmp eq i64 %given, %count_wanted
  %is_positional = icmp eq ptr %keywords, null
  %all_positional = call i64 @word(ptr %table, i64 4)
  %may_be = icmp sle i64 %given, %all_positional
  %is_simple0 = and i1 %is_complete, %is_positional
  %is_simple = and i1 %is_simple0, %may_be
  br i1 %is_simple, label %enter, label %unordered
unordered:
  %is_usual = call i1 @arrange(ptr %table, ptr %args, i64 %given, ptr %keywords, ptr %flat)
  br i1 %is_usual, label %enter, label %slow
enter:
  %ordered = phi ptr [ %args, %count ], [ %flat, %unordered ]
  call void @add(ptr %table, i64 1, i64 1)
  %first = call ptr @pointer(ptr %table, i64 0)
  br label %version
version:
  %v = phi ptr [ %first, %enter ], [ %following, %next_version ]
  %is_end = icmp eq ptr %v, null
  br i1 %is_end, label %none_fits, label %guard
guard:
  %forms = call ptr @pointer(ptr %v, i64 8)
  %is_general = icmp ne ptr %forms, null
  %parameters = call i64 @word(ptr %table, i64 3)
  br i1 %is_general, label %form, label %compare
form:
  %fits = call i1 @has_form(ptr %forms, i64 %parameters, ptr %ordered)
  br i1 %fits, label %compare, label %next_version
compare:
  %guard_count = call i64 @word(ptr %v, i64 5)
  %guards = call ptr @pointer(ptr %v, i64 6)
  %guards_hold = call i1 @holds(ptr %guards, i64 %guard_count, ptr %ordered)
  br i1 %guards_hold, label %choose, label %next_version
choose:
  br i1 %is_general, label %run_general, label %special
run_general:
  %object = call ptr @pointer(ptr %v, i64 9)
  %result_kind = call i64 @word(ptr %v, i64 10)
  %is_kernel = icmp ne i64 %result_kind, 0
  br i1 %is_kernel, label %run_kernel, label %run_object
run_kernel:
  %finish = call ptr @pointer(ptr %v, i64 11)
  %kernel_result = call ptr @call_kernel(ptr %object, i64 %result_kind, ptr %finish, ptr %ordered, i64 %parameters)
  %is_kernel_miss = icmp eq ptr %kernel_result, @MISS
  br i1 %is_kernel_miss, label %missed, label %leave
run_object:
  %general_result = call ptr @PyObject_Vectorcall(ptr %object, ptr %ordered, i64 %parameters, ptr null)
  br label %leave
special:
  %input_count = call i64 @word(ptr %v, i64 3)
  %places = call ptr @pointer(ptr %v, i64 4)
  %takes_all = icmp eq ptr %places, null
  br i1 %takes_all, label %run, label %next_place
next_place:
  %p = phi i64 [ 0, %special ], [ %p1, %pick ]
  %more_places = icmp slt i64 %p, %input_count
  br i1 %more_places, label %pick, label %run
pick:
  %place = call i64 @word(ptr %places, i64 %p)
  %picked = call ptr @pointer(ptr %ordered, i64 %place)
  %pchosen = getelementptr ptr, ptr %chosen, i64 %p
  store ptr %picked, ptr %pchosen
  %p1 = add i64 %p, 1
  br label %next_place
run:
  %inputs = phi ptr [ %ordered, %special ], [ %chosen, %next_place ]
  %function = call ptr @pointer(ptr %v, i64 1)
  %receiver = call ptr @pointer(ptr %v, i64 2)
  %result = call ptr %function(ptr %receiver, ptr %inputs, i64 %input_count)
  %is_miss = icmp eq ptr %result, @MISS
  br i1 %is_miss, label %missed, label %leave
missed:
  call void @Py_DecRef(ptr @MISS)
  br label %next_version
next_version:
  %following = call ptr @pointer(ptr %v, i64 0)
  br label %version
leave:
  %answered = phi ptr [ %result, %run ], [ %kernel_result, %run_kernel ], [ %general_result, %run_object ]
  call void @add(ptr %v, i64 7, i64 1)
  %platest = getelementptr ptr, ptr %table, i64 8
  store ptr %v, ptr %platest
  call void @add(ptr %table, i64 1, i64 -1)
  ret ptr %answered
none_fits:
  call void @add(ptr %table, i64 1, i64 -1)
  br label %slow
slow:
  %pnone = getelementptr ptr, ptr %table, i64 8
  store ptr null, ptr %pnone
  %in_python = call ptr @pointer(ptr %table, i64 2)
  %answer = call ptr @PyObject_Vectorcall(ptr %in_python, ptr %args, i64 %given_and_flag, ptr %keywords)
  ret ptr %answer
}
