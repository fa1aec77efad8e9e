"""The operator row and the table that holds all rows.

An operator is one `OpDef`: schema, type rule, reference kernel, pointwise body, gradient, native
lowering. `ops/*` fill the empty `OPS` table; `ir` never imports them. Everything else about an
operator (eager function, method, stub, docs line) is derived from its row.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from .schema import FunctionSchema, parse_schema, schema_name
from .types import Type

Kernel = Callable[..., Any]
TypeRule = Callable[[Sequence["Type"], Sequence[Any]], "Type | Sequence[Type]"]


class _NotConstant:
    def __repr__(self) -> str:
        return "NOT_CONSTANT"


NOT_CONSTANT: Any = _NotConstant()
"""What a type rule sees for an argument whose value is not known."""


class Result(Enum):
    """How a pointwise row chooses its result dtype from its operands."""

    PROMOTE = "promote"  # torch's promotion of all tensor and scalar operands
    FLOATING = "floating"  # promotion, then integers take the default float
    BOOL = "bool"  # computed in the promoted dtype, result is bool
    FIRST = "first"  # the dtype of the first tensor


class Effect(Enum):
    """What running the operator does beyond its results; alias writes stand in the schema."""

    NONE = "none"
    RANDOM = "random"  # reads and advances random state: never merged, dropped where unused
    IO = "io"  # visible from outside (print, warn, a Python call): order and number are kept
    RAISES = "raises"  # may end the call with an exception and is not dropped where unused


@dataclass(eq=False)
class OpDef:
    """One row.

    Attributes:
        schema_text: the schema; parsed on first use.
        impl: reference kernel `impl(xp, *arguments)` over raw arrays and Python values, `xp` being
            the array namespace; or None where `body`, `composite` or `python` define it.
        body: pointwise body `body(m, *operands)` in the algebra `m`.
        composite: what the row is made of: `composite(m, *arguments)`, where `m` reads rows
            (`ops/composite.py`).
        python: a Python expression over the argument names (`"self + other"`), pure and without
            calls to anything but builtins: the kernel of scalar and container rows, inlined by the
            interpreter.
        infer: type rule `infer(types, constants) -> type or types`: the argument types, and for
            each argument its constant value or `NOT_CONSTANT`. Where it is None the schema's
            returns decide. Rules may leave facts unknown but never state a wrong one; surfaces are
            filled in by `result_types`.
        grad: gradient `grad(m, g, result, *operands)`.
        native: native lowering.
        result: dtype rule of a pointwise row.
        effect: what it does beyond its results.
        reshapes: the row gives its written first argument another shape: the kernel returns the
            array that this tensor is to hold from now on.
        checked_integer: the result is an int that must fit 64 bits when the graph's integers are
            checked.
        function, method: names under which the row is offered in Python (`torch.add`,
            `Tensor.add`); by default the base name is both. None: not offered.
    """

    schema_text: str
    impl: Kernel | None = None
    body: Kernel | None = None
    composite: Kernel | None = None
    python: str | None = None
    infer: TypeRule | None = None
    grad: Kernel | None = None
    native: Any = None
    result: Result | None = None
    effect: Effect = Effect.NONE
    checked_integer: bool = False
    reshapes: bool = False
    function: str | None = ""
    method: str | None = ""
    doc: str = ""
    name: str = field(init=False)
    overload: str = field(init=False)

    def __post_init__(self) -> None:
        self.name, self.overload = schema_name(self.schema_text)
        base = self.name.partition("::")[2]
        if self.function == "":
            self.function = base
        if self.method == "":
            self.method = base

    def __repr__(self) -> str:
        return f"OpDef({self.schema_text!r})"

    @cached_property
    def schema(self) -> FunctionSchema:
        """The parsed schema."""
        return parse_schema(self.schema_text)

    @property
    def full_name(self) -> str:
        """The name with its overload."""
        return f"{self.name}.{self.overload}" if self.overload else self.name

    @property
    def is_pointwise(self) -> bool:
        """Whether the row is computed element by element."""
        return self.body is not None

    @cached_property
    def python_names(self) -> tuple[str, ...]:
        """The names that the `python` expression reads."""
        tree = ast.parse(self.python or "None", mode="eval")
        return tuple(sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}))


class OpTable:
    """All rows, by name; the overloads of a name stand in the order of registration."""

    def __init__(self) -> None:
        self._rows: dict[str, list[OpDef]] = {}

    def add(self, op: OpDef) -> OpDef:
        """Add a row.

        Raises:
            ValueError: the table has a row of that name and overload.
        """
        overloads = self._rows.setdefault(op.name, [])
        if any(existing.overload == op.overload for existing in overloads):
            raise ValueError(f"{op.full_name} is already in the operator table")
        overloads.append(op)
        return op

    def remove(self, op: OpDef) -> None:
        """Take a row out again (for rows that a test adds)."""
        self._rows[op.name].remove(op)
        if not self._rows[op.name]:
            del self._rows[op.name]

    def overloads(self, name: str) -> Sequence[OpDef]:
        """All rows of a name, empty where there is none."""
        return self._rows.get(name, ())

    def find(self, full_name: str) -> OpDef | None:
        """The row `name.overload`, or None."""
        name, overload = schema_name(full_name + "(")
        return next((op for op in self.overloads(name) if op.overload == overload), None)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[OpDef]:
        for overloads in self._rows.values():
            yield from overloads

    def names(self) -> Iterable[str]:
        """All operator names."""
        return self._rows.keys()


OPS = OpTable()
