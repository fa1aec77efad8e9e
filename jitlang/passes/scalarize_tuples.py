"""Splits the tuples that branches and loops pass on into their elements.

    graph(%t : (Tensor, int), %n : int):                 graph(%t : (Tensor, int), %n : int):
      %go : bool = prim::Constant[value=1]()               %go : bool = prim::Constant[value=1]()
      %r : (Tensor, int) = prim::Loop(%n, %go, %t)         %x : Tensor, %k : int = prim::TupleUnpack(%t)
        block0(%i : int, %s : (Tensor, int)):      =>      %y : Tensor, %m : int = prim::Loop(%n, %go, %x, %k)
          %u : (Tensor, int) = prim::CallFunction(%f, %s)    block0(%i : int, %a : Tensor, %b : int):
          -> (%go, %u)                                         %s : (Tensor, int) = prim::TupleConstruct(%a, %b)
      return (%r)                                              %u : (Tensor, int) = prim::CallFunction(%f, %s)
                                                               %c : Tensor, %d : int = prim::TupleUnpack(%u)
                                                               -> (%go, %c, %d)
                                                           %r : (Tensor, int) = prim::TupleConstruct(%y, %m)
                                                           return (%r)

Tuples inside tuples are split too, and parameters of the graph are unpacked once, at the top. Where
a tuple is made and taken apart again, the rules of `peephole` cancel the two; so afterwards tuples
remain only where they leave the function, go through containers or into calls. A NamedTuple keeps
its class there. `Optional` tuples stay whole: their elements may not exist.

In the interpreter a tuple that a loop only hands on is cheaper whole, so this is for graphs that
become native; the rules `carried_tuple` and `joined_tuple` split where that is a gain everywhere.
"""  # noqa: E501

from __future__ import annotations

from ..ir.graph import CHOICES, LOOP, UNINITIALIZED, Graph, Node, Value, create_node
from ..ir.types import TupleType

CONSTRUCT = "prim::TupleConstruct"
UNPACK = "prim::TupleUnpack"


def scalarize_tuples(graph: Graph) -> bool:
    """Unpack tuple parameters at the top; let branches and loops pass on elements, not tuples."""
    changed = _unpack_parameters(graph)
    work = graph.find(*CHOICES, LOOP)
    while work:
        node = work.pop()
        split = split_carried if node.kind == LOOP else split_joined
        offset = next((v.offset for v in node.outputs if _is_split(v)), None)
        if offset is None:
            continue
        split(node, offset)
        work.append(node)
        changed = True
    return changed


def _is_split(value: Value) -> bool:
    """Whether all forms of a joined or carried value are known to be tuples."""
    node, offset = value.node, value.offset
    forms = [value, *(block.outputs[offset] for block in node.blocks)]
    if node.kind == LOOP:
        (body,) = node.blocks
        forms = [value, node.inputs[offset + 2], body.inputs[offset + 1], body.outputs[offset + 1]]
    return all(isinstance(form.type, TupleType) for form in forms)


def _unpack_parameters(graph: Graph) -> bool:
    """Take tuple parameters apart before anything else, as far as branches and loops read them."""
    first = graph.block.param_node.next
    read = [value for value in graph.inputs if _is_read_inside(value)]
    for value in read:
        uses = list(value.uses)
        whole = _taken_apart(value, first)
        for use in uses:
            use.node.replace_input(use.index, whole)
    return bool(read)


def _is_read_inside(value: Value) -> bool:
    """Whether a tuple parameter is read in a block or handed to a loop."""
    readers = [use.node for use in value.uses]
    is_read = any(node.kind == LOOP or node.block.owner is not None for node in readers)
    return is_read and isinstance(value.type, TupleType) and bool(value.type.elements)


def _taken_apart(value: Value, place: Node) -> Value:
    """A tuple equal to the value, made of its elements, and of theirs, before `place`."""
    parts = create_node(UNPACK, [value], value.type.children).insert_before(place)
    wholes = [
        _taken_apart(part, place) if isinstance(part.type, TupleType) else part
        for part in parts.outputs
    ]
    return tuple_of(wholes, value, place, parts)


def split_joined(node: Node, offset: int) -> None:
    """Join the elements of output `offset` of an `If` or `Try`, and make the tuple after it."""
    value = node.outputs[offset]
    for block in node.blocks:
        for part in parts_of(block.outputs[offset], block.return_node):
            block.add_output(part)
        block.return_node.remove_input(offset)
    given = [node.add_output(element) for element in value.type.children]
    value.replace_all_uses_with(tuple_of(given, value, node.next, node))
    node.remove_output(offset)


def split_carried(node: Node, offset: int) -> None:
    """Carry the elements of output `offset` of a loop, and make tuples of them for readers."""
    (body,) = node.blocks
    value, parameter = node.outputs[offset], body.inputs[offset + 1]
    for part in parts_of(node.inputs[offset + 2], node):
        node.add_input(part)
    for part in parts_of(body.outputs[offset + 1], body.return_node):
        body.add_output(part)
    taken = [body.add_input(element) for element in parameter.type.children]
    given = [node.add_output(element) for element in value.type.children]
    parameter.replace_all_uses_with(tuple_of(taken, parameter, body.param_node.next, node))
    value.replace_all_uses_with(tuple_of(given, value, node.next, node))
    body.return_node.remove_input(offset + 1)
    body.param_node.remove_output(offset + 1)
    node.remove_input(offset + 2)
    node.remove_output(offset)


def parts_of(value: Value, place: Node) -> list[Value]:
    """The elements of a tuple, taken out before `place` where they are not at hand."""
    elements = value.type.children
    if value.node.kind == CONSTRUCT:
        return list(value.node.inputs)
    if value.node.kind == UNINITIALIZED:
        made = [create_node(UNINITIALIZED, (), [t], span=place.span) for t in elements]
        return [node.insert_before(place).output for node in made]
    unpacked = create_node(UNPACK, [value], elements, span=place.span)
    unpacked.callstack = place.callstack
    return unpacked.insert_before(place).outputs


def tuple_of(parts: list[Value], like: Value, place: Node, origin: Node) -> Value:
    """A tuple of the type of `like`, made before `place` on behalf of `origin`."""
    made = create_node(CONSTRUCT, parts, [like.type], span=origin.span)
    made.callstack = origin.callstack
    return made.insert_before(place).output
