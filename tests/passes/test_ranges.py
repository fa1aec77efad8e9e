"""Ranges hold: on random graphs, every int is in its range."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from jitlang.ir import types as ty
from jitlang.ir.graph import Graph, Value
from jitlang.ir.parser import parse_graph
from jitlang.passes.ranges import ANY, Range, Ranges, find_ranges
from passes.pass_graphs import arguments, evaluate, graphs

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


class Checked(dict[Value, Any]):
    """What each value is, checked against its range."""

    def __init__(self, ranges: Ranges) -> None:
        super().__init__()
        self.ranges = ranges

    def update(self, pairs: Any) -> None:  # type: ignore[override]
        for value, found in pairs:
            if value.type in (ty.INT, ty.BOOL):
                range_ = self.ranges.of(value)
                assert range_.low <= found <= range_.high, f"{value!r} is {found}, not {range_}"
            self[value] = found


@settings(max_examples=300, suppress_health_check=SLOW)
@given(graph=graphs(), variant=st.sampled_from([0, 1]))
def test_every_int_is_in_its_range(graph: Graph, variant: int) -> None:
    note(str(graph))
    ranges = find_ranges(graph)
    with np.errstate(all="ignore"):
        try:
            evaluate(graph, *arguments(variant), values=Checked(ranges))
        except AssertionError:
            raise
        except Exception as error:
            note(repr(error))


def test_wrapping_ints_have_the_range_of_what_they_wrap_to() -> None:
    graph = parse_graph("""
    graph(%n : int):
      %1 : int = prim::Constant[value=1]()
      %7 : int = prim::Constant[value=7]()
      %a : int = aten::add(%n, %1)
      %b : int = aten::remainder(%n, %7)
      %c : int = aten::add(%b, %1)
      %t : (int, int) = prim::TupleConstruct(%a, %c)
      return (%t)
    """)
    graph.integers = "wrapping"
    ranges = find_ranges(graph)
    a, c = (node for node in graph.walk() if node.kind == "aten::add")
    assert ranges.of(a.output) == ANY
    assert not ranges.fits(a)
    assert ranges.of(c.output) == Range(1, 7)
    assert ranges.fits(c)


def test_deep_nests_of_loops_take_no_time() -> None:
    lines, close = [], []
    for depth in range(14):
        pad = "  " * depth
        lines.append(f"{pad}%r{depth} : int = prim::Loop(%n, %go, %zero)")
        lines.append(f"{pad}  block0(%i{depth} : int, %c{depth} : int):")
        close.insert(0, f"{pad}    -> (%go, %{'s' if depth == 13 else f'r{depth + 1}'})")
    inner = "  " * 14 + "  %s : int = aten::add(%c13, %i0)"
    text = "\n".join(["    " + line for line in (*lines, inner, *close)])
    graph = parse_graph(
        "graph(%n : int, %go : bool):\n  %zero : int = prim::Constant[value=0]()\n"
        + "\n".join(line[2:] for line in text.splitlines())
        + "\n  return (%r0)\n"
    )
    assert find_ranges(graph).of(graph.outputs[0]).low == 0
