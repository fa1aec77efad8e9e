"""Random well-typed expressions, as text.

Types are written as in annotations (`int`, `float`, `bool`, `str`, `list[int]`, `dict[str, int]`
...); arrays have an `Array` type with surface, dtype and shape, so that every expression is
valid. An expression may still raise when it runs: divisions, indices and conversions are guarded
mostly, not always.
"""

# ruff: noqa: E501 - one way to make an expression, one line

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OPTIONAL = "int | None"
PAIR = "tuple[int, float]"
TWINS = "tuple[int, int]"
INTS, FLOATS, TENSORS, DICT = "list[int]", "list[float]", "list[Tensor]", "dict[str, int]"
SCALARS = ("int", "float", "bool", "str")


@dataclass(frozen=True)
class Array:
    """The type of a tensor (of jitlang) or an array (of NumPy)."""

    dtype: str
    shape: tuple[int, ...]
    raw: bool = False

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith("float")

    @property
    def annotation(self) -> str:
        return "np.ndarray" if self.raw else "Tensor"


Type = Any  # a str as above, or an Array

ROW = Array("float32", (3,))
"""What a `list[Tensor]` holds."""

NAME = re.compile(r"\b[a-z]+_\d+\b")


@dataclass
class Flags:
    """Features of one program. Each program has some of them only, so that none hides another."""

    in_place: bool
    big: bool
    special: bool
    prints: bool
    raises: bool
    raw: bool
    tensors: bool
    lists: bool
    optional: bool
    jumps: bool
    returns: bool
    helpers: bool

    @classmethod
    def choose(cls, rng: random.Random) -> "Flags":
        chances = {
            "in_place": 0.55, "big": 0.3, "special": 0.5, "prints": 0.4, "raises": 0.35, "raw": 0.25,
            "tensors": 0.6, "lists": 0.6, "optional": 0.4, "jumps": 0.6, "returns": 0.4, "helpers": 0.4,
        }  # fmt: skip
        return cls(**{name: rng.random() < chance for name, chance in chances.items()})


@dataclass
class Helper:
    """A generated function that expressions may call."""

    name: str
    parameters: list[Type]
    result: Type


