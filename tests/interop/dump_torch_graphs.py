"""Write graph dumps of `graph_models` by real torch to `tests/data/torch_graphs/NAME.ir`.

Run as `python tests/interop/dump_torch_graphs.py` in an environment with torch.  The text is
torch's own, except that source comments name `model.py` and object addresses read `0x0`, so that
a dump does not depend on the machine.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import torch

import graph_models as models

TARGET = Path(__file__).parent.parent / "data" / "torch_graphs"
SOURCE_COMMENT = re.compile(r"# (?:/[^:\n]*|<[^>\n]*>)(:\d+:\d+)$", re.MULTILINE)
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


def normalise(text: str) -> str:
    return ADDRESS.sub("0x0", SOURCE_COMMENT.sub(r"# model.py\1", text))


def fuse_on_cpu() -> None:
    """Let torch fuse without LLVM, so that dumps show fusion groups."""
    torch._C._jit_override_can_fuse_on_cpu(True)
    torch._C._jit_set_texpr_fuser_enabled(True)
    torch._C._jit_set_te_must_use_llvm_cpu(False)


def fresh(fn: FunctionType) -> FunctionType:
    """A copy of `fn`, which torch does not take from its cache of compiled functions."""
    copy = FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__)
    copy.__annotations__ = fn.__annotations__
    return copy


def profiled(fn: FunctionType, arguments: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """The graph with its profiling nodes (first call), then the specialised one (later calls)."""
    scripted = torch.jit.script(fresh(fn))
    yield "profiling", scripted.graph_for(*arguments)
    scripted(*arguments)
    yield "specialized", scripted.graph_for(*arguments)


def dumps() -> Iterator[tuple[str, Any]]:
    for fn in models.SCRIPTED:
        scripted = torch.jit.script(fn)
        yield f"{fn.__name__}.graph", scripted.graph
        if str(scripted.graph) != str(scripted.inlined_graph):
            yield f"{fn.__name__}.inlined", scripted.inlined_graph
    for name, module in models.MODULES.items():
        scripted = torch.jit.script(module)
        yield f"{name}.graph", scripted.graph
        yield f"{name}.inlined", scripted.inlined_graph
    for fn, arguments in models.PROFILED.items():
        for kind, graph in profiled(fn, arguments):
            yield f"{fn.__name__}.{kind}", graph
    for fn, arguments in models.WITH_GRADIENT.items():
        for kind, graph in profiled(fn, arguments):
            yield f"{fn.__name__}.{kind}_with_gradient", graph
    for fn, arguments in models.TRACED.items():
        yield f"{fn.__name__}.traced", torch.jit.trace(fn, arguments, strict=False).graph
    for name, arguments in models.TRACED_MODULES.items():
        traced = torch.jit.trace(models.MODULES[name].eval(), arguments, strict=False)
        yield f"{name}.traced", traced.graph
        yield f"{name}.traced_inlined", traced.inlined_graph
    for name in models.FROZEN:
        frozen = torch.jit.freeze(torch.jit.script(models.MODULES[name].eval()))
        yield f"{name}.frozen", frozen.graph


def main() -> None:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    fuse_on_cpu()
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.glob("*.ir"):
        old.unlink()
    for name, graph in dumps():
        (TARGET / f"{name}.ir").write_text(normalise(str(graph)), encoding="utf-8")
    print(f"{len(list(TARGET.glob('*.ir')))} dumps in {TARGET}")


if __name__ == "__main__":
    main()
