"""Rows around control: printing, raising, warnings, facts about tensors, ranges."""

import numpy as np
import pytest
from calling import call, outcome_of

from jitlang import dtypes
from jitlang.arrays import Device
from jitlang.errors import ScriptError


def test_print(capsys):
    call("prim::Print", 1, "a", [2.5])
    assert capsys.readouterr().out == "1 a [2.5]\n"


def test_raise():
    with pytest.raises(ValueError, match="bad"):
        call("prim::RaiseException", "bad", "builtins.ValueError")
    with pytest.raises(KeyError):
        call("prim::RaiseException", "bad", "KeyError")
    with pytest.raises(ScriptError, match="my.Error: bad"):
        call("prim::RaiseException", "bad", "my.Error")
    with pytest.raises(ScriptError, match="bad"):
        call("prim::RaiseException", "bad")
    assert outcome_of(call, "prim::RaiseException", "", "AssertionError") == (AssertionError, "")


def test_warn():
    with pytest.warns(UserWarning, match="careful"):
        call("warn", "careful")


def test_facts():
    x = np.zeros((2, 3), "float16")
    assert call("prim::dtype", x) is dtypes.float16
    assert call("prim::device", x) == Device("cpu")
    assert call("is_floating_point", x) is True and call("is_complex", x) is False
    assert call("len", x) == 2 and call("element_size", x) == 2 and call("prim::nbytes", x) == 12
    assert call("get_device", x) == -1
    assert call("prim::is_cuda", x) is False
    assert outcome_of(call, "len", np.array(1.0)) == (TypeError, "len() of a 0-d tensor")


def test_devices():
    assert call("device", "cpu") == Device("cpu")
    assert call("device", "cuda", 1) == Device("cuda:1")
    assert (
        call("prim::type", Device("cuda:1")) == "cuda"
        and call("prim::index", Device("cpu")) is None
    )
    assert outcome_of(call, "device", "abacus")[0] is RuntimeError


def test_optionals():
    assert call("_unwrap_optional", 3) == 3
    assert outcome_of(call, "_unwrap_optional", None) == (RuntimeError, "Unwrapping null optional")


@pytest.mark.parametrize(
    ("lo", "hi", "step"), [(0, 5, 1), (5, 0, -2), (0, 0, 1), (0, 7, 3), (3, 1, 1)]
)
def test_ranges(lo, hi, step):
    length = call("__range_length", lo, hi, step)
    assert [call("__derive_index", i, lo, step) for i in range(length)] == list(range(lo, hi, step))


def test_range_of_step_zero():
    assert outcome_of(call, "__range_length", 0, 1, 0) == outcome_of(range, 0, 1, 0)


def test_dtypes():
    assert call("promote_types", dtypes.int64, dtypes.float16) is dtypes.float16
    assert call("can_cast", dtypes.float32, dtypes.int64) is False
    assert call("jit::dtype_is_floating_point", dtypes.int64) is False
