"""What is folded from outside a function is guarded: a change compiles a new version (decision 13).

Scalars, strings, tuples, functions and classes are folded; lists, dicts and arrays are read when
the function runs.
"""

from __future__ import annotations

import linecache
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl
from jitlang import Tensor
from jitlang.errors import CompileError, ErrorKind


def module(source: str, name: str = "guarded", **names: Any) -> dict[str, Any]:
    """A module's namespace after running `source`, whose lines `linecache` knows."""
    filename = f"<{name} {abs(hash(source))}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {
        "jl": jl, "np": np, "Tensor": Tensor, "__name__": name, **names,
    }  # fmt: skip
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)
    return namespace


def versions(scripted: Any) -> int:
    """How many signatures are compiled now."""
    return len(scripted._versions)


def compiled(scripted: Any) -> object:
    """The identity of what ran last."""
    return scripted._latest.compiled


# Scalars ------------------------------------------------------------------------------------------

SCALE = "def f(x: int) -> int:\n    return x * SCALE\n"


def test_a_global_that_changes_compiles_a_new_version() -> None:
    space = module(SCALE, SCALE=2)
    scripted = jl.script(space["f"])
    assert scripted(3) == 6
    first = compiled(scripted)
    assert scripted(4) == 8
    assert compiled(scripted) is first
    space["SCALE"] = 5
    assert scripted(3) == 15
    assert compiled(scripted) is not first


def test_what_is_shown_is_what_would_run() -> None:
    space = module(SCALE, SCALE=2)
    scripted = jl.script(space["f"])
    assert "value=2" in str(scripted.graph)
    space["SCALE"] = 5
    assert "value=5" in str(scripted.graph)
    assert "5" in scripted.code
    del space["SCALE"]
    with pytest.raises(CompileError):
        scripted.graph  # noqa: B018  # a property that compiles


def test_an_equal_value_is_no_change() -> None:
    space = module(SCALE, SCALE=1000)
    scripted = jl.script(space["f"])
    scripted(1)
    first = compiled(scripted)
    space["SCALE"] = int("1000")
    assert scripted(2) == 2000
    assert compiled(scripted) is first


def test_an_equal_value_of_another_type_is_a_change() -> None:
    space = module("def f(x):\n    return x * SCALE\n", SCALE=1)
    scripted = jl.script(space["f"])
    assert type(scripted(3)) is int
    space["SCALE"] = 1.0
    assert type(scripted(3)) is float
    space["SCALE"] = True
    assert type(scripted(3)) is int


@pytest.mark.parametrize(
    ("before", "after"),
    [("a", "b"), (1.5, 2.5), (True, False), ((1, 2), (3, 4)), (None, 3), (0.0, -0.0)],
)
def test_constants_of_every_class(before: object, after: object) -> None:
    space = module("def f(x: int):\n    return VALUE, x\n", VALUE=before)
    scripted = jl.script(space["f"])
    assert repr(scripted(1)) == repr((before, 1))
    space["VALUE"] = after
    assert repr(scripted(1)) == repr((after, 1))
    space["VALUE"] = before
    assert repr(scripted(1)) == repr((before, 1))


def test_nan_is_no_change() -> None:
    space = module("def f(x: float) -> float:\n    return x + VALUE\n", VALUE=float("nan"))
    scripted = jl.script(space["f"])
    scripted(1.0)
    first = compiled(scripted)
    scripted(1.0)
    assert compiled(scripted) is first


def test_a_flag_decides_what_is_compiled() -> None:
    source = "def f(x: int):\n    if FLAG:\n        return x + 'a'\n    return x + 1\n"
    space = module(source, FLAG=False)
    scripted = jl.script(space["f"])
    assert scripted(1) == 2
    space["FLAG"] = True
    for _ in range(2):
        with pytest.raises(CompileError) as caught:
            scripted(1)
        assert caught.value.kind is ErrorKind.OPERATOR_TYPE
    space["FLAG"] = False
    assert scripted(2) == 3


