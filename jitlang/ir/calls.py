"""One node as an expression in the dialect that `ir/source.py` describes."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from . import types as ty
from .graph import CONSTANT, PYTHON_OP, UNINITIALIZED, Graph, Node, ObjectRef, Value
from .literals import literal, string_literal
from .matching import NOT_CONSTANT, Match, match_overloads, result_types
from .opdef import OPS, OpDef
from .schema import Argument
from .types import Type


class Texts(Protocol):
    """What an expression asks of the writer: the text that reads a value, types, constants."""

    def read(self, value: Value) -> str: ...
    def type(self, type_: Type) -> str: ...
    def constant(self, value: Any, type_: Type) -> str: ...


def call_text(texts: Texts, node: Node) -> str:
    """The expression that computes a node."""
    writer = _KINDS.get(node.kind)
    text = writer(texts, node) if writer is not None else None
    return text if text is not None else _operator(texts, node)


# Displays and what is no call -------------------------------------------------------------------


def _list(texts: Texts, node: Node) -> str:
    made = ty.unshaped(node.output.type)
    elements = [ty.unshaped(value.type) for value in node.inputs]
    text = f"[{_joined(texts, node.inputs)}]"
    tells = isinstance(made, ty.ListType) and _common(elements) is made.element
    return text if tells else f"annotate({texts.type(made)}, {text})"


def _dict(texts: Texts, node: Node) -> str:
    made = ty.unshaped(node.output.type)
    keys, values = node.inputs[::2], node.inputs[1::2]
    pairs = zip(map(texts.read, keys), map(texts.read, values), strict=True)
    text = f"{{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"
    found = [_common([ty.unshaped(v.type) for v in part]) for part in (keys, values)]
    return text if found == list(made.children) else f"annotate({texts.type(made)}, {text})"


def _common(types: Sequence[Type]) -> Type | None:
    """The type that all parts of a display have, so that the display tells its own."""
    return types[0] if types and all(type_ is types[0] for type_ in types) else None


def _tuple(texts: Texts, node: Node) -> str:
    made = ty.unshaped(node.output.type)
    inner = _joined(texts, node.inputs)
    if isinstance(made, ty.TupleType) and made.field_names:
        return f"{texts.type(made)}({inner})"
    text = f"({inner},)" if len(node.inputs) == 1 else f"({inner})"
    tells = [ty.unshaped(value.type) for value in node.inputs] == list(made.children)
    return text if tells else f"annotate({texts.type(made)}, {text})"


def _tuple_index(texts: Texts, node: Node) -> str:
    read, index = node.inputs
    position, type_ = index.constant(), read.type
    if isinstance(type_, ty.TupleType) and type_.field_names and isinstance(position, int):
        return f"{texts.read(read)}.{type_.field_names[position]}"
    return f"{texts.read(read)}[{texts.read(index)}]"


def _tuple_slice(texts: Texts, node: Node) -> str:
    begin, end = node.attributes["beg"], node.attributes["end"]
    return f"{texts.read(node.inputs[0])}[{begin}:{end}]"


def _item(texts: Texts, node: Node) -> str | None:
    """Subscripts of lists, dicts and strings; other overloads are calls."""
    read, *rest = node.inputs
    subscripted = isinstance(read.type, ty.ListType | ty.DictType | ty.SequenceType | ty.StrType)
    if not subscripted or len(rest) != 1:
        return None
    return f"{texts.read(read)}[{texts.read(rest[0])}]"


def _uninitialized(texts: Texts, node: Node) -> str:
    return f"uninitialized({texts.type(node.output.type)})"


def _cast(name: str) -> Callable[[Texts, Node], str]:
    def write(texts: Texts, node: Node) -> str:
        return f"{name}({texts.type(node.output.type)}, {texts.read(node.inputs[0])})"

    return write


def _isinstance(texts: Texts, node: Node) -> str:
    types = [texts.type(type_) for type_ in node.attributes["types"]]
    shown = types[0] if len(types) == 1 else f"({', '.join(types)})"
    return f"isinstance({texts.read(node.inputs[0])}, {shown})"


def _builtin(name: str) -> Callable[[Texts, Node], str | None]:
    def write(texts: Texts, node: Node) -> str | None:
        is_found = len(node.inputs) == 1 and node.op is not None and _found(node, node.op, 1)
        return f"{name}({texts.read(node.inputs[0])})" if is_found else None

    return write


def _print(texts: Texts, node: Node) -> str:
    return f"print({_joined(texts, node.inputs)})"


def _call_function(texts: Texts, node: Node) -> str:
    return f"{texts.read(node.inputs[0])}({_joined(texts, node.inputs[1:])})"


def _call_method(texts: Texts, node: Node) -> str:
    receiver, *rest = node.inputs
    return f"{texts.read(receiver)}.{node.attributes['name']}({_joined(texts, rest)})"


def _attribute(texts: Texts, node: Node) -> str:
    name = node.attributes["name"]
    read = texts.read(node.inputs[0])
    return f"{read}.{name}" if name.isidentifier() else f"getattr({read}, {string_literal(name)})"


def _create_object(texts: Texts, node: Node) -> str:
    name = texts.type(node.output.type)
    return f"{name}.__new__({name})"


def _python_op(texts: Texts, node: Node) -> str:
    return f"^{node.attributes['name']}({_joined(texts, node.inputs)})"


def _joined(texts: Texts, values: Sequence[Value]) -> str:
    return ", ".join(map(texts.read, values))


# Operators --------------------------------------------------------------------------------------


def _operator(texts: Texts, node: Node) -> str:
    namespace, _, base = node.kind.partition("::")
    base = f"{base}_" if keyword.iskeyword(base) else base
    callee = f"torch.{base}" if namespace == "aten" else f"ops.{namespace}.{base}"
    if node.op is None:
        attributes = [
            f"{key}={_attribute_text(texts, value)}" for key, value in node.attributes.items()
        ]
        return f"{callee}({', '.join([*map(texts.read, node.inputs), *attributes])})"
    count, found = _needed(node, node.op)
    if found is None:
        callee = f"ops.{namespace}.{base}.{node.op.overload or 'default'}"
    arguments: list[str] = []
    for index, value in enumerate(node.inputs[:count]):
        argument = _argument(node.op, index)
        by_name = argument is not None and argument.kwarg_only
        prefix = f"{argument.name}=" if argument is not None and by_name else ""
        arguments.append(prefix + texts.read(value))
    text = f"{callee}({', '.join(arguments)})"
    if found is None or len(node.outputs) != 1 or _tells(node, found):
        return text
    return f"annotate({texts.type(node.output.type)}, {text})"


def _tells(node: Node, match: Match) -> bool:
    """Whether the row itself gives the type of the output; a surface may be its caller's choice."""
    types = [value.type for value in node.inputs]
    constants = [v.constant() if v.is_constant else NOT_CONSTANT for v in node.inputs]
    made = result_types(match.op, match.bindings, types, constants)
    return len(made) != 1 or ty.is_subtype(ty.unshaped(made[0]), ty.unshaped(node.output.type))


