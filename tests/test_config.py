"""Settings: who sees which, and who is told of changes."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

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
