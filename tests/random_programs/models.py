"""Random functions of tensors: loops, views, lists, writes and products, as models have them.

The other programs are of all sorts of objects, so that few of them have a native form as a whole.
These are short, and most have. Shapes are known while a program is written, so that no operation is
refused for its shapes.
"""

import random
from collections.abc import Callable
from math import prod

Shape = tuple[int, ...]

HEADER = "import math\n\nimport numpy as np\n\nimport jitlang as jl\nfrom jitlang import Tensor\n\n"
CASES = 3
SIZES = (1, 2, 3, 4)
UNARY = ("tanh", "sigmoid", "relu", "cos", "sin", "abs", "neg", "sign", "atan")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
LISTS = (
    ("v = [{first}]", "v.append({second})"),
    ("v: list[int] = []", "v.append({first})", "v.append({second})"),
    ("v: list[int] = []", "for i in range(2):", "    v.append({first} if i == 0 else {second})"),
    ("v = [{second}, 7]", "v[1] = {second}", "v[0] = {first}"),
    ("v = [{second}, {first}]", "v.reverse()"),
    ("v = [{first}, 5, {second}]", "del v[1]"),
    ("v = [{first}]", "w = v", "w += [{second}]"),
    ("v = [{first}, {second}]",),
)
"""Ways to come by a list of two numbers, which is `v`."""


