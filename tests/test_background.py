"""The worker that compiles off the calling thread, and the executor that uses it."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor, background, config
from jitlang.interp.executor import Phase
from jitlang.interp.generic import Form


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    assert background.wait(60)


def refuse(error: Exception) -> None:
    raise AssertionError from error


def spin(seconds: float) -> None:
    """Compute in Python, with calls."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


# The worker ---------------------------------------------------------------------------------------


def test_tasks_run_in_order_on_one_thread():
    seen = []
    for number in range(5):
        task = partial(lambda n: seen.append((n, background.is_worker())), number)
        background.submit(("order", number), task, refuse)
    assert background.wait(10)
    assert seen == [(number, True) for number in range(5)]
    assert not background.is_worker()


def test_a_key_waits_once():
    seen = []
    gate = threading.Event()
    background.submit("gate", gate.wait, refuse)
    for _ in range(5):
        background.submit("same", lambda: seen.append(1), refuse)
        background.submit("gate", refuse, refuse)
    gate.set()
    assert background.wait(10)
    assert seen == [1]


def test_few_tasks_wait():
    seen = []
    gate = threading.Event()
    background.submit("gate", gate.wait, refuse)
    for number in range(2 * background.MAX_WAITING):
        background.submit(number, partial(seen.append, number), refuse)
    gate.set()
    assert background.wait(10)
    assert len(seen) in (background.MAX_WAITING, background.MAX_WAITING - 1)


def test_a_failing_task_harms_nobody():
    failures, seen = [], []
    background.submit("bad", lambda: 1 // 0, failures.append)
    background.submit("good", lambda: seen.append(1), refuse)
    assert background.wait(10)
    assert [type(each) for each in failures] == [ZeroDivisionError]
    assert seen == [1]


def test_a_task_runs_under_the_settings_of_its_call():
    seen = []
    with config.override(opt_limit=7):
        background.submit("settings", lambda: seen.append(config.current().opt_limit), refuse)
    assert background.wait(10)
    assert seen == [7]


def test_the_worker_sleeps_between_slices(monkeypatch):
    sleeps = []
    nap = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: (sleeps.append(seconds), nap(seconds)))
    done = threading.Event()
    background.submit("long", lambda: (spin(0.2), done.set()), refuse)
    assert done.wait(10)
    assert len(sleeps) >= 5
    assert set(sleeps) == {background.PAUSE}
    sleeps.clear()
    background.submit("hurried", lambda: spin(0.2), refuse)
    assert background.wait(10)
    assert len(sleeps) <= 1


# The executor -------------------------------------------------------------------------------------


def chain(x: Tensor) -> Tensor:
    return (x.tanh() * 2 + 1).sigmoid() * x


@pytest.fixture
def in_background():
    with config.override(executor="background"):
        yield


def test_calls_are_served_while_compilation_goes_on(in_background):
    fn = jl.script(chain)
    x = Tensor(np.linspace(-2, 2, 50, dtype=np.float32))
    wanted = chain(x).numpy()
    gate = threading.Event()
    background.submit("gate", gate.wait, refuse)
    for _ in range(10):
        np.testing.assert_allclose(fn(x).numpy(), wanted, rtol=1e-6)
    assert fn.explain().interpreted == 10
    gate.set()
    for _ in range(4):
        assert background.wait(60)
        np.testing.assert_allclose(fn(x).numpy(), wanted, rtol=1e-6)
    found = fn.explain()
    assert found.interpreted < 14
    assert found.phase in (Phase.SPECIALIZED, Phase.GENERIC)
    fast = [version.calls for version in found.versions] or [found.generic_calls]
    assert sum(fast) > 0


def shares(x: Tensor) -> Tensor:
    return (x * 2 + 1).softmax(-1)


