"""Every group of the benchmark set is PTX that the assembler accepts, every rounding in place."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from test_groups import LAST, LSTM, NONE, group

from jitlang.codegen.ptx import ARCHITECTURE, ptx

PTXAS = shutil.which("ptxas")
TANH = '%a : str = prim::Constant[value="tanh"]()'
ONE = "%one : int = prim::Constant[value=1]()"
GROUPS = {
    "lstm_cell": group(*LSTM, inputs="%a : Tensor, %h : Tensor, %b : Tensor, %cx : Tensor",
        result="%hy, %cy"),
    "gelu_tanh": group(TANH, "%y : Tensor = aten::gelu(%x, %a)"),
    "gelu_erf": group(
        '%a : str = prim::Constant[value="none"]()', "%y : Tensor = aten::gelu(%x, %a)"
    ),
    "softmax": group(LAST, NONE, "%y : Tensor = aten::softmax(%x, %d, %n)"),
    "waves": group("%s : Tensor = aten::sin(%x)", "%c : Tensor = aten::cos(%s)",
        "%y : Tensor = aten::mul(%s, %c)"),
    "powers": group("%s : Tensor = aten::pow(%x, %x)", "%y : Tensor = aten::log1p(%s)"),
    "masks": group("%c : Tensor = aten::lt(%x, %z)", "%y : Tensor = aten::where(%c, %x, %z)",
        inputs="%x : Tensor, %z : Tensor"),
}  # fmt: skip


def arguments_of(kernel, dtype):
    if len(kernel.graph.inputs) == 4:
        return [np.ones(s, dtype) for s in ((3, 8), (3, 8), (8,), (3, 2))]
    return [np.ones((3, 5), dtype)] * len(kernel.graph.inputs)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("name", GROUPS)
def test_ptx(name, dtype, tmp_path):
    kernel = GROUPS[name]
    for stage in kernel.stages_for(arguments_of(kernel, dtype)):
        text = ptx(stage.plan, 2)
        assert ".entry kernel" in text and f".target {ARCHITECTURE}" in text
        # Without `.rn` the assembler may contract; fused steps are our own.
        assert not re.search(r"\b(mul|add|sub)\.f(32|64)\b|\bmad\.f", text)
        assert "call" not in re.sub(r"//.*", "", text)
        if PTXAS is None:
            pytest.skip("ptxas is not installed")
        source = tmp_path / "kernel.ptx"
        source.write_text(text)
        command = [
            PTXAS,
            f"-arch={ARCHITECTURE}",
            "-o",
            str(tmp_path / "kernel.cubin"),
            str(source),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
