"""Whole functions over tensors of known layout, against the interpreter and plain Python."""

from __future__ import annotations

import gc
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from failing import Failing
from static_calls import assert_no_leak, assert_same, check, compiled, refused

import jitlang as jl
from jitlang import Tensor
from jitlang.codegen import MISS, compile_static, objects
from jitlang.fuser.plan import Unsupported
from jitlang.interp.callback import callback_of
from jitlang.interp.machine import assemble
from programs import harness
from programs.harness import Fate

PROGRAMS = harness.load(jl)
NAMES = [
    pytest.param(name, marks=pytest.mark.fallback if each.fallback else ())
    for name, each in PROGRAMS.items()
]
NATIVE = frozenset((
    "adaptive_steps", "arithmetic_errors", "attention", "both_given", "branch_on_tensor",
    "broadcasting", "by_raise", "by_truth", "collatz", "cumulative_sums", "defaults_and_keywords",
    "either_missing", "empty_tensors", "empty_tuple_and_nesting", "equal_to_none", "factorial",
    "fibonacci", "float_floor_division", "floor_division", "gcd", "gelu", "global_constants",
    "gru_cell", "in_a_ternary", "is_none_assign", "is_none_else", "is_none_return", "is_not_none",
    "keyword_dictionary", "keyword_forwarding", "layer_norm", "literals", "longest_collatz",
    "loop_over_tensor", "loop_over_tuple", "lstm_cell", "masked_mean", "math_domain",
    "matmul_in_place", "matrix_products", "mi_lstm_cell", "mixed_arithmetic", "modular_power",
    "modulo", "nested_optional", "newton_root", "not_none_negated", "on_attribute",
    "on_attribute_and", "on_subscript", "or_default", "or_in_condition", "partly_annotated",
    "pep_604", "pointwise", "popcount", "positional_only", "power_iteration", "powered",
    "promotions", "pythagorean_triple", "raised_classes", "raised_from", "refined_then_lost",
    "return_from_while", "scalars_and_tensors", "scaled_sum", "selections", "shifts_and_bits",
    "sign_name", "simpson", "smallest_factor", "sum_of_squares", "swapped", "tensor_arithmetic",
    "tensor_broadcast_errors", "tensor_comparisons", "tensor_index_errors", "tensor_shape_errors",
    "tuple_slices", "unannotated", "unannotated_optional", "unpacked_results",
    "unreachable_after_raise", "variadic_callee",
))  # fmt: skip
"""Programs that run natively for some of their inputs; more may."""


# Pointwise work and views -------------------------------------------------------------------------


def affine(x: Tensor) -> Tensor:
    return x.tanh() * 2 + 1


@pytest.mark.parametrize("shape", [(4,), (3, 5), (0,), (), (2, 1, 3), (1000,)])
def test_pointwise_work(shape: tuple[int, ...]) -> None:
    check(affine, jl.from_numpy(np.random.randn(*shape, 1)[..., 0].astype(np.float32)))


def test_strided_arguments_and_results() -> None:
    x = jl.randn(6, 8)
    for view in (x.t(), x[::2], x[:, 1:5], x[0], jl.from_numpy(x.numpy()[::-1])):
        check(affine, view)


def numpy_function(x, y):
    return np.tanh(x) * 2 + y


def test_functions_of_arrays_give_arrays() -> None:
    check(numpy_function, np.random.rand(4), np.random.rand(3, 4))


def test_arrays_for_tensors_give_arrays() -> None:
    version, _, _ = compiled(jl.script(affine), np.ones(3, np.float32))
    assert type(version.function(np.ones(3, np.float32))) is np.ndarray
    assert version.function(jl.ones(3)) is MISS


def several(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, float, list[Tensor]]:
    a = x + y
    b = x * y
    return a, b, 1.5, [a, a - 1]


def test_several_results_keep_their_identity() -> None:
    version = check(several, jl.randn(3), jl.randn(2, 3))
    first, _, _, listed = version.function(jl.randn(3), jl.randn(2, 3))
    assert listed[0] is first


