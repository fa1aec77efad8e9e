"""The page of operators, `docs/operators.md`, written from the operator table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from jitlang.codegen.arithmetic import reads_as_machine_code
from jitlang.codegen.multiplying import PRODUCTS
from jitlang.codegen.planner import CREATIONS, ITEMS
from jitlang.codegen.planner import ROWS as PLANNED
from jitlang.fuser.composites import COMPOSITES
from jitlang.fuser.draws import DRAWS
from jitlang.fuser.lower import CASTS, VIEWS
from jitlang.fuser.reach import REACHING
from jitlang.ir import types as ty
from jitlang.ir.opdef import OPS, Effect, OpDef
from jitlang.ops.rows import base_of, pure_form

NOTHING = "reference"
REASONS = {
    "how many elements it gives or reads, only a run knows": (
        "aten::masked_select", "aten::masked_scatter", "aten::nonzero", "aten::nonzero_numpy",
        "aten::where",
    ),
    "it writes into a tensor that others see": (
        "aten::copy_", "aten::copy_.Tensor", "aten::copy_.int", "aten::copy_.float",
    ),
}  # fmt: skip
"""Why rows have no native lowering; all others search, or reduce what no kernel reduces yet."""
FUSED = ("fused", "fused where private", "fused view")
FAMILIES = ("pointwise", "reduction", "view", "index")

_HEAD = """# Operators

Every row of the operator table: under which names Python sees it, how its reference kernel is
given, whether it has a gradient, and what native code does with it. This page is written from the
table by `python -m tools.reference`, and a test holds it current.

```python
import jitlang as jl

print(jl.logsumexp.__doc__)
```
```text
aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor
```

What stands under *native*:

- `fused`: a kernel computes it, with its neighbours, where dtypes and layouts allow.
- `fused where private`: an in-place form, fused as its base where nobody else sees the write.
- `fused view`, `view`: nothing is computed; layouts are found when a version is compiled.
- `product`: a matrix product of our own or of the BLAS.
- `planned`: cat, stack, clone and kin, done by native code.
- `constant`: known when a version is compiled.
- `scalar`: machine code over numbers; `read`: the number in a tensor.
- `composite`: made of other rows, which take its place where dtypes and sizes are known.
- `reference`: native code calls the reference kernel.
"""


def family(op: OpDef) -> str:
    """The family of a row: by its body, its alias marks, or the file that its kernel is in."""
    if op.body is not None or base_of(op) is not None:
        return "pointwise"
    if _is_view(op):
        return "view"
    implementation: Any = op.impl
    while isinstance(implementation, partial):
        implementation = implementation.func
    place = getattr(implementation, "__module__", "").rpartition(".")[2]
    if place in ("reduce", "statistics", "softmax"):
        return "reduction"
    if place in ("index", "scatter"):
        return "index"
    return "number" if op.python is not None else "other"


def _is_view(op: OpDef) -> bool:
    returns = op.schema.returns
    first = op.schema.arguments[:1]
    if len(returns) != 1 or not first or not isinstance(first[0].type, ty.TensorType):
        return False
    marks = [m for m in (returns[0].alias, returns[0].element_alias) if m is not None]
    drawn = op.effect in (Effect.RANDOM, Effect.IO)
    return bool(marks) and not op.schema.is_mutable and not drawn


def _is_scalar(op: OpDef) -> bool:
    """Whether the row's template reads as machine code for its schema's types."""
    if op.python is None or len(op.schema.returns) != 1 or op.schema.is_vararg:
        return False
    (result,) = op.schema.returns
    node: Any = SimpleNamespace(
        op=op,
        inputs=[SimpleNamespace(type=a.type) for a in op.schema.arguments],
        outputs=[SimpleNamespace(type=result.type)],
        output=SimpleNamespace(type=result.type),
    )
    return reads_as_machine_code(node)


_LABELS: tuple[tuple[str, Callable[[OpDef], bool]], ...] = (
    ("fused", lambda op: op.body is not None),
    ("fused where private", lambda op: pure_form(op) is not None),
    ("fused view", lambda op: op.full_name in VIEWS),
    ("fused", lambda op: op.full_name in {*COMPOSITES, *CASTS, *DRAWS, *REACHING}),
    ("product", lambda op: op.full_name in PRODUCTS),
    ("planned", lambda op: op.full_name in PLANNED),
    ("constant", lambda op: op.full_name in CREATIONS),
    ("read", lambda op: op.full_name in ITEMS),
    ("view", _is_view),
    ("scalar", _is_scalar),
    ("composite", lambda op: op.composite is not None),
)


def native(op: OpDef) -> str:
    """What native code does with a row."""
    return next((label for label, holds in _LABELS if holds(op)), NOTHING)


def _kernel(op: OpDef) -> str:
    if op.body is not None:
        return "body"
    if op.composite is not None:
        return "composite"
    base = base_of(op)
    if base is not None:
        return f"of `{base.name}`"
    return "template" if op.python is not None else "array"


def line(op: OpDef) -> str:
    """The row's line in the table."""
    names = [f"`{op.function}`"] if op.function else []
    names += [f"`.{op.method}`"] if op.method else []
    inherited = "of its parts" if op.composite is not None else ""
    gradient = "yes" if op.grad is not None else inherited
    return f"| `{op.full_name}` | {' '.join(names)} | {_kernel(op)} | {gradient} | {native(op)} |"


def shares() -> str:
    """For each family how many of its rows native code computes itself, and the rest by name."""
    lines = ["", "| family | rows | without a native lowering | share |", "|---|---|---|---|"]
    missing: dict[str, list[str]] = {}
    for name in FAMILIES:
        rows = [op for op in OPS if family(op) == name]
        bare = [op.full_name for op in rows if native(op) == NOTHING]
        missing[name] = sorted(bare)
        lines.append(f"| {name} | {len(rows)} | {len(bare)} | {len(bare) / len(rows):.0%} |")
    total = sum(family(op) in FAMILIES for op in OPS)
    bare_total = sum(map(len, missing.values()))
    lines += [f"| together | {total} | {bare_total} | {bare_total / total:.0%} |", ""]
    lines += ["Those without one run their reference kernel, called from native code:", ""]
    for name, rows in missing.items():
        for reason, named in _by_reason(rows).items():
            lines += [f"- {name}: {', '.join(f'`{row}`' for row in named)}: {reason}."]
    return "\n".join(lines) + "\n"


def _by_reason(rows: Sequence[str]) -> dict[str, list[str]]:
    """Rows without a native lowering by why they have none."""
    reason_of = {row: reason for reason, named in REASONS.items() for row in named}
    found: dict[str, list[str]] = {}
    for row in rows:
        reason = reason_of.get(row, "it searches, or reduces what no kernel reduces yet")
        found.setdefault(reason, []).append(row)
    return found


def page() -> str:
    """The text of the page."""
    counted = Counter(map(native, OPS))
    summary = ", ".join(f"{count} {label}" for label, count in counted.most_common())
    lines = [f"\n{len(list(OPS))} rows: {summary}.\n", shares()]
    lines += ["| operator | in Python | kernel | gradient | native |", "|---|---|---|---|---|"]
    lines += [line(op) for op in sorted(OPS, key=lambda op: op.full_name)]
    return _HEAD + "\n".join(lines) + "\n"
