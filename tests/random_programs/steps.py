"""Random recurrent networks: loops whose steps multiply rows by matrices and work on what results,
row by row or not, in other orders, through views, with lists of what each step gives.

Everything is bounded by `tanh`, so that rounding errors stay what they are.
"""

import random

from .models import CASES, HEADER

Shape = tuple[int, int]

ROWS = (6, 8, 12, 16)
WIDTHS = (4, 6, 8, 12)
STEPS = 9


class Steps:
    """Grows one function of states, which have rows, and matrices."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"steps {seed}")
        self.rows = self.rng.choice(ROWS)
        self.width = self.rng.choice((*WIDTHS, self.rows))
        self.shapes: dict[str, Shape] = {}
        self.matrices: dict[str, Shape] = {}
        self.lines: list[str] = []

    def module(self) -> str:
        """A module with one function and its cases."""
        rng = self.rng
        states = ["h", "c"][: rng.randint(1, 2)]
        lists = ["seen", "kept"][: rng.randint(0, 2)]
        self.shapes |= dict.fromkeys(["x", *states], (self.rows, self.width))
        for _ in range(rng.randint(3, 7)):
            self.statement()
        alike = self.named((self.rows, self.width))
        ends = [f"{state} = {self.like(state)}" for state in states]
        ends += [f"{name}.append({rng.choice(alike)})" for name in lists]
        rng.shuffle(ends)
        sequence = rng.choice(["xs.unbind(0)", "xs", "[xs[i] for i in range(9)]"])
        lines = [f"{name}: list[Tensor] = []" for name in lists]
        lines += [f"for x in {sequence}:", *("    " + line for line in [*self.lines, *ends])]
        returned = [*states, *(f"jl.{rng.choice(['stack', 'cat'])}({name})" for name in lists)]
        lines.append(f"return {', '.join(returned)}")
        given = {"xs": (STEPS, self.rows, self.width)}
        given |= dict.fromkeys(states, (self.rows, self.width)) | self.matrices
        head = f"def program({', '.join(f'{name}: Tensor' for name in given)}):"
        cases = [self.case(number, list(given.values())) for number in range(CASES)]
        return "\n".join([HEADER, head, *("    " + line for line in lines), "", *cases])

    def case(self, number: int, shapes: list[tuple[int, ...]]) -> str:
        made = "".join(
            f"jl.tensor(rng.normal(0, 0.2, {shape!r}), dtype=jl.float32), " for shape in shapes
        )
        return (
            f"def case_{number}():\n    rng = np.random.default_rng({self.rng.randrange(1000)})\n"
            f"    return ({made})\n"
        )

    # Names --------------------------------------------------------------------------------------

    def named(self, shape: Shape) -> list[str]:
        return [name for name, each in self.shapes.items() if each == shape]

    def any(self) -> str:
        """What was computed last, or else anything."""
        names = [*self.shapes]
        return names[-1] if self.rng.random() < 0.6 else self.rng.choice(names)

    def define(self, text: str, shape: Shape) -> None:
        name = f"t_{len(self.shapes)}"
        self.lines.append(f"{name} = {text}")
        self.shapes[name] = shape

    def matrix(self, shape: tuple[int, ...]) -> str:
        """A matrix or vector that is given, an earlier one now and then."""
        known = [name for name, each in self.matrices.items() if each == shape]
        if known and self.rng.random() < 0.4:
            return self.rng.choice(known)
        name = f"w_{len(self.matrices)}"
        self.matrices[name] = shape
        return name

    def like(self, name: str) -> str:
        """Something of the shape of a state, of what was computed last if that fits."""
        shape, last = self.shapes[name], [*self.shapes][-1]
        own = self.shapes[last]
        if own == shape:
            return f"{last}.tanh()"
        if own[0] == shape[0]:
            return f"({last} @ {self.matrix((own[1], shape[1]))}).tanh()"
        return f"({self.rng.choice(self.named(shape))} * 0.5 + {last}.mean()).tanh()"

    # Statements -----------------------------------------------------------------------------------

    def statement(self) -> None:
        self.rng.choice([self.product, self.product, self.product, self.pointwise, self.pointwise,
                         self.over_a_row, self.part, self.elsewhere, self.joined])()  # fmt: skip

    def product(self) -> None:
        name, rng = self.any(), self.rng
        rows, width = self.shapes[name]
        columns = rng.choice(WIDTHS)
        kind = rng.randrange(4)
        if kind == 0:
            bias = self.matrix((columns,))
            text = f"jl.addmm({bias}, {name}, {self.matrix((width, columns))})"
        elif kind == 1:
            weight = self.matrix((columns, width))
            text = f"jl.nn.functional.linear({name}, {weight}, {self.matrix((columns,))})"
        elif kind == 2 and rows == width:
            text, columns = f"{name} @ {rng.choice(self.named((rows, rows)))}", rows
        else:
            text = f"{name} @ {self.matrix((width, columns))}"
        self.define(text if rng.random() < 0.4 else f"({text}).tanh()", (rows, columns))

    def pointwise(self) -> None:
        name, rng = self.any(), self.rng
        shape = self.shapes[name]
        other = rng.choice([*self.named(shape), self.matrix((shape[1],)), "0.5"])
        text = rng.choice(["({a} * {b}).tanh()", "{a}.sigmoid() - {b}",
                           "jl.maximum({a}, {a} * {b})"])  # fmt: skip
        self.define(text.format(a=name, b=other), shape)

    def over_a_row(self) -> None:
        name = self.any()
        choices = ["{a}.softmax(-1)", "{a} - {a}.mean(-1, keepdim=True)",
                   "{a} * {a}.amax(1, True).tanh()", "{a}.cumsum(1).tanh()"]  # fmt: skip
        text = self.rng.choice(choices)
        self.define(text.format(a=name), self.shapes[name])

    def part(self) -> None:
        """Some columns, or some rows."""
        name, rng = self.any(), self.rng
        rows, width = self.shapes[name]
        at = rng.randrange(2)
        if rng.random() < 0.3:
            self.define(f"{name}[{at} : {at + rows // 2}]", (rows // 2, width))
        elif width % 2 == 0 and rng.random() < 0.5:
            self.define(f"{name}.chunk(2, 1)[{at}]", (rows, width // 2))
        elif width > 2:
            self.define(f"{name}[:, {at} : {width - 1 + at}] * 0.5", (rows, width - 1))

    def elsewhere(self) -> None:
        """What looks at other rows, or takes them in another order."""
        name, rng = self.any(), self.rng
        rows, width = self.shapes[name]
        choices = ["{a}.flip(0)", "{a} - {a}.mean(0)", "{a} + {a}[0].tanh()", "{a} * {a}[-1]",
                   "jl.cat([{a}[1:], {a}[:1]]).tanh()", "{a}.softmax(0)"]  # fmt: skip
        if rows == width:
            choices += ["{a} + {a}.t()"] * 3
        if width % 2 == 0:
            turned = f".reshape({width // 2}, {rows * 2}).reshape({rows}, {width}).tanh()"
            folded = f".view({rows * 2}, {width // 2}).flip(0).reshape({rows}, {width})"
            choices += [f"{{a}}{turned}", f"{{a}}{folded}"]
        self.define(rng.choice(choices).format(a=name), (rows, width))

    def joined(self) -> None:
        name, rng = self.any(), self.rng
        rows, width = self.shapes[name]
        other = rng.choice([n for n, (own, _) in self.shapes.items() if own == rows])
        if width + self.shapes[other][1] <= 24:
            self.define(f"jl.cat([{name}, {other}], 1)", (rows, width + self.shapes[other][1]))
