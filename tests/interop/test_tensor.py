"""A tensor's everyday manners, each compared with torch's."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

import jitlang as jl
from jitlang import dtypes
from jitlang.tensor import box
from test_promotion import assert_same, from_torch, outcome, samples, to_torch

# repr ---------------------------------------------------------------------------------------------

PRINTED = {
    "floats": [1.0, 2.5, -3.0],
    "whole floats": [1.0, 2.0],
    "nan": [float("nan"), 1.0],
    "inf": [float("inf"), -1.5],
    "only inf": [float("inf")],
    "small": [1e-5, 1.0],
    "large": [1e9, 1.0],
    "large whole": [1e5, 1.0],
    "wide": [1e-3, 1e4],
    "zeros": [0.0, 0.0],
    "scalar": 3.25,
    "whole scalar": 2.0,
    "ints": [1, -22, 333],
    "bools": [True, False],
    "complex": [1 + 2j, -0.5 - 1j],
    "whole complex": [1 + 2j, -3 + 0j],
    "matrix": [[1.0, 2.0], [3.5, 4.0]],
    "cube": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
    "empty": [],
    "empty matrix": [[], []],
    "negative zero": [-0.0, 1.0],
    "thin": [[1e-8], [1.0]],
}


def torch_text(tensor):
    return repr(tensor).replace("torch.", "jitlang.")


@pytest.mark.parametrize("name", PRINTED)
def test_repr(name):
    assert repr(jl.tensor(PRINTED[name])) == torch_text(torch.tensor(PRINTED[name]))


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_repr_of_dtypes(dtype):
    for shape in ((3,), (), (2, 3), (0,), (0, 2), (30,), (1001,), (12, 120), (40, 30, 2)):
        x = samples(dtype, shape)
        assert repr(box(x)) == torch_text(to_torch(x)), shape


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"threshold": 5, "edgeitems": 1},
        {"linewidth": 40},
        {"sci_mode": True},
        {"sci_mode": False},
    ],
    ids=str,
)
def test_print_options(options):
    x = np.random.default_rng(0).normal(0, 100, (4, 7)).astype(np.float32)
    defaults = {
        "precision": 4,
        "threshold": 1000,
        "edgeitems": 3,
        "linewidth": 80,
        "sci_mode": None,
    }
    try:
        jl.set_printoptions(**options)
        torch.set_printoptions(**options)
        assert repr(box(x)) == torch_text(torch.from_numpy(x))
    finally:
        jl.set_printoptions(**defaults)
        torch.set_printoptions(**defaults)


def test_repr_at_random():
    rng = np.random.default_rng(0)
    for _ in range(200):
        x = (rng.normal(size=rng.integers(1, 5)) * 10.0 ** rng.integers(-9, 10)).astype(np.float32)
        if rng.random() < 0.3:
            x = np.round(x)
        assert repr(box(x)) == torch_text(torch.from_numpy(x))


def test_repr_says_that_gradients_are_wanted():
    assert repr(jl.tensor([1.0], requires_grad=True)) == repr(
        torch.tensor([1.0], requires_grad=True)
    )


# Indexing -----------------------------------------------------------------------------------------

INDICES = {
    "int": lambda t: 1,
    "negative": lambda t: -1,
    "out of range": lambda t: 7,
    "slice": lambda t: slice(1, 3),
    "step": lambda t: slice(None, None, 2),
    "negative step": lambda t: slice(None, None, -1),
    "negative bounds": lambda t: slice(-2, -1),
    "empty slice": lambda t: slice(3, 1),
    "none": lambda t: None,
    "ellipsis": lambda t: ...,
    "tuple": lambda t: (1, 2),
    "int slice": lambda t: (1, slice(None)),
    "slice int": lambda t: (slice(None), 2),
    "ellipsis int": lambda t: (..., 0),
    "none mixed": lambda t: (None, 1, None, slice(0, 2)),
    "too many": lambda t: (0, 0, 0, 0),
    "list": lambda t: [0, 2],
    "empty list": lambda t: [],
    "index tensor": lambda t: t.tensor([2, 0, 1]),
    "negative indices": lambda t: t.tensor([-1, 0]),
    "index matrix": lambda t: t.tensor([[0, 1], [2, 0]]),
    "index out of range": lambda t: t.tensor([5]),
    "two index tensors": lambda t: (t.tensor([0, 2]), t.tensor([1, 3])),
    "apart": lambda t: (t.tensor([0, 2]), slice(None), t.tensor([1, 0])),
    "second": lambda t: (slice(None), t.tensor([1, 3])),
    "last": lambda t: (..., t.tensor([1, 0])),
    "tensor and int": lambda t: (t.tensor([0, 1]), 2),
    "int and tensor": lambda t: (0, slice(None), t.tensor([0, 1])),
    "broadcast": lambda t: (t.tensor([[0], [1]]), t.tensor([0, 2])),
    "mask": lambda t: t.tensor([True, False, True]),
    "short mask": lambda t: t.tensor([True, False]),
    "mask of two": lambda t: (slice(None), t.tensor([True, False, True, True])),
    "mask and int": lambda t: (t.tensor([True, False, True]), 1),
    "true": lambda t: True,
    "false": lambda t: False,
    "0-dim tensor": lambda t: t.tensor(1),
    "0-dim mask": lambda t: t.tensor(True),
    "float": lambda t: 1.5,
    "string": lambda t: "a",
    "float tensor": lambda t: t.tensor([1.0]),
    "list of lists": lambda t: [[0, 1], [1, 2]],
    "tuple of lists": lambda t: ([0, 1], [1, 2]),
    "bool list": lambda t: [True, False, True],
    "slice with tensors": lambda t: slice(t.tensor(0), t.tensor(2)),
}


def cube():
    return np.arange(24, dtype=np.float32).reshape(3, 4, 2)


@pytest.mark.parametrize("name", INDICES)
def test_reading_by_index(name):
    index = INDICES[name]
    for layout in (lambda x: x, lambda x: x.transpose(2, 1, 0)):
        ours, theirs = box(layout(cube())), torch.from_numpy(layout(cube()))
        assert_same(outcome(lambda: ours[index(jl)]), outcome(lambda: theirs[index(torch)]), name)


@pytest.mark.parametrize("value", [7, 2.5, True, "row", "same"], ids=str)
@pytest.mark.parametrize("name", INDICES)
def test_writing_by_index(name, value):
    index = INDICES[name]

    def write(module, x):
        given = value
        if value == "row":
            given = module.tensor([5.0, 6.0])
        if value == "same":
            given = x[index(module)] * 2
        x[index(module)] = given
        return x

    ours, theirs = box(cube()), torch.from_numpy(cube())
    assert_same(outcome(lambda: write(jl, ours)), outcome(lambda: write(torch, theirs)), name)


def test_views_share_memory_and_versions():
    x = jl.tensor([[1.0, 2.0], [3.0, 4.0]])
    row = x[0]
    assert row._base is x
    row += 10
    assert x.tolist() == [[11, 12], [3, 4]]
    assert x._version == 1
    copied = x[jl.tensor([0])]
    assert copied._base is None
    copied += 1
    assert x[0, 0].item() == 11
    y = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    for view in (
        lambda t: t[0],
        lambda t: t[:, 1:],
        lambda t: t.t(),
        lambda t: t[None],
        lambda t: t.view(4),
    ):
        assert view(x)._base is x
        assert view(y)._base is y


# Python's protocols -------------------------------------------------------------------------------

PROTOCOLS = {
    "len": len,
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "iter": lambda x: [e.tolist() for e in x],
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "format": lambda x: f"{x}",
    "format spec": lambda x: f"{x:.2f}",
    "shape": lambda x: tuple(x.shape),
    "size": lambda x: x.size(0),
    "size out": lambda x: x.size(5),
    "stride": lambda x: x.stride(),
    "numel": lambda x: x.numel(),
    "dim": lambda x: x.dim(),
    "ndim": lambda x: x.ndim,
    "element_size": lambda x: x.element_size(),
    "nbytes": lambda x: x.nbytes,
    "is_contiguous": lambda x: x.is_contiguous(),
    "is_floating_point": lambda x: x.is_floating_point(),
    "is_complex": lambda x: x.is_complex(),
    "contains": lambda x: 2 in x,
    "hash": lambda x: hash(x) == id(x) or isinstance(hash(x), int),
    "equal to none": lambda x: x == None,  # noqa: E711
    "in list": lambda x: [10, 20, 30][x],
    "requires_grad": lambda x: x.requires_grad,
    "requires_grad_": lambda x: x.requires_grad_().requires_grad,
    "is_leaf": lambda x: x.is_leaf,
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "add list": lambda x: x + [1],
    "add none": lambda x: x + None,
    "add str": lambda x: x + "a",
    "numpy": lambda x: x.numpy().tolist(),
    "np.asarray": lambda x: np.asarray(x).tolist(),
    "np.sum": lambda x: float(np.sum(np.asarray(x))),
    "sum": lambda x: sum([x, x]),
    "abs": abs,
    "neg": lambda x: -x,
    "pos": lambda x: +x,
    "round": lambda x: x.round(),
    "device": lambda x: str(x.device),
    "device repr": lambda x: repr(x.device),
    "data": lambda x: x.data,
    "unpack": lambda x: [float(v) for v in (lambda *a: a)(*x)],
    "missing": lambda x: hasattr(x, "no_such_method"),
    "dtype": lambda x: str(x.dtype).split(".")[1],
}
VALUES = {
    "0-dim float": 2.5, "0-dim int": 1, "0-dim bool": True, "one": [2.0], "vector": [1.0, 2.0, 3.0],
    "ints": [1, 2, 3], "matrix": [[1.0, 2.0], [3.0, 4.0]], "empty": [], "complex": 1 + 2j,
}  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocols(name, value):
    call = PROTOCOLS[name]
    with np.errstate(all="ignore"):
        wanted = outcome(lambda: call(torch.tensor(VALUES[value])))
        assert_same(outcome(lambda: call(jl.tensor(VALUES[value]))), wanted, f"{name} of {value}")


def test_size_prints_and_counts():
    ours, theirs = jl.tensor([[1.0, 2.0]]).shape, torch.tensor([[1.0, 2.0]]).shape
    assert repr(ours) == repr(theirs).replace("torch", "jitlang")
    assert ours.numel() == theirs.numel() == 2
    assert isinstance(ours, tuple) and ours == (1, 2) and type(ours[:1]) is type(ours)


# Creation and other array types
# ---------------------------------------------------------------------

DATA = [
    1, 1.5, True, 2j, [], [1, 2], [1, 2.5], [True, 1], [[1], [2]], [1, 2j], [[1, 2], [3]],
    [[1], 2], "a", None,
    [np.float32(1.5)], np.arange(3), np.float64(2.0), (1, (2, 3)), (1, 2), [torch.tensor(1)],
    2**40, 2**70,
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(DATA)))
def test_tensor_from_data(index):
    data = DATA[index]
    ours = [jl.tensor(1)] if index == 19 else data
    assert_same(outcome(lambda: jl.tensor(ours)), outcome(lambda: torch.tensor(data)), str(data))


def test_arrays_are_wrapped_without_a_copy():
    array = np.arange(4.0)
    x = jl.from_numpy(array)
    x[0] = 9
    assert array[0] == 9
    assert x.numpy() is array
    assert np.asarray(x) is array or np.shares_memory(np.asarray(x), array)
    assert jl.as_tensor(x) is x
    assert np.shares_memory(jl.as_tensor(array).numpy(), array)
    assert not np.shares_memory(jl.tensor(array).numpy(), array)
    with pytest.raises(TypeError):
        jl.from_numpy([1])
    with pytest.raises(TypeError):
        jl.from_numpy(np.array(["a"]))


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "==", "<", "**", "//", "%"])
def test_arrays_and_tensors_mix(operator):
    array = np.array([1.0, 2.0, 3.0], np.float32)
    x = jl.tensor([2.0, 2.0, 2.0])
    for left, right in (
        (array, x),
        (x, array),
        (np.float64(2), x),
        (x, np.float64(2)),
        (np.int64(2), x),
    ):
        mixed = eval(f"left {operator} right", {"left": left, "right": right})
        plain = eval(
            f"left {operator} right", {"left": np.asarray(left), "right": np.asarray(right)}
        )
        assert isinstance(mixed, jl.Tensor)
        assert mixed.dtype in (jl.float32, jl.bool)
        assert np.allclose(mixed.numpy(), plain)


def test_dlpack_both_ways():
    x = torch.arange(6.0).reshape(2, 3)
    ours = jl.from_dlpack(x)
    ours[0, 0] = 7
    assert x[0, 0] == 7
    theirs = torch.from_dlpack(ours)
    theirs[1, 1] = -1
    assert ours[1, 1].item() == -1
    assert ours.__dlpack_device__() == (1, 0)


def test_zero_dimensional_results_stay_tensors():
    x = jl.tensor(2.0)
    for result in (x + 1, -x, x.exp(), jl.tensor([1.0])[0], x * x, x == x, x.to(jl.int64)):
        assert isinstance(result, jl.Tensor)
        assert isinstance(result._array, np.ndarray)
        assert result.shape == ()


def test_dtype_objects():
    assert (
        jl.float32 == np.float32 and jl.float32 == np.dtype("float32") and jl.float32 != jl.float64
    )
    assert np.zeros(1, jl.int16).dtype == np.int16
    assert jl.float64 != None  # noqa: E711
    assert (jl.float16.itemsize, jl.bool.itemsize, jl.complex64.itemsize) == (2, 1, 8)
    assert str(jl.float32) == "jitlang.float32"
    assert copy.deepcopy(jl.float32) is jl.float32
    assert pickle.loads(pickle.dumps(jl.bfloat16)) is jl.bfloat16


def test_values_survive_both_ways():
    for dtype in dtypes.ALL:
        x = samples(dtype)
        assert (from_torch(to_torch(x)) == x).all()


# Limits, gradients' switches, DLPack -------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_finfo_equals_torchs(name: str) -> None:
    ours, theirs = jl.finfo(getattr(jl, name)), torch.finfo(getattr(torch, name))
    for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        assert getattr(ours, field) == getattr(theirs, field), field
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64"])
def test_iinfo_equals_torchs(name: str) -> None:
    ours, theirs = jl.iinfo(getattr(jl, name)), torch.iinfo(getattr(torch, name))
    assert repr(ours) == repr(theirs)
    assert (ours.bits, ours.min, ours.max) == (theirs.bits, theirs.min, theirs.max)


def test_bfloat16_crosses_both_ways_without_a_copy() -> None:
    ours = jl.tensor([[1.5, 2.0], [3.0, -4.0]], dtype=jl.bfloat16)
    theirs = torch.from_dlpack(ours.t())
    assert theirs.dtype is torch.bfloat16 and theirs.tolist() == ours.t().tolist()
    theirs[0, 1] = 9
    assert ours.tolist() == [[1.5, 2.0], [9.0, -4.0]]
    back = jl.from_dlpack(theirs)
    back[0, 0] = 7
    assert theirs.tolist() == [[7.0, 9.0], [2.0, -4.0]]


def test_grad_modes_are_torchs() -> None:
    for space in (jl, torch):
        seen = [space.is_grad_enabled()]
        with space.no_grad():
            seen.append(space.is_grad_enabled())
            with space.set_grad_enabled(True):
                seen.append(space.is_grad_enabled())
            seen.append(space.is_grad_enabled())
        space.set_grad_enabled(False)
        seen.append(space.is_grad_enabled())
        space.set_grad_enabled(True)
        assert seen == [True, False, True, False, False], space.__name__


def test_parameters_print_as_torchs() -> None:
    assert repr(jl.nn.Parameter(jl.zeros(2))) == repr(torch.nn.Parameter(torch.zeros(2)))
