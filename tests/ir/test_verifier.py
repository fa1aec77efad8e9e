"""The verifier: every invariant of its list is broken here at least once, and valid graphs pass."""

import re
from collections.abc import Callable

import pytest

from jitlang.errors import CompileError, ErrorKind
from jitlang.ir import types as ty
from jitlang.ir import verifier
from jitlang.ir.graph import Block, Graph, Node, ObjectRef, Use, create_node
from jitlang.ir.opdef import OPS, Effect, OpDef
from jitlang.ir.parser import parse_graph
from jitlang.ir.verifier import verify

NUMBERS = {int(n) for n in re.findall(r"^ ?(\d+)\. ", verifier.__doc__ or "", re.MULTILINE)}

TEST_ROWS = (
    OpDef("verifier::add(int a, int b) -> int", function=None, method=None),
    OpDef("verifier::pair(Tensor self) -> (Tensor, Tensor)", function=None, method=None),
    OpDef("verifier::fill_(Tensor(a!) self) -> Tensor(a!)", function=None, method=None),
    OpDef("verifier::draw() -> float", effect=Effect.RANDOM, function=None, method=None),
    OpDef("verifier::first.t(t[] items) -> t", function=None, method=None),
)


@pytest.fixture(autouse=True, scope="module")
def rows():
    for row in TEST_ROWS:
        OPS.add(row)
    yield
    for row in TEST_ROWS:
        OPS.remove(row)


VALID = """
graph(%x : Tensor, %n : int, %flag : bool, %m : Tensor?):
  %true : bool = prim::Constant[value=1]()
  %zero : int = prim::Constant[value=0]()
  %y : Tensor, %k : int = prim::Loop(%n, %true, %x, %zero)
    block0(%i : int, %acc : Tensor, %at : int):
      %next : int = verifier::add(%at, %i)
      %chosen : Tensor = prim::If(%flag)
        block0():
          %a : Tensor, %b : Tensor = verifier::pair(%acc)
          -> (%b)
        block1():
          -> (%acc)
      -> (%flag, %chosen, %next)
  %safe : Tensor = prim::Try[catches=[[<ValueError>, <KeyError>], [<own.Error>]]]()
    block0():
      -> (%y)
    block1(%e : Any):
       = jit::reraise(%e)
      -> (%y)
    block2(%f : Any):
      -> (%x)
  %items : Tensor?[] = prim::ListConstruct(%y, %m)
  %head : Tensor? = verifier::first(%items)
  %table : Dict(str, int) = prim::DictConstruct()
  %pair : (Tensor, int) = prim::TupleConstruct(%y, %k)
  %p : Tensor, %q : int = prim::TupleUnpack(%pair)
  %r : Tensor = prim::TupleIndex(%pair, %zero)
  %s : (Tensor) = prim::TupleSlice[beg=0, end=1](%pair)
  %u : Tensor = prim::unchecked_cast(%head)
  %v : bool = prim::isinstance[types=[int]](%n)
  %w : Tensor = ^callback[]()(%u)
  %z : Tensor = prim::fork_0(%w)
  return (%pair)
with prim::fork_0 = graph(%t : Tensor):
  return (%t, %t)
"""


def test_a_valid_graph_passes():
    verify(parse_graph(VALID))


def test_copies_are_valid():
    verify(parse_graph(VALID).copy())


# Broken texts: the number of the invariant, and a graph that breaks it ----------------------------

