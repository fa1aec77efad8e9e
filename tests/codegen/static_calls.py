"""Native functions for arguments of one layout, beside the interpreter."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor
from jitlang.codegen import MISS, compile_static
from jitlang.fuser.plan import Unsupported
from jitlang.interp.callback import callback_of
from jitlang.interp.machine import assemble


def compiled(script: Any, *args: Any) -> tuple[Any, Any, list[Any]]:
    """The native function for arguments, the optimised graph, and the graph's inputs."""
    given, inputs, arguments, _ = script._enter(args, {})
    graph = script._version(given).optimized
    return compile_static(graph, arguments, callback_of), graph, inputs


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *leaves(list(value.values()))]
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def assert_same(got: Any, wanted: Any, *, exact: bool) -> None:
    assert type(got) is type(wanted)
    for mine, theirs in zip(leaves(got), leaves(wanted), strict=True):
        assert type(mine) is type(theirs)
        if isinstance(mine, Tensor):
            mine, theirs = mine.numpy(), theirs.numpy()
        if isinstance(mine, np.ndarray):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
            steps = zip(mine.shape, mine.strides, theirs.strides, strict=True)
            assert not mine.size or all(n == 1 or a == b for n, a, b in steps)
        if exact or isinstance(mine, str):
            np.testing.assert_array_equal(mine, theirs)
        else:
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def check(function: Callable[..., Any], *args: Any, exact: bool = True) -> Any:
    """Native and interpreted results agree, twice; returns the native function."""
    version, graph, inputs = compiled(jl.script(function), *args)
    wanted = assemble(graph, exact=True)(*inputs)
    for _ in range(2):
        got = version.function(*args)
        assert got is not MISS
        assert_same(got, wanted, exact=exact)
    assert version.callbacks == []
    return version


def refused(function: Callable[..., Any], *args: Any) -> str:
    with pytest.raises(Unsupported) as caught:
        compiled(jl.script(function), *args)
    return str(caught.value)


def assert_no_leak(call: Callable[[], object], times: int = 200) -> None:
    """No object stays behind a call; the first calls may fill caches."""
    counts = []
    for _ in range(3):
        for _ in range(times):
            call()
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert counts[2] <= counts[1], counts
