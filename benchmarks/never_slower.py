"""Small random array programs, scripted and as they are: how often is the script slower?

    python -m benchmarks.never_slower [--count 300] [--seed 0] [--sizes 1 100 10000 1000000]

Programs of a few lines over NumPy arrays (arithmetic, comparisons, casts, reductions, slices,
joins, shifts, rounding, sorting, running sums, new arrays and stores into them, masks and places of
extrema) run in the steady state at each size, both ways in turn, on inputs of several dtypes and
layouts. Printed are the distribution of the ratios of the best times (quantiles at 5%, 25%, 50%,
75%, 95%, and the worst), and the losers with their text. The exit status says whether the given
share of all ratios is within the target.
"""

from __future__ import annotations

import argparse
import itertools
import linecache
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitlang import script

TARGET = 1.05
SIZES = (1, 100, 10_000, 1_000_000)
ROUNDS = 9
SAMPLE_SECONDS = 4e-4
"""A sample is as many calls as take about this long."""

UNARY = ("np.exp({})", "np.tanh({})", "np.sin({})", "np.abs({})", "-{}", "np.sqrt(np.abs({}))",
    "np.floor({})", "np.square({})", "np.round({}, 2)", "np.clip({}, -1.0, 1.0)")  # fmt: skip
BINARY = ("{} + {}", "{} - {}", "{} * {}", "{} / ({} + 3.5)", "np.maximum({}, {})",
    "np.minimum({}, {})", "{} * {} + 1.0")  # fmt: skip
WITH_NUMBER = ("{} * 0.5", "{} + 1.0", "2.0 - {}", "{} ** 2", "{} / 3.0")
MASKS = ("{} > {}", "{} <= {}", "{} > 0.5")
CASTS = ("{}.astype(np.float32)", "{}.astype(np.float64)")
INTEGERS = ("{} + {}", "{} * {}", "{} - 3", "np.maximum({}, {})", "{} & {}", "{} * 2",
    "{} << 2", "{} >> 1")  # fmt: skip
ORDERED = ("np.sort({0}, axis=0)", "np.cumsum({0}, axis=0)", "np.sort({0}, axis=-1) * 2.0",
    "np.cumsum({0}, axis=-1) + {0}")  # fmt: skip
CREATED = ("np.zeros_like({0}) + {0}", "{0} - np.ones({0}.shape)", "{0} * np.full({0}.shape, 0.5)",
    "np.arange({0}.shape[-1]) + {0}")  # fmt: skip
STORED = (
    ("np.zeros_like({0})", "{1}[1:-1] = {0}[1:-1] * 2"),
    ("np.zeros({0}.shape)", "{1}[::2] = {0}[::2]"),
    ("{0}.copy()", "{1}[{0} > 0.5] = 0.5"),
    ("np.empty({0}.shape)", "{1}[:] = {0} + 1.0"),
)
"""A new array, and a store into it."""
VIEWS = ("{}[::-1]", "{}[1:] + {}[:-1]", "{}[::2]")
WHOLE = ("{0}.sum()", "{0}.mean()", "{0}.max()", "{0}.min()", "np.linalg.norm({0})",
    "{0}[{0} > 0.5].sum()", "({0} > 0).sum()", "{0} / np.ptp({0})")  # fmt: skip
PLACES = ("{0}[np.argmax({0})] - {0}[np.argmin({0})]", "np.argmax({0})", "{0}[np.argsort({0})]")
ROWS = ("{}.sum(axis={})", "{}.mean(axis={})", "{}.max(axis={})", "{}.std(axis={})",
    "{}.sum(axis={}, keepdims=True)")  # fmt: skip
JOINS = ("np.concatenate(({}, {}))", "np.stack(({}, {}))")
_names = itertools.count()


@dataclass
class Program:
    """A function as text, and whether its arrays have two dimensions."""

    text: str
    is_matrix: bool

    def function(self) -> Callable[..., Any]:
        """The function."""
        name = f"<never slower {next(_names)}>"
        lines = self.text.splitlines(keepends=True)
        linecache.cache[name] = (len(self.text), None, lines, name)
        scope: dict[str, Any] = {"np": np}
        exec(compile(self.text, name, "exec"), scope)
        made: Callable[..., Any] = scope["program"]
        return made


