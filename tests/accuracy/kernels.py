"""The generated kernel of one row, and what identifies the expression that it computes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from jitlang.codegen.fused import FusedKernel
from jitlang.dtypes import DType
from jitlang.ir import types as ty
from jitlang.ir.graph import Graph, create_node
from jitlang.ir.opdef import OPS, OpDef
from jitlang.ops.algebra import BuildingAlgebra, Expression
from jitlang.ops.traits import Role, execution_dtype, roles_of

from .references import Measured


def row_of(measured: Measured) -> OpDef:
    """The row itself."""
    op = OPS.find(measured.row)
    assert op is not None, measured.row
    return op


def _option(measured: Measured, argument: Any) -> Any:
    return measured.options.get(argument.name, argument.default)


def kernel(measured: Measured) -> Callable[..., Any]:
    """A function of arrays of one shape."""
    op, graph, inputs = row_of(measured), Graph(), []
    for argument, role in zip(op.schema.arguments, roles_of(op), strict=True):
        if role is Role.TENSOR:
            inputs.append(graph.add_input(ty.TENSOR, argument.name))
            continue
        value = {"value": _option(measured, argument)}
        kind = {str: ty.STR, float: ty.FLOAT, int: ty.INT}[type(value["value"])]
        constant = create_node("prim::Constant", (), (kind,), attributes=value)
        inputs.append(graph.block.append(constant).output)
    node = graph.block.append(create_node(op.full_name, inputs, (ty.TENSOR,), op=op))
    graph.add_output(node.output)
    fused = FusedKernel(graph)

    def run(*arrays: Any) -> Any:
        result = fused.native(*arrays)
        assert not fused.fallbacks, fused.fallbacks
        return result

    return run


class Listing(BuildingAlgebra):
    """A body as numbered lines of primitives; equal ones are one line."""

    def __init__(self, compute: DType) -> None:
        super().__init__(compute)
        self.lines: dict[str, int] = {}

    def build(self, name: str, operands: Sequence[Any], dtype: DType) -> str:
        given = [o.value if isinstance(o, Expression) else repr(o) for o in operands]
        return self.add(f"{name}.{dtype.name} {' '.join(given)}")

    def add(self, line: str) -> str:
        return f"%{self.lines.setdefault(line, len(self.lines))}"


def digest(measured: Measured, dtype: DType) -> str:
    """A hash of the expression of a row in a dtype."""
    op, compute = row_of(measured), execution_dtype(dtype)
    m = Listing(compute)
    operands: list[Any] = []
    for argument, role in zip(op.schema.arguments, roles_of(op), strict=True):
        if role is Role.TENSOR:
            operands.append(Expression(m, m.add(f"operand {argument.name}"), compute))
        else:
            operands.append(_option(measured, argument))
    assert op.body is not None
    result = op.body(m, *operands)
    text = "\n".join([*m.lines, f"result {result.value}"])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
