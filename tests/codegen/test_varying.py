"""Native functions for sizes that vary, against the interpreter's exact reading."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor, background, config
from jitlang.codegen import MISS, compile_static, rows, varying_code
from jitlang.codegen.amounts import Amount, Learner, value_for
from jitlang.codegen.static import StaticFunction
from jitlang.codegen.varying import find_varying
from jitlang.codegen.varying_code import VaryingEmitter
from jitlang.fuser.plan import Unsupported
from jitlang.interp.callback import callback_of
from jitlang.interp.machine import Routine, assemble

Sizes = tuple[int, ...]


def made(*shape: int, seed: int = 0) -> Tensor:
    return jl.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))


def varying(
    function: Callable[..., Any], *calls: tuple[Any, ...]
) -> tuple[StaticFunction, Routine]:
    """The function for what varies between calls, and the exact interpreter."""
    script = jl.script(function)
    given, _, arguments, _ = script._enter(calls[-1], {})
    graph = script._version(given).optimized
    seen = [tuple(a.shape for a in call if isinstance(a, Tensor | np.ndarray)) for call in calls]
    version = compile_static(graph, arguments, callback_of, any_size=True, shapes=seen)
    return version, assemble(graph, exact=True)


def assert_alike(found: Any, expected: Any) -> None:
    assert found is not MISS
    if isinstance(expected, tuple):
        for each, other in zip(found, expected, strict=True):
            assert_alike(each, other)
        return
    assert type(found) is type(expected)
    assert found.shape == expected.shape and found.dtype is expected.dtype
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=2e-5, atol=2e-5)


# What runs ----------------------------------------------------------------------------------------


def softmax(x: Tensor) -> Tensor:
    return (x * 2).softmax(-1)


def across(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.softmax(0), x.amax(0)


def normalised(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias


def with_bias(x: Tensor, bias: Tensor) -> Tensor:
    return (x + bias).relu()


def outer(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    product = x.unsqueeze(1) * y
    return product, product.sum(0)


def reshaped(x: Tensor) -> Tensor:
    n, m = x.shape
    parts = (x.view(n, 4, -1).exp() + m).transpose(0, 1)
    return parts.reshape(x.size(0), m) / x.shape[1]


def halves(x: Tensor) -> Tensor:
    a, b = x.chunk(2, 1)
    return a * b.sigmoid()


def joined(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return jl.cat([x, y * 2], 1).relu(), jl.stack([x, x + 1], 1)


def one_after_the_other(x: Tensor, y: Tensor) -> Tensor:
    return jl.cat([x, y.exp()]) * 2


def over_time(xs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        state = (state * 0.5 + x).tanh()
        outputs.append(state)
    return state, state.sum()


def branching(x: Tensor, scale: float) -> Tensor:
    if x.size(0) > 10:
        x = x * scale
    return x.log_softmax(-1)


def picked(x: Tensor, index: int) -> Tensor:
    return x[index] * 2 + x.sum(0)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return jl.linear(x, weight, bias).relu()


def two_layers(x: Tensor, w: Tensor, b: Tensor, v: Tensor) -> Tensor:
    return ((x @ w + b).tanh() @ v).softmax(-1)


def matrices(x: Tensor, y: Tensor) -> Tensor:
    return x @ y


def squares(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.t() @ x, x @ x.t()


def heads(x: Tensor, w: Tensor) -> Tensor:
    n, time, width = x.shape
    parts = (x @ w).view(n, time, 2, -1).transpose(1, 2)
    shares = (parts @ parts.transpose(-1, -2)).softmax(-1)
    return (shares @ parts).transpose(1, 2).reshape(n, time, width)


def recurrent(xs: Tensor, state: Tensor, w: Tensor, u: Tensor) -> Tensor:
    for x in xs.unbind(0):
        state = (x @ w + state @ u).sigmoid()
    return state


def with_token(x: Tensor, token: Tensor) -> Tensor:
    n, time, _ = x.shape
    y = jl.cat([token.expand(n, -1, -1), x], 1)
    return ((y @ y.transpose(-1, -2)).softmax(-1) @ y)[:, -1] / (time + 1)


def from_zeros(xs: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    state = jl.zeros(xs.size(1), 4)
    for x in xs.unbind(0):
        state = (x + state @ w).tanh()
    return state, jl.ones_like(xs) * xs.numel()


Case = tuple[Callable[..., Any], Callable[[int, int], tuple[Any, ...]]]
CASES: dict[str, Case] = {
    "softmax": (softmax, lambda n, m: (made(n, m),)),
    "softmax of few": (softmax, lambda n, m: (made(n, 7),)),
    "across": (across, lambda n, m: (made(n, m),)),
    "normalised": (normalised, lambda n, m: (made(n, m), made(m), made(m, seed=1))),
    "with bias": (with_bias, lambda n, m: (made(n, 5), made(5))),
    "outer": (outer, lambda n, m: (made(n), made(m))),
    "reshaped": (reshaped, lambda n, m: (made(n, 8),)),
    "halves": (halves, lambda n, m: (made(n, 6),)),
    "joined": (joined, lambda n, m: (made(n, 3), made(n, 3, seed=1))),
    "one after the other": (one_after_the_other, lambda n, m: (made(n, 3), made(m, 3))),
    "over time": (over_time, lambda n, m: (made(n, 3, m), made(3, m))),
    "branching": (branching, lambda n, m: (made(n, m), 0.25)),
    "picked": (picked, lambda n, m: (made(n, m), n - 1)),
    "linear": (linear, lambda n, m: (made(n, 37), made(19, 37), made(19))),
    "linear of three": (linear, lambda n, m: (made(n, m, 8), made(40, 8), made(40))),
    "two layers": (two_layers, lambda n, m: (made(n, 9), made(9, 70), made(70), made(70, 3))),
    "deep": (matrices, lambda n, m: (made(n, 1500) * 0.1, made(1500, 33))),
    "large": (matrices, lambda n, m: (made(n, 520), made(520, 530))),
    "outer sizes": (matrices, lambda n, m: (made(n, 6), made(6, m))),
    "inner size": (matrices, lambda n, m: (made(7, n), made(n, 5))),
    "of a batch": (matrices, lambda n, m: (made(n, 3, m), made(n, m, 5))),
    "to a vector": (matrices, lambda n, m: (made(n, 9), made(9))),
    "from a vector": (matrices, lambda n, m: (made(9), made(9, n))),
    "doubles": (matrices, lambda n, m: (made(n, 40).double(), made(40, 50).double())),
    "squares": (squares, lambda n, m: (made(n, 9),)),
    "heads": (heads, lambda n, m: (made(n, m, 8), made(8, 8))),
    "with a token": (with_token, lambda n, m: (made(n, m, 3), made(1, 1, 3))),
    "from zeros": (from_zeros, lambda n, m: (made(n, m, 4), made(4, 4) * 0.1)),
    "recurrent": (recurrent, lambda n, m: (
        made(n, m, 4), made(m, 40), made(4, 40), made(40, 40) * 0.1,
    )),
}


@pytest.mark.parametrize("name", CASES)
def test_one_function_serves_all_sizes(name: str) -> None:
    function, arguments = CASES[name]
    version, exact = varying(function, arguments(5, 9), arguments(8, 12))
    for n, m in [(5, 9), (8, 12), (1, 1), (1, 40), (33, 1), (2, 2), (60, 130), (4, 4)]:
        given = arguments(n, m)
        assert_alike(version.function(*given), exact(*given))


def test_long_work_runs_in_parallel() -> None:
    version, exact = varying(softmax, (made(5, 9),), (made(8, 12),))
    for shape in ((3000, 300), (3, 400_000)):
        assert_alike(version.function(made(*shape)), exact(made(*shape)))


def test_products_of_many_rows_run_in_parallel() -> None:
    weights = (made(60, 130), made(130), made(130, 40))
    version, exact = varying(two_layers, *((made(n, 60), *weights) for n in (5, 8)))
    for count in (255, 1000, 4099):
        given = (made(count, 60) * 0.1, *weights)
        assert_alike(version.function(*given), exact(*given))


def test_one_product_serves_graphs_in_which_other_sizes_vary() -> None:
    first, exact = varying(matrices, (made(5, 60), made(60, 9)), (made(8, 60), made(60, 9)))
    both = [(made(n, m, 60), made(60, 9)) for n, m in ((5, 2), (8, 3))]
    second, other = varying(matrices, *both)
    assert_alike(first.function(made(3, 60), made(60, 9)), exact(made(3, 60), made(60, 9)))
    given = (made(4, 7, 60), made(60, 9))
    assert_alike(second.function(*given), other(*given))


def test_without_a_blas_only_rows_may_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "find_gemm", lambda dtype: None)
    varying(matrices, (made(5, 6), made(6, 3)), (made(8, 6), made(6, 3)))
    with pytest.raises(Unsupported, match="without a BLAS"):
        varying(matrices, (made(5, 6), made(6, 3)), (made(8, 6), made(6, 4)))


def test_raw_arrays_come_back_as_arrays() -> None:
    version, _ = varying(softmax, (np.ones((3, 4), np.float32),), (np.ones((5, 4), np.float32),))
    found = version.function(np.ones((9, 4), np.float32))
    assert type(found) is np.ndarray and found.tolist() == [[0.25] * 4] * 9


def test_the_guards_name_what_varies() -> None:
    calls = [(made(n, 5, m), made(m)) for n, m in ((2, 3), (4, 7))]
    version, _ = varying(with_bias, *calls)
    assert list(map(str, version.guards)) == [
        "x: Tensor float32 [s0, 5, s1], contiguous", "bias: Tensor float32 [s1], contiguous",
    ]  # fmt: skip


def test_what_does_not_fit_misses() -> None:
    version, _ = varying(with_bias, (made(2, 5), made(5)), (made(3, 5), made(5)))
    x, bias = made(4, 5), made(5)
    for given in (
        (made(4, 6), bias), (made(0, 5), bias), (made(5), bias), (made(1, 4, 5), bias),
        (x, made(6)), (x.double(), bias), (made(5, 4).t(), bias), (made(4, 10)[:, ::2], bias),
        (x.numpy(), bias), (x, None),
    ):  # fmt: skip
        assert version.function(*given) is MISS
    assert version.function(x, bias) is not MISS


def test_an_index_out_of_range_raises() -> None:
    version, exact = varying(picked, (made(5, 3), 1), (made(8, 3), 1))
    assert_alike(version.function(made(4, 3), -4), exact(made(4, 3), -4))
    for index in (4, -5):
        with pytest.raises(IndexError) as wanted:
            picked(made(4, 3), index)
        with pytest.raises(IndexError) as raised:
            version.function(made(4, 3), index)
        assert str(raised.value) == str(wanted.value)


# What is refused ----------------------------------------------------------------------------------


def cut(x: Tensor) -> Tensor:
    return x[:100] * 2


def cut_by_another(x: Tensor, y: Tensor) -> Tensor:
    return x[: y.size(0)] + 1


def every_second(x: Tensor) -> Tensor:
    return x[::2] + 1


def two_halves(x: Tensor) -> Tensor:
    a, b = x.chunk(2)
    return a + b


def halved(x: Tensor) -> Tensor:
    return x[: x.size(0) // 2] * 2


@pytest.mark.parametrize(
    "function", [cut, every_second, two_halves, halved, cut_by_another]
)
@pytest.mark.parametrize("sizes", [(12, 14), (2000, 40)])
def test_what_compares_sizes_is_refused(function: Callable[..., Any], sizes: Sizes) -> None:
    takes_two = function is cut_by_another
    calls = [(made(n, 3), made(2 * n)) if takes_two else (made(n, 3),) for n in sizes]
    with pytest.raises(Unsupported):
        varying(function, *calls)


def positions(x: Tensor, table: Tensor) -> Tensor:
    return x + table[: x.size(1)]


def test_a_fixed_size_that_is_compared_with_a_varying_one_is_refused() -> None:
    table = made(150, 3)
    with pytest.raises(Unsupported):
        varying(positions, (made(4, 15, 3), table), (made(5, 17, 3), table))


def eleventh(x: Tensor) -> Tensor:
    return x[10] * 2


def narrowed(x: Tensor) -> Tensor:
    return x.narrow(0, 1, 3) * 2


def first_three(x: Tensor) -> Tensor:
    return x[:3].softmax(0)


def last_three(x: Tensor) -> Tensor:
    return x[-3:].amax(0)


def middle_three(x: Tensor) -> Tensor:
    return x[2:5].sum(0)


def parted(x: Tensor) -> Tensor:
    return x.split(3)[0] * 2


def differences(x: Tensor) -> Tensor:
    return (x[1:] - x[:-1]).amax(0)


@pytest.mark.parametrize(
    ("function", "least"),
    [
        (eleventh, 11), (narrowed, 4), (first_three, 3), (last_three, 3), (middle_three, 5),
        (parted, 3), (differences, 2),
    ],
)
def test_from_a_size_on_what_is_cut_off_is_always_there(function: Any, least: int) -> None:
    version, exact = varying(function, (made(50, 3),), (made(80, 3),))
    for count in (1, 2, 3, 5, 10, 11, 12, 16, 17, 200):
        found = version.function(made(count, 3))
        assert found is not MISS if count >= 16 else found is MISS or count >= least
        if found is not MISS:
            assert_alike(found, exact(made(count, 3)))


def test_an_index_may_be_out_of_range_after_an_effect() -> None:
    version, _ = varying(drawn_and_picked, (made(5, 3), 1), (made(8, 3), 1))
    after = []
    for function in (drawn_and_picked, version.function):
        jl.manual_seed(3)
        with pytest.raises(IndexError):
            function(made(4, 3), 4)
        after.append(jl.rand(3).tolist())
    assert after[0] == after[1]


def drawn_and_picked(x: Tensor, index: int) -> Tensor:
    return jl.dropout(x, 0.5, True)[index]


def squeezed(x: Tensor) -> Tensor:
    return x.squeeze(0) + x.sum()


def test_a_size_of_one_is_refused_where_it_is_structure() -> None:
    version, exact = varying(squeezed, (made(5, 3),), (made(8, 3),))
    assert version.function(made(1, 3)) is MISS
    assert_alike(version.function(made(2, 3)), exact(made(2, 3)))


def test_numbers_that_would_wrap_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(varying_code, "MAX_BITS", 12)
    version, _ = varying(outer, (made(5), made(9)), (made(8), made(12)))
    assert version.function(made(30), made(30)) is not MISS  # 3600 bytes
    assert version.function(made(40), made(30)) is MISS


def test_code_that_holds_a_number_of_an_example_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    number = VaryingEmitter.number

    def forgetful(emitter: VaryingEmitter, given: int) -> Any:
        return number(emitter, int(given) if isinstance(given, Amount) else given)

    monkeypatch.setattr(VaryingEmitter, "number", forgetful)
    with pytest.raises(Unsupported, match="its code depends on sizes"):
        varying(softmax, (made(5, 3),), (made(8, 3),))


def test_what_varies_is_what_differed() -> None:
    found = find_varying([((2, 3), (3,)), ((2, 5), (5,)), ((2, 7), (5,))])
    assert found.shapes == ((2, -1), (-2,)) and found.sizes == (7, 5)
    assert found.shapes_for([11, 13]) == [(2, 11), (13,)]
    with pytest.raises(Unsupported, match="0 sizes vary"):
        find_varying([((2, 3),), ((2, 3, 1),), ((2, 3),)]).counting({})


# Amounts ------------------------------------------------------------------------------------------


def test_amounts_are_learned_from_examples() -> None:
    learner = Learner([(67, 71), (103, 101)])
    n, m = learner.size(0), learner.amount([71, 101])
    assert isinstance(m, Amount) and (str(n), str(m)) == ("s0", "s1")
    assert learner.amount([4, 4]) == 4 and type(learner.amount([4, 4])) is int
    bytes_ = learner.amount([-4 * 67 * 71, -4 * 103 * 101])
    assert str(bytes_) == "-4*s0*s1" and int(bytes_) == -4 * 67 * 71
    for strange in ([34, 52], [0, 1], [67 * 67 - 1, 103 * 103 - 2], [100, 103]):
        with pytest.raises(Unsupported):
            learner.amount(strange)


def test_sums_of_sizes_are_learned() -> None:
    learner = Learner([(67, 71), (103, 101)])
    for found, text in (
        ([68, 104], "1 + s0"),
        ([-4 * 66 * 71, -4 * 102 * 101], "-4*s0*s1 + 4*s1"),
        ([138 * 138, 204 * 204], "s0*s0 + 2*s0*s1 + s1*s1"),
    ):
        learned = learner.amount(found)
        assert str(learned) == text
        assert value_for(learned, (103, 101)) == found[1]


def test_sums_and_products_of_amounts_are_amounts() -> None:
    n, m = (Learner([(67, 71), (103, 101)]).size(number) for number in (0, 1))
    total = 3 * (n + 2) * m + n * -1 + n
    assert isinstance(total, Amount) and str(total) == "3*s0*s1 + 6*s1"
    assert int(total) == 6 * 71 + 3 * 67 * 71 and value_for(total, (2, 5)) == 60
    assert np.prod([2, 3]) == 6 and type(n - 1) is int


# Calls --------------------------------------------------------------------------------------------


def test_five_hundred_random_sizes() -> None:
    with config.override(cache_dir="off"):
        script = jl.script(normalised)
        interpreted = assemble(jl.script(normalised).optimized_graph)
        rng = np.random.default_rng(0)
        for _ in range(500):
            n, m = (int(size) for size in rng.integers(0, 40, 2))
            given = (made(n, m), made(m), made(m, seed=1))
            assert_alike(script(*given), interpreted(*given))
    found = script.explain()
    assert [version.calls > 400 for version in found.versions] == [True]
    assert "guard: x: Tensor float32 [s0, s1], contiguous" in str(found)
    assert len(script.kernels) <= 20


def test_sizes_that_do_not_fit_raise_as_ever() -> None:
    script = jl.script(with_bias)
    for n in range(2, 50):
        script(made(n, 5), made(5))
    with pytest.raises(RuntimeError, match=r"must match the size of tensor b \(4\)"):
        script(made(3, 5), made(4))
    assert script(made(3, 5), made(1)).shape == (3, 5)


def test_explain_says_why_there_is_no_function_for_other_sizes() -> None:
    script = jl.script(cut)
    for n in range(2, 50):
        script(made(n, 3))
    assert "one function for other sizes: none, a number that is no product" in str(
        script.explain()
    )


def test_sizes_that_begin_to_differ_later_are_learned_too() -> None:
    script = jl.script(with_bias)
    for n in range(2, 60):
        script(made(n, 5), made(5))
    before = script.explain()
    assert "guard: x: Tensor float32 [s0, 5], contiguous" in str(before)
    for m in range(6, 30):
        assert_alike(script(made(3, m), made(m)), (made(3, m) + made(m)).relu())
    after = script.explain()
    assert "guard: x: Tensor float32 [s0, s1], contiguous" in str(after)
    assert len(after.versions) == 1 and after.generic_calls - before.generic_calls <= 2
    assert after.calls == 58 + 24


def test_a_function_that_has_no_such_form_settles() -> None:
    script = jl.script(cut)
    for n in range(2, 200):
        script(made(n, 3))
    assert script.explain().calls == 198
    served = script.explain().generic_calls
    script(made(7, 3))
    assert script.explain().generic_calls == served + 1
    (executor,) = [version.executor for version in script._versions.values()]
    assert executor.settled is not None


def test_threads_and_the_background_get_the_function_for_other_sizes() -> None:
    def calls(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(400):
            x = made(int(rng.integers(1, 50)), 5)
            assert_alike(script(x, bias), (x + bias).relu())

    bias = made(5)
    script = jl.script(with_bias)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(calls, range(4)))
    assert "x: Tensor float32 [s0, 5], contiguous" in str(script.explain())
    script = jl.script(with_bias)
    with config.override(executor="background"):
        for seed in range(100):
            calls(seed)
            background.wait()
            if "[s0, 5], contiguous" in str(script.explain()):
                return
    raise AssertionError(str(script.explain()))


def test_sizes_that_were_the_same_by_chance_are_learned_again() -> None:
    script = jl.script(softmax)
    for n in (3, 5, 7, *range(8, 50)):
        script(made(n, n))
    assert "x: Tensor float32 [s0, s0], contiguous" in str(script.explain())
    for n in range(2, 9):
        script(made(n, 9))
    found = script.explain()
    assert "x: Tensor float32 [s0, s1], contiguous" in str(found) and len(found.versions) == 1


def cut_flat(x: Tensor, table: Tensor) -> Tensor:
    return (x.exp() + table.reshape(-1)[: x.size(0)]).softmax(0)


def test_a_size_within_a_group_is_compared_too() -> None:
    table = made(20, 10)
    with pytest.raises(Unsupported):
        varying(cut_flat, (made(15), table), (made(17), table))


def shaped(x: Tensor, table: Tensor) -> Tensor:
    return (x.view(x.size(0), -1) @ table.reshape(-1, 4)).sum(1)


def test_large_sizes_that_do_not_vary_are_no_obstacle() -> None:
    table = made(300, 300)
    version, exact = varying(shaped, *((made(n, 150, 150), table) for n in (2, 3)))
    given = (made(5, 150, 150), table)
    assert_alike(version.function(*given), exact(*given))
