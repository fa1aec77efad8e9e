"""The benchmarks measure what they say: statistics, checks, calls, and the page that they write."""

from __future__ import annotations

import types

import numpy as np
import pytest

import jitlang as jl
from benchmarks import document, models, peers, pool, stolen
from benchmarks.facts import Fact
from benchmarks.harness import Variant, Workload, assert_close, measure, timing_loop
from benchmarks.pool import Pool
from benchmarks.processes import Outcome
from benchmarks.statistics import Target, ratio_of, timing_of
from benchmarks.workloads import WORKLOADS, build

HEAVY = ("gelu-1e7", "lstm-large", "mi-lstm", "layer-norm-lstm")


@pytest.fixture(autouse=True)
def small_pool(monkeypatch):
    monkeypatch.setattr(pool, "pool_bytes", lambda: 2**26)


def doubling(**variants):
    """A workload whose reference doubles four numbers."""
    return Workload(
        name="doubling",
        variants={"reference": Variant(lambda x: x * 2), **variants},
        inputs=lambda pool: (pool.normal(4),),
    )


# The machine --------------------------------------------------------------------------------------


def test_stolen_time_is_a_share(tmp_path, monkeypatch):
    counters = tmp_path / "stat"
    monkeypatch.setattr(stolen, "COUNTERS", counters)
    assert stolen.ticks() is None and stolen.share_since(None) is None
    counters.write_text("cpu  100 0 50 800 0 0 0 50 90 0\ncpu0 1 2 3\n")
    before = stolen.ticks()
    assert before == (50, 1000)
    assert stolen.share_since(before) is None
    counters.write_text("cpu  130 0 50 830 0 0 0 90 95 0\n")
    assert stolen.share_since(before) == 0.4


# Statistics ---------------------------------------------------------------------------------------


def test_the_time_is_the_median_of_the_processes_medians():
    assert timing_of([[1, 2, 30], [4, 5, 6], [7, 8, 9]]).median == 5


def test_a_ratio_is_to_the_quickest_baseline():
    samples = {"a": [[3.0, 3.0]], "b": [[2.0, 2.0]], "c": [[6.0, 6.0]]}
    ratio = ratio_of(samples, Target("a", ("b", "c", "missing"), 1.5))
    assert (ratio.baseline, ratio.ratio, ratio.interval, ratio.met) == ("b", 1.5, (1.5, 1.5), True)


def test_a_target_is_missed_where_only_the_median_meets_it():
    samples = {"a": [[1.0, 1.0, 9.0]] * 5, "b": [[1.0, 1.0, 1.0]] * 5}
    ratio = ratio_of(samples, Target("a", ("b",), 1.0))
    assert ratio.ratio == 1.0
    assert ratio.interval[1] > 1.0
    assert not ratio.met


def test_processes_that_disagree_widen_the_interval():
    steady = {"a": [[2.0] * 9] * 5, "b": [[1.0] * 9] * 5}
    uneven = {"a": [[t] * 9 for t in (1.0, 1.5, 2.0, 2.5, 3.0)], "b": [[1.0] * 9] * 5}
    target = Target("a", ("b",), 1.0)
    assert ratio_of(steady, target).interval == (2.0, 2.0)
    low, high = ratio_of(uneven, target).interval
    assert low < 2.0 < high


def test_no_baseline_no_ratio():
    assert ratio_of({"a": [[1.0]]}, Target("a", ("b",), 1.0)) is None


# Measuring ----------------------------------------------------------------------------------------


def test_every_variant_is_measured():
    found = measure(doubling(other=Variant(lambda x: x + x)), Pool(0), 0.0)
    assert found.failures == {}
    assert {name: len(taken) for name, taken in found.samples.items()} == {
        "reference": 5,
        "other": 5,
    }


def test_wrong_and_failing_variants_are_named_and_left_out():
    def fails(x):
        raise ValueError("no luck")

    wrong = Variant(lambda x: x * 3)
    found = measure(doubling(wrong=wrong, fails=Variant(fails)), Pool(0), 0.0)
    assert list(found.samples) == ["reference"]
    assert found.failures["fails"] == "ValueError: no luck"
    assert found.failures["wrong"].startswith("AssertionError")


