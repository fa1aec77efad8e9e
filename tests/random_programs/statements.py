"""Statements: assignments, branches, loops and jumps.

Every loop ends; every name that is read is assigned on every path.
"""

from collections.abc import Callable
from dataclasses import replace

from .expressions import (
    DICT,
    FLOATS,
    INTS,
    OPTIONAL,
    ROW,
    SCALARS,
    TENSORS,
    TWINS,
    Array,
    Type,
)
from .writes import Writes, stem

MAX_DEPTH = 3


class Body(Writes):
    """Grows the body of one function."""

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
                choices += [(3, self.for_loop), (1.5, self.while_loop), (0.7, self.search)]
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
        type_ = self.rng.choice(["int", "int", "float", "str", INTS, *self.make.scope.values()])
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

    def search(self) -> None:
        """A loop that may end by a break and by a return."""
        if not (self.flags.jumps and self.flags.returns and self.returned):
            self.for_loop()
            return
        outside = dict(self.make.scope)
        self.write(f"for {self._over_range()}:")
        ends = ["break", self.result()]
        self.rng.shuffle(ends)
        self.indent += 1
        for end in ends:
            self.rng.choice([self.assign, self.augment, self.swap])()
            self.write(f"if {self.make.of('bool', 1)}:")
            self.write(f"    {end}")
        self.assign()
        self.indent -= 1
        self.make.scope.clear()
        self.make.scope.update(outside)

    def header(self) -> str:
        """`target in iterable`, its names defined."""
        ways = [self._over_range] * 4
        if self.make.variable(INTS):
            ways += [
                self._over_list,
                self._over_enumerate,
                self._over_zip,
                self._over_growing,
                self._over_growing,
            ]
        tensors = [
            n
            for n, t in self.make.scope.items()
            if isinstance(t, Array) and t.shape == (2, 3) and not t.raw
        ]
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
            start, stop = (
                (f"abs({variable}) % 5", stop)
                if self.make.chance(0.5)
                else (start, f"{variable} % 7")
            )
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
        tensors = [
            (n, t)
            for n, t in self.make.scope.items()
            if isinstance(t, Array) and t.shape == (2, 3) and not t.raw
        ]
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
        """The `return` at the end, of all sorts unless an earlier one has settled the types."""
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
