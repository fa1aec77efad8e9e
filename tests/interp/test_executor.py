"""The phases of a signature: when what is compiled, what serves a call, and what `explain` says.

Static versions are stood in for by the interpreter behind a test of layouts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor, config
from jitlang.codegen import MISS
from jitlang.codegen.static import StaticFunction
from jitlang.frontend.arguments import unwrap
from jitlang.fuser.plan import Unsupported
from jitlang.interp.executor import (
    MAX_MISSES,
    MAX_WATCHED,
    TRANSITIONS,
    Event,
    Executor,
    Phase,
    Version,
)
from jitlang.interp.generic import Form
from jitlang.interp.layout import layouts_of
from jitlang.interp.machine import assemble
from jitlang.ir.graph import Graph
from jitlang.ir.parser import parse_graph

DOUBLE = """
graph(%x : Tensor):
  %two : int = prim::Constant[value=2]()
  %y : Tensor = aten::mul(%x, %two)
  %z : Tensor = aten::relu(%y)
  return (%z)
"""


class Compiler:
    """Stands in for `compile_static`, and counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.count = 0
        self.gate: threading.Event | None = None

    def __call__(
        self,
        graph: Graph,
        inputs: Sequence[Any],
        callback_of: Callable[..., Any],
        *,
        any_size: bool = False,
        shapes: Sequence[Any] = (),
    ) -> StaticFunction:
        if any_size:
            raise Unsupported("one size only")
        self.count += 1
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        routine, layouts = assemble(graph), layouts_of(inputs)

        def function(*args: Any) -> Any:
            if layouts_of(args) != layouts:
                return MISS
            wrapped = [Tensor(a) if isinstance(a, np.ndarray) else a for a in args]
            result = routine(*wrapped)
            return unwrap(result) if isinstance(args[0], np.ndarray) else result

        return StaticFunction(function, graph, ["its layouts"], [], "")


def executor(error: Exception | None = None, text: str = DOUBLE) -> tuple[Executor, Compiler]:
    compiler = Compiler(error)
    return Executor(parse_graph(text), compiler), compiler


def call(run: Executor, *shape: int) -> None:
    """Call with ones of a shape, and look at the result."""
    result = run.run([jl.ones(*shape)], config.current())
    assert result.tolist() == (np.ones(shape) * 2).tolist()


def test_the_table_leads_from_cold_to_generic() -> None:
    reached = {Phase.COLD}
    for _ in Phase:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(Phase)
    assert {event for _, event in TRANSITIONS} == set(Event)
    assert not any(before is Phase.GENERIC for before, _ in TRANSITIONS)


def test_phases_of_a_signature_with_one_layout() -> None:
    run, compiler = executor()
    phases = [run.phase]
    for _ in range(5):
        call(run, 2, 3)
        phases.append(run.phase)
    assert phases == [
        Phase.COLD, Phase.PROFILING, Phase.PROFILING, *[Phase.SPECIALIZED] * 3
    ]  # fmt: skip
    assert compiler.count == 1
    found = run.explain()
    assert (found.calls, found.interpreted, found.generic_calls) == (5, 2, 0)
    assert [version.calls for version in found.versions] == [3]
    assert found.form is None


def test_a_layout_gets_a_version_when_it_keeps_coming_back() -> None:
    run, compiler = executor()
    for _ in range(3):
        call(run, 2, 3)
    for expected in (1, 1, 2, 2):
        call(run, 4)
        assert compiler.count == expected
    found = run.explain()
    assert found.form is Form.FUSED
    assert found.generic_calls == 2
    assert [version.calls for version in found.versions] == [2, 1]
    assert found.misses == {"argument x: rank 1, compiled for 2": 3}


def test_used_up_versions_leave_the_rest_to_the_generic_form() -> None:
    run, compiler = executor()
    for size in (2, 3, 4, 5, 6):
        for _ in range(4):
            call(run, size)
    assert run.phase is Phase.GENERIC
    assert compiler.count == 2
    found = run.explain()
    assert found.interpreted == 2
    assert found.generic_calls == 2 + 3 * 4
    call(run, 2)
    assert sum(version.calls for version in run.explain().versions) == 2 + 2 + 1


def test_the_version_used_last_is_tried_first() -> None:
    run, _ = executor()
    for size in (2, 3):
        for _ in range(4):
            call(run, size)
    assert [v.layouts[0].shape for v in run.versions] == [(3,), (2,)]
    call(run, 2)
    assert [v.layouts[0].shape for v in run.versions] == [(2,), (3,)]


def test_layouts_that_never_come_back_are_not_counted_for_ever() -> None:
    run, compiler = executor()
    for size in range(1, 200):
        call(run, size)
    assert compiler.count == 0
    assert run.phase is Phase.GENERIC
    assert len(run.profile.layouts) <= MAX_WATCHED + 3 + MAX_MISSES


