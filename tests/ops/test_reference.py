"""What is derived from a row: function, method, stub line, docs line, operator in scripts."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jitlang as jl
from jitlang.ir.opdef import OPS, Result
from jitlang.ops.rows import pointwise
from jitlang.tensor.dispatch import forget
from tools import operators, reference, stubs

ROOT = Path(__file__).parents[2]
USER = """
import jitlang as jl
from jitlang import Tensor

@jl.script
def gate(x: Tensor, w: Tensor) -> Tensor:
    return (x @ w).sigmoid() * x.sum([1], True)

def loss(x: Tensor, y: Tensor) -> float:
    values, places = x.max(1)
    total = jl.mse_loss(values, y) + jl.cat([x, x], 1).mean() * 2
    return float(total.item())

print(loss(jl.zeros([2, 2]), jl.ones([2])), -gate(jl.zeros(2, 2), jl.ones([2, 2])))
"""


def test_the_files_are_current(tmp_path):
    """In a process of its own: other tests add rows to the table of this one."""
    code = "from tools import reference; reference.write(__import__('pathlib').Path(r'%s'))"
    subprocess.run([sys.executable, "-c", code % tmp_path], cwd=ROOT, check=True)
    for path in reference.FILES:
        written = (tmp_path / path).read_text("utf-8")
        assert (ROOT / path).read_text("utf-8") == written, "run python -m tools.reference"


def test_a_row_added_at_run_time_is_found_everywhere():
    row = pointwise(
        "jit::tripled_square(Tensor self) -> Tensor",
        lambda m, x: x * x * 3,
        grad=lambda m, g, r, x: (g * x * 6,),
        result=Result.FLOATING,
    )
    try:
        x = jl.tensor([1.0, 2.0])
        assert jl.tripled_square(x).tolist() == x.tripled_square().tolist() == [3.0, 12.0]
        assert x.clone().tripled_square_().tolist() == [3.0, 12.0]

        @jl.script
        def twice(x: jl.Tensor):
            return jl.tripled_square(x) + x.tripled_square()

        assert twice(x).tolist() == [6.0, 24.0]
        assert "jit::tripled_square(%x)" in str(twice.graph)
        assert "    def tripled_square(self) -> Tensor: ..." in stubs.stub()
        assert "\ndef tripled_square(input: _Tensor | np.ndarray) -> Tensor: ..." in stubs.stub()
        assert operators.line(row) in operators.page()
        assert operators.line(row).endswith("| body | yes | fused |")
    finally:
        for each in (row, OPS.find("jit::tripled_square_")):
            OPS.remove(each)
            forget(each.name)
        for name in ("tripled_square", "tripled_square_"):
            jl.__dict__.pop(name, None)
            if name in vars(jl.Tensor):
                delattr(jl.Tensor, name)


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_strict_mypy_takes_a_program_and_finds_its_mistakes(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(USER.replace("jl.zeros(2, 2)", "jl.zeros([2, 2])"))
    assert _mypy(program).returncode == 0, _mypy(program).stdout
    program.write_text("import jitlang as jl\njl.cat(3)\nn: int = jl.zeros([2]).sum()\n")
    found = _mypy(program).stdout
    assert "program.py:2" in found and "program.py:3" in found


def _mypy(program: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent",
        "--ignore-missing-imports", "--cache-dir", str(program.parent / "cache"), str(program),
    ]  # fmt: skip
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_few_rows_of_the_native_families_have_no_native_lowering():
    rows = [op for op in OPS if operators.family(op) in operators.FAMILIES]
    bare = [op for op in rows if operators.native(op) == operators.NOTHING]
    assert len(bare) < 0.15 * len(rows), len(bare) / len(rows)
