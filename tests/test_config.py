"""Settings: who sees which, and who is told of changes."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

import jitlang as jl
from jitlang import config


@contextmanager
def watched():
    """What a watcher reads whenever it is told of a change."""
    seen = []
    watcher = lambda: seen.append((config.all_plain(), config.process().num_threads))  # noqa: E731
    config.watch(watcher)
    try:
        yield seen
    finally:
        config._watchers.remove(watcher)


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="unknown setting 'exakt'"):
        config.set(exakt=True)
    with pytest.raises(ValueError, match="unknown setting 'exakt'"), config.override(exakt=True):
        pass
    assert config.all_plain()


def test_overrides_nest_and_end():
    assert config.all_plain()
    with config.override(exact=True):
        assert not config.all_plain()
        with config.override(exact=False, num_threads=2) as inner:
            assert inner.num_threads == 2 and inner.is_plain
            assert not config.all_plain()  # the outer one is still there
        assert config.current().exact
    assert config.all_plain() and not config.current().exact
    with config.override(num_threads=2):
        assert config.all_plain()
    for flag, value in (("disable", True), ("native", False), ("exact", True)):
        with pytest.raises(KeyError), config.override(**{flag: value}):
            assert not config.all_plain()
            raise KeyError
        assert config.all_plain()


def test_watchers_hear_of_every_change():
    before = config.process()
    with watched() as seen:
        assert seen == [(True, before.num_threads)]
        with config.override(exact=True):
            assert seen[-1][0] is False
        assert seen[-1][0] is True
        config.set(num_threads=before.num_threads + 1)
        assert seen[-1] == (True, before.num_threads + 1)
        config.set(num_threads=before.num_threads, native=False)
        assert seen[-1] == (False, before.num_threads)
        config.set(native=before.native)
        assert seen[-1][0] is True


def test_an_override_holds_in_its_thread_only():
    seen = []
    with config.override(exact=True):
        worker = threading.Thread(target=lambda: seen.append(config.current().exact))
        worker.start()
        worker.join()
    assert seen == [False]


def test_a_task_keeps_the_settings_it_was_started_with():
    async def read(gate):
        await gate.wait()
        return config.current().exact, config.all_plain()

    async def main():
        gate = asyncio.Event()
        with config.override(exact=True):
            task = asyncio.create_task(read(gate))
        assert not config.current().exact and not config.all_plain()
        gate.set()
        return await task

    assert asyncio.run(main()) == (True, False)
    assert config.all_plain()


def test_threads_leave_nothing_behind():
    def work():
        for _ in range(200):
            with config.override(exact=True):
                assert not config.all_plain()

    with watched() as seen:
        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert seen[-1][0] is True and len(seen) == 1 + 2 * 8 * 200
    assert config.all_plain()


# Settings under torch's names ---------------------------------------------------------------------


@pytest.fixture
def as_before():
    before = config.process()
    yield
    config.set(**{f: getattr(before, f) for f in before.__slots__})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_profiled_runs": -1}, "num_profiled_runs must be at least 0, found -1"),
        ({"num_profiled_runs": "2"}, "num_profiled_runs must be an integer, found '2'"),
        ({"num_threads": True}, "num_threads must be an integer, found True"),
        ({"executor": "fast"}, "executor must be 'blocking' or 'background', found 'fast'"),
        ({"dynamic_classes": 0}, "dynamic_classes must be at least 1, found 0"),
    ],
)
def test_values_that_a_setting_cannot_have_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config.set(**changes)
    with pytest.raises(ValueError, match=message), config.override(**changes):
        pass


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("EXECUTOR", "fast", "executor must be 'blocking' or 'background'"),
        ("WARMUP", "two", "JITLANG_WARMUP must be an integer, found 'two'"),
        ("WARMUP", "-2", "num_profiled_runs must be at least 0"),
    ],
)
def test_the_environment_is_checked(name, text, message):
    with pytest.raises(ValueError, match=message):
        config.from_environment({f"JITLANG_{name}": text})


def test_the_environment_sets_the_executor():
    found = config.from_environment({"JITLANG_EXECUTOR": "background", "JITLANG_WARMUP": "5"})
    assert (found.executor, found.num_profiled_runs) == ("background", 5)


def test_setters_give_what_was_before(as_before):
    assert jl.set_num_profiled_runs(5) == 2
    assert jl.set_num_profiled_runs(2) == 5
    assert jl.set_executor("background") == "blocking"
    assert jl.set_executor("blocking") == "background"
    assert jl.set_fusion_strategy([("STATIC", 4)]) == [("STATIC", 2), ("DYNAMIC", 10)]
    assert jl.jit.set_fusion_strategy([("DYNAMIC", 3)]) == [("STATIC", 4), ("DYNAMIC", 10)]
    assert (config.process().static_versions, config.process().dynamic_classes) == (4, 3)


@pytest.mark.parametrize(
    "wrong", [["STATIC"], [("static", 2)], [("STATIC", 2, 3)], [("STATIC", 1), ("STATIC", 2)],
              [("STATIC", -1)], [("STATIC", "many")], [("STATIC", None)]]
)  # fmt: skip
def test_wrong_strategies_are_refused(wrong, as_before):
    with pytest.raises(ValueError):
        jl.set_fusion_strategy(wrong)
    assert jl.set_fusion_strategy([]) == [("STATIC", 2), ("DYNAMIC", 10)]


def test_optimized_execution_holds_for_a_stretch_of_code():
    with jl.optimized_execution(False):
        assert not config.current().native
        with jl.jit.optimized_execution(True):
            assert config.current().native
    assert config.current().native
