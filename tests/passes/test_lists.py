"""Lists that dissolve: random programs that cut, append and join give what plain Python gives."""

import linecache
from itertools import count
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import jitlang as jl
from golden_loader import GOLDEN, PRELUDE, read_cases
from jitlang.interp.machine import assemble
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify
from jitlang.passes.manager import run_passes
from jitlang.values import observed_type

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
CUTS = (
    "xs.unbind({dim})", "xs.chunk(2, {dim})", "xs.split(1, {dim})", "xs.split(2, {dim})",
    "reversed(xs.unbind({dim}))", "xs.unbind({dim})[::-2]", "xs.chunk(4, {dim})[1:]",
)  # fmt: skip
numbers = count(1)


@st.composite
def statements(draw: Any, depth: int = 0) -> list[str]:
    """Statements that append to `items`."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(
            st.sampled_from(("append", "extend", "loop", "cut") if depth < 2 else ("append",))
        )
        if kind == "append":
            found.append(f"items.append(x * {draw(st.integers(1, 9))})")
        elif kind == "extend":
            found.append("items += [x, x + 1]")
        elif kind == "loop":
            variable = f"i{depth}"
            found.append(f"for {variable} in range({draw(st.integers(0, 3))}):")
            found += ["    " + line for line in draw(statements(depth + 1))]
            found.append(f"    items.append(x + {variable})")
        else:
            cut = draw(st.sampled_from(CUTS)).format(dim=draw(st.integers(-2, 1)))
            found += [f"for piece in {cut}:", "    items.append(x + piece.sum())"]
    return found


@st.composite
def programs(draw: Any) -> str:
    lines = ["items: List[Tensor] = [x]" if draw(st.booleans()) else "items: List[Tensor] = []"]
    lines += draw(statements())
    lines += ["items.reverse()"] * draw(st.integers(0, 3))
    join = draw(st.sampled_from(("stack", "cat")))
    lines.append(f"return jl.{join}(items, {draw(st.integers(-3, 2))}), len(items)")
    return "def f(x: Tensor, xs: Tensor):\n" + "".join(f"    {line}\n" for line in lines)


def function(text: str) -> Any:
    filename = f"random_lists_{next(numbers)}.py"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    module: dict[str, Any] = {"__name__": filename}
    exec(PRELUDE, module)
    exec(compile(text, filename, "exec", dont_inherit=True), module)
    return module["f"]


def outcome(run: Any, *args: Any) -> Any:
    try:
        joined, length = run(*args)
    except Exception as error:
        return type(error)
    array = joined.numpy()
    return array.tobytes(), array.shape, array.strides, array.dtype, length


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(text=programs(), rank=st.integers(0, 2))
def test_random_programs_of_lists(text: str, rank: int) -> None:
    note(text)
    plain = function(text)
    rng = np.random.default_rng(rank)
    x = jl.from_numpy(rng.standard_normal((2, 3)[:rank]))
    xs = jl.from_numpy(rng.standard_normal((4, 5)))
    graph = jl.script(plain).optimized_graph.copy()
    for value, argument in zip(graph.inputs, (x, xs), strict=True):
        value.type = observed_type(argument, value.type)
    run_passes(graph, ["specialize"])
    verify(graph)
    note(str(graph))
    assert outcome(assemble(graph), x, xs) == outcome(plain, x, xs)


def test_no_list_and_no_tuple_is_left_in_the_loops_of_recurrent_cells() -> None:
    for case in read_cases(GOLDEN / "passes" / "recurrent.test"):
        (section,) = case.results
        graph = parse_graph(section.text)
        (*_, loop) = graph.find("prim::Loop")
        kinds = {node.kind for node in loop.walk()}
        assert "jit::store_item" in kinds, case.name
        forbidden = ("prim::Tuple", "aten::append", "jit::append", "aten::__getitem__")
        assert not [kind for kind in kinds if kind.startswith(forbidden)], case.name


def test_a_list_that_is_turned_round_is_stored_from_its_end() -> None:
    text = (
        "def f(x: Tensor, xs: Tensor):\n"
        "    items: List[Tensor] = [x]\n"
        "    for piece in xs.unbind(0):\n"
        "        items.append(x + piece)\n"
        "    items.reverse()\n"
        "    return jl.stack(items), len(items)\n"
    )
    plain = function(text)
    x, xs = jl.randn(5), jl.randn(4, 5)
    graph = jl.script(plain).optimized_graph.copy()
    for value, argument in zip(graph.inputs, (x, xs), strict=True):
        value.type = observed_type(argument, value.type)
    run_passes(graph, ["specialize"])
    assert list(graph.find("jit::store_item"))
    assert not list(graph.find("aten::reverse"))
    assert outcome(assemble(graph), x, xs) == outcome(plain, x, xs)


def test_items_are_stored_along_any_dimension() -> None:
    graph = parse_graph("""
    graph(%x : Tensor, %d : int, %i : int):
      %s : int[] = prim::Constant[value=[2, 3, 2]]()
      %t : dtype = prim::Constant[value=torch.float32]()
      %b : Tensor = jit::buffer(%s, %t)
      %n : Tensor = aten::zero_(%b)
       = jit::store_item(%b, %d, %i, %x)
      return (%b)
    """)
    x = jl.from_numpy(np.float32([[1, 2], [3, 4]]))
    wanted = np.zeros((2, 3, 2), np.float32)
    wanted[:, -1] = x.numpy()
    assert np.array_equal(assemble(graph)(x, -2, 2).numpy(), wanted)