def test_a_deleted_global_is_an_undefined_name() -> None:
    space = module(SCALE, SCALE=2)
    scripted = jl.script(space["f"])
    assert scripted(3) == 6
    del space["SCALE"]
    for _ in range(2):
        with pytest.raises(CompileError) as caught:
            scripted(3)
        assert caught.value.kind is ErrorKind.UNDEFINED_NAME
    space["SCALE"] = 4
    assert scripted(3) == 12


def test_a_global_may_hide_a_builtin_later() -> None:
    space = module("def f(xs: list[int]) -> int:\n    return len(xs)\n")
    scripted = jl.script(space["f"])
    assert scripted([1, 2]) == 2
    exec("def len(xs):\n    return -1\n", space)
    space["len"] = module("def len(xs: list[int]) -> int:\n    return -1\n")["len"]
    assert scripted([1, 2]) == -1
    del space["len"]
    assert scripted([1, 2]) == 2


# Closures -----------------------------------------------------------------------------------------


def counting(start: int) -> tuple[Callable[[int], int], Callable[[int], None]]:
    amount = start

    def add(x: int) -> int:
        return x + amount

    def change(value: int) -> None:
        nonlocal amount
        amount = value

    return add, change


def test_a_closed_over_name_that_changes() -> None:
    add, change = counting(10)
    scripted = jl.script(add)
    assert scripted(1) == 11
    change(20)
    assert scripted(1) == 21


def test_closures_of_one_function_are_apart() -> None:
    first, second = jl.script(counting(1)[0]), jl.script(counting(2)[0])
    assert (first(0), second(0), first(0)) == (1, 2, 1)


def test_a_closure_called_by_a_script_is_guarded() -> None:
    add, change = counting(10)
    space = module("def f(x: int) -> int:\n    return add(x) * 2\n", add=add)
    scripted = jl.script(space["f"])
    assert scripted(1) == 22
    change(0)
    assert scripted(1) == 2


def test_two_closures_of_one_function_in_one_script() -> None:
    (one, change_one), (two, change_two) = counting(1), counting(2)
    space = module("def f(x: int) -> int:\n    return one(x) * 100 + two(x)\n", one=one, two=two)
    scripted = jl.script(space["f"])
    assert scripted(0) == 102
    change_two(7)
    assert scripted(0) == 107
    change_one(3)
    assert scripted(0) == 307


# Modules and objects ------------------------------------------------------------------------------


def test_an_attribute_of_a_module_that_changes() -> None:
    settings = types.ModuleType("settings")
    settings.depth = 2  # type: ignore[attr-defined]
    space = module("def f(x: int) -> int:\n    return x * settings.depth\n", settings=settings)
    scripted = jl.script(space["f"])
    assert scripted(3) == 6
    settings.depth = 3  # type: ignore[attr-defined]
    assert scripted(3) == 9
    del settings.depth  # type: ignore[attr-defined]
    with pytest.raises(CompileError) as caught:
        scripted(3)
    assert caught.value.kind is ErrorKind.UNDEFINED_ATTRIBUTE


def test_an_attribute_of_an_object_that_changes() -> None:
    options = types.SimpleNamespace(depth=2, inner=types.SimpleNamespace(width=5))
    space = module(
        "def f(x: int) -> int:\n    return x * options.depth + options.inner.width\n",
        options=options,
    )
    scripted = jl.script(space["f"])
    assert scripted(3) == 11
    options.depth = 3
    assert scripted(3) == 14
    options.inner = types.SimpleNamespace(width=0)
    assert scripted(3) == 9
    space["options"] = types.SimpleNamespace(depth=1, inner=types.SimpleNamespace(width=1))
    assert scripted(3) == 4


