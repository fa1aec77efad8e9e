"""Run one program in every tier and say where they part.

The reference is plain Python: the program's own source, undecorated, with one change made to its
syntax tree, that an int which leaves 64 bits raises OverflowError, as the language promises. Two
runs agree if they have

- equal results, bit for bit (any nan equals any nan), of equal types, with the same sharing: which
  mutable objects of arguments and result are one object, and which tensors look at one memory;
- exceptions of one class;
- equal arguments afterwards;
- equal printed text.

The exact mode is compared with plain Python in exact mode; where NumPy computes, which has no
such mode, floats agree if they are close. So they do for the script function itself, whose fused
kernels have jitlang's own elementary functions, and sums in an order of their own. Graphs with
wrapping integers have no plain Python; there the unoptimised graph in the interpreter is the
reference.

"for one layout" and "for all layouts" are the script function in its last phases.

A program may say that it `IS_EXACT`: then all tiers agree to the bit, and in the words of errors.
Its cases are of different sizes, which the version "for other sizes" takes from the second on.
"""

import ast
import contextlib
import dataclasses
import io
import linecache
import math
import operator
import re
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import jitlang as jl
from jitlang.codegen import product, shares
from jitlang.codegen.host import compile_host
from jitlang.interp.machine import assemble
from jitlang.ir import types as ty
from jitlang.ir.graph import CONSTANT, Graph, Node, Value, clone_node, create_node
from jitlang.ir.parser import parse_graph
from jitlang.ir.printer import print_graph
from jitlang.passes.manager import run_passes

TIME_LIMIT = 5.0
"""Processor seconds for one run of one tier; programs take milliseconds."""


class Rejected(Exception):
    """The front end refuses the program."""


class TimedOut(BaseException):
    """A run took too long."""


@dataclass(frozen=True)
class Outcome:
    """What a run did, in a form that compares."""

    result: Any
    error: str
    printed: str
    arguments: Any
    sharing: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Divergence:
    """Two runs that differ."""

    tier: str
    case: str
    expected: Outcome | None
    actual: Outcome | str

    def __str__(self) -> str:
        lines = [f"tier '{self.tier}', {self.case}"]
        if self.expected is None or isinstance(self.actual, str):
            return "\n".join([*lines, str(self.actual)])
        for name in ("error", "result", "printed", "arguments", "sharing"):
            wanted, got = getattr(self.expected, name), getattr(self.actual, name)
            if wanted != got:
                lines.append(
                    f"  {name}: expected {wanted!r}\n  {' ' * len(name)}     found {got!r}"
                )
        return "\n".join(lines)


# Loading ------------------------------------------------------------------------------------------

Function = Callable[..., Any]


@dataclass(frozen=True)
class Loaded:
    """A program's source as functions: `program`, its reference, and makers of arguments."""

    program: Function
    reference: Function
    cases: dict[str, Function]
    is_raw: bool
    is_exact: bool


def load(source: str, label: str) -> Loaded:
    """Execute a program's source twice: as it is, and with 64-bit integers for the reference."""
    plain = _execute(ast.parse(source), source, f"<random program {label}>", {})
    tree = ast.fix_missing_locations(_Bounded().visit(ast.parse(source)))
    helpers = {"_int64": _int64, "_in_place": _in_place}
    bounded = _execute(tree, source, f"<reference of random program {label}>", helpers)
    cases = {name: each for name, each in plain.items() if name.startswith("case_")}
    is_raw, is_exact = "np.array(" in source, "IS_EXACT" in plain
    return Loaded(plain["program"], bounded["program"], cases, is_raw, is_exact)


def _execute(tree: ast.Module, source: str, filename: str, names: dict[str, Any]) -> dict[str, Any]:
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = {**names, "__name__": "random_program"}
    exec(compile(tree, filename, "exec"), namespace)
    return namespace


def forget(label: str) -> None:
    """Drop the source text of a loaded program."""
    for name in (f"<random program {label}>", f"<reference of random program {label}>"):
        linecache.cache.pop(name, None)


class _Bounded(ast.NodeTransformer):
    """Lets every int that an operator or call gives be checked."""

    def _checked(self, node: ast.expr) -> ast.expr:
        self.generic_visit(node)
        return ast.Call(ast.Name("_int64", ast.Load()), [node], [])

    visit_BinOp = visit_UnaryOp = visit_Call = _checked

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        read: Any = ast.parse(ast.unparse(node.target), mode="eval").body
        name = ast.Constant(_IN_PLACE[type(node.op)])
        call = ast.Call(ast.Name("_in_place", ast.Load()), [name, read, node.value], [])
        return ast.Assign([node.target], call)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        if not node.name.startswith("case_"):
            node.body = [self.visit(statement) for statement in node.body]
        return node


