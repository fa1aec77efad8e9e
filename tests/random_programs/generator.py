"""Random well-typed script functions as Python source text.

`random_source(seed)` is a module: imports, helpers, `program(...)`, and `case_0() ...` that make fresh arguments
for a call each. Every program ends: `for` walks something finite, `while` counts down a variable that nothing
else writes. Only names that are assigned on every path are read.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from .expressions import (
    DICT,
    FLOATS,
    INTS,
    OPTIONAL,
    PAIR,
    ROW,
    SCALARS,
    TENSORS,
    TWINS,
    Array,
    Expressions,
    Flags,
    Helper,
    Type,
)

HEADER = "import math\n\nimport numpy as np\n\nimport jitlang as jl\nfrom jitlang import Tensor\n\n"
STEMS = {
    "int": "n", "float": "x", "bool": "c", "str": "s", OPTIONAL: "o", PAIR: "p", TWINS: "u", INTS: "ns",
    FLOATS: "xs", TENSORS: "ts", DICT: "d",
}  # fmt: skip
TENSOR_TYPES = [
    ROW, ROW, Array("float32", (2, 3)), Array("float32", (2, 3)), Array("float64", (3,)),
    Array("int64", (3,)), Array("int32", (2, 3)), Array("int64", (2, 3)), Array("float32", ()),
]  # fmt: skip
ARRAY_TYPES = [
    Array("float64", (3,), True), Array("float64", (2, 3), True), Array("int64", (3,), True),
    Array("float32", (2, 3), True),
]  # fmt: skip
MAX_DEPTH = 3
CASES = 3


def stem(type_: Type) -> str:
    return ("a" if type_.raw else "t") if isinstance(type_, Array) else STEMS[type_]


def annotation(type_: Type) -> str:
    return type_.annotation if isinstance(type_, Array) else type_


class Body:
    """Grows the body of one function."""

    def __init__(self, make: Expressions, returned: list[str], size: int) -> None:
        self.make = make
        self.rng = make.rng
        self.flags = make.flags
        self.returned = returned
        self.lines: list[str] = []
        self.indent = 1
        self.loops = 0
        self.size = size
        self.can_continue: list[bool] = []
        self.summed: set[str] = set()
        self.returns_early = False

    def write(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    # Names --------------------------------------------------------------------------------------

    def writable(self, type_: Type) -> str | None:
        """A variable that may be assigned."""
        found = [name for name in self.make.variables(type_) if name not in self.make.fixed]
        return self.rng.choice(found) if found else None

    def new(self, type_: Type) -> str:
        name = self.make.fresh(stem(type_))
        self.make.scope[name] = type_
        return name

    def types(self) -> list[Type]:
        """Types that this program uses, the frequent ones several times."""
        found: list[Type] = ["int", "int", "int", "float", "float", "bool", "str", TWINS, PAIR]
        if self.flags.lists:
            found += [INTS, INTS, FLOATS, DICT]
        if self.flags.tensors:
            found += self.rng.sample(TENSOR_TYPES, 3)
            if self.flags.lists:
                found.append(TENSORS)
        if self.flags.raw:
            found += self.rng.sample(ARRAY_TYPES, 2)
        return found

    # Blocks -------------------------------------------------------------------------------------

    def block(self, count: int) -> None:
        """Some statements one level deeper; what they define is not seen after them."""
        outside = dict(self.make.scope)
        self.indent += 1
        start = len(self.lines)
        self.statements(count)
        if len(self.lines) == start:
            self.write("pass")
        self.indent -= 1
        self.make.scope.clear()
        self.make.scope.update(outside)

    def statements(self, count: int) -> None:
        for _ in range(count):
            if self.statement():
                return

    def statement(self) -> bool:
        """Write a statement; whether control cannot go on after it."""
        choices: list[tuple[float, Callable[[], bool | None]]] = [
            (6, self.assign), (3, self.augment), (2, self.swap), (1, self.twins),
        ]  # fmt: skip
        if self.indent < MAX_DEPTH + 1:
            choices += [(4, self.branch), (1, self.negated), (1, self.same_test)]
            if self.loops < 2:
                choices += [(3, self.for_loop), (1.5, self.while_loop)]
        if self.flags.lists:
            choices += [(4, self.mutate), (1, self.alias)]
        if self.flags.lists or self.flags.in_place:
            choices.append((3, self.observe))
        if self.flags.in_place:
            choices += [(5, self.write_array), (2, self.view)]
        if self.flags.prints:
            choices.append((1.5, self.show))
        if self.flags.raises:
            choices.append((0.7, self.check))
        if self.flags.optional:
            choices += [(1.5, self.refine), (1, self.refine_by_jump)]
        if self.flags.jumps and self.indent > 1:
            choices.append((1.0 if self.loops else 0.5, self.jump))
        weights = [weight for weight, _ in choices]
        return bool(self.rng.choices(choices, weights)[0][1]())

    # Assignment ---------------------------------------------------------------------------------

    def assign(self) -> None:
        type_ = self.rng.choice(self.types() + list(self.make.scope.values()))
        name = self.writable(type_) if self.make.chance(0.65) else None
        text = self.bounded(type_, self.make.of(type_, self.rng.choice([1, 2, 2, 3])))
        self.write(f"{name or self.new(type_)} = {text}")

    def bounded(self, type_: Type, text: str) -> str:
        """Keep ints small where they would grow with every trip."""
        grows = type_ == "int" and self.loops and self.make.chance(0.7)
        return f"{text} % {self.rng.choice(['97', '1000', '-13'])}" if grows else text

    def augment(self) -> None:
        type_ = self.rng.choice(["int", "int", "float", "str"])
        name = self.writable(type_)
        if name is None:
            return
        operator = {"int": "+ - * // % & |", "float": "+ - * /", "str": "+"}[type_]
        chosen = self.rng.choice(operator.split())
        if chosen in ("//", "%", "/"):
            value = self.make._divisor(type_)
        else:
            value = self.make.of(type_, 0 if self.loops and chosen == "*" or type_ == "str" else 1)
        self.write(f"{name} {chosen}= {value}")

    def swap(self) -> None:
        """Several names at once, each from the others."""
        type_ = self.rng.choice(["int", "int", "float", "str", INTS, *map(_shape_of, self.make.scope.values())])
        found = [name for name in self.make.variables(type_) if name not in self.make.fixed]
        if len(found) < 2:
            return
        names = self.rng.sample(found, min(len(found), self.rng.choice([2, 2, 3])))
        turned = names[1:] + names[:1]
        if type_ in ("int", "float") and self.make.chance(0.5):
            turned[-1] = self.bounded(type_, f"({turned[-1]} + {names[1]})")
        self.write(f"{', '.join(names)} = {', '.join(turned)}")

    def twins(self) -> None:
        """A pair taken apart and put together again."""
        pair = self.writable(TWINS)
        if pair is None:
            return
        first, second = self.new("int"), self.new("int")
        self.write(f"{first}, {second} = {pair}")
        if self.make.chance(0.6):
            order = (first, second) if self.make.chance(0.4) else (second, first)
            self.write(f"{pair} = ({order[0]}, {order[1]})")

    # Control flow -------------------------------------------------------------------------------

    def branch(self) -> None:
        joined = self.rng.choice(self.types()) if self.make.chance(0.4) else None
        name = self.make.fresh(stem(joined)) if joined is not None else ""
        self.write(f"if {self.make.of('bool', 2)}:")
        self.arm(joined, name)
        if joined is None and self.make.chance(0.35):
            return
        if self.make.chance(0.25):
            self.write(f"elif {self.make.of('bool', 1)}:")
            self.arm(joined, name)
        self.write("else:")
        self.arm(joined, name)
        if joined is not None:
            self.make.scope[name] = joined

    def arm(self, joined: Type | None, name: str) -> None:
        """A branch, which gives a name that all branches give."""
        if joined is None:
            self.block(self.rng.randint(1, 3))
            return
        self.indent += 1
        outside = dict(self.make.scope)
        for _ in range(self.rng.randint(0, 2)):
            self.rng.choice([self.assign, self.augment, self.swap])()
        self.write(f"{name} = {self.make.of(joined, 2)}")
        self.indent -= 1
        self.make.scope.clear()
        self.make.scope.update(outside)

    def negated(self) -> None:
        self.write(f"if not {self.make.of('bool', 1)}:")
        self.block(self.rng.randint(1, 2))
        self.write("else:")
        self.block(self.rng.randint(1, 2))

    def same_test(self) -> None:
        """A test inside a branch of the same test, perhaps with a loop between."""
        test = self.make.variable("bool")
        if test is None:
            return
        self.make.fixed.add(test)
        self.write(f"if {test}:")
        self.indent += 1
        loop = self.make.chance(0.5) and self.loops < 2
        if loop:
            trips = self.make.trips()
            name = self.new("int")
            self.write(f"for {name} in range({trips}):")
            self.indent += 1
            self.loops += 1
        self.write(f"if {test}:")
        self.block(1)
        self.write("else:")
        self.block(1)
        if loop:
            self.indent -= 1
            self.loops -= 1
            del self.make.scope[name]
        self.indent -= 1
        if self.make.chance(0.5):
            self.write("else:")
            self.block(1)
        self.make.fixed.discard(test)

    def for_loop(self) -> None:
        outside = dict(self.make.scope)
        fixed = set(self.make.fixed)
        self.write(f"for {self.header()}:")
        self.body(self.rng.randint(1, 4), can_continue=True)
        self.make.scope.clear()
        self.make.scope.update(outside)
        self.make.fixed = fixed
        if self.flags.jumps and self.make.chance(0.3):
            self.write("else:")
            self.block(self.rng.randint(1, 2))

    def header(self) -> str:
        """`target in iterable`, its names defined."""
        ways = [self._over_range] * 4
        if self.make.variable(INTS):
            ways += [self._over_list, self._over_enumerate, self._over_zip, self._over_growing]
        tensors = [n for n, t in self.make.scope.items() if isinstance(t, Array) and t.shape == (2, 3) and not t.raw]
        if tensors or self.make.variable(TENSORS):
            ways.append(self._over_tensors)
        return self.rng.choice(ways)()

    def _over_range(self) -> str:
        if self.make.chance(0.5):
            trips = self.make.trips()
            return f"{self.new('int')} in range({trips})"
        start: int | str = self.rng.randint(-3, 3)
        stop: int | str = self.rng.randint(-3, 6)
        if self.make.chance(0.5) and (variable := self.make.variable("int")):
            start, stop = (f"abs({variable}) % 5", stop) if self.make.chance(0.5) else (start, f"{variable} % 7")
        step = self.rng.choice(["", ", 1", ", 2", ", 3", ", -1", ", -2"])
        return f"{self.new('int')} in range({start}, {stop}{step})"

    def _over_list(self) -> str:
        held = self.make.variable(INTS)
        return f"{self.new('int')} in {held}[:4]"

    def _over_growing(self) -> str:
        """A list that the body may change while it is walked; `body` sees to it that this ends."""
        held = self.make.variable(INTS)
        assert held is not None
        self.growing = held
        return f"{self.new('int')} in {held}"

    def _over_enumerate(self) -> str:
        held = self.make.variable(INTS)
        start = self.rng.choice(["", ", 1", ", 5"])
        return f"{self.new('int')}, {self.new('int')} in enumerate({held}[:4]{start})"

    def _over_zip(self) -> str:
        first, second = self.make.variable(INTS), self.make.variable(INTS)
        return f"{self.new('int')}, {self.new('int')} in zip({first}[:4], {second})"

    def _over_tensors(self) -> str:
        if self.make.variable(TENSORS) and self.make.chance(0.5):
            held = self.make.variable(TENSORS)
            return f"{self.new(ROW)} in {held}[:3]"
        tensors = [(n, t) for n, t in self.make.scope.items() if isinstance(t, Array) and t.shape == (2, 3) and not t.raw]
        if not tensors:
            return self._over_range()
        name, type_ = self.rng.choice(tensors)
        return f"{self.new(replace(type_, shape=(3,)))} in {name}"

    growing: str | None = None

    def body(self, count: int, *, can_continue: bool) -> None:
        self.loops += 1
        self.can_continue.append(can_continue)
        if self.growing is not None:
            held, self.growing = self.growing, None
            self.make.fixed.add(held)
            self.indent += 1
            bound = self.rng.choice(["5", "7"])
            self.write(f"if len({held}) >= {bound}:")
            self.write("    break")
            if self.make.chance(0.6):
                value = self.bounded("int", self.make.of("int", 1))
                self.write(f"{held}.append({value})")
            self.indent -= 1
        self.block(count)
        self.can_continue.pop()
        self.loops -= 1

    def while_loop(self) -> None:
        counter = self.make.fresh("k")
        self.write(f"{counter} = {self.rng.choice(['0', '1', '2', '3', '4'])}")
        self.make.scope[counter] = "int"
        self.make.fixed.add(counter)
        up = self.make.chance(0.4)
        if up:
            limit = self.rng.choice(["3", "4", "5"])
            test = f"{counter} < {limit}"
        else:
            test = f"{counter} > 0"
        if self.make.chance(0.4):
            test += f" and {self.make.of('bool', 1)}"
        self.write(f"while {test}:")
        step = f"{counter} {'+' if up else '-'}= 1"
        first = self.make.chance(0.5)
        self.indent += 1
        if first:
            self.write(step)
        self.indent -= 1
        self.body(self.rng.randint(1, 3), can_continue=first)
        if not first:
            self.indent += 1
            self.write(step)
            self.indent -= 1
        self.make.fixed.discard(counter)
        if self.flags.jumps and self.make.chance(0.2):
            self.write("else:")
            self.block(1)

    def jump(self) -> bool:
        """A jump, mostly under a test."""
        jumps = []
        if self.loops:
            jumps += ["break", "break"]
            if self.can_continue and self.can_continue[-1]:
                jumps.append("continue")
        if self.returned and self.flags.returns:
            jumps.append("return")
        if not jumps:
            return False
        jump = self.rng.choice(jumps)
        if self.loops or self.make.chance(0.7):
            self.write(f"if {self.make.of('bool', 1)}:")
            self.indent += 1
            self.write(self.result() if jump == "return" else jump)
            self.indent -= 1
            return False
        self.write(self.result() if jump == "return" else jump)
        return True

    def last_result(self) -> str:
        """The `return` at the end, of whatever is there unless an earlier one has settled the types."""
        if not self.returns_early:
            known = [name for name in self.make.scope if name not in self.make.fixed]
            more = self.rng.sample(known, min(len(known), self.rng.randint(4, 12)))
            self.returned = list(dict.fromkeys([*self.returned, *more]))
            self.summed |= {name for name in more if self.make.chance(0.4)}
        return self.result()

    def result(self) -> str:
        """The `return` statement."""
        self.returns_early = True
        parts = []
        for name in self.returned:
            type_ = self.make.scope[name]
            if type_ == OPTIONAL:
                parts.append(f"(-99 if {name} is None else {name})")
            elif name in self.summed and type_ in (INTS, DICT, TENSORS):
                parts.append(f"len({name})")
            elif name in self.summed and type_ == FLOATS:
                parts.append(f"float(sum({name}))")
            elif name in self.summed and isinstance(type_, Array):
                parts.append(f"float({name}.sum())")
            elif type_ in SCALARS and self.make.chance(0.2):
                parts.append(self.make.of(type_, 1))
            else:
                parts.append(name)
        return f"return {', '.join(parts)}"

    # Optionals ----------------------------------------------------------------------------------

    def refine(self) -> None:
        maybe = self.make.variable(OPTIONAL)
        if maybe is None:
            return
        positive = self.make.chance(0.6)
        self.write(f"if {maybe} is {'not ' if positive else ''}None:")
        for here in (positive, not positive):
            if here:
                target = self.writable("int") or self.make.fresh("n")
                self.indent += 1
                self.write(f"{target} = ({maybe} + {self.make.of('int', 1)}) % 1000")
                self.indent -= 1
            self.block(1)
            if here is positive:
                self.write("else:")

    def refine_by_jump(self) -> None:
        maybe = self.writable(OPTIONAL)
        if maybe is None:
            return
        self.write(f"if {maybe} is None:")
        self.indent += 1
        self.write(f"{maybe} = {self.make.of('int', 1)}")
        self.indent -= 1

    # Lists and dicts ----------------------------------------------------------------------------

    def mutate(self) -> None:
        """Change a list or dict where it is."""
        type_ = self.rng.choice([INTS, INTS, INTS, FLOATS, DICT, TENSORS])
        held = self.make.variable(type_)
        if held is None or held in self.make.fixed and type_ == INTS:
            return
        if type_ == DICT:
            key = self.rng.choice(["'a'", "'bc'", self.make.of("str", 0)])
            self.write(f"{held}[{key}] = {self.bounded('int', self.make.of('int', 1))}")
            return
        element = {INTS: "int", FLOATS: "float", TENSORS: ROW}[type_]
        value = self.make.of(element, 1)
        if element == "int":
            value = self.bounded("int", value)
        ways = [f"{held}.append({value})"] * 4
        ways += [f"{held}.insert({self.rng.choice(['0', '1', '-1'])}, {value})"]
        if element != ROW:
            name = self.make.fresh(stem(element))
            ways += [f"{held}[0] = {value}" if self.flags.raises else f"{held}.append({value})"]
            pop = f"{name} = {held}.pop() if {held} else {self.make.constant(element)}"
            others = [v for v in self.make.variables(type_) if v != held]
            ways += [f"{held}.reverse()"]
            if others and not self.loops:
                ways += [f"{held}.extend({self.rng.choice(others)})", f"{held} += {self.rng.choice(others)}"]
            if self.make.chance(0.25):
                self.write(pop)
                self.make.scope[name] = element
                return
        self.write(self.rng.choice(ways))

    def alias(self) -> None:
        """A second name for a list."""
        type_ = self.rng.choice([INTS, FLOATS, TENSORS, DICT])
        held = self.make.variable(type_)
        if held is not None:
            other = self.writable(type_) if self.make.chance(0.4) else None
            self.write(f"{other or self.new(type_)} = {held}")

    # Arrays -------------------------------------------------------------------------------------

    def arrays(self) -> list[str]:
        return [name for name, type_ in self.make.scope.items() if isinstance(type_, Array)]

    def write_array(self) -> None:
        """Write into a tensor or array."""
        found = self.arrays()
        if not found:
            return
        name = self.rng.choice(found)
        type_ = self.make.scope[name]
        operators = ["+", "-", "*", "/"] if type_.is_float else ["+", "-"]
        operator = self.rng.choice(operators)
        value = self.make.operand(type_, 1)
        scalar = self.make.constant("float") if type_.is_float else self.rng.choice(["2", "-1"])
        index = self.rng.choice(["0", "1", "-1"])
        ways = [f"{name} {operator}= {value}"] * 3
        if type_.shape:
            ways += [f"{name}[{index}] = {scalar}", f"{name}[{index}] += {scalar}", f"{name}[1:] {operator}= {scalar}"]
        if len(type_.shape) == 2:
            row = self.make.of(replace(type_, shape=(3,)), 1)
            ways += [f"{name}[{index}] = {row}", f"{name}[{index}] {operator}= {row}", f"{name}[:, 1] = {scalar}"]
        if not type_.raw:
            ways += [f"{name}.add_({value})", f"{name}.mul_({scalar})", f"{name}.zero_()"]
        self.write(self.rng.choice(ways))

    def view(self) -> None:
        """A view, which may be written later."""
        found = [n for n in self.arrays() if self.make.scope[n].shape and not (
            self.make.scope[n].raw and len(self.make.scope[n].shape) == 1)]
        if not found:
            return
        name = self.rng.choice(found)
        type_ = self.make.scope[name]
        seen = replace(type_, shape=type_.shape[1:])
        target = self.writable(seen) if self.make.chance(0.3) else None
        self.write(f"{target or self.new(seen)} = {name}[{self.rng.choice(['0', '1', '-1'])}]")

    # Aliasing -----------------------------------------------------------------------------------

    def observe(self) -> None:
        """Read something mutable, write it under another name, read it again, and keep what was read."""
        type_ = self.rng.choice([t for t in [INTS, INTS, ROW, *self.types()] if self._is_mutable(t)])
        subject = self.make.variable(type_)
        seen = None
        if subject is None or self.make.chance(0.4):
            text = self.make.of(type_, 1)
            if isinstance(type_, Array):
                text = f"({text}) + 1"
            elif text == self.make.variable(type_) or not text.startswith("["):
                text = f"[*{text}]" if type_ == INTS else self.make.constant(type_)
            subject = self.new(type_)
            self.write(f"{subject} = {text}")
            if self.make.chance(0.3):
                twin = self.new(type_)
                self.write(f"{twin} = {text}")
                seen, subject = self.rng.sample([subject, twin], 2)
        if subject in self.make.fixed:
            return
        read = self._read(seen or subject, type_)
        before, after = self.make.fresh(stem("float")), self.make.fresh(stem("float"))
        if self.make.chance(0.7):
            self.write(f"{before} = {read}")
            self.make.scope[before] = "float"
            if self.make.chance(0.3):
                self.write(f"print({before})")
        name = self._other_name(subject, type_)
        self.write(self._written(name, type_))
        if self.make.chance(0.85):
            self.write(f"{after} = {read}")
            self.make.scope[after] = "float"
            if self.make.chance(0.4):
                self.write(f"print({after})")

    def _is_mutable(self, type_: Type) -> bool:
        if isinstance(type_, Array):
            return self.flags.in_place and bool(type_.shape) and type_.raw == self.flags.raw
        return self.flags.lists and type_ in (INTS, FLOATS)

    def _read(self, name: str, type_: Type) -> str:
        if isinstance(type_, Array):
            return f"float({name}.sum())"
        return self.rng.choice([f"float(len({name}))", f"float(sum({name}))", f"float({name}[0])"])

    def _written(self, name: str, type_: Type) -> str:
        """A write that `_read` sees."""
        value = self.rng.choice(["2", "3", "-1"])
        if isinstance(type_, Array):
            raw = [f"{name} += {value}", f"{name} *= {value}"]
            return self.rng.choice(raw if type_.raw else [*raw, f"{name}.add_({value})", f"{name}[0] = {value}"])
        number = value if type_ == INTS else f"{value}.0"
        return self.rng.choice([f"{name}.append({number})"] * 3 + [f"{name}.insert(0, {number})", f"{name}[0] = {number}"])

    def _other_name(self, subject: str, type_: Type) -> str:
        """Another expression for the same object, or one that shares its memory."""
        other = self.make.variable(type_)
        test = self.make.of("bool", 1)
        ways = ["itself", "same", "chosen", "branch", "loop", "tuple"]
        if not isinstance(type_, Array):
            return self._alias_by(self.rng.choice(ways), subject, other or subject, test, type_)
        if not type_.raw:
            ways += ["display", "display", "optional"]
        if len(type_.shape) == 2 or not type_.raw:
            ways += ["view", "view"]
        return self._alias_by(self.rng.choice(ways), subject, other or subject, test, type_)

    def _alias_by(self, way: str, subject: str, other: str, test: str, type_: Type) -> str:
        if way == "itself":
            return subject
        name = self.make.fresh(stem(type_))
        first, second = (subject, other) if self.make.chance(0.5) else (other, subject)
        match way:
            case "same":
                self.write(f"{name} = {subject}")
            case "chosen":
                self.write(f"{name} = {first} if {test} else {second}")
            case "branch":
                self.write(f"if {test}:")
                self.write(f"    {name} = {first}")
                self.write("else:")
                self.write(f"    {name} = {second}")
            case "loop":
                index = self.make.fresh("n")
                self.write(f"{name} = {first}")
                self.write(f"for {index} in range({self.rng.choice(['1', '2', self.make.trips()])}):")
                self.write(f"    {name} = {second}")
            case "tuple":
                self.write(f"{name}, {self.make.fresh('n')} = ({subject}, 1)")
            case "display":
                held = self.make.fresh("ts")
                self.write(f"{held} = [{first}, {second}]")
                return f"{held}[{self.rng.choice('01')}]"
            case "optional":
                self.write(f"{name} = {subject} if {test} else None")
                self.write(f"if {name} is None:")
                self.write(f"    {name} = {other}")
            case "view":
                self.write(f"{name} = {subject}[{self.rng.choice(['0', '1', '-1', '1:'])}]")
                return name
        if self.make.chance(0.5):
            self.make.scope[name] = type_
        return name

    # Effects ------------------------------------------------------------------------------------

    def show(self) -> None:
        values = [self.make.of(self.rng.choice(SCALARS), 1) for _ in range(self.rng.randint(1, 2))]
        if self.arrays() and self.make.chance(0.2):
            values.append(f"{self.rng.choice(self.arrays())}.sum()")
        self.write(f"print({', '.join(values)})")

    def check(self) -> None:
        test = f"{self.make.of('int', 1)} != {self.make.of('int', 0)}"
        if self.make.chance(0.5):
            self.write(f"assert {test}, 'no'")
            return
        error = self.rng.choice(["ValueError", "KeyError", "RuntimeError"])
        self.write(f"if not ({test}):")
        self.write(f"    raise {error}({self.make.of('str', 0)})")


def _shape_of(type_: Type) -> Type:
    return type_


# Whole programs -----------------------------------------------------------------------------------


class Writer:
    """Writes a module."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.flags = Flags.choose(self.rng)
        self.helpers: list[Helper] = []

    def module(self) -> str:
        parts = [HEADER]
        if self.flags.helpers:
            parts += [self.helper(number) for number in range(self.rng.randint(1, 2))]
        text, parameters = self.program()
        parts.append(text)
        parts += [self.case(number, parameters) for number in range(CASES)]
        return "\n".join(parts)

    def body(self, parameters: list[Type], returned: list[str], size: int) -> tuple[Body, list[str]]:
        make = Expressions(self.rng, self.flags, helpers=list(self.helpers))
        body = Body(make, returned, size)
        names = [body.new(type_) for type_ in parameters]
        return body, names

    def signature(self, name: str, names: list[str], types: list[Type]) -> str:
        annotated = self.rng.random() < 0.6
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
                    return pick(["2**31", "2**53 + 1", "-(2**53) - 1", "2**62", "2**63 - 1", "-(2**63)",
                                 str(self.rng.randint(2**53, 2**63 - 1)), str(-self.rng.randrange(2**58))])
                return pick(["0", "1", "2", "3", "4", "-1", "-3", "7", "-8", "12", "100"])
            case "float":
                if self.flags.special and self.rng.random() < 0.5:
                    return pick(["math.inf", "-math.inf", "math.nan", "math.nan", "-0.0", "-0.0", "0.0", "1e308", "5e-324", "2.0**53"])
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
                return f"[{', '.join(self.argument('int') for _ in range(self.rng.randint(1, 4)))}]"
            case "list[float]":
                return f"[{', '.join(self.argument('float') for _ in range(self.rng.randint(1, 3)))}]"
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


def random_source(seed: int) -> str:
    """The module that belongs to a seed."""
    return Writer(seed).module()
