"""Tensors are objects where objects can be seen, raw arrays elsewhere, and one object each."""

import warnings

import numpy as np
import pytest

from jitlang.interp.machine import assemble
from jitlang.ir import types as ty
from jitlang.ir.builder import Builder
from jitlang.ir.graph import Graph, ObjectRef
from jitlang.ir.parser import parse_graph
from jitlang.tensor import Tensor, box


def routine(text: str):
    return assemble(parse_graph(text))


def vector(*values: float) -> Tensor:
    return box(np.array(values))


def test_temporaries_are_arrays() -> None:
    made = routine("""
    graph(%x : Tensor):
      %a : Tensor = aten::mul(%x, %x)
      %b : Tensor = aten::mul(%a, %a)
      %c : Tensor = aten::mul(%b, %x)
      return (%c)
    """)
    assert made.source.count("box(") == 1
    assert made.source.count("._array") == 1
    assert made(vector(2.0))._array.tolist() == [32.0]


def test_a_parameter_comes_back_as_itself() -> None:
    made = routine("""
    graph(%x : Tensor, %y : Tensor, %c : bool):
      %r : Tensor = prim::If(%c)
        block0():
          -> (%x)
        block1():
          %s : Tensor = aten::mul(%x, %y)
          -> (%s)
      return (%r)
    """)
    x, y = vector(1.0), vector(2.0)
    assert made(x, y, True) is x
    assert made(x, y, False)._array.tolist() == [2.0]


def test_one_value_is_one_object() -> None:
    made = routine("""
    graph(%x : Tensor):
      %a : Tensor = aten::mul(%x, %x)
      %l : Tensor[] = prim::ListConstruct(%a, %a)
      %t : (Tensor, Tensor[]) = prim::TupleConstruct(%a, %l)
      return (%t)
    """)
    a, parts = made(vector(3.0))
    assert parts[0] is a
    assert parts[1] is a


def test_identity_test_sees_objects() -> None:
    made = routine("""
    graph(%x : Tensor, %y : Tensor):
      %a : bool = aten::__is__(%x, %y)
      return (%a)
    """)
    x = vector(1.0)
    assert made(x, x) is True
    assert made(x, box(x._array)) is False


def test_lists_that_stay_inside_hold_arrays() -> None:
    made = routine("""
    graph(%x : Tensor, %n : int):
      %go : bool = prim::Constant[value=1]()
      %l : Tensor[] = prim::ListConstruct()
      %r : Tensor = prim::Loop(%n, %go, %x)
        block0(%i : int, %p : Tensor):
          %q : Tensor = aten::mul(%p, %x)
          %m : Tensor[] = aten::append(%l, %q)
          -> (%go, %q)
      %zero : int = prim::Constant[value=0]()
      %first : Tensor = aten::__getitem__(%l, %zero)
      %s : Tensor = aten::mul(%first, %r)
      return (%s)
    """)
    assert made.source.count("box(") == 1
    assert made(vector(2.0), 2)._array.tolist() == [32.0]


def test_list_whose_element_is_returned_holds_objects() -> None:
    made = routine("""
    graph(%x : Tensor, %y : Tensor):
      %l : Tensor[] = prim::ListConstruct(%x, %y)
      %one : int = prim::Constant[value=1]()
      %e : Tensor = aten::__getitem__(%l, %one)
      return (%e)
    """)
    x, y = vector(1.0), vector(2.0)
    assert made(x, y) is y


def test_list_of_the_caller_is_changed_in_place() -> None:
    made = routine("""
    graph(%l : Tensor[], %x : Tensor):
      %a : Tensor = aten::mul(%x, %x)
      %m : Tensor[] = aten::append(%l, %a)
      %zero : int = prim::Constant[value=0]()
      %e : Tensor = aten::__getitem__(%l, %zero)
      %s : Tensor = aten::mul(%e, %e)
      return (%s)
    """)
    given = [vector(3.0)]
    assert made(given, vector(2.0))._array.tolist() == [9.0]
    assert [type(part) for part in given] == [Tensor, Tensor]


def test_optional_tensors() -> None:
    made = routine("""
    graph(%x : Tensor?, %y : Tensor):
      %n : NoneType = prim::Constant()
      %c : bool = aten::__is__(%x, %n)
      %r : Tensor = prim::If(%c)
        block0():
          -> (%y)
        block1():
          %z : Tensor = prim::unchecked_cast(%x)
          %m : Tensor = aten::mul(%z, %y)
          -> (%m)
      %s : Tensor = aten::mul(%r, %r)
      return (%s)
    """)
    assert made(None, vector(2.0))._array.tolist() == [4.0]
    assert made(vector(3.0), vector(2.0))._array.tolist() == [36.0]


def test_writing_in_place_keeps_object_and_version() -> None:
    made = routine("""
    graph(%x : Tensor):
      %a : Tensor = aten::exp_(%x)
      %b : Tensor = aten::exp_(%a)
      return (%b)
    """)
    x = vector(0.0)
    before = x._version
    assert made(x) is x
    assert x._version == before + 2
    assert x._array.tolist() == [np.exp(1.0)]


def test_views_know_their_base() -> None:
    graph = Graph()
    build = Builder(graph)
    x = graph.add_input(ty.TENSOR)
    graph.add_output(build.op("aten::unsqueeze", x, build.constant(0)))
    given = vector(1.0, 2.0)
    view = assemble(graph)(given)
    assert view._base is given
    assert np.shares_memory(view._array, given._array)


def test_arrays_of_the_numpy_surface_stay_arrays() -> None:
    graph = Graph()
    build = Builder(graph)
    x = graph.add_input(ty.ARRAY)
    graph.add_output(build.op("aten::mul", x, x))
    made = assemble(graph)
    assert "_array" not in made.source
    result = made(np.array([2.0]))
    assert isinstance(result, np.ndarray)


@pytest.mark.fallback
def test_python_functions_get_objects_and_are_checked() -> None:
    graph = Graph()
    build = Builder(graph)
    x = graph.add_input(ty.TENSOR)
    seen = []

    def callee(value: Tensor, *, scale: int) -> object:
        seen.append((value, scale))
        return answers.pop()

    attributes = {
        "name": "callee",
        "callee": ObjectRef("callee", callee),
        "kwarg_names": ("scale",),
    }
    inputs = [x, build.constant(3)]
    graph.add_output(build.value("prim::PythonOp", inputs, ty.FLOAT, **attributes))
    given = vector(1.0)
    answers = [2, 2.5]
    made = assemble(graph)
    assert made(given) == 2.5
    assert type(made(given)) is float
    assert seen[0] == (given, 3)
    answers.append("text")
    with pytest.raises(TypeError, match=r"'callee' returned str where float was expected"):
        made(given)


def test_what_gives_the_tensor_itself_and_what_a_new_one() -> None:
    graph = Graph()
    build = Builder(graph)
    x = graph.add_input(ty.TENSOR)
    same, other = build.op("aten::contiguous", x), build.op("aten::detach", x)
    graph.add_output(build.tuple([same, other]))
    given = vector(1.0)
    same, other = assemble(graph)(given)
    assert same is given
    assert other is not given
    assert other._base is given


def test_tensors_give_no_warnings_and_arrays_do() -> None:
    for type_, wrap in ((ty.TENSOR, box), (ty.ARRAY, lambda array: array)):
        graph = Graph()
        x = graph.add_input(type_)
        graph.add_output(Builder(graph).op("aten::exp", x))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            assemble(graph)(wrap(np.array([1e9])))
        assert len(seen) == (type_ is ty.ARRAY)