def test_equal_paths_through_two_objects_are_apart() -> None:
    one, two = (types.SimpleNamespace(inner=types.SimpleNamespace(width=w)) for w in (1, 2))
    space = module(
        "def f(x: int) -> int:\n    return one.inner.width * 100 + two.inner.width\n",
        one=one,
        two=two,
    )
    scripted = jl.script(space["f"])
    assert scripted(0) == 102
    two.inner.width = 7
    assert scripted(0) == 107


def test_an_attribute_of_a_class_that_changes() -> None:
    class Options:
        depth = 2

    space = module("def f(x: int) -> int:\n    return x * Options.depth\n", Options=Options)
    scripted = jl.script(space["f"])
    assert scripted(3) == 6
    Options.depth = 7
    assert scripted(3) == 21


def test_a_module_that_is_replaced() -> None:
    first, second = types.ModuleType("first"), types.ModuleType("second")
    first.size, second.size = 1, 2  # type: ignore[attr-defined]
    space = module("def f(x: int) -> int:\n    return x + mod.size\n", mod=first)
    scripted = jl.script(space["f"])
    assert scripted(0) == 1
    space["mod"] = second
    assert scripted(0) == 2


# Functions ----------------------------------------------------------------------------------------

HELPED = (
    "def helper(x: int) -> int:\n    return x + 1\n"
    "def f(x: int) -> int:\n    return helper(x) * 10\n"
)


def test_a_helper_that_is_replaced() -> None:
    space = module(HELPED)
    scripted = jl.script(space["f"])
    assert scripted(1) == 20
    space["helper"] = module("def helper(x: int) -> int:\n    return x - 1\n")["helper"]
    assert scripted(1) == 0
    space["helper"] = jl.script(space["helper"])
    assert scripted(1) == 0


def test_a_helper_of_a_helper_that_is_replaced() -> None:
    source = (
        "def inner(x: int) -> int:\n    return x + BIAS\n"
        "def outer(x: int) -> int:\n    return inner(x)\n"
        "def f(x: int) -> int:\n    return outer(x)\n"
    )
    space = module(source, BIAS=1)
    scripted = jl.script(space["f"])
    assert scripted(1) == 2
    space["BIAS"] = 10
    assert scripted(1) == 11
    space["inner"] = module("def inner(x: int) -> int:\n    return -x\n")["inner"]
    assert scripted(1) == -1


def test_names_of_different_modules_are_apart() -> None:
    there = module("SCALE = 3\ndef helper(x: int) -> int:\n    return x * SCALE\n", "there")
    here = module(
        "def f(x: int) -> int:\n    return helper(x) + SCALE\n",
        "here",
        helper=there["helper"],
        SCALE=100,
    )
    scripted = jl.script(here["f"])
    assert scripted(1) == 103
    there["SCALE"] = 4
    assert scripted(1) == 104
    here["SCALE"] = 200
    assert scripted(1) == 204


def test_functions_given_as_arguments_are_part_of_the_signature() -> None:
    space = module(HELPED + "def apply(g, x: int) -> int:\n    return g(x)\n")
    scripted = jl.script(space["apply"])
    assert scripted(space["helper"], 1) == 2
    assert scripted(space["f"], 1) == 20
    assert scripted(space["helper"], 5) == 6
    assert versions(scripted) == 2


# Containers ---------------------------------------------------------------------------------------


def test_a_list_is_read_when_the_function_runs() -> None:
    items = [1, 2]
    space = module("def f(x: int) -> int:\n    return x + sum(ITEMS) + len(ITEMS)\n", ITEMS=items)
    scripted = jl.script(space["f"])
    assert scripted(0) == 5
    first = compiled(scripted)
    items.append(10)
    items[0] = 0
    assert scripted(0) == 15
    assert compiled(scripted) is first


def test_a_list_of_another_element_type_compiles_a_new_version() -> None:
    items: list[Any] = [1, 2]
    space = module("def f(x: int):\n    return ITEMS[0]\n", ITEMS=items)
    scripted = jl.script(space["f"])
    assert scripted(0) == 1
    items[:] = ["a", "b"]
    assert scripted(0) == "a"
    items[:] = [1, "b"]
    with pytest.raises(CompileError) as caught:
        scripted(0)
    assert caught.value.kind is ErrorKind.UNSUPPORTED_VALUE