_IN_PLACE: dict[type[ast.operator], str] = {
    ast.Add: "iadd", ast.Sub: "isub", ast.Mult: "imul", ast.Div: "itruediv",
    ast.FloorDiv: "ifloordiv",
    ast.Mod: "imod", ast.Pow: "ipow", ast.BitAnd: "iand", ast.BitOr: "ior", ast.BitXor: "ixor",
    ast.LShift: "ilshift", ast.RShift: "irshift",
}  # fmt: skip


def _int64(value: Any) -> Any:
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise OverflowError(f"{value} does not fit in 64 bits")
    return value


def _in_place(name: str, target: Any, value: Any) -> Any:
    return _int64(getattr(operator, name)(target, value))


# Running ------------------------------------------------------------------------------------------


def run(function: Function, arguments: tuple[Any, ...], *, words: bool = False) -> Outcome:
    """Call a function and note what happened, the words of errors too if asked."""
    result, error = None, ""
    with contextlib.redirect_stdout(io.StringIO()) as printed, _limited(), quiet():
        try:
            result = function(*arguments)
        except TimedOut:
            error = "timed out"
        except jl.CompileError as caught:
            raise Rejected(str(caught)) from caught
        except Exception as caught:
            error = type(caught).__name__
            if words and not isinstance(caught, OverflowError):
                error += f": {caught}"
    seen = _Seen()
    shown_arguments = seen.show(list(arguments))
    shown_result = seen.show(result)
    return Outcome(shown_result, error, printed.getvalue(), shown_arguments, tuple(seen.sharing))


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, TIME_LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _unlimited() -> Iterator[None]:
    """Stops the clock: a busy machine may compile for seconds."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)


@contextlib.contextmanager
def _shared() -> Iterator[None]:
    """Lets two threads share small products and what goes with them."""
    least = {(product, "PARALLEL_FLOPS"): 0, (product, "SMALL_BYTES"): 0, (shares, "LEAST_ROWS"): 2}
    with contextlib.ExitStack() as stack:
        for (module, name), value in least.items():
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)
        stack.enter_context(jl.config.override(num_threads=2))
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of NumPy and of calls back."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _layout(array: np.ndarray) -> tuple[int, ...]:
    """The strides that matter."""
    if not array.size:
        return ()
    return tuple(n for n, size in zip(array.strides, array.shape, strict=True) if size > 1)


class _Seen:
    """Shows values as nested tuples and numbers the mutable objects and memories among them."""

    def __init__(self) -> None:
        self.objects: dict[int, int] = {}
        self.memories: dict[int, int] = {}
        self.sharing: list[tuple[int, int]] = []

    def show(self, value: Any) -> Any:
        if isinstance(value, jl.Tensor):
            array = value.numpy()
            self._note(value, array)
            return "Tensor", str(value.dtype), array.shape, _layout(array), _bits(array)
        if isinstance(value, np.ndarray):
            self._note(value, value)
            return "array", str(value.dtype), value.shape, _layout(value), _bits(value)
        if isinstance(value, np.generic):
            return "scalar", str(value.dtype), _bits(np.asarray(value))
        if isinstance(value, float):
            return "float", repr(value)
        if isinstance(value, list):
            self._note(value, None)
            return ["list", *map(self.show, value)]
        if isinstance(value, tuple):
            return ["tuple", *map(self.show, value)]
        if isinstance(value, dict):
            self._note(value, None)
            return ["dict", *((self.show(k), self.show(v)) for k, v in value.items())]
        return type(value).__name__, repr(value)

    def _note(self, value: Any, array: np.ndarray | None) -> None:
        number = self.objects.setdefault(id(value), len(self.objects))
        memory = -1
        if array is not None and array.size:
            while isinstance(array.base, np.ndarray):
                array = array.base
            memory = self.memories.setdefault(id(array), len(self.memories))
        self.sharing.append((number, memory))


def _bits(array: np.ndarray) -> Any:
    """Elements, exactly; nans are alike."""
    return tuple(map(repr, array.ravel().tolist()))


def _close(actual: Any, expected: Any) -> bool:
    """Equal outcomes but for floats, which are close."""
    if isinstance(expected, Outcome):
        fields = (f.name for f in dataclasses.fields(Outcome))
        return all(_close(getattr(actual, name), getattr(expected, name)) for name in fields)
    if type(actual) is not type(expected):
        return False
    if isinstance(expected, list | tuple):
        return len(actual) == len(expected) and all(map(_close, actual, expected))
    if isinstance(expected, str):
        return actual == expected or _are_close_texts(actual, expected)
    return bool(actual == expected)


def _are_close_texts(actual: str, expected: str) -> bool:
    """Whether two texts differ only in the last digits of numbers."""
    if _NUMBER.sub("#", actual) != _NUMBER.sub("#", expected):
        return False
    pairs = zip(_NUMBER.findall(actual), _NUMBER.findall(expected), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-4, abs_tol=1e-5) for a, b in pairs)


_NUMBER = re.compile(r"-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)")


# Tiers --------------------------------------------------------------------------------------------


def callback_of(node: Node) -> Function:
    """A callable that runs one node: its inputs without constants in, its output out."""
    graph = Graph("node")
    mapping: dict[Value, Value] = {}
    for value in node.inputs:
        if value.node.kind == CONSTANT and value not in mapping:
            graph.block.append(clone_node(value.node, mapping, graph))
        elif value.node.kind != CONSTANT:
            made = graph.add_input(value.type, value.name)
            mapping.setdefault(value, made)
    made = clone_node(node, mapping, graph)
    graph.block.append(made)
    graph.integers = node.graph.integers
    if len(made.outputs) == 1:
        graph.add_output(made.output)
    elif made.outputs:
        type_ = ty.TupleType(tuple(value.type for value in made.outputs))
        graph.add_output(
            graph.block.append(create_node("prim::TupleConstruct", made.outputs, [type_])).output
        )
    else:
        graph.add_output(graph.block.append(create_node(CONSTANT, (), [ty.NONE])).output)
    return assemble(graph)


def native(graph: Graph) -> Function:
    """A graph as one native function."""
    return compile_host(graph, callback_of).function


def reparsed(graph: Graph) -> Function:
    """A graph printed, parsed and interpreted, or the graph itself where it has no text."""
    text = print_graph(graph)
    if "<" in text.replace("->", ""):
        return assemble(graph)  # it holds objects or tensors
    return assemble(parse_graph(text))


def in_phase(scripted: Any, *, waits: bool = False, **settings: int) -> Function:
    """The function compiled afresh, and natively at its first call, or as calls ask for it."""
    fresh = jl.script(scripted.__jitlang_function__)

    def call(*arguments: Any) -> Any:
        with jl.config.override(num_profiled_runs=0, **settings), _shared():
            with _unlimited(), contextlib.suppress(TypeError, jl.CompileError):
                if not waits:
                    fresh.compile(*arguments)
            return fresh(*arguments)

    return call


@dataclass(frozen=True)
class _Tier:
    name: str
    function: Function
    exact: bool = False


KERNELS = ("script", "for one layout", "for all layouts", "for other sizes")
"""Tiers with jitlang's own elementary functions, and sums in an order of their own."""


