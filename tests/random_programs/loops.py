"""Random functions of NumPy arrays that work through elements, as one writes them for a compiler of
loops: sums, tables, searches, exchanges, stores.

They compute nothing that is rounded in ways of its own, and raise nothing but NumPy's and Python's
errors: results agree to the bit, errors in their words (`IS_EXACT`). The cases are of several
sizes, one among them, and now and then of arrays that share memory, run backwards or are read-only.

What nobody reads may be left out with the error that it would raise. So elements that may not be
there are read only by what is stored, and arrays are empty only where all variables are *tidy*:
they begin as numbers, all that they are given goes into what they become, and they are returned.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

HEADER = """import math

import numpy as np

import jitlang as jl

IS_EXACT = True


def numbers(seed, shape, dtype, special=False):
    rng = np.random.default_rng(seed)
    if dtype == 'bool':
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.startswith('float'):
        found = np.round(rng.normal(size=shape) * 3, rng.integers(0, 4)).astype(dtype)
        if special and found.size:
            found.reshape(-1)[rng.integers(found.size)] = rng.choice([np.nan, np.inf, -0.0])
        return found
    return rng.integers(-9 if special and dtype[0] == 'i' else 0, 10, shape).astype(dtype)

"""
DTYPES = ("float64", "float64", "float64", "int64", "int64", "float32", "int32", "bool", "uint8")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
NUMBERS = {
    "float64": ("0.5", "-1.5", "2.0", "0.0", "2", "s", "k"),
    "float32": ("0.5", "-1.5", "2.0", "0.0", "2", "s"),
    "int64": ("0", "1", "2", "3", "-1", "7", "k"),
    "int32": ("0", "1", "2", "3", "-1", "7"),
    "uint8": ("0", "1", "2", "3", "7"),
    "bool": ("True", "False"),
}
"""Numbers of Python's that take the dtype of what they meet."""
BEGINNINGS = {
    "float64": ("0.0", "0.0", "0", "1", "-1.5"),
    "float32": ("0.0", "1.0", "-1.5"),
    "int64": ("0", "0", "1", "-3"),
    "int32": ("0", "1", "-3"),
    "uint8": ("0", "1"),
    "bool": ("False", "True"),
}
LOWER = {
    "float64": ("float64", "float64", "float32", "int64", "int32"),
    "int64": ("int64", "int64", "int32", "uint8"),
}
"""Dtypes of which something may be where one of another is wanted."""
SIZES = ((5, 4), (7, 3), (5, 4), (0, 0), (7, 3))
"""Those of the cases: other ones from case to case, then small ones, then some again."""
SMALL = ((1, 1), (2, 1), (1, 3))
EMPTY = ((0, 0), (0, 3), (1, 0), *SMALL)


@dataclass(frozen=True)
class Array:
    """An array in scope: its dtype, and the names of its sizes."""

    dtype: str
    sizes: tuple[str, ...]


