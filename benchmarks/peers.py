"""The libraries that benchmarks compare with, where they are installed, and how each is called.

A peer's function gets and returns what its users hand around: arrays, torch's tensors on the same
memory, arrays of JAX (copied, as JAX keeps its own). Converting is not timed.

Functions in torch's names are written once, under `import jitlang as torch`; `under_torch` gives
the same function as torch sees it.
"""

from __future__ import annotations

import inspect
import linecache
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import jitlang as jl
from benchmarks.harness import Arguments, Variant
from benchmarks.installed import optional
from benchmarks.statistics import Target
from benchmarks.yardsticks import thread_count

Function = Callable[..., Any]

numba = optional("numba")
jax = optional("jax")
torch = optional("torch")
if torch is not None:
    torch.inference_mode().__enter__()


def deep(convert: Callable[[Any], Any], kind: type) -> Callable[[Any], Any]:
    """`convert` for everything of a kind in nested tuples and lists, which become tuples."""

    def apply(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return tuple(map(apply, value))
        return convert(value) if isinstance(value, kind) else value

    return apply


def names(variants: Mapping[str, Variant]) -> tuple[str, ...]:
    """The peers among variants: what is not ours and no yardstick."""
    own = ("jitlang", "undecorated")
    return tuple(n for n, v in variants.items() if not n.startswith(own) and not v.is_yardstick)


NEVER_SLOWER = 1.05
"""What a script may take of the time of its function without the decorator."""


def never_slower(script: str, plain: str) -> Target:
    """The target that every script has."""
    return Target(script, (plain,), NEVER_SLOWER)


# jitlang ------------------------------------------------------------------------------------------

to_tensors = deep(jl.from_numpy, np.ndarray)
from_tensors = deep(jl.Tensor.numpy, jl.Tensor)


def on_tensors(function: Function, **options: Any) -> Variant:
    """A function of jitlang's, or one that is not compiled at all, on Tensors."""
    return Variant(function, to_tensors, from_tensors, **options)


def jitlang_variants(function: Function) -> dict[str, Variant]:
    """A function of Tensors as a script, and as it is."""
    return {
        "jitlang": on_tensors(jl.script(function)),
        "undecorated": on_tensors(function),
    }


# torch --------------------------------------------------------------------------------------------


def under_torch(function: Function) -> Function:
    """A function of a module that imports jitlang as torch, with torch in jitlang's place.

    So are the other functions of its module.
    """
    namespace: dict[str, Any] = {}
    for name, value in function.__globals__.items():
        is_own = isinstance(value, types.FunctionType) and value.__module__ == function.__module__
        namespace[name] = _rebound(value, namespace) if is_own else _torch_for(value)
    rebound: Function = namespace[function.__name__]
    return rebound


def _rebound(function: types.FunctionType, namespace: dict[str, Any]) -> types.FunctionType:
    made = types.FunctionType(
        function.__code__, namespace, function.__name__, function.__defaults__
    )
    made.__annotations__ = function.__annotations__
    made.__module__ = function.__module__
    return made


def _torch_for(value: Any) -> Any:
    return {id(jl): torch, id(jl.Tensor): torch.Tensor}.get(id(value), value)


def to_torch(arguments: Arguments) -> Arguments:
    """Tensors of torch on the memory of all arrays."""
    result: Arguments = deep(torch.from_numpy, np.ndarray)(arguments)
    return result


def from_torch(value: Any) -> Any:
    """Arrays on the memory of all tensors of torch."""
    return deep(torch.Tensor.numpy, torch.Tensor)(value)


def on_torch(function: Function, **options: Any) -> Variant:
    """A function of torch's tensors."""
    return Variant(function, to_torch, from_torch, **options)


def torch_variants(
    function: Function, *, modes: Sequence[str] = ("default",), script: bool = True
) -> dict[str, Variant]:
    """torch eager, TorchScript as it is and frozen, torch.compile in some modes; all in inference
    mode. Nothing where torch is not installed.
    """
    if torch is None:
        return {}
    eager = under_torch(function)
    variants = {"torch eager": on_torch(eager)}
    if script:
        variants["TorchScript"] = on_torch(torch.jit.script(eager))
        variants["TorchScript frozen"] = on_torch(frozen(eager))
    torch.set_num_threads(thread_count())
    torch.compiler.reset()
    for mode in modes:
        compiled = torch.compile(eager, dynamic=False, mode=mode)
        name = "torch.compile" if mode == "default" else f"torch.compile {mode}"
        variants[name] = on_torch(compiled, starts_slowly=True)
    return variants


def frozen(function: Function) -> Function:
    """A function as the only method of a module that is frozen and optimised for inference."""
    source = _forward_source(function)
    filename = f"<forward of {function.__name__}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = {**function.__globals__, "function": torch.jit.script(function)}
    exec(compile(source, filename, "exec"), namespace)
    module_class = type("Frozen", (torch.nn.Module,), {"forward": namespace["forward"]})
    module = torch.jit.freeze(torch.jit.script(module_class().eval()))
    optimized: Function = torch.jit.optimize_for_inference(module)
    return optimized


def _forward_source(function: Function) -> str:
    names = list(inspect.signature(function).parameters)
    types_ = function.__annotations__
    declared = [f"{name}: {types_[name]}" for name in names]
    header = f"def forward(self, {', '.join(declared)}) -> {types_['return']}:"
    return f"{header}\n    return function({', '.join(names)})\n"


# JAX ----------------------------------------------------------------------------------------------


def jax_variants(function: Function, *, donated: Sequence[int] = ()) -> dict[str, Variant]:
    """A function of JAX's arrays, compiled; and once more with donated arguments, if there are."""
    if jax is None:
        return {}
    variants = {"jax.jit": _on_jax(jax.jit(function))}
    if donated:
        compiled = jax.jit(function, donate_argnums=tuple(donated))
        variants["jax.jit donated"] = _on_jax(compiled)
    return variants


def _on_jax(compiled: Function) -> Variant:
    def call(*arguments: Any) -> Any:
        return jax.block_until_ready(compiled(*arguments))

    copy = deep(jax.numpy.array, np.ndarray)

    def prepare(arguments: Arguments) -> Arguments:
        result: Arguments = jax.block_until_ready(copy(arguments))
        return result

    return Variant(call, prepare, deep(np.asarray, jax.Array))


# numba --------------------------------------------------------------------------------------------


def numba_variants(function: Function, *, parallel: Function | None = None) -> dict[str, Variant]:
    """A function compiled with and without `fastmath`; and one that may use all threads, too."""
    if numba is None:
        return {}
    variants = {
        "numba": Variant(numba.njit(function)),
        "numba fastmath": Variant(numba.njit(function, fastmath=True)),
    }
    if parallel is not None:
        variants["numba parallel"] = Variant(numba.njit(parallel, parallel=True))
        quick = numba.njit(parallel, parallel=True, fastmath=True)
        variants["numba parallel fastmath"] = Variant(quick)
    return variants