def graphs_of(scripted: Any) -> tuple[Graph, Graph]:
    """The graph as the front end made it, and as the passes left it."""
    return scripted.graph, scripted.optimized_graph


Build = Callable[[str, Callable[[], Any]], Any]


def _tiers(scripted: Any, build: Build, *, varies: bool) -> Iterator[_Tier]:
    """The tiers of a compiled function, each built when its turn comes."""
    graph, optimized = graphs_of(scripted)
    makers: dict[str, Callable[[], Function]] = {
        "unoptimised": lambda: assemble(graph),
        "optimised": lambda: assemble(optimized),
        "printed and parsed": lambda: reparsed(optimized),
        "exact": lambda: assemble(optimized, exact=True),
        "script": lambda: scripted,
        "native": lambda: native(optimized),
        "for one layout": lambda: in_phase(scripted, static_versions=64),
        "for all layouts": lambda: in_phase(scripted, static_versions=0),
        "for other sizes": lambda: in_phase(scripted, waits=True, static_versions=1),
    }
    if not varies:
        del makers["for other sizes"]
    for name, make in makers.items():
        yield _Tier(name, build(name, make), exact=name == "exact")


def _wrapping_tiers(scripted: Any, build: Build) -> Iterator[_Tier]:
    """The same graph with wrapping integers; the first is the reference."""
    inlined, optimized = build("wrapping graphs", lambda: _wrapping_graphs(scripted))
    yield _Tier("wrapping", build("wrapping", lambda: assemble(inlined)))
    yield _Tier("wrapping optimised", build("wrapping optimised", lambda: assemble(optimized)))
    yield _Tier("wrapping native", build("wrapping native", lambda: native(optimized)))


def _wrapping_graphs(scripted: Any) -> tuple[Graph, Graph]:
    inlined = scripted.inlined_graph
    inlined.integers = "wrapping"
    optimized = inlined.copy()
    run_passes(optimized, ["optimize"])
    return inlined, optimized