def _attribute_text(texts: Texts, value: Any) -> str:
    if isinstance(value, Type):
        return texts.type(value)
    if isinstance(value, list) and value and all(isinstance(v, Type) for v in value):
        return f"[{', '.join(map(texts.type, value))}]"
    return "..." if isinstance(value, Graph) else texts.constant(value, ty.ANY)


def _argument(op: OpDef, index: int) -> Argument | None:
    arguments = op.schema.arguments
    return arguments[index] if index < len(arguments) else None


def _needed(node: Node, op: OpDef) -> tuple[int, Match | None]:
    """How many inputs to write so that the types find this row again; no match if they never do."""
    count = total = len(node.inputs)
    while count and _is_default(_argument(op, count - 1), node.inputs[count - 1]):
        count -= 1
    matches = ((written, _found(node, op, written)) for written in (count, total))
    return next((pair for pair in matches if pair[1] is not None), (total, None))


def _found(node: Node, op: OpDef, count: int) -> Match | None:
    """The match by the first `count` inputs, if it is of this row."""
    positional: list[Type] = []
    named: dict[str, Type] = {}
    for index, value in enumerate(node.inputs[:count]):
        argument = _argument(op, index)
        type_ = ty.NONE if value.is_constant and value.constant() is None else value.type
        if argument is not None and argument.kwarg_only:
            named[argument.name] = type_
        else:
            positional.append(type_)
    found = match_overloads(OPS.overloads(node.kind), positional, named)
    return found if isinstance(found, Match) and found.op is op else None


def _is_default(argument: Argument | None, value: Value) -> bool:
    if argument is None or not argument.has_default:
        return False
    known, constant = _known(value)
    if not known:
        return False
    default = argument.default
    if isinstance(constant, list) and not isinstance(default, list):
        default = [default] * (argument.size or 1)
    return literal(constant, argument.type) == literal(default, argument.type)


def _known(value: Value) -> tuple[bool, Any]:
    """The value of a constant, or of a list display of constants."""
    node = value.node
    if node.kind == CONSTANT:
        constant = value.constant()
        return not isinstance(constant, ObjectRef), constant
    is_list = node.kind == "prim::ListConstruct" and all(v.is_constant for v in node.inputs)
    return is_list, [v.constant() for v in node.inputs] if is_list else None


_KINDS: Mapping[str, Callable[[Texts, Node], str | None]] = {
    "prim::ListConstruct": _list,
    "prim::DictConstruct": _dict,
    "prim::TupleConstruct": _tuple,
    "prim::TupleIndex": _tuple_index,
    "prim::TupleSlice": _tuple_slice,
    "aten::__getitem__": _item,
    UNINITIALIZED: _uninitialized,
    "prim::unchecked_cast": _cast("unchecked_cast"),
    "jit::checked_cast": _cast("checked_cast"),
    "prim::isinstance": _isinstance,
    "aten::Int": _builtin("int"),
    "aten::Float": _builtin("float"),
    "aten::Bool": _builtin("bool"),
    "aten::str": _builtin("str"),
    "prim::Print": _print,
    "prim::CallFunction": _call_function,
    "prim::CallMethod": _call_method,
    "prim::GetAttr": _attribute,
    "prim::CreateObject": _create_object,
    PYTHON_OP: _python_op,
}