class Model:
    """Grows one function."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"model {seed}")
        self.lines: list[str] = []
        self.indent = 1
        self.count = 0
        self.depth = 0
        self.tensors: dict[str, Shape] = {}
        self.numbers: dict[str, str] = {"n": "int", "s": "float"}
        self.writes = self.rng.random() < 0.5

    # Writing ------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def define(self, text: str, shape: Shape, name: str | None = None) -> str:
        """A tensor of this shape, under a new name or one of its shape."""
        if name is None:
            name = self.rng.choice([*self.like(shape), self.fresh("t"), self.fresh("t")])
        self.write(f"{name} = {text}")
        self.tensors[name] = shape
        return name

    def like(self, shape: Shape) -> list[str]:
        return [name for name, each in self.tensors.items() if each == shape]

    def any(self, rank: int | None = None, least: int = 0) -> tuple[str, Shape]:
        """A tensor in scope, of a rank or of at least one."""
        found = [
            (name, shape) for name, shape in self.tensors.items()
            if len(shape) >= least and rank in (None, len(shape))
        ]  # fmt: skip
        if found:
            return self.rng.choice(found)
        wanted = rank if rank is not None else max(least, 1)
        shape = tuple(self.rng.choice(SIZES) for _ in range(wanted))
        sizes = ", ".join(map(str, shape))
        return self.define(f"jl.arange({prod(shape)}).float().reshape([{sizes}]) * 0.25", shape,
                           self.fresh("t")), shape  # fmt: skip

    def scalar(self) -> str:
        names = [name for name, kind in self.numbers.items() if kind == "float"]
        return self.rng.choice(["0.5", "2", "-1.5", "s", *names])

    def condition(self) -> str:
        operator = self.rng.choice(COMPARISONS)
        if self.rng.random() < 0.4:
            return f"n {operator} {self.rng.choice('0123')}"
        if self.rng.random() < 0.5:
            return f"{self.scalar()} {operator} {self.scalar()}"
        return f"float({self.any()[0]}.sum()) {operator} {self.scalar()}"

    # Statements ---------------------------------------------------------------------------------

    def statements(self, count: int) -> None:
        for _ in range(count):
            ways: list[tuple[int, Callable[[], None]]] = [
                (5, self.pointwise), (3, self.view), (3, self.reduction), (2, self.product),
                (2, self.joined), (2, self.indexed), (2, self.number), (3, self.through_list),
                (1, self.parts), (1, self.row),
            ]  # fmt: skip
            if self.depth < 2:
                ways += [(2, self.branch), (3, self.loop), (1, self.search), (2, self.sequence)]
            if self.writes:
                ways += [(4, self.changed)]
            self.rng.choices([way for _, way in ways], [weight for weight, _ in ways])[0]()

    def block(self, count: int, carried: str | None = None) -> None:
        """Some statements one level deeper; what they define is not seen after them."""
        tensors, numbers = dict(self.tensors), dict(self.numbers)
        self.indent, self.depth = self.indent + 1, self.depth + 1
        self.statements(count)
        if carried is not None:
            self.write(f"{carried} = {self.expression(tensors[carried])}")
        self.indent, self.depth = self.indent - 1, self.depth - 1
        self.tensors, self.numbers = tensors, numbers

    def expression(self, shape: Shape) -> str:
        """A pointwise expression of a shape."""
        found = self.like(shape)
        first = self.rng.choice(found) if found else self.spread(shape)
        match self.rng.randrange(6):
            case 0:
                return f"jl.{self.rng.choice(UNARY)}({first})"
            case 1:
                return f"{first} {self.rng.choice('+-*/')} {self.scalar()}"
            case 2:
                test = f"{first} {self.rng.choice(COMPARISONS)} {self.scalar()}"
                return f"jl.where({test}, {first}, {self.operand(shape)})"
            case 3:
                return f"{first}.clamp(-1.0, {self.rng.choice(['1.0', '2.5'])})"
            case _:
                return f"({first} {self.rng.choice('+-*')} {self.operand(shape)}).tanh()"

    def spread(self, shape: Shape) -> str:
        return f"jl.full([{', '.join(map(str, shape))}], {self.rng.choice(['1.0', '-0.5'])})"

    def operand(self, shape: Shape) -> str:
        """A tensor that broadcasts to a shape."""
        fitting = [
            name for name, each in self.tensors.items()
            if len(each) <= len(shape)
            and all(a in (1, b) for a, b in zip(each[::-1], shape[::-1], strict=False))
        ]  # fmt: skip
        return self.rng.choice(fitting) if fitting else self.spread(shape)

    def pointwise(self) -> None:
        _, shape = self.any()
        self.define(self.expression(shape), shape)

    def view(self) -> None:
        name, shape = self.any(least=1)
        axis = self.rng.randrange(len(shape))
        size = shape[axis]
        before, after = shape[:axis], shape[axis + 1 :]
        place = self.rng.choice([0, size - 1, -1, -size])
        start, end = sorted(self.rng.choices(range(size + 1), k=2))
        colons = ":, " * axis
        order = self.rng.sample(range(len(shape)), len(shape))
        ways = [
            (f"{name}.select({axis}, {place})", (*before, *after)),
            (f"{name}[{colons}{place}]", (*before, *after)),
            (f"{name}[{colons}{start}:{end}]", (*before, end - start, *after)),
            (f"{name}.narrow({axis}, {start}, {end - start})", (*before, end - start, *after)),
            (f"{name}.unsqueeze({axis})", (*before, 1, size, *after)),
            (f"{name}.permute({order})", tuple(shape[each] for each in order)),
            (f"{name}.flip([{axis}])", shape),
            (f"{name}.reshape([-1])", (prod(shape),)),
            (f"{name}[{colons}::2]", (*before, -(-size // 2), *after)),
        ]
        if len(shape) > 1:
            ways.append((f"{name}.transpose(0, -1)", (shape[-1], *shape[1:-1], shape[0])))
            ways.append((f"{name}.flatten(0, 1)", (shape[0] * shape[1], *shape[2:])))
        text, made = self.rng.choice([way for way in ways if 0 not in way[1]] or ways[-1:])
        if 0 not in made and len(made) <= 3:
            self.define(text, made)

    def reduction(self) -> None:
        name, shape = self.any(least=1)
        axis = self.rng.randrange(len(shape))
        rest = shape[:axis] + shape[axis + 1 :]
        how = self.rng.choice(["sum", "mean", "amax", "amin"])
        self.rng.choice([
            lambda: self.define(f"{name}.{how}({axis})", rest),
            lambda: self.define(f"{name}.{how}([{axis}], keepdim=True)",
                                (*shape[:axis], 1, *shape[axis + 1 :])),
            lambda: self.define(f"{name}.softmax({axis})", shape),
            lambda: self.define(f"{name}.cumsum({axis})", shape),
            lambda: self.define(f"{name}.sum()", ()),
            lambda: self.define(f"{name}.argmax({axis}).float()", rest),
            lambda: self.define(f"({name} - {name}.mean({axis}, keepdim=True)).sigmoid()", shape),
        ])()  # fmt: skip

    def product(self) -> None:
        name, (rows, inner) = self.any(rank=2)
        matches = [(n, each) for n, each in self.tensors.items() if each[:1] == (inner,)]
        matches = [(n, each) for n, each in matches if len(each) <= 2]
        if matches:
            other, each = self.rng.choice(matches)
            self.define(f"{name} @ {other}", (rows, *each[1:]))
        else:
            self.define(f"{name} @ {name}.t()", (rows, rows))

    def joined(self) -> None:
        name, shape = self.any(least=1)
        other = self.rng.choice(self.like(shape))
        if len(shape) < 3 and self.rng.random() < 0.5:
            self.define(f"jl.stack([{name}, {other}, {name} + 1], 0)", (3, *shape))
        else:
            self.define(f"jl.cat([{name}, {other}], 0)", (2 * shape[0], *shape[1:]))

    def indexed(self) -> None:
        name, shape = self.any(least=1)
        places = [self.rng.randrange(shape[0]) for _ in range(2)]
        made = (2, *shape[1:])
        self.rng.choice([
            lambda: self.define(f"{name}[jl.tensor({places})]", made),
            lambda: self.define(f"{name}.index_select(0, jl.tensor({places}))", made),
            lambda: self.define(f"{name}.masked_fill({name} > {self.scalar()}, 0.5)", shape),
            lambda: self.define(f"{name}[n % {shape[0]}]", shape[1:]),
        ])()  # fmt: skip

    def number(self) -> None:
        name, shape = self.any()
        made = self.fresh("x")
        if shape and self.rng.random() < 0.3:
            self.write(f"{made} = float({name}.reshape([-1])[{name}.argmax()])")
        else:
            self.write(f"{made} = float({name}.sum()) * 0.125 + {self.scalar()}")
        self.numbers[made] = "float"

    def through_list(self) -> None:
        """A list of two numbers, however it came to be, given to a row."""
        name, shape = self.any(rank=2)
        sizes = (shape[1], shape[0])
        reader, numbers, made = self.rng.choice([
            (f"{name}.permute(v)", (1, 0), sizes),
            (f"{name}.sum(v)", (0, 1), ()),
            (f"{name}.reshape(v)", sizes, sizes),
            ("jl.zeros(v) + 1", sizes, sizes),
            (f"{name}.flip(v)", (0, 1), shape),
            (f"{name}[jl.tensor(v)]", (0, shape[0] - 1), (2, shape[1])),
            (f"{name}.expand(v)", shape, shape),
            (f"{name} + float(v[0] - v[1])", (0, 1), shape),
            (f"{name} * jl.tensor(v).sum()", (2, 3), shape),
        ])  # fmt: skip
        first, second = numbers
        v, w, i = self.fresh("v"), self.fresh("w"), self.fresh("i")
        for line in self.rng.choice(LISTS):
            text = line.format(first=first, second=second)
            for old, new in (("v", v), ("w", w), ("i", i)):
                text = " ".join(_renamed(word, old, new) for word in text.split(" "))
            self.write(text)
        self.define(reader.replace("(v", f"({v}").replace("v[", f"{v}["), made)

    def parts(self) -> None:
        name, shape = self.any(least=1)
        if shape[0] % 2 or not shape[0]:
            return
        half = (shape[0] // 2, *shape[1:])
        first, second = self.fresh("t"), self.fresh("t")
        self.write(f"{first}, {second} = {name}.chunk(2)")
        self.tensors |= {first: half, second: half}

    def row(self) -> None:
        """A row of another row's choice."""
        name, shape = self.any(least=1)
        place = self.fresh("k")
        self.write(f"{place} = int({name}.reshape([-1]).argmax()) % {shape[0]}")
        self.define(f"{name}[{place}] * 2", shape[1:])

    # Control flow -------------------------------------------------------------------------------

    def branch(self) -> None:
        name, shape = self.any()
        self.write(f"if {self.condition()}:")
        self.block(self.rng.randint(1, 2), name)
        if self.rng.random() < 0.6:
            self.write("else:")
            self.block(self.rng.randint(0, 2), name)

    def loop(self) -> None:
        name, _ = self.any()
        trips = self.rng.choice(["2", "3", "n", "n % 3"])
        self.write(f"for {self.fresh('i')} in range({trips}):")
        self.block(self.rng.randint(1, 3), name)

    def search(self) -> None:
        """A loop that may end early."""
        name, _ = self.any()
        self.write(f"for {self.fresh('i')} in range(4):")
        self.block(self.rng.randint(0, 2), name)
        self.indent += 1
        self.write(f"if {self.condition()}:")
        self.write(f"    {self.rng.choice(['break', 'continue'])}")
        if self.rng.random() < 0.5:
            self.write(f"{name} = {self.expression(self.tensors[name])}")
        self.indent -= 1

    def sequence(self) -> None:
        """A loop over rows, whose results are stacked."""
        name, shape = self.any(least=1)
        outputs, step = self.fresh("ts"), self.fresh("t")
        if len(shape) > 2:
            return
        row = shape[1:]
        state = self.rng.choice([*self.like(row), ""])
        self.write(f"{outputs}: list[Tensor] = []")
        over = self.rng.random() < 0.5
        index = self.fresh("i")
        source = f"{step} in {name}.unbind(0)" if over else f"{index} in range({shape[0]})"
        self.write(f"for {source}:")
        read = step if over else f"{name}[{index}]"
        self.indent += 1
        if state:
            self.write(f"{state} = ({read} + {state}).tanh()")
            read = state
        self.write(f"{outputs}.append({read}{self.rng.choice(['', ' * 2', '.clone()'])})")
        self.indent -= 1
        end = self.rng.choice(["", "", f"{outputs}.reverse()"])
        if end:
            self.write(end)
        self.define(f"jl.stack({outputs})", (shape[0], *row))

    # Writes -------------------------------------------------------------------------------------

    def changed(self) -> None:
        name, shape = self.any()
        value = self.operand(shape)
        ways = [
            f"{name}.add_({value})", f"{name}.mul_({self.scalar()})", f"{name} += {value}",
            f"{name} *= {self.scalar()}", f"{name}.clamp_(-2.0, 2.0)", f"{name}.copy_({value})",
        ]  # fmt: skip
        if shape:
            place = self.rng.choice(["0", "-1", f"n % {shape[0]}"])
            ways += [
                f"{name}[{place}] = {self.scalar()}", f"{name}[{place}] += {self.scalar()}",
                f"{name}[{name} > 0.5] = 0.25", f"{name}[1:] *= {self.scalar()}",
                f"{name}[1:] = {name}[:-1]", f"{name}[0] = {name}[-1]",
            ]  # fmt: skip
        if len(shape) == 2:
            ways.append(f"{name}[:, {self.rng.choice(['0', '-1'])}] = {self.scalar()}")
        self.write(self.rng.choice(ways))

    # The module ---------------------------------------------------------------------------------

    def module(self) -> str:
        shapes = {
            name: tuple(self.rng.choice(SIZES) for _ in range(self.rng.choice([1, 2, 2, 3])))
            for name in ("x", "y")
        }
        self.tensors |= shapes
        self.statements(self.rng.randint(3, 8))
        known = [*self.tensors, *self.numbers]
        returned = self.rng.sample(known, min(len(known), self.rng.randint(1, 4)))
        self.write(f"return {', '.join(returned)}")
        head = "def program(x: Tensor, y: Tensor, n: int, s: float):"
        cases = [self.case(number, list(shapes.values())) for number in range(CASES)]
        return "\n".join([HEADER, head, *self.lines, "", *cases])

    def case(self, number: int, shapes: list[Shape]) -> str:
        seed = self.rng.randrange(1000)
        tensors = "".join(
            f"jl.tensor(rng.normal(size={shape!r}), dtype=jl.float32), " for shape in shapes
        )
        n, s = self.rng.choice("0123"), self.rng.choice(["0.5", "-1.0", "2.0", "0.0"])
        return (
            f"def case_{number}():\n    rng = np.random.default_rng({seed})\n"
            f"    return ({tensors}{n}, {s})\n"
        )


def _renamed(word: str, old: str, new: str) -> str:
    """A word of Python in which a name of one letter has another one."""
    stem = word.rstrip(":,")
    is_name = stem == old or word.startswith((f"{old}.", f"{old}["))
    return new + word[1:] if is_name else word
