"""Calls of function objects as native code: they arrive where Python would bring them.

The versions here are written in Python and wrapped as what generated code looks like.
"""

import ctypes
import gc
import inspect
import subprocess
import sys
import threading
import time
import types
import weakref
from pathlib import Path

import numpy as np
import pytest

from jitlang import config
from jitlang.codegen import MISS
from jitlang.codegen.entry import (
    MAX_PARAMETERS,
    MAX_VERSIONS,
    Entry,
    builtin_function,
    can_enter,
)
from jitlang.codegen.objects import is_available
from jitlang.frontend.binding import Parameter
from jitlang.frontend.emitter import (
    AttributePlace,
    CellPlace,
    DictPlace,
    Guard,
    HiddenPlace,
)
from jitlang.frontend.forms import form_of
from jitlang.tensor.core import Tensor, box

pytestmark = pytest.mark.skipif(not is_available(), reason="objects lie differently in memory here")

CODE = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.POINTER(ctypes.py_object), ctypes.c_ssize_t
)


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off"):
        yield


def native(function):
    """A Python function as a builtin made of code, as generated versions are."""
    code = CODE(lambda receiver, args, count: function(*(args[i] for i in range(count))))
    return builtin_function("version", ctypes.cast(code, ctypes.c_void_p).value, code)


class Called:
    """Calls a Python function, until an entry takes over."""

    __slots__ = ("__dict__", "__weakref__", "_table", "_vectorcall")

    def __init__(self, function):
        self.function = function
        self.slow_calls = 0

    def __call__(self, *args, **kwargs):
        self.slow_calls += 1
        return self.function(*args, **kwargs)


def parameters_of(function):
    return [Parameter(p.name, p.kind, p.default, None, None)
            for p in inspect.signature(function).parameters.values()]  # fmt: skip


def enter(function, *versions):
    """A callable for a function, entered natively."""
    called = Called(function)
    parameters = parameters_of(function)
    assert can_enter(Called, parameters)
    called.entry = Entry(called, parameters, called.__call__)
    for version in versions:
        assert called.entry.add(native(version)) is not None
    return called


def whole(*args):
    return ("native", *args)


def of(kind):
    """A version for first arguments of one class."""
    return lambda *args: (kind.__name__, *args) if type(args[0]) is kind else MISS


# Arguments ----------------------------------------------------------------------------------------


def plain(x, y, z=3):
    return ("slow", x, y, z)


def mixed(a, /, b, c=2, *, d, e=5):
    return ("slow", a, b, c, d, e)


CALLS = [
    (plain, (1, 2), {}), (plain, (1, 2, 9), {}), (plain, (1,), {"y": 2}),
    (plain, (), {"z": 0, "x": 1, "y": 2}), (plain, (1, 2), {"z": None}),
    (mixed, (1, 2), {"d": 4}), (mixed, (1,), {"d": 4, "b": 7}),
    (mixed, (1, 2, 3), {"e": 0, "d": 4}), (lambda: ("slow",), (), {}),
    (lambda x=None: ("slow", x), (), {}), (lambda *, k=1: ("slow", k), (), {"k": 3}),
]  # fmt: skip
WRONG = [
    (plain, (), {}), (plain, (1,), {}), (plain, (1, 2, 3, 4), {}), (plain, (1, 2), {"x": 1}),
    (plain, (1, 2), {"w": 1}), (plain, (1,), {"z": 1}), (plain, (1, 2, 3), {"z": 1}),
    (mixed, (1, 2), {}), (mixed, (1, 2, 3, 4), {}), (mixed, (), {"a": 1, "b": 2, "d": 3}),
    (mixed, (1, 2), {"a": 1, "d": 3}), (lambda: 1, (1,), {}), (lambda *, k: k, (1,), {}),
]  # fmt: skip


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_arguments_arrive_in_order(function, args, kwargs):
    called = enter(function, whole)
    assert called(*args, **kwargs) == ("native", *function(*args, **kwargs)[1:])
    not_interned = {"".join(list(name)): value for name, value in kwargs.items()}
    assert called(*args, **not_interned) == ("native", *function(*args, **kwargs)[1:])
    assert called.slow_calls == 0


