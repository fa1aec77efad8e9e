"""What services do to a library: many threads, forks, interrupts, exits, damaged files.

The slow tests are the same at full length.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor, config
from jitlang.codegen.cache import MAGIC
from jitlang.codegen.llvm import compile_module, forget_libraries
from jitlang.codegen.target import host

ROOT = Path(jl.__file__).parent.parent


def run_program(folder: Path, program: str, *args: object, timeout: float = 60) -> str:
    """What a program prints, in a process of its own, with objects kept in the folder."""
    file = folder / "program.py"
    file.write_text(program)
    environment = {"JITLANG_CACHE_DIR": str(folder / "objects"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(file), *map(str, args)], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


# Threads ------------------------------------------------------------------------------------------


def mix(x: Tensor, y: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    total = x * scale
    for _ in range(3):
        total = (total + y).tanh()
    return total, total.softmax(-1)


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def call_from_threads(fn: jl.ScriptFunction, seconds: float) -> tuple[int, list[str], list[int]]:
    """Calls, mistakes, and memory in use at the middle and the end."""
    end = time.perf_counter() + seconds
    calls, mistakes, memory = [0] * 8, [], []
    shapes = [(rows, columns) for rows in (1, 2, 7, 33) for columns in (1, 16, 300)]
    with config.override(exact=True):
        cases = []
        for shape in shapes:
            x = Tensor(np.random.default_rng(0).normal(size=shape).astype(np.float32))
            y = Tensor(np.random.default_rng(1).normal(size=shape[1:]).astype(np.float32))
            cases.append((x, y, [each.numpy() for each in fn(x, y, 1.5)]))

    def work(number: int) -> None:
        chosen = random.Random(number)
        while time.perf_counter() < end and not mistakes:
            x, y, wanted = chosen.choice(cases)
            found = fn(x, y, 1.5)
            calls[number] += 1
            for got, right in zip(found, wanted, strict=True):
                if not np.allclose(got.numpy(), right, rtol=1e-5, atol=1e-6):
                    mistakes.append(f"{x.shape}: {np.abs(got.numpy() - right).max()}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        left = end - time.perf_counter()
        time.sleep(max(min(left, seconds / 2), 0.01))
        memory.append(resident())
    for thread in threads:
        thread.join()
    return sum(calls), mistakes, [memory[0], memory[-1]]


@pytest.mark.parametrize("executor", ["blocking", "background"])
@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_eight_threads_call_one_function(seconds: int, executor: str) -> None:
    with config.override(verify=False):
        before = config.process()
        config.set(executor=executor)
        try:
            calls, mistakes, memory = call_from_threads(jl.script(mix), seconds)
        finally:
            config.set(executor=before.executor)
    assert not mistakes
    assert calls > 100
    assert memory[1] - memory[0] < 40 << 20, memory


# Forks and exits ----------------------------------------------------------------------------------

PARALLEL = """
import os, sys, threading, time
import numpy as np
import jitlang as jl
from jitlang import Tensor
@jl.script
def wave(x: Tensor) -> Tensor:
    return (x.sin() * 2 + 1).exp()
jl.set_num_threads(2)
x = Tensor(np.linspace(-1, 1, 3_000_000, dtype=np.float32))
for _ in range(4):
    wanted = wave(x).numpy()
"""

FORK = """
done = threading.Event()
def work():
    while not done.is_set():
        wave(x)
worker = threading.Thread(target=work)
worker.start()
statuses = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        for _ in range(3):
            assert (wave(x).numpy() == wanted).all()
        jl.script(wave.__jitlang_function__).compile(x)
        assert (wave(x).numpy() == wanted).all()
        os._exit(0)
    statuses.append(os.waitpid(child, 0)[1])
done.set()
worker.join()
assert (wave(x).numpy() == wanted).all()
print(set(statuses))
"""


@pytest.mark.parametrize("forks", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_a_fork_during_parallel_kernels(forks: int, tmp_path: Path) -> None:
    assert run_program(tmp_path, PARALLEL + FORK, forks, timeout=300) == "{0}\n"


def test_the_interpreter_ends_while_workers_are_parked(tmp_path: Path) -> None:
    assert run_program(tmp_path, PARALLEL + "print('end')") == "end\n"


def test_the_interpreter_ends_while_a_thread_runs_kernels(tmp_path: Path) -> None:
    program = """