BODY = "    block0():\n      -> (%x)\n"
HANDLER = "    block1(%e : Any):\n      -> (%x)\n"
TEXTS = [
    (6, "graph(%x : int):\n  return (%x, %x)"),
    (6, "graph(%x : int):\n  return ()"),
    (7, "graph(%x : NamedTuple(a : int, a : int)):\n  return (%x)"),
    (8, "graph(%x : int):\n   = prim::note[graph=<anything>]()\n  return (%x)"),
    (9, "graph():\n  %x : int = prim::Constant[value=1.5]()\n  return (%x)"),
    (9, "graph():\n  %x : int = prim::Constant()\n  return (%x)"),
    (9, "graph():\n  %x : float[] = prim::Constant[value=[1., \"a\"]]()\n  return (%x)"),
    (9, "graph(%x : int):\n  %y : int = prim::Constant[value=1](%x)\n  return (%y)"),
    (9, "graph():\n  %x : Float(3) = prim::Constant[value={1.}, data=\"float32[1]:AACAPw==\"]()\n"
        "  return (%x)"),
    (10, "graph(%x : int):\n  %y : int = prim::If(%x)\n    block0():\n      -> (%x)\n"
         "    block1():\n      -> (%x)\n  return (%y)"),
    (10, "graph(%c : bool, %x : int):\n  %y : int = prim::If(%c)\n    block0():\n      -> (%x)\n"
         "    block1():\n      -> (%c)\n  return (%y)"),
    (10, "graph(%c : bool, %x : int):\n  %y : int = prim::If(%c)\n    block0():\n      -> (%x)\n"
         "  return (%y)"),
    (10, "graph(%c : bool, %x : int):\n  %y : int = prim::If(%c)\n    block0():\n      -> (%x)\n"
         "    block1():\n      -> ()\n  return (%y)"),
    (10, "graph(%c : bool, %x : int):\n   = prim::If(%c)\n    block0(%i : int):\n      -> ()\n"
         "    block1():\n      -> ()\n  return (%x)"),
    (11, "graph(%n : int, %c : bool):\n   = prim::Loop(%n, %c)\n    block0():\n      -> (%c)\n"
         "  return (%n)"),
    (11, "graph(%n : int, %c : bool):\n   = prim::Loop(%n, %n)\n    block0(%i : int):\n"
         "      -> (%c)\n"
         "  return (%n)"),
    (11, "graph(%n : int, %c : bool):\n  %y : int = prim::Loop(%n, %c, %n)\n"
         "    block0(%i : int, %a : int):\n      -> (%c, %c)\n  return (%y)"),
    (11, "graph(%n : int, %c : bool):\n  %y : float = prim::Loop(%n, %c, %n)\n"
         "    block0(%i : int, %a : int):\n      -> (%c, %a)\n  return (%y)"),
    (11, "graph(%n : int, %c : bool):\n  %y : int = prim::Loop(%n, %c, %n)\n"
         "    block0(%i : int):\n      -> (%c)\n  return (%y)"),
    (13, "graph(%x : str):\n  %y : int = verifier::add(%x, %x)\n  return (%y)"),
    (13, "graph(%x : int):\n  %y : int = verifier::add(%x, %x)\n    block0():\n      -> ()\n"
         "  return (%y)"),
    (14, "graph(%x : int):\n  %y : float[] = prim::ListConstruct(%x)\n  return (%y)"),
    (14, "graph(%x : int):\n  %y : int = prim::ListConstruct(%x)\n  return (%y)"),
    (15, "graph(%x : int):\n  %y : Dict(str, int) = prim::DictConstruct(%x, %x)\n  return (%y)"),
    (15, "graph(%x : int):\n  %y : Dict(int, int) = prim::DictConstruct(%x)\n  return (%y)"),
    (16, "graph(%x : int):\n  %y : (int, int) = prim::TupleConstruct(%x)\n  return (%y)"),
    (16, "graph(%x : int):\n  %y : (float) = prim::TupleConstruct(%x)\n  return (%y)"),
    (16, "graph(%x : int):\n  %y : NamedTuple(a : int, b : int) = prim::TupleConstruct(%x)\n"
         "  return (%y)"),
    (17, "graph(%x : (int, int)):\n  %y : int = prim::TupleUnpack(%x)\n  return (%y)"),
    (17, "graph(%x : (int, int)):\n  %y : int, %z : float = prim::TupleUnpack(%x)\n  return (%y)"),
    (17, "graph(%x : (int, int)):\n  %i : int = prim::Constant[value=2]()\n"
         "  %y : int = prim::TupleIndex(%x, %i)\n  return (%y)"),
    (17, "graph(%x : (int, str)):\n  %i : int = prim::Constant[value=1]()\n"
         "  %y : int = prim::TupleIndex(%x, %i)\n  return (%y)"),
    (17, "graph(%x : int[], %i : int):\n  %y : int = prim::TupleIndex(%x, %i)\n  return (%y)"),
    (17, "graph(%x : (int, int)):\n  %y : (int) = prim::TupleSlice[beg=0](%x)\n  return (%y)"),
    (17, "graph(%x : (int, int)):\n  %y : (int) = prim::TupleSlice[beg=0, end=2](%x)\n"
         "  return (%y)"),
    (18, "graph(%x : int):\n  %y : int = prim::ListUnpack(%x)\n  return (%y)"),
    (18, "graph(%x : int[]):\n  %y : int, %z : str = prim::ListUnpack(%x)\n  return (%y)"),
    (19, "graph(%x : int):\n  %y : int = prim::unchecked_cast(%x, %x)\n  return (%y)"),
    (19, "graph(%x : int):\n  %y : int = prim::Uninitialized(%x)\n  return (%y)"),
    (20, "graph(%x : int):\n  %y : bool = prim::isinstance(%x)\n  return (%y)"),
    (20, "graph(%x : int):\n  %y : int = prim::isinstance[types=[int]](%x)\n  return (%y)"),
    (21, "graph(%x : int):\n  %y : int = prim::CallFunction(%x)\n  return (%y)"),
    (22, "graph(%x : int):\n  %y : int = prim::PythonOp(%x)\n  return (%y)"),
    (22, "graph(%x : int):\n  %y : int, %z : int = ^f[]()(%x)\n  return (%y)"),
    (23, "graph(%x : Tensor):\n  %y : Tensor, %z : bool = prim::TypeCheck[types=[]](%x)\n"
         "  return (%y)"),
    (23, "graph(%x : Tensor):\n  %y : Tensor = prim::TypeCheck[types=[Float(2)]](%x)\n"
         "  return (%y)"),
    (24, "graph(%x : int):\n  %y : int = prim::Group_0(%x)\n  return (%y)\n"
         "with prim::Group_0 = graph():\n  %y : int = prim::Constant[value=1]()\n  return (%y)"),
    (24, "graph(%x : int):\n  %y : int = prim::Group_0(%x)\n  return (%y)\n"
         "with prim::Group_0 = graph(%z : str):\n  return (%z)"),
    (24, "graph(%x : int):\n  %y : int = prim::Group_0(%x)\n  return (%y)\n"
         "with prim::Group_0 = graph(%z : int):\n  return ()"),
    (25, "graph(%x : Tensor):\n  %y : Tensor = verifier::fill_(%x)\n   = prim::Guard()\n"
         "  return (%y)"),
    (25, "graph(%x : Tensor):\n  %y : float = verifier::draw()\n   = prim::Guard()\n  return (%y)"),
    (25, "graph(%x : int):\n  %y : int = ^f[]()(%x)\n   = prim::Guard()\n  return (%y)"),
    (25, "graph(%c : bool, %x : int):\n   = prim::If(%c)\n    block0():\n       = prim::Print(%x)\n"
         "      -> ()\n    block1():\n      -> ()\n   = prim::Guard()\n  return (%x)"),
    (25, "graph(%n : int, %c : bool):\n   = prim::Loop(%n, %c)\n    block0(%i : int):\n"
         "       = prim::Guard()\n       = prim::Print(%i)\n      -> (%c)\n  return (%n)"),
    *((26, f"graph(%x : int, %s : str):\n  %y : int = prim::Try{attributes}({given})\n{blocks}"
           "  return (%y)")
      for attributes, given, blocks in [
          ("[catches=[[<KeyError>]]]", "", BODY),
          ("[catches=[[<KeyError>]]]", "%x", BODY + HANDLER),
          ("", "", BODY + HANDLER),
          ("[catches=[]]", "", BODY),
          ("[catches=[[]]]", "", BODY + HANDLER),
          ("[catches=[<KeyError>]]", "", BODY + HANDLER),
          ("[catches=[[\"KeyError\"]]]", "", BODY + HANDLER),
          ("[catches=[[<KeyError>]]]", "", BODY + HANDLER + HANDLER.replace("%e", "%f")),
          ("[catches=[[<KeyError>]]]", "", BODY.replace("()", "(%i : int)") + HANDLER),
          ("[catches=[[<KeyError>]]]", "", BODY + HANDLER.replace("%e : Any", "")),
          ("[catches=[[<KeyError>]]]", "", BODY + HANDLER.replace("Any", "str")),
          ("[catches=[[<KeyError>]]]", "", BODY.replace("(%x)", "()") + HANDLER),
          ("[catches=[[<KeyError>]]]", "", BODY + HANDLER.replace("(%x)", "(%s)")),
      ]),
    (27, "graph(%x : Any):\n   = jit::reraise(%x)\n  return (%x)"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "text"), TEXTS)