def random_program(choose: random.Random) -> Program:
    """A function of two floating and one integer array."""
    is_matrix = choose.random() < 0.5
    floats, integers, masks = ["x", "y"], ["n"], []
    lines: list[str] = []
    for place in range(choose.randint(1, 7)):
        name, kind = f"v{place}", choose.random()
        stores: list[str] = []
        if kind < 0.15:
            made = choose.choice(INTEGERS).format(*choose.choices(integers, k=2))
            integers.append(name)
        elif kind < 0.25:
            made = choose.choice(MASKS).format(*choose.choices(floats, k=2))
            masks.append(name)
        elif kind < 0.32 and masks:
            made = "np.where({}, {}, {})".format(choose.choice(masks), *choose.choices(floats, k=2))
            floats.append(name)
        elif kind < 0.4:
            made = choose.choice(floats) + " * " + choose.choice(integers + masks)
            floats.append(name)
        elif kind < 0.5:
            made = choose.choice(ORDERED + CREATED).format(choose.choice(floats))
            floats.append(name)
        elif kind < 0.56:
            source, (made, store) = choose.choice(floats), choose.choice(STORED)
            made, stores = made.format(source), [store.format(source, name)]
            floats.append(name)
        else:
            form = choose.choice(choose.choice((UNARY, BINARY, BINARY, WITH_NUMBER, CASTS)))
            made = form.format(*choose.choices(floats[-3:], k=2))
            floats.append(name)
        lines += [f"{name} = {made}", *stores]
    everything = floats[2:] + integers[1:] + masks
    last = choose.choice(everything[-2:])
    lines.append(f"return {result(choose, last, last in masks, is_matrix)}")
    body = "".join(f"    {line}\n" for line in lines)
    return Program(f"def program(x, y, n):\n{body}", is_matrix)


def result(choose: random.Random, name: str, is_mask: bool, is_matrix: bool) -> str:
    """What a program returns: a value, or a view, a reduction or a join of it."""
    kind = choose.random()
    if kind < 0.5:
        return name
    if kind < 0.6:
        return choose.choice(WHOLE).format(name) if not is_mask else f"{name}.any()"
    if kind < 0.65 and not is_matrix and not is_mask:
        return choose.choice(PLACES).format(name)
    if kind < 0.8 and is_matrix and not is_mask:
        return choose.choice(ROWS).format(name, choose.choice((0, 1)))
    if kind < 0.9 and not is_mask:
        return choose.choice(VIEWS).format(name, name)
    return choose.choice(JOINS).format(name, "x" if not is_mask else name)


def random_arguments(choose: random.Random, size: int, is_matrix: bool) -> tuple[Any, ...]:
    """Arrays of about that many elements, of one shape."""
    rng = np.random.default_rng(choose.getrandbits(32))
    rows = int(size**0.5) if is_matrix else size
    shape = (rows, size // rows) if is_matrix else (size,)
    kind = choose.choice(("float32", "float64"))
    return (
        laid_out(choose, rng.normal(0, 1, shape).astype(kind)),
        laid_out(choose, rng.normal(0, 1, shape).astype(choose.choice((kind, kind, "float32")))),
        rng.integers(-50, 50, shape).astype(choose.choice(("int64", "int64", "int32"))),
    )


def laid_out(choose: random.Random, array: Any) -> Any:
    """The array, now and then with other strides."""
    kind = choose.random()
    if kind < 0.7:
        return array
    if kind < 0.85:
        return np.asfortranarray(array) if array.ndim == 2 else array[::-1]
    return np.repeat(array, 2, -1)[..., ::2]


def best_times(functions: Sequence[Callable[..., Any]], arguments: tuple[Any, ...]) -> list[float]:
    """The best seconds per call of each function, measured in turn."""
    start = time.perf_counter()
    functions[0](*arguments)
    calls = max(1, int(SAMPLE_SECONDS / max(time.perf_counter() - start, 1e-7)))
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for number, function in enumerate(functions):
            start = time.perf_counter()
            for _ in range(calls):
                function(*arguments)
            best[number] = min(best[number], (time.perf_counter() - start) / calls)
    return best


def ratio(program: Program, size: int, choose: random.Random) -> tuple[float, str]:
    """Script over plain, and what the script became."""
    plain = program.function()
    scripted = script(plain)
    arguments = random_arguments(choose, size, program.is_matrix)
    for _ in range(4):
        scripted(*arguments)
    mine, theirs = best_times([scripted, plain], arguments)
    kinds = ", ".join(f"{a.dtype} {a.strides}" for a in arguments)
    return mine / theirs, f"{theirs * 1e6:.1f} us plain, {mine * 1e6:.1f} us scripted; {kinds}"


def report(found: list[tuple[float, int, str]], losers: int) -> None:
    """The distribution by size, and the worst programs."""
    for size in sorted({size for _, size, _ in found}):
        ratios = np.array([r for r, s, _ in found if s == size])
        quantiles = np.quantile(ratios, (0.05, 0.25, 0.5, 0.75, 0.95, 1)).round(2)
        slower = float((ratios > TARGET).mean())
        print(f"{size:>8} elements: {slower:6.1%} slower; quantiles {quantiles}")
    for value, size, text in sorted(found, reverse=True)[:losers]:
        if value > TARGET:
            print(f"\n{value:.2f} at {size}: {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--losers", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.95, help="of ratios within the target")
    given = parser.parse_args()
    found: list[tuple[float, int, str]] = []
    with np.errstate(all="ignore"):
        for seed in range(given.seed, given.seed + given.count):
            choose = random.Random(seed)
            program = random_program(choose)
            for size in given.sizes:
                value, how = ratio(program, size, choose)
                found.append((value, size, f"seed {seed}; {how}\n{program.text}"))
    report(found, given.losers)
    within = sum(value <= TARGET for value, _, _ in found) / len(found)
    sys.exit(0 if within >= given.share else 1)


if __name__ == "__main__":
    main()
