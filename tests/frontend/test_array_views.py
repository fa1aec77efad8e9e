"""Subscripts, loops and joins of arrays by the rows that tensors have: what NumPy gives, in every
phase, and native where shapes are known.
"""

import linecache

import numpy as np
import pytest

import jitlang as jl

CALLS = 5
"""Enough to leave the interpreter."""


def grid(*shape):
    return np.arange(float(np.prod(shape))).reshape(shape)


def agree(function, *args):
    """Script and function give the same in each of several calls, memory and kind included."""
    scripted = jl.script(function)
    wanted = function(*args)
    for _ in range(CALLS):
        got = scripted(*args)
        assert type(got) is type(wanted)
        np.testing.assert_array_equal(got, wanted)
        assert np.shares_memory(got, args[0]) == np.shares_memory(wanted, args[0])
    return scripted


VIEWS = (
    "x[i]", "x[-1]", "x[i, 0, 1]", "x[:, i]", "x[i, 1]", "x[i:, :2, ::2]", "x[-9:9]", "x[2:1]",
    "x[:]", "x[..., i]", "x[i, ..., :2]", "x[...]", "x[None, :, i, None]", "x[..., None]",
    "x[::-1, i]", "x[:, :: i + 1]", "x[i:None]", "x[x > 3]", "x[[0, i]]", "x[i][0]", "x[True]",
    "x[i, 1, 2, ...]",
    "len(x) + len(x[0])",
)  # fmt: skip
WRONG = ("x[9]", "x[:, -5]", "x[i, 0, 0, 0]", "x[::0]", "x[0, 0, 5]", "len(x[0, 0, 0])")


def view(expression):
    """A function of an array and an int, with source."""
    text = f"def view(x, i):\n    return {expression}\n"
    name = f"<view {expression}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    scope = {}
    exec(compile(text, name, "exec"), scope)
    return scope["view"]


@pytest.mark.fallback
@pytest.mark.parametrize("expression", VIEWS)
def test_subscripts(expression):
    agree(view(expression), grid(3, 4, 5), 1)


@pytest.mark.fallback
@pytest.mark.parametrize("expression", WRONG)
def test_subscripts_that_raise(expression):
    function = view(expression)
    with pytest.raises(Exception) as wanted:
        function(grid(3, 4, 5), 1)
    scripted = jl.script(function)
    for _ in range(CALLS):
        with pytest.raises(wanted.type):
            scripted(grid(3, 4, 5), 1)


def test_subscripts_are_rows_of_torch():
    text = str(jl.script(view("x[i, 1:, None]")).graph_for(grid(3, 4, 5), 1))
    assert "aten::select" in text
    assert "aten::slice" in text
    assert "aten::unsqueeze" in text
    assert "jit::numpy_index" not in text


def test_elements_stay_scalars_of_numpy():
    assert type(jl.script(view("x[i]"))(grid(3), 1)) is np.float64


# Loops --------------------------------------------------------------------------------------------


def rows_scaled(x, factor):
    out = []
    for row in x:
        out.append(np.tanh(row * factor))
    return np.stack(out)


def test_a_loop_over_rows_is_native():
    scripted = jl.script(rows_scaled)
    for _ in range(CALLS):
        np.testing.assert_allclose(scripted(grid(4, 3), 0.5), rows_scaled(grid(4, 3), 0.5), 1e-15)
    assert "in Python: 0" in str(scripted.explain())


def test_a_loop_over_no_rows():
    scripted = jl.script(rows_scaled)
    for _ in range(CALLS):
        with pytest.raises(ValueError, match="need at least one array"):
            scripted(grid(0, 3), 0.5)


def doubled_in_place(x):
    for row in x:
        row *= 2
    return x


def test_a_loop_writes_through_its_rows():
    scripted = jl.script(doubled_in_place)
    for _ in range(CALLS):
        x = grid(3, 2)
        assert scripted(x) is x
        np.testing.assert_array_equal(x, 2 * grid(3, 2))


# Joins --------------------------------------------------------------------------------------------

JOINS = ("np.stack((x, y))", "np.stack([x, y], axis=1)", "np.stack((x, y), -1)",
    "np.concatenate((x, y))", "np.concatenate([x, y], 1)", "np.concatenate((x, y), axis=-1)",
    "np.concatenate((x, y), axis=None)", "np.stack((x, y.astype(np.float32)))",
    "np.concatenate((x, y[0]))", "np.stack((x, y), axis=3)")  # fmt: skip


@pytest.mark.parametrize("expression", JOINS)
@pytest.mark.parametrize("other", [(3, 4), (3, 5), (2, 4), (0, 4)])
def test_joins(expression, other):
    text = f"def join(x, y):\n    return {expression}\n"
    name = f"<join {expression}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    scope = {"np": np}
    exec(compile(text, name, "exec"), scope)
    join, x, y = scope["join"], grid(3, 4), grid(*other)
    try:
        join(x, y)
    except Exception as error:
        scripted = jl.script(join)
        for _ in range(CALLS):
            with pytest.raises(type(error)):
                scripted(x, y)
        return
    agree(join, x, y)


def lstm(xs, hidden, params):
    hx, cx = hidden
    w_ih, w_hh, b = params
    n = hx.shape[1]
    outputs = []
    for x in xs:
        gates = x @ w_ih + hx @ w_hh + b
        cx = sigmoid(gates[:, n : 2 * n]) * cx + sigmoid(gates[:, :n]) * np.tanh(
            gates[:, 2 * n : 3 * n]
        )
        hx = sigmoid(gates[:, 3 * n :]) * np.tanh(cx)
        outputs.append(hx)
    return np.stack(outputs), (hx, cx)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_an_lstm_of_arrays_is_native():
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.3, (3, 16)), rng.normal(0, 0.3, (4, 16)), rng.normal(0, 0.3, 16)
    args = rng.normal(0, 1, (5, 2, 3)), (np.zeros((2, 4)), np.zeros((2, 4))), weights
    scripted = jl.script(lstm)
    outputs, (hx, cx) = lstm(*args)
    for _ in range(CALLS):
        mine, (my_hx, my_cx) = scripted(*args)
        np.testing.assert_allclose(mine, outputs, 1e-12)
        np.testing.assert_allclose(my_hx, hx, 1e-12)
        np.testing.assert_allclose(my_cx, cx, 1e-12)
    assert "in Python: 0" in str(scripted.explain())
