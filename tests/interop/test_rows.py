"""Rows of the tensor families against torch: values, dtypes, shapes, strides of views, error
classes.

Every call below runs on every input of `inputs()`, sensible or not: what torch refuses must be
refused with an exception of the same class. `DIFFERS` lists the calls for which jitlang's answer is
meant to be another one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import jitlang.ops  # noqa: F401
from crossing import BFLOAT16, to_numpy, to_torch
from jitlang import dtypes
from jitlang.ir.opdef import OPS
from jitlang.ir.schema import parse_schema
from jitlang.ops.rows import kernel_of

TOLERANCE = {
    "float16": 2e-3,
    "bfloat16": 2e-2,
    "float32": 2e-5,
    "float64": 1e-12,
    "complex64": 2e-5,
    "complex128": 1e-12,
}


# Inputs -------------------------------------------------------------------------------------------


def _values(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if dtype is bool:
        return random.integers(0, 2, shape).astype(bool)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return random.integers(0 if kind.kind == "u" else -5, 6, shape).astype(kind)
    real = random.standard_normal(shape)
    if kind.kind == "c":
        return np.array(real + 1j * random.standard_normal(shape), kind)
    return np.array(real, kind)


def inputs() -> dict[str, np.ndarray]:
    """Arrays of all dtypes and layouts."""
    found = {}
    for shape in (
        (),
        (1,),
        (0,),
        (5,),
        (2, 3),
        (0, 3),
        (2, 0),
        (1, 3),
        (2, 3, 4),
        (4, 1, 3),
        (2, 2, 2, 3),
    ):
        found[f"float32{list(shape)}"] = _values(shape, "float32", len(shape))
    for dtype in ("float64", "int64", "int32", "uint8", bool, "float16", BFLOAT16, "complex64"):
        for shape in ((), (4,), (2, 3), (2, 3, 4)):
            found[f"{np.dtype(dtype).name}{list(shape)}"] = _values(shape, dtype)
    base = _values((4, 6), "float32", 7)
    found["transposed"] = base.T
    found["strided"] = base[::2, 1::3]
    found["reversed"] = base[::-1, ::-2]
    found["expanded"] = np.lib.stride_tricks.as_strided(base[0], (3, 6), (0, 4))
    found["permuted"] = _values((2, 3, 4), "float32", 8).transpose(2, 0, 1)
    special = np.array([[1.0, np.nan, np.inf], [-np.inf, 0.0, -0.0]], "float32")
    found["special"] = special
    found["ties"] = np.array([[2, 1, 2], [1, 1, 3]], "int64")
    return found


INPUTS = inputs()


# Calling torch ------------------------------------------------------------------------------------


def torch_function(full_name: str) -> Callable[..., Any]:
    """`torch.ops.aten.NAME.OVERLOAD`."""
    name, _, overload = full_name.removeprefix("aten::").partition(".")
    return getattr(getattr(torch.ops.aten, name), overload or "default")


def run(function: Callable[..., Any], args: list[Any]) -> Any:
    """The result, or the exception."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args)
    except Exception as error:
        return error


def complete(full_name: str, args: tuple[Any, ...]) -> list[Any]:
    """The arguments with the schema's defaults."""
    op = OPS.find(full_name)
    assert op is not None, full_name
    rest = op.schema.arguments[len(args) :]
    given = [
        [v] * a.size if a.size and isinstance(v, int) else v
        for a, v in zip(op.schema.arguments, args, strict=False)
    ]
    return given + [a.default for a in rest]