def test_a_graph_without_static_form_goes_straight_to_generic() -> None:
    run, compiler = executor(Unsupported("no native form here"))
    for _ in range(5):
        call(run, 2)
    assert run.phase is Phase.GENERIC
    assert compiler.count == 1
    found = run.explain()
    assert found.not_specialized == "no native form here"
    assert (found.form, found.generic_calls) == (Form.FUSED, 3)


def test_a_failing_compiler_is_no_matter_of_the_caller() -> None:
    run, _ = executor(ZeroDivisionError("a bug"))
    with config.override(verify=False):
        for _ in range(5):
            call(run, 2)
    assert run.explain().failures == ["ZeroDivisionError: a bug"]
    run, _ = executor(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError), config.override(verify=True, num_profiled_runs=0):
        call(run, 2)


@pytest.mark.parametrize("runs", [0, 1, 5])
def test_num_profiled_runs(runs: int) -> None:
    run, compiler = executor()
    with config.override(num_profiled_runs=runs):
        for _ in range(runs):
            call(run, 2)
        assert compiler.count == 0
        call(run, 2)
        assert compiler.count == 1
    assert run.explain().interpreted == runs


@pytest.mark.parametrize("count", [0, 1, 4])
def test_as_many_versions_as_the_settings_allow(count: int) -> None:
    run, compiler = executor()
    with config.override(static_versions=count):
        for size in range(1, 8):
            for _ in range(4):
                call(run, size)
    assert len(run.versions) == compiler.count == count


def test_foreign_arguments_never_get_a_version() -> None:
    run, compiler = executor()
    for _ in range(6):
        foreign = Tensor(np.ones(3, np.float32).astype(">f4"))
        assert run.run([foreign], config.current()).tolist() == [2, 2, 2]
    assert compiler.count == 0
    for _ in range(4):
        call(run, 3)
    assert compiler.count == 1


def test_raw_arrays_reach_a_version_as_they_were_given() -> None:
    run, _ = executor()
    array = np.ones(3, np.float32)
    results = [run.run([Tensor(array)], config.current(), [array]) for _ in range(4)]
    assert [type(result) for result in results] == [Tensor, Tensor, np.ndarray, np.ndarray]


def test_compile_makes_a_version_before_any_call() -> None:
    run, compiler = executor()
    run.compile([jl.ones(3)])
    run.compile([jl.ones(3)])
    assert (run.phase, compiler.count) == (Phase.SPECIALIZED, 1)
    call(run, 3)
    assert run.explain().interpreted == 0


def test_compile_drops_the_version_that_was_not_used_for_longest() -> None:
    run, _ = executor()
    added: list[Version] = []
    retired: list[Version] = []
    run.on_version, run.on_retire = added.append, retired.append
    for size in (1, 2, 3):
        run.compile([jl.ones(size)])
    assert [version.layouts[0].shape for version in added] == [(1,), (2,), (3,)]
    assert retired == [added[0]]
    run.retire()
    assert set(retired) == set(added)
    assert run.versions == ()


def test_graph_for_gives_the_graph_of_the_layout() -> None:
    run, _ = executor()
    assert run.graph_for([jl.ones(3)]) is run.versions[0].compiled.graph
    run, _ = executor(Unsupported("no"))
    assert "FusionGroup" in str(run.graph_for([jl.ones(3)]))


def test_explanation_reads_well() -> None:
    run, _ = executor()
    for shape in [(2, 3)] * 3 + [(3, 2)]:
        call(run, *shape)
    assert str(run.explain()).splitlines() == [
        "phase: specialized after 4 calls",
        "seen 3 times: x: Tensor float32 (2, 3), strides (12, 4)",
        "seen 1 times: x: Tensor float32 (3, 2), strides (8, 4)",
        "static version: 1 calls",
        "  x: Tensor float32 (2, 3), strides (12, 4)",
        "  guard: its layouts",
        "  native: 2 nodes, in Python: 0",
        "all layouts: fused, 1 calls",
        "not native: its kernels are called from the interpreter",
        "fused: aten::mul, aten::relu",
        "missed 1 times: argument x: shape (3, 2), compiled for (2, 3)",
    ]


def test_no_call_waits_for_the_compilation_of_another_thread() -> None:
    run, compiler = executor()
    call(run, 2)
    call(run, 2)
    compiler.gate = threading.Event()
    waiting = threading.Thread(target=call, args=(run, 2))
    waiting.start()
    while not compiler.count:
        pass
    call(run, 2)
    call(run, 5)
    assert run.explain().interpreted == 4
    compiler.gate.set()
    waiting.join()
    assert [version.calls for version in run.versions] == [1]


