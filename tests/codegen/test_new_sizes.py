"""Launches made from those of other sizes: the same numbers as lowering gives, or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from differential import same_bits

from jitlang import config, ops
from jitlang.codegen.fused import FusedKernel, run_reference
from jitlang.codegen.launch import Launch, prepare
from jitlang.codegen.sizes import MAX_FAMILIES, _numbers, _structure
from jitlang.ir.parser import parse_graph

assert ops

ONE = "%one : int = prim::Constant[value=1]()"
LAST = "%d : int = prim::Constant[value=-1]()"
NONE = "%n : NoneType = prim::Constant()"
YES = "%k : bool = prim::Constant[value=1]()"
DIMS = "%l : int[] = prim::ListConstruct(%d)"

GROUPS = {
    "bias": ("%s : Tensor = aten::add(%x, %b, %one)", "%y : Tensor = aten::tanh(%s)"),
    "softmax": ("%s : Tensor = aten::mul(%x, %b)", "%y : Tensor = aten::softmax(%s, %d, %n)"),
    "sum": (
        "%t : Tensor = aten::sum(%x, %l, %k, %n)",
        "%s : Tensor = aten::mul(%x, %t)",
        "%y : Tensor = aten::add(%s, %b, %one)",
    ),
    "mean": ("%t : Tensor = aten::mean(%x, %l, %k, %n)", "%y : Tensor = aten::sub(%x, %t, %one)"),
    "transposed": (
        "%t : Tensor = aten::t(%x)",
        "%s : Tensor = aten::exp(%t)",
        "%y : Tensor = aten::sum(%s, %l, %k, %n)",
    ),
    "halves": (
        "%h : Tensor, %g : Tensor = prim::ConstantChunk[chunks=2, dim=1](%x)",
        "%s : Tensor = aten::sigmoid(%g)",
        "%y : Tensor = aten::mul(%h, %s)",
    ),
}


def group(name: str) -> FusedKernel:
    lines = [line for line in GROUPS[name] if "ConstantChunk" not in line]
    if name == "halves":
        chunk = ("%two : int = prim::Constant[value=2]()",
                 "%c : Tensor[] = aten::chunk(%x, %two, %one)",
                 "%h : Tensor, %g : Tensor = prim::ListUnpack(%c)")  # fmt: skip
        lines = [*chunk, *lines]
    body = "\n  ".join([ONE, LAST, NONE, YES, DIMS, *lines])
    return FusedKernel(parse_graph(f"graph(%x : Tensor, %b : Tensor):\n  {body}\n  return (%y)\n"))


def made(rng: Any, rows: int, columns: int) -> list[np.ndarray]:
    shapes = ((rows, columns), (columns,))
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.fixture(autouse=True)
def no_folder():
    with config.override(cache_dir="off"):
        yield


SIZES = [(8, 64), (12, 64), (500, 64), (33, 64), (2, 64), (1, 64), (0, 64), (64, 64), (67, 64)]
BOTH = [(8, 16), (30, 50), (50, 30), (7, 130), (64, 64), (1, 5), (5, 1), (3, 2), (2, 3), (67, 71)]


@pytest.mark.parametrize("sizes", [SIZES, BOTH], ids=["rows", "both"])
@pytest.mark.parametrize("name", GROUPS)
def test_launches_for_new_sizes_are_those_that_lowering_gives(
    name: str, sizes: list[tuple[int, int]]
) -> None:
    kernel = group(name)
    rng = np.random.default_rng(0)
    for rows, columns in sizes:
        arguments = made(rng, rows, columns)
        launch = kernel.launch_for(arguments)
        if not isinstance(launch, Launch):
            continue
        lowered = prepare(kernel.stages_for(arguments), arguments)
        if _structure(launch) == _structure(lowered):
            assert list(_numbers(launch)) == list(_numbers(lowered)), (rows, columns)
            assert [c.scratch for c in launch.calls] == [c.scratch for c in lowered.calls]
        (wanted,) = run_reference(kernel.graph, arguments)
        found = kernel(*arguments)
        assert found.strides == wanted.strides or min(found.shape) <= 1
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", ["bias", "softmax", "sum", "transposed", "halves"])
def test_a_family_is_learned_and_used(name: str) -> None:
    kernel = group(name)
    prepared = []
    families = kernel._families
    prepare_one = families._prepare
    families._prepare = lambda *given: prepared.append(1) or prepare_one(*given)
    rng = np.random.default_rng(0)
    for rows in range(5, 40):
        kernel(*made(rng, rows, 64))
    assert len(families._families) == 1
    assert len(prepared) == 2 + 3  # two real ones, three examples


def test_sizes_that_decide_more_than_numbers_make_no_family() -> None:
    kernel = group("halves")
    rng = np.random.default_rng(0)
    for columns in (10, 20, 30, 7, 9, 12):
        arguments = made(rng, 4, columns)
        found = kernel.launch_for(arguments)
        if columns % 2 == 0:
            assert isinstance(found, Launch)
            assert same_bits(kernel(*arguments), run_reference(kernel.graph, arguments)[0])
    assert kernel._families._families == []


@pytest.mark.parametrize("end", [10, 90, 300])
def test_slices_that_end_where_an_array_does_are_never_taken_from_others(end: int) -> None:
    body = "\n  ".join([
        ONE, LAST, NONE, YES, DIMS, "%zero : int = prim::Constant[value=0]()",
        f"%end : int = prim::Constant[value={end}]()",
        "%h : Tensor = aten::slice(%x, %zero, %zero, %end, %one)",
        "%y : Tensor = aten::softmax(%h, %d, %n)",
    ])  # fmt: skip
    kernel = FusedKernel(parse_graph(f"graph(%x : Tensor):\n  {body}\n  return (%y)\n"))
    rng = np.random.default_rng(0)
    for rows in (*range(30, 40), *range(60, 80), 200, 320, 400, 95, 9, 5, 2):
        (x, _) = made(rng, rows, 8)
        found = kernel(x)
        assert found.shape == (min(rows, end), 8)
        np.testing.assert_allclose(found, run_reference(kernel.graph, [x])[0], atol=2e-5)


def test_families_are_few() -> None:
    kernel = group("bias")
    rng = np.random.default_rng(0)
    for columns in range(3, 60):
        for rows in (4, 9):
            kernel(*made(rng, rows, columns))
    assert len(kernel._families._families) <= MAX_FAMILIES


def test_arrays_out_of_order_are_lowered_each_by_itself() -> None:
    kernel = group("bias")
    rng = np.random.default_rng(0)
    for rows in (4, 9, 20):
        x, b = made(rng, rows, 16)
        for array in (x[::2], x.T.copy().T, x[:, ::-1]):
            assert same_bits(kernel(array, b), run_reference(kernel.graph, [array, b])[0])
    assert kernel._families._families == []