def by_keyword(full_name: str, args: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    op = OPS.find(full_name)
    assert op is not None
    positional = [v for a, v in zip(op.schema.arguments, args, strict=True) if not a.kwarg_only]
    keywords = {
        a.name: v
        for a, v in zip(op.schema.arguments, args, strict=True)
        if a.kwarg_only and v is not a.default
    }
    return positional, keywords


# Comparing ----------------------------------------------------------------------------------------


def same(ours: Any, theirs: Any, *, is_view: bool, where: str) -> None:
    if isinstance(theirs, list | tuple):
        assert isinstance(ours, list | tuple) and len(ours) == len(theirs), (
            f"{where}: {ours!r} != {theirs!r}"
        )
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, is_view=is_view, where=where)
        return
    if not isinstance(theirs, np.ndarray):
        assert type(ours) is type(theirs) and (ours == theirs or ours != ours), (
            f"{where}: {ours!r} != {theirs!r}"
        )
        return
    ours = np.asarray(ours)
    assert ours.dtype == theirs.dtype, f"{where}: dtype {ours.dtype}, torch {theirs.dtype}"
    assert ours.shape == theirs.shape, f"{where}: shape {ours.shape}, torch {theirs.shape}"
    tolerance = TOLERANCE.get(ours.dtype.name)
    if tolerance is None:
        assert np.array_equal(ours, theirs), f"{where}:\n{ours}\n{theirs}"
    else:
        wide = "complex128" if ours.dtype.kind == "c" else "float64"
        left, right = ours.astype(wide), theirs.astype(wide)
        assert np.allclose(left, right, tolerance, tolerance, equal_nan=True), (
            f"{where}:\n{ours}\n{theirs}"
        )
    if is_view and ours.size and all(s >= 0 for s in theirs.strides):
        long = [
            (a, b)
            for a, b, n in zip(ours.strides, theirs.strides, ours.shape, strict=True)
            if n > 1
        ]
        assert all(a == b for a, b in long), (
            f"{where}: strides {ours.strides}, torch {theirs.strides}"
        )


Call = tuple[str, Callable[[np.ndarray], tuple[Any, ...]], str]
CALLS: list[Call] = []


def calls(name: str, *arguments: Callable[[np.ndarray], tuple[Any, ...]]) -> None:
    """Calls of one row on each input `a`: functions from `a` to the arguments."""
    for number, function in enumerate(arguments):
        CALLS.append((name, function, f"{name}#{number}"))


def every(name: str, *rest: tuple[Any, ...]) -> None:
    """Calls of one row with the input first and each of these tuples behind it."""
    calls(name, *((lambda a, more=more: (a, *more)) for more in rest or ((),)))