@pytest.mark.parametrize(("function", "args", "kwargs"), WRONG)
def test_wrong_calls_raise_what_python_raises(function, args, kwargs):
    called = enter(function, whole)
    with pytest.raises(TypeError) as wanted:
        function(*args, **kwargs)
    with pytest.raises(TypeError) as found:
        called(*args, **kwargs)
    assert str(found.value) == str(wanted.value)
    assert called.slow_calls == 1


def test_names_that_are_no_plain_strings_are_left_to_python():
    class Name(str):
        def __eq__(self, other):
            return False

        __hash__ = str.__hash__

    called = enter(plain, whole)
    with pytest.raises(TypeError):
        called(1, 2, **{Name("w"): 3})
    assert called.slow_calls == 1


def test_objects_are_called_in_every_way():
    called = enter(plain, whole)
    wanted = ("native", 1, 2, 3)
    assert list(map(called, [1], [2])) == [wanted]
    assert called.__call__(1, 2) == ("slow", 1, 2, 3)
    bound = types.MethodType(called, 1)
    assert bound(2) == wanted
    many = {"called": called}
    assert (
        eval("called(*[1, 2])", many) == wanted and eval("called(**dict(x=1, y=2))", many) == wanted
    )


def test_what_has_no_entry():
    assert not can_enter(Called, parameters_of(lambda *args: 0))
    assert not can_enter(Called, parameters_of(lambda **names: 0))
    names = ", ".join(f"p{i}" for i in range(MAX_PARAMETERS + 1))
    assert not can_enter(Called, parameters_of(eval(f"lambda {names}: 0")))
    assert Called(plain)(1, 2) == ("slow", 1, 2, 3)  # no entry yet


def test_as_many_parameters_as_fit():
    names = [f"p{i}" for i in range(MAX_PARAMETERS)]
    function = eval(f"lambda {', '.join(names)}: 0")
    called = enter(function, whole)
    assert called(**{name: i for i, name in enumerate(names)}) == ("native", *range(MAX_PARAMETERS))


# Versions -----------------------------------------------------------------------------------------


def test_the_first_version_that_fits_answers():
    called = enter(plain, of(int), of(float), of(str))
    for value in (1, 1.5, "a"):
        assert called(value, 2) == (type(value).__name__, value, 2, 3)
    assert called.slow_calls == 0
    assert called(None, 2) == ("slow", None, 2, 3)
    assert called.slow_calls == 1


def test_calls_are_counted_where_they_ran():
    called = enter(plain)
    integers, floats = (called.entry.add(native(of(kind))) for kind in (int, float))
    for value in (1, 2, 1.5, "a", 3):
        called(value, 0)
    assert (integers.calls, floats.calls, called.slow_calls) == (3, 1, 1)
    assert called.entry.latest is integers
    called(1.5, 0)
    assert called.entry.latest is floats
    called("a", 0)
    assert called.entry.latest is None


def test_errors_pass_through():
    divide = builtin_function("divide", *divide_code())
    called = Called(plain)
    called.entry = Entry(called, parameters_of(plain), called.__call__)
    version = called.entry.add(divide)
    with pytest.raises(ZeroDivisionError):
        called(1, 0)
    assert called(7, 2, 0) == 3 and (version.calls, called.slow_calls) == (2, 0)


def divide_code():
    """Code that divides its first two arguments, and what keeps it."""
    from jitlang.codegen.llvm import compile_module
    from jitlang.codegen.objects import python_functions

    text = """
declare ptr @PyNumber_FloorDivide(ptr, ptr)
define ptr @divide(ptr %self, ptr %args, i64 %count) {
  %a = load ptr, ptr %args
  %pb = getelementptr ptr, ptr %args, i64 1
  %b = load ptr, ptr %pb
  %q = call ptr @PyNumber_FloorDivide(ptr %a, ptr %b)
  ret ptr %q
}
"""
    library = compile_module(text, ["divide"], python_functions(["PyNumber_FloorDivide"]))
    return library.addresses["divide"], library


def test_removed_versions_are_not_called():
    called = enter(plain)
    kinds = (int, float, str, bytes)
    versions = {kind: called.entry.add(native(of(kind))) for kind in kinds}
    for kind in (float, bytes, int, str):
        called.entry.remove(versions[kind])
        called.entry.remove(versions[kind])  # a second time does nothing
        del versions[kind]
        for each in kinds:
            assert called(each(), 2)[0] == (each.__name__ if each in versions else "slow")