def test_a_list_that_is_replaced() -> None:
    space = module("def f(x: int) -> int:\n    return x + len(ITEMS)\n", ITEMS=[1])
    scripted = jl.script(space["f"])
    assert scripted(0) == 1
    space["ITEMS"] = [1, 2, 3]
    assert scripted(0) == 3


def test_a_dict_is_read_and_written_when_the_function_runs() -> None:
    table = {"a": 1}
    space = module(
        "def f(key: str) -> int:\n    TABLE[key + key] = len(TABLE)\n    return TABLE[key]\n",
        TABLE=table,
    )
    scripted = jl.script(space["f"])
    assert scripted("a") == 1
    assert table == {"a": 1, "aa": 1}
    table["b"] = 7
    assert scripted("b") == 7


def test_the_truth_of_a_list_is_not_folded() -> None:
    items = [1]
    space = module(
        "def f(x: int) -> int:\n    if ITEMS:\n        return ITEMS[0]\n    return -1\n",
        ITEMS=items,
    )
    scripted = jl.script(space["f"])
    assert scripted(0) == 1
    items.pop()
    assert scripted(0) == -1


def test_a_tensor_is_read_when_the_function_runs() -> None:
    weight = jl.ones(2)
    space = module("def f(x: Tensor) -> Tensor:\n    return x * WEIGHT\n", WEIGHT=weight)
    scripted = jl.script(space["f"])
    assert scripted(jl.ones(2)).tolist() == [1.0, 1.0]
    weight.mul_(3)
    assert scripted(jl.ones(2)).tolist() == [3.0, 3.0]
    space["WEIGHT"] = jl.zeros(2)
    assert scripted(jl.ones(2)).tolist() == [0.0, 0.0]


def test_an_array_is_read_when_the_function_runs() -> None:
    weight = np.ones(2)
    space = module("def f(x: np.ndarray):\n    return x * WEIGHT\n", WEIGHT=weight)
    scripted = jl.script(space["f"])
    assert scripted(np.ones(2)).tolist() == [1.0, 1.0]
    weight *= 5
    assert scripted(np.ones(2)).tolist() == [5.0, 5.0]


# Defaults -----------------------------------------------------------------------------------------


def test_a_default_is_taken_when_the_function_is_called() -> None:
    space = module("def f(x: int, step: int = 2) -> int:\n    return x + step\n")
    scripted = jl.script(space["f"])
    assert scripted(1) == 3
    space["f"].__defaults__ = (10,)
    assert scripted(1) in (3, 11)  # a ScriptFunction may keep the defaults that it was made with
    assert scripted(1, 4) == 5


def test_a_mutable_default_is_shared_between_calls() -> None:
    source = (
        "def f(x: int, seen: list[int] = []) -> int:\n    seen.append(x)\n    return len(seen)\n"
    )
    scripted = jl.script(module(source)["f"])
    assert [scripted(5), scripted(5)] == [1, 2]


# Types --------------------------------------------------------------------------------------------


def test_a_version_for_every_signature() -> None:
    scripted = jl.script(module("def f(x):\n    return x + x\n")["f"])
    assert [scripted(1), scripted(1.5), scripted("a"), scripted([1]), scripted(2)] == [
        2, 3.0, "aa", [1, 1], 4,
    ]  # fmt: skip
    assert versions(scripted) == 4


def test_least_recently_used_versions_are_dropped() -> None:
    scripted = jl.script(module("def f(g, x: int) -> int:\n    return g(x)\n")["f"])
    with jl.config.override(max_specializations=3):
        for i in range(6):
            helper = module(f"def g(x: int) -> int:\n    return x + {i}\n")["g"]
            assert scripted(helper, 1) == 1 + i
            assert versions(scripted) <= 3
