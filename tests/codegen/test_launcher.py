"""The native way to call a group: the same results, known layouts only, nothing leaked."""

import gc
import os
import sys
import threading
import weakref

import numpy as np
import pytest
from differential import same_bits
from test_groups import LAST, NONE, REDUCTIONS, YES, group

from jitlang import config
from jitlang.codegen import threads
from jitlang.codegen.fused import run_reference
from jitlang.codegen.launcher import MAX_RECORDS
from jitlang.codegen.objects import is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="objects lie differently in memory here")
SCALED = (
    "%t : Tensor = aten::tanh(%x)", "%m : Tensor = aten::mul(%t, %s)",
    "%one : int = prim::Constant[value=1]()",
    "%y : Tensor = aten::add(%m, %one, %one)",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def no_folder():
    with config.override(cache_dir="off"):
        yield


def scaled():
    return group(*SCALED, inputs="%x : Tensor, %s : float")


def test_known_layouts_run_natively():
    kernel = scaled()
    call = kernel.native
    calls = []
    slow = kernel.launch_for
    kernel.launch_for = lambda arguments: calls.append(1) or slow(arguments)
    x = np.linspace(-3, 3, 40, dtype="float32").reshape(5, 8)
    for array in (x, x.T, x[::2], x.astype("float64")):
        first = call(array, 2.5)
        before = len(calls)
        for factor in (2.5, -1.0, float("inf")):
            assert same_bits(call(array, factor), run_reference(kernel.graph, [array, factor])[0])
        assert len(calls) == before
        assert same_bits(first, call(array, 2.5))


def test_what_does_not_fit_goes_the_slow_way():
    kernel = scaled()
    call, x = kernel.native, np.ones(4, "float32")
    call(x, 2.0)
    assert call(x, 2).dtype == np.float32
    assert same_bits(call(x, True), call(x, 1.0))
    assert call(np.ones(4, ">f4"), 2.0).shape == (4,)
    assert call(np.ma.masked_array(x), 2.0).shape == (4,)
    raw = np.zeros(17, "u1")[1:].view("f4")
    assert call(raw, 2.0).tolist() == [1, 1, 1, 1]
    with np.errstate(all="ignore"):
        assert same_bits(call(x, 10**30), run_reference(kernel.graph, [x, 10**30])[0])
    with pytest.raises(TypeError):
        call(x)
    with pytest.raises(TypeError):
        call(x, s=2.0)


def test_errors_release_what_was_made():
    kernel = group(
        "%q : Tensor = aten::floor_divide(%x, %z)", "%y : Tensor = aten::neg(%q)",
        inputs="%x : Tensor, %z : Tensor"
    )  # fmt: skip
    x, z = np.arange(8), np.full(8, 3)
    assert kernel.native(x, z).tolist() == (-(x // z)).tolist()
    z[5] = 0
    for _ in range(3):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            kernel.native(x, z)


def test_references_are_counted():
    kernel = scaled()
    call, x = kernel.native, np.ones(4, "float32")
    results = [call(x, 2.0) for _ in range(10)]
    before = sys.getrefcount(x.dtype), sys.getrefcount(x)
    for _ in range(1000):
        call(x, 2.0)
    assert (sys.getrefcount(x.dtype), sys.getrefcount(x)) == before
    count = sys.getrefcount(results.pop())
    assert count == 1
    alive = weakref.ref(kernel)
    del kernel
    assert alive() is not None and call(x, 2.0).shape == (4,)
    del call
    gc.collect()
    assert alive() is None


def test_the_chain_of_records_is_bounded():
    kernel = scaled()
    call = kernel.native
    for size in range(1, MAX_RECORDS + 5):
        x = np.ones(2 * size, "float32")[::2]
        assert same_bits(call(x, 2.0), kernel(x, 2.0)) and same_bits(call(x, 2.0), kernel(x, 2.0))
    assert kernel._native.records == MAX_RECORDS


def test_one_record_serves_all_sizes_in_order():
    kernel = group(
        "%e : Tensor = aten::exp(%x)",
        "%y : Tensor = aten::mul(%e, %z)",
        inputs="%x : Tensor, %z : Tensor",
    )
    call, rng = kernel.native, np.random.default_rng(0)
    call(np.ones(5, "float32"), np.ones(5, "float32"))
    for shape in ((7,), (0,), (3, 4), (1,), (2, 0, 3), (100_003,), (40, 50, 60)):
        x, z = rng.normal(size=(2, *shape)).astype("float32")
        assert same_bits(call(x, z), run_reference(kernel.graph, [x, z])[0])
    assert kernel._native.records == 1
    x = np.ones((4, 6), "float32")
    for other in (x[0], x.T.copy().T, x[:1], x[0, 0].reshape(()), x.astype("float64")):
        assert same_bits(call(x, other), run_reference(kernel.graph, [x, other])[0])
    assert kernel._native.records > 1


def test_several_results():
    kernel = group("%e : Tensor = aten::exp(%x)", "%y : Tensor = aten::sin(%e)", result="%y, %e")
    x = np.ones((3, 4), "float32")
    kernel.native(x)
    got = kernel.native(x)
    assert type(got) is tuple
    assert all(map(same_bits, got, run_reference(kernel.graph, [x])))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_threads_give_the_same_bits(name):
    kernel = group(LAST, "%l : int[] = prim::ListConstruct(%d)", YES, NONE, *REDUCTIONS[name])
    x = np.random.default_rng(0).normal(size=(700, 300)).astype("float32")
    with config.override(num_threads=1):
        alone = kernel(x)
    kernel = type(kernel)(kernel.graph)
    with config.override(num_threads=3):
        for call in (kernel, kernel.native, kernel.native):
            assert same_bits(call(x), alone)


def test_many_threads_call_one_kernel():
    kernel = scaled()
    call = kernel.native
    x = np.random.default_rng(0).normal(size=200_000).astype("float32")
    wanted = [call(x, float(n)) for n in range(4)]
    failures = []

    def work(number):
        for _ in range(20):
            if not same_bits(call(x, float(number)), wanted[number]):
                failures.append(number)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not failures and not any(worker.is_alive() for worker in workers)


def test_a_forked_child_has_threads_of_its_own():
    kernel = scaled()
    x = np.ones(300_000, "float32")
    with config.override(num_threads=2):
        wanted = kernel.native(x, 2.0)
        child = os.fork()
        if child == 0:
            right = same_bits(kernel.native(x, 2.0), wanted) and threads.parallel_address() != 0
            right = right and same_bits(kernel.native(x, 2.0), wanted)
            os._exit(0 if right else 1)
        _, status = os.waitpid(child, 0)
    assert status == 0
