"""Lists of numbers that change between their display and the row that takes them.

Whoever compiles must not take the elements of the display for those of the list.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor

WAYS = {
    "append": "v: list[int] = []\n    for i in range(n):\n        v.append(i)",
    "append twice": "v: list[int] = []\n    v.append(0)\n    v.append(n - 1)",
    "set": "v = [0, 0]\n    v[1] = n - 1",
    "set in a loop": "v = [0, 0]\n    for i in range(2):\n        v[i] = i",
    "extend": "v = [0]\n    v.extend([n - 1])",
    "add in place": "v = [0]\n    v += [1]",
    "pop": "v = [0, 1, 1]\n    v.pop()",
    "insert": "v = [1]\n    v.insert(0, 0)",
    "on a branch": "v = [0]\n    if n > 1:\n        v.append(1)\n    else:\n        v.append(0)",
    "another name": "v = [0]\n    w = v\n    w.append(1)",
    "clear": "v = [3, 4, 5]\n    v.clear()\n    v.append(0)\n    v.append(1)",
    "reverse": "v = [1, 0]\n    v.reverse()",
    "sort": "v = [1, 0]\n    v.sort()",
    "in a tuple": "v = [0]\n    t = (v, 1)\n    t[0].append(1)",
    "del": "v = [0, 5, 1]\n    del v[1]",
}
"""All give [0, 1]."""
READERS = {
    "tensor": "return jl.tensor(v) + x.sum()",
    "sum": "return x.sum(v)",
    "permute": "return x.permute(v) + 1",
    "zeros": "return jl.zeros([a + 2 for a in v]) + x.mean()",
    "index": "return x[jl.tensor(v)] * 2",
    "flip": "return jl.flip(x, v) * 2",
    "roll": "return jl.roll(x, v, [0, 1]) * 2",
    "mean": "return (x * 2).mean(v, keepdim=True) - x",
    "amax": "return jl.amax(x, v)",
    "expand": "v[0] = 3\n    v[1] = 4\n    return x.sum().expand(v) * 2",
    "repeat": "v[0] = 1\n    return x.repeat(v) * 2",
    "view": "v[0] = 2\n    v[1] = -1\n    return x.view(v) * 2",
    "split": "v[0] = 1\n    v[1] = 3\n    a, b = jl.split(x, v, 1)\n    return a.sum() + b",
    "full": "v[0] = 2\n    return jl.full(v, 1.5) + x.sum()",
    "new": "v[0] = 2\n    return x.new_zeros(v) + x.sum()",
    "draw": "v[0] = 2\n    return jl.rand(v) * 0 + x.sum()",
    "strides": "v[0] = 2\n    v[1] = 2\n    return jl.as_strided(x, v, [1, 2]) * 3",
    "normalized": "v.clear()\n    v.append(4)\n    return jl.nn.functional.layer_norm(x, v)",
}
EVERY_WAY = ("tensor", "sum", "split", "full", "draw")
EVERY_READER = ("append", "set")
CASES = sorted({*itertools.product(WAYS, EVERY_WAY), *itertools.product(EVERY_READER, READERS)})
CALLS = 5


def function_of(way: str, reader: str) -> Callable[..., Any]:
    source = f"def changed(x: Tensor, n: int) -> Tensor:\n    {WAYS[way]}\n    {READERS[reader]}\n"
    filename = f"<list changed by {way}, read by {reader}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"jl": jl, "Tensor": Tensor}
    exec(compile(source, filename, "exec"), namespace)
    found: Callable[..., Any] = namespace["changed"]
    return found


@pytest.mark.parametrize(("way", "reader"), CASES)
def test_rows_take_the_list_as_it_is(way: str, reader: str) -> None:
    function = function_of(way, reader)
    x = jl.arange(12).float().reshape(3, 4)
    wanted = function(x, 2)
    script = jl.script(function)
    for _ in range(CALLS):
        got = script(x, 2)
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6)


@jl.script
def parts_in_a_loop(x: Tensor, n: int) -> Tensor:
    parts = x.chunk(2)
    y = jl.zeros(2)
    for _ in range(n):
        a, b = parts
        y = (a + b).tanh() + y
    return y


@jl.script
def parts_of_a_written_tensor(x: Tensor) -> Tensor:
    parts = x.chunk(2)
    x.add_(1)
    a, b = parts
    return (a + b).tanh() * 2


def test_kernels_get_tensors_where_sequences_are_made_elsewhere() -> None:
    for _ in range(CALLS):
        x = jl.arange(4).float()
        expected = 3 * np.tanh(np.float32([2, 4]))
        np.testing.assert_allclose(parts_in_a_loop(x, 3).numpy(), expected, rtol=1e-6)
        expected = 2 * np.tanh(np.float32([4, 6]))
        np.testing.assert_allclose(parts_of_a_written_tensor(x).numpy(), expected, rtol=1e-6)