def test_kernels_of_new_layouts_are_compiled_in_the_background(in_background):
    fn = jl.script(shares)
    with config.override(static_versions=0):
        for size in (3, 4, 5):
            x = Tensor(np.linspace(0, 1, 7 * size, dtype=np.float32).reshape(size, 7))
            for _ in range(4):
                np.testing.assert_allclose(fn(x).numpy(), shares(x).numpy(), rtol=1e-6)
                assert background.wait(60)
    found = fn.explain()
    assert found.form is Form.FUSED
    assert any("in the background" in reason for reason in found.bailouts)


def test_errors_of_the_compiler_never_reach_the_caller(in_background, monkeypatch):
    def fail(*args):
        raise MemoryError("none left")

    executor = sys.modules["jitlang.interp.executor"]
    monkeypatch.setattr(executor, "make_generic", fail)
    fn = jl.script(chain)
    x = jl.ones(3)
    with config.override(static_versions=0):
        for _ in range(6):
            np.testing.assert_allclose(fn(x).numpy(), chain(x).numpy(), rtol=1e-6)
            assert background.wait(60)
    found = fn.explain()
    assert found.form is Form.INTERPRETED
    assert found.failures == ["MemoryError: none left"]


def test_an_explicit_compilation_does_not_wait_for_slices(in_background):
    fn = jl.script(chain)
    fn.compile(jl.ones(3))
    assert fn.explain().phase in (Phase.SPECIALIZED, Phase.GENERIC)
    assert fn.explain().interpreted == 0


# Exit and fork ------------------------------------------------------------------------------------

PROGRAM = """
import os, sys, time
import numpy as np
import jitlang as jl
from jitlang import Tensor, background
@jl.script
def f(x: Tensor) -> Tensor:
    return (((x.tanh() * 2 + 1).sigmoid() * x).exp() - x).softmax(0) * x.cos().erf()
x = Tensor(np.linspace(-1, 1, 300, dtype=np.float32))
calls = int(sys.argv[1])
"""


def run(folder: Path, program: str, *args: object) -> str:
    """What a program prints that has nothing compiled yet; it ends by itself, soon and well."""
    file = folder / "program.py"
    file.write_text(PROGRAM + program)
    environment = {
        "JITLANG_EXECUTOR": "background", "JITLANG_CACHE_DIR": str(folder / "objects"),
        "PYTHONPATH": str(Path(jl.__file__).parent.parent),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(file), *map(str, args)], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("moment", [0, 0.01, 0.05, 0.2, 0.5])
def test_the_interpreter_ends_while_something_is_compiled(moment, tmp_path):
    program = "for _ in range(calls): f(x)\ntime.sleep(float(sys.argv[2]))\nprint('end')"
    assert run(tmp_path, program, 5, moment) == "end\n"


FORK = """
wanted = f(x).numpy()
for _ in range(calls): f(x)
time.sleep(float(sys.argv[2]))
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        for _ in range(20):
            assert np.allclose(f(x).numpy(), wanted, rtol=1e-5)
        assert background.wait(50)
        assert np.allclose(f(x).numpy(), wanted, rtol=1e-5)
        g = jl.script(f.__jitlang_function__)
        g.compile(x)
        assert np.allclose(g(x).numpy(), wanted, rtol=1e-5)
        os._exit(0)
    children.append(child)
    time.sleep(0.02)
print([os.waitpid(child, 0)[1] for child in children])
"""


@pytest.mark.parametrize("moment", [0, 0.03, 0.1, 0.3])
def test_a_child_forked_while_something_is_compiled_compiles_for_itself(moment, tmp_path):
    assert run(tmp_path, FORK, 5, moment) == "[0, 0, 0, 0]\n"


def test_contexts_are_not_shared():
    """The settings of one task are none of the next one's."""
    variable = contextvars.ContextVar("variable", default=0)
    seen = []
    background.submit("first", lambda: variable.set(1), refuse)
    background.submit("second", lambda: seen.append(variable.get()), refuse)
    assert background.wait(10)
    assert seen == [0]