def test_a_yardstick_is_not_compared():
    other = Variant(lambda x: None, is_yardstick=True, scale=10.0)
    assert "other" in measure(doubling(other=other), Pool(0), 0.0).samples


def test_calls_are_made_as_users_write_them():
    seen = []
    loop = timing_loop(2, ("x", "y"))
    loop(lambda **given: seen.append(given), [(1, 2), (3, 4)], lambda: 0.0)
    assert seen == [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    assert timing_loop(0, ())(lambda: 5, [(), ()], lambda: 0.0) == (0.0, 5)


def test_what_was_never_written_is_found():
    expected = np.ones(10**6, np.float32)
    actual = expected.copy()
    assert_close(actual, expected, 0.0)
    actual[12345] = np.nan
    with pytest.raises(AssertionError, match="NaN"):
        assert_close(actual, expected, 0.0)


def test_inputs_are_views_of_a_pool_larger_than_the_cache(monkeypatch):
    monkeypatch.undo()
    assert pool.pool_bytes() > min(pool.last_level_cache_bytes(), 2**30)
    monkeypatch.setattr(pool, "pool_bytes", lambda: 2**20)
    drawn = [Pool(0).normal(3, 4) for _ in range(2)]
    np.testing.assert_array_equal(*drawn)
    source = Pool(1)
    first, second = source.normal(1000), source.normal(1000, scale=0.5)
    assert first.ctypes.data % pool.ALIGNMENT == 0
    assert 0.9 < first.std() < 1.1
    assert 0.45 < second.std() < 0.55


# Workloads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in HEAVY else []) for n in WORKLOADS]
)
def test_all_variants_of_a_workload_agree(name):
    workload = build(name)
    found = measure(workload, Pool(0), 0.0)
    assert found.failures == {}
    assert set(found.samples) == set(workload.variants)
    subjects = {target.subject for target in workload.targets}
    assert subjects <= set(workload.variants)


def test_a_function_is_carried_over_to_torch(monkeypatch):
    torch = types.SimpleNamespace(Tensor=float, stack=sum)
    monkeypatch.setattr(peers, "torch", torch)
    carried = peers.under_torch(models.lstm)
    names = carried.__globals__
    assert names["torch"] is torch
    assert names["Tensor"] is float
    assert names["lstm_cell"].__globals__ is names
    assert models.lstm.__globals__["torch"] is jl


# The page -----------------------------------------------------------------------------------------


def outcome(**samples):
    line = {
        "title": "a workload",
        "samples": samples,
        "failures": {"broken": "ValueError: no luck"},
        "targets": [{"subject": "jitlang", "baselines": ["numpy"], "limit": 1.0}],
    }
    found = Outcome("name", 2)
    found.add(line)
    found.drop_incomplete()
    return found


def test_the_table_shows_the_quickest_of_each_family():
    times = document.quickest(
        outcome(**{"jitlang": [2.0], "jitlang arrays": [1.0], "numba": [4.0], "numba fast": [3.0]})
    )
    assert times == {"jitlang": (2.0, "jitlang"), "numba": (3.0, "numba fast")}


def test_the_page_keeps_what_stands_around_the_marks(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{document.BEGIN}\nold\n{document.END}\n\nafter\n")
    monkeypatch.setattr(document, "PAGE", page)
    about = {
        "processor": "P", "cores": 2, "cache_bytes": 2**25, "system": "S", "python": "3",
        "versions": {"numpy": "2"}, "stolen": 0.25,
    }  # fmt: skip
    facts = [Fact("import", "jitlang", 0.2, limit=0.3), Fact("compiles", "jitlang", 30, "", 20)]
    measured = outcome(jitlang=[1.0, 1.0], numpy=[2.0, 2.0])
    document.write_page(document.section({2: [measured]}, facts, about))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "gave 25% of the processors' time to others" in text
    assert "| a workload | jitlang / numpy: 0.50 | 0.50 to 0.50 | 1 | met |" in text
    assert "| import | jitlang | 200 ms | 300 ms | met |" in text
    assert "| compiles | jitlang | 30 | 20 | missed |" in text
    assert "broken: ValueError: no luck" in text
