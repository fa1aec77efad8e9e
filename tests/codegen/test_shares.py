"""What threads share by rows: which nodes take part, and that nobody can tell."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor, config, dtypes
from jitlang.codegen import compile_static, product, shares, threads
from jitlang.codegen.actions import Share
from jitlang.codegen.matrix import ProductSpec
from jitlang.codegen.share_code import ShareEmitter
from jitlang.interp.callback import callback_of
from jitlang.interp.machine import assemble
from jitlang.ir.parser import parse_graph
from jitlang.passes.manager import run_passes

STEPS, ROWS, UNITS = 5, 32, 24
PACK, MULTIPLY = (ctypes.CFUNCTYPE(None, *(ctypes.c_void_p,) * n) for n in (2, 4))


def made(*shape: int, seed: int = 0) -> Tensor:
    return jl.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32) * 0.3)


@pytest.fixture(autouse=True)
def small_products_are_shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(product, "PARALLEL_FLOPS", 0)
    with config.override(num_threads=2):
        yield


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Share]:
    """The shares for which code was written."""
    written: list[Share] = []
    run_together = ShareEmitter.run_together

    def noted(emitter: ShareEmitter, share: Share) -> None:
        written.append(share)
        run_together(emitter, share)

    monkeypatch.setattr(ShareEmitter, "run_together", noted)
    return written


def kinds(share: Share) -> list[str]:
    return [node.kind.rpartition("::")[2] for node in share.nodes]


def compared(function: Callable[..., Any], *arguments: Any) -> None:
    """Compile for these arguments, and compare with the exact interpreter."""
    script = jl.script(function)
    given, _, taken, _ = script._enter(arguments, {})
    graph = script._version(given).optimized
    compiled = compile_static(graph, taken, callback_of).function
    expected = assemble(graph, exact=True)(*taken)
    for _ in range(3):
        assert_alike(compiled(*taken), expected)


def assert_alike(found: Any, expected: Any) -> None:
    if isinstance(expected, tuple):
        for each, other in zip(found, expected, strict=True):
            assert_alike(each, other)
    else:
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=2e-5, atol=2e-6)


# What is shared -----------------------------------------------------------------------------------


def lstm(xs: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Any:
    outputs: list[Tensor] = []
    for x in xs.unbind(0):
        i, f, g, o = (x @ w + h @ u + b).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return jl.stack(outputs), h, c


def two_layers(x: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    for _ in range(STEPS):
        x = jl.addmm(b, (x @ w).relu(), u).tanh()
    return x


def normalized(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    y = x
    for _ in range(STEPS):
        y = (x @ w).softmax(-1)
        x = x + y - y.mean(-1, keepdim=True)
    return x, y


def halves(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = x @ w
        x = y[:, :UNITS] * y[:, UNITS:].sigmoid()
    return x


def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    for _ in range(STEPS):
        x = jl.nn.functional.linear(x, w, b).tanh()
    return x


def dense(*shape: int) -> tuple[Tensor, ...]:
    return made(ROWS, UNITS, seed=1), *(made(UNITS, n, seed=n) for n in shape)


SHARED: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], list[str]]] = {
    "lstm": (
        lstm,
        (
            made(STEPS, ROWS, 8), *(made(ROWS, UNITS, seed=n) for n in (1, 2)),
            made(8, 4 * UNITS), made(UNITS, 4 * UNITS), made(4 * UNITS),
        ),
        ["matmul", "matmul", "FusionGroup", "store_item"],
    ),
    "two layers": (
        two_layers, (*dense(UNITS, UNITS), made(UNITS)),
        ["matmul", "FusionGroup", "addmm", "FusionGroup"],
    ),
    "normalized": (normalized, dense(UNITS), ["matmul", "FusionGroup"]),
    "halves": (halves, dense(2 * UNITS), ["matmul", "FusionGroup"]),
    "three dimensions": (
        linear, (made(2, ROWS // 2, UNITS), made(UNITS, UNITS), made(UNITS)),
        ["linear", "FusionGroup"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_nodes_that_go_by_rows_are_shared(name: str, found: list[Share]) -> None:
    function, arguments, expected = SHARED[name]
    compared(function, *arguments)
    (share,) = found
    assert kinds(share) == expected
    assert (share.rows, share.pieces) == (ROWS, 2)


@pytest.mark.parametrize("name", SHARED)
def test_threads_do_not_show(name: str) -> None:
    function, arguments, _ = SHARED[name]
    alone, *others = (compiled_for(n, function, arguments) for n in (1, 2, 3, 4))
    for other in others:
        for a, b in zip(flat(alone), flat(other), strict=True):
            np.testing.assert_array_equal(a, b)


def compiled_for(count: int, function: Callable[..., Any], arguments: tuple[Tensor, ...]) -> Any:
    """The result of a function that was compiled for so many threads."""
    with config.override(num_threads=count):
        script = jl.script(function)
        script.compile(*arguments)
        return script(*arguments)


def flat(value: Any) -> list[np.ndarray]:
    return [a for v in value for a in flat(v)] if isinstance(value, tuple) else [value.numpy()]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 6, 8, 12, 24])
@pytest.mark.parametrize(("n", "k"), [(16, 40), (37, 90), (48, 1100)])
def test_any_rows_of_a_product_are_those_of_the_whole(rows: int, n: int, k: int) -> None:
    a, b = made(24, k).numpy(), made(k, n, seed=1).numpy()
    spec = ProductSpec(dtypes.float32, 24, n, k, (k, 1), (n, 1), (n, 1))
    whole, parts = np.zeros((24, n), np.float32), np.zeros((24, n), np.float32)
    for found, each in ((whole, 0), (parts, rows)):
        made_for = product.product_for(spec, b_is_reused=True, rows=each)
        packed = np.zeros(made_for.packed_bytes, np.uint8)
        PACK(made_for.pack_address)(b.ctypes.data, packed.ctypes.data)
        for first in range(0, 24, each or 24):
            places = a[first:].ctypes.data, packed.ctypes.data, found[first:].ctypes.data, None
            MULTIPLY(made_for.address)(*places)
    np.testing.assert_array_equal(whole, parts)


def test_one_thread_takes_all_pieces() -> None:
    function, arguments, _ = SHARED["lstm"]
    script = jl.script(function)
    script.compile(*arguments)
    together = script(*arguments)
    before = threads.thread_count()
    jl.set_num_threads(1)
    try:
        for a, b in zip(flat(together), flat(script(*arguments)), strict=True):
            np.testing.assert_array_equal(a, b)
    finally:
        jl.set_num_threads(before)


def test_a_longer_product_is_the_same_sum() -> None:
    arguments = made(ROWS, 1100), made(1100, 1100, seed=1)

    def step(x: Tensor, w: Tensor) -> Tensor:
        for _ in range(2):
            x = (x @ w).tanh()
        return x

    np.testing.assert_array_equal(
        *(compiled_for(count, step, arguments).numpy() for count in (1, 2))
    )


# What is not --------------------------------------------------------------------------------------


def over_rows(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = x @ w
        x = x + y - y.mean(0)
    return x


def turned(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = x @ w
        x = x + y.flip(0)
    return x


def across(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = x @ w
        x = (x + y.t()).tanh()
    return x


def shifted(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = x @ w
        x = jl.cat([y[1:], y[:1]]) * 0.5
    return x


def first_row(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = x @ w
        x = x + y[0].tanh()
    return x


def gathered(x: Tensor, w: Tensor, order: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = x @ w
        x = x + y[order].tanh()
    return x


def as_weight(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(STEPS):
        y = (x @ w).tanh()
        x = (x @ y).tanh()
    return x


ORDER = jl.from_numpy(np.arange(ROWS)[::-1].copy())
SQUARE = made(ROWS, ROWS), made(ROWS, ROWS, seed=1)
APART: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "over rows": (over_rows, dense(UNITS)),
    "turned": (turned, dense(UNITS)),
    "across": (across, SQUARE),
    "shifted": (shifted, dense(UNITS)),
    "first row": (first_row, dense(UNITS)),
    "gathered": (gathered, (*dense(UNITS), ORDER)),
}


@pytest.mark.parametrize("name", APART)
def test_nodes_that_look_at_other_rows_are_not_shared(name: str, found: list[Share]) -> None:
    function, arguments = APART[name]
    compared(function, *arguments)
    assert found == []


def test_a_product_with_what_was_shared_comes_after(found: list[Share]) -> None:
    compared(as_weight, *SQUARE)
    assert [kinds(share) for share in found] == [["matmul", "FusionGroup"]]


def test_what_is_written_to_an_argument_is_not_shared(found: list[Share]) -> None:
    def step(x: Tensor, w: Tensor, out: Tensor) -> Tensor:
        for _ in range(STEPS):
            out.copy_((out @ w).tanh() + x)
        return out

    arguments = made(ROWS, UNITS), made(UNITS, UNITS), made(ROWS, UNITS, seed=3)
    script = jl.script(step)
    expected = arguments[2].numpy().copy()
    for _ in range(STEPS):
        expected = np.tanh(expected @ arguments[1].numpy()) + arguments[0].numpy()
    script.compile(*arguments)
    assert_alike(script(*arguments), jl.from_numpy(expected))
    assert found == []


def test_what_is_written_twice_is_shared_once(found: list[Share]) -> None:
    def step(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        out = np.zeros((STEPS, ROWS + 1, UNITS), np.float32)
        for t in range(STEPS):
            y = x @ w
            out[t, :ROWS] = y
            x = np.tanh(y)
            out[t, 1:] = x
        return out

    x, w = made(ROWS, UNITS).numpy(), made(UNITS, UNITS, seed=1).numpy()
    expected = step(x, w)
    script = jl.script(step)
    script.compile(x, w)
    np.testing.assert_allclose(script(x, w), expected, rtol=2e-5, atol=2e-6)
    assert [kinds(share) for share in found] == [["matmul", "numpy_store", "FusionGroup"]]


@pytest.mark.parametrize("rows", [8, 15, 17, 31])
def test_rows_that_make_no_shares(rows: int, found: list[Share]) -> None:
    compared(halves, made(rows, UNITS), made(UNITS, 2 * UNITS))
    assert found == []


def test_shares_are_equal_and_no_fewer_than_threads() -> None:
    for count, rows, expected in ((2, 32, 2), (2, 16, 2), (3, 32, 4), (4, 32, 4), (5, 40, 5),
                                  (8, 32, 0), (2, 8, 0), (3, 40, 4), (2, 33, 3)):  # fmt: skip
        with config.override(num_threads=count):
            assert shares._pieces_of(rows) == expected


# Errors -------------------------------------------------------------------------------------------


def test_an_index_out_of_range_raises_what_it_did(found: list[Share]) -> None:
    def step(x: Tensor, w: Tensor, table: Tensor, at: Tensor) -> Tensor:
        for _ in range(STEPS):
            x = (x @ w).tanh() + table[at]
        return x

    table, at = made(7, UNITS), jl.from_numpy(np.arange(ROWS) % 7)
    arguments = made(ROWS, UNITS), made(UNITS, UNITS), table, at
    script = jl.script(step)
    script.compile(*arguments)
    script(*arguments)
    at.numpy()[20] = 7
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        script(*arguments)
    at.numpy()[20] = 6
    compared(step, *arguments)


def failing(function: Callable[..., Any], *arguments: np.ndarray) -> tuple[str, np.ndarray]:
    """What a function raises, and what its last argument, a copy, is afterwards."""
    *given, last = *arguments[:-1], arguments[-1].copy()
    with pytest.raises(IndexError) as error:
        function(*given, last)
    return str(error.value), last


def test_what_was_written_before_an_error_stays(found: list[Share]) -> None:
    def step(
        x: np.ndarray, w: np.ndarray, table: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        for t in range(STEPS):
            y = x @ w
            out[t] = y
            x = np.tanh(y) + table[t]
        return x

    x, w = made(ROWS, UNITS).numpy(), made(UNITS, UNITS, seed=1).numpy()
    out = np.zeros((STEPS, ROWS, UNITS), np.float32)
    script = jl.script(step)
    script.compile(x, w, out, out)
    assert found == []
    expected, left = failing(step, x, w, out[: STEPS - 1], out)
    message, found_there = failing(script, x, w, out[: STEPS - 1], out)
    assert message == expected
    np.testing.assert_allclose(found_there, left, rtol=2e-5, atol=2e-6)


HANDLED = """
graph(%x : Float(*, *, surface=numpy),
      %w : Float(*, *, surface=numpy),
      %table : Float(*, *, *, surface=numpy)):
  %0 : int = prim::Constant[value=0]()
  %1 : int = prim::Constant[value=1]()
  %go : bool = prim::Constant[value=1]()
  %steps : int = prim::Constant[value=5]()
  %rows : int = prim::Constant[value=32]()
  %units : int = prim::Constant[value=24]()
  %shape : (int, int, int) = prim::TupleConstruct(%steps, %rows, %units)
  %dtype : dtype = prim::Constant[value=torch.float32]()
  %none : str = prim::Constant[value=""]()
  %name : str = prim::Constant[value="zeros"]()
  %out : Array(*, *, *) = jit::numpy(%name, %none, %shape, %dtype)
   = prim::Try[catches=[[<IndexError>]]]()
    block0():
      %last : Float(*, *, surface=numpy) = prim::Loop(%steps, %go, %x)
        block0(%t : int, %h : Float(*, *, surface=numpy)):
          %y : Float(*, *, surface=numpy) = aten::matmul(%h, %w)
           = jit::array_store(%out, %t, %y)
          %z : Float(*, *, surface=numpy) = aten::tanh(%y)
          %row : Float(*, *, surface=numpy) = aten::select(%table, %0, %t)
          %next : Float(*, *, surface=numpy) = aten::add(%z, %row, %1)
          -> (%go, %next)
      -> ()
    block1(%error : Any):
      -> ()
  return (%out)
"""


def test_a_handler_sees_what_was_written(found: list[Share]) -> None:
    given = made(ROWS, UNITS), made(UNITS, UNITS, seed=1), made(3, ROWS, UNITS)
    arguments = [each.numpy() for each in given]
    graph = parse_graph(HANDLED)
    run_passes(graph, ["optimize"])
    compiled = compile_static(graph, arguments, callback_of).function
    expected = assemble(graph, exact=True)(*arguments)
    np.testing.assert_allclose(compiled(*arguments), expected, rtol=2e-5, atol=2e-6)
    assert expected[3].any() and not expected[4].any()
    assert found == []
