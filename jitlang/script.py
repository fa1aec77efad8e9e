"""`script`: a Python function compiled on demand, one graph per signature.

A `ScriptFunction` is called like the function it was made from. A call's arguments decide the
signature; the first call with a signature compiles it, later ones test the guards (what was folded
from globals and closures) and run. `fn.graph`, `fn.code`, `fn.schema` show what was understood.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from . import config, dtypes
from .codegen import load, open_entry
from .errors import CompileError, ErrorKind, FallbackWarning
from .frontend.arguments import (
    Binder,
    Bound,
    Key,
    constants_of,
    guess,
    key_of,
    take_arguments,
    unwrap,
    wrapped_places,
)
from .frontend.check import check_function
from .frontend.emitter import Fallback
from .frontend.forms import Form, form_of, has_containers, look_for
from .frontend.function import (
    CompiledFunction,
    compile_function,
    declared_parameters,
)
from .interp.executor import Executor
from .interp.executor import Version as StaticVersion
from .interp.explain import Explanation
from .ir.graph import Graph
from .ir.schema import FunctionSchema
from .ir.source import to_source
from .passes.manager import optimize, run_passes
from .tensor.core import Tensor, box

if TYPE_CHECKING:
    from .codegen.entry import Entry

_functions: weakref.WeakSet[ScriptFunction] = weakref.WeakSet()


def _renew_locks() -> None:
    """A forked child has no thread that would open the locks which others held."""
    for function in _functions:
        function._renew_locks()


os.register_at_fork(after_in_child=_renew_locks)


def _forget_versions() -> None:
    """What was compiled holds for the default dtype of its time."""
    for function in list(_functions):
        function.forget()


dtypes.watch_default_dtype(_forget_versions)


@dataclass(eq=False)
class _Version:
    """One signature compiled: its graph as written, the graph that runs, and what runs it."""

    given: Mapping[str, Any]
    compiled: CompiledFunction
    optimized: Graph
    executor: Executor

    def is_valid(self) -> bool:
        """Whether all that was folded is still so."""
        return all(guard.holds() for guard in self.compiled.guards)


@dataclass(eq=False, slots=True)
class _Known:
    """What to do with arguments of a form that was seen: which become tensors, what runs."""

    version: _Version
    wrapped: Sequence[int]
    all_raw: bool
    was_settled: bool = False

    def run(self, args: Sequence[Any], settings: config.Config) -> Any:
        """Run the version on arguments in the order of the parameters."""
        if not self.wrapped:
            return self.version.executor.run(args, settings)
        result = self.version.executor.run(self._inputs(args), settings, args)
        return unwrap(result) if self.all_raw else result

    def taking_all(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the graph's inputs as one of arguments of this form."""
        if not self.wrapped:
            return function

        def run(*args: Any) -> Any:
            result = function(*self._inputs(args))
            return unwrap(result) if self.all_raw else result

        return run

    def _inputs(self, args: Sequence[Any]) -> Sequence[Any]:
        inputs = list(args)
        for place in self.wrapped:
            inputs[place] = box(inputs[place])
        return inputs


