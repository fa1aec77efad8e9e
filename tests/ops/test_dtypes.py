"""Element types: categories, promotion on both surfaces, conversions to NumPy's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from jitlang import dtypes
from jitlang.arrays import Device, ignore_float_errors, restore_float_errors
from jitlang.dtypes import Category

FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
# Rows and columns in this order; torch's documented table, checked against torch in tests/interop.
ORDER = (
    dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int64, dtypes.float16, dtypes.bfloat16,
    dtypes.float32, dtypes.complex64,
)  # fmt: skip
TABLE = """
bool       uint8      int8       int64      float16    bfloat16   float32    complex64
uint8      uint8      int16      int64      float16    bfloat16   float32    complex64
int8       int16      int8       int64      float16    bfloat16   float32    complex64
int64      int64      int64      int64      float16    bfloat16   float32    complex64
float16    float16    float16    float16    float16    float32    float32    complex64
bfloat16   bfloat16   bfloat16   bfloat16   float32    bfloat16   float32    complex64
float32    float32    float32    float32    float32    float32    float32    complex64
complex64  complex64  complex64  complex64  complex64  complex64  complex64  complex64
"""


def test_promotion_table():
    rows = [line.split() for line in TABLE.split("\n") if line]
    for (i, a), (j, b) in itertools.product(enumerate(ORDER), repeat=2):
        assert dtypes.promote_types(a, b).name == rows[i][j], (a, b)


def test_promotion_is_a_join():
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        joined = dtypes.promote_types(a, b)
        assert joined is dtypes.promote_types(b, a)
        assert joined.category == max(a.category, b.category)
        assert dtypes.promote_types(joined, a) is joined


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [
        (((dtypes.int8,), (), (int,)), dtypes.int8),
        (((dtypes.int8,), (), (float,)), dtypes.float32),
        (((dtypes.float16,), (), (float,)), dtypes.float16),
        (((dtypes.float64,), (), (complex,)), dtypes.complex128),
        (((dtypes.float32,), (dtypes.float64,), ()), dtypes.float32),
        (((dtypes.int32,), (dtypes.float64,), ()), dtypes.float64),
        (((dtypes.uint8,), (dtypes.int64,), (bool,)), dtypes.uint8),
        (((), (dtypes.int32,), (int,)), dtypes.int32),
        (((), (dtypes.bool_,), (int,)), dtypes.int64),
        (((), (), (int, float)), dtypes.float32),
    ],
)
def test_result_type(groups, wanted):
    assert dtypes.result_type(*groups) is wanted


def test_result_type_of_nothing():
    with pytest.raises(TypeError, match="at least one"):
        dtypes.result_type(())


def test_numpy_promotion_is_numpys():
    known = [d for d in dtypes.ALL if d is not dtypes.bfloat16]
    for a, b in itertools.product(known, repeat=2):
        wanted = (np.ones(1, a.numpy) + np.ones(1, b.numpy)).dtype
        assert dtypes.numpy_result_type(a, b).numpy == wanted
    for a, kind in itertools.product(dtypes.ALL, (bool, int, float, complex)):
        if a is not dtypes.bfloat16 or kind is not complex:
            assert dtypes.numpy_result_type(a, kind).numpy == (np.ones(1, a.numpy) + kind(1)).dtype


def test_default_dtype():
    assert dtypes.default_dtype() is dtypes.float32
    try:
        dtypes.set_default_dtype(dtypes.float64)
        assert dtypes.floating(dtypes.int32) is dtypes.float64
        assert dtypes.default_complex() is dtypes.complex128
        assert dtypes.result_type((dtypes.int8,), (), (float,)) is dtypes.float64
    finally:
        dtypes.set_default_dtype(dtypes.float32)
    with pytest.raises(TypeError, match="floating dtype"):
        dtypes.set_default_dtype(dtypes.int64)


def test_names_codes_and_numpy_agree():
    for dtype in dtypes.ALL:
        assert dtypes.from_name(dtype.name) is dtype
        assert dtypes.from_code(dtype.code) is dtype
        assert dtypes.from_graph_name(dtype.graph_name) is dtype
        assert dtypes.from_numpy(dtype.numpy) is dtype
        assert dtypes.supports(dtype.numpy)
        assert np.zeros(2, dtype).dtype == dtype.numpy
        assert dtype == dtype.numpy and hash(dtype) == hash(dtype.numpy)
    assert dtypes.from_numpy(np.dtype(">f4")) is dtypes.float32
    with pytest.raises(TypeError, match="uint64"):
        dtypes.from_numpy(np.dtype("uint64"))


def test_a_dtype_is_not_what_numpy_would_read_into_it():
    assert dtypes.float64 != None  # noqa: E711
    assert dtypes.float64 != float  # noqa: E721
    assert dtypes.bool_ != "bool"


def test_casts_in_place():
    assert dtypes.can_cast(dtypes.float64, dtypes.float16)
    assert not dtypes.can_cast(dtypes.float16, dtypes.int64)
    assert not dtypes.can_cast(dtypes.int8, dtypes.bool_)
    assert not dtypes.can_cast(dtypes.complex64, dtypes.float64)
    assert all(d.category is Category.FLOATING for d in FLOATS)


def test_devices():
    cpu, gpu = Device("cpu"), Device("cuda", 1)
    assert (str(cpu), repr(cpu)) == ("cpu", "device(type='cpu')")
    assert (str(gpu), repr(gpu)) == ("cuda:1", "device(type='cuda', index=1)")
    assert Device("cuda:1") == gpu and hash(Device("cuda:1")) == hash(gpu)
    assert Device(gpu) == gpu
    for wrong in ("gpu", "cuda:x", ""):
        with pytest.raises(RuntimeError, match="device"):
            Device(wrong)
    with pytest.raises(RuntimeError, match="twice"):
        Device("cuda:0", 1)


def test_float_warnings_can_be_ignored(recwarn):
    token = ignore_float_errors()
    try:
        _ = np.float32([1]) / np.float32([0])
    finally:
        restore_float_errors(token)
    assert not recwarn.list
    with pytest.warns(RuntimeWarning):
        _ = np.float32([1]) / np.float32([0])