def test_broken_text(number: int, text: str):
    if number == 8:
        graph = parse_graph(text)
        next(graph.nodes).attributes["graph"] = Graph()
    else:
        graph = parse_graph(text)
    assert_invalid(graph, number)


def assert_invalid(graph: Graph, number: int) -> str:
    with pytest.raises(CompileError) as caught:
        verify(graph)
    assert caught.value.kind is ErrorKind.INVALID_GRAPH
    message = str(caught.value)
    assert f"({number})" in message.splitlines()[0], message
    return message


# Broken structure: what text cannot say -----------------------------------------------------------


def sample() -> tuple[Graph, Node, Node]:
    """A graph of two additions."""
    graph = parse_graph(
        "graph(%x : int):\n  %y : int = verifier::add(%x, %x)\n"
        "  %z : int = verifier::add(%y, %x)\n  return (%z)"
    )
    first, second = graph.nodes
    return graph, first, second


def test_handlers_catch_exceptions_only():
    text = f"graph(%x : int):\n  %y : int = prim::Try[catches=[[<K>]]]()\n{BODY}{HANDLER}"
    graph = parse_graph(text + "  return (%y)")
    (node,) = graph.nodes
    node.attributes["catches"] = [[ObjectRef("K", KeyError)]]
    verify(graph)
    node.attributes["catches"] = [[ObjectRef("K", int)]]
    assert_invalid(graph, 26)


