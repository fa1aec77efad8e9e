"""Modules become code, are found again by content, and damaged objects are never linked."""

import ctypes
import hashlib
import multiprocessing
import random

import pytest

from jitlang import config
from jitlang.codegen import cache, llvm

ADD = """
define i64 @add(i64 %a, i64 %b) {
  %c = add i64 %a, %b
  ret i64 %c
}
"""
CALL = """
declare i64 @host_function(i64)
define i64 @call(i64 %a) {
  %c = call i64 @host_function(i64 %a)
  ret i64 %c
}
"""
FORBIDDEN = """
declare double @sin(double)
define double @wave(double %a) {
  %c = call double @sin(double %a)
  ret double %c
}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path):
    llvm.forget_libraries()
    made = tmp_path / "objects"
    with config.override(cache_dir=str(made)):
        yield made
    llvm.forget_libraries()


def add():
    library = llvm.compile_module(ADD, ["add"])
    return library, library.function("add", ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def test_a_module_runs_and_is_found_again():
    library, function = add()
    assert function(40, 2) == 42
    assert add()[0] is library


def test_the_folder_serves_the_next_process(folder):
    assert not add()[0].was_cached
    llvm.forget_libraries()
    library, function = add()
    assert library.was_cached and function(40, 2) == 42
    assert folder.stat().st_mode & 0o777 == 0o700


def test_imported_symbols():
    host = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda a: a * 2)
    address = ctypes.cast(host, ctypes.c_void_p).value
    library = llvm.compile_module(CALL, ["call"], {"host_function": address})
    assert library.function("call", ctypes.c_int64, ctypes.c_int64)(21) == 42


def test_symbols_that_nobody_allowed():
    with pytest.raises(llvm.UnresolvedSymbols, match="needs sin"):
        llvm.compile_module(FORBIDDEN, ["wave"])
    with pytest.raises(llvm.UnresolvedSymbols, match="host_function"):
        llvm.compile_module(CALL, ["call"])


def test_bad_text_is_an_error():
    with pytest.raises(RuntimeError):
        llvm.compile_module("define i64 @f() { ret i32 0 }", ["f"])


def test_damaged_entries_are_rebuilt(folder):
    add()
    (entry,) = folder.iterdir()
    good = entry.read_bytes()
    rng = random.Random(0)
    for _ in range(100):
        data = bytearray(good)
        for _ in range(5):
            data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data))]
        entry.write_bytes(data)
        llvm.forget_libraries()
        library, function = add()
        assert function(1, 2) == 3 and not library.was_cached
        assert entry.read_bytes() == good


def test_an_entry_under_another_key_is_refused(folder):
    add()
    (entry,) = folder.iterdir()
    other = folder / ("0" * 64 + ".o")
    other.write_bytes(entry.read_bytes())
    assert cache.ObjectCache(folder).load(bytes(32)) is None
    assert not other.exists()


def test_a_folder_that_others_may_enter_is_not_used(folder):
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.warns(RuntimeWarning, match=f"others may enter it; `chmod 700 {folder}` mends"):
        assert cache.open_cache() is None
    assert add()[1](1, 2) == 3  # the warning comes once
    assert not list(folder.iterdir())


def test_what_is_no_folder_is_not_used(folder):
    folder.write_text("mine")
    with pytest.warns(RuntimeWarning, match="compiled objects are not kept in cache_dir .*exists"):
        assert cache.open_cache() is None
    assert folder.read_text() == "mine"


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.Path, "home", _no_home)
    with config.override(cache_dir=""):
        assert cache.open_cache() is None


def _no_home():
    raise RuntimeError("Could not determine home directory.")


def test_links_are_not_followed(folder, tmp_path):
    add()
    (entry,) = folder.iterdir()
    away = tmp_path / "away"
    entry.rename(away)
    entry.symlink_to(away)
    llvm.forget_libraries()
    assert not add()[0].was_cached


def test_no_cache():
    with config.override(cache_dir="off"):
        assert cache.open_cache() is None
        assert add()[1](1, 2) == 3


def test_the_folder_stays_bounded(folder, monkeypatch):
    """Though not every store looks at all of it, whoever stores."""
    folder.mkdir(mode=0o700)
    looks, sweep = [], cache.ObjectCache.sweep
    monkeypatch.setattr(
        cache.ObjectCache, "sweep", lambda self, limit: looks.append(sweep(self, limit))
    )
    keys = [hashlib.sha256(n.to_bytes(2, "big")).digest() for n in range(1000)]
    with config.override(cache_dir=str(folder), max_cache_bytes=10_000):
        for number, key in enumerate(keys, 1):
            cache.open_cache().store(key, bytes(1000))
            assert number % 50 or len(list(folder.iterdir())) < 300
    assert len(keys) / 128 < len(looks) < len(keys) / 32
    cache.open_cache().sweep(10_000)
    kept = list(folder.iterdir())
    assert 1 <= len(kept) and sum(path.stat().st_size for path in kept) <= 10_000
    assert cache.ObjectCache(folder).load(keys[-1]) == bytes(1000)


def _store_many(folder, seed):
    store = cache.ObjectCache(folder)
    rng = random.Random(seed)
    for _ in range(300):
        n = rng.randrange(20)
        image = n.to_bytes(1, "big") * 5000
        store.store(n.to_bytes(32, "big"), image)
        found = store.load(rng.randrange(20).to_bytes(32, "big"))
        assert found is None or len(set(found)) == 1


def test_processes_share_the_folder(folder):
    folder.mkdir(mode=0o700)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_store_many, args=(folder, seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
