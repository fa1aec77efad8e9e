"""Statements that write into lists, dicts, tensors and arrays, under one name or another."""

from dataclasses import replace

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
    Type,
)

STEMS = {
    "int": "n", "float": "x", "bool": "c", "str": "s", OPTIONAL: "o", PAIR: "p", TWINS: "u",
    INTS: "ns", FLOATS: "xs", TENSORS: "ts", DICT: "d",
}  # fmt: skip
TENSOR_TYPES = [
    ROW, ROW, Array("float32", (2, 3)), Array("float32", (2, 3)), Array("float64", (3,)),
    Array("int64", (3,)), Array("int32", (2, 3)), Array("int64", (2, 3)), Array("float32", ()),
]  # fmt: skip
ARRAY_TYPES = [
    Array("float64", (3,), True), Array("float64", (2, 3), True), Array("int64", (3,), True),
    Array("float32", (2, 3), True),
]  # fmt: skip


def stem(type_: Type) -> str:
    return ("a" if type_.raw else "t") if isinstance(type_, Array) else STEMS[type_]


def annotation(type_: Type) -> str:
    return type_.annotation if isinstance(type_, Array) else type_


class Writes:
    """The body of one function, growing: its lines, its names, and writes to mutable objects."""

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

    def bounded(self, type_: Type, text: str) -> str:
        """Keep ints small where they would grow with every trip."""
        grows = type_ == "int" and self.loops and self.make.chance(0.7)
        return f"{text} % {self.rng.choice(['97', '1000', '-13'])}" if grows else text

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
                ways += [
                    f"{held}.extend({self.rng.choice(others)})",
                    f"{held} += {self.rng.choice(others)}",
                ]
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
            ways += [
                f"{name}[{index}] = {scalar}",
                f"{name}[{index}] += {scalar}",
                f"{name}[1:] {operator}= {scalar}",
            ]
        if len(type_.shape) == 2:
            row = self.make.of(replace(type_, shape=(3,)), 1)
            ways += [
                f"{name}[{index}] = {row}",
                f"{name}[{index}] {operator}= {row}",
                f"{name}[:, 1] = {scalar}",
            ]
        if not type_.raw:
            ways += [f"{name}.add_({value})", f"{name}.mul_({scalar})", f"{name}.zero_()"]
        self.write(self.rng.choice(ways))

    def view(self) -> None:
        """A view, which may be written later."""
        found = [
            n
            for n in self.arrays()
            if self.make.scope[n].shape
            and not (self.make.scope[n].raw and len(self.make.scope[n].shape) == 1)
        ]
        if not found:
            return
        name = self.rng.choice(found)
        type_ = self.make.scope[name]
        seen = replace(type_, shape=type_.shape[1:])
        target = self.writable(seen) if self.make.chance(0.3) else None
        self.write(f"{target or self.new(seen)} = {name}[{self.rng.choice(['0', '1', '-1'])}]")

    # Aliasing -----------------------------------------------------------------------------------

    def observe(self) -> None:
        """Read something mutable, write it under another name, read it again."""
        type_ = self.rng.choice(
            [t for t in [INTS, INTS, ROW, *self.types()] if self._is_mutable(t)]
        )
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
            if self.make.chance(0.5):
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
            return self.rng.choice(
                raw if type_.raw else [*raw, f"{name}.add_({value})", f"{name}[0] = {value}"]
            )
        number = value if type_ == INTS else f"{value}.0"
        return self.rng.choice(
            [f"{name}.append({number})"] * 3
            + [f"{name}.insert(0, {number})", f"{name}[0] = {number}"]
        )

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
                self.write(
                    f"for {index} in range({self.rng.choice(['1', '2', self.make.trips()])}):"
                )
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
                index = self.rng.choice(["0", "1", "-1", "1:"])
                # An element has no elements; that error belongs to an array row, which may go.
                self.write(f"{name} = {subject}[{index if len(type_.shape) > 1 else '1:'}]")
                return name
        if self.make.chance(0.5):
            self.make.scope[name] = type_
        return name