class _Built(dict[str, Any]):
    """Functions of tiers by name, built once per signature."""

    def __call__(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self:
            self[name] = make()
        return self[name]


def find_divergence(source: str, label: str, *, wrapping: bool = False) -> Divergence | None:
    """Run a program in all tiers; the first difference, or None.

    Raises:
        Rejected: the front end refuses the program.
    """
    loaded = load(source, label)
    where = "compiling"
    try:
        with quiet():
            scripted = jl.script(loaded.program)
            built: dict[str, _Built] = {}
            for where, case in loaded.cases.items():
                found = _compare_case(loaded, scripted, where, case, built)
                if found is None and wrapping:
                    found = _compare_wrapping(scripted, where, case, built)
                if found is not None:
                    return found
    except Rejected:
        raise
    except jl.CompileError as error:
        if error.kind.code in ("internal", "invalid-graph"):
            return Divergence("compiler", where, None, str(error))
        raise Rejected(str(error)) from error
    except Exception as error:
        return Divergence("compiler", where, None, f"{type(error).__name__}: {error}")
    finally:
        forget(label)
    return None


def _compare_case(
    loaded: Loaded, scripted: Any, name: str, case: Function, built: dict[str, _Built]
) -> Divergence | None:
    words = loaded.is_exact
    expected = {False: run(loaded.reference, case(), words=words)}
    run(scripted, case())  # compiles this signature
    build = built.setdefault(print_graph(scripted.graph), _Built())
    for tier in _tiers(scripted, build, varies=loaded.is_exact):
        if tier.exact and True not in expected:
            with jl.config.override(exact=True):
                expected[True] = run(loaded.reference, case(), words=words)
        actual = run(tier.function, case(), words=words)
        is_close = tier.name in KERNELS or (tier.exact and loaded.is_raw)
        is_close = is_close and not loaded.is_exact
        agree = _close if is_close else operator.eq
        if not agree(actual, expected[tier.exact]):
            return Divergence(tier.name, name, expected[tier.exact], actual)
    return None


def _compare_wrapping(
    scripted: Any, name: str, case: Function, built: dict[str, _Built]
) -> Divergence | None:
    build = built[print_graph(scripted.graph)]
    expected = None
    for tier in _wrapping_tiers(scripted, build):
        actual = run(tier.function, case())
        expected = expected or actual
        if actual != expected:
            return Divergence(tier.name, name, expected, actual)
    return None


# Reducing -----------------------------------------------------------------------------------------


def reduce(source: str, still_fails: Callable[[str], bool], *, attempts: int = 400) -> str:
    """A shorter program that still fails: drops statements and branches as long as one can go.

    Args:
        source: the failing program.
        still_fails: whether a candidate shows the failure.
        attempts: how many candidates are tried at most.
    """
    current = ast.unparse(ast.parse(source))
    shrunk = True
    while shrunk and attempts > 0:
        shrunk = False
        number = 0
        while attempts > 0:
            candidate = _smaller(current, number)
            if candidate is None:
                break
            attempts -= 1
            if candidate and candidate != current and still_fails(candidate):
                current, shrunk = candidate, True
            else:
                number += 1
    return current


def _smaller(source: str, number: int) -> str | None:
    """The program without one of its statements, or with its body instead; None after the last."""
    tree = ast.parse(source)
    places = [(body, at) for body in _bodies(tree) for at in range(len(body))]
    at_place, way = divmod(number, 2)
    if at_place >= len(places):
        return None
    body, at = places[at_place]
    statement = body[at]
    inner = getattr(statement, "body", [])
    is_function = isinstance(statement, ast.FunctionDef)
    if is_function and (statement.name == "program" or way) or way and not inner:
        return ""
    body[at : at + 1] = inner if way else []
    if not body and isinstance(tree, ast.Module):
        body.append(ast.Pass())
    return ast.unparse(ast.fix_missing_locations(tree))


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body and not isinstance(node, ast.Lambda):
                yield body


def report(source: str, label: str, found: Divergence, *, shrink: bool = True) -> str:
    """A divergence with its program, reduced."""

    def still_fails(candidate: str) -> bool:
        try:
            other = find_divergence(candidate, f"{label} reduced")
        except Exception:
            return False
        return other is not None and other.tier == found.tier and _kind(other) == _kind(found)

    reduced = reduce(source, still_fails) if shrink else source
    return f"seed {label}: {found}\n\n{reduced}"


def _kind(found: Divergence) -> Sequence[str]:
    if found.expected is None or isinstance(found.actual, str):
        return str(found.actual).split(":")[:1]
    fields = ("error", "result", "printed", "arguments", "sharing")
    return [n for n in fields if getattr(found.expected, n) != getattr(found.actual, n)]
