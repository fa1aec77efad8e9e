"""The phases of a compiled signature: watched, then fast.

    COLD         no call yet
    PROFILING    the interpreter runs; the layouts of arguments are counted
    SPECIALIZED  native functions for the layouts seen most, the *static versions*; what they refuse
                 runs in the generic form, and a layout that keeps coming back gets a version
    GENERIC      there will be no more versions: what they refuse runs in the generic form

`TRANSITIONS` is the whole machine. The generic form (`generic.py`) serves every layout; it is made
when a call first needs it. A version refuses before it has done anything, so nothing is done twice.

The interpreter is the reference: a faster form gives its results (with jitlang's own elementary
functions, as its exact mode does), exceptions and effects.

No call waits for another thread's compilation: it runs in what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import Any

from .. import background, config
from ..background import compiling
from ..codegen import MISS, compile_static
from ..fuser.plan import Unsupported
from ..ir import types as ty
from ..ir.graph import IF, LOOP, Graph
from ..passes.gradients import constant_tensors
from ..tensor.grad_mode import is_grad_enabled
from ..tensor.recording import requires_grad
from .callback import callback_of, describe_callback
from .explain import Explanation, VersionExplanation, groups_of, node_count
from .generic import GenericForm, interpreted, make_generic
from .layout import (
    Layout,
    differing_sizes,
    first_difference,
    is_plain,
    layouts_of,
    wants_gradients,
    without_sizes,
)
from .machine import Routine, assemble
from .profile import FlowCounts, Profile

MAX_WATCHED = 32
"""Layouts that are counted in search of one worth a static version."""
MAX_ATTEMPTS = 4
"""Versions that take other sizes which may be made, one after the other: sizes may begin to differ
later.
"""
MAX_MISSES = 64
"""Calls that are looked at for that, once there will be no more static versions."""
PAUSE = 1024
"""Calls that are not, while another thread makes such a version."""


class Phase(Enum):
    """Where a signature stands."""

    COLD = "cold"
    PROFILING = "profiling"
    SPECIALIZED = "specialized"
    GENERIC = "generic"


class Event(Enum):
    """What moves a signature from one phase to another."""

    CALLED = "a call"
    PROFILED = "enough calls were watched, or compilation was asked for"
    UNSUPPORTED = "the graph has no native form for one layout"
    USED_UP = "a call missed, and no more versions or layouts to count are allowed"


TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    (Phase.COLD, Event.CALLED): Phase.PROFILING,
    (Phase.COLD, Event.PROFILED): Phase.SPECIALIZED,
    (Phase.PROFILING, Event.PROFILED): Phase.SPECIALIZED,
    (Phase.SPECIALIZED, Event.UNSUPPORTED): Phase.GENERIC,
    (Phase.SPECIALIZED, Event.USED_UP): Phase.GENERIC,
}
"""The phases that events lead to; an event that has no line here changes nothing."""

Compiler = Callable[..., Any]
"""Called like `codegen.compile_static`."""


class Version:
    """A static version.

    Attributes:
        function: takes the arguments as the caller passed them (raw arrays may stand for tensors)
            and gives what the caller gets, or `codegen.MISS`, having done nothing.
        layouts: what it was compiled for; empty where it takes tensors of other sizes too.
        form: what is left of these then, see `layout.without_sizes`.
        compiled: the function with its graph, guards and callbacks (a `codegen` StaticFunction).
        served: how many calls it served from here.
        entered: counts the calls that came to it past the executor, if there may be any (an
            `entry.Version` of `codegen`).
    """

    __slots__ = ("compiled", "entered", "form", "function", "layouts", "served")

    def __init__(self, layouts: tuple[Layout, ...], compiled: Any, form: Any = None) -> None:
        self.layouts = layouts
        self.form = form
        self.compiled = compiled
        self.function: Callable[..., Any] = compiled.function
        self.served = 0
        self.entered: Any = None

    @property
    def calls(self) -> int:
        """How many calls it served."""
        entered = 0 if self.entered is None else int(self.entered.calls)
        return self.served + entered


class Executor:
    """Runs one signature, by the interpreter first and natively once it has been called often
    enough.

    Attributes:
        graph: the optimised graph.
        phase: where the signature stands.
        versions: the static versions, most recently used first.
        on_version: called with each version that is added.
        on_retire: called with each version that is dropped; its function stays callable.
        entered: count the calls of the generic form that came past the executor.
    """

    def __init__(self, graph: Graph, compiler: Compiler = compile_static) -> None:
        self.graph = graph
        self.phase = Phase.COLD
        self.versions: tuple[Version, ...] = ()
        self.on_version: Callable[[Version], None] = _ignore
        self.on_retire: Callable[[Version], None] = _ignore
        self.profile = Profile([value.name for value in graph.inputs])
        self.interpreted_calls = 0
        self.entered: list[Any] = []
        self._generic_served = 0
        self._dropped_calls = 0
        self._compiler = compiler
        self._generic: GenericForm | None = None
        self._not_specialized = ""
        self._not_recorded: dict[tuple[Layout, ...], str] = {}  # layouts without version, and why
        self._not_for_any_size = ""
        self._failures: list[str] = []
        self._attempts = 0  # to make a version that takes other sizes
        self._varying: dict[Any, frozenset[Any]] = {}  # what differed then, by form
        self._misses_left = MAX_MISSES
        self._pause = 0  # calls that ask for no such version, since one is being made
        self._is_retired = False
        self._flow = FlowCounts()
        self._routines: dict[tuple[bool, bool], Routine] = {}
        self._counting: Routine | None = None
        self._constants = tuple(constant_tensors(graph))
        given = any(ty.has_tensors(value.type) for value in graph.inputs)
        self._has_tensors = given or bool(self._constants)

    # Calls --------------------------------------------------------------------------------------

    def run(
        self,
        inputs: Sequence[Any],
        settings: config.Config,
        given: Sequence[Any] | None = None,
    ) -> Any:
        """Run the graph.

        Args:
            inputs: one argument per graph input, tensors as `Tensor`.
            settings: the settings in force.
            given: the same as the caller passed them, with raw arrays for tensors; static versions
                take these.

        Returns:
            The graph's output. With all tensors given as raw arrays, a static version gives raw
            arrays, the other forms `Tensor`s.
        """
        records = (
            self._has_tensors
            and is_grad_enabled()
            and requires_grad((*inputs, *self._constants))
        )
        if settings.exact or not settings.native:
            return self.interpreter(settings.exact, records=records)(*inputs)
        arguments = inputs if given is None else given
        found = self._by_version(arguments)
        if found is not MISS:
            return found
        settled = self._generic if self._pause else self.settled
        if settled is not None:
            self._pause = max(self._pause - 1, 0)
            self._generic_served += 1
            return settled.served_by(records)(*inputs)
        return self._watch(inputs, arguments, settings, records)

    def _by_version(self, arguments: Sequence[Any]) -> Any:
        for version in self.versions:
            result = version.function(*arguments)
            if result is not MISS:
                version.served += 1
                self._prefer(version)
                return result
        return MISS

    def _prefer(self, version: Version) -> None:
        """Let a version be tried first."""
        if version is self.versions[0]:
            return
        with compiling.unless_busy() as taken:
            if taken and version in self.versions:
                others = (each for each in self.versions if each is not version)
                self.versions = (version, *others)

    def _watch(
        self,
        inputs: Sequence[Any],
        arguments: Sequence[Any],
        settings: config.Config,
        records: bool,
    ) -> Any:
        """Serve a call that no version took, and see whether its layout is worth one."""
        layouts = layouts_of(arguments)
        seen = self.profile.saw(layouts)
        if self.phase in (Phase.COLD, Phase.PROFILING):
            if self.interpreted_calls < settings.num_profiled_runs:
                self._on(Event.CALLED)
                self.interpreted_calls += 1
                return self._watched(records)(*inputs)
            self._on(Event.PROFILED)
        else:
            self.profile.missed(self._refusal(layouts))
        is_due = (
            seen > settings.num_profiled_runs
            and all(map(is_plain, layouts))
            and layouts not in self._not_recorded
        )
        if self._is_open(settings) and is_due:
            self._request_version(layouts, arguments, settings)
            result = self._by_version(arguments)
            if result is not MISS:
                return result
        if self.phase is Phase.GENERIC and self._misses_left:
            if all(map(is_plain, layouts)) and self._varies_anew(layouts):
                self._request_any_size(layouts, arguments, settings)
                result = self._by_version(arguments)
                if result is not MISS:
                    return result
            else:
                self._misses_left -= 1
        return self._run_generic(inputs, settings, records)

    def _varies_anew(self, layouts: tuple[Layout, ...]) -> bool:
        """Whether sizes differ that did not when a version for other sizes was last made."""
        if self._attempts >= MAX_ATTEMPTS:
            return False
        known = self._varying.get(tuple(map(without_sizes, layouts)), frozenset())
        return not differing_sizes(self.profile.shapes_like(layouts)) <= known

    def _is_open(self, settings: config.Config) -> bool:
        """Whether one more version is allowed."""
        if self.phase is not Phase.SPECIALIZED:
            return False
        is_full = len(self.versions) >= settings.static_versions
        if is_full or len(self.profile.layouts) > MAX_WATCHED:
            self._on(Event.USED_UP)
            return False
        return True

    def _run_generic(self, inputs: Sequence[Any], settings: config.Config, records: bool) -> Any:
        if self._generic is None:
            self._request_generic(settings)
        if self._generic is None:
            self.interpreted_calls += 1
            return self._watched(records)(*inputs)
        self._generic_served += 1
        return self._generic.served_by(records)(*inputs)

    def _refusal(self, layouts: tuple[Layout, ...]) -> str:
        """Why the version that was used last did not take these arguments."""
        if not self.versions:
            return "no version yet"
        fixed = next((version for version in self.versions if version.layouts), None)
        if fixed is None:
            return "tensors of different sizes, or strided"
        found = first_difference(self.profile.names, layouts, fixed.layouts)
        return found or "values of arguments differ from those that were compiled for"

    def _on(self, event: Event) -> None:
        self.phase = TRANSITIONS.get((self.phase, event), self.phase)

    # Compilation --------------------------------------------------------------------------------

    def compile(self, arguments: Sequence[Any]) -> None:
        """Compile for arguments like these now. Where there are as many versions as the settings
        allow, the least recently used is dropped.
        """
        settings = config.current()
        self._on(Event.PROFILED)
        layouts = layouts_of(arguments)
        with compiling, config.override(executor="blocking"):
            if settings.static_versions > 0 and not self._has_version(layouts):
                self._specialize(layouts, arguments)
            if not self._has_version(layouts):
                self._make_generic()

    def _has_version(self, layouts: tuple[Layout, ...]) -> bool:
        return any(version.layouts == layouts for version in self.versions)

    def retire(self) -> None:
        """Drop all versions; there will be no others."""
        with compiling:
            self._is_retired = True
            dropped, self.versions = self.versions, ()
        for version in dropped:
            self._drop(version)

    def _drop(self, version: Version) -> None:
        self.on_retire(version)
        self._dropped_calls += version.calls

    def _request_version(
        self, layouts: tuple[Layout, ...], arguments: Sequence[Any], settings: config.Config
    ) -> None:
        """Make a version, now or later, unless another thread is compiling."""
        if settings.executor == "background":
            task = partial(self._specialize_if_due, layouts, arguments)
            background.submit((self, layouts), task, self._note_failure)
            return
        with compiling.unless_busy() as taken:
            if taken:
                self._specialize_if_due(layouts, arguments)

    def _request_any_size(
        self, layouts: tuple[Layout, ...], arguments: Sequence[Any], settings: config.Config
    ) -> None:
        """Make a version for other sizes too, now or later, where the graph has such a form."""
        if settings.executor == "background":
            self._pause = PAUSE
            task = partial(self._specialize_for_any_size, layouts, arguments)
            background.submit((self, ()), task, self._note_failure)
            return
        with compiling.unless_busy() as taken:
            if taken:
                self._specialize_for_any_size(layouts, arguments)

    def _specialize_for_any_size(
        self, layouts: tuple[Layout, ...], arguments: Sequence[Any]
    ) -> None:
        with compiling:
            if self._is_retired or not self._varies_anew(layouts):
                return
            form, seen = tuple(map(without_sizes, layouts)), self.profile.shapes_like(layouts)
            self._pause = PAUSE
            self._attempts += 1
            self._varying[form] = differing_sizes(seen)
            made, self._not_for_any_size = self._attempt(partial(
                self._compiler, self.graph, arguments, callback_of, any_size=True, shapes=seen
            ))  # fmt: skip
            self._pause = 0
            if made is None:
                return
            version = Version((), made, form)
            replaced = [each for each in self.versions if each.form == form]
            self.versions = (*(v for v in self.versions if v not in replaced), version)
            self.on_version(version)
            for dropped in replaced:
                self._drop(dropped)
            if made.takes_all_sizes:
                self._misses_left = 0

    def _request_generic(self, settings: config.Config) -> None:
        """Make the form for all layouts, now or later, unless another thread is compiling."""
        if settings.executor == "background":
            background.submit((self, None), self._make_generic, self._note_failure)
            return
        with compiling.unless_busy() as taken:
            if taken:
                self._make_generic()

    def _specialize_if_due(self, layouts: tuple[Layout, ...], arguments: Sequence[Any]) -> None:
        """Make a version, unless another thread has just done so."""
        if self.profile.since(layouts) > config.current().num_profiled_runs:
            self._specialize(layouts, arguments)

    def _specialize(self, layouts: tuple[Layout, ...], arguments: Sequence[Any]) -> None:
        """Make a version, unless there can be none."""
        with compiling:
            if self._not_specialized or self._is_retired:
                return
            compile = partial(self._compiler, self.graph, arguments, callback_of)
            made, reason = self._attempt(compile)
            if made is None and any(map(wants_gradients, layouts)):
                self._not_recorded[layouts] = reason  # without gradients there may be one
                return
            self._not_specialized = reason
            if made is None:
                self._misses_left = 0  # other sizes make nothing better
                self._on(Event.UNSUPPORTED)
                return
            self.profile.compiled(layouts)
            self._add(Version(layouts, made))

    def _add(self, version: Version) -> None:
        kept = max(config.current().static_versions, 1)
        fixed = [version, *(each for each in self.versions if each.layouts)]
        of_any_size = [each for each in self.versions if not each.layouts]
        self.versions = (*fixed[:kept], *of_any_size)
        self.on_version(version)
        for dropped in fixed[kept:]:
            self._drop(dropped)

    def _make_generic(self) -> None:
        """Make the form for all layouts, unless it is there."""
        with compiling:
            if self._generic is None:
                made, reason = self._attempt(partial(make_generic, self.graph, self.interpreter))
                self._generic = made or interpreted(self.graph, self.interpreter(), reason)

    def _attempt(self, compile: Callable[[], Any]) -> tuple[Any, str]:
        """What a compilation gives, or None and the reason. That it fails is no matter of the
        caller.
        """
        try:
            return compile(), ""
        except Unsupported as reason:
            return None, str(reason)
        except Exception as error:  # a bug, but calls still have the interpreter; `explain` tells
            if config.current().verify and not background.is_worker():
                raise
            self._note_failure(error)
            return None, "the compiler failed"

    def _note_failure(self, error: Exception) -> None:
        self._failures.append(f"{type(error).__name__}: {error}")

    # Looking inside -----------------------------------------------------------------------------

    def interpreter(self, exact: bool = False, *, records: bool = False) -> Routine:
        """The interpreter's form of the graph; one whose results know of gradients if asked."""
        found = self._routines.get((exact, records))
        if found is None:
            found = assemble(self.graph, exact=exact, records=records)
            self._routines[exact, records] = found
        return found

    def _watched(self, records: bool) -> Routine:
        """The interpreter's form that counts branches and trips, where there are any; those of
        calls that record are not counted.
        """
        if records:
            return self.interpreter(records=True)
        if self._counting is None:
            has_flow = any(node.kind in (IF, LOOP) for node in self.graph.walk())
            self._counting = (
                assemble(self.graph, flow=self._flow) if has_flow else self.interpreter()
            )
        return self._counting

    def graph_for(self, arguments: Sequence[Any]) -> Graph:
        """The graph that runs for arguments like these, compiled if need be."""
        self.compile(arguments)
        layouts = layouts_of(arguments)
        for version in self.versions:
            if version.layouts == layouts:
                found: Graph = version.compiled.graph
                return found
        return self.graph if self._generic is None else self._generic.graph

    @property
    def settled(self) -> GenericForm | None:
        """The form that serves for good what the versions refuse, or None while that may change."""
        is_final = self.phase is Phase.GENERIC and not self._misses_left and not self._is_retired
        return self._generic if is_final else None

    @property
    def holds_tensors(self) -> bool:
        """Whether the graph has tensors of its own, which may come to require gradients."""
        return bool(self._constants)

    @property
    def generic_calls(self) -> int:
        """Calls that the generic form served."""
        return self._generic_served + sum(int(each.calls) for each in self.entered)

    @property
    def calls(self) -> int:
        """Calls so far."""
        own = self.interpreted_calls + self.generic_calls + self._dropped_calls
        return own + sum(version.calls for version in self.versions)

    @property
    def kernels(self) -> Sequence[Any]:
        """The generated code, as objects with a `text`: static versions, then the fused kernels of
        the generic form.
        """
        generic = () if self._generic is None else self._generic.kernels
        return [*(version.compiled for version in self.versions), *generic]

    def explain(self) -> Explanation:
        """What became of the signature."""
        generic = self._generic
        return Explanation(
            phase=self.phase,
            calls=self.calls,
            interpreted=self.interpreted_calls,
            versions=[self._explain_version(version) for version in self.versions],
            seen=self.profile.seen(),
            flow=self._flow.lines(),
            form=generic.form if generic is not None else None,
            generic_calls=self.generic_calls,
            reason=generic.reason if generic is not None else "",
            groups=groups_of(generic.graph) if generic is not None else [],
            callbacks=[describe_callback(n) for n in generic.callbacks] if generic else [],
            bailouts=generic.bailouts if generic is not None else {},
            not_specialized=self._not_specialized or next(iter(self._not_recorded.values()), ""),
            not_for_any_size=self._not_for_any_size,
            misses=dict(self.profile.misses),
            failures=list(self._failures),
        )

    def _layout_texts(self, version: Version) -> dict[str, str]:
        if not version.layouts:
            return {}
        return dict(zip(self.profile.names, map(str, version.layouts), strict=True))

    def _explain_version(self, version: Version) -> VersionExplanation:
        compiled = version.compiled
        return VersionExplanation(
            arguments=self._layout_texts(version),
            guards=list(map(str, compiled.guards)),
            groups=groups_of(compiled.graph),
            callbacks=[describe_callback(node) for node in compiled.callbacks],
            nodes=node_count(compiled.graph) - len(compiled.callbacks),
            calls=version.calls,
        )


def _ignore(version: Version) -> None:
    """What happens to a version that nobody cares about."""
