"""Expressions: each handler says what an expression means."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ..errors import ErrorKind
from ..ir import types as ty
from ..ir.graph import Value
from ..ir.types import Type
from .comprehensions import dict_comprehension, list_comprehension
from .conditions import cast, condition, refine, truth_condition
from .emitter import INT64_MAX, Emitter
from .flow import branch, decide_empty
from .indexing import load_item
from .operators import binary_values, compare_chain, compare_values, unary_value
from .scope import FALLS, Outcomes, path_of
from .sugar import Arguments, Constant, Keywords, Parts, Plain, Sugar

Handler = Callable[[Emitter, ast.expr, Type | None], Sugar]


def emit_expression(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    """The meaning of an expression."""
    handler = _HANDLERS.get(type(node))
    if handler is not None:
        return handler(e, node, expected)
    what, hint = EXCLUDED.get(type(node), (type(node).__name__, None))
    raise e.error(ErrorKind.UNSUPPORTED_EXPRESSION, f"{what} is not in the language", hint=hint)


EXCLUDED: dict[type[ast.expr], tuple[str, str | None]] = {
    ast.Lambda: ("a lambda", "define a function at module level"),
    ast.Set: ("a set", "use a list, or a dict with True as values"),
    ast.SetComp: ("a set comprehension", "use a list comprehension"),
    ast.Await: ("`await`", None),
    ast.Yield: ("`yield`", "return a list"),
    ast.YieldFrom: ("`yield from`", "return a list"),
}


# Atoms --------------------------------------------------------------------------------------------


def _name(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Name)
    return e.lookup(node.id)


def _constant(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Constant)
    value = node.value
    if isinstance(value, bytes) or value is Ellipsis:
        raise e.error(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            f"{'bytes' if isinstance(value, bytes) else '...'} is not in the language here",
            hint="use a str or a list of ints" if isinstance(value, bytes) else None,
        )
    return Plain(e.constant(value))


def _attribute(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Attribute)
    owner = e.expression(node.value)
    return _narrowed(e, node, owner.attribute(e, node.attr))


def _subscript(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Subscript)
    return _narrowed(e, node, load_item(e, node))


def _narrowed(e: Emitter, node: ast.expr, meaning: Sugar) -> Sugar:
    """A path under the type to which a test has narrowed it."""
    path = path_of(node)
    type_ = None if path is None else e.scope.path_type(path)
    if type_ is None or not isinstance(meaning, Plain):
        return meaning
    return Plain(cast(e, meaning.plain, type_))


# Operators ----------------------------------------------------------------------------------------


def binary(
    e: Emitter, operator: ast.operator, lhs: Sugar, rhs: Sugar, *, in_place: bool = False
) -> Sugar:
    """`lhs op rhs`; tuples are joined and repeated at compile time."""
    left, right = lhs.elements(e), rhs.elements(e)
    if isinstance(operator, ast.Add) and left is not None and right is not None:
        return Parts([*left, *right])
    if isinstance(operator, ast.Mult) and (left is None) != (right is None):
        parts, times = (left, rhs) if left is not None else (right, lhs)
        count = times.value(e).constant() if isinstance(times, Plain | Constant) else None
        if isinstance(count, int) and parts is not None:
            _check_length(e, len(parts) * count)
            return Parts(list(parts) * count)
    return Plain(binary_values(e, operator, lhs.value(e), rhs.value(e), in_place=in_place))


LONGEST_TUPLE = 10_000


def _check_length(e: Emitter, length: int) -> None:
    """A tuple is as many values as it has elements; very long ones are lists."""
    if length > LONGEST_TUPLE:
        raise e.error(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            f"a tuple of {length} elements is too long",
            expected=f"at most {LONGEST_TUPLE} elements",
            hint="use a list",
        )


def _binary(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.BinOp)
    lhs = e.expression(node.left, expected if isinstance(expected, ty.ListType) else None)
    rhs = e.expression(node.right)
    return binary(e, node.op, _settled(e, lhs, node.left), _settled(e, rhs, node.right))


def _settled(e: Emitter, meaning: Sugar, node: ast.expr) -> Sugar:
    """An operand as a value, so that what cannot be one is reported at its own place."""
    if meaning.elements(e) is not None:
        return meaning
    with e.at(node):
        return Plain(meaning.value(e))


def _unary(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.UnaryOp)
    if isinstance(node.op, ast.Not):
        return Plain(condition(e, node).as_value(e))
    if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        number = node.operand.value
        if isinstance(number, int) and number == INT64_MAX + 1:
            return Plain(e.constant(-number))  # the one literal that only fits with its sign
    return Plain(unary_value(e, node.op, e.value_of(node.operand)))


def _compare(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Compare)
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
        sides = (node.left, node.comparators[0])
        if any(isinstance(side, ast.Constant) and side.value is None for side in sides):
            return Plain(condition(e, node).as_value(e))
    if len(node.ops) == 1:
        lhs, rhs = e.expression(node.left), e.walked(e.expression(node.comparators[0]))
        known = _known_membership(e, node.ops[0], lhs, rhs)
        if known is not None:
            return Plain(e.builder.constant(known))
        return Plain(compare_values(e, node.ops[0], lhs.value(e), rhs.value(e)))
    return Plain(compare_chain(e, node.ops, [node.left, *node.comparators]))


def _known_membership(e: Emitter, operator: ast.cmpop, lhs: Sugar, rhs: Sugar) -> bool | None:
    if isinstance(rhs, Keywords) and isinstance(operator, ast.In | ast.NotIn):
        return (lhs.value(e).constant() in rhs.items) is isinstance(operator, ast.In)
    return None


def _bool_op(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    """`a and b`, `a or b`: the operand that decides, as in Python."""
    assert isinstance(node, ast.BoolOp)
    if _is_test(node):
        return Plain(condition(e, node).as_value(e))
    return _operand_of(e, node, node.values, isinstance(node.op, ast.Or))


def _is_test(node: ast.expr) -> bool:
    """Whether every operand is a bool by its form, so that only the truth matters."""
    match node:
        case ast.BoolOp():
            return all(map(_is_test, node.values))
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in ops)
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Call(func=ast.Name(id="isinstance" | "hasattr" | "callable")):
            return True
    return False


def _operand_of(e: Emitter, node: ast.BoolOp, operands: list[ast.expr], stop_on: bool) -> Sugar:
    first = operands[0]
    if len(operands) == 1:
        return e.expression(first)
    if _is_test(first):
        test, value = condition(e, first), None
    else:
        meaning = e.expression(first)
        if not isinstance(meaning, Plain | Constant):
            parts = meaning.elements(e)
            test, value = condition(e, first), (meaning.value(e) if parts is not None else None)
        else:
            value = meaning.value(e)
            test = truth_condition(e, value, first)
    if test.known is not None:
        if test.known is stop_on:
            return Plain(value if value is not None else e.builder.constant(stop_on))
        with e.child_scope():
            refine(e, test.if_false if stop_on else test.if_true)
            return _operand_of(e, node, operands[1:], stop_on)
    tested = test.as_value(e)
    result = value if value is not None else tested
    kept = ty.without_none(result.type) if stop_on else None
    name = e.fresh("operand")

    def stop() -> Outcomes:
        decided = result if kept is None else cast(e, result, kept)
        e.scope.assign(name, Plain(decided))
        return FALLS

    def go_on() -> Outcomes:
        e.scope.assign(name, Plain(_operand_of(e, node, operands[1:], stop_on).value(e)))
        return FALLS

    arms = (stop, go_on) if stop_on else (go_on, stop)
    branch(e, tested, arms[0], arms[1], test.if_true, test.if_false)
    return e.lookup(name)


def _ternary(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.IfExp)
    test = condition(e, node.test)
    if test.known is not None:
        with e.child_scope():
            refine(e, test.if_true if test.known else test.if_false)
            return e.expression(node.body if test.known else node.orelse, expected)
    name = e.fresh("choice")
    if expected is not None:
        e.declared[name] = expected

    def arm(value: ast.expr) -> Callable[[], Outcomes]:
        def emit() -> Outcomes:
            e.scope.assign(name, Plain(e.value_of(value, expected)))
            return FALLS

        return emit

    branch(e, test.as_value(e), arm(node.body), arm(node.orelse), test.if_true, test.if_false)
    return e.lookup(name)


def _walrus(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.NamedExpr)
    meaning = e.expression(node.value, e.declared.get(node.target.id, expected))
    e.grammar.assign(e, node.target, meaning)
    return meaning


# Displays -----------------------------------------------------------------------------------------


def _tuple(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Tuple)
    wanted: list[Type | None] = [None] * len(node.elts)
    if isinstance(expected, ty.TupleType) and len(expected.elements) == len(node.elts):
        wanted = list(expected.elements)
    parts: list[Sugar] = []
    for element, type_ in zip(node.elts, wanted, strict=True):
        if isinstance(element, ast.Starred):
            parts += _spread(e, element)
        else:
            parts.append(e.expression(element, type_))
    return Parts(parts)


def _spread(e: Emitter, node: ast.Starred) -> list[Sugar]:
    meaning = e.expression(node.value)
    parts = meaning.elements(e)
    if parts is None:
        raise e.error(
            ErrorKind.UNPACK,
            "the number of elements spread into a tuple must be known at compile time",
            node,
            found=meaning.describe(),
            hint="build a list instead",
        )
    return list(parts)


def _list(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.List)
    wanted = ty.without_none(expected) if expected is not None else None
    element = wanted.element if isinstance(wanted, ty.ListType) else None
    if not any(isinstance(item, ast.Starred) for item in node.elts):
        values = [e.value_of(item, element) for item in node.elts]
        for value in values:
            decide_empty(value, element or values[0].type)
        return Plain(e.list_display(values, wanted if element is not None else None))
    return Plain(_spread_list(e, node, element))


def _spread_list(e: Emitter, node: ast.List, element: Type | None) -> Value:
    """`[a, *xs, b]`: known parts are listed, lists are joined when it runs."""
    pieces: list[Value] = []
    run: list[Value] = []
    for item in node.elts:
        if not isinstance(item, ast.Starred):
            run.append(e.value_of(item, element))
            continue
        meaning = e.expression(item.value)
        parts = meaning.elements(e)
        if parts is not None:
            run += [part.value(e) for part in parts]
            continue
        pieces += [e.list_display(run)] if run else []
        run = []
        pieces.append(e.as_list(meaning))
    if run or not pieces:
        pieces.append(e.list_display(run))
    joined = pieces[0]
    if len(pieces) == 1:
        return e.builder.op("aten::list", joined)
    for piece in pieces[1:]:
        joined = binary_values(e, ast.Add(), joined, piece)
    return joined


def _dict(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Dict)
    wanted = ty.without_none(expected) if expected is not None else None
    value_type = wanted.value if isinstance(wanted, ty.DictType) else None
    if all(key is not None for key in node.keys):
        keys, values = [], []
        for key, value in zip(node.keys, node.values, strict=True):
            assert key is not None
            keys.append(e.value_of(key))
            values.append(e.value_of(value, value_type))
        return Plain(e.dict_display(keys, values, wanted))
    return Plain(_spread_dict(e, node, wanted))


def _spread_dict(e: Emitter, node: ast.Dict, wanted: Type | None) -> Value:
    """`{**a, key: value}`: a copy, then updates in order."""
    result: Value | None = None
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            piece = e.value_of(value)
        else:
            piece = e.dict_display([e.value_of(key)], [e.value_of(value)], wanted)
        if result is None:
            result = e.builder.op("aten::copy", piece)
            continue
        if not isinstance(result.type, ty.DictType) or ty.unify(result.type, piece.type) is None:
            raise e.element_error(
                "the parts of this dict have different types", piece.type, result.type
            )
        decide_empty(piece, result.type)
        decide_empty(result, piece.type)
        e.builder.call("aten::update", [result, piece])
    assert result is not None
    return result


def _list_comp(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.ListComp | ast.GeneratorExp)
    _reject_async(e, node.generators)
    return Plain(list_comprehension(e, node.elt, node.generators, expected))


def _dict_comp(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.DictComp)
    _reject_async(e, node.generators)
    return Plain(dict_comprehension(e, node, expected))


def _reject_async(e: Emitter, generators: list[ast.comprehension]) -> None:
    if any(generator.is_async for generator in generators):
        raise e.error(ErrorKind.UNSUPPORTED_EXPRESSION, "async for is not in the language")


# Strings ------------------------------------------------------------------------------------------

_CONVERSIONS = {-1: "", 115: "s", 114: "r", 97: "a"}


def _f_string(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.JoinedStr)
    return Plain(_joined(e, node.values))


def _joined(e: Emitter, pieces: list[ast.expr]) -> Value:
    """The pieces of an f-string: one `aten::format` where no piece has a spec, else a sum of parts.
    """
    if not pieces:
        return e.builder.constant("")
    texts = [str(p.value) for p in pieces if isinstance(p, ast.Constant)]
    fields = [p for p in pieces if isinstance(p, ast.FormattedValue)]
    plain = all(f.conversion == -1 and f.format_spec is None for f in fields)
    if plain and fields and not any("{" in t or "}" in t for t in texts):
        template = "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in pieces)
        values = [_formatted_operand(e, f) for f in fields]
        (output,) = e.builder.call("aten::format", [e.builder.constant(template), *values])
        return output
    result: Value | None = None
    for piece in pieces:
        part = _piece(e, piece)
        result = part if result is None else e.builder.op("aten::add", result, part)
    assert result is not None
    return result


def _piece(e: Emitter, piece: ast.expr) -> Value:
    if isinstance(piece, ast.Constant):
        return e.builder.constant(piece.value)
    assert isinstance(piece, ast.FormattedValue)
    value = _formatted_operand(e, piece)
    spec = e.builder.constant("")
    if isinstance(piece.format_spec, ast.JoinedStr):
        spec = _joined(e, piece.format_spec.values)
        _check_spec(e, piece, value, spec)
    conversion = e.builder.constant(_CONVERSIONS[piece.conversion])
    return e.builder.op("jit::format_value", value, spec, conversion)


def _formatted_operand(e: Emitter, piece: ast.FormattedValue) -> Value:
    return e.value_of(piece.value)


_SAMPLES: dict[Type, object] = {
    ty.INT: 1, ty.FLOAT: 1.0, ty.BOOL: True, ty.COMPLEX: 1j, ty.STR: "", ty.NONE: None,
}  # fmt: skip


def _check_spec(e: Emitter, piece: ast.FormattedValue, value: Value, spec: Value) -> None:
    """A constant spec is tried on a value of the same type now, not when the script runs."""
    text = spec.constant()
    if not isinstance(text, str) or piece.conversion != -1 or value.type not in _SAMPLES:
        return
    try:
        format(_SAMPLES[value.type], text)
    except (ValueError, TypeError) as error:
        raise e.error(
            ErrorKind.FORMAT_SPEC,
            f"the format spec does not fit the value: {error}",
            piece.value,
            found=f"{text!r} for {ty.annotation(value.type)}",
            hint="d is for int, e f g are for float, s is for str",
        ) from None


# Calls --------------------------------------------------------------------------------------------


def _call(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    assert isinstance(node, ast.Call)
    callee = e.expression(node.func)
    special = e.grammar.call_syntax(e, callee, node, expected)
    if special is not None:
        return special
    result = callee.call(e, arguments_of(e, node))
    e.scope.forget()
    return result


def arguments_of(e: Emitter, node: ast.Call) -> Arguments:
    """The arguments of a call; `*xs` and `**kwargs` are spread where their parts are known."""
    args = Arguments()
    for item in node.args:
        if not isinstance(item, ast.Starred):
            args.positional.append(e.expression(item))
            args.nodes.append(item)
            continue
        meaning = e.expression(item.value)
        parts = meaning.elements(e)
        if parts is None:
            with e.at(item):
                args.positional.append(e.starred(meaning))
            args.nodes.append(item)
            continue
        args.positional += parts
        args.nodes += [item] * len(parts)
    for keyword in node.keywords:
        if keyword.arg is None:
            _spread_keywords(e, args, keyword.value)
            continue
        args.keywords[keyword.arg] = e.expression(keyword.value)
        args.keyword_nodes[keyword.arg] = keyword
    return args


def _spread_keywords(e: Emitter, args: Arguments, node: ast.expr) -> None:
    meaning = e.expression(node)
    if isinstance(meaning, Keywords):
        items = meaning.items
    else:
        items = _dict_literal(e, meaning)
    for name, item in items.items():
        if name in args.keywords:
            raise e.error(ErrorKind.ARITY, f"argument '{name}' is given twice", node)
        args.keywords[name] = item
        args.keyword_nodes[name] = node


def _dict_literal(e: Emitter, meaning: Sugar) -> dict[str, Sugar]:
    """The items of a dict display whose keys are known strings."""
    value = meaning.value(e)
    display = value.node
    keys = [k.constant() for k in display.inputs[::2]]
    if display.kind != "prim::DictConstruct" or not all(isinstance(k, str) for k in keys):
        raise e.error(
            ErrorKind.UNSUPPORTED_EXPRESSION,
            "the keywords of a call must be known at compile time",
            found=ty.annotation(value.type),
            hint="pass the dict itself, or write the keywords out",
        )
    return {k: Plain(v) for k, v in zip(keys, display.inputs[1::2], strict=True)}


def _starred(e: Emitter, node: ast.expr, expected: Type | None) -> Sugar:
    raise e.error(ErrorKind.ASSIGN_TARGET, "a starred expression is out of place here")


_HANDLERS: dict[type[ast.expr], Handler] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _bool_op,
    ast.IfExp: _ternary,
    ast.NamedExpr: _walrus,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Dict: _dict,
    ast.ListComp: _list_comp,
    ast.GeneratorExp: _list_comp,
    ast.DictComp: _dict_comp,
    ast.JoinedStr: _f_string,
    ast.Call: _call,
    ast.Starred: _starred,
}
