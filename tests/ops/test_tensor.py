"""The eager dispatcher, what the table gives, and speed; tests/interop compares with torch."""

from __future__ import annotations

import threading
import timeit

import numpy as np
import pytest

from jitlang import config, dtypes
from jitlang.ir.opdef import OPS
from jitlang.ops.rows import op, pointwise
from jitlang.tensor import (
    Tensor,
    as_tensor,
    box,
    call,
    from_numpy,
    function_named,
    function_names,
    method_named,
    method_names,
    push_reader,
    run_eagerly,
    tensor,
    version_of,
)
from jitlang.tensor.dispatch import forget


def values(x):
    return x.tolist()


def test_slots():
    x = tensor([1.0])
    assert set(Tensor.__slots__) == {
        "_array", "_base", "_version", "grad", "grad_fn", "requires_grad", "__weakref__",
    }  # fmt: skip
    assert not hasattr(x, "__dict__")
    with pytest.raises(AttributeError):
        x.anything = 1


def test_a_wrapped_array_is_shared():
    array = np.arange(3.0)
    assert from_numpy(array)._array is array
    assert as_tensor(array)._array is array


def test_overloads_by_kind():
    x = tensor([1, 2])
    assert values(x + tensor([1, 1])) == [2, 3]
    assert values(x + 1) == [2, 3]
    assert (x + 1.5).dtype is dtypes.float32
    assert values(x.add(x, alpha=2)) == [3, 6]
    assert values(function_named("add")(x, other=1)) == [2, 3]
    assert values(function_named("add")(input=x, other=1)) == [2, 3]
    assert values(x + np.int64(3)) == [4, 5]


def test_no_overload():
    with pytest.raises(TypeError, match=r"add\(\) received an invalid .* got \(Tensor, str\)"):
        tensor([1]).add("a")
    with pytest.raises(TypeError, match="has no argument 'wrong'"):
        tensor([1]).exp(wrong=1)
    with pytest.raises(TypeError, match="do not take a set"):
        tensor([1]).add({1})
    with pytest.raises(TypeError):
        tensor([1]) + None


def test_raw_arrays_give_raw_arrays():
    exp = function_named("exp")
    assert isinstance(exp(np.ones(2, np.float32)), np.ndarray)
    assert isinstance(exp(tensor([1.0])), Tensor)
    mixed = function_named("add")(tensor([1.0]), np.ones(1, np.float32))
    assert isinstance(mixed, Tensor)


def test_in_place_rows_return_the_tensor_and_count():
    x = tensor([1.0, 2.0])
    before = x
    x += 1
    assert x is before and x._version == 1
    assert x.mul_(2) is x and x._version == 2
    view = x[:1]
    view.add_(1)
    assert version_of(view) == version_of(x) == 3
    assert values(x) == [5, 6]


def test_views_know_their_base():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x[0]._base is x and x[0][0]._base is x
    assert x.t()._base is x
    assert (x + 1)._base is None


def test_methods_and_functions_are_derived():
    assert method_named("exp").__name__ == "exp"
    assert "aten::exp(Tensor self)" in method_named("exp").__doc__
    assert method_named("no_such") is None and function_named("no_such") is None
    assert {"exp", "add_", "sigmoid"} <= set(method_names())
    assert {"exp", "where", "maximum"} <= set(function_names())
    assert "sigmoid" in dir(tensor(1.0))
    with pytest.raises(AttributeError, match="no attribute 'chunks'"):
        tensor(1.0).chunks(2)
    with pytest.raises(AttributeError):
        Tensor.no_such_thing


def test_self_is_not_always_first():
    x = tensor([1.0, 2.0])
    assert values(x.where(tensor([True, False]), tensor([7.0, 8.0]))) == [1, 8]


def test_adding_a_row_adds_function_and_method():
    row = pointwise("aten::thrice(Tensor self) -> Tensor", lambda m, x: x * 3)
    written = OPS.find("aten::thrice_")
    try:
        x = tensor([1.0, 2.0])
        assert values(x.thrice()) == [3, 6]
        assert values(function_named("thrice")(x)) == [3, 6]
        assert values(x.thrice_()) == [3, 6] and values(x) == [3, 6]
    finally:
        OPS.remove(row)
        OPS.remove(written)
        forget("aten::thrice")
        forget("aten::thrice_")
        del Tensor.thrice, Tensor.thrice_