def a_link_is_missing(graph: Graph, first: Node, second: Node) -> None:
    second.previous = graph.block.param_node


def a_list_has_no_end(graph: Graph, first: Node, second: Node) -> None:
    second.next = None


def a_list_is_a_ring(graph: Graph, first: Node, second: Node) -> None:
    second.next = first


def a_node_has_the_wrong_block(graph: Graph, first: Node, second: Node) -> None:
    first.block = Block(graph, None)


def a_block_has_the_wrong_graph(graph: Graph, first: Node, second: Node) -> None:
    graph.block.graph = Graph()


def a_block_has_the_wrong_owner(graph: Graph, first: Node, second: Node) -> None:
    first.blocks.append(Block(graph, second))


def a_parameter_node_has_inputs(graph: Graph, first: Node, second: Node) -> None:
    graph.block.param_node.add_input(first.output)


def a_return_node_has_outputs(graph: Graph, first: Node, second: Node) -> None:
    graph.return_node.add_output(ty.INT)


def a_sentinel_stands_inside(graph: Graph, first: Node, second: Node) -> None:
    Node("prim::Return").insert_before(second)


def an_output_has_the_wrong_offset(graph: Graph, first: Node, second: Node) -> None:
    first.output.offset = 1


def an_output_stands_twice(graph: Graph, first: Node, second: Node) -> None:
    first.outputs.append(first.output)


def a_use_is_missing(graph: Graph, first: Node, second: Node) -> None:
    first.output.uses.clear()


def a_use_is_invented(graph: Graph, first: Node, second: Node) -> None:
    first.output.uses[Use(second, 1)] = None


def a_reader_is_not_in_the_graph(graph: Graph, first: Node, second: Node) -> None:
    create_node("verifier::add", [first.output, first.output], [ty.INT])


def a_value_is_read_too_early(graph: Graph, first: Node, second: Node) -> None:
    first.move_before(graph.return_node)


def a_value_comes_from_another_graph(graph: Graph, first: Node, second: Node) -> None:
    other = Graph()
    second.replace_input(0, other.add_input(ty.INT, "stray"))


def integers_are_neither(graph: Graph, first: Node, second: Node) -> None:
    graph.integers = "saturating"  # type: ignore[assignment]


