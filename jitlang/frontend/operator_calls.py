"""Calls of operators of the table: by name, as methods, with keywords, deciding empty displays."""

from __future__ import annotations

import ast
import itertools
import re
import string
from collections.abc import Mapping, Sequence

from ..errors import ErrorKind, did_you_mean
from ..ir import types as ty
from ..ir.builder import no_overload
from ..ir.graph import Value
from ..ir.matching import Match, conversion, match_overloads
from ..ir.opdef import OPS, OpDef
from ..ir.types import Type
from ..tensor import result_class
from ..values import namedtuple_name
from . import hints
from .binding import rest_of
from .emitter import Emitter
from .flow import decide_empty, is_open
from .operators import rows_named
from .sugar import (
    Arguments,
    NamedParts,
    Operator,
    Parts,
    Plain,
    Starred,
    Sugar,
)
from .surface import RENAMED_KEYWORDS


def call_operator(e: Emitter, operator: Operator, args: Arguments) -> Sugar:
    """Call an operator of the table, as a function or as a method of `operator.receiver`."""
    name = operator.name
    if name == "format" and operator.receiver is not None and args.keywords:
        operator, args = _positional_format(e, operator, args)
    rows = OPS.overloads(name) if "::" in name else rows_named(name)
    values = [] if operator.receiver is None else [operator.receiver]
    if any(isinstance(meaning, Starred) for meaning in args.positional):
        rest = rest_of(e, args.positional)
        assert isinstance(rest, Starred)
        values.append(rest.items)
    else:
        values += [e.walked(meaning).value(e) for meaning in args.positional]
    keywords = _keywords(e, operator.label, rows, args, operator.receiver)
    unknown = any(ty.ANY in ty.walk(v.type) for v in values[1:])
    if e.speculates and unknown and is_open(values[0].type):
        return Plain(e.builder.constant(None))  # an unknown element decides nothing
    _decide_open(operator.label, values)
    if name in ("append", "insert"):
        values[-1] = as_element(e, values[0].type, values[-1])
    if name == "append" and len(values) == 2:
        _check_appended(e, rows, values, args.node_of(0))
    if operator.receiver is not None:
        at = position_of_self(rows)
        values[: at + 1] = [*values[1 : at + 1], values[0]]
    return apply_rows(e, operator.label, rows, values, keywords)


def _keywords(
    e: Emitter, label: str, rows: Sequence[OpDef], args: Arguments, receiver: Value | None
) -> dict[str, Value]:
    """Keyword values; NumPy's `axis` and torch's `input` are understood where a row has the
    argument.
    """
    if receiver is not None:
        first = [r for r in rows if _takes_receiver(r, receiver)]
        rows = first or rows
    known = {a.name for row in rows for a in row.schema.arguments}
    aliases = {**RENAMED_KEYWORDS, "input": "self"}
    values: dict[str, Value] = {}
    for name, meaning in args.keywords.items():
        renamed = name if name in known else aliases.get(name, name)
        if renamed not in known:
            raise e.error(
                ErrorKind.UNKNOWN_KEYWORD,
                f"no variant of '{label}' has an argument '{name}'",
                args.keyword_nodes.get(name),
                expected=" or ".join(sorted(known - {"self"})),
                hint=did_you_mean(name, known),
            )
        values[renamed] = meaning.value(e)
    return values


def position_of_self(rows: Sequence[OpDef]) -> int:
    """Where rows take the owner of a method: `x.where(condition, y)` is their second argument."""
    found = (row.schema.index_of("self") for row in rows)
    return next((position for position in found if position is not None), 0)


def _takes_receiver(row: OpDef, receiver: Value) -> bool:
    arguments = row.schema.arguments
    if not arguments:
        return False
    taken = arguments[position_of_self([row])]
    return conversion(taken, receiver.type, {}, implicit=False) is not None


def _positional_format(
    e: Emitter, operator: Operator, args: Arguments
) -> tuple[Operator, Arguments]:
    """`"{name}".format(name=x)` with the named fields numbered behind the positional ones."""
    assert operator.receiver is not None
    template = operator.receiver.constant()
    if not isinstance(template, str):
        raise e.error(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            "a template with named fields must be known at compile time",
            hint="use numbered fields, or an f-string",
        )
    numbers = {name: len(args.positional) + i for i, name in enumerate(args.keywords)}
    automatic = itertools.count()
    pieces = []
    for text, name, spec, converted in string.Formatter().parse(template):
        pieces.append(text.replace("{", "{{").replace("}", "}}"))
        if name is None:
            continue
        root = re.split(r"[.\[]", name)[0]
        number = str(next(automatic)) if not root else str(numbers.get(root, root))
        nested = re.sub(r"\{(\w+)\}", lambda m: f"{{{numbers.get(m[1], m[1])}}}", spec or "")
        ending = (f"!{converted}" if converted else "") + (f":{nested}" if nested else "")
        pieces.append("{" + number + name[len(root) :] + ending + "}")
    receiver = e.builder.constant("".join(pieces))
    positional = [*args.positional, *args.keywords.values()]
    return Operator(operator.name, operator.label, receiver), Arguments(positional)


