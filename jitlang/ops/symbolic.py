"""The symbolic reading: a body as an expression tree, to print it and to police it.

Reading a row's body here fails where the body touches more than `m` and its operands: NumPy
functions, branches on values, operands of mixed dtypes, primitives on dtypes that they do not
take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import dtypes
from ..dtypes import DType
from ..ir.opdef import OpDef
from .algebra import ELEMENTARY, BuildingAlgebra, Expression
from .traits import Role, execution_dtype, roles_of


@dataclass(frozen=True)
class Term:
    """An operation on terms and Python numbers; a leaf has no operands and is a parameter."""

    name: str
    operands: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return _text(self, 0)

    def walk(self) -> Iterator[Term]:
        """The term and every term inside it."""
        yield self
        for operand in self.operands:
            if isinstance(operand, Term):
                yield from operand.walk()


_INFIX = {
    "or": ("|", 1), "xor": ("^", 2), "and": ("&", 3), "lt": ("<", 0), "le": ("<=", 0),
    "gt": (">", 0), "ge": (">=", 0),
    "lshift": ("<<", 4), "rshift": (">>", 4), "add": ("+", 5), "sub": ("-", 5), "mul": ("*", 6),
    "truediv": ("/", 6),
}  # fmt: skip
_PREFIX = {"neg": "-", "invert": "~"}


def _text(term: Any, level: int) -> str:
    """Python's notation, with the parentheses that precedence asks for."""
    if not isinstance(term, Term):
        return repr(term)
    if not term.operands:
        return term.name
    if term.name in _INFIX:
        symbol, own = _INFIX[term.name]
        left, right = term.operands
        text = f"{_text(left, own)} {symbol} {_text(right, own + 1)}"
        return f"({text})" if own < level else text
    if term.name in _PREFIX:
        return _PREFIX[term.name] + _text(term.operands[0], 8)
    return f"{term.name}({', '.join(_text(operand, 0) for operand in term.operands)})"


class SymbolicAlgebra(BuildingAlgebra):
    """Operands are terms. Elementary functions stay whole unless `expand` is set."""

    def __init__(self, compute: DType, expand: bool = False) -> None:
        super().__init__(compute)
        self.expand = expand

    def parameter(self, name: str, dtype: DType | None = None) -> Expression:
        """A leaf."""
        return Expression(self, Term(name), dtype or self.compute)

    def build(self, name: str, operands: Sequence[Any], dtype: DType) -> Term:
        return Term(name, tuple(o.value if isinstance(o, Expression) else o for o in operands))


def _elementary(name: str) -> Any:
    expanded = getattr(BuildingAlgebra, name)

    def apply(self: SymbolicAlgebra, *operands: Any) -> Expression:
        if self.expand:
            result: Expression = expanded(self, *operands)
            return result
        return self.combine(name, *operands)

    return apply


for _name in ELEMENTARY:
    setattr(SymbolicAlgebra, _name, _elementary(_name))


def read_body(op: OpDef, dtype: DType, expand: bool = False, **options: Any) -> Term:
    """The body of a pointwise row as a term, for operands of one dtype.

    Args:
        op: a pointwise row.
        dtype: the compute dtype.
        expand: show elementary functions as the primitives they are made of.
        options: values of arguments that are neither tensors nor numbers (`approximate="tanh"`); by
            default the schema's.

    Raises:
        TypeError: the body does what a body must not do.
    """
    from_algebra = SymbolicAlgebra(execution_dtype(dtype), expand)
    operands = _operands(op, from_algebra, options)
    assert op.body is not None
    result = op.body(from_algebra, *operands)
    if not isinstance(result, Expression):
        raise TypeError(f"the body of {op.full_name} gave {result!r}, not an expression in m")
    term: Term = result.value
    return term


def _operands(op: OpDef, algebra: SymbolicAlgebra, options: dict[str, Any]) -> list[Any]:
    made: list[Any] = []
    for argument, role in zip(op.schema.arguments, roles_of(op), strict=True):
        if role is Role.OPTION:
            default = argument.default if argument.has_default else None
            made.append(options.get(argument.name, default))
        elif role is Role.MASK:
            made.append(algebra.parameter(argument.name, dtypes.bool_))
        else:
            made.append(algebra.parameter(argument.name))
    return made
