"""The house keeps its order: who may import whom, and how long a file may be.

The rules are read off the syntax trees, so that nothing is imported and `TYPE_CHECKING` blocks
count too. Each rule is a line in `RULES`; each fires on a small bad tree below.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jitlang"
MAX_LINES = 900

# Lower floors first. A component imports from lower floors only, never from its neighbours on the
# same floor. `__init__` is the package's own face: `import jitlang`.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("config", "background"),
    ("dtypes",),
    ("arrays",),
    ("ir",),
    ("ops",),
    ("tensor",),
    ("random",),
    ("values",),
    ("module",),
    ("frontend", "passes"),
    ("autodiff",),
    ("fuser",),
    ("codegen",),
    ("interp",),
    ("script",),
    ("nn", "optim", "archive", "fft", "linalg", "special"),
    ("jit",),
    ("__init__",),
    ("__main__",),
)
FLOOR_OF = {component: floor for floor, names in enumerate(FLOORS) for component in names}

LLVM_USERS = ("codegen",)
CUPY_USERS = ("arrays.py", "codegen/cuda.py")
# llvmlite takes long to import: the package behind this file is loaded by the first compilation.
LAZY_GATES = (("codegen/__init__.py", "codegen"),)
TEST_ONLY = ("torch", "onnxruntime", "jax", "numba")

RULES = {
    "upward": "a component imports only from lower floors",
    "unknown": "every component has its floor in FLOORS",
    "local": "no function imports from jitlang: that would hide a cycle",
    "llvmlite": "only codegen imports llvmlite",
    "cupy": "only arrays.py and codegen/cuda.py import cupy",
    "eager-cupy": "cupy is imported inside a function: most machines have none",
    "test-only": f"{', '.join(TEST_ONLY)} appear in tests and benchmarks only",
    "too-long": f"a file over {MAX_LINES} lines must be split",
}


@dataclass(frozen=True)
class Violation:
    """One broken rule; `rule` is a key of RULES."""

    rule: str
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"jitlang/{self.path}:{self.line}: {self.what} ({RULES[self.rule]})"


@dataclass(frozen=True)
class Import:
    """One imported module, by its absolute dotted name."""

    module: str
    line: int
    in_function: bool
    for_types_only: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def dotted_name(path: Path, root: Path) -> str:
    """`jitlang/ir/graph.py` is `jitlang.ir.graph`; a package is named by its folder."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(("jitlang", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def component_of(module: str) -> str:
    """The second part of a dotted name: `jitlang.ir.graph` belongs to `ir`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


class ImportReader(ast.NodeVisitor):
    """Collects imports in every spelling, with where they stand."""

    def __init__(self, module: str, is_package: bool, modules: frozenset[str]) -> None:
        self.package = module if is_package else module.rpartition(".")[0]
        self.modules = modules
        self.found: list[Import] = []
        self.functions = 0
        self.type_blocks = 0

    def add(self, module: str, node: ast.AST) -> None:
        inside = self.functions > 0
        self.found.append(Import(module, node.lineno, inside, self.type_blocks > 0))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self.package.split(".")
            parents = parents[: len(parents) - node.level + 1]
            base = ".".join([*parents, base] if base else parents)
        for alias in node.names:
            # `from jitlang import ir` imports the module jitlang.ir, not a name of the face.
            submodule = f"{base}.{alias.name}"
            self.add(submodule if submodule in self.modules else base, node)

    def visit_Call(self, node: ast.Call) -> None:
        """`importlib.import_module("x")` and `__import__("x")` are imports as well."""
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in ("import_module", "__import__") and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                self.add(argument.value, node)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        types_only = ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        self.type_blocks += types_only
        for statement in node.body:
            self.visit(statement)
        self.type_blocks -= types_only
        for statement in node.orelse:
            self.visit(statement)

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self.functions += 1
        self.generic_visit(node)
        self.functions -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_function


def broken_by(found: Import, path: str, component: str) -> Iterator[tuple[str, str]]:
    """The rules that one import breaks, each with what was seen."""
    if found.top == "jitlang":
        target = component_of(found.module)
        if found.in_function and (path, target) not in LAZY_GATES:
            yield "local", f"a function imports {found.module}"
        if target not in FLOOR_OF:
            yield "unknown", f"{target} has no floor"
        elif target != component and FLOOR_OF[target] >= FLOOR_OF[component]:
            yield "upward", f"{component} imports {found.module}"
    if found.top == "llvmlite" and component not in LLVM_USERS:
        yield "llvmlite", f"{component} imports {found.module}"
    if found.top == "cupy" and path not in CUPY_USERS:
        yield "cupy", f"{component} imports {found.module}"
    if found.top == "cupy" and not (found.in_function or found.for_types_only):
        yield "eager-cupy", f"{found.module} is imported with the module"
    if found.top in TEST_ONLY:
        yield "test-only", f"{component} imports {found.module}"


def check_file(path: Path, root: Path, modules: frozenset[str]) -> Iterator[Violation]:
    """Every violation in one file."""
    name = path.relative_to(root).as_posix()
    module = dotted_name(path, root)
    component = component_of(module)
    source = path.read_text(encoding="utf-8")
    length = len(source.splitlines())
    if length > MAX_LINES:
        yield Violation("too-long", name, length, f"{length} lines")
    if component not in FLOOR_OF:
        yield Violation("unknown", name, 1, f"{component} has no floor")
        return
    reader = ImportReader(module, path.name == "__init__.py", modules)
    reader.visit(ast.parse(source, filename=str(path)))
    for found in reader.found:
        for rule, what in broken_by(found, name, component):
            yield Violation(rule, name, found.line, what)


def check_package(root: Path) -> list[Violation]:
    """Every violation in the package under `root`."""
    files = sorted(root.rglob("*.py"))
    modules = frozenset(dotted_name(path, root) for path in files)
    return [violation for path in files for violation in check_file(path, root, modules)]


def test_the_package_keeps_its_order() -> None:
    files = list(PACKAGE.rglob("*.py"))
    assert files, f"no package at {PACKAGE}"
    violations = check_package(PACKAGE)
    assert not violations, "\n" + "\n".join(map(str, violations))


def build(root: Path, files: dict[str, str]) -> Path:
    """Write a small package in which every folder has an `__init__.py`."""
    for name, source in {"__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        if path.parent != root:
            (path.parent / "__init__.py").touch()
    return root


GOOD = {
    "errors.py": "",
    "arrays.py": "from . import errors\ndef gpu():\n    import cupy\n    return cupy",
    "ir/graph.py": "from ..errors import X\nfrom . import types\nfrom .types import T",
    "ir/types.py": "from jitlang import errors\nimport jitlang.arrays",
    "codegen/llvm.py": "import llvmlite.binding as llvm\nfrom ..ir.graph import Graph",
    "codegen/cuda.py": "if TYPE_CHECKING:\n    import cupy\ndef launch():\n    import cupy",
    "frontend/sugar.py": "from jitlang.tensor import Tensor\nimport importlib",
    "tensor.py": "from jitlang.ops import table",
    "ops/table.py": "",
    "jit.py": "from .script import script",
    "script.py": "from .interp import machine",
    "interp/machine.py": "from ..codegen import llvm",
    "__init__.py": "from . import jit\nfrom .tensor import Tensor",
    "__main__.py": "import jitlang\nfrom . import jit",
}

BAD = [
    ("upward", "ir/graph.py", "from jitlang.ops import table"),
    ("upward", "ir/graph.py", "import jitlang.tensor"),
    ("upward", "ir/graph.py", "from .. import ops"),
    ("upward", "ir/graph.py", "from ..ops.table import row"),
    ("upward", "ir/graph.py", "if TYPE_CHECKING:\n    from jitlang.ops import table"),
    ("upward", "ir/graph.py", "try:\n    from ..ops import table\nexcept ImportError: pass"),
    ("upward", "ir/graph.py", "class A:\n    from ..ops import table"),
    ("upward", "ir/graph.py", "import importlib\nimportlib.import_module('jitlang.ops')"),
    ("upward", "tensor.py", "import jitlang"),
    ("upward", "tensor.py", "from jitlang import Tensor"),
    ("upward", "frontend/sugar.py", "from jitlang.passes import cse"),
    ("upward", "passes/cse.py", "from ..frontend import sugar"),
    ("upward", "nn/layers.py", "from jitlang import optim"),
    ("upward", "errors.py", "from . import config"),
    ("upward", "jit.py", "import jitlang"),
    ("unknown", "helpers.py", ""),
    ("unknown", "tensor.py", "from jitlang.helpers import help"),
    ("local", "tensor.py", "def f():\n    from jitlang.ops import table"),
    ("local", "tensor.py", "async def f():\n    if f:\n        import jitlang.ops"),
    ("local", "ir/graph.py", "def f():\n    from .types import T"),
    ("local", "tensor.py", "f = lambda: __import__('jitlang.ops')"),
    ("llvmlite", "interp/machine.py", "import llvmlite"),
    ("llvmlite", "fuser/plan.py", "def f():\n    from llvmlite import ir"),
    ("cupy", "tensor.py", "def f():\n    import cupy"),
    ("cupy", "codegen/llvm.py", "def f():\n    from cupy import cuda"),
    ("eager-cupy", "arrays.py", "import cupy"),
    ("eager-cupy", "codegen/cuda.py", "try:\n    import cupy\nexcept ImportError: pass"),
    ("test-only", "tensor.py", "import torch"),
    ("test-only", "interp/machine.py", "def f():\n    from numba import njit"),
    ("test-only", "archive/reader.py", "from torch.jit import load"),
    ("too-long", "tensor.py", "\n" * (MAX_LINES + 1)),
]


def test_a_good_tree_passes(tmp_path: Path) -> None:
    assert check_package(build(tmp_path, GOOD)) == []


@pytest.mark.parametrize(("rule", "name", "source"), BAD)
def test_a_bad_tree_breaks_its_rule(tmp_path: Path, rule: str, name: str, source: str) -> None:
    stand_ins = {"ops/table.py": "", "passes/cse.py": "", "frontend/sugar.py": "", "optim/a.py": ""}
    violations = check_package(build(tmp_path, {**stand_ins, "ir/types.py": "", name: source}))
    assert {violation.rule for violation in violations} == {rule}
    assert {violation.path for violation in violations} == {name}


def test_a_violation_names_its_place(tmp_path: Path) -> None:
    (violation,) = check_package(build(tmp_path, {"tensor.py": "x = 1\nimport jitlang.jit"}))
    assert str(violation) == (
        "jitlang/tensor.py:2: tensor imports jitlang.jit"
        " (a component imports only from lower floors)"
    )


def test_every_rule_has_a_bad_tree() -> None:
    assert {rule for rule, _, _ in BAD} == set(RULES)
