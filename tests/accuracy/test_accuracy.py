"""The checked-in measurements hold: same expressions, same worst results, nothing beyond bounds."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from jitlang import config, dtypes, ops

from . import table
from .kernels import digest, kernel
from .meter import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, compared, meter
from .points import drawn, pairs
from .references import ROWS

assert ops
TABLE = table.load()
SINGLES, DOUBLES = 1 << 20, 1 << 14
AGAIN = "its expression changed: run `make ulp` (or `python -m accuracy {label!r}` in tests/)"


@pytest.fixture(autouse=True)
def one_thread():
    with config.override(num_threads=1):
        yield


def label_of(row):
    return row.label


def worst_arguments(found, dtype):
    unsigned = f"u{np.dtype(dtype).itemsize}"
    bits = np.array([[int(b, 16) for b in place] for place in found["worst"]], unsigned)
    return [np.ascontiguousarray(column).view(dtype) for column in bits.T]


def sample(row, dtype):
    """Numbers spread over all, or the pairs that count."""
    count = SINGLES if dtype is np.float32 else DOUBLES
    if row.arity == 2:
        return pairs(row.label, dtype, min(count, 1 << 16), 0)
    if dtype is np.float64:
        return [drawn(row.label, dtype, count, 0)]
    step = (1 << 32) // count
    bits = np.arange(len(row.row), 1 << 32, step, dtype=np.uint64)
    return [bits.astype(np.uint32).view(np.float32)]


@pytest.mark.parametrize("row", ROWS, ids=label_of)
def test_the_table_is_about_these_expressions(row):
    for name, dtype in (("float32", dtypes.float32), ("float64", dtypes.float64)):
        assert row.label in TABLE, f"{row.label} is not measured: run `make ulp`"
        again = AGAIN.format(label=row.label)
        assert TABLE[row.label][name]["digest"] == digest(row, dtype), again


@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=["float32", "float64"])
@pytest.mark.parametrize("row", ROWS, ids=label_of)
def test_errors_stay_within_bounds(row, format):
    dtype = format.dtype.numpy.type
    found = TABLE[row.label][format.dtype.name]
    errors, run = meter(row.reference, row.arity, format), kernel(row)
    promised = row.promised(format is FLOAT64)
    with np.errstate(all="ignore"):
        worst = worst_arguments(found, dtype)
        again = errors(worst, run(*worst))
        # The table is by mpmath, this by the C library, whose argument of erfc is rounded.
        assert again.max() == pytest.approx(found["max"], rel=0.1)
        operands = sample(row, dtype)
        everywhere = errors(operands, run(*operands))
    place = everywhere.argmax()
    assert everywhere[place] <= promised, (everywhere[place], [o[place] for o in operands])
    assert found["max"] <= promised


@pytest.mark.parametrize("format", [FLOAT16, BFLOAT16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("row", [r for r in ROWS if r.arity == 1], ids=label_of)
def test_all_half_numbers_are_rounded_once(row, format):
    dtype = np.float16 if format is FLOAT16 else ml_dtypes.bfloat16
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        got = kernel(row)(x)
        assert got.dtype == dtype
        errors = meter(row.reference, 1, format)([x.astype(np.float32)], got.astype(np.float32))
    # What float32 lost before the result was rounded.
    lost = row.bound * 2.0 ** (format.fraction_bits - FLOAT32.fraction_bits)
    place = errors.argmax()
    assert errors[place] <= 0.5 + lost, f"{row.label}({x[place]}) is {got[place]}"


@pytest.mark.parametrize(
    ("got", "wanted", "error"),
    [
        (1.0, 1.0, 0.0),
        (1.0, 1.0 + 2.0**-24, 0.5),
        (1.0, 1.0 - 2.0**-25, 0.5),
        (np.inf, 2.0**128 * (1 - 2.0**-25), 0.5),
        (np.inf, 1e300, 0.0),
        (1e-45, 0.0, 1.0),
        (-0.0, 0.0, np.inf),
        (0.0, 1e-60, 0.0),
        (np.nan, 1.0, np.inf),
        (1.0, np.nan, np.inf),
        (np.nan, np.nan, 0.0),
        (-np.inf, np.inf, 2.0**25),
    ],
)
def test_how_errors_are_counted(got, wanted, error):
    found = compared(np.array([got], np.float32), np.array([wanted], np.float64), FLOAT32)
    assert found[0] == pytest.approx(error)