@dataclass
class Expressions:
    """Makes expressions over the variables in scope."""

    rng: random.Random
    flags: Flags
    scope: dict[str, Type] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    helpers: list[Helper] = field(default_factory=list)
    history: dict[Type, list[str]] = field(default_factory=dict)
    count: int = 0

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def variables(self, type_: Type) -> list[str]:
        return [name for name, each in self.scope.items() if each == type_]

    def variable(self, type_: Type) -> str | None:
        found = self.variables(type_)
        return self.rng.choice(found) if found else None

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def of(self, type_: Type, depth: int = 2) -> str:
        """An expression of a type; now and then one that was made before."""
        if depth > 0 and self.chance(0.14):
            again = [t for t in self.history.get(type_, ()) if self._is_in_scope(t)]
            if again:
                return self.rng.choice(again[-8:])
        made = self._leaf(type_) if depth <= 0 else self._make(type_, depth)
        if depth > 0 and len(made) < 60:
            self.history.setdefault(type_, []).append(made)
        return made

    def _is_in_scope(self, text: str) -> bool:
        return all(name in self.scope or name.startswith("helper_") for name in NAME.findall(text))

    def _make(self, type_: Type, depth: int) -> str:
        if isinstance(type_, Array):
            return self._array(type_, depth)
        return _MAKERS[type_](self, depth)

    # Leaves -------------------------------------------------------------------------------------

    def _leaf(self, type_: Type) -> str:
        found = self.variable(type_)
        if found is not None and self.chance(0.8):
            return found
        return self.constant(type_)

    def constant(self, type_: Type) -> str:
        pick = self.rng.choice
        if isinstance(type_, Array):
            return self._new_array(type_)
        match type_:
            case "int":
                if self.flags.big and self.chance(0.2):
                    return pick(["9223372036854775807", "(-9223372036854775807 - 1)", "4611686018427387904",
                                 "9007199254740993", "3037000500", "2147483648"])  # fmt: skip
                return pick(["0", "1", "1", "2", "3", "-1", "-2", "5", "7", "-7", "10"])
            case "float":
                if self.flags.special and self.chance(0.3):
                    return pick(
                        ["math.inf", "-math.inf", "math.nan", "math.nan", "-0.0", "1e308", "5e-324"]
                    )
                return pick(["0.0", "-0.0", "1.0", "0.5", "-2.5", "0.1", "3.0", "-1.0", "7.25"])
            case "bool":
                return pick(["True", "False"])
            case "str":
                return pick(["''", "'a'", "'bc'", "'x y'", "'Q'"])
            case "int | None":
                return pick(["None", "1", "-4"])
            case "tuple[int, float]":
                return f"({self.constant('int')}, {self.constant('float')})"
            case "tuple[int, int]":
                return f"({self._leaf('int')}, {self._leaf('int')})"
            case "list[int]":
                return self._display("int", 3)
            case "list[float]":
                return self._display("float", 2)
            case "list[Tensor]":
                return f"[{self._leaf(ROW)}, {self._leaf(ROW)}]"
            case "dict[str, int]":
                return f"{{'a': {self._leaf('int')}, 'bc': {self._leaf('int')}}}"
        raise AssertionError(type_)

    def _display(self, element: str, most: int) -> str:
        count = self.rng.randint(1, most)
        return f"[{', '.join(self._leaf(element) for _ in range(count))}]"

    def _new_array(self, type_: Array) -> str:
        space = "np" if type_.raw else "jl"
        sizes = ", ".join(map(str, type_.shape))
        shape = f"({sizes},)" if len(type_.shape) == 1 else f"({sizes})"
        if type_.raw:
            return f"np.{self.rng.choice(['ones', 'zeros'])}({shape}, dtype=np.{type_.dtype})"
        value = self.rng.choice(["1", "2", "-1"])
        return f"{space}.full({shape}, {value}, dtype=jl.{type_.dtype})"

    # Numbers ------------------------------------------------------------------------------------

    def _int(self, depth: int) -> str:
        d = depth - 1
        choices: list[tuple[int, Callable[[], str]]] = [
            (8, lambda: self._arithmetic("int", ["+", "-", "*"], d)),
            (
                3,
                lambda: (
                    f"({self.of('int', d)} {self.rng.choice(['//', '%'])} {self._divisor('int')})"
                ),
            ),
            (2, lambda: f"({self.of('int', d)} {self.rng.choice('&|^')} {self.of('int', d)})"),
            (
                1,
                lambda: (
                    f"({self.of('int', d)} {self.rng.choice(['<<', '>>'])} {self.rng.choice('0123')})"
                ),
            ),
            (1, lambda: f"({self._leaf('int')} >> {self.rng.choice(['63', '64', '70'])})"),
            (
                2,
                lambda: (
                    f"{self.rng.choice(['min', 'max'])}({self.of('int', d)}, {self.of('int', d)})"
                ),
            ),
            (1, lambda: f"abs({self.of('int', d)})"),
            (1, lambda: f"{self.rng.choice('-~')}{self._leaf('int')}".replace("--", "- -")),
            (2, lambda: self._choice("int", d)),
            (1, lambda: f"int({self.of(self.rng.choice(['bool', 'float']), d)})"),
            (1, lambda: f"len({self.of('str', d)})"),
            (1, lambda: f"math.floor({self.of('float', d)})"),
            (2, lambda: self._constant_index("int")),
            (1, lambda: f"({self.of('int', d)} ** {self.rng.choice('0123')})"),
        ]
        choices += self._from_containers("int", d)
        if self.flags.tensors or self.flags.raw:
            choices.append((3, lambda: self._from_array("int64", "int")))
        return self._weighted(choices)

    def _float(self, depth: int) -> str:
        d = depth - 1
        choices: list[tuple[int, Callable[[], str]]] = [
            (8, lambda: self._arithmetic("float", ["+", "-", "*"], d)),
            (
                3,
                lambda: (
                    f"({self.of('float', d)} {self.rng.choice(['/', '//', '%'])} {self._divisor('float')})"
                ),
            ),
            (2, lambda: f"({self.of('int', d)} / {self._divisor('int')})"),
            (
                2,
                lambda: (
                    f"{self.rng.choice(['min', 'max'])}({self.of('float', d)}, {self.of('float', d)})"
                ),
            ),
            (1, lambda: f"abs({self.of('float', d)})"),
            (1, lambda: f"(-{self._leaf('float')})"),
            (2, lambda: self._choice("float", d)),
            (1, lambda: f"float({self.of(self.rng.choice(['int', 'bool']), d)})"),
            (1, lambda: f"({self.of('float', d)} {self.rng.choice('+-*')} {self.of('int', d)})"),
            (
                1,
                lambda: (
                    f"math.{self.rng.choice(['sin', 'cos', 'tanh', 'atan', 'exp'])}({self.of('float', d)})"
                ),
            ),
            (1, lambda: f"math.sqrt(abs({self.of('float', d)}))"),
            (1, lambda: f"math.copysign({self.of('float', d)}, {self.of('float', d)})"),
        ]
        choices += self._from_containers("float", d)
        if self.flags.tensors or self.flags.raw:
            choices.append((3, lambda: self._from_array("float32", "float")))
        return self._weighted(choices)

    def _arithmetic(self, type_: str, operators: list[str], depth: int) -> str:
        sides = [self.of(type_, depth), self.of(type_, depth)]
        if self.chance(0.2):
            neutral = {"int": ["0", "1"], "float": ["0.0", "-0.0", "1.0"]}[type_]
            at = self.rng.randrange(2)
            sides[at] = self.rng.choice(neutral)
            sides[1 - at] = self._leaf(type_) if self.chance(0.6) else sides[1 - at]
        return f"({sides[0]} {self.rng.choice(operators)} {sides[1]})"

    def _divisor(self, type_: str) -> str:
        if self.flags.raises and self.chance(0.3):
            return self._leaf(type_)
        variable = self.variable(type_)
        if variable is not None and self.chance(0.5):
            return f"({variable} or {self.rng.choice({'int': ['3', '-2'], 'float': ['0.5', '-3.0']}[type_])})"
        return self.rng.choice(
            {"int": ["2", "3", "-3", "-1", "7"], "float": ["2.0", "-0.75", "3.0"]}[type_]
        )

    def _choice(self, type_: Type, depth: int) -> str:
        return f"({self.of(type_, depth)} if {self.of('bool', depth)} else {self.of(type_, depth)})"

    def _constant_index(self, type_: str) -> str:
        parts = [self._leaf(type_) for _ in range(3)]
        return f"[{', '.join(parts)}][{self.rng.choice(['0', '1', '-1', '-2', '-3', '2'])}]"

    def _from_containers(self, type_: str, depth: int) -> list[tuple[int, Callable[[], str]]]:
        """Ways to get an int or a float out of what is in scope."""
        ways: list[tuple[int, Callable[[], str]]] = []
        container = {"int": INTS, "float": FLOATS}[type_]
        if held := self.variable(container):
            index = self.rng.choice(["0", "-1", f"({self._leaf('int')}) % len({held})"])
            guarded = f"({held}[{index}] if {held} else {self.constant(type_)})"
            raw = self.flags.raises and self.chance(0.3)
            ways.append((3, lambda: f"{held}[{self._leaf('int')}]" if raw else guarded))
            ways.append((1, lambda: f"{type_}(sum({held}))"))
            if self.flags.tensors:
                dtype = {"int": "int64", "float": "float64"}[type_]
                ways.append((2, lambda: f"{type_}(jl.tensor({held}, dtype=jl.{dtype}).sum())"))
            if type_ == "int":
                ways.append((2, lambda: f"len({held})"))
        if pair := self.variable(PAIR):
            ways.append((2, lambda: f"{pair}[{0 if type_ == 'int' else 1}]"))
        for helper in self.helpers:
            if helper.result == type_:
                ways.append((3, lambda helper=helper: self.call(helper, depth)))  # type: ignore[misc]
        if type_ == "int":
            ways += self._ints_from_containers()
        return ways

    def _ints_from_containers(self) -> list[tuple[int, Callable[[], str]]]:
        ways: list[tuple[int, Callable[[], str]]] = []
        if twins := self.variable(TWINS):
            ways.append((2, lambda: f"{twins}[{self.rng.choice('01')}]"))
        if table := self.variable(DICT):
            ways.append((2, lambda: f"{table}.get({self._leaf('str')}, {self._leaf('int')})"))
            ways.append((1, lambda: f"{table}['a']"))
        if maybe := self.variable(OPTIONAL):
            ways.append((4, lambda: f"({maybe} if {maybe} is not None else {self._leaf('int')})"))
        if self.variable(TENSORS):
            ways.append((1, lambda: f"len({self.variable(TENSORS)})"))
        return ways

    def call(self, helper: Helper, depth: int) -> str:
        """A call of a helper."""
        return f"{helper.name}({', '.join(self.of(t, depth) for t in helper.parameters)})"

    def _from_array(self, dtype: str, type_: str) -> str:
        arrays = [
            (name, each) for name, each in self.scope.items()
            if isinstance(each, Array) and each.is_float == (type_ == "float")
        ]  # fmt: skip
        if not arrays:
            return self._leaf(type_)
        name, held = self.rng.choice(arrays)
        if type_ == "int" and self.chance(0.2) and held.shape:
            return self.rng.choice([f"{name}.shape[0]", f"len({name})"])
        if len(held.shape) == 1 and self.chance(0.4):
            return f"{type_}({name}[{self.rng.choice([0, 1, -1])}])"
        if not held.shape and not held.raw:
            return f"{name}.item()"
        return f"{type_}({name}.sum())"

    # Truth and text -----------------------------------------------------------------------------

    def _bool(self, depth: int) -> str:
        d = depth - 1
        compare = ["<", "<=", ">", ">=", "==", "!="]
        choices: list[tuple[int, Callable[[], str]]] = [
            (6, lambda: f"({self.of('int', d)} {self.rng.choice(compare)} {self.of('int', d)})"),
            (
                5,
                lambda: f"({self.of('float', d)} {self.rng.choice(compare)} {self.of('float', d)})",
            ),
            (1, lambda: f"({self.of('int', d)} {self.rng.choice(compare)} {self.of('float', d)})"),
            (2, lambda: f"(not {self.of('bool', d)})"),
            (
                2,
                lambda: (
                    f"(not ({self._leaf('float')} {self.rng.choice(compare)} {self._leaf('float')}))"
                ),
            ),
            (
                3,
                lambda: (
                    f"({self.of('bool', d)} {self.rng.choice(['and', 'or'])} {self.of('bool', d)})"
                ),
            ),
            (2, lambda: f"({self.of('int', d)} < {self.of('int', d)} <= {self.of('int', d)})"),
            (
                1,
                lambda: (
                    f"({self.of('str', d)} {self.rng.choice(['==', '!=', '<'])} {self.of('str', d)})"
                ),
            ),
            (1, lambda: f"bool({self.of('int', d)})"),
            (1, lambda: f"({self._leaf('float')} != {self._leaf('float')})"),
        ]
        if held := self.variable(INTS):
            choices.append(
                (2, lambda: f"({self.of('int', d)} {self.rng.choice(['in', 'not in'])} {held})")
            )
        if table := self.variable(DICT):
            choices.append((1, lambda: f"({self.of('str', d)} in {table})"))
        if maybe := self.variable(OPTIONAL):
            choices.append((3, lambda: f"({maybe} is {self.rng.choice(['', 'not '])}None)"))
        tensors = [n for n, t in self.scope.items() if isinstance(t, Array) and not t.raw]
        if tensors:
            choices.append(
                (2, lambda: f"bool({self.rng.choice(tensors)}.sum() > {self.constant('int')})")
            )
        return self._weighted(choices)

    def _str(self, depth: int) -> str:
        d = depth - 1
        return self._weighted([
            (3, lambda: f"({self.of('str', d)} + {self.of('str', d)})"),
            (2, lambda: f"str({self.of(self.rng.choice(['int', 'float', 'bool']), d)})"),
            (2, lambda: f"f'{{{self._leaf('int')}}}:{{{self._leaf('float')}}}'"),
            (1, lambda: f"{self._leaf('str')}.upper()"),
            (1, lambda: f"({self._leaf('str')} * {self.rng.choice('012')})"),
            (1, lambda: f"{self._leaf('str')}[{self.rng.choice(['1:', ':2', ':-1'])}]"),
            (1, lambda: self._choice("str", d)),
        ])  # fmt: skip

    # Containers ---------------------------------------------------------------------------------

    def _ints(self, depth: int) -> str:
        choices: list[tuple[int, Callable[[], str]]] = [
            (4, lambda: self._display("int", 4)),
            (4, lambda: self._comprehension("int", f"range({self.trips()})", depth - 1)),
        ]
        if held := self.variable(INTS):
            choices += [
                (3, lambda: self._comprehension("int", held, depth - 1)),
                (2, lambda: f"({held} + {self._leaf(INTS)})"),
                (1, lambda: f"sorted({held})"),
                (1, lambda: f"list({held})"),
                (2, lambda: f"{held}[{self.rng.choice(['1:', ':2', ':-1', '::2'])}]"),
            ]
        return self._weighted(choices)

    def _comprehension(self, element: str, source: str, depth: int) -> str:
        name = self.fresh("q")
        self.scope[name] = "int"
        body = self.of(element, min(depth, 1))
        test = f" if {self.of('bool', 0 if self.chance(0.3) else 1)}" if self.chance(0.4) else ""
        del self.scope[name]
        return f"[{body} for {name} in {source}{test}]"

    def trips(self) -> str:
        """A small number of trips."""
        if self.chance(0.3) and (variable := self.variable("int")):
            return f"abs({variable}) % 4"
        if self.chance(0.2) and (held := self.variable(INTS)):
            return f"min(len({held}), 4)"
        return self.rng.choice(["0", "1", "1", "2", "3", "4"])

    def _floats(self, depth: int) -> str:
        if self.chance(0.5):
            return self._comprehension("float", f"range({self.trips()})", depth - 1)
        return self._display("float", 3)

    def _tensors(self, depth: int) -> str:
        count = self.rng.randint(1, 3)
        return f"[{', '.join(self.of(ROW, depth - 1) for _ in range(count))}]"

    def _pair(self, depth: int) -> str:
        return f"({self.of('int', depth - 1)}, {self.of('float', depth - 1)})"

    def _twins(self, depth: int) -> str:
        return f"({self.of('int', depth - 1)}, {self.of('int', depth - 1)})"

    def _dict(self, depth: int) -> str:
        return f"{{'a': {self.of('int', depth - 1)}, {self._leaf('str')}: {self.of('int', depth - 1)}}}"

    def _optional(self, depth: int) -> str:
        return self._weighted([
            (2, lambda: "None"),
            (2, lambda: self.of("int", depth - 1)),
            (3, lambda: f"({self.of('int', depth - 1)} if {self.of('bool', depth - 1)} else None)"),
        ])  # fmt: skip

    # Arrays -------------------------------------------------------------------------------------

    def _array(self, type_: Array, depth: int) -> str:
        d = depth - 1
        space = "np" if type_.raw else "jl"
        choices: list[tuple[int, Callable[[], str]]] = [
            (8, lambda: self._array_arithmetic(type_, d)),
            (
                2,
                lambda: (
                    f"{space}.where({self._mask(type_, d)}, {self.of(type_, d)}, {self.of(type_, d)})"
                ),
            ),
            (1, lambda: f"{space}.maximum({self.of(type_, d)}, {self.of(type_, d)})"),
            (1, lambda: f"{space}.abs({self.of(type_, d)})"),
            (1, lambda: f"{self._leaf(type_)}.{'copy' if type_.raw else 'clone'}()"),
            (2, lambda: f"(-{self.of(type_, d)})"),
        ]
        if type_.is_float:
            names = ["tanh", "exp", "sqrt", "sin", "cos", "floor"]
            if not type_.raw:
                names += ["sigmoid", "relu"]
            choices.append((3, lambda: f"{space}.{self.rng.choice(names)}({self.of(type_, d)})"))
        if type_.shape == (3,):
            whole = Array(type_.dtype, (2, 3), type_.raw)
            axis = "axis=0" if type_.raw else "0"
            if variable := self.variable(whole):
                choices.append((4, lambda: f"{variable}[{self.rng.choice(['0', '1', '-1'])}]"))
                if type_.dtype != "int32":
                    choices.append((2, lambda: f"{variable}.sum({axis})"))
        if type_.shape == (2, 3):
            row = Array(type_.dtype, (3,), type_.raw)
            choices.append((1, lambda: f"{space}.stack([{self.of(row, d)}, {self.of(row, d)}])"))
        if type_.shape == () and type_.dtype != "int32":
            choices.append((3, lambda: f"{self.of(Array(type_.dtype, (3,)), d)}.sum()"))
        return self._weighted(choices)

    def _array_arithmetic(self, type_: Array, depth: int) -> str:
        lhs, rhs = self.of(type_, depth), self.operand(type_, depth)
        operators = ["+", "-", "*", "/"] if type_.is_float else ["+", "-", "*"]
        if self.chance(0.3):
            lhs, rhs = rhs, lhs
        return f"({lhs} {self.rng.choice(operators)} {rhs})"

    def operand(self, type_: Array, depth: int) -> str:
        """What may be added to an array without changing its type."""
        if self.chance(0.4):
            if type_.is_float:
                return self.rng.choice([self._finite(), "2", self._finite()])
            return self.rng.choice(["1", "2", "-3"])
        if type_.shape == (2, 3) and self.chance(0.4):
            return self.of(Array(type_.dtype, (3,), type_.raw), depth)
        return self.of(type_, depth)

    def _finite(self) -> str:
        return self.rng.choice(["0.5", "-1.5", "2.0", "1.0", self._leaf("float")])

    def _mask(self, type_: Array, depth: int) -> str:
        lhs, rhs = self.of(type_, depth), self.operand(type_, depth)
        if self.chance(0.3):
            lhs, rhs = rhs, lhs
        return f"({lhs} {self.rng.choice(['<', '<=', '>', '>=', '==', '!='])} {rhs})"

    def _weighted(self, choices: list[tuple[int, Callable[[], str]]]) -> str:
        weights = [weight for weight, _ in choices]
        return self.rng.choices(choices, weights)[0][1]()


_MAKERS: dict[str, Callable[[Expressions, int], str]] = {
    "int": Expressions._int,
    "float": Expressions._float,
    "bool": Expressions._bool,
    "str": Expressions._str,
    INTS: Expressions._ints,
    FLOATS: Expressions._floats,
    TENSORS: Expressions._tensors,
    PAIR: Expressions._pair,
    TWINS: Expressions._twins,
    DICT: Expressions._dict,
    OPTIONAL: Expressions._optional,
}
