"""Which results require gradients: every row that torch has too, and torch's rules around it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

import jitlang as jl
from comparison import base_name, comparable_rows, harms_torch
from crossing import to_torch, torch_outcome
from jitlang.ir.opdef import OpDef
from jitlang.ops.generator import Generator
from jitlang.tensor import Tensor, box
from jitlang.tensor.dispatch import call
from row_arguments import Arguments

CALLS = 24
PARTLY = (
    "svd", "linalg_cond", "linalg_lstsq", "trapezoid", "trapz", "quantile", "nanquantile",
    "combinations", "vander", "native_dropout", "native_layer_norm",
)  # fmt: skip
"""Rows of which torch differentiates some results only, as options and sizes have it."""
MAY_BE_SELF = (
    "positive", "as_tensor", "broadcast_tensors", "expand_as", "flatten", "atleast_1d",
    "atleast_2d", "atleast_3d", "real", "conj", "resolve_conj", "resolve_neg", "conj_physical",
    "alpha_dropout", "feature_alpha_dropout",
)  # fmt: skip
"""Rows of which torch's give their argument itself, where ours give a tensor like it."""
ROWS = [
    op
    for op in comparable_rows()
    if "Tensor" in op.schema_text.partition("->")[0] and base_name(op) not in PARTLY
]


def flat(values: Any) -> list[Any]:
    """The tensors in a result or among arguments."""
    if isinstance(values, list | tuple):
        return [tensor for value in values for tensor in flat(value)]
    return [values] if isinstance(values, Tensor | torch.Tensor) else []


def flags(tensor: Any) -> tuple[bool, bool]:
    """Whether a tensor requires a gradient, and whether it is a leaf."""
    return bool(tensor.requires_grad), bool(tensor.is_leaf)


def marked(values: Sequence[Any], seed: int) -> tuple[list[Any], list[Any]]:
    """The arguments for us and for torch, with the same flags; some are leaves, some results."""
    choice = random.Random(seed)
    pairs = [_marked(value, choice) for value in values]
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def _marked(value: Any, choice: random.Random) -> tuple[Any, Any]:
    if isinstance(value, list):
        pairs = [_marked(each, choice) for each in value]
        return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]
    if not isinstance(value, np.ndarray):
        return value, to_torch(value)
    ours, theirs = box(value.copy()), to_torch(value.copy()).contiguous()
    if ours.is_floating_point() or ours.is_complex():
        wanted = choice.random() < 0.6
        ours.requires_grad_(wanted)
        theirs.requires_grad_(wanted)
        if choice.random() < 0.5:
            ours, theirs = ours.clone(), theirs.clone()
    return ours, theirs


def ours_of(op: OpDef, values: Sequence[Any]) -> Any:
    pairs = list(zip(op.schema.arguments, values, strict=True))
    try:
        return call(
            op.name,
            [value for argument, value in pairs if not argument.kwarg_only],
            {argument.name: value for argument, value in pairs if argument.kwarg_only},
        )
    except Exception as error:
        return error


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.full_name)
def test_flags_of_results(op):
    name = base_name(op)
    for seed in range(CALLS):
        values = Arguments(seed).of(op)
        if harms_torch(op, values) or any(isinstance(value, Generator) for value in values):
            continue
        mine, other = marked(values, seed)
        expected, found = torch_outcome(op, other), ours_of(op, mine)
        if isinstance(expected, Exception) or isinstance(found, Exception):
            is_about_leaves = "leaf Variable that requires grad" in str(expected)
            assert not is_about_leaves or "leaf Variable" in str(found), (seed, found)
            continue
        for ours, theirs in zip(flat(found), flat(expected), strict=True):
            assert ours.requires_grad == theirs.requires_grad, seed
            assert ours.is_leaf == theirs.is_leaf or name in MAY_BE_SELF, seed
        for ours, theirs in zip(flat(mine), flat(other), strict=True):
            assert flags(ours) == flags(theirs), (seed, "an argument")


# Programs -----------------------------------------------------------------------------------------


def in_place_on_leaf(lib, x, y):
    x.add_(1)


def in_place_on_view_of_leaf(lib, x, y):
    x[0].mul_(2)


def in_place_without_recording(lib, x, y):
    with lib.no_grad():
        x.add_(1)
    return x


def in_place_on_result(lib, x, y):
    made = x * 2
    made.add_(1)
    return made


def written_through_a_view(lib, x, y):
    made = lib.zeros(3)
    made[0] = x.sum()
    return made


def modes(lib, x, y):
    with lib.no_grad():
        inside = x * 2
        with lib.enable_grad():
            again = x * 2
    with lib.set_grad_enabled(False):
        off = x * y
    return inside, again, off, x * y


def ended_by_detach(lib, x, y):
    return x.detach(), x.detach() * y, (x * 2).detach(), x.data


def integers_and_tests(lib, x, y):
    return x > 0, x.argmax(), x.long(), x.topk(2), lib.zeros_like(x), x.double()


