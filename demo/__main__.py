"""`python -m demo`: script an LSTM, look inside it, run it over a text, time it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import jitlang as jl
from demo import cells, plain
from demo.text import Text
from jitlang import Tensor

HIDDEN = 256
ROUNDS = 5
TIMED_STEPS = 2000


def section(title: str) -> None:
    print(f"\n{'=' * 100}\n{title}\n{'=' * 100}\n")


def source_of(name: str) -> str:
    """The decorated function as it stands in the file."""
    file = Path(cells.__file__).read_text(encoding="utf-8")
    start = file.index(f"@jl.script\ndef {name}(")
    return file[start : file.index("\n\n\n", start)]


def random_parameters(inputs: int) -> tuple[np.ndarray, ...]:
    """Random weights of an LSTM, fixed by a seed, and the multipliers that MI-LSTM adds."""
    rng = np.random.default_rng(2016)
    w_ih = 2 * rng.standard_normal((inputs, 4 * HIDDEN))
    w_hh = rng.standard_normal((HIDDEN, 4 * HIDDEN)) / HIDDEN**0.5
    ones = np.ones(4 * HIDDEN)
    b = np.repeat([0.0, -1.0, 0.0, 0.0], HIDDEN)
    return tuple(a.astype(np.float32) for a in (w_ih, w_hh, b, ones, 0.5 * ones, 0.5 * ones))


def tensors(arrays: tuple[np.ndarray, ...]) -> tuple[Tensor, ...]:
    return tuple(jl.from_numpy(a) for a in arrays)


def look_inside() -> None:
    section("1. The source: an LSTM cell, and its variant with multiplicative integration")
    print(source_of("lstm_cell"), source_of("mi_lstm_cell"), source_of("lstm"), sep="\n\n\n")

    section("2. What was understood, as code: lstm_cell.code")
    print("Read it as your function with every name resolved and every type settled: a method has")
    print("become the operator that it calls, and what Python leaves implicit is written out.\n")
    print(cells.lstm_cell.code)

    section("3. What runs, as a graph: lstm.graph")
    print("Each line is one operation: results with their types, the operator, its operands, and")
    print("the source line that asked for it. An indented block is the body of a loop or a branch;")
    print("its arrow hands results on, to the next turn or to the operation above.\n")
    print(cells.lstm.graph)


def show_a_mistake() -> None:
    section("4. A mistake: `chunks` where `chunk` was meant")
    try:
        jl.script(cells.misspelt_cell)
    except jl.CompileError as error:
        print(error)
    else:
        raise AssertionError("a misspelt method must not compile")


def read_the_text(text: Text, params: tuple[np.ndarray, ...]) -> None:
    section("5. Run over a text")
    print(text.attribution)
    print(f"{len(text.characters)} characters. {HIDDEN} random hidden units read them one by one;")
    print("only a softmax read-out is fitted, on the first four fifths. On the last fifth:\n")
    xs = text.one_hot()
    zeros = np.zeros((1, HIDDEN), np.float32)
    scores = {
        "uniform guess": float(np.log2(len(text.alphabet))),
        "character frequencies": text.unigram_bits(),
        "pairs of characters": text.bigram_bits(),
    }
    for name, scripted, written, own in (
        ("LSTM", cells.lstm, plain.lstm, params[:3]),
        ("MI-LSTM", cells.mi_lstm, plain.mi_lstm, params),
    ):
        states, _ = scripted(*tensors((xs,)), tensors((zeros, zeros)), tensors(own))
        expected, _ = written(xs[:100], (zeros, zeros), own)
        np.testing.assert_allclose(states.numpy()[:100], expected, rtol=1e-4, atol=1e-5)
        scores[f"scripted {name}, read out"] = text.read_out_bits(states.numpy()[:, 0])
    for name, bits in scores.items():
        print(f"  {name:<28}{bits:6.2f} bits per character")


def take_times(text: Text, params: tuple[np.ndarray, ...]) -> None:
    section("6. Timing: the scripted function against plain Python on NumPy arrays")
    xs = text.one_hot()[:TIMED_STEPS]
    zeros = np.zeros((1, HIDDEN), np.float32)
    print(f"{TIMED_STEPS} steps, batch 1, median of {ROUNDS} rounds, taken in turns:\n")
    for name, scripted, written, own in (
        ("LSTM", cells.lstm, plain.lstm, params[:3]),
        ("MI-LSTM", cells.mi_lstm, plain.mi_lstm, params),
    ):
        boxed = (*tensors((xs,)), tensors((zeros, zeros)), tensors(own))
        raw = (xs, (zeros, zeros), own)
        pairs = [(seconds(written, raw), seconds(scripted, boxed)) for _ in range(ROUNDS + 1)]
        python, script = (median(column) for column in zip(*pairs[1:], strict=True))
        print(
            f"  {name:<8} plain {1e6 * python / TIMED_STEPS:6.1f} us per step,"
            f" scripted {1e6 * script / TIMED_STEPS:6.1f} us, ratio {script / python:.2f}"
        )


def seconds(function: Callable[..., object], arguments: tuple[object, ...]) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    look_inside()
    show_a_mistake()
    text = Text()
    params = random_parameters(len(text.alphabet))
    read_the_text(text, params)
    take_times(text, params)


if __name__ == "__main__":
    main()