_TAKE_LISTS = ("extend", "add_", "add", "eq", "ne", "join")


def _decide_open(name: str, values: Sequence[Value]) -> None:
    """`xs.append(1)` decides what an empty list holds."""
    if not values:
        return
    first = values[0]
    for other in values[1:]:
        if isinstance(first.type, ty.ListType):
            whole = name in _TAKE_LISTS
            decide_empty(first, other.type if whole else ty.ListType(other.type))
        elif isinstance(first.type, ty.DictType):
            decide_empty(first, other.type)
        decide_empty(other, first.type)
    if isinstance(first.type, ty.DictType) and len(values) == 3:
        decide_empty(first, ty.DictType(values[1].type, values[2].type))


def as_element(e: Emitter, container: Type, value: Value) -> Value:
    """A value of unknown type as an element of a list or dict, tested when it runs."""
    unknown = value.type in (ty.ANY, ty.NUMBER)
    if not unknown or not isinstance(container, ty.ListType | ty.DictType):
        return value
    element = container.children[-1]
    if element in (ty.ANY, ty.NO_RETURN, ty.NUMBER) or (
        value.type is ty.NUMBER and element not in ty.SCALARS
    ):
        return value
    return e.builder.value("jit::checked_cast", [value], element)


def _check_appended(
    e: Emitter, rows: Sequence[OpDef], values: Sequence[Value], node: ast.expr | None
) -> None:
    """A list keeps its element type; said plainly, since it is the usual mistake with lists."""
    owner, item = values
    fits = isinstance(match_overloads(rows, [owner.type, item.type], {}), Match)
    if fits or not isinstance(owner.type, ty.ListType):
        return
    raise e.error(
        ErrorKind.ELEMENT_TYPE,
        "the appended value does not have the type of the list's elements",
        node,
        found=ty.annotation(item.type),
        expected=ty.annotation(owner.type.element),
        hint=hints.for_conversion(item.type, owner.type.element)
        or "a list holds one type; use tuples for several",
    )


def apply_rows(
    e: Emitter,
    label: str,
    rows: Sequence[OpDef],
    values: Sequence[Value],
    keywords: Mapping[str, Value],
) -> Sugar:
    """Call the row that fits.

    Raises:
        CompileError: none fits (NO_OVERLOAD, or OPTIONAL_NOT_REFINED where None is what does not
            fit).
    """
    types = [v.type for v in values]
    keyword_types = {name: v.type for name, v in keywords.items()}
    outcome = match_overloads(rows, types, keyword_types)
    if isinstance(outcome, Match):
        outputs = e.builder.apply(outcome, [*values, *keywords.values()])
        return _result(e, outcome.op, outputs)
    bare = [ty.without_none(t) or t for t in types]
    if bare != types and isinstance(match_overloads(rows, bare, keyword_types), Match):
        position = next(i for i, t in enumerate(types) if bare[i] is not t)
        raise e.not_refined(
            _argument(e, values, position), types[position], f"which '{label}' does not take"
        )
    raise no_overload(label, values, keywords, outcome, e.span())


def _argument(e: Emitter, values: Sequence[Value], position: int) -> ast.expr | None:
    """The syntax of an argument; the first value of a method call is its owner."""
    call = e.node
    if not isinstance(call, ast.Call) or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    is_method = len(values) == len(call.args) + 1
    owner = [call.func.value] if isinstance(call.func, ast.Attribute) and is_method else []
    written = [*owner, *call.args]
    return written[position] if position < len(written) else None


def _result(e: Emitter, op: OpDef, outputs: Sequence[Value]) -> Sugar:
    if not outputs:
        return Plain(e.builder.constant(None))
    if len(outputs) == 1:
        return Plain(outputs[0])
    parts = [Plain(v) for v in outputs]
    cls = result_class(op)
    if cls is None:
        return Parts(parts)
    return NamedParts(parts, [r.name for r in op.schema.returns], namedtuple_name(cls))