def test_the_number_of_versions_is_bounded():
    called = enter(plain)
    alive = []
    for _ in range(MAX_VERSIONS + 10):
        function = native(of(str))
        alive.append(weakref.ref(function))
        called.entry.add(function)
    del function
    assert sum(ref() is not None for ref in alive) == MAX_VERSIONS
    assert called(1, 2) == ("slow", 1, 2, 3)


def test_a_version_may_remove_itself_while_it_runs():
    called = enter(plain)

    def once(*args):
        called.entry.remove(versions.pop())
        gc.collect()
        return ("once", *args)

    function = native(once)
    alive = weakref.ref(function)
    versions = [called.entry.add(function)]
    del function
    assert called(1, 2) == ("once", 1, 2, 3)
    assert alive() is not None  # it was inside when it was removed
    assert called(1, 2) == ("slow", 1, 2, 3)
    called.entry.remove(called.entry.add(native(whole)))
    assert alive() is None


# Guards and constants -----------------------------------------------------------------------------


def guarded(*places_and_values):
    return [Guard(f"guard {n}", place, value) for n, (place, value) in enumerate(places_and_values)]


def test_globals_are_compared():
    space = {"SCALE": 2.5}
    called = enter(plain)
    called.entry.add(native(whole), guarded((DictPlace(space, "SCALE"), space["SCALE"])))
    assert called(1, 2)[0] == "native"
    for change in ({"SCALE": 3.5}, {"OTHER": 1}, {}):
        space.clear()
        space.update(change)
        assert called(1, 2)[0] == "slow"


def test_a_dict_that_raises_is_a_miss():
    class Angry:
        def __hash__(self):
            return hash("SCALE")

        def __eq__(self, other):
            raise RuntimeError

    called = enter(plain)
    space = {Angry(): 1}
    called.entry.add(native(whole), guarded((HiddenPlace(space, {"SCALE"}), True)))
    assert called(1, 2)[0] == "slow"


def test_closures_are_compared():
    value = held = object()
    cell = (lambda: held).__closure__[0]
    called = enter(plain)
    called.entry.add(native(whole), guarded((CellPlace(cell), value)))
    assert called(1, 2)[0] == "native"
    cell.cell_contents = 1
    assert called(1, 2)[0] == "slow"
    del cell.cell_contents
    assert called(1, 2)[0] == "slow"


def test_attributes_are_compared():
    class Settings:
        scale = 2.5

        @property
        def fresh(self):
            return float("0.5")

    settings, called = Settings(), enter(plain)
    called.entry.add(native(whole), guarded((AttributePlace(settings, "scale"), Settings.scale)))
    assert called(1, 2)[0] == "native"
    settings.scale = 3.5
    assert called(1, 2)[0] == "slow"
    del settings.scale
    assert called(1, 2)[0] == "native"
    del Settings.scale
    assert called(1, 2)[0] == "slow"
    called.entry.add(native(whole), guarded((AttributePlace(settings, "fresh"), 0.5)))
    assert called(1, 2)[0] == "slow"


def test_hidden_builtins_are_seen():
    space = {}
    called = enter(plain)
    called.entry.add(native(whole), guarded((HiddenPlace(space, {"len", "sum"}), True)))
    assert called(1, 2)[0] == "native"
    space["sum"] = 1
    assert called(1, 2)[0] == "slow"


def test_guards_that_need_python_are_refused():
    class Space(dict):
        pass

    called = enter(plain)
    lists = Guard("a list", DictPlace({"xs": []}, "xs"), [], object())
    for guard in (*guarded((DictPlace(Space(x=1), "x"), 1)), lists):
        assert called.entry.add(native(whole), [guard]) is None
    assert called(1, 2)[0] == "slow"


def test_objects_given_for_parameters_are_compared():
    called = enter(plain)
    called.entry.add(native(whole), constants={1: len})
    assert called(1, len) == ("native", 1, 3)
    assert called(z=4, y=len, x=1) == ("native", 1, 4)
    assert called(1, max) == ("slow", 1, max, 3)


# General versions ---------------------------------------------------------------------------------