MISSES = [
    (np.ones(3), np.ones(3, np.float32), "argument a: dtype float64, compiled for float32"),
    (np.ones((2, 3)).T, np.ones((3, 2)), "argument a: strides (8, 24), compiled for (16, 8)"),
    (np.ones(3), Tensor(np.ones(3)), "argument a: ndarray, compiled for Tensor"),
    (1, 1.0, "argument a: int, compiled for float"),
    (None, 1.0, "argument a: None, compiled for float"),
    ([1, 2], [1], "argument a: length 2, compiled for 1"),
    ((1, None), (1, 2), "argument a[1]: None, compiled for int"),
    ({"k": 1}, {"k": None}, "argument a['k']: int, compiled for None"),
    ({"k": 1}, {"l": 1}, "argument a: keys ['k'], compiled for ['l']"),
]


@pytest.mark.parametrize(("given", "compiled", "reason"), MISSES)
def test_a_miss_says_what_differs(given: Any, compiled: Any, reason: str) -> None:
    run, _ = executor(text="graph(%a : Any):\n  return (%a)")
    run.compile([compiled])
    run.run([given], config.current())
    assert list(run.explain().misses) == [reason]


def test_branches_and_trips_are_counted_while_profiling() -> None:
    def walk(n: int, x: Tensor | None) -> int:
        total = 0
        for i in range(n):
            if i % 3 == 0:
                total += 1
            while total > 100:
                total -= 1
        if x is not None:
            total += 1
        return total

    fn = jl.script(walk)
    assert [fn(10, None) for _ in range(4)] == [walk(10, None)] * 4
    found = fn.explain()
    counts = [line.partition(": ")[2] for line in found.flow]
    expected = ["20 trips in 2 runs", "taken 8 of 20 times", "0 trips in 20 runs"]
    assert counts == [*expected, "taken 0 of 2 times"]
    assert all("test_executor.py" in line for line in found.flow)
    assert found.seen == {"n: int, x: None": 3}


def test_a_version_for_all_sizes_when_the_others_are_used_up() -> None:
    script = jl.script(pointwise)
    shapes = [(2,), (3,), (4,)]
    for shape in [*shapes * 5, (5, 6), (7,)]:
        x = jl.randn(*shape)
        assert script(x).tolist() == (x * 2).relu().tolist()
    explanation = script.explain()
    assert explanation.phase is Phase.GENERIC
    assert "x: Tensor float32 of any sizes, contiguous" in str(explanation)
    before = explanation.generic_calls
    for size in range(10, 30):
        script(jl.ones(size))
    assert script.explain().generic_calls == before
    assert script(jl.ones(4, 3).t()).shape == (3, 4)
    assert script.explain().generic_calls == before + 1


def pointwise(x: Tensor) -> Tensor:
    return (x * 2).relu()


def test_a_version_for_all_sizes_outlives_those_of_one_layout() -> None:
    run, compiler = executor()
    any_size = Version((), compiler(run.graph, [jl.ones(7)], None))
    run.versions = (any_size,)
    for size in (1, 2, 3):
        run.compile([jl.ones(size)])
    assert [version.layouts != () for version in run.versions] == [True, True, False]
    assert run.versions[-1] is any_size


def test_kernels_show_generated_code() -> None:
    fn = jl.script(shares)
    fn.compile(jl.ones(2, 3))
    with config.override(static_versions=0, num_profiled_runs=0):
        other = jl.script(shares)
        other(jl.ones(2, 3))
    for each in (fn, other):
        assert each.kernels
        assert all("define " in kernel.text for kernel in each.kernels)


def shares(x: Tensor) -> Tensor:
    return (x * 2 + 1).softmax(-1)


def test_numbers_divided_by_tensors_have_the_dtype_that_both_have():
    def quotient(n: jl.Tensor, number: int) -> jl.Tensor:
        return number // n

    def fraction(n: jl.Tensor) -> jl.Tensor:
        return 7.5 // n

    cases = [
        jl.tensor([2, 3, 5]), jl.tensor([2, 3], dtype=jl.int32), jl.tensor(2, dtype=jl.int32),
        jl.tensor([2.0, 3.0], dtype=jl.float64),
    ]  # fmt: skip
    for function, more in ((quotient, (7,)), (fraction, ())):
        script = jl.script(function)
        for n in cases:
            expected = function(n, *more)
            for _ in range(4):
                found = script(n, *more)
                assert found.dtype is expected.dtype and found.tolist() == expected.tolist()
    script = jl.script(quotient)
    for _ in range(4):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            script(jl.tensor([1, 0]), 7)
