"""Printer and parser: spellings, names, round trips of all an attribute holds, rejections."""

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitlang import dtypes
from jitlang.arrays import Device
from jitlang.errors import CompileError, ErrorKind, SourceSpan
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.compare import first_difference, graphs_equal, values_equal
from jitlang.ir.graph import Graph, ObjectRef, TensorText, Value, create_node
from jitlang.ir.parser import parse_graph, parse_type
from jitlang.ir.printer import print_graph, print_node
from jitlang.ir.text import quote, spell_complex, spell_float, unquote


def holding(value: object, type_: ty.Type) -> Graph:
    graph = Graph()
    graph.add_output(Builder(graph).constant(value, type_))
    return graph


def assert_round_trip(graph: Graph) -> Graph:
    text = str(graph)
    back = parse_graph(text)
    assert first_difference(graph, back) is None
    assert str(back) == text
    return back


# Spellings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0."), (-0.0, "-0."), (1.0, "1."), (-3.0, "-3."), (0.1, "0.10000000000000001"),
        (0.5, "0.5"),
        (1e-05, "1.0000000000000001e-05"), (1e300, "1.0000000000000001e+300"),
        (2e16, "20000000000000000"),
        (math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan"),
        (5e-324, "4.9406564584124654e-324"),
    ],
)  # fmt: skip
def test_floats_are_spelled_as_torch_spells_them(value: float, text: str):
    assert spell_float(value) == text


def test_complex_numbers_are_spelled_as_torch_spells_them():
    assert spell_complex(1 + 2j) == "1.+2.j"
    assert spell_complex(1.5 - 2j) == "1.5-2.j"
    assert spell_complex(complex(math.nan, math.inf)) == "nan+infj"


def test_strings():
    assert quote("a\n\"b\" 'c' \\ \x1b\x7f é") == r'"a\n\"b\" \'c\' \\ \033\177 é"'
    assert unquote(r'"h\0)+\/.)llo"') == "héllo"
    assert unquote(r'"\q"') == r"\q"


@given(st.text())
def test_strings_read_back(text: str):
    assert unquote(quote(text)) == text
    assert "\n" not in quote(text)


# Values -------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.booleans().map(lambda v: (v, ty.BOOL)),
    st.integers(-(2**63), 2**63 - 1).map(lambda v: (v, ty.INT)),
    st.floats().map(lambda v: (v, ty.FLOAT)),
    st.complex_numbers().map(lambda v: (v, ty.COMPLEX)),
    st.text().map(lambda v: (v, ty.STR)),
    st.just((None, ty.NONE)),
    st.sampled_from(dtypes.ALL).map(lambda v: (v, ty.DTYPE)),
    st.sampled_from([Device("cpu"), Device("cuda:3")]).map(lambda v: (v, ty.DEVICE)),
)


def listed(inner):
    same = inner.map(lambda pair: ([pair[0]], ty.ListType(pair[1])))
    empty = inner.map(lambda pair: ([], ty.ListType(pair[1])))
    maybe = inner.map(lambda pair: ([pair[0], None], ty.ListType(ty.optional(pair[1]))))
    keyed = inner.map(lambda pair: ({"k": pair[0]}, ty.DictType(ty.STR, pair[1])))
    both = st.lists(inner, max_size=3).map(
        lambda pairs: (tuple(v for v, _ in pairs), ty.TupleType(tuple(t for _, t in pairs)))
    )
    return st.one_of(same, empty, maybe, keyed, both)


@given(st.recursive(scalars, listed, max_leaves=6))
def test_constants_read_back(pair: tuple[object, ty.Type]):
    value, type_ = pair
    back = assert_round_trip(holding(value, type_))
    assert values_equal(next(back.nodes).attributes.get("value"), value)


@given(st.recursive(scalars, listed, max_leaves=6))
def test_constants_of_any_type_read_back(pair: tuple[object, ty.Type]):
    value, type_ = pair
    if not any(isinstance(part, ty.DeviceType) for part in ty.walk(type_)):
        graph = holding(value, ty.ANY)
        assert str(parse_graph(str(graph))) == str(graph)


