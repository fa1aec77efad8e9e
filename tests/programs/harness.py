"""Load the programs of this folder against a tensor namespace, run them, compare what happened.

A program is a function with inputs, declared by `program(fn, inputs, ...)` in one of the theme
files.  A theme file is ordinary Python written against the names `torch`, `Tensor`, `program` and
`normal`; `load(namespace)` executes it with `torch` bound to that namespace (jitlang or torch), so
every namespace gets functions of its own from the same source.
"""

import contextlib
import copy
import importlib.util
import io
import math
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Tensor", "normal", "program", "torch"]

FOLDER = Path(__file__).parent
NOT_THEMES = {"harness", "covered", "test_programs_plain"}
TENSOR_TOLERANCE = {"float32": (1e-5, 1e-6), "float64": (1e-12, 1e-12)}
FLOAT_TOLERANCE = (1e-14, 0.0)

JUMPS = frozenset(
    """
    break-for break-while break-inner continue-for continue-while return-early return-in-for
    return-in-while return-nested-loops return-in-else for-else while-else while-true
    raise-in-branch raise-in-loop break-and-continue no-iterations
""".split()
)

REFINEMENTS = frozenset(
    """
    is-not-none is-none-return is-none-else is-none-assign and or not de-morgan ternary assert raise
    while truthiness attribute subscript comprehension loop-continue nested isinstance
    isinstance-elif isinstance-tuple isinstance-not or-default
""".split()
)


Arguments = tuple[Any, ...]


class Fate(Enum):
    """What plain Python does with an input, and where a script differs."""

    RETURNS = "returns"
    RAISES = "raises"
    OVERFLOWS = "returns a big integer, where a script raises OverflowError"


@dataclass(frozen=True)
class Program:
    """A function, its inputs, the jumps and refinements that it exercises, and whether it needs
    calls back into Python."""

    fn: FunctionType
    cases: tuple[tuple[Arguments, Fate], ...]
    tags: frozenset[str]
    fallback: bool

    @property
    def name(self) -> str:
        return self.fn.__name__


def program(
    fn: FunctionType,
    *inputs: Arguments,
    fails: tuple[Arguments, ...] = (),
    overflows: tuple[Arguments, ...] = (),
    tags: str = "",
    fallback: bool = False,
) -> None:
    """Declare `fn` as a program of its module, with inputs for each fate."""
    declared = frozenset(tags.split())
    if unknown := declared - JUMPS - REFINEMENTS:
        raise ValueError(f"{fn.__name__}: unknown tags {sorted(unknown)}")
    fates = ((inputs, Fate.RETURNS), (fails, Fate.RAISES), (overflows, Fate.OVERFLOWS))
    cases = tuple((arguments, fate) for group, fate in fates for arguments in group)
    programs = fn.__globals__.setdefault("PROGRAMS", [])
    programs.append(Program(fn, cases, declared, fallback))


def normal(*shape: int) -> np.ndarray:
    """Normally distributed float32 values, the same for the same shape."""
    return np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


def load(namespace: ModuleType) -> dict[str, Program]:
    """The programs of every theme file, by name, written against `namespace`."""
    programs: dict[str, Program] = {}
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem in NOT_THEMES:
            continue
        for each in _load_theme(path, namespace):
            if each.name in programs:
                raise ValueError(f"two programs are called {each.name}")
            programs[each.name] = each
    return programs