def work():
    while True:
        wave(x)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
print('end')
"""
    assert run_program(tmp_path, PARALLEL + program) == "end\n"


# Interrupts ---------------------------------------------------------------------------------------


def count_for_ever(n: int) -> int:
    while n != -1:
        n = (n * 5 + 1) % 1000
    return n


def multiply_for_ever(x: Tensor, n: int) -> Tensor:
    while n != -1:
        x = x * 0.5 + 1.0
        n = (n + 1) % 1000
    return x


@pytest.mark.parametrize(
    ("fn", "arguments"),
    [(count_for_ever, (1,)), (multiply_for_ever, (jl.ones(4), 1))],
    ids=["numbers", "tensors"],
)
def test_an_endless_loop_is_interrupted(fn, arguments) -> None:
    script = jl.script(fn)
    script.compile(*arguments)
    assert min(seconds_to_interrupt(script, arguments) for _ in range(5)) < 0.1


def seconds_to_interrupt(script: jl.ScriptFunction, arguments: tuple[object, ...]) -> float:
    """How long a call goes on after Ctrl-C."""
    pressed = []

    def press() -> None:
        time.sleep(0.2)
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    finger = threading.Thread(target=press)
    finger.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            script(*arguments)
        return time.perf_counter() - pressed[0]
    finally:
        finger.join()
        signal.signal(signal.SIGINT, before)


# The folder of objects ----------------------------------------------------------------------------

MODULE = "define i64 @f(i64 %x) {{\n  %y = add i64 %x, {number}\n  ret i64 %y\n}}\n"


def function_of(number: int):
    """A function that adds a number: compiled, or found in the folder."""
    library = compile_module(MODULE.format(number=number), ["f"])
    return library, library.function("f", ctypes.c_int64, ctypes.c_int64)


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(5):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


DAMAGES = {
    "flipped": flip,
    "flipped in the header": lambda d, rng: flip(d[:80], rng) + d[80:],
    "flipped in the object": lambda d, rng: d[:80] + flip(d[80:], rng),
    "truncated": lambda d, rng: d[: rng.randrange(len(d))],
    "empty": lambda d, rng: b"",
    "longer": lambda d, rng: d + b"\0",
    "of another version": lambda d, rng: d.replace(MAGIC, b"JLOBJ\x00\x00\x02", 1),
    "zeros": lambda d, rng: b"\0" * len(d),
    "an object without header": lambda d, rng: d[80:],
    "swapped": None,
}


def damage_and_rebuild(folder: Path, rounds: int) -> int:
    """Damage each entry in each way; returns how many were rebuilt."""
    rng = random.Random(rounds)
    rebuilt = 0
    host()  # has an entry of its own
    others = set(folder.glob("*.o"))
    for number in range(5):
        function_of(number)
    files = sorted(set(folder.glob("*.o")) - others)
    assert len(files) == 5
    for _ in range(rounds):
        for damage in DAMAGES.values():
            intact = {file: file.read_bytes() for file in files}
            for file, other in zip(files, [*files[1:], files[0]], strict=True):
                data = intact[file]
                file.write_bytes(intact[other] if damage is None else damage(data, rng))
            forget_libraries()
            for number in range(5):
                library, function = function_of(number)
                assert function(10) == 10 + number
                rebuilt += not library.was_cached
            forget_libraries()
            assert all(function_of(number)[0].was_cached for number in range(5))
            assert {file: file.read_bytes() for file in files} == intact
    return rebuilt


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_damaged_entries_are_rebuilt(rounds: int, tmp_path: Path) -> None:
    """In children, for LLVM aborts the process where it meets a damaged object."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from pathlib import Path
import test_robustness
folder = Path({str(tmp_path / "objects")!r})
print(test_robustness.damage_and_rebuild(folder, int(sys.argv[1])))
"""
    assert run_program(tmp_path, program, rounds, timeout=300) == f"{50 * rounds}\n"