def views(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    y = x * 2
    return y.t(), y[1], x


def test_views_of_results_share_their_memory() -> None:
    x = jl.randn(3, 4)
    version = check(views, x)
    turned, row, same = version.function(x)
    assert same is x
    assert turned._base is row._base is not None
    turned += 1
    np.testing.assert_array_equal(row.numpy(), x.numpy()[1] * 2 + 1)


def several_sums(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.sum(0), x.softmax(1)


def views_of_arguments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return x.t(), x + 1, x[1:]


def test_views_of_arguments_share_their_memory() -> None:
    x = jl.randn(3, 4)
    version = check(views_of_arguments, x)
    turned, _, rest = version.function(x)
    assert turned._base is rest._base is x
    turned[0, 2] = 7.0
    assert x[2, 0].item() == rest[1, 0].item() == 7.0
    part = jl.randn(5, 4)[:3]
    assert version.function(part)[0]._base is part._base
    on_arrays, _, _ = compiled(jl.script(views_of_arguments), x.numpy())
    assert on_arrays.function(x.numpy())[0].base is not None


def perhaps_itself(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.contiguous(), x + 1


def test_results_that_may_be_an_argument_are_left_to_the_general_code() -> None:
    assert "may be an argument" in refused(perhaps_itself, jl.randn(2, 3))


def calling(x: Tensor, n: int) -> Tensor:
    for _ in range(n):
        x = x.cumsum(0) * 0.5 + jl.sort(x, 1)[0]
    return x


def test_rows_without_native_code_are_called() -> None:
    version, graph, inputs = compiled(jl.script(calling), jl.randn(3, 4), 3)
    wanted = assemble(graph, exact=True)(*inputs)
    assert_same(version.function(*inputs), wanted, exact=True)
    assert {node.kind for node in version.callbacks} == {"aten::cumsum", "aten::sort"}


def test_where_a_called_row_fails_the_general_code_says_why() -> None:
    def factored(x: Tensor) -> Tensor:
        return jl.cholesky(x * 2) + 1

    good, bad = jl.eye(3), -jl.eye(3)
    version, _, _ = compiled(jl.script(factored), good)
    assert version.function(good).shape == (3, 3)
    assert version.function(bad) is MISS


def joined(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    a, b = x.chunk(2, 0)
    return jl.cat([a, y, b], 0), jl.stack([a + y, a - b], 1)


def test_parts_are_copied_together() -> None:
    check(joined, jl.randn(4, 3), jl.randn(2, 3))
    check(joined, jl.randn(3, 4).t(), jl.randn(3, 2).t())


def made(x: Tensor) -> Tensor:
    return jl.zeros(3, 4) + jl.arange(4) * jl.ones_like(x) + x.clone()


def test_tensors_of_known_elements() -> None:
    check(made, jl.randn(3, 4))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "bool"])
def test_items(dtype: str) -> None:
    def pick(x: Tensor, scale: float) -> float:
        return float(x[1]) * scale

    check(pick, jl.from_numpy(np.arange(3).astype(dtype)), 2.5)


# Products -----------------------------------------------------------------------------------------


def product(x: Tensor, w: Tensor) -> Tensor:
    return x @ w


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (3, 4, 5)), ((3, 0), (0, 5)), ((2, 3, 4), (4,)),
        ((70, 3, 4), (70, 4, 5)), ((3, 4), (70, 4, 5)), ((2, 3, 7, 4), (2, 3, 4, 5)),
        ((0, 3, 4), (0, 4, 5)), ((2, 3, 0), (2, 0, 5)), ((9, 1, 4), (9, 4, 1)),
        ((1, 1, 3, 4), (6, 4, 5)),
    ],
)  # fmt: skip
def test_products(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check(product, jl.randn(*left), jl.randn(*right), exact=False)
    check(product, jl.randn(*left).double(), jl.randn(*right).double(), exact=False)


def test_products_of_strided_matrices() -> None:
    check(product, jl.randn(4, 3).t(), jl.randn(5, 4).t(), exact=False)
    check(product, jl.randn(2, 4, 3).transpose(1, 2), jl.randn(4, 5), exact=False)


def batches(x: Tensor, y: Tensor) -> Tensor:
    return jl.bmm(x, y)


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_batches(count: int) -> None:
    x, y = jl.randn(count, 6, 7), jl.randn(count, 7, 5)
    version = check(batches, x, y, exact=False)
    assert len(re.findall(r"call .*@\W*product", version.text)) == 1
    check(batches, jl.randn(6, count, 7).transpose(0, 1), y, exact=False)
    check(batches, x, jl.randn(5, 7, count).transpose(0, 2), exact=False)
    check(batches, x, jl.randn(1, 7, 5).expand(count, 7, 5), exact=False)


def test_batches_have_one_size() -> None:
    assert "bmm" in refused(batches, jl.randn(1, 3, 4), jl.randn(2, 4, 5))
    assert "bmm" in refused(batches, jl.randn(3, 4), jl.randn(4, 5))


def affine_layer(x: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return jl.linear(x, w, b), jl.addmm(b, x, w.t())


def test_products_with_a_bias() -> None:
    check(affine_layer, jl.randn(3, 4), jl.randn(5, 4), jl.randn(5), exact=False)


def test_wrong_products_are_left_to_the_general_code() -> None:
    assert "matmul" in refused(product, jl.randn(3, 4), jl.randn(5, 4))
    assert "matmul" in refused(product, jl.randn(3, 4), jl.randn(4, 5).double())


# Control flow -------------------------------------------------------------------------------------


def newton(x: Tensor, eps: float) -> Tensor:
    y = x.clone()
    while float((y * y - x).abs().max()) > eps:
        y = 0.5 * (y + x / y)
    return y


def test_a_loop_until_converged() -> None:
    check(newton, jl.rand(10) + 1, 1e-3)


def test_a_loop_that_does_not_run_leaves_what_was_there() -> None:
    x = jl.ones(3)
    version, _, _ = compiled(jl.script(newton), x, 1e-3)
    result = version.function(x, 1e-3)
    assert result.tolist() == x.tolist()
    assert result.data_ptr() != x.data_ptr()


def halved(x: Tensor, n: int) -> Tensor:
    for _ in range(n):
        x = x / 2
    return x


def test_a_loop_that_does_not_run_gives_the_call_back_where_an_argument_is_left() -> None:
    x = jl.ones(3)
    version, _, _ = compiled(jl.script(halved), x, 2)
    assert version.function(x, 0) is MISS
    assert version.function(x, 1).tolist() == [0.5] * 3


def view_of_another_result(x: Tensor, n: int) -> tuple[Tensor, Tensor]:
    y = x * 2
    z = x.sum()
    for _ in range(n):
        z = y[0]
    return y, z


def unchanged_by_the_second_loop(x: Tensor) -> Tensor:
    n = 2 if float(x.sum()) > 0.0 else 0
    for _ in range(n):
        x = x * 2
    for _ in range(100):
        for _ in range(n):
            x = x + 1
    return x


def fibonacci(x: Tensor, y: Tensor, n: int) -> tuple[Tensor, Tensor]:
    a, b = x + 0, y + 0
    for _ in range(n):
        a, b = b, a + b
    return a, b


def test_what_one_trip_computes_is_not_what_the_last_did() -> None:
    for n in (1, 4):
        check(fibonacci, jl.randn(3), jl.randn(3), n)


def test_copies_that_would_show_are_refused() -> None:
    assert refused(view_of_another_result, jl.ones(3), 2) == "two results share memory"
    refusal = refused(unchanged_by_the_second_loop, jl.ones(3))
    assert refusal == "a result may be an argument"


def normalized(x: Tensor) -> tuple[Tensor, Tensor]:
    y = (x - x.mean(0, keepdim=True)).exp()
    return y, y.reshape(-1)


def test_results_of_reductions_lie_as_their_arguments_do() -> None:
    version, _, _ = compiled(jl.script(normalized), jl.ones(3, 5))
    whole, flat = version.function(jl.ones(3, 5))
    assert whole.stride() == (5, 1)
    assert whole.data_ptr() == flat.data_ptr()


def rows(x: Tensor, n: int) -> Tensor:
    total = jl.zeros(4)
    for i in range(n):
        total = total + x[i]
    return total


def test_computed_indices_are_checked() -> None:
    x = jl.randn(5, 4)
    version = check(rows, x, 5)
    with pytest.raises(
        IndexError, match="index 5 is out of bounds for dimension 0 with size 5"
    ) as caught:
        version.function(x, 6)
    assert "total = total + x[i]" in "".join(caught.value.__notes__)
    assert version.function(x, 2).shape == (4,)


def swapped(x: Tensor, y: Tensor, n: int) -> tuple[Tensor, Tensor]:
    a, b = x + 0, y + 0
    for _ in range(n):
        a, b = b, a
    return a, b


def test_loop_variables_that_change_places() -> None:
    for n in (1, 2, 5):
        check(swapped, jl.randn(3), jl.randn(3), n)


def nested(x: Tensor, n: int) -> Tensor:
    y = x + 1
    for i in range(n):
        z = y
        for _ in range(i + 1):
            z = z * 0.5 + y
        if i % 2 == 0:
            y = z + i
        else:
            y = z - y
    return y


def test_nested_loops_and_branches() -> None:
    check(nested, jl.randn(7), 4)


def shrinking(x: Tensor) -> Tensor:
    while x.size(0) > 1:
        x = x[1:]
    return x


def test_layouts_that_change_in_a_loop_are_left_to_the_general_code() -> None:
    refused(shrinking, jl.randn(4))


Pair = tuple[Tensor, Tensor]


def recurrent(xs: Tensor, state: Pair, w: Tensor) -> tuple[Tensor, Pair]:
    h, c = state
    for t in range(xs.size(0)):
        i, g = (xs[t] + h @ w).chunk(2, 1)
        c = c * i.sigmoid() + g.tanh()
        h = c.tanh()
    return h, (c, h)


def test_a_recurrent_cell() -> None:
    given = (jl.randn(9, 2, 6), (jl.randn(2, 3), jl.randn(2, 3)), jl.randn(3, 6))
    check(recurrent, *given, exact=False)


def over_time(xs: Tensor, state: Pair, w: Tensor) -> tuple[Tensor, Pair]:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        state = cell(x, state, w)
        outputs.append(state[0])
    return jl.stack(outputs), state


def cell(x: Tensor, state: Pair, w: Tensor) -> Pair:
    h, c = state
    i, g = (x + h @ w).chunk(2, 1)
    c = c * i.sigmoid() + g.tanh()
    return c.tanh(), c


def last_columns(xs: Tensor, w: Tensor) -> Tensor:
    rows: list[Tensor] = []
    h = jl.zeros(2, 3)
    for t in range(xs.size(0)):
        h = (xs[-1 - t] + h @ w).tanh()
        rows.append(h)
    return jl.cat(rows, 1)


def perhaps_doubled(x: Tensor, n: int) -> Tensor:
    for i in range(3):
        if i > n:
            x = x * 2
    return x


def perhaps_viewed(x: Tensor, n: int) -> Tensor:
    while n > 0:
        x = x[:] if n % 2 == 0 else x + 1
        n -= 2
    return x


@pytest.mark.parametrize("function", [perhaps_doubled, perhaps_viewed])
def test_what_a_loop_may_leave_as_it_was_is_left_to_the_general_code(
    function: Callable[..., Any],
) -> None:
    x = jl.randn(3, 3)
    assert refused(function, x, 7) == "a result may be an argument"
    scripted = jl.script(function)
    for _ in range(5):
        for n in (0, 7):
            assert (scripted(x, n) is x) == (function(x, n) is x)


def statistics(x: Tensor, name: str) -> dict[str, Tensor]:
    mean = x.mean(-1, keepdim=True)
    return {"mean": mean, "name": x - mean, "mean again": mean}


def numbered(x: Tensor, name: str) -> tuple[dict[int, tuple[Tensor, int]], Tensor]:
    y = x * 2
    return {1: (y, 3), -7: (x.relu(), 4), 1: (y + 1, 5)}, y  # noqa: F601 - the last one counts


def changed(x: Tensor, name: str) -> dict[str, Tensor]:
    found = {"x": x * 2}
    found["y"] = x * 3
    return found


def named_by_argument(x: Tensor, name: str) -> dict[str, Tensor]:
    return {name: x.relu() + 1}


@pytest.mark.parametrize("function", [statistics, numbered, named_by_argument])
def test_dicts_of_results(function: Callable[..., Any]) -> None:
    x = jl.randn(3, 4)
    version = check(function, x, "it", exact=function is not statistics)
    assert_no_leak(lambda: version.function(x, "it"))


def test_one_dict_has_one_tensor_for_two_names() -> None:
    found = check(statistics, jl.randn(3, 4), "", exact=False).function(jl.randn(3, 4), "")
    assert found["mean"] is found["mean again"]


def test_lists_over_time_are_buffers() -> None:
    given = (jl.randn(9, 2, 6), (jl.randn(2, 3), jl.randn(2, 3)), jl.randn(3, 6))
    version = check(over_time, *given, exact=False)
    assert not version.graph.find("prim::ListUnpack", "jit::append", "aten::stack")
    check(last_columns, jl.randn(5, 2, 3), jl.randn(3, 3), exact=False)


# Guards -------------------------------------------------------------------------------------------


def scaled(x: Tensor, factor: float, times: int, negative: bool) -> Tensor:
    y = x * factor * times
    return -y if negative else y


def test_arguments_of_other_layouts_miss() -> None:
    x = jl.randn(2, 3)
    version = check(scaled, x, 2.0, 3, True)
    run = version.function
    assert run(x, 2.0, -(2**63), False) is not MISS
    for other in (
        jl.randn(3, 2), jl.randn(2, 3, 1), x.double(), jl.randn(3, 2).t(), x.numpy(), None, 1.0,
        jl.from_numpy(np.zeros((2, 3), ">f4").view(np.int32)), [x],
    ):  # fmt: skip
        assert run(other, 2.0, 3, True) is MISS
    assert run(x, 2, 3, True) is MISS
    assert run(x, 2.0, 3.0, True) is MISS
    assert run(x, 2.0, True, True) is MISS
    assert run(x, 2.0, 3, 1) is MISS
    assert run(x, 2.0, 2**63, True) is MISS
    assert [str(guard) for guard in version.guards] == [
        "x: Tensor float32 [2, 3]", "factor: float", "times: int", "negative: bool",
    ]  # fmt: skip


def test_tuples_of_other_shapes_miss() -> None:
    xs, w = jl.randn(9, 2, 6), jl.randn(3, 6)
    version, _, _ = compiled(jl.script(recurrent), xs, (jl.randn(2, 3), jl.randn(2, 3)), w)
    for state in ((jl.randn(2, 3),), [jl.randn(2, 3)] * 2, (jl.randn(2, 3), jl.randn(3, 3)), None):
        assert version.function(xs, state, w) is MISS


def mixed(xs: list[Tensor], how: str, n: int) -> Tensor:
    y = jl.stack(xs, 0).sum(1)
    if how == "half":
        y = y * 0.5
    return y[:n] + xs[0][0]


def test_lists_strings_and_ints_that_decide_layouts() -> None:
    xs = [jl.randn(3), jl.randn(3)]
    version = check(mixed, xs, "half", 1, exact=False)
    run = version.function
    assert run(xs, "".join(["ha", "lf"]), 1) is not MISS
    assert run(xs, "full", 1) is MISS
    assert run(xs, "half", 2) is MISS
    assert run(xs, "half", True) is MISS
    assert run([*xs, xs[0]], "half", 1) is MISS
    assert run(tuple(xs), "half", 1) is MISS
    assert [str(guard) for guard in version.guards][1:] == ["how == 'half'", "n == 1"]


def guarded(x: Tensor, limit: float) -> Tensor:
    if float(x.sum()) > limit:
        raise ValueError(f"{limit} is too small for {x.size(0)}")
    return x * limit


def test_exceptions_are_those_of_the_script() -> None:
    x = jl.ones(3)
    version, _, _ = compiled(jl.script(guarded), x, 5.0)
    assert version.function(x, 5.0).tolist() == [5.0] * 3
    with pytest.raises(ValueError, match=r"2.0 is too small for 3"):
        version.function(x, 2.0)


@pytest.mark.parametrize(("size", "expected_failures"), [(16, 5), (64, 6)])
def test_each_allocation_fails_in_turn(
    monkeypatch: pytest.MonkeyPatch, size: int, expected_failures: int
) -> None:
    """A small result is made with its Tensor at once."""
    original = dict(objects.imports())
    helpers = {
        "jitlang_result": ["ptr", "ptr", "i64", "ptr", "ptr"],
        "jitlang_new_array": ["ptr", "i64", "ptr", "ptr"],
        "jitlang_new_view": ["ptr", "i64", "ptr", "i64", "ptr", "ptr"],
        "jitlang_new_tensor": ["ptr", "ptr"],
    }
    failing = {
        name: Failing(original[name], types, steals=name == "jitlang_new_tensor")
        for name, types in helpers.items()
    }
    replaced = original | {name: each.address for name, each in failing.items()}
    monkeypatch.setattr(objects, "imports", lambda: replaced)
    x = jl.randn(size, size)
    version, _, _ = compiled(jl.script(views), x)
    wanted = [t.numpy().copy() for t in version.function(x)]
    failures = 0
    before = sys.getrefcount(x), sys.getrefcount(x.numpy())
    for each in failing.values():
        for place in range(10):
            each.countdown.value = place
            try:
                version.function(x)
            except MemoryError:
                failures += 1
            else:
                break
        each.countdown.value = -1
    for got, expected in zip(version.function(x), wanted, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected)
    assert failures == expected_failures
    del got
    assert (sys.getrefcount(x), sys.getrefcount(x.numpy())) == before


def test_nothing_leaks_and_arguments_stay_as_they_were() -> None:
    x = jl.randn(64, 64)
    before = x.numpy().copy()
    version = check(views, x)
    counts = []
    for _ in range(3):
        for _ in range(200):
            version.function(x)
            version.function(1)
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert counts[1] == counts[2]
    np.testing.assert_array_equal(x.numpy(), before)


def test_threads_share_a_function() -> None:
    xs = [jl.randn(300, 300) for _ in range(4)]
    version = check(newton_like, xs[0])
    wanted = [version.function(x).numpy().copy() for x in xs]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            if not np.array_equal(version.function(xs[number]).numpy(), wanted[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def newton_like(x: Tensor) -> Tensor:
    y = x.exp()
    for _ in range(3):
        y = (y + y.sin() * x).tanh() + x
    return y


# Any sizes ----------------------------------------------------------------------------------------


def flat(function: Callable[..., Any], *args: Any) -> Any:
    script = jl.script(function)
    given, _, arguments, _ = script._enter(args, {})
    graph = script._version(given).optimized
    return compile_static(graph, arguments, callback_of, any_size=True)


def mixed_up(x: Tensor, y: Tensor, a: float) -> tuple[Tensor, Tensor]:
    z = x.exp() * a + y
    return z, z > 0


def test_one_function_for_all_sizes() -> None:
    version = flat(mixed_up, jl.randn(3), jl.randn(3), 2.0)
    exact = assemble(jl.script(mixed_up).optimized_graph, exact=True)
    for shape in [(1,), (0,), (7, 1, 5), (1000, 300), (70001,), (2, 0, 3)]:
        x, y = jl.randn(*shape), jl.randn(*shape)
        assert_same(version.function(x, y, 0.5), exact(x, y, 0.5), exact=True)
    assert str(version.guards[0]) == "x: Tensor float32 of any sizes, contiguous"


def test_what_is_not_flat_misses() -> None:
    run = flat(mixed_up, jl.randn(3), jl.randn(3), 2.0).function
    x = jl.randn(3, 4)
    for first, second in (
        (x, jl.randn(4, 3)), (x, x[0]), (x.t(), x.t()), (x, x.double()), (x[0, 0], x[0, 0]),
        (x, x.numpy()), (x[:, :2], x[:, :2]), (x, None), (x, jl.randn(12)),
    ):  # fmt: skip
        assert run(first, second, 2.0) is MISS
    assert run(x, x, 2) is MISS


@pytest.mark.parametrize("function", [views, newton, joined, product, several_sums])
def test_what_depends_on_sizes_is_refused(function: Callable[..., Any]) -> None:
    rest = {newton: [1e-3], views: [], several_sums: []}.get(function, [jl.randn(4, 4)])
    with pytest.raises(Unsupported):
        flat(function, jl.randn(4, 4), *rest)


# Whole programs -----------------------------------------------------------------------------------


class Static:
    """A script function that runs natively where it can; counts the calls that did."""

    def __init__(self, script: Any) -> None:
        self.script = script
        self.native = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given, inputs, arguments, all_raw = self.script._enter(args, kwargs)
        graph = self.script._version(given).optimized
        try:
            version = compile_static(graph, arguments, callback_of)
        except Unsupported:
            return self.script(*args, **kwargs)
        found = version.function(*arguments)
        if found is MISS:
            return self.script(*args, **kwargs)
        self.native += 1
        return found


@pytest.mark.filterwarnings("ignore::jitlang.FallbackWarning")
@pytest.mark.parametrize("name", NAMES)
def test_native_code_does_what_python_does(name: str) -> None:
    each = PROGRAMS[name]
    static = Static(jl.script(each.fn, strict=not each.fallback))
    for arguments, fate in each.cases:
        expected = harness.run(each.fn, arguments, jl)
        actual = harness.run(static, arguments, jl)
        if fate is Fate.OVERFLOWS:
            assert isinstance(actual.error, OverflowError), actual
            continue
        harness.assert_same_outcome(actual, expected)
    assert static.native or name not in NATIVE


@jl.script
def dropped(x: Tensor) -> Tensor:
    return jl.dropout(x * 2.0, 1.0, True)


@jl.script
def clipped(x):  # type: ignore[no-untyped-def]
    return (x * 2.0).clip(1)


@pytest.mark.parametrize("function", [dropped, clipped], ids=lambda f: f.__name__)
def test_what_only_may_return_its_argument_is_no_view(function: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    with pytest.raises(Unsupported):
        compiled(function, jl.from_numpy(x) if function is dropped else x)