def test_general_versions_take_one_form_after_all_others():
    called = enter(plain)
    array = np.zeros((2, 3), "float32")
    forms = {"ints": (1, 2, 3), "mixed": (1.5, None, True), "text": ("a", 1, 2),
             "array": (array, 1, array), "tensor": (box(array), 1, 2)}  # fmt: skip
    for name, values in forms.items():
        version = lambda *args, name=name: (name, *args)  # noqa: E731
        assert called.entry.add_general(version, form_of(values)) is not None
    for name, values in forms.items():
        assert called(*values) == (name, *values)
        assert called(z=values[2], x=values[0], y=values[1]) == (name, *values)
    assert called.slow_calls == 0
    called.entry.add(native(of(int)))
    assert called(1, 2)[0] == "int" and called("b", 5) == ("text", "b", 5, 3)


class Int(int):
    pass


@pytest.mark.parametrize(
    "values",
    [
        (np.zeros((2, 3), "float64"), 1), (np.zeros(2, "float32"), 1),
        (np.zeros((2, 3), ">f4"), 1), (np.ma.zeros((2, 3), "float32"), 1),
        (np.zeros((2, 3), "float32"), True), (np.zeros((2, 3), "float32"), 2**63),
        (np.zeros((2, 3), "float32"), -(2**63) - 1), (np.zeros((2, 3), "float32"), Int(1)),
        (np.zeros((2, 3), "float32"), 1.0), ([[1.0]], 1), (box(np.zeros((2, 3), "float32")), 1),
    ],
    ids=repr,
)  # fmt: skip
def test_arguments_of_other_forms_are_refused(values):
    called = enter(plain)
    form = form_of((np.zeros((2, 3), "float32"), 1, 3))
    called.entry.add_general(lambda *args: ("general",), form)
    for number in (0, 2**63 - 1, -(2**63)):
        assert called(np.ones((2, 3), "float32"), number) == ("general",)
    assert called(*values)[0] == "slow" and form_of((*values, 3)) != form