def indexed(lib, x, y):
    return x[1], x[None], x[1:], x[lib.tensor([0, 1])], list(x), x.view(3, 1), x.reshape(3), x.T


def flag_of_a_result_is_taken_back(lib, x, y):
    (x * 2).requires_grad_(False)


def flag_of_integers(lib, x, y):
    lib.tensor([1, 2]).requires_grad_()


def no_gradient_of_nothing(lib, x, y):
    y.sum().backward()


def array_of_a_result(lib, x, y):
    (x * 2).numpy()


def new_leaf(lib, x, y):
    return (x * 2).detach().requires_grad_(), y.requires_grad_() * 2


def created(lib, x, y):
    made = lib.zeros(2, requires_grad=True), lib.ones_like(x, requires_grad=True), lib.rand(2)
    return *made, lib.arange(3.0, requires_grad=True), lib.full((2,), 1.5, requires_grad=False)


def integers_created(lib, x, y):
    lib.arange(3, requires_grad=True)


@pytest.mark.parametrize(
    "program",
    [
        in_place_on_leaf, in_place_on_view_of_leaf, in_place_without_recording, in_place_on_result,
        written_through_a_view, modes, ended_by_detach, integers_and_tests, indexed,
        flag_of_a_result_is_taken_back, flag_of_integers, no_gradient_of_nothing,
        array_of_a_result, new_leaf, created, integers_created,
    ],
    ids=lambda program: program.__name__,
)  # fmt: skip
def test_programs_have_the_flags_of_torch(program):
    ours, theirs = (_ran(program, lib) for lib in (jl, torch))
    if isinstance(theirs, Exception):
        assert type(ours) is type(theirs)
        assert str(ours)[:30].lower() == str(theirs)[:30].lower()
    else:
        assert list(map(flags, flat(ours))) == list(map(flags, flat(theirs)))


def _ran(program, lib):
    try:
        return program(lib, lib.tensor([1.0, 2.0, 3.0], requires_grad=True), lib.ones(3))
    except Exception as error:
        return error


# Scripts ------------------------------------------------------------------------------------------


def looped(x: Tensor, y: Tensor, n: int):
    z = y
    for _ in range(n):
        z = (z * x).tanh() + 1
    return z, y * 2


def branched(x: Tensor, y: Tensor, n: int):
    if n > 2:
        z = x * y
    else:
        z = y + 1
    return z


def both_ways(x: Tensor, y: Tensor, n: int):
    z = y
    if x.sum() > 0:
        z = z * x
    return z * 2


def views(x: Tensor, y: Tensor, n: int):
    first, second = (x * 2).chunk(2)
    return first, second, x[1:], y[1:], (x + y)[0], x.view(2, 2)


def into_integers(x: Tensor, y: Tensor, n: int):
    picked = (x > 0).to(y.dtype) * y
    return picked, x.argmax(), (x * y).detach() + y, x.softmax(0).sum()


def written(x: Tensor, y: Tensor, n: int):
    z = y * 1
    z[0] = x[1] * 2
    z.add_(1)
    return z, y * 2


def refused(x: Tensor, y: Tensor, n: int):
    x.mul_(2)
    return x


def asked(x: Tensor, y: Tensor, n: int):
    if (x * y).requires_grad:
        return y * 2
    return y * 3


def composed(x: Tensor, y: Tensor, n: int):
    return x.softmax(0).log(), (x * y).var(), y.var()


SCRIPTS = (
    looped, branched, both_ways, views, into_integers, written, refused, asked, composed,
)  # fmt: skip


@pytest.mark.parametrize("program", SCRIPTS, ids=lambda program: program.__name__)
@pytest.mark.parametrize("pattern", [(True, False), (True, True), (False, True), (False, False)])
def test_scripts_have_the_flags_of_torch_in_every_phase(program, pattern):
    script = jl.script(program)
    numbers = (np.arange(4.0, dtype="float32"), np.arange(4.0, dtype="float32") - 1)
    for call_number in range(7):
        for size in (4, 4 + 2 * call_number):  # the second ones are never seen again
            for n in (0, 3):
                arrays = [np.resize(array, size) for array in numbers]
                if program is views and size != 4:
                    continue
                found = _called(script, [box(a.copy()) for a in arrays], pattern, n)
                expected = _called(program, list(map(torch.from_numpy, arrays)), pattern, n)
                assert found == expected, (call_number, size, n)
    assert script.explain().versions or program in (refused, written, both_ways, asked)


def _called(function, tensors, pattern, n):
    for tensor, wanted in zip(tensors, pattern, strict=True):
        tensor.requires_grad_(wanted)
    lib = torch if isinstance(tensors[0], torch.Tensor) else jl
    with lib.no_grad():
        quiet = _flags_of_call(function, [tensor.clone() for tensor in tensors], n)
    return quiet, _flags_of_call(function, tensors, n)


def _flags_of_call(function, tensors, n):
    try:
        return list(map(flags, flat(function(*tensors, n))))
    except RuntimeError as error:
        return str(error)[:60]