def test_several_results_and_lists():
    row = op(
        "aten::halves_for_test(Tensor self, Tensor[] others) -> (Tensor, Tensor[])",
        impl=lambda xp, x, others: (x / 2, [o * 2 for o in others]),
    )
    try:
        others = [tensor([1.0]), tensor([3.0])]
        half, doubled = call("aten::halves_for_test", (tensor([2.0]), others), {})
        assert values(half) == [1]
        assert [values(t) for t in doubled] == [[2], [6]]
    finally:
        OPS.remove(row)


class Recorder:
    def __init__(self):
        self.names = []

    def read(self, name, args, kwargs):
        self.names.append(name)
        return run_eagerly(name, args, kwargs)


def test_readers_see_every_call_of_their_thread():
    x = tensor([1.0])
    recorder = Recorder()
    elsewhere = []
    with push_reader(recorder):
        y = (x + 1).exp()
        y *= 2
        y[0]
        other = threading.Thread(target=lambda: elsewhere.append(x - 1))
        other.start()
        other.join()
    x * 3
    assert recorder.names == ["aten::add", "aten::exp", "aten::mul_", "aten::select"]
    assert values(elsewhere[0]) == [0]


def test_the_innermost_reader_reads():
    outer, inner = Recorder(), Recorder()
    with push_reader(outer), push_reader(inner):
        tensor([1.0]) + 1
    assert (outer.names, inner.names) == ([], ["aten::add"])


def test_exact_mode():
    x = tensor(np.linspace(-5, 5, 1001, dtype=np.float32))
    with config.override(exact=True):
        exact = x.tanh()
    wanted = np.tanh(x._array.astype(np.float64)).astype(np.float32)
    assert (exact._array == wanted).mean() > 0.9


def test_no_float_warnings(recwarn):
    x = tensor([0.0, float("inf")])
    _ = (1 / x, x - x, x.log(), (x * 1e38) * 1e38, x / 0)
    assert not recwarn.list


def test_warnings_are_left_as_they_were():
    _ = tensor([0.0]).log()
    with pytest.warns(RuntimeWarning):
        _ = np.log(np.zeros(1))


def test_zero_dimensional_results_are_arrays():
    for x in (tensor(1.0), tensor([1.0, 2.0])[0], tensor([1.0]).sum()):
        for y in (x + x, x.exp(), -x, x == x, x.to(dtypes.int64)):
            assert type(y._array) is np.ndarray and y.shape == ()


def test_requires_grad():
    x = tensor([1.0], requires_grad=True)
    assert x.requires_grad and x.is_leaf
    with pytest.raises(RuntimeError, match="floating point"):
        tensor([1]).requires_grad_()
    with pytest.raises(RuntimeError, match="requires grad"):
        x.numpy()
    with pytest.raises(NotImplementedError, match="gradients"):
        x.backward()


def test_tensor_class_takes_arrays_and_data():
    assert values(Tensor([1, 2])) == [1, 2] and Tensor([1, 2]).dtype is dtypes.float32
    assert Tensor().shape == (0,)
    with pytest.raises(TypeError):
        Tensor(np.array(["a"]))


def test_bfloat16_values_come_out_as_floats():
    x = tensor([1.5, 2.0], dtype=dtypes.bfloat16)
    assert values(x) == [1.5, 2.0]
    assert x[0].item() == 1.5 and type(x[0].item()) is float


@pytest.mark.slow
def test_small_calls_are_quick():
    x, y = tensor([1.0, 2.0, 3.0, 4.0]), tensor([1.0, 2.0, 3.0, 4.0])
    best = min(timeit.repeat(lambda: x + y, number=20_000, repeat=7)) / 20_000
    assert best <= 2e-6
    assert isinstance(box(np.ones(1)), Tensor)
