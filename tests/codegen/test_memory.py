"""The cache of large blocks: what dies comes back, within bounds, and nobody can tell."""

import ctypes
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from test_objects import WORD, WORDS, native, words

from jitlang import config
from jitlang.codegen import memory
from jitlang.codegen.objects import is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="objects lie differently in memory here")

F64 = np.dtype("float64")
LARGE = memory.LARGE // 8


@pytest.fixture(autouse=True)
def empty_cache():
    with config.override(cache_dir="off"):
        memory.release_cached()
    yield
    memory.release_cached()


@pytest.fixture
def limit():
    """Sets the limit of the cache in bytes; the old one comes back."""
    before = config.process().max_cached_memory
    yield lambda size: config.set(max_cached_memory=size)
    config.set(max_cached_memory=before)


def new(*shape):
    call = native("jitlang_new_array", ctypes.py_object, ctypes.py_object, WORD, WORDS, WORDS)
    return call(F64, len(shape), words(shape), None)


def test_memory_of_dead_arrays_is_used_again():
    first = new(3, LARGE)
    place = first.ctypes.data
    view = first[1]
    del first
    assert memory.cached_bytes() == 0
    del view
    assert memory.cached_bytes() >= 3 * memory.LARGE
    assert new(3 * LARGE + 5).ctypes.data == place
    assert new(LARGE).ctypes.data != place  # too small for that block
    memory.release_cached()
    assert memory.cached_bytes() == 0


def test_small_arrays_stay_with_numpy():
    new(LARGE - 1)
    assert memory.cached_bytes() == 0


def test_arrays_look_like_any_other():
    large, plain = new(2, LARGE), np.empty((2, LARGE))
    for name in ("owndata", "writeable", "aligned", "c_contiguous"):
        assert getattr(large.flags, name) == getattr(plain.flags, name)
    assert large.base is None and large.ctypes.data % 64 == 0
    assert sys.getrefcount(large) == sys.getrefcount(plain)


def test_other_arrays_keep_their_allocator():
    new(LARGE)
    kept = memory.cached_bytes()
    other = np.empty(LARGE)
    del other
    assert memory.cached_bytes() == kept


def test_arrays_can_be_resized():
    array = new(LARGE)
    array[...] = np.arange(LARGE)
    array.resize(5 * LARGE, refcheck=False)
    assert (array[:LARGE] == np.arange(LARGE)).all() and not array[LARGE:].any()
    array.resize(10, refcheck=False)
    assert array.tolist() == list(range(10))


def test_the_cache_is_bounded(limit):
    limit(8 * memory.LARGE)
    arrays = [new(LARGE) for _ in range(20)]
    newest = arrays[-1].ctypes.data
    while arrays:
        del arrays[0]
    assert 0 < memory.cached_bytes() <= 8 * memory.LARGE
    assert new(LARGE).ctypes.data == newest
    new(9 * LARGE)
    assert memory.cached_bytes() <= 8 * memory.LARGE
    limit(2 * memory.LARGE)
    assert 0 < memory.cached_bytes() <= 2 * memory.LARGE
    limit(0)
    new(LARGE)
    assert memory.cached_bytes() == 0


def test_the_cache_holds_a_bounded_number_of_blocks(limit):
    limit(1 << 40)
    arrays = [new(LARGE) for _ in range(40)]
    size = memory.LARGE + (1 << 16)
    del arrays
    assert 31 * size <= memory.cached_bytes() <= 32 * size


def test_failure_empties_the_cache():
    new(LARGE)
    with pytest.raises(MemoryError):
        new(1 << 43)
    assert memory.cached_bytes() == 0


def test_threads_never_share_a_block():
    failures = []

    def work(number):
        rng = np.random.default_rng(number)
        held = []
        for turn in range(40):
            array = new(int(rng.integers(LARGE, 2 * LARGE)))
            mark = number * 1000 + turn
            array[...] = mark
            held.append((mark, array))
            if len(held) > 3:
                mark, array = held.pop(int(rng.integers(3)))
                if not (array == mark).all():
                    failures.append(mark)
            array = None

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not failures and not any(worker.is_alive() for worker in workers)


SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {codegen!r}]
from test_memory import new
class Late:
    array = new(1 << 20)
    def __del__(self):
        self.array = new(1 << 21)
late, large = Late(), new(1 << 20)
late.itself = late
"""


def test_arrays_may_outlive_everything():
    tests = Path(__file__).parent.parent
    script = SCRIPT.format(tests=str(tests), codegen=str(tests / "codegen"))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tests.parent, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