ARRAYS = [
    np.float32(0.5), np.array(7), np.zeros((0, 3), np.int8), np.arange(6,
    dtype=np.int16).reshape(2, 3).T,
    np.array([1.5, -0.0, np.nan, np.inf]), np.array([True, False]), np.array([1 + 2j],
    np.complex64),
    np.array([1, 2], ml_dtypes.bfloat16), np.array([1.5], np.float16), np.array([1, 2], ">i4"),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_tensors_read_back_to_the_bit(array: np.ndarray):
    native = np.asarray(array).astype(array.dtype.newbyteorder("="))
    back = parse_graph(str(holding(array, ty.TENSOR)))
    assert values_equal(next(back.nodes).attributes["value"], native)
    assert_round_trip(holding(native, ty.TENSOR))


@pytest.mark.parametrize(
    "text",
    [
        "Float(2, 3, strides=[3, 1], requires_grad=0, device=cpu)", "Tensor(2, *)", "Float()",
        "Long(*)",
        "HalfTensor(device=cuda:0)", "Tensor(requires_grad=1)", "Array", "Double(2, surface=numpy)",
        "ByteArray", "Tensor(sizes=[], device=cpu)", "BFloat16(1, strides=[*])", "int[][]?",
        "(int, (str))?",
        "Dict(str, Tensor?[])", "Union(Tensor, int[], float, str)", "Future[(Tensor, int)]",
        "Sequence(int)",
        "NamedTuple(x : Tensor, y : int)[]", "NamedTuple[__torch__.P](x : int)",
        "Enum<__torch__.C>",
        "__torch__.torch.nn.Linear", "NoneType", "Device", "Scalar", "dtype", "Function", "Any",
        "()",
        "Generator", "NoReturn", "Storage",
    ],
)  # fmt: skip
def test_types_read_back(text: str):
    assert str(parse_type(text)) == text


def test_types_of_torch_read():
    assert parse_type('NamedTuple(x : float? = None, y : str = "a, b")') is ty.TupleType(
        (ty.optional(ty.FLOAT), ty.STR), "", ("x", "y")
    )
    assert parse_type("Union[int, str]") is ty.union([ty.INT, ty.STR])
    assert parse_type("Float(2, 3)[Undefined]") is parse_type("Float(2, 3)")


def test_what_torch_says_of_tensors_is_kept():
    text = (
        "graph():\n"
        "  %a : Tensor = prim::Constant[value=<Tensor>]()\n"
        "  %b : Tensor = prim::Constant[value={0.5}]()\n"
        "  %c : Tensor = prim::Constant[value= 1  2 [ CPUFloatType{2} ]]()\n"
        "  %d : Tensor = prim::Constant[value=(1,.,.) =   1  2 [ CPUFloatType{1,1,2} ]]()\n"
        "  return (%d)\n"
    )
    graph = parse_graph(text)
    assert str(graph) == text
    assert next(graph.nodes).attributes["value"] == TensorText("<Tensor>")


# Names --------------------------------------------------------------------------------------------


def test_names_are_unique_and_stable():
    graph = Graph()
    for name in ("x", "x", "", "x.1", "x", "strange name!", "7", "7", ""):
        graph.add_input(ty.INT, name)
    graph.add_output(graph.inputs[0])
    names = [line.split(" :")[0].strip(" (graph") for line in str(graph).splitlines()[:-1]]
    assert names == ["%x", "%x.2", "%2", "%x.1", "%x.3", "%strange_name_", "%7", "%9", "%8"]
    assert_round_trip(graph)


def test_unnamed_values_are_numbered_in_program_order():
    graph = parse_graph(
        "graph(%c : bool):\n  %a : int = prim::If(%c)\n    block0():\n"
        "      %b : int = prim::Constant[value=1]()\n      -> (%b)\n    block1():\n"
        "      %d : int = prim::Constant[value=2]()\n      -> (%d)\n  return (%a)"
    )
    for node in (graph.block.param_node, *graph.walk()):
        for value in node.outputs:
            value.name = ""
    assert [word for word in str(graph).split() if word.startswith("%")] == ["%1", "%2", "%3"]


# Spans and remarks --------------------------------------------------------------------------------


def test_sources_and_scopes():
    text = (
        "graph(%x : int):\n"
        "  %a : int = aten::neg(%x) # a file.py:3:14\n"
        "  %b : int = aten::neg(%a), scope: __module.layer # model.py:7:0\n"
        "  %c : int = aten::neg(%b), scope: __module.layer\n"
        "  return (%c)\n"
    )
    graph = parse_graph(text)
    assert str(graph) == text
    a, b, c = graph.nodes
    assert a.span == SourceSpan("a file.py", 3, 14)
    assert b.span == SourceSpan("model.py", 7, 0, function="__module.layer")


def test_remarks_are_skipped():
    graph = parse_graph(
        "# first\ngraph(%x : int): # inputs\n  # a remark\n  %a : int = aten::neg(%x)\n"
        "  # f.py:1:2\n  return (%a) # done\n# last\n"
    )
    (node,) = graph.nodes
    assert node.span is None


def test_layout_does_not_matter():
    text = "graph(%x : int): %a : int = aten::neg ( %x ) return(%a)"
    assert str(parse_graph(text)).count("\n") == 3


def test_notes_are_drawn_under_their_nodes():
    graph = parse_graph("graph(%x : int):\n  %a : int = aten::neg(%x)\n  return (%a)\n")
    (node,) = graph.nodes
    notes = {graph.block.param_node: "taken", node: "two\nlines", graph.return_node: "given"}
    assert print_graph(graph, notes) == (
        "graph(%x : int):\n  ^^^ taken\n  %a : int = aten::neg(%x)\n  ^^^ two\n  ^^^ lines\n"
        "  return (%a)\n  ^^^ given\n"
    )


def test_a_node_by_itself():
    graph = parse_graph("graph(%x : int):\n  %a : int = aten::neg(%x) # f.py:1:2\n  return (%a)\n")
    (node,) = graph.nodes
    assert print_node(node) == "%a : int = aten::neg(%x) # f.py:1:2"
    detached = create_node("aten::neg", [], [ty.INT])
    assert print_node(detached) == "%<undefined> : int = aten::neg()"


# Rejections ---------------------------------------------------------------------------------------

REJECTED = [
    ("grap(%x : int):", "expected 'graph', found 'grap'", 1, 0),
    ("graph(%x : int)", "expected ':', found the end", 1, 15),
    ("graph(%x : nt):", "expected a type, found 'nt'", 1, 11),
    ("graph(%x : Dict(int)):", "Dict takes 2 types, found 1", 1, 11),
    ("graph(%x : Float(2, color=1)):", "a tensor type has no fact 'color'", 1, 20),
    ("graph(%x : int, %x : int):", "%x is defined twice", 1, 16),
    ("graph(%x : int):\n  return (%y)", "%y is not defined here", 2, 10),
    ("graph(%x : int):\n  %y : int = neg(%x)\n", "expected an operator, found 'neg'", 2, 13),
    ("graph(%x : int):\n  %y : int = aten::neg(x)\n", "expected a value, found 'x'", 2, 23),
    ("graph():\n  %y : int = prim::Constant[value=]()\n", "expected a value, found ']'", 2, 34),
    ("graph():\n  %y : dtype = prim::Constant[value=torch.int7]()\n", "unknown dtype", 2, 36),
    ("graph():\n  %y : Tensor = prim::Constant[value=<Tensor>, data=\"int8[2]:AA==\"]()\n",
     "the data of this tensor do not read", 2, 16),
    ("graph[integers=big]():\n", "expected 'checked' or 'wrapping'", 1, 15),
    ("graph():\n  return ()\nwith", "expected the end, found 'with'", 3, 0),
    ("graph(%c : bool):\n  %a : int = prim::If(%c)\n    block0():\n      %b : int = aten::f()\n"
     "      -> (%b)\n  return (%b)", "%b is not defined here", 6, 10),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "line", "column"), REJECTED)