def a_type_has_variables(graph: Graph, first: Node, second: Node) -> None:
    graph.inputs[0].type = ty.ListType(ty.VarType("t"))


def an_attribute_is_an_object(graph: Graph, first: Node, second: Node) -> None:
    first.attributes["thing"] = [object()]


def a_graph_stands_elsewhere(graph: Graph, first: Node, second: Node) -> None:
    first.attributes["body"] = Graph()


def a_row_has_another_name(graph: Graph, first: Node, second: Node) -> None:
    first.kind = "verifier::subtract"


def a_row_does_not_take_the_inputs(graph: Graph, first: Node, second: Node) -> None:
    graph.inputs[0].type = ty.STR


def a_row_has_more_inputs(graph: Graph, first: Node, second: Node) -> None:
    first.remove_input(1)


def a_row_gives_another_type(graph: Graph, first: Node, second: Node) -> None:
    second.output.type = ty.STR


def a_row_gives_fewer_values(graph: Graph, first: Node, second: Node) -> None:
    first.add_output(ty.INT)


def a_row_is_missing(graph: Graph, first: Node, second: Node) -> None:
    first.op = None


Breaker = Callable[[Graph, Node, Node], None]
STRUCTURE: list[tuple[int, Breaker]] = [
    (1, a_link_is_missing),
    (1, a_list_has_no_end),
    (1, a_list_is_a_ring),
    (1, a_node_has_the_wrong_block),
    (1, a_block_has_the_wrong_graph),
    (1, a_block_has_the_wrong_owner),
    (2, a_parameter_node_has_inputs),
    (2, a_return_node_has_outputs),
    (2, a_sentinel_stands_inside),
    (3, an_output_has_the_wrong_offset),
    (3, an_output_stands_twice),
    (4, a_use_is_missing),
    (4, a_use_is_invented),
    (4, a_reader_is_not_in_the_graph),
    (5, a_value_is_read_too_early),
    (5, a_value_comes_from_another_graph),
    (6, integers_are_neither),
    (7, a_type_has_variables),
    (8, an_attribute_is_an_object),
    (8, a_graph_stands_elsewhere),
    (12, a_row_has_another_name),
    (12, a_row_does_not_take_the_inputs),
    (12, a_row_has_more_inputs),
    (12, a_row_gives_another_type),
    (12, a_row_gives_fewer_values),
    (13, a_row_is_missing),
]


@pytest.mark.parametrize(("number", "breaker"), STRUCTURE, ids=lambda v: getattr(v, "__name__", v))
def test_broken_structure(number: int, breaker: Breaker):
    graph, first, second = sample()
    verify(graph)
    breaker(graph, first, second)
    assert_invalid(graph, number)


def test_every_invariant_is_broken_somewhere():
    assert {number for number, _ in (*TEXTS, *STRUCTURE)} == NUMBERS
    assert set(range(1, max(NUMBERS) + 1)) == NUMBERS


# How failures are shown ---------------------------------------------------------------------------


def test_findings_are_drawn_inside_the_graph():
    graph = parse_graph(
        "graph(%x : int):\n  %y : float[] = prim::ListConstruct(%x)\n"
        "  %z : (int, int) = prim::TupleConstruct(%x)\n  return (%y)"
    )
    assert assert_invalid(graph, 14).splitlines() == [
        "[invalid-graph] the graph is invalid (14): prim::ListConstruct: "
        "element 0 is int, not float",
        "graph(%x : int):",
        "  %y : float[] = prim::ListConstruct(%x)",
        "  ^^^ (14) element 0 is int, not float",
        "  %z : (int, int) = prim::TupleConstruct(%x)",
        "  ^^^ (16) gives (int, int) from 1 inputs",
        "  return (%y)",
    ]


def test_values_from_outside_are_marked():
    graph, first, second = sample()
    stray = Graph().add_input(ty.INT, "stray")
    second.inputs[0] = stray
    assert "%<stray>" in assert_invalid(graph, 4)


def test_guards_before_effects_pass():
    verify(parse_graph(
        "graph(%x : Tensor):\n   = prim::Guard()\n  %y : Tensor = verifier::fill_(%x)\n"
        "  return (%y)"
    ))  # fmt: skip