def _load_theme(path: Path, namespace: ModuleType) -> list[Program]:
    spec = importlib.util.spec_from_file_location(f"{path.stem}_on_{namespace.__name__}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    names = {"torch": namespace, "Tensor": namespace.Tensor, "program": program, "normal": normal}
    vars(module).update(names)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.PROGRAMS


# --- running ---


@dataclass(frozen=True)
class Outcome:
    """What a call did: its result or exception, what it printed, its arguments afterwards."""

    result: Any
    error: BaseException | None
    printed: str
    arguments: Arguments

    @property
    def float_tolerance(self) -> tuple[float, float]:
        """Where tensors come in, floats may have been read from them."""
        reads_tensors = any(contains_tensor(argument) for argument in self.arguments)
        return TENSOR_TOLERANCE["float32"] if reads_tensors else FLOAT_TOLERANCE

    @property
    def error_is_users(self) -> bool:
        """Whether a `raise` or `assert` of the program raised, so that the message is its own."""
        assert self.error is not None
        last = traceback.extract_tb(self.error.__traceback__)[-1]
        is_in_program = Path(last.filename).parent == FOLDER
        return is_in_program and (last.line or "").startswith(("raise ", "assert "))


def run(fn: Callable[..., Any], arguments: Arguments, namespace: ModuleType) -> Outcome:
    """Call `fn` with a fresh copy of `arguments`, arrays replaced by tensors of `namespace`."""
    converted = tuple(to_tensors(argument, namespace) for argument in arguments)
    result, error = None, None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            result = fn(*converted)
        except Exception as caught:
            error = caught
    return Outcome(result, error, printed.getvalue(), converted)


def to_tensors(value: Any, namespace: ModuleType) -> Any:
    if isinstance(value, np.ndarray):
        return namespace.from_numpy(value.copy())
    if isinstance(value, dict):
        return {key: to_tensors(item, namespace) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_tensors(item, namespace) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(to_tensors(item, namespace) for item in value)
    return copy.copy(value)


# --- comparing ---


def assert_fate(outcome: Outcome, fate: Fate) -> None:
    """That plain Python raises for the inputs declared to fail, and for no other."""
    if (outcome.error is not None) != (fate is Fate.RAISES):
        raise AssertionError(f"{fate}, but the outcome is {outcome}") from outcome.error


def assert_same_outcome(actual: Outcome, expected: Outcome) -> None:
    """Equal results, types, output and arguments, or equal exceptions after equal effects."""
    assert_same_error(actual.error, expected)
    assert_same(actual.result, expected.result, "result", expected.float_tolerance)
    assert_same(actual.arguments, expected.arguments, "arguments", expected.float_tolerance)
    assert actual.printed == expected.printed


def assert_same_error(actual: BaseException | None, expected: Outcome) -> None:
    """Equal classes; equal messages where the program itself raises."""
    if kind(actual) != kind(expected.error):
        raise AssertionError(f"raised {actual!r} instead of {expected.error!r}") from actual
    if actual is not None and expected.error_is_users:
        assert str(actual) == str(expected.error)


def assert_same(
    actual: Any, expected: Any, where: str, float_tolerance: tuple[float, float]
) -> None:
    """Equal values of equal types; floats, in and out of tensors, within their tolerance."""
    assert kind(actual) == kind(expected), f"{where}: {kind(actual)} is not {kind(expected)}"
    if is_tensor(expected):
        got, wanted = to_numpy(actual), to_numpy(expected)
        rtol, atol = TENSOR_TOLERANCE.get(str(wanted.dtype), (0.0, 0.0))
        np.testing.assert_allclose(got, wanted, rtol, atol, err_msg=where)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected), f"{where}: keys {list(actual)}, {list(expected)}"
        for key, item in expected.items():
            assert_same(actual[key], item, f"{where}[{key!r}]", float_tolerance)
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected), f"{where}: length {len(actual)}, {len(expected)}"
        for at, (left, right) in enumerate(zip(actual, expected, strict=True)):
            assert_same(left, right, f"{where}[{at}]", float_tolerance)
    elif isinstance(expected, float):
        agrees = floats_agree(actual, expected, *float_tolerance)
        assert agrees, f"{where}: {actual!r} is not {expected!r}"
    elif kind(expected) != "dtype":
        assert actual == expected, f"{where}: {actual!r} is not {expected!r}"


def floats_agree(actual: float, expected: float, rtol: float, atol: float) -> bool:
    if math.isnan(expected) or expected == 0 == atol:
        return repr(actual) == repr(expected)
    return math.isclose(actual, expected, rel_tol=rtol, abs_tol=atol)


def is_tensor(value: Any) -> bool:
    return any(base.__name__ == "Tensor" for base in type(value).__mro__)


def contains_tensor(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value
    is_container = isinstance(value, list | tuple | dict)
    return is_tensor(value) or (is_container and any(contains_tensor(item) for item in items))


def to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(tensor.numpy())


def kind(value: Any) -> str:
    """The type as both namespaces name it: a tensor's with its dtype and shape, a dtype's name."""
    if is_tensor(value):
        return f"Tensor {kind(value.dtype)} {tuple(value.shape)}"
    if type(value).__name__ in ("dtype", "DType"):
        return str(value).rpartition(".")[2]
    return {"Size": "tuple"}.get(type(value).__name__, type(value).__name__)
