"""Views: what shares memory, what is written through, and the errors of what cannot be viewed.

Values against torch stand in tests/interop/test_rows.py; here is what a machine without torch must
see.
"""

import numpy as np
import pytest
from calling import call, outcome_of, resolve

from jitlang.ir import types as ty

X = np.arange(24.0, dtype="float32").reshape(2, 3, 4)

VIEWS = [
    ("view", ([6, 4],)),
    ("reshape", ([-1, 3],)),
    ("flatten", ()),
    ("squeeze", ()),
    ("unsqueeze", (1,)),
    ("transpose", (0, 1)),
    ("permute", ([2, 0, 1],)),
    ("expand", ([5, 2, 3, 4],)),
    ("numpy_T", ()),
    ("mT", ()),
    ("movedim", (0, 2)),
    ("select", (1, 2)),
    ("slice", (2, 1, None, 2)),
    ("narrow", (2, 1, 2)),
    ("diagonal", ()),
    ("unfold", (2, 2, 1)),
    ("detach", ()),
    ("unflatten", (2, [2, 2])),
    ("contiguous", ()),
    ("ravel", ()),
]


@pytest.mark.parametrize(("name", "args"), VIEWS)
def test_views_write_through(name, args):
    base = X.copy()
    view = call(name, base, *args)
    assert np.shares_memory(view, base)
    if name != "expand":
        view[...] = -1
        assert (base == -1).any()


@pytest.mark.parametrize("name", ["chunk", "split", "unbind", "tensor_split"])
def test_pieces_are_views(name):
    base = X.copy()
    args = {"chunk": (2, 2), "split": (2, 2), "unbind": (1,), "tensor_split": (3, 2)}[name]
    for piece in call(name, base, *args):
        piece[...] = 0
    assert not base.any()


def test_elements_of_vectors_are_views_too():
    vector = np.zeros(3)
    for piece in call("unbind", vector):
        piece[...] = 1
    call("select", vector, 0, 2)[...] = 5
    assert vector.tolist() == [1, 1, 5]


def test_view_refuses_what_needs_a_copy():
    message = outcome_of(call, "view", X.transpose(2, 0, 1), [24])
    assert message[0] is RuntimeError
    assert message[1].startswith("view size is not compatible with input tensor's size and stride")
    assert call("reshape", X.transpose(2, 0, 1), [24]).shape == (24,)
    assert call("view", X.transpose(0, 2, 1), [2, 2, 2, 3]).shape == (2, 2, 2, 3)


ERRORS = [
    ("view", ([5],), RuntimeError, "shape '[5]' is invalid for input of size 24"),
    ("view", ([-1, -1],), RuntimeError, "only one dimension can be inferred"),
    ("reshape", ([-2],), RuntimeError, "invalid shape dimension -2 at index 0 of shape [-2]"),
    (
        "transpose",
        (0, 5),
        IndexError,
        "Dimension out of range (expected to be in range of [-3, 2], but got 5)",
    ),
    ("permute", ([0, 0, 1],), RuntimeError, "permute(): duplicate dims are not allowed."),
    (
        "expand",
        ([2, 3, 5],),
        RuntimeError,
        "The expanded size of the tensor (5) must match the existing size (4) at non-singleton "
        "dimension 2.  Target sizes: [2, 3, 5].  Tensor sizes: [2, 3, 4]",
    ),
    (
        "flatten",
        (2, 1),
        RuntimeError,
        "flatten() has invalid args: start_dim cannot come after end_dim",
    ),
    ("t", (), RuntimeError, "t() expects a tensor with <= 2 dimensions, but self is 3D"),
    ("chunk", (0,), RuntimeError, "chunk expects `chunks` to be greater than 0, got: 0"),
    (
        "split_with_sizes",
        ([1, 2],),
        RuntimeError,
        "split_with_sizes expects split_sizes to sum exactly to 2 (input tensor's size at "
        "dimension 0), but got split_sizes=[1, 2]",
    ),
    ("narrow", (0, 1, 5), RuntimeError, "start (1) + length (5) exceeds dimension size (2)."),
    ("select", (0, 5), IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
    ("slice", (0, 0, 1, -1), ValueError, "step must be greater than zero"),
    (
        "size",
        (5,),
        IndexError,
        "Dimension out of range (expected to be in range of [-3, 2], but got 5)",
    ),
]


@pytest.mark.parametrize(("name", "args", "kind", "message"), ERRORS)
def test_errors(name, args, kind, message):
    assert outcome_of(call, name, X, *args) == (kind, message)


def test_joining_promotes():
    ints, floats = np.ones(2, "int64"), np.zeros(2, "float32")
    assert call("cat", [ints, floats]).dtype == "float32"
    assert call("stack", [ints, floats]).shape == (2, 2)
    assert outcome_of(call, "aten::cat", [X, X[0]]) == (
        RuntimeError,
        "Tensors must have same number of dimensions: got 3 and 2",
    )


def test_facts():
    assert call("size", X) == (2, 3, 4) and call("size", X, -1) == 4
    assert call("stride", X) == (12, 4, 1) and call("stride", X, 0) == 12
    assert (call("dim", X), call("numel", X)) == (3, 24)
    assert call("is_contiguous", X) is True and call("is_contiguous", X.T) is False


def test_channels_last():
    x = np.zeros((2, 3, 4, 5))
    last = call("contiguous", x, memory_format=2)
    assert call("stride", last) == (60, 1, 15, 3)
    assert call("is_contiguous", last, 2) is True


def test_as_strided_stays_inside_its_tensor():
    base = np.arange(6.0)
    assert call("as_strided", base, [2, 2], [3, 1], 1).tolist() == [[1, 2], [4, 5]]
    assert outcome_of(call, "as_strided", base, [7], [1])[0] is RuntimeError
    assert outcome_of(call, "as_strided", base, [2], [1], -1)[0] is RuntimeError


def test_type_rules_follow_sizes():
    tensor = ty.TensorType(sizes=(2, None, 4))
    op, _, _ = resolve("transpose", (X, 0, 1))
    assert op.infer([tensor, ty.INT, ty.INT], [None, 0, 2]).sizes == (4, None, 2)
    op, _, _ = resolve("unsqueeze", (X, 0))
    assert op.infer([tensor, ty.INT], [None, -1]).sizes == (2, None, 4, 1)
    op, _, _ = resolve("view", (X, [6, 4]))
    full = ty.TensorType(sizes=(2, 3, 4))
    assert op.infer([full, ty.ListType(ty.INT)], [None, [-1, 4]]).sizes == (6, 4)
    op, _, _ = resolve("chunk", (X, 2, 2))
    pieces = ty.SequenceType(ty.TensorType(sizes=(2, 3, 2)))
    assert op.infer([full, ty.INT, ty.INT], [None, 2, 2]) is pieces