def test_general_versions_are_guarded_counted_and_removed():
    called, space = enter(plain), {"SCALE": 2.5}
    guards = guarded((DictPlace(space, "SCALE"), space["SCALE"]))
    form = form_of((1, 2, 3))
    version = called.entry.add_general(lambda x, y, z: ("general", x // y), form, guards)
    assert called(7, 2) == ("general", 3)
    with pytest.raises(ZeroDivisionError):
        called(7, 0)
    assert version.calls == 2 and called.entry.latest is version
    space["SCALE"] = 3.5
    assert called(7, 2)[0] == "slow"
    space["SCALE"] = guards[0].expected
    called.entry.remove(version)
    assert called(7, 2)[0] == "slow" and not called.entry._retired


class Kernel:
    """Adds arrays, as kernels do; counts its calls."""

    def __init__(self, result=None):
        self.result = result
        self.calls = 0

    def __call__(self, x, y, z):
        self.calls += 1
        assert not isinstance(x, Tensor) and not isinstance(y, Tensor)
        return x + y if self.result is None else self.result


def with_kernel(kernel, values, result):
    called = enter(plain)
    called.entry.add_general(kernel, form_of((*values, 3)), kernel_result=result)
    return called


def test_kernels_take_and_give_arrays():
    x, y = np.arange(3.0), np.ones(3)
    for values in ((x, y), (box(x), y), (box(x), box(y))):
        for result in (Tensor, np.ndarray):
            called = with_kernel(Kernel(), values, result)
            found = called(*values)
            assert type(found) is result and found.tolist() == [1, 2, 3]
    for result in (Tensor, np.ndarray):
        called = with_kernel(Kernel(np.float32(2)), (x, y), result)
        found = called(x, y)
        assert type(found) is result and found.shape == () and found.item() == 2


def test_what_kernels_raise_is_left_to_python():
    x, y = np.arange(3.0), np.ones(4)
    kernel = Kernel()
    called = with_kernel(kernel, (box(x), box(y)), Tensor)
    assert called(box(x), box(y))[0] == "slow" and kernel.calls == 1
    interrupted = with_kernel(interrupt, (box(x), box(y)), Tensor)
    with pytest.raises(KeyboardInterrupt):
        interrupted(box(x), box(y))


def interrupt(*args):
    raise KeyboardInterrupt


def test_tensors_over_other_arrays_are_left_to_python():
    x = box(np.arange(3.0))
    hidden = object.__new__(Tensor)
    hidden._array = np.ma.zeros(3)
    kernel = Kernel()
    called = with_kernel(kernel, (x, x), Tensor)
    assert called(x, hidden)[0] == "slow" and kernel.calls == 0
    assert called(x, x).tolist() == [0, 2, 4]


def test_references_of_kernels_are_counted():
    x, y = box(np.arange(3.0)), box(np.ones(3))
    wrong = box(np.ones(4))
    hidden = object.__new__(Tensor)
    hidden._array = np.ma.zeros(3)
    called = with_kernel(Kernel(), (x, y), Tensor)
    watched = [x, y, wrong, hidden, x._array, y._array, wrong._array, hidden._array, MISS, Tensor]
    before = list(map(sys.getrefcount, watched))
    for _ in range(300):
        for values in ((x, y), (x, wrong), (x, hidden)):
            called(*values)
    changes = [sys.getrefcount(w) - count for w, count in zip(watched, before, strict=True)]
    assert all(abs(change) < 30 for change in changes), changes


# Settings -----------------------------------------------------------------------------------------


def test_settings_turn_native_code_off():
    called = enter(plain, whole)
    for flag, value in (("exact", True), ("disable", True), ("native", False)):
        with config.override(**{flag: value}):
            assert called(1, 2)[0] == "slow"
        assert called(1, 2)[0] == "native"
        config.set(**{flag: value})
        assert called(1, 2)[0] == "slow"
        config.set(**{flag: not value})
        assert called(1, 2)[0] == "native"


# References and threads ---------------------------------------------------------------------------


def test_references_are_counted():
    called = enter(plain, of(int), of(float))
    marks = [object() for _ in range(3)]
    watched = (*marks, MISS, called, None)
    keywords = {"y": marks[1], "z": marks[2]}

    def calls():
        called(1.5, *marks[:2])
        called(marks[0], marks[1])
        called(1, **keywords)
        with pytest.raises(TypeError):
            called(x=1, w=marks[0])

    calls()
    gc.collect()
    before = list(map(sys.getrefcount, watched))
    for _ in range(300):
        calls()
    gc.collect()
    changes = [sys.getrefcount(w) - count for w, count in zip(watched, before, strict=True)]
    assert all(abs(change) < 150 for change in changes), changes


def test_everything_dies_with_the_object():
    called = enter(plain, whole)
    alive = weakref.ref(called)
    assert called(1, 2)[0] == "native"
    entry = weakref.ref(called.entry)
    del called
    gc.collect()
    assert alive() is None and entry() is None


@pytest.fixture
def eager_threads():
    """Threads that take turns as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_threads_call_while_versions_come_and_go():
    called = enter(plain)
    failures, answers, changing = [], [], [0, 1]
    kinds = (int, float, str)

    def pausing(kind):
        def version(*args):
            time.sleep(0)  # lets others run while this one is inside
            return (kind.__name__, *args) if type(args[0]) is kind else MISS

        return version

    def call(kind):
        value = kind()
        while changing:
            answer = called(value, z=7, y=2)
            answers.append(answer[0])
            if answer not in ((kind.__name__, value, 2, 7), ("slow", value, 2, 7)):
                failures.append(answer)

    def change(seed):
        held = []
        for turn in range(seed, 400):
            held.append(called.entry.add(native(pausing(kinds[turn % 3]))))
            if len(held) > 5:
                called.entry.remove(held.pop(turn % 5))
            time.sleep(0)
        changing.remove(seed)

    workers = [threading.Thread(target=call, args=(kind,)) for kind in kinds * 2]
    workers += [threading.Thread(target=change, args=(n,)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not failures and not any(worker.is_alive() for worker in workers)
    assert set(answers) >= {"int", "float", "str"}
    called.entry.remove(called.entry._versions[0])
    assert len(called.entry._versions) == 9 and not called.entry._retired


SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {codegen!r}]
from test_entry import enter, plain, whole
class Late:
    called = enter(plain, whole)
    def __del__(self):
        assert self.called(1, y=2)[0] == "native"
        print("called")
late = Late()
late.itself = late
import builtins
builtins.kept = late
"""


def test_calls_at_the_end_of_the_interpreter():
    tests = Path(__file__).parent.parent
    script = SCRIPT.format(tests=str(tests), codegen=str(tests / "codegen"))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tests.parent, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
