"""`script`: a Python function compiled on demand, one graph per signature.

A `ScriptFunction` is called like the function it was made from. A call's arguments decide the
signature; the first call with a signature compiles it, later ones test the guards (what was folded
from globals and closures) and run. `fn.graph`, `fn.code`, `fn.schema` show what was understood.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np

from . import config
from .arrays import is_array_like
from .errors import CompileError, ErrorKind, FallbackWarning
from .frontend.binding import EMPTY, NUMBERS, Parameter
from .frontend.check import check_function
from .frontend.emitter import Fallback
from .frontend.function import (
    CompiledFunction,
    compile_function,
    declared_parameters,
    static,
)
from .interp.executor import Executor
from .interp.explain import Explanation
from .ir import types as ty
from .ir.graph import Graph
from .ir.schema import FunctionSchema
from .ir.source import to_source
from .ir.types import Type
from .passes.manager import optimize, run_passes
from .tensor import Tensor
from .values import conforms, namedtuple_name, type_of

Key = tuple[Any, ...]

_functions: weakref.WeakSet[ScriptFunction] = weakref.WeakSet()


def _renew_locks() -> None:
    """A forked child has no thread that would open the locks which others held."""
    for function in _functions:
        function._lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_locks)


@dataclass
class _Version:
    """One signature compiled: its graph as written, the graph that runs, and what runs it."""

    given: Mapping[str, Any]
    compiled: CompiledFunction
    optimized: Graph
    executor: Executor

    def is_valid(self) -> bool:
        """Whether all that was folded is still so."""
        return all(guard.holds() for guard in self.compiled.guards)


class _Bound(NamedTuple):
    """A call bound to the parameters.

    Attributes:
        given: what each parameter gets in the signature.
        inputs: the graph's inputs, raw arrays for tensors wrapped.
        arguments: the same as the caller passed them.
        all_raw: whether all tensors were raw arrays, so that the results are.
    """

    given: dict[str, Any]
    inputs: list[Any]
    arguments: list[Any]
    all_raw: bool


class ScriptFunction:
    """A function compiled by jitlang. Made by `script`.

    Raises at construction:
        CompileError: the function is rejected. Undefined names, unsupported constructs and wrong
            arity are found here; types too, if every parameter is annotated, else at the first call
            per signature.
    """

    def __init__(self, function: Callable[..., Any], *, strict: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.__jitlang_function__ = function
        self.strict = strict
        try:
            self._parameters = declared_parameters(function)
            check_function(function)
        except CompileError as error:
            raise _brief(error) from None
        self._signature = inspect.signature(function, follow_wrapped=False)
        self._plain = all(p.kind in _PLAIN for p in self._parameters)
        self._versions: OrderedDict[Key, _Version] = OrderedDict()
        self._by_form: dict[Key | None, _Version] = {}
        self._latest: _Version | None = None
        self._lock = threading.RLock()
        self._warned: set[tuple[str, str]] = set()
        _functions.add(self)
        if self._plain and all(p.declared is not None for p in self._parameters):
            self._version(_declared_given(self._parameters))

    def __repr__(self) -> str:
        return f"<ScriptFunction {self.__name__}>"  # type: ignore[attr-defined]

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """A scripted method is bound like any function."""
        return self if instance is None else functools.partial(self, instance)

    # Calls --------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function.

        Raises:
            TypeError: an argument does not have its declared type, or the arguments do not fit the
                signature.
            CompileError: this signature is rejected.
            Exception: whatever the function raises, with the script's own stack as a note.
        """
        settings = config.current()
        if settings.disable:
            return self.__jitlang_function__(*args, **kwargs)
        form = None if kwargs else form_of(args)
        version = self._by_form.get(form)
        if version is not None and version.is_valid():
            self._latest = version
            return version.executor.run(args, settings)
        given, inputs, arguments, all_raw = self._enter(args, kwargs)
        version = self._version(given)
        if form is not None and len(inputs) == len(args) and not all_raw:
            self._remember(form, version, args, inputs)
        result = version.executor.run(inputs, settings, arguments)
        return unwrap(result) if all_raw else result

    def _remember(
        self, form: Key, version: _Version, args: Sequence[Any], inputs: Sequence[Any]
    ) -> None:
        """Let later calls of this form skip the checks, if the arguments are the inputs."""
        if all(a is b for a, b in zip(args, inputs, strict=True)):
            self._by_form[form] = version

    def _version(self, given: Mapping[str, Any]) -> _Version:
        key = tuple(_key_of(item) for item in given.values())
        version = self._versions.get(key)
        if version is not None and version.is_valid():
            if version is not self._latest:
                self._latest = version
                self._versions.move_to_end(key)
            return version
        with self._lock:
            if version is not None:
                version.executor.retire()
            version = self._versions[key] = self._latest = self._compile(given)
            self._versions.move_to_end(key)
            self._by_form.clear()
            while len(self._versions) > config.current().max_specializations:
                _, oldest = self._versions.popitem(last=False)
                oldest.executor.retire()
        return version

    def _compile(self, given: Mapping[str, Any]) -> _Version:
        with self._lock:
            try:
                compiled = compile_function(self.__jitlang_function__, given, strict=self.strict)
            except CompileError as error:
                raise _brief(error) from None
            self._warn(compiled.fallbacks)
            optimized = compiled.graph.copy()
            _dump("front", optimized)
            optimize(optimized)
            _dump("final", optimized)
            return _Version(given, compiled, optimized, Executor(optimized))

    def _warn(self, fallbacks: Sequence[Fallback]) -> None:
        """Warn of calls back into Python at the lines that make them, once per place."""
        for fallback in fallbacks:
            place = (fallback.name, str(fallback.span))
            if place not in self._warned:
                span = fallback.span
                warnings.warn_explicit(str(fallback), FallbackWarning, span.filename, span.line)
                self._warned.add(place)

    def _enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Bound:
        """Bind a call."""
        bound = self._bind(args, kwargs)
        entry = _Entry(self.__name__)  # type: ignore[attr-defined]
        given: dict[str, Any] = {}
        for parameter in self._parameters:
            given[parameter.name] = entry.take(parameter, bound[parameter.name])
        all_raw = entry.wrapped and not entry.tensors
        return _Bound(given, entry.inputs, entry.arguments, all_raw)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
        names = self._parameters
        if self._plain and not kwargs and len(args) == len(names):
            return {p.name: value for p, value in zip(names, args, strict=True)}
        inspect.getcallargs(self.__jitlang_function__, *args, **kwargs)  # Python's own TypeErrors
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    # Looking inside -----------------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """The graph of the latest signature, calls of other functions as `prim::CallFunction`.

        Before any call, parameters without annotation are guessed: the type of the default, else
        Tensor.
        """
        return self._shown().compiled.graph

    @property
    def inlined_graph(self) -> Graph:
        """The graph with the bodies of called functions in place of the calls."""
        graph = self.graph.copy()
        run_passes(graph, ["inline"])
        return graph

    @property
    def optimized_graph(self) -> Graph:
        """The graph that runs, after all passes."""
        return self._shown().optimized

    @property
    def schema(self) -> FunctionSchema:
        """What the function takes and returns."""
        return self._shown().compiled.schema

    @property
    def code(self) -> str:
        """The function as jitlang understood it, in the dialect of TorchScript's archives."""
        return self.code_with_constants[0]

    @property
    def code_with_constants(self) -> tuple[str, Any]:
        """`code`, and the tensors and objects that it calls `CONSTANTS.cN`."""
        compiled = self._shown().compiled
        source = to_source(compiled.graph, compiled.name, compiled.schema)
        return source.text, source.constants

    def graph_for(self, *args: Any, **kwargs: Any) -> Graph:
        """The graph that runs for arguments like these, with sizes and fusion groups. It is
        compiled where it is not yet.
        """
        bound = self._enter(args, kwargs)
        return self._version(bound.given).executor.graph_for(bound.arguments)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile for arguments like these now, instead of after the first calls."""
        bound = self._enter(args, kwargs)
        self._version(bound.given).executor.compile(bound.arguments)

    @property
    def kernels(self) -> Sequence[Any]:
        """The fused kernels of the latest signature."""
        return self._shown().executor.kernels

    def explain(self) -> Explanation:
        """What became of the latest signature: its phase, its native versions and what they are
        for, what runs in Python and why, what they refused.
        """
        return self._shown().executor.explain()

    @property
    def fallbacks(self) -> Sequence[Fallback]:
        """The calls back into Python of the latest signature: name, reason, place."""
        return self._shown().compiled.fallbacks

    def _shown(self) -> _Version:
        latest = self._latest
        if latest is None:
            latest = self._latest = self._compile({p.name: _guess(p) for p in self._parameters})
        return latest if latest.is_valid() else self._version(latest.given)


def _brief(error: CompileError) -> CompileError:
    """A rejection without the frames of the front end, which say nothing to its reader."""
    return error if config.current().verify else error.with_traceback(None)


def _dump(point: str, graph: Graph) -> None:
    """Print the graph where `config.dump` names the point."""
    if point in config.current().dump.split(","):
        print(f"-- {graph.name} {point}\n{graph}", file=sys.stderr)


_PLAIN = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


def _declared_given(parameters: Sequence[Parameter]) -> dict[str, Any]:
    return {p.name: p.declared for p in parameters}


def _guess(parameter: Parameter) -> Any:
    if parameter.declared is not None:
        return parameter.declared
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return ()
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return {}
    if parameter.default is EMPTY:
        return ty.TENSOR
    return _given_of(parameter.default, parameter.name)


def _key_of(given: Any) -> Any:
    if isinstance(given, tuple):
        return tuple(map(_key_of, given))
    if isinstance(given, Mapping):
        return tuple((name, _key_of(item)) for name, item in given.items())
    return given if isinstance(given, Type) else id(given.target)


def _given_of(value: Any, label: str) -> Any:
    """What a generic parameter gets: the type of a value, or a function or class itself."""
    if callable(value) and not isinstance(value, Tensor):
        return static(value, label)
    return ty.unshaped(type_of(value)) if not is_array_like(value) else type_of(value)


_FORMS = frozenset({Tensor, float, bool, str, type(None)})


def form_of(args: Sequence[Any]) -> Key | None:
    """What a signature depends on, cheaply told; None for arguments that need a look inside."""
    form: list[Any] = []
    for value in args:
        cls = value.__class__
        if cls in _FORMS:
            form.append(cls)
        elif cls is np.ndarray:
            dtype = value.dtype
            if not dtype.isnative:
                return None
            form.append((dtype.num, value.ndim))  # a dtype's number is hashed faster than itself
        elif cls is int and -(2**63) <= value < 2**63:
            form.append(cls)
        else:
            return None
    return tuple(form)


class _Entry:
    """Takes the arguments of one call: checks them, wraps raw arrays, collects the graph's inputs.
    """

    def __init__(self, function: str) -> None:
        self.function = function
        self.inputs: list[Any] = []
        self.arguments: list[Any] = []
        self.wrapped = False
        self.tensors = False

    def take(self, parameter: Parameter, value: Any) -> Any:
        """What the parameter gets in the signature.

        Raises:
            TypeError: the value does not have the declared type, or has one that the language
                lacks.
        """
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return tuple(self._generic(parameter.name, part) for part in value)
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return {name: self._generic(name, part) for name, part in value.items()}
        if parameter.declared is None:
            return self._generic(parameter.name, value)
        return self._declared(parameter.name, parameter.declared, value)

    def _generic(self, name: str, value: Any) -> Any:
        try:
            given = _given_of(value, name)
        except TypeError as error:
            raise TypeError(f"{self.function}() argument '{name}': {error}") from None
        if isinstance(given, Type):
            self.tensors |= isinstance(value, Tensor)
            self._pass(value, value)
        return given

    def _pass(self, value: Any, argument: Any) -> None:
        self.inputs.append(value)
        self.arguments.append(argument)

    def _declared(self, name: str, declared: Type, value: Any) -> Type:
        if type(value) is Tensor and declared is ty.TENSOR:
            self.tensors = True
            self._pass(value, value)
            return declared
        fitting = fit(value, declared)
        if fitting is None:
            raise TypeError(
                f"{self.function}() argument '{name}' expects {ty.annotation(declared)},"
                f" found {_found(value)}"
            )
        self._pass(self._wrap(value, declared), value)
        return fitting

    def _wrap(self, value: Any, declared: Type) -> Any:
        """Raw arrays given for tensors become tensors over the same memory."""
        wanted = ty.without_none(declared)
        if isinstance(wanted, ty.TensorType) and not ty.is_array(wanted):
            if is_array_like(value):
                self.wrapped = True
                return Tensor(value)
            self.tensors |= isinstance(value, Tensor)
            return value
        if isinstance(wanted, ty.TupleType) and isinstance(value, tuple):
            parts = [self._wrap(v, t) for v, t in zip(value, wanted.elements, strict=True)]
            if all(a is b for a, b in zip(parts, value, strict=True)):
                return value
            return type(value)(*parts) if wanted.field_names else tuple(parts)
        if isinstance(wanted, ty.ListType) and isinstance(value, list):
            self._wrap_list(value, wanted.element)
        return value

    def _wrap_list(self, values: list[Any], element: Type) -> None:
        """A list keeps its identity, so that the caller sees what the function does to it."""
        for position, value in enumerate(values):
            wrapped = self._wrap(value, element)
            if wrapped is not value:
                values[position] = wrapped


def fit(value: Any, declared: Type) -> Type | None:
    """The type under which a value given for a declared parameter is compiled, or None where it
    does not fit.

    A narrower number stays what it is, an array keeps its dtype, a raw array is taken for a tensor;
    what is inside a list or dict must have the declared type.
    """
    if isinstance(declared, ty.OptionalType | ty.UnionType):
        fits = any(fit(value, part) is not None for part in ty.alternatives(declared))
        return declared if fits else None
    if isinstance(declared, ty.TensorType):
        return _fit_tensor(value, declared)
    if declared in NUMBERS:
        return _fit_number(value, declared)
    if isinstance(declared, ty.TupleType):
        return _fit_tuple(value, declared)
    if isinstance(declared, ty.ListType | ty.SequenceType):
        wanted = list if isinstance(declared, ty.ListType) else tuple
        fits = isinstance(value, wanted) and all(_fits_inside(v, declared.element) for v in value)
        return declared if fits else None
    if isinstance(declared, ty.DictType):
        fits = isinstance(value, dict) and all(
            _fits_inside(k, declared.key) and _fits_inside(v, declared.value)
            for k, v in value.items()
        )
        return declared if fits else None
    return declared if conforms(value, declared) else None


def _fits_inside(value: Any, declared: Type) -> bool:
    found = fit(value, declared)
    return found is not None and (declared not in NUMBERS or found is declared)


def _fit_tensor(value: Any, declared: ty.TensorType) -> Type | None:
    if isinstance(value, Tensor):
        return ty.TENSOR
    if not is_array_like(value):
        return None
    actual = type_of(value)
    if not ty.is_array(declared):
        return ty.TENSOR
    return actual if declared.dtype is None or ty.is_subtype(actual, declared) else None


def _fit_number(value: Any, declared: Type) -> Type | None:
    for narrow in NUMBERS[: NUMBERS.index(declared) + 1]:
        if conforms(value, narrow):
            return narrow
    return None


def _fit_tuple(value: Any, declared: ty.TupleType) -> Type | None:
    if not isinstance(value, tuple) or len(value) != len(declared.elements):
        return None
    if declared.name and namedtuple_name(type(value)) != declared.name:
        return None
    parts = [fit(v, t) for v, t in zip(value, declared.elements, strict=True)]
    found = [p for p in parts if p is not None]
    return declared.with_children(found) if len(found) == len(parts) else None


def _found(value: Any) -> str:
    """The type of a value that does not fit, for the message."""
    try:
        return ty.annotation(type_of(value))
    except TypeError:
        return f"{type(value).__name__} {value!r:.60}"


def unwrap(value: Any) -> Any:
    """Results as raw arrays, for a call whose tensors were all raw arrays."""
    if isinstance(value, Tensor):
        return value._array
    if isinstance(value, tuple):
        parts = map(unwrap, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    return value


# Decorators ---------------------------------------------------------------------------------------


@overload
def script(function: Callable[..., Any], *, strict: bool = False) -> ScriptFunction: ...
@overload
def script(*, strict: bool = False) -> Callable[[Callable[..., Any]], ScriptFunction]: ...


def script(function: Callable[..., Any] | None = None, *, strict: bool = False) -> Any:
    """Compile a Python function; usable as `@script` and `@script(strict=True)`.

    Args:
        function: a function defined with `def`; its source must be at hand.
        strict: refuse calls back into Python instead of warning.

    Returns:
        A `ScriptFunction`, called like the function. With `JITLANG_DISABLE=1`, the function itself.

    Raises:
        CompileError: the function is rejected; the message shows the line, what was found, what was
            expected.
    """
    if function is None:
        return functools.partial(script, strict=strict)
    if config.current().disable:
        return function
    if isinstance(function, ScriptFunction):
        return function
    if isinstance(function, type):
        raise CompileError(
            ErrorKind.UNSUPPORTED_CALLEE,
            f"'{function.__name__}' is a class",
            hint="script its methods as functions that take what they need",
        )
    return ScriptFunction(function, strict=strict)


def ignore(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that scripts call back in Python.

    Annotate its result, so that it has a type in the script; without one it is `Any`. A call raises
    TypeError where the result does not have the declared type.
    """
    function.__jitlang_ignore__ = True  # type: ignore[attr-defined]
    return function