def test_rejections_point_at_the_place(text: str, message: str, line: int, column: int):
    with pytest.raises(CompileError) as caught:
        parse_graph(text)
    error = caught.value
    assert error.kind is ErrorKind.GRAPH_TEXT
    assert message in error.message
    assert error.span is not None
    assert (error.span.line, error.span.column) == (line, column)
    assert "^" in str(error)


def test_near_misses_are_named():
    with pytest.raises(CompileError, match="did you mean 'total'"):
        parse_graph("graph(%total : int):\n  return (%totl)")


# Comparison ---------------------------------------------------------------------------------------


def graph_of(body: str) -> Graph:
    return parse_graph(f"graph(%x : Tensor, %n : int, %c : bool):\n{body}\n  return (%y)")


PLAIN = "  %y : Tensor = aten::add(%x, %x, %n)"
DIFFERENT = [
    ("  %y : Tensor = aten::sub(%x, %x, %n)", "their kinds are aten::add, and aten::sub"),
    ("  %y : Tensor = aten::add(%x, %x)", "their inputs number 3, and 2"),
    ("  %y : Float(2) = aten::add(%x, %x, %n)", "their outputs differ in type at 0"),
    ("  %z : Tensor = aten::add(%x, %x, %n)\n  %y : Tensor = aten::neg(%z)", "1 nodes, and 2"),
    ("  %y : Tensor = aten::add[alpha=1](%x, %x, %n)", "'alpha' stands on one side only"),
    ("  %k : int = aten::neg(%n)\n  %y : Tensor = aten::add(%x, %x, %k)", "their kinds are"),
]


