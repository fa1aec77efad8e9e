"""Random well-typed script functions as Python source text.

`random_source(seed)` is a module: imports, helpers, `program(...)`, and `case_0() ...` that make
fresh arguments for a call each. Every program ends: `for` walks something finite, `while` counts
down a variable that nothing else writes. Only names that are assigned on every path are read. Of
twelve modules three are ones of `models.py`, two of `loops.py`, and one of `steps.py`.
"""

import random

from .expressions import (
    DICT,
    FLOATS,
    INTS,
    OPTIONAL,
    PAIR,
    ROW,
    TENSORS,
    TWINS,
    Array,
    Expressions,
    Flags,
    Helper,
    Type,
)
from .loops import Loops
from .models import CASES, HEADER, Model
from .statements import Body
from .steps import Steps
from .writes import ARRAY_TYPES, TENSOR_TYPES, annotation


class Writer:
    """Writes a module."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.flags = Flags.choose(self.rng)
        self.helpers: list[Helper] = []
        self.annotated = False

    def module(self) -> str:
        parts = [HEADER]
        if self.flags.helpers:
            parts += [self.helper(number) for number in range(self.rng.randint(1, 2))]
        text, parameters = self.program()
        parts.append(text)
        parts += [self.case(number, parameters) for number in range(CASES)]
        return "\n".join(parts)

    def body(
        self, parameters: list[Type], returned: list[str], size: int
    ) -> tuple[Body, list[str]]:
        make = Expressions(self.rng, self.flags, helpers=list(self.helpers))
        body = Body(make, returned, size)
        names = [body.new(type_) for type_ in parameters]
        return body, names

    def signature(self, name: str, names: list[str], types: list[Type]) -> str:
        annotated = self.rng.random() < 0.6
        self.annotated = annotated
        shown = [
            f"{n}: {annotation(t)}" if annotated or t == OPTIONAL else n
            for n, t in zip(names, types, strict=True)
        ]
        return f"def {name}({', '.join(shown)}):"

    def helper(self, number: int) -> str:
        types: list[Type] = self.rng.choices(["int", "float", "bool"], k=self.rng.randint(1, 2))
        if self.flags.lists and self.rng.random() < 0.4:
            types.append(INTS)
        if self.flags.tensors and self.rng.random() < 0.5:
            types.append(ROW)
        result = self.rng.choice(["int", "int", "float"])
        body, names = self.body(types, [], 3)
        text = body.make.of(result, 1)
        shown = body.new(result)
        body.write(f"{shown} = {text}")
        body.returned = [shown]
        body.statements(self.rng.randint(1, 4))
        body.write(body.result())
        made = Helper(f"helper_{number}", types, result)
        text = "\n".join([self.signature(made.name, names, types), *body.lines, ""])
        self.helpers.append(made)
        return text

    def program(self) -> tuple[str, list[Type]]:
        flags = self.flags
        types: list[Type] = ["int", "float", self.rng.choice(["int", "float", "bool"])]
        if flags.optional:
            types.append(OPTIONAL)
        types += [type_ for type_ in (TWINS, PAIR) if self.rng.random() < 0.3]
        if flags.lists:
            types += self.rng.sample([INTS, INTS, FLOATS, DICT], 2)
        if flags.tensors:
            types += self.rng.sample(TENSOR_TYPES, 2)
            if flags.lists and self.rng.random() < 0.3:
                types.append(TENSORS)
        if flags.raw:
            types += self.rng.sample(ARRAY_TYPES, 1)
            types = [t for t in types if not (isinstance(t, Array) and not t.raw) and t != TENSORS]
            flags.tensors = False
        self.rng.shuffle(types)
        body, names = self.body(types, [], 8)
        for type_ in self.rng.sample(body.types(), self.rng.randint(2, 4)):
            text = body.make.of(type_, 2)
            body.write(f"{body.new(type_)} = {text}")
        known = list(body.make.scope)
        body.returned = self.rng.sample(known, min(len(known), self.rng.randint(2, 6)))
        body.summed = {name for name in body.returned if self.rng.random() < 0.3}
        body.statements(self.rng.randint(4, 11))
        body.write(body.last_result())
        return "\n".join([self.signature("program", names, types), *body.lines, ""]), types

    # Arguments ----------------------------------------------------------------------------------

    def case(self, number: int, types: list[Type]) -> str:
        values = "".join(f"{self.argument(type_)}, " for type_ in types)
        return f"def case_{number}():\n    return ({values})\n"

    def argument(self, type_: Type) -> str:
        pick = self.rng.choice
        if isinstance(type_, Array):
            return self._array(type_)
        match type_:
            case "int":
                if self.flags.big and self.rng.random() < 0.5:
                    return pick(
                        [
                            "2**31",
                            "2**53 + 1",
                            "-(2**53) - 1",
                            "2**62",
                            "2**63 - 1",
                            "-(2**63)",
                            str(self.rng.randint(2**53, 2**63 - 1)),
                            str(-self.rng.randrange(2**58)),
                        ]
                    )
                return pick(["0", "1", "2", "3", "4", "-1", "-3", "7", "-8", "12", "100"])
            case "float":
                if self.flags.special and self.rng.random() < 0.5:
                    return pick(
                        [
                            "math.inf",
                            "-math.inf",
                            "math.nan",
                            "math.nan",
                            "-0.0",
                            "-0.0",
                            "0.0",
                            "1e308",
                            "5e-324",
                            "2.0**53",
                        ]
                    )
                return pick(["0.0", "-0.0", "1.0", "0.5", "-2.5", "3.75", "-7.0", "0.1", "1e10"])
            case "bool":
                return pick(["True", "False"])
            case "tuple[int, int]":
                return f"({self.argument('int')}, {self.argument('int')})"
            case "tuple[int, float]":
                return f"({self.argument('int')}, {self.argument('float')})"
            case "int | None":
                return pick(["None", "None", "0", "3", "-5"])
            case "list[int]":
                # Without annotation nothing tells the element type of an empty list.
                empty = self.rng.random() < 0.12 and self.annotated
                count = 0 if empty else self.rng.randint(1, 4)
                return f"[{', '.join(self.argument('int') for _ in range(count))}]"
            case "list[float]":
                return (
                    f"[{', '.join(self.argument('float') for _ in range(self.rng.randint(1, 3)))}]"
                )
            case "list[Tensor]":
                return f"[{self._array(ROW)}, {self._array(ROW)}]"
            case "dict[str, int]":
                return f"{{'a': {self.argument('int')}, 'Q': {self.argument('int')}}}"
        raise AssertionError(type_)

    def _array(self, type_: Array) -> str:
        nested = self._elements(type_, type_.shape)
        if type_.raw:
            return f"np.array({nested}, dtype=np.{type_.dtype})"
        return f"jl.tensor({nested}, dtype=jl.{type_.dtype})"

    def _elements(self, type_: Array, shape: tuple[int, ...]) -> str:
        if shape:
            return f"[{', '.join(self._elements(type_, shape[1:]) for _ in range(shape[0]))}]"
        if type_.is_float:
            if self.flags.special and self.rng.random() < 0.15:
                return self.rng.choice(["math.nan", "math.inf", "-0.0"])
            return self.rng.choice(["0.5", "-1.0", "2.0", "0.0", "1.5", "-2.25", "0.1"])
        return self.rng.choice(["0", "1", "2", "-3", "5"])


KINDS = (Writer, Writer, Model, Writer, Loops, Model, Writer, Writer, Steps, Writer, Loops, Model)
"""What writes the modules, by turns."""


def random_source(seed: int) -> str:
    """The module that belongs to a seed."""
    return KINDS[seed % len(KINDS)](seed).module()
