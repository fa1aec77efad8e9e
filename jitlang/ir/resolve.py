"""Which row of the operator table a node means: its kind and the types of its inputs decide.

Unlike a call in source, a node has every argument of the schema as an input, in the schema's order,
keyword-only ones included, and its inputs are already converted.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import types as ty
from .matching import Convert, as_torch, conversion
from .opdef import OPS, OpDef
from .types import Type


def resolve_row(kind: str, types: Sequence[Type]) -> OpDef | None:
    """The row of that name for inputs of these types: an exact one, else the first that fits."""
    fitting = [op for op in OPS.overloads(kind) if first_misfit(op, types) is None]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    return next((op for op in fitting if _is_exact(op, types)), fitting[0])


def first_misfit(op: OpDef, types: Sequence[Type]) -> str | None:
    """Why inputs of these types are no call of `op`, or None where they are."""
    arguments = op.schema.arguments
    if len(types) < len(arguments) or (len(types) > len(arguments) and not op.schema.is_vararg):
        return f"{op.full_name} takes {len(arguments)} inputs, found {len(types)}"
    bindings: dict[str, Type] = {}
    for index, argument in enumerate(arguments):
        if conversion(argument, types[index], bindings, implicit=True) is not Convert.KEEP:
            expected = ty.substitute(argument.type, bindings)
            return f"input {index} ('{argument.name}') must be {expected}, found {types[index]}"
    return None


def _is_exact(op: OpDef, types: Sequence[Type]) -> bool:
    return all(
        argument.type is as_torch(ty.unshaped(actual))
        for argument, actual in zip(op.schema.arguments, types, strict=False)
    )