@pytest.mark.parametrize(("body", "message"), DIFFERENT)
def test_differences_are_named(body: str, message: str):
    difference = first_difference(graph_of(PLAIN), graph_of(body))
    assert difference is not None
    assert message in difference


def test_names_and_sources_do_not_count():
    renamed = parse_graph(
        "graph(%a : Tensor, %b : int, %d : bool):\n"
        "  %e : Tensor = aten::add(%a, %a, %b) # f.py:1:1\n  return (%e)"
    )
    assert graphs_equal(graph_of(PLAIN), renamed)


def test_wiring_counts():
    a = parse_graph("graph(%x : int, %y : int):\n  return (%x)")
    b = parse_graph("graph(%x : int, %y : int):\n  return (%y)")
    assert first_difference(a, b) == "the outputs of the graph differ at 0: %x, and %y"


def test_integers_count():
    a = parse_graph("graph(%x : int):\n  return (%x)")
    b = parse_graph("graph[integers=wrapping](%x : int):\n  return (%x)")
    assert not graphs_equal(a, b)
    assert graphs_equal(b, b.copy())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (0.0, -0.0), (1, True), (1, 1.0), ([1], (1,)), ([1], [1, 2]), (np.zeros(2), np.zeros(3)),
        (np.zeros(2), np.zeros(2, np.float32)), (np.zeros(2), 0.0), (complex(0.0, -0.0), 0j),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (ObjectRef("a", len), ObjectRef("a", abs)),
    ],
)  # fmt: skip
def test_values_that_differ(a: object, b: object):
    assert not values_equal(a, b)


def test_values_that_do_not():
    assert values_equal([math.nan], [math.nan])
    assert values_equal(np.array([math.nan]), np.array([math.nan]))
    assert values_equal(ObjectRef("a", len), ObjectRef("a"))


def test_subgraphs_count():
    text = (
        "graph(%x : int):\n  %y : int = prim::g_0(%x)\n  return (%y)\n"
        "with prim::g_0 = graph(%z : int):\n  return (%z)\n"
    )
    other = text.replace("%z : int", "%z : str")
    assert graphs_equal(parse_graph(text), parse_graph(text))
    difference = first_difference(parse_graph(text), parse_graph(other))
    assert difference is not None
    assert "'Subgraph' is a graph: the inputs of the graph differ in type" in difference


def test_values_show_themselves():
    assert repr(Value(None, 0, ty.INT, "x")) == "%x : int"  # type: ignore[arg-type]