class Loops:
    """Grows one function. An index that runs along a size has a name that begins as that does."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"loops {seed}")
        self.lines: list[str] = []
        self.indent = 1
        self.count = 0
        self.depth = 0
        self.loops = 0
        self.arrays: dict[str, Array] = {}
        self.indices: list[str] = []
        self.variables: dict[str, str] = {}
        self.escapes = self.chance(0.3)
        self.is_stored = False
        self.is_wild = self.chance(0.15)
        self.is_tidy = self.chance(0.5)

    # Writing ------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    @contextmanager
    def nested(self) -> Iterator[None]:
        """One level deeper; what is defined there is not seen after it."""
        arrays, indices, variables = dict(self.arrays), [*self.indices], dict(self.variables)
        self.indent, self.depth = self.indent + 1, self.depth + 1
        yield
        self.indent, self.depth = self.indent - 1, self.depth - 1
        self.arrays, self.indices, self.variables = arrays, indices, variables

    # Expressions --------------------------------------------------------------------------------

    def array(self, rank: int | None = None) -> str:
        """An array of a rank, if there is one."""
        found = [name for name, each in self.arrays.items() if rank in (None, len(each.sizes))]
        return self.rng.choice(found or [*self.arrays])

    def dtype(self) -> str:
        """A dtype to compute in."""
        return self.rng.choice([each.dtype for each in self.arrays.values()])

    def length(self, name: str, axis: int) -> str:
        """The size of an array along an axis, as one asks for it."""
        ways = [f"{name}.shape[{axis}]", f"{name}.shape[{axis - len(self.arrays[name].sizes)}]"]
        return self.rng.choice([*ways, *([f"len({name})"] * 3 if axis == 0 else [])])

    def index(self, name: str, axis: int, depth: int = 1) -> str:
        """An index that is mostly in range."""
        size = self.length(name, axis)
        may_escape = self.escapes and self.is_stored
        if may_escape and self.chance(0.1):
            return self.rng.choice([size, "k", f"-{size} - 1"])
        if not self.indices or self.chance(0.3):
            ways = ["0", "-1", f"k % {size}", f"{size} - 1", f"{size} // 2"]
            if depth:
                found = self.read(self.array(1), 0)
                ways += [f"int({found}) % {size}"] * 2
            return self.rng.choice(ways)
        i = self.rng.choice(self.indices)
        fits = i[0] == self.arrays[name].sizes[axis]
        if fits and self.chance(0.7):
            return i
        ways = [f"({i} * 3) % {size}", f"{i} % {size}", f"({i} + 1) % {size}"]
        ways += [f"{i} - 1", f"{size} - 1 - {i}"] if fits else [f"({i} - 1) % {size}"]
        ways += [f"{i} + 1", f"{i} + 2"] if may_escape else [f"min({i}, {size} - 1)"]
        return self.rng.choice(ways)

    def read(self, name: str, depth: int = 1) -> str:
        """An element of an array; an index may be one of integers."""
        sizes = self.arrays[name].sizes
        indices = [self.index(name, axis, depth) for axis in range(len(sizes))]
        vectors = [
            each for each, array in self.arrays.items()
            if len(array.sizes) == 1 and "int" in array.dtype and self.indices
        ]  # fmt: skip
        if depth and vectors and self.chance(0.15):
            vector, axis = self.rng.choice(vectors), self.rng.randrange(len(sizes))
            indices[axis] = f"{self.read(vector, 0)} % {self.length(name, axis)}"
        return f"{name}[{', '.join(indices)}]"

    def element(self, dtype: str | None = None) -> str:
        """An element of an array of a dtype, if there is one, or a variable."""
        wanted = self.rng.choice(LOWER.get(dtype, (dtype,))) if dtype else None
        if wanted == "uint8" and not self.is_tidy:
            wanted = dtype  # numbers may be out of bounds, which nobody sees where nobody reads
        found = [name for name, each in self.arrays.items() if wanted in (None, each.dtype)]
        variables = [name for name, each in self.variables.items() if wanted in (None, each)]
        if variables and (not found or self.chance(0.3)):
            return self.rng.choice(variables)
        if found:
            return self.read(self.rng.choice(found))
        return self.number(dtype or "int64")

    def number(self, dtype: str) -> str:
        indices = self.indices if dtype in ("float64", "int64") else []
        ways = [*NUMBERS[dtype], *indices]
        if self.chance(0.15) and self.arrays:
            name = {"f": "float", "i": "int", "u": "2 * bool", "b": "bool"}[dtype[0]]
            ways = [f"{name}({self.read(self.array(), 0)})"]
        return self.rng.choice(ways)

    def value(self, dtype: str, depth: int = 2) -> str:
        """Something of a dtype, with numbers as what is computed with others."""
        if self.is_wild and self.chance(0.3):
            dtype = self.dtype()
        if depth == 0 or self.chance(0.25):
            return self.number(dtype) if self.chance(0.2) else self.element(dtype)
        if dtype == "bool":
            return self.condition(depth - 1) if self.chance(0.5) else self.element(dtype)
        first, second = self.element(dtype), self.value(dtype, depth - 1)
        if self.chance(0.4):
            first, second = self.value(dtype, depth - 1), first
        match self.rng.randrange(14):
            case 0:
                return f"{self.rng.choice(['min', 'max'])}({first}, {second})"
            case 1:
                how = self.rng.choice(["min", "max"])
                return f"{how}({first}, {second}, {self.value(dtype, 0)})"
            case 2:
                return f"abs({first})"
            case 3:
                return f"-{self.element(dtype)}"
            case 4:
                return f"{self.element(dtype)} ** 2"
            case 5:
                return f"({first} if {self.condition(0)} else {second})"
            case 6 if dtype == "float64":
                return f"{self.rng.choice(['math.sqrt', 'np.sqrt'])}(abs({first}))"
            case 7 | 8:
                operators = ["/", "/", "//", "%"] if dtype[0] == "f" else ["//", "%"]
                if self.chance(0.7):
                    second = self.rng.choice(["2", "3", "7", "-2.0" if dtype[0] == "f" else "5"])
                return f"({first} {self.rng.choice(operators)} {second})"
            case _:
                return f"({first} {self.rng.choice('++-*')} {second})"

    def condition(self, depth: int = 1) -> str:
        dtype, kind = self.dtype(), self.rng.random()
        if depth and kind < 0.25:
            word = self.rng.choice(["and", "or"])
            return f"{self.condition(0)} {word} {self.condition(0)}"
        if depth and kind < 0.32:
            return f"not {self.condition(0)}"
        if kind < 0.42:
            return f"{self.number(dtype)} <= {self.value(dtype, 0)} < {self.value(dtype, 0)}"
        if kind < 0.5:
            return self.element()
        if kind < 0.6 and self.indices:
            return f"{self.rng.choice(self.indices)} % 2 == {self.rng.choice('01')}"
        return f"{self.value(dtype, 1)} {self.rng.choice(COMPARISONS)} {self.value(dtype, 0)}"

    # Statements ---------------------------------------------------------------------------------

    def statements(self, count: int) -> None:
        for _ in range(count):
            ways: list[tuple[int, Callable[[], object]]] = [
                (4, self.store), (2, self.augment), (1, self.exchange),
            ]  # fmt: skip
            if self.variables or not self.is_tidy:
                ways.append((4, self.accumulate))
            if not self.is_tidy:
                ways.append((1, self.named))
            if any(len(each.sizes) == 2 for each in self.arrays.values()):
                ways.append((1, self.row))
            if self.depth < 3:
                ways += [(2, self.branch), (3, self.loop), (1, self.guarded), (1, self.walk)]
            if self.loops:
                ways.append((1, self.leave))
            self.rng.choices([way for _, way in ways], [weight for weight, _ in ways])[0]()

    def accumulate(self) -> None:
        """A variable is given another value."""
        name = self.rng.choice([*self.variables]) if self.variables else self.named()
        dtype = self.variables[name]
        how = self.rng.choice(["min", "max"])
        ways = [f"{name} = {how}({name}, {self.value(dtype, 1)})"]
        ways += [] if self.is_tidy else [f"{name} = {self.value(dtype)}"]
        if dtype != "bool":
            ways += [f"{name} += {self.value(dtype, 1)}"] * 3 + [
                f"{name} -= {self.value(dtype, 1)}",
                f"{name} = {name} * {self.number(dtype)} + {self.value(dtype, 1)}",
            ]  # fmt: skip
        self.write(self.rng.choice(ways))

    def store(self) -> None:
        """Only here indices may be out of range: an element that nobody reads need not be read."""
        name = self.array()
        dtype = self.arrays[name].dtype
        self.is_stored = True
        value = self.number(dtype) if self.chance(0.2) else self.value(dtype)
        self.write(f"{self.read(name)} = {value}")
        self.is_stored = False

    def augment(self) -> None:
        name = self.array()
        dtype = self.arrays[name].dtype
        operator = self.rng.choice(["+", "+", "-", "*", *("/" if dtype[0] == "f" else "")])
        self.is_stored = True
        self.write(f"{self.read(name)} {operator}= {self.value(dtype, 1)}")
        self.is_stored = False

    def exchange(self) -> None:
        name = self.array()
        one, other = self.read(name), self.read(name)
        self.write(f"{one}, {other} = {other}, {one}")

    def named(self) -> str:
        """A variable."""
        name, dtype = self.fresh("v"), self.dtype()
        ways = [self.element(dtype), self.value(dtype, 1)] if not self.is_tidy else []
        ways += BEGINNINGS[dtype]
        self.write(f"{name} = {self.rng.choice(ways)}")
        self.variables[name] = dtype
        return name

    def row(self) -> None:
        matrix, name = self.array(2), self.fresh("row")
        self.write(f"{name} = {matrix}[{self.index(matrix, 0)}]")
        self.arrays[name] = Array(self.arrays[matrix].dtype, self.arrays[matrix].sizes[1:])
        if self.is_tidy:
            self.write(f"{self.read(name)} = {self.number(self.arrays[name].dtype)}")

    def branch(self) -> None:
        is_joining = not self.is_tidy and self.chance(0.4)
        joined, dtype = self.fresh("v") if is_joining else None, self.dtype()
        self.write(f"if {self.condition()}:")
        with self.nested():
            self.statements(self.rng.randint(1, 2))
            if joined is not None:
                self.write(f"{joined} = {self.value(dtype, 1)}")
        if joined is not None or self.chance(0.5):
            self.write("else:")
            with self.nested():
                if joined is None:
                    self.statements(1)
                else:
                    ways = [self.value(dtype, 1), *BEGINNINGS[dtype]]
                    self.write(f"{joined} = {self.rng.choice(ways)}")
        if joined is not None:
            self.variables[joined] = dtype

    def loop(self) -> None:
        """A loop over indices."""
        name = self.array()
        axis = self.rng.randrange(len(self.arrays[name].sizes))
        size, stem = self.length(name, axis), self.arrays[name].sizes[axis]
        ways = [f"range({size})"] * 4 + [
            f"range(1, {size})", f"range({size} - 1, -1, -1)", f"range(0, {size}, 2)",
            f"range({size} - 1)", f"range(1, {size} - 1)", f"range({size} - 1, 0, -1)",
        ]  # fmt: skip
        for outer in self.indices:
            if outer[0] == stem:
                bounds = outer, f"{outer} + 1", f"{outer} + 1, {size}"
                ways += [f"range({each})" for each in bounds] * 2
        vector = self.array(1)
        if "int" in self.arrays[vector].dtype and self.chance(0.3):
            count = self.read(vector)
            ways = [f"range(min({count}, {size}))", f"range(int({count}) % ({size} + 1))"]
            ways += [f"range({count})"] if self.escapes else []
        index = self.fresh(stem)
        self.write(f"for {index} in {self.rng.choice(ways)}:")
        self.looped([index])

    def looped(
        self, indices: list[str], arrays: dict[str, Array] | None = None,
        variables: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        """The body of a loop."""
        with self.nested():
            self.indices += indices
            self.arrays |= arrays or {}
            self.variables |= variables or {}
            self.loops += 1
            self.statements(self.rng.choice((1, 1, 2, 2, 3)))
            self.loops -= 1

    def walk(self) -> None:
        """A loop over an array itself."""
        name = self.array()
        each = self.arrays[name]
        if len(each.sizes) == 2:
            row = self.fresh("row")
            self.write(f"for {row} in {name}:")
            self.looped([], {row: Array(each.dtype, each.sizes[1:])})
            return
        item, index = self.fresh("v"), self.fresh(each.sizes[0])
        if self.chance(0.5):
            self.write(f"for {index}, {item} in enumerate({name}):")
            self.looped([index], variables={item: each.dtype})
        else:
            self.write(f"for {item} in {name}:")
            self.looped([], variables={item: each.dtype})

    def guarded(self) -> None:
        """A `while` that ends."""
        name = self.array()
        guard = self.fresh(self.arrays[name].sizes[0])
        self.write(f"{guard} = 0")
        tests = [f"{guard} < {self.length(name, 0)}"]
        self.indices.append(guard)
        if self.chance(0.8):
            tests.append(self.condition(0))
        self.write(f"while {' and '.join(tests)}:")
        with self.nested():
            before, self.loops = self.loops, 0
            self.statements(self.rng.randint(1, 3))
            self.write(f"{guard} += {self.rng.choice('112')}")
            self.loops = before
        self.indices.remove(guard)

    def leave(self) -> None:
        self.write(f"if {self.condition()}:")
        self.write(f"    {self.rng.choice(['break', 'continue'])}")

    # The module ---------------------------------------------------------------------------------

    def module(self) -> str:
        rng = self.rng
        parameters: dict[str, Array] = {}
        for name in ("x", "y", "z")[: rng.choice([1, 2, 2, 3])]:
            sizes = rng.choice([("n",), ("n",), ("n",), ("m",), ("n", "m"), ("n", "m"), ("n", "n")])
            parameters[name] = Array(rng.choice(DTYPES), sizes)
        self.arrays |= parameters
        if self.chance(0.4):
            self.created()
        for _ in range(rng.randint(1, 2)):
            self.named()
        self.loop()
        self.statements(rng.randint(0, 2))
        self.write(f"return {', '.join(self.returned())}")
        shown = [f"{name}: np.ndarray" if self.chance(0.6) else name for name in parameters]
        numbers = ["k: int", "s: float"] if self.chance(0.6) else ["k", "s"]
        head = f"def program({', '.join([*shown, *numbers])}):"
        cases = [self.case(number, parameters) for number in range(len(SIZES))]
        return "\n".join([HEADER, head, *self.lines, "", *cases])

    def created(self) -> None:
        """An array of the function's own."""
        name, like = self.fresh("a"), self.array()
        each = self.arrays[like]
        sizes = [self.length(like, axis) for axis in range(len(each.sizes))]
        shape = f"({', '.join(sizes)})" if len(sizes) > 1 else sizes[0]
        own = each.sizes
        text, dtype, sizes_of = self.rng.choice([
            ("np.zeros(k + 2)", "float64", ("p",)),
            (f"np.arange({sizes[0]})", "int64", own[:1]),
            (f"np.zeros({shape})", "float64", own),
            (f"np.ones({shape})", "float64", own),
            (f"np.full({shape}, 2)", "int64", own),
            (f"np.zeros({shape}, np.int64)", "int64", own),
            (f"np.zeros({shape}, np.float32)", "float32", own),
            (f"np.zeros({shape}, dtype=np.uint8)", "uint8", own),
            (f"np.zeros_like({like})", each.dtype, own),
            (f"{like}.copy()", each.dtype, own),
        ])  # fmt: skip
        self.write(f"{name} = {text}")
        self.arrays[name] = Array(dtype, sizes_of)

    def returned(self) -> list[str]:
        own = [name for name in self.arrays if name[0] == "a"]  # what is stored there is read
        if self.is_tidy:
            return [*own, *self.variables]
        known = [*self.variables, *self.variables, *self.arrays, self.element()]
        return [*own, *self.rng.sample(known, min(len(known), self.rng.choice([1, 1, 2, 3])))]

    def case(self, number: int, parameters: dict[str, Array]) -> str:
        """Fresh arguments; some in the third case share memory, run backwards or are read-only."""
        rng = self.rng
        n, m = SIZES[number] if number != 3 else rng.choice(EMPTY if self.is_tidy else SMALL)
        strange = rng.choice(["", "shared", "backwards", "read-only"]) if number == 2 else ""
        lines = [f"def case_{number}():"]
        is_special = self.chance(0.3)
        for name, array in parameters.items():
            shape = tuple({"n": n, "m": m}[size] for size in array.sizes)
            given = (rng.randrange(1000), shape, array.dtype, is_special)
            lines.append(f"    {name} = numbers{given!r}")
            if strange == "backwards" and self.chance(0.6):
                lines.append(f"    {name} = {name}[::-1]")
            if strange == "read-only" and self.chance(0.6):
                lines.append(f"    {name}.flags.writeable = False")
        first, *others = parameters
        for other in others if strange == "shared" else ():
            if parameters[first] == parameters[other]:
                lines.append(f"    {other} = {rng.choice([first, f'{first}[::-1]'])}")
        k, s = rng.choice([0, 1, 2, 3, -1, 5]), rng.choice([0.5, -1.0, 2.0, 0.0])
        lines.append(f"    return ({', '.join([*parameters, str(k), str(s)])})\n")
        return "\n".join(lines)