def _slices(a: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.ones((index.size, *a.shape[1:]) if a.ndim else (), a.dtype)


I8 = np.int64
every("aten::size.int", (0,), (-1,), (2,))
every("aten::size")
every("aten::dim")
every("aten::numel")
every(
    "aten::view",
    ([-1],),
    ([6],),
    ([3, 2],),
    ([2, -1],),
    ([-1, -1],),
    ([-2],),
    ([0, -1],),
    ([1, 4, 6],),
)
every("aten::reshape", ([-1],), ([6],), ([3, -1],), ([2, 3, 2, 2],), ([],))
every("aten::flatten.using_ints", (), (1,), (0, 1), (1, 0), (-2, -1), (0, 3))
every("aten::unflatten.int", (0, [1, -1]), (-1, [3, 1]), (0, []), (1, [2, -1]))
every("aten::ravel")
every("aten::squeeze")
every("aten::squeeze.dim", (0,), (1,), (-1,))
every("aten::squeeze.dims", ([0, 1],), ([0, 0],))
every("aten::unsqueeze", (0,), (1,), (-1,), (-3,), (4,))
every("aten::transpose.int", (0, 1), (-1, -2), (0, 0), (0, 5))
every("aten::t")
every("aten::numpy_T")
every("aten::mT")
every("aten::permute", ([1, 0],), ([0],), ([2, 0, 1],), ([0, 0],), ([-1, 0],), ([],))
every("aten::movedim.int", (0, 1), (-1, 0), (0, 5))
every("aten::movedim.intlist", ([0, 1], [1, 0]), ([0, 1], [0]))
every("aten::swapaxes", (0, 1))
every("aten::expand", ([2, 3],), ([4, -1, -1],), ([3],), ([],), ([-1, 4],), ([2, 2, 2, 3, 4],))
every("aten::broadcast_to", ([2, 3],), ([5, 2, 3, 4],))
every("aten::contiguous")
every("aten::detach")
every("aten::clone")
every("aten::diagonal", (), (1,), (-1, 1, 0), (0, 0, 0), (5,), (0, -1, -2))
every("aten::unfold", (0, 2, 1), (-1, 3, 2), (0, 9, 1), (0, 1, 0))
every("aten::atleast_1d")
every("aten::atleast_2d")
every("aten::atleast_3d")
every("aten::chunk", (2,), (3, -1), (0,), (2, 1), (7,))
every("aten::split.Tensor", (2,), (2, 1), (0,), (-1,), (9,), (1, -1))
every("aten::split_with_sizes", ([1, 1],), ([2, 1], 1), ([1, -1],), ([],))
every("aten::tensor_split.sections", (2,), (3, 1), (0,))
every("aten::tensor_split.indices", ([1, 3],), ([2, 1], 1), ([-1],))
every("aten::unbind.int", (0,), (1,), (-1,), (5,))
every("aten::hsplit.int", (1,), (2,))
every("aten::vsplit.int", (1,), (2,))
calls(
    "aten::cat",
    lambda a: ([a, a],),
    lambda a: ([a, a], 1),
    lambda a: ([a], -1),
    lambda a: ([a, a], 5),
    lambda a: ([],),
    lambda a: ([a, np.zeros(0, "float32")],),
    lambda a: ([a, np.ones((2, 3), "float64")],),
    lambda a: ([np.ones((2, 3), "int32"), a], 0),
)
calls(
    "aten::stack",
    lambda a: ([a, a],),
    lambda a: ([a, a], 1),
    lambda a: ([a, a], -1),
    lambda a: ([a, a], 7),
    lambda a: ([],),
    lambda a: ([a, np.ones((2, 3), "float64")],),
)
calls("aten::hstack", lambda a: ([a, a],))
calls("aten::vstack", lambda a: ([a, a],))
every("aten::repeat", ([2],), ([2, 1],), ([1, 2, 3],), ([2, -1],), ([0, 1, 2],))
every("aten::tile", ([2],), ([1, 2, 2],), ([],))
every("aten::repeat_interleave.self_int", (2,), (3, 0), (2, -1), (-1,), (1, 5))
every("aten::flip", ([0],), ([],), ([0, 1],), ([0, 0],), ([-1],))
every("aten::fliplr")
every("aten::flipud")
every("aten::roll", ([1],), ([1], [0]), ([1, -2], [0, 1]), ([1, 2], [0]), ([3], [-1]))
every("aten::rot90", (), (2,), (1, [0, -1]), (1, [0]))
every("aten::narrow", (0, 0, 1), (1, 1, 2), (0, -1, 1), (0, 1, 9), (0, 9, 0), (0, 0, -1))

every("aten::select.int", (0, 0), (0, -1), (1, 1), (-1, 0), (0, 9), (5, 0))
every(
    "aten::slice.Tensor",
    (0, 1),
    (0, None, 2),
    (1, 0, None, 2),
    (-1, -2, None, 1),
    (0, 5, 2),
    (0, None, None, 3),
)
for _index in (
    np.array([0, 1]),
    np.array(0),
    np.array([[0], [-1]]),
    np.array([9]),
    np.array([], I8),
    np.array([0.5]),
):
    calls(
        "aten::index.Tensor",
        lambda a, i=_index: (a, [i]),
        lambda a, i=_index: (a, [None, i]),
        lambda a, i=_index: (a, [i, i]),
    )
calls(
    "aten::index.Tensor",
    lambda a: (a, [a > 0]),
    lambda a: (a, [np.array([True, False])]),
    lambda a: (a, [np.array([True, False, True]), None]),
    lambda a: (a, [np.array([0, 1]), None, np.array([0, 1])]),
    lambda a: (a, [None, np.array([[0, 1]]), np.array([0])]),
    lambda a: (a, [np.array([0, 1]), np.array([0, 1, 0])]),
    lambda a: (a, [np.array([1, 0], "uint8")]),
)
calls(
    "aten::index_put",
    lambda a: (a, [np.array([0, 0])], np.ones((), a.dtype)),
    lambda a: (a, [np.array([0, 0])], np.ones((), a.dtype), True),
    lambda a: (a, [a > 0], np.zeros((), a.dtype)),
    lambda a: (a, [np.array([0])], np.ones((7,), a.dtype)),
    lambda a: (a, [np.array([8])], np.ones((), a.dtype)),
)
calls(
    "aten::masked_select",
    lambda a: (a, a > 0),
    lambda a: (a, np.array([True, False, True])),
    lambda a: (a, np.array(True)),
    lambda a: (a, np.array([1])),
)
calls(
    "aten::masked_scatter",
    lambda a: (a, a > 0, a),
    lambda a: (a, np.array(True), np.zeros(2, a.dtype)),
)
every("aten::nonzero")
every("aten::where")
for _index in (
    np.array([[0]]),
    np.array([[0, 1], [1, 0]]),
    np.array([0]),
    np.array(0),
    np.array([[5]]),
    np.array([[-1]]),
    np.zeros((2, 0), I8),
    np.array([[0.0]]),
):
    calls("aten::gather", lambda a, i=_index: (a, 0, i), lambda a, i=_index: (a, -1, i))
    calls("aten::scatter.value", lambda a, i=_index: (a, 0, i, 1), lambda a, i=_index: (a, 1, i, 1))
    calls(
        "aten::scatter.src",
        lambda a, i=_index: (a, 0, i, np.ones((2, 2), a.dtype)),
        lambda a, i=_index: (a, 0, i, np.ones((1,), a.dtype)),
    )
    calls("aten::scatter_add", lambda a, i=_index: (a, 0, i, np.ones((2, 2), a.dtype)))
for _index in (
    np.array([0]),
    np.array([1, 0, 0]),
    np.array(0),
    np.array([7]),
    np.array([-1]),
    np.array([[0]]),
    np.array([], I8),
):
    calls("aten::index_select", lambda a, i=_index: (a, 0, i), lambda a, i=_index: (a, -1, i))
    calls("aten::take", lambda a, i=_index: (a, i))
    calls("aten::index_fill.int_Scalar", lambda a, i=_index: (a, 0, i, 1))
    calls("aten::index_add", lambda a, i=_index: (a, 0, i, _slices(a, i)))
    calls("aten::index_copy", lambda a, i=_index: (a, 0, i, _slices(a, i)))
every("aten::sort", (), (0,), (-1, True), (5,))
every("aten::argsort", (0, True))
every("aten::topk", (2,), (1, 0), (1, -1, False), (9,), (0,))
every("aten::kthvalue", (1,), (2, 0), (9,))
every("aten::tril", (), (1,), (-1,))
every("aten::triu", (), (2,))
every("aten::diag", (), (1,), (-1,))
every("aten::bincount")
every("aten::_unique2", (True, True, True))
calls(
    "aten::copy_",
    lambda a: (a.copy(), np.ones((), "float64")),
    lambda a: (a.copy(), np.ones((3,), "float32")),
    lambda a: (a.copy(), np.ones((2, 3, 4, 5, 6), "float32")),
)
every("aten::zeros_like")
every("aten::ones_like", (), (dtypes.int32,))
every("aten::full_like", (2,), (1.5,), (True,), (2, dtypes.float64))
every("aten::new_zeros", ([2, 2],), ([-1],))
every("aten::new_full", ([2], 3))
every("aten::new_ones", ([], dtypes.bool_))
every(
    "aten::to.dtype",
    (dtypes.float32,),
    (dtypes.int64,),
    (dtypes.bool_,),
    (dtypes.float16,),
    (dtypes.bfloat16,),
    (dtypes.complex64,),
)
calls("aten::type_as", lambda a: (a, np.ones(1, "float64")))

for _dims in (None, [0], [1], [-1], [0, 1], [0, -1], [], [0, 0], [5]):
    every("aten::sum.dim_IntList", (_dims,), (_dims, True))
    every("aten::mean.dim", (_dims,), (_dims, True))
    every("aten::var.correction", (_dims,), (_dims, 0, True))
    every("aten::std.dim", (_dims, False), (_dims, True, True))
    every(
        "aten::linalg_vector_norm",
        (2, _dims),
        (1, _dims, True),
        (float("inf"), _dims),
        (0, _dims),
        (-1.5, _dims),
        (float("-inf"), _dims),
    )
    every("aten::any.dims", (_dims,), (_dims, True))
    every("aten::all.dims", (_dims,))
    if _dims is not None:
        every("aten::amax", (_dims,), (_dims, True))
        every("aten::amin", (_dims,))
        every("aten::logsumexp", (_dims,), (_dims, True))
        every("aten::count_nonzero.dim_IntList", (_dims,))
for _dim in (0, 1, -1, 5, -3):
    every("aten::prod.dim_int", (_dim,), (_dim, True))
    every("aten::max.dim", (_dim,), (_dim, True))
    every("aten::min.dim", (_dim,))
    every("aten::argmax", (_dim,), (_dim, True))
    every("aten::argmin", (_dim,))
    every("aten::any.dim", (_dim,), (_dim, True))
    every("aten::all.dim", (_dim,))
    every("aten::softmax.int", (_dim,), (_dim, dtypes.float32))
    every("aten::log_softmax.int", (_dim,), (_dim, dtypes.float64))
    every("aten::cumsum", (_dim,), (_dim, dtypes.float32))
    every("aten::cumprod", (_dim,))
    every("aten::cummax", (_dim,))
    every("aten::cummin", (_dim,))
    every("aten::median.dim", (_dim,), (_dim, True))
    every("aten::diff", (1, _dim), (2, _dim), (0, _dim))
    every("aten::count_nonzero", (_dim,))
    every("aten::aminmax", (_dim,), (_dim, True))
every("aten::sum", (), (dtypes.float32,), (dtypes.int32,), (dtypes.bool_,))
every("aten::mean", (), (dtypes.float32,), (dtypes.int64,))
every("aten::prod")
every("aten::max")
every("aten::min")
every("aten::any")
every("aten::all")
every("aten::median")
every("aten::argmax")
every("aten::argmin", (None, True))
every("aten::std")
every("aten::var", (False,))
every("aten::norm.Scalar", (), (1,), (3,))
every("aten::norm.ScalarOpt_dim", (2, [0]), (None, [-1], True))
every("aten::std_mean.dim", ([0],))
every("aten::var_mean", (True,))
every("aten::nansum", (), ([0],))
every("aten::nanmean")
every("aten::aminmax")
calls("aten::max.other", lambda a: (a, a), lambda a: (a, np.ones((3,), "float32")))

_W = {n: np.random.default_rng(n).standard_normal((n, 4)).astype("float32") for n in (1, 3, 4, 5)}
for _matrix in _W.values():
    calls("aten::mm", lambda a, w=_matrix: (a, w))
    calls(
        "aten::matmul",
        lambda a, w=_matrix: (a, w),
        lambda a, w=_matrix: (w.T, a),
        lambda a, w=_matrix: (a, w[:, 0]),
        lambda a, w=_matrix: (w[:, 1], a),
    )
    calls("aten::mv", lambda a, w=_matrix: (a, w[:, 0]))
    calls("aten::dot", lambda a, w=_matrix: (a, w[:, 0]))
    calls(
        "aten::linear",
        lambda a, w=_matrix: (a, w.T, None),
        lambda a, w=_matrix: (a, w.T, np.ones(4, "float32")),
        lambda a, w=_matrix: (a, w.T, np.ones(3, "float32")),
        lambda a, w=_matrix: (a, w[:, 0], None),
    )
    calls(
        "aten::addmm",
        lambda a, w=_matrix: (np.ones(4, "float32"), a, w),
        lambda a, w=_matrix: (np.ones(4, "float32"), a, w, 0.5, 2),
        lambda a, w=_matrix: (np.full(4, np.nan, "float32"), a, w, 0, 1),
    )
calls(
    "aten::matmul",
    lambda a: (a, a.T),
    lambda a: (a, a),
    lambda a: (a, np.ones((2, 4, 3), "float32")),
    lambda a: (a, np.ones((5, 4, 2), "float32")),
    lambda a: (a, np.ones((3, 2), "float64")),
)
calls("aten::mm", lambda a: (a, a.T), lambda a: (a, a))
calls(
    "aten::bmm",
    lambda a: (a, a.swapaxes(-1, -2) if a.ndim > 1 else a),
    lambda a: (a, a),
    lambda a: (a, np.ones((2, 4, 3), "float32")),
)
calls("aten::dot", lambda a: (a, a))
calls("aten::outer", lambda a: (a, a), lambda a: (a, np.ones(2, "float64")))
calls("aten::vdot", lambda a: (a, a))
calls(
    "aten::einsum",
    lambda a: ("ij,kj->ik", [a, a]),
    lambda a: ("...i->...", [a]),
    lambda a: ("ii", [a]),
    lambda a: ("i,j", [a, a]),
    lambda a: ("ij -> ji", [a]),
    lambda a: ("abc,abd->acd", [a, a]),
    lambda a: ("ij,jk", [a, np.ones((3, 2), "float64")]),
)
calls(
    "aten::tensordot",
    lambda a: (a, a, [0], [0]),
    lambda a: (a, a, [-1, 0], [-1, 0]),
    lambda a: (a, a, [0], [1]),
    lambda a: (a, a, [0], []),
)
calls("aten::inner", lambda a: (a, a), lambda a: (a, np.ones(3, "float32")))
calls("aten::kron", lambda a: (a, np.array([[1, 2]])), lambda a: (a, a))
calls("aten::linalg_cross", lambda a: (a, a + 1), lambda a: (a, np.ones((2, 3), "float32"), 1))
calls("aten::cross", lambda a: (a, a * 2))
calls(
    "aten::baddbmm",
    lambda a: (np.ones((2, 3, 3), "float32"), a, np.ones((2, 4, 3), "float32")),
    lambda a: (np.ones((3,), "float32"), a, np.ones((2, 4, 3), "float32"), 2, 3),
)


# The test -----------------------------------------------------------------------------------------

VIEWS = {
    "view",
    "reshape",
    "flatten",
    "unflatten",
    "ravel",
    "squeeze",
    "unsqueeze",
    "transpose",
    "t",
    "numpy_T",
    "mT",
    "permute",
    "movedim",
    "swapaxes",
    "expand",
    "broadcast_to",
    "contiguous",
    "detach",
    "diagonal",
    "unfold",
    "chunk",
    "split",
    "split_with_sizes",
    "tensor_split",
    "unbind",
    "hsplit",
    "vsplit",
    "narrow",
    "select",
    "slice",
}


def differs(name: str, key: str, args: list[Any], ours: Any, theirs: Any) -> bool:
    """Whether jitlang's other answer is meant."""
    return any(rule(name, key, args, ours, theirs) for rule in DIFFERENCES)


def _torch_has_no_kernel(name: str, key: str, args: list[Any], ours: Any, theirs: Any) -> bool:
    """Torch lacks the operator for a dtype; ours gives NumPy's result."""
    return isinstance(theirs, NotImplementedError) and not isinstance(ours, Exception)


def _torch_looks_at_no_dimension_of_nothing(
    name: str, key: str, args: list[Any], ours: Any, theirs: Any
) -> bool:
    """Of empty tensors, and where there is nothing to do, torch lets some bad dimensions pass."""
    lenient = name in ("aten::cummax", "aten::cummin", "aten::diff") and isinstance(
        ours, IndexError
    )
    return lenient and not isinstance(theirs, Exception)


def _torch_is_lenient_about_nothing(
    name: str, key: str, args: list[Any], ours: Any, theirs: Any
) -> bool:
    """Where the result or the input has no elements, torch does not look at every index."""
    empty = 0 in INPUTS[key].shape
    checked = (
        "index.Tensor",
        "index_add",
        "index_copy",
        "index_put",
        "repeat",
        "roll",
        "einsum",
        "index_fill.int_Scalar",
    )
    return (
        empty
        and name.removeprefix("aten::") in checked
        and isinstance(ours, IndexError | RuntimeError)
    )


def _torch_fails_on_scalars(name: str, key: str, args: list[Any], ours: Any, theirs: Any) -> bool:
    """0-dim tensors: torch refuses or answers by accident."""
    odd = (
        "repeat_interleave.self_int",
        "mT",
        "index.Tensor",
        "index_put",
        "index_copy",
        "unflatten.int",
        "index_add",
        "topk",
    )
    return INPUTS[key].ndim == 0 and name.removeprefix("aten::") in odd


def _known_torch_defects(name: str, key: str, args: list[Any], ours: Any, theirs: Any) -> bool:
    """logsumexp over [] and kron of strided tensors fail, order statistics of expanded ones lie.

    std_mean of an infinite column has a NaN mean there (the mean by itself is infinite).
    """
    if name == "aten::logsumexp" and args[1] == []:
        return True
    if name == "aten::kron" and key in ("transposed", "permuted"):
        return True
    if key == "expanded" and name in ("aten::median.dim", "aten::kthvalue"):
        return True
    return key == "special" and name == "aten::std_mean.dim"


def _both_refuse(name: str, key: str, args: list[Any], ours: Any, theirs: Any) -> bool:
    """A call with two mistakes may be refused for either; torch's own classes form a family."""
    if not isinstance(ours, Exception) or not isinstance(theirs, Exception):
        return False
    related = isinstance(ours, type(theirs)) or isinstance(theirs, type(ours))
    is_empty = 0 in INPUTS[key].shape
    return related or is_empty or name in _ANY_REFUSAL


# Rows for which torch's class depends on which of its kernels looks at the argument first.
_ANY_REFUSAL = (
    "aten::baddbmm",
    "aten::linalg_cross",
    "aten::tensordot",
    "aten::mv",
    "aten::scatter.src",
    "aten::index_add",
    "aten::index_select",
    "aten::max.other",
)
DIFFERENCES: list[Callable[..., bool]] = [
    _torch_has_no_kernel,
    _torch_looks_at_no_dimension_of_nothing,
    _both_refuse,
    _torch_is_lenient_about_nothing,
    _torch_fails_on_scalars,
    _known_torch_defects,
]


ANY_ORDER = ("aten::topk", "aten::kthvalue", "aten::median.dim")


def cases() -> list[Any]:
    names = sorted({name for name, _, _ in CALLS})
    return [pytest.param(name, id=name.removeprefix("aten::")) for name in names]


@pytest.mark.parametrize("name", cases())
def test_row_equals_torch(name: str) -> None:
    op = OPS.find(name)
    assert op is not None
    kernel = kernel_of(op, np)
    failures = []
    for call, arguments, label in CALLS:
        if call != name:
            continue
        for key, array in INPUTS.items():
            try:
                args = complete(name, arguments(array))
            except (ValueError, TypeError):
                continue  # the argument cannot be made of this input
            positional, keywords = by_keyword(name, args)
            try:
                crossed = [to_torch(v) for v in positional]
                crossed_keywords = {k: to_torch(v) for k, v in keywords.items()}
            except (TypeError, ValueError):
                continue
            function = torch_function(name)
            theirs = run(lambda *a, f=function, k=crossed_keywords: f(*a, **k), crossed)
            ours = run(kernel, args)
            where = f"{label} on {key}"
            if differs(name, key, args, ours, theirs):
                continue
            if isinstance(theirs, Exception) or isinstance(ours, Exception):
                if type(theirs) is not type(ours):
                    failures.append(
                        f"{where}: {ours!r}, torch {str(theirs)[:200]!r} {type(theirs).__name__}"
                    )
                continue
            if (
                name in ANY_ORDER
            ):  # ties come in any order: the indices must only lead to the values
                theirs, ours = theirs[0], np.asarray(ours[0])
            is_view = name.removeprefix("aten::").partition(".")[0] in VIEWS
            try:
                same(ours, to_numpy(theirs), is_view=is_view and key != "reversed", where=where)
            except AssertionError as error:
                failures.append(str(error))
    assert not failures, "\n".join([f"{len(failures)} failures", *failures[:12]])


# Schemas ------------------------------------------------------------------------------------------

# Rows whose schema says more than torch's: alias marks that torch leaves out, types that it spells
# int.
# Here `alpha` is a keyword, and `positive` never its argument.
ALPHA = {"aten::rsub.Tensor", "aten::positive"} | {
    f"aten::{name}.Scalar" for name in ("add", "add_", "sub", "sub_", "subtract", "subtract_")
}
OTHER_SCHEMAS = ALPHA | {
    "aten::add_.t",
    "aten::batch_norm",
    "aten::instance_norm",
    "aten::atleast_1d",
    "aten::atleast_1d.Sequence",
    "aten::atleast_2d",
    "aten::atleast_2d.Sequence",
    "aten::atleast_3d",
    "aten::atleast_3d.Sequence",
    "aten::broadcast_tensors",
    "aten::alpha_dropout",
    "aten::dropout",
    "aten::feature_alpha_dropout",
    "aten::feature_dropout",
    "aten::type_as",
    "aten::unsafe_chunk",
    "aten::unsafe_split.Tensor",
    "aten::unsafe_split_with_sizes",
    "prim::dtype",
    "prim::layout",
    "prim::requires_grad",
}


def test_schemas_equal_torchs():
    """Rows under torch's names have torch's schemas; overloads of our own take other types."""
    theirs = {(s.name, s.overload_name): str(s) for s in torch._C._jit_get_all_schemas()}
    different = []
    for op in OPS:
        text = theirs.get((op.name, op.overload))
        if text is not None and str(parse_schema(text)) != str(op.schema):
            different.append(op.full_name)
    assert set(different) - OTHER_SCHEMAS == set(), different
