"""Script functions entered natively: nobody can tell, but by the time it takes.

Every test first calls a function until native code serves it, and checks that it does.
"""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor, config
from jitlang.codegen.objects import is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="objects lie differently in memory here")

ROOT = Path(__file__).parent.parent.parent
X = np.linspace(-2, 2, 8, dtype="float32")


@pytest.fixture(autouse=True)
def no_folder():
    with config.override(cache_dir="off"):
        yield


def shifted(x: Tensor, k: float = 2.0, *, add: float = 1.0) -> Tensor:
    """The hyperbolic tangent, scaled and moved."""
    return x.tanh() * k + add


def entered(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A script function whose native code has served a call with these arguments."""
    scripted = function if isinstance(function, jl.ScriptFunction) else jl.script(function)
    for _ in range(5):
        before = native_calls(scripted)
        scripted(*args, **kwargs)
        if native_calls(scripted) > before:
            return scripted
    raise AssertionError(f"not entered natively\n{scripted.explain()}")


def native_calls(scripted: Any) -> int:
    """Calls that never came to the interpreter's side."""
    return sum(version.calls for version in scripted._entry._versions) if scripted._entry else 0


def special(scripted: Any) -> list[Any]:
    """The native functions for one layout each that calls enter."""
    general = [each for one in scripted._versions.values() for each in one.executor.entered]
    return [each for each in scripted._entry._versions if each not in general]


def is_native(scripted: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether native code serves a call at once."""
    before = native_calls(scripted)
    scripted(*args, **kwargs)
    return native_calls(scripted) == before + 1


# Results ------------------------------------------------------------------------------------------


def test_arguments_in_every_way() -> None:
    scripted, x = entered(shifted, jl.from_numpy(X)), jl.from_numpy(X)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((x,), {}), ((x, 0.5), {}), ((x,), {"k": 0.5}), ((), {"add": -1.0, "x": x}),
        ((x, 0.5), {"add": 3.0}),
    ]  # fmt: skip
    for args, kwargs in calls:
        with config.override(exact=True):
            wanted = scripted(*args, **kwargs)
        found = scripted(*args, **kwargs)
        assert type(found) is Tensor and found.tolist() == wanted.tolist()
        assert is_native(scripted, *args, **kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}), ((X, 1.0, 2.0), {}), ((X,), {"x": X}), ((X,), {"q": 1}), (("a",), {}),
        ((X, "b"), {}), ((None,), {}), ((X,), {"add": X}),
    ],
)  # fmt: skip
def test_wrong_calls_raise_what_they_raised_before(args: Any, kwargs: Any) -> None:
    fresh, scripted = jl.script(shifted), entered(shifted, X)
    with pytest.raises(TypeError) as wanted:
        fresh(*args, **kwargs)
    with pytest.raises(TypeError) as found:
        scripted(*args, **kwargs)
    assert str(found.value) == str(wanted.value)


def test_arguments_in_every_way_through_python() -> None:
    """What no native code serves: layouts that change all the time."""
    scripted = jl.script(shifted)
    for size in range(1, 20):
        x = np.linspace(-2, 2, size, dtype="float32")
        calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
            ((x,), {}), ((x, 0.5), {}), ((x,), {"k": 0.5}), ((), {"add": -1.0, "x": x}),
            ((x, 0.5), {"add": 3.0}), ((jl.from_numpy(x), 0.5), {}),
        ]  # fmt: skip
        for args, kwargs in calls:
            with config.override(exact=True):
                wanted = scripted(*args, **kwargs)
            found = scripted(*args, **kwargs)
            assert type(found) is type(wanted) and found.tolist() == wanted.tolist()
    assert len(scripted._by_form) == 2  # an array or a tensor, and two floats


def test_defaults_are_any_objects() -> None:
    def moved(x: Tensor, by=np.ones(8, "float32"), f=double):  # noqa: ANN001, ANN202, B008
        return f(x) + by

    scripted = entered(moved, X)
    assert scripted(X).tolist() == (X * 2 + 1).tolist()
    assert scripted(X, f=triple).tolist() == (X * 3 + 1).tolist()
    assert is_native(scripted, X)


def test_raw_arrays_give_raw_arrays() -> None:
    scripted = entered(entered(shifted, X), jl.from_numpy(X))
    raw, boxed = scripted(X), scripted(jl.from_numpy(X))
    assert type(raw) is np.ndarray and type(boxed) is Tensor
    assert raw.tolist() == boxed.tolist()
    assert is_native(scripted, X) and is_native(scripted, jl.from_numpy(X))


def test_raw_arrays_in_dicts_are_tensors_of_the_call() -> None:
    def shift_all(table: dict[str, Tensor], x: Tensor) -> Tensor:
        table["moved"] = table["by"] + x
        return table["moved"]

    scripted = jl.script(shift_all)
    tensor = jl.from_numpy(X)
    for _ in range(4):
        for by, x, expected in ((X, X, np.ndarray), (X, tensor, Tensor), (tensor, X, Tensor)):
            table = {"by": by}
            assert type(scripted(table, x)) is expected
            assert table["moved"].tolist() == (X + X).tolist()


class Array(np.ndarray):
    pass


class TensorSubclass(Tensor):
    pass


def test_unusual_arrays_are_served_as_before() -> None:
    scripted = entered(shifted, X)
    unaligned = np.frombuffer(b"\0" + X.tobytes(), "u1")[1:].view("float32")
    read_only = X.copy()
    read_only.flags.writeable = False
    unusual = [X.view(Array), X.astype(">f4"), unaligned, X[::-1], X[::2], X.reshape(2, 4),
               X.astype("float64"), X[:0], X.astype("float64")[0, ...]]  # fmt: skip
    with config.override(exact=True):
        wanted = [scripted(x) for x in [*unusual, read_only, TensorSubclass(X)]]
    for x, expected in zip([*unusual, read_only, TensorSubclass(X)], wanted, strict=True):
        found = scripted(x)
        assert type(found) is type(expected)
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6)
    assert is_native(scripted, read_only)
    assert not any(is_native(scripted, x) for x in unusual[:3])


def test_errors_of_native_code_are_those_of_python() -> None:
    def divided(n: int, by: int) -> int:
        total = 0
        for i in range(n):
            total += i // by
        return total

    scripted = entered(divided, 5, 2)
    assert scripted(5, by=2) == divided(5, 2)
    with pytest.raises(ZeroDivisionError) as found:
        scripted(5, 0)
    with pytest.raises(ZeroDivisionError) as wanted:
        divided(5, 0)
    assert str(found.value) == str(wanted.value)


def test_layouts_that_always_change_do_not_come_through_python() -> None:
    scripted = jl.script(shifted)
    for size in range(1, 12):
        for _ in range(3):
            scripted(jl.ones(size))
            scripted(np.ones(size, "float32"))
    for size in range(20, 30):
        x = np.linspace(-2, 2, size, dtype="float32")
        with config.override(exact=True):
            wanted = scripted(x).tolist()
        for args in ((x,), (jl.from_numpy(x),), (x, 2.0)):
            assert is_native(scripted, *args)
            found = scripted(*args)
            assert type(found) is type(args[0]) and found.tolist() == wanted
    before = scripted.explain()
    scripted(X)
    after = scripted.explain()
    assert (after.calls, after.generic_calls) == (before.calls + 1, before.generic_calls + 1)
    with pytest.raises(TypeError, match="expects Tensor, found"):
        scripted("a")


def like(given: Any, array: np.ndarray) -> Any:
    """An array as raw or wrapped as another."""
    return jl.from_numpy(array) if isinstance(given, Tensor) else array


@pytest.mark.parametrize("shape", [(), (0,), (40,), (2, 0, 3), (100_003,)], ids=repr)
def test_arrays_of_every_shape_in_the_general_form(shape: tuple[int, ...]) -> None:
    def of_arrays(x: np.ndarray, k: float):  # noqa: ANN202
        return np.tanh(x) * k + x

    def of_tensors(x: Tensor, k: float) -> Tensor:
        return x.tanh() * k + x

    x = np.random.default_rng(0).normal(size=shape)
    for function, given in ((of_arrays, x), (of_tensors, x), (of_tensors, jl.from_numpy(x))):
        scripted = jl.script(function)
        for size in range(2, 6):
            for _ in range(3):
                scripted(like(given, np.ones((size,) * x.ndim)), 2.0)
        with config.override(exact=True):
            wanted = scripted(given, 0.5)
        for _ in range(3):
            found = scripted(given, 0.5)
            assert type(found) is type(wanted) and found.shape == wanted.shape
            assert found.tolist() == wanted.tolist()
        assert is_native(scripted, given, 0.5)


def test_errors_of_the_general_form_say_where_they_come_from() -> None:
    def added(x: Tensor, y: Tensor) -> Tensor:
        return x + y

    scripted = jl.script(added)
    for size in range(1, 12):
        for _ in range(3):
            scripted(jl.ones(size), jl.ones(size))
    assert is_native(scripted, jl.ones(20), jl.ones(20))
    with pytest.raises(RuntimeError, match="must match the size") as found:
        scripted(jl.ones(20), jl.ones(21))
    assert "return x + y" in "".join(found.value.__notes__)


def test_what_is_forgotten_is_not_entered() -> None:
    scripted = entered(shifted, X)
    for size in range(1, 12):
        for _ in range(3):
            scripted(np.ones(size, "float32"))
    scripted.forget()
    assert not scripted._entry._versions and not scripted._entered
    assert not is_native(scripted, X)


# What was assumed ---------------------------------------------------------------------------------

FACTOR = 2.0


def scaled(x: Tensor) -> Tensor:
    return x * FACTOR


def test_globals_are_still_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = entered(scaled, X)
    for factor in (3.0, 4.0, 2.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        assert scripted(X).tolist() == (X * np.float32(factor)).tolist()
    entered(scripted, X)
    assert is_native(scripted, X)


def test_closures_are_still_guarded() -> None:
    factor = 2.0

    def closed(x: Tensor) -> Tensor:
        return x * factor

    scripted = entered(closed, X)
    factor = 5.0
    assert scripted(X).tolist() == (X * np.float32(5)).tolist()
    entered(scripted, X)
    factor = 7.0
    assert scripted(X).tolist() == (X * np.float32(7)).tolist()


def double(x: Tensor) -> Tensor:
    return x * 2.0


def triple(x: Tensor) -> Tensor:
    return x * 3.0


def test_functions_given_as_arguments_are_told_apart() -> None:
    def apply(f, x: Tensor) -> Tensor:  # noqa: ANN001
        return f(x)

    scripted = entered(entered(apply, double, X), triple, X)
    for _ in range(2):
        assert scripted(double, X).tolist() == (X * 2).tolist()
        assert scripted(f=triple, x=X).tolist() == (X * 3).tolist()
        assert scripted(jl.script(double), X).tolist() == (X * 2).tolist()
    assert is_native(scripted, triple, X)


def test_settings_hold() -> None:
    scripted = entered(shifted, X)
    with config.override(native=False):
        assert not is_native(scripted, X)
    with config.override(disable=True), pytest.raises(AttributeError):
        scripted(X)  # the function itself: an array has no method `tanh`
    assert is_native(scripted, X)


# What can be seen ---------------------------------------------------------------------------------


def test_all_calls_are_counted() -> None:
    scripted = entered(shifted, X)
    before = scripted.explain()
    for _ in range(10):
        scripted(X)
    after = scripted.explain()
    assert after.calls == before.calls + 10
    assert sum(version.calls for version in after.versions) == after.calls - after.interpreted


def test_calls_of_versions_that_are_gone_are_counted_too() -> None:
    scripted = jl.script(shifted)
    with config.override(static_versions=1):
        for calls, size in enumerate((3, 4, 5), 1):
            for _ in range(10):
                scripted(np.ones(size, "float32"))
            scripted.compile(np.ones(size, "float32"))
            assert scripted.explain().calls == 10 * calls
    (version,) = scripted._versions.values()
    assert len(special(scripted)) == len(version.executor.versions) == 2  # and one for all sizes


class Settings:
    scale = 2.0


SETTINGS = Settings()


def by_settings(x: Tensor) -> Tensor:
    return x * SETTINGS.scale


def test_attributes_are_still_guarded() -> None:
    scripted = entered(by_settings, X)
    try:
        for scale in (3.0, 0.5):
            SETTINGS.scale = scale
            assert scripted(X).tolist() == (X * np.float32(scale)).tolist()
            entered(scripted, X)
    finally:
        del SETTINGS.scale
    assert scripted(X).tolist() == (X * np.float32(2)).tolist()


def test_the_latest_signature_is_shown() -> None:
    def plus(x, y):  # noqa: ANN001, ANN202
        return x + y

    scripted = entered(entered(plus, 1.0, 2.0), 1, 2)
    for args, shown in (((1.0, 2.0), "float"), ((1, 2), "int"), ((1.5, 2.5), "float")):
        assert is_native(scripted, *args)
        assert f"%x : {shown}" in str(scripted.graph)
    scripted("a", "b")
    assert "%x : str" in str(scripted.graph)


def test_a_script_function_stays_what_it_is() -> None:
    names = ("__doc__", "__name__", "__qualname__", "__module__", "__wrapped__", "__class__")

    def looks(scripted: Any) -> list[Any]:
        seen = [getattr(scripted, name) for name in names]
        return [*seen, repr(scripted), inspect.signature(scripted), dir(scripted)]

    scripted = jl.script(shifted)
    before = looks(scripted)
    entered(scripted, X)
    assert looks(scripted) == before and type(scripted) is jl.ScriptFunction
    assert callable(scripted) and scripted.__call__(X).tolist() == scripted(X).tolist()


@jl.script
def by_name(x: Tensor) -> Tensor:
    return x + 1.0


def test_pickled_and_copied_as_functions_are() -> None:
    for scripted in (by_name, entered(by_name, X)):
        assert pickle.loads(pickle.dumps(scripted)) is scripted
        assert copy.copy(scripted) is scripted and copy.deepcopy([scripted])[0] is scripted
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(jl.script(shifted))


def test_methods_are_bound() -> None:
    class Layer:
        def __init__(self) -> None:
            self.by_name = types.MethodType(by_name, X)

        forward = staticmethod(by_name)

    entered(by_name, X)
    assert Layer().by_name().tolist() == Layer().forward(X).tolist() == (X + 1).tolist()


def test_subclasses_may_call_as_they_like() -> None:
    class Loud(jl.ScriptFunction):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return "loud", super().__call__(*args, **kwargs)

    class Quiet(jl.ScriptFunction):
        pass

    loud, quiet = Loud(shifted), Quiet(shifted)
    for _ in range(5):
        assert loud(X)[0] == "loud" and quiet(X).shape == X.shape
    assert loud._entry is None and is_native(quiet, X)


# References, threads, the end ---------------------------------------------------------------------


def test_references_are_counted() -> None:
    scripted, x = entered(entered(shifted, X), jl.from_numpy(X)), jl.from_numpy(X)
    watched = (X, x, X.dtype, Tensor, scripted, None, False)
    scripted(x, k=0.5)
    gc.collect()
    before = list(map(sys.getrefcount, watched))
    for _ in range(100_000):
        scripted(x)
        scripted(X, k=0.5)
    gc.collect()
    changes = [sys.getrefcount(w) - n for w, n in zip(watched, before, strict=True)]
    assert all(abs(change) < 1000 for change in changes), changes


def test_script_functions_can_be_freed() -> None:
    scripted = entered(shifted, X)
    alive = weakref.ref(scripted), weakref.ref(scripted._entry)
    del scripted
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


def test_many_threads_and_layouts() -> None:
    """More layouts than versions, so that these come and go while threads are inside."""
    scripted = jl.script(shifted)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=size).astype(kind) for size in (3, 5, (2, 3), 70_000)
              for kind in ("float32", "float64")]  # fmt: skip
    with config.override(native=False):
        wanted = [scripted(x) for x in arrays]
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        order = np.random.default_rng(seed)
        try:
            for _ in range(150):
                n = int(order.integers(len(arrays)))
                x = arrays[n] if seed % 2 else jl.from_numpy(arrays[n])
                np.testing.assert_allclose(np.asarray(scripted(x)), wanted[n], atol=1e-6)
                if order.integers(20) == 0:
                    scripted.compile(x)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert not failures and not any(worker.is_alive() for worker in workers)
    (version,) = scripted._versions.values()
    executor = version.executor
    fixed = [each for each in executor.versions if each.layouts]
    assert len(special(scripted)) == len(executor.versions) and len(fixed) == 2
    assert 0 < len(executor.entered) <= 5  # a tensor, and arrays of two dtypes and two ranks


SCRIPT = """
import builtins
import numpy as np, jitlang as jl
from jitlang import Tensor

def shifted(x: Tensor) -> Tensor:
    return x.tanh() * 2 + 1

class Late:
    def __init__(self):
        self.call, self.x = jl.script(shifted), np.ones(1 << 19, "float32")
        for _ in range(4):
            self.call(self.x)
        assert self.call._entry is not None
    def __del__(self):
        self.call(self.x)
builtins.late = Late()
late.itself = late
"""


def test_calls_at_the_end_of_the_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "late.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