class ScriptFunction:
    """A function compiled by jitlang. Made by `script`.

    Raises at construction:
        CompileError: the function is rejected. Undefined names, unsupported constructs and wrong
            arity are found here; types too, if every parameter is annotated, else at the first call
            per signature.
    """

    __slots__ = ("__dict__", "__weakref__", "_table", "_vectorcall")  # the words: codegen/entry.py

    def __init__(self, function: Callable[..., Any], *, strict: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.__jitlang_function__ = function
        self.strict = strict
        try:
            self._parameters = declared_parameters(function)
            check_function(function)
        except CompileError as error:
            raise _brief(error) from None
        self._binder = Binder(function, self._parameters)
        self._versions: OrderedDict[Key, _Version] = OrderedDict()
        self._looks = [look_for(parameter.declared) for parameter in self._parameters]
        self._by_form: dict[Form | None, _Known] = {}
        self._last: _Version | None = None
        self._entry: Entry | None = None
        self._entered: dict[Any, _Version] = {}
        self._renew_locks()
        self._warned: set[tuple[str, str]] = set()
        _functions.add(self)
        if config.current().executor == "background":
            self._load_compiler()
        if all(p.declared is not None for p in self._parameters):
            self._version({p.name: p.declared for p in self._parameters})

    def _renew_locks(self) -> None:
        self._lock = threading.RLock()
        self._entry_lock = threading.Lock()  # of its own: an executor may hold a lock meanwhile
        if self._entry is not None:
            self._entry.renew_lock()

    def __repr__(self) -> str:
        return f"<ScriptFunction {self.__name__}>"  # type: ignore[attr-defined]

    def __reduce__(self) -> str:
        """Pickled by name and copied as itself, as functions are."""
        return self.__qualname__  # type: ignore[attr-defined,no-any-return]

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
        ordered = self._binder.in_order(args, kwargs)
        form = None if ordered is None else form_of(ordered, self._looks)
        known = self._by_form.get(form)
        if known is not None and ordered is not None and known.version.is_valid():
            self._last = known.version
            result = known.run(ordered, settings)
            if not known.was_settled:
                self._settle(form, known)
            return result
        bound = self._enter(args, kwargs)
        version = self._version(bound.given)
        if form is not None and ordered is not None:
            wrapped = wrapped_places(ordered, bound.inputs)
            if wrapped is not None:
                self._by_form[form] = _Known(version, wrapped, bound.all_raw)
        result = version.executor.run(bound.inputs, settings, bound.arguments)
        return unwrap(result) if bound.all_raw else result

    def _version(self, given: Mapping[str, Any]) -> _Version:
        key = tuple(map(key_of, given.values()))
        version = self._versions.get(key)
        if version is not None and version.is_valid():
            if version is not self._last:
                self._last = version
                self._versions.move_to_end(key)
            return version
        with self._lock:
            if version is not None:
                self._retire(version)
            version = self._versions[key] = self._last = self._compile(given)
            self._versions.move_to_end(key)
            self._by_form.clear()
            while len(self._versions) > config.current().max_specializations:
                _, oldest = self._versions.popitem(last=False)
                self._retire(oldest)
        return version

    def forget(self) -> None:
        """Drop everything that was compiled; later calls compile anew."""
        with self._lock:
            versions = list(self._versions.values())
            self._versions.clear()
            self._by_form.clear()
            self._last = None
        for version in versions:
            self._retire(version)

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
            version = _Version(given, compiled, optimized, Executor(optimized))
            version.executor.on_version = functools.partial(self._let_in, version)
            version.executor.on_retire = self._keep_out
            return version

    def _warn(self, fallbacks: Sequence[Fallback]) -> None:
        """Warn of calls back into Python at the lines that make them, once per place."""
        for fallback in fallbacks:
            place = (fallback.name, str(fallback.span))
            if place not in self._warned:
                span = fallback.span
                warnings.warn_explicit(str(fallback), FallbackWarning, span.filename, span.line)
                self._warned.add(place)

    def _enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Bound:
        """Bind a call."""
        values = self._binder.bind(args, kwargs)
        return take_arguments(self.__name__, self._parameters, values)  # type: ignore[attr-defined]

    # Calls that do not come through Python ------------------------------------------------------

    def _load_compiler(self) -> None:
        """Have what every native function needs, so that no call waits for it."""
        load()
        with self._entry_lock:
            self._opened()

    def _opened(self) -> Entry | None:
        """The entry, where there can be one; needs its lock."""
        if self._entry is None:
            self._entry = open_entry(self, self._parameters, self.__call__)
        return self._entry

    def _let_in(self, version: _Version, compiled: StaticVersion) -> None:
        """Have calls that a native function serves go there at once, if that can be."""
        with self._entry_lock:
            entry = self._opened()
            if entry is None:
                return
            guards, constants = version.compiled.guards, constants_of(version.given.values())
            compiled.entered = entry.add(
                compiled.function, guards, constants, takes_more=not compiled.layouts
            )
            if compiled.entered is not None:
                self._entered[compiled.entered] = version

    def _settle(self, form: Form | None, known: _Known) -> None:
        """The same for what no native function serves, once it is certain what will."""
        version = known.version
        if not self._entry_lock.acquire(blocking=False):
            return  # another thread lets a version in; a later call will do
        try:
            general = version.executor.settled
            if general is None or form is None or known.was_settled:
                return
            known.was_settled = True
            if version.executor.holds_tensors:
                return  # whether results require gradients is asked anew in each call
            if has_containers(form):
                return  # native code does not look inside
            entry = self._opened()
            if entry is None:
                return
            guards = version.compiled.guards
            if general.kernel is not None:
                result = np.ndarray if known.all_raw or general.gives_array else Tensor
                entered = entry.add_general(general.kernel, form, guards, kernel_result=result)
            else:
                function = known.taking_all(general.direct)
                entered = entry.add_general(function, form, guards)
            if entered is not None:
                version.executor.entered.append(entered)
                self._entered[entered] = version
        finally:
            self._entry_lock.release()

    def _retire(self, version: _Version) -> None:
        """No call shall come to a signature any more."""
        version.executor.retire()
        for entered in version.executor.entered:
            self._shut_out(entered)

    def _keep_out(self, compiled: StaticVersion) -> None:
        """No call shall come to a native function any more."""
        if compiled.entered is not None:
            self._shut_out(compiled.entered)

    def _shut_out(self, entered: Any) -> None:
        with self._entry_lock:
            assert self._entry is not None
            self._entry.remove(entered)
            self._entered.pop(entered, None)

    @property
    def _latest(self) -> _Version | None:
        """The signature of the latest call."""
        entered = self._entry.latest if self._entry is not None else None
        return self._last if entered is None else self._entered.get(entered, self._last)

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
        """The generated code of the latest signature, as objects with a `text` in LLVM's language:
        static versions, then the fused kernels of the form for all layouts.
        """
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
            guessed = {p.name: guess(p) for p in self._parameters}
            latest = self._last = self._compile(guessed)
        return latest if latest.is_valid() else self._version(latest.given)


def _brief(error: CompileError) -> CompileError:
    """A rejection without the frames of the front end, which say nothing to its reader."""
    return error if config.current().verify else error.with_traceback(None)


def _dump(point: str, graph: Graph) -> None:
    """Print the graph where `config.dump` names the point."""
    if point in config.current().dump.split(","):
        print(f"-- {graph.name} {point}\n{graph}", file=sys.stderr)


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
